//! The request line: RFC 9112 section 3.

use super::{HeadLimits, HeadParser, Phase, Span, Stop, TargetForm, Version, authority, line_end, stray};
use crate::{method::Method, octets, refusal::Refusal};

impl HeadParser {
    /// Reads a request line of the usual kind that is there as a whole: `token /path?query HTTP/1.1`.
    ///
    /// `false`: it is another one, an incomplete or a bad one. Nothing has been read then.
    #[inline(always)]
    pub(super) fn usual_line(&mut self, octets: &[u8], limits: &HeadLimits) -> bool {
        const VERSION: &[u8] = b" HTTP/1.1\r\n";
        let Some((method, start)) = usual_method(octets) else { return false };
        let is_end = |end| octets.get(end..).is_some_and(|rest: &[u8]| rest.starts_with(VERSION));
        let mut end = octets::target(octets, start);
        if !is_end(end) {
            end = path_and_query(octets, end);
            if !is_end(end) {
                return false;
            }
            // Nothing else stops a target without ending it.
            self.encoded = true;
        }
        if end - start > limits.target_octets_max as usize {
            self.encoded = false;
            return false;
        }
        self.method = method;
        self.target = Span { start: start as u32, end: end as u32 };
        self.fields = (end + VERSION.len()) as u32;
        self.at = self.fields;
        self.phase = Phase::Line;
        true
    }

    /// Reads any request line on, up to its end.
    #[cold]
    #[inline(never)]
    pub(super) fn request_line(&mut self, octets: &[u8], limits: &HeadLimits) -> Result<(), Stop> {
        let lone_lf = limits.tolerate_lone_lf;
        loop {
            match self.phase {
                Phase::Start => self.empty_line(octets, lone_lf)?,
                Phase::Method => self.method(octets, lone_lf)?,
                Phase::Target | Phase::Authority | Phase::PathAndQuery => self.target(octets, limits)?,
                Phase::Version => self.version(octets, lone_lf)?,
                Phase::Line | Phase::Name | Phase::Value | Phase::End => return Ok(()),
            }
        }
    }

    /// RFC 9112 section 2.2: at least one empty line before the request line is to be ignored. More than one is not.
    fn empty_line(&mut self, octets: &[u8], lone_lf: bool) -> Result<(), Stop> {
        if let Some(octets) = line_end(octets, 0, lone_lf) {
            self.lead = octets as u8;
        } else if let None | Some(b'\r' | b'\n') = octets.first() {
            return Err(stray(octets, 0, lone_lf, Refusal::BadMethod));
        }
        self.at = u32::from(self.lead);
        self.phase = Phase::Method;
        Ok(())
    }

    fn method(&mut self, octets: &[u8], lone_lf: bool) -> Result<(), Stop> {
        let start = usize::from(self.lead);
        let end = octets::token_slow(octets, self.at as usize);
        self.at = end as u32;
        let token = octets.get(start..end).unwrap_or_default();
        if token.is_empty() || octets.get(end) != Some(&b' ') {
            return Err(stray(octets, end, lone_lf, Refusal::BadMethod));
        }
        // RFC 9110 section 9.3.6: CONNECT asks for a tunnel, which only a proxy has.
        if token == b"CONNECT" {
            return Err(Refusal::Connect.into());
        }
        self.method = Method::from_token(token);
        self.at += 1;
        self.target.start = self.at;
        self.phase = Phase::Target;
        Ok(())
    }

    /// Reads a part of the target, each form in its own way, and goes on to the next part or the version.
    fn target(&mut self, octets: &[u8], limits: &HeadLimits) -> Result<(), Stop> {
        let start = self.target.start as usize;
        let bound = start.saturating_add(limits.target_octets_max as usize);
        let bounded = octets.get(..bound).unwrap_or(octets);
        // The first octet that is not of this part, and whether the target may end before it.
        let (next, may_end) = match (self.phase, octets.get(start)) {
            (Phase::PathAndQuery, _) | (Phase::Target, Some(b'/')) => self.path_and_query(bounded),
            (Phase::Target, Some(b'*')) if self.method == Method::Options => (bounded.len().min(start + 1), true),
            (Phase::Authority, _) | (Phase::Target, Some(b'h' | b'H')) => self.authority(octets, bounded)?,
            _ => (start, false),
        };
        match octets.get(next) {
            Some(b' ') if may_end => {
                self.form = match octets.get(start) {
                    Some(b'/') => TargetForm::Origin,
                    Some(b'*') => TargetForm::Asterisk,
                    _ => TargetForm::Absolute,
                };
                self.target.end = next as u32;
                self.encoded = bounded.get(start..next).is_some_and(|target| target.contains(&b'%'));
                self.at = self.target.end + 1;
                self.phase = Phase::Version;
            }
            Some(&octet) if next == bound && self.is_of_target(octet) => return Err(Refusal::TargetTooLong.into()),
            Some(b'/' | b'?') if may_end && self.phase == Phase::Authority => self.phase = Phase::PathAndQuery,
            Some(b'\r' | b'\n') if may_end => {
                return Err(stray(octets, next, limits.tolerate_lone_lf, Refusal::BadVersion));
            }
            _ => return Err(stray(octets, next, limits.tolerate_lone_lf, Refusal::BadTarget)),
        }
        Ok(())
    }

    /// An absolute path with its query, or what follows an authority: RFC 9112 section 3.2.1.
    fn path_and_query(&mut self, bounded: &[u8]) -> (usize, bool) {
        self.phase = Phase::PathAndQuery;
        let end = path_and_query(bounded, self.at as usize);
        self.at = end as u32;
        match bounded.get(end..) {
            // An escape whose digits have not come yet.
            Some([b'%'] | [b'%', b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F']) => (bounded.len(), false),
            _ => (end, true),
        }
    }

    /// The scheme and authority of an absolute form: RFC 9110 section 4.2.
    fn authority(&mut self, octets: &[u8], bounded: &[u8]) -> Result<(usize, bool), Stop> {
        self.phase = Phase::Authority;
        let start = self.target.start as usize;
        let rest = bounded.get(start..).unwrap_or_default();
        let common = |scheme: &[u8]| rest.iter().zip(scheme).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
        let scheme = match (common(b"http://"), common(b"https://")) {
            (7, _) => 7,
            // RFC 9110 section 7.4: it must be rejected where the connection has not been secured, and none is here.
            (_, 8) => return Err(Refusal::SchemeNotServed.into()),
            (http, https) => return Ok((start + http.max(https), false)),
        };
        let authority = start + scheme;
        let from = authority.max(self.at as usize);
        let unread = bounded.get(from..).unwrap_or_default();
        let end = from + unread.iter().take_while(|&&octet| authority::is_octet(octet)).count();
        self.at = end as u32;
        // It is judged once, when its end has come.
        let ended = end < octets.len();
        Ok((end, ended && bounded.get(authority..end).is_some_and(authority::is_valid)))
    }

    /// Whether an octet would be one more of the target.
    fn is_of_target(&self, octet: u8) -> bool {
        octets::is_target_octet(octet) || octet == b'%' || self.phase == Phase::Authority && authority::is_octet(octet)
    }

    fn version(&mut self, octets: &[u8], lone_lf: bool) -> Result<(), Stop> {
        let start = self.at as usize;
        // RFC 9112 section 2.3: the name is case-sensitive, each number one digit.
        for (index, &expected) in b"HTTP/0.0".iter().enumerate() {
            let at = start + index;
            let fits = |octet: &u8| *octet == expected || expected == b'0' && octet.is_ascii_digit();
            if !octets.get(at).is_some_and(fits) {
                return Err(stray(octets, at, lone_lf, Refusal::BadVersion));
            }
        }
        let end = start + 8;
        let Some(line_end) = line_end(octets, end, lone_lf) else {
            return Err(stray(octets, end, lone_lf, Refusal::BadVersion));
        };
        self.version = match octets.get(start + 5..end) {
            Some(b"1.0") => Version::Http10,
            // RFC 9110 section 2.5: a minor version only adds to those below it.
            Some([b'1', ..]) => Version::Http11,
            _ => return Err(Refusal::UnsupportedVersion.into()),
        };
        self.fields = (end + line_end) as u32;
        self.at = self.fields;
        self.phase = Phase::Line;
        Ok(())
    }
}

/// The method at the front, and the offset of a target of the origin form behind it.
#[inline(always)]
fn usual_method(octets: &[u8]) -> Option<(Method, usize)> {
    let word = octets::word(octets)?;
    if octets::word_starts_with(word, "GET /") {
        Some((Method::Get, 4))
    } else if octets::word_starts_with(word, "POST /") {
        Some((Method::Post, 5))
    } else {
        other_method(octets)
    }
}

/// Any method but CONNECT.
#[cold]
#[inline(never)]
fn other_method(octets: &[u8]) -> Option<(Method, usize)> {
    let (token, rest) = octets.split_at_checked(octets::token_slow(octets, 0))?;
    if token.is_empty() || token == b"CONNECT" || !rest.starts_with(b" /") {
        return None;
    }
    Some((Method::from_token(token), token.len() + 1))
}

/// The offset of the first octet from `at` on that is not of a path or query, escapes included: RFC 3986 section 3.
#[inline(never)]
fn path_and_query(octets: &[u8], mut at: usize) -> usize {
    if !octets::WORDS {
        return octets::escaped_target_slow(octets, at);
    }
    loop {
        at = octets::target(octets, at);
        match octets.get(at..) {
            Some([b'%', high, low, ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => at += 3,
            _ => return at,
        }
    }
}
