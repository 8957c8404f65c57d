//! A gate that handlers wait at and another thread opens.

use std::{
    future::poll_fn,
    sync::{Condvar, Mutex, PoisonError},
    task::{Poll, Waker},
};

use super::PATIENCE;

/// Handlers wait at it until it is opened, for ever if it is not.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    open: bool,
    /// The last waker of each handler that has arrived so far.
    wakers: Vec<Waker>,
}

impl Gate {
    /// Waits until it is open.
    pub(crate) async fn pass(&self) {
        let mut arrived = None;
        poll_fn(|context| {
            let mut state = self.state.lock().unwrap();
            let number = *arrived.get_or_insert(state.wakers.len());
            if let Some(waker) = state.wakers.get_mut(number) {
                waker.clone_from(context.waker());
            } else {
                state.wakers.push(context.waker().clone());
                self.changed.notify_all();
            }
            if state.open { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Blocks until so many handlers have arrived.
    pub(crate) fn wait(&self, arrived: usize) {
        let state = self.state.lock().unwrap();
        let waited = self.changed.wait_timeout_while(state, PATIENCE, |state| state.wakers.len() < arrived);
        let (state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "{} of {arrived} handlers have arrived", state.wakers.len());
    }

    /// Blocks until it is open.
    pub(crate) fn wait_open(&self) {
        let state = self.state.lock().unwrap();
        let waited = self.changed.wait_timeout_while(state, PATIENCE, |state| !state.open);
        assert!(!waited.unwrap_or_else(PoisonError::into_inner).1.timed_out(), "nobody opens it");
    }

    /// Lets those pass that wait and all that come.
    pub(crate) fn open(&self) {
        let mut state = self.state.lock().unwrap();
        state.open = true;
        self.changed.notify_all();
        state.wakers.iter().for_each(Waker::wake_by_ref);
    }

    /// Wakes all that wait, and keeps their wakers; none may pass.
    pub(crate) fn knock(&self) {
        let wakers = self.state.lock().unwrap().wakers.clone();
        wakers.iter().for_each(Waker::wake_by_ref);
    }
}
