//! Any head, octet by octet: where one is unusual, incomplete or bad, and everywhere where size counts for more than speed.

use super::{HeadLimits, HeadParser, Phase, Span, TargetForm, Version, authority};
use crate::{
    method::Method,
    octets::{self, AUTHORITY, FIELD, HEX, TARGET, TOKEN},
    refusal::Refusal,
};

/// Where reading stops because an octet decides how to go on.
struct Stop<'o> {
    octets: &'o [u8],
    /// Where that octet is.
    at: u32,
    octet: u8,
    /// Octets of the line end that begins with it.
    line_end: u8,
}

/// RFC 9112 section 2.3: the name is case-sensitive, each number one digit.
const VERSION: &[u8] = b"HTTP/0.0";

/// What may stand in any number in a phase, in the order of the phases.
static CLASSES: [u8; Phase::End as usize + 1] = [TOKEN, TOKEN, 0, 0, AUTHORITY, TARGET, 0, 0, TOKEN, TOKEN, FIELD, 0];

impl HeadParser {
    /// Reads on up to the head's end, or up to the next line that may be a usual one. `false`: the octets are used up before.
    #[cold]
    #[inline(never)]
    pub(super) fn read_slowly(&mut self, octets: &[u8], limits: &HeadLimits) -> Result<bool, Refusal> {
        loop {
            let at = self.skip(octets, limits);
            let Some(&octet) = octets.get(at) else { return Ok(false) };
            let line_end = match octet {
                b'\r' if octets.get(at + 1) == Some(&b'\n') => 2,
                // RFC 9112 section 2.2 lets a recipient take a lone LF for a line end.
                b'\n' if limits.tolerate_lone_lf => 1,
                _ => 0,
            };
            match self.step(&Stop { octets, at: at as u32, octet, line_end }, limits) {
                Ok(()) if self.phase == Phase::End || octets::WORDS && self.phase == Phase::Line => return Ok(true),
                Ok(()) => {}
                Err(refusal) if line_end > 0 || !matches!(octet, b'\r' | b'\n') => return Err(refusal),
                Err(_) if octet == b'\r' && at + 1 == octets.len() => return Ok(false),
                // RFC 9112 section 2.2: a bare CR makes the element invalid.
                Err(_) => return Err(Refusal::BadLineEnd),
            }
        }
    }

    /// Reads what may stand here in any number; the offset of the octet behind it, which decides how to go on.
    #[inline(always)]
    fn skip(&mut self, octets: &[u8], limits: &HeadLimits) -> usize {
        if self.phase == Phase::Version {
            while let Some(octet) = octets.get(self.at as usize)
                && let Some(expected) = VERSION.get((self.at - self.part) as usize)
                && (octet == expected || *expected == b'0' && octet.is_ascii_digit())
            {
                self.at += 1;
            }
        }
        let class = CLASSES[self.phase as usize];
        if class == 0 {
            return self.at as usize;
        }
        let mut bounded = octets;
        if class & (AUTHORITY | TARGET) != 0 {
            let bound = (self.target.start as usize).saturating_add(limits.target_octets_max as usize);
            bounded = octets.get(..bound).unwrap_or(octets);
        }
        // Only a path or query has no `%` of its own.
        let end = octets::escaped(bounded, self.at as usize, class);
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
            Some([b'%', digits @ ..]) if digits.len() < 2 && octets::by_table(digits, 0, HEX) == digits.len() => {
                bounded.len()
            }
            _ => end,
        }
    }

    /// Takes an octet that ends a part, or is one, and goes on behind it. Refusals are of this octet: if it is of a line end
    /// that is not whole or not allowed, that is what is wrong.
    #[inline(never)]
    fn step(&mut self, stop: &Stop<'_>, limits: &HeadLimits) -> Result<(), Refusal> {
        let (octet, line_end) = (stop.octet, u32::from(stop.line_end));
        let part = Span { start: self.part, end: stop.at }.of(stop.octets);
        let (phase, taken) = match self.phase {
            // RFC 9112 section 2.2: at least one empty line before the request line is to be ignored. More are not.
            Phase::Start if line_end > 0 => {
                self.lead = stop.line_end;
                (Phase::Method, line_end)
            }
            Phase::Start | Phase::Method => {
                if part.is_empty() || octet != b' ' {
                    return Err(Refusal::BadMethod);
                }
                // RFC 9110 section 9.3.6: CONNECT asks for a tunnel, which only a proxy has.
                if octets::equal(part, b"CONNECT") {
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
                match octet {
                    b':' if !part.is_empty() => (Phase::Value, 1),
                    b' ' | b'\t' if part.is_empty() => return Err(Refusal::ObsoleteFolding),
                    // RFC 9112 section 5.1: such a request must be refused.
                    b' ' | b'\t' => return Err(Refusal::SpaceBeforeColon),
                    _ => return Err(Refusal::BadFieldName),
                }
            }
            Phase::Value if line_end == 0 => return Err(Refusal::BadFieldValue),
            Phase::Value => {
                let name = Span { start: self.line, end: self.part - 1 }.of(stop.octets);
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

    /// The same for an octet of a target, or behind one (RFC 9112 section 3.2): the next phase, and the octets taken.
    #[inline(always)]
    fn target(&mut self, stop: &Stop<'_>, part: &[u8], limits: &HeadLimits) -> Result<(Phase, u32), Refusal> {
        let octet = stop.octet;
        let class = if matches!(self.phase, Phase::Scheme | Phase::Authority) { TARGET | AUTHORITY } else { TARGET };
        let is_of_target = octet == b'%' || octets::is(octet, class);
        if is_of_target && stop.at - self.target.start == limits.target_octets_max {
            return Err(Refusal::TargetTooLong);
        }
        Ok(match self.phase {
            Phase::Target => match octet {
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
                // RFC 9110 section 4.2: the one without `s` goes on an octet earlier.
                const SECURE: &[u8] = b"https://";
                let fifth = part.get(4).copied().unwrap_or(octet);
                let secure = part.len() < 4 || fifth.eq_ignore_ascii_case(&b's');
                let at = part.len() + usize::from(!secure);
                if SECURE.get(at) != Some(&octet.to_ascii_lowercase()) {
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
                match octet {
                    _ if !may_end => return Err(Refusal::BadTarget),
                    b' ' => {
                        self.target.end = stop.at;
                        let start = self.target.start as usize;
                        self.encoded = octets::find(stop.octets, start, [b'%', b' ']) < stop.at as usize;
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
