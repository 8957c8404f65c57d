//! A client of the adder that reads whole answers.

use std::{
    io::{Error, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long an answer may take; only a hang takes so long.
const PATIENCE: Duration = Duration::from_mins(1);

/// A small POST, head and body.
pub(crate) const HEAD: &[u8] = b"POST /adder HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Length: 1\r\n\r\n";
/// Its body.
pub(crate) const BODY: &[u8] = b"1";

/// One connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { stream, received: Vec::new() })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stream.write_all(bytes)
    }

    /// Sends a small POST and reads its answer.
    pub(crate) fn add(&mut self) -> Result<(), Error> {
        self.send(&[HEAD, BODY].concat())?;
        self.expect(200)
    }

    /// Reads one response, whose status must be that.
    pub(crate) fn expect(&mut self, status: u16) -> Result<(), Error> {
        let (found, _) = self.answer()?;
        if found == status { Ok(()) } else { Err(Error::other(format!("answered {found}, not {status}"))) }
    }

    /// Reads one response: its status and its body.
    pub(crate) fn answer(&mut self) -> Result<(u16, Vec<u8>), Error> {
        let (head, body) = self.response()?;
        let status = status_of(&head).ok_or_else(|| Error::other(format!("no response: {head:?}")))?;
        Ok((status, body))
    }

    /// Reads one response: its head, with the empty line, and its body.
    pub(crate) fn response(&mut self) -> Result<(String, Vec<u8>), Error> {
        loop {
            if let Some((head, to)) = parse(&self.received) {
                let body = self.received[head.len()..to].to_vec();
                let head = head.to_owned();
                self.received.drain(..to);
                return Ok((head, body));
            }
            let mut bytes = [0; 16_384];
            match self.stream.read(&mut bytes)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => self.received.extend_from_slice(&bytes[..count]),
            }
        }
    }

    /// Whatever comes next, a byte at least.
    pub(crate) fn some(&mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; 4_096];
        match self.stream.read(&mut bytes)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                bytes.truncate(count);
                Ok(bytes)
            }
        }
    }

    /// Waits for the server's close with nothing before it.
    pub(crate) fn expect_end(&mut self) -> Result<(), Error> {
        match self.stream.read(&mut [0; 1])? {
            0 if self.received.is_empty() => Ok(()),
            _ => Err(Error::other("bytes behind the last response")),
        }
    }
}

/// The head of a response that is here whole, and where its body ends.
fn parse(bytes: &[u8]) -> Option<(&str, usize)> {
    let end = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let head = str::from_utf8(&bytes[..end]).ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let length: usize = length.map_or(Some(0), |length| length.parse().ok())?;
    (bytes.len() >= end + length).then_some((head, end + length))
}

fn status_of(head: &str) -> Option<u16> {
    head.split(' ').nth(1)?.parse().ok()
}
