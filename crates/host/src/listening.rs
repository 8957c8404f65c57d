//! A server's sockets, and what its workers share.

use std::{
    io::{self, ErrorKind},
    net::{Shutdown, SocketAddr, TcpListener},
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tenure::port::Audience;

use crate::{Error, Handle, Settings, admission::Peers, handle::Shared, inbox::Inbox, sync::Mutex};

/// A server that listens, as its workers see it.
#[derive(Debug)]
pub struct Listening {
    pub(crate) settings: Settings,
    listeners: Vec<TcpListener>,
    /// How many of the listeners, the first ones, belong to this server alone.
    own: usize,
    /// The connections of each peer, where they have a bound.
    peers: Option<Peers>,
    pub(crate) handle: Handle,
}

/// Closes the inboxes also if the server has never run, so that its handle does not wait for answers.
impl Drop for Listening {
    fn drop(&mut self) {
        for inbox in &self.handle.shared.inboxes {
            inbox.close();
        }
    }
}

impl Listening {
    pub(crate) fn new(mut settings: Settings, descriptors_per_worker: u64) -> Result<Self, Error> {
        settings.check()?;
        #[cfg(unix)]
        crate::descriptors::reserve(&mut settings, descriptors_per_worker)?;
        #[cfg(not(unix))]
        let _ = descriptors_per_worker;
        let mut listeners = Vec::new();
        for &address in &settings.addresses {
            listeners.push(listen(address, settings.backlog)?);
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
        let connections_max = settings.connections_max;
        let inboxes = (0..settings.threads()).map(|_| Arc::new(Inbox::new(connections_max))).collect();
        let audience = Audience::default();
        let shared = Shared { open: AtomicU32::new(0), connections_max, audience, inboxes, kept: Mutex::default() };
        let handle = Handle { shared: Arc::new(shared), addresses: addresses?.into() };
        let peers = settings.connections_per_peer_max.map(Peers::new);
        Ok(Listening { settings, listeners, own, peers, handle })
    }

    /// What it is set to; the listeners are [`listeners`](Listening::listeners).
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The listening sockets, none of which blocks.
    pub fn listeners(&self) -> &[TcpListener] {
        &self.listeners
    }

    /// A worker's inbox.
    pub fn inbox(&self, worker: usize) -> &Arc<Inbox> {
        &self.handle.shared.inboxes[worker]
    }

    pub(crate) fn peers(&self) -> Option<&Peers> {
        self.peers.as_ref()
    }

    pub(crate) fn workers(&self) -> usize {
        self.handle.shared.inboxes.len()
    }

    /// Makes the kernel refuse newcomers, on systems that can. On others they are refused once all workers have ended.
    pub(crate) fn shut_listeners(&self) {
        for listener in &self.listeners[..self.own] {
            let _ = SockRef::from(listener).shutdown(Shutdown::Read);
        }
    }
}

fn listen(address: SocketAddr, backlog: u32) -> Result<TcpListener, Error> {
    let listened = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // A restarted server must not wait for its predecessor's connections. On other systems the option means something else.
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

/// Sets the options of a new connection's socket.
pub fn configure<'s, T>(socket: &'s T, settings: &Settings)
where
    SockRef<'s>: From<&'s T>,
{
    let socket = SockRef::from(socket);
    // None of these can fail on a TCP socket; a connection that is gone fails at its first receive.
    let _ = socket.set_tcp_nodelay(true);
    if settings.keep_alive {
        let _ = socket.set_tcp_keepalive(&keep_alive(settings));
    }
    if let Some(seconds) = settings.delivery_s {
        let _ = socket.set_linger(Some(Duration::from_secs(seconds.into())));
    }
}

fn keep_alive(settings: &Settings) -> TcpKeepalive {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let keep_alive = TcpKeepalive::new().with_time(seconds(settings.keep_alive_idle_s));
    // OpenBSD has one setting for all sockets: sysctl's net.inet.tcp.
    #[cfg(not(target_os = "openbsd"))]
    let keep_alive =
        keep_alive.with_interval(seconds(settings.keep_alive_interval_s)).with_retries(settings.keep_alive_probes);
    keep_alive
}
