//! Many connections on few lanes: who is served when, what waits, and that nothing spins.

mod common;

use std::{
    future::poll_fn,
    sync::mpsc,
    task::{Poll, Waker},
    thread,
};

use common::{
    Tally, app, ask, assert_serves, end_of, gate_polls, get_of, open_gate, opened, post_of, running, sessions_ended,
    settings, status_of, statuses, wake_all, with_session,
};
use tenure::{
    EndReason, Handler, Limits, Request, Router, get,
    kit::{Client, Server, Settings},
};

fn server_of(lanes_max: u32) -> Server<Tally> {
    Server::with(app(), Settings { lanes_max, ..settings() })
}

/// Connects a client that has not been served yet.
fn sends(server: &mut Server<Tally>, request: impl AsRef<[u8]>) -> Client {
    let client = server.connect();
    client.send(request);
    client
}

#[test]
fn many_connections_on_two_lanes() {
    let mut server = server_of(2);
    let clients: Vec<_> = (0..200).map(|_| server.connect()).collect();
    for round in 1..=3 {
        for client in &clients {
            client.send(post_of("/sum", "5"));
        }
        server.run();
        for client in &clients {
            assert!(client.received_text().ends_with(&format!("\r\n\r\n{}", 5 * round)));
        }
    }
    for client in &clients {
        client.close();
    }
    server.run();
    assert_eq!((opened(), sessions_ended().len()), (200, 200));
    assert!(sessions_ended().iter().all(|end| *end == (15, EndReason::PeerClosed)));
}

/// One session is never seen by another connection, though their requests are torn apart and mixed on two lanes.
#[test]
fn torn_requests_mixed() {
    let mut server = server_of(2);
    let clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
    let requests: Vec<_> = (0..20).map(|number| post_of("/sum", &format!("{number:3}")).repeat(3)).collect();
    for at in 0..requests[0].len() {
        for (client, request) in clients.iter().zip(&requests) {
            client.send([request.as_bytes()[at]]);
        }
        server.run();
    }
    for (number, client) in clients.iter().enumerate() {
        let answer = client.received_text();
        assert!(answer.ends_with(&format!("\r\n\r\n{}", 3 * number)), "{number}: {answer}");
        client.close();
    }
    server.run();
    assert_eq!((opened(), sessions_ended().len()), (20, 20));
}

/// Lanes are given first come, first served.
#[test]
fn first_come_first_served() {
    let mut server = server_of(1);
    let busy = sends(&mut server, get_of("/wait"));
    server.run();
    let waiting: Vec<_> = (0..5)
        .map(|_| {
            let client = sends(&mut server, get_of("/wait"));
            server.run();
            client
        })
        .collect();
    // One that has been served does not get ahead of those that wait.
    open_gate();
    busy.send(get_of("/sum"));
    server.run();
    assert!(busy.received_text().ends_with("waited"));
    for (number, client) in waiting.iter().enumerate() {
        assert_eq!(client.received_text(), "", "{number}");
        open_gate();
        server.run();
        assert!(client.received_text().ends_with("waited"), "{number}");
        assert_eq!(busy.received_text().is_empty(), number < 4, "{number}");
    }
}

#[test]
fn one_that_waits_may_go() {
    let mut server = server_of(1);
    let busy = sends(&mut server, get_of("/wait"));
    server.run();
    let waiting: Vec<_> = (0..3).map(|_| sends(&mut server, get_of("/sum"))).collect();
    server.run();
    waiting[0].reset();
    server.run();
    assert_eq!(end_of(&server, &waiting[0]), Some(EndReason::PeerReset));
    assert!(server.close(waiting[1].id().unwrap()));
    open_gate();
    server.run();
    assert!(busy.received_text().ends_with("waited"));
    assert_eq!(waiting[1].received_text(), "");
    assert!(waiting[2].received_text().ends_with("\r\n\r\n0"));
}

/// Where heads are not put away, one that is closed from elsewhere in the midst of its head leaves its lane to those that wait.
#[test]
fn half_a_head_that_is_closed_leaves_its_lane() {
    let mut server = Server::with(app(), Settings { lanes_max: 1, puts_heads_away: false, ..settings() });
    let half = sends(&mut server, "GET /sum HT");
    server.run();
    let waiting = sends(&mut server, get_of("/sum"));
    server.run();
    assert_eq!(waiting.received_text(), "");
    assert!(server.close(half.id().unwrap()));
    assert!(waiting.received_text().ends_with("\r\n\r\n0"));
    assert_eq!(end_of(&server, &half), Some(EndReason::Closed));
}

/// A FIN does not lose the request of a connection that waits for a lane.
#[test]
fn one_that_waits_may_close_its_side() {
    let mut server = server_of(1);
    let busy = sends(&mut server, get_of("/wait"));
    server.run();
    let waiting = sends(&mut server, post_of("/sum", "3"));
    waiting.close();
    server.run();
    assert_eq!(end_of(&server, &waiting), None);
    open_gate();
    server.run();
    assert!(busy.received_text().ends_with("waited"));
    assert!(waiting.received_text().ends_with("\r\n\r\n3"));
    assert_eq!(end_of(&server, &waiting), Some(EndReason::PeerClosed));
}

/// Half a head that was put away ends with its connection: the next one in the slot does not find it.
#[test]
fn half_a_head_is_not_inherited() {
    let mut server = server_of(1);
    let dripper = sends(&mut server, "POST /sum HTTP/1.1\r\nHost: a\r\n");
    server.run();
    let busy = sends(&mut server, get_of("/wait"));
    server.run();
    dripper.reset();
    server.run();
    let next = sends(&mut server, get_of("/sum"));
    server.run();
    assert_eq!(next.id().unwrap().index(), dripper.id().unwrap().index(), "the same slot");
    assert!(busy.received_text().is_empty());
    open_gate();
    server.run();
    assert!(next.received_text().ends_with("\r\n\r\n0"));
}

/// Incomplete heads hold no lane: an honest client is served beside any number of them.
#[test]
fn five_hundred_drip_heads() {
    let mut server = server_of(2);
    let drippers: Vec<_> = (0..500).map(|_| server.connect()).collect();
    for byte in *b"GET" {
        for dripper in &drippers {
            dripper.send([byte]);
        }
        let honest = with_session(&mut server);
        assert!(ask(&mut server, &honest, get_of("/sum")).ends_with("\r\n\r\n1"));
        server.advance(600);
    }
    let before = server.calls();
    server.advance(250);
    for dripper in &drippers {
        assert_eq!(status_of(&dripper.received_text()), "408");
    }
    assert_eq!(server.calls(), before, "time alone has reaped them");
    assert_serves(&mut server);
}

/// Without a place for heads they hold lanes, but not for longer than their deadline.
#[test]
fn heads_on_lanes() {
    let mut server = Server::with(app(), Settings { lanes_max: 2, puts_heads_away: false, ..settings() });
    let drippers = [sends(&mut server, "G"), sends(&mut server, "G")];
    server.run();
    let honest = sends(&mut server, get_of("/sum"));
    server.advance(1_999);
    assert_eq!(honest.received_text(), "");
    server.advance(51);
    assert_eq!(status_of(&drippers[0].received_text()), "408");
    assert!(honest.received_text().ends_with("\r\n\r\n0"));
}

/// One slow client does not stall the others (`espressif/esp-idf#3851`).
#[test]
fn slow_clients_stall_nobody() {
    let mut server = server_of(4);
    let taking = sends(&mut server, get_of("/bytes/1000000"));
    taking.set_window(100);
    let sending = sends(&mut server, "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx");
    let waiting = sends(&mut server, get_of("/wait"));
    server.run();
    for _ in 0..10 {
        let honest = server.connect();
        assert!(ask(&mut server, &honest, get_of("/sum")).ends_with("\r\n\r\n0"));
        server.advance(100);
    }
    for client in [&taking, &sending, &waiting] {
        assert_eq!(end_of(&server, client), None);
    }
}

/// Handlers that say that they take long leave one lane for the others.
#[test]
fn long_responses_leave_a_lane() {
    let mut server = server_of(3);
    let long: Vec<_> = (0..3)
        .map(|_| {
            let client = sends(&mut server, get_of("/long/5"));
            server.run();
            client
        })
        .collect();
    assert_eq!(running(), 2);
    assert_eq!(status_of(&long[2].received_text()), "503");
    assert_eq!(end_of(&server, &long[2]), None, "it may ask again");
    assert!(ask(&mut server, &long[2], get_of("/sum")).ends_with("\r\n\r\n0"));
    assert_serves(&mut server);
    open_gate();
    server.run();
    assert_eq!(running(), 1);
    ask(&mut server, &long[2], get_of("/long/5"));
    assert_eq!(running(), 2, "now it may");
    // Handlers that do not say so may have the last lane.
    let last = sends(&mut server, get_of("/wait"));
    server.run();
    assert_eq!((running(), last.received_text().as_str()), (3, ""));
}

/// All of several lanes but the last may wait long; a single one may, too, and each of as many as there are connections.
#[test]
fn the_reserve_of_lanes() {
    for (lanes_max, connections_max, may) in [
        (1, 8, 1),
        (2, 8, 1),
        (3, 8, 2),
        (4, 8, 3),
        (7, 8, 6),
        (8, 8, 8),
        (9, 8, 8),
        (1, 1, 1),
        (1, 2, 1),
        (2, 2, 2),
        (2, 3, 1),
    ] {
        let what = format!("{lanes_max} lanes of {connections_max} connections");
        let before = running();
        let mut server = Server::with(app(), Settings { lanes_max, connections_max, ..settings() });
        let mut ask_long = || {
            let client = sends(&mut server, get_of("/long/5"));
            server.run();
            client
        };
        let long: Vec<_> = (0..may).map(|_| ask_long()).collect();
        assert_eq!(running() - before, may, "{what}");
        if may < i32::try_from(connections_max).unwrap() {
            let one_more = ask_long();
            let answer = one_more.received_text();
            if lanes_max == 1 {
                assert_eq!(answer, "", "{what}: it waits for the only lane");
            } else {
                assert_eq!(status_of(&answer), "503", "{what}");
                assert!(ask(&mut server, &one_more, get_of("/sum")).ends_with("\r\n\r\n0"), "{what}");
            }
            assert_eq!(running() - before, may, "{what}");
        }
        assert!(long.iter().all(|client| status_of(&client.received_text()) != "503"), "{what}");
    }
}

/// As many handlers as there are lanes, all of them waiting: the next one is served when one has ended.
#[test]
fn all_lanes_wait() {
    let mut server = server_of(2);
    let waiting = [sends(&mut server, get_of("/wait")), sends(&mut server, get_of("/wait"))];
    server.run();
    let honest = sends(&mut server, get_of("/sum"));
    server.run();
    assert_eq!(honest.received_text(), "");
    open_gate();
    server.run();
    assert!(honest.received_text().ends_with("\r\n\r\n0"));
    assert_eq!(waiting.iter().filter(|client| !client.received().is_empty()).count(), 1);
}

/// A window that is closed stops the stream; nothing is called meanwhile, and nothing is lost.
#[test]
fn a_stream_to_a_closed_window() {
    let mut server = Server::with(app(), Settings { output_bytes: 512, ..settings() });
    let client = server.connect();
    client.set_window(0);
    client.send(get_of("/stream-of/10000"));
    server.run();
    let before = server.calls();
    assert!(before < 10, "{before}");
    server.advance(5_000);
    assert_eq!(server.calls(), before, "nothing happens while the window is closed");
    client.set_window(700);
    let mut bytes = Vec::new();
    open_gate();
    loop {
        server.run();
        let received = client.received();
        assert!(received.len() <= 700);
        if received.is_empty() {
            break;
        }
        bytes.extend(received);
    }
    let body = bytes.len() - 20_000;
    assert!(bytes[..body].ends_with(b"\r\n\r\n") && bytes[body..].iter().all(|byte| *byte == b'x'));
    assert!(server.calls() < 200, "{}", server.calls());
    assert_eq!(statuses(&server), [200]);
}

/// A long stream does not keep others from being served: they have turns in between.
#[test]
fn a_stream_takes_turns() {
    let mut server = Server::with(app(), Settings { output_bytes: 512, ..settings() });
    let streaming = sends(&mut server, get_of("/bytes/1000000"));
    let honest = sends(&mut server, get_of("/sum"));
    server.run();
    assert!(honest.received_text().ends_with("\r\n\r\n0"));
    assert!(streaming.received().len() > 1_000_000);
    assert!(server.calls() > 100, "the stream has been served in more than one turn: {}", server.calls());
}

/// A peer that has closed its side, or that is gone, wakes the server once, and no handler that waits is polled for it.
#[test]
fn no_storm_after_a_fin() {
    let mut server = server_of(4);
    let client = sends(&mut server, get_of("/wait"));
    server.run();
    let (calls, polls) = (server.calls(), gate_polls());
    client.send(get_of("/sum"));
    client.close();
    server.advance(3_000);
    assert_eq!((server.calls(), gate_polls()), (calls, polls), "while the handler waits nothing is reported");
    open_gate();
    server.run();
    assert!(server.calls() - calls < 6, "{}", server.calls() - calls);
    assert_eq!(statuses(&server), [200, 200]);
    let calls = server.calls();
    server.advance(60_000);
    assert_eq!(server.calls(), calls);
}

#[test]
fn no_storm_after_a_reset() {
    let mut server = server_of(4);
    let client = sends(&mut server, get_of("/wait"));
    server.run();
    let calls = server.calls();
    client.reset();
    server.run();
    assert_eq!(server.calls() - calls, 1);
    let calls = server.calls();
    server.advance(60_000);
    assert_eq!(server.calls(), calls);
}

/// A client that is still sending while its connection closes: one call a portion.
#[test]
fn no_storm_while_closing() {
    let mut server = server_of(4);
    let client = sends(&mut server, "GET / HTTP/1.1\r\n\r\n");
    server.run();
    let calls = server.calls();
    for _ in 0..10 {
        client.send([b'x'; 1_000]);
        server.run();
    }
    assert_eq!(server.calls() - calls, 10);
    client.close();
    server.run();
    assert_eq!(server.calls() - calls, 11);
}

/// Wakes without a reason poll the handler and do nothing else; those of a lane that has gone on harm nobody.
#[test]
fn stale_wakes() {
    let mut server = server_of(1);
    let client = sends(&mut server, get_of("/wait"));
    server.run();
    for round in 1..=5 {
        wake_all();
        server.run();
        assert_eq!(gate_polls(), round + 1);
        assert_eq!(client.received_text(), "");
    }
    // Its waker stays behind when the handler ends, and hits the lane while it serves another one.
    client.reset();
    server.run();
    let other = sends(&mut server, "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx");
    server.run();
    wake_all();
    server.run();
    assert_eq!((other.received_text().as_str(), running()), ("", 1));
    other.send("x");
    server.run();
    assert!(other.received_text().ends_with("\r\n\r\n2"));
    // And hits a lane that serves nobody.
    wake_all();
    server.run();
    assert_serves(&mut server);
}

/// A wake while the handler is being polled is not lost.
#[test]
fn a_wake_during_a_poll() {
    async fn wakes_itself(_: &mut Request<'_, Tally>) -> &'static str {
        let mut polls = 0;
        poll_fn(|context| {
            polls += 1;
            if polls == 10 {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        "ten"
    }
    let mut server = Server::with(Router::new().route("/", get(wakes_itself)), settings());
    let client = server.connect();
    assert!(ask(&mut server, &client, get_of("/")).ends_with("ten"));
}

/// A handler waits for another thread, which wakes its lane.
#[test]
fn woken_by_a_thread() {
    fn threaded(work: mpsc::Sender<(Waker, mpsc::Sender<i64>)>) -> impl Handler<Tally> {
        Router::new().route(
            "/",
            get(async move |_: &mut Request<'_, Tally>| -> i64 {
                let mut answer = None;
                poll_fn(|context| {
                    let answer = answer.get_or_insert_with(|| {
                        let (to, from) = mpsc::channel();
                        work.send((context.waker().clone(), to)).unwrap();
                        from
                    });
                    answer.try_recv().map_or(Poll::Pending, Poll::Ready)
                })
                .await
            }),
        )
    }
    let (to, work) = mpsc::channel::<(Waker, mpsc::Sender<i64>)>();
    let mut server = Server::with(threaded(to), settings());
    let clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for client in &clients {
        client.send(get_of("/"));
    }
    server.run();
    let worker = thread::spawn(move || {
        for number in 0..3 {
            let (waker, answer) = work.recv().unwrap();
            answer.send(number).unwrap();
            waker.wake();
        }
    });
    worker.join().unwrap();
    server.run();
    for (number, client) in clients.iter().enumerate() {
        assert!(client.received_text().ends_with(&format!("\r\n\r\n{number}")));
    }
}

/// Responses that do not fit the output one after the other: each is sent as a whole.
#[test]
fn pipelined_responses_beyond_the_output() {
    for window in [50, 300, usize::MAX] {
        let mut server = Server::with(app(), Settings { output_bytes: 256, ..settings() });
        let client = server.connect();
        client.set_window(window);
        let requests: String = (1..=50).map(|number| post_of("/sum", &number.to_string())).collect();
        client.send(&requests);
        client.send(get_of("/bytes/1000") + &get_of("/sum"));
        let mut received = String::new();
        loop {
            server.run();
            let text = client.received_text();
            if text.is_empty() {
                break;
            }
            received += &text;
        }
        assert_eq!(received.matches("HTTP/1.1 200 OK\r\n").count(), 52, "window {window}");
        let mut sum = 0;
        let mut rest = received.as_str();
        for number in 1..=50 {
            sum += number;
            let body = format!("\r\n\r\n{sum}");
            let at = rest.find("\r\n\r\n").unwrap();
            assert!(rest[at..].starts_with(&body), "{number}: {rest}");
            rest = &rest[at + body.len()..];
        }
        assert!(rest.ends_with("\r\n\r\n1275"));
    }
}

/// Requests behind a chunked body are found where they were received with its last chunks, however large the buffers.
#[test]
fn requests_behind_a_large_body_buffer() {
    for (input_bytes, body_bytes) in [(256, 4_096), (4_096, 16), (256, 256)] {
        let mut server = Server::with(app(), Settings { input_bytes, body_bytes, ..settings() });
        let client = server.connect();
        client.send("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        server.run();
        client.send("5\r\nhello\r\n0\r\n\r\n".to_owned() + &post_of("/sum", "1").repeat(40));
        server.run();
        assert_eq!(statuses(&server).len(), 41, "{input_bytes} and {body_bytes} bytes");
        assert!(client.received_text().ends_with("\r\n\r\n45"));
    }
}

/// The one head that does not fit is refused; it does not wait for room that never comes.
#[test]
fn a_head_at_the_input_s_size() {
    for (bytes, status) in [(1_023, "200"), (1_024, "200"), (1_025, "431")] {
        let limits = Limits { head_bytes_max: u32::MAX, ..Limits::HOST };
        let mut server = Server::with(app(), Settings { input_bytes: 1_024, limits, ..settings() });
        let client = server.connect();
        let (front, end) = ("GET /sum HTTP/1.1\r\nHost: a\r\nX: ", "\r\n\r\n");
        let filling = "x".repeat(bytes - front.len() - end.len());
        let answer = ask(&mut server, &client, format!("{front}{filling}{end}"));
        assert_eq!(status_of(&answer), status, "{bytes} bytes");
    }
}

/// The date is told by every lane once it is set, also by those that were made before.
#[test]
fn dated() {
    let mut server = Server::with(app(), Settings { dated: true, ..settings() });
    let client = server.connect();
    for target in ["/sum", "/nowhere", "/bytes/1000"] {
        let answer = ask(&mut server, &client, get_of(target));
        assert!(answer.contains("\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), "{answer}");
    }
    let mut server = Server::with(app(), settings());
    let client = server.connect();
    assert!(!ask(&mut server, &client, get_of("/sum")).contains("Date"), "a port without a clock tells none");
}
