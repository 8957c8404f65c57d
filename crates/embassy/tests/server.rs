//! The server on a stack, its clients on another.

mod common;

use embassy_net::{ConfigV4, Ipv4Address, Ipv4Cidr, StaticConfigV4};
use embassy_time::{Duration, Timer};
use tenure::{Deadline, EndReason};
use tenure_embassy::Settings;

use crate::common::{Client, LONG, PORT, Runs, SESSIONS, SOCKETS, with_server};

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

#[test]
fn torn_pipelined_long_and_waiting() {
    with_server(Runs::of(settings()), async |world| {
        let mut client = Client::connect(world).await;
        for octet in b"POST /add HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n7" {
            client.send(&[*octet]).await;
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

#[test]
fn the_least_recently_used_gives_way() {
    with_server(Runs::of(Settings { lru_purge_enable: true, ..settings() }), async |world| {
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
        assert_eq!(ends, [EndReason::Deadline(Deadline::FirstOctet), EndReason::Deadline(Deadline::Head)]);
        let mut idle = Client::connect(world).await;
        assert_eq!(idle.add(1).await, 1);
        assert!(idle.is_ended().await);
        assert_eq!(world.ends.take(), [EndReason::Idle]);
    });
}

#[test]
fn resets_in_mid_request() {
    with_server(Runs::of(settings()), async |world| {
        for octets in [&b"POST /ad"[..], b"POST /add HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1"] {
            for _ in 0..10 {
                let mut client = Client::connect(world).await;
                assert_eq!(client.add(1).await, 1);
                client.send(octets).await;
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

/// A run that is dropped ends its sessions and gives its sockets back; the next one serves.
#[test]
fn a_run_that_is_dropped() {
    with_server(Runs { dropped_after_ms: Some(1_000), ..Runs::of(settings()) }, async |world| {
        let mut client = Client::connect(world).await;
        assert_eq!(client.add(1).await, 1);
        ms(1_100).await;
        assert_eq!(world.ends.take(), [EndReason::Shutdown]);
        assert_eq!(client.add(1).await, 0, "the stack resets what it knows no more");
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
