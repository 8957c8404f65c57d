//! How a frame begins: RFC 6455 section 5.2.

use super::{Client, Mask, Sender, Server, ShortBytes, Violation};

/// Bytes of payload that a control frame has at the most: RFC 6455 section 5.5.
pub const CONTROL_BYTES_MAX: usize = 125;
/// Bytes of a whole control frame of a server's at the most.
pub const CONTROL_FRAME_BYTES_MAX: usize = CONTROL_BYTES_MAX + 2;
/// Bytes of a frame's head at the most: a client's, whose key takes four of them.
pub const HEAD_BYTES_MAX: usize = 14;

/// What a frame is: RFC 6455 section 5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// More of the message that has begun.
    Continuation = 0,
    /// A message in UTF-8, or its first fragment.
    Text = 1,
    /// A message of bytes, or its first fragment.
    Binary = 2,
    /// The end of the connection.
    Close = 8,
    /// A question that is answered with a pong.
    Ping = 9,
    /// The answer to a ping, or a sign of life.
    Pong = 10,
}

impl Opcode {
    /// The opcode of that number.
    const fn new(number: u8) -> Option<Opcode> {
        match number {
            0 => Some(Opcode::Continuation),
            1 => Some(Opcode::Text),
            2 => Some(Opcode::Binary),
            8 => Some(Opcode::Close),
            9 => Some(Opcode::Ping),
            10 => Some(Opcode::Pong),
            _ => None,
        }
    }

    /// Whether it is of a control frame: RFC 6455 section 5.5.
    #[inline]
    pub const fn is_control(self) -> bool {
        self as u8 >= 8
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// What the frame is.
    pub opcode: Opcode,
    /// FIN: the message ends with this frame.
    pub is_last: bool,
    /// Bytes of this head: 6, 8 or 14 of a client's, 2, 4 or 10 of a server's.
    pub bytes: u8,
    /// Bytes of payload that follow the head.
    pub length: u64,
    /// What is to be taken off the payload; of a server's frame it is of zeros.
    pub mask: Mask,
}

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
pub(super) const MASKED: u8 = 0x80;

impl FrameHead {
    /// Reads the head of a client's frame at the front of `bytes`. `Ok(None)`: it is incomplete, call again with the same bytes and more.
    /// No input makes it panic.
    ///
    /// # Errors
    /// A [`Violation`], the same however many bytes follow the one that is wrong.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Option<FrameHead>, Violation> {
        // The usual head is there as a whole, and its length is of 7 bits.
        if let Some(&[first, second, ref key @ ..]) = bytes.first_chunk::<6>()
            && second.wrapping_sub(MASKED) < 126
            && let Some(opcode) = opcode(first)
        {
            let length = u64::from(second & !MASKED);
            return Ok(Some(FrameHead { opcode, is_last: first & FIN != 0, bytes: 6, length, mask: Mask::new(*key) }));
        }
        parse_else::<Client>(bytes)
    }

    /// Reads the head of a server's frame, as [`parse`](FrameHead::parse) reads a client's.
    ///
    /// # Errors
    /// A [`Violation`], the same however many bytes follow the one that is wrong.
    #[inline]
    pub fn parse_of_server(bytes: &[u8]) -> Result<Option<FrameHead>, Violation> {
        if let Some(&[first, length @ 0..126]) = bytes.first_chunk::<2>()
            && let Some(opcode) = opcode(first)
        {
            let (is_last, length, mask) = (first & FIN != 0, u64::from(length), Mask::new([0; 4]));
            return Ok(Some(FrameHead { opcode, is_last, bytes: 2, length, mask }));
        }
        parse_else::<Server>(bytes)
    }
}

/// What the first byte of a frame says, where it may be one.
#[inline(always)]
const fn opcode(first: u8) -> Option<Opcode> {
    match first & !FIN {
        number @ (8..=10) if first & FIN != 0 => Opcode::new(number),
        number @ (0..=2) => Opcode::new(number),
        _ => None,
    }
}

/// The head of any frame, byte by byte as they come.
#[inline(never)]
fn parse_else<S: Sender>(bytes: &[u8]) -> Result<Option<FrameHead>, Violation> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    if first & RESERVED != 0 {
        return Err(Violation::ReservedBit);
    }
    let opcode = Opcode::new(first & 0xf).ok_or(Violation::UnknownOpcode)?;
    let is_last = first & FIN != 0;
    if opcode.is_control() && !is_last {
        return Err(Violation::FragmentedControl);
    }
    let Some((&second, rest)) = rest.split_first() else { return Ok(None) };
    match (S::IS_MASKED, second & MASKED) {
        (true, 0) => return Err(Violation::NotMasked),
        (false, MASKED) => return Err(Violation::Masked),
        _ => {}
    }
    let short = second & !MASKED;
    if opcode.is_control() && usize::from(short) > CONTROL_BYTES_MAX {
        return Err(Violation::ControlTooLong);
    }
    let (length, rest, length_min) = match short {
        126 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest, 126),
            None => return Ok(None),
        },
        127 => match (rest.first(), rest.split_first_chunk()) {
            (Some(0x80..), _) => return Err(Violation::LengthTooLong),
            (_, Some((length, rest))) => (u64::from_be_bytes(*length), rest, 1 << 16),
            _ => return Ok(None),
        },
        _ => (u64::from(short), rest, 0),
    };
    if length < length_min {
        return Err(Violation::LengthNotMinimal);
    }
    let (key, rest) = if S::IS_MASKED {
        let Some((key, rest)) = rest.split_first_chunk() else { return Ok(None) };
        (*key, rest)
    } else {
        ([0; 4], rest)
    };
    let head_bytes = (bytes.len() - rest.len()) as u8;
    Ok(Some(FrameHead { opcode, is_last, bytes: head_bytes, length, mask: Mask::new(key) }))
}

/// The head of a server's frame, which is not masked: `length` bytes of payload follow it. Lengths have 63 bits, so
/// nothing beyond [`i64::MAX`] can be said; the highest bit is left out.
///
/// # Examples
/// ```
/// use tenure_proto::websocket::{Opcode, frame};
///
/// assert_eq!(frame::head(Opcode::Text, true, 5).as_bytes(), [0x81, 5]);
/// assert_eq!(frame::head(Opcode::Binary, true, 256).as_bytes(), [0x82, 126, 1, 0]);
/// ```
#[inline]
pub fn head(opcode: Opcode, is_last: bool, length: u64) -> ShortBytes<10> {
    let first = opcode as u8 | if is_last { FIN } else { 0 };
    let mut bytes = [first, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let head_bytes = match length {
        0..126 => {
            bytes[1] = length as u8;
            2
        }
        126..0x1_0000 => {
            bytes[1] = 126;
            bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            4
        }
        _ => {
            bytes[1] = 127;
            bytes[2..].copy_from_slice(&(length & (u64::MAX >> 1)).to_be_bytes());
            10
        }
    };
    ShortBytes::of(bytes, head_bytes)
}

/// A ping of a server's, whole; `None`: the payload has more than [`CONTROL_BYTES_MAX`] bytes.
pub fn ping(payload: &[u8]) -> Option<ShortBytes<CONTROL_FRAME_BYTES_MAX>> {
    control(Opcode::Ping, payload)
}

/// A pong of a server's, whole, with the payload of the ping that it answers (RFC 6455 section 5.5.3); `None`: that has
/// more than [`CONTROL_BYTES_MAX`] bytes, which no ping has.
pub fn pong(payload: &[u8]) -> Option<ShortBytes<CONTROL_FRAME_BYTES_MAX>> {
    control(Opcode::Pong, payload)
}

fn control(opcode: Opcode, payload: &[u8]) -> Option<ShortBytes<CONTROL_FRAME_BYTES_MAX>> {
    if payload.len() > CONTROL_BYTES_MAX {
        return None;
    }
    let mut bytes = ShortBytes::new();
    bytes.push(head(opcode, true, payload.len() as u64).as_bytes());
    bytes.push(payload);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    /// The short way and the long way of a head decide the same, for every first two bytes.
    #[test]
    fn a_usual_head_is_read_as_any_other() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let bytes = [first, second, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4];
                for bytes in [&bytes[..], &bytes[..6], &bytes[..2]] {
                    assert_eq!(FrameHead::parse(bytes), parse_else::<Client>(bytes), "{bytes:x?}");
                    assert_eq!(FrameHead::parse_of_server(bytes), parse_else::<Server>(bytes), "{bytes:x?}");
                }
            }
        }
    }

    /// A head is incomplete up to its last byte, and a violation stays one.
    #[test]
    fn what_follows_changes_nothing() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let bytes = [first, second, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4];
                let parse = [FrameHead::parse, FrameHead::parse_of_server];
                for (parse, end) in parse.into_iter().flat_map(|parse| (0..bytes.len()).map(move |end| (parse, end))) {
                    let (whole, part) = (parse(&bytes), parse(&bytes[..end]));
                    let is_whole = matches!(whole, Ok(Some(head)) if usize::from(head.bytes) <= end);
                    assert!(
                        if is_whole { part == whole } else { part == Ok(None) || whole.is_err() && part == whole },
                        "{part:?} of {end} bytes, {whole:?} of all: {first:#x} {second:#x}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_servers_head_takes_its_shortest_form() {
        for (length, wanted) in [
            (0, &[0x82, 0][..]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (65_535, &[0x82, 126, 0xff, 0xff]),
            (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
            (i64::MAX as u64, &[0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ] {
            assert_eq!(head(Opcode::Binary, true, length).as_bytes(), wanted, "{length}");
            let read = FrameHead::parse_of_server(wanted).unwrap().unwrap();
            assert_eq!((read.length, usize::from(read.bytes)), (length, wanted.len()), "{length}");
            // A client's parser would take it, but for the mask.
            let mut bytes: Vec<u8> = wanted.into();
            bytes[1] |= MASKED;
            bytes.extend([1, 2, 3, 4]);
            let head = FrameHead::parse(&bytes).unwrap().unwrap();
            assert_eq!((head.length, usize::from(head.bytes)), (length, bytes.len()), "{length}");
        }
        assert_eq!(head(Opcode::Text, false, 3).as_bytes(), [1, 3]);
    }

    #[test]
    fn control_frames_have_125_bytes_at_most() {
        for length in [0, 1, 125, 126] {
            let payload = [7; 126];
            let frame = pong(&payload[..length]);
            assert_eq!(frame.is_some(), length <= CONTROL_BYTES_MAX, "{length}");
            if let Some(frame) = frame {
                assert_eq!(frame.as_bytes()[..2], [0x8a, length as u8]);
                assert_eq!(frame.as_bytes()[2..], payload[..length]);
            }
        }
        assert_eq!(ping(b"a").unwrap().as_bytes(), b"\x89\x01a");
    }
}
