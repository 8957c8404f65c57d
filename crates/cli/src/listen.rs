//! `tenure listen`: prints the events of a stream, or the messages of a WebSocket.

mod events;

use std::io;

use crate::{
    args::Listen,
    exit::Exit,
    socket::{Ended, Socket},
    tell,
    url::Scheme,
};

/// Runs the command.
pub(crate) fn run(args: &Listen) -> Exit {
    if args.url.scheme == Scheme::Http {
        return events::run(args);
    }
    let heard = Socket::open(&args.url, &args.protocol, args.timeout.duration());
    let heard = heard.and_then(|socket| socket.hear(&mut io::stdout().lock()));
    exit(heard)
}

/// Says how a WebSocket has ended.
pub(crate) fn exit(heard: Result<Ended, crate::opening::Failure>) -> Exit {
    match heard {
        Ok(Ended::Unwritten(error)) => crate::written("messages", Err(error)),
        Ok(Ended::Closed { code: None | Some(1000), .. }) => Exit::Done,
        Ok(Ended::Closed { code: Some(code), reason }) => {
            let colon = if reason.is_empty() { "" } else { ": " };
            tell(format_args!("tenure: the server has closed with {code}{colon}{reason}"));
            Exit::Closed
        }
        Err(failure) => {
            tell(format_args!("tenure: {failure}"));
            failure.exit()
        }
    }
}
