//! The adder in QEMU on the ESP32-C3's instruction set: built, booted, tested from outside, and shut down.
//!
//! The host's side of QEMU's network accepts before the guest does. So what counts is what is answered.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use object::{Object, ObjectSymbol};
use rustix::net::sockopt::set_socket_linger;

use crate::{
    Failure,
    capture::Segment,
    client::{BODY, Client, HEAD},
    guest::{self, BOOT, Guest},
    live,
    server::{program, root},
};

const SESSIONS: usize = 7;
const RECONNECTS: usize = 1_000;
const CLOSES: usize = 100;
const RESETS: usize = 100;
/// Clients that come at once: more than the guest has sockets.
const AT_ONCE: usize = 12;
/// The other guest's sessions and lanes.
const CROWD: usize = 32;
const CROWD_LANES: usize = 4;
const LINK_DOWN: Duration = Duration::from_secs(5);
/// Longer than the roaming guest is patient with its link.
const LINK_LOST: Duration = Duration::from_secs(9);

/// The programs, the features that each needs, and what is tested of it.
const PROGRAMS: [(&str, &[&str], fn(&Guest) -> Result<(), Failure>); 5] = [
    ("tenure-qemu", &[], adder),
    ("crowd", &[], crowd),
    ("roaming", &["--features", "dhcp"], |guest| {
        timed("an address by DHCP, lost and changed with the link", || roaming(guest))
    }),
    ("live", &[], |guest| timed("events and a chat for three, beside sums", || live::test(guest))),
    ("device", &[], |guest| {
        timed("the service of a device answers as on Linux, byte by byte, too", || device(guest.address))
    }),
];

/// `only`: programs to be tested; all of them where it is empty.
pub(crate) fn run(only: &[&str]) -> Result<(), Failure> {
    if let Some(unknown) = only.iter().find(|name| !PROGRAMS.iter().any(|(program, ..)| program == *name)) {
        let known = PROGRAMS.map(|(program, ..)| program).join(", ");
        return Err(format!("there is no program {unknown} for QEMU: there are {known}").into());
    }
    for (program, features, test) in PROGRAMS {
        if only.is_empty() || only.contains(&program) {
            let image = guest::build("qemu", program, features)?;
            with_guest(&image, test)?;
        }
    }
    println!("no image has an allocator");
    Ok(())
}

fn adder(guest: &Guest) -> Result<(), Failure> {
    test(guest, &program()?)?;
    wait_for_ends(guest)?;
    check_log(&guest.log())
}

/// What the application's own tests ask on the kit and on Linux.
fn device(address: SocketAddr) -> Result<(), Failure> {
    for piece_bytes in [usize::MAX, 1] {
        let mut client = Client::connect(address)?;
        for exchange in tenure_device::exchanges::ALL {
            let request = exchange.to_string();
            request.as_bytes().chunks(piece_bytes).try_for_each(|piece| client.send(piece))?;
            let (head, body) = client.response()?;
            if !exchange.is_answered_by(&head, &body) {
                return Err(format!("{request}\n---\n{head}{}", body.escape_ascii()).into());
            }
        }
    }
    Ok(())
}

/// Boots an image, which must have no allocator, and shows its log where what is done with it fails.
fn with_guest(image: &Path, body: fn(&Guest) -> Result<(), Failure>) -> Result<(), Failure> {
    if let Some(symbol) = allocator_in(&fs::read(image)?)? {
        return Err(format!("{} has an allocator: {symbol}", image.display()).into());
    }
    let guest = Guest::boot(image, &[])?;
    let done = guest.wait_for("Starting server", BOOT).and_then(|()| body(&guest)).and_then(|()| guest.shut_down());
    if done.is_err() {
        eprintln!("{}", guest.report());
    }
    done
}

fn timed(name: &str, test: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    let from = Instant::now();
    test().map_err(|error| format!("{name}: {error}"))?;
    println!("{name}: {} ms", from.elapsed().as_millis());
    Ok(())
}

/// A symbol by which the compiler reaches the allocator of a program, where it has one.
fn allocator_in(image: &[u8]) -> Result<Option<String>, Failure> {
    let image = object::File::parse(image)?;
    let mut names = image.symbols().filter_map(|symbol| symbol.name().ok());
    Ok(names
        .find(|name| ["rust_alloc", "rust_realloc", "rust_dealloc"].iter().any(|of| name.contains(of)))
        .map(Into::into))
}

/// Waits until every session that was made has been ended: their clients are gone.
fn wait_for_ends(guest: &Guest) -> Result<(), Failure> {
    let all_ended = || {
        let (made, ended) = sessions_in(&guest.log());
        made == ended
    };
    guest.wait(BOOT, all_ended).map_err(|_| {
        let (made, ended) = sessions_in(&guest.log());
        format!("{made} sessions were made, and {ended} ended").into()
    })
}

fn test(guest: &Guest, program: &Path) -> Result<(), Failure> {
    let port = guest.address.port().to_string();
    let tests: [(&str, &dyn Fn() -> Result<(), Failure>); 11] = [
        ("tenure add: 1 to 10 make 55", &|| {
            says_55(&Command::new(program).args(["add", "127.0.0.1", &port, "10"]).output()?)
        }),
        ("adder.py: the same", &|| {
            let script = root().join("scripts").join("adder.py");
            says_55(&Command::new("python3").arg(script).args(["127.0.0.1", &port, "10"]).output()?)
        }),
        ("16 requests at once, answered in their order", &|| pipelined(guest.address)),
        ("a request in two segments, and byte by byte", &|| torn(guest.address)),
        ("seven sessions at once, each with its sum; an eighth client waits for a place", &|| sessions(guest.address)),
        ("what is refused, and what stays", &|| refusals(guest.address)),
        ("1,000 reconnects one after another, the table full", &|| {
            without_resets(guest, &|address| beside_others(address, &reconnects))
        }),
        ("100 closes by the server, the table full", &|| {
            without_resets(guest, &|address| beside_others(address, &closes))
        }),
        ("12 clients at once on 9 sockets, none reset", &|| without_resets(guest, &at_once)),
        ("100 resets in mid-request", &|| resets(guest)),
        ("the link down for 5 s in mid-sum", &|| link_down(guest)),
    ];
    tests.into_iter().try_for_each(|(name, test)| timed(name, test))
}

fn says_55(output: &Output) -> Result<(), Failure> {
    if output.status.success() && output.stdout.starts_with(b"Result = 55") {
        return Ok(());
    }
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Err(format!("{}: {}{}", output.status, text(&output.stdout), text(&output.stderr)).into())
}

fn expect_sum(client: &mut Client, sum: usize) -> Result<(), Failure> {
    let (status, body) = client.answer()?;
    if status == 200 && body == sum.to_string().as_bytes() {
        return Ok(());
    }
    Err(format!("answered {status} {:?}, not {sum}", String::from_utf8_lossy(&body)).into())
}

fn pipelined(address: SocketAddr) -> Result<(), Failure> {
    let mut client = Client::connect(address)?;
    client.send(&[HEAD, BODY].concat().repeat(16))?;
    (1..=16).try_for_each(|sum| expect_sum(&mut client, sum))
}

fn torn(address: SocketAddr) -> Result<(), Failure> {
    let mut client = Client::connect(address)?;
    client.send(HEAD)?;
    thread::sleep(Duration::from_millis(20));
    client.send(BODY)?;
    expect_sum(&mut client, 1)?;
    for byte in [HEAD, BODY].concat() {
        client.send(&[byte])?;
    }
    expect_sum(&mut client, 2)
}

fn sessions(address: SocketAddr) -> Result<(), Failure> {
    let mut members = join(address, SESSIONS)?;
    (0..100).try_for_each(|_| all_add(&mut members))?;
    let mut eighth = Client::connect(address)?;
    eighth.send(&[HEAD, BODY].concat())?;
    eighth.stream.set_read_timeout(Some(Duration::from_millis(300)))?;
    if eighth.answer().is_ok() {
        return Err("an eighth client was served".into());
    }
    drop(members.pop());
    eighth.stream.set_read_timeout(Some(BOOT))?;
    expect_sum(&mut eighth, 1)?;
    all_add(&mut members)
}

fn refusals(address: SocketAddr) -> Result<(), Failure> {
    // What the session outlives.
    let mut client = Client::connect(address)?;
    client.add()?;
    for (request, status) in [
        ("POST /adder HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n1x2", 400),
        ("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("DELETE /adder HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("POST /adder HTTP/1.1\r\nHost: a\r\nContent-Length: 19\r\n\r\n9223372036854775807", 422),
    ] {
        client.send(request.as_bytes())?;
        client.expect(status).map_err(|error| format!("{request:?}: {error}"))?;
    }
    client.send(&[HEAD, BODY].concat())?;
    expect_sum(&mut client, 2)?;
    // What ends the connection; the answer is read whole.
    let long = format!("GET /adder HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(2_000));
    for (request, status) in [
        ("GET /adder HTTP/1.1\r\n\r\n", 400),
        ("POST /adder HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("GET /adder HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (long.as_str(), 431),
    ] {
        let mut client = Client::connect(address)?;
        client.send(request.as_bytes())?;
        let refused = client.expect(status).and_then(|()| client.expect_end());
        refused.map_err(|error| format!("{:?}: {error}", &request[..request.len().min(80)]))?;
    }
    Ok(())
}

/// The same test with every session but one taken by others, who lose nothing by it.
fn beside_others(address: SocketAddr, test: &dyn Fn(SocketAddr) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut others = join(address, SESSIONS - 1)?;
    test(address)?;
    all_add(&mut others)
}

fn reconnects(address: SocketAddr) -> Result<(), Failure> {
    (0..RECONNECTS).try_for_each(|_| Member::join(address).map(drop))
}

fn closes(address: SocketAddr) -> Result<(), Failure> {
    for _ in 0..CLOSES {
        let mut client = Client::connect(address)?;
        client.send(b"POST /adder HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1")?;
        expect_sum(&mut client, 1)?;
        client.expect_end()?;
    }
    Ok(())
}

/// Those for whom no socket listens send their SYN again.
fn at_once(address: SocketAddr) -> Result<(), Failure> {
    let visit = || -> Result<(), String> {
        let mut member = Member::join(address).map_err(|error| error.to_string())?;
        thread::sleep(Duration::from_millis(100));
        member.add().map_err(|error| error.to_string())
    };
    thread::scope(|scope| {
        let visits: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(visit)).collect();
        visits.into_iter().try_for_each(|visit| Ok(visit.join().expect("a visit does not panic")?))
    })
}

/// The guest must have had a socket for each of them, and have closed it in order: a SYN that finds none is answered by a
/// reset, and so is what comes to a connection that the guest has forgotten.
fn without_resets(guest: &Guest, test: &dyn Fn(SocketAddr) -> Result<(), Failure>) -> Result<(), Failure> {
    let before = guest.segments()?.len();
    test(guest.address)?;
    let segments = guest.segments()?.split_off(before);
    let of = |port: u16| segments.iter().filter(move |segment| segment.port == port);
    // Connections of an earlier test may still end.
    let is_own = |segment: &&Segment| of(segment.port).any(|segment| segment.begins());
    let resets = || segments.iter().filter(|segment| segment.is_reset_of_guest()).filter(is_own);
    let Some(first) = resets().next() else { return Ok(()) };
    let trail = of(first.port).map(Segment::to_string).collect::<Vec<_>>().join("\n");
    Err(format!(
        "all were answered, but the guest sent {} resets; the first one's connection:\n{trail}",
        resets().count()
    )
    .into())
}

fn resets(guest: &Guest) -> Result<(), Failure> {
    wait_for_ends(guest)?;
    let before = sessions_in(&guest.log()).0;
    let torn_body = "POST /adder HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1";
    for piece in [&HEAD[..30], HEAD, torn_body.as_bytes()].into_iter().cycle().take(RESETS) {
        let mut client = Client::connect(guest.address)?;
        client.add()?;
        client.send(piece)?;
        // The guest must have had it: a reset overtakes bytes that wait.
        thread::sleep(Duration::from_millis(2));
        set_socket_linger(&client.stream, Some(Duration::ZERO))?;
    }
    wait_for_ends(guest)?;
    let made = sessions_in(&guest.log()).0 - before;
    if made != RESETS {
        return Err(format!("{made} sessions for {RESETS} connections").into());
    }
    Ok(Client::connect(guest.address)?.add()?)
}

/// The address is the guest's by DHCP. A short loss of the link does not take it; after a long one there is another, and what
/// came by the first ends.
fn roaming(guest: &Guest) -> Result<(), Failure> {
    const ENDED: &str = "ended with a session: LinkDown";
    guest.wait_for("IPv4 address: 10.0.2.15", BOOT)?;
    // The second one has a session to lose, too.
    let mut members = join(guest.address, 2)?;
    let away = |time| -> Result<(), Failure> {
        let _ = guest.command("set_link nic off")?;
        thread::sleep(time);
        let _ = guest.command("set_link nic on")?;
        Ok(())
    };
    away(LINK_DOWN)?;
    members[0].client.stream.set_read_timeout(Some(BOOT))?;
    members[0].add()?;
    if guest.log().contains("the link is down") || guest.log().contains("LinkDown") {
        return Err("a short loss of the link was seen".into());
    }
    away(LINK_LOST)?;
    guest.wait_for("IPv4 address: 10.0.2.16", BOOT)?;
    guest
        .wait(BOOT, || guest.log().matches(ENDED).count() == 2)
        .map_err(|state| format!("not two {ENDED:?}: {state}"))?;
    Member::join(guest.moved)?.add()?;
    if guest.log().matches("LinkDown").count() != 2 {
        return Err("more ended than came by the first address".into());
    }
    Ok(())
}

fn link_down(guest: &Guest) -> Result<(), Failure> {
    let mut client = Client::connect(guest.address)?;
    client.add()?;
    let _ = guest.command("set_link nic off")?;
    client.send(&[HEAD, BODY].concat())?;
    thread::sleep(LINK_DOWN);
    let _ = guest.command("set_link nic on")?;
    client.stream.set_read_timeout(Some(BOOT))?;
    expect_sum(&mut client, 2)
}

/// One of many connections, and its sum so far.
struct Member {
    client: Client,
    sum: usize,
}

impl Member {
    fn join(address: SocketAddr) -> Result<Self, Failure> {
        let mut member = Member { client: Client::connect(address)?, sum: 0 };
        member.add()?;
        Ok(member)
    }

    fn add(&mut self) -> Result<(), Failure> {
        self.ask()?;
        self.expect_sum()
    }

    fn ask(&mut self) -> Result<(), Failure> {
        Ok(self.client.send(&[HEAD, BODY].concat())?)
    }

    fn expect_sum(&mut self) -> Result<(), Failure> {
        self.sum += 1;
        expect_sum(&mut self.client, self.sum)
    }

    fn get(&mut self, target: &str) -> Result<(), Failure> {
        Ok(self.client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())?)
    }

    fn expect_text(&mut self, text: &str) -> Result<(), Failure> {
        match self.client.answer()? {
            (200, body) if body == text.as_bytes() => Ok(()),
            (status, body) => Err(format!("answered {status} {}, not {text}", body.escape_ascii()).into()),
        }
    }

    /// Whether an answer is there already.
    fn is_answered(&self) -> Result<bool, Failure> {
        self.client.stream.set_nonblocking(true)?;
        let peeked = self.client.stream.peek(&mut [0; 1]);
        self.client.stream.set_nonblocking(false)?;
        Ok(peeked.is_ok())
    }
}

/// So many clients, each of which is answered before the next one connects: the guest has a socket for every connection, but
/// no more than two to spare for those that connect at the same time.
fn join(address: SocketAddr, members: usize) -> Result<Vec<Member>, Failure> {
    (0..members).map(|_| Member::join(address)).collect()
}

/// All of them ask, and only then the answers are read.
fn all_add(members: &mut [Member]) -> Result<(), Failure> {
    members.iter_mut().try_for_each(Member::ask)?;
    members.iter_mut().try_for_each(Member::expect_sum)
}

/// Thirty-two sessions on four lanes, and newcomers beyond them.
fn crowd(guest: &Guest) -> Result<(), Failure> {
    let log = guest.log();
    let bytes = log.lines().find_map(|line| line.split_once("server, lanes and sockets: "));
    let bytes = bytes.ok_or("the guest does not tell what its server takes")?.1;
    println!("server, lanes and sockets of {CROWD} sessions on {CROWD_LANES} lanes: {bytes}");
    let mut members = Vec::new();
    timed("32 sessions at once, each with its sum", || {
        members = join(guest.address, CROWD)?;
        (0..20).try_for_each(|_| all_add(&mut members))
    })?;
    timed("the same, and four of them wait for 200 ms each time", || {
        (0..CROWD / CROWD_LANES).try_for_each(|_| {
            // Others each time.
            members.rotate_left(CROWD_LANES);
            let (waiting, others) = members.split_at_mut(CROWD_LANES);
            waiting.iter_mut().try_for_each(|member| member.get("/wait"))?;
            all_add(others)?;
            waiting.iter_mut().try_for_each(|member| member.expect_text("waited"))
        })
    })?;
    timed("four wait for one of the others, who are answered meanwhile", || held(&mut members))?;
    timed("1,000 newcomers one after another, each takes the least recently used one's place", || {
        // One after another: that is the order in which they were used.
        members.iter_mut().try_for_each(Member::add)?;
        let members = RefCell::new(VecDeque::from(std::mem::take(&mut members)));
        without_resets(guest, &|address| newcomers(address, &mut members.borrow_mut()))
    })?;
    wait_for_ends(guest)?;
    let log = guest.log();
    let evicted = log.lines().filter(|line| line.contains("ended with a session: Evicted")).count();
    let ended = log.lines().filter(|line| line.contains("ended with")).count();
    if (evicted, ended) == (RECONNECTS, RECONNECTS + CROWD) {
        return Ok(());
    }
    Err(format!("{evicted} sessions were evicted, {ended} connections have ended").into())
}

/// Handlers that say that they wait long leave one lane to others: of four, one is asked to come again.
fn held(members: &mut [Member]) -> Result<(), Failure> {
    let (waiting, others) = members.split_at_mut(CROWD_LANES);
    waiting.iter_mut().try_for_each(|member| member.get("/hold"))?;
    (0..20).try_for_each(|_| all_add(others))?;
    let (mut refused, mut held) = (Vec::new(), Vec::new());
    for member in waiting {
        if member.is_answered()? { refused.push(member) } else { held.push(member) }
    }
    let [refused] = &mut refused[..] else {
        return Err(format!("{} of four that wait were answered, not one", refused.len()).into());
    };
    refused.client.expect(503)?;
    // Its session has stayed.
    refused.add()?;
    others[0].get("/release")?;
    others[0].expect_text("released")?;
    held.into_iter().try_for_each(|member| member.expect_text("released"))?;
    refused.get("/hold")?;
    refused.expect_text("released")
}

/// Each is answered, and the one that was used least recently is closed for it.
fn newcomers(address: SocketAddr, members: &mut VecDeque<Member>) -> Result<(), Failure> {
    for _ in 0..RECONNECTS {
        members.push_back(Member::join(address)?);
        members.pop_front().ok_or("nobody is there")?.client.expect_end()?;
    }
    Ok(())
}

/// The lines are the original's, in its format.
fn check_log(log: &str) -> Result<(), Failure> {
    let mut texts = Vec::new();
    for line in log.lines() {
        let text = line.strip_prefix("I (").and_then(|rest| rest.split_once(") example: "));
        match text {
            Some((ms, text)) if ms.parse::<u64>().is_ok() => texts.push(text),
            _ => return Err(format!("a line that is not the original's: {line:?}").into()),
        }
    }
    let beginning = [
        "Starting server on port: '80'",
        "Registering URI handlers",
        "/adder visitor count = 1",
        "/adder PUT handler read 0",
        "/adder PUT allocating new session",
        "/adder visitor count = 2",
        "/adder handler read 1",
    ];
    if !texts.starts_with(&beginning) {
        return Err(format!("the log does not begin with {beginning:?}").into());
    }
    println!("{} log lines as the original's; {} sessions made and ended", texts.len(), sessions_in(log).0);
    Ok(())
}

/// How many sessions the log says were made, and ended.
fn sessions_in(log: &str) -> (usize, usize) {
    let count = |end: &str| log.lines().filter(|line| line.ends_with(end)).count();
    (count("allocating new session"), count("Free Context function called"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocator_is_seen() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(allocator_in(&own).unwrap().is_some());
        assert!(allocator_in(b"no image").is_err());
    }
}
