//! Closures of other tasks on the sessions of connections: between requests, on the connection's own worker.

use std::{
    any::Any,
    future::Future,
    rc::Rc,
    sync::{Barrier, OnceLock},
    task::{Context, Waker},
    thread::{self, ThreadId},
};

use tenure::{
    ConnectionId, EndReason, Error, Frame, Handler, Message, Request, Router, Session, Upgrade, get, post, websocket,
};

use crate::common::port::{Handle, Server, SessionError, Settings};
use crate::common::{Client, Gate, Running, forever, settings, with_threads};

/// What one client has added up. It cannot leave its thread.
struct Total {
    sum: i64,
    thread: Rc<ThreadId>,
    hidden: bool,
}

impl Session for Total {
    fn end(self, _: EndReason) {}

    fn as_any(&mut self) -> Option<&mut dyn Any> {
        if self.hidden { None } else { Some(self) }
    }
}

struct Shared {
    handle: OnceLock<Handle>,
    gate: Gate,
    barriers: [Barrier; 2],
}

fn sum<'a>(request: &'a mut Request<'_, Total>) -> &'a mut Total {
    request.session_or_insert_with(|| Total { sum: 0, thread: Rc::new(thread::current().id()), hidden: false })
}

fn app(shared: &'static Shared) -> impl Handler<Total> + Send + Sync {
    let add = async |request: &mut Request<'_, Total>| {
        let number: i64 = request.body().parse().await?;
        let sum = sum(request);
        sum.sum += number;
        Ok::<_, Error>(sum.sum)
    };
    let id = async |request: &mut Request<'_, Total>| request.id().to_string();
    let wait = async |request: &mut Request<'_, Total>| {
        sum(request).sum += 100;
        shared.gate.pass().await;
        sum(request).sum.to_string()
    };
    let block = async |_: &mut Request<'_, Total>| {
        shared.barriers.iter().for_each(|barrier| {
            barrier.wait();
        });
    };
    let hide = async |request: &mut Request<'_, Total>| sum(request).hidden = true;
    let leave = async |request: &mut Request<'_, Total>| request.end_session();
    // Doubles another connection's.
    let double = async |request: &mut Request<'_, Total>| {
        let other: ConnectionId =
            request.query().unwrap_or_default().parse().map_err(|_| Error::bad_request("no id"))?;
        let doubled = shared.handle.get().expect("it runs").with_session(other, |sum: &mut Total| {
            sum.sum *= 2;
            sum.sum
        });
        doubled.await.map_err(|error| Error::internal("it has not run").because(error))
    };
    let said = async |message: &mut Message<'_, Total>| {
        shared.gate.pass().await;
        let sum = message.session().map_or(0, |sum| sum.sum);
        message.send(Frame::text(&sum.to_string())).await
    };
    let enter = async |request: &mut Request<'_, Total>| {
        sum(request).sum = 1_000;
        Ok(Upgrade::websocket())
    };
    Router::new()
        .route("/add", post(add))
        .route("/id", get(id))
        .route("/wait", get(wait))
        .route("/block", get(block))
        .route("/hide", get(hide))
        .route("/leave", get(leave))
        .route("/double", get(double))
        .route("/socket", websocket(enter, said))
}

fn start(settings: Settings) -> (Running, &'static Shared) {
    let shared = forever(Shared {
        handle: OnceLock::new(),
        gate: Gate::default(),
        barriers: [Barrier::new(2), Barrier::new(2)],
    });
    let server = Server::bind(settings).unwrap();
    shared.handle.set(server.handle()).expect("the first");
    (Running::of(server, app(shared), ()), shared)
}

/// A client that has added that up, and its connection.
fn with_sum(server: &Running, sum: i64) -> (Client, ConnectionId) {
    let mut client = server.client();
    assert_eq!(client.add_at("/add", sum), sum);
    let id = client.get("/id").text().parse().expect("an id");
    (client, id)
}

const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: test\r\n\r\n";

/// From threads and handlers, of the same worker and others; each time on the session's own thread.
#[test]
fn it_runs_where_the_session_is() {
    for threads in [1, 2] {
        let (server, _) = start(with_threads(threads));
        let mut clients: Vec<_> = (0..6).map(|number| with_sum(&server, number)).collect();
        for (number, (_, id)) in clients.iter().enumerate() {
            let own = format!("own {number}");
            let closure = move |sum: &mut Total| {
                sum.sum += 1;
                (own, sum.sum, *sum.thread == thread::current().id())
            };
            let wanted = (format!("own {number}"), i64::try_from(number).unwrap() + 1, true);
            assert_eq!(server.handle.with_session(*id, closure).wait().unwrap(), wanted);
        }
        let ((first, of_first), others) = clients.split_first_mut().expect("there are six");
        for (round, (client, _)) in (1..).zip(others) {
            assert_eq!(client.get(&format!("/double?{of_first}")).text(), (1 << round).to_string());
        }
        assert_eq!(first.add_at("/add", 0), 32, "the client sees it");
        drop(clients);
        server.stop();
    }
}

/// A request at work keeps its session; closures wait for it, in their order.
#[test]
fn it_waits_for_a_session_that_is_lent() {
    let (server, shared) = start(settings());
    let (mut client, id) = with_sum(&server, 1);
    client.send(WAIT);
    shared.gate.wait(1);
    let visits: Vec<_> = [10, 3]
        .map(|factor| {
            server.handle.with_session(id, move |sum: &mut Total| {
                sum.sum = sum.sum * factor + 1;
                sum.sum
            })
        })
        .into();
    // One that nobody awaits runs as well.
    drop(server.handle.with_session(id, |sum: &mut Total| sum.sum += 1_000_000));
    // The list is made behind them.
    assert!(server.handle.list().wait()[0].busy);
    let (other, of_other) = with_sum(&server, 7);
    assert_eq!(
        server.handle.with_session(of_other, |sum: &mut Total| sum.sum).wait().unwrap(),
        7,
        "others are not kept"
    );
    let mut visits = visits.into_iter().map(Box::pin);
    let (mut first, second) = (visits.next().unwrap(), visits.next().unwrap());
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    shared.gate.open();
    assert_eq!(client.answer().text(), "101", "nobody came between");
    assert_eq!(std::pin::Pin::into_inner(first).wait().unwrap(), 1_011);
    assert_eq!(std::pin::Pin::into_inner(second).wait().unwrap(), 3_034);
    assert_eq!(client.add_at("/add", 0), 1_003_034);
    drop((client, other));
    server.stop();
}

/// Of a WebSocket, too, between two messages.
#[test]
fn between_messages() {
    let (server, shared) = start(settings());
    let mut client = server.client();
    assert_eq!(client.upgrade("/socket").status, 101);
    let id = server.handle.list().wait()[0].id;
    let add = || {
        server.handle.with_session(id, |sum: &mut Total| {
            sum.sum += 1;
            sum.sum
        })
    };
    assert_eq!(add().wait().unwrap(), 1_001);
    client.say("wait");
    shared.gate.wait(1);
    let visit = add();
    shared.gate.open();
    assert_eq!(client.heard(), "1001");
    assert_eq!(visit.wait().unwrap(), 1_002);
    drop(client);
    server.stop();
}

/// It says "kept", as it would have.
#[track_caller]
fn assert_given_back<F: FnOnce(&mut Total) -> String>(error: SessionError<F>) {
    let mut sum = Total { sum: 0, thread: Rc::new(thread::current().id()), hidden: false };
    assert_eq!(error.closure().expect("it has not run")(&mut sum), "kept");
}

/// Each refusal beside one that runs; each gives the closure back.
#[test]
fn it_is_given_back() {
    let (server, shared) = start(with_threads(2));
    let (mut client, id) = with_sum(&server, 1);
    let visit = |id| {
        let kept = "kept".to_owned();
        server.handle.with_session(id, move |_: &mut Total| kept).wait()
    };
    assert_eq!(visit(id).as_deref().ok(), Some("kept"));
    for nowhere in [ConnectionId::new(200, 0, 0), ConnectionId::new(0, 1_000, 0)] {
        let gone = visit(nowhere).unwrap_err();
        assert!(matches!(gone, SessionError::Gone(_)), "{gone:?}");
        assert_given_back(gone);
    }
    let other = server.handle.with_session(id, |text: &mut String| text.len()).wait();
    assert!(matches!(other, Err(SessionError::OtherType(_))), "{other:?}");
    client.get("/hide");
    let hidden = visit(id).unwrap_err();
    assert!(matches!(hidden, SessionError::OtherType(_)), "{hidden:?}");
    assert_given_back(hidden);
    client.get("/leave");
    let none = visit(id).unwrap_err();
    assert!(matches!(none, SessionError::NoSession(_)), "{none:?}");
    assert_given_back(none);
    // One that waits for a session which ends.
    let (mut busy, of_busy) = with_sum(&server, 1);
    busy.send(WAIT);
    shared.gate.wait(1);
    let waiting = server.handle.with_session(of_busy, |sum: &mut Total| sum.sum);
    server.handle.close_now(of_busy).unwrap();
    let gone = waiting.wait();
    assert!(matches!(gone, Err(SessionError::Gone(_))), "{gone:?}");
    drop((client, busy));
    let handle = server.handle.clone();
    server.stop();
    let stopped = handle.with_session(id, |sum: &mut Total| sum.sum).wait();
    assert!(matches!(stopped, Err(SessionError::Stopped(_))), "{stopped:?}");
}

/// One that waits while the server ends is told.
#[test]
fn the_server_ends() {
    let (server, shared) = start(settings());
    let (mut client, id) = with_sum(&server, 1);
    client.send(WAIT);
    shared.gate.wait(1);
    let waiting = server.handle.with_session(id, |sum: &mut Total| sum.sum);
    server.handle.stop_now();
    server.join();
    let ended = waiting.wait();
    assert!(matches!(ended, Err(SessionError::Gone(_) | SessionError::Stopped(_))), "{ended:?}");
}

/// As many wait for their worker as commands do, and as many more for sessions that are lent.
#[test]
fn they_have_a_bound() {
    let (server, shared) = start(Settings { connections_max: 10, ..settings() });
    let ((mut client, id), mut blocker) = (with_sum(&server, 0), server.client());
    client.send(WAIT);
    shared.gate.wait(1);
    let add = || server.handle.with_session(id, |sum: &mut Total| sum.sum += 1);
    let mut visits: Vec<_> = (0..64).map(|_| add()).collect();
    // The list is made behind them.
    assert!(!server.handle.list().wait().is_empty());
    // They wait for the session now, and there is no room for more.
    let full = add().wait();
    assert!(matches!(full, Err(SessionError::Full(_))), "{full:?}");
    shared.gate.open();
    assert_eq!(client.answer().text(), "100");
    for visit in visits.drain(..) {
        assert_eq!(visit.wait().unwrap(), ());
    }
    blocker.send("GET /block HTTP/1.1\r\nHost: test\r\n\r\n");
    shared.barriers[0].wait();
    visits.extend((0..64).map(|_| add()));
    let full = add().wait();
    assert!(matches!(full, Err(SessionError::Full(_))), "{full:?}");
    shared.barriers[1].wait();
    for visit in visits {
        assert_eq!(visit.wait().unwrap(), ());
    }
    assert_eq!(client.add_at("/add", 0), 228);
    drop((client, blocker));
    server.stop();
}

/// A panic of a closure, or of what it leaves behind, is its own.
#[test]
fn a_panic_stays_in_it() {
    /// Its drop panics elsewhere than in the test's thread.
    struct Panics(ThreadId);
    impl Drop for Panics {
        fn drop(&mut self) {
            assert!(self.0 == thread::current().id(), "a result's drop, on purpose");
        }
    }
    let (server, _) = start(settings());
    let (mut client, id) = with_sum(&server, 1);
    let panicked = server.handle.with_session(id, |sum: &mut Total| -> i64 {
        sum.sum = 5;
        panic!("a closure, on purpose");
    });
    assert!(matches!(panicked.wait(), Err(SessionError::Panicked)));
    let here = thread::current().id();
    // Dropped there, unless this thread is slower.
    drop(server.handle.with_session(id, move |_: &mut Total| Panics(here)));
    assert_eq!(
        server.handle.with_session(id, |sum: &mut Total| sum.sum).wait().unwrap(),
        5,
        "what it has changed stays"
    );
    assert_eq!(client.add_at("/add", 1), 6);
    drop(client);
    server.stop();
}
