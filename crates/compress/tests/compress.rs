//! What is compressed, what is not, and what the response says of it.

use std::io::Read;

use flate2::read::GzDecoder;
use serde::Serialize;
use tenure::{
    Error, Html, IntoResponse, Json, Method, Outcome, Reply, Request, Responder, Router, Sent, StatusCode, any, get,
    kit::{Client, Server, Settings},
    respond,
};
use tenure_compress::{Compressed, CompressedStream, compressed};

/// One response, its chunks put together.
#[derive(Debug)]
struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn of(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head") + 4;
        let (head, mut rest) = bytes.split_at(end);
        let head = String::from_utf8(head.to_vec()).unwrap();
        let mut body = rest.to_vec();
        if head.contains("\r\nTransfer-Encoding: chunked\r\n") {
            body.clear();
            while let Some(end) = rest.windows(2).position(|bytes| bytes == b"\r\n") {
                let length = usize::from_str_radix(str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
                body.extend_from_slice(&rest[end + 2..end + 2 + length]);
                rest = &rest[end + 4 + length..];
            }
        }
        Response { status: head[9..12].parse().unwrap(), head, body }
    }

    fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// What a client makes of it.
    fn decoded(&self) -> Vec<u8> {
        if self.field("content-encoding").is_none() {
            return self.body.clone();
        }
        assert_eq!(self.field("content-encoding"), Some("gzip"));
        let mut decoded = Vec::new();
        GzDecoder::new(&*self.body).read_to_end(&mut decoded).unwrap();
        decoded
    }
}

const GZIP: &str = "Accept-Encoding: gzip\r\n";

fn ask(server: &mut Server<()>, client: &Client, method: &str, target: &str, fields: &str) -> Response {
    client.send(format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    server.run();
    assert!(!client.is_closed());
    Response::of(&client.received())
}

/// Outputs that hold little and much, so that a response is asked once and many times.
fn settings() -> [Settings; 2] {
    [256, 16_384].map(|output_bytes| Settings { output_bytes, ..Settings::default() })
}

/// What a handler that returns that is answered, with fields of the request.
fn answered<R: IntoResponse + 'static>(make: fn() -> R, method: &str, fields: &str) -> Response {
    let mut answers = settings().map(|settings| {
        let handler = compressed(async move |_: &mut Request<'_, ()>| make());
        let mut server = Server::with(Router::new().route("/", any(handler)), settings);
        let client = server.connect();
        ask(&mut server, &client, method, "/", fields)
    });
    assert_eq!((&answers[0].head, &answers[0].body), (&answers[1].head, &answers[1].body));
    std::mem::replace(&mut answers[0], Response { status: 0, head: String::new(), body: Vec::new() })
}

fn text(bytes: usize) -> String {
    "one line of many\n".chars().cycle().take(bytes).collect()
}

/// Accept-Encoding decides, with its weights.
#[test]
fn what_the_client_accepts() {
    for (fields, is_packed) in [
        ("", false),
        (GZIP, true),
        ("accept-encoding: br, gzip;q=0.1\r\n", true),
        ("Accept-Encoding: br\r\n", false),
        ("Accept-Encoding: *\r\n", true),
        ("Accept-Encoding: gzip;q=0\r\n", false),
        ("Accept-Encoding: gzip;q=0.5, identity\r\n", false),
        ("Accept-Encoding: gzip;q=0.5, identity;q=0.4\r\n", true),
        ("Accept-Encoding: identity;q=0\r\n", false),
        ("Accept-Encoding: deflate\r\nAccept-Encoding: x-gzip\r\n", true),
    ] {
        let answer = answered(|| text(5_000), "GET", fields);
        assert_eq!(answer.field("content-encoding"), is_packed.then_some("gzip"), "{fields}");
        assert_eq!(answer.field("vary"), Some("Accept-Encoding"), "{fields}");
        assert_eq!(answer.field("content-type"), Some("text/plain; charset=utf-8"), "{fields}");
        assert_eq!(answer.field("content-length"), Some(&*answer.body.len().to_string()), "{fields}");
        assert_eq!(answer.body.len() < 500, is_packed, "{fields}");
        assert_eq!(answer.decoded(), text(5_000).into_bytes(), "{fields}");
    }
}

/// Who is left as it is gets no field of ours, at both ends of the bounds.
#[test]
fn bounds_of_a_body() {
    fn of(bytes: usize) -> Response {
        let mut server = Server::new(Router::new().route(
            "/{bytes}",
            get(compressed(async |request: &mut Request<'_, ()>| -> Result<String, Error> {
                let bytes = request.parameter("bytes").ok_or(Error::internal("it has one"))?.parse()?;
                Ok(text(bytes))
            })),
        ));
        let client = server.connect();
        ask(&mut server, &client, "GET", &format!("/{bytes}"), GZIP)
    }
    for (bytes, is_packed) in
        [(0, false), (255, false), (256, true), (1 << 20, true), ((1 << 20) + 1, false), (1_100_000, false)]
    {
        let answer = of(bytes);
        assert_eq!(answer.field("content-encoding").is_some(), is_packed, "{bytes}");
        assert_eq!(answer.field("vary").is_some(), is_packed, "{bytes}");
        assert_eq!(answer.decoded().len(), bytes);
    }
}

/// A response stays as it is beside the nearest one that does not.
#[test]
fn what_is_left_as_it_is() {
    type Fields = [(&'static str, &'static str); 1];
    fn with(name: &'static str, value: &'static str) -> (Fields, String) {
        ([(name, value)], text(1_000))
    }
    fn of<R: IntoResponse + 'static>(make: fn() -> R, is_packed: bool) {
        let answer = answered(make, "GET", GZIP);
        assert_eq!(answer.field("content-encoding") == Some("gzip"), is_packed, "{}", answer.head);
    }
    of(|| with("Content-Type", "image/svg+xml"), true);
    of(|| with("Content-Type", "image/png"), false);
    of(|| with("Content-Type", "Application/JSON; charset=utf-8"), true);
    of(|| with("Content-Type", "text/event-stream"), false);
    of(|| with("Content-Encoding", "br"), false);
    of(|| with("Content-Range", "bytes 0-999/2000"), false);
    of(|| (StatusCode::PARTIAL_CONTENT, text(1_000)), false);
    of(|| with("Repr-Digest", "sha-256=:AA==:"), false);
    of(|| with("Cache-Control", "max-age=5, No-Transform"), false);
    of(|| with("Cache-Control", "max-age=5"), true);
    of(|| ([("Cache-Control", "public"), ("cache-control", "no-transform")], text(1_000)), false);
    of(|| ([("Cache-Control", "public"), ("cache-control", "no-cache")], text(1_000)), true);
    of(|| (StatusCode::CONFLICT, text(1_000)), true);
    of(|| StatusCode::NO_CONTENT, false);
    of(|| StatusCode::NOT_MODIFIED, false);
    of(|| (StatusCode::RESET_CONTENT, text(1_000)), false);
    of(|| Html(text(1_000)), true);
    of(|| vec![b'x'; 1_000], true);
    // What gets no smaller: bytes of a generator, as good as random.
    of(
        || {
            let mut state = 1u64;
            (0..1_000)
                .map(|_| (state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1), (state >> 56) as u8).1)
                .collect::<Vec<u8>>()
        },
        false,
    );
}

#[test]
fn a_head_says_what_its_get_says() {
    for fields in ["", GZIP] {
        let [head, whole] = ["HEAD", "GET"].map(|method| answered(|| text(1_000), method, fields));
        assert_eq!(head.head, whole.head);
        assert!(head.body.is_empty() && !whole.body.is_empty());
    }
}

/// RFC 9110 section 8.8.3.3: other bytes have no strong tag in common.
#[test]
fn entity_tags_become_weak() {
    fn tagged() -> ([(&'static str, &'static str); 1], String) {
        ([("ETag", "\"a1\"")], text(1_000))
    }
    fn weak() -> ([(&'static str, &'static str); 1], String) {
        ([("ETag", "W/\"a1\"")], text(1_000))
    }
    assert_eq!(answered(tagged, "GET", GZIP).field("etag"), Some("W/\"a1\""));
    assert_eq!(answered(tagged, "GET", "").field("etag"), Some("\"a1\""));
    assert_eq!(answered(weak, "GET", GZIP).field("etag"), Some("W/\"a1\""));
}

#[test]
fn other_fields_stay_and_vary_is_said_once() {
    fn fields() -> ([(&'static str, &'static str); 3], String) {
        ([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Vary", "accept-encoding")], text(1_000))
    }
    let answer = answered(fields, "GET", GZIP);
    assert!(answer.head.contains("\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"));
    assert_eq!(answer.head.to_ascii_lowercase().matches("vary").count(), 1);
    // Those of a layer are the server's to add.
    let handler = compressed(async |_: &mut Request<'_, ()>| text(1_000));
    let mut server = Server::new(Router::new().route("/", get(handler)).fields([("Server", "x"), ("Vary", "Origin")]));
    let client = server.connect();
    let answer = ask(&mut server, &client, "GET", "/", GZIP);
    assert_eq!((answer.field("server"), answer.field("content-encoding")), (Some("x"), Some("gzip")));
    assert_eq!(answer.head.matches("\r\nVary: ").count(), 2);
}

#[derive(Serialize)]
struct Row {
    number: usize,
    name: &'static str,
}

fn rows(count: usize) -> Json<Vec<Row>> {
    Json((0..count).map(|number| Row { number, name: "a row" }).collect())
}

/// JSON is counted before it is written, and written in parts where it is long.
#[test]
fn json() {
    for count in [1, 10, 100, 3_000, 60_000] {
        let make = move || rows(count);
        for accepted in ["", GZIP] {
            let [own, plain] = [true, false].map(|is_compressed| {
                let mut server = if is_compressed {
                    Server::new(Router::new().route("/", get(compressed(async move |_: &mut Request<'_, ()>| make()))))
                } else {
                    Server::new(Router::new().route("/", get(async move |_: &mut Request<'_, ()>| make())))
                };
                let client = server.connect();
                ask(&mut server, &client, "GET", "/", accepted)
            });
            assert_eq!(own.decoded(), plain.body, "{count}");
            assert_eq!(own.field("content-type"), Some("application/json"), "{count}");
            assert_eq!(own.field("content-encoding").is_some(), !accepted.is_empty() && (10..60_000).contains(&count));
        }
    }
}

/// Too long a response is looked at once; then it is asked as often as without us.
#[test]
fn what_is_too_long_is_looked_at_once() {
    /// Tells how often it is asked.
    struct Asked(usize, std::rc::Rc<std::cell::Cell<usize>>);
    impl IntoResponse for Asked {
        fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
            self.1.set(self.1.get() + 1);
            reply.text("a".repeat(self.0))
        }
    }
    fn asked(bytes: usize, is_compressed: bool) -> usize {
        let count = std::rc::Rc::<std::cell::Cell<usize>>::default();
        let of = count.clone();
        let plain = async move |_: &mut Request<'_, ()>| Asked(bytes, of.clone());
        let router = Router::new();
        let answer = if is_compressed {
            let mut server = Server::new(router.route("/", get(compressed(plain))));
            let client = server.connect();
            ask(&mut server, &client, "GET", "/", GZIP)
        } else {
            let mut server = Server::new(router.route("/", get(plain)));
            let client = server.connect();
            ask(&mut server, &client, "GET", "/", GZIP)
        };
        assert_eq!(answer.decoded().len(), bytes);
        count.get()
    }
    // To look at it takes as many pieces of 16 KiB as there are in 1 MiB, and one more.
    for bytes in [1 << 20, (1 << 20) + 20_000, 3 << 20] {
        let own = if bytes > 1 << 20 { asked(bytes, false) } else { 0 };
        assert!(asked(bytes, true) <= own + 66, "{bytes}: {} {own}", asked(bytes, true));
    }
}

#[test]
fn an_error_goes_out_as_ever() {
    let handler = compressed(async |request: &mut Request<'_, ()>| -> Result<String, Error> {
        match request.query() {
            Some("bad") => Err(Error::conflict("no").because(text(500))),
            _ => Ok(text(1_000)),
        }
    });
    let mut server = Server::new(Router::new().route("/", get(handler)));
    let client = server.connect();
    let failed = ask(&mut server, &client, "GET", "/?bad", GZIP);
    assert_eq!((failed.status, failed.field("content-encoding"), failed.field("vary")), (409, None, None));
    assert!(failed.body.starts_with(b"one line"));
    assert_eq!(ask(&mut server, &client, "GET", "/", GZIP).field("content-encoding"), Some("gzip"));
}

async fn echo<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
    responder.send(Compressed::new(request, request.target())).await
}

/// A response may borrow from its request.
#[test]
fn through_a_responder() {
    let mut server = Server::new(Router::new().route("/{*rest}", respond(Method::Get, echo)));
    let client = server.connect();
    let target = format!("/{}", "ab".repeat(500));
    let answer = ask(&mut server, &client, "GET", &target, GZIP);
    assert_eq!((answer.field("content-encoding"), answer.decoded()), (Some("gzip"), target.into_bytes()));
}

/// Writes a line for each, and flushes behind the second.
async fn lines<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
    let mut stream =
        CompressedStream::begin(request, responder, StatusCode::OK, &[("Content-Type", "text/plain")]).await?;
    stream.write(b"one\n").await?;
    stream.write(b"two\n").await?;
    if request.query() == Some("flush") {
        stream.flush().await?;
        std::future::pending::<()>().await;
    }
    for _ in 0..200 {
        stream.write(b"").await?;
        stream.write(text(40_000).as_bytes()).await?;
    }
    stream.finish().await
}

#[test]
fn streams() {
    for settings in settings() {
        for fields in ["", GZIP] {
            let mut server = Server::with(Router::new().route("/", respond(Method::Get, lines)), settings);
            let client = server.connect();
            let answer = ask(&mut server, &client, "GET", "/", fields);
            assert_eq!(answer.field("content-encoding").is_some(), !fields.is_empty());
            assert_eq!((answer.field("vary"), answer.field("etag")), (Some("Accept-Encoding"), None));
            assert_eq!(answer.decoded(), (String::from("one\ntwo\n") + &text(40_000).repeat(200)).into_bytes());
            assert!(fields.is_empty() || answer.body.len() < 100_000);
            let head = ask(&mut server, &client, "HEAD", "/", fields);
            assert_eq!(head.head, answer.head);
            assert!(head.body.is_empty());
        }
    }
}

/// What has been flushed can be read, although the response has no end yet.
#[test]
fn a_flush_lets_the_client_read_on() {
    let mut server = Server::new(Router::new().route("/", respond(Method::Get, lines)));
    let client = server.connect();
    client.send("GET /?flush HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    server.run();
    let received = client.received();
    let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let chunks = [&received[end..], b"0\r\n\r\n"].concat();
    let answer = Response::of(&[&received[..end], &chunks].concat());
    let mut read = [0; 8];
    GzDecoder::new(&*answer.body).read_exact(&mut read).unwrap();
    assert_eq!(&read, b"one\ntwo\n");
}
