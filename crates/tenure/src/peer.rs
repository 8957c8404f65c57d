//! Where a connection comes from.

use core::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerAddress {
    /// Over TCP, from that address and port.
    Ip(SocketAddr),
    /// Over a Unix socket, from the same machine. Such peers hardly ever have an address.
    Unix,
}

impl PeerAddress {
    /// The IP address, where there is one.
    pub const fn ip(self) -> Option<IpAddr> {
        match self {
            PeerAddress::Ip(address) => Some(address.ip()),
            PeerAddress::Unix => None,
        }
    }

    /// IP address and port, where there are any.
    pub const fn socket_addr(self) -> Option<SocketAddr> {
        match self {
            PeerAddress::Ip(address) => Some(address),
            PeerAddress::Unix => None,
        }
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        PeerAddress::Ip(address)
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerAddress::Ip(address) => address.fmt(f),
            PeerAddress::Unix => f.write_str("a Unix socket"),
        }
    }
}

/// How a request learns of its peer's address, which most never ask for.
///
/// Only this crate can ask, and it does so only while the connection's socket is open: a port may look the address up by a
/// number that means another socket later.
#[derive(Clone, Copy, Debug)]
pub struct Peer(Source);

/// RFC 6666 keeps this address for what goes nowhere.
const GONE: IpAddr = IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0));

#[derive(Clone, Copy, Debug)]
enum Source {
    Known(Option<PeerAddress>),
    Asked(fn(i64) -> Option<PeerAddress>, i64),
}

impl Peer {
    /// A peer whose address is at hand, or that has none.
    pub const fn known(address: Option<PeerAddress>) -> Self {
        Peer(Source::Known(address))
    }

    /// A peer whose address `ask` looks up by the port's number for the socket.
    pub const fn asked(ask: fn(i64) -> Option<PeerAddress>, socket: i64) -> Self {
        Peer(Source::Asked(ask, socket))
    }

    /// The address that requests are counted by; `None`: by none. All whose peers are gone and cannot be asked any more are counted as
    /// one: who resets a connection behind its requests must not send more of them.
    pub(crate) fn counted(self) -> Option<IpAddr> {
        match self.0 {
            Source::Known(address) => address?.ip(),
            Source::Asked(ask, socket) => ask(socket).map_or(Some(GONE), PeerAddress::ip),
        }
    }

    pub(crate) fn address(self) -> Option<PeerAddress> {
        match self.0 {
            Source::Known(address) => address,
            Source::Asked(ask, socket) => ask(socket),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn only_those_over_tcp_have_an_ip_address() {
        let address: SocketAddr = "[2001:db8::1]:80".parse().unwrap();
        for (peer, socket_addr, text) in [
            (PeerAddress::from(address), Some(address), "[2001:db8::1]:80"),
            (PeerAddress::Unix, None, "a Unix socket"),
        ] {
            assert_eq!(peer.socket_addr(), socket_addr);
            assert_eq!(peer.ip(), socket_addr.map(|address| address.ip()));
            assert_eq!(peer.to_string(), text);
        }
    }
}
