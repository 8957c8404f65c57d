//! When time is up, and what happens then.

use tenure_proto::{refusal::Refusal, websocket::CloseCode};

use super::{Cause, Driver, Lane, Lanes, Port};
use crate::{
    Deadline, EndReason,
    engine::state::{CLOSED, Change, Drain, Ending, Order, State},
    engine::table::{NONE, Stage, is_due},
    open::opens,
    settings::{NEVER, granted_ms},
};

/// A deadline that was missed is looked at again so much later, should it be missed still.
pub(super) const AGAIN_MS: u32 = 50;
/// What is due later than that, or never, is looked at then: times of the heap must not be half the clock's range apart.
const FAR_MS: i32 = 1 << 30;

/// Whether a deadline is ever due: half the clock's range and more cannot be told from the past.
pub(super) fn is_bound(ms: u32) -> bool {
    ms < 1 << 31
}

/// What a connection has missed.
#[derive(Clone, Copy)]
enum Missed {
    Deadline(Deadline),
    /// The end of what was at work when it was to be closed.
    Close(Ending),
    /// The end of a head that was put away.
    PutAwayHead,
    /// To take what was pushed to it.
    Push,
    /// Nothing: its handler has slept for long enough.
    Sleep,
    /// The next request.
    Idle,
}

/// What a connection misses next: that long after then, or never.
#[derive(Clone, Copy)]
pub(super) struct Due {
    missed: Missed,
    from_ms: u32,
    ms: u32,
}

impl Due {
    /// Milliseconds until it is missed, 0 or less where it is.
    pub(super) fn within_ms(&self, now_ms: u32) -> i32 {
        if is_bound(self.ms) { self.from_ms.wrapping_add(self.ms).wrapping_sub(now_ms).cast_signed() } else { i32::MAX }
    }
}

/// The stages that have lists. The last three are of connections that stay open.
static LISTS: [Stage; 8] = [
    Stage::Fresh,
    Stage::Idle,
    Stage::Spare,
    Stage::Waiting,
    Stage::Closing,
    Stage::Open,
    Stage::Pinged,
    Stage::Listening,
];

impl<P: Port> Lane<P> {
    /// Counts what a lane that is held has waited for its peer. `goes_on`: it has been held before, for the same connection.
    pub(super) fn count_wait(&mut self, goes_on: bool, awaits_peer: bool, now_ms: u32, bytes_per_s: u32) {
        if goes_on {
            let waited_ms = if self.awaits_peer { now_ms.wrapping_sub(self.held_ms) } else { 0 };
            let given_back_ms = granted_ms(u64::from(self.taken), bytes_per_s);
            self.peer_waited_ms = self.peer_waited_ms.saturating_add(waited_ms).saturating_sub(given_back_ms);
        } else {
            self.peer_waited_ms = 0;
        }
        (self.taken, self.held_ms, self.awaits_peer) = (0, now_ms, awaits_peer);
    }
}

impl<P: Port> Driver<P> {
    #[cfg(all(test, feature = "kit"))]
    pub(crate) fn delivered(&self) -> u32 {
        self.hub.undelivered.delivered()
    }

    #[cfg(all(test, feature = "kit"))]
    pub(crate) fn looks(&self) -> u32 {
        self.looks.get()
    }

    /// Something is due that long after then, unless that is for ever.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn due(&mut self, from_ms: u32, ms: u32) {
        let due_ms = from_ms.wrapping_add(ms);
        if is_bound(ms) && self.due_ms.is_none_or(|before| is_due(due_ms, before)) {
            self.due_ms = Some(due_ms);
        }
    }

    /// Milliseconds until [`expire`](Driver::expire) is to be called, `None` where nothing is ever due.
    pub fn due_within(&self) -> Option<u32> {
        let due_ms = self.due_ms?;
        Some(if is_due(due_ms, self.now_ms) { 0 } else { due_ms.wrapping_sub(self.now_ms) })
    }

    /// Milliseconds that a port with a coarse clock may sleep: as [`due_within`](Driver::due_within), but at least 1 where a deadline is
    /// due, because its clock may stand still for a few milliseconds. 0 where what was published has more connections to reach.
    #[inline]
    pub fn sleeps_within(&self) -> Option<u32> {
        let due_ms = self.due_ms?;
        Some(if is_due(due_ms, self.now_ms) { self.soonest_ms() } else { due_ms.wrapping_sub(self.now_ms) })
    }

    #[cold]
    fn soonest_ms(&self) -> u32 {
        u32::from(!self.has_undelivered())
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
        if opens() {
            self.hub.undelivered.begin_turn();
            self.deliver_waiting();
        }
        if let Some(stopped_ms) = self.stopping() {
            let flush_ms = self.settings.deadlines.flush_ms;
            if is_bound(flush_ms) && is_due(stopped_ms.wrapping_add(flush_ms), self.now_ms) {
                return self.end_all();
            }
            self.due(stopped_ms, flush_ms);
        }
        let deadlines = self.settings.deadlines;
        let lists = if opens() { &LISTS[..] } else { &LISTS[..5] };
        for &stage in lists {
            let ms = match stage {
                Stage::Fresh => deadlines.first_byte_ms,
                Stage::Waiting => deadlines.handler_ms,
                Stage::Closing => deadlines.linger_ms,
                Stage::Open | Stage::Listening if opens() => deadlines.ping_ms,
                Stage::Pinged if opens() => deadlines.pong_ms,
                _ => deadlines.idle_ms,
            };
            if !is_bound(ms) {
                continue;
            }
            loop {
                let index = self.table.oldest(stage);
                if index == NONE {
                    break;
                }
                let slot = self.table.slot(index);
                let since_ms = if stage == Stage::Waiting { slot.mark } else { slot.since_ms };
                if !is_due(since_ms.wrapping_add(ms), self.now_ms) {
                    self.due(since_ms, ms);
                    break;
                }
                match stage {
                    Stage::Fresh => self.end_now(index, EndReason::Deadline(Deadline::FirstByte), false),
                    Stage::Closing => self.release(index, true),
                    // The compiler cannot see from the list that these never come.
                    Stage::Open | Stage::Listening if opens() => self.ping(index, stage),
                    Stage::Pinged if opens() => self.end_now(index, EndReason::Deadline(Deadline::Pong), true),
                    // Without a lane there is nothing to say it with.
                    Stage::Waiting => self.end_now(index, EndReason::Deadline(Deadline::Handler), false),
                    _ => self.end_now(index, EndReason::Idle, false),
                }
            }
        }
        self.expire_watched();
        if P::SHRINK {
            self.reclaim();
        }
        self.serve_waiting();
    }

    /// Acts on the deadlines in the heap. Each that is looked at has been missed, or was put off since it was looked at last.
    fn expire_watched(&mut self) {
        while let Some((index, look_ms)) = self.table.first_due() {
            if !is_due(look_ms, self.now_ms) {
                return self.due(look_ms, 0);
            }
            #[cfg(test)]
            self.looks.set(self.looks.get() + 1);
            let stage = self.table.slot(index).stage;
            let due = self.watched_due(index, stage);
            if due.within_ms(self.now_ms) > 0 {
                self.table.put_off(index, stage, self.look_ms(due));
                continue;
            }
            // A sleeper that is woken is looked at again at once, for what it waits for next.
            if !matches!(due.missed, Missed::Sleep) {
                self.table.put_off(index, stage, self.now_ms.wrapping_add(AGAIN_MS));
            }
            self.overdue(index, due.missed);
        }
    }

    /// Keeps a connection in the heap, in that stage.
    pub(super) fn watch(&mut self, index: u32, stage: Stage) {
        self.look_at(index, stage, self.look_ms(self.watched_due(index, stage)));
    }

    /// Keeps a connection on its lane in the heap.
    pub(super) fn watch_exchange(&mut self, index: u32, number: u32) {
        self.look_at(index, Stage::Busy, self.look_ms(self.exchange_due(self.lanes.lane(number))));
    }

    /// Keeps a connection in the heap, in that stage, to be looked at by then.
    fn look_at(&mut self, index: u32, stage: Stage, look_ms: u32) {
        if self.table.watch(index, stage, look_ms) {
            self.due(look_ms, 0);
        }
    }

    /// When to look at what is due then: later than now, so that one who never makes progress does not keep others waiting.
    fn look_ms(&self, due: Due) -> u32 {
        self.now_ms.wrapping_add_signed(due.within_ms(self.now_ms).clamp(1, FAR_MS))
    }

    /// What a connection in the heap misses next in that stage, and when.
    pub(super) fn watched_due(&self, index: u32, stage: Stage) -> Due {
        let slot = self.table.slot(index);
        let (missed, ms) = match (stage, self.lanes.get(slot.lane)) {
            (Stage::Busy, Some(lane)) => return self.exchange_due(lane),
            (Stage::Head, _) if opens() && slot.open.route != CLOSED => {
                (Missed::PutAwayHead, self.settings.deadlines.body_ms)
            }
            (Stage::Head, _) => (Missed::PutAwayHead, self.settings.deadlines.head_ms),
            (Stage::Behind, _) if opens() => (Missed::Push, self.settings.deadlines.response_ms),
            _ => (Missed::Idle, self.settings.deadlines.idle_ms),
        };
        Due { missed, from_ms: slot.since_ms, ms }
    }

    fn overdue(&mut self, index: u32, missed: Missed) {
        match missed {
            Missed::Deadline(deadline) => self.exchange_overdue(index, deadline),
            Missed::Close(ending) => self.end_now(index, ending.into(), true),
            Missed::PutAwayHead => self.head_overdue(index),
            Missed::Push => self.end_now(index, EndReason::Deadline(Deadline::Response), true),
            Missed::Sleep => self.advance(index, self.table.slot(index).lane, Cause::Told),
            Missed::Idle => self.end_now(index, EndReason::Idle, false),
        }
    }

    /// A head that was put away is overdue: a lane says so.
    fn head_overdue(&mut self, index: u32) {
        match self.give_lane(index) {
            Some(number) => self.order(index, number, Order::Refuse(Refusal::HeadTimeout)),
            // Of an open connection it was a message.
            None if opens() && self.table.slot(index).open.route != CLOSED => {
                self.close_open(index, CloseCode::POLICY, EndReason::Deadline(Deadline::Body));
            }
            None => self.end_now(index, EndReason::Deadline(Deadline::Head), false),
        }
    }

    /// Sets a lane anew and lets it do what it is ordered to.
    fn order(&mut self, index: u32, number: u32, order: Order) {
        let lane = self.lanes.lane_mut(number);
        self.port.restart(&lane.wire, lane.future.as_mut());
        lane.wire.shared.connection.change(|connection| (connection.order, connection.hears) = (Some(order), false));
        self.advance(index, number, Cause::Told);
    }

    /// What a lane's exchange misses next, and when.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn exchange_due(&self, lane: &Lane<P>) -> Due {
        if lane.wire.shared.turn.get().sleeps() { self.sleeper_due(lane) } else { self.end_due(lane) }
    }

    /// The same of a handler that sleeps.
    #[cold]
    #[inline(never)]
    fn sleeper_due(&self, lane: &Lane<P>) -> Due {
        let due = self.end_due(lane);
        let sleep = Due { missed: Missed::Sleep, from_ms: lane.wire.shared.wakes_ms.get(), ms: 0 };
        if sleep.within_ms(self.now_ms) < due.within_ms(self.now_ms) { sleep } else { due }
    }

    /// When its exchange or its connection ends, if nothing happens.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn end_due(&self, lane: &Lane<P>) -> Due {
        let (deadline, from_ms, ms) = self.deadline_due(lane);
        let deadline = Due { missed: Missed::Deadline(deadline), from_ms, ms };
        let connection = lane.wire.shared.connection.get();
        let Some(ending) = connection.ending.filter(|_| self.port.takes_orders()) else { return deadline };
        let ms = self.settings.deadlines.flush_ms;
        let close = Due { missed: Missed::Close(ending), from_ms: connection.ending_ms, ms };
        // What is in the socket has come: the port is waited for, not the peer.
        let has_come = connection.unread && matches!(deadline.missed, Missed::Deadline(Deadline::Head));
        if has_come || close.within_ms(self.now_ms) <= deadline.within_ms(self.now_ms) { close } else { deadline }
    }

    /// Which deadline a lane has now, from when on, and for how long.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn deadline_due(&self, lane: &Lane<P>) -> (Deadline, u32, u32) {
        let shared = &lane.wire.shared;
        let deadlines = &self.settings.deadlines;
        match shared.state.get() {
            _ if lane.awaits_peer => {
                (Deadline::Response, lane.held_ms.wrapping_sub(lane.peer_waited_ms), deadlines.response_ms)
            }
            State::Head => (Deadline::Head, shared.connection.get().arrived_ms, deadlines.head_ms),
            State::Exchange if shared.turn.get().wants_body => {
                let ms = shared.body_ms(deadlines.body_ms, deadlines.body_bytes_per_s);
                (Deadline::Body, lane.polled_ms.wrapping_sub(shared.request.get().body_waited_ms), ms)
            }
            State::Exchange if !shared.output.try_borrow().is_ok_and(|output| output.exchange.begun) => {
                let ms = shared.handler_ms(deadlines.handler_ms);
                (Deadline::Handler, lane.polled_ms.wrapping_sub(shared.request.get().handler_waited_ms), ms)
            }
            State::Silent if opens() => self.silent_due(lane),
            _ => (Deadline::Response, lane.held_ms, NEVER),
        }
    }

    /// The same of an open connection that keeps its lane for half a message.
    #[cold]
    fn silent_due(&self, lane: &Lane<P>) -> (Deadline, u32, u32) {
        let (shared, deadlines) = (&lane.wire.shared, &self.settings.deadlines);
        let bytes = shared.input.try_borrow().map_or(0, |input| input.end as u64);
        let ms = granted_ms(bytes, deadlines.body_bytes_per_s).saturating_add(deadlines.body_ms);
        (Deadline::Body, shared.connection.get().arrived_ms, ms)
    }

    fn exchange_overdue(&mut self, index: u32, deadline: Deadline) {
        let number = self.table.slot(index).lane;
        let shared = &self.lanes.lane(number).wire.shared;
        let order = match deadline {
            Deadline::Head => Order::Refuse(Refusal::HeadTimeout),
            Deadline::Body if shared.request.get().drain == Drain::Runs => {
                // There is an answer already: only the connection cannot go on.
                shared.request.change(|request| request.drain = Drain::Overdue);
                return self.advance(index, number, Cause::Told);
            }
            Deadline::Body => {
                shared.connection.change(|connection| connection.reason = EndReason::Deadline(deadline));
                Order::Refuse(Refusal::BodyTimeout)
            }
            // Not the connection's end: if it ends behind the answer, that has a reason of its own.
            Deadline::Handler => Order::Overdue,
            _ => return self.end_now(index, EndReason::Deadline(deadline), true),
        };
        self.order(index, number, order);
    }
}

#[cfg(all(test, feature = "kit"))]
mod tests {
    use alloc::vec::Vec;
    use core::time::Duration;

    use crate::{
        Deadlines, Error, Eviction, Request, Router, get,
        kit::{Client, Server, Settings},
    };

    const COUNT: u32 = 500;
    const SMALL: Settings = Settings {
        connections_max: 2 * COUNT,
        lanes_max: 2 * COUNT,
        open_max: 0,
        eviction: Eviction::WithoutSession,
        deadlines: Deadlines { first_byte_ms: 60_000, idle_ms: 60_000, head_ms: 60_000, ..Deadlines::HOST },
        limits: crate::Limits::HOST,
        input_bytes: 256,
        body_bytes: 16,
        output_bytes: 256,
        puts_heads_away: true,
        dated: false,
    };

    async fn hello(_: &mut Request<'_, ()>) -> &'static str {
        "hello"
    }

    async fn never(_: &mut Request<'_, ()>) {
        core::future::pending::<()>().await;
    }

    async fn count(request: &mut Request<'_, ()>) -> Result<u64, Error> {
        let mut bytes = 0;
        while let Some(piece) = request.body().read().await? {
            bytes += piece.len() as u64;
        }
        Ok(bytes)
    }

    fn server(settings: Settings) -> Server<()> {
        let app = Router::new()
            .route("/", get(hello).post(count))
            .route("/never", get(never).handler_deadline(Duration::from_secs(100_000)));
        Server::with(app, settings)
    }

    /// That many clients, a millisecond apart, which have sent that.
    fn clients(server: &mut Server<()>, sends: &str) -> Vec<Client> {
        let connect = |_| {
            let client = server.connect();
            client.send(sends);
            server.advance(1);
            client
        };
        (0..COUNT).map(connect).collect()
    }

    /// Exchanges whose deadlines are far away are not looked at when another connection's is due.
    #[test]
    fn exchanges_are_left_alone_while_others_fall_due() {
        let mut server = server(SMALL);
        let busy = clients(&mut server, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
        let idle = clients(&mut server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        server.advance(60_000);
        assert!(idle.iter().all(Client::is_closed) && !busy.iter().any(Client::is_closed));
        assert_eq!(server.looks(), 0);
    }

    /// Each deadline that is missed is looked at once, whatever order the connections came in.
    #[test]
    fn what_is_missed_is_looked_at_once() {
        for reversed in [false, true] {
            let mut server = server(Settings { lanes_max: 1, ..SMALL });
            let blocker = server.connect();
            let mut clients = clients(&mut server, "G");
            blocker.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n");
            server.run();
            if reversed {
                clients.reverse();
            }
            for client in &clients {
                client.send("E");
                server.run();
            }
            // Only now there is a lane for them, and their heads are put away again in the order in which they waited.
            blocker.send("x");
            server.run();
            server.advance(59_999);
            let ended: Vec<_> = server.ended().iter().map(|(id, _)| *id).collect();
            if reversed {
                clients.reverse();
            }
            let ids: Vec<_> = clients.iter().filter_map(Client::id).collect();
            assert_eq!(ended, ids, "in the order in which they have begun");
            // Those that wait for a lane are in the heap while they have it.
            assert!(server.looks() <= COUNT + 1, "{} looks", server.looks());
        }
    }

    /// An exchange whose deadline moves with each byte is looked at when the first one is due, not with each byte.
    #[test]
    fn progress_costs_no_looks() {
        let mut server = server(SMALL);
        let client = server.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
        for _ in 0..1_000 {
            server.advance(11);
            client.send("x");
        }
        server.run();
        assert!(client.received_text().ends_with("\r\n\r\n1000"));
        assert!(server.looks() <= 10, "{} looks", server.looks());
    }
}
