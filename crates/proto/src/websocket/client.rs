//! What a client sends and what it must be answered: RFC 6455 sections 4.1 and 5.3.

use super::{
    Close, Mask, Opcode, ShortBytes,
    accept::{self, ACCEPT_BYTES, KEY_BYTES},
    frame::{self, CONTROL_BYTES_MAX, CONTROL_FRAME_BYTES_MAX, HEAD_BYTES_MAX},
    handshake::{members, once},
};
use crate::{
    bytes,
    texts::{Texts, texts},
};

/// Bytes of a whole control frame of a client's at the most.
pub const MASKED_CONTROL_FRAME_BYTES_MAX: usize = CONTROL_FRAME_BYTES_MAX + 4;

/// The value of Sec-WebSocket-Key: what the server's answer must fit.
///
/// # Examples
/// ```
/// use tenure_proto::websocket::client::{AnswerFault, Key};
///
/// let key = Key::new(*b"the sample nonce");
/// assert_eq!(key.as_str(), "dGhlIHNhbXBsZSBub25jZQ==");
/// let answer: [(&str, &[u8]); 3] = [
///     ("Upgrade", b"websocket"),
///     ("Connection", b"Upgrade"),
///     ("Sec-WebSocket-Accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
/// ];
/// assert_eq!(key.check(101, answer.into_iter(), &[]), Ok(None));
/// assert_eq!(key.check(200, answer.into_iter(), &[]), Err(AnswerFault::NotSwitching));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

impl Key {
    /// A key of 16 bytes, which the client must choose at random for each connection (RFC 6455 section 4.1).
    pub fn new(random: [u8; 16]) -> Self {
        Key(accept::key(random))
    }

    /// As it is sent.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The value of Sec-WebSocket-Accept that the answer must have.
    pub fn accept(&self) -> [u8; ACCEPT_BYTES] {
        accept::accept(&self.0)
    }

    /// Whether an answer with that status and these fields opens the WebSocket, and which of the `offered` subprotocols the server
    /// has chosen. Values must be without surrounding blanks. No input makes it panic.
    ///
    /// # Errors
    /// An [`AnswerFault`]: the first that applies, in their order. The client must not go on.
    pub fn check<'a, 's>(
        &self,
        status: u16,
        fields: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
        offered: &[&'s str],
    ) -> Result<Option<&'s str>, AnswerFault> {
        if status != 101 {
            return Err(AnswerFault::NotSwitching);
        }
        if !once(fields.clone(), "upgrade").is_some_and(|value| bytes::is_folded(value, "websocket")) {
            return Err(AnswerFault::UpgradeMissing);
        }
        if !members(fields.clone(), "connection").any(|member| bytes::is_folded(member, "upgrade")) {
            return Err(AnswerFault::ConnectionMissing);
        }
        if once(fields.clone(), "sec-websocket-accept") != Some(&self.accept()) {
            return Err(AnswerFault::BadAccept);
        }
        if members(fields.clone(), "sec-websocket-extensions").next().is_some() {
            return Err(AnswerFault::UnknownExtension);
        }
        let mut chosen = members(fields, "sec-websocket-protocol");
        let Some(protocol) = chosen.next() else { return Ok(None) };
        let protocol = offered.iter().copied().find(|offered| offered.as_bytes() == protocol);
        let is_only = chosen.next().is_none();
        protocol.filter(|_| is_only).map(Some).ok_or(AnswerFault::UnknownSubprotocol)
    }
}

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident, $reason:literal;)*) => {
        /// Why an answer does not open a WebSocket: RFC 6455 section 4.1, behind the request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum AnswerFault { $($(#[$doc])* $name,)* }

        impl AnswerFault {
            /// Every fault there is.
            pub const ALL: &'static [AnswerFault] = &[$(AnswerFault::$name,)*];

            /// What was wrong of the answer, for a person.
            #[inline(never)]
            pub fn reason(self) -> &'static str {
                REASONS.nth(self as usize)
            }
        }

        /// The reasons, in the order of the enumeration.
        static REASONS: Texts = texts!($($reason),*);
    };
}

faults! {
    /// The status is not 101.
    NotSwitching, "the status is not 101 (Switching Protocols)";
    /// Upgrade is not `websocket`, once.
    UpgradeMissing, "there is no Upgrade: websocket";
    /// Connection does not name `Upgrade`.
    ConnectionMissing, "there is no Connection: Upgrade";
    /// Sec-WebSocket-Accept is not what the key must be answered with, once: the server does not speak WebSocket, or what stands
    /// between answers from a cache.
    BadAccept, "Sec-WebSocket-Accept does not fit the key";
    /// Sec-WebSocket-Extensions names an extension, though none was offered.
    UnknownExtension, "Sec-WebSocket-Extensions names an extension that was not offered";
    /// Sec-WebSocket-Protocol names a subprotocol that was not offered, or several.
    UnknownSubprotocol, "Sec-WebSocket-Protocol names a subprotocol that was not offered";
}

/// The head of a client's frame: `length` bytes of payload follow it, to which [`Mask`] has put the key on. Each frame's key must be
/// unpredictable (RFC 6455 section 5.3). Nothing beyond [`i64::MAX`] can be said; the highest bit is left out.
///
/// # Examples
/// ```
/// use tenure_proto::websocket::{Mask, Opcode, client};
///
/// // RFC 6455 section 5.7.
/// let (key, mut payload) = ([0x37, 0xfa, 0x21, 0x3d], *b"Hello");
/// Mask::new(key).apply(&mut payload);
/// assert_eq!(client::head(Opcode::Text, true, 5, key).as_bytes(), [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d]);
/// assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// ```
pub fn head(opcode: Opcode, is_last: bool, length: u64, key: [u8; 4]) -> ShortBytes<HEAD_BYTES_MAX> {
    let mut bytes = ShortBytes::new();
    if let [first, second, rest @ ..] = frame::head(opcode, is_last, length).as_bytes() {
        bytes.push(&[*first, frame::MASKED | second]);
        bytes.push(rest);
    }
    bytes.push(&key);
    bytes
}

/// A ping of a client's, whole; `None`: the payload has more than [`CONTROL_BYTES_MAX`] bytes.
pub fn ping(payload: &[u8], key: [u8; 4]) -> Option<ShortBytes<MASKED_CONTROL_FRAME_BYTES_MAX>> {
    (payload.len() <= CONTROL_BYTES_MAX).then(|| control(Opcode::Ping, payload, key))
}

/// A pong of a client's, whole, with the payload of the ping that it answers (RFC 6455 section 5.5.3); `None`: that has
/// more than [`CONTROL_BYTES_MAX`] bytes, which no ping has.
pub fn pong(payload: &[u8], key: [u8; 4]) -> Option<ShortBytes<MASKED_CONTROL_FRAME_BYTES_MAX>> {
    (payload.len() <= CONTROL_BYTES_MAX).then(|| control(Opcode::Pong, payload, key))
}

/// A close frame of a client's, whole, which says the same as [`Close::frame`].
pub fn close(close: &Close<'_>, key: [u8; 4]) -> ShortBytes<MASKED_CONTROL_FRAME_BYTES_MAX> {
    let frame = close.frame();
    control(Opcode::Close, frame.as_bytes().get(2..).unwrap_or_default(), key)
}

/// A control frame whose payload is not too long.
fn control(opcode: Opcode, payload: &[u8], key: [u8; 4]) -> ShortBytes<MASKED_CONTROL_FRAME_BYTES_MAX> {
    let mut bytes = ShortBytes::new();
    bytes.push(head(opcode, true, payload.len() as u64, key).as_bytes());
    let mut mask = Mask::new(key);
    for chunk in payload.chunks(4) {
        let mut masked = [0; 4];
        let (masked, _) = masked.split_at_mut(chunk.len());
        masked.copy_from_slice(chunk);
        mask.apply(masked);
        bytes.push(masked);
    }
    bytes
}
