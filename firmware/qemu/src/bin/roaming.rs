//! The adder on a network that changes: an address by DHCP on a link whose losses of up to 8 s the stack does not see, and
//! after a longer one 10.0.2.16. The log tells of addresses, and why connections end.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_net::{ConfigV4, Stack, StackResources};
use embassy_time::Duration;
use log::info;
use static_cell::{ConstStaticCell, StaticCell};
use tenure_adder::{Adder, Visitors};
use tenure_embassy::{Memory, Server, Settings};
use tenure_qemu::Ends;

const PORT: u16 = 80;
const SESSIONS: usize = 7;
const LANES: usize = 2;
const SOCKETS: usize = SESSIONS + 2;
/// The stack's own for DHCP is one more.
const STACK_SOCKETS: usize = SOCKETS + 1;
const RING: usize = 1_460;
/// Longer losses of the link are seen.
const PATIENCE: Duration = Duration::from_secs(8);

static MEMORY: ConstStaticCell<Memory<Adder, SESSIONS, LANES, SOCKETS, RING>> = ConstStaticCell::new(Memory::new());
static VISITORS: Visitors = Visitors::new();

#[embassy_executor::task]
async fn serve(stack: Stack<'static>) {
    static SERVER: StaticCell<Server<Adder, SESSIONS, LANES, SOCKETS, RING>> = StaticCell::new();
    tenure_adder::log_starting(PORT);
    let app = tenure_adder::app(&VISITORS);
    let server = SERVER.init_with(|| Server::new(MEMORY.take(), Settings::at(PORT)));
    server.run(stack, &app, &Ends).await;
}

#[embassy_executor::task]
async fn roam(stack: Stack<'static>) -> ! {
    loop {
        stack.wait_config_up().await;
        if let Some(config) = stack.config_v4() {
            info!("IPv4 address: {}", config.address.address());
        }
        stack.wait_link_down().await;
        info!("the link is down");
        stack.wait_link_up().await;
        stack.set_config_v4(ConfigV4::Static(tenure_qemu::at(16)));
    }
}

#[riscv_rt::entry]
fn main() -> ! {
    static RESOURCES: StaticCell<StackResources<STACK_SOCKETS>> = StaticCell::new();
    tenure_qemu::log_to_uart();
    let spawn = |spawner: Spawner, stack| {
        spawner.spawn(serve(stack).expect("one server task"));
        spawner.spawn(roam(stack).expect("one task for addresses"));
    };
    tenure_qemu::run_by_dhcp(RESOURCES.init_with(StackResources::new), PATIENCE, spawn)
}
