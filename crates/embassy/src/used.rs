//! What a program makes use of. A program that never does sets the flag nowhere, which the compiler sees: the flag is false
//! for it, and all that stands behind it is left out.

// Plain loads and stores are native everywhere.
use core::sync::atomic::{AtomicBool, Ordering};

/// Somebody has a [`Handle`](crate::Handle): the server may be asked for something.
pub(crate) static HANDLE: Used = Used::not_yet();

/// A newcomer may take the place of an idle connection.
pub(crate) static EVICTION: Used = Used::not_yet();

/// Whether something is made use of.
pub(crate) struct Used(AtomicBool);

impl Used {
    const fn not_yet() -> Self {
        Used(AtomicBool::new(false))
    }

    /// From now on it is, by whatever is done afterwards.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
