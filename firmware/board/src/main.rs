//! The adder on ESP32, ESP32-S2, ESP32-S3 and ESP32-C3, by Wi-Fi or by Ethernet (W5500, or the ESP32's own MAC).
#![no_std]
#![no_main]

mod board;
#[cfg(feature = "ethernet")]
mod ethernet;
mod log;
mod network;
#[cfg(feature = "rmii")]
mod rmii;
#[cfg(feature = "wifi")]
mod wifi;

use embassy_executor::Spawner;
use embassy_futures::join::join;
use embassy_net::{Runner, Stack, StackResources};
use embassy_time::Duration;
use esp_backtrace as _;
use esp_config::{esp_config_int, esp_config_str};
use esp_hal::{
    clock::CpuClock,
    peripherals::TIMG0,
    rng::Rng,
    rtc_cntl::SocResetReason,
    system::reset_reason,
    time::Duration as HardwareDuration,
    timer::timg::{MwdtStage, TimerGroup, Wdt},
};
use static_cell::{ConstStaticCell, StaticCell};
use tenure::Eviction;
use tenure_adder::{Adder, Visitors};
use tenure_embassy::{Memory, Server, Settings, SteadyLink, SynGate, beating, paced};

#[cfg(feature = "ethernet")]
use crate::ethernet::Device;
#[cfg(feature = "rmii")]
use crate::rmii::Device;
#[cfg(feature = "wifi")]
use crate::wifi::Device;
use crate::{board::TARGET, network::Addresses};

const PORT: u16 = esp_config_int!(u16, "TENURE_BOARD_CONFIG_PORT");
const SESSIONS: usize = esp_config_int!(usize, "TENURE_BOARD_CONFIG_SESSIONS");
const LANES: usize = esp_config_int!(usize, "TENURE_BOARD_CONFIG_LANES");
/// Two more than sessions: newcomers, and connections that still close.
const SOCKETS: usize = SESSIONS + 2;
/// Bytes of a head, of its target, and of the buffer that they come into.
const HEAD_BYTES_MAX: usize = esp_config_int!(usize, "TENURE_BOARD_CONFIG_HEAD_BYTES_MAX");
const TARGET_BYTES_MAX: u32 = esp_config_int!(u32, "TENURE_BOARD_CONFIG_TARGET_BYTES_MAX");
/// Bytes of a socket's ring each way: a segment of Ethernet's size, and a whole head.
const RING: usize = if HEAD_BYTES_MAX > 1_460 { HEAD_BYTES_MAX } else { 1_460 };
/// Bodies and responses share its size; they are no smaller than with the default.
const BUFFER: usize = if HEAD_BYTES_MAX > 1_024 { HEAD_BYTES_MAX } else { 1_024 };
/// One for DHCP.
const STACK_SOCKETS: usize = SOCKETS + 1;

type Board = Memory<Adder, SESSIONS, LANES, SOCKETS, RING, BUFFER>;
type BoardServer = Server<Adder, SESSIONS, LANES, SOCKETS, RING>;

/// For how long the server's task may have no turn before the board restarts; 0: for ever.
const WATCHDOG_S: u64 = esp_config_int!(u64, "TENURE_BOARD_CONFIG_WATCHDOG_S");

/// Server, lanes and sockets together.
const SERVER_BYTES: usize = Board::bytes::<(), _>(&tenure_adder::app);
/// For how long the link may be away unseen. A stack that sees it forgets what DHCP has given.
const LINK_PATIENCE_S: u32 = esp_config_int!(u32, "TENURE_BOARD_CONFIG_LINK_PATIENCE_S");
/// How often a silent peer is probed.
const KEEP_ALIVE_S: u32 = 15;

// What the server may take of a chip's RAM: more does not build.
const _: () = assert!(
    SERVER_BYTES <= esp_config_int!(usize, "TENURE_BOARD_CONFIG_SERVER_BYTES_MAX"),
    "the server takes more than its share of the RAM: set fewer TENURE_BOARD_CONFIG_SESSIONS or \
     TENURE_BOARD_CONFIG_LANES, or more TENURE_BOARD_CONFIG_SERVER_BYTES_MAX"
);

static MEMORY: ConstStaticCell<Board> = ConstStaticCell::new(Board::new());
static VISITORS: Visitors = Visitors::new();

// What the bootloader looks for.
esp_bootloader_esp_idf::esp_app_desc!();

#[embassy_executor::task]
async fn run_network(mut runner: Runner<'static, SynGate<SteadyLink<Device>>>) -> ! {
    paced(runner.run()).await
}

#[embassy_executor::task]
async fn serve(stack: Stack<'static>, server: &'static mut BoardServer, mut watchdog: Wdt<TIMG0<'static>>) {
    let run = async {
        let mut addresses = Addresses::new();
        network::wait_for_address(stack).await;
        addresses.log(stack);
        tenure_adder::log_starting(PORT);
        let app = tenure_adder::app(&VISITORS);
        join(server.run(stack, &app, &()), addresses.follow(stack)).await;
    };
    if WATCHDOG_S == 0 {
        return run.await;
    }
    watchdog.set_timeout(MwdtStage::Stage0, HardwareDuration::from_secs(WATCHDOG_S));
    watchdog.enable();
    beating(run, || watchdog.feed()).await;
}

/// Tells why the board has started.
fn log_start() {
    match reset_reason() {
        Some(SocResetReason::CoreMwdt0) => ::log::warn!(
            target: TARGET,
            "restarted by the watchdog: for {WATCHDOG_S} s the server had no turn, a handler has not yielded"
        ),
        Some(reason) => ::log::info!(target: TARGET, "started: {reason:?}"),
        None => ::log::info!(target: TARGET, "started: the chip does not say why"),
    }
}

fn settings() -> Settings {
    let mut settings = Settings {
        eviction: match esp_config_str!("TENURE_BOARD_CONFIG_EVICT") {
            "never" => Eviction::Never,
            "least_recently_used" => Eviction::LeastRecentlyUsed,
            _ => Eviction::WithoutSession,
        },
        // The stack has been patient already.
        link_down_ms: 1,
        // Nobody is taken to have vanished while the link may be away unseen.
        keep_alive_interval_s: KEEP_ALIVE_S,
        keep_alive_probes: (LINK_PATIENCE_S / KEEP_ALIVE_S + 1).max(4),
        ..Settings::at(PORT)
    };
    settings.limits.head_bytes_max = HEAD_BYTES_MAX as u32;
    settings.limits.target_bytes_max = TARGET_BYTES_MAX;
    settings.limits.content_type = tenure_adder::CONTENT_TYPE;
    settings
}

#[esp_rtos::main]
async fn main(spawner: Spawner) {
    static RESOURCES: StaticCell<StackResources<STACK_SOCKETS>> = StaticCell::new();
    static SERVER: StaticCell<BoardServer> = StaticCell::new();
    log::install();
    let peripherals = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    let TimerGroup { timer0, wdt: watchdog, .. } = TimerGroup::new(peripherals.TIMG0);
    esp_rtos::start(timer0, peripherals.FROM_CPU_INTR0);
    log_start();

    #[cfg(feature = "wifi")]
    let device = wifi::start(spawner, peripherals.WIFI);
    #[cfg(feature = "ethernet")]
    let device = ethernet::start(spawner, peripherals.SPI2).await;
    #[cfg(feature = "rmii")]
    let device = {
        let clocks =
            rmii::Clocks { input: peripherals.GPIO0, output: peripherals.GPIO16, inverted: peripherals.GPIO17 };
        let pads = rmii::Pads {
            txd0: peripherals.GPIO19,
            tx_en: peripherals.GPIO21,
            txd1: peripherals.GPIO22,
            rxd0: peripherals.GPIO25,
            rxd1: peripherals.GPIO26,
            crs_dv: peripherals.GPIO27,
        };
        rmii::start(peripherals.ETH, clocks, pads).await
    };

    let rng = Rng::new();
    let seed = u64::from(rng.random()) << 32 | u64::from(rng.random());
    let server = SERVER.init_with(|| Server::new(MEMORY.take(), settings()));
    let device =
        SynGate::new(SteadyLink::new(device, Duration::from_secs(u64::from(LINK_PATIENCE_S))), server.listening());
    let (stack, runner) = embassy_net::new(device, network::config(), RESOURCES.init_with(StackResources::new), seed);
    spawner.spawn(run_network(runner).expect("one network task"));
    spawner.spawn(serve(stack, server, watchdog).expect("one server task"));
    let (left, all) = board::stack();
    ::log::info!(target: TARGET, "stack: {left} of {all} bytes left; server: {SERVER_BYTES} bytes");
}
