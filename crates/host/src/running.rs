//! A server on threads of its own.

use std::{
    future::Future,
    panic::resume_unwind,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread::{self, JoinHandle},
};

use tenure::{Handler, Observer, Session};

use crate::{
    Error, Handle, Platform, Server,
    serve::stopped_when,
    sync::{Mutex, lock},
};

/// A server that runs on threads of its own: awaited, or [waited for](Running::wait), it tells how the server ended.
///
/// If it is dropped, the server goes on, and nobody learns of its end. A program that returns from `main` cuts the server off: to
/// end gracefully, stop it and await it, as the repository's example `in_tokio` does.
///
/// # Panics
/// When the server panicked, with its payload; and when it is awaited again after it has ended.
///
/// # Cancellation safety
/// Safe to cancel: the server goes on, and `&mut` of it can be awaited again.
#[derive(Debug)]
#[must_use = "it tells how the server ended"]
pub struct Running {
    handle: Handle,
    /// `None` once it has been joined.
    thread: Option<JoinHandle<Result<(), Error>>>,
    end: Arc<Mutex<End>>,
}

#[derive(Debug, Default)]
struct End {
    has_come: bool,
    waker: Option<Waker>,
}

/// Tells of a thread's end when it is dropped.
struct Ends(Arc<Mutex<End>>);

impl Drop for Ends {
    fn drop(&mut self) {
        let mut end = lock(&self.0);
        end.has_come = true;
        let waker = end.waker.take();
        // Outside the lock, because a waker may do anything.
        drop(end);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Running {
    /// Reaches the server.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Stops the server, as [`Handle::stop`] does. Await its end afterwards.
    pub fn stop(&self) {
        self.handle.stop();
    }

    /// Awaits the server's end, and stops it once `stop` is ready, as [`Handle::stop`] does: requests that have arrived are
    /// answered, idle connections end. What `stop` gives does not matter.
    ///
    /// # Errors
    /// As [`wait`](Running::wait).
    ///
    /// # Panics
    /// As [`wait`](Running::wait).
    ///
    /// # Cancellation safety
    /// If it is dropped, the server goes on.
    pub async fn stop_when(self, stop: impl Future) -> Result<(), Error> {
        stopped_when(self.handle.clone(), self, stop).await
    }

    /// Waits for the server's end, and blocks the thread. In a task, await it instead.
    ///
    /// # Errors
    /// What the operating system refused a worker.
    ///
    /// # Panics
    /// When the server panicked, with its payload.
    pub fn wait(mut self) -> Result<(), Error> {
        self.join()
    }

    fn join(&mut self) -> Result<(), Error> {
        let thread = self.thread.take().expect("a server's end is told once");
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl Future for Running {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut end = lock(&self.end);
        if !end.has_come {
            end.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        drop(end);
        Poll::Ready(self.join())
    }
}

impl<P: Platform> Server<P> {
    /// Serves on threads of its own, as many as set, until it is stopped. In tokio each of them has a runtime of its own.
    ///
    /// What it returns is `Send` and may be awaited anywhere. Handlers and sessions stay where they were made, so they need not be
    /// `Send`; the application and the observer are shared by all threads.
    ///
    /// # Errors
    /// No thread can be started. A later failure of a worker is the result of the returned future.
    pub fn spawn<S, A, O>(self, app: A, observer: O) -> Result<Running, Error>
    where
        S: Session,
        A: Handler<S> + Send + Sync + 'static,
        O: Observer + Send + Sync + 'static,
    {
        let (handle, end) = (self.handle(), Arc::default());
        let ends = Ends(Arc::clone(&end));
        let serve = move || {
            // Dropped last: whoever is told of the end joins this thread, and must not block.
            let _ends = ends;
            let (server, app, observer) = (self, app, observer);
            server.run(&app, &observer)
        };
        let spawned = thread::Builder::new().name("tenure-0".to_owned()).spawn(serve);
        let thread = spawned.map_err(|error| Error::System("a server's thread cannot be started", error))?;
        Ok(Running { handle, thread: Some(thread), end })
    }
}
