//! The service of a device: JSON both ways, state, CORS, errors as JSON and a page from flash, without a heap.
#![no_std]
#![no_main]

use embassy_net::{Stack, StackResources};
use log::info;
use static_cell::{ConstStaticCell, StaticCell};
use tenure_device::Device;
use tenure_embassy::{Memory, Server, Settings};

const PORT: u16 = 80;
const CONNECTIONS: usize = 4;
const LANES: usize = 2;
/// Two more than connections: newcomers, and connections that still close.
const SOCKETS: usize = CONNECTIONS + 2;
/// Bytes of a socket's ring each way.
const RING: usize = 1_460;

type Board = Memory<(), CONNECTIONS, LANES, SOCKETS, RING>;
type BoardServer = Server<(), CONNECTIONS, LANES, SOCKETS, RING>;

/// All that server, lanes and sockets take.
const BYTES: usize = Board::bytes::<(), _>(&tenure_device::app);
const _: () = assert!(BYTES <= 40 * 1024, "the service takes more than its share of the RAM");

static MEMORY: ConstStaticCell<Board> = ConstStaticCell::new(Board::new());
static DEVICE: Device = Device::new();

#[embassy_executor::task]
async fn serve(stack: Stack<'static>, server: &'static mut BoardServer) {
    info!("server, lanes and sockets: {BYTES} bytes");
    info!("Starting server on port: '{PORT}'");
    server.run(stack, &tenure_device::app(&DEVICE), &()).await;
}

#[riscv_rt::entry]
fn main() -> ! {
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    static SERVER: StaticCell<BoardServer> = StaticCell::new();
    tenure_qemu::log_to_uart();
    let server = SERVER.init_with(|| Server::new(MEMORY.take(), Settings::at(PORT)));
    tenure_qemu::run_gated(RESOURCES.init_with(StackResources::new), server.listening(), |spawner, stack| {
        spawner.spawn(serve(stack, server).expect("one server task"));
    })
}
