//! Sockets for the driver: bytes in and out, readiness, release.

use core::{
    convert::Infallible,
    future::Future,
    marker::PhantomData,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use embassy_net::tcp::{Error, State};
use heapless::Vec;
use tenure::{
    Observer, Session,
    port::{FixedTopics, Interest, Key, Lane, Partial, Peer, Port, Received, Slot, Transmitted, Wire},
};

use crate::{accept::Places, clock, handle::Mark, sys, used};

/// What the driver asks of embassy-net. `M` makes lanes' futures `F`; a socket is known by its number.
pub(crate) struct EmbassyPort<'w, 'a, S, F, M, O, const CONNECTIONS: usize, const LANES: usize, const SOCKETS: usize> {
    pub(crate) make: M,
    pub(crate) observer: &'a O,
    pub(crate) wires: &'w [Wire<S>; LANES],
    /// Places for the lanes' futures, the first lane's last.
    pub(crate) futures: Vec<Pin<&'a mut F>, LANES>,
    pub(crate) lane_marks: &'static [Mark; LANES],
    pub(crate) places: Places<'a, SOCKETS>,
    /// Bytes of a socket's ring.
    pub(crate) ring_bytes: usize,
    /// The socket that was received from last, and the bytes of it that are still in its ring.
    pub(crate) received: Option<(usize, usize)>,
    pub(crate) types: PhantomData<fn(S) -> F>,
}

impl<S, F, M, O, const CONNECTIONS: usize, const LANES: usize, const SOCKETS: usize>
    EmbassyPort<'_, '_, S, F, M, O, CONNECTIONS, LANES, SOCKETS>
{
    /// Removes the bytes received last from their ring.
    #[inline(never)]
    pub(crate) fn settle(&mut self) {
        if let Some((number, bytes)) = self.received.take() {
            let _ = self.places.read(number, &mut [], bytes);
        }
    }

    /// The driver's view of a read.
    fn received(&self, number: usize, read: Poll<Result<usize, Error>>) -> Received {
        match read {
            Poll::Ready(Ok(bytes)) => Received::Bytes(bytes),
            Poll::Pending => Received::Blocked,
            // No more bytes come. After the peer's close the connection still exists; after a reset it does not.
            Poll::Ready(Err(_)) if self.places.all[number].socket.state() == State::Closed => Received::Reset,
            Poll::Ready(Err(_)) => Received::Closed,
        }
    }
}

impl<'w, 'a, S, F, M, O, const CONNECTIONS: usize, const LANES: usize, const SOCKETS: usize> Port
    for EmbassyPort<'w, 'a, S, F, M, O, CONNECTIONS, LANES, SOCKETS>
where
    S: Session,
    F: Future<Output = Infallible> + 'a,
    M: Fn(&'w Wire<S>) -> F,
    O: Observer,
{
    type Session = S;
    type Socket = u8;
    type Wire = &'w Wire<S>;
    type Future = F;
    type Pinned = &'a mut F;
    type Slots = Vec<Slot<S, u8>, CONNECTIONS>;
    type Lanes = Vec<Lane<Self>, LANES>;
    type Topics = FixedTopics<CONNECTIONS>;
    type Observer = O;

    fn observer(&self) -> &O {
        self.observer
    }

    fn peer(&self, socket: &u8) -> Peer {
        Peer::known(self.places.all[usize::from(*socket)].peer())
    }

    fn clock(&self) -> fn(u32) -> u32 {
        // The next millisecond: this one has begun already.
        |_| clock::now_ms().wrapping_add(1)
    }

    /// Copies the bytes, and leaves them in the ring until the next call: an incomplete head stays there, see
    /// [`put_away`](Port::put_away).
    fn receive(&mut self, socket: &mut u8, into: &mut [u8]) -> Received {
        self.settle();
        let number = usize::from(*socket);
        self.places.taken_up(number);
        let read = self.places.read(number, into, 0);
        if let Poll::Ready(Ok(bytes)) = read {
            self.received = Some((number, bytes));
        }
        self.received(number, read)
    }

    fn discard(&mut self, socket: &mut u8) -> Received {
        self.settle();
        let number = usize::from(*socket);
        let read = self.places.read(number, &mut [], usize::MAX);
        self.received(number, read)
    }

    fn has_unread(&mut self, socket: &mut u8) -> bool {
        self.settle();
        let place = &self.places.all[usize::from(*socket)];
        // A close or a failure counts as unread: that connection ends by itself.
        place.socket.recv_queue() > 0 || !place.may_receive()
    }

    fn send(&mut self, socket: &mut u8, bytes: &[u8]) -> Transmitted {
        let number = usize::from(*socket);
        let waker = self.places.waker(number);
        match pin!(self.places.all[number].socket.write(bytes)).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(Ok(bytes)) => Transmitted::Bytes(bytes),
            Poll::Ready(Err(_)) => Transmitted::Reset,
            Poll::Pending => Transmitted::Blocked,
        }
    }

    fn push(&mut self, socket: &mut u8, bytes: &[u8]) -> Transmitted {
        let socket_of = &self.places.all[usize::from(*socket)].socket;
        if socket_of.send_capacity() - socket_of.send_queue() < bytes.len() {
            return Transmitted::Blocked;
        }
        self.send(socket, bytes)
    }

    fn shut(&mut self, socket: &mut u8) {
        self.places.all[usize::from(*socket)].socket.close();
    }

    fn release(&mut self, socket: u8, abort: bool) {
        self.settle();
        self.places.give_up(usize::from(socket), abort);
    }

    fn register(&mut self, key: Key, socket: &mut u8) -> bool {
        let number = usize::from(*socket);
        self.places.serve(number, key);
        self.report(key, socket, Interest::RECEIVE);
        true
    }

    fn takes_orders(&self) -> bool {
        used::HANDLE.is_on()
    }

    fn evicts(&self) -> bool {
        used::EVICTION.is_on()
    }

    fn report(&mut self, _: Key, socket: &mut u8, interest: Interest) {
        let number = usize::from(*socket);
        self.places.all[number].interest = interest;
        self.places.mark(number);
    }

    fn lane(&mut self, number: u32) -> Option<Lane<Self>> {
        let number = number as usize;
        let (wire, mark) = (self.wires.get(number)?, self.lane_marks.get(number)?);
        Some(Lane::new(wire, self.futures.pop()?, sys::waker(mark)))
    }

    fn renew(&mut self, wire: &&'w Wire<S>) -> F {
        (self.make)(wire)
    }

    /// Leaves an incomplete head, or frame, in the socket's ring, to be read again when there is more of it.
    fn put_away(&mut self, _: u32, bytes: &[u8], partial: Partial) -> bool {
        // Of a message that has been read in part the rest is not all there is to know.
        if let Partial::Message(Some(_)) = partial {
            return false;
        }
        let Some((number, received)) = self.received.take() else { return false };
        let place = &mut self.places.all[number];
        let more = place.may_receive();
        let socket = &place.socket;
        // The ring must hold the whole head from its first byte, contiguous, and more must still be able to come.
        let whole = bytes.len() <= received && socket.recv_queue() == received;
        if bytes.is_empty() || !whole || !more || bytes.len() >= self.ring_bytes {
            self.received = Some((number, received));
            return false;
        }
        let _ = self.places.read(number, &mut [], received - bytes.len());
        self.places.leave(number, bytes.len());
        true
    }
}
