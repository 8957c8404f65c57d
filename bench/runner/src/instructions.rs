//! Instructions that a server spends on a request in user space: the slope of callgrind's count over two runs.

use std::{
    fs,
    net::SocketAddr,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use crate::{
    Failure,
    client::Client,
    contender::{Contender, Programs},
    requests::{BROWSER, GET, POST, split},
    server::Server,
};

pub(crate) const FEW: u32 = 400;
pub(crate) const MANY: u32 = 1_600;
const PIPELINED: u32 = 16;
pub(crate) const CALLGRIND: [&str; 5] =
    ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-file={}/log", "--max-stackframe=8000000"];

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Small,
    Split,
    Browser,
    Get,
    Pipelined,
    /// [`Case::Small`] while so many other connections, which have sessions, ask nothing.
    BesideIdle(u32),
}

impl Case {
    pub(crate) const TABLE: [Case; 5] = [Case::Small, Case::Split, Case::Browser, Case::Get, Case::Pipelined];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Case::Small => "small POST",
            Case::Split => "in two segments",
            Case::Browser => "with a browser's head",
            Case::Get => "GET",
            Case::Pipelined => "pipelined 16",
            Case::BesideIdle(_) => "beside idle ones",
        }
    }

    /// A turn's segments, and how many requests these are.
    fn turn(self) -> (Vec<Vec<u8>>, u32) {
        match self {
            Case::Small | Case::BesideIdle(_) => (vec![POST.to_vec()], 1),
            Case::Split => {
                let (head, body) = split(POST);
                (vec![head.to_vec(), body.to_vec()], 1)
            }
            Case::Browser => (vec![BROWSER.to_vec()], 1),
            Case::Get => (vec![GET.to_vec()], 1),
            Case::Pipelined => (vec![POST.repeat(PIPELINED as usize)], PIPELINED),
        }
    }
}

/// Whether callgrind is installed.
pub(crate) fn is_there() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok()
}

/// Counts all of these, two at a time: other work does not change a count. `None`: it can't be counted there.
pub(crate) fn count_all(
    counts: &[(Contender, Case)],
    programs: &Programs,
    done: &(dyn Fn(Contender, Case) + Sync),
) -> Vec<Option<f64>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut counted = Vec::new();
        while let Some(&(contender, case)) = counts.get(next.fetch_add(1, Ordering::Relaxed)) {
            done(contender, case);
            let count = a_request(contender, case, programs);
            if let Err(error) = &count {
                eprintln!("{}, {}: {error}", contender.name, case.name());
            }
            counted.push(((contender, case), count.ok()));
        }
        counted
    };
    let counted = thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.map(|worker| worker.join().unwrap_or_default()).concat()
    });
    let of = |wanted| counted.iter().find(|(key, _)| *key == wanted).and_then(|(_, count)| *count);
    counts.iter().map(|&wanted| of(wanted)).collect()
}

/// Instructions of one request.
fn a_request(contender: Contender, case: Case, programs: &Programs) -> Result<f64, Failure> {
    let (few, many) = (of_run(contender, case, programs, FEW)?, of_run(contender, case, programs, MANY)?);
    Ok((many as f64 - few as f64) / f64::from(MANY - FEW))
}

/// All instructions of a server that answers so many requests.
fn of_run(contender: Contender, case: Case, programs: &Programs, requests: u32) -> Result<u64, Failure> {
    let server = Server::start(contender, programs, None, &CALLGRIND)?;
    let mut idle = Vec::new();
    if let Case::BesideIdle(connections) = case {
        for _ in 0..connections {
            let mut client = Client::connect(server.address)?;
            client.ask(POST)?;
            idle.push(client);
        }
    }
    let mut client = Client::connect(server.address)?;
    let own = client.stream.local_addr()?;
    // The limit learns from the first segment how long a request is.
    client.ask(if case == Case::Browser {
        BROWSER
    } else if case == Case::Get {
        GET
    } else {
        POST
    })?;
    let (segments, asked) = case.turn();
    for _ in 0..requests / asked {
        for (number, segment) in segments.iter().enumerate() {
            if number > 0 {
                wait_until_received(server.address, own)?;
            }
            client.send(segment)?;
        }
        for _ in 0..asked {
            client.answer()?;
        }
    }
    collected(server)
}

/// What callgrind has counted of a server, which ends.
pub(crate) fn collected(server: Server) -> Result<u64, Failure> {
    let log = server.stop("log")?;
    let collected = log.lines().rev().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim());
    Ok(collected.ok_or_else(|| format!("callgrind has counted nothing: {log}"))?.parse()?)
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
