//! Everything that a server can be set to, in one place: here a small one that many may knock at.
//!
//! `cargo run --example settings`, then
//! - `curl http://127.0.0.1:8080/` and `curl 'http://[::1]:8080/'`: it listens at both;
//! - `sleep 5 | nc 127.0.0.1 8080`: silence is closed after 2 s, as the server says;
//! - `(printf 'GET / HTTP/1.1\r\n'; sleep 5) | nc 127.0.0.1 8080`: 408 after 3 s, the head is not complete;
//! - `for i in 1 2 3 4 5 6; do (printf 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'; sleep 5) | nc 127.0.0.1 8080 & done`: there
//!   is place for four; those that came first and are idle have to go;
//! - `curl -i http://127.0.0.1:8080/$(printf %0999d 0)`: 414, the target is bounded.

use std::{net::Ipv6Addr, num::NonZeroUsize};

use tenure::{ConnectionId, Deadlines, EndReason, Eviction, Limits, NEVER, Observer, Request, Router, get};
use tenure_linux::{Server, Settings};

/// Says why connections end.
struct Reasons;

impl Observer for Reasons {
    fn disconnected(&self, id: ConnectionId, reason: EndReason, _session: bool) {
        println!("{id} ended: {reason}");
    }
}

async fn hello(_: &mut Request<'_, ()>) -> &'static str {
    "hello\n"
}

fn main() -> Result<(), tenure_linux::Error> {
    let settings = Settings {
        // An IPv6 address is for IPv6 alone: name both.
        addresses: vec![([127, 0, 0, 1], 8080).into(), (Ipv6Addr::LOCALHOST, 8080).into()],
        listeners: Vec::new(), // or sockets that listen already, as of a supervisor
        threads: NonZeroUsize::new(1),
        connections_max: 4,
        connections_per_peer_max: Some(2), // one more is closed at once
        backlog: 16,
        eviction: Eviction::LeastRecentlyUsed, // an idle one goes, its session with it; a request at work never does
        lanes_max: Some(2),                    // requests at once per thread: each takes the three buffers below
        open_max: None,                        // three quarters of all may stay open
        input_bytes: 2_048,
        body_bytes: 4_096,
        output_bytes: 4_096,
        spin_us: 50,      // asks so long for more before it sleeps
        keep_alive: true, // finds peers that vanished without a word
        keep_alive_idle_s: 60,
        keep_alive_interval_s: 10,
        keep_alive_probes: 3,
        delivery_s: None,
        deadlines: Deadlines {
            first_byte_ms: 2_000,
            head_ms: 3_000,
            body_bytes_per_s: 100,
            idle_ms: NEVER,
            ..Deadlines::HOST
        },
        limits: Limits {
            head_bytes_max: 1_024,
            target_bytes_max: 512,
            body_bytes_max: 4_096,
            content_type: Some("text/plain"),
            ..Limits::HOST
        },
    };
    let server = Server::bind(settings)?.stop_on_signals()?;
    for address in server.local_addresses() {
        println!("listening at http://{address}/");
    }
    server.run(&Router::new().route("/", get(hello)), &Reasons)
}
