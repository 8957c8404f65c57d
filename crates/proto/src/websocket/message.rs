//! Which messages the peer's frames make: RFC 6455 sections 5.4 to 5.6.

use core::{fmt, marker::PhantomData};

use super::{Close, FrameHead, Mask, Opcode, Violation, utf8::Utf8};

/// Who sends the frames that are read: [`Client`] or [`Server`].
pub trait Sender: Copy + Eq + fmt::Debug + sealed::Sender {}

/// Frames are a client's: they must be masked (RFC 6455 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client;

/// Frames are a server's: they must not be masked (RFC 6455 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server;

impl Sender for Client {}
impl Sender for Server {}

pub(super) mod sealed {
    use super::{Client, FrameHead, Server, Violation};

    pub trait Sender {
        const IS_MASKED: bool;

        fn parse(bytes: &[u8]) -> Result<Option<FrameHead>, Violation>;
    }

    impl Sender for Client {
        const IS_MASKED: bool = true;

        #[inline(always)]
        fn parse(bytes: &[u8]) -> Result<Option<FrameHead>, Violation> {
            FrameHead::parse(bytes)
        }
    }

    impl Sender for Server {
        const IS_MASKED: bool = false;

        #[inline(always)]
        fn parse(bytes: &[u8]) -> Result<Option<FrameHead>, Violation> {
            FrameHead::parse_of_server(bytes)
        }
    }
}

/// Bounds of what the peer may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageLimits {
    /// Bytes of a message at the most, all its fragments counted; a frame that announces more is
    /// [`Violation::MessageTooLong`] (1009).
    pub message_bytes_max: u64,
    /// Frames of a message at the most, empty ones too; one more is [`Violation::TooManyFragments`] (1008). Without a
    /// bound empty fragments could keep a message going without a byte of it.
    pub fragments_max: u16,
    /// Pings and pongs at the most between two calls of [`MessageReader::period_passed`]; one more is
    /// [`Violation::TooManyControls`] (1008). It is a rate, not a number per message: a client that only listens may
    /// ping for days, and each ping costs an answer.
    pub controls_max: u16,
    /// Bytes of payload up to which a data frame is told, and its text checked, only when it is there as a whole. The
    /// caller's buffer must have room for them and for [`HEAD_BYTES_MAX`](super::frame::HEAD_BYTES_MAX) more. Of longer
    /// frames each part is told as it comes, and the first wrong byte of a text is refused at once.
    pub whole_bytes_max: usize,
}

/// Reads the peer's frames, in place: messages and control frames out. A client's, as a server does
/// ([`new`](MessageReader::new)), or a server's ([`of_server`](MessageReader::of_server)).
///
/// Plain data of 32 bytes; between messages it is a new one, but for what is counted of control frames. No input makes
/// it panic, and what was told is not read again.
///
/// # Examples
/// ```
/// use tenure_proto::websocket::{Data, Found, MessageLimits, MessageReader};
///
/// let limits = MessageLimits { message_bytes_max: 4096, fragments_max: 64, controls_max: 16, whole_bytes_max: 4096 };
/// let mut reader = MessageReader::new();
/// // RFC 6455 section 5.7: a masked text message.
/// let mut bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// assert_eq!(reader.read(&mut bytes[..10], &limits), Ok(Found::Partial { used: 0 }));
/// let whole = Found::Data { data: Data::Text("Hello"), is_first: true, is_last: true, used: 11 };
/// assert_eq!(reader.read(&mut bytes, &limits), Ok(whole));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageReader<S = Client> {
    /// Bytes of the frame at hand that are still to come. 64 bits on every machine: the peer's length must not wrap.
    remaining: u64,
    /// Bytes of all frames of the message so far, as announced.
    message_bytes: u64,
    /// Of the frame at hand.
    mask: Mask,
    utf8: Utf8,
    /// Frames of the message so far.
    fragments: u16,
    /// What the message is of, `None` between messages.
    kind: Option<Kind>,
    /// Whether the message ends with the frame at hand.
    is_last: bool,
    /// Whether some of the message has been told.
    is_told: bool,
    /// Pings and pongs of this period.
    controls: u16,
    end: End,
    sender: PhantomData<S>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
}

/// Whether more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// A close frame was told.
    Closed,
    Violated(Violation),
}

/// What a [`MessageReader`] found at the front of its input. `used` bytes of the input are done with then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// More must come. What stands behind the used bytes is the front of a frame: it must be there again in front of
    /// what comes, as it is.
    Partial {
        /// Bytes to drop.
        used: usize,
    },
    /// A message, or a part of one. A part has at least one byte, but for the last one of a message.
    Data {
        /// What it is of.
        data: Data<'a>,
        /// Whether the message begins with it.
        is_first: bool,
        /// Whether the message ends with it.
        is_last: bool,
        /// Bytes up to its end.
        used: usize,
    },
    /// A ping, to be answered with [`pong`](super::frame::pong).
    Ping {
        /// What the answer must carry.
        payload: &'a [u8],
        /// Bytes up to its end.
        used: usize,
    },
    /// A pong.
    Pong {
        /// That of the ping that it answers, if it answers one.
        payload: &'a [u8],
        /// Bytes up to its end.
        used: usize,
    },
    /// A close frame, to be answered with one. What follows it is dropped.
    Close {
        /// What it says.
        close: Close<'a>,
        /// Bytes up to its end.
        used: usize,
    },
}

/// What a message, or a part of one, is of; the mask is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// A text message, whole.
    Text(&'a str),
    /// A part of a text message. All parts so far are the front of a text in UTF-8, but a part may begin and end inside
    /// a character.
    TextPart(&'a [u8]),
    /// A binary message, or a part of one.
    Binary(&'a [u8]),
}

impl<'a> Data<'a> {
    /// Its bytes.
    pub const fn as_bytes(&self) -> &'a [u8] {
        match *self {
            Data::Text(text) => text.as_bytes(),
            Data::TextPart(bytes) | Data::Binary(bytes) => bytes,
        }
    }
}

impl Found<'_> {
    /// Bytes of the input that are done with.
    #[inline]
    pub const fn used(&self) -> usize {
        match *self {
            Found::Partial { used }
            | Found::Data { used, .. }
            | Found::Ping { used, .. }
            | Found::Pong { used, .. }
            | Found::Close { used, .. } => used,
        }
    }
}

/// A client's whole message in one frame of up to 125 bytes at the front of `bytes`, which is what most messages are: whether it is
/// text, and the length of its payload, which begins at byte 6 and has its mask taken off. To be asked only where the reader
/// [stands between](MessageReader::is_between) two messages; it needs not know of these. `None`: it is something else, and as it was, so
/// that [`read`](MessageReader::read) says what.
///
/// # Examples
/// ```
/// use tenure_proto::websocket::small_message;
///
/// // RFC 6455 section 5.7: a masked text message.
/// let mut bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// assert_eq!(small_message(&mut bytes[..10], 4_096), None);
/// assert_eq!(small_message(&mut bytes, 4_096), Some((true, 5)));
/// assert_eq!(&bytes[6..], b"Hello");
/// ```
#[inline]
pub fn small_message(bytes: &mut [u8], message_bytes_max: u64) -> Option<(bool, usize)> {
    let &[first, second, ref key @ ..] = bytes.first_chunk::<6>()?;
    let length = usize::from(second ^ 0x80);
    if length >= 126 || length as u64 > message_bytes_max || !matches!(first, 0x81 | 0x82) {
        return None;
    }
    let mask = Mask::new(*key);
    let payload = bytes.get_mut(6..6 + length)?;
    let is_ascii = { mask }.apply(payload);
    if first == 0x81 && !is_ascii && core::str::from_utf8(payload).is_err() {
        // The mask is put on again.
        { mask }.apply(payload);
        return None;
    }
    Some((first == 0x81, length))
}

impl MessageReader {
    /// A reader before a client's first frame.
    pub const fn new() -> Self {
        MessageReader::start()
    }
}

impl MessageReader<Server> {
    /// A reader before a server's first frame.
    ///
    /// # Examples
    /// ```
    /// use tenure_proto::websocket::{Data, Found, MessageLimits, MessageReader};
    ///
    /// let limits = MessageLimits { message_bytes_max: 4096, fragments_max: 64, controls_max: 16, whole_bytes_max: 4096 };
    /// let found = Found::Data { data: Data::Text("Hello"), is_first: true, is_last: true, used: 7 };
    /// assert_eq!(MessageReader::of_server().read(&mut b"\x81\x05Hello".clone(), &limits), Ok(found));
    /// ```
    pub const fn of_server() -> Self {
        MessageReader::start()
    }
}

impl<S: Sender> MessageReader<S> {
    const fn start() -> Self {
        MessageReader {
            remaining: 0,
            message_bytes: 0,
            mask: Mask::new([0; 4]),
            utf8: Utf8::NONE,
            fragments: 0,
            kind: None,
            is_last: false,
            is_told: false,
            controls: 0,
            end: End::Open,
            sender: PhantomData,
        }
    }

    /// Reads on at the front of `bytes`, which must start right behind what earlier calls have [used](Found::used), and
    /// takes the mask off what it tells. To be called with the same limits each time. After a close frame it drops
    /// everything.
    ///
    /// # Errors
    /// A [`Violation`] is final: the connection must close. Further calls answer the same. A message that was told in
    /// part before never comes to its end then.
    #[inline]
    pub fn read<'a>(&mut self, bytes: &'a mut [u8], limits: &MessageLimits) -> Result<Found<'a>, Violation> {
        // The usual message is of one frame, which is there as a whole.
        if self.kind.is_none()
            && self.end == End::Open
            && let Ok(Some(FrameHead { opcode, is_last: true, bytes: start, length, mut mask })) = S::parse(bytes)
            && matches!(opcode, Opcode::Text | Opcode::Binary)
            && length <= limits.message_bytes_max
            && length <= (bytes.len() - usize::from(start)) as u64
        {
            let used = usize::from(start) + length as usize;
            let payload = bytes.get_mut(usize::from(start)..used).unwrap_or_default();
            if S::IS_MASKED {
                mask.apply(payload);
            }
            let data = if opcode == Opcode::Text { Data::Text(self.text(payload)?) } else { Data::Binary(payload) };
            return Ok(Found::Data { data, is_first: true, is_last: true, used });
        }
        self.read_else(bytes, limits)
    }

    /// Begins another period of [`MessageLimits::controls_max`]: a second, for one. It is the caller who has a clock.
    pub fn period_passed(&mut self) {
        self.controls = 0;
    }

    /// Whether it stands between two messages: neither a message nor the connection's end has begun.
    pub const fn is_between(&self) -> bool {
        self.kind.is_none() && matches!(self.end, End::Open)
    }

    /// Whether a close frame was told.
    pub const fn is_closed(&self) -> bool {
        matches!(self.end, End::Closed)
    }

    /// Reads anything.
    #[inline(never)]
    fn read_else<'a>(&mut self, bytes: &'a mut [u8], limits: &MessageLimits) -> Result<Found<'a>, Violation> {
        match self.end {
            End::Open => {}
            End::Closed => return Ok(Found::Partial { used: bytes.len() }),
            End::Violated(violation) => return Err(violation),
        }
        let mut at = 0;
        while self.remaining == 0 {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(head) = S::parse(rest).map_err(|violation| self.violated(violation))? else {
                return Ok(Found::Partial { used: at });
            };
            self.allow(&head, limits).map_err(|violation| self.violated(violation))?;
            let here = (rest.len() - usize::from(head.bytes)) as u64;
            let is_waited_for = head.opcode.is_control() || here == 0 || head.length <= limits.whole_bytes_max as u64;
            if here < head.length && is_waited_for {
                return Ok(Found::Partial { used: at });
            }
            at += usize::from(head.bytes);
            if head.opcode.is_control() {
                return self.control(&head, bytes, at);
            }
            self.begin(&head);
            if head.is_last {
                break;
            }
        }
        self.data(bytes, at)
    }

    /// Whether a frame may stand here, and is within the bounds.
    fn allow(&self, head: &FrameHead, limits: &MessageLimits) -> Result<(), Violation> {
        let MessageReader { kind, message_bytes, fragments, .. } = *self;
        match head.opcode {
            Opcode::Close => Ok(()),
            Opcode::Ping | Opcode::Pong if self.controls >= limits.controls_max => Err(Violation::TooManyControls),
            Opcode::Ping | Opcode::Pong => Ok(()),
            Opcode::Continuation if kind.is_none() => Err(Violation::NothingToContinue),
            Opcode::Text | Opcode::Binary if kind.is_some() => Err(Violation::MessageNotEnded),
            _ if message_bytes.saturating_add(head.length) > limits.message_bytes_max => Err(Violation::MessageTooLong),
            Opcode::Continuation if fragments >= limits.fragments_max => Err(Violation::TooManyFragments),
            _ => Ok(()),
        }
    }

    /// Takes the head of a data frame in.
    fn begin(&mut self, head: &FrameHead) {
        match head.opcode {
            Opcode::Text => self.kind = Some(Kind::Text),
            Opcode::Binary => self.kind = Some(Kind::Binary),
            _ => {}
        }
        self.remaining = head.length;
        self.message_bytes = self.message_bytes.saturating_add(head.length);
        self.mask = head.mask;
        self.fragments = self.fragments.saturating_add(1);
        self.is_last = head.is_last;
    }

    /// Tells what is there of the frame at hand, from `start` on.
    fn data<'a>(&mut self, bytes: &'a mut [u8], start: usize) -> Result<Found<'a>, Violation> {
        let here = bytes.len().saturating_sub(start);
        let length = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(here);
        if length == 0 && self.remaining > 0 {
            return Ok(Found::Partial { used: start });
        }
        let used = start + length;
        let payload = bytes.get_mut(start..used).unwrap_or_default();
        let is_ascii = S::IS_MASKED && self.mask.apply(payload);
        self.remaining -= length as u64;
        let (is_first, is_last) = (!self.is_told, self.is_last && self.remaining == 0);
        self.is_told = true;
        let data = match self.kind {
            Some(Kind::Text) if is_first && is_last => Data::Text(self.text(payload)?),
            Some(Kind::Text) => {
                let is_text = is_ascii && self.utf8.is_whole() || self.utf8.take(payload).is_ok();
                if !is_text || is_last && !self.utf8.is_whole() {
                    return Err(self.violated(Violation::NotText));
                }
                Data::TextPart(payload)
            }
            _ => Data::Binary(payload),
        };
        if is_last {
            self.ended(End::Open);
        }
        Ok(Found::Data { data, is_first, is_last, used })
    }

    /// A text that is there as a whole.
    #[inline]
    fn text<'a>(&mut self, payload: &'a [u8]) -> Result<&'a str, Violation> {
        core::str::from_utf8(payload).map_err(|_| self.violated(Violation::NotText))
    }

    /// Tells a control frame, whose payload is from `start` on.
    fn control<'a>(&mut self, head: &FrameHead, bytes: &'a mut [u8], start: usize) -> Result<Found<'a>, Violation> {
        let used = start + head.length as usize;
        let payload = bytes.get_mut(start..used).unwrap_or_default();
        if S::IS_MASKED {
            let mut mask = head.mask;
            mask.apply(payload);
        }
        if head.opcode == Opcode::Close {
            let close = Close::read(payload).map_err(|violation| self.violated(violation))?;
            self.ended(End::Closed);
            return Ok(Found::Close { close, used });
        }
        self.controls = self.controls.saturating_add(1);
        let is_ping = head.opcode == Opcode::Ping;
        Ok(if is_ping { Found::Ping { payload, used } } else { Found::Pong { payload, used } })
    }

    /// Leaves the message, at its end or with all that follows.
    fn ended(&mut self, end: End) {
        *self = MessageReader { controls: self.controls, end, ..MessageReader::start() };
    }

    #[cold]
    fn violated(&mut self, violation: Violation) -> Violation {
        self.ended(End::Violated(violation));
        violation
    }
}

impl<S: Sender> Default for MessageReader<S> {
    fn default() -> Self {
        MessageReader::start()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    const LIMITS: MessageLimits =
        MessageLimits { message_bytes_max: 100, fragments_max: 9, controls_max: 9, whole_bytes_max: 200 };

    proptest! {
        /// The short way says what the reader says, or nothing, and then it has changed nothing.
        #[test]
        fn a_small_message_is_read_as_any_other(
            first in prop::sample::select(&[0x81, 0x82, 0x80, 0x01, 0x88, 0x89, 0xc1, 0x83][..]),
            second: u8,
            key: [u8; 4],
            payload in prop::collection::vec(any::<u8>(), 0..140),
            is_ascii: bool,
            is_masked: bool,
        ) {
            let length = if is_masked { payload.len().min(125) as u8 | 0x80 } else { second };
            let mut bytes: Vec<u8> = [&[first, length][..], &key].concat();
            bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| (byte & if is_ascii { 0x7f } else { 0xff }) ^ key));
            let (mut short, mut long) = (bytes.clone(), bytes.clone());
            let told = small_message(&mut short, LIMITS.message_bytes_max);
            let mut reader = MessageReader::new();
            let read = reader.read(&mut long, &LIMITS);
            match (told, read) {
                (Some((is_text, length)), Ok(Found::Data { data, is_first: true, is_last: true, used })) => {
                    prop_assert_eq!((is_text, used), (matches!(data, Data::Text(_)), 6 + length));
                    prop_assert_eq!(&short[6..used], data.as_bytes());
                }
                (None, read) => {
                    let is_small = matches!(read, Ok(Found::Data { is_first: true, is_last: true, used, .. }) if used <= 131);
                    prop_assert!(!is_small, "{:?}", read);
                    prop_assert_eq!(short, bytes);
                }
                (told, read) => prop_assert!(false, "{:?} {:?}", told, read),
            }
        }
    }
}
