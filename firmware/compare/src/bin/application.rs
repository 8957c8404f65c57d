//! The whole of `apps/adder` on tenure: five targets, the page among them, and the count of visits.
#![no_std]
#![no_main]

use embassy_net::Stack;
use static_cell::{ConstStaticCell, StaticCell};
use tenure_adder::{Adder, Visitors};
use tenure_compare::{BUFFER, LANES, PORT, RING, SESSIONS, SOCKETS, resources};
use tenure_embassy::{Memory, Server, Settings};

#[embassy_executor::task]
async fn serve(stack: Stack<'static>) {
    static MEMORY: ConstStaticCell<Memory<Adder, SESSIONS, LANES, SOCKETS, RING, BUFFER>> =
        ConstStaticCell::new(Memory::new());
    static SERVER: StaticCell<Server<Adder, SESSIONS, LANES, SOCKETS, RING>> = StaticCell::new();
    static VISITORS: Visitors = Visitors::new();
    let server = SERVER.init_with(|| Server::new(MEMORY.take(), Settings::at(PORT)));
    server.run(stack, &tenure_adder::app(&VISITORS), &()).await;
}

#[riscv_rt::entry]
fn main() -> ! {
    tenure_qemu::run(resources(), |spawner, stack| {
        spawner.spawn(serve(stack).expect("one server task"));
    })
}
