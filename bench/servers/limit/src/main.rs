//! What no server of this kind can pass: level-triggered epoll, one receive and one send a wake-up, nothing parsed.
//!
//! The first segment of a connection is a whole request; every one behind it has as many bytes. So it tells how many
//! requests have come by counting bytes alone. Its answers are all the same.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, CreateFlags, Event, EventData, EventFlags},
};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 1\r\n\r\n1";
/// The key of the listening socket.
const LISTENER: u64 = u64::MAX;
const EVENTS: usize = 512;
const RECEIVED: usize = 65_536;

struct Connection {
    stream: TcpStream,
    /// Bytes of a request; 0: none has come yet.
    request: usize,
    /// Bytes that make no whole request yet.
    rest: usize,
}

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);
    io::stdout().flush()?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
    let mut received = vec![0; RECEIVED];
    // As many answers as have been needed at once.
    let mut answers = ANSWER.to_vec();
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
                    connections[index] = Some(Connection { stream, request: 0, rest: 0 });
                }
                continue;
            }
            let index = key as usize;
            let Some(connection) = &mut connections[index] else { continue };
            let count = match connection.stream.read(&mut received) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Ok(0) | Err(_) => {
                    connections[index] = None;
                    free.push(index);
                    continue;
                }
                Ok(count) => count,
            };
            if connection.request == 0 {
                connection.request = count;
            }
            let bytes = connection.rest + count;
            connection.rest = bytes % connection.request;
            let answer = bytes / connection.request * ANSWER.len();
            while answers.len() < answer {
                answers.extend_from_slice(ANSWER);
            }
            // A client that waits for each answer leaves room for it: it is sent whole.
            if connection.stream.write_all(&answers[..answer]).is_err() {
                connections[index] = None;
                free.push(index);
            }
        }
    }
}
