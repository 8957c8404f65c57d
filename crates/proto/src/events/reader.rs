//! How a stream of events is read: the HTML standard of the WHATWG, sections 9.2.5 and 9.2.6.

use crate::bytes::find;

/// What may stand in front of a stream, once: U+FEFF.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a stream of events, in place and in any pieces.
///
/// Plain data. No input makes it panic, and the end of a line is searched for once.
///
/// # Examples
/// ```
/// use tenure_proto::events::{EventReader, Found};
///
/// let mut reader = EventReader::new();
/// let bytes = b"id: 42\ndata: one\ndata: two\n\n: a comment\n";
/// assert_eq!(reader.read(&bytes[..20]), Found::Partial { used: 0 });
/// let Found::Event { received, used } = reader.read(bytes) else { panic!() };
/// assert_eq!(received.id(), Some(&b"42"[..]));
/// assert!(received.data().eq([b"one", b"two"]));
/// assert_eq!(reader.read(&bytes[used..]), Found::Partial { used: 12 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventReader {
    /// Where the line at hand begins in the caller's bytes.
    line: usize,
    /// Bytes of the caller's in which there is no end of it.
    seen: usize,
    /// Whether a line in front of it says anything.
    says: bool,
    /// Whether the line before ended with CR, behind which LF ends nothing.
    is_behind_cr: bool,
    /// Whether this is the stream's start.
    is_start: bool,
}

/// What an [`EventReader`] found at the front of its input. `used` bytes of the input are done with then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// More must come. What stands behind the used bytes is the front of an event: it must be there again in front of what comes.
    Partial {
        /// Bytes to drop.
        used: usize,
    },
    /// An event, or fields without data. Comments, and fields that nobody knows, are not told.
    Event {
        /// What was received.
        received: Received<'a>,
        /// Bytes up to its end.
        used: usize,
    },
}

/// The lines of an event. Values are in UTF-8; what is none counts as U+FFFD, which is left to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received<'a> {
    lines: &'a [u8],
}

impl EventReader {
    /// A reader at a stream's start: of each response another one.
    pub const fn new() -> Self {
        EventReader { line: 0, seen: 0, says: false, is_behind_cr: false, is_start: true }
    }

    /// Reads on at the front of `bytes`, which must start right behind what earlier calls have used. Where it answers
    /// [`Partial`](Found::Partial) and the caller's buffer is full, the event is longer than the buffer.
    pub fn read<'a>(&mut self, bytes: &'a [u8]) -> Found<'a> {
        let mut front = 0;
        if self.is_start {
            if bytes.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(bytes) {
                return Found::Partial { used: 0 };
            }
            self.is_start = false;
            if bytes.starts_with(BYTE_ORDER_MARK) {
                front = BYTE_ORDER_MARK.len();
                (self.line, self.seen) = (front, front);
            }
        }
        loop {
            if self.is_behind_cr
                && let Some(&byte) = bytes.get(self.line)
            {
                self.is_behind_cr = false;
                self.line += usize::from(byte == b'\n');
                self.seen = self.line;
            }
            // What says nothing is not kept.
            if !self.says {
                front = self.line;
            }
            let end = find(bytes, self.seen, [b'\r', b'\n']);
            let Some(&byte) = bytes.get(end) else {
                self.line = self.line.saturating_sub(front);
                self.seen = bytes.len().saturating_sub(front);
                return Found::Partial { used: front };
            };
            let line = bytes.get(self.line..end).unwrap_or_default();
            self.is_behind_cr = byte == b'\r';
            if line.is_empty() && self.says {
                let received = Received { lines: bytes.get(front..end).unwrap_or_default() };
                (self.line, self.seen, self.says) = (0, 0, false);
                return Found::Event { received, used: end + 1 };
            }
            self.says |= Field::of(line).is_some();
            self.line = end + 1;
            self.seen = end + 1;
        }
    }

    /// The lines of the event in `bytes` that a stream's end has cut off, `bytes` being what the last call has not used. It is no
    /// event; of its lines, only [`retry_ms`](Received::retry_ms) counts.
    pub fn cut_off<'a>(&self, bytes: &'a [u8]) -> Received<'a> {
        Received { lines: bytes.get(..self.line).unwrap_or_default() }
    }
}

impl Default for EventReader {
    fn default() -> Self {
        EventReader::new()
    }
}

impl<'a> Received<'a> {
    /// The event's type; `None`: it is `message`.
    pub fn event(&self) -> Option<&'a [u8]> {
        let types = self.fields().filter_map(|field| if let Field::Event(kind) = field { Some(kind) } else { None });
        types.last().filter(|kind| !kind.is_empty())
    }

    /// What is to be named in `Last-Event-ID` from now on, in requests for the stream; empty: nothing any more. `None`: what was
    /// to be named before.
    pub fn id(&self) -> Option<&'a [u8]> {
        self.fields().filter_map(|field| if let Field::Id(id) = field { Some(id) } else { None }).last()
    }

    /// Milliseconds after which a client that was cut off comes again, from now on; `None`: as before.
    pub fn retry_ms(&self) -> Option<u64> {
        self.fields().filter_map(|field| if let Field::Retry(ms) = field { Some(ms) } else { None }).last()
    }

    /// The lines of the event's data, between which an LF is to stand. None at all: it is no event, and only
    /// [`id`](Received::id) and [`retry_ms`](Received::retry_ms) count.
    pub fn data(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        self.fields().filter_map(|field| if let Field::Data(line) = field { Some(line) } else { None })
    }

    fn fields(&self) -> impl Iterator<Item = Field<'a>> + Clone + use<'a> {
        // An empty line between CR and LF says nothing.
        self.lines.split(|byte| matches!(byte, b'\r' | b'\n')).filter_map(Field::of)
    }
}

/// What a line says.
#[derive(Clone, Copy)]
enum Field<'a> {
    Event(&'a [u8]),
    Data(&'a [u8]),
    Id(&'a [u8]),
    Retry(u64),
}

impl<'a> Field<'a> {
    /// The field of that line; `None`: a comment, an unknown field, or a value for which the field is to be ignored.
    fn of(line: &'a [u8]) -> Option<Self> {
        let (name, value) = line.split_at_checked(find(line, 0, [b':', b':'])).unwrap_or_default();
        let value = value.get(1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"event" => Some(Field::Event(value)),
            b"data" => Some(Field::Data(value)),
            b"id" if !value.contains(&0) => Some(Field::Id(value)),
            b"retry" => number(value).map(Field::Retry),
            _ => None,
        }
    }
}

/// A number of digits alone; what is above 64 bits is as much as these can say.
fn number(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, digit: &u8| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        Some(number.saturating_mul(10).saturating_add(u64::from(digit)))
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}
