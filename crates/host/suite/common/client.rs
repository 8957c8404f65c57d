//! A small client: it sends what it is told and reads whole answers.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket, sockopt::set_socket_linger};

use super::PATIENCE;

/// A connection, and what of it has been received but not looked at.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    unread: Vec<u8>,
}

/// One response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of the first field of that name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("the body is text")
    }

    pub(crate) fn closes(&self) -> bool {
        self.field("connection") == Some("close")
    }
}

/// A POST of that body.
pub(crate) fn post(target: &str, body: &str) -> Vec<u8> {
    format!("POST {target} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// What opens a WebSocket at that target.
pub(crate) fn upgrade(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// A client's frame with that first byte: 0x81 begins and ends a text.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [7, 99, 201, 13];
    let mut frame = match payload.len() {
        length @ 0..126 => vec![first, 0x80 | length as u8],
        length => [&[first, 0xfe], &u16::try_from(length).expect("it is short").to_be_bytes()[..]].concat(),
    };
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

impl Client {
    /// Asks to open a WebSocket.
    pub(crate) fn upgrade(&mut self, target: &str) -> Answer {
        self.send(upgrade(target));
        self.answer()
    }

    /// Sends a message of text over a WebSocket.
    pub(crate) fn say(&mut self, text: &str) {
        self.send(frame(0x81, text.as_bytes()));
    }

    /// Reads a frame of the server's: its first byte and its payload.
    pub(crate) fn frame(&mut self) -> (u8, Vec<u8>) {
        let head = self.take(2);
        let length = match head[1] {
            126 => usize::from(u16::from_be_bytes(self.take(2).try_into().unwrap())),
            127 => u64::from_be_bytes(self.take(8).try_into().unwrap()) as usize,
            length => usize::from(length),
        };
        (head[0], self.take(length))
    }

    /// The text of the next frame.
    pub(crate) fn heard(&mut self) -> String {
        let (first, payload) = self.frame();
        assert_eq!(first, 0x81, "{payload:?}");
        String::from_utf8(payload).expect("text")
    }

    /// The close code of the next frame, behind which the server closes.
    pub(crate) fn expect_close(&mut self) -> u16 {
        let (first, payload) = self.frame();
        assert_eq!(first, 0x88, "{payload:?}");
        self.expect_end();
        u16::from_be_bytes(payload[..2].try_into().unwrap())
    }

    /// The next event of a stream.
    pub(crate) fn event(&mut self) -> String {
        self.take_until(b"\n\n")
    }

    pub(crate) fn connect(address: SocketAddr) -> Self {
        Client::of(TcpStream::connect(address).expect("the server listens"))
    }

    /// A client at another address of this machine.
    pub(crate) fn connect_from(source: [u8; 4], address: SocketAddr) -> Self {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        bind(&socket, &SocketAddr::from((source, 0))).expect("all of 127.0.0.0/8 is this machine");
        connect(&socket, &address).expect("the server listens");
        Client::of(socket.into())
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, unread: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server takes bytes");
    }

    pub(crate) fn add(&mut self, number: i64) -> i64 {
        self.send(post("/adder", &number.to_string()));
        self.sum()
    }

    /// The same at another target.
    pub(crate) fn add_at(&mut self, target: &str, number: i64) -> i64 {
        self.send(post(target, &number.to_string()));
        self.sum()
    }

    /// The answer to a POST that went well.
    pub(crate) fn sum(&mut self) -> i64 {
        let answer = self.answer();
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text().parse().expect("a sum")
    }

    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
        self.answer()
    }

    /// How many turns the worker has had that serves this connection.
    pub(crate) fn turns(&mut self) -> u64 {
        self.get("/turns").text().parse().expect("a number")
    }

    /// Receives some bytes; 0 at the end.
    fn receive(&mut self) -> usize {
        let mut bytes = [0; 16_384];
        let count = self.stream.read(&mut bytes).expect("the server answers or closes");
        self.unread.extend_from_slice(&bytes[..count]);
        count
    }

    fn receive_up_to(&mut self, bytes: usize) {
        while self.unread.len() < bytes {
            assert_ne!(
                self.receive(),
                0,
                "closed in the midst of a response: {:?}",
                String::from_utf8_lossy(&self.unread)
            );
        }
    }

    fn take(&mut self, bytes: usize) -> Vec<u8> {
        self.receive_up_to(bytes);
        let rest = self.unread.split_off(bytes);
        std::mem::replace(&mut self.unread, rest)
    }

    /// What stands before the next `end`, which is dropped.
    fn take_until(&mut self, end: &[u8]) -> String {
        let mut from = 0;
        let at = loop {
            if let Some(at) = self.unread[from..].windows(end.len()).position(|bytes| bytes == end) {
                break from + at;
            }
            from = self.unread.len().saturating_sub(end.len() - 1);
            self.receive_up_to(self.unread.len() + 1);
        };
        let text = self.take(at);
        self.take(end.len());
        String::from_utf8(text).expect("text")
    }

    /// Reads one whole response.
    pub(crate) fn answer(&mut self) -> Answer {
        let head = self.take_until(b"\r\n\r\n");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let mut answer = Answer { status, head, body: Vec::new() };
        if answer.field("transfer-encoding") == Some("chunked") {
            loop {
                let size = usize::from_str_radix(&self.take_until(b"\r\n"), 16).expect("a size");
                answer.body.extend(self.take(size));
                assert_eq!(self.take(2), b"\r\n");
                if size == 0 {
                    return answer;
                }
            }
        }
        let length = answer.field("content-length").map_or(0, |length| length.parse().expect("a length"));
        answer.body = self.take(length);
        answer
    }

    /// Sends a request and reads the response as it comes; to HEAD, and of a status without content, its head alone.
    pub(crate) fn raw(&mut self, request: &str) -> Vec<u8> {
        self.send(request);
        let head = self.take_until(b"\r\n\r\n");
        let mut answer = Answer { status: 0, head, body: Vec::new() };
        let is_head = request.starts_with("HEAD ") || answer.head.get(9..12) == Some("304");
        let length = answer.field("content-length").filter(|_| !is_head);
        let length = length.map_or(0, |length| length.parse().expect("a length"));
        answer.body = self.take(length);
        [answer.head.as_bytes(), b"\r\n\r\n", &answer.body].concat()
    }

    /// Waits until something has been received.
    pub(crate) fn wait_for_bytes(&mut self) {
        self.receive_up_to(1);
    }

    /// Waits for the server's close, with nothing before it.
    pub(crate) fn expect_end(&mut self) {
        assert!(self.unread.is_empty(), "something unread: {:?}", String::from_utf8_lossy(&self.unread));
        assert_eq!(self.receive(), 0, "something came: {:?}", String::from_utf8_lossy(&self.unread));
    }

    /// Waits for a close or a reset; what comes before is dropped.
    pub(crate) fn expect_gone(&mut self) {
        loop {
            match self.stream.read(&mut [0; 16_384]) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Closes the sending side.
    pub(crate) fn shut(&self) {
        self.stream.shutdown(Shutdown::Write).expect("the connection is there");
    }

    /// Closes with a reset.
    pub(crate) fn reset(self) {
        set_socket_linger(&self.stream, Some(Duration::ZERO)).unwrap();
    }
}
