//! What an error says, and how an application answers all of them.

mod support;

use support::{every_way, feed, get, post, post_chunked, request, responses_to, small, text};
use tenure::{
    Error, Failed, IntoResponse, Limits, Next, Outcome, Reply, Request, Router, Sent, StatusCode, any,
    kit::{Server, Settings},
    put,
};

/// Fails with what the query says: the reason is `fixed`.
async fn fails(request: &mut Request<'_, ()>) -> Error {
    let error = Error::conflict("fixed");
    match request.query() {
        Some("number") => error.because(format_args!("pin {} is taken", 12)).at_byte(4),
        Some("long") => error.because(text(3_000)),
        Some("cut") => error.because("\u{e9}".repeat(200)),
        Some("internal") => Error::internal("fixed").because("the password is 1234"),
        Some("field") => error.field("Retry-After", "120").because("later").field("X-A", 7.to_string()),
        Some("bad") => error.field("X A", "1").field("Connection", "close").field("X-B", "a\r\nb").field("X-C", "c"),
        Some("unread") => {
            let _ = request.body().read().await;
            error.because("read")
        }
        _ => error,
    }
}

#[test]
fn a_reason_made_at_run_time_is_told() {
    let app = || Router::new().route("/", any(fails));
    for settings in [Settings::default(), small(64)] {
        for (bytes, status, wanted) in [
            (get("/"), 409, "fixed\n".to_owned()),
            (get("/?number"), 409, "pin 12 is taken (byte 4)\n".to_owned()),
            // A line has 192 bytes at the most, and whole characters.
            (get("/?long"), 409, text(191) + "\n"),
            (get("/?cut"), 409, "\u{e9}".repeat(95) + "\n"),
            (get("/?internal"), 500, "Internal Server Error\n".to_owned()),
            // The rest of a body is read before the answer.
            (post_chunked("/?number", "0123456789", &[3]), 409, "pin 12 is taken (byte 4)\n".to_owned()),
            (post("/?unread", "0123456789"), 409, "read\n".to_owned()),
        ] {
            let answers = every_way(app, settings, bytes.clone() + &get("/"));
            let responses = answers.responses();
            assert_eq!((responses[0].status, responses[0].text()), (status, &*wanted), "{bytes}");
            assert_eq!((responses[1].status, answers.closed), (409, false), "{bytes}");
        }
    }
}

#[test]
fn an_error_carries_fields_whatever_its_page_is() {
    let plain = || Router::new().route("/", any(fails));
    let paged = || plain().error(StatusCode::CONFLICT, |error: &Error| ([("X-Page", "1")], error.to_string()));
    let fields = |response: &support::Response| {
        ["retry-after", "x-a", "x-b", "x-c", "x-page"].map(|name| response.field(name).map(str::to_owned))
    };
    let some = |text: &str| Some(text.to_owned());
    for page in [None, some("1")] {
        let ask = |target: &str| {
            let bytes = get(target).repeat(2);
            match page {
                None => every_way(plain, small(16), bytes),
                Some(_) => every_way(paged, small(16), bytes),
            }
        };
        for response in ask("/?field").responses() {
            assert_eq!(fields(&response), [some("120"), some("7"), None, None, page.clone()]);
            assert_eq!((response.status, response.text().trim_end()), (409, "later"));
        }
        // What must not be set is left out.
        for response in ask("/?bad").responses() {
            assert_eq!(fields(&response), [None, None, None, some("c"), page.clone()]);
            assert_eq!((response.status, response.text().trim_end()), (409, "fixed"));
        }
    }
    let bytes = feed(plain(), Settings::default(), [request("HEAD", "/?field", "", "").as_bytes()]).bytes;
    let head = responses_to("H", &bytes).remove(0);
    assert_eq!((head.field("retry-after"), head.field("content-length")), (Some("120"), Some("6")));
    let old = "GET /?field HTTP/1.0\r\n\r\n";
    let answers = every_way(plain, Settings::default(), old);
    assert_eq!((answers.response().field("retry-after"), answers.closed), (Some("120"), true));
}

/// What a service says of every error.
fn problem(failed: &Failed<'_>) -> ([(&'static str, &'static str); 1], String) {
    let status = failed.status().code();
    // Displayed, it tells a number behind the message.
    assert!(failed.to_string().starts_with(failed.message()));
    ([("Content-Type", "application/json")], format!("{{{status} {:?} {failed}}}", failed.target()))
}

#[test]
fn one_page_answers_every_error() {
    let app = || {
        let inner = Router::new().route("/deep", put(async |_: &mut Request<'_, ()>| "put"));
        Router::new()
            .route("/", any(fails))
            .route("/ok", tenure::get(async |_: &mut Request<'_, ()>| "ok"))
            .route("/made", any(async |_: &mut Request<'_, ()>| (StatusCode::NOT_FOUND, "made")))
            .route("/none", any(async |_: &mut Request<'_, ()>| None::<&str>))
            .route("/body", tenure::post(async |request: &mut Request<'_, ()>| request.body().parse::<i64>().await))
            .nest("/nest", inner)
            .errors(problem)
    };
    let limits = Limits { head_bytes_max: 200, body_bytes_max: 20, ..Limits::HOST };
    for (bytes, status, wanted, closes) in [
        (get("/ok"), 200, "ok", false),
        (get("/made"), 404, "made", false),
        (get("/none"), 404, "{404 \"/none\" there is nothing here}", false),
        (get("/?number"), 409, "{409 \"/?number\" pin 12 is taken (byte 4)}", false),
        (get("/?internal"), 500, "{500 \"/?internal\" Internal Server Error}", false),
        (get("/nothing"), 404, "{404 \"/nothing\" there is no such target here}", false),
        (get("/nest/nothing?x=y"), 404, "{404 \"/nest/nothing?x=y\" there is no such target here}", false),
        (get("http://a/nest/nothing"), 404, "{404 \"http://a/nest/nothing\" there is no such target here}", false),
        (get("/nest/deep"), 405, "{405 \"/nest/deep\" this target has no such method: see Allow}", false),
        (request("FOO", "/ok", "", ""), 501, "{501 \"/ok\" this method is not known here}", false),
        (post("/body", "12"), 200, "12", false),
        (
            post("/body", "1x"),
            400,
            "{400 \"/body\" this is not a whole number: send an optional sign and decimal digits only, such as 42 (byte 1)}",
            false,
        ),
        (
            post("/body", &"1".repeat(21)),
            413,
            "{413 \"/body\" the body is larger than this target takes (at most 20 bytes)}",
            false,
        ),
        (get("/").replace("Host", "Host "), 400, "{400 \"\" no space may stand", true),
        (request("GET", "/", &format!("X: {}\r\n", text(200)), ""), 431, "{431 \"\" ", true),
        (get("/").replace("1.1", "2.0"), 505, "{505 \"\" only HTTP/1.0 and HTTP/1.1", true),
        (get("/a<b"), 400, "{400 \"/a<b\" a target cannot have this byte: percent-encode it (byte 2: %3C)}", false),
    ] {
        for settings in [Settings { limits, ..Settings::default() }, Settings { limits, ..small(64) }] {
            let answers = every_way(app, settings, &bytes);
            let response = answers.response();
            assert_eq!(response.status, status, "{bytes}");
            assert!(response.text().starts_with(wanted), "{bytes}: {response:?}");
            assert_eq!((response.says_close(), answers.closed), (closes, closes), "{bytes}");
            let is_json = response.field("content-type") == Some("application/json");
            assert_eq!(is_json, wanted.starts_with('{'), "{bytes}");
            assert_eq!(response.field("allow"), (status == 405).then_some("PUT, OPTIONS"), "{bytes}");
        }
    }
    // The methods of a target are no error.
    let options = request("OPTIONS", "/nest/deep", "", "") + &request("OPTIONS", "*", "", "");
    let answers = every_way(app, Settings::default(), options);
    assert_eq!(answers.statuses(), [204, 204]);
    assert_eq!(answers.responses()[0].field("allow"), Some("PUT, OPTIONS"));
    let head = feed(app(), Settings::default(), [request("HEAD", "/nothing", "", "").as_bytes()]).bytes;
    let head = responses_to("H", &head).remove(0);
    assert_eq!((head.status, head.field("content-type")), (404, Some("application/json")));
}

#[test]
fn a_handler_that_panics_or_takes_too_long_is_answered_by_the_page() {
    let app = Router::new()
        .route("/panics", any(async |_: &mut Request<'_, ()>| -> () { panic!("on purpose") }))
        .route("/waits", any(async |_: &mut Request<'_, ()>| std::future::pending::<()>().await))
        .errors(problem);
    let mut server = Server::new(app);
    let client = server.connect();
    client.send(get("/panics") + &get("/waits"));
    server.advance(60_000);
    let found: Vec<_> =
        support::responses(&client.received()).iter().map(|response| response.text().to_owned()).collect();
    let wanted = ["{500 \"\" Internal Server Error}", "{503 \"\" the answer took too long: try again later}"];
    assert_eq!(found, wanted);
}

#[test]
fn the_innermost_page_answers_and_one_for_a_status_goes_before_those_behind_it() {
    let page = |name: &'static str| move |failed: &Failed<'_>| format!("{name} {}", failed.target());
    let app = || {
        let own = Router::new().route("/fails", any(fails)).errors(page("own"));
        let some =
            Router::new().route("/fails", any(fails)).error(StatusCode::CONFLICT, |_| "409").errors(page("some"));
        let late =
            Router::new().route("/fails", any(fails)).errors(page("late")).error(StatusCode::CONFLICT, |_| "409");
        let method = any(fails).errors(page("method"));
        Router::new()
            .nest("/own/{a}", own)
            .nest("/some", some)
            .nest("/late", late)
            .route("/method", method)
            .nest("/plain", Router::new())
            .errors(page("outer"))
    };
    for (target, status, wanted) in [
        ("/own/1/fails", 409, "own /own/1/fails"),
        ("/own/1/none?q", 404, "own /own/1/none?q"),
        ("/own", 404, "outer /own"),
        ("/some/fails", 409, "409"),
        ("/some/none", 404, "some /some/none"),
        ("/late/fails", 409, "late /late/fails"),
        ("/method", 409, "method /method"),
        ("/plain/none", 404, "outer /plain/none"),
        ("http://h", 404, "outer http://h"),
    ] {
        let response = every_way(app, Settings::default(), get(target)).response();
        assert_eq!((response.status, response.text()), (status, wanted), "{target}");
    }
}

/// An application's own errors: as an [`Error`], and as a response.
#[derive(Clone, Copy)]
enum Refused {
    Taken(u8),
    Asleep,
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Taken(pin) => Error::conflict("the pin is taken").because(format_args!("pin {pin} is taken")),
            Refused::Asleep => Error::unavailable("asleep").field("Retry-After", "60"),
        }
    }
}

impl IntoResponse for Refused {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        Error::from(*self).respond(reply)
    }
}

fn switch(pin: u8) -> Result<(), Refused> {
    match pin {
        4 => Err(Refused::Taken(pin)),
        5 => Err(Refused::Asleep),
        _ => Ok(()),
    }
}

#[test]
fn an_applications_own_errors_become_errors() {
    async fn mark<'r, H: tenure::Handler<()>>(
        request: &mut Request<'r, ()>,
        next: Next<'_, 'r, H>,
    ) -> Result<Sent, Error> {
        next.run(request).await
    }
    let app = || {
        let asked = async |request: &mut Request<'_, ()>| -> Result<&str, Error> {
            switch(request.parameter("pin").ok_or(Error::not_found("?"))?.parse()?)?;
            Ok("done")
        };
        let answered = async |request: &mut Request<'_, ()>| -> Result<&str, Refused> {
            let pin = request.parameter("pin").and_then(|pin| pin.parse().ok()).unwrap_or_default();
            switch(pin)?;
            Ok("done")
        };
        // A response of one's own is no error for the page.
        let own = async |_: &mut Request<'_, ()>| -> Result<&str, (StatusCode, String)> {
            Err((StatusCode::CONFLICT, "own".to_owned()))
        };
        Router::new().route("/a/{pin}", any(asked)).route("/b/{pin}", any(answered)).route("/own", any(own))
    };
    let paged = || app().errors(problem).wrap(mark);
    for (target, status, wanted) in [
        ("/a/1", 200, "done"),
        ("/b/1", 200, "done"),
        ("/a/4", 409, "pin 4 is taken\n"),
        ("/b/4", 409, "pin 4 is taken\n"),
        ("/a/5", 503, "asleep\n"),
        ("/b/5", 503, "asleep\n"),
        ("/a/x", 400, "the value is not of the kind that is wanted here\n"),
        ("/own", 409, "own"),
    ] {
        let plain = every_way(app, Settings::default(), get(target)).response();
        assert_eq!((plain.status, plain.text()), (status, wanted), "{target}");
        let page = every_way(paged, Settings::default(), get(target)).response();
        assert_eq!((page.status, page.text().starts_with('{')), (status, wanted.ends_with('\n')), "{target}");
        for response in [plain, page] {
            assert_eq!(response.field("retry-after"), (status == 503).then_some("60"), "{target}");
        }
    }
}
