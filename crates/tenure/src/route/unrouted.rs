//! What a router looks at: the part of a target that no router around it has taken.

use tenure_proto::{
    bytes::WORDS,
    target::{first_decoded, leaves_folder_at},
};

use crate::route::parameters::{PARAMETERS_MAX, same};

/// A target from a path's `/` on, and what its router has learnt of it: what one pattern has had to search for, the next
/// finds here. So a request costs its target's length once per router, not once per route.
#[derive(Debug)]
pub struct Unrouted<'t> {
    /// The target's bytes and, in a request, those behind it, so that a whole word can be read where it ends.
    bytes: &'t [u8],
    /// Bytes of the target, path and query.
    end: usize,
    /// The first word of `bytes`, where words pay.
    first: [u64; WORDS as usize],
    /// Something in it is percent-encoded.
    encoded: bool,
    /// The longest segments that a parameter was to be: a pattern has no more, and what is shorter than these is matched by
    /// its literals.
    segments: heapless::Vec<Segment, PARAMETERS_MAX, u8>,
    /// Where the path ends; 0: not known.
    path_end: usize,
    /// Behind the last part that is known to lead out of a folder; 0: none is known.
    outside_before: usize,
    /// Bytes that were looked at.
    #[cfg(test)]
    pub(crate) looks: usize,
}

/// A segment that was searched for its end.
#[derive(Clone, Copy, Debug)]
struct Segment {
    at: u32,
    bytes: u32,
    /// A parameter can have it as its value.
    is_value: bool,
}

impl<'t> Unrouted<'t> {
    /// The first `end` of these bytes.
    #[inline(always)]
    pub(crate) fn new(bytes: &'t [u8], end: usize, encoded: bool) -> Self {
        Unrouted {
            bytes,
            end,
            first: core::array::from_fn(|_| first_word(bytes)),
            encoded,
            segments: heapless::Vec::new(),
            path_end: 0,
            outside_before: 0,
            #[cfg(test)]
            looks: 0,
        }
    }

    /// A path, of which nothing is known.
    pub(crate) fn path(path: &'t [u8]) -> Self {
        Unrouted::new(path, path.len(), true)
    }

    /// Whether it may not be what it says, byte by byte.
    pub(crate) fn is_encoded(&self) -> bool {
        self.encoded
    }

    /// Whether its first word is that of a pattern, as far as `bits` tell; not asked where something is encoded.
    pub(crate) fn begins(&self, word: u64, bits: u64) -> bool {
        self.first.first().is_none_or(|first| (first ^ word) & bits == 0)
    }

    /// Where a literal that begins at `at` ends, if it is there. It is compared with the decoded target.
    #[inline(always)]
    pub(crate) fn literal(&mut self, at: usize, literal: &[u8]) -> Option<usize> {
        if !WORDS || self.encoded {
            return self.encoded_literal(at, literal);
        }
        self.look(literal.len());
        let end = at + literal.len();
        same(self.bytes.get(at..end)?, literal).then_some(end)
    }

    /// Byte by byte: a slash that is encoded is no slash of a pattern, and a pattern has no `%`.
    #[inline(never)]
    fn encoded_literal(&mut self, mut at: usize, literal: &[u8]) -> Option<usize> {
        let target = self.bytes.get(..self.end)?;
        for &byte in literal {
            let (decoded, taken) = first_decoded(target.get(at..)?);
            self.look(taken);
            if decoded != byte || taken == 0 || taken != 1 && decoded == b'/' {
                return None;
            }
            at += taken;
        }
        Some(at)
    }

    /// The segment that begins at `at`, if it can be the value of a parameter: it is not empty and leads out of no folder. A
    /// colon is a byte as any other: what is meant for files on drives is a rest.
    #[inline(always)]
    pub(crate) fn segment(&mut self, at: usize) -> Option<&'t [u8]> {
        if WORDS
            && !self.encoded
            && let Some(value) = self.short_segment(at)
        {
            return Some(value);
        }
        self.searched_segment(at)
    }

    /// The same where nothing is encoded, for a segment of less than a word in which nothing is to be looked at twice;
    /// `None` for any other.
    #[inline(always)]
    pub(crate) fn short_segment(&mut self, at: usize) -> Option<&'t [u8]> {
        let value = self.bytes.get(at..)?.first_chunk::<8>()?;
        let word = u64::from_le_bytes(*value);
        let bytes = before_stop(word).min(self.end.checked_sub(at)?);
        if matches!(bytes, 0 | 8..) || word as u8 == b'.' || has_backslash(word) {
            return None;
        }
        self.look(bytes);
        value.get(..bytes)
    }

    /// The same for any segment.
    #[inline(never)]
    fn searched_segment(&mut self, at: usize) -> Option<&'t [u8]> {
        let left = self.bytes.get(at..self.end)?;
        if let Some(known) = self.segments.iter().find(|known| known.at as usize == at) {
            return left.get(..known.bytes as usize).filter(|_| known.is_value);
        }
        let (bytes, has_backslash) = segment_bytes(left);
        let value = left.get(..bytes)?;
        let is_regular = !self.encoded && !has_backslash && !value.starts_with(b".");
        let is_value = !value.is_empty() && (is_regular || leaves_folder_at(value, false).is_none());
        self.look(bytes);
        let segment = Segment { at: at as u32, bytes: bytes as u32, is_value };
        if self.segments.push(segment).is_err()
            && let Some(shortest) = self.segments.iter_mut().min_by_key(|known| known.bytes)
            && shortest.bytes < segment.bytes
        {
            *shortest = segment;
        }
        is_value.then_some(value)
    }

    /// The rest of the path from `at` on, if it can be the value of a parameter: it leads out of no folder.
    pub(crate) fn rest(&mut self, at: usize) -> Option<&'t [u8]> {
        if at < self.outside_before {
            return None;
        }
        if self.path_end == 0 {
            let path = path_of(self.bytes.get(..self.end)?);
            self.look(path.len());
            self.path_end = path.len();
        }
        let rest = self.bytes.get(at..self.path_end)?;
        let outside = leaves_folder_at(rest, true);
        self.look(outside.unwrap_or(rest.len()));
        match outside {
            None => return Some(rest),
            // The first part may only lead out because it is the first.
            Some(0) => {}
            Some(offset) => self.outside_before = at + offset + 1,
        }
        None
    }

    /// Whether a pattern that has taken what stands before `at` has taken all of the path or, as a prefix, whole segments.
    #[inline(always)]
    pub(crate) fn ends(&self, at: usize, is_prefix: bool) -> bool {
        let ends = |&byte: &u8| byte == b'?' || is_prefix && byte == b'/';
        at == self.end || at < self.end && self.bytes.get(at).is_some_and(ends)
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests count"))]
    fn look(&mut self, bytes: usize) {
        let _ = bytes;
        #[cfg(test)]
        {
            self.looks += bytes;
        }
    }
}

/// The first eight bytes, the first one lowest; what there is not, zero.
pub(crate) fn first_word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or_else(
        || bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
        |word| u64::from_le_bytes(*word),
    )
}

const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Bytes of a word of ASCII before its first slash or question mark, eight where it has none.
fn before_stop(word: u64) -> usize {
    // The two differ by one bit. What is marked first is one of them.
    let rest = (word | each(b'/' ^ b'?')) ^ each(b'/' | b'?');
    let stops = rest.wrapping_sub(each(1)) & each(0x80);
    (stops.trailing_zeros() / 8) as usize
}

/// Whether a word of ASCII has a backslash.
fn has_backslash(word: u64) -> bool {
    (word ^ each(b'\\')).wrapping_sub(each(1)) & each(0x80) != 0
}

/// Bytes of the segment at the front of what is left of a target, and whether it or what follows has a backslash.
fn segment_bytes(left: &[u8]) -> (usize, bool) {
    let (mut bytes, mut backslash) = (0, false);
    while WORDS && let Some(word) = left.get(bytes..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*word);
        backslash |= has_backslash(word);
        let before = before_stop(word);
        bytes += before;
        if before < 8 {
            return (bytes, backslash);
        }
    }
    while let Some(byte) = left.get(bytes).filter(|byte| !matches!(byte, b'/' | b'?')) {
        backslash |= *byte == b'\\';
        bytes += 1;
    }
    (bytes, backslash)
}

/// The path of a target that starts with one.
fn path_of(target: &[u8]) -> &[u8] {
    target.split(|&byte| byte == b'?').next().unwrap_or_default()
}

/// The path that is left to a router: an absolute target may have none, and a nested router's prefix may be all of it.
pub(crate) fn routed_path(target: &[u8]) -> &[u8] {
    let path = path_of(target);
    if path.is_empty() { b"/" } else { path }
}
