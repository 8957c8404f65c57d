//! HTTP/1.1 for servers, protocol only: bytes in, events out, bytes out (RFC 9110, RFC 9112).
//!
//! No I/O, no clock, no allocation, no unsafe code. Everything a parser takes may arrive in any number of pieces; what
//! was read once is not read again, and no input makes a function of this crate panic.
//!
//! | module | decides |
//! |---|---|
//! | [`bytes`] | which bytes may stand where |
//! | [`head`] | where a request head ends and what it says |
//! | [`framing`] | where a request body ends |
//! | [`chunked`] | where the chunks of a body lie |
//! | [`target`] | what a request is aimed at |
//! | [`conditional`] | what a request asks of a representation's validators |
//! | [`range`] | which part of it a request wants |
//! | [`accept`] | in which coding |
//! | [`date`] | how dates are written and read |
//! | [`media`] | which type a file's name tells |
//! | [`multipart`] | where the parts of a form lie, and what their heads say (RFC 7578) |
//! | [`response`] | how a response head is written |
//! | [`refusal`] | why a request is not taken, and with which status |
//! | [`events`] | how server-sent events are written and read (WHATWG) |
//! | [`websocket`] | which requests open a WebSocket, which messages frames make, and how they are written, on both sides (RFC 6455) |
#![no_std]
#![forbid(unsafe_code)]

pub mod accept;
pub mod bytes;
pub mod chunked;
pub mod conditional;
pub mod cookie;
pub mod date;
pub mod events;
pub mod framing;
pub mod head;
pub mod media;
pub mod method;
pub mod multipart;
pub mod range;
pub mod refusal;
pub mod response;
pub mod status;
pub mod target;
mod texts;
pub mod websocket;
