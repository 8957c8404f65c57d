//! Request lines of the usual kind: RFC 9112 section 3.

use super::{HeadLimits, HeadParser, Phase, Span, Version};
use crate::{bytes, method::Method};

impl HeadParser {
    /// Reads a request line of the usual kind that is there as a whole: `token /path?query HTTP/1.1`.
    ///
    /// `false`: it is another one, an incomplete or a bad one. Nothing has been read then.
    #[inline(always)]
    pub(super) fn usual_line(&mut self, bytes: &[u8], limits: &HeadLimits) -> bool {
        const VERSION: &[u8] = b" HTTP/1.1\r\n";
        let Some((method, start)) = usual_method(bytes) else { return false };
        let is_end = |end| bytes.get(end..).is_some_and(|rest: &[u8]| rest.starts_with(VERSION));
        let mut end = bytes::target(bytes, start);
        if !is_end(end) {
            end = path_and_query(bytes, end);
            if !is_end(end) {
                return false;
            }
            // Nothing else stops a target without ending it.
            self.encoded = true;
        }
        if end - start > limits.target_bytes_max as usize {
            self.encoded = false;
            return false;
        }
        self.method = method;
        self.version = Version::Http11;
        self.target = Span { start: start as u32, end: end as u32 };
        self.fields = (end + VERSION.len()) as u32;
        self.at = self.fields;
        self.part = self.fields;
        self.phase = Phase::Line;
        true
    }
}

/// The method at the front, and the offset of a target of the origin form behind it.
#[inline(always)]
fn usual_method(bytes: &[u8]) -> Option<(Method, usize)> {
    let word = bytes::word(bytes)?;
    if bytes::word_starts_with(word, "GET /") {
        Some((Method::Get, 4))
    } else if bytes::word_starts_with(word, "POST /") {
        Some((Method::Post, 5))
    } else {
        other_method(bytes)
    }
}

/// Any method but CONNECT.
#[cold]
#[inline(never)]
fn other_method(bytes: &[u8]) -> Option<(Method, usize)> {
    let (token, rest) = bytes.split_at_checked(bytes::by_table(bytes, 0, bytes::TOKEN))?;
    if token.is_empty() || token == b"CONNECT" || !rest.starts_with(b" /") {
        return None;
    }
    Some((Method::from_token(token), token.len() + 1))
}

/// The offset of the first byte from `at` on that is not of a path or query, escapes included: RFC 3986 section 3.
#[inline(never)]
fn path_and_query(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at = bytes::target(bytes, at);
        match bytes.get(at..) {
            Some([b'%', high, low, ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => at += 3,
            _ => return at,
        }
    }
}
