//! Whether anybody may get what is published to a topic: asked before any of it is written.

use core::cell::Cell;
#[cfg(feature = "alloc")]
use core::{
    cell::OnceCell,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::open::topic::{TopicKey, Topics, bit};

#[cfg(feature = "alloc")]
const PLACES: usize = 64;

/// How many workers of a server have connections that have joined a topic. Topics with the same place are counted together: one
/// that nobody has joined may seem to be heard, never the other way round.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug)]
pub struct Audience(alloc::sync::Arc<[AtomicU32; PLACES]>);

#[cfg(feature = "alloc")]
impl Default for Audience {
    fn default() -> Self {
        Audience(alloc::sync::Arc::new([const { AtomicU32::new(0) }; PLACES]))
    }
}

#[cfg(feature = "alloc")]
impl Audience {
    fn place(&self, topic: TopicKey) -> &AtomicU32 {
        &self.0[(topic.number as usize * 2 + topic.kind as usize) % PLACES]
    }

    /// Whether anybody may have joined that topic.
    #[inline]
    pub fn hears(&self, topic: TopicKey) -> bool {
        // Acquires what was written before a connection joined: whoever was told of that by its peer is heard by it.
        self.place(topic).load(Ordering::Acquire) != 0
    }

    /// Whether anybody may have joined that topic, which is counted once for what it keeps.
    pub fn hears_beside_kept(&self, topic: TopicKey) -> bool {
        self.place(topic).load(Ordering::Acquire) > 1
    }

    /// The first one of a worker has joined, or what is published to it is kept from now on.
    pub fn come(&self, topic: TopicKey) {
        self.place(topic).fetch_add(1, Ordering::AcqRel);
    }

    /// The last one of a worker is gone, or nothing of it is kept any more.
    pub fn gone(&self, topic: TopicKey) {
        self.place(topic).fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a lane knows of it.
#[derive(Default)]
pub(crate) struct Heard {
    #[cfg(feature = "alloc")]
    shared: OnceCell<Audience>,
    /// Where nothing is shared: a bit for each of a board's topics.
    joined: Cell<u32>,
}

impl Heard {
    /// Tells a lane of who has joined: one that is new, or where that has changed.
    pub(crate) fn tell(&self, topics: &impl Topics) {
        self.joined.set(topics.joined());
        #[cfg(feature = "alloc")]
        if let Some(audience) = topics.audience() {
            self.shared.get_or_init(|| audience.clone());
        }
    }

    #[inline]
    pub(crate) fn hears(&self, topic: TopicKey) -> bool {
        #[cfg(feature = "alloc")]
        if let Some(audience) = self.shared.get() {
            return audience.hears(topic);
        }
        self.joined.get() & bit(topic) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventTopic, MessageTopic, Topic, open::topic::FixedTopics, port::Key};

    /// A lane of a board knows of each topic apart, and of none that a board has not.
    #[test]
    fn a_bit_for_each_topic() {
        let (mut topics, heard) = (FixedTopics::<2>::default(), Heard::default());
        let key = |index| Key { index, generation: 0 };
        let all = [0, 15, 16].map(|number| [EventTopic::new(number).key(), MessageTopic::new(number).key()]);
        let is_heard = |topics: &FixedTopics<2>| {
            heard.tell(topics);
            all.map(|kinds| kinds.map(|topic| heard.hears(topic)))
        };
        assert_eq!(is_heard(&topics), [[false; 2]; 3]);
        assert!(topics.join(all[0][0], key(0)) && topics.join(all[1][1], key(1)) && !topics.join(all[2][0], key(1)));
        assert_eq!(is_heard(&topics), [[true, false], [false, true], [false; 2]]);
        topics.leave(all[0][0], key(0));
        topics.ended(key(1), |_| true);
        assert_eq!(is_heard(&topics), [[false; 2]; 3]);
    }

    /// Workers count together, and one that ends takes its connections out.
    #[test]
    #[cfg(feature = "alloc")]
    fn workers_count_together() {
        use crate::open::topic::HeapTopics;
        let audience = Audience::default();
        let [mut one, mut two] = [(); 2].map(|()| HeapTopics::heard_by(audience.clone()));
        let (topic, key) = (EventTopic::new(7).key(), Key { index: 0, generation: 0 });
        let heard = Heard::default();
        heard.tell(&one);
        assert!(!heard.hears(topic));
        for topics in [&mut one, &mut two] {
            assert!(topics.join(topic, key) && topics.join(topic, key));
        }
        one.leave(topic, key);
        one.leave(topic, key);
        assert!(heard.hears(topic) && audience.hears(topic), "the other worker's");
        drop(two);
        assert!(!heard.hears(topic));
    }
}
