//! What is more than a cargo call: `cargo xtask NAME` measures the running program from outside.

mod bench;
mod board;
mod capture;
mod client;
mod close;
mod counted;
mod counted_open;
mod drip;
mod fuzz;
mod guest;
mod instructions;
mod live;
mod memory;
mod nginx;
mod package;
mod qemu;
mod riscv;
mod server;
mod simulate;
mod size;
mod systems;
mod torture;
mod waiting;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask NAME

  memory [stalled]        bytes that an idle session takes, from 1,000 to 10,000 connections; or that 1,000 stalled bodies take
  instructions [--check]  instructions of a request, by callgrind (valgrind must be installed);
                          --check: fails where one is 3 % off the record in xtask/instructions.txt, or above its bound
  instructions --record   writes that record anew
  drip                    1,000 connections that drip, and an honest client beside them; waiting handlers
  simulate [--walks N] [--seed S]
                          random walks over the driver, on both widths: a million from seed 0 on
  torture [--port linux|tokio] [--minutes N | --lives N] [--seed S]
                          servers that start, serve and stop among clients that reset, half-close, drip and pipeline, while
                          handlers panic; what they held is compared: both ports, for a minute each, from seed 0 on
  riscv                   compiles all that a board runs for riscv32imc
  systems [--all]         compiles the ports for hosts for 32-bit Linux and OpenBSD, with Debian's compiler; --all: for ARM, FreeBSD
                          and macOS, too
  qemu [PROGRAM …]        boots the adder and a device's service in QEMU on riscv32imc and tests them (qemu-system-riscv32 must be
                          installed); PROGRAM: those of them alone, such as device
  qemu --show             boots the live page there, for a browser on this machine
  board                   builds and links the adder's image for the ESP32-C3, by Wi-Fi and by Ethernet, and tells its sizes
  nginx                   asks nginx (nginx-light must be installed) the cases of conformance/files, and compares its answers with what
                          they say of it
  package                 packs every crate as it would be published, and builds each from its archive
  size [PROGRAM …]        flash, RAM and instructions of a request of the images for riscv32imc, beside other servers; PROGRAM:
                          those of them alone, such as tenure or picoserve, with one boot each
  size --parts            flash of an image by the parts of tenure that it uses
  bench [--quick]         measures tenure beside other servers; `cargo xtask bench --help` has all options
  fuzz [TARGET]           looks for faults by fuzzing; `cargo xtask fuzz --help` has all options
  close                   1 MiB sent 1,000 times to a target that answers 413 at once";

/// Why a task failed, for a person.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["memory"] => memory::run(),
        ["memory", "stalled"] => memory::stalled(),
        ["nginx"] => nginx::run(),
        ["package"] => package::run(),
        ["qemu", "--show"] => live::show(),
        ["qemu", ..] => qemu::run(&args[1..]),
        ["board"] => board::run(),
        ["size", "--parts"] => size::parts(),
        ["size", ..] => size::run(&args[1..]),
        ["riscv"] => riscv::run(),
        ["systems"] => systems::run(false),
        ["systems", "--all"] => systems::run(true),
        ["instructions"] => instructions::run(instructions::Then::Show),
        ["instructions", "--check"] => instructions::run(instructions::Then::Check),
        ["instructions", "--record"] => instructions::run(instructions::Then::Record),
        ["simulate", ..] => simulate::run(&args[1..]),
        ["torture", ..] => torture::run(&args[1..]),
        ["drip"] => drip::run(),
        ["bench", ..] => bench::run(&args[1..]),
        ["close"] => close::run(),
        ["fuzz", "--help"] => {
            println!("{}", fuzz::HELP);
            Ok(())
        }
        ["fuzz", ..] => fuzz::run(&args[1..]),
        // Not for people: `drip` and `instructions` start them in processes of their own.
        ["waiting-server"] => waiting::serve(),
        ["counted-server"] => counted::serve(),
        _ => Err(HELP.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
