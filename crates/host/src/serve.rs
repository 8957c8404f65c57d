//! A server in the calling task.

use std::{
    fmt,
    future::{Future, poll_fn, ready},
    pin::{Pin, pin},
    task::{Context, Poll},
};

use tenure::{Handler, Observer, Session};

use crate::{Error, Handle, Server, TaskPlatform};

/// Not `Send`, so `tokio::spawn` refuses it: [`Server::spawn`] serves on threads of its own, `spawn_local` in a `LocalSet` here.
///
/// A server in the calling task, which serves while it is awaited: what [`Server::serve`] and a port's `serve` return.
///
/// # Errors
/// Those of what made it.
///
/// # Panics
/// Outside of a runtime with I/O and time.
///
/// # Cancellation safety
/// If it is dropped, every session ends, and connections whose request is being answered are reset. To answer these first, use
/// [`stop_when`](Serve::stop_when) or [`Handle::stop`].
#[must_use = "it serves while it is awaited"]
pub struct Serve<'a> {
    future: Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>,
    /// `None` if the server could not be bound.
    handle: Option<Handle>,
}

impl<'a> Serve<'a> {
    pub(crate) fn new(handle: Handle, future: impl Future<Output = Result<(), Error>> + 'a) -> Self {
        Serve { future: Box::pin(future), handle: Some(handle) }
    }

    /// A server that owns its application. If it could not be bound, awaiting it gives the error.
    pub fn owning<P, S, A>(server: Result<Server<P>, Error>, app: A) -> Self
    where
        P: TaskPlatform,
        S: Session + 'a,
        A: Handler<S> + 'a,
    {
        match server {
            Ok(server) => Serve::new(server.handle(), async move { server.serve(&app, &()).await }),
            Err(error) => Serve { future: Box::pin(ready(Err(error))), handle: None },
        }
    }

    /// Stops the server once `stop` is ready, as [`Handle::stop`] does: requests that have arrived are answered, idle connections
    /// end. What `stop` gives does not matter.
    pub fn stop_when(self, stop: impl Future + 'a) -> Self {
        match self.handle.clone() {
            Some(handle) => Serve::new(handle.clone(), stopped_when(handle, self.future, stop)),
            None => self,
        }
    }
}

impl Future for Serve<'_> {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.future.as_mut().poll(context)
    }
}

impl fmt::Debug for Serve<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve").field("handle", &self.handle).finish_non_exhaustive()
    }
}

impl<P: TaskPlatform> Server<P> {
    /// Serves until [`Handle::stop`] in the calling task, as the only worker: [`threads`](field@crate::Settings::threads) must be 1.
    /// The future is not `Send`: see [`Serve`].
    ///
    /// # Errors
    /// More than one worker was asked for, or what the operating system refuses.
    pub fn serve<'a, S, A, O>(self, app: &'a A, observer: &'a O) -> Serve<'a>
    where
        S: Session + 'a,
        A: Handler<S>,
        O: Observer,
    {
        Serve::new(self.handle(), self.serve_alone(app, observer))
    }
}

/// Awaits a server's end, and stops it once `stop` is ready.
pub(crate) async fn stopped_when<R>(handle: Handle, server: impl Future<Output = R>, stop: impl Future) -> R {
    let (mut server, mut stop) = (pin!(server), pin!(stop));
    let mut is_stopping = false;
    poll_fn(|context| {
        if !is_stopping && stop.as_mut().poll(context).is_ready() {
            is_stopping = true;
            handle.stop();
        }
        server.as_mut().poll(context)
    })
    .await
}
