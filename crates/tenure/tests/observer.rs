//! What an observer is told, and when.

mod support;

use std::{cell::RefCell, rc::Rc};
use support::{get, post_chunked, request, text};
use tenure::{
    Admission, ConnectionId, EndReason, Error, Eviction, Handler, Observer, PeerAddress, Refusal, Request, RequestLine,
    Router, Session, StatusCode, any,
    kit::{Client, Event, Server, Settings},
};

/// Notes everything as text.
#[derive(Clone, Default)]
struct Notes(Rc<RefCell<Vec<String>>>);

impl Notes {
    fn note(&self, text: String) {
        self.0.borrow_mut().push(text);
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

impl Observer for Notes {
    fn connected(&self, id: ConnectionId, peer: Option<PeerAddress>) -> Admission {
        let port = peer.and_then(PeerAddress::socket_addr).map_or(0, |peer| peer.port());
        self.note(format!("{id} connected from {port}"));
        if port == 13 { Admission::Refuse } else { Admission::Accept }
    }

    fn head_received(&self, id: ConnectionId, line: RequestLine<'_>) {
        self.note(format!("{id} {} {}", line.method(), line.target()));
    }

    fn response_sent(&self, id: ConnectionId, status: StatusCode, bytes: u64, duration_ms: u32) {
        self.note(format!("{id} {status} {bytes} bytes {duration_ms} ms"));
    }

    fn refused(&self, id: ConnectionId, refusal: Refusal) {
        self.note(format!("{id} refused {refusal:?}"));
    }

    fn evicted(&self, id: ConnectionId, by: ConnectionId) {
        self.note(format!("{id} evicted by {by}"));
    }

    fn disconnected(&self, id: ConnectionId, reason: EndReason, session: bool) {
        self.note(format!("{id} disconnected {reason:?} {session}"));
    }
}

struct Counter;

impl Session for Counter {
    fn end(self, _: EndReason) {}
}

fn app() -> impl Handler<Counter> {
    let echo = async |request: &mut Request<'_, Counter>| request.body().whole().await.map(<[u8]>::to_vec);
    let session = async |request: &mut Request<'_, Counter>| {
        request.session_or_insert_with(|| Counter);
    };
    Router::new()
        .route("/echo", any(echo))
        .route("/session", any(session))
        .route("/fails", any(async |_: &mut Request<'_, Counter>| Error::internal("why")))
}

fn watched(settings: Settings) -> (Server<Counter>, Client, Notes) {
    let notes = Notes::default();
    let mut server = Server::watched(app(), settings, notes.clone());
    let client = server.connect();
    (server, client, notes)
}

#[test]
fn a_connections_life_is_told_in_order() {
    let (mut server, client, notes) = watched(Settings::default());
    assert_eq!(notes.take(), ["0.0.0 connected from 1"]);
    client.send("GET /session?a=b HTT");
    server.run();
    assert_eq!(notes.take(), [""; 0]);
    client.send("P/1.1\r\nHost: a\r\n\r\n");
    server.run();
    let bytes = client.received().len();
    assert_eq!(notes.take(), ["0.0.0 GET /session?a=b".to_owned(), format!("0.0.0 200 {bytes} bytes 0 ms")]);
    client.send(request("PURGE", "/nothing", "", "") + &get("/fails"));
    server.run();
    let found = support::responses(&client.received());
    assert_eq!(found.len(), 2);
    let told = notes.take();
    assert_eq!((&*told[0], &*told[2]), ("0.0.0 PURGE /nothing", "0.0.0 GET /fails"));
    assert!(told[1].starts_with("0.0.0 404 ") && told[3].starts_with("0.0.0 500 "), "{told:?}");
    client.close();
    server.run();
    assert_eq!(notes.take(), ["0.0.0 disconnected PeerClosed true"]);
    let next = server.connect();
    next.reset();
    server.run();
    assert_eq!(notes.take(), ["0.0.1 connected from 2", "0.0.1 disconnected PeerReset false"]);
}

#[test]
fn the_bytes_are_those_that_the_client_gets() {
    for (bytes, interim) in [
        (get("/session"), 0),
        (post_chunked("/echo", &text(500), &[70]), 0),
        (
            request("POST", "/echo", "Expect: 100-continue\r\nContent-Length: 3\r\n", ""),
            "HTTP/1.1 100 Continue\r\n\r\n".len(),
        ),
        (get("/nothing"), 0),
        (request("HEAD", "/nothing", "", ""), 0),
        (get("/").replace("Host", "Host "), 0),
    ] {
        let settings = Settings { body_bytes: 1_024, ..support::small(1) };
        let (mut server, client, notes) = watched(settings);
        client.send(&bytes);
        server.run();
        if interim > 0 {
            client.send("abc");
            server.run();
        }
        let received = client.received().len() - interim;
        let told = notes.take().into_iter().find(|note| note.contains(" bytes ")).expect("a response");
        assert!(told.contains(&format!(" {received} bytes ")), "{bytes}: {told} for {received}");
    }
}

#[test]
fn the_duration_is_from_the_requests_first_byte_to_the_responses_end() {
    let (mut server, client, notes) = watched(Settings::default());
    server.advance(1_000);
    client.send("POST /echo HTTP/1.1\r\n");
    server.advance(300);
    client.send("Host: a\r\nContent-Length: 2\r\n\r\n");
    server.advance(200);
    client.send("a");
    server.advance(100);
    client.send("b");
    server.run();
    let told = notes.take();
    assert!(told.last().unwrap().ends_with(" 600 ms"), "{told:?}");
    server.advance(5_000);
    client.send(get("/session").repeat(2));
    server.run();
    assert!(notes.take().iter().filter(|note| note.contains(" bytes ")).all(|note| note.ends_with(" 0 ms")));
}

#[test]
fn refusals_are_told_beside_their_responses() {
    let (mut server, client, notes) = watched(Settings::default());
    client.send("GET / HTTP/3.0\r\n\r\n");
    server.run();
    let bytes = client.received().len();
    let refused = ["0.0.0 refused UnsupportedVersion".to_owned(), format!("0.0.0 505 {bytes} bytes 0 ms")];
    let told = notes.take();
    assert_eq!(told[1..3], refused);
    assert_eq!(told[3], "0.0.0 disconnected Protocol(UnsupportedVersion) false");
    assert_eq!(told.len(), 4);
    let late = server.connect();
    late.send("GE");
    server.advance(60_000);
    let told = notes.take();
    assert_eq!(told[1], format!("{} refused HeadTimeout", late.id().unwrap()), "{told:?}");
    assert!(told[2].contains(" 408 ") && told[2].ends_with(" 10000 ms"), "{told:?}");
}

#[test]
fn a_refused_chunk_is_told_too() {
    let (mut server, client, notes) = watched(Settings::default());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n");
    server.run();
    let told = notes.take();
    assert_eq!(told[1..3], ["0.0.0 POST /echo", "0.0.0 refused BadChunkSize"], "{told:?}");
    assert!(told[3].starts_with("0.0.0 400 "), "{told:?}");
    // Whether a handler reads it or not, and once.
    let (mut server, client, notes) = watched(Settings::default());
    client.send("POST /session HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n");
    server.run();
    let refused = notes.take().iter().filter(|note| note.contains("refused BadChunkSize")).count();
    assert_eq!(refused, 1);
}

#[test]
fn a_body_that_does_not_come_is_refused_once() {
    let (mut server, client, notes) = watched(Settings::default());
    client.send(request("POST", "/echo", "Content-Length: 3\r\n", "") + "a");
    server.advance(60_000);
    let told = notes.take();
    assert_eq!(told[1..3], ["0.0.0 POST /echo", "0.0.0 refused BodyTimeout"], "{told:?}");
    assert!(told[3].starts_with("0.0.0 408 "), "{told:?}");
    assert_eq!(told.iter().filter(|note| note.contains("refused")).count(), 1, "{told:?}");
}

#[test]
fn an_observer_may_refuse_a_connection() {
    let notes = Notes::default();
    let mut server = Server::watched(app(), Settings::default(), notes.clone());
    let clients: Vec<_> = (0..14).map(|_| server.connect()).collect();
    for (client, port) in clients.iter().zip(1..) {
        assert_eq!(client.is_closed(), port == 13, "{port}");
    }
    assert_eq!(server.list().len(), 13);
    assert!(server.ended().is_empty());
    assert_eq!(server.events().len(), 13);
    assert!(notes.take().iter().all(|note| note.contains("connected from")));
}

#[test]
fn an_eviction_is_told_before_the_end() {
    let settings = Settings { connections_max: 1, eviction: Eviction::LeastRecentlyUsed, ..Settings::default() };
    let (mut server, client, notes) = watched(settings);
    client.send(get("/session"));
    server.run();
    notes.take();
    server.advance(70);
    let next = server.connect();
    let told = notes.take();
    let (old, new) = (client.id().unwrap(), next.id().unwrap());
    let evicted = told.iter().position(|note| *note == format!("{old} evicted by {new}")).expect("an eviction");
    let ended = told.iter().position(|note| note.starts_with(&format!("{old} disconnected Evicted"))).expect("an end");
    assert!(evicted < ended, "{told:?}");
    assert!(told[ended].contains("idle_ms: 70"), "{told:?}");
    assert!(server.events().contains(&Event::Evicted(old, new)));
}
