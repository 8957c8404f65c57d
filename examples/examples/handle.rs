//! Connections seen and closed from elsewhere, here from a handler: an id means one connection and never the next.
//!
//! The server is bound before the application is made: so `with` gives its handle to the handlers.
//!
//! `cargo run --example handle`, then
//! - `sleep 9 | nc 127.0.0.1 8080` in another terminal, so that there is somebody;
//! - `curl http://127.0.0.1:8080/connections`: who there is;
//! - `curl -X DELETE http://127.0.0.1:8080/connections/0.0.0` with an id of that list: it is closed;
//! - `curl -X DELETE http://127.0.0.1:8080/server`: the server stops.

use std::fmt::Write as _;

use tenure::{Error, Request, Router, StatusCode, delete, get, with};
use tenure_linux::{Handle, Server, Settings};

async fn list(handle: &Handle, request: &mut Request<'_, ()>) -> String {
    let mut text = String::new();
    // All workers are asked: awaited, so that this one can answer too.
    for connection in handle.list().await {
        let peer = connection.peer.map_or_else(|| "gone".to_owned(), |peer| peer.to_string());
        let me = if connection.id == request.id() { ", you" } else { "" };
        let state = if connection.busy { "busy".to_owned() } else { format!("idle for {} ms", connection.idle_ms) };
        let _ = writeln!(text, "{} {peer} {state}{me}", connection.id);
    }
    text
}

async fn close(handle: &Handle, request: &mut Request<'_, ()>) -> Result<StatusCode, Error> {
    let id = request.parameter("id").ok_or(Error::not_found("say which"))?;
    let connections = handle.list().await;
    let found = connections.iter().find(|connection| id == *connection.id.to_string());
    let found = found.ok_or(Error::not_found("there is no such connection: see /connections"))?;
    // At once where it is idle, after its response where it is at work. Gone meanwhile: nothing happens.
    handle.close(found.id).map_err(|_| Error::unavailable("too many commands wait: try again later"))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn stop(handle: &Handle, _: &mut Request<'_, ()>) -> &'static str {
    handle.stop(); // this response is still sent
    "bye\n"
}

fn main() -> Result<(), tenure_linux::Error> {
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    let handle = server.handle();
    let app = Router::new()
        .route("/connections", get(with(&handle, list)))
        .route("/connections/{id}", delete(with(&handle, close)))
        .route("/server", delete(with(&handle, stop)));
    println!("listing at http://{}/connections", server.local_addr());
    server.run(&app, &())
}
