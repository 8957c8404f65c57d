//! `tenure add`: lets a server add the numbers 1 to N over one connection, as the script of the original does.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod many;

use std::{fmt, io, net::SocketAddr};

use tenure_load::authority;

use crate::{
    answer::{Answer, Connection, Shown, Trouble},
    args::Add,
    connect::{Unconnected, connect},
    exit::Exit,
    say, tell, this_program,
};

/// The load generator needs epoll.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod many {
    use crate::{args::Add, exit::Exit, tell};

    pub(super) fn run(_: &Add) -> Exit {
        tell(format_args!("tenure: --connections and --pipeline are for Linux only: leave them out"));
        Exit::Usage
    }
}

/// Runs the command.
pub(crate) fn run(args: &Add) -> Exit {
    if args.connections.is_some() || args.pipeline.is_some() {
        return many::run(args);
    }
    match add(args) {
        Ok(sum) => {
            let (n, wanted) = (args.n, wanted(args.n));
            let result = format_args!("Result = {}", sum.result);
            let Some(wrong) = sum.wrong.filter(|_| sum.result != wanted) else {
                return say(format_args!("{result}\n{n} * ({n} + 1) / 2 = {wanted}: the sum is right"));
            };
            say(result);
            tell(format_args!("tenure: the sum is wrong: 1 to {n} make {wanted}, not {}; {wrong}", sum.result));
            Exit::WrongSum
        }
        Err(failure) => {
            tell(format_args!("tenure: {failure}"));
            failure.exit()
        }
    }
}

/// The server's sum.
#[derive(Debug, PartialEq, Eq)]
struct Sum {
    result: i64,
    wrong: Option<Wrong>,
}

/// The first answer that was not the sum so far.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    k: u32,
    answered: i64,
    wanted: i64,
}

/// Why there is no sum.
#[derive(Debug)]
enum Failure {
    /// There is no connection.
    Unconnected(Unconnected),
    /// Not all connections can be made.
    #[cfg_attr(not(any(target_os = "linux", target_os = "android")), expect(dead_code, reason = "of many alone"))]
    TooMany { why: String },
    /// Something else answers there.
    NotThisServer { address: SocketAddr, why: String },
    /// The connection ended, or the server refused, after `k` numbers.
    BrokenOff { k: u32, n: u32, why: String },
}

fn wanted(n: u32) -> i64 {
    let n = i64::from(n);
    // One of the two is even, so that nothing is lost and the product fits.
    if n % 2 == 0 { n / 2 * (n + 1) } else { (n + 1) / 2 * n }
}

fn add(args: &Add) -> Result<Sum, Failure> {
    let connected = connect(&args.host, args.port, args.timeout.duration());
    let (stream, address) = connected.map_err(Failure::Unconnected)?;
    let connection = Connection::new(stream, args.timeout.duration());
    let connection = connection.map_err(|error| Failure::Unconnected(Unconnected::Unreachable { address, error }))?;
    let mut adder = Adder { connection, authority: authority(&args.host, args.port), address, k: 0, n: args.n };
    let mut wrong = None;
    let mut check = |k, answered, wanted| {
        if answered != wanted && wrong.is_none() {
            wrong = Some(Wrong { k, answered, wanted });
        }
        answered
    };
    check(0, adder.ask("PUT", "0")?, 0);
    for number in 1..=args.n {
        check(number, adder.ask("POST", &number.to_string())?, wanted(number));
        adder.k = number;
    }
    let result = check(args.n, adder.ask("GET", "")?, wanted(args.n));
    Ok(Sum { result, wrong })
}

/// A conversation with the server, and its progress.
struct Adder {
    connection: Connection,
    authority: String,
    address: SocketAddr,
    /// Numbers added so far.
    k: u32,
    n: u32,
}

impl Adder {
    /// Sends one request and returns the number in the answer.
    fn ask(&mut self, method: &str, body: &str) -> Result<i64, Failure> {
        let length = if method == "GET" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!("{method} /adder HTTP/1.1\r\nHost: {}\r\n{length}\r\n{body}", self.authority);
        let answer = self.connection.ask(request.as_bytes()).map_err(|trouble| self.trouble(trouble))?;
        let Answer { status, body, closes } = answer;
        if status != 200 {
            let why = format!("the server answered {status}: {}", Shown(&body));
            // As the first answer, other statuses mean that the adder is not there. Later, or with one of these, it cannot go on.
            let here = method != "PUT" || matches!(status, 408 | 429 | 500 | 502 | 503 | 504);
            return Err(if here { self.broken_off(why) } else { self.foreign(why) });
        }
        let number = str::from_utf8(&body).ok().and_then(|text| text.trim().parse().ok());
        let number = number.ok_or_else(|| self.foreign(format!("it answers no number: {}", Shown(&body))))?;
        if closes && method != "GET" {
            if method == "POST" {
                self.k += 1;
            }
            return Err(self.broken_off("the server closes the connection".to_owned()));
        }
        Ok(number)
    }

    fn trouble(&self, trouble: Trouble) -> Failure {
        match trouble {
            Trouble::Foreign(why) => self.foreign(why),
            Trouble::Closed => self.broken_off("the server has closed the connection".to_owned()),
            Trouble::Late(timeout) => {
                self.broken_off(format!("no answer within {}", humantime::format_duration(timeout)))
            }
            Trouble::Failed(error) => self.broken_off(error.to_string()),
        }
    }

    fn foreign(&self, why: String) -> Failure {
        Failure::NotThisServer { address: self.address, why }
    }

    fn broken_off(&self, why: String) -> Failure {
        Failure::BrokenOff { k: self.k, n: self.n, why }
    }
}

impl Failure {
    fn exit(&self) -> Exit {
        match self {
            Failure::Unconnected(_) | Failure::TooMany { .. } => Exit::Unreachable,
            Failure::NotThisServer { .. } => Exit::NotThisServer,
            Failure::BrokenOff { .. } => Exit::BrokenOff,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unconnected(Unconnected::Unreachable { address, error })
                if error.kind() == io::ErrorKind::ConnectionRefused =>
            {
                let program = this_program();
                write!(
                    f,
                    "nothing listens at {address}\nStart the server there first: {program} serve --bind {address}"
                )
            }
            Failure::Unconnected(unconnected) => unconnected.fmt(f),
            Failure::TooMany { why } => write!(f, "not all connections can be made: {why}"),
            Failure::NotThisServer { address, why } => write!(
                f,
                "what listens at {address} is not this server: {why}\nIs the port right? The server says its own when it starts."
            ),
            Failure::BrokenOff { k, n, why } => write!(
                f,
                "stopped after {k} of {n} numbers: {why}\nThe sum was the connection's and is gone with it; start again."
            ),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wrong { k, answered, wanted } = self;
        write!(f, "the first wrong answer came after {k} numbers: {answered} instead of {wanted}")
    }
}

#[cfg(test)]
#[path = "add/tests.rs"]
mod tests;
