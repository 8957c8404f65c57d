//! The server on a stack, its clients on another.

mod common;

use std::{future::poll_fn, task::Poll};

use embassy_net::{ConfigV4, ConfigV6, Ipv4Address, Ipv4Cidr, Ipv6Address, StaticConfigV4, tcp::Error};
use embassy_net_driver::{Driver, LinkState};
use embassy_time::{Duration, Timer};
use tenure::{Command, CommandError, ConnectionId, Deadline, EndReason, Event, Eviction, Frame, NEVER, PushError};
use tenure_embassy::{Settings, SteadyLink};

use crate::common::{Client, LANES, LONG, NEWS, PORT, ROOM, Runs, SESSIONS, SOCKETS, v6, with_board, with_server};

fn settings() -> Settings {
    Settings::at(PORT)
}

async fn ms(ms: u64) {
    Timer::after(Duration::from_millis(ms)).await;
}

#[test]
fn a_sum_for_each_connection() {
    with_server(Runs::of(settings()), async |world| {
        let mut clients = [Client::connect(world).await, Client::connect(world).await, Client::connect(world).await];
        for round in 1..=20 {
            for (factor, client) in (1..).zip(&mut clients) {
                assert_eq!(client.add(factor).await, factor * round);
            }
        }
        for client in &mut clients {
            client.socket.close();
        }
        ms(100).await;
        assert_eq!(world.ends.take(), [EndReason::PeerClosed; 3]);
        assert_eq!(world.ends.sessions.get(), 3);
    });
}

/// All sessions but one may stay open, on two lanes, and a plain request is answered meanwhile.
#[test]
fn all_but_one_stay_open() {
    with_board::<8, 2, 10, 600, 512, _>(Runs::of(settings()), async |world| {
        let mut sockets = Vec::new();
        for _ in 0..7 {
            sockets.push(Client::open(world, "/chat").await);
        }
        for socket in &mut sockets {
            socket.say("hello").await;
            assert_eq!(socket.take(7).await, b"\x81\x05hello");
        }
        let mut plain = Client::connect(world).await;
        assert_eq!(plain.add(5).await, 5);
        plain.send(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(plain.answer().await.map(|(status, _)| status), Some(503));
        sockets[3].say("all").await;
        for socket in &mut sockets {
            assert_eq!(socket.take(5).await, b"\x81\x03all");
        }
        assert_eq!(plain.add(5).await, 10, "nothing is lost by it");
        // Half a message holds no lane.
        for socket in &mut sockets[..3] {
            socket.send(b"\x81\x83\0\0\0").await;
        }
        ms(10).await;
        sockets[6].say("other").await;
        assert_eq!(sockets[6].take(7).await, b"\x81\x05other");
        for socket in &mut sockets[..3] {
            socket.send(b"\0end").await;
            assert_eq!(socket.take(5).await, b"\x81\x03end");
        }
    });
}

#[test]
fn tasks_push_to_what_stays_open() {
    with_server(Runs::of(settings()), async |world| {
        let pushes = world.pushes;
        let (mut chat, mut stream) = (Client::open(world, "/chat").await, Client::open(world, "/events").await);
        let mut ids = Vec::new();
        world.handle.list(|listed| ids.push(listed.id)).await;
        assert_eq!(pushes.publish(NEWS, Event::data("21.5")), Ok(()));
        assert_eq!(pushes.publish(ROOM, Frame::text("room")), Ok(()));
        // The server has no turn before this test waits for something.
        assert_eq!(pushes.publish(ROOM, Frame::text("room")), Err(PushError::Full));
        assert_eq!(stream.take(12).await, b"data: 21.5\n\n");
        assert_eq!(chat.take(6).await, b"\x81\x04room");
        assert_eq!(pushes.send(ids[0], Frame::text("you")), Ok(()));
        assert_eq!(chat.take(5).await, b"\x81\x03you");
        assert_eq!(pushes.publish(ROOM, Frame::text(&"x".repeat(62))), Ok(()));
        assert_eq!(chat.take(64).await[..3], *b"\x81\x3ex");
        let too_long = pushes.publish(ROOM, Frame::text(&"x".repeat(63)));
        assert!(matches!(too_long, Err(PushError::Content(error)) if error.bytes_max() == Some(64)));
        world.handle.stop();
        assert_eq!(chat.take(4).await, [0x88, 2, 3, 0xe9]);
        assert!(stream.is_ended().await);
        chat.socket.close();
        stream.socket.close();
        ms(3_000).await;
        assert_eq!(pushes.publish(ROOM, Frame::text("nobody")), Err(PushError::Stopped));
    });
}

/// What has no room in a socket's ring is left out as a whole; nobody else waits for who does not read.
#[test]
fn who_does_not_read_misses_some() {
    // More than the client's socket takes by itself, the server's ring and, built with a heap, 64 KiB that wait.
    const COUNT: usize = 1_500;
    let deadlines = tenure::Deadlines { ping_ms: NEVER, response_ms: NEVER, ..tenure::Deadlines::BOARD };
    with_server(Runs::of(Settings { deadlines, ..settings() }), async |world| {
        let (mut slow, mut reader) = (Client::open(world, "/chat").await, Client::open(world, "/chat").await);
        let text = "x".repeat(60);
        for _ in 0..COUNT {
            assert_eq!(world.pushes.publish(ROOM, Frame::text(&text)), Ok(()));
            assert_eq!(reader.take(62).await[..2], [0x81, 60]);
            // Acknowledged, so that its ring has room again.
            ms(20).await;
        }
        slow.say("now").await;
        let mut whole = 0;
        loop {
            let head = slow.take(2).await;
            let content = slow.take(usize::from(head[1])).await;
            if content == b"now" {
                break;
            }
            assert_eq!((head[0], content), (0x81, text.clone().into_bytes()));
            whole += 1;
        }
        assert!(whole > 9 && whole < COUNT, "{whole} of {COUNT}");
        reader.socket.abort();
    });
}

#[test]
fn torn_pipelined_long_and_waiting() {
    with_server(Runs::of(settings()), async |world| {
        let mut client = Client::connect(world).await;
        for byte in b"POST /add HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n7" {
            client.send(&[*byte]).await;
            ms(1).await;
        }
        assert_eq!(client.answer().await, Some((200, "7".into())));
        client.send(&b"POST /add HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1".repeat(30)).await;
        for sum in 8..38 {
            assert_eq!(client.answer().await, Some((200, sum.to_string())));
        }
        client.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\nGET /long HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut other = Client::connect(world).await;
        assert_eq!(other.add(1).await, 1, "served while the other waits");
        assert_eq!(client.answer().await, Some((200, "waited".into())));
        assert_eq!(client.answer().await, Some((200, LONG.into())));
    });
}

#[test]
fn a_newcomer_waits_while_every_place_is_taken() {
    with_server(Runs::of(settings()), async |world| {
        let mut clients = Vec::new();
        for _ in 0..SESSIONS {
            clients.push(Client::connect(world).await);
            assert_eq!(clients.last_mut().expect("one").add(1).await, 1);
        }
        let mut newcomer = Client::connect(world).await;
        newcomer.send(b"POST /add HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n5").await;
        ms(200).await;
        assert!(!newcomer.socket.can_recv() && newcomer.socket.may_recv());
        clients.remove(0).socket.close();
        // Dropping a socket of this stack forgets it before its close is sent; the second one is still there.
        clients.remove(0).socket.abort();
        assert_eq!(clients[0].add(1).await, 2);
        clients[0].socket.close();
        assert_eq!(newcomer.answer().await, Some((200, "5".into())));
    });
}

/// Clients that connected, asked and left nothing lock nobody out.
#[test]
fn those_without_a_session_give_way() {
    for eviction in [Eviction::WithoutSession, Eviction::Never] {
        with_server(Runs::of(Settings { eviction, ..settings() }), async |world| {
            let mut adds = Client::connect(world).await;
            assert_eq!(adds.add(1).await, 1);
            let mut idle = Client::connect(world).await;
            idle.send(b"GET /port HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!(idle.answer().await.map(|(status, _)| status), Some(200));
            let mut other = Client::connect(world).await;
            assert_eq!(other.add(1).await, 1);
            let mut newcomer = Client::connect(world).await;
            let added = embassy_time::with_timeout(Duration::from_secs(5), newcomer.add(9)).await;
            assert_eq!(added.ok(), (eviction != Eviction::Never).then_some(9));
            if eviction != Eviction::Never {
                assert!(idle.is_ended().await);
            }
            assert_eq!((adds.add(1).await, other.add(1).await), (2, 2));
            let ends = world.ends.take();
            let evicted = ends.iter().filter(|reason| matches!(reason, EndReason::Evicted { .. })).count();
            assert_eq!((evicted, ends.len()), if eviction == Eviction::Never { (0, 0) } else { (1, 1) });
        });
    }
}

/// A peer that vanished without a word is found by probes; one that is silent and there is not disturbed.
#[test]
fn peers_that_vanish_are_found() {
    for keep_alive in [true, false] {
        with_server(Runs::of(Settings { keep_alive, ..settings() }), async |world| {
            let mut client = Client::connect(world).await;
            assert_eq!(client.add(1).await, 1);
            ms(300_000).await;
            assert_eq!(client.add(1).await, 2);
            // From now on it hears nothing, and so does not answer.
            world.cut(true);
            ms(74_000).await;
            assert_eq!(world.ends.take().len(), 0);
            ms(2_000).await;
            assert_eq!(world.ends.take().as_slice(), if keep_alive { &[EndReason::PeerReset][..] } else { &[] });
        });
    }
}

/// While the link may be away, nobody is taken to have vanished.
#[test]
fn probes_bear_with_a_link_that_is_away() {
    let settings = Settings { link_down_ms: 100_000, ..settings() };
    with_server(Runs { patience_ms: 100_000, ..Runs::of(settings) }, async |world| {
        let mut client = Client::connect(world).await;
        assert_eq!(client.add(1).await, 1);
        world.link(false);
        ms(95_000).await;
        world.link(true);
        assert_eq!(client.add(1).await, 2);
        assert_eq!(world.ends.take().len(), 0);
    });
}

#[test]
fn the_least_recently_used_gives_way() {
    with_server(Runs::of(Settings { eviction: Eviction::LeastRecentlyUsed, ..settings() }), async |world| {
        let mut clients = [Client::connect(world).await, Client::connect(world).await, Client::connect(world).await];
        for client in &mut clients {
            assert_eq!(client.add(1).await, 1);
            ms(10).await;
        }
        assert_eq!(clients[0].add(1).await, 2);
        let mut newcomer = Client::connect(world).await;
        assert_eq!(newcomer.add(9).await, 9);
        assert!(clients[1].is_ended().await);
        assert!(matches!(world.ends.take()[..], [EndReason::Evicted { .. }]));
        assert_eq!((clients[0].add(1).await, clients[2].add(1).await), (3, 2));
        // Again and again: those that were evicted and do not close give way.
        let mut others = Vec::new();
        for _ in 0..20 {
            others.push(Client::connect(world).await);
            if others.len() > 6 {
                drop(others.remove(0));
            }
            assert_eq!(others.last_mut().expect("one").add(1).await, 1);
            // As many as there are spare sockets may come at once; then some must have been given up.
            ms(20).await;
        }
    });
}

#[test]
fn deadlines() {
    with_server(Runs::of(settings()), async |world| {
        let mut silent = Client::connect(world).await;
        let mut slow = Client::connect(world).await;
        slow.send(b"GET /add HT").await;
        assert!(silent.is_ended().await);
        assert_eq!(slow.answer().await.map(|(status, _)| status), Some(408));
        assert!(slow.is_ended().await);
        silent.socket.close();
        slow.socket.close();
        ms(3_000).await;
        let mut ends = world.ends.take();
        ends.sort_by_key(|end| *end == EndReason::Deadline(Deadline::Head));
        assert_eq!(ends, [EndReason::Deadline(Deadline::FirstByte), EndReason::Deadline(Deadline::Head)]);
        let mut idle = Client::connect(world).await;
        assert_eq!(idle.add(1).await, 1);
        assert!(idle.is_ended().await);
        assert_eq!(world.ends.take(), [EndReason::Idle]);
    });
}

#[test]
fn resets_in_mid_request() {
    with_server(Runs::of(settings()), async |world| {
        for bytes in [&b"POST /ad"[..], b"POST /add HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1"] {
            for _ in 0..10 {
                let mut client = Client::connect(world).await;
                assert_eq!(client.add(1).await, 1);
                client.send(bytes).await;
                ms(20).await;
                client.socket.abort();
                let _ = client.socket.flush().await;
                ms(20).await;
            }
        }
        assert_eq!(world.ends.take(), [EndReason::PeerReset; 20]);
        assert_eq!(world.ends.sessions.get(), 20);
    });
}

#[test]
fn closes_by_the_server_leave_sockets_to_newcomers() {
    with_server(Runs::of(settings()), async |world| {
        for _ in 0..100 {
            let mut client = Client::connect(world).await;
            client.send(b"GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
            assert_eq!(client.answer().await.map(|(status, _)| status), Some(404));
            assert!(client.is_ended().await);
            client.socket.close();
            let _ = client.socket.flush().await;
        }
        assert_eq!(world.ends.take(), [EndReason::PeerAsked; 100]);
    });
}

#[test]
fn stopped_and_run_again() {
    with_server(Runs { count: 3, ..Runs::of(settings()) }, async |world| {
        for run in 0..2 {
            let (mut idle, mut waiting) = (Client::connect(world).await, Client::connect(world).await);
            assert_eq!(idle.add(1).await, 1, "run {run}");
            waiting.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
            ms(50).await;
            world.handle.stop();
            assert!(idle.is_ended().await);
            assert_eq!(waiting.answer().await, Some((200, "waited".into())), "what is in flight is finished");
            assert!(waiting.is_ended().await);
            assert_eq!(world.ends.take(), [EndReason::Shutdown; 2]);
            idle.socket.close();
            waiting.socket.close();
            ms(500).await;
        }
        let mut client = Client::connect(world).await;
        assert_eq!(client.add(1).await, 1);
        world.handle.stop_now();
        assert!(client.is_ended().await);
    });
}

/// A run knows nothing of the one before: neither who its clients were, nor whom their ids meant.
#[test]
fn ids_and_peers_of_an_earlier_run() {
    with_server(Runs { count: 2, ..Runs::of(settings()) }, async |world| {
        let mut ids = Vec::new();
        for run in 0..2 {
            let mut client = Client::connect(world).await;
            client.send(b"GET /port HTTP/1.1\r\nHost: a\r\n\r\n").await;
            let port = client.socket.local_endpoint().expect("a connection").port;
            assert_eq!(client.answer().await, Some((200, port.to_string())), "run {run}");
            if let Some(&earlier) = ids.last() {
                world.handle.close(earlier).unwrap();
                assert_eq!(client.add(1).await, 1, "another one was meant");
            }
            world.handle.list(|listed| ids.push(listed.id)).await;
            world.handle.stop();
            assert!(client.is_ended().await);
            client.socket.close();
            ms(500).await;
        }
        assert_ne!(ids[0], ids[1]);
    });
}

/// The waker of the last poll is the one that counts.
#[test]
fn a_waker_that_changes() {
    with_server(Runs { rewoken: true, ..Runs::of(settings()) }, async |world| {
        let mut client = Client::connect(world).await;
        assert_eq!(client.add(1).await, 1);
        client.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut silent = Client::connect(world).await;
        assert_eq!(client.answer().await, Some((200, "waited".into())));
        assert!(embassy_time::with_timeout(Duration::from_millis(6_000), silent.is_ended()).await.is_ok());
        assert_eq!(world.ends.take(), [EndReason::Deadline(Deadline::FirstByte)]);
    });
}

#[test]
fn an_address_that_is_lost_ends_what_came_by_it() {
    with_server(Runs::of(settings()), async |world| {
        let mut client = Client::connect(world).await;
        assert_eq!(client.add(1).await, 1);
        let at = |last| {
            ConfigV4::Static(StaticConfigV4 {
                address: Ipv4Cidr::new(Ipv4Address::new(10, 0, 0, last), 24),
                gateway: None,
                dns_servers: heapless::Vec::new(),
            })
        };
        world.server.set_config_v4(at(1));
        assert_eq!(client.add(1).await, 2, "the same again");
        for address in [at(3), ConfigV4::None] {
            world.server.set_config_v4(address);
            ms(2_000).await;
            assert_eq!(world.ends.take(), [EndReason::LinkDown]);
            world.server.set_config_v4(at(1));
            client = Client::connect(world).await;
            assert_eq!(client.add(1).await, 1);
        }
    });
}

/// A run that is dropped ends its sessions, whatever they are about, and gives its sockets back; the next one serves.
#[test]
fn a_run_that_is_dropped() {
    with_server(Runs { dropped_after_ms: Some(1_000), ..Runs::of(settings()) }, async |world| {
        let mut clients = Vec::new();
        for rest in ["", "POST /ad", "POST /add HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1"] {
            let mut client = Client::connect(world).await;
            assert_eq!(client.add(1).await, 1);
            client.send(rest.as_bytes()).await;
            clients.push(client);
        }
        // No place is left for one more.
        clients.push(Client::connect(world).await);
        ms(700).await;
        clients[0].send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
        ms(400).await;
        assert_eq!((world.ends.take(), world.ends.sessions.get()), (vec![EndReason::Shutdown; 3], 3));
        for client in &mut clients {
            assert_eq!(client.add(1).await, 0, "the stack resets what it knows no more");
        }
        let mut client = Client::connect(world).await;
        assert_eq!(client.add(1).await, 1);
    });
}

/// Peers that begin to connect and go away leave the sockets to others.
#[test]
fn half_open_connections() {
    with_server(Runs::of(settings()), async |world| {
        // So that both sides know each other's hardware address.
        assert_eq!(Client::connect(world).await.add(1).await, 1);
        let mut half_open = Vec::new();
        world.cut(true);
        for _ in 0..SOCKETS {
            half_open.push(Client::begin(world).await);
        }
        drop(half_open);
        ms(12_000).await;
        world.cut(false);
        assert_eq!(Client::connect(world).await.add(1).await, 1);
    });
}

/// More peers that never end their heads than there are lanes: nobody waits for them.
#[test]
fn incomplete_heads_hold_no_lane() {
    with_board::<6, 2, 8, 600, 512, _>(Runs::of(settings()), async |world| {
        assert_eq!(LANES, 2);
        let mut honest = Client::connect(world).await;
        let mut drippers = Vec::new();
        for _ in 0..5 {
            let mut dripper = Client::connect(world).await;
            dripper.send(b"POST /add HTTP/1.1\r\nX: ").await;
            drippers.push(dripper);
        }
        for round in 1..=20 {
            for dripper in &mut drippers {
                dripper.send(b"x").await;
            }
            ms(200).await;
            let answer = embassy_time::with_timeout(Duration::from_millis(20), honest.add(1)).await;
            assert_eq!(answer, Ok(round), "beside those that drip");
        }
        for dripper in &mut drippers {
            assert_eq!(dripper.answer().await.map(|(status, _)| status), Some(408));
            assert!(dripper.is_ended().await);
            dripper.socket.close();
        }
        ms(3_000).await;
        assert_eq!(world.ends.take(), [EndReason::Deadline(Deadline::Head); 5]);
    });
}

/// A head in two pieces, at every byte, with all lanes at work for others meanwhile; and behind a whole request.
#[test]
fn torn_heads() {
    with_board::<4, 2, 6, 600, 512, _>(Runs::of(settings()), async |world| {
        let mut client = Client::connect(world).await;
        let request = b"POST /add HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1";
        for (sum, at) in (1..).zip(1..request.len()) {
            client.send(&request[..at]).await;
            ms(if at % 2 == 0 { 7 } else { 0 }).await;
            client.send(&request[at..]).await;
            assert_eq!(client.answer().await, Some((200, sum.to_string())), "torn at {at}");
        }
        let mut sum = request.len() - 1;
        for at in 1..request.len() {
            client.send(&[&request[..], &request[..at]].concat()).await;
            ms(3).await;
            client.send(&request[at..]).await;
            for _ in 0..2 {
                sum += 1;
                assert_eq!(client.answer().await, Some((200, sum.to_string())), "torn at {at}");
            }
        }
        // A close in mid-head ends the connection at once, not with the head's deadline.
        client.send(b"POST /ad").await;
        ms(50).await;
        client.socket.close();
        ms(100).await;
        assert_eq!(world.ends.take(), [EndReason::PeerClosed]);
    });
}

/// A head larger than a socket's ring keeps its lane: there is nowhere else for it.
#[test]
fn a_head_that_fills_the_ring() {
    with_board::<2, 1, 4, 128, 512, _>(Runs::of(settings()), async |world| {
        for bytes in [100, 127, 128, 129, 300] {
            let mut client = Client::connect(world).await;
            let fixed = "GET /add HTTP/1.1\r\nHost: a\r\nX: ".len();
            client.send(format!("GET /add HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(bytes - fixed)).as_bytes()).await;
            ms(100).await;
            client.send(b"\r\n\r\n").await;
            assert_eq!(client.answer().await.map(|(status, _)| status), Some(400), "no number, {bytes} bytes");
            client.socket.close();
            ms(50).await;
        }
    });
}

/// Adds 1.
const ADD: &str = "POST /add HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1";

/// A handler learns of its client's close, also where bytes that nobody reads stand before it; what they ask for is answered.
#[test]
fn a_peer_that_closes_is_noticed() {
    with_server(Runs::of(settings()), async |world| {
        for (with, later) in [("", ""), (ADD, ""), ("", ADD)] {
            let mut client = Client::connect(world).await;
            client.send(("GET /closed HTTP/1.1\r\nHost: a\r\n\r\n".to_owned() + with).as_bytes()).await;
            ms(100).await;
            client.send(later.as_bytes()).await;
            ms(100).await;
            assert!(!client.socket.can_recv());
            client.socket.close();
            assert_eq!(client.answer().await, Some((200, "closed".into())));
            if with != later {
                assert_eq!(client.answer().await, Some((200, "1".into())));
            }
            assert!(client.is_ended().await);
            ms(100).await;
            assert_eq!(world.ends.take(), [EndReason::PeerClosed]);
        }
    });
}

/// Handlers whose clients have gone give their lanes back: as many as there are lanes keep nobody out.
#[test]
fn abandoned_clients_hold_no_lane() {
    with_server(Runs::of(settings()), async |world| {
        let mut quiet = [Client::connect(world).await, Client::connect(world).await];
        assert_eq!(quiet.len(), LANES);
        for client in &mut quiet {
            client.send(b"GET /quiet HTTP/1.1\r\nHost: a\r\n\r\n").await;
        }
        let mut honest = Client::connect(world).await;
        honest.send(ADD.as_bytes()).await;
        ms(100).await;
        assert!(!honest.socket.can_recv(), "there is no lane for it");
        for client in &mut quiet {
            client.socket.close();
        }
        assert_eq!(honest.answer().await, Some((200, "1".into())));
        assert_eq!(world.ends.take(), [EndReason::PeerClosed; 2]);
        // One that is there is told that the server stops.
        honest.send(b"GET /quiet HTTP/1.1\r\nHost: a\r\n\r\n").await;
        ms(100).await;
        world.handle.stop();
        assert_eq!(honest.answer().await.map(|(status, _)| status), Some(503));
        assert!(honest.is_ended().await);
    });
}

#[test]
fn connections_are_closed_now() {
    with_server(Runs::of(settings()), async |world| {
        let (mut idle, mut busy) = (Client::connect(world).await, Client::connect(world).await);
        for client in [&mut idle, &mut busy] {
            assert_eq!(client.add(1).await, 1);
        }
        busy.send(b"GET /quiet HTTP/1.1\r\nHost: a\r\n\r\n").await;
        ms(100).await;
        let mut ids = Vec::new();
        world.handle.list(|listed| ids.push(listed.id)).await;
        for id in &ids {
            assert_eq!(world.handle.close_now(*id), Ok(()));
        }
        assert_eq!(busy.socket.read(&mut [0]).await, Err(Error::ConnectionReset));
        assert_eq!(idle.socket.read(&mut [0]).await, Ok(0));
        assert_eq!(world.ends.take(), [EndReason::Closed; 2]);
        assert_eq!(world.ends.sessions.get(), 2);
    });
}

/// Requests that stand behind another one when the server is to stop are answered, in the lane and in the socket's ring.
#[test]
fn a_stop_answers_what_is_pipelined() {
    with_server(Runs::of(settings()), async |world| {
        let mut client = Client::connect(world).await;
        client.send(("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n".to_owned() + ADD).as_bytes()).await;
        ms(100).await;
        client.send(ADD.repeat(5).as_bytes()).await;
        ms(100).await;
        world.handle.stop();
        assert_eq!(client.answer().await, Some((200, "waited".into())));
        for sum in 1..=6 {
            assert_eq!(client.answer().await, Some((200, sum.to_string())));
        }
        assert!(client.is_ended().await);
        assert_eq!(world.ends.take(), [EndReason::Shutdown]);
    });
}

#[test]
fn connections_are_listed_closed_and_pinned() {
    with_server(Runs::of(Settings { eviction: Eviction::LeastRecentlyUsed, ..settings() }), async |world| {
        let handle = world.handle;
        let list = async || {
            let mut all: Vec<(ConnectionId, bool)> = Vec::new();
            handle.list(|listed| all.push((listed.id, listed.pinned))).await;
            all
        };
        assert_eq!(list().await, []);
        let mut clients = [Client::connect(world).await, Client::connect(world).await, Client::connect(world).await];
        for client in &mut clients {
            assert_eq!(client.add(1).await, 1);
            ms(10).await;
        }
        let all = list().await;
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|(_, pinned)| !pinned));
        // The oldest is pinned: the next one gives way to a newcomer.
        handle.pin(all[0].0, true).unwrap();
        assert_eq!(list().await[0], (all[0].0, true));
        let mut newcomer = Client::connect(world).await;
        assert_eq!(newcomer.add(5).await, 5);
        assert!(clients[1].is_ended().await);
        assert_eq!(clients[0].add(1).await, 2);
        handle.close(all[0].0).unwrap();
        assert!(clients[0].is_ended().await);
        // It is gone, and another one in its place is not meant.
        handle.close(all[0].0).unwrap();
        ms(50).await;
        assert_eq!(list().await.len(), 2);
        assert!(matches!(world.ends.take()[..], [EndReason::Evicted { .. }, EndReason::Closed]));
        handle.stop();
        ms(6_000).await;
        assert_eq!(handle.close(all[2].0), Err(CommandError::Stopped(Command::Close(all[2].0))));
        assert_eq!(list().await, []);
    });
}

/// There is room for eight commands.
#[test]
fn no_more_commands_than_there_is_room_for() {
    with_server(Runs::of(settings()), async |world| {
        let mut client = Client::connect(world).await;
        assert_eq!(client.add(1).await, 1);
        let mut id = None;
        world.handle.list(|listed| id = Some(listed.id)).await;
        let id = id.expect("one connection");
        for round in 0..2 {
            for number in 0..8 {
                assert_eq!(world.handle.pin(id, true), Ok(()), "{round} {number}");
            }
            assert_eq!(world.handle.pin(id, true), Err(CommandError::Full(Command::Pin(id, true))));
            ms(1).await;
        }
    });
}

#[test]
fn ipv6_and_ipv4_side_by_side() {
    with_server(Runs::of(settings()), async |world| {
        let address = |last| (Ipv6Address::new(0xfd00, 0, 0, 0, 0, 0, 0, last), PORT);
        let mut six = Client::connect_to(world, address(1)).await;
        let mut four = Client::connect(world).await;
        assert_eq!((six.add(1).await, four.add(2).await), (1, 2));
        world.server.set_config_v6(v6(1));
        ms(2_000).await;
        assert_eq!((six.add(1).await, four.add(2).await), (2, 4), "the same again");
        for config in [v6(3), ConfigV6::None] {
            world.server.set_config_v6(config);
            ms(2_000).await;
            assert_eq!(world.ends.take(), [EndReason::LinkDown]);
            world.server.set_config_v6(v6(1));
            six = Client::connect_to(world, address(1)).await;
            assert_eq!((six.add(1).await, four.add(2).await > 4), (1, true));
        }
    });
}

/// A link that comes back in time is no end; one that stays away is, and all is served again when it is back.
#[test]
fn a_link_that_goes_and_comes_back() {
    let settings = Settings { link_down_ms: 10_000, ..settings() };
    with_server(Runs::of(settings), async |world| {
        let mut client = Client::connect(world).await;
        assert_eq!(client.add(1).await, 1);
        for sum in 2..4 {
            world.link(false);
            ms(5_000).await;
            world.link(true);
            assert_eq!(client.add(1).await, sum);
        }
        world.link(false);
        ms(9_000).await;
        assert_eq!(world.ends.take(), []);
        ms(3_000).await;
        assert_eq!(world.ends.take(), [EndReason::LinkDown]);
        world.link(true);
        let mut client = Client::connect(world).await;
        assert_eq!(client.add(1).await, 1);
    });
    with_server(Runs::of(Settings { link_down_ms: NEVER, ..settings }), async |world| {
        let mut client = Client::connect(world).await;
        assert_eq!(client.add(1).await, 1);
        world.link(false);
        ms(300_000).await;
        world.link(true);
        assert_eq!(client.add(1).await, 2);
    });
}

/// As many handlers wait as there are lanes; every session is answered in the end.
#[test]
fn thirty_two_sessions_on_four_lanes() {
    with_board::<32, 4, 34, 536, 512, _>(Runs::of(settings()), async |world| {
        let mut clients = Vec::new();
        for _ in 0..32 {
            let mut client = Client::connect(world).await;
            assert_eq!(client.add(1).await, 1);
            clients.push(client);
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let target = if number < 4 { "/wait" } else { "/add" };
            let body = if number < 4 { "GET" } else { "POST" };
            let request = format!("{body} {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1");
            client.send(request.as_bytes()).await;
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let wanted = if number < 4 { "waited" } else { "2" };
            assert_eq!(client.answer().await, Some((200, wanted.into())), "client {number}");
        }
        // Handlers that say that they wait leave a lane to others, and are told to come again where they would not.
        for client in &mut clients[..4] {
            client.send(b"GET /long-wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
        }
        ms(10).await;
        for client in &mut clients[4..] {
            let answer = embassy_time::with_timeout(Duration::from_millis(20), client.add(1)).await;
            assert_eq!(answer, Ok(3), "at once, on the lane that is left");
        }
        let mut statuses = Vec::new();
        for client in &mut clients[..4] {
            statuses.push(client.answer().await.map(|(status, _)| status));
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [Some(200), Some(200), Some(200), Some(503)]);
        assert_eq!(world.ends.take(), []);
    });
}

/// A handler that reads and writes at once hears of room while the body does not come, and of the body while there is no room.
#[test]
fn a_handler_reads_and_writes_at_once() {
    with_server(Runs::of(settings()), async |world| {
        const BODY: [u8; 12_000] = [b'1'; 12_000];
        for reads_first in [true, false] {
            let mut client = Client::connect(world).await;
            client.send(b"POST /both HTTP/1.1\r\nHost: a\r\nContent-Length: 12000\r\n\r\n").await;
            if !reads_first {
                client.send(&BODY).await;
            }
            let (mut received, mut bytes, mut is_sent) = (Vec::new(), 0, !reads_first);
            while !received.ends_with(b"\r\n0\r\n\r\n") {
                if bytes == LONG.len() && !is_sent {
                    client.send(&BODY).await;
                    is_sent = true;
                }
                let mut buffer = [0; 512];
                let read = client.socket.read(&mut buffer).await.expect("a connection");
                assert!(read > 0, "{bytes} bytes have come");
                received.extend_from_slice(&buffer[..read]);
                bytes += buffer[..read].iter().map(|byte| usize::from(*byte == b'x')).sum::<usize>();
            }
            assert_eq!(bytes, LONG.len());
            assert_eq!(client.add(1).await, 1);
        }
    });
}

/// The stack learns of a lost link late, and of one that is back at once.
#[test]
fn a_steady_link() {
    with_server(Runs::of(settings()), async |world| {
        let mut device = SteadyLink::new(world.device(), Duration::from_millis(1_000));
        let mut is_up = async |after_ms| {
            ms(after_ms).await;
            poll_fn(|context| Poll::Ready(device.link_state(context) == LinkState::Up)).await
        };
        assert!(is_up(0).await);
        world.link(false);
        assert_eq!((is_up(0).await, is_up(999).await), (true, true));
        assert_eq!((is_up(2).await, is_up(5_000).await), (false, false));
        world.link(true);
        assert!(is_up(0).await);
        // Again as long, from its loss on.
        world.link(false);
        assert_eq!((is_up(0).await, is_up(900).await), (true, true));
        world.link(true);
        assert!(is_up(0).await);
        world.link(false);
        assert_eq!((is_up(0).await, is_up(900).await), (true, true));
        // The task is woken when it is time to tell.
        let down = poll_fn(|context| match device.link_state(context) {
            LinkState::Up => Poll::Pending,
            LinkState::Down => Poll::Ready(()),
        });
        assert!(embassy_time::with_timeout(Duration::from_millis(200), down).await.is_ok());
    });
}
