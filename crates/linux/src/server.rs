//! A server: its listening sockets, and its workers.

use std::{
    io,
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::{Arc, atomic::AtomicU32},
    thread,
};

use rustix::{
    io::Errno,
    net::{self, AddressFamily, SocketFlags, SocketType, sockopt},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use tenure::{Handler, Observer, Session};

use crate::{
    Error, Handle, Settings,
    handle::{Shared, WorkerShared},
    signals::Signals,
    worker,
};

/// Descriptors that are not connections: standard streams, the listening sockets, epoll and eventfd of each worker, and
/// some for the application.
const DESCRIPTORS_ASIDE: u64 = 64;

/// A server that listens, but does not accept yet: [`run`](Server::run) does.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    listeners: Vec<OwnedFd>,
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

impl Server {
    /// Listens. The limit of descriptors is raised to the hard one; where that is too low for
    /// [`Settings::max_open_sockets`] the latter is lowered, which is logged.
    ///
    /// # Errors
    /// A setting that cannot be meant, an address that is in use or cannot be had, or too few descriptors for anything.
    pub fn bind(mut settings: Settings) -> Result<Self, Error> {
        settings.check()?;
        raise_descriptors(&mut settings)?;
        let mut listeners = Vec::new();
        for &address in &settings.addresses {
            listeners.push(listen(address, settings.backlog_conn)?);
        }
        for listener in settings.listeners.drain(..) {
            let system = |error| Error::System("a given listener cannot be used", error);
            listener.set_nonblocking(true).map_err(system)?;
            listeners.push(listener.into());
        }
        let addresses: Result<Vec<SocketAddr>, Error> = listeners.iter().map(local_address).collect();
        let workers: Result<Vec<_>, Error> =
            (0..settings.threads()).map(|_| WorkerShared::new().map(Arc::new)).collect();
        let shared = Shared { open: AtomicU32::new(0), max_open_sockets: settings.max_open_sockets, workers: workers? };
        let handle = Handle { shared: Arc::new(shared), addresses: addresses?.into() };
        Ok(Server { settings, listeners, handle, signals: None })
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

    /// Lets SIGTERM and SIGINT stop the server from now on; a second signal ends it at once.
    ///
    /// # Errors
    /// The operating system refuses to tell of signals.
    pub fn stop_on_signals(mut self) -> Result<Self, Error> {
        self.signals = Some(Signals::new()?);
        Ok(self)
    }

    /// Serves until [`Handle::stop`], on as many threads as set, this one being the first. A worker's connections stay on
    /// its thread: sessions and handlers' futures need not be `Send`.
    ///
    /// # Errors
    /// What the operating system refuses a worker. The others are stopped.
    ///
    /// # Panics
    /// When a worker panics outside of a handler, of a session's end and of an observer. All sessions are ended first.
    pub fn run<S, A, O>(self, app: &A, observer: &O) -> Result<(), Error>
    where
        S: Session,
        A: Handler<S> + Sync,
        O: Observer + Sync,
    {
        for &address in self.local_addresses() {
            observer.started(address);
        }
        let server = &self;
        let serve = |number| {
            let result = worker::run::<S, A, O>(server, number, app, observer);
            if result.is_err() {
                server.handle.stop_now();
            }
            result
        };
        let result = thread::scope(|scope| {
            let spawn = |number| {
                let builder = thread::Builder::new().name(format!("tenure-{number}"));
                let spawned = builder.spawn_scoped(scope, move || serve(number));
                spawned.map_err(|error| Error::System("a worker's thread cannot be started", error))
            };
            let others: Vec<_> = (1..server.handle.shared.workers.len()).map(spawn).collect();
            let mut result = if others.iter().all(Result::is_ok) {
                serve(0)
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

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn listeners(&self) -> &[OwnedFd] {
        &self.listeners
    }

    pub(crate) fn signals(&self) -> Option<&Signals> {
        self.signals.as_ref()
    }

    /// The listening sockets that are of nobody else.
    pub(crate) fn own_listeners(&self) -> &[OwnedFd] {
        &self.listeners[..self.settings.addresses.len()]
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

fn listen(address: SocketAddr, backlog: u32) -> Result<OwnedFd, Error> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let listened = || -> Result<OwnedFd, Errno> {
        let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
        // A restarted server must not wait for the connections of the one before.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, true)?;
        }
        net::bind(&socket, &address)?;
        net::listen(&socket, i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Ok(socket)
    };
    listened().map_err(|error| match error {
        Errno::ADDRINUSE => Error::AddressInUse(address),
        error => Error::Bind(address, error.into()),
    })
}

fn local_address(listener: &OwnedFd) -> Result<SocketAddr, Error> {
    let unknown = |error: io::Error| Error::System("a listener's address cannot be had", error);
    let address = net::getsockname(listener).map_err(|error| unknown(error.into()))?;
    address.try_into().map_err(|error: Errno| unknown(error.into()))
}

/// Raises the limit of descriptors to the hard one, and lowers the number of connections to what that allows.
fn raise_descriptors(settings: &mut Settings) -> Result<(), Error> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    let Some(descriptors) = getrlimit(Resource::Nofile).current else { return Ok(()) };
    let aside = DESCRIPTORS_ASIDE + u64::from(settings.threads()) * 2 + settings.addresses.len() as u64;
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
