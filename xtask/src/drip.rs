//! Clients that drip, a byte a second, and an honest client beside them; then as many waiting handlers as lanes.

use std::{
    io::{Error, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Failure,
    client::Client,
    server::{Server, raise_descriptors},
    waiting::LANES,
};

/// Connections that drip into a head; as many drip into a body.
const EACH: usize = 500;
/// What drips: a head that goes on for long, and the head of a body that does.
const HEAD: &[u8] = b"GET /adder HTTP/1.1\r\nHost: test\r\nX: ";
const BODY: &[u8] = b"POST /adder HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n";
/// Before, beside, before, beside: as many pairs.
const PAIRS: usize = 9;
/// How long the honest client is measured for each half of a pair.
const WINDOW: Duration = Duration::from_secs(3);
/// The deadlines of a head and of a body as the program has them.
const DEADLINE_S: f64 = 10.0;
/// How late a deadline may be kept.
const LATE_S: f64 = 0.5;
/// How much worse the honest client may fare.
const RATIO_MAX: f64 = 1.2;

pub(crate) fn run() -> Result<(), Failure> {
    raise_descriptors(4 * EACH as u64)?;
    reaped()?;
    beside()?;
    waiting()
}

/// Connections that drip a byte a second each, evenly over the second.
struct Drips {
    /// Each with when it began to drip, until it is answered.
    streams: Vec<Option<(TcpStream, Instant)>>,
}

/// What has become of one of them.
struct Answered {
    number: usize,
    /// Seconds from its first byte.
    after_s: f64,
    /// Whether it was told 408, and that the connection closes.
    told: bool,
}

impl Drips {
    fn start(address: SocketAddr) -> Result<Self, Error> {
        let mut streams = Vec::new();
        for first in [HEAD, BODY] {
            for _ in 0..EACH {
                let mut stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                stream.write_all(first)?;
                stream.set_nonblocking(true)?;
                streams.push(Some((stream, Instant::now())));
            }
        }
        Ok(Drips { streams })
    }

    /// Lets each drip once within a second, as long as `goes_on`, which looks at them ten times.
    fn second(&mut self, mut goes_on: impl FnMut(&mut Self) -> Result<bool, Error>) -> Result<(), Error> {
        const PARTS: usize = 100;
        let began = Instant::now();
        for part in 0..PARTS {
            let due = Duration::from_secs(1) * part as u32 / PARTS as u32;
            thread::sleep(due.saturating_sub(began.elapsed()));
            for (stream, _) in self.streams.iter_mut().skip(part).step_by(PARTS).flatten() {
                // One that has been answered already takes no more, which is not of interest here.
                let _ = stream.write(b"1");
            }
            if part % 10 == 0 && !goes_on(self)? {
                break;
            }
        }
        Ok(())
    }

    /// Those that have been answered since they were looked at last.
    fn answered(&mut self) -> Result<Vec<Answered>, Error> {
        let mut answered = Vec::new();
        for (number, stream) in self.streams.iter_mut().enumerate() {
            let Some((open, began)) = stream else { continue };
            let mut bytes = [0; 1024];
            match open.read(&mut bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
                Ok(count) => {
                    let text = String::from_utf8_lossy(&bytes[..count]);
                    let told = text.starts_with("HTTP/1.1 408 ") && text.contains("Connection: close");
                    answered.push(Answered { number, after_s: began.elapsed().as_secs_f64(), told });
                    *stream = None;
                }
            }
        }
        Ok(answered)
    }
}

/// Every connection that drips is answered 408 when its deadline has passed, not before and not much later.
fn reaped() -> Result<(), Failure> {
    let mut server = Server::tenure(&[])?;
    let mut drips = Drips::start(server.address)?;
    let mut answers: Vec<Answered> = Vec::new();
    let began = Instant::now();
    while answers.len() < 2 * EACH && began.elapsed() < Duration::from_mins(1) {
        drips.second(|drips| {
            answers.extend(drips.answered()?);
            Ok(answers.len() < 2 * EACH)
        })?;
    }
    for (what, numbers) in [("head", 0..EACH), ("body", EACH..2 * EACH)] {
        let of: Vec<_> = answers.iter().filter(|answered| numbers.contains(&answered.number)).collect();
        let first = of.iter().map(|answered| answered.after_s).fold(f64::INFINITY, f64::min);
        let last = of.iter().map(|answered| answered.after_s).fold(0.0, f64::max);
        let told = of.iter().filter(|answered| answered.told).count();
        println!(
            "dripping into a {what}: {told} of {EACH} answered 408, after {first:.2} to {last:.2} s (looked at every 0.1 s)"
        );
        if told != EACH || first < DEADLINE_S || last > DEADLINE_S + LATE_S {
            return Err("they were not reaped on time".into());
        }
    }
    server.stop()?;
    Ok(())
}

/// The latency in microseconds below which 99 of 100 requests stay.
fn p99(client: &mut Client) -> Result<f64, Error> {
    let began = Instant::now();
    let mut times = Vec::new();
    while began.elapsed() < WINDOW {
        let before = Instant::now();
        client.add()?;
        times.push(before.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_unstable_by(f64::total_cmp);
    Ok(times[times.len() * 99 / 100])
}

/// An honest client fares as well beside them as before.
fn beside() -> Result<(), Failure> {
    let mut server = Server::tenure(&[])?;
    let mut client = Client::connect(server.address)?;
    p99(&mut client)?;
    let mut ratios = Vec::new();
    for _ in 0..PAIRS {
        let before = p99(&mut client)?;
        let mut drips = Drips::start(server.address)?;
        let goes_on = AtomicBool::new(true);
        let beside = thread::scope(|scope| {
            let dripping = scope.spawn(|| {
                while goes_on.load(Ordering::Relaxed) {
                    drips.second(|_| Ok(goes_on.load(Ordering::Relaxed)))?;
                }
                Ok::<_, Error>(())
            });
            let beside = p99(&mut client);
            goes_on.store(false, Ordering::Relaxed);
            dripping.join().expect("it does not panic")?;
            beside
        })?;
        println!("honest client: p99 {before:.0} µs before, {beside:.0} µs beside {} that drip", 2 * EACH);
        ratios.push(beside / before);
    }
    server.stop()?;
    ratios.sort_unstable_by(f64::total_cmp);
    let median = ratios[PAIRS / 2];
    println!("median of {PAIRS} pairs: {median:.2} (allowed: {RATIO_MAX})");
    if median > RATIO_MAX {
        return Err("those that drip cost the honest client too much".into());
    }
    Ok(())
}

/// As many handlers that wait as there are lanes leave one for the honest client.
fn waiting() -> Result<(), Failure> {
    let mut server = Server::start(Command::new(std::env::current_exe()?).arg("waiting-server"))?;
    let mut clients = Vec::new();
    for _ in 0..LANES {
        let mut client = Client::connect(server.address)?;
        client.send(b"GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")?;
        clients.push(client);
    }
    let mut honest = Client::connect(server.address)?;
    let ask = |client: &mut Client, target: &str| -> Result<String, Failure> {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes())?;
        Ok(String::from_utf8(client.answer()?.1)?)
    };
    let most = (LANES - 1).to_string();
    while ask(&mut honest, "/waiting")? != most {}
    for _ in 0..1_000 {
        honest.add()?;
    }
    ask(&mut honest, "/open")?;
    let (mut waited, mut later) = (0, 0);
    for client in &mut clients {
        match client.answer()? {
            (200, _) => waited += 1,
            (503, _) => later += 1,
            (status, _) => return Err(format!("answered {status}").into()),
        }
    }
    server.stop()?;
    println!(
        "{LANES} requests to wait on {LANES} lanes: {waited} waited, {later} told to come later; an honest client was served 1,000 times meanwhile"
    );
    Ok(())
}
