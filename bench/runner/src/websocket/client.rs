//! A blocking client that compares what comes back with what it has sent.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use tenure_proto::websocket::{
    Found, Mask, MessageLimits, MessageReader, Opcode, Server, Violation,
    client::{self, Key},
};

use crate::Failure;

/// How long an answer may take; only a hang takes so long.
const PATIENCE: Duration = Duration::from_secs(10);
const LIMITS: MessageLimits =
    MessageLimits { message_bytes_max: 1 << 20, fragments_max: 64, controls_max: 64, whole_bytes_max: 1 << 20 };
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(super) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
    reader: MessageReader<Server>,
}

impl Client {
    pub(super) fn open(address: SocketAddr, target: &str) -> Result<Self, Failure> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let key = Key::new([7; 16]);
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {}\r\n\r\n",
            key.as_str()
        );
        stream.write_all(request.as_bytes())?;
        let mut client = Client { stream, received: Vec::new(), reader: MessageReader::of_server() };
        let end = loop {
            if let Some(end) = client.received.windows(4).position(|end| end == b"\r\n\r\n") {
                break end + 4;
            }
            client.receive()?;
        };
        let head: Vec<u8> = client.received.drain(..end).collect();
        let mut lines = str::from_utf8(&head)?.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
        let fields = lines.filter_map(|line| line.split_once(':'));
        let fields = fields.map(|(name, value)| (name, value.trim().as_bytes()));
        key.check(status, fields, &[]).map_err(|fault| format!("its answer opens no WebSocket: {}", fault.reason()))?;
        Ok(client)
    }

    pub(super) fn send(&mut self, payload: &[u8]) -> Result<(), Failure> {
        Ok(self.stream.write_all(&frame(payload))?)
    }

    /// Receives that message.
    pub(super) fn expect(&mut self, wanted: &[u8]) -> Result<(), Failure> {
        loop {
            let found = self.reader.read(&mut self.received, &LIMITS).map_err(Violation::reason)?;
            let used = found.used();
            match found {
                Found::Data { data, is_last: true, .. } if data.as_bytes() == wanted => {
                    self.received.drain(..used);
                    return Ok(());
                }
                Found::Partial { .. } => {}
                other => return Err(format!("{} bytes were sent, and {other:?} came", wanted.len()).into()),
            }
            self.received.drain(..used);
            self.receive()?;
        }
    }

    /// Sends a message of so many bytes that must come back.
    pub(super) fn expect_back(&mut self, bytes: usize) -> Result<(), Failure> {
        let payload = payload(bytes);
        self.send(&payload)?;
        self.expect(&payload)
    }

    /// The same of so many in one segment.
    pub(super) fn expect_pipelined(&mut self, count: usize) -> Result<(), Failure> {
        let frames: Vec<u8> = (1..=count).flat_map(|bytes| frame(&payload(bytes))).collect();
        self.stream.write_all(&frames)?;
        (1..=count).try_for_each(|bytes| self.expect(&payload(bytes)))
    }

    /// The same of one whose frame is sent in two segments.
    pub(super) fn expect_in_two(&mut self) -> Result<(), Failure> {
        let frame = frame(&payload(200));
        let (front, back) = frame.split_at(100);
        self.stream.write_all(front)?;
        self.stream.write_all(back)?;
        self.expect(&payload(200))
    }

    fn receive(&mut self) -> Result<(), Failure> {
        let mut bytes = [0; 16_384];
        match self.stream.read(&mut bytes)? {
            0 => Err(Failure::from(std::io::Error::from(ErrorKind::UnexpectedEof))),
            count => {
                self.received.extend_from_slice(&bytes[..count]);
                Ok(())
            }
        }
    }
}

fn payload(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * 7) as u8).collect()
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut masked = payload.to_vec();
    Mask::new(KEY).apply(&mut masked);
    [client::head(Opcode::Binary, true, payload.len() as u64, KEY).as_bytes(), &masked].concat()
}
