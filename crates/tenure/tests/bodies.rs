//! Bodies: read whole, in pieces, copied, bounded, left unread, broken; however they arrive.

mod support;

use std::{future::poll_fn, pin::pin, task::Poll};
use support::{answers, every_way, feed, get, post, post_chunked, request, responses, small, text};
use tenure::{
    EndReason, Error, Handler, Limits, Refusal, Request, Router, any,
    kit::{Event, Server, Settings},
};

type Answer = Result<Vec<u8>, Error>;

async fn whole(request: &mut Request<'_, ()>) -> Answer {
    Ok(request.body().whole().await?.to_vec())
}

async fn read(request: &mut Request<'_, ()>) -> Answer {
    let mut body = Vec::new();
    while let Some(piece) = request.body().read().await? {
        assert!(!piece.is_empty());
        body.extend_from_slice(piece);
    }
    assert_eq!(request.body().read().await?, None, "the end stays the end");
    Ok(body)
}

async fn read_up_to(request: &mut Request<'_, ()>) -> Answer {
    let mut body = Vec::new();
    while let Some(piece) = request.body().read_up_to(3).await? {
        assert!((1..=3).contains(&piece.len()));
        body.extend_from_slice(piece);
    }
    Ok(body)
}

async fn copy(request: &mut Request<'_, ()>) -> Answer {
    let mut buffer = [0; 100];
    Ok(request.body().copy_into(&mut buffer).await?.to_vec())
}

async fn limited(request: &mut Request<'_, ()>) -> Answer {
    Ok(request.body().limit(10).whole().await?.to_vec())
}

async fn limited_read(request: &mut Request<'_, ()>) -> Answer {
    let mut body = Vec::new();
    while let Some(piece) = request.body().limit(10).read().await? {
        body.extend_from_slice(piece);
    }
    Ok(body)
}

async fn ignore(_: &mut Request<'_, ()>) -> &'static str {
    "ignored"
}

/// Reads the first ten bytes and leaves the others.
async fn leave(request: &mut Request<'_, ()>) -> Answer {
    let mut body = Vec::new();
    while body.len() < 10
        && let Some(piece) = request.body().read_up_to(10 - body.len()).await?
    {
        body.extend_from_slice(piece);
    }
    Ok(body)
}

async fn hello(_: &mut Request<'_, ()>) -> &'static str {
    "Hello World!"
}

fn app() -> impl Handler<()> {
    Router::new()
        .route("/whole", any(whole))
        .route("/read", any(read))
        .route("/up-to", any(read_up_to))
        .route("/copy", any(copy))
        .route("/limited", any(limited))
        .route("/limited-read", any(limited_read))
        .route("/ignore", any(ignore))
        .route("/leave", any(leave))
        .route("/hello", any(hello))
}

/// A body with its length, and in chunks of several sizes.
fn framed(target: &str, body: &str) -> Vec<String> {
    vec![
        post(target, body),
        post_chunked(target, body, &[1]),
        post_chunked(target, body, &[3, 1, 16, 255]),
        post_chunked(target, body, &[usize::MAX]),
    ]
}

#[test]
fn a_body_is_the_same_however_it_is_read_framed_and_split() {
    for target in ["/whole", "/read", "/up-to", "/copy"] {
        for bytes in [0, 1, 2, 15, 16, 17, 100] {
            let body = text(bytes);
            for bytes in framed(target, &body) {
                let answers = every_way(app, small(128), bytes.clone() + &get("/hello"));
                let responses = answers.responses();
                assert_eq!(responses.len(), 2, "{bytes}");
                assert_eq!((responses[0].status, responses[0].text()), (200, body.as_str()), "{bytes}");
                assert_eq!(responses[1].text(), "Hello World!", "{bytes}");
                assert!(!answers.closed, "{bytes}");
            }
        }
    }
}

#[test]
fn a_body_in_ten_pieces() {
    let body = text(1_000);
    for target in ["/whole", "/read", "/up-to"] {
        for bytes in framed(target, &body) {
            let pieces = bytes.as_bytes().chunks(bytes.len() / 10);
            assert_eq!(feed(app(), small(1_024), pieces).response().text(), body, "{bytes}");
        }
    }
}

#[test]
fn chunk_extensions_and_trailers_are_dropped() {
    let bytes = "POST /whole HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        3;a=b;c=\"d\\\"e\"\r\nabc\r\n00003\r\ndef\r\n0;last\r\nX-Sum: 1\r\nY:\r\n\r\n";
    for target in ["/whole", "/read", "/copy"] {
        let bytes = bytes.replace("/whole", target) + &get("/hello");
        let answers = every_way(app, small(128), &bytes);
        assert_eq!(answers.responses()[0].text(), "abcdef", "{target}");
        assert_eq!(answers.statuses(), [200, 200], "{target}");
    }
}

// Where a body ends must not depend on how TCP has cut it: what fits in one segment fits in many.
#[test]
fn the_body_buffer_bounds_a_whole_body() {
    for (bytes, wanted) in [(63, 200), (64, 200), (65, 413)] {
        let answers = every_way(app, small(64), post("/whole", &text(bytes)) + &get("/hello"));
        assert_eq!(answers.statuses(), [wanted, 200], "{bytes}");
        assert!(!answers.closed, "{bytes}");
    }
    // One byte of the buffer stays free for the framing behind the data.
    for (bytes, wanted) in [(62, 200), (63, 200), (64, 413), (65, 413), (150, 413)] {
        for sizes in [&[1][..], &[2], &[7, 1, 30], &[200]] {
            let bytes = post_chunked("/whole", &text(bytes), sizes) + &get("/hello");
            let answers = every_way(app, small(64), &bytes);
            assert_eq!(answers.statuses(), [wanted, 200], "{bytes}");
            assert!(!answers.closed, "{bytes}");
        }
    }
}

#[test]
fn a_handler_bounds_a_body() {
    for target in ["/limited", "/limited-read"] {
        for (bytes, wanted) in [(9, 200), (10, 200), (11, 413), (40, 413)] {
            for bytes in framed(target, &text(bytes)) {
                let answers = every_way(app, small(64), bytes.clone() + &get("/hello"));
                assert_eq!(answers.statuses(), [wanted, 200], "{bytes}");
                assert!(!answers.responses()[0].says_close(), "{bytes}");
            }
        }
    }
}

#[test]
fn the_server_bounds_a_body_and_a_buffer_a_copy() {
    let limits = Limits { body_bytes_max: 50, ..Limits::HOST };
    for (target, bytes, wanted) in
        [("/read", 50, 200), ("/read", 51, 413), ("/whole", 50, 200), ("/whole", 51, 413), ("/copy", 51, 413)]
    {
        for bytes in framed(target, &text(bytes)) {
            let settings = Settings { limits, ..small(128) };
            assert_eq!(every_way(app, settings, bytes.clone() + &get("/hello")).statuses(), [wanted, 200], "{bytes}");
        }
    }
    for (bytes, wanted) in [(99, 200), (100, 200), (101, 413)] {
        for bytes in framed("/copy", &text(bytes)) {
            assert_eq!(every_way(app, small(16), bytes.clone() + &get("/hello")).statuses(), [wanted, 200], "{bytes}");
        }
    }
}

// What is said is what would have been taken, whatever bounds it: the handler, the server, a buffer.
#[test]
fn a_body_that_is_too_large_is_told_how_large_one_may_be() {
    let limits = Limits { body_bytes_max: 50, ..Limits::HOST };
    for (target, settings, known, chunked) in [
        ("/limited", small(64), 10, 10),
        ("/limited-read", small(64), 10, 10),
        ("/whole", small(64), 64, 63),
        ("/copy", small(64), 100, 100),
        ("/whole", Settings { limits, ..small(64) }, 50, 50),
        ("/read", Settings { limits, ..small(64) }, 50, 50),
        ("/up-to", Settings { limits, ..small(64) }, 50, 50),
        ("/copy", Settings { limits, ..small(64) }, 50, 50),
    ] {
        for (most, chunks) in [(known, &[][..]), (chunked, &[1]), (chunked, &[7, 1, 30]), (chunked, &[500])] {
            let framed = |bytes: usize| match chunks {
                [] => post(target, &text(bytes)),
                sizes => post_chunked(target, &text(bytes), sizes),
            };
            assert_eq!(every_way(app, settings, framed(most)).response().status, 200, "{target} {most} {chunks:?}");
            let answer = every_way(app, settings, framed(most + 1)).response();
            let wanted = format!("the body is larger than this target takes (at most {most} bytes)\n");
            assert_eq!((answer.status, answer.text()), (413, &*wanted), "{target} {chunks:?}");
        }
    }
}

#[test]
fn an_unread_rest_is_drained_up_to_its_bound() {
    let limits = Limits { drain_bytes_max: 100, ..Limits::HOST };
    for (bytes, stays) in [(1, true), (99, true), (100, true), (101, false), (300, false)] {
        for bytes in framed("/ignore", &text(bytes)) {
            let answers = every_way(app, Settings { limits, ..small(32) }, bytes.clone() + &get("/hello"));
            let responses = answers.responses();
            assert_eq!(responses[0].text(), "ignored", "{bytes}");
            assert_eq!(responses[0].says_close(), !stays, "{bytes}");
            assert_eq!(responses.len(), if stays { 2 } else { 1 }, "{bytes}");
            assert_eq!(answers.ended, if stays { vec![] } else { vec![EndReason::Unread] }, "{bytes}");
        }
    }
}

/// What of a body had come when it was refused counts as drained, so however it was cut, its connection stays or does not.
#[test]
fn what_is_drained_of_a_refused_body_does_not_depend_on_how_it_came() {
    for (bytes, left) in [
        // A buffer of five takes the first chunk, not the second one.
        (post_chunked("/whole", &text(5), &[3, 2]), 2),
        (post_chunked("/whole", &text(8), &[3, 5]), 5),
        // A hundred and one of them show a buffer of a hundred that there are too many.
        (post("/copy", &text(104)), 3),
        (post_chunked("/copy", &text(104), &[usize::MAX]), 3),
        (post_chunked("/copy", &text(104), &[7]), 3),
    ] {
        for drain_bytes_max in [0, left - 1, left, left + 1] {
            let limits = Limits { drain_bytes_max, ..Limits::HOST };
            let answers = every_way(app, Settings { limits, ..small(5) }, bytes.clone() + &get("/hello"));
            let statuses = if drain_bytes_max < left { vec![413] } else { vec![413, 200] };
            assert_eq!(answers.statuses(), statuses, "{bytes}, {drain_bytes_max}");
            assert_eq!(answers.responses()[0].says_close(), drain_bytes_max < left, "{bytes}, {drain_bytes_max}");
        }
    }
}

// As `esp_http_server`'s own test: 54 bytes, of which the handler reads ten.
#[test]
fn what_a_handler_leaves_is_not_the_next_request() {
    let body = "abcdefghijklmnopqrstuvwxyz GET /evil HTTP/1.1\r\n\r\n.....";
    assert_eq!(body.len(), 54);
    for bytes in framed("/leave", body) {
        let answers = every_way(app, small(32), bytes.clone() + &get("/hello"));
        let said: Vec<_> = answers.responses().iter().map(|response| response.text().to_owned()).collect();
        assert_eq!(said, ["abcdefghij", "Hello World!"], "{bytes}");
    }
}

#[test]
fn an_error_before_the_body_is_read_keeps_the_connection() {
    for (target, wanted) in [("/nothing", 404), ("/limited", 413)] {
        for bytes in framed(target, &text(60)) {
            assert_eq!(every_way(app, small(32), bytes.clone() + &get("/hello")).statuses(), [wanted, 200], "{bytes}");
        }
    }
}

#[test]
fn requests_behind_a_body_that_came_later_are_answered() {
    let mut bytes = String::new();
    for (n, sizes) in [&[5][..], &[1], &[40], &[3, 9]].iter().enumerate() {
        bytes += &post_chunked("/whole", &text(20 + n), sizes);
        bytes += &get("/hello");
        bytes += &post("/read", &text(30 + n));
        bytes += &get("/hello");
    }
    for body_bytes in [64, 256, 4_096] {
        let answers = every_way(app, small(body_bytes), &bytes);
        let said: Vec<_> = answers.responses().iter().map(|response| response.body.len()).collect();
        assert_eq!(said, [20, 12, 30, 12, 21, 12, 31, 12, 22, 12, 32, 12, 23, 12, 33, 12], "{body_bytes}");
    }
}

// What has been received behind the last chunk moves to the input, which may be smaller than the body's buffer.
#[test]
fn many_requests_behind_a_chunked_body_are_not_lost() {
    for target in ["/whole", "/read", "/ignore"] {
        let bytes = post_chunked(target, "0123456789", &[4]) + &get("/hello").repeat(100);
        let (first, second) = bytes.split_at(bytes.find("0123").unwrap() + 2);
        let answers = feed(app(), small(4_096), [first.as_bytes(), second.as_bytes()]);
        assert_eq!(answers.statuses(), [200; 101], "{target}");
    }
}

#[test]
fn broken_chunks_are_refused_and_the_connection_closes() {
    let head = "POST /whole HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (body, refusal) in [
        ("3\r\nabc\r\n0\r\n\r\n", None),
        ("3 \r\nabc\r\n0\r\n\r\n", Some(Refusal::BadChunkSize)),
        ("3\nabc\r\n0\r\n\r\n", Some(Refusal::BadChunkEnd)),
        ("x\r\nabc\r\n0\r\n\r\n", Some(Refusal::BadChunkSize)),
        ("-1\r\nabc\r\n0\r\n\r\n", Some(Refusal::BadChunkSize)),
        ("0x3\r\nabc\r\n0\r\n\r\n", Some(Refusal::BadChunkSize)),
        ("10000000000000003\r\nabc\r\n0\r\n\r\n", Some(Refusal::ChunkSizeTooLong)),
        ("3;a=\"\r\nabc\r\n0\r\n\r\n", Some(Refusal::BadChunkExtension)),
        ("3;a=\"\"\r\nabc\r\n0\r\n\r\n", None),
        ("3\r\nabcd\r\n0\r\n\r\n", Some(Refusal::BadChunkEnd)),
        ("4\r\nabc\r\n0\r\n\r\n", Some(Refusal::BadChunkEnd)),
        ("3\r\nabc\r\n0\r\nx\r\n\r\n", Some(Refusal::BadTrailer)),
        ("3\r\nabc\r\n0\r\nx:\r\n\r\n", None),
    ] {
        for target in ["/whole", "/read", "/up-to", "/copy", "/limited"] {
            let bytes = head.replace("/whole", target) + body + &get("/hello");
            let answers = every_way(app, small(64), &bytes);
            let Some(refusal) = refusal else {
                assert_eq!(answers.statuses(), [200, 200], "{bytes:?}");
                continue;
            };
            let response = answers.response();
            assert_eq!(response.status, 400, "{bytes:?}");
            assert_eq!(response.text(), format!("{}\n", refusal.reason()), "{bytes:?}");
            assert!(response.says_close() && answers.closed, "{bytes:?}");
            assert_eq!(answers.ended, [EndReason::Protocol(refusal)], "{bytes:?}");
        }
    }
}

#[test]
fn broken_chunks_that_no_handler_reads_close_behind_its_response() {
    let bytes =
        "POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n".to_owned() + &get("/hello");
    let answers = every_way(app, small(64), bytes);
    assert_eq!(answers.response().text(), "ignored");
    assert!(answers.response().says_close());
    assert_eq!(answers.ended, [EndReason::Protocol(Refusal::BadChunkSize)]);
}

#[test]
fn a_peer_that_closes_amid_a_body_is_told_of_it() {
    for target in ["/whole", "/read", "/up-to", "/copy"] {
        for bytes in framed(target, &text(30)) {
            // Complete first: a close behind a whole request loses nothing.
            for cut in 0..5 {
                let mut server = Server::with(app(), small(64));
                let client = server.connect();
                client.send(&bytes[..bytes.len() - cut]);
                client.close();
                server.run();
                let answers = answers(&server, &client);
                let response = answers.response();
                assert_eq!(response.status, if cut == 0 { 200 } else { 400 }, "{cut} of {bytes}");
                assert_eq!(response.says_close(), cut > 0, "{cut} of {bytes}");
                assert!(answers.closed, "{cut} of {bytes}");
                assert_eq!(answers.ended, [EndReason::PeerClosed], "{cut} of {bytes}");
            }
        }
    }
}

#[test]
fn a_peer_that_closes_amid_an_unread_rest_is_answered() {
    for bytes in framed("/ignore", &text(30)) {
        let mut server = Server::with(app(), small(16));
        let client = server.connect();
        client.send(&bytes[..bytes.len() - 1]);
        client.close();
        server.run();
        let answers = answers(&server, &client);
        assert_eq!(answers.response().text(), "ignored", "{bytes}");
        assert_eq!(answers.ended, [EndReason::PeerClosed], "{bytes}");
    }
}

/// Begins to read the body whole, and gives up once it would have to wait.
async fn whole_at_once(request: &mut Request<'_, ()>) -> Option<Answer> {
    let mut body = pin!(request.body().whole());
    let polled = poll_fn(|context| Poll::Ready(body.as_mut().poll(context).map_ok(<[u8]>::to_vec))).await;
    match polled {
        Poll::Ready(body) => Some(body),
        Poll::Pending => None,
    }
}

/// Begins to read whole, gives up, and reads in pieces.
async fn gives_up(request: &mut Request<'_, ()>) -> Answer {
    match whole_at_once(request).await {
        Some(body) => body,
        None => read(request).await,
    }
}

/// Reads one piece, then the others whole.
async fn piece_then_whole(request: &mut Request<'_, ()>) -> Answer {
    let mut body = request.body().read_up_to(2).await?.unwrap_or_default().to_vec();
    body.extend_from_slice(request.body().whole().await?);
    assert_eq!(request.body().whole().await?, b"", "bytes come once");
    Ok(body)
}

/// Asks for the body whole twice.
async fn twice(request: &mut Request<'_, ()>) -> Answer {
    let body = request.body().whole().await?.to_vec();
    assert_eq!(request.body().whole().await?, b"", "bytes come once");
    assert_eq!(request.body().read().await?, None);
    Ok(body)
}

/// Begins to read whole, gives up, and reads by threes.
async fn gives_up_for_threes(request: &mut Request<'_, ()>) -> Answer {
    match whole_at_once(request).await {
        Some(body) => body,
        None => read_up_to(request).await,
    }
}

/// Begins to read whole and gives up before each three bytes.
async fn gives_up_again_and_again(request: &mut Request<'_, ()>) -> Answer {
    let mut body = Vec::new();
    loop {
        if let Some(rest) = whole_at_once(request).await {
            body.extend_from_slice(&rest?);
            return Ok(body);
        }
        body.extend_from_slice(request.body().read_up_to(3).await?.unwrap_or_default());
    }
}

/// Begins to read whole, gives up after having waited that often, and reads no more.
async fn gives_up_for_good(request: &mut Request<'_, ()>) -> &'static str {
    let mut body = pin!(request.body().whole());
    let mut waits = 10;
    poll_fn(|context| {
        waits -= 1;
        if waits == 0 { Poll::Ready(()) } else { body.as_mut().poll(context).map(drop) }
    })
    .await;
    "given up"
}

/// A body that was put together in part and is given up is still read to its end: the next request is found.
#[test]
fn a_body_that_was_given_up_is_drained() {
    let app = || Router::new().route("/gives-up", any(gives_up_for_good)).route("/hello", any(hello));
    for bytes in [9, 11, 12, 15] {
        for bytes in framed("/gives-up", &text(bytes)) {
            let answers = every_way(app, small(16), bytes.clone() + &get("/hello"));
            assert_eq!(answers.responses()[0].text(), "given up", "{bytes}");
            assert_eq!(answers.statuses(), [200, 200], "{bytes}");
        }
    }
}

#[test]
fn ways_of_reading_can_be_mixed() {
    let app = || {
        Router::new()
            .route("/gives-up", any(gives_up))
            .route("/threes", any(gives_up_for_threes))
            .route("/again", any(gives_up_again_and_again))
            .route("/piece", any(piece_then_whole))
            .route("/twice", any(twice))
            .route("/hello", any(hello))
    };
    for target in ["/gives-up", "/threes", "/again", "/piece", "/twice"] {
        for bytes in [0, 1, 2, 3, 20, 63] {
            let body = text(bytes);
            for bytes in framed(target, &body) {
                let answers = every_way(app, small(64), bytes.clone() + &get("/hello"));
                assert_eq!(answers.responses()[0].text(), body, "{bytes}");
                assert_eq!(answers.statuses(), [200, 200], "{bytes}");
            }
        }
    }
}

/// Bytes that a cancelled `whole` has collected do not move while they are read one by one, even if `whole` begins again in between.
#[test]
fn what_was_collected_is_read_where_it_lies() {
    /// Reads one byte after the other, and tells how often one did not lie behind the one before.
    async fn jumps<const AGAIN: bool>(request: &mut Request<'_, ()>) -> Result<String, Error> {
        let (mut last, mut jumps) = (None, 0);
        assert!(whole_at_once(request).await.is_none());
        for number in 0..900 {
            assert!(!AGAIN || whole_at_once(request).await.is_none());
            let byte = request.body().read_up_to(1).await?.unwrap_or_default();
            assert_eq!(byte, &text(900).as_bytes()[number..=number]);
            let at = byte.as_ptr().addr();
            jumps += u32::from(last.is_some_and(|last: usize| last + 1 != at));
            last = Some(at);
        }
        Ok(jumps.to_string())
    }
    let app = || Router::new().route("/once", any(jumps::<false>)).route("/again", any(jumps::<true>));
    for target in ["/once", "/again"] {
        for bytes in framed(target, &text(901)) {
            let mut server = Server::with(app(), Settings { body_bytes: 950, ..Settings::default() });
            let client = server.connect();
            // Without the last byte and the end of its chunk.
            let end = bytes.rfind(|byte: char| byte.is_ascii_alphabetic()).unwrap();
            client.send(&bytes[..end]);
            server.run();
            client.send(&bytes[end..]);
            server.run();
            assert_eq!(responses(&client.received()).remove(0).text(), "0", "{target}");
        }
    }
}

/// They move where there is no room behind them: what fits does not depend on where they lie.
#[test]
fn what_was_collected_makes_room_for_more() {
    let app = || {
        let then_whole = async |request: &mut Request<'_, ()>| -> Answer {
            assert!(whole_at_once(request).await.is_none());
            let mut body = request.body().read_up_to(40).await?.unwrap_or_default().to_vec();
            body.extend_from_slice(request.body().whole().await?);
            Ok(body)
        };
        Router::new().route("/", any(then_whole))
    };
    // Of 50 bytes that were collected 10 are left. The buffer of 64 keeps one byte free for framing.
    for (bytes, status) in [(53, 200), (54, 413)] {
        let sent = post_chunked("/", &text(50 + bytes), &[50, bytes]);
        let at = sent.find("\r\n35\r\n").or_else(|| sent.find("\r\n36\r\n")).unwrap();
        for step in [1, 7, 100] {
            let mut server = Server::with(app(), small(64));
            let client = server.connect();
            client.send(&sent[..at]);
            server.run();
            for segment in sent.as_bytes()[at..].chunks(step) {
                client.send(segment);
                server.run();
            }
            let response = responses(&client.received()).remove(0);
            assert_eq!(response.status, status, "{bytes} in steps of {step}");
            assert!(status != 200 || response.text() == text(50 + bytes), "in steps of {step}: {}", response.text());
        }
    }
}

#[test]
fn bytes_behind_a_body_that_is_too_large_to_be_put_together_are_not_taken_for_framing() {
    /// Goes on reading after the body has not fitted.
    async fn insists(request: &mut Request<'_, ()>) -> Answer {
        let error = request.body().whole().await.unwrap_err();
        assert_eq!(request.body().whole().await.unwrap_err(), error, "an error stays");
        Err(error)
    }
    let app = || Router::new().route("/insists", any(insists)).route("/hello", any(hello));
    for sizes in [&[100][..], &[1], &[16, 17], &[64]] {
        let bytes = post_chunked("/insists", &text(100), sizes) + &get("/hello");
        assert_eq!(every_way(app, small(32), bytes).statuses(), [413, 200], "{sizes:?}");
    }
}

#[test]
fn a_length_at_the_end_of_its_range_is_a_length() {
    let announced = async |request: &mut Request<'_, ()>| format!("{:?}", request.body().announced());
    let app = Router::new().route("/announced", any(announced)).route("/whole", any(whole));
    let mut server = Server::with(app, small(64));
    for (length, announced) in [
        ("0", "Some(0)"),
        ("007", "Some(7)"),
        ("18446744073709551614", "Some(18446744073709551614)"),
        ("18446744073709551615", "Some(18446744073709551615)"),
    ] {
        let client = server.connect();
        client.send(request("POST", "/announced", &format!("Content-Length: {length}\r\n"), ""));
        server.run();
        assert_eq!(responses(&client.received()).remove(0).text(), announced, "{length}");
        let client = server.connect();
        client
            .send(request("POST", "/whole", &format!("Content-Length: {length}\r\n"), "").replace("/whole", "/whole?"));
        server.run();
        if length.len() > 10 {
            assert_eq!(responses(&client.received()).remove(0).status, 413, "{length}");
        }
    }
    let client = server.connect();
    client.send(request("POST", "/whole", "Content-Length: 18446744073709551616\r\n", ""));
    server.run();
    assert_eq!(responses(&client.received()).remove(0).status, 400);
}

#[test]
fn a_chunked_body_announces_nothing() {
    let announced = async |request: &mut Request<'_, ()>| {
        let before = request.body().announced();
        let _ = request.body().whole().await;
        format!("{before:?} {:?} {:?}", request.body().announced(), request.body())
    };
    let app = || Router::new().route("/", any(announced));
    let answers = every_way(app, small(64), post_chunked("/", "abc", &[2]) + &post("/", "abc"));
    let said: Vec<_> = answers.responses().iter().map(|response| response.text().to_owned()).collect();
    assert_eq!(said, ["None Some(0) Body(Some(0) bytes unread)", "Some(3) Some(0) Body(Some(0) bytes unread)"]);
}

/// What a cancelled `whole` has collected is unread.
#[test]
fn what_was_collected_is_announced() {
    let counts = async |request: &mut Request<'_, ()>| -> Answer {
        let mut said = Vec::new();
        assert!(whole_at_once(request).await.is_none());
        loop {
            said.push(format!("{:?}", request.body().announced()));
            if request.body().read_up_to(3).await?.is_none() {
                return Ok(said.join(" ").into());
            }
        }
    };
    let app = || Router::new().route("/", any(counts));
    for (bytes, wanted) in [
        (post("/", "abcdefgh"), "Some(8) Some(5) Some(3) Some(0)"),
        (post_chunked("/", "abcdefgh", &[8]), "None None None None"),
    ] {
        let mut server = Server::with(app(), small(64));
        let client = server.connect();
        let cut = bytes.find("defgh").unwrap() + 2;
        client.send(&bytes[..cut]);
        server.run();
        client.send(&bytes[cut..]);
        server.run();
        assert_eq!(responses(&client.received()).remove(0).text(), wanted);
    }
}

/// What was passed over above a bound is not missing from a body that is asked for with a wider one.
#[test]
fn a_wider_bound_comes_too_late() {
    let twice = async |request: &mut Request<'_, ()>| -> Answer {
        let _ = request.body().limit(3).whole().await;
        Ok(request.body().limit(100).whole().await?.to_vec())
    };
    let app = || Router::new().route("/", any(twice));
    let chunked = every_way(app, small(64), post_chunked("/", "helloyou", &[5, 3]) + &post("/", "ab"));
    assert_eq!(chunked.statuses(), [413, 200]);
    // Of a known length nothing had been passed over.
    let known = every_way(app, small(64), post("/", "helloyou"));
    assert_eq!(known.response().text(), "helloyou");
}

#[test]
fn the_port_receives_no_more_than_a_handler_reads() {
    let mut server = Server::with(app(), small(32));
    let client = server.connect();
    client.send(request("POST", "/read", "Content-Length: 1000\r\n", ""));
    for _ in 0..10 {
        client.send(text(100));
        server.run();
    }
    assert_eq!(responses(&client.received()).remove(0).body.len(), 1_000);
    assert!(matches!(server.events()[..], [Event::Connected(_), Event::Sent(..)]));
}

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

/// A chunk that announces more than may come is refused before it comes, and what fits is waited for.
#[test]
fn a_chunk_is_judged_by_its_size() {
    let limits = Limits { drain_bytes_max: 100, ..Limits::HOST };
    let app = || {
        Router::new().route("/whole", any(async |request: &mut Request<'_, ()>| whole(request).await)).route(
            "/read",
            any(async |request: &mut Request<'_, ()>| {
                let limited = request.body().limit(1_000).read().await?.map(<[u8]>::to_vec);
                Ok::<_, Error>(limited.unwrap_or_default())
            }),
        )
    };
    // The body buffer of 1,000 keeps one byte free for framing.
    for (target, bytes, refused) in [
        ("/whole", 999, false),
        ("/whole", 1_000, true),
        ("/whole", usize::MAX, true),
        ("/read", 1_000, false),
        ("/read", 1_001, true),
        ("/read", usize::MAX, true),
    ] {
        let mut server = Server::with(app(), Settings { limits, body_bytes: 1_000, ..Settings::default() });
        let client = server.connect();
        client.send(request("POST", target, CHUNKED, "") + &format!("{bytes:x}\r\n"));
        server.run();
        let received = client.received_text();
        assert_eq!(received.starts_with("HTTP/1.1 413 "), refused, "{target} {bytes}: {received}");
        assert_eq!(received.contains("Connection: close\r\n"), refused);
    }
}

/// Who answers without having read a chunked body waits for its rest, to keep the connection, but the answer is not lost
/// with it.
#[test]
fn an_answer_does_not_suffer_from_a_rest_that_does_not_come() {
    let mut server = Server::new(Router::new().route("/", any(async |_: &mut Request<'_, ()>| "done")));
    for (target, status) in [("/", 200), ("/nothing", 404)] {
        let client = server.connect();
        client.send(request("POST", target, CHUNKED, "") + "3\r\nabc\r\n");
        server.advance(9_999);
        assert_eq!(client.received_text(), "");
        server.advance(100);
        let received = client.received_text();
        assert!(received.starts_with(&format!("HTTP/1.1 {status} ")), "{received}");
        assert!(received.contains("Connection: close\r\n"), "{received}");
        let reason = EndReason::Deadline(tenure::Deadline::Body);
        assert_eq!(server.ended().last(), Some(&(client.id().unwrap(), reason)));
    }
    // One whose rest comes keeps its connection.
    let client = server.connect();
    client.send(request("POST", "/", CHUNKED, "") + "3\r\nabc\r\n");
    server.advance(9_000);
    client.send("0\r\n\r\n");
    server.run();
    assert!(!client.received_text().contains("Connection: close") && !client.is_closed());
}
