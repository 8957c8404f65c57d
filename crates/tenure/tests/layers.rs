//! What every response of some routes carries: fields of layers, CORS.

mod support;

use support::{Response, every_way, feed, get, post, post_chunked, request, responses, responses_to, small, text};
use tenure::{
    Cors, Error, Events, Failed, Frame, Handler, Limits, Message, Method, Next, Request, Responder, Router, Secured,
    Sent, StatusCode, Upgrade, any, events,
    kit::{Server, Settings},
    put, respond, websocket,
};

/// The values of the fields of that name.
fn values(response: &Response, name: &str) -> Vec<String> {
    let named = response.fields.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.clone()).collect()
}

async fn streams<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
    let mut stream = responder.stream(StatusCode::OK, &[("X-Own", "1")]).await?;
    stream.write(b"streamed").await?;
    stream.finish().await
}

async fn echoes<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
    request.body().whole().await?;
    responder.send(request.target()).await
}

async fn passes<'r, H: Handler<()>>(request: &mut Request<'r, ()>, next: Next<'_, 'r, H>) -> Result<Sent, Error> {
    match request.query() {
        Some("refuse") => Err(Error::new(StatusCode::FORBIDDEN, "keep out")),
        _ => next.run(request).await,
    }
}

/// A service around which a test puts layers.
macro_rules! service {
    () => {
        Router::new()
            .route("/", any(async |_: &mut Request<'_, ()>| "root"))
            .route("/number", any(async |_: &mut Request<'_, ()>| 42))
            .route("/empty", any(async |_: &mut Request<'_, ()>| StatusCode::NO_CONTENT))
            .route("/own", any(async |_: &mut Request<'_, ()>| ([("x-frame-options", "SAMEORIGIN")], "own")))
            .route("/long", any(async |_: &mut Request<'_, ()>| text(1_000)))
            .route("/fails", any(async |_: &mut Request<'_, ()>| Error::conflict("no").field("Retry-After", "1")))
            .route("/panics", any(async |_: &mut Request<'_, ()>| -> () { panic!("on purpose") }))
            .route("/waits", any(async |_: &mut Request<'_, ()>| std::future::pending::<()>().await))
            .route("/body", tenure::post(async |request: &mut Request<'_, ()>| request.body().parse::<i64>().await))
            .route("/echo", respond(Method::Post, echoes))
            .route("/stream", respond(Method::Get, streams))
            .nest("/nest", Router::new().route("/put", put(async |_: &mut Request<'_, ()>| "put")))
    };
}

const FIELDS: [(&str, &str); 2] = [("X-Frame-Options", "DENY"), ("Server", "x")];

#[test]
fn every_response_carries_the_fields_of_a_layer() {
    let app = || service!().fields(FIELDS);
    let wrapped = || service!().fields(FIELDS).wrap(passes).errors(|failed: &Failed<'_>| failed.message().to_owned());
    let limits = Limits { head_bytes_max: 200, body_bytes_max: 20, ..Limits::HOST };
    for (bytes, status, body) in [
        (get("/"), 200, "root"),
        (get("/number"), 200, "42"),
        (get("/empty"), 204, ""),
        (get("/long"), 200, &*text(1_000)),
        (get("/fails"), 409, "no"),
        (get("/nothing"), 404, "there is no such target here"),
        (get("/nest/nothing"), 404, "there is no such target here"),
        (get("/nest/put"), 405, "this target has no such method: see Allow"),
        (request("OPTIONS", "/nest/put", "", ""), 204, ""),
        (request("OPTIONS", "*", "", ""), 204, ""),
        (request("FOO", "/nest/put", "", ""), 501, "this method is not known here"),
        (get("/stream"), 200, "streamed"),
        (post("/body", "12"), 200, "12"),
        (post("/echo", "123456789"), 200, "/echo"),
        (post_chunked("/echo", "123456789", &[4]), 200, "/echo"),
        (post_chunked("/", "123456789", &[4]), 200, "root"),
        (post("/body", &"1".repeat(21)), 413, ""),
        (get("/").replace("Host", "Host "), 400, ""),
        (get("/a<b"), 400, ""),
        (get("/").replace("1.1", "2.0"), 505, ""),
        (request("GET", "/", &format!("X: {}\r\n", text(200)), ""), 431, ""),
        ("GET /number HTTP/1.0\r\n\r\n".to_owned(), 200, "42"),
        ("GET /stream HTTP/1.0\r\n\r\n".to_owned(), 200, "streamed"),
    ] {
        for settings in [Settings { limits, ..Settings::default() }, Settings { limits, ..small(64) }] {
            // Pipelined behind a response that fills the output, too.
            for before in ["", "/number", "/long"] {
                let bytes = if before.is_empty() { bytes.clone() } else { get(before) + &bytes };
                for answers in [every_way(app, settings, &bytes), every_way(wrapped, settings, &bytes)] {
                    let response = answers.responses().pop().unwrap();
                    assert_eq!(response.status, status, "{bytes}");
                    assert!(response.text().starts_with(body), "{bytes}: {response:?}");
                    for (name, value) in FIELDS {
                        assert_eq!(values(&response, name), [value], "{bytes}: {response:?}");
                    }
                    assert!(!answers.reset, "{bytes}");
                }
            }
        }
    }
    // A HEAD has what its GET has.
    for target in ["/", "/number", "/long", "/stream", "/nothing", "/fails"] {
        let of = |method: &str| feed(app(), small(64), [request(method, target, "", "").as_bytes()]).bytes;
        let (head, whole) = (responses_to("H", &of("HEAD")).remove(0), responses(&of("GET")).remove(0));
        assert_eq!(head.fields, whole.fields, "{target}");
        assert_eq!(values(&head, "server"), ["x"], "{target}");
    }
}

#[test]
fn a_handler_that_panics_or_takes_too_long_is_answered_with_the_fields() {
    for settings in [Settings::default(), small(64)] {
        let mut server = Server::with(service!().fields(FIELDS), settings);
        let client = server.connect();
        client.send(get("/panics") + &get("/waits") + &get("/"));
        server.advance(60_000);
        let responses = responses(&client.received());
        assert_eq!(responses.iter().map(|response| response.status).collect::<Vec<_>>(), [500, 503, 200]);
        assert!(responses.iter().all(|response| values(response, "server") == ["x"]));
    }
    // Late heads and bodies.
    for (bytes, status) in [("GE".to_owned(), 408), (request("POST", "/body", "Content-Length: 3\r\n", ""), 408)] {
        let mut server = Server::with(service!().fields(FIELDS), small(64));
        let client = server.connect();
        client.send(&bytes);
        server.advance(60_000);
        let response = responses(&client.received()).remove(0);
        assert_eq!((response.status, values(&response, "server")), (status, vec!["x".to_owned()]), "{bytes}");
    }
}

#[test]
fn what_a_response_or_an_inner_layer_sets_goes_first() {
    let inner = || Router::new().route("/", any(async |_: &mut Request<'_, ()>| "inner"));
    let app = || {
        let vary = inner().fields([("X-Frame-Options", "INNER"), ("Vary", "A"), ("Link", "1"), ("Link", "2")]);
        let method = any(async |_: &mut Request<'_, ()>| ([("Vary", "C")], "method")).fields([("Server", "method")]);
        service!()
            .nest("/inner", vary)
            .route("/method", method)
            .fields([("Vary", "B"), ("Server", "y"), ("Server", "z")])
            .fields(FIELDS)
    };
    for settings in [Settings::default(), small(64)] {
        for (target, name, wanted) in [
            ("/own", "x-frame-options", &["SAMEORIGIN"][..]),
            ("/", "x-frame-options", &["DENY"]),
            ("/inner", "x-frame-options", &["INNER"]),
            ("/inner/nothing", "x-frame-options", &["INNER"]),
            // What is a list adds up; what one layer sets twice stands twice.
            ("/inner", "vary", &["A", "B"]),
            ("/inner", "link", &["1", "2"]),
            ("/inner", "server", &["y", "z"]),
            ("/method", "server", &["method"]),
            ("/method", "vary", &["C", "B"]),
            ("/nothing", "server", &["y", "z"]),
            ("/", "content-type", &["text/plain; charset=utf-8"]),
        ] {
            let response = every_way(app, settings, get(target)).response();
            assert_eq!(values(&response, name), wanted, "{target} {name}: {response:?}");
        }
        // Before there is a request, too.
        let response = every_way(app, settings, get("/").replace("Host", "Host ")).response();
        assert_eq!((values(&response, "server"), response.status), (vec!["y".to_owned(), "z".to_owned()], 400));
    }
}

#[test]
fn fields_are_made_of_the_request() {
    let app = || {
        let made = |request: &Request<'_, ()>| request.field("x-id").map(|id| [("X-Id", id.to_owned())]);
        service!().fields([("Server", "x")]).fields_of(made)
    };
    for (fields, target, wanted) in
        [("", "/", None), ("X-Id: 7\r\n", "/", Some("7")), ("X-Id: 7\r\n", "/none", Some("7"))]
    {
        for settings in [Settings::default(), small(64)] {
            let bytes = request("GET", target, fields, "");
            let response = every_way(app, settings, get("/long") + &bytes).responses().remove(1);
            assert_eq!((response.field("x-id"), response.field("server")), (wanted, Some("x")), "{bytes}");
        }
    }
    // Without a request there is nothing to make them of.
    let refused = every_way(app, Settings::default(), "GET / HTTP/1.1\r\nX-Id: 7\r\nHost : a\r\n\r\n").response();
    assert_eq!((refused.field("x-id"), refused.field("server")), (None, Some("x")));
    // What must not be set is 500, and the next request is answered.
    let bad = || {
        service!()
            .fields_of(|request: &Request<'_, ()>| request.query().map(|_| [("Connection", "close"), ("X-A", "1")]))
    };
    let answers = every_way(bad, Settings::default(), get("/?x") + &get("/"));
    assert_eq!(answers.statuses(), [500, 200]);
    assert_eq!(answers.responses()[0].text(), "Internal Server Error\n");
}

/// Of a cookie that several set, the response's own stands, else the innermost layer's; other cookies stand beside it.
#[test]
fn a_cookie_is_set_by_one_layer() {
    async fn own(request: &mut Request<'_, ()>) -> Result<([(&'static str, &'static str); 2], &'static str), Error> {
        request.response_fields([("Set-Cookie", "a=near"), ("set-cookie", "c=near"), ("Set-Cookie", "d=near")]).await?;
        Ok(([("set-cookie", "a=own; Path=/"), ("Set-Cookie", "A=own")], "set"))
    }
    const FAR: [(&str, &str); 6] = [
        ("Set-Cookie", "a=far"),
        ("Set-Cookie", "ab=far"),
        ("Set-Cookie", "c=far"),
        ("Set-Cookie", "e=far"),
        ("Set-Cookie", "e=far; Path=/e"),
        ("Set-Cookie", "=far"),
    ];
    let app = || Router::new().route("/", tenure::get(own)).fields(FAR);
    let set = values(&every_way(app, Settings::default(), get("/")).response(), "set-cookie");
    let wanted = ["a=own; Path=/", "A=own", "c=near", "d=near", "ab=far", "e=far", "e=far; Path=/e", "=far"];
    assert_eq!(set, wanted);
}

/// A middleware's fields are on what the handler behind it answers, whatever that is; layers have theirs beside them.
#[test]
fn a_request_lets_its_response_carry_fields() {
    async fn marks<'r, H: Handler<()>>(request: &mut Request<'r, ()>, next: Next<'_, 'r, H>) -> Result<Sent, Error> {
        request.response_fields([("X-Mark", "1"), ("Vary", "A")]).await?;
        request.response_fields(None::<[(&str, &str); 1]>).await?;
        match request.query() {
            Some("refuse") => Err(Error::new(StatusCode::FORBIDDEN, "keep out")),
            Some("again") => {
                request.response_fields((vec![("X-Mark", "2".to_owned())], [("Set-Cookie", "a=1")])).await?;
                next.run(request).await
            }
            Some("bad") => {
                request.response_fields([("Connection", "close")]).await?;
                next.run(request).await
            }
            _ => next.run(request).await,
        }
    }
    let app = || service!().wrap(marks);
    let layered = || {
        service!()
            .wrap(marks)
            .errors(|failed: &Failed<'_>| failed.message().to_owned())
            .fields([("Vary", "B"), ("X-Mark", "0")])
    };
    for (bytes, status) in [
        (get("/"), 200),
        (get("/number"), 200),
        (get("/long"), 200),
        (get("/stream"), 200),
        (get("/fails"), 409),
        (get("/nothing"), 404),
        (get("/nest/put"), 405),
        (get("/?refuse"), 403),
        (post("/body", "12"), 200),
        (post("/body", "x"), 400),
        (post_chunked("/echo", "123456789", &[4]), 200),
        ("GET /stream HTTP/1.0\r\n\r\n".to_owned(), 200),
    ] {
        for settings in [Settings::default(), small(64)] {
            for before in ["", "/long"] {
                let bytes = if before.is_empty() { bytes.clone() } else { get(before) + &bytes };
                for (answers, vary) in [
                    (every_way(app, settings, &bytes), &["A"][..]),
                    (every_way(layered, settings, &bytes), &["A", "B"]),
                ] {
                    let response = answers.responses().pop().unwrap();
                    assert_eq!(response.status, status, "{bytes}");
                    assert_eq!((&*values(&response, "x-mark")), ["1"], "{bytes}: {response:?}");
                    assert_eq!(values(&response, "vary"), vary, "{bytes}: {response:?}");
                    assert!(!answers.reset, "{bytes}");
                }
            }
        }
    }
    // What is added later goes first, as an inner layer's does; what is a list adds up.
    let again = every_way(layered, Settings::default(), get("/?again")).response();
    assert_eq!((values(&again, "x-mark"), again.field("set-cookie")), (vec!["2".to_owned()], Some("a=1")));
    let bad = every_way(app, Settings::default(), get("/?bad") + &get("/"));
    assert_eq!(bad.statuses(), [500, 200]);
    assert_eq!(values(&bad.responses()[0], "x-mark"), ["1"]);
    // A panic, and a handler that is too late.
    for settings in [Settings::default(), small(64)] {
        let mut server = Server::with(app(), settings);
        let client = server.connect();
        client.send(get("/panics") + &get("/waits") + &get("/"));
        server.advance(60_000);
        let responses = responses(&client.received());
        assert_eq!(responses.iter().map(|response| response.status).collect::<Vec<_>>(), [500, 503, 200]);
        assert!(responses.iter().all(|response| values(response, "x-mark") == ["1"]), "{responses:?}");
    }
}

/// Of the next request nothing is left, and what has begun is not changed.
#[test]
fn a_requests_fields_are_of_its_own_response() {
    async fn late<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
        let mut stream = responder.stream(StatusCode::OK, &[]).await?;
        let added = request.response_fields([("X-Mark", "1")]).await;
        stream.write(added.map_or_else(|error| error.reason(), |()| "added").as_bytes()).await?;
        stream.finish().await
    }
    let once = async |request: &mut Request<'_, ()>| request.response_fields([("X-Mark", text(100))]).await;
    let app = || service!().route("/late", respond(Method::Get, late)).route("/once", any(once));
    let answers = every_way(app, small(64), get("/once") + &get("/") + &get("/late") + &get("/once"));
    let marks: Vec<_> = answers.responses().iter().map(|response| values(response, "x-mark").len()).collect();
    assert_eq!(marks, [1, 0, 0, 1]);
    assert_eq!(answers.responses()[2].text(), "added");
    // Of more room than there is.
    let large = async |request: &mut Request<'_, ()>| request.response_fields([("X-Mark", text(300))]).await;
    let app = || service!().route("/large", any(large));
    assert_eq!(every_way(app, small(64), get("/large") + &get("/")).statuses(), [500, 200]);
}

/// With the head of a plain response around it the field just fits the output of 256 bytes, or does not.
#[test]
fn fields_have_the_room_that_a_head_leaves() {
    let app = |bytes: usize| move || service!().fields([("X-A", text(bytes))]);
    // An empty line ends the fields of a layer.
    let framing = "HTTP/1.1 204 No Content\r\nX-A: \r\n\r\n\r\n".len();
    for (bytes, status, is_there) in [
        (100, 204, true),
        (256 - framing, 204, true),
        // It fits by itself, but no response with it: without it, then.
        (257 - framing, 500, false),
        (256 - "X-A: \r\n\r\n".len(), 500, false),
        (257 - "X-A: \r\n\r\n".len(), 500, false),
        (1_000, 500, false),
    ] {
        let answers = every_way(app(bytes), small(64), get("/empty") + &get("/empty"));
        for response in answers.responses() {
            assert_eq!((response.status, response.field("x-a").is_some()), (status, is_there), "{bytes}");
        }
        assert!(!answers.closed && !answers.reset, "{bytes}");
    }
}

/// Whoever expects 100 gets it in front of the response, which has its fields still.
#[test]
fn an_interim_response_leaves_the_fields_alone() {
    for bytes in [100, 190, 215] {
        let mut server = Server::with(service!().fields([("X-A", text(bytes))]), small(64));
        let client = server.connect();
        client.send(request("POST", "/body", "Expect: 100-continue\r\nContent-Length: 2\r\n", ""));
        server.run();
        assert_eq!(client.received_text(), "HTTP/1.1 100 Continue\r\n\r\n", "{bytes}");
        client.send("12");
        server.run();
        let response = responses(&client.received()).remove(0);
        let fits = bytes < 150;
        assert_eq!((response.status, response.field("x-a").is_some()), (if fits { 200 } else { 500 }, fits), "{bytes}");
    }
}

/// Something has been built.
fn built<T>(_: T) {}

#[test]
fn a_layer_of_fields_that_must_not_be_set_is_not_built() {
    let cases: [(&str, fn()); 4] = [
        ("reserved", || built(Router::<()>::new().fields([("Content-Length", "1")]))),
        ("no token", || built(Router::<()>::new().fields([("X A", "1")]))),
        ("a line end", || built(Router::<()>::new().fields([("X-A", "a\r\nb")]))),
        ("behind a good one", || built(Router::<()>::new().fields(vec![("X-A", "a"), ("Date", "b")]))),
    ];
    for (case, build) in cases {
        assert!(std::panic::catch_unwind(build).is_err(), "{case}");
    }
    built(Router::<()>::new().fields([("X-A", "a")]).fields(vec![("X-B", "b")]).fields(None::<[(&str, &str); 1]>));
}

#[test]
fn browsers_are_told_to_do_less() {
    let app = || service!().fields(Secured::new());
    let more = || {
        let secured =
            Secured::new().framed_by_own().referrer_policy("same-origin").content_policy("default-src 'self'");
        service!().fields(secured.strict_transport(600))
    };
    let names = [
        "x-content-type-options",
        "x-frame-options",
        "referrer-policy",
        "content-security-policy",
        "strict-transport-security",
    ];
    for target in ["/", "/nothing"] {
        let response = every_way(app, Settings::default(), get(target)).response();
        assert_eq!(
            names.map(|name| response.field(name)),
            [Some("nosniff"), Some("DENY"), Some("no-referrer"), None, None]
        );
        let response = every_way(more, Settings::default(), get(target)).response();
        let wanted = ["nosniff", "SAMEORIGIN", "same-origin", "default-src 'self'", "max-age=600"];
        assert_eq!(names.map(|name| response.field(name)), wanted.map(Some));
    }
}

#[test]
fn streams_of_events_carry_the_fields_and_a_websocket_does_once_it_is_refused() {
    async fn enter(request: &mut Request<'_, ()>) -> Result<Upgrade, Error> {
        if request.query().is_some() { Err(Error::conflict("not now")) } else { Ok(Upgrade::websocket()) }
    }
    async fn said(message: &mut Message<'_, ()>) -> Result<(), Error> {
        let text = message.text()?;
        message.send(Frame::text(text)).await
    }
    let routes = Router::new()
        .route("/events", events(async |_: &mut Request<'_, ()>| Events::new()))
        .route("/chat", websocket(enter, said));
    let mut server = Server::with(routes.fields(FIELDS), small(64));
    let mut head = |bytes: &str| {
        let client = server.connect();
        client.send(bytes);
        server.run();
        let received = client.received_text();
        (received.split(' ').nth(1).unwrap().to_owned(), received.matches("\r\nServer: x\r\n").count())
    };
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (target, fields, wanted) in [
        ("/events", "", ("200", 1)),
        ("/chat", upgrade, ("101", 0)),
        ("/chat", "", ("426", 1)),
        ("/chat?x", upgrade, ("409", 1)),
    ] {
        let (status, count) = head(&request("GET", target, fields, ""));
        assert_eq!((&*status, count), wanted, "{target}");
    }
    // What is open is not disturbed.
    let client = server.connect();
    client.send(request("GET", "/chat", upgrade, ""));
    server.run();
    assert!(client.received_text().ends_with("\r\n\r\n"));
    client.send([0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
    server.run();
    assert_eq!(client.received(), [0x81, 2, b'h', b'i']);
}

/// Of a response: allowed origin, credentials, methods, fields, exposed, age; and all of Vary.
fn cors_of(response: &Response) -> ([Option<&str>; 6], Vec<String>) {
    let names = ["origin", "credentials", "methods", "headers"].map(|name| format!("access-control-allow-{name}"));
    let [origin, credentials, methods, fields] = names.map(|name| response.field(&name));
    let exposed = response.field("access-control-expose-headers");
    (
        [origin, credentials, methods, fields, exposed, response.field("access-control-max-age")],
        values(response, "vary"),
    )
}

const PREFLIGHT: &str = "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-a\r\n";

fn options(target: &str, fields: &str) -> String {
    request("OPTIONS", target, &format!("{PREFLIGHT}{fields}"), "")
}

#[test]
fn listed_origins_may() {
    const CORS: Cors = Cors::origins(&["https://a", "http://b:1"])
        .credentials()
        .fields(&["Content-Type", "X-A"])
        .exposed(&["X-B", "X-C"])
        .max_age(600);
    let app = || service!().errors(|failed: &Failed<'_>| failed.message().to_owned()).cors(CORS);
    let none = ([None; 6], vec!["Origin".to_owned()]);
    let simple = |origin| ([Some(origin), Some("true"), None, None, Some("X-B, X-C"), None], vec!["Origin".to_owned()]);
    let asked = |origin, methods| {
        let fields = [Some(origin), Some("true"), Some(methods), Some("Content-Type, X-A"), None, Some("600")];
        (fields, vec!["Origin".to_owned()])
    };
    let (a, b) = ("Origin: https://a\r\n", "Origin: http://b:1\r\n");
    for (bytes, status, wanted) in [
        (get("/"), 200, none.clone()),
        (request("GET", "/", a, ""), 200, simple("https://a")),
        (request("GET", "/", b, ""), 200, simple("http://b:1")),
        (request("GET", "/", "Origin: https://a:1\r\n", ""), 200, none.clone()),
        (request("GET", "/", "Origin: https://A\r\n", ""), 200, none.clone()),
        (request("GET", "/", "Origin: null\r\n", ""), 200, none.clone()),
        // Errors can be read as well.
        (request("GET", "/nothing", a, ""), 404, simple("https://a")),
        (request("GET", "/nest/put", a, ""), 405, simple("https://a")),
        (request("GET", "/fails", a, ""), 409, simple("https://a")),
        (request("POST", "/body", &(a.to_owned() + "Content-Length: 1\r\n"), "") + "x", 400, simple("https://a")),
        // A handler of its own does not see the preflight: `any` would answer 200.
        (options("/nest/put", a), 204, asked("https://a", "PUT, OPTIONS")),
        (options("/stream", b), 204, asked("http://b:1", "GET, HEAD, OPTIONS")),
        (options("/", a), 204, asked("https://a", "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS")),
        (options("/nest/put", "Origin: https://c\r\n"), 204, none.clone()),
        // No such route.
        (options("/nothing", a), 404, simple("https://a")),
        (options("/nest/nothing", a), 404, simple("https://a")),
        // No preflights.
        (options("/", ""), 200, none.clone()),
        (request("OPTIONS", "/", a, ""), 200, simple("https://a")),
        (request("OPTIONS", "/nest/put", a, ""), 204, simple("https://a")),
        (request("PUT", "/nest/put", &format!("{a}{PREFLIGHT}"), ""), 200, simple("https://a")),
        // Before there is a request.
        (get("/").replace("Host", "Host "), 400, none.clone()),
    ] {
        for settings in [Settings::default(), Settings { output_bytes: 512, ..small(64) }] {
            let answers = every_way(app, settings, &bytes);
            let response = answers.response();
            assert_eq!((response.status, cors_of(&response)), (status, wanted.clone()), "{bytes}: {response:?}");
        }
    }
}

#[test]
fn every_origin_may_without_credentials() {
    let app = || service!().cors(Cors::any().any_field().methods(&[Method::Put, Method::Delete]));
    let (some, nothing) = (Some("*"), Vec::<String>::new());
    let asked = vec!["Access-Control-Request-Headers".to_owned()];
    for (bytes, status, wanted) in [
        (get("/"), 200, ([some, None, None, None, None, None], nothing.clone())),
        (
            request("GET", "/", "Origin: https://a\r\n", ""),
            200,
            ([some, None, None, None, None, None], nothing.clone()),
        ),
        (request("GET", "/x", "Origin: null\r\n", ""), 404, ([some, None, None, None, None, None], nothing.clone())),
        (
            options("/", "Origin: https://a\r\n"),
            204,
            ([some, None, Some("PUT, DELETE"), Some("x-a"), None, None], asked.clone()),
        ),
        (
            request("OPTIONS", "/", "Origin: https://a\r\nAccess-Control-Request-Method: PUT\r\n", ""),
            204,
            ([some, None, Some("PUT, DELETE"), None, None, None], asked.clone()),
        ),
        (get("/").replace("Host", "Host "), 400, ([some, None, None, None, None, None], nothing.clone())),
    ] {
        let response = every_way(app, Settings::default(), &bytes).response();
        assert_eq!((response.status, cors_of(&response)), (status, wanted), "{bytes}: {response:?}");
    }
}

#[test]
fn a_function_says_which_origins_may() {
    let app = || {
        let of_example = |origin: &str| origin.strip_prefix("https://").is_some_and(|host| host.ends_with(".example"));
        let inner = service!().cors(Cors::origins_if(of_example).credentials());
        Router::new().route("/outside", any(async |_: &mut Request<'_, ()>| "outside")).nest("/in", inner)
    };
    for (target, origin, wanted) in [
        ("/in", "https://a.example", (Some("https://a.example"), Some("true"))),
        ("/in/number", "https://b.example", (Some("https://b.example"), Some("true"))),
        ("/in/none", "https://b.example", (Some("https://b.example"), Some("true"))),
        ("/in", "http://a.example", (None, None)),
        ("/outside", "https://a.example", (None, None)),
    ] {
        let bytes = request("GET", target, &format!("Origin: {origin}\r\n"), "");
        let response = every_way(app, Settings::default(), &bytes).response();
        let ([found, credentials, ..], vary) = cors_of(&response);
        assert_eq!((found, credentials), wanted, "{target} {origin}");
        assert_eq!(vary.len(), usize::from(target.starts_with("/in")), "{target}");
    }
    // Around one target alone.
    let one = || {
        let cors = Cors::origins(&["https://a"]);
        Router::new()
            .route("/one", tenure::get(async |_: &mut Request<'_, ()>| "one").cors(cors))
            .route("/two", tenure::get(async |_: &mut Request<'_, ()>| "two"))
    };
    for (target, status, origin) in [("/one", 204, Some("https://a")), ("/two", 204, None), ("/three", 404, None)] {
        let response = every_way(one, Settings::default(), options(target, "Origin: https://a\r\n")).response();
        assert_eq!((response.status, cors_of(&response).0[0]), (status, origin), "{target}");
    }
}

#[test]
fn invalid_origins_and_names_are_not_built() {
    let cases: [(&str, fn()); 5] = [
        ("a slash", || built(Cors::origins(&["https://a", "https://b/"]))),
        ("all", || built(Cors::origins(&["*"]))),
        ("a list in one", || built(Cors::any().fields(&["X-A, X-B"]))),
        ("nothing", || built(Cors::any().exposed(&[""]))),
        ("a blank", || built(Cors::any().exposed(&["X A"]))),
    ];
    for (case, build) in cases {
        assert!(std::panic::catch_unwind(build).is_err(), "{case}");
    }
    built(Cors::origins(&["https://a", "https://b"]));
    built(Cors::any().fields(&["X-A", "X-B"]).exposed(&["X-A"]));
}

/// Fields for whatever the response will be.
#[test]
fn fields_that_a_handler_adds() {
    async fn secret(request: &mut Request<'_, ()>) -> Result<&'static str, Error> {
        request.response_fields([("WWW-Authenticate", "Bearer"), ("Vary", "Authorization")]).await?;
        match request.query() {
            Some("open") => Ok("the secret"),
            Some("wrong") => request.response_fields([("Content-Length", "1")]).await.map(|()| "not reached"),
            Some("panics") => panic!("on purpose"),
            _ => Err(Error::unauthorized("send a token")),
        }
    }
    let plain = || Router::new().route("/", any(secret));
    let layered = || plain().fields([("WWW-Authenticate", "Basic"), ("X-A", "1")]).errors(|_: &Failed<'_>| "page");
    for (target, status) in [("/", 401), ("/?open", 200), ("/?wrong", 500), ("/?panics", 500)] {
        for settings in [Settings::default(), small(64)] {
            for (layers, answers) in
                [(0, every_way(plain, settings, get(target))), (1, every_way(layered, settings, get(target)))]
            {
                let response = answers.response();
                assert_eq!(response.status, status, "{target}");
                let fields = ["www-authenticate", "vary"].map(|name| response.field(name));
                assert_eq!(fields, [Some("Bearer"), Some("Authorization")], "{target} {layers}");
                assert_eq!(response.field("x-a").is_some(), layers > 0, "{target}");
            }
        }
    }
}
