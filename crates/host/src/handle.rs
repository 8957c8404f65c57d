//! What the workers of one server share, and how others reach them.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU32},
};

use tenure::{Command, CommandError, ConnectionId};

use crate::{
    inbox::Inbox,
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
#[doc(alias = "httpd_handle_t")]
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
    ///
    /// # Errors
    /// As [`command`](Handle::command).
    #[doc(alias = "httpd_sess_trigger_close")]
    pub fn close(&self, id: ConnectionId) -> Result<(), CommandError> {
        self.command(Command::Close(id))
    }

    /// Ends a connection at once, by a reset where a request is being answered. Nothing happens where it is gone.
    ///
    /// # Errors
    /// As [`command`](Handle::command).
    pub fn close_now(&self, id: ConnectionId) -> Result<(), CommandError> {
        self.command(Command::CloseNow(id))
    }

    /// Keeps a connection from being evicted, or no longer so. Nothing happens where it is gone.
    ///
    /// # Errors
    /// As [`command`](Handle::command).
    #[doc(alias = "httpd_sess_update_lru_counter")]
    pub fn pin(&self, id: ConnectionId, pinned: bool) -> Result<(), CommandError> {
        self.command(Command::Pin(id, pinned))
    }

    /// Gives a connection's worker a command, which it obeys in its next turn, behind those before it.
    ///
    /// # Errors
    /// [`Full`](CommandError::Full): as many wait for the worker as the server may have connections (64 at least);
    /// [`Stopped`](CommandError::Stopped): it has ended. Either gives the command back. Lists and stops are always taken.
    pub fn command(&self, command: Command) -> Result<(), CommandError> {
        let (Command::Close(id) | Command::CloseNow(id) | Command::Pin(id, _)) = command;
        let inbox = self.shared.inboxes.get(id.worker() as usize);
        inbox.map_or(Ok(()), |inbox| inbox.command(command))
    }

    /// Lists the connections that there are: await it in a handler, or [`Listing::wait`] elsewhere.
    #[doc(alias = "httpd_get_client_list")]
    pub fn list(&self) -> Listing {
        let (listing, questions) = Question::to(self.shared.inboxes.len());
        self.shared.inboxes.iter().zip(questions).for_each(|(inbox, question)| inbox.list(question));
        listing
    }

    /// Stops the server: nothing new is accepted, idle connections end, requests that have arrived are answered, within
    /// [`Deadlines::flush_ms`](tenure::Deadlines::flush_ms).
    #[doc(alias = "httpd_stop")]
    pub fn stop(&self) {
        self.shared.inboxes.iter().for_each(|inbox| inbox.stop(false));
    }

    /// Stops the server at once: every connection is ended.
    pub fn stop_now(&self) {
        self.shared.inboxes.iter().for_each(|inbox| inbox.stop(true));
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
