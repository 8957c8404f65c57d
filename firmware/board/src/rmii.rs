//! Ethernet by the ESP32's own MAC and a PHY at its RMII, such as the LAN8720.

use core::task::Context;

use embassy_time::{Duration, Instant, Timer};
use esp_config::{esp_config_int, esp_config_str};
use esp_hal::{
    Async,
    efuse::base_mac_address,
    ethernet::{
        Ethernet, EthernetDmaStorage, RmiiClockConfig, RmiiPinBundle,
        clock::{ApllClock, ExternalRefClock},
        mac::LinkState,
        phy::{MdioBus, Phy, PhyError, generic::GenericPhy},
    },
    gpio::{Level, Output, OutputConfig},
    peripherals::{ETH, GPIO0, GPIO16, GPIO17, GPIO19, GPIO21, GPIO22, GPIO25, GPIO26, GPIO27},
};
use log::info;
use static_cell::{ConstStaticCell, StaticCell};

use crate::board;

pub(crate) type Device = Ethernet<'static, Async, Transceiver>;

const TARGET: &str = "ethernet";
/// Frames that wait: they take 1.5 KB each.
const FRAMES_RECEIVED: usize = 8;
const FRAMES_SENT: usize = 4;
/// Where the 50 MHz come from.
const CLOCK: &str = esp_config_str!("TENURE_BOARD_CONFIG_RMII_CLOCK");
const MDC: u8 = esp_config_int!(u8, "TENURE_BOARD_CONFIG_RMII_MDC_PIN");
const MDIO: u8 = esp_config_int!(u8, "TENURE_BOARD_CONFIG_RMII_MDIO_PIN");
/// Negative: there is none.
const POWER: i16 = esp_config_int!(i16, "TENURE_BOARD_CONFIG_RMII_POWER_PIN");
/// Negative: the first that answers.
const ADDRESS: i16 = esp_config_int!(i16, "TENURE_BOARD_CONFIG_RMII_PHY_ADDRESS");
/// What an oscillator and the PHY need before they can be spoken to.
const POWER_UP: Duration = Duration::from_millis(100);
/// How often the link is looked at. The stack is polled as often, at least.
const LOOK: Duration = Duration::from_millis(250);

/// The pads that the RMII's clock may have.
pub(crate) struct Clocks {
    pub(crate) input: GPIO0<'static>,
    pub(crate) output: GPIO16<'static>,
    pub(crate) inverted: GPIO17<'static>,
}

/// The other pads of the RMII, which are fixed.
pub(crate) struct Pads {
    pub(crate) txd0: GPIO19<'static>,
    pub(crate) tx_en: GPIO21<'static>,
    pub(crate) txd1: GPIO22<'static>,
    pub(crate) rxd0: GPIO25<'static>,
    pub(crate) rxd1: GPIO26<'static>,
    pub(crate) crs_dv: GPIO27<'static>,
}

/// A PHY that is asked for its link at a pace: the library's own wants to be asked again at once, for ever, and each question
/// keeps the processor for as long as its bits take on the wire.
pub(crate) struct Transceiver {
    phy: GenericPhy,
    seen: Option<(Instant, LinkState)>,
}

impl Phy for Transceiver {
    fn init<M: MdioBus>(&mut self, mdio: &mut M) -> Result<(), PhyError> {
        self.phy.init(mdio)
    }

    fn poll_link<M: MdioBus>(&mut self, mdio: &mut M, _: Option<&mut Context<'_>>) -> LinkState {
        let now = Instant::now();
        match self.seen {
            Some((at, link)) if now - at < LOOK => link,
            _ => {
                let link = self.phy.poll_link(mdio, None);
                self.seen = Some((now, link));
                link
            }
        }
    }

    fn address(&self) -> u8 {
        self.phy.address()
    }
}

/// Starts MAC and PHY. To be called once, when the scheduler runs.
///
/// # Panics
/// When the PHY does not answer. The board restarts and tries again.
pub(crate) async fn start(mac: ETH<'static>, clocks: Clocks, pads: Pads) -> Device {
    if let Ok(power) = u8::try_from(POWER) {
        static SUPPLY: StaticCell<Output<'static>> = StaticCell::new();
        let [pin] = board::pins([power]);
        SUPPLY.init(Output::new(pin, Level::High, OutputConfig::default()));
        Timer::after(POWER_UP).await;
    }
    let device = match CLOCK {
        "gpio16_out" => pads.start(mac, ApllClock::new(clocks.output)),
        "gpio17_out" => pads.start(mac, ApllClock::new(clocks.inverted)),
        _ => pads.start(mac, ExternalRefClock::new(clocks.input)),
    };
    info!(target: TARGET, "PHY found");
    info!(target: board::TARGET, "heap: there is none");
    device
}

impl Pads {
    fn start(self, mac: ETH<'static>, clock: impl RmiiClockConfig + 'static) -> Device {
        static STORAGE: ConstStaticCell<EthernetDmaStorage<FRAMES_RECEIVED, FRAMES_SENT>> =
            ConstStaticCell::new(EthernetDmaStorage::new());
        let [mdc, mdio] = board::pins([MDC, MDIO]);
        let phy = u8::try_from(ADDRESS).map_or(GenericPhy::new_auto(), GenericPhy::new);
        let address = base_mac_address();
        let address = address.as_bytes().try_into().expect("a hardware address has 6 bytes");
        let pins = RmiiPinBundle {
            clock,
            rxd0: self.rxd0,
            rxd1: self.rxd1,
            rx_dv: self.crs_dv,
            txd0: self.txd0,
            txd1: self.txd1,
            tx_en: self.tx_en,
            mdc,
            mdio,
        };
        match Ethernet::new(mac, STORAGE.take(), address, Transceiver { phy, seen: None }, pins) {
            Ok(device) => device.into_async(),
            Err(error) => panic!(
                "the PHY does not answer as it should, look at its power, its 50 MHz (TENURE_BOARD_CONFIG_RMII_CLOCK) and its \
                 address: {error:?}"
            ),
        }
    }
}
