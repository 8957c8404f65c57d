//! Whether a connection goes on, and what the response says of it: RFC 9112 section 9.

mod support;

use support::{answers, every_way, feed, get, post, post_chunked, request, text};
use tenure::{
    EndReason, Error, Handler, Limits, Refusal, Request, Router, StatusCode, any,
    kit::{Server, Settings},
};

fn app() -> impl Handler<()> {
    let echo = async |request: &mut Request<'_, ()>| request.body().limit(100).whole().await.map(<[u8]>::to_vec);
    let close = async |request: &mut Request<'_, ()>| {
        request.close();
        "closing"
    };
    let fails = async |request: &mut Request<'_, ()>| {
        request.close();
        Error::internal("why")
    };
    Router::new()
        .route("/", any(echo))
        .route("/get", tenure::get(async |_: &mut Request<'_, ()>| "got"))
        .route("/close", any(close))
        .route("/close-fails", any(fails))
        .route("/ignore", any(async |_: &mut Request<'_, ()>| StatusCode::OK))
        .route("/400", any(async |_: &mut Request<'_, ()>| Error::bad_request("no")))
        .route("/500", any(async |_: &mut Request<'_, ()>| Error::internal("no")))
        .route("/panic", any(async |_: &mut Request<'_, ()>| -> &'static str { panic!("a handler panics") }))
}

/// What a connection does behind one request, and what the response says.
#[track_caller]
fn persists(bytes: &str) -> (bool, Option<String>) {
    let answers = every_way(app, Settings::default(), bytes.to_owned() + &get("/get"));
    let responses = answers.responses();
    let persists = responses.len() == 2;
    assert_eq!(answers.closed, !persists, "{bytes}");
    assert!(!answers.reset, "{bytes}");
    if persists {
        assert_eq!(responses[1].text(), "got", "{bytes}");
        assert!(!responses[1].says_close(), "{bytes}");
    }
    (persists, responses[0].field("connection").map(str::to_owned))
}

#[test]
fn what_the_request_asks_for() {
    let (stays, keeps, closes) =
        ((true, None), (true, Some("keep-alive".to_owned())), (false, Some("close".to_owned())));
    for (version, fields, wanted) in [
        ("1.1", "", &stays),
        ("1.1", "Connection: keep-alive\r\n", &stays),
        ("1.1", "Connection: close\r\n", &closes),
        ("1.1", "connection: CLOSE\r\n", &closes),
        ("1.1", "Connection: foo, close ,bar\r\n", &closes),
        ("1.1", "Connection: foo\r\nConnection: close\r\n", &closes),
        ("1.1", "Connection: ,,close,\r\n", &closes),
        ("1.1", "Connection: closed, not-close\r\n", &stays),
        ("1.1", "Connection: close, keep-alive\r\n", &closes),
        ("1.1", "Connection:\r\n", &stays),
        ("1.1", "X-Connection: close\r\n", &stays),
        ("1.2", "", &stays),
        ("1.9", "Connection: close\r\n", &closes),
        ("1.0", "", &closes),
        ("1.0", "Connection: keep-alive\r\n", &keeps),
        ("1.0", "Connection: Keep-Alive\r\n", &keeps),
        ("1.0", "Connection: foo,keep-alive\r\n", &keeps),
        ("1.0", "Connection: keep-alive, close\r\n", &closes),
        ("1.0", "Connection: close\r\n", &closes),
    ] {
        for body in ["", "abc"] {
            let bytes = request("POST", "/", fields, body).replace("HTTP/1.1", &format!("HTTP/{version}"));
            assert_eq!(&persists(&bytes), wanted, "{bytes}");
        }
    }
}

// espressif/esp-idf#15162: `Connection: close` was ignored.
#[test]
fn a_client_that_asks_for_a_close_gets_it() {
    let answers = feed(app(), Settings::default(), [request("GET", "/get", "Connection: close\r\n", "").as_bytes()]);
    assert!(answers.response().says_close() && answers.closed);
    assert_eq!(answers.ended, [EndReason::PeerAsked]);
}

#[test]
fn a_client_of_http_1_0_needs_no_host() {
    let bytes = "GET /get HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_owned() + "GET /get HTTP/1.0\r\n\r\n";
    let answers = every_way(app, Settings::default(), bytes);
    let found: Vec<_> =
        answers.responses().iter().map(|response| response.field("connection").map(str::to_owned)).collect();
    assert_eq!(found, [Some("keep-alive".to_owned()), Some("close".to_owned())]);
}

#[test]
fn errors_keep_the_connection_where_the_framing_is_certain() {
    let large = text(101);
    for (bytes, status, stays) in [
        (get("/nothing"), 404, true),
        (post("/nothing", "abc"), 404, true),
        (post_chunked("/nothing", "abc", &[1]), 404, true),
        (request("PUT", "/get", "", "abc"), 405, true),
        (request("FOO", "/get", "", "abc"), 501, true),
        (get("/400"), 400, true),
        (post("/400", "abc"), 400, true),
        (get("/500"), 500, true),
        (get("/panic"), 500, true),
        (post("/panic", "abc"), 500, true),
        (post("/", &large), 413, true),
        (post_chunked("/", &large, &[50]), 413, true),
        // Beside them: the framing is not certain, or a handler asks for it.
        (post("/", "abc").replace("Length: 3", "Length: +3"), 400, false),
        (get("/").replace("/1.1", "/2.0"), 505, false),
        (get("/close"), 200, false),
        (get("/close-fails"), 500, false),
    ] {
        let answers = every_way(app, Settings::default(), bytes.clone() + &get("/get"));
        let wanted = if stays { vec![status, 200] } else { vec![status] };
        assert_eq!(answers.statuses(), wanted, "{bytes}");
        assert_eq!((answers.closed, answers.responses()[0].says_close()), (!stays, !stays), "{bytes}");
    }
}

#[test]
fn every_close_has_its_reason() {
    let limits = Limits { drain_bytes_max: 10, ..Limits::HOST };
    for (bytes, reason) in [
        (request("GET", "/get", "Connection: close\r\n", ""), EndReason::PeerAsked),
        (get("/get").replace("1.1", "1.0"), EndReason::PeerAsked),
        (get("/close"), EndReason::Handler),
        (post("/ignore", "12345678901"), EndReason::Unread),
        (post_chunked("/ignore", "12345678901", &[3]), EndReason::Unread),
        (request("POST", "/ignore", "Expect: 100-continue\r\nContent-Length: 1\r\n", ""), EndReason::Unread),
        (get("/").replace("Host", "Host "), EndReason::Protocol(Refusal::SpaceBeforeColon)),
    ] {
        // Before it, one that ended otherwise, so that no reason is left over from that.
        for before in [String::new(), get("/get"), get("/400"), get("/panic"), post("/ignore", "1234567890")] {
            let settings = Settings { limits, ..Settings::default() };
            let behind = if bytes.contains("Expect") { String::new() } else { get("/get") };
            let answers = feed(app(), settings, [(before.clone() + &bytes + &behind).as_bytes()]);
            let responses = answers.responses();
            assert_eq!(responses.len(), if before.is_empty() { 1 } else { 2 }, "{before}{bytes}");
            assert!(responses.last().unwrap().says_close(), "{before}{bytes}");
            assert_eq!(answers.ended, [reason], "{before}{bytes}");
        }
    }
}

#[test]
fn a_server_that_stops_says_so_in_what_it_still_answers() {
    let mut server = Server::new(app());
    let (client, idle) = (server.connect(), server.connect());
    idle.send(get("/get"));
    client.send(request("POST", "/", "Content-Length: 3\r\n", "") + "a");
    server.run();
    assert_eq!(answers(&server, &idle).statuses(), [200]);
    server.stop();
    assert!(idle.is_closed());
    client.send("bc");
    server.run();
    let stopped = answers(&server, &client);
    assert_eq!(stopped.response().text(), "abc");
    assert!(stopped.response().says_close() && stopped.closed);
    assert_eq!(stopped.ended, [EndReason::Shutdown]);
}

#[test]
fn a_connection_that_is_closed_from_outside_says_so_where_it_still_can() {
    let mut server = Server::new(app());
    let client = server.connect();
    client.send(request("POST", "/", "Content-Length: 3\r\n", ""));
    server.run();
    assert!(server.close(client.id().unwrap()));
    client.send("abc".to_owned() + &get("/get"));
    server.run();
    let closed = answers(&server, &client);
    assert_eq!(closed.response().text(), "abc");
    assert!(closed.response().says_close());
    assert_eq!(closed.ended, [EndReason::Closed]);
}

// RFC 9112 section 2.2: at least one, which some clients send behind a body.
#[test]
fn two_empty_lines_may_stand_before_a_request() {
    for (bytes, statuses) in [
        ("\r\n".to_owned() + &get("/get"), &[200][..]),
        (get("/get") + "\r\n" + &get("/get"), &[200, 200]),
        (post("/", "abc") + "\r\n" + &get("/get") + "\r\n", &[200, 200]),
        (post_chunked("/", "abc", &[1]) + "\r\n" + &get("/get"), &[200, 200]),
        ("\r\n\r\n".to_owned() + &get("/get"), &[200]),
        (post("/", "abc") + "\r\n\r\n" + &get("/get") + "\r\n\r\n", &[200, 200]),
        ("\r\n\r\n\r\n".to_owned() + &get("/get"), &[400]),
        ("\r\nx".to_owned() + &get("/get"), &[501]),
        (" \r\n".to_owned() + &get("/get"), &[400]),
    ] {
        let answers = every_way(app, Settings::default(), &bytes);
        assert_eq!(answers.statuses(), statuses, "{bytes:?}");
        assert_eq!(answers.closed, statuses == [400], "{bytes:?}");
    }
}

#[test]
fn mixed_requests_in_one_segment_are_answered_in_order() {
    let bytes = [
        get("/get"),
        post("/", "one"),
        request("HEAD", "/get", "", ""),
        post_chunked("/", "two", &[2]),
        get("/nothing"),
        request("PUT", "/get", "", "unread"),
        post("/ignore", &text(1_000)),
        post("/", &text(101)),
        get("/500"),
        post_chunked("/400", &text(40), &[7]),
        "\r\n".to_owned() + &get("/get"),
        request("POST", "/", "Connection: close\r\n", "last"),
        get("/get"),
    ]
    .concat();
    for settings in [Settings::default(), support::small(128)] {
        let answers = every_way(app, settings, &bytes);
        let found = support::responses_to("GGHGGGGGGGGG", &answers.bytes);
        let statuses: Vec<_> = found.iter().map(|response| response.status).collect();
        assert_eq!(statuses, [200, 200, 200, 200, 404, 405, 200, 413, 500, 400, 200, 200]);
        let closing: Vec<_> = found.iter().map(support::Response::says_close).collect();
        assert_eq!(closing, [[false; 11].as_slice(), &[true]].concat());
        assert_eq!((found[1].text(), found[3].text(), found[11].text()), ("one", "two", "last"));
        assert_eq!(answers.ended, [EndReason::PeerAsked]);
    }
}

#[test]
fn what_stands_before_a_refusal_is_answered_and_nothing_behind_it() {
    let bytes = get("/get") + &post("/", "abc") + "GET / HTTP/1.1\r\nHost : a\r\n\r\n" + &get("/get");
    let answers = every_way(app, Settings::default(), bytes);
    assert_eq!(answers.statuses(), [200, 200, 400]);
    let closing: Vec<_> = answers.responses().iter().map(support::Response::says_close).collect();
    assert_eq!(closing, [false, false, true]);
}

// A FIN does not cancel what has been asked already.
#[test]
fn requests_received_before_a_close_are_answered() {
    for requests in [1, 3, 200] {
        let mut server = Server::with(app(), support::small(16));
        let client = server.connect();
        client.send((get("/get") + &post("/", "abc")).repeat(requests));
        client.close();
        server.run();
        let answers = answers(&server, &client);
        assert_eq!(answers.statuses(), [200].repeat(2 * requests));
        assert!(answers.closed && !answers.reset);
        assert_eq!(answers.ended, [EndReason::PeerClosed]);
    }
}
