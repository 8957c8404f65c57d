//! The adder on axum: one thread, the sum is the connection's `ConnectInfo`.

use std::{
    io::Write as _,
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
    serve::{IncomingStream, ListenerExt as _, TapIo},
};
use tokio::net::{TcpListener, TcpStream};

type Failure = Box<dyn std::error::Error>;

/// The connection's sum; tower's services must be `Send`, whatever the runtime.
#[derive(Clone)]
struct Sum(Arc<AtomicI64>);

impl<F: FnMut(&mut TcpStream) + Send + 'static> Connected<IncomingStream<'_, TapIo<TcpListener, F>>> for Sum {
    fn connect_info(_: IncomingStream<'_, TapIo<TcpListener, F>>) -> Self {
        Sum(Arc::default())
    }
}

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on {}", listener.local_addr()?);
        std::io::stdout().flush()?;
        let app = Router::new().route("/adder", get(read).post(add).put(set));
        let listener = listener.tap_io(|stream| {
            // Where it fails the connection does, too, and says so.
            let _ = stream.set_nodelay(true);
        });
        Ok(axum::serve(listener, app.into_make_service_with_connect_info::<Sum>()).await?)
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
