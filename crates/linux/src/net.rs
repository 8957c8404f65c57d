//! Sockets for the driver: bytes in and out, readiness, release.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    os::fd::OwnedFd,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Wake},
    time::Duration,
};

use rustix::{
    event::epoll::{self, EventData, EventFlags},
    io::Errno,
    net::{self, RecvFlags, SendFlags, Shutdown, sockopt},
};
use tenure::{
    EndReason, Limits, Observer, Session,
    port::{Buffer, HeadParser, Interest, Key, Lane, Panicked, Peer, Port, Received, Slot, Transmitted, Wire, contain},
};

use crate::{handle::LaneWake, handle::WorkerShared, sys};

/// Bytes that are dropped at once while a peer's rest is read away.
const SCRATCH_BYTES: usize = 65_536;

/// What the driver asks of Linux. `M` makes lanes' futures `F`.
pub(crate) struct LinuxPort<'a, S, F, M, O> {
    pub(crate) epoll: OwnedFd,
    pub(crate) make: M,
    pub(crate) observer: &'a O,
    pub(crate) shared: Arc<WorkerShared>,
    pub(crate) buffers: Buffers,
    /// Incomplete heads, which hold no lane.
    pub(crate) heads: HashMap<u32, (Box<[u8]>, HeadParser)>,
    pub(crate) scratch: Vec<u8>,
    pub(crate) types: std::marker::PhantomData<fn(S) -> F>,
}

/// Bytes of a lane's buffers, and the bounds that go with them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffers {
    pub(crate) input_bytes: usize,
    pub(crate) body_bytes: usize,
    pub(crate) output_bytes: usize,
    pub(crate) limits: Limits,
}

/// What a socket is known by in epoll.
#[inline]
fn data(key: Key) -> EventData {
    EventData::new_u64(u64::from(key.generation) << 32 | u64::from(key.index))
}

/// The key in an event of a connection.
#[inline]
pub(crate) fn key(data: u64) -> Key {
    Key { index: data as u32, generation: (data >> 32) as u32 }
}

impl<S, F, M, O> Port for LinuxPort<'_, S, F, M, O>
where
    S: Session,
    F: Future<Output = Infallible>,
    M: Fn(Rc<Wire<S>>) -> F,
    O: Observer,
{
    type Session = S;
    type Socket = OwnedFd;
    type Wire = Rc<Wire<S>>;
    type Future = F;
    type Pinned = Box<F>;
    type Slots = Vec<Slot<S, OwnedFd>>;
    type Lanes = Vec<Lane<Self>>;
    type Observer = O;

    #[inline]
    fn observer(&self) -> &O {
        self.observer
    }

    #[inline]
    fn peer(&self, socket: &OwnedFd) -> Peer {
        sys::peer(socket)
    }

    #[inline]
    fn receive(&mut self, socket: &mut OwnedFd, into: &mut [u8]) -> Received {
        match net::recv(socket, into, RecvFlags::empty()) {
            Ok((_, 0)) => Received::Closed,
            Ok((_, bytes)) => Received::Bytes(bytes),
            Err(Errno::AGAIN | Errno::INTR) => Received::Blocked,
            Err(_) => Received::Reset,
        }
    }

    fn discard(&mut self, socket: &mut OwnedFd) -> Received {
        if self.scratch.is_empty() {
            self.scratch = vec![0; SCRATCH_BYTES];
        }
        match net::recv(socket, &mut self.scratch[..], RecvFlags::empty()) {
            Ok((_, 0)) => Received::Closed,
            Ok((_, bytes)) => Received::Bytes(bytes),
            Err(Errno::AGAIN | Errno::INTR) => Received::Blocked,
            Err(_) => Received::Reset,
        }
    }

    fn has_unread(&mut self, socket: &mut OwnedFd) -> bool {
        // A close or a failure counts too: that connection ends by itself.
        !matches!(net::recv(socket, &mut [0; 1], RecvFlags::PEEK), Err(Errno::AGAIN))
    }

    #[inline]
    fn send(&mut self, socket: &mut OwnedFd, bytes: &[u8]) -> Transmitted {
        match net::send(socket, bytes, SendFlags::NOSIGNAL) {
            Ok(bytes) => Transmitted::Bytes(bytes),
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => Transmitted::Blocked,
            Err(_) => Transmitted::Reset,
        }
    }

    fn shut(&mut self, socket: &mut OwnedFd) {
        // It fails where the peer has reset already, which the next receive tells.
        let _ = net::shutdown(socket, Shutdown::Write);
    }

    fn release(&mut self, socket: OwnedFd, abort: bool) {
        if abort {
            let _ = sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
        }
        drop(socket);
    }

    fn register(&mut self, key: Key, socket: &mut OwnedFd) -> bool {
        epoll::add(&self.epoll, socket, data(key), EventFlags::IN).is_ok()
    }

    fn report(&mut self, key: Key, socket: &mut OwnedFd, interest: Interest) {
        let mut events = EventFlags::empty();
        events.set(EventFlags::IN, interest.receives());
        events.set(EventFlags::OUT, interest.sends());
        // It can only fail for a descriptor that is not there, which it is.
        let _ = epoll::modify(&self.epoll, socket, data(key), events);
    }

    fn lane(&mut self, number: u32) -> Option<Lane<Self>> {
        let Buffers { input_bytes, body_bytes, output_bytes, limits } = self.buffers;
        let buffer = Buffer::with_bytes;
        let wire = Rc::new(Wire::new(buffer(input_bytes), buffer(body_bytes), buffer(output_bytes), limits));
        let future = Box::pin((self.make)(wire.clone()));
        let waker = Arc::new(LaneWaker { wake: LaneWake::new(number), shared: self.shared.clone() });
        Some(Lane::new(wire, future, waker.into()))
    }

    fn renew(&mut self, wire: &Rc<Wire<S>>) -> F {
        (self.make)(wire.clone())
    }

    fn restart(&mut self, wire: &Rc<Wire<S>>, mut future: Pin<&mut F>) {
        let renewed = self.renew(wire);
        // The new one is in place also where dropping the old one panics.
        if contain(|| future.set(renewed)).is_none() {
            log::error!("a handler panicked when it was dropped");
        }
    }

    #[inline]
    fn poll(&mut self, future: Pin<&mut F>, context: &mut Context<'_>) -> Result<(), Panicked> {
        // What the future had borrowed is dropped with it, and the driver sets it anew.
        contain(|| {
            let _ = future.poll(context);
        })
        .ok_or(Panicked)
    }

    fn end(&mut self, session: S, reason: EndReason) {
        if contain(|| session.end(reason)).is_none() {
            log::error!("a session panicked when it was ended");
        }
    }

    fn tell<R>(&mut self, tell: impl FnOnce(&O) -> R) -> Option<R> {
        let told = contain(|| tell(self.observer));
        if told.is_none() {
            log::error!("an observer panicked");
        }
        told
    }

    fn put_away(&mut self, index: u32, bytes: &[u8], parser: HeadParser) -> bool {
        self.heads.insert(index, (bytes.into(), parser));
        true
    }

    fn take_back(&mut self, index: u32, into: &mut [u8]) -> Option<(usize, HeadParser)> {
        let (bytes, parser) = self.heads.remove(&index)?;
        into.get_mut(..bytes.len())?.copy_from_slice(&bytes);
        Some((bytes.len(), parser))
    }
}

/// Wakes a lane from any thread.
struct LaneWaker {
    wake: LaneWake,
    shared: Arc<WorkerShared>,
}

impl Wake for LaneWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.shared.wake_lane(&self.wake);
    }
}
