//! How a server ends, and why it may not start.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    num::NonZeroUsize,
    os::unix::process::ExitStatusExt,
    thread,
};

use crate::common::port::{Error, Server, Settings};
use crate::common::{
    Adder, Client, Gate, Process, Running, Tally, app, forever, line, local, log_to_parent, settings, waiting,
    with_threads,
};
use rustix::process::Signal;
use tenure::{Command, CommandError, ConnectionId, EndReason, Request, Router, get};

#[test]
fn what_is_idle_ends_and_what_is_at_work_finishes() {
    for threads in [1, 2] {
        let (tally, gate) = (forever(Tally::default()), forever(Gate::default()));
        let server = Running::start(with_threads(threads), waiting(tally, gate), tally);
        let (mut idle, mut busy, mut silent) = (server.client(), server.client(), server.client());
        idle.add(1);
        busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
        gate.wait(1);
        tally.wait(|counts| counts.connected == 3);
        server.handle.stop();
        idle.expect_end();
        silent.expect_end();
        assert_eq!(tally.wait(|counts| counts.disconnected.len() == 2).ended, [EndReason::Shutdown]);
        gate.open();
        let answer = busy.answer();
        assert_eq!((answer.text(), answer.closes()), ("waited", true), "{answer:?}");
        busy.expect_end();
        drop(busy);
        let address = server.address;
        server.join();
        assert_eq!(tally.counts().ended, [EndReason::Shutdown; 2]);
        assert_eq!((tally.counts().disconnected.len(), tally.counts().stopped), (3, 1));
        TcpStream::connect(address).expect_err("nobody listens any more");
    }
}

#[test]
fn at_once_is_at_once() {
    let (tally, gate) = (forever(Tally::default()), forever(Gate::default()));
    let server = Running::start(settings(), waiting(tally, gate), tally);
    let (mut idle, mut busy) = (server.client(), server.client());
    idle.add(1);
    busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
    gate.wait(1);
    server.handle.stop_now();
    idle.expect_gone();
    busy.expect_gone();
    server.join();
    assert_eq!(tally.counts().ended, [EndReason::Shutdown; 2]);
}

#[test]
fn what_does_not_finish_in_time_is_ended() {
    let (tally, gate) = (forever(Tally::default()), forever(Gate::default()));
    let mut settings = settings();
    settings.deadlines.flush_ms = 100;
    let server = Running::start(settings, waiting(tally, gate), tally);
    let mut busy = server.client();
    busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
    gate.wait(1);
    server.stop();
    busy.expect_gone();
    assert_eq!(tally.counts().ended, [EndReason::Shutdown]);
}

#[test]
fn a_handle_outlives_its_server() {
    let (server, _) = Running::adder(with_threads(2));
    let mut client = server.client();
    client.add(1);
    let id = server.handle.list().wait()[0].id;
    let handle = server.handle.clone();
    server.stop();
    handle.stop();
    handle.stop_now();
    assert_eq!(handle.close(id), Err(CommandError::Stopped(Command::Close(id))));
    assert_eq!(handle.close_now(id), Err(CommandError::Stopped(Command::CloseNow(id))));
    assert_eq!(handle.pin(id, true), Err(CommandError::Stopped(Command::Pin(id, true))));
    assert_eq!(handle.list().wait(), []);
    // Nor does one of a server that has never run keep anybody waiting.
    let server = Server::bind(settings()).unwrap();
    let handle = server.handle();
    let listing = handle.list();
    drop(server);
    assert_eq!(listing.wait(), []);
    assert_eq!(handle.list().wait(), []);
}

#[test]
fn a_given_listener_is_the_applications_own() {
    let listener = TcpListener::bind(local()).unwrap();
    let mine = listener.try_clone().unwrap();
    let settings = Settings { addresses: Vec::new(), listeners: vec![listener], ..settings() };
    let (server, _) = Running::adder(settings);
    assert_eq!(server.client().add(1), 1);
    server.stop();
    let address = mine.local_addr().unwrap();
    mine.set_nonblocking(false).unwrap();
    let connected = thread::spawn(move || TcpStream::connect(address).unwrap());
    mine.accept().expect("it listens still");
    connected.join().unwrap();
}

#[test]
fn a_port_in_use_is_told() {
    let taken = TcpListener::bind(local()).unwrap();
    let address = taken.local_addr().unwrap();
    let error = Server::bind(Settings::at(address)).expect_err("it is taken");
    assert!(matches!(error, Error::AddressInUse(told) if told == address), "{error:?}");
    let text = format!("{address} is in use: another program listens there; stop it, or choose another port");
    assert_eq!(error.to_string(), text);
    // What Rust prints where `main` returns it.
    assert_eq!(format!("{error:?}"), text);
    Server::bind(Settings::at(local())).expect("another port is free");
}

#[test]
fn an_address_that_is_not_here_is_told() {
    // RFC 5737 section 3: an address of no machine.
    let address = ([192, 0, 2, 1], 8080).into();
    let error = Server::bind(Settings::at(address)).expect_err("it is nobody's");
    assert!(matches!(error, Error::Bind(told, _) if told == address), "{error:?}");
    assert!(error.to_string().starts_with("cannot listen at 192.0.2.1:8080: "), "{error}");
}

/// What makes settings wrong, what they are right with, and what is told.
type Wrong = (fn(&mut Settings), fn(&mut Settings), &'static str);

const WRONG: &[Wrong] = &[
    (|settings| settings.addresses.clear(), |_| {}, "nowhere to listen"),
    (|settings| settings.connections_max = 0, |settings| settings.connections_max = 1, "`connections_max` is 0"),
    (
        |settings| (settings.threads, settings.connections_max) = (NonZeroUsize::new(3), 2),
        |settings| (settings.threads, settings.connections_max) = (NonZeroUsize::new(2), 2),
        "`threads` is above `connections_max`",
    ),
    (
        |settings| settings.threads = NonZeroUsize::new(257),
        |settings| settings.threads = NonZeroUsize::new(256),
        "`threads` is above 256",
    ),
    (
        |settings| (settings.threads, settings.lanes_max) = (NonZeroUsize::new(2), Some(0)),
        |settings| (settings.threads, settings.lanes_max) = (NonZeroUsize::new(2), Some(1)),
        "`lanes_max` is 0: no request could be answered; give 1 at least",
    ),
    (
        |settings| {
            (settings.input_bytes, settings.limits.head_bytes_max, settings.limits.target_bytes_max) = (255, 255, 255);
        },
        |settings| {
            (settings.input_bytes, settings.limits.head_bytes_max, settings.limits.target_bytes_max) = (256, 256, 256);
        },
        "must be at least 256",
    ),
    (|settings| settings.output_bytes = 255, |settings| settings.output_bytes = 256, "must be at least 256"),
    (|settings| settings.body_bytes = 0, |settings| settings.body_bytes = 1, "`body_bytes` is 0"),
    (
        |settings| settings.limits.head_bytes_max = 16_385,
        |settings| settings.limits.head_bytes_max = 16_384,
        "`limits.head_bytes_max` is above `input_bytes`",
    ),
    (
        |settings| settings.limits.target_bytes_max = 16_385,
        |settings| settings.limits.target_bytes_max = 16_384,
        "`limits.target_bytes_max` is above",
    ),
    (
        |settings| settings.connections_per_peer_max = Some(0),
        |settings| settings.connections_per_peer_max = Some(1),
        "`connections_per_peer_max` is 0",
    ),
    (|settings| settings.backlog = 0, |settings| settings.backlog = 1, "`backlog` is 0"),
    (
        |settings| (settings.keep_alive, settings.keep_alive_idle_s) = (true, 0),
        |settings| (settings.keep_alive, settings.keep_alive_idle_s) = (true, 1),
        "`keep_alive`",
    ),
    (
        |settings| (settings.keep_alive, settings.keep_alive_interval_s) = (true, 32_768),
        |settings| (settings.keep_alive, settings.keep_alive_interval_s) = (true, 32_767),
        "`keep_alive`",
    ),
    (
        |settings| (settings.keep_alive, settings.keep_alive_probes) = (true, 0),
        |settings| (settings.keep_alive, settings.keep_alive_probes) = (false, 0),
        "`keep_alive`",
    ),
    (|settings| settings.deadlines.head_ms = 0, |settings| settings.deadlines.head_ms = 1, "a deadline of 0 ms"),
    (
        |settings| settings.deadlines.first_byte_ms = 0,
        |settings| settings.deadlines.first_byte_ms = 1,
        "a deadline of 0 ms",
    ),
    (
        |settings| settings.deadlines.idle_ms = 0,
        |settings| settings.deadlines.idle_ms = tenure::NEVER,
        "a deadline of 0 ms",
    ),
    (|settings| settings.deadlines.body_ms = 0, |settings| settings.deadlines.body_ms = 1, "a deadline of 0 ms"),
    (|settings| settings.deadlines.handler_ms = 0, |settings| settings.deadlines.handler_ms = 1, "a deadline of 0 ms"),
    (
        |settings| settings.deadlines.response_ms = 0,
        |settings| {
            (settings.deadlines.response_ms, settings.deadlines.linger_ms, settings.deadlines.flush_ms) = (1, 0, 0);
        },
        "a deadline of 0 ms",
    ),
];

#[test]
fn wrong_settings_are_refused_beside_right_ones() {
    for (number, (wrong, right, text)) in WRONG.iter().enumerate() {
        let mut settings = Settings::at(local());
        wrong(&mut settings);
        match Server::bind(settings) {
            Err(Error::Settings(told)) => assert!(told.contains(text), "case {number}, `{text}`: {told}"),
            other => panic!("case {number}, `{text}`: {other:?}"),
        }
        let mut settings = Settings::at(local());
        right(&mut settings);
        Server::bind(settings).unwrap_or_else(|error| panic!("case {number}, beside `{text}`: {error}"));
    }
}

#[test]
fn the_smallest_server_that_is_accepted_serves() {
    let mut settings = Settings {
        connections_max: 1,
        backlog: 1,
        lanes_max: Some(1),
        input_bytes: 256,
        body_bytes: 1,
        output_bytes: 256,
        keep_alive: true,
        delivery_s: Some(1),
        ..settings()
    };
    (settings.limits.head_bytes_max, settings.limits.target_bytes_max) = (256, 256);
    let (server, _) = Running::adder(settings);
    let mut client = server.client();
    for sum in 1..=3 {
        assert_eq!(client.add(1), sum);
    }
    assert_eq!(client.get("/bytes/10000").body.len(), 10_000);
    server.stop();
}

/// What the processes of the tests below do.
#[test]
#[ignore = "run by the tests of signals, in a process of its own"]
fn with_signals() {
    log_to_parent();
    let (tally, gate) = (forever(Tally::default()), forever(Gate::default()));
    let server = Server::bind(settings()).unwrap().stop_on_signals().unwrap();
    println!("listening at {}", server.local_addr());
    thread::spawn(|| {
        gate.wait(1);
        println!("one waits");
        tally.wait(|counts| !counts.ended.is_empty());
        println!("one has ended");
        if line() == "open" {
            gate.open();
        }
    });
    server.run(&waiting(tally, gate), tally).unwrap();
    println!("the server has ended: {:?}", tally.counts().ended);
}

fn signalled(signal: Signal) -> (Process, Client) {
    let mut process = Process::start("stop::with_signals");
    let address = process.address();
    let (mut idle, mut busy) = (Client::connect(address), Client::connect(address));
    idle.add(1);
    busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
    process.hear("one waits");
    process.signal(signal);
    idle.expect_end();
    process.hear("one has ended");
    (process, busy)
}

#[test]
fn a_signal_stops_the_server() {
    for signal in [Signal::TERM, Signal::INT] {
        let (mut process, mut busy) = signalled(signal);
        process.tell("open");
        let answer = busy.answer();
        assert_eq!((answer.text(), answer.closes()), ("waited", true));
        busy.expect_end();
        drop(busy);
        assert_eq!(process.hear("the server has ended: "), "[Shutdown, Shutdown]");
        assert!(process.end().success());
        assert_eq!(process.count("stopping after a signal"), 1, "{:#?}", process.told);
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (first, second) in [(Signal::TERM, Signal::TERM), (Signal::TERM, Signal::INT), (Signal::INT, Signal::INT)] {
        let (mut process, mut busy) = signalled(first);
        process.signal(second);
        busy.expect_gone();
        assert_eq!(process.hear("the server has ended: "), "[Shutdown, Shutdown]");
        assert!(process.end().success());
        assert_eq!(process.count("ending at once after a second signal"), 1, "{:#?}", process.told);
    }
}

/// What the process of the test below does.
#[test]
#[ignore = "run by `a_signal_reaches_those_beside_a_worker_that_is_stuck`, in a process of its own"]
fn with_signals_and_a_stuck_worker() {
    let tally = forever(Tally::default());
    let stick = get(async |_: &mut Request<'_, Adder>| -> &'static str {
        println!("parked");
        loop {
            thread::park();
        }
    });
    let server = Server::bind(with_threads(2)).unwrap().stop_on_signals().unwrap();
    println!("listening at {}", server.local_addr());
    server.run(&Router::new().route("/stick", stick).route("/{*rest}", app(tally)), tally).unwrap();
}

/// A client of each of two workers.
fn one_of_each_worker(address: SocketAddr) -> [Client; 2] {
    let (mut clients, mut others) = ([None, None], Vec::new());
    while clients.iter().any(Option::is_none) {
        let mut client = Client::connect(address);
        let worker: usize = client.get("/id").text().split('.').next().unwrap().parse().unwrap();
        others.extend(clients[worker].replace(client));
    }
    clients.map(Option::unwrap)
}

#[test]
fn a_signal_reaches_those_beside_a_worker_that_is_stuck() {
    for stuck in [0, 1] {
        let mut process = Process::start("stop::with_signals_and_a_stuck_worker");
        let mut clients = one_of_each_worker(process.address());
        clients[stuck].send("GET /stick HTTP/1.1\r\nHost: test\r\n\r\n");
        process.hear("parked");
        process.signal(Signal::TERM);
        clients[1 - stuck].expect_end();
        process.signal(Signal::KILL);
    }
}

/// What the processes of the test below do.
#[test]
#[ignore = "run by `a_second_signal_reaches_who_is_left`, in a process of its own"]
fn with_signals_and_two_workers() {
    let (tally, gate) = (forever(Tally::default()), forever(Gate::default()));
    let server = Server::bind(with_threads(2)).unwrap().stop_on_signals().unwrap();
    println!("listening at {}", server.local_addr());
    let handle = server.handle();
    thread::spawn(move || {
        gate.wait(1);
        println!("one waits");
        let ended = Command::Close(ConnectionId::new(line().parse().unwrap(), 0, 0));
        while handle.command(ended) != Err(CommandError::Stopped(ended)) {
            thread::yield_now();
        }
        println!("a worker has ended");
    });
    server.run(&waiting(tally, gate), tally).unwrap();
}

/// Whichever worker has ended, the first one included.
#[test]
fn a_second_signal_reaches_who_is_left() {
    for busy in [0, 1] {
        let mut process = Process::start("stop::with_signals_and_two_workers");
        let mut clients = one_of_each_worker(process.address());
        clients[busy].send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
        process.hear("one waits");
        process.signal(Signal::TERM);
        clients[1 - busy].expect_end();
        process.tell(&(1 - busy).to_string());
        process.hear("a worker has ended");
        process.signal(Signal::TERM);
        clients[busy].expect_gone();
        assert!(process.end().success());
    }
}

/// What the processes of the tests below do.
#[test]
#[ignore = "run by the tests of signals behind a server, in a process of its own"]
fn with_signals_behind_a_server() {
    let hears = || Server::bind(settings()).unwrap().stop_on_signals().unwrap();
    // Other servers come and go.
    drop(hears());
    let server = hears();
    drop(hears());
    println!("listening at {}", server.local_addr());
    server.run(&app(forever(Tally::default())), &()).unwrap();
    println!("the server has ended");
    println!("heard: {}", line());
}

/// Whatever of its servers have come and gone before, and after which signal.
#[test]
fn a_signal_behind_a_server_ends_the_process() {
    for (first, second) in [(Signal::TERM, Signal::INT), (Signal::INT, Signal::TERM)] {
        let mut process = Process::start_with_interrupts("stop::with_signals_behind_a_server");
        process.address();
        process.signal(first);
        process.hear("the server has ended");
        process.signal(second);
        assert_eq!(process.end().signal(), Some(second.as_raw()));
    }
}

#[test]
fn what_was_ignored_before_a_server_is_ignored_behind_it() {
    let mut process = Process::start_without_interrupts("stop::with_signals_behind_a_server");
    process.address();
    process.signal(Signal::INT);
    process.hear("the server has ended");
    process.signal(Signal::INT);
    process.tell("go on");
    assert_eq!(process.hear("heard: "), "go on");
    assert!(process.end().success());
}
