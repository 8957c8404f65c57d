//! Connections seen and closed from elsewhere, here from a handler: an id means one connection and never the next.
//!
//! The handle exists once the server is bound, after the application was made: a `OnceLock` brings it to the handlers.
//!
//! `cargo run --example handle`, then
//! - `sleep 9 | nc 127.0.0.1 8080` in another terminal, so that there is somebody;
//! - `curl http://127.0.0.1:8080/connections`: who there is;
//! - `curl -X DELETE http://127.0.0.1:8080/connections/0.0.0` with an id of that list: it is closed;
//! - `curl -X DELETE http://127.0.0.1:8080/server`: the server stops.

use std::{fmt::Write as _, sync::OnceLock};

use tenure::{Error, Request, Router, StatusCode, delete, get};
use tenure_linux::{Handle, Server, Settings};

static HANDLE: OnceLock<Handle> = OnceLock::new();

fn handle() -> Result<&'static Handle, Error> {
    HANDLE.get().ok_or(Error::unavailable("the server starts"))
}

async fn list(request: &mut Request<'_, ()>) -> Result<String, Error> {
    let mut text = String::new();
    // All workers are asked: awaited, so that this one can answer too.
    for connection in handle()?.list().await {
        let peer = connection.peer.map_or_else(|| "gone".to_owned(), |peer| peer.to_string());
        let me = if connection.id == request.id() { ", you" } else { "" };
        let state = if connection.busy { "busy".to_owned() } else { format!("idle for {} ms", connection.idle_ms) };
        let _ = writeln!(text, "{} {peer} {state}{me}", connection.id);
    }
    Ok(text)
}

async fn close(request: &mut Request<'_, ()>) -> Result<StatusCode, Error> {
    let id = request.parameter("id").ok_or(Error::not_found("say which"))?;
    let connections = handle()?.list().await;
    let found = connections.iter().find(|connection| id == *connection.id.to_string());
    let found = found.ok_or(Error::not_found("there is no such connection: see /connections"))?;
    // At once where it is idle, after its response where it is at work. Gone meanwhile: nothing happens.
    handle()?.close(found.id).map_err(|_| Error::unavailable("too many commands wait: try again later"))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn stop(_: &mut Request<'_, ()>) -> Result<&'static str, Error> {
    handle()?.stop(); // this response is still sent
    Ok("bye\n")
}

fn main() -> Result<(), tenure_linux::Error> {
    let app = Router::new()
        .route("/connections", get(list))
        .route("/connections/{id}", delete(close))
        .route("/server", delete(stop));
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    let _ = HANDLE.set(server.handle());
    println!("listing at http://{}/connections", server.local_addr());
    server.run(&app, &())
}
