//! Forms: the vectors of `conformance/multipart/`, each fed whole, byte by byte and at every split into two (the README of `conformance/` has
//! their format), and the boundaries of Content-Types.

use std::{fmt::Write as _, fs, path::Path};

use proptest::prelude::*;
use tenure_proto::multipart::{BOUNDARY_BYTES_MAX, BoundaryError, Bounds, Fault, FormReader, Found, Refused, boundary};

const HEAD_BYTES: usize = 128;
const UNBOUNDED: Bounds = Bounds { parts_max: 100, name_bytes_max: HEAD_BYTES, part_bytes_max: u64::MAX };

struct Vector {
    place: String,
    boundary: String,
    bounds: Bounds,
    bytes: Vec<u8>,
    events: Vec<String>,
}

#[test]
fn every_vector_has_its_events_at_every_split() {
    let (vectors, mut failures) = (vectors(), String::new());
    for Vector { place, boundary, bounds, bytes, events: wanted } in &vectors {
        let mut compare = |told: Vec<String>, how: &str| {
            if told != *wanted {
                let (wanted, told) = (wanted.join("\n  "), told.join("\n  "));
                write!(failures, "\n{place}, {how}\n wanted:\n  {wanted}\n told:\n  {told}\n").unwrap();
            }
        };
        compare(events(boundary, *bounds, [&bytes[..]]), "whole");
        compare(events(boundary, *bounds, bytes.chunks(1)), "byte by byte");
        for at in 0..=bytes.len() {
            let (front, back) = bytes.split_at(at);
            compare(events(boundary, *bounds, [front, back]), &format!("split at byte {at}"));
        }
    }
    assert!(failures.is_empty(), "{failures}");
    println!("{} vectors", vectors.len());
}

#[test]
fn every_fault_has_a_vector() {
    let vectors = vectors();
    for fault in Fault::ALL {
        let told = format!("refused {} {fault:?} byte ", fault.status().code());
        let tells = |event: &String| event.starts_with(&told);
        assert!(vectors.iter().any(|vector| vector.events.iter().any(tells)), "no vector has `{told}`");
    }
}

/// What becomes of the pieces, received one after the other, and of the end behind them.
fn events<'a>(boundary: &str, bounds: Bounds, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut reader = FormReader::<HEAD_BYTES>::new(boundary.as_bytes(), bounds);
    let (mut events, mut content) = (Vec::new(), Vec::new());
    let tell_content = |events: &mut Vec<String>, content: &mut Vec<u8>| {
        if !content.is_empty() {
            events.push(format!("content \"{}\"", visible(content)));
            content.clear();
        }
    };
    let refused = |Refused { fault, byte }: Refused| format!("refused {} {fault:?} byte {byte}", fault.status().code());
    for piece in pieces {
        let mut rest = piece;
        loop {
            let read = match reader.read(rest) {
                Ok(read) => read,
                Err(error) => {
                    tell_content(&mut events, &mut content);
                    events.push(refused(error));
                    assert_eq!((reader.read(b"--b--"), reader.finish()), (Err(error), Err(error)), "it is final");
                    return events;
                }
            };
            let piece = rest;
            rest = &rest[read.used..];
            match read.found {
                Found::Partial => {
                    assert!(rest.is_empty(), "all of the input is read");
                    break;
                }
                Found::Part => {
                    let part = reader.part();
                    let mut event = format!("part \"{}\"", visible(part.name().as_bytes()));
                    if let Some(filename) = part.filename() {
                        write!(event, " filename \"{}\"", visible(filename.as_bytes())).unwrap();
                    }
                    if let Some(content_type) = part.content_type() {
                        write!(event, " type \"{}\"", visible(content_type.as_bytes())).unwrap();
                    }
                    events.push(event);
                }
                Found::Content { skip, length } => {
                    assert!(length > 0 && skip + length <= read.used, "content has at least one byte");
                    content.extend_from_slice(&piece[skip..skip + length]);
                }
                Found::Earlier(bytes) => {
                    assert!(!bytes.is_empty(), "content has at least one byte");
                    content.extend_from_slice(bytes);
                }
                Found::PartEnd => {
                    tell_content(&mut events, &mut content);
                    events.push("end".to_owned());
                }
            }
        }
    }
    tell_content(&mut events, &mut content);
    match reader.finish() {
        Ok(()) => {
            assert!(reader.is_ended());
            events.push("whole".to_owned());
        }
        Err(error) => events.push(refused(error)),
    }
    events
}

/// Bytes as the vectors write them.
fn visible(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\\' => text.push_str("\\\\"),
            b'"' => text.push_str("\\\""),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => write!(text, "\\x{byte:02x}").unwrap(),
        }
    }
    text
}

fn vectors() -> Vec<Vector> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/multipart/forms.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut vectors, mut heading, mut open) = (Vec::new(), "", None);
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let place = format!("forms.md:{}: {heading}", index + 1);
        if let Some(title) = line.strip_prefix("## ") {
            let cites =
                ["RFC 7578 section ", "RFC 2046 section ", "HTML section "].iter().any(|by| title.starts_with(by));
            assert!(cites, "{place}: a heading cites its section, not {title:?}");
            heading = title;
        } else if let Some(info) = line.strip_prefix("```") {
            let block = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            if info == "events" {
                let mut vector: Vector = open.take().unwrap_or_else(|| panic!("{place}: events without a form"));
                vector.events = block.map(str::to_owned).collect();
                vectors.push(vector);
            } else {
                assert!(open.is_none(), "{place}: the vector before this one has no events");
                let bytes = block.flat_map(bytes).collect();
                let mut vector = Vector { place, boundary: "b".into(), bounds: UNBOUNDED, bytes, events: Vec::new() };
                let mut words = info.split(' ');
                assert_eq!(words.next(), Some("form"), "{}: a block is `form` or `events`", vector.place);
                for word in words {
                    let (name, value) = word.split_once('=').unwrap();
                    match name {
                        "boundary" => value.clone_into(&mut vector.boundary),
                        "parts" => vector.bounds.parts_max = value.parse().unwrap(),
                        "name" => vector.bounds.name_bytes_max = value.parse().unwrap(),
                        "part" => vector.bounds.part_bytes_max = value.parse().unwrap(),
                        _ => panic!("{}: {name} is no bound", vector.place),
                    }
                }
                open = Some(vector);
            }
        }
    }
    assert!(open.is_none(), "the last vector has no events");
    assert!(vectors.len() > 50, "{} vectors", vectors.len());
    vectors
}

/// The bytes of a line, whose end is CR LF unless a backslash takes it away.
fn bytes(line: &str) -> Vec<u8> {
    let backslashes = line.len() - line.trim_end_matches('\\').len();
    let (line, end) = if backslashes % 2 == 1 { (&line[..line.len() - 1], "") } else { (line, "\r\n") };
    let (mut bytes, mut rest) = (Vec::new(), line);
    while let Some(letter) = rest.chars().next() {
        let mut taken = letter.len_utf8();
        match letter {
            '\\' => {
                let (byte, length) = match rest.as_bytes()[1] {
                    b'r' => (b'\r', 2),
                    b'n' => (b'\n', 2),
                    b't' => (b'\t', 2),
                    b'0' => (0, 2),
                    b'\\' => (b'\\', 2),
                    b'x' => (u8::from_str_radix(&rest[2..4], 16).unwrap(), 4),
                    other => panic!("unknown escape \\{}", char::from(other)),
                };
                bytes.push(byte);
                taken = length;
            }
            '{' => {
                let (repeated, behind) = rest[1..].split_once('}').unwrap();
                let (text, count) = repeated.rsplit_once('*').unwrap();
                bytes.extend(text.repeat(count.parse().unwrap()).bytes());
                taken = rest.len() - behind.len();
            }
            letter => bytes.extend_from_slice(letter.to_string().as_bytes()),
        }
        rest = &rest[taken..];
    }
    bytes.extend_from_slice(end.as_bytes());
    bytes
}

#[test]
fn boundaries_of_content_types() {
    use BoundaryError::{BadBoundary, NotForm};
    let longest = "x".repeat(BOUNDARY_BYTES_MAX);
    let most = format!("multipart/form-data; boundary={longest}");
    let more = format!("multipart/form-data; boundary={longest}x");
    for (content_type, wanted) in [
        ("multipart/form-data; boundary=b", Ok("b")),
        ("multipart/form-data;boundary=b", Ok("b")),
        ("Multipart/Form-Data \t; Charset=utf-8 ; BOUNDARY=\"b c\" ;", Ok("b c")),
        ("multipart/form-data; boundary=\"a'()+_,-./:=?0\"", Ok("a'()+_,-./:=?0")),
        // Sent without its quotes, it is clear all the same.
        ("multipart/form-data; boundary===a/b==", Ok("==a/b==")),
        ("multipart/form-data; boundary=----WebKitFormBoundary0aZ", Ok("----WebKitFormBoundary0aZ")),
        (&most, Ok(&*longest)),
        (&more, Err(BadBoundary)),
        ("", Err(NotForm)),
        ("multipart/form-dat; boundary=b", Err(NotForm)),
        ("multipart/form-data2; boundary=b", Err(NotForm)),
        ("multipart/mixed; boundary=b", Err(NotForm)),
        ("application/x-www-form-urlencoded", Err(NotForm)),
        ("; boundary=b", Err(NotForm)),
        ("multipart/form-data", Err(BadBoundary)),
        ("multipart/form-data;", Err(BadBoundary)),
        ("multipart/form-data; boundary", Err(BadBoundary)),
        ("multipart/form-data; boundary=", Err(BadBoundary)),
        ("multipart/form-data; boundary=\"\"", Err(BadBoundary)),
        ("multipart/form-data; boundary=\"b", Err(BadBoundary)),
        ("multipart/form-data; boundary=\"b \"", Err(BadBoundary)),
        ("multipart/form-data; boundary=b c", Err(BadBoundary)),
        ("multipart/form-data; boundary=\"b\"c", Err(BadBoundary)),
        ("multipart/form-data; boundary=b*", Err(BadBoundary)),
        ("multipart/form-data; boundary=\u{fc}", Err(BadBoundary)),
        ("multipart/form-data; boundary=\"b\\\\\"", Err(BadBoundary)),
        ("multipart/form-data; boundary=b; boundary=b", Err(BadBoundary)),
        ("multipart/form-data; boundary =b", Err(BadBoundary)),
        ("multipart/form-data, boundary=b", Err(NotForm)),
    ] {
        assert_eq!(boundary(content_type.as_bytes()), wanted.map(str::as_bytes), "{content_type:?}");
    }
}

/// A bound that is set below what has come already holds from there on.
#[test]
fn bounds_may_be_lowered_meanwhile() {
    let part = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n";
    for (parts_max, wanted) in [(3, 3), (2, 2), (1, 2), (0, 2)] {
        let form = part.repeat(3) + "--b--";
        let mut reader = FormReader::<HEAD_BYTES>::new(b"b", UNBOUNDED);
        let (mut rest, mut parts) = (form.as_bytes(), 0);
        let ended = loop {
            match reader.read(rest) {
                Ok(read) if read.found == Found::Partial => break Ok(()),
                Ok(read) => {
                    rest = &rest[read.used..];
                    parts += u32::from(read.found == Found::Part);
                    if parts == 2 {
                        reader.bounds_mut().parts_max = parts_max;
                    }
                }
                Err(refused) => break Err(refused.fault),
            }
        };
        let is_within = if parts_max < 3 { Err(Fault::TooManyParts) } else { Ok(()) };
        assert_eq!((parts, ended), (wanted, is_within), "{parts_max}");
    }
}

/// Text for people, which tells the byte.
#[test]
fn what_is_refused_is_displayed() {
    let refused = Refused { fault: Fault::NoName, byte: 12 };
    assert_eq!(refused.to_string(), "a form's part has no name (byte 12)");
}

/// Texts that are made of the form's own bytes hit its branches more often than any.
fn form() -> impl Strategy<Value = Vec<u8>> {
    const HEAD: &[u8] = b"\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
    let pieces =
        [&b"--b"[..], b"\r\n--b", HEAD, b"\r\n", b"\r", b"\n", b"-", b"--", b"b", b"x", b"\"", b"\\", b"; name="];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// How a form is cut makes no difference, and its content is what stands between the delimiters.
    #[test]
    fn any_bytes_are_told_alike_however_they_are_cut(
        form in form(), at in 0..200_usize, other in 0..200_usize, part_bytes_max in 0..100_u64,
    ) {
        let bounds = Bounds { part_bytes_max, ..UNBOUNDED };
        let whole = events("b", bounds, [&form[..]]);
        prop_assert_eq!(&events("b", bounds, form.chunks(1)), &whole);
        let (front, rest) = form.split_at(at.min(form.len()));
        let (middle, back) = rest.split_at(other.min(rest.len()));
        prop_assert_eq!(&events("b", bounds, [front, middle, back]), &whole);
    }

    /// What is put into a form comes out of it.
    #[test]
    fn content_survives(content in prop::collection::vec(prop::sample::select(b"\r\n-ab\0".to_vec()), 0..300)) {
        prop_assume!(!content.starts_with(b"--ab") && !content.windows(6).any(|window| window == b"\r\n--ab"));
        let form = [&b"--ab\r\nContent-Disposition: form-data; name=n\r\n\r\n"[..], &content, b"\r\n--ab--\r\n"].concat();
        let mut wanted = vec!["part \"n\"".to_owned()];
        if !content.is_empty() {
            wanted.push(format!("content \"{}\"", visible(&content)));
        }
        wanted.extend(["end".into(), "whole".into()]);
        prop_assert_eq!(&events("ab", UNBOUNDED, [&form[..]]), &wanted);
        prop_assert_eq!(&events("ab", UNBOUNDED, form.chunks(1)), &wanted);
        prop_assert_eq!(&events("ab", UNBOUNDED, form.chunks(3)), &wanted);
    }
}
