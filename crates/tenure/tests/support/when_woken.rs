//! A future under a waker of its own.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// What its waker sets, and the waker of what polls for it.
struct Flag {
    woken: AtomicBool,
    outer: Waker,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
        self.outer.wake_by_ref();
    }
}

/// Polls its future only when that has been woken, as `FuturesUnordered` does.
pub(crate) async fn when_woken<F: Future>(future: F) -> F::Output {
    let (mut future, mut flag) = (pin!(future), None);
    poll_fn(|context| {
        let first = || Arc::new(Flag { woken: AtomicBool::new(true), outer: context.waker().clone() });
        let flag = flag.get_or_insert_with(first).clone();
        if !flag.woken.swap(false, Ordering::Relaxed) {
            return Poll::Pending;
        }
        future.as_mut().poll(&mut Context::from_waker(&flag.into()))
    })
    .await
}
