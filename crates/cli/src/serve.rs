//! `tenure serve`: the adder on the Linux port.

use std::{
    fmt::Write as _,
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
    time::Duration,
};

use log::{LevelFilter, info};
use tenure_adder::Visitors;
use tenure_linux::{Error, Server, Settings};

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
        Err(error) => {
            tell(format_args!("tenure: cannot serve: {error}{}", advice(&error)));
            Exit::CannotServe
        }
    }
}

fn serve(args: &Serve) -> Result<(), Error> {
    let server = Server::bind(settings(args))?.stop_on_signals()?;
    let listening = server.local_addresses();
    for address in addresses::reachable(listening) {
        info!(target: "example_connect", "{}", addresses::line(address));
    }
    let mut ports: Vec<u16> = listening.iter().map(SocketAddr::port).collect();
    ports.dedup();
    for port in ports {
        tenure_adder::log_starting(port);
    }
    let visitors = Visitors::new();
    let app = tenure_adder::app(&visitors);
    // What to type comes after what was logged.
    log::logger().flush();
    tell(format_args!("{}", what_to_type(listening[0], &this_program())));
    if args.quiet {
        log::set_max_level(LevelFilter::Warn);
    }
    server.run(&app, &())
}

fn settings(args: &Serve) -> Settings {
    Settings {
        addresses: args.bind.clone(),
        threads: args.threads.and_then(|threads| NonZeroUsize::new(threads as usize)),
        max_open_sockets: args.sessions,
        lru_purge_enable: args.evict,
        spin: Duration::from_micros(args.spin.into()),
        deadlines: args.timeouts.deadlines(),
        ..Settings::default()
    }
}

/// What a person can do about it, as far as that is known.
fn advice(error: &Error) -> String {
    let Error::Bind(address, why) = error else { return String::new() };
    match why.kind() {
        ErrorKind::PermissionDenied if address.port() < 1024 => {
            let other = SocketAddr::new(address.ip(), 8080);
            format!(
                "\nPorts below 1024 are for administrators: choose a higher one, such as --bind {other}, or use sudo."
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
                "\n{} is not an address of this machine: give one of its own, --bind {all} for all of them, or --bind {own} for programs on this machine alone.",
                address.ip()
            )
        }
        _ => String::new(),
    }
}

fn what_to_type(listening: SocketAddr, program: &str) -> String {
    let address = addresses::to_type(listening);
    let (ip, port) = (address.ip(), address.port());
    let mut text = String::from("\nTry, while this runs:\n");
    let _ = writeln!(text, "  {program} add {ip} {port} 10");
    let _ = writeln!(text, "  curl -w '\\n' -d 5 'http://{address}/adder' 'http://{address}/adder'");
    let _ = writeln!(text, "  http://{address}/ in a browser");
    let _ = writeln!(text, "Ctrl-C stops the server.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};

    fn settings_of(line: &str) -> Settings {
        let args = std::iter::once("tenure").chain(line.split_whitespace()).map(Into::into);
        match Cli::of(args).unwrap().command {
            Command::Serve(serve) => settings(&serve),
            Command::Add(_) => panic!("{line}"),
        }
    }

    #[test]
    fn the_defaults_are_the_ports() {
        let (ours, theirs) = (settings_of(""), Settings::default());
        assert_eq!(ours.max_open_sockets, theirs.max_open_sockets);
        assert_eq!(ours.threads, theirs.threads);
        assert_eq!(ours.lru_purge_enable, theirs.lru_purge_enable);
        assert_eq!((ours.deadlines, ours.spin), (theirs.deadlines, theirs.spin));
    }

    #[test]
    fn every_option_reaches_the_server() {
        let settings = settings_of("--bind 127.0.0.1:0 --sessions 7 --threads 3 --evict --spin 50 --idle-timeout 2m");
        assert_eq!(settings.addresses, ["127.0.0.1:0".parse().unwrap()]);
        assert_eq!((settings.max_open_sockets, settings.threads.map(usize::from)), (7, Some(3)));
        assert!(settings.lru_purge_enable);
        assert_eq!(settings.spin, Duration::from_micros(50));
        assert_eq!(settings.deadlines.idle_ms, 120_000);
    }

    #[test]
    fn advice_for_an_address_that_cannot_be_listened_at() {
        let of = |address: &str, kind: ErrorKind| advice(&Error::Bind(address.parse().unwrap(), kind.into()));
        let text = of("127.0.0.1:81", ErrorKind::PermissionDenied);
        assert!(text.contains("Ports below 1024") && text.contains("--bind 127.0.0.1:8080"), "{text}");
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
        assert!(text.contains("  tenure add ::1 8080 10\n") && text.contains("http://[::1]:8080/ in"), "{text}");
    }
}
