//! Panics are caught here.

use alloc::boxed::Box;
use core::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `act` and catches its panic. `None`: it has panicked.
///
/// Dropping the payload may panic too; that is caught as well.
#[inline]
pub fn contain<R>(act: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(value) => Some(value),
        Err(thrown) => {
            dispose(thrown);
            None
        }
    }
}

#[cold]
fn dispose(thrown: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(thrown))) {
        // Dropping this one could panic again, without end: leak it.
        core::mem::forget(again);
    }
}
