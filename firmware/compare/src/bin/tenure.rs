//! The adder on tenure.
#![no_std]
#![no_main]

use embassy_net::Stack;
use static_cell::{ConstStaticCell, StaticCell};
use tenure::{EndReason, Error, Handler, Request, Router, Session, post};
use tenure_compare::{BUFFER, LANES, PORT, RING, SESSIONS, SOCKETS, resources};
use tenure_embassy::{Memory, Server, Settings};

/// The connection's sum.
#[derive(Default)]
struct Sum(i64);

impl Session for Sum {
    fn end(self, _: EndReason) {}
}

fn app() -> impl Handler<Sum> {
    let adder = post(async |request: &mut Request<'_, Sum>| {
        let number: i64 = request.body().parse().await?;
        let Sum(sum) = request.session_or_insert_with(Sum::default);
        *sum = sum.wrapping_add(number);
        Ok::<i64, Error>(*sum)
    })
    .get(async |request: &mut Request<'_, Sum>| request.session().map_or(0, |Sum(sum)| *sum))
    .put(async |request: &mut Request<'_, Sum>| {
        let number = request.body().parse().await?;
        request.session_or_insert_with(Sum::default).0 = number;
        Ok::<i64, Error>(number)
    });
    Router::new().route("/adder", adder)
}

#[embassy_executor::task]
async fn serve(stack: Stack<'static>) {
    static MEMORY: ConstStaticCell<Memory<Sum, SESSIONS, LANES, SOCKETS, RING, BUFFER>> =
        ConstStaticCell::new(Memory::new());
    static SERVER: StaticCell<Server<Sum, SESSIONS, LANES, SOCKETS, RING>> = StaticCell::new();
    let server = SERVER.init_with(|| Server::new(MEMORY.take(), Settings::at(PORT)));
    server.run(stack, &app(), &()).await;
}

#[riscv_rt::entry]
fn main() -> ! {
    tenure_qemu::run(resources(), |spawner, stack| {
        spawner.spawn(serve(stack).expect("one server task"));
    })
}
