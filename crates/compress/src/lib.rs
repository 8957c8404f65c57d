//! Compresses responses that are made at run time, for [`tenure`] on hosts: with gzip (RFC 1952), where the client accepts it.
//!
//! [`compressed`] goes around the function that makes a response: a text, `Json`, a page, with or without status and
//! fields.
//! ```
//! use serde::Serialize;
//! use tenure::{Json, Request, Router, get, kit::Server};
//! use tenure_compress::compressed;
//!
//! #[derive(Serialize)]
//! struct Row {
//!     number: u32,
//!     name: &'static str,
//! }
//!
//! async fn rows(_: &mut Request<'_, ()>) -> Json<Vec<Row>> {
//!     Json((0..500).map(|number| Row { number, name: "a row" }).collect())
//! }
//!
//! let mut server = Server::new(Router::new().route("/rows", get(compressed(rows))));
//! let client = server.connect();
//! client.send("GET /rows HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, br\r\n\r\n");
//! server.run();
//! let answer = client.received();
//! let head = String::from_utf8_lossy(&answer[..300]);
//! assert!(head.contains("\r\nContent-Encoding: gzip\r\n") && head.contains("\r\nVary: Accept-Encoding\r\n"));
//! assert!(answer.len() < 3_000); // of 15,000
//! ```
//! A response whose length is not known is a [`CompressedStream`].
//!
//! # What is compressed
//! - The client accepts gzip, and does not prefer the response as it is (`Accept-Encoding` with its weights, RFC 9110 section 12.5.3).
//! - The type is worth it ([`tenure_proto::media::is_compressible`]): text, JSON, XML; no images, no archives. Events are not, because
//!   each is to go out at once.
//! - The body has 256 bytes to 1 MiB, and is smaller compressed. More would keep the worker's other connections waiting: stream it.
//! - The status has a body and is not 206 (Partial Content). No field says that it must stay as it is: `Content-Encoding`, `Content-Range`, a
//!   digest, or `Cache-Control: no-transform`.
//!
//! Compressed or not, a response that might have been compressed says `Vary: Accept-Encoding`, so that caches keep both apart.
//! A HEAD is answered with the fields that a GET would get. A strong entity tag becomes a weak one, because the bytes differ from those
//! it was made for (RFC 9110 section 8.8.3.3); `If-None-Match` compares weakly, so 304 still works. An error that a handler returns
//! goes out unchanged.
//!
//! You choose it per route and not for a whole router, because what is compressed together with a secret may give it away: where an
//! attacker sees the length of a page with both a token and their own text, leave the page as it is (BREACH).
//!
//! # What it costs
//! The body is in memory twice, and compressing takes 8 to 24 ns of processor time per byte, in which its worker does nothing else:
//! up to 25 ms for 1 MiB. A stream keeps about 300 KiB until it ends. Files need none of this: `tenure-files` compresses them when the
//! program is built.
#![forbid(unsafe_code)]

mod response;
mod stream;

pub use response::{Compressed, compressed};
pub use stream::CompressedStream;

use flate2::Compression;
use tenure::Request;
use tenure_proto::accept::{AcceptEncoding, Coding};

/// The next one takes up to twelve times as long, for 3 to 7 percent less: of JSON 95 ns per byte instead of 8, of prose 32 instead of 24.
const LEVEL: Compression = Compression::new(2);

const ACCEPT_ENCODING: &str = "Accept-Encoding";

/// Whether the client is to get gzip.
fn accepts_gzip<S>(request: &Request<'_, S>) -> bool {
    let mut accepted = AcceptEncoding::new();
    for (_, value) in request.fields().filter(|(name, _)| name.eq_ignore_ascii_case(ACCEPT_ENCODING)) {
        accepted.add(value);
    }
    accepted.choose(|coding| coding != Coding::Brotli) == Some(Coding::Gzip)
}

/// The README's program is tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
