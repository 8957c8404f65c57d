//! How many are served at once, and what becomes of the others.

use std::{
    fs::File,
    net::IpAddr,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use crate::common::port::{Server, Settings};
use crate::common::{
    Adder, Client, Gate, Process, Running, TURNS_AT_REST, Tally, app, forever, line, log_to_parent, post, settings,
    with_threads,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use tenure::{Admission, ConnectionId, EndReason, Eviction, Observer, PeerAddress, Request, Router, get};

#[test]
fn one_more_than_there_may_be_waits_until_one_leaves() {
    for threads in [1, 2, 3] {
        let (server, tally) = Running::adder(Settings { connections_max: 7, ..with_threads(threads) });
        let mut clients: Vec<_> = (0..7).map(|_| server.client()).collect();
        for client in &mut clients {
            assert_eq!(client.add(1), 1);
        }
        let mut next = server.client();
        next.send(post("/adder", "5"));
        for _ in 0..50 {
            for client in &mut clients {
                client.get("/id");
            }
        }
        assert_eq!(tally.counts().connected, 7, "the eighth waits, with {threads} threads");
        drop(clients.remove(3));
        assert_eq!(next.sum(), 5);
        assert_eq!(tally.counts().connected, 8);
        for client in &mut clients {
            assert_eq!(client.add(1), 2, "nobody else was touched");
        }
        assert_eq!(tally.counts().evicted, 0);
        server.stop();
    }
}

#[test]
fn the_least_recently_used_gives_way() {
    for threads in [1, 2] {
        let settings = Settings { connections_max: 7, eviction: Eviction::LeastRecentlyUsed, ..with_threads(threads) };
        let (server, tally) = Running::adder(settings);
        let client = |number| {
            let mut client = server.client();
            assert_eq!(client.add(number), number, "with {threads} threads");
            client
        };
        // Full, however many of one worker's have given way while the other was slow.
        let mut before = Vec::new();
        while server.handle.list().wait().len() < 7 {
            before.push(client(0));
        }
        let already = before.len() - 7;
        let mut clients: Vec<_> = (0..20).map(client).collect();
        let counts = tally.counts();
        let wanted = (27 + already, 20 + already, 20 + already);
        assert_eq!((counts.connected, counts.evicted, counts.ended.len()), wanted, "with {threads} threads");
        assert!(counts.ended.iter().all(|reason| matches!(reason, EndReason::Evicted { .. })), "{counts:?}");
        let mut listed = server.handle.list().wait();
        assert_eq!(listed.len(), 7);
        if threads == 1 {
            let mut left = clients.split_off(13);
            for (number, client) in (13..).zip(&mut left) {
                assert_eq!(client.add(0), number, "the last ones have stayed");
            }
            clients.iter_mut().for_each(Client::expect_gone);
        }
        listed.sort_unstable_by_key(|listed| listed.id);
        listed.dedup_by_key(|listed| listed.id);
        assert_eq!(listed.len(), 7);
        server.stop();
    }
}

/// Without a session nobody keeps others out: who has none gives way, and is told so while there is no place on any worker.
#[test]
fn those_without_a_session_give_way() {
    for threads in [1, 2] {
        let (server, tally) = Running::adder(Settings { connections_max: 4, ..with_threads(threads) });
        let mut first = server.client();
        assert_eq!(first.add(1), 1);
        let mut idle = vec![server.client(), server.client()];
        for client in &mut idle {
            assert!(!client.get("/adder").closes(), "one place is free, with {threads} threads");
        }
        // A worker that waits for the other one in vain evicts one of its own instead, and a place stays free.
        let mut attempts = 0..100;
        let mut last = loop {
            let mut client = server.client();
            if client.get("/adder").closes() {
                break client;
            }
            assert!(threads > 1 && attempts.next().is_some(), "all places are taken, with {threads} threads");
            idle.push(client);
        };
        last.expect_end();
        drop(last);
        for number in 0..3 {
            let mut client = server.client();
            assert_eq!(client.add(number), number);
            assert!(!client.get("/adder").closes(), "it has a session");
            std::mem::forget(client);
        }
        idle.iter_mut().for_each(Client::expect_gone);
        assert_eq!(first.add(1), 2, "nobody lost anything");
        assert!(
            tally.counts().ended.iter().all(|reason| matches!(reason, EndReason::Evicted { .. } | EndReason::MadeRoom))
        );
        server.stop();
    }
}

#[test]
fn a_pinned_connection_does_not_give_way() {
    let tally = forever(Tally::default());
    let pin = get(async |request: &mut Request<'_, Adder>| {
        request.pin(true);
        "pinned"
    });
    let app = Router::new().route("/pin", pin).route("/{*rest}", app(tally));
    let settings = Settings { connections_max: 2, eviction: Eviction::LeastRecentlyUsed, ..settings() };
    let server = Running::start(settings, app, tally);
    let mut pinned = server.client();
    pinned.add(1);
    assert_eq!(pinned.get("/pin").text(), "pinned");
    for number in 0..5 {
        assert_eq!(server.client().add(number), number);
    }
    assert_eq!(pinned.add(1), 2);
    server.stop();
}

#[test]
fn as_many_requests_are_at_work_as_there_are_lanes() {
    let (tally, gate) = (forever(Tally::default()), forever(Gate::default()));
    let wait = get(async |request: &mut Request<'_, Adder>| {
        gate.pass().await;
        request.id().to_string()
    });
    let server =
        Running::start(Settings { lanes_max: Some(2), ..settings() }, Router::new().route("/wait", wait), tally);
    let mut clients: Vec<_> = (0..5).map(|_| server.client()).collect();
    for client in &mut clients {
        client.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    gate.wait(2);
    // All five are connected, and only two can be at work.
    tally.wait(|counts| counts.connected == 5);
    assert_eq!(tally.counts().responses, 0);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
    server.stop();
}

const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: test\r\n\r\n";

/// A server on which `/wait` waits long.
fn with_lanes(lanes: u32, settings: Settings, gate: &'static Gate) -> Running {
    let tally = forever(Tally::default());
    let wait = get(async |_: &mut Request<'_, Adder>| {
        gate.pass().await;
        "waited"
    });
    let app = Router::new().route("/wait", wait.waits_long()).route("/{*rest}", app(tally));
    Running::start(Settings { lanes_max: Some(lanes), ..settings }, app, tally)
}

#[test]
fn the_last_of_several_lanes_is_left_to_short_requests() {
    for (lanes, connections, may) in [(1, 8, 1), (2, 8, 1), (4, 8, 3), (4, 5, 3), (4, 4, 4), (5, 4, 4), (1, 1, 1)] {
        let what = format!("{lanes} lanes of {connections} connections");
        let gate = forever(Gate::default());
        let server = with_lanes(lanes, Settings { connections_max: connections, ..settings() }, gate);
        let mut waiting = Vec::new();
        for number in 1..=may {
            let mut client = server.client();
            client.send(WAIT);
            gate.wait(number);
            waiting.push(client);
        }
        if lanes > 1 && may < connections as usize {
            let mut one_more = server.client();
            assert_eq!(one_more.get("/wait").status, 503, "{what}");
            assert_eq!(one_more.add(1), 1, "{what}");
        } else if may < connections as usize {
            // It waits for the only lane.
            waiting.push(server.client());
            waiting[may].send(WAIT);
        }
        gate.open();
        for client in &mut waiting {
            assert_eq!(client.answer().status, 200, "{what}");
        }
        server.stop();
    }
}

/// Lanes count per worker: of as many clients as one worker has lanes, one at the most is told to come later, whichever workers
/// they meet.
#[test]
fn each_worker_has_all_the_lanes() {
    for (threads, lanes, clients, most) in [(2, 1, 2, 0), (3, 1, 4, 0), (2, 4, 3, 0), (2, 4, 4, 1), (3, 4, 4, 1)] {
        let what = format!("{threads} threads, {lanes} lanes, {clients} clients");
        let gate = forever(Gate::default());
        let server = with_lanes(lanes, with_threads(threads), gate);
        let mut waiting: Vec<_> = (0..clients).map(|_| server.client()).collect();
        for client in &mut waiting {
            client.send(WAIT);
        }
        if lanes > 1 {
            // On each worker there is a lane for them.
            for _ in 0..4 {
                assert_eq!(server.client().add(1), 1, "{what}");
            }
        }
        gate.open();
        let statuses: Vec<_> = waiting.iter_mut().map(|client| client.answer().status).collect();
        let later = statuses.iter().filter(|status| **status == 503).count();
        assert!(later <= most && statuses.iter().all(|status| matches!(status, 200 | 503)), "{what}: {statuses:?}");
        server.stop();
    }
}

/// What the process of the test below does.
#[test]
#[ignore = "run by `without_descriptors_those_that_there_are_go_on`, in a process of its own"]
fn without_descriptors() {
    log_to_parent();
    setrlimit(Resource::Nofile, Rlimit { current: Some(160), maximum: Some(160) }).unwrap();
    let tally = forever(Tally::default());
    let mut settings = settings();
    settings.deadlines.head_ms = 500;
    let server = Server::bind(settings).unwrap();
    println!("listening at {}", server.local_addr());
    thread::spawn(|| {
        assert_eq!(line(), "take them");
        // One at a time until there are no more.
        let files: Vec<_> = std::iter::repeat_with(|| File::open("/dev/null")).map_while(Result::ok).collect();
        println!("all taken");
        assert_eq!(line(), "give back");
        drop(files);
    });
    server.run(&app(tally), tally).unwrap();
}

#[test]
fn without_descriptors_those_that_there_are_go_on() {
    let mut process = Process::start("limits::without_descriptors");
    let address = process.address();
    let (mut early, mut slow) = (Client::connect(address), Client::connect(address));
    assert_eq!((early.add(1), slow.add(1)), (1, 1));
    process.tell("take them");
    process.hear("all taken");
    let mut late = Client::connect(address);
    late.send(post("/adder", "7"));
    // accept(2) fails for want of a descriptor also while nobody waits, so it may have been said before.
    if process.count("no connection can be accepted") == 0 {
        process.hear("no connection can be accepted for now");
    }
    let before = early.turns();
    slow.send("GET /adder HTTP/1.1\r\n");
    // Half a second later, which is several attempts to accept:
    assert_eq!(slow.answer().status, 408);
    assert_eq!(early.add(1), 2);
    let turns = early.turns() - before;
    assert!(turns <= TURNS_AT_REST, "{turns} turns: it spins");
    process.tell("give back");
    assert_eq!(late.sum(), 7);
    process.hear("connections are accepted again");
    process.signal(rustix::process::Signal::KILL);
    process.end();
    assert_eq!(process.count("connections_max is lowered"), 1, "{:#?}", process.told);
    assert_eq!(process.count("no connection can be accepted"), 1, "said once: {:#?}", process.told);
}

const HERE: [u8; 4] = [127, 0, 0, 1];
const THERE: [u8; 4] = [127, 0, 0, 2];

/// Notes who was turned away, and counts the others.
struct Door(Tally, Mutex<Vec<IpAddr>>);

impl Observer for Door {
    fn connected(&self, id: ConnectionId, peer: Option<PeerAddress>) -> Admission {
        self.0.connected(id, peer)
    }

    fn turned_away(&self, peer: PeerAddress) {
        self.1.lock().unwrap().extend(peer.ip());
    }

    fn evicted(&self, id: ConnectionId, by: ConnectionId) {
        self.0.evicted(id, by);
    }

    fn disconnected(&self, id: ConnectionId, reason: EndReason, session: bool) {
        self.0.disconnected(id, reason, session);
    }
}

fn door(settings: Settings) -> (Running, &'static Door) {
    let door = forever(Door(Tally::default(), Mutex::default()));
    (Running::start(settings, app(forever(Tally::default())), door), door)
}

/// As many as a peer may have are served, one more is closed, and all that however many workers there are; others do not notice.
#[test]
fn a_peer_has_so_many_connections() {
    for threads in [1, 2, 3] {
        let (server, door) = door(Settings { connections_per_peer_max: Some(3), ..with_threads(threads) });
        let from = |source| {
            let mut client = Client::connect_from(source, server.address);
            assert_eq!(client.add(1), 1, "with {threads} threads");
            client
        };
        let mut clients: Vec<_> = (0..3).map(|_| from(HERE)).collect();
        Client::connect_from(HERE, server.address).expect_gone();
        let mut others: Vec<_> = (0..3).map(|_| from(THERE)).collect();
        Client::connect_from(THERE, server.address).expect_gone();
        assert_eq!(*door.1.lock().unwrap(), [HERE, THERE].map(IpAddr::from), "with {threads} threads");
        // Whoever leaves makes room for one more.
        for gone in 1..=3 {
            drop(clients.remove(0));
            door.0.wait(|counts| counts.disconnected.len() == gone);
            clients.push(from(HERE));
            Client::connect_from(HERE, server.address).expect_gone();
        }
        for client in clients.iter_mut().chain(&mut others) {
            assert_eq!(client.add(1), 2, "nobody else was touched, with {threads} threads");
        }
        assert_eq!((door.0.counts().connected, door.1.lock().unwrap().len()), (9, 5));
        server.stop();
    }
}

/// One that is evicted is gone; who is turned away evicts nobody.
#[test]
fn who_is_turned_away_takes_no_place() {
    let eviction = Eviction::LeastRecentlyUsed;
    let (server, door) =
        door(Settings { connections_max: 4, connections_per_peer_max: Some(3), eviction, ..settings() });
    let from = |source| {
        let mut client = Client::connect_from(source, server.address);
        assert_eq!(client.add(1), 1);
        client
    };
    let mut here: Vec<_> = (0..3).map(|_| from(HERE)).collect();
    let there = from(THERE);
    Client::connect_from(HERE, server.address).expect_gone();
    assert_eq!(door.0.counts().evicted, 0);
    let another = from(THERE);
    assert_eq!(door.0.counts().evicted, 1);
    here.remove(0).expect_gone();
    let again = from(HERE);
    assert_eq!((door.0.counts().evicted, door.1.lock().unwrap().len()), (2, 1));
    drop((there, another, again));
    server.stop();
}

/// Without a bound a peer has as many as there may be.
#[test]
fn without_a_bound_per_peer() {
    let (server, door) = door(Settings { connections_max: 8, ..settings() });
    let mut clients: Vec<_> = (0..8).map(|_| server.client()).collect();
    for client in &mut clients {
        assert_eq!(client.add(1), 1);
    }
    assert!(door.1.lock().unwrap().is_empty());
    server.stop();
}

/// What the application's observer refuses does not count.
#[test]
fn who_is_refused_otherwise_is_not_counted() {
    #[derive(Default)]
    struct Refuses(AtomicU32);

    impl Observer for Refuses {
        fn connected(&self, _: ConnectionId, _: Option<PeerAddress>) -> Admission {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 | 1 => Admission::Refuse,
                2 => panic!("on purpose"),
                _ => Admission::Accept,
            }
        }
    }

    let tally = forever(Tally::default());
    let settings = Settings { connections_per_peer_max: Some(1), ..settings() };
    let server = Running::start(settings, app(tally), forever(Refuses::default()));
    for _ in 0..3 {
        server.client().expect_gone();
    }
    assert_eq!(server.client().add(1), 1);
    server.stop();
}
