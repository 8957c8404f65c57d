//! Observers: they are told of every step of a connection, and cost nothing when there is none.

use core::net::SocketAddr;

use tenure_proto::{refusal::Refusal, status::StatusCode};

use crate::{ConnectionId, EndReason, PeerAddress};

/// Whether a new connection is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is served.
    Accept,
    /// It is closed at once, before anything is read.
    Refuse,
}

/// What a request asks for, and of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLine<'a> {
    method: &'a [u8],
    target: &'a [u8],
}

impl<'a> RequestLine<'a> {
    pub(crate) fn new(method: &'a [u8], target: &'a [u8]) -> Self {
        RequestLine { method, target }
    }

    /// The method as it was sent.
    pub fn method(&self) -> &'a str {
        str::from_utf8(self.method).unwrap_or_default()
    }

    /// The target as it was sent; empty where it is not UTF-8, as only one can be that is refused.
    pub fn target(&self) -> &'a str {
        str::from_utf8(self.target).unwrap_or_default()
    }
}

/// Watches a server. Every method does nothing by default; `()` watches nothing and costs nothing.
///
/// Called on the thread that serves the connection: a slow observer delays that thread's other connections. The repository's
/// example `observer` shows one.
///
/// On ports with `std` a panic of a connection's method is caught and logged: if it was asked to admit the connection, that is
/// refused; if it was told of the end, the connection ends all the same. A panic of a request's method counts as the handler's: 500,
/// or a reset if a response has begun.
#[doc(alias = "ESP_HTTP_SERVER_EVENT")]
#[allow(unused_variables)]
pub trait Observer {
    /// The server listens at that address, the real one where port 0 was asked for.
    fn started(&self, address: SocketAddr) {}

    /// A connection was opened from that address, where the port knows it; it may be refused.
    #[doc(alias("open_fn", "httpd_open_func_t"))]
    fn connected(&self, id: ConnectionId, peer: Option<PeerAddress>) -> Admission {
        Admission::Accept
    }

    /// A connection from that address was closed at once, because its peer has as many as it may have (`connections_per_peer_max` of the
    /// settings). Nothing else is told of it.
    fn turned_away(&self, peer: PeerAddress) {}

    /// A request's head is complete.
    fn head_received(&self, id: ConnectionId, line: RequestLine<'_>) {}

    /// A response is complete: its status, the bytes of head and body, and the milliseconds since the request's arrival.
    fn response_sent(&self, id: ConnectionId, status: StatusCode, bytes: u64, duration_ms: u32) {}

    /// A handler has heard a message of a WebSocket, or a piece of one: its bytes, and the milliseconds since it came.
    fn message_heard(&self, id: ConnectionId, bytes: usize, duration_ms: u32) {}

    /// A request was refused by the protocol: before its head was complete, behind it
    /// ([`head_received`](Observer::head_received)), or in its body.
    fn refused(&self, id: ConnectionId, refusal: Refusal) {}

    /// A connection gives way to a new one. [`disconnected`](Observer::disconnected) follows.
    fn evicted(&self, id: ConnectionId, by: ConnectionId) {}

    /// A connection has ended, `session` telling whether it had one then. Called once for each that was accepted, after
    /// the session's end and before the socket is released.
    #[doc(alias("close_fn", "httpd_close_func_t"))]
    fn disconnected(&self, id: ConnectionId, reason: EndReason, session: bool) {}

    /// The server has stopped, however that came; every connection has ended. Called once.
    fn stopped(&self) {}
}

impl Observer for () {}

impl<O: Observer + ?Sized> Observer for &O {
    fn started(&self, address: SocketAddr) {
        (**self).started(address);
    }

    fn connected(&self, id: ConnectionId, peer: Option<PeerAddress>) -> Admission {
        (**self).connected(id, peer)
    }

    fn turned_away(&self, peer: PeerAddress) {
        (**self).turned_away(peer);
    }

    fn head_received(&self, id: ConnectionId, line: RequestLine<'_>) {
        (**self).head_received(id, line);
    }

    fn response_sent(&self, id: ConnectionId, status: StatusCode, bytes: u64, duration_ms: u32) {
        (**self).response_sent(id, status, bytes, duration_ms);
    }

    fn message_heard(&self, id: ConnectionId, bytes: usize, duration_ms: u32) {
        (**self).message_heard(id, bytes, duration_ms);
    }

    fn refused(&self, id: ConnectionId, refusal: Refusal) {
        (**self).refused(id, refusal);
    }

    fn evicted(&self, id: ConnectionId, by: ConnectionId) {
        (**self).evicted(id, by);
    }

    fn disconnected(&self, id: ConnectionId, reason: EndReason, session: bool) {
        (**self).disconnected(id, reason, session);
    }

    fn stopped(&self) {
        (**self).stopped();
    }
}
