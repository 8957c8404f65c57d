//! The command line: one definition for each option, its environment variable and its help.

use std::{ffi::OsString, fmt, net::SocketAddr, num::NonZeroUsize, str::FromStr, time::Duration};

use clap::{Args, Parser, Subcommand, builder::BoolishValueParser, value_parser};
use tenure::{Deadlines, NEVER};

use crate::exit::Exit;

const ABOUT: &str = "An HTTP/1.1 server whose sessions live exactly as long as their sockets.";
const EXAMPLES: &str = "\
Without a command: serve.

Examples:
  tenure                                     serve the adder at 127.0.0.1:8080
  tenure serve --bind 0.0.0.0:80 --evict     serve it to everybody
  tenure add 127.0.0.1 8080 10               let it add 1 to 10: Result = 55";

/// The longest timeout. The clock of deadlines counts 32 bits of milliseconds, and looks half of them ahead.
const TIMEOUT_MAX: Duration = Duration::from_hours(24 * 24);

#[derive(Debug, Parser)]
#[command(name = "tenure", version, about = ABOUT, after_help = format!("{EXAMPLES}\n\n{}", Exit::table()))]
#[command(subcommand_required = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the adder until Ctrl-C
    #[command(after_help = Exit::table())]
    Serve(Serve),
    /// Let a server add the numbers 1 to N over one connection
    #[command(after_help = Exit::table())]
    Add(Add),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen; may be given several times. Port 0: any free one. An IPv6 address is for IPv6 alone
    #[arg(long, value_name = "ADDR:PORT", env = "TENURE_BIND", value_delimiter = ',', value_parser = address)]
    #[arg(default_value = "127.0.0.1:8080")]
    pub(crate) bind: Vec<SocketAddr>,

    /// Connections at once at the most
    #[arg(long, value_name = "N", env = "TENURE_SESSIONS", default_value_t = 10_000)]
    #[arg(value_parser = value_parser!(u32).range(1..))]
    pub(crate) sessions: u32,

    /// Threads that serve, each with its share of the connections; one for each core unless set
    #[arg(long, value_name = "N", env = "TENURE_THREADS", value_parser = threads)]
    pub(crate) threads: Option<NonZeroUsize>,

    /// When all sessions are taken, let a new connection take the place of the least recently used idle one
    #[arg(long, env = "TENURE_EVICT", value_parser = BoolishValueParser::new())]
    pub(crate) evict: bool,

    /// No line for each request
    #[arg(long, short, env = "TENURE_QUIET", value_parser = BoolishValueParser::new())]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) timeouts: Timeouts,
}

/// How long each step of a connection may take.
#[derive(Debug, Args)]
#[command(next_help_heading = "Deadlines (such as 500ms, 30s, 2h, or never)")]
pub(crate) struct Timeouts {
    /// From a connection's start to its first octet
    #[arg(long, value_name = "TIME", env = "TENURE_FIRST_OCTET_TIMEOUT", value_parser = timeout)]
    #[arg(default_value_t = Timeout(Deadlines::HOST.first_octet_ms))]
    first_octet_timeout: Timeout,

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

    /// Octets of a body that must come each second once its timeout is used up; 0: any
    #[arg(long, value_name = "OCTETS", env = "TENURE_BODY_RATE")]
    #[arg(default_value_t = Deadlines::HOST.body_octets_per_s)]
    body_rate: u32,

    /// From a request to its response, without the wait for its body, else 503
    #[arg(long, value_name = "TIME", env = "TENURE_HANDLER_TIMEOUT", value_parser = timeout)]
    #[arg(default_value_t = Timeout(Deadlines::HOST.handler_ms))]
    handler_timeout: Timeout,

    /// For a peer to take more of a response
    #[arg(long, value_name = "TIME", env = "TENURE_RESPONSE_TIMEOUT", value_parser = timeout)]
    #[arg(default_value_t = Timeout(Deadlines::HOST.response_ms))]
    response_timeout: Timeout,

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
    #[arg(value_name = "PORT", value_parser = value_parser!(u16).range(1..))]
    pub(crate) port: u16,

    /// The last number to add, 0 to 4294967295: a greater sum would not fit 64 bits
    #[arg(value_name = "N", allow_negative_numbers = true)]
    pub(crate) n: u32,

    /// How long to wait for the connection, and for each answer
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
        Cli::try_parse_from(args)
    }
}

impl Timeouts {
    pub(crate) fn deadlines(&self) -> Deadlines {
        Deadlines {
            first_octet_ms: self.first_octet_timeout.0,
            idle_ms: self.idle_timeout.0,
            head_ms: self.head_timeout.0,
            body_ms: self.body_timeout.0,
            body_octets_per_s: self.body_rate,
            handler_ms: self.handler_timeout.0,
            response_ms: self.response_timeout.0,
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
            .map_err(|error| format!("{error}: give a time such as 500ms, 30s or 2h, or never"))?;
        if duration > TIMEOUT_MAX {
            let most = humantime::format_duration(TIMEOUT_MAX);
            return Err(format!("more than {most} cannot be counted: say never for no deadline"));
        }
        let ms = duration.as_millis();
        if ms == 0 && !duration.is_zero() {
            return Err("less than 1ms cannot be counted".to_owned());
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

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "give a whole number of threads, 1 or more".to_owned())
}

/// A host without the brackets that an IPv6 address has in a URL.
fn host(text: &str) -> Result<String, String> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if inner.is_empty() {
        return Err("give the server's address or name, such as 127.0.0.1".to_owned());
    }
    if inner.contains("//") || inner.contains('/') {
        return Err("give the host alone, not a URL".to_owned());
    }
    Ok(inner.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

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
            assert_eq!((serve.sessions, serve.threads, serve.evict, serve.quiet), (10_000, None, false, false));
            assert_eq!(serve.timeouts.deadlines(), Deadlines::HOST);
        }
        assert!(serve("--quiet").quiet);
        assert!(serve("serve -q --evict").evict);
    }

    #[test]
    fn options_of_serve() {
        let serve = serve(
            "--bind 0.0.0.0:80 --bind [::1]:0,127.0.0.2:81 --sessions 7 --threads 2 --idle-timeout never --head-timeout 500ms --linger-timeout 0s --body-rate 0",
        );
        let wanted = ["0.0.0.0:80", "[::1]:0", "127.0.0.2:81"].map(|address| address.parse().unwrap());
        assert_eq!(serve.bind, wanted);
        assert_eq!((serve.sessions, serve.threads.map(NonZeroUsize::get)), (7, Some(2)));
        let wanted = Deadlines { idle_ms: NEVER, head_ms: 500, linger_ms: 0, body_octets_per_s: 0, ..Deadlines::HOST };
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
    fn what_is_wrong_is_said() {
        for (line, wanted) in [
            ("serve --bind 8080", "such as 127.0.0.1:8080"),
            ("serve --bind localhost", "such as 127.0.0.1:8080"),
            ("serve --sessions 0", "'0' for '--sessions"),
            ("serve --threads 0", "1 or more"),
            ("serve --idle-timeout 0s", "say never for no deadline"),
            ("serve --idle-timeout 30", "such as 500ms"),
            ("serve --idle-timeout soon", "such as 500ms"),
            ("serve --idle-timeout 25d", "say never for no deadline"),
            ("serve --idle-timeout 1us", "less than 1ms"),
            ("serve --flush-timeout=-1s", "such as 500ms"),
            ("--nonsense", "'--nonsense'"),
            ("nonsense", "'nonsense'"),
            ("add", "<HOST>"),
            ("add 127.0.0.1", "<PORT>"),
            ("add 127.0.0.1 8080", "<N>"),
            ("add http://a/ 8080 1", "give the host alone"),
            ("add [] 8080 1", "give the server's address"),
            ("add 127.0.0.1 0 1", "'0' for '<PORT>'"),
            ("add 127.0.0.1 65536 1", "'65536' for '<PORT>'"),
            ("add 127.0.0.1 http 1", "'http' for '<PORT>'"),
            ("add 127.0.0.1 8080 -1", "'-1' for '<N>'"),
            ("add 127.0.0.1 8080 ten", "'ten' for '<N>'"),
            ("add 127.0.0.1 8080 4294967296", "'4294967296' for '<N>'"),
            ("add 127.0.0.1 8080 1 --timeout 0s", "say never"),
        ] {
            let error = of(line).map(|command| panic!("{line:?}: {command:?}")).unwrap_err();
            assert!(error.contains(wanted), "{line:?}: {error}");
        }
    }

    #[test]
    fn help_names_commands_and_exit_codes() {
        for line in ["--help", "-h", "serve --help", "add --help"] {
            let help = of(line).map(|command| panic!("{line:?}: {command:?}")).unwrap_err();
            assert!(help.contains("4  add: what answers there is not this server"), "{help}");
        }
        assert!(of("--help").unwrap_err().contains("Without a command: serve."));
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
