//! Ethernet by a W5500 at SPI2.

use embassy_executor::Spawner;
use embassy_net_wiznet::{Runner, State, chip::W5500};
use embassy_time::Delay;
use embedded_hal_bus::spi::ExclusiveDevice;
use esp_config::esp_config_int;
use esp_hal::{
    Async,
    efuse::base_mac_address,
    gpio::{Input, InputConfig, Level, Output, OutputConfig, Pull},
    peripherals::SPI2,
    spi::{
        Mode,
        master::{Config, Spi},
    },
    time::Rate,
};
use log::info;
use static_cell::StaticCell;

use crate::board;

pub(crate) type Device = embassy_net_wiznet::Device<'static>;
type Bus = ExclusiveDevice<Spi<'static, Async>, Output<'static>, Delay>;
type Driver = Runner<'static, W5500, Bus, Input<'static>, Output<'static>>;

const TARGET: &str = "ethernet";
/// Frames that wait, each way: they take 1.5 KB each.
const FRAMES: usize = 4;
const MHZ: u32 = esp_config_int!(u32, "TENURE_BOARD_CONFIG_W5500_MHZ");
const PINS: [u8; 6] = [
    esp_config_int!(u8, "TENURE_BOARD_CONFIG_W5500_SCLK_PIN"),
    esp_config_int!(u8, "TENURE_BOARD_CONFIG_W5500_MOSI_PIN"),
    esp_config_int!(u8, "TENURE_BOARD_CONFIG_W5500_MISO_PIN"),
    esp_config_int!(u8, "TENURE_BOARD_CONFIG_W5500_CS_PIN"),
    esp_config_int!(u8, "TENURE_BOARD_CONFIG_W5500_INT_PIN"),
    esp_config_int!(u8, "TENURE_BOARD_CONFIG_W5500_RST_PIN"),
];

#[embassy_executor::task]
async fn run(driver: Driver) -> ! {
    driver.run().await
}

/// Starts the W5500. To be called once, when the scheduler runs.
///
/// # Panics
/// When it does not answer. The board restarts and tries again.
pub(crate) async fn start(spawner: Spawner, spi: SPI2<'static>) -> Device {
    static STATE: StaticCell<State<FRAMES, FRAMES>> = StaticCell::new();
    let [sclk, mosi, miso, select, interrupt, reset] = board::pins(PINS);
    let config = Config::default().with_frequency(Rate::from_mhz(MHZ)).with_mode(Mode::_0);
    let bus = Spi::new(spi, config).expect("the SPI has this clock").with_sck(sclk).with_mosi(mosi).with_miso(miso);
    let select = Output::new(select, Level::High, OutputConfig::default());
    let Ok(bus) = ExclusiveDevice::new(bus.into_async(), select, Delay);
    let interrupt = Input::new(interrupt, InputConfig::default().with_pull(Pull::Up));
    let reset = Output::new(reset, Level::High, OutputConfig::default());
    let mac = base_mac_address();
    let mac = mac.as_bytes().try_into().expect("a hardware address has 6 bytes");
    match embassy_net_wiznet::new(mac, STATE.init_with(State::new), bus, interrupt, reset).await {
        Ok((device, driver)) => {
            spawner.spawn(run(driver).expect("one Ethernet task"));
            info!(target: TARGET, "W5500 found");
            info!(target: board::TARGET, "heap: there is none");
            device
        }
        Err(error) => {
            panic!("the W5500 does not answer as it should, look at its wires and its pins' numbers: {error:?}")
        }
    }
}
