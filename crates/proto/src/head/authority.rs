//! The authority of a request: RFC 3986 section 3.2, without user information (RFC 9110 section 4.2.4).

use crate::octets;

/// Whether `authority` is `uri-host [ ":" port ]` with a host that is not empty: RFC 9110 sections 4.2.1 and 7.2.
pub(super) fn is_valid(authority: &[u8]) -> bool {
    let end = match authority {
        [b'[', ..] => literal(authority),
        // `reg-name`, of which `IPv4address` is a part.
        _ => octets::escaped(authority, 0, octets::NAME),
    };
    match authority.get(end) {
        _ if end == 0 => false,
        None => true,
        Some(octet) => *octet == b':' && octets::by_table(authority, end + 1, octets::DIGIT) == authority.len(),
    }
}

/// The end of a host of the usual kind, letters, digits and marks, with its port if there is one; `None` if it is none.
#[inline(always)]
pub(super) fn usual_end(octets: &[u8], start: usize) -> Option<usize> {
    let end = octets::name(octets, start);
    match octets.get(end) {
        _ if end == start => None,
        Some(b':') => Some(octets::digits(octets, end + 1)),
        _ => Some(end),
    }
}

/// The end of `IP-literal`, which is at the front; 0 if it is none.
fn literal(octets: &[u8]) -> usize {
    let end = match octets.get(1) {
        Some(b'v' | b'V') => future(octets),
        _ => ipv6(octets),
    };
    if octets.get(end) == Some(&b']') { end + 1 } else { 0 }
}

/// The end of `IPvFuture`, which begins behind the bracket at the front; 0 if it is none.
fn future(octets: &[u8]) -> usize {
    let point = octets::by_table(octets, 2, octets::HEX);
    let mut end = point + 1;
    loop {
        end = octets::by_table(octets, end, octets::NAME);
        match octets.get(end) {
            Some(b':') => end += 1,
            _ if point == 2 || end == point + 1 || octets.get(point) != Some(&b'.') => return 0,
            _ => return end,
        }
    }
}

/// The end of `IPv6address`, which begins behind the bracket at the front; 0 if it is none. The standard library's parser
/// would do, at the cost of some kilobytes on a board.
fn ipv6(octets: &[u8]) -> usize {
    let (mut at, mut groups, mut elided) = (1, 0, false);
    loop {
        // Before a group, at the front or behind a colon.
        let doubled = octets.get(at) == Some(&b':') && (at > 1 || octets.get(2) == Some(&b':'));
        if doubled {
            if elided {
                return 0;
            }
            elided = true;
            at = if at == 1 { 3 } else { at + 1 };
            if octets.get(at) == Some(&b']') {
                break;
            }
        }
        let end = octets::by_table(octets, at, octets::HEX);
        if octets.get(end) == Some(&b'.') {
            at = ipv4(octets, at);
            groups += 2;
            break;
        }
        if end == at || end > at + 4 {
            return 0;
        }
        groups += 1;
        at = end;
        if octets.get(at) != Some(&b':') {
            break;
        }
        at += 1;
    }
    // `::` stands for one group of zeros at least.
    if groups == 8 && !elided || groups < 8 && elided { at } else { 0 }
}

/// The end of `IPv4address`, which begins at `at`: four decimal octets without leading zeros. 0 if it is none.
fn ipv4(octets: &[u8], mut at: usize) -> usize {
    // A number of so many digits is that at the least.
    const LEAST: [u16; 4] = [256, 0, 10, 100];
    for part in 0..4 {
        if part > 0 {
            if octets.get(at) != Some(&b'.') {
                return 0;
            }
            at += 1;
        }
        let (mut number, mut digits) = (0, 0);
        while let Some(digit @ b'0'..=b'9') = octets.get(at)
            && digits < 3
        {
            number = 10 * number + u16::from(digit - b'0');
            digits += 1;
            at += 1;
        }
        if number > 255 || number < LEAST[digits] {
            return 0;
        }
    }
    at
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
            let mut octets = 0;
            for (index, group) in groups.iter().enumerate() {
                let colon: &[u8] = if index == 0 { b"" } else { b":" };
                for part in [colon, group.as_bytes()] {
                    address[octets..octets + part.len()].copy_from_slice(part);
                    octets += part.len();
                }
            }
            agrees_with_the_standard_library(&address[..octets]);
        }
    }
}
