//! A list of connections on its way from the workers.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use tenure::port::Listed;

use crate::sync::{Condvar, Mutex, lock, wait_while};

/// A list of connections on its way from the workers. Each of its clones may be waited for, and gives all of it.
#[derive(Clone, Debug)]
pub struct Listing {
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug)]
struct State {
    listed: Vec<Listed>,
    /// Workers that have not answered yet.
    remaining: usize,
    /// The wakers of all who wait, each once.
    wakers: Vec<Waker>,
}

impl Listing {
    /// Waits for the list. In a handler, await it instead: waiting would block the worker that must answer.
    pub fn wait(self) -> Vec<Listed> {
        let (state, told) = &*self.state;
        wait_while(told, lock(state), |state| state.remaining > 0).listed.clone()
    }
}

/// A question to one worker. Dropping it counts as an answer, so that nobody waits for ever.
#[derive(Debug)]
pub(crate) struct Question(Listing);

impl Question {
    /// A list, and a question for each worker.
    pub(crate) fn to(workers: usize) -> (Listing, impl Iterator<Item = Question>) {
        let state = State { listed: Vec::new(), remaining: workers, wakers: Vec::new() };
        let listing = Listing { state: Arc::new((Mutex::new(state), Condvar::new())) };
        (listing.clone(), std::iter::repeat_n(listing, workers).map(Question))
    }

    pub(crate) fn answer(self, listed: impl Iterator<Item = Listed>) {
        lock(&self.0.state.0).listed.extend(listed);
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        let (state, told) = &*self.0.state;
        let mut state = lock(state);
        state.remaining -= 1;
        if state.remaining == 0 {
            told.notify_all();
            let wakers = std::mem::take(&mut state.wakers);
            // Outside the lock, because a waker may do anything.
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}

/// Safe to cancel.
impl Future for Listing {
    type Output = Vec<Listed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vec<Listed>> {
        let mut state = lock(&self.state.0);
        if state.remaining == 0 {
            return Poll::Ready(state.listed.clone());
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            state.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }
}
