//! A server on threads of its own, and what tells of its end.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use tenure::{EndReason, Observer, Request, Router, get};

use crate::common::{
    Client, Gate, PATIENCE, Tally, app, forever,
    port::{self, Server},
    settings, waiting, with_threads,
};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Arc::new(Unpark(thread::current())).into();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

/// How a server that was spawned is stopped, and its end awaited.
type Stops = fn(port::Running, &'static Gate) -> Result<(), port::Error>;

#[test]
fn its_stop_is_graceful_and_its_end_is_told() {
    let ways: [(&str, Stops); 3] = [
        ("stop, await", |server, stop| {
            stop.wait_open();
            server.stop();
            block_on(server)
        }),
        ("stop, wait", |server, stop| {
            stop.wait_open();
            server.handle().stop();
            server.wait()
        }),
        ("stop_when", |server, stop| block_on(server.stop_when(stop.pass()))),
    ];
    for threads in [1, 2] {
        for (way, stops) in ways {
            let (tally, gate, stop) = (forever(Tally::default()), forever(Gate::default()), forever(Gate::default()));
            let server = Server::bind(with_threads(threads)).unwrap();
            let address = server.local_addr();
            let server = server.spawn(waiting(tally, gate), tally).unwrap();
            assert_eq!(server.handle().local_addr(), address);
            let stopped = thread::spawn(move || stops(server, stop));
            let (mut idle, mut busy) = (Client::connect(address), Client::connect(address));
            idle.add(1);
            busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
            gate.wait(1);
            stop.open();
            idle.expect_end();
            assert!(!stopped.is_finished(), "{way}: a request is being answered");
            gate.open();
            let answer = busy.answer();
            assert_eq!(answer.text(), "waited", "{way}");
            // Another worker may not have heard of the stop yet when it answers.
            assert!(answer.closes() || threads > 1, "{way}: {answer:?}");
            busy.expect_end();
            drop(busy);
            stopped.join().unwrap().unwrap_or_else(|error| panic!("{way}: {error}"));
            assert_eq!(tally.counts().ended, [EndReason::Shutdown; 2], "{way}");
        }
    }
}

#[test]
fn nothing_is_left_of_it_when_its_end_is_told() {
    let shared = Arc::new(());
    let (of_app, of_observer) = (shared.clone(), Watching(shared.clone()));
    let count = get(async move |_: &mut Request<'_, ()>| Arc::strong_count(&of_app).to_string());
    let server = Server::bind(with_threads(2)).unwrap();
    let address = server.local_addr();
    let server = server.spawn(Router::new().route("/", count), of_observer).unwrap();
    assert_eq!(Client::connect(address).get("/").text(), "3");
    server.stop();
    block_on(server).unwrap();
    assert_eq!(Arc::strong_count(&shared), 1);
}

struct Watching(#[expect(dead_code, reason = "kept until it is dropped")] Arc<()>);

impl Observer for Watching {}

/// Tells that it is being dropped, and is not before it is told to.
struct Lingers(Sender<()>, Mutex<Receiver<()>>);

impl Observer for Lingers {}

impl Drop for Lingers {
    fn drop(&mut self) {
        let _ = self.0.send(());
        let _ = self.1.lock().unwrap().recv_timeout(PATIENCE);
    }
}

#[test]
fn who_awaits_it_is_not_blocked_by_what_is_dropped() {
    let ((tell, dropping), (go_on, told)) = (channel(), channel());
    let server = Server::bind(settings()).unwrap();
    let mut server = server.spawn(app(forever(Tally::default())), Lingers(tell, Mutex::new(told))).unwrap();
    server.stop();
    dropping.recv_timeout(PATIENCE).expect("the server ends");
    assert!(Pin::new(&mut server).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    go_on.send(()).unwrap();
    block_on(server).unwrap();
}

#[test]
fn it_goes_on_without_what_tells_of_its_end() {
    let tally = forever(Tally::default());
    let server = Server::bind(settings()).unwrap();
    let handle = server.handle();
    drop(server.spawn(app(tally), tally).unwrap());
    let mut client = Client::connect(handle.local_addr());
    assert_eq!((client.add(1), client.add(2)), (1, 3));
    handle.stop();
    client.expect_end();
}

/// Fails outside of what is contained.
struct Fails;

impl Observer for Fails {}

impl Drop for Fails {
    fn drop(&mut self) {
        panic!("as it should");
    }
}

#[test]
fn its_panic_is_the_panic_of_who_awaits_it() {
    let ends: [fn(port::Running) -> Result<(), port::Error>; 2] = [|server| block_on(server), port::Running::wait];
    for end in ends {
        let server = Server::bind(settings()).unwrap().spawn(app(forever(Tally::default())), Fails).unwrap();
        server.stop();
        let panic =
            catch_unwind(AssertUnwindSafe(|| end(server))).expect_err("its observer panicked when it was dropped");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"as it should"));
    }
}
