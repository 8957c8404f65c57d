//! What handlers return, as responses.

mod support;

use std::cell::Cell;
use support::{answers, every_way, feed, get, request, responses, responses_to, sent, small, text};
use tenure::{
    Error, Handler, Html, IntoResponse, Limits, Method, Outcome, Reply, Request, Responder, Router, Sent, StatusCode,
    any,
    kit::{Server, Settings},
    respond,
};

/// An application that answers everything with what `make` makes, but `/hello` with a greeting.
fn answering<R: IntoResponse + 'static>(make: impl Fn() -> R + 'static) -> impl Handler<()> {
    let hello = async |_: &mut Request<'_, ()>| "Hello World!";
    let made = async move |_: &mut Request<'_, ()>| make();
    Router::new().route("/hello", any(hello)).route("/{*rest}", any(made))
}

/// The whole text of a response, and that a greeting follows it on the same connection.
#[track_caller]
fn answered<R: IntoResponse + 'static>(make: impl Fn() -> R + 'static) -> String {
    let bytes = get("/") + &get("/hello");
    let answers = feed(answering(make), Settings::default(), [bytes.as_bytes()]);
    assert!(!answers.closed);
    let text = String::from_utf8(answers.bytes).unwrap();
    text.strip_suffix(&plain("Hello World!")).unwrap_or_else(|| panic!("no greeting behind {text:?}")).to_owned()
}

/// The type of text.
const TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\n";

/// A plain 200 with that text.
fn plain(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{TEXT}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A plain 200 with these bytes.
fn bytes(body: &str) -> String {
    plain(body).replace(TEXT, "Content-Type: application/octet-stream\r\n")
}

/// The response for an error.
fn error(line: &str, text: &str) -> String {
    format!("HTTP/1.1 {line}\r\n{TEXT}Content-Length: {}\r\n\r\n{text}", text.len())
}

#[test]
fn text_and_bytes() {
    assert_eq!(answered(|| "text"), plain("text"));
    assert_eq!(answered(|| "caf\u{e9}\0\r\n"), plain("caf\u{e9}\0\r\n"));
    assert_eq!(answered(|| String::from("text")), plain("text"));
    assert_eq!(answered(|| b"bytes"), bytes("bytes"));
    assert_eq!(answered(|| *b"bytes"), bytes("bytes"));
    assert_eq!(answered(|| &b"bytes"[..]), bytes("bytes"));
    assert_eq!(answered(|| b"bytes".to_vec()), bytes("bytes"));
    assert_eq!(answered(|| heapless::String::<8>::try_from("text").unwrap()), plain("text"));
    assert_eq!(answered(|| heapless::Vec::<u8, 8>::from_slice(b"text").unwrap()), bytes("text"));
    for length in [1, 9, 10, 11, 98, 99, 100, 101, 999, 1_000] {
        let body = text(length);
        let (same, raw) = (body.clone(), body.clone().into_bytes());
        assert_eq!(answered(move || body.clone()), plain(&same), "{length}");
        assert_eq!(answered(move || raw.clone()), bytes(&same), "{length}");
    }
}

#[test]
fn numbers_and_truth() {
    assert_eq!(answered(|| 0_u8), plain("0"));
    assert_eq!(answered(|| i8::MIN), plain("-128"));
    assert_eq!(answered(|| 255_u8), plain("255"));
    assert_eq!(answered(|| i16::MIN), plain("-32768"));
    assert_eq!(answered(|| u16::MAX), plain("65535"));
    assert_eq!(answered(|| i32::MIN), plain("-2147483648"));
    assert_eq!(answered(|| u32::MAX), plain("4294967295"));
    assert_eq!(answered(|| i64::MIN), plain("-9223372036854775808"));
    assert_eq!(answered(|| i64::MAX), plain("9223372036854775807"));
    assert_eq!(answered(|| u64::MAX), plain("18446744073709551615"));
    assert_eq!(answered(|| -1_isize), plain("-1"));
    assert_eq!(answered(|| 10_usize), plain("10"));
    for number in [0, 1, 9, 10, 11, 99, 100, 101, 110, 999, 1_000, 1_001, 9_999, 10_000, 10_001, 65_535, 65_536] {
        assert_eq!(answered(move || number), plain(&number.to_string()));
        assert_eq!(answered(move || -number), plain(&(-number).to_string()));
    }
    assert_eq!(answered(|| true), plain("true"));
    assert_eq!(answered(|| false), plain("false"));
}

#[test]
fn nothing_is_an_empty_body_without_a_type() {
    let empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(answered(|| ()), empty);
    assert_eq!(answered(|| ""), empty);
    assert_eq!(answered(String::new), empty);
}

#[test]
fn statuses_tuples_options_and_results() {
    let created = "HTTP/1.1 201 Created\r\n";
    assert_eq!(answered(|| StatusCode::CREATED), format!("{created}Content-Length: 0\r\n\r\n"));
    assert_eq!(answered(|| (StatusCode::CREATED, "x")), format!("{created}{TEXT}Content-Length: 1\r\n\r\nx"));
    assert_eq!(
        answered(|| ([("X-A", "1"), ("X-B", " b ")], "x")),
        format!("HTTP/1.1 200 OK\r\nX-A: 1\r\nX-B:  b \r\n{TEXT}Content-Length: 1\r\n\r\nx")
    );
    assert_eq!(
        answered(|| (StatusCode::CREATED, [("content-TYPE", "text/csv")], "x")),
        format!("{created}content-TYPE: text/csv\r\nContent-Length: 1\r\n\r\nx")
    );
    assert_eq!(
        answered(|| ([(String::from("X-A"), vec![b'1'])], ())),
        "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!(answered(|| Some(5)), plain("5"));
    assert_eq!(answered(|| None::<i64>), error("404 Not Found", "there is nothing here\n"));
    assert_eq!(answered(|| Ok::<_, Error>("x")), plain("x"));
    assert_eq!(answered(|| Err::<(), _>(Error::conflict("why"))), error("409 Conflict", "why\n"));
    assert_eq!(
        answered(|| Err::<(), _>((StatusCode::CONFLICT, ()))),
        "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n"
    );
}

// A status counts wherever it stands in what is returned.
#[test]
fn a_status_inside_of_fields_counts() {
    let wanted = "HTTP/1.1 201 Created\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(answered(|| (StatusCode::CREATED, [("X-A", "1")], ())), wanted);
    assert_eq!(answered(|| ([("X-A", "1")], StatusCode::CREATED)), wanted);
    assert_eq!(answered(|| ([("X-A", "1")], (StatusCode::CREATED, ()))), wanted);
    assert_eq!(answered(|| ([("X-A", "1")], Ok::<_, Error>(StatusCode::CREATED))), wanted);
    assert_eq!(
        answered(|| ([("X-A", "1")], StatusCode::new(299).unwrap())),
        "HTTP/1.1 299 \r\nX-A: 1\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!(answered(|| ([("X-A", "1")], StatusCode::NO_CONTENT)), "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n");
    // The inner of two wins, as the inner of two bodies would.
    assert_eq!(
        answered(|| (StatusCode::OK, [("X-A", "1")], StatusCode::NETWORK)),
        "HTTP/1.1 511 \r\nX-A: 1\r\nContent-Length: 0\r\n\r\n"
    );
}

trait Network {
    const NETWORK: StatusCode;
}

impl Network for StatusCode {
    const NETWORK: StatusCode = match StatusCode::new(511) {
        Some(status) => status,
        None => panic!(),
    };
}

#[test]
fn errors_say_what_was_wrong_but_not_what_failed_here() {
    assert_eq!(answered(|| Error::bad_request("why")), error("400 Bad Request", "why\n"));
    assert_eq!(answered(|| Error::bad_request("why").at_byte(7)), error("400 Bad Request", "why (byte 7)\n"));
    assert_eq!(answered(|| Error::bad_request("")), error("400 Bad Request", "Bad Request\n"));
    assert_eq!(answered(|| Error::unavailable("later")), error("503 Service Unavailable", "later\n"));
    assert_eq!(
        answered(|| Error::internal("the password is 1234")),
        error("500 Internal Server Error", "Internal Server Error\n")
    );
    let long: &'static str = Box::leak(text(191).into_boxed_str());
    assert_eq!(answered(move || Error::conflict(long)), error("409 Conflict", &format!("{long}\n")));
    // Longer ones are cut off rather than dropped.
    let longer: &'static str = Box::leak((text(190) + "\u{e9}" + &text(50)).into_boxed_str());
    assert_eq!(answered(move || Error::conflict(longer)), error("409 Conflict", &format!("{}\n", text(190))));
}

// RFC 9110 section 8.6 and RFC 9112 section 6.3.
#[test]
fn a_status_without_a_body_has_none() {
    assert_eq!(answered(|| StatusCode::NO_CONTENT), "HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(answered(|| (StatusCode::NO_CONTENT, "body")), "HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(
        answered(|| (StatusCode::NOT_MODIFIED, [("ETag", "\"1\"")], "body")),
        "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n"
    );
    // Beside it: 205 has an empty one (RFC 9110 section 15.3.6).
    let reset = "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(answered(|| StatusCode::RESET_CONTENT), reset);
    assert_eq!(answered(|| (StatusCode::RESET_CONTENT, "body")), reset);
}

// RFC 9110 section 9.3.2.
#[test]
fn a_head_is_answered_as_a_get_without_its_body() {
    #[track_caller]
    fn compare<R: IntoResponse + 'static>(make: impl Fn() -> R + Copy + 'static) {
        for settings in [Settings::default(), small(16), Settings { dated: true, ..Settings::default() }] {
            let bytes = request("HEAD", "/", "", "") + &get("/") + &request("HEAD", "/hello", "", "");
            let answers = every_way(|| answering(make), settings, bytes);
            let [head, get, _] = &responses_to("HGH", &answers.bytes)[..] else { panic!("{answers:?}") };
            assert_eq!((head.status, &head.phrase, &head.fields), (get.status, &get.phrase, &get.fields));
            assert_eq!(head.body, b"");
        }
    }
    compare(|| "text");
    compare(|| 42);
    compare(|| text(5_000));
    compare(|| ());
    compare(|| StatusCode::NO_CONTENT);
    compare(|| (StatusCode::CREATED, [("X", "y")], "z"));
    compare(|| None::<()>);
    compare(|| Error::internal("why"));
}

#[test]
fn fields_that_would_break_the_response_are_refused_whole() {
    let failed = error("500 Internal Server Error", "Internal Server Error\n");
    for (name, value, fine) in [
        ("X-A", "value", true),
        ("X-A", "caf\u{e9}\ta b", true),
        ("X-A", "", true),
        ("X-A", "a\r\nSet-Cookie: b", false),
        ("X-A", "a\r", false),
        ("X-A", "a\n", false),
        ("X-A", "a\0", false),
        ("X-A", "a\x7f", false),
        ("X-A", "a\x1b", false),
        ("X A", "a", false),
        ("X-A:", "a", false),
        ("X-A\r\n", "a", false),
        ("", "a", false),
        ("Content-Length", "1", false),
        ("content-LENGTH", "1", false),
        ("Transfer-Encoding", "chunked", false),
        ("Connection", "close", false),
        ("Keep-Alive", "timeout=5", false),
        ("Date", "now", false),
        ("Trailer", "x", false),
        ("Upgrade", "h2c", false),
        ("Content-Lengths", "1", true),
        ("Content-Type", "text/plain", true),
        ("Content-Type", "text/plain\r\nx: y", false),
    ] {
        let found = answered(move || ([("X-Secret", "1234"), (name, value), ("X-Last", "1")], "body"));
        assert_eq!(found == failed, !fine, "{name:?}: {value:?}: {found:?}");
        assert_eq!(found.contains("1234"), fine, "{name:?}: {value:?}: {found:?}");
        // Twice the same way: nothing of a failure is left for the next one.
        assert_eq!(answered(move || ([(name, value)], ())) == failed, !fine, "{name:?}: {value:?}");
    }
}

#[test]
fn one_type_for_all_can_be_set_and_left_out() {
    for (content_type, text_line, bytes_line) in [
        (None, TEXT, "Content-Type: application/octet-stream\r\n"),
        (Some("text/html"), "Content-Type: text/html\r\n", "Content-Type: text/html\r\n"),
        (Some("application/json"), "Content-Type: application/json\r\n", "Content-Type: application/json\r\n"),
        (Some(""), "", ""),
    ] {
        let settings = Settings { limits: Limits { content_type, ..Limits::HOST }, ..Settings::default() };
        for body in ["12", &text(200)] {
            let body: &'static str = Box::leak(body.to_owned().into_boxed_str());
            let found = [
                feed(answering(move || body), settings, [get("/").as_bytes()]),
                feed(answering(move || body.as_bytes()), settings, [get("/").as_bytes()]),
            ];
            for (answers, line) in found.iter().zip([text_line, bytes_line]) {
                let wanted = format!("HTTP/1.1 200 OK\r\n{line}Content-Length: {}\r\n\r\n{body}", body.len());
                assert_eq!(str::from_utf8(&answers.bytes).unwrap(), wanted, "{content_type:?}");
            }
            // A page says what it is, and so does an error.
            let page = feed(answering(move || Html(body)), settings, [get("/").as_bytes()]).response();
            assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"), "{content_type:?}");
            let error = feed(answering(|| Error::conflict("why")), settings, [get("/").as_bytes()]).response();
            assert_eq!(error.field("content-type"), Some("text/plain; charset=utf-8"), "{content_type:?}");
        }
    }
}

#[test]
fn a_page_is_html() {
    let html = |text: &str| plain(text).replace("text/plain", "text/html");
    assert_eq!(answered(|| Html("<p>Gr\u{fc}\u{df}e")), html("<p>Gr\u{fc}\u{df}e"));
    assert_eq!(answered(|| Html(String::from("<p>"))), html("<p>"));
    assert_eq!(answered(|| Html(heapless::String::<8>::try_from("<p>").unwrap())), html("<p>"));
    assert_eq!(answered(|| (StatusCode::OK, Html(text(200)))), html(&text(200)));
    assert_eq!(
        answered(|| ([("Content-Type", "application/xhtml+xml")], Html("<p>"))),
        "HTTP/1.1 200 OK\r\nContent-Type: application/xhtml+xml\r\nContent-Length: 3\r\n\r\n<p>"
    );
}

// Sent back as a page, it would run.
#[test]
fn an_echo_of_a_script_is_text() {
    async fn echo<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
        let text = str::from_utf8(request.body().whole().await?).map_err(|_| Error::bad_request("send text"))?;
        responder.send(text.to_owned()).await
    }
    for text in ["<script>alert(1)</script>", "Gr\u{fc}\u{df}e"] {
        let app = Router::new().route("/", respond(Method::Post, echo));
        let bytes = request("POST", "/", "", text);
        let answer = feed(app, Settings::default(), [bytes.as_bytes()]).response();
        assert_eq!((answer.field("content-type"), answer.text()), (Some("text/plain; charset=utf-8"), text));
    }
}

// RFC 9110 section 6.6.1.
#[test]
fn the_date_is_told_where_there_is_a_clock() {
    for dated in [false, true] {
        let settings = Settings { dated, ..Settings::default() };
        let bytes = get("/hello") + &get("/") + &request("HEAD", "/hello", "", "") + "x";
        let answers = every_way(|| answering(|| Error::conflict("why")), settings, bytes.replace('x', "x x\r\n"));
        let found = responses_to("GGHG", &answers.bytes);
        assert_eq!(found.len(), 4);
        for response in &found {
            assert_eq!(response.field("date"), dated.then_some("Sun, 06 Nov 1994 08:49:37 GMT"), "{response:?}");
        }
    }
}

#[test]
fn a_response_larger_than_the_output_goes_out_bit_by_bit() {
    let body: &'static str = Box::leak(text(100 * 1024).into_boxed_str());
    for settings in [small(16), Settings { dated: true, ..small(16) }] {
        for window in [usize::MAX, 1_000, 7] {
            let mut server = Server::with(answering(move || ([("X-A", "1")], body)), settings);
            let client = server.connect();
            client.set_window(window);
            client.send(get("/") + &get("/hello"));
            let mut bytes = Vec::new();
            loop {
                server.run();
                let piece = client.received();
                if piece.is_empty() {
                    break;
                }
                assert!(piece.len() <= window);
                bytes.extend(piece);
            }
            let found = responses(&bytes);
            assert_eq!(found.len(), 2, "{window}");
            assert_eq!((found[0].text() == body, found[1].text()), (true, "Hello World!"), "{window}");
            let dated = if settings.dated { "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" } else { "" };
            let head = format!("HTTP/1.1 200 OK\r\n{dated}X-A: 1\r\n{TEXT}Content-Length: 102400\r\n\r\n");
            assert!(bytes.starts_with(head.as_bytes()));
        }
    }
}

#[test]
fn responses_of_every_size_around_that_of_the_output() {
    for bytes in (0..30).chain(80..300).chain(500..520) {
        let app = answering(move || text(bytes));
        let found = feed(app, small(16), [(get("/") + &get("/") + &get("/hello")).as_bytes()]).responses();
        let found: Vec<_> = found.iter().map(|response| response.body.len()).collect();
        assert_eq!(found, [bytes, bytes, 12], "{bytes}");
    }
}

#[test]
fn many_pipelined_responses_fill_the_output_many_times() {
    for settings in [small(16), Settings::default()] {
        let answers =
            feed(answering(|| StatusCode::CREATED), settings, [(get("/") + &get("/hello")).repeat(500).as_bytes()]);
        assert_eq!(answers.statuses(), [201, 200].repeat(500));
    }
}

#[test]
fn a_head_that_does_not_fit_the_output_is_500() {
    // Status line, type, length and two line ends are 68 bytes, and 256 the output.
    for (bytes, status) in [(177, 200), (178, 200), (179, 200), (300, 500), (10_000, 500)] {
        let app = || answering(move || ([("X-A", text(bytes))], ()));
        let requests = get("/hello") + &get("/") + &get("/hello");
        let found = every_way(app, small(16), &requests).statuses();
        assert_eq!(found, [200, status, 200], "{bytes}");
    }
    // Exactly: `HTTP/1.1 200 OK`, `X-A: `, `Content-Length: 0` and line ends.
    let framing = "HTTP/1.1 200 OK\r\nX-A: \r\nContent-Length: 0\r\n\r\n".len();
    for (bytes, status) in [(256 - framing, 200), (257 - framing, 500)] {
        let found = feed(answering(move || ([("X-A", text(bytes))], ())), small(16), [get("/").as_bytes()]);
        assert_eq!(found.response().status, status, "{bytes}");
    }
}

#[test]
fn an_error_response_larger_than_the_output_goes_out_bit_by_bit() {
    let app = || {
        let long = |_: &Error| (StatusCode::CONFLICT, [("X-Own", "1")], text(3_000));
        Router::new()
            .route("/", any(async |_: &mut Request<'_, ()>| Error::conflict("why")))
            .error(StatusCode::CONFLICT, long)
    };
    let answers = every_way(app, small(16), get("/").repeat(2));
    for response in answers.responses() {
        assert_eq!((response.status, response.field("x-own"), response.text()), (409, Some("1"), &*text(3_000)));
    }
}

#[test]
fn an_error_response_that_fails_is_replaced_by_a_line_of_text() {
    let reason: &'static str = Box::leak(text(190).into_boxed_str());
    let app = move || {
        let bad = |_: &Error| ([("Connection", "x")], text(3_000));
        let fail = async move |_: &mut Request<'_, ()>| Error::conflict(reason);
        Router::new().route("/", any(fail)).error(StatusCode::CONFLICT, bad)
    };
    for settings in [small(16), Settings::default()] {
        let answers = every_way(app, settings, get("/").repeat(2));
        let found: Vec<_> = answers.responses().iter().map(|response| response.text().to_owned()).collect();
        assert_eq!(found, [format!("{reason}\n"), format!("{reason}\n")]);
    }
}

// One write a response: head and body lie one behind the other.
#[test]
fn a_response_that_fits_goes_out_at_once() {
    let mut server = Server::with(answering(|| text(200)), Settings::default());
    let client = server.connect();
    for _ in 0..3 {
        let before = server.calls();
        client.send(get("/"));
        server.run();
        assert_eq!(server.calls() - before, 1);
        assert_eq!(client.received().len(), plain(&text(200)).len());
    }
}

/// Counts how often it is asked.
struct Asked<'a>(&'a Cell<u32>);

impl IntoResponse for Asked<'_> {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        self.0.set(self.0.get() + 1);
        reply.status(StatusCode::ACCEPTED).field("X-A", "1").field("X-B", b"2").body(text(1_000))
    }
}

#[test]
fn a_response_of_the_applications_own_type() {
    let asked: &'static Cell<u32> = Box::leak(Box::default());
    for settings in [Settings::default(), small(16)] {
        asked.set(0);
        let response = feed(answering(move || Asked(asked)), settings, [get("/").as_bytes()]).response();
        assert_eq!((response.status, response.text()), (202, &*text(1_000)));
        assert_eq!((response.field("x-a"), response.field("x-b")), (Some("1"), Some("2")));
        assert_eq!(asked.get() > 1, settings.output_bytes < 1_000);
    }
}

#[test]
fn the_observer_is_told_of_all_bytes() {
    for settings in [Settings::default(), small(16), Settings { dated: true, ..small(16) }] {
        let mut server = Server::with(answering(|| ([("X-A", "1")], text(700))), settings);
        let client = server.connect();
        let mut told = 0;
        for bytes in [get("/"), get("/hello"), request("HEAD", "/", "", ""), get("/").repeat(3), "x\r\n".to_owned()] {
            client.send(bytes);
            server.run();
            let bytes: u64 = sent(&server.events()).iter().map(|(_, bytes)| bytes).sum();
            assert_eq!(bytes - told, client.received().len() as u64, "{settings:?}");
            told = bytes;
        }
        assert!(answers(&server, &client).closed);
    }
}
