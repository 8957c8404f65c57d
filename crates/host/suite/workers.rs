//! What several workers owe each other: newcomers, and an end.

use std::{
    cell::Cell,
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
};

use crate::common::port::{Server, Settings};
use crate::common::{Adder, Client, Gate, PATIENCE, Running, Tally, app, forever, post, with_threads};
use tenure::{EndReason, Eviction, PeerAddress, Request, Router, get};

/// The kernel tells one worker alone of a newcomer. Where that one has more than its fair share by now, because the others'
/// clients have left, it must not be left waiting.
#[test]
fn a_newcomer_is_not_left_to_a_worker_that_defers() {
    for stays in [0, 1] {
        let (server, _) = Running::adder(with_threads(2));
        let (mut clients, mut others) = (Vec::new(), Vec::new());
        while clients.len() < 50 || others.len() < 20 {
            let mut client = server.client();
            if worker_of(&mut client) == stays { clients.push(client) } else { others.push(client) }
        }
        drop(others);
        let left = clients.len();
        while server.handle.list().wait().len() > left {
            thread::yield_now();
        }
        for number in 0..8 {
            let mut newcomer = TcpStream::connect(server.address).unwrap();
            newcomer.set_read_timeout(Some(PATIENCE)).unwrap();
            newcomer.write_all(b"GET /id HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
            let count = newcomer
                .read(&mut [0; 500])
                .unwrap_or_else(|error| panic!("newcomer {number} waits while worker {stays} has {left}: {error}"));
            assert!(count > 0);
        }
        server.stop();
    }
}

/// A server of two workers whose target `/block` blocks its worker: who arrives at the first barrier, until the second.
fn blocking(settings: Settings) -> (Running, &'static Tally, &'static [Barrier; 2]) {
    let (tally, barriers) = (forever(Tally::default()), forever([Barrier::new(2), Barrier::new(2)]));
    let block = get(async move |_: &mut Request<'_, Adder>| {
        for barrier in barriers {
            barrier.wait();
        }
        "blocked"
    });
    let app = Router::new().route("/block", block).route("/{*rest}", app(tally));
    (Running::start(settings, app, tally), tally, barriers)
}

/// The worker that serves a client.
fn worker_of(client: &mut Client) -> usize {
    client.get("/id").text().split('.').next().unwrap().parse().unwrap()
}

/// Newcomers are left to another worker for a while, but not for as long as it is stuck.
#[test]
fn a_worker_that_is_stuck_keeps_no_newcomer_waiting() {
    for stuck in [0, 1] {
        let (server, _, barriers) = blocking(with_threads(2));
        let mut blocker = server.client();
        while worker_of(&mut blocker) != stuck {
            blocker = server.client();
        }
        blocker.send("GET /block HTTP/1.1\r\nHost: test\r\n\r\n");
        barriers[0].wait();
        // Far more than the other worker's share, at once and one by one.
        let mut newcomers: Vec<_> = (0..100).map(|_| server.client()).collect();
        for client in &mut newcomers {
            assert_ne!(worker_of(client), stuck);
        }
        for _ in 0..3 {
            newcomers.push(server.client());
            assert_ne!(newcomers.last_mut().map(worker_of), Some(stuck));
        }
        barriers[1].wait();
        assert_eq!(blocker.answer().text(), "blocked");
        server.stop();
    }
}

/// Beside a worker that has places and is stuck, a full one evicts where that is set; where it is not, newcomers wait.
#[test]
fn a_full_worker_beside_a_stuck_one_that_has_places() {
    for evicts in [true, false] {
        let settings = Settings {
            connections_max: 4,
            eviction: if evicts { Eviction::LeastRecentlyUsed } else { Eviction::Never },
            ..with_threads(2)
        };
        let (server, tally, barriers) = blocking(settings);
        // Two of each, whoever gives way until then.
        let mut clients: Vec<(usize, Client)> = Vec::new();
        while [0, 1].iter().any(|worker| clients.iter().filter(|(other, _)| other == worker).count() < 2) {
            let mut client = server.client();
            // With a session, or it would be closed where it is the last that finds a place.
            client.add(1);
            clients.push((worker_of(&mut client), client));
            let listed = server.handle.list().wait();
            clients.retain(|(_, client)| {
                let address = client.stream.local_addr().unwrap();
                listed.iter().any(|listed| listed.peer == Some(address.into()))
            });
        }
        let evicted = tally.counts().evicted;
        clients.sort_by_key(|(worker, _)| *worker);
        clients.pop();
        while server.handle.list().wait().len() > 3 {
            thread::yield_now();
        }
        let (_, mut blocker) = clients.pop().unwrap();
        blocker.send("GET /block HTTP/1.1\r\nHost: test\r\n\r\n");
        barriers[0].wait();
        let mut newcomer = server.client();
        if evicts {
            assert_eq!(worker_of(&mut newcomer), 0);
            clients[0].1.expect_gone();
        }
        barriers[1].wait();
        assert_eq!(blocker.answer().text(), "blocked");
        if !evicts {
            assert_eq!(worker_of(&mut newcomer), 1);
        }
        assert_eq!(tally.counts().evicted, evicted + usize::from(evicts));
        server.stop();
    }
}

/// Panics when it is told that an observer has in a thread where one is to be followed: in a worker that is neither in a handler
/// nor in a session's end.
struct Logger;

thread_local! {
    static IS_FOLLOWED: Cell<bool> = const { Cell::new(false) };
}

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.args().to_string().contains("an observer panicked") {
            assert!(!IS_FOLLOWED.replace(false), "a logger's panic");
        }
    }

    fn flush(&self) {}
}

/// Panics when a connection ends; the logger follows once it is allowed to. Counts the server's ends.
struct Panics(AtomicBool, AtomicU32);

impl Panics {
    fn new() -> &'static Self {
        // The other test may have set it.
        let _ = log::set_logger(&Logger);
        log::set_max_level(log::LevelFilter::Error);
        forever(Panics(AtomicBool::new(false), AtomicU32::new(0)))
    }
}

impl tenure::Observer for Panics {
    fn disconnected(&self, _: tenure::ConnectionId, _: tenure::EndReason, _: bool) {
        IS_FOLLOWED.set(self.0.swap(false, Ordering::Relaxed));
        panic!("an observer's panic");
    }

    fn stopped(&self) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whichever worker it is, the first one included, which `run` is called on; and every session is ended, that worker's too.
#[test]
fn a_worker_that_panics_ends_the_server() {
    for worker in [0, 1] {
        let server = Server::bind(with_threads(2)).unwrap();
        let address = server.local_addr();
        let (tally, panics) = (forever(Tally::default()), Panics::new());
        // Nothing is ever sent: the end of the thread is the end of the channel.
        let (running, ended) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            let _running = running;
            server.run(&app(tally), panics)
        });
        let (mut mine, mut others) = (Vec::new(), Vec::new());
        while mine.len() < 2 || others.len() < 2 {
            let mut client = Client::connect(address);
            client.add(1);
            if worker_of(&mut client) == worker { mine.push(client) } else { others.push(client) }
        }
        let count = mine.len() + others.len();
        panics.0.store(true, Ordering::Relaxed);
        drop(mine.pop());
        let end = ended.recv_timeout(PATIENCE);
        assert_eq!(end, Err(RecvTimeoutError::Disconnected), "the other worker goes on without worker {worker}");
        assert!(thread.join().is_err());
        assert_eq!(panics.1.load(Ordering::Relaxed), 1, "the observer is told of the end");
        let counts = tally.counts();
        assert_eq!((counts.opened, counts.ended.len()), (count, count));
        assert!(
            counts.ended.iter().filter(|reason| **reason == EndReason::Shutdown).count() >= count - 1,
            "{counts:?}"
        );
    }
}

/// Tells its peer's address when it is dropped.
struct Dropped<'a, 'r>(&'a Request<'r, Adder>, &'a mpsc::Sender<Option<PeerAddress>>);

impl Drop for Dropped<'_, '_> {
    fn drop(&mut self) {
        self.1.send(self.0.peer()).unwrap();
    }
}

/// Otherwise the number of its descriptor might be another connection's already.
#[test]
fn a_handler_at_work_is_dropped_before_its_socket_when_its_worker_panics() {
    let (gate, (tell, told)) = (forever(Gate::default()), mpsc::channel());
    let wait = get(async move |request: &mut Request<'_, Adder>| {
        let _dropped = Dropped(request, &tell);
        gate.pass().await;
    });
    let panics = Panics::new();
    panics.0.store(true, Ordering::Relaxed);
    let server = Running::start(with_threads(1), Router::new().route("/wait", wait), panics);
    let (mut waiting, leaving) = (server.client(), server.client());
    waiting.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
    gate.wait(1);
    let address = waiting.stream.local_addr().unwrap();
    drop(leaving);
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Some(address.into())));
}

/// Whoever has connected before a stop is served, whichever worker's turn it is, and so is what stands behind others' requests.
#[test]
fn a_stop_serves_the_backlog() {
    let (tally, barriers) = (forever(Tally::default()), forever([Barrier::new(3), Barrier::new(3)]));
    let block = get(async move |_: &mut Request<'_, Adder>| {
        for barrier in barriers {
            barrier.wait();
        }
        "blocked"
    });
    let app = Router::new().route("/block", block).route("/{*rest}", app(tally));
    let server = Running::start(with_threads(2), app, tally);
    // One of each worker.
    let mut blockers: [Option<Client>; 2] = [None, None];
    while blockers.iter().any(Option::is_none) {
        let mut client = server.client();
        let worker: usize = client.get("/id").text().split('.').next().unwrap().parse().unwrap();
        blockers[worker] = Some(client);
    }
    let mut blockers = blockers.map(Option::unwrap);
    for blocker in &mut blockers {
        blocker.send("GET /block HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    barriers[0].wait();
    // From here on neither worker does anything.
    let mut newcomers: Vec<_> = (0..48).map(|_| server.client()).collect();
    for client in newcomers.iter_mut().chain(&mut blockers) {
        client.send(post("/adder", "1"));
        client.send(post("/adder", "2"));
    }
    server.handle.stop();
    barriers[1].wait();
    for blocker in &mut blockers {
        assert_eq!(blocker.answer().text(), "blocked");
    }
    for mut client in blockers.into_iter().chain(newcomers) {
        let (first, last) = (client.answer(), client.answer());
        assert_eq!((first.text(), last.text()), ("1", "3"));
        client.expect_end();
    }
    server.join();
}
