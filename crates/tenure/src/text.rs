//! What a body or a parameter may say: values read from text.

use tenure_proto::octets::WORDS;

use crate::Error;

/// A value that is read from the octets of a body, white space around it taken away.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a request's text",
    note = "the integers can, and `bool`, `f32`, `f64` and `char`"
)]
pub trait FromText: Sized {
    /// Reads the value from all of `octets`.
    ///
    /// # Errors
    /// An [`Error`] of status 400 that says what was wrong and where.
    fn from_text(octets: &[u8]) -> Result<Self, Error>;
}

const EMPTY: Error = Error::bad_request("a number is wanted and nothing came: send decimal digits, such as 42");
const NO_DIGITS: Error =
    Error::bad_request("a sign without digits is not a number: send digits behind it, such as -42");
const NOT_A_DIGIT: Error =
    Error::bad_request("this is not a whole number: send an optional sign and decimal digits only, such as 42");
const OUT_OF_RANGE: Error = Error::bad_request("the number is out of range");

/// The octets without white space around them, and how many stood in front.
fn trimmed(octets: &[u8]) -> (&[u8], usize) {
    let behind = octets.trim_ascii_start();
    (behind.trim_ascii_end(), octets.len() - behind.len())
}

/// A number of digits alone, so few that it is below 10^9: registers of 32 bits hold it.
#[inline]
fn few_digits(octets: &[u8]) -> Option<u32> {
    if octets.is_empty() || octets.len() > 9 {
        return None;
    }
    octets.iter().try_fold(0, |number: u32, octet| {
        let digit = octet.wrapping_sub(b'0');
        (digit <= 9).then(|| number * 10 + u32::from(digit))
    })
}

macro_rules! integers {
    ($($type:ty)*) => {
        $(#[allow(clippy::cast_possible_wrap, clippy::cast_lossless, reason = "a digit is in the range of every integer")]
        impl FromText for $type {
            #[inline]
            fn from_text(octets: &[u8]) -> Result<Self, Error> {
                #[cold]
                fn signed(octets: &[u8]) -> Result<$type, Error> {
                    let (text, skipped) = trimmed(octets);
                    let (negative, digits) = match text {
                        [b'-', digits @ ..] => (true, digits),
                        [b'+', digits @ ..] => (false, digits),
                        digits => (false, digits),
                    };
                    if digits.is_empty() {
                        return Err(if text.is_empty() { EMPTY } else { NO_DIGITS.at_octet(skipped as u32) });
                    }
                    let mut number: Option<$type> = Some(0);
                    for (at, octet) in digits.iter().enumerate() {
                        let digit = octet.wrapping_sub(b'0');
                        if digit > 9 {
                            return Err(NOT_A_DIGIT.at_octet((skipped + text.len() - digits.len() + at) as u32));
                        }
                        let digit = digit as $type;
                        number = number
                            .and_then(|number| number.checked_mul(10))
                            .and_then(|number| if negative { number.checked_sub(digit) } else { number.checked_add(digit) });
                    }
                    number.ok_or(OUT_OF_RANGE.at_octet(skipped as u32))
                }

                // One digit or more and nothing else is what nearly every number is.
                if !WORDS {
                    return match few_digits(octets) {
                        Some(number) if size_of::<$type>() >= size_of::<u32>() => Ok(number as $type),
                        _ => signed(octets),
                    };
                }
                let mut number: $type = 0;
                for &octet in octets {
                    let digit = octet.wrapping_sub(b'0');
                    if digit > 9 {
                        return signed(octets);
                    }
                    let Some(next) = number.checked_mul(10).and_then(|number| number.checked_add(digit as $type)) else {
                        return signed(octets);
                    };
                    number = next;
                }
                if octets.is_empty() { Err(EMPTY) } else { Ok(number) }
            }
        })*
    };
}

integers! { i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize }

macro_rules! from_str {
    ($($type:ty = $reason:literal;)*) => {
        $(impl FromText for $type {
            fn from_text(octets: &[u8]) -> Result<Self, Error> {
                let text = str::from_utf8(trimmed(octets).0).ok();
                text.and_then(|text| text.parse().ok()).ok_or(Error::bad_request($reason))
            }
        })*
    };
}

from_str! {
    bool = "send true or false";
    char = "send one character";
    f32 = "this is not a number: send one such as 4.2";
    f64 = "this is not a number: send one such as 4.2";
}

#[cfg(test)]
mod tests {
    use super::{FromText, few_digits};

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
            assert_eq!(read.map_err(|error| error.octet()), wanted, "{text:?}: {read:?}");
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
    fn other_values() {
        assert_eq!(bool::from_text(b" true\n"), Ok(true));
        assert!(bool::from_text(b"yes").is_err());
        assert_eq!(f64::from_text(b"1.5"), Ok(1.5));
        assert!(f64::from_text(b"1,5").is_err());
        assert!(char::from_text(b"\xff").is_err());
    }
}
