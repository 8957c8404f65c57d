//! Waiting that ends: whoever takes longer than a minute hangs.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, JoinHandle, Thread},
    time::{Duration, Instant},
};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `look` finds something. `what`: who is waited for, for the fault.
fn until<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> Result<T, String> {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if began.elapsed() >= patience {
            return Err(format!("waited {} s for {what} in vain", patience.as_secs()));
        }
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// Waits for a thread's end.
pub(crate) fn joined<T>(what: &str, thread: JoinHandle<T>) -> Result<T, String> {
    until(what, PATIENCE, || thread.is_finished().then_some(()))?;
    thread.join().map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        format!("{what} panicked: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no text"))
    })
}

/// Waits for a future.
pub(crate) fn awaited<F: Future>(what: &str, future: F) -> Result<F::Output, String> {
    struct Unparks(Thread);
    impl Wake for Unparks {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unparks(thread::current())));
    let mut future = pin!(future);
    until(what, PATIENCE, || match future.as_mut().poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_with_what_was_waited_for() {
        let fault = until("a server", Duration::ZERO, || None::<()>);
        assert_eq!(fault.unwrap_err(), "waited 0 s for a server in vain");
        assert_eq!(until("a server", Duration::ZERO, || Some(1)), Ok(1));
    }

    #[test]
    fn a_thread_that_panics_is_a_fault() {
        assert_eq!(joined("one", thread::spawn(|| 1)), Ok(1));
        let panics = thread::spawn(|| std::panic::resume_unwind(Box::new("on purpose")));
        assert_eq!(joined::<()>("one", panics), Err("one panicked: on purpose".into()));
    }

    #[test]
    fn a_future_is_awaited() {
        assert_eq!(awaited("it", std::future::ready(1)), Ok(1));
    }
}
