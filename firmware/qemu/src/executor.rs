//! The executor: tasks are polled until none is woken, then the core waits, and what it executed in between is counted.
#![allow(
    unsafe_code,
    reason = "the executor's own interface, and a symbol by which it and QEMU's monitor find what is here"
)]

use core::cell::Cell;

use critical_section::Mutex;
use embassy_executor::{Spawner, raw::Executor};
use portable_atomic::{AtomicBool, Ordering};
use static_cell::StaticCell;

static WOKEN: AtomicBool = AtomicBool::new(false);

/// Instructions that were executed while the core did not wait. Read by QEMU's monitor.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
static BUSY_INSTRUCTIONS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

// SAFETY: the executor looks for it, and there is one.
#[unsafe(export_name = "__pender")]
fn woken(_: *mut ()) {
    wake();
}

/// Lets tasks be polled once more, and what `run` was given be called before.
pub(crate) fn wake() {
    WOKEN.store(true, Ordering::Release);
}

/// Runs what `start` spawns. What that returns is called before tasks are polled: after interrupts, that is.
pub(crate) fn run<F: FnMut()>(start: impl FnOnce(Spawner) -> F) -> ! {
    static EXECUTOR: StaticCell<Executor> = StaticCell::new();
    let executor = EXECUTOR.init_with(|| Executor::new(core::ptr::null_mut()));
    let mut before = start(executor.spawner());
    let mut from = riscv::register::minstret::read64();
    loop {
        before();
        // SAFETY: it is polled here alone, from one context, and `woken` only sets a mark.
        unsafe { executor.poll() };
        critical_section::with(|section| {
            if !WOKEN.swap(false, Ordering::AcqRel) {
                let busy = BUSY_INSTRUCTIONS.borrow(section);
                busy.set(busy.get() + riscv::register::minstret::read64().wrapping_sub(from));
                // An interrupt ends it, and is served when the section ends.
                riscv::asm::wfi();
                from = riscv::register::minstret::read64();
            }
        });
    }
}
