//! Switches of features. A program that never uses a feature has no code that switches it on. The compiler sees that, and leaves the
//! feature out of the image.

use tenure::Switch;

/// A [`Handle`](crate::Handle) exists, so orders may come.
pub(crate) static HANDLE: Switch = Switch::off();

/// A [`SynGate`](crate::SynGate) asks how many sockets listen.
pub(crate) static SYN_GATE: Switch = Switch::off();

/// Tasks push to connections that stay open.
pub(crate) static PUSHES: Switch = Switch::off();

/// A newcomer may take the place of an idle connection.
pub(crate) static EVICTION: Switch = Switch::off();

/// Each peer may have so many connections.
pub(crate) static PER_PEER: Switch = Switch::off();

/// Peers that are silent are probed.
pub(crate) static KEEP_ALIVE: Switch = Switch::off();
