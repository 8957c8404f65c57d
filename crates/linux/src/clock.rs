//! One reading of the clock a wake-up.

use crate::sys;

/// Milliseconds of the coarse monotonic clock, wrapping. It lags by a few milliseconds: a deadline is never early.
#[inline]
pub(crate) fn now_ms() -> u32 {
    let (seconds, nanoseconds) = sys::coarse_clock();
    (seconds.cast_unsigned() as u32).wrapping_mul(1000).wrapping_add(nanoseconds.cast_unsigned() as u32 / 1_000_000)
}
