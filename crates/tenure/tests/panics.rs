//! A panic stays in its exchange: no other connection notices, and its own goes on where it can.

mod common;

use common::{
    Tally, ask, assert_serves, end_of, gate, get_of, open_gate, opened, post_of, server, sessions_ended, settings,
    status_of, statuses, with_session,
};
use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    rc::Rc,
};

use tenure::{
    Admission, ConnectionId, EndReason, Error, Eviction, Method, Observer, PeerAddress, Refusal, Request, RequestLine,
    Responder, Router, Sent, Session, StatusCode, get,
    kit::{Client, Server, Settings},
    post, respond,
};

#[test]
fn a_handler() {
    let mut server = server();
    let (client, other) = (with_session(&mut server), server.connect());
    other.send(get_of("/wait"));
    let answer = ask(&mut server, &client, get_of("/panic"));
    assert_eq!(status_of(&answer), "500");
    assert!(!answer.contains("purpose"), "what went wrong is not the client's business: {answer}");
    assert!(!answer.contains("Connection: close"), "{answer}");
    assert!(ask(&mut server, &client, get_of("/sum")).ends_with("\r\n\r\n2"), "the session stays, changes included");
    assert_eq!(server.ended(), []);
    open_gate();
    server.run();
    assert!(other.received_text().ends_with("waited"), "nobody else notices");
}

/// Each of several requests that came at once may panic.
#[test]
fn pipelined_handlers() {
    let mut server = server();
    let client = with_session(&mut server);
    let answer = ask(&mut server, &client, get_of("/panic").repeat(5) + &get_of("/sum"));
    assert_eq!(statuses(&server)[1..], [500, 500, 500, 500, 500, 200]);
    assert!(answer.ends_with("\r\n\r\n6"), "{answer}");
    assert_eq!(end_of(&server, &client), None);
}

/// What is left of the body is dropped, and the next request found behind it.
#[test]
fn with_an_unread_body() {
    async fn panicking(_: &mut Request<'_, Tally>) {
        panic!("on purpose");
    }
    for body in ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"] {
        let app =
            Router::new().route("/", post(panicking)).route("/next", get(async |_: &mut Request<'_, Tally>| "next"));
        let mut server = Server::with(app, settings());
        let client = server.connect();
        for byte in format!("POST / HTTP/1.1\r\nHost: a\r\n{body}").bytes() {
            client.send([byte]);
            server.run();
        }
        assert_eq!(status_of(&client.received_text()), "500");
        assert!(ask(&mut server, &client, get_of("/next")).ends_with("next"));
    }
}

#[test]
fn after_an_await_and_with_a_piece_of_the_body() {
    async fn panicking(request: &mut Request<'_, Tally>) -> Result<(), Error> {
        gate().await;
        let piece = request.body().read().await?.map(<[u8]>::to_vec);
        request.session_or_insert_with(|| Tally::new(3));
        gate().await;
        panic!("on purpose, with {piece:?}");
    }
    let app = Router::new().route("/", post(panicking)).route("/sum", get(async |_: &mut Request<'_, Tally>| 0));
    let mut server = Server::with(app, settings());
    let client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n");
    server.run();
    open_gate();
    server.run();
    client.send("hell");
    server.run();
    open_gate();
    server.run();
    assert_eq!(status_of(&client.received_text()), "500");
    client.send("o wo");
    assert!(ask(&mut server, &client, get_of("/sum")).ends_with("\r\n\r\n0"));
    client.close();
    server.run();
    assert_eq!(sessions_ended(), [(3, EndReason::PeerClosed)]);
}

async fn streams_and_panics<'r>(request: &mut Request<'r, Tally>, responder: Responder<'r>) -> Result<Sent, Error> {
    request.session_or_insert_with(|| Tally::new(5));
    let mut stream = responder.stream(StatusCode::OK, &[]).await?;
    stream.write(b"some").await?;
    gate().await;
    panic!("on purpose");
}

/// Where the response has begun nothing else can be said: the connection is reset.
#[test]
fn after_the_response_has_begun() {
    for at_once in [true, false] {
        let app = Router::new()
            .route("/", respond(Method::Get, streams_and_panics))
            .route("/panic", get(async |_: &mut Request<'_, Tally>| -> () { panic!("on purpose") }));
        let mut server = Server::with(app, Settings { lanes_max: 1, ..settings() });
        let client = server.connect();
        client.send(get_of("/"));
        if !at_once {
            server.run();
            assert!(client.received_text().ends_with("4\r\nsome\r\n"));
        }
        open_gate();
        server.run();
        assert!(client.is_reset());
        assert!(!client.received_text().contains("0\r\n"));
        assert_eq!(sessions_ended().pop(), Some((5, EndReason::Aborted)));
        assert_eq!(end_of(&server, &client), Some(EndReason::Aborted));
        // The next one on the lane has its own.
        let next = server.connect();
        assert_eq!(status_of(&ask(&mut server, &next, get_of("/panic"))), "500");
    }
}

/// A panic in the end of a session is contained: the connection ends all the same, and others go on.
#[test]
fn in_the_end_of_a_session() {
    let mut server = server();
    let (client, other) = (server.connect(), with_session(&mut server));
    ask(&mut server, &client, post_of("/sum", "666"));
    client.close();
    server.run();
    assert_eq!(sessions_ended(), [(666, EndReason::PeerClosed)]);
    assert!(client.is_closed() && !client.is_reset());
    assert!(ask(&mut server, &other, get_of("/sum")).ends_with("\r\n\r\n1"));
    assert_serves(&mut server);
    other.close();
    server.run();
    assert_eq!((opened(), sessions_ended().len()), (3, 3));
}

/// Where it is a handler that ends the session, the panic is the handler's.
#[test]
fn in_the_end_of_a_session_that_a_handler_removes() {
    let mut server = server();
    let client = server.connect();
    ask(&mut server, &client, post_of("/sum", "666"));
    assert_eq!(status_of(&ask(&mut server, &client, post_of("/remove", ""))), "500");
    assert_eq!(sessions_ended(), [(666, EndReason::Removed)]);
    assert!(ask(&mut server, &client, get_of("/sum")).ends_with("\r\n\r\n0"));
}

/// The one that takes its place is there all the same, and ends as any other.
#[test]
fn in_the_end_of_a_session_that_a_handler_replaces() {
    let mut server = server();
    let client = server.connect();
    ask(&mut server, &client, post_of("/sum", "666"));
    assert_eq!(status_of(&ask(&mut server, &client, post_of("/replace", ""))), "500");
    assert_eq!(sessions_ended(), [(666, EndReason::Replaced)]);
    assert!(ask(&mut server, &client, get_of("/sum")).ends_with("\r\n\r\n100"));
    client.close();
    server.run();
    assert_eq!(sessions_ended(), [(666, EndReason::Replaced), (100, EndReason::PeerClosed)]);
    assert_eq!(opened(), 2);
}

/// One for the errors panics: once it has a second chance, for 500; then the connection ends.
#[test]
fn in_an_error_handler() {
    fn not_found(_: &Error) -> &'static str {
        panic!("on purpose");
    }
    let mut server = Server::with(
        Router::new()
            .route("/", get(async |_: &mut Request<'_, Tally>| "here"))
            .error(StatusCode::NOT_FOUND, not_found),
        settings(),
    );
    let client = server.connect();
    assert_eq!(status_of(&ask(&mut server, &client, get_of("/nowhere"))), "500");
    assert!(ask(&mut server, &client, get_of("/")).ends_with("here"));
    let answer = ask(&mut server, &client, get_of("/nowhere") + &get_of("/nowhere") + &get_of("/"));
    assert!(answer.ends_with("here"), "{answer}");
}

#[test]
fn in_the_handler_of_500() {
    fn failed(_: &Error) -> &'static str {
        panic!("on purpose, too");
    }
    async fn panicking(request: &mut Request<'_, Tally>) {
        request.session_or_insert_with(|| Tally::new(1));
        panic!("on purpose");
    }
    async fn fails(request: &mut Request<'_, Tally>) -> Result<(), Error> {
        request.session_or_insert_with(|| Tally::new(1));
        Err(Error::internal("on purpose"))
    }
    for target in ["/panics", "/fails"] {
        let app = Router::new()
            .route("/panics", get(panicking))
            .route("/fails", get(fails))
            .route("/here", get(async |_: &mut Request<'_, Tally>| "here"))
            .error(StatusCode::INTERNAL_SERVER_ERROR, failed);
        let mut server = Server::with(app, settings());
        let (client, other) = (server.connect(), server.connect());
        assert_eq!(ask(&mut server, &client, get_of(target)), "");
        assert!(client.is_reset());
        assert_eq!(end_of(&server, &client), Some(EndReason::Aborted));
        assert_eq!(sessions_ended().pop(), Some((1, EndReason::Aborted)));
        assert!(ask(&mut server, &other, get_of("/here")).ends_with("here"));
    }
}

/// The protocol's refusals have error handlers, too.
#[test]
fn in_the_handler_of_a_refusal() {
    fn bad(_: &Error) -> &'static str {
        panic!("on purpose");
    }
    let mut server = Server::with(Router::<Tally>::new().error(StatusCode::BAD_REQUEST, bad), settings());
    let client = server.connect();
    assert_eq!(status_of(&ask(&mut server, &client, "GET / HTTP/1.1\r\n\r\n")), "500");
    assert!(client.is_closed() && !client.is_reset());
    assert!(matches!(end_of(&server, &client), Some(EndReason::Protocol(_))));
}

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a drop's panic, on purpose");
    }
}

/// A handler that is given up is dropped, and that may panic: others notice as little.
#[test]
fn in_the_drop_of_a_handler() {
    async fn waits(request: &mut Request<'_, Tally>) {
        let _panics = PanicsInDrop;
        request.session_or_insert_with(|| Tally::new(4));
        gate().await;
    }
    let app = || Router::new().route("/", get(waits)).route("/here", get(async |_: &mut Request<'_, Tally>| "here"));
    for overdue in [true, false] {
        let mut server = Server::with(app(), Settings { lanes_max: 2, ..settings() });
        let (client, other) = (server.connect(), server.connect());
        client.send(get_of("/"));
        server.run();
        if overdue {
            server.advance(4_050);
            assert_eq!(status_of(&client.received_text()), "503");
            client.close();
            server.run();
        } else {
            client.reset();
            server.run();
        }
        let reason = if overdue { EndReason::PeerClosed } else { EndReason::PeerReset };
        assert_eq!(sessions_ended().pop(), Some((4, reason)));
        let other = if overdue { server.connect() } else { other };
        for client in [&other, &server.connect()] {
            assert!(ask(&mut server, client, get_of("/here")).ends_with("here"));
        }
    }
}

/// A stateless application's sessions are `()`.
#[test]
fn without_a_session() {
    async fn panicking(_: &mut Request<'_, ()>) {
        panic!("on purpose");
    }
    fn is_session<S: Session>(_: &Server<S>) {}
    let mut server = Server::new(Router::new().route("/", get(panicking)));
    is_session(&server);
    let client = server.connect();
    client.send(get_of("/"));
    server.run();
    assert_eq!(status_of(&client.received_text()), "500");
}

/// Panics in the method of that name.
#[derive(Clone, Default)]
struct PanicsIn(Rc<Cell<&'static str>>);

impl PanicsIn {
    fn call(&self, method: &'static str) {
        if self.0.get() == method {
            // What is thrown is no better.
            panic_any(Bomb(3));
        }
    }
}

impl Observer for PanicsIn {
    fn connected(&self, _: ConnectionId, _: Option<PeerAddress>) -> Admission {
        self.call("connected");
        Admission::Accept
    }
    fn head_received(&self, _: ConnectionId, _: RequestLine<'_>) {
        self.call("head_received");
    }
    fn response_sent(&self, _: ConnectionId, _: StatusCode, _: u64, _: u32) {
        self.call("response_sent");
    }
    fn refused(&self, _: ConnectionId, _: Refusal) {
        self.call("refused");
    }
    fn evicted(&self, _: ConnectionId, _: ConnectionId) {
        self.call("evicted");
    }
    fn disconnected(&self, _: ConnectionId, _: EndReason, _: bool) {
        self.call("disconnected");
    }
}

/// Panics when it is dropped, with what does the same, so many times.
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if let Some(less) = self.0.checked_sub(1) {
            panic_any(Bomb(less));
        }
    }
}

fn watched(settings: Settings) -> (Server<Tally>, PanicsIn) {
    let observer = PanicsIn::default();
    (Server::watched(common::app(), settings, observer.clone()), observer)
}

/// Whatever an observer's method that panics was told of, the session ends once, the place is free and others go on.
#[test]
fn in_an_observer() {
    for (method, bytes, reason) in [
        ("nothing", get_of("/sum"), EndReason::PeerClosed),
        ("head_received", get_of("/sum"), EndReason::PeerClosed),
        ("response_sent", get_of("/sum"), EndReason::Aborted),
        ("refused", "GET / HTTP/1.1\r\n\r\n".to_owned(), EndReason::Aborted),
        ("disconnected", String::new(), EndReason::PeerClosed),
    ] {
        let (mut server, observer) = watched(Settings { connections_max: 3, lanes_max: 1, ..settings() });
        let (client, other) = (with_session(&mut server), with_session(&mut server));
        let before = sessions_ended().len();
        observer.0.set(method);
        let answer = ask(&mut server, &client, bytes);
        let status = if method == "head_received" { "500" } else { "200" };
        // A response that is whole is sent, whoever panics behind it.
        assert_eq!(answer.is_empty(), ["refused", "disconnected"].contains(&method), "{method}: {answer}");
        assert!(answer.is_empty() || status_of(&answer) == status, "{method}: {answer}");
        client.close();
        server.run();
        observer.0.set("");
        assert_eq!(sessions_ended()[before..], [(1, reason)], "{method}");
        assert_eq!(end_of(&server, &client), Some(reason), "{method}");
        assert!(ask(&mut server, &other, get_of("/sum")).ends_with("\r\n\r\n1"), "{method}");
        assert_serves(&mut server);
    }
}

#[test]
fn in_an_observer_that_is_to_admit() {
    let (mut server, observer) = watched(settings());
    observer.0.set("connected");
    let client = server.connect();
    assert!(client.is_closed());
    observer.0.set("");
    assert_eq!(server.list(), []);
    assert_serves(&mut server);
}

#[test]
fn in_an_observer_of_evictions() {
    let (mut server, observer) =
        watched(Settings { connections_max: 1, eviction: Eviction::LeastRecentlyUsed, ..settings() });
    for method in ["evicted", "disconnected", ""] {
        let old = with_session(&mut server);
        observer.0.set(method);
        let new = server.connect();
        assert!(old.is_closed() && new.id().is_some() && server.list().len() == 1, "{method}");
        assert!(ask(&mut server, &new, get_of("/sum")).ends_with("\r\n\r\n0"), "{method}");
        observer.0.set("");
        new.close();
        server.run();
    }
    assert!(sessions_ended().iter().all(|(_, reason)| matches!(reason, EndReason::Evicted { .. })));
    assert_eq!((opened(), sessions_ended().len()), (3, 3));
}

/// Who is told that a connection leaves cannot keep it.
#[test]
fn in_an_observer_of_what_is_handed_over() {
    let (mut server, observer) = watched(settings());
    let client = with_session(&mut server);
    observer.0.set("disconnected");
    assert_eq!(server.hand_over(client.id().unwrap()).map(|tally| tally.sum), Some(1));
    assert_eq!((sessions_ended(), server.list()), (vec![], vec![]));
}

/// What is thrown may panic itself when it is dropped.
#[test]
fn with_something_that_panics_when_it_is_dropped() {
    struct Ends;
    impl Session for Ends {
        fn end(self, _: EndReason) {
            Tally::new(1).end(EndReason::Closed);
            panic_any(Bomb(3));
        }
    }
    async fn throws(request: &mut Request<'_, Ends>) {
        request.session_or_insert_with(|| Ends);
        panic_any(Bomb(3));
    }
    async fn waits(_: &mut Request<'_, Ends>) {
        struct ThrowsInDrop;
        impl Drop for ThrowsInDrop {
            fn drop(&mut self) {
                panic_any(Bomb(3));
            }
        }
        let _throws = ThrowsInDrop;
        gate().await;
    }
    let mut server = Server::with(Router::new().route("/", get(throws)).route("/waits", get(waits)), settings());
    let (client, other) = (server.connect(), server.connect());
    let mut ask = |client: &Client, request: String| {
        client.send(request);
        server.run();
        client.received_text()
    };
    assert_eq!(status_of(&ask(&client, get_of("/"))), "500");
    assert_eq!(ask(&other, get_of("/waits")), "");
    other.reset();
    client.close();
    server.run();
    assert_eq!(sessions_ended(), [(1, EndReason::Closed)]);
    assert_eq!((server.ended().len(), server.list().len()), (2, 0));
}

/// A server that unwinds ends every session, whatever its connection is doing, also behind one whose end panics.
#[test]
fn that_ends_the_server() {
    for unwinds in [true, false] {
        let before = sessions_ended().len();
        let run = AssertUnwindSafe(|| {
            let mut server = Server::with(common::app(), Settings { lanes_max: 1, ..settings() });
            let clients: Vec<_> = (0..6).map(|_| with_session(&mut server)).collect();
            ask(&mut server, &clients[0], post_of("/sum", "665"));
            ask(&mut server, &clients[1], get_of("/pin"));
            clients[2].send("GET /su");
            server.run();
            clients[3].send(get_of("/wait"));
            server.run();
            clients[4].send(get_of("/sum"));
            server.run();
            assert!(!unwinds, "on purpose");
        });
        assert_eq!(catch_unwind(run).is_err(), unwinds);
        let mut ended: Vec<_> = sessions_ended()[before..].iter().map(|(sum, reason)| (*sum, *reason)).collect();
        ended.sort_by_key(|(sum, _)| *sum);
        assert_eq!(ended, [1, 1, 1, 1, 2, 666].map(|sum| (sum, EndReason::Shutdown)), "unwinds: {unwinds}");
    }
}
