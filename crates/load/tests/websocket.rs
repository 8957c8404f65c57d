//! WebSockets under load: an echo made of the protocol's pieces, and servers that each do one thing wrong.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Duration,
};

use tenure_load::{Echo, Failure, Load, Opening, Plan, Report, Until, WebSocket, Why, Wrong};
use tenure_proto::{
    head::{HeadLimits, HeadParser},
    websocket::{Close, CloseCode, Found, Handshake, MessageLimits, MessageReader, Opcode, frame, handshake},
};

const PATIENCE: Duration = Duration::from_secs(60);
const LIMITS: MessageLimits =
    MessageLimits { message_bytes_max: 1 << 20, fragments_max: 9, controls_max: u16::MAX, whole_bytes_max: 1 << 20 };

/// A server's end of a WebSocket.
struct Peer {
    stream: TcpStream,
    bytes: Vec<u8>,
    reader: MessageReader,
}

impl Peer {
    /// Answers the request with a WebSocket, and what is sent right behind that.
    fn open(mut stream: TcpStream, behind: &[u8]) -> Option<Self> {
        stream.set_nodelay(true).unwrap();
        let limits = HeadLimits { head_bytes_max: 4_096, target_bytes_max: 1_024, tolerate_lone_lf: false };
        let (mut parser, mut bytes) = (HeadParser::new(), vec![0; 4_096]);
        let mut received = 0;
        let head = loop {
            let count = stream.read(&mut bytes[received..]).ok().filter(|count| *count > 0)?;
            received += count;
            if let Some(head) = parser.parse(&bytes[..received], &limits).unwrap() {
                break head;
            }
        };
        assert_eq!(head.target.of(&bytes), b"/echo?a");
        let accept = Handshake::read(&head, &bytes).unwrap().accept();
        stream.write_all(&[handshake::SWITCHING, &accept, b"\r\n\r\n", behind].concat()).unwrap();
        Some(Peer { stream, bytes: Vec::new(), reader: MessageReader::new() })
    }

    /// The bytes of the next message; `None`: there is none. Control frames but pongs are no client's of these.
    fn message(&mut self) -> Option<Vec<u8>> {
        loop {
            let found = self.reader.read(&mut self.bytes, &LIMITS).unwrap();
            let used = found.used();
            let message = match found {
                Found::Data { data, is_last: true, .. } => Some(data.as_bytes().to_vec()),
                Found::Pong { payload, .. } => Some([b"pong ", payload].concat()),
                Found::Partial { .. } => None,
                other => panic!("{other:?}"),
            };
            self.bytes.drain(..used);
            if message.is_some() {
                return message;
            }
            let mut bytes = [0; 16_384];
            let count = self.stream.read(&mut bytes).ok().filter(|count| *count > 0)?;
            self.bytes.extend_from_slice(&bytes[..count]);
        }
    }

    fn send(&mut self, opcode: Opcode, is_last: bool, payload: &[u8]) {
        let head = frame::head(opcode, is_last, payload.len() as u64);
        // One that is not read any more is the client's affair.
        let _ = self.stream.write_all(&[head.as_bytes(), payload].concat());
    }
}

/// Serves each WebSocket in a thread of its own.
fn serve(serve: impl Fn(&mut Peer) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let serve = serve.clone();
            thread::spawn(move || Peer::open(stream, b"").map(|mut peer| serve(&mut peer)));
        }
    });
    address
}

/// Answers a request for a WebSocket with these bytes.
fn answer(said: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, said) = (listener.local_addr().unwrap(), said.to_owned());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4_096]).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
    });
    address
}

fn open(
    address: SocketAddr,
    (connections, pipeline): (u32, u32),
    bytes: u32,
    timeout: Duration,
) -> Result<Load<Echo, WebSocket>, Failure> {
    let opening = Opening { authority: "a".into(), target: "/echo?a".into() };
    Load::open(&Plan { address, connections, pipeline, timeout: Some(timeout) }, &opening, Echo::new(bytes))
}

fn run(address: SocketAddr, shape: (u32, u32), bytes: u32, messages: u64) -> Result<Report, Failure> {
    open(address, shape, bytes, PATIENCE)?.run(Until::Each(messages), |_| ())
}

#[test]
fn every_message_comes_back() {
    let address = serve(|peer| {
        while let Some(message) = peer.message() {
            peer.send(Opcode::Binary, true, &message);
        }
    });
    for (connections, pipeline, bytes, messages) in
        [(1, 1, 16, 10), (1, 1, 0, 3), (65, 1, 1, 2), (3, 16, 125, 40), (2, 4, 126, 9), (1, 2, 70_000, 4), (2, 0, 5, 3)]
    {
        let report = run(address, (connections, pipeline), bytes, messages).unwrap();
        let case = format!("{connections} connections, {pipeline} at once, {bytes} bytes");
        assert_eq!((report.answers, report.wrong), (messages * u64::from(connections), 0), "{case}");
        assert!(report.rate() > 0.0 && report.percentile(50.0) <= report.latency_max(), "{case}");
    }
}

#[test]
fn what_is_sent_is_what_was_meant() {
    let address = serve(|peer| {
        while let Some(message) = peer.message() {
            let wanted: Vec<u8> = (0..300_u32).map(|index| index as u8).collect();
            peer.send(Opcode::Binary, true, if message == wanted { &message } else { b"" });
        }
    });
    assert_eq!(run(address, (1, 1), 300, 2).unwrap().wrong, 0);
}

#[test]
fn fragments_are_one_message_and_pings_are_answered() {
    let address = serve(|peer| {
        while let Some(message) = peer.message() {
            let (front, back) = message.split_at(5);
            peer.send(Opcode::Binary, false, front);
            peer.send(Opcode::Ping, true, b"life?");
            assert_eq!(peer.message().unwrap(), b"pong life?");
            peer.send(Opcode::Pong, true, b"nobody asked");
            peer.send(Opcode::Continuation, false, b"");
            peer.send(Opcode::Continuation, true, back);
        }
    });
    let report = run(address, (2, 1), 16, 5).unwrap();
    assert_eq!((report.answers, report.wrong), (10, 0));
}

#[test]
fn other_lengths_are_counted_and_the_first_is_told() {
    let address = serve(|peer| {
        for number in 0.. {
            let Some(message) = peer.message() else { break };
            peer.send(Opcode::Binary, true, &message[usize::from(number > 1)..]);
        }
    });
    let report = run(address, (1, 1), 16, 5).unwrap();
    assert_eq!((report.answers, report.wrong), (5, 3));
    assert_eq!(report.first_wrong, Some(Wrong { connection: 0, index: 2, answered: 15, wanted: 16 }));
}

/// A server that sends each message to all of so many WebSockets, once they are there.
fn room(size: usize, cut: usize) -> SocketAddr {
    let everybody = Arc::new((Mutex::new(Vec::<TcpStream>::new()), Condvar::new()));
    serve(move |peer| {
        let (streams, arrived) = &*everybody;
        streams.lock().unwrap().push(peer.stream.try_clone().unwrap());
        arrived.notify_all();
        while let Some(message) = peer.message() {
            let streams = arrived.wait_while(streams.lock().unwrap(), |streams| streams.len() < size).unwrap();
            for (number, mut stream) in streams.iter().enumerate() {
                let payload = &message[if number == 1 { cut } else { 0 }..];
                let head = frame::head(Opcode::Binary, true, payload.len() as u64);
                stream.write_all(&[head.as_bytes(), payload].concat()).unwrap();
            }
        }
    })
}

#[test]
fn one_sends_and_all_receive() {
    for (connections, pipeline, rounds) in [(1, 1, 3), (5, 1, 4), (3, 4, 2), (2, 0, 1), (2, 1, 0)] {
        let address = room(connections as usize, 0);
        let mut load = open(address, (connections, pipeline), 16, PATIENCE).unwrap();
        let messages = rounds * u64::from(connections) * u64::from(pipeline.max(1));
        for _ in 0..2 {
            let mut told = 0;
            let report = load.run_rounds(Until::Each(rounds), |answers| told = answers).unwrap();
            assert_eq!((report.answers, report.wrong, told), (messages, 0, messages), "{connections}, {pipeline}");
        }
    }
    let mut load = open(room(2, 0), (2, 1), 16, PATIENCE).unwrap();
    let report = load.run_rounds(Until::Time(Duration::from_millis(5)), |_| ()).unwrap();
    assert!(report.answers >= 2 && report.answers.is_multiple_of(2), "{report:?}");
    let report = open(room(3, 1), (3, 1), 16, PATIENCE).unwrap().run_rounds(Until::Each(2), |_| ()).unwrap();
    assert_eq!((report.answers, report.wrong), (6, 2));
    // One that gets nothing is late.
    let echo = serve(|peer| {
        while let Some(message) = peer.message() {
            peer.send(Opcode::Binary, true, &message);
        }
    });
    let mut load = open(echo, (2, 1), 0, Duration::from_secs(2)).unwrap();
    let failure = load.run_rounds(Until::Each(1), |_| ()).unwrap_err();
    assert!(matches!(failure, Failure { connection: 1, answers: 0, why: Why::Late(_) }), "{failure:?}");
}

#[test]
fn what_is_no_echo_ends_the_load() {
    let close = Close { code: Some(CloseCode::TOO_LONG), reason: "no\x1b!" };
    for (bytes, wanted) in [
        (frame::head(Opcode::Text, true, 0).as_bytes().to_vec(), "it answers text where bytes were sent"),
        (b"\x82\x00\x82\x00".to_vec(), "it answers more than was asked"),
        (b"\x82\x80\0\0\0\0".to_vec(), "it breaks the protocol: frames of a server must not be masked"),
        (close.frame().as_bytes().to_vec(), "the server has closed the WebSocket with 1009: no\\u{1b}!"),
        (b"\x88\x00".to_vec(), "the server has closed the WebSocket"),
        (b"".to_vec(), "the server has closed the connection"),
    ] {
        let address = serve(move |peer| {
            peer.message();
            peer.stream.write_all(&bytes).unwrap();
        });
        let failure = run(address, (1, 1), 0, 3).unwrap_err();
        assert!(failure.to_string().ends_with(wanted), "{wanted}: {failure}");
    }
}

#[test]
fn what_opens_no_websocket_is_said() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    for (said, wanted) in [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "it answers 404"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "it answers 200"),
        ("SSH-2.0\r\n", "it does not speak HTTP"),
        ("", "the server has closed the connection"),
        ("HTTP/1.1 101 Switching Protocols\r\n", "the server has closed the connection"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "there is no Upgrade: websocket"),
        (&format!("{switching}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"), "does not fit the key"),
        (&format!("HTTP/1.1 101 A\r\nB: {}", "x".repeat(20_000)), "the head of its answer has no end"),
    ] {
        let failure = open(answer(said), (1, 1), 0, PATIENCE).err().unwrap();
        assert!(failure.to_string().contains(wanted), "{wanted}: {failure}");
    }
}

#[test]
fn an_unanswered_opening_and_nobody_there() {
    // It is accepted by the kernel and answered by nobody.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let late = open(listener.local_addr().unwrap(), (2, 1), 0, Duration::from_millis(20)).err().unwrap();
    assert!(matches!(late, Failure { connection: 0, answers: 0, why: Why::Late(_) }), "{late:?}");
    let address = TcpListener::bind("127.79.0.2:0").unwrap().local_addr().unwrap();
    let refused = open(address, (1, 1), 0, PATIENCE).err().unwrap();
    assert!(matches!(refused.why, Why::Unreachable(at, _) if at == address), "{refused:?}");
}

#[test]
fn what_comes_with_the_answer_is_not_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        // The front of a message that the client has not asked for yet: its rest is the answer.
        let mut peer = Peer::open(listener.accept().unwrap().0, b"\x02\x01a").unwrap();
        peer.message().unwrap();
        peer.send(Opcode::Continuation, true, b"bc");
        assert_eq!(peer.message(), None);
    });
    assert_eq!(run(address, (1, 1), 3, 1).unwrap().wrong, 0);
}
