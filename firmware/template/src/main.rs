//! Counts each client's requests. A client is a connection: its count ends with it.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_futures::join::join3;
use embassy_net::{DhcpConfig, StackResources};
use embassy_time::{Duration, Timer, with_timeout};
use esp_backtrace as _;
use esp_hal::{clock::CpuClock, rng::Rng, timer::timg::TimerGroup};
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config, ControllerConfig, Interface, WifiController, sta::StationConfig,
};
use log::info;
use static_cell::{ConstStaticCell, StaticCell};
use tenure::{EndReason, Request, Router, Session, get};
use tenure_embassy::{Memory, Server, Settings, SteadyLink, SynGate};

esp_bootloader_esp_idf::esp_app_desc!();

/// How many requests a client has sent.
struct Count(u32);

impl Session for Count {
    fn end(self, reason: EndReason) {
        info!("a client left after {} requests: {reason}", self.0);
    }
}

async fn count(request: &mut Request<'_, Count>) -> u32 {
    let count = request.session_or_insert_with(|| Count(0));
    count.0 += 1;
    count.0
}

/// Seven clients at once, two requests at once, two more sockets for clients that arrive or leave.
static MEMORY: ConstStaticCell<Memory<Count, 7, 2, 9>> = ConstStaticCell::new(Memory::new());
/// Those nine sockets, and DHCP's.
static SOCKETS: StaticCell<StackResources<10>> = StaticCell::new();

#[esp_rtos::main]
async fn main(_spawner: Spawner) {
    esp_println::logger::init_logger(log::LevelFilter::Info);
    let board = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: 65_536); // the radio's heap, in two parts
    esp_alloc::heap_allocator!(size: 36_864);
    esp_rtos::start(TimerGroup::new(board.TIMG0).timer0, board.FROM_CPU_INTR0);

    let (Some(name), Some(password)) = (option_env!("WIFI_NAME"), option_env!("WIFI_PASSWORD")) else {
        panic!("set WIFI_NAME and WIFI_PASSWORD in .cargo/local.toml");
    };
    let wpa2 = AuthenticationMethodConfig::Wpa2Personal(password.try_into().expect("at most 64 bytes"));
    let station = StationConfig::default().with_ssid(name.try_into().expect("at most 32 bytes"));
    let station = Config::Station(station.with_authentication(wpa2));
    let radio = ControllerConfig::default().with_initial_config(station);
    let mut wifi = WifiController::new(board.WIFI, radio).expect("the radio starts");

    let mut server = Server::new(MEMORY.take(), Settings::at(80));
    let device = SynGate::new(SteadyLink::new(Interface::station(), Duration::from_secs(60)), server.listening());
    let dhcp = embassy_net::Config::dhcpv4(DhcpConfig::default());
    let random = Rng::new();
    let seed = u64::from(random.random()) << 32 | u64::from(random.random());
    let (stack, mut network) = embassy_net::new(device, dhcp, SOCKETS.init_with(StackResources::new), seed);

    let connect = async {
        loop {
            if !wifi.is_connected() {
                let tried = with_timeout(Duration::from_secs(20), wifi.connect_async()).await;
                info!("connecting to {name:?}: {tried:?}");
            }
            Timer::after_secs(2).await;
        }
    };
    let serve = async {
        stack.wait_config_up().await;
        info!("serving at http://{}/", stack.config_v4().expect("DHCP's address").address.address());
        server.run(stack, &Router::new().route("/", get(count)), &()).await;
    };
    join3(network.run(), connect, serve).await;
}
