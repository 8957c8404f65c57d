//! What waits for peers that are behind. Without a heap nothing waits: what has no room in a socket is left out.

/// Bytes that wait for one peer at the most, beyond what its socket holds.
#[cfg(feature = "alloc")]
pub(crate) const BACKLOG_BYTES_MAX: usize = 65_536;

#[cfg(feature = "alloc")]
pub(crate) use with::{Backlogs, Copied};
#[cfg(not(feature = "alloc"))]
pub(crate) use without::{Backlogs, Copied};

#[cfg(feature = "alloc")]
mod with {
    use alloc::{
        collections::{BTreeMap, VecDeque},
        sync::Arc,
    };

    use super::BACKLOG_BYTES_MAX;

    /// A message that is pushed to many, copied once where a copy is needed.
    #[derive(Default)]
    pub(crate) struct Copied(Option<Arc<[u8]>>);

    impl Copied {
        /// Of what is shared already.
        pub(crate) fn of(bytes: &Arc<[u8]>) -> Self {
            Copied(Some(bytes.clone()))
        }

        pub(crate) fn get(&mut self, bytes: &[u8]) -> Arc<[u8]> {
            self.0.get_or_insert_with(|| bytes.into()).clone()
        }
    }

    /// Messages that wait for one socket.
    #[derive(Default)]
    struct Backlog {
        messages: VecDeque<Arc<[u8]>>,
        /// Bytes of the first one that are sent.
        sent: usize,
        bytes: usize,
        /// The last one is a close frame.
        closes: bool,
    }

    /// Messages that wait, by slot: there are some only while a peer is behind.
    #[derive(Default)]
    pub(crate) struct Backlogs(BTreeMap<u32, Backlog>);

    impl Backlogs {
        pub(crate) fn has(&self, index: u32) -> bool {
            !self.0.is_empty() && self.0.contains_key(&index)
        }

        /// For tests: whether each is a slot's of which that holds, and of something.
        #[cfg(feature = "kit")]
        pub(crate) fn all_of(&self, is_there: impl Fn(u32) -> bool) -> bool {
            self.0.iter().all(|(index, backlog)| is_there(*index) && !backlog.messages.is_empty())
        }

        /// Lets a message wait of which so many bytes are sent. `false`: too much waits already.
        pub(crate) fn push(&mut self, index: u32, bytes: &[u8], sent: usize, copied: &mut Copied) -> bool {
            let (waiting, closes) = self.0.get(&index).map_or((0, false), |backlog| (backlog.bytes, backlog.closes));
            // One that has been begun must be ended.
            if closes || sent == 0 && waiting + bytes.len() > BACKLOG_BYTES_MAX {
                return false;
            }
            let backlog = self.0.entry(index).or_default();
            if sent > 0 {
                backlog.sent = sent;
            }
            backlog.bytes += bytes.len();
            backlog.messages.push_back(copied.get(bytes));
            true
        }

        /// Lets a last message wait, whatever waits already.
        pub(crate) fn push_last(&mut self, index: u32, bytes: &[u8]) {
            let backlog = self.0.entry(index).or_default();
            if !backlog.closes {
                backlog.messages.push_back(bytes.into());
                backlog.closes = true;
            }
        }

        /// What is to be sent next.
        pub(crate) fn next(&self, index: u32) -> Option<&[u8]> {
            let backlog = self.0.get(&index)?;
            backlog.messages.front()?.get(backlog.sent..)
        }

        /// The same, for an output that takes it as a whole. The last message stays: the connection ends behind it.
        pub(crate) fn next_to_pass(&self, index: u32) -> Option<&[u8]> {
            let backlog = self.0.get(&index)?;
            let is_last = backlog.closes && backlog.messages.len() == 1;
            if is_last || backlog.sent > 0 { None } else { backlog.messages.front().map(|message| &**message) }
        }

        /// An output has taken that.
        pub(crate) fn passed(&mut self, index: u32) {
            let Some(backlog) = self.0.get_mut(&index) else { return };
            if let Some(first) = backlog.messages.pop_front() {
                backlog.bytes = backlog.bytes.saturating_sub(first.len());
            }
            if backlog.messages.is_empty() {
                self.0.remove(&index);
            }
        }

        /// So many bytes of that are sent.
        pub(crate) fn sent(&mut self, index: u32, bytes: usize) {
            let Some(backlog) = self.0.get_mut(&index) else { return };
            backlog.sent += bytes;
            if let Some(first) = backlog.messages.front()
                && backlog.sent >= first.len()
            {
                backlog.bytes = backlog.bytes.saturating_sub(first.len());
                backlog.sent = 0;
                backlog.messages.pop_front();
            }
        }

        /// Forgets what waits for a slot. Returns whether a close frame was the last of it.
        pub(crate) fn remove(&mut self, index: u32) -> bool {
            !self.0.is_empty() && self.0.remove(&index).is_some_and(|backlog| backlog.closes)
        }
    }
}

#[cfg(not(feature = "alloc"))]
mod without {
    /// A message that is pushed to many.
    #[derive(Default)]
    pub(crate) struct Copied;

    /// Nothing waits.
    #[derive(Default)]
    pub(crate) struct Backlogs;

    #[expect(clippy::unused_self, reason = "as with a heap")]
    impl Backlogs {
        pub(crate) fn has(&self, _: u32) -> bool {
            false
        }

        pub(crate) fn push(&mut self, _: u32, _: &[u8], _: usize, _: &mut Copied) -> bool {
            false
        }

        pub(crate) fn push_last(&mut self, _: u32, _: &[u8]) {}

        pub(crate) fn next(&self, _: u32) -> Option<&[u8]> {
            None
        }

        pub(crate) fn next_to_pass(&self, _: u32) -> Option<&[u8]> {
            None
        }

        pub(crate) fn passed(&mut self, _: u32) {}

        pub(crate) fn sent(&mut self, _: u32, _: usize) {}

        pub(crate) fn remove(&mut self, _: u32) -> bool {
            false
        }
    }
}
