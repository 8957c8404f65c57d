//! Logins on sockets, by Basic, Bearer and cookie, and requests of other sites, through whole connections.

mod common;

use common::Visit;
use tenure::{
    Error, Handler, NEVER, Next, Request, Router, Sent, Session, StatusCode, any, get,
    kit::{Client, Server},
    post,
};
use tenure_login::{
    Basic, Bearer, CookieError, CrossOrigin, Key, Login, SignedCookie, Tries, VALID_S_MAX, log_in, log_out, require,
    same_origin, user,
};

fn answer<S: Session + 'static>(
    server: &mut Server<S>,
    client: &Client,
    line: &str,
    fields: &str,
    body: &str,
) -> String {
    client.send(format!("{line} HTTP/1.1\r\nHost: lamp.local\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len()));
    server.run();
    let answer = client.received_text();
    assert!(!client.is_closed() && answer.starts_with("HTTP/1.1 "), "{line} {fields}{answer}");
    answer
}

/// `/in?NAME`, valid for the seconds of the body; `/out`; `/own`.
fn sockets() -> Server<Visit> {
    let enter = async |request: &mut Request<'_, Visit>| {
        let valid_s = request.body().parse().await?;
        let name = request.query().unwrap_or_default();
        log_in(request, name, valid_s)
    };
    let leave = async |request: &mut Request<'_, Visit>| log_out(request);
    let own = async |request: &mut Request<'_, Visit>| {
        let seen = request.session_mut().map_or(0, |visit| {
            visit.seen += 1;
            visit.seen
        });
        Ok::<_, Error>(format!("{} {seen}", user(request)?))
    };
    let own = Router::new().route("/", get(own)).wrap(require);
    let app = Router::new().route("/in", post(enter)).route("/out", post(leave)).nest("/own", own);
    Server::new(app.error(StatusCode::UNAUTHORIZED, |_: &Error| (StatusCode::UNAUTHORIZED, "the form")))
}

#[test]
fn a_socket_is_a_login() {
    let mut server = sockets();
    let (ada, bob) = (server.connect(), server.connect());
    let refused = answer(&mut server, &ada, "GET /own", "", "");
    assert!(refused.starts_with("HTTP/1.1 401 ") && refused.ends_with("\r\n\r\nthe form"), "{refused}");
    assert!(refused.contains("\r\nWWW-Authenticate: Session\r\n"));
    assert!(server.with_session(ada.id().unwrap(), |_| ()).is_none(), "nobody's visit makes no session");
    assert!(answer(&mut server, &ada, "POST /out", "", "").ends_with("false"));
    assert!(answer(&mut server, &ada, "POST /in?ada", "", &NEVER.to_string()).starts_with("HTTP/1.1 200 "));
    assert!(answer(&mut server, &ada, "GET /own", "", "").ends_with("ada 1"));
    assert!(answer(&mut server, &bob, "GET /own", "", "").starts_with("HTTP/1.1 401 "));
    assert!(answer(&mut server, &ada, "POST /in?bob", "", &NEVER.to_string()).starts_with("HTTP/1.1 200 "));
    assert!(answer(&mut server, &ada, "GET /own", "", "").ends_with("bob 2"));
    assert!(answer(&mut server, &ada, "POST /out", "", "").ends_with("true"));
    assert!(answer(&mut server, &ada, "GET /own", "", "").starts_with("HTTP/1.1 401 "));
    assert!(answer(&mut server, &ada, "POST /out", "", "").ends_with("false"));
    // What else is in the session has stayed.
    assert!(answer(&mut server, &ada, "POST /in?ada", "", &NEVER.to_string()).starts_with("HTTP/1.1 200 "));
    assert!(answer(&mut server, &ada, "GET /own", "", "").ends_with("ada 3"));
    // The socket's end is the login's.
    ada.close();
    server.run();
    let next = server.connect();
    assert!(answer(&mut server, &next, "GET /own", "", "").starts_with("HTTP/1.1 401 "));
}

#[test]
fn a_login_expires() {
    let mut server = sockets();
    let client = server.connect();
    answer(&mut server, &client, "POST /in?ada", "", "5");
    for (after_ms, status) in [(0, 200), (4_999, 200), (1, 401), (1, 401)] {
        server.advance(after_ms);
        let told = answer(&mut server, &client, "GET /own", "", "");
        assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{after_ms}: {told}");
    }
    let longest = "x".repeat(64);
    for (name, valid_s, status) in [
        ("a", 0, 500),
        ("a", 1, 200),
        ("a", VALID_S_MAX, 200),
        ("a", VALID_S_MAX + 1, 500),
        ("a", NEVER - 1, 500),
        ("a", NEVER, 200),
        ("", 1, 422),
        (&*longest, 1, 200),
        (&*format!("{longest}x"), 1, 422),
    ] {
        let told = answer(&mut server, &client, &format!("POST /in?{name}"), "", &valid_s.to_string());
        assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{name} {valid_s}: {told}");
    }
}

#[test]
fn the_longest_login_ends_in_time() {
    let mut login = Login::default();
    // The clock wraps meanwhile.
    for start in [0, u32::MAX - 1_000] {
        login.enter("ada", start, VALID_S_MAX).unwrap();
        let valid_ms = VALID_S_MAX * 1_000;
        assert_eq!(login.user(start), Some("ada"));
        assert_eq!(login.user(start.wrapping_add(valid_ms - 1)), Some("ada"));
        assert_eq!(login.user(start.wrapping_add(valid_ms)), None);
        login.enter("ada", start, NEVER).unwrap();
        assert_eq!(login.user(start.wrapping_add(u32::MAX)), Some("ada"));
        assert_eq!(login.since_ms(), start);
    }
}

#[test]
fn basic_and_bearer_keep_the_session() {
    const BASIC: Basic = Basic::new("a");
    const BEARER: Bearer = Bearer::new("a");
    let basic = async |request: &mut Request<'_, Visit>| {
        BASIC.login(request, |given| given.are("Aladdin", "open sesame").then_some("gold")).await
    };
    let bearer = async |request: &mut Request<'_, Visit>| match BEARER.token(request).await? {
        "right" => Ok("gold"),
        "narrow" => Err(BEARER.forbid(request).await),
        _ => Err(BEARER.refuse(request).await),
    };
    let count = async |request: &mut Request<'_, Visit>| {
        let visit = request.session_or_insert_with(Visit::default);
        visit.seen += 1;
        visit.seen
    };
    let app = Router::new().route("/basic", any(basic)).route("/bearer", any(bearer)).route("/count", any(count));
    let mut server = Server::new(app);
    let client = server.connect();
    answer(&mut server, &client, "POST /count", "", "");
    let asks_basic = Some("Basic realm=\"a\", charset=\"UTF-8\"");
    let asks_bearer = Some("Bearer realm=\"a\"");
    for (target, given, status, challenge) in [
        ("/basic", None, 401, asks_basic),
        ("/basic", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), 200, None),
        ("/basic", Some("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), 200, None),
        ("/basic", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZR=="), 400, None),
        ("/basic", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZg=="), 401, asks_basic),
        ("/basic", Some("Bearer right"), 401, asks_basic),
        ("/bearer", None, 401, asks_bearer),
        ("/bearer", Some("Bearer right"), 200, None),
        ("/bearer", Some("Bearer wrong"), 401, Some("Bearer realm=\"a\", error=\"invalid_token\"")),
        ("/bearer", Some("Bearer narrow"), 403, Some("Bearer realm=\"a\", error=\"insufficient_scope\"")),
        ("/bearer", Some("Bearer a b"), 400, Some("Bearer realm=\"a\", error=\"invalid_request\"")),
        ("/bearer", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), 401, asks_bearer),
    ] {
        let field = given.map_or(String::new(), |given| format!("Authorization: {given}\r\n"));
        // With a body that nobody reads.
        let told = answer(&mut server, &client, &format!("POST {target}"), &field, "body");
        assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{target} {given:?}: {told}");
        let found = told.split("\r\n").find_map(|line| line.strip_prefix("WWW-Authenticate: "));
        assert_eq!(found, challenge, "{target} {given:?}");
    }
    assert!(answer(&mut server, &client, "POST /count", "", "").ends_with("\r\n\r\n2"));
}

#[test]
fn cookies_of_several_paths_and_of_others() {
    let cookie = |byte: u8| SignedCookie::new("login", Key::of([byte; 32])).path("/own");
    let text = |cookie: &SignedCookie, value: &str, now_s: u64| {
        let set = format!("{:?}", cookie.set(value, now_s).unwrap());
        set.split("value: \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let own = cookie(1);
    let (right, old, forged) = (text(&own, "ada", 1_000), text(&own, "old", 10), text(&cookie(2), "eve", 1_000));
    let read = async move |request: &mut Request<'_, ()>| match own.of(request, 4_000) {
        Ok(signed) => Ok(signed.value().to_owned()),
        Err(CookieError::Missing) => Err(Error::not_found("none")),
        Err(error) => Err(Error::from(error)),
    };
    let mut server = Server::new(Router::new().route("/own", get(read)));
    let client = server.connect();
    for (cookies, wanted) in [
        (String::new(), "none"),
        (format!("logins={right}"), "none"),
        (format!("login={right}"), "ada"),
        (format!("login={forged}; login={old}; login=; login={right}"), "ada"),
        (
            format!("login=; login=; login=; login=; login={right}"),
            "the cookie is not of this server's making: log in again",
        ),
        (format!("login={forged}"), "the cookie is not of this server's making: log in again"),
        (format!("login={old}"), "the login has expired: log in again"),
    ] {
        let told = answer(&mut server, &client, "GET /own", &format!("Cookie: {cookies}\r\n"), "");
        assert_eq!(told.rsplit("\r\n").next().map(str::trim_end), Some(wanted), "{cookies}");
    }
}

#[test]
fn a_cookies_attributes() {
    let key = || Key::of([1; 32]);
    let plain = SignedCookie::new("login", key());
    let host = SignedCookie::new("__Host-login", key()).secure().same_site(tenure::SameSite::Strict).valid_s(60);
    let (plain_gone, host_gone) = (plain.gone(), host.gone());
    let set = async move |_: &mut Request<'_, ()>| Ok::<_, Error>(((plain.set("a", 0)?, host.set("a", 0)?), ()));
    let gone = async move |_: &mut Request<'_, ()>| ((plain_gone, host_gone), ());
    let mut server = Server::new(Router::new().route("/set", get(set)).route("/gone", get(gone)));
    let client = server.connect();
    for (target, wanted) in [
        (
            "/set",
            [
                "; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax",
                "; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Strict",
            ],
        ),
        (
            "/gone",
            [
                "login=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
                "__Host-login=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict",
            ],
        ),
    ] {
        let told = answer(&mut server, &client, &format!("GET {target}"), "", "");
        let cookies: Vec<_> = told.split("\r\n").filter_map(|line| line.strip_prefix("Set-Cookie: ")).collect();
        assert!(cookies.len() == 2 && cookies[0].ends_with(wanted[0]) && cookies[1].ends_with(wanted[1]), "{told}");
    }
}

#[test]
fn what_other_sites_pages_may() {
    const ALLOWED: CrossOrigin = CrossOrigin::allow(&["https://app.example"]);
    let app = || any(async |_: &mut Request<'_, ()>| "done");
    let some = app().wrap(async |request: &mut Request<'_, ()>, next: tenure::Next<'_, '_, _>| {
        ALLOWED.check(request)?;
        next.run(request).await
    });
    let mut server = Server::new(Router::new().route("/own", app().wrap(same_origin)).route("/some", some));
    let client = server.connect();
    for (fields, own, some) in [
        ("", true, true),
        ("Sec-Fetch-Site: same-origin\r\n", true, true),
        ("Sec-Fetch-Site: none\r\n", true, true),
        ("Sec-Fetch-Site: same-site\r\n", false, false),
        ("Sec-Fetch-Site: cross-site\r\n", false, false),
        ("Sec-Fetch-Site: \r\n", false, false),
        ("Sec-Fetch-Site: other\r\n", false, false),
        // What a browser knows better counts: behind a proxy the host may be another.
        ("Sec-Fetch-Site: same-origin\r\nOrigin: https://lamp.example\r\n", true, true),
        ("Sec-Fetch-Site: cross-site\r\nOrigin: http://lamp.local\r\n", false, false),
        ("Sec-Fetch-Site: cross-site\r\nOrigin: https://app.example\r\n", false, true),
        ("Sec-Fetch-Site: cross-site\r\nOrigin: null\r\n", false, false),
        ("Origin: http://lamp.local\r\n", true, true),
        ("Origin: https://lamp.local\r\n", true, true), // a proxy may end TLS
        ("Origin: http://LAMP.local\r\n", true, true),
        ("Origin: http://lamp.local:8080\r\n", false, false),
        ("Origin: http://lamp.local.evil.example\r\n", false, false),
        ("Origin: http://evil.example\r\n", false, false),
        ("Origin: https://app.example\r\n", false, true),
        ("Origin: https://app.example.evil\r\n", false, false),
        ("Origin: null\r\n", false, false),
        ("Origin: \r\n", false, false),
        ("Origin: lamp.local\r\n", false, false),
        ("Origin: http://lamp.local\r\nOrigin: http://lamp.local\r\n", false, false),
        ("Sec-Fetch-Site: none\r\nSec-Fetch-Site: none\r\n", false, false),
        ("Origin: \u{e9}\r\n", false, false),
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS"] {
            let is_safe = matches!(method, "GET" | "HEAD" | "OPTIONS");
            for (target, may) in [("/own", own), ("/some", some)] {
                let told = answer(&mut server, &client, &format!("{method} {target}"), fields, "");
                let wanted = if may || is_safe { "HTTP/1.1 200 " } else { "HTTP/1.1 403 " };
                assert!(told.starts_with(wanted), "{method} {target} {fields}: {told}");
            }
        }
    }
}

/// A request whose body takes longer than a while of tries gives none back: it arrived before them, and is one of now.
#[test]
fn a_slow_body_gives_no_tries_back() {
    let tries: &Tries<4> = Box::leak(Box::new(Tries::new(2, 60)));
    let enter = async move |request: &mut Request<'_, ()>| -> Result<(), Error> {
        while request.body().limit(100_000).read().await?.is_some() {}
        tries.take(request).await?;
        Err(Error::forbidden("wrong"))
    };
    let mut server = Server::new(Router::new().route("/enter", post(enter)));
    let slow = server.connect();
    slow.send("POST /enter HTTP/1.1\r\nHost: a\r\nContent-Length: 66000\r\n\r\n");
    for _ in 0..130 {
        slow.send("x".repeat(500));
        server.advance(500);
    }
    let quick = server.connect();
    let mut tried = || answer(&mut server, &quick, "POST /enter", "", "").get(9..12).unwrap_or_default().to_owned();
    assert_eq!([(); 3].map(|()| tried()), ["403", "403", "429"]);
    slow.send("x".repeat(1_000));
    assert_eq!(tried(), "429");
    assert!(slow.received_text().starts_with("HTTP/1.1 429 "));
    assert_eq!(tried(), "429");
}

/// Where a middleware renews a cookie that the handler takes away, it is gone; else it is renewed.
#[test]
fn a_logout_behind_a_guard_that_renews_is_one() {
    static COOKIE: SignedCookie = SignedCookie::new("login", Key::of([7; 32])).valid_s(10);
    async fn guard<'r, H: Handler<()>>(request: &mut Request<'r, ()>, next: Next<'_, 'r, H>) -> Result<Sent, Error> {
        let login = COOKIE.of(request, 1_005)?;
        request.response_fields(COOKIE.renewed(&login, 1_005)).await?;
        next.run(request).await
    }
    let leave = async |_: &mut Request<'_, ()>| (COOKIE.gone(), "bye");
    let own = async |_: &mut Request<'_, ()>| "own";
    let enter = async |_: &mut Request<'_, ()>| Ok::<_, Error>((COOKIE.set("ada", 1_000)?, "hello"));
    let inside = Router::new().route("/own", get(own)).route("/leave", post(leave)).wrap(guard);
    let mut server = Server::new(Router::new().route("/enter", post(enter)).nest("/in", inside));
    let client = server.connect();
    let set = |answer: String| {
        let set = answer.lines().filter_map(|line| line.strip_prefix("Set-Cookie: login="));
        set.map(|set| set.split("; SameSite").next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let entered = set(answer(&mut server, &client, "POST /enter", "", "")).remove(0);
    let cookie = format!("Cookie: login={}\r\n", entered.split(';').next().unwrap());
    let renewed = set(answer(&mut server, &client, "GET /in/own", &cookie, ""));
    assert!(renewed.len() == 1 && renewed[0].ends_with("; Path=/; Max-Age=10; HttpOnly"), "{renewed:?}");
    assert_eq!(set(answer(&mut server, &client, "POST /in/leave", &cookie, "")), ["; Path=/; Max-Age=0; HttpOnly"]);
}
