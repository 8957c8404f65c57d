//! What `esp_http_server`'s own test scripts check, row by row, and every refusal as its client sees it.

mod support;

use std::{
    cell::RefCell,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};
use support::{Answers, answers, every_way, feed, get, post, request, responses, text};
use tenure::{
    EndReason, Error, Eviction, Handler, Limits, Method, Refusal, Request, Responder, Router, Sent, Session,
    StatusCode, Switch, any,
    kit::{Client, Server, Settings},
    put, respond,
};

/// What one client has added up, and where its end is noted.
struct Adder {
    sum: i64,
    ends: Ends,
}

type Ends = Rc<RefCell<Vec<(i64, EndReason)>>>;

impl Session for Adder {
    fn end(self, reason: EndReason) {
        self.ends.borrow_mut().push((self.sum, reason));
    }
}

static HELLO: Switch = Switch::on();

async fn hello(_: &mut Request<'_, Adder>) -> &'static str {
    "Hello World!"
}

async fn echo(request: &mut Request<'_, Adder>) -> Result<Vec<u8>, Error> {
    Ok(request.body().whole().await?.to_vec())
}

async fn test_header(request: &mut Request<'_, Adder>) -> Option<String> {
    request.field("Header2").map(str::to_owned)
}

async fn leftover(request: &mut Request<'_, Adder>) -> Result<Vec<u8>, Error> {
    let mut ten = Vec::new();
    while ten.len() < 10
        && let Some(piece) = request.body().read_up_to(10 - ten.len()).await?
    {
        ten.extend_from_slice(piece);
    }
    Ok(ten)
}

async fn control(request: &mut Request<'_, Adder>) -> Result<(), Error> {
    HELLO.set(request.body().parse::<u8>().await? != 0);
    Ok(())
}

/// Something outside of the server that happens now and then.
#[derive(Clone, Default)]
struct Ticker(Rc<RefCell<(u32, Vec<Waker>)>>);

impl Ticker {
    fn tick(&self) {
        let mut ticker = self.0.borrow_mut();
        ticker.0 += 1;
        ticker.1.drain(..).for_each(Waker::wake);
    }

    /// Pending until it has ticked that often.
    async fn ticked(&self, times: u32) {
        poll_fn(|context| {
            let mut ticker = self.0.borrow_mut();
            if ticker.0 >= times {
                return Poll::Ready(());
            }
            ticker.1.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

fn app(ends: &Ends) -> impl Handler<Adder> + use<> {
    let ends = ends.clone();
    let add = async move |request: &mut Request<'_, Adder>| -> Result<i64, Error> {
        let number: i64 = request.body().parse().await?;
        let adder = request.session_or_insert_with(|| Adder { sum: 0, ends: ends.clone() });
        adder.sum += number;
        Ok(adder.sum)
    };
    Router::new()
        .route("/hello", tenure::get(hello))
        .route("/switched", tenure::get(hello).when(&HELLO))
        .route("/hello/type_html", tenure::get(hello))
        .route("/hello/status_500", tenure::get(async |_: &mut Request<'_, Adder>| StatusCode::INTERNAL_SERVER_ERROR))
        .route("/echo", tenure::post(echo).put(echo))
        .route("/test_header", tenure::get(test_header))
        .route("/adder", tenure::post(add))
        .route("/leftover_data", tenure::post(leftover))
        .route("/ctrl", put(control))
}

fn server(settings: Settings) -> (Server<Adder>, Ends) {
    let ends = Ends::default();
    (Server::with(app(&ends), settings), ends)
}

#[track_caller]
fn asked(bytes: impl AsRef<[u8]>) -> Answers {
    every_way(|| app(&Ends::default()), Settings::default(), bytes)
}

fn ask(server: &mut Server<Adder>, client: &Client, bytes: &str) -> (u16, String) {
    client.send(bytes);
    server.run();
    let response = responses(&client.received()).remove(0);
    (response.status, response.text().to_owned())
}

#[test]
fn hello_world() {
    let answers = asked(get("/hello") + &request("PUT", "/hello", "", "x") + &post("/hello", "x") + &get("/hello"));
    assert_eq!(answers.statuses(), [200, 405, 405, 200]);
    let hello = &answers.responses()[0];
    assert_eq!((hello.text(), hello.field("content-type")), ("Hello World!", Some("text/plain; charset=utf-8")));
}

#[test]
fn echo_of_post_and_put() {
    let answers = asked(post("/echo", "body") + &request("PUT", "/echo", "", "other") + &get("/echo"));
    assert_eq!(answers.statuses(), [200, 200, 405]);
    assert_eq!((answers.responses()[0].text(), answers.responses()[1].text()), ("body", "other"));
}

#[test]
fn fields_lose_their_surrounding_blanks() {
    for (line, value) in [("Header2:", ""), ("Header2:  \t", ""), ("Header2: \t padded value \t", "padded value")] {
        let answers = asked(request("GET", "/test_header", &format!("Header1: x\r\n{line}\r\nHeader3: y\r\n"), ""));
        assert_eq!((answers.response().status, answers.response().text()), (200, value), "{line:?}");
    }
    assert_eq!(asked(get("/test_header")).response().status, 404);
}

#[test]
fn status_and_type() {
    let answers = asked(get("/hello/type_html") + &get("/hello/status_500") + &get("/unknown"));
    assert_eq!(answers.statuses(), [200, 500, 404]);
    assert_eq!(answers.responses()[0].field("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn every_socket_has_its_own_sum() {
    let (mut server, ends) = server(Settings::default());
    let clients: Vec<_> = (0..100).map(|_| server.connect()).collect();
    for (client, n) in clients.iter().zip(1..) {
        client.send(post("/adder", &format!("{n}")).repeat(3));
    }
    server.run();
    for (client, n) in clients.iter().zip(1..) {
        let sums: Vec<_> = responses(&client.received()).iter().map(|response| response.text().to_owned()).collect();
        assert_eq!(sums, [n, 2 * n, 3 * n].map(|sum: i64| sum.to_string()));
    }
    for (at, client) in clients.iter().enumerate() {
        if at.is_multiple_of(2) { client.close() } else { client.reset() }
    }
    server.run();
    let mut sums: Vec<_> = ends.borrow().iter().map(|(sum, _)| *sum).collect();
    sums.sort_unstable();
    assert_eq!(sums, (1..=100).map(|n| 3 * n).collect::<Vec<_>>(), "each ended once");
}

#[test]
fn leftover_data_is_purged() {
    let body = text(54);
    let answers = asked(post("/leftover_data", &body) + &get("/hello"));
    let found = answers.responses();
    assert_eq!(found[0].text(), &body[..10]);
    assert_eq!(found[1].text(), "Hello World!");
}

#[test]
fn as_many_clients_as_sockets_are_served() {
    let settings = Settings { connections_max: 7, lanes_max: 2, eviction: Eviction::Never, ..Settings::default() };
    let (mut server, _) = server(settings);
    let clients: Vec<_> = (0..8).map(|_| server.connect()).collect();
    for client in &clients {
        client.send(get("/hello"));
    }
    server.run();
    let served: Vec<_> = clients.iter().map(|client| client.received().is_empty()).collect();
    assert_eq!(served, [false, false, false, false, false, false, false, true]);
    clients[3].close();
    server.run();
    assert_eq!(responses(&clients[7].received()).remove(0).text(), "Hello World!");
}

/// By default those without a session make room with their answers.
#[test]
fn more_clients_than_sockets_are_served() {
    let (mut server, _) = server(Settings { connections_max: 7, lanes_max: 2, ..Settings::default() });
    let clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for client in &clients {
        client.send(get("/hello"));
    }
    server.run();
    for client in &clients {
        assert_eq!(responses(&client.received()).remove(0).text(), "Hello World!");
        assert!(!client.is_reset());
    }
}

#[test]
fn half_a_method_and_silence_is_408() {
    let (mut server, _) = server(Settings::default());
    let client = server.connect();
    client.send("GE");
    server.advance(9_999);
    assert_eq!(client.received(), b"");
    server.advance(100);
    let answers = answers(&server, &client);
    assert_eq!(answers.response().status, 408);
    assert!(answers.response().says_close() && answers.closed);
    server.advance(60_000);
    assert!(client.is_closed());
}

#[test]
fn fifty_kibibytes_come_back() {
    let body = text(50 * 1024);
    let settings = Settings { body_bytes: 64 * 1024, ..Settings::default() };
    for pieces in [1, 10, 1_000] {
        let bytes = post("/echo", &body) + &get("/hello");
        let answers = feed(app(&Ends::default()), settings, bytes.as_bytes().chunks(bytes.len().div_ceil(pieces)));
        assert_eq!(answers.statuses(), [200, 200], "{pieces}");
        assert!(answers.responses()[0].text() == body, "{pieces}");
    }
}

#[test]
fn line_ends() {
    for (bytes, strict, lenient) in [
        ("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 200, 200),
        ("GET /hello HTTP/1.1\nHost: a\n\n", 400, 200),
        ("GET /hello HTTP/1.1\r\nHost: a\n\r\n", 400, 200),
        ("GET /hello HTTP/1.1\nHost: a\r\n\n", 400, 200),
        ("GET /hello HTTP/1.1\r\nHost: a\r\n\n", 400, 200),
        ("\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400, 200),
        ("GET /hello HTTP/1.1\rHost: a\r\r", 400, 400),
        ("GET /hello HTTP/1.1\r\nHost: a\r \r\n\r\n", 400, 400),
        ("GET /hello HTTP/1.1\n\rHost: a\n\r\n\r", 400, 400),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nno-colon\r\n\r\n", 400, 400),
    ] {
        for (tolerate_lone_lf, status) in [(false, strict), (true, lenient)] {
            let limits = Limits { tolerate_lone_lf, ..Limits::HOST };
            let settings = Settings { limits, ..Settings::default() };
            let answers = every_way(|| app(&Ends::default()), settings, bytes);
            assert_eq!(answers.response().status, status, "{bytes:?}, lone LF: {tolerate_lone_lf}");
            assert_eq!(answers.closed, status != 200, "{bytes:?}, lone LF: {tolerate_lone_lf}");
        }
    }
}

#[test]
fn codes() {
    for (bytes, status) in [
        (get("/hello").replace("1.1", "2.0"), 505),
        (request("ABC", "/hello", "", ""), 501),
        (get("/hello").replace("1.1", "1.1x"), 400),
    ] {
        assert_eq!(asked(&bytes).response().status, status, "{bytes}");
    }
    let (mut server, _) = server(Settings::default());
    let client = server.connect();
    client.send(request("POST", "/echo", "Content-Length: 10\r\n", "") + "abcd");
    server.advance(60_000);
    let answers = answers(&server, &client);
    assert_eq!(answers.response().status, 408);
    assert!(answers.response().says_close() && answers.closed);
    assert_eq!(server.ended().len(), 1);
}

#[test]
fn a_target_and_a_head_at_their_bounds_and_one_above() {
    let limits = Limits { head_bytes_max: 300, target_bytes_max: 100, ..Limits::HOST };
    for input_bytes in [300, 1_024] {
        let settings = Settings { limits, input_bytes, ..Settings::default() };
        let ways = |bytes: String| every_way(|| app(&Ends::default()), settings, bytes).response();
        for (bytes, status) in [(99, 404), (100, 404), (101, 414), (200, 414), (5_000, 414)] {
            let response = ways(get(&("/".to_owned() + &text(bytes - 1))));
            assert_eq!((response.status, response.says_close()), (status, status == 414), "target of {bytes}");
        }
        for (bytes, status) in [(299, 200), (300, 200), (301, 431), (5_000, 431)] {
            let framing = request("GET", "/hello", "X: \r\n", "").len();
            let response = ways(request("GET", "/hello", &format!("X: {}\r\n", text(bytes - framing)), ""));
            assert_eq!((response.status, response.says_close()), (status, status == 431), "head of {bytes}");
        }
    }
    // The input's buffer bounds a head too.
    let settings = Settings { input_bytes: 256, ..Settings::default() };
    for (bytes, status) in [(256, 200), (257, 431)] {
        let framing = request("GET", "/hello", "X: \r\n", "").len();
        let bytes = request("GET", "/hello", &format!("X: {}\r\n", text(bytes - framing)), "");
        let answers = every_way(|| app(&Ends::default()), settings, &bytes);
        assert_eq!(answers.response().status, status, "{}", bytes.len());
    }
}

#[test]
fn a_target_is_taken_away_and_given_back() {
    let (mut server, ends) = server(Settings::default());
    let (client, controller) = (server.connect(), server.connect());
    let control = |number: &str| post("/ctrl", number).replace("POST", "PUT");
    assert_eq!(ask(&mut server, &client, &post("/adder", "7")), (200, "7".to_owned()));
    assert_eq!(ask(&mut server, &client, &get("/switched")).0, 200);
    assert_eq!(ask(&mut server, &controller, &control("0")).0, 200);
    assert_eq!(ask(&mut server, &client, &get("/switched")).0, 404);
    assert_eq!(ask(&mut server, &client, &post("/adder", "7")), (200, "14".to_owned()), "the session is kept");
    assert_eq!(ask(&mut server, &controller, &control("1")).0, 200);
    assert_eq!(ask(&mut server, &client, &get("/switched")).0, 200);
    assert!(ends.borrow().is_empty());
}

#[test]
fn long_streams_do_not_hold_short_requests_up() {
    const TICKS: u32 = 60;
    let ticker = Ticker::default();
    let ticks = ticker.clone();
    let stream = async move |_: &mut Request<'_, ()>, responder: Responder<'_>| -> Result<Sent, Error> {
        let mut stream = responder.stream(StatusCode::OK, &[]).await?;
        for tick in 1..=TICKS {
            ticks.ticked(tick).await;
            stream.write(b"tick").await?;
        }
        stream.finish().await
    };
    let app = Router::new()
        .route("/stream", respond(Method::Get, stream).waits_long())
        .route("/hello", any(async |_: &mut Request<'_, ()>| "Hello World!"));
    let mut server = Server::with(app, Settings { lanes_max: 3, ..Settings::default() });
    let long = [server.connect(), server.connect()];
    let short = [server.connect(), server.connect(), server.connect()];
    for client in &long {
        client.send(get("/stream"));
    }
    server.run();
    let mut bytes = [long[0].received(), long[1].received()];
    for tick in 1..=TICKS {
        server.advance(1_000);
        ticker.tick();
        for client in &short {
            client.send(get("/hello"));
        }
        server.run();
        for client in &short {
            assert_eq!(responses(&client.received()).remove(0).text(), "Hello World!", "{tick}");
        }
        for (client, bytes) in long.iter().zip(&mut bytes) {
            let piece = client.received_text();
            assert_eq!(piece, if tick < TICKS { "4\r\ntick\r\n" } else { "4\r\ntick\r\n0\r\n\r\n" }, "{tick}");
            bytes.extend(piece.into_bytes());
        }
    }
    for bytes in &bytes {
        assert_eq!(responses(bytes).remove(0).text(), "tick".repeat(60));
    }
}

#[test]
fn twenty_clients_on_seven_sockets_with_eviction() {
    let (mut server, ends) =
        server(Settings { connections_max: 7, eviction: Eviction::LeastRecentlyUsed, ..Settings::default() });
    let clients: Vec<_> = (1..=20)
        .map(|n| {
            let client = server.connect();
            let sum = ask(&mut server, &client, &post("/adder", &n.to_string()));
            assert_eq!(sum, (200, n.to_string()));
            server.advance(10);
            client
        })
        .collect();
    let evicted: Vec<_> = ends.borrow().iter().map(|(sum, _)| *sum).collect();
    assert_eq!(evicted, (1..=13).collect::<Vec<_>>(), "the least recently used first, each once");
    assert!(ends.borrow().iter().all(|(_, reason)| matches!(reason, EndReason::Evicted { .. })));
    assert!(clients[..13].iter().all(Client::is_closed));
    assert_eq!(ask(&mut server, &clients[13], &post("/adder", "1")), (200, "15".to_owned()));
}

/// A request that is refused so, and the nearest one that is not.
fn refused(refusal: Refusal) -> Option<(String, String)> {
    let get = |fields: &str| request("GET", "/hello", fields, "");
    let line = |line: &str| format!("{line}\r\nHost: a\r\n\r\n");
    let fine = get("");
    let chunked = |body: &str| request("POST", "/echo", "Transfer-Encoding: chunked\r\n", "") + body;
    let long = text(200);
    Some(match refusal {
        Refusal::BadMethod => (line("G(T /hello HTTP/1.1"), fine),
        Refusal::MethodTooLong => (text(400).replace(' ', "a"), fine),
        Refusal::BadTarget => (line("GET /hel<lo HTTP/1.1"), line("GET /hello?%3C HTTP/1.1")),
        Refusal::BadTargetForm => (line("GET hello HTTP/1.1"), line("GET /hello HTTP/1.1")),
        Refusal::BlankInTarget => (line("GET /hello\t HTTP/1.1"), line("GET /hello?%09 HTTP/1.1")),
        Refusal::BadVersion => (line("GET /hello HTTP/1.1 "), line("GET /hello HTTP/1.1")),
        Refusal::UnsupportedVersion => (line("GET /hello HTTP/2.0"), line("GET /hello HTTP/1.2")),
        Refusal::BadLineEnd => (get("X: a\rb\r\n"), get("X: a b\r\n")),
        Refusal::BadFieldName => (get("X@: a\r\n"), get("X!: a\r\n")),
        Refusal::SpaceBeforeColon => (get("X : a\r\n"), get("X: a\r\n")),
        Refusal::BadFieldValue => (get("X: a\0b\r\n"), get("X: a\tb\r\n")),
        Refusal::ObsoleteFolding => (get("X: a\r\n b\r\n"), get("X: a\r\nb:\r\n")),
        Refusal::HostMissing => (fine.replace("Host", "Most"), fine.replace("1.1", "1.0").replace("Host", "Most")),
        Refusal::HostRepeated => (get("Host: a\r\n"), get("Hosts: a\r\n")),
        Refusal::BadHost => (fine.replace(": a", ": a/b"), fine.replace(": a", ": a:80")),
        Refusal::BadContentLength => (get("Content-Length: +0\r\n"), get("Content-Length: 00\r\n")),
        Refusal::ContentLengthsDiffer => (get("Content-Length: 0, 1\r\n"), get("Content-Length: 0, 0\r\n")),
        Refusal::LengthAndEncoding => (
            request("POST", "/echo", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", ""),
            request("POST", "/echo", "Content-Length: 0\r\n", ""),
        ),
        Refusal::EncodingInHttp10 => (chunked("0\r\n\r\n").replace("/1.1", "/1.0"), chunked("0\r\n\r\n")),
        Refusal::ChunkedNotLast => (chunked("").replace("chunked", "chunked, chunked"), chunked("0\r\n\r\n")),
        Refusal::UnsupportedCoding => (chunked("").replace("chunked", "gzip, chunked"), chunked("0\r\n\r\n")),
        Refusal::Connect => (line("CONNECT a:80 HTTP/1.1"), line("GET /hello HTTP/1.1")),
        Refusal::SchemeNotServed => (line("GET https://a/hello HTTP/1.1"), line("GET http://a/hello HTTP/1.1")),
        Refusal::UnmetExpectation => (get("Expect: x\r\n"), get("Expect: 100-continue\r\n")),
        Refusal::HeadTooLarge => (get(&format!("X: {long}{long}\r\n")), get(&format!("X: {long}\r\n"))),
        Refusal::TargetTooLong => (line(&format!("GET /hello?{long} HTTP/1.1")), line("GET /hello?long HTTP/1.1")),
        Refusal::BadChunkSize => (chunked("1g\r\n"), chunked("1\r\ng\r\n0\r\n\r\n")),
        Refusal::ChunkSizeTooLong => (chunked(&"0".repeat(33)), chunked(&("0".repeat(32) + "\r\n\r\n"))),
        Refusal::ChunkExtensionTooLong => {
            (chunked(&format!("0;{}", "a".repeat(256))), chunked(&format!("0;{}\r\n\r\n", "a".repeat(255))))
        }
        Refusal::TrailerTooLong => {
            (chunked(&format!("0\r\n{}", "a".repeat(1025))), chunked(&format!("0\r\na:{}\r\n\r\n", "b".repeat(1020))))
        }
        Refusal::BadChunkExtension => (chunked("1;=\r\n"), chunked("1;a=b\r\ng\r\n0\r\n\r\n")),
        Refusal::BadChunkEnd => (chunked("1\r\ngg"), chunked("1\r\ng\r\n0\r\n\r\n")),
        Refusal::BadTrailer => (chunked("0\r\na b\r\n\r\n"), chunked("0\r\na:b\r\n\r\n")),
        Refusal::HeadTimeout => ("GET /hello HTT".to_owned(), fine),
        Refusal::BodyTimeout => (post("/echo", "abc").replace("abc", "ab"), post("/echo", "abc")),
        _ => return None,
    })
}

#[test]
fn every_refusal_reaches_the_client() {
    let limits = Limits { head_bytes_max: 400, target_bytes_max: 100, ..Limits::HOST };
    let settings = Settings { limits, ..Settings::default() };
    for &refusal in Refusal::ALL {
        let (bad, good) = refused(refusal).unwrap_or_else(|| panic!("{refusal:?} has no case here"));
        let taken = every_way(|| app(&Ends::default()), settings, &good);
        assert_eq!(taken.response().status, 200, "{refusal:?}: {good:?}");

        let (server, client) = {
            let mut server = Server::with(app(&Ends::default()), settings);
            let client = server.connect();
            client.send(&bad);
            server.advance(20_000);
            (server, client)
        };
        let late = matches!(refusal, Refusal::HeadTimeout | Refusal::BodyTimeout);
        let answers =
            if late { answers(&server, &client) } else { every_way(|| app(&Ends::default()), settings, &bad) };
        let response = answers.response();
        assert_eq!(response.status, refusal.status().code(), "{refusal:?}: {bad:?}");
        assert_eq!(response.phrase, refusal.status().phrase(), "{refusal:?}: {bad:?}");
        let detail =
            response.text().strip_prefix(refusal.reason()).unwrap_or_else(|| panic!("{refusal:?}: {response:?}"));
        let bound = match refusal {
            Refusal::HeadTooLarge => " (at most 400 bytes)\n",
            Refusal::TargetTooLong => " (at most 100 bytes)\n",
            _ => "\n",
        };
        assert!(detail == bound || detail.starts_with(" (byte "), "{refusal:?}: {response:?}");
        assert_eq!(response.field("content-type"), Some("text/plain; charset=utf-8"), "{refusal:?}: {bad:?}");
        // Those that come with a whole head end nothing.
        let stays = matches!(
            refusal,
            Refusal::BadTarget | Refusal::BadTargetForm | Refusal::SchemeNotServed | Refusal::UnmetExpectation
        );
        assert_eq!((response.says_close(), answers.closed), (!stays, !stays), "{refusal:?}: {bad:?}");
        if !late && !stays {
            assert_eq!(answers.ended, [EndReason::Protocol(refusal)], "{bad:?}");
        }
    }
}

#[test]
fn any_method_is_a_token() {
    let app = || Router::new().route("/", any(async |request: &mut Request<'_, ()>| request.method_token().to_owned()));
    for method in ["A", "a-b.c!#$%&'*+^_`|~", &text(60).to_uppercase()] {
        assert_eq!(every_way(app, Settings::default(), request(method, "/", "", "")).response().text(), method);
    }
}
