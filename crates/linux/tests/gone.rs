//! A peer that resets its connection has no address any more: the requests that it has sent before are counted nevertheless.

#[path = "../../host/suite/common/mod.rs"]
mod common;

use std::sync::{
    Barrier,
    atomic::{AtomicU32, Ordering},
};

use common::{Adder, Client, Running, Tally, forever, with_threads};
use tenure::{Rate, Request, Router, get};

#[test]
fn who_resets_behind_requests_sends_no_more_of_them() {
    let (tally, barrier, seen) = (forever(Tally::default()), forever(Barrier::new(2)), forever(AtomicU32::new(0)));
    let held = get(async move |_: &mut Request<'_, Adder>| {
        // One to say that it is here, one to go on.
        barrier.wait();
        barrier.wait();
    });
    let rated = get(async move |_: &mut Request<'_, Adder>| {
        seen.fetch_add(1, Ordering::Relaxed);
    });
    let rated = rated.rate(Rate::<4>::per_min(2));
    let server = Running::start(with_threads(1), Router::new().route("/held", held).route("/rated", rated), tally);
    let request = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n");
    // While the worker is held, it learns of no reset, and the bytes have come.
    for (round, total) in [(1, 2), (2, 2)] {
        let mut client = Client::connect(server.address);
        client.send(&(request("/held") + &request("/rated").repeat(4)));
        barrier.wait();
        client.reset();
        barrier.wait();
        tally.wait(|counts| counts.disconnected.len() == round);
        assert_eq!(seen.load(Ordering::Relaxed), total);
    }
    server.stop();
}
