//! Publications to more connections than one turn of the driver delivers to. Without a heap there are none: a board has few connections.

#[cfg(feature = "alloc")]
pub(crate) use with::{Publication, Undelivered};
#[cfg(not(feature = "alloc"))]
pub(crate) use without::Undelivered;

#[cfg(feature = "alloc")]
mod with {
    use alloc::{
        collections::{BTreeMap, VecDeque},
        sync::Arc,
    };

    use crate::{
        open::topic::{TopicKey, Topics},
        port::Key,
    };

    /// Deliveries of one turn at the most: what is published to more reaches the others in the next turns, so that it holds nobody up.
    const DELIVERIES_MAX: u32 = 256;
    /// Publications that wait at the most. Beyond that whoever publishes does the work for the oldest one at once.
    const WAITING_MAX: usize = 64;

    /// One that has not reached all.
    pub(crate) struct Publication {
        pub(crate) topic: TopicKey,
        pub(crate) bytes: Arc<[u8]>,
        /// Who is to get it next: those before have it.
        pub(crate) from: Option<Key>,
    }

    /// From which publication on connections get any, where that is not the first.
    #[derive(Default)]
    pub(crate) struct Begins(BTreeMap<Key, u64>);

    impl Begins {
        /// Those who do not get the publication of that number, in their order.
        pub(crate) fn later_than(&self, number: u64) -> impl Iterator<Item = Key> {
            self.0.iter().filter(move |(_, begins)| **begins > number).map(|(key, _)| *key)
        }
    }

    /// Those that wait, in their order.
    pub(crate) struct Undelivered {
        waiting: VecDeque<Publication>,
        /// The number of the first of them.
        first: u64,
        /// Connections that get none of those below that number: they have them, or have joined later.
        begins: Begins,
        /// Deliveries of this turn.
        delivered: u32,
        deliveries_max: u32,
    }

    impl Default for Undelivered {
        fn default() -> Self {
            Undelivered {
                waiting: VecDeque::new(),
                first: 0,
                begins: Begins::default(),
                delivered: 0,
                deliveries_max: DELIVERIES_MAX,
            }
        }
    }

    impl Undelivered {
        /// For tests: so many deliveries in a turn at the most.
        #[cfg(feature = "kit")]
        pub(crate) fn set_deliveries_max(&mut self, deliveries_max: u32) {
            self.deliveries_max = deliveries_max;
        }

        #[cfg(test)]
        pub(crate) fn delivered(&self) -> u32 {
            self.delivered
        }

        /// Whether something waits for the next turn.
        #[inline]
        pub(crate) fn waits(&self) -> bool {
            !self.waiting.is_empty()
        }

        /// Another turn begins.
        pub(crate) fn begin_turn(&mut self) {
            self.delivered = 0;
        }

        /// How many deliveries this turn has room for.
        pub(crate) fn room(&self) -> u32 {
            self.deliveries_max.saturating_sub(self.delivered)
        }

        pub(crate) fn count(&mut self, deliveries: u32) {
            self.delivered = self.delivered.saturating_add(deliveries);
        }

        /// Whether the first must be delivered before another one may wait.
        pub(crate) fn is_full(&self) -> bool {
            self.waiting.len() >= WAITING_MAX
        }

        pub(crate) fn push(&mut self, publication: Publication) {
            self.waiting.push_back(publication);
        }

        /// Takes the first, with its number.
        pub(crate) fn pop(&mut self) -> Option<(u64, Publication)> {
            let publication = self.waiting.pop_front()?;
            self.first += 1;
            Some((self.first - 1, publication))
        }

        /// Puts it back: it has not reached all.
        pub(crate) fn put_back(&mut self, publication: Publication) {
            self.first -= 1;
            self.waiting.push_front(publication);
        }

        /// Takes out who begins later, while publications are delivered.
        pub(crate) fn take_begins(&mut self) -> Begins {
            core::mem::take(&mut self.begins)
        }

        /// Puts that back.
        pub(crate) fn put_begins(&mut self, begins: Begins) {
            self.begins = begins;
        }

        /// What a connection is still to get first. It counts as delivered.
        pub(crate) fn next_of(&mut self, key: Key, topics: &impl Topics) -> Option<(TopicKey, Arc<[u8]>)> {
            let begins = self.begins.0.get(&key).map_or(self.first, |begins| self.first.max(*begins));
            let skipped = (begins - self.first) as usize;
            let is_next = |waiting: &&Publication| {
                waiting.from.is_none_or(|from| key >= from) && topics.has_joined(waiting.topic, key)
            };
            let found = self.waiting.iter().skip(skipped).position(|waiting| is_next(&waiting));
            let Some(at) = found.map(|at| skipped + at) else {
                // It joins, or is told something else, behind all of these.
                self.begins.0.insert(key, self.first + self.waiting.len() as u64);
                return None;
            };
            self.begins.0.insert(key, self.first + at as u64 + 1);
            let waiting = &self.waiting[at];
            Some((waiting.topic, waiting.bytes.clone()))
        }

        /// Nothing waits any more: nobody begins later.
        pub(crate) fn forget(&mut self) {
            self.begins.0.clear();
        }
    }
}

#[cfg(not(feature = "alloc"))]
mod without {
    /// Nobody begins later.
    pub(crate) struct Begins;

    #[expect(clippy::unused_self, reason = "as with a heap")]
    impl Begins {
        pub(crate) fn later_than(&self, _: u64) -> core::iter::Empty<crate::port::Key> {
            core::iter::empty()
        }
    }

    /// Nothing waits.
    #[derive(Default)]
    pub(crate) struct Undelivered;

    #[expect(clippy::unused_self, reason = "as with a heap")]
    impl Undelivered {
        #[inline]
        pub(crate) fn waits(&self) -> bool {
            false
        }

        pub(crate) fn begin_turn(&mut self) {}

        pub(crate) fn take_begins(&self) -> Begins {
            Begins
        }

        pub(crate) fn put_begins(&self, _: Begins) {}
    }
}
