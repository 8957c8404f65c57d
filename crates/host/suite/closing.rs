//! A client that is still sending when it is answered reads the whole answer (RFC 9112 section 9.6).

use crate::common::{Running, post, settings};
use tenure::EndReason;

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
