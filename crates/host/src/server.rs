//! A server that listens: its sockets, and the threads of its workers.

use std::{
    future::Future,
    io::{self, ErrorKind},
    net::{Shutdown, SocketAddr, TcpListener},
    sync::{Arc, atomic::AtomicU32},
    thread,
};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tenure::Observer;

use crate::{Error, Handle, Settings, handle::Shared, inbox::Inbox};

/// A server that listens, but has no workers yet.
#[derive(Debug)]
pub struct Bound {
    pub(crate) settings: Settings,
    listeners: Vec<TcpListener>,
    /// The first ones of the listeners are of nobody else.
    own: usize,
    pub(crate) handle: Handle,
}

/// One that has never run has nobody either who would answer what its handle asks.
impl Drop for Bound {
    fn drop(&mut self) {
        for inbox in &self.handle.shared.inboxes {
            inbox.close();
        }
    }
}

impl Bound {
    /// Listens. On Unix the limit of descriptors is raised to the hard one; where that is too low for
    /// [`Settings::max_open_sockets`], beside so many descriptors for each worker, the latter is lowered, which is logged.
    ///
    /// # Errors
    /// A setting that cannot be meant, an address that is in use or cannot be had, or too few descriptors for anything.
    pub fn new(mut settings: Settings, descriptors_per_worker: u64) -> Result<Self, Error> {
        settings.check()?;
        #[cfg(unix)]
        crate::descriptors::reserve(&mut settings, descriptors_per_worker)?;
        #[cfg(not(unix))]
        let _ = descriptors_per_worker;
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
        let inboxes = (0..settings.threads()).map(|_| Arc::new(Inbox::default())).collect();
        let shared = Shared { open: AtomicU32::new(0), max_open_sockets: settings.max_open_sockets, inboxes };
        let handle = Handle { shared: Arc::new(shared), addresses: addresses?.into() };
        Ok(Bound { settings, listeners, own, handle })
    }

    /// What it is set to; the listeners are [`listeners`](Bound::listeners).
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The listening sockets, none of which blocks.
    pub fn listeners(&self) -> &[TcpListener] {
        &self.listeners
    }

    /// Reaches the server while it runs.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// What other threads reach a worker by.
    pub fn inbox(&self, worker: usize) -> &Arc<Inbox> {
        &self.handle.shared.inboxes[worker]
    }

    /// Workers that it is to have.
    pub fn workers(&self) -> usize {
        self.handle.shared.inboxes.len()
    }

    /// Runs `serve` for each worker, in a thread of its own but for the first, until all have ended.
    ///
    /// # Errors
    /// The first of a worker. The others are stopped.
    ///
    /// # Panics
    /// When a worker does.
    pub fn run<O, F>(&self, observer: &O, serve: F) -> Result<(), Error>
    where
        O: Observer,
        F: Fn(usize) -> Result<(), Error> + Sync,
    {
        self.tell_started(observer);
        let serve = &|number| {
            let _closing = Closing(self, number);
            let result = serve(number);
            if result.is_err() {
                self.handle.stop_now();
            }
            result
        };
        let result = thread::scope(|scope| {
            let spawn = |number| {
                let builder = thread::Builder::new().name(format!("tenure-{number}"));
                let spawned = builder.spawn_scoped(scope, move || serve(number));
                spawned.map_err(|error| Error::System("a worker's thread cannot be started", error))
            };
            let others: Vec<_> = (1..self.workers()).map(spawn).collect();
            let mut result = if others.iter().all(Result::is_ok) {
                serve(0)
            } else {
                self.handle.stop_now();
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

    /// Lets a task be the only worker.
    ///
    /// # Errors
    /// More than one worker was asked for, or the worker's own.
    ///
    /// # Cancellation safety
    /// That of `worker`.
    pub async fn run_task<O: Observer>(
        &self,
        observer: &O,
        worker: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        if self.workers() != 1 {
            return Err(Error::Settings("`threads` is not 1: a task is one worker; set it, or let the server `run`"));
        }
        self.tell_started(observer);
        let closing = Closing(self, 0);
        let result = worker.await;
        drop(closing);
        observer.stopped();
        result
    }

    fn tell_started(&self, observer: &impl Observer) {
        for &address in self.handle.local_addresses() {
            observer.started(address);
        }
    }

    /// Lets the kernel refuse newcomers where it can; elsewhere they are refused once all workers have ended.
    pub(crate) fn shut_listeners(&self) {
        for listener in &self.listeners[..self.own] {
            let _ = SockRef::from(listener).shutdown(Shutdown::Read);
        }
    }
}

/// Lets go of those who wait for a worker's answer when it ends, however it does. Where it panics, the others must not go on
/// beside a part of the connections that nobody serves.
struct Closing<'a>(&'a Bound, usize);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.handle.stop_now();
        }
        self.0.handle.shared.inboxes[self.1].close();
    }
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

/// Sets a new connection's socket up.
pub fn configure<'s, T>(socket: &'s T, settings: &Settings)
where
    SockRef<'s>: From<&'s T>,
{
    let socket = SockRef::from(socket);
    // None of these can fail for a TCP socket, and one that is gone already shows at its first receive.
    let _ = socket.set_tcp_nodelay(true);
    if settings.keep_alive_enable {
        let keep_alive = TcpKeepalive::new()
            .with_time(settings.keep_alive_idle)
            .with_interval(settings.keep_alive_interval)
            .with_retries(settings.keep_alive_count);
        let _ = socket.set_tcp_keepalive(&keep_alive);
    }
    if let Some(linger) = settings.so_linger {
        let _ = socket.set_linger(Some(linger));
    }
}
