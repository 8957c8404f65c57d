//! Targets and what is encoded in them: RFC 9112 section 3.2, RFC 3986.

use proptest::prelude::*;
use tenure_proto::{
    head::TargetForm::{self, Absolute, Asterisk, Origin},
    target::{DecodeError, Encoded, PARSED_BYTES_MAX, Target, leaves_folder_at, pairs, segments},
};

#[test]
fn targets_are_taken_apart() {
    for (text, form, authority, path, query) in [
        ("/", Origin, None, "/", None),
        ("/adder", Origin, None, "/adder", None),
        ("/a/b%2Fc", Origin, None, "/a/b%2Fc", None),
        ("/adder?", Origin, None, "/adder", Some("")),
        ("/adder?a=b", Origin, None, "/adder", Some("a=b")),
        ("/?a?b", Origin, None, "/", Some("a?b")),
        ("//a/b", Origin, None, "//a/b", None),
        ("/http://a/b", Origin, None, "/http://a/b", None),
        ("*", Asterisk, None, "*", None),
        ("http://a", Absolute, Some("a"), "/", None),
        ("http://a/", Absolute, Some("a"), "/", None),
        ("http://a:8080/b?c", Absolute, Some("a:8080"), "/b", Some("c")),
        ("http://a?", Absolute, Some("a"), "/", Some("")),
        ("http://a?b=/c", Absolute, Some("a"), "/", Some("b=/c")),
        ("https://[::1]:443/b", Absolute, Some("[::1]:443"), "/b", None),
        ("HTTP://A/b", Absolute, Some("A"), "/b", None),
        ("http://a/b?c=http://d@e/f", Absolute, Some("a"), "/b", Some("c=http://d@e/f")),
        // The head parser refuses user information; were it to come through, it must not be taken for the host.
        ("http://user:word@a/b", Absolute, Some("a"), "/b", None),
        ("http://user@b@a", Absolute, Some("a"), "/", None),
        // Never accepted by the head parser, and still no panic.
        ("", Origin, None, "/", None),
        ("", Absolute, Some(""), "/", None),
        ("://", Absolute, Some(""), "/", None),
    ] {
        assert_eq!(Target::new(text, form), Target { authority, path, query }, "{text} {form:?}");
    }
}

#[test]
fn encoded_text_is_decoded() {
    use DecodeError::{Escape, Utf8};
    for (raw, as_path, as_query) in [
        ("", Ok(""), Ok("")),
        ("adder", Ok("adder"), Ok("adder")),
        ("a+b", Ok("a+b"), Ok("a b")),
        ("a%2Bb", Ok("a+b"), Ok("a+b")),
        ("a%20b", Ok("a b"), Ok("a b")),
        ("%41%4a%4A%7e", Ok("AJJ~"), Ok("AJJ~")),
        ("%00", Ok("\0"), Ok("\0")),
        ("%C3%A9", Ok("é"), Ok("é")),
        ("é", Ok("é"), Ok("é")),
        // Decoded once: what an escape stands for is no escape.
        ("%2541", Ok("%41"), Ok("%41")),
        ("%2525", Ok("%25"), Ok("%25")),
        ("%c3", Err(Utf8), Err(Utf8)),
        ("%ff%fe", Err(Utf8), Err(Utf8)),
        ("%", Err(Escape), Ok("%")),
        ("%4", Err(Escape), Ok("%4")),
        ("%4g", Err(Escape), Ok("%4g")),
        ("%g4", Err(Escape), Ok("%g4")),
        ("%zz", Err(Escape), Ok("%zz")),
        ("%+4", Err(Escape), Ok("% 4")),
        ("%%41", Err(Escape), Ok("%A")),
        ("%25%", Err(Escape), Ok("%%")),
        ("%é", Err(Escape), Ok("%é")),
        ("50%", Err(Escape), Ok("50%")),
        ("%%ff", Err(Escape), Err(Utf8)),
        ("[a]{b}|^\\`", Ok("[a]{b}|^\\`"), Ok("[a]{b}|^\\`")),
    ] {
        let mut buffer = [0; 16];
        assert_eq!(Encoded::path(raw).decode(&mut buffer), as_path, "{raw}");
        assert_eq!(Encoded::query(raw).decode(&mut buffer), as_query, "{raw}");
        assert_eq!(Encoded::path(raw).as_encoded(), raw);
        assert_eq!(Encoded::query(raw).as_encoded(), raw);
    }
}

#[test]
fn a_broken_escape_ends_a_path_and_stands_for_itself_in_a_query() {
    let bytes: Vec<_> = Encoded::path("a%4zb%41").bytes().collect();
    assert_eq!(bytes, [Ok(b'a'), Err(DecodeError::Escape)]);
    let bytes: Vec<_> = Encoded::query("a%4zb%41").bytes().collect();
    assert_eq!(bytes, b"a%4zbA".map(Ok));
}

#[test]
fn the_buffer_bounds_what_is_encoded_only() {
    assert_eq!(Encoded::path("adder").decode(&mut []), Ok("adder"));
    assert_eq!(Encoded::path("a%20b").decode(&mut [0; 2]), Err(DecodeError::Space));
    assert_eq!(Encoded::path("a%20b").decode(&mut [0; 3]), Ok("a b"));
    assert_eq!(Encoded::query("a+b").decode(&mut [0; 2]), Err(DecodeError::Space));
    assert_eq!(Encoded::query("a+b").decode(&mut [0; 3]), Ok("a b"));
}

#[test]
fn values_are_parsed() {
    assert_eq!(Encoded::path("-17").parse(), Ok(-17));
    assert_eq!(Encoded::path("%2d17").parse(), Ok(-17));
    assert_eq!(Encoded::path("+17").parse(), Ok(17));
    assert_eq!(Encoded::query("+17").parse::<i64>(), Err(DecodeError::Value));
    assert_eq!(Encoded::path("").parse::<i64>(), Err(DecodeError::Value));
    assert_eq!(Encoded::path("9223372036854775807").parse(), Ok(i64::MAX));
    assert_eq!(Encoded::path("9223372036854775808").parse::<i64>(), Err(DecodeError::Value));
    assert_eq!(Encoded::path("%zz").parse::<i64>(), Err(DecodeError::Escape));
    assert_eq!(Encoded::path("%ff").parse::<i64>(), Err(DecodeError::Utf8));
    let zeros = |count| format!("%30{}", "0".repeat(count - 1));
    assert_eq!(Encoded::path(&zeros(PARSED_BYTES_MAX)).parse(), Ok(0));
    assert_eq!(Encoded::path(&zeros(PARSED_BYTES_MAX + 1)).parse::<i64>(), Err(DecodeError::Space));
}

#[test]
fn encoded_text_is_compared_as_decoded() {
    for (raw, text, path_is, query_is) in [
        ("adder", "adder", true, true),
        ("%61dder", "adder", true, true),
        ("adde%72", "adder", true, true),
        ("Adder", "adder", false, false),
        ("adder", "adde", false, false),
        ("adde", "adder", false, false),
        ("", "", true, true),
        ("", "a", false, false),
        ("a", "", false, false),
        ("a+b", "a+b", true, false),
        ("a+b", "a b", false, true),
        ("%", "%", false, true),
        ("50%", "50%", false, true),
        ("%25", "%", true, true),
        ("%25", "%25", false, false),
        ("a%", "a", false, false),
        ("a%4", "a", false, false),
        ("%C3%A9", "é", true, true),
        ("%C3", "é", false, false),
    ] {
        assert_eq!(Encoded::path(raw) == *text, path_is, "{raw} {text}");
        assert_eq!(Encoded::query(raw) == text, query_is, "{raw} {text}");
    }
}

#[test]
fn paths_have_segments() {
    for (path, wanted) in [
        ("/", &[""][..]),
        ("/adder", &["adder"]),
        ("/a/b", &["a", "b"]),
        ("/a/", &["a", ""]),
        ("//a", &["", "a"]),
        ("/a//b", &["a", "", "b"]),
        // An encoded slash is part of its segment.
        ("/a%2Fb/c", &["a%2Fb", "c"]),
        ("*", &["*"]),
        ("", &[""]),
    ] {
        let found: Vec<_> = segments(path).map(|segment| segment.as_encoded()).collect();
        assert_eq!(found, wanted, "{path}");
    }
}

/// Each byte of a text as itself and escaped in both cases of its digits, in all combinations.
fn every_encoding(text: &str) -> Vec<String> {
    text.bytes().fold(vec![String::new()], |encodings, byte| {
        let plain = char::from(byte).to_string();
        let forms = [plain, format!("%{byte:02x}"), format!("%{byte:02X}")];
        encodings.iter().flat_map(|before| forms.iter().map(move |form| before.clone() + form)).collect()
    })
}

#[test]
fn what_leads_out_of_a_folder_is_known_however_it_is_encoded() {
    for (text, byte) in [
        (".", 1),
        ("..", 2),
        ("../a", 2),
        ("a/..", 4),
        ("a/./b", 3),
        ("a/.. ", 4),
        ("a/. /", 3),
        ("..\\a", 2),
        ("a\\..", 4),
        ("/", 0),
        ("/a", 0),
        ("//a", 0),
        ("\\a", 0),
        ("C:", 1),
        ("z:a", 1),
        ("a/C:/b", 3),
        ("a\\c:", 3),
        ("\0", 0),
        ("ab\0", 2),
    ] {
        for encoded in every_encoding(text) {
            let offset = leaves_folder_at(encoded.as_bytes(), true);
            let told = offset.map(|offset| Encoded::path(&encoded[..offset]).bytes().count());
            assert_eq!(told, Some(byte), "{encoded:?} is {text:?}");
            // Without drives a colon is a byte as any other.
            let offset = leaves_folder_at(encoded.as_bytes(), false);
            assert_eq!(offset.is_some(), !text.contains(':'), "{encoded:?} is {text:?}");
        }
    }
    for text in ["a:..", "a:", "a:/b", "a:\\b", "a/C:"] {
        for encoded in every_encoding(text) {
            assert_eq!(leaves_folder_at(encoded.as_bytes(), false), None, "{encoded:?} is {text:?}");
        }
    }
    for text in ["a:/..", "C:/./b", "/C:", "C:\0"] {
        for encoded in every_encoding(text) {
            assert!(leaves_folder_at(encoded.as_bytes(), false).is_some(), "{encoded:?} is {text:?}");
        }
    }
    for text in
        ["", "a", "...", ".a", "..a", "a.", "a/", "a//b", "a\\", ".../a", "1:", "aa:", ":", "a/bc:", "a ..", " ."]
    {
        for encoded in every_encoding(text) {
            assert_eq!(leaves_folder_at(encoded.as_bytes(), true), None, "{encoded:?} is {text:?}");
        }
    }
    // What is no escape stands for itself, and an escape is decoded once.
    for text in ["%252e", "%2", "%2g", ".%", "+", ".+", "\u{2024}", "%25%32%65"] {
        assert_eq!(leaves_folder_at(text.as_bytes(), true), None, "{text}");
    }
}

#[test]
fn text_is_displayed_decoded() {
    for (raw, path, query) in [
        ("", "", ""),
        ("plain", "plain", "plain"),
        ("K%C3%BCche", "K\u{fc}che", "K\u{fc}che"),
        ("\u{fc}%F0%9F%98%80\u{1f600}!", "\u{fc}\u{1f600}\u{1f600}!", "\u{fc}\u{1f600}\u{1f600}!"),
        ("a+b", "a+b", "a b"),
        ("%", "%", "%"),
        ("%4%41", "%4A", "%4A"),
        ("%zz%", "%zz%", "%zz%"),
        ("%FF", "\u{fffd}", "\u{fffd}"),
        ("%C3", "\u{fffd}", "\u{fffd}"),
        ("a%F0%9F%98b%80", "a\u{fffd}b\u{fffd}", "a\u{fffd}b\u{fffd}"),
        ("abc%F0%9F%98%80%F0%9F%98%80d", "abc\u{1f600}\u{1f600}d", "abc\u{1f600}\u{1f600}d"),
    ] {
        assert_eq!(Encoded::path(raw).to_string(), path, "{raw}");
        assert_eq!(Encoded::query(raw).to_string(), query, "{raw}");
        assert_eq!(format!("{:?}", Encoded::query(raw)), format!("{query:?}"), "{raw}");
        assert_eq!(Encoded::query(raw).as_encoded(), raw);
    }
    assert_eq!(format!("{:?}", Encoded::path("a%0A%22")), r#""a\n\"""#);
}

#[test]
fn text_that_is_not_encoded_is_borrowed() {
    for (raw, path, query) in [("ab", true, true), ("a+b", true, false), ("a%62", false, false), ("", true, true)] {
        assert_eq!(Encoded::path(raw).as_plain(), path.then_some(raw), "{raw}");
        assert_eq!(Encoded::query(raw).as_plain(), query.then_some(raw), "{raw}");
    }
}

#[test]
fn queries_have_pairs() {
    for (query, wanted) in [
        ("", &[][..]),
        ("a=1", &[("a", "1")]),
        ("a=1&b=2", &[("a", "1"), ("b", "2")]),
        ("a", &[("a", "")]),
        ("a=", &[("a", "")]),
        ("=a", &[("", "a")]),
        ("a=b=c", &[("a", "b=c")]),
        ("&a=1&&b&", &[("a", "1"), ("b", "")]),
        ("a%26b=c%3Dd", &[("a%26b", "c%3Dd")]),
        ("a=1;b=2", &[("a", "1;b=2")]),
    ] {
        let found: Vec<_> = pairs(query).map(|(name, value)| (name.as_encoded(), value.as_encoded())).collect();
        assert_eq!(found, wanted, "{query}");
    }
    let (name, value) = pairs("first+name=a+b%2B").next().unwrap();
    assert!(name == "first name" && value == "a b+");
}

fn form() -> impl Strategy<Value = TargetForm> {
    prop_oneof![Just(Origin), Just(Absolute), Just(Asterisk)]
}

proptest! {
    #[test]
    fn what_leaves_a_folder_is_seen_in_what_is_decoded(text in r"[a-e/\\?&=%+.0-9@:é* ]{0,24}") {
        let decoded: Result<Vec<_>, _> = Encoded::path(&text).bytes().collect();
        // A target that cannot be decoded leads nowhere.
        let Ok(bytes) = decoded else { return Ok(()) };
        let mut parts = bytes.split(|byte| matches!(byte, b'/' | b'\\'));
        let dots = |part: &[u8]| part.starts_with(b". ") || part.starts_with(b".. ") || [&b"."[..], b".."].contains(&part);
        let drive = |part: &[u8]| matches!(part, [letter, b':', ..] if letter.is_ascii_alphabetic());
        let leaves = bytes.contains(&0) || matches!(bytes.first(), Some(b'/' | b'\\')) || parts.clone().any(dots);
        prop_assert_eq!(leaves_folder_at(text.as_bytes(), false).is_some(), leaves);
        let leaves = leaves || parts.any(drive);
        prop_assert_eq!(leaves_folder_at(text.as_bytes(), true).is_some(), leaves);
    }

    #[test]
    fn no_text_panics(text in r"[a-e/\\?&=%+.0-9@:é* ]{0,24}", form in form()) {
        let target = Target::new(&text, form);
        prop_assert!(!target.path.is_empty() || form == Asterisk);
        for encoded in segments(target.path).chain(pairs(target.query.unwrap_or_default()).flat_map(|(name, value)| [name, value])) {
            let bytes: Result<Vec<_>, _> = encoded.bytes().collect();
            // A letter of the text may have two bytes.
            let mut buffer = [0; 48];
            match (encoded.decode(&mut buffer), bytes) {
                (Ok(decoded), Ok(bytes)) => {
                    prop_assert_eq!(decoded.as_bytes(), &bytes[..]);
                    prop_assert!(encoded == decoded);
                }
                (Err(DecodeError::Escape), Err(DecodeError::Escape)) => {}
                (Err(DecodeError::Utf8), Ok(bytes)) => prop_assert!(core::str::from_utf8(&bytes).is_err()),
                (decoded, bytes) => prop_assert!(false, "{:?} {:?}", decoded, bytes),
            }
        }
    }

    #[test]
    fn what_is_encoded_comes_back(text in ".{0,16}") {
        let raw = text.bytes().fold(String::new(), |raw, byte| raw + &format!("%{byte:02x}"));
        let mut buffer = [0; 64];
        prop_assert_eq!(Encoded::path(&raw).decode(&mut buffer), Ok(&text[..]));
        prop_assert!(Encoded::query(&raw) == *text);
    }
}
