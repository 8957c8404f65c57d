//! What a program makes use of. A program that never does switches it on nowhere, which the compiler sees: it is off for it,
//! and all that stands behind it is left out.

use tenure::Switch;

/// Somebody has a [`Handle`](crate::Handle): the server may be asked for something.
pub(crate) static HANDLE: Switch = Switch::off();

/// A [`SynGate`](crate::SynGate) asks how many sockets listen.
pub(crate) static SYN_GATE: Switch = Switch::off();

/// A newcomer may take the place of an idle connection.
pub(crate) static EVICTION: Switch = Switch::off();
