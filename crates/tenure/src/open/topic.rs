//! Topics: what connections that stay open have joined, and what is published to.

use tenure_proto::events::Event;

#[cfg(feature = "alloc")]
use crate::open::{audience::Audience, history::Histories};
use crate::{Frame, port::Key};

/// What WebSockets may join: whoever has joined gets each message that is published to it.
///
/// A number that the program chooses, any on hosts, 0 to 15 on boards. Usually a constant:
/// ```
/// use tenure::MessageTopic;
///
/// const ROOM: MessageTopic = MessageTopic::new(0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageTopic(u32);

/// What streams of events may join: whoever has joined gets each event that is published to it. Numbered as
/// [`MessageTopic`], but apart from those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTopic {
    number: u32,
    keeps: u16,
}

impl MessageTopic {
    /// The topic of that number.
    pub const fn new(number: u32) -> Self {
        MessageTopic(number)
    }
}

impl EventTopic {
    /// The topic of that number.
    pub const fn new(number: u32) -> Self {
        EventTopic { number, keeps: 0 }
    }

    /// The same topic, which keeps its last so many events for clients that come again: a stream whose request says what it got last
    /// (`Last-Event-ID`, which every browser's `EventSource` sends) gets what came after that, in order, before what is new. For that
    /// each event has an [`id`](tenure_proto::events::Event::id) of its own; one without is sent again, too.
    ///
    /// Events are kept from the first stream on that joins it, until nobody can come again who has heard one of them: until as many
    /// more have been published while nobody listens. 32 KiB of a topic are kept at the most. On a board without a heap nothing is
    /// kept, and whoever comes again has [missed](crate::Events::if_missed) some.
    ///
    /// ```
    /// use tenure::EventTopic;
    ///
    /// const SUMS: EventTopic = EventTopic::new(0).keep(100);
    /// ```
    #[must_use]
    pub const fn keep(self, events: u16) -> Self {
        EventTopic { number: self.number, keeps: events }
    }

    /// How many it keeps.
    pub(crate) const fn keeps(self) -> u16 {
        self.keeps
    }
}

/// A [`MessageTopic`] or an [`EventTopic`]: what can be published to.
pub trait Topic: Copy + sealed::Sealed {
    /// What is published to it.
    type Content<'c>: sealed::Content + Copy;

    #[doc(hidden)]
    fn key(self) -> TopicKey;
}

impl Topic for MessageTopic {
    type Content<'c> = Frame<'c>;

    fn key(self) -> TopicKey {
        TopicKey { number: self.0, kind: Kind::Messages }
    }
}

impl Topic for EventTopic {
    type Content<'c> = Event<'c>;

    fn key(self) -> TopicKey {
        TopicKey { number: self.number, kind: Kind::Events }
    }
}

pub(crate) mod sealed {
    use super::{EventTopic, MessageTopic};
    use crate::Error;

    pub trait Sealed {}
    impl Sealed for MessageTopic {}
    impl Sealed for EventTopic {}

    /// What goes over an open connection, as bytes.
    pub trait Content {
        /// How many bytes it is.
        fn bytes(&self) -> Result<usize, Error>;

        /// Writes it into exactly as many.
        fn write(&self, into: &mut [u8]);
    }
}

/// What kind of connection a topic is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// WebSockets.
    Messages,
    /// Streams of events.
    Events,
}

/// A topic of either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicKey {
    pub(crate) number: u32,
    pub(crate) kind: Kind,
}

impl TopicKey {
    /// What it is for.
    pub fn kind(self) -> Kind {
        self.kind
    }
}

/// A message or event as bytes, written to the front of `into`. Returns how many they are.
///
/// # Errors
/// It cannot be written, or has no room.
pub fn frame_into(content: &impl sealed::Content, into: &mut [u8]) -> Result<usize, crate::Error> {
    let bytes = content.bytes()?;
    let room = u64::try_from(into.len()).unwrap_or(u64::MAX);
    let too_long = || crate::Error::too_large("what is pushed is too long, with its framing").at_most(room);
    content.write(into.get_mut(..bytes).ok_or_else(too_long)?);
    Ok(bytes)
}

/// How many bytes a message or event takes.
///
/// # Errors
/// It cannot be written.
#[cfg(feature = "alloc")]
pub fn content_bytes(content: &impl sealed::Content) -> Result<usize, crate::Error> {
    content.bytes()
}

/// A message or event as bytes, to be shared by all who get it.
///
/// # Errors
/// It cannot be written.
#[cfg(feature = "alloc")]
pub fn framed(content: &impl sealed::Content) -> Result<alloc::sync::Arc<[u8]>, crate::Error> {
    let mut bytes = alloc::vec![0; content.bytes()?];
    content.write(&mut bytes);
    Ok(bytes.into())
}

/// Who has joined which topic: a port's memory for that.
pub trait Topics: Default {
    /// Lets a connection join; once is enough. Returns whether there is such a topic.
    fn join(&mut self, topic: TopicKey, key: Key) -> bool;

    /// Lets it leave.
    fn leave(&mut self, topic: TopicKey, key: Key);

    /// Whether a connection has joined.
    fn has_joined(&self, topic: TopicKey, key: Key) -> bool;

    /// Asks for each connection that has joined, from that one on, whether it is still there, in their order, and forgets those that
    /// are not; it asks for `most` at the most. Returns for how many it has asked.
    ///
    /// # Errors
    /// There are more, from that one on.
    fn visit(
        &mut self,
        topic: TopicKey,
        from: Option<Key>,
        most: u32,
        is_there: impl FnMut(Key) -> bool,
    ) -> Result<u32, Key>;

    /// A connection that had joined something is gone. `is_there` tells of any.
    fn ended(&mut self, key: Key, is_there: impl Fn(Key) -> bool);

    /// Whether it is counted for all workers who has joined.
    const COUNTS: bool = false;

    /// Where that is counted.
    #[cfg(feature = "alloc")]
    fn audience(&self) -> Option<&Audience> {
        None
    }

    /// Begins to keep the last events of a topic, so many, where it keeps fewer.
    #[cfg(feature = "alloc")]
    fn keep(&mut self, topic: TopicKey, events: u16) {
        let _ = (topic, events);
    }

    /// Keeps none of a topic any more.
    #[cfg(feature = "alloc")]
    fn keep_none(&mut self, topic: TopicKey) {
        let _ = topic;
    }

    /// Whether a topic keeps any.
    #[cfg(feature = "alloc")]
    fn keeps(&self, topic: TopicKey) -> bool {
        let _ = topic;
        false
    }

    /// Keeps one more of a topic that keeps some, or none any more where nobody can come again who has heard one.
    #[cfg(feature = "alloc")]
    fn keep_event(&mut self, topic: TopicKey, event: &alloc::sync::Arc<[u8]>) {
        let _ = (topic, event);
    }

    /// What came after the event of that id, which was kept; or all that is kept, where it was not.
    #[cfg(feature = "alloc")]
    fn kept_after(&self, topic: TopicKey, id: &[u8]) -> (bool, alloc::vec::Vec<alloc::sync::Arc<[u8]>>) {
        let _ = (topic, id);
        (false, alloc::vec::Vec::new())
    }

    /// Where it is counted nowhere: a bit for each topic of a board that somebody has joined, or may have.
    fn joined(&self) -> u32 {
        u32::MAX
    }
}

/// Topics of a program without any.
impl Topics for () {
    fn join(&mut self, _: TopicKey, _: Key) -> bool {
        false
    }

    fn leave(&mut self, _: TopicKey, _: Key) {}

    fn has_joined(&self, _: TopicKey, _: Key) -> bool {
        false
    }

    fn visit(&mut self, _: TopicKey, _: Option<Key>, _: u32, _: impl FnMut(Key) -> bool) -> Result<u32, Key> {
        Ok(0)
    }

    fn ended(&mut self, _: Key, _: impl Fn(Key) -> bool) {}

    fn joined(&self) -> u32 {
        0
    }
}

/// Topics of a kind that a board has.
const FIXED: u32 = 16;

/// Topics without a heap, 16 of each kind, for `N` connections.
#[derive(Debug)]
pub struct FixedTopics<const N: usize> {
    /// A bit for each topic, for each slot.
    joined: [u32; N],
    generations: [u32; N],
}

impl<const N: usize> Default for FixedTopics<N> {
    fn default() -> Self {
        FixedTopics { joined: [0; N], generations: [0; N] }
    }
}

/// The bit of a board's topic, none of any other.
pub(crate) fn bit(topic: TopicKey) -> u32 {
    if topic.number < FIXED { 1 << (topic.number + topic.kind as u32 * FIXED) } else { 0 }
}

impl<const N: usize> Topics for FixedTopics<N> {
    fn join(&mut self, topic: TopicKey, key: Key) -> bool {
        let at = key.index as usize;
        let (Some(joined), Some(generation)) = (self.joined.get_mut(at), self.generations.get_mut(at)) else {
            return false;
        };
        if *generation != key.generation {
            (*joined, *generation) = (0, key.generation);
        }
        *joined |= bit(topic);
        bit(topic) != 0
    }

    fn leave(&mut self, topic: TopicKey, key: Key) {
        if let Some(joined) = self.joined.get_mut(key.index as usize) {
            *joined &= !bit(topic);
        }
    }

    fn has_joined(&self, topic: TopicKey, key: Key) -> bool {
        let at = key.index as usize;
        self.generations.get(at) == Some(&key.generation) && self.joined[at] & bit(topic) != 0
    }

    fn visit(
        &mut self,
        topic: TopicKey,
        from: Option<Key>,
        most: u32,
        mut is_there: impl FnMut(Key) -> bool,
    ) -> Result<u32, Key> {
        let (bit, mut asked) = (bit(topic), 0);
        for (index, (joined, &generation)) in (0..).zip(self.joined.iter_mut().zip(&self.generations)) {
            let key = Key { index, generation };
            if *joined & bit == 0 || from.is_some_and(|from| key < from) {
                continue;
            }
            if asked == most {
                return Err(key);
            }
            asked += 1;
            if !is_there(key) {
                // It is gone, and so from all topics.
                *joined = 0;
            }
        }
        Ok(asked)
    }

    fn ended(&mut self, key: Key, _: impl Fn(Key) -> bool) {
        if let Some(joined) = self.joined.get_mut(key.index as usize) {
            *joined = 0;
        }
    }

    fn joined(&self) -> u32 {
        self.joined.iter().fold(0, |all, joined| all | joined)
    }
}

#[cfg(feature = "alloc")]
pub use heap::HeapTopics;

#[cfg(feature = "alloc")]
mod heap {
    use alloc::{
        collections::{BTreeMap, BTreeSet},
        sync::Arc,
        vec::Vec,
    };
    use core::ops::Bound;

    use super::{Audience, Histories, Key, TopicKey, Topics};

    /// Topics of any number, on the heap.
    #[derive(Debug, Default)]
    pub struct HeapTopics {
        topics: BTreeMap<TopicKey, BTreeSet<Key>>,
        joined: usize,
        /// Connections that have ended since all were looked at.
        ended: usize,
        audience: Option<Audience>,
        histories: Histories,
        /// Their port says for all workers when nothing is kept any more.
        agrees: bool,
    }

    impl HeapTopics {
        /// Topics of one of the workers that share an audience.
        pub fn heard_by(audience: Audience) -> Self {
            let histories = Histories::default();
            HeapTopics {
                topics: BTreeMap::new(),
                joined: 0,
                ended: 0,
                audience: Some(audience),
                histories,
                agrees: false,
            }
        }

        /// The same of workers whose port says when events are kept, and counts for all of them that a topic keeps some.
        pub fn agreeing(audience: Audience) -> Self {
            let mut topics = HeapTopics::heard_by(audience);
            topics.agrees = true;
            topics
        }

        fn remove(&mut self, topic: TopicKey) {
            if self.topics.remove(&topic).is_some()
                && let Some(audience) = &self.audience
            {
                audience.gone(topic);
            }
        }
    }

    /// The other workers go on.
    impl Drop for HeapTopics {
        fn drop(&mut self) {
            if let Some(audience) = &self.audience {
                self.topics.keys().for_each(|topic| audience.gone(*topic));
                if !self.agrees {
                    self.histories.topics().for_each(|topic| audience.gone(topic));
                }
            }
        }
    }

    impl Topics for HeapTopics {
        const COUNTS: bool = true;

        fn audience(&self) -> Option<&Audience> {
            self.audience.as_ref()
        }

        fn keep(&mut self, topic: TopicKey, events: u16) {
            if self.histories.keep(topic, events)
                && !self.agrees
                && let Some(audience) = &self.audience
            {
                audience.come(topic);
            }
        }

        fn keep_none(&mut self, topic: TopicKey) {
            if self.histories.remove(topic)
                && !self.agrees
                && let Some(audience) = &self.audience
            {
                audience.gone(topic);
            }
        }

        #[inline]
        fn keeps(&self, topic: TopicKey) -> bool {
            self.histories.keeps(topic)
        }

        fn keep_event(&mut self, topic: TopicKey, event: &Arc<[u8]>) {
            let is_heard = self.agrees || self.topics.contains_key(&topic);
            if !self.histories.add(topic, event, is_heard) {
                self.keep_none(topic);
            }
        }

        fn kept_after(&self, topic: TopicKey, id: &[u8]) -> (bool, Vec<Arc<[u8]>>) {
            self.histories.after(topic, id)
        }

        fn join(&mut self, topic: TopicKey, key: Key) -> bool {
            let audience = &self.audience;
            let keys = self.topics.entry(topic).or_insert_with(|| {
                if let Some(audience) = audience {
                    audience.come(topic);
                }
                BTreeSet::new()
            });
            self.joined += usize::from(keys.insert(key));
            true
        }

        fn leave(&mut self, topic: TopicKey, key: Key) {
            if let Some(keys) = self.topics.get_mut(&topic) {
                self.joined -= usize::from(keys.remove(&key));
                if keys.is_empty() {
                    self.remove(topic);
                }
            }
        }

        fn has_joined(&self, topic: TopicKey, key: Key) -> bool {
            self.topics.get(&topic).is_some_and(|keys| keys.contains(&key))
        }

        fn visit(
            &mut self,
            topic: TopicKey,
            from: Option<Key>,
            most: u32,
            mut is_there: impl FnMut(Key) -> bool,
        ) -> Result<u32, Key> {
            let Some(keys) = self.topics.get_mut(&topic) else { return Ok(0) };
            let (mut left, mut gone) = (most, Vec::new());
            let mut range = keys.range((from.map_or(Bound::Unbounded, Bound::Included), Bound::Unbounded));
            while left > 0
                && let Some(&key) = range.next()
            {
                left -= 1;
                if !is_there(key) {
                    gone.push(key);
                }
            }
            let next = range.next().copied();
            self.joined -= gone.len();
            for key in gone {
                keys.remove(&key);
            }
            if keys.is_empty() {
                self.remove(topic);
            }
            next.map_or(Ok(most - left), Err)
        }

        /// Those who have left are forgotten once they may be as many as those who are there: so each costs two looks at the most.
        fn ended(&mut self, _: Key, is_there: impl Fn(Key) -> bool) {
            self.ended += 1;
            if 2 * self.ended < self.joined {
                return;
            }
            (self.ended, self.joined) = (0, 0);
            self.topics.retain(|topic, keys| {
                keys.retain(|key| is_there(*key));
                self.joined += keys.len();
                if keys.is_empty()
                    && let Some(audience) = &self.audience
                {
                    audience.gone(*topic);
                }
                !keys.is_empty()
            });
        }
    }
}
