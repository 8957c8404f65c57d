//! Where a request head ends and what it says: RFC 9112 sections 2 to 6, RFC 9110 sections 5, 7.2, 7.6.1 and 10.1.1.

use crate::{framing::Framing, method::Method, refusal::Refusal};

/// The version that a request is answered as: RFC 9112 section 2.3. Minor versions above 1 are read as 1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// The form of a request-target: RFC 9112 section 3.2. The authority form belongs to CONNECT, which is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`.
    Origin,
    /// `http://authority/path?query`; its authority wins over Host.
    Absolute,
    /// `*`, with OPTIONS only.
    Asterisk,
}

/// A run of octets, as offsets into the slice that was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    /// Offset of the first octet.
    pub start: u32,
    /// Offset behind the last octet.
    pub end: u32,
}

impl Span {
    /// The octets of this span, empty where `octets` does not reach that far.
    #[inline]
    pub fn of(self, octets: &[u8]) -> &[u8] {
        octets.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// A complete request head: offsets and decisions, no copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// The version that the request is answered as.
    pub version: Version,
    /// The form of the target.
    pub form: TargetForm,
    /// How the body is delimited.
    pub framing: Framing,
    /// Whether the connection may serve another request (RFC 9112 section 9.3).
    pub persistent: bool,
    /// Whether the client waits for `100 (Continue)` (RFC 9110 section 10.1.1).
    pub expects_continue: bool,
    /// Where the method's token stands.
    pub token: Span,
    /// Where the request-target stands, whole.
    pub target: Span,
    /// Where the field lines stand, each with its line end, without the empty line.
    pub fields: Span,
    /// Octets of the head, an accepted empty line before it and the one that ends it included.
    pub octets: u32,
}

/// Bounds of a request head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Octets of a head at the most, all of it counted; one more is [`Refusal::HeadTooLarge`] (431).
    pub head_octets_max: u32,
    /// Octets of a request-target at the most; one more is [`Refusal::TargetTooLong`] (414).
    pub target_octets_max: u32,
    /// Whether a lone LF ends a line (RFC 9112 section 2.2 permits it); otherwise it is refused.
    pub tolerate_lone_lf: bool,
}

/// Where the parse of one request head stands.
///
/// Plain data: it may be put away with the octets of an incomplete head and taken up again with more of them.
#[derive(Clone, Copy, Debug)]
pub struct HeadParser {
    // filled in with the parser
    _todo: u32,
}

impl HeadParser {
    /// A parser before its first octet.
    pub const fn new() -> Self {
        HeadParser { _todo: 0 }
    }

    /// Reads on. `octets` is all that has been received from the request's first octet on: the octets of an earlier call
    /// first, unchanged, then what has come since; what stands behind the head is not looked at.
    ///
    /// `Ok(None)`: incomplete, call again with more. After a complete head start with a new parser.
    ///
    /// # Errors
    /// A [`Refusal`] is final: the connection's framing is lost and it must close.
    pub fn parse(&mut self, octets: &[u8], limits: &HeadLimits) -> Result<Option<Head>, Refusal> {
        let _ = (octets, limits);
        unimplemented!()
    }
}

/// The field lines of a head that [`HeadParser::parse`] accepted, in order; name and value without surrounding blanks.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields in `octets`, which must be the [`Head::fields`] of a head.
    pub fn new(octets: &'a [u8]) -> Self {
        Fields { rest: octets }
    }

    /// The value of the first field of that name; names are case-insensitive.
    pub fn first(&self, name: &str) -> Option<&'a [u8]> {
        let _ = name;
        unimplemented!()
    }
}

impl<'a> Iterator for Fields<'a> {
    /// Name and value.
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let _ = self.rest;
        unimplemented!()
    }
}
