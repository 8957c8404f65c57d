//! The adder on axum: one thread, the sum is the connection's `ConnectInfo`.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    extract::{ConnectInfo, connect_info::Connected},
    http::StatusCode,
    routing::get,
    serve::{IncomingStream, Listener},
};
use tokio::net::{TcpListener, TcpStream};

type Failure = Box<dyn std::error::Error>;

/// The connection's sum; tower's services must be `Send`, whatever the runtime.
#[derive(Clone)]
struct Sum(Arc<AtomicI64>);

impl Connected<IncomingStream<'_, Undelayed>> for Sum {
    fn connect_info(_: IncomingStream<'_, Undelayed>) -> Self {
        Sum(Arc::default())
    }
}

/// A listener whose connections send at once.
struct Undelayed(TcpListener);

impl Listener for Undelayed {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let (stream, peer) = Listener::accept(&mut self.0).await;
        // Where it fails the connection does, too, and says so.
        let _ = stream.set_nodelay(true);
        (stream, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on {}", listener.local_addr()?);
        io::stdout().flush()?;
        let app = Router::new().route("/adder", get(read).post(add).put(set));
        Ok(axum::serve(Undelayed(listener), app.into_make_service_with_connect_info::<Sum>()).await?)
    })
}

async fn read(ConnectInfo(sum): ConnectInfo<Sum>) -> String {
    sum.0.load(Relaxed).to_string()
}

async fn add(ConnectInfo(sum): ConnectInfo<Sum>, body: String) -> Result<String, StatusCode> {
    let number: i64 = body.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    let before = sum.0.fetch_add(number, Relaxed);
    Ok(before.wrapping_add(number).to_string())
}

async fn set(ConnectInfo(sum): ConnectInfo<Sum>, body: String) -> Result<String, StatusCode> {
    let number: i64 = body.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    sum.0.store(number, Relaxed);
    Ok(number.to_string())
}
