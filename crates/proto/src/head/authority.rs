//! The authority of a request: RFC 3986 section 3.2, without user information (RFC 9110 section 4.2.4).

use crate::octets;

/// Whether an octet may stand in an authority without user information.
pub(super) fn is_octet(octet: u8) -> bool {
    octets::is_name_octet(octet) || matches!(octet, b'%' | b':' | b'[' | b']')
}

/// Whether `authority` is `uri-host [ ":" port ]` with a host that is not empty: RFC 9110 sections 4.2.1 and 7.2.
pub(super) fn is_valid(authority: &[u8]) -> bool {
    let (host, rest) = if let [b'[', literal @ ..] = authority {
        let end = octets_before(literal, b']');
        (is_literal(&literal[..end]), literal.get(end + 1..))
    } else {
        let (name, rest) = authority.split_at(octets_before(authority, b':'));
        (is_name(name), Some(rest))
    };
    host && match rest {
        Some([]) => true,
        Some([b':', port @ ..]) => port.iter().all(u8::is_ascii_digit),
        _ => false,
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

fn octets_before(octets: &[u8], octet: u8) -> usize {
    octets.iter().position(|&other| other == octet).unwrap_or(octets.len())
}

/// `reg-name`, of which `IPv4address` is a part; not empty.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && octets::escaped_name_slow(name, 0) == name.len()
}

/// `IPv6address / IPvFuture`.
fn is_literal(literal: &[u8]) -> bool {
    if let [b'v' | b'V', future @ ..] = literal {
        let (version, rest) = future.split_at(octets_before(future, b'.'));
        return !version.is_empty()
            && version.iter().all(u8::is_ascii_hexdigit)
            && rest.len() > 1
            && rest[1..].iter().all(|&octet| octets::is_name_octet(octet) || octet == b':');
    }
    is_ipv6(literal)
}

/// `IPv6address`. The standard library's parser would do, at the cost of some kilobytes on a board.
fn is_ipv6(address: &[u8]) -> bool {
    let (mut rest, mut groups) = (address, 0);
    let mut elided = false;
    if let [b':', b':', behind @ ..] = rest {
        (rest, elided) = (behind, true);
    }
    while !rest.is_empty() {
        let (digits, behind) = rest.split_at(rest.iter().take_while(|octet| octet.is_ascii_hexdigit()).count());
        if behind.starts_with(b".") && is_ipv4(rest) {
            groups += 2;
            break;
        }
        groups += 1;
        rest = match behind {
            _ if digits.is_empty() || digits.len() > 4 => return false,
            [b':', b':', behind @ ..] if !elided => {
                elided = true;
                behind
            }
            [b':', behind @ ..] if !behind.is_empty() => behind,
            [] => behind,
            _ => return false,
        };
    }
    // `::` stands for one group of zeros at least.
    if elided { groups < 8 } else { groups == 8 }
}

/// `IPv4address`: four decimal octets without leading zeros.
fn is_ipv4(address: &[u8]) -> bool {
    let is_octet = |digits: &[u8]| {
        let shape = matches!(digits, [_] | [b'1'..=b'9', _] | [b'1'..=b'9', _, _]);
        let add = |number: u16, digit: &u8| digit.is_ascii_digit().then(|| 10 * number + u16::from(digit - b'0'));
        shape && digits.iter().try_fold(0, add).is_some_and(|number| number < 256)
    };
    let mut count = 0;
    address.split(|&octet| octet == b'.').all(|digits| {
        count += 1;
        is_octet(digits)
    }) && count == 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::{net::Ipv6Addr, str};
    use proptest::prelude::*;

    fn agrees_with_the_standard_library(address: &[u8]) {
        let expected = str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
        assert_eq!(is_ipv6(address), expected, "case {}", address.escape_ascii());
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
