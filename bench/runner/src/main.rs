//! The bench: starts the servers, verifies and measures them, and writes the table and the picture.
#![forbid(unsafe_code)]

mod client;
mod contender;
mod figures;
mod files;
mod instructions;
mod json;
mod machine;
mod measure;
mod memory;
mod options;
mod picture;
mod requests;
mod run;
mod server;
mod table;
mod verify;
mod websocket;
mod wrk;

use std::process::ExitCode;

/// Why nothing is measured, for a person.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match options::Options::of(std::env::args().skip(1)).and_then(|options| run::run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
