//! A small client: it sends what it is told and reads whole answers.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use rustix::net::sockopt::set_socket_linger;

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

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
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
