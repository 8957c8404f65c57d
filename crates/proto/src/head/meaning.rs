//! What the fields say that decide over the connection and the framing.

use super::{Body, HeadParser, Version, authority};
use crate::{octets, refusal::Refusal};

/// Host was there.
pub(super) const HOST: u8 = 1;
/// Connection has `close`.
pub(super) const CLOSE: u8 = 1 << 1;
/// Connection has `keep-alive`.
pub(super) const KEEP_ALIVE: u8 = 1 << 2;
/// Expect has `100-continue`.
pub(super) const CONTINUE: u8 = 1 << 3;

/// Whether a field of a name that long, with that first octet, can be one of those that [`HeadParser::field`] reads.
#[inline(always)]
pub(super) fn may_matter(octets: usize, first: u8) -> bool {
    // Bit 5 is the case of a letter. Another octet that becomes one of these letters does no harm: the name is compared.
    matches!((octets, first | 0x20), (4, b'h') | (6, b'e') | (10 | 14, b'c') | (17, b't'))
}

impl HeadParser {
    /// Takes one whole field line in.
    #[inline(never)]
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        let value = octets::trim(value);
        let is = |known| octets::is_folded(name, known);
        match name.len() {
            4 if is("host") => self.host(value),
            6 if is("expect") => self.expect(value),
            10 if is("connection") => {
                self.connection(value);
                Ok(())
            }
            14 if is("content-length") => self.content_length(value),
            17 if is("transfer-encoding") => self.transfer_encoding(value),
            _ => Ok(()),
        }
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

    /// RFC 9110 section 10.1.1: an expectation in HTTP/1.0 is to be ignored.
    fn expect(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.version == Version::Http10 {
            return Ok(());
        }
        for member in members(value) {
            if !octets::is_folded(member, "100-continue") {
                return Err(Refusal::UnmetExpectation);
            }
            self.seen |= CONTINUE;
        }
        Ok(())
    }

    /// RFC 9110 section 7.6.1.
    fn connection(&mut self, value: &[u8]) {
        for member in members(value) {
            if octets::is_folded(member, "close") {
                self.seen |= CLOSE;
            } else if octets::is_folded(member, "keep-alive") {
                self.seen |= KEEP_ALIVE;
            }
        }
    }

    /// RFC 9110 section 8.6: a value that is sent several times, as fields or as a list, counts once. It is no list
    /// otherwise, so an empty member is refused.
    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for member in value.split(|&octet| octet == b',') {
            let length = decimal(octets::trim(member)).ok_or(Refusal::BadContentLength)?;
            match self.body {
                Body::Nothing => (self.body, self.length) = (Body::Length, length),
                Body::Length if self.length == length => {}
                Body::Length => return Err(Refusal::ContentLengthsDiffer),
                // RFC 9112 section 6.1 lets a server drop the length and go on; section 6.3 says that this "ought to be
                // handled as an error". No client needs the leniency.
                Body::Codings | Body::Chunked => return Err(Refusal::LengthAndEncoding),
            }
        }
        Ok(())
    }

    /// RFC 9112 section 6.1.
    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.version == Version::Http10 {
            return Err(Refusal::EncodingInHttp10);
        }
        match self.body {
            Body::Length => return Err(Refusal::LengthAndEncoding),
            Body::Nothing => self.body = Body::Codings,
            Body::Codings | Body::Chunked => {}
        }
        for member in members(value) {
            if self.body == Body::Chunked {
                return Err(Refusal::ChunkedNotLast);
            }
            if !octets::is_folded(member, "chunked") {
                return Err(Refusal::UnsupportedCoding);
            }
            self.body = Body::Chunked;
        }
        Ok(())
    }
}

/// The members of a list: RFC 9110 section 5.6.1.2, by which empty ones do not count.
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&octet| octet == b',').map(octets::trim).filter(|member| !member.is_empty())
}

/// The value of `1*DIGIT`.
fn decimal(digits: &[u8]) -> Option<u64> {
    let add = |value: u64, digit: &u8| match digit {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}
