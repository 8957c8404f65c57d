//! `tenure add` over many connections: whether all sums are right, and how fast that was.

use std::net::{SocketAddr, ToSocketAddrs as _};

use tenure_load::{Load, Numbers, Plan, Until, Why, Wrong};

use super::{Failure, authority, wanted};
use crate::{
    args::Add,
    connect::Unconnected,
    exit::Exit,
    say,
    summary::{Progress, Summary, on},
    tell,
};

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

fn add(args: &Add) -> Result<Summary, Failure> {
    let (connections, pipeline) = (args.connections.unwrap_or(1), args.pipeline.unwrap_or(1));
    let numbers = Numbers::new(authority(&args.host, args.port), args.n);
    let requests = numbers.requests();
    let (mut load, address) = connect(args, connections, pipeline, &numbers)?;
    let progress = Progress::of(requests * u64::from(connections), "answers");
    // Each has its first answer already.
    let report = load.run(Until::Each(requests - 1), |answers| progress.told(answers));
    progress.end();
    let report = report.map_err(|failure| broken_off(&failure, args, connections, address))?;
    let right = format!("all {} answers are right, {}", report.answers, on(connections));
    Ok(Summary { right, what: "requests", pipeline, report })
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

#[cfg(test)]
#[path = "many/tests.rs"]
mod tests;
