//! The application on the test kit: every log line, every refusal, sessions beside each other.

use std::{cell::RefCell, sync::Once};

use log::{Level, LevelFilter, Log, Metadata, Record};
use tenure::{
    EndReason, Limits, StatusCode,
    kit::{Client, Server, Settings},
};
use tenure_adder::{Adder, CONTENT_TYPE, PAGE, Visitors, app};

thread_local! {
    /// The kit serves on the test's own thread, so that each test sees its own lines.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Collector;

impl Log for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.target() == tenure_adder::TARGET {
            assert_eq!(record.level(), Level::Info);
            LINES.with_borrow_mut(|lines| lines.push(record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

/// The lines since the last call.
fn lines() -> Vec<String> {
    LINES.take()
}

fn server() -> Server<Adder> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Collector).unwrap();
        log::set_max_level(LevelFilter::Info);
    });
    lines();
    let server = Server::new(app(Box::leak(Box::new(Visitors::new()))));
    assert_eq!(lines(), ["Registering URI handlers"]);
    server
}

fn request(method: &str, target: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Sends bytes and takes apart the one answer.
fn exchange(server: &mut Server<Adder>, client: &Client, bytes: &str) -> (u16, String) {
    client.send(bytes);
    server.run();
    let answer = client.received_text();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{bytes:?}: {answer:?}"));
    assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{bytes:?}: {answer:?}");
    (head[9..12].parse().unwrap(), body.trim_end().to_owned())
}

fn ask(server: &mut Server<Adder>, client: &Client, method: &str, target: &str, body: &str) -> (u16, String) {
    exchange(server, client, &request(method, target, body))
}

fn said(number: impl ToString + Copy) -> (u16, String) {
    (200, number.to_string())
}

#[test]
fn every_line_of_a_run_of_10_is_the_originals_and_in_its_order() {
    let mut server = server();
    let client = server.connect();
    assert_eq!(ask(&mut server, &client, "PUT", "/adder", "0"), said(0));
    let mut sum = 0;
    for number in 1..=10 {
        sum += number;
        assert_eq!(ask(&mut server, &client, "POST", "/adder", &number.to_string()), said(sum));
    }
    assert_eq!(exchange(&mut server, &client, "GET /adder HTTP/1.1\r\nHost: a\r\n\r\n"), said(55));
    client.close();
    server.run();
    let wanted = "\
/adder visitor count = 1
/adder PUT handler read 0
/adder PUT allocating new session
/adder visitor count = 2
/adder handler read 1
/adder visitor count = 3
/adder handler read 2
/adder visitor count = 4
/adder handler read 3
/adder visitor count = 5
/adder handler read 4
/adder visitor count = 6
/adder handler read 5
/adder visitor count = 7
/adder handler read 6
/adder visitor count = 8
/adder handler read 7
/adder visitor count = 9
/adder handler read 8
/adder visitor count = 10
/adder handler read 9
/adder visitor count = 11
/adder handler read 10
/adder visitor count = 12
/adder GET handler send 55
/adder Free Context function called";
    assert_eq!(lines().join("\n"), wanted);
    assert_eq!(server.ended(), [(client.id().unwrap(), EndReason::PeerClosed)]);
}

#[test]
fn a_server_says_on_which_port_it_starts() {
    let _ = server();
    tenure_adder::log_starting(8080);
    assert_eq!(lines(), ["Starting server on port: '8080'"]);
}

#[test]
fn each_method_makes_a_session_where_there_is_none() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("POST", "7", &["/adder handler read 7", "/adder allocating new session"]),
        ("PUT", "7", &["/adder PUT handler read 7", "/adder PUT allocating new session"]),
        ("GET", "", &["/adder GET allocating new session", "/adder GET handler send 0"]),
    ];
    for &(method, body, wanted) in cases {
        let mut server = server();
        let client = server.connect();
        let answer = ask(&mut server, &client, method, "/adder", body);
        assert_eq!(answer, said(if body.is_empty() { 0 } else { 7 }), "{method}");
        let lines = lines();
        assert_eq!(lines[0], "/adder visitor count = 1", "{method}");
        assert_eq!(lines[1..], *wanted, "{method}");
    }
}

/// Sets 5, sends what is refused, and sees that 5 is still there, on the same connection.
fn refused(body: &str) -> (u16, String) {
    let mut server = server();
    let client = server.connect();
    assert_eq!(ask(&mut server, &client, "PUT", "/adder", "5"), said(5));
    lines();
    let answer = ask(&mut server, &client, "POST", "/adder", body);
    assert_eq!(lines(), ["/adder visitor count = 2"], "{body:?}: what was not a number is not logged as read");
    assert_eq!(ask(&mut server, &client, "PUT", "/adder", body), answer, "{body:?}: PUT and POST differ");
    assert_eq!(ask(&mut server, &client, "GET", "/adder", ""), said(5), "{body:?}: the sum has changed");
    assert!(!client.is_closed(), "{body:?}: the connection has closed");
    answer
}

#[test]
fn numbers_and_what_is_refused_beside_them() {
    let accepted: &[(&str, i64)] = &[
        ("0", 0),
        ("7", 7),
        ("+7", 7),
        ("-7", -7),
        ("-0", 0),
        ("007", 7),
        (" 7", 7),
        ("7\n", 7),
        ("\r\n\t 7 \t\r\n", 7),
        ("9223372036854775807", i64::MAX),
        ("+9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ];
    for &(body, number) in accepted {
        let mut server = server();
        let client = server.connect();
        assert_eq!(ask(&mut server, &client, "POST", "/adder", body), said(number), "{body:?}");
        assert_eq!(ask(&mut server, &client, "PUT", "/adder", body), said(number), "{body:?}");
    }
    // What the answer must say of each: a part of the reason, and the byte where there is one.
    let wrong: &[(&str, &str, Option<u32>)] = &[
        ("", "nothing came", None),
        (" ", "nothing came", None),
        ("\r\n", "nothing came", None),
        ("-", "a sign without digits", Some(0)),
        (" +", "a sign without digits", Some(1)),
        ("--7", "not a whole number", Some(1)),
        ("+-7", "not a whole number", Some(1)),
        ("- 7", "not a whole number", Some(1)),
        ("seven", "not a whole number", Some(0)),
        ("1 2", "not a whole number", Some(1)),
        ("1x", "not a whole number", Some(1)),
        ("0x1", "not a whole number", Some(1)),
        ("1.0", "not a whole number", Some(1)),
        ("1e3", "not a whole number", Some(1)),
        ("1\0", "not a whole number", Some(1)),
        ("9223372036854775808", "out of range", Some(0)),
        ("-9223372036854775809", "out of range", Some(0)),
        ("99999999999999999999999999", "out of range", Some(0)),
    ];
    for &(body, reason, byte) in wrong {
        let (status, text) = refused(body);
        assert_eq!(status, 400, "{body:?}: {text}");
        assert!(text.contains(reason), "{body:?}: {text}");
        let place = byte.map_or(String::new(), |byte| format!("(byte {byte})"));
        assert!(text.ends_with(&place), "{body:?}: {text}");
    }
}

#[test]
fn a_refused_number_makes_no_session() {
    let mut server = server();
    let client = server.connect();
    assert_eq!(ask(&mut server, &client, "POST", "/adder", "x").0, 400);
    client.close();
    server.run();
    assert_eq!(lines(), ["/adder visitor count = 1"]);
}

#[test]
fn a_sum_that_would_overflow_stays() {
    for (sum, number, fits) in [(i64::MAX, 1, 0), (i64::MIN, -1, 0), (i64::MAX - 1, i64::MAX, 1), (-2, i64::MIN, 2)] {
        let mut server = server();
        let client = server.connect();
        assert_eq!(ask(&mut server, &client, "PUT", "/adder", &sum.to_string()), said(sum));
        let (status, text) = ask(&mut server, &client, "POST", "/adder", &number.to_string());
        assert_eq!(status, 422, "{sum} + {number}: {text}");
        assert!(text.contains("the sum would leave the range"), "{sum} + {number}: {text}");
        assert_eq!(ask(&mut server, &client, "POST", "/adder", &fits.to_string()), said(sum + fits));
    }
}

#[test]
fn a_number_in_one_piece_in_ten_and_in_chunks() {
    let mut server = server();
    let client = server.connect();
    let mut sum = 0;
    let whole = request("POST", "/adder", "1234567890");
    let (head, body) = whole.split_at(whole.len() - 10);
    sum += 1_234_567_890_i64;
    assert_eq!(exchange(&mut server, &client, &whole), said(sum));

    client.send(head);
    server.run();
    for byte in &body.as_bytes()[..9] {
        client.send([*byte]);
        server.run();
        assert_eq!(client.received_text(), "");
    }
    sum += 1_234_567_890;
    assert_eq!(exchange(&mut server, &client, &body[9..]), said(sum));

    let chunked = "POST /adder HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\n-12\r\n1;a=b\r\n3\r\n0\r\nx: y\r\n\r\n";
    sum -= 123;
    assert_eq!(exchange(&mut server, &client, chunked), said(sum));
}

#[test]
fn two_connections_have_two_sums_and_one_count() {
    let mut server = server();
    let (one, two) = (server.connect(), server.connect());
    for round in 1..=3 {
        assert_eq!(ask(&mut server, &one, "POST", "/adder", "1"), said(round));
        assert_eq!(ask(&mut server, &two, "POST", "/adder", "100"), said(round * 100));
    }
    let lines = lines();
    assert!(lines.contains(&"/adder visitor count = 6".to_owned()), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| *line == "/adder allocating new session").count(), 2);
    one.close();
    server.run();
    assert_eq!(ask(&mut server, &two, "GET", "/adder", ""), said(300), "the other one's end is not this one's");
}

#[test]
fn a_login_counts_and_its_session_ends_without_a_line() {
    let mut server = server();
    let client = server.connect();
    assert_eq!(ask(&mut server, &client, "GET", "/login", ""), said(1));
    let wanted = ["/login visitor count = 1", "/login GET allocating new session", "/login GET handler send 1"];
    assert_eq!(lines(), wanted);
    assert_eq!(ask(&mut server, &client, "POST", "/adder", "4"), said(5), "it is the same session");
    assert_eq!(ask(&mut server, &client, "GET", "/login", ""), said(5), "a session is not made twice");
    client.close();
    server.run();
    let wanted =
        ["/adder visitor count = 2", "/adder handler read 4", "/login visitor count = 3", "/login GET handler send 5"];
    assert_eq!(lines(), wanted);
}

#[test]
fn a_logout_takes_the_session_away_and_does_not_count() {
    let mut server = server();
    let client = server.connect();
    assert_eq!(ask(&mut server, &client, "PUT", "/adder", "9"), said(9));
    lines();
    assert_eq!(ask(&mut server, &client, "GET", "/logout", ""), said(1));
    assert_eq!(lines(), ["Logging out", "/adder Free Context function called"]);
    assert_eq!(ask(&mut server, &client, "GET", "/logout", ""), said(1));
    assert_eq!(lines(), ["Logging out"], "there is none any more");
    assert_eq!(ask(&mut server, &client, "GET", "/adder", ""), said(0));
    let wanted = ["/adder visitor count = 2", "/adder GET allocating new session", "/adder GET handler send 0"];
    assert_eq!(lines(), wanted);
}

#[test]
fn what_is_added_has_the_originals_type() {
    let limits = Limits { content_type: CONTENT_TYPE, ..Limits::HOST };
    let app = app(Box::leak(Box::new(Visitors::new())));
    let mut server = Server::with(app, Settings { limits, ..Settings::default() });
    let client = server.connect();
    for (target, line) in [
        ("/adder", "\r\nContent-Type: text/html\r\n"),
        ("/id", "\r\nContent-Type: text/html\r\n"),
        ("/", "\r\nContent-Type: text/html; charset=utf-8\r\n"),
        ("/nothing", "\r\nContent-Type: text/plain; charset=utf-8\r\n"),
    ] {
        client.send(request("GET", target, ""));
        server.run();
        let answer = client.received_text();
        assert!(answer.contains(line), "{target}: {answer}");
    }
}

#[test]
fn the_page_and_the_id() {
    let mut server = server();
    let (one, two) = (server.connect(), server.connect());
    assert_eq!(ask(&mut server, &one, "GET", "/", ""), (200, PAGE.trim_end().to_owned()));
    assert!(PAGE.len() < 4_096 + 1_024, "{} bytes", PAGE.len());
    let elsewhere = ["http://", "https://", "src=", "@import", "url("];
    assert!(elsewhere.iter().all(|sign| !PAGE.contains(sign)), "the page needs something from elsewhere");
    for client in [&one, &two, &one] {
        let id = client.id().unwrap();
        assert_eq!(ask(&mut server, client, "GET", "/id", ""), said(id));
    }
    assert_eq!(lines(), [""; 0], "a look at the page is no visit");
}

#[test]
fn what_is_not_there_keeps_the_session() {
    let mut server = server();
    let client = server.connect();
    assert_eq!(ask(&mut server, &client, "PUT", "/adder", "3"), said(3));
    assert_eq!(ask(&mut server, &client, "GET", "/adders", "").0, StatusCode::NOT_FOUND.code());
    assert_eq!(ask(&mut server, &client, "DELETE", "/adder", "").0, StatusCode::METHOD_NOT_ALLOWED.code());
    assert_eq!(ask(&mut server, &client, "GET", "/adder", ""), said(3));
}
