//! What a request is aimed at: RFC 9112 section 3.2, RFC 3986 sections 2.1 and 3.

use crate::{bytes, head::TargetForm};
use core::{
    fmt::{self, Write},
    ops::Range,
};

/// Bytes of the decoded text that [`Encoded::parse`] can take at the most: no number or address is longer.
pub const PARSED_BYTES_MAX: usize = 64;

/// A request-target that the head parser accepted, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The authority of an absolute form, without user information.
    pub authority: Option<&'a str>,
    /// The path, percent-encoded as sent: `/` at the front, `/` for an absolute form without one, `*` for the asterisk form.
    pub path: &'a str,
    /// The query behind the first `?`, percent-encoded as sent.
    pub query: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// Takes `text`, a target that the head parser accepted as of that form, apart.
    ///
    /// Any other text is taken apart somehow, without a panic.
    ///
    /// # Examples
    /// ```
    /// use tenure_proto::{head::TargetForm, target::Target};
    ///
    /// let target = Target::new("http://a:8080?sum=1", TargetForm::Absolute);
    /// assert_eq!((target.authority, target.path, target.query), (Some("a:8080"), "/", Some("sum=1")));
    /// ```
    pub fn new(text: &'a str, form: TargetForm) -> Self {
        let bytes = text.as_bytes();
        let of = |range: Range<usize>| text.get(range).unwrap_or_default();
        let (path_at, path_end) = match form {
            TargetForm::Asterisk => return Target { authority: None, path: text, query: None },
            TargetForm::Origin | TargetForm::Absolute => path_range(bytes, form),
        };
        let authority = (form == TargetForm::Absolute).then(|| {
            let authority = bytes.get(authority_offset(bytes)..path_at).unwrap_or_default();
            let user = authority.iter().rposition(|&byte| byte == b'@').map_or(0, |at| at + 1);
            of(path_at - authority.len() + user..path_at)
        });
        let query = (path_end < bytes.len()).then(|| of(path_end + 1..bytes.len()));
        // RFC 9110 section 4.2.3: an empty path means `/`.
        Target { authority, path: if path_at == path_end { "/" } else { of(path_at..path_end) }, query }
    }
}

/// Where the authority of an absolute form begins: RFC 3986 section 3.
fn authority_offset(target: &[u8]) -> usize {
    (bytes::find(target, 0, [b':'; 2]) + 3).min(target.len())
}

/// Where the path of a target begins, behind the authority of an absolute form, and where it ends: RFC 3986 section 3.
fn path_range(target: &[u8], form: TargetForm) -> (usize, usize) {
    let start = match form {
        TargetForm::Absolute => bytes::find(target, authority_offset(target), [b'/', b'?']),
        _ => 0,
    };
    (start, bytes::find(target, start, [b'?'; 2]))
}

/// Where the path of a target begins: behind scheme and authority of an absolute form.
#[cold]
pub fn path_offset(target: &[u8], form: TargetForm) -> usize {
    path_range(target, form).0
}

/// The path of a target; empty where an absolute form has none.
#[cold]
pub fn path(target: &[u8], form: TargetForm) -> &[u8] {
    let (start, end) = path_range(target, form);
    target.get(start..end).unwrap_or_default()
}

/// Percent-encoded text as it was sent, decoded on the fly: nothing is allocated.
///
/// It is compared with plain text by its decoded bytes, and displayed decoded. In what is displayed, bytes that are not UTF-8 are
/// replaced by U+FFFD, and a broken escape of a path stands for itself; [`decode`](Encoded::decode) and [`parse`](Encoded::parse) refuse
/// both. Its `Debug` is decoded, too, in quotes and with controls escaped: fit for a log.
///
/// # Examples
/// ```
/// use tenure_proto::target::Encoded;
///
/// let name = Encoded::path("K%C3%BCche");
/// assert_eq!(format!("{name}, sent as {}", name.as_encoded()), "K\u{fc}che, sent as K%C3%BCche");
/// ```
#[derive(Clone, Copy)]
pub struct Encoded<'a> {
    /// UTF-8.
    raw: &'a [u8],
    /// Of a query, not of a path.
    is_query: bool,
    /// It is known to decode to itself.
    plain: bool,
}

/// Why encoded text cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// A `%` of a path without two hexadecimal digits behind it.
    Escape,
    /// The decoded bytes are not UTF-8.
    Utf8,
    /// The buffer is smaller than the decoded text.
    Space,
    /// The decoded text does not parse as what was asked for.
    Value,
}

impl DecodeError {
    /// What was wrong, for a person.
    pub const fn reason(self) -> &'static str {
        match self {
            DecodeError::Escape => "a % must be followed by two hexadecimal digits",
            DecodeError::Utf8 => "the decoded text is not UTF-8",
            DecodeError::Space => "the decoded text is too long",
            DecodeError::Value => "the value is not of the kind that is wanted here",
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for DecodeError {}

impl<'a> Encoded<'a> {
    /// Text of a path, where `+` is itself.
    pub const fn path(raw: &'a str) -> Self {
        Encoded { raw: raw.as_bytes(), is_query: false, plain: false }
    }

    /// Text of a path in a target that was parsed; `encoded`: something in it is percent-encoded
    /// ([`Head::encoded`](crate::head::Head::encoded)). Where the bytes are not UTF-8, the text is empty.
    pub const fn of_target(raw: &'a [u8], encoded: bool) -> Self {
        Encoded { raw, is_query: false, plain: !encoded }
    }

    /// Text of a query, where `+` is a space and a `%` that begins no escape stands for itself (the form encoding of the URL
    /// standard).
    pub const fn query(raw: &'a str) -> Self {
        Encoded { raw: raw.as_bytes(), is_query: true, plain: false }
    }

    /// The text as it was sent, still encoded.
    #[doc(alias = "raw")]
    pub const fn as_encoded(&self) -> &'a str {
        match core::str::from_utf8(self.raw) {
            Ok(raw) => raw,
            Err(_) => "",
        }
    }

    /// The decoded bytes, one by one; a broken escape of a path yields an error and ends.
    pub fn bytes(&self) -> impl Iterator<Item = Result<u8, DecodeError>> + 'a {
        let mut rest = *self;
        core::iter::from_fn(move || rest.next())
    }

    /// Takes the first byte off.
    fn next(&mut self) -> Option<Result<u8, DecodeError>> {
        let (taken, byte) = match *self.raw.first()? {
            b'%' => match bytes::escape(self.raw) {
                Some(byte) => (3, Ok(byte)),
                None if self.is_query => (1, Ok(b'%')),
                // A broken escape ends the text: what stands behind it has no meaning that all would agree on.
                None => (self.raw.len(), Err(DecodeError::Escape)),
            },
            b'+' if self.is_query => (1, Ok(b' ')),
            byte => (1, Ok(byte)),
        };
        self.raw = self.raw.get(taken..).unwrap_or_default();
        Some(byte)
    }

    /// The decoded text, borrowed, where nothing in it is encoded.
    pub fn as_plain(&self) -> Option<&'a str> {
        if self.is_plain() { core::str::from_utf8(self.raw).ok() } else { None }
    }

    /// The decoded text: borrowed as it was sent where nothing is encoded, else written into `buffer`.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b str, DecodeError>
    where
        'a: 'b,
    {
        if self.is_plain() {
            return core::str::from_utf8(self.raw).map_err(|_| DecodeError::Utf8);
        }
        let mut length = 0;
        for byte in self.bytes() {
            *buffer.get_mut(length).ok_or(DecodeError::Space)? = byte?;
            length += 1;
        }
        core::str::from_utf8(&buffer[..length]).map_err(|_| DecodeError::Utf8)
    }

    /// Parses the decoded text, which may have [`PARSED_BYTES_MAX`] bytes at the most where something is encoded.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn parse<T: core::str::FromStr>(&self) -> Result<T, DecodeError> {
        self.decode(&mut [0; PARSED_BYTES_MAX])?.parse().map_err(|_| DecodeError::Value)
    }

    /// Whether the decoded bytes are these; a broken escape of a path is equal to nothing.
    #[inline]
    pub fn is(&self, bytes: &[u8]) -> bool {
        if self.plain { self.raw == bytes } else { is_decoded(*self, bytes) }
    }

    /// Tells the decoded characters. Bytes that are not UTF-8 are U+FFFD.
    fn tell(mut self, tell: &mut dyn FnMut(char) -> fmt::Result) -> fmt::Result {
        // A character has four bytes at the most.
        let (mut bytes, mut length) = ([0; 4], 0);
        loop {
            while length < bytes.len() {
                let raw = self.raw;
                bytes[length] = match self.next() {
                    None => break,
                    Some(Ok(byte)) => byte,
                    Some(Err(_)) => {
                        // The percent sign stands for itself.
                        self.raw = &raw[1..];
                        raw[0]
                    }
                };
                length += 1;
            }
            let Some(chunk) = bytes[..length].utf8_chunks().next() else { return Ok(()) };
            let (character, taken) = match chunk.valid().chars().next() {
                Some(character) => (character, character.len_utf8()),
                None => (char::REPLACEMENT_CHARACTER, chunk.invalid().len()),
            };
            tell(character)?;
            bytes.copy_within(taken..length, 0);
            length -= taken;
        }
    }

    /// Whether the text decodes to itself.
    fn is_plain(&self) -> bool {
        self.plain || !self.raw.iter().any(|&byte| byte == b'%' || (byte == b'+' && self.is_query))
    }
}

/// The decoded text. Width and precision are left out of account.
impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(&mut |character| f.write_char(character))
    }
}

/// The decoded text in quotes, as that of a `str`.
impl fmt::Debug for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        self.tell(&mut |character| character.escape_debug().try_for_each(|character| f.write_char(character)))?;
        f.write_char('"')
    }
}

/// Whether the decoded bytes are those of the text; a broken escape of a path is equal to nothing.
impl PartialEq<str> for Encoded<'_> {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        self.is(other.as_bytes())
    }
}

// By value: what is compared at once is never in memory.
#[inline(never)]
fn is_decoded(mut text: Encoded<'_>, other: &[u8]) -> bool {
    other.iter().all(|&byte| text.next() == Some(Ok(byte))) && text.raw.is_empty()
}

/// As with `str`.
impl PartialEq<&str> for Encoded<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

/// The segments of a path, those between its `/`, as sent.
///
/// One leading `/` opens the first segment; an empty segment is told like any other, so `/` has one empty segment and
/// `/a/` has `a` and an empty one. The asterisk form has the segment `*`.
pub fn segments(path: &str) -> impl Iterator<Item = Encoded<'_>> {
    path.strip_prefix('/').unwrap_or(path).split('/').map(Encoded::path)
}

/// Where percent-encoded text of a path, decoded and joined to a folder's path, would lead out of the folder on Unix or
/// Windows; `None` where it stays inside.
///
/// Both slashes part the decoded text. It leads out where it begins with one, where a part is `.` or `..` (alone or
/// before a blank), and at a NUL; with `drives` also where a part begins with a letter and a colon, which Windows takes for a
/// drive. What is told is the offset of the byte that shows it: the slash, what stands behind the dots, the colon, the NUL. A
/// broken escape is not decoded.
///
/// # Examples
/// ```
/// use tenure_proto::target::leaves_folder_at;
///
/// assert_eq!(leaves_folder_at(b"img/%2E%2E/secret", true), Some(10));
/// assert_eq!(leaves_folder_at(b"img/..png", true), None);
/// assert_eq!(leaves_folder_at(b"C:", true), Some(1));
/// assert_eq!(leaves_folder_at(b"C:", false), None);
/// ```
pub fn leaves_folder_at(path: &[u8], drives: bool) -> Option<usize> {
    // What a part has so far: up to two dots, a letter, or anything else.
    const LETTER: u8 = 3;
    const OTHER: u8 = 4;
    let (mut at, mut part) = (0, 0);
    loop {
        let (byte, taken) = first_decoded(path.get(at..)?);
        // The end of the text is that of its last part.
        let ends = taken == 0 || matches!(byte, b'/' | b'\\');
        let is_dots = matches!(part, 1 | 2);
        let leaves = match byte {
            _ if ends => is_dots || at == 0 && taken != 0,
            // Windows drops blanks at the end of a path.
            b' ' => is_dots,
            b':' => drives && part == LETTER,
            byte => byte == 0,
        };
        if leaves {
            return Some(at);
        }
        if taken == 0 {
            return None;
        }
        part = match byte {
            _ if ends => 0,
            b'.' if part < 2 => part + 1,
            _ if part == 0 && byte.is_ascii_alphabetic() => LETTER,
            _ => OTHER,
        };
        at += taken;
    }
}

/// The byte that percent-encoded text of a path begins with, decoded, and how many bytes stand for it: none at its end. A
/// broken escape is not decoded.
#[inline(never)]
pub fn first_decoded(text: &[u8]) -> (u8, usize) {
    match (bytes::escape(text), text) {
        (Some(byte), _) => (byte, 3),
        (None, &[byte, ..]) => (byte, 1),
        (None, []) => (0, 0),
    }
}

/// The pairs of a query: names and values, split at `&` and the first `=`; a name without `=` has an empty value. What is
/// empty between two `&` is passed over.
pub fn pairs(query: &str) -> impl Iterator<Item = (Encoded<'_>, Encoded<'_>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (Encoded::query(name), Encoded::query(value))
    })
}
