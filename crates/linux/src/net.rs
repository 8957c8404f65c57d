//! Sockets for the driver: bytes in and out, readiness, release.

use std::{os::fd::OwnedFd, time::Duration};

use rustix::{
    event::epoll::{self, EventData, EventFlags},
    io::Errno,
    net::{self, RecvFlags, SendFlags, Shutdown, sockopt},
};
use tenure::port::{Interest, Key, Peer, Received, Transmitted};
use tenure_host::Net;

use crate::sys;

/// Connections' sockets, and the epoll of their worker.
pub(crate) struct Epoll(pub(crate) OwnedFd);

/// An event whose lower half is at least this is not a connection's: their indexes have 24 bits.
const OTHERS: u32 = 0xff00_0000;

/// Epoll's data for anything but a connection.
pub(crate) fn other_data(number: u32) -> EventData {
    EventData::new_u64(u64::from(OTHERS | number))
}

/// A connection's key from an event; `Err`: the number of anything else.
pub(crate) fn key_or_other(data: EventData) -> Result<Key, u32> {
    let data = data.u64();
    let (index, generation) = (data as u32, (data >> 32) as u32);
    if index < OTHERS { Ok(Key { index, generation }) } else { Err(index & !OTHERS) }
}

/// Epoll's data for a connection's socket.
fn key_data(key: Key) -> EventData {
    EventData::new_u64(u64::from(key.generation) << 32 | u64::from(key.index))
}

impl Net for Epoll {
    type Socket = OwnedFd;

    fn register(&mut self, key: Key, socket: &mut OwnedFd) -> bool {
        epoll::add(&self.0, socket, key_data(key), EventFlags::IN).is_ok()
    }

    fn report(&mut self, key: Key, socket: &mut OwnedFd, interest: Interest) {
        let mut events = EventFlags::empty();
        events.set(EventFlags::IN, interest.receives());
        events.set(EventFlags::OUT, interest.sends());
        events.set(EventFlags::RDHUP, interest.closes());
        // Fails only for a descriptor that is not registered, and this one is.
        let _ = epoll::modify(&self.0, socket, key_data(key), events);
    }

    fn receive(&mut self, socket: &mut OwnedFd, into: &mut [u8]) -> Received {
        match net::recv(socket, into, RecvFlags::empty()) {
            Ok((_, 0)) => Received::Closed,
            Ok((_, bytes)) => Received::Bytes(bytes),
            Err(Errno::AGAIN | Errno::INTR) => Received::Blocked,
            Err(_) => Received::Reset,
        }
    }

    fn has_unread(&mut self, socket: &mut OwnedFd) -> bool {
        // A close or a failure counts as unread: that connection ends by itself.
        !matches!(net::recv(socket, &mut [0; 1], RecvFlags::PEEK), Err(Errno::AGAIN))
    }

    fn send(&mut self, socket: &mut OwnedFd, bytes: &[u8]) -> Transmitted {
        match net::send(socket, bytes, SendFlags::NOSIGNAL) {
            Ok(bytes) => Transmitted::Bytes(bytes),
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => Transmitted::Blocked,
            Err(_) => Transmitted::Reset,
        }
    }

    fn shut(&mut self, socket: &mut OwnedFd) {
        // Fails if the peer has reset already; the next receive reports that.
        let _ = net::shutdown(socket, Shutdown::Write);
    }

    fn release(&mut self, socket: OwnedFd, abort: bool) {
        if abort {
            let _ = sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
        }
        drop(socket);
    }

    fn peer(&self, socket: &OwnedFd) -> Peer {
        sys::peer(socket)
    }
}
