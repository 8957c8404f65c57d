//! What becomes of a message that is sent to one connection, as whoever sends it is told.

use std::{
    future::Future,
    pin::pin,
    sync::{Barrier, OnceLock},
    task::{Context, Poll, Waker},
    thread,
};

use tenure::{
    ConnectionId, Error, Event, EventTopic, Events, Frame, Handler, Message, PushError, Request, Router, Upgrade,
    events, get, websocket,
};

use crate::common::port::{DeliveryError, Handle, Server, Settings};
use crate::common::{Adder, Client, Running, Tally, forever, settings, with_threads};

const TICKS: EventTopic = EventTopic::new(1);

/// A WebSocket that says which connection it is and what it has missed, events, and a handler that delivers.
fn app(handle: &'static OnceLock<Handle>, barriers: &'static [Barrier; 2]) -> impl Handler<Adder> + Send + Sync {
    let enter = async |_: &mut Request<'_, Adder>| Ok(Upgrade::websocket());
    let said = async |message: &mut Message<'_, Adder>| {
        let answer = match message.text()? {
            "id" => message.id().to_string(),
            _ => message.missed().to_string(),
        };
        message.send(Frame::text(&answer)).await
    };
    let deliver = async |request: &mut Request<'_, Adder>| {
        let id: ConnectionId = request.query().unwrap_or_default().parse().map_err(|_| Error::bad_request("no id"))?;
        let delivered = handle.get().expect("it runs").deliver(id, Frame::text("from a handler")).await;
        Ok::<_, Error>(format!("{delivered:?}"))
    };
    let block = get(async move |_: &mut Request<'_, Adder>| {
        for barrier in barriers {
            barrier.wait();
        }
        "blocked"
    });
    Router::new()
        .route("/chat", websocket(enter, said))
        .route(
            "/ticks",
            events(async |_: &mut Request<'_, Adder>| Events::new().topic(TICKS).first(Event::data("first"))),
        )
        .route("/deliver", get(deliver))
        .route("/block", block)
        .route("/id", get(async |request: &mut Request<'_, Adder>| request.id().to_string()))
}

fn start(settings: Settings) -> (Running, &'static [Barrier; 2]) {
    let (handle, barriers) = (forever(OnceLock::new()), forever([Barrier::new(2), Barrier::new(2)]));
    let server = Server::bind(settings).unwrap();
    handle.set(server.handle()).expect("the first");
    (Running::of(server, app(handle, barriers), forever(Tally::default())), barriers)
}

/// A client that has opened a WebSocket, and its connection.
fn chat(server: &Running) -> (Client, ConnectionId) {
    let mut client = server.client();
    assert_eq!(client.upgrade("/chat").status, 101);
    client.say("id");
    let id = client.heard().parse().expect("an id");
    (client, id)
}

/// Told to threads, to handlers of the same worker and to those of others; in order with what is sent otherwise.
#[test]
fn it_is_on_its_way() {
    for threads in [1, 2] {
        let (server, _) = start(with_threads(threads));
        let (mut client, id) = chat(&server);
        let mut others: Vec<_> = (0..4).map(|_| server.client()).collect();
        for round in 0..10 {
            server.handle.send(id, Frame::text("before")).unwrap();
            let delivery = server.handle.deliver(id, Frame::text(&round.to_string()));
            server.handle.send(id, Frame::text("behind")).unwrap();
            assert_eq!(delivery.wait(), Ok(()));
            assert_eq!([client.heard(), client.heard(), client.heard()], ["before", &round.to_string(), "behind"]);
        }
        for other in &mut others {
            assert_eq!(other.get(&format!("/deliver?{id}")).text(), "Ok(())");
            assert_eq!(client.heard(), "from a handler");
        }
        drop((client, others));
        server.stop();
    }
}

/// Whoever does not wait for what is told has sent all the same, and what was told is told again.
#[test]
fn dropped_or_asked_again() {
    let (server, _) = start(settings());
    let (mut client, id) = chat(&server);
    drop(server.handle.deliver(id, Frame::text("dropped")));
    assert_eq!(client.heard(), "dropped");
    let mut delivery = server.handle.deliver(id, Frame::text("polled"));
    let mut poll = || pin!(&mut delivery).poll(&mut Context::from_waker(Waker::noop()));
    let told = loop {
        match poll() {
            Poll::Ready(told) => break told,
            Poll::Pending => thread::yield_now(),
        }
    };
    assert_eq!((told, poll()), (Ok(()), Poll::Ready(Ok(()))));
    assert_eq!(client.heard(), "polled");
    drop(client);
    server.stop();
}

/// Beside one that is open: none, one that was, one that speaks HTTP, and a stream of events.
#[test]
fn there_is_no_such_websocket() {
    let (server, _) = start(with_threads(2));
    let (mut client, open) = chat(&server);
    let deliver = |id| server.handle.deliver(id, Frame::text("x")).wait();
    let (gone, was) = chat(&server);
    server.handle.close_now(was).unwrap();
    drop(gone);
    let (mut plain, mut page) = (server.client(), server.client());
    let of_plain = plain.get("/id").text().parse().unwrap();
    assert_eq!(page.get("/ticks").status, 200);
    let listed = server.handle.list().wait();
    let of_page = listed.iter().map(|listed| listed.id).find(|id| *id != open && *id != of_plain).expect("it is there");
    for id in [was, of_plain, of_page, ConnectionId::new(0, 1_000, 0), ConnectionId::new(200, 0, 0)] {
        assert_eq!(deliver(id), Err(DeliveryError::Gone), "{id}");
    }
    assert_eq!(deliver(open), Ok(()));
    assert_eq!(client.heard(), "x");
    drop((client, plain, page));
    server.stop();
}

/// What is told to be left out is, and all else comes.
#[test]
fn the_peer_is_behind() {
    let (server, _) = start(settings());
    let (mut client, id) = chat(&server);
    let mut sent = 0;
    let text = |number: u32| format!("{number} {}", "x".repeat(20_000));
    let told = loop {
        match server.handle.deliver(id, Frame::text(&text(sent))).wait() {
            Ok(()) => sent += 1,
            told => break told,
        }
    };
    assert_eq!(told, Err(DeliveryError::Behind));
    for number in 0..sent {
        assert_eq!(client.heard(), text(number));
    }
    client.say("missed?");
    assert_eq!(client.heard(), "1");
    assert_eq!(server.handle.deliver(id, Frame::text("again")).wait(), Ok(()));
    assert_eq!(client.heard(), "again");
    drop(client);
    server.stop();
}

/// A worker that does not get to its orders takes as many as it may have connections, 64 at the least, and answers each later.
#[test]
fn too_many_at_once() {
    let (server, barriers) = start(Settings { connections_max: 10, ..settings() });
    let ((mut client, id), mut blocker) = (chat(&server), server.client());
    blocker.send("GET /block HTTP/1.1\r\nHost: test\r\n\r\n");
    barriers[0].wait();
    let deliver = |number: u32| server.handle.deliver(id, Frame::text(&number.to_string()));
    let deliveries: Vec<_> = (0..64).map(deliver).collect();
    assert_eq!(deliver(64).wait(), Err(DeliveryError::Push(PushError::Full)));
    barriers[1].wait();
    for (number, delivery) in deliveries.into_iter().enumerate() {
        assert_eq!(delivery.wait(), Ok(()));
        assert_eq!(client.heard(), number.to_string());
    }
    drop((client, blocker));
    server.stop();
}

/// While it ends, and behind its end, everybody is told.
#[test]
fn the_server_ends() {
    let (server, barriers) = start(settings());
    let ((client, id), mut blocker) = (chat(&server), server.client());
    blocker.send("GET /block HTTP/1.1\r\nHost: test\r\n\r\n");
    barriers[0].wait();
    let before = server.handle.deliver(id, Frame::text("before"));
    server.handle.stop_now();
    let behind = server.handle.deliver(id, Frame::text("behind"));
    let handle = server.handle.clone();
    barriers[1].wait();
    server.join();
    assert_eq!((before.wait(), behind.wait()), (Ok(()), Err(DeliveryError::Gone)));
    assert_eq!(handle.deliver(id, Frame::text("late")).wait(), Err(DeliveryError::Push(PushError::Stopped)));
    drop(client);
}

/// The errors say what to do.
#[test]
fn errors_are_told() {
    for (error, text) in [
        (DeliveryError::Gone, "the connection is gone, or is no open WebSocket"),
        (DeliveryError::Behind, "the peer takes less than it is sent: the message was left out"),
        (PushError::Full.into(), "the worker has too much before it: try again later"),
    ] {
        assert_eq!(error.to_string(), text);
    }
}
