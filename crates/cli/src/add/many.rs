//! `tenure add` over many connections: whether all sums are right, and how fast that was.

use std::{
    fmt,
    net::{SocketAddr, ToSocketAddrs as _},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use tenure_load::{Load, Numbers, Plan, Report, Until, Why, Wrong};

use super::{Failure, authority, wanted};
use crate::{args::Add, connect::Unconnected, exit::Exit, say, tell};

/// Bars of the histogram, and the characters of the longest.
const BARS: u32 = 12;
const BAR_WIDTH: u64 = 40;

/// Runs the command with one of the options for many.
pub(super) fn run(args: &Add) -> Exit {
    let summary = match add(args) {
        Ok(summary) => summary,
        Err(failure) => {
            tell(format_args!("tenure: {failure}"));
            return failure.exit();
        }
    };
    match summary.report.first_wrong {
        None => say(format_args!("Result = {}\n{summary}", wanted(args.n))),
        Some(Wrong { connection, index, answered, wanted }) => {
            say(format_args!("{summary}"));
            tell(format_args!(
                "tenure: {} of {} answers are wrong; the first on connection {} after {} numbers: {answered} instead of \
                 {wanted}",
                summary.report.wrong,
                summary.report.answers,
                connection + 1,
                index.min(args.n.into())
            ));
            Exit::WrongSum
        }
    }
}

/// What many connections have done.
#[derive(Debug)]
struct Summary {
    connections: u32,
    pipeline: u32,
    report: Report,
}

fn add(args: &Add) -> Result<Summary, Failure> {
    let (connections, pipeline) = (args.connections.unwrap_or(1), args.pipeline.unwrap_or(1));
    let numbers = Numbers::new(authority(&args.host, args.port), args.n);
    let requests = numbers.requests();
    let (mut load, address) = connect(args, connections, pipeline, &numbers)?;
    // It is hidden where standard error is no terminal.
    let progress = ProgressBar::new(requests * u64::from(connections));
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %, {human_pos} answers, {per_sec}");
    progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    // Each has its first answer already.
    let report = load.run(Until::Each(requests - 1), |answers| progress.set_position(answers));
    progress.finish_and_clear();
    let report = report.map_err(|failure| broken_off(&failure, args, connections, address))?;
    Ok(Summary { connections, pipeline, report })
}

/// The failure of a load that has stopped before its end.
fn broken_off(failure: &tenure_load::Failure, args: &Add, connections: u32, address: SocketAddr) -> Failure {
    let why = format!("connection {} of {connections}: {}", failure.connection + 1, failure.why);
    let (answers, n) = (failure.answers, args.n);
    match failure.why {
        // As the first answer, other statuses mean that the adder is not there.
        Why::Foreign(_) => Failure::NotThisServer { address, why },
        Why::Status(status) if answers == 0 && !matches!(status, 408 | 429 | 500 | 502 | 503 | 504) => {
            Failure::NotThisServer { address, why }
        }
        // The first answer is that to the PUT.
        _ => Failure::BrokenOff { k: answers.saturating_sub(1).min(n.into()) as u32, n, why },
    }
}

/// Connects all to the first of the host's addresses that accepts a connection, and awaits the answer to each one's PUT.
fn connect(
    args: &Add,
    connections: u32,
    pipeline: u32,
    numbers: &Numbers,
) -> Result<(Load<Numbers>, SocketAddr), Failure> {
    let no_address = |error| Failure::Unconnected(Unconnected::NoAddress { host: args.host.clone(), error });
    let mut failure = no_address(std::io::Error::new(std::io::ErrorKind::NotFound, "it has no address"));
    for address in (&*args.host, args.port).to_socket_addrs().map_err(no_address)? {
        let plan = Plan { address, connections, pipeline, timeout: args.timeout.duration() };
        let broken = match Load::connect_in_groups(&plan, numbers.clone()) {
            Ok(load) => return Ok((load, address)),
            Err(broken) => broken,
        };
        failure = match broken.why {
            Why::Unreachable(address, error) if broken.connection == 0 => {
                Failure::Unconnected(Unconnected::Unreachable { address, error })
            }
            why @ Why::TooManyFiles { .. } => return Err(Failure::TooMany { why: why.to_string() }),
            why @ Why::Unreachable(..) => {
                let why = format!("{} of {connections} are made, then: {why}", broken.connection);
                return Err(Failure::TooMany { why });
            }
            _ => return Err(broken_off(&broken, args, connections, address)),
        };
    }
    Err(failure)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { connections, pipeline, report } = self;
        if report.wrong == 0 {
            let s = if *connections == 1 { "" } else { "s" };
            writeln!(f, "all {} answers are right, on {connections} connection{s}", report.answers)?;
        }
        writeln!(
            f,
            "{:.0} requests per second: {} in {}, {pipeline} at once per connection",
            report.rate(),
            report.answers,
            Shown(report.elapsed)
        )?;
        write!(f, "latency:")?;
        for percent in [50.0, 90.0, 99.0, 99.9] {
            write!(f, " {percent} % within {},", Shown(report.percentile(percent)))?;
        }
        write!(f, " the longest {}", Shown(report.latency_max()))?;
        let bars = report.bars(BARS);
        let most = bars.iter().map(|bar| bar.answers).max().unwrap_or(0).max(1);
        for bar in bars {
            // A bar that counts anything is at least one character long.
            let width = (bar.answers * BAR_WIDTH).div_ceil(most) as usize;
            let to = Shown(bar.to).to_string();
            write!(f, "\n  to {to:>9}  {:<40}  {}", "█".repeat(width), bar.answers)?;
        }
        Ok(())
    }
}

/// A time with three digits and its unit.
struct Shown(Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0.as_secs_f64() * 1e6;
        let (number, unit) = match us {
            ..1e3 => (us, "µs"),
            ..1e6 => (us / 1e3, "ms"),
            _ => (us / 1e6, "s"),
        };
        let digits = if number < 9.995 { 2 } else { usize::from(number < 99.95) };
        write!(f, "{number:.digits$} {unit}")
    }
}

#[cfg(test)]
#[path = "many/tests.rs"]
mod tests;
