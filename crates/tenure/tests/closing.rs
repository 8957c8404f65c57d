//! How a connection is closed: the peer reads the whole answer, also while it is still sending (RFC 9112 section 9.6).

mod common;

use common::{Tally, app, ask, assert_serves, end_of, get_of, open_gate, server, settings, status_of};
use tenure::{
    EndReason, Error, Limits, Method, Request, Responder, Router, Sent, StatusCode,
    kit::{Client, Server, Settings},
    respond,
};

const MIB: usize = 1 << 20;

/// A megabyte to a target that does not take it: the client, which reads only after it has sent, has the whole answer.
#[test]
fn a_mebibyte_that_is_too_large() {
    let mut server = server();
    for _ in 0..10 {
        let client = server.connect();
        client.set_segment(1_460);
        client.send(format!("POST /sum HTTP/1.1\r\nHost: a\r\nContent-Length: {MIB}\r\n\r\n"));
        for _ in 0..MIB / 65_536 {
            client.send(vec![b'1'; 65_536]);
            server.run();
        }
        assert!(!client.is_reset());
        let answer = client.received_text();
        assert_eq!(status_of(&answer), "413");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert!(client.is_closed(), "its sending side");
        client.close();
        server.run();
        assert!(!client.is_reset());
        assert_eq!(end_of(&server, &client), Some(EndReason::Unread));
    }
}

/// A client that takes its answer slowly while it sends, too.
#[test]
fn the_answer_is_taken_slowly() {
    let mut server = server();
    let client = server.connect();
    client.set_window(7);
    client.send("GET / HTTP/1.1\r\n\r\n");
    let mut answer = Vec::new();
    for _ in 0..60 {
        client.send([b'x'; 1_000]);
        server.advance(10);
        answer.extend(client.received());
    }
    let answer = String::from_utf8(answer).unwrap();
    assert_eq!(status_of(&answer), "400");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{answer}");
    client.close();
    server.run();
    assert!(client.is_closed() && !client.is_reset());
}

fn lingering(linger_bytes_max: u32) -> (Server<Tally>, Client) {
    let limits = Limits { linger_bytes_max, ..Limits::HOST };
    let mut server = Server::with(app(), Settings { limits, ..settings() });
    let client = server.connect();
    let answer = ask(&mut server, &client, get_of("/close"));
    assert!(answer.ends_with("closing"));
    (server, client)
}

#[test]
fn linger_bytes() {
    for (bytes, is_reset) in [(9_999, false), (10_000, false), (10_001, true)] {
        let (mut server, client) = lingering(10_000);
        client.send(vec![b'x'; bytes]);
        server.run();
        assert_eq!(client.is_reset(), is_reset, "{bytes} bytes");
        client.close();
        server.run();
        assert_eq!(client.is_reset(), is_reset, "{bytes} bytes");
        assert_eq!(end_of(&server, &client), Some(EndReason::Handler), "the bound is not the session's reason");
        assert_serves(&mut server);
    }
}

/// The bound counts anew for the next connection in the slot.
#[test]
fn linger_bytes_are_not_inherited() {
    let (mut server, client) = lingering(10_000);
    client.send([b'x'; 9_000]);
    client.close();
    server.run();
    let client = server.connect();
    ask(&mut server, &client, get_of("/close"));
    client.send([b'x'; 9_000]);
    server.run();
    assert!(!client.is_reset());
}

/// Bytes do not prolong the time.
#[test]
fn linger_time_is_total() {
    let (mut server, client) = lingering(1 << 20);
    for _ in 0..6 {
        server.advance(100);
        client.send([b'x'; 10]);
        assert!(!client.is_reset());
    }
    server.advance(99);
    assert!(!client.is_reset());
    server.advance(51);
    assert!(client.is_reset());
}

#[test]
fn a_peer_that_has_closed_is_not_waited_for() {
    let mut server = server();
    let client = server.connect();
    client.send("GET / HTTP/1.1\r\n\r\n");
    client.close();
    server.run();
    assert_eq!(status_of(&client.received_text()), "400");
    assert!(client.is_closed() && !client.is_reset());
}

#[test]
fn a_reset_while_closing() {
    let (mut server, client) = lingering(10_000);
    client.reset();
    server.run();
    assert_eq!(server.ended().len(), 1);
    assert_serves(&mut server);
}

/// The session has ended when the last response is sent, not when the peer closes.
#[test]
fn the_session_ends_before_the_linger() {
    let mut server = server();
    let client = common::with_session(&mut server);
    ask(&mut server, &client, get_of("/close"));
    assert_eq!(common::session_end(), (1, EndReason::Handler));
}

async fn too_few<'r>(_: &mut Request<'r, Tally>, responder: Responder<'r>) -> Result<Sent, Error> {
    let mut stream = responder.stream_of(StatusCode::OK, &[], 10).await?;
    stream.write(b"nine byte").await?;
    stream.finish().await
}

async fn enough<'r>(_: &mut Request<'r, Tally>, responder: Responder<'r>) -> Result<Sent, Error> {
    let mut stream = responder.stream_of(StatusCode::OK, &[], 10).await?;
    stream.write(b"ten bytes.").await?;
    stream.finish().await
}

async fn too_many<'r>(_: &mut Request<'r, Tally>, responder: Responder<'r>) -> Result<Sent, Error> {
    let mut stream = responder.stream_of(StatusCode::OK, &[], 10).await?;
    stream.write(b"ten byt").await?;
    stream.write(b"ets and one").await?;
    stream.finish().await
}

async fn fails_midway<'r>(_: &mut Request<'r, Tally>, responder: Responder<'r>) -> Result<Sent, Error> {
    let mut stream = responder.stream(StatusCode::OK, &[]).await?;
    stream.write(b"some").await?;
    stream.flush().await;
    Err(Error::bad_request("on second thoughts"))
}

async fn gives_up<'r>(_: &mut Request<'r, Tally>, responder: Responder<'r>) -> Result<Sent, Error> {
    let _stream = responder.stream(StatusCode::OK, &[]).await?;
    Err(Error::unavailable("never mind"))
}

/// A response that breaks off is reset: neither padded nor ended as if it were whole, and nothing follows it.
#[test]
fn a_response_that_breaks_off() {
    let app = || {
        Router::new()
            .route("/too-few", respond(Method::Get, too_few))
            .route("/enough", respond(Method::Get, enough))
            .route("/too-many", respond(Method::Get, too_many))
            .route("/fails", respond(Method::Get, fails_midway))
            .route("/gives-up", respond(Method::Get, gives_up))
    };
    for (target, body, breaks) in [
        ("/enough", Some("ten bytes."), false),
        ("/too-few", Some("nine byte"), true),
        ("/too-many", Some("ten byt"), true),
        ("/fails", Some("4\r\nsome\r\n"), true),
        ("/gives-up", None, true),
    ] {
        let mut server = Server::with(app(), settings());
        let client = server.connect();
        client.send(get_of(target) + &get_of("/enough"));
        server.run();
        let answer = client.received_text();
        if let Some(body) = body {
            let rest = answer.split_once("\r\n\r\n").map_or("", |(_, rest)| rest);
            assert!(
                if breaks { rest == body || rest.is_empty() } else { rest.starts_with(body) },
                "{target}: {answer}"
            );
        }
        assert!(!answer.contains("\r\n0\r\n"), "{target}: {answer}");
        assert_eq!(client.is_reset(), breaks, "{target}");
        assert_eq!(end_of(&server, &client), breaks.then_some(EndReason::Aborted), "{target}");
        assert_eq!(common::statuses(&server).len(), if breaks { 0 } else { 2 }, "{target}");
    }
}

/// The last of several responses is sent whole before the connection closes.
#[test]
fn responses_before_the_last() {
    let mut server = Server::with(app(), Settings { output_bytes: 256, ..settings() });
    let client = server.connect();
    client.set_window(64);
    client.send(get_of("/bytes/2000") + &get_of("/close") + &get_of("/bytes/9"));
    open_gate();
    let mut answers = String::new();
    loop {
        server.run();
        let text = client.received_text();
        if text.is_empty() {
            break;
        }
        answers += &text;
    }
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2);
    assert!(answers.ends_with("closing"));
    assert!(client.is_closed() && !client.is_reset());
}

/// Without a time to linger the connection is closed behind its last response, not reset.
#[test]
fn without_lingering_it_is_a_plain_close() {
    for linger_ms in [0, 1] {
        let deadlines = tenure::Deadlines { linger_ms, ..settings().deadlines };
        let mut server = Server::with(app(), Settings { deadlines, ..settings() });
        let client = server.connect();
        client.send("GET /sum HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        server.run();
        assert_eq!(status_of(&client.received_text()), "200");
        assert!(client.is_closed() && !client.is_reset(), "{linger_ms}");
        server.advance(100);
        // One that has had its time is reset.
        assert_eq!(client.is_reset(), linger_ms > 0);
    }
}
