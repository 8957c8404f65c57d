//! The program `tenure`: serves the adder, adds, and speaks to servers whose connections stay open.
#![forbid(unsafe_code)]

mod add;
mod addresses;
mod answer;
mod args;
mod chat;
mod connect;
mod exit;
mod listen;
mod load;
mod logger;
mod opening;
mod serve;
mod socket;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod summary;
mod url;

use std::{
    fmt,
    io::{self, ErrorKind, Write as _},
    process::ExitCode,
};

use args::{Cli, Command};
use exit::Exit;

fn main() -> ExitCode {
    let exit = match Cli::of(std::env::args_os()).map(|cli| cli.command) {
        Ok(Command::Serve(serve)) => serve::run(&serve),
        Ok(Command::Add(add)) => add::run(&add),
        Ok(Command::Listen(listen)) => listen::run(&listen),
        Ok(Command::Chat(chat)) => chat::run(&chat),
        Ok(Command::Load(load)) => load::run(&load),
        Err(error) => answer(&error),
    };
    exit.into()
}

/// Prints what is wrong with the command line, or the help or version that it asks for.
fn answer(error: &clap::Error) -> Exit {
    let printed = error.print().and_then(|()| io::stdout().flush());
    if error.use_stderr() { Exit::Usage } else { written("text", printed) }
}

/// Prints the result. If standard output fails, says so on standard error.
fn say(text: fmt::Arguments<'_>) -> Exit {
    written("result", writeln!(io::stdout(), "{text}"))
}

/// The exit code after writing to standard output. A reader that has left, such as `head -1`, has what it wanted: no error.
fn written(what: &str, result: io::Result<()>) -> Exit {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            tell(format_args!("tenure: the {what} cannot be written to standard output: {error}"));
            Exit::Unwritten
        }
        _ => Exit::Done,
    }
}

/// Prints a message on standard error.
fn tell(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// The command that starts this program, as a person would type it.
fn this_program() -> String {
    // Cargo sets this for what it runs.
    if std::env::var_os("CARGO_MANIFEST_DIR").is_some() {
        let release = if cfg!(debug_assertions) { "" } else { " --release" };
        return format!("cargo run{release} --");
    }
    std::env::args().next().unwrap_or_else(|| "tenure".to_owned())
}
