//! Why connections and sessions end: each reason, each session once, whatever the peer does and when.

mod common;

use common::{
    Tally, app, ask, assert_serves, end_of, end_of_id, gate, get_of, open_gate, opened, post_of, running, server,
    session_end, sessions_ended, settings, status_of, statuses, wake_all, with_session,
};
use tenure::{
    Deadlines, EndReason, Error, Eviction, Refusal, Request, Responder, Router, Sent, StatusCode, get,
    kit::{Client, Event, Server, Settings},
    post,
};

const HALF_BODY: &str = "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello";
const HALF_CHUNKS: &str = "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";

#[test]
fn fin_while_idle() {
    let mut server = server();
    let client = with_session(&mut server);
    client.close();
    server.run();
    assert_eq!(session_end(), (1, EndReason::PeerClosed));
    assert_eq!(end_of(&server, &client), Some(EndReason::PeerClosed));
    assert!(client.is_closed() && !client.is_reset());
    assert_eq!(client.received_text(), "");
}

#[test]
fn fin_without_a_request() {
    let mut server = server();
    let client = server.connect();
    client.close();
    server.run();
    assert_eq!(end_of(&server, &client), Some(EndReason::PeerClosed));
    assert_eq!(opened(), 0);
    assert!(server.events().contains(&Event::Disconnected(client.id().unwrap(), EndReason::PeerClosed, false)));
}

#[test]
fn fin_in_a_head() {
    for puts_heads_away in [true, false] {
        let mut server = Server::with(app(), Settings { puts_heads_away, ..settings() });
        let client = with_session(&mut server);
        client.send("GET /su");
        client.close();
        server.run();
        assert_eq!(sessions_ended().pop(), Some((1, EndReason::PeerClosed)));
        assert_eq!(client.received_text(), "", "there is nothing to answer");
        // The bytes that come first and the FIN in a later turn: the same.
        let client = with_session(&mut server);
        client.send("GET /su");
        server.run();
        client.close();
        server.run();
        assert_eq!(end_of(&server, &client), Some(EndReason::PeerClosed));
        assert_eq!((opened(), running()), (sessions_ended().len(), 0));
        assert_serves(&mut server);
    }
}

#[test]
fn fin_in_a_body() {
    for half in [HALF_BODY, HALF_CHUNKS] {
        let mut server = server();
        let client = server.connect();
        client.send(half);
        server.run();
        assert_eq!(running(), 1);
        client.close();
        server.run();
        assert_eq!(status_of(&client.received_text()), "400");
        assert_eq!(sessions_ended().pop(), Some((5, EndReason::PeerClosed)));
        assert_eq!(end_of(&server, &client), Some(EndReason::PeerClosed));
        assert!(client.is_closed() && !client.is_reset());
        assert_serves(&mut server);
    }
}

/// A FIN never cancels: what has been asked is answered.
#[test]
fn fin_while_the_handler_waits() {
    let mut server = server();
    let client = server.connect();
    client.send(get_of("/wait"));
    client.close();
    server.run();
    assert_eq!((running(), end_of(&server, &client)), (1, None));
    open_gate();
    server.run();
    assert!(client.received_text().ends_with("waited"));
    assert_eq!(session_end(), (11, EndReason::PeerClosed));
}

#[test]
fn fin_behind_pipelined_requests() {
    let mut server = server();
    let client = server.connect();
    client.send(post_of("/sum", "1") + &post_of("/sum", "2") + &get_of("/wait") + &post_of("/sum", "3"));
    client.close();
    server.run();
    assert_eq!(statuses(&server), [200, 200]);
    open_gate();
    server.run();
    assert_eq!(statuses(&server), [200; 4]);
    assert!(client.received_text().ends_with("\r\n\r\n17"), "1, 2, 1 and 10 of the wait, 3");
    assert_eq!(session_end(), (17, EndReason::PeerClosed));
    assert!(!client.is_reset());
}

/// Also where they come byte by byte.
#[test]
fn fin_behind_requests_in_segments() {
    let mut server = server();
    let client = server.connect();
    client.set_segment(1);
    client.send(post_of("/sum", "1") + &post_of("/sum", "2"));
    client.close();
    server.run();
    assert_eq!(statuses(&server), [200; 2]);
    assert_eq!(session_end(), (3, EndReason::PeerClosed));
}

/// A FIN with a long response on its way: the peer gets all of it.
#[test]
fn fin_before_the_response_is_taken() {
    let mut server = server();
    let client = server.connect();
    client.set_window(1_000);
    client.send(get_of("/bytes/50000"));
    client.close();
    server.run();
    assert_eq!(end_of(&server, &client), None);
    let mut bytes = 0;
    while bytes < 50_000 {
        let received = client.received().len();
        assert!(received > 0);
        bytes += received;
        server.run();
    }
    assert_eq!(end_of(&server, &client), Some(EndReason::PeerClosed));
}

#[test]
fn reset_while_idle() {
    let mut server = server();
    let client = with_session(&mut server);
    client.reset();
    server.run();
    assert_eq!(session_end(), (1, EndReason::PeerReset));
    assert_eq!(end_of(&server, &client), Some(EndReason::PeerReset));
}

#[test]
fn reset_in_a_head() {
    for puts_heads_away in [true, false] {
        let mut server = Server::with(app(), Settings { puts_heads_away, ..settings() });
        let client = with_session(&mut server);
        client.send("GET /su");
        server.run();
        client.reset();
        server.run();
        assert_eq!(sessions_ended().pop(), Some((1, EndReason::PeerReset)));
        // The half head is not the next connection's.
        assert_serves(&mut server);
    }
}

/// A reset cancels, and what the handler has changed so far stays changed.
#[test]
fn reset_in_a_body() {
    for half in [HALF_BODY, HALF_CHUNKS] {
        let mut server = server();
        let client = server.connect();
        client.send(half);
        server.run();
        client.reset();
        server.run();
        assert_eq!(sessions_ended().pop(), Some((5, EndReason::PeerReset)));
        assert_eq!(running(), 0);
        assert_serves(&mut server);
    }
}

#[test]
fn reset_while_the_handler_waits() {
    let mut server = server();
    let client = server.connect();
    client.send(get_of("/wait") + &get_of("/sum"));
    server.run();
    assert_eq!(running(), 1);
    client.reset();
    server.run();
    assert_eq!((running(), session_end()), (0, (1, EndReason::PeerReset)));
    assert_eq!(statuses(&server), []);
    // The waker of the handler that is gone wakes nobody.
    open_gate();
    server.run();
    assert_serves(&mut server);
}

#[test]
fn reset_while_the_response_is_taken() {
    let mut server = server();
    let client = server.connect();
    client.set_window(100);
    client.send(get_of("/stream/100000"));
    server.run();
    client.reset();
    server.run();
    assert_eq!(session_end(), (1, EndReason::PeerReset));
    assert_eq!(running(), 0);
    assert_serves(&mut server);
}

/// A handler's choices about its session: ended, replaced, taken. The connection goes on.
#[test]
fn removed_replaced_taken() {
    let mut server = server();
    let client = with_session(&mut server);
    assert!(ask(&mut server, &client, post_of("/remove", "")).ends_with("\r\n\r\ntrue"));
    assert_eq!(sessions_ended(), [(1, EndReason::Removed)]);
    assert!(ask(&mut server, &client, post_of("/remove", "")).ends_with("\r\n\r\nfalse"), "there is none");
    assert!(ask(&mut server, &client, post_of("/replace", "")).ends_with("\r\n\r\n100"), "there is none to replace");
    assert_eq!((sessions_ended().len(), opened()), (1, 2));
    ask(&mut server, &client, post_of("/sum", "5"));
    ask(&mut server, &client, post_of("/replace", ""));
    assert_eq!(sessions_ended().pop(), Some((105, EndReason::Replaced)));
    assert!(ask(&mut server, &client, post_of("/take", "")).ends_with("\r\n\r\n100"));
    assert_eq!(sessions_ended().len(), 2, "one that is taken is not ended");
    assert!(ask(&mut server, &client, get_of("/sum")).ends_with("\r\n\r\n0"));
    client.close();
    server.run();
    assert_eq!((opened(), sessions_ended().len()), (3, 2));
    assert!(server.events().contains(&Event::Disconnected(client.id().unwrap(), EndReason::PeerClosed, false)));
}

#[test]
fn closed_by_a_handler() {
    let mut server = server();
    let client = with_session(&mut server);
    let answer = ask(&mut server, &client, get_of("/close") + &get_of("/sum"));
    assert!(answer.contains("\r\nConnection: close\r\n") && answer.ends_with("closing"), "the last one: {answer}");
    assert_eq!(session_end(), (1, EndReason::Handler));
    assert_eq!(end_of(&server, &client), Some(EndReason::Handler));
}

#[test]
fn closed_from_outside_while_idle() {
    let mut server = server();
    let client = with_session(&mut server);
    let id = client.id().unwrap();
    assert!(server.close(id));
    assert_eq!(session_end(), (1, EndReason::Closed));
    assert!(client.is_closed() && !client.is_reset());
    assert_eq!(client.received_text(), "");
    client.close();
    server.run();
    assert!(!server.close(id), "it is gone");
    assert_eq!(end_of(&server, &client), Some(EndReason::Closed));
}

#[test]
fn closed_from_outside_before_a_request_and_in_a_head() {
    for bytes in ["", "GET /su"] {
        for puts_heads_away in [true, false] {
            let mut server = Server::with(app(), Settings { puts_heads_away, ..settings() });
            let client = server.connect();
            client.send(bytes);
            server.run();
            assert!(server.close(client.id().unwrap()));
            assert_eq!(end_of(&server, &client), Some(EndReason::Closed), "{bytes:?}, away: {puts_heads_away}");
            assert!(client.is_closed());
            assert_serves(&mut server);
        }
    }
}

/// What is at work is answered, and says that it is the last.
#[test]
fn closed_from_outside_while_busy() {
    let mut server = server();
    let client = server.connect();
    client.send(get_of("/wait") + &get_of("/sum"));
    server.run();
    assert!(server.close(client.id().unwrap()));
    assert_eq!(end_of(&server, &client), None);
    open_gate();
    server.run();
    let answer = client.received_text();
    assert!(answer.contains("\r\nConnection: close\r\n") && answer.ends_with("waited"), "{answer}");
    assert_eq!(session_end(), (11, EndReason::Closed));
    assert!(client.is_closed());
}

/// The answer is written but not taken: the connection closes behind it, and answers no other.
#[test]
fn closed_from_outside_while_the_response_is_taken() {
    for behind in ["", "GET /su"] {
        let mut server = Server::with(app(), Settings { puts_heads_away: false, ..settings() });
        let client = server.connect();
        client.set_window(100);
        client.send(get_of("/bytes/1000") + behind);
        server.run();
        assert!(server.close(client.id().unwrap()));
        assert_eq!(end_of(&server, &client), None);
        client.set_window(usize::MAX);
        client.send(&get_of("/sum")[behind.len()..]);
        server.run();
        assert_eq!(end_of(&server, &client), Some(EndReason::Closed), "{behind:?}");
        assert_eq!(statuses(&server).len(), 1);
        assert!(client.received_text().ends_with(&("\r\n\r\n".to_owned() + &"x".repeat(1_000))));
    }
}

/// A peer that does not take its last response is reset in time, whatever the connection would have done behind it.
#[test]
fn closed_from_outside_while_the_response_is_not_taken() {
    let closing = get_of("/bytes/1000").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    for request in [get_of("/bytes/1000"), get_of("/bytes/1000") + "GET /su", closing] {
        let deadlines = Deadlines { response_ms: 30_000, flush_ms: 10_000, ..Deadlines::HOST };
        let mut server = Server::with(app(), Settings { deadlines, puts_heads_away: false, ..settings() });
        let client = server.connect();
        client.set_window(100);
        client.send(&request);
        server.advance(5_000);
        assert!(server.close(client.id().unwrap()));
        server.advance(9_999);
        assert_eq!(end_of(&server, &client), None, "{request}");
        server.advance(1);
        assert_eq!(end_of(&server, &client), Some(EndReason::Closed), "{request}");
        assert!(client.is_reset());
    }
}

/// A close that comes while the connection closes for a reason of its own does not change the reason.
#[test]
fn closed_from_outside_while_it_closes() {
    let mut server = server();
    let client = server.connect();
    client.set_window(10);
    client.send("GET / HTTP/1.1\r\n\r\n");
    server.run();
    assert!(server.close(client.id().unwrap()));
    client.set_window(usize::MAX);
    server.run();
    assert_eq!(end_of(&server, &client), Some(EndReason::Protocol(Refusal::HostMissing)));
    assert!(server.close(client.id().unwrap()), "the socket is still there");
    assert_eq!(server.ended().len(), 1);
}

/// A late close or pin never hits the next connection in the slot (`espressif/esp-idf#19103`).
#[test]
fn an_old_id_is_nobody_s() {
    let mut server =
        Server::with(app(), Settings { connections_max: 1, eviction: Eviction::LeastRecentlyUsed, ..settings() });
    let first = with_session(&mut server);
    let old = first.id().unwrap();
    first.close();
    server.run();
    let second = with_session(&mut server);
    let id = second.id().unwrap();
    assert_eq!((id.worker(), id.index()), (old.worker(), old.index()), "the same slot");
    assert_ne!(id, old);
    assert!(!server.close(old));
    assert!(!server.pin(old, true));
    assert!(server.hand_over(old).is_none());
    assert_eq!(end_of(&server, &second), None);
    assert!(!server.list()[0].pinned);
    assert!(ask(&mut server, &second, get_of("/sum")).ends_with("\r\n\r\n1"));
    assert!(server.pin(id, true) && server.list()[0].pinned);
    assert!(server.close(id));
    assert_eq!(end_of(&server, &second), Some(EndReason::Closed));
    assert_eq!(end_of_id(&server, old), Some(EndReason::PeerClosed));
}

/// The connection leaves with its session, which is not ended.
#[test]
fn handed_over() {
    let mut server = server();
    let client = with_session(&mut server);
    let id = client.id().unwrap();
    let session = server.hand_over(id).expect("it is idle");
    assert_eq!(session.sum, 1);
    assert_eq!((opened(), sessions_ended().len()), (1, 0));
    assert_eq!(end_of(&server, &client), Some(EndReason::HandedOver));
    assert!(server.events().contains(&Event::Disconnected(id, EndReason::HandedOver, true)));
    assert_eq!(server.list(), []);
    client.send(get_of("/sum"));
    server.run();
    assert_eq!(client.received_text(), "", "it is not this server's any more");
    assert!(!client.is_closed());
    assert_serves(&mut server);
}

#[test]
fn not_handed_over_while_busy() {
    let mut server = server();
    let client = server.connect();
    client.send(get_of("/wait"));
    server.run();
    assert!(server.hand_over(client.id().unwrap()).is_none());
    open_gate();
    server.run();
    assert!(client.received_text().ends_with("waited"));
    assert_eq!(server.hand_over(client.id().unwrap()).map(|tally| tally.sum), Some(11));
}

#[test]
fn asked_by_the_peer() {
    for (fields, version, goes_on) in [
        ("Connection: close\r\n", "1.1", false),
        ("", "1.1", true),
        ("", "1.0", false),
        ("Connection: keep-alive\r\n", "1.0", true),
    ] {
        let mut server = server();
        let client = with_session(&mut server);
        let answer =
            ask(&mut server, &client, format!("GET /sum HTTP/{version}\r\nHost: a\r\n{fields}\r\n") + &get_of("/sum"));
        let reason = (!goes_on).then_some(EndReason::PeerAsked);
        assert_eq!(end_of(&server, &client), reason, "{version} {fields}");
        assert_eq!(answer.contains("\r\nConnection: close\r\n"), !goes_on, "{version} {fields}");
        assert_eq!(statuses(&server).len(), if goes_on { 3 } else { 2 });
        client.close();
        server.run();
        assert_eq!(sessions_ended().pop(), Some((1, reason.unwrap_or(EndReason::PeerClosed))));
    }
}

/// Only a close can end a stream of unknown length to an HTTP/1.0 client. The reason is not a leftover of the lane's.
#[test]
fn a_stream_that_a_close_ends() {
    let mut server = Server::with(app(), Settings { lanes_max: 1, ..settings() });
    let closed = server.connect();
    ask(&mut server, &closed, get_of("/close"));
    assert_eq!(end_of(&server, &closed), Some(EndReason::Handler));
    let client = server.connect();
    open_gate();
    let answer = ask(&mut server, &client, "GET /stream/5 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    assert!(answer.ends_with("\r\n\r\nxxxxxxxxxx"), "{answer}");
    assert_eq!(end_of(&server, &client), Some(EndReason::PeerAsked));
}

#[test]
fn refused_by_the_protocol() {
    for (bytes, refusal) in [
        ("GET / HTTP/1.1\r\n\r\n", Refusal::HostMissing),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Refusal::UnsupportedVersion),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Refusal::SpaceBeforeColon),
    ] {
        let mut server = server();
        let client = with_session(&mut server);
        let answer = ask(&mut server, &client, bytes);
        assert_eq!(status_of(&answer), refusal.status().code().to_string());
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert_eq!(sessions_ended().pop(), Some((1, EndReason::Protocol(refusal))));
        assert_eq!(end_of(&server, &client), Some(EndReason::Protocol(refusal)));
        assert!(server.events().contains(&Event::Refused(client.id().unwrap(), refusal)));
        assert_serves(&mut server);
    }
}

#[test]
fn refused_in_a_chunk() {
    let mut server = server();
    let client = server.connect();
    let answer = ask(&mut server, &client, HALF_CHUNKS.to_owned() + "x\r\n");
    assert_eq!(status_of(&answer), "400");
    assert_eq!(session_end(), (5, EndReason::Protocol(Refusal::BadChunkSize)));
}

/// What a handler leaves of a body is dropped up to a bound; beyond it the next request cannot be found.
#[test]
fn unread() {
    let limits = tenure::Limits { drain_bytes_max: 100, ..tenure::Limits::HOST };
    for (bytes, goes_on) in [(99, true), (100, true), (101, false)] {
        for chunked in [false, true] {
            let mut server = Server::with(app(), Settings { limits, ..settings() });
            let client = with_session(&mut server);
            let body = "x".repeat(bytes);
            let request = if chunked {
                format!(
                    "POST /nowhere HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{bytes:x}\r\n{body}\r\n0\r\n\r\n"
                )
            } else {
                post_of("/nowhere", &body)
            };
            let answer = ask(&mut server, &client, request + &get_of("/sum"));
            assert_eq!(status_of(&answer), "404");
            let reason = (!goes_on).then_some(EndReason::Unread);
            assert_eq!(end_of(&server, &client), reason, "{bytes} bytes, chunked: {chunked}");
            assert_eq!(answer.contains("\r\nConnection: close\r\n"), !goes_on);
            assert_eq!(answer.ends_with("\r\n\r\n1"), goes_on, "{answer}");
        }
    }
}

/// A response that breaks off resets its connection; the session ends with the reason.
#[test]
fn aborted() {
    async fn breaks<'r>(request: &mut Request<'r, Tally>, responder: Responder<'r>) -> Result<Sent, Error> {
        request.session_or_insert_with(|| Tally::new(7));
        let mut stream = responder.stream(StatusCode::OK, &[]).await?;
        stream.write(b"some").await?;
        Err(Error::internal("on purpose"))
    }
    let mut server = Server::with(Router::new().route("/", tenure::respond(tenure::Method::Get, breaks)), settings());
    let client = server.connect();
    client.send(get_of("/"));
    server.run();
    assert_eq!(session_end(), (7, EndReason::Aborted));
    assert!(client.is_reset());
    assert!(!client.received_text().contains("\r\n0\r\n"), "no final chunk");
}

#[test]
fn evicted() {
    let mut server =
        Server::with(app(), Settings { connections_max: 1, eviction: Eviction::LeastRecentlyUsed, ..settings() });
    let client = with_session(&mut server);
    server.advance(1_234);
    let newcomer = server.connect();
    let (id, by) = (client.id().unwrap(), newcomer.id().unwrap());
    assert_eq!(session_end(), (1, EndReason::Evicted { by, idle_ms: 1_234 }));
    assert!(client.is_closed());
    let events = server.events();
    assert_eq!(
        events[2..],
        [
            Event::Connected(by),
            Event::Evicted(id, by),
            Event::Disconnected(id, EndReason::Evicted { by, idle_ms: 1_234 }, true),
        ]
    );
}

/// What an observer sees, in order: nothing twice, nothing before its cause.
#[test]
fn events_in_order() {
    let mut server = server();
    let client = server.connect();
    let id = client.id().unwrap();
    client.send(post_of("/sum", "1") + "GET / HTTP/1.1\r\n\r\n");
    server.run();
    let events = server.events();
    let reason = EndReason::Protocol(Refusal::HostMissing);
    assert!(
        matches!(
            events[..],
            [
                Event::Connected(_),
                Event::Sent(_, StatusCode::OK, _),
                Event::Refused(_, Refusal::HostMissing),
                Event::Sent(_, StatusCode::BAD_REQUEST, _),
                Event::Disconnected(_, _, true),
            ]
        ),
        "{events:?}"
    );
    assert_eq!(events[0], Event::Connected(id));
    assert_eq!(events[4], Event::Disconnected(id, reason, true));
    // The bytes of the responses are those that the client got.
    let bytes: u64 = events.iter().map(|event| if let Event::Sent(_, _, bytes) = event { *bytes } else { 0 }).sum();
    assert_eq!(bytes, client.received().len() as u64);
    client.close();
    server.run();
    assert_eq!(server.events().len(), 5, "the close after the end is no event");
}

#[test]
fn refused_by_the_observer() {
    let mut server =
        Server::with(app(), Settings { connections_max: 1, eviction: Eviction::LeastRecentlyUsed, ..settings() });
    let idle = with_session(&mut server);
    server.refuse_connections(true);
    let client = server.connect();
    assert!(client.is_closed() && client.id().is_none());
    assert_eq!(end_of(&server, &idle), None, "nobody gives way to one that is refused");
    server.refuse_connections(false);
    let client = server.connect();
    assert!(client.id().is_some());
    assert!(matches!(end_of(&server, &idle), Some(EndReason::Evicted { .. })));
}

/// What a handler does at each of its awaits, one after the other.
async fn steps(request: &mut Request<'_, Tally>) -> Result<String, Error> {
    let _running = common::Running::new();
    request.session_or_insert_with(|| Tally::new(0)).sum = 1;
    gate().await;
    request.session_mut().unwrap().sum = 2;
    let first = request.body().read().await?.map_or(0, <[u8]>::len);
    request.session_mut().unwrap().sum = 3;
    gate().await;
    request.session_mut().unwrap().sum = 4;
    let rest = request.body().whole().await?.len();
    request.session_mut().unwrap().sum = 5;
    gate().await;
    request.session_mut().unwrap().sum = 6;
    Ok(format!("{first} {rest}"))
}

async fn panicking_steps(request: &mut Request<'_, Tally>) -> Result<String, Error> {
    let step = request.query_value("step").unwrap().parse::<usize>().unwrap();
    request.session_or_insert_with(|| Tally::new(0)).sum = 1;
    for at in 0..3 {
        assert!(at != step, "a handler's panic, on purpose");
        match at {
            0 => gate().await,
            1 => assert!(request.body().read().await?.is_some()),
            _ => assert!(request.body().whole().await?.is_empty()),
        }
        request.session_mut().unwrap().sum += 1;
    }
    assert!(step != 3, "a handler's panic, on purpose");
    Ok("not reached".to_owned())
}

/// Streams, and waits at each step of it.
async fn streaming_steps<'r>(request: &mut Request<'r, Tally>, responder: Responder<'r>) -> Result<Sent, Error> {
    let _running = common::Running::new();
    request.session_or_insert_with(|| Tally::new(0)).sum = 1;
    gate().await;
    let mut stream = responder.stream(StatusCode::OK, &[]).await?;
    request.session_mut().unwrap().sum = 2;
    stream.write(&[b'x'; 500]).await?;
    stream.flush().await;
    request.session_mut().unwrap().sum = 3;
    gate().await;
    stream.write(&[b'y'; 5_000]).await?;
    request.session_mut().unwrap().sum = 4;
    gate().await;
    stream.finish().await
}

fn steps_server() -> Server<Tally> {
    let app = Router::new()
        .route("/steps", post(steps))
        .route("/panicking", post(panicking_steps))
        .route("/streaming", tenure::respond(tenure::Method::Get, streaming_steps))
        .route("/sum", get(async |_: &mut Request<'_, Tally>| 0))
        .route("/count", post(async |request: &mut Request<'_, Tally>| request.body().whole().await.map(<[u8]>::len)));
    Server::with(app, Settings { lanes_max: 1, output_bytes: 1_024, ..settings() })
}

/// Brings a handler of [`steps`] to its await of that number.
fn to_step(server: &mut Server<Tally>, client: &Client, step: usize) {
    client.send("POST /steps HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    server.run();
    for at in 0..step {
        match at {
            0 | 2 => open_gate(),
            1 => client.send("hello"),
            _ => client.send("world"),
        }
        server.run();
    }
    assert_eq!(running(), 1, "step {step}");
}

/// Dropped at any of its awaits, a handler leaves a wire that serves the next connection.
#[test]
fn a_handler_reset_at_each_await() {
    for step in 0..5 {
        let mut server = steps_server();
        let client = server.connect();
        to_step(&mut server, &client, step);
        client.reset();
        server.run();
        assert_eq!(running(), 0, "step {step}");
        let sum = i64::try_from(step).unwrap() + 1;
        assert_eq!(sessions_ended().pop(), Some((sum, EndReason::PeerReset)), "step {step}");
        assert_eq!(opened(), sessions_ended().len());
        assert_serves(&mut server);
    }
}

#[test]
fn a_handler_overdue_at_each_await() {
    for step in 0..5 {
        let mut server = steps_server();
        let client = server.connect();
        to_step(&mut server, &client, step);
        server.advance(4_050);
        assert_eq!(running(), 0, "step {step}");
        let waits_for_body = step == 1 || step == 3;
        let answer = client.received_text();
        assert_eq!(status_of(&answer), if waits_for_body { "408" } else { "503" }, "step {step}");
        if waits_for_body {
            let deadline = EndReason::Deadline(tenure::Deadline::Body);
            assert_eq!(end_of(&server, &client), Some(deadline), "step {step}");
        } else {
            // The rest of the body is dropped, then the connection goes on with its session.
            client.send(if step == 0 {
                "helloworld"
            } else if step == 2 {
                "world"
            } else {
                ""
            });
            server.run();
            assert_eq!(end_of(&server, &client), None, "step {step}");
            assert!(ask(&mut server, &client, post_of("/count", "12")).ends_with("\r\n\r\n2"), "step {step}");
            client.close();
            server.run();
        }
        assert_eq!(sessions_ended().last().map(|(sum, _)| *sum), Some(i64::try_from(step).unwrap() + 1));
        assert_eq!(opened(), sessions_ended().len());
        assert_serves(&mut server);
    }
}

#[test]
fn a_handler_panicking_at_each_await() {
    for step in 0..4 {
        let mut server = steps_server();
        let client = server.connect();
        client.send(format!("POST /panicking?step={step} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"));
        server.run();
        open_gate();
        server.run();
        client.send("hello");
        server.run();
        assert_eq!(status_of(&client.received_text()), "500", "step {step}");
        assert_eq!(end_of(&server, &client), None, "step {step}");
        assert!(ask(&mut server, &client, post_of("/count", "12")).ends_with("\r\n\r\n2"), "step {step}");
        client.close();
        server.run();
        assert_eq!(sessions_ended().pop(), Some((step + 1, EndReason::PeerClosed)));
        assert_serves(&mut server);
        // The permit of the handler that has panicked before its gate is nobody's.
        wake_all();
        if step == 0 {
            let drain = server.connect();
            drain.send("POST /steps HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n");
            server.run();
            drain.reset();
            server.run();
        }
    }
}

#[test]
fn a_stream_ended_at_each_await() {
    for step in 0..5 {
        for reset in [true, false] {
            let mut server = steps_server();
            let client = server.connect();
            // The window closes in the midst of the first piece, or of the second.
            client.set_window(if step == 1 {
                100
            } else if step == 3 {
                2_000
            } else {
                usize::MAX
            });
            client.send(get_of("/streaming"));
            server.run();
            for _ in 0..step.min(1) + usize::from(step >= 3) {
                open_gate();
                server.run();
            }
            assert_eq!(running(), 1, "step {step}");
            if reset {
                client.reset();
                server.run();
            } else {
                server.advance(7_000);
                if step == 2 || step == 4 {
                    // A stream that waits for nothing but itself has no deadline.
                    assert_eq!((running(), end_of(&server, &client)), (1, None), "step {step}");
                    server.stop();
                    server.advance(8_050);
                    continue;
                }
            }
            assert_eq!(running(), 0, "step {step}");
            if step == 0 && !reset {
                assert_eq!(status_of(&client.received_text()), "503");
            } else if !reset {
                assert!(client.is_reset(), "step {step}");
                assert!(!client.received_text().contains("\r\n0\r\n"));
            }
            assert_serves(&mut server);
            client.close();
            server.run();
            assert_eq!(opened(), sessions_ended().len(), "step {step}");
        }
    }
}
