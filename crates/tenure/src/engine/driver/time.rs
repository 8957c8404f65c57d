//! When time is up, and what happens then.

use tenure_proto::refusal::Refusal;

use super::{Cause, Driver, Port};
use crate::{
    Deadline, EndReason,
    engine::table::{NONE, Stage},
    engine::{
        state::{Change, Drain, Order, State},
        wire::Shared,
    },
};

/// How exactly the deadlines of exchanges are kept: they are looked through this often at the most.
const TICK_MS: u32 = 50;

/// Whether `then` is not after `now`; times wrap.
pub(super) fn is_due(then_ms: u32, now_ms: u32) -> bool {
    now_ms.wrapping_sub(then_ms) < 1 << 31
}

/// Whether a deadline is ever due: half the clock's range and more cannot be told from the past.
pub(super) fn is_bound(ms: u32) -> bool {
    ms < 1 << 31
}

/// Whether an exchange goes on only when the peer has taken bytes: some are left, or a stream that has had its turn waits
/// for the socket to take more.
fn awaits_peer(shared: &Shared) -> bool {
    shared.turn.get().wants_room || shared.output.try_borrow().is_ok_and(|output| output.end > 0)
}

impl<P: Port> Driver<P> {
    /// Something is due that long after then, unless that is for ever.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn due(&mut self, from_ms: u32, ms: u32) {
        let due_ms = from_ms.wrapping_add(ms);
        if is_bound(ms) && self.due_ms.is_none_or(|before| is_due(due_ms, before)) {
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
        if let Some(stopped_ms) = self.stopping() {
            let flush_ms = self.settings.deadlines.flush_ms;
            if is_bound(flush_ms) && is_due(stopped_ms.wrapping_add(flush_ms), self.now_ms) {
                return self.end_all();
            }
            self.due(stopped_ms, flush_ms);
        }
        let deadlines = self.settings.deadlines;
        for (stage, ms) in [
            (Stage::Fresh, deadlines.first_byte_ms),
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
                if !is_due(since_ms.wrapping_add(ms), self.now_ms) {
                    self.due(since_ms, ms);
                    break;
                }
                match stage {
                    Stage::Fresh => self.end(index, EndReason::Deadline(Deadline::FirstByte), false),
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
        lane.wire.shared.connection.change(|connection| connection.order = Some(order));
        self.advance(index, number, Cause::Told);
    }

    fn expire_exchanges(&mut self) {
        let mut index = self.table.oldest(Stage::Busy);
        // Those that are served meanwhile go to the end of the list: no more than were there are looked at.
        let last = self.table.newest(Stage::Busy);
        while index != NONE {
            let newer = if index == last { NONE } else { self.table.newer(index) };
            let number = self.table.slot(index).lane;
            if let Some((deadline, due_ms)) = self.exchange_due(number) {
                if is_due(due_ms, self.now_ms) {
                    self.exchange_overdue(index, number, deadline);
                } else {
                    // Not more often than every tick, however many there are.
                    let tick_ms = self.now_ms.wrapping_add(TICK_MS);
                    self.due(if is_due(due_ms, tick_ms) { tick_ms } else { due_ms }, 0);
                }
            }
            index = newer;
        }
    }

    /// Which deadline a lane's exchange has now, and when it is due.
    pub(super) fn exchange_due(&self, number: u32) -> Option<(Deadline, u32)> {
        let lane = self.lanes.get(number as usize)?;
        let shared = &lane.wire.shared;
        let deadlines = &self.settings.deadlines;
        let (deadline, from_ms, ms) = match shared.state.get() {
            _ if awaits_peer(shared) => (Deadline::Response, lane.progress_ms, deadlines.response_ms),
            State::Head => (Deadline::Head, shared.connection.get().arrived_ms, deadlines.head_ms),
            State::Exchange if shared.turn.get().wants_body => {
                let ms = shared.body_ms(deadlines.body_ms, deadlines.body_bytes_per_s);
                (Deadline::Body, lane.polled_ms.wrapping_sub(shared.request.get().body_waited_ms), ms)
            }
            State::Exchange if !shared.output.try_borrow().is_ok_and(|output| output.exchange.begun) => {
                let ms = shared.handler_ms(deadlines.handler_ms);
                (Deadline::Handler, lane.polled_ms.wrapping_sub(shared.request.get().handler_waited_ms), ms)
            }
            _ => return None,
        };
        is_bound(ms).then(|| (deadline, from_ms.wrapping_add(ms)))
    }

    fn exchange_overdue(&mut self, index: u32, number: u32, deadline: Deadline) {
        let shared = &self.lanes[number as usize].wire.shared;
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
            _ => return self.end(index, EndReason::Deadline(deadline), true),
        };
        self.order(index, number, order);
    }
}
