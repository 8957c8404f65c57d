//! The vectors of `conformance/`, each fed whole, byte by byte and at every split into two. The folder's README has their
//! format.

use std::{fmt::Write as _, fs, path::Path};
use tenure_proto::{
    chunked::{Chunk, ChunkedDecoder},
    framing::Framing,
    head::{Fields, Head, HeadLimits, HeadParser, TargetForm, Version},
    refusal::Refusal,
};

#[test]
fn every_vector_has_its_events_at_every_split() {
    let vectors = vectors();
    let mut failures = String::new();
    for vector in &vectors {
        let Vector { place, bytes, limits, .. } = vector;
        let whole = events([&bytes[..]], limits);
        if vector.comparable(&whole) != vector.events {
            let (wanted, told) = (vector.events.join("\n  "), whole.join("\n  "));
            write!(failures, "\n{place}\n wanted:\n  {wanted}\n told:\n  {told}\n").unwrap();
        }
        let mut compare = |told: Vec<String>, how: &str| {
            if told != whole {
                let (whole, told) = (whole.join("\n  "), told.join("\n  "));
                write!(failures, "\n{place}\n whole:\n  {whole}\n {how}:\n  {told}\n").unwrap();
            }
        };
        compare(events(bytes.chunks(1), limits), "byte by byte");
        for at in 0..=bytes.len() {
            let (front, back) = bytes.split_at(at);
            compare(events([front, back], limits), &format!("split at byte {at}"));
        }
    }
    assert!(failures.is_empty(), "{failures}");
    println!("{} vectors", vectors.len());
}

#[test]
fn every_refusal_of_the_parsers_has_a_vector() {
    let vectors = vectors();
    for refusal in Refusal::ALL {
        // No bytes bring these about, only their absence.
        if matches!(refusal, Refusal::HeadTimeout | Refusal::BodyTimeout) {
            continue;
        }
        let told = refused(*refusal);
        let tells = |event: &String| *event == told || event.starts_with(&format!("{told} byte "));
        assert!(vectors.iter().any(|vector| vector.events.iter().any(tells)), "no vector has `{told}`");
    }
}

/// A connection's end without I/O: bytes in, events out.
struct Connection {
    limits: HeadLimits,
    /// Bytes of a head that is not complete.
    head: Vec<u8>,
    body: Vec<u8>,
    state: State,
    events: Vec<String>,
}

enum State {
    Head(HeadParser),
    Length { persistent: bool, remaining: u64 },
    Chunked { persistent: bool, decoder: ChunkedDecoder },
    Closed,
}

/// What becomes of the pieces, received one after the other.
fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: &HeadLimits) -> Vec<String> {
    let mut connection = Connection {
        limits: *limits,
        head: Vec::new(),
        body: Vec::new(),
        state: State::Head(HeadParser::new()),
        events: Vec::new(),
    };
    for piece in pieces {
        connection.received(piece);
    }
    connection.ended();
    connection.events
}

impl Connection {
    fn received(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.state {
                State::Head(_) => self.head(rest),
                State::Length { persistent, remaining } => self.length(rest, persistent, remaining),
                State::Chunked { persistent, decoder } => self.chunked(rest, persistent, decoder),
                State::Closed => return,
            };
        }
    }

    /// Reads on in a head, and returns what stands behind it.
    fn head<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let State::Head(parser) = &mut self.state else { return bytes };
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        match parser.parse(&self.head, &self.limits) {
            Ok(None) => &[],
            Ok(Some(head)) => {
                let behind = head.bytes as usize - before;
                self.head.truncate(head.bytes as usize);
                self.request(&head);
                self.head.clear();
                &bytes[behind..]
            }
            Err(refusal) => self.refused(refusal),
        }
    }

    fn request(&mut self, head: &Head) {
        let bytes = &self.head[..];
        let mut line = format!(
            "request {} {} {} {} ",
            visible(head.token.of(bytes)),
            visible(head.target.of(bytes)),
            match head.version {
                Version::Http10 => "HTTP/1.0",
                Version::Http11 => "HTTP/1.1",
            },
            match head.form {
                TargetForm::Origin => "origin",
                TargetForm::Absolute => "absolute",
                TargetForm::Asterisk => "asterisk",
            },
        );
        match head.framing {
            Framing::Empty => line.push_str("empty"),
            Framing::Length(length) => write!(line, "length {length}").unwrap(),
            Framing::Chunked => line.push_str("chunked"),
        }
        line.push_str(if head.persistent { " persistent" } else { " close" });
        line.push_str(if head.expects_continue { " continue" } else { "" });
        self.events.push(line);
        for (name, value) in Fields::new(head.fields.of(bytes)) {
            self.events.push(format!("field {name} {}", visible(value)).trim_end().into());
        }
        if let Some(refusal) = head.refusal {
            let byte = head.refused_byte(bytes).map_or(String::new(), |(at, _)| format!(" byte {at}"));
            self.events.push(refused(refusal) + &byte);
        }
        let persistent = head.persistent;
        match head.framing {
            Framing::Empty => self.complete(persistent),
            Framing::Length(remaining) => self.state = State::Length { persistent, remaining },
            Framing::Chunked => self.state = State::Chunked { persistent, decoder: ChunkedDecoder::new() },
        }
    }

    fn length<'a>(&mut self, bytes: &'a [u8], persistent: bool, remaining: u64) -> &'a [u8] {
        let length = usize::try_from(remaining).unwrap_or(usize::MAX).min(bytes.len());
        self.body.extend_from_slice(&bytes[..length]);
        match remaining - length as u64 {
            0 => self.complete(persistent),
            remaining => self.state = State::Length { persistent, remaining },
        }
        &bytes[length..]
    }

    fn chunked<'a>(&mut self, bytes: &'a [u8], persistent: bool, mut decoder: ChunkedDecoder) -> &'a [u8] {
        let chunk = decoder.decode(bytes);
        self.state = State::Chunked { persistent, decoder };
        match chunk {
            Ok(Chunk::Data { skip, length }) => {
                self.body.extend_from_slice(&bytes[skip..skip + length]);
                &bytes[skip + length..]
            }
            Ok(Chunk::Partial) => &[],
            Ok(Chunk::End { skip }) => {
                self.complete(persistent);
                &bytes[skip..]
            }
            Err(refusal) => self.refused(refusal),
        }
    }

    fn complete(&mut self, persistent: bool) {
        self.tell_body();
        self.events.push("end".into());
        self.state = if persistent { State::Head(HeadParser::new()) } else { State::Closed };
    }

    fn refused(&mut self, refusal: Refusal) -> &'static [u8] {
        self.tell_body();
        self.events.push(refused(refusal));
        self.state = State::Closed;
        &[]
    }

    fn tell_body(&mut self) {
        if !self.body.is_empty() {
            self.events.push(format!("body \"{}\"", visible(&self.body)));
            self.body.clear();
        }
    }

    /// No more bytes come.
    fn ended(&mut self) {
        let idle = match self.state {
            State::Head(_) => self.head.is_empty(),
            State::Closed => true,
            State::Length { .. } | State::Chunked { .. } => false,
        };
        self.tell_body();
        if !idle {
            self.events.push("partial".into());
        }
    }
}

fn refused(refusal: Refusal) -> String {
    format!("refused {} {refusal:?}", refusal.status())
}

/// Bytes as the vectors write them.
fn visible(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\0' => text.push_str("\\0"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => write!(text, "\\x{byte:02x}").unwrap(),
        }
    }
    text
}

struct Vector {
    /// File, line and heading.
    place: String,
    limits: HeadLimits,
    bytes: Vec<u8>,
    events: Vec<String>,
}

impl Vector {
    /// Of what was told, what the vector asks for: the fields of a head only where it names one of them.
    fn comparable(&self, told: &[String]) -> Vec<String> {
        let requests = |events: &[String]| -> Vec<Vec<String>> {
            events.chunk_by(|_, next| !next.starts_with("request ")).map(<[String]>::to_vec).collect()
        };
        let names_fields = |events: &Vec<String>| events.iter().any(|event| event.starts_with("field "));
        let wanted = requests(&self.events);
        let mut comparable = Vec::new();
        for (index, request) in requests(told).into_iter().enumerate() {
            let asked = wanted.get(index).is_some_and(names_fields);
            comparable.extend(request.into_iter().filter(|event| asked || !event.starts_with("field ")));
        }
        comparable
    }
}

/// All vectors of the folder.
fn vectors() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance");
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .filter(|path| !path.ends_with("README.md"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} has no vectors", folder.display());
    let mut vectors = Vec::new();
    for path in paths {
        let before = vectors.len();
        read(&path.file_name().unwrap().to_string_lossy(), &fs::read_to_string(&path).unwrap(), &mut vectors);
        assert_ne!(vectors.len(), before, "{} has no vectors", path.display());
    }
    vectors
}

/// Reads the vectors of one file.
fn read(file: &str, text: &str, vectors: &mut Vec<Vector>) {
    let mut lines = text.lines().enumerate();
    let (mut heading, mut has_prose) = ("", false);
    // The vector whose events are still to come.
    let mut open: Option<Vector> = None;
    while let Some((index, line)) = lines.next() {
        let place = format!("{file}:{}: {heading}", index + 1);
        if let Some(title) = line.strip_prefix("## ") {
            assert!(title.starts_with("RFC "), "{file}:{}: a heading cites its RFC", index + 1);
            (heading, has_prose) = (title, false);
        } else if let Some(info) = line.strip_prefix("```") {
            let block: Vec<_> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            if let Some(bounds) = info.strip_prefix("http") {
                assert!(open.is_none(), "{place}: the vector before this one has no events");
                assert!(has_prose, "{place}: no prose says what and why");
                let (limits, bytes) = (limits(bounds, &place), bytes(&block, &place));
                open = Some(Vector { place, limits, bytes, events: Vec::new() });
            } else if info == "events" {
                let mut vector = open.take().unwrap_or_else(|| panic!("{place}: events without bytes"));
                vector.events = block.iter().map(|event| String::from_utf8(repeated(event, &place)).unwrap()).collect();
                vectors.push(vector);
            } else {
                panic!("{place}: a block is `http` or `events`, not `{info}`");
            }
        } else {
            has_prose |= !line.is_empty();
        }
    }
    assert!(open.is_none(), "{file}: the last vector has no events");
}

fn limits(bounds: &str, place: &str) -> HeadLimits {
    let mut limits = HeadLimits { head_bytes_max: 8192, target_bytes_max: 4096, tolerate_lone_lf: false };
    for bound in bounds.split_whitespace() {
        match bound.split_once('=') {
            Some(("head", bytes)) => limits.head_bytes_max = bytes.parse().unwrap(),
            Some(("target", bytes)) => limits.target_bytes_max = bytes.parse().unwrap(),
            None if bound == "lone-lf" => limits.tolerate_lone_lf = true,
            _ => panic!("{place}: unknown bound `{bound}`"),
        }
    }
    limits
}

/// The bytes of an `http` block.
fn bytes(lines: &[&str], place: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        // An even number of them is so many escaped backslashes.
        let (line, end) = if backslashes % 2 == 1 { (&line[..line.len() - 1], "") } else { (*line, "\r\n") };
        bytes.extend(unescaped(&repeated(line, place), place));
        bytes.extend_from_slice(end.as_bytes());
    }
    bytes
}

/// The text with its `{text*count}` written out.
fn repeated(text: &str, place: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((front, inner, count, behind)) = repetition(rest) {
        let count = count.parse().unwrap_or_else(|error| panic!("{place}: {error}"));
        bytes.extend_from_slice(front.as_bytes());
        bytes.extend(inner.as_bytes().repeat(count));
        rest = behind;
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// The first repetition: what is in front of it, its text, its count, and what is behind it.
fn repetition(text: &str) -> Option<(&str, &str, &str, &str)> {
    text.match_indices('{').find_map(|(open, _)| {
        let (inner, behind) = text[open + 1..].split_once('}')?;
        let (inner, count) = inner.rsplit_once('*')?;
        let is_count = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        is_count.then_some((&text[..open], inner, count, behind))
    })
}

/// The bytes that escapes stand for.
fn unescaped(text: &[u8], place: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'\\' => match rest.next() {
                Some(b'r') => b'\r',
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'0') => b'\0',
                Some(b'\\') => b'\\',
                Some(b'x') => {
                    let digits: String = rest.by_ref().take(2).map(char::from).collect();
                    u8::from_str_radix(&digits, 16).unwrap_or_else(|error| panic!("{place}: \\x{digits}: {error}"))
                }
                escape => panic!("{place}: unknown escape {:?}", escape.map(char::from)),
            },
            _ => byte,
        };
        bytes.push(byte);
    }
    bytes
}
