//! What was validated need not be validated again: the head before, byte by byte.

use super::{Body, Head, HeadLimits, HeadParser, Phase, bounded};
use crate::{bytes, refusal::Refusal};

/// Bytes of a head that are remembered at the most: a browser's, or a program's where memory is scarce.
const BYTES: usize = if bytes::WORDS { 512 } else { 192 };

/// A head that was accepted, and what it says.
///
/// Requests of one connection mostly differ in their request lines and bodies alone, and often not even in the former. A
/// head that is the same, byte by byte, says the same (within the same bounds), and so does a field section below another
/// usual request line: comparing takes the place of reading.
#[derive(Clone, Debug)]
pub struct HeadMemo {
    bytes: Aligned,
    /// Bytes of the head with its empty line; 0: nothing is remembered.
    length: usize,
    /// Where its field section begins.
    fields: usize,
    /// What it says.
    head: Head,
    /// What the last head said, where it was another one and this one is still remembered.
    other: Head,
    body: Body,
    seen: u8,
    content_length: u64,
}

/// As words are.
#[derive(Clone, Debug)]
#[repr(align(8))]
struct Aligned([u8; BYTES]);

impl Default for HeadMemo {
    fn default() -> Self {
        Self::new()
    }
}

impl HeadMemo {
    /// A memo of nothing.
    pub const fn new() -> Self {
        HeadMemo {
            bytes: Aligned([0; BYTES]),
            length: 0,
            fields: 0,
            head: Head::NONE,
            other: Head::NONE,
            body: Body::Nothing,
            seen: 0,
            content_length: 0,
        }
    }

    /// Remembers a head of that length at the front of `bytes`, if there is room.
    fn remember(&mut self, bytes: &[u8], length: u32) -> bool {
        if let Some(whole) = bytes.get(..length as usize)
            && let Some(room) = self.bytes.0.get_mut(..whole.len())
            // With a lone LF at its end its fields would not say the same below every line.
            && (!bytes::WORDS || whole.ends_with(b"\r\n\r\n"))
        {
            room.copy_from_slice(whole);
            self.length = whole.len();
            return true;
        }
        false
    }

    /// Whether `bytes` begin with what is remembered from `from` on.
    #[inline(always)]
    fn knows(&self, from: usize, bytes: &[u8]) -> bool {
        self.length > 0 && self.bytes.0.get(from..self.length).is_some_and(|known| bytes::start_with(bytes, known))
    }
}

impl HeadParser {
    /// The same as [`parse`](HeadParser::parse), faster where the head is the one before, or its fields are. To be called
    /// with the same limits each time. Behind a complete head the parser is a new one.
    ///
    /// # Errors
    /// As [`parse`](HeadParser::parse).
    pub fn parse_remembering<'m>(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
        memo: &'m mut HeadMemo,
    ) -> Result<Option<&'m Head>, Refusal> {
        if self.recall(bytes, limits, memo).is_some() { Ok(Some(&memo.head)) } else { self.learn(bytes, limits, memo) }
    }

    /// The first half of [`parse_remembering`](HeadParser::parse_remembering): what the head says if it is the one before.
    /// `None` says nothing of it.
    #[inline]
    pub fn recall<'m>(&self, bytes: &[u8], limits: &HeadLimits, memo: &'m HeadMemo) -> Option<&'m Head> {
        (self.phase == Phase::Start && memo.knows(0, bounded(bytes, limits))).then_some(&memo.head)
    }

    /// The second half of [`parse_remembering`](HeadParser::parse_remembering), where the first has said nothing.
    ///
    /// # Errors
    /// As [`parse`](HeadParser::parse).
    pub fn learn<'m>(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
        memo: &'m mut HeadMemo,
    ) -> Result<Option<&'m Head>, Refusal> {
        if !bytes::WORDS {
            self.parse_whole(bytes, limits, memo)
        } else if self.phase == Phase::Start {
            self.parse_and_remember(bytes, limits, memo)
        } else {
            self.parse_anew(bytes, limits, memo)
        }
    }

    /// Reads on; the head is remembered if there is room, and forgotten otherwise.
    #[inline(never)]
    fn parse_whole<'m>(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
        memo: &'m mut HeadMemo,
    ) -> Result<Option<&'m Head>, Refusal> {
        if !self.parse_into(&mut memo.head, bytes, limits)? {
            return Ok(None);
        }
        self.renew();
        if !memo.remember(bytes, memo.head.bytes) {
            memo.length = 0;
        }
        Ok(Some(&memo.head))
    }

    /// Reads on without a look at what is remembered, and without remembering more than what the head said.
    #[cold]
    #[inline(never)]
    fn parse_anew<'m>(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
        memo: &'m mut HeadMemo,
    ) -> Result<Option<&'m Head>, Refusal> {
        if !self.parse_into(&mut memo.other, bytes, limits)? {
            return Ok(None);
        }
        self.renew();
        Ok(Some(&memo.other))
    }

    #[inline(never)]
    fn parse_and_remember<'m>(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
        memo: &'m mut HeadMemo,
    ) -> Result<Option<&'m Head>, Refusal> {
        let bounded = bounded(bytes, limits);
        if !self.usual_line(bounded, limits) {
            return self.parse_anew(bytes, limits, memo);
        }
        let start = self.fields as usize;
        let section = bounded.get(start..).unwrap_or_default();
        if memo.knows(memo.fields, section) {
            (self.seen, self.body, self.length) = (memo.seen, memo.body, memo.content_length);
            self.end(start + memo.length - memo.fields - 2);
            self.head(&mut memo.other)?;
            self.renew();
            return Ok(Some(&memo.other));
        }
        let complete = self.field_section(bounded, limits)?;
        let mut head = Head::NONE;
        if !self.outcome(complete, &mut head, bytes, limits)? {
            return Ok(None);
        }
        let place = if memo.remember(bytes, head.bytes) {
            memo.fields = start;
            (memo.seen, memo.body, memo.content_length) = (self.seen, self.body, self.length);
            &mut memo.head
        } else {
            &mut memo.other
        };
        self.renew();
        *place = head;
        Ok(Some(place))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::{format, string::String};

    const LIMITS: HeadLimits = HeadLimits { head_bytes_max: 700, target_bytes_max: 100, tolerate_lone_lf: false };

    fn agree(memo: &mut HeadMemo, bytes: &[u8], limits: &HeadLimits) {
        let wanted = HeadParser::new().parse(bytes, limits);
        let mut parser = HeadParser::new();
        let read = parser.parse_remembering(bytes, limits, memo);
        assert_eq!(read.map(Option::<&Head>::copied), wanted, "{}", bytes.escape_ascii());
    }

    /// Heads whose fields decide something, in an order in which a memo that forgot something would show.
    #[test]
    fn what_is_remembered_says_the_same() {
        let sections = [
            "Host: a\r\n\r\n",
            "Host: a\r\nContent-Length: 1\r\n\r\n",
            "Host: a\r\nContent-Length: 12\r\n\r\n",
            "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "Host: a\r\nTransfer-Encoding: ,\r\n\r\n",
            "Host: a\r\nConnection: close\r\n\r\n",
            "Host: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
            "Host: a\r\nExpect: a\r\n\r\n",
            "Host: a\r\nExpect: a\r\nContent-Length: 1\r\n\r\n",
            "\r\n",
            "A: b\r\n\r\n",
        ];
        let lines = [
            "GET / HTTP/1.1\r\n",
            "POST /adder HTTP/1.1\r\n",
            "OPTIONS * HTTP/1.1\r\n",
            "GET / HTTP/1.0\r\n",
            "GET / HTTP/1.2\r\n",
            "\r\nGET / HTTP/1.1\r\n",
            "GET /# HTTP/1.1\r\n",
            "GET /?% HTTP/1.1\r\n",
            "GET https://b/ HTTP/1.1\r\n",
            "GET http://b/ HTTP/1.1\r\n",
        ];
        let mut memo = HeadMemo::new();
        for before in sections {
            for section in sections {
                for line in lines {
                    agree(&mut memo, format!("{}{before}x", lines[0]).as_bytes(), &LIMITS);
                    agree(&mut memo, format!("{line}{before}x").as_bytes(), &LIMITS);
                    agree(&mut memo, format!("{line}{section}1").as_bytes(), &LIMITS);
                    agree(&mut memo, format!("{line}{section}1").as_bytes(), &LIMITS);
                    agree(&mut memo, format!("{line}{}", &section[..section.len() - 1]).as_bytes(), &LIMITS);
                }
            }
        }
    }

    #[test]
    fn sections_at_below_and_above_what_is_remembered() {
        for bytes in BYTES.saturating_sub(3)..BYTES + 3 {
            let mut memo = HeadMemo::new();
            let fixed = "GET / HTTP/1.1\r\nHost: a\r\nA: \r\n\r\n".len();
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n", "b".repeat(bytes.saturating_sub(fixed)));
            agree(&mut memo, head.as_bytes(), &LIMITS);
            assert_eq!(memo.length > 0, head.len() <= BYTES, "{bytes}");
            agree(&mut memo, head.as_bytes(), &LIMITS);
            // The bound of a head holds for one that is remembered too.
            for head_bytes_max in head.len() as u32 - 2..head.len() as u32 + 2 {
                agree(&mut memo, head.as_bytes(), &HeadLimits { head_bytes_max, ..LIMITS });
            }
        }
    }

    proptest! {
        #[test]
        fn any_heads_agree(heads in prop::collection::vec("(GET|POST) /[a-c]{0,2}[#%?]{0,2} HTTP/1\\.[01]\r\n(Host: [ab]\r\n)?(Content-Length: [0-2]\r\n)?(Expect: a\r\n)?(B: [ab]{0,3}\r\n)?(\r\n)?", 1..12)) {
            let mut memo = HeadMemo::new();
            for head in heads {
                let head: String = head;
                agree(&mut memo, head.as_bytes(), &LIMITS);
            }
        }
    }
}
