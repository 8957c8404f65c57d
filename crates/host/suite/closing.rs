//! A client that is still sending when it is answered reads the whole answer (RFC 9112 section 9.6), and a handler learns of its
//! client's close.

use crate::common::{Adder, Gate, Running, Tally, app, forever, post, settings};
use tenure::{EndReason, Request, Router, get};

#[test]
fn a_large_body_that_is_refused_does_not_cost_the_answer() {
    let (server, tally) = Running::adder(settings());
    let request = post("/small", &"x".repeat(1 << 20));
    for _ in 0..100 {
        let mut client = server.client();
        client.send(&request);
        let answer = client.answer();
        assert_eq!(answer.status, 413);
        assert!(answer.closes(), "{answer:?}");
        assert!(answer.text().contains("(at most 16 bytes)"), "{answer:?}");
        client.expect_end();
    }
    server.stop();
    let counts = tally.counts();
    assert!(counts.disconnected.iter().all(|(_, reason)| *reason == EndReason::Unread), "{counts:?}");
}

#[test]
fn a_small_body_that_is_refused_costs_nothing() {
    let (server, tally) = Running::adder(settings());
    let mut client = server.client();
    assert_eq!(client.add(5), 5);
    client.send(post("/small", &"x".repeat(10_000)));
    let answer = client.answer();
    assert_eq!(answer.status, 413);
    assert!(!answer.closes(), "{answer:?}");
    assert_eq!(client.add(6), 11, "the session has stayed");
    assert_eq!(tally.counts().ended, []);
    server.stop();
}

#[test]
fn an_answer_that_is_refused_by_the_protocol_is_read_whole() {
    let (server, _) = Running::adder(settings());
    for _ in 0..20 {
        let mut client = server.client();
        client.send(b"GET /adder HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
        client.send(vec![b'x'; 1 << 20]);
        let answer = client.answer();
        assert_eq!(answer.status, 400);
        assert!(answer.closes());
        client.expect_end();
    }
    server.stop();
}

/// Who is refused and does not close keeps nobody out.
#[test]
fn who_lingers_gives_way_to_newcomers() {
    let mut settings = settings();
    settings.connections_max = 2;
    settings.deadlines.linger_ms = tenure::NEVER;
    let (server, _) = Running::adder(settings);
    let mut refused = Vec::new();
    for _ in 0..6 {
        let mut client = server.client();
        client.send("no request\r\n\r\n");
        assert_eq!(client.answer().status, 400);
        refused.push(client);
    }
    assert_eq!(server.client().add(5), 5);
    drop(refused);
    server.stop();
}

#[test]
fn what_the_peer_asked_for_is_done() {
    let (server, tally) = Running::adder(settings());
    let mut client = server.client();
    client.send("GET /adder HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert!(client.answer().closes());
    client.expect_end();
    drop(client);
    let counts = tally.wait(|counts| counts.disconnected.len() == 1);
    assert_eq!(counts.disconnected[0].1, EndReason::PeerAsked);
    server.stop();
}

#[test]
fn a_client_that_does_not_close_behind_the_last_answer_is_let_go() {
    let mut settings = settings();
    settings.deadlines.linger_ms = 200;
    let (server, tally) = Running::adder(settings);
    let mut client = server.client();
    client.send("GET /adder HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    client.answer();
    client.expect_end();
    tally.wait(|counts| counts.disconnected.len() == 1);
    // It waits for our close, which does not come: the server ends none the less.
    server.stop();
    drop(client);
}

/// Whether what stands behind the request came with it or has not been received yet: the close is noticed, and cancels nothing.
#[test]
fn a_handler_learns_of_its_peers_close() {
    let (tally, gate) = (forever(Tally::default()), forever(Gate::default()));
    let closed = get(async move |request: &mut Request<'_, Adder>| {
        gate.pass().await;
        request.peer_closed().await;
        "closed"
    });
    let app = Router::new().route("/closed", closed).route("/{*rest}", app(tally));
    let server = Running::start(settings(), app, tally);
    gate.open();
    let request = "GET /closed HTTP/1.1\r\nHost: test\r\n\r\n";
    let behind = "GET /adder HTTP/1.1\r\nHost: test\r\n\r\n";
    for (number, (with, later)) in [("", ""), (behind, ""), ("", behind)].into_iter().enumerate() {
        let mut client = server.client();
        client.send(request.to_owned() + with);
        gate.wait(number + 1);
        // Behind the handler's turn.
        assert_eq!(server.handle.list().wait().len(), 1);
        client.send(later);
        client.shut();
        assert_eq!(client.answer().text(), "closed");
        if number > 0 {
            assert_eq!(client.answer().text(), "0");
        }
        client.expect_end();
        let counts = tally.wait(|counts| counts.disconnected.len() == number + 1);
        assert_eq!(counts.disconnected[number].1, EndReason::PeerClosed);
    }
    server.stop();
}
