//! [`tenure`] in tokio: for tokio applications, and for every system without epoll.
//!
//! Handlers may await anything of tokio: timers, channels, other connections. [`Server::spawn`] serves on threads of its own,
//! one per core, each with a runtime; what it returns is awaited, and stops the server:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use tenure::{Error, Request, Router, get};
//! use tenure_tokio::{Server, Settings};
//! use tokio::{sync::{mpsc, oneshot}, time::sleep};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (questions, mut asked) = mpsc::channel::<oneshot::Sender<u64>>(16);
//!     tokio::spawn(async move {
//!         while let Some(tell) = asked.recv().await {
//!             sleep(Duration::from_millis(10)).await;
//!             let _ = tell.send(42);
//!         }
//!     });
//!     let ask = get(async move |_: &mut Request<'_, ()>| {
//!         let (tell, told) = oneshot::channel();
//!         questions.send(tell).await.map_err(|_| Error::unavailable("nobody thinks any more"))?;
//!         told.await.map_err(|_| Error::unavailable("nobody thinks any more"))
//!     });
//!     let late = get(async |_: &mut Request<'_, ()>| {
//!         sleep(Duration::from_secs(1)).await;
//!         "at last"
//!     });
//!     let app = Router::new().route("/answer", ask).route("/late", late);
//!     let server = Server::bind(Settings::at("127.0.0.1:8080".parse()?))?.spawn(app, ())?;
//!     // Requests that have arrived are answered first, and every session is ended and told.
//!     server.stop_when(tokio::signal::ctrl_c()).await?;
//!     Ok(())
//! }
//! ```
//!
//! [`serve`] serves in the calling task instead, whose thread sessions and handlers then share with other tasks:
//!
//! ```no_run
//! # use tenure::{Request, Router, get};
//! # use tenure_tokio::{Settings, serve};
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let app = Router::new().route("/", get(async |_: &mut Request<'_, ()>| "hello"));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! serve(listener, app, Settings::default()).stop_when(tokio::signal::ctrl_c()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Server::run`] is for programs without a runtime: it uses the calling thread and one more per further core, each with a runtime
//! of its own. Settings, handle and errors are those of `tenure-linux`, which also has a table of what they are called in
//! `esp_http_server`.
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
//!     let server = Server::bind(Settings::at("127.0.0.1:8080".parse().unwrap()))?.stop_on_signals()?;
//!     server.run(&Router::new().route("/", get(hello)), &())
//! }
//! ```
//!
//! The guide tells [how to run it](tenure::guide::running), and [how to wait](tenure::guide::waiting) for slow work.
//!
//! # Elsewhere than on Linux and the BSDs
//! While a handler waits for something other than its peer, a reset is noticed only if the system reports errors separately;
//! otherwise at the next send or receive.
#![forbid(unsafe_code)]

mod net;
mod worker;

use std::num::NonZeroUsize;

use tenure::{Handler, Session};

pub use tenure_host::{
    Delivery, DeliveryError, Error, Folder, Handle, Listing, Running, Serve, SessionError, Settings, Visit,
};
pub use worker::Tokio;

/// A server in tokio.
pub type Server = tenure_host::Server<Tokio>;

/// Not `Send`, so `tokio::spawn` refuses it: [`Server::spawn`] serves on threads of its own, `spawn_local` in a `LocalSet` here.
///
/// Serves an application on that listener, in the calling task, until it is stopped ([`Serve::stop_when`]) or dropped. Sessions
/// and handlers need not be `Send`, and may borrow. Handlers may await anything of tokio. The settings `addresses`, `listeners`,
/// `threads` and `backlog` have no effect here; the limit of descriptors is raised as by [`Server::bind`]. For an observer or
/// a list of connections, use a [`Server`].
///
/// # Errors
/// An invalid setting, or what the operating system refuses: returned when it is awaited.
///
/// # Panics
/// When it is awaited outside of a runtime with I/O and time.
///
/// # Cancellation safety
/// If it is dropped, every session ends, and connections whose request is being answered are reset.
///
/// # Examples
/// ```no_run
/// # use tenure::{Request, Router, get};
/// # use tenure_tokio::{Settings, serve};
/// async fn hello(_: &mut Request<'_, ()>) -> &'static str {
///     tokio::task::yield_now().await; // anything of tokio
///     "hello"
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// let app = Router::new().route("/", get(hello));
/// serve(listener, app, Settings::default()).stop_when(tokio::signal::ctrl_c()).await?;
/// # Ok(())
/// # }
/// ```
///
/// Beside other tasks, in a `LocalSet`:
/// ```no_run
/// # use tenure::{Request, Router, get};
/// # use tenure_tokio::{Settings, serve};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let app = Router::new().route("/", get(async |_: &mut Request<'_, ()>| "hello"));
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// let local = tokio::task::LocalSet::new();
/// let server = local.spawn_local(serve(listener, app, Settings::default()));
/// local.run_until(server).await??;
/// # Ok(())
/// # }
/// ```
///
/// This does not compile, as `tokio::spawn` takes what is `Send`:
/// ```compile_fail,E0277
/// # use tenure::{Request, Router, get};
/// # use tenure_tokio::{Settings, serve};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let app = Router::new().route("/", get(async |_: &mut Request<'_, ()>| "hello"));
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// let server = tokio::spawn(serve(listener, app, Settings::default()));
/// server.await??;
/// # Ok(())
/// # }
/// ```
pub fn serve<'a, S, A>(listener: tokio::net::TcpListener, app: A, mut settings: Settings) -> Serve<'a>
where
    S: Session + 'a,
    A: Handler<S> + 'a,
{
    let system = |error| Error::System("a given listener cannot be used", error);
    let bound = listener.into_std().map_err(system).and_then(|listener| {
        (settings.addresses, settings.listeners) = (Vec::new(), vec![listener]);
        settings.threads = Some(NonZeroUsize::MIN);
        Server::bind(settings)
    });
    Serve::owning(bound, app)
}
