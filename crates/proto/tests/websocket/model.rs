//! Any frames, beside a plain reading of them.

use super::{WIDE, events, events_of_server, frame, unmasked, visible, visible_text};
use proptest::prelude::*;
use tenure_proto::websocket::{CloseCode, MessageLimits, MessageReader, Server, Violation};

/// A frame before it is bytes.
#[derive(Clone, Debug)]
struct Sent {
    first: u8,
    payload: Vec<u8>,
    key: [u8; 4],
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[a-z\u{e4}\u{20ac}\u{1f600}]{0,12}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..12),
        1 => (120..130_usize).prop_map(|length| vec![b'a'; length]),
        1 => (1000..1015_u16).prop_map(|code| code.to_be_bytes().into()),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let first = prop_oneof![
        6 => prop::sample::select(vec![0x81_u8, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a]),
        1 => prop::sample::select(vec![0x88_u8, 0x88, 0x09, 0xc1, 0x83]),
    ];
    (first, payload(), any::<[u8; 4]>()).prop_map(|(first, payload, key)| Sent { first, payload, key })
}

/// What is told of the frames, read as they were meant.
fn meant(frames: &[Sent], limits: &MessageLimits) -> Vec<String> {
    let mut told = Vec::new();
    let mut message: Option<(bool, Vec<u8>, u16)> = None;
    let mut controls = 0;
    for Sent { first, payload, .. } in frames {
        match step(*first, payload, limits, &mut message, &mut controls) {
            Ok(event) => {
                let is_close = event.as_ref().is_some_and(|event| event.starts_with("close"));
                told.extend(event);
                if is_close {
                    return told;
                }
            }
            Err(violation) => {
                told.push(format!("violation {violation}"));
                return told;
            }
        }
    }
    if message.is_some() {
        told.push("partial".into());
    }
    told
}

fn step(
    first: u8,
    payload: &[u8],
    limits: &MessageLimits,
    message: &mut Option<(bool, Vec<u8>, u16)>,
    controls: &mut u16,
) -> Result<Option<String>, &'static str> {
    if first & 0x70 != 0 {
        return Err("1002 ReservedBit");
    }
    let (opcode, is_last) = (first & 15, first & 0x80 != 0);
    if (3..8).contains(&opcode) || opcode > 10 {
        return Err("1002 UnknownOpcode");
    }
    if opcode >= 8 {
        if !is_last {
            return Err("1002 FragmentedControl");
        }
        if payload.len() > 125 {
            return Err("1002 ControlTooLong");
        }
        if opcode == 8 {
            return close(payload).map(Some);
        }
        *controls += 1;
        if *controls > limits.controls_max {
            return Err("1008 TooManyControls");
        }
        return Ok(Some(format!("{} \"{}\"", if opcode == 9 { "ping" } else { "pong" }, visible(payload))));
    }
    match (opcode, &message) {
        (0, None) => return Err("1002 NothingToContinue"),
        (1 | 2, Some(_)) => return Err("1002 MessageNotEnded"),
        _ => {}
    }
    let (is_text, mut bytes, fragments) = message.take().unwrap_or((opcode == 1, Vec::new(), 0));
    bytes.extend_from_slice(payload);
    if bytes.len() as u64 > limits.message_bytes_max {
        return Err("1009 MessageTooLong");
    }
    if fragments > 0 && fragments == limits.fragments_max {
        return Err("1008 TooManyFragments");
    }
    let text = str::from_utf8(&bytes);
    if is_text && text.is_err_and(|error| is_last || error.error_len().is_some()) {
        return Err("1007 NotText");
    }
    if !is_last {
        *message = Some((is_text, bytes, fragments + 1));
        return Ok(None);
    }
    Ok(Some(match text {
        Ok(text) if is_text => format!("text \"{}\"", visible_text(text)),
        _ => format!("binary \"{}\"", visible(&bytes)),
    }))
}

fn close(payload: &[u8]) -> Result<String, &'static str> {
    match payload {
        [] => Ok("close none \"\"".into()),
        [_] => Err("1002 HalfCloseCode"),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if CloseCode::new(code).is_none() {
                return Err("1002 BadCloseCode");
            }
            let reason = str::from_utf8(reason).map_err(|_| "1007 ReasonNotText")?;
            Ok(format!("close {code} \"{}\"", visible_text(reason)))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn frames_are_told_as_they_were_meant(
        frames in prop::collection::vec(sent(), 0..8),
        cuts in prop::collection::vec(1..40_usize, 1..40),
        (message_bytes_max, fragments_max, controls_max) in (prop_oneof![Just(1 << 20), 0..200_u64], 1..4_u16, 0..4_u16),
        whole_bytes_max in prop::sample::select(vec![0, 5, 200]),
    ) {
        let limits = MessageLimits { message_bytes_max, fragments_max, controls_max, whole_bytes_max };
        let bytes: Vec<u8> = frames.iter().flat_map(|sent| frame(sent.first, &sent.payload, sent.key)).collect();
        let wanted = meant(&frames, &limits);
        prop_assert_eq!(events([&bytes[..]], &limits), &wanted[..]);
        prop_assert_eq!(events(bytes.chunks(1), &limits), &wanted[..]);
        let mut rest = &bytes[..];
        let pieces = cuts.iter().map(|cut| {
            let (front, behind) = rest.split_at((*cut).min(rest.len()));
            rest = behind;
            front
        });
        let mut pieces: Vec<_> = pieces.collect();
        pieces.push(rest);
        prop_assert_eq!(events(pieces, &limits), &wanted[..]);
        // A server's frames mean the same.
        let bytes: Vec<u8> = frames.iter().flat_map(|sent| unmasked(sent.first, &sent.payload)).collect();
        prop_assert_eq!(events_of_server([&bytes[..]], &limits), &wanted[..]);
        prop_assert_eq!(events_of_server(bytes.chunks(3), &limits), wanted);
    }

    /// Nothing makes it panic.
    #[test]
    fn any_bytes_are_told_alike_in_pieces(bytes in prop::collection::vec(any::<u8>(), 0..64), at in 0..64_usize) {
        let (front, back) = bytes.split_at(at.min(bytes.len()));
        prop_assert_eq!(events([front, back], &WIDE), events([&bytes[..]], &WIDE));
        prop_assert_eq!(events_of_server([front, back], &WIDE), events_of_server([&bytes[..]], &WIDE));
    }
}

#[test]
fn the_reader_is_small_and_plain() {
    fn plain<T: Copy + Send + Sync>() {}
    plain::<MessageReader>();
    plain::<MessageReader<Server>>();
    assert!(size_of::<MessageReader>() <= 32, "{} bytes", size_of::<MessageReader>());
    assert_eq!(MessageReader::default(), MessageReader::new());
    assert_eq!(MessageReader::default(), MessageReader::of_server());
}

/// The bound is a rate: with the next period control frames are counted anew.
#[test]
fn a_period_begins_the_count_of_control_frames_anew() {
    let limits = MessageLimits { controls_max: 2, ..WIDE };
    let mut reader = MessageReader::new();
    let ping = || frame(0x89, b"", [1, 2, 3, 4]);
    for _ in 0..3 {
        assert!(reader.read(&mut ping(), &limits).is_ok());
        assert!(reader.read(&mut ping(), &limits).is_ok());
        reader.period_passed();
    }
    assert!(reader.read(&mut ping(), &limits).is_ok());
    assert!(reader.read(&mut ping(), &limits).is_ok());
    assert!(reader.read(&mut ping(), &limits).is_err());
    reader.period_passed();
    assert!(reader.read(&mut ping(), &limits).is_err(), "a violation is final");
}

/// A text is refused at its first wrong byte, where its frames are not waited for.
#[test]
fn text_is_refused_at_its_first_wrong_byte() {
    let long = [&b"ab\xf4\x90"[..], &[b'z'; 100]].concat();
    let mut bytes = frame(0x81, &long, [9, 8, 7, 6]);
    let (head, wrong) = (6, 6 + 3);
    let mut reader = MessageReader::new();
    assert!(reader.read(&mut bytes[..wrong], &WIDE).is_ok());
    assert_eq!(reader.read(&mut bytes[wrong..=wrong], &WIDE).map_err(Violation::close_code), Err(CloseCode::NOT_TEXT));
    // The same in the frame before: no more of the message is needed.
    let mut bytes = frame(0x01, b"ab\xf4\x90", [9, 8, 7, 6]);
    let mut reader = MessageReader::new();
    assert!(reader.read(&mut bytes[..head + 3], &WIDE).is_ok());
    assert!(reader.read(&mut bytes[head + 3..], &WIDE).is_err());
}

/// A head without a byte of its payload stays with the caller: the reader is as new.
#[test]
fn a_head_alone_changes_nothing() {
    let mut bytes = frame(0x81, b"ab", [9, 8, 7, 6]);
    let mut reader = MessageReader::new();
    assert_eq!(reader.read(&mut bytes[..6], &WIDE).map(|found| found.used()), Ok(0));
    assert_eq!(reader, MessageReader::new());
    assert_eq!(reader.read(&mut bytes[..7], &WIDE).map(|found| found.used()), Ok(7));
    assert!(!reader.is_between());
}
