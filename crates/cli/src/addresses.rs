//! The addresses at which a server can be reached, in the words of ESP-IDF's example.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The addresses that `listening` means: for an unspecified one, those of this machine's interfaces.
pub(crate) fn reachable(listening: &[SocketAddr]) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for address in listening.iter().map(SocketAddr::ip) {
        if address.is_unspecified() {
            // If the system does not list any, the unspecified address is still right.
            let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
            let own = interfaces.iter().map(if_addrs::Interface::ip).filter(|own| own.is_ipv4() == address.is_ipv4());
            let before = addresses.len();
            addresses.extend(own);
            if addresses.len() == before {
                addresses.push(address);
            }
        } else {
            addresses.push(address);
        }
    }
    let mut seen = Vec::new();
    addresses.retain(|address| {
        !seen.contains(address) && {
            seen.push(*address);
            true
        }
    });
    addresses
}

/// The line for an address: `IPv4 address: 127.0.0.1`, and an IPv6 one with all of its digits and its type.
pub(crate) fn line(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("- IPv4 address: {address}"),
        IpAddr::V6(address) => {
            let groups = address.segments().map(|group| format!("{group:04x}")).join(":");
            format!("- IPv6 address: {groups}, type: {}", kind(address))
        }
    }
}

/// The name that ESP-IDF has for an IPv6 address's type; it has none for the loopback address.
fn kind(address: Ipv6Addr) -> &'static str {
    match address.segments()[0] {
        first if first & 0xe000 == 0x2000 => "ESP_IP6_ADDR_IS_GLOBAL",
        first if first & 0xffc0 == 0xfe80 => "ESP_IP6_ADDR_IS_LINK_LOCAL",
        first if first & 0xffc0 == 0xfec0 => "ESP_IP6_ADDR_IS_SITE_LOCAL",
        first if first & 0xfe00 == 0xfc00 => "ESP_IP6_ADDR_IS_UNIQUE_LOCAL",
        _ if address.to_ipv4_mapped().is_some() => "ESP_IP6_ADDR_IS_IPV4_MAPPED_IPV6",
        _ => "ESP_IP6_ADDR_IS_UNKNOWN",
    }
}

/// The address to type on this machine to reach a listening one.
pub(crate) fn to_type(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_originals() {
        for (address, wanted) in [
            ("192.168.194.219", "- IPv4 address: 192.168.194.219"),
            (
                "fe80::266f:28ff:fe80:2c74",
                "- IPv6 address: fe80:0000:0000:0000:266f:28ff:fe80:2c74, type: ESP_IP6_ADDR_IS_LINK_LOCAL",
            ),
            ("2001:db8::1", "- IPv6 address: 2001:0db8:0000:0000:0000:0000:0000:0001, type: ESP_IP6_ADDR_IS_GLOBAL"),
            ("fd00::1", "- IPv6 address: fd00:0000:0000:0000:0000:0000:0000:0001, type: ESP_IP6_ADDR_IS_UNIQUE_LOCAL"),
            ("fec0::1", "- IPv6 address: fec0:0000:0000:0000:0000:0000:0000:0001, type: ESP_IP6_ADDR_IS_SITE_LOCAL"),
            (
                "::ffff:1.2.3.4",
                "- IPv6 address: 0000:0000:0000:0000:0000:ffff:0102:0304, type: ESP_IP6_ADDR_IS_IPV4_MAPPED_IPV6",
            ),
            ("::1", "- IPv6 address: 0000:0000:0000:0000:0000:0000:0000:0001, type: ESP_IP6_ADDR_IS_UNKNOWN"),
        ] {
            assert_eq!(line(address.parse().unwrap()), wanted);
        }
    }

    #[test]
    fn an_unspecified_address_is_never_left_without_any() {
        let of = |address: &str| reachable(&[address.parse().unwrap()]);
        assert_eq!(of("127.0.0.2:1"), [IpAddr::from([127, 0, 0, 2])]);
        assert!(of("0.0.0.0:1").iter().all(IpAddr::is_ipv4) && !of("0.0.0.0:1").is_empty());
        assert!(of("[::]:1").iter().all(IpAddr::is_ipv6) && !of("[::]:1").is_empty());
        let twice = ["127.0.0.1:1", "127.0.0.1:2"].map(|address| address.parse().unwrap());
        assert_eq!(reachable(&twice), [IpAddr::from([127, 0, 0, 1])]);
    }

    #[test]
    fn what_is_typed_can_be_connected_to() {
        for (listening, wanted) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("192.0.2.1:80", "192.0.2.1:80")]
        {
            assert_eq!(to_type(listening.parse().unwrap()).to_string(), wanted);
        }
    }
}
