//! An application's tests without a socket and without waiting: bytes in, bytes out, and time that a test lets pass.
//!
//! `cargo run --example testing` runs the checks and says so; `cargo test --example testing` runs them as tests. The kit
//! is a feature for tests alone: `tenure = { …, features = ["kit"] }` among the `dev-dependencies`.

use tenure::{EndReason, Error, Request, Router, Session, get, kit::Server};

/// How often a client has knocked on this connection.
struct Knocks(u32);

impl Session for Knocks {
    fn end(self, _: EndReason) {}
}

async fn knock(request: &mut Request<'_, Knocks>) -> Result<u32, Error> {
    let knocks = request.session_or_insert_with(|| Knocks(0));
    knocks.0 += 1;
    if knocks.0 > 3 { Err(Error::conflict("somebody is asleep here")) } else { Ok(knocks.0) }
}

/// What is tested: with the real thing it would be given to a port.
fn server() -> Server<Knocks> {
    Server::new(Router::new().route("/door", get(knock)))
}

const KNOCK: &str = "GET /door HTTP/1.1\r\nHost: a\r\n\r\n";

/// Each connection counts for itself.
#[cfg_attr(test, test)]
fn sessions_are_apart() {
    let mut server = server();
    let (one, other) = (server.connect(), server.connect());
    one.send(KNOCK.repeat(2)); // pipelined
    other.send(KNOCK);
    server.run();
    assert!(one.received_text().ends_with("\r\n\r\n2"));
    assert!(other.received_text().ends_with("\r\n\r\n1"));
}

/// An error leaves the connection and its session.
#[cfg_attr(test, test)]
fn the_fourth_knock_is_too_much() {
    let mut server = server();
    let client = server.connect();
    client.send(KNOCK.repeat(4));
    server.run();
    assert!(client.received_text().contains("HTTP/1.1 409 Conflict\r\n"));
    assert!(!client.is_closed());
}

/// An hour passes at once; so does every byte by itself.
#[cfg_attr(test, test)]
fn who_is_silent_is_sent_away() {
    let mut server = server();
    let client = server.connect();
    for byte in KNOCK.bytes() {
        client.send([byte]);
        server.run();
    }
    assert!(client.received_text().starts_with("HTTP/1.1 200 OK\r\n"));
    server.advance(3_600_000 - 1);
    assert!(server.ended().is_empty());
    server.advance(1);
    let id = client.id().expect("it was accepted");
    assert_eq!(server.ended(), [(id, EndReason::Idle)]);
}

fn main() {
    sessions_are_apart();
    the_fourth_knock_is_too_much();
    who_is_silent_is_sent_away();
    println!("all is as it should be");
}
