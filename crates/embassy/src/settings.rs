//! A server's settings. Names of `esp_http_server` are aliases in the documentation's search.

use tenure::{Deadlines, Limits};

/// A server's settings. How many connections, lanes and bytes there are is [`Memory`](crate::Memory)'s.
#[doc(alias("httpd_config_t", "HTTPD_DEFAULT_CONFIG"))]
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The port at which it listens, on every address that the stack has.
    #[doc(alias = "server_port")]
    pub port: u16,
    /// Whether a connection beyond those there is room for takes the place of the least recently used idle one. Otherwise
    /// it waits.
    pub lru_purge_enable: bool,
    /// For how long the link may be away, in milliseconds, 60,000 unless set: then every connection ends with
    /// [`LinkDown`](tenure::EndReason::LinkDown). Until then all go on; [`NEVER`](tenure::NEVER): for ever.
    pub link_down_ms: u32,
    /// Bounds in time. [`flush_ms`](Deadlines::flush_ms) is also what a socket may take to connect, and to close once its
    /// connection has ended, but 1 s at least; then it is aborted. One that connects gives way
    /// after half a second where no other socket listens.
    pub deadlines: Deadlines,
    /// Bounds in bytes.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            port: 80,
            lru_purge_enable: false,
            link_down_ms: 60_000,
            deadlines: Deadlines::BOARD,
            limits: Limits::BOARD,
        }
    }
}

impl Settings {
    /// The defaults, listening at that port.
    // Inlined, so that the compiler sees what a program does not ask for.
    #[inline]
    pub fn at(port: u16) -> Self {
        Settings { port, ..Settings::default() }
    }
}
