//! [`tenure`] on Linux, at the kernel's speed: level-triggered epoll, one worker per core, one receive and one send per wake-up,
//! nothing shared between workers while a request is answered.
//!
//! ```no_run
//! use tenure::{Request, Router, get};
//! use tenure_linux::{Error, Server, Settings};
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
//! The guide tells [how to run it](tenure::guide::running): limits, logs, stopping, proxies, file descriptors.
//!
//! # From `esp_http_server`
//! The settings; for all else see the [guide](tenure::guide::from_esp_http_server).
//!
//! | there | here |
//! |---|---|
//! | `server_port` | [`Settings::addresses`] |
//! | `max_open_sockets` | [`Settings::connections_max`] |
//! | `backlog_conn` | [`Settings::backlog`] |
//! | `lru_purge_enable` | [`Settings::eviction`] |
//! | `recv_wait_timeout` | [`Deadlines::head_ms`](tenure::Deadlines::head_ms), `body_ms`, `body_bytes_per_s`: for the whole, not a call |
//! | `send_wait_timeout` | [`Deadlines::response_ms`](tenure::Deadlines::response_ms), `response_bytes_per_s`: for the whole, not a call |
//! | `keep_alive_enable`, `keep_alive_idle`, `keep_alive_interval`, `keep_alive_count` | [`Settings::keep_alive`], [`keep_alive_idle_s`](Settings::keep_alive_idle_s), [`keep_alive_interval_s`](Settings::keep_alive_interval_s), [`keep_alive_probes`](Settings::keep_alive_probes) |
//! | `enable_so_linger`, `linger_timeout` | [`Settings::delivery_s`] |
//! | `max_uri_handlers`, `max_resp_headers` | no bound: routes and fields take no memory of their own |
//! | `httpd_get_client_list`, `httpd_sess_trigger_close` | [`Handle::list`], [`Handle::close`] |
//! | `httpd_sess_update_lru_counter` | [`Handle::pin`], [`Request::pin`](tenure::Request::pin) |
//! | `httpd_stop` | [`Handle::stop`] |
//! | `open_fn`, `close_fn` | [`Observer`](tenure::Observer) |
#![cfg(any(target_os = "linux", target_os = "android"))]

/// Its programs are tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

mod net;
mod sys;
mod worker;

pub use tenure_host::{
    Delivery, DeliveryError, Error, Folder, Handle, Listing, Running, SessionError, Settings, Visit,
};
pub use worker::Linux;

/// A server on Linux.
pub type Server = tenure_host::Server<Linux>;
