//! `tenure serve`: the adder on the port for Linux, or on that for tokio.

use std::{
    fmt::{self, Write as _},
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
};

use log::{LevelFilter, info};
use tenure::Limits;
use tenure_adder::{Ends, Live, SUMS};

use crate::{addresses, args::Serve, exit::Exit, logger, tell, this_program};

/// Runs the command: serves until a signal stops it.
pub(crate) fn run(args: &Serve) -> Exit {
    if let Err(error) = logger::install() {
        tell(format_args!("tenure: the log cannot be started: {error}"));
        return Exit::CannotServe;
    }
    let served = serve(args);
    log::logger().flush();
    match served {
        Ok(()) => Exit::Done,
        Err(failure) => {
            tell(format_args!("tenure: cannot serve: {failure}"));
            Exit::CannotServe
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn serve(args: &Serve) -> Result<(), Failure> {
    if args.tokio { serve_on_tokio(args) } else { on_linux::serve(args) }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn serve(args: &Serve) -> Result<(), Failure> {
    serve_on_tokio(args)
}

fn serve_on_tokio(args: &Serve) -> Result<(), Failure> {
    if args.spin > 0 {
        let text = format!("--spin {} needs epoll", args.spin);
        return Err(Failure { text, advice: ": leave it out, or serve on Linux without --tokio".to_owned() });
    }
    on_tokio::serve(args)
}

/// Why the server cannot start, and what a person can do about it.
#[derive(Debug)]
struct Failure {
    text: String,
    advice: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, self.advice)
    }
}

/// Serves on one of the ports. Their names are the same; one has settings of its own.
macro_rules! on {
    ($name:ident, $port:ident, |$args:ident| $($more:tt)*) => {
        mod $name {
            use $port::{Error, Server, Settings};

            use super::*;

            pub(super) fn serve(args: &Serve) -> Result<(), Failure> {
                let server = Server::bind(settings(args)).and_then(Server::stop_on_signals).map_err(failure)?;
                starts(server.local_addresses());
                let live = Live::new();
                let app = tenure_adder::live_app(&live);
                let handle = server.handle();
                let ends = Ends::new(&live, |event| {
                    // A worker that is stuck, or has stopped, is not told: its pages miss this end.
                    let _ = handle.publish(SUMS, event);
                });
                started(args, server.local_addr());
                server.run(&app, &ends).map_err(failure)
            }

            pub(super) fn settings($args: &Serve) -> Settings {
                Settings {
                    addresses: $args.bind.clone(),
                    threads: $args.threads.and_then(|threads| NonZeroUsize::new(threads as usize)),
                    connections_max: $args.sessions,
                    eviction: $args.evict,
                    deadlines: $args.timeouts.deadlines(),
                    limits: Limits { content_type: tenure_adder::CONTENT_TYPE, ..Limits::HOST },
                    $($more)*
                    ..Settings::default()
                }
            }

            fn failure(error: Error) -> Failure {
                let advice = match &error {
                    Error::Bind(address, why) => advice(*address, why.kind()),
                    _ => String::new(),
                };
                Failure { text: error.to_string(), advice }
            }
        }
    };
}

#[cfg(any(target_os = "linux", target_os = "android"))]
on!(on_linux, tenure_linux, |args| spin_us: args.spin,);
on!(on_tokio, tenure_tokio, |args|);

/// Says where it listens.
fn starts(listening: &[SocketAddr]) {
    for address in addresses::reachable(listening) {
        info!(target: "example_connect", "{}", addresses::line(address));
    }
    let mut ports: Vec<u16> = listening.iter().map(SocketAddr::port).collect();
    ports.dedup();
    for port in ports {
        tenure_adder::log_starting(port);
    }
}

/// Says what to type. With `--quiet`, logs only warnings from then on.
fn started(args: &Serve, listening: SocketAddr) {
    // So that the log's lines stand above it.
    log::logger().flush();
    tell(format_args!("{}", what_to_type(listening, &this_program())));
    if args.quiet {
        log::set_max_level(LevelFilter::Warn);
    }
}

/// What a person can do about a failed bind; empty if nothing is known.
fn advice(address: SocketAddr, why: ErrorKind) -> String {
    match why {
        ErrorKind::PermissionDenied if address.port() < 1024 => {
            let other = SocketAddr::new(address.ip(), 8080);
            format!(
                "\nOnly administrators may use ports below 1024: choose a higher one, such as --bind {other}, or use sudo."
            )
        }
        ErrorKind::AddrNotAvailable => {
            let (own, all) = if address.is_ipv4() {
                (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::UNSPECIFIED.into())
            } else {
                (Ipv6Addr::LOCALHOST.into(), Ipv6Addr::UNSPECIFIED.into())
            };
            let [own, all] = [own, all].map(|ip| SocketAddr::new(ip, address.port()));
            format!(
                "\n{} is not an address of this machine: give one of its own, --bind {all} for all of them, or --bind {own} for programs on this machine only.",
                address.ip()
            )
        }
        _ => String::new(),
    }
}

fn what_to_type(listening: SocketAddr, program: &str) -> String {
    let address = addresses::to_type(listening);
    let (ip, port) = (address.ip(), address.port());
    let mut text = String::new();
    let _ = writeln!(text, "\nOpen http://{address}/ in a browser: it shows every sum as it changes, and has a chat.");
    let _ = writeln!(text, "Or try, while this runs:");
    let _ = writeln!(text, "  {program} add {ip} {port} 10");
    let _ = writeln!(text, "  curl -w '\\n' -d 5 'http://{address}/adder' 'http://{address}/adder'");
    let _ = writeln!(text, "  {program} listen http://{address}/events");
    let _ = writeln!(text, "  {program} chat ws://{address}/chat");
    let _ = writeln!(text, "Ctrl-C stops the server.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};

    fn args(line: &str) -> Serve {
        let args = std::iter::once("tenure").chain(line.split_whitespace()).map(Into::into);
        match Cli::of(args).unwrap().command {
            Command::Serve(serve) => serve,
            other => panic!("{line}: {other:?}"),
        }
    }

    macro_rules! settings {
        ($name:ident, $port:ident) => {
            mod $name {
                use $port::Settings;

                use super::{super::$name::settings, args};

                #[test]
                fn the_defaults_are_the_ports() {
                    let (ours, theirs) = (settings(&args("")), Settings::default());
                    assert_eq!(ours.connections_max, theirs.connections_max);
                    assert_eq!(ours.threads, theirs.threads);
                    assert_eq!(ours.eviction, theirs.eviction);
                    assert_eq!(ours.deadlines, theirs.deadlines);
                    assert_eq!(ours.limits, tenure::Limits { content_type: Some("text/html"), ..theirs.limits });
                }

                #[test]
                fn every_option_reaches_the_server() {
                    let line = "--bind 127.0.0.1:0 --sessions 7 --threads 3 --evict never --idle-timeout 2m";
                    let settings = settings(&args(line));
                    assert_eq!(settings.addresses, ["127.0.0.1:0".parse().unwrap()]);
                    assert_eq!((settings.connections_max, settings.threads.map(usize::from)), (7, Some(3)));
                    assert_eq!(settings.eviction, tenure::Eviction::Never);
                    assert_eq!(settings.deadlines.idle_ms, 120_000);
                }
            }
        };
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    settings!(on_linux, tenure_linux);
    settings!(on_tokio, tenure_tokio);

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn spinning_is_for_the_port_with_epoll() {
        assert_eq!(super::on_linux::settings(&args("")).spin_us, 0);
        assert_eq!(super::on_linux::settings(&args("--spin 50")).spin_us, 50);
        let failure = serve_on_tokio(&args("--tokio --spin 50")).unwrap_err();
        assert_eq!(failure.to_string(), "--spin 50 needs epoll: leave it out, or serve on Linux without --tokio");
    }

    #[test]
    fn advice_for_an_address_that_cannot_be_listened_at() {
        let of = |address: &str, kind: ErrorKind| advice(address.parse().unwrap(), kind);
        let text = of("127.0.0.1:81", ErrorKind::PermissionDenied);
        assert!(text.contains("ports below 1024") && text.contains("--bind 127.0.0.1:8080"), "{text}");
        let text = of("192.0.2.1:8080", ErrorKind::AddrNotAvailable);
        assert!(text.contains("192.0.2.1 is not an address of this machine"), "{text}");
        assert!(text.contains("--bind 0.0.0.0:8080 ") && text.contains("--bind 127.0.0.1:8080 "), "{text}");
        let text = of("[2001:db8::1]:80", ErrorKind::AddrNotAvailable);
        assert!(text.contains("--bind [::]:80 ") && text.contains("--bind [::1]:80 "), "{text}");
        assert_eq!(of("127.0.0.1:8080", ErrorKind::PermissionDenied), "");
    }

    #[test]
    fn what_to_type_names_the_real_address() {
        let text = what_to_type("0.0.0.0:80".parse().unwrap(), "tenure");
        assert!(text.contains("  tenure add 127.0.0.1 80 10\n"), "{text}");
        let text = what_to_type("[::]:8080".parse().unwrap(), "tenure");
        assert!(text.contains("  tenure add ::1 8080 10\n") && text.contains("\nOpen http://[::1]:8080/ in"), "{text}");
    }
}
