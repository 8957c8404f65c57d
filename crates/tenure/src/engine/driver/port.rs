//! What the driver asks of a port.

use core::{
    convert::Infallible,
    future::Future,
    ops::{Deref, DerefMut},
    pin::Pin,
    task::{Context, Waker},
};

use tenure_proto::head::HeadParser;

use crate::{
    EndReason, Observer, Session,
    engine::interest::Interest,
    engine::table::{NONE, Slot, Store, at, at_mut},
    engine::wire::{Received, Wire},
    open::{
        message::MessageInput,
        topic::{TopicKey, Topics},
    },
    peer::Peer,
};

/// What became of bytes that were to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transmitted {
    /// That many were taken.
    Bytes(usize),
    /// None now.
    Blocked,
    /// The connection is gone.
    Reset,
}

/// A future of this crate or of the application panicked; the port has caught it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// A socket's place in the driver: what a port keeps with it and reports events with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The slot.
    pub index: u32,
    /// How many connections the slot has had before.
    pub generation: u32,
}

/// One lane and what the driver knows of it.
pub struct Lane<P: Port> {
    pub(super) wire: P::Wire,
    pub(super) future: Pin<P::Pinned>,
    pub(super) waker: Waker,
    /// The slot that it serves, or the next free lane.
    pub(super) slot: u32,
    /// When its last poll ended.
    pub(super) polled_ms: u32,
    /// Bytes that the peer has taken since it was held last.
    pub(super) taken: u32,
    /// When it was held last.
    pub(super) held_ms: u32,
    /// What it has waited for its peer by then, less what bytes that were taken have given back.
    pub(super) peer_waited_ms: u32,
    /// It has been held until the peer takes bytes.
    pub(super) awaits_peer: bool,
    pub(super) blocked: bool,
    pub(super) buffers: Buffers,
    /// Which of the driver's dates its output has; none at first.
    pub(super) dated: u32,
}

/// What a lane has of its buffers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Buffers {
    All,
    /// All of them again, some of which it had given back.
    AllAgain,
    /// Some may have been given back.
    Few,
}

impl<P: Port> Lane<P> {
    /// A lane over that wire. `future` must be [`lane`](crate::port::lane) over the same wire; `waker` wakes the port, which
    /// then calls [`Driver::woken`](super::Driver::woken).
    pub fn new(wire: P::Wire, future: Pin<P::Pinned>, waker: Waker) -> Self {
        wire.shared.waiters.set_lane(waker.clone());
        Lane {
            wire,
            future,
            waker,
            slot: NONE,
            polled_ms: 0,
            taken: 0,
            held_ms: 0,
            peer_waited_ms: 0,
            awaits_peer: false,
            blocked: false,
            buffers: if P::SHRINK { Buffers::Few } else { Buffers::All },
            dated: u32::MAX,
        }
    }

    /// The slot that the lane serves.
    pub(super) fn connection(&self) -> u32 {
        self.slot
    }
}

/// Memory for lanes, by their numbers.
pub trait Lanes<P: Port> {
    /// Behind the highest number there is.
    fn end(&self) -> u32;
    /// The lane of that number, where there is one.
    fn get(&self, number: u32) -> Option<&Lane<P>>;
    /// The same, to change.
    fn get_mut(&mut self, number: u32) -> Option<&mut Lane<P>>;
    /// Puts one there, where none is and which is at [`end`](Lanes::end) at the most. Returns whether there is room.
    fn put(&mut self, number: u32, lane: Lane<P>) -> bool;
    /// Takes one out. Memory from which none is ever taken has none to give.
    fn take(&mut self, number: u32) -> Option<Lane<P>> {
        let _ = number;
        None
    }

    /// The lane of a number that is known to have one.
    ///
    /// # Panics
    /// Where there is none.
    fn lane(&self, number: u32) -> &Lane<P>;
    /// The same, to change.
    ///
    /// # Panics
    /// Where there is none.
    fn lane_mut(&mut self, number: u32) -> &mut Lane<P>;
}

impl<P: Port, const N: usize> Lanes<P> for heapless::Vec<Lane<P>, N> {
    fn end(&self) -> u32 {
        self.len() as u32
    }

    fn get(&self, number: u32) -> Option<&Lane<P>> {
        self.as_slice().get(number as usize)
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut Lane<P>> {
        self.as_mut_slice().get_mut(number as usize)
    }

    fn put(&mut self, _: u32, lane: Lane<P>) -> bool {
        self.push(lane).is_ok()
    }

    fn lane(&self, number: u32) -> &Lane<P> {
        at(self.as_slice(), number)
    }

    fn lane_mut(&mut self, number: u32) -> &mut Lane<P> {
        at_mut(self.as_mut_slice(), number)
    }
}

#[cfg(feature = "alloc")]
impl<P: Port> Lanes<P> for alloc::vec::Vec<Option<Lane<P>>> {
    fn end(&self) -> u32 {
        self.len() as u32
    }

    fn get(&self, number: u32) -> Option<&Lane<P>> {
        self.as_slice().get(number as usize)?.as_ref()
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut Lane<P>> {
        self.as_mut_slice().get_mut(number as usize)?.as_mut()
    }

    fn put(&mut self, number: u32, lane: Lane<P>) -> bool {
        match self.as_mut_slice().get_mut(number as usize) {
            Some(place) => *place = Some(lane),
            None => self.push(Some(lane)),
        }
        true
    }

    fn take(&mut self, number: u32) -> Option<Lane<P>> {
        let lane = self.as_mut_slice().get_mut(number as usize)?.take();
        while self.last().is_some_and(Option::is_none) {
            self.pop();
        }
        if self.capacity() / 4 > self.len() {
            self.shrink_to(2 * self.len());
        }
        lane
    }

    fn lane(&self, number: u32) -> &Lane<P> {
        self[number as usize].as_ref().expect("a lane that is in use is there")
    }

    fn lane_mut(&mut self, number: u32) -> &mut Lane<P> {
        self[number as usize].as_mut().expect("a lane that is in use is there")
    }
}

/// How far something has been read whose bytes are put away.
#[derive(Clone, Copy, Debug)]
pub enum Partial {
    /// A request's head.
    Head(HeadParser),
    /// A message of a WebSocket; `None`: its bytes are all there is to know.
    Message(Option<MessageInput>),
}

/// What binds the driver to a runtime and a network. Every call is made from within a call of the driver's.
pub trait Port: Sized {
    /// The application's session.
    type Session: Session;
    /// A socket; it stays open until [`release`](Port::release).
    type Socket;
    /// How a lane and its driver share a wire.
    type Wire: Deref<Target = Wire<Self::Session>>;
    /// The future of a lane: [`lane`](crate::port::lane).
    type Future: Future<Output = Infallible>;
    /// Where that future is pinned.
    type Pinned: DerefMut<Target = Self::Future>;
    /// Memory for slots.
    type Slots: Store<Slot<Self::Session, Self::Socket>>;
    /// Memory for lanes.
    type Lanes: Lanes<Self>;
    /// Memory for who has joined which topic; `()` where nothing stays open.
    type Topics: Topics;
    /// Who watches.
    type Observer: Observer;

    /// Whether lanes give memory back, buffers while they wait and all of it after half a minute without use: those of a heap,
    /// made with `Wire::with_bytes` (feature `alloc`).
    const SHRINK: bool = false;

    /// Who watches.
    fn observer(&self) -> &Self::Observer;
    /// How a request learns of its peer's address.
    fn peer(&self, socket: &Self::Socket) -> Peer;
    /// What reads the clock for handlers that sleep: the time now, rounded up to a whole millisecond. It is given the time that was
    /// [set](super::Driver::set_now) last, from which time may have passed. By default it does not pass while a lane is polled.
    fn clock(&self) -> fn(u32) -> u32 {
        |set_ms| set_ms
    }
    /// Receives what is there, without waiting.
    fn receive(&mut self, socket: &mut Self::Socket, into: &mut [u8]) -> Received;
    /// Receives what is there and drops it.
    fn discard(&mut self, socket: &mut Self::Socket) -> Received;
    /// Whether bytes are there that have not been received, or the peer has closed.
    fn has_unread(&mut self, socket: &mut Self::Socket) -> bool;
    /// Sends what there is room for, without waiting.
    fn send(&mut self, socket: &mut Self::Socket, bytes: &[u8]) -> Transmitted;
    /// Sends all of that, or nothing: asked instead of [`send`](Port::send) without a heap (feature `alloc`), where nothing keeps
    /// the rest.
    fn push(&mut self, socket: &mut Self::Socket, bytes: &[u8]) -> Transmitted {
        self.send(socket, bytes)
    }
    /// Memory for who has joined which topic, of a new driver.
    fn topics(&mut self) -> Self::Topics {
        Self::Topics::default()
    }
    /// A handler has published something: the port tells its other workers. `false`: the driver is not to deliver it, for the port
    /// will [`publish`](super::Driver::publish) it here, too, in the order in which all workers do.
    fn published(&mut self, topic: TopicKey, bytes: &[u8]) -> bool {
        let _ = (topic, bytes);
        true
    }
    /// A stream joins a topic that keeps so many events. `false`: it is not to join at once, for the port will let it
    /// [`resume`](super::Driver::resume), behind what other workers have published by now.
    #[cfg(feature = "alloc")]
    fn resumes(&mut self, key: Key, topic: TopicKey, events: u16, resume: &[u8]) -> bool {
        let _ = (key, topic, events, resume);
        true
    }
    /// Closes the sending side.
    fn shut(&mut self, socket: &mut Self::Socket);
    /// Gives the socket up; `abort`: with a reset.
    fn release(&mut self, socket: Self::Socket, abort: bool);
    /// Begins to report [`Interest::RECEIVE`] of a new socket. `false`: it cannot be served.
    fn register(&mut self, key: Key, socket: &mut Self::Socket) -> bool {
        let _ = (key, socket);
        true
    }
    /// Whether the driver may ever be told to [`stop`](super::Driver::stop) or to
    /// [`close`](super::Driver::close_connection) a connection. Where the compiler can see that it never is, it leaves out
    /// what would be done then.
    fn takes_orders(&self) -> bool {
        true
    }
    /// Whether [`eviction`](super::DriverSettings::eviction) may ever be set, as with [`takes_orders`](Port::takes_orders).
    fn evicts(&self) -> bool {
        true
    }
    /// Whether the whole server is full; asked only if this worker is. If so, and [`eviction`](super::DriverSettings::eviction) is not
    /// [`Never`](crate::Eviction::Never), a connection without a session is closed after its response.
    fn is_full(&self) -> bool {
        true
    }
    /// Changes what is reported of a socket.
    fn report(&mut self, key: Key, socket: &mut Self::Socket, interest: Interest);
    /// Makes one more lane, `None` where there are as many as there may be.
    fn lane(&mut self, number: u32) -> Option<Lane<Self>>;
    /// Gives back the memory of a lane that has not been used for a while, should lanes [shrink](Port::SHRINK). Another one of that
    /// number may be made later.
    fn retire(&mut self, number: u32, lane: Lane<Self>) {
        let _ = (number, lane);
    }
    /// A lane's future, anew.
    fn renew(&mut self, wire: &Self::Wire) -> Self::Future;
    /// Sets a lane's future anew in place, which drops the handler at work in it: where the port can, it keeps a panic of
    /// that drop in it.
    fn restart(&mut self, wire: &Self::Wire, mut future: Pin<&mut Self::Future>) {
        future.set(self.renew(wire));
    }
    /// Polls a lane.
    ///
    /// # Errors
    /// It panicked; only ports that can catch that say so.
    // The driver and the lane have no registers to spare for each other.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn poll(&mut self, future: Pin<&mut Self::Future>, context: &mut Context<'_>) -> Result<(), Panicked> {
        let _ = future.poll(context);
        Ok(())
    }
    /// Tells who watches, keeping a panic of it in it where the port can. `None`: it has panicked.
    fn tell<R>(&mut self, tell: impl FnOnce(&Self::Observer) -> R) -> Option<R> {
        Some(tell(self.observer()))
    }
    /// Ends a session, keeping a panic of it in it where the port can.
    fn end(&mut self, session: Self::Session, reason: EndReason) {
        session.end(reason);
    }
    /// Keeps an incomplete head, or message, for a connection, so that it holds no lane. `false`: it cannot, the lane waits.
    fn put_away(&mut self, index: u32, bytes: &[u8], partial: Partial) -> bool {
        let _ = (index, bytes, partial);
        false
    }
    /// Gives back what [`put_away`](Port::put_away) has kept: copies it into `into`.
    fn take_back(&mut self, index: u32, into: &mut [u8]) -> Option<(usize, Partial)> {
        let _ = (index, into);
        None
    }
}
