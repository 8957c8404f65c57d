//! A stream of server-sent events: a page sees each new sum, whoever has added to it.
//!
//! `cargo run --example events`, then open <http://127.0.0.1:8080/> in two tabs, or
//! `tenure listen http://127.0.0.1:8080/sums` in a terminal and `curl -d 55 http://127.0.0.1:8080/add` in another.
//! `cargo test --example events` listens without a socket.

use std::sync::atomic::{AtomicI64, Ordering};

use tenure::{Error, Event, EventTopic, Events, Handler, Html, Request, Router, events, get, post};
use tenure_linux::{Server, Settings};

const SUMS: EventTopic = EventTopic::new(0);

static SUM: AtomicI64 = AtomicI64::new(0);

// The browser connects again by itself where the stream was cut off.
const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Sum</title>
<output>?</output> <button>add 1</button>
<script>
new EventSource("/sums").addEventListener("sum", event => {
    document.querySelector("output").textContent = event.data;
});
document.querySelector("button").onclick = () => fetch("/add", { method: "POST", body: "1" });
</script>"#;

/// Opens a stream, which begins with how things stand. At rest it costs a slot in a table.
async fn sums(_: &mut Request<'_, ()>) -> Result<Events, Error> {
    let sum = SUM.load(Ordering::Relaxed).to_string();
    Events::new().topic(SUMS).retry_ms(1_000).first(Event::data(&sum).event("sum"))
}

async fn add(request: &mut Request<'_, ()>) -> Result<(), Error> {
    let number: i64 = request.body().parse().await?;
    let sum = SUM.fetch_add(number, Ordering::Relaxed).wrapping_add(number).to_string();
    request.publish(SUMS, Event::data(&sum).event("sum"))
}

fn app() -> impl Handler<()> + Send + Sync {
    Router::new()
        .route("/", get(async |_: &mut Request<'_, ()>| Html(PAGE)))
        .route("/sums", events(sums))
        .route("/add", post(add))
}

fn main() -> Result<(), tenure_linux::Error> {
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    println!("adding at http://{}/", server.local_addr());
    server.run(&app(), &())
}

#[test]
fn each_sum_is_seen() {
    let mut server = tenure::kit::Server::new(app());
    let page = server.event_stream("/sums");
    let client = server.connect();
    for number in ["55", "-5"] {
        client.send(format!("POST /add HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{number}"));
    }
    server.run();
    let events = ["retry: 1000", "event: sum\ndata: 0", "event: sum\ndata: 55", "event: sum\ndata: 50"];
    assert_eq!(page.received_text(), events.map(|event| format!("{event}\n\n")).concat());
}
