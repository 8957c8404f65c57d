//! How server-sent events are written and read: the HTML standard of the WHATWG, section 9.2.

mod reader;

use crate::{bytes::find, response::decimal};

pub use reader::{EventReader, Found, Received};

/// The type of a response that is a stream of events.
pub const CONTENT_TYPE: &str = "text/event-stream";
/// A comment without text: says that the connection lives, and nothing to the page.
pub const KEEP_ALIVE: &[u8] = b":\n\n";

/// An event, or what else stands in a stream of them.
///
/// # Examples
/// ```
/// use tenure_proto::events::Event;
///
/// let mut bytes = [0; 64];
/// let event = Event { id: Some("42"), data: Some("one\ntwo"), ..Event::NONE };
/// let length = event.write(&mut bytes).unwrap();
/// assert_eq!(&bytes[..length], b"id: 42\ndata: one\ndata: two\n\n");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Event<'a> {
    /// What pages do not see.
    pub comment: Option<&'a str>,
    /// Its type, `message` where there is none.
    pub event: Option<&'a str>,
    /// What a client that comes again names as the last that it got (`Last-Event-ID`); empty: nothing any more.
    pub id: Option<&'a str>,
    /// Milliseconds after which a client that was cut off comes again.
    pub retry_ms: Option<u64>,
    /// What pages get, of any number of lines. CR, LF and CR LF each end one, and pages get LF for each. Without data
    /// (empty is not without) no page is told, but `id` and `retry_ms` hold.
    pub data: Option<&'a str>,
}

/// Why an event cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventError {
    /// The comment has a line end.
    Comment,
    /// The type has a line end.
    Event,
    /// The id has a line end or a NUL, for which clients would ignore it.
    Id,
    /// There is no room.
    NoRoom {
        /// Bytes that the event takes.
        bytes: usize,
    },
}

impl EventError {
    /// What was wrong and what is allowed, for a person.
    pub const fn reason(self) -> &'static str {
        match self {
            EventError::Comment => "the comment of an event must stand on one line",
            EventError::Event => "the type of an event must stand on one line",
            EventError::Id => "the id of an event must stand on one line and have no NUL",
            EventError::NoRoom { .. } => "the event is longer than the room for it",
        }
    }
}

impl Event<'_> {
    /// Nothing yet.
    pub const NONE: Event<'static> = Event { comment: None, event: None, id: None, retry_ms: None, data: None };

    /// An event of that data.
    pub const fn data(data: &str) -> Event<'_> {
        Event { data: Some(data), ..Event::NONE }
    }
}

impl<'a> Event<'a> {
    /// The same of that type.
    #[must_use]
    pub const fn event(mut self, event: &'a str) -> Self {
        self.event = Some(event);
        self
    }

    /// The same with that id.
    #[must_use]
    pub const fn id(mut self, id: &'a str) -> Self {
        self.id = Some(id);
        self
    }

    /// Bytes that it takes.
    ///
    /// # Errors
    /// An [`EventError`] where a part of it has a byte that cannot stand there.
    pub fn bytes(&self) -> Result<usize, EventError> {
        let mut bytes = 0;
        self.parts(&mut |part| bytes += part.len())?;
        Ok(bytes)
    }

    /// Writes it at the front of `out`, whole, and returns its bytes.
    ///
    /// # Errors
    /// An [`EventError`] where a part of it has a byte that cannot stand there, or `out` has no room; what is in `out`
    /// says nothing then.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, EventError> {
        let mut bytes = 0_usize;
        self.parts(&mut |part| {
            if let Some(to) = out.get_mut(bytes..bytes.saturating_add(part.len())) {
                to.copy_from_slice(part);
            }
            bytes = bytes.saturating_add(part.len());
        })?;
        if bytes > out.len() { Err(EventError::NoRoom { bytes }) } else { Ok(bytes) }
    }

    /// Its bytes, part by part.
    fn parts(&self, put: &mut dyn FnMut(&[u8])) -> Result<(), EventError> {
        let Event { comment, event, id, retry_ms, data } = *self;
        // Before the first part: an event is written as a whole, or not at all.
        if has(comment, &['\r', '\n']) {
            return Err(EventError::Comment);
        }
        if has(event, &['\r', '\n']) {
            return Err(EventError::Event);
        }
        if has(id, &['\r', '\n', '\0']) {
            return Err(EventError::Id);
        }
        let mut line = |name: &str, value: &[u8]| {
            put(name.as_bytes());
            // Clients take one space off.
            put(b": ");
            put(value);
            put(b"\n");
        };
        for (name, value) in [("", comment), ("event", event), ("id", id)] {
            if let Some(value) = value {
                line(name, value.as_bytes());
            }
        }
        if let Some(retry_ms) = retry_ms {
            line("retry", decimal(retry_ms, &mut [0; 20]));
        }
        let mut rest = data.map(str::as_bytes);
        while let Some(text) = rest {
            let end = find(text, 0, [b'\r', b'\n']);
            let (first, behind) = text.split_at_checked(end).unwrap_or_default();
            line("data", first);
            rest = behind.strip_prefix(b"\r\n").or_else(|| behind.get(1..));
        }
        put(b"\n");
        Ok(())
    }
}

fn has(text: Option<&str>, any: &[char]) -> bool {
    text.is_some_and(|text| text.contains(any))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::{
        string::{String, ToString},
        vec,
        vec::Vec,
    };

    fn written(event: &Event<'_>) -> Result<String, EventError> {
        let mut out = vec![b'?'; event.bytes()?];
        assert_eq!(event.write(&mut out), Ok(out.len()), "{event:?}");
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn events_are_lines() {
        for (event, wanted) in [
            (Event::NONE, "\n"),
            (Event { data: Some(""), ..Event::NONE }, "data: \n\n"),
            (Event { data: Some("a"), ..Event::NONE }, "data: a\n\n"),
            (Event { data: Some(" a"), ..Event::NONE }, "data:  a\n\n"),
            (Event { data: Some("a\nb"), ..Event::NONE }, "data: a\ndata: b\n\n"),
            (Event { data: Some("a\rb"), ..Event::NONE }, "data: a\ndata: b\n\n"),
            (Event { data: Some("a\r\nb"), ..Event::NONE }, "data: a\ndata: b\n\n"),
            (Event { data: Some("a\n\rb"), ..Event::NONE }, "data: a\ndata: \ndata: b\n\n"),
            (Event { data: Some("\r\n"), ..Event::NONE }, "data: \ndata: \n\n"),
            (Event { data: Some("a\n"), ..Event::NONE }, "data: a\ndata: \n\n"),
            (Event { data: Some("id: 1"), ..Event::NONE }, "data: id: 1\n\n"),
            (Event { id: Some(""), ..Event::NONE }, "id: \n\n"),
            (Event { retry_ms: Some(0), ..Event::NONE }, "retry: 0\n\n"),
            (Event { retry_ms: Some(u64::MAX), ..Event::NONE }, "retry: 18446744073709551615\n\n"),
            (
                Event { comment: Some("c"), event: Some("e"), id: Some("i"), retry_ms: Some(2000), data: Some("d") },
                ": c\nevent: e\nid: i\nretry: 2000\ndata: d\n\n",
            ),
        ] {
            assert_eq!(written(&event).as_deref(), Ok(wanted), "{event:?}");
        }
    }

    #[test]
    fn what_would_be_another_line_is_refused() {
        for (event, wanted) in [
            (Event { comment: Some("a\tb\0"), ..Event::NONE }, Ok(": a\tb\0\n\n")),
            (Event { comment: Some("a\n"), ..Event::NONE }, Err(EventError::Comment)),
            (Event { comment: Some("\rdata: b"), ..Event::NONE }, Err(EventError::Comment)),
            (Event { event: Some("a b\0"), ..Event::NONE }, Ok("event: a b\0\n\n")),
            (Event { event: Some("a\ndata: b"), ..Event::NONE }, Err(EventError::Event)),
            (Event { event: Some("a\r"), ..Event::NONE }, Err(EventError::Event)),
            (Event { id: Some("a\u{1}b"), ..Event::NONE }, Ok("id: a\u{1}b\n\n")),
            (Event { id: Some("a\0b"), ..Event::NONE }, Err(EventError::Id)),
            (Event { id: Some("a\n"), ..Event::NONE }, Err(EventError::Id)),
            (Event { id: Some("\r"), ..Event::NONE }, Err(EventError::Id)),
        ] {
            assert_eq!(written(&event).as_deref(), wanted.as_ref().map(|text| *text), "{event:?}");
            if let Err(error) = wanted {
                assert_eq!(event.write(&mut [0; 99]), Err(error));
                assert!(error.reason().contains("one line"), "{error:?}");
            }
        }
    }

    #[test]
    fn room_at_below_and_above() {
        let event = Event { data: Some("ab"), ..Event::NONE };
        for room in [0, 9, 10, 11] {
            let mut out = vec![b'?'; room];
            let wanted = if room < 10 { Err(EventError::NoRoom { bytes: 10 }) } else { Ok(10) };
            assert_eq!(event.write(&mut out), wanted, "{room}");
            if room >= 10 {
                assert_eq!(&out[..10], b"data: ab\n\n");
            }
        }
    }

    /// What a page gets of a stream: the standard's section 9.2.6, line by line. Type, id and data of each event.
    fn got(stream: &str) -> Vec<(String, String, String)> {
        let (mut events, mut kind, mut id, mut data) = (Vec::new(), String::new(), String::new(), String::new());
        let stream = stream.replace("\r\n", "\n");
        // What stands behind the last end is no line.
        let lines: Vec<_> = stream.split(['\r', '\n']).collect();
        for line in &lines[..lines.len() - 1] {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "" if line.is_empty() => {
                    if let Some(data) = data.strip_suffix('\n') {
                        events.push((kind.clone(), id.clone(), data.to_string()));
                    }
                    kind.clear();
                    data.clear();
                }
                "event" => kind = value.into(),
                "id" if !value.contains('\0') => id = value.into(),
                "data" => data = data + value + "\n",
                _ => {}
            }
        }
        events
    }

    proptest! {
        #[test]
        fn a_page_gets_what_was_written(
            parts in prop::collection::vec(("[a: \r\n\0]{0,3}", "[a: \r\n\0]{0,3}", "[ab: \r\n\0\u{e4}]{0,8}"), 1..4)
        ) {
            let (mut stream, mut wanted) = (String::new(), Vec::new());
            for (event, id, data) in &parts {
                let event = Event { event: Some(event), id: Some(id), data: Some(data), ..Event::NONE };
                let Ok(text) = written(&event) else { continue };
                stream += &text;
                let lines = data.replace("\r\n", "\n").replace('\r', "\n");
                wanted.push((event.event.unwrap().to_string(), id.clone(), lines));
            }
            prop_assert_eq!(got(&stream), wanted);
        }
    }

    /// What the reader makes of a stream that comes in pieces of so many bytes: the same as [`got`].
    fn read(stream: &[u8], piece_bytes: usize) -> Vec<(String, String, String)> {
        let (mut events, mut id, mut reader, mut bytes) = (Vec::new(), String::new(), EventReader::new(), Vec::new());
        let text = |bytes: &[u8]| String::from_utf8(bytes.into()).unwrap();
        for piece in stream.chunks(piece_bytes) {
            bytes.extend_from_slice(piece);
            loop {
                let used = match reader.read(&bytes) {
                    Found::Partial { used } => {
                        bytes.drain(..used);
                        break;
                    }
                    Found::Event { received, used } => {
                        if let Some(new) = received.id() {
                            id = text(new);
                        }
                        let lines: Vec<_> = received.data().map(text).collect();
                        if !lines.is_empty() {
                            events.push((text(received.event().unwrap_or_default()), id.clone(), lines.join("\n")));
                        }
                        used
                    }
                };
                bytes.drain(..used);
            }
        }
        events
    }

    proptest! {
        #[test]
        fn a_stream_is_read_line_by_line(
            lines in prop::collection::vec(
                ("(event|data|id|:|retry|datas|)(:| |: )?[a:1 \0\u{e4}]{0,4}", prop::sample::select(vec!["\r", "\n", "\r\n", "\n\n", "\r\r"])),
                0..12
            )
        ) {
            let stream: String = lines.iter().map(|(line, end)| line.clone() + end).collect();
            let wanted = got(&stream);
            for piece_bytes in [1, 2, 3, 7, usize::MAX] {
                prop_assert_eq!(read(stream.as_bytes(), piece_bytes), &wanted[..], "by {}", piece_bytes);
            }
        }

        /// Nothing makes it panic, and pieces change nothing.
        #[test]
        fn any_bytes_are_read_alike_in_pieces(stream in "[\u{feff}\r\n:adt]{0,24}") {
            prop_assert_eq!(read(stream.as_bytes(), 1), read(stream.as_bytes(), usize::MAX));
        }
    }

    #[test]
    fn a_page_gets_nothing_of_a_sign_of_life() {
        assert_eq!(got(str::from_utf8(KEEP_ALIVE).unwrap()), []);
    }
}
