//! Handlers that sleep: never too short, however stale the worker's time is, and at no cost while they do.

use std::time::{Duration, Instant};

use crate::common::{Adder, Running, TURNS_AT_REST, Tally, app, forever, settings, with_threads};
use tenure::{Error, Frame, Message, Request, Router, Upgrade, get, websocket};

/// How long it was asked for, and how long it took, as microseconds.
async fn nap(request: &mut Request<'_, Adder>) -> Result<String, Error> {
    let busy: u64 = request.query_value("busy").map_or(Ok(0), |busy| busy.parse())?;
    let asked = Duration::from_micros(request.query_value("for").map_or(Ok(0), |asked| asked.parse())?);
    let busy_until = Instant::now() + Duration::from_millis(busy);
    while Instant::now() < busy_until {}
    let before = Instant::now();
    request.sleep(asked).await;
    let slept = before.elapsed();
    assert!(slept >= asked, "{slept:?} instead of {asked:?}");
    Ok("slept".to_owned())
}

/// Also where the handler has kept its worker from the clock, which may be a coarse one.
#[test]
fn never_early() {
    let tally = forever(Tally::default());
    let app = Router::new().route("/nap", get(nap)).route("/{*rest}", app(tally));
    let server = Running::start(with_threads(2), app, tally);
    let mut clients: Vec<_> = (0..8).map(|_| server.client()).collect();
    for round in 0..10 {
        for (number, client) in clients.iter_mut().enumerate() {
            let (asked, busy) = (round * 700 + number * 311, (number % 4) * 3);
            client.send(format!("GET /nap?for={asked}&busy={busy} HTTP/1.1\r\nHost: test\r\n\r\n"));
        }
        for client in &mut clients {
            let answer = client.answer();
            assert_eq!((answer.status, answer.text()), (200, "slept"));
        }
    }
    drop(clients);
    server.stop();
}

/// A worker whose handlers sleep does, too.
#[test]
fn sleepers_cost_no_turns() {
    let tally = forever(Tally::default());
    let app = Router::new().route("/nap", get(nap)).route("/{*rest}", app(tally));
    let server = Running::start(settings(), app, tally);
    let mut sleepers: Vec<_> = (0..100).map(|_| server.client()).collect();
    for client in &mut sleepers {
        client.send("GET /nap?for=20000000 HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    let mut other = server.client();
    let turns = |other: &mut crate::common::Client| other.get("/turns").text().parse::<u64>().unwrap();
    assert_eq!(other.add(1), 1);
    let mut short = server.client();
    let before = turns(&mut other);
    assert_eq!(short.get("/nap?for=100000").text(), "slept");
    let after = turns(&mut other);
    assert!(after - before < TURNS_AT_REST, "{} turns", after - before);
    server.handle.stop_now();
    server.join();
}

#[test]
fn a_message_sleeps() {
    let tally = forever(Tally::default());
    let enter = async |_: &mut Request<'_, Adder>| Ok(Upgrade::websocket());
    let said = async |message: &mut Message<'_, Adder>| {
        let before = Instant::now();
        message.sleep(Duration::from_millis(20)).await;
        assert!(before.elapsed() >= Duration::from_millis(20));
        message.send(Frame::text("slept")).await
    };
    let server = Running::start(settings(), Router::new().route("/socket", websocket(enter, said)), tally);
    let mut client = server.client();
    assert_eq!(client.upgrade("/socket").status, 101);
    client.say("sleep");
    assert_eq!(client.heard(), "slept");
    drop(client);
    server.stop();
}
