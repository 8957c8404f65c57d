//! A server in a tokio program: on threads of its own, beside tasks of the program's, and stopped gracefully.
//!
//! Handlers may await anything of tokio: here a watch that another task changes, and a timer.
//!
//! `cargo run --example in_tokio`, then
//! - `curl http://127.0.0.1:8080/latest`: what the task has found last;
//! - `curl http://127.0.0.1:8080/next`: what it finds next;
//! - `curl http://127.0.0.1:8080/slow`, and Ctrl-C at the server meanwhile: the answer comes, then the server ends.

use std::{
    io,
    time::{Duration, Instant},
};

use tenure::{Error, Request, Router, get};
use tenure_tokio::{Server, Settings};
use tokio::{sync::watch, time};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (tell, latest) = watch::channel("nothing yet".to_owned());
    // A task of the program.
    tokio::spawn(async move {
        loop {
            time::sleep(Duration::from_millis(500)).await;
            let found = look().await.unwrap_or_else(|error| error.to_string());
            tell.send_replace(found);
        }
    });
    let next = latest.clone();
    let app = Router::new()
        .route("/health", get(async |_: &mut Request<'_, ()>| "well\n"))
        .route("/latest", get(async move |_: &mut Request<'_, ()>| latest.borrow().clone()))
        .route(
            "/next",
            get(async move |request: &mut Request<'_, ()>| {
                let mut next = next.clone();
                next.mark_unchanged();
                // 503 where the client goes, or the server stops.
                request.while_open(next.changed()).await?.map_err(|_| Error::unavailable("nobody looks any more"))?;
                Ok::<_, Error>(next.borrow().clone())
            }),
        )
        .route(
            "/slow",
            get(async |_: &mut Request<'_, ()>| {
                time::sleep(Duration::from_secs(2)).await;
                "at last\n"
            }),
        );
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.spawn(app, ())?;
    println!("serving at http://{}/latest", server.handle().local_addr());
    server.stop_when(tokio::signal::ctrl_c()).await?;
    println!("served to the end");
    Ok(())
}

/// Connects to the server, as a client of it.
async fn look() -> io::Result<String> {
    let since = Instant::now();
    tokio::net::TcpStream::connect("127.0.0.1:8080").await?;
    Ok(format!("connected in {} µs\n", since.elapsed().as_micros()))
}
