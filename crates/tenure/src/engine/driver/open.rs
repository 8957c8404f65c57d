//! Connections that stay open: how they rest without a lane, and what is pushed to them.

use tenure_proto::{
    events::KEEP_ALIVE,
    websocket::{Close, CloseCode, frame},
};

use super::{Buffers, Driver, Interest, Key, Lane, Lanes, Partial, Port, Transmitted, fit, rest};
#[cfg(feature = "alloc")]
use crate::open::{history::Resume, undelivered::Publication};
use crate::{
    ConnectionId, Deadline, Deadlines, EndReason,
    engine::{
        state::{CLOSED, Change, ConnectionState, EVENTS, Order, State},
        table::{NONE, OpenSlot, Slot, Stage},
        wire::{Open, Received, Shared},
    },
    open::{
        backlog::{Backlogs, Copied},
        controls::RestingControls,
        journal::Act,
        opens,
        topic::{Kind, TopicKey, Topics},
        undelivered::Undelivered,
    },
    settings::granted_ms,
};

/// What became of a message that was pushed to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Pushed {
    /// It is on its way, or waits for its socket.
    Taken,
    /// Too much waits for its peer: it was left out, and counted.
    Behind,
    /// There is no such connection, or it does not take what was pushed.
    Gone,
}

/// What a driver knows of the connections that stay open.
pub(super) struct Hub<T> {
    topics: T,
    backlogs: Backlogs,
    pub(super) undelivered: Undelivered,
    controls: RestingControls,
    /// How many connections are open.
    count: u32,
    max: u32,
}

impl<T: Topics> Hub<T> {
    pub(super) fn new(topics: T, max: u32) -> Self {
        let (backlogs, undelivered, controls) = Default::default();
        Hub { topics, backlogs, undelivered, controls, count: 0, max }
    }

    /// Tells a lane how many pings and pongs its connection has sent in this second.
    #[cold]
    fn recall_controls(&mut self, shared: &Shared, index: u32, now_ms: u32) {
        let controls = self.controls.take(index, now_ms);
        if controls.count > 0 {
            shared.open.controls.set(controls);
            // It rests where that is kept.
            shared.connection.change(|connection| connection.hears = false);
        }
    }

    /// Tells a lane what it must know of others.
    pub(super) fn tell(&self, open: &Open) {
        open.is_full.set(self.is_full());
        open.heard.tell(&self.topics);
    }

    /// Whether something waits for that connection's peer.
    #[inline]
    pub(super) fn has_backlog(&self, index: u32) -> bool {
        self.backlogs.has(index)
    }

    pub(super) fn is_full(&self) -> bool {
        self.count >= self.max
    }

    /// For tests: so many are open, and something waits only for connections that are there.
    #[cfg(feature = "kit")]
    pub(super) fn check(&self, count: u32, is_there: impl Fn(u32) -> bool) {
        assert_eq!(self.count, count, "connections that are open");
        assert!(self.backlogs.all_of(is_there), "something waits for a connection that is gone");
    }
}

/// Sends what there is room for, where a heap keeps the rest; all of it or nothing where none does.
fn push_bytes<P: Port>(port: &mut P, socket: &mut P::Socket, bytes: &[u8]) -> Transmitted {
    if cfg!(feature = "alloc") { port.send(socket, bytes) } else { port.push(socket, bytes) }
}

/// Tells a lane that its connection is open.
pub(super) fn attach_open<P: Port>(
    lane: &mut Lane<P>,
    slot: &mut Slot<P::Session, P::Socket>,
    hub: &mut Hub<P::Topics>,
    now_ms: u32,
) {
    let open = slot.open;
    slot.open.missed = 0;
    let shared = &lane.wire.shared;
    // A panic of an earlier request is not this connection's.
    shared.request.change(|request| request.panicked = false);
    shared.connection.change(|connection| {
        connection.hears = open.missed == 0;
        (connection.order, connection.route) = (Some(Order::Hear), open.route);
        connection.missed = open.missed;
    });
    if !hub.controls.is_empty() {
        hub.recall_controls(shared, lane.slot, now_ms);
    }
}

/// The time that so many bytes of a message have been granted which are put away: no more than lets its deadline stay within the
/// clock's range.
pub(super) fn granted_to_rest_ms(bytes: usize, deadlines: &Deadlines) -> u32 {
    let most_ms = (i32::MAX as u32).saturating_sub(deadlines.body_ms);
    granted_ms(bytes as u64, deadlines.body_bytes_per_s).min(most_ms)
}

impl<P: Port> Driver<P> {
    /// A socket is ready whose connection needs no lane for that.
    #[cold]
    #[inline(never)]
    pub(super) fn ready_without_lane(&mut self, index: u32) {
        match self.table.slot(index).stage {
            Stage::Closing => self.discard(index, false),
            Stage::Listening if opens() => self.ignore(index),
            Stage::Behind if opens() => self.catch_up(index),
            _ => {}
        }
    }

    /// Drops what the client of a stream of events sends; its close ends the stream.
    fn ignore(&mut self, index: u32) {
        let slot = self.table.slot_mut(index);
        let Some(socket) = &mut slot.socket else { return };
        match self.port.discard(socket) {
            Received::Closed => self.end_now(index, EndReason::PeerClosed, false),
            Received::Reset => self.end_now(index, EndReason::PeerReset, true),
            Received::Bytes(_) | Received::Blocked => {}
        }
    }

    /// An open connection has nothing to do but perhaps to wait for the rest of a message: it rests without a lane.
    #[inline(never)]
    pub(super) fn rest_open(&mut self, index: u32, number: u32) {
        let lane = self.lanes.lane(number);
        let shared = &lane.wire.shared;
        let connection = shared.connection.get();
        if connection.ended {
            return self.end_now(index, EndReason::PeerClosed, false);
        }
        let mut input = shared.input.borrow_mut();
        let mut partial_bytes = None;
        if let Some((bytes, message)) = input.partial() {
            if !self.port.put_away(index, bytes, Partial::Message(message)) {
                drop(input);
                return self.hold(index, number);
            }
            partial_bytes = Some(bytes.len());
            input.clear();
        }
        drop(input);
        shared.state.set(State::Between);
        self.note_open(index, connection);
        self.keep_controls(index, number);
        let now_ms = self.now_ms;
        let (lane, slot) = (self.lanes.lane_mut(number), self.table.slot_mut(index));
        if let Some(pinned) = connection.pin {
            slot.pinned = pinned;
        }
        slot.open.missed = slot.open.missed.saturating_add(connection.missed);
        slot.since_ms = now_ms;
        super::steps::detach(number, lane, slot, &mut self.idle);
        if P::SHRINK && lane.buffers == Buffers::AllAgain {
            rest(lane, &mut self.spares);
        }
        if let Some(bytes) = partial_bytes {
            // The rest must come at the rate of a body.
            let granted_ms = granted_to_rest_ms(bytes, &self.settings.deadlines);
            slot.since_ms = connection.arrived_ms.wrapping_add(granted_ms);
        }
        slot.open.flags.set_partial(partial_bytes.is_some());
        self.lie_open_or_catch_up(index);
    }

    /// Files an open connection that a lane has left.
    #[cold]
    pub(super) fn lie_open_or_catch_up(&mut self, index: u32) {
        if self.hub.backlogs.has(index) {
            self.fall_behind(index);
            return self.catch_up(index);
        }
        self.lie_open(index);
    }

    /// Files an open connection whose peer has all that it was sent.
    #[inline]
    fn lie_open(&mut self, index: u32) {
        let slot = self.table.slot(index);
        if slot.open.flags.is_partial() {
            self.watch(index, Stage::Head);
            return self.report(index, Interest::RECEIVE);
        }
        let stage = if slot.open.route == EVENTS { Stage::Listening } else { Stage::Open };
        if !slot.is_newest(stage) || slot.interest != Interest::RECEIVE {
            self.table.move_to(index, stage);
            self.report(index, Interest::RECEIVE);
        }
        self.due(self.now_ms, self.settings.deadlines.ping_ms);
    }

    /// Keeps how many pings and pongs a connection has sent that its lane leaves.
    pub(super) fn keep_controls(&mut self, index: u32, number: u32) {
        let controls = self.lanes.lane(number).wire.shared.open.controls.take();
        if controls.count > 0 {
            self.hub.controls.keep(index, controls);
        }
    }

    /// Notes in its slot that a connection is open.
    fn note_open(&mut self, index: u32, connection: ConnectionState) {
        let slot = self.table.slot_mut(index);
        let is_new = slot.open.route == CLOSED;
        slot.open.route = connection.route;
        if is_new {
            slot.open.flags.set_closes_behind(connection.closes_behind);
            self.count_open(true);
        }
    }

    #[cold]
    fn count_open(&mut self, one_more: bool) {
        let was_full = self.hub.is_full();
        self.hub.count = if one_more { self.hub.count + 1 } else { self.hub.count - 1 };
        let is_full = self.hub.is_full();
        if is_full != was_full {
            self.tell_lanes();
        }
    }

    /// Tells all lanes what they must know of others: it has changed.
    #[cold]
    fn tell_lanes(&self) {
        for number in 0..self.lanes.end() {
            if let Some(lane) = self.lanes.get(number) {
                self.hub.tell(&lane.wire.shared.open);
            }
        }
    }

    /// Who has joined what has changed. Lanes look themselves where that is counted for all workers.
    fn joined_changed(&self) {
        if !P::Topics::COUNTS {
            self.tell_lanes();
        }
    }

    /// Drops what is known of a connection that was open: it has ended.
    #[cold]
    pub(super) fn forget_open(&mut self, index: u32) {
        let slot = self.table.slot_mut(index);
        let key = Key { index, generation: slot.generation };
        if slot.open.flags.is_partial() {
            // What was put away is dropped.
            let _ = self.port.take_back(index, &mut []);
        }
        slot.open = OpenSlot::default();
        self.hub.backlogs.remove(index);
        self.hub.controls.forget(index);
        let table = &self.table;
        self.hub.topics.ended(key, |key| {
            table.is_slot(key.index) && {
                let slot = table.slot(key.index);
                slot.generation == key.generation && slot.open.route != CLOSED
            }
        });
        self.joined_changed();
        self.count_open(false);
    }

    /// Does what a handler has said to others.
    #[cold]
    #[inline(never)]
    pub(super) fn obey_journal(&mut self, index: u32, number: u32) {
        let shared = &self.lanes.lane(number).wire.shared;
        shared.open.has_said.set(false);
        let connection = shared.connection.get();
        let mut journal = shared.open.journal.take();
        let key = Key { index, generation: self.table.slot(index).generation };
        if connection.route != CLOSED {
            self.note_open(index, connection);
        }
        let mut at = 0;
        while let Some((act, topic, content, next)) = journal.read(at) {
            at = next;
            match act {
                Act::Publish => {
                    if self.port.published(topic, content) {
                        self.publish(topic, content);
                        // Whoever publishes gets it before what it is told next.
                        self.hurry(key);
                    }
                }
                Act::Leave => self.hub.topics.leave(topic, key),
                // One that did not open after all joins nothing.
                Act::Join | Act::Resume if connection.route == CLOSED => {}
                Act::Resume => self.obey_resume(key, topic, content),
                Act::Join => {
                    self.hurry(key);
                    if !self.hub.topics.join(topic, key) {
                        log::error!("there is no topic {topic:?} here: a board has 0 to 15 of each kind");
                    }
                }
            }
        }
        self.joined_changed();
        journal.clear();
        if let Some(lane) = self.lanes.get(number) {
            *lane.wire.shared.open.journal.borrow_mut() = journal;
        }
    }

    #[cfg(feature = "alloc")]
    fn obey_resume(&mut self, key: Key, topic: TopicKey, resume: &[u8]) {
        let Some(Resume { events, .. }) = Resume::read(resume) else { return };
        if self.port.resumes(key, topic, events, resume) {
            self.resume(key, topic, resume);
        }
    }

    #[cfg(not(feature = "alloc"))]
    #[expect(clippy::unused_self, reason = "as with a heap")]
    fn obey_resume(&mut self, _: Key, _: TopicKey, _: &[u8]) {}

    /// Lets a stream of events join a topic that keeps its last ones, behind those that it has missed. `resume` is what
    /// [`Port::resumes`] was told.
    #[cfg(feature = "alloc")]
    pub fn resume(&mut self, key: Key, topic: TopicKey, resume: &[u8]) {
        let Some(resume) = Resume::read(resume) else { return };
        self.hurry(key);
        self.keep(topic, resume.events);
        if let Some(id) = resume.id {
            let (is_kept, events) = self.hub.topics.kept_after(topic, id.as_bytes());
            if !is_kept && !resume.if_missed.is_empty() {
                let _ = self.push_one(key, topic.kind, resume.if_missed, &mut Copied::default());
            }
            for event in events {
                let _ = self.push_one(key, topic.kind, &event, &mut Copied::of(&event));
            }
        }
        if self.table.get(key.index, key.generation).is_some() {
            self.hub.topics.join(topic, key);
            self.joined_changed();
        }
    }

    /// Begins to keep the last events of a topic, so many, if they are not kept.
    #[cfg(feature = "alloc")]
    pub fn keep(&mut self, topic: TopicKey, events: u16) {
        self.hub.topics.keep(topic, events);
    }

    /// Keeps no events of a topic any more.
    #[cfg(feature = "alloc")]
    pub fn keep_none(&mut self, topic: TopicKey) {
        self.hub.topics.keep_none(topic);
    }

    /// Keeps an event, where its topic keeps some.
    #[cfg(feature = "alloc")]
    #[inline]
    fn keep_event(&mut self, topic: TopicKey, bytes: &[u8], copied: &mut Copied) {
        if self.hub.topics.keeps(topic) {
            self.hub.topics.keep_event(topic, &copied.get(bytes));
        }
    }

    /// Sends bytes, a whole message or event, to one open connection of this worker.
    pub fn push(&mut self, id: ConnectionId, kind: Kind, bytes: &[u8]) -> Pushed {
        if id.worker() != self.settings.worker {
            return Pushed::Gone;
        }
        let key = Key { index: id.index(), generation: id.generation() };
        self.hurry(key);
        self.push_one(key, kind, bytes, &mut Copied::default())
    }

    /// Sends bytes, a whole message or event, to all of this worker's connections that have joined a topic.
    pub fn publish(&mut self, topic: TopicKey, bytes: &[u8]) {
        self.publish_copied(topic, bytes, &mut Copied::default());
    }

    /// The same of what is shared already: nobody for whom it waits needs a copy.
    #[cfg(feature = "alloc")]
    pub fn publish_shared(&mut self, topic: TopicKey, bytes: &alloc::sync::Arc<[u8]>) {
        self.publish_copied(topic, bytes, &mut Copied::of(bytes));
    }

    #[cfg(feature = "alloc")]
    fn publish_copied(&mut self, topic: TopicKey, bytes: &[u8], copied: &mut Copied) {
        self.keep_event(topic, bytes, copied);
        let mut from = None;
        if !self.hub.undelivered.waits() {
            let room = self.hub.undelivered.room();
            match self.deliver(u64::MAX, (topic, bytes), None, room, copied) {
                Ok(deliveries) => return self.hub.undelivered.count(deliveries),
                Err(next) => from = Some(next),
            }
            self.hub.undelivered.count(room);
        }
        self.deliver_later(Publication { topic, bytes: copied.get(bytes), from });
    }

    /// Without a heap there are few connections: all of them in one turn.
    #[cfg(not(feature = "alloc"))]
    fn publish_copied(&mut self, topic: TopicKey, bytes: &[u8], copied: &mut Copied) {
        let _ = self.deliver(u64::MAX, (topic, bytes), None, u32::MAX, copied);
    }

    /// Delivers to those who have joined, from that one on, and get publications of that number: so many at the most.
    #[inline(never)]
    fn deliver(
        &mut self,
        number: u64,
        (topic, bytes): (TopicKey, &[u8]),
        from: Option<Key>,
        most: u32,
        copied: &mut Copied,
    ) -> Result<u32, Key> {
        let mut topics = core::mem::take(&mut self.hub.topics);
        let begins = self.hub.undelivered.take_begins();
        // In the order of the keys, as those who have joined.
        let mut later = begins.later_than(number);
        let mut next = later.next();
        let mut from_index = next.map_or(NONE, |next| next.index);
        let visited = topics.visit(topic, from, most, |key| {
            if key.index >= from_index {
                while next.is_some_and(|next| next < key) {
                    next = later.next();
                }
                from_index = next.map_or(NONE, |next| next.index);
                if next == Some(key) {
                    return true;
                }
            }
            self.push_to(key, topic.kind, bytes, copied) != Pushed::Gone
        });
        drop(later);
        self.hub.undelivered.put_begins(begins);
        self.hub.topics = topics;
        visited
    }

    /// Lets a publication wait for the next turn, which comes at once.
    #[cfg(feature = "alloc")]
    #[cold]
    #[inline(never)]
    fn deliver_later(&mut self, publication: Publication) {
        while self.hub.undelivered.is_full() {
            self.deliver_first(u32::MAX);
        }
        self.hub.undelivered.push(publication);
        self.due(self.now_ms, 0);
    }

    /// Delivers what has waited longest, to so many at the most.
    #[cfg(feature = "alloc")]
    fn deliver_first(&mut self, most: u32) {
        let Some((number, publication)) = self.hub.undelivered.pop() else { return };
        let Publication { topic, bytes, from } = publication;
        let mut copied = Copied::of(&bytes);
        match self.deliver(number, (topic, &bytes), from, most, &mut copied) {
            Ok(deliveries) => self.hub.undelivered.count(deliveries),
            Err(next) => {
                self.hub.undelivered.count(most);
                self.hub.undelivered.put_back(Publication { topic, bytes, from: Some(next) });
            }
        }
        if !self.hub.undelivered.waits() {
            self.hub.undelivered.forget();
        }
    }

    /// Goes on with what has been published, as far as this turn has room for it.
    #[cfg(feature = "alloc")]
    pub(super) fn deliver_waiting(&mut self) {
        while self.hub.undelivered.waits() {
            let room = self.hub.undelivered.room();
            if room == 0 {
                return self.due(self.now_ms, 0);
            }
            self.deliver_first(room);
        }
    }

    /// Delivers all that has been published.
    #[cfg(feature = "alloc")]
    pub(super) fn deliver_all(&mut self) {
        while self.hub.undelivered.waits() {
            self.deliver_first(u32::MAX);
        }
    }

    /// Lets a connection have at once what it is still to get of what has been published: something else is to come behind that.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(super) fn hurry(&mut self, key: Key) {
        if self.hub.undelivered.waits() {
            self.hurry_up(key);
        }
    }

    #[cfg(feature = "alloc")]
    #[cold]
    #[inline(never)]
    fn hurry_up(&mut self, key: Key) {
        while let Some((topic, bytes)) = self.hub.undelivered.next_of(key, &self.hub.topics) {
            let _ = self.push_one(key, topic.kind, &bytes, &mut Copied::of(&bytes));
        }
    }

    #[cfg(not(feature = "alloc"))]
    #[expect(clippy::unused_self, reason = "as with a heap")]
    pub(super) fn deliver_waiting(&mut self) {}

    #[cfg(not(feature = "alloc"))]
    #[expect(clippy::unused_self, reason = "as with a heap")]
    pub(super) fn deliver_all(&mut self) {}

    #[cfg(not(feature = "alloc"))]
    #[expect(clippy::unused_self, reason = "as with a heap")]
    pub(super) fn hurry(&mut self, _: Key) {}

    /// Pushes to one connection alone.
    #[inline(never)]
    fn push_one(&mut self, key: Key, kind: Kind, bytes: &[u8], copied: &mut Copied) -> Pushed {
        self.push_to(key, kind, bytes, copied)
    }

    /// Pushes to a connection: part of the loop over those who have joined.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn push_to(&mut self, key: Key, kind: Kind, bytes: &[u8], copied: &mut Copied) -> Pushed {
        let Driver { port, table, .. } = self;
        let Some(slot) = table.get(key.index, key.generation) else { return Pushed::Gone };
        let rests = match kind {
            // Of half a message nothing is in the way of what is sent.
            Kind::Messages => {
                matches!(slot.stage, Stage::Open | Stage::Pinged)
                    || slot.open.flags.is_partial() && slot.stage == Stage::Head
            }
            Kind::Events => slot.stage == Stage::Listening,
        };
        // One at work stays on its stage until it has waited: its lane may be in the midst of a message.
        let rests = rests && slot.lane == NONE;
        if rests && let Some(socket) = &mut slot.socket {
            let sent = match push_bytes(port, socket, bytes) {
                Transmitted::Bytes(sent) if sent == bytes.len() => return Pushed::Taken,
                Transmitted::Bytes(sent) => sent,
                Transmitted::Blocked => 0,
                Transmitted::Reset => {
                    self.end_now(key.index, EndReason::PeerReset, true);
                    return Pushed::Gone;
                }
            };
            return self.keep_waiting(key.index, kind, bytes, sent, copied);
        }
        self.push_else(key.index, kind, bytes, copied)
    }

    /// Pushes to a connection that is at work, or has something waiting already.
    #[cold]
    #[inline(never)]
    fn push_else(&mut self, index: u32, kind: Kind, bytes: &[u8], copied: &mut Copied) -> Pushed {
        let slot = self.table.slot(index);
        let (number, stage) = (slot.lane, slot.stage);
        let lane = self.lanes.get(number);
        let route = lane.map_or(slot.open.route, |lane| lane.wire.shared.connection.get().route);
        let takes = match kind {
            Kind::Messages => route != CLOSED && route != EVENTS,
            Kind::Events => route == EVENTS,
        };
        if !takes || stage == Stage::Closing {
            return Pushed::Gone;
        }
        let Some(lane) = lane else { return self.keep_waiting(index, kind, bytes, 0, copied) };
        let shared = &lane.wire.shared;
        if matches!(shared.state.get(), State::Close | State::Abort) {
            return Pushed::Gone;
        }
        // What waits goes first.
        if self.hub.backlogs.has(index) {
            return self.keep_waiting(index, kind, bytes, 0, copied);
        }
        if P::SHRINK && lane.buffers == Buffers::Few {
            fit(self.lanes.lane_mut(number), &mut self.spares);
        }
        let lane = self.lanes.lane(number);
        let (is_put, was_blocked) = (lane.wire.shared.put_pushed(bytes), lane.blocked);
        if is_put && !was_blocked {
            self.send_pushed(index, number);
        }
        if P::SHRINK && self.idle.attached > 1 && stage == Stage::Busy {
            self.slim_down(number);
        }
        if is_put { Pushed::Taken } else { self.keep_waiting(index, kind, bytes, 0, copied) }
    }

    /// Sends what was put into the output of a lane that waits for something else.
    fn send_pushed(&mut self, index: u32, number: u32) {
        let Driver { port, table, lanes, .. } = self;
        let (lane, slot) = (lanes.lane_mut(number), table.slot_mut(index));
        // The lane's own turn finds a reset.
        let _ = super::send(lane, slot, port);
        // Only one that has been held waits already.
        if slot.stage == Stage::Busy && lane.blocked {
            self.hold(index, number);
        }
    }

    /// Puts what waits for a peer into the output of its lane, which waits for something else, as far as it has room as a whole.
    #[cold]
    #[inline(never)]
    pub(super) fn feed(&mut self, index: u32, number: u32) {
        let Driver { port, table, lanes, hub, .. } = self;
        let (lane, slot) = (lanes.lane_mut(number), table.slot_mut(index));
        while !lane.blocked
            && let Some(waiting) = hub.backlogs.next_to_pass(index)
            && lane.wire.shared.put_pushed(waiting)
        {
            hub.backlogs.passed(index);
            let _ = super::send(lane, slot, port);
        }
    }

    /// Lets a message, of which so many bytes are sent, wait for its peer; without a heap, or beyond the bound, it is left out.
    #[cold]
    #[inline(never)]
    fn keep_waiting(&mut self, index: u32, kind: Kind, bytes: &[u8], sent: usize, copied: &mut Copied) -> Pushed {
        let is_kept = self.hub.backlogs.push(index, bytes, sent, copied);
        let slot = self.table.slot_mut(index);
        if !is_kept {
            slot.open.missed = slot.open.missed.saturating_add(1);
            if slot.open.flags.closes_behind() {
                let close = Close { code: Some(CloseCode::TRY_AGAIN_LATER), reason: "too slow" }.frame();
                // A stream just ends: its client comes again.
                self.hub.backlogs.push_last(index, if kind == Kind::Events { KEEP_ALIVE } else { close.as_bytes() });
            }
        }
        let slot = self.table.slot_mut(index);
        if slot.lane != NONE {
            // A lane looks for what waits where the interest changes as it leaves: that of one that is held does.
            if slot.stage != Stage::Busy {
                self.report(index, Interest::SEND);
            }
        } else if matches!(slot.stage, Stage::Open | Stage::Pinged | Stage::Listening | Stage::Head)
            && self.hub.backlogs.has(index)
        {
            slot.since_ms = self.now_ms;
            self.fall_behind(index);
        }
        if is_kept { Pushed::Taken } else { Pushed::Behind }
    }

    /// Files a connection for whose peer something waits. It is not read from meanwhile.
    fn fall_behind(&mut self, index: u32) {
        self.watch(index, Stage::Behind);
        self.report(index, Interest::SEND);
    }

    /// Sends what waits for a peer.
    fn catch_up(&mut self, index: u32) {
        let Driver { port, table, hub, now_ms, settings, .. } = self;
        let slot = table.slot_mut(index);
        let Some(socket) = &mut slot.socket else { return };
        while let Some(waiting) = hub.backlogs.next(index) {
            match push_bytes(port, socket, waiting) {
                Transmitted::Bytes(bytes) => {
                    let whole = bytes == waiting.len();
                    // As with responses: bytes that are taken give time back.
                    let granted_ms = granted_ms(bytes as u64, settings.deadlines.response_bytes_per_s);
                    let waited_ms = now_ms.wrapping_sub(slot.since_ms).saturating_sub(granted_ms);
                    slot.since_ms = now_ms.wrapping_sub(waited_ms);
                    hub.backlogs.sent(index, bytes);
                    if !whole {
                        return;
                    }
                }
                Transmitted::Blocked => return,
                Transmitted::Reset => return self.end_now(index, EndReason::PeerReset, true),
            }
        }
        slot.since_ms = *now_ms;
        if hub.backlogs.remove(index) {
            let code = CloseCode::TRY_AGAIN_LATER.code();
            let is_stream = self.table.slot(index).open.route == EVENTS;
            let behind = EndReason::WebSocket { code, by_peer: false };
            self.end_session(index, if is_stream { EndReason::Deadline(Deadline::Response) } else { behind });
            return self.linger(index);
        }
        self.lie_open(index);
    }

    /// An open connection has been silent for long: a WebSocket is sent a ping, a stream a comment.
    pub(super) fn ping(&mut self, index: u32, stage: Stage) {
        let now_ms = self.now_ms;
        let (port, slot) = (&mut self.port, self.table.slot_mut(index));
        slot.since_ms = now_ms;
        let Some(socket) = &mut slot.socket else { return };
        let ping = frame::ping(b"");
        let bytes = if stage == Stage::Listening { KEEP_ALIVE } else { ping.as_ref().map_or(&b""[..], AsRef::as_ref) };
        let sent = match push_bytes(port, socket, bytes) {
            Transmitted::Bytes(sent) => sent,
            Transmitted::Blocked => 0,
            Transmitted::Reset => return self.end_now(index, EndReason::PeerReset, true),
        };
        if sent < bytes.len() && self.hub.backlogs.push(index, bytes, sent, &mut Copied::default()) {
            return self.fall_behind(index);
        }
        let (next, ms) = if stage == Stage::Listening {
            (stage, self.settings.deadlines.ping_ms)
        } else {
            (Stage::Pinged, self.settings.deadlines.pong_ms)
        };
        self.table.move_to(index, next);
        self.due(now_ms, ms);
    }

    /// Ends an open connection at rest, and says so where its peer can be told.
    pub(super) fn close_open(&mut self, index: u32, code: CloseCode, reason: EndReason) {
        let slot = self.table.slot_mut(index);
        let is_stream = slot.open.route == EVENTS;
        if slot.stage == Stage::Behind {
            // What has been begun cannot be ended in time.
            return self.end_now(index, reason, true);
        }
        if !is_stream && let Some(socket) = &mut slot.socket {
            let _ = push_bytes(&mut self.port, socket, Close { code: Some(code), reason: "" }.frame().as_bytes());
        }
        self.end_session(index, reason);
        self.linger(index);
    }
}
