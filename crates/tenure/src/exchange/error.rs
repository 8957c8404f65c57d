//! What a handler, a router or the protocol answers when it cannot do what was asked.

use core::fmt;

use tenure_proto::{
    refusal::Refusal,
    response::{FieldError, decimal},
    status::StatusCode,
    target::DecodeError,
};

/// A request that is answered with an error status and a reason.
///
/// Returned from a handler it becomes a response (see [`Router::error`](crate::Router::error) for one of the
/// application's own); the session stays, and so does the connection wherever the framing is certain.
#[doc(alias("httpd_resp_send_err", "httpd_resp_send_custom_err", "httpd_resp_send_404", "httpd_resp_send_500"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    status: StatusCode,
    reason: &'static str,
    number: u32,
    tells: Tells,
}

/// The greatest number of a byte that is told together with its value: the value has the bits above.
const BYTE_MAX: u32 = 0xff_ffff;

/// What an error's number is.
///
/// Instead of an `Option` and of this size: with one, results would be a word larger, with another, they would have a gap that
/// is copied as well. They go through every layer of handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
enum Tells {
    Nothing,
    /// Which byte was wrong.
    Byte,
    /// And its value, which is to be percent-encoded.
    Value,
    /// How many bytes are allowed.
    BytesMax,
}

macro_rules! of_status {
    ($($(#[$doc:meta])* $name:ident = $status:ident;)*) => {
        $($(#[$doc])* pub const fn $name(reason: &'static str) -> Self { Error::new(StatusCode::$status, reason) })*
    };
}

impl Error {
    /// An error of that status; `reason` tells a person what was wrong and what to do.
    pub const fn new(status: StatusCode, reason: &'static str) -> Self {
        Error { status, reason, number: 0, tells: Tells::Nothing }
    }

    of_status! {
        /// 400: what the client sent is wrong.
        bad_request = BAD_REQUEST;
        /// 404: there is no such target.
        not_found = NOT_FOUND;
        /// 409: it does not go with the state of things.
        conflict = CONFLICT;
        /// 413: the body is too large.
        too_large = CONTENT_TOO_LARGE;
        /// 422: understood, but it cannot be done.
        unprocessable = UNPROCESSABLE_CONTENT;
        /// 500: this side failed. The reason is logged and not told to the client.
        internal = INTERNAL_SERVER_ERROR;
        /// 503: not now.
        unavailable = SERVICE_UNAVAILABLE;
    }

    /// The same error, telling which byte of the body, or of the target, was wrong, counted from 0.
    #[must_use]
    pub const fn at_byte(mut self, byte: u32) -> Self {
        (self.number, self.tells) = (byte, Tells::Byte);
        self
    }

    /// The same error, telling how many bytes are allowed. Beyond 32 bits it tells nothing of them.
    #[must_use]
    pub const fn at_most(mut self, bytes: u64) -> Self {
        if bytes <= u32::MAX as u64 {
            (self.number, self.tells) = (bytes as u32, Tells::BytesMax);
        }
        self
    }

    /// Of a head that comes with a refusal; `refused` is the byte of the target that is wrong.
    #[cold]
    pub(crate) fn refused(refusal: Refusal, refused: Option<(u32, u8)>) -> Self {
        let mut error = Error::from(refusal);
        if let Some((byte, value)) = refused {
            error = error.at_byte(byte);
            if refusal == Refusal::BadTarget {
                (error.number, error.tells) = (byte.min(BYTE_MAX) | u32::from(value) << 24, Tells::Value);
            }
        }
        error
    }

    /// The status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// What was wrong.
    pub const fn reason(&self) -> &'static str {
        self.reason
    }

    /// Which byte of the body, or of the target, was wrong, counted from 0.
    pub const fn byte(&self) -> Option<u32> {
        match self.tells {
            Tells::Byte => Some(self.number),
            Tells::Value => Some(self.number & BYTE_MAX),
            Tells::Nothing | Tells::BytesMax => None,
        }
    }

    /// How many bytes are allowed.
    pub const fn bytes_max(&self) -> Option<u32> {
        match self.tells {
            Tells::BytesMax => Some(self.number),
            Tells::Nothing | Tells::Byte | Tells::Value => None,
        }
    }

    /// Tells what the text ends with, in parts: ` (byte 5)`, ` (byte 5: %3C)`, ` (at most 5 bytes)`, or nothing. Without a
    /// formatter, which is large.
    pub(crate) fn tell_detail(&self, tell: &mut dyn FnMut(&[u8])) {
        let (before, number, behind): (&[u8], _, &[u8]) = match self.tells {
            Tells::Nothing => return,
            Tells::Byte => (b" (byte ", self.number, b")"),
            Tells::Value => (b" (byte ", self.number & BYTE_MAX, b": %"),
            Tells::BytesMax => (b" (at most ", self.number, b" bytes)"),
        };
        tell(before);
        tell(decimal(number.into(), &mut [0; 20]));
        tell(behind);
        if self.tells == Tells::Value {
            let digit = |shift: u32| b"0123456789ABCDEF"[(self.number >> shift & 0xf) as usize];
            tell(&[digit(28), digit(24), b')']);
        }
    }

    /// Its text without the number.
    pub(crate) fn text(&self) -> &'static str {
        if self.reason.is_empty() { self.status.phrase() } else { self.reason }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = f.write_str(self.text());
        self.tell_detail(&mut |part| {
            written = written.and_then(|()| f.write_str(str::from_utf8(part).unwrap_or_default()));
        });
        written
    }
}

impl core::error::Error for Error {}

impl From<Refusal> for Error {
    #[cold]
    #[inline(never)]
    fn from(refusal: Refusal) -> Self {
        Error::new(refusal.status(), refusal.reason())
    }
}

impl From<FieldError> for Error {
    fn from(error: FieldError) -> Self {
        Error::internal(error.reason())
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Error::bad_request(error.reason())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    use crate::Sent;
    use core::task::Poll;
    use std::{format, string::ToString};

    #[test]
    fn a_number_is_told_as_it_was_given() {
        let error = Error::bad_request("not a digit");
        assert_eq!(error.byte(), None);
        for byte in [0, 1, u32::MAX] {
            let (at, most) = (error.at_byte(byte), error.at_most(byte.into()));
            assert_eq!((at.byte(), at.bytes_max()), (Some(byte), None));
            assert_eq!((most.byte(), most.bytes_max()), (None, Some(byte)));
            assert_eq!(at.to_string(), format!("not a digit (byte {byte})"));
            assert_eq!(most.to_string(), format!("not a digit (at most {byte} bytes)"));
        }
        assert_eq!(error.at_most(1 << 32), error);
    }

    /// Where an escape mends it, the escape is told.
    #[test]
    fn a_refused_byte_is_told_with_its_value() {
        for (refusal, refused, place) in [
            (Refusal::BadTarget, Some((BYTE_MAX, 0xe9)), " (byte 16777215: %E9)"),
            (Refusal::BadTarget, Some((2, b'<')), " (byte 2: %3C)"),
            (Refusal::BadTargetForm, Some((0, b'a')), " (byte 0)"),
            (Refusal::SchemeNotServed, None, ""),
        ] {
            let error = Error::refused(refusal, refused);
            assert_eq!(error.to_string(), format!("{}{place}", refusal.reason()));
            assert_eq!(error.byte(), refused.map(|(byte, _)| byte));
        }
    }

    /// What handlers return takes no more than an error.
    #[test]
    fn results_are_small() {
        assert_eq!(size_of::<Poll<Result<Sent, Error>>>(), size_of::<Error>());
    }
}
