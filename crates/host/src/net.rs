//! What a worker asks of a network.

use tenure::port::{Interest, Key, Peer, Received, Transmitted};

/// Sockets and their readiness: the part of a port that differs between hosts.
///
/// A `Net` may wrap another one and transform the bytes, as TLS does:
/// - **It receives and has to send.** It sends through the inner one. If that blocks, it lets the inner one
///   [report](Net::report) [`Interest::BOTH`] until its own bytes are gone, and goes on at the next [`receive`](Net::receive).
///   If that yields no bytes for the driver, it does not count as use of the connection: deadlines stay.
/// - **It holds bytes that the socket does not.** It says so by [`next_held`](Net::next_held).
/// - **It sends more than it was given.** A [`send`](Net::send) that is blocked midway takes nothing: it is offered the same
///   bytes again.
#[doc(alias("httpd_sess_set_recv_override", "httpd_sess_set_send_override", "httpd_sess_set_pending_override"))]
pub trait Net {
    /// A connection's socket. It stays open until [`release`](Net::release), or until it is dropped with its worker.
    type Socket;

    /// Starts to report [`Interest::RECEIVE`] of a new socket. `false`: it cannot be served.
    fn register(&mut self, key: Key, socket: &mut Self::Socket) -> bool;
    /// Changes what is reported of a socket. Reports are levels: they repeat while it can be received from or sent to. A failure
    /// is always reported.
    fn report(&mut self, key: Key, socket: &mut Self::Socket, interest: Interest);
    /// Receives what is there, without waiting.
    fn receive(&mut self, socket: &mut Self::Socket, into: &mut [u8]) -> Received;
    /// Whether bytes are there that have not been received, or the peer has closed: without taking them.
    fn has_unread(&mut self, socket: &mut Self::Socket) -> bool;
    /// Sends what there is room for, without waiting. What it does not take is offered again before anything else, possibly
    /// with more behind it.
    fn send(&mut self, socket: &mut Self::Socket, bytes: &[u8]) -> Transmitted;
    /// Closes the sending side.
    fn shut(&mut self, socket: &mut Self::Socket);
    /// Releases a socket, even one that was never registered; `abort`: with a reset.
    fn release(&mut self, socket: Self::Socket, abort: bool);
    /// How a request learns of its peer's address.
    fn peer(&self, socket: &Self::Socket) -> Peer;
    /// The next socket with received bytes that this net holds, of which no readiness reports. Each is returned once after it was
    /// last received from or [reported](Net::report); a key whose connection is gone does no harm.
    fn next_held(&mut self) -> Option<Key> {
        None
    }
}
