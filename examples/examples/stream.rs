//! A response of any length from a buffer of a fixed one: pieces are written as the peer takes them, and nothing piles up.
//!
//! A stream takes as long as its peer wants, so its route says [`waits_long`](tenure::Methods::waits_long): the last free
//! lane stays for short requests. It may take longer than a server that is to stop should wait, so it looks whether its
//! connection [`is_ending`](Request::is_ending).
//!
//! `cargo run --example stream`, then
//! - `curl http://127.0.0.1:8080/numbers/5`: five lines, in chunks;
//! - `curl -sN --limit-rate 100k http://127.0.0.1:8080/numbers/10000000 | tail -n 1`: the server waits for the client
//!   (Ctrl-C ends it: the handler is dropped where it waits; at the server, it says so);
//! - `curl -i http://127.0.0.1:8080/zeros/5`: a length that the head tells.

use std::fmt::Write as _;

use tenure::{Error, Method, Request, Responder, Router, Sent, StatusCode, respond};
use tenure_linux::{Server, Settings};

const PLAIN: [(&str, &str); 1] = [("Content-Type", "text/plain")];

fn count(request: &Request<'_, ()>) -> Result<u64, Error> {
    let count = request.parameter("count").ok_or(Error::not_found("say how many"))?;
    Ok(count.parse()?)
}

/// In chunks, as it is not known how many bytes there will be.
async fn numbers<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
    let count = count(request)?;
    let mut stream = responder.stream(StatusCode::OK, &PLAIN).await?;
    let mut line = String::new();
    for number in 1..=count {
        if request.is_ending() {
            stream.write(b"... the server stops\n").await?;
            break;
        }
        line.clear();
        let _ = writeln!(line, "{number}");
        stream.write(line.as_bytes()).await?; // waits where the peer is slower than we are
    }
    stream.finish().await // without it nothing could be returned here
}

/// With a length: what is finished with fewer bytes resets the connection, so that the peer sees it.
async fn zeros<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
    let mut missing = count(request)?;
    let mut stream = responder.stream_of(StatusCode::OK, &PLAIN, missing).await?;
    while missing > 0 {
        if request.is_ending() {
            return Err(Error::unavailable("the server stops")); // what is announced cannot end well: a reset
        }
        let piece = missing.min(4_096);
        stream.write(&[b'0'; 4_096][..usize::try_from(piece).unwrap_or(4_096)]).await?;
        missing -= piece;
    }
    stream.finish().await
}

fn main() -> Result<(), tenure_linux::Error> {
    let app = Router::new()
        .route("/numbers/{count}", respond(Method::Get, numbers).waits_long())
        .route("/zeros/{count}", respond(Method::Get, zeros).waits_long());
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    println!("counting at http://{}/numbers/5", server.local_addr());
    server.run(&app, &())
}
