//! Ranges of bytes: RFC 9110 section 14.

use tenure_proto::range::{CONTENT_RANGE_BYTES_MAX, Range, content_range};

const fn part(first: u64, last: u64) -> Range {
    Range::Part { first, last }
}

/// Sections 14.1 and 14.2, of a representation of ten bytes.
#[test]
fn ranges_of_ten_bytes() {
    use Range::{Unsatisfiable, Whole};
    for (value, wanted) in [
        ("bytes=0-4", part(0, 4)),
        ("bytes=0-0", part(0, 0)),
        ("bytes=5-", part(5, 9)),
        ("bytes=0-", part(0, 9)),
        ("bytes=9-", part(9, 9)),
        ("bytes=10-", Unsatisfiable),
        ("bytes=9-9", part(9, 9)),
        ("bytes=9-10", part(9, 9)),
        ("bytes=10-10", Unsatisfiable),
        ("bytes=8-100", part(8, 9)),
        ("bytes=4-3", Whole),
        ("bytes=4-4", part(4, 4)),
        ("bytes=11-10", Whole),
        ("bytes=-1", part(9, 9)),
        ("bytes=-9", part(1, 9)),
        ("bytes=-10", part(0, 9)),
        ("bytes=-11", part(0, 9)),
        ("bytes=-0", Unsatisfiable),
        ("bytes=-00", Unsatisfiable),
        ("bytes=00-01", part(0, 1)),
        // Units are case-insensitive; others are not known.
        ("BYTES=0-4", part(0, 4)),
        ("Bytes=0-4", part(0, 4)),
        ("lines=0-4", Whole),
        ("byte=0-4", Whole),
        ("bytes0-4", Whole),
        ("bytes 0-4", Whole),
        ("bytes =0-4", Whole),
        ("none", Whole),
        ("", Whole),
        ("bytes", Whole),
        ("bytes=", Whole),
        ("bytes=-", Whole),
        ("bytes=a-b", Whole),
        ("bytes=0x1-2", Whole),
        ("bytes=1", Whole),
        ("bytes=1--2", Whole),
        ("bytes=--2", Whole),
        ("bytes=+1-2", Whole),
        ("bytes=1 -2", Whole),
        ("bytes=1- 2", Whole),
        ("bytes=0-4;q=1", Whole),
        // Blanks and empty elements around a range: section 5.6.1.2.
        ("bytes= 0-4", part(0, 4)),
        ("bytes=0-4 ", part(0, 4)),
        ("bytes=,0-4,, ", part(0, 4)),
        ("bytes=,", Whole),
        // Several: all of it.
        ("bytes=0-1,3-4", Whole),
        ("bytes=0-0, -1", Whole),
        ("bytes=10-, 11-", Whole),
        ("bytes=0-1, x", Whole),
        // As two field lines would be joined.
        ("bytes=0-1, bytes=2-3", Whole),
        // Numbers of any length.
        ("bytes=0-18446744073709551615", part(0, 9)),
        ("bytes=0-18446744073709551616", part(0, 9)),
        ("bytes=0-99999999999999999999999999999999", part(0, 9)),
        ("bytes=18446744073709551616-", Unsatisfiable),
        ("bytes=18446744073709551616-18446744073709551617", Unsatisfiable),
        ("bytes=-99999999999999999999999999999999", part(0, 9)),
        ("bytes=00000000000000000000000000000001-2", part(1, 2)),
    ] {
        assert_eq!(Range::parse(value.as_bytes(), 10), wanted, "{value}");
    }
}

#[test]
fn ranges_of_nothing_and_of_all_that_can_be() {
    for (value, length, wanted) in [
        ("bytes=0-", 0, Range::Unsatisfiable),
        ("bytes=0-0", 0, Range::Unsatisfiable),
        ("bytes=-0", 0, Range::Unsatisfiable),
        // Section 14.1.2 calls it satisfiable, and 206 could not tell which part it is.
        ("bytes=-1", 0, Range::Whole),
        ("bytes=0-", 1, part(0, 0)),
        ("bytes=1-", 1, Range::Unsatisfiable),
        ("bytes=0-", u64::MAX, part(0, u64::MAX - 1)),
        ("bytes=-1", u64::MAX, part(u64::MAX - 1, u64::MAX - 1)),
        ("bytes=18446744073709551614-", u64::MAX, part(u64::MAX - 1, u64::MAX - 1)),
        ("bytes=18446744073709551615-", u64::MAX, Range::Unsatisfiable),
    ] {
        assert_eq!(Range::parse(value.as_bytes(), length), wanted, "{value} of {length}");
    }
}

#[test]
fn a_range_that_is_cut_is_shorter_or_none() {
    let value = b"bytes=123-456";
    for end in 0..value.len() {
        let wanted = match end {
            0..=9 => Range::Whole,
            10 => part(123, 999),
            11 | 12 => Range::Whole,
            _ => unreachable!(),
        };
        // `123-4` and `123-45` end before they begin.
        assert_eq!(Range::parse(&value[..end], 1_000), wanted, "{end}");
    }
    assert_eq!(Range::parse(value, 1_000), part(123, 456));
}

/// Section 14.4.
#[test]
fn content_ranges() {
    let mut buffer = [0; CONTENT_RANGE_BYTES_MAX];
    for (part, length, wanted) in [
        (Some((0, 0)), 1, "bytes 0-0/1"),
        (Some((42, 1_233)), 1_234, "bytes 42-1233/1234"),
        (None, 0, "bytes */0"),
        (Some((u64::MAX, u64::MAX)), u64::MAX, "bytes 18446744073709551615-18446744073709551615/18446744073709551615"),
    ] {
        assert_eq!(content_range(part, length, &mut buffer), wanted);
    }
}
