//! The adder on edge-http: a task a socket, whose handler has the sum of the socket's connection.
#![no_std]
#![no_main]

use core::{
    cell::Cell,
    fmt::{Debug, Display},
    net::{Ipv4Addr, SocketAddr},
};

use edge_http::{
    Method,
    io::{
        Error,
        server::{Connection, Handler, handle_connection},
    },
};
use edge_nal::{TcpAccept as _, TcpBind as _, TcpSplit};
use edge_nal_embassy::{Tcp, TcpBuffers};
use embassy_net::Stack;
use embedded_io_async::{Read, Write};
use static_cell::{ConstStaticCell, StaticCell};
use tenure_compare::{BUFFER, PORT, RING, SOCKETS, resources, text};

const FIELDS_MAX: usize = 32;

/// The connection's sum.
struct Adder {
    sum: Cell<i64>,
}

impl Handler for Adder {
    type Error<E>
        = Error<E>
    where
        E: Debug;

    async fn handle<T, const N: usize>(
        &self,
        _: impl Display + Copy,
        connection: &mut Connection<'_, T, N>,
    ) -> Result<(), Self::Error<T::Error>>
    where
        T: Read + Write + TcpSplit,
    {
        let head = connection.headers()?;
        let method = head.method;
        if head.path != "/adder" {
            return connection.initiate_response(404, Some("Not Found"), &[("Content-Length", "0")]).await;
        }
        if method != Method::Get {
            let mut bytes = [0; 32];
            let mut length = 0;
            while length < bytes.len() {
                match connection.read(&mut bytes[length..]).await? {
                    0 => break,
                    count => length += count,
                }
            }
            let number = str::from_utf8(&bytes[..length]).ok().and_then(|text| text.parse::<i64>().ok());
            let Some(number) = number else {
                return connection.initiate_response(400, Some("Bad Request"), &[("Content-Length", "0")]).await;
            };
            self.sum.set(if method == Method::Post { self.sum.get().wrapping_add(number) } else { number });
        }
        let body = text(self.sum.get());
        let length = text(i64::try_from(body.len()).unwrap_or(0));
        connection.initiate_response(200, Some("OK"), &[("Content-Length", &length)]).await?;
        connection.write_all(body.as_bytes()).await
    }
}

type Pool = TcpBuffers<SOCKETS, RING, RING>;

#[embassy_executor::task(pool_size = SOCKETS)]
async fn serve(tcp: Tcp<'static>, buffer: &'static mut [u8; BUFFER]) {
    let Ok(acceptor) = tcp.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT))).await else { return };
    loop {
        if let Ok((_, socket)) = acceptor.accept().await {
            let adder = Adder { sum: Cell::new(0) };
            handle_connection::<_, _, FIELDS_MAX>(socket, buffer, None, 0, adder).await;
        }
    }
}

fn start(spawner: embassy_executor::Spawner, stack: Stack<'static>) {
    static POOL: StaticCell<Pool> = StaticCell::new();
    static BUFFERS: ConstStaticCell<[[u8; BUFFER]; SOCKETS]> = ConstStaticCell::new([[0; BUFFER]; SOCKETS]);
    let tcp = Tcp::new(stack, POOL.init_with(Pool::new));
    for buffer in BUFFERS.take() {
        spawner.spawn(serve(tcp, buffer).expect("a task for each socket"));
    }
}

#[riscv_rt::entry]
fn main() -> ! {
    tenure_qemu::run(resources(), start)
}
