//! Whose turn it is to accept: sockets persist, so what one worker takes today it has tomorrow.

use std::{
    io::{self, ErrorKind},
    sync::{Arc, atomic::Ordering},
};

use crate::handle::Shared;

/// Connections above its fair share that a worker takes before it leaves the next ones to the others.
const SLACK: u32 = 16;
/// How long accepting rests when descriptors or memory have run out.
const REST_MS: u32 = 100;

/// One worker's part in accepting.
pub(crate) struct Acceptance {
    shared: Arc<Shared>,
    worker: usize,
    /// Connections of this worker that `shared` counts.
    counted: u32,
    accepts: bool,
    /// Something has run out: nothing is accepted before this time.
    rests_until_ms: Option<u32>,
    /// The log says that nothing can be accepted.
    warned: bool,
}

impl Acceptance {
    pub(crate) fn new(shared: Arc<Shared>, worker: usize) -> Self {
        Acceptance { shared, worker, counted: 0, accepts: false, rests_until_ms: None, warned: false }
    }

    /// Tells the others how many connections there are here.
    pub(crate) fn count(&mut self, count: u32) {
        if count == self.counted {
            return;
        }
        let max = self.shared.max_open_sockets;
        let before = self.shared.open.fetch_add(count.wrapping_sub(self.counted), Ordering::Relaxed);
        let now = before.wrapping_add(count).wrapping_sub(self.counted);
        self.counted = count;
        // Whether somebody is evicted depends on there being no place anywhere.
        if (before >= max) != (now >= max) {
            self.shared.reconsider(self.worker);
        }
    }

    /// Connections of this worker that the others know of.
    pub(crate) fn counted(&self) -> u32 {
        self.counted
    }

    /// Whether newcomers are the others' now. `full`: this worker would have to evict one for each.
    pub(crate) fn is_others_turn(&self, full: bool) -> bool {
        let open = self.shared.open.load(Ordering::Relaxed);
        let workers = self.shared.inboxes.len() as u32;
        // With a place left elsewhere nobody is evicted here.
        if full { open < self.shared.max_open_sockets } else { workers > 1 && self.counted > open / workers + SLACK }
    }

    /// Notes whether this worker accepts. Where it begins not to, the others look whether they do: they may have left newcomers
    /// to this one before, and the kernel may have told this one alone of the next.
    pub(crate) fn set(&mut self, accepts: bool) {
        if self.accepts && !accepts {
            self.shared.reconsider(self.worker);
        }
        self.accepts = accepts;
    }

    /// Milliseconds until a rest is over.
    pub(crate) fn rests_for_ms(&mut self, now_ms: u32) -> Option<u32> {
        let until_ms = self.rests_until_ms?;
        let rest_ms = until_ms.wrapping_sub(now_ms);
        if rest_ms == 0 || rest_ms > REST_MS {
            self.rests_until_ms = None;
            return None;
        }
        Some(rest_ms)
    }

    /// Somebody was accepted.
    pub(crate) fn accepted(&mut self) {
        if self.warned {
            self.warned = false;
            log::info!("connections are accepted again");
        }
    }

    /// Nobody can be accepted for now.
    #[cold]
    pub(crate) fn rest(&mut self, now_ms: u32, error: &io::Error) {
        self.rests_until_ms = Some(now_ms.wrapping_add(REST_MS));
        // What is not valid has been shut: another worker stops the server, and this one will hear of it at once.
        if !self.warned && error.kind() != ErrorKind::InvalidInput {
            self.warned = true;
            log::warn!("no connection can be accepted for now: {error}; those that there are go on");
        }
    }
}

/// Whether an error is of a newcomer that is gone already (accept(2)): on to the next.
pub(crate) fn is_of_newcomer(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let errno = Errno::from_io_error(error);
        if matches!(errno, Some(Errno::PROTO | Errno::NOPROTOOPT | Errno::HOSTDOWN | Errno::OPNOTSUPP)) {
            return true;
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if errno == Some(Errno::NONET) {
            return true;
        }
    }
    matches!(
        error.kind(),
        ErrorKind::Interrupted
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::NetworkDown
            | ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::PermissionDenied
    )
}
