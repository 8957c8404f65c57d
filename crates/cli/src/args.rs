//! The command line: one definition for each option, its environment variable and its help.

use std::{ffi::OsString, fmt, net::SocketAddr, str::FromStr, time::Duration};

use clap::{
    ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
    builder::{Resettable, StyledStr},
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};
use tenure::{ConnectionId, Deadlines, Eviction, NEVER};

use crate::{
    exit::Exit,
    url::{self, Url},
};

const ABOUT: &str = "An HTTP/1.1 server whose sessions live exactly as long as their sockets.";
const EXAMPLES: &str = "\
Without a command: serve, with its options.

Examples:
  tenure                                     serve the adder at 127.0.0.1:8080
  tenure serve --bind 0.0.0.0:80             serve it to everybody
  tenure add 127.0.0.1 8080 10               let it add 1 to 10: Result = 55
  tenure add 127.0.0.1 8080 10000 --connections 32
                                             the same on 32 connections, and how fast that is
  tenure listen http://127.0.0.1:8080/events print every change of every sum
  tenure chat ws://127.0.0.1:8080/chat       send lines over a WebSocket, and print what comes
  tenure load ws://127.0.0.1:8080/echo --connections 32
                                             how fast a server sends messages back";

/// The longest timeout. The clock of deadlines has 32 bits of milliseconds, and can look half of its range ahead.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 24 * 60 * 60);

#[derive(Debug, Parser)]
#[command(name = "tenure", version, about = ABOUT, after_help = format!("{EXAMPLES}\n\n{}", Exit::table()))]
#[command(override_usage = "tenure [COMMAND] [OPTIONS]")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the adder until Ctrl-C
    #[command(after_help = Exit::table(), allow_negative_numbers = true)]
    Serve(Serve),
    /// Let a server add the numbers 1 to N over one connection, or over many
    #[command(after_help = Exit::table(), allow_negative_numbers = true)]
    Add(Add),
    /// Print the events of a stream (http://), or the messages of a WebSocket (ws://), until the server ends it
    ///
    /// A stream that breaks is asked for again after the time that the server has told, with the id of the last event, until the
    /// server answers 204 or something else than events. Of a WebSocket's binary messages the length and the first bytes are printed.
    #[command(after_help = Exit::table())]
    Listen(Listen),
    /// Send each line of standard input over a WebSocket, and print its messages; the input's end closes it
    #[command(after_help = Exit::table())]
    Chat(Chat),
    /// Send messages over WebSockets whose server sends each back, and say how fast that was
    #[command(after_help = Exit::table(), allow_negative_numbers = true)]
    Load(Load),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen; may be given several times. Port 0: any free one. An IPv6 address is for IPv6 alone
    #[arg(long, value_name = "ADDR:PORT", env = "TENURE_BIND", value_delimiter = ',', value_parser = address)]
    #[arg(default_value = "127.0.0.1:8080")]
    pub(crate) bind: Vec<SocketAddr>,

    /// The most connections at once
    #[arg(long, value_name = "N", env = "TENURE_SESSIONS", default_value_t = 10_000)]
    #[arg(value_parser = number(1, u32::MAX))]
    pub(crate) sessions: u32,

    /// Threads that serve, each with its share of the connections; one per core unless set
    #[arg(long, value_name = "N", env = "TENURE_THREADS")]
    #[arg(value_parser = number(1, ConnectionId::WORKER_COUNT_MAX))]
    pub(crate) threads: Option<u32>,

    /// Which idle connection gives way to a new one when all are taken: never one, one without-session, or the
    /// least-recently-used one, which loses its session
    #[arg(long, value_name = "WHICH", env = "TENURE_EVICT", value_parser = eviction)]
    #[arg(default_value = "without-session", hide_possible_values = true)]
    pub(crate) evict: Eviction,

    /// How long a thread polls for the next request before it sleeps: requests that follow each other are answered faster, and
    /// keep a core busy. 0: not at all. Ignored on a machine with one core
    #[arg(long, value_name = "MICROSECONDS", env = "TENURE_SPIN", default_value_t = 0)]
    #[arg(value_parser = number(0, 1_000_000_u32))]
    pub(crate) spin: u32,

    /// Log nothing per request
    #[arg(long, short, env = "TENURE_QUIET", value_parser = yes_or_no)]
    pub(crate) quiet: bool,

    /// Serve on the port for systems without epoll, the only one on those
    #[arg(long, env = "TENURE_TOKIO", value_parser = yes_or_no, hide = true)]
    pub(crate) tokio: bool,

    #[command(flatten)]
    pub(crate) timeouts: Timeouts,
}

/// How long each step of a connection may take.
#[derive(Debug, Args)]
#[command(next_help_heading = "Deadlines (such as 500ms, 30s, 2h, or never)")]
pub(crate) struct Timeouts {
    /// From a connection's start to its first byte
    #[arg(long, value_name = "TIME", env = "TENURE_FIRST_BYTE_TIMEOUT", value_parser = timeout)]
    #[arg(default_value_t = Timeout(Deadlines::HOST.first_byte_ms))]
    first_byte_timeout: Timeout,

    /// From the end of a request to the next one
    #[arg(long, value_name = "TIME", env = "TENURE_IDLE_TIMEOUT", value_parser = timeout)]
    #[arg(default_value_t = Timeout(Deadlines::HOST.idle_ms))]
    idle_timeout: Timeout,

    /// For a whole request head, else 408
    #[arg(long, value_name = "TIME", env = "TENURE_HEAD_TIMEOUT", value_parser = timeout)]
    #[arg(default_value_t = Timeout(Deadlines::HOST.head_ms))]
    head_timeout: Timeout,

    /// For a body, beyond what its rate grants, else 408
    #[arg(long, value_name = "TIME", env = "TENURE_BODY_TIMEOUT", value_parser = timeout)]
    #[arg(default_value_t = Timeout(Deadlines::HOST.body_ms))]
    body_timeout: Timeout,

    /// Bytes of a body that must come per second once its timeout is used up; 0: nothing extends the timeout
    #[arg(long, value_name = "BYTES", env = "TENURE_BODY_RATE", value_parser = number(0, u32::MAX))]
    #[arg(default_value_t = Deadlines::HOST.body_bytes_per_s)]
    body_rate: u32,

    /// From a request to its response, without the wait for its body, else 503
    #[arg(long, value_name = "TIME", env = "TENURE_HANDLER_TIMEOUT", value_parser = timeout)]
    #[arg(default_value_t = Timeout(Deadlines::HOST.handler_ms))]
    handler_timeout: Timeout,

    /// For a peer to take its responses, beyond what their rate gives back
    #[arg(long, value_name = "TIME", env = "TENURE_RESPONSE_TIMEOUT", value_parser = timeout)]
    #[arg(default_value_t = Timeout(Deadlines::HOST.response_ms))]
    response_timeout: Timeout,

    /// Bytes of a response that the peer must take per second once its timeout is used up; 0: nothing extends the timeout
    #[arg(long, value_name = "BYTES", env = "TENURE_RESPONSE_RATE", value_parser = number(0, u32::MAX))]
    #[arg(default_value_t = Deadlines::HOST.response_bytes_per_s)]
    response_rate: u32,

    /// How long a WebSocket, or a stream of events, may be silent before its peer is asked whether it is there
    #[arg(long, value_name = "TIME", env = "TENURE_PING_TIMEOUT", value_parser = timeout)]
    #[arg(default_value_t = Timeout(Deadlines::HOST.ping_ms))]
    ping_timeout: Timeout,

    /// For the peer of a WebSocket to answer that
    #[arg(long, value_name = "TIME", env = "TENURE_PONG_TIMEOUT", value_parser = timeout)]
    #[arg(default_value_t = Timeout(Deadlines::HOST.pong_ms))]
    pong_timeout: Timeout,

    /// For a peer to read the last response before its connection is released; may be 0s
    #[arg(long, value_name = "TIME", env = "TENURE_LINGER_TIMEOUT")]
    #[arg(default_value_t = Timeout(Deadlines::HOST.linger_ms))]
    linger_timeout: Timeout,

    /// For exchanges in flight when the server stops; may be 0s
    #[arg(long, value_name = "TIME", env = "TENURE_FLUSH_TIMEOUT")]
    #[arg(default_value_t = Timeout(Deadlines::HOST.flush_ms))]
    flush_timeout: Timeout,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    #[arg(value_name = "HOST", help = "The server's address or name, such as 127.0.0.1, ::1 or adder.local")]
    #[arg(value_parser = host)]
    pub(crate) host: String,

    /// The server's port
    #[arg(value_name = "PORT", value_parser = number(1, u16::MAX))]
    pub(crate) port: u16,

    /// The last number to add, 0 to 4294967295: a greater sum would not fit 64 bits
    #[arg(value_name = "N", value_parser = number(0, u32::MAX))]
    pub(crate) n: u32,

    /// How long to wait for the connection, and for each answer
    #[arg(long, value_name = "TIME", value_parser = timeout, default_value_t = Timeout(10_000))]
    pub(crate) timeout: Timeout,

    /// Add over that many connections at once, and say how fast that was. They connect in groups of 64, and each group gets its
    /// first answers before the next one connects, so that none waits until the server closes it
    #[arg(long, value_name = "C", value_parser = number(1, 1_000_000_u32))]
    pub(crate) connections: Option<u32>,

    /// Send that many requests on a connection before waiting for their answers, and say how fast that was
    #[arg(long, value_name = "D", value_parser = number(1, 10_000_u32))]
    pub(crate) pipeline: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Listen {
    /// Where: http://HOST:PORT/PATH for events, ws://HOST:PORT/PATH for messages
    #[arg(value_name = "URL", value_parser = url::url)]
    pub(crate) url: Url,

    /// A subprotocol to offer to a WebSocket; may be given several times, the best first
    #[arg(long, value_name = "NAME", value_parser = protocol)]
    pub(crate) protocol: Vec<String>,

    /// How long to wait for the connection, for its answer, and for its end
    #[arg(long, value_name = "TIME", value_parser = timeout, default_value_t = Timeout(10_000))]
    pub(crate) timeout: Timeout,
}

#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// Where: ws://HOST:PORT/PATH
    #[arg(value_name = "URL", value_parser = url::websocket_url)]
    pub(crate) url: Url,

    /// A subprotocol to offer; may be given several times, the best first
    #[arg(long, value_name = "NAME", value_parser = protocol)]
    pub(crate) protocol: Vec<String>,

    /// How long to wait for the connection, for its answer, and for the answer to the end of the input
    #[arg(long, value_name = "TIME", value_parser = timeout, default_value_t = Timeout(10_000))]
    pub(crate) timeout: Timeout,
}

#[derive(Debug, Args)]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code, reason = "it needs epoll"))]
pub(crate) struct Load {
    /// Where: ws://HOST:PORT/PATH
    #[arg(value_name = "URL", value_parser = url::websocket_url)]
    pub(crate) url: Url,

    /// How many WebSockets
    #[arg(long, value_name = "C", value_parser = number(1, 1_000_000_u32), default_value_t = 1)]
    pub(crate) connections: u32,

    /// How many messages each sends before it waits for them to come back
    #[arg(long, value_name = "D", value_parser = number(1, 10_000_u32), default_value_t = 1)]
    pub(crate) pipeline: u32,

    /// Bytes of a message
    #[arg(long, value_name = "BYTES", value_parser = number(0, 16_777_216_u32), default_value_t = 16)]
    pub(crate) size: u32,

    /// How many messages each WebSocket sends
    #[arg(long, value_name = "N", value_parser = number(1, u64::MAX), default_value_t = 10_000)]
    pub(crate) messages: u64,

    /// How long to wait for the connection, for its answer, and for messages to come back
    #[arg(long, value_name = "TIME", value_parser = timeout, default_value_t = Timeout(10_000))]
    pub(crate) timeout: Timeout,
}

impl Cli {
    /// Reads a command line; without a command it is that of `serve`.
    pub(crate) fn of(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut args: Vec<OsString> = args.into_iter().collect();
        let first = args.get(1).map(|first| first.to_string_lossy());
        let of_none = ["-h", "--help", "-V", "--version"];
        if first.is_none_or(|first| first.starts_with('-') && !of_none.contains(&&*first)) {
            args.insert(args.len().min(1), "serve".into());
        }
        let mut command = Cli::command().mut_subcommand("serve", |serve| serve.mut_args(without_empty_variable));
        command.build();
        let matches = command
            .try_get_matches_from_mut(&args)
            .map_err(|error| with_variable(error, command.find_subcommand("serve"), &args))?;
        let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        if let (Command::Serve(serve), Some(matches)) = (&cli.command, matches.subcommand_matches("serve")) {
            let wrong = |reason| clap::Error::raw(ErrorKind::ValueValidation, format!("{reason}\n"));
            serve.check(matches).map_err(wrong)?;
        }
        Ok(cli)
    }
}

/// A variable that is set but empty counts as one that is not set.
fn without_empty_variable(option: clap::Arg) -> clap::Arg {
    let value = option.get_env().and_then(std::env::var_os);
    if value.is_some_and(|value| value.is_empty()) { option.env(Resettable::Reset) } else { option }
}

/// The error, which names the variable if the wrong value came from there.
fn with_variable(mut error: clap::Error, serve: Option<&clap::Command>, args: &[OsString]) -> clap::Error {
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidArg) else { return error };
    let wrong = serve.and_then(|serve| serve.get_arguments().find(|option| option.to_string() == *wrong));
    let Some((name, variable)) = wrong.and_then(|option| option.get_long().zip(option.get_env())) else { return error };
    // An option on the command line overrides its variable.
    let given = args.iter().any(|arg| {
        let rest = arg.to_str().and_then(|arg| arg.strip_prefix("--")?.strip_prefix(name));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    });
    if !given {
        let tip = format!("the value is from the environment variable {}", variable.display());
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    error
}

impl Serve {
    /// # Errors
    /// Options that are right each on its own contradict each other.
    fn check(&self, matches: &ArgMatches) -> Result<(), String> {
        let name = |option: &str| match matches.value_source(option) {
            Some(ValueSource::EnvVariable) => format!("TENURE_{}", option.to_uppercase()),
            _ => format!("--{option}"),
        };
        if let Some(threads) = self.threads.filter(|&threads| threads > self.sessions) {
            return Err(format!(
                "{} {threads} is above {} {}: a thread would have no connection; lower one or raise the other",
                name("threads"),
                name("sessions"),
                self.sessions
            ));
        }
        for (index, &address) in self.bind.iter().enumerate() {
            if let Some(&other) = self.bind[..index].iter().find(|&&other| overlap(address, other)) {
                let which = if address == other {
                    format!("gives {address} twice")
                } else {
                    format!("gives {other} and {address}, of which one includes the other")
                };
                return Err(format!("{} {which}: leave one out", name("bind")));
            }
        }
        Ok(())
    }
}

/// Whether listening at one of the addresses rules out the other.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let includes = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (one == other || (includes && one.is_ipv4() == other.is_ipv4()))
}

impl Timeouts {
    pub(crate) fn deadlines(&self) -> Deadlines {
        Deadlines {
            first_byte_ms: self.first_byte_timeout.0,
            idle_ms: self.idle_timeout.0,
            head_ms: self.head_timeout.0,
            body_ms: self.body_timeout.0,
            body_bytes_per_s: self.body_rate,
            handler_ms: self.handler_timeout.0,
            response_ms: self.response_timeout.0,
            response_bytes_per_s: self.response_rate,
            ping_ms: self.ping_timeout.0,
            pong_ms: self.pong_timeout.0,
            linger_ms: self.linger_timeout.0,
            flush_ms: self.flush_timeout.0,
        }
    }
}

/// A span of time in milliseconds, or [`NEVER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeout(u32);

impl Timeout {
    /// As a duration; `None`: never.
    pub(crate) fn duration(self) -> Option<Duration> {
        (self.0 != NEVER).then(|| Duration::from_millis(self.0.into()))
    }
}

impl FromStr for Timeout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("never") {
            return Ok(Timeout(NEVER));
        }
        let duration = humantime::parse_duration(text)
            .map_err(|_| "give a number and its unit, such as 500ms, 30s or 2h, or never".to_owned())?;
        if duration > TIMEOUT_MAX {
            let most = humantime::format_duration(TIMEOUT_MAX);
            return Err(format!("give at most {most}, or never for no deadline"));
        }
        let ms = duration.as_millis();
        if ms == 0 && !duration.is_zero() {
            return Err("give at least 1ms".to_owned());
        }
        Ok(Timeout(ms as u32))
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.duration() {
            Some(duration) => humantime::format_duration(duration).fmt(f),
            None => f.write_str("never"),
        }
    }
}

fn timeout(text: &str) -> Result<Timeout, String> {
    match text.parse()? {
        Timeout(0) => Err("0 would end everything at once: say never for no deadline".to_owned()),
        timeout => Ok(timeout),
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "give an address and a port, such as 127.0.0.1:8080 or [::1]:8080".to_owned())
}

/// Makes a reader of whole numbers from `least` to `most`.
fn number<T>(least: T, most: T) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: FromStr + PartialOrd + fmt::Display + Copy,
{
    move |text| {
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| format!("give a whole number from {least} to {most}"))
    }
}

fn eviction(text: &str) -> Result<Eviction, String> {
    match &*text.to_ascii_lowercase() {
        "never" => Ok(Eviction::Never),
        "without-session" => Ok(Eviction::WithoutSession),
        "least-recently-used" => Ok(Eviction::LeastRecentlyUsed),
        _ => Err("say never, without-session or least-recently-used".to_owned()),
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match &*text.to_ascii_lowercase() {
        "yes" | "y" | "true" | "t" | "on" | "1" => Ok(true),
        "no" | "n" | "false" | "f" | "off" | "0" => Ok(false),
        _ => Err("say yes or no".to_owned()),
    }
}

/// A subprotocol's name: a token (RFC 6455 section 4.1).
fn protocol(text: &str) -> Result<String, String> {
    let is_token = !text.is_empty() && text.bytes().all(tenure_proto::bytes::is_tchar);
    let is_token = is_token.then(|| text.to_owned());
    is_token.ok_or_else(|| "give letters, digits and signs such as . - or _, without blanks and commas".to_owned())
}

/// A host without the brackets that an IPv6 address has in a URL.
fn host(text: &str) -> Result<String, String> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if inner.is_empty() {
        return Err("give the server's address or name, such as 127.0.0.1".to_owned());
    }
    if inner.contains('/') {
        return Err("give the host alone, such as 127.0.0.1, not a URL".to_owned());
    }
    // An IPv6 address has more colons.
    if let Some((alone, port)) = text.rsplit_once(':')
        && (alone.ends_with(']') || !alone.contains(':'))
        && port.chars().all(|digit| digit.is_ascii_digit())
    {
        return Err(format!("give the host without a port, {alone}: the port is an argument of its own"));
    }
    Ok(inner.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Command, String> {
        let args = std::iter::once("tenure").chain(line.split_whitespace()).map(OsString::from);
        Cli::of(args).map(|cli| cli.command).map_err(|error| error.to_string())
    }

    fn serve(line: &str) -> Serve {
        match of(line) {
            Ok(Command::Serve(serve)) => serve,
            other => panic!("{line:?}: {other:?}"),
        }
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn nothing_is_serve_with_the_defaults_of_a_host() {
        for line in ["", "serve"] {
            let serve = serve(line);
            assert_eq!(serve.bind, ["127.0.0.1:8080".parse().unwrap()], "{line:?}");
            assert_eq!((serve.sessions, serve.threads, serve.quiet), (10_000, None, false));
            assert_eq!(serve.evict, Eviction::WithoutSession);
            assert_eq!((serve.spin, serve.timeouts.deadlines()), (0, Deadlines::HOST));
        }
        for (line, spin) in [("--spin 0", 0), ("--spin 50", 50), ("serve --spin=1000000", 1_000_000)] {
            assert_eq!(serve(line).spin, spin, "{line}");
        }
        assert!(serve("--quiet").quiet);
        assert_eq!(serve("serve -q --evict never").evict, Eviction::Never);
        assert_eq!(serve("serve --evict least-recently-used").evict, Eviction::LeastRecentlyUsed);
    }

    #[test]
    fn options_of_serve() {
        let serve = serve(
            "--bind 0.0.0.0:80 --bind [::1]:0,127.0.0.2:81 --sessions 7 --threads 2 --idle-timeout never --head-timeout 500ms --linger-timeout 0s --body-rate 0 --response-rate 7",
        );
        let wanted = ["0.0.0.0:80", "[::1]:0", "127.0.0.2:81"].map(|address| address.parse().unwrap());
        assert_eq!(serve.bind, wanted);
        assert_eq!((serve.sessions, serve.threads), (7, Some(2)));
        let wanted = Deadlines {
            idle_ms: NEVER,
            head_ms: 500,
            linger_ms: 0,
            body_bytes_per_s: 0,
            response_bytes_per_s: 7,
            ..Deadlines::HOST
        };
        assert_eq!(serve.timeouts.deadlines(), wanted);
    }

    #[test]
    fn every_option_of_serve_has_its_variable() {
        let cli = Cli::command();
        let serve = cli.find_subcommand("serve").unwrap();
        for option in serve.get_opts() {
            let name = option.get_long().unwrap();
            let wanted = format!("TENURE_{}", name.replace('-', "_").to_uppercase());
            assert_eq!(option.get_env().and_then(|name| name.to_str()), Some(&*wanted), "--{name}");
        }
    }

    #[test]
    fn add_takes_any_host_and_every_sum_that_fits() {
        for (line, host, n) in [
            ("add 127.0.0.1 8080 10", "127.0.0.1", 10),
            ("add ::1 8080 0", "::1", 0),
            ("add [::1] 8080 0", "::1", 0),
            ("add adder.local 8080 4294967295", "adder.local", u32::MAX),
        ] {
            let Ok(Command::Add(add)) = of(line) else { panic!("{line:?}: {:?}", of(line)) };
            assert_eq!((&*add.host, add.port, add.n), (host, 8080, n));
            assert_eq!(add.timeout.duration(), Some(Duration::from_secs(10)));
        }
    }

    #[test]
    fn many_connections_are_asked_for() {
        for (line, wanted) in [
            ("add a 1 1", (None, None)),
            ("add a 1 1 --connections 1", (Some(1), None)),
            ("add a 1 1 --pipeline 10000 --connections 1000000", (Some(1_000_000), Some(10_000))),
        ] {
            let Ok(Command::Add(add)) = of(line) else { panic!("{line:?}: {:?}", of(line)) };
            assert_eq!((add.connections, add.pipeline), wanted, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, wanted) in [
            ("serve --bind 8080", "such as 127.0.0.1:8080"),
            ("serve --bind localhost", "such as 127.0.0.1:8080"),
            ("serve --sessions 0", "'0' for '--sessions <N>': give a whole number from 1 to 4294967295"),
            ("serve --sessions -1", "'-1' for '--sessions <N>': give a whole number from 1 to 4294967295"),
            ("serve --sessions", "a value is required for '--sessions <N>'"),
            ("serve --threads 0", "from 1 to 256"),
            ("serve --threads 257", "'257' for '--threads <N>': give a whole number from 1 to 256"),
            ("serve --threads 3 --sessions 2", "--threads 3 is above --sessions 2: a thread would have no connection"),
            ("serve --spin 1000001", "'1000001' for '--spin <MICROSECONDS>': give a whole number from 0 to 1000000"),
            ("serve --spin -1", "'-1' for '--spin <MICROSECONDS>': give a whole number from 0 to 1000000"),
            ("serve --spin 50us", "'50us' for '--spin <MICROSECONDS>': give a whole number from 0 to 1000000"),
            ("serve --spin", "a value is required for '--spin <MICROSECONDS>'"),
            ("serve --body-rate x", "'x' for '--body-rate <BYTES>': give a whole number from 0 to 4294967295"),
            ("--bind 127.0.0.1:80,127.0.0.1:80", "--bind gives 127.0.0.1:80 twice: leave one out"),
            ("--bind [::1]:80 --bind 127.0.0.1:80 --bind [::1]:80", "--bind gives [::1]:80 twice: leave one out"),
            (
                "--bind 127.0.0.1:80,0.0.0.0:80",
                "--bind gives 127.0.0.1:80 and 0.0.0.0:80, of which one includes the other",
            ),
            ("serve --idle-timeout 5x", "<TIME>': give a number and its unit, such as 500ms, 30s or 2h, or never\n"),
            ("serve --idle-timeout -5", "<TIME>': give a number and its unit"),
            ("serve --idle-timeout 0s", "say never for no deadline"),
            ("serve --idle-timeout 30", "such as 500ms"),
            ("serve --idle-timeout soon", "such as 500ms"),
            ("serve --idle-timeout 25d", "give at most 24days, or never for no deadline"),
            ("serve --idle-timeout 1us", "give at least 1ms"),
            ("serve --flush-timeout=-1s", "such as 500ms"),
            ("--nonsense", "'--nonsense'"),
            ("nonsense", "'nonsense'"),
            ("listen", "<URL>"),
            ("listen 127.0.0.1:8080", "'127.0.0.1:8080' for '<URL>': give a URL that begins with http:// or ws://"),
            ("listen https://a/", "TLS is not spoken here"),
            ("listen wss://a/", "TLS is not spoken here"),
            ("listen ws://a/ --protocol a,b", "'a,b' for '--protocol <NAME>': give letters"),
            ("listen ws://a/ --timeout 0s", "say never"),
            ("chat", "<URL>"),
            ("chat http://a/", "'http://a/' for '<URL>': give a URL that begins with ws://"),
            ("chat wss://a/", "TLS is not spoken here"),
            ("load", "<URL>"),
            ("load http://a/", "'http://a/' for '<URL>': give a URL that begins with ws://"),
            ("load ws://a/ --connections 0", "'0' for '--connections <C>': give a whole number from 1 to 1000000"),
            ("load ws://a/ --pipeline 10001", "'10001' for '--pipeline <D>': give a whole number from 1 to 10000"),
            ("load ws://a/ --size -1", "'-1' for '--size <BYTES>': give a whole number from 0 to 16777216"),
            ("load ws://a/ --size 16777217", "'16777217' for '--size <BYTES>'"),
            ("load ws://a/ --messages 0", "'0' for '--messages <N>': give a whole number from 1"),
            ("chat ws://a/ --protocol=", "'' for '--protocol <NAME>': give letters"),
            ("add", "<HOST>"),
            ("add 127.0.0.1", "<PORT>"),
            ("add 127.0.0.1 8080", "<N>"),
            ("add http://a/ 8080 1", "give the host alone"),
            (
                "add 127.0.0.1:8080 8080 1",
                "give the host without a port, 127.0.0.1: the port is an argument of its own",
            ),
            ("add localhost:8080 8080 1", "give the host without a port, localhost:"),
            ("add [::1]:8080 8080 1", "give the host without a port, [::1]:"),
            ("add localhost: 8080 1", "give the host without a port, localhost:"),
            ("add [] 8080 1", "give the server's address"),
            ("add 127.0.0.1 0 1", "'0' for '<PORT>': give a whole number from 1 to 65535"),
            ("add 127.0.0.1 65536 1", "'65536' for '<PORT>'"),
            ("add 127.0.0.1 http 1", "'http' for '<PORT>'"),
            ("add 127.0.0.1 8080 -1", "'-1' for '<N>'"),
            ("add 127.0.0.1 8080 ten", "'ten' for '<N>'"),
            ("add 127.0.0.1 8080 1.5", "'1.5' for '<N>': give a whole number from 0 to 4294967295"),
            ("add 127.0.0.1 8080 4294967296", "'4294967296' for '<N>': give a whole number from 0 to 4294967295"),
            ("add 127.0.0.1 8080 1 --timeout 0s", "say never"),
            (
                "add 127.0.0.1 8080 1 --connections 0",
                "'0' for '--connections <C>': give a whole number from 1 to 1000000",
            ),
            ("add 127.0.0.1 8080 1 --connections 1000001", "'1000001' for '--connections <C>'"),
            ("add 127.0.0.1 8080 1 --pipeline 0", "'0' for '--pipeline <D>': give a whole number from 1 to 10000"),
            ("add 127.0.0.1 8080 1 --pipeline 10001", "'10001' for '--pipeline <D>'"),
            ("add 127.0.0.1 8080 1 --pipeline -1", "'-1' for '--pipeline <D>'"),
        ] {
            let error = of(line).map(|command| panic!("{line:?}: {command:?}")).unwrap_err();
            assert!(error.contains(wanted), "{line:?}: {error}");
            assert!(error.ends_with('\n') && !error.contains("environment"), "{line:?}: {error}");
        }
    }

    #[test]
    fn what_is_listened_to() {
        let Ok(Command::Listen(listen)) = of("listen ws://[::1]:81/a?b --protocol chat.v2 --protocol chat") else {
            panic!()
        };
        assert_eq!(listen.url.to_string(), "ws://[::1]:81/a?b");
        assert_eq!(listen.protocol, ["chat.v2", "chat"]);
        assert_eq!(listen.timeout.duration(), Some(Duration::from_secs(10)));
        let Ok(Command::Chat(chat)) = of("chat ws://a --timeout never") else { panic!() };
        let Ok(Command::Load(load)) = of("load ws://a --connections 2 --pipeline 3 --size 0 --messages 4") else {
            panic!()
        };
        assert_eq!((load.connections, load.pipeline, load.size, load.messages), (2, 3, 0, 4));
        let Ok(Command::Load(load)) = of("load ws://a --size 16777216") else { panic!() };
        assert_eq!((load.connections, load.pipeline, load.size, load.messages), (1, 1, 1 << 24, 10_000));
        assert_eq!((chat.url.to_string(), chat.protocol.len()), ("ws://a:80/".to_owned(), 0));
        assert_eq!(chat.timeout.duration(), None);
    }

    #[test]
    fn addresses_beside_each_other() {
        for line in ["--bind 127.0.0.1:0,127.0.0.1:0", "--bind 0.0.0.0:80,[::]:80", "--bind 0.0.0.0:80,127.0.0.1:81"] {
            assert_eq!(serve(line).bind.len(), 2);
        }
    }

    #[test]
    fn help_names_commands_and_exit_codes() {
        for line in ["--help", "-h", "serve --help", "add --help", "listen --help", "chat --help", "load --help"] {
            let help = of(line).map(|command| panic!("{line:?}: {command:?}")).unwrap_err();
            assert!(help.contains("4  what answers there is not what was asked for"), "{help}");
        }
        let help = of("--help").unwrap_err();
        assert!(help.contains("Usage: tenure [COMMAND] [OPTIONS]\n"), "{help}");
        assert!(help.contains("Without a command: serve, with its options."), "{help}");
    }

    #[test]
    fn timeouts_as_they_are_shown() {
        for (text, ms, shown) in [
            ("never", NEVER, "never"),
            ("1h", 3_600_000, "1h"),
            ("1m 30s", 90_000, "1m 30s"),
            ("24d", 2_073_600_000, "24days"),
        ] {
            let timeout: Timeout = text.parse().unwrap();
            assert_eq!((timeout, &*timeout.to_string()), (Timeout(ms), shown), "{text}");
        }
    }
}
