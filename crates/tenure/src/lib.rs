//! An HTTP/1.1 server whose sessions live exactly as long as their sockets.
//!
//! A client connects, and from its first use on a value of the application's own type, the [`Session`], lives on that
//! connection: lent to every handler as `&mut`, given to [`Session::end`] exactly once with the [`EndReason`], whatever
//! ends the connection. The same application runs without a heap on a microcontroller and on a host.
//!
//! ```
//! use tenure::{EndReason, Error, Request, Router, Session, get};
//!
//! /// What one client has added up over its connection.
//! struct Adder {
//!     sum: i64,
//! }
//!
//! impl Session for Adder {
//!     fn end(self, reason: EndReason) {
//!         log::info!("the sum was {}: {reason}", self.sum);
//!     }
//! }
//!
//! async fn add(request: &mut Request<'_, Adder>) -> Result<i64, Error> {
//!     let number: i64 = request.body().parse().await?; // not a number: 400, the sum stays
//!     let adder = request.session_or_insert_with(|| Adder { sum: 0 });
//!     let sum = adder.sum.checked_add(number);
//!     adder.sum = sum.ok_or(Error::unprocessable("the sum would overflow"))?;
//!     Ok(adder.sum)
//! }
//!
//! async fn read(request: &mut Request<'_, Adder>) -> i64 {
//!     request.session().map_or(0, |adder| adder.sum)
//! }
//!
//! let app = Router::new().route("/adder", get(read).post(add));
//! # let _ = app;
//! ```
//!
//! The [guide] begins with the first server and goes on to sessions, bounds, waiting, tests, operation and boards. It has a chapter
//! for those who come from ESP-IDF's [`esp_http_server`](guide::from_esp_http_server).
//!
//! A *port* binds an application to a runtime and a network: `tenure-linux`, for one. What a port needs of this crate is
//! in [`port`]; what tests of an application need is in `kit`, a feature.
//!
//! # Words
//! *connection*: one socket, with a [`ConnectionId`]. *session*: the application's value that lives on it. *lane*: a
//! long-lived future with buffers that serves one connection at a time, from its first byte until it is idle again.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

/// Its programs are tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

mod command;
mod engine;
mod exchange;
pub mod files;
pub mod guide;
mod id;
#[cfg(feature = "kit")]
pub mod kit;
mod observer;
mod open;
mod peer;
mod per_peer;
pub mod port;
mod route;
mod session;
mod settings;
pub mod sink;
pub mod types;

pub use command::{Command, CommandError, PushError};
pub use exchange::body::Body;
pub use exchange::error::Error;
pub use exchange::failure::Failed;
pub use exchange::fields::{CacheControl, FieldWriter, IntoFields, SameSite, SetCookie};
#[cfg(feature = "json")]
pub use exchange::json::{self, Json};
pub use exchange::multipart::{Multipart, PART_HEAD_BYTES_MAX, PART_NAME_BYTES_MAX, PARTS_MAX, Part};
#[cfg(feature = "alloc")]
pub use exchange::rendered::Rendered;
pub use exchange::reply::{Html, IntoResponse, Outcome, Redirect, Reply, Sent, Text};
pub use exchange::request::Request;
pub use exchange::responder::{Responder, Stream};
pub use exchange::text::FromText;
pub use id::{ConnectionId, ParseIdError};
pub use observer::{Admission, Observer, RequestLine};
pub use open::{
    events::{Events, IntoEvents},
    frame::Frame,
    message::Message,
    topic::{EventTopic, MessageTopic, Topic},
    websocket::Upgrade,
};
pub use peer::PeerAddress;
pub use per_peer::PerPeer;
#[cfg(feature = "alloc")]
pub use route::boxed::Boxed;
pub use route::cors::{AnyOrigin, Cors, OriginIf};
pub use route::fields::Secured;
pub use route::handler::{Handler, with};
pub use route::layers::Next;
pub use route::methods::{
    Methods, any, delete, events, extension, files, get, on, options, patch, post, put, respond, websocket,
};
pub use route::rate::Rate;
pub use route::router::Router;
pub use route::switch::Switch;
pub use session::{Deadline, EndReason, Session};
pub use settings::{Deadlines, Eviction, Limits, NEVER};
pub use tenure_proto::{
    events::Event,
    head::Version,
    method::Method,
    refusal::Refusal,
    status::StatusCode,
    target::{DecodeError, Encoded},
    websocket::CloseCode,
};
