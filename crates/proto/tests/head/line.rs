//! The request line: RFC 9112 section 3.

use crate::*;

#[test]
fn two_empty_lines_may_stand_before_the_request_line() {
    let text = get("/");
    for (lead, limits) in [
        ("", &LIMITS),
        ("\r\n", &LIMITS),
        ("\r\n\r\n", &LIMITS),
        ("\n", &LENIENT),
        ("\n\n", &LENIENT),
        ("\n\r\n", &LENIENT),
        ("\r\n\n", &LENIENT),
        ("\r\n\r\n", &LENIENT),
    ] {
        let head = accepted_with(&format!("{lead}{text}"), limits);
        let start = u32::try_from(lead.len()).unwrap();
        let bytes = lead.len() + text.len();
        assert_eq!((head.bytes as usize, head.token), (bytes, Span { start, end: start + 3 }), "{lead:?}");
        if lead.matches('\n').count() == 2 {
            for third in ["\r\n", "\n"] {
                let text = format!("{lead}{third}{text}");
                let refusal = if limits == &LIMITS && third == "\n" { Refusal::BadLineEnd } else { Refusal::BadMethod };
                refused_with(&text, limits, refusal);
            }
        }
    }
    for lead in ["\r", "\n", "\r\n\n", "\r\n\r"] {
        refused(&format!("{lead}{text}"), Refusal::BadLineEnd);
    }
    refused(&format!("\r\n {text}"), Refusal::BadMethod);
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
fn what_browsers_send_unencoded_is_accepted() {
    for byte in "[]{}|^\\`".chars() {
        for target in [format!("/{byte}"), format!("/a{byte}b/?c{byte}d={byte}"), format!("http://a/{byte}?{byte}")] {
            let text = get(&target);
            let head = accepted(&text);
            assert_eq!(head.target.of(text.as_bytes()), target.as_bytes(), "case {target:?}");
        }
    }
    // In a query a `%` that begins no escape stands for itself, wherever it stands.
    for target in
        ["/?%", "/?50%", "/?%4", "/?%4&a", "/?%zz", "/?%%41", "/%41?%", "/?%41%&%", "/??%/", "http://a?%", "/?%%%%"]
    {
        let text = get(target);
        let head = accepted(&text);
        assert_eq!(head.target.of(text.as_bytes()), target.as_bytes(), "case {target:?}");
        assert!(head.encoded, "case {target:?}");
    }
}

#[test]
fn a_bad_target_comes_with_its_head() {
    use Refusal::{BadTarget, BadTargetForm};
    for (target, refusal, at) in [
        ("*", BadTargetForm, 0),
        ("a", BadTargetForm, 0),
        ("a:80", BadTargetForm, 0),
        ("?a", BadTargetForm, 0),
        ("%2F", BadTargetForm, 0),
        ("\u{e9}", BadTargetForm, 0),
        ("/#", BadTarget, 1),
        ("/a#b", BadTarget, 2),
        ("/a?b#c?%", BadTarget, 4),
        ("/a?%#", BadTarget, 4),
        ("/\"", BadTarget, 1),
        ("/<", BadTarget, 1),
        ("/>", BadTarget, 1),
        ("/a>\"<", BadTarget, 2),
        ("/\u{e9}", BadTarget, 1),
        ("/?\u{e9}", BadTarget, 2),
        ("/%", BadTarget, 1),
        ("/%4", BadTarget, 1),
        ("/%4g", BadTarget, 1),
        ("/%g4", BadTarget, 1),
        ("/%%41", BadTarget, 1),
        ("/%4?", BadTarget, 1),
        ("/a%41%/?", BadTarget, 5),
        ("http", BadTargetForm, 4),
        ("http:/a", BadTargetForm, 6),
        ("http://", BadTargetForm, 7),
        ("http:///", BadTargetForm, 7),
        ("http://?a", BadTargetForm, 7),
        ("http://:80/", BadTargetForm, 7),
        ("http://a@b/", BadTargetForm, 8),
        ("http://a:b@c/", BadTargetForm, 7),
        ("http://a:b/", BadTargetForm, 7),
        ("http://a:1:2/", BadTargetForm, 7),
        ("http://[::1/", BadTargetForm, 7),
        ("http://[]/", BadTargetForm, 7),
        ("http://[1]/", BadTargetForm, 7),
        ("http://[::1]a/", BadTargetForm, 7),
        ("http://a[::1]/", BadTargetForm, 7),
        ("http://a%/", BadTargetForm, 7),
        ("http://a%4/", BadTargetForm, 7),
        ("http://a#", BadTargetForm, 8),
        ("http://a\\b/", BadTargetForm, 8),
        ("http://a/<", BadTarget, 9),
        ("httpx://a/", BadTargetForm, 4),
        ("ftp://a/", BadTargetForm, 0),
        ("httpss://a/", BadTargetForm, 5),
    ] {
        // All else is read as of any other head, before and behind an empty line.
        for (lead, fields, framing, persistent) in [
            ("", "", Framing::Empty, true),
            ("\r\n", "Content-Length: 5\r\n", Framing::Length(5), true),
            ("", "Transfer-Encoding: chunked\r\nConnection: close\r\n", Framing::Chunked, false),
        ] {
            let text = format!("{lead}GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            let (head, byte) = refused_whole(&text, refusal);
            assert_eq!((head.framing, head.persistent), (framing, persistent), "case {text:?}");
            assert_eq!(head.target.of(text.as_bytes()), target.as_bytes(), "case {text:?}");
            assert_eq!(head.bytes as usize, text.len(), "case {text:?}");
            let wrong = *target.as_bytes().get(at).unwrap_or(&b' ');
            assert_eq!(byte, Some((u32::try_from(at).unwrap(), wrong)), "case {text:?}");
        }
    }
    for target in ["https://a/", "HTTPS://a", "https://", "https://a@b#"] {
        assert_eq!(refused_whole(&get(target), Refusal::SchemeNotServed).1, None);
    }
    for target in ["**", "*/"] {
        let text = format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(refused_whole(&text, BadTargetForm).1, Some((1, target.as_bytes()[1])));
    }
}

#[test]
fn a_target_whose_end_is_not_certain_is_refused_at_once() {
    for target in [
        "",
        " ",
        "\t",
        "/\0",
        "/\t",
        "/\u{7f}",
        "/a\x0bb",
        "/?\u{1}",
        "*\0",
        "a\t",
        "/#\t",
        "h\0",
        "http://a\t/",
        "https://\0",
    ] {
        refused(&get(target), Refusal::BlankInTarget);
    }
    // A second blank begins a version that is none.
    for target in ["/a b", "/# b", "/%4 b", "a b", "http b", "https:// b"] {
        refused(&get(target), Refusal::BadVersion);
    }
    for line in ["GET /", "GET ", "GET /#", "GET http", "GET http://", "GET HTTP/1.1", "GET https://a"] {
        refused(&format!("{line}\r\nHost: a\r\n\r\n"), Refusal::BadVersion);
        refused(&format!("{line}\r HTTP/1.1\r\n\r\n"), Refusal::BadLineEnd);
        refused(&format!("{line}\n HTTP/1.1\r\n\r\n"), Refusal::BadLineEnd);
    }
    refused("GET /%\n", Refusal::BadLineEnd);
}

#[test]
fn what_is_worse_than_a_bad_target_is_told_instead() {
    let bad = get("/#");
    refused_whole(&bad, Refusal::BadTarget);
    refused(&bad.replace("Host", "Most"), Refusal::HostMissing);
    refused(&bad.replace("1.1", "2.0"), Refusal::UnsupportedVersion);
    refused(&bad.replace(": a", ": a/"), Refusal::BadHost);
    refused(&bad.replace("\r\n\r\n", "\r\nContent-Length: a\r\n\r\n"), Refusal::BadContentLength);
    refused(&bad.replace("\r\n\r\n", "\r\nExpect: a\r\nContent-Length: 1\r\n\r\n"), Refusal::UnmetExpectation);
    refused_whole(&bad.replace("\r\n\r\n", "\r\nExpect: a\r\n\r\n"), Refusal::BadTarget);
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
