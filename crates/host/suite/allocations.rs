//! On a ready path nothing is allocated.
#![expect(unsafe_code, reason = "an allocator that counts")]

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use common::{ALLOCATED_FOR_A_CONNECTION, Adder, Client, Running, Tally, app, forever, post, settings};
use tenure::{ConnectionId, EndReason, Handler, Observer, Request, Router, get};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    /// Blocks that were allocated here and those that were freed here, one less the other.
    static HELD: Cell<i64> = const { Cell::new(0) };
}

fn count() {
    // Not in a thread that is ending, whose count nobody asks for.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

fn hold(blocks: i64) {
    let _ = HELD.try_with(|held| held.set(held.get() + blocks));
}

// SAFETY: all is left to the system's allocator, to which each call is passed as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        hold(1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        hold(-1);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The adder, and targets that tell how often its thread has allocated, and how much more than it has freed.
fn counting(tally: &'static Tally) -> impl Handler<Adder> + Send + Sync + 'static {
    let allocations = get(async |_: &mut Request<'_, Adder>| COUNT.get());
    let held = get(async |_: &mut Request<'_, Adder>| HELD.get());
    Router::new().route("/allocations", allocations).route("/held", held).route("/{*rest}", app(tally))
}

fn held(client: &mut Client) -> i64 {
    client.get("/held").text().parse().expect("blocks")
}

fn allocations(client: &mut Client) -> u64 {
    client.get("/allocations").text().parse().expect("a count")
}

const ROUNDS: u64 = 200;
/// The last connections may not have ended when the blocks are counted.
const BLOCKS_LEFT_MAX: i64 = 20;

/// How often the server allocates for `ROUNDS` of what `client` does.
fn for_rounds<T>(client: &mut Client, mut act: impl FnMut(&mut Client) -> T) -> u64 {
    act(client);
    let before = allocations(client);
    for _ in 0..ROUNDS {
        act(client);
    }
    allocations(client) - before
}

#[test]
fn nothing_is_allocated_for_a_request() {
    // The tally allocates, at a connection's end only; watched as the adder of the program is, by nobody.
    let tally = forever(Tally::default());
    let server = Running::start(settings(), counting(tally), ());
    let mut client = server.client();
    // Counted at all: a new connection's session and lane are.
    assert!(allocations(&mut client) > 0);

    assert_eq!(for_rounds(&mut client, |client| client.add(1)), 0, "a small POST");
    assert_eq!(for_rounds(&mut client, |client| client.get("/adder")), 0, "a GET");
    let pipelined = post("/adder", "1").repeat(16);
    let pipeline = |client: &mut Client| {
        client.send(&pipelined);
        (0..16).map(|_| client.sum()).max()
    };
    assert_eq!(for_rounds(&mut client, pipeline), 0, "sixteen at once");
    assert_eq!(for_rounds(&mut client, |client| client.get("/bytes/100000")), 0, "a stream");
    assert_eq!(for_rounds(&mut client, |client| client.get("/nothing")), 0, "a 404");

    // In two segments, the first one surely seen alone: another connection is answered between them.
    let mut other = server.client();
    // The second lane is made before the first round is counted: a newcomer may be answered out of turn, until the system has
    // told of it, which it has before it tells of the next request of another one.
    other.add(1);
    client.get("/adder");
    let request = post("/adder", "1");
    let mut in_two = |split: usize| {
        for_rounds(&mut client, |client| {
            client.send(&request[..split]);
            other.add(1);
            client.send(&request[split..]);
            client.sum();
        })
    };
    assert_eq!(in_two(request.len() - 1), 0, "split before the body");
    // An incomplete head holds no lane: what there is of it is kept, in a block of its own.
    assert!(in_two(20) <= ROUNDS, "split within the head");
    server.stop();
}

/// Counts the connections that have ended, and allocates nothing.
#[derive(Default)]
struct Ends(AtomicU64);

impl Observer for Ends {
    fn disconnected(&self, _: ConnectionId, _: EndReason, _: bool) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_connection_that_comes_and_goes_leaves_nothing_behind() {
    let ends = forever(Ends::default());
    let server = Running::start(settings(), counting(forever(Tally::default())), ends);
    let mut client = server.client();
    // One at a time: what several take at once depends on how fast they leave.
    let rounds = |client: &mut Client| {
        for_rounds(client, |_| {
            let before = ends.0.load(Ordering::Relaxed);
            server.client().get("/adder");
            while ends.0.load(Ordering::Relaxed) == before {
                thread::yield_now();
            }
        })
    };
    rounds(&mut client);
    let before = held(&mut client);
    let allocated = rounds(&mut client);
    let expected = 0..=ALLOCATED_FOR_A_CONNECTION * (ROUNDS + 1);
    assert!(expected.contains(&allocated), "a connection without a session: {allocated}");
    let more = held(&mut client) - before;
    assert!(more < BLOCKS_LEFT_MAX, "{more} blocks are left of {ROUNDS} connections");
    server.stop();
}
