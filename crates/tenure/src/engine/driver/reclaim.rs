//! Memory that lanes give back: buffers while they wait, and all that a lane has once it has not been used for a while. Ports
//! whose lanes do not [shrink](Port::SHRINK) have none of this.

#[cfg(feature = "alloc")]
use super::Buffers;
use super::{Driver, Lane, Lanes, Port, Spares};
#[cfg(feature = "alloc")]
use crate::engine::table::{NONE, is_due};

/// A lane that has not been used for so long is given back, when that is looked for: once in that time.
#[cfg(feature = "alloc")]
const UNUSED_MS: u32 = 30_000;
/// A body of which nothing has come for so long keeps no larger a buffer than what has come of it. One that has hardly begun
/// keeps none larger at any time.
#[cfg(feature = "alloc")]
const STALLED_MS: u32 = 1_000;

/// Gives a lane the buffers that it has given back.
#[cfg(feature = "alloc")]
#[cold]
pub(super) fn fit<P: Port>(lane: &mut Lane<P>, spares: &mut Spares) {
    spares.fit(&lane.wire.shared);
    lane.buffers = Buffers::AllAgain;
}

/// Takes the buffers of a lane that serves nobody any more. The only one that is idle keeps them.
#[cfg(feature = "alloc")]
#[cold]
pub(super) fn rest<P: Port>(lane: &mut Lane<P>, spares: &mut Spares) {
    if lane.slot != NONE {
        spares.strip_unused(&lane.wire.shared);
        lane.buffers = Buffers::Few;
    } else if lane.buffers == Buffers::AllAgain {
        lane.buffers = Buffers::All;
    }
}

#[cfg(not(feature = "alloc"))]
pub(super) fn fit<P: Port>(_: &mut Lane<P>, _: &mut Spares) {}

#[cfg(not(feature = "alloc"))]
pub(super) fn rest<P: Port>(_: &mut Lane<P>, _: &mut Spares) {}

#[cfg(not(feature = "alloc"))]
impl<P: Port> Driver<P> {
    pub(super) fn next_number(&self) -> u32 {
        self.lanes.end()
    }

    pub(super) fn lane_made(&mut self, _: u32) {}

    pub(super) fn slim_down(&mut self, _: u32) {}

    pub(super) fn reclaim(&mut self) {}
}

#[cfg(feature = "alloc")]
impl<P: Port> Driver<P> {
    /// The number of the next lane to be made.
    pub(super) fn next_number(&self) -> u32 {
        let end = self.lanes.end();
        if P::SHRINK {
            (self.spares.vacant..end).find(|number| self.lanes.get(*number).is_none()).unwrap_or(end)
        } else {
            end
        }
    }

    pub(super) fn lane_made(&mut self, number: u32) {
        if P::SHRINK {
            self.spares.vacant = number + 1;
            // The only one stays.
            if self.lanes.end() > 1 {
                self.look_within(UNUSED_MS);
            }
        }
    }

    /// Takes the buffers of a lane that waits, but for what is in them.
    #[cold]
    pub(super) fn slim_down(&mut self, number: u32) {
        let lane = self.lanes.lane_mut(number);
        self.spares.strip(&lane.wire.shared);
        lane.buffers = Buffers::Few;
        if lane.has_roomy_body() {
            if lane.has_hardly_begun() {
                self.spares.shrink_body(&lane.wire.shared);
            } else {
                self.look_within(STALLED_MS);
            }
        }
    }

    /// Looks for memory to give back after that time, or before.
    fn look_within(&mut self, ms: u32) {
        let look_ms = self.now_ms.wrapping_add(ms);
        if self.spares.look_ms.is_none_or(|before| is_due(look_ms, before)) {
            self.spares.look_ms = Some(look_ms);
            self.due(look_ms, 0);
        }
    }

    /// Gives back what can be, where it is time for that.
    pub(super) fn reclaim(&mut self) {
        let Some(look_ms) = self.spares.look_ms else { return };
        if !is_due(look_ms, self.now_ms) {
            return self.due(look_ms, 0);
        }
        self.spares.look_ms = None;
        self.shrink_bodies();
        let left = self.idle.attached + self.retire_unused();
        if left > 1 {
            self.look_within(UNUSED_MS);
        } else {
            self.spares.free();
        }
    }

    /// Shrinks the buffers of bodies that have stalled.
    fn shrink_bodies(&mut self) {
        let mut later = false;
        for number in 0..self.lanes.end() {
            let Some(lane) = self.lanes.get(number) else { continue };
            if lane.buffers == Buffers::Few && lane.has_roomy_body() {
                if self.now_ms.wrapping_sub(lane.polled_ms) >= STALLED_MS {
                    self.spares.shrink_body(&lane.wire.shared);
                } else {
                    later = true;
                }
            }
        }
        if later {
            self.look_within(STALLED_MS);
        }
    }

    /// Retires idle lanes that have not been used for a while, but for the one that is used next. Returns how many are left.
    fn retire_unused(&mut self) -> u32 {
        let mut last = self.idle.first;
        let mut left = u32::from(last != NONE);
        while let Some(lane) = self.lanes.get(last) {
            let next = lane.slot;
            let Some(unused) = self.lanes.get(next) else { break };
            let behind = unused.slot;
            if self.now_ms.wrapping_sub(unused.polled_ms) < UNUSED_MS {
                (last, left) = (next, left + 1);
                continue;
            }
            self.lanes.lane_mut(last).slot = behind;
            self.spares.vacant = self.spares.vacant.min(next);
            if let Some(lane) = self.lanes.take(next) {
                self.port.retire(next, lane);
            }
        }
        left
    }
}

#[cfg(feature = "alloc")]
impl<P: Port> Lane<P> {
    fn has_roomy_body(&self) -> bool {
        self.wire.shared.body.try_borrow().is_ok_and(|body| body.is_roomy())
    }

    fn has_hardly_begun(&self) -> bool {
        self.wire.shared.body.try_borrow().is_ok_and(|body| body.has_hardly_begun())
    }
}
