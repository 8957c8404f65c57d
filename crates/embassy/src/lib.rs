//! [`tenure`] on embassy-net, for boards: no heap, a fixed amount of static memory, and one task that looks only at sockets with an
//! event.
//!
//! ```no_run
//! use embassy_net::Stack;
//! use static_cell::ConstStaticCell;
//! use tenure::{Request, Router, get};
//! use tenure_embassy::{Memory, Server, Settings};
//!
//! async fn hello(_: &mut Request<'_, ()>) -> &'static str {
//!     "hello"
//! }
//!
//! // Seven connections on two lanes, and nine sockets of the stack.
//! static MEMORY: ConstStaticCell<Memory<(), 7, 2, 9>> = ConstStaticCell::new(Memory::new());
//!
//! async fn serve(stack: Stack<'static>) {
//!     let mut server = Server::new(MEMORY.take(), Settings::at(80));
//!     server.run(stack, &Router::new().route("/", get(hello)), &()).await;
//! }
//! ```
//!
//! The stack stays the application's: the server takes `SOCKETS` TCP sockets from it (`StackResources` must have room for them) and
//! gives them back when it has stopped. Run a stack with SLAAC by [`paced`], and one with DHCP on a [`SteadyLink`]. With a [`SynGate`]
//! more clients can arrive at once than there are sockets.
//!
//! A handler that waits for time (`embassy_time::Timer`) is woken through the lane that it runs in, not through a task:
//! the time driver needs a queue that takes any waker (`embassy-time`'s features `generic-queue-…`).
//!
//! The guide tells [how to choose the numbers](tenure::guide::boards), and what they cost.
//!
//! # From `esp_http_server`
//! The settings; for all else see the [guide](tenure::guide::from_esp_http_server).
//!
//! | there | here |
//! |---|---|
//! | `server_port` | [`Settings::port`] |
//! | `max_open_sockets` | `CONNECTIONS` of [`Memory`] |
//! | `backlog_conn` | `SOCKETS` of [`Memory`], less its `CONNECTIONS` |
//! | `lru_purge_enable` | [`Settings::eviction`] |
//! | `keep_alive_enable`, `keep_alive_idle` and `keep_alive_interval`, `keep_alive_count` | [`Settings::keep_alive`], [`keep_alive_interval_s`](Settings::keep_alive_interval_s), [`keep_alive_probes`](Settings::keep_alive_probes) |
//! | `recv_wait_timeout` | [`Deadlines::head_ms`](tenure::Deadlines::head_ms), `body_ms`, `body_bytes_per_s`: for the whole, not a call |
//! | `send_wait_timeout` | [`Deadlines::response_ms`](tenure::Deadlines::response_ms), `response_bytes_per_s`: for the whole, not a call |
//! | `max_uri_handlers`, `max_resp_headers` | no bound: routes and fields take no memory of their own |
//! | `httpd_sess_update_lru_counter` | [`Request::pin`](tenure::Request::pin), [`Handle::pin`] |
//! | `httpd_sess_trigger_close`, `httpd_get_client_list` | [`Handle::close`], [`Handle::list`] |
//! | `httpd_stop` | [`Handle::stop`] |
//! | `open_fn`, `close_fn` | [`Observer`](tenure::Observer) |
#![no_std]

mod accept;
mod beat;
mod clock;
mod gate;
mod handle;
mod lease;
mod link;
mod net;
mod pace;
mod pushes;
mod server;
mod settings;
mod sys;
mod used;
mod worker;

pub use beat::beating;
pub use gate::{Listening, SynGate};
pub use handle::Handle;
pub use lease::Heard;
pub use link::SteadyLink;
pub use pace::paced;
pub use pushes::Pushes;
pub use server::{Makes, Memory, Server};
pub use settings::Settings;
