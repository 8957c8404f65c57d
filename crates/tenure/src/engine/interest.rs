//! What the driver wants to know of a socket.

use crate::Switch;

/// Whether a handler of this program ever waits for its peer's close.
static CLOSE_AWAITED: Switch = Switch::off();

/// Notes that a handler waits for its peer's close.
pub(crate) fn await_close() {
    CLOSE_AWAITED.set(true);
}

/// Whether one ever may have. Where none does, the compiler sees that it never is so.
pub(crate) fn is_close_awaited() -> bool {
    CLOSE_AWAITED.is_on()
}

/// What a port must report of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest(u8);

impl Interest {
    /// Only its failure.
    pub const NONE: Interest = Interest(0);
    /// That bytes, or the peer's close, can be received.
    pub const RECEIVE: Interest = Interest(1);
    /// That bytes can be sent.
    pub const SEND: Interest = Interest(2);
    /// Either: a handler reads its request's body while it answers. Or a port has bytes of its own to send while it receives.
    pub const BOTH: Interest = Interest(3);
    /// That the peer has closed its side, whether or not bytes are unread: [`Driver::peer_closed`](crate::port::Driver::peer_closed).
    /// It comes alone or beside the others.
    pub const CLOSE: Interest = Interest(4);

    /// Whether it is about receiving.
    pub const fn receives(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether it is about sending.
    pub const fn sends(self) -> bool {
        self.0 & 2 != 0
    }

    /// Whether it is about the peer's close. Where no handler ever waits for that, the compiler sees that it never is.
    pub fn closes(self) -> bool {
        self.0 & 4 != 0 && is_close_awaited()
    }

    /// The same, and [`Interest::CLOSE`].
    pub(crate) const fn and_close(self) -> Interest {
        Interest(self.0 | 4)
    }
}
