//! What [`tenure`]'s ports for hosts share.
//!
//! A port brings readiness, sockets, a clock and a way to sleep; all else is here, once: [`Settings`] and their checks, listening
//! sockets and threads ([`Bound`]), the [`Handle`] and the [`Inbox`] by which other threads reach a worker, whose turn it is to
//! accept, and the [`Worker`] itself, which serves an application over a port's [`Net`]. Applications need none of this:
//! their port gives them what they see of it.
//!
//! A worker of a port is a loop:
//! 1. take the time ([`Worker::set_now`]);
//! 2. tell the driver which sockets are ready, and the worker what its inbox holds ([`Inbox::take`], [`Worker::obey`]);
//! 3. let deadlines expire, and serve what needs no readiness ([`Worker::expire`]);
//! 4. accept ([`Worker::accept`]), where [`Worker::accepts`];
//! 5. sleep for [`Worker::due_within`] at the most, until a socket is ready or the inbox's waker is woken.
#![forbid(unsafe_code)]

mod acceptance;
#[cfg(unix)]
mod descriptors;
mod error;
mod handle;
mod inbox;
mod listing;
mod net;
mod port;
mod server;
mod service;
mod settings;
mod signals;
mod worker;

pub use error::Error;
pub use handle::Handle;
pub use inbox::{Inbox, Mark, Marked, News};
pub use listing::Listing;
pub use net::Net;
pub use port::HostPort;
pub use server::{Bound, configure};
pub use service::{Service, service};
pub use settings::Settings;
pub use signals::Signalled;
pub use worker::{Accepted, Newcomer, Worker};
