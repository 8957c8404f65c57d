//! What requests whose bodies do not come take of memory, and what is left of it a minute later: counted by the allocator.
#![expect(unsafe_code, reason = "an allocator that counts")]

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use common::{Tally, app, ask, assert_serves, forget_sessions_ended, gate, open_gate, post_of, wake_all};
use tenure::{
    Deadlines, Error, NEVER, Request, Router,
    kit::{Client, Server, Settings},
    post,
};

struct Counting;

thread_local! {
    /// Bytes that were allocated here and not freed, above what may have been freed here alone.
    static HELD: Cell<usize> = const { Cell::new(1 << 30) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

fn hold(allocated: usize, freed: usize) {
    let _ = HELD.try_with(|held| held.set(held.get() + allocated - freed));
    let _ = MOST.try_with(|most| most.set(most.get().max(HELD.get())));
}

// SAFETY: all is left to the system's allocator, to which each call is passed as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        hold(layout.size(), 0);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        hold(0, layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        hold(bytes, layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const COUNT: usize = 300;
/// What a request may take whose body has not come.
const BYTES_MAX: usize = 4_096;
/// So much of a body stands in no larger a buffer, whoever wants it.
const BEGUN: usize = 1_024;
/// Buffers of the lane that serves, as many that are spare, and those of one that was alone when its request came.
const OF_ALL: usize = 3 * 3 * 16_384;
/// What the kit notes of each connection meanwhile.
const NOTED: usize = 128;

fn held() -> usize {
    HELD.get()
}

/// The most that was held from here on.
fn most_of(act: impl FnOnce()) -> usize {
    MOST.set(HELD.get());
    act();
    MOST.get()
}

async fn whole(request: &mut Request<'_, Tally>) -> Result<u64, Error> {
    Ok(request.body().whole().await?.len() as u64)
}

async fn wait_and_count(request: &mut Request<'_, Tally>) -> Result<u64, Error> {
    gate().await;
    whole(request).await
}

/// A server without deadlines, and clients of it, each of which has been answered and is idle.
fn crowd(settings: Settings) -> (Server<Tally>, Vec<Client>) {
    forget_sessions_ended();
    let deadlines = Deadlines { body_ms: NEVER, idle_ms: NEVER, handler_ms: NEVER, ..Deadlines::HOST };
    let app = Router::new()
        .route("/whole", post(whole))
        .route("/fields", post(whole).fields([("X-A", "x".repeat(100))]))
        .route("/wait", post(wait_and_count))
        .route("/{*rest}", app());
    let mut server = Server::with(app, Settings { deadlines, ..settings });
    let clients: Vec<_> = (0..COUNT).map(|_| server.connect()).collect();
    for client in &clients {
        // The kit's own memory of a connection is that of the longest request.
        let answer = ask(&mut server, client, post_of("/count", &"x".repeat(8_000)));
        assert!(answer.ends_with("\r\n\r\n8000"), "{answer}");
    }
    server.advance(60_000);
    (server, clients)
}

fn head_of(target: &str, bytes: usize) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n")
}

/// How a body ends that has stalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    Reset,
    Closed,
}

/// A body that has not come, or stalls, costs its request's head and what has come of it, and little more: at no time more,
/// unless the handler wants it whole and more than [`BEGUN`] have come; and of all that nothing is left a minute after.
#[test]
fn bodies_that_stall() {
    for (target, with_head, later) in [
        ("/count", 0, 0),
        ("/count", 1, 0),
        ("/count", 3_000, 1),
        ("/whole", 0, 0),
        ("/fields", 0, 0),
        ("/fields", 500, 0),
        ("/whole", 1, 0),
        ("/whole", 500, 1),
        ("/whole", 1_023, 1),
        ("/whole", 1_023, 2),
    ] {
        for end in [End::Whole, End::Reset, End::Closed] {
            let what = format!("{target}, {with_head} and {later} bytes, {end:?}");
            let (mut server, clients) = crowd(Settings::default());
            let before = held();
            let most = most_of(|| {
                for client in &clients {
                    client.send(head_of(target, 8_000) + &"x".repeat(with_head));
                    server.run();
                    client.send("x".repeat(later));
                    server.run();
                }
            });
            let collected = if target == "/count" { 0 } else { with_head + later };
            if collected <= BEGUN {
                assert!(
                    most - before <= OF_ALL + COUNT * (BYTES_MAX + collected),
                    "{what}: {} at the most",
                    (most - before) / COUNT
                );
            }
            server.advance(2_000);
            let each = (held() - before).saturating_sub(OF_ALL) / COUNT;
            assert!((1_000..=BYTES_MAX + collected).contains(&each), "{what}: {each} each");
            for client in &clients {
                match end {
                    End::Whole => client.send("x".repeat(8_000 - with_head - later)),
                    End::Reset => client.reset(),
                    End::Closed => client.close(),
                }
            }
            let most = most_of(|| server.run());
            assert!(
                most - before <= OF_ALL + COUNT * (BYTES_MAX + collected),
                "{what}: {} when they end",
                most - before
            );
            for client in &clients {
                let answer = client.received_text();
                assert!(end != End::Whole || answer.ends_with("\r\n\r\n8000"), "{what}: {answer}");
                // What a layer has put before the body came.
                assert_eq!(answer.contains("X-A: xxx"), end != End::Reset && target == "/fields", "{what}: {answer}");
            }
            server.advance(60_000);
            let left = held().saturating_sub(before);
            assert!(left <= COUNT * NOTED, "{what}: {left} bytes are left");
        }
    }
}

/// Bodies come in any pieces while their lanes give back what they have, and stay whole; so does what follows them.
#[test]
fn bodies_in_pieces_on_many_lanes() {
    for (head_bytes, body_bytes) in [(16_384, 16_384), (2_048, 16_384), (2_049, 400), (16_384, 400), (300, 8_192)] {
        for segment in [1, 7, 100, usize::MAX] {
            let mut server = Server::with(
                Router::new().route("/whole", post(whole)).route("/{*rest}", app()),
                Settings { input_bytes: head_bytes, body_bytes, ..Settings::default() },
            );
            let clients: Vec<_> = (0..5).map(|_| server.connect()).collect();
            let chunk = "64\r\n".to_owned() + &"y".repeat(100) + "\r\n";
            let requests = head_of("/whole", 300)
                + &"x".repeat(300)
                + "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                + &chunk.repeat(5)
                + "0\r\n\r\n"
                + &post_of("/sum", "2").repeat(3);
            let mut rest = requests.as_bytes();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(segment));
                rest = later;
                for client in &clients {
                    client.send(now);
                    server.run();
                }
                server.advance(if segment < 10 { 0 } else { 1_500 });
            }
            for client in &clients {
                let answer = client.received_text();
                let bodies: Vec<_> =
                    answer.split("\r\n\r\n").skip(1).map(|body| body.split("HTTP").next().unwrap()).collect();
                assert_eq!(bodies, ["300", "500", "502", "504", "506"], "{head_bytes}, {body_bytes}, {segment}");
            }
        }
    }
}

/// Lanes that are gone are made again, those in the midst of others too, and what woke them harms nobody.
#[test]
fn lanes_come_and_go() {
    let (mut server, clients) = crowd(Settings::default());
    let wait = |server: &mut Server<Tally>, client: &Client| {
        client.send(post_of("/wait", "some"));
        server.run();
    };
    for client in &clients[..10] {
        wait(&mut server, client);
    }
    for round in 0..3 {
        // All but the last one, which has the highest number.
        for client in &clients[..9] {
            client.reset();
        }
        server.advance(60_000);
        wake_all();
        for client in &clients[10 + 20 * round..30 + 20 * round] {
            wait(&mut server, client);
        }
        (0..20).for_each(|_| open_gate());
        server.run();
        let answered = clients[9..].iter().filter(|client| client.received_text().ends_with("\r\n\r\n4")).count();
        assert_eq!(answered, 20, "round {round}");
    }
    open_gate();
    server.run();
    server.advance(60_000);
    assert_serves(&mut server);
}
