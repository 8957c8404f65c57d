//! `tenure load`: messages over many WebSockets, whether all come back, and how fast that was.

use crate::{args::Load, exit::Exit};

/// The load generator needs epoll.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn run(_: &Load) -> Exit {
    crate::tell(format_args!("tenure: load is for Linux only"));
    Exit::Usage
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use on_linux::run;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod on_linux {
    use std::{io, net::ToSocketAddrs as _};

    use tenure_load::{Echo, Opening, Plan, Until, WebSocket, Why, Wrong};

    use super::{Exit, Load};
    use crate::{
        connect::Unconnected,
        opening::{Failure, broken_off},
        say,
        summary::{Progress, Summary, on},
        tell,
    };

    /// Runs the command.
    pub(crate) fn run(args: &Load) -> Exit {
        let summary = match load(args) {
            Ok(summary) => summary,
            Err(failure) => {
                tell(format_args!("tenure: {failure}"));
                return failure.exit();
            }
        };
        let Some(Wrong { connection, index, answered, wanted }) = summary.report.first_wrong else {
            return say(format_args!("{summary}"));
        };
        let _ = say(format_args!("{summary}"));
        tell(format_args!(
            "tenure: {} of {} messages came back with another length; the first on connection {} behind {index}: {answered} \
             bytes instead of {wanted}",
            summary.report.wrong,
            summary.report.answers,
            connection + 1,
        ));
        Exit::WrongSum
    }

    fn load(args: &Load) -> Result<Summary, Failure> {
        let &Load { connections, pipeline, size, messages, .. } = args;
        let mut load = connect(args)?;
        let progress = Progress::of(messages.saturating_mul(connections.into()), "messages");
        let report = load.run(Until::Each(messages), |answers| progress.told(answers));
        progress.end();
        let report = report.map_err(|failure| broken(failure, args))?;
        let bytes = if size == 1 { "byte" } else { "bytes" };
        let right = format!("all {} messages of {size} {bytes} came back, {}", report.answers, on(connections));
        Ok(Summary { right, what: "messages", pipeline, report })
    }

    /// Opens all at the first of the host's addresses that accepts a connection.
    fn connect(args: &Load) -> Result<tenure_load::Load<Echo, WebSocket>, Failure> {
        let url = &args.url;
        let opening = Opening { authority: url.authority(), target: url.target.clone() };
        let no_address = |error| Failure::Unconnected(Unconnected::NoAddress { host: url.host.clone(), error });
        let mut failure = no_address(io::Error::new(io::ErrorKind::NotFound, "it has no address"));
        for address in (&*url.host, url.port).to_socket_addrs().map_err(no_address)? {
            let timeout = args.timeout.duration();
            let plan = Plan { address, connections: args.connections, pipeline: args.pipeline, timeout };
            let broken_load = match tenure_load::Load::open(&plan, &opening, Echo::new(args.size)) {
                Ok(load) => return Ok(load),
                Err(broken) => broken,
            };
            failure = match broken_load.why {
                Why::Unreachable(address, error) if broken_load.connection == 0 => {
                    Failure::Unconnected(Unconnected::Unreachable { address, error })
                }
                why @ Why::TooManyFiles { .. } => return Err(Failure::TooMany { why: why.to_string() }),
                why @ Why::Unreachable(..) => {
                    let (made, of) = (broken_load.connection, args.connections);
                    return Err(Failure::TooMany { why: format!("{made} of {of} are made, then: {why}") });
                }
                _ => return Err(broken(broken_load, args)),
            };
        }
        Err(failure)
    }

    /// The failure of a load that has stopped before its end.
    fn broken(failure: tenure_load::Failure, args: &Load) -> Failure {
        let tenure_load::Failure { connection, answers, why } = failure;
        let which = format!("connection {} of {}", connection + 1, args.connections);
        match why {
            // It is another server, or another address of it.
            Why::Status(status) => {
                let why = format!("{which}: it answers {status}, not 101 (Switching Protocols)");
                Failure::Other { url: args.url.clone(), why }
            }
            Why::Foreign(why) => Failure::Other { url: args.url.clone(), why: format!("{which}: {why}") },
            why => broken_off(format!("{which}, after {answers} messages: {why}")),
        }
    }
}
