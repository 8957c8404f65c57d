//! Many connections against servers that each do one thing wrong; right ones are in the program's own tests.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use super::*;
use crate::args::{Cli, Command};

/// Serves every connection: for each receive, what `answer` makes of how many there were before; `None` closes.
fn serve(answer: impl Fn(u32) -> Option<String> + Send + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), answer.clone());
            thread::spawn(move || {
                for number in 0.. {
                    let bytes = stream.read(&mut [0; 4_096]).unwrap_or(0);
                    match answer(number).filter(|_| bytes > 0) {
                        Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                        None => break,
                    }
                }
            });
        }
    });
    port
}

#[allow(clippy::unnecessary_wraps, reason = "it is what a server's closure returns")]
fn ok(number: i64) -> Option<String> {
    let body = number.to_string();
    Some(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

fn args(line: &str) -> Add {
    let args = std::iter::once("tenure").chain(line.split(' ')).map(Into::into);
    match Cli::of(args).unwrap().command {
        Command::Add(args) => args,
        other => panic!("{line}: {other:?}"),
    }
}

fn add_at(port: u16, n: u32, connections: u32) -> Result<Summary, Failure> {
    add(&args(&format!("add 127.0.0.1 {port} {n} --connections {connections}")))
}

fn assert_says(failure: &Failure, exit: Exit, texts: &[&str]) {
    let said = failure.to_string();
    assert_eq!(failure.exit(), exit, "{said}");
    for text in texts {
        assert!(said.contains(text), "{text:?} is not in {said}");
    }
}

#[test]
fn right_sums_and_wrong_ones() {
    let port = serve(|number| ok(wanted(number.min(5))));
    let summary = add_at(port, 5, 3).unwrap();
    assert_eq!((summary.report.answers, summary.report.wrong), (21, 0));
    let said = summary.to_string();
    for text in ["all 21 answers are right, on 3 connections", "requests per second: 21 in", "99.9 % within"] {
        assert!(said.contains(text), "{text:?} is not in {said}");
    }
    let bars: u64 = said.lines().skip(3).map(|bar| bar.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(bars, 21, "{said}");

    let port = serve(|number| ok(wanted(number.min(5)) - i64::from(number > 2)));
    let args = args(&format!("add 127.0.0.1 {port} 5 --connections 2"));
    let summary = add(&args).unwrap();
    assert_eq!(summary.report.wrong, 8);
    assert!(!summary.to_string().contains("right"), "{summary}");
    assert_eq!(run(&args), Exit::WrongSum);
}

#[test]
fn what_ends_a_load() {
    let closes = serve(|number| if number > 2 { None } else { ok(wanted(number)) });
    assert_says(&add_at(closes, 9, 2).unwrap_err(), Exit::BrokenOff, &["after 2 of 9 numbers", " of 2: ", "closed"]);
    let refused = serve(|_| Some("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned()));
    assert_says(&add_at(refused, 9, 2).unwrap_err(), Exit::NotThisServer, &["it answers 404", "Is the port right?"]);
    let busy = serve(|_| Some("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n".to_owned()));
    assert_says(&add_at(busy, 9, 2).unwrap_err(), Exit::BrokenOff, &["after 0 of 9", "it answers 503"]);
    let other = serve(|_| Some("SSH-2.0-OpenSSH_9.2\r\n".to_owned()));
    assert_says(&add_at(other, 9, 2).unwrap_err(), Exit::NotThisServer, &["does not speak HTTP"]);
    let address = TcpListener::bind("127.77.0.3:0").unwrap().local_addr().unwrap();
    let nobody = add(&args(&format!("add 127.77.0.3 {} 1 --connections 2", address.port()))).unwrap_err();
    assert_says(&nobody, Exit::Unreachable, &[&format!("nothing listens at {address}")]);
    let no_host = add(&args("add host.invalid 8080 1 --pipeline 2")).unwrap_err();
    assert_says(&no_host, Exit::Unreachable, &["\"host.invalid\" cannot be found"]);
}

#[test]
fn more_connections_than_files() {
    let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    // Where the limit is higher than can be asked for there is nothing to see.
    if hard.is_none_or(|hard| hard > 1_000_000) {
        return;
    }
    let failure = add_at(serve(|_| None), 1, 1_000_000).unwrap_err();
    assert_says(&failure, Exit::Unreachable, &["not all connections can be made", "ulimit -n 1000032"]);
}
