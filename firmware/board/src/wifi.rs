//! Wi-Fi as a station: connects, and connects again with a growing pause.

use embassy_executor::Spawner;
use embassy_time::{Duration, TimeoutError, Timer, with_timeout};
use esp_alloc::{HEAP, heap_allocator};
use esp_config::{esp_config_int, esp_config_str};
use esp_hal::{peripherals::WIFI, ram};
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config, ConnectionError, ControllerConfig, Interface, PowerSaveMode, WifiController,
    sta::StationConfig,
};
use log::{info, warn};
use tenure_board_settings::{Ended, Station, Step, wifi_name};

use crate::board;

pub(crate) type Device = Interface;

const TARGET: &str = "wifi";
const NAME: &str = esp_config_str!("TENURE_BOARD_CONFIG_WIFI_NAME");
const PASSWORD: &str = esp_config_str!("TENURE_BOARD_CONFIG_WIFI_PASSWORD");
const POWER_SAVE: &str = esp_config_str!("TENURE_BOARD_CONFIG_WIFI_POWER_SAVE");
/// Bytes of the radio's heap in RAM that only the bootloader used; nothing else in this program allocates.
const RECLAIMED_HEAP_BYTES: usize = esp_config_int!(usize, "TENURE_BOARD_CONFIG_RECLAIMED_HEAP_BYTES");
/// Bytes of it in the RAM where the stack is too.
const HEAP_BYTES: usize = esp_config_int!(usize, "TENURE_BOARD_CONFIG_HEAP_BYTES");

/// Starts the radio and keeps it connected. To be called once, when the scheduler runs.
///
/// # Panics
/// When the radio does not start, or no network is named, as in a debug build that nobody has configured.
pub(crate) fn start(spawner: Spawner, radio: WIFI<'static>) -> Device {
    if let Err(missing) = wifi_name(NAME) {
        panic!("{missing}");
    }
    heap_allocator!(#[ram(reclaimed)] size: RECLAIMED_HEAP_BYTES);
    heap_allocator!(size: HEAP_BYTES);
    let station = StationConfig::default()
        .with_ssid(NAME.try_into().expect("the build script knows its length"))
        .with_authentication(authentication());
    let config = ControllerConfig::default().with_initial_config(Config::Station(station));
    let mut controller = WifiController::new(radio, config).expect("the radio starts");
    controller.set_power_saving(power_save()).expect("the radio has every way of saving power");
    let interface = Interface::station();
    spawner.spawn(stay_connected(controller).expect("one Wi-Fi task"));
    info!(target: board::TARGET, "heap: {} of {} bytes left", HEAP.free(), RECLAIMED_HEAP_BYTES + HEAP_BYTES);
    interface
}

fn authentication() -> AuthenticationMethodConfig {
    if PASSWORD.is_empty() {
        return AuthenticationMethodConfig::Open;
    }
    AuthenticationMethodConfig::Wpa2Personal(PASSWORD.try_into().expect("the build script knows its length"))
}

fn power_save() -> PowerSaveMode {
    match POWER_SAVE {
        "minimum" => PowerSaveMode::Minimum,
        "maximum" => PowerSaveMode::Maximum,
        _ => PowerSaveMode::None,
    }
}

#[embassy_executor::task]
async fn stay_connected(mut controller: WifiController<'static>) -> ! {
    let mut station = Station::new();
    loop {
        let before = station.step();
        let limit = Duration::from_secs(before.limit_s());
        let ended = match before {
            Step::Connect => {
                info!(target: TARGET, "connecting to {NAME:?}");
                with_timeout(limit, controller.connect_async()).await.map(|answer| match answer {
                    // It is told below, whether this came through or not.
                    Ok(_) => {}
                    Err(ConnectionError::Failed(refused)) => {
                        warn!(target: TARGET, "no connection to {NAME:?}: {:?}", refused.reason);
                    }
                    Err(error) => warn!(target: TARGET, "no connection to {NAME:?}: {error:?}"),
                })
            }
            Step::Watch => with_timeout(limit, controller.wait_for_disconnect_async()).await.map(|answer| {
                if let Ok(lost) = answer {
                    info!(target: TARGET, "the radio's reason: {:?}, {} dBm", lost.reason, lost.rssi);
                }
            }),
            Step::Leave => {
                warn!(target: TARGET, "no connection to {NAME:?} within {limit_s} s", limit_s = Step::CONNECT_S);
                with_timeout(limit, controller.disconnect_async()).await.map(drop)
            }
            Step::Wait(s) => {
                info!(target: TARGET, "reconnecting in {s} s");
                Timer::after(limit).await;
                Err(TimeoutError)
            }
        };
        let ended = ended.map_or(Ended::TimedOut, |()| Ended::Answered);
        match (before, station.next(ended, controller.is_connected())) {
            (Step::Watch, Step::Watch) => {}
            (_, Step::Watch) => info!(target: TARGET, "connected to {NAME:?}"),
            (Step::Watch, _) => warn!(target: TARGET, "lost {NAME:?}"),
            _ => {}
        }
    }
}
