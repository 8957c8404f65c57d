//! A panic stays in its exchange: no other connection notices, and its own goes on where it can.

mod common;

use common::{
    Tally, ask, assert_serves, end_of, gate, get_of, open_gate, opened, post_of, server, sessions_ended, settings,
    status_of, statuses, with_session,
};
use tenure::{
    EndReason, Error, Method, Request, Responder, Router, Sent, Session, StatusCode, get,
    kit::{Server, Settings},
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
