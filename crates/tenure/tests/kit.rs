//! The test kit: what its documentation says of it.

mod support;

use support::{get, request, responses, text};
use tenure::{
    EndReason, Error, Request, Router, Session, any,
    kit::{Event, Server, Settings},
    post,
};

async fn hello(_: &mut Request<'_, ()>) -> &'static str {
    "hello"
}

async fn echo(request: &mut Request<'_, ()>) -> Result<Vec<u8>, Error> {
    Ok(request.body().whole().await?.to_vec())
}

fn server() -> Server<()> {
    Server::new(Router::new().route("/", any(hello)).route("/echo", post(echo)))
}

#[test]
fn more_clients_connect_than_there_are_ports() {
    let mut server = server();
    for _ in 0..=u16::MAX {
        server.connect().reset();
        server.run();
    }
    let client = server.connect();
    client.send(get("/"));
    server.run();
    assert!(client.received_text().ends_with("hello"));
}

#[test]
fn a_client_is_accepted_when_there_is_room() {
    let settings = Settings { connections_max: 1, ..Settings::default() };
    let mut server = Server::with(Router::new().route("/", any(hello)), settings);
    let (first, second) = (server.connect(), server.connect());
    assert!(first.id().is_some());
    assert_eq!(second.id(), None);
    second.send(get("/"));
    server.run();
    assert_eq!(second.received_text(), "");
    first.close();
    server.run();
    assert!(second.id().is_some() && second.id() != first.id());
    assert!(second.received_text().ends_with("hello"));
}

#[test]
fn bytes_are_seen_in_the_next_run_and_taken_once() {
    let mut server = server();
    let client = server.connect();
    client.send(get("/"));
    assert_eq!(client.received(), b"");
    server.run();
    assert!(client.received_text().ends_with("hello"));
    assert_eq!(client.received(), b"");
}

#[test]
fn a_window_is_how_much_a_client_takes_at_once() {
    let mut server = server();
    let client = server.connect();
    client.set_window(10);
    client.send(get("/"));
    let mut bytes = Vec::new();
    for _ in 0..100 {
        server.run();
        let piece = client.received();
        assert!(piece.len() <= 10);
        bytes.extend(piece);
    }
    assert_eq!(responses(&bytes)[0].text(), "hello");
}

#[test]
fn a_segment_is_how_much_goes_each_way_at_once() {
    let calls = |segment: usize| {
        let mut server = server();
        let client = server.connect();
        client.set_segment(segment);
        let before = server.calls();
        client.send(request("POST", "/echo", "", &text(100)));
        server.run();
        assert_eq!(responses(&client.received())[0].text(), text(100));
        server.calls() - before
    };
    assert!(calls(1) > calls(10) && calls(10) > calls(usize::MAX));
}

#[test]
fn closing_and_resetting_are_told_apart() {
    let mut server = server();
    let clients = [server.connect(), server.connect()];
    clients[0].close();
    clients[1].reset();
    server.run();
    let wanted = [(clients[0].id().unwrap(), EndReason::PeerClosed), (clients[1].id().unwrap(), EndReason::PeerReset)];
    assert_eq!(server.ended(), wanted);
    assert!(clients.iter().all(tenure::kit::Client::is_closed));
    assert!(server.list().is_empty());
}

#[test]
fn events_are_told_in_order() {
    let mut server = server();
    let client = server.connect();
    let id = client.id().unwrap();
    client.send(get("/") + "x\r\n");
    server.run();
    client.close();
    server.run();
    let [Event::Connected(first), Event::Sent(second, status, bytes), Event::Refused(third, _), Event::Sent(..), end] =
        server.events()[..]
    else {
        panic!("{:?}", server.events())
    };
    assert_eq!([first, second, third], [id; 3]);
    assert_eq!((status.code(), bytes), (200, 84));
    assert!(matches!(end, Event::Disconnected(last, EndReason::Protocol(_), false) if last == id));
}

#[test]
fn connections_are_listed_with_what_is_known_of_them() {
    let mut server = server();
    let (idle, busy) = (server.connect(), server.connect());
    idle.send(get("/"));
    server.advance(500);
    busy.send(request("POST", "/echo", "Content-Length: 5\r\n", ""));
    server.run();
    let idle_ms = server.list().iter().map(|listed| listed.idle_ms).max();
    assert_eq!(idle_ms, Some(500));
    assert!(server.pin(idle.id().unwrap(), true));
    let list = server.list();
    let of = |client: &tenure::kit::Client| list.iter().find(|listed| Some(listed.id) == client.id()).unwrap();
    assert_eq!((of(&idle).busy, of(&idle).pinned), (false, true));
    assert_eq!((of(&busy).busy, of(&busy).pinned), (true, false));
    assert_eq!(of(&busy).peer.unwrap().socket_addr().unwrap().port(), 2);
}

#[test]
fn time_passes_only_when_it_is_let() {
    let mut server = server();
    let client = server.connect();
    client.send(get("/"));
    server.run();
    for _ in 0..100 {
        server.run();
    }
    assert!(server.ended().is_empty());
    server.advance(3_599_999);
    assert!(server.ended().is_empty());
    server.advance(1);
    assert_eq!(server.ended(), [(client.id().unwrap(), EndReason::Idle)]);
}

#[test]
fn connections_may_be_refused_and_taken_again() {
    let mut server = server();
    server.refuse_connections(true);
    let refused = server.connect();
    server.refuse_connections(false);
    let taken = server.connect();
    assert!(refused.is_closed() && refused.id().is_none());
    assert!(!taken.is_closed() && taken.id().is_some());
    assert!(server.ended().is_empty());
}

struct Name(&'static str);

impl Session for Name {
    fn end(self, _: EndReason) {
        panic!("a session that was handed over is not ended")
    }
}

#[test]
fn a_session_is_handed_over() {
    let named = async |request: &mut Request<'_, Name>| request.session_or_insert_with(|| Name("me")).0;
    let mut server = Server::new(Router::new().route("/", any(named)));
    let client = server.connect();
    client.send(get("/"));
    server.run();
    let id = client.id().unwrap();
    assert_eq!(server.hand_over(id).map(|name| name.0), Some("me"));
    assert!(server.hand_over(id).is_none());
    assert_eq!(server.ended(), [(id, EndReason::HandedOver)]);
}

/// Between requests, while there is a session.
#[test]
fn a_session_is_visited() {
    struct Sum(i64);
    impl Session for Sum {
        fn end(self, _: EndReason) {}
    }
    let add = async |request: &mut Request<'_, Sum>| {
        let number: i64 = request.body().parse().await?;
        let sum = request.session_or_insert_with(|| Sum(0));
        sum.0 += number;
        Ok::<_, Error>(sum.0)
    };
    let mut server = Server::new(Router::new().route("/", post(add)));
    let client = server.connect();
    let id = client.id().unwrap();
    assert_eq!(server.with_session(id, |sum| sum.0), None, "there is none yet");
    client.send(request("POST", "/", "Content-Length: 1\r\n", "5"));
    server.run();
    assert_eq!(server.with_session(id, |sum| std::mem::replace(&mut sum.0, 10)), Some(5));
    client.send(request("POST", "/", "Content-Length: 1\r\n", ""));
    server.run();
    assert_eq!(server.with_session(id, |sum| sum.0), None, "a handler has it");
    client.send("2");
    server.run();
    assert!(client.received_text().ends_with("\r\n\r\n12"));
    // Half a head is no request yet.
    client.send("POST");
    server.run();
    assert_eq!(server.with_session(id, |sum| sum.0), Some(12));
    server.close(id);
    assert!(!client.is_reset() && client.is_closed());
    assert_eq!(server.with_session(id, |sum| sum.0), None, "it has ended, although the socket is still there");
}

#[test]
#[should_panic(expected = "busy loop")]
fn a_busy_loop_is_noticed() {
    use std::future::poll_fn;
    let spins = async |_: &mut Request<'_, ()>| {
        poll_fn(|context| {
            context.waker().wake_by_ref();
            std::task::Poll::<&'static str>::Pending
        })
        .await
    };
    let mut server = Server::new(Router::new().route("/", any(spins)));
    let client = server.connect();
    client.send(get("/"));
    server.run();
}
