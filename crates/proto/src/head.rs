//! Where a request head ends and what it says: RFC 9112 sections 2 to 6, RFC 9110 sections 5, 7.2, 7.6.1 and 10.1.1.

mod authority;
mod fields;
mod line;
mod meaning;
mod memo;
mod section;
mod slow;

use crate::{bytes, framing::Framing, method::Method, refusal::Refusal};
use core::num::NonZeroU32;

pub use fields::Fields;
pub use memo::HeadMemo;

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

/// A run of bytes, as offsets into the slice that was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes of this span, empty where `bytes` does not reach that far.
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start as usize..self.end as usize).unwrap_or_default()
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
    /// Whether something in the target is percent-encoded (RFC 3986 section 2.1).
    pub encoded: bool,
    /// Where the method's token stands.
    pub token: Span,
    /// Where the request-target stands, whole.
    pub target: Span,
    /// Where the field lines stand, each with its line end, without the empty line.
    pub fields: Span,
    /// Bytes of the head, accepted empty lines before it and the one that ends it included.
    pub bytes: u32,
    /// Why the request is not taken although it is whole and its framing is certain: the body is read as any other, and the
    /// connection may persist. `form` and `encoded` say nothing then.
    pub refusal: Option<Refusal>,
    /// Offset of the byte of the target that is refused, where that is the reason; of the one behind it where the target ends
    /// too early, as `http://` does.
    pub refused_at: Option<NonZeroU32>,
}

impl Head {
    /// Before there is one: all zero.
    const NONE: Head = Head {
        method: Method::Get,
        version: Version::Http10,
        form: TargetForm::Origin,
        framing: Framing::Empty,
        persistent: false,
        expects_continue: false,
        encoded: false,
        token: Span { start: 0, end: 0 },
        target: Span { start: 0, end: 0 },
        fields: Span { start: 0, end: 0 },
        bytes: 0,
        refusal: None,
        refused_at: None,
    };

    /// Which byte of the target is refused, counted from 0, and that byte: the blank behind it where the target ends too early.
    /// `bytes` are those that were parsed.
    pub fn refused_byte(&self, bytes: &[u8]) -> Option<(u32, u8)> {
        let at = self.refused_at?.get();
        Some((at - self.target.start, *bytes.get(at as usize)?))
    }
}

/// Bounds of a request head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of a head at the most, all of it counted; one more is [`Refusal::HeadTooLarge`] (431).
    pub head_bytes_max: u32,
    /// Bytes of a request-target at the most; one more is [`Refusal::TargetTooLong`] (414).
    pub target_bytes_max: u32,
    /// Whether a lone LF ends a line (RFC 9112 section 2.2 permits it); otherwise it is refused.
    pub tolerate_lone_lf: bool,
}

/// Where the parse of one request head stands.
///
/// Plain data: it may be put away with the bytes of an incomplete head and taken up again with more of them.
#[derive(Clone, Copy, Debug)]
pub struct HeadParser {
    phase: Phase,
    method: Method,
    version: Version,
    form: TargetForm,
    body: Body,
    encoded: bool,
    /// Of [`meaning`]'s flags, those that hold.
    seen: u8,
    /// Bytes of the empty lines before the request line.
    lead: u8,
    /// Why the target is not taken.
    refusal: Option<Refusal>,
    /// The byte of the target that is refused.
    refused_at: Option<NonZeroU32>,
    /// The first byte that has not been read.
    at: u32,
    target: Span,
    /// The first field line.
    fields: u32,
    /// Where the phase began.
    part: u32,
    /// The field line that is being read, or the empty one.
    line: u32,
    /// The value of Content-Length, 0 where there is none.
    length: u64,
}

/// What is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The method, or an empty line before it.
    Start,
    /// The same, behind one empty line.
    SecondStart,
    Method,
    /// The target's first byte.
    Target,
    Scheme,
    Authority,
    PathAndQuery,
    /// A query with a `%` that stands for itself.
    Query,
    /// Behind a target that is an asterisk.
    Asterisk,
    /// A target that is refused, up to its end.
    Refused,
    Version,
    /// The start of a field line, or the empty line.
    Line,
    Name,
    Value,
    End,
}

/// What the fields have said about the body so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Nothing,
    Length,
    /// Transfer-Encoding was there, but no coding yet.
    Codings,
    Chunked,
}

impl Default for HeadParser {
    fn default() -> Self {
        Self::new()
    }
}

impl HeadParser {
    /// A parser before its first byte.
    pub const fn new() -> Self {
        // All zero: method and version are set before anything asks for them.
        HeadParser {
            phase: Phase::Start,
            method: Method::Get,
            version: Version::Http10,
            form: TargetForm::Origin,
            body: Body::Nothing,
            encoded: false,
            seen: 0,
            lead: 0,
            refusal: None,
            refused_at: None,
            at: 0,
            target: Span { start: 0, end: 0 },
            fields: 0,
            part: 0,
            line: 0,
            length: 0,
        }
    }

    /// Ready for the next head behind one that is complete.
    pub fn renew(&mut self) {
        // A head that was recalled has not been read.
        if self.phase != Phase::Start {
            *self = HeadParser::new();
        }
    }

    /// Reads on. `bytes` is all that has been received from the request's first byte on: the bytes of an earlier call
    /// first, unchanged, then what has come since; what stands behind the head is not looked at.
    ///
    /// `Ok(None)`: incomplete, call again with more. After a complete head start with a new parser. The outcome does not
    /// depend on how the bytes were split. Nothing that is passed in makes it panic.
    ///
    /// # Errors
    /// A [`Refusal`] is final: the connection must close. One that need not close it comes with a head
    /// ([`Head::refusal`]).
    pub fn parse(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<Head>, Refusal> {
        let mut head = Head::NONE;
        Ok(self.parse_into(&mut head, bytes, limits)?.then_some(head))
    }

    /// The same in place; `false`: incomplete.
    #[cfg_attr(target_pointer_width = "32", inline(always))]
    fn parse_into(&mut self, head: &mut Head, bytes: &[u8], limits: &HeadLimits) -> Result<bool, Refusal> {
        let complete = self.read(bounded(bytes, limits), limits)?;
        self.outcome(complete, head, bytes, limits)
    }

    /// What has come of reading `bytes`.
    #[inline(always)]
    fn outcome(&self, complete: bool, head: &mut Head, bytes: &[u8], limits: &HeadLimits) -> Result<bool, Refusal> {
        if complete {
            self.head(head)?;
        } else if bytes.len() >= limits.head_bytes_max as usize {
            // RFC 9112 section 3: a method longer than any that is implemented is 501.
            let is_method = self.phase == Phase::Method;
            return Err(if is_method { Refusal::MethodTooLong } else { Refusal::HeadTooLarge });
        }
        Ok(complete)
    }

    /// Reads on, up to the head's end; `false`: the bytes are used up before.
    #[inline(always)]
    fn read(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<bool, Refusal> {
        if !bytes::WORDS {
            return self.read_slowly(bytes, limits);
        }
        if self.phase == Phase::Start && !self.usual_line(bytes, limits) && !self.read_slowly(bytes, limits)? {
            return Ok(false);
        }
        self.field_section(bytes, limits)
    }

    /// What the whole head says, decided at its end.
    #[inline(always)]
    fn head(&self, head: &mut Head) -> Result<(), Refusal> {
        if self.body == Body::Codings {
            return Err(Refusal::UnsupportedCoding);
        }
        let framing = match self.body {
            Body::Chunked => Framing::Chunked,
            _ if self.length == 0 => Framing::Empty,
            _ => Framing::Length(self.length),
        };
        let mut refusal = self.refusal;
        // In HTTP/1.0 neither counts.
        if self.version == Version::Http11 && self.seen & (meaning::HOST | meaning::UNMET) != meaning::HOST {
            // RFC 9112 section 3.2: an HTTP/1.1 client must send Host.
            if self.seen & meaning::HOST == 0 {
                return Err(Refusal::HostMissing);
            }
            // A body may come or not: its client waits for what is not done here.
            if framing != Framing::Empty {
                return Err(Refusal::UnmetExpectation);
            }
            refusal = refusal.or(Some(Refusal::UnmetExpectation));
        }
        *head = Head {
            method: self.method,
            version: self.version,
            form: self.form,
            framing,
            persistent: self.persistent(),
            expects_continue: self.seen & meaning::CONTINUE != 0 && framing != Framing::Empty,
            encoded: self.encoded,
            token: Span { start: u32::from(self.lead), end: self.target.start - 1 },
            target: self.target,
            fields: Span { start: self.fields, end: self.line },
            bytes: self.at,
            refusal,
            refused_at: self.refused_at,
        };
        Ok(())
    }

    /// RFC 9112 section 9.3.
    #[inline(always)]
    fn persistent(&self) -> bool {
        match self.version {
            Version::Http11 => self.seen & meaning::CLOSE == 0,
            Version::Http10 => self.seen & (meaning::CLOSE | meaning::KEEP_ALIVE) == meaning::KEEP_ALIVE,
        }
    }
}

/// No byte beyond the bound is looked at, or the outcome would depend on how many come at once.
#[inline(always)]
fn bounded<'o>(bytes: &'o [u8], limits: &HeadLimits) -> &'o [u8] {
    bytes.get(..limits.head_bytes_max as usize).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::{format, string::String};

    /// What was read is not read again: the resume point keeps up with the bytes that come, whatever they are of.
    #[test]
    fn the_resume_point_keeps_up() {
        // A version and its line end are read anew until they are whole.
        const BEHIND_MAX: usize = "HTTP/1.1\r".len();
        let long = "a-b.c".repeat(600);
        let limits = HeadLimits { head_bytes_max: 8192, target_bytes_max: 4096, tolerate_lone_lf: false };
        for (line, field) in [
            (format!("GET /{long} HTTP/1.1"), format!("A: {long}")),
            (format!("{long} / HTTP/1.1"), format!("{long}: a")),
            (format!("GET http://{long}/ HTTP/1.1"), "A: b\r\n".repeat(800)),
            (
                format!("\r\nPUT http://a/?{} HTTP/1.0", "%41".repeat(1000)),
                format!("Connection: {}", "a,".repeat(1500)),
            ),
        ] {
            let text: String = format!("{line}\r\nHost: a\r\n{}\r\n\r\n", field.trim_end());
            let mut parser = HeadParser::new();
            for end in 1..text.len() {
                let before = parser.at;
                assert_eq!(parser.parse(&text.as_bytes()[..end], &limits), Ok(None), "{end} bytes of {text:?}");
                let at = parser.at as usize;
                assert!(
                    parser.at >= before && at <= end && end - at <= BEHIND_MAX,
                    "at {at} after {end} bytes of {text:?}"
                );
            }
            assert!(matches!(parser.parse(text.as_bytes(), &limits), Ok(Some(_))), "case {text:?}");
        }
    }

    /// The short ways of a whole head and the long way of its pieces decide the same.
    #[test]
    fn a_usual_line_is_read_alike_in_pieces() {
        let limits = HeadLimits { head_bytes_max: 8192, target_bytes_max: 16, tolerate_lone_lf: false };
        for (line, usual) in [
            ("GET / HTTP/1.1\r\n", true),
            ("POST /a%20b?c HTTP/1.1\r\n", true),
            ("DELETE /123456789012345 HTTP/1.1\r\n", true),
            ("GET /1234567890123456 HTTP/1.1\r\n", false),
            ("GET /a%2 HTTP/1.1\r\n", false),
            ("GET / HTTP/1.0\r\n", false),
            ("GET /[a]{b}?|^\\` HTTP/1.1\r\n", true),
            ("GET / HTTP/1.1\n\n", false),
            ("CONNECT /a HTTP/1.1\r\n", false),
            ("GET  / HTTP/1.1\r\n", false),
            (" / HTTP/1.1\r\n", false),
        ] {
            let (mut short, mut long) = (HeadParser::new(), HeadParser::new());
            let taken = short.usual_line(line.as_bytes(), &limits);
            assert_eq!(taken, usual && bytes::WORDS, "case {line:?}");
            let read = long.read_slowly(line.as_bytes(), &limits);
            let is_good = read.is_ok() && long.refusal.is_none() && long.version == Version::Http11;
            assert_eq!(is_good, usual, "case {line:?}");
            if taken {
                assert_eq!(format!("{short:?}"), format!("{long:?}"), "case {line:?}");
            }
        }
    }
}
