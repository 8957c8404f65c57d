//! Who gives way to a newcomer: the least recently used idle connection, and none that must not.

mod common;

use common::{
    DEADLINES, Tally, app, ask, end_of, get_of, open_gate, opened, post_of, sessions_ended, settings, with_session,
};
use tenure::{
    EndReason, Error, Eviction, Method, Request, Responder, Router, Sent, get,
    kit::{Client, Server, Settings},
    respond,
};

fn server_of(connections_max: u32) -> Server<Tally> {
    Server::with(app(), Settings { connections_max, eviction: Eviction::LeastRecentlyUsed, ..settings() })
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

/// Who has ended and lingers gives way before anybody who is idle, and where nobody is evicted, too: the one that has lingered for the
/// longest time.
#[test]
fn who_lingers_gives_way_first() {
    for eviction in [Eviction::LeastRecentlyUsed, Eviction::WithoutSession, Eviction::Never] {
        let mut server = Server::with(app(), Settings { connections_max: 3, eviction, ..settings() });
        let idle = with_session(&mut server);
        let refused = [server.connect(), server.connect()];
        for client in &refused {
            client.send("no request\r\n\r\n");
            server.advance(10);
            assert!(client.received_text().starts_with("HTTP/1.1 400 "));
        }
        let ended = server.ended();
        for gone in 1..=2 {
            assert_eq!(ask(&mut server, &idle, get_of("/sum")).lines().next(), Some("HTTP/1.1 200 OK"));
            assert!(is_accepted(&with_session(&mut server)), "{eviction:?} {gone}");
            // Neither ends twice, and none is evicted.
            assert_eq!(server.ended(), ended, "{eviction:?} {gone}");
        }
        // Nobody lingers any more, and all have sessions.
        let newcomer = server.connect();
        server.run();
        assert_eq!(is_accepted(&newcomer), eviction == Eviction::LeastRecentlyUsed, "{eviction:?}");
    }
}

/// A newcomer that is refused takes nobody's place.
#[test]
fn who_lingers_stays_where_the_newcomer_is_refused() {
    let mut server = Server::with(app(), Settings { connections_max: 1, ..settings() });
    let client = server.connect();
    client.send("no request\r\n\r\n");
    server.run();
    server.refuse_connections(true);
    let refused = server.connect();
    server.run();
    assert!(!is_accepted(&refused) && client.is_closed() && !client.is_reset());
    server.refuse_connections(false);
    let newcomer = server.connect();
    assert!(ask(&mut server, &newcomer, get_of("/sum")).starts_with("HTTP/1.1 200 "));
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

/// By default those without a session give way, however long ago others were used: nobody loses anything.
#[test]
fn without_a_session_by_default() {
    for first_has_one in [true, false] {
        let mut server = Server::with(app(), Settings { connections_max: 3, ..settings() });
        let without = server.connect();
        ask(&mut server, &without, get_of("/sum"));
        let sessions = [with_session(&mut server), with_session(&mut server)];
        server.advance(10);
        for client in &sessions {
            ask(&mut server, client, get_of("/sum"));
        }
        if first_has_one {
            // What it had is gone, so it may go.
            let other = &sessions[0];
            ask(&mut server, &without, post_of("/sum", "1"));
            ask(&mut server, other, "POST /remove HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        }
        let newcomer = server.connect();
        server.advance(DEADLINES.linger_ms + 50);
        assert!(is_accepted(&newcomer));
        ask(&mut server, &newcomer, post_of("/sum", "1"));
        let (stays, goes) = if first_has_one { (&without, &sessions[0]) } else { (&sessions[0], &without) };
        assert!(!stays.is_closed() && end_of(&server, &sessions[1]).is_none());
        assert!(matches!(end_of(&server, goes), Some(EndReason::MadeRoom | EndReason::Evicted { .. })));
        // All have one now.
        let newcomer = server.connect();
        assert!(!is_accepted(&newcomer) && !newcomer.is_closed(), "it waits");
    }
}

/// Those that came while there was room, used it and left nothing give way one after the other, the least recently used first.
#[test]
fn idle_clients_lock_nobody_out() {
    let mut server = Server::with(app(), Settings { connections_max: 7, ..settings() });
    let idle: Vec<_> = (0..6).map(|_| server.connect()).collect();
    for client in &idle {
        assert!(ask(&mut server, client, get_of("/sum")).ends_with("\r\n\r\n0"));
        server.advance(1);
    }
    let mut clients = vec![with_session(&mut server)];
    for (count, victim) in idle.iter().enumerate() {
        assert!(idle.iter().skip(count).all(|client| end_of(&server, client).is_none()));
        clients.push(with_session(&mut server));
        assert!(is_evicted(&server, victim), "{count}");
    }
    assert!(clients.iter().all(|client| end_of(&server, client).is_none()));
    assert!(!is_accepted(&server.connect()));
}

/// A pin counts for those without a session as for others, and is taken back to the same order.
#[test]
fn pinned_without_a_session() {
    let mut server = Server::with(app(), Settings { connections_max: 2, ..settings() });
    let client = server.connect();
    ask(&mut server, &client, get_of("/pin"));
    with_session(&mut server);
    let newcomer = server.connect();
    assert!(!is_accepted(&newcomer));
    for target in ["/sum", "/pin", "/nothing-here"] {
        assert!(!ask(&mut server, &client, get_of(target)).contains(CLOSES), "{target}");
    }
    assert!(server.pin(client.id().unwrap(), false));
    server.run();
    assert!(is_accepted(&newcomer) && is_evicted(&server, &client));
    // Nor is one pinned by the request that would be its last.
    let mut server = Server::with(app(), Settings { connections_max: 1, ..settings() });
    let client = server.connect();
    assert!(!ask(&mut server, &client, get_of("/pin")).contains(CLOSES));
    assert!(!ask(&mut server, &client, get_of("/unpin")).contains(CLOSES), "it was pinned when the request came");
    assert!(is_accepted(&server.connect()) && is_evicted(&server, &client));
}

const CLOSES: &str = "Connection: close\r\n";

/// While all places are taken, a connection without a session is told to go, whatever it is answered; one with a session is not.
#[test]
fn a_full_server_says_close_where_there_is_no_session() {
    for eviction in [Eviction::Never, Eviction::WithoutSession, Eviction::LeastRecentlyUsed] {
        for (connections_max, target) in [(1, "/sum"), (2, "/sum"), (1, "/bytes/900"), (1, "/nothing-here")] {
            let mut server = Server::with(app(), Settings { connections_max, eviction, ..settings() });
            let client = server.connect();
            let answer = ask(&mut server, &client, get_of(target));
            let closes = eviction != Eviction::Never && connections_max == 1;
            let case = format!("{eviction:?}, {target} on {connections_max}: {answer}");
            assert_eq!(
                (answer.contains(CLOSES), end_of(&server, &client)),
                (closes, closes.then_some(EndReason::MadeRoom)),
                "{case}"
            );
            let mut server = Server::with(app(), Settings { connections_max, eviction, ..settings() });
            let client = with_session(&mut server);
            let answer = ask(&mut server, &client, get_of(target));
            assert!(!answer.contains("Connection: ") && end_of(&server, &client).is_none(), "with a session, {case}");
        }
    }
}

/// A handler that answers through a responder may make a session behind that: so its answer does not say that it is the last.
#[test]
fn through_a_responder() {
    async fn send<'r>(request: &mut Request<'r, Tally>, responder: Responder<'r>) -> Result<Sent, Error> {
        let sent = responder.send(str::from_utf8(&[b'x'; 20]).unwrap()).await?;
        request.replace_session(Tally::new(0));
        Ok(sent)
    }
    let mut server = Server::with(
        Router::new().route("/", respond(Method::Get, send)),
        Settings { connections_max: 1, ..settings() },
    );
    let client = server.connect();
    assert!(!ask(&mut server, &client, get_of("/")).contains(CLOSES));
    assert!(!is_accepted(&server.connect()) && end_of(&server, &client).is_none(), "it has a session");
    for (target, is_stream) in [("/stream-of/10", true), ("/bytes/20", false)] {
        let mut server = Server::with(app(), Settings { connections_max: 1, ..settings() });
        let client = server.connect();
        client.send(get_of(target));
        server.run();
        open_gate();
        server.run();
        let text = client.received_text();
        assert!(text.ends_with(&"x".repeat(20)) && text.contains(CLOSES) != is_stream, "{text}");
        assert_eq!(end_of(&server, &client), (!is_stream).then_some(EndReason::MadeRoom), "{target}");
        // It has no session, so it gives way all the same.
        assert!(!is_stream || is_accepted(&server.connect()) && is_evicted(&server, &client));
    }
}

/// Who ends the connection anyway is told first: a client, or a handler, also where that makes a session.
#[test]
fn other_reasons_to_close_count_first() {
    async fn close_and_stay(request: &mut Request<'_, Tally>) {
        request.close();
        request.replace_session(Tally::new(0));
        request.pin(true);
    }
    for (request, reason) in [
        (get_of("/sum"), EndReason::MadeRoom),
        ("GET /sum HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(), EndReason::PeerAsked),
        (get_of("/close"), EndReason::Handler),
        (get_of("/close-and-stay"), EndReason::Handler),
    ] {
        let app = Router::new().route("/close-and-stay", get(close_and_stay)).route("/{*rest}", app());
        let mut server = Server::with(app, Settings { connections_max: 1, ..settings() });
        let client = server.connect();
        assert!(ask(&mut server, &client, &request).contains(CLOSES), "{request}");
        assert_eq!(end_of(&server, &client), Some(reason), "{request}");
    }
}

/// A server that is full and stops: the response is the last one, and the session that it has made ends with the stop.
#[test]
fn a_full_server_that_stops() {
    for stops in [true, false] {
        let before = sessions_ended().len();
        let mut server = Server::with(app(), Settings { connections_max: 1, ..settings() });
        let client = server.connect();
        client.send(post_of("/wait-and-count", "12345"));
        server.run();
        if stops {
            server.stop();
        }
        open_gate();
        server.run();
        let answer = client.received_text();
        assert!(answer.ends_with("\r\n\r\n5") && answer.contains(CLOSES) == stops, "{answer}");
        assert_eq!(end_of(&server, &client), stops.then_some(EndReason::Shutdown));
        assert_eq!(sessions_ended().len() - before, usize::from(stops));
    }
}

/// A session that the request makes keeps its connection. Without one the next response is the last; requests that have come
/// already are answered first.
#[test]
fn a_session_keeps_its_connection() {
    let mut server = Server::with(app(), Settings { connections_max: 1, ..settings() });
    let client = server.connect();
    assert!(!ask(&mut server, &client, post_of("/sum", "1")).contains(CLOSES));
    assert_eq!(end_of(&server, &client), None);
    client.received();
    client.send("POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".to_owned() + &get_of("/sum"));
    server.run();
    let text = client.received_text();
    let (first, second) = text.split_at(text.rfind("HTTP/1.1 200").unwrap());
    assert!(!first.contains(CLOSES) && second.contains(CLOSES), "{text}");
    assert_eq!(end_of(&server, &client), Some(EndReason::MadeRoom));
}

#[test]
fn never_where_it_is_off() {
    let mut server = Server::with(app(), Settings { connections_max: 1, eviction: Eviction::Never, ..settings() });
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
    ask(&mut server, &fresh, post_of("/sum", "1"));
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
    let slow = with_session(&mut server);
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
        let mut server = Server::with(
            app(),
            Settings { connections_max: 1, eviction: Eviction::LeastRecentlyUsed, puts_heads_away, ..settings() },
        );
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

/// One that only waits for the peer's close has a place, which a newcomer takes.
#[test]
fn a_closing_one_gives_way() {
    let mut server = server_of(1);
    let client = server.connect();
    ask(&mut server, &client, get_of("/close"));
    let newcomer = server.connect();
    assert!(is_accepted(&newcomer) && client.is_closed());
    server.advance(settings().deadlines.linger_ms);
    assert!(!client.is_reset() && !newcomer.is_closed());
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
