//! What a handler has said to others: the driver does it once the handler waits or has ended.

use crate::{
    Error,
    open::topic::{TopicKey, sealed::Content},
};

/// Bytes of a journal without a heap.
#[cfg(not(feature = "alloc"))]
const BYTES: usize = 192;

#[cfg(feature = "alloc")]
type Bytes = alloc::vec::Vec<u8>;
#[cfg(not(feature = "alloc"))]
type Bytes = heapless::Vec<u8, BYTES>;

/// One entry of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Join,
    Leave,
    Publish,
    /// A stream joins a topic that keeps its last events.
    Resume,
}

/// Entries one behind the other: the act, its topic, the length of what is published, and that.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    bytes: Bytes,
    /// The connection joins something.
    pub(crate) joins: bool,
}

const HEAD_BYTES: usize = 10;

impl Journal {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.joins = false;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether so many bytes could be published.
    pub(crate) fn check(bytes: usize) -> Result<u32, Error> {
        #[cfg(not(feature = "alloc"))]
        if bytes > BYTES - HEAD_BYTES {
            return Err(no_room());
        }
        u32::try_from(bytes).map_err(|_| Error::internal("what is published is too long"))
    }

    pub(crate) fn write(
        &mut self,
        act: Act,
        topic: TopicKey,
        content: Option<(&impl Content, usize)>,
    ) -> Result<(), Error> {
        let bytes = content.map_or(0, |(_, bytes)| bytes);
        let length = Journal::check(bytes)?;
        let before = self.bytes.len();
        self.grow(before + HEAD_BYTES + bytes)?;
        self.joins |= matches!(act, Act::Join | Act::Resume);
        let mut head = [0; HEAD_BYTES];
        (head[0], head[1]) = (act as u8, topic.kind as u8);
        head[2..6].copy_from_slice(&topic.number.to_le_bytes());
        head[6..].copy_from_slice(&length.to_le_bytes());
        let (front, rest) = self.bytes[before..].split_at_mut(HEAD_BYTES);
        front.copy_from_slice(&head);
        if let Some((content, _)) = content {
            content.write(rest);
        }
        Ok(())
    }

    #[cfg(feature = "alloc")]
    #[expect(clippy::unnecessary_wraps, reason = "without a heap it can fail")]
    fn grow(&mut self, end: usize) -> Result<(), Error> {
        self.bytes.resize(end, 0);
        Ok(())
    }

    #[cfg(not(feature = "alloc"))]
    fn grow(&mut self, end: usize) -> Result<(), Error> {
        self.bytes.resize(end, 0).map_err(|_| no_room())
    }

    /// The entry at that place, and where the next one is.
    pub(crate) fn read(&self, at: usize) -> Option<(Act, TopicKey, &[u8], usize)> {
        use crate::open::topic::Kind;
        let head = self.bytes.get(at..)?.first_chunk::<HEAD_BYTES>()?;
        let &[act, kind, n0, n1, n2, n3, l0, l1, l2, l3] = head;
        let act = match act {
            0 => Act::Join,
            1 => Act::Leave,
            2 => Act::Publish,
            _ => Act::Resume,
        };
        let kind = if kind == 0 { Kind::Messages } else { Kind::Events };
        let end = at + HEAD_BYTES + u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let content = self.bytes.get(at + HEAD_BYTES..end)?;
        Some((act, TopicKey { number: u32::from_le_bytes([n0, n1, n2, n3]), kind }, content, end))
    }
}

#[cfg(not(feature = "alloc"))]
fn no_room() -> Error {
    Error::internal("what is published at once is longer than 192 bytes: publish it from a task")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Frame, MessageTopic, Topic};

    #[test]
    fn what_is_written_is_read() {
        let mut journal = Journal::default();
        let topic = MessageTopic::new(7).key();
        journal.write(Act::Join, topic, None::<(&Frame<'_>, usize)>).unwrap();
        journal.write(Act::Publish, topic, Some((&Frame::text("hi"), 4))).unwrap();
        let (act, read, content, next) = journal.read(0).unwrap();
        assert_eq!((act, read, content), (Act::Join, topic, &b""[..]));
        let (act, read, content, next) = journal.read(next).unwrap();
        assert_eq!((act, read, content), (Act::Publish, topic, &b"\x81\x02hi"[..]));
        assert_eq!(journal.read(next), None);
    }
}
