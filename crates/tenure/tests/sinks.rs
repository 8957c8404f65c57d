//! Where uploads go: back-pressure, progress, digests, and what stays of those that do not come to their end.
#![cfg(feature = "kit")]

mod support;

use std::{cell::RefCell, fmt::Write as _, rc::Rc, task::Poll};

use support::{post_chunked, request, small, text};
use tenure::{
    Deadlines, Error, Request, Router, StatusCode,
    kit::{Client, Server, Settings},
    post, put,
    sink::Sink,
};

/// What has become of a sink.
#[derive(Default, Debug)]
struct State {
    calls: Vec<String>,
    bytes: Vec<u8>,
    /// A write waits as long as this is so.
    is_full: bool,
    waker: Option<std::task::Waker>,
}

/// Keeps bytes and tells what was called.
struct Recording(Rc<RefCell<State>>);

impl Recording {
    fn note(&self, call: impl Into<String>) {
        self.0.borrow_mut().calls.push(call.into());
    }
}

impl Sink for Recording {
    async fn begin(&mut self, announced: Option<u64>) -> Result<(), Error> {
        self.note(format!("begin {announced:?}"));
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        std::future::poll_fn(|context| {
            let mut state = self.0.borrow_mut();
            state.waker = Some(context.waker().clone());
            if state.is_full { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        if bytes.contains(&b'!') {
            return Err(Error::new(StatusCode::new(507).unwrap(), "there is no room"));
        }
        self.0.borrow_mut().bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Error> {
        self.note("finish");
        Ok(())
    }

    async fn abort(&mut self) {
        self.note("abort");
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.note("drop");
    }
}

struct Site {
    server: Server<()>,
    client: Client,
    state: Rc<RefCell<State>>,
}

impl Site {
    fn new(settings: Settings) -> Self {
        let state: Rc<RefCell<State>> = Rc::default();
        let (of_body, of_part) = (state.clone(), state.clone());
        let body = async move |request: &mut Request<'_, ()>| {
            let mut sink = Recording(of_body.clone());
            let told = of_body.clone();
            let mut sink = (&mut sink).progress(|received, announced| {
                told.borrow_mut().calls.push(format!("{received} of {announced:?}"));
            });
            let bytes = request.body().limit(1_000).save_to(&mut sink).await?;
            Ok::<_, Error>(format!("{bytes} bytes"))
        };
        let part = async move |request: &mut Request<'_, ()>| {
            let mut form = request.body().limit(1_000).multipart()?;
            let mut told = String::new();
            while let Some(mut part) = form.next().await? {
                let bytes = part.save_to(&mut Recording(of_part.clone())).await?;
                let _ = write!(told, "{} {bytes};", part.name());
            }
            Ok::<_, Error>(told)
        };
        let mut server = Server::with(Router::new().route("/body", put(body)).route("/form", post(part)), settings);
        let client = server.connect();
        Site { server, client, state }
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state.borrow_mut().calls)
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) -> String {
        self.client.send(bytes);
        self.server.run();
        self.client.received_text()
    }
}

fn form(content: &str) -> String {
    let form = format!("--b\r\nContent-Disposition: form-data; name=f; filename=g\r\n\r\n{content}\r\n--b--\r\n");
    request("POST", "/form", "Content-Type: multipart/form-data; boundary=b\r\n", &form)
}

#[test]
fn a_body_goes_into_a_sink_as_it_comes() {
    let mut site = Site::new(Settings::default());
    let bytes = request("PUT", "/body", "", "12345");
    let (front, back) = bytes.split_at(bytes.len() - 2);
    assert_eq!(site.send(front), "");
    assert_eq!(site.calls(), ["begin Some(5)", "3 of Some(5)"]);
    assert!(site.send(back).ends_with("\r\n\r\n5 bytes"));
    assert_eq!(site.calls(), ["5 of Some(5)", "finish", "drop"]);
    assert!(site.send(post_chunked("/body", "123", &[2]).replace("POST", "PUT")).ends_with("\r\n\r\n3 bytes"));
    assert_eq!(site.calls(), ["begin None", "2 of None", "3 of None", "finish", "drop"]);
    assert!(site.send("PUT /body HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("\r\n\r\n0 bytes"));
    assert_eq!(site.calls(), ["begin Some(0)", "finish", "drop"]);
    assert_eq!(site.state.borrow().bytes, b"12345123");
}

/// What is announced of a part is what is left of the body.
#[test]
fn a_part_goes_into_a_sink_as_it_comes() {
    let mut site = Site::new(Settings::default());
    assert!(site.send(form("1\r\n--2")).ends_with("\r\n\r\nf 6;"));
    assert_eq!(site.calls(), ["begin Some(15)", "finish", "drop"]);
    assert_eq!(site.state.borrow().bytes, b"1\r\n--2");
    // The same where the body comes behind its head, in pieces.
    for byte in form("1\r\n--2").as_bytes().chunks(1) {
        site.send(byte);
    }
    assert_eq!(site.calls(), ["begin Some(15)", "finish", "drop"]);
    assert_eq!(site.state.borrow().bytes, b"1\r\n--21\r\n--2");
}

#[test]
fn what_fails_is_aborted_before_it_is_answered() {
    let mut site = Site::new(Settings::default());
    for (bytes, status, calls) in [
        (request("PUT", "/body", "", "12!"), 507, &["begin Some(3)", "abort", "drop"][..]),
        (form("!"), 507, &["begin Some(10)", "abort", "drop"]),
        (
            post_chunked("/body", &text(1_001), &[500]).replace("POST", "PUT"),
            413,
            &["begin None", "500 of None", "1000 of None", "abort", "drop"],
        ),
        (
            post_chunked("/body", &text(1_000), &[500]).replace("POST", "PUT"),
            200,
            &["begin None", "500 of None", "1000 of None", "finish", "drop"],
        ),
        (form("12").replace("--b--\r\n", "--b-x\r\n"), 200, &["begin Some(11)", "finish", "drop"]),
    ] {
        let answer = site.send(&bytes);
        // The part was whole, but not the form.
        let status = if bytes.contains("--b-x") { 400 } else { status };
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{bytes}: {answer}");
        assert_eq!(site.calls(), calls, "{bytes}");
        assert!(!site.client.is_closed(), "{bytes}");
    }
}

/// A connection that is cut, or late, or a server that stops: nothing is finished, and the sink is dropped.
#[test]
fn what_breaks_off_is_given_up() {
    let half = |target: &str| {
        let bytes = if target == "/body" { request("PUT", target, "", &text(100)) } else { form(&text(100)) };
        bytes[..bytes.len() - 50].to_owned()
    };
    for target in ["/body", "/form"] {
        let begun = |settings: Settings| {
            let mut site = Site::new(settings);
            site.send(half(target));
            let calls = site.calls();
            assert!(calls[0].starts_with("begin ") && !calls.contains(&"finish".to_owned()), "{calls:?}");
            site
        };
        // Reset: the handler is dropped.
        let mut site = begun(Settings::default());
        site.client.reset();
        site.server.run();
        assert_eq!(site.calls(), ["drop"], "{target}");
        // Closed: the handler learns of it.
        let mut site = begun(Settings::default());
        site.client.close();
        site.server.run();
        assert_eq!(site.calls(), ["abort", "drop"], "{target}");
        // Late: the handler is dropped.
        let deadlines = Deadlines { body_ms: 1_000, ..Deadlines::HOST };
        let mut site = begun(Settings { deadlines, ..Settings::default() });
        site.server.advance(990);
        assert!(site.calls().is_empty(), "{target}");
        site.server.advance(2_000);
        assert_eq!(site.calls(), ["drop"], "{target}");
        assert!(site.client.received_text().starts_with("HTTP/1.1 408 "), "{target}");
        // The server stops, and waits no longer than it must.
        let mut site = begun(Settings::default());
        site.server.stop();
        site.server.advance(60_000);
        assert_eq!(site.calls().last().map(String::as_str), Some("drop"), "{target}");
        assert!(site.state.borrow().calls.is_empty(), "{target}");
    }
}

/// A sink that waits holds its client up: no more is received than the buffers hold.
#[test]
fn a_slow_sink_holds_its_client_up() {
    for bytes in [request("PUT", "/body", "", &text(900)), form(&text(900))] {
        let mut site = Site::new(small(128));
        site.state.borrow_mut().is_full = true;
        site.send(&bytes);
        assert!(site.state.borrow().bytes.is_empty());
        let unread = site.client.unreceived();
        // The head's buffer and the body's, at the most.
        assert!(unread >= bytes.len() - 256 - 128, "{unread} of {} bytes wait", bytes.len());
        site.server.advance(1_000);
        assert_eq!(site.client.unreceived(), unread, "nothing is read meanwhile");
        let waker = {
            let mut state = site.state.borrow_mut();
            state.is_full = false;
            state.waker.take().unwrap()
        };
        waker.wake();
        site.server.run();
        assert_eq!((site.client.unreceived(), site.state.borrow().bytes.len()), (0, 900));
        assert!(site.client.received_text().starts_with("HTTP/1.1 200 "));
    }
}

/// What a sink takes is the handler's time; what the client takes is not.
#[test]
fn a_slow_sink_has_the_handlers_time() {
    let deadlines = Deadlines { handler_ms: 1_000, ..Deadlines::HOST };
    for (ms, is_late) in [(999, false), (1_000, true)] {
        let mut site = Site::new(Settings { deadlines, ..Settings::default() });
        let bytes = request("PUT", "/body", "", "12345");
        let (front, back) = bytes.split_at(bytes.len() - 2);
        site.send(front);
        site.server.advance(5_000);
        site.state.borrow_mut().is_full = true;
        assert_eq!(site.send(back), "");
        site.calls();
        site.server.advance(ms);
        let waker = {
            let mut state = site.state.borrow_mut();
            state.is_full = false;
            state.waker.take().unwrap()
        };
        waker.wake();
        site.server.run();
        let (status, calls) =
            if is_late { ("503", &["drop"][..]) } else { ("200", &["5 of Some(5)", "finish", "drop"][..]) };
        assert!(site.client.received_text().starts_with(&format!("HTTP/1.1 {status} ")), "{ms}");
        assert_eq!(site.calls(), calls, "{ms}");
    }
}

/// A sink that panics is one whose handler does: it is dropped, and the connection goes on.
#[test]
fn a_sink_that_panics_is_dropped() {
    struct Panics(&'static str, Recording);

    impl Panics {
        fn at(&self, call: &str) {
            assert!(self.0 != call, "on purpose");
        }
    }

    impl Sink for Panics {
        async fn begin(&mut self, announced: Option<u64>) -> Result<(), Error> {
            self.at("begin");
            self.1.begin(announced).await
        }

        async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
            self.at("write");
            self.1.write(bytes).await
        }

        async fn finish(&mut self) -> Result<(), Error> {
            self.at("finish");
            self.1.finish().await
        }

        async fn abort(&mut self) {
            self.at("abort");
            self.1.abort().await;
        }
    }

    let form = |content: &str| form(content).replacen("/form", "/", 1);
    for (call, content, status, calls) in [
        ("begin", "1", 500, &["drop"][..]),
        ("write", "1", 500, &["begin Some(10)", "drop"]),
        ("finish", "1", 500, &["begin Some(10)", "drop"]),
        ("abort", "!", 500, &["begin Some(10)", "drop"]),
        ("abort", "1", 200, &["begin Some(10)", "finish", "drop"]),
    ] {
        let state: Rc<RefCell<State>> = Rc::default();
        let kept = state.clone();
        let handler = async move |request: &mut Request<'_, ()>| {
            let mut form = request.body().multipart()?;
            while let Some(mut part) = form.next().await? {
                part.save_to(&mut Panics(call, Recording(kept.clone()))).await?;
            }
            Ok::<_, Error>(())
        };
        let mut server = Server::new(Router::new().route("/", post(handler)));
        let client = server.connect();
        for _ in 0..2 {
            client.send(form(content));
            server.run();
            assert!(client.received_text().starts_with(&format!("HTTP/1.1 {status} ")), "{call}");
            assert_eq!(std::mem::take(&mut state.borrow_mut().calls), calls, "{call}");
            assert!(!client.is_closed(), "{call}");
        }
    }
}

#[cfg(feature = "digest")]
mod digests {
    use tenure::sink::Sha256;

    use super::*;

    /// Of `abc`: FIPS 180-4, as base64 and hexadecimal.
    const ABC: &str = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    /// Of nothing.
    const EMPTY: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    fn site() -> Site {
        let state: Rc<RefCell<State>> = Rc::default();
        let kept = state.clone();
        let handler = async move |request: &mut Request<'_, ()>| {
            let announced = Sha256::announced(request)?;
            let mut sink = Recording(kept.clone()).sha256().check(announced);
            request.body().save_to(&mut sink).await?;
            let digest = sink.digest().ok_or(Error::internal("there is a digest behind the end"))?;
            Ok::<_, Error>(format!("{digest} {}", announced.is_some()))
        };
        let mut server = Server::new(Router::new().route("/", put(handler)));
        let client = server.connect();
        Site { server, client, state }
    }

    #[test]
    fn digests_are_checked_before_the_answer() {
        let mut site = site();
        for (fields, body, wanted) in [
            ("", "abc", Ok(false)),
            ("Content-Digest: sha-256=:", "abc", Ok(true)),
            ("Repr-Digest: sha-256=:", "abc", Ok(true)),
            ("content-digest: sha-256=:", "abd", Err(422)),
            ("Repr-Digest: sha-256=:", "abcd", Err(422)),
            ("Repr-Digest: sha-256=:", "", Err(422)),
        ] {
            let field = if fields.is_empty() { String::new() } else { format!("{fields}{ABC}:\r\n") };
            let answer = site.send(request("PUT", "/", &field, body));
            let calls = site.calls();
            match wanted {
                Ok(checked) => {
                    assert!(answer.ends_with(&format!("\r\n\r\n{HEX} {checked}")), "{fields}: {answer}");
                    assert_eq!(calls[1..], ["finish", "drop"], "{fields}");
                }
                Err(status) => {
                    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{fields}: {answer}");
                    assert!(answer.contains(&format!(", not {HEX}: send it again\n")), "{fields}: {answer}");
                    assert_eq!(calls[1..], ["abort", "drop"], "{fields}");
                }
            }
            assert!(!site.client.is_closed());
        }
    }

    /// Finished twice, it has the digest of what was written, not of what was written since; begun anew, that of the new.
    #[test]
    fn a_digest_is_of_all_that_was_written() {
        let handler = async |request: &mut Request<'_, ()>| {
            let mut sink = Vec::new().sha256();
            request.body().save_to(&mut sink).await?;
            let first = sink.digest();
            sink.finish().await?;
            assert!(first.is_some() && sink.digest() == first);
            sink.begin(None).await?;
            assert_eq!(sink.digest(), None);
            sink.write(b"ab").await?;
            sink.write(b"c").await?;
            sink.finish().await?;
            Ok::<_, Error>(sink.digest().map(|digest| digest.to_string()).unwrap_or_default())
        };
        let mut server = Server::new(Router::new().route("/", put(handler)));
        let client = server.connect();
        client.send(request("PUT", "/", "", "else"));
        server.run();
        let answer = client.received_text();
        assert!(answer.ends_with(&format!("\r\n\r\n{HEX}")), "{answer}");
    }

    #[test]
    fn fields_of_digests() {
        let mut site = site();
        for (value, wanted) in [
            (format!("sha-256=:{ABC}:"), Ok(true)),
            (format!("sha-512=:AA==:, sha-256=:{ABC}:;a=b ,unixsum=:AA==:"), Ok(true)),
            (format!("sha-256=:{ABC}:,sha-256=:{ABC}:"), Ok(true)),
            (format!("sha-256=:{ABC}:\r\nRepr-Digest: sha-256=:{ABC}:"), Ok(true)),
            ("sha-512=:AA==:".to_owned(), Ok(false)),
            (String::new(), Ok(false)),
            (format!("sha-256=:{ABC}:\r\nRepr-Digest: sha-256=:{EMPTY}:"), Err("differ")),
            (format!("sha-256=:{ABC}:, sha-256=:{EMPTY}:"), Err("differ")),
            (format!("sha-256={ABC}"), Err("broken")),
            (format!("sha-256=:{ABC}"), Err("broken")),
            (format!("sha-256=:{ABC}:x"), Err("broken")),
            (format!("sha-256 =:{ABC}:"), Err("broken")),
            (format!("sha-256= :{ABC}:"), Err("broken")),
            (format!("SHA-256=:{ABC}:"), Err("broken")),
            (format!("sha-256=:{}:", &ABC[..43]), Err("broken")),
            (format!("sha-256=:{}:", ABC.replace('+', "-")), Err("broken")),
            (format!("sha-256=:A{ABC}:"), Err("broken")),
            (format!("sha-256=\"{HEX}\""), Err("broken")),
            ("sha-256".to_owned(), Err("broken")),
            ("sha-256=::".to_owned(), Err("broken")),
            ("=".to_owned(), Err("broken")),
        ] {
            let answer = site.send(request("PUT", "/", &format!("Content-Digest: {value}\r\n"), "abc"));
            match wanted {
                Ok(checked) => assert!(answer.ends_with(&format!("{HEX} {checked}")), "{value}: {answer}"),
                Err(why) => assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(why), "{value}: {answer}"),
            }
            assert!(!site.client.is_closed());
        }
    }

    #[test]
    fn hexadecimal_digests() {
        let digest: Sha256 = HEX.parse().unwrap();
        assert_eq!(HEX.to_uppercase().parse::<Sha256>(), Ok(digest));
        assert_eq!((digest.to_string().as_str(), Sha256::new(*digest.as_bytes())), (HEX, digest));
        for text in ["", &HEX[1..], &HEX[2..], &format!("{HEX}0"), &format!("{HEX}00"), &HEX.replace('b', "g")] {
            assert!(text.parse::<Sha256>().is_err(), "{text}");
        }
    }
}
