//! The program `tenure`: serves the adder, and adds.
#![forbid(unsafe_code)]

mod add;
mod addresses;
mod answer;
mod args;
mod exit;
mod logger;
mod serve;

use std::{fmt, io::Write as _, process::ExitCode};

use args::{Cli, Command};

fn main() -> ExitCode {
    match Cli::of(std::env::args_os()).unwrap_or_else(|error| error.exit()).command {
        Command::Serve(serve) => serve::run(&serve),
        Command::Add(add) => add::run(&add),
    }
    .into()
}

/// Says something to the person on standard output. Where nobody reads it any more, that is no error.
fn say(text: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Says something to the person on standard error.
fn tell(text: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
