//! What the workers of one server share, and how others reach them.

use std::{
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

    fn inbox(&self, id: ConnectionId) -> Option<&Inbox> {
        self.shared.inboxes.get(id.worker() as usize).map(|inbox| &**inbox)
    }

    /// Closes a connection: at once where it is idle, after the response that is at work. Nothing happens where it is gone.
    pub fn close(&self, id: ConnectionId) {
        if let Some(inbox) = self.inbox(id) {
            inbox.command(Command::Close(id));
        }
    }

    /// Keeps a connection from being evicted, or no longer so. Nothing happens where it is gone.
    pub fn pin(&self, id: ConnectionId, pinned: bool) {
        if let Some(inbox) = self.inbox(id) {
            inbox.command(Command::Pin(id, pinned));
        }
    }

    /// Lists the connections that there are: await it in a handler, or [`Listing::wait`] elsewhere.
    pub fn list(&self) -> Listing {
        let (listing, questions) = Question::to(self.shared.inboxes.len());
        for (inbox, question) in self.shared.inboxes.iter().zip(questions) {
            inbox.command(Command::List(question));
        }
        listing
    }

    /// Stops the server: nothing new is accepted, idle connections end, exchanges in flight finish within
    /// [`Deadlines::flush_ms`](tenure::Deadlines::flush_ms).
    pub fn stop(&self) {
        self.all(|| Command::Stop);
    }

    /// Stops the server at once: every connection is ended.
    pub fn stop_now(&self) {
        self.all(|| Command::StopNow);
    }

    fn all(&self, command: impl Fn() -> Command) {
        for inbox in &self.shared.inboxes {
            inbox.command(command());
        }
    }
}
