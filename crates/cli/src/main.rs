//! The program `tenure`: serves the adder, and adds.
#![forbid(unsafe_code)]

mod add;
mod addresses;
mod answer;
mod args;
mod exit;
mod logger;
mod serve;

use std::{
    fmt,
    io::{ErrorKind, Write as _},
    process::ExitCode,
};

use args::{Cli, Command};
use exit::Exit;

fn main() -> ExitCode {
    match Cli::of(std::env::args_os()).unwrap_or_else(|error| error.exit()).command {
        Command::Serve(serve) => serve::run(&serve),
        Command::Add(add) => add::run(&add),
    }
    .into()
}

/// Says the result on standard output, and on standard error if that is impossible. A reader that has left, such as `head -1`,
/// has what it wanted: that is no error.
fn say(text: fmt::Arguments<'_>) -> Exit {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            tell(format_args!("tenure: the result cannot be written to standard output: {error}"));
            Exit::Unwritten
        }
        _ => Exit::Done,
    }
}

/// Says something to the person on standard error.
fn tell(text: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// How this program was called, as far as a person would type it again.
fn this_program() -> String {
    // Cargo sets this for what it runs.
    if std::env::var_os("CARGO_MANIFEST_DIR").is_some() {
        let release = if cfg!(debug_assertions) { "" } else { " --release" };
        return format!("cargo run{release} --");
    }
    std::env::args().next().unwrap_or_else(|| "tenure".to_owned())
}
