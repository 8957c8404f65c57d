//! What stays open: WebSockets, streams of events, and what is pushed to them.

pub(crate) mod audience;
pub(crate) mod backlog;
pub(crate) mod controls;
pub(crate) mod events;
pub(crate) mod frame;
pub(crate) mod history;
pub(crate) mod journal;
pub(crate) mod message;
pub(crate) mod topic;
pub(crate) mod undelivered;
pub(crate) mod websocket;

use tenure_proto::bytes::WORDS;

use crate::Switch;

/// Whether any route of this program stays open.
pub(crate) static OPENS: Switch = Switch::off();

/// Whether a connection may be open. Where registers are narrow and no route of the program stays open, the compiler sees that none
/// ever is, and leaves all code for that out. Elsewhere time counts for more than code: a slot tells it as fast.
#[inline(always)]
pub(crate) fn opens() -> bool {
    WORDS || OPENS.is_on()
}
