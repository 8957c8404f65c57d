//! The fields that decide over the connection and the framing.

use crate::*;

#[test]
fn host_is_there_once() {
    accepted("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    accepted("GET / HTTP/1.1\r\nA: b\r\nhOST:a\r\n\r\n");
    accepted("GET / HTTP/1.0\r\n\r\n");
    refused("GET / HTTP/1.1\r\n\r\n", Refusal::HostMissing);
    refused("GET / HTTP/1.2\r\n\r\n", Refusal::HostMissing);
    refused("GET http://a/ HTTP/1.1\r\n\r\n", Refusal::HostMissing);
    for version in ["1.0", "1.1"] {
        for (first, second) in
            [("Host: a", "Host: a"), ("Host: a", "host:b"), ("Host:", "Host: a"), ("host:a", "Host: ")]
        {
            refused(&format!("GET / HTTP/{version}\r\n{first}\r\nA: b\r\n{second}\r\n\r\n"), Refusal::HostRepeated);
        }
    }
}

#[test]
fn host_is_an_authority_or_empty() {
    for value in [
        "",
        " ",
        "a",
        "A.example",
        "a.example:80",
        "a:",
        "127.0.0.1:9101",
        "a_b",
        "a-b.",
        "!$&'()*+,;=-._~",
        "%41",
        "a%2fb:1",
        "[::]",
        "[::1]:80",
        "[1:2:3:4:5:6:7:8]",
        "[1:2:3:4:5:6:7::]",
        "[::ffff:1.2.3.4]",
        "[v1.a:b]",
        "[vF0.!]:1",
    ] {
        for blank in ["", " ", "\t", "  "] {
            accepted(&format!("GET / HTTP/1.1\r\nHost:{blank}{value}{blank}\r\n\r\n"));
        }
    }
    for value in [
        ":",
        ":80",
        "a b",
        "a,b c",
        "a@b",
        "a/",
        "/",
        "a?b",
        "a#b",
        "a:b",
        "a:8 0",
        "a:80:80",
        "a:-1",
        "a\\b",
        "a\"",
        "a<",
        "a\u{e9}",
        "%",
        "%4",
        "%4g",
        "a%",
        "[",
        "]",
        "[]",
        "[::1",
        "::1",
        "[::1]80",
        "[::1]:a",
        "a[::1]",
        "[1:2:3:4:5:6:7]",
        "[1:2:3:4:5:6:7:8:9]",
        "[::1%25eth0]",
        "[1.2.3.4]",
        "[12345::]",
        "[v.a]",
        "[v1]",
        "[v1.]",
        "[vg.a]",
        "[v1.@]",
        "a\tb",
        "{",
        "a|b",
    ] {
        refused(&format!("GET / HTTP/1.1\r\nHost: {value}\r\n\r\n"), Refusal::BadHost);
    }
}

#[test]
fn content_length_is_one_decimal_number() {
    for (lines, framing) in [
        ("Content-Length: 5", Framing::Length(5)),
        ("content-LENGTH:5", Framing::Length(5)),
        ("Content-Length: \t 5 \t", Framing::Length(5)),
        ("Content-Length: 0", Framing::Empty),
        ("Content-Length: 000", Framing::Empty),
        ("Content-Length: 12345", Framing::Length(12_345)),
        ("Content-Length: 00000000000000000000000000005", Framing::Length(5)),
        ("Content-Length: 18446744073709551615", Framing::Length(u64::MAX)),
        ("Content-Length: 5, 5", Framing::Length(5)),
        ("Content-Length: 5,5\t,\t05", Framing::Length(5)),
        ("Content-Length: 5\r\nContent-Length: 5", Framing::Length(5)),
        ("Content-Length: 0\r\nA: b\r\nContent-Length:0", Framing::Empty),
        ("A: b", Framing::Empty),
    ] {
        assert_eq!(accepted(&with_fields(&format!("{lines}\r\n"))).framing, framing, "case {lines:?}");
    }
    for value in [
        "",
        " ",
        "+5",
        "-1",
        "5 5",
        "0x5",
        "5a",
        "a",
        "5.0",
        "5e1",
        "5;5",
        "\"5\"",
        "5,",
        ",5",
        "5,,5",
        ",",
        "5, a",
        "18446744073709551616",
        "99999999999999999999",
        "184467440737095516150",
        "\u{665}",
        ":",
        "/",
    ] {
        refused(&with_fields(&format!("Content-Length: {value}\r\n")), Refusal::BadContentLength);
    }
    for lines in [
        "Content-Length: 5, 6",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 0\r\nContent-Length: 1",
        "Content-Length: 1\r\nA: b\r\ncontent-length:0",
    ] {
        refused(&with_fields(&format!("{lines}\r\n")), Refusal::ContentLengthsDiffer);
    }
}

#[test]
fn the_only_transfer_coding_is_chunked() {
    for lines in [
        "Transfer-Encoding: chunked",
        "transfer-encoding:Chunked",
        "Transfer-Encoding: \t CHUNKED \t",
        "Transfer-Encoding: , chunked,",
        "Transfer-Encoding:\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: ,",
    ] {
        assert_eq!(accepted(&with_fields(&format!("{lines}\r\n"))).framing, Framing::Chunked, "case {lines:?}");
    }
    for (lines, refusal) in [
        ("Transfer-Encoding:", Refusal::UnsupportedCoding),
        ("Transfer-Encoding: ,", Refusal::UnsupportedCoding),
        ("Transfer-Encoding: gzip", Refusal::UnsupportedCoding),
        ("Transfer-Encoding: identity", Refusal::UnsupportedCoding),
        ("Transfer-Encoding: gzip, chunked", Refusal::UnsupportedCoding),
        ("Transfer-Encoding: xchunked", Refusal::UnsupportedCoding),
        ("Transfer-Encoding: chunked;a=b", Refusal::UnsupportedCoding),
        ("Transfer-Encoding: chunked ;", Refusal::UnsupportedCoding),
        ("Transfer-Encoding: \"chunked\"", Refusal::UnsupportedCoding),
        ("Transfer-Encoding: chunked chunked", Refusal::UnsupportedCoding),
        ("Transfer-Encoding: chunked\u{b}", Refusal::BadFieldValue),
        ("Transfer-Encoding: chunked, chunked", Refusal::ChunkedNotLast),
        ("Transfer-Encoding: chunked, gzip", Refusal::ChunkedNotLast),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Refusal::ChunkedNotLast),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", Refusal::ChunkedNotLast),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", Refusal::LengthAndEncoding),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", Refusal::LengthAndEncoding),
        ("Content-Length: 0\r\nTransfer-Encoding: gzip", Refusal::LengthAndEncoding),
        ("Transfer-Encoding:\r\nContent-Length: 5", Refusal::LengthAndEncoding),
    ] {
        refused(&with_fields(&format!("{lines}\r\n")), refusal);
    }
    refused("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Refusal::EncodingInHttp10);
    assert_eq!(accepted("GET / HTTP/1.0\r\nContent-Length: 5\r\n\r\n").framing, Framing::Length(5));
}

#[test]
fn close_ends_persistence_and_http_1_0_has_to_ask_for_it() {
    for (lines, in_10, in_11) in [
        ("", false, true),
        ("Connection: close\r\n", false, false),
        ("connection:CLOSE\r\n", false, false),
        ("Connection: keep-alive\r\n", true, true),
        ("Connection: Keep-Alive\r\n", true, true),
        ("Connection: keep-alive, close\r\n", false, false),
        ("Connection: close, keep-alive\r\n", false, false),
        ("Connection: close\r\nConnection: keep-alive\r\n", false, false),
        ("Connection: keep-alive\r\nA: b\r\nConnection: ,\tclose \r\n", false, false),
        ("Connection: upgrade\r\n", false, true),
        ("Connection: upgrade,keep-alive\r\n", true, true),
        ("Connection: closed, keep-alives\r\n", false, true),
        ("Connection:\r\n", false, true),
        ("Keep-Alive: close\r\n", false, true),
    ] {
        for (version, persistent) in [("1.0", in_10), ("1.1", in_11)] {
            let text = format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n");
            assert_eq!(accepted(&text).persistent, persistent, "case {text:?}");
        }
    }
}

#[test]
fn only_100_continue_can_be_expected() {
    const BODY: &str = "Content-Length: 5\r\n";
    for (lines, expects) in [
        ("Expect: 100-continue\r\n", true),
        ("expect:100-Continue\r\n", true),
        ("Expect: 100-continue, 100-CONTINUE\r\n", true),
        ("Expect: 100-continue\r\nExpect: 100-continue\r\n", true),
        ("Expect:\r\n", false),
        ("", false),
    ] {
        assert_eq!(accepted(&with_fields(&format!("{lines}{BODY}"))).expects_continue, expects, "case {lines:?}");
        assert_eq!(accepted(&with_fields(&format!("{BODY}{lines}"))).expects_continue, expects, "case {lines:?}");
        assert!(!accepted(&with_fields(lines)).expects_continue, "without a body: {lines:?}");
        assert!(!accepted(&with_fields(&format!("{lines}Content-Length: 0\r\n"))).expects_continue, "case {lines:?}");
    }
    assert!(accepted(&with_fields("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n")).expects_continue);
    for value in ["200-ok", "100-continue, a", "a, 100-continue", "100-continue;a", "100", "\"100-continue\""] {
        refused(&with_fields(&format!("Expect: {value}\r\n{BODY}")), Refusal::UnmetExpectation);
        assert!(
            !accepted(&format!("GET / HTTP/1.0\r\nExpect: {value}\r\n{BODY}\r\n")).expects_continue,
            "case {value:?}"
        );
        // Without a body nothing is waited for: the framing is certain, however often it is read.
        for fields in [format!("Expect: {value}\r\n"), format!("Content-Length: 0\r\nExpect: {value}\r\n")] {
            let (head, byte) = refused_whole(&with_fields(&fields), Refusal::UnmetExpectation);
            assert_eq!((head.framing, head.persistent, byte), (Framing::Empty, true, None), "case {value:?}");
        }
    }
    let chunked = with_fields("Expect: a\r\nTransfer-Encoding: chunked\r\n");
    refused(&chunked, Refusal::UnmetExpectation);
    assert!(!accepted(&format!("GET / HTTP/1.0\r\nExpect: 100-continue\r\n{BODY}\r\n")).expects_continue);
}
