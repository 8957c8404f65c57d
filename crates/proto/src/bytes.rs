//! Which bytes may stand where: RFC 9110 section 5, RFC 3986 sections 2 and 3.
//!
//! One table holds the classes, written as the ABNF has them. The scans find the first byte outside a class; they read
//! words of eight bytes where the machine has such words, and bytes where it has not.

/// `tchar`: RFC 9110 section 5.6.2.
pub(crate) const TOKEN: u8 = 1;
/// `field-vchar`, SP and HTAB: RFC 9110 section 5.5.
pub(crate) const FIELD: u8 = 1 << 1;
/// `HEXDIG`, of either case: RFC 5234 appendix B.1.
pub(crate) const HEX: u8 = 1 << 2;
/// `SP / HTAB`: RFC 9110 section 5.6.3.
pub(crate) const BLANK: u8 = 1 << 3;
/// `reg-name` without `pct-encoded`: RFC 3986 section 3.2.2.
pub(crate) const NAME: u8 = 1 << 4;
/// What paths and queries are made of, without `%`: `pchar`, `/` and `?` (RFC 3986 sections 3.3 and 3.4), and what browsers
/// send unencoded besides (the URL standard's percent-encode sets leave it alone).
pub(crate) const TARGET: u8 = 1 << 5;
/// What an authority without user information is made of: RFC 3986 section 3.2.
pub(crate) const AUTHORITY: u8 = 1 << 6;
/// `DIGIT`: RFC 5234 appendix B.1.
pub(crate) const DIGIT: u8 = 1 << 7;

/// RFC 5234 appendix B.1 and RFC 3986 section 2.3.
const fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 section 2.2.
const fn sub_delim(byte: u8) -> bool {
    matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

/// What stands in no URI, but is sent by browsers all the same, in a query or in a path. None of it frames a message.
const fn raw(byte: u8) -> bool {
    matches!(byte, b'[' | b']' | b'{' | b'}' | b'|' | b'^' | b'\\' | b'`')
}

/// RFC 9110 section 5.6.2.
const fn tchar(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
    ) || byte.is_ascii_alphanumeric()
}

/// Bytes that the table tells the classes of: all of them, or where code counts for more than time, those of ASCII.
const TABLE_BYTES: usize = if WORDS { 256 } else { 128 };

static CLASSES: [u8; TABLE_BYTES] = {
    let mut classes = [0; TABLE_BYTES];
    let mut byte = 0_u8;
    loop {
        let mut class = 0;
        if tchar(byte) {
            class |= TOKEN;
        }
        if matches!(byte, b'\t' | b' '..=b'~' | 0x80..=0xff) {
            class |= FIELD;
        }
        if unreserved(byte) || sub_delim(byte) {
            class |= NAME;
        }
        if class & NAME != 0 || raw(byte) || matches!(byte, b':' | b'@' | b'/' | b'?') {
            class |= TARGET;
        }
        if class & NAME != 0 || matches!(byte, b'%' | b':' | b'[' | b']') {
            class |= AUTHORITY;
        }
        if byte.is_ascii_hexdigit() {
            class |= HEX;
        }
        if byte.is_ascii_digit() {
            class |= DIGIT;
        }
        if is_blank(byte) {
            class |= BLANK;
        }
        classes[byte as usize] = class;
        if byte as usize == TABLE_BYTES - 1 {
            break classes;
        }
        byte += 1;
    }
};

/// Whether a byte is of a class.
#[inline(always)]
pub(crate) const fn is(byte: u8, class: u8) -> bool {
    // What is not of ASCII may stand in fields alone.
    let classes = if (byte as usize) < TABLE_BYTES { CLASSES[byte as usize] } else { FIELD };
    classes & class != 0
}

/// Whether a byte may stand in a token: `tchar` of RFC 9110 section 5.6.2.
pub const fn is_tchar(byte: u8) -> bool {
    is(byte, TOKEN)
}

/// Whether a byte may stand in a field value: `field-vchar`, SP and HTAB of RFC 9110 section 5.5.
pub const fn is_field_byte(byte: u8) -> bool {
    is(byte, FIELD)
}

/// Whether a byte may stand in a registered name as itself: RFC 3986 section 3.2.2. `%` may not, it opens `pct-encoded`.
pub const fn is_name_byte(byte: u8) -> bool {
    is(byte, NAME)
}

/// Whether a byte is optional white space: RFC 9110 section 5.6.3.
pub const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The value of a hexadecimal digit of either case: `HEXDIG` of RFC 5234 appendix B.1, case-insensitive as RFC 3986
/// section 2.1 and RFC 9112 section 7.1 have it.
pub const fn hex(byte: u8) -> Option<u8> {
    if is(byte, HEX) { Some(hex_value(byte)) } else { None }
}

/// The value of a byte that is such a digit.
pub(crate) const fn hex_value(digit: u8) -> u8 {
    // The letters are those with bit 6, and count from 1 in their lowest bits.
    (digit & 0xf) + 9 * (digit >> 6)
}

/// The byte that a `%` and two hexadecimal digits at the front stand for: RFC 3986 section 2.1.
#[inline(never)]
pub(crate) fn escape(bytes: &[u8]) -> Option<u8> {
    match *bytes {
        [b'%', high, low, ..] if by_table(bytes, 1, HEX) > 2 => Some(hex_value(high) << 4 | hex_value(low)),
        _ => None,
    }
}

/// Without the optional white space at both ends: RFC 9110 section 5.5.
#[inline(never)]
pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident = $type:ty;)*) => {
        $(
            $(#[$doc])*
            #[inline(never)]
            pub fn $name(digits: &[u8]) -> Option<$type> {
                let mut number: $type = 0;
                for byte in digits {
                    let digit = byte.wrapping_sub(b'0');
                    if digit > 9 || number > <$type>::MAX / 10 {
                        return None;
                    }
                    number = (number * 10).checked_add(digit.into())?;
                }
                (!digits.is_empty()).then_some(number)
            }
        )*
    };
}

numbers! {
    /// The value of `1*DIGIT`; `None`: there is another byte, or it is beyond 64 bits.
    number = u64;
    /// The same of up to 128 bits.
    long_number = u128;
}

/// The offset of the first byte from `at` on that is one of the two, or the end.
#[inline(never)]
pub(crate) fn find(bytes: &[u8], mut at: usize, [one, other]: [u8; 2]) -> usize {
    while bytes.get(at).is_some_and(|&byte| byte != one && byte != other) {
        at += 1;
    }
    at
}

/// Whether two slices are the same.
#[inline(never)]
pub(crate) fn equal(bytes: &[u8], others: &[u8]) -> bool {
    bytes == others
}

/// Whether a name or value is `lower`, its letters in either case.
#[inline(never)]
pub(crate) fn is_folded(bytes: &[u8], lower: &str) -> bool {
    let is = |(byte, lower): (&u8, u8)| *byte == lower || lower.is_ascii_lowercase() && byte ^ 0x20 == lower;
    bytes.len() == lower.len() && bytes.iter().zip(lower.bytes()).all(is)
}

/// Whether `bytes` begin with `known`: a word at a time where words are aligned alike, since the machines without words of
/// eight bytes have no fast comparison of their own.
#[inline(always)]
pub(crate) fn start_with(bytes: &[u8], known: &[u8]) -> bool {
    if WORDS {
        return bytes.starts_with(known);
    }
    let Some(bytes) = bytes.get(..known.len()) else { return false };
    let ((eights, rest), (known_eights, known_rest)) = (bytes.as_chunks::<8>(), known.as_chunks::<8>());
    match (bytemuck::try_cast_slice(eights), bytemuck::try_cast_slice(known_eights)) {
        (Ok(pairs), Ok(known_pairs)) => {
            let is_pair = |(pair, known): (&[u32; 2], &[u32; 2])| pair == known;
            pairs.iter().zip(known_pairs).all(is_pair) && rest == known_rest
        }
        _ => bytes == known,
    }
}

/// The offset of the first byte from `from` on that is not of a token, or the end of `bytes`.
#[inline(always)]
pub fn token(bytes: &[u8], from: usize) -> usize {
    scan(bytes, from, TOKEN, token_stops)
}

/// The offset of the first byte from `at` on that is neither of a class nor of an escape: RFC 3986 section 2.1.
#[inline(never)]
pub(crate) fn escaped(bytes: &[u8], mut at: usize, class: u8) -> usize {
    loop {
        at = by_table(bytes, at, class);
        if bytes.get(at..).and_then(escape).is_none() {
            return at;
        }
        at += 3;
    }
}

/// The offset of the first byte from `from` on that is not of a field value, or the end of `bytes`.
#[inline(always)]
pub fn field_value(bytes: &[u8], mut from: usize) -> usize {
    // Values are long: two words at a time, as long as there are two.
    while WORDS && let Some([low, high]) = bytes.get(from..).and_then(two_words) {
        let (low, high) = (field_stops(low), field_stops(high));
        if low | high == 0 {
            from += 16;
            continue;
        }
        from += if low == 0 { 8 + first_stop(high) } else { first_stop(low) };
        if !bytes.get(from).is_some_and(|&byte| is(byte, FIELD)) {
            return from;
        }
        from += 1;
    }
    scan(bytes, from, FIELD, field_stops)
}

/// The offset of the first byte from `from` on that is not of a path or query as itself, or the end of `bytes`. `%` stops it.
#[inline(always)]
pub fn target(bytes: &[u8], from: usize) -> usize {
    scan(bytes, from, TARGET, target_stops)
}

/// The offset of the first byte from `from` on that is not of a registered name as itself, or the end of `bytes`. `%` and
/// `:` stop it.
#[inline(always)]
pub fn name(bytes: &[u8], from: usize) -> usize {
    scan_short(bytes, from, NAME)
}

/// The offset of the first byte from `from` on that is not a decimal digit, or the end of `bytes`.
#[inline(always)]
pub fn digits(bytes: &[u8], from: usize) -> usize {
    scan(bytes, from, DIGIT, digit_stops)
}

/// Whether words of eight bytes pay: they don't where a register holds four and loads must be aligned, and where code counts
/// for more than time. `--cfg tenure_narrow` says so on any host, to test what boards run.
pub const WORDS: bool = cfg!(all(target_pointer_width = "64", not(tenure_narrow)));

/// `stops` marks, by their highest bits, the bytes of a word that need a closer look: all that are not of the class, and
/// whichever else.
#[inline(always)]
fn scan(bytes: &[u8], from: usize, class: u8, stops: impl Fn(u64) -> u64) -> usize {
    if !WORDS {
        return by_table(bytes, from, class);
    }
    let Some(mut rest) = bytes.get(from..) else { return from };
    while let Some((word, behind)) = rest.split_first_chunk() {
        let stops = stops(u64::from_le_bytes(*word));
        if stops == 0 {
            rest = behind;
            continue;
        }
        rest = &rest[first_stop(stops)..];
        match rest.split_first() {
            Some((&byte, behind)) if is(byte, class) => rest = behind,
            _ => return bytes.len() - rest.len(),
        }
    }
    by_table(bytes, bytes.len() - rest.len(), class)
}

/// The index of the first byte that is marked.
const fn first_stop(stops: u64) -> usize {
    (stops.trailing_zeros() / 8) as usize
}

/// The same by the table, eight bytes at a time: for short runs of which the words' tests would cost as much.
#[inline(always)]
fn scan_short(bytes: &[u8], from: usize, class: u8) -> usize {
    if !WORDS {
        return by_table(bytes, from, class);
    }
    let Some(mut rest) = bytes.get(from..) else { return from };
    while let Some((eight, behind)) = rest.split_first_chunk::<8>() {
        if let Some(index) = eight.iter().position(|&byte| !is(byte, class)) {
            return bytes.len() - rest.len() + index;
        }
        rest = behind;
    }
    by_table(bytes, bytes.len() - rest.len(), class)
}

/// The same, byte by byte.
#[inline(never)]
pub(crate) fn by_table(bytes: &[u8], mut at: usize, class: u8) -> usize {
    while bytes.get(at).is_some_and(|&byte| is(byte, class)) {
        at += 1;
    }
    at
}

/// The first eight bytes, the first one lowest. `None` also where words don't pay: what they are asked for is optional.
#[inline(always)]
pub(crate) fn word(bytes: &[u8]) -> Option<u64> {
    if WORDS { bytes.first_chunk().map(|eight| u64::from_le_bytes(*eight)) } else { None }
}

fn two_words(bytes: &[u8]) -> Option<[u64; 2]> {
    let words = u128::from_le_bytes(*bytes.first_chunk()?);
    Some([words as u64, (words >> 64) as u64])
}

/// Whether a word starts with `text` of eight bytes at the most. A lower-case letter in it stands for both cases.
#[inline(always)]
pub(crate) fn word_starts_with(word: u64, text: &str) -> bool {
    let (mut expected, mut mask, mut case) = ([0; 8], [0; 8], [0; 8]);
    for (index, byte) in text.bytes().enumerate() {
        expected[index] = byte;
        mask[index] = 0xff;
        // Only letters are folded: with this bit set, `\r` would be `-`.
        case[index] = if byte.is_ascii_lowercase() { 0x20 } else { 0 };
    }
    let [expected, mask, case] = [expected, mask, case].map(u64::from_le_bytes);
    (word | case) & mask == expected
}

const HIGHEST: u64 = each(0x80);

const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Marks the bytes from `low` to `high`, both below 0x80. Exact for each byte.
const fn between(word: u64, low: u8, high: u8) -> u64 {
    let lower = word & !HIGHEST;
    // Neither sum leaves its byte: 0x7f + 0x80 is the most.
    (lower + each(0x80 - low)) & !(lower + each(0x7f - high)) & !word & HIGHEST
}

/// Marks all bytes but letters, digits, `-`, `.` and `/`.
const fn target_stops(word: u64) -> u64 {
    // The letters' case is folded for their own range only: `\r` with that bit is `-`.
    !(between(word | each(0x20), b'a', b'z') | between(word, b'-', b'9')) & HIGHEST
}

/// Marks all bytes but letters and `-`.
const fn token_stops(word: u64) -> u64 {
    !(between(word | each(0x20), b'a', b'z') | between(word, b'-', b'-')) & HIGHEST
}

/// Marks all bytes but digits. What one byte carries into the next can only mark one more.
const fn digit_stops(word: u64) -> u64 {
    // A digit becomes its value; 0x76 takes all values above 9 to the highest bit, or beyond it.
    ((word ^ each(b'0')).wrapping_add(each(0x76)) | word) & HIGHEST
}

/// Marks the controls and DEL. What one byte carries into the next can only mark one more.
const fn field_stops(word: u64) -> u64 {
    (word.wrapping_sub(each(0x20)) | word.wrapping_add(each(1))) & !word & HIGHEST
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn members(class: u8) -> impl Iterator<Item = u8> {
        (0..=255).filter(move |&byte| is(byte, class))
    }

    #[test]
    fn classes_are_those_of_the_abnf() {
        let alphanumeric = (b'0'..=b'9').chain(b'A'..=b'Z').chain(b'a'..=b'z');
        let with = |more: &'static [u8]| {
            let mut set = [false; 256];
            alphanumeric.clone().chain(more.iter().copied()).for_each(|byte| set[usize::from(byte)] = true);
            (0..=255).filter(move |&byte: &u8| set[usize::from(byte)])
        };
        assert!(members(TOKEN).eq(with(b"!#$%&'*+-.^_`|~")), "tchar");
        assert!(members(NAME).eq(with(b"-._~!$&'()*+,;=")), "reg-name");
        assert!(members(AUTHORITY).eq(with(b"-._~!$&'()*+,;=:[]%")), "authority");
        assert!(members(BLANK).eq([b'\t', b' ']), "blanks");
        assert!(members(HEX).eq((b'0'..=b'9').chain(b'A'..=b'F').chain(b'a'..=b'f')), "hexadecimal digits");
        assert!(members(TARGET).eq(with(b"-._~!$&'()*+,;=:@/?[]{}|^\\`")), "path and query");
        assert!(members(DIGIT).eq(b'0'..=b'9'), "digits");
        assert!(members(FIELD).eq([b'\t'].into_iter().chain(b' '..=b'~').chain(0x80..=0xff)), "field value");
    }

    #[test]
    fn hex_digits_have_their_values() {
        for byte in 0..=255 {
            assert_eq!(hex(byte).map(u32::from), char::from(byte).to_digit(16), "byte {byte:#x}");
        }
    }

    #[test]
    fn blanks_are_trimmed_at_both_ends_only() {
        for (bytes, trimmed) in
            [("", ""), (" \t ", ""), ("a", "a"), ("\t a b\t ", "a b"), ("a ", "a"), ("\x0ba", "\x0ba")]
        {
            assert_eq!(trim(bytes.as_bytes()), trimmed.as_bytes(), "case {bytes:?}");
        }
    }

    /// The classes with their scans.
    type Scan = fn(&[u8], usize) -> usize;
    const SCANS: [(u8, Scan); 5] =
        [(TOKEN, token), (FIELD, field_value), (TARGET, target), (NAME, name), (DIGIT, digits)];

    #[test]
    fn every_byte_stops_a_scan_or_not_wherever_it_stands() {
        for (class, scan) in SCANS {
            for byte in 0..=255 {
                for at in 0..24 {
                    let mut bytes = [if class == DIGIT { b'5' } else { b'a' }; 24];
                    bytes[at] = byte;
                    let expected = if is(byte, class) { 24 } else { at };
                    assert_eq!(scan(&bytes, 0), expected, "class {class} byte {byte:#x} at {at}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn scans_agree_with_the_table(bytes in prop::collection::vec(any::<u8>(), 0..64), from in 0..70_usize) {
            for (class, scan) in SCANS {
                prop_assert_eq!(scan(&bytes, from), by_table(&bytes, from, class), "class {}", class);
            }
        }

        #[test]
        fn scans_agree_with_the_table_on_text(
            bytes in prop::collection::vec(prop_oneof![9 => b'!'..=b'~', 1 => any::<u8>()], 0..64), from in 0..70_usize
        ) {
            for (class, scan) in SCANS {
                prop_assert_eq!(scan(&bytes, from), by_table(&bytes, from, class), "class {}", class);
            }
        }
    }
}
