//! What the chip's start-up code and its panic handler know: the stack, pins by their numbers, a restart.
#![allow(
    unsafe_code,
    reason = "symbols of the linker's script, a symbol for the panic handler, pins by number: all is here"
)]

use core::hint::black_box;

use esp_hal::{delay::Delay, system::software_reset};

/// The tag of the log lines about the board itself.
pub(crate) const TARGET: &str = "board";

/// How long what a panic has printed stays before the restart, so that a serial line passes it on.
const BEFORE_RESTART_MS: u32 = 1_000;

// SAFETY: the linker's script defines both, at the ends of the main stack; they are never read, only their addresses are.
unsafe extern "C" {
    safe static _stack_end_cpu0: u32;
    safe static _stack_start_cpu0: u32;
}

/// How many bytes of the main stack are left here, and how many there are. Every task of the executor runs on it.
pub(crate) fn stack() -> (usize, usize) {
    let here = 0_u8;
    let here = &raw const *black_box(&here) as usize;
    let (end, start) = (&raw const _stack_end_cpu0 as usize, &raw const _stack_start_cpu0 as usize);
    (here.saturating_sub(end), start - end)
}

/// Restarts the board; the panic handler calls it when it has printed the backtrace.
// SAFETY: no other function of this program has the name.
#[unsafe(no_mangle)]
extern "Rust" fn custom_halt() -> ! {
    // Nothing else runs on what a panic has left.
    critical_section::with(|_| {
        Delay::new().delay_millis(BEFORE_RESTART_MS);
        software_reset()
    })
}

/// The pins of those numbers. To be called once for each.
///
/// # Panics
/// When the chip has no such pin, which the build script has refused.
#[cfg(any(feature = "ethernet", feature = "rmii"))]
pub(crate) fn pins<const COUNT: usize>(numbers: [u8; COUNT]) -> [esp_hal::gpio::AnyPin<'static>; COUNT] {
    // SAFETY: the build script has seen to it that they differ, and nothing else in this program takes a pin.
    numbers.map(|number| unsafe { esp_hal::gpio::AnyPin::steal(number) })
}
