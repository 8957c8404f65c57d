//! The adder on rv32imc, the ESP32-C3's instruction set, in stock QEMU: no heap, static 10.0.2.15/24, port 80.
#![no_std]
#![no_main]

use embassy_net::{Stack, StackResources};
use static_cell::{ConstStaticCell, StaticCell};
use tenure_adder::{Adder, Visitors};
use tenure_embassy::{Memory, Server, Settings};

const PORT: u16 = 80;
/// As in the original: seven sessions.
const SESSIONS: usize = 7;
const LANES: usize = 2;
/// Two more than sessions: newcomers, and connections that still close.
const SOCKETS: usize = SESSIONS + 2;
/// Bytes of a socket's ring each way.
const RING: usize = 1_460;

type Board = Memory<Adder, SESSIONS, LANES, SOCKETS, RING>;
type BoardServer = Server<Adder, SESSIONS, LANES, SOCKETS, RING>;

// What server, lanes and sockets may take of a chip's RAM, all of it: more does not build.
const _: () =
    assert!(Board::bytes::<(), _>(&tenure_adder::app) <= 41 * 1024, "the server takes more than its share of the RAM");

static MEMORY: ConstStaticCell<Board> = ConstStaticCell::new(Board::new());
static VISITORS: Visitors = Visitors::new();

#[embassy_executor::task]
async fn serve(stack: Stack<'static>, server: &'static mut BoardServer) {
    tenure_adder::log_starting(PORT);
    let app = tenure_adder::app(&VISITORS);
    server.run(stack, &app, &()).await;
}

#[riscv_rt::entry]
fn main() -> ! {
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    static SERVER: StaticCell<BoardServer> = StaticCell::new();
    tenure_qemu::log_to_uart();
    let mut settings = Settings::at(PORT);
    settings.limits.content_type = tenure_adder::CONTENT_TYPE;
    let server = SERVER.init_with(|| Server::new(MEMORY.take(), settings));
    tenure_qemu::run_gated(RESOURCES.init_with(StackResources::new), server.listening(), |spawner, stack| {
        spawner.spawn(serve(stack, server).expect("one server task"));
    })
}
