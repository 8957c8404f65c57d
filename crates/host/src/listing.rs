//! A list of connections on its way from the workers.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use tenure::port::Listed;

/// A list of connections on its way from the workers.
#[derive(Clone)]
pub struct Listing {
    state: Arc<(Mutex<State>, Condvar)>,
}

struct State {
    listed: Vec<Listed>,
    /// Workers that have not answered yet.
    missing: usize,
    waker: Option<Waker>,
}

/// A lock whose holder cannot have left it half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listing {
    /// One that so many workers are to add to.
    pub(crate) fn of(workers: usize) -> Self {
        let state = State { listed: Vec::new(), missing: workers, waker: None };
        Listing { state: Arc::new((Mutex::new(state), Condvar::new())) }
    }

    /// Waits for the list. Not in a handler, whose worker it would keep from answering: there, await it.
    pub fn wait(self) -> Vec<Listed> {
        let (state, told) = &*self.state;
        let mut state = told.wait_while(lock(state), |state| state.missing > 0).unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.listed)
    }

    pub(crate) fn add(&self, listed: impl Iterator<Item = Listed>) {
        let (state, told) = &*self.state;
        let mut state = lock(state);
        state.listed.extend(listed);
        state.missing = state.missing.saturating_sub(1);
        if state.missing == 0 {
            told.notify_all();
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        }
    }
}

/// Safe to cancel.
impl Future for Listing {
    type Output = Vec<Listed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vec<Listed>> {
        let mut state = lock(&self.state.0);
        if state.missing == 0 {
            return Poll::Ready(std::mem::take(&mut state.listed));
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listing")
    }
}
