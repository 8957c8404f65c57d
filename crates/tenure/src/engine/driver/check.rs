//! What holds between two calls of the driver, for tests.

use alloc::vec::Vec;

use super::{
    Driver, Interest, Lanes, NONE, Port, Stage, State, resting,
    time::{AGAIN_MS, is_bound},
};
use crate::engine::{
    state::{CLOSED, EVENTS},
    table::is_due,
};

impl<P: Port> Driver<P> {
    /// Checks that lists, lanes and deadlines agree with each other: every lane is free or serves one connection, nobody waits
    /// for a lane while one is free, every connection is listened to, and none is due before
    /// [`due_within`](Driver::due_within) says. For tests of ports and of the driver itself, between two calls; it costs a look
    /// at everything.
    ///
    /// # Panics
    /// When that does not hold.
    pub fn check(&self) {
        self.table.check();
        self.check_lanes();
        for (index, slot) in self.table.all() {
            self.check_interest(index, slot.stage, slot.interest);
        }
        self.check_open();
        self.check_undelivered();
        self.check_deadlines();
    }

    /// What is published goes on at once.
    fn check_undelivered(&self) {
        let waits = self.hub.undelivered.waits();
        assert!(!waits || self.due_within() == Some(0), "what is published waits for nothing");
    }

    fn check_lanes(&self) {
        let mut is_free = Vec::new();
        is_free.resize(self.lanes.end() as usize, false);
        let mut number = self.idle.first;
        while number != NONE {
            assert!(!core::mem::replace(&mut is_free[number as usize], true), "lane {number} is free twice");
            number = self.lanes.lane(number).slot;
        }
        let mut attached = 0;
        for number in 0..self.lanes.end() {
            let Some(lane) = self.lanes.get(number) else {
                assert!(!is_free[number as usize], "lane {number} is free and gone");
                continue;
            };
            let shared = &lane.wire.shared;
            if is_free[number as usize] {
                assert!(lane.wire.session.borrow().is_none(), "free lane {number} has a session");
                assert_eq!(shared.state.get(), State::Between, "free lane {number}");
                assert!(!lane.blocked && shared.output.borrow().end == 0, "free lane {number} has something to send");
            } else {
                attached += 1;
                let slot = self.table.slot(lane.slot);
                assert_eq!(slot.lane, number, "lane {number} serves slot {}, which does not know", lane.slot);
                assert!(slot.session.is_none(), "slot {} is served and has a session of its own", lane.slot);
            }
        }
        assert_eq!(attached, self.idle.attached, "lanes at work");
        let is_full = self.evicts() && self.table.is_full();
        assert_eq!(self.idle.many == 0, is_full, "many lanes are {}", self.idle.many);
        for (index, slot) in self.table.all() {
            assert_eq!(slot.lane != NONE, slot.stage == Stage::Busy, "slot {index} is {:?}", slot.stage);
            if matches!(slot.stage, Stage::Idle | Stage::Spare | Stage::Pinned) {
                let idle = resting(slot, self.port.evicts(), self.settings.eviction);
                assert_eq!(slot.stage, if slot.pinned { Stage::Pinned } else { idle }, "slot {index}");
            }
        }
        let may_be_made = self.next_number() < self.settings.lanes_max;
        let has_free = self.idle.first != NONE || may_be_made;
        assert!(!has_free || self.table.oldest(Stage::Waiting) == NONE, "somebody waits while a lane is free");
    }

    /// What stays open is counted, and stands where such connections do.
    fn check_open(&self) {
        let mut count = 0;
        for (index, slot) in self.table.all() {
            let (stage, has_backlog) = (slot.stage, self.hub.has_backlog(index));
            let lane = self.lanes.get(slot.lane);
            let route = lane.map_or(slot.open.route, |lane| lane.wire.shared.connection.get().route);
            assert!((slot.open.route == CLOSED) == (route == CLOSED), "slot {index}: its lane knows of another route");
            if route == CLOSED {
                assert!(!has_backlog, "something waits for slot {index}, which is not open");
                let is_open = matches!(stage, Stage::Open | Stage::Pinged | Stage::Listening | Stage::Behind);
                assert!(!is_open, "slot {index} is {stage:?} without a route");
                continue;
            }
            count += 1;
            match stage {
                Stage::Open | Stage::Pinged => assert!(route != EVENTS && !has_backlog, "slot {index} is {stage:?}"),
                Stage::Listening => assert!(route == EVENTS && !has_backlog, "slot {index} is {stage:?}"),
                Stage::Behind => assert!(has_backlog, "slot {index} is behind, and nothing waits for it"),
                Stage::Head | Stage::Waiting | Stage::Busy => {}
                _ => panic!("slot {index} is open and {stage:?}"),
            }
        }
        self.hub.check(count, |index| self.table.all().any(|(other, _)| index == other));
    }

    fn check_interest(&self, index: u32, stage: Stage, interest: Interest) {
        match stage {
            Stage::Waiting => assert_eq!(interest, Interest::NONE, "slot {index} waits for a lane"),
            Stage::Busy => {
                let lane = self.lanes.lane(self.table.slot(index).lane);
                let shared = &lane.wire.shared;
                let (turn, ended) = (shared.turn.get(), shared.connection.get().ended);
                assert_eq!(lane.blocked || turn.wants_room, interest.sends(), "slot {index} asks for {interest:?}");
                if turn.wants_body && !ended {
                    assert!(interest.receives(), "slot {index} waits for a body and asks for {interest:?}");
                }
            }
            Stage::Behind => assert_eq!(interest, Interest::SEND, "slot {index} is behind"),
            _ => assert_eq!(interest, Interest::RECEIVE, "slot {index} is {stage:?}"),
        }
    }

    /// Nothing is due before the driver says.
    fn check_deadlines(&self) {
        let deadlines = self.settings.deadlines;
        let check = |what: &dyn core::fmt::Debug, from_ms: u32, ms: u32| {
            let due_ms = from_ms.wrapping_add(ms);
            let is_told = self.due_ms.is_some_and(|told_ms| is_due(told_ms, due_ms));
            assert!(is_told, "{what:?} is due at {due_ms}, the driver says {:?}", self.due_ms);
        };
        for (index, slot) in self.table.all() {
            let (from_ms, ms) = match slot.stage {
                Stage::Fresh => (slot.since_ms, deadlines.first_byte_ms),
                Stage::Idle | Stage::Spare => (slot.since_ms, deadlines.idle_ms),
                Stage::Waiting => (slot.mark, deadlines.handler_ms),
                Stage::Closing => (slot.since_ms, deadlines.linger_ms),
                Stage::Open | Stage::Listening => (slot.since_ms, deadlines.ping_ms),
                Stage::Pinged => (slot.since_ms, deadlines.pong_ms),
                stage => {
                    check(&(index, stage), slot.mark, 0);
                    // What has been missed is looked at again before long, should that have changed nothing.
                    let within_ms = self.watched_due(index, stage).within_ms(self.now_ms).max(AGAIN_MS.cast_signed());
                    let look_ms = slot.mark.wrapping_sub(self.now_ms).cast_signed();
                    assert!(
                        look_ms <= within_ms,
                        "slot {index}, {stage:?}: due in {within_ms}, looked at in {look_ms}"
                    );
                    continue;
                }
            };
            if is_bound(ms) {
                check(&(index, slot.stage), from_ms, ms);
                // The oldest of a list is looked at, so those behind it must not be due before it.
                let newer = self.table.newer(index);
                if newer != NONE {
                    let newer = self.table.slot(newer);
                    let newer_ms = if slot.stage == Stage::Waiting { newer.mark } else { newer.since_ms };
                    assert!(is_due(from_ms, newer_ms), "slot {index}, {:?}: behind one that is newer", slot.stage);
                }
            }
        }
        if let Some(stopped_ms) = self.stopping()
            && self.count() > 0
            && is_bound(deadlines.flush_ms)
        {
            check(&"the stop", stopped_ms, deadlines.flush_ms);
        }
    }
}
