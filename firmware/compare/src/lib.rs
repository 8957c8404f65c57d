//! What all programs here have alike: sockets, their rings, the port, and how a number is read and written.
#![no_std]

use embassy_net::StackResources;
use static_cell::StaticCell;

/// The port.
pub const PORT: u16 = 80;
/// Connections that are served at once, as many as in the original where nothing else is asked for.
pub const SESSIONS: usize = if cfg!(feature = "many") { 32 } else { 7 };
/// Requests that tenure answers at once.
pub const LANES: usize = if cfg!(feature = "lanes") { 4 } else { 2 };
/// Sockets: two more, for newcomers and for connections that still close.
pub const SOCKETS: usize = SESSIONS + 2;
/// Bytes of a socket's ring each way.
pub const RING: usize = 1_460;
/// Bytes of a server's own buffer for a request.
pub const BUFFER: usize = 1_024;

/// The stack's memory: with one of the servers it has a socket for DNS as well. To be called once.
pub fn resources() -> &'static mut StackResources<{ SOCKETS + 1 }> {
    static RESOURCES: StaticCell<StackResources<{ SOCKETS + 1 }>> = StaticCell::new();
    RESOURCES.init_with(StackResources::new)
}

/// A number's text.
pub type Text = heapless::String<20>;

/// A number in decimal digits.
#[must_use]
pub fn text(number: i64) -> Text {
    let mut text = Text::new();
    // 20 characters are what the longest has.
    let _ = core::fmt::write(&mut text, format_args!("{number}"));
    text
}
