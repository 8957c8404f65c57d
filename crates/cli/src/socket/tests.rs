//! What is printed, and what is queued. A whole WebSocket's life is in `tests/open.rs`.

use super::*;

fn printed(parts: &[(Data<'_>, bool)]) -> String {
    let (mut printer, mut out) = (Printer::default(), Vec::new());
    for (data, is_last) in parts {
        printer.print(*data, *is_last, &mut out).unwrap();
    }
    printer.end(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn messages_are_lines() {
    let long = [7; SHOWN_BYTES + 1];
    let shown = "07 ".repeat(SHOWN_BYTES);
    for (parts, wanted) in [
        (&[][..], String::new()),
        (&[(Data::Text("a"), true)], "a\n".to_owned()),
        (&[(Data::Text(""), true), (Data::Text("b\x1b"), true)], "\nb\x1b\n".to_owned()),
        (&[(Data::TextPart(b"\xe2\x82"), false), (Data::TextPart(b"\xac"), true)], "\u{20ac}\n".to_owned()),
        // One that has no end is a line, too.
        (&[(Data::TextPart(b"a"), false)], "a\n".to_owned()),
        (&[(Data::Binary(b""), true)], "binary, 0 bytes\n".to_owned()),
        (&[(Data::Binary(b"\x7f"), true)], "binary, 1 byte: 7f\n".to_owned()),
        (&[(Data::Binary(b"\0"), false), (Data::Binary(b"\xff"), true)], "binary, 2 bytes: 00 ff\n".to_owned()),
        (&[(Data::Binary(&long[1..]), true)], format!("binary, 32 bytes: {}\n", shown.trim_end())),
        (&[(Data::Binary(&long), true)], format!("binary, 33 bytes: {shown}…\n")),
        (&[(Data::Binary(&long), false), (Data::Binary(&long), true)], format!("binary, 66 bytes: {shown}…\n")),
    ] {
        assert_eq!(printed(parts), wanted, "{parts:?}");
    }
}

#[test]
fn nothing_is_queued_behind_a_close_frame() {
    let outbox = Outbox::default();
    let lengths = || outbox.queue().frames.iter().map(Vec::len).collect::<Vec<_>>();
    outbox.text("a");
    outbox.close(&Close { code: Some(CloseCode::NORMAL), reason: "" });
    assert_eq!((lengths(), outbox.queue().bytes), (vec![7, 8], 15));
    outbox.text("b");
    outbox.close(&Close { code: None, reason: "" });
    assert_eq!(lengths(), [7, 8]);
}

#[test]
fn keys_are_not_the_same() {
    let keys: std::collections::HashSet<_> = (0..100).map(|_| random()).collect();
    assert_eq!(keys.len(), 100);
}
