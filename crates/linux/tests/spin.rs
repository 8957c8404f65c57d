//! A worker that asks for events for a while before it sleeps serves, stops and keeps deadlines as any other.

#[path = "../../host/suite/common/mod.rs"]
mod common;

use std::{fs, future::pending};

use common::{Adder, Client, Running, TURNS_AT_REST, Tally, app, forever, session, settings, with_threads};
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
    let sleeps = get(async |_: &mut Request<'_, Adder>| sleeps());
    Router::new().route("/wait", wait).route("/sleeps", sleeps).route("/{*rest}", app(tally))
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

/// How often the calling thread has slept (proc(5)).
fn sleeps() -> u64 {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let sleeps = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    sleeps.unwrap().trim().parse().unwrap()
}

/// What a worker does while its only client waits for 0.8 s.
#[derive(Debug)]
struct Waited {
    turns: u64,
    sleeps: u64,
}

/// The same of one that polls for that time after an event.
fn waited(spin_ms: u32) -> Waited {
    let tally = forever(Tally::default());
    let mut settings = Settings { spin_us: spin_ms * 1_000, ..settings() };
    settings.deadlines.handler_ms = 800;
    let server = Running::start(settings, waiting(tally), tally);
    let mut client = server.client();
    let so_far = |client: &mut Client| {
        let sleeps = client.get("/sleeps").text().parse().expect("a number");
        Waited { turns: client.turns(), sleeps }
    };
    let before = so_far(&mut client);
    assert_eq!(client.get("/wait").status, 503);
    let after = so_far(&mut client);
    server.stop();
    Waited { turns: after.turns - before.turns, sleeps: after.sleeps - before.sleeps }
}

/// It sleeps in the end. Before, with 200 ms to poll, it polls again and again, but not on a machine with one core.
fn expect_spin(waited: &Waited) {
    let has_one_core = fs::read_to_string("/sys/devices/system/cpu/online").unwrap().trim() == "0";
    assert!((waited.turns <= TURNS_AT_REST) == has_one_core && waited.sleeps > 0, "{waited:?}");
}

#[test]
fn it_sleeps_where_nothing_comes() {
    let without = waited(0);
    assert!(without.turns <= TURNS_AT_REST && without.sleeps > 0, "{without:?}");
    expect_spin(&waited(200));
}

/// A core of its own is what one would give to a server that spins.
#[test]
fn it_spins_on_a_core_of_its_own() {
    // The server's threads inherit it.
    let mut cores = CpuSet::new();
    cores.set(sched_getcpu());
    sched_setaffinity(None, &cores).unwrap();
    expect_spin(&waited(200));
}
