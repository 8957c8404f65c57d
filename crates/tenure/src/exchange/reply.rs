//! What a handler's result looks like as a response.

use core::convert::Infallible;

use tenure_proto::{
    bytes::WORDS,
    response::{Delimiter, HeadState, HeadWriter, decimal},
    status::StatusCode,
};

use crate::{
    Error, FieldWriter, IntoFields,
    engine::output::{BYTES, Exchange, Output, TEXT},
    exchange::fields::PutFields,
};

/// Proof that a response is complete. Only a finished response makes one, and it counts for the request that was answered: one
/// kept from another request is answered 500.
#[derive(Debug)]
#[must_use = "a handler returns it: it proves that the request is answered"]
pub struct Sent {
    pub(crate) status: StatusCode,
}

impl Sent {
    /// The status that was sent.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

/// How far a response got.
#[derive(Debug)]
#[must_use = "an `IntoResponse` returns it: it says whether the response is asked again"]
pub enum Outcome {
    /// All of it is in the output.
    Sent(Sent),
    /// The output is full: the response is asked again once bytes have been sent, and goes on where it was. Where the output
    /// is empty this is an error.
    Full,
    /// It cannot be written; this error is answered instead where nothing was sent yet.
    Failed(Error),
}

/// A value that can be answered.
///
/// Implemented for text, bytes, [`Html`], [`Text`], [`Redirect`], integers, `bool`, `()`, [`StatusCode`], [`Error`], `Option`
/// (`None`: 404), `Result`, and tuples: `(status, body)`, `(fields, body)`, `(status, fields, body)`, fields as [`IntoFields`].
///
/// # Examples
/// ```
/// use tenure::{Request, Router, StatusCode, get};
///
/// async fn moved(_: &mut Request<'_, ()>) -> (StatusCode, [(&'static str, &'static str); 1], &'static str) {
///     (StatusCode::FOUND, [("Location", "/adder")], "over there")
/// }
///
/// let app = Router::new().route("/", get(moved));
/// # let _ = app;
/// ```
///
/// The compiler refuses what is not a response:
/// ```compile_fail,E0277
/// use tenure::{Request, Router, get};
///
/// struct Nothing;
///
/// async fn nothing(_: &mut Request<'_, ()>) -> Nothing {
///     Nothing
/// }
///
/// let app = Router::new().route("/", get(nothing));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be answered",
    label = "not a response",
    note = "a handler returns text, bytes, a number, a status, a tuple of status, fields and body, or an `Option` or `Result` of these"
)]
#[doc(alias("httpd_resp_send", "httpd_resp_set_hdr", "httpd_resp_set_status", "httpd_resp_set_type"))]
pub trait IntoResponse {
    /// Writes the response. After [`Outcome::Full`] it is called again with the same value and must say the same: what was
    /// written already is passed over. Once the head is written, a body of another length resets the connection, and so does
    /// a second body.
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome;
}

/// Where an [`IntoResponse`] writes.
#[derive(Debug)]
pub struct Reply<'o> {
    output: &'o mut Output,
    status: StatusCode,
    head: HeadState,
}

/// More than any status line has.
const STATUS_LINE_BYTES_MAX: usize = 64;

impl core::fmt::Debug for Output {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Output({} bytes pending)", self.pending().map_or(0, <[u8]>::len))
    }
}

impl<'o> Reply<'o> {
    pub(crate) fn new(output: &'o mut Output) -> Self {
        Reply { output, status: StatusCode::OK, head: HeadState::NEW }
    }

    /// Starts anew with that status, where nothing is in the output for good.
    pub(crate) fn restart(&mut self, status: StatusCode) {
        self.head = HeadState::NEW;
        self.status = status;
    }

    /// The type of responses that set none, where there is one for all.
    #[cfg(feature = "alloc")]
    pub(crate) fn default_type(&self) -> Option<&'static str> {
        self.output.content_type
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.output.exchange
    }

    /// Asks a response, and holds it to what an outcome means.
    pub(crate) fn ask(&mut self, response: &mut dyn IntoResponse) -> Outcome {
        match response.respond(self) {
            // It has had all the room there is.
            Outcome::Full if self.output.end == 0 => failed("a response was given an empty output and wrote nothing"),
            Outcome::Sent(_) if !self.exchange().done => failed(NOT_ANSWERED),
            outcome => outcome,
        }
    }

    /// Sets the status; 200 where it is not called. The last call counts.
    pub fn status(&mut self, status: StatusCode) -> &mut Self {
        if self.head.is_begun() && self.status != status {
            self.change_status(status);
        }
        self.status = status;
        self
    }

    /// Puts another status line in front of the fields that stand there already.
    #[cold]
    fn change_status(&mut self, status: StatusCode) {
        let Some(length) = self.head.length() else { return };
        let (mut line, mut state) = ([0; STATUS_LINE_BYTES_MAX], HeadState::NEW);
        HeadWriter::new(&mut line, &mut state).begin(status, None);
        let bytes = state.length().unwrap_or(0);
        let room = self.output.free();
        let before = room.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let changed = length - before + bytes;
        if changed > room.len() {
            self.head.set_length(None);
            return;
        }
        room.copy_within(before..length, bytes);
        room[..bytes].copy_from_slice(&line[..bytes]);
        self.head.set_length(Some(changed));
    }

    /// Adds a field. Framing, connection and date are the server's own: they are refused, as are control bytes, with
    /// [`Outcome::Failed`] when the body is written.
    #[inline]
    pub fn field(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        self.bytes_field(name, value.as_ref());
        self
    }

    fn bytes_field(&mut self, name: &str, value: &[u8]) {
        if let Some(mut head) = self.fields() {
            head.field(name, value);
        }
    }

    /// Adds a field whose value comes in parts.
    pub(crate) fn field_of(&mut self, name: &str, parts: &[&str]) {
        if let Some(mut head) = self.fields() {
            head.field_of(name, parts);
        }
    }

    /// Adds a field that [`field`](Reply::field) refuses.
    pub(crate) fn server_field(&mut self, name: &str, value: &str) {
        if let Some(mut head) = self.fields() {
            head.server_field(name, value);
        }
    }

    /// Adds an Allow field of the methods that `methods` tells.
    pub(crate) fn allow(&mut self, methods: &mut dyn FnMut(&mut dyn FnMut(&str))) {
        if let Some(mut head) = self.fields() {
            head.allow(methods);
        }
    }

    /// Adds fields.
    pub(crate) fn put_fields(&mut self, fields: &(impl IntoFields + ?Sized)) -> Result<(), Error> {
        self.fields().map_or(Ok(()), |head| fields.put(&mut FieldWriter::new(head)))
    }

    /// Keeps fields for the head; `false`: there is no room now.
    pub(crate) fn keep_fields(&mut self, put: PutFields<'_>) -> Result<bool, Error> {
        self.output.keep_fields(put)
    }

    /// Lets go of the fields that are kept for the head. Returns whether there were some.
    pub(crate) fn drop_fields(&mut self) -> bool {
        let has = self.exchange().has_fields();
        self.output.exchange.drop_fields();
        has
    }

    /// The head, to add fields to it; `None` where it is in the output.
    fn fields(&mut self) -> Option<HeadWriter<'_>> {
        if self.exchange().begun {
            return None;
        }
        Some(self.head())
    }

    /// The head, begun where it is not.
    fn head(&mut self) -> HeadWriter<'_> {
        self.output.head(&mut self.head, self.status)
    }

    /// Ends the head. `false`: it has not fitted.
    pub(crate) fn end_head(&mut self, delimiter: Delimiter, content_type: &str) -> Result<bool, Error> {
        let delimiter = if self.status.has_no_body() { Delimiter::None } else { delimiter };
        let persistence = self.exchange().persistence();
        let ended = self.head().end(delimiter, persistence, content_type);
        self.head = HeadState::NEW;
        let Some(mut bytes) = ended? else {
            // An empty output that cannot hold the head never will.
            return if self.output.end == 0 {
                Err(Error::internal("the response head is larger than the output buffer"))
            } else {
                Ok(false)
            };
        };
        if self.exchange().has_fields() {
            bytes = self.output.add_fields(bytes);
        }
        self.output.end += bytes;
        let exchange = &mut self.output.exchange;
        exchange.bytes = bytes as u64;
        exchange.status = self.status;
        exchange.begun = true;
        if delimiter == Delimiter::Close {
            exchange.persistent = false;
        }
        Ok(true)
    }

    /// Answers with these bytes, of a length that the head tells. Their type is `application/octet-stream` unless a field or
    /// [`Limits::content_type`](crate::Limits::content_type) says another.
    pub fn body(&mut self, body: impl AsRef<[u8]>) -> Outcome {
        self.bytes(body.as_ref())
    }

    fn bytes(&mut self, body: &[u8]) -> Outcome {
        if self.output.content_type.is_some() {
            // One type for all.
            return self.text_bytes(body);
        }
        self.body_in_parts(body, BYTES)
    }

    /// Answers with a text, of a length that the head tells. Its type is `text/plain; charset=utf-8` unless a field or
    /// [`Limits::content_type`](crate::Limits::content_type) says another.
    #[inline]
    pub fn text(&mut self, text: impl AsRef<str>) -> Outcome {
        self.text_bytes(text.as_ref().as_bytes())
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    fn text_bytes(&mut self, body: &[u8]) -> Outcome {
        if self.is_plain()
            && !body.is_empty()
            && self.output.put_plain(body.len(), |room| room[..body.len()].copy_from_slice(body))
        {
            return Outcome::Sent(Sent { status: StatusCode::OK });
        }
        self.body_in_parts(body, self.output.content_type.unwrap_or(TEXT))
    }

    /// Answers with these bytes, whose type a field has told.
    pub(crate) fn typed_body(&mut self, body: &[u8]) -> Outcome {
        self.body_in_parts(body, BYTES)
    }

    /// Answers with an error's line of text, whatever the type of other responses is.
    pub(crate) fn error_line(&mut self, line: &[u8]) -> Outcome {
        self.body_in_parts(line, TEXT)
    }

    /// Whether nothing but a body distinguishes the response from all others.
    fn is_plain(&self) -> bool {
        !self.head.is_begun() && self.status == StatusCode::OK && self.output.exchange.is_plain()
    }

    /// Answers without a body.
    pub fn empty(&mut self) -> Outcome {
        self.body_in_parts(b"", "")
    }

    #[inline(never)]
    pub(crate) fn body_in_parts(&mut self, body: &[u8], content_type: &str) -> Outcome {
        // RFC 9110 section 15.3.6: its body is empty, but framed as any other.
        let body = if self.status == StatusCode::RESET_CONTENT { b"" } else { body };
        if !self.exchange().begun {
            match self.end_head(Delimiter::Length(body.len() as u64), content_type) {
                Ok(true) => self.output.exchange.announced = body.len(),
                Ok(false) => return Outcome::Full,
                Err(error) => return Outcome::Failed(error),
            }
        } else if self.exchange().done || self.exchange().announced != body.len() {
            return self.broke_its_word();
        }
        let exchange = self.exchange();
        if !exchange.head_only && !exchange.status.has_no_body() {
            let rest = body.get(exchange.progress..).unwrap_or_default();
            let bytes = rest.len().min(self.output.room());
            self.output.put(&rest[..bytes]);
            self.output.exchange.progress += bytes;
            if bytes < rest.len() {
                return Outcome::Full;
            }
        }
        self.output.exchange.done = true;
        Outcome::Sent(Sent { status: self.output.exchange.status })
    }

    /// What is not written yet of the output, from where the body will begin at the latest, if the head is of a usual size: what
    /// is written there, [`begin_ahead`](Reply::begin_ahead) moves behind the head.
    #[cfg(feature = "json")]
    pub(crate) fn ahead(&mut self) -> &mut [u8] {
        // Behind it are the fields that are kept for the head.
        let (from, to) = (self.output.end + self.ahead_at(), self.output.buffer.len() - self.output.kept_bytes());
        self.output.buffer.get_mut(from..to).unwrap_or_default()
    }

    /// Bytes that the output holds at the most.
    #[cfg(all(feature = "json", feature = "alloc", not(tenure_narrow)))]
    pub(crate) fn bytes_max(&self) -> usize {
        self.output.buffer.len()
    }

    #[cfg(feature = "json")]
    fn ahead_at(&self) -> usize {
        // Status line, date, type, length and persistence; fields that were added stand there already.
        const HEAD_BYTES: usize = 192;
        self.head.length().unwrap_or(0) + self.output.kept_bytes() + HEAD_BYTES
    }

    /// Begins a response of that many bytes; `is_ahead`: all of them are in [`ahead`](Reply::ahead). `false`: the head has not fitted.
    #[cfg(feature = "json")]
    pub(crate) fn begin_ahead(&mut self, bytes: usize, content_type: &str, is_ahead: bool) -> Result<bool, Error> {
        // RFC 9110 section 15.3.6: its body is empty, but framed as any other.
        let is_reset = self.status == StatusCode::RESET_CONTENT;
        let from = self.output.end + self.ahead_at();
        if !self.end_head(Delimiter::Length(if is_reset { 0 } else { bytes as u64 }), content_type)? {
            return Ok(false);
        }
        let output = &mut *self.output;
        output.exchange.announced = bytes;
        // Where there is no body, there is nothing to write.
        let is_empty = is_reset || output.exchange.head_only || output.exchange.status.has_no_body();
        if is_empty {
            output.exchange.progress = bytes;
        } else if is_ahead && output.end <= from {
            output.buffer.copy_within(from..from + bytes, output.end);
            self.pass(bytes);
        }
        Ok(true)
    }

    /// Goes on with a response that was begun so: `write` writes into the room that there is from a byte on, tells how much it
    /// has written, and whether that was the end.
    #[cfg(feature = "json")]
    pub(crate) fn go_on(&mut self, bytes: usize, write: &mut dyn FnMut(&mut [u8], usize) -> (usize, bool)) -> Outcome {
        let Exchange { done, announced, progress, status, .. } = *self.exchange();
        let is_same = !done && announced == bytes && progress <= bytes;
        if is_same && progress < bytes {
            let room = self.output.free();
            let length = room.len().min(bytes - progress);
            if length == 0 {
                return Outcome::Full;
            }
            let (written, is_end) = write(&mut room[..length], progress);
            self.pass(written);
            match (is_end, progress + written == bytes) {
                (false, false) => return Outcome::Full,
                (true, true) => {}
                _ => return self.broke_its_word(),
            }
        } else if !is_same {
            return self.broke_its_word();
        }
        self.output.exchange.done = true;
        Outcome::Sent(Sent { status })
    }

    /// That many bytes of the body have been put behind what is in the output.
    #[cfg(feature = "json")]
    fn pass(&mut self, bytes: usize) {
        self.output.end += bytes;
        self.output.exchange.bytes += bytes as u64;
        self.output.exchange.progress += bytes;
    }

    #[cold]
    fn broke_its_word(&mut self) -> Outcome {
        // What is begun and not done resets the connection: the next response could not be found.
        self.output.exchange.done = false;
        failed("a response gave another body than the one it had announced")
    }

    /// Answers with a number in decimal digits; `number`: as two's complement where it is negative.
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn integer(&mut self, negative: bool, number: u64) -> Outcome {
        let magnitude = if negative { number.wrapping_neg() } else { number };
        if WORDS && self.is_plain() {
            // What is negative is not below it.
            let put = if number < SHORT_END {
                self.output.put_short_number(number as u32)
            } else {
                self.output.put_number(negative, magnitude)
            };
            if put {
                return Outcome::Sent(Sent { status: StatusCode::OK });
            }
        }
        // `decimal` would do, but its digits are taken off 64 bits: a hundred instructions more where a register has 32.
        if !WORDS && let Ok(mut rest) = u32::try_from(magnitude) {
            let mut text = [b'-'; 12];
            let mut at = text.len() - usize::from(negative);
            for byte in text.iter_mut().rev() {
                *byte = b'0' + (rest % 10) as u8;
                rest /= 10;
                at -= 1;
                if rest == 0 {
                    break;
                }
            }
            return self.text_bytes(text.get(at..).unwrap_or_default());
        }
        self.integer_as_text(negative, magnitude)
    }

    #[inline(never)]
    fn integer_as_text(&mut self, negative: bool, magnitude: u64) -> Outcome {
        // What stands before the digits is the sign.
        let mut text = [b'-'; INTEGER_BYTES_MAX];
        let [_, digits @ ..] = &mut text;
        let bytes = decimal(magnitude, digits).len() + usize::from(negative);
        self.text_bytes(text.get(text.len() - bytes..).unwrap_or_default())
    }
}

/// Why a handler's [`Sent`] is refused.
pub(crate) const NOT_ANSWERED: &str = "a request was left unanswered: the proof is of another response";

#[cold]
fn failed(reason: &'static str) -> Outcome {
    Outcome::Failed(Error::internal(reason))
}

impl Output {
    /// A whole plain response of a number; `false`: there is no room.
    #[inline(never)]
    fn put_number(&mut self, negative: bool, magnitude: u64) -> bool {
        let length = usize::from(negative) + digits(magnitude);
        self.put_plain(length, |room| write_decimal(&mut room[..length], negative, magnitude))
    }

    /// The same of a number below [`SHORT_END`].
    #[inline(never)]
    fn put_short_number(&mut self, number: u32) -> bool {
        let (digits, length) = short_decimal(number);
        self.put_plain(length, |room| room[..digits.len()].copy_from_slice(&digits))
    }
}

/// The first number that has more than four digits.
const SHORT_END: u64 = 10_000;
/// Bytes of a number's text at the most: a sign and 20 digits.
const INTEGER_BYTES_MAX: usize = 21;

/// Decimal digits of a number.
#[inline]
fn digits(mut number: u64) -> usize {
    let mut digits = 1;
    while number >= 10 {
        number /= 10;
        digits += 1;
    }
    digits
}

/// Fills `text` with a number whose text is as long.
#[inline]
fn write_decimal(text: &mut [u8], negative: bool, mut number: u64) {
    for byte in text.iter_mut().rev() {
        *byte = b'0' + (number % 10) as u8;
        number /= 10;
    }
    if negative && let Some(sign) = text.first_mut() {
        *sign = b'-';
    }
}

/// The text of a number of four digits at the most, and how many it has: what most are.
#[inline]
fn short_decimal(number: u32) -> ([u8; 4], usize) {
    const ZEROS: u32 = u32::from_le_bytes(*b"0000");
    // All digits at once: a pair in each half, then a digit in each byte, the first one lowest. Up to 99, a tenth is
    // 103 of 1024 parts, and no product leaves its half.
    let pairs = (number / 100) | ((number % 100) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000f_000f;
    let digits = tens | ((pairs - 10 * tens) << 8);
    // The last one stands, also where it is zero.
    let zeros = (digits | 1 << 24).trailing_zeros() as usize / 8;
    (((digits | ZEROS) >> (8 * zeros)).to_le_bytes(), 4 - zeros)
}

macro_rules! integers {
    ($($type:ty)*) => {
        $(impl IntoResponse for $type {
            #[inline]
            fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
                #[allow(unused_comparisons, clippy::cast_lossless, clippy::cast_sign_loss, reason = "one text for all integers")]
                reply.integer(*self < 0, *self as u64)
            }
        })*
    };
}

integers! { i8 i16 i32 i64 isize u8 u16 u32 u64 usize }

macro_rules! bodies {
    ($($(#[$meta:meta])* [$($generics:tt)*] $type:ty: $method:ident;)*) => {
        $($(#[$meta])* impl<$($generics)*> IntoResponse for $type {
            #[inline]
            fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
                reply.$method(self)
            }
        })*
    };
}

bodies! {
    [] &str: text;
    [const N: usize, L: heapless::LenType] heapless::String<N, L>: text;
    #[cfg(feature = "alloc")]
    [] alloc::string::String: text;
    #[cfg(feature = "alloc")]
    [] alloc::boxed::Box<str>: text;
    #[cfg(feature = "alloc")]
    [] alloc::borrow::Cow<'_, str>: text;
    [] &[u8]: body;
    [const N: usize] [u8; N]: body;
    [const N: usize] &[u8; N]: body;
    [const N: usize, L: heapless::LenType] heapless::Vec<u8, N, L>: body;
    #[cfg(feature = "alloc")]
    [] alloc::vec::Vec<u8>: body;
}

/// A page: text whose type is `text/html; charset=utf-8` unless a field says another.
///
/// # Examples
/// ```
/// use tenure::{Html, Request, Router, get, kit::Server};
///
/// async fn page(_: &mut Request<'_, ()>) -> Html<&'static str> {
///     Html("<!doctype html><title>Gr\u{fc}\u{df}e</title>")
/// }
///
/// let mut server = Server::new(Router::new().route("/", get(page)));
/// let client = server.connect();
/// client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
/// server.run();
/// assert!(client.received_text().contains("\r\nContent-Type: text/html; charset=utf-8\r\n"));
/// ```
#[doc(alias = "httpd_resp_set_type")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Html<T>(pub T);

impl<T: AsRef<str>> IntoResponse for Html<T> {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        reply.body_in_parts(self.0.as_ref().as_bytes(), "text/html; charset=utf-8")
    }
}

/// Sends the client to another target.
///
/// The target is a path, or a whole URI: ASCII, and percent-encoded what a URI must not have (RFC 3986). Anything else is answered 500, and
/// the log says why. Whether it stays on this site is for the application to see to, where the target comes from a client.
///
/// # Examples
/// After a form, the client is to get a page, so that a reload does not send the form again:
/// ```
/// use tenure::{Redirect, Request, Router, kit::Server, post};
///
/// async fn add(_: &mut Request<'_, ()>) -> Redirect<&'static str> {
///     Redirect::see_other("/list")
/// }
///
/// let mut server = Server::new(Router::new().route("/list", post(add)));
/// let client = server.connect();
/// client.send("POST /list HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
/// server.run();
/// let answer = client.received_text();
/// assert!(answer.starts_with("HTTP/1.1 303 See Other\r\n") && answer.contains("\r\nLocation: /list\r\n"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirect<T> {
    status: StatusCode,
    target: T,
}

impl<T> Redirect<T> {
    /// 303: what was asked for is done; GET that target now.
    pub const fn see_other(target: T) -> Self {
        Redirect { status: StatusCode::SEE_OTHER, target }
    }

    /// 307: ask there, by the same method and with the same body, this time.
    pub const fn temporary(target: T) -> Self {
        Redirect { status: StatusCode::TEMPORARY_REDIRECT, target }
    }

    /// 308: the same, from now on. Browsers remember it.
    pub const fn permanent(target: T) -> Self {
        Redirect { status: StatusCode::PERMANENT_REDIRECT, target }
    }
}

/// Whether a URI may have that byte: RFC 3986 section 2, and the percent sign.
fn is_uri_byte(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
}

impl<T: AsRef<str>> IntoResponse for Redirect<T> {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        let target = self.target.as_ref();
        if target.is_empty() || !target.bytes().all(is_uri_byte) {
            return failed("the target of a redirect is no URI: percent-encode what it must not have");
        }
        reply.status(self.status).field("Location", target).empty()
    }
}

/// A text whose type is `text/plain; charset=utf-8` unless a field says another, also where
/// [`Limits::content_type`](crate::Limits::content_type) sets one type for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<T>(pub T);

impl<T: AsRef<str>> IntoResponse for Text<T> {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        reply.body_in_parts(self.0.as_ref().as_bytes(), TEXT)
    }
}

impl IntoResponse for bool {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        reply.text(if *self { "true" } else { "false" })
    }
}

/// An empty 200.
impl IntoResponse for () {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        reply.empty()
    }
}

/// An empty response of that status.
impl IntoResponse for StatusCode {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        reply.status(*self).empty()
    }
}

/// What never is.
impl IntoResponse for Infallible {
    fn respond(&mut self, _: &mut Reply<'_>) -> Outcome {
        match *self {}
    }
}

/// The application's response for that error, or a line of text.
impl IntoResponse for Error {
    #[inline]
    fn respond(&mut self, _: &mut Reply<'_>) -> Outcome {
        Outcome::Failed(*self)
    }
}

/// `None` is a 404.
impl<T: IntoResponse> IntoResponse for Option<T> {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        match self {
            Some(response) => response.respond(reply),
            None => Outcome::Failed(Error::not_found("there is nothing here")),
        }
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    #[inline]
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        match self {
            Ok(response) => response.respond(reply),
            Err(error) => error.respond(reply),
        }
    }
}

impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        self.1.respond(reply.status(self.0))
    }
}

impl<F: IntoFields, T: IntoResponse> IntoResponse for (F, T) {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        match reply.put_fields(&self.0) {
            Ok(()) => self.1.respond(reply),
            Err(error) => Outcome::Failed(error),
        }
    }
}

impl<F: IntoFields, T: IntoResponse> IntoResponse for (StatusCode, F, T) {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        reply.status(self.0);
        match reply.put_fields(&self.1) {
            Ok(()) => self.2.respond(reply),
            Err(error) => Outcome::Failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::ToString;

    #[test]
    fn short_numbers() {
        for number in 0..SHORT_END {
            let (digits, length) = short_decimal(number as u32);
            assert_eq!(&digits[..length], number.to_string().as_bytes(), "{number}");
        }
    }
}
