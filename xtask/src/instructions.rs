//! Instructions that a server spends on a request in user space: the slope of callgrind's count from 800 to 2,400 requests
//! on one connection, and of that the median over three routes, two with parameters.

use std::{fmt::Write as _, fs, net::SocketAddr, path::PathBuf, process::Command, thread};

use crate::{
    Failure,
    client::{BODY, Client, HEAD},
    counted::TARGETS,
    counted_open,
    server::{Server, released, root},
};

const FEW: u32 = 800;
const MANY: u32 = 2_400;
/// How far from the record is still the same.
const TOLERANCE: f64 = 1.03;

const BROWSER: &[u8] = b"POST /adder HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\nContent-Type: text/plain\r\n\
    Connection: keep-alive\r\nContent-Length: 1\r\n\r\n1";
const GET: &[u8] = b"GET /adder HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
const PIPELINED: u32 = 16;

/// What to do with what was counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Show,
    Check,
    Record,
}

/// What is sent, and how many requests that is.
struct Case {
    name: &'static str,
    /// Segments, one kind of request after the other in turn.
    turns: Vec<Vec<Vec<u8>>>,
    /// Requests of a turn.
    requests: u32,
    /// The most that is allowed, whatever is recorded.
    most: Option<f64>,
}

impl Case {
    /// The same to another target.
    fn of(&self, target: &str) -> Case {
        let of = |segment: &Vec<u8>| String::from_utf8_lossy(segment).replace(TARGETS[0], target).into_bytes();
        let turns = self.turns.iter().map(|segments| segments.iter().map(of).collect()).collect();
        Case { turns, ..*self }
    }
}

fn cases() -> Vec<Case> {
    let small = [HEAD, BODY].concat();
    let case = |name, turns, requests, most| Case { name, turns, requests, most };
    let once = |bytes: &[u8]| vec![bytes.to_vec()];
    // A head that is the one before is not read again: what it costs to read one is counted, too.
    let other = |bytes: &[u8], from: &str, to: &str| String::from_utf8_lossy(bytes).replace(from, to).into_bytes();
    vec![
        case("small-post", vec![once(&small)], 1, Some(1_100.0)),
        case("two-segments", vec![vec![HEAD.to_vec(), BODY.to_vec()]], 1, Some(1_900.0)),
        case("browser-post", vec![once(BROWSER)], 1, Some(1_900.0)),
        case("get", vec![once(GET)], 1, Some(950.0)),
        case("pipelined-16", vec![once(&small.repeat(PIPELINED as usize))], PIPELINED, Some(750.0)),
        case("small-post-other-target", vec![once(&small), once(&other(&small, "/adder", "/adder?1"))], 1, None),
        case("small-post-other-fields", vec![once(&small), once(&other(&small, "127.", "128."))], 1, None),
        case("browser-post-other-fields", vec![once(BROWSER), once(&other(BROWSER, "127.", "128."))], 1, None),
    ]
}

pub(crate) fn run(then: Then) -> Result<(), Failure> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Err("valgrind is needed: `apt-get install valgrind`".into());
    }
    let program = released("xtask", "xtask")?;
    let recorded = fs::read_to_string(record()).unwrap_or_default();
    let mut counts = Counts { recorded, text: String::new(), above: Vec::new(), below: Vec::new() };
    println!(
        "{:<32} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "request", "literal", "1 param.", "2 param.", "median", "recorded", "allowed"
    );
    for case in cases() {
        let mut routes = [0.0; TARGETS.len()];
        for (instructions, target) in routes.iter_mut().zip(TARGETS) {
            let case = case.of(target);
            let (few, many) = (count(&program, &case, FEW)?, count(&program, &case, MANY)?);
            *instructions = f64::from(u32::try_from(many.saturating_sub(few))?) / f64::from(MANY - FEW);
        }
        let shown = routes.map(|count| format!("{count:>8.0}")).join(" ");
        routes.sort_by(f64::total_cmp);
        counts.add(case.name, &shown, routes[routes.len() / 2], case.most);
    }
    let program = program.with_file_name("counted-open-server");
    for (name, shape, most) in counted_open::CASES {
        let instructions = counted_open::count(&program, shape)?;
        counts.add(name, &" ".repeat(26), instructions, Some(most));
    }
    let Counts { text, above, below, .. } = counts;
    match then {
        Then::Record => fs::write(record(), text)?,
        Then::Check if !above.is_empty() => {
            return Err(format!(
                "more instructions than recorded: {}; if that is meant, `cargo xtask instructions --record`",
                above.join(", ")
            )
            .into());
        }
        // A record that is too high would hide what comes next.
        Then::Check if !below.is_empty() => {
            return Err(format!(
                "fewer instructions than recorded: {}; `cargo xtask instructions --record` keeps that",
                below.join(", ")
            )
            .into());
        }
        Then::Check | Then::Show => {}
    }
    Ok(())
}

/// Counts so far, beside those recorded.
struct Counts {
    recorded: String,
    text: String,
    above: Vec<&'static str>,
    below: Vec<&'static str>,
}

impl Counts {
    fn add(&mut self, name: &'static str, routes: &str, instructions: f64, most: Option<f64>) {
        let before = self
            .recorded
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse::<f64>().ok());
        let or_none = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.0}"));
        println!("{name:<32} {routes} {instructions:>8.0} {:>8} {:>8}", or_none(before), or_none(most));
        let _ = writeln!(self.text, "{name} {instructions:.0}");
        if before.is_none_or(|before| instructions > before * TOLERANCE) || most.is_some_and(|most| instructions > most)
        {
            self.above.push(name);
        }
        if before.is_some_and(|before| instructions * TOLERANCE < before) {
            self.below.push(name);
        }
    }
}

/// Where the last counts stand: name and instructions, a request a line.
fn record() -> PathBuf {
    root().join("xtask/instructions.txt")
}

/// All instructions of a server that answers so many requests.
fn count(program: &PathBuf, case: &Case, requests: u32) -> Result<u64, Failure> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program).arg("counted-server");
    let mut server = Server::start(&mut command)?;
    let mut client = Client::connect(server.address)?;
    let own = client.stream.local_addr()?;
    for turn in 0..requests / case.requests {
        let segments = &case.turns[turn as usize % case.turns.len()];
        for (number, segment) in segments.iter().enumerate() {
            if number > 0 {
                wait_until_received(server.address, own)?;
            }
            client.send(segment)?;
        }
        for _ in 0..case.requests {
            client.expect(200)?;
        }
    }
    drop(client);
    collected(&server.stop()?)
}

/// How many instructions callgrind has collected, by what it said.
pub(crate) fn collected(said: &str) -> Result<u64, Failure> {
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim());
    Ok(collected.ok_or_else(|| format!("callgrind has counted nothing: {said}"))?.parse()?)
}

/// Waits until the server has received all that its peer has sent (`/proc/net/tcp` of proc(5)).
fn wait_until_received(server: SocketAddr, peer: SocketAddr) -> Result<(), Failure> {
    let (local, remote) = (format!(":{:04X}", server.port()), format!(":{:04X}", peer.port()));
    loop {
        let sockets = fs::read_to_string("/proc/net/tcp")?;
        let queues = sockets.lines().find_map(|line| {
            let mut columns = line.split_whitespace().skip(1);
            let found = columns.next()?.ends_with(&local) && columns.next()?.ends_with(&remote);
            found.then(|| columns.nth(1)).flatten()
        });
        match queues.and_then(|queues| queues.split_once(':')) {
            Some((_, unread)) if unread.bytes().all(|digit| digit == b'0') => return Ok(()),
            Some(_) => thread::yield_now(),
            None => return Err("the server has no such connection".into()),
        }
    }
}
