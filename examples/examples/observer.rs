//! What can be watched from outside of handlers: connections are counted as they come and go, and some are not taken.
//!
//! `cargo run --example observer`, then
//! - `curl http://127.0.0.1:8080/`: how many connections there are and have been;
//! - `curl http://127.0.0.1:8080/ http://127.0.0.1:8080/`: twice on one connection;
//! - `curl --interface 127.0.0.2 http://127.0.0.1:8080/`: refused before anything is read.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicU32, Ordering},
};

use tenure::{
    Admission, ConnectionId, EndReason, Observer, PeerAddress, Request, RequestLine, Router, StatusCode, get,
};
use tenure_linux::{Server, Settings};

/// Whom we do not serve.
const UNWANTED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Counts. All workers tell the same one, so its counters are atomic.
#[derive(Default)]
struct Counter {
    open: AtomicU32,
    seen: AtomicU32,
    refused: AtomicU32,
}

impl Observer for Counter {
    fn connected(&self, id: ConnectionId, peer: Option<PeerAddress>) -> Admission {
        if peer.and_then(PeerAddress::ip) == Some(UNWANTED) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Admission::Refuse; // `disconnected` is not told of it
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        self.seen.fetch_add(1, Ordering::Relaxed);
        println!("{id} connected");
        Admission::Accept
    }

    fn head_received(&self, id: ConnectionId, line: RequestLine<'_>) {
        println!("{id} {} {}", line.method(), line.target());
    }

    fn response_sent(&self, id: ConnectionId, status: StatusCode, bytes: u64, duration_ms: u32) {
        println!("{id} {}: {bytes} bytes in {duration_ms} ms", status.code());
    }

    fn disconnected(&self, id: ConnectionId, reason: EndReason, _session: bool) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        println!("{id} ended: {reason}");
    }
}

fn main() -> Result<(), tenure_linux::Error> {
    let counter = Counter::default();
    let tell = async |_: &mut Request<'_, ()>| {
        let [open, seen, refused] =
            [&counter.open, &counter.seen, &counter.refused].map(|count| count.load(Ordering::Relaxed));
        format!("{open} open, {seen} so far, {refused} refused\n")
    };
    let app = Router::new().route("/", get(tell));
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    println!("counting at http://{}/", server.local_addr());
    server.run(&app, &counter)
}
