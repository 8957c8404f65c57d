//! When a worker accepts: sockets persist, so what one worker takes today it has tomorrow.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};

use crate::{
    Settings,
    handle::{Mark, Shared},
};

/// Connections above its fair share that a worker takes before it leaves the next ones to the others.
const SLACK: u32 = 16;
/// Connections that are accepted in one turn before those that there are have theirs.
pub(crate) const BATCH_MAX: u32 = 64;
/// How long accepting rests when descriptors or memory have run out.
const REST_MS: u32 = 100;

/// The listening sockets as one worker sees them.
pub(crate) struct Acceptor {
    listeners: Vec<TcpListener>,
    shared: Arc<Shared>,
    worker: usize,
    /// Set when somebody has connected.
    pub(crate) mark: Arc<Mark>,
    waker: Waker,
    /// Somebody may be waiting: the waker is not set.
    pub(crate) may_wait: bool,
    /// A newcomer for whom there was a place until it was accepted.
    kept: Option<(TcpStream, SocketAddr)>,
    /// Newcomers are left to the others.
    deferring: bool,
    /// Connections of this worker that `shared` counts.
    counted: u32,
    /// Something has run out: nothing is accepted before this time.
    rests_until_ms: Option<u32>,
    said: bool,
}

/// What became of an attempt to accept.
pub(crate) enum Accepted {
    Socket(TcpStream, SocketAddr),
    /// Nobody waits; the worker is woken when somebody does.
    None,
    /// Something has run out, or an error that will not pass at once.
    Rest,
}

impl Acceptor {
    pub(crate) fn new(listeners: Vec<TcpListener>, shared: Arc<Shared>, worker: usize, mark: Arc<Mark>) -> Self {
        Acceptor {
            listeners,
            shared,
            worker,
            waker: mark.clone().into(),
            mark,
            may_wait: true,
            kept: None,
            deferring: false,
            counted: 0,
            rests_until_ms: None,
            said: false,
        }
    }

    pub(crate) fn listeners(&self) -> usize {
        self.listeners.len()
    }

    /// Lets the worker look for newcomers in its next round.
    pub(crate) fn wake(&self) {
        self.mark.set();
    }

    /// Listens no more.
    pub(crate) fn stop(&mut self) {
        self.listeners.clear();
        self.kept = None;
        self.may_wait = false;
    }

    /// Whether this worker, of `count` connections, leaves newcomers to others now. `full`: it would have to evict one.
    fn leaves(&self, count: u32, full: bool) -> bool {
        let open = self.shared.open.load(Ordering::Relaxed);
        let workers = self.shared.workers.len() as u32;
        // With a place left elsewhere nobody is evicted here.
        if full { open < self.shared.max_open_sockets } else { workers > 1 && count > open / workers + SLACK }
    }

    /// The same; where it begins to, the others are told to look: they may have left newcomers to this one before.
    pub(crate) fn defers(&mut self, count: u32, full: bool) -> bool {
        let leaves = self.leaves(count, full);
        if leaves && !self.deferring {
            self.shared.look_again(self.worker);
        }
        self.deferring = leaves;
        leaves
    }

    /// Tells the others how many connections there are here.
    pub(crate) fn count(&mut self, count: u32) {
        if count == self.counted {
            return;
        }
        let max = self.shared.max_open_sockets;
        let before = self.shared.open.fetch_add(count.wrapping_sub(self.counted), Ordering::Relaxed);
        let now = before.wrapping_add(count).wrapping_sub(self.counted);
        self.counted = count;
        // Whether somebody is evicted depends on there being no place anywhere.
        if (before >= max) != (now >= max) {
            self.shared.look_again(self.worker);
        }
    }

    /// Connections of this worker that the others know of.
    pub(crate) fn counted(&self) -> u32 {
        self.counted
    }

    /// Milliseconds until a rest is over.
    pub(crate) fn rests_for_ms(&mut self, now_ms: u32) -> Option<u32> {
        let until_ms = self.rests_until_ms?;
        let rest_ms = until_ms.wrapping_sub(now_ms);
        if rest_ms == 0 || rest_ms > REST_MS {
            self.rests_until_ms = None;
            return None;
        }
        Some(rest_ms)
    }

    /// Keeps a newcomer until there is a place for it.
    pub(crate) fn keep(&mut self, socket: TcpStream, peer: SocketAddr) {
        self.kept = Some((socket, peer));
    }

    pub(crate) fn accept(&mut self, listener: usize, now_ms: u32) -> Accepted {
        if let Some((socket, peer)) = self.kept.take() {
            return Accepted::Socket(socket, peer);
        }
        loop {
            match self.listeners[listener].poll_accept(&mut Context::from_waker(&self.waker)) {
                Poll::Ready(Ok((socket, peer))) => {
                    if self.said {
                        self.said = false;
                        log::info!("connections are accepted again");
                    }
                    return Accepted::Socket(socket, peer);
                }
                Poll::Pending => return Accepted::None,
                Poll::Ready(Err(error)) if passes(&error) => {}
                Poll::Ready(Err(error)) => {
                    self.rests_until_ms = Some(now_ms.wrapping_add(REST_MS));
                    // What is not valid has been shut: another worker stops the server, and this one will hear of it at once.
                    if !self.said && error.kind() != ErrorKind::InvalidInput {
                        self.said = true;
                        log::warn!("no connection can be accepted for now: {error}; those that there are go on");
                    }
                    return Accepted::Rest;
                }
            }
        }
    }
}

/// Whether an error is of a newcomer that is gone already (accept(2)): on to the next.
fn passes(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Interrupted
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::NetworkDown
            | ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::PermissionDenied
    )
}

/// Sets a new connection up.
pub(crate) fn configure(socket: &TcpStream, settings: &Settings) {
    // None of these can fail for a TCP socket, and one that is gone already shows at its first receive.
    let _ = socket.set_nodelay(true);
    let socket = SockRef::from(socket);
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
