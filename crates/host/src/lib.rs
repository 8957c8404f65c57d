//! What [`tenure`]'s ports for hosts share.
//!
//! A port brings readiness, sockets, a clock and a way to sleep; all else is here, once. A port is a [`Platform`]; its [`Server`]
//! is this crate's. Each of its workers is a [`Worker`] over the port's [`Net`] and what wakes it: its [`Inbox`], by which other
//! threads reach it. Applications need none of this: their port gives them what they see of it.
//!
//! A worker of a port is a loop:
//! 1. take the time ([`Worker::set_now`]);
//! 2. tell the driver which sockets are ready, and the worker what its inbox holds ([`Inbox::take`], [`Worker::obey`]);
//! 3. let deadlines expire ([`Driver::expire`](tenure::port::Driver::expire));
//! 4. accept ([`Worker::accept`]), where [`Worker::accepts`];
//! 5. serve what needs no readiness ([`Worker::serve_held`]), and begin again where there is more;
//! 6. otherwise sleep for [`Worker::due_within`] at the most, until a socket is ready or the inbox's waker is woken.
#![forbid(unsafe_code)]

mod acceptance;
mod admission;
mod answer;
mod delivery;
#[cfg(unix)]
mod descriptors;
mod error;
mod folder;
mod handle;
mod inbox;
mod listening;
mod listing;
mod net;
mod platform;
mod port;
mod running;
mod serve;
mod server;
mod service;
mod settings;
#[cfg(unix)]
mod signals;
mod sync;
mod visit;
mod worker;

pub use delivery::{Delivery, DeliveryError};
pub use error::Error;
#[cfg(unix)]
pub use folder::Upload;
pub use folder::{Entry, Folder};
pub use handle::Handle;
pub use inbox::{Inbox, Mark, Marked, News};
pub use listening::{Listening, configure};
pub use listing::Listing;
pub use net::Net;
pub use platform::{Platform, TaskPlatform};
pub use port::HostPort;
pub use running::Running;
pub use serve::Serve;
pub use server::Server;
pub use service::Service;
pub use settings::Settings;
pub use visit::{SessionError, Visit};
#[cfg(feature = "kit")]
pub use worker::turns;
pub use worker::{Accepted, Newcomer, Worker};
