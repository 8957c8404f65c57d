//! The driver of connections: which lane serves which of them, what is asked of the socket, and when time is up.
//!
//! A port tells it what happened (`connected`, `ready`, `woken`, `expire`) and it acts through the port's own trait. It
//! holds no clock and knows no runtime.

use core::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    ops::{Deref, DerefMut},
    pin::Pin,
    task::{Context, Waker},
};

use tenure_proto::{date::DATE_OCTETS, head::HeadParser, refusal::Refusal};

use crate::{
    Admission, ConnectionId, Deadline, Deadlines, EndReason, Limits, Observer, Session,
    table::{NONE, Slot, Stage, Store, Table},
    wire::{Line, Order, Peer, Received, State, Wire},
};

/// What a port is to report of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest(u8);

impl Interest {
    /// Nothing but its failure.
    pub const NONE: Interest = Interest(0);
    /// That octets, or the peer's close, can be received.
    pub const RECEIVE: Interest = Interest(1);
    /// That octets can be sent.
    pub const SEND: Interest = Interest(2);

    /// Whether it is about receiving.
    #[inline]
    pub const fn receives(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether it is about sending.
    #[inline]
    pub const fn sends(self) -> bool {
        self.0 & 2 != 0
    }
}

/// What became of octets that were to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transmitted {
    /// That many were taken.
    Octets(usize),
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
    /// The peer's address.
    fn peer(&self, socket: &Self::Socket) -> Peer;
    /// Receives what is there, without waiting.
    fn receive(&mut self, socket: &mut Self::Socket, into: &mut [u8]) -> Received;
    /// Receives what is there and drops it.
    fn discard(&mut self, socket: &mut Self::Socket) -> Received;
    /// Whether octets are there that have not been received.
    fn has_unread(&mut self, socket: &mut Self::Socket) -> bool;
    /// Sends what there is room for, without waiting.
    fn send(&mut self, socket: &mut Self::Socket, octets: &[u8]) -> Transmitted;
    /// Closes the sending side.
    fn shut(&mut self, socket: &mut Self::Socket);
    /// Gives the socket up; `abort`: with a reset.
    fn release(&mut self, socket: Self::Socket, abort: bool);
    /// Begins to report [`Interest::RECEIVE`] of a new socket. `false`: it cannot be served.
    fn register(&mut self, key: Key, socket: &mut Self::Socket) -> bool {
        let _ = (key, socket);
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
    fn poll(&mut self, future: Pin<&mut Self::Future>, context: &mut Context<'_>) -> Result<(), Panicked> {
        let _ = future.poll(context);
        Ok(())
    }
    /// Ends a session, keeping a panic of it in it where the port can.
    fn end(&mut self, session: Self::Session, reason: EndReason) {
        session.end(reason);
    }
    /// Keeps an incomplete head for a connection, so that it holds no lane. `false`: it cannot, the lane waits.
    fn put_away(&mut self, index: u32, octets: &[u8], parser: HeadParser) -> bool {
        let _ = (index, octets, parser);
        false
    }
    /// Gives back what [`put_away`](Port::put_away) has kept: copies it into `into`.
    fn take_back(&mut self, index: u32, into: &mut [u8]) -> Option<(usize, HeadParser)> {
        let _ = (index, into);
        None
    }
}

/// One lane and what the driver knows of it.
pub struct Lane<P: Port> {
    wire: P::Wire,
    future: Pin<P::Pinned>,
    waker: Waker,
    /// The slot that it serves, or the next free lane.
    slot: u32,
    /// When its last poll ended.
    polled_ms: u32,
    /// Since when octets wait for the peer to take some.
    progress_ms: u32,
    blocked: bool,
    dated: u32,
}

impl<P: Port> Lane<P> {
    /// A lane over that wire. `future` must be [`lane`](crate::port::lane) over the same wire; `waker` wakes the port, which
    /// then calls [`Driver::woken`].
    pub fn new(wire: P::Wire, future: Pin<P::Pinned>, waker: Waker) -> Self {
        Lane { wire, future, waker, slot: NONE, polled_ms: 0, progress_ms: 0, blocked: false, dated: 0 }
    }

    /// The slot that the lane serves.
    fn connection(&self) -> u32 {
        self.slot
    }
}

/// What a driver is set to.
#[derive(Clone, Copy, Debug)]
pub struct DriverSettings {
    /// Connections at the most.
    pub connections_max: u32,
    /// Lanes at the most.
    pub lanes_max: u32,
    /// Whether a new connection takes the place of the least recently used idle one when there is none left.
    pub evict: bool,
    /// Bounds in time.
    pub deadlines: Deadlines,
    /// Bounds in octets.
    pub limits: Limits,
    /// The number of the worker, part of each [`ConnectionId`].
    pub worker: u32,
}

/// One connection, as it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub id: ConnectionId,
    /// The peer's address.
    pub peer: Option<SocketAddr>,
    /// Milliseconds since its last use, 0 where it is busy.
    pub idle_ms: u32,
    /// Whether a request is being answered.
    pub busy: bool,
    /// Whether it has been pinned.
    pub pinned: bool,
}

/// Drives the connections of one worker.
pub struct Driver<P: Port> {
    /// The port, for its own use between calls.
    pub port: P,
    table: Table<P::Session, P::Socket, P::Slots>,
    lanes: P::Lanes,
    free_lane: u32,
    attached: u32,
    settings: DriverSettings,
    now_ms: u32,
    /// Nothing is due before.
    due_ms: Option<u32>,
    date: Option<[u8; DATE_OCTETS]>,
    dated: u32,
    stopping: Option<u32>,
}

/// Candidates for eviction that are looked at for one newcomer.
const CANDIDATES_MAX: u32 = 16;
/// Times that a stream is polled in one turn before others have theirs.
const ROUNDS_MAX: u32 = 8;
/// How exactly the deadlines of exchanges are kept: they are looked through this often at the most.
const TICK_MS: u32 = 50;

/// Whether `then` is not after `now`; times wrap.
fn is_due(then_ms: u32, now_ms: u32) -> bool {
    now_ms.wrapping_sub(then_ms) < 1 << 31
}

/// Whether a deadline is ever due: half the clock's range and more cannot be told from the past.
fn is_bound(ms: u32) -> bool {
    ms < 1 << 31
}

/// Whether an exchange goes on only when the peer has taken octets: some are left, or a stream that has had its turn waits
/// for the socket to take more.
fn awaits_peer(line: &Line) -> bool {
    line.wants_room.get() || line.output.try_borrow().is_ok_and(|output| output.end > 0)
}

impl<P: Port> Driver<P> {
    /// A driver without connections.
    pub fn new(port: P, slots: P::Slots, lanes: P::Lanes, settings: DriverSettings) -> Self {
        let connections_max = settings.connections_max.min(ConnectionId::INDEX_COUNT_MAX);
        Driver {
            port,
            table: Table::new(slots, connections_max),
            lanes,
            free_lane: NONE,
            attached: 0,
            settings,
            now_ms: 0,
            due_ms: None,
            date: None,
            dated: 0,
            stopping: None,
        }
    }

    /// Sets the time, in milliseconds that wrap. To be called before anything else in each turn of the port.
    #[inline]
    pub fn set_now(&mut self, now_ms: u32) {
        self.now_ms = now_ms;
    }

    /// Sets the date that responses tell from now on.
    pub fn set_date(&mut self, date: Option<[u8; DATE_OCTETS]>) {
        self.date = date;
        self.dated = self.dated.wrapping_add(1);
    }

    /// Connections that there are, those included that only wait for the peer's close.
    pub fn count(&self) -> u32 {
        self.table.count()
    }

    /// Whether a new connection would have to take another one's place.
    pub fn is_full(&self) -> bool {
        self.table.is_full()
    }

    /// Whether a new connection finds a place, if need be by eviction.
    pub fn has_room(&mut self) -> bool {
        self.table.has_place() || self.victim().is_some()
    }

    /// Takes a new connection, evicting the least recently used idle one if there is no place and that is allowed. Gives
    /// the socket back where there is no place, or the observer refuses it.
    ///
    /// # Errors
    /// The socket.
    pub fn connected(&mut self, mut socket: P::Socket) -> Result<Key, P::Socket> {
        if self.stopping.is_some() {
            return Err(socket);
        }
        let victim = if self.table.has_place() { None } else { self.victim() };
        if victim.is_none() && self.table.is_full() {
            return Err(socket);
        }
        // The newcomer gets the victim's slot, because that will be the last to be freed.
        let (index, generation) = match victim {
            Some(index) => (index, self.table.slot(index).generation.wrapping_add(1)),
            None => (self.table.next(), self.table.slot(self.table.next()).generation),
        };
        let (key, by) = (Key { index, generation }, self.id(index, generation));
        let peer = self.port.peer(&socket).address();
        // Asked first: nobody gives way to one that is not taken.
        if !self.port.register(key, &mut socket) || self.port.observer().connected(by, peer) == Admission::Refuse {
            return Err(socket);
        }
        if let Some(victim) = victim {
            let slot = self.table.slot(victim);
            let idle_ms = self.now_ms.wrapping_sub(slot.since_ms);
            self.port.observer().evicted(self.id(victim, slot.generation), by);
            self.end(victim, EndReason::Evicted { by, idle_ms }, false);
        }
        let index = self.table.take(socket, self.now_ms)?;
        self.table.slot_mut(index).interest = Interest::RECEIVE;
        self.due_in(self.settings.deadlines.first_octet_ms);
        Ok(key)
    }

    /// The connection that would give way to a newcomer now.
    fn victim(&mut self) -> Option<u32> {
        if !self.settings.evict {
            return None;
        }
        let mut index = self.table.oldest(Stage::Idle);
        for _ in 0..CANDIDATES_MAX {
            if index == NONE {
                return None;
            }
            let newer = self.table.newer(index);
            let socket = self.table.slot_mut(index).socket.as_mut()?;
            // A request may be on its way to a connection that still counts as idle.
            if !self.port.has_unread(socket) {
                return Some(index);
            }
            index = newer;
        }
        None
    }

    fn id(&self, index: u32, generation: u32) -> ConnectionId {
        ConnectionId::new(self.settings.worker, index, generation)
    }

    /// A socket is ready for what it was reported for; `gone`: it has failed.
    #[inline]
    pub fn ready(&mut self, key: Key, gone: bool) {
        let Some(slot) = self.table.get(key.index, key.generation) else { return };
        match slot.stage {
            Stage::Closing => return self.discard(key.index, gone),
            _ if gone => {
                self.end(key.index, EndReason::PeerReset, true);
                return self.serve_waiting();
            }
            Stage::Waiting => return,
            _ => {}
        }
        let attached = slot.lane;
        let lane = if attached == NONE { self.attach(key.index) } else { Some(attached) };
        match lane {
            Some(lane) => self.advance(key.index, lane, true),
            None => self.wait(key.index),
        }
        self.serve_waiting();
    }

    /// A lane was woken. Does nothing where it serves nobody.
    pub fn woken(&mut self, lane: u32) {
        let Some(index) = self.lanes.get(lane as usize).map(Lane::connection) else { return };
        if self.is_attached(index, lane) {
            self.advance(index, lane, false);
            self.serve_waiting();
        }
    }

    fn is_attached(&self, index: u32, lane: u32) -> bool {
        index != NONE && self.table.is_slot(index) && {
            let slot = self.table.slot(index);
            slot.lane == lane && slot.stage == Stage::Busy
        }
    }

    /// Puts a connection with octets into the queue for a lane.
    #[cold]
    fn wait(&mut self, index: u32) {
        let now_ms = self.now_ms;
        let slot = self.table.slot_mut(index);
        if slot.stage != Stage::Head {
            slot.since_ms = now_ms;
        }
        slot.waiting_ms = now_ms;
        self.table.move_to(index, Stage::Waiting);
        self.report(index, Interest::NONE);
        self.due_in(self.settings.deadlines.handler_ms);
    }

    /// Gives free lanes to those that wait, first come, first served.
    #[inline]
    fn serve_waiting(&mut self) {
        while self.table.oldest(Stage::Waiting) != NONE {
            let index = self.table.oldest(Stage::Waiting);
            let Some(lane) = self.give_lane(index) else { return };
            self.advance(index, lane, true);
        }
    }

    /// Gives a connection a lane. Inlined where every request passes; see [`give_lane`](Driver::give_lane).
    #[inline(always)]
    fn attach(&mut self, index: u32) -> Option<u32> {
        let number = if self.free_lane == NONE { self.new_lane()? } else { self.free_lane };
        let (lane, slot) = (&mut self.lanes[number as usize], self.table.slot_mut(index));
        self.free_lane = lane.slot;
        (lane.slot, slot.lane) = (index, number);
        self.attached += 1;
        *lane.wire.session.borrow_mut() = slot.session.take();
        let line = &lane.wire.line;
        line.id.set(ConnectionId::new(self.settings.worker, index, slot.generation));
        if let Some(socket) = &slot.socket {
            line.peer.set(self.port.peer(socket));
        }
        line.may_wait_long.set(self.attached < self.settings.lanes_max);
        line.arrived_ms.set(self.now_ms);
        if matches!(slot.stage, Stage::Head | Stage::Waiting) {
            self.attach_late(index, number);
        }
        Some(number)
    }

    /// What attaching means for a connection whose request has begun before.
    #[cold]
    fn attach_late(&mut self, index: u32, number: u32) {
        let (lane, slot) = (&mut self.lanes[number as usize], self.table.slot_mut(index));
        let line = &lane.wire.line;
        line.arrived_ms.set(slot.since_ms);
        let mut input = line.input.borrow_mut();
        if let Some((octets, parser)) = self.port.take_back(index, &mut input.buffer) {
            (input.start, input.end, input.parser) = (0, octets.min(input.buffer.len()), parser);
        }
        drop(input);
        if slot.stage == Stage::Waiting {
            // A request's time runs while it waits for a lane.
            line.handler_waited_ms.set(self.now_ms.wrapping_sub(slot.waiting_ms));
            // Only those that wait are given a lane while the server stops.
            line.ending.set(self.stopping.map(|_| EndReason::Shutdown));
            self.table.move_to(index, Stage::Busy);
            self.report(index, Interest::RECEIVE);
        }
    }

    /// The same out of line.
    #[cold]
    #[inline(never)]
    fn give_lane(&mut self, index: u32) -> Option<u32> {
        self.attach(index)
    }

    #[cold]
    fn new_lane(&mut self) -> Option<u32> {
        let number = self.lanes.len() as u32;
        if number >= self.settings.lanes_max {
            return None;
        }
        let lane = self.port.lane(number)?;
        self.lanes.push(lane).ok()?;
        Some(number)
    }

    /// Lets a lane go on: receives once where that is asked for, polls it, sends what it has, and puts connection and lane
    /// where they belong then.
    #[inline]
    fn advance(&mut self, index: u32, number: u32, receives: bool) {
        let mut rounds = 0;
        if receives {
            let (lane, slot) = (&self.lanes[number as usize], self.table.slot_mut(index));
            if slot.interest.receives()
                && let Some(socket) = &mut slot.socket
            {
                let port = &mut self.port;
                match lane.wire.line.receive(|space| port.receive(socket, space)) {
                    Some(Received::Closed) => lane.wire.line.ended.set(true),
                    Some(Received::Reset) => return self.end(index, EndReason::PeerReset, true),
                    Some(Received::Octets(_) | Received::Blocked) | None => {}
                }
            }
        }
        loop {
            let Driver { port, table, lanes, now_ms, date, dated, .. } = self;
            let (lane, slot) = (&mut lanes[number as usize], table.slot_mut(index));
            let line = &lane.wire.line;
            line.now_ms.set(*now_ms);
            if lane.dated != *dated {
                lane.dated = *dated;
                line.output.borrow_mut().stamp(*date);
            }
            if line.state.get() == State::Exchange {
                let waited = now_ms.wrapping_sub(lane.polled_ms);
                let so_far = if line.wants_body.get() { &line.body_waited_ms } else { &line.handler_waited_ms };
                so_far.set(so_far.get().saturating_add(waited));
            }
            line.wants_body.set(false);
            line.wants_room.set(false);
            lane.polled_ms = *now_ms;
            if port.poll(lane.future.as_mut(), &mut Context::from_waker(&lane.waker)).is_err() {
                port.restart(&lane.wire, lane.future.as_mut());
                // What answers a panic may panic too.
                if line.failed.replace(true) || line.state.get() != State::Exchange {
                    return self.end(index, EndReason::Aborted, true);
                }
                line.order.set(Some(Order::Failed));
                continue;
            }
            let mut output = line.output.borrow_mut();
            let mut progress = false;
            if output.end > 0 {
                if !lane.blocked {
                    lane.progress_ms = *now_ms;
                }
                let Some(socket) = &mut slot.socket else { return };
                match port.send(socket, output.pending()) {
                    Transmitted::Octets(octets) => {
                        output.sent(octets);
                        lane.progress_ms = *now_ms;
                        progress = true;
                    }
                    Transmitted::Blocked => {}
                    Transmitted::Reset => {
                        drop(output);
                        return self.end(index, EndReason::PeerReset, true);
                    }
                }
            }
            let blocked = output.end > 0;
            lane.blocked = blocked;
            drop(output);
            match line.state.get() {
                State::Between if !blocked => return self.detach(index, number),
                State::Head if !blocked => {
                    if !self.put_away(index, number) {
                        self.hold(index, number, blocked);
                    }
                    return;
                }
                State::Close if !blocked => return self.close(index, number),
                State::Abort => {
                    let reason = line.reason.get();
                    return self.end(index, reason, true);
                }
                // Room was made: on with the response, but others have their turns too.
                State::Exchange if progress && line.wants_room.get() && rounds < ROUNDS_MAX => {
                    rounds += 1;
                    continue;
                }
                _ => {}
            }
            return self.hold(index, number, blocked);
        }
    }

    /// Keeps the lane on its connection until something happens.
    fn hold(&mut self, index: u32, number: u32, blocked: bool) {
        let lane = &self.lanes[number as usize];
        let line = &lane.wire.line;
        let receives = !line.ended.get() && (line.state.get() == State::Head || line.wants_body.get());
        // A stream that has had its turn goes on as soon as the socket takes more.
        let interest = if blocked || line.wants_room.get() {
            Interest::SEND
        } else if receives {
            Interest::RECEIVE
        } else {
            Interest::NONE
        };
        if let Some(due_ms) = self.exchange_due(number) {
            self.due_at(due_ms);
        }
        self.table.move_to(index, Stage::Busy);
        self.report(index, interest);
    }

    #[inline]
    fn report(&mut self, index: u32, interest: Interest) {
        let slot = self.table.slot_mut(index);
        if slot.interest != interest
            && let Some(socket) = &mut slot.socket
        {
            slot.interest = interest;
            self.port.report(Key { index, generation: slot.generation }, socket, interest);
        }
    }

    /// Takes the lane from a connection that is idle again.
    #[inline]
    fn detach(&mut self, index: u32, number: u32) {
        let line = &self.lanes[number as usize].wire.line;
        if line.ended.get() {
            return self.end(index, EndReason::PeerClosed, false);
        }
        if let Some(reason) = line.ending.get() {
            line.reason.set(reason);
            return self.close(index, number);
        }
        let slot = self.table.slot_mut(index);
        if let Some(pinned) = line.pin.take() {
            slot.pinned = pinned;
        }
        slot.since_ms = self.now_ms;
        let stage = if slot.pinned { Stage::Pinned } else { Stage::Idle };
        self.table.move_to(index, stage);
        self.report(index, Interest::RECEIVE);
        self.free(index, number);
        self.due_in(self.settings.deadlines.idle_ms);
    }

    /// Takes the session back from a lane and puts the lane on top of the free ones.
    #[inline]
    fn free(&mut self, index: u32, number: u32) {
        let lane = &mut self.lanes[number as usize];
        let slot = self.table.slot_mut(index);
        slot.session = lane.wire.session.borrow_mut().take();
        slot.lane = NONE;
        lane.slot = self.free_lane;
        self.free_lane = number;
        self.attached -= 1;
    }

    /// Lets a connection with an incomplete head wait without a lane. `false`: it keeps its lane.
    fn put_away(&mut self, index: u32, number: u32) -> bool {
        let line = &self.lanes[number as usize].wire.line;
        if line.ended.get() {
            self.end(index, EndReason::PeerClosed, false);
            return true;
        }
        if let Some(reason) = line.ending.get() {
            line.reason.set(reason);
            self.close(index, number);
            return true;
        }
        let mut input = line.input.borrow_mut();
        if !self.port.put_away(index, input.unread(), input.parser) {
            return false;
        }
        input.clear();
        drop(input);
        line.handler_waited_ms.set(0);
        let slot = self.table.slot_mut(index);
        if let Some(pinned) = line.pin.take() {
            slot.pinned = pinned;
        }
        // A drop of octets does not change when the head was due, nor its place on the list.
        let arrived_ms = line.arrived_ms.get();
        line.state.set(State::Between);
        if slot.stage != Stage::Head || slot.since_ms != arrived_ms {
            slot.since_ms = arrived_ms;
            self.table.insert(index, Stage::Head);
            let head_ms = self.settings.deadlines.head_ms;
            if is_bound(head_ms) {
                self.due_at(arrived_ms.wrapping_add(head_ms));
            }
        }
        self.report(index, Interest::RECEIVE);
        self.free(index, number);
        true
    }

    /// Ends a session and tells of the end of its connection; the socket is still there.
    fn finish(&mut self, index: u32, reason: EndReason) {
        let number = self.table.slot(index).lane;
        if let Some(lane) = self.lanes.get_mut(number as usize) {
            if lane.wire.line.state.get() != State::Between {
                self.port.restart(&lane.wire, lane.future.as_mut());
            }
            lane.wire.line.reset();
            lane.blocked = false;
            self.free(index, number);
        }
        let slot = self.table.slot_mut(index);
        if slot.stage == Stage::Head || slot.stage == Stage::Waiting {
            // What was put away is dropped.
            let _ = self.port.take_back(index, &mut []);
        }
        let id = ConnectionId::new(self.settings.worker, index, slot.generation);
        let session = slot.session.take();
        let had_session = session.is_some();
        if let Some(session) = session {
            self.port.end(session, reason);
        }
        log::debug!("connection {id} ended: {reason}");
        self.port.observer().disconnected(id, reason, had_session);
    }

    /// Ends a connection at once; `abort`: with a reset.
    #[cold]
    fn end(&mut self, index: u32, reason: EndReason, abort: bool) {
        self.finish(index, reason);
        self.let_go(index, abort);
    }

    fn let_go(&mut self, index: u32, abort: bool) {
        if let Some(socket) = self.table.slot_mut(index).socket.take() {
            self.port.release(socket, abort);
        }
        self.table.free(index);
    }

    /// Ends a connection whose last response has been sent: the peer must be able to read all of it, also while it is
    /// still sending (RFC 9112 section 9.6).
    #[cold]
    fn close(&mut self, index: u32, number: u32) {
        let line = &self.lanes[number as usize].wire.line;
        let (reason, ended) = (line.reason.get(), line.ended.get());
        self.finish(index, reason);
        if ended { self.let_go(index, false) } else { self.linger(index) }
    }

    fn linger(&mut self, index: u32) {
        let slot = self.table.slot_mut(index);
        slot.since_ms = self.now_ms;
        if let Some(socket) = &mut slot.socket {
            self.port.shut(socket);
        }
        self.table.move_to(index, Stage::Closing);
        self.report(index, Interest::RECEIVE);
        self.due_in(self.settings.deadlines.linger_ms);
        self.discard(index, false);
    }

    /// Drops what still comes, up to the bound.
    #[cold]
    fn discard(&mut self, index: u32, gone: bool) {
        let slot = self.table.slot_mut(index);
        let Some(socket) = &mut slot.socket else { return };
        match self.port.discard(socket) {
            Received::Octets(octets) => {
                slot.dropped = slot.dropped.saturating_add(u32::try_from(octets).unwrap_or(u32::MAX));
                if slot.dropped > self.settings.limits.linger_octets_max {
                    self.let_go(index, true);
                }
            }
            Received::Blocked if !gone => {}
            Received::Blocked | Received::Closed | Received::Reset => self.let_go(index, false),
        }
    }

    fn due_in(&mut self, ms: u32) {
        if is_bound(ms) {
            self.due_at(self.now_ms.wrapping_add(ms));
        }
    }

    fn due_at(&mut self, due_ms: u32) {
        if self.due_ms.is_none_or(|before| is_due(due_ms, before)) {
            self.due_ms = Some(due_ms);
        }
    }

    /// Milliseconds until [`expire`](Driver::expire) is to be called, `None` where nothing is ever due.
    #[inline]
    pub fn due_within(&self) -> Option<u32> {
        let due_ms = self.due_ms?;
        Some(if is_due(due_ms, self.now_ms) { 0 } else { due_ms.wrapping_sub(self.now_ms) })
    }

    /// Acts on every deadline that has been missed. Cheap where none is due.
    #[inline]
    pub fn expire(&mut self) {
        if self.due_ms.is_some_and(|due_ms| is_due(due_ms, self.now_ms)) {
            self.expire_lists();
        }
    }

    #[cold]
    fn expire_lists(&mut self) {
        self.due_ms = None;
        if let Some(stopped_ms) = self.stopping {
            let flush_ms = self.settings.deadlines.flush_ms;
            if is_bound(flush_ms) {
                if is_due(stopped_ms.wrapping_add(flush_ms), self.now_ms) {
                    return self.end_all();
                }
                self.due_at(stopped_ms.wrapping_add(flush_ms));
            }
        }
        let deadlines = self.settings.deadlines;
        for (stage, ms) in [
            (Stage::Fresh, deadlines.first_octet_ms),
            (Stage::Idle, deadlines.idle_ms),
            (Stage::Pinned, deadlines.idle_ms),
            (Stage::Head, deadlines.head_ms),
            (Stage::Waiting, deadlines.handler_ms),
            (Stage::Closing, deadlines.linger_ms),
        ] {
            if !is_bound(ms) {
                continue;
            }
            loop {
                let index = self.table.oldest(stage);
                if index == NONE {
                    break;
                }
                let slot = self.table.slot(index);
                let since_ms = if stage == Stage::Waiting { slot.waiting_ms } else { slot.since_ms };
                let due_ms = since_ms.wrapping_add(ms);
                if !is_due(due_ms, self.now_ms) {
                    self.due_at(due_ms);
                    break;
                }
                match stage {
                    Stage::Fresh => self.end(index, EndReason::Deadline(Deadline::FirstOctet), false),
                    Stage::Head => self.head_overdue(index),
                    Stage::Closing => self.let_go(index, true),
                    // Without a lane there is nothing to say it with.
                    Stage::Waiting => self.end(index, EndReason::Deadline(Deadline::Handler), false),
                    _ => self.end(index, EndReason::Idle, false),
                }
            }
        }
        self.expire_exchanges();
        self.serve_waiting();
    }

    /// A head that was put away is overdue: a lane says so.
    fn head_overdue(&mut self, index: u32) {
        match self.give_lane(index) {
            Some(number) => self.order(index, number, Order::Refuse(Refusal::HeadTimeout)),
            None => self.end(index, EndReason::Deadline(Deadline::Head), false),
        }
    }

    /// Sets a lane anew and lets it do what it is ordered to.
    fn order(&mut self, index: u32, number: u32, order: Order) {
        let lane = &mut self.lanes[number as usize];
        self.port.restart(&lane.wire, lane.future.as_mut());
        lane.wire.line.order.set(Some(order));
        self.advance(index, number, false);
    }

    fn expire_exchanges(&mut self) {
        let mut index = self.table.oldest(Stage::Busy);
        // Those that are served meanwhile go to the end of the list: no more than were there are looked at.
        let last = self.table.newest(Stage::Busy);
        while index != NONE {
            let newer = if index == last { NONE } else { self.table.newer(index) };
            let number = self.table.slot(index).lane;
            if let Some(due_ms) = self.exchange_due(number) {
                if is_due(due_ms, self.now_ms) {
                    self.exchange_overdue(index, number);
                } else {
                    // Not more often than every tick, however many there are.
                    let tick_ms = self.now_ms.wrapping_add(TICK_MS);
                    self.due_at(if is_due(due_ms, tick_ms) { tick_ms } else { due_ms });
                }
            }
            index = newer;
        }
    }

    /// When a lane's exchange is overdue.
    fn exchange_due(&self, number: u32) -> Option<u32> {
        let lane = self.lanes.get(number as usize)?;
        let line = &lane.wire.line;
        let deadlines = &self.settings.deadlines;
        let (from_ms, ms) = match (line.state.get(), awaits_peer(line)) {
            (_, true) => (lane.progress_ms, deadlines.response_ms),
            (State::Head, _) => (line.arrived_ms.get(), deadlines.head_ms),
            (State::Exchange, _) if line.wants_body.get() => {
                let ms = line.body_ms(deadlines.body_ms, deadlines.body_octets_per_s);
                (lane.polled_ms.wrapping_sub(line.body_waited_ms.get()), ms)
            }
            (State::Exchange, _) if !line.output.try_borrow().is_ok_and(|output| output.exchange.begun) => {
                let ms = line.handler_ms(deadlines.handler_ms);
                (lane.polled_ms.wrapping_sub(line.handler_waited_ms.get()), ms)
            }
            _ => return None,
        };
        is_bound(ms).then(|| from_ms.wrapping_add(ms))
    }

    fn exchange_overdue(&mut self, index: u32, number: u32) {
        let line = &self.lanes[number as usize].wire.line;
        if awaits_peer(line) {
            return self.end(index, EndReason::Deadline(Deadline::Response), true);
        }
        if line.state.get() == State::Head {
            return self.order(index, number, Order::Refuse(Refusal::HeadTimeout));
        }
        if line.wants_body.get() {
            line.reason.set(EndReason::Deadline(Deadline::Body));
            return self.order(index, number, Order::Refuse(Refusal::BodyTimeout));
        }
        // Not the connection's end: if it ends behind the answer, that has a reason of its own.
        self.order(index, number, Order::Overdue);
    }

    /// Closes a connection with [`EndReason::Closed`]: at once where it is idle, after the response that is at work.
    /// Returns whether that connection is there.
    pub fn close_connection(&mut self, id: ConnectionId) -> bool {
        let Some(slot) = self.own(id) else { return false };
        match slot.stage {
            Stage::Closing => {}
            Stage::Busy => self.close_after(id.index(), EndReason::Closed),
            _ => {
                self.finish(id.index(), EndReason::Closed);
                self.linger(id.index());
            }
        }
        true
    }

    /// The network that a connection came by is gone: ends it at once with [`EndReason::LinkDown`].
    #[cold]
    pub fn link_down(&mut self, key: Key) {
        let Some(slot) = self.table.get(key.index, key.generation) else { return };
        if slot.stage == Stage::Closing {
            return self.let_go(key.index, true);
        }
        self.end(key.index, EndReason::LinkDown, true);
        self.serve_waiting();
    }

    /// Lets the exchange at work be the last of its connection.
    fn close_after(&mut self, index: u32, reason: EndReason) {
        let number = self.table.slot(index).lane;
        let Some(lane) = self.lanes.get(number as usize) else { return };
        let line = &lane.wire.line;
        match line.state.get() {
            State::Exchange => {
                if let Ok(mut output) = line.output.try_borrow_mut() {
                    output.exchange.persistent = false;
                }
                line.reason.set(reason);
            }
            // The last response is still on its way: the connection ends behind it.
            State::Between => line.ending.set(Some(reason)),
            State::Head if lane.blocked => line.ending.set(Some(reason)),
            State::Head => {
                line.reason.set(reason);
                self.close(index, number);
            }
            // It ends already, for a reason of its own.
            State::Close | State::Abort => {}
        }
    }

    /// Keeps a connection from being evicted, or no longer so, which counts as a use. Returns whether the
    /// connection is there.
    pub fn pin(&mut self, id: ConnectionId, pinned: bool) -> bool {
        let now_ms = self.now_ms;
        let Some(slot) = self.own(id) else { return false };
        slot.pinned = pinned;
        match (slot.stage, pinned) {
            // The idle deadline stays as it was.
            (Stage::Idle, true) => self.table.insert(id.index(), Stage::Pinned),
            (Stage::Pinned, false) => {
                slot.since_ms = now_ms;
                self.table.move_to(id.index(), Stage::Idle);
            }
            _ => {}
        }
        true
    }

    fn own(&mut self, id: ConnectionId) -> Option<&mut Slot<P::Session, P::Socket>> {
        if id.worker() == self.settings.worker { self.table.get(id.index(), id.generation()) } else { None }
    }

    /// The connections that there are, those that only wait for the peer's close left out.
    pub fn list(&self) -> impl Iterator<Item = Listed> {
        self.table.all().filter(|(_, slot)| slot.stage != Stage::Closing).map(|(index, slot)| Listed {
            id: self.id(index, slot.generation),
            peer: slot.socket.as_ref().and_then(|socket| self.port.peer(socket).address()),
            idle_ms: if slot.stage == Stage::Busy { 0 } else { self.now_ms.wrapping_sub(slot.since_ms) },
            busy: slot.stage == Stage::Busy,
            pinned: slot.pinned,
        })
    }

    /// Stops: idle connections end at once, exchanges in flight get until the deadline. Call [`expire`](Driver::expire)
    /// as ever until [`count`](Driver::count) is 0.
    pub fn stop(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(self.now_ms);
        for stage in [Stage::Fresh, Stage::Idle, Stage::Pinned, Stage::Head] {
            while self.table.oldest(stage) != NONE {
                self.end(self.table.oldest(stage), EndReason::Shutdown, false);
            }
        }
        let mut index = self.table.oldest(Stage::Busy);
        while index != NONE {
            let newer = self.table.newer(index);
            self.close_after(index, EndReason::Shutdown);
            index = newer;
        }
        self.due_in(self.settings.deadlines.flush_ms);
        // Requests that wait for a lane have arrived: they are answered too.
        self.serve_waiting();
    }

    /// Ends everything at once.
    pub fn end_all(&mut self) {
        for stage in [Stage::Fresh, Stage::Idle, Stage::Pinned, Stage::Head, Stage::Waiting, Stage::Busy] {
            while self.table.oldest(stage) != NONE {
                self.end(self.table.oldest(stage), EndReason::Shutdown, stage == Stage::Busy);
            }
        }
        while self.table.oldest(Stage::Closing) != NONE {
            self.let_go(self.table.oldest(Stage::Closing), true);
        }
    }

    /// Hands an idle connection over: its socket and its session leave this server, the session unended. `None` where it
    /// is not there or not idle.
    pub fn hand_over(&mut self, id: ConnectionId) -> Option<(P::Socket, Option<P::Session>)> {
        let slot = self.own(id)?;
        if !matches!(slot.stage, Stage::Fresh | Stage::Idle | Stage::Pinned) {
            return None;
        }
        let session = slot.session.take();
        let socket = slot.socket.take()?;
        self.table.free(id.index());
        self.port.observer().disconnected(id, EndReason::HandedOver, session.is_some());
        Some((socket, session))
    }
}

impl<P: Port> core::fmt::Debug for Driver<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Driver({} connections, {} lanes at work)", self.count(), self.attached)
    }
}

#[cfg(test)]
mod tests {
    use core::mem::size_of;

    use super::*;

    struct Adder {
        _sum: i64,
    }

    impl Session for Adder {
        fn end(self, _: EndReason) {}
    }

    /// A port whose handles are pointers, as a host's are.
    struct Host;

    impl Port for Host {
        type Session = Adder;
        type Socket = u32;
        type Wire = &'static Wire<Adder>;
        type Future = core::future::Pending<Infallible>;
        type Pinned = &'static mut Self::Future;
        type Slots = heapless::Vec<Slot<Adder, u32>, 1>;
        type Lanes = heapless::Vec<Lane<Self>, 1>;
        type Observer = ();

        fn observer(&self) -> &() {
            &()
        }
        fn peer(&self, _: &u32) -> Peer {
            Peer::Unknown
        }
        fn receive(&mut self, _: &mut u32, _: &mut [u8]) -> Received {
            Received::Blocked
        }
        fn discard(&mut self, _: &mut u32) -> Received {
            Received::Blocked
        }
        fn has_unread(&mut self, _: &mut u32) -> bool {
            false
        }
        fn send(&mut self, _: &mut u32, _: &[u8]) -> Transmitted {
            Transmitted::Blocked
        }
        fn shut(&mut self, _: &mut u32) {}
        fn release(&mut self, _: u32, _: bool) {}
        fn report(&mut self, _: Key, _: &mut u32, _: Interest) {}
        fn lane(&mut self, _: u32) -> Option<Lane<Self>> {
            None
        }
        fn renew(&mut self, _: &Self::Wire) -> Self::Future {
            core::future::pending()
        }
    }

    /// What grows is to be grown on purpose: these are the costs of an idle connection and of a lane.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn sizes() {
        let sizes = [
            size_of::<Slot<Adder, u32>>(),
            size_of::<Slot<(), u32>>(),
            size_of::<Wire<Adder>>(),
            size_of::<Lane<Host>>(),
        ];
        assert_eq!(sizes, [56, 40, 1264, 56], "slot, slot without a session, wire, lane");
    }

    #[test]
    fn times_wrap() {
        for now_ms in [0, 5, 1 << 31, u32::MAX] {
            assert!(is_due(now_ms, now_ms));
            assert!(is_due(now_ms.wrapping_sub(1), now_ms));
            assert!(!is_due(now_ms.wrapping_add(1), now_ms));
            assert!(is_due(now_ms.wrapping_sub((1 << 31) - 1), now_ms));
            assert!(!is_due(now_ms.wrapping_add((1 << 31) - 1), now_ms));
        }
        assert!(is_bound((1 << 31) - 1) && !is_bound(1 << 31) && !is_bound(crate::NEVER));
    }

    /// A store that is smaller than what is asked for is the bound.
    #[test]
    fn a_store_that_is_full() {
        let settings = DriverSettings {
            connections_max: 2,
            lanes_max: 1,
            evict: false,
            deadlines: Deadlines::BOARD,
            limits: Limits::BOARD,
            worker: 0,
        };
        let mut driver = Driver::new(Host, heapless::Vec::new(), heapless::Vec::new(), settings);
        assert!(driver.has_room());
        assert!(driver.connected(7).is_ok());
        assert!(!driver.has_room() && driver.is_full());
        assert_eq!(driver.connected(8), Err(8));
        assert_eq!(driver.count(), 1);
    }
}
