//! How many requests a peer may send, and what a client sees that sends more.

mod support;

use support::{every_way, get, post, post_chunked, request, responses, small};
use tenure::{
    Error, Failed, Handler, Next, PeerAddress, Rate, Request, Router, Sent, any,
    kit::{Client, Server, Settings},
    websocket,
};

async fn hello(_: &mut Request<'_, ()>) -> &'static str {
    "hello"
}

async fn reads(request: &mut Request<'_, ()>) -> Result<usize, Error> {
    Ok(request.body().whole().await?.len())
}

fn statuses(server: &mut Server<()>, client: &Client, bytes: &str) -> Vec<u16> {
    client.send(bytes);
    server.run();
    responses(&client.received()).iter().map(|response| response.status).collect()
}

fn peer(address: &str) -> PeerAddress {
    PeerAddress::Ip((address.parse::<std::net::IpAddr>().unwrap(), 1).into())
}

#[test]
fn at_below_and_above_the_rate() {
    let app = Router::new().route("/", any(hello)).rate(Rate::<4>::per_s(2).at_once(3));
    let mut server = Server::new(app);
    let client = server.connect();
    assert_eq!(statuses(&mut server, &client, &get("/").repeat(2)), [200, 200]);
    assert_eq!(statuses(&mut server, &client, &get("/").repeat(2)), [200, 429]);
    server.advance(499);
    assert_eq!(statuses(&mut server, &client, &get("/")), [429]);
    server.advance(1);
    assert_eq!(statuses(&mut server, &client, &get("/").repeat(2)), [200, 429]);
    server.advance(100_000);
    assert_eq!(statuses(&mut server, &client, &get("/").repeat(4)), [200, 200, 200, 429]);
    assert!(!client.is_closed());
}

/// A request counts when it is asked for, not when it arrived: one that had to wait for a lane gives its peer no second.
#[test]
fn a_request_counts_from_when_it_begins() {
    let slow = async |request: &mut Request<'_, ()>| request.sleep(std::time::Duration::from_secs(5)).await;
    let app = Router::new().route("/slow", any(slow)).route("/", any(hello).rate(Rate::<4>::per_s(1)));
    let mut server = Server::with(app, Settings { lanes_max: 1, ..Settings::default() });
    let (busy, waits) = (server.connect(), server.connect_from(peer("192.0.2.1")));
    busy.send(get("/slow"));
    waits.send(get("/"));
    server.advance(4_999);
    assert_eq!(waits.received_text(), "");
    server.advance(1);
    assert!(busy.received_text().starts_with("HTTP/1.1 200 ") && waits.received_text().starts_with("HTTP/1.1 200 "));
    server.advance(999);
    assert_eq!(statuses(&mut server, &waits, &get("/")), [429]);
    server.advance(1);
    assert_eq!(statuses(&mut server, &waits, &get("/")), [200]);
}

/// A peer may have many connections, and a port of its own on each.
#[test]
fn a_peer_is_an_address() {
    let app = Router::new().route("/", any(hello)).rate(Rate::<4>::per_s(1));
    let mut server = Server::new(app);
    for (address, status) in [
        ("192.0.2.1", 200),
        ("192.0.2.1", 429),
        ("::ffff:192.0.2.1", 429),
        ("192.0.2.2", 200),
        ("2001:db8::1", 200),
        ("2001:db8::2", 429),
        ("2001:db8:0:1::1", 200),
    ] {
        let client = server.connect_from(peer(address));
        assert_eq!(statuses(&mut server, &client, &get("/")), [status], "{address}");
    }
    let local = server.connect_from(PeerAddress::Unix);
    assert_eq!(statuses(&mut server, &local, &get("/").repeat(3)), [200; 3]);
}

#[test]
fn who_has_not_come_for_longest_is_forgotten() {
    let app = Router::new().route("/", any(hello)).rate(Rate::<2>::per_s(1));
    let mut server = Server::new(app);
    let clients = [1, 2, 3].map(|number| server.connect_from(peer(&format!("192.0.2.{number}"))));
    for (number, status) in [(0, 200), (1, 200), (0, 429), (2, 200), (0, 429), (1, 200)] {
        assert_eq!(statuses(&mut server, &clients[number], &get("/")), [status], "{number}");
    }
}

/// What is refused says when to come again, keeps its connection, and goes to the page for errors.
#[test]
fn the_refusal() {
    async fn guard<'r, H: Handler<()>>(request: &mut Request<'r, ()>, next: Next<'_, 'r, H>) -> Result<Sent, Error> {
        next.run(request).await
    }
    let plain = || Router::new().route("/", any(hello)).route("/reads", any(reads)).rate(Rate::<1>::per_min(1));
    let layered = || {
        let inside = Router::new().route("/", any(hello)).route("/reads", any(reads)).fields([("X-Inside", "1")]);
        let rated = inside.wrap(guard).rate(Rate::<1>::per_min(1)).fields([("X-Outside", "1"), ("Retry-After", "no")]);
        rated.errors(|failed: &Failed<'_>| format!("{failed}\n"))
    };
    for bytes in [
        get("/"),
        request("HEAD", "/", "", ""),
        post("/reads", "12345"),
        post_chunked("/reads", "12345", &[2]),
        get("/nothing"),
    ] {
        for settings in [Settings::default(), small(64)] {
            let head = if bytes.starts_with("HEAD") { "GET / HTTP/1.1\r\nHost: a\r\n\r\n" } else { "" };
            let bytes = get("/") + &bytes + head;
            for (has_fields, answers) in
                [(false, every_way(plain, settings, &bytes)), (true, every_way(layered, settings, &bytes))]
            {
                let heads = if head.is_empty() { "GG" } else { "GHG" };
                let mut refused = support::responses_to(heads, &answers.bytes).into_iter().skip(1);
                let response = refused.next().unwrap();
                assert_eq!((response.status, response.field("retry-after")), (429, Some("60")), "{bytes}");
                let own = [response.field("x-inside"), response.field("x-outside")];
                assert_eq!(own, if has_fields { [Some("1"); 2] } else { [None; 2] }, "{bytes}");
                assert!(heads.len() == 3 || response.text() == "too many requests: come again later\n", "{bytes}");
                assert!(!response.says_close() && !answers.closed, "{bytes}");
            }
        }
    }
}

/// Layers count each for itself; a shared one counts for all of its routes.
#[test]
fn layers_within_layers() {
    static SHARED: Rate<4> = Rate::per_min(2);
    let own = any(hello).rate(Rate::<4>::per_min(1));
    let shared = || Router::new().route("/", any(hello)).rate(&SHARED);
    let app = Router::new().route("/own", own).nest("/a", shared()).nest("/b", shared()).rate(Rate::<4>::per_min(6));
    let mut server = Server::new(app);
    let client = server.connect();
    for (target, status) in
        [("/own", 200), ("/own", 429), ("/a", 200), ("/b", 200), ("/a", 429), ("/b", 429), ("/nothing", 429)]
    {
        assert_eq!(statuses(&mut server, &client, &get(target)), [status], "{target}");
    }
}

#[test]
fn what_stays_open_is_rated_where_it_begins() {
    let app = || {
        let enter = async |_: &mut Request<'_, ()>| Ok(tenure::Upgrade::websocket());
        let said = async |message: &mut tenure::Message<'_, ()>| {
            let text = message.text()?;
            message.send(tenure::Frame::text(text)).await
        };
        Router::new().route("/chat", websocket(enter, said)).rate(Rate::<4>::per_min(1))
    };
    let mut server = Server::new(app());
    let first = server.websocket("/chat");
    for word in ["one", "two", "three"] {
        first.say(word);
        server.run();
        assert_eq!(first.texts(), [word]);
    }
    let client = server.connect();
    assert_eq!(statuses(&mut server, &client, &get("/chat")), [429]);
}
