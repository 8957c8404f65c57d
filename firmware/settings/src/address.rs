//! Addresses: what the settings say of the board's own, and how it tells them.

use core::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

/// How the board gets its IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipv4 {
    /// From a DHCP server.
    Dhcp,
    /// It is given one.
    Static {
        /// The board's address.
        address: Ipv4Addr,
        /// How many bits of it are the network's.
        prefix: u8,
        /// Who passes on what is for other networks.
        gateway: Option<Ipv4Addr>,
    },
}

/// Why the settings of the address cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// Neither `dhcp` nor an address and a prefix's length.
    Address,
    /// An address that no host can have in that network.
    NotAHost,
    /// The gateway is no address.
    Gateway,
    /// The gateway is not in the board's network, or is the board itself.
    GatewayElsewhere,
    /// A gateway with DHCP, which tells it.
    GatewayWithDhcp,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AddressError::Address => {
                "TENURE_BOARD_CONFIG_IPV4 is no address: write `dhcp`, or an address with its prefix's length like \
                 192.168.1.50/24"
            }
            AddressError::NotAHost => {
                "TENURE_BOARD_CONFIG_IPV4 is no host's address: write one that is neither its network's first nor its last, \
                 nor of a group, like 192.168.1.50/24"
            }
            AddressError::Gateway => {
                "TENURE_BOARD_CONFIG_GATEWAY is no address: write one like 192.168.1.1, or nothing where there is none"
            }
            AddressError::GatewayElsewhere => {
                "TENURE_BOARD_CONFIG_GATEWAY must be another host in the network of TENURE_BOARD_CONFIG_IPV4"
            }
            AddressError::GatewayWithDhcp => {
                "TENURE_BOARD_CONFIG_GATEWAY is for a static address, DHCP tells it: leave it empty, or write an address \
                 into TENURE_BOARD_CONFIG_IPV4"
            }
        })
    }
}

impl core::error::Error for AddressError {}

impl Ipv4 {
    /// Reads the two settings: `dhcp` or `ADDRESS/PREFIX`, and the gateway or nothing.
    ///
    /// # Errors
    /// When they are something else, or do not fit together.
    ///
    /// # Examples
    /// ```
    /// use tenure_board_settings::Ipv4;
    ///
    /// assert_eq!(Ipv4::parse("dhcp", ""), Ok(Ipv4::Dhcp));
    /// assert!(Ipv4::parse("192.168.1.50/24", "192.168.1.1").is_ok());
    /// ```
    pub fn parse(text: &str, gateway: &str) -> Result<Self, AddressError> {
        if text == "dhcp" {
            return if gateway.is_empty() { Ok(Ipv4::Dhcp) } else { Err(AddressError::GatewayWithDhcp) };
        }
        let (address, prefix) = text.split_once('/').ok_or(AddressError::Address)?;
        let address: Ipv4Addr = address.parse().map_err(|_| AddressError::Address)?;
        let prefix = prefix.parse().ok().filter(|prefix| (1..=30).contains(prefix)).ok_or(AddressError::Address)?;
        if !is_host(address, prefix) {
            return Err(AddressError::NotAHost);
        }
        if gateway.is_empty() {
            return Ok(Ipv4::Static { address, prefix, gateway: None });
        }
        let gateway: Ipv4Addr = gateway.parse().map_err(|_| AddressError::Gateway)?;
        let of_one_network = (address.to_bits() ^ gateway.to_bits()) & !hosts(prefix) == 0;
        if !of_one_network || gateway == address || !is_host(gateway, prefix) {
            return Err(AddressError::GatewayElsewhere);
        }
        Ok(Ipv4::Static { address, prefix, gateway: Some(gateway) })
    }
}

/// The bits of an address that tell hosts apart.
fn hosts(prefix: u8) -> u32 {
    u32::MAX >> prefix
}

fn is_host(address: Ipv4Addr, prefix: u8) -> bool {
    let host = address.to_bits() & hosts(prefix);
    let is_anyone =
        address.is_multicast() || address.is_unspecified() || address.is_loopback() || address.octets()[0] >= 240;
    host != 0 && host != hosts(prefix) && !is_anyone
}

/// The link-local address that a network device has by its hardware address: RFC 4291 appendix A.
pub fn link_local(hardware: [u8; 6]) -> Ipv6Addr {
    let [maker @ .., _, _, _] = hardware;
    let [_, _, _, device @ ..] = hardware;
    let halves = |high, low| u16::from_be_bytes([high, low]);
    let groups = [
        halves(maker[0] ^ 0x02, maker[1]),
        halves(maker[2], 0xff),
        halves(0xfe, device[0]),
        halves(device[1], device[2]),
    ];
    Ipv6Addr::new(0xfe80, 0, 0, 0, groups[0], groups[1], groups[2], groups[3])
}

/// An IPv6 address as ESP-IDF's examples log it: every digit, and the address's type.
#[derive(Clone, Copy, Debug)]
pub struct InEspIdf(pub Ipv6Addr);

impl fmt::Display for InEspIdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, group) in self.0.segments().iter().enumerate() {
            let colon = if number == 0 { "" } else { ":" };
            write!(f, "{colon}{group:04x}")?;
        }
        let kind = if self.0.is_unicast_link_local() {
            "LINK_LOCAL"
        } else if self.0.is_unique_local() {
            "UNIQUE_LOCAL"
        } else {
            "GLOBAL"
        };
        write!(f, ", type: ESP_IP6_ADDR_IS_{kind}")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use core::net::{Ipv4Addr, Ipv6Addr};
    use std::string::ToString;

    use super::{AddressError, InEspIdf, Ipv4, link_local};

    #[test]
    fn what_is_an_address() {
        for (text, gateway, expected) in [
            ("dhcp", "", Ok(None)),
            ("dhcp", "10.0.0.1", Err(AddressError::GatewayWithDhcp)),
            ("10.0.0.2/24", "", Ok(Some(("10.0.0.2", 24, None)))),
            ("10.0.0.2/24", "10.0.0.1", Ok(Some(("10.0.0.2", 24, Some("10.0.0.1"))))),
            ("10.0.0.2/1", "", Ok(Some(("10.0.0.2", 1, None)))),
            ("10.0.0.2/0", "", Err(AddressError::Address)),
            ("10.0.0.2/30", "", Ok(Some(("10.0.0.2", 30, None)))),
            ("10.0.0.2/31", "", Err(AddressError::Address)),
            ("10.0.0.2", "", Err(AddressError::Address)),
            ("10.0.0/24", "", Err(AddressError::Address)),
            ("10.0.0.256/24", "", Err(AddressError::Address)),
            ("10.0.0.2/256", "", Err(AddressError::Address)),
            ("10.0.0.2/", "", Err(AddressError::Address)),
            ("DHCP", "", Err(AddressError::Address)),
            ("", "", Err(AddressError::Address)),
            ("fe80::1/64", "", Err(AddressError::Address)),
            ("10.0.0.0/24", "", Err(AddressError::NotAHost)),
            ("10.0.0.1/24", "", Ok(Some(("10.0.0.1", 24, None)))),
            ("10.0.0.254/24", "", Ok(Some(("10.0.0.254", 24, None)))),
            ("10.0.0.255/24", "", Err(AddressError::NotAHost)),
            ("224.0.0.1/24", "", Err(AddressError::NotAHost)),
            ("240.0.0.1/24", "", Err(AddressError::NotAHost)),
            ("127.0.0.1/8", "", Err(AddressError::NotAHost)),
            ("10.0.0.2/24", "10.0.0", Err(AddressError::Gateway)),
            ("10.0.0.2/24", "10.0.1.1", Err(AddressError::GatewayElsewhere)),
            ("10.0.0.2/16", "10.0.1.1", Ok(Some(("10.0.0.2", 16, Some("10.0.1.1"))))),
            ("10.0.0.2/24", "10.0.0.2", Err(AddressError::GatewayElsewhere)),
            ("10.0.0.2/24", "10.0.0.255", Err(AddressError::GatewayElsewhere)),
        ] {
            let address = |text: &str| text.parse::<Ipv4Addr>().expect("an address");
            let expected = expected.map(|is_static| match is_static {
                None => Ipv4::Dhcp,
                Some((own, prefix, gateway)) => {
                    Ipv4::Static { address: address(own), prefix, gateway: gateway.map(address) }
                }
            });
            assert_eq!(Ipv4::parse(text, gateway), expected, "{text:?}, {gateway:?}");
        }
    }

    #[test]
    fn an_error_says_what_to_write() {
        for (error, part) in [
            (AddressError::Address, "192.168.1.50/24"),
            (AddressError::NotAHost, "192.168.1.50/24"),
            (AddressError::Gateway, "192.168.1.1"),
            (AddressError::GatewayElsewhere, "in the network of TENURE_BOARD_CONFIG_IPV4"),
            (AddressError::GatewayWithDhcp, "leave it empty"),
        ] {
            assert!(error.to_string().contains(part), "{part} in {:?}", error.to_string());
        }
    }

    #[test]
    fn the_address_and_the_line_of_the_original() {
        let address = link_local([0x24, 0x6f, 0x28, 0x80, 0x2c, 0x74]);
        assert_eq!(address, "fe80::266f:28ff:fe80:2c74".parse::<Ipv6Addr>().expect("an address"));
        assert_eq!(
            InEspIdf(address).to_string(),
            "fe80:0000:0000:0000:266f:28ff:fe80:2c74, type: ESP_IP6_ADDR_IS_LINK_LOCAL"
        );
    }

    #[test]
    fn the_types_of_addresses() {
        for (address, kind) in [
            ("fe80::1", "LINK_LOCAL"),
            ("febf::1", "LINK_LOCAL"),
            ("fec0::1", "GLOBAL"),
            ("fc00::1", "UNIQUE_LOCAL"),
            ("fdff::1", "UNIQUE_LOCAL"),
            ("2001:db8::1", "GLOBAL"),
        ] {
            let text = InEspIdf(address.parse().expect("an address")).to_string();
            assert!(text.ends_with(&std::format!("ESP_IP6_ADDR_IS_{kind}")), "{address}: {text}");
        }
    }
}
