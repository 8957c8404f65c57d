//! Locks and atomics: std's, or loom's in tests that try every order of the threads' steps.

#[cfg(all(test, loom))]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, atomic::AtomicBool};
use std::sync::PoisonError;
#[cfg(not(all(test, loom)))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic::AtomicBool};

/// Locks. Poison is ignored: no holder panics halfway through a change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits while `holds` is true.
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
