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
    /// Handlers that have arrived so far.
    arrived: usize,
    wakers: Vec<Waker>,
}

impl Gate {
    /// Waits until it is open.
    pub(crate) async fn pass(&self) {
        let mut arrived = false;
        poll_fn(|context| {
            let mut state = self.state.lock().unwrap();
            if !arrived {
                arrived = true;
                state.arrived += 1;
                self.changed.notify_all();
            }
            if state.open {
                return Poll::Ready(());
            }
            state.wakers.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Blocks until so many handlers have arrived.
    pub(crate) fn wait(&self, arrived: usize) {
        let state = self.state.lock().unwrap();
        let waited = self.changed.wait_timeout_while(state, PATIENCE, |state| state.arrived < arrived);
        let (state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "{} of {arrived} handlers have arrived", state.arrived);
    }

    /// Lets those pass that wait and all that come.
    pub(crate) fn open(&self) {
        let mut state = self.state.lock().unwrap();
        state.open = true;
        state.wakers.drain(..).for_each(Waker::wake);
    }

    /// Wakes all that wait, and keeps their wakers; none may pass.
    pub(crate) fn knock(&self) {
        let wakers = self.state.lock().unwrap().wakers.clone();
        wakers.iter().for_each(Waker::wake_by_ref);
    }
}
