//! A peer that does not read makes the handler wait, and nobody else.

use std::{
    future::poll_fn,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
};

use crate::common::{Adder, PATTERN, Running, Tally, app, forever, post, settings};
use tenure::{EndReason, Error, Method, Request, Responder, Router, Sent, StatusCode, respond};

/// More than all buffers on the way have together: Linux allows a socket 6 MiB to receive and 4 MiB to send by default.
const BYTES: usize = 64 << 20;

#[test]
fn a_client_that_reads_late_reads_all_of_it() {
    static WRITTEN: AtomicUsize = AtomicUsize::new(0);
    async fn large<'r>(_: &mut Request<'r, Adder>, responder: Responder<'r>) -> Result<Sent, Error> {
        let block = PATTERN.repeat(1 << 10);
        let mut stream = responder.stream_of(StatusCode::OK, &[], BYTES as u64).await?;
        for _ in 0..BYTES / block.len() {
            stream.write(&block).await?;
            WRITTEN.fetch_add(block.len(), Ordering::Relaxed);
        }
        stream.finish().await
    }
    let tally = forever(Tally::default());
    let large = respond(Method::Get, large);
    let server = Running::start(settings(), Router::new().route("/large", large).route("/{*rest}", app(tally)), tally);
    let (mut late, mut other) = (server.client(), server.client());
    late.send("GET /large HTTP/1.1\r\nHost: test\r\n\r\nGET /adder HTTP/1.1\r\nHost: test\r\n\r\n");
    for sum in 1..=1_000 {
        assert_eq!(other.add(1), sum);
    }
    let written = WRITTEN.load(Ordering::Relaxed);
    assert!(written < BYTES / 2, "{written} bytes were written to nobody");
    let body = late.answer().body;
    assert_eq!(body.len(), BYTES);
    assert!(body.chunks(PATTERN.len()).all(|chunk| chunk == PATTERN));
    assert_eq!(late.answer().text(), "0", "the request behind it");
    server.stop();
}

#[test]
fn a_client_that_never_reads_is_reset() {
    let mut settings = settings();
    settings.deadlines.response_ms = 500;
    let (server, tally) = Running::adder(settings);
    let (mut never, mut other) = (server.client(), server.client());
    other.add(1);
    never.send(format!("GET /bytes/{BYTES} HTTP/1.1\r\nHost: test\r\n\r\n"));
    let counts = tally.wait(|counts| counts.disconnected.len() == 1);
    assert!(matches!(counts.disconnected[0].1, EndReason::Deadline(tenure::Deadline::Response)), "{counts:?}");
    never.expect_gone();
    assert_eq!(other.add(1), 2);
    server.stop();
}

#[test]
fn requests_that_pile_up_unanswered_are_answered_in_the_end() {
    let (server, _) = Running::adder(settings());
    let mut client = server.client();
    let requests = b"GET /bytes/20000 HTTP/1.1\r\nHost: test\r\n\r\n".repeat(2_000);
    let mut writer = client.stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || std::io::Write::write_all(&mut writer, &requests).unwrap());
    let mut other = server.client();
    for sum in 1..=200 {
        assert_eq!(other.add(1), sum);
    }
    for _ in 0..2_000 {
        assert_eq!(client.answer().body.len(), 20_000);
    }
    writing.join().unwrap();
    server.stop();
}

/// A client may send all of its request before it reads any of the response, though neither fits the buffers on the way.
#[test]
fn a_handler_reads_and_writes_at_once() {
    async fn both<'r>(request: &mut Request<'r, Adder>, responder: Responder<'r>) -> Result<Sent, Error> {
        let mut stream = responder.duplex(StatusCode::OK, &[]).await?;
        let reads = async {
            let mut bytes = 0;
            while let Some(piece) = request.body().limit(BYTES as u64).read().await? {
                bytes += piece.len();
            }
            Ok::<_, Error>(bytes)
        };
        let writes = async {
            let block = PATTERN.repeat(1 << 10);
            for _ in 0..BYTES / block.len() {
                stream.write(&block).await?;
            }
            Ok::<_, Error>(())
        };
        let (mut read, mut written) = (None, None);
        let (mut reads, mut writes) = (pin!(reads), Box::pin(writes));
        poll_fn(|context| {
            if read.is_none()
                && let Poll::Ready(bytes) = reads.as_mut().poll(context)
            {
                read = Some(bytes);
            }
            if written.is_none()
                && let Poll::Ready(all) = writes.as_mut().poll(context)
            {
                written = Some(all);
            }
            if read.is_some() && written.is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        drop(writes);
        assert_eq!(read.unwrap()?, BYTES);
        written.unwrap()?;
        stream.finish().await
    }
    let tally = forever(Tally::default());
    let both = respond(Method::Post, both);
    let server = Running::start(settings(), Router::new().route("/both", both).route("/{*rest}", app(tally)), tally);
    let mut client = server.client();
    client.send(post("/both", &"1".repeat(BYTES)));
    let body = client.answer().body;
    assert_eq!(body.len(), BYTES);
    assert!(body.chunks(PATTERN.len()).all(|chunk| chunk == PATTERN));
    assert_eq!(client.add(1), 1);
    server.stop();
}
