//! Which part of a representation a request wants: RFC 9110 section 14.

use crate::bytes::trim;

/// What a Range field wants of a representation of known length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// All of it, as if there were no such field: another unit than bytes, several ranges, or something that is no range. A server
    /// may ignore the field (section 14.2), and several ranges ask for more than they save.
    Whole,
    /// These bytes, both ends included.
    Part {
        /// The first one's number.
        first: u64,
        /// The last one's.
        last: u64,
    },
    /// Bytes that it does not have: 416 (Range Not Satisfiable).
    Unsatisfiable,
}

impl Range {
    /// What `value`, a Range field's, wants of a representation of `length` bytes. Numbers beyond 64 bits count as beyond its end.
    ///
    /// # Examples
    /// ```
    /// use tenure_proto::range::Range;
    ///
    /// assert_eq!(Range::parse(b"bytes=-2", 10), Range::Part { first: 8, last: 9 });
    /// assert_eq!(Range::parse(b"bytes=10-", 10), Range::Unsatisfiable);
    /// assert_eq!(Range::parse(b"bytes=0-1,5-", 10), Range::Whole);
    /// ```
    pub fn parse(value: &[u8], length: u64) -> Self {
        range(value, length).unwrap_or(Range::Whole)
    }
}

/// `None`: the field is to be ignored.
fn range(value: &[u8], length: u64) -> Option<Range> {
    let (unit, set) = value.split_at_checked(b"bytes=".len())?;
    // Section 14.1: units are case-insensitive.
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    // Section 5.6.1.2: a recipient takes empty elements, too.
    let mut ranges = set.split(|&byte| byte == b',').map(trim).filter(|range| !range.is_empty());
    let range = ranges.next().filter(|_| ranges.next().is_none())?;
    let dash = range.iter().position(|&byte| byte == b'-')?;
    let (first, last) = (range.get(..dash)?, range.get(dash + 1..)?);
    match (first, last) {
        ([], []) => None,
        // The last so many bytes: section 14.1.2.
        ([], suffix) => match number(suffix)? {
            0 => Some(Range::Unsatisfiable),
            // It can be satisfied, but a Content-Range cannot say how.
            _ if length == 0 => None,
            suffix => Some(Range::Part { first: length.saturating_sub(suffix), last: length - 1 }),
        },
        (first, last) => {
            let (first, last) = (number(first)?, if last.is_empty() { u64::MAX } else { number(last)? });
            match last {
                // Section 14.1.2: such a range is invalid.
                _ if last < first => None,
                _ if first >= length => Some(Range::Unsatisfiable),
                last => Some(Range::Part { first, last: last.min(length - 1) }),
            }
        }
    }
}

/// A number of digits alone.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    })
}

/// Bytes of a Content-Range's value at the most.
pub const CONTENT_RANGE_BYTES_MAX: usize = "bytes -/".len() + 3 * 20;

/// A Content-Range's value, section 14.4: of a part of a representation of `length` bytes, or, without one, of a range that
/// cannot be satisfied.
///
/// # Examples
/// ```
/// use tenure_proto::range::{CONTENT_RANGE_BYTES_MAX, content_range};
///
/// let mut buffer = [0; CONTENT_RANGE_BYTES_MAX];
/// assert_eq!(content_range(Some((0, 4)), 10, &mut buffer), "bytes 0-4/10");
/// assert_eq!(content_range(None, 10, &mut buffer), "bytes */10");
/// ```
pub fn content_range(part: Option<(u64, u64)>, length: u64, buffer: &mut [u8; CONTENT_RANGE_BYTES_MAX]) -> &str {
    let mut end = 0;
    let mut put = |bytes: &[u8]| {
        if let Some(room) = buffer.get_mut(end..end + bytes.len()) {
            room.copy_from_slice(bytes);
            end += bytes.len();
        }
    };
    let digits = &mut [0; 20];
    put(b"bytes ");
    match part {
        None => put(b"*"),
        Some((first, last)) => {
            put(crate::response::decimal(first, digits));
            put(b"-");
            put(crate::response::decimal(last, digits));
        }
    }
    put(b"/");
    put(crate::response::decimal(length, digits));
    core::str::from_utf8(&buffer[..end]).unwrap_or_default()
}
