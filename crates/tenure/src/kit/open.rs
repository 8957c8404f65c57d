//! Clients of what stays open.

use alloc::{format, string::String, vec::Vec};
use core::cell::RefCell;

use super::{Client, Server};
use crate::{CloseCode, ConnectionId, Session};

/// What a [`WebSocket`] of the kit has received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message of text.
    Text(String),
    /// A message of bytes.
    Binary(Vec<u8>),
    /// A ping, with its payload.
    Ping(Vec<u8>),
    /// A pong, with its payload.
    Pong(Vec<u8>),
    /// The close of the other side: its code, 1005 where it gives none, and the reason.
    Close(u16, String),
}

/// A client of the kit's server that speaks WebSocket. It answers nothing by itself, so that a test sees all there is.
#[derive(Debug)]
pub struct WebSocket {
    client: Client,
    /// What has come of a frame.
    partial: RefCell<Vec<u8>>,
}

const MASK: [u8; 4] = [7, 99, 201, 13];

/// A frame of a client's: its first byte (0x81 begins and ends a text), and its payload.
pub fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = alloc::vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..65_536 => {
            frame.push(0xfe);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0xff);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

impl WebSocket {
    /// Sends a message of text. The server sees it in its next [`Server::run`].
    pub fn say(&self, text: &str) {
        self.client.send(client_frame(0x81, text.as_bytes()));
    }

    /// Sends a message of bytes.
    pub fn say_bytes(&self, bytes: &[u8]) {
        self.client.send(client_frame(0x82, bytes));
    }

    /// Closes from this side.
    pub fn close(&self, code: CloseCode) {
        self.client.send(client_frame(0x88, &code.code().to_be_bytes()));
    }

    /// Takes what has been received since the last call.
    ///
    /// # Panics
    /// When it is not what a server may send.
    pub fn heard(&self) -> Vec<Heard> {
        let mut bytes = self.partial.borrow_mut();
        bytes.extend(self.client.received());
        let (mut heard, mut at) = (Vec::new(), 0);
        while let Some((frame, end)) = frame(&bytes, at) {
            heard.push(frame);
            at = end;
        }
        bytes.drain(..at);
        heard
    }

    /// The texts of what has been received since the last call.
    ///
    /// # Panics
    /// When something else has been received.
    pub fn texts(&self) -> Vec<String> {
        let text = |heard| match heard {
            Heard::Text(text) => text,
            other => panic!("{other:?} is no text"),
        };
        self.heard().into_iter().map(text).collect()
    }

    /// The connection below it: to send bytes as they are, to reset it, to be slow.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The connection's id.
    ///
    /// # Panics
    /// Never: it has been accepted.
    pub fn id(&self) -> ConnectionId {
        self.client.id().expect("it has been accepted")
    }
}

/// The frame at that place, and its end.
fn frame(bytes: &[u8], at: usize) -> Option<(Heard, usize)> {
    let (&first, rest) = bytes.get(at..)?.split_first()?;
    let (&second, rest) = rest.split_first()?;
    let (length, head) = match second {
        126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*rest.first_chunk()?), 10),
        128.. => panic!("a server's frame is masked"),
        length => (u64::from(length), 2),
    };
    let end = at + head + length as usize;
    let payload = bytes.get(at + head..end)?.to_vec();
    let text = |bytes| String::from_utf8(bytes).expect("text is UTF-8");
    let heard = match first {
        0x81 => Heard::Text(text(payload)),
        0x82 => Heard::Binary(payload),
        0x88 => {
            let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
            Heard::Close(code, text(payload.get(2..).unwrap_or_default().to_vec()))
        }
        0x89 => Heard::Ping(payload),
        0x8a => Heard::Pong(payload),
        other => panic!("a frame begins with {other:#x}"),
    };
    Some((heard, end))
}

impl<S: Session + 'static> Server<S> {
    /// Connects a client and opens a WebSocket at that target.
    ///
    /// # Panics
    /// When the server does not open it: the message has its answer.
    pub fn websocket(&mut self, target: &str) -> WebSocket {
        let client = self.connect();
        client.send(format!(
            "GET {target} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ));
        self.run();
        let received = client.received();
        let head = received.windows(4).position(|end| end == b"\r\n\r\n").map_or(received.len(), |at| at + 4);
        let text = String::from_utf8_lossy(&received[..head]);
        let opens = text.starts_with("HTTP/1.1 101 ") && text.contains("Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
        assert!(opens, "no WebSocket: {text}");
        WebSocket { client, partial: RefCell::new(received[head..].to_vec()) }
    }

    /// Connects a client and opens a stream of events at that target. What it receives from now on are events.
    ///
    /// # Panics
    /// When the server does not open it: the message has its answer.
    pub fn event_stream(&mut self, target: &str) -> Client {
        let client = self.connect();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n"));
        self.run();
        let received = client.received();
        let head = received.windows(4).position(|end| end == b"\r\n\r\n").map_or(received.len(), |at| at + 4);
        let text = String::from_utf8_lossy(&received[..head]);
        let opens = text.starts_with("HTTP/1.1 200 ") && text.contains("Content-Type: text/event-stream\r\n");
        assert!(opens, "no stream of events: {text}");
        client.put_back(&received[head..]);
        client
    }
}
