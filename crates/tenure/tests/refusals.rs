//! Refusals of whole heads: the connection goes on and the session with it, and the application is not asked.

mod support;

use std::fmt::Write as _;
use support::{every_way, get, post, post_chunked, request};
use tenure::{
    EndReason, Error, Handler, Limits, Refusal, Request, Router, Session, StatusCode, any,
    kit::{Event, Server, Settings},
};

/// How many requests the application has seen on this connection.
struct Count(u32);

impl Session for Count {
    fn end(self, _: EndReason) {}
}

async fn count(request: &mut Request<'_, Count>) -> String {
    let count = request.session_or_insert_with(|| Count(0));
    count.0 += 1;
    count.0.to_string()
}

fn app() -> impl Handler<Count> {
    Router::new().route("/", any(count)).route("/{*rest}", any(count))
}

#[test]
fn a_refusal_of_a_whole_head_keeps_connection_and_session() {
    use Refusal::{BadTarget, BadTargetForm, BlankInTarget, SchemeNotServed, UnmetExpectation};
    let expect = |fields: &str| request("GET", "/", fields, "");
    // What is refused so, and the nearest request that ends the connection.
    for (kept, refusal, place, closed, worse) in [
        (get("/a<b"), BadTarget, " (byte 2: %3C)", get("/a\tb"), BlankInTarget),
        (get("/a>"), BadTarget, " (byte 2: %3E)", get("/a\0"), BlankInTarget),
        (get("/\""), BadTarget, " (byte 1: %22)", get("/\x7f"), BlankInTarget),
        (get("/a?b#c"), BadTarget, " (byte 4: %23)", get("/a?b c"), Refusal::BadVersion),
        (get("/a\u{e9}"), BadTarget, " (byte 2: %C3)", get("/a\u{1}"), BlankInTarget),
        (get("/50%"), BadTarget, " (byte 3: %25)", get("/50%\x0b"), BlankInTarget),
        (get("a"), BadTargetForm, " (byte 0)", get(""), BlankInTarget),
        (get("*"), BadTargetForm, " (byte 0)", get("* *"), Refusal::BadVersion),
        (get("ftp://a/"), BadTargetForm, " (byte 0)", get("ftp://a /"), Refusal::BadVersion),
        (get("http://a@b/"), BadTargetForm, " (byte 8)", get("http://a\t@b/"), BlankInTarget),
        (get("https://a/"), SchemeNotServed, "", get("https://a\t/"), BlankInTarget),
        (
            expect("Expect: a\r\n"),
            UnmetExpectation,
            "",
            expect("Expect: a\r\nContent-Length: 1\r\n") + "b",
            UnmetExpectation,
        ),
    ] {
        let bytes = [get("/"), kept.clone(), get("/")].concat();
        let answers = every_way(app, Settings::default(), &bytes);
        let responses = answers.responses();
        assert_eq!(answers.statuses(), [200, refusal.status().code(), 200], "{kept:?}");
        assert_eq!(responses[1].text(), format!("{}{place}\n", refusal.reason()), "{kept:?}");
        assert_eq!((responses[0].text(), responses[2].text()), ("1", "2"), "the session is the same: {kept:?}");
        assert!(!answers.closed && responses.iter().all(|response| !response.says_close()), "{kept:?}");

        let answers = every_way(app, Settings::default(), [get("/"), closed.clone(), get("/")].concat());
        assert_eq!(answers.statuses(), [200, worse.status().code()], "{closed:?}");
        assert!(answers.responses()[1].says_close() && answers.closed, "{closed:?}");
        assert_eq!(answers.ended, [EndReason::Protocol(worse)], "{closed:?}");
    }
}

#[test]
fn the_body_behind_a_refused_head_is_read_as_any_other() {
    let limits = Limits { drain_bytes_max: 20, ..Limits::HOST };
    let settings = Settings { limits, ..Settings::default() };
    for (bytes, stays) in [
        (post("/<", "abcde"), true),
        (post("/<", &"a".repeat(20)), true),
        (post("/<", &"a".repeat(21)), false),
        (post_chunked("/<", &"a".repeat(20), &[7]), true),
        (post_chunked("/<", &"a".repeat(21), &[7]), false),
        (post("https://a/", "abcde"), true),
        (post_chunked("/%", "", &[1]), true),
        (request("GET", "/<", "Connection: close\r\n", ""), false),
        (get("/<").replace("1.1", "1.0"), false),
        (get("/<").replace("1.1", "1.0").replace("Host", "Connection: keep-alive\r\nHost"), true),
    ] {
        let answers = every_way(app, settings, bytes.clone() + &get("/"));
        let refused = &answers.responses()[0];
        assert!(matches!(refused.status, 400 | 421), "{bytes:?}");
        assert_eq!((answers.closed, refused.says_close()), (!stays, !stays), "{bytes:?}");
        assert_eq!(answers.responses().len(), if stays { 2 } else { 1 }, "{bytes:?}");
    }
}

#[test]
fn a_head_that_was_refused_is_refused_again_when_it_is_remembered() {
    for bytes in [get("/<"), request("GET", "/", "Expect: a\r\n", ""), post("/<", "a")] {
        let answers = every_way(app, Settings::default(), bytes.repeat(3) + &get("/"));
        let statuses = answers.statuses();
        assert!(statuses[..3].iter().all(|status| matches!(status, 400 | 417)), "{bytes:?}: {statuses:?}");
        assert_eq!(statuses[3..], [200], "{bytes:?}");
    }
    // A refusal is of its own request line, and of its own fields.
    let bytes = [get("/<"), get("/"), get("/<"), request("GET", "/", "Expect: a\r\n", ""), get("/")].concat();
    assert_eq!(every_way(app, Settings::default(), bytes).statuses(), [400, 200, 400, 417, 200]);
}

#[test]
fn the_response_to_a_refused_head_has_no_body() {
    let mut server = Server::new(app());
    let client = server.connect();
    client.send(request("HEAD", "/<", "", "") + &get("/"));
    server.run();
    let found = support::responses_to("HG", &client.received());
    assert_eq!((found[0].status, found[0].body.len(), found[1].text()), (400, 0, "1"));
}

#[test]
fn an_observer_and_the_applications_page_are_told() {
    let page = |error: &Error| format!("page: {error}");
    let app = Router::new().route("/", any(count)).error(StatusCode::BAD_REQUEST, page);
    let mut server = Server::new(app);
    let client = server.connect();
    client.send(get("/a<") + &get("/"));
    server.run();
    let found = support::responses(&client.received());
    assert_eq!(found[0].text(), format!("page: {} (byte 2: %3C)", Refusal::BadTarget.reason()));
    assert_eq!(found[1].text(), "1");
    let id = client.id().unwrap();
    let refused: Vec<_> = server.events().into_iter().filter(|event| matches!(event, Event::Refused(..))).collect();
    assert_eq!(refused, [Event::Refused(id, Refusal::BadTarget)]);
}

#[test]
fn what_browsers_send_unencoded_reaches_the_application() {
    async fn tell(request: &mut Request<'_, Count>) -> String {
        let mut said = String::new();
        for (name, value) in request.query_pairs() {
            let mut space = [[0; 64]; 2];
            let [of_name, of_value] = &mut space;
            let _ = write!(said, "{}={};", name.decode(of_name).unwrap(), value.decode(of_value).unwrap());
        }
        said + request.path()
    }
    let app = || Router::new().route("/{*rest}", any(tell));
    for (target, wanted) in [
        ("/x?a[]=1&a[]=2", "a[]=1;a[]=2;/x"),
        ("/x?a|b", "a|b=;/x"),
        ("/x?a=50%", "a=50%;/x"),
        ("/x?a=%zz&50%=%4", "a=%zz;50%=%4;/x"),
        ("/x?{:1}^\\`", "{:1}^\\`=;/x"),
        ("/x/[a]{b}|^`", "/x/[a]{b}|^`"),
        ("/x?a=%41%", "a=A%;/x"),
    ] {
        let answers = every_way(app, Settings::default(), get(target) + &get("/x"));
        assert_eq!(answers.statuses(), [200, 200], "{target}");
        assert_eq!(answers.responses()[0].text(), wanted, "{target}");
    }
}
