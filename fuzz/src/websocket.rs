//! WebSocket frames: whole and in pieces, and messages that are cut into frames come out again.
//!
//! An input is a seed (two bytes), then a client's or a server's frames, or with an odd seed a message to send.

use tenure_proto::websocket::{Data, Found, MessageLimits, MessageReader, Sender, Violation};

use crate::cuts::{Numbers, ends};

/// What was told: messages and control frames, each with a letter for its kind.
type Told = Vec<(char, Vec<u8>)>;

/// Reads the input as a client's frames.
pub fn run(input: &[u8]) {
    let Some((&[seed, other], bytes)) = input.split_first_chunk() else { return };
    let (is_message, seed) = (seed & 1 != 0, u64::from(seed) << 8 | u64::from(other));
    if is_message {
        let is_text = str::from_utf8(bytes).is_ok();
        let (frames, mut wanted) = sent(bytes, is_text, seed);
        wanted.push((if is_text { 't' } else { 'b' }, bytes.to_vec()));
        assert_eq!(
            agreed(MessageReader::new(), &frames, seed, 1 << 20),
            (wanted, Ok(true)),
            "{}",
            frames.escape_ascii()
        );
    } else {
        let message_bytes_max = if seed & 2 == 0 { 1 << 20 } else { 100 };
        // A client's, or a server's.
        let _ = agreed(MessageReader::new(), bytes, seed, message_bytes_max);
        let _ = agreed(MessageReader::of_server(), bytes, seed, message_bytes_max);
    }
}

/// What is told of the frames, however they are cut; whether all of it was used, or why not.
fn agreed<S: Sender>(
    reader: MessageReader<S>,
    bytes: &[u8],
    seed: u64,
    message_bytes_max: u64,
) -> (Told, Result<bool, Violation>) {
    let limits =
        |whole_bytes_max| MessageLimits { message_bytes_max, fragments_max: 300, controls_max: 300, whole_bytes_max };
    let whole = told(reader, bytes, [bytes.len()], &limits(0));
    for whole_bytes_max in [0, 20, 1 << 20] {
        let limits = limits(whole_bytes_max);
        let waiting = told(reader, bytes, [bytes.len()], &limits);
        for ends in [ends(bytes.len(), seed), ends(bytes.len(), !seed)] {
            assert_eq!(told(reader, bytes, ends, &limits), waiting, "{}", bytes.escape_ascii());
        }
        // In a frame that is waited for, and not whole, a wrong byte has not been seen yet.
        assert_eq!(waiting.0, whole.0, "{}", bytes.escape_ascii());
        assert!(waiting.1 == whole.1 || waiting.1 == Ok(false), "{}", bytes.escape_ascii());
    }
    whole
}

fn told<S: Sender>(
    mut reader: MessageReader<S>,
    bytes: &[u8],
    ends: impl IntoIterator<Item = usize>,
    limits: &MessageLimits,
) -> (Told, Result<bool, Violation>) {
    let (mut bytes, mut at) = (bytes.to_vec(), 0);
    let (mut events, mut message) = (Told::new(), Vec::new());
    for end in ends {
        loop {
            let found = match reader.read(&mut bytes[at..end], limits) {
                Ok(found) => found,
                Err(violation) => {
                    assert_eq!(reader.read(&mut [], limits), Err(violation));
                    return (events, Err(violation));
                }
            };
            let used = found.used();
            match found {
                Found::Partial { .. } => {}
                Found::Data { data, is_first, is_last, .. } => {
                    assert_eq!(is_first, message.is_empty());
                    assert!(is_last || !data.as_bytes().is_empty());
                    message.extend_from_slice(data.as_bytes());
                    let is_text = !matches!(data, Data::Binary(_));
                    if is_text {
                        let error = str::from_utf8(&message).err();
                        assert!(error.is_none_or(|error| !is_last && error.error_len().is_none()));
                    }
                    if is_last {
                        events.push((if is_text { 't' } else { 'b' }, std::mem::take(&mut message)));
                    }
                }
                Found::Ping { payload, .. } => events.push(('i', payload.to_vec())),
                Found::Pong { payload, .. } => events.push(('o', payload.to_vec())),
                Found::Close { close, .. } => events.push(('c', close.frame().as_bytes().to_vec())),
            }
            let is_partial = matches!(found, Found::Partial { .. });
            at += used;
            assert!(at <= end && (used > 0 || is_partial));
            if is_partial {
                break;
            }
        }
    }
    (events, Ok(at == bytes.len() && (reader.is_between() || reader.is_closed())))
}

/// The message in fragments of any sizes, with control frames between them, and what is told of those.
pub(crate) fn sent(message: &[u8], is_text: bool, seed: u64) -> (Vec<u8>, Told) {
    let mut numbers = Numbers::new(seed);
    let (mut frames, mut controls) = (Vec::new(), Told::new());
    let (mut opcode, mut at) = (if is_text { 1 } else { 2 }, 0);
    let mut ends: Vec<_> = ends(message.len(), seed).take(100).collect();
    // The first fragment is empty, now and then.
    if numbers.below(4) == 0 {
        ends.insert(0, 0);
    }
    for end in ends {
        frame(&mut frames, opcode, &message[at..end], &mut numbers);
        (opcode, at) = (0, end);
        if numbers.below(3) == 0 {
            let payload = &message[..end.min(numbers.below(126))];
            let is_ping = numbers.below(2) == 0;
            frame(&mut frames, if is_ping { 0x89 } else { 0x8a }, payload, &mut numbers);
            controls.push((if is_ping { 'i' } else { 'o' }, payload.to_vec()));
        }
    }
    frame(&mut frames, opcode | 0x80, &message[at..], &mut numbers);
    (frames, controls)
}

/// Adds a client's frame.
fn frame(frames: &mut Vec<u8>, first: u8, payload: &[u8], numbers: &mut Numbers) {
    frames.push(first);
    match u16::try_from(payload.len()) {
        Ok(length @ 0..126) => frames.push(0x80 | length as u8),
        Ok(length) => {
            frames.push(0xfe);
            frames.extend(length.to_be_bytes());
        }
        Err(_) => {
            frames.push(0xff);
            frames.extend((payload.len() as u64).to_be_bytes());
        }
    }
    let key = [0; 4].map(|_: u8| numbers.below(256) as u8);
    frames.extend(key);
    frames.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}
