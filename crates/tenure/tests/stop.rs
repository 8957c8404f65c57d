//! How a server stops: what is idle ends, what is at work is finished within a bound, nothing new begins.

mod common;

use common::{
    app, ask, end_of, get_of, open_gate, opened, post_of, running, server, sessions_ended, settings, status_of,
    with_session,
};
use tenure::{
    EndReason,
    kit::{Server, Settings},
};

#[test]
fn idle_ones_end_at_once() {
    for puts_heads_away in [true, false] {
        let mut server = Server::with(app(), Settings { puts_heads_away, ..settings() });
        let (fresh, idle, pinned, head) =
            (server.connect(), with_session(&mut server), with_session(&mut server), with_session(&mut server));
        ask(&mut server, &pinned, get_of("/pin"));
        head.send("GET /su");
        server.run();
        server.stop();
        for client in [&fresh, &idle, &pinned, &head] {
            assert_eq!(end_of(&server, client), Some(EndReason::Shutdown));
            assert!(client.is_closed() && !client.is_reset());
            assert_eq!(client.received_text(), "");
        }
        assert_eq!(opened(), sessions_ended().len());
        assert!(sessions_ended().iter().all(|(_, reason)| *reason == EndReason::Shutdown));
    }
}

#[test]
fn nothing_new_is_accepted() {
    let mut server = server();
    let busy = server.connect();
    busy.send(get_of("/wait"));
    server.run();
    server.stop();
    let late = server.connect();
    assert!(late.is_closed() && late.id().is_none());
}

/// What is at work is answered, and says that it is the last.
#[test]
fn exchanges_in_flight_finish() {
    for (count, request) in [get_of("/wait"), post_of("/wait", "a body that nobody reads")].iter().enumerate() {
        let mut server = server();
        let client = server.connect();
        client.send(request);
        server.run();
        server.stop();
        server.advance(3_000);
        assert_eq!((running(), end_of(&server, &client)), (1, None));
        // Too late.
        client.send(get_of("/sum"));
        open_gate();
        server.run();
        let answer = client.received_text();
        assert!(answer.contains("\r\nConnection: close\r\n") && answer.ends_with("waited"), "{answer}");
        assert_eq!(sessions_ended()[count..], [(11, EndReason::Shutdown)]);
        assert!(client.is_closed() && !client.is_reset());
        client.close();
        server.advance(10_000);
        assert_eq!(server.ended().len(), 1);
    }
}

/// The bodies of answers, and which of them say that they are the last.
fn answers(received: &str) -> Vec<(String, bool)> {
    let answers = received.split("HTTP/1.1 ").skip(1);
    let part = |answer: &str| {
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        (body.to_owned(), head.contains("\r\nConnection: close"))
    };
    answers.map(part).collect()
}

/// What had arrived behind an exchange at work is answered, wherever it is: in the lane, in the socket, or torn.
#[test]
fn what_is_pipelined_is_answered() {
    let at_work = [
        get_of("/wait"),
        post_of("/wait", "and a body that nobody reads"),
        "POST /wait HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_owned(),
    ];
    for (request, late, segment) in at_work
        .iter()
        .flat_map(|request| [false, true].map(|late| (request, late)))
        .flat_map(|(request, late)| [1, 100, usize::MAX].map(|segment| (request, late, segment)))
    {
        // A byte at a time, there would be more receives than a socket is worth.
        let behind =
            get_of("/sum") + &if segment == 1 { String::new() } else { post_of("/sum", "5") + &get_of("/sum") };
        let mut server = server();
        let client = server.connect();
        client.set_segment(segment);
        client.send(request);
        if late {
            server.run();
        }
        client.send(&behind);
        server.run();
        server.stop();
        assert_eq!((client.received_text(), end_of(&server, &client)), (String::new(), None));
        open_gate();
        server.run();
        let answers = answers(&client.received_text());
        let told: Vec<_> = answers.iter().map(|(body, _)| &body[..]).collect();
        let wanted = ["waited", "11", "16", "16"];
        assert_eq!(
            told,
            wanted[..if segment == 1 { 2 } else { 4 }],
            "{request:?}, late: {late}, segments of {segment}"
        );
        let (last, others) = answers.split_last().unwrap();
        assert!(last.1 && !others.iter().any(|(_, closes)| *closes), "only the last one says so: {answers:?}");
        assert_eq!(end_of(&server, &client), Some(EndReason::Shutdown));
        assert!(client.is_closed() && !client.is_reset());
        client.close();
        server.run();
    }
}

/// A request that has come in part is not waited for.
#[test]
fn nothing_new_is_waited_for() {
    for (behind, count) in [("", 1), ("GET /su", 1), ("GET /sum HTTP/1.1\r\nHost: a\r\n\r\nGET /su", 2)] {
        for puts_heads_away in [true, false] {
            let mut server = Server::with(app(), Settings { puts_heads_away, ..settings() });
            let client = server.connect();
            client.send(get_of("/wait") + behind);
            server.run();
            server.stop();
            open_gate();
            server.run();
            assert_eq!(answers(&client.received_text()).len(), count, "{behind:?}");
            assert_eq!(end_of(&server, &client), Some(EndReason::Shutdown), "{behind:?}");
            assert!(client.is_closed() && !client.is_reset());
        }
    }
}

/// More than the lane has room for, and a peer that has closed its side behind it.
#[test]
fn all_that_a_socket_holds_is_answered() {
    for closes in [false, true] {
        let mut server = Server::with(app(), Settings { input_bytes: 256, ..settings() });
        let client = server.connect();
        client.send(get_of("/wait") + &post_of("/sum", "1").repeat(30));
        if closes {
            client.close();
        }
        server.run();
        server.stop();
        open_gate();
        server.run();
        let answers = answers(&client.received_text());
        assert_eq!(answers.last().map(|(body, _)| &body[..]), Some("41"), "{answers:?}");
        assert_eq!(answers.len(), 31);
        let reason = if closes { EndReason::PeerClosed } else { EndReason::Shutdown };
        assert_eq!(end_of(&server, &client), Some(reason));
        assert!(client.is_closed() && !client.is_reset());
    }
}

/// A client that asks again and again does not keep the server from stopping: it is received from 64 times.
#[test]
fn a_peer_that_never_rests_is_let_go() {
    for (count, answered) in [(63, 64), (64, 65), (65, 65), (1_000, 65)] {
        let mut server = server();
        let client = server.connect();
        client.send(get_of("/wait"));
        server.run();
        client.set_segment(get_of("/sum").len());
        client.send(get_of("/sum").repeat(count));
        server.stop();
        open_gate();
        server.run();
        let answers = answers(&client.received_text());
        assert_eq!(answers.len(), answered, "{count}");
        assert!(answers[answered - 1].1 && !answers[answered - 2].1);
        assert_eq!(end_of(&server, &client), Some(EndReason::Shutdown));
        assert!(client.is_closed() && !client.is_reset());
    }
    // One that sends more as soon as all has been received.
    let mut server = server();
    let client = server.connect();
    client.send(get_of("/wait") + &get_of("/wait"));
    server.run();
    server.stop();
    client.send(get_of("/sum"));
    open_gate();
    server.run();
    client.send(get_of("/sum"));
    open_gate();
    server.run();
    assert_eq!(answers(&client.received_text()).iter().map(|(_, closes)| *closes).collect::<Vec<_>>(), [false, true]);
    assert_eq!(end_of(&server, &client), Some(EndReason::Shutdown));
}

#[test]
fn a_body_on_its_way_is_taken() {
    let mut server = server();
    let client = server.connect();
    client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    server.run();
    server.stop();
    client.send("world");
    server.run();
    let answer = client.received_text();
    assert!(answer.contains("\r\nConnection: close\r\n") && answer.ends_with("\r\n\r\n10"), "{answer}");
    assert_eq!(end_of(&server, &client), Some(EndReason::Shutdown));
}

/// A response that the peer is still taking is sent whole.
#[test]
fn a_response_on_its_way_is_sent() {
    for bytes in [1_000, 100_000] {
        let mut server = server();
        let client = server.connect();
        client.set_window(500);
        client.send(get_of(&format!("/bytes/{bytes}")));
        server.run();
        server.stop();
        assert_eq!(end_of(&server, &client), None);
        let mut received = 0;
        while received < bytes {
            let now = client.received().len();
            assert!(now > 0);
            received += now;
            server.run();
        }
        assert_eq!(end_of(&server, &client), Some(EndReason::Shutdown), "{bytes}");
        assert!(client.is_closed() && !client.is_reset());
    }
}

/// Requests that wait for a lane have arrived: they are answered, too.
#[test]
fn requests_that_wait_for_a_lane() {
    let mut server = Server::with(app(), Settings { lanes_max: 1, ..settings() });
    let (busy, waiting) = (server.connect(), server.connect());
    busy.send(get_of("/wait"));
    server.run();
    waiting.send(post_of("/sum", "3") + &get_of("/sum"));
    server.run();
    server.stop();
    assert_eq!(end_of(&server, &waiting), None);
    open_gate();
    server.run();
    assert!(busy.received_text().ends_with("waited"));
    let answer = waiting.received_text();
    assert_eq!(answers(&answer), [("3".to_owned(), false), ("3".to_owned(), true)]);
    assert_eq!(end_of(&server, &waiting), Some(EndReason::Shutdown));
    assert_eq!((opened(), sessions_ended().len()), (2, 2));
}

/// What is not finished in time ends by force.
#[test]
fn forced_at_the_deadline() {
    let mut server = Server::with(app(), Settings { lanes_max: 3, ..settings() });
    let streaming = server.connect();
    streaming.send(get_of("/stream/5"));
    let taking = server.connect();
    taking.set_window(1_000);
    taking.send(get_of("/stream/100000"));
    let closing = server.connect();
    server.run();
    ask(&mut server, &closing, get_of("/close"));
    server.advance(600);
    server.stop();
    for _ in 0..7 {
        server.advance(1_000);
        taking.received();
    }
    server.advance(999);
    assert_eq!((end_of(&server, &streaming), end_of(&server, &taking)), (None, None));
    server.advance(51);
    for client in [&streaming, &taking] {
        assert_eq!(end_of(&server, client), Some(EndReason::Shutdown));
        assert!(client.is_reset());
    }
    assert_eq!((running(), opened()), (0, sessions_ended().len()));
    assert!(closing.is_closed());
    assert_eq!(server.list(), []);
}

/// The other deadlines hold while the server stops.
#[test]
fn other_deadlines_hold() {
    let mut server = server();
    let client = server.connect();
    client.send(get_of("/wait"));
    server.run();
    server.stop();
    server.advance(4_050);
    assert_eq!(status_of(&client.received_text()), "503");
    assert_eq!(end_of(&server, &client), Some(EndReason::Shutdown));
}

#[test]
fn stopping_twice_is_stopping_once() {
    let mut server = server();
    let client = server.connect();
    client.send(get_of("/stream/5"));
    server.run();
    server.stop();
    server.advance(5_000);
    server.stop();
    server.advance(3_050);
    assert_eq!(end_of(&server, &client), Some(EndReason::Shutdown), "from the first time on");
    assert_eq!(server.ended().len(), 1);
}

/// Bytes that have come before the stop are a request: its answer is the last.
#[test]
fn what_has_arrived_is_answered() {
    for lanes_max in [1, 100] {
        let mut server = Server::with(app(), Settings { lanes_max, ..settings() });
        let clients = [with_session(&mut server), with_session(&mut server)];
        for client in &clients {
            client.send(get_of("/sum"));
        }
        server.stop();
        for client in &clients {
            let received = client.received_text();
            assert_eq!(status_of(&received), "200", "{received}");
            assert!(received.contains("Connection: close\r\n"), "{received}");
            assert_eq!(end_of(&server, client), Some(EndReason::Shutdown));
            assert!(!client.is_reset());
        }
    }
}

/// A stream that would go on for ever learns that it is to end, and ends well.
#[test]
fn a_handler_learns_of_it() {
    use common::Tally;
    use tenure::{Error, Method, Request, Responder, Router, Sent, StatusCode, respond};

    async fn ticks<'r>(request: &mut Request<'r, Tally>, responder: Responder<'r>) -> Result<Sent, Error> {
        let ending = request.ending();
        let mut stream = responder.stream(StatusCode::OK, &[]).await?;
        stream.write(b"tick").await?;
        // Nothing else is waited for: only the stop can end it.
        ending.await;
        stream.write(b"last").await?;
        stream.finish().await
    }
    let app = || Router::new().route("/", respond(Method::Get, ticks));
    let whole = "4\r\ntick\r\n4\r\nlast\r\n0\r\n\r\n";

    let mut server = Server::new(app());
    let clients = [server.connect(), server.connect()];
    for client in &clients {
        client.send(get_of("/"));
    }
    server.run();
    assert!(clients[0].received_text().ends_with("\r\n\r\n4\r\ntick\r\n"));
    server.stop();
    assert!(clients[0].received_text().ends_with("4\r\nlast\r\n0\r\n\r\n"));
    assert!(clients[1].received_text().ends_with(whole));
    for client in &clients {
        assert_eq!(end_of(&server, client), Some(EndReason::Shutdown));
    }

    let mut server = Server::new(app());
    let client = server.connect();
    client.send(get_of("/"));
    server.run();
    assert!(server.close(client.id().unwrap()));
    assert!(client.received_text().ends_with(whole));
    assert_eq!(end_of(&server, &client), Some(EndReason::Closed));
}
