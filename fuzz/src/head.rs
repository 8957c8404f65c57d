//! Request heads: whole and in pieces, with and without a memory of the head before, and beside httparse.
//!
//! An input is a seed and bounds (four bytes), then the heads of one connection, one behind the other.

use tenure_proto::{
    head::{Fields, Head, HeadLimits, HeadMemo, HeadParser, TargetForm, Version},
    refusal::Refusal,
};

use crate::cuts::{Numbers, ends};

/// Heads of one input that are looked at.
const HEADS_MAX: usize = 16;
/// More field lines than an input has room for.
const FIELDS_MAX: usize = 2_048;

type Outcome = Result<Option<Head>, Refusal>;

/// Reads the input's heads in every way, and another connection's beside them.
pub fn run(input: &[u8]) {
    let Some((&[seed, other, head, target], stream)) = input.split_first_chunk() else { return };
    let limits = HeadLimits {
        head_bytes_max: if head < 128 { 8_192 } else { 4 * u32::from(head - 128) },
        target_bytes_max: if target < 128 { 4_096 } else { u32::from(target - 128) },
        tolerate_lone_lf: seed & 1 != 0,
    };
    let seed = u64::from(seed) << 8 | u64::from(other);
    let mut memo = HeadMemo::new();
    let mut rest = stream;
    for number in 0..HEADS_MAX as u64 {
        let outcome = agreed(rest, &limits, &mut memo, seed + number);
        let Ok(Some(head)) = outcome else { break };
        check(&head, rest, &limits);
        // Behind it comes almost the same again: the memo must see the difference.
        let _ = agreed(&changed(rest, seed ^ number), &limits, &mut memo, seed);
        rest = &rest[head.bytes as usize..];
    }
}

/// What is made of the bytes at hand, in one of the ways that all must agree.
fn agreed(bytes: &[u8], limits: &HeadLimits, memo: &mut HeadMemo, seed: u64) -> Outcome {
    let whole = HeadParser::new().parse(bytes, limits);
    for seed in [seed, !seed] {
        let pieces = in_pieces(bytes, seed, |parser, bytes| parser.parse(bytes, limits));
        assert_eq!(pieces, whole, "in pieces: {}", bytes.escape_ascii());
    }
    // As the driver does: what was recalled or learnt as a whole, or in pieces.
    let remembering = if seed & 1 == 0 {
        HeadParser::new().parse_remembering(bytes, limits, memo).map(Option::<&Head>::copied)
    } else {
        in_pieces(bytes, seed, |parser, bytes| {
            parser.parse_remembering(bytes, limits, memo).map(Option::<&Head>::copied)
        })
    };
    assert_eq!(remembering, whole, "remembering: {}", bytes.escape_ascii());
    let again = HeadParser::new().parse_remembering(bytes, limits, memo).map(Option::<&Head>::copied);
    assert_eq!(again, whole, "remembering it: {}", bytes.escape_ascii());
    whole
}

fn in_pieces(bytes: &[u8], seed: u64, mut parse: impl FnMut(&mut HeadParser, &[u8]) -> Outcome) -> Outcome {
    let mut parser = HeadParser::new();
    for end in std::iter::once(0).chain(ends(bytes.len(), seed)) {
        let outcome = parse(&mut parser, &bytes[..end]);
        if outcome != Ok(None) {
            return outcome;
        }
    }
    Ok(None)
}

/// The same bytes but for one of them, or without some.
fn changed(bytes: &[u8], seed: u64) -> Vec<u8> {
    const BYTES: &[u8] = b"\r\n \t:,/?%@-_.*019aAcChH\0\x7f\xe9";
    let mut numbers = Numbers::new(seed);
    let mut changed = bytes.to_vec();
    let at = numbers.below(bytes.len());
    match numbers.below(4) {
        0 => changed[at] = BYTES[numbers.below(BYTES.len())],
        1 => changed[at] ^= 0x20,
        2 => changed.insert(at, BYTES[numbers.below(BYTES.len())]),
        _ => drop(changed.drain(at..bytes.len().min(at + 1 + numbers.below(8)))),
    }
    changed
}

/// What holds of every head that is accepted.
fn check(head: &Head, bytes: &[u8], limits: &HeadLimits) {
    let shown = || bytes.escape_ascii();
    assert!(head.bytes <= limits.head_bytes_max && head.bytes as usize <= bytes.len(), "{}", shown());
    let target = head.target.of(bytes);
    assert!(target.len() <= limits.target_bytes_max as usize && !target.is_empty(), "{}", shown());
    let section = head.fields.of(bytes);
    let lines = section.split_inclusive(|&byte| byte == b'\n').count();
    assert_eq!(Fields::new(section).count(), lines, "{}", shown());
    assert!(matches!(head.bytes - head.fields.end, 1 | 2), "{}", shown());
    if let Some(at) = head.refused_at {
        // A target that ends too early is refused where it ends.
        let end = head.target.end + u32::from(head.refusal != Some(Refusal::BadTarget));
        assert!(head.refusal.is_some() && (head.target.start..end).contains(&at.get()), "{}", shown());
    }
    if head.refusal.is_none() {
        let is_form = match head.form {
            TargetForm::Origin => target[0] == b'/',
            TargetForm::Absolute => target[..7].eq_ignore_ascii_case(b"http://"),
            TargetForm::Asterisk => target == b"*" && head.token.of(bytes) == b"OPTIONS",
        };
        assert!(is_form, "{}", shown());
        beside(head, bytes);
    }
}

/// httparse, which many servers read with, sees the same head: nothing is smuggled past either.
fn beside(head: &Head, bytes: &[u8]) {
    let shown = || bytes.escape_ascii();
    let mut fields = vec![httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(end)) => {
            // It knows no minor version above 1, so it says nothing of those.
            assert_eq!(end, head.bytes as usize, "{}", shown());
            assert_eq!(request.method.map(str::as_bytes), Some(head.token.of(bytes)), "{}", shown());
            assert_eq!(request.path.map(str::as_bytes), Some(head.target.of(bytes)), "{}", shown());
            assert_eq!(request.version == Some(0), head.version == Version::Http10, "{}", shown());
            let ours: Vec<_> = Fields::new(head.fields.of(bytes)).collect();
            let theirs: Vec<_> = request.headers.iter().map(|field| (field.name, field.value)).collect();
            assert_eq!(ours, theirs, "{}", shown());
        }
        Err(httparse::Error::Version | httparse::Error::TooManyHeaders) => {}
        other => panic!("httparse: {other:?}: {}", shown()),
    }
}
