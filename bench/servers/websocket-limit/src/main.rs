//! What no WebSocket server of this kind can pass: level-triggered epoll, one receive and one send per wake-up. Frames are unmasked and
//! sent back with their first byte, whatever that is; nothing is checked.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, CreateFlags, Event, EventData, EventFlags},
};
use tenure_proto::{
    head::{HeadLimits, HeadParser},
    websocket::{Handshake, Mask, handshake},
};

/// The key of the listening socket.
const LISTENER: u64 = u64::MAX;
const EVENTS: usize = 512;
const RECEIVED: usize = 65_536;
const LIMITS: HeadLimits = HeadLimits { head_bytes_max: 4_096, target_bytes_max: 1_024, tolerate_lone_lf: false };

struct Connection {
    stream: TcpStream,
    /// Whether it is a WebSocket by now.
    is_open: bool,
    /// Whether its frames go to all in the room.
    is_in_room: bool,
    /// Bytes that make no whole frame, or head, yet.
    rest: Vec<u8>,
}

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);
    io::stdout().flush()?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let (mut free, mut room): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
    let (mut received, mut out) = (vec![0; RECEIVED], Vec::new());
    loop {
        events.clear();
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in &events {
            let key = event.data.u64();
            if key == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    let index = free.pop().unwrap_or_else(|| {
                        connections.push(None);
                        connections.len() - 1
                    });
                    epoll::add(&epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
                    connections[index] =
                        Some(Connection { stream, is_open: false, is_in_room: false, rest: Vec::new() });
                }
                continue;
            }
            let index = key as usize;
            let Some(connection) = &mut connections[index] else { continue };
            out.clear();
            let count = match connection.stream.read(&mut received) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Ok(0) | Err(_) => 0,
                Ok(count) => count,
            };
            let is_sent = count > 0 && {
                let was_open = connection.is_open;
                connection.take(&mut received[..count], &mut out);
                if connection.is_in_room && !was_open {
                    room.push(index);
                }
                if connection.is_in_room && was_open {
                    let members = room.iter().filter_map(|&member| connections[member].as_ref());
                    // One that has left is noticed by its own event.
                    members.for_each(|member| drop((&member.stream).write_all(&out)));
                    true
                } else {
                    // A client that waits for its messages leaves room for them, but for long ones: these are waited for.
                    send(&mut connection.stream, &out)
                }
            };
            if !is_sent {
                connections[index] = None;
                room.retain(|&member| member != index);
                free.push(index);
            }
        }
    }
}

/// Sends all of it, however long that takes; whether that was possible.
fn send(stream: &mut TcpStream, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(_) => return false,
        }
    }
    true
}

impl Connection {
    /// Takes what was received in, and adds what it is answered with to `out`.
    fn take(&mut self, bytes: &mut [u8], out: &mut Vec<u8>) {
        if self.rest.is_empty() && self.is_open {
            let used = frames(bytes, out);
            self.rest.extend_from_slice(&bytes[used..]);
            return;
        }
        self.rest.extend_from_slice(bytes);
        let used = if self.is_open { frames(&mut self.rest, out) } else { self.open(out) };
        self.rest.drain(..used);
        if self.rest.is_empty() {
            self.rest = Vec::new();
        }
    }

    /// Answers a request for a WebSocket; returns its bytes.
    fn open(&mut self, out: &mut Vec<u8>) -> usize {
        let Ok(Some(head)) = HeadParser::new().parse(&self.rest, &LIMITS) else { return 0 };
        let Ok(handshake) = Handshake::read(&head, &self.rest) else { return 0 };
        out.extend_from_slice(&[handshake::SWITCHING, &handshake.accept(), b"\r\n\r\n"].concat());
        self.is_open = true;
        self.is_in_room = head.target.of(&self.rest) == b"/room";
        self.rest.len()
    }
}

/// Adds each whole frame to `out`, unmasked; returns how many bytes these were.
fn frames(mut bytes: &mut [u8], out: &mut Vec<u8>) -> usize {
    let mut used = 0;
    loop {
        let (length, start) = match *bytes {
            [_, 0xfe, high, low, ..] => (usize::from(u16::from_be_bytes([high, low])), 4),
            [_, 0xff, a, b, c, d, e, f, g, h, ..] => (u64::from_be_bytes([a, b, c, d, e, f, g, h]) as usize, 10),
            [_, 0xfe..=0xff, ..] => return used,
            [_, short, ..] => (usize::from(short & 0x7f), 2),
            _ => return used,
        };
        let end = start + 4 + length;
        let Some(frame) = bytes.get_mut(..end) else { return used };
        let Some((key, payload)) = frame[start..].split_first_chunk_mut() else { return used };
        Mask::new(*key).apply(payload);
        let from = out.len();
        out.extend_from_slice(&frame[..start]);
        out[from + 1] &= 0x7f;
        out.extend_from_slice(&frame[start + 4..]);
        used += end;
        bytes = &mut bytes[end..];
    }
}
