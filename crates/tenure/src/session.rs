//! What lives on a connection, and why it ends.

use core::{any::Any, fmt};

use tenure_proto::refusal::Refusal;

use crate::ConnectionId;

/// A value of the application's that lives on one connection.
///
/// It is made by a handler on first use ([`Request::session_or_insert_with`](crate::Request::session_or_insert_with)),
/// lent to handlers as `&mut`, and ended exactly once, before its socket is released. An application without sessions
/// uses `()`. The guide has a [chapter](crate::guide::sessions) on sessions; the repository's example `adder` is a program with one.
#[doc(alias = "sess_ctx")]
pub trait Session {
    /// Takes the session back: the connection has ended, or a handler has removed or replaced the session.
    ///
    /// Called once for each session, never for one that a handler took
    /// ([`Request::take_session`](crate::Request::take_session)). It can no longer write to the peer.
    ///
    /// # Panics
    /// A panic in it stays in it on ports with `std`; where a handler ends the session it is the handler's. Whatever else
    /// panics, each session is ended once: a server that a panic ends, ends all of its sessions first. As everywhere in Rust, a
    /// panic that leaves a destructor while another panic unwinds aborts the process, and then nothing is ended.
    #[doc(alias("free_ctx", "httpd_free_ctx_fn_t"))]
    fn end(self, reason: EndReason);

    /// The session as others may reach it between two requests: by the handles of ports for hosts, `Handle::with_session`. `Some(self)`
    /// lets them; by default nobody may. It is asked for each closure, so it may also be `None` for a while. The
    /// [guide](crate::guide::sessions#from-other-tasks) has an example.
    fn as_any(&mut self) -> Option<&mut dyn Any> {
        None
    }
}

impl Session for () {
    fn end(self, _: EndReason) {}
}

/// Why a session or a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// The peer closed its side of the connection.
    PeerClosed,
    /// The peer reset the connection, or the network did.
    PeerReset,
    /// The peer asked for it with the request that was answered last: `Connection: close`, or HTTP/1.0 without keep-alive.
    PeerAsked,
    /// No request came for as long as the idle deadline allows.
    Idle,
    /// The peer missed a deadline.
    Deadline(Deadline),
    /// A new connection needed the place, and this one was the least recently used of those that may give way
    /// ([`Eviction`](crate::Eviction)).
    Evicted {
        /// The connection that took the place.
        by: ConnectionId,
        /// Milliseconds since this one was last used.
        idle_ms: u32,
    },
    /// A handler removed the session; the connection goes on.
    Removed,
    /// A handler put another session in its place; the connection goes on.
    Replaced,
    /// All places were taken and the connection had no session: its last response said that it closes
    /// ([`Eviction`](crate::Eviction)).
    MadeRoom,
    /// A handler asked for the connection to be closed.
    Handler,
    /// A WebSocket was closed (RFC 6455 section 7).
    WebSocket {
        /// The code: the peer's, 1005 where it has given none; or this side's, 1011 where a handler has failed.
        code: u16,
        /// Whether the peer has closed first.
        by_peer: bool,
    },
    /// The application asked for it from elsewhere.
    Closed,
    /// The peer's bytes were not valid HTTP/1.1.
    Protocol(Refusal),
    /// Too much of a request's body was left unread, so the next request could not be found.
    Unread,
    /// A response broke off; its connection was reset so that the peer sees it.
    Aborted,
    /// The network is gone, or this side's address has changed.
    LinkDown,
    /// The server stops, or a panic has ended it.
    Shutdown,
    /// The connection was handed over to something else than this server.
    HandedOver,
}

/// A deadline that a peer, or a handler, can miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// From the connection's start to its first byte.
    FirstByte,
    /// From a request's first byte to the end of its head.
    Head,
    /// The time that a body's bytes may take.
    Body,
    /// From a request's arrival to its response head.
    Handler,
    /// The time that a peer may take to receive its responses.
    Response,
    /// The time in which a peer that was silent must answer a ping.
    Pong,
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndReason::PeerClosed => f.write_str("the peer closed"),
            EndReason::PeerReset => f.write_str("the peer reset the connection"),
            EndReason::PeerAsked => f.write_str("the peer asked for it"),
            EndReason::Idle => f.write_str("idle for too long"),
            EndReason::Deadline(Deadline::FirstByte) => f.write_str("no request came in time"),
            EndReason::Deadline(Deadline::Head) => f.write_str("the request head did not come in time"),
            EndReason::Deadline(Deadline::Body) => f.write_str("the request body did not come in time"),
            EndReason::Deadline(Deadline::Handler) => f.write_str("the handler did not answer in time"),
            EndReason::Deadline(Deadline::Response) => f.write_str("the peer did not take the response in time"),
            EndReason::Evicted { by, idle_ms } => write!(f, "evicted for connection {by} after {idle_ms} ms idle"),
            EndReason::Deadline(Deadline::Pong) => f.write_str("the peer did not answer a ping in time"),
            EndReason::Removed => f.write_str("removed by a handler"),
            EndReason::Replaced => f.write_str("replaced by a handler"),
            EndReason::MadeRoom => f.write_str("closed to make room, without a session"),
            EndReason::Handler => f.write_str("a handler closed the connection"),
            EndReason::WebSocket { code, by_peer: true } => write!(f, "the peer closed the WebSocket: {code}"),
            EndReason::WebSocket { code, .. } => write!(f, "the WebSocket was closed: {code}"),
            EndReason::Closed => f.write_str("the application closed the connection"),
            EndReason::Protocol(refusal) => write!(f, "{}", refusal.reason()),
            EndReason::Unread => f.write_str("too much of a request's body was left unread"),
            EndReason::Aborted => f.write_str("a response broke off"),
            EndReason::LinkDown => f.write_str("the link went down"),
            EndReason::Shutdown => f.write_str("the server stops"),
            EndReason::HandedOver => f.write_str("handed over"),
        }
    }
}
