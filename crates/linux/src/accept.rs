//! When a worker accepts: sockets persist, so what one worker takes today it has tomorrow.

use std::{
    os::fd::OwnedFd,
    sync::{Arc, atomic::Ordering},
};

use rustix::{
    event::epoll::{self, EventData, EventFlags},
    io::Errno,
    net::{self, SocketFlags, sockopt},
};

use tenure::PeerAddress;

use crate::{Settings, handle::Shared, sys::peer_address};

/// Connections above its fair share that a worker takes before it leaves the next ones to the others.
const SLACK: u32 = 16;
/// Connections that are accepted in one turn before those that there are have theirs.
pub(crate) const BATCH_MAX: u32 = 64;
/// How long accepting rests when descriptors or memory have run out.
const REST_MS: u32 = 100;

/// The listening sockets as one worker sees them.
pub(crate) struct Acceptor<'a> {
    listeners: &'a [OwnedFd],
    shared: Arc<Shared>,
    worker: usize,
    armed: bool,
    /// Connections of this worker that `shared` counts.
    counted: u32,
    /// Something has run out: nothing is accepted before this time.
    rests_until_ms: Option<u32>,
    said: bool,
}

/// What became of an attempt to accept.
pub(crate) enum Accepted {
    Socket(OwnedFd, Option<PeerAddress>),
    /// Nobody waits.
    None,
    /// Something has run out, or an error that will not pass at once.
    Rest,
}

impl<'a> Acceptor<'a> {
    pub(crate) fn new(listeners: &'a [OwnedFd], shared: Arc<Shared>, worker: usize) -> Self {
        Acceptor { listeners, shared, worker, armed: false, counted: 0, rests_until_ms: None, said: false }
    }

    pub(crate) fn listeners(&self) -> &'a [OwnedFd] {
        self.listeners
    }

    /// Whether this worker, of `count` connections, leaves newcomers to others now. `full`: it would have to evict one.
    pub(crate) fn defers(&self, count: u32, full: bool) -> bool {
        let open = self.shared.open.load(Ordering::Relaxed);
        let workers = self.shared.workers.len() as u32;
        // With a place left elsewhere nobody is evicted here.
        if full { open < self.shared.max_open_sockets } else { workers > 1 && count > open / workers + SLACK }
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

    /// Listens, or no longer so.
    pub(crate) fn arm(&mut self, epoll: &OwnedFd, armed: bool) {
        if armed == self.armed {
            return;
        }
        self.armed = armed;
        for (number, listener) in self.listeners.iter().enumerate() {
            // An exclusive interest cannot be modified, only made and taken back.
            let _ = if armed {
                let data = EventData::new_u64(listener_data(number));
                epoll::add(epoll, listener, data, EventFlags::IN | EventFlags::EXCLUSIVE)
            } else {
                epoll::delete(epoll, listener)
            };
        }
        if !armed {
            // Who was above the fair share before may be below it now.
            self.shared.look_again(self.worker);
        }
    }

    /// Connections of this worker that the others know of.
    pub(crate) fn counted(&self) -> u32 {
        self.counted
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.armed
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

    pub(crate) fn accept(&mut self, listener: &OwnedFd, now_ms: u32) -> Accepted {
        loop {
            match net::acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok((socket, peer)) => {
                    if self.said {
                        self.said = false;
                        log::info!("connections are accepted again");
                    }
                    return Accepted::Socket(socket, peer.and_then(peer_address));
                }
                Err(Errno::AGAIN) => return Accepted::None,
                // One that is gone already, as accept(2) tells of errors of the new socket: on to the next.
                Err(
                    Errno::INTR
                    | Errno::CONNABORTED
                    | Errno::PROTO
                    | Errno::NETDOWN
                    | Errno::NOPROTOOPT
                    | Errno::HOSTDOWN
                    | Errno::NONET
                    | Errno::HOSTUNREACH
                    | Errno::OPNOTSUPP
                    | Errno::NETUNREACH
                    | Errno::PERM,
                ) => {}
                // Another worker has shut it to stop the server; this one will hear of it at once.
                Err(Errno::INVAL) => {
                    self.rests_until_ms = Some(now_ms.wrapping_add(REST_MS));
                    return Accepted::Rest;
                }
                Err(error) => {
                    self.rests_until_ms = Some(now_ms.wrapping_add(REST_MS));
                    if !self.said {
                        self.said = true;
                        log::warn!("no connection can be accepted for now: {error}; those that there are go on");
                    }
                    return Accepted::Rest;
                }
            }
        }
    }
}

/// From here on the lower half of what epoll tells is no connection's index (they have 24 bits), but a listening socket's
/// number.
const LISTENER: u64 = 0xff00_0000;

/// What a listening socket is known by in epoll.
pub(crate) fn listener_data(number: usize) -> u64 {
    LISTENER | number as u64
}

/// Whether an event is of something else than a connection.
#[inline]
pub(crate) fn is_aside(data: u64) -> bool {
    data as u32 >= LISTENER as u32
}

/// Sets a new connection up.
pub(crate) fn configure(socket: &OwnedFd, settings: &Settings) {
    // None of these can fail for a TCP socket, and one that is gone already shows at its first receive.
    let _ = sockopt::set_tcp_nodelay(socket, true);
    if settings.keep_alive_enable {
        let _ = sockopt::set_socket_keepalive(socket, true);
        let _ = sockopt::set_tcp_keepidle(socket, settings.keep_alive_idle);
        let _ = sockopt::set_tcp_keepintvl(socket, settings.keep_alive_interval);
        let _ = sockopt::set_tcp_keepcnt(socket, settings.keep_alive_count);
    }
    if let Some(linger) = settings.so_linger {
        let _ = sockopt::set_socket_linger(socket, Some(linger));
    }
}
