//! One reading of the clock a wake-up, and the date once a second.

use std::time::{SystemTime, UNIX_EPOCH};

use tenure::port::{DATE_BYTES, imf_fixdate};

use crate::sys;

/// Milliseconds of the coarse monotonic clock, wrapping. It lags by a few milliseconds: a deadline is never early.
#[inline]
pub(crate) fn now_ms() -> u32 {
    let (seconds, nanoseconds) = sys::coarse_clock();
    (seconds.cast_unsigned() as u32).wrapping_mul(1000).wrapping_add(nanoseconds.cast_unsigned() as u32 / 1_000_000)
}

/// The date for responses, and in how many milliseconds it changes.
pub(crate) fn date() -> ([u8; DATE_BYTES], u32) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (imf_fixdate(since.as_secs()), 1000 - since.subsec_millis())
}
