//! Responses that are written piece by piece.

mod support;

use std::cell::Cell;

use embassy_futures::join::join;
use support::{answers, every_way, feed, get, request, responses, responses_to, sent, small, text};
use tenure::{
    EndReason, Error, Handler, Method, Request, Responder, Router, Sent, StatusCode, any,
    kit::{Server, Settings},
    respond,
};

type Answer = Result<Sent, Error>;

/// How many bytes the query asks for in all, and for each write.
fn wanted(request: &Request<'_, ()>) -> (usize, usize) {
    let number = |name| request.query_value(name).and_then(|value| value.parse().ok()).unwrap_or(0);
    (number("bytes"), number("piece"))
}

async fn chunked<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Answer {
    let (bytes, piece) = wanted(request);
    let mut stream = responder.stream(StatusCode::OK, &[("X-A", "1")]).await?;
    for piece in text(bytes).as_bytes().chunks(piece.max(1)) {
        stream.write(piece).await?;
    }
    stream.finish().await
}

async fn fixed<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Answer {
    let (bytes, piece) = wanted(request);
    let fields = [("Content-Type", "text/plain")];
    let mut stream = responder.stream_of(StatusCode::CREATED, &fields, bytes as u64).await?;
    for piece in text(bytes).as_bytes().chunks(piece.max(1)) {
        stream.write(piece).await?;
    }
    stream.finish().await
}

/// Announces ten bytes and writes as many as the query asks for, in pieces.
async fn ten<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Answer {
    let (bytes, piece) = wanted(request);
    let mut stream = responder.stream_of(StatusCode::OK, &[], 10).await?;
    for piece in text(bytes).as_bytes().chunks(piece.max(1)) {
        stream.write(piece).await?;
    }
    stream.finish().await
}

async fn dropped<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Answer {
    {
        let mut stream = responder.stream(StatusCode::OK, &[]).await?;
        stream.write(b"some").await?;
    }
    Err(Error::internal("the source has dried up"))
}

async fn fails<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Answer {
    let mut stream = responder.stream(StatusCode::OK, &[]).await?;
    stream.write(b"some").await?;
    stream.flush().await;
    Err(Error::bad_request("an error once the response has begun"))
}

async fn bad_field<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Answer {
    responder.stream(StatusCode::OK, &[("X-A", "a\r\nb")]).await?.finish().await
}

async fn no_content<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Answer {
    let mut stream = responder.stream(StatusCode::NO_CONTENT, &[]).await?;
    stream.write(b"nobody sees this").await?;
    stream.finish().await
}

async fn reset_content<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Answer {
    let mut stream = responder.stream(StatusCode::RESET_CONTENT, &[]).await?;
    stream.write(b"nobody sees this").await?;
    stream.finish().await
}

thread_local! {
    /// How many endless streams have ended.
    static ENDED: Cell<u32> = const { Cell::new(0) };
    /// Bytes of a body that have been read.
    static READ: Cell<usize> = const { Cell::new(0) };
}

struct Ends;

impl Drop for Ends {
    fn drop(&mut self) {
        ENDED.set(ENDED.get() + 1);
    }
}

/// Streams without an end, of the status that the query asks for.
async fn endless<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Answer {
    let _ends = Ends;
    let status = match request.query_value("status").and_then(|value| value.parse().ok()) {
        Some(204) => StatusCode::NO_CONTENT,
        Some(205) => StatusCode::RESET_CONTENT,
        _ => StatusCode::NOT_MODIFIED,
    };
    let mut stream = match request.query_value("length").and_then(|value| value.parse().ok()) {
        Some(bytes) => responder.stream_of(status, &[], bytes).await?,
        None => responder.stream(status, &[]).await?,
    };
    loop {
        stream.write(b"").await?;
    }
}

/// Reads the body and writes as many bytes as the query asks for, both at once.
async fn both<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Answer {
    let (bytes, piece) = wanted(request);
    let mut stream = responder.duplex(StatusCode::OK, &[]).await?;
    let reads = async {
        while let Some(piece) = request.body().read().await? {
            READ.set(READ.get() + piece.len());
        }
        Ok::<_, Error>(())
    };
    let writes = async {
        for piece in text(bytes).as_bytes().chunks(piece.max(1)) {
            stream.write(piece).await?;
        }
        Ok::<_, Error>(())
    };
    let (read, written) = join(reads, writes).await;
    read.and(written)?;
    stream.finish().await
}

/// Sends the body back while it comes.
async fn echo<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Answer {
    let mut stream = responder.duplex(StatusCode::OK, &[]).await?;
    while let Some(piece) = request.body().read().await? {
        stream.write(piece).await?;
    }
    stream.finish().await
}

fn app() -> impl Handler<()> {
    Router::new()
        .route("/hello", any(async |_: &mut Request<'_, ()>| "Hello World!"))
        .route("/chunked", respond(Method::Get, chunked))
        .route("/fixed", respond(Method::Get, fixed))
        .route("/ten", respond(Method::Get, ten))
        .route("/dropped", respond(Method::Get, dropped))
        .route("/fails", respond(Method::Get, fails))
        .route("/bad-field", respond(Method::Get, bad_field))
        .route("/no-content", respond(Method::Get, no_content))
        .route("/reset-content", respond(Method::Get, reset_content))
        .route("/endless", respond(Method::Get, endless))
        .route("/both", respond(Method::Post, both))
        .route("/echo", respond(Method::Post, echo))
}

const SIZES: [(usize, usize); 9] =
    [(0, 1), (1, 1), (20, 1), (20, 20), (255, 7), (256, 256), (257, 300), (5_000, 100), (5_000, 5_000)];

#[test]
fn a_stream_of_unknown_length_is_chunked() {
    for (bytes, piece) in SIZES {
        for settings in [small(16), Settings::default()] {
            let requests = get(&format!("/chunked?bytes={bytes}&piece={piece}")) + &get("/hello");
            let answers = every_way(app, settings, &requests);
            let [stream, hello] = &answers.responses()[..] else { panic!("{answers:?}") };
            assert_eq!(stream.field("transfer-encoding"), Some("chunked"));
            assert_eq!((stream.text(), stream.field("x-a")), (&*text(bytes), Some("1")), "{bytes} by {piece}");
            assert_eq!(stream.field("content-type"), Some("application/octet-stream"));
            assert_eq!(hello.text(), "Hello World!");
            assert!(!stream.says_close());
        }
    }
}

#[test]
fn a_stream_of_known_length_tells_it() {
    for (bytes, piece) in SIZES {
        for settings in [small(16), Settings::default()] {
            let requests = get(&format!("/fixed?bytes={bytes}&piece={piece}")) + &get("/hello");
            let answers = every_way(app, settings, &requests);
            let [stream, hello] = &answers.responses()[..] else { panic!("{answers:?}") };
            assert_eq!(stream.field("content-length"), Some(&*bytes.to_string()));
            assert_eq!((stream.status, stream.text()), (201, &*text(bytes)), "{bytes} by {piece}");
            assert_eq!(stream.field("content-type"), Some("text/plain"));
            assert_eq!(hello.text(), "Hello World!");
        }
    }
}

// RFC 9112 section 6.1: chunks must not be sent to a client of HTTP/1.0; only a close ends the body.
#[test]
fn a_client_of_http_1_0_gets_a_stream_until_the_close() {
    for keep_alive in ["", "Connection: keep-alive\r\n"] {
        let stream = request("GET", "/chunked?bytes=700&piece=9", keep_alive, "").replace("1.1", "1.0");
        let answers = every_way(app, small(16), stream + &get("/hello"));
        let response = answers.response();
        assert!(response.says_close() && answers.closed && !answers.reset);
        assert_eq!((response.field("transfer-encoding"), response.field("content-length")), (None, None));
        assert_eq!(response.text(), text(700));
        assert_eq!(answers.ended, [EndReason::PeerAsked]);
        // Beside it: a length lets the connection stay.
        let fixed = request("GET", "/fixed?bytes=70&piece=9", keep_alive, "").replace("1.1", "1.0");
        let answers = every_way(app, small(16), fixed);
        assert_eq!(answers.response().text(), text(70));
        assert_eq!(answers.closed, keep_alive.is_empty());
    }
}

#[test]
fn the_head_of_a_stream_is_all_that_a_head_gets() {
    for target in ["/chunked?bytes=700&piece=9", "/fixed?bytes=700&piece=9", "/ten?bytes=3", "/no-content"] {
        let requests = request("HEAD", target, "", "") + &get("/hello");
        let answers = every_way(app, small(16), &requests);
        let head = responses_to("HG", &answers.bytes);
        assert_eq!((head.len(), answers.closed), (2, false), "{target}");
        if target.starts_with("/ten") || target == "/no-content" {
            continue;
        }
        let got = feed(app(), small(16), [get(target).as_bytes()]).response();
        assert_eq!((head[0].status, &head[0].fields), (got.status, &got.fields), "{target}");
    }
}

#[test]
fn a_stream_of_a_status_without_a_body_is_silent() {
    let answers = every_way(app, small(16), get("/no-content") + &get("/hello"));
    assert_eq!(answers.statuses(), [204, 200]);
    assert!(answers.bytes.starts_with(b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200"));
    let answers = every_way(app, small(16), get("/reset-content") + &get("/hello"));
    assert_eq!(answers.statuses(), [205, 200]);
    assert!(answers.bytes.starts_with(b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200"));
}

/// A stream of a status without content ends at its head, as one for HEAD does: its handler is dropped there.
#[test]
fn an_endless_stream_of_a_status_without_a_body_ends_at_its_head() {
    for (query, head) in [
        ("status=204", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("status=205", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"),
        ("status=205&length=5", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"),
        ("status=304", "HTTP/1.1 304 Not Modified\r\n\r\n"),
        ("status=304&length=5", "HTTP/1.1 304 Not Modified\r\n\r\n"),
    ] {
        let mut server = Server::with(app(), small(16));
        let (client, ended) = (server.connect(), ENDED.get());
        client.send(get(&format!("/endless?{query}")) + &get("/hello"));
        server.run();
        assert_eq!(ENDED.get(), ended + 1, "{query}");
        let text = client.received_text();
        assert!(text.starts_with(&(head.to_owned() + "HTTP/1.1 200 OK\r\n")), "{query}: {text}");
    }
}

/// A peer that takes nothing before it has sent all is read from while the response waits for it.
#[test]
fn a_handler_that_reads_and_writes_at_once_gets_both() {
    let mut server = Server::with(app(), small(16));
    let client = server.connect();
    client.set_window(0);
    let before = READ.get();
    client.send(request("POST", "/both?bytes=5000&piece=100", "", &text(4_000)));
    server.run();
    assert_eq!(READ.get() - before, 4_000, "all of the body, while nothing is taken");
    assert_eq!(client.received_text(), "");
    let calls = server.calls();
    server.run();
    assert_eq!(server.calls(), calls, "nothing spins");
    client.set_window(usize::MAX);
    server.run();
    assert_eq!(responses(&client.received())[0].body, text(5_000).as_bytes());
}

#[test]
fn what_is_not_as_announced_is_reset_and_not_padded() {
    for (bytes, piece, fine) in
        [(10, 1, true), (10, 10, true), (9, 3, false), (0, 1, false), (11, 1, false), (11, 11, false)]
    {
        let answers =
            feed(app(), small(16), [(get(&format!("/ten?bytes={bytes}&piece={piece}")) + &get("/hello")).as_bytes()]);
        if fine {
            assert_eq!(answers.statuses(), [200, 200], "{bytes} by {piece}");
            assert!(!answers.reset);
            continue;
        }
        assert!(answers.reset && answers.closed, "{bytes} by {piece}");
        assert_eq!(answers.ended, [EndReason::Aborted], "{bytes} by {piece}");
        let body =
            answers.bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| answers.bytes.len() - at - 4);
        assert!(body <= 10, "{bytes} by {piece}: {answers:?}");
        assert!(body < 10 || bytes > 10, "{bytes} by {piece}: {answers:?}");
        assert!(!answers.bytes.ends_with(b"Hello World!"));
    }
}

#[test]
fn a_stream_that_breaks_off_is_reset_without_a_last_chunk() {
    for target in ["/dropped", "/fails"] {
        let answers = every_way(app, small(16), get(target) + &get("/hello"));
        assert!(answers.reset, "{target}");
        assert_eq!(answers.ended, [EndReason::Aborted], "{target}");
        assert!(!answers.bytes.ends_with(b"0\r\n\r\n"), "{target}");
        assert!(!answers.bytes.windows(5).any(|five| five == b"Hello"), "{target}");
    }
}

#[test]
fn a_stream_that_cannot_begin_is_an_ordinary_error() {
    let answers = every_way(app, small(16), get("/bad-field") + &get("/hello"));
    assert_eq!(answers.statuses(), [500, 200]);
    assert!(!answers.closed);
}

#[test]
fn a_stream_waits_while_its_peer_does_not_read() {
    for target in ["/chunked?bytes=5000&piece=100", "/fixed?bytes=5000&piece=100"] {
        let mut server = Server::with(app(), small(16));
        let (slow, other) = (server.connect(), server.connect());
        slow.set_window(100);
        slow.send(get(target));
        let mut bytes = Vec::new();
        for _ in 0..1_000 {
            server.run();
            let piece = slow.received();
            assert!(piece.len() <= 100);
            bytes.extend(piece);
            other.send(get("/hello"));
            server.run();
            assert_eq!(responses(&other.received()).remove(0).text(), "Hello World!");
        }
        assert_eq!(responses(&bytes).remove(0).text(), text(5_000), "{target}");
    }
}

#[test]
fn bytes_go_out_when_they_are_flushed() {
    async fn ticks<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Answer {
        let mut stream = responder.stream(StatusCode::OK, &[]).await?;
        stream.write(b"tick").await?;
        stream.flush().await;
        stream.write(b"tock").await?;
        // Waits for bytes that the client has yet to send.
        while request.body().read().await?.is_some() {}
        stream.finish().await
    }
    let mut server = Server::new(Router::new().route("/", respond(Method::Post, ticks)));
    let client = server.connect();
    client.send(request("POST", "/", "Content-Length: 2\r\n", ""));
    server.run();
    let first = client.received_text();
    assert!(first.ends_with("\r\n\r\n4\r\ntick\r\n4\r\ntock\r\n"), "{first}");
    client.send("ab");
    server.run();
    assert_eq!(client.received_text(), "0\r\n\r\n");
}

#[test]
fn a_body_is_sent_back_while_it_comes() {
    let mut server = Server::with(app(), small(16));
    let client = server.connect();
    let body = text(1_000);
    client.send(request("POST", "/echo", "Content-Length: 1000\r\n", ""));
    let mut bytes = Vec::new();
    for piece in body.as_bytes().chunks(10) {
        client.send(piece);
        server.run();
        bytes.extend(client.received());
        assert!(bytes.ends_with(b"\r\n") && bytes.windows(10).any(|ten| ten == piece));
    }
    client.send(get("/hello"));
    server.run();
    bytes.extend(client.received());
    let found = responses(&bytes);
    assert_eq!((found[0].text(), found[1].text()), (&*body, "Hello World!"));
}

#[test]
fn a_large_rest_lets_a_stream_say_close_at_its_start() {
    async fn ignores<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Answer {
        let mut stream = responder.stream(StatusCode::OK, &[]).await?;
        stream.write(b"body").await?;
        stream.finish().await
    }
    let app = || {
        Router::new()
            .route("/", respond(Method::Post, ignores))
            .route("/hello", any(async |_: &mut Request<'_, ()>| "x"))
    };
    for (bytes, stays) in [(65_536, true), (65_537, false)] {
        let requests =
            request("POST", "/", &format!("Content-Length: {bytes}\r\n"), "") + &text(bytes) + &get("/hello");
        let answers = feed(app(), Settings::default(), [requests.as_bytes()]);
        assert_eq!(answers.responses()[0].says_close(), !stays);
        assert_eq!(answers.responses().len(), if stays { 2 } else { 1 });
    }
}

#[test]
fn a_body_of_any_length_is_sent_back_and_the_connection_stays() {
    let limits = tenure::Limits { drain_bytes_max: 100, ..tenure::Limits::HOST };
    for bytes in [100, 101, 5_000] {
        let body = text(bytes);
        let head = request("POST", "/echo", &format!("Content-Length: {bytes}\r\n"), "");
        let requests = [head.as_bytes(), body.as_bytes(), get("/hello").as_bytes()].concat();
        // The head alone first: nothing of the body is there when the response begins.
        let (first, rest) = requests.split_at(head.len());
        let answers = feed(app(), Settings { limits, ..Settings::default() }, [first, rest]);
        let found = answers.responses();
        assert_eq!(found.len(), 2, "{bytes}");
        assert_eq!((found[0].text(), found[0].says_close(), found[1].text()), (&*body, false, "Hello World!"));
    }
}

#[test]
fn the_observer_is_told_of_a_streams_bytes() {
    for target in ["/chunked?bytes=700&piece=9", "/fixed?bytes=700&piece=300", "/no-content"] {
        for settings in [small(16), Settings::default()] {
            let mut server = Server::with(app(), settings);
            let client = server.connect();
            client.send(get(target));
            server.run();
            let told = sent(&server.events());
            let answers = answers(&server, &client);
            assert_eq!(told, [(answers.response().status, answers.bytes.len() as u64)], "{target}");
        }
    }
}

#[test]
fn what_borrows_the_request_is_sent_through_the_responder() {
    async fn borrows<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Answer {
        let target = request.target();
        responder.send((StatusCode::ACCEPTED, [("X-Target", target)], target)).await
    }
    let app = || Router::new().route("/{*rest}", respond(Method::Get, borrows));
    let answers = every_way(app, small(16), get("/a?b"));
    assert_eq!((answers.response().status, answers.response().text()), (202, "/a?b"));
    assert_eq!(answers.response().field("x-target"), Some("/a?b"));
}
