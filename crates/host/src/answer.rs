//! One answer on its way from a worker.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::sync::{Condvar, Mutex, lock, wait_while};

/// What a worker answers. Dropped, it tells that no answer comes, so that nobody waits for ever.
#[derive(Debug)]
pub(crate) struct Asked<T>(Arc<Shared<T>>);

/// An answer on its way.
pub(crate) struct Answer<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    told: Condvar,
}

struct State<T> {
    has_come: bool,
    /// `None` where none comes, or it has been taken.
    answer: Option<T>,
    waker: Option<Waker>,
}

impl<T> Asked<T> {
    pub(crate) fn new() -> (Answer<T>, Self) {
        let state = State { has_come: false, answer: None, waker: None };
        let shared = Arc::new(Shared { state: Mutex::new(state), told: Condvar::new() });
        (Answer(shared.clone()), Asked(shared))
    }

    pub(crate) fn answer(self, answer: T) {
        self.0.tell(Some(answer));
    }
}

impl<T> Drop for Asked<T> {
    fn drop(&mut self) {
        self.0.tell(None);
    }
}

impl<T> Shared<T> {
    /// Tells the answer, or that none comes. The first counts.
    fn tell(&self, answer: Option<T>) {
        let mut state = lock(&self.state);
        if std::mem::replace(&mut state.has_come, true) {
            return;
        }
        state.answer = answer;
        self.told.notify_all();
        let waker = state.waker.take();
        // Outside the lock, because a waker may do anything.
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Answer<T> {
    /// The answer, once; `None` where none comes.
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = lock(&self.0.state);
        if state.has_come {
            return Poll::Ready(state.answer.take());
        }
        let before = state.waker.replace(context.waker().clone());
        // Outside the lock, because a waker's drop may do anything.
        drop(state);
        drop(before);
        Poll::Pending
    }

    /// The same, and blocks the thread.
    pub(crate) fn wait(self) -> Option<T> {
        wait_while(&self.0.told, lock(&self.0.state), |state| !state.has_come).answer.take()
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if lock(&self.state).has_come { "answered" } else { "awaited" })
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
