//! How `listen` and `chat` begin: a request, and an answer behind which the connection stays open.

use std::{fmt, net::TcpStream, time::Duration};

use crate::{
    answer::{Connection, Head, Shown, Trouble},
    connect::{Unconnected, connect},
    exit::Exit,
    url::Url,
};

/// Why nothing is heard, or no more.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is no connection.
    Unconnected(Unconnected),
    /// Not all connections can be made.
    #[cfg_attr(not(any(target_os = "linux", target_os = "android")), expect(dead_code, reason = "of load alone"))]
    TooMany { why: String },
    /// What answers there is not what was asked for.
    Other { url: Url, why: String },
    /// The connection ended before its end.
    BrokenOff { why: String },
}

impl Failure {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Failure::Unconnected(_) | Failure::TooMany { .. } => Exit::Unreachable,
            Failure::Other { .. } => Exit::NotThisServer,
            Failure::BrokenOff { .. } => Exit::BrokenOff,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unconnected(unconnected) => unconnected.fmt(f),
            Failure::TooMany { why } => write!(f, "not all connections can be made: {why}"),
            Failure::Other { url, why } => write!(f, "{url}: {why}"),
            Failure::BrokenOff { why } => f.write_str(why),
        }
    }
}

/// A request that has been answered.
pub(crate) struct Opened {
    connection: Connection,
    pub(crate) head: Head,
}

impl Opened {
    /// Asks for the URL with these fields, each with its line end, waiting no longer than `timeout` for the connection, and for the
    /// head of the answer.
    pub(crate) fn ask(url: &Url, fields: &str, timeout: Option<Duration>) -> Result<Self, Failure> {
        let (stream, address) = connect(&url.host, url.port, timeout).map_err(Failure::Unconnected)?;
        let connection = Connection::new(stream, timeout);
        let mut connection =
            connection.map_err(|error| Failure::Unconnected(Unconnected::Unreachable { address, error }))?;
        let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", url.target, url.authority());
        let head = connection.open(request.as_bytes()).map_err(|trouble| match trouble {
            Trouble::Foreign(why) => Failure::Other { url: url.clone(), why },
            Trouble::Closed => broken_off("the server has closed the connection instead of an answer"),
            Trouble::Late(timeout) => broken_off(format!("no answer within {}", humantime::format_duration(timeout))),
            Trouble::Failed(error) => broken_off(error.to_string()),
        })?;
        Ok(Opened { connection, head })
    }

    /// Why the answer is not the one that was asked for: its status, and what it says.
    pub(crate) fn refused(mut self, url: &Url, wanted: &str) -> Failure {
        let (status, text) = (self.head.status, self.connection.text(&self.head));
        let text = Shown(&text).to_string();
        let colon = if text.is_empty() { "" } else { ": " };
        let why = match self.head.field("location") {
            Some(location) if (300..400).contains(&status) => {
                format!("it answers {status}, not {wanted}: give {} instead, if that is trusted", Shown(location))
            }
            _ => format!("it answers {status}, not {wanted}{colon}{text}"),
        };
        Failure::Other { url: url.clone(), why }
    }

    /// The socket, and what has come behind the head. Nothing bounds how long a read may wait from now on.
    pub(crate) fn into_parts(self) -> Result<(TcpStream, Vec<u8>), Failure> {
        let (stream, received) = self.connection.into_parts();
        stream.set_read_timeout(None).map_err(|error| broken_off(error.to_string()))?;
        Ok((stream, received))
    }
}

pub(crate) fn broken_off(why: impl Into<String>) -> Failure {
    Failure::BrokenOff { why: why.into() }
}
