//! The shape of a board: seven connections, two lanes, static memory, a port without a heap, and an allocator that fails
//! the test when it is asked for anything while the server runs.
#![allow(unsafe_code, reason = "an allocator can be watched in no other way")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::{Cell, RefCell},
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicU32, Ordering},
    task::{RawWaker, RawWakerVTable, Waker},
};

use heapless::{Deque, Vec};
use tenure::{
    Deadlines, EndReason, Error, Eviction, Handler, Limits, Request, Router, Session, get,
    port::{
        Buffer, Driver, DriverSettings, Interest, Key, Lane, Partial, Peer, Port, Received, Slot, Transmitted, Wire,
        lane,
    },
};

/// Counts what a thread allocates while it is armed.
struct Watched;

thread_local! {
    static ARMED: Cell<bool> = const { Cell::new(false) };
    static ALLOCATIONS: Cell<u32> = const { Cell::new(0) };
}

// SAFETY: every call is passed on as it is to the system's allocator.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if ARMED.get() {
            ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static WATCHED: Watched = Watched;

/// The allocations that `run` makes.
fn allocations(run: impl FnOnce()) -> u32 {
    ALLOCATIONS.set(0);
    ARMED.set(true);
    run();
    ARMED.set(false);
    ALLOCATIONS.get()
}

#[test]
fn allocations_are_seen() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

const CONNECTIONS_MAX: usize = 7;
const LANES_MAX: usize = 2;
const BUFFER_BYTES: usize = 512;
const HEAD_BYTES_MAX: usize = 256;

/// One client's socket: what it has sent and what it was sent.
struct Pipe {
    to_server: RefCell<Deque<u8, 1_024>>,
    to_client: RefCell<Vec<u8, 4_096>>,
    is_closed_by_client: Cell<bool>,
    is_closed: Cell<bool>,
    is_reset: Cell<bool>,
    interest: Cell<Interest>,
    key: Cell<Option<Key>>,
}

impl Pipe {
    fn new() -> Self {
        Pipe {
            to_server: RefCell::new(Deque::new()),
            to_client: RefCell::new(Vec::new()),
            is_closed_by_client: Cell::new(false),
            is_closed: Cell::new(false),
            is_reset: Cell::new(false),
            interest: Cell::new(Interest::RECEIVE),
            key: Cell::new(None),
        }
    }

    fn send(&self, bytes: &[u8]) {
        let mut to_server = self.to_server.borrow_mut();
        for byte in bytes {
            to_server.push_back(*byte).expect("room in the pipe");
        }
    }

    /// Whether what was received ends so; it is taken.
    fn received(&self, end: &str) -> bool {
        let mut to_client = self.to_client.borrow_mut();
        let ends = to_client.ends_with(end.as_bytes());
        to_client.clear();
        ends
    }

    fn is_ready(&self) -> bool {
        let interest = self.interest.get();
        interest.sends()
            || interest.receives() && (!self.to_server.borrow().is_empty() || self.is_closed_by_client.get())
    }
}

/// A waker that only says that there is something to do: a port on one core looks at all of its lanes.
fn waker() -> Waker {
    static WAKES: RawWakerVTable =
        RawWakerVTable::new(|_| RawWaker::new(std::ptr::null(), &WAKES), |_| {}, |_| {}, |_| {});
    // SAFETY: the functions do nothing with the pointer.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &WAKES)) }
}

/// The port of a board: everything is in static memory, set up once.
struct Board<F: 'static, R: Fn(&'static Wire<Adder>) -> F + 'static> {
    renew: &'static R,
    wires: &'static [Wire<Adder>],
    /// Where the futures of the lanes are pinned, each taken once.
    places: Vec<Pin<&'static mut F>, LANES_MAX>,
    /// Incomplete heads.
    heads: [Option<(Vec<u8, HEAD_BYTES_MAX>, Partial)>; CONNECTIONS_MAX],
}

impl<F, R> Port for Board<F, R>
where
    F: Future<Output = Infallible> + 'static,
    R: Fn(&'static Wire<Adder>) -> F + 'static,
{
    type Session = Adder;
    type Socket = &'static Pipe;
    type Wire = &'static Wire<Adder>;
    type Future = F;
    type Pinned = &'static mut F;
    type Slots = Vec<Slot<Adder, &'static Pipe>, CONNECTIONS_MAX>;
    type Lanes = Vec<Lane<Self>, LANES_MAX>;
    type Topics = ();
    type Observer = ();

    fn observer(&self) -> &() {
        &()
    }

    fn peer(&self, _: &&'static Pipe) -> Peer {
        Peer::known(None)
    }

    fn receive(&mut self, socket: &mut &'static Pipe, into: &mut [u8]) -> Received {
        let mut from = socket.to_server.borrow_mut();
        let mut bytes = 0;
        for to in into {
            let Some(byte) = from.pop_front() else { break };
            *to = byte;
            bytes += 1;
        }
        match bytes {
            0 if socket.is_closed_by_client.get() => Received::Closed,
            0 => Received::Blocked,
            _ => Received::Bytes(bytes),
        }
    }

    fn discard(&mut self, socket: &mut &'static Pipe) -> Received {
        self.receive(socket, &mut [0; 256])
    }

    fn has_unread(&mut self, socket: &mut &'static Pipe) -> bool {
        !socket.to_server.borrow().is_empty()
    }

    fn send(&mut self, socket: &mut &'static Pipe, bytes: &[u8]) -> Transmitted {
        socket.to_client.borrow_mut().extend_from_slice(bytes).expect("room in the pipe");
        Transmitted::Bytes(bytes.len())
    }

    fn shut(&mut self, socket: &mut &'static Pipe) {
        socket.is_closed.set(true);
    }

    fn release(&mut self, socket: &'static Pipe, abort: bool) {
        socket.is_closed.set(true);
        socket.is_reset.set(abort);
        socket.interest.set(Interest::NONE);
    }

    fn report(&mut self, _: Key, socket: &mut &'static Pipe, interest: Interest) {
        socket.interest.set(interest);
    }

    fn lane(&mut self, number: u32) -> Option<Lane<Self>> {
        let wire = self.wires.get(number as usize)?;
        Some(Lane::new(wire, self.places.pop()?, waker()))
    }

    fn renew(&mut self, wire: &&'static Wire<Adder>) -> F {
        (self.renew)(wire)
    }

    fn put_away(&mut self, index: u32, bytes: &[u8], partial: Partial) -> bool {
        let Ok(bytes) = Vec::from_slice(bytes) else { return false };
        self.heads[index as usize] = Some((bytes, partial));
        true
    }

    fn take_back(&mut self, index: u32, into: &mut [u8]) -> Option<(usize, Partial)> {
        let (bytes, partial) = self.heads[index as usize].take()?;
        into.get_mut(..bytes.len())?.copy_from_slice(&bytes);
        Some((bytes.len(), partial))
    }
}

static OPENED: AtomicU32 = AtomicU32::new(0);
static ENDED: AtomicU32 = AtomicU32::new(0);
static EVICTED: AtomicU32 = AtomicU32::new(0);

/// What one client has added up.
struct Adder {
    sum: i64,
}

impl Session for Adder {
    fn end(self, reason: EndReason) {
        ENDED.fetch_add(1, Ordering::Relaxed);
        if matches!(reason, EndReason::Evicted { .. }) {
            EVICTED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn adder<'a>(request: &'a mut Request<'_, Adder>) -> &'a mut Adder {
    request.session_or_insert_with(|| {
        OPENED.fetch_add(1, Ordering::Relaxed);
        Adder { sum: 0 }
    })
}

async fn add(request: &mut Request<'_, Adder>) -> Result<i64, Error> {
    let number: i64 = request.body().parse().await?;
    let adder = adder(request);
    adder.sum = adder.sum.checked_add(number).ok_or(Error::unprocessable("the sum would overflow"))?;
    Ok(adder.sum)
}

async fn read(request: &mut Request<'_, Adder>) -> i64 {
    request.session().map_or(0, |adder| adder.sum)
}

async fn set(request: &mut Request<'_, Adder>) -> Result<i64, Error> {
    let number: i64 = request.body().parse().await?;
    adder(request).sum = number;
    Ok(number)
}

fn app() -> impl Handler<Adder> {
    Router::new().route("/adder", get(read).post(add).put(set))
}

/// Lets the driver do all that it can do now.
fn run<P: Port<Socket = &'static Pipe>>(driver: &mut Driver<P>, pipes: &'static [Pipe]) {
    for _ in 0..1_000 {
        let mut is_idle = true;
        for pipe in pipes {
            if let Some(key) = pipe.key.get()
                && pipe.is_ready()
            {
                is_idle = false;
                driver.ready(key, false);
            }
        }
        if is_idle {
            return;
        }
    }
    panic!("a busy loop");
}

/// Connects the pipe as a newcomer.
fn connect<P: Port<Socket = &'static Pipe>>(driver: &mut Driver<P>, pipe: &'static Pipe) -> bool {
    pipe.key.set(driver.connected(pipe, None).ok());
    pipe.key.get().is_some()
}

fn leak<T>(value: T) -> &'static mut T {
    Box::leak(Box::new(value))
}

#[test]
fn without_a_heap() {
    // What a board has in `static` memory is leaked here; from then on nothing more is asked for.
    let app: &'static _ = leak(app());
    let buffer = || Buffer::from(&mut leak([0; BUFFER_BYTES])[..]);
    let wires: &'static [Wire<Adder>; LANES_MAX] =
        leak(core::array::from_fn(|_| Wire::new(buffer(), buffer(), buffer(), Limits::BOARD)));
    let renew: &'static _ = leak(move |wire: &'static Wire<Adder>| lane(wire, app, &()));
    let mut places = Vec::new();
    for wire in wires.iter().rev() {
        assert!(places.push(Pin::static_mut(leak(renew(wire)))).is_ok());
    }
    let port = Board { renew, wires, places, heads: [const { None }; CONNECTIONS_MAX] };
    let settings = DriverSettings {
        connections_max: CONNECTIONS_MAX as u32,
        lanes_max: LANES_MAX as u32,
        open_max: 0,
        eviction: Eviction::LeastRecentlyUsed,
        deadlines: Deadlines::BOARD,
        limits: Limits::BOARD,
        worker: 0,
    };
    let driver = leak(Driver::new(port, Vec::new(), Vec::new(), settings));
    let pipes: &'static [Pipe; 12] = leak(core::array::from_fn(|_| Pipe::new()));

    let allocated = allocations(|| {
        driver.set_now(1_000);
        // As many clients as there are sockets; requests whole, torn, chunked and pipelined.
        for pipe in &pipes[..7] {
            assert!(connect(driver, pipe));
        }
        for pipe in &pipes[..7] {
            pipe.send(b"POST /adder HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n10");
        }
        run(driver, pipes);
        for pipe in &pipes[..7] {
            assert!(pipe.received("\r\n\r\n10"));
        }
        let torn =
            b"POST /adder HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n3\r\n1\r\n2\r\n0\r\n\r\n";
        for byte in torn {
            for pipe in &pipes[..2] {
                pipe.send(&[*byte]);
            }
            run(driver, pipes);
        }
        assert!(pipes[0].received("\r\n\r\n42") && pipes[1].received("\r\n\r\n42"));
        for _ in 0..10 {
            pipes[2].send(b"PUT /adder HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n7");
        }
        pipes[2].send(b"GET /adder HTTP/1.1\r\nHost: a\r\n\r\n");
        run(driver, pipes);
        assert!(pipes[2].received("\r\n\r\n7"));

        // What is wrong is answered; the session stays wherever the framing is certain.
        pipes[0].send(b"POST /adder HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n1x2");
        pipes[1].send(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
        pipes[2].send(b"DELETE /adder HTTP/1.1\r\nHost: a\r\n\r\nGET /adder HTTP/1.1\r\nHost: a\r\n\r\n");
        pipes[3].send(b"GET /adder HTTP/1.1\r\n\r\n");
        run(driver, pipes);
        assert!(pipes[0].to_client.borrow().starts_with(b"HTTP/1.1 400"));
        assert!(pipes[1].to_client.borrow().starts_with(b"HTTP/1.1 404"));
        assert!(pipes[2].to_client.borrow().starts_with(b"HTTP/1.1 405") && pipes[2].received("\r\n\r\n7"));
        assert!(pipes[3].to_client.borrow().starts_with(b"HTTP/1.1 400"));
        assert!(pipes[3].is_closed.get() && ENDED.load(Ordering::Relaxed) == 1);
        pipes[3].is_closed_by_client.set(true);
        run(driver, pipes);
        assert_eq!(driver.count(), 6);

        // Two lanes are enough for seven clients of whom four drip.
        driver.set_now(2_000);
        assert!(connect(driver, &pipes[7]));
        for pipe in [&pipes[4], &pipes[5], &pipes[6], &pipes[7]] {
            pipe.send(b"GET /add");
        }
        run(driver, pipes);
        pipes[0].send(b"GET /adder HTTP/1.1\r\nHost: a\r\n\r\n");
        run(driver, pipes);
        assert!(pipes[0].received("\r\n\r\n42"));

        // A newcomer takes the place of the one that was used least recently.
        assert!(connect(driver, &pipes[8]));
        assert!(pipes[1].is_closed.get() && !pipes[0].is_closed.get());
        assert_eq!(EVICTED.load(Ordering::Relaxed), 1);
        pipes[8].send(b"POST /adder HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n 9223372036854775807");
        run(driver, pipes);
        pipes[8].send(b"POST /adder HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1");
        run(driver, pipes);
        assert!(!pipes[8].to_client.borrow().is_empty());
        pipes[8].send(b"GET /adder HTTP/1.1\r\nHost: a\r\n\r\n");
        run(driver, pipes);
        assert!(pipes[8].received("\r\n\r\n9223372036854775807"), "422, the sum as it was");

        // Time: the heads that drip are overdue, the others are idle; then the server stops.
        driver.set_now(7_000);
        driver.expire();
        run(driver, pipes);
        for pipe in &pipes[4..8] {
            assert!(pipe.to_client.borrow().starts_with(b"HTTP/1.1 200") || pipe.is_closed.get());
            assert!(pipe.is_closed.get());
        }
        driver.stop();
        driver.set_now(20_000);
        driver.expire();
        assert_eq!(driver.count(), 0);
    });
    assert_eq!(allocated, 0);
    assert_eq!(OPENED.load(Ordering::Relaxed), ENDED.load(Ordering::Relaxed));
    assert_eq!(OPENED.load(Ordering::Relaxed), 8, "seven, and the newcomer; the eighth only dripped");
}
