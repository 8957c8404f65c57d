//! A panic stays in its connection.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{Adder, Gate, Running, Tally, app, forever, session, settings};
use tenure::{Admission, ConnectionId, EndReason, Observer, PeerAddress, Request, Router, Session, get};

#[test]
fn a_panic_in_a_handler_is_answered_and_the_session_stays() {
    let tally = forever(Tally::default());
    let panics = get(async |request: &mut Request<'_, Adder>| -> &'static str {
        session(request, tally).sum += 100;
        panic!("as it should");
    });
    let server = Running::start(settings(), Router::new().route("/panic", panics).route("/{*rest}", app(tally)), tally);
    let (mut client, mut other) = (server.client(), server.client());
    assert_eq!((client.add(1), other.add(2)), (1, 2));
    for round in 1..=5 {
        let answer = client.get("/panic");
        assert_eq!((answer.status, answer.closes()), (500, false), "{answer:?}");
        assert!(!answer.text().contains("should"), "what failed is not the client's business");
        assert_eq!(client.add(1), 101 * round + 1);
        assert_eq!(other.add(1), 2 + round);
    }
    // Pipelined: those behind it are answered too.
    client.send("GET /panic HTTP/1.1\r\nHost: test\r\n\r\nGET /adder HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.answer().status, 500);
    assert_eq!(client.answer().text(), "606");
    server.stop();
    assert_eq!(tally.counts().ended, [EndReason::Shutdown; 2]);
}

#[test]
fn a_panic_while_a_handler_is_dropped_stays_in_its_connection() {
    struct Trap(bool);
    impl Drop for Trap {
        fn drop(&mut self) {
            assert!(!self.0, "as it should");
        }
    }
    let (tally, gate) = (forever(Tally::default()), forever(Gate::default()));
    let trap = get(async |request: &mut Request<'_, Adder>| {
        session(request, tally);
        let mut trap = Trap(true);
        gate.pass().await;
        trap.0 = false;
        "never"
    });
    let server = Running::start(settings(), Router::new().route("/trap", trap).route("/{*rest}", app(tally)), tally);
    let mut other = server.client();
    other.add(1);
    for (count, sum) in (1..=3).zip(2..) {
        let mut client = server.client();
        client.send("GET /trap HTTP/1.1\r\nHost: test\r\n\r\n");
        gate.wait(count);
        client.reset();
        assert_eq!(tally.wait(|counts| counts.ended.len() == count).ended, vec![EndReason::PeerReset; count]);
        assert_eq!(other.add(1), sum);
    }
    server.stop();
}

#[test]
fn a_panic_at_a_sessions_end_stays_in_its_connection() {
    struct Brittle(&'static Tally);
    impl Session for Brittle {
        fn end(self, reason: EndReason) {
            self.0.ended(reason);
            panic!("as it should");
        }
    }
    let tally = forever(Tally::default());
    let hold = get(async |request: &mut Request<'_, Brittle>| {
        request.session_or_insert_with(|| Brittle(tally));
        "held"
    });
    let leave = get(async |request: &mut Request<'_, Brittle>| request.end_session().to_string());
    let server = Running::start(settings(), Router::new().route("/hold", hold).route("/leave", leave), tally);
    let mut other = server.client();
    assert_eq!(other.get("/hold").text(), "held");
    for count in 1..=3 {
        let mut client = server.client();
        assert_eq!(client.get("/hold").text(), "held");
        drop(client);
        tally.wait(|counts| counts.ended.len() == count && counts.disconnected.len() == count);
        assert_eq!(other.get("/hold").text(), "held");
    }
    // Within a handler it is that handler's panic.
    assert_eq!(other.get("/leave").status, 500);
    assert_eq!(other.get("/leave").text(), "false", "it has ended, once");
    server.stop();
    assert_eq!(tally.counts().ended.len(), 4);
}

/// Who an observer panics over is refused, or ends all the same; others go on.
#[test]
fn a_panic_of_an_observer_stays_in_its_connection() {
    struct Panics(&'static Tally, &'static AtomicBool);
    impl Observer for Panics {
        fn connected(&self, id: ConnectionId, peer: Option<PeerAddress>) -> Admission {
            assert!(!self.1.load(Ordering::Relaxed), "as it should");
            self.0.connected(id, peer)
        }
        fn disconnected(&self, id: ConnectionId, reason: EndReason, session: bool) {
            self.0.disconnected(id, reason, session);
            panic!("as it should");
        }
    }
    let (tally, refuses) = (forever(Tally::default()), forever(AtomicBool::new(false)));
    let server = Running::start(settings(), app(tally), Panics(tally, refuses));
    let mut other = server.client();
    for (count, sum) in [(1, 1), (2, 2), (3, 3)] {
        let mut client = server.client();
        assert_eq!(client.add(1), 1);
        drop(client);
        let counts = tally.wait(|counts| counts.disconnected.len() == count);
        assert_eq!(counts.ended, vec![EndReason::PeerClosed; count]);
        refuses.store(true, Ordering::Relaxed);
        server.client().expect_gone();
        refuses.store(false, Ordering::Relaxed);
        assert_eq!(other.add(1), sum);
    }
    server.stop();
    assert_eq!(tally.counts().ended.len(), 4);
}
