//! Whoever waits or streams learns that it is to leave off: the peer has closed, or the connection is to end.

mod common;

use std::{
    cell::Cell,
    future::{pending, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use common::{
    DEADLINES, Running, Tally, ask, end_of, gate, get_of, open_gate, opened, post_of, running, sessions_ended,
    settings, status_of, with_session,
};
use tenure::{
    EndReason, Error, Handler, Method, Request, Responder, Router, Sent, StatusCode, get,
    kit::{Client, Server, Settings},
    post, respond,
};

thread_local! {
    /// Pieces of a body that were read.
    static READ: Cell<usize> = const { Cell::new(0) };
}

/// Streams without an end, and takes no notice.
async fn endless<'r>(request: &mut Request<'r, Tally>, responder: Responder<'r>) -> Result<Sent, Error> {
    let _running = Running::new();
    request.session_or_insert_with(|| Tally::new(1));
    let mut stream = responder.stream(StatusCode::OK, &[]).await?;
    stream.write(b"tick").await?;
    pending().await
}

/// The same, until nobody wants it any more.
async fn ticks<'r>(request: &mut Request<'r, Tally>, responder: Responder<'r>) -> Result<Sent, Error> {
    let _running = Running::new();
    request.session_or_insert_with(|| Tally::new(1));
    let mut stream = responder.stream(StatusCode::OK, &[]).await?;
    stream.write(b"tick").await?;
    while request.while_open(gate()).await.is_ok() {
        stream.write(b"tick").await?;
    }
    stream.write(b"last").await?;
    stream.finish().await
}

/// Waits for the gate, or to leave off.
async fn next(request: &mut Request<'_, Tally>) -> Result<&'static str, Error> {
    let _running = Running::new();
    request.while_open(gate()).await?;
    Ok("next")
}

/// Waits for the peer's close alone, twice.
async fn closed(request: &mut Request<'_, Tally>) -> &'static str {
    let _running = Running::new();
    request.peer_closed().await;
    // It stays so.
    request.peer_closed().await;
    "closed"
}

/// Another waker than the lane's: whoever combines futures polls only those that were woken.
struct Flag {
    woken: AtomicBool,
    lane: Waker,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
        self.lane.wake_by_ref();
    }
}

async fn when_woken<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut flag: Option<Arc<Flag>> = None;
    poll_fn(|context| {
        let flag =
            flag.get_or_insert_with(|| Arc::new(Flag { woken: AtomicBool::new(true), lane: context.waker().clone() }));
        if !flag.woken.swap(false, Ordering::Relaxed) {
            return Poll::Pending;
        }
        future.as_mut().poll(&mut Context::from_waker(&flag.clone().into()))
    })
    .await
}

async fn closed_under_another_waker(request: &mut Request<'_, Tally>) -> &'static str {
    let _running = Running::new();
    when_woken(request.peer_closed()).await;
    "closed"
}

/// Whichever of two is ready first.
async fn either<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let poll = |future: Pin<&mut dyn Future<Output = T>>, context: &mut Context<'_>| future.poll(context);
    poll_fn(|context| match poll(one.as_mut(), context) {
        Poll::Pending => poll(other.as_mut(), context),
        ready @ Poll::Ready(_) => ready,
    })
    .await
}

/// Reads a body and waits for the peer's close at once.
async fn reads(request: &mut Request<'_, Tally>) -> &'static str {
    let _running = Running::new();
    let left = request.peer_closed();
    let read = async {
        while request.body().read().await.is_ok_and(|piece| piece.is_some()) {
            READ.set(READ.get() + 1);
        }
        "read"
    };
    either(read, async {
        left.await;
        "closed"
    })
    .await
}

/// Reads a body that does not come, then waits for the peer's close.
async fn read(request: &mut Request<'_, Tally>) -> &'static str {
    let _running = Running::new();
    assert!(request.body().whole().await.is_err());
    request.peer_closed().await;
    "closed"
}

/// Writes more than there is room for, and waits for the peer's close at once.
async fn blocked<'r>(request: &mut Request<'r, Tally>, responder: Responder<'r>) -> Result<Sent, Error> {
    let _running = Running::new();
    let left = request.peer_closed();
    let mut stream = responder.stream(StatusCode::OK, &[]).await?;
    let write = async {
        loop {
            stream.write(&[b'x'; 1_000]).await?;
        }
    };
    either(write, async {
        left.await;
        Err(Error::unavailable("nobody is there"))
    })
    .await
}

fn app() -> impl Handler<Tally> {
    Router::new()
        .route("/endless", respond(Method::Get, endless))
        .route("/ticks", respond(Method::Get, ticks))
        .route("/next", get(next))
        .route("/closed", get(closed))
        .route("/woken", get(closed_under_another_waker))
        .route("/read", post(read))
        .route("/reads", post(reads))
        .route("/blocked", respond(Method::Get, blocked))
        .route("/{*rest}", common::app())
}

fn server() -> Server<Tally> {
    Server::with(app(), settings())
}

/// A client that has asked that, whose handler is at work.
#[track_caller]
fn at_work(server: &mut Server<Tally>, request: impl AsRef<[u8]>) -> Client {
    let (client, before) = (server.connect(), running());
    client.send(request);
    server.run();
    assert_eq!(running(), before + 1);
    client
}

/// A stream that sees the close coming ends well; one that does not is reset at the deadline, and not before.
#[test]
fn a_close_is_graceful_then_final() {
    let mut server = server();
    let (ticks, endless) = (at_work(&mut server, get_of("/ticks")), at_work(&mut server, get_of("/endless")));
    // The deadline counts from the close, not from the request.
    server.advance(20_000);
    for client in [&ticks, &endless] {
        assert!(server.close(client.id().unwrap()));
    }
    assert!(ticks.received_text().ends_with("\r\n\r\n4\r\ntick\r\n4\r\nlast\r\n0\r\n\r\n"));
    assert_eq!(end_of(&server, &ticks), Some(EndReason::Closed));
    assert!(ticks.is_closed() && !ticks.is_reset());
    server.advance(DEADLINES.flush_ms - 1);
    assert_eq!((end_of(&server, &endless), running()), (None, 1));
    server.advance(1);
    assert_eq!((end_of(&server, &endless), running()), (Some(EndReason::Closed), 0));
    assert!(endless.is_reset());
    assert_eq!((opened(), sessions_ended()), (2, vec![(1, EndReason::Closed); 2]));
    server.advance(20_000);
    assert_eq!(server.ended().len(), 2, "once each");
}

/// The first close counts, and a stop behind it changes neither its deadline nor its reason.
#[test]
fn closed_twice_or_stopped_behind_it() {
    for stops in [false, true] {
        let mut server = server();
        let client = at_work(&mut server, get_of("/endless"));
        let id = client.id().unwrap();
        assert!(server.close(id));
        server.advance(DEADLINES.flush_ms / 2);
        if stops {
            server.stop();
        } else {
            assert!(server.close(id));
        }
        server.advance(DEADLINES.flush_ms / 2 - 1);
        assert_eq!(end_of(&server, &client), None);
        server.advance(1);
        assert_eq!(end_of(&server, &client), Some(EndReason::Closed), "stops: {stops}");
        assert!(!server.close(id), "it is gone");
        assert_eq!(sessions_ended().len(), opened());
    }
    for (stops_first, reason) in [(false, EndReason::Closed), (true, EndReason::Shutdown)] {
        let mut server = server();
        let client = at_work(&mut server, get_of("/wait") + &get_of("/sum"));
        if stops_first {
            server.stop();
        }
        server.close(client.id().unwrap());
        server.stop();
        open_gate();
        server.run();
        let answer = client.received_text();
        assert!(answer.contains("\r\nConnection: close\r\n") && answer.ends_with("waited"), "{answer}");
        assert_eq!(end_of(&server, &client), Some(reason));
    }
}

/// What is pipelined behind a request is answered at a stop, not at a close of its connection.
#[test]
fn a_close_is_behind_the_response_at_work() {
    let mut server = server();
    let client = at_work(&mut server, get_of("/wait") + &get_of("/sum"));
    client.send(get_of("/sum"));
    server.close(client.id().unwrap());
    open_gate();
    server.run();
    let answer = client.received_text();
    assert!(answer.contains("\r\nConnection: close\r\n") && answer.ends_with("waited"), "{answer}");
    assert_eq!(end_of(&server, &client), Some(EndReason::Closed));
}

/// At once, in every stage; by a reset only where something is cut off.
#[test]
fn closed_now() {
    for (stage, lanes_max) in
        ["fresh", "idle", "pinned", "head", "head with a lane", "waiting", "busy", "blocked", "closing"]
            .iter()
            .flat_map(|stage| [1, 100].map(|lanes_max| (*stage, lanes_max)))
    {
        let puts_heads_away = stage != "head with a lane";
        let mut server = Server::with(app(), Settings { lanes_max, puts_heads_away, ..settings() });
        let client = if stage == "fresh" { server.connect() } else { with_session(&mut server) };
        let ended = sessions_ended().len();
        let mut other = None;
        match stage {
            "pinned" => drop(ask(&mut server, &client, get_of("/pin"))),
            "head" | "head with a lane" => drop(ask(&mut server, &client, "GET /su")),
            "waiting" => {
                other = Some(at_work(&mut server, get_of("/wait")));
                client.send(get_of("/sum"));
                server.run();
            }
            "busy" => drop(ask(&mut server, &client, get_of("/endless"))),
            "blocked" => {
                client.set_window(10);
                client.send(get_of("/bytes/1000"));
                server.run();
            }
            "closing" => drop(ask(&mut server, &client, get_of("/close"))),
            _ => {}
        }
        let waits = stage == "waiting" && lanes_max == 1;
        let id = client.id().unwrap();
        assert!(server.close_now(id), "{stage}");
        let cut = matches!(stage, "head with a lane" | "busy" | "blocked" | "closing");
        assert!(client.is_closed(), "{stage}");
        // As TCP does: what was never received turns the close into a reset.
        assert_eq!(client.is_reset(), cut || waits, "{stage}");
        let reason = if stage == "closing" { EndReason::Handler } else { EndReason::Closed };
        assert_eq!(end_of(&server, &client), Some(reason), "{stage}");
        assert!(sessions_ended()[ended..].iter().all(|(_, ended)| *ended == reason), "{stage}");
        assert!(!server.close_now(id), "{stage}: it is gone");
        // Its lane, where it had one, serves others.
        if other.is_some() {
            open_gate();
            server.run();
        }
        common::assert_serves(&mut server);
        drop(server);
        assert_eq!(opened(), sessions_ended().len(), "{stage}");
    }
}

/// A handler that waits for its peer's close is told once, whatever is unread.
#[test]
fn a_peer_that_closes_is_noticed() {
    for target in ["/closed", "/woken"] {
        for behind in ["", "GET /su", "GET /sum HTTP/1.1\r\nHost: a\r\n\r\n"] {
            for late in [false, true] {
                let mut server = server();
                let client = at_work(&mut server, get_of(target) + if late { "" } else { behind });
                if late {
                    client.send(behind);
                }
                server.advance(3_000);
                assert_eq!(client.received_text(), "");
                client.close();
                let calls = server.calls();
                server.run();
                assert!(server.calls() - calls < 10, "{} calls", server.calls() - calls);
                let answer = client.received_text();
                assert!(answer.contains("\r\n\r\nclosed"), "{target}, {behind:?}, late: {late}: {answer}");
                // A close cancels nothing: what stands behind is answered, too.
                assert_eq!(answer.ends_with("\r\n\r\n0"), behind.contains("Host"), "{answer}");
                assert_eq!(end_of(&server, &client), Some(EndReason::PeerClosed));
                assert!(!client.is_reset());
            }
        }
    }
}

/// It is also ready where the close had come before it was asked for.
#[test]
fn a_close_that_has_been_seen() {
    let mut server = server();
    let client = server.connect();
    client.send(get_of("/wait") + &get_of("/closed"));
    client.close();
    server.run();
    assert_eq!(client.received_text(), "");
    open_gate();
    server.run();
    assert!(client.received_text().ends_with("closed"));
    assert_eq!(end_of(&server, &client), Some(EndReason::PeerClosed));
    // By whom a body is read.
    let client = at_work(&mut server, "POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    client.close();
    server.run();
    assert!(client.received_text().ends_with("closed"));
}

#[test]
fn a_close_cancels_nothing_that_is_being_answered() {
    let mut server = server();
    let client = at_work(&mut server, get_of("/wait"));
    client.close();
    server.advance(3_000);
    assert_eq!((running(), end_of(&server, &client)), (1, None));
    open_gate();
    server.run();
    assert!(client.received_text().ends_with("waited"));
    assert!(!client.is_reset());
}

/// A stream that waits for room is told, too, and what had been written before is lost with it.
#[test]
fn beside_a_stream_that_is_blocked() {
    let mut server = server();
    let client = server.connect();
    client.set_window(100);
    client.send(get_of("/blocked"));
    server.run();
    assert_eq!((running(), client.received().len()), (1, 100));
    server.run();
    assert_eq!(client.received().len(), 100, "it goes on while its peer takes something");
    client.close();
    server.run();
    assert_eq!((running(), end_of(&server, &client)), (0, Some(EndReason::Aborted)));
    assert!(client.is_reset());
}

/// Beside the reading of a body: bytes come first, then the close.
#[test]
fn beside_a_body_that_is_read() {
    for (bytes, told) in [("", "closed"), ("ab", "closed"), ("abcd", "read")] {
        READ.set(0);
        let mut server = server();
        let head = "POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n";
        let client = at_work(&mut server, head);
        client.send(bytes);
        server.run();
        assert_eq!(READ.get(), usize::from(!bytes.is_empty()));
        client.close();
        server.run();
        let answer = client.received_text();
        // What is missing of a body is its reader's matter as well.
        assert!(answer.ends_with(told) || bytes.len() < 4 && answer.ends_with("read"), "{bytes:?}: {answer}");
        assert_eq!(running(), 0);
    }
}

/// Two quiet streams whose clients have gone take no lane from anybody: a board has two.
#[test]
fn abandoned_streams_give_their_lanes_back() {
    for target in ["/ticks", "/next"] {
        let mut server = Server::with(app(), Settings { lanes_max: 2, ..settings() });
        let clients = [at_work(&mut server, get_of(target)), at_work(&mut server, get_of(target))];
        let honest = server.connect();
        honest.send(post_of("/sum", "1"));
        server.run();
        assert_eq!(honest.received_text(), "", "there is no lane for it");
        for client in &clients {
            client.close();
        }
        server.run();
        assert_eq!(status_of(&honest.received_text()), "200");
        assert_eq!(running(), 0);
        for client in &clients {
            assert_eq!(end_of(&server, client), Some(EndReason::PeerClosed));
        }
    }
}

/// A long poll is answered, told to come again, or left, whichever comes first.
#[test]
fn while_it_is_open() {
    let mut server = server();
    let [answered, left, closed, stopped] = [(); 4].map(|()| at_work(&mut server, get_of("/next")));
    left.close();
    server.close(closed.id().unwrap());
    assert_eq!(running(), 2);
    let answer = closed.received_text();
    assert!(status_of(&answer) == "503" && answer.contains("\r\nConnection: close\r\n"), "{answer}");
    assert_eq!(end_of(&server, &left), Some(EndReason::PeerClosed));
    open_gate();
    server.run();
    assert!(answered.received_text().ends_with("next"));
    server.stop();
    assert_eq!(status_of(&stopped.received_text()), "503");
    assert_eq!((running(), end_of(&server, &stopped)), (0, Some(EndReason::Shutdown)));
    assert_eq!(server.list(), []);
}

/// What is ready at once is taken, although the connection ends.
#[test]
fn what_is_ready_is_taken() {
    let mut server = server();
    let client = server.connect();
    client.send(get_of("/wait") + &get_of("/next"));
    client.close();
    server.run();
    server.stop();
    open_gate();
    open_gate();
    server.run();
    assert!(client.received_text().ends_with("next"));
}
