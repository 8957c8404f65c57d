//! A server: its listening sockets, and its workers.

use std::{
    io::{self, ErrorKind},
    net::{Shutdown, SocketAddr, TcpListener},
    num::NonZeroUsize,
    sync::{Arc, atomic::AtomicU32},
    thread,
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tenure::{Handler, Observer, Session};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use crate::{
    Error, Handle, Settings,
    handle::{Shared, WorkerShared},
    signals::Signals,
    worker,
};

/// A server that listens, but does not accept yet: [`run`](Server::run) and [`serve`](Server::serve) do.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    listeners: Vec<TcpListener>,
    /// Those of the listeners that are of nobody else.
    own: usize,
    handle: Handle,
    signals: Option<Signals>,
}

/// One that has never run has nobody either who would answer what its handle asks.
impl Drop for Server {
    fn drop(&mut self) {
        for worker in &self.handle.shared.workers {
            worker.close();
        }
    }
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
    pub fn bind(mut settings: Settings) -> Result<Self, Error> {
        settings.check()?;
        #[cfg(unix)]
        raise_descriptors(&mut settings)?;
        let mut listeners = Vec::new();
        for &address in &settings.addresses {
            listeners.push(listen(address, settings.backlog_conn)?);
        }
        let own = listeners.len();
        for listener in settings.listeners.drain(..) {
            let system = |error| Error::System("a given listener cannot be used", error);
            listener.set_nonblocking(true).map_err(system)?;
            listeners.push(listener);
        }
        let unknown = |error: io::Error| Error::System("a listener's address cannot be had", error);
        let addresses: Result<Vec<SocketAddr>, Error> =
            listeners.iter().map(|listener| listener.local_addr().map_err(unknown)).collect();
        let workers = (0..settings.threads()).map(|_| Arc::new(WorkerShared::default())).collect();
        let shared = Shared { open: AtomicU32::new(0), max_open_sockets: settings.max_open_sockets, workers };
        let handle = Handle { shared: Arc::new(shared), addresses: addresses?.into() };
        Ok(Server { settings, listeners, own, handle, signals: None })
    }

    /// Where it listens; the real port where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.handle.local_addr()
    }

    /// Everywhere it listens: `addresses` of the settings, then `listeners`.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        self.handle.local_addresses()
    }

    /// Reaches the server while it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
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
        for &address in self.local_addresses() {
            observer.started(address);
        }
        let signals = self.signals.take();
        let server =
            &Bound { settings: &self.settings, listeners: &self.listeners, own: self.own, handle: &self.handle };
        let serve = |number, signals: Option<Signals>| {
            let result = runtime().and_then(|runtime| {
                if let Some(signals) = signals {
                    runtime.spawn_local(signals.act(server.handle.clone()));
                }
                runtime.block_on(worker::run::<S, A, O>(server, number, app, observer))
            });
            if result.is_err() {
                server.handle.stop_now();
            }
            result
        };
        let result = thread::scope(|scope| {
            let spawn = |number| {
                let builder = thread::Builder::new().name(format!("tenure-{number}"));
                let spawned = builder.spawn_scoped(scope, move || serve(number, None));
                spawned.map_err(|error| Error::System("a worker's thread cannot be started", error))
            };
            let others: Vec<_> = (1..server.handle.shared.workers.len()).map(spawn).collect();
            let mut result = if others.iter().all(Result::is_ok) {
                serve(0, signals)
            } else {
                server.handle.stop_now();
                Ok(())
            };
            for other in others {
                let joined = other.and_then(|thread| match thread.join() {
                    Ok(result) => result,
                    Err(panic) => std::panic::resume_unwind(panic),
                });
                result = result.and(joined);
            }
            result
        });
        observer.stopped();
        result
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
        if self.handle.shared.workers.len() != 1 {
            return Err(Error::Settings("`threads` is not 1: a task is one worker; set it, or let the server `run`"));
        }
        for &address in self.local_addresses() {
            observer.started(address);
        }
        let server =
            Bound { settings: &self.settings, listeners: &self.listeners, own: self.own, handle: &self.handle };
        let result = worker::run::<S, A, O>(&server, 0, app, observer).await;
        observer.stopped();
        result
    }
}

/// What the workers see of their server.
#[derive(Clone, Copy)]
pub(crate) struct Bound<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) listeners: &'a [TcpListener],
    own: usize,
    pub(crate) handle: &'a Handle,
}

impl Bound<'_> {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// Lets the kernel refuse newcomers where it can; elsewhere they are refused once all workers have ended.
    pub(crate) fn shut_listeners(&self) {
        for listener in &self.listeners[..self.own] {
            let _ = SockRef::from(listener).shutdown(Shutdown::Read);
        }
    }
}

/// A worker's runtime.
fn runtime() -> Result<LocalRuntime, Error> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    runtime.map_err(|error| Error::System("a runtime cannot be made", error))
}

fn listen(address: SocketAddr, backlog: u32) -> Result<TcpListener, Error> {
    let listened = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // A restarted server must not wait for the connections of the one before. Elsewhere the option means another thing.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Ok(socket.into())
    };
    listened().map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => Error::AddressInUse(address),
        _ => Error::Bind(address, error),
    })
}

/// Descriptors that are not connections: standard streams, the listening sockets, those of each worker's runtime, and some
/// for the application.
#[cfg(unix)]
const DESCRIPTORS_ASIDE: u64 = 64;

/// Raises the limit of descriptors to the hard one, and lowers the number of connections to what that allows.
#[cfg(unix)]
fn raise_descriptors(settings: &mut Settings) -> Result<(), Error> {
    use rustix::{
        io::Errno,
        process::{Resource, Rlimit, getrlimit, setrlimit},
    };
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    let Some(descriptors) = getrlimit(Resource::Nofile).current else { return Ok(()) };
    // Each worker has epoll, eventfd and a pair for signals, and all listeners once more.
    let listeners = (settings.addresses.len() + settings.listeners.len()) as u64;
    let aside = DESCRIPTORS_ASIDE + u64::from(settings.threads()) * (4 + listeners) + listeners;
    let Some(room) = descriptors.checked_sub(aside).filter(|&room| room >= u64::from(settings.threads())) else {
        let error = io::Error::from(Errno::MFILE);
        return Err(Error::System("the limit of open files is too low for a server: raise it with `ulimit -n`", error));
    };
    let room = u32::try_from(room).unwrap_or(u32::MAX);
    if settings.max_open_sockets > room {
        log::warn!(
            "max_open_sockets is lowered from {} to {room}: the limit of open files is {descriptors}; raise it with `ulimit -n`",
            settings.max_open_sockets
        );
        settings.max_open_sockets = room;
    }
    Ok(())
}
