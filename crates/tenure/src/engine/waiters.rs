//! Futures that wait within a handler under a waker of their own, as those of a `FuturesUnordered` do.
//!
//! The driver polls the lane at every event, so a future under the lane's own waker needs no registration. Wakers of others are woken
//! before that poll, so that the combinator around them polls them.

use core::{
    cell::{Cell, OnceCell, RefCell},
    task::{Context, Waker},
};

/// The most wakers kept. One more wakes all the others: whoever still waits registers again, so wakers of dropped futures do not
/// accumulate.
const WAITERS_MAX: usize = if cfg!(feature = "alloc") { 1_024 } else { 4 };

#[cfg(feature = "alloc")]
type Wakers = alloc::vec::Vec<Waker>;
#[cfg(not(feature = "alloc"))]
type Wakers = heapless::Vec<Waker, WAITERS_MAX>;

/// Who waits on a lane.
pub(crate) struct Waiters {
    /// Whether `others` is not empty.
    some: Cell<bool>,
    lane: OnceCell<Waker>,
    others: RefCell<Wakers>,
}

impl Waiters {
    pub(crate) const fn new() -> Self {
        Waiters { some: Cell::new(false), lane: OnceCell::new(), others: RefCell::new(Wakers::new()) }
    }

    /// Sets the waker that the lane itself is polled with.
    pub(crate) fn set_lane(&self, waker: Waker) {
        let _ = self.lane.set(waker);
    }

    /// The waker that the lane is polled with.
    pub(crate) fn lane(&self) -> &Waker {
        self.lane.get().unwrap_or(Waker::noop())
    }

    /// Registers a future, by its context, that waits for an event of the driver's.
    #[inline]
    pub(crate) fn register(&self, context: &Context<'_>) {
        if !self.lane().will_wake(context.waker()) {
            self.add(context.waker());
        }
    }

    #[cold]
    #[inline(never)]
    fn add(&self, waker: &Waker) {
        {
            let others = self.others.borrow();
            if others.iter().any(|other| other.will_wake(waker)) {
                return;
            }
            if others.len() >= WAITERS_MAX {
                drop(others);
                self.wake_others();
            }
        }
        let waker = waker.clone();
        #[cfg(feature = "alloc")]
        self.others.borrow_mut().push(waker);
        #[cfg(not(feature = "alloc"))]
        let _ = self.others.borrow_mut().push(waker);
        self.some.set(true);
    }

    /// Whether some wait under another waker than the lane's.
    pub(crate) fn any(&self) -> bool {
        self.some.get()
    }

    /// Wakes all that wait under another waker than the lane's, because of an event.
    pub(crate) fn wake(&self) {
        if self.some.get() {
            self.wake_others();
        }
    }

    #[cold]
    #[inline(never)]
    fn wake_others(&self) {
        self.some.set(false);
        let mut others = self.others.take();
        while let Some(other) = others.pop() {
            other.wake();
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use alloc::{sync::Arc, task::Wake};
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Counted(Arc<AtomicUsize>);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A handler that registers a new waker each time, and goes on for other reasons, does not grow memory without bound.
    #[test]
    fn wakers_do_not_add_up() {
        let (waiters, woken) = (Waiters::new(), Arc::new(AtomicUsize::new(0)));
        for number in 1..=3 * WAITERS_MAX + 1 {
            let waker = Waker::from(Arc::new(Counted(woken.clone())));
            waiters.register(&Context::from_waker(&waker));
            let kept = waiters.others.borrow().len();
            assert!(kept <= WAITERS_MAX && kept + woken.load(Ordering::Relaxed) == number, "{kept} of {number}");
        }
        waiters.wake();
        assert_eq!(woken.load(Ordering::Relaxed), 3 * WAITERS_MAX + 1);
    }
}
