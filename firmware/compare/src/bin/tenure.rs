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
    let router = Router::new().route("/adder", adder);
    #[cfg(feature = "reply")]
    let router = router.route("/reply", tenure::get(async |_: &mut Request<'_, Sum>| tenure::Json(parts::CONFIG)));
    #[cfg(feature = "read")]
    let router =
        router.route("/read", post(async |request: &mut Request<'_, Sum>| parts::port(request.body().json().await)));
    #[cfg(feature = "form")]
    let router =
        router.route("/form", post(async |request: &mut Request<'_, Sum>| parts::port(request.body().form().await)));
    #[cfg(feature = "query")]
    let router =
        router.route("/query", tenure::get(async |request: &mut Request<'_, Sum>| parts::port(request.query_as())));
    #[cfg(feature = "files")]
    let router = router.route("/{*rest}", tenure::files(&parts::SITE));
    #[cfg(feature = "errors")]
    let router = router.errors(parts::page);
    #[cfg(feature = "fields")]
    let router = router.fields(tenure::Secured::new());
    #[cfg(feature = "cors")]
    let router = router.cors(parts::CORS);
    router
}

/// What an application of parts has besides: each is used once, for the least.
#[cfg(feature = "parts")]
#[allow(dead_code, reason = "each part has its own")]
mod parts {
    use serde::{Deserialize, Serialize};
    use tenure::{
        Cors, Error, Failed,
        files::{File, Table},
    };

    /// Three fields.
    #[derive(Serialize, Deserialize)]
    pub(super) struct Config<'a> {
        name: &'a str,
        port: u16,
        hidden: bool,
    }

    pub(super) const CONFIG: Config<'_> = Config { name: "lamp", port: 80, hidden: false };

    pub(super) fn port(config: Result<Config<'_>, Error>) -> Result<u32, Error> {
        let Config { name, port, hidden } = config?;
        Ok(if hidden || name.is_empty() { 0 } else { port.into() })
    }

    pub(super) const CORS: Cors = Cors::origins(&["https://app.example"]).fields(&["Content-Type"]);

    pub(super) fn page(failed: &Failed<'_>) -> heapless::String<128> {
        let mut text = heapless::String::new();
        let _ = core::fmt::write(&mut text, format_args!("{failed}"));
        text
    }

    /// One page of 32 bytes.
    pub(super) static SITE: Table =
        Table::new(&[File::new("index.html", "text/html").identity("\"1\"", b"<!doctype html><title>x</title>\n")]);
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
