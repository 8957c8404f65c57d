//! What the workers of one server share, and how others reach them.

use std::{
    iter::repeat_with,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU32},
};

use tenure::ConnectionId;

use crate::{
    inbox::{Command, Inbox},
    listing::{Listing, Question},
};

/// What the workers of one server share: none of it is touched on a request's way.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Connections that there are.
    pub(crate) open: AtomicU32,
    pub(crate) max_open_sockets: u32,
    pub(crate) inboxes: Vec<Arc<Inbox>>,
}

impl Shared {
    /// Asks all workers but one to look again whether they accept.
    pub(crate) fn reconsider(&self, but: usize) {
        for (_, inbox) in self.inboxes.iter().enumerate().filter(|(number, _)| *number != but) {
            inbox.reconsider();
        }
    }
}

/// Reaches a running server from any thread. Cheap to clone; it may outlive the server, of which it then does nothing.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) addresses: Arc<[SocketAddr]>,
}

impl Handle {
    /// Where the server listens; the real port where 0 was asked for. The first of [`local_addresses`](Handle::local_addresses).
    pub fn local_addr(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Everywhere the server listens, in the order of the settings.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Closes a connection: at once where it is idle, after the response that is at work, or by a reset where that goes on for
    /// longer than [`Deadlines::flush_ms`](tenure::Deadlines::flush_ms). Nothing happens where it is gone.
    pub fn close(&self, id: ConnectionId) {
        self.one(id, Command::Close(id));
    }

    /// Ends a connection at once, by a reset where a request is being answered. Nothing happens where it is gone.
    pub fn close_now(&self, id: ConnectionId) {
        self.one(id, Command::CloseNow(id));
    }

    /// Keeps a connection from being evicted, or no longer so. Nothing happens where it is gone.
    pub fn pin(&self, id: ConnectionId, pinned: bool) {
        self.one(id, Command::Pin(id, pinned));
    }

    /// Lists the connections that there are: await it in a handler, or [`Listing::wait`] elsewhere.
    pub fn list(&self) -> Listing {
        let (listing, questions) = Question::to(self.shared.inboxes.len());
        self.all(questions.map(Command::List));
        listing
    }

    /// Stops the server: nothing new is accepted, idle connections end, requests that have arrived are answered, within
    /// [`Deadlines::flush_ms`](tenure::Deadlines::flush_ms).
    pub fn stop(&self) {
        self.all(repeat_with(|| Command::Stop));
    }

    /// Stops the server at once: every connection is ended.
    pub fn stop_now(&self) {
        self.all(repeat_with(|| Command::StopNow));
    }

    /// Gives a connection's worker a command.
    fn one(&self, id: ConnectionId, command: Command) {
        if let Some(inbox) = self.shared.inboxes.get(id.worker() as usize) {
            inbox.command(command);
        }
    }

    /// Gives each worker its command.
    fn all(&self, commands: impl Iterator<Item = Command>) {
        for (inbox, command) in self.shared.inboxes.iter().zip(commands) {
            inbox.command(command);
        }
    }

    /// What each signal that comes asks for: the first stops the server, the second ends it at once.
    pub(crate) fn obey_signals(self) -> impl FnMut() + Send + 'static {
        let mut is_first = true;
        move || {
            if std::mem::replace(&mut is_first, false) {
                log::info!("stopping, as a signal asks: exchanges at work finish; a second signal ends them");
                self.stop();
            } else {
                log::warn!("ending at once, as a second signal asks");
                self.stop_now();
            }
        }
    }
}
