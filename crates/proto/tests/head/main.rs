//! Request heads: each refusal beside its nearest acceptance, each vector fed in every way.

mod any;
mod bounds;
mod fields;
mod line;
mod meaning;
mod whole;

use proptest::prelude::*;
use std::fmt::Write as _;
use tenure_proto::{
    framing::Framing,
    head::{Fields, Head, HeadLimits, HeadParser, Span, TargetForm, Version},
    method::Method,
    refusal::Refusal,
};

type Outcome = Result<Option<Head>, Refusal>;

const LIMITS: HeadLimits = HeadLimits { head_bytes_max: 1024, target_bytes_max: 64, tolerate_lone_lf: false };
const LENIENT: HeadLimits = HeadLimits { tolerate_lone_lf: true, ..LIMITS };

/// Feeds the pieces that end at `ends` one after another, until something is decided.
fn fed(bytes: &[u8], limits: &HeadLimits, ends: impl IntoIterator<Item = usize>) -> Outcome {
    let mut parser = HeadParser::new();
    for end in ends {
        let outcome = parser.parse(&bytes[..end], limits);
        if outcome != Ok(None) {
            return outcome;
        }
    }
    Ok(None)
}

/// The outcome of a vector, fed whole, byte by byte, and at every split.
fn outcome(bytes: &[u8], limits: &HeadLimits) -> Outcome {
    let whole = fed(bytes, limits, [bytes.len()]);
    let text = bytes.escape_ascii();
    assert_eq!(fed(bytes, limits, 0..=bytes.len()), whole, "byte by byte: {text}");
    for split in 0..bytes.len() {
        assert_eq!(fed(bytes, limits, [split, bytes.len()]), whole, "split at {split}: {text}");
    }
    whole
}

#[track_caller]
fn accepted_with(text: &str, limits: &HeadLimits) -> Head {
    match outcome(text.as_bytes(), limits) {
        Ok(Some(head)) if head.refusal.is_none() => head,
        other => panic!("{other:?}: {text:?}"),
    }
}

/// A whole head that comes with a refusal: the head, and the byte of the target that is refused.
#[track_caller]
fn refused_whole(text: &str, refusal: Refusal) -> (Head, Option<(u32, u8)>) {
    match outcome(text.as_bytes(), &LIMITS) {
        Ok(Some(head)) if head.refusal == Some(refusal) => (head, head.refused_byte(text.as_bytes())),
        other => panic!("{other:?}: {text:?}"),
    }
}

#[track_caller]
fn accepted(text: &str) -> Head {
    accepted_with(text, &LIMITS)
}

#[track_caller]
fn refused_with(text: &str, limits: &HeadLimits, refusal: Refusal) {
    assert_eq!(outcome(text.as_bytes(), limits), Err(refusal), "case {text:?}");
}

#[track_caller]
fn refused(text: &str, refusal: Refusal) {
    refused_with(text, &LIMITS, refusal);
}

/// A GET of HTTP/1.1 with Host and these field lines.
fn with_fields(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn texts(head: &Head, text: &str) -> Vec<(String, String)> {
    Fields::new(head.fields.of(text.as_bytes()))
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value).into_owned()))
        .collect()
}
