//! A worker that asks for events for a while before it sleeps serves, stops and keeps deadlines as any other.

#[path = "../../host/suite/common/mod.rs"]
mod common;

use std::{fs, future::pending, ops::Range};

use common::{Adder, Running, Tally, app, forever, session, settings, with_threads};
use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
use tenure::{EndReason, Handler, Request, Router, get};
use tenure_linux::{Error, Server, Settings};

/// Longer than anything here takes: what happens, happens before any worker sleeps.
const LONG_US: u32 = 1_000_000;

/// The adder, and a target that never answers.
fn waiting(tally: &'static Tally) -> impl Handler<Adder> + Send + Sync + 'static {
    let wait = get(async move |request: &mut Request<'_, Adder>| {
        session(request, tally);
        pending::<()>().await;
    });
    Router::new().route("/wait", wait).route("/{*rest}", app(tally))
}

#[test]
fn off_unless_asked_for() {
    assert_eq!(Settings::default().spin_us, 0);
}

#[test]
fn a_second_is_the_most() {
    let spin = |spin_us| Server::bind(Settings { spin_us, ..settings() });
    assert!(spin(1_000_000).is_ok());
    match spin(1_000_001) {
        Err(Error::Settings(told)) => assert!(told.contains("`spin_us` is above 1,000,000"), "{told}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_serves_listens_to_its_handle_and_stops() {
    let mut settings = Settings { spin_us: LONG_US, ..with_threads(2) };
    // The one that is closed need not close too.
    settings.deadlines.linger_ms = 50;
    let (server, tally) = Running::adder(settings);
    let mut clients: Vec<_> = (0..10).map(|_| server.client()).collect();
    for number in 1..=20 {
        for client in &mut clients {
            assert_eq!(client.add(number), number * (number + 1) / 2);
        }
    }
    let listed = server.handle.list().wait();
    assert_eq!(listed.len(), clients.len());
    server.handle.close(listed[0].id).unwrap();
    tally.wait(|counts| counts.ended == [EndReason::Closed]);
    server.stop();
    assert_eq!(tally.counts().ended.len(), clients.len());
}

#[test]
fn deadlines_are_kept_meanwhile() {
    let tally = forever(Tally::default());
    let mut settings = Settings { spin_us: LONG_US, ..settings() };
    (settings.deadlines.handler_ms, settings.deadlines.idle_ms) = (100, 200);
    let server = Running::start(settings, waiting(tally), tally);
    // Its only request, so that it is idle but once.
    let mut client = server.client();
    assert_eq!(client.get("/wait").status, 503);
    client.expect_end();
    assert_eq!(tally.counts().ended, [EndReason::Idle]);
    server.stop();
}

/// What a worker computes while its only client waits for 0.8 s, with that time without sleep.
fn computed_ms(spin_ms: u32) -> u64 {
    let tally = forever(Tally::default());
    let mut settings = Settings { spin_us: spin_ms * 1_000, ..settings() };
    settings.deadlines.handler_ms = 800;
    let server = Running::start(settings, waiting(tally), tally);
    let mut client = server.client();
    let before_ms = client.server_cpu_ms();
    assert_eq!(client.get("/wait").status, 503);
    let computed_ms = client.server_cpu_ms() - before_ms;
    server.stop();
    computed_ms
}

/// What it computes with 200 ms without sleep: nearly nothing on a machine with one core.
fn wanted_ms() -> Range<u64> {
    let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    if online.trim() == "0" { 0..100 } else { 5..600 }
}

#[test]
fn it_sleeps_where_nothing_comes() {
    for (spin_ms, wanted_ms) in [(0, 0..100), (200, wanted_ms())] {
        let computed_ms = computed_ms(spin_ms);
        assert!(wanted_ms.contains(&computed_ms), "with {spin_ms} ms: {computed_ms} ms");
    }
}

/// A core of its own is what one would give to a server that spins.
#[test]
fn it_spins_on_a_core_of_its_own() {
    // The server's threads inherit it.
    let mut cores = CpuSet::new();
    cores.set(sched_getcpu());
    sched_setaffinity(None, &cores).unwrap();
    let computed_ms = computed_ms(200);
    assert!(wanted_ms().contains(&computed_ms), "{computed_ms} ms");
}
