//! Any head, byte by byte: where one is unusual, incomplete or bad, and everywhere where size counts for more than speed.

use super::{HeadLimits, HeadParser, Phase, Span, TargetForm, Version, authority};
use crate::{
    bytes::{self, AUTHORITY, FIELD, HEX, TARGET, TOKEN},
    method::Method,
    refusal::Refusal,
};
use core::num::NonZeroU32;

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
static CLASSES: [u8; Phase::End as usize + 1] =
    [TOKEN, TOKEN, TOKEN, 0, 0, AUTHORITY, TARGET, TARGET, 0, TARGET, 0, TOKEN, TOKEN, FIELD, 0];

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
        // Only authority, path and query have no `%` of their own.
        let end = bytes::escaped(bounded, self.at as usize, class);
        if end > self.at as usize {
            self.phase = match self.phase {
                Phase::Start | Phase::SecondStart => Phase::Method,
                Phase::Line => Phase::Name,
                phase => phase,
            };
        }
        self.at = end as u32;
        match bounded.get(end..) {
            // An escape whose digits have not come yet.
            Some([b'%', digits @ ..])
                if matches!(self.phase, Phase::Authority | Phase::PathAndQuery)
                    && digits.len() < 2
                    && bytes::by_table(digits, 0, HEX) == digits.len() =>
            {
                bounded.len()
            }
            _ => end,
        }
    }

    /// Takes a byte that ends a part, or is one, and goes on behind it. Refusals are of this byte: if it is of a line end
    /// that is not whole or not allowed, that is what is wrong.
    #[inline(never)]
    fn step(&mut self, stop: &Stop<'_>, limits: &HeadLimits) -> Result<(), Refusal> {
        let part = Span { start: self.part, end: stop.at }.of(stop.bytes);
        let (phase, taken) = match self.phase {
            Phase::Start | Phase::SecondStart | Phase::Method | Phase::Version => self.request_line(stop, part)?,
            Phase::Line | Phase::Name | Phase::Value | Phase::End => self.field_line(stop, part)?,
            _ => self.target(stop, part, limits)?,
        };
        self.at += taken;
        if phase != self.phase {
            self.phase = phase;
            self.part = self.at;
        }
        Ok(())
    }

    /// The same for a byte of a request line (RFC 9112 section 3) outside its target: the next phase, and the bytes taken.
    fn request_line(&mut self, stop: &Stop<'_>, part: &[u8]) -> Result<(Phase, u32), Refusal> {
        let line_end = u32::from(stop.line_end);
        Ok(match self.phase {
            // RFC 9112 section 2.2: at least one empty line before the request line is to be ignored. Two are, more are not.
            Phase::Start | Phase::SecondStart if line_end > 0 => {
                self.lead += stop.line_end;
                (if self.phase == Phase::Start { Phase::SecondStart } else { Phase::Method }, line_end)
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
            _ => {
                if part.is_empty() || stop.byte != b' ' {
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
        })
    }

    /// The same for a byte of a field line, or of the empty one (RFC 9112 section 5).
    fn field_line(&mut self, stop: &Stop<'_>, part: &[u8]) -> Result<(Phase, u32), Refusal> {
        let line_end = u32::from(stop.line_end);
        Ok(match self.phase {
            Phase::Line if line_end > 0 => {
                self.line = stop.at;
                (Phase::End, line_end)
            }
            Phase::Line | Phase::Name => {
                self.line = self.part;
                match stop.byte {
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
            _ => (Phase::End, 0),
        })
    }

    /// The same for a byte of a target, or behind one (RFC 9112 section 3.2).
    fn target(&mut self, stop: &Stop<'_>, part: &[u8], limits: &HeadLimits) -> Result<(Phase, u32), Refusal> {
        let byte = stop.byte;
        let is_visible = bytes::is(byte, FIELD) && !bytes::is_blank(byte);
        if is_visible && stop.at - self.target.start == limits.target_bytes_max {
            return Err(Refusal::TargetTooLong);
        }
        // What else is wrong leaves the request line's parts certain.
        if !is_visible && (byte != b' ' || self.phase == Phase::Target) {
            return Err(if stop.line_end > 0 { Refusal::BadVersion } else { Refusal::BlankInTarget });
        }
        let (refusal, at) = match self.phase {
            Phase::Target => match byte {
                b'/' => return Ok((Phase::PathAndQuery, 0)),
                b'*' if self.method == Method::Options => {
                    self.form = TargetForm::Asterisk;
                    return Ok((Phase::Asterisk, 1));
                }
                b'h' | b'H' => {
                    self.form = TargetForm::Absolute;
                    return Ok((Phase::Scheme, 0));
                }
                _ => (Refusal::BadTargetForm, stop.at),
            },
            Phase::Scheme => match scheme(part, byte) {
                Some(SchemeByte::Inner) => return Ok((Phase::Scheme, 1)),
                Some(SchemeByte::Last) => return Ok((Phase::Authority, 1)),
                // RFC 9110 section 7.4: it must be rejected where the connection has not been secured, and none is.
                Some(SchemeByte::LastSecure) => (Refusal::SchemeNotServed, 0),
                None => (Refusal::BadTargetForm, stop.at),
            },
            // An authority is judged once, when its end has come.
            Phase::Authority if !authority::is_valid(part) => (Refusal::BadTargetForm, self.part),
            // A `%` that begins no escape: in a query it stands for itself.
            Phase::PathAndQuery if byte == b'%' || stop.at != self.at => {
                if bytes::find(stop.bytes, self.target.start as usize, [b'?'; 2]) < self.at as usize {
                    return Ok((Phase::Query, 0));
                }
                (Refusal::BadTarget, self.at)
            }
            _ if byte == b' ' => {
                self.target.end = stop.at;
                let start = self.target.start as usize;
                self.encoded = bytes::find(stop.bytes, start, [b'%', b' ']) < stop.at as usize;
                return Ok((Phase::Version, 1));
            }
            Phase::Authority if matches!(byte, b'/' | b'?') => return Ok((Phase::PathAndQuery, 0)),
            Phase::Query if byte == b'%' => return Ok((Phase::Query, 1)),
            Phase::Refused => return Ok((Phase::Refused, 1)),
            Phase::PathAndQuery | Phase::Query => (Refusal::BadTarget, stop.at),
            _ => (Refusal::BadTargetForm, stop.at),
        };
        (self.refusal, self.refused_at) = (Some(refusal), NonZeroU32::new(at));
        Ok((Phase::Refused, 0))
    }
}

/// What a byte of a scheme is to it.
enum SchemeByte {
    Inner,
    /// The last one of `http://`.
    Last,
    /// The last one of `https://`.
    LastSecure,
}

/// Whether `byte` goes on with a scheme that is known, of which `part` has been read: RFC 9110 section 4.2.
fn scheme(part: &[u8], byte: u8) -> Option<SchemeByte> {
    // The one without `s` goes on a byte earlier.
    const SECURE: &[u8] = b"https://";
    let fifth = part.get(4).copied().unwrap_or(byte);
    let secure = part.len() < 4 || fifth.eq_ignore_ascii_case(&b's');
    let at = part.len() + usize::from(!secure);
    (SECURE.get(at) == Some(&byte.to_ascii_lowercase())).then_some(match at {
        7 if secure => SchemeByte::LastSecure,
        7 => SchemeByte::Last,
        _ => SchemeByte::Inner,
    })
}
