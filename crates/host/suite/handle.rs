//! Connections listed, closed and pinned from elsewhere.

use std::{
    io::{ErrorKind, Read},
    sync::OnceLock,
};

use crate::common::port::{Handle, Server, Settings};
use crate::common::{Adder, Client, Gate, Running, Tally, app, forever, settings, with_threads};
use tenure::{Command, CommandError, ConnectionId, EndReason, Eviction, Handler, Request, Router, get};

/// The adder, a target that waits, and one that lists.
fn listing(
    tally: &'static Tally,
    gate: &'static Gate,
    handle: &'static OnceLock<Handle>,
) -> impl Handler<Adder> + Send + Sync + 'static {
    let wait = get(async move |_: &mut Request<'_, Adder>| {
        gate.pass().await;
        "waited"
    });
    let list = get(async move |request: &mut Request<'_, Adder>| {
        let listed = handle.get().expect("it runs").list().await;
        let own = listed.iter().find(|listed| listed.id == request.id()).expect("this one is there");
        assert!(own.busy);
        assert_eq!(own.peer, request.peer());
        listed.len() as u64
    });
    Router::new().route("/wait", wait).route("/list", list).route("/{*rest}", app(tally))
}

fn start(settings: Settings) -> (Running, &'static Tally, &'static Gate) {
    let (tally, gate) = (forever(Tally::default()), forever(Gate::default()));
    let handle = forever(OnceLock::new());
    let server = Server::bind(settings).unwrap();
    handle.set(server.handle()).expect("the first");
    (Running::of(server, listing(tally, gate, handle), tally), tally, gate)
}

/// The id of a client's connection.
fn id(server: &Running, client: &mut Client) -> ConnectionId {
    let text = client.get("/id").text().to_owned();
    let listed = server.handle.list().wait();
    listed.iter().map(|listed| listed.id).find(|id| id.to_string() == text).expect("it is listed")
}

#[test]
fn lists_from_elsewhere_and_within_a_handler() {
    for threads in [1, 2] {
        let (server, _, gate) = start(with_threads(threads));
        assert_eq!(server.handle.list().wait(), []);
        let mut clients: Vec<_> = (0..20).map(|_| server.client()).collect();
        for client in &mut clients {
            client.add(1);
        }
        clients[0].send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
        gate.wait(1);
        let listed = server.handle.list().wait();
        assert_eq!(listed.len(), 20);
        assert_eq!(listed.iter().filter(|listed| listed.busy).count(), 1);
        for client in &clients {
            let address = client.stream.local_addr().unwrap();
            assert_eq!(listed.iter().filter(|listed| listed.peer == Some(address.into())).count(), 1);
        }
        for _ in 0..20 {
            for client in &mut clients[1..] {
                assert_eq!(client.get("/list").text(), "20");
            }
        }
        gate.open();
        assert_eq!(clients[0].answer().text(), "waited");
        server.stop();
    }
}

#[test]
fn closes_an_idle_connection() {
    let (server, tally, _) = start(with_threads(2));
    let (mut client, mut other) = (server.client(), server.client());
    client.add(1);
    other.add(2);
    let id = id(&server, &mut client);
    server.handle.close(id).unwrap();
    client.expect_end();
    let counts = tally.wait(|counts| counts.disconnected.len() == 1);
    assert_eq!(counts.disconnected, [(id, EndReason::Closed)]);
    assert_eq!(counts.ended, [EndReason::Closed]);
    assert_eq!(other.add(1), 3);
    drop(client);
    server.stop();
}

#[test]
fn closes_a_busy_connection_behind_its_response() {
    let (server, tally, gate) = start(settings());
    let mut client = server.client();
    client.add(1);
    let id = id(&server, &mut client);
    client.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
    gate.wait(1);
    server.handle.close(id).unwrap();
    // The list is made behind the close: it has been acted on.
    assert_eq!(server.handle.list().wait().len(), 1);
    gate.open();
    let answer = client.answer();
    assert_eq!((answer.text(), answer.closes()), ("waited", true));
    client.expect_end();
    assert_eq!(tally.wait(|counts| counts.disconnected.len() == 1).disconnected, [(id, EndReason::Closed)]);
    drop(client);
    server.stop();
}

/// A worker that answers a request takes no commands meanwhile.
#[test]
fn commands_that_a_worker_has_no_room_for_are_given_back() {
    let handle: &'static OnceLock<Handle> = forever(OnceLock::new());
    let flood = get(async |request: &mut Request<'_, Adder>| {
        let (handle, id) = (handle.get().expect("it runs"), request.id());
        for round in 0..2 {
            for number in 0..64 {
                assert_eq!(handle.pin(id, true), Ok(()), "{round} {number}");
            }
            let refused = handle.close_now(id).unwrap_err();
            assert_eq!(refused, CommandError::Full(Command::CloseNow(id)));
            // A list gets through. Once it is here those before it are obeyed, and there is room again.
            let listed = handle.list().await;
            assert_eq!(listed.iter().map(|listed| listed.pinned).collect::<Vec<_>>(), [true]);
        }
        for _ in 0..64 {
            handle.pin(id, false).unwrap();
        }
        // So does a stop.
        handle.stop();
        "flooded"
    });
    let tally = forever(Tally::default());
    let server = Server::bind(Settings { connections_max: 2, ..settings() }).unwrap();
    handle.set(server.handle()).expect("the first");
    let server = Running::of(server, Router::new().route("/flood", flood), tally);
    let mut client = server.client();
    assert_eq!(client.get("/flood").text(), "flooded");
    client.expect_end();
    drop(client);
    server.stop();
}

#[test]
fn closes_a_connection_now() {
    let (server, tally, gate) = start(settings());
    let (mut idle, mut busy, mut other) = (server.client(), server.client(), server.client());
    idle.add(1);
    other.add(1);
    busy.add(1);
    let ids = [id(&server, &mut idle), id(&server, &mut busy)];
    busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
    gate.wait(1);
    for id in ids {
        server.handle.close_now(id).unwrap();
    }
    idle.expect_end();
    assert_eq!(busy.stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let counts = tally.wait(|counts| counts.disconnected.len() == 2);
    assert_eq!(counts.disconnected, ids.map(|id| (id, EndReason::Closed)));
    assert_eq!(counts.ended, [EndReason::Closed; 2]);
    assert_eq!(other.add(1), 2);
    server.handle.close_now(ids[0]).unwrap();
    assert_eq!(other.add(1), 3);
    server.stop();
}

#[test]
fn a_late_command_does_not_hit_the_next_connection() {
    let (server, tally, _) = start(settings());
    let mut first = server.client();
    let stale = id(&server, &mut first);
    drop(first);
    tally.wait(|counts| counts.disconnected.len() == 1);
    let mut next = server.client();
    assert_eq!(next.add(1), 1);
    let current = id(&server, &mut next);
    assert_eq!((stale.worker(), stale.index()), (current.worker(), current.index()), "the same place");
    server.handle.close(stale).unwrap();
    server.handle.pin(stale, true).unwrap();
    server.handle.close(ConnectionId::new(200, 0, 0)).unwrap();
    assert!(!server.handle.list().wait()[0].pinned);
    assert_eq!(next.add(1), 2);
    server.stop();
}

#[test]
fn a_connection_pinned_from_elsewhere_does_not_give_way() {
    let (server, _, _) = start(Settings { connections_max: 2, eviction: Eviction::LeastRecentlyUsed, ..settings() });
    let mut pinned = server.client();
    pinned.add(1);
    let id = id(&server, &mut pinned);
    server.handle.pin(id, true).unwrap();
    assert!(server.handle.list().wait()[0].pinned);
    for number in 0..5 {
        assert_eq!(server.client().add(number), number);
    }
    assert_eq!(pinned.add(1), 2);
    server.handle.pin(id, false).unwrap();
    let others: Vec<_> = (0..2)
        .map(|number| {
            let mut client = server.client();
            assert_eq!(client.add(number), number);
            client
        })
        .collect();
    pinned.expect_gone();
    drop(others);
    server.stop();
}

#[test]
fn as_many_waiting_handlers_as_may_wait_leave_a_lane_for_an_honest_client() {
    let (tally, gate) = (forever(Tally::default()), forever(Gate::default()));
    let wait = get(async |_: &mut Request<'_, Adder>| {
        gate.pass().await;
        "waited"
    });
    let app = Router::new().route("/wait", wait.waits_long()).route("/{*rest}", app(tally));
    let server = Running::start(Settings { lanes_max: Some(4), ..settings() }, app, tally);
    let mut waiting: Vec<_> = (0..4).map(|_| server.client()).collect();
    for client in &mut waiting {
        client.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    gate.wait(3);
    let mut honest = server.client();
    for sum in 1..=100 {
        assert_eq!(honest.add(1), sum);
    }
    gate.open();
    let mut statuses: Vec<_> = waiting.iter_mut().map(|client| client.answer().status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 503], "the fourth was told to come later");
    server.stop();
}
