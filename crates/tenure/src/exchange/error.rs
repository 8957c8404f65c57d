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
/// Returned from a handler it becomes a response: a line of text, or a page of the application's own, see
/// [`Router::errors`](crate::Router::errors). The session stays, and so does the connection wherever the framing is certain.
///
/// # Examples
/// An application's own errors become this one, so that `?` passes them on. All handlers return `Result<_, Error>`, and the page for
/// errors sees every one:
/// ```
/// use tenure::{Error, Request, Router, get, kit::Server};
///
/// enum PinError {
///     Taken { pin: u8, by: &'static str },
///     Broken,
/// }
///
/// impl From<PinError> for Error {
///     fn from(error: PinError) -> Self {
///         match error {
///             PinError::Taken { pin, by } => Error::conflict("the pin is taken").because(format_args!("{by} has pin {pin}")),
///             PinError::Broken => Error::internal("the pins do not answer"),
///         }
///     }
/// }
///
/// fn switch(pin: u8) -> Result<(), PinError> {
///     match pin {
///         4 => Err(PinError::Taken { pin, by: "the fan" }),
///         5 => Err(PinError::Broken),
///         _ => Ok(()),
///     }
/// }
///
/// async fn pin(request: &mut Request<'_, ()>) -> Result<&'static str, Error> {
///     let pin = request.parameter("pin").ok_or(Error::not_found("which pin?"))?.parse()?;
///     switch(pin)?;
///     Ok("switched")
/// }
///
/// let mut server = Server::new(Router::new().route("/pins/{pin}", get(pin)));
/// let client = server.connect();
/// let mut answer = |pin: u8| {
///     client.send(format!("GET /pins/{pin} HTTP/1.1\r\nHost: a\r\n\r\n"));
///     server.run();
///     client.received_text()
/// };
/// assert!(answer(1).ends_with("\r\n\r\nswitched"));
/// assert!(answer(4).ends_with("\r\n\r\nthe fan has pin 4\n"));
/// assert!(answer(5).ends_with("\r\n\r\nInternal Server Error\n")); // why is logged
/// ```
#[doc(alias("httpd_resp_send_err", "httpd_resp_send_custom_err", "httpd_resp_send_404", "httpd_resp_send_500"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Kept);

/// What an error keeps: no more than a plain one, since results go through every layer of handlers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kept {
    Plain(Plain),
    /// With what was made at run time.
    #[cfg(feature = "alloc")]
    Made(alloc::boxed::Box<made::Made>),
}

/// What is known when the program is written, and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plain {
    status: StatusCode,
    reason: &'static str,
    number: u32,
    tells: Tells,
}

#[cfg(feature = "alloc")]
mod made {
    use alloc::{borrow::Cow, boxed::Box, string::String, vec::Vec};
    use core::fmt::{self, Write};

    use super::{Error, Kept, Plain};

    /// Bytes of a reason that is made at run time, at the most; the rest is cut off.
    pub(super) const REASON_BYTES_MAX: usize = 1_024;

    /// A field's name and value.
    pub(super) type Field = (Cow<'static, str>, Cow<'static, str>);

    /// An error with what was made at run time.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(super) struct Made {
        pub(super) plain: Plain,
        /// Instead of the reason, where it is not empty.
        pub(super) text: Text,
        pub(super) fields: Vec<Field>,
    }

    /// Text of which what is too long is cut off.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(super) struct Text(pub(super) String);

    impl Write for Text {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let room = REASON_BYTES_MAX - self.0.len();
            let bytes = (0..=room.min(text.len())).rfind(|&at| text.is_char_boundary(at)).unwrap_or(0);
            self.0.push_str(&text[..bytes]);
            if bytes < text.len() { Err(fmt::Error) } else { Ok(()) }
        }
    }

    impl Error {
        /// The same with room for what is made at run time.
        #[cold]
        #[expect(clippy::unnecessary_box_returns, reason = "it stays in its box")]
        pub(super) fn made(self) -> Box<Made> {
            match self.0 {
                Kept::Plain(plain) => Box::new(Made { plain, text: Text::default(), fields: Vec::new() }),
                Kept::Made(made) => made,
            }
        }
    }
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
        Error(Kept::Plain(Plain { status, reason, number: 0, tells: Tells::Nothing }))
    }

    of_status! {
        /// 400: what the client sent is wrong.
        bad_request = BAD_REQUEST;
        /// 401: the client must say who it is. It learns how from a field `WWW-Authenticate`, which this status needs (RFC 9110
        /// section 15.5.2): see [`field`](Error::field).
        unauthorized = UNAUTHORIZED;
        /// 403: this client may not.
        forbidden = FORBIDDEN;
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
        let plain = self.plain_mut();
        (plain.number, plain.tells) = (byte, Tells::Byte);
        self
    }

    /// The same error, telling how many bytes are allowed. Beyond 32 bits it tells nothing of them.
    #[must_use]
    pub const fn at_most(mut self, bytes: u64) -> Self {
        if bytes <= u32::MAX as u64 {
            let plain = self.plain_mut();
            (plain.number, plain.tells) = (bytes as u32, Tells::BytesMax);
        }
        self
    }

    /// The same error, with a text made at run time that is told in the reason's place: `why` is a `format_args!`, another error, or
    /// anything else that can be displayed. Of more than 1,024 bytes the rest is cut off.
    ///
    /// It is kept on the heap (feature `alloc`, which ports for hosts switch on). Without a heap nothing is formatted and the fixed
    /// reason is told: so the same program says what it can on a board and on a host.
    ///
    /// # Examples
    /// ```
    /// use tenure::Error;
    ///
    /// fn pin(number: u8) -> Result<u8, Error> {
    ///     if number > 9 {
    ///         return Err(Error::not_found("there is no such pin").because(format_args!("there is no pin {number}: send 0 to 9")));
    ///     }
    ///     Ok(number)
    /// }
    ///
    /// let error = pin(12).unwrap_err();
    /// assert_eq!(error.message(), "there is no pin 12: send 0 to 9");
    /// assert_eq!(error.reason(), "there is no such pin");
    /// ```
    #[must_use]
    #[cold]
    pub fn because(self, why: impl fmt::Display) -> Self {
        #[cfg(feature = "alloc")]
        {
            let mut made = self.made();
            made.text.0.clear();
            // What is too long is an error of the formatter's.
            let _ = fmt::Write::write_fmt(&mut made.text, format_args!("{why}"));
            Error(Kept::Made(made))
        }
        #[cfg(not(feature = "alloc"))]
        {
            let _ = why;
            self
        }
    }

    /// The same error, with a field that its response carries, whatever page the application has for it: `WWW-Authenticate` or
    /// `Retry-After`, for example. A field that must not be set (see [`Reply::field`](crate::Reply::field)) is logged and left out.
    ///
    /// Without a heap, a page sets such fields: [`Router::error`](crate::Router::error) for the status.
    ///
    /// # Examples
    /// ```
    /// use tenure::{Error, Request, Router, get, kit::Server};
    ///
    /// async fn secret(request: &mut Request<'_, ()>) -> Result<&'static str, Error> {
    ///     match request.field("authorization") {
    ///         Some("Bearer open") => Ok("the secret"),
    ///         _ => Err(Error::unauthorized("send a token").field("WWW-Authenticate", "Bearer")),
    ///     }
    /// }
    ///
    /// async fn busy(_: &mut Request<'_, ()>) -> Error {
    ///     let seconds = 60 * 2;
    ///     Error::unavailable("come back later").field("Retry-After", seconds.to_string())
    /// }
    ///
    /// let mut server = Server::new(Router::new().route("/secret", get(secret)).route("/busy", get(busy)));
    /// let client = server.connect();
    /// client.send("GET /secret HTTP/1.1\r\nHost: a\r\n\r\nGET /busy HTTP/1.1\r\nHost: a\r\n\r\n");
    /// server.run();
    /// let received = client.received_text();
    /// assert!(received.contains("\r\nWWW-Authenticate: Bearer\r\n") && received.contains("\r\nRetry-After: 120\r\n"));
    /// ```
    #[cfg(feature = "alloc")]
    #[must_use]
    #[cold]
    pub fn field(
        self,
        name: impl Into<alloc::borrow::Cow<'static, str>>,
        value: impl Into<alloc::borrow::Cow<'static, str>>,
    ) -> Self {
        let mut made = self.made();
        made.fields.push((name.into(), value.into()));
        Error(Kept::Made(made))
    }

    const fn plain(&self) -> &Plain {
        match &self.0 {
            Kept::Plain(plain) => plain,
            #[cfg(feature = "alloc")]
            Kept::Made(made) => &made.plain,
        }
    }

    const fn plain_mut(&mut self) -> &mut Plain {
        match &mut self.0 {
            Kept::Plain(plain) => plain,
            #[cfg(feature = "alloc")]
            Kept::Made(made) => &mut made.plain,
        }
    }

    /// Of a head that comes with a refusal; `refused` is the byte of the target that is wrong.
    #[cold]
    pub(crate) fn refused(refusal: Refusal, refused: Option<(u32, u8)>) -> Self {
        let mut error = Error::from(refusal);
        if let Some((byte, value)) = refused {
            error = error.at_byte(byte);
            if refusal == Refusal::BadTarget {
                let plain = error.plain_mut();
                (plain.number, plain.tells) = (byte.min(BYTE_MAX) | u32::from(value) << 24, Tells::Value);
            }
        }
        error
    }

    /// The status.
    pub const fn status(&self) -> StatusCode {
        self.plain().status
    }

    /// What was wrong, as it was given to [`new`](Error::new).
    pub const fn reason(&self) -> &'static str {
        self.plain().reason
    }

    /// What is told of it: what [`because`](Error::because) was given, else the reason, else the status's phrase. Displayed, an error
    /// says which byte was wrong, or how many are allowed, behind it.
    pub fn message(&self) -> &str {
        match &self.0 {
            #[cfg(feature = "alloc")]
            Kept::Made(made) if !made.text.0.is_empty() => &made.text.0,
            _ if self.reason().is_empty() => self.status().phrase(),
            _ => self.reason(),
        }
    }

    /// The names and values of its fields, in the order in which they were added.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        #[cfg(feature = "alloc")]
        {
            let fields: &[made::Field] = if let Kept::Made(made) = &self.0 { &made.fields } else { &[] };
            fields.iter().map(|(name, value)| (&**name, &**value))
        }
        #[cfg(not(feature = "alloc"))]
        core::iter::empty()
    }

    /// Which byte of the body, or of the target, was wrong, counted from 0.
    pub const fn byte(&self) -> Option<u32> {
        let plain = self.plain();
        match plain.tells {
            Tells::Byte => Some(plain.number),
            Tells::Value => Some(plain.number & BYTE_MAX),
            Tells::Nothing | Tells::BytesMax => None,
        }
    }

    /// How many bytes are allowed.
    pub const fn bytes_max(&self) -> Option<u32> {
        let plain = self.plain();
        match plain.tells {
            Tells::BytesMax => Some(plain.number),
            Tells::Nothing | Tells::Byte | Tells::Value => None,
        }
    }

    /// Tells what the text ends with, in parts: ` (byte 5)`, ` (byte 5: %3C)`, ` (at most 5 bytes)`, or nothing. Without a
    /// formatter, which is large.
    pub(crate) fn tell_detail(&self, tell: &mut dyn FnMut(&[u8])) {
        let Plain { number: all, tells, .. } = *self.plain();
        let (before, number, behind): (&[u8], _, &[u8]) = match tells {
            Tells::Nothing => return,
            Tells::Byte => (b" (byte ", all, b")"),
            Tells::Value => (b" (byte ", all & BYTE_MAX, b": %"),
            Tells::BytesMax => (b" (at most ", all, b" bytes)"),
        };
        tell(before);
        tell(decimal(number.into(), &mut [0; 20]));
        tell(behind);
        if tells == Tells::Value {
            let digit = |shift: u32| b"0123456789ABCDEF"[(all >> shift & 0xf) as usize];
            tell(&[digit(28), digit(24), b')']);
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = f.write_str(self.message());
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

    use super::{made::REASON_BYTES_MAX, *};

    use crate::Sent;
    use core::task::Poll;
    use std::{format, string::ToString};

    #[test]
    fn a_number_is_told_as_it_was_given() {
        let error = Error::bad_request("not a digit");
        assert_eq!(error.byte(), None);
        for byte in [0, 1, u32::MAX] {
            let (at, most) = (error.clone().at_byte(byte), error.clone().at_most(byte.into()));
            assert_eq!((at.byte(), at.bytes_max()), (Some(byte), None));
            assert_eq!((most.byte(), most.bytes_max()), (None, Some(byte)));
            assert_eq!(at.to_string(), format!("not a digit (byte {byte})"));
            assert_eq!(most.to_string(), format!("not a digit (at most {byte} bytes)"));
        }
        assert_eq!(error.clone().at_most(1 << 32), error);
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

    /// What handlers return takes no more than an error, and an error no more than what every one has.
    #[test]
    fn results_are_small() {
        assert_eq!(size_of::<Poll<Result<Sent, Error>>>(), size_of::<Error>());
        assert_eq!(size_of::<Error>(), size_of::<&str>() + 8);
    }

    #[test]
    fn what_is_made_at_run_time_goes_before_the_reason() {
        let error = Error::bad_request("fixed");
        assert_eq!((error.message(), error.fields().count()), ("fixed", 0));
        let because = error.clone().because(format_args!("{} of {}", 1, 2));
        assert_eq!((because.status(), because.reason(), because.message()), (error.status(), "fixed", "1 of 2"));
        // Whatever the order, and the last one counts.
        let later = Error::bad_request("fixed").at_byte(7).because("first").because("1 of 2").at_byte(5);
        assert_eq!((later.to_string().as_str(), later.byte()), ("1 of 2 (byte 5)", Some(5)));
        assert_eq!(later.at_most(9).to_string(), "1 of 2 (at most 9 bytes)");
        assert_ne!(because, error);
        // Nothing to say is the reason, and without one the status's phrase.
        assert_eq!(error.because("").message(), "fixed");
        assert_eq!(Error::bad_request("").because("").message(), "Bad Request");
    }

    #[test]
    fn what_is_too_long_is_cut_off_between_characters() {
        let said = |text: &str| Error::bad_request("").because(text).message().to_string();
        for bytes in [REASON_BYTES_MAX - 1, REASON_BYTES_MAX] {
            assert_eq!(said(&"x".repeat(bytes)).len(), bytes);
        }
        assert_eq!(said(&"x".repeat(REASON_BYTES_MAX + 1)).len(), REASON_BYTES_MAX);
        assert_eq!(said(&format!("x{}", "\u{e9}".repeat(REASON_BYTES_MAX))).len(), REASON_BYTES_MAX - 1);
        // Nothing comes behind what was cut off.
        let pieces = Error::bad_request("").because(format_args!("{}{}", "x".repeat(REASON_BYTES_MAX + 1), "y"));
        assert_eq!(pieces.message(), "x".repeat(REASON_BYTES_MAX));
    }

    #[test]
    fn fields_are_kept_in_order() {
        let error = Error::unavailable("later").field("Retry-After", "5").because("soon").field("X-A", 7.to_string());
        assert_eq!(error.fields().collect::<std::vec::Vec<_>>(), [("Retry-After", "5"), ("X-A", "7")]);
        assert_eq!((error.status(), error.message()), (StatusCode::SERVICE_UNAVAILABLE, "soon"));
    }
}
