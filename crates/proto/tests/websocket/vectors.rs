//! The vectors of `conformance/websocket/`. The README of `conformance/` has their format.

use super::{WIDE, events, events_of_server, frame, unmasked};
use std::{fmt::Write as _, fs, path::Path};
use tenure_proto::websocket::{MessageLimits, Violation};

#[test]
fn every_vector_has_its_events_at_every_split() {
    let vectors = vectors();
    let mut failures = String::new();
    for Vector { place, bytes, limits, is_of_server, events: wanted } in &vectors {
        let mut compare = |told: Vec<String>, how: &str| {
            if told != *wanted {
                let (wanted, told) = (shown(wanted), shown(&told));
                write!(failures, "\n{place}, {how}\n wanted:\n  {wanted}\n told:\n  {told}\n").unwrap();
            }
        };
        // Frames are told as they come, or when they are whole.
        for whole_bytes_max in [0, 1 << 20] {
            let limits = MessageLimits { whole_bytes_max, ..*limits };
            let events = |pieces: Vec<&[u8]>| match is_of_server {
                true => events_of_server(pieces, &limits),
                false => events(pieces, &limits),
            };
            compare(events(vec![bytes]), "whole");
            // Long ones only show what shorter ones have shown.
            let piece_bytes = if bytes.len() <= LONG { 1 } else { 1021 };
            compare(events(bytes.chunks(piece_bytes).collect()), &format!("by {piece_bytes}"));
            for at in splits(bytes.len()) {
                let (front, back) = bytes.split_at(at);
                compare(events(vec![front, back]), &format!("split at byte {at}"));
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
    println!("{} vectors", vectors.len());
}

#[test]
fn every_violation_has_a_vector() {
    let vectors = vectors();
    for violation in Violation::ALL {
        let told = format!("violation {} {violation:?}", violation.close_code());
        assert!(vectors.iter().any(|vector| vector.events.contains(&told)), "no vector has `{told}`");
    }
}

/// Bytes above which a vector is not split everywhere.
const LONG: usize = 1000;

/// Where a vector is split: everywhere, of a long one near its ends and at some places between.
fn splits(bytes: usize) -> impl Iterator<Item = usize> {
    (0..=bytes).filter(move |at| bytes <= LONG || *at < 16 || bytes - at < 2 || at % 16_381 == 0)
}

fn shown(events: &[String]) -> String {
    let short = |event: &String| event.chars().take(100).collect::<String>();
    events.iter().map(short).collect::<Vec<_>>().join("\n  ")
}

struct Vector {
    /// File, line and heading.
    place: String,
    limits: MessageLimits,
    /// Whether the frames are a server's.
    is_of_server: bool,
    bytes: Vec<u8>,
    events: Vec<String>,
}

/// All vectors of the folder.
fn vectors() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/websocket");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
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
            assert!(title.starts_with("RFC "), "{place}: a heading cites its RFC, not {title:?}");
            (heading, has_prose) = (title, false);
        } else if let Some(info) = line.strip_prefix("```") {
            let block = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            if let Some(words) = info.strip_prefix("frames") {
                let (is_of_server, bounds) = match words.strip_prefix(" server") {
                    Some(bounds) => (true, bounds),
                    None => (false, words),
                };
                assert!(open.is_none(), "{place}: the vector before this one has no events");
                assert!(has_prose, "{place}: no prose says what and why");
                let bytes = block.flat_map(|line| bytes(line, !is_of_server, &place)).collect();
                let limits = limits(bounds, &place);
                open = Some(Vector { limits, is_of_server, bytes, place, events: Vec::new() });
            } else {
                assert_eq!(info, "events", "{place}: a block is `frames` or `events`");
                let mut vector = open.take().unwrap_or_else(|| panic!("{place}: events without frames"));
                vector.events = block.map(repeated).collect();
                vectors.push(vector);
            }
        } else {
            has_prose |= !line.is_empty();
        }
    }
    assert!(open.is_none(), "{file}: the last vector has no events");
}

fn limits(bounds: &str, place: &str) -> MessageLimits {
    let mut limits = WIDE;
    for bound in bounds.split_whitespace() {
        let (name, number) = bound.split_once('=').unwrap_or_else(|| panic!("{place}: `{bound}` is no bound"));
        match name {
            "message" => limits.message_bytes_max = number.parse().unwrap(),
            "fragments" => limits.fragments_max = number.parse().unwrap(),
            "controls" => limits.controls_max = number.parse().unwrap(),
            _ => panic!("{place}: unknown bound `{bound}`"),
        }
    }
    limits
}

/// The bytes of a line: a frame in words, or digits.
fn bytes(line: &str, mut is_masked: bool, place: &str) -> Vec<u8> {
    if let Some(digits) = line.strip_prefix("bytes ") {
        let byte = |digits| u8::from_str_radix(digits, 16).unwrap_or_else(|error| panic!("{place}: {digits}: {error}"));
        return digits.split_whitespace().map(byte).collect();
    }
    let (words, payload) = line.split_once('"').unwrap_or_else(|| panic!("{place}: `{line}` has no payload"));
    let payload = payload.strip_suffix('"').unwrap_or_else(|| panic!("{place}: `{line}` does not end with a quote"));
    let mut first = 0x80;
    for word in words.split_whitespace() {
        match word {
            "continuation" => {}
            "text" => first |= 1,
            "binary" => first |= 2,
            "close" => first |= 8,
            "ping" => first |= 9,
            "pong" => first |= 0xa,
            "more" => first &= 0x7f,
            "rsv1" => first |= 0x40,
            "rsv2" => first |= 0x20,
            "rsv3" => first |= 0x10,
            "unmasked" => is_masked = false,
            "masked" => is_masked = true,
            _ => {
                let number = word.strip_prefix("opcode=").unwrap_or_else(|| panic!("{place}: unknown word `{word}`"));
                first |= number.parse::<u8>().unwrap();
            }
        }
    }
    let payload = unescaped(&repeated(payload), place);
    if is_masked { frame(first, &payload, [0x37, 0xfa, 0x21, 0x3d]) } else { unmasked(first, &payload) }
}

/// The text with its `{text*count}` written out.
fn repeated(text: &str) -> String {
    let Some((front, inner, count, behind)) = repetition(text) else { return text.into() };
    format!("{front}{}{}", inner.repeat(count), repeated(behind))
}

/// The first repetition: what is in front of it, its text, its count, and what is behind it.
fn repetition(text: &str) -> Option<(&str, &str, usize, &str)> {
    text.match_indices('{').find_map(|(open, _)| {
        let (inner, behind) = text[open + 1..].split_once('}')?;
        let (inner, count) = inner.rsplit_once('*')?;
        Some((&text[..open], inner, count.parse().ok()?, behind))
    })
}

/// The bytes that escapes stand for; what is none stands for itself.
fn unescaped(text: &str, place: &str) -> Vec<u8> {
    let mut parts = text.split('\\');
    let mut bytes: Vec<u8> = parts.next().unwrap_or_default().into();
    while let Some(part) = parts.next() {
        if part.is_empty() {
            bytes.push(b'\\');
            bytes.extend(parts.next().unwrap_or_default().bytes());
            continue;
        }
        let digits = part.strip_prefix('x').and_then(|rest| rest.split_at_checked(2));
        let (digits, rest) = digits.unwrap_or_else(|| panic!("{place}: unknown escape \\{part}"));
        bytes.push(u8::from_str_radix(digits, 16).unwrap_or_else(|error| panic!("{place}: \\x{digits}: {error}")));
        bytes.extend(rest.bytes());
    }
    bytes
}
