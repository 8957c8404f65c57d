//! Handlers that wait for something else than their peer wake their own lane, and cost nothing while they wait.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
    thread,
};

use crate::common::port::Settings;
use crate::common::{Adder, Client, Gate, Running, TURNS_AT_REST, Tally, app, forever, settings, with_threads};
use tenure::{EndReason, Handler, Request, Router, get};

/// What another thread has worked out.
async fn elsewhere(work: impl FnOnce() -> i64 + Send + 'static) -> i64 {
    let shared: Arc<Mutex<(Option<i64>, Option<Waker>)>> = Arc::default();
    let theirs = shared.clone();
    thread::spawn(move || {
        let value = work();
        let mut state = theirs.lock().unwrap();
        state.0 = Some(value);
        state.1.take().inspect(Waker::wake_by_ref);
    });
    poll_fn(|context| {
        let mut state = shared.lock().unwrap();
        state.1 = Some(context.waker().clone());
        state.0.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

/// Pending so many times, waking itself during each poll.
async fn yield_now(times: u32) {
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The adder, and targets that wait.
fn waiting(tally: &'static Tally, gate: &'static Gate) -> impl Handler<Adder> + Send + Sync + 'static {
    let thread = get(async |request: &mut Request<'_, Adder>| {
        let number: i64 = request.parameter("number").map_or(Ok(0), |number| number.parse())?;
        Ok::<_, tenure::Error>(elsewhere(move || number * 2).await)
    });
    let yielding = get(async |_: &mut Request<'_, Adder>| {
        yield_now(1_000).await;
        "yielded"
    });
    let wait = get(async move |request: &mut Request<'_, Adder>| {
        gate.pass().await;
        request.id().to_string()
    });
    Router::new()
        .route("/thread/{number}", thread)
        .route("/yield", yielding)
        .route("/wait", wait)
        .route("/{*rest}", app(tally))
}

fn start(settings: Settings) -> (Running, &'static Tally, &'static Gate) {
    let (tally, gate) = (forever(Tally::default()), forever(Gate::default()));
    (Running::start(settings, waiting(tally, gate), tally), tally, gate)
}

const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: test\r\n\r\n";

#[test]
fn another_thread_wakes_a_handler() {
    let (server, _, _) = start(settings());
    let mut client = server.client();
    for number in 0..200 {
        assert_eq!(client.get(&format!("/thread/{number}")).text(), (number * 2).to_string());
    }
    server.stop();
}

#[test]
fn many_wait_and_are_woken_at_once() {
    for threads in [1, 2] {
        let (server, _, gate) = start(with_threads(threads));
        let mut clients: Vec<_> = (0..100).map(|_| server.client()).collect();
        let ids: Vec<_> = clients.iter_mut().map(|client| client.get("/id").text().to_owned()).collect();
        for client in &mut clients {
            client.send(WAIT);
        }
        gate.wait(100);
        let mut other = server.client();
        // Woken in vain, many times, they wait on; others are served meanwhile.
        for sum in 1..=20 {
            gate.knock();
            assert_eq!(other.add(1), sum);
        }
        gate.open();
        for (client, id) in clients.iter_mut().zip(&ids) {
            assert_eq!(client.answer().text(), id);
        }
        server.stop();
    }
}

#[test]
fn a_wake_during_the_poll_is_not_lost() {
    let (server, _, _) = start(settings());
    let mut clients: Vec<_> = (0..4).map(|_| server.client()).collect();
    for client in &mut clients {
        client.send("GET /yield HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.answer().text(), "yielded");
    }
    server.stop();
}

#[test]
fn a_stale_waker_is_harmless() {
    let (server, tally, gate) = start(settings());
    for count in 1..=10 {
        let mut gone = server.client();
        gone.send(WAIT);
        gate.wait(count);
        gone.reset();
        let counts = tally.wait(|counts| counts.disconnected.len() == count);
        assert_eq!(counts.disconnected[count - 1].1, EndReason::PeerReset);
        gate.knock();
    }
    // Their lanes serve others now, that wait for a body, for a head and between two requests.
    let (mut body, mut head, mut idle) = (server.client(), server.client(), server.client());
    body.send("POST /adder HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n1");
    head.send("GET /adder HT");
    assert_eq!(idle.add(3), 3);
    for sum in 4..20 {
        gate.knock();
        assert_eq!(idle.add(1), sum);
    }
    body.send("2");
    head.send("TP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!((body.sum(), head.answer().text()), (12, "0"));
    server.stop();
    gate.knock();
    gate.open();
}

#[test]
fn a_lane_that_is_woken_while_its_last_poll_is_not_over_serves_the_next() {
    // The handler ends although its waker has just been used: the wake reaches a lane that has moved on.
    let tally = forever(Tally::default());
    let hasty = get(async |request: &mut Request<'_, Adder>| {
        poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::Ready(())
        })
        .await;
        let mut waits = pin!(elsewhere(|| 1));
        // Polled once and given up.
        poll_fn(|context| Poll::Ready(waits.as_mut().poll(context).is_ready())).await;
        request.id().to_string()
    });
    let server = Running::start(settings(), Router::new().route("/hasty", hasty).route("/{*rest}", app(tally)), tally);
    let mut clients: Vec<_> = (0..8).map(|_| server.client()).collect();
    let mut ids: Vec<_> = clients.iter_mut().map(|client| client.get("/id").text().to_owned()).collect();
    for _ in 0..50 {
        for (client, id) in clients.iter_mut().zip(&mut ids) {
            assert_eq!(client.get("/hasty").text(), id);
        }
    }
    server.stop();
}

/// While `provoke`d, and until the handler's deadline half a second later, the worker must sleep.
fn rests(what: &str, provoke: impl FnOnce(&mut Client)) {
    let mut settings = settings();
    settings.deadlines.handler_ms = 500;
    let (server, tally, gate) = start(settings);
    let (mut client, mut other) = (server.client(), server.client());
    let before = other.turns();
    client.send(WAIT);
    gate.wait(1);
    provoke(&mut client);
    assert_eq!(client.answer().status, 503, "{what}");
    let turns = other.turns() - before;
    assert!(turns <= TURNS_AT_REST, "{what}: {turns} turns: it spins");
    drop(client);
    tally.wait(|counts| counts.disconnected.len() == 1);
    server.stop();
}

#[test]
fn a_waiting_handler_costs_nothing() {
    rests("only waiting", |_| {});
    rests("with bytes that nobody reads yet", |client| client.send(WAIT.repeat(2_000)));
    rests("with a peer that has closed its side", |client| client.shut());
    rests("with bytes behind which the peer has closed its side", |client| {
        client.send(WAIT);
        client.shut();
    });
}

#[test]
fn requests_before_a_close_are_answered_though_the_handler_waits() {
    let (server, tally, gate) = start(settings());
    let mut client = server.client();
    client.send(WAIT.repeat(3));
    client.shut();
    gate.wait(1);
    gate.open();
    for _ in 0..3 {
        assert_eq!(client.answer().status, 200);
    }
    client.expect_end();
    let counts = tally.wait(|counts| counts.disconnected.len() == 1);
    assert_eq!(counts.disconnected[0].1, EndReason::PeerClosed);
    server.stop();
}
