//! Who gives way to a newcomer: the least recently used idle connection, and none that must not.

mod common;

use common::{Tally, app, ask, end_of, get_of, open_gate, opened, post_of, sessions_ended, settings, with_session};
use tenure::{
    EndReason,
    kit::{Client, Server, Settings},
};

fn server_of(connections_max: u32) -> Server<Tally> {
    Server::with(app(), Settings { connections_max, evict: true, ..settings() })
}

fn is_evicted(server: &Server<Tally>, client: &Client) -> bool {
    matches!(end_of(server, client), Some(EndReason::Evicted { .. }))
}

fn is_accepted(client: &Client) -> bool {
    client.id().is_some()
}

#[test]
fn least_recently_used_first() {
    let mut server = server_of(3);
    let clients: Vec<_> = (0..3).map(|_| with_session(&mut server)).collect();
    server.advance(10);
    ask(&mut server, &clients[0], get_of("/sum"));
    let order = [1, 2, 0];
    let mut newcomers = Vec::new();
    for (count, victim) in order.into_iter().enumerate() {
        newcomers.push(with_session(&mut server));
        assert!(is_evicted(&server, &clients[victim]), "{victim}");
        assert_eq!(server.ended().len(), count + 1);
    }
    // Then the newcomers themselves.
    with_session(&mut server);
    assert!(is_evicted(&server, &newcomers[0]));
}

/// A use counts also where it comes in the same millisecond.
#[test]
fn order_within_a_millisecond() {
    let mut server = server_of(2);
    let (first, second) = (with_session(&mut server), with_session(&mut server));
    ask(&mut server, &first, get_of("/sum"));
    server.connect();
    assert!(is_evicted(&server, &second) && !is_evicted(&server, &first));
}

#[test]
fn off_by_default() {
    let mut server = Server::with(app(), Settings { connections_max: 1, ..settings() });
    let client = with_session(&mut server);
    let newcomer = server.connect();
    assert!(!is_accepted(&newcomer) && !newcomer.is_closed(), "it waits");
    assert_eq!(end_of(&server, &client), None);
    client.close();
    server.run();
    assert!(is_accepted(&newcomer));
    assert!(ask(&mut server, &newcomer, get_of("/sum")).ends_with("\r\n\r\n0"));
}

#[test]
fn never_a_fresh_one() {
    let mut server = server_of(1);
    let fresh = server.connect();
    let newcomer = server.connect();
    assert!(!is_accepted(&newcomer));
    // Its first request makes it one that may.
    ask(&mut server, &fresh, get_of("/sum"));
    assert!(is_accepted(&newcomer) && is_evicted(&server, &fresh));
}

#[test]
fn never_a_busy_one() {
    let mut server = server_of(1);
    let busy = server.connect();
    busy.send(get_of("/wait"));
    server.run();
    let newcomer = server.connect();
    server.advance(1_000);
    assert!(!is_accepted(&newcomer));
    open_gate();
    server.run();
    assert!(busy.received_text().ends_with("waited"), "it is answered first");
    assert!(is_accepted(&newcomer) && is_evicted(&server, &busy));
}

#[test]
fn never_one_whose_response_is_not_taken() {
    let mut server = server_of(1);
    let slow = server.connect();
    slow.set_window(100);
    slow.send(get_of("/bytes/1000"));
    server.run();
    let newcomer = server.connect();
    assert!(!is_accepted(&newcomer));
    slow.set_window(usize::MAX);
    server.run();
    assert!(is_accepted(&newcomer));
    assert!(slow.received_text().ends_with(&"x".repeat(1_000)));
}

#[test]
fn never_in_a_head() {
    for puts_heads_away in [true, false] {
        let mut server =
            Server::with(app(), Settings { connections_max: 1, evict: true, puts_heads_away, ..settings() });
        let client = with_session(&mut server);
        client.send("GET /su");
        server.run();
        let newcomer = server.connect();
        assert!(!is_accepted(&newcomer));
        client.send("m HTTP/1.1\r\nHost: a\r\n\r\n");
        server.run();
        assert!(client.received_text().ends_with("\r\n\r\n1"));
        assert!(is_accepted(&newcomer) && is_evicted(&server, &client));
    }
}

/// A request that is on its way and not yet received keeps the least recently used one: the next one goes.
#[test]
fn never_one_with_unread_bytes() {
    let mut server = server_of(2);
    let (first, second) = (with_session(&mut server), with_session(&mut server));
    server.advance(10);
    first.send(post_of("/sum", "1"));
    let newcomer = server.connect();
    assert!(is_accepted(&newcomer));
    assert!(is_evicted(&server, &second) && end_of(&server, &first).is_none());
    assert!(first.received_text().ends_with("\r\n\r\n2"));
}

#[test]
fn never_one_with_unread_bytes_even_if_all_have() {
    let mut server = server_of(2);
    let clients = [with_session(&mut server), with_session(&mut server)];
    for client in &clients {
        client.send(post_of("/sum", "1"));
    }
    let newcomer = server.connect();
    for client in &clients {
        assert!(client.received_text().ends_with("\r\n\r\n2"), "answered before anybody gives way");
    }
    assert!(is_accepted(&newcomer) && is_evicted(&server, &clients[0]));
}

#[test]
fn never_one_that_a_handler_has_pinned() {
    let mut server = server_of(1);
    let client = with_session(&mut server);
    ask(&mut server, &client, get_of("/pin"));
    ask(&mut server, &client, get_of("/sum"));
    assert!(server.list()[0].pinned, "beyond the request that has pinned it");
    let newcomer = server.connect();
    assert!(!is_accepted(&newcomer));
    ask(&mut server, &client, get_of("/unpin"));
    assert!(is_accepted(&newcomer) && is_evicted(&server, &client));
}

#[test]
fn never_one_that_is_pinned_from_outside() {
    let mut server = server_of(1);
    let client = with_session(&mut server);
    assert!(server.pin(client.id().unwrap(), true));
    let newcomer = server.connect();
    assert!(!is_accepted(&newcomer));
    assert!(server.pin(client.id().unwrap(), false));
    server.run();
    assert!(is_accepted(&newcomer) && is_evicted(&server, &client));
}

/// A pin while a request is at work counts when it has ended.
#[test]
fn pinned_from_outside_while_busy() {
    let mut server = server_of(1);
    let client = server.connect();
    client.send(get_of("/wait"));
    server.run();
    assert!(server.pin(client.id().unwrap(), true));
    open_gate();
    server.run();
    let newcomer = server.connect();
    assert!(!is_accepted(&newcomer) && end_of(&server, &client).is_none());
}

/// A pin ends with its connection: the next one in the slot is not pinned.
#[test]
fn a_pin_is_not_inherited() {
    let mut server = server_of(1);
    let client = with_session(&mut server);
    ask(&mut server, &client, get_of("/pin"));
    client.close();
    server.run();
    let next = with_session(&mut server);
    let newcomer = server.connect();
    assert!(is_accepted(&newcomer) && is_evicted(&server, &next));
    // Nor one that a handler asked for on a connection that closed before it counted.
    let client = newcomer;
    client.send("GET /pin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    server.run();
    client.close();
    server.run();
    let next = with_session(&mut server);
    assert!(!server.list()[0].pinned);
    assert!(is_accepted(&server.connect()) && is_evicted(&server, &next));
}

/// One that only waits for the peer's close has a place, too, and gives it up in time.
#[test]
fn a_closing_one_gives_way_in_time() {
    let mut server = server_of(1);
    let client = server.connect();
    ask(&mut server, &client, get_of("/close"));
    let newcomer = server.connect();
    assert!(!is_accepted(&newcomer));
    server.advance(750);
    assert!(is_accepted(&newcomer));
}

#[test]
fn twenty_clients_on_seven_sockets() {
    let mut server = server_of(7);
    let mut clients = Vec::new();
    for number in 0..20 {
        let client = server.connect();
        assert!(is_accepted(&client), "{number}");
        assert!(
            ask(&mut server, &client, post_of("/sum", &number.to_string())).ends_with(&format!("\r\n\r\n{number}"))
        );
        clients.push(client);
        server.advance(10);
    }
    assert_eq!((opened(), sessions_ended().len()), (20, 13));
    for (number, client) in clients.iter().enumerate() {
        assert_eq!(is_evicted(&server, client), number < 13, "{number}");
    }
    for (number, (sum, reason)) in sessions_ended().into_iter().enumerate() {
        assert_eq!(sum, i64::try_from(number).unwrap(), "the oldest first");
        let EndReason::Evicted { by, idle_ms } = reason else { panic!("{reason:?}") };
        assert_eq!(Some(by), clients[number + 7].id());
        assert_eq!(idle_ms, 70);
    }
    for client in &clients[13..] {
        client.close();
    }
    server.run();
    assert_eq!(sessions_ended().len(), 20);
}
