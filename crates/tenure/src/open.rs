//! What stays open: WebSockets, streams of events, and what is pushed to them.

pub(crate) mod backlog;
pub(crate) mod events;
pub(crate) mod frame;
pub(crate) mod journal;
pub(crate) mod message;
pub(crate) mod topic;
pub(crate) mod websocket;

use crate::Switch;

/// Whether any route of this program stays open. Where none does, the compiler sees that this is never switched on, and leaves out
/// all code for what stays open.
pub(crate) static OPENS: Switch = Switch::off();
