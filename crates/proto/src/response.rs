//! How a response head is written: RFC 9112 sections 4 and 6, RFC 9110 sections 5.5, 6.6.1 and 7.6.1.

use crate::{
    bytes,
    date::DATE_BYTES,
    status::StatusCode,
    texts::{Texts, texts},
};

/// The interim response that lets a client send its body: RFC 9110 section 15.2.1.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// What ends a chunked body: RFC 9112 section 7.1.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// Bytes of a chunk's size line at the most: 16 digits and CR LF.
pub const CHUNK_SIZE_BYTES_MAX: usize = 18;

/// How the bytes after a response head are delimited: RFC 9112 section 6.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// The status says that there is no body, and no field tells of one.
    None,
    /// Exactly this many bytes (of the answer to a HEAD: would be sent to a GET).
    Length(u64),
    /// In chunks; never to an HTTP/1.0 client.
    Chunked,
    /// Up to the close of the connection, which the head announces.
    Close,
}

/// What a response head says of the connection: RFC 9112 section 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Nothing: an HTTP/1.1 connection persists.
    Persists,
    /// `Connection: keep-alive`: an HTTP/1.0 client asked for it.
    KeepAlive,
    /// `Connection: close`.
    Closes,
}

/// Why a field cannot be part of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldError {
    /// The name is not a token (RFC 9110 section 5.6.2).
    Name,
    /// The value has CR, LF, NUL or another control byte (RFC 9110 section 5.5).
    Value,
    /// The field is the server's own to set: it frames the message or manages the connection.
    Reserved,
}

impl FieldError {
    /// What was wrong, for a person.
    pub fn reason(self) -> &'static str {
        FIELD_ERRORS.nth(self as usize)
    }
}

/// The reasons, in the order of the enumeration.
static FIELD_ERRORS: Texts =
    texts!("a field's name is not a token", "a field's value has a control byte", "a field is the server's own to set");

/// Fields that the server sets itself, in lower case.
const RESERVED: [&str; 7] =
    ["connection", "content-length", "date", "keep-alive", "trailer", "transfer-encoding", "upgrade"];

/// How far a response head has been written.
#[derive(Clone, Copy, Debug)]
pub struct HeadState {
    /// Bytes so far; [`usize::MAX`]: they have not fitted.
    length: usize,
    typed: bool,
    error: Option<FieldError>,
}

impl HeadState {
    /// Before its status line.
    pub const NEW: HeadState = HeadState { length: 0, typed: false, error: None };

    /// Whether anything has been written, or has not fitted.
    pub const fn is_begun(&self) -> bool {
        self.length != 0
    }

    /// Bytes so far; `None`: they have not fitted.
    pub fn length(&self) -> Option<usize> {
        (self.length != usize::MAX).then_some(self.length)
    }

    /// Why a field that was added is refused, if one is.
    pub const fn error(&self) -> Option<FieldError> {
        self.error
    }

    /// Goes on as if `length` bytes had been written.
    pub fn set_length(&mut self, length: Option<usize>) {
        self.length = length.unwrap_or(usize::MAX);
    }
}

/// Writes one response head into a slice, which has what was written of it before.
///
/// What does not fit is remembered, not written: [`end`](HeadWriter::end) then answers `Ok(None)` and nothing of the
/// slice counts.
#[derive(Debug)]
pub struct HeadWriter<'b> {
    bytes: &'b mut [u8],
    state: &'b mut HeadState,
}

impl<'b> HeadWriter<'b> {
    /// Goes on where `state` says.
    pub fn new(bytes: &'b mut [u8], state: &'b mut HeadState) -> Self {
        HeadWriter { bytes, state }
    }

    /// Starts the head with its status line and, where there is one, a Date field (RFC 9110 section 6.6.1).
    #[inline(never)]
    pub fn begin(&mut self, status: StatusCode, date: Option<&[u8; DATE_BYTES]>) {
        self.put(b"HTTP/1.1 ");
        self.put(decimal(status.code().into(), &mut [0; 20]));
        // It belongs to the grammar even where no phrase follows (RFC 9112 section 4).
        self.put(b" ");
        self.put(status.phrase().as_bytes());
        self.put(b"\r\n");
        if let Some(date) = date {
            self.own_field("Date", date);
        }
    }

    /// Adds a field of the application's. An error is kept and told by [`end`](HeadWriter::end).
    pub fn field(&mut self, name: &str, value: &[u8]) {
        if let Err(error) = check_field(name, value) {
            self.state.error.get_or_insert(error);
            return;
        }
        self.state.typed |= bytes::is_folded(name.as_bytes(), "content-type");
        self.own_field(name, value);
    }

    /// Adds a field whose value is these parts, one behind the other, as [`field`](HeadWriter::field) does.
    pub fn field_of<P: AsRef<[u8]>>(&mut self, name: &str, parts: &[P]) {
        let checked =
            check_field(name, b"").and_then(|()| parts.iter().try_for_each(|part| check_value(part.as_ref())));
        if let Err(error) = checked {
            self.state.error.get_or_insert(error);
            return;
        }
        self.state.typed |= bytes::is_folded(name.as_bytes(), "content-type");
        self.put(name.as_bytes());
        self.put(b": ");
        for part in parts {
            self.put(part.as_ref());
        }
        self.put(b"\r\n");
    }

    /// Adds a line without anything in it.
    pub fn empty_line(&mut self) {
        self.put(b"\r\n");
    }

    /// Adds a field of the server's own, which is not checked: one that [`field`](HeadWriter::field) refuses.
    pub fn server_field(&mut self, name: &str, value: &str) {
        self.own_field(name, value.as_bytes());
    }

    /// Adds a Content-Type field (RFC 9110 section 8.3). An error is kept and told by [`end`](HeadWriter::end).
    #[inline(never)]
    pub fn content_type(&mut self, value: &str) {
        if bytes::field_value(value.as_bytes(), 0) < value.len() {
            self.state.error.get_or_insert(FieldError::Value);
            return;
        }
        self.state.typed = true;
        self.own_field("Content-Type", value.as_bytes());
    }

    /// Adds an Allow field (RFC 9110 section 10.2.1) with what `methods` gives to its argument, token by token.
    pub fn allow(&mut self, methods: &mut dyn FnMut(&mut dyn FnMut(&str))) {
        self.list("Allow", methods);
    }

    /// Adds a field that is a list of what `tokens` gives to its argument (RFC 9110 section 5.6.1). They are not checked.
    pub fn list(&mut self, name: &str, tokens: &mut dyn FnMut(&mut dyn FnMut(&str))) {
        self.put(name.as_bytes());
        self.put(b": ");
        let mut first = true;
        tokens(&mut |token| {
            if !first {
                self.put(b", ");
            }
            first = false;
            self.put(token.as_bytes());
        });
        self.put(b"\r\n");
    }

    /// Ends the head: the content type where none was set and a body may follow, framing, connection, the empty line.
    ///
    /// Returns the bytes of the head; `None`: it did not fit.
    ///
    /// # Errors
    /// The first [`FieldError`] of an added field or of `content_type`.
    pub fn end(
        mut self,
        delimiter: Delimiter,
        persistence: Persistence,
        content_type: &str,
    ) -> Result<Option<usize>, FieldError> {
        let empty = matches!(delimiter, Delimiter::None | Delimiter::Length(0));
        if !self.state.typed && !empty && !content_type.is_empty() {
            self.content_type(content_type);
        }
        if let Some(error) = self.state.error {
            return Err(error);
        }
        match delimiter {
            Delimiter::None => {}
            Delimiter::Length(bytes) => self.own_field("Content-Length", decimal(bytes, &mut [0; 20])),
            Delimiter::Chunked => self.put(b"Transfer-Encoding: chunked\r\n"),
            Delimiter::Close => {}
        }
        match if delimiter == Delimiter::Close { Persistence::Closes } else { persistence } {
            Persistence::Persists => {}
            Persistence::KeepAlive => self.put(b"Connection: keep-alive\r\n"),
            Persistence::Closes => self.put(b"Connection: close\r\n"),
        }
        self.put(b"\r\n");
        Ok(self.state.length())
    }

    fn own_field(&mut self, name: &str, value: &[u8]) {
        self.put(name.as_bytes());
        self.put(b": ");
        self.put(value);
        self.put(b"\r\n");
    }

    #[inline(never)]
    fn put(&mut self, bytes: &[u8]) {
        match self.bytes.get_mut(self.state.length..).and_then(|free| free.get_mut(..bytes.len())) {
            Some(free) => {
                free.copy_from_slice(bytes);
                self.state.length += bytes.len();
            }
            None => self.state.length = usize::MAX,
        }
    }
}

/// Whether an application may set that field.
///
/// # Errors
/// See [`FieldError`].
pub fn check_field(name: &str, value: &[u8]) -> Result<(), FieldError> {
    let name = name.as_bytes();
    if name.is_empty() || bytes::token(name, 0) < name.len() {
        Err(FieldError::Name)
    } else if RESERVED.iter().any(|reserved| bytes::is_folded(name, reserved)) {
        Err(FieldError::Reserved)
    } else {
        check_value(value)
    }
}

fn check_value(value: &[u8]) -> Result<(), FieldError> {
    if bytes::field_value(value, 0) < value.len() { Err(FieldError::Value) } else { Ok(()) }
}

/// The size line of a chunk, written to the end of `line`.
pub fn chunk_size(bytes: usize, line: &mut [u8; CHUNK_SIZE_BYTES_MAX]) -> &[u8] {
    let mut rest = bytes as u64;
    let mut at = CHUNK_SIZE_BYTES_MAX - 2;
    line[at..].copy_from_slice(b"\r\n");
    loop {
        at -= 1;
        line[at] = b"0123456789abcdef"[(rest & 15) as usize];
        rest >>= 4;
        if rest == 0 || at == 0 {
            return &line[at..];
        }
    }
}

/// A number in decimal digits, written to the end of `digits`.
#[inline(never)]
pub fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        // Where a register has 32 bits, dividing what has 64 is a function's work: for as few digits as can be.
        let digit = if let Ok(small) = u32::try_from(number) {
            number = u64::from(small / 10);
            small % 10
        } else {
            let digit = (number % 10) as u32;
            number /= 10;
            digit
        };
        digits[at] = b'0' + digit as u8;
        if number == 0 || at == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{string::String, vec, vec::Vec};

    fn written(
        fields: &[(&str, &[u8])],
        delimiter: Delimiter,
        persistence: Persistence,
        room: usize,
    ) -> Result<Option<String>, FieldError> {
        let mut bytes = vec![0; room];
        let mut state = HeadState::NEW;
        let mut head = HeadWriter::new(&mut bytes, &mut state);
        head.begin(StatusCode::OK, None);
        for (name, value) in fields {
            head.field(name, value);
        }
        let length = head.end(delimiter, persistence, "text/html")?;
        Ok(length.map(|length| String::from_utf8_lossy(&bytes[..length]).into_owned()))
    }

    #[test]
    fn framing_and_connection() {
        use Delimiter as D;
        use Persistence as P;
        for (delimiter, persistence, wanted) in [
            (D::Length(5), P::Persists, "Content-Type: text/html\r\nContent-Length: 5\r\n"),
            (D::Length(0), P::Persists, "Content-Length: 0\r\n"),
            (
                D::Length(u64::MAX),
                P::KeepAlive,
                "Content-Type: text/html\r\nContent-Length: 18446744073709551615\r\nConnection: keep-alive\r\n",
            ),
            (D::Chunked, P::Closes, "Content-Type: text/html\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"),
            (D::None, P::Persists, ""),
            (D::Close, P::Persists, "Content-Type: text/html\r\nConnection: close\r\n"),
        ] {
            let head = written(&[], delimiter, persistence, 200).unwrap().unwrap();
            assert_eq!(head, std::format!("HTTP/1.1 200 OK\r\n{wanted}\r\n"), "{delimiter:?} {persistence:?}");
        }
    }

    #[test]
    fn a_field_of_the_application_is_refused_or_written() {
        let cases: &[(&str, &[u8], Result<(), FieldError>)] = &[
            ("X-Sum", b"55", Ok(())),
            ("X-Sum", b"", Ok(())),
            ("X-Sum", b"a\tb \xe9", Ok(())),
            ("X-Sum", b"a\rb", Err(FieldError::Value)),
            ("X-Sum", b"a\nb", Err(FieldError::Value)),
            ("X-Sum", b"a\0b", Err(FieldError::Value)),
            ("X-Sum", b"a\x7fb", Err(FieldError::Value)),
            ("", b"1", Err(FieldError::Name)),
            ("X Sum", b"1", Err(FieldError::Name)),
            ("X-Sum:", b"1", Err(FieldError::Name)),
            ("X\r\nY", b"1", Err(FieldError::Name)),
            ("content-LENGTH", b"1", Err(FieldError::Reserved)),
            ("Content-Lengths", b"1", Ok(())),
            ("Transfer-Encoding", b"chunked", Err(FieldError::Reserved)),
            ("Connection", b"close", Err(FieldError::Reserved)),
            ("Date", b"now", Err(FieldError::Reserved)),
        ];
        for &(name, value, wanted) in cases {
            let head = written(&[(name, value)], Delimiter::None, Persistence::Persists, 200).map(|_| ());
            assert_eq!(head, wanted, "{name}: {value:?}");
        }
    }

    #[test]
    fn a_value_in_parts_is_checked_as_a_whole_one() {
        let cases: &[(&str, &[&[u8]], Result<&str, FieldError>)] = &[
            ("X-A", &[b"a", b"", b"; b=", b"c"], Ok("X-A: a; b=c\r\n")),
            ("X-A", &[], Ok("X-A: \r\n")),
            ("X-A", &[b"a", b"b\n"], Err(FieldError::Value)),
            ("X-A", &[b"\r", b"b"], Err(FieldError::Value)),
            ("X A", &[b"a"], Err(FieldError::Name)),
            ("Date", &[], Err(FieldError::Reserved)),
        ];
        for &(name, parts, wanted) in cases {
            let (mut bytes, mut state) = ([0; 100], HeadState::NEW);
            HeadWriter::new(&mut bytes, &mut state).field_of(name, parts);
            let written = str::from_utf8(&bytes[..state.length().unwrap()]).unwrap();
            assert_eq!(state.error().map_or(Ok(written), Err), wanted, "{name} {parts:?}");
        }
    }

    #[test]
    fn the_applications_type_stands_alone() {
        let head = written(&[("content-type", b"text/plain")], Delimiter::Length(1), Persistence::Persists, 200);
        assert_eq!(head.unwrap().unwrap(), "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nContent-Length: 1\r\n\r\n");
    }

    #[test]
    fn room_at_below_and_above() {
        let whole = written(&[("A", b"b")], Delimiter::Length(10), Persistence::Closes, 500).unwrap().unwrap();
        for room in 0..whole.len() + 2 {
            let head = written(&[("A", b"b")], Delimiter::Length(10), Persistence::Closes, room).unwrap();
            assert_eq!(head.is_some(), room >= whole.len(), "{room}");
        }
    }

    #[test]
    fn allow_lists_methods() {
        let mut bytes = [0; 100];
        let mut state = HeadState::NEW;
        let mut head = HeadWriter::new(&mut bytes, &mut state);
        head.begin(StatusCode::METHOD_NOT_ALLOWED, None);
        head.allow(&mut |tell| {
            tell("GET");
            tell("HEAD");
        });
        let length = head.end(Delimiter::Length(0), Persistence::Persists, "").unwrap().unwrap();
        let wanted = b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(&bytes[..length], wanted);
    }

    #[test]
    fn a_status_without_a_phrase() {
        let mut bytes = [0; 100];
        let mut state = HeadState::NEW;
        let mut head = HeadWriter::new(&mut bytes, &mut state);
        head.begin(StatusCode::new(299).unwrap(), None);
        let length = head.end(Delimiter::None, Persistence::Persists, "").unwrap().unwrap();
        assert_eq!(&bytes[..length], b"HTTP/1.1 299 \r\n\r\n");
    }

    #[test]
    fn numbers() {
        for number in [0, 1, 9, 10, 15, 16, 255, 256, 99_999, u64::from(u32::MAX), u64::MAX] {
            let text = number.to_string();
            assert_eq!(decimal(number, &mut [0; 20]), text.as_bytes());
            if let Ok(bytes) = usize::try_from(number) {
                let wanted: Vec<u8> = std::format!("{bytes:x}\r\n").into_bytes();
                assert_eq!(chunk_size(bytes, &mut [0; CHUNK_SIZE_BYTES_MAX]), wanted);
            }
        }
    }
    use std::string::ToString;
}
