//! Any head, byte by byte: where one is unusual, incomplete or bad, and everywhere where size counts for more than speed.

use super::{HeadLimits, HeadParser, Phase, Span, TargetForm, Version, authority};
use crate::{
    bytes::{self, AUTHORITY, FIELD, HEX, TARGET, TOKEN},
    method::Method,
    refusal::Refusal,
};

/// Where reading stops because a byte decides how to go on.
struct Stop<'o> {
    bytes: &'o [u8],
    /// Where that byte is.
    at: u32,
    byte: u8,
    /// Bytes of the line end that begins with it.
    line_end: u8,
}

/// RFC 9112 section 2.3: the name is case-sensitive, each number one digit.
const VERSION: &[u8] = b"HTTP/0.0";

/// What may stand in any number in a phase, in the order of the phases.
static CLASSES: [u8; Phase::End as usize + 1] = [TOKEN, TOKEN, 0, 0, AUTHORITY, TARGET, 0, 0, TOKEN, TOKEN, FIELD, 0];

impl HeadParser {
    /// Reads on up to the head's end, or up to the next line that may be a usual one. `false`: the bytes are used up before.
    #[cold]
    #[inline(never)]
    pub(super) fn read_slowly(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<bool, Refusal> {
        loop {
            let at = self.skip(bytes, limits);
            let Some(&byte) = bytes.get(at) else { return Ok(false) };
            let line_end = match byte {
                b'\r' if bytes.get(at + 1) == Some(&b'\n') => 2,
                // RFC 9112 section 2.2 lets a recipient take a lone LF for a line end.
                b'\n' if limits.tolerate_lone_lf => 1,
                _ => 0,
            };
            match self.step(&Stop { bytes, at: at as u32, byte, line_end }, limits) {
                Ok(()) if self.phase == Phase::End || bytes::WORDS && self.phase == Phase::Line => return Ok(true),
                Ok(()) => {}
                Err(refusal) if line_end > 0 || !matches!(byte, b'\r' | b'\n') => return Err(refusal),
                Err(_) if byte == b'\r' && at + 1 == bytes.len() => return Ok(false),
                // RFC 9112 section 2.2: a bare CR makes the element invalid.
                Err(_) => return Err(Refusal::BadLineEnd),
            }
        }
    }

    /// Reads what may stand here in any number; the offset of the byte behind it, which decides how to go on.
    #[inline(always)]
    fn skip(&mut self, bytes: &[u8], limits: &HeadLimits) -> usize {
        if self.phase == Phase::Version {
            while let Some(byte) = bytes.get(self.at as usize)
                && let Some(expected) = VERSION.get((self.at - self.part) as usize)
                && (byte == expected || *expected == b'0' && byte.is_ascii_digit())
            {
                self.at += 1;
            }
        }
        let class = CLASSES[self.phase as usize];
        if class == 0 {
            return self.at as usize;
        }
        let mut bounded = bytes;
        if class & (AUTHORITY | TARGET) != 0 {
            let bound = (self.target.start as usize).saturating_add(limits.target_bytes_max as usize);
            bounded = bytes.get(..bound).unwrap_or(bytes);
        }
        // Only a path or query has no `%` of its own.
        let end = bytes::escaped(bounded, self.at as usize, class);
        if end > self.at as usize {
            self.phase = match self.phase {
                Phase::Start => Phase::Method,
                Phase::Line => Phase::Name,
                phase => phase,
            };
        }
        self.at = end as u32;
        match bounded.get(end..) {
            // An escape whose digits have not come yet.
            Some([b'%', digits @ ..]) if digits.len() < 2 && bytes::by_table(digits, 0, HEX) == digits.len() => {
                bounded.len()
            }
            _ => end,
        }
    }

    /// Takes a byte that ends a part, or is one, and goes on behind it. Refusals are of this byte: if it is of a line end
    /// that is not whole or not allowed, that is what is wrong.
    #[inline(never)]
    fn step(&mut self, stop: &Stop<'_>, limits: &HeadLimits) -> Result<(), Refusal> {
        let (byte, line_end) = (stop.byte, u32::from(stop.line_end));
        let part = Span { start: self.part, end: stop.at }.of(stop.bytes);
        let (phase, taken) = match self.phase {
            // RFC 9112 section 2.2: at least one empty line before the request line is to be ignored. More are not.
            Phase::Start if line_end > 0 => {
                self.lead = stop.line_end;
                (Phase::Method, line_end)
            }
            Phase::Start | Phase::Method => {
                if part.is_empty() || byte != b' ' {
                    return Err(Refusal::BadMethod);
                }
                // RFC 9110 section 9.3.6: CONNECT asks for a tunnel, which only a proxy has.
                if bytes::equal(part, b"CONNECT") {
                    return Err(Refusal::Connect);
                }
                self.method = Method::from_token(part);
                self.target.start = stop.at + 1;
                (Phase::Target, 1)
            }
            Phase::Target | Phase::Scheme | Phase::Authority | Phase::PathAndQuery | Phase::Asterisk => {
                self.target(stop, part, limits)?
            }
            Phase::Version if part.len() < VERSION.len() || line_end == 0 => return Err(Refusal::BadVersion),
            Phase::Version => {
                self.version = match part {
                    [.., b'1', _, b'0'] => Version::Http10,
                    // RFC 9110 section 2.5: a minor version only adds to those below it.
                    [.., b'1', _, _] => Version::Http11,
                    _ => return Err(Refusal::UnsupportedVersion),
                };
                self.fields = stop.at + line_end;
                (Phase::Line, line_end)
            }
            Phase::Line if line_end > 0 => {
                self.line = stop.at;
                (Phase::End, line_end)
            }
            Phase::Line | Phase::Name => {
                self.line = self.part;
                match byte {
                    b':' if !part.is_empty() => (Phase::Value, 1),
                    b' ' | b'\t' if part.is_empty() => return Err(Refusal::ObsoleteFolding),
                    // RFC 9112 section 5.1: such a request must be refused.
                    b' ' | b'\t' => return Err(Refusal::SpaceBeforeColon),
                    _ => return Err(Refusal::BadFieldName),
                }
            }
            Phase::Value if line_end == 0 => return Err(Refusal::BadFieldValue),
            Phase::Value => {
                let name = Span { start: self.line, end: self.part - 1 }.of(stop.bytes);
                self.field(name, part)?;
                (Phase::Line, line_end)
            }
            Phase::End => (Phase::End, 0),
        };
        self.at += taken;
        if phase != self.phase {
            self.phase = phase;
            self.part = self.at;
        }
        Ok(())
    }

    /// The same for a byte of a target, or behind one (RFC 9112 section 3.2): the next phase, and the bytes taken.
    #[inline(always)]
    fn target(&mut self, stop: &Stop<'_>, part: &[u8], limits: &HeadLimits) -> Result<(Phase, u32), Refusal> {
        let byte = stop.byte;
        let class = if matches!(self.phase, Phase::Scheme | Phase::Authority) { TARGET | AUTHORITY } else { TARGET };
        let is_of_target = byte == b'%' || bytes::is(byte, class);
        if is_of_target && stop.at - self.target.start == limits.target_bytes_max {
            return Err(Refusal::TargetTooLong);
        }
        Ok(match self.phase {
            Phase::Target => match byte {
                b'/' => (Phase::PathAndQuery, 0),
                b'*' if self.method == Method::Options => {
                    self.form = TargetForm::Asterisk;
                    (Phase::Asterisk, 1)
                }
                b'h' | b'H' => {
                    self.form = TargetForm::Absolute;
                    (Phase::Scheme, 0)
                }
                _ => return Err(Refusal::BadTarget),
            },
            Phase::Scheme => {
                // RFC 9110 section 4.2: the one without `s` goes on a byte earlier.
                const SECURE: &[u8] = b"https://";
                let fifth = part.get(4).copied().unwrap_or(byte);
                let secure = part.len() < 4 || fifth.eq_ignore_ascii_case(&b's');
                let at = part.len() + usize::from(!secure);
                if SECURE.get(at) != Some(&byte.to_ascii_lowercase()) {
                    return Err(Refusal::BadTarget);
                }
                match at {
                    // RFC 9110 section 7.4: it must be rejected where the connection has not been secured, and none is.
                    7 if secure => return Err(Refusal::SchemeNotServed),
                    7 => (Phase::Authority, 1),
                    _ => (Phase::Scheme, 1),
                }
            }
            _ => {
                let authority = self.phase == Phase::Authority;
                // An authority is judged once, when its end has come; an escape that is not whole ends nothing.
                let may_end = if authority { authority::is_valid(part) } else { stop.at == self.at };
                match byte {
                    _ if !may_end => return Err(Refusal::BadTarget),
                    b' ' => {
                        self.target.end = stop.at;
                        let start = self.target.start as usize;
                        self.encoded = bytes::find(stop.bytes, start, [b'%', b' ']) < stop.at as usize;
                        (Phase::Version, 1)
                    }
                    b'/' | b'?' if authority => (Phase::PathAndQuery, 0),
                    b'\r' | b'\n' => return Err(Refusal::BadVersion),
                    _ => return Err(Refusal::BadTarget),
                }
            }
        })
    }
}
