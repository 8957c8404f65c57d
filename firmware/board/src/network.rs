//! The board's addresses: how it gets them, and the lines that tell them.

use core::net::Ipv4Addr;
#[cfg(feature = "ipv6")]
use core::net::Ipv6Addr;

use embassy_net::{Config, ConfigV4, DhcpConfig, Ipv4Cidr, Stack, StaticConfigV4};
use embassy_time::{Duration, Timer, with_timeout};
use esp_config::esp_config_str;
use log::info;
use tenure_board_settings::{Ipv4, News};

/// The original's tag of these lines.
const TARGET: &str = "example_connect";
const IPV4: Ipv4 = include!(concat!(env!("OUT_DIR"), "/ipv4.rs"));
/// How long the server's start waits for an address. Without one, there may still be the link-local one.
const PATIENCE: Duration = Duration::from_secs(15);
/// The stack has room for one waker only, which is the server's: so addresses are looked at from time to time.
const LOOK: Duration = Duration::from_millis(250);

/// How the stack is to get its addresses.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.ipv4 = match IPV4 {
        Ipv4::Dhcp => {
            let mut dhcp = DhcpConfig::default();
            dhcp.hostname = esp_config_str!("TENURE_BOARD_CONFIG_HOST_NAME").try_into().ok();
            ConfigV4::Dhcp(dhcp)
        }
        Ipv4::Static { address, prefix, gateway } => ConfigV4::Static(StaticConfigV4 {
            address: Ipv4Cidr::new(address, prefix),
            gateway,
            dns_servers: heapless::Vec::new(),
        }),
    };
    #[cfg(feature = "ipv6")]
    if esp_config::esp_config_bool!("TENURE_BOARD_CONFIG_IPV6_SLAAC") {
        config.ipv6 = embassy_net::ConfigV6::Slaac;
    }
    config
}

/// Waits for a link and, within bounds, for an address.
pub(crate) async fn wait_for_address(stack: Stack<'_>) {
    stack.wait_link_up().await;
    // An address that comes later is told when it is there.
    let _ = with_timeout(PATIENCE, stack.wait_config_up()).await;
}

/// The addresses that have been told.
pub(crate) struct Addresses {
    ipv4: News<Ipv4Addr>,
    #[cfg(feature = "ipv6")]
    link_local: News<Ipv6Addr>,
    #[cfg(feature = "ipv6")]
    ipv6: News<Ipv6Addr>,
}

impl Addresses {
    pub(crate) const fn new() -> Self {
        Addresses {
            ipv4: News::new(),
            #[cfg(feature = "ipv6")]
            link_local: News::new(),
            #[cfg(feature = "ipv6")]
            ipv6: News::new(),
        }
    }

    /// Tells the addresses that are new. Without a link there is none.
    pub(crate) fn log(&mut self, stack: Stack<'_>) {
        let has_link = stack.is_link_up();
        let ipv4 = stack.config_v4().filter(|_| has_link).map(|config| config.address.address());
        if let Some(address) = self.ipv4.look(ipv4) {
            info!(target: TARGET, "- IPv4 address: {address}");
        }
        #[cfg(feature = "ipv6")]
        {
            let embassy_net::HardwareAddress::Ethernet(hardware) = stack.hardware_address();
            let link_local = has_link.then(|| tenure_board_settings::link_local(hardware.0));
            let ipv6 = stack.config_v6().filter(|_| has_link).map(|config| config.address.address());
            for address in [self.link_local.look(link_local), self.ipv6.look(ipv6)].into_iter().flatten() {
                info!(target: TARGET, "- IPv6 address: {}", tenure_board_settings::InEspIdf(address));
            }
        }
    }

    /// Tells what changes, for ever.
    pub(crate) async fn follow(&mut self, stack: Stack<'_>) -> ! {
        loop {
            Timer::after(LOOK).await;
            self.log(stack);
        }
    }
}
