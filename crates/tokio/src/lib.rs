//! [`tenure`] in tokio: for applications that live there, and for every system without epoll.
//!
//! Handlers may await anything of tokio: timers, channels, other connections. A server is one task of a runtime of one
//! thread, beside the application's own:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use tenure::{Error, Request, Router, get};
//! use tenure_tokio::{Settings, serve};
//! use tokio::{net::TcpListener, sync::{mpsc, oneshot}, time::sleep};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (questions, mut asked) = mpsc::channel::<oneshot::Sender<u64>>(16);
//!     let thinker = async {
//!         while let Some(tell) = asked.recv().await {
//!             sleep(Duration::from_millis(10)).await;
//!             let _ = tell.send(42);
//!         }
//!     };
//!     let ask = get(async |_: &mut Request<'_, ()>| {
//!         let (tell, told) = oneshot::channel();
//!         questions.send(tell).await.map_err(|_| Error::unavailable("nobody thinks any more"))?;
//!         told.await.map_err(|_| Error::unavailable("nobody thinks any more"))
//!     });
//!     let late = get(async |_: &mut Request<'_, ()>| {
//!         sleep(Duration::from_secs(1)).await;
//!         "at last"
//!     });
//!     let app = Router::new().route("/answer", ask).route("/late", late);
//!     let listener = TcpListener::bind("127.0.0.1:8080").await?;
//!     tokio::select! {
//!         result = serve(listener, app, Settings::default()) => result?,
//!         () = thinker => {}
//!         // Every connection ends with the server's future, and every session is told.
//!         _ = tokio::signal::ctrl_c() => {}
//!     }
//!     Ok(())
//! }
//! ```
//!
//! [`Server::run`] takes the thread, and one more for each further core, with a runtime of its own each. Settings, handle and
//! errors are those of `tenure-linux`, which also has a table of what they are called in `esp_http_server`.
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
//! # Elsewhere than on Linux and the BSDs
//! While a handler waits for something else than its peer, a reset is noticed where the system tells of errors apart;
//! elsewhere at the next bytes that are sent or received.
#![forbid(unsafe_code)]

mod net;
mod worker;

use std::num::NonZeroUsize;

use tenure::{Handler, Session};

pub use tenure_host::{Error, Handle, Listing, Settings};
pub use worker::Tokio;

/// A server in tokio.
pub type Server = tenure_host::Server<Tokio>;

/// Serves an application on that listener, in the calling task, until the future is dropped.
///
/// The future is not `Send`, nor need sessions and handlers be: it is for a runtime of one thread, or a `LocalSet`. Handlers
/// may await anything of tokio. Of the settings, `addresses`, `listeners`, `threads` and `backlog_conn` mean nothing here; the
/// limit of descriptors is raised as by [`Server::bind`]. A server that is to be stopped, watched or listed is a [`Server`].
///
/// # Errors
/// A setting that cannot be meant, or what the operating system refuses.
///
/// # Panics
/// Outside of a runtime with I/O and time.
///
/// # Cancellation safety
/// Where it is dropped every session is ended, and every connection reset that a request was being answered on.
///
/// # Examples
/// ```
/// # use tenure::{Request, Router, get};
/// # use tenure_tokio::{Settings, serve};
/// async fn hello(_: &mut Request<'_, ()>) -> &'static str {
///     tokio::task::yield_now().await; // anything of tokio
///     "hello"
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let server = serve(listener, Router::new().route("/", get(hello)), Settings::default());
/// # tokio::time::timeout(std::time::Duration::ZERO, server).await.ok();
/// # Ok(())
/// # }
/// ```
pub async fn serve<S, A>(listener: tokio::net::TcpListener, app: A, settings: Settings) -> Result<(), Error>
where
    S: Session,
    A: Handler<S>,
{
    let system = |error| Error::System("a given listener cannot be used", error);
    let listeners = vec![listener.into_std().map_err(system)?];
    let settings = Settings { addresses: Vec::new(), listeners, threads: Some(NonZeroUsize::MIN), ..settings };
    Server::bind(settings)?.serve(&app, &()).await
}
