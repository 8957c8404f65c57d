//! The adder on picoserve: a task a socket, whose router's state is the sum of the socket's connection.
#![no_std]
#![no_main]

use core::cell::Cell;

use embassy_net::{Stack, tcp::TcpSocket};
use embassy_time::Duration;
use picoserve::{
    Config, KeepAlive, Server, Timeouts,
    extract::{FromRequest, State},
    request::{RequestBody, RequestParts},
    response::{IntoResponse, StatusCode},
    routing::get,
};
use static_cell::ConstStaticCell;
use tenure_compare::{BUFFER, PORT, RING, SOCKETS, Text, resources, text};

const PATIENCE: Duration = Duration::from_secs(600);
static CONFIG: Config = Config {
    timeouts: Timeouts {
        start_read_request: PATIENCE,
        persistent_start_read_request: PATIENCE,
        read_request: PATIENCE,
        write: PATIENCE,
    },
    connection: KeepAlive::KeepAlive,
};

#[derive(Clone, Copy)]
struct Sum<'a>(&'a Cell<i64>);

/// A socket's rings, and the server's buffer.
struct Bytes {
    rings: [[u8; RING]; 2],
    buffer: [u8; BUFFER],
}

async fn read(State(Sum(sum)): State<Sum<'_>>) -> Number {
    Number(sum.get())
}

struct Number(i64);

impl IntoResponse for Number {
    async fn write_to<R: picoserve::io::Read, W: picoserve::response::ResponseWriter<Error = R::Error>>(
        self,
        connection: picoserve::response::Connection<'_, R>,
        writer: W,
    ) -> Result<picoserve::ResponseSent, W::Error> {
        let text: Text = text(self.0);
        text.as_str().write_to(connection, writer).await
    }
}

/// A body that is a number.
struct Body(i64);

impl<'r, S> FromRequest<'r, S> for Body {
    type Rejection = (StatusCode, &'static str);

    async fn from_request<R: picoserve::io::Read>(
        _: &'r S,
        _: RequestParts<'r>,
        body: RequestBody<'r, R>,
    ) -> Result<Self, Self::Rejection> {
        const REFUSED: (StatusCode, &str) = (StatusCode::BAD_REQUEST, "not a number");
        let bytes = body.read_all().await.map_err(|_| REFUSED)?;
        let text = str::from_utf8(bytes).map_err(|_| REFUSED)?;
        text.parse().map(Body).map_err(|_| REFUSED)
    }
}

async fn add(State(Sum(sum)): State<Sum<'_>>, Body(number): Body) -> Number {
    sum.set(sum.get().wrapping_add(number));
    Number(sum.get())
}

async fn set(State(Sum(sum)): State<Sum<'_>>, Body(number): Body) -> Number {
    sum.set(number);
    Number(number)
}

#[embassy_executor::task(pool_size = SOCKETS)]
async fn serve(stack: Stack<'static>, bytes: &'static mut Bytes) -> ! {
    let Bytes { rings: [received, sent], buffer } = bytes;
    let sum = Cell::new(0);
    let app = picoserve::Router::new().route("/adder", get(read).post(add).put(set)).with_state(Sum(&sum));
    loop {
        sum.set(0);
        let mut socket = TcpSocket::new(stack, received, sent);
        if socket.accept(PORT).await.is_ok() {
            let _ = Server::new(&app, &CONFIG, buffer).serve(socket).await;
        }
    }
}

#[riscv_rt::entry]
fn main() -> ! {
    static BYTES: ConstStaticCell<[Bytes; SOCKETS]> =
        ConstStaticCell::new([const { Bytes { rings: [[0; RING]; 2], buffer: [0; BUFFER] } }; SOCKETS]);
    tenure_qemu::run(resources(), |spawner, stack| {
        for bytes in BYTES.take() {
            spawner.spawn(serve(stack, bytes).expect("a task for each socket"));
        }
    })
}
