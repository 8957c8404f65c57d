//! The field lines: RFC 9112 section 5.

use crate::*;

#[test]
fn a_field_name_is_a_token_with_a_colon_behind_it() {
    for name in ["a", "!#$%&'*+-.^_`|~09azAZ", "hos", "hostt", "content-lengt", "transfer_encoding", "connectio_"] {
        accepted(&with_fields(&format!("{name}: b\r\n")));
        for colon in [" :", "\t:", " \t :", " "] {
            refused(&with_fields(&format!("{name}{colon} b\r\n")), Refusal::SpaceBeforeColon);
        }
        for byte in ["(", "\"", "/", "\0", "\u{7f}", "\u{e9}", "\r\n", "@", "["] {
            refused(&with_fields(&format!("{name}{byte}: b\r\n")), Refusal::BadFieldName);
            if byte != "\r\n" {
                refused(&with_fields(&format!("{byte}{name}: b\r\n")), Refusal::BadFieldName);
            }
        }
    }
    refused(&with_fields(": b\r\n"), Refusal::BadFieldName);
    for blank in [" ", "\t"] {
        refused(&with_fields(&format!("a: b\r\n{blank}c\r\n")), Refusal::ObsoleteFolding);
        refused(&with_fields(&format!("{blank}a: b\r\n")), Refusal::ObsoleteFolding);
        refused(&format!("GET / HTTP/1.1\r\n{blank}Host: a\r\n\r\n"), Refusal::ObsoleteFolding);
        refused(&with_fields(&format!("{blank}\r\n")), Refusal::ObsoleteFolding);
    }
}

#[test]
fn a_field_value_has_no_controls() {
    for byte in 0..=255 {
        let mut bytes = b"GET / HTTP/1.1\r\nHost: a\r\nA: bcdefghijklm".to_vec();
        bytes.push(byte);
        bytes.extend_from_slice(b"n\r\n\r\n");
        let expected = match byte {
            b'\r' | b'\n' => Err(Refusal::BadLineEnd),
            b'\t' | b' '..=b'~' | 0x80.. => Ok(()),
            _ => Err(Refusal::BadFieldValue),
        };
        assert_eq!(outcome(&bytes, &LIMITS).map(|head| assert!(head.is_some())), expected, "byte {byte:#x}");
    }
}

#[test]
fn fields_are_read_again() {
    let text = with_fields("A:b\r\nC: \t d e \t\r\nF:\r\na: second\r\n");
    let head = accepted(&text);
    let expected = [("Host", "a"), ("A", "b"), ("C", "d e"), ("F", ""), ("a", "second")];
    assert_eq!(texts(&head, &text), expected.map(|(name, value)| (name.to_string(), value.to_string())));
    let fields = Fields::new(head.fields.of(text.as_bytes()));
    for (name, value) in
        [("a", Some("b")), ("A", Some("b")), ("c", Some("d e")), ("f", Some("")), ("hos", None), ("", None)]
    {
        assert_eq!(fields.first(name), value.map(str::as_bytes), "case {name:?}");
    }
    let mut rest = fields.clone();
    rest.nth(1);
    assert_eq!(rest.first("A"), Some(&b"second"[..]), "of those that are left");
    assert_eq!(Fields::new(b"").next(), None);
}
