//! The request line: RFC 9112 section 3.

use crate::*;

#[test]
fn one_empty_line_may_stand_before_the_request_line() {
    let text = get("/");
    let head = accepted(&format!("\r\n{text}"));
    assert_eq!((head.bytes as usize, head.token), (text.len() + 2, Span { start: 2, end: 5 }));
    refused(&format!("\r\n\r\n{text}"), Refusal::BadMethod);
    refused(&format!("\r{text}"), Refusal::BadLineEnd);
    refused(&format!("\n{text}"), Refusal::BadLineEnd);
    refused(&format!("\r\n\n{text}"), Refusal::BadLineEnd);
    assert_eq!(accepted_with(&format!("\n{text}"), &LENIENT).token, Span { start: 1, end: 4 });
    refused_with(&format!("\n\n{text}"), &LENIENT, Refusal::BadMethod);
    refused_with(&format!("\n\r\n{text}"), &LENIENT, Refusal::BadMethod);
}

#[test]
fn a_method_is_any_token() {
    for (token, method) in [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("PUT", Method::Put),
        ("DELETE", Method::Delete),
        ("OPTIONS", Method::Options),
        ("TRACE", Method::Trace),
        ("PATCH", Method::Patch),
        ("get", Method::Other),
        ("G", Method::Other),
        ("GETS", Method::Other),
        ("CONNECTED", Method::Other),
        ("connect", Method::Other),
        ("!#$%&'*+-.^_`|~09azAZ", Method::Other),
    ] {
        let text = format!("{token} / HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = accepted(&text);
        assert_eq!((head.method, head.token.of(text.as_bytes())), (method, token.as_bytes()), "case {token:?}");
    }
}

#[test]
fn a_method_that_is_no_token_is_refused() {
    for line in
        [" / HTTP/1.1", "G\tET / HTTP/1.1", "GET\t/ HTTP/1.1", "G(T / HTTP/1.1", "G\u{e9}T / HTTP/1.1", "GET", "G\0"]
    {
        refused(&format!("{line}\r\nHost: a\r\n\r\n"), Refusal::BadMethod);
    }
    refused("GE\rT / HTTP/1.1\r\n\r\n", Refusal::BadLineEnd);
    refused("GET\n", Refusal::BadLineEnd);
    refused("CONNECT a.example:80 HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Connect);
    refused("CONNECT /", Refusal::Connect);
}

#[test]
fn targets_have_three_forms() {
    for (target, form) in [
        ("/", TargetForm::Origin),
        ("//", TargetForm::Origin),
        ("/a/b;c=d,e/@:!$&'()*+,;=-._~", TargetForm::Origin),
        ("/?", TargetForm::Origin),
        ("/a?b=/?c", TargetForm::Origin),
        ("/%41%e9%Fa", TargetForm::Origin),
        ("http://a", TargetForm::Absolute),
        ("HTTP://a/", TargetForm::Absolute),
        ("http://a.example:443/b?c", TargetForm::Absolute),
        ("http://a?b", TargetForm::Absolute),
        ("http://[::1]:80/", TargetForm::Absolute),
        ("http://a:/", TargetForm::Absolute),
        ("http://a%2Fb/", TargetForm::Absolute),
    ] {
        let text = get(target);
        let head = accepted(&text);
        assert_eq!((head.form, head.target.of(text.as_bytes())), (form, target.as_bytes()), "case {target:?}");
    }
    assert_eq!(accepted("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").form, TargetForm::Asterisk);
    assert_eq!(accepted("OPTIONS /* HTTP/1.1\r\nHost: a\r\n\r\n").form, TargetForm::Origin);
}

#[test]
fn targets_of_no_form_are_refused() {
    for target in [
        "",
        "*",
        "a",
        "a:80",
        "?a",
        "%2F",
        "/#",
        "/a#b",
        "/\"",
        "/<",
        "/>",
        "/[",
        "/\\",
        "/]",
        "/^",
        "/`",
        "/{",
        "/|",
        "/}",
        "/\u{7f}",
        "/\u{e9}",
        "/\0",
        "/\t",
        "/%",
        "/%4",
        "/%4g",
        "/%g4",
        "/%%41",
        "/?%",
        "http",
        "http:/a",
        "http://",
        "http:///",
        "http://?a",
        "http://:80/",
        "http://a@b/",
        "http://a:b@c/",
        "http://a:b/",
        "http://a:1:2/",
        "http://[::1/",
        "http://[]/",
        "http://[1]/",
        "http://[::1]a/",
        "http://a[::1]/",
        "http://a%/",
        "http://a%4/",
        "http://a#",
        "http://a\\b/",
        "httpx://a/",
        "ftp://a/",
        "httpss://a/",
    ] {
        refused(&get(target), Refusal::BadTarget);
    }
    for target in ["https://a/", "HTTPS://a", "https://"] {
        refused(&get(target), Refusal::SchemeNotServed);
    }
    refused("OPTIONS ** HTTP/1.1\r\n\r\n", Refusal::BadTarget);
    refused("OPTIONS */ HTTP/1.1\r\n\r\n", Refusal::BadTarget);
    refused("GET  / HTTP/1.1\r\n\r\n", Refusal::BadTarget);
    refused("GET \r\n\r\n", Refusal::BadTarget);
    refused("GET /\r HTTP/1.1\r\n\r\n", Refusal::BadLineEnd);
    refused("GET /%\n", Refusal::BadTarget);
    refused("GET http\r://a/ HTTP/1.1\r\n\r\n", Refusal::BadLineEnd);
}

#[test]
fn versions_are_one_digit_each() {
    for (version, answered_as) in
        [("1.0", Version::Http10), ("1.1", Version::Http11), ("1.2", Version::Http11), ("1.9", Version::Http11)]
    {
        assert_eq!(
            accepted(&format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n")).version,
            answered_as,
            "case {version}"
        );
    }
    for version in ["0.9", "2.0", "3.1", "9.9"] {
        refused(&format!("GET / HTTP/{version}\r\n\r\n"), Refusal::UnsupportedVersion);
    }
    for version in [
        "",
        " ",
        "HTTP",
        "HTTP/1",
        "HTTP/1.",
        "HTTP/.1",
        "HTTP/11.1",
        "HTTP/1.11",
        "http/1.1",
        "HTTP 1.1",
        "HTTP/1,1",
        "HTTP/1.1 ",
    ] {
        refused(&format!("GET / {version}\r\nHost: a\r\n\r\n"), Refusal::BadVersion);
    }
    refused("GET /\r\n\r\n", Refusal::BadVersion);
    refused("GET http://a\r\n\r\n", Refusal::BadVersion);
    refused("GET /  HTTP/1.1\r\n\r\n", Refusal::BadVersion);
    refused("GET / HTTP/2.0\rx", Refusal::BadLineEnd);
    refused("GET / HTTP/1.1\rx", Refusal::BadLineEnd);
}
