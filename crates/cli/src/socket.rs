//! A WebSocket of a client: RFC 6455. One thread hears, another one writes, so that neither waits for the other.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io::{self, ErrorKind, Read as _, Write},
    net::{Shutdown, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tenure_proto::websocket::{
    Close, CloseCode, Data, Found, Mask, MessageLimits, MessageReader, Opcode, Server,
    client::{self, Key},
};

use crate::{
    answer::Shown,
    opening::{Failure, Opened, broken_off},
    url::Url,
};

/// Messages are printed as they come, so nothing bounds them.
const LIMITS: MessageLimits =
    MessageLimits { message_bytes_max: u64::MAX, fragments_max: u16::MAX, controls_max: u16::MAX, whole_bytes_max: 0 };
const RECEIVED_BYTES: usize = 65_536;
/// Bytes that wait to be written, above which the next line waits, too.
const QUEUED_BYTES_MAX: usize = 1 << 20;
/// Bytes of a binary message that are shown.
const SHOWN_BYTES: usize = 32;

/// A WebSocket that is open.
pub(crate) struct Socket {
    stream: TcpStream,
    /// What has been received and not read.
    received: Vec<u8>,
    reader: MessageReader<Server>,
    timeout: Option<Duration>,
    outbox: Outbox,
    writer: JoinHandle<()>,
}

/// How a WebSocket has ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By the server's close frame.
    Closed { code: Option<u16>, reason: String },
    /// Nothing can be printed any more.
    Unwritten(io::Error),
}

impl Socket {
    /// Opens the WebSocket at that URL, offering these subprotocols.
    pub(crate) fn open(url: &Url, protocols: &[String], timeout: Option<Duration>) -> Result<Self, Failure> {
        let key = Key::new(((u128::from(random()) << 64) | u128::from(random())).to_ne_bytes());
        let mut fields = format!(
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n",
            key.as_str()
        );
        if !protocols.is_empty() {
            let _ = write!(fields, "Sec-WebSocket-Protocol: {}\r\n", protocols.join(", "));
        }
        let opened = Opened::ask(url, &fields, timeout)?;
        if opened.head.status != 101 {
            return Err(opened.refused(url, "101 (Switching Protocols)"));
        }
        let offered: Vec<&str> = protocols.iter().map(String::as_str).collect();
        key.check(101, opened.head.fields(), &offered).map_err(|fault| {
            let why = format!("its answer opens no WebSocket: {}", fault.reason());
            Failure::Other { url: url.clone(), why }
        })?;
        let (stream, received) = opened.into_parts()?;
        let written = stream.try_clone().map_err(|error| broken_off(error.to_string()))?;
        let outbox = Outbox::default();
        let writer = thread::spawn({
            let outbox = outbox.clone();
            move || outbox.write(written)
        });
        Ok(Socket { stream, received, reader: MessageReader::of_server(), timeout, outbox, writer })
    }

    /// What other threads send with.
    pub(crate) fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// Another handle of the socket.
    pub(crate) fn stream(&self) -> io::Result<TcpStream> {
        self.stream.try_clone()
    }

    /// Prints each message to `out` until the WebSocket ends; answers pings and the close.
    pub(crate) fn hear(mut self, out: &mut dyn Write) -> Result<Ended, Failure> {
        let mut out = io::BufWriter::new(out);
        let mut printer = Printer::default();
        let ended = loop {
            match self.turn(&mut printer, &mut out) {
                Ok(None) => {}
                Ok(Some(ended)) => break Ok(ended),
                Err(failure) => break Err(failure),
            }
        };
        // What was heard of an unfinished message stands, too.
        let flushed = printer.end(&mut out).and_then(|()| out.flush());
        self.outbox.end();
        // The close frame is out then, or cannot be written.
        let _ = self.writer.join();
        if let Ok(Ended::Closed { .. }) = ended {
            drain(&self.stream, self.timeout);
        }
        match flushed {
            Err(error) if ended.is_ok() => Ok(Ended::Unwritten(error)),
            _ => ended,
        }
    }

    /// Reads what is there, else receives more.
    fn turn(&mut self, printer: &mut Printer, out: &mut impl Write) -> Result<Option<Ended>, Failure> {
        let mut at = 0;
        loop {
            let found = self.reader.read(&mut self.received[at..], &LIMITS);
            let found = found.map_err(|violation| {
                self.outbox.close(&Close { code: Some(violation.close_code()), reason: violation.reason() });
                broken_off(format!("the server breaks the protocol: {}", violation.reason()))
            })?;
            at += found.used();
            match found {
                Found::Partial { .. } => break,
                Found::Data { data, is_last, .. } => {
                    if let Err(error) = printer.print(data, is_last, out) {
                        self.outbox.close(&Close { code: Some(CloseCode::GOING_AWAY), reason: "" });
                        return Ok(Some(Ended::Unwritten(error)));
                    }
                }
                Found::Ping { payload, .. } => {
                    let pong = client::pong(payload, key());
                    self.outbox.push(pong.map(|pong| pong.as_bytes().to_vec()).unwrap_or_default());
                }
                Found::Pong { .. } => {}
                Found::Close { close, .. } => {
                    // RFC 6455 section 5.5.1: the answer has the code that it was asked with.
                    self.outbox.close(&Close { code: close.code, reason: "" });
                    let reason = Shown(close.reason.as_bytes()).to_string();
                    return Ok(Some(Ended::Closed { code: close.code.map(CloseCode::code), reason }));
                }
            }
        }
        self.received.drain(..at);
        if let Err(error) = out.flush() {
            self.outbox.close(&Close { code: Some(CloseCode::GOING_AWAY), reason: "" });
            return Ok(Some(Ended::Unwritten(error)));
        }
        // The bound of control frames is one of a server's: what comes here is answered or dropped.
        self.reader.period_passed();
        let before = self.received.len();
        self.received.resize(before + RECEIVED_BYTES, 0);
        let count = self.stream.read(&mut self.received[before..]);
        self.received.truncate(before + count.as_ref().map_or(0, |count| *count));
        match count {
            Ok(0) => Err(self.outbox.lost("the server has ended the connection")),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(self.outbox.lost(&error.to_string())),
        }
    }
}

/// Waits until the server closes the connection, which it does first (RFC 6455 section 7.1.1), or for the timeout: bytes that
/// nobody has read would reset it, and the answer might be lost.
fn drain(mut stream: &TcpStream, timeout: Option<Duration>) {
    let due = timeout.map(|timeout| Instant::now() + timeout);
    loop {
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        // Nothing left is refused as a timeout.
        let is_set = stream.set_read_timeout(left).is_ok();
        if !is_set || !stream.read(&mut [0; 4_096]).is_ok_and(|count| count > 0) {
            return;
        }
    }
}

/// Frames to write, and the thread that writes them.
#[derive(Clone, Default)]
pub(crate) struct Outbox(Arc<(Mutex<Queue>, Condvar)>);

#[derive(Default)]
struct Queue {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    /// A close frame is the last one: nothing follows it.
    is_closed: bool,
    /// Nothing is written any more.
    is_ended: bool,
    /// Why the connection was given up.
    late: Option<String>,
}

impl Outbox {
    /// Sends a message of that text, once not too much waits in front of it.
    pub(crate) fn text(&self, text: &str) {
        let (mut payload, key) = (text.as_bytes().to_vec(), key());
        let mut frame = client::head(Opcode::Text, true, payload.len() as u64, key).as_bytes().to_vec();
        Mask::new(key).apply(&mut payload);
        frame.append(&mut payload);
        let mut queue = self.queue();
        while queue.bytes > QUEUED_BYTES_MAX && !queue.is_ended {
            queue = self.0.1.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        drop(queue);
        self.push(frame);
    }

    /// Sends a close frame, after which nothing else is sent.
    pub(crate) fn close(&self, close: &Close<'_>) {
        self.push(client::close(close, key()).as_bytes().to_vec());
        self.queue().is_closed = true;
        self.0.1.notify_all();
    }

    /// Waits until the close frame is written, or nothing is written any more.
    pub(crate) fn written(&self) {
        let mut queue = self.queue();
        while !queue.is_ended {
            queue = self.0.1.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives the connection up, for that reason.
    pub(crate) fn give_up(&self, stream: &TcpStream, why: String) {
        self.queue().late = Some(why);
        // Whoever reads or writes there is woken.
        let _ = stream.shutdown(Shutdown::Both);
    }

    fn push(&self, frame: Vec<u8>) {
        let mut queue = self.queue();
        if !queue.is_closed && !queue.is_ended {
            queue.bytes += frame.len();
            queue.frames.push_back(frame);
            self.0.1.notify_all();
        }
    }

    /// Lets the thread that writes end: behind a close frame, otherwise at once.
    fn end(&self) {
        let mut queue = self.queue();
        queue.is_ended |= !queue.is_closed;
        self.0.1.notify_all();
    }

    /// Why the connection has ended without the server's close frame.
    fn lost(&self, why: &str) -> Failure {
        let queue = self.queue();
        match &queue.late {
            Some(late) => broken_off(late),
            None if queue.is_closed => broken_off(format!("{why} without an answer to the close frame")),
            None => broken_off(format!("{why} without a close frame")),
        }
    }

    /// Writes frames until the last one.
    fn write(&self, mut stream: TcpStream) {
        let mut queue = self.queue();
        while !queue.is_ended {
            if let Some(frame) = queue.frames.pop_front() {
                drop(queue);
                let written = stream.write_all(&frame);
                queue = self.queue();
                queue.bytes -= frame.len();
                queue.is_ended |= written.is_err();
                self.0.1.notify_all();
            } else if queue.is_closed {
                queue.is_ended = true;
            } else {
                queue = self.0.1.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        }
        self.0.1.notify_all();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prints messages, part by part: text as it is, of binary its length and its first bytes.
#[derive(Default)]
struct Printer {
    /// Bytes of the binary message so far, if there is one.
    binary: Option<u64>,
    /// The first of them.
    first: Vec<u8>,
    /// Whether a line has begun.
    in_line: bool,
}

impl Printer {
    fn print(&mut self, data: Data<'_>, is_last: bool, out: &mut impl Write) -> io::Result<()> {
        let bytes = data.as_bytes();
        if let Data::Binary(_) = data {
            *self.binary.get_or_insert(0) += bytes.len() as u64;
            self.first.extend(bytes.iter().take(SHOWN_BYTES - self.first.len()));
        } else {
            out.write_all(bytes)?;
            self.in_line = true;
        }
        if is_last { self.end(out) } else { Ok(()) }
    }

    /// Ends the line of a message.
    fn end(&mut self, out: &mut impl Write) -> io::Result<()> {
        let Printer { binary, first, in_line } = std::mem::take(self);
        let Some(length) = binary else { return if in_line { writeln!(out) } else { Ok(()) } };
        write!(out, "binary, {length} byte{}", if length == 1 { "" } else { "s" })?;
        for (index, byte) in first.iter().enumerate() {
            write!(out, "{}{byte:02x}", if index == 0 { ": " } else { " " })?;
        }
        writeln!(out, "{}", if length > first.len() as u64 { " …" } else { "" })
    }
}

/// A masking key that nobody can foresee: RFC 6455 section 5.3.
fn key() -> [u8; 4] {
    (random() as u32).to_ne_bytes()
}

/// The standard library seeds each of these anew, from what the system gives at random.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
#[path = "socket/tests.rs"]
mod tests;
