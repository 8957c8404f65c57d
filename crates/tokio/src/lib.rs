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

mod clock;
mod net;
mod server;
mod signals;
mod worker;

pub use server::{Server, serve};
pub use tenure_host::{Error, Handle, Listing, Settings};
