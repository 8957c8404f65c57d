//! Which connection is meant, for as long as it lives and never longer.

use core::fmt;

/// One connection. The next one in the same slot has another id, so that a late close, push or pin can never hit it
/// (`espressif/esp-idf#19103`).
///
/// Opaque and `Copy`; its text is `worker.index.generation`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    place: u32,
    generation: u32,
}

/// Bits of the index in a place; the others are the worker's.
const INDEX_BITS: u32 = 24;

impl ConnectionId {
    /// Connections of one worker at the most.
    pub const INDEX_COUNT_MAX: u32 = 1 << INDEX_BITS;
    /// Workers of one server at the most.
    pub const WORKER_COUNT_MAX: u32 = 1 << (32 - INDEX_BITS);

    /// The id of a slot's connection; what exceeds the two bounds above is cut off.
    pub const fn new(worker: u32, index: u32, generation: u32) -> Self {
        ConnectionId { place: worker << INDEX_BITS | index & (Self::INDEX_COUNT_MAX - 1), generation }
    }

    /// The worker that serves it.
    pub const fn worker(self) -> u32 {
        self.place >> INDEX_BITS
    }

    /// Its slot in the worker's table.
    pub const fn index(self) -> u32 {
        self.place & (Self::INDEX_COUNT_MAX - 1)
    }

    /// How many connections that slot has had before.
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.worker(), self.index(), self.generation)
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({self})")
    }
}
