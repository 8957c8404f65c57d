//! WebSockets: how they are opened, and messages that count as answers (RFC 6455).

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use tenure_proto::websocket::{
    CloseCode, Data, Found, MessageLimits, MessageReader, Server,
    client::{self, Key},
};

use crate::{
    answer::BYTES_MAX,
    failure::Why,
    protocol::{Protocol, Read, sealed},
};

/// Fields of a response head at the most.
const FIELDS_MAX: usize = 64;
/// Messages are counted as they come, so nothing bounds them.
const LIMITS: MessageLimits =
    MessageLimits { message_bytes_max: u64::MAX, fragments_max: u16::MAX, controls_max: u16::MAX, whole_bytes_max: 0 };
/// Not unpredictable: whoever loads a server misleads no proxy.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// WebSocket: an answer is the length of a binary message. Pings are answered, pongs dropped.
#[derive(Debug, Default)]
pub struct WebSocket(());

/// What a connection has received of a message.
#[derive(Debug)]
pub struct State {
    reader: MessageReader<Server>,
    bytes: u64,
}

impl Default for State {
    fn default() -> Self {
        State { reader: MessageReader::of_server(), bytes: 0 }
    }
}

impl Protocol for WebSocket {}

impl sealed::Protocol for WebSocket {
    type State = State;

    #[inline]
    fn read(&mut self, state: &mut State, bytes: &mut [u8]) -> Result<Read, Why> {
        let found = state.reader.read(bytes, &LIMITS);
        let found =
            found.map_err(|violation| Why::Foreign(format!("it breaks the protocol: {}", violation.reason())))?;
        Ok(match found {
            Found::Partial { used: 0 } => Read::Partial,
            Found::Data { data: Data::Binary(part), is_last, used, .. } => {
                state.bytes += part.len() as u64;
                if !is_last {
                    return Ok(Read::Part { bytes: used });
                }
                state.reader.period_passed();
                Read::Answer { number: std::mem::take(&mut state.bytes).cast_signed(), bytes: used }
            }
            Found::Data { .. } => return Err(Why::Foreign("it answers text where bytes were sent".into())),
            Found::Ping { payload, used } => {
                let pong = client::pong(payload, KEY);
                Read::Reply { bytes: used, reply: pong.map(|pong| pong.as_bytes().to_vec()).unwrap_or_default() }
            }
            Found::Partial { used } | Found::Pong { used, .. } => Read::Part { bytes: used },
            Found::Close { close, .. } => {
                return Err(Why::ClosedWith(close.code.map(CloseCode::code), close.reason.to_owned()));
            }
        })
    }
}

/// What is asked for to open a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The value of Host ([`authority`](crate::authority) makes one).
    pub authority: String,
    /// Path and query.
    pub target: String,
}

impl Opening {
    /// Asks for a WebSocket.
    pub(crate) fn ask(&self, mut stream: &TcpStream, number: usize) -> Result<(), Why> {
        let Opening { authority, target } = self;
        let key = key(number);
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n\r\n",
            key.as_str()
        );
        match stream.write_all(request.as_bytes()) {
            // What the server has said before it closed tells why.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Why::of(error)),
            _ => Ok(()),
        }
    }
}

/// Waits for the answer that opens the WebSocket; returns what has come behind it.
pub(crate) fn opened(mut stream: &TcpStream, number: usize, timeout: Option<Duration>) -> Result<Vec<u8>, Why> {
    let due = timeout.map(|timeout| (Instant::now() + timeout, timeout));
    let (mut received, mut bytes) = (Vec::new(), [0; 4_096]);
    loop {
        let left = due.map(|(due, timeout)| match due.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(Why::Late(timeout)),
            left => Ok(left),
        });
        stream.set_read_timeout(left.transpose()?).map_err(Why::Failed)?;
        match (stream.read(&mut bytes), timeout) {
            (Ok(0), _) => return Err(Why::Closed),
            (Ok(count), _) => received.extend_from_slice(&bytes[..count]),
            (Err(error), _) if error.kind() == ErrorKind::Interrupted => {}
            (Err(error), Some(timeout)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(Why::Late(timeout));
            }
            (Err(error), _) => return Err(Why::of(error)),
        }
        if let Some(end) = switched(&received, number)? {
            received.drain(..end);
            return Ok(received);
        }
        if received.len() > BYTES_MAX {
            return Err(Why::Foreign("the head of its answer has no end".into()));
        }
    }
}

/// The bytes of the head that opens the WebSocket; `None`: more must come.
fn switched(bytes: &[u8], number: usize) -> Result<Option<usize>, Why> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let end = match response.parse(bytes) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(Why::Foreign(format!("it does not speak HTTP ({error})"))),
    };
    let status = response.code.unwrap_or(0);
    if status != 101 {
        return Err(Why::Status(status));
    }
    let fields = response.headers.iter().map(|field| (field.name, field.value.trim_ascii()));
    let checked = key(number).check(status, fields, &[]);
    checked.map_err(|fault| Why::Foreign(format!("its answer opens no WebSocket: {}", fault.reason())))?;
    Ok(Some(end))
}

/// The key of that connection's.
fn key(number: usize) -> Key {
    Key::new((number as u128).to_le_bytes())
}
