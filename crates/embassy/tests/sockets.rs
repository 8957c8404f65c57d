//! Sockets: the stack's, of which the server has some, and gives them back; what they send; how they close.

mod common;

use embassy_net::tcp::{State, TcpSocket};
use embassy_time::{Duration, Timer, with_timeout};
use tenure::{Deadlines, EndReason, Eviction, NEVER};
use tenure_embassy::Settings;

use crate::common::{Client, PORT, Runs, SESSIONS, SOCKETS, STACK_SOCKETS, Segment, World, with_server};

fn settings() -> Settings {
    Settings::at(PORT)
}

async fn ms(ms: u64) {
    Timer::after(Duration::from_millis(ms)).await;
}

/// So many sockets of the server's stack, each with rings of its own.
fn own(world: World<'static>, count: usize) -> Vec<TcpSocket<'static>> {
    let ring = || Box::leak(vec![0; 64].into_boxed_slice());
    (0..count).map(|_| TcpSocket::new(world.server, ring(), ring())).collect()
}

/// The server takes as many sockets as its memory says and no more: the application has the others, also while it runs, and
/// all of them when it has stopped. The stack would panic for one more.
#[test]
fn the_stack_stays_the_applications() {
    with_server(Runs { count: 2, ..Runs::of(settings()) }, async |world| {
        let mut client = Client::connect(world).await;
        assert_eq!(client.add(1).await, 1);
        let mut others = own(world, STACK_SOCKETS - SOCKETS);
        // One of them connects to somebody else, as for MQTT.
        let mut elsewhere = Client::new(world).socket;
        let (accepted, connected) =
            embassy_futures::join::join(elsewhere.accept(1_883), others[0].connect((common::CLIENT, 1_883))).await;
        assert_eq!((accepted, connected), (Ok(()), Ok(())));
        assert_eq!(client.add(1).await, 2);
        world.handle.stop();
        client.socket.close();
        ms(100).await;
        assert_eq!(world.ends.take(), [EndReason::Shutdown]);
        // The second run has taken its own by now.
        assert_eq!(Client::connect(world).await.add(1).await, 1);
        world.handle.stop_now();
        ms(6_000).await;
        assert_eq!(own(world, SOCKETS).len(), SOCKETS);
        let mut byte = [0];
        let (sent, read) = embassy_futures::join::join(others[0].write(b"x"), elsewhere.read(&mut byte)).await;
        assert_eq!((sent, read, byte), (Ok(1), Ok(1), *b"x"), "untouched");
    });
}

/// A response that fits into a segment is one, and does not wait until the one before is acknowledged.
#[test]
fn a_response_is_one_segment_sent_at_once() {
    with_server(Runs::of(settings()), async |world| {
        let mut client = Client::connect(world).await;
        assert_eq!(client.add(1).await, 1);
        let with_bytes = |segments: Vec<Segment>| -> Vec<usize> {
            segments.into_iter().map(|segment| segment.bytes).filter(|&bytes| bytes > 0).collect()
        };
        let first = with_bytes(world.sent());
        assert_eq!(first.len(), 1, "head and body together: {first:?}");
        // Nothing that the server sends arrives, so nothing is acknowledged.
        world.cut(true);
        for _ in 0..3 {
            client.send(b"POST /add HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1").await;
            ms(1).await;
            assert_eq!(with_bytes(world.sent()), first, "sent again only later");
        }
        world.cut(false);
        for sum in 2..5 {
            assert_eq!(client.answer().await, Some((200, i32::to_string(&sum))));
        }
    });
}

/// A connection that is ended while its peer has not acknowledged all is flushed before its socket serves another one.
#[test]
fn a_close_is_flushed() {
    let deadlines = Deadlines { idle_ms: 1_000, ..Deadlines::BOARD };
    with_server(Runs::of(Settings { deadlines, ..settings() }), async |world| {
        let mut clients = Vec::new();
        for _ in 0..SESSIONS {
            clients.push(Client::connect(world).await);
            assert_eq!(clients.last_mut().expect("one").add(1).await, 1);
        }
        world.cut(true);
        for client in &mut clients {
            client.send(b"POST /add HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1").await;
        }
        ms(3_000).await;
        assert_eq!(world.ends.take(), [EndReason::Idle; SESSIONS]);
        world.cut(false);
        for client in &mut clients {
            assert_eq!(client.answer().await, Some((200, "2".into())), "what was sent before the close");
            assert!(client.is_ended().await);
            assert_eq!(client.socket.state(), State::CloseWait, "closed, not reset");
        }
    });
}

/// One whose peer never acknowledges is given up when its time is over, and its socket serves others.
#[test]
fn a_close_that_is_never_acknowledged() {
    let deadlines = Deadlines { idle_ms: 1_000, first_byte_ms: 1_000, ..Deadlines::BOARD };
    with_server(Runs::of(Settings { deadlines, ..settings() }), async |world| {
        let mut clients = Vec::new();
        // As many as there are sockets: those that are idle leave their places to those that wait.
        for _ in 0..SOCKETS {
            let mut client = Client::connect(world).await;
            client.send(b"POST /add HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1").await;
            clients.push(client);
        }
        world.cut(true);
        ms(2_500).await;
        // Now all are closing, with bytes of theirs not acknowledged; the clients are gone.
        for client in &mut clients {
            client.socket.abort();
        }
        drop(clients);
        assert_eq!(world.ends.take().len(), SOCKETS);
        ms(7_000).await;
        world.cut(false);
        for _ in 0..SESSIONS {
            assert_eq!(Client::connect(world).await.add(1).await, 1);
        }
    });
}

/// Who is evicted is closed in order, as long as a socket listens. Where none does, who has not closed by then is reset.
#[test]
fn eviction_closes_in_order_while_there_is_time() {
    with_server(Runs::of(Settings { eviction: Eviction::LeastRecentlyUsed, ..settings() }), async |world| {
        let mut clients = Vec::new();
        for _ in 0..20 {
            clients.push(Client::connect(world).await);
            assert_eq!(clients.last_mut().expect("one").add(1).await, 1);
            if clients.len() > SESSIONS {
                let mut evicted = clients.remove(0);
                assert!(evicted.is_ended().await);
                assert_eq!(evicted.socket.state(), State::CloseWait, "closed, not reset");
                evicted.socket.close();
                assert_eq!(evicted.socket.flush().await, Ok(()));
            }
            ms(20).await;
        }
        assert_eq!(world.ends.take().len(), 20 - SESSIONS);
        // Spare sockets with those that do not close: one may, for half a second, two may not.
        clients.push(Client::connect(world).await);
        assert_eq!(clients[SESSIONS].add(1).await, 1);
        ms(400).await;
        assert_eq!(clients[0].socket.state(), State::CloseWait);
        ms(200).await;
        assert_eq!(clients[0].socket.state(), State::Closed, "reset as stale");
        let others = [Client::connect(world).await, Client::connect(world).await];
        ms(20).await;
        assert_eq!(clients[1].socket.state(), State::Closed, "reset, since none listened");
        assert_eq!(clients[2].socket.state(), State::CloseWait);
        assert_eq!(others[1].socket.state(), State::Established);
    });
}

/// Refused by the observer, also where another one would have to give way: closed, and its socket serves others.
#[test]
fn newcomers_who_are_refused() {
    with_server(Runs::of(Settings { eviction: Eviction::LeastRecentlyUsed, ..settings() }), async |world| {
        let mut clients = Vec::new();
        for round in 1..=3 {
            world.ends.refuses.set(true);
            for _ in 0..SOCKETS {
                let mut refused = Client::connect(world).await;
                assert!(refused.is_ended().await);
                assert_eq!(refused.socket.state(), State::CloseWait, "closed, not reset");
                refused.socket.close();
                assert_eq!(refused.socket.flush().await, Ok(()));
            }
            world.ends.refuses.set(false);
            clients.push(Client::connect(world).await);
            for (before, client) in (0..).zip(&mut clients) {
                assert_eq!(client.add(1).await, round - before);
            }
        }
        assert_eq!(clients.len(), SESSIONS, "every place is taken");
        assert_eq!(world.ends.take(), []);
    });
}

/// As many as a peer may have are served; one more is closed, whether or not there are places, until one has left.
#[test]
fn so_many_of_one_peer() {
    for (max, eviction) in [(1, Eviction::LeastRecentlyUsed), (2, Eviction::Never), (SESSIONS as u32, Eviction::Never)]
    {
        let own = Settings { connections_per_peer_max: Some(max), eviction, ..settings() };
        with_server(Runs::of(own), async move |world| {
            let mut clients = Vec::new();
            for _ in 0..max {
                clients.push(Client::connect(world).await);
                assert_eq!(clients.last_mut().unwrap().add(1).await, 1);
            }
            for round in 1..=3 {
                let mut one_more = Client::connect(world).await;
                assert!(one_more.is_ended().await);
                assert_eq!(world.ends.turned_away.get(), round);
                one_more.socket.close();
                assert_eq!(one_more.socket.flush().await, Ok(()));
                let mut gone = clients.remove(0);
                assert_eq!(gone.add(1).await, 2, "it was not touched");
                gone.socket.close();
                assert_eq!(gone.socket.flush().await, Ok(()));
                clients.push(Client::connect(world).await);
                assert_eq!(clients.last_mut().unwrap().add(1).await, 1);
            }
            assert_eq!(world.ends.turned_away.get(), 3);
        });
    }
}

/// A server that stops ends within bounds, also where nobody acknowledges anything.
#[test]
fn stopped_while_nobody_answers() {
    with_server(Runs { count: 2, ..Runs::of(settings()) }, async |world| {
        let mut clients = Vec::new();
        for _ in 0..SOCKETS {
            clients.push(Client::connect(world).await);
        }
        assert_eq!(clients[0].add(1).await, 1);
        clients[1].send(b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n").await;
        world.cut(true);
        ms(100).await;
        world.handle.stop();
        // What is in flight has 5 s, then it is reset; what is closed has 5 s to be flushed.
        ms(5_500).await;
        drop(clients);
        world.cut(false);
        assert_eq!(world.ends.take(), [EndReason::Shutdown; SESSIONS]);
        assert_eq!(Client::connect(world).await.add(1).await, 1, "the second run serves");
    });
}

/// A close right behind bytes: the stack delays its acknowledgement, and the socket waits for that.
#[test]
fn the_last_acknowledgement_is_sent() {
    with_server(Runs::of(settings()), async |world| {
        for _ in 0..3 {
            let mut client = Client::connect(world).await;
            client.send(b"GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
            assert_eq!(client.answer().await.map(|(status, _)| status), Some(404));
            assert!(client.is_ended().await);
            client.send(b"more").await;
            client.socket.close();
            assert_eq!(with_timeout(Duration::from_millis(15), client.socket.flush()).await, Ok(Ok(())));
            assert_eq!(client.socket.state(), State::Closed);
            ms(100).await;
        }
        assert!(world.sent().iter().all(|segment| !segment.resets));
    });
}

/// `flush_ms` is about the end. Whatever it is, there is time to connect.
#[test]
fn no_time_to_flush_and_all_of_it() {
    for flush_ms in [0, (1 << 31) - 1, 1 << 31, NEVER] {
        let deadlines = Deadlines { flush_ms, ..Deadlines::BOARD };
        with_server(Runs::of(Settings { deadlines, ..settings() }), async |world| {
            for _ in 0..2 * SOCKETS {
                let mut client = Client::connect(world).await;
                assert_eq!(client.add(1).await, 1, "{flush_ms} ms");
                client.socket.close();
                ms(200).await;
                assert_eq!(client.socket.state(), State::TimeWait, "{flush_ms} ms: closed, not reset");
            }
        });
    }
}
