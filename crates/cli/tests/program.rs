//! The program itself: a server and its clients as a person runs them.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{SocketAddr, TcpListener},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tenure");

/// The program with that command line, without what this test's own environment says.
fn program(line: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TENURE_")) {
        command.env_remove(name);
    }
    command.args(line.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null());
    command
}

fn run(line: &str) -> Output {
    program(line).output().unwrap()
}

fn text(octets: &[u8]) -> &str {
    str::from_utf8(octets).unwrap()
}

/// A running server, ended with the test.
struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
    port: u16,
    /// What it has said before its first request, without times.
    started: Vec<String>,
}

impl Server {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut server = Server { child, lines, port: 0, started: Vec::new() };
        while server.started.last().is_none_or(|line| line != "I example: Registering URI handlers") {
            let line = server.line();
            if let Some(port) = line.strip_prefix("I example: Starting server on port: '") {
                server.port = port.trim_end_matches('\'').parse().unwrap();
            }
            server.started.push(line);
        }
        server
    }

    /// The next line, without its time.
    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "the server has ended after {:?}", self.started);
        let (level, rest) = line.trim_end().split_once(" (").unwrap();
        let (time, text) = rest.split_once(") ").unwrap();
        assert!(time.parse::<u32>().is_ok(), "{line}");
        format!("{level} {text}")
    }

    fn add(&self, n: u32) -> Output {
        run(&format!("add 127.0.0.1 {} {n}", self.port))
    }

    fn signal(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Stops it and returns the rest of both outputs.
    fn stop(mut self) -> (String, String) {
        self.signal();
        let (mut out, mut err) = (String::new(), String::new());
        self.lines.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{err}");
        (out, err)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a run of 10 from the first request on.
fn run_of_10() -> Vec<String> {
    let mut lines = vec![
        "/adder visitor count = 1".to_owned(),
        "/adder PUT handler read 0".to_owned(),
        "/adder PUT allocating new session".to_owned(),
    ];
    for number in 1..=10 {
        lines.push(format!("/adder visitor count = {}", number + 1));
        lines.push(format!("/adder handler read {number}"));
    }
    for line in ["/adder visitor count = 12", "/adder GET handler send 55", "/adder Free Context function called"] {
        lines.push(line.to_owned());
    }
    lines.into_iter().map(|line| format!("I example: {line}")).collect()
}

#[test]
fn the_originals_lines_for_the_program_and_for_the_script() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/adder.py");
    for scripted in [false, true] {
        // `tenure` alone serves, too.
        let mut server =
            Server::start(program(if scripted { "--bind 127.0.0.1:0" } else { "serve --bind 127.0.0.1:0" }));
        let added = if scripted {
            let mut python = Command::new("python3");
            python.args([script, "127.0.0.1", &server.port.to_string(), "10"]);
            match python.output() {
                Ok(output) => output,
                Err(error) => return eprintln!("without python3 the script is not tried: {error}"),
            }
        } else {
            server.add(10)
        };
        assert_eq!(added.status.code(), Some(0), "{}", text(&added.stderr));
        assert!(text(&added.stdout).starts_with("Result = 55\n"), "{}", text(&added.stdout));
        let lines: Vec<String> = run_of_10().iter().map(|_| server.line()).collect();
        assert_eq!(lines, run_of_10());
        let port = server.port;
        let started = [
            "I example_connect: - IPv4 address: 127.0.0.1".to_owned(),
            format!("I example: Starting server on port: '{port}'"),
            "I example: Registering URI handlers".to_owned(),
        ];
        assert_eq!(server.started, started);
        let (out, err) = server.stop();
        assert_eq!(out, "", "nothing follows the freed session");
        assert!(err.contains("stopping, as a signal asks"), "the server's own lines stand apart: {err}");
        assert!(err.contains(&format!(" add 127.0.0.1 {port} 10\n")), "{err}");
    }
}

#[test]
fn quiet_says_how_it_starts_and_no_more() {
    let mut command = program("");
    command.env("TENURE_BIND", "127.0.0.1:0").env("TENURE_QUIET", "yes").env("TENURE_THREADS", "1");
    let server = Server::start(command);
    assert_eq!(server.add(3).status.code(), Some(0));
    let (out, _) = server.stop();
    assert_eq!(out, "");
}

#[test]
fn a_closed_log_is_said_once_and_stops_nothing() {
    let mut server = Server::start(program("--bind 127.0.0.1:0"));
    // Nobody reads its standard output from now on.
    server.lines = BufReader::new(run_for_stdout());
    for _ in 0..3 {
        assert_eq!(server.add(20).status.code(), Some(0));
    }
    let (_, err) = server.stop();
    assert_eq!(err.matches("the log cannot be written any more").count(), 1, "{err}");
}

/// The output of a program that says nothing.
fn run_for_stdout() -> ChildStdout {
    let mut child = program("--version").spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    child.wait().unwrap();
    stdout
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let mut server = Server::start(program("--bind 127.0.0.1:0"));
    // Far more lines than the pipe and the queue hold.
    let added = server.add(10_000);
    assert_eq!(added.status.code(), Some(0), "{}", text(&added.stderr));
    // It ends without its lines being read, too.
    server.signal();
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    assert_eq!(server.line(), "I example: /adder visitor count = 1");
}

#[test]
fn a_port_in_use_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = taken.local_addr().unwrap();
    let output = run(&format!("serve --bind {address}"));
    assert_eq!(output.status.code(), Some(6));
    let said = text(&output.stderr);
    assert!(said.contains(&address.to_string()) && said.contains("in use"), "{said}");
    assert_eq!(text(&output.stdout), "");
}

#[test]
fn wrong_use_is_2_and_nobody_there_is_3() {
    assert_eq!(run("add 127.0.0.1 8080 ten").status.code(), Some(2));
    let mut command = program("serve");
    command.env("TENURE_SESSIONS", "many");
    assert_eq!(command.output().unwrap().status.code(), Some(2));
    let address = TcpListener::bind("127.78.0.1:0").unwrap().local_addr().unwrap();
    let output = run(&format!("add 127.78.0.1 {} 1", address.port()));
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
}
