//! The program itself: a server and its clients as a person runs them.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, ChildStdout, Command, Output, Stdio},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tenure");

/// Whether it serves on the port for tokio: this file is a module of a second test, too.
fn on_tokio() -> bool {
    module_path!().starts_with("program_on_tokio")
}

/// The program with that command line, without what this test's own environment says.
fn program(line: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TENURE_")) {
        command.env_remove(name);
    }
    command.env("TENURE_TOKIO", if on_tokio() { "yes" } else { "no" });
    command.args(line.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null());
    command
}

fn run(line: &str) -> Output {
    program(line).output().unwrap()
}

/// A run of the script; `None`: there is no python3.
fn script(args: &[&str]) -> Option<Output> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/adder.py");
    match Command::new("python3").arg(script).args(args).env("PYTHONIOENCODING", "utf-8").output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        output => Some(output.unwrap()),
    }
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
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
    for scripted in [false, true] {
        // `tenure` alone serves, too.
        let mut server =
            Server::start(program(if scripted { "--bind 127.0.0.1:0" } else { "serve --bind 127.0.0.1:0" }));
        let added = if scripted {
            let Some(output) = script(&["127.0.0.1", &server.port.to_string(), "10"]) else { return };
            output
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
        assert!(err.contains("stopping after a signal"), "the server's own lines stand apart: {err}");
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

/// Sends a request on a connection of its own, whose answer is still to be read.
fn request(port: u16, head: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(format!("{head}\r\nHost: 127.0.0.1\r\n\r\n").as_bytes()).unwrap();
    BufReader::new(stream)
}

/// Lines up to an empty one, which is left out.
fn lines_of(stream: &mut BufReader<TcpStream>) -> Vec<String> {
    let lines = stream.lines().map(|line| line.unwrap().trim_end().to_owned());
    lines.take_while(|line| !line.is_empty()).collect()
}

/// Whatever worker serves whom: each stream is told of each change, and of the end.
#[test]
fn every_change_reaches_every_stream() {
    let server = Server::start(program("--bind 127.0.0.1:0 --threads 2 --quiet"));
    let mut streams: Vec<_> = (0..4).map(|_| request(server.port, "GET /events HTTP/1.1")).collect();
    for stream in &mut streams {
        assert_eq!(lines_of(stream)[0], "HTTP/1.1 200 OK");
        assert_eq!(lines_of(stream), ["retry: 2000"]);
    }
    for _ in 0..4 {
        assert_eq!(server.add(2).status.code(), Some(0));
        for stream in &mut streams {
            // The numbers 0 to 2 are set and added.
            let [first, second, third, end] = [(); 4].map(|()| lines_of(stream));
            assert_eq!(first[0], "event: sum");
            let data = first[1].strip_suffix(" 0").unwrap();
            assert_eq!(second, ["event: sum".to_owned(), format!("{data} 1")]);
            assert_eq!(third, ["event: sum".to_owned(), format!("{data} 3")]);
            assert_eq!(end, ["event: end".to_owned(), format!("{data} the peer closed")]);
        }
    }
}

#[test]
fn the_page_is_the_live_one() {
    let server = Server::start(program("--bind 127.0.0.1:0 --quiet"));
    let mut page = request(server.port, "GET / HTTP/1.1");
    let head = lines_of(&mut page);
    assert!(head.contains(&"Content-Type: text/html; charset=utf-8".to_owned()), "{head:?}");
    let length = head.iter().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    page.read_exact(&mut body).unwrap();
    assert_eq!(text(&body), tenure_adder::LIVE_PAGE);
    assert!(server.stop().1.contains(" in a browser: it shows every sum as it changes, and has a chat.\n"));
}

#[test]
fn many_connections_each_have_their_sum() {
    let server = Server::start(program("--bind 127.0.0.1:0 --quiet"));
    for options in ["--connections 7", "--pipeline 16", "--connections 3 --pipeline 4"] {
        let output = run(&format!("add 127.0.0.1 {} 100 {options}", server.port));
        let said = text(&output.stdout);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{options}: {said}");
        assert!(said.starts_with("Result = 5050\nall "), "{options}: {said}");
    }
    let output = server.add(100);
    assert_eq!(text(&output.stdout), "Result = 5050\n100 * (100 + 1) / 2 = 5050: the sum is right\n");
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn connections_are_made_in_groups_each_of_which_is_answered_before_the_next() {
    const GROUP: usize = 64;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = thread::spawn(move || {
        let answer = |stream: &mut TcpStream| {
            let bytes = stream.read(&mut [0; 4_096]).unwrap();
            assert_ne!(bytes, 0, "it asks");
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0").unwrap();
        };
        let mut streams: Vec<TcpStream> = Vec::new();
        for group in [GROUP, GROUP, 1] {
            let made = streams.len();
            streams.extend((0..group).map(|_| listener.accept().unwrap().0));
            let (last, others) = streams[made..].split_last_mut().unwrap();
            others.iter_mut().for_each(answer);
            // One is not answered yet, so nobody else may have connected.
            last.peek(&mut [0]).unwrap();
            listener.set_nonblocking(true).unwrap();
            assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
            listener.set_nonblocking(false).unwrap();
            answer(last);
        }
        // The second of two requests: the sum.
        streams.iter_mut().for_each(answer);
    });
    let output = run(&format!("add 127.0.0.1 {port} 0 --connections {} --timeout never", 2 * GROUP + 1));
    let said = text(&output.stdout);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{said}");
    assert!(said.starts_with("Result = 0\nall 258 answers are right, on 129 connections"), "{said}");
    serving.join().unwrap();
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_result_that_cannot_be_written_is_no_success() {
    let server = Server::start(program("--bind 127.0.0.1:0 --quiet"));
    for options in ["", "--connections 2"] {
        let mut command = program(&format!("add 127.0.0.1 {} 10 {options}", server.port));
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = command.stdout(full).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(7), "{options}: {said}");
        assert!(said.starts_with("tenure: the result cannot be written to standard output: "), "{options}: {said}");
        // A reader that has left wanted no more.
        let output = command.stdout(closed_pipe()).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{options}");
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn help_that_cannot_be_written_is_no_success() {
    for line in ["--help", "-h", "--version", "serve --help", "add --help", "help add"] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = program(line).stdout(full).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(7), "{line}: {said}");
        assert!(said.starts_with("tenure: the text cannot be written to standard output: "), "{line}: {said}");
        for output in [run(line), program(line).stdout(closed_pipe()).output().unwrap()] {
            assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{line}");
        }
    }
    // What is wrong keeps its code, whether or not it can be said.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert_eq!(program("--nonsense").stderr(full).output().unwrap().status.code(), Some(2));
}

/// A pipe that nobody reads.
fn closed_pipe() -> io::PipeWriter {
    io::pipe().unwrap().1
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
    assert!(err.contains("stopping after a signal"), "the other output goes on: {err}");
}

#[test]
fn lines_go_on_beside_messages_that_nobody_reads() {
    // So many descriptors are not allowed, which is said at the start.
    let mut command = program("--bind 127.0.0.1:0 --sessions 4294967295");
    command.stderr(closed_pipe());
    let mut server = Server::start(command);
    assert_eq!(server.add(10).status.code(), Some(0));
    let lines: Vec<String> = run_of_10().iter().map(|_| server.line()).collect();
    assert_eq!(lines, run_of_10());
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

#[test]
fn a_wrong_variable_is_named_and_an_empty_one_is_none() {
    for (name, value, line, wanted) in [
        ("TENURE_SESSIONS", "many", "", "'--sessions <N>': give a whole number from 1 to 4294967295"),
        ("TENURE_EVICT", "perhaps", "", "'--evict <WHICH>': say never, without-session or least-recently-used"),
        ("TENURE_BIND", "8080", "", "such as 127.0.0.1:8080"),
        ("TENURE_IDLE_TIMEOUT", "5x", "", "such as 500ms, 30s or 2h"),
        ("TENURE_BIND", "127.0.0.1:80,127.0.0.1:80", "", "TENURE_BIND gives 127.0.0.1:80 twice"),
        ("TENURE_THREADS", "3", "--sessions 2", "TENURE_THREADS 3 is above --sessions 2"),
    ] {
        let output = program(line).env(name, value).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""), "{name}: {said}");
        assert!(said.contains(wanted) && said.contains(name), "{name}: {said}");
    }
    // The command line goes before: there the wrong value is not the variable's.
    let output = program("--sessions x").env("TENURE_SESSIONS", "3").output().unwrap();
    assert!(!text(&output.stderr).contains("TENURE_SESSIONS"), "{}", text(&output.stderr));
    let mut command = program("--bind 127.0.0.1:0");
    for name in ["TENURE_BIND", "TENURE_SESSIONS", "TENURE_THREADS", "TENURE_EVICT", "TENURE_IDLE_TIMEOUT"] {
        command.env(name, "");
    }
    let server = Server::start(command);
    assert_eq!(server.add(3).status.code(), Some(0));
}

#[test]
fn an_address_of_another_machine_is_said() {
    // RFC 5737: nobody's.
    let output = run("--bind 192.0.2.1:8080");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("192.0.2.1 is not an address of this machine"), "{said}");
}

#[test]
fn add_names_the_program_as_it_was_called() {
    let address = TcpListener::bind("127.78.0.2:0").unwrap().local_addr().unwrap();
    for (cargo, called) in [(None, PROGRAM), (Some("."), "cargo run")] {
        let mut command = program(&format!("add 127.78.0.2 {} 1", address.port()));
        command.env_remove("CARGO_MANIFEST_DIR").envs(cargo.map(|cargo| ("CARGO_MANIFEST_DIR", cargo)));
        let output = command.output().unwrap();
        let said = text(&output.stderr);
        assert!(
            said.contains(&format!("first: {called}")) && said.contains(&format!(" serve --bind {address}")),
            "{said}"
        );
    }
}

#[test]
fn the_script_says_what_is_wrong_of_its_host() {
    for (host, wanted) in [
        ("http://127.0.0.1/", "give the host alone, such as 127.0.0.1, not a URL"),
        ("127.0.0.1:8080", "give the host without a port, 127.0.0.1:"),
        ("[::1]:8080", "give the host without a port, [::1]:"),
    ] {
        let Some(output) = script(&[host, "8080", "1"]) else { return };
        assert_eq!(output.status.code(), Some(2), "{host}");
        assert!(text(&output.stderr).contains(wanted), "{host}: {}", text(&output.stderr));
    }
    let Some(output) = script(&["a..b", "8080", "1"]) else { return };
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("adder.py: cannot connect to a..b"), "{}", text(&output.stderr));
}

#[test]
fn the_script_says_where_it_was_broken_off_and_shows_one_line() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1";
    let refused = |body: &str| format!("HTTP/1.1 500 No\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let long = "x".repeat(300);
    let cut = format!("answered 500: {} …\n", "x".repeat(200));
    for (last, wanted) in [
        (None, "after 2 of 9 numbers: "),
        (Some(refused("<html>\r\nlong")), "after 2 of 9 numbers: the server answered 500: <html> …\n"),
        (Some(refused("no\x1b!")), "after 2 of 9 numbers: the server answered 500: no\\x1b!\n"),
        (Some(refused(&long)), &*cut),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        // A PUT and two POSTs are answered right.
        let mut answers: Vec<String> = vec![ok.to_owned(); 3];
        answers.extend(last);
        let serving = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut requests = BufReader::new(stream);
            for answer in answers {
                let (mut line, mut length) = (String::new(), 0);
                while line != "\r\n" {
                    line.clear();
                    assert_ne!(requests.read_line(&mut line).unwrap(), 0);
                    if let Some(bytes) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                        length = bytes.trim().parse().unwrap();
                    }
                }
                requests.read_exact(&mut vec![0; length]).unwrap();
                requests.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        });
        let output = script(&["127.0.0.1", &port, "9"]);
        // Without a script there is no connection, and the server waits for ever.
        let Some(output) = output else { return };
        serving.join().unwrap();
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{said}");
        assert!(said.contains(wanted), "{said}");
        assert!(said.ends_with("The sum was the connection's and is gone with it; start again.\n"), "{said}");
    }
}
