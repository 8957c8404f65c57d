//! The adder on edge-http: one executor, a future a connection, which owns the sum.
//!
//! Its own `Server` has a fixed number of handlers and looks at all of them at each wake-up; a task a connection is what it
//! can do best on a host.

use std::{
    cell::Cell,
    fmt::{Debug, Display},
    io::Write as _,
    net::TcpListener,
    rc::Rc,
};

use async_executor::LocalExecutor;
use edge_http::{
    Method,
    io::{
        Error,
        server::{Connection, Handler, handle_connection},
    },
};
use edge_nal::{TcpAccept as _, TcpBind as _, TcpSplit};
use embassy_time as _;
use embedded_io_async::{Read, Write};

type Failure = Box<dyn std::error::Error>;

const BUFFER: usize = 2048;
const FIELDS_MAX: usize = 64;

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
        let body = self.sum.get().to_string();
        let length = body.len().to_string();
        connection.initiate_response(200, Some("OK"), &[("Content-Length", &length)]).await?;
        connection.write_all(body.as_bytes()).await
    }
}

fn main() -> Result<(), Failure> {
    // It does not tell which port it has got, so that one is chosen that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let executor = Rc::new(LocalExecutor::new());
    let tasks = Rc::clone(&executor);
    futures_lite::future::block_on(executor.run(async move {
        let acceptor = edge_nal_std::Stack::new().bind(address).await?;
        println!("listening on {address}");
        std::io::stdout().flush()?;
        loop {
            let (_, socket) = acceptor.accept().await?;
            socket.get_ref().set_nodelay(true)?;
            tasks
                .spawn(async move {
                    let mut buffer = [0; BUFFER];
                    let adder = Adder { sum: Cell::new(0) };
                    handle_connection::<_, _, FIELDS_MAX>(socket, &mut buffer, None, 0, adder).await;
                })
                .detach();
        }
    }))
}
