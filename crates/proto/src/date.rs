//! How a date is written and read: RFC 9110 section 5.6.7.

/// Bytes of an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub const DATE_BYTES: usize = 29;

/// 9999-12-31T23:59:59Z, the last second that the format can hold.
const LAST: u64 = 253_402_300_799;

/// Names of months, in order.
const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

/// The date of a second since 1970-01-01T00:00:00Z, leap seconds not counted. Seconds behind the year 9999 are written as
/// its last one.
pub fn imf_fixdate(unix_seconds: u64) -> [u8; DATE_BYTES] {
    const DAYS: &[u8; 21] = b"ThuFriSatSunMonTueWed";
    let unix_seconds = unix_seconds.min(LAST);
    let (days, second) = ((unix_seconds / 86_400) as u32, (unix_seconds % 86_400) as u32);
    // Days since 0000-03-01 in the proleptic Gregorian calendar: a year that starts in March ends with its leap day.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = era * 400 + year_of_era + u32::from(month < 2);

    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    let weekday = (days % 7 * 3) as usize;
    let month = month as usize * 3;
    text[..3].copy_from_slice(&DAYS[weekday..weekday + 3]);
    text[8..11].copy_from_slice(&MONTHS[month..month + 3]);
    for (at, number) in
        [(5, day), (12, year / 100), (14, year % 100), (17, second / 3_600), (20, second / 60 % 60), (23, second % 60)]
    {
        text[at] = b'0' + (number / 10) as u8;
        text[at + 1] = b'0' + (number % 10) as u8;
    }
    text
}

/// The second since 1970-01-01T00:00:00Z that a date names, in any of the three forms that HTTP has had. `None`: it is none, or
/// before 1970.
///
/// The obsolete form of RFC 850 has a year of two digits: `now`, in seconds since 1970, decides its century, so that the date is at
/// most 50 years ahead. Whether the weekday goes with the date is not looked at.
///
/// # Examples
/// ```
/// use tenure_proto::date::parse;
///
/// assert_eq!(parse(b"Sun, 06 Nov 1994 08:49:37 GMT", 0), Some(784_111_777));
/// assert_eq!(parse(b"Sunday, 06-Nov-94 08:49:37 GMT", 1_800_000_000), Some(784_111_777));
/// assert_eq!(parse(b"Sun Nov  6 08:49:37 1994", 0), Some(784_111_777));
/// ```
pub fn parse(text: &[u8], now: u64) -> Option<u64> {
    let (weekday, rest) = text.split_at_checked(3)?;
    let (_, name) = WEEKDAYS.iter().find(|(short, _)| *short == weekday)?;
    if is_like(rest, b", 00 AAA 0000 00:00:00 GMT") {
        return second(number(&rest[9..13]), &rest[5..8], number(&rest[2..4]), &rest[14..22]);
    }
    if is_like(rest, b" AAA  0 00:00:00 0000") || is_like(rest, b" AAA 00 00:00:00 0000") {
        return second(number(&rest[17..21]), &rest[1..4], number(&rest[5..7]), &rest[8..16]);
    }
    let rest = rest.strip_prefix(*name).filter(|rest| is_like(rest, b", 00-AAA-00 00:00:00 GMT"))?;
    let this_year = number(&imf_fixdate(now)[12..16]);
    let mut year = this_year - this_year % 100 + number(&rest[9..11]);
    if year > this_year + 50 {
        year -= 100;
    }
    second(year, &rest[5..8], number(&rest[2..4]), &rest[12..20])
}

/// The weekdays' first three letters, and what else their names have.
const WEEKDAYS: [(&[u8], &[u8]); 7] = [
    (b"Mon", b"day"),
    (b"Tue", b"sday"),
    (b"Wed", b"nesday"),
    (b"Thu", b"rsday"),
    (b"Fri", b"day"),
    (b"Sat", b"urday"),
    (b"Sun", b"day"),
];

/// Whether a text has digits where the form has `0`, letters where it has `A`, and is the form elsewhere.
fn is_like(text: &[u8], form: &[u8]) -> bool {
    text.len() == form.len()
        && text.iter().zip(form).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_alphabetic(),
            form => byte == form,
        })
}

/// A number of a few digits, behind blanks.
fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number, byte| 10 * number + u32::from(byte & 0xf))
}

/// The second since 1970 of a day and a time of it, `08:49:37`.
fn second(year: u32, month: &[u8], day: u32, time: &[u8]) -> Option<u64> {
    let (hour, minute, second) = (number(&time[..2]), number(&time[3..5]), number(&time[6..]));
    let month = MONTHS.chunks(3).position(|name| name == month)? as u32;
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 => 28 + u32::from(is_leap),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    };
    // The grammar has a leap second; it counts as the one behind it.
    if year < 1970 || !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // As in `imf_fixdate`: a year that starts in March ends with its leap day.
    let (from_march, year) = ((month + 10) % 12, year - u32::from(month < 2));
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day - 1;
    Some(u64::from(days - 719_468) * 86_400 + u64::from(hour * 3_600 + minute * 60 + second))
}

#[cfg(test)]
mod tests {
    use super::{LAST, imf_fixdate, parse};

    #[test]
    fn known_dates() {
        for (second, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (LAST, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (LAST + 1, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(core::str::from_utf8(&imf_fixdate(second)).unwrap(), text, "{second}");
        }
    }

    /// 2026-11-29.
    const NOW: u64 = 1_795_910_400;

    #[test]
    fn every_day_is_read_as_it_is_written() {
        for second in (0..=LAST).step_by(86_400 * 3 + 12_345) {
            assert_eq!(parse(&imf_fixdate(second), 0), Some(second));
        }
        assert_eq!(parse(&imf_fixdate(LAST), 0), Some(LAST));
    }

    #[test]
    fn the_three_forms_and_what_is_none() {
        for (text, wanted) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Sun Nov 06 08:49:37 1994", Some(784_111_777)),
            ("Wed Nov 16 08:49:37 1994", Some(784_975_777)),
            ("Wednesday, 16-Nov-94 08:49:37 GMT", Some(784_975_777)),
            // Another weekday than that of the date does not matter; one that is none does.
            ("Mon, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Xyz, 06 Nov 1994 08:49:37 GMT", None),
            ("Sonday, 06-Nov-94 08:49:37 GMT", None),
            ("Tueday, 06-Nov-94 08:49:37 GMT", None),
            // The century of two digits: at most 50 years ahead.
            ("Sunday, 06-Nov-76 00:00:00 GMT", Some(3_371_846_400)),
            ("Sunday, 06-Nov-77 00:00:00 GMT", Some(247_622_400)),
            ("Sunday, 06-Nov-00 00:00:00 GMT", Some(973_468_800)),
            // Bounds of each number.
            ("Thu, 29 Feb 2024 00:00:00 GMT", Some(1_709_164_800)),
            ("Thu, 29 Feb 2023 00:00:00 GMT", None),
            ("Thu, 28 Feb 2100 00:00:00 GMT", Some(4_107_456_000)),
            ("Thu, 29 Feb 2100 00:00:00 GMT", None),
            ("Tue, 29 Feb 2000 00:00:00 GMT", Some(951_782_400)),
            ("Sun, 00 Nov 1994 08:49:37 GMT", None),
            ("Sun, 30 Nov 1994 08:49:37 GMT", Some(786_185_377)),
            ("Sun, 31 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 23:59:59 GMT", Some(784_166_399)),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None),
            ("Sun, 06 Nov 1994 08:60:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:60 GMT", Some(784_111_800)),
            ("Sun, 06 Nov 1994 08:49:61 GMT", None),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Wed, 31 Dec 1969 23:59:59 GMT", None),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(LAST)),
            // Not HTTP's.
            ("", None),
            ("0", None),
            ("784111777", None),
            ("Sun, 06 Nov 1994 08:49:37 UTC", None),
            ("Sun, 06 Nov 1994 08:49:37 +0000", None),
            ("Sun, 6 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Noe 1994 08:49:37 GMT", None),
            ("Sun Nov   6 08:49:37 1994", None),
            ("Sun Nov  0 08:49:37 1994", None),
            ("Sun, 06 nov 1994 08:49:37 GMT", None),
            ("sun, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT ", None),
            (" Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 19941 08:49:37 GMT", None),
            ("Sun Nov  6 08:49:37 94", None),
            ("Sun Nov  6 08:49:37 1994 GMT", None),
            ("Sun, 06-Nov-94 08:49:37 GMT", None),
            ("Sunday, 06-Nov-1994 08:49:37 GMT", None),
            ("1994-11-06T08:49:37Z", None),
        ] {
            assert_eq!(parse(text.as_bytes(), NOW), wanted, "{text}");
        }
    }

    #[test]
    fn a_date_that_is_cut_anywhere_is_none() {
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            for end in 0..text.len() {
                assert_eq!(parse(&text.as_bytes()[..end], NOW), None, "{}", &text[..end]);
            }
        }
    }
}
