//! What has become of connections and sessions, counted.

use std::sync::{Condvar, Mutex, PoisonError};

use tenure::{Admission, ConnectionId, EndReason, Observer, PeerAddress};

use super::PATIENCE;

/// Counts connections, as an observer, and sessions, which report to it.
#[derive(Default)]
pub(crate) struct Tally {
    counts: Mutex<Counts>,
    changed: Condvar,
}

/// What has been so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Sessions made.
    pub(crate) opened: usize,
    /// Why each session ended.
    pub(crate) ended: Vec<EndReason>,
    /// Connections.
    pub(crate) connected: usize,
    /// Why each connection ended.
    pub(crate) disconnected: Vec<(ConnectionId, EndReason)>,
    /// Connections that gave way.
    pub(crate) evicted: usize,
    /// Responses that were complete.
    pub(crate) responses: usize,
    /// Ends of the server.
    pub(crate) stopped: usize,
}

impl Tally {
    fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    pub(crate) fn opened(&self) {
        self.change(|counts| counts.opened += 1);
    }

    pub(crate) fn ended(&self, reason: EndReason) {
        self.change(|counts| counts.ended.push(reason));
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.lock().unwrap().clone()
    }

    /// Blocks until the counts are such.
    pub(crate) fn wait(&self, such: impl Fn(&Counts) -> bool) -> Counts {
        let counts = self.counts.lock().unwrap();
        let (counts, waited) = self
            .changed
            .wait_timeout_while(counts, PATIENCE, |counts| !such(counts))
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "waited in vain, at {counts:?}");
        counts.clone()
    }
}

impl Observer for Tally {
    fn connected(&self, _: ConnectionId, _: Option<PeerAddress>) -> Admission {
        self.change(|counts| counts.connected += 1);
        Admission::Accept
    }

    fn response_sent(&self, _: ConnectionId, _: tenure::StatusCode, _: u64, _: u32) {
        self.change(|counts| counts.responses += 1);
    }

    fn evicted(&self, _: ConnectionId, _: ConnectionId) {
        self.change(|counts| counts.evicted += 1);
    }

    fn disconnected(&self, id: ConnectionId, reason: EndReason, _: bool) {
        self.change(|counts| counts.disconnected.push((id, reason)));
    }

    fn stopped(&self) {
        self.change(|counts| counts.stopped += 1);
    }
}
