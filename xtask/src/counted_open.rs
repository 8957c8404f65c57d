//! Messages whose instructions are counted: echoes, and publications.

use std::{
    io::{Error, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::Command,
};

use crate::{Failure, client::Client, instructions::collected, server::Server};

const PIPELINED: u32 = 16;
/// Who hears what is published.
const LISTENERS: usize = 1_000;
/// Bytes of a message's content.
const CONTENT_BYTES: usize = 16;

/// What is counted, with the most instructions that each message or delivery may take.
pub(crate) const CASES: [(&str, Shape, f64); 4] = [
    ("websocket-echo", Shape::Echo { at_once: 1 }, 770.0),
    ("websocket-echo-pipelined-16", Shape::Echo { at_once: PIPELINED }, 355.0),
    ("websocket-delivery", Shape::Publish, 385.0),
    ("small-post-beside-websockets", Shape::Post, 1_100.0),
];

#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Echo { at_once: u32 },
    Publish,
    Post,
}

/// Instructions of each message, delivery or request, by the slope from few to many.
pub(crate) fn count(program: &PathBuf, shape: Shape) -> Result<f64, Failure> {
    let (few, many, each) = match shape {
        Shape::Publish => (20, 100, LISTENERS as u32),
        Shape::Echo { .. } | Shape::Post => (800, 2_400, 1),
    };
    let counts = [few, many].map(|count| counted(program, shape, count));
    let [few_counted, many_counted] = counts;
    let slope = many_counted?.saturating_sub(few_counted?);
    Ok(f64::from(u32::try_from(slope)?) / f64::from((many - few) * each))
}

fn counted(program: &PathBuf, shape: Shape, count: u32) -> Result<u64, Failure> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    let mut server = Server::start(&mut command)?;
    match shape {
        Shape::Post => {
            let mut client = Client::connect(server.address)?;
            for _ in 0..count {
                client.add()?;
            }
        }
        Shape::Echo { at_once } => {
            let mut socket = open(server.address, "/echo")?;
            for _ in 0..count / at_once {
                socket.write_all(&message().repeat(at_once as usize))?;
                take(&mut socket, at_once as usize)?;
            }
        }
        Shape::Publish => {
            let mut listeners: Vec<TcpStream> =
                (0..LISTENERS).map(|_| open(server.address, "/room")).collect::<Result<_, _>>()?;
            for _ in 0..count {
                listeners[0].write_all(&message())?;
                for listener in &mut listeners {
                    take(listener, 1)?;
                }
            }
        }
    }
    collected(&server.stop()?)
}

/// A masked message of bytes.
fn message() -> Vec<u8> {
    let mut bytes = vec![0x82, 0x80 | CONTENT_BYTES as u8, 1, 2, 3, 4];
    bytes.extend([b'x'; CONTENT_BYTES]);
    bytes
}

/// Takes so many messages as they are answered.
fn take(socket: &mut TcpStream, count: usize) -> Result<(), Error> {
    let mut bytes = vec![0; count * (2 + CONTENT_BYTES)];
    socket.read_exact(&mut bytes)
}

fn open(server: SocketAddr, target: &str) -> Result<TcpStream, Error> {
    let mut socket = Client::connect(server)?.stream;
    write!(
        socket,
        "GET {target} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte)?;
        answer.extend(byte);
    }
    if answer.starts_with(b"HTTP/1.1 101 ") { Ok(socket) } else { Err(ErrorKind::InvalidData.into()) }
}
