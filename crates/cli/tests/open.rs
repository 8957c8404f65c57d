//! `listen` and `chat` as a person runs them, against servers that are made of the protocol's pieces.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    process::{Child, Command, Output, Stdio},
    thread::{self, JoinHandle},
};

use tenure_proto::{
    head::{Fields, Head, HeadLimits, HeadParser},
    websocket::{Close, CloseCode, Data, Found, Handshake, MessageLimits, MessageReader, Opcode, frame, handshake},
};

const LIMITS: MessageLimits =
    MessageLimits { message_bytes_max: 1 << 20, fragments_max: 9, controls_max: 99, whole_bytes_max: 1 << 20 };

/// A server's end of a connection.
struct Peer {
    stream: TcpStream,
    /// Received and not used.
    bytes: Vec<u8>,
    reader: MessageReader,
}

impl Peer {
    fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        Peer { stream, bytes: Vec::new(), reader: MessageReader::new() }
    }

    /// Receives more; whether there was any.
    fn receive(&mut self) -> bool {
        let mut bytes = vec![0; 65_536];
        let count = self.stream.read(&mut bytes).unwrap_or(0);
        self.bytes.extend_from_slice(&bytes[..count]);
        count > 0
    }

    /// The next request's head and its bytes.
    fn request(&mut self) -> (Head, Vec<u8>) {
        let limits = HeadLimits { head_bytes_max: 4_096, target_bytes_max: 1_024, tolerate_lone_lf: false };
        let mut parser = HeadParser::new();
        loop {
            if let Some(head) = parser.parse(&self.bytes, &limits).unwrap() {
                let bytes = std::mem::take(&mut self.bytes);
                return (head, bytes);
            }
            assert!(self.receive(), "it asks");
        }
    }

    /// The value of a field of the next request, and its target.
    fn asked(&mut self, field: &str) -> (String, String) {
        let (head, bytes) = self.request();
        let value = Fields::new(head.fields.of(&bytes)).first(field).unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8(bytes.into()).unwrap();
        (text(head.target.of(&bytes)), text(value))
    }

    /// Opens the WebSocket that is asked for, with these fields more, each with its line end.
    fn open(&mut self, fields: &str) {
        let (head, bytes) = self.request();
        let accept = Handshake::read(&head, &bytes).unwrap().accept();
        let answer = [handshake::SWITCHING, &accept, b"\r\n", fields.as_bytes(), b"\r\n"].concat();
        self.send(&answer);
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    fn message(&mut self, opcode: Opcode, payload: &[u8]) {
        self.send(&[frame::head(opcode, true, payload.len() as u64).as_bytes(), payload].concat());
    }

    fn close(&mut self, code: Option<u16>, reason: &str) {
        let close = Close { code: code.map(|code| CloseCode::new(code).unwrap()), reason };
        self.send(close.frame().as_bytes());
    }

    /// The next message's bytes.
    fn binary(&mut self) -> Option<Vec<u8>> {
        loop {
            let found = self.reader.read(&mut self.bytes, &LIMITS).unwrap();
            let used = found.used();
            let message =
                if let Found::Data { data: Data::Binary(bytes), .. } = found { Some(bytes.to_vec()) } else { None };
            self.bytes.drain(..used);
            if message.is_some() || !self.receive() {
                return message;
            }
        }
    }

    /// What is heard next, in words.
    fn hear(&mut self) -> String {
        loop {
            let found = self.reader.read(&mut self.bytes, &LIMITS).unwrap();
            let used = found.used();
            let heard = match found {
                Found::Partial { .. } => None,
                Found::Data { data: Data::Text(text), .. } => Some(format!("text {text}")),
                Found::Data { data, .. } => Some(format!("{data:?}")),
                Found::Ping { payload, .. } => Some(format!("ping {}", payload.escape_ascii())),
                Found::Pong { payload, .. } => Some(format!("pong {}", payload.escape_ascii())),
                Found::Close { close, .. } => {
                    Some(format!("close {:?} {}", close.code.map(CloseCode::code), close.reason))
                }
            };
            self.bytes.drain(..used);
            match heard {
                Some(heard) => return heard,
                None if !self.receive() => return "end".to_owned(),
                None => {}
            }
        }
    }
}

/// A server: its address, and the thread that serves.
fn serve(serve: impl FnOnce(&TcpListener) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let served = catch_unwind(AssertUnwindSafe(|| serve(&listener)));
        if let Err(panic) = served {
            // A client that comes again would do so for ever.
            Peer::accept(&listener).send(b"HTTP/1.1 204 No Content\r\n\r\n");
            resume_unwind(panic);
        }
    });
    (address, serving)
}

/// A server of one WebSocket.
fn open(serve_open: impl FnOnce(&mut Peer) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    serve(move |listener| {
        let mut peer = Peer::accept(listener);
        peer.open("");
        serve_open(&mut peer);
    })
}

/// A server of one answer, whatever is asked.
fn answer(answer: &str) -> SocketAddr {
    let answer = answer.to_owned();
    let (address, _) = serve(move |listener| {
        let mut peer = Peer::accept(listener);
        peer.request();
        peer.send(answer.as_bytes());
    });
    address
}

fn start(line: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenure"));
    command.args(line.split_whitespace()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// A run with that input: exit code, standard output, standard error.
fn run_with(line: &str, input: &[u8]) -> (i32, String, String) {
    let mut child = start(line);
    // One that leaves before it reads wants no input.
    let _ = child.stdin.take().unwrap().write_all(input);
    told(child.wait_with_output().unwrap())
}

fn run(line: &str) -> (i32, String, String) {
    run_with(line, b"")
}

fn told(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn listen_prints_messages_and_answers_what_must_be_answered() {
    let (address, serving) = open(|peer| {
        peer.message(Opcode::Text, "gr\u{fc}n".as_bytes());
        peer.message(Opcode::Text, b"");
        peer.message(Opcode::Ping, b"life?");
        assert_eq!(peer.hear(), "pong life?");
        // Fragments, a ping between them, and a frame in two segments.
        peer.send(b"\x01\x02ab\x89\x00\x80");
        assert_eq!(peer.hear(), "pong ");
        peer.send(b"\x01c");
        peer.message(Opcode::Pong, b"nobody asked");
        peer.message(Opcode::Binary, b"\x00\xff");
        peer.message(Opcode::Binary, &vec![7; 70_000]);
        peer.close(Some(1000), "bye");
        assert_eq!(peer.hear(), "close Some(1000) ");
    });
    let (code, out, err) = run(&format!("listen ws://{address}/chat"));
    let long = "07 ".repeat(32);
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert_eq!(out, format!("gr\u{fc}n\n\nabc\nbinary, 2 bytes: 00 ff\nbinary, 70000 bytes: {long}…\n"));
    serving.join().unwrap();
}

#[test]
fn messages_may_come_with_the_answer() {
    let (address, serving) = serve(|listener| {
        let mut peer = Peer::accept(listener);
        let (head, bytes) = peer.request();
        let accept = Handshake::read(&head, &bytes).unwrap().accept();
        peer.send(&[handshake::SWITCHING, &accept, b"\r\n\r\n\x81\x01a\x88\x00"].concat());
        assert_eq!(peer.hear(), "close None ");
    });
    assert_eq!(run(&format!("listen ws://{address}")), (0, "a\n".to_owned(), String::new()));
    serving.join().unwrap();
}

#[test]
fn how_it_ended_is_the_exit_code() {
    for (code, reason, exit, said) in [
        (None, "", 0, ""),
        (Some(1000), "bye", 0, ""),
        (Some(1001), "", 8, "tenure: the server has closed with 1001\n"),
        (Some(4000), "no\x1b!", 8, "tenure: the server has closed with 4000: no\\u{1b}!\n"),
    ] {
        let (address, serving) = open(move |peer| {
            peer.close(code, reason);
            assert_eq!(peer.hear(), format!("close {code:?} "));
        });
        assert_eq!(run(&format!("listen ws://{address}")), (exit, String::new(), said.to_owned()), "{code:?}");
        serving.join().unwrap();
    }
    // The end of the connection alone is no close. What had come of a message stands.
    let (address, _) = open(|peer| peer.send(b"\x01\x02ab"));
    let (exit, out, err) = run(&format!("listen ws://{address}"));
    assert_eq!((exit, &*out), (5, "ab\n"));
    assert_eq!(err, "tenure: the server has ended the connection without a close frame\n");
}

#[test]
fn a_server_that_breaks_the_protocol_is_told() {
    for (bytes, code, said) in [
        (&b"\x81\x81\0\0\0\0a"[..], 1002, "frames of a server must not be masked"),
        (b"\x81\x01\xff", 1007, "text must be UTF-8"),
        (b"\x88\x01\x03", 1002, "a close code has two bytes"),
    ] {
        let (address, serving) = open(move |peer| {
            peer.send(bytes);
            assert_eq!(peer.hear(), format!("close Some({code}) {said}"));
        });
        let (exit, out, err) = run(&format!("listen ws://{address}"));
        assert_eq!((exit, &*out), (5, ""), "{said}");
        assert_eq!(err, format!("tenure: the server breaks the protocol: {said}\n"));
        serving.join().unwrap();
    }
}

#[test]
fn what_opens_no_websocket_is_said() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    for (said, wanted) in [
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nno\x1b!\n",
            "it answers 404, not 101 (Switching Protocols): no\\u{1b}!\n",
        ),
        (
            "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n",
            "it answers 426, not 101 (Switching Protocols)\n",
        ),
        (
            "HTTP/1.1 301 Moved\r\nLocation: ws://b/\r\nContent-Length: 0\r\n\r\n",
            "it answers 301, not 101 (Switching Protocols): give ws://b/ instead, if that is trusted\n",
        ),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "it answers 200, not 101"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "it does not speak HTTP"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "its answer opens no WebSocket: there is no Upgrade: websocket\n"),
        (&format!("{switching}\r\n"), "its answer opens no WebSocket: Sec-WebSocket-Accept does not fit the key\n"),
        (
            &format!("{switching}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"),
            "Sec-WebSocket-Accept does not fit the key\n",
        ),
    ] {
        for command in ["listen", "chat"] {
            let address = answer(said);
            let (code, out, err) = run(&format!("{command} ws://{address}/a"));
            assert_eq!((code, &*out), (4, ""), "{said}: {err}");
            assert!(err.starts_with(&format!("tenure: ws://{address}/a: ")) && err.contains(wanted), "{said}: {err}");
        }
    }
    let (code, _, err) = run(&format!("listen ws://{}/", answer("")));
    assert_eq!((code, &*err), (5, "tenure: the server has closed the connection instead of an answer\n"));
}

#[test]
fn nobody_listens() {
    let address = TcpListener::bind("127.78.0.3:0").unwrap().local_addr().unwrap();
    for line in [format!("listen ws://{address}"), format!("chat ws://{address}"), format!("listen http://{address}")] {
        let (code, out, err) = run(&line);
        assert_eq!((code, &*out), (3, ""), "{line}");
        assert!(err.starts_with(&format!("tenure: nothing listens at {address}\n")), "{line}: {err}");
    }
    let (code, _, err) = run("listen ws://host.invalid/");
    assert_eq!(code, 3);
    assert!(err.contains("the host \"host.invalid\" cannot be found"), "{err}");
}

#[test]
fn subprotocols_are_offered_and_one_is_chosen() {
    for (chosen, exit) in [("chat", 0), ("chat.v2", 0), ("other", 4)] {
        let (address, _) = serve(move |listener| {
            let mut peer = Peer::accept(listener);
            let (head, bytes) = peer.request();
            let handshake = Handshake::read(&head, &bytes).unwrap();
            assert_eq!(handshake.subprotocols().collect::<Vec<_>>(), [&b"chat.v2"[..], b"chat"]);
            let accept = handshake.accept();
            let protocol = format!("\r\nSec-WebSocket-Protocol: {chosen}\r\n\r\n");
            peer.send(&[handshake::SWITCHING, &accept, protocol.as_bytes()].concat());
            peer.close(None, "");
            peer.hear();
        });
        let (code, _, err) = run(&format!("listen ws://{address} --protocol chat.v2 --protocol chat"));
        assert_eq!(code, exit, "{err}");
    }
}

#[test]
fn chat_sends_lines_and_closes_behind_the_last() {
    let (address, serving) = open(|peer| {
        for line in ["one", "", "gr\u{fc}n", "last"] {
            assert_eq!(peer.hear(), format!("text {line}"));
            peer.message(Opcode::Text, line.to_uppercase().as_bytes());
        }
        assert_eq!(peer.hear(), "close Some(1000) ");
        // What was on its way is printed.
        peer.message(Opcode::Text, b"late");
        peer.close(Some(1000), "");
    });
    let (code, out, err) = run_with(&format!("chat ws://{address}/chat"), "one\n\r\ngr\u{fc}n\r\nlast".as_bytes());
    assert_eq!((code, &*out, &*err), (0, "ONE\n\nGR\u{dc}N\nLAST\nlate\n", ""));
    serving.join().unwrap();
}

#[test]
fn chat_ends_with_the_server_though_input_may_come() {
    let (address, serving) = open(|peer| {
        peer.message(Opcode::Text, b"bye");
        peer.close(Some(1001), "restart");
        assert_eq!(peer.hear(), "close Some(1001) ");
    });
    let child = start(&format!("chat ws://{address}"));
    // Its input stays open.
    let mut child = child;
    let input = child.stdin.take();
    let (code, out, err) = told(child.wait_with_output().unwrap());
    assert_eq!((code, &*out, &*err), (8, "bye\n", "tenure: the server has closed with 1001: restart\n"));
    drop(input);
    serving.join().unwrap();
}

#[test]
fn more_than_is_queued_is_sent_while_messages_come() {
    const LINES: usize = 40;
    let line = "x".repeat(60_000);
    let (address, serving) = open({
        let line = line.clone();
        move |peer| {
            let wanted = format!("text {line}");
            for number in 0..LINES {
                peer.message(Opcode::Ping, b"");
                let mut heard = peer.hear();
                while heard == "pong " {
                    heard = peer.hear();
                }
                assert!(heard == wanted, "line {number}");
                peer.message(Opcode::Text, line.as_bytes());
            }
            while peer.hear() == "pong " {}
            peer.close(Some(1000), "");
        }
    });
    let (code, out, err) = run_with(&format!("chat ws://{address}"), format!("{line}\n").repeat(LINES).as_bytes());
    assert_eq!((code, &*err), (0, ""));
    assert!(out == format!("{line}\n").repeat(LINES), "{} bytes", out.len());
    serving.join().unwrap();
}

#[test]
fn a_line_that_is_no_text_ends_the_chat() {
    let (address, serving) = open(|peer| {
        assert_eq!(peer.hear(), "text one");
        assert_eq!(peer.hear(), "close Some(1000) ");
        peer.close(Some(1000), "");
    });
    let (code, _, err) = run_with(&format!("chat ws://{address}"), b"one\n\xff\nthree\n");
    assert_eq!(code, 2);
    assert_eq!(err, "tenure: line 2 of the input is not UTF-8, which a text message must be\n");
    serving.join().unwrap();
}

#[test]
fn an_unanswered_close_is_waited_for_no_longer_than_the_timeout() {
    let (address, serving) = open(|peer| {
        assert_eq!(peer.hear(), "close Some(1000) ");
        assert_eq!(peer.hear(), "end");
    });
    let (code, _, err) = run(&format!("chat ws://{address} --timeout 2s"));
    assert_eq!((code, &*err), (5, "tenure: no answer to the close frame within 2s\n"));
    serving.join().unwrap();
    // One that ends the connection instead of an answer is told from one that closes.
    let (address, _) = open(|peer| {
        peer.hear();
    });
    let (code, _, err) = run(&format!("chat ws://{address}"));
    assert_eq!(code, 5);
    assert!(err.ends_with(" without an answer to the close frame\n"), "{err}");
}

#[test]
fn a_reader_that_leaves_ends_the_listening() {
    let (address, serving) = open(|peer| {
        // More than a pipe holds: one that nobody reads is noticed.
        while peer.stream.write_all(&[&b"\x82\x7d"[..], &[0; 125]].concat()).is_ok() {}
    });
    let mut child = start(&format!("listen ws://{address}"));
    drop(child.stdout.take());
    let (code, _, err) = told(child.wait_with_output().unwrap());
    assert_eq!((code, &*err), (0, ""));
    serving.join().unwrap();
}

/// The head of an answer with events, and the front of its body.
fn events(fields: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n{fields}\r\n{body}").into_bytes()
}

#[test]
fn listen_prints_events_and_comes_again_where_they_were_broken_off() {
    let (address, serving) = serve(|listener| {
        // In chunks, cut anywhere.
        let mut peer = Peer::accept(listener);
        assert_eq!(peer.asked("accept"), ("/ticks?a=b".to_owned(), "text/event-stream".to_owned()));
        peer.send(&events("Transfer-Encoding: chunked\r\n", "2\r\n: \r\n1e\r\ncomment\nretry: 1\nid: 1\ndata: o\r\n"));
        peer.send(b"13\r\nne\ndata:two\n\nevent:\r\n");
        peer.send(b"7\r\n add\nda\r\n9\r\nta: 3\n\nid\r\n");
        drop(peer);
        // By length.
        let mut peer = Peer::accept(listener);
        assert_eq!(peer.asked("last-event-id").1, "1");
        let body = "id: zw\u{f6}lf\n\ndata: 4\n\n";
        peer.send(&events(&format!("Content-Length: {}\r\n", body.len()), body));
        // Until the connection's end, with the end of an event missing.
        let mut peer = Peer::accept(listener);
        assert_eq!(peer.asked("last-event-id").1, "zw\u{f6}lf");
        peer.send(&events("", "id\ndata:\n\ndata: lost\nretry: 2\n"));
        drop(peer);
        let mut peer = Peer::accept(listener);
        assert_eq!(peer.asked("last-event-id").1, "");
        peer.send(b"HTTP/1.1 204 No Content\r\n\r\n");
    });
    let (code, out, err) = run(&format!("listen http://{address}/ticks?a=b"));
    assert_eq!(code, 0, "{err}");
    assert_eq!(out, "id: 1\ndata: one\ndata: two\n\nevent: add\ndata: 3\n\ndata: 4\n\nid: \ndata: \n\n");
    assert_eq!(
        err,
        "tenure: the server has ended the connection\nAgain in 1ms, behind event 1.\ntenure: the stream goes on\n\
         tenure: the stream has ended\nAgain in 1ms, behind event zw\u{f6}lf.\ntenure: the stream goes on\n\
         tenure: the server has ended the connection\nAgain in 2ms.\n"
    );
    serving.join().unwrap();
}

#[test]
fn what_is_no_stream_of_events_is_said() {
    for (said, wanted) in [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone", "it answers 404, not 200 with events: none\n"),
        ("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "it answers 503, not 200 with events\n"),
        ("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", "give /b instead, if that is trusted\n"),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
            "its answer is of type text/html, not text/event-stream\n",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-streams\r\n\r\n",
            "its answer is of type text/event-streams, not",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "its answer is without a type, not text/event-stream\n"),
        ("220 mail\r\n", "it does not speak HTTP"),
    ] {
        let address = answer(said);
        let (code, out, err) = run(&format!("listen http://{address}"));
        assert_eq!((code, &*out), (4, ""), "{said}: {err}");
        assert!(err.starts_with(&format!("tenure: http://{address}/: ")) && err.contains(wanted), "{said}: {err}");
    }
    let (code, out, err) = run(&format!("listen http://{}", answer("HTTP/1.1 204 No Content\r\n\r\n")));
    assert_eq!((code, &*out, &*err), (0, "", ""));
    let (code, _, err) = run("listen http://127.0.0.1:1/ --protocol a");
    assert_eq!((code, &*err), (2, "tenure: --protocol is for ws:// alone: leave it out\n"));
}

#[test]
fn an_answer_that_is_no_stream_any_more_ends_the_listening() {
    let (address, serving) = serve(|listener| {
        let mut peer = Peer::accept(listener);
        peer.request();
        peer.send(&events("Content-Type: a/b\r\nTransfer-Encoding: gzip, Chunked\r\n", "8\r\nretry:1\n\r\nx\r\n"));
        let mut peer = Peer::accept(listener);
        peer.request();
        peer.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    });
    let (code, _, err) = run(&format!("listen http://{address}"));
    assert_eq!(code, 4);
    let mut lines = err.lines();
    assert!(lines.next().unwrap().starts_with("tenure: the server's chunks are wrong: "), "{err}");
    assert_eq!(lines.next(), Some("Again in 1ms."), "{err}");
    assert!(lines.next().unwrap().ends_with("it answers 404, not 200 with events"), "{err}");
    serving.join().unwrap();
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn load_sends_messages_and_says_how_fast_they_came_back() {
    let echo = |cut: usize| {
        move |listener: &TcpListener| {
            for _ in 0..3 {
                let mut peer = Peer::accept(listener);
                thread::spawn(move || {
                    peer.open("");
                    while let Some(message) = peer.binary() {
                        peer.message(Opcode::Binary, &message[cut..]);
                    }
                });
            }
        }
    };
    let (address, _) = serve(echo(0));
    let (code, out, err) =
        run(&format!("load ws://{address}/echo --connections 3 --pipeline 4 --size 1 --messages 10"));
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert!(out.starts_with("all 30 messages of 1 byte came back, on 3 connections\n"), "{out}");
    assert!(out.contains(" messages per second: 30 in ") && out.contains(", 4 at once per connection\n"), "{out}");
    let (address, _) = serve(echo(1));
    let (code, out, err) = run(&format!("load ws://{address}/echo --messages 10"));
    assert_eq!(code, 1);
    assert!(!out.contains("came back") && out.contains(" messages per second: 10 in "), "{out}");
    assert_eq!(
        err,
        "tenure: 10 of 10 messages came back with another length; the first on connection 1 behind 0: 15 bytes instead of 16\n"
    );
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn load_says_what_ends_it() {
    let refused = answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let text = open(|peer| {
        peer.binary();
        peer.message(Opcode::Text, b"");
    });
    let closed = open(|peer| {
        peer.binary();
        peer.close(Some(1009), "");
    });
    let nobody = TcpListener::bind("127.78.0.4:0").unwrap().local_addr().unwrap();
    for (address, code, wanted) in [
        (refused, 4, format!("ws://{refused}/: connection 1 of 1: it answers 404, not 101 (Switching Protocols)")),
        (text.0, 4, format!("ws://{}/: connection 1 of 1: it answers text where bytes were sent", text.0)),
        (closed.0, 5, "connection 1 of 1, after 0 messages: the server has closed the WebSocket with 1009".to_owned()),
        (nobody, 3, format!("nothing listens at {nobody}")),
    ] {
        let (exit, out, err) = run(&format!("load ws://{address}"));
        assert_eq!((exit, &*out), (code, ""), "{err}");
        assert!(err.starts_with(&format!("tenure: {wanted}\n")), "{err}");
    }
}
