//! What the fields say that decide over the connection and the framing.

use super::{Body, HeadParser, Version, authority};
use crate::{bytes, refusal::Refusal};

/// Host was there.
pub(super) const HOST: u8 = 1;
/// Connection has `close`.
pub(super) const CLOSE: u8 = 1 << 1;
/// Connection has `keep-alive`.
pub(super) const KEEP_ALIVE: u8 = 1 << 2;
/// Expect has `100-continue`.
pub(super) const CONTINUE: u8 = 1 << 3;
/// Expect has something else.
pub(super) const UNMET: u8 = 1 << 4;

/// Whether a field of a name that long, with that first byte, can be one of those that [`HeadParser::field`] reads.
pub(super) fn may_matter(bytes: usize, first: u8) -> bool {
    // Bit 5 is the case of a letter. Another byte that becomes one of these letters does no harm: the name is compared.
    matches!((bytes, first | 0x20), (4, b'h') | (6, b'e') | (10 | 14, b'c') | (17, b't'))
}

/// The fields that decide something: no two are of one length, which tells which it is.
const KNOWN: [&str; 5] = ["host", "expect", "connection", "content-length", "transfer-encoding"];

impl HeadParser {
    /// Takes one whole field line in.
    #[inline(never)]
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        let Some(&known) = KNOWN.iter().find(|known| bytes::is_folded(name, known)) else { return Ok(()) };
        let http10 = self.version == Version::Http10;
        match known.len() {
            4 => return self.host(bytes::trim(value)),
            // RFC 9110 section 10.1.1: an expectation in HTTP/1.0 is to be ignored.
            6 if http10 => return Ok(()),
            // RFC 9112 section 6.1.
            17 if http10 => return Err(Refusal::EncodingInHttp10),
            17 if self.body == Body::Length => return Err(Refusal::LengthAndEncoding),
            17 if self.body == Body::Nothing => self.body = Body::Codings,
            _ => {}
        }
        let mut rest = Some(value);
        while let Some(list) = rest {
            let member;
            (member, rest) = first_member(list);
            match known.len() {
                14 => self.content_length(member)?,
                // RFC 9110 section 5.6.1.2: empty members of a list do not count.
                _ if member.is_empty() => {}
                6 if bytes::is_folded(member, "100-continue") => self.seen |= CONTINUE,
                6 => self.seen |= UNMET,
                // RFC 9110 section 7.6.1.
                10 if bytes::is_folded(member, "close") => self.seen |= CLOSE,
                10 if bytes::is_folded(member, "keep-alive") => self.seen |= KEEP_ALIVE,
                10 => {}
                _ if self.body == Body::Chunked => return Err(Refusal::ChunkedNotLast),
                _ if bytes::is_folded(member, "chunked") => self.body = Body::Chunked,
                _ => return Err(Refusal::UnsupportedCoding),
            }
        }
        Ok(())
    }

    /// RFC 9112 section 3.2. An empty value stands for a target without an authority.
    fn host(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.seen & HOST != 0 {
            return Err(Refusal::HostRepeated);
        }
        if !value.is_empty() && !authority::is_valid(value) {
            return Err(Refusal::BadHost);
        }
        self.seen |= HOST;
        Ok(())
    }

    /// RFC 9110 section 8.6: a value that is sent several times, as fields or as a list, counts once. It is no list
    /// otherwise, so an empty member is refused.
    #[inline(never)]
    fn content_length(&mut self, member: &[u8]) -> Result<(), Refusal> {
        let length = bytes::number(member).ok_or(Refusal::BadContentLength)?;
        match self.body {
            Body::Nothing => (self.body, self.length) = (Body::Length, length),
            Body::Length if self.length == length => {}
            Body::Length => return Err(Refusal::ContentLengthsDiffer),
            // RFC 9112 section 6.1 lets a server drop the length and go on; section 6.3 says that this "ought to be
            // handled as an error". No client needs the leniency.
            Body::Codings | Body::Chunked => return Err(Refusal::LengthAndEncoding),
        }
        Ok(())
    }
}

/// The first member of a list without blanks, and what stands behind its comma, if there is one.
fn first_member(list: &[u8]) -> (&[u8], Option<&[u8]>) {
    let comma = bytes::find(list, 0, [b','; 2]);
    (bytes::trim(list.get(..comma).unwrap_or_default()), list.get(comma + 1..))
}
