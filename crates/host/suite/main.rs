//! What both ports of hosts must do, on real sockets: each builds it and says in its own folder which one it is.

mod common;

mod backpressure;
mod closing;
mod delivered;
#[path = "../../tenure/tests/support/file_cases.rs"]
mod file_cases;
mod files;
mod handle;
mod limits;
mod open;
mod panics;
mod session;
mod sleep;
mod sockets;
mod spawned;
mod stop;
mod thousand;
mod wakers;
mod workers;
