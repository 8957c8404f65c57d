//! What no input may do to tenure's parsers and connections: each module is the body of one fuzz target, and panics where a
//! promise is broken. `cargo xtask fuzz` builds and runs them.
#![forbid(unsafe_code)]

pub mod chunked;
pub mod connection;
pub mod cuts;
#[path = "../../crates/load/src/failure.rs"]
#[allow(dead_code, missing_docs, unreachable_pub, reason = "what the load generator's reader answers with")]
mod failure;
pub mod files;
pub mod head;
pub mod json;
#[path = "../../crates/load/src/length.rs"]
#[allow(unreachable_pub, reason = "the load generator's own")]
mod length;
pub mod login;
pub mod multipart;
pub mod open;
pub mod response;
pub mod target;
pub mod values;
pub mod websocket;

// What the program's reader of answers takes of the load generator.
extern crate self as tenure_load;
#[doc(hidden)]
pub use length::content_length;
