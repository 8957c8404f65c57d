//! A connection to a host that is named on the command line.

use std::{
    fmt, io,
    net::{SocketAddr, TcpStream, ToSocketAddrs as _},
    time::Duration,
};

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Unconnected {
    /// The name has no address.
    NoAddress { host: String, error: io::Error },
    /// No address can be connected to; the last one and why.
    Unreachable { address: SocketAddr, error: io::Error },
}

/// Connects to the first of the host's addresses that accepts a connection.
pub(crate) fn connect(
    host: &str,
    port: u16,
    timeout: Option<Duration>,
) -> Result<(TcpStream, SocketAddr), Unconnected> {
    let no_address = |error| Unconnected::NoAddress { host: host.to_owned(), error };
    let mut failure = no_address(io::Error::new(io::ErrorKind::NotFound, "it has no address"));
    for address in (host, port).to_socket_addrs().map_err(no_address)? {
        let connected = match timeout {
            Some(timeout) => TcpStream::connect_timeout(&address, timeout),
            None => TcpStream::connect(address),
        };
        match connected {
            Ok(stream) => return Ok((stream, address)),
            Err(error) => failure = Unconnected::Unreachable { address, error },
        }
    }
    Err(failure)
}

impl fmt::Display for Unconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unconnected::NoAddress { host, error } => {
                write!(f, "the host {host:?} cannot be found: {error}\nCheck the name, or give its address.")
            }
            Unconnected::Unreachable { address, error } if error.kind() == io::ErrorKind::ConnectionRefused => {
                write!(f, "nothing listens at {address}\nDoes the server run, and is the port right?")
            }
            Unconnected::Unreachable { address, error } => {
                write!(f, "cannot connect to {address}: {error}\nIs the address right, and the machine on the network?")
            }
        }
    }
}
