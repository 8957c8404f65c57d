//! Handlers that wait for time, on the driver's own clock.
//!
//! A lane tells its driver one time: when the first of its sleepers is to be polled again. As with all that a lane wants, each poll
//! says it anew, so a sleeper that is dropped leaves nothing behind.

use core::{
    future::{Future, poll_fn},
    task::Poll,
    time::Duration,
};

use crate::{
    Switch,
    engine::{
        state::{Change, Turn},
        table::is_due,
        wire::Shared,
    },
};

/// Whether a handler of this program ever sleeps.
static SLEEPS: Switch = Switch::off();

/// Longer sleeps are split: times must not be half the clock's range apart.
const STEP_MS: u64 = 1 << 30;

impl Turn {
    /// Whether the lane is to be polled at a time of its own. Where no handler ever sleeps, the compiler sees that it never is.
    #[inline(always)]
    pub(crate) fn sleeps(self) -> bool {
        self.wants.sleep() && SLEEPS.is_on()
    }
}

impl Shared {
    /// Ready once that long has passed since it was polled first.
    pub(crate) fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + use<'_> {
        // Rounded up: half a millisecond is one.
        let mut left_ms = duration
            .as_secs()
            .saturating_mul(1_000)
            .saturating_add(u64::from(duration.subsec_nanos().div_ceil(1_000_000)));
        // When what is left of it begins.
        let mut from_ms = None;
        poll_fn(move |context| {
            SLEEPS.set(true);
            let now_ms = self.turn.get().now_ms;
            // The turn may have begun long ago.
            from_ms = from_ms.or_else(|| self.clock.get().map(|clock| clock(now_ms)));
            let mut wakes_ms = now_ms;
            while left_ms > 0 {
                // Without a clock yet: the driver gives it, and polls again.
                let Some(begun_ms) = from_ms else { break };
                let step_ms = left_ms.min(STEP_MS);
                wakes_ms = begun_ms.wrapping_add(step_ms as u32);
                if !is_due(wakes_ms, now_ms) {
                    break;
                }
                (left_ms, from_ms) = (left_ms - step_ms, Some(wakes_ms));
            }
            if left_ms == 0 {
                return Poll::Ready(());
            }
            self.waiters.register(context);
            self.wake_at(wakes_ms);
            Poll::Pending
        })
    }

    /// Has the driver poll the lane at that time, or before.
    fn wake_at(&self, wakes_ms: u32) {
        if !self.turn.get().wants.sleep() || is_due(wakes_ms, self.wakes_ms.get()) {
            self.wakes_ms.set(wakes_ms);
        }
        self.turn.change(|turn| turn.wants.add_sleep());
    }
}
