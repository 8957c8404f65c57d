//! Handlers that wait for time: to the millisecond on the kit's clock, many at once, and nothing left of those that are dropped.
#![cfg(feature = "kit")]

mod common;
#[path = "support/when_woken.rs"]
mod when_woken;

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use common::{Running, running};
use tenure::{
    Deadlines, Error, Frame, Handler, Message, Method, NEVER, Request, Responder, Router, Sent, StatusCode, Upgrade,
    get,
    kit::{Client, Server, Settings},
    post, respond, websocket,
};
use when_woken::when_woken;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn ask(server: &mut Server<()>, target: &str) -> Client {
    let client = server.connect();
    client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    server.run();
    client
}

/// A server whose only handler is that one, at every target.
fn serving<F>(handle: F) -> Server<()>
where
    F: AsyncFn(&mut Request<'_, ()>) -> String + 'static,
{
    let app = Router::new().route("/{*rest}", get(async move |request: &mut Request<'_, ()>| handle(request).await));
    Server::with(app, patient())
}

/// Nothing ends a handler.
fn patient() -> Settings {
    Settings { deadlines: Deadlines { handler_ms: NEVER, idle_ms: NEVER, ..Deadlines::HOST }, ..Settings::default() }
}

/// As long as the query says, in nanoseconds.
fn asked(request: &Request<'_, ()>) -> Duration {
    request.query().map_or(Duration::ZERO, |query| Duration::from_nanos(query.parse().unwrap()))
}

async fn nap(request: &mut Request<'_, ()>) -> String {
    let _running = Running::new();
    request.sleep(asked(request)).await;
    "slept".to_owned()
}

#[track_caller]
fn assert_slept(client: &Client) {
    assert!(client.received_text().ends_with("\r\n\r\nslept"));
}

/// Whole milliseconds, rounded up, and not one early. The kit's clock wraps 5 s after its start.
#[test]
fn to_the_millisecond() {
    for (nanos, ends_ms) in [
        (1_u64, 1),
        (999_999, 1),
        (1_000_000, 1),
        (1_000_001, 2),
        (100_000_000, 100),
        (4_999_000_000, 4_999),
        (5_000_000_000, 5_000),
        (5_001_000_000, 5_001),
        (5_002_000_000, 5_002),
        (60_000_000_000, 60_000),
    ] {
        let mut server = serving(nap);
        let client = ask(&mut server, &format!("/?{nanos}"));
        server.advance(ends_ms - 1);
        assert_eq!(client.received_text(), "", "{nanos} ns: too early");
        server.advance(1);
        assert_slept(&client);
    }
}

#[test]
fn no_time_at_all() {
    let mut server = serving(nap);
    let client = ask(&mut server, "/?0");
    assert_slept(&client);
}

/// Longer than the clock's whole range, and than half of it: days of a stream.
#[test]
fn longer_than_the_clock_counts() {
    for days in [12, 13, 24, 25, 49, 50, 125] {
        async fn ticks<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
            let days: u64 = request.query().unwrap().parse().unwrap();
            let mut stream = responder.stream(StatusCode::OK, &[]).await?;
            request.sleep(Duration::from_secs(days * 86_400)).await;
            stream.write(b"slept").await?;
            stream.finish().await
        }
        let mut server = Server::with(Router::new().route("/", respond(Method::Get, ticks)), patient());
        let client = ask(&mut server, &format!("/?{days}"));
        let _ = client.received();
        for _ in 0..days - 1 {
            server.advance(86_400_000);
        }
        server.advance(86_399_999);
        assert_eq!(client.received_text(), "", "{days} days: too early");
        server.advance(1);
        assert!(client.received_text().contains("slept"), "{days} days");
    }
}

/// Durations that no clock counts end nothing, and overflow nothing.
#[test]
fn for_ever() {
    let mut server = serving(async |request: &mut Request<'_, ()>| {
        request.sleep(Duration::MAX).await;
        String::new()
    });
    let client = ask(&mut server, "/");
    for _ in 0..50 {
        server.advance(86_400_000);
    }
    assert_eq!(client.received_text(), "");
    assert!(server.calls() < 200, "{} calls", server.calls());
}

/// Each ends in its own time, whatever order they came in.
#[test]
fn many_at_once() {
    let mut server = serving(nap);
    let sleepers: Vec<_> = (0..1_000u32)
        .map(|number| {
            let after_ms = 1 + number * 7_919 % 1_000;
            (after_ms, ask(&mut server, &format!("/?{after_ms}000000")))
        })
        .collect();
    for now_ms in 1..=1_000 {
        server.advance(1);
        for (after_ms, client) in &sleepers {
            assert_eq!(!client.received().is_empty(), *after_ms == now_ms, "{after_ms} at {now_ms}");
        }
    }
}

/// Polls futures in turn until all are ready.
async fn all<const N: usize, F: Future<Output = ()>>(futures: [F; N]) {
    let mut futures = futures.map(Box::pin);
    let mut done = [false; N];
    poll_fn(|context| {
        for (done, future) in done.iter_mut().zip(&mut futures) {
            *done = *done || future.as_mut().poll(context).is_ready();
        }
        if done.iter().all(|done| *done) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Several in one handler, in any order: the earliest counts.
#[test]
fn several_of_one_handler() {
    let ended = Rc::new(RefCell::new(Vec::new()));
    let told = ended.clone();
    let mut server = serving(async move |request: &mut Request<'_, ()>| {
        let nap = async |ms: u64| {
            request.sleep(Duration::from_millis(ms)).await;
            told.borrow_mut().push(ms);
        };
        all([nap(300), nap(100), nap(200)]).await;
        "slept".to_owned()
    });
    let client = ask(&mut server, "/");
    for (now_ms, wanted) in [(99, &[][..]), (100, &[100]), (199, &[100]), (200, &[100, 200]), (299, &[100, 200])] {
        let before_ms = [0, 99, 100, 199, 200].into_iter().rev().find(|before| *before < now_ms).unwrap();
        server.advance(now_ms - before_ms);
        assert_eq!(*ended.borrow(), wanted, "{now_ms} ms");
    }
    server.advance(1);
    assert_slept(&client);
}

/// Under wakers of their own, beside a body that comes byte by byte.
#[test]
fn under_wakers_of_their_own() {
    async fn both(request: &mut Request<'_, ()>) -> Result<String, Error> {
        let ended = Cell::new(0);
        let nap = |ms| {
            let sleep = request.sleep(Duration::from_millis(ms));
            when_woken(async {
                sleep.await;
                ended.set(ended.get() + 1);
            })
        };
        let (mut naps, mut read) = (
            pin!(all([nap(10), nap(20), nap(30)])),
            pin!(when_woken(async { request.body().whole().await.map(<[u8]>::len) })),
        );
        let mut bytes = None;
        let bytes = poll_fn(|context| {
            let slept = naps.as_mut().poll(context).is_ready();
            if bytes.is_none()
                && let Poll::Ready(read) = read.as_mut().poll(context)
            {
                bytes = Some(read);
            }
            if slept { Poll::Ready(bytes.take()) } else { Poll::Pending }
        })
        .await;
        Ok(format!("{} naps, {:?}", ended.get(), bytes.transpose()?))
    }
    let mut server = Server::with(Router::new().route("/", post(both)), patient());
    let client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 25\r\n\r\n");
    server.run();
    for _ in 0..29 {
        client.send("x");
        server.advance(1);
    }
    assert_eq!(client.received_text(), "");
    server.advance(1);
    assert!(client.received_text().ends_with("3 naps, Some(25)"));
}

/// One that is dropped wakes nobody, and one that is left waiting is polled when it is due and not before.
#[test]
fn nothing_is_left_of_one_that_is_dropped() {
    let polls = Rc::new(Cell::new(0));
    let counted = polls.clone();
    let mut server = serving(async move |request: &mut Request<'_, ()>| {
        let mut handling = pin!(async {
            let short = request.sleep(ms(10));
            let mut long = Box::pin(request.sleep(ms(20)));
            // Waited for together, and then no more.
            poll_fn(|context| {
                let _ = long.as_mut().poll(context);
                Poll::Ready(())
            })
            .await;
            short.await;
            drop(long);
            request.sleep(ms(10_000)).await;
        });
        poll_fn(|context| {
            counted.set(counted.get() + 1);
            handling.as_mut().poll(context)
        })
        .await;
        "slept".to_owned()
    });
    let client = ask(&mut server, "/");
    server.advance(10);
    let (before, calls) = (polls.get(), server.calls());
    server.advance(9_999);
    assert_eq!((polls.get(), server.calls()), (before, calls), "it was woken for nothing");
    assert_eq!(client.received_text(), "");
    server.advance(1);
    assert_slept(&client);
    assert_eq!(polls.get(), before + 1);
    // The lane's next handler is polled once.
    let other = ask(&mut server, "/");
    assert_eq!(other.received_text(), "");
}

/// Begins when it is polled first.
#[test]
fn from_the_first_poll_on() {
    let mut server = serving(async |request: &mut Request<'_, ()>| {
        let later = request.sleep(ms(10));
        request.sleep(ms(5)).await;
        later.await;
        "slept".to_owned()
    });
    let client = ask(&mut server, "/");
    server.advance(14);
    assert_eq!(client.received_text(), "");
    server.advance(1);
    assert_slept(&client);
}

/// The handler's deadline counts it; one that ends before that is answered.
#[test]
fn a_deadline_counts_it() {
    for (sleeps_ms, status) in [(3_999, 200), (4_000, 503), (4_001, 503)] {
        let app = Router::new().route("/", get(nap).handler_deadline(ms(4_000)));
        let mut server = Server::with(app, Settings::default());
        let client = ask(&mut server, &format!("/?{sleeps_ms}000000"));
        server.advance(4_100);
        assert!(client.received_text().starts_with(&format!("HTTP/1.1 {status} ")), "{sleeps_ms} ms");
        assert_eq!(running(), 0, "{sleeps_ms} ms");
        // Nothing of it is due any more.
        let calls = server.calls();
        server.advance(10_000);
        assert_eq!(server.calls(), calls, "{sleeps_ms} ms");
    }
}

/// A reset drops it at once, a close and a stop do not, unless it is awaited while the connection is open.
#[test]
fn ends_of_connections() {
    let mut server = serving(nap);
    let client = ask(&mut server, "/?1000000000");
    assert_eq!(running(), 1);
    client.reset();
    server.run();
    assert_eq!((running(), server.list().len()), (0, 0));

    for stops in [false, true] {
        let sleeps = get(nap);
        let ends = get(async |request: &mut Request<'_, ()>| {
            let slept = request.while_open(request.sleep(ms(1_000))).await;
            slept.map(|()| "slept")
        });
        let mut server = Server::with(Router::new().route("/", sleeps).route("/ends", ends), patient());
        let [plain, open] = [ask(&mut server, "/?1000000000"), ask(&mut server, "/ends")];
        server.advance(999);
        if stops {
            server.stop();
        } else {
            plain.close();
            open.close();
            server.run();
        }
        assert_eq!(plain.received_text(), "");
        assert!(open.received_text().starts_with("HTTP/1.1 503 "));
        server.advance(1);
        assert_slept(&plain);
        assert!(server.list().is_empty());
    }
}

fn chat() -> impl Handler<()> {
    async fn enter(request: &mut Request<'_, ()>) -> Result<Upgrade, Error> {
        request.sleep(ms(5)).await;
        Ok(Upgrade::websocket())
    }
    async fn said(message: &mut Message<'_, ()>) -> Result<(), Error> {
        let text = message.text()?;
        if let Ok(after) = text.parse() {
            message.sleep(Duration::from_millis(after)).await;
        }
        message.send(Frame::text(text)).await
    }
    Router::new()
        .route("/now", websocket(async |_: &mut Request<'_, ()>| Ok(Upgrade::websocket()), said))
        .route("/", websocket(enter, said))
}

/// What follows waits; what others push does not.
#[test]
fn between_messages() {
    let mut server = Server::new(chat());
    let socket = server.websocket("/now");
    socket.say("100");
    socket.say("next");
    server.run();
    server.advance(99);
    assert_eq!(server.send(socket.id(), Frame::text("pushed")), tenure::port::Pushed::Taken);
    assert_eq!(socket.texts(), ["pushed"]);
    server.advance(1);
    assert_eq!(socket.texts(), ["100", "next"]);
    // The longest that a handler may take, and longer.
    socket.say("29999");
    server.run();
    server.advance(29_999);
    assert_eq!(socket.texts(), ["29999"]);
    socket.say("30000");
    server.run();
    server.advance(30_000);
    server.advance(50);
    assert!(socket.client().is_closed());
}

/// Before a WebSocket is opened.
#[test]
fn before_a_handshake() {
    let mut server = Server::new(chat());
    let client = server.connect();
    client.send(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    server.run();
    server.advance(4);
    assert_eq!(client.received_text(), "");
    server.advance(1);
    assert!(client.received_text().starts_with("HTTP/1.1 101 "));
}
