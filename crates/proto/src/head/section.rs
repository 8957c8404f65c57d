//! Field lines of the usual kind: RFC 9112 section 5.

use super::{Body, HeadLimits, HeadParser, Phase, authority, meaning};
use crate::{bytes, refusal::Refusal};

impl HeadParser {
    /// Reads the field lines on, up to the empty one; `false`: the bytes are used up before.
    #[inline(always)]
    pub(super) fn field_section(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<bool, Refusal> {
        if self.phase == Phase::Line {
            // RFC 9110 section 7.2: a user agent should send Host first. Many requests have a length at the most besides.
            let mut at = self.at as usize;
            at += bytes.get(at..).and_then(|rest| self.usual_host(rest)).unwrap_or(0);
            at += bytes.get(at..).and_then(|rest| self.usual_length(rest)).unwrap_or(0);
            if is_line_end(bytes, at) {
                self.end(at);
                return Ok(true);
            }
            self.at = at as u32;
        }
        self.field_lines(bytes, limits)
    }

    /// The same for any fields, in any order.
    #[inline(never)]
    fn field_lines(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<bool, Refusal> {
        let mut odd = self.phase != Phase::Line;
        let mut at = self.at as usize;
        loop {
            if odd {
                if !self.read_slowly(bytes, limits)? || self.phase == Phase::End {
                    return Ok(self.phase == Phase::End);
                }
                at = self.at as usize;
            }
            let Some(rest) = bytes.get(at..) else { return Ok(false) };
            if is_line_end(rest, 0) {
                self.end(at);
                return Ok(true);
            }
            let line = match self.keep_alive(rest).or_else(|| self.usual_length(rest)) {
                None => self.usual_field(rest, at)?,
                line => line,
            };
            at += line.unwrap_or(0);
            odd = line.is_none();
        }
    }

    /// Notes where the empty line is.
    pub(super) fn end(&mut self, empty_line: usize) {
        self.stand(Phase::End, empty_line, empty_line, empty_line + 2);
    }

    /// Reads a field line that is there as a whole and ends with CR LF; its bytes. Else notes how far it has been read.
    #[inline(always)]
    fn usual_field(&mut self, rest: &[u8], start: usize) -> Result<Option<usize>, Refusal> {
        let colon = bytes::token(rest, 0);
        if rest.get(colon) != Some(&b':') || colon == 0 {
            self.stand(if colon == 0 { Phase::Line } else { Phase::Name }, start, start, start + colon);
            return Ok(None);
        }
        let end = bytes::field_value(rest, colon + 1);
        if !is_line_end(rest, end) {
            self.stand(Phase::Value, start, start + colon + 1, start + end);
            return Ok(None);
        }
        if meaning::may_matter(colon, rest[0]) {
            let (name, value) = rest.get(..end).unwrap_or_default().split_at(colon);
            self.field(name, &value[1..])?;
        }
        Ok(Some(end + 2))
    }

    /// Notes how far a line has been read.
    fn stand(&mut self, phase: Phase, line: usize, part: usize, at: usize) {
        self.phase = phase;
        self.line = line as u32;
        self.part = part as u32;
        self.at = at as u32;
    }

    /// `Host: name:port`, the first one; the bytes of the line.
    #[inline(always)]
    fn usual_host(&mut self, rest: &[u8]) -> Option<usize> {
        if !bytes::word_starts_with(bytes::word(rest)?, "host: ") || self.seen & meaning::HOST != 0 {
            return None;
        }
        let end = authority::usual_end(rest, 6)?;
        if !is_line_end(rest, end) {
            return None;
        }
        self.seen |= meaning::HOST;
        Some(end + 2)
    }

    /// `Content-Length: digits`, the first one; the bytes of the line.
    #[inline(always)]
    fn usual_length(&mut self, rest: &[u8]) -> Option<usize> {
        const NAME: usize = "content-length: ".len();
        let (name, value) = rest.split_first_chunk::<NAME>()?;
        if !bytes::word_starts_with(bytes::word(name)?, "content-")
            || !bytes::word_starts_with(bytes::word(&name[8..])?, "length: ")
        {
            return None;
        }
        let (length, digits) = match value {
            [byte @ b'0'..=b'9', b'\r', b'\n', ..] => (u64::from(byte - b'0'), 1),
            _ => decimal_line(value)?,
        };
        if self.body != Body::Nothing {
            return None;
        }
        self.body = Body::Length;
        self.length = length;
        Some(NAME + digits + 2)
    }

    /// `Connection: keep-alive`; the bytes of the line.
    #[inline(always)]
    fn keep_alive(&mut self, rest: &[u8]) -> Option<usize> {
        let line: &[u8; 24] = rest.first_chunk()?;
        if !bytes::word_starts_with(bytes::word(line)?, "connecti")
            || !bytes::word_starts_with(bytes::word(&line[8..])?, "on: keep")
            || !bytes::word_starts_with(bytes::word(&line[16..])?, "-alive\r\n")
        {
            return None;
        }
        self.seen |= meaning::KEEP_ALIVE;
        Some(line.len())
    }
}

#[inline(always)]
fn is_line_end(bytes: &[u8], at: usize) -> bool {
    bytes.get(at..).and_then(<[u8]>::first_chunk) == Some(b"\r\n")
}

/// The value and the count of the digits that fill the rest of a line.
#[inline(never)]
fn decimal_line(value: &[u8]) -> Option<(u64, usize)> {
    // 19 digits can't leave 64 bits.
    const DIGITS_MAX: usize = 19;
    let (mut number, mut digits) = (0, 0);
    while let Some(byte @ b'0'..=b'9') = value.get(digits)
        && digits < DIGITS_MAX
    {
        number = number * 10 + u64::from(byte - b'0');
        digits += 1;
    }
    (digits > 0 && is_line_end(value, digits)).then_some((number, digits))
}
