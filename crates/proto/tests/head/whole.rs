//! The head as a whole: what it says, where it ends, and how its lines end.

use crate::*;

#[test]
fn a_head_says_where_everything_stands() {
    let text = "POST /adder?a=1 HTTP/1.1\r\nHost: 127.0.0.1:9101\r\nContent-Length: 12\r\n\r\n";
    let head = accepted(&format!("{text}twelve byte"));
    let bytes = text.as_bytes();
    assert_eq!(head.token.of(bytes), b"POST");
    assert_eq!(head.target.of(bytes), b"/adder?a=1");
    assert_eq!(head.fields.of(bytes), b"Host: 127.0.0.1:9101\r\nContent-Length: 12\r\n");
    assert_eq!(
        head,
        Head {
            method: Method::Post,
            version: Version::Http11,
            form: TargetForm::Origin,
            framing: Framing::Length(12),
            persistent: true,
            expects_continue: false,
            encoded: false,
            token: head.token,
            target: head.target,
            fields: head.fields,
            bytes: u32::try_from(text.len()).unwrap(),
            refusal: None,
            refused_at: None,
        }
    );
}

#[test]
fn what_stands_behind_the_head_is_not_looked_at() {
    let text = get("/");
    for behind in ["", "\0", "\r", "GET"] {
        assert_eq!(accepted(&format!("{text}{behind}")).bytes as usize, text.len(), "behind {behind:?}");
    }
}

#[test]
fn every_beginning_of_a_head_is_incomplete() {
    let text = "PUT http://a.example/%41 HTTP/1.1\r\nHost: a.example\r\nA-B: c d\r\nContent-Length: 1\r\n\r\n";
    for end in 0..text.len() {
        assert_eq!(fed(&text.as_bytes()[..end], &LIMITS, [end]), Ok(None), "beginning {:?}", &text[..end]);
    }
}

#[test]
fn a_wrong_byte_is_refused_as_soon_as_it_is_seen() {
    for (text, refusal) in [
        ("(", Refusal::BadMethod),
        ("GET  ", Refusal::BlankInTarget),
        ("GET /\t", Refusal::BlankInTarget),
        ("GET a\0", Refusal::BlankInTarget),
        ("GET /%\x7f", Refusal::BlankInTarget),
        ("GET / h", Refusal::BadVersion),
        ("GET / HTTP/1.1 ", Refusal::BadVersion),
        ("GET / HTTP/1.1\r\n ", Refusal::ObsoleteFolding),
        ("GET / HTTP/1.1\r\n:", Refusal::BadFieldName),
        ("GET / HTTP/1.1\r\na ", Refusal::SpaceBeforeColon),
        ("GET / HTTP/1.1\r\na:\0", Refusal::BadFieldValue),
        ("GET / HTTP/1.1\r\na:\rb", Refusal::BadLineEnd),
    ] {
        refused(text, refusal);
    }
}

#[test]
fn lines_end_with_cr_lf_unless_a_lone_lf_is_tolerated() {
    let strict = "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nContent-Length: 2\r\n\r\n";
    let lines = strict.matches("\r\n").count();
    for lone in 1..1 << lines {
        let mut text = String::new();
        for (index, line) in strict.split_inclusive("\r\n").enumerate() {
            let _ = write!(text, "{}{}", line.trim_end(), if lone >> index & 1 == 1 { "\n" } else { "\r\n" });
        }
        refused(&text, Refusal::BadLineEnd);
        let head = accepted_with(&text, &LENIENT);
        assert_eq!((head.bytes as usize, head.framing), (text.len(), Framing::Length(2)), "case {text:?}");
        assert_eq!(texts(&head, &text), texts(&accepted(strict), strict), "case {text:?}");
    }
    for limits in [LIMITS, LENIENT] {
        for (bare, _) in strict.match_indices('\r') {
            let text = format!("{}{}behind", &strict[..=bare], &strict[bare + 2..]);
            refused_with(&text, &limits, Refusal::BadLineEnd);
        }
        refused_with(&with_fields("a: \rb\r\n"), &limits, Refusal::BadLineEnd);
        refused_with(&with_fields("a: b\r\r\n"), &limits, Refusal::BadLineEnd);
        refused_with(&with_fields("a\r: b\r\n"), &limits, Refusal::BadLineEnd);
        // Were the case of every byte folded, this would be Content-Length.
        refused_with(&with_fields("Content\rLength: 5\r\n"), &limits, Refusal::BadLineEnd);
    }
    refused(&with_fields("a\n"), Refusal::BadLineEnd);
    refused_with(&with_fields("a\n"), &LENIENT, Refusal::BadFieldName);
}

#[test]
fn a_resume_point_is_small() {
    assert!(size_of::<HeadParser>() <= 48, "{} bytes", size_of::<HeadParser>());
}
