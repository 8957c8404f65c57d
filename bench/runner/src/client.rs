//! A blocking client that reads whole answers.

use std::{
    io::{Error, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long an answer may take; only a hang takes so long.
const PATIENCE: Duration = Duration::from_mins(1);

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

    /// Sends a request and reads its answer's body.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<String, Error> {
        self.send(request)?;
        self.answer()
    }

    /// Reads the body of an answer whose status is 200.
    pub(crate) fn answer(&mut self) -> Result<String, Error> {
        loop {
            if let Some((status, from, to)) = parse(&self.received) {
                let body = String::from_utf8_lossy(&self.received[from..to]).into_owned();
                self.received.drain(..to);
                return if status == 200 { Ok(body) } else { Err(Error::other(format!("answered {status}: {body}"))) };
            }
            let mut bytes = [0; 16_384];
            match self.stream.read(&mut bytes)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => self.received.extend_from_slice(&bytes[..count]),
            }
        }
    }
}

/// The status of an answer that is here whole, and where its body begins and ends.
fn parse(bytes: &[u8]) -> Option<(u16, usize, usize)> {
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")?;
    let text = str::from_utf8(&bytes[..head]).ok()?;
    let status = text.split(' ').nth(1)?.parse().ok()?;
    let length = text.lines().filter_map(|line| line.split_once(':'));
    let length = length.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.map_or(Some(0), |(_, length)| length.trim().parse().ok())?;
    let (from, to) = (head + 4, head + 4 + length);
    (bytes.len() >= to).then_some((status, from, to))
}
