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
    /// Where it is kept with what was made at run time.
    #[cfg(feature = "std")]
    Made,
}

#[cfg(feature = "std")]
mod made {
    use alloc::{borrow::Cow, string::String, sync::Arc, vec::Vec};
    use core::{
        fmt::{self, Write},
        sync::atomic::{AtomicU32, Ordering},
    };
    use std::sync::{Mutex, PoisonError};

    use super::{Error, Tells};

    /// Bytes of a reason that is made at run time, at the most; the rest is cut off.
    pub(super) const REASON_BYTES_MAX: usize = 1_024;

    /// Errors with what was made at run time, at the most: the next one takes the place of the oldest.
    pub(super) const KEPT_MAX: usize = 1_024;

    /// They are kept here and not with the error: without a destructor it costs those nothing that never see one.
    static KEPT: [Mutex<Option<Kept>>; KEPT_MAX] = [const { Mutex::new(None) }; KEPT_MAX];

    /// The number of the next one.
    static NEXT: AtomicU32 = AtomicU32::new(0);

    struct Kept {
        number: u32,
        made: Arc<Made>,
    }

    /// A field's name and value.
    pub(super) type Field = (Cow<'static, str>, Cow<'static, str>);

    /// An error with what was made at run time.
    #[derive(Clone, Debug)]
    pub(super) struct Made {
        /// The error without that.
        pub(super) plain: Error,
        /// Instead of the reason, where it is not empty.
        pub(super) text: Text,
        pub(super) fields: Vec<Field>,
    }

    /// Text of which what is too long is cut off.
    #[derive(Clone, Debug, Default)]
    pub(super) struct Text(pub(super) String);

    impl Write for Text {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let room = REASON_BYTES_MAX - self.0.len();
            let bytes = (0..=room.min(text.len())).rfind(|&at| text.is_char_boundary(at)).unwrap_or(0);
            self.0.push_str(&text[..bytes]);
            if bytes < text.len() { Err(fmt::Error) } else { Ok(()) }
        }
    }

    fn place(number: u32) -> &'static Mutex<Option<Kept>> {
        &KEPT[number as usize % KEPT_MAX]
    }

    impl Error {
        /// What was made of it at run time, if that is kept still.
        pub(super) fn made(&self) -> Option<Arc<Made>> {
            if self.tells != Tells::Made {
                return None;
            }
            let kept = place(self.number).lock().unwrap_or_else(PoisonError::into_inner);
            kept.as_ref().filter(|kept| kept.number == self.number).map(|kept| kept.made.clone())
        }

        /// The same with a change of what is made at run time, kept in a place of its own: this one may be a copy.
        #[cold]
        pub(super) fn remade(self, change: impl FnOnce(&mut Made)) -> Self {
            let mut made = self.made().map_or_else(
                || Made { plain: self.plain(), text: Text::default(), fields: Vec::new() },
                |made| (*made).clone(),
            );
            change(&mut made);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            *place(number).lock().unwrap_or_else(PoisonError::into_inner) = Some(Kept { number, made: Arc::new(made) });
            Error { number, tells: Tells::Made, ..self }
        }
    }
}

/// An error that is being answered, with what was made of it at run time.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) error: Error,
    #[cfg(feature = "std")]
    made: Option<alloc::sync::Arc<made::Made>>,
}

impl Told {
    pub(crate) fn new(error: Error) -> Self {
        Told {
            #[cfg(feature = "std")]
            made: error.made(),
            error,
        }
    }

    /// What is told of it: what [`because`](Error::because) was given, else the reason, else the status's phrase.
    pub(crate) fn message(&self) -> &str {
        #[cfg(feature = "std")]
        if let Some(made) = self.made.as_ref().filter(|made| !made.text.0.is_empty()) {
            return &made.text.0;
        }
        self.error.text()
    }

    /// The names and values of its fields, in the order in which they were added.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        #[cfg(feature = "std")]
        {
            let fields: &[made::Field] = self.made.as_ref().map_or(&[], |made| &made.fields);
            fields.iter().map(|(name, value)| (&**name, &**value))
        }
        #[cfg(not(feature = "std"))]
        core::iter::empty()
    }

    /// As [`Error::tell_detail`].
    pub(crate) fn tell_detail(&self, tell: &mut dyn FnMut(&[u8])) {
        #[cfg(feature = "std")]
        if let Some(made) = &self.made {
            return made.plain.tell_detail(tell);
        }
        self.error.tell_detail(tell);
    }
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
    pub fn at_byte(self, byte: u32) -> Self {
        self.telling(byte, Tells::Byte)
    }

    /// The same error, telling how many bytes are allowed. Beyond 32 bits it tells nothing of them.
    #[must_use]
    pub fn at_most(self, bytes: u64) -> Self {
        u32::try_from(bytes).map_or(self, |bytes| self.telling(bytes, Tells::BytesMax))
    }

    fn telling(self, number: u32, tells: Tells) -> Self {
        #[cfg(feature = "std")]
        if self.tells == Tells::Made {
            return self.remade(|made| (made.plain.number, made.plain.tells) = (number, tells));
        }
        Error { number, tells, ..self }
    }

    /// The same without what was made at run time.
    fn plain(&self) -> Self {
        #[cfg(feature = "std")]
        if self.tells == Tells::Made {
            let lost = Error::new(self.status, self.reason);
            return self.made().map_or(lost, |made| made.plain);
        }
        *self
    }

    /// The same error, with a text made at run time that is told in the reason's place: `why` is a `format_args!`, another error, or
    /// anything else that can be displayed. Of more than 1,024 bytes the rest is cut off.
    ///
    /// On hosts (feature `std`) it is kept until it is answered, or 1,024 others have been made: return such an error, do not store it.
    /// On boards nothing is formatted and the fixed reason is told. So the same program says what it can on either.
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
    /// assert_eq!(error.to_string(), "there is no pin 12: send 0 to 9");
    /// assert_eq!(error.reason(), "there is no such pin");
    /// ```
    #[must_use]
    #[cold]
    pub fn because(self, why: impl fmt::Display) -> Self {
        #[cfg(feature = "std")]
        {
            // Before anything is locked: it is the application's code. What is too long is an error of the formatter's.
            let mut text = made::Text::default();
            let _ = fmt::Write::write_fmt(&mut text, format_args!("{why}"));
            self.remade(|made| made.text = text)
        }
        #[cfg(not(feature = "std"))]
        {
            let _ = why;
            self
        }
    }

    /// The same error, with a field that its response carries, whatever page the application has for it: `WWW-Authenticate` or
    /// `Retry-After`, for example. A field that must not be set (see [`Reply::field`](crate::Reply::field)) is logged and left out.
    ///
    /// It is kept as [`because`](Error::because) says. On boards a handler sets such fields by
    /// [`Request::response_fields`](crate::Request::response_fields), or a page does: [`Router::error`](crate::Router::error) for the status.
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
    #[cfg(feature = "std")]
    #[must_use]
    #[cold]
    pub fn field(
        self,
        name: impl Into<alloc::borrow::Cow<'static, str>>,
        value: impl Into<alloc::borrow::Cow<'static, str>>,
    ) -> Self {
        let field = (name.into(), value.into());
        self.remade(|made| made.fields.push(field))
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

    /// What was wrong, as it was given to [`new`](Error::new). Displayed, the error says what [`because`](Error::because) was given, and
    /// which byte was wrong, or how many are allowed.
    pub const fn reason(&self) -> &'static str {
        self.reason
    }

    /// Which byte of the body, or of the target, was wrong, counted from 0.
    pub fn byte(&self) -> Option<u32> {
        let Error { number, tells, .. } = self.plain();
        match tells {
            Tells::Byte => Some(number),
            Tells::Value => Some(number & BYTE_MAX),
            _ => None,
        }
    }

    /// How many bytes are allowed.
    pub fn bytes_max(&self) -> Option<u32> {
        let Error { number, tells, .. } = self.plain();
        (tells == Tells::BytesMax).then_some(number)
    }

    /// Tells what the text ends with, in parts: ` (byte 5)`, ` (byte 5: %3C)`, ` (at most 5 bytes)`, or nothing. Without a
    /// formatter, which is large.
    pub(crate) fn tell_detail(&self, tell: &mut dyn FnMut(&[u8])) {
        let (before, number, behind): (&[u8], _, &[u8]) = match self.tells {
            Tells::Nothing => return,
            #[cfg(feature = "std")]
            Tells::Made => return,
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
        let told = Told::new(*self);
        let mut written = f.write_str(told.message());
        told.tell_detail(&mut |part| {
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

    use super::{
        made::{KEPT_MAX, REASON_BYTES_MAX},
        *,
    };

    use crate::Sent;
    use core::task::Poll;
    use std::{
        format,
        string::{String, ToString},
    };

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

    /// What handlers return takes no more than an error, and an error no more than what every one has. Nothing is to be dropped: that
    /// would cost every request, error or not.
    #[test]
    fn results_are_small() {
        assert_eq!(size_of::<Poll<Result<Sent, Error>>>(), size_of::<Error>());
        assert_eq!(size_of::<Error>(), size_of::<&str>() + 8);
        assert!(!core::mem::needs_drop::<Error>());
    }

    fn fields_of(error: Error) -> std::vec::Vec<(String, String)> {
        Told::new(error).fields().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn what_is_made_at_run_time_goes_before_the_reason() {
        let error = Error::bad_request("fixed");
        assert_eq!((error.to_string().as_str(), fields_of(error).len()), ("fixed", 0));
        let because = error.because(format_args!("{} of {}", 1, 2));
        assert_eq!((because.status(), because.reason(), &*because.to_string()), (error.status(), "fixed", "1 of 2"));
        // Whatever the order, and the last one counts.
        let later = Error::bad_request("fixed").at_byte(7).because("first").because("1 of 2").at_byte(5);
        assert_eq!((later.to_string().as_str(), later.byte()), ("1 of 2 (byte 5)", Some(5)));
        let most = later.at_most(9);
        assert_eq!((most.to_string().as_str(), most.bytes_max()), ("1 of 2 (at most 9 bytes)", Some(9)));
        // A copy stays what it was.
        assert_eq!(later.to_string(), "1 of 2 (byte 5)");
        assert_eq!(Error::bad_request("fixed").at_byte(7).because("1 of 2").to_string(), "1 of 2 (byte 7)");
        // Nothing to say is the reason, and without one the status's phrase.
        assert_eq!(error.because("").to_string(), "fixed");
        assert_eq!(Error::bad_request("").because("").to_string(), "Bad Request");
    }

    #[test]
    fn what_is_too_long_is_cut_off_between_characters() {
        let said = |text: &str| Error::bad_request("").because(text).to_string();
        for bytes in [REASON_BYTES_MAX - 1, REASON_BYTES_MAX] {
            assert_eq!(said(&"x".repeat(bytes)).len(), bytes);
        }
        assert_eq!(said(&"x".repeat(REASON_BYTES_MAX + 1)).len(), REASON_BYTES_MAX);
        assert_eq!(said(&format!("x{}", "\u{e9}".repeat(REASON_BYTES_MAX))).len(), REASON_BYTES_MAX - 1);
        // Nothing comes behind what was cut off.
        let pieces = Error::bad_request("").because(format_args!("{}{}", "x".repeat(REASON_BYTES_MAX + 1), "y"));
        assert_eq!(pieces.to_string(), "x".repeat(REASON_BYTES_MAX));
    }

    #[test]
    fn fields_are_kept_in_order() {
        let error = Error::unavailable("later").field("Retry-After", "5").because("soon").field("X-A", 7.to_string());
        let wanted = [("Retry-After", "5"), ("X-A", "7")].map(|(name, value)| (name.to_string(), value.to_string()));
        assert_eq!(fields_of(error), wanted);
        assert_eq!((error.status(), &*error.to_string()), (StatusCode::SERVICE_UNAVAILABLE, "soon"));
    }

    /// One that is stored for long says what every one says, and never what another one does.
    #[test]
    fn what_was_made_long_ago_is_told_by_its_reason() {
        let stored = Error::conflict("fixed").because("stored").at_byte(1);
        let answered = Told::new(stored);
        // Other tests make some as well.
        for number in 0..KEPT_MAX {
            let error = Error::conflict("fixed").because(number);
            assert_eq!(error.to_string(), number.to_string());
        }
        assert_eq!((stored.to_string().as_str(), stored.byte(), stored.reason()), ("fixed", None, "fixed"));
        assert_eq!(stored.because("anew").to_string(), "anew");
        assert_eq!(answered.message(), "stored");
    }
}
