//! Values that carry fields, or are little else: lists, cookies, what caches may do, redirects.

mod support;

use std::borrow::Cow;

use support::{Response, every_way, get, request, responses_to, small};
use tenure::{
    CacheControl, Handler, IntoFields, IntoResponse, Limits, Redirect, Request, Router, SameSite, SetCookie,
    StatusCode, Text, any, kit::Settings,
};

fn answering<R: IntoResponse + 'static>(make: impl Fn() -> R + 'static) -> impl Handler<()> {
    Router::new().route("/", any(async move |_: &mut Request<'_, ()>| make()))
}

#[track_caller]
fn answer<R: IntoResponse + 'static>(make: impl Fn() -> R + Copy + 'static) -> Response {
    let answers = every_way(move || answering(make), Settings::default(), get("/"));
    let short = every_way(move || answering(make), small(16), get("/"));
    assert_eq!(short.bytes, answers.bytes);
    answers.response()
}

/// The values of the fields of that name.
fn values<'r>(response: &'r Response, name: &str) -> Vec<&'r str> {
    let named = response.fields.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn fields_come_in_many_shapes() {
    const LIST: &[(&str, &str)] = &[("X-A", "1"), ("X-A", "2")];
    macro_rules! written {
        ($($fields:expr => $wanted:expr;)*) => {
            $({
                let wanted: &[&str] = &$wanted;
                let response = answer(|| ($fields, "body"));
                assert_eq!((&*values(&response, "x-a"), response.status, response.text()), (wanted, 200, "body"));
                let response = answer(|| (StatusCode::ACCEPTED, $fields, "body"));
                assert_eq!((&*values(&response, "x-a"), response.status, response.text()), (wanted, 202, "body"));
            })*
        };
    }
    fn heapless() -> heapless::Vec<(&'static str, heapless::String<4>), 4> {
        let mut list = heapless::Vec::<_, 4>::new();
        list.extend([("X-A", heapless::String::<4>::try_from("1").unwrap())]);
        list
    }
    written! {
        [("X-A", "1")] => ["1"];
        [("X-A", b"1".as_slice()), ("X-A", b"\xc3\xa9")] => ["1", "\u{e9}"];
        [("X-A".to_owned(), "1".to_owned())] => ["1"];
        LIST => ["1", "2"];
        &[("X-A", "1"), ("X-A", "2")] => ["1", "2"];
        vec![("X-A", 7.to_string())] => ["7"];
        Vec::<(&str, &str)>::new() => [];
        heapless() => ["1"];
        Some([("X-A", "1")]) => ["1"];
        None::<[(&str, &str); 1]> => [];
        ([("X-A", "1")], Some(vec![("X-A", "2")])) => ["1", "2"];
        ([("X-A", "1")], ([("X-A", "2")], [("X-A", "3")])) => ["1", "2", "3"];
    }
    // One behind the other: the fields of each.
    let response = answer(|| ([("X-A", "1")], (StatusCode::ACCEPTED, [("X-A", "2")], ([("X-A", "3")], "body"))));
    assert_eq!((values(&response, "x-a"), response.status), (vec!["1", "2", "3"], 202));
    // What must not be set is refused, wherever it stands.
    for status in [
        answer(|| (vec![("X-A", "1"), ("Date", "2")], "body")).status,
        answer(|| (Some([("X-A", "1\n")]), "body")).status,
        answer(|| (StatusCode::ACCEPTED, ([("X-A", "1")], [("X A", "2")]), "body")).status,
    ] {
        assert_eq!(status, 500);
    }
}

#[test]
fn a_cookie_is_written_as_rfc_6265_says() {
    let said = |cookie: SetCookie<&'static str>| {
        let response = every_way(move || answering(move || (cookie, ())), Settings::default(), get("/")).response();
        (response.status, response.field("set-cookie").map(str::to_owned))
    };
    let plain = SetCookie::new("a", "b");
    for (cookie, wanted) in [
        (plain, "a=b; Path=/; HttpOnly; SameSite=Lax"),
        (SetCookie::new("a", ""), "a=; Path=/; HttpOnly; SameSite=Lax"),
        (SetCookie::new("a", "!#%&=~"), "a=!#%&=~; Path=/; HttpOnly; SameSite=Lax"),
        (plain.path("/x y").domain("example"), "a=b; Path=/x y; Domain=example; HttpOnly; SameSite=Lax"),
        (plain.max_age(0), "a=b; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"),
        (plain.max_age(u32::MAX), "a=b; Path=/; Max-Age=4294967295; HttpOnly; SameSite=Lax"),
        (plain.for_scripts().same_site(SameSite::Strict), "a=b; Path=/; SameSite=Strict"),
        (plain.secure().same_site(SameSite::None), "a=b; Path=/; HttpOnly; Secure; SameSite=None"),
        (SetCookie::new("__Secure-a", "b").secure(), "__Secure-a=b; Path=/; HttpOnly; Secure; SameSite=Lax"),
        (SetCookie::new("__Host-a", "b").secure(), "__Host-a=b; Path=/; HttpOnly; Secure; SameSite=Lax"),
        (SetCookie::gone("a"), "a=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"),
    ] {
        assert_eq!(said(cookie), (200, Some(wanted.to_owned())), "{cookie:?}");
    }
    for cookie in [
        SetCookie::new("", "b"),
        SetCookie::new("a b", "b"),
        SetCookie::new("a=", "b"),
        SetCookie::new("a;", "b"),
        SetCookie::new("a", "b c"),
        SetCookie::new("a", "b;c"),
        SetCookie::new("a", "b,c"),
        SetCookie::new("a", "\"b\""),
        SetCookie::new("a", "b\\"),
        SetCookie::new("a", "b\r\nX: 1"),
        SetCookie::new("a", "\u{e9}"),
        plain.path(""),
        plain.path("x"),
        plain.path("/; Secure"),
        plain.path("/\n"),
        plain.domain("a;b"),
        plain.same_site(SameSite::None),
        SetCookie::new("__Secure-a", "b"),
        SetCookie::new("__Host-a", "b"),
        SetCookie::new("__Host-a", "b").secure().path("/x"),
        SetCookie::new("__Host-a", "b").secure().domain("example"),
    ] {
        assert_eq!(said(cookie), (500, None), "{cookie:?}");
    }
    // Each cookie has a field of its own.
    let response = answer(|| ((SetCookie::new("a", "1".to_owned()), SetCookie::new("b", "2")), "body"));
    assert_eq!(values(&response, "set-cookie").len(), 2);
}

#[test]
fn caches_are_told_what_they_may() {
    for (control, wanted) in [
        (CacheControl::no_store(), "no-store"),
        (CacheControl::no_cache().private(), "no-cache, private"),
        (CacheControl::max_age(0).must_revalidate(), "max-age=0, must-revalidate"),
        (CacheControl::max_age(u32::MAX).public().immutable(), "max-age=4294967295, public, immutable"),
    ] {
        let app = move || answering(move || (control, "body"));
        let response = every_way(app, Settings::default(), get("/")).response();
        assert_eq!(response.field("cache-control"), Some(wanted));
    }
}

#[test]
fn a_redirect_tells_where() {
    for (status, redirect) in
        [(303, Redirect::see_other("/x")), (307, Redirect::temporary("/x")), (308, Redirect::permanent("/x"))]
    {
        let app = move || answering(move || redirect);
        let answers = every_way(app, Settings::default(), get("/"));
        let response = answers.response();
        assert_eq!((response.status, response.field("location"), response.text()), (status, Some("/x"), ""));
        let head = support::feed(app(), Settings::default(), [request("HEAD", "/", "", "").as_bytes()]).bytes;
        assert_eq!(responses_to("H", &head)[0].fields, response.fields);
        let old = every_way(app, Settings::default(), "GET / HTTP/1.0\r\n\r\n");
        assert_eq!((old.response().status, old.closed), (status, true));
    }
    for (target, status) in [
        ("/", 303),
        ("https://a.example/b?c=d&e=%20#f", 303),
        ("//a/b", 303),
        ("../a;b:c@d!$'()*+,[]", 303),
        ("", 500),
        ("/a b", 500),
        ("/a\r\nX: 1", 500),
        ("/\u{e9}", 500),
        ("/<", 500),
        ("/a\\b", 500),
        ("/\x7f", 500),
    ] {
        let app = move || answering(move || Redirect::see_other(target.to_owned()));
        let response = every_way(app, Settings::default(), get("/")).response();
        assert_eq!((response.status, response.field("location")), (status, (status == 303).then_some(target)));
    }
    // It goes with fields.
    let response = answer(|| (SetCookie::new("a", "b"), Redirect::see_other("/")));
    assert_eq!((response.status, values(&response, "set-cookie").len()), (303, 1));
}

#[test]
fn text_is_text_whatever_others_are() {
    let limits = Limits { content_type: Some("text/html"), ..Limits::HOST };
    let settings = Settings { limits, ..Settings::default() };
    let told = |settings, text: bool| {
        let app = move || {
            Router::new()
                .route("/", any(async move |_: &mut Request<'_, ()>| if text { Ok(Text("a")) } else { Err("a") }))
        };
        let response = every_way(app, settings, get("/")).response();
        response.field("content-type").map(str::to_owned)
    };
    for (settings, is_text, wanted) in [
        (settings, true, "text/plain; charset=utf-8"),
        (settings, false, "text/html"),
        (Settings::default(), true, "text/plain; charset=utf-8"),
    ] {
        assert_eq!(told(settings, is_text).as_deref(), Some(wanted));
    }
    assert_eq!(answer(|| Box::<str>::from("boxed")).text(), "boxed");
    assert_eq!(answer(|| Cow::Borrowed("lent")).text(), "lent");
    assert_eq!(answer(|| Cow::<str>::Owned("owned".to_owned())).text(), "owned");
}

/// A list of one's own.
struct Timed(u32);

impl IntoFields for Timed {
    fn put(&self, fields: &mut tenure::FieldWriter<'_>) -> Result<(), tenure::Error> {
        let seconds = self.0.to_string();
        fields.field("X-A", &seconds).field_of("X-B", &[b"t=", seconds.as_bytes()]);
        if self.0 > 9 { Err(tenure::Error::conflict("too long")) } else { Ok(()) }
    }
}

#[test]
fn an_applications_own_fields() {
    let response = answer(|| (Timed(9), "body"));
    assert_eq!((response.status, response.field("x-a"), response.field("x-b")), (200, Some("9"), Some("t=9")));
    let response = answer(|| (Timed(10), "body"));
    assert_eq!((response.status, response.field("x-a"), response.text()), (409, None, "too long\n"));
}
