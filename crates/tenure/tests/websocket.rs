//! WebSockets: opened, heard, answered, closed.
#![cfg(feature = "kit")]

use std::{cell::RefCell, rc::Rc};

use tenure::{
    CloseCode, Deadline, EndReason, Error, Eviction, Frame, Handler, Message, MessageTopic, Request, Responder, Router,
    Sent, Session, Upgrade, get,
    kit::{Event, Heard, Server, Settings, WebSocket, client_frame as frame},
    port::Pushed,
    post, websocket,
};

const ROOM: MessageTopic = MessageTopic::new(3);

#[derive(Default)]
struct Chat {
    seen: u32,
    ends: Option<Rc<RefCell<Vec<EndReason>>>>,
}

impl Session for Chat {
    fn end(self, reason: EndReason) {
        if let Some(ends) = self.ends {
            ends.borrow_mut().push(reason);
        }
    }
}

async fn enter(request: &mut Request<'_, Chat>) -> Result<Upgrade, Error> {
    if request.field("x-word") == Some("closed") {
        return Err(Error::unprocessable("not you"));
    }
    request.session_or_insert_with(Chat::default);
    Ok(Upgrade::websocket().protocols(&["chat.v2", "chat.v1"]).topic(ROOM))
}

async fn said(message: &mut Message<'_, Chat>) -> Result<(), Error> {
    let text = message.text()?;
    if let Some(chat) = message.session_mut() {
        chat.seen += 1;
    }
    match text {
        "all" => message.publish(ROOM, Frame::text("to all")),
        "leave" => message.leave(ROOM),
        "join" => message.join(ROOM),
        "join and tell" => {
            message.join(ROOM)?;
            message.publish(ROOM, Frame::text("I am here"))
        }
        "panic" => panic!("as asked"),
        "fail" => Err(Error::internal("as asked")),
        "bye" => {
            message.close(CloseCode::NORMAL);
            message.send(Frame::text("bye")).await
        }
        "all and big" => {
            message.publish(ROOM, Frame::text("to all"))?;
            message.send(Frame::text(&"b".repeat(40_000))).await
        }
        "big" => message.send(Frame::text(&"b".repeat(40_000))).await,
        "count" => {
            let seen = message.session().map_or(0, |chat| chat.seen);
            message.send(Frame::text(&seen.to_string())).await
        }
        "missed" => message.send(Frame::text(&message.missed().to_string())).await,
        text => message.send(Frame::text(text)).await,
    }
}

fn app() -> impl Handler<Chat> {
    let closures = websocket(
        async |_: &mut Request<'_, Chat>| Ok(Upgrade::websocket()),
        async |message: &mut Message<'_, Chat>| {
            let text = message.text()?;
            message.send(Frame::text("closure")).await?;
            message.send(Frame::text(text)).await
        },
    );
    let inner = Router::new().route("/a", closures).route(
        "/b",
        websocket(enter, async |message: &mut Message<'_, Chat>| message.send(Frame::binary(b"nested b")).await)
            .post(async |_: &mut Request<'_, Chat>| "posted"),
    );
    Router::new()
        .route("/", get(async |request: &mut Request<'_, Chat>| request.session().map_or(0, |chat| chat.seen)))
        .nest("/nested", inner)
        .route("/chat", websocket(enter, said))
        .route("/after", post(async |_: &mut Request<'_, Chat>| "after"))
}

fn one_lane() -> Server<Chat> {
    Server::with(app(), Settings { lanes_max: 1, ..Settings::default() })
}

fn text(text: &str) -> Heard {
    Heard::Text(text.into())
}

fn close(code: u16, reason: &str) -> Heard {
    Heard::Close(code, reason.into())
}

#[test]
fn each_message_is_heard_by_its_route() {
    let mut server = one_lane();
    let chats: Vec<_> = (0..5).map(|_| server.websocket("/chat")).collect();
    let (a, b) = (server.websocket("/nested/a"), server.websocket("/nested/b"));
    for _ in 0..3 {
        for open in chats.iter().chain([&a, &b]) {
            open.say("hello");
        }
        server.run();
        for chat in &chats {
            assert_eq!(chat.texts(), ["hello"]);
        }
        assert_eq!(a.texts(), ["closure", "hello"]);
        assert_eq!(b.heard(), [Heard::Binary(b"nested b".into())]);
    }
    chats[0].say("count");
    chats[0].say("count");
    server.run();
    assert_eq!(chats[0].texts(), ["4", "5"]);
    assert_eq!(server.events().last(), Some(&Event::Heard(chats[0].id(), 5)));
    // Requests are answered meanwhile, by the same lane.
    let client = server.connect();
    client.send("POST /after HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    server.run();
    assert!(client.received_text().ends_with("after"));
}

#[test]
fn a_request_that_opens_nothing_is_refused() {
    let mut server = one_lane();
    let client = server.connect();
    let whole = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    for (from, to, status, holds) in [
        ("Upgrade: websocket\r\n", "", "426 Upgrade Required", "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"),
        ("Version: 13", "Version: 8", "426 Upgrade Required", "\r\nSec-WebSocket-Version: 13\r\n"),
        ("Connection: Upgrade\r\n", "", "400 Bad Request", "send Connection: Upgrade, through each proxy"),
        ("==\r\n", "\r\n", "400 Bad Request", "16 bytes in base64"),
        ("GET", "HEAD", "400 Bad Request", "\r\n"),
        ("GET", "DELETE", "405 Method Not Allowed", "\r\nAllow: GET, HEAD, OPTIONS\r\n"),
        ("Host: a\r\n", "Host: a\r\nOrigin: http://b\r\n", "403 Forbidden", "pages of this origin"),
        ("Host: a\r\n", "Host: a\r\nX-Word: closed\r\n", "422 Unprocessable Content", "not you"),
    ] {
        client.send(whole.replace(from, to));
        server.run();
        let answer = client.received_text();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")) && answer.contains(holds), "{to}: {answer}");
        // Nothing is lost by it.
        assert!(!client.is_closed(), "{to}");
    }
    for (from, to) in [
        ("Connection: Upgrade", "Connection: keep-alive, upgrade"),
        ("Upgrade: websocket", "Upgrade: h2c, WebSocket"),
        ("Host: a\r\n", "Host: a\r\nOrigin: http://a\r\n"),
        ("Host: a\r\n", "Host: a\r\nSec-WebSocket-Protocol: other, chat.v1\r\n"),
    ] {
        let client = server.connect();
        client.send(whole.replace(from, to));
        server.run();
        let answer = client.received_text();
        assert!(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
        assert_eq!(answer.contains("\r\nSec-WebSocket-Protocol: chat.v1\r\n"), to.contains("chat.v1"));
    }
}

/// Every split of fragments with a ping between them, with one lane for two connections.
#[test]
fn messages_are_put_together() {
    let bytes = [
        frame(0x01, b"frag"),
        frame(0x89, b"ping"),
        frame(0x00, b"ment"),
        frame(0x80, b"s"),
        frame(0x8a, b"pong"),
        frame(0x81, &[b'x'; 300]),
        frame(0x81, b""),
    ]
    .concat();
    for puts_heads_away in [true, false] {
        for segment in 1..bytes.len() {
            let settings =
                Settings { lanes_max: if puts_heads_away { 1 } else { 2 }, puts_heads_away, ..Settings::default() };
            let mut server = Server::with(app(), settings);
            let (chat, other) = (server.websocket("/chat"), server.websocket("/chat"));
            for piece in bytes.chunks(segment) {
                chat.client().send(piece);
                other.say("other");
                server.run();
                assert_eq!(other.texts(), ["other"]);
            }
            let expected = [Heard::Pong(b"ping".into()), text("fragments"), text(&"x".repeat(300)), text("")];
            assert_eq!(chat.heard(), expected, "{segment}");
        }
    }
}

/// What follows the handshake at once is heard.
#[test]
fn messages_with_the_handshake() {
    let mut bytes = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        .to_vec();
    bytes.extend(frame(0x81, b"one"));
    bytes.extend(frame(0x81, b"two"));
    let mut server = one_lane();
    for segment in [1, 7, usize::MAX] {
        let client = server.connect();
        client.set_segment(segment);
        client.send(&bytes);
        server.run();
        assert!(client.received().ends_with(b"\r\n\r\n\x81\x03one\x81\x03two"));
    }
}

/// Messages that the input does not hold come in pieces, without a lane between two of them; a slow sender holds none.
#[test]
fn long_messages_are_heard_in_pieces() {
    let app = Router::new().route(
        "/chat",
        websocket(enter, async |message: &mut Message<'_, Chat>| {
            let sum: u32 = message.bytes().iter().map(|&byte| u32::from(byte)).sum();
            let (is_first, is_last) = (message.is_first(), message.is_last());
            let chat = message.session_mut().ok_or(Error::internal("no session"))?;
            assert_eq!(is_first, chat.seen == 0);
            chat.seen += sum;
            if is_last {
                let seen = std::mem::take(&mut chat.seen);
                message.send(Frame::text(&seen.to_string())).await?;
            }
            Ok(())
        }),
    );
    let settings = Settings { lanes_max: 1, input_bytes: 400, ..Settings::default() };
    let mut server = Server::with(app, settings);
    let content: Vec<u8> = (0..70_000u32).map(|at| (at % 250 + 1) as u8).collect();
    let sum: u32 = content.iter().map(|&byte| u32::from(byte)).sum();
    let whole = frame(0x82, &content);
    let many = [
        frame(0x02, &content[..100]),
        frame(0x00, &content[100..150]),
        frame(0x89, &[b'p'; 120]),
        frame(0x00, &content[150..30_000]),
        frame(0x89, b"q"),
        frame(0x80, &content[30_000..]),
    ]
    .concat();
    for segment in [1, 2, 3, 13, 399, 400, 5_000] {
        for (bytes, pongs) in [(&whole, 0), (&many, 2)] {
            let (chat, other) = (server.websocket("/chat"), server.websocket("/chat"));
            for piece in bytes.chunks(segment) {
                chat.client().send(piece);
                if segment > 100 {
                    other.say_bytes(b"\x07");
                }
                server.run();
                assert!(segment <= 100 || other.texts() == ["7"]);
            }
            let heard = chat.heard();
            assert_eq!(heard.len(), pongs + 1);
            assert_eq!(heard.last(), Some(&text(&sum.to_string())), "{segment}");
        }
    }
}

#[test]
fn closes() {
    let ends = Rc::new(RefCell::new(Vec::new()));
    let told = ends.clone();
    let app = Router::new().route(
        "/chat",
        websocket(
            async move |request: &mut Request<'_, Chat>| {
                let ends = Some(told.clone());
                request.session_or_insert_with(|| Chat { seen: 0, ends });
                Ok(Upgrade::websocket())
            },
            said,
        ),
    );
    let limits = tenure::Limits { message_bytes_max: 50_000, ..tenure::Limits::HOST };
    let mut server = Server::with(app, Settings { lanes_max: 1, limits, ..Settings::default() });
    for (bytes, code, reason, by_peer) in [
        (frame(0x88, &[0x03, 0xe8]), 1000, "", true),
        (frame(0x88, b"\x0f\xa0why"), 4000, "", true),
        (vec![0x81, 0x01, b'x'], 1002, "frames of a client must be masked", false),
        (frame(0xc1, b"x"), 1002, "no extension is in use: reserved bits must be 0", false),
        (frame(0x80, b"x"), 1002, "there is no message to continue", false),
        (frame(0x88, &[0x03]), 1002, "a close code has two bytes", false),
        (frame(0x81, b"\xff"), 1007, "text must be UTF-8", false),
        ([frame(0x01, b"\xc3"), frame(0x80, b"\x28")].concat(), 1007, "text must be UTF-8", false),
        (frame(0x82, b"x"), 1003, "a message of text was expected", false),
        (frame(0x81, &vec![b'x'; 20_000]), 1009, "the message is too long to be heard at once", false),
        (frame(0x81, &vec![b'x'; 50_001])[..14].to_vec(), 1009, "the message is too long", false),
        (frame(0x81, b"panic"), 1011, "", false),
        (frame(0x81, b"fail"), 1011, "", false),
    ] {
        let chat = server.websocket("/chat");
        chat.client().send(&bytes);
        server.run();
        assert_eq!(chat.heard(), [close(code, reason)], "{bytes:?}");
        assert!(chat.client().is_closed() && !chat.client().is_reset());
        let ended = EndReason::WebSocket { code, by_peer };
        assert_eq!(server.ended().last(), Some(&(chat.id(), ended)));
        assert_eq!(ends.borrow().last(), Some(&ended));
        chat.client().close();
        server.run();
    }
    assert_eq!(ends.borrow().len(), 13, "each once");
    // The nearest that goes.
    let chat = server.websocket("/chat");
    chat.client().send(frame(0x81, &[b'x'; 16_000]));
    server.run();
    assert_eq!(chat.texts(), ["x".repeat(16_000)]);
    // No code is told as 1005, and answered with 1000.
    chat.client().send(frame(0x88, b""));
    server.run();
    assert_eq!(chat.heard(), [close(1000, "")]);
    assert_eq!(ends.borrow().last(), Some(&EndReason::WebSocket { code: 1005, by_peer: true }));
    let chat = server.websocket("/chat");
    chat.say("bye");
    chat.say("not heard");
    server.run();
    assert_eq!(chat.heard(), [text("bye"), close(1000, "")]);
    assert_eq!(ends.borrow().last(), Some(&EndReason::WebSocket { code: 1000, by_peer: false }));
    // Without a close: the peer is gone.
    let chat = server.websocket("/chat");
    chat.client().close();
    server.run();
    assert_eq!(ends.borrow().last(), Some(&EndReason::PeerClosed));
    assert!(server.list().is_empty() || server.list().iter().all(|listed| !listed.busy));
}

#[test]
fn a_stop_and_a_close_from_outside_say_so() {
    let mut server = one_lane();
    let chats: Vec<_> = (0..3).map(|_| server.websocket("/chat")).collect();
    assert!(server.close(chats[0].id()));
    assert_eq!(chats[0].heard(), [close(1000, "")]);
    assert_eq!(server.ended(), [(chats[0].id(), EndReason::Closed)]);
    // What has come of a message is dropped.
    chats[1].client().send(&frame(0x81, b"half")[..4]);
    server.run();
    server.stop();
    for chat in &chats[1..] {
        assert_eq!(chat.heard(), [close(1001, "")]);
        assert!(chat.client().is_closed());
        assert!(server.ended().contains(&(chat.id(), EndReason::Shutdown)));
    }
}

#[test]
fn pushes_and_publications() {
    let mut server = one_lane();
    let (one, two) = (server.websocket("/chat"), server.websocket("/chat"));
    assert_eq!(server.send(one.id(), Frame::text("you")), Pushed::Taken);
    assert_eq!((one.texts(), two.texts()), (vec!["you".into()], vec![]));
    one.say("all");
    server.run();
    assert_eq!((one.texts(), two.texts()), (vec!["to all".to_string()], vec!["to all".to_string()]));
    two.say("leave");
    one.say("join");
    server.run();
    server.publish(ROOM, Frame::text("left"));
    assert_eq!((one.texts(), two.texts()), (vec!["left".to_string()], vec![]), "once, however often one joins");
    one.client().reset();
    server.publish(ROOM, Frame::text("nobody"));
    assert_eq!(server.ended().last(), Some(&(one.id(), EndReason::PeerReset)));
    assert_eq!(server.send(one.id(), Frame::text("x")), Pushed::Gone);
    // An idle connection that is no WebSocket.
    let plain = server.connect();
    plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    server.run();
    plain.received();
    assert_eq!(server.send(plain.id().unwrap(), Frame::text("x")), Pushed::Gone);
    assert!(plain.received().is_empty());
}

/// Who joins what nobody has joined hears what it publishes behind that.
#[test]
fn the_first_to_join_hears_itself() {
    let mut server = one_lane();
    let one = server.websocket("/chat");
    one.say("leave");
    one.say("all");
    server.run();
    assert_eq!((one.texts(), server.published()), (vec![], 0));
    one.say("join and tell");
    server.run();
    assert_eq!(one.texts(), ["I am here"]);
}

/// Pings and pongs are counted per second, however they come; a client that pings slowly does so for ever.
#[test]
fn control_frames_have_a_rate() {
    let violated = Heard::Close(1008, "too many control frames".into());
    let send = |socket: &WebSocket, first: u8, count: usize| socket.client().send(frame(first, b"").repeat(count));
    // At once, in pieces between which the connection rests, between the fragments of a message, with messages and pongs among them.
    for way in 0..4 {
        for (more, stays) in [(29, true), (30, true), (31, false)] {
            let mut server = one_lane();
            let (socket, other) = (server.websocket("/chat"), server.websocket("/chat"));
            let (before, between) = match way {
                0 => (vec![], vec![]),
                1 => (vec![], frame(0x81, b"")),
                2 => (frame(0x01, b"in "), vec![]),
                _ => (frame(0x8a, b"").repeat(10), frame(0x8a, b"")),
            };
            let unsolicited = if way == 3 { 11 } else { 0 };
            socket.client().send(&before);
            send(&socket, 0x89, 15);
            if way == 1 {
                server.run();
            }
            send(&socket, 0x89, 15 - unsolicited);
            socket.client().send(&between);
            server.run();
            // Others have a count of their own, on the same lane.
            send(&other, 0x89, 60);
            server.run();
            assert_eq!(other.heard().len(), 60);
            send(&socket, 0x89, more);
            if way == 2 {
                socket.client().send(frame(0x80, b"pieces"));
            }
            server.run();
            let heard = socket.heard();
            assert_eq!(heard.last() == Some(&violated), !stays, "{way} {more}: {heard:?}");
            let ended = server.ended();
            let reason = EndReason::WebSocket { code: 1008, by_peer: false };
            assert_eq!(ended, if stays { vec![] } else { vec![(socket.id(), reason)] }, "{way} {more}");
            let pongs = heard.iter().filter(|heard| **heard == Heard::Pong(vec![])).count();
            assert_eq!(pongs, 30 - unsolicited + more.min(30), "{way} {more}");
            if stays {
                // Another second, another count.
                server.advance(1_000);
                send(&socket, 0x89, 60);
                server.run();
                assert_eq!(socket.heard().len(), 60, "{way} {more}");
            }
        }
    }
    // Slowly, for ever: by two on one lane.
    let mut server = one_lane();
    let sockets = [server.websocket("/chat"), server.websocket("/chat")];
    for _ in 0..1_000 {
        for socket in &sockets {
            send(socket, 0x89, 5);
        }
        server.advance(100);
    }
    assert!(
        sockets
            .iter()
            .all(|socket| socket.heard().iter().filter(|heard| **heard == Heard::Pong(vec![])).count() == 5_000)
    );
    assert_eq!(server.ended(), []);
    // Too fast, in small pieces: not for long.
    for _ in 0..200 {
        send(&sockets[0], 0x89, 1);
        server.advance(10);
    }
    assert_eq!(sockets[0].heard().last(), Some(&violated));
    assert_eq!(server.ended().len(), 1);
}

/// What a handler publishes reaches its own connection, too, before what follows in the same segment: messages, closes of either side.
#[test]
fn publications_come_before_what_follows() {
    let app = Router::new().route(
        "/chat",
        websocket(enter, async |message: &mut Message<'_, Chat>| {
            let text = message.text()?;
            if text == "last" {
                message.close(CloseCode::NORMAL);
            }
            if text == "answer" {
                message.send(Frame::text(text)).await
            } else {
                message.publish(ROOM, Frame::text(text))
            }
        }),
    );
    let mut server = Server::with(app, Settings { lanes_max: 1, ..Settings::default() });
    let (one, two) = (server.websocket("/chat"), server.websocket("/chat"));
    for said in ["a", "b", "answer", "c"] {
        one.say(said);
    }
    one.close(CloseCode::NORMAL);
    server.run();
    assert_eq!(one.heard(), [text("a"), text("b"), text("answer"), text("c"), close(1000, "")]);
    assert_eq!(two.texts(), ["a", "b", "c"]);
    two.say("last");
    server.run();
    assert_eq!(two.heard(), [text("last"), close(1000, "")]);
}

/// A peer that does not read gets what it was sent in order once it reads again; what is beyond the bound is left out, and counted.
#[test]
fn who_is_behind_misses_some() {
    let mut server = one_lane();
    let (one, two) = (server.websocket("/chat"), server.websocket("/chat"));
    one.client().set_window(3);
    for text in ["first", "second", "third"] {
        server.publish(ROOM, Frame::text(text));
    }
    assert_eq!(two.texts(), ["first", "second", "third"], "nobody else waits");
    one.say("echo");
    server.run();
    assert_eq!(one.heard(), []);
    one.client().set_window(usize::MAX);
    server.run();
    assert_eq!(one.texts(), ["first", "second", "third", "echo"]);
    one.client().set_window(0);
    let big = "b".repeat(30_000);
    let pushed: Vec<_> = (0..4).map(|_| server.send(one.id(), Frame::text(&big))).collect();
    assert_eq!(pushed, [Pushed::Taken, Pushed::Taken, Pushed::Behind, Pushed::Behind]);
    one.client().set_window(usize::MAX);
    server.run();
    assert_eq!(one.texts(), [big.clone(), big]);
    one.say("missed");
    one.say("missed");
    server.run();
    assert_eq!(one.texts(), ["2", "0"]);
}

#[test]
fn who_is_behind_for_too_long_is_reset() {
    let mut server = one_lane();
    let one = server.websocket("/chat");
    one.client().set_window(0);
    let _ = server.send(one.id(), Frame::text("x"));
    server.advance(29_999);
    assert_eq!(server.ended(), []);
    server.advance(1);
    assert_eq!(server.ended(), [(one.id(), EndReason::Deadline(Deadline::Response))]);
    assert!(one.client().is_reset());
}

#[test]
fn who_is_behind_is_closed_where_the_route_says_so() {
    let app = Router::new()
        .route("/", websocket(async |_: &mut Request<'_, Chat>| Ok(Upgrade::websocket().close_when_behind()), said));
    let mut server = Server::new(app);
    let one = server.websocket("/");
    one.client().set_window(10);
    let big = "b".repeat(40_000);
    assert_eq!(server.send(one.id(), Frame::text(&big)), Pushed::Taken);
    assert_eq!(server.send(one.id(), Frame::text(&big)), Pushed::Behind);
    assert_eq!(server.send(one.id(), Frame::text("x")), Pushed::Behind);
    one.client().set_window(usize::MAX);
    server.run();
    assert_eq!(one.heard(), [text(&big), close(1013, "too slow")]);
    assert_eq!(server.ended(), [(one.id(), EndReason::WebSocket { code: 1013, by_peer: false })]);
}

/// What is pushed goes out although half a message has come, and that is heard once its rest comes, also where the peer was behind.
#[test]
fn pushed_in_the_middle_of_what_the_peer_says() {
    let mut server = one_lane();
    let one = server.websocket("/chat");
    let said = [frame(0x01, b"frag"), frame(0x80, b"ments")].concat();
    for window in [usize::MAX, 3] {
        for cut in 1..said.len() {
            one.client().send(&said[..cut]);
            server.run();
            one.client().set_window(window);
            assert_eq!(server.send(one.id(), Frame::text("pushed")), Pushed::Taken);
            server.run();
            one.client().set_window(usize::MAX);
            server.run();
            assert_eq!(one.texts(), ["pushed"], "{cut} {window}");
            one.client().send(&said[cut..]);
            server.run();
            assert_eq!(one.texts(), ["fragments"], "{cut} {window}");
        }
    }
}

/// Pushed to while its lane has a long message half sent: never inside it.
#[test]
fn pushed_within_a_message() {
    let mut server = one_lane();
    let one = server.websocket("/chat");
    one.client().set_window(10_000);
    one.say("big");
    server.run();
    assert_eq!(server.send(one.id(), Frame::text("pushed")), Pushed::Taken);
    assert_eq!(server.send(one.id(), Frame::text("again")), Pushed::Taken);
    one.client().set_window(usize::MAX);
    server.run();
    assert_eq!(one.texts(), ["b".repeat(40_000), "pushed".into(), "again".into()]);
}

/// Published by a handler that goes on to send a long message to the same connection: never inside it.
#[test]
fn published_within_a_message() {
    for window in [usize::MAX, 10_000] {
        let mut server = one_lane();
        let (one, two) = (server.websocket("/chat"), server.websocket("/chat"));
        one.client().set_window(window);
        one.say("all and big");
        server.run();
        one.client().set_window(usize::MAX);
        server.run();
        let mut texts = one.texts();
        texts.sort();
        assert_eq!(texts, ["b".repeat(40_000), "to all".into()], "{window}");
        assert_eq!(two.texts(), ["to all"]);
        one.say("on");
        server.run();
        assert_eq!(one.texts(), ["on"]);
    }
}

/// Part of a message has come: what is pushed goes out at once, or once the peer takes it, and the rest of the message is heard.
#[test]
fn pushed_while_part_of_a_message_waits() {
    for puts_heads_away in [true, false] {
        // A connection at work beside it: lanes that wait give buffers back.
        for others in [0, 1] {
            let settings = Settings { lanes_max: 3, puts_heads_away, ..Settings::default() };
            let mut server = Server::with(app(), settings);
            let chat = server.websocket("/chat");
            let other = server.websocket("/chat");
            if others > 0 {
                other.client().send(&frame(0x81, b"other")[..7]);
            }
            for part in [&frame(0x81, b"part")[..8], &[frame(0x01, b"pa"), frame(0x80, b"rt")].concat()[..8]] {
                chat.client().send(part);
                server.run();
                assert_eq!(server.send(chat.id(), Frame::text("at once")), Pushed::Taken);
                assert_eq!(chat.texts(), ["at once"]);
                chat.client().set_window(5);
                for text in ["later", "still later"] {
                    assert_eq!(server.send(chat.id(), Frame::text(text)), Pushed::Taken);
                }
                chat.client().set_window(usize::MAX);
                server.run();
                assert_eq!(chat.texts(), ["later", "still later"]);
                let whole = if part[0] == 0x81 {
                    frame(0x81, b"part")
                } else {
                    [frame(0x01, b"pa"), frame(0x80, b"rt")].concat()
                };
                chat.client().send(&whole[8..]);
                server.run();
                assert_eq!(chat.texts(), ["part"], "{puts_heads_away} {others}");
            }
            // It is still to come in time.
            chat.client().send(&frame(0x81, b"part")[..8]);
            server.run();
            chat.client().set_window(0);
            let _ = server.send(chat.id(), Frame::text("x"));
            server.advance(1_000);
            chat.client().set_window(usize::MAX);
            server.advance(12_000);
            assert_eq!(server.ended().last(), Some(&(chat.id(), EndReason::Deadline(Deadline::Body))));
        }
    }
}

/// Pushed to while a message is heard whose next part comes at once: the part is not lost while its peer is behind.
#[test]
fn behind_with_part_of_a_message() {
    let mut server = one_lane();
    let chat = server.websocket("/chat");
    chat.client().set_window(5);
    chat.say("all and big");
    chat.client().send(&frame(0x81, b"part")[..8]);
    server.run();
    server.publish(ROOM, Frame::text("behind"));
    server.publish(ROOM, Frame::text(&"z".repeat(50_000)));
    chat.client().set_window(usize::MAX);
    server.run();
    let mut texts = chat.texts();
    texts.sort();
    assert_eq!(texts, ["b".repeat(40_000), "behind".into(), "to all".into(), "z".repeat(50_000)]);
    chat.client().send(&frame(0x81, b"part")[8..]);
    server.run();
    assert_eq!(chat.texts(), ["part"]);
}

#[test]
fn a_silent_peer_is_asked() {
    let mut server = one_lane();
    let (alive, dead, late) = (server.websocket("/chat"), server.websocket("/chat"), server.websocket("/chat"));
    server.advance(29_999);
    late.say("here");
    server.run();
    assert_eq!((alive.heard(), late.texts()), (vec![], vec!["here".to_string()]));
    server.advance(1);
    assert_eq!((alive.heard(), dead.heard()), (vec![Heard::Ping(vec![])], vec![Heard::Ping(vec![])]));
    server.advance(9_999);
    alive.client().send(frame(0x8a, b""));
    server.advance(1);
    assert_eq!(server.ended(), [(dead.id(), EndReason::Deadline(Deadline::Pong))]);
    assert!(dead.client().is_reset());
    server.advance(29_998);
    assert_eq!(alive.heard(), []);
    server.advance(1);
    assert_eq!(alive.heard(), [Heard::Ping(vec![])]);
}

#[test]
fn a_message_must_come_in_time() {
    for puts_heads_away in [true, false] {
        let mut server = Server::with(app(), Settings { lanes_max: 2, puts_heads_away, ..Settings::default() });
        let chat = server.websocket("/chat");
        // Five bytes have been given 10 ms.
        chat.client().send(&frame(0x81, b"half a message")[..5]);
        server.advance(10_009);
        assert_eq!(server.ended(), [], "{puts_heads_away}");
        server.advance(60);
        assert_eq!(chat.heard(), [close(1008, "the message did not come in time")]);
        assert_eq!(server.ended(), [(chat.id(), EndReason::Deadline(Deadline::Body))]);
    }
}

/// However much time its bytes have been granted.
#[test]
fn a_message_may_take_as_long_as_the_clock_can_tell() {
    let deadlines = tenure::Deadlines {
        body_ms: (1 << 31) - 1,
        body_bytes_per_s: 1,
        ping_ms: tenure::NEVER,
        ..tenure::Deadlines::HOST
    };
    let mut server = Server::with(app(), Settings { lanes_max: 1, deadlines, ..Settings::default() });
    let chat = server.websocket("/chat");
    for byte in frame(0x81, b"slow") {
        chat.client().send([byte]);
        server.advance(10_000);
    }
    assert_eq!(chat.texts(), ["slow"]);
}

#[test]
fn open_connections_have_a_bound() {
    let mut server = Server::with(app(), Settings { open_max: 2, ..Settings::default() });
    let one = server.websocket("/chat");
    let _two = server.websocket("/chat");
    let client = server.connect();
    let opens = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    client.send(opens);
    server.run();
    assert!(client.received_text().starts_with("HTTP/1.1 503 "));
    one.client().reset();
    server.run();
    client.send(opens);
    server.run();
    assert!(client.received_text().starts_with("HTTP/1.1 101 "));
}

/// Those whose peer has not taken the answer count, too.
#[test]
fn the_bound_holds_while_answers_wait() {
    let mut server = Server::with(app(), Settings { open_max: 1, ..Settings::default() });
    let clients = [(); 3].map(|()| server.connect());
    for client in &clients {
        client.set_window(0);
        client.send(
            "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        );
        server.run();
    }
    for client in &clients {
        client.set_window(usize::MAX);
    }
    server.run();
    let statuses = clients.map(|client| client.received_text()[9..12].to_owned());
    assert_eq!(statuses, ["101", "503", "503"]);
}

/// Idle connections give way to new ones, open ones never.
#[test]
fn open_connections_are_not_evicted() {
    let settings = Settings { connections_max: 2, eviction: Eviction::LeastRecentlyUsed, ..Settings::default() };
    let mut server = Server::with(app(), settings);
    let idle = server.connect();
    idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    server.advance(10);
    let open = server.websocket("/chat");
    server.advance(10);
    let newcomer = server.connect();
    assert!(idle.is_closed() && !open.client().is_closed() && newcomer.id().is_some());
}

/// A full server closes connections without a session, but not those that stay open.
#[test]
fn a_full_server_opens() {
    let mut server = Server::with(app(), Settings { connections_max: 1, open_max: 1, ..Settings::default() });
    let open = server.websocket("/nested/a");
    open.say("hello");
    server.advance(10);
    assert_eq!(open.texts(), ["closure", "hello"]);
    assert!(server.connect().id().is_none() && !open.client().is_closed());
}

/// A handler that wraps others and knows nothing of what stays open.
#[test]
fn a_wrapper_that_passes_nothing_on_reaches_no_wrong_route() {
    struct Old<H>(H);
    impl<H: Handler<Chat>> Handler<Chat> for Old<H> {
        type Page = H::Page;

        async fn handle<'r>(&self, request: &mut Request<'r, Chat>, responder: Responder<'r>) -> Result<Sent, Error> {
            self.0.handle(request, responder).await
        }
    }
    let mut server = Server::new(Router::new().nest("/old", Old(app())).route("/chat", websocket(enter, said)));
    let chat = server.websocket("/chat");
    let client = server.connect();
    client.send(
        "GET /old/chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    server.run();
    assert!(client.is_reset(), "not the wrong route");
    chat.say("on");
    server.run();
    assert_eq!(chat.texts(), ["on"]);
}

mod waiting {
    use super::*;
    use std::{
        future::{Future, poll_fn},
        pin::pin,
        sync::{Arc, Mutex},
        task::{Poll, Waker},
    };

    #[derive(Default)]
    struct Gate {
        open: bool,
        waker: Option<Waker>,
    }

    async fn pass(gate: &Mutex<Gate>) {
        poll_fn(|context| {
            let mut gate = gate.lock().unwrap();
            gate.waker = Some(context.waker().clone());
            if gate.open { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn unlock(gate: &Mutex<Gate>) {
        let waker = {
            let mut gate = gate.lock().unwrap();
            gate.open = true;
            gate.waker.take()
        };
        waker.unwrap().wake();
    }

    /// Begins to send a long message, and gives it up.
    async fn give_up(message: &mut Message<'_, Chat>) {
        let big = "b".repeat(40_000);
        let mut sending = pin!(message.send(Frame::text(&big)));
        poll_fn(|context| {
            let _ = sending.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
    }

    fn server(gate: &Arc<Mutex<Gate>>, lanes_max: u32) -> Server<Chat> {
        let gate = gate.clone();
        let app = Router::new().route(
            "/chat",
            websocket(enter, async move |message: &mut Message<'_, Chat>| match message.text()? {
                "wait" => {
                    message.send(Frame::text("before")).await?;
                    message.publish(ROOM, Frame::text("meanwhile"))?;
                    pass(&gate).await;
                    message.send(Frame::text("after")).await
                }
                // A message is given up halfway.
                "drop" => {
                    give_up(message).await;
                    message.send(Frame::text("corrupt")).await
                }
                "drop at the end" => {
                    give_up(message).await;
                    Ok(())
                }
                _ => Ok(()),
            }),
        );
        Server::with(app, Settings { lanes_max, ..Settings::default() })
    }

    /// What is pushed while a handler waits goes out at once, between its messages.
    #[test]
    fn pushed_while_a_handler_waits() {
        let gate = Arc::default();
        let mut server = server(&gate, 2);
        let (one, two) = (server.websocket("/chat"), server.websocket("/chat"));
        one.say("wait");
        server.run();
        assert_eq!(one.texts(), ["before", "meanwhile"]);
        assert_eq!(two.texts(), ["meanwhile"]);
        assert_eq!(server.send(one.id(), Frame::text("pushed")), Pushed::Taken);
        assert_eq!(one.texts(), ["pushed"]);
        // Its socket takes nothing; another one publishes.
        one.client().set_window(0);
        for _ in 0..3 {
            server.publish(ROOM, Frame::text(&"p".repeat(10_000)));
        }
        unlock(&gate);
        server.run();
        one.client().set_window(usize::MAX);
        server.run();
        let mut texts = one.texts();
        texts.sort();
        assert_eq!(texts, ["after".into(), "p".repeat(10_000), "p".repeat(10_000), "p".repeat(10_000)]);
    }

    #[test]
    fn a_handler_that_takes_too_long() {
        let gate = Arc::default();
        let mut server = server(&gate, 2);
        let one = server.websocket("/chat");
        one.say("wait");
        server.run();
        one.texts();
        server.advance(29_999);
        assert_eq!(one.heard(), []);
        server.advance(51);
        assert_eq!(one.heard(), [close(1011, "the answer took too long")]);
        assert_eq!(server.ended(), [(one.id(), EndReason::WebSocket { code: 1011, by_peer: false })]);
    }

    #[test]
    fn a_message_that_is_given_up_halfway() {
        let gate = Arc::default();
        let mut server = server(&gate, 2);
        let other = server.websocket("/chat");
        for (word, reason) in
            [("drop", EndReason::WebSocket { code: 1011, by_peer: false }), ("drop at the end", EndReason::Aborted)]
        {
            let one = server.websocket("/chat");
            one.client().set_window(5_000);
            one.say(word);
            server.run();
            assert!(one.client().is_reset(), "{word}");
            assert!(one.client().received().iter().skip(4).all(|&byte| byte == b'b'));
            assert_eq!(server.ended().last(), Some(&(one.id(), reason)));
        }
        // The next ones on that lane have nothing of it.
        other.say("wait");
        server.run();
        assert_eq!(other.texts(), ["before", "meanwhile"]);
        let next = server.websocket("/chat");
        next.say("wait");
        server.run();
        assert_eq!(next.texts(), ["before", "meanwhile"]);
    }

    /// What did not fit the output of a handler that waits goes out while it still does.
    #[test]
    fn behind_while_a_handler_waits() {
        let gate = Arc::default();
        let mut server = server(&gate, 2);
        let one = server.websocket("/chat");
        one.say("wait");
        server.run();
        one.texts();
        one.client().set_window(0);
        let texts: Vec<_> = (0..20).map(|number| format!("{number:03000}")).collect();
        for text in &texts {
            assert_eq!(server.send(one.id(), Frame::text(text)), Pushed::Taken);
        }
        one.client().set_window(usize::MAX);
        server.run();
        assert_eq!(one.texts(), texts);
        unlock(&gate);
        server.run();
        assert_eq!(one.texts(), ["after"]);
    }

    /// With no lane to say it with, it is said all the same.
    #[test]
    fn a_message_that_is_late_while_no_lane_is_free() {
        let gate = Arc::default();
        let mut server = server(&gate, 1);
        let (one, two) = (server.websocket("/chat"), server.websocket("/chat"));
        two.client().send(&frame(0x81, b"half")[..8]);
        server.run();
        one.say("wait");
        server.run();
        two.texts();
        server.advance(10_100);
        assert_eq!(two.heard(), [close(1008, "")]);
        assert_eq!(server.ended(), [(two.id(), EndReason::Deadline(Deadline::Body))]);
    }

    /// What came to a connection at work beside others is as whole as if it were alone.
    #[test]
    fn pushed_to_a_lane_that_has_given_its_buffers_back() {
        let gate = Arc::default();
        let mut server = server(&gate, 3);
        let sockets = [(); 3].map(|()| server.websocket("/chat"));
        for socket in &sockets {
            socket.say("wait");
            server.run();
        }
        for socket in &sockets {
            socket.texts();
            assert_eq!(server.send(socket.id(), Frame::text("pushed")), Pushed::Taken);
            assert_eq!(socket.texts(), ["pushed"]);
        }
    }

    /// A peer's close while its handler waits is heard behind it; a stop lets it end.
    #[test]
    fn a_stop_while_a_handler_waits() {
        let gate = Arc::default();
        let mut server = server(&gate, 2);
        let one = server.websocket("/chat");
        one.say("wait");
        server.run();
        one.texts();
        server.stop();
        assert_eq!(server.ended(), []);
        unlock(&gate);
        server.run();
        assert_eq!(one.heard(), [text("after"), close(1001, "")]);
        assert_eq!(server.ended(), [(one.id(), EndReason::Shutdown)]);
    }
}

/// Whoever opens and ends in whatever state: each ends once, and nothing of it is left.
#[test]
fn a_storm_of_ends() {
    let mut server = Server::with(app(), Settings { lanes_max: 2, ..Settings::default() });
    let end = |socket: &WebSocket, how: u32| match how % 4 {
        0 => socket.client().reset(),
        1 => socket.client().close(),
        2 => socket.close(CloseCode::NORMAL),
        _ => socket.client().send(frame(0xf1, b"")),
    };
    let mut opened = 0;
    for round in 0..200 {
        let sockets: Vec<_> = (0..8).map(|_| server.websocket("/chat")).collect();
        opened += sockets.len();
        for (number, socket) in (0..).zip(&sockets) {
            match (number + round) % 5 {
                0 => socket.say("all"),
                1 => socket.client().send(&frame(0x81, b"half")[..3 + round as usize % 6]),
                2 => socket.client().set_window(2),
                3 => socket.client().send(frame(0x01, b"part")),
                _ => {}
            }
            if round % 3 == 0 {
                server.run();
            }
            end(socket, number + round / 5);
        }
        server.run();
        for socket in &sockets {
            socket.client().set_window(usize::MAX);
            socket.client().close();
        }
        server.run();
    }
    server.advance(60_000);
    assert_eq!(server.list(), []);
    assert_eq!(server.ended().len(), opened);
}
