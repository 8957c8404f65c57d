//! [`tenure`] in tokio: for applications that live there, and for every system without epoll.
//!
//! Handlers may await anything of tokio: timers, channels, other connections. A server is one task of a runtime of one
//! thread, or a worker a core with a runtime each.
//!
//! ```no_run
//! use tenure::{Request, Router, get};
//! use tenure_tokio::{Error, Server, Settings};
//!
//! async fn hello(_: &mut Request<'_, ()>) -> &'static str {
//!     "hello"
//! }
//!
//! fn main() -> Result<(), Error> {
//!     let server = Server::bind(Settings::at("127.0.0.1:8080".parse().unwrap()))?;
//!     server.run(&Router::new().route("/", get(hello)), &())
//! }
//! ```
//!
//! In a runtime of the application's own it is [`serve`], or [`Server::serve`]. Settings, handle and errors are those of
//! `tenure-linux`, which also has a table of what they are called in `esp_http_server`.
//!
//! # Elsewhere than on Linux and the BSDs
//! While a handler waits for something else than its peer, a reset is noticed where the system tells of errors apart;
//! elsewhere at the next octets that are sent or received.
#![forbid(unsafe_code)]

mod accept;
mod clock;
mod error;
mod handle;
mod net;
mod server;
mod settings;
mod signals;
mod worker;

pub use error::Error;
pub use handle::{Handle, Listing};
pub use server::{Server, serve};
pub use settings::Settings;
