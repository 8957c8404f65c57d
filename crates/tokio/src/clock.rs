//! One reading of the clock a turn.

use tokio::time::Instant;

/// Counts milliseconds from its start, wrapping. It is tokio's clock: where a test pauses that, this one stands still too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Clock(Instant::now())
    }

    #[inline]
    pub(crate) fn now_ms(self) -> u32 {
        let since = self.0.elapsed();
        (since.as_secs() as u32).wrapping_mul(1000).wrapping_add(since.subsec_millis())
    }
}
