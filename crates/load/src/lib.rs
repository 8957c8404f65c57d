//! A load generator for servers whose answers are numbers: many connections on one thread, each of which sends a batch of
//! requests, waits for all of its answers, checks every one, and sends the next batch.
//!
//! It costs little, so that a server can be measured that has a core of its own: one receive and one send a batch, heads
//! that equal the one before are not read again, and nothing is allocated for a request.
//!
//! ```no_run
//! use std::time::Duration;
//! use tenure_load::{Load, Plan, Repeat, Sums, Until};
//!
//! let plan = Plan { address: ([127, 0, 0, 1], 8080).into(), connections: 32, pipeline: 1, timeout: None };
//! let post = "POST /adder HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1";
//! let mut load = Load::connect(&plan, Repeat::new(post, Sums::Grow))?;
//! let report = load.run(Until::Time(Duration::from_secs(1)), |_| ())?;
//! println!("{:.0} requests per second, {} wrong sums", report.rate(), report.wrong);
//! # Ok::<(), tenure_load::Failure>(())
//! ```
//!
//! WebSockets are loaded in the same way ([`Load::open`]): an answer is the length of a message.
//!
//! It needs epoll: elsewhere than on Linux there are the scripts alone.
#![forbid(unsafe_code)]

#[cfg(any(target_os = "linux", target_os = "android"))]
mod answer;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod connection;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod descriptors;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod failure;
mod length;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod load;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod protocol;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod report;
mod script;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod websocket;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub use descriptors::raise_descriptors;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use failure::{Failure, Why};
pub use length::content_length;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use load::{Load, Plan, Until};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use protocol::{Http, Protocol};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use report::{Bar, Report, Wrong};
pub use script::{Echo, Numbers, Repeat, Script, Sums, authority};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use websocket::{Opening, WebSocket};
