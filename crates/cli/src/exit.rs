//! What the exit codes mean.

use std::{fmt::Write as _, process::ExitCode};

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    WrongSum = 1,
    Usage = 2,
    Unreachable = 3,
    NotThisServer = 4,
    BrokenOff = 5,
    CannotServe = 6,
    Unwritten = 7,
    Closed = 8,
}

impl Exit {
    const ALL: [(Exit, &str); 9] = [
        (Exit::Done, "all done; with add: the sum is right"),
        (Exit::WrongSum, "add: the sum is wrong; load: a message came back with another length"),
        (Exit::Usage, "the command line, an environment variable, or chat's input is wrong"),
        (Exit::Unreachable, "cannot connect"),
        (Exit::NotThisServer, "what answers there is not what was asked for: this server, events, a WebSocket"),
        (Exit::BrokenOff, "stopped before the end"),
        (Exit::CannotServe, "serve: cannot serve there, or cannot go on"),
        (Exit::Unwritten, "the output cannot be written; with add: the sum is right"),
        (Exit::Closed, "listen, chat: the server has closed with another code than 1000"),
    ];

    /// The codes and what they mean, for `--help`.
    pub(crate) fn table() -> String {
        let mut text = String::from("Exit codes:");
        for (exit, meaning) in Exit::ALL {
            let _ = write!(text, "\n  {}  {meaning}", exit as u8);
        }
        text
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn the_table_has_every_code_once_in_order() {
        let codes = Exit::ALL.map(|(exit, _)| exit as u8);
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(Exit::table().contains("\n  5  stopped"));
    }
}
