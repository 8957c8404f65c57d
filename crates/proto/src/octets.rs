//! Which octets may stand where: RFC 9110 section 5, RFC 3986 sections 2 and 3.
//!
//! One table holds the classes, written as the ABNF has them. The scans find the first octet outside a class; they read
//! words of eight octets where the machine has such words, and octets where it has not.

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
/// `pchar` without `pct-encoded`, `/` and `?`: what paths and queries are made of (RFC 3986 sections 3.3 and 3.4).
pub(crate) const TARGET: u8 = 1 << 5;
/// What an authority without user information is made of: RFC 3986 section 3.2.
pub(crate) const AUTHORITY: u8 = 1 << 6;
/// `DIGIT`: RFC 5234 appendix B.1.
pub(crate) const DIGIT: u8 = 1 << 7;

/// RFC 5234 appendix B.1 and RFC 3986 section 2.3.
const fn unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 section 2.2.
const fn sub_delim(octet: u8) -> bool {
    matches!(octet, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

/// RFC 9110 section 5.6.2.
const fn tchar(octet: u8) -> bool {
    matches!(
        octet,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
    ) || octet.is_ascii_alphanumeric()
}

/// Octets that the table tells the classes of: all of them, or where code counts for more than time, those of ASCII.
const TABLE_OCTETS: usize = if WORDS { 256 } else { 128 };

static CLASSES: [u8; TABLE_OCTETS] = {
    let mut classes = [0; TABLE_OCTETS];
    let mut octet = 0_u8;
    loop {
        let mut class = 0;
        if tchar(octet) {
            class |= TOKEN;
        }
        if matches!(octet, b'\t' | b' '..=b'~' | 0x80..=0xff) {
            class |= FIELD;
        }
        if unreserved(octet) || sub_delim(octet) {
            class |= NAME;
        }
        if class & NAME != 0 || matches!(octet, b':' | b'@' | b'/' | b'?') {
            class |= TARGET;
        }
        if class & NAME != 0 || matches!(octet, b'%' | b':' | b'[' | b']') {
            class |= AUTHORITY;
        }
        if octet.is_ascii_hexdigit() {
            class |= HEX;
        }
        if octet.is_ascii_digit() {
            class |= DIGIT;
        }
        if is_blank(octet) {
            class |= BLANK;
        }
        classes[octet as usize] = class;
        if octet as usize == TABLE_OCTETS - 1 {
            break classes;
        }
        octet += 1;
    }
};

/// Whether an octet is of a class.
#[inline(always)]
pub(crate) const fn is(octet: u8, class: u8) -> bool {
    // What is not of ASCII may stand in fields alone.
    let classes = if (octet as usize) < TABLE_OCTETS { CLASSES[octet as usize] } else { FIELD };
    classes & class != 0
}

/// Whether an octet may stand in a token: `tchar` of RFC 9110 section 5.6.2.
#[inline]
pub const fn is_tchar(octet: u8) -> bool {
    is(octet, TOKEN)
}

/// Whether an octet may stand in a field value: `field-vchar`, SP and HTAB of RFC 9110 section 5.5.
#[inline]
pub const fn is_field_octet(octet: u8) -> bool {
    is(octet, FIELD)
}

/// Whether an octet may stand in a path segment as itself: `pchar` of RFC 3986 section 3.3. `%` may not, it opens
/// `pct-encoded`.
#[inline]
pub const fn is_pchar(octet: u8) -> bool {
    is(octet, TARGET) && !matches!(octet, b'/' | b'?')
}

/// Whether an octet may stand in a path or query as itself: `pchar`, `/` and `?` of RFC 3986 sections 3.3 and 3.4, without
/// the `%` that opens `pct-encoded`.
#[inline]
pub const fn is_target_octet(octet: u8) -> bool {
    is(octet, TARGET)
}

/// Whether an octet may stand in a registered name as itself: RFC 3986 section 3.2.2. `%` may not, it opens `pct-encoded`.
#[inline]
pub const fn is_name_octet(octet: u8) -> bool {
    is(octet, NAME)
}

/// Whether an octet is optional white space: RFC 9110 section 5.6.3.
#[inline]
pub const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// The value of a hexadecimal digit of either case: `HEXDIG` of RFC 5234 appendix B.1, case-insensitive as RFC 3986
/// section 2.1 and RFC 9112 section 7.1 have it.
#[inline]
pub const fn hex(octet: u8) -> Option<u8> {
    if is(octet, HEX) { Some(hex_value(octet)) } else { None }
}

/// The value of an octet that is such a digit.
#[inline(always)]
pub(crate) const fn hex_value(digit: u8) -> u8 {
    // The letters are those with bit 6, and count from 1 in their lowest bits.
    (digit & 0xf) + 9 * (digit >> 6)
}

/// The octet that a `%` and two hexadecimal digits at the front stand for: RFC 3986 section 2.1.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(target_pointer_width = "32", inline(never))]
pub(crate) fn escape(octets: &[u8]) -> Option<u8> {
    match *octets {
        [b'%', high, low, ..] if by_table(octets, 1, HEX) > 2 => Some(hex_value(high) << 4 | hex_value(low)),
        _ => None,
    }
}

/// Without the optional white space at both ends: RFC 9110 section 5.5.
#[inline(never)]
pub fn trim(mut octets: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = octets {
        octets = rest;
    }
    octets
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident = $type:ty;)*) => {
        $(
            $(#[$doc])*
            #[inline(never)]
            pub fn $name(digits: &[u8]) -> Option<$type> {
                let mut number: $type = 0;
                for octet in digits {
                    let digit = octet.wrapping_sub(b'0');
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
    /// The value of `1*DIGIT`; `None`: there is another octet, or it is beyond 64 bits.
    number = u64;
    /// The same of up to 128 bits.
    long_number = u128;
}

/// The offset of the first octet from `at` on that is one of the two, or the end.
#[inline(never)]
pub(crate) fn find(octets: &[u8], mut at: usize, [one, other]: [u8; 2]) -> usize {
    while octets.get(at).is_some_and(|&octet| octet != one && octet != other) {
        at += 1;
    }
    at
}

/// Whether two slices are the same.
#[cfg_attr(target_pointer_width = "64", inline(always))]
#[cfg_attr(target_pointer_width = "32", inline(never))]
pub(crate) fn equal(octets: &[u8], others: &[u8]) -> bool {
    octets == others
}

/// Whether a name or value is `lower`, its letters in either case.
#[inline(never)]
pub(crate) fn is_folded(octets: &[u8], lower: &str) -> bool {
    let is = |(octet, lower): (&u8, u8)| *octet == lower || lower.is_ascii_lowercase() && octet ^ 0x20 == lower;
    octets.len() == lower.len() && octets.iter().zip(lower.bytes()).all(is)
}

/// Whether `octets` begin with `known`: a word at a time where words are aligned alike, since the machines without words of
/// eight octets have no fast comparison of their own.
#[inline(always)]
pub(crate) fn start_with(octets: &[u8], known: &[u8]) -> bool {
    if WORDS {
        return octets.starts_with(known);
    }
    let Some(octets) = octets.get(..known.len()) else { return false };
    let ((eights, rest), (known_eights, known_rest)) = (octets.as_chunks::<8>(), known.as_chunks::<8>());
    match (bytemuck::try_cast_slice(eights), bytemuck::try_cast_slice(known_eights)) {
        (Ok(pairs), Ok(known_pairs)) => {
            let is_pair = |(pair, known): (&[u32; 2], &[u32; 2])| pair == known;
            pairs.iter().zip(known_pairs).all(is_pair) && rest == known_rest
        }
        _ => octets == known,
    }
}

/// The offset of the first octet from `from` on that is not of a token, or the end of `octets`.
#[inline(always)]
pub fn token(octets: &[u8], from: usize) -> usize {
    scan(octets, from, TOKEN, token_stops)
}

/// The offset of the first octet from `at` on that is neither of a class nor of an escape: RFC 3986 section 2.1.
#[inline(never)]
pub(crate) fn escaped(octets: &[u8], mut at: usize, class: u8) -> usize {
    loop {
        at = by_table(octets, at, class);
        if octets.get(at..).and_then(escape).is_none() {
            return at;
        }
        at += 3;
    }
}

/// The offset of the first octet from `from` on that is not of a field value, or the end of `octets`.
#[inline(always)]
pub fn field_value(octets: &[u8], mut from: usize) -> usize {
    // Values are long: two words at a time, as long as there are two.
    while WORDS && let Some([low, high]) = octets.get(from..).and_then(two_words) {
        let (low, high) = (field_stops(low), field_stops(high));
        if low | high == 0 {
            from += 16;
            continue;
        }
        from += if low == 0 { 8 + first_stop(high) } else { first_stop(low) };
        if !octets.get(from).is_some_and(|&octet| is(octet, FIELD)) {
            return from;
        }
        from += 1;
    }
    scan(octets, from, FIELD, field_stops)
}

/// The offset of the first octet from `from` on that is not of a path or query as itself, or the end of `octets`. `%` stops it.
#[inline(always)]
pub fn target(octets: &[u8], from: usize) -> usize {
    scan(octets, from, TARGET, target_stops)
}

/// The offset of the first octet from `from` on that is not of a registered name as itself, or the end of `octets`. `%` and
/// `:` stop it.
#[inline(always)]
pub fn name(octets: &[u8], from: usize) -> usize {
    scan_short(octets, from, NAME)
}

/// The offset of the first octet from `from` on that is not a decimal digit, or the end of `octets`.
#[inline(always)]
pub fn digits(octets: &[u8], from: usize) -> usize {
    scan(octets, from, DIGIT, digit_stops)
}

/// Whether words of eight octets pay: they don't where a register holds four and loads must be aligned, and where code counts
/// for more than time. `--cfg tenure_narrow` says so on any host, to test what boards run.
pub const WORDS: bool = cfg!(all(target_pointer_width = "64", not(tenure_narrow)));

/// `stops` marks, by their highest bits, the octets of a word that need a closer look: all that are not of the class, and
/// whichever else.
#[inline(always)]
fn scan(octets: &[u8], from: usize, class: u8, stops: impl Fn(u64) -> u64) -> usize {
    if !WORDS {
        return by_table(octets, from, class);
    }
    let Some(mut rest) = octets.get(from..) else { return from };
    while let Some((word, behind)) = rest.split_first_chunk() {
        let stops = stops(u64::from_le_bytes(*word));
        if stops == 0 {
            rest = behind;
            continue;
        }
        rest = &rest[first_stop(stops)..];
        match rest.split_first() {
            Some((&octet, behind)) if is(octet, class) => rest = behind,
            _ => return octets.len() - rest.len(),
        }
    }
    by_table(octets, octets.len() - rest.len(), class)
}

/// The index of the first octet that is marked.
#[inline(always)]
const fn first_stop(stops: u64) -> usize {
    (stops.trailing_zeros() / 8) as usize
}

/// The same by the table, eight octets at a time: for short runs of which the words' tests would cost as much.
#[inline(always)]
fn scan_short(octets: &[u8], from: usize, class: u8) -> usize {
    if !WORDS {
        return by_table(octets, from, class);
    }
    let Some(mut rest) = octets.get(from..) else { return from };
    while let Some((eight, behind)) = rest.split_first_chunk::<8>() {
        if let Some(index) = eight.iter().position(|&octet| !is(octet, class)) {
            return octets.len() - rest.len() + index;
        }
        rest = behind;
    }
    by_table(octets, octets.len() - rest.len(), class)
}

/// The same, octet by octet.
#[inline(never)]
pub(crate) fn by_table(octets: &[u8], mut at: usize, class: u8) -> usize {
    while octets.get(at).is_some_and(|&octet| is(octet, class)) {
        at += 1;
    }
    at
}

/// The first eight octets, the first one lowest. `None` also where words don't pay: what they are asked for is optional.
#[inline(always)]
pub(crate) fn word(octets: &[u8]) -> Option<u64> {
    if WORDS { octets.first_chunk().map(|eight| u64::from_le_bytes(*eight)) } else { None }
}

#[inline(always)]
fn two_words(octets: &[u8]) -> Option<[u64; 2]> {
    let words = u128::from_le_bytes(*octets.first_chunk()?);
    Some([words as u64, (words >> 64) as u64])
}

/// Whether a word starts with `text` of eight octets at the most. A lower-case letter in it stands for both cases.
#[inline(always)]
pub(crate) fn word_starts_with(word: u64, text: &str) -> bool {
    let (mut expected, mut mask, mut case) = ([0; 8], [0; 8], [0; 8]);
    for (index, octet) in text.bytes().enumerate() {
        expected[index] = octet;
        mask[index] = 0xff;
        // Only letters are folded: with this bit set, `\r` would be `-`.
        case[index] = if octet.is_ascii_lowercase() { 0x20 } else { 0 };
    }
    let [expected, mask, case] = [expected, mask, case].map(u64::from_le_bytes);
    (word | case) & mask == expected
}

const HIGHEST: u64 = each(0x80);

const fn each(octet: u8) -> u64 {
    u64::from_le_bytes([octet; 8])
}

/// Marks the octets from `low` to `high`, both below 0x80. Exact for each octet.
#[inline(always)]
const fn between(word: u64, low: u8, high: u8) -> u64 {
    let lower = word & !HIGHEST;
    // Neither sum leaves its octet: 0x7f + 0x80 is the most.
    (lower + each(0x80 - low)) & !(lower + each(0x7f - high)) & !word & HIGHEST
}

/// Marks all octets but letters, digits, `-`, `.` and `/`.
#[inline(always)]
const fn target_stops(word: u64) -> u64 {
    // The letters' case is folded for their own range only: `\r` with that bit is `-`.
    !(between(word | each(0x20), b'a', b'z') | between(word, b'-', b'9')) & HIGHEST
}

/// Marks all octets but letters and `-`.
#[inline(always)]
const fn token_stops(word: u64) -> u64 {
    !(between(word | each(0x20), b'a', b'z') | between(word, b'-', b'-')) & HIGHEST
}

/// Marks all octets but digits. What one octet carries into the next can only mark one more.
#[inline(always)]
const fn digit_stops(word: u64) -> u64 {
    // A digit becomes its value; 0x76 takes all values above 9 to the highest bit, or beyond it.
    ((word ^ each(b'0')).wrapping_add(each(0x76)) | word) & HIGHEST
}

/// Marks the controls and DEL. What one octet carries into the next can only mark one more.
#[inline(always)]
const fn field_stops(word: u64) -> u64 {
    (word.wrapping_sub(each(0x20)) | word.wrapping_add(each(1))) & !word & HIGHEST
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn members(class: u8) -> impl Iterator<Item = u8> {
        (0..=255).filter(move |&octet| is(octet, class))
    }

    #[test]
    fn classes_are_those_of_the_abnf() {
        let alphanumeric = (b'0'..=b'9').chain(b'A'..=b'Z').chain(b'a'..=b'z');
        let with = |more: &'static [u8]| {
            let mut set = [false; 256];
            alphanumeric.clone().chain(more.iter().copied()).for_each(|octet| set[usize::from(octet)] = true);
            (0..=255).filter(move |&octet: &u8| set[usize::from(octet)])
        };
        assert!(members(TOKEN).eq(with(b"!#$%&'*+-.^_`|~")), "tchar");
        assert!(members(NAME).eq(with(b"-._~!$&'()*+,;=")), "reg-name");
        assert!((0..=255).filter(|&octet| is_pchar(octet)).eq(with(b"-._~!$&'()*+,;=:@")), "pchar");
        assert!(members(AUTHORITY).eq(with(b"-._~!$&'()*+,;=:[]%")), "authority");
        assert!(members(BLANK).eq([b'\t', b' ']), "blanks");
        assert!(members(HEX).eq((b'0'..=b'9').chain(b'A'..=b'F').chain(b'a'..=b'f')), "hexadecimal digits");
        assert!(members(TARGET).eq(with(b"-._~!$&'()*+,;=:@/?")), "path and query");
        assert!(members(DIGIT).eq(b'0'..=b'9'), "digits");
        assert!(members(FIELD).eq([b'\t'].into_iter().chain(b' '..=b'~').chain(0x80..=0xff)), "field value");
    }

    #[test]
    fn hex_digits_have_their_values() {
        for octet in 0..=255 {
            assert_eq!(hex(octet).map(u32::from), char::from(octet).to_digit(16), "octet {octet:#x}");
        }
    }

    #[test]
    fn blanks_are_trimmed_at_both_ends_only() {
        for (octets, trimmed) in
            [("", ""), (" \t ", ""), ("a", "a"), ("\t a b\t ", "a b"), ("a ", "a"), ("\x0ba", "\x0ba")]
        {
            assert_eq!(trim(octets.as_bytes()), trimmed.as_bytes(), "case {octets:?}");
        }
    }

    /// The classes with their scans.
    type Scan = fn(&[u8], usize) -> usize;
    const SCANS: [(u8, Scan); 5] =
        [(TOKEN, token), (FIELD, field_value), (TARGET, target), (NAME, name), (DIGIT, digits)];

    #[test]
    fn every_octet_stops_a_scan_or_not_wherever_it_stands() {
        for (class, scan) in SCANS {
            for octet in 0..=255 {
                for at in 0..24 {
                    let mut octets = [if class == DIGIT { b'5' } else { b'a' }; 24];
                    octets[at] = octet;
                    let expected = if is(octet, class) { 24 } else { at };
                    assert_eq!(scan(&octets, 0), expected, "class {class} octet {octet:#x} at {at}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn scans_agree_with_the_table(octets in prop::collection::vec(any::<u8>(), 0..64), from in 0..70_usize) {
            for (class, scan) in SCANS {
                prop_assert_eq!(scan(&octets, from), by_table(&octets, from, class), "class {}", class);
            }
        }

        #[test]
        fn scans_agree_with_the_table_on_text(
            octets in prop::collection::vec(prop_oneof![9 => b'!'..=b'~', 1 => any::<u8>()], 0..64), from in 0..70_usize
        ) {
            for (class, scan) in SCANS {
                prop_assert_eq!(scan(&octets, from), by_table(&octets, from, class), "class {}", class);
            }
        }
    }
}
