//! What is of one request, one connection or one lane stays there; and what a handler leaves undone ends with its exchange.

mod support;

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use support::{every_way, get, post, request, responses, responses_to, small, when_woken::when_woken};
use tenure::{
    Deadline, EndReason, Error, Handler, Limits, Method, Refusal, Request, Responder, Router, Sent, StatusCode, any,
    kit::{Client, Event, Server, Settings},
    respond,
};

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

async fn hello(_: &mut Request<'_, ()>) -> &'static str {
    "hello"
}

async fn whole(request: &mut Request<'_, ()>) -> Result<String, Error> {
    Ok(format!("{} bytes", request.body().whole().await?.len()))
}

/// Pending once, without a wake: the next turn of the lane ends it.
async fn one_turn(_: &mut Request<'_, ()>) -> &'static str {
    let mut polled = false;
    poll_fn(|_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    "a turn later"
}

fn app() -> impl Handler<()> {
    Router::new().route("/", any(hello)).route("/whole", any(whole)).route("/turn", any(one_turn))
}

fn on_one_lane() -> Server<()> {
    Server::with(app(), Settings { lanes_max: 1, ..small(64) })
}

fn refusals(server: &Server<()>, client: &Client) -> Vec<Refusal> {
    let of_client = |event| match event {
        Event::Refused(id, refusal) if Some(id) == client.id() => Some(refusal),
        _ => None,
    };
    server.events().into_iter().filter_map(of_client).collect()
}

/// A body's refusal is of its request: a bad head on the same lane has its own, and no other.
#[test]
fn a_refusal_is_told_of_its_own_connection() {
    let mut server = on_one_lane();
    let first = server.connect();
    first.send(request("POST", "/whole", CHUNKED, "") + "zz\r\n");
    server.run();
    assert_eq!(refusals(&server, &first), [Refusal::BadChunkSize]);
    first.close();
    server.run();
    let second = server.connect();
    second.send("GET  / HTTP/1.1\r\nHost: a\r\n\r\n");
    server.run();
    assert_eq!(refusals(&server, &second).len(), 1);
    let third = server.connect();
    third.send(get("/"));
    server.run();
    assert_eq!(refusals(&server, &third), []);
}

/// The time that one request waited, for a lane or for its body, is not counted against the next on its lane.
#[test]
fn time_waited_is_of_its_request() {
    let mut server = on_one_lane();
    let (first, second) = (server.connect(), server.connect());
    first.send(request("POST", "/whole", "Content-Length: 5\r\n", "") + "1");
    server.run();
    // The second one waits for the lane, and leaves as soon as it has it.
    second.send(get("/turn"));
    server.run();
    server.advance(8_000);
    first.reset();
    server.run();
    second.reset();
    server.run();
    let third = server.connect();
    third.send(get("/turn"));
    server.run();
    server.advance(29_000);
    assert!(!third.is_closed() && third.received_text().is_empty(), "29 of its 30 seconds have passed");
    server.advance(1_050);
    assert!(third.received_text().starts_with("HTTP/1.1 503 "));
}

/// An answer waits for the rest of a chunked body only where the connection can go on after it.
#[test]
fn a_closing_answer_is_not_kept_back() {
    let app = || {
        Router::new().route("/", any(hello)).route(
            "/close",
            any(async |request: &mut Request<'_, ()>| {
                request.close();
                "closing"
            }),
        )
    };
    for (target, version, fields, at_once) in [
        ("/", "1.1", "", false),
        ("/", "1.1", "Connection: close\r\n", true),
        ("/none", "1.1", "Connection: close\r\n", true),
        ("/close", "1.1", "", true),
        ("/none", "1.1", "", false),
    ] {
        let mut server = Server::new(app());
        let client = server.connect();
        client.send(format!("POST {target} HTTP/{version}\r\nHost: a\r\n{fields}{CHUNKED}\r\n1\r\nx\r\n"));
        server.run();
        let received = client.received_text();
        assert_eq!(!received.is_empty(), at_once, "{target} {fields}: {received}");
        assert_eq!(received.contains("Connection: close\r\n"), at_once);
        if !at_once {
            client.send("0\r\n\r\n");
            server.run();
            assert!(!client.received_text().contains("Connection: close\r\n") && !client.is_closed());
        }
    }
}

/// An answer that is there does not wait as long as a slow body may take: its bytes buy it no time.
#[test]
fn an_upload_that_nobody_reads_does_not_keep_its_answer_back() {
    let mut server = Server::new(Router::new().route("/whole", any(whole)));
    for (target, seconds) in [("/none", 10), ("/whole", 20)] {
        let client = server.connect();
        client.send(request("POST", target, CHUNKED, ""));
        let answered = (1..=seconds).find(|_| {
            for _ in 0..500 {
                client.send("1\r\nx\r\n");
            }
            server.advance(1_000);
            !client.received_text().is_empty()
        });
        assert_eq!(answered.is_some(), target == "/none", "{target}: {answered:?}");
        if target == "/whole" {
            client.send("0\r\n\r\n");
            server.run();
            assert!(client.received_text().ends_with("10000 bytes"));
        }
    }
}

/// A handler that has read a piece and answers keeps its connection, whichever way it answers.
#[test]
fn a_piece_that_was_read_does_not_cost_the_connection() {
    async fn by_value(request: &mut Request<'_, ()>) -> Result<&'static str, Error> {
        request.body().read_up_to(1).await?;
        Ok("done")
    }
    async fn by_responder<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
        let piece = request.body().read_up_to(1).await?;
        responder.send(if piece.is_some() { "done" } else { "nothing" }).await
    }
    let app = || Router::new().route("/value", any(by_value)).route("/responder", respond(Method::Post, by_responder));
    for target in ["/value", "/responder"] {
        // The rest is there, or comes in its time.
        for late in [false, true] {
            let mut server = Server::new(app());
            let client = server.connect();
            let rest = "1\r\nb\r\n0\r\n\r\n";
            client.send(request("POST", target, CHUNKED, "") + "2\r\nab\r\n" + if late { "" } else { rest });
            server.run();
            if late {
                client.send(rest);
            }
            client.send(request("POST", target, CHUNKED, "") + "0\r\n\r\n");
            server.run();
            let responses = responses(&client.received());
            let answers: Vec<_> = responses.iter().map(|response| (response.text(), response.says_close())).collect();
            let last = if target == "/value" { "done" } else { "nothing" };
            assert_eq!(answers, [("done", false), (last, false)], "{target} {late}");
        }
    }
}

/// A body may be read while an answer waits for its rest: whoever reads, nothing panics.
#[test]
fn a_body_is_read_between_two_polls_of_an_answer() {
    async fn handler<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
        let mut sending = pin!(responder.send("done"));
        assert!(poll_fn(|context| Poll::Ready(sending.as_mut().poll(context))).await.is_pending());
        let piece = request.body().read().await?;
        assert!(piece.is_some());
        sending.await
    }
    let mut server = Server::new(Router::new().route("/", respond(Method::Post, handler)));
    let client = server.connect();
    for part in [&*request("POST", "/", CHUNKED, ""), "1\r\na\r\n", "1\r\nb\r\n", "0\r\n\r\n"] {
        client.send(part);
        server.run();
    }
    assert_eq!(responses(&client.received()).remove(0).text(), "done");
    assert!(!client.is_closed());
}

/// A response may reach back to its request while it is written.
#[test]
fn a_response_closes_its_own_connection() {
    struct Closing<'a, 'r>(&'a mut Request<'r, ()>);
    impl tenure::IntoResponse for Closing<'_, '_> {
        fn respond(&mut self, reply: &mut tenure::Reply<'_>) -> tenure::Outcome {
            self.0.close();
            reply.body("closing")
        }
    }
    async fn handler<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
        responder.send(Closing(request)).await
    }
    let mut server = Server::new(Router::new().route("/", respond(Method::Get, handler)));
    let client = server.connect();
    client.send(get("/") + &get("/"));
    server.run();
    assert_eq!(responses(&client.received()).len(), 1);
    assert!(client.is_closed());
    assert_eq!(server.ended().last().map(|(_, reason)| *reason), Some(EndReason::Handler));
}

/// What fits is decided by bytes: a chunk above the bound is refused whether or not some of it has come.
#[test]
fn what_fits_does_not_depend_on_cuts() {
    async fn three(request: &mut Request<'_, ()>) -> Result<&'static str, Error> {
        request.body().read_up_to(3).await?;
        Ok("three")
    }
    let limits = Limits { body_bytes_max: 100, ..Limits::HOST };
    let app = || Router::new().route("/three", any(three)).route("/whole", any(whole));
    for target in ["/three", "/whole"] {
        for (bytes, status) in [(99, 200), (100, 200), (101, 413)] {
            let head = request("POST", target, CHUNKED, "");
            let (size, data) = (format!("{bytes:x}\r\n"), "x".repeat(bytes) + "\r\n0\r\n\r\n");
            for parts in [
                vec![head.clone() + &size + &data],
                vec![head.clone() + &size, data.clone()],
                vec![head.clone(), size.clone() + &data],
                vec![head.clone() + &size + &data[..1], data[1..].to_owned()],
            ] {
                let mut server = Server::with(app(), Settings { limits, ..small(300) });
                let client = server.connect();
                for part in &parts {
                    client.send(part);
                    server.run();
                }
                assert_eq!(responses(&client.received())[0].status, status, "{target} {bytes} in {parts:?}");
            }
        }
    }
}

thread_local! {
    static RUNNING: Cell<i32> = const { Cell::new(0) };
    static WRITES: Cell<u32> = const { Cell::new(0) };
    static OPEN: Cell<bool> = const { Cell::new(false) };
}

/// Counts handlers that have not been dropped.
struct Running;

impl Running {
    fn new() -> Self {
        RUNNING.set(RUNNING.get() + 1);
        Running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(RUNNING.get() - 1);
    }
}

async fn endless<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
    let _running = Running::new();
    let mut stream = responder.stream(StatusCode::OK, &[("X-A", "b")]).await?;
    loop {
        WRITES.set(WRITES.get() + 1);
        stream.write(b"on and on").await?;
    }
}

/// A response to HEAD ends at its head, and the handler that has begun it is dropped: also one that would never end.
#[test]
fn head_of_a_stream_ends_at_its_head() {
    let app = Router::new().route("/endless", respond(Method::Get, endless)).route("/", any(hello)).wrap(pass);
    let mut server = Server::new(app);
    let client = server.connect();
    client.send(request("HEAD", "/endless", "", "").repeat(3) + &get("/"));
    server.run();
    let responses = responses_to("HHHG", &client.received());
    assert_eq!(responses.len(), 4);
    assert_eq!(responses[0].field("X-A"), Some("b"));
    assert_eq!(responses[3].text(), "hello");
    assert_eq!((RUNNING.get(), WRITES.get()), (0, 0));
    // A GET of the same goes on until the peer takes no more.
    client.set_window(10_000);
    client.send(get("/endless"));
    server.run();
    assert!(RUNNING.get() == 1 && WRITES.get() > 100);
}

/// Only the handler of that response ends with it: one that is pipelined behind it waits as any other.
#[test]
fn head_of_a_stream_ends_no_handler_behind_it() {
    let app = || Router::new().route("/endless", respond(Method::Get, endless)).route("/whole", any(whole));
    let behind = request("POST", "/whole", CHUNKED, "3\r\nabc\r\n0\r\n\r\n").replace("Content-Length: 13\r\n", "");
    let answers = every_way(app, small(64), request("HEAD", "/endless", "", "") + &behind);
    let responses = responses_to("HP", &answers.bytes);
    assert_eq!((responses[1].status, responses[1].text()), (200, "3 bytes"));
}

async fn pass<'r, H: Handler<()>>(request: &mut Request<'r, ()>, next: tenure::Next<'_, 'r, H>) -> Result<Sent, Error> {
    next.run(request).await
}

/// A handler that writes no bytes without an end lets others have their turn.
#[test]
fn a_write_that_goes_nowhere_yields() {
    async fn empty<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
        let mut stream = responder.stream(StatusCode::OK, &[]).await?;
        while !OPEN.get() {
            stream.write(b"").await?;
        }
        stream.finish().await
    }
    async fn open(_: &mut Request<'_, ()>) -> &'static str {
        OPEN.set(true);
        "open"
    }
    OPEN.set(false);
    let app = Router::new().route("/empty", respond(Method::Get, empty)).route("/open", any(open));
    let mut server = Server::new(app);
    let (writer, other) = (server.connect(), server.connect());
    writer.send(get("/empty"));
    other.send(get("/open"));
    server.run();
    assert!(other.received_text().ends_with("open"));
    assert_eq!(responses(&writer.received())[0].status, 200);
}

/// What waits for bytes, for room or for the end registers its own waker.
#[test]
fn what_waits_wakes_its_own_waker() {
    async fn body(request: &mut Request<'_, ()>) -> Result<String, Error> {
        when_woken(async { Ok(format!("{} bytes", request.body().whole().await?.len())) }).await
    }
    async fn room<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
        when_woken(async {
            let mut stream = responder.stream_of(StatusCode::OK, &[], 10_000).await?;
            for _ in 0..100 {
                stream.write(&[b'x'; 100]).await?;
            }
            stream.flush().await;
            stream.finish().await
        })
        .await
    }
    async fn value<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
        when_woken(responder.send("x".repeat(10_000))).await
    }
    async fn ending(request: &mut Request<'_, ()>) -> &'static str {
        when_woken(request.ending()).await;
        "ended"
    }
    async fn peer_closed(request: &mut Request<'_, ()>) -> &'static str {
        when_woken(request.peer_closed()).await;
        "closed"
    }
    let app = Router::new()
        .route("/body", any(body))
        .route("/room", respond(Method::Get, room))
        .route("/value", respond(Method::Get, value))
        .route("/ending", any(ending))
        .route("/closed", any(peer_closed));
    let mut server = Server::with(app, Settings { output_bytes: 256, ..Settings::default() });
    let client = server.connect();
    for bytes in [request("POST", "/body", "Content-Length: 3\r\n", "") + "1", "2".to_owned(), "3".to_owned()] {
        client.send(bytes);
        server.run();
    }
    assert!(client.received_text().ends_with("3 bytes"));
    for target in ["/room", "/value"] {
        let client = server.connect();
        client.set_window(50);
        client.send(get(target));
        let mut received = Vec::new();
        for _ in 0..300 {
            server.run();
            received.extend(client.received());
        }
        assert_eq!(responses(&received)[0].body.len(), 10_000, "{target}");
    }
    let client = server.connect();
    client.send(get("/ending"));
    server.run();
    assert_eq!(client.received_text(), "");
    server.close(client.id().unwrap());
    server.run();
    assert!(client.received_text().ends_with("ended"));
    let client = server.connect();
    // Also where bytes are unread that nobody reads meanwhile.
    client.send(get("/closed") + &get("/body"));
    server.run();
    client.send(get("/body"));
    server.run();
    assert_eq!(client.received_text(), "");
    client.close();
    server.run();
    assert!(responses(&client.received())[0].text() == "closed");
}

/// The rest of a body that does not come ends its connection behind the answer, and says why.
#[test]
fn a_rest_that_does_not_come_ends_the_connection_behind_its_answer() {
    async fn piece<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
        request.body().read().await?;
        responder.send("done").await
    }
    let mut server = Server::new(Router::new().route("/", respond(Method::Post, piece)));
    let client = server.connect();
    client.send(request("POST", "/", CHUNKED, "") + "1\r\na\r\n");
    server.run();
    assert!(client.received_text().ends_with("done"), "it does not wait");
    server.advance(9_900);
    assert!(!client.is_closed());
    server.advance(200);
    assert!(client.is_closed());
    assert_eq!(server.ended().last().map(|(_, reason)| *reason), Some(EndReason::Deadline(Deadline::Body)));
    let client = server.connect();
    client.send(post("/", "whole"));
    server.run();
    assert!(client.received_text().ends_with("done") && !client.is_closed());
}
