//! Every deadline: not one millisecond early, at most 50 late, and what it does not count.

mod common;

use std::time::Duration;

use common::{
    DEADLINES, Tally, app, ask, end_of, gate, get_of, open_gate, server, session_end, settings, status_of, with_session,
};
use tenure::{
    Deadline, Deadlines, EndReason, Error, NEVER, Refusal, Request, Router, get,
    kit::{Client, Event, Server, Settings},
    post,
};

/// How late a deadline may be.
const LATE_MS: u32 = 50;

/// Nothing ends one millisecond before a deadline; within 50 after it the connection has.
#[track_caller]
fn assert_due(server: &mut Server<Tally>, client: &Client, ms: u32, reason: EndReason) {
    server.advance(ms - 1);
    assert_eq!(end_of(server, client), None, "too early");
    server.advance(1 + LATE_MS);
    assert_eq!(end_of(server, client), Some(reason), "too late");
}

const fn missed(deadline: Deadline) -> EndReason {
    EndReason::Deadline(deadline)
}

#[test]
fn first_byte() {
    let mut server = server();
    let client = server.connect();
    assert_due(&mut server, &client, 1_000, missed(Deadline::FirstByte));
    assert!(client.is_closed() && !client.is_reset());
    assert_eq!(client.received_text(), "", "it is closed silently");
}

#[test]
fn first_byte_in_time() {
    let mut server = server();
    let client = server.connect();
    server.advance(999);
    client.send("G");
    server.advance(999);
    assert_eq!(end_of(&server, &client), None, "from the first byte on the head's deadline counts");
}

#[test]
fn idle_ends_the_session() {
    let mut server = server();
    let client = with_session(&mut server);
    assert_due(&mut server, &client, 9_000, EndReason::Idle);
    assert!(client.is_closed() && !client.is_reset());
    assert_eq!(client.received_text(), "", "it is closed silently");
    assert_eq!(session_end(), (1, EndReason::Idle));
}

#[test]
fn idle_counts_from_the_last_request() {
    let mut server = server();
    let (used, left) = (with_session(&mut server), with_session(&mut server));
    server.advance(8_999);
    assert!(ask(&mut server, &used, get_of("/sum")).ends_with("\r\n\r\n1"));
    server.advance(1 + LATE_MS);
    assert_eq!((end_of(&server, &used), end_of(&server, &left)), (None, Some(EndReason::Idle)));
    assert_due(&mut server, &used, 9_000 - 1 - LATE_MS, EndReason::Idle);
}

#[test]
fn a_pinned_connection_keeps_the_idle_deadline() {
    let mut server = server();
    let client = with_session(&mut server);
    ask(&mut server, &client, get_of("/pin"));
    assert_due(&mut server, &client, 9_000, EndReason::Idle);
}

#[test]
fn pinned_connections_are_due_in_their_order() {
    let mut server = server();
    let early = with_session(&mut server);
    server.advance(100);
    let late = with_session(&mut server);
    server.advance(100);
    // The later one is pinned first: the list is in the order of the deadlines all the same.
    assert!(server.pin(late.id().unwrap(), true));
    server.advance(100);
    assert!(server.pin(early.id().unwrap(), true));
    server.advance(8_699);
    assert_eq!(end_of(&server, &early), None);
    server.advance(1 + LATE_MS);
    assert_eq!((end_of(&server, &early), end_of(&server, &late)), (Some(EndReason::Idle), None));
    server.advance(100 - 1 - LATE_MS);
    assert_eq!(end_of(&server, &late), None);
    server.advance(1 + LATE_MS);
    assert_eq!(end_of(&server, &late), Some(EndReason::Idle));
}

fn head_settings(puts_heads_away: bool) -> Settings {
    Settings { puts_heads_away, ..settings() }
}

/// The deadline is for the whole head: a byte each second does not extend it.
#[test]
fn head_is_total() {
    for puts_heads_away in [true, false] {
        let mut server = Server::with(app(), head_settings(puts_heads_away));
        let client = server.connect();
        client.send("G");
        server.advance(1_000);
        client.send("E");
        server.advance(999);
        assert_eq!(client.received_text(), "", "too early, heads put away: {puts_heads_away}");
        client.send("T");
        server.advance(1 + LATE_MS);
        let answer = client.received_text();
        assert_eq!(status_of(&answer), "408", "heads put away: {puts_heads_away}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert_eq!(end_of(&server, &client), Some(missed(Deadline::Head)));
        assert!(client.is_closed() && !client.is_reset());
        assert!(server.events().contains(&Event::Refused(client.id().unwrap(), Refusal::HeadTimeout)));
    }
}

#[test]
fn head_in_time() {
    for puts_heads_away in [true, false] {
        let mut server = Server::with(app(), head_settings(puts_heads_away));
        let client = server.connect();
        let request = get_of("/sum");
        let (last, first) = request.as_bytes().split_last().unwrap();
        client.send(first);
        server.advance(1_999);
        client.send([*last]);
        server.advance(1_000);
        assert_eq!(status_of(&client.received_text()), "200", "heads put away: {puts_heads_away}");
        assert_eq!(end_of(&server, &client), None);
    }
}

#[test]
fn head_ends_the_session_of_an_earlier_request() {
    for puts_heads_away in [true, false] {
        let mut server = Server::with(app(), head_settings(puts_heads_away));
        let client = with_session(&mut server);
        server.advance(5_000);
        client.send("GET /");
        assert_due(&mut server, &client, 2_000, missed(Deadline::Head));
        assert_eq!(common::sessions_ended().pop(), Some((1, missed(Deadline::Head))));
    }
    assert_eq!(common::opened(), common::sessions_ended().len());
}

/// What has come of the next request with the one before counts from the end of the one before.
#[test]
fn head_behind_a_request() {
    let mut server = server();
    let client = server.connect();
    client.send(get_of("/wait") + "GET /su");
    server.advance(3_000);
    open_gate();
    server.run();
    assert_eq!(status_of(&client.received_text()), "200");
    assert_due(&mut server, &client, 2_000, missed(Deadline::Head));
    assert_eq!(status_of(&client.received_text()), "408");
}

/// Heads that have waited for a lane in between go back to where they belong: each is due at its own time.
#[test]
fn heads_are_due_in_their_order() {
    let mut server = Server::with(app(), Settings { lanes_max: 1, ..settings() });
    let (early, late, busy) = (server.connect(), server.connect(), server.connect());
    early.send("G");
    server.advance(400);
    late.send("G");
    server.advance(100);
    busy.send(get_of("/wait"));
    server.run();
    early.send("E");
    server.advance(500);
    open_gate();
    server.run();
    assert_eq!(status_of(&busy.received_text()), "200");
    server.advance(999);
    assert_eq!((end_of(&server, &early), end_of(&server, &late)), (None, None));
    server.advance(1 + LATE_MS);
    assert_eq!((end_of(&server, &early), end_of(&server, &late)), (Some(missed(Deadline::Head)), None));
    server.advance(400 - 1 - LATE_MS);
    assert_eq!(end_of(&server, &late), None);
    server.advance(1 + LATE_MS);
    assert_eq!(end_of(&server, &late), Some(missed(Deadline::Head)));
}

/// Where no lane is free to say 408, the connection is closed without it.
#[test]
fn head_without_a_lane() {
    let mut server = Server::with(app(), Settings { lanes_max: 1, ..settings() });
    let (dripper, busy) = (server.connect(), server.connect());
    dripper.send("G");
    server.run();
    busy.send(get_of("/wait"));
    assert_due(&mut server, &dripper, 2_000, missed(Deadline::Head));
    assert_eq!(dripper.received_text(), "");
    assert!(dripper.is_closed());
    open_gate();
    server.run();
    assert_eq!(status_of(&busy.received_text()), "200");
}

fn body_of(bytes: usize) -> String {
    format!("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n")
}

const CHUNKED: &str = "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn body_that_does_not_come() {
    for head in [body_of(10), CHUNKED.to_owned()] {
        let mut server = server();
        let client = server.connect();
        client.send(&head);
        assert_due_408(&mut server, &client, 3_000);
        assert_eq!(common::running(), 0);
        assert_eq!(common::sessions_ended().pop(), Some((0, missed(Deadline::Body))));
    }
}

#[track_caller]
fn assert_due_408(server: &mut Server<Tally>, client: &Client, ms: u32) {
    server.advance(ms - 1);
    assert_eq!(client.received_text(), "", "too early");
    server.advance(1 + LATE_MS);
    let answer = client.received_text();
    assert_eq!(status_of(&answer), "408");
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    assert_eq!(end_of(server, client), Some(missed(Deadline::Body)));
    let refused = server.events().iter().filter(|event| matches!(event, Event::Refused(..))).count();
    assert_eq!(refused, 1, "it is refused once");
}

/// A byte a second, of 100 that are due: each grants 10 ms.
#[test]
fn body_dripping() {
    for chunked in [false, true] {
        let mut server = server();
        let client = server.connect();
        client.send(if chunked { CHUNKED.to_owned() } else { body_of(1_000) });
        for _ in 0..3 {
            client.send(if chunked { "1\r\nx\r\n" } else { "x" });
            server.advance(999);
            assert_eq!(client.received_text(), "");
            server.advance(1);
        }
        // 3,000 ms are over, and 3 bytes grant 30 more.
        assert_due_408(&mut server, &client, 30);
        assert_eq!(session_end_of_last().0, 3, "what the handler has done stays done");
    }
}

#[track_caller]
fn session_end_of_last() -> (i64, EndReason) {
    common::sessions_ended().pop().expect("a session has ended")
}

/// One that keeps the rate is not reaped, however long it takes.
#[test]
fn body_at_its_rate() {
    let mut server = server();
    let client = server.connect();
    client.send(body_of(3_000));
    for _ in 0..30 {
        server.advance(1_000);
        assert_eq!(end_of(&server, &client), None);
        client.send([b'x'; 100]);
    }
    server.run();
    assert!(client.received_text().ends_with("\r\n\r\n3000"));
}

/// One that is just below it is, once the base is used up.
#[test]
fn body_below_its_rate() {
    let mut server = server();
    let client = server.connect();
    client.send(body_of(3_000));
    let mut seconds = 0;
    while end_of(&server, &client).is_none() {
        server.advance(1_000);
        client.send([b'x'; 50]);
        seconds += 1;
    }
    // At second s there are 50 (s - 1) bytes, which grant s/2 s beside the base of 3 s.
    assert_eq!(seconds, 5);
    assert_eq!(status_of(&client.received_text()), "408");
}

/// Without a rate no byte grants time: the deadline is for the whole body. Only a route or a setting that says never has none.
#[test]
fn body_without_a_rate() {
    for (body_ms, ends) in [(3_000, true), (NEVER, false)] {
        let deadlines = Deadlines { body_ms, body_bytes_per_s: 0, ..DEADLINES };
        let mut server = Server::with(app(), Settings { deadlines, ..settings() });
        let client = server.connect();
        client.send(body_of(5_000));
        for _ in 0..2 {
            server.advance(1_000);
            client.send([b'x'; 1_000]);
        }
        server.advance(999);
        assert_eq!(client.received_text(), "", "too early");
        server.advance(1 + LATE_MS);
        assert_eq!(!client.received_text().is_empty(), ends);
        if !ends {
            server.advance(100_000);
            client.send([b'x'; 3_000]);
            server.run();
            assert!(client.received_text().ends_with("\r\n\r\n5000"));
        }
    }
}

/// What the handler waits for itself is not the body's, nor the other way around.
#[test]
fn body_and_handler_wait_apart() {
    let mut server = server();
    let client = server.connect();
    client.send("POST /wait-and-count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    server.advance(3_500);
    open_gate();
    server.run();
    assert_due_408(&mut server, &client, 3_000);
}

#[test]
fn handler_does_not_count_the_body() {
    async fn count_and_wait(request: &mut Request<'_, Tally>) -> Result<&'static str, Error> {
        request.body().whole().await?;
        gate().await;
        Ok("waited")
    }
    let mut server = Server::with(Router::new().route("/", post(count_and_wait)), settings());
    let client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    server.advance(2_900);
    client.send("xx");
    server.advance(3_999);
    assert_eq!(client.received_text(), "");
    server.advance(1 + LATE_MS);
    assert_eq!(status_of(&client.received_text()), "503");
}

/// The handler is given up with 503, the session stays and the connection goes on.
#[test]
fn handler() {
    let mut server = server();
    let client = with_session(&mut server);
    client.send(get_of("/wait"));
    server.advance(3_999);
    assert_eq!((client.received_text().as_str(), common::running()), ("", 1));
    server.advance(1 + LATE_MS);
    let answer = client.received_text();
    assert_eq!(status_of(&answer), "503");
    assert!(!answer.contains("Connection: close"), "{answer}");
    assert_eq!(common::running(), 0);
    assert!(ask(&mut server, &client, get_of("/sum")).ends_with("\r\n\r\n2"), "1, and 1 before it waited");
    assert_eq!(end_of(&server, &client), None);
    assert_due(&mut server, &client, 9_000, EndReason::Idle);
}

#[test]
fn handler_in_time() {
    let mut server = server();
    let client = server.connect();
    client.send(get_of("/wait"));
    server.advance(3_999);
    open_gate();
    server.advance(LATE_MS);
    assert_eq!(status_of(&client.received_text()), "200");
}

/// Each of several requests that came at once has the whole time.
#[test]
fn handler_of_a_pipelined_request() {
    let mut server = server();
    let client = server.connect();
    client.send(get_of("/wait") + &get_of("/wait"));
    server.advance(3_000);
    open_gate();
    server.run();
    assert_eq!(status_of(&client.received_text()), "200");
    server.advance(3_999);
    assert_eq!(client.received_text(), "", "the second counts from the end of the first");
    server.advance(1 + LATE_MS);
    assert_eq!(status_of(&client.received_text()), "503");
}

#[test]
fn body_of_a_pipelined_request() {
    let mut server = server();
    let client = server.connect();
    client.send(CHUNKED);
    server.advance(2_900);
    // The next head comes with the last chunk, so that the lane goes on with it.
    client.send("1\r\nx\r\n0\r\n\r\n".to_owned() + &body_of(1));
    server.run();
    assert_eq!(status_of(&client.received_text()), "200");
    assert_due_408(&mut server, &client, 3_000);
}

/// A handler that has begun to answer is a stream: only the peer can be late.
#[test]
fn handler_that_has_begun() {
    let mut server = server();
    let client = server.connect();
    client.send(get_of("/stream/5"));
    server.advance(60_000);
    assert_eq!(end_of(&server, &client), None);
    open_gate();
    server.run();
    assert!(client.received_text().ends_with("\r\n5\r\nxxxxx\r\n5\r\nxxxxx\r\n0\r\n\r\n"));
}

/// Of routers and targets within each other the innermost counts, longer or shorter, and of the two kinds each for itself.
#[test]
fn deadlines_of_routers() {
    async fn waits(request: &mut Request<'_, Tally>) -> Result<usize, Error> {
        let bytes = request.body().whole().await?.len();
        std::future::pending::<()>().await;
        Ok(bytes)
    }
    let seconds = Duration::from_secs;
    let app = || {
        let inner = Router::new()
            .route("/own", post(waits).handler_deadline(seconds(9)))
            .route("/body", post(waits).body_deadline(seconds(4)))
            .route("/waits", post(waits).waits_long())
            .route("/", post(waits));
        let longer = Router::new().route("/", post(waits)).handler_deadline(seconds(7)).fields([("X-A", "1")]);
        let outer = inner.nest("/longer", longer).handler_deadline(seconds(2)).body_deadline(seconds(5));
        outer.handler_deadline(seconds(20))
    };
    for (target, body_ms, handler_ms) in [
        ("/own", 5_000, 9_000),
        ("/body", 4_000, 2_000),
        ("/waits", 5_000, 2_000),
        ("/", 5_000, 2_000),
        ("/longer", 5_000, 7_000),
    ] {
        for (length, ms, status) in [(0, handler_ms, "503"), (1, body_ms, "408")] {
            let mut server = Server::with(app(), settings());
            let client = server.connect();
            client.send(format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"));
            server.advance(ms - 1);
            assert_eq!(client.received_text(), "", "{target} {status}");
            server.advance(1 + LATE_MS);
            assert_eq!(status_of(&client.received_text()), status, "{target}");
            assert_eq!(client.is_closed(), status == "408", "{target}");
        }
    }
}

/// Nor does a router's deadline end a handler that has begun to answer.
#[test]
fn handler_that_has_begun_below_a_router() {
    let router = Router::new().nest("/", app()).handler_deadline(Duration::from_millis(500));
    let mut server = Server::with(router, settings());
    let (stream, waits) = (server.connect(), server.connect());
    stream.send(get_of("/stream/5"));
    waits.send(get_of("/wait"));
    server.advance(500 + LATE_MS);
    assert_eq!(status_of(&waits.received_text()), "503");
    server.advance(60_000);
    open_gate();
    server.run();
    assert!(stream.received_text().ends_with("\r\n5\r\nxxxxx\r\n5\r\nxxxxx\r\n0\r\n\r\n"));
}

/// Where the body stalls after the response has begun there is no 408: the peer must see that something is missing.
#[test]
fn body_after_the_response_has_begun() {
    async fn echo<'r>(
        request: &mut Request<'r, Tally>,
        responder: tenure::Responder<'r>,
    ) -> Result<tenure::Sent, Error> {
        let mut stream = responder.stream(tenure::StatusCode::OK, &[]).await?;
        while let Some(piece) = request.body().read().await? {
            stream.write(piece).await?;
        }
        stream.finish().await
    }
    let mut server = Server::with(Router::new().route("/", tenure::respond(tenure::Method::Post, echo)), settings());
    let client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    server.run();
    assert!(client.received_text().ends_with("\r\n5\r\nhello\r\n"));
    assert_due(&mut server, &client, 3_050, missed(Deadline::Body));
    assert!(client.is_reset());
    assert_eq!(client.received_text(), "");
}

/// A request that waits for a lane is on its way: the time counts.
#[test]
fn handler_counts_the_wait_for_a_lane() {
    let mut server = Server::with(app(), Settings { lanes_max: 1, ..settings() });
    let (first, second) = (server.connect(), server.connect());
    first.send(get_of("/wait"));
    server.run();
    second.send(get_of("/wait"));
    server.advance(3_000);
    open_gate();
    server.run();
    assert_eq!(status_of(&first.received_text()), "200");
    server.advance(999);
    assert_eq!(second.received_text(), "");
    server.advance(1 + LATE_MS);
    assert_eq!(status_of(&second.received_text()), "503");
    assert_eq!(end_of(&server, &second), None);
}

/// Where no lane comes free in time, nothing can be said.
#[test]
fn handler_that_never_gets_a_lane() {
    let mut server = Server::with(app(), Settings { lanes_max: 1, ..settings() });
    let (first, second) = (server.connect(), server.connect());
    first.send(get_of("/stream/5"));
    server.run();
    second.send(get_of("/sum"));
    assert_due(&mut server, &second, 4_000, missed(Deadline::Handler));
    assert!(second.is_closed());
    assert_eq!(end_of(&server, &first), None);
}

#[test]
fn deadlines_of_a_route() {
    async fn wait(_: &mut Request<'_, Tally>) {
        gate().await;
    }
    async fn whole(request: &mut Request<'_, Tally>) -> Result<(), Error> {
        request.body().whole().await.map(|_| ())
    }
    let milliseconds = Duration::from_millis;
    let app = Router::new()
        .route("/quick", get(wait).handler_deadline(milliseconds(250)))
        .route("/slow", get(wait).handler_deadline(milliseconds(20_000)))
        .route("/body", post(whole).body_deadline(milliseconds(400)))
        .route("/any", get(wait));
    let mut server = Server::with(app, settings());
    for (target, ms) in [("/quick", 250), ("/slow", 20_000), ("/any", 4_000)] {
        let client = server.connect();
        client.send(get_of(target));
        server.advance(ms - 1);
        assert_eq!(client.received_text(), "", "{target}");
        server.advance(1 + LATE_MS);
        assert_eq!(status_of(&client.received_text()), "503", "{target}");
    }
    let client = server.connect();
    client.send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    assert_due_408(&mut server, &client, 400);
}

/// What one route grants is not granted to the next request.
#[test]
fn deadlines_of_a_route_end_with_its_request() {
    async fn wait(_: &mut Request<'_, Tally>) {
        gate().await;
    }
    let app =
        Router::new().route("/slow", get(wait).handler_deadline(Duration::from_secs(20))).route("/any", get(wait));
    let mut server = Server::with(app, settings());
    let client = server.connect();
    client.send(get_of("/slow") + &get_of("/any"));
    server.run();
    open_gate();
    server.run();
    assert_eq!(status_of(&client.received_text()), "200");
    server.advance(4_000 + LATE_MS);
    assert_eq!(status_of(&client.received_text()), "503");
}

/// A peer that takes nothing is reset.
#[test]
fn response() {
    let mut server = server();
    let client = with_session(&mut server);
    client.set_window(1_000);
    client.send(get_of("/bytes/100000"));
    assert_due(&mut server, &client, 6_000, missed(Deadline::Response));
    assert!(client.is_reset());
    assert_eq!(session_end(), (1, missed(Deadline::Response)));
    assert_eq!(client.received().len(), 1_000);
}

/// Lets a client take so many bytes after each pause of that length, until its connection has ended. Returns how many pauses
/// it has lasted.
fn pauses_lasted(server: &mut Server<Tally>, client: &Client, pause_ms: u32, bytes: usize) -> u32 {
    for pauses in 0..100 {
        server.advance(pause_ms);
        if end_of(server, client).is_some() {
            return pauses;
        }
        client.received();
        client.set_window(bytes);
        server.run();
    }
    100
}

/// One that takes as many bytes as the rate says is not reset, however long it takes; one that takes fewer is, once the base
/// is used up.
#[test]
fn response_at_and_below_its_rate() {
    for (pause_ms, bytes, lasts) in [
        (1_000, 100, 100),
        (1_000, 101, 100),
        // Each pause costs 10 ms of 6,000, half of it, almost all of it.
        (1_000, 99, 100),
        (1_000, 50, 10),
        (2_900, 1, 2),
        // What was given back is never more than the base.
        (5_999, 600, 100),
        (6_001, 10_000, 0),
    ] {
        let mut server = server();
        let client = server.connect();
        client.set_window(bytes);
        client.send(get_of("/bytes/1000000"));
        server.run();
        let lasted = pauses_lasted(&mut server, &client, pause_ms, bytes);
        assert_eq!(lasted, lasts, "{bytes} bytes every {pause_ms} ms");
        let end = (lasts < 100).then_some(missed(Deadline::Response));
        assert_eq!((end_of(&server, &client), client.is_reset()), (end, end.is_some()));
    }
}

/// To the millisecond: of 6,000 ms ten pauses leave 1,000.
#[test]
fn response_below_its_rate_is_due_exactly() {
    let mut server = server();
    let client = server.connect();
    client.set_window(50);
    client.send(get_of("/bytes/100000"));
    server.run();
    for _ in 0..10 {
        server.advance(1_000);
        client.received();
        server.run();
    }
    assert_due(&mut server, &client, 1_000, missed(Deadline::Response));
}

/// Without a rate no byte gives back time: the deadline is for all that is waited.
#[test]
fn response_without_a_rate() {
    let deadlines = Deadlines { response_bytes_per_s: 0, ..DEADLINES };
    let mut server = Server::with(app(), Settings { deadlines, ..settings() });
    let client = server.connect();
    client.set_window(1_000);
    client.send(get_of("/bytes/100000"));
    server.run();
    for _ in 0..2 {
        server.advance(2_000);
        client.received();
        server.run();
    }
    assert_due(&mut server, &client, 2_000, missed(Deadline::Response));
}

/// Who has used up most of the time has all of it for the next response, and so has the next one on the lane.
#[test]
fn response_has_its_own_time() {
    for same in [true, false] {
        let mut server = Server::with(app(), Settings { lanes_max: 1, ..settings() });
        let mut client = server.connect();
        for _ in 0..2 {
            client.set_window(1_000);
            client.send(get_of("/bytes/1000"));
            server.advance(5_999);
            client.received();
            client.set_window(usize::MAX);
            server.run();
            client.received();
            if !same {
                client = server.connect();
            }
        }
        // Also for one that has waited for the lane.
        let late = server.connect();
        client.set_window(1_000);
        client.send(get_of("/bytes/1000"));
        server.run();
        late.set_window(1_000);
        late.send(get_of("/bytes/1000"));
        server.advance(3_900);
        client.set_window(usize::MAX);
        server.run();
        assert_due(&mut server, &late, 6_000, missed(Deadline::Response));
    }
}

/// Requests that come together share the time: short responses are no way around the rate.
#[test]
fn responses_to_pipelined_requests_share_their_time() {
    let mut server = Server::with(app(), Settings { output_bytes: 256, ..settings() });
    let client = server.connect();
    client.set_window(100);
    client.send(get_of("/sum").repeat(100));
    server.run();
    // Each of them is shorter than what is taken every time.
    let lasted = pauses_lasted(&mut server, &client, 2_900, 150);
    assert_eq!(lasted, 3, "each pause costs 1,400 ms of 6,000");
    assert_eq!(end_of(&server, &client), Some(missed(Deadline::Response)));
}

/// The time counts from when there is something to take, not from what was taken long before.
#[test]
fn response_counts_from_its_bytes() {
    let mut server = server();
    let client = server.connect();
    client.send(get_of("/stream/5"));
    server.advance(20_000);
    client.received();
    client.set_window(0);
    open_gate();
    server.run();
    server.advance(5_999);
    assert_eq!(end_of(&server, &client), None);
    server.advance(1 + LATE_MS);
    assert_eq!(end_of(&server, &client), Some(missed(Deadline::Response)));
    assert!(client.is_reset());
}

#[test]
fn linger() {
    let mut server = server();
    let client = server.connect();
    let answer = ask(&mut server, &client, get_of("/close"));
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    assert!(client.is_closed() && !client.is_reset());
    assert_eq!(server.list(), []);
    server.advance(699);
    assert!(!client.is_reset());
    server.advance(1 + LATE_MS);
    assert!(client.is_reset());
}

#[test]
fn linger_ends_with_the_peer() {
    let mut server = server();
    let client = server.connect();
    ask(&mut server, &client, get_of("/close"));
    server.advance(699);
    client.close();
    server.advance(1_000);
    assert!(!client.is_reset());
}

/// What is never due is never due, also where a clock of 32 bits could not tell.
#[test]
fn never() {
    for never in [NEVER, 1 << 31] {
        let deadlines = Deadlines {
            first_byte_ms: never,
            idle_ms: never,
            head_ms: never,
            body_ms: never,
            body_bytes_per_s: 1,
            handler_ms: never,
            response_ms: never,
            response_bytes_per_s: 1,
            ping_ms: never,
            pong_ms: never,
            linger_ms: never,
            flush_ms: never,
        };
        let mut server = Server::with(app(), Settings { deadlines, ..settings() });
        let fresh = server.connect();
        let idle = with_session(&mut server);
        let clients: Vec<_> = ["G", &body_of(5), &get_of("/wait"), &get_of("/bytes/100000"), &get_of("/close")]
            .into_iter()
            .map(|bytes| {
                let client = server.connect();
                client.set_window(500);
                client.send(bytes);
                client
            })
            .collect();
        server.run();
        let ended = server.ended().len();
        assert_eq!(ended, 1, "the one that a handler has closed");
        server.advance(1_000_000_000);
        server.stop();
        server.advance(1_000_000_000);
        assert!(!clients.iter().any(Client::is_reset));
        let shutdown = Some(EndReason::Shutdown);
        assert_eq!([end_of(&server, &fresh), end_of(&server, &idle)], [shutdown, shutdown]);
    }
}

/// A body that grants more time than half the clock's range is not overdue at once.
#[test]
fn body_of_many_bytes() {
    let deadlines = Deadlines { body_bytes_per_s: 1, ..DEADLINES };
    let mut server = Server::with(app(), Settings { deadlines, ..settings() });
    let client = server.connect();
    // 2,200,000 bytes at one a second are more than 2^31 ms.
    client.send(body_of(2_200_001));
    for _ in 0..22 {
        client.send(vec![b'x'; 100_000]);
        server.run();
    }
    server.advance(10_000);
    assert_eq!(end_of(&server, &client), None);
    client.send("x");
    server.run();
    assert!(client.received_text().ends_with("\r\n\r\n2200001"));
}

/// Every deadline holds across the wrap of the clock, which comes 5 s after the start.
#[test]
fn the_clock_wraps() {
    for before_ms in [3_000, 4_000, 4_999, 5_000, 5_001, 5_002] {
        let mut server = server();
        let idle = with_session(&mut server);
        server.advance(before_ms);
        let (fresh, head, body, handler) = (server.connect(), server.connect(), server.connect(), server.connect());
        head.send("G");
        body.send(body_of(5));
        handler.send(get_of("/wait"));
        server.run();
        for (client, ms) in [(&fresh, 1_000), (&head, 2_000), (&body, 3_000)] {
            let since = server.ended().len();
            let wait_ms = if since == 0 { ms } else { 1_000 - LATE_MS };
            server.advance(wait_ms - 1);
            assert_eq!(end_of(&server, client), None, "{ms} ms from {before_ms} on");
            server.advance(1 + LATE_MS);
            assert!(end_of(&server, client).is_some(), "{ms} ms from {before_ms} on");
        }
        server.advance(1_000 - LATE_MS - 1);
        assert_eq!(handler.received_text(), "");
        server.advance(1 + LATE_MS);
        assert_eq!(status_of(&handler.received_text()), "503");
        assert_eq!(end_of(&server, &idle), if before_ms + 4_050 < 9_000 { None } else { Some(EndReason::Idle) });
    }
}
