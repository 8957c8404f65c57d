//! The whole path on real sockets.

use std::{
    net::{Ipv6Addr, SocketAddr, TcpListener},
    sync::Mutex,
};

use crate::common::port::{Server, Settings};
use crate::common::{Client, PATTERN, Running, Tally, app, forever, local, post, settings, with_threads};
use tenure::{Admission, ConnectionId, Deadline, EndReason, NEVER, Observer, PeerAddress};

#[test]
fn adds_over_one_connection() {
    let (server, tally) = Running::adder(settings());
    let mut client = server.client();
    for (number, sum) in [(1, 1), (2, 3), (-5, -2), (i64::from(i32::MAX), 2_147_483_645)] {
        assert_eq!(client.add(number), sum);
    }
    assert_eq!(client.get("/adder").text(), "2147483645");
    assert_eq!(server.client().get("/adder").text(), "0", "another connection has a sum of its own");
    drop(client);
    server.stop();
    let counts = tally.counts();
    assert_eq!((counts.opened, counts.ended.len()), (1, 1));
    assert_eq!((counts.connected, counts.disconnected.len()), (2, 2));
}

#[test]
fn a_request_may_come_in_two_segments() {
    let (server, _) = Running::adder(settings());
    let request = post("/adder", "7");
    let mut client = server.client();
    let mut other = server.client();
    for (sum, split) in (1..).zip(1..request.len()) {
        client.send(&request[..split]);
        // Another connection's answer: by then the server has had the chance to see the first segment alone.
        other.get("/adder");
        client.send(&request[split..]);
        assert_eq!(client.sum(), 7 * sum, "split at {split}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let (server, _) = Running::adder(settings());
    let mut client = server.client();
    client.send(post("/adder", "1").repeat(200));
    for sum in 1..=200 {
        assert_eq!(client.sum(), sum);
    }
}

#[test]
fn bodies_may_be_chunked_both_ways() {
    let (server, _) = Running::adder(settings());
    let mut client = server.client();
    let head = "POST /adder HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.send(format!("{head}1\r\n4\r\n1;ext=1\r\n2\r\n0\r\nTrailer: x\r\n\r\n"));
    assert_eq!(client.sum(), 42);
    for count in [0, 1, 63, 64, 100_000] {
        let answer = client.get(&format!("/bytes/{count}"));
        assert_eq!(answer.field("transfer-encoding"), Some("chunked"));
        assert!(answer.body.iter().copied().eq(PATTERN.iter().copied().cycle().take(count)), "{count} bytes");
    }
    assert_eq!(client.get("/adder").text(), "42");
}

#[test]
fn listens_at_several_addresses() {
    let listener = TcpListener::bind(local()).unwrap();
    let given = listener.local_addr().unwrap();
    let six: SocketAddr = (Ipv6Addr::LOCALHOST, 0).into();
    // A machine without IPv6 has nothing to show of it.
    let addresses = if TcpListener::bind(six).is_ok() { vec![local(), six] } else { vec![local(), local()] };
    let server =
        Server::bind(Settings { addresses: addresses.clone(), listeners: vec![listener], ..settings() }).unwrap();
    let local_addresses = server.local_addresses().to_vec();
    assert_eq!(local_addresses.len(), 3);
    assert_eq!(server.local_addr(), local_addresses[0]);
    assert_eq!(local_addresses[2], given);
    for (address, asked) in local_addresses.iter().zip(&addresses) {
        assert_eq!(address.ip(), asked.ip());
        assert_ne!(address.port(), 0, "the real port is told");
    }
    let tally = forever(Tally::default());
    let server = Running::of(server, app(tally), tally);
    assert_eq!(server.handle.local_addresses(), local_addresses);
    for address in local_addresses {
        let mut client = Client::connect(address);
        assert_eq!(client.add(1), 1);
        assert_eq!(client.get("/peer").text(), client.stream.local_addr().unwrap().to_string());
    }
    server.stop();
}

/// Notes who connects, in that order.
#[derive(Default)]
struct Order(Mutex<Vec<PeerAddress>>);

impl Observer for Order {
    fn connected(&self, _: ConnectionId, peer: Option<PeerAddress>) -> Admission {
        self.0.lock().unwrap().extend(peer);
        Admission::Accept
    }
}

/// One that many connect to does not keep the others' waiting for more than a batch.
#[test]
fn listeners_take_turns() {
    let server = Server::bind(Settings { addresses: vec![local(), local()], ..settings() }).unwrap();
    let addresses = server.local_addresses().to_vec();
    let many: Vec<_> = (0..200).map(|_| Client::connect(addresses[0])).collect();
    let mut other = Client::connect(addresses[1]);
    let order = forever(Order::default());
    let server = Running::of(server, app(forever(Tally::default())), order);
    other.get("/id");
    let own = other.stream.local_addr().unwrap().into();
    let before = order.0.lock().unwrap().iter().position(|&peer| peer == own);
    assert_eq!(before, Some(64), "of {} others", many.len());
    server.stop();
}

#[test]
fn several_threads_serve() {
    let (server, tally) = Running::adder(with_threads(4));
    let mut clients: Vec<_> = (0..200).map(|_| server.client()).collect();
    for round in 1..=3 {
        for (number, client) in (0..).zip(&mut clients) {
            assert_eq!(client.add(number), round * number);
        }
    }
    let ids: std::collections::HashSet<_> =
        clients.iter_mut().map(|client| client.get("/id").text().to_owned()).collect();
    assert_eq!(ids.len(), 200, "each connection has an id of its own");
    server.stop();
    let counts = tally.counts();
    assert_eq!((counts.opened, counts.ended.len(), counts.disconnected.len()), (200, 200, 200));
}

#[test]
fn ids_of_connections_are_never_used_again() {
    let (server, tally) = Running::adder(settings());
    let mut ids = Vec::new();
    for count in 1..=20 {
        let mut client = server.client();
        ids.push(client.get("/id").text().to_owned());
        drop(client);
        tally.wait(|counts| counts.disconnected.len() == count);
    }
    let told: Vec<_> = tally.counts().disconnected.iter().map(|(id, _)| id.to_string()).collect();
    assert_eq!(told, ids);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

#[test]
fn the_date_is_told() {
    let (server, _) = Running::adder(settings());
    let mut client = server.client();
    let answer = client.get("/adder");
    let date = answer.field("date").expect("a Date").to_owned();
    // Sun, 06 Nov 1994 08:49:37 GMT (RFC 9110 section 5.6.7)
    let shape: String = date.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape[3..8], *", 00 ", "{date}");
    assert_eq!(shape[11..], *" 0000 00:00:00 GMT", "{date}");
    assert!(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].contains(&&date[..3]), "{date}");
    let since = |time: std::time::SystemTime| time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let now = since(std::time::SystemTime::now());
    // The test may have been held up between the answer and now.
    let told = (0..120).find(|ago| tenure::port::imf_fixdate(now + 1 - ago) == date.as_bytes());
    assert!(told.is_some(), "{date} is not now");
}

#[test]
fn a_connection_that_says_nothing_and_closes_has_no_session() {
    let (server, tally) = Running::adder(settings());
    drop(server.client());
    let counts = tally.wait(|counts| counts.disconnected.len() == 1);
    assert_eq!(counts.opened, 0);
    assert_eq!(counts.disconnected[0].1, EndReason::PeerClosed);
}

#[test]
fn a_connection_that_says_nothing_is_not_one_that_is_idle() {
    let mut settings = settings();
    (settings.deadlines.first_byte_ms, settings.deadlines.idle_ms) = (50, NEVER);
    let (server, tally) = Running::adder(settings);
    let (mut silent, mut idle) = (server.client(), server.client());
    idle.add(1);
    silent.expect_end();
    let counts = tally.wait(|counts| counts.disconnected.len() == 1);
    assert_eq!(counts.disconnected[0].1, EndReason::Deadline(Deadline::FirstByte));
    assert_eq!(idle.add(1), 2);
    server.stop();
}
