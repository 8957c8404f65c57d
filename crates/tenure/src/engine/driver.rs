//! The driver of connections: which lane serves which of them, what the port reports of each socket, and when time is up.
//!
//! A port tells it what happened (`connected`, `ready`, `woken`, `expire`) and it acts through the port's own trait. It
//! holds no clock and knows no runtime.

#[cfg(feature = "kit")]
mod check;
mod ends;
mod open;
mod port;
mod reclaim;
mod steps;
mod time;
#[cfg(all(test, feature = "kit"))]
mod unready;

use core::task::Context;

use tenure_proto::date::DATE_BYTES;

use crate::{
    Admission, Command, ConnectionId, Deadlines, EndReason, Eviction, Limits, Observer, PeerAddress,
    engine::{
        interest::Interest,
        output::Output,
        spares::Spares,
        state::{CLOSED, Change, Crowd, Ending, State},
        table::{NONE, Slot, Stage, Table},
        wire::Received,
    },
    open::opens,
};
pub use open::Pushed;
use open::{Hub, attach_open, granted_to_rest_ms};
use port::Buffers;
pub use port::{Key, Lane, Lanes, Panicked, Partial, Port, Transmitted};
use reclaim::{fit, rest};
use steps::{
    Cause, IdleLanes, MANY, Progress, answer_panic, attach, begin_turn, crowd, detach, ending, leave, receive, resting,
    send, wake_waiters,
};

/// A driver's settings.
#[derive(Clone, Copy, Debug)]
pub struct DriverSettings {
    /// The most connections.
    pub connections_max: u32,
    /// The most lanes. Where there is more than one, but fewer than connections, the last one is a reserve: no handler that
    /// [`waits_long`](crate::Methods::waits_long) begins on it.
    pub lanes_max: u32,
    /// The most connections that stay open: WebSockets and streams of events. Beyond: 503.
    pub open_max: u32,
    /// Which idle connection a new one evicts when no place is free.
    pub eviction: Eviction,
    /// Bounds in time.
    pub deadlines: Deadlines,
    /// Bounds in bytes.
    pub limits: Limits,
    /// The number of the worker, part of each [`ConnectionId`].
    pub worker: u32,
}

/// One connection of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: ConnectionId,
    /// The peer's address; `None` if the port has none, or the peer is gone.
    pub peer: Option<PeerAddress>,
    /// Milliseconds since its last use, 0 where it is busy.
    pub idle_ms: u32,
    /// Whether a request is being answered.
    pub busy: bool,
    /// Whether it has been pinned.
    pub pinned: bool,
}

/// A connection's session between two requests.
#[derive(Debug, PartialEq, Eq)]
pub enum AtRest<'a, S> {
    /// It is there.
    Session(&'a mut S),
    /// The connection has none.
    None,
    /// It is lent to a handler, or may be.
    Lent,
    /// There is no such connection any more.
    Gone,
}

/// Drives the connections of one worker.
// Small, hot fields first: the shortest instructions reach them there.
#[repr(C)]
pub struct Driver<P: Port> {
    now_ms: u32,
    idle: IdleLanes,
    dated: u32,
    /// No deadline is due before this.
    due_ms: Option<u32>,
    /// What is due first of a connection that rests, open or not.
    rest_ms: u32,
    /// How many deadlines of the table's heap were looked at.
    #[cfg(test)]
    looks: core::cell::Cell<u32>,
    stopping: Option<u32>,
    settings: DriverSettings,
    date: Option<[u8; DATE_BYTES]>,
    // Dropped before the sockets: a handler's values may ask for the peer's address when dropped.
    lanes: P::Lanes,
    spares: Spares,
    hub: Hub<P::Topics>,
    table: Table<P::Session, P::Socket, P::Slots>,
    /// The port, for its own use between calls.
    pub port: P,
}

/// The most candidates for eviction examined per newcomer.
const CANDIDATES_MAX: u32 = 16;
/// The most polls of a stream in one turn before others have theirs.
const ROUNDS_MAX: u32 = 8;

/// What a connection waits for whose peer is to take more.
#[cold]
fn awaiting(wants_body: bool) -> Interest {
    // A handler may read and write at once, and its peer take nothing before it has sent more.
    if wants_body { Interest::BOTH } else { Interest::SEND }
}

/// The same, and the peer's close where that has not come: few ask for it.
#[cold]
fn or_close(interest: Interest, has_come: bool) -> Interest {
    if has_come { interest } else { interest.and_close() }
}

impl<P: Port> Driver<P> {
    /// A driver without connections.
    pub fn new(mut port: P, slots: P::Slots, lanes: P::Lanes, settings: DriverSettings) -> Self {
        let connections_max = settings.connections_max.min(ConnectionId::INDEX_COUNT_MAX);
        // A single lane cannot be spared, and with a lane for each connection none must be.
        let has_reserve = settings.lanes_max >= MANY && settings.lanes_max < connections_max;
        let deadlines = settings.deadlines;
        let topics = port.topics();
        let reserve = if has_reserve { settings.lanes_max } else { u32::MAX };
        Driver {
            port,
            table: Table::new(slots, connections_max),
            lanes,
            spares: Spares::default(),
            hub: Hub::new(topics, settings.open_max),
            idle: IdleLanes { first: NONE, attached: 0, reserve, many: MANY },
            settings,
            now_ms: 0,
            due_ms: None,
            rest_ms: if opens() { deadlines.idle_ms.min(deadlines.ping_ms) } else { deadlines.idle_ms },
            #[cfg(test)]
            looks: core::cell::Cell::new(0),
            date: None,
            dated: 0,
            stopping: None,
        }
    }

    /// Sets the time, in milliseconds that wrap. To be called before anything else in each turn of the port.
    pub fn set_now(&mut self, now_ms: u32) {
        self.now_ms = now_ms;
    }

    /// Whether what was published has more connections to reach than one turn delivers to. [`expire`](Driver::expire) goes on with it, which
    /// is due at once: do not sleep.
    #[inline]
    pub fn has_undelivered(&self) -> bool {
        self.hub.undelivered.waits()
    }

    /// For tests of ports: begins a turn, and so to count deliveries anew, which otherwise `expire` does. Returns the same.
    #[cfg(feature = "kit")]
    pub fn turn_ended(&mut self) -> bool {
        self.hub.undelivered.begin_turn();
        self.has_undelivered()
    }

    /// For tests of ports: lets one turn deliver to so many connections, not 256.
    #[cfg(feature = "kit")]
    pub fn set_deliveries_max(&mut self, deliveries_max: u32) {
        self.hub.undelivered.set_deliveries_max(deliveries_max);
    }

    /// Sets the Date field of responses from now on.
    pub fn set_date(&mut self, date: Option<[u8; DATE_BYTES]>) {
        Output::tell_dates();
        self.date = date;
        self.dated = self.dated.wrapping_add(1);
    }

    /// All connections, including those that only wait for the peer's close.
    pub fn count(&self) -> u32 {
        self.table.count()
    }

    /// Whether every place is taken.
    pub fn is_full(&self) -> bool {
        self.table.is_full()
    }

    /// Whether a new connection finds a place, if need be that of one that has ended and lingers, or by eviction.
    pub fn has_room(&mut self) -> bool {
        self.has_place() || self.lingering().is_some() || self.victim().is_some()
    }

    fn has_place(&mut self) -> bool {
        let has_place = self.table.has_place();
        self.count_places();
        has_place
    }

    /// Call after a place has been taken or left: while all are taken, each turn asks how crowded it is.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn count_places(&mut self) {
        let is_full = self.evicts() && self.table.is_full();
        self.idle.many = if is_full { 0 } else { MANY };
    }

    fn evicts(&self) -> bool {
        self.port.evicts() && self.settings.eviction != Eviction::Never
    }

    /// Takes a new connection from that peer. If no place is free, it takes that of the connection that has lingered for the longest time
    /// behind its last response; else it evicts the idle one that [`Eviction`] names.
    ///
    /// # Errors
    /// The socket: there is no place, or the observer refuses it.
    pub fn connected(&mut self, mut socket: P::Socket, peer: Option<PeerAddress>) -> Result<Key, P::Socket> {
        if self.stopping().is_some() {
            return Err(socket);
        }
        let victim = if self.has_place() { None } else { self.lingering().or_else(|| self.victim()) };
        if victim.is_none() && self.table.is_full() {
            return Err(socket);
        }
        // The newcomer reuses the victim's slot, which heads the free list.
        let (index, generation) = match victim {
            Some(index) => (index, self.table.slot(index).generation.wrapping_add(1)),
            None => (self.table.next(), self.table.slot(self.table.next()).generation),
        };
        let (key, by) = (Key { index, generation }, self.id(index, generation));
        // Asked before the eviction: nobody is evicted for a newcomer that is refused.
        if !self.port.register(key, &mut socket)
            || self.port.tell(|observer| observer.connected(by, peer)) != Some(Admission::Accept)
        {
            return Err(socket);
        }
        if let Some(victim) = victim {
            self.give_way(victim, by);
        }
        let index = self.table.take(socket, self.now_ms)?;
        self.count_places();
        self.table.slot_mut(index).interest = Interest::RECEIVE;
        self.due(self.now_ms, self.settings.deadlines.first_byte_ms);
        Ok(key)
    }

    /// Frees the place of a connection that lingers or is idle, for a newcomer.
    #[cold]
    fn give_way(&mut self, victim: u32, by: ConnectionId) {
        let slot = self.table.slot(victim);
        if slot.stage == Stage::Closing {
            return self.release(victim, false);
        }
        let idle_ms = self.now_ms.wrapping_sub(slot.since_ms);
        let evicted = self.id(victim, slot.generation);
        let _ = self.port.tell(|observer| observer.evicted(evicted, by));
        self.end_now(victim, EndReason::Evicted { by, idle_ms }, false);
    }

    /// The connection that has lingered for the longest time. Its session has ended, and its last response is sent.
    fn lingering(&self) -> Option<u32> {
        Some(self.table.oldest(Stage::Closing)).filter(|index| *index != NONE)
    }

    /// The connection that a newcomer would evict now.
    fn victim(&mut self) -> Option<u32> {
        if !self.port.evicts() {
            return None;
        }
        let mut index = self.table.oldest(Stage::Spare);
        for _ in 0..CANDIDATES_MAX {
            if index == NONE {
                return None;
            }
            let newer = self.table.newer(index);
            let socket = self.table.slot_mut(index).socket.as_mut()?;
            // Skip one whose request has already arrived: it is not idle any more.
            if !self.port.has_unread(socket) {
                return Some(index);
            }
            index = newer;
        }
        None
    }

    /// Since when the server has been stopping; `None`: it is not.
    fn stopping(&self) -> Option<u32> {
        self.stopping.filter(|_| self.port.takes_orders())
    }

    fn id(&self, index: u32, generation: u32) -> ConnectionId {
        ConnectionId::new(self.settings.worker, index, generation)
    }

    /// A socket is ready for its reported interest; `gone`: it has failed. If there is nothing to receive after all, this does not
    /// count as use of the connection.
    #[inline]
    pub fn ready(&mut self, key: Key, gone: bool) {
        let Some(slot) = self.table.get(key.index, key.generation) else { return };
        match slot.stage {
            _ if gone => return self.ready_gone(key.index),
            Stage::Waiting => return,
            Stage::Closing | Stage::Listening | Stage::Behind => return self.ready_without_lane(key.index),
            _ => {}
        }
        let lane = match (slot.lane, slot.stage) {
            (NONE, Stage::Head) => self.give_lane(key.index),
            (NONE, _) => self.next_lane(),
            (attached, _) if self.stopping().is_some() => {
                self.receive_last(key.index, attached);
                return self.serve_waiting();
            }
            (attached, _) => Some(attached),
        };
        match lane {
            Some(lane) => self.go_on(key.index, lane, Cause::Ready),
            None => self.wait(key.index),
        }
        self.serve_waiting();
    }

    #[cold]
    fn ready_gone(&mut self, index: u32) {
        if self.table.slot(index).stage == Stage::Closing {
            return self.discard(index, true);
        }
        self.end_now(index, EndReason::PeerReset, true);
        self.serve_waiting();
    }

    /// The peer of a socket that was reported with [`Interest::CLOSE`] has closed its side.
    #[cold]
    pub fn peer_closed(&mut self, key: Key) {
        let Some(slot) = self.table.get(key.index, key.generation) else { return };
        let (lane, stage) = (slot.lane, slot.stage);
        if let Some(held) = self.lanes.get(lane)
            && stage == Stage::Busy
        {
            held.wire.shared.connection.change(|connection| connection.peer_closed = true);
            self.advance(key.index, lane, Cause::Told);
            self.serve_waiting();
        }
    }

    /// A lane was woken. Does nothing if it serves nobody.
    pub fn woken(&mut self, lane: u32) {
        let Some(index) = self.lanes.get(lane).map(Lane::connection) else { return };
        if self.is_attached(index, lane) {
            self.advance(index, lane, Cause::Woken);
            self.serve_waiting();
        }
    }

    fn is_attached(&self, index: u32, lane: u32) -> bool {
        index != NONE && self.table.is_slot(index) && {
            let slot = self.table.slot(index);
            slot.lane == lane && slot.stage == Stage::Busy
        }
    }

    /// Queues a connection with bytes for a lane. One without bytes stays as it is.
    #[cold]
    fn wait(&mut self, index: u32) {
        let now_ms = self.now_ms;
        let slot = self.table.slot_mut(index);
        if slot.stage != Stage::Head {
            if !slot.socket.as_mut().is_some_and(|socket| self.port.has_unread(socket)) {
                return;
            }
            slot.since_ms = now_ms;
        }
        self.table.move_to(index, Stage::Waiting);
        self.table.slot_mut(index).mark = now_ms;
        self.report(index, Interest::NONE);
        self.due(self.now_ms, self.settings.deadlines.handler_ms);
    }

    /// Gives free lanes to waiting connections, first come, first served.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn serve_waiting(&mut self) {
        while self.table.oldest(Stage::Waiting) != NONE {
            let index = self.table.oldest(Stage::Waiting);
            let Some(lane) = self.give_lane(index) else { return };
            if self.stopping().is_some() {
                self.receive_last(index, lane);
            } else {
                self.advance(index, lane, Cause::Ready);
            }
        }
    }

    /// The lane that a connection gets next.
    fn next_lane(&mut self) -> Option<u32> {
        if self.idle.first == NONE { self.new_lane() } else { Some(self.idle.first) }
    }

    /// The further part of attaching, for a connection whose request began before.
    #[cold]
    fn attach_late(&mut self, index: u32, number: u32) {
        let stopping = self.stopping();
        let (lane, slot) = (self.lanes.lane_mut(number), self.table.slot_mut(index));
        let shared = &lane.wire.shared;
        shared.connection.change(|connection| connection.arrived_ms = slot.since_ms);
        let mut input = shared.input.borrow_mut();
        if let Some((bytes, partial)) = self.port.take_back(index, &mut input.buffer) {
            input.take_back(bytes, partial);
        }
        if opens() && slot.open.route != CLOSED {
            slot.open.flags.set_partial(false);
            // What had come by then has been given time for.
            let granted_ms = granted_to_rest_ms(input.end, &self.settings.deadlines);
            shared.connection.change(|connection| {
                connection.arrived_ms = connection.arrived_ms.wrapping_sub(granted_ms);
            });
        }
        drop(input);
        if slot.stage == Stage::Waiting {
            // The wait for a lane counts towards the request's deadline.
            let waited_ms = self.now_ms.wrapping_sub(slot.mark);
            shared.connection.change(|connection| {
                connection.waited_ms = waited_ms;
                // While the server stops, only waiting connections get a lane.
                if let Some(stopped_ms) = stopping {
                    connection.end_behind(Ending::Shutdown, stopped_ms);
                }
            });
            self.report(index, Interest::RECEIVE);
        }
    }

    /// Gives a lane to a connection whose request began before.
    #[cold]
    #[inline(never)]
    fn give_lane(&mut self, index: u32) -> Option<u32> {
        let number = self.next_lane()?;
        let Driver { port, table, lanes, spares, hub, idle, settings, now_ms, .. } = self;
        let (lane, slot) = (lanes.lane_mut(number), table.slot_mut(index));
        attach((index, number), lane, slot, idle, port, settings, *now_ms);
        if P::SHRINK && lane.buffers == Buffers::Few {
            fit(lane, spares);
        }
        if opens() && slot.open.route != CLOSED {
            attach_open(lane, slot, hub, *now_ms);
        }
        if matches!(slot.stage, Stage::Head | Stage::Waiting) {
            self.attach_late(index, number);
        }
        Some(number)
    }

    #[cold]
    fn new_lane(&mut self) -> Option<u32> {
        let number = self.next_number();
        if number >= self.settings.lanes_max {
            return None;
        }
        let lane = self.port.lane(number)?;
        self.hub.tell(&lane.wire.shared.open);
        if !self.lanes.put(number, lane) {
            return None;
        }
        self.lane_made(number);
        Some(number)
    }

    /// [`go_on`](Driver::go_on), not inlined.
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn advance(&mut self, index: u32, number: u32, cause: Cause) {
        self.go_on(index, number, cause);
    }

    /// One turn of a lane: attaches it if the connection has none, receives once if the socket is ready, polls it, sends its
    /// output, and files connection and lane by their new state. Inlined only on every request's path; others call
    /// [`advance`](Driver::advance).
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn go_on(&mut self, index: u32, number: u32, cause: Cause) {
        let Driver { port, table, lanes, spares, hub, idle, settings, now_ms, date, dated, .. } = self;
        let (lane, slot) = (lanes.lane_mut(number), table.slot_mut(index));
        let is_at_rest = cause == Cause::Ready && slot.lane == NONE;
        if is_at_rest {
            attach((index, number), lane, slot, idle, port, settings, *now_ms);
            if opens() && slot.open.route != CLOSED {
                attach_open(lane, slot, hub, *now_ms);
            }
        }
        if P::SHRINK && lane.buffers == Buffers::Few {
            fit(lane, spares);
        }
        if cause == Cause::Ready && slot.interest.receives() {
            match receive(lane, slot, port) {
                Some(Received::Reset) => return self.end_now(index, EndReason::PeerReset, true),
                Some(Received::Blocked) if is_at_rest => return self.leave_at_rest(index, number),
                _ => {}
            }
        }
        let mut keeps_wants = wake_waiters(&lane.wire.shared, cause);
        let crowd = if idle.attached < idle.many { Crowd::NONE } else { crowd(idle, slot, port) };
        let mut rounds = 0;
        loop {
            begin_turn(lane, *now_ms, crowd, keeps_wants, (*dated, date.as_ref()));
            if port.poll(lane.future.as_mut(), &mut Context::from_waker(&lane.waker)).is_err() {
                answer_panic(lane, port);
                continue;
            }
            if opens() && lane.wire.shared.open.has_said.get() {
                return self.obey_and_go_on(index, number);
            }
            let sent = send(lane, slot, port);
            let shared = &lane.wire.shared;
            match shared.state.get() {
                // The most common outcome, so it is tested first.
                State::Between if !lane.blocked => {
                    if !leave((number, lane), slot, idle, port, *now_ms) {
                        return self.close_idle(index, number);
                    }
                    let moves = lane.wire.shared.connection.get().moves;
                    if P::SHRINK && lane.buffers == Buffers::AllAgain {
                        rest(lane, spares);
                    }
                    // Usually no other connection has become idle since, and this one is still the newest: nothing to move.
                    if moves || !slot.is_newest_at_rest() || slot.interest != Interest::RECEIVE {
                        if opens() && slot.open.route != CLOSED && hub.has_backlog(index) {
                            return self.lie_open_or_catch_up(index);
                        }
                        self.rest_elsewhere(index, number, moves);
                    }
                    return self.due(self.now_ms, self.rest_ms);
                }
                _ if sent == Progress::Reset => return self.end_now(index, EndReason::PeerReset, true),
                // Room was made: continue the response, up to a bound, so that others have their turns.
                State::Exchange if sent == Progress::Some && shared.turn.get().wants_room && rounds < ROUNDS_MAX => {
                    rounds += 1;
                    shared.waiters.wake();
                    keeps_wants = false;
                }
                State::Head if !lane.blocked => return self.put_away_or_hold(index, number),
                State::Silent if opens() && !lane.blocked => return self.rest_open(index, number),
                State::Close if !lane.blocked => return self.close(index, number),
                State::Abort => return self.abort(index, number),
                _ => return self.hold(index, number),
            }
        }
    }

    /// Does what a handler has said to others, and goes on behind that.
    #[cold]
    #[inline(never)]
    fn obey_and_go_on(&mut self, index: u32, number: u32) {
        let Driver { port, table, lanes, .. } = self;
        let lane = lanes.lane_mut(number);
        // Who joins has joined before its peer hears of it. What is published goes out behind the answer of who publishes it.
        if !lane.wire.shared.open.journal.borrow().joins {
            // The lane's own turn finds a reset.
            let _ = send(lane, table.slot_mut(index), port);
        }
        self.obey_journal(index, number);
        // Polled once more: its state is as it was.
        self.advance(index, number, Cause::Told);
    }

    /// Puts a connection that its lane has left where it belongs while it is idle.
    #[inline(never)]
    fn rest_elsewhere(&mut self, index: u32, number: u32, moves: bool) {
        let Driver { port, table, lanes, settings, .. } = self;
        let slot = table.slot_mut(index);
        if moves && let Some(pinned) = lanes.lane(number).wire.shared.connection.get().pin {
            slot.pinned = pinned;
        }
        let stage = resting(slot, port.evicts(), settings.eviction);
        if slot.pinned && stage != Stage::Open {
            self.watch(index, Stage::Pinned);
        } else {
            table.move_to(index, stage);
        }
        self.report(index, Interest::RECEIVE);
    }

    /// Takes a lane back from a connection that sent nothing: not a use, so stage and deadlines stay.
    #[cold]
    #[inline(never)]
    fn leave_at_rest(&mut self, index: u32, number: u32) {
        if opens() {
            self.keep_controls(index, number);
            let slot = self.table.slot_mut(index);
            slot.open.missed =
                slot.open.missed.saturating_add(self.lanes.lane(number).wire.shared.connection.get().missed);
        }
        self.detach(index, number);
    }

    /// Resets a connection whose response cannot be finished, but only after the responses before it have been sent.
    #[cold]
    #[inline(never)]
    fn abort(&mut self, index: u32, number: u32) {
        let lane = self.lanes.lane(number);
        let shared = &lane.wire.shared;
        if lane.blocked && shared.output.borrow().has_whole() {
            return self.hold(index, number);
        }
        self.end_now(index, shared.connection.get().reason, true);
    }

    /// Lets an incomplete head wait: put away if the port can keep it, otherwise on its lane.
    fn put_away_or_hold(&mut self, index: u32, number: u32) {
        if !self.put_away(index, number) {
            self.hold(index, number);
        }
    }

    /// Keeps the lane on its connection until something happens.
    fn hold(&mut self, index: u32, number: u32) {
        let goes_on = self.table.slot(index).stage == Stage::Busy;
        if opens() && self.hub.has_backlog(index) {
            self.feed(index, number);
        }
        let lane = self.lanes.lane_mut(number);
        let shared = &lane.wire.shared;
        let turn = shared.turn.get();
        if turn.sleeps() && shared.clock.get().is_none() {
            return self.tell_clock(index, number);
        }
        let connection = shared.connection.get();
        let receives =
            !connection.ended && (matches!(shared.state.get(), State::Head | State::Silent) || turn.wants_body);
        // A stream that has used up its turn goes on once the socket takes more.
        let awaits_peer = lane.blocked || turn.wants_room;
        lane.count_wait(goes_on, awaits_peer, self.now_ms, self.settings.deadlines.response_bytes_per_s);
        let mut interest = if awaits_peer {
            awaiting(turn.wants_body && !connection.ended)
        } else if receives {
            Interest::RECEIVE
        } else {
            Interest::NONE
        };
        if turn.wants.close() {
            interest = or_close(interest, connection.ended || connection.peer_closed);
        }
        self.watch_exchange(index, number);
        self.report(index, interest);
        if P::SHRINK && self.idle.attached > 1 {
            self.slim_down(number);
        }
    }

    /// Gives a lane the clock, as its handler begins to sleep.
    #[cold]
    #[inline(never)]
    fn tell_clock(&mut self, index: u32, number: u32) {
        self.lanes.lane(number).wire.shared.clock.set(Some(self.port.clock()));
        self.advance(index, number, Cause::Told);
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    fn report(&mut self, index: u32, interest: Interest) {
        let slot = self.table.slot_mut(index);
        if slot.interest != interest
            && let Some(socket) = &mut slot.socket
        {
            slot.interest = interest;
            self.port.report(Key { index, generation: slot.generation }, socket, interest);
        }
    }

    /// Ends a connection at a message boundary because its peer has closed, or because it is to close. If more had come before a
    /// stop, receives that first.
    #[cold]
    fn close_idle(&mut self, index: u32, number: u32) {
        let shared = &self.lanes.lane(number).wire.shared;
        let (ending, ended) = (ending(&self.port, shared), shared.connection.get().ended);
        let Some(ending) = ending.filter(|_| !ended) else { return self.end_now(index, EndReason::PeerClosed, false) };
        self.settle_last(index, number);
        let shared = &self.lanes.lane(number).wire.shared;
        if shared.connection.get().unread {
            // Receive that next.
            shared.state.set(State::Head);
            return self.hold(index, number);
        }
        shared.connection.change(|connection| connection.reason = ending.into());
        self.close(index, number);
    }

    /// Takes the session back from a lane and puts the lane on top of the free ones.
    fn detach(&mut self, index: u32, number: u32) {
        let (lane, slot) = (self.lanes.lane_mut(number), self.table.slot_mut(index));
        detach(number, lane, slot, &mut self.idle);
    }

    /// Puts an incomplete head away, so that its connection waits without a lane. `false`: it keeps its lane.
    fn put_away(&mut self, index: u32, number: u32) -> bool {
        let shared = &self.lanes.lane(number).wire.shared;
        if shared.connection.get().ended || ending(&self.port, shared).is_some() {
            self.close_idle(index, number);
            return true;
        }
        let mut input = shared.input.borrow_mut();
        if !self.port.put_away(index, input.unread(), Partial::Head(input.parser)) {
            return false;
        }
        input.clear();
        drop(input);
        let slot = self.table.slot_mut(index);
        if let Some(pinned) = shared.connection.get().pin {
            slot.pinned = pinned;
        }
        // A few more bytes do not move the head's deadline.
        slot.since_ms = shared.connection.get().arrived_ms;
        shared.state.set(State::Between);
        self.watch(index, Stage::Head);
        self.report(index, Interest::RECEIVE);
        self.detach(index, number);
        true
    }

    /// Protects a connection from eviction, or no longer does, which counts as a use. Returns whether the connection exists.
    pub fn pin(&mut self, id: ConnectionId, pinned: bool) -> bool {
        let now_ms = self.now_ms;
        let (evicts, eviction) = (self.port.evicts(), self.settings.eviction);
        let Some(slot) = self.own(id) else { return false };
        slot.pinned = pinned;
        match (slot.stage, pinned) {
            // The idle deadline stays.
            (Stage::Idle | Stage::Spare, true) => self.watch(id.index(), Stage::Pinned),
            (Stage::Pinned, false) => {
                slot.since_ms = now_ms;
                let stage = resting(slot, evicts, eviction);
                self.table.move_to(id.index(), stage);
            }
            _ => {}
        }
        true
    }

    /// The session of a connection, as long as no lane has it.
    pub fn session(&mut self, id: ConnectionId) -> AtRest<'_, P::Session> {
        match self.own(id) {
            None => AtRest::Gone,
            Some(slot) if slot.stage == Stage::Closing => AtRest::Gone,
            Some(slot) if slot.lane != NONE => AtRest::Lent,
            Some(slot) => slot.session.as_mut().map_or(AtRest::None, AtRest::Session),
        }
    }

    /// Obeys a handle's command.
    pub fn obey(&mut self, command: Command) {
        match command {
            Command::Close(id) => self.close_connection(id),
            Command::CloseNow(id) => self.close_connection_now(id),
            Command::Pin(id, pinned) => self.pin(id, pinned),
        };
    }

    fn own(&mut self, id: ConnectionId) -> Option<&mut Slot<P::Session, P::Socket>> {
        if id.worker() == self.settings.worker { self.table.get(id.index(), id.generation()) } else { None }
    }

    /// The open connections, without those that only wait for the peer's close.
    pub fn list(&self) -> impl Iterator<Item = Listed> {
        self.table.all().filter(|(_, slot)| slot.stage != Stage::Closing).map(|(index, slot)| Listed {
            id: self.id(index, slot.generation),
            peer: slot.socket.as_ref().and_then(|socket| self.port.peer(socket).address()),
            idle_ms: if slot.stage == Stage::Busy { 0 } else { self.now_ms.wrapping_sub(slot.since_ms) },
            busy: slot.stage == Stage::Busy,
            pinned: slot.pinned,
        })
    }
}

impl<P: Port> core::fmt::Debug for Driver<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Driver({} connections, {} lanes at work)", self.count(), self.idle.attached)
    }
}

#[cfg(test)]
mod tests {
    use core::{
        marker::PhantomData,
        mem::size_of,
        num::NonZeroU32,
        sync::atomic::{AtomicU32, Ordering},
    };

    use super::{time::is_bound, *};
    use crate::{Session, engine::table::is_due, engine::wire::Wire, peer::Peer};
    use core::convert::Infallible;

    struct Adder {
        _sum: i64,
    }

    impl Session for Adder {
        fn end(self, _: EndReason) {}
    }

    /// A port with pointers as handles, as on hosts, that catches no panic. It has room for `N` connections.
    struct Host<S, const N: usize>(PhantomData<S>);

    impl<S: Session + 'static, const N: usize> Port for Host<S, N> {
        type Session = S;
        type Socket = u32;
        type Wire = &'static Wire<S>;
        type Future = core::future::Pending<Infallible>;
        type Pinned = &'static mut Self::Future;
        type Slots = heapless::Vec<Slot<S, u32>, N>;
        type Lanes = heapless::Vec<Lane<Self>, 1>;
        type Topics = ();
        type Observer = ();

        fn observer(&self) -> &() {
            &()
        }
        fn peer(&self, _: &u32) -> Peer {
            Peer::known(None)
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

    /// The costs of an idle connection and of a lane, which must not grow by accident.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn sizes() {
        let sizes = [
            // A descriptor has a niche, too.
            size_of::<Slot<Adder, NonZeroU32>>(),
            size_of::<Slot<(), NonZeroU32>>(),
            size_of::<Wire<Adder>>(),
            size_of::<Lane<Host<Adder, 1>>>(),
        ];
        // Boards remember shorter heads, and why a value was refused where values are read.
        let reasons = if cfg!(feature = "serde") { 192 } else { 0 };
        let wire = if tenure_proto::bytes::WORDS { 1616 } else { 1296 + reasons };
        assert_eq!(sizes, [56, 40, wire, 64], "slot, slot without a session, wire, lane");
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

    fn driver<S: Session + 'static, const N: usize>(connections_max: u32) -> Driver<Host<S, N>> {
        let settings = DriverSettings {
            connections_max,
            lanes_max: 1,
            open_max: 0,
            eviction: Eviction::Never,
            deadlines: Deadlines::BOARD,
            limits: Limits::BOARD,
            worker: 0,
        };
        Driver::new(Host(PhantomData), heapless::Vec::new(), heapless::Vec::new(), settings)
    }

    /// With a port that catches no panic: if a session's end panics, every other session still ends, once.
    #[test]
    #[cfg(feature = "std")]
    fn a_panic_in_the_end_of_one_of_many() {
        static ENDED: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];
        struct Numbered(usize);
        impl Session for Numbered {
            fn end(self, _: EndReason) {
                ENDED[self.0].fetch_add(1, Ordering::Relaxed);
                assert!(self.0 != 1, "on purpose");
            }
        }
        let unwound = crate::port::contain(|| {
            let mut driver = driver::<Numbered, 4>(4);
            for number in 0..4 {
                let key = driver.connected(number, None).unwrap();
                driver.table.slot_mut(key.index).session = Some(Numbered(number as usize));
            }
            driver.end_all();
        });
        assert_eq!(unwound, None);
        assert_eq!(ENDED.each_ref().map(|ended| ended.load(Ordering::Relaxed)), [1; 4]);
    }

    /// A store smaller than the settings is the bound.
    #[test]
    fn a_store_that_is_full() {
        let mut driver = driver::<Adder, 1>(2);
        assert!(driver.has_room());
        assert!(driver.connected(7, None).is_ok());
        assert!(!driver.has_room() && driver.is_full());
        assert_eq!(driver.connected(8, None), Err(8));
        assert_eq!(driver.count(), 1);
    }
}
