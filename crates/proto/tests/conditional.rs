//! Entity tags and what is asked of them: RFC 9110 sections 8.8.3 and 13.1.

use tenure_proto::conditional::{EntityTag, IfRange, has_tag};

const fn strong(opaque: &[u8]) -> EntityTag<'_> {
    EntityTag { weak: false, opaque }
}

const fn weak(opaque: &[u8]) -> EntityTag<'_> {
    EntityTag { weak: true, opaque }
}

/// Section 8.8.3.
#[test]
fn tags() {
    for (text, wanted) in [
        ("\"xyzzy\"", Some(strong(b"xyzzy"))),
        ("W/\"xyzzy\"", Some(weak(b"xyzzy"))),
        ("\"\"", Some(strong(b""))),
        ("W/\"\"", Some(weak(b""))),
        ("\"a,b\"", Some(strong(b"a,b"))),
        ("\"a\\\"", Some(strong(b"a\\"))),
        ("\"ä\"", Some(strong("ä".as_bytes()))),
        ("\"!~\"", Some(strong(b"!~"))),
        ("", None),
        ("*", None),
        ("xyzzy", None),
        ("w/\"xyzzy\"", None),
        ("W/xyzzy", None),
        ("W\"xyzzy\"", None),
        ("W/ \"xyzzy\"", None),
        ("\"a b\"", None),
        ("\"a\tb\"", None),
        ("\"a\"b", None),
        ("\"a\" ", None),
        ("\"a\"\"b\"", None),
        ("\"\u{7f}\"", None),
        ("'a'", None),
    ] {
        assert_eq!(EntityTag::parse(text.as_bytes()), wanted, "{text}");
    }
    for text in ["W/\"xyzzy\"", "\"xyzzy\""] {
        for end in 0..text.len() {
            assert_eq!(EntityTag::parse(&text.as_bytes()[..end]), None, "{}", &text[..end]);
        }
    }
    let long = format!("\"{}\"", "a".repeat(100_000)).into_bytes();
    assert_eq!(EntityTag::parse(&long).map(|tag| tag.opaque.len()), Some(100_000));
}

/// The table of section 8.8.3.2.
#[test]
fn comparisons() {
    for (one, other, strongly, weakly) in [
        (weak(b"1"), weak(b"1"), false, true),
        (weak(b"1"), weak(b"2"), false, false),
        (weak(b"1"), strong(b"1"), false, true),
        (strong(b"1"), strong(b"1"), true, true),
        (strong(b"1"), strong(b"2"), false, false),
        (strong(b"a"), strong(b"A"), false, false),
    ] {
        for (one, other) in [(one, other), (other, one)] {
            assert_eq!((one.is_strongly(&other), one.is_weakly(&other)), (strongly, weakly), "{one:?} {other:?}");
        }
    }
}

/// Sections 13.1.1 and 13.1.2.
#[test]
fn lists() {
    for (list, wanted) in [
        ("\"a\"", true),
        ("W/\"a\"", true),
        ("\"b\"", false),
        ("\"b\", \"a\"", true),
        ("\"b\",\"a\",\"c\"", true),
        ("\"b\" , \t\"a\"", true),
        ("\"b\", W/\"a\"", true),
        ("*", true),
        (" * ", true),
        ("\"*\"", false),
        ("*, \"b\"", false),
        ("\"b\", *", false),
        // Section 5.6.1.2: empty elements are taken.
        (", , \"a\"", true),
        ("\"b\",,\"a\",", true),
        ("", false),
        (",", false),
        // A comma within a tag parts nothing.
        ("\"b,\"a\"", false),
        ("\"b, a\"", false),
        ("\"x,y\", \"a\"", true),
        // Behind what is no tag nothing is looked at; what stands before it counts.
        ("b, \"a\"", false),
        ("\"b\" \"a\"", false),
        ("\"a\" \"b\"", false),
        ("\"a\", b", true),
        ("a", false),
        ("\"a", false),
        ("a\"", false),
        ("W/a", false),
    ] {
        assert_eq!(has_tag(list.as_bytes(), |tag| tag.is_weakly(&strong(b"a"))), wanted, "{list}");
    }
    let long = "\"b\", ".repeat(10_000) + "\"a\"";
    assert!(has_tag(long.as_bytes(), |tag| tag.is_weakly(&strong(b"a"))));
    for end in 0..long.len().min(100) {
        assert!(!has_tag(&long.as_bytes()[..end], |tag| tag.is_weakly(&strong(b"a"))));
    }
}

/// Section 13.1.5.
#[test]
fn if_range() {
    for (text, wanted) in [
        ("\"a\"", IfRange::Tag(strong(b"a"))),
        ("W/\"a\"", IfRange::Tag(weak(b"a"))),
        ("Sun, 06 Nov 1994 08:49:37 GMT", IfRange::Date(784_111_777)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", IfRange::Date(784_111_777)),
        ("\"a\", \"b\"", IfRange::Neither),
        ("*", IfRange::Neither),
        ("", IfRange::Neither),
        ("yesterday", IfRange::Neither),
    ] {
        assert_eq!(IfRange::parse(text.as_bytes(), 1_800_000_000), wanted, "{text}");
    }
}
