//! Pushed from outside of any handler: a thread that reads a sensor tells all who listen, through the server's handle.
//!
//! The thread knows no connection and waits for none: whoever reads too slowly misses readings, and nobody else does.
//!
//! `cargo run --example push`, then open <http://127.0.0.1:8080/>, or `tenure listen http://127.0.0.1:8080/load` in a terminal.

use std::{fs, thread, time::Duration};

use tenure::{Event, EventTopic, Events, Handler, Html, PushError, Request, Router, events, get};
use tenure_linux::{Handle, Server, Settings};

const LOAD: EventTopic = EventTopic::new(0);

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Load</title>
<meter max="8"></meter> <output>?</output>
<script>
new EventSource("/load").onmessage = event => {
    document.querySelector("output").textContent = event.data;
    document.querySelector("meter").value = event.data;
};
</script>"#;

/// The sensor: how busy this machine is.
fn read() -> Option<String> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    Some(text.split(' ').next()?.to_owned())
}

/// Tells the reading to all who listen, on every worker. Whether this may go on.
fn push(handle: &Handle, reading: &str) -> bool {
    match handle.publish(LOAD, Event::data(reading)) {
        Ok(()) => true,
        // The next reading is better than this one would be later.
        Err(PushError::Full) => true,
        Err(PushError::Stopped) => false,
        Err(PushError::Content(error)) => {
            eprintln!("{reading:?} is no event: {error}");
            true
        }
    }
}

fn app() -> impl Handler<()> + Send + Sync {
    Router::new()
        .route("/", get(async |_: &mut Request<'_, ()>| Html(PAGE)))
        .route("/load", events(async |_: &mut Request<'_, ()>| Events::new().topic(LOAD)))
}

fn main() -> Result<(), tenure_linux::Error> {
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    let handle = server.handle();
    let sensor = thread::spawn(move || {
        while push(&handle, read().as_deref().unwrap_or("?")) {
            thread::sleep(Duration::from_secs(1));
        }
    });
    println!("measuring at http://{}/", server.local_addr());
    server.run(&app(), &())?;
    sensor.join().expect("the sensor's thread does not panic");
    Ok(())
}

/// A reading reaches a client's socket; behind the server's end there is nobody to tell.
#[test]
fn a_reading_is_pushed() {
    use std::io::{Read, Write};
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 0).into())).expect("a free port");
    let (handle, address) = (server.handle(), server.local_addr());
    let running = server.spawn(app(), ()).expect("a thread");
    let mut client = std::net::TcpStream::connect(address).expect("it listens");
    client.write_all(b"GET /load HTTP/1.1\r\nHost: a\r\n\r\n").expect("it takes requests");
    let mut received = Vec::new();
    let mut wait_for = |end: &[u8]| {
        while !received.ends_with(end) {
            let mut byte = [0];
            assert_eq!(client.read(&mut byte).expect("it answers"), 1, "{:?}", String::from_utf8_lossy(&received));
            received.push(byte[0]);
        }
    };
    wait_for(b"\r\n\r\n");
    assert!(push(&handle, "0.5"));
    wait_for(b"\r\n\r\ndata: 0.5\n\n");
    drop(client);
    handle.stop();
    running.wait().expect("it ends well");
    assert!(!push(&handle, "0.6"));
}
