//! WebSocket: RFC 6455.

mod client;
mod handshake;
mod model;
mod vectors;

use std::fmt::Write as _;
use tenure_proto::websocket::{Data, Found, MessageLimits, MessageReader, Sender, Server, Violation};

/// What becomes of a client's pieces, received one after the other: messages in one, however they were told.
fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: &MessageLimits) -> Vec<String> {
    events_of(MessageReader::new(), pieces, limits)
}

/// What becomes of a server's.
fn events_of_server<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: &MessageLimits) -> Vec<String> {
    events_of::<Server>(MessageReader::of_server(), pieces, limits)
}

fn events_of<'a, S: Sender>(
    reader: MessageReader<S>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &MessageLimits,
) -> Vec<String> {
    let mut connection = Connection { reader, message: Vec::new(), bytes: Vec::new(), events: Vec::new() };
    for piece in pieces {
        connection.bytes.extend_from_slice(piece);
        if let Err(violation) = connection.received(limits) {
            let again = connection.reader.read(&mut [], limits);
            assert_eq!(again, Err(violation), "a violation is final");
            connection.events.push(format!("violation {} {violation:?}", violation.close_code()));
            return connection.events;
        }
    }
    let is_between = connection.reader.is_between() || connection.reader.is_closed();
    if !is_between || !connection.bytes.is_empty() {
        connection.events.push("partial".into());
    }
    connection.events
}

/// A connection's end without I/O: bytes in, events out.
struct Connection<S> {
    reader: MessageReader<S>,
    /// Of the message that has begun.
    message: Vec<u8>,
    /// Received and not used.
    bytes: Vec<u8>,
    events: Vec<String>,
}

impl<S: Sender> Connection<S> {
    fn received(&mut self, limits: &MessageLimits) -> Result<(), Violation> {
        loop {
            let before = self.bytes.clone();
            let found = self.reader.read(&mut self.bytes, limits)?;
            let used = found.used();
            match found {
                Found::Partial { .. } => {}
                Found::Data { data, is_first, is_last, .. } => {
                    assert_eq!(is_first, self.message.is_empty(), "the first part is told as such");
                    assert!(is_last || !data.as_bytes().is_empty(), "a part has at least one byte");
                    self.message.extend_from_slice(data.as_bytes());
                    match data {
                        Data::Text(text) => {
                            assert!(is_first && is_last, "{text:?} is told as a whole");
                            self.events.push(format!("text \"{}\"", visible_text(text)));
                        }
                        Data::TextPart(_) if is_last => {
                            assert!(!is_first, "a whole text is told as text");
                            let text = str::from_utf8(&self.message).expect("text is UTF-8");
                            self.events.push(format!("text \"{}\"", visible_text(text)));
                        }
                        Data::TextPart(_) => {
                            let error = str::from_utf8(&self.message).err().and_then(|error| error.error_len());
                            assert_eq!(error, None, "parts are the front of a text");
                        }
                        Data::Binary(_) if is_last => {
                            self.events.push(format!("binary \"{}\"", visible(&self.message)));
                        }
                        Data::Binary(_) => {}
                    }
                    if is_last {
                        self.message.clear();
                    }
                    assert_eq!(self.reader.is_between(), is_last);
                }
                Found::Ping { payload, .. } => self.events.push(format!("ping \"{}\"", visible(payload))),
                Found::Pong { payload, .. } => self.events.push(format!("pong \"{}\"", visible(payload))),
                Found::Close { close, .. } => {
                    let code = close.code.map_or("none".into(), |code| code.to_string());
                    self.events.push(format!("close {code} \"{}\"", visible_text(close.reason)));
                    assert!(self.reader.is_closed());
                }
            }
            let is_partial = matches!(found, Found::Partial { .. });
            assert!(self.bytes[used..] == before[used..], "what is not used stays as it is");
            self.bytes.drain(..used);
            if is_partial {
                return Ok(());
            }
        }
    }
}

/// Bytes as the vectors write them.
fn visible(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => write!(text, "\\x{byte:02x}").unwrap(),
        }
    }
    text
}

/// Text as the vectors write it.
fn visible_text(text: &str) -> String {
    let visible = |letter: char| match letter {
        '\0'..='\x7f' => visible(&[letter as u8]),
        _ => letter.escape_unicode().to_string(),
    };
    text.chars().map(visible).collect()
}

/// A client's frame: its first byte, its payload and its key.
fn frame(first: u8, payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            bytes.push(0xfe);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0xff);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(key);
    bytes.extend(payload.iter().enumerate().map(|(index, byte)| byte ^ key[index % 4]));
    bytes
}

/// The same frame as a server sends it: without a key.
fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame(first, payload, [0; 4]);
    bytes.truncate(bytes.len() - payload.len() - 4);
    bytes[1] &= 0x7f;
    bytes.extend(payload);
    bytes
}

/// Bounds that nothing here meets.
const WIDE: MessageLimits =
    MessageLimits { message_bytes_max: 1 << 20, fragments_max: 1000, controls_max: 1000, whole_bytes_max: 0 };
