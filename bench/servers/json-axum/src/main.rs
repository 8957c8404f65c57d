//! JSON both ways on axum: one thread.

use std::io::{self, Write as _};

use axum::{Json, Router, routing::post, serve::ListenerExt as _};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

type Failure = Box<dyn std::error::Error>;

#[derive(Serialize, Deserialize)]
struct Value {
    a: u32,
    b: String,
    c: bool,
}

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on {}", listener.local_addr()?);
        io::stdout().flush()?;
        let listener = listener.tap_io(|stream| {
            // Where it fails the connection does, too, and says so.
            let _ = stream.set_nodelay(true);
        });
        Ok(axum::serve(listener, Router::new().route("/json", post(change))).await?)
    })
}

async fn change(Json(Value { a, b, c }): Json<Value>) -> Json<Value> {
    Json(Value { a: a.wrapping_add(1), b, c: !c })
}
