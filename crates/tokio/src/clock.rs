//! One reading of the clock a turn, and the date once a second.

use std::time::{SystemTime, UNIX_EPOCH};

use tenure::port::{DATE_BYTES, imf_fixdate};
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

/// The date for responses, and in how many milliseconds it changes.
pub(crate) fn date() -> ([u8; DATE_BYTES], u32) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (imf_fixdate(since.as_secs()), 1000 - since.subsec_millis())
}
