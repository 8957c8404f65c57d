//! `add` against servers that each do one thing wrong.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv6Addr, Shutdown, TcpListener},
    thread,
};

use super::*;
use crate::args::{Cli, Command};

/// Serves one connection: for each request, what `answer` makes of its number (0: the first) and its text; `None` closes.
fn serve(answer: impl Fn(u32, &str) -> Option<String> + Send + 'static) -> u16 {
    serve_at(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
}

fn serve_at(listener: TcpListener, answer: impl Fn(u32, &str) -> Option<String> + Send + 'static) -> u16 {
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // A second connection would be a silent reconnect: it finds nobody.
        drop(listener);
        let mut received = [0; 4_096];
        for number in 0.. {
            let bytes = stream.read(&mut received).unwrap_or(0);
            let request = str::from_utf8(&received[..bytes]).unwrap();
            match answer(number, request).filter(|_| bytes > 0) {
                Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                None => break,
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
    });
    port
}

#[allow(clippy::unnecessary_wraps, reason = "it is what a server's closure returns")]
fn ok(body: i64) -> Option<String> {
    let body = body.to_string();
    Some(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

/// The right sum after that many requests.
fn sum(number: u32, n: u32) -> i64 {
    wanted(number.min(n))
}

fn args(line: &str) -> Add {
    let args = std::iter::once("tenure").chain(line.split(' ')).map(Into::into);
    match Cli::of(args).unwrap().command {
        Command::Add(args) => args,
        other => panic!("{line}: {other:?}"),
    }
}

fn add_at(port: u16, n: u32) -> Result<Sum, Failure> {
    add(&args(&format!("add 127.0.0.1 {port} {n}")))
}

/// The exit code and what is said.
fn failure(port: u16, n: u32) -> (Exit, String) {
    let failure = add_at(port, n).unwrap_err();
    (failure.exit(), failure.to_string())
}

fn assert_says(failure: &(Exit, String), exit: Exit, texts: &[&str]) {
    assert_eq!(failure.0, exit, "{}", failure.1);
    for text in texts {
        assert!(failure.1.contains(text), "{text:?} is not in {}", failure.1);
    }
}

#[test]
fn the_wanted_sum_fits_for_every_n() {
    for (n, sum) in [
        (0, 0),
        (1, 1),
        (2, 3),
        (10, 55),
        (u32::MAX - 1, 9_223_372_030_412_324_865),
        (u32::MAX, 9_223_372_034_707_292_160),
    ] {
        assert_eq!(wanted(n), sum, "{n}");
    }
}

#[test]
fn a_right_sum_and_what_is_sent_for_it() {
    for n in [0, 1, 10] {
        let port = serve(move |number, request| {
            let (method, body) = match number {
                0 => ("PUT", "0".to_owned()),
                k if k <= n => ("POST", k.to_string()),
                _ => ("GET", String::new()),
            };
            assert!(request.starts_with(&format!("{method} /adder HTTP/1.1\r\nHost: 127.0.0.1:")), "{request}");
            assert!(request.ends_with(&format!("\r\n\r\n{body}")), "{request}");
            ok(sum(number, n))
        });
        assert_eq!(add_at(port, n).unwrap(), Sum { result: wanted(n), wrong: None });
    }
}

#[test]
fn an_answer_in_pieces_and_behind_an_interim_one() {
    let port = serve(|number, _| {
        let answer = ok(sum(number, 2))?;
        Some(format!("HTTP/1.1 100 Continue\r\n\r\n{answer}"))
    });
    assert_eq!(add_at(port, 2).unwrap().result, 3);
    // Each byte is a segment of its own.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        for _ in 0..2 {
            let _ = stream.read(&mut [0; 4_096]).unwrap();
            for byte in ok(0).unwrap().bytes() {
                stream.write_all(&[byte]).unwrap();
            }
        }
    });
    assert_eq!(add_at(port, 0).unwrap().result, 0);
}

#[test]
fn a_server_on_ipv6() {
    // Where the machine has no IPv6 there is nothing to see.
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else { return };
    let port = serve_at(listener, |number, request| {
        assert!(request.contains("\r\nHost: [::1]:"), "{request}");
        ok(sum(number, 3))
    });
    assert_eq!(add(&args(&format!("add ::1 {port} 3"))).unwrap().result, 6);
    assert_eq!(authority("fe80::1%eth0", 80), "[fe80::1]:80");
}

#[test]
fn nothing_listens() {
    // Bound and released again, at an address that no other test uses.
    let address = TcpListener::bind("127.77.0.1:0").unwrap().local_addr().unwrap();
    let failure = add(&args(&format!("add 127.77.0.1 {} 1", address.port()))).unwrap_err();
    let texts = [&*format!("nothing listens at {address}"), &*format!("{} serve --bind {address}", this_program())];
    assert_says(&(failure.exit(), failure.to_string()), Exit::Unreachable, &texts);
}

#[test]
fn a_host_that_is_none() {
    let failure = add(&args("add host.invalid 8080 1")).unwrap_err();
    assert_says(&(failure.exit(), failure.to_string()), Exit::Unreachable, &["\"host.invalid\" cannot be found"]);
}

#[test]
fn a_wrong_sum_and_where_it_began() {
    let port = serve(|number, _| ok(sum(number, 5) - i64::from(number > 2)));
    let sum = add_at(port, 5).unwrap();
    assert_eq!(sum, Sum { result: 14, wrong: Some(Wrong { k: 3, answered: 5, wanted: 6 }) });
    assert_eq!(sum.wrong.unwrap().to_string(), "the first wrong answer came after 3 numbers: 5 instead of 6");
}

#[test]
fn another_server() {
    let cases: &[(&str, &str)] = &[
        ("SSH-2.0-OpenSSH_9.2\r\n", "it does not speak HTTP"),
        ("\x15\x03\x01\0\x02\x02\x16", "it does not speak HTTP"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nno\x1b!\n", "answered 404: no\\u{1b}!"),
        ("HTTP/1.0 501 Unsupported method\r\n\r\n<html>\nlong", "answered 501: <html> …"),
        ("HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n", "answered 301"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "it answers no number: hello"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "it answers no number"),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "its Content-Length is not a number"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", "far longer than a number"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n0\r\n\r\n", "no Content-Length"),
    ];
    for &(answer, why) in cases {
        let texts = ["is not this server", why, "Is the port right?"];
        assert_says(&failure(serve(move |_, _| Some(answer.to_owned())), 3), Exit::NotThisServer, &texts);
    }
    let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(20_000));
    let texts = ["the head of its answer has no end"];
    assert_says(&failure(serve(move |_, _| Some(endless.clone())), 3), Exit::NotThisServer, &texts);
}

#[test]
fn broken_off_after_some() {
    let after = |k: u32| format!("stopped after {k} of 9 numbers");
    // The first request is that of 0, so that request k + 1 is not answered.
    for k in [0, 1, 4, 9] {
        let port = serve(move |number, _| if number > k { None } else { ok(sum(number, 9)) });
        assert_says(&failure(port, 9), Exit::BrokenOff, &[&after(k), "start again"]);
    }
    let closed_at_once = serve(|_, _| None);
    assert_says(&failure(closed_at_once, 9), Exit::BrokenOff, &[&after(0), "closed the connection"]);
    let closes = |number| Some(ok(sum(number, 9))?.replace("OK\r\n", "OK\r\nConnection: x, Close\r\n"));
    let closing = serve(move |number, _| if number == 2 { closes(number) } else { ok(sum(number, 9)) });
    assert_says(&failure(closing, 9), Exit::BrokenOff, &[&after(2), "the server closes the connection"]);
    for (number, status) in [(0, "503 Service Unavailable"), (3, "422 Unprocessable Content"), (4, "404 Not Found")] {
        let says = format!("HTTP/1.1 {status}\r\nContent-Length: 6\r\n\r\nsorry\n");
        let port = serve(move |at, _| if at == number { Some(says.clone()) } else { ok(sum(at, 9)) });
        let k = u32::saturating_sub(number, 1);
        assert_says(&failure(port, 9), Exit::BrokenOff, &[&after(k), &format!("answered {}: sorry", &status[..3])]);
    }
}

#[test]
fn a_server_that_never_answers() {
    // It is accepted by the kernel and answered by nobody.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let failure = add(&args(&format!("add 127.0.0.1 {port} 1 --timeout 20ms"))).unwrap_err();
    assert_says(&(failure.exit(), failure.to_string()), Exit::BrokenOff, &["after 0 of 1", "no answer within 20ms"]);
}
