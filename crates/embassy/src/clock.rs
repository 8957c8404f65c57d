//! One reading of the clock a wake-up. A board knows no date: its responses tell none (RFC 9110 section 6.6.1).

use embassy_time::Instant;

/// Milliseconds since the start, wrapping.
pub(crate) fn now_ms() -> u32 {
    Instant::now().as_millis() as u32
}
