//! Which worker accepts next. Sockets persist, so a worker keeps what it accepts.

use std::{
    io::{self, ErrorKind},
    sync::{Arc, atomic::Ordering},
};

use crate::handle::Shared;

/// Connections above its fair share that a worker takes before it leaves the next ones to the others.
const SLACK: u32 = 16;
/// How long newcomers are left to the others. After that, workers that have not accepted are stuck.
const DEFER_MS: u32 = 20;
/// How long accepting rests when descriptors or memory have run out.
const REST_MS: u32 = 100;

/// How far this worker leaves newcomers to the others, whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deferral {
    /// No newcomer is left to the others.
    None,
    /// Newcomers are left to the others until then.
    Until(u32),
    /// That time has passed: accept whoever still waits.
    Over,
}

/// One worker's part in accepting.
pub(crate) struct Acceptance {
    shared: Arc<Shared>,
    worker: usize,
    /// This worker's part of `shared.open`.
    counted: u32,
    accepts: bool,
    deferral: Deferral,
    /// Descriptors or memory have run out: accept nothing before this time.
    rests_until_ms: Option<u32>,
    /// The warning has been logged.
    warned: bool,
}

impl Acceptance {
    pub(crate) fn new(shared: Arc<Shared>, worker: usize) -> Self {
        Acceptance {
            shared,
            worker,
            counted: 0,
            accepts: false,
            deferral: Deferral::None,
            rests_until_ms: None,
            warned: false,
        }
    }

    /// Updates this worker's part of the shared count.
    pub(crate) fn count(&mut self, count: u32) {
        if count == self.counted {
            return;
        }
        let max = self.shared.connections_max;
        let before = self.shared.open.fetch_add(count.wrapping_sub(self.counted), Ordering::Relaxed);
        let now = before.wrapping_add(count).wrapping_sub(self.counted);
        self.counted = count;
        // Workers evict only if no worker has a free place.
        if (before >= max) != (now >= max) {
            self.reconsider_elsewhere();
        }
    }

    /// Asks the other workers to decide again whether they accept.
    pub(crate) fn reconsider_elsewhere(&self) {
        self.shared.reconsider(self.worker);
    }

    /// This worker's part of the shared count.
    pub(crate) fn counted(&self) -> u32 {
        self.counted
    }

    /// Whether newcomers are still left to the others. `full`: this worker would have to evict one for each.
    pub(crate) fn defers(&mut self, full: bool, now_ms: u32) -> bool {
        let Deferral::Until(until_ms) = self.deferral else { return false };
        if within(until_ms, now_ms, DEFER_MS).is_none() {
            self.deferral = Deferral::Over;
            return false;
        }
        self.is_others_turn(full)
    }

    /// Before an accept: whether to leave the newcomer to the others. The first time this wakes them and starts their 20 ms.
    /// `full`: as for [`defers`](Acceptance::defers).
    pub(crate) fn defer(&mut self, full: bool, now_ms: u32) -> bool {
        if self.deferral == Deferral::None && self.is_others_turn(full) {
            self.deferral = Deferral::Until(now_ms.wrapping_add(DEFER_MS));
            self.set(false);
        }
        self.defers(full, now_ms)
    }

    /// Whether the others' time is over and this worker has not looked since who still waits.
    pub(crate) fn is_overdue(&self, now_ms: u32) -> bool {
        match self.deferral {
            Deferral::None => false,
            Deferral::Until(until_ms) => within(until_ms, now_ms, DEFER_MS).is_none(),
            Deferral::Over => true,
        }
    }

    /// Nobody waits any more: later newcomers are left to the others again.
    pub(crate) fn end_deferral(&mut self) {
        self.deferral = Deferral::None;
    }

    /// Whether it is the others' turn, by the number of connections of each worker.
    fn is_others_turn(&self, full: bool) -> bool {
        let open = self.shared.open.load(Ordering::Relaxed);
        let workers = self.shared.inboxes.len() as u32;
        // No eviction while another worker has a free place.
        if full { open < self.shared.connections_max } else { workers > 1 && self.counted > open / workers + SLACK }
    }

    /// Notes whether this worker accepts. When it stops accepting, the others decide again: they may have left newcomers to this
    /// one, and the kernel may have told only this one of the next.
    pub(crate) fn set(&mut self, accepts: bool) {
        if self.accepts && !accepts {
            self.reconsider_elsewhere();
        }
        self.accepts = accepts;
        // A worker that cannot accept must not wake up to look for newcomers.
        if !accepts && self.deferral == Deferral::Over {
            self.deferral = Deferral::None;
        }
    }

    /// Whether accepting rests, because descriptors or memory have run out.
    pub(crate) fn rests(&mut self, now_ms: u32) -> bool {
        let rest_ms = self.rests_until_ms.and_then(|until_ms| within(until_ms, now_ms, REST_MS));
        if rest_ms.is_none() {
            self.rests_until_ms = None;
        }
        rest_ms.is_some()
    }

    /// Milliseconds until the worker must look for newcomers again.
    #[inline]
    pub(crate) fn due_within(&self, now_ms: u32) -> Option<u32> {
        if self.rests_until_ms.is_none() && self.deferral == Deferral::None { None } else { self.look_within(now_ms) }
    }

    #[cold]
    fn look_within(&self, now_ms: u32) -> Option<u32> {
        let rest_ms = self.rests_until_ms.map(|until_ms| within(until_ms, now_ms, REST_MS).unwrap_or(0));
        let defer_ms = match self.deferral {
            Deferral::None => None,
            Deferral::Until(until_ms) => Some(within(until_ms, now_ms, DEFER_MS).unwrap_or(0)),
            Deferral::Over => Some(0),
        };
        rest_ms.into_iter().chain(defer_ms).min()
    }

    /// A connection was accepted.
    pub(crate) fn accepted(&mut self) {
        if self.warned {
            self.warned = false;
            log::info!("connections are accepted again");
        }
    }

    /// Accepting failed: rest for a while.
    #[cold]
    pub(crate) fn rest(&mut self, now_ms: u32, error: &io::Error) {
        self.rests_until_ms = Some(now_ms.wrapping_add(REST_MS));
        // EINVAL: another worker stops the server and has shut the listener; this one will be told at once.
        if !self.warned && error.kind() != ErrorKind::InvalidInput {
            self.warned = true;
            log::warn!("no connection can be accepted for now: {error}; the open ones go on");
        }
    }
}

/// Milliseconds until then, `ms_max` at most; `None` once it has passed. Times wrap.
fn within(until_ms: u32, now_ms: u32, ms_max: u32) -> Option<u32> {
    let ms = until_ms.wrapping_sub(now_ms);
    (1..=ms_max).contains(&ms).then_some(ms)
}

/// Whether accept(2) failed because the newcomer is gone already: accept the next.
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

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicU32, task::Waker};

    use super::*;
    use crate::inbox::{Inbox, News};
    use crate::sync::Mutex;
    use tenure::port::Audience;

    /// Two workers that may have 200 connections, of which the second has so many: the first one's acceptance.
    fn beside(others: u32) -> Acceptance {
        let inboxes = (0..2).map(|_| Arc::new(Inbox::new(200))).collect();
        let audience = Audience::default();
        let shared =
            Shared { open: AtomicU32::new(others), connections_max: 200, audience, inboxes, kept: Mutex::default() };
        let mut acceptance = Acceptance::new(Arc::new(shared), 0);
        acceptance.set(true);
        acceptance
    }

    /// Whether each worker has been asked to look again.
    fn asked(acceptance: &Acceptance) -> [bool; 2] {
        [0, 1].map(|worker| {
            let mut news = News::default();
            acceptance.shared.inboxes[worker].take(&mut news, Waker::noop());
            news.reconsider
        })
    }

    /// Connections of the first worker, of the second, whether the first would have to evict, and whose turn it is.
    const TURNS: &[(u32, u32, bool, bool)] = &[
        (32, 0, false, false),
        (33, 0, false, true),
        (42, 10, false, false),
        (43, 10, false, true),
        (10, 100, false, false),
        (100, 100, true, false),
        (100, 99, true, true),
        (100, 0, true, true),
    ];

    #[test]
    fn newcomers_are_left_to_others_for_20_ms_at_the_most() {
        for &(own, others, full, is_others) in TURNS {
            for now_ms in [0, u32::MAX - 10, 1 << 31] {
                let case = (own, others, full, now_ms);
                let at = |ms: u32| now_ms.wrapping_add(ms);
                let mut acceptance = beside(others);
                acceptance.count(own);
                asked(&acceptance);
                // While nobody comes, there is no reason to wake up.
                assert_eq!((acceptance.defers(full, at(0)), acceptance.due_within(at(0))), (false, None), "{case:?}");
                assert_eq!(acceptance.defer(full, at(0)), is_others, "{case:?}");
                assert_eq!(asked(&acceptance), [false, is_others], "{case:?}");
                if !is_others {
                    assert_eq!(acceptance.due_within(at(0)), None, "{case:?}");
                    continue;
                }
                assert_eq!(acceptance.due_within(at(0)), Some(20), "{case:?}");
                assert!(acceptance.defers(full, at(19)) && acceptance.defer(full, at(19)), "{case:?}");
                assert!(!acceptance.is_overdue(at(19)) && acceptance.is_overdue(at(20)), "{case:?}");
                // Then all who wait are accepted, however many they are and however long that takes.
                for ms in [20, 20, 21, 50_000] {
                    assert!(!acceptance.defers(full, at(ms)) && !acceptance.defer(full, at(ms)), "{case:?} {ms}");
                    assert_eq!(acceptance.due_within(at(ms)), Some(0), "{case:?} {ms}");
                }
                acceptance.end_deferral();
                assert_eq!(acceptance.due_within(at(50_000)), None, "{case:?}");
                // The next one is left to the others again.
                assert!(!acceptance.defers(full, at(50_000)) && acceptance.defer(full, at(50_000)), "{case:?}");
            }
        }
    }

    #[test]
    fn a_turn_that_becomes_its_own_is_taken_at_once() {
        let mut acceptance = beside(0);
        acceptance.count(33);
        assert!(acceptance.defer(false, 0));
        acceptance.shared.open.fetch_add(1, Ordering::Relaxed);
        // 34 connections: one more than 17 and 16 would be too many.
        assert!(!acceptance.defers(false, 1) && !acceptance.defer(false, 1));
    }

    /// A worker without a free place, or at rest, does not wake up for newcomers that nobody accepts.
    #[test]
    fn who_cannot_accept_has_nothing_to_look_for() {
        let mut acceptance = beside(0);
        acceptance.count(33);
        assert!(acceptance.defer(false, 0) && !acceptance.defers(false, 20));
        acceptance.set(false);
        assert_eq!((acceptance.is_overdue(21), acceptance.due_within(21)), (false, None));
    }

    #[test]
    fn a_rest_is_over_after_100_ms() {
        for now_ms in [0, u32::MAX - 10] {
            let mut acceptance = beside(0);
            assert!(!acceptance.rests(now_ms));
            acceptance.rest(now_ms, &io::Error::from(ErrorKind::OutOfMemory));
            let at = |ms: u32| now_ms.wrapping_add(ms);
            assert!(acceptance.rests(at(0)) && acceptance.rests(at(99)));
            assert_eq!((acceptance.due_within(at(0)), acceptance.due_within(at(99))), (Some(100), Some(1)));
            assert!(!acceptance.rests(at(100)));
            assert_eq!(acceptance.due_within(at(100)), None);
        }
    }
}
