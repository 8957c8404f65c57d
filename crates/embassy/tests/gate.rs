//! More clients than sockets: a SYN for which no socket listens is dropped, and the client sends it again.

mod common;

use embassy_futures::join::join_array;
use embassy_net::{IpEndpoint, Ipv6Address, tcp::ConnectError};
use embassy_time::{Duration, Timer};
use tenure_embassy::Settings;

use crate::common::{Client, PORT, Runs, SERVER, SOCKETS, World, with_board, with_server};

fn gated() -> Runs {
    Runs { gated: true, ..Runs::of(Settings::at(PORT)) }
}

async fn ms(ms: u64) {
    Timer::after(Duration::from_millis(ms)).await;
}

/// Closes in order.
async fn close(mut client: Client) {
    client.socket.close();
    assert_eq!(client.socket.flush().await, Ok(()));
}

fn resets(world: World<'_>) -> usize {
    world.sent().iter().filter(|segment| segment.resets).count()
}

/// As boards are: seven sessions, nine sockets.
fn with_nine_sockets<F: Future<Output = ()>>(runs: Runs, test: impl FnOnce(World<'static>) -> F) {
    with_board::<7, 2, 9, 600, 512, F>(runs, test);
}

/// Over IPv4 and IPv6, each from a stack that does not know the server yet.
#[test]
fn twelve_clients_at_once_on_nine_sockets() {
    with_nine_sockets(gated(), async |world| {
        let six = IpEndpoint::from((Ipv6Address::new(0xfd00, 0, 0, 0, 0, 0, 0, 1), PORT));
        for endpoint in [IpEndpoint::from((SERVER, PORT)), six] {
            let visit = async |_| {
                let mut client = Client::connect_to(world, endpoint).await;
                assert_eq!(client.add(1).await, 1);
                ms(100).await;
                assert_eq!(client.add(1).await, 2);
                close(client).await;
            };
            join_array(core::array::from_fn::<_, 12, _>(visit)).await;
            assert_eq!(resets(world), 0, "{endpoint}");
        }
    });
}

/// Without the gate the stack resets those for whom no socket listens.
#[test]
fn twelve_clients_at_once_without_a_gate() {
    with_nine_sockets(Runs::of(Settings::at(PORT)), async |world| {
        let visit = async |_| {
            let mut client = Client::new(world);
            let connected = client.socket.connect((SERVER, PORT)).await;
            ms(100).await;
            connected
        };
        let all = join_array(core::array::from_fn::<_, 12, _>(visit)).await;
        assert_eq!(all.iter().filter(|&&connected| connected == Err(ConnectError::ConnectionReset)).count(), 3);
    });
}

/// Whoever closes, and whichever side does so first: sockets are closing when clients come back.
#[test]
fn clients_that_close_and_connect_again() {
    with_nine_sockets(gated(), async |world| {
        let visits = async |number| {
            for round in 0..20 {
                let mut client = Client::connect(world).await;
                if (number + round) % 2 == 0 {
                    assert_eq!(client.add(1).await, 1);
                } else {
                    client.send(b"GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
                    assert_eq!(client.answer().await.map(|(status, _)| status), Some(404));
                    assert!(client.is_ended().await);
                }
                close(client).await;
            }
        };
        join_array(core::array::from_fn::<_, 12, _>(visits)).await;
        ms(100).await;
        assert_eq!(resets(world), 0);
        assert_eq!(world.ends.take().len(), 12 * 20);
    });
}

/// A SYN that comes twice, and one that no socket takes, cost the next client nothing.
#[test]
fn syns_that_no_socket_takes() {
    with_server(gated(), async |world| {
        ms(50).await;
        for _ in 0..3 * SOCKETS {
            world.begin_as(70, 40_000);
            ms(1).await;
        }
        for _ in 0..SOCKETS - 1 {
            let mut client = Client::new(world);
            let connected =
                embassy_time::with_timeout(Duration::from_millis(100), client.socket.connect((SERVER, PORT))).await;
            assert_eq!(connected, Ok(Ok(())));
            Box::leak(Box::new(client));
        }
    });
}

/// Where no server runs, the reset that says so is right: before it, between two runs, and while it stops.
#[test]
fn no_server_runs() {
    with_server(Runs { count: 2, ..gated() }, async |world| {
        for run in 0..2 {
            let mut waiting = Client::connect(world).await;
            waiting.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
            ms(10).await;
            world.handle.stop();
            ms(10).await;
            assert_eq!(Client::new(world).socket.connect((SERVER, PORT)).await, Err(ConnectError::ConnectionReset));
            assert_eq!(waiting.answer().await, Some((200, "waited".into())), "run {run}");
            assert!(waiting.is_ended().await);
            close(waiting).await;
            ms(100).await;
        }
        assert_eq!(Client::new(world).socket.connect((SERVER, PORT)).await, Err(ConnectError::ConnectionReset));
    });
}

/// Half-open connections whose peers never answer, as many as there are sockets and many more, one after the other: a client
/// that comes is served within seconds, not after `flush_ms`. Nobody is sent a reset for it.
#[test]
fn half_open_connections_give_way() {
    let mut settings = Settings::at(PORT);
    settings.deadlines.flush_ms = 60_000;
    with_server(Runs { settings, ..gated() }, async |world| {
        let mut first = Client::connect(world).await;
        assert_eq!(first.add(1).await, 1);
        close(first).await;
        ms(100).await;
        for round in 0..10 {
            for number in 0..SOCKETS as u16 {
                world.begin_as(70 + round, 40_000 + number);
            }
            ms(10).await;
            let mut client = Client::new(world);
            let connect = client.socket.connect((SERVER, PORT));
            let connected = embassy_time::with_timeout(Duration::from_millis(2_000), connect).await;
            assert_eq!(connected, Ok(Ok(())), "round {round}");
            assert_eq!(client.add(1).await, 1, "round {round}");
            close(client).await;
        }
        assert_eq!(resets(world), 0);
    });
}

/// As long as a socket listens, all that are half open stay: their SYNs are answered again. Where none does, one gives way.
#[test]
fn half_open_connections_stay_while_a_socket_listens() {
    for half_open in [SOCKETS - 1, SOCKETS] {
        with_server(gated(), async |world| {
            assert_eq!(Client::connect(world).await.add(1).await, 1);
            ms(100).await;
            world.cut(true);
            for _ in 0..half_open {
                drop(Client::begin(world).await);
            }
            let _ = world.sent();
            ms(1_500).await;
            assert_eq!(world.sent().len(), SOCKETS - 1, "of {half_open}");
        });
    }
}
