//! The live application on the test kit: who sees a sum change, and what is said in the chat.

use std::{cell::RefCell, fmt::Write as _, rc::Rc};

use tenure::{
    EndReason, Event, Frame, Observer as _,
    kit::{Client, Heard, Server, Settings, client_frame},
};
use tenure_adder::{Adder, Ends, LINE_BYTES_MAX, LIVE_PAGE, Live, ROOM, SUMS, live_app};

fn live() -> &'static Live {
    Box::leak(Box::new(Live::new()))
}

fn server() -> Server<Adder> {
    Server::new(live_app(live()))
}

fn ask(server: &mut Server<Adder>, client: &Client, method: &str, target: &str, body: &str) -> String {
    let length = body.len();
    client.send(format!("{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"));
    server.run();
    client.received_text()
}

/// A page that has opened its stream.
fn page(server: &mut Server<Adder>) -> Client {
    let page = server.event_stream("/events");
    assert_eq!(page.received_text(), "retry: 2000\n\n");
    page
}

#[test]
fn every_change_of_every_sum_reaches_every_stream() {
    let mut server = server();
    let pages: Vec<_> = (0..3).map(|_| page(&mut server)).collect();
    let (one, two) = (server.connect(), server.connect());
    let mut told = String::new();
    for (client, method, target, body, sum) in [
        (&one, "POST", "/adder", "5", "sum ID 5"),
        (&two, "GET", "/adder", "", "sum ID 0"),
        (&two, "POST", "/adder", "-7", "sum ID -7"),
        (&one, "PUT", "/adder", "9223372036854775807", "sum ID 9223372036854775807"),
        (&one, "POST", "/adder", "-9223372036854775807", "sum ID 0"),
        (&one, "GET", "/logout", "", "end ID removed by a handler"),
        (&one, "GET", "/login", "", "sum ID 1"),
    ] {
        let answer = ask(&mut server, client, method, target, body);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{method} {body}: {answer}");
        let (event, data) = sum.split_once(' ').unwrap();
        let data = data.replace("ID", &client.id().unwrap().to_string());
        write!(told, "event: {event}\ndata: {data}\n\n").unwrap();
    }
    for page in &pages {
        assert_eq!(page.received_text(), told);
    }
    // Nothing has changed: nothing is told.
    for (client, method, target, body) in [
        (&one, "GET", "/adder", ""),
        (&one, "GET", "/login", ""),
        (&one, "POST", "/adder", "x"),
        (&one, "PUT", "/adder", ""),
        (&one, "GET", "/id", ""),
        (&one, "GET", "/", ""),
    ] {
        ask(&mut server, client, method, target, body);
        assert_eq!(pages[0].received_text(), "", "{method} {target} {body:?}");
    }
    ask(&mut server, &one, "PUT", "/adder", "9223372036854775807");
    pages[0].received_text();
    assert!(ask(&mut server, &one, "POST", "/adder", "1").starts_with("HTTP/1.1 422 "));
    ask(&mut server, &one, "GET", "/logout", "");
    pages[0].received_text();
    ask(&mut server, &one, "GET", "/logout", "");
    assert_eq!(pages[0].received_text(), "", "there is no session to take away");
}

/// What is answered is what the plain application answers, before anybody watches and then.
#[test]
fn watched_or_not_the_answers_are_the_same() {
    let visitors = Box::leak(Box::new(tenure_adder::Visitors::new()));
    let mut servers = [Server::new(tenure_adder::app(visitors)), server(), server()];
    let page = page(&mut servers[2]);
    let answers = servers.each_mut().map(|server| {
        let client = server.connect();
        let requests = [
            ("POST", "/adder", "5"),
            ("POST", "/adder", "x"),
            ("GET", "/adder", ""),
            ("PUT", "/adder", "9"),
            ("HEAD", "/adder", ""),
            ("DELETE", "/adder", ""),
            ("GET", "/login", ""),
            ("GET", "/logout", ""),
            ("GET", "/nothing", ""),
        ];
        requests.map(|(method, target, body)| ask(server, &client, method, target, body))
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    assert_eq!(page.received_text().matches("event: ").count(), 3);
}

#[test]
fn a_page_that_comes_later_sees_what_changes_from_then_on() {
    let mut server = server();
    let client = server.connect();
    ask(&mut server, &client, "POST", "/adder", "1");
    let page = page(&mut server);
    server.run();
    assert_eq!(page.received_text(), "");
    ask(&mut server, &client, "POST", "/adder", "1");
    assert_eq!(page.received_text(), format!("event: sum\ndata: {} 2\n\n", client.id().unwrap()));
}

#[test]
fn the_end_of_a_session_is_told() {
    let (live, told) = (live(), Rc::new(RefCell::new(Vec::new())));
    let publish = {
        let told = told.clone();
        move |event: Event<'_>| {
            let mut bytes = [0; 256];
            let length = event.write(&mut bytes).unwrap();
            told.borrow_mut().push(String::from_utf8(bytes[..length].to_vec()).unwrap());
        }
    };
    let mut server = Server::watched(live_app(live), Settings::default(), Ends::new(live, publish));
    let early = server.connect();
    ask(&mut server, &early, "POST", "/adder", "1");
    early.close();
    server.run();
    assert_eq!(told.take(), [""; 0], "nobody has ever watched");

    let page = page(&mut server);
    let (one, two, other) = (server.connect(), server.connect(), server.connect());
    ask(&mut server, &one, "POST", "/adder", "1");
    ask(&mut server, &two, "POST", "/adder", "1");
    ask(&mut server, &other, "GET", "/id", "");
    one.close();
    server.run();
    two.reset();
    other.close();
    server.run();
    let (one, two) = (one.id().unwrap(), two.id().unwrap());
    let wanted = [
        format!("event: end\ndata: {one} the peer closed\n\n"),
        format!("event: end\ndata: {two} the peer reset the connection\n\n"),
    ];
    assert_eq!(told.take(), wanted, "one without a session has none to end");
    page.close();
    server.run();
    assert_eq!(told.take(), [""; 0], "a stream has no session");
}

/// The longest reasons have room, or lose their end and nothing else.
#[test]
fn a_long_reason_of_an_end() {
    let live = live();
    let mut server = Server::new(live_app(live));
    page(&mut server);
    let told = RefCell::new(String::new());
    let ends = Ends::new(live, |event: Event<'_>| {
        let mut bytes = [0; 256];
        let length = event.write(&mut bytes).unwrap();
        told.replace(String::from_utf8(bytes[..length].to_vec()).unwrap());
    });
    let long = tenure::ConnectionId::new(255, (1 << 24) - 1, u32::MAX);
    ends.disconnected(long, EndReason::Evicted { by: long, idle_ms: u32::MAX }, true);
    let wanted = format!("event: end\ndata: {long} evicted for connection {long} after 4294967295 ms idle\n\n");
    assert_eq!(told.take(), wanted);
}

#[test]
fn a_line_reaches_all_and_its_sender() {
    let mut server = server();
    let chats: Vec<_> = (0..3).map(|_| server.websocket("/chat")).collect();
    chats[1].say("  good morning ");
    server.run();
    chats[0].say("to you, too");
    server.run();
    let lines = [format!("{}: good morning", chats[1].id()), format!("{}: to you, too", chats[0].id())];
    for chat in &chats {
        assert_eq!(chat.texts(), lines);
    }
    // An empty line tells who one is, and nobody else hears of it.
    for empty in ["", " "] {
        chats[2].say(empty);
        server.run();
        assert_eq!(chats[2].texts(), [format!("You are {}. A line goes to all who are here.", chats[2].id())]);
        assert_eq!(chats[0].texts(), [""; 0]);
    }
}

#[test]
fn a_line_has_a_bound() {
    let mut server = server();
    let (one, two) = (server.websocket("/chat"), server.websocket("/chat"));
    let told = "Not sent: a line has 140 bytes at the most. Say it in several.";
    assert!(told.contains(&format!(" {LINE_BYTES_MAX} ")));
    // The last is so long that it comes in pieces.
    for (length, fits) in [
        (LINE_BYTES_MAX - 1, true),
        (LINE_BYTES_MAX, true),
        (LINE_BYTES_MAX + 1, false),
        (LINE_BYTES_MAX - 1, true),
        (100_000, false),
        (1, true),
    ] {
        let line = "x".repeat(length);
        one.say(&line);
        server.run();
        let said = format!("{}: {line}", one.id());
        assert_eq!(one.texts(), [if fits { said.as_str() } else { told }], "{length}");
        assert_eq!(two.texts(), if fits { vec![said] } else { vec![] }, "{length}");
    }
    // Characters count as many bytes as they have.
    for (line, fits) in [("é".repeat(70), true), ("é".repeat(71), false)] {
        one.say(&line);
        server.run();
        assert_eq!(one.texts()[0] == told, !fits, "{line}");
        assert_eq!(two.texts().len(), usize::from(fits));
    }
}

/// The bound is such that the longest line of the longest id fits what a handler on a board may publish: 192 bytes, with 10 noted
/// beside each message, and its frame's head.
#[test]
fn the_longest_line_fits_a_board() {
    let line = "x".repeat(LINE_BYTES_MAX);
    let text = format!("{}: {line}", tenure::ConnectionId::new(255, (1 << 24) - 1, u32::MAX));
    let head = if Frame::text(&text).as_bytes().len() < 126 { 2 } else { 4 };
    assert!(text.len() + head + 10 <= 192, "{} bytes", text.len() + head + 10);
}

#[test]
fn what_is_no_line() {
    let mut server = server();
    let (one, two) = (server.websocket("/chat"), server.websocket("/chat"));
    for line in ["a\nb", "a\tb", "\u{1b}[2J", "a\u{85}b", "a\0"] {
        one.say(line);
        server.run();
        let told = "Not sent: a line has no line breaks, tabs or other control characters. Say it without.";
        assert_eq!(one.texts(), [told], "{line:?}");
    }
    one.say("a b \u{a0}\u{200b} \u{1f600}");
    server.run();
    assert_eq!((one.texts().len(), two.texts().len()), (1, 1));
    one.say_bytes(b"bytes");
    server.run();
    assert_eq!(one.heard(), [Heard::Close(1003, "a message of text was expected".into())]);
    assert_eq!(two.heard(), []);
}

/// What people write is sent as it is, and the page makes text of it: nothing in it reads markup.
#[test]
fn markup_stays_text() {
    let mut server = server();
    let (one, two) = (server.websocket("/chat"), server.websocket("/chat"));
    let markup = "<img src=x onerror=alert(1)><b>&amp;\"'</b>";
    one.say(markup);
    server.run();
    assert_eq!(two.texts(), [format!("{}: {markup}", one.id())]);
    for reads in
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "srcdoc", "DOMParser", "eval(", "Function("]
    {
        assert!(!LIVE_PAGE.contains(reads), "{reads}");
    }
    assert!(LIVE_PAGE.contains("textContent"));
}

#[test]
fn who_was_too_slow_is_told() {
    let mut server = server();
    let (slow, other) = (server.websocket("/chat"), server.websocket("/chat"));
    slow.client().set_window(0);
    let mut sent = 0;
    while server.send(slow.id(), Frame::text(&"x".repeat(1_000))) == tenure::port::Pushed::Taken {
        sent += 1;
        assert!(sent < 1_000, "it is never behind");
    }
    other.say("you miss this");
    server.publish(ROOM, Frame::text("and this"));
    slow.client().set_window(usize::MAX);
    server.run();
    slow.texts();
    slow.say("hello");
    server.run();
    let texts = slow.texts();
    assert!(
        texts[0].starts_with("You have missed ") && texts[0].ends_with(" lines: your connection was slow."),
        "{texts:?}"
    );
    assert_eq!(texts[1], format!("{}: hello", slow.id()));
    slow.say("again");
    server.run();
    assert_eq!(slow.texts(), [format!("{}: again", slow.id())], "it is told once");
}

#[test]
fn the_page() {
    let mut server = server();
    let client = server.connect();
    let answer = ask(&mut server, &client, "GET", "/", "");
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\r\nContent-Type: text/html; charset=utf-8\r\n")
    );
    assert!(answer.ends_with(LIVE_PAGE));
    assert!(LIVE_PAGE.len() < 12_288, "{} bytes", LIVE_PAGE.len());
    let elsewhere = ["http://", "https://", "src=", "@import", "url("];
    assert!(elsewhere.iter().all(|sign| !LIVE_PAGE.contains(sign)), "the page needs something from elsewhere");
    assert!(LIVE_PAGE.contains(&format!("LINE = {LINE_BYTES_MAX},")), "the page knows the bound");
    // What it asks for is there.
    for target in ["/events", "/chat", "/adder", "/id"] {
        assert!(LIVE_PAGE.contains(&format!("\"{target}\"")), "{target}");
    }
}

/// A page of another host may not speak in somebody's name.
#[test]
fn the_chat_is_for_its_own_page() {
    let mut server = server();
    for (origin, status) in [("http://b", "403"), ("http://a", "101")] {
        let client = server.connect();
        client.send(format!(
            "GET /chat HTTP/1.1\r\nHost: a\r\nOrigin: {origin}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ));
        server.run();
        let answer = client.received_text();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

/// Streams and chats beside each other, and none hears what is not for it.
#[test]
fn sums_and_lines_do_not_mix() {
    let mut server = server();
    let page = page(&mut server);
    let chat = server.websocket("/chat");
    chat.client().send(client_frame(0x81, b"line"));
    server.publish(SUMS, Event::data("x 1").event("sum"));
    server.run();
    assert_eq!(page.received_text(), "event: sum\ndata: x 1\n\n");
    assert_eq!(chat.texts(), [format!("{}: line", chat.id())]);
}
