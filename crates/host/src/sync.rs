//! What threads share: of std, or of loom in tests that try every order in which threads may come.

#[cfg(all(test, loom))]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, atomic::AtomicBool};
use std::sync::PoisonError;
#[cfg(not(all(test, loom)))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic::AtomicBool};

/// A lock whose holder cannot have left it half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for as long as that holds.
pub(crate) fn wait_while<'a, T>(
    told: &Condvar,
    mut guard: MutexGuard<'a, T>,
    holds: impl Fn(&T) -> bool,
) -> MutexGuard<'a, T> {
    while holds(&guard) {
        guard = told.wait(guard).unwrap_or_else(PoisonError::into_inner);
    }
    guard
}
