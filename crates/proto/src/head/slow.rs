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
    /// It is of a line end that is not whole or not allowed.
    cut: bool,
}

impl Stop<'_> {
    /// What stands in front of it, from `start` on.
    fn since(&self, start: u32) -> &[u8] {
        Span { start, end: self.at }.of(self.octets)
    }
}

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
            let cut = line_end == 0 && matches!(octet, b'\r' | b'\n');
            match self.step(&Stop { octets, at: at as u32, octet, line_end, cut }, limits) {
                Ok(()) if self.phase == Phase::End || octets::WORDS && self.phase == Phase::Line => return Ok(true),
                Ok(()) => {}
                Err(_) if cut && octet == b'\r' && at + 1 == octets.len() => return Ok(false),
                // RFC 9112 section 2.2: a bare CR makes the element invalid.
                Err(_) if cut => return Err(Refusal::BadLineEnd),
                Err(refusal) => return Err(refusal),
            }
        }
    }

    /// Reads what may stand here in any number; the offset of the octet behind it, which decides how to go on.
    #[inline(always)]
    fn skip(&mut self, octets: &[u8], limits: &HeadLimits) -> usize {
        let class = match self.phase {
            Phase::Method | Phase::Name => TOKEN,
            Phase::Authority => AUTHORITY,
            Phase::PathAndQuery => TARGET,
            Phase::Value => FIELD,
            _ => return self.at as usize,
        };
        let mut bounded = octets;
        if class & (AUTHORITY | TARGET) != 0 {
            let bound = (self.target.start as usize).saturating_add(limits.target_octets_max as usize);
            bounded = octets.get(..bound).unwrap_or(octets);
        }
        // Only a path or query has no `%` of its own.
        let end = octets::escaped(bounded, self.at as usize, class);
        self.at = end as u32;
        match bounded.get(end..) {
            // An escape whose digits have not come yet.
            Some([b'%', digits @ ..]) if digits.len() < 2 && octets::by_table(digits, 0, HEX) == digits.len() => {
                bounded.len()
            }
            _ => end,
        }
    }

    /// Goes on behind the octet at `at`.
    fn go_on(&mut self, phase: Phase) {
        self.at += 1;
        self.phase = phase;
    }

    /// Takes an octet that ends a part, or is one. Refusals are of this octet: if it is cut, that is what is wrong.
    #[inline(never)]
    fn step(&mut self, stop: &Stop<'_>, limits: &HeadLimits) -> Result<(), Refusal> {
        let (octet, line_end) = (stop.octet, u32::from(stop.line_end));
        match self.phase {
            Phase::Start => {
                if stop.cut {
                    return Err(Refusal::BadMethod);
                }
                // RFC 9112 section 2.2: at least one empty line before the request line is to be ignored. More are not.
                self.lead = stop.line_end;
                self.at = line_end;
                self.phase = Phase::Method;
            }
            Phase::Method => {
                let token = stop.since(u32::from(self.lead));
                if token.is_empty() || octet != b' ' {
                    return Err(Refusal::BadMethod);
                }
                // RFC 9110 section 9.3.6: CONNECT asks for a tunnel, which only a proxy has.
                if octets::equal(token, b"CONNECT") {
                    return Err(Refusal::Connect);
                }
                self.method = Method::from_token(token);
                self.go_on(Phase::Target);
                self.target.start = self.at;
            }
            Phase::Target | Phase::Scheme | Phase::Authority | Phase::PathAndQuery | Phase::Asterisk => {
                return self.target(stop, limits);
            }
            Phase::Version => {
                // RFC 9112 section 2.3: the name is case-sensitive, each number one digit.
                let version = stop.since(self.target.end + 1);
                match b"HTTP/0.0".get(version.len()) {
                    Some(b'0') if octet.is_ascii_digit() => self.at += 1,
                    Some(expected) if octet == *expected => self.at += 1,
                    None if line_end > 0 => {
                        self.version = match version {
                            [.., b'1', _, b'0'] => Version::Http10,
                            // RFC 9110 section 2.5: a minor version only adds to those below it.
                            [.., b'1', _, _] => Version::Http11,
                            _ => return Err(Refusal::UnsupportedVersion),
                        };
                        self.at += line_end;
                        self.fields = self.at;
                        self.phase = Phase::Line;
                    }
                    _ => return Err(Refusal::BadVersion),
                }
            }
            Phase::Line => {
                self.line = self.at;
                match octet {
                    _ if line_end > 0 => {
                        self.at += line_end;
                        self.phase = Phase::End;
                    }
                    _ if stop.cut => return Err(Refusal::BadFieldName),
                    b' ' | b'\t' => return Err(Refusal::ObsoleteFolding),
                    _ => self.phase = Phase::Name,
                }
            }
            Phase::Name => match octet {
                b':' if self.at > self.line => {
                    self.colon = self.at;
                    self.go_on(Phase::Value);
                }
                // RFC 9112 section 5.1: such a request must be refused.
                b' ' | b'\t' => return Err(Refusal::SpaceBeforeColon),
                _ => return Err(Refusal::BadFieldName),
            },
            Phase::Value => {
                if line_end == 0 {
                    return Err(Refusal::BadFieldValue);
                }
                let name = Span { start: self.line, end: self.colon }.of(stop.octets);
                self.field(name, stop.since(self.colon + 1))?;
                self.at += line_end;
                self.phase = Phase::Line;
            }
            Phase::End => {}
        }
        Ok(())
    }

    /// The same for an octet of a target, or behind one: RFC 9112 section 3.2.
    fn target(&mut self, stop: &Stop<'_>, limits: &HeadLimits) -> Result<(), Refusal> {
        let octet = stop.octet;
        let target = stop.since(self.target.start);
        let is_part = octets::is(octet, TARGET)
            || octet == b'%'
            || matches!(self.phase, Phase::Scheme | Phase::Authority) && octets::is(octet, AUTHORITY);
        if is_part && target.len() == limits.target_octets_max as usize {
            return Err(Refusal::TargetTooLong);
        }
        let may_end = match self.phase {
            Phase::Target => {
                match octet {
                    b'/' => self.phase = Phase::PathAndQuery,
                    b'*' if self.method == Method::Options => {
                        self.form = TargetForm::Asterisk;
                        self.go_on(Phase::Asterisk);
                    }
                    b'h' | b'H' => {
                        self.form = TargetForm::Absolute;
                        self.phase = Phase::Scheme;
                    }
                    _ => return Err(Refusal::BadTarget),
                }
                return Ok(());
            }
            Phase::Scheme => {
                // RFC 9110 section 4.2.
                let fifth = target.get(4).copied().unwrap_or(octet);
                let secure = target.len() >= 4 && fifth.eq_ignore_ascii_case(&b's');
                let scheme = if secure { "https://" } else { "http://" };
                if scheme.as_bytes().get(target.len()) != Some(&octet.to_ascii_lowercase()) {
                    return Err(Refusal::BadTarget);
                }
                self.at += 1;
                if target.len() == "https:/".len() {
                    // RFC 9110 section 7.4: it must be rejected where the connection has not been secured, and none is.
                    return Err(Refusal::SchemeNotServed);
                }
                if !secure && target.len() == "http:/".len() {
                    self.phase = Phase::Authority;
                }
                return Ok(());
            }
            // It is judged once, when its end has come.
            Phase::Authority => target.get("http://".len()..).is_some_and(authority::is_valid),
            // But for an escape that is not whole.
            _ => stop.at == self.at,
        };
        match octet {
            b' ' if may_end => {
                self.encoded = target.iter().any(|&octet| octet == b'%');
                self.target.end = stop.at;
                self.go_on(Phase::Version);
                Ok(())
            }
            b'/' | b'?' if may_end && self.phase == Phase::Authority => {
                self.phase = Phase::PathAndQuery;
                Ok(())
            }
            b'\r' | b'\n' if may_end => Err(Refusal::BadVersion),
            _ => Err(Refusal::BadTarget),
        }
    }
}
