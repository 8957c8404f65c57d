//! A server as applications see it.

use std::{marker::PhantomData, net::SocketAddr, panic::resume_unwind, thread};

use tenure::{Handler, Observer, Session, port::contain};

use crate::{Error, Handle, Platform, Settings, TaskPlatform, listening::Listening, service::watched};

/// A server that listens, but does not accept yet: [`run`](Server::run) and [`spawn`](Server::spawn) do.
#[derive(Debug)]
pub struct Server<P> {
    listening: Listening,
    #[cfg(unix)]
    _signals: Option<crate::signals::Signals>,
    platform: PhantomData<fn() -> P>,
}

impl<P: Platform> Server<P> {
    /// Listens. On Unix the limit of descriptors is raised to the hard one; where that is too low for
    /// [`Settings::connections_max`] the latter is lowered, which is logged.
    ///
    /// # Errors
    /// An invalid setting, an address that is in use or cannot be listened at, or too few descriptors for a single connection.
    #[doc(alias = "httpd_start")]
    pub fn bind(settings: Settings) -> Result<Self, Error> {
        if !P::SPINS && settings.spin_us > 0 {
            return Err(Error::Settings(
                "`spin_us` is for tenure-linux only, because a task must not keep others waiting: set it to 0",
            ));
        }
        let descriptors_per_worker = P::descriptors_per_worker(&settings);
        Ok(Server {
            listening: Listening::new(settings, descriptors_per_worker)?,
            #[cfg(unix)]
            _signals: None,
            platform: PhantomData,
        })
    }

    /// Where it listens; the real port where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.listening.handle.local_addr()
    }

    /// Everywhere it listens: `addresses` of the settings, then `listeners`.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        self.listening.handle.local_addresses()
    }

    /// Reaches the server while it runs.
    pub fn handle(&self) -> Handle {
        self.listening.handle.clone()
    }

    /// From now on SIGTERM and SIGINT (Ctrl-C on other systems than Unix) stop the server; a second signal ends it at once.
    /// A thread waits for them, so they reach the other workers even if one is stuck or has ended.
    ///
    /// On Unix a handler that the program had set before is called as well, now and later. Once `run` or `serve` has returned, or
    /// the server is dropped, and no other server waits for signals, they do what they did before the first one did: what was the
    /// default ends the process, what was ignored is ignored. Systems that do not tell which it was (all but Linux) count as having
    /// had the default. Handlers that are set by other means while a server waits are not put back, nor kept.
    ///
    /// # Errors
    /// The operating system refuses to tell of signals.
    pub fn stop_on_signals(self) -> Result<Self, Error> {
        let obey = self.handle().obey_signals();
        #[cfg(unix)]
        return Ok(Server { _signals: Some(crate::signals::Signals::new(obey)?), ..self });
        #[cfg(not(unix))]
        P::hear_interrupts(obey).map(|()| self)
    }

    /// Serves until [`Handle::stop`], on as many threads as set, this one being the first. A worker's connections stay on
    /// its thread: sessions and handlers' futures need not be `Send`. With tokio each thread has a runtime of its own, and
    /// handlers may use `tokio::task::spawn_local`.
    ///
    /// # Errors
    /// What the operating system refuses a worker. The others are stopped.
    ///
    /// # Panics
    /// When a worker panics outside of a handler, of a session's end and of an observer: the other workers are stopped, all sessions
    /// ended, and the observer is told that the server has stopped, first. With tokio, within a runtime: there,
    /// [`spawn`](Server::spawn) it.
    #[doc(alias = "httpd_start")]
    pub fn run<S, A, O>(self, app: &A, observer: &O) -> Result<(), Error>
    where
        S: Session,
        A: Handler<S> + Sync,
        O: Observer + Sync,
    {
        let listening = &self.listening;
        let _stopped = Stopped(observer);
        tell_started(listening, observer);
        let serve = &|number| {
            let _closing = Closing(listening, number);
            let result = P::run(listening, number, watched(app, observer, listening.peers()));
            if result.is_err() {
                listening.handle.stop_now();
            }
            result
        };
        thread::scope(|scope| {
            let spawn = |number| {
                let builder = thread::Builder::new().name(format!("tenure-{number}"));
                let spawned = builder.spawn_scoped(scope, move || serve(number));
                spawned.map_err(|error| Error::System("a worker's thread cannot be started", error))
            };
            let others: Vec<_> = (1..listening.workers()).map(spawn).collect();
            let mut result = if others.iter().all(Result::is_ok) {
                serve(0)
            } else {
                listening.handle.stop_now();
                Ok(())
            };
            for other in others {
                let joined = other.and_then(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
                result = result.and(joined);
            }
            result
        })
    }
}

impl<P: TaskPlatform> Server<P> {
    pub(crate) async fn serve_alone<S, A, O>(self, app: &A, observer: &O) -> Result<(), Error>
    where
        S: Session,
        A: Handler<S>,
        O: Observer,
    {
        if self.listening.workers() != 1 {
            return Err(Error::Settings(
                "`threads` is not 1: a task is one worker; set it, or let the server `spawn` or `run`",
            ));
        }
        let _stopped = Stopped(observer);
        tell_started(&self.listening, observer);
        let _closing = Closing(&self.listening, 0);
        P::serve(&self.listening, 0, watched(app, observer, self.listening.peers())).await
    }
}

fn tell_started(server: &Listening, observer: &impl Observer) {
    for &address in server.handle.local_addresses() {
        tell(|| observer.started(address));
    }
}

/// Calls an observer, and catches its panic. The outer `contain` catches a panic of the logger.
fn tell(tell: impl FnOnce()) {
    contain(|| {
        if contain(tell).is_none() {
            log::error!("an observer panicked");
        }
    });
}

/// Tells an observer that the server has stopped, also after a panic of a worker, or when the future is dropped.
struct Stopped<'a, O: Observer>(&'a O);

impl<O: Observer> Drop for Stopped<'_, O> {
    fn drop(&mut self) {
        tell(|| self.0.stopped());
    }
}

/// Releases those who wait for a worker's answer, however the worker ends. If it panics, the others stop too: nobody would serve
/// its connections.
struct Closing<'a>(&'a Listening, usize);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.handle.stop_now();
        }
        self.0.inbox(self.1).close();
    }
}
