//! Sockets for the driver: octets in and out, readiness, release.

use core::{
    convert::Infallible,
    future::Future,
    marker::PhantomData,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use heapless::Vec;
use tenure::{
    Observer, Session,
    port::{Interest, Key, Lane, Peer, Port, Received, Slot, Transmitted, Wire},
};

use crate::{accept::Places, handle::Mark, sys};

/// What the driver asks of embassy-net. `M` makes lanes' futures `F`; a socket is known by its number.
pub(crate) struct EmbassyPort<'w, 'a, S, F, M, O, const CONNECTIONS: usize, const LANES: usize, const SOCKETS: usize> {
    pub(crate) make: M,
    pub(crate) observer: &'a O,
    pub(crate) wires: &'w [Wire<S>; LANES],
    /// Where the futures of the lanes are, the first lane's last.
    pub(crate) futures: Vec<Pin<&'a mut F>, LANES>,
    pub(crate) lane_marks: &'static [Mark; LANES],
    pub(crate) places: Places<'a, SOCKETS>,
    pub(crate) types: PhantomData<fn(S) -> F>,
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
    type Observer = O;

    fn observer(&self) -> &O {
        self.observer
    }

    fn peer(&self, socket: &u8) -> Peer {
        let endpoint = self.places.all[usize::from(*socket)].socket.remote_endpoint();
        endpoint.map_or(Peer::Unknown, |endpoint| Peer::Known(endpoint.into()))
    }

    fn receive(&mut self, socket: &mut u8, into: &mut [u8]) -> Received {
        let number = usize::from(*socket);
        let waker = self.places.waker(number);
        let socket = &mut self.places.all[number].socket;
        match pin!(socket.read(into)).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(Ok(0)) => Received::Closed,
            Poll::Ready(Ok(octets)) => Received::Octets(octets),
            Poll::Ready(Err(_)) => Received::Reset,
            Poll::Pending => Received::Blocked,
        }
    }

    fn discard(&mut self, socket: &mut u8) -> Received {
        let number = usize::from(*socket);
        if !self.places.all[number].socket.can_recv() {
            return self.receive(socket, &mut [0; 1]);
        }
        let waker = self.places.waker(number);
        let dropped = self.places.all[number].socket.read_with(|octets| (octets.len(), octets.len()));
        match pin!(dropped).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(Ok(octets)) => Received::Octets(octets),
            Poll::Ready(Err(_)) => Received::Reset,
            Poll::Pending => Received::Blocked,
        }
    }

    fn has_unread(&mut self, socket: &mut u8) -> bool {
        let socket = &self.places.all[usize::from(*socket)].socket;
        // A close or a failure counts too: that connection ends by itself.
        socket.can_recv() || !socket.may_recv()
    }

    fn send(&mut self, socket: &mut u8, octets: &[u8]) -> Transmitted {
        let number = usize::from(*socket);
        let waker = self.places.waker(number);
        match pin!(self.places.all[number].socket.write(octets)).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(Ok(octets)) => Transmitted::Octets(octets),
            Poll::Ready(Err(_)) => Transmitted::Reset,
            Poll::Pending => Transmitted::Blocked,
        }
    }

    fn shut(&mut self, socket: &mut u8) {
        self.places.all[usize::from(*socket)].socket.close();
    }

    fn release(&mut self, socket: u8, abort: bool) {
        self.places.give_up(usize::from(socket), abort);
    }

    fn register(&mut self, key: Key, socket: &mut u8) -> bool {
        let number = usize::from(*socket);
        self.places.serve(number, key);
        self.report(key, socket, Interest::RECEIVE);
        true
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
}
