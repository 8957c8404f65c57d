//! What a body or a parameter may say: values read from text.

use tenure_proto::bytes::{WORDS, long_number, number};

use crate::Error;

/// A value that is read from the bytes of a body, white space around it taken away.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a request's text",
    note = "the integers can, and `bool`, `f32`, `f64` and `char`"
)]
pub trait FromText: Sized {
    /// Reads the value from all of `bytes`.
    ///
    /// # Errors
    /// An [`Error`] of status 400 that says what was wrong and where.
    fn from_text(bytes: &[u8]) -> Result<Self, Error>;
}

const NOT_A_NUMBER: &str = "this is not a number: send one such as 4.2";
const EMPTY: Error = Error::bad_request("a number is wanted and nothing came: send decimal digits, such as 42");
const NO_DIGITS: &str = "a sign without digits is not a number: send digits behind it, such as -42";
const NOT_A_DIGIT: &str = "this is not a whole number: send an optional sign and decimal digits only, such as 42";

/// The bytes without white space around them, and how many stood in front.
fn trimmed(bytes: &[u8]) -> (&[u8], usize) {
    let text = bytes.trim_ascii_start();
    (text.trim_ascii_end(), bytes.len() - text.len())
}

/// A number of digits alone, so few that it is below 10^9: registers of 32 bits hold it.
#[inline]
fn few_digits(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() || bytes.len() > 9 {
        return None;
    }
    bytes.iter().try_fold(0, |number: u32, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| number * 10 + u32::from(digit))
    })
}

/// Why a text of which `digits` are what stands behind its sign is no number; `skipped` bytes stand before it, `range` says which
/// numbers there are.
#[cold]
fn fault(skipped: usize, text: &[u8], digits: &[u8], range: &'static str) -> Error {
    let (reason, at) = match digits.iter().position(|byte| !byte.is_ascii_digit()) {
        Some(at) => (NOT_A_DIGIT, text.len() - digits.len() + at),
        None if text.is_empty() => return EMPTY,
        None if digits.is_empty() => (NO_DIGITS, 0),
        None => (range, 0),
    };
    Error::bad_request(reason).at_byte((skipped + at) as u32)
}

macro_rules! integers {
    ($number:ident $wide:ty: $($type:ty = $range:expr;)*) => {
        $(#[allow(
            unused_comparisons,
            clippy::cast_possible_wrap,
            clippy::cast_lossless,
            clippy::cast_sign_loss,
            reason = "one way for all integers: what does not come back as it was is out of range"
        )]
        impl FromText for $type {
            #[inline]
            fn from_text(bytes: &[u8]) -> Result<Self, Error> {
                #[cold]
                fn signed(bytes: &[u8]) -> Result<$type, Error> {
                    let (text, skipped) = trimmed(bytes);
                    let (negative, digits) = match text {
                        [b'-', digits @ ..] => (true, digits),
                        [b'+', digits @ ..] => (false, digits),
                        digits => (false, digits),
                    };
                    let value = $number(digits).and_then(|magnitude| {
                        let wrapped = if negative { magnitude.wrapping_neg() } else { magnitude };
                        let value = wrapped as $type;
                        let fits = value as $wide == wrapped && (value < 0) == (negative && magnitude != 0);
                        fits.then_some(value)
                    });
                    value.ok_or_else(|| fault(skipped, text, digits, $range))
                }

                // One digit or more and nothing else is what nearly every number is.
                if !WORDS {
                    return match few_digits(bytes) {
                        Some(number) if size_of::<$type>() >= size_of::<u32>() => Ok(number as $type),
                        _ => signed(bytes),
                    };
                }
                let mut number: $type = 0;
                for &byte in bytes {
                    let digit = byte.wrapping_sub(b'0');
                    if digit > 9 {
                        return signed(bytes);
                    }
                    let Some(next) = number.checked_mul(10).and_then(|number| number.checked_add(digit as $type)) else {
                        return signed(bytes);
                    };
                    number = next;
                }
                if bytes.is_empty() { Err(EMPTY) } else { Ok(number) }
            }
        })*
    };
}

macro_rules! range {
    ($least:literal to $greatest:literal) => {
        concat!("the number is out of range: send one from ", $least, " to ", $greatest)
    };
}

const I32: &str = range!("-2147483648" to "2147483647");
const I64: &str = range!("-9223372036854775808" to "9223372036854775807");
const U32: &str = range!("0" to "4294967295");
const U64: &str = range!("0" to "18446744073709551615");

integers! { number u64:
    i8 = range!("-128" to "127");
    i16 = range!("-32768" to "32767");
    i32 = I32;
    i64 = I64;
    isize = if isize::BITS == 64 { I64 } else { I32 };
    u8 = range!("0" to "255");
    u16 = range!("0" to "65535");
    u32 = U32;
    u64 = U64;
    usize = if usize::BITS == 64 { U64 } else { U32 };
}
integers! { long_number u128:
    i128 = range!("-170141183460469231731687303715884105728" to "170141183460469231731687303715884105727");
    u128 = range!("0" to "340282366920938463463374607431768211455");
}

macro_rules! from_str {
    ($($type:ty = $reason:expr;)*) => {
        $(impl FromText for $type {
            fn from_text(bytes: &[u8]) -> Result<Self, Error> {
                let text = str::from_utf8(trimmed(bytes).0).ok();
                text.and_then(|text| text.parse().ok()).ok_or(Error::bad_request($reason))
            }
        })*
    };
}

from_str! {
    bool = "send true or false";
    char = "send one character";
    f32 = NOT_A_NUMBER;
    f64 = NOT_A_NUMBER;
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{FromText, few_digits};
    use std::{fmt::Display, format, string::ToString};

    #[test]
    fn few_digits_are_nine_at_the_most() {
        for (text, number) in [
            ("", None),
            ("0", Some(0)),
            ("007", Some(7)),
            ("999999999", Some(999_999_999)),
            ("1000000000", None),
            ("+1", None),
            ("-1", None),
            (" 1", None),
            ("1/", None),
            ("1:", None),
        ] {
            assert_eq!(few_digits(text.as_bytes()), number, "{text:?}");
        }
    }

    #[test]
    fn numbers_and_what_is_not_one() {
        let cases: &[(&str, Result<i64, Option<u32>>)] = &[
            ("0", Ok(0)),
            ("1", Ok(1)),
            ("-1", Ok(-1)),
            ("+1", Ok(1)),
            ("007", Ok(7)),
            (" \t12\r\n", Ok(12)),
            ("-0", Ok(0)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("9223372036854775808", Err(Some(0))),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("-9223372036854775809", Err(Some(0))),
            ("", Err(None)),
            (" ", Err(None)),
            ("-", Err(Some(0))),
            (" +", Err(Some(1))),
            ("1 2", Err(Some(1))),
            ("1x", Err(Some(1))),
            ("0x1", Err(Some(1))),
            ("--1", Err(Some(1))),
            ("1.0", Err(Some(1))),
            ("\u{661}", Err(Some(0))),
        ];
        for &(text, wanted) in cases {
            let read = i64::from_text(text.as_bytes());
            assert_eq!(read.map_err(|error| error.byte()), wanted, "{text:?}: {read:?}");
            if let Err(error) = read {
                assert_eq!(error.status().code(), 400);
            }
        }
        assert_eq!(u8::from_text(b"255"), Ok(255));
        assert!(u8::from_text(b"256").is_err());
        assert!(u8::from_text(b"-1").is_err());
        assert_eq!(u8::from_text(b"-0"), Ok(0));
    }

    #[test]
    fn what_is_no_number_says_what_is_one() {
        for (text, reason) in [
            ("", "a number is wanted and nothing came: send decimal digits, such as 42"),
            (" -", "a sign without digits is not a number: send digits behind it, such as -42 (byte 1)"),
            (" 4.2", "this is not a whole number: send an optional sign and decimal digits only, such as 42 (byte 2)"),
            (" 128", "the number is out of range: send one from -128 to 127 (byte 1)"),
        ] {
            assert_eq!(i8::from_text(text.as_bytes()).unwrap_err().to_string(), reason, "{text:?}");
        }
    }

    /// A text tells the least and the greatest number of its type.
    #[test]
    fn ranges_are_what_is_said() {
        fn check<T: FromText + Display + Copy>(least: T, greatest: T) {
            let beyond = "9".repeat(40);
            let reason = T::from_text(beyond.as_bytes()).map(|_| ()).unwrap_err().reason();
            assert_eq!(reason, format!("the number is out of range: send one from {least} to {greatest}"));
        }
        check(i8::MIN, i8::MAX);
        check(i16::MIN, i16::MAX);
        check(i32::MIN, i32::MAX);
        check(i64::MIN, i64::MAX);
        check(i128::MIN, i128::MAX);
        check(isize::MIN, isize::MAX);
        check(u8::MIN, u8::MAX);
        check(u16::MIN, u16::MAX);
        check(u32::MIN, u32::MAX);
        check(u64::MIN, u64::MAX);
        check(u128::MIN, u128::MAX);
        check(usize::MIN, usize::MAX);
    }

    #[test]
    fn other_values() {
        assert_eq!(bool::from_text(b" true\n"), Ok(true));
        assert!(bool::from_text(b"yes").is_err());
        assert_eq!(f64::from_text(b"1.5"), Ok(1.5));
        assert!(f64::from_text(b"1,5").is_err());
        assert!(char::from_text(b"\xff").is_err());
    }
}
