//! The vectors of `conformance/events/`, each fed whole, byte by byte and at every split into two. The README of `conformance/` has
//! their format.

use std::{fmt::Write as _, fs, path::Path};
use tenure_proto::events::{EventReader, Found, Received};

#[test]
fn every_vector_has_its_events_at_every_split() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/events/stream.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut failures, mut count) = (String::new(), 0);
    for (place, bytes, wanted) in vectors(&text) {
        let mut compare = |told: Vec<String>, how: &str| {
            if told != wanted {
                let (wanted, told) = (wanted.join("\n  "), told.join("\n  "));
                write!(failures, "\n{place}, {how}\n wanted:\n  {wanted}\n told:\n  {told}\n").unwrap();
            }
        };
        compare(events([&bytes[..]]), "whole");
        compare(events(bytes.chunks(1)), "byte by byte");
        for at in 0..=bytes.len() {
            let (front, back) = bytes.split_at(at);
            compare(events([front, back]), &format!("split at byte {at}"));
        }
        count += 1;
    }
    assert!(failures.is_empty(), "{failures}");
    assert!(count > 10, "{count} vectors");
}

/// What becomes of the pieces, received one after the other.
fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let (mut reader, mut bytes, mut events) = (EventReader::new(), Vec::new(), Vec::new());
    for piece in pieces {
        bytes.extend_from_slice(piece);
        loop {
            let (used, event) = match reader.read(&bytes) {
                Found::Partial { used } => (used, None),
                Found::Event { received, used } => (used, Some(told(&received))),
            };
            bytes.drain(..used);
            let Some(event) = event else { break };
            events.push(event);
        }
    }
    let retry = reader.cut_off(&bytes).retry_ms();
    if !bytes.is_empty() {
        events.push("partial".to_owned() + &retry.map_or(String::new(), |ms| format!(" retry {ms}")));
    }
    events
}

fn told(received: &Received<'_>) -> String {
    let data: Vec<&[u8]> = received.data().collect();
    let mut event = if data.is_empty() {
        "none".to_owned()
    } else {
        format!("{} \"{}\"", visible(received.event().unwrap_or(b"message")), visible(&data.join(&b'\n')))
    };
    if let Some(id) = received.id() {
        write!(event, " id \"{}\"", visible(id)).unwrap();
    }
    if let Some(ms) = received.retry_ms() {
        write!(event, " retry {ms}").unwrap();
    }
    event
}

/// Text as the vectors write it.
fn visible(bytes: &[u8]) -> String {
    let visible = |letter: char| match letter {
        '\n' => "\\n".into(),
        ' '..='~' => letter.to_string(),
        _ => letter.escape_unicode().to_string(),
    };
    String::from_utf8_lossy(bytes).chars().map(visible).collect()
}

/// Place, bytes and events of each vector.
fn vectors(text: &str) -> Vec<(String, Vec<u8>, Vec<String>)> {
    let (mut vectors, mut heading, mut open) = (Vec::new(), "", None);
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let place = format!("stream.md:{}: {heading}", index + 1);
        if let Some(title) = line.strip_prefix("## ") {
            assert!(title.starts_with("HTML section "), "{place}: a heading cites its section, not {title:?}");
            heading = title;
        } else if let Some(info) = line.strip_prefix("```") {
            let block = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            match info {
                "stream" => {
                    assert!(open.is_none(), "{place}: the vector before this one has no events");
                    open = Some((place, block.flat_map(bytes).collect()));
                }
                "events" => {
                    let (place, bytes) = open.take().unwrap_or_else(|| panic!("{place}: events without a stream"));
                    vectors.push((place, bytes, block.map(str::to_owned).collect()));
                }
                _ => panic!("{place}: a block is `stream` or `events`"),
            }
        }
    }
    assert!(open.is_none(), "the last vector has no events");
    vectors
}

/// The bytes of a line, whose end is LF unless a backslash takes it away.
fn bytes(line: &str) -> Vec<u8> {
    let (line, end) = line.strip_suffix('\\').map_or((line, "\n"), |line| (line, ""));
    let mut parts = line.split('\\');
    let mut bytes: Vec<u8> = parts.next().unwrap_or_default().into();
    for part in parts {
        let (byte, rest) = match part.split_at(1) {
            ("r", rest) => (b'\r', rest),
            ("x", rest) => (u8::from_str_radix(&rest[..2], 16).unwrap(), &rest[2..]),
            _ => panic!("unknown escape \\{part}"),
        };
        bytes.push(byte);
        bytes.extend(rest.bytes());
    }
    bytes.extend(end.bytes());
    bytes
}
