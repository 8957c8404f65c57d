//! Addresses that are given, kept, changed and lost, static, by DHCP and by routers.

mod common;

use embassy_net::{Config, ConfigV4, ConfigV6, DhcpConfig, Ipv4Address, Ipv6Address};
use embassy_time::{Duration, Timer};
use tenure::EndReason;
use tenure_embassy::Settings;

use crate::common::{Client, LEASE_S, PORT, Runs, SESSIONS, World, config, link_local, made_of, with_server};

fn settings() -> Settings {
    Settings::at(PORT)
}

async fn ms(ms: u64) {
    Timer::after(Duration::from_millis(ms)).await;
}

/// By DHCP, as boards are: the stack is told of a lost link after 20 s, and the server is not patient beyond that.
fn by_dhcp() -> Runs {
    Runs {
        config: Config::dhcpv4(DhcpConfig::default()),
        patience_ms: 20_000,
        ..Runs::of(Settings { link_down_ms: 1, ..settings() })
    }
}

/// Connects to 10.0.0 and that, as soon as the server has it, and adds 1.
async fn connect_at(world: World<'static>, last: u8) -> Client {
    let address = Ipv4Address::new(10, 0, 0, last);
    while world.server.config_v4().is_none_or(|config| config.address.address() != address) {
        ms(100).await;
    }
    let mut client = Client::connect_to(world, (address, PORT)).await;
    assert_eq!(client.add(1).await, 1);
    client
}

/// A link that is away for a short time takes nothing, with one that is away for long the address goes, and what came by it.
/// Afterwards it is served again, at the same address or at another one.
#[test]
fn dhcp_and_a_link_that_goes_and_comes_back() {
    with_server(by_dhcp(), async |world| {
        let mut client = connect_at(world, 1).await;
        world.link(false);
        ms(5_000).await;
        world.link(true);
        assert_eq!(client.add(1).await, 2);
        for last in [1, 3] {
            world.offered.set(Some(last));
            world.link(false);
            ms(25_000).await;
            assert_eq!(world.ends.take(), [EndReason::LinkDown], "before {last}");
            world.link(true);
            client = connect_at(world, last).await;
        }
        assert_eq!(client.add(1).await, 2);
    });
}

/// After a short loss the address is confirmed: the same one changes nothing, nor does it if nobody answers. Another one, or a
/// refusal, ends what came by the one before, long before its time is over.
#[test]
fn dhcp_after_a_short_loss() {
    for ignorant in [false, true] {
        with_server(by_dhcp(), async |world| {
            world.ignorant.set(ignorant);
            let mut client = connect_at(world, 1).await;
            let lose_link = async |offered| {
                world.link(false);
                world.offered.set(offered);
                world.answered.set(0);
                ms(5_000).await;
                world.link(true);
            };
            lose_link(Some(1)).await;
            ms(500).await;
            assert_eq!((world.answered.get(), client.add(1).await), (1, 2), "the same");
            lose_link(None).await;
            ms(500).await;
            assert_eq!((world.answered.get(), client.add(1).await), (0, 3), "nobody answers");
            world.offered.set(Some(1));
            ms(60_000).await;
            assert_eq!((client.add(1).await, world.ends.take().len()), (4, 0));
            lose_link(Some(3)).await;
            ms(if ignorant { 4_500 } else { 1_500 }).await;
            assert_eq!(world.ends.take(), [EndReason::LinkDown]);
            connect_at(world, 3).await;
        });
    }
}

/// Who has a static address asks nobody.
#[test]
fn a_static_address_after_a_short_loss() {
    with_server(Runs { patience_ms: 20_000, ..Runs::of(settings()) }, async |world| {
        let mut client = Client::connect(world).await;
        assert_eq!(client.add(1).await, 1);
        world.link(false);
        ms(5_000).await;
        world.link(true);
        ms(20_000).await;
        assert_eq!((client.add(1).await, world.answered.get()), (2, 0));
    });
}

/// A lease that is renewed in time ends nothing. One that is refused, or not renewed any more, ends what came by it.
#[test]
fn dhcp_leases_renewed_refused_and_run_out() {
    with_server(by_dhcp(), async |world| {
        let lease_ms = u64::from(LEASE_S) * 1_000;
        let mut client = connect_at(world, 1).await;
        for sum in 2..5 {
            ms(lease_ms).await;
            assert_eq!(client.add(1).await, sum);
        }
        world.offered.set(Some(3));
        let mut client = connect_at(world, 3).await;
        ms(1_100).await;
        assert_eq!(world.ends.take(), [EndReason::LinkDown], "another address");
        ms(lease_ms).await;
        assert_eq!(client.add(1).await, 2);
        world.offered.set(None);
        ms(lease_ms + 1_100).await;
        assert_eq!(world.ends.take(), [EndReason::LinkDown], "no address");
        world.offered.set(Some(3));
        connect_at(world, 3).await;
    });
}

/// The link-local address is there from the start and stays. What routers announce may be announced again, and taken back.
#[test]
fn link_local_addresses_and_those_that_routers_announce() {
    let mut addresses = config(common::SERVER);
    addresses.ipv6 = ConfigV6::Slaac;
    with_server(Runs { config: addresses, ..Runs::of(settings()) }, async |world| {
        let mut local = Client::connect_to(world, (link_local(1), PORT)).await;
        assert_eq!(local.add(1).await, 1);
        world.advertise(0xfd00, 3_600);
        ms(100).await;
        let mut global = Client::connect_to(world, (made_of(0xfd00, 1), PORT)).await;
        assert_eq!(global.add(1).await, 1);
        world.advertise(0xfd00, 3_600);
        ms(2_000).await;
        assert_eq!((local.add(1).await, global.add(1).await), (2, 2), "the same again");
        world.advertise(0xfd00, 0);
        ms(2_000).await;
        assert_eq!(world.ends.take(), [EndReason::LinkDown], "taken back");
        world.advertise(0xfd00, 10);
        ms(100).await;
        let mut global = Client::connect_to(world, (made_of(0xfd00, 1), PORT)).await;
        assert_eq!((local.add(1).await, global.add(1).await), (3, 1), "announced for 10 s");
        ms(12_000).await;
        assert_eq!(world.ends.take(), [EndReason::LinkDown], "not announced any more");
        assert_eq!(local.add(1).await, 4);
    });
}

/// No router answers. The stack would want to be polled again and again, and time would stand still.
#[test]
fn no_router_at_all() {
    let mut runs = by_dhcp();
    runs.config.ipv6 = ConfigV6::Slaac;
    with_server(runs, async |world| {
        let mut four = connect_at(world, 1).await;
        let mut local = Client::connect_to(world, (link_local(1), PORT)).await;
        assert_eq!(local.add(1).await, 1);
        ms(20_000).await;
        assert_eq!((four.add(1).await, local.add(1).await), (2, 2));
    });
}

/// The stack closes with an address what came by it: newcomers that waited leave their sockets to others.
#[test]
fn newcomers_whose_address_is_lost() {
    with_server(Runs::of(settings()), async |world| {
        let mut served = Vec::new();
        for _ in 0..SESSIONS {
            served.push(Client::connect_to(world, (Ipv6Address::new(0xfd00, 0, 0, 0, 0, 0, 0, 1), PORT)).await);
            assert_eq!(served.last_mut().expect("one").add(1).await, 1);
        }
        // Both of the sockets that are left.
        let _waiting = [Client::connect(world).await, Client::connect(world).await];
        let static_again = world.server.config_v4().expect("an address");
        world.server.set_config_v4(ConfigV4::None);
        ms(2_000).await;
        world.server.set_config_v4(ConfigV4::Static(static_again));
        let mut newcomer = Client::connect(world).await;
        newcomer.send(b"GET /port HTTP/1.1\r\nHost: a\r\n\r\n").await;
        served[0].socket.close();
        assert_eq!(newcomer.answer().await.map(|(status, _)| status), Some(200));
        assert_eq!(served[1].add(1).await, 2);
        assert_eq!(world.ends.take(), [EndReason::PeerClosed, EndReason::MadeRoom]);
    });
}

/// With no patience at all, a link that is there ends nothing.
#[test]
fn no_patience_with_a_lost_link() {
    for link_down_ms in [0, 1] {
        with_server(Runs::of(Settings { link_down_ms, ..settings() }), async |world| {
            let mut client = Client::connect(world).await;
            assert_eq!(client.add(1).await, 1);
            ms(10_000).await;
            assert_eq!(client.add(1).await, 2, "{link_down_ms} ms");
            world.link(false);
            ms(2_000).await;
            assert_eq!(world.ends.take(), [EndReason::LinkDown]);
        });
    }
}
