//! What a request is aimed at: RFC 9112 section 3.2, RFC 3986 sections 2.1 and 3.

use crate::head::TargetForm;

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
    pub fn new(text: &'a str, form: TargetForm) -> Self {
        let _ = (text, form);
        unimplemented!()
    }
}

/// Percent-encoded text as it was sent, decoded on the fly: nothing is allocated.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a> {
    raw: &'a str,
    plus_is_space: bool,
}

/// Why encoded text cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// A `%` without two hexadecimal digits behind it.
    Escape,
    /// The decoded octets are not UTF-8.
    Utf8,
    /// The buffer is smaller than the decoded text.
    Space,
    /// The decoded text does not parse as what was asked for.
    Value,
}

impl<'a> Encoded<'a> {
    /// Text of a path, where `+` is itself.
    pub const fn path(raw: &'a str) -> Self {
        Encoded { raw, plus_is_space: false }
    }

    /// Text of a query, where `+` is a space (the form encoding of the URL standard).
    pub const fn query(raw: &'a str) -> Self {
        Encoded { raw, plus_is_space: true }
    }

    /// The text as it was sent.
    pub const fn raw(&self) -> &'a str {
        self.raw
    }

    /// The decoded octets, one by one; a broken escape yields an error and ends.
    pub fn octets(&self) -> impl Iterator<Item = Result<u8, DecodeError>> + 'a {
        let _ = self.plus_is_space;
        core::iter::empty()
    }

    /// The decoded text: borrowed as it was sent where nothing is encoded, else written into `buffer`.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b str, DecodeError>
    where
        'a: 'b,
    {
        let _ = buffer;
        unimplemented!()
    }

    /// Parses the decoded text, which may have 64 octets at the most.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn parse<T: core::str::FromStr>(&self) -> Result<T, DecodeError> {
        unimplemented!()
    }
}

/// Whether the decoded octets are those of the text.
impl PartialEq<str> for Encoded<'_> {
    fn eq(&self, other: &str) -> bool {
        let _ = other;
        unimplemented!()
    }
}

/// The segments of a path, those between its `/`, as sent.
pub fn segments(path: &str) -> impl Iterator<Item = Encoded<'_>> {
    let _ = path;
    core::iter::empty()
}

/// Whether a segment, decoded, is `.` or `..`: RFC 3986 section 3.3. Such a segment must never reach a file system.
pub fn is_dot_segment(segment: &str) -> bool {
    let _ = segment;
    unimplemented!()
}

/// The pairs of a query: names and values, split at `&` and the first `=`; a name without `=` has an empty value.
pub fn pairs(query: &str) -> impl Iterator<Item = (Encoded<'_>, Encoded<'_>)> {
    let _ = query;
    core::iter::empty()
}
