//! WebSocket, for servers first: RFC 6455 sections 4 to 8.
//!
//! [`Handshake`] says whether a request opens one, and what it is answered with. [`client`] has what the other side needs: the
//! key that it sends, whether the answer fits it, and masked frames.
//!
//! Frames are read in place: [`MessageReader, small_message`] takes the mask off where the bytes lie, checks text as it comes, and
//! cuts control frames out from between the fragments of a message. What breaks the protocol is a [`Violation`], which
//! knows the close code to answer with. [`frame`] and [`close`] write what a server sends.
//!
//! No extension is negotiated, so reserved bits are zero. One that uses them (RFC 7692) would tell [`FrameHead::parse`]
//! which, and stand between the reader's pieces and whoever takes them.

mod accept;
pub mod client;
pub mod close;
pub mod frame;
pub mod handshake;
mod mask;
mod message;
mod short;
mod utf8;
mod violation;

pub use close::{Close, CloseCode};
pub use frame::{FrameHead, Opcode};
pub use handshake::{Handshake, HandshakeRefusal, Origins};
pub use mask::Mask;
pub use message::{Client, Data, Found, MessageLimits, MessageReader, Sender, Server, small_message};
pub use short::ShortBytes;
pub use violation::Violation;
