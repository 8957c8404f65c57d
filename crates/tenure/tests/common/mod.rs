//! What the connection-level tests share: an application whose sessions are counted, gates that a test opens, short
//! deadlines.
#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part")]

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    task::{Poll, Waker},
};

use tenure::{
    ConnectionId, Deadlines, EndReason, Error, Handler, Method, Request, Responder, Router, Sent, Session, StatusCode,
    get,
    kit::{Client, Event, Server, Settings},
    post,
};

// A test has a thread of its own, so what it counts is its own too.
thread_local! {
    static OPENED: Cell<u32> = const { Cell::new(0) };
    static ENDED: RefCell<Vec<(i64, EndReason)>> = const { RefCell::new(Vec::new()) };
    static PERMITS: Cell<u32> = const { Cell::new(0) };
    static WAITING: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
    static POLLS: Cell<u32> = const { Cell::new(0) };
    static RUNNING: Cell<i32> = const { Cell::new(0) };
}

/// What one client has added up; its making and its end are counted.
#[derive(Debug)]
pub struct Tally {
    pub sum: i64,
}

impl Tally {
    pub fn new(sum: i64) -> Self {
        OPENED.set(OPENED.get() + 1);
        Tally { sum }
    }
}

impl Session for Tally {
    fn end(self, reason: EndReason) {
        ENDED.with_borrow_mut(|ended| ended.push((self.sum, reason)));
        assert!(self.sum != 666, "a session whose end panics");
    }
}

/// Sessions made.
pub fn opened() -> usize {
    OPENED.get() as usize
}

/// Sessions ended: their sums and why, in order.
pub fn sessions_ended() -> Vec<(i64, EndReason)> {
    ENDED.with_borrow(Clone::clone)
}

/// Forgets them, and frees what they took.
pub fn forget_sessions_ended() {
    ENDED.take();
}

/// Why the only session that there was has ended.
#[track_caller]
pub fn session_end() -> (i64, EndReason) {
    let ended = sessions_ended();
    assert_eq!((opened(), ended.len()), (1, 1), "one session, ended once: {ended:?}");
    ended[0]
}

/// Pending until the test lets one through.
pub async fn gate() {
    poll_fn(|context| {
        POLLS.set(POLLS.get() + 1);
        if PERMITS.get() > 0 {
            PERMITS.set(PERMITS.get() - 1);
            return Poll::Ready(());
        }
        WAITING.with_borrow_mut(|waiting| waiting.push(context.waker().clone()));
        Poll::Pending
    })
    .await;
}

/// Lets one through the gate.
pub fn open_gate() {
    PERMITS.set(PERMITS.get() + 1);
    wake_all();
}

/// Wakes all that wait at the gate, and lets nobody through.
pub fn wake_all() {
    for waker in WAITING.take() {
        waker.wake();
    }
}

/// Times that a handler at the gate was polled.
pub fn gate_polls() -> u32 {
    POLLS.get()
}

/// Counts the handlers that run: made in one, dropped with it.
#[derive(Debug)]
pub struct Running;

impl Running {
    pub fn new() -> Self {
        RUNNING.set(RUNNING.get() + 1);
        Running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(RUNNING.get() - 1);
    }
}

/// Handlers that run.
pub fn running() -> i32 {
    RUNNING.get()
}

async fn sum(request: &mut Request<'_, Tally>) -> i64 {
    request.session().map_or(0, |tally| tally.sum)
}

async fn add(request: &mut Request<'_, Tally>) -> Result<i64, Error> {
    let number: i64 = request.body().parse().await?;
    let tally = request.session_or_insert_with(|| Tally::new(0));
    tally.sum += number;
    Ok(tally.sum)
}

/// Counts the body's bytes piece by piece, the session knowing how many.
async fn count(request: &mut Request<'_, Tally>) -> Result<i64, Error> {
    let _running = Running::new();
    request.session_or_insert_with(|| Tally::new(0));
    let mut bytes = 0;
    while let Some(piece) = request.body().limit(u64::MAX).read().await? {
        bytes += i64::try_from(piece.len()).unwrap();
        request.session_mut().unwrap().sum = bytes;
    }
    Ok(bytes)
}

async fn wait(request: &mut Request<'_, Tally>) -> &'static str {
    let _running = Running::new();
    request.session_or_insert_with(|| Tally::new(0)).sum += 1;
    gate().await;
    request.session_mut().unwrap().sum += 10;
    "waited"
}

/// Waits, then counts the body.
async fn wait_and_count(request: &mut Request<'_, Tally>) -> Result<i64, Error> {
    gate().await;
    count(request).await
}

async fn bytes(request: &mut Request<'_, Tally>) -> Result<Vec<u8>, Error> {
    Ok(vec![b'x'; bytes_wanted(request)?])
}

fn bytes_wanted(request: &Request<'_, Tally>) -> Result<usize, Error> {
    Ok(request.parameter("bytes").ok_or(Error::internal("no such parameter"))?.parse()?)
}

/// Streams two pieces of so many bytes each, and waits at the gate between.
async fn stream<'r>(request: &mut Request<'r, Tally>, responder: Responder<'r>) -> Result<Sent, Error> {
    let _running = Running::new();
    request.session_or_insert_with(|| Tally::new(0)).sum += 1;
    let piece = vec![b'x'; bytes_wanted(request)?];
    let mut stream = responder.stream(StatusCode::OK, &[]).await?;
    stream.write(&piece).await?;
    gate().await;
    stream.write(&piece).await?;
    stream.finish().await
}

/// Streams two pieces with the length told before, and waits at the gate between.
async fn stream_of<'r>(request: &mut Request<'r, Tally>, responder: Responder<'r>) -> Result<Sent, Error> {
    let piece = vec![b'x'; bytes_wanted(request)?];
    let mut stream = responder.stream_of(StatusCode::OK, &[], 2 * piece.len() as u64).await?;
    stream.write(&piece).await?;
    gate().await;
    stream.write(&piece).await?;
    stream.finish().await
}

async fn remove(request: &mut Request<'_, Tally>) -> bool {
    request.end_session()
}

async fn replace(request: &mut Request<'_, Tally>) -> i64 {
    request.replace_session(Tally::new(100)).sum
}

async fn take(request: &mut Request<'_, Tally>) -> i64 {
    request.take_session().map_or(0, |tally| tally.sum)
}

async fn close(request: &mut Request<'_, Tally>) -> &'static str {
    request.close();
    "closing"
}

async fn pin(request: &mut Request<'_, Tally>) {
    request.pin(true);
}

async fn unpin(request: &mut Request<'_, Tally>) {
    request.pin(false);
}

async fn panicking(request: &mut Request<'_, Tally>) {
    request.session_or_insert_with(|| Tally::new(0)).sum += 1;
    panic!("a handler's panic, on purpose");
}

/// The application of the connection-level tests.
pub fn app() -> impl Handler<Tally> {
    Router::new()
        .route("/sum", get(sum).post(add))
        .route("/count", post(count))
        .route("/wait", get(wait).post(wait))
        .route("/wait-and-count", post(wait_and_count))
        .route("/bytes/{bytes}", get(bytes))
        .route("/stream/{bytes}", tenure::respond(Method::Get, stream))
        .route("/long/{bytes}", tenure::respond(Method::Get, stream).waits_long())
        .route("/stream-of/{bytes}", tenure::respond(Method::Get, stream_of))
        .route("/remove", post(remove))
        .route("/replace", post(replace))
        .route("/take", post(take))
        .route("/close", get(close))
        .route("/pin", get(pin))
        .route("/unpin", get(unpin))
        .route("/panic", get(panicking))
}

/// Deadlines that differ, all of them short. The kit's clock wraps 5 s after its start.
pub const DEADLINES: Deadlines = Deadlines {
    first_byte_ms: 1_000,
    idle_ms: 9_000,
    head_ms: 2_000,
    body_ms: 3_000,
    body_bytes_per_s: 100,
    handler_ms: 4_000,
    response_ms: 6_000,
    response_bytes_per_s: 100,
    ping_ms: 30_000,
    pong_ms: 10_000,
    linger_ms: 700,
    flush_ms: 8_000,
};

pub fn settings() -> Settings {
    Settings { deadlines: DEADLINES, ..Settings::default() }
}

pub fn server() -> Server<Tally> {
    Server::with(app(), settings())
}

/// A request without a body.
pub fn get_of(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// A request with a body of known length.
pub fn post_of(target: &str, body: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A connection that has added 1: it has a session, and is idle.
#[track_caller]
pub fn with_session(server: &mut Server<Tally>) -> Client {
    let client = server.connect();
    client.send(post_of("/sum", "1"));
    server.run();
    assert!(client.received_text().ends_with("\r\n\r\n1"));
    client
}

/// Asks on a connection and returns the whole answer.
#[track_caller]
pub fn ask(server: &mut Server<Tally>, client: &Client, request: impl AsRef<[u8]>) -> String {
    client.send(request);
    server.run();
    client.received_text()
}

/// Why a client's connection ended, `None` where it has not.
#[track_caller]
pub fn end_of(server: &Server<Tally>, client: &Client) -> Option<EndReason> {
    end_of_id(server, client.id().expect("the connection was accepted"))
}

#[track_caller]
pub fn end_of_id(server: &Server<Tally>, id: ConnectionId) -> Option<EndReason> {
    let ends: Vec<_> = server.ended().into_iter().filter(|(ended, _)| *ended == id).collect();
    assert!(ends.len() <= 1, "a connection ends once: {ends:?}");
    ends.first().map(|(_, reason)| *reason)
}

/// The statuses of the responses that were completed, in order.
pub fn statuses(server: &Server<Tally>) -> Vec<u16> {
    let status = |event| match event {
        Event::Sent(_, status, _) => Some(status.code()),
        _ => None,
    };
    server.events().into_iter().filter_map(status).collect()
}

/// Shows that the server still serves a connection, and its lane a new one.
#[track_caller]
pub fn assert_serves(server: &mut Server<Tally>) {
    let client = server.connect();
    assert!(ask(server, &client, get_of("/sum")).ends_with("\r\n\r\n0"));
    let answer = ask(server, &client, post_of("/count", "12345"));
    assert!(answer.ends_with("\r\n\r\n5"), "{answer}");
    client.close();
    server.run();
    assert_eq!(end_of(server, &client), Some(EndReason::PeerClosed));
}

/// The status code of an answer.
#[track_caller]
pub fn status_of(answer: &str) -> &str {
    answer.get(9..12).unwrap_or_else(|| panic!("no answer: {answer:?}"))
}
