//! A readiness without bytes, which a port may report, is no use of a connection; bytes without a readiness wait for the port.

use crate::{
    Deadline, Deadlines, EndReason, Request, Router, get,
    kit::{Client, Server, Settings},
};

const DEADLINES: Deadlines = Deadlines { first_byte_ms: 100, idle_ms: 200, ..Deadlines::HOST };

async fn hello(_: &mut Request<'_, ()>) -> &'static str {
    "hello"
}

async fn pin(request: &mut Request<'_, ()>) {
    request.pin(true);
}

async fn wait(_: &mut Request<'_, ()>) {
    core::future::pending::<()>().await;
}

/// A server whose connections may all be served at once, or all but that many.
fn server(settings: Settings) -> Server<()> {
    let app = Router::new().route("/", get(hello)).route("/pin", get(pin)).route("/wait", get(wait));
    Server::with(app, Settings { deadlines: DEADLINES, ..settings })
}

fn ask(server: &mut Server<()>, client: &Client, target: &str) {
    client.send(alloc::format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    server.run();
}

/// Why a connection ends, and after how many milliseconds; it is stirred from time to time, or not.
fn end_of(target: Option<&str>, stirs: bool, is_lane_free: bool) -> (EndReason, u32) {
    let mut server = server(Settings { lanes_max: 1, ..Settings::default() });
    let client = server.connect();
    if let Some(target) = target {
        ask(&mut server, &client, target);
    }
    if !is_lane_free {
        let other = server.connect();
        ask(&mut server, &other, "/wait");
    }
    for ms in 0..1_000 {
        if let Some((_, reason)) = server.ended().first() {
            return (*reason, ms);
        }
        if stirs && ms % 7 == 3 {
            client.stir();
            server.run();
        }
        server.advance(1);
    }
    panic!("it does not end");
}

#[test]
fn stage_and_deadlines_stay_as_they_are() {
    for (target, end) in [
        (None, (EndReason::Deadline(Deadline::FirstByte), 100)),
        (Some("/"), (EndReason::Idle, 200)),
        (Some("/pin"), (EndReason::Idle, 200)),
    ] {
        for (stirs, is_lane_free) in [(false, true), (true, true), (true, false)] {
            assert_eq!(end_of(target, stirs, is_lane_free), end, "{target:?} {stirs} {is_lane_free}");
        }
    }
}

/// One that has never sent anything is not evicted, and who was used last is evicted last.
#[test]
fn the_order_of_eviction_stays() {
    for stirs in [false, true] {
        let mut server = server(Settings { connections_max: 3, ..Settings::default() });
        let [first, second] = [(); 2].map(|()| server.connect());
        for client in [&first, &second] {
            ask(&mut server, client, "/");
            server.advance(1);
        }
        let fresh = server.connect();
        for client in [&fresh, &first] {
            if stirs {
                client.stir();
                server.run();
            }
        }
        let newcomers = [(); 2].map(|()| server.connect());
        let ended: alloc::vec::Vec<_> = server.ended().iter().map(|(id, _)| Some(*id)).collect();
        assert_eq!(ended, [first.id(), second.id()], "{stirs}");
        assert!(newcomers.iter().all(|client| client.id().is_some()) && !fresh.is_closed(), "{stirs}");
    }
}

/// With bytes, or the peer's close, it is one.
#[test]
fn with_something_to_receive_it_is_a_use() {
    for is_lane_free in [true, false] {
        let mut server = server(Settings { lanes_max: 1, ..Settings::default() });
        let [sends, closes] = [(); 2].map(|()| server.connect());
        let other = server.connect();
        if !is_lane_free {
            ask(&mut server, &other, "/wait");
        }
        sends.send("G");
        closes.close();
        server.run();
        server.advance(99);
        assert_eq!(server.ended().iter().any(|(id, _)| Some(*id) == closes.id()), is_lane_free);
        server.advance(1);
        assert!(!sends.is_closed(), "its first byte has come");
    }
}

/// How a client is answered that sent a request or closed before a stop, while its last answer was on its way; the port tells of
/// that so many milliseconds later. And why its connection ended.
fn answered_after_a_stop(request: &str, delay_ms: u32) -> (alloc::string::String, Option<EndReason>) {
    let deadlines = Deadlines { head_ms: 100, response_ms: 10_000, flush_ms: 1_000, ..DEADLINES };
    let app = Router::new().route("/", get(hello));
    let mut server = Server::with(app, Settings { deadlines, ..Settings::default() });
    let client = server.connect();
    client.set_window(1);
    ask(&mut server, &client, "/");
    // The peer takes its answer later than a head may take.
    server.advance(150);
    client.withhold(true);
    if request.is_empty() {
        client.close();
    } else {
        client.send(request);
    }
    server.stop();
    client.set_window(10_000);
    server.run();
    server.advance(delay_ms);
    client.withhold(false);
    server.run();
    (client.received_text(), server.ended().first().map(|(_, reason)| *reason))
}

/// What had come before a stop is not late where the port is told of it late, within the bound of the stop.
#[test]
fn what_has_come_before_a_stop_waits_for_the_port() {
    for delay_ms in [0, 1, 99, 100, 999, 1_000] {
        for request in ["", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
            let (received, reason) = answered_after_a_stop(request, delay_ms);
            let in_time = delay_ms < 1_000;
            let answers = 1 + usize::from(in_time && !request.is_empty());
            assert_eq!(received.matches("HTTP/1.1 200 OK").count(), answers, "{delay_ms} {request:?}: {received}");
            assert_eq!(received.matches("HTTP/1.1 ").count(), answers, "{delay_ms} {request:?}: {received}");
            let wanted = if in_time && request.is_empty() { EndReason::PeerClosed } else { EndReason::Shutdown };
            assert_eq!(reason, Some(wanted), "{delay_ms} {request:?}");
        }
    }
}

/// Nor does it lose what an open connection has missed.
#[test]
fn what_was_missed_is_told_all_the_same() {
    use crate::{Frame, Message, Upgrade, websocket};
    for stirs in [false, true] {
        let said = async |message: &mut Message<'_, ()>| {
            let missed = alloc::format!("{}", message.missed());
            message.send(Frame::text(&missed)).await
        };
        let enter = async |_: &mut Request<'_, ()>| Ok(Upgrade::websocket());
        let mut server = Server::new(Router::new().route("/", websocket(enter, said)));
        let socket = server.websocket("/");
        socket.client().set_window(0);
        let _ = server.send(socket.id(), Frame::binary(&alloc::vec![0; 70_000]));
        socket.client().set_window(usize::MAX);
        if stirs {
            socket.client().stir();
            server.run();
        }
        socket.say("x");
        server.run();
        assert_eq!(socket.texts(), ["1"], "{stirs}");
    }
}
