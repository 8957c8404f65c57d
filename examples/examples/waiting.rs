//! A handler that waits for another thread: any future will do, its waker may be called from anywhere.
//!
//! A waiting handler takes a lane and no thread. Where its connection is reset or a deadline is missed it is dropped; what
//! waits by [`while_open`](Request::while_open) ends with its client, and with the server, too.
//!
//! `cargo run --example waiting`, then
//! - `curl http://127.0.0.1:8080/next`: answered once the clock's thread has ticked;
//! - `curl -N http://127.0.0.1:8080/ticks`: each tick pushed when it happens, until Ctrl-C, here or at the server;
//! - both at once, from several terminals: nobody waits for anybody.

use std::{
    future::poll_fn,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    thread,
    time::Duration,
};

use tenure::{Error, Method, Request, Responder, Router, Sent, StatusCode, get, respond};
use tenure_linux::{Server, Settings};

/// What one thread tells and handlers wait for.
struct Ticks {
    count: u64,
    waiting: Vec<Waker>,
}

static TICKS: Mutex<Ticks> = Mutex::new(Ticks { count: 0, waiting: Vec::new() });

fn ticks() -> MutexGuard<'static, Ticks> {
    TICKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ticks, and wakes all who wait.
fn tick_for_ever() {
    loop {
        thread::sleep(Duration::from_secs(1));
        let mut ticks = ticks();
        ticks.count += 1;
        ticks.waiting.drain(..).for_each(Waker::wake);
    }
}

/// The count, once it is above `seen`.
async fn tick_after(seen: u64) -> u64 {
    poll_fn(|context| {
        let mut ticks = ticks();
        if ticks.count > seen {
            return Poll::Ready(ticks.count);
        }
        // Looked at and left under one lock, so that no tick is missed between.
        ticks.waiting.push(context.waker().clone());
        Poll::Pending
    })
    .await
}

async fn next(request: &mut Request<'_, ()>) -> Result<String, Error> {
    let seen = ticks().count;
    Ok(format!("tick {}\n", request.while_open(tick_after(seen)).await?)) // 503 where the server stops
}

async fn push<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
    let mut stream = responder.stream(StatusCode::OK, &[("Content-Type", "text/event-stream")]).await?;
    let mut seen = ticks().count;
    while let Ok(count) = request.while_open(tick_after(seen)).await {
        seen = count;
        stream.write(format!("data: {seen}\n\n").as_bytes()).await?; // goes out while the next one is waited for
    }
    stream.finish().await
}

fn main() -> Result<(), tenure_linux::Error> {
    thread::spawn(tick_for_ever);
    let app = Router::new().route("/next", get(next)).route("/ticks", respond(Method::Get, push).waits_long());
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    println!("ticking at http://{}/ticks", server.local_addr());
    server.run(&app, &())
}
