//! What lane and port know of a connection at work, in three values: what is of a request, of a connection and of a turn.
//! Each is replaced as a whole at its boundary, so nothing of one outlives it.

use core::cell::Cell;

use tenure_proto::{framing::Framing, refusal::Refusal};

use crate::EndReason;

/// Where a lane stands between two polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// At a message boundary, nothing unread: the connection may be detached.
    Between,
    /// A head is incomplete.
    Head,
    /// A request is being answered.
    Exchange,
    /// What is in the output is the last that is sent.
    Close,
    /// The connection is to be reset.
    Abort,
}

/// What a lane must do instead of serving a request: its future has been set anew in the midst of one, or a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Answer the refusal and close.
    Refuse(Refusal),
    /// The handler panicked: answer 500 and go on.
    Failed,
    /// The handler missed its deadline: answer 503 and go on.
    Overdue,
    /// What answers a panic has panicked: reset the connection.
    Reset,
}

/// Why a connection is to end behind what is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Shutdown,
    Closed,
}

impl From<Ending> for EndReason {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Shutdown => EndReason::Shutdown,
            Ending::Closed => EndReason::Closed,
        }
    }
}

/// What is of one request, from the end of its head to the end of its exchange.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is told apart from the others")]
pub(crate) struct RequestState {
    /// What of the body has not been handed out: [`Framing::Empty`] where nothing is left.
    pub(crate) unread: Framing,
    /// Bytes that came with its head, which they include.
    pub(crate) received: u32,
    /// What it has waited for its body.
    pub(crate) body_waited_ms: u32,
    /// What it has waited for all else, a lane included.
    pub(crate) handler_waited_ms: u32,
    /// What its route says of deadlines.
    pub(crate) route_deadlines: RouteDeadlines,
    /// The client waits for `100 (Continue)`.
    pub(crate) expects_continue: bool,
    /// Its handler has panicked: another panic ends the connection.
    pub(crate) panicked: bool,
    pub(crate) drain: Drain,
    /// Its response is the connection's last, whether or not it says so.
    pub(crate) last: bool,
    /// Its response ends at its head: its handler is dropped.
    pub(crate) ends_at_head: bool,
}

/// Whether the rest of a body is being dropped before the answer, for the sake of the connection alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drain {
    None,
    /// It is: a response waits behind it.
    Runs,
    /// It has not come in time: the response goes without it.
    Overdue,
}

/// A route's own deadlines in milliseconds, where it has some.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteDeadlines {
    pub(crate) handler_ms: Option<u32>,
    pub(crate) body_ms: Option<u32>,
}

impl RequestState {
    /// A request whose head has been read, `received` bytes in all, which has waited that long for a lane.
    pub(crate) const fn new(unread: Framing, received: u32, expects_continue: bool, waited_ms: u32) -> Self {
        RequestState {
            unread,
            received,
            body_waited_ms: 0,
            handler_waited_ms: waited_ms,
            route_deadlines: RouteDeadlines { handler_ms: None, body_ms: None },
            expects_continue,
            panicked: false,
            drain: Drain::None,
            last: false,
            ends_at_head: false,
        }
    }

    /// Whether all of the body has been handed out.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self.unread, Framing::Empty)
    }
}

/// What is of one connection, from when it gets a lane to when the lane leaves it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionState {
    /// When the request at hand arrived, or the one that is still to come.
    pub(crate) arrived_ms: u32,
    /// What that has waited for a lane.
    pub(crate) waited_ms: u32,
    /// All that the peer sends has been received: it has closed its side.
    pub(crate) ended: bool,
    /// The peer has closed its side, though some of what it has sent may be unread.
    pub(crate) peer_closed: bool,
    /// Whether a handler has pinned it, or no longer so.
    pub(crate) pin: Option<bool>,
    /// It ends behind what is at work: the response says so.
    pub(crate) ending: Option<Ending>,
    /// Since when.
    pub(crate) ending_ms: u32,
    /// More had come when the server was to stop: there are bytes to receive that are answered, too.
    pub(crate) unread: bool,
    /// Times that it has received since then.
    pub(crate) receives: u8,
    /// What the lane must do first when it is set anew.
    pub(crate) order: Option<Order>,
    /// Why it ends, when it does.
    pub(crate) reason: EndReason,
}

impl ConnectionState {
    pub(crate) const fn new(arrived_ms: u32) -> Self {
        ConnectionState {
            arrived_ms,
            waited_ms: 0,
            ended: false,
            peer_closed: false,
            pin: None,
            ending: None,
            ending_ms: 0,
            unread: false,
            receives: 0,
            order: None,
            reason: EndReason::PeerClosed,
        }
    }

    /// Lets the connection end behind what is at work. The first to say so counts.
    pub(crate) fn end_behind(&mut self, ending: Ending, now_ms: u32) {
        if self.ending.is_none() {
            (self.ending, self.ending_ms) = (Some(ending), now_ms);
        }
    }
}

/// How many lanes are at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lanes {
    /// This one, or it does not matter.
    One,
    /// Others, too: one that waits keeps no more memory than it must.
    Some,
    /// All of them but for the reserve, which a handler that takes long is not to begin on.
    Last,
}

/// What is of one turn of a lane, from one poll to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) now_ms: u32,
    pub(crate) lanes: Lanes,
    /// The lane waits for bytes of a body.
    pub(crate) wants_body: bool,
    /// The lane waits for room in the output.
    pub(crate) wants_room: bool,
    /// The lane waits for the peer's close.
    pub(crate) wants_close: bool,
}

impl Turn {
    pub(crate) const fn new(now_ms: u32, lanes: Lanes) -> Self {
        Turn { now_ms, lanes, wants_body: false, wants_room: false, wants_close: false }
    }
}

/// Changes a part of a value that is replaced as a whole elsewhere.
pub(crate) trait Change<T> {
    fn change(&self, change: impl FnOnce(&mut T));
}

impl<T: Copy> Change<T> for Cell<T> {
    #[inline(always)]
    fn change(&self, change: impl FnOnce(&mut T)) {
        let mut value = self.get();
        change(&mut value);
        self.set(value);
    }
}
