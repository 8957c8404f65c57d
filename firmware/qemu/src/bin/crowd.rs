//! As many sessions as a board may ever want: 32 at once on 4 lanes, on 64 KiB for server, lanes and sockets, with handlers
//! that wait beside the adder. A newcomer beyond them takes the place of the least recently used. The log tells why connections
//! end.
#![no_std]
#![no_main]

use embassy_net::{Stack, StackResources};
use embassy_time::{Duration, Timer};
use log::info;
use portable_atomic::{AtomicBool, Ordering};
use static_cell::{ConstStaticCell, StaticCell};
use tenure::{Eviction, Handler, Request, Router, get};
use tenure_adder::{Adder, Visitors};
use tenure_embassy::{Memory, Server, Settings};
use tenure_qemu::Ends;

const PORT: u16 = 80;
const SESSIONS: usize = 32;
const LANES: usize = 4;
const SOCKETS: usize = SESSIONS + 2;
/// Bytes of a socket's ring each way, and of each of a lane's three buffers.
const RING: usize = 512;
const BUFFER: usize = 512;

type Board = Memory<Adder, SESSIONS, LANES, SOCKETS, RING, BUFFER>;

/// All that server, lanes and sockets take.
const BYTES: usize = Board::bytes::<Ends, _>(&app);
const _: () = assert!(BYTES <= 64 * 1024, "32 sessions on 4 lanes take more than 64 KiB");

static MEMORY: ConstStaticCell<Board> = ConstStaticCell::new(Board::new());
static VISITORS: Visitors = Visitors::new();
static RELEASED: AtomicBool = AtomicBool::new(false);

/// How long `/wait` takes.
const WAIT: Duration = Duration::from_millis(200);
/// How often `/hold` looks whether it may go.
const LOOK: Duration = Duration::from_millis(10);

/// The adder, and what waits: for time (`/wait`), or for somebody who asks for `/release` (`/hold`).
fn app(visitors: &Visitors) -> impl Handler<Adder> {
    let wait = get(async |_: &mut Request<'_, Adder>| {
        Timer::after(WAIT).await;
        "waited"
    });
    let hold = get(async |request: &mut Request<'_, Adder>| {
        let released = async {
            while !RELEASED.load(Ordering::Acquire) {
                Timer::after(LOOK).await;
            }
            "released"
        };
        request.while_open(released).await
    });
    let release = get(async |_: &mut Request<'_, Adder>| {
        RELEASED.store(true, Ordering::Release);
        "released"
    });
    Router::new()
        .route("/wait", wait)
        .route("/hold", hold.waits_long())
        .route("/release", release)
        .nest("/", tenure_adder::app(visitors))
}

#[embassy_executor::task]
async fn serve(stack: Stack<'static>) {
    static SERVER: StaticCell<Server<Adder, SESSIONS, LANES, SOCKETS, RING>> = StaticCell::new();
    info!("server, lanes and sockets: {BYTES} bytes");
    tenure_adder::log_starting(PORT);
    let app = app(&VISITORS);
    let settings = Settings { eviction: Eviction::LeastRecentlyUsed, ..Settings::at(PORT) };
    let server = SERVER.init_with(|| Server::new(MEMORY.take(), settings));
    server.run(stack, &app, &Ends).await;
}

#[riscv_rt::entry]
fn main() -> ! {
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    tenure_qemu::log_to_uart();
    tenure_qemu::run(RESOURCES.init_with(StackResources::new), |spawner, stack| {
        spawner.spawn(serve(stack).expect("one server task"));
    })
}
