//! Why a load breaks off.

use std::{fmt, io, net::SocketAddr, time::Duration};

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
    /// The connection failed.
    Failed(io::Error),
    /// No answer came within this time.
    Late(Duration),
    /// The server answered with this status.
    Status(u16),
    /// The server answered something that is no number, or more than was asked.
    Foreign(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Unreachable(address, error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                write!(f, "no port of this machine is left for a connection to {address}: ask for fewer connections")
            }
            Why::Unreachable(address, error) => write!(f, "cannot connect to {address}: {error}"),
            Why::TooManyFiles { needed, allowed } => write!(
                f,
                "{needed} open files are needed, {allowed} are allowed: ask for fewer connections, or raise the limit \
                 (ulimit -n {needed})"
            ),
            Why::Closed => f.write_str("the server has closed the connection"),
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
