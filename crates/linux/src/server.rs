//! A server as applications see it.

use std::net::SocketAddr;

use tenure::{Handler, Observer, Session};
use tenure_host::{Bound, service};

use crate::{Error, Handle, Settings, signals::Signals, worker::Worker};

/// Descriptors of a worker's own: epoll and eventfd.
const DESCRIPTORS_PER_WORKER: u64 = 2;

/// A server that listens, but does not accept yet: [`run`](Server::run) does.
#[derive(Debug)]
pub struct Server {
    bound: Bound,
    signals: Option<Signals>,
}

impl Server {
    /// Listens. The limit of descriptors is raised to the hard one; where that is too low for
    /// [`Settings::max_open_sockets`] the latter is lowered, which is logged.
    ///
    /// # Errors
    /// A setting that cannot be meant, an address that is in use or cannot be had, or too few descriptors for anything.
    pub fn bind(settings: Settings) -> Result<Self, Error> {
        Ok(Server { bound: Bound::new(settings, DESCRIPTORS_PER_WORKER)?, signals: None })
    }

    /// Reaches the server while it runs.
    pub fn handle(&self) -> Handle {
        self.bound.handle().clone()
    }

    /// Lets SIGTERM and SIGINT stop the server from now on; a second signal ends it at once.
    ///
    /// # Errors
    /// The operating system refuses to tell of signals.
    pub fn stop_on_signals(mut self) -> Result<Self, Error> {
        self.signals = Some(Signals::new()?);
        Ok(self)
    }

    /// Where it listens; the real port where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.bound.handle().local_addr()
    }

    /// Everywhere it listens: `addresses` of the settings, then `listeners`.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        self.bound.handle().local_addresses()
    }

    /// Serves until [`Handle::stop`], on as many threads as set, this one being the first. A worker's connections stay on
    /// its thread: sessions and handlers' futures need not be `Send`.
    ///
    /// # Errors
    /// What the operating system refuses a worker. The others are stopped.
    ///
    /// # Panics
    /// When a worker panics outside of a handler, of a session's end and of an observer. All sessions are ended first.
    pub fn run<S, A, O>(self, app: &A, observer: &O) -> Result<(), Error>
    where
        S: Session,
        A: Handler<S> + Sync,
        O: Observer + Sync,
    {
        self.bound.run(observer, |number| {
            let signals = self.signals.as_ref().filter(|_| number == 0);
            Worker::new(&self.bound, number, signals, service(app, observer))?.run()
        })
    }
}
