//! The last events of topics that keep some, and what a client that comes again has missed of them (the HTML standard of the WHATWG,
//! section 9.2.3 and 9.2.4). Without a heap nothing is kept.

use crate::open::topic::sealed::Content;

/// Bytes of a topic's last events at the most: half of what may wait for a peer, so that all of it has room there, and what is new.
#[cfg(feature = "alloc")]
pub(crate) const HISTORY_BYTES_MAX: usize = crate::open::backlog::BACKLOG_BYTES_MAX / 2;

#[cfg(feature = "alloc")]
pub(crate) use with::Histories;
#[cfg(feature = "alloc")]
pub use with::Keeping;

/// A stream joins a topic that keeps its last events: a journal's bytes for that.
pub(crate) struct Resume<'r> {
    /// How many events it keeps.
    pub(crate) events: u16,
    /// What the client names as the last that it got (`Last-Event-ID`).
    pub(crate) id: Option<&'r str>,
    /// What it gets where it has missed some that are not kept any more.
    pub(crate) if_missed: &'r [u8],
}

const HEAD_BYTES: usize = 4;

impl Content for Resume<'_> {
    fn bytes(&self) -> Result<usize, crate::Error> {
        Ok(HEAD_BYTES + self.if_missed.len() + self.id.map_or(0, str::len))
    }

    fn write(&self, into: &mut [u8]) {
        let (head, rest) = into.split_at_mut(HEAD_BYTES);
        head[..2].copy_from_slice(&self.events.to_le_bytes());
        (head[2], head[3]) = (u8::from(self.id.is_some()), self.if_missed.len() as u8);
        let (if_missed, id) = rest.split_at_mut(self.if_missed.len());
        if_missed.copy_from_slice(self.if_missed);
        id.copy_from_slice(self.id.unwrap_or_default().as_bytes());
    }
}

#[cfg(any(feature = "alloc", test))]
impl<'r> Resume<'r> {
    pub(crate) fn read(bytes: &'r [u8]) -> Option<Self> {
        let (&[low, high, has_id, missed_bytes], rest) = bytes.split_first_chunk()?;
        let (if_missed, id) = rest.split_at_checked(missed_bytes.into())?;
        let id = if has_id == 0 { None } else { str::from_utf8(id).ok() };
        Some(Resume { events: u16::from_le_bytes([low, high]), id, if_missed })
    }
}

#[cfg(feature = "alloc")]
mod with {
    use alloc::{
        collections::{BTreeMap, VecDeque},
        sync::Arc,
        vec::Vec,
    };

    use super::HISTORY_BYTES_MAX;
    use crate::open::topic::TopicKey;

    /// The last events of one topic.
    #[derive(Debug, Default)]
    struct History {
        events: VecDeque<Arc<[u8]>>,
        bytes: usize,
        keeping: Keeping,
    }

    /// How many events of a topic are kept, and for how long: once as many have been published while nobody listened, nobody can come
    /// again who has heard one that is kept.
    #[derive(Debug, Default)]
    pub struct Keeping {
        events_max: u16,
        /// So many of them nobody has heard.
        unheard: u16,
    }

    impl Keeping {
        /// A stream joins a topic that keeps so many. Returns whether it has kept fewer.
        pub fn join(&mut self, events_max: u16) -> bool {
            self.unheard = 0;
            let is_more = events_max > self.events_max;
            self.events_max = self.events_max.max(events_max);
            is_more
        }

        /// One more is published. `false`: none need be kept any more.
        pub fn publish(&mut self, is_heard: bool) -> bool {
            self.unheard = if is_heard { 0 } else { self.unheard.saturating_add(1) };
            self.unheard <= self.events_max
        }
    }

    /// The last events of each topic that keeps some.
    #[derive(Debug, Default)]
    pub(crate) struct Histories(BTreeMap<TopicKey, History>);

    impl Histories {
        /// Begins to keep so many events of a topic, or of a topic that has kept fewer. Returns whether it has kept none before.
        pub(crate) fn keep(&mut self, topic: TopicKey, events_max: u16) -> bool {
            let mut is_new = false;
            let history = self.0.entry(topic).or_insert_with(|| {
                is_new = true;
                History::default()
            });
            history.keeping.join(events_max);
            is_new
        }

        pub(crate) fn keeps(&self, topic: TopicKey) -> bool {
            !self.0.is_empty() && self.0.contains_key(&topic)
        }

        pub(crate) fn topics(&self) -> impl Iterator<Item = TopicKey> {
            self.0.keys().copied()
        }

        /// Keeps one more. `false`: nobody has heard any that is kept, and nobody can come again that has.
        pub(crate) fn add(&mut self, topic: TopicKey, event: &Arc<[u8]>, is_heard: bool) -> bool {
            let Some(history) = self.0.get_mut(&topic) else { return true };
            if !history.keeping.publish(is_heard) {
                return false;
            }
            history.bytes += event.len();
            history.events.push_back(event.clone());
            while history.events.len() > history.keeping.events_max.into() || history.bytes > HISTORY_BYTES_MAX {
                let Some(oldest) = history.events.pop_front() else { break };
                history.bytes -= oldest.len();
            }
            true
        }

        pub(crate) fn remove(&mut self, topic: TopicKey) -> bool {
            self.0.remove(&topic).is_some()
        }

        /// What came after the last event of that id; all that is kept where there is none, and whether there was one.
        pub(crate) fn after(&self, topic: TopicKey, id: &[u8]) -> (bool, Vec<Arc<[u8]>>) {
            let Some(history) = self.0.get(&topic) else { return (false, Vec::new()) };
            let last = history.events.iter().rposition(|event| id_of(event) == Some(id));
            let from = last.map_or(0, |last| last + 1);
            (last.is_some(), history.events.range(from..).cloned().collect())
        }
    }

    /// The id of an event, as [`Event::write`](tenure_proto::events::Event::write) has written it.
    fn id_of(event: &[u8]) -> Option<&[u8]> {
        let lines = event.split(|byte| *byte == b'\n');
        lines
            .take_while(|line| !line.is_empty() && !line.starts_with(b"data: "))
            .find_map(|line| line.strip_prefix(b"id: "))
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::{Event, EventTopic, Topic, open::topic::framed};

        #[test]
        fn ids_are_found() {
            let event = Event::data("id: 1\n\nid: 2").event("id: 3");
            for (event, id) in [
                (event.id("4"), Some("4")),
                (Event { comment: Some("id: 5"), retry_ms: Some(6), ..event.id("a: b") }, Some("a: b")),
                (event, None),
                (Event { id: Some(""), ..Event::NONE }, Some("")),
                (Event::NONE, None),
            ] {
                assert_eq!(id_of(&framed(&event).unwrap()), id.map(str::as_bytes), "{event:?}");
            }
        }

        /// At, below and above both bounds; one that is too long to be kept leaves nothing of what was before it.
        #[test]
        fn both_bounds() {
            let topic = EventTopic::new(0).key();
            let number = |event: &Arc<[u8]>| id_of(event).map(<[u8]>::to_vec);
            for (count, length, kept) in [
                (2, 10, 2),
                (3, 10, 3),
                (4, 10, 3),
                (2, HISTORY_BYTES_MAX / 2, 2),
                (2, HISTORY_BYTES_MAX / 2 + 1, 1),
                (2, HISTORY_BYTES_MAX, 1),
                (2, HISTORY_BYTES_MAX + 1, 0),
            ] {
                let mut histories = Histories::default();
                assert!(histories.keep(topic, 3) && !histories.keep(topic, 2));
                for number in 0..count {
                    let id = alloc::format!("id: {number}\n");
                    let event = id.into_bytes().into_iter().chain(core::iter::repeat(b'x')).take(length);
                    assert!(histories.add(topic, &event.collect(), true));
                }
                let (found, events) = histories.after(topic, b"none");
                let numbers: Vec<_> = events.iter().filter_map(number).collect();
                let wanted: Vec<_> =
                    (count - kept..count).map(|number| alloc::format!("{number}").into_bytes()).collect();
                assert_eq!((found, numbers), (false, wanted), "{count} of {length} bytes");
            }
        }

        /// Once nobody who has heard any that is kept can come again, none is kept.
        #[test]
        fn until_nobody_can_come_again() {
            let (topic, event) = (EventTopic::new(0).key(), framed(&Event::data("x")).unwrap());
            let mut histories = Histories::default();
            histories.keep(topic, 2);
            for is_heard in [true, false, false, true, false, false] {
                assert!(histories.add(topic, &event, is_heard));
            }
            assert!(!histories.add(topic, &event, false) && histories.remove(topic) && !histories.keeps(topic));
            histories.keep(topic, 2);
            for _ in 0..2 {
                assert!(histories.add(topic, &event, false) && histories.add(topic, &event, false));
                histories.keep(topic, 2);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (events, id, if_missed) in
            [(0, None, ""), (65_535, Some("a"), ""), (1, Some(""), "data: x\n\n"), (7, None, "x")]
        {
            let resume = Resume { events, id, if_missed: if_missed.as_bytes() };
            let mut bytes = [0; 40];
            let bytes = &mut bytes[..resume.bytes().unwrap()];
            resume.write(bytes);
            let read = Resume::read(bytes).unwrap();
            assert_eq!((read.events, read.id, read.if_missed), (events, id, if_missed.as_bytes()));
        }
        assert!(Resume::read(&[0; 3]).is_none() && Resume::read(&[0, 0, 0, 1]).is_none());
    }
}
