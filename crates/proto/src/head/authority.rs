//! The authority of a request: RFC 3986 section 3.2, without user information (RFC 9110 section 4.2.4).

use crate::bytes;

/// Whether `authority` is `uri-host [ ":" port ]` with a host that is not empty: RFC 9110 sections 4.2.1 and 7.2.
pub(super) fn is_valid(authority: &[u8]) -> bool {
    let (end, is_host);
    if let [b'[', literal @ ..] = authority {
        let bracket = bytes::find(literal, 0, [b']'; 2]);
        end = bracket + 2;
        is_host = bracket < literal.len() && is_literal(literal.get(..bracket).unwrap_or_default());
    } else {
        // `reg-name`, of which `IPv4address` is a part.
        end = bytes::escaped(authority, 0, bytes::NAME);
        is_host = end > 0;
    }
    is_host
        && match authority.get(end) {
            Some(b':') => bytes::by_table(authority, end + 1, bytes::DIGIT) == authority.len(),
            other => other.is_none(),
        }
}

/// The end of a host of the usual kind, letters, digits and marks, with its port if there is one; `None` if it is none.
#[inline(always)]
pub(super) fn usual_end(bytes: &[u8], start: usize) -> Option<usize> {
    let end = bytes::name(bytes, start);
    match bytes.get(end) {
        _ if end == start => None,
        Some(b':') => Some(bytes::digits(bytes, end + 1)),
        _ => Some(end),
    }
}

/// `IPv6address / IPvFuture`.
fn is_literal(literal: &[u8]) -> bool {
    if let Some(b'v' | b'V') = literal.first() {
        let point = bytes::by_table(literal, 1, bytes::HEX);
        return point > 1
            && literal.get(point) == Some(&b'.')
            && point + 1 < literal.len()
            && literal.iter().skip(point + 1).all(|&byte| byte == b':' || bytes::is_name_byte(byte));
    }
    is_ipv6(literal)
}

/// `IPv6address`. The standard library's parser would do, at the cost of some kilobytes on a board.
fn is_ipv6(address: &[u8]) -> bool {
    // What ends no byte of an IPv4 address.
    const NOT_DECIMAL: u32 = 256;
    let (mut groups, mut points, mut elided) = (0_u32, 0, false);
    // Digits of the group at hand, its decimal value, and the colons before it.
    let (mut digits, mut number, mut colons) = (0, 0, 0);
    for &byte in address {
        match byte {
            b':' => {
                groups += u32::from(digits > 0);
                (digits, number, colons) = (0, 0, colons + 1);
                if points > 0 || colons > 2 || colons == 2 && elided {
                    return false;
                }
                elided |= colons == 2;
            }
            b'.' => {
                if digits == 0 || number >= NOT_DECIMAL {
                    return false;
                }
                (digits, number, points) = (0, 0, points + 1);
            }
            _ => {
                // Only two colons may be at the front.
                if !bytes::is(byte, bytes::HEX) || digits == 4 || colons == 1 && groups == 0 {
                    return false;
                }
                let no_decimal = byte > b'9' || digits == 1 && number == 0;
                number = if no_decimal { NOT_DECIMAL } else { 10 * number + u32::from(byte - b'0') };
                (digits, colons) = (digits + 1, 0);
            }
        }
    }
    match points {
        0 if digits > 0 => groups += 1,
        0 if colons != 1 => {}
        3 if digits > 0 && number < NOT_DECIMAL => groups += 2,
        _ => return false,
    }
    // `::` stands for one group of zeros at least.
    groups == 8 && !elided || groups < 8 && elided
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use core::{net::Ipv6Addr, str};
    use proptest::prelude::*;
    use std::format;

    fn agrees_with_the_standard_library(address: &[u8]) {
        let text = str::from_utf8(address).unwrap();
        let expected = text.parse::<Ipv6Addr>().is_ok();
        assert_eq!(is_valid(format!("[{text}]").as_bytes()), expected, "case {text:?}");
    }

    #[test]
    fn addresses_are_those_of_the_standard_library() {
        for address in [
            "",
            ":",
            "::",
            ":::",
            "::1",
            "1::",
            "1",
            "1:",
            ":1",
            "1::2::3",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7:",
            ":2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "1::3:4:5:6:7:8",
            "1:2:3:4:5:6:7:8::",
            "::1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7:8:9",
            "12345::",
            "0000::",
            "g::",
            "::1.2.3.4",
            "1.2.3.4",
            "1:2:3:4:5:6:1.2.3.4",
            "1:2:3:4:5:6:7:1.2.3.4",
            "1:2:3:4:5:1.2.3.4",
            "::1.2.3",
            "::1.2.3.4.5",
            "::1.2.3.",
            "::1.2.3.256",
            "::1.2.3.255",
            "::1.2.3.04",
            "::1.2.3.199",
            "::1.2.3.260",
            "::1..3.4",
            "::1.2.3.4:5",
            "1.2.3.4::",
            "::a.2.3.4",
            "fe80::1%eth0",
            "a999:f999:9999::",
            "::ffff:0.0.0.0",
            "1:2:3:4:5::1.2.3.4",
            "1:2:3:4:5:6::1.2.3.4",
        ] {
            agrees_with_the_standard_library(address.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn any_address_is_one_of_the_standard_library(
            groups in prop::collection::vec(prop::sample::select(&["", "", "0", "1f", "ABCD", "12345", "1.2.3.4", "g"][..]), 0..10)
        ) {
            let mut address = [0; 80];
            let mut bytes = 0;
            for (index, group) in groups.iter().enumerate() {
                let colon: &[u8] = if index == 0 { b"" } else { b":" };
                for part in [colon, group.as_bytes()] {
                    address[bytes..bytes + part.len()].copy_from_slice(part);
                    bytes += part.len();
                }
            }
            agrees_with_the_standard_library(&address[..bytes]);
        }
    }
}
