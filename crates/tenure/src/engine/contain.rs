//! A panic that goes no further.

use alloc::boxed::Box;
use core::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `act` and keeps a panic of it here. `None`: it has panicked.
///
/// What was thrown is dropped here, which may panic too: that goes no further either.
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
        // This could go on for ever: it is leaked.
        core::mem::forget(again);
    }
}
