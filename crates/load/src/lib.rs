//! A load generator for servers whose answers are numbers: many connections on one thread, each of which sends a batch of
//! requests, waits for all of its answers, checks every one, and sends the next batch.
//!
//! It costs little, so that a server can be measured that has a core of its own: one receive and one send a batch, heads
//! that equal the one before are not read again, and nothing is allocated for a request.
#![forbid(unsafe_code)]

mod answer;
mod connection;
mod descriptors;
mod failure;
mod load;
mod report;
mod script;

pub use descriptors::raise_descriptors;
pub use failure::{Failure, Why};
pub use load::{Load, Plan, Until};
pub use report::{Bar, Report, Wrong};
pub use script::{Numbers, Repeat, Script, Sums, authority};
