//! A `Net` around a `Net` and other sockets than TCP's, before anybody needs them: what TLS will ask of the trait, with a cipher
//! that is none. It has what makes TLS awkward: a handshake that answers before there is a request, records that are taken from
//! the socket whole and read in parts, and that must be sent whole.

#[path = "port/poll.rs"]
mod poll;

use std::{
    io::{Read, Write},
    mem::take,
    os::unix::net::UnixStream,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use poll::{Polling, Settings, Socket, Sockets, pair};
use tenure::{
    Error, Method, PeerAddress, Request, Responder, Router, Sent, StatusCode, get,
    port::{Interest, Key, Peer, Received, Transmitted},
    respond,
};
use tenure_host::{Handle, Listening, Net, Platform, Server, Service};

/// Bytes of a record at the most, and of the server's greeting: more than a socket takes at once.
const RECORD_BYTES_MAX: usize = 16_384;
const GREETING_BYTES: usize = 1 << 20;
const KEY: u8 = 0x55;

fn seal(bytes: &[u8], into: &mut Vec<u8>) {
    for record in bytes.chunks(RECORD_BYTES_MAX) {
        into.extend((record.len() as u32).to_be_bytes());
        into.extend(record.iter().map(|byte| byte ^ KEY));
    }
}

/// Takes the first record off, where it is whole.
fn open(sealed: &mut Vec<u8>) -> Option<Vec<u8>> {
    let bytes = u32::from_be_bytes(sealed.get(..4)?.try_into().ok()?) as usize;
    let record = sealed.get(4..4 + bytes)?.iter().map(|byte| byte ^ KEY).collect();
    sealed.drain(..4 + bytes);
    Some(record)
}

/// What stands around a socket.
struct Sealed<T> {
    socket: T,
    key: Option<Key>,
    interest: Interest,
    greeted: bool,
    /// A record that has not come whole.
    incoming: Vec<u8>,
    /// What has been opened and not been read.
    opened: Vec<u8>,
    /// Records on their way out.
    outgoing: Vec<u8>,
    /// Bytes of the driver's that are among them, and that it does not know of yet.
    unacknowledged: usize,
}

/// A net around another one.
struct Sealing<N> {
    inner: N,
    held: Vec<Key>,
}

impl<N: Net> Sealing<N> {
    /// Sends what is on its way out.
    fn flush(&mut self, socket: &mut Sealed<N::Socket>) -> Transmitted {
        while !socket.outgoing.is_empty() {
            match self.inner.send(&mut socket.socket, &socket.outgoing) {
                Transmitted::Bytes(bytes) => drop(socket.outgoing.drain(..bytes)),
                other => return other,
            }
        }
        Transmitted::Bytes(take(&mut socket.unacknowledged))
    }

    /// Lets the inner net report what the driver wants to know, and what there is to be sent.
    fn report_both(&mut self, socket: &mut Sealed<N::Socket>) {
        let interest = match socket.interest {
            Interest::RECEIVE if !socket.outgoing.is_empty() => Interest::BOTH,
            interest => interest,
        };
        if let Some(key) = socket.key {
            self.inner.report(key, &mut socket.socket, interest);
            if socket.interest.receives() && !socket.opened.is_empty() {
                self.held.push(key);
            }
        }
    }
}

impl<N: Net> Net for Sealing<N> {
    type Socket = Sealed<N::Socket>;

    fn register(&mut self, key: Key, socket: &mut Self::Socket) -> bool {
        (socket.key, socket.interest) = (Some(key), Interest::RECEIVE);
        self.inner.register(key, &mut socket.socket)
    }

    fn report(&mut self, _: Key, socket: &mut Self::Socket, interest: Interest) {
        socket.interest = interest;
        self.report_both(socket);
    }

    fn receive(&mut self, socket: &mut Self::Socket, into: &mut [u8]) -> Received {
        let owed = !socket.outgoing.is_empty();
        if owed && self.flush(socket) == Transmitted::Reset {
            return Received::Reset;
        }
        let received = loop {
            if !socket.opened.is_empty() {
                let bytes = into.len().min(socket.opened.len());
                into[..bytes].copy_from_slice(&socket.opened[..bytes]);
                socket.opened.drain(..bytes);
                break Received::Bytes(bytes);
            }
            match open(&mut socket.incoming) {
                Some(_) if !socket.greeted => {
                    socket.greeted = true;
                    seal(&vec![b'.'; GREETING_BYTES], &mut socket.outgoing);
                    if self.flush(socket) == Transmitted::Reset {
                        break Received::Reset;
                    }
                }
                Some(record) => socket.opened = record,
                None => {
                    let mut some = [0; 4096];
                    match self.inner.receive(&mut socket.socket, &mut some) {
                        Received::Bytes(bytes) => socket.incoming.extend(&some[..bytes]),
                        other => break other,
                    }
                }
            }
        };
        if owed || !socket.outgoing.is_empty() || !socket.opened.is_empty() {
            self.report_both(socket);
        }
        received
    }

    fn has_unread(&mut self, socket: &mut Self::Socket) -> bool {
        !socket.opened.is_empty() || self.inner.has_unread(&mut socket.socket)
    }

    fn send(&mut self, socket: &mut Self::Socket, bytes: &[u8]) -> Transmitted {
        if socket.unacknowledged == 0 {
            socket.unacknowledged = bytes.len().min(RECORD_BYTES_MAX);
            seal(&bytes[..socket.unacknowledged], &mut socket.outgoing);
        }
        // What is blocked midway takes nothing: the driver offers the same bytes again.
        self.flush(socket)
    }

    fn shut(&mut self, socket: &mut Self::Socket) {
        self.inner.shut(&mut socket.socket);
    }

    fn release(&mut self, socket: Self::Socket, abort: bool) {
        self.inner.release(socket.socket, abort);
    }

    fn peer(&self, socket: &Self::Socket) -> Peer {
        self.inner.peer(&socket.socket)
    }

    fn next_held(&mut self) -> Option<Key> {
        self.held.pop().or_else(|| self.inner.next_held())
    }
}

/// The platform whose sockets are sealed.
struct SealedPolling;

impl Platform for SealedPolling {
    const SPINS: bool = false;

    fn descriptors_per_worker(settings: &Settings) -> u64 {
        Polling::descriptors_per_worker(settings)
    }

    fn run<A: Service>(server: &Listening, number: usize, service: A) -> Result<(), tenure_host::Error> {
        let net = Sealing { inner: Sockets::default(), held: Vec::new() };
        let wrap = |socket: Socket| Sealed {
            socket,
            key: None,
            interest: Interest::NONE,
            greeted: false,
            incoming: Vec::new(),
            opened: Vec::new(),
            outgoing: Vec::new(),
            unacknowledged: 0,
        };
        poll::run(server, number, service, net, |net| &mut net.inner, wrap)
    }
}

const PATTERN: &[u8] = b"0123456789abcdef\n";

async fn bytes<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
    let count: usize = request.parameter("count").ok_or(Error::internal("the route has it"))?.parse()?;
    let mut stream = responder.stream_of(StatusCode::OK, &[], (count * PATTERN.len()) as u64).await?;
    for _ in 0..count {
        stream.write(PATTERN).await?;
    }
    stream.finish().await
}

async fn peer(request: &mut Request<'_, ()>) -> Option<String> {
    request.peer().map(|peer| peer.to_string())
}

/// A server with small buffers, and a Unix socket that it serves.
fn start<P: Platform + Send + 'static>() -> (UnixStream, Handle, Receiver<Result<(), tenure_host::Error>>) {
    let mut settings = Settings { input_bytes: 256, output_bytes: 4_096, ..Settings::at(([127, 0, 0, 1], 0).into()) };
    settings.threads = std::num::NonZeroUsize::new(1);
    (settings.limits.head_bytes_max, settings.limits.target_bytes_max) = (256, 128);
    let server = Server::<P>::bind(settings).unwrap();
    let (handle, client) = (server.handle(), pair(server.local_addr()));
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    client.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
    let (tell, ended) = channel();
    thread::spawn(move || {
        let app = Router::new().route("/peer", get(peer)).route("/bytes/{count}", respond(Method::Get, bytes));
        let _ = tell.send(server.run(&app, &()));
    });
    (client, handle, ended)
}

fn stop(handle: &Handle, ended: &Receiver<Result<(), tenure_host::Error>>) {
    handle.stop();
    ended.recv_timeout(Duration::from_secs(60)).expect("the server ends").expect("it ends well");
}

fn request(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
}

/// The other end of a sealed socket.
struct Client {
    socket: UnixStream,
    sealed: Vec<u8>,
    opened: Vec<u8>,
}

impl Client {
    fn send(&mut self, bytes: &[u8]) {
        let mut sealed = Vec::new();
        seal(bytes, &mut sealed);
        self.socket.write_all(&sealed).unwrap();
    }

    fn receive_exactly(&mut self, bytes: usize) -> Vec<u8> {
        while self.opened.len() < bytes {
            self.receive();
        }
        let rest = self.opened.split_off(bytes);
        std::mem::replace(&mut self.opened, rest)
    }

    fn receive(&mut self) {
        let mut some = [0; 16_384];
        let bytes = self.socket.read(&mut some).expect("the server goes on");
        assert!(bytes > 0, "the server has closed");
        self.sealed.extend(&some[..bytes]);
        while let Some(record) = open(&mut self.sealed) {
            self.opened.extend(record);
        }
    }
}

/// A greeted client of a sealing server. The greeting is longer than a socket takes: it goes on when there is room, although
/// the driver only wants to receive.
fn greeted() -> (Client, Handle, Receiver<Result<(), tenure_host::Error>>) {
    let (socket, handle, ended) = start::<SealedPolling>();
    let mut client = Client { socket, sealed: Vec::new(), opened: Vec::new() };
    client.send(b"hello");
    assert!(client.receive_exactly(GREETING_BYTES).iter().all(|&byte| byte == b'.'));
    (client, handle, ended)
}

/// The answer to a GET of `/peer` over a Unix socket.
fn answer_of_peer() -> usize {
    let (mut socket, handle, ended) = start::<Polling>();
    socket.write_all(&request("/peer")).unwrap();
    let mut answer = [0; 1_000];
    let bytes = socket.read(&mut answer).unwrap();
    let text = str::from_utf8(&answer[..bytes]).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with("\r\n\r\na Unix socket"), "{text}");
    let listed = handle.list().wait();
    assert_eq!(listed.iter().map(|listed| listed.peer).collect::<Vec<_>>(), [Some(PeerAddress::Unix)]);
    stop(&handle, &ended);
    bytes
}

#[test]
fn a_unix_socket_is_served_and_has_no_ip_address() {
    answer_of_peer();
}

/// The greeting goes on when there is room, although the driver only wants to receive.
#[test]
fn a_receive_may_have_to_send() {
    let (mut client, handle, ended) = greeted();
    client.send(&request("/peer"));
    client.receive_exactly(answer_of_peer());
    stop(&handle, &ended);
}

/// A hundred requests come with one record: nothing tells of the socket any more when the first few are answered.
#[test]
fn what_is_held_is_served_although_the_socket_has_nothing() {
    let (mut client, handle, ended) = greeted();
    let bytes = answer_of_peer();
    client.send(&request("/peer").repeat(100));
    for _ in 0..100 {
        assert!(client.receive_exactly(bytes).ends_with(b"a Unix socket"));
    }
    stop(&handle, &ended);
}

/// A record is more than the socket takes, and the peer reads late.
#[test]
fn what_a_blocked_send_has_not_taken_is_offered_again() {
    const COUNT: usize = 100_000;
    let (mut client, handle, ended) = greeted();
    client.send(&(request(&format!("/bytes/{COUNT}")).into_iter().chain(request("/peer")).collect::<Vec<_>>()));
    while handle.list().wait().iter().all(|listed| !listed.busy) {
        thread::yield_now();
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(client.receive_exactly(1));
    }
    let body = client.receive_exactly(COUNT * PATTERN.len());
    assert!(body.chunks(PATTERN.len()).all(|line| line == PATTERN));
    assert!(client.receive_exactly(answer_of_peer()).ends_with(b"a Unix socket"));
    stop(&handle, &ended);
}
