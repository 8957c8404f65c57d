//! What lane and driver share about a connection at work, in three values: the request's, the connection's and the turn's. Each is
//! replaced as a whole at its boundary, so nothing outlives it.

use core::{cell::Cell, num::NonZeroU32};

use tenure_proto::{bytes::WORDS, framing::Framing, refusal::Refusal};

use crate::{EndReason, Switch, engine::interest::is_close_awaited};

/// Where a lane stands between two polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// At a message boundary, nothing unread: the connection may be detached.
    Between,
    /// A head is incomplete.
    Head,
    /// An open connection has nothing to do: nothing unread, or part of a message.
    Silent,
    /// A request is being answered.
    Exchange,
    /// The output holds the last bytes to send.
    Close,
    /// The connection is to be reset.
    Abort,
}

/// What a lane must do instead of serving a request: its future was replaced during one, or a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The connection is open: hear messages. It stays.
    Hear,
    /// Answer the refusal and close.
    Refuse(Refusal),
    /// The handler panicked: answer 500 and go on.
    Failed,
    /// The handler missed its deadline: answer 503 and go on.
    Overdue,
    /// The answer to a panic has panicked too: reset the connection.
    Reset,
}

/// Why a connection ends after the exchange in progress.
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

/// One request's state, from the end of its head to the end of its exchange.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is told apart from the others")]
pub(crate) struct RequestState {
    /// The part of the body not handed out yet: [`Framing::Empty`] if nothing is left.
    pub(crate) unread: Framing,
    /// Bytes that came with its head, the head included.
    pub(crate) received: u32,
    /// How long it has waited for its body.
    pub(crate) body_waited_ms: u32,
    /// How long it has waited for anything else, a lane included.
    pub(crate) handler_waited_ms: u32,
    /// Its route's deadlines.
    pub(crate) route_deadlines: RouteDeadlines,
    /// The client waits for `100 (Continue)`.
    pub(crate) expects_continue: bool,
    /// Its handler has panicked: another panic ends the connection.
    pub(crate) panicked: bool,
    pub(crate) drain: Drain,
    /// Its response is the connection's last, whether or not it says so.
    pub(crate) last: bool,
    /// The response ends at its head, so the handler is dropped there.
    pub(crate) ends_at_head: bool,
}

/// Whether the rest of a body is being discarded before the answer, only to keep the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drain {
    None,
    /// It is; the response waits.
    Runs,
    /// The rest has not come in time: answer without it.
    Overdue,
}

/// Some route of this program has deadlines of its own, or waits long. Where registers are narrow and none has, the compiler leaves out
/// what looks for that.
static SPECIAL_ROUTES: Switch = Switch::off();

/// Some route is special from now on.
pub(crate) fn tell_special_routes() {
    SPECIAL_ROUTES.set(true);
}

/// Whether any may be.
#[inline(always)]
pub(crate) fn has_special_routes() -> bool {
    WORDS || SPECIAL_ROUTES.is_on()
}

/// A route's own deadlines in milliseconds, if it has some.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteDeadlines {
    pub(crate) handler_ms: Option<NonZeroU32>,
    pub(crate) body_ms: Option<NonZeroU32>,
}

impl RouteDeadlines {
    pub(crate) const NONE: RouteDeadlines = RouteDeadlines { handler_ms: None, body_ms: None };

    /// Those, and of what they leave open the ones around them.
    pub(crate) fn or(self, around: Self) -> Self {
        RouteDeadlines { handler_ms: self.handler_ms.or(around.handler_ms), body_ms: self.body_ms.or(around.body_ms) }
    }
}

impl RequestState {
    /// A request whose head has been read. `received`: all bytes that came with it. `waited_ms`: how long it waited for a lane.
    pub(crate) const fn new(unread: Framing, received: u32, expects_continue: bool, waited_ms: u32) -> Self {
        RequestState {
            unread,
            received,
            body_waited_ms: 0,
            handler_waited_ms: waited_ms,
            route_deadlines: RouteDeadlines::NONE,
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

/// The route of a connection that is not open.
pub(crate) const CLOSED: u8 = 0;
/// The route of a stream of events, which hears nothing. Those between are of WebSockets, numbered from 1.
pub(crate) const EVENTS: u8 = u8::MAX;
/// One whose number is still to be found.
pub(crate) const UNKNOWN: u8 = u8::MAX - 1;
/// WebSocket routes at the most.
pub(crate) const ROUTES_MAX: u32 = UNKNOWN as u32 - 1;

/// One connection's state, while it has a lane.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is told apart from the others")]
pub(crate) struct ConnectionState {
    /// When the current request arrived, or the next one if none is at work.
    pub(crate) arrived_ms: u32,
    /// How long that one waited for a lane.
    pub(crate) waited_ms: u32,
    /// The peer has closed its side, and all its bytes have been received.
    pub(crate) ended: bool,
    /// The peer has closed its side; some of its bytes may be unread.
    pub(crate) peer_closed: bool,
    /// Whether a handler has pinned (`true`) or unpinned it; `None`: neither.
    pub(crate) pin: Option<bool>,
    /// A handler has changed what decides where the connection is kept while it is idle: its pin, or whether it has a session.
    pub(crate) moves: bool,
    /// It ends after the exchange in progress, and the response says so.
    pub(crate) ending: Option<Ending>,
    /// Since when.
    pub(crate) ending_ms: u32,
    /// More bytes had come when the server was told to stop: receive and answer them too.
    pub(crate) unread: bool,
    /// How often it has received since then.
    pub(crate) receives: u8,
    /// What the lane's new future must do first.
    pub(crate) order: Option<Order>,
    /// The route of an open connection, or [`CLOSED`].
    pub(crate) route: u8,
    /// An open connection may be heard, and rest as a plain one does: its slot knows all about it, and nothing comes before messages.
    pub(crate) hears: bool,
    /// An open connection is closed where its peer is behind.
    pub(crate) closes_behind: bool,
    /// Messages that were left out because its peer was behind, since the last one was heard.
    pub(crate) missed: u16,
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
            moves: false,
            ending: None,
            ending_ms: 0,
            unread: false,
            receives: 0,
            order: None,
            route: CLOSED,
            hears: false,
            closes_behind: false,
            missed: 0,
            reason: EndReason::PeerClosed,
        }
    }

    /// Ends the connection after the exchange in progress. The first reason counts.
    pub(crate) fn end_behind(&mut self, ending: Ending, now_ms: u32) {
        self.hears = false;
        if self.ending.is_none() {
            (self.ending, self.ending_ms) = (Some(ending), now_ms);
        }
    }
}

/// How many lanes and places are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crowd(u8);

impl Crowd {
    /// Only this lane is at work, or the number of lanes does not matter; and there are places.
    pub(crate) const NONE: Crowd = Crowd(0);
    /// Other lanes are at work too: a lane that waits keeps no more memory than it must.
    pub(crate) const LANES: Crowd = Crowd(1);
    /// All lanes are: a handler that takes long must not begin on the last one.
    pub(crate) const ALL_LANES: Crowd = Crowd(3);

    /// The same, and all places are taken: a connection without a session and without a pin is to leave after its response.
    pub(crate) const fn and_places(self) -> Crowd {
        Crowd(self.0 | 4)
    }

    pub(crate) const fn has_lanes(self) -> bool {
        self.0 & 1 != 0
    }

    pub(crate) const fn has_all_lanes(self) -> bool {
        self.0 & 2 != 0
    }

    pub(crate) const fn has_places(self) -> bool {
        self.0 & 4 != 0
    }
}

/// The state of one turn of a lane, from one poll to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) now_ms: u32,
    pub(crate) crowd: Crowd,
    /// The lane waits for bytes of a body.
    pub(crate) wants_body: bool,
    /// The lane waits for room in the output.
    pub(crate) wants_room: bool,
    /// What else it waits for.
    pub(crate) wants: Wants,
}

impl Turn {
    pub(crate) const fn new(now_ms: u32, crowd: Crowd) -> Self {
        Turn { now_ms, crowd, wants_body: false, wants_room: false, wants: Wants(0) }
    }
}

/// What few lanes wait for, in one byte, so that a turn has eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wants(u8);

impl Wants {
    const CLOSE: u8 = 1;
    const SLEEP: u8 = 2;

    /// The peer's close.
    pub(crate) fn close(self) -> bool {
        self.0 & Self::CLOSE != 0 && (WORDS || is_close_awaited())
    }

    pub(crate) fn add_close(&mut self) {
        self.0 |= Self::CLOSE;
    }

    /// A time.
    pub(crate) fn sleep(self) -> bool {
        self.0 & Self::SLEEP != 0
    }

    pub(crate) fn add_sleep(&mut self) {
        self.0 |= Self::SLEEP;
    }
}

/// Changes part of a `Cell`'s value.
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
