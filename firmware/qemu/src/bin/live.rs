//! The adder with its live page: streams of events and a chat beside sums, for four browsers at once. Each takes a connection for its
//! sum, one for events and one for the chat. A newcomer beyond them takes the place of the least recently used that is not open.
#![no_std]
#![no_main]

use embassy_net::{Stack, StackResources};
use log::info;
use static_cell::{ConstStaticCell, StaticCell};
use tenure::Eviction;
use tenure_adder::{Adder, Live};
use tenure_embassy::{Memory, Server, Settings};

const PORT: u16 = 80;
const BROWSERS: usize = 4;
const SESSIONS: usize = 3 * BROWSERS;
const LANES: usize = 2;
/// Two more than sessions: newcomers, and connections that still close.
const SOCKETS: usize = SESSIONS + 2;
/// Bytes of a socket's ring each way: a browser's head.
const RING: usize = 1_460;

type Board = Memory<Adder, SESSIONS, LANES, SOCKETS, RING>;
type BoardServer = Server<Adder, SESSIONS, LANES, SOCKETS, RING>;

/// All that server, lanes and sockets take.
const BYTES: usize = Board::bytes::<(), _>(&tenure_adder::live_app);
const _: () = assert!(BYTES <= 64 * 1024, "four browsers take more than 64 KiB");

static MEMORY: ConstStaticCell<Board> = ConstStaticCell::new(Board::new());
static LIVE: Live = Live::new();

#[embassy_executor::task]
async fn serve(stack: Stack<'static>, server: &'static mut BoardServer) {
    info!("server, lanes and sockets: {BYTES} bytes");
    tenure_adder::log_starting(PORT);
    let app = tenure_adder::live_app(&LIVE);
    server.run(stack, &app, &()).await;
}

#[riscv_rt::entry]
fn main() -> ! {
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    static SERVER: StaticCell<BoardServer> = StaticCell::new();
    tenure_qemu::log_to_uart();
    let mut settings = Settings { eviction: Eviction::LeastRecentlyUsed, ..Settings::at(PORT) };
    settings.limits.content_type = tenure_adder::CONTENT_TYPE;
    let server = SERVER.init_with(|| Server::new(MEMORY.take(), settings));
    tenure_qemu::run_gated(RESOURCES.init_with(StackResources::new), server.listening(), |spawner, stack| {
        spawner.spawn(serve(stack, server).expect("one server task"));
    })
}
