//! A stream of events: the HTML standard of the WHATWG, section 9.2.

use std::{
    fmt::Write as _,
    io::{self, ErrorKind, Read as _, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use tenure_proto::{
    chunked::{Chunk, ChunkedDecoder},
    events::{CONTENT_TYPE, EventReader, Found, Received},
};

use crate::{
    answer::{Head, Shown},
    args::Listen,
    exit::Exit,
    opening::{Failure, Opened, broken_off},
    tell, written,
};

/// How long a client waits that was told nothing else; the standard leaves it to clients: "a few seconds".
const RETRY_MS: u64 = 3_000;
const RECEIVED_BYTES: usize = 65_536;
/// Bytes of an event at the most.
const EVENT_BYTES_MAX: usize = 16 << 20;

/// Runs the command.
pub(super) fn run(args: &Listen) -> Exit {
    if !args.protocol.is_empty() {
        tell(format_args!("tenure: --protocol is for ws:// alone: leave it out"));
        return Exit::Usage;
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut listener = Listener { args, id: Vec::new(), retry_ms: RETRY_MS, out: &mut out };
    let heard = listener.listen();
    match heard {
        Ok(Ended::Over) => Exit::Done,
        Ok(Ended::Unwritten(error)) => written("events", Err(error)),
        Err(failure) => {
            tell(format_args!("tenure: {failure}"));
            failure.exit()
        }
    }
}

/// How a stream has ended for good.
enum Ended {
    /// The server has no more.
    Over,
    /// Nothing can be printed any more.
    Unwritten(io::Error),
}

/// What is kept from one connection to the next.
struct Listener<'a> {
    args: &'a Listen,
    /// The last event's; empty: none.
    id: Vec<u8>,
    retry_ms: u64,
    out: &'a mut dyn Write,
}

impl Listener<'_> {
    fn listen(&mut self) -> Result<Ended, Failure> {
        let mut was_open = false;
        loop {
            let broken = match self.ask() {
                Ok(None) => return Ok(Ended::Over),
                Ok(Some((socket, received, body))) => {
                    if was_open {
                        tell(format_args!("tenure: the stream goes on"));
                    }
                    was_open = true;
                    match self.hear(Stream { socket, bytes: received, body, text: Vec::new() }) {
                        Ok(ended) => return Ok(ended),
                        Err(failure) => failure,
                    }
                }
                Err(failure @ Failure::Other { .. }) => return Err(failure),
                // What never was is no stream that breaks.
                Err(failure) if !was_open => return Err(failure),
                Err(failure) => failure,
            };
            let pause = Duration::from_millis(self.retry_ms);
            let behind = if self.id.is_empty() { String::new() } else { format!(", behind event {}", Shown(&self.id)) };
            tell(format_args!("tenure: {broken}\nAgain in {}{behind}.", humantime::format_duration(pause)));
            thread::sleep(pause);
        }
    }

    /// Asks for the stream; `None`: there is no more.
    fn ask(&self) -> Result<Option<(TcpStream, Vec<u8>, Body)>, Failure> {
        let url = &self.args.url;
        let mut fields = format!("Accept: {CONTENT_TYPE}\r\nCache-Control: no-store\r\n");
        if !self.id.is_empty() {
            let _ = write!(fields, "Last-Event-ID: {}\r\n", String::from_utf8_lossy(&self.id));
        }
        let opened = Opened::ask(url, &fields, self.args.timeout.duration())?;
        match opened.head.status {
            204 => return Ok(None),
            200 => {}
            _ => return Err(opened.refused(url, "200 with events")),
        }
        let kind = opened.head.field("content-type").unwrap_or_default();
        // RFC 9110 section 8.3.1: parameters follow a semicolon.
        let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if !essence.eq_ignore_ascii_case(CONTENT_TYPE.as_bytes()) {
            let kind = if kind.is_empty() { "without a type".to_owned() } else { format!("of type {}", Shown(kind)) };
            let why = format!("its answer is {kind}, not {CONTENT_TYPE}");
            return Err(Failure::Other { url: url.clone(), why });
        }
        let body = Body::of(&opened.head);
        let (stream, received) = opened.into_parts()?;
        Ok(Some((stream, received, body)))
    }

    /// Prints the events of one response, until it breaks.
    fn hear(&mut self, mut stream: Stream) -> Result<Ended, Failure> {
        let (mut reader, mut at) = (EventReader::new(), 0);
        loop {
            match reader.read(&stream.text[at..]) {
                Found::Event { received, used } => {
                    let printed = self.received(&received);
                    at += used;
                    if let Err(error) = printed {
                        return Ok(Ended::Unwritten(error));
                    }
                }
                Found::Partial { used } => {
                    stream.text.drain(..at + used);
                    at = 0;
                    if let Err(error) = self.out.flush() {
                        return Ok(Ended::Unwritten(error));
                    }
                    if stream.text.len() > EVENT_BYTES_MAX {
                        let why = format!("it sends an event of more than {EVENT_BYTES_MAX} bytes");
                        return Err(Failure::Other { url: self.args.url.clone(), why });
                    }
                    if let Err(failure) = stream.receive() {
                        self.retry_ms = reader.cut_off(&stream.text).retry_ms().unwrap_or(self.retry_ms);
                        return Err(failure);
                    }
                }
            }
        }
    }

    /// Takes an event in, and prints it.
    fn received(&mut self, received: &Received<'_>) -> io::Result<()> {
        if let Some(id) = received.id() {
            self.id = id.to_vec();
        }
        self.retry_ms = received.retry_ms().unwrap_or(self.retry_ms);
        if received.data().next().is_none() {
            return Ok(());
        }
        // As it could have been sent.
        for (name, value) in [("event", received.event()), ("id", received.id())] {
            if let Some(value) = value {
                writeln!(self.out, "{name}: {}", String::from_utf8_lossy(value))?;
            }
        }
        for line in received.data() {
            writeln!(self.out, "data: {}", String::from_utf8_lossy(line))?;
        }
        writeln!(self.out)
    }
}

/// A response's body.
struct Stream {
    socket: TcpStream,
    /// What has been received of it.
    bytes: Vec<u8>,
    body: Body,
    /// What its events are read from.
    text: Vec<u8>,
}

/// Where a response's body ends: RFC 9112 section 6.3.
enum Body {
    Chunked(ChunkedDecoder),
    /// So many bytes are to come.
    Length(usize),
    /// The connection ends with it.
    Close,
}

impl Body {
    fn of(head: &Head) -> Self {
        let is_chunked = |coding: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
        let coding = head.field("transfer-encoding").and_then(|codings| codings.rsplit(|byte| *byte == b',').next());
        match (coding, head.length) {
            (Some(coding), _) if is_chunked(coding) => Body::Chunked(ChunkedDecoder::new()),
            (None, Some(length)) => Body::Length(length),
            _ => Body::Close,
        }
    }
}

impl Stream {
    /// Moves what has come into `text`, else receives more.
    fn receive(&mut self) -> Result<(), Failure> {
        while !self.take()? {
            let before = self.bytes.len();
            self.bytes.resize(before + RECEIVED_BYTES, 0);
            let count = self.socket.read(&mut self.bytes[before..]);
            self.bytes.truncate(before + count.as_ref().map_or(0, |count| *count));
            match count {
                Ok(0) => return Err(broken_off("the server has ended the connection")),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(broken_off(error.to_string())),
            }
        }
        Ok(())
    }

    /// Moves what has come into `text`; returns whether there was anything.
    fn take(&mut self) -> Result<bool, Failure> {
        let before = self.text.len();
        let is_over = match &mut self.body {
            Body::Close => {
                self.text.append(&mut self.bytes);
                false
            }
            Body::Length(length) => {
                let count = self.bytes.len().min(*length);
                self.text.extend(self.bytes.drain(..count));
                *length -= count;
                *length == 0
            }
            Body::Chunked(decoder) => {
                let mut at = 0;
                loop {
                    let bytes = &self.bytes[at..];
                    match decoder.decode(bytes) {
                        Ok(Chunk::Data { skip, length }) => {
                            self.text.extend_from_slice(&bytes[skip..skip + length]);
                            at += skip + length;
                        }
                        Ok(Chunk::Partial) => {
                            self.bytes.clear();
                            break false;
                        }
                        Ok(Chunk::End { .. }) => break true,
                        // It is final: once what stands in front of it has been read it is told again.
                        Err(_) if at > 0 => {
                            self.bytes.drain(..at);
                            break false;
                        }
                        Err(refusal) => {
                            return Err(broken_off(format!("the server's chunks are wrong: {}", refusal.reason())));
                        }
                    }
                }
            }
        };
        let has_more = self.text.len() > before;
        if is_over && !has_more { Err(broken_off("the stream has ended")) } else { Ok(has_more) }
    }
}
