//! How a connection ends: close codes and close frames, RFC 6455 sections 5.5.1 and 7.4.

use super::{Opcode, ShortBytes, Violation, frame};

/// Bytes of a close frame's reason at the most: the code takes two of the 125.
pub const REASON_BYTES_MAX: usize = frame::CONTROL_BYTES_MAX - 2;

/// A close code that may be sent: 1000 to 1003, 1007 to 1014, 3000 to 4999 (RFC 6455 section 7.4 and its registry).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// What was to be done is done.
    pub const NORMAL: CloseCode = CloseCode(1000);
    /// The server stops, or the page is left.
    pub const GOING_AWAY: CloseCode = CloseCode(1001);
    /// The peer breaks the protocol.
    pub const PROTOCOL_ERROR: CloseCode = CloseCode(1002);
    /// Data of a kind that is not taken: binary where only text is, for one.
    pub const UNSUPPORTED_DATA: CloseCode = CloseCode(1003);
    /// Data that is not what it says: text that is not UTF-8, for one.
    pub const NOT_TEXT: CloseCode = CloseCode(1007);
    /// The peer breaks a rule that no other code names.
    pub const POLICY: CloseCode = CloseCode(1008);
    /// A message is too long.
    pub const TOO_LONG: CloseCode = CloseCode(1009);
    /// A client misses an extension that it needs. A server refuses the handshake instead.
    pub const EXTENSION_MISSING: CloseCode = CloseCode(1010);
    /// The server failed.
    pub const INTERNAL_ERROR: CloseCode = CloseCode(1011);
    /// The server restarts.
    pub const SERVICE_RESTART: CloseCode = CloseCode(1012);
    /// The server has too much to do.
    pub const TRY_AGAIN_LATER: CloseCode = CloseCode(1013);
    /// The server stands in for another, which failed.
    pub const BAD_GATEWAY: CloseCode = CloseCode(1014);

    /// The close code of that number; `None`: it must not be sent. 1005, 1006 and 1015 are among those: they stand for
    /// a close frame that has no code, or that never came.
    pub const fn new(code: u16) -> Option<CloseCode> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(CloseCode(code)),
            _ => None,
        }
    }

    /// The number.
    pub const fn code(self) -> u16 {
        self.0
    }
}

impl core::fmt::Display for CloseCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a close frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close<'a> {
    /// Why the connection ends; `None`: the frame is empty, which applications know as 1005.
    pub code: Option<CloseCode>,
    /// The same in words, for a log. Empty where there are none.
    pub reason: &'a str,
}

impl<'a> Close<'a> {
    /// Reads the payload of a close frame, unmasked.
    ///
    /// # Errors
    /// A [`Violation`] where it has one byte, a code that must not be sent, or a reason that is not UTF-8.
    pub fn read(payload: &'a [u8]) -> Result<Self, Violation> {
        let Some((code, reason)) = payload.split_first_chunk::<2>() else {
            let is_empty = payload.is_empty();
            return if is_empty { Ok(Close { code: None, reason: "" }) } else { Err(Violation::HalfCloseCode) };
        };
        let code = CloseCode::new(u16::from_be_bytes(*code)).ok_or(Violation::BadCloseCode)?;
        let reason = core::str::from_utf8(reason).map_err(|_| Violation::ReasonNotText)?;
        Ok(Close { code: Some(code), reason })
    }

    /// The close frame that says this, as a server sends it. A reason above [`REASON_BYTES_MAX`] is cut behind the last
    /// character that fits, and left out where there is no code.
    ///
    /// # Examples
    /// ```
    /// use tenure_proto::websocket::{Close, CloseCode};
    ///
    /// let frame = Close { code: Some(CloseCode::NORMAL), reason: "bye" }.frame();
    /// assert_eq!(frame.as_bytes(), b"\x88\x05\x03\xe8bye");
    /// ```
    pub fn frame(&self) -> ShortBytes<{ frame::CONTROL_FRAME_BYTES_MAX }> {
        let mut bytes = ShortBytes::new();
        let Some(code) = self.code else {
            bytes.push(frame::head(Opcode::Close, true, 0).as_bytes());
            return bytes;
        };
        let mut length = self.reason.len().min(REASON_BYTES_MAX);
        while !self.reason.is_char_boundary(length) {
            length -= 1;
        }
        bytes.push(frame::head(Opcode::Close, true, length as u64 + 2).as_bytes());
        bytes.push(&code.code().to_be_bytes());
        bytes.push(self.reason.as_bytes().get(..length).unwrap_or_default());
        bytes
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::format;

    #[test]
    fn codes_that_may_be_sent() {
        for code in 0..=u16::MAX {
            let may = (1000..=1014).contains(&code) && !(1004..=1006).contains(&code) || (3000..5000).contains(&code);
            assert_eq!(CloseCode::new(code).map(CloseCode::code), may.then_some(code), "{code}");
        }
    }

    #[test]
    fn a_frame_says_what_is_read_from_it() {
        let long = "a".repeat(REASON_BYTES_MAX);
        for (code, reason) in [(None, ""), (Some(1000), ""), (Some(4999), "gr\u{fc}n"), (Some(1009), &*long)] {
            let close = Close { code: code.and_then(CloseCode::new), reason };
            let frame = close.frame();
            assert_eq!(frame.as_bytes()[0], 0x88);
            assert_eq!(usize::from(frame.as_bytes()[1]), frame.as_bytes().len() - 2, "{close:?}");
            assert_eq!(Close::read(&frame.as_bytes()[2..]), Ok(close));
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        for (front, kept) in [(119, 123), (120, 120), (121, 121), (122, 122), (123, 123)] {
            let reason = format!("{}\u{1f600}z", "a".repeat(front));
            let frame = Close { code: Some(CloseCode::NORMAL), reason: &reason }.frame();
            assert_eq!(Close::read(&frame.as_bytes()[2..]).map(|close| close.reason), Ok(&reason[..kept]), "{front}");
        }
        // Without a code there is no place for one.
        assert_eq!(Close { code: None, reason: "a" }.frame().as_bytes(), b"\x88\x00");
    }
}
