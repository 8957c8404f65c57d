//! Why a load breaks off.

use std::{
    fmt,
    io::{self, ErrorKind},
    net::SocketAddr,
    time::Duration,
};

/// A load that has broken off.
#[derive(Debug)]
pub struct Failure {
    /// The number of the connection at fault, counted from 0.
    pub connection: u32,
    /// Answers that this connection had had before.
    pub answers: u64,
    /// What happened.
    pub why: Why,
}

/// What ended a connection, or kept it from being made.
#[derive(Debug)]
#[non_exhaustive]
pub enum Why {
    /// It cannot be connected.
    Unreachable(SocketAddr, io::Error),
    /// This process may not have so many open files.
    TooManyFiles {
        /// How many are needed.
        needed: u64,
        /// How many are allowed.
        allowed: u64,
    },
    /// The server closed the connection.
    Closed,
    /// The server closed the WebSocket, with that code and reason.
    ClosedWith(Option<u16>, String),
    /// The connection failed.
    Failed(io::Error),
    /// No answer came within this time.
    Late(Duration),
    /// The server answered with this status.
    Status(u16),
    /// The server answered something that is no number, or more than was asked.
    Foreign(String),
}

impl Why {
    /// What has ended a connection that reads or writes.
    pub(crate) fn of(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Why::Closed,
            _ => Why::Failed(error),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Unreachable(address, error) if error.kind() == ErrorKind::AddrNotAvailable => {
                write!(f, "no port of this machine is left for a connection to {address}: ask for fewer connections")
            }
            Why::Unreachable(address, error) => write!(f, "cannot connect to {address}: {error}"),
            Why::TooManyFiles { needed, allowed } => write!(
                f,
                "{needed} open files are needed, {allowed} are allowed: ask for fewer connections, or raise the limit \
                 (ulimit -n {needed})"
            ),
            Why::Closed => f.write_str("the server has closed the connection"),
            Why::ClosedWith(code, reason) => {
                f.write_str("the server has closed the WebSocket")?;
                if let Some(code) = code {
                    write!(f, " with {code}")?;
                }
                if reason.is_empty() { Ok(()) } else { write!(f, ": {}", reason.escape_debug()) }
            }
            Why::Failed(error) => error.fmt(f),
            Why::Late(time) => write!(f, "no answer within {time:?}"),
            Why::Status(status) => write!(f, "it answers {status}"),
            Why::Foreign(what) => f.write_str(what),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::TooManyFiles { .. } => self.why.fmt(f),
            _ => write!(f, "connection {} after {} answers: {}", self.connection, self.answers, self.why),
        }
    }
}

impl std::error::Error for Why {}
impl std::error::Error for Failure {}
