//! A server as applications see it.

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

use tenure::{Handler, Observer, Session};
use tenure_host::{Bound, service};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use crate::{Error, Handle, Settings, signals::Signals, worker};

/// A server that listens, but does not accept yet: [`run`](Server::run) and [`serve`](Server::serve) do.
#[derive(Debug)]
pub struct Server {
    bound: Bound,
    signals: Option<Signals>,
}

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

impl Server {
    /// Listens. On Unix the limit of descriptors is raised to the hard one; where that is too low for
    /// [`Settings::max_open_sockets`] the latter is lowered, which is logged.
    ///
    /// # Errors
    /// A setting that cannot be meant, an address that is in use or cannot be had, or too few descriptors for anything.
    pub fn bind(settings: Settings) -> Result<Self, Error> {
        if !settings.spin.is_zero() {
            return Err(Error::Settings(
                "`spin` is of tenure-linux alone: a task of tokio's must not keep the others waiting",
            ));
        }
        // Each worker has epoll, eventfd and a pair for signals, and all listeners once more.
        let listeners = (settings.addresses.len() + settings.listeners.len()) as u64;
        Ok(Server { bound: Bound::new(settings, 4 + listeners)?, signals: None })
    }

    /// Where it listens; the real port where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.bound.handle().local_addr()
    }

    /// Everywhere it listens: `addresses` of the settings, then `listeners`.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        self.bound.handle().local_addresses()
    }

    /// Lets SIGTERM and SIGINT (Ctrl-C elsewhere than on Unix) stop the server from now on; a second signal ends it at once.
    /// For [`run`](Server::run): a runtime of the application's own has its own signals.
    ///
    /// # Errors
    /// The operating system refuses to tell of signals.
    ///
    /// # Panics
    /// Within a runtime.
    pub fn stop_on_signals(mut self) -> Result<Self, Error> {
        self.signals = Some(Signals::new(&runtime()?)?);
        Ok(self)
    }

    /// Reaches the server while it runs.
    pub fn handle(&self) -> Handle {
        self.bound.handle().clone()
    }

    /// Serves until [`Handle::stop`], on as many threads as set, this one being the first, each with a runtime of its own. A
    /// worker's connections stay on its thread: sessions and handlers' futures need not be `Send`, and handlers may use
    /// `tokio::task::spawn_local`.
    ///
    /// # Errors
    /// What the operating system refuses a worker. The others are stopped.
    ///
    /// # Panics
    /// Within a runtime; when a worker panics outside of a handler, of a session's end and of an observer. All sessions are
    /// ended first.
    pub fn run<S, A, O>(mut self, app: &A, observer: &O) -> Result<(), Error>
    where
        S: Session,
        A: Handler<S> + Sync,
        O: Observer + Sync,
    {
        let signals = Mutex::new(self.signals.take());
        self.bound.run(observer, |number| {
            let runtime = runtime()?;
            if number == 0
                && let Some(signals) = signals.lock().unwrap_or_else(PoisonError::into_inner).take()
            {
                runtime.spawn_local(signals.act(self.bound.handle().clone()));
            }
            runtime.block_on(worker::run(&self.bound, number, service(app, observer)))
        })
    }

    /// Serves until [`Handle::stop`] in the calling task, as the only worker: [`threads`](field@Settings::threads) must be 1. The future is
    /// not `Send`: it is for a runtime of one thread, or a `LocalSet`.
    ///
    /// # Errors
    /// More than one worker was asked for, or what the operating system refuses.
    ///
    /// # Panics
    /// Outside of a runtime with I/O and time; when [`Observer::started`] or [`Observer::stopped`] panics.
    ///
    /// # Cancellation safety
    /// Where it is dropped every session is ended, and every connection reset that a request was being answered on.
    pub async fn serve<S, A, O>(self, app: &A, observer: &O) -> Result<(), Error>
    where
        S: Session,
        A: Handler<S>,
        O: Observer,
    {
        self.bound.run_task(observer, worker::run(&self.bound, 0, service(app, observer))).await
    }
}

/// A worker's runtime.
fn runtime() -> Result<LocalRuntime, Error> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    runtime.map_err(|error| Error::System("a runtime cannot be made", error))
}
