//! What the driver asks of a port.

use core::{
    convert::Infallible,
    future::Future,
    ops::{Deref, DerefMut},
    pin::Pin,
    task::Context,
};

use tenure_proto::head::HeadParser;

use super::Lane;
use crate::{
    EndReason, Observer, Session, Switch,
    engine::table::{Slot, Store},
    engine::wire::{Received, Wire},
    peer::Peer,
};

/// Whether a handler of this program ever waits for its peer's close.
static CLOSE_AWAITED: Switch = Switch::off();

/// A handler waits for its peer's close.
pub(crate) fn await_close() {
    CLOSE_AWAITED.set(true);
}

/// What a port is to report of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest(u8);

impl Interest {
    /// Nothing but its failure.
    pub const NONE: Interest = Interest(0);
    /// That bytes, or the peer's close, can be received.
    pub const RECEIVE: Interest = Interest(1);
    /// That bytes can be sent.
    pub const SEND: Interest = Interest(2);
    /// Either. The driver never asks for both, but a port may have bytes of its own to send while it receives.
    pub const BOTH: Interest = Interest(3);
    /// That the peer has closed its side, whether or not bytes are unread: [`Driver::peer_closed`](super::Driver::peer_closed).
    /// It comes alone or beside the others.
    pub const CLOSE: Interest = Interest(4);

    /// Whether it is about receiving.
    pub const fn receives(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether it is about sending.
    pub const fn sends(self) -> bool {
        self.0 & 2 != 0
    }

    /// Whether it is about the peer's close. Where no handler ever waits for that, the compiler sees that it never is.
    pub fn closes(self) -> bool {
        self.0 & 4 != 0 && CLOSE_AWAITED.is_on()
    }

    /// The same, and [`Interest::CLOSE`].
    pub(super) const fn and_close(self) -> Interest {
        Interest(self.0 | 4)
    }
}

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The slot.
    pub index: u32,
    /// How many connections the slot has had before.
    pub generation: u32,
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
    type Lanes: Store<Lane<Self>>;
    /// Who watches.
    type Observer: Observer;

    /// Who watches.
    fn observer(&self) -> &Self::Observer;
    /// How a request learns of its peer's address.
    fn peer(&self, socket: &Self::Socket) -> Peer;
    /// Receives what is there, without waiting.
    fn receive(&mut self, socket: &mut Self::Socket, into: &mut [u8]) -> Received;
    /// Receives what is there and drops it.
    fn discard(&mut self, socket: &mut Self::Socket) -> Received;
    /// Whether bytes are there that have not been received.
    fn has_unread(&mut self, socket: &mut Self::Socket) -> bool;
    /// Sends what there is room for, without waiting.
    fn send(&mut self, socket: &mut Self::Socket, bytes: &[u8]) -> Transmitted;
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
    /// Whether [`evict`](super::DriverSettings::evict) may ever be set, as with [`takes_orders`](Port::takes_orders).
    fn evicts(&self) -> bool {
        true
    }
    /// Changes what is reported of a socket.
    fn report(&mut self, key: Key, socket: &mut Self::Socket, interest: Interest);
    /// Makes one more lane, `None` where there are as many as there may be.
    fn lane(&mut self, number: u32) -> Option<Lane<Self>>;
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
    /// Keeps an incomplete head for a connection, so that it holds no lane. `false`: it cannot, the lane waits.
    fn put_away(&mut self, index: u32, bytes: &[u8], parser: HeadParser) -> bool {
        let _ = (index, bytes, parser);
        false
    }
    /// Gives back what [`put_away`](Port::put_away) has kept: copies it into `into`.
    fn take_back(&mut self, index: u32, into: &mut [u8]) -> Option<(usize, HeadParser)> {
        let _ = (index, into);
        None
    }
}
