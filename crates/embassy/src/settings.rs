//! A server's settings. Names of `esp_http_server` are aliases in the documentation's search.

use tenure::{Deadlines, Eviction, Limits};

/// A server's settings. How many connections, lanes and bytes there are is [`Memory`](crate::Memory)'s.
#[doc(alias("httpd_config_t", "HTTPD_DEFAULT_CONFIG"))]
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The port at which it listens, on every address that the stack has.
    #[doc(alias = "server_port")]
    pub port: u16,
    /// Which idle connection gives way to one beyond those there is room for, which otherwise waits. Unless it is
    /// [`Eviction::Never`], a connection without a session is closed after its response if there is no room.
    #[doc(alias = "lru_purge_enable")]
    pub eviction: Eviction,
    /// The most connections of one peer, those that wait for a place included; `None`: as many as there may be. One more is closed at
    /// once, before anything is read, and [`Observer::turned_away`](tenure::Observer::turned_away) is told. What a peer is says
    /// [`PerPeer`](tenure::PerPeer).
    pub connections_per_peer_max: Option<u32>,
    /// Whether silent peers are probed (RFC 9293 section 3.8.4). A connection whose peer does not answer counts as reset.
    #[doc(alias = "keep_alive_enable")]
    pub keep_alive: bool,
    /// From the last byte to the first probe, and from one probe to the next, in seconds; 15 unless set.
    #[doc(alias("keep_alive_idle", "keep_alive_interval"))]
    pub keep_alive_interval_s: u32,
    /// Probes without an answer after which the connection counts as reset; 4 unless set. A link that is away silences everybody,
    /// so there are more of them where [`link_down_ms`](Settings::link_down_ms) is longer. Where that is
    /// [`NEVER`](tenure::NEVER), only a peer that answers with a reset is found.
    #[doc(alias = "keep_alive_count")]
    pub keep_alive_probes: u32,
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
    // Inlined, so that the compiler sees what a program does not ask for.
    #[inline]
    fn default() -> Self {
        Settings {
            port: 80,
            eviction: Eviction::default(),
            connections_per_peer_max: None,
            keep_alive: true,
            keep_alive_interval_s: 15,
            keep_alive_probes: 4,
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

    /// The time between probes, in milliseconds: a second at least.
    pub(crate) fn keep_alive_ms(&self) -> u32 {
        self.keep_alive_interval_s.max(1).saturating_mul(1_000)
    }

    /// For how long a peer may be silent though it is probed, in milliseconds; `None`: for ever.
    pub(crate) fn silence_ms(&self) -> Option<u32> {
        let (probes, interval_ms) = (self.keep_alive_probes.max(1), self.keep_alive_ms());
        // Times from 2^31 ms on are none.
        let bound = |ms: u32| Some(ms).filter(|&ms| ms < 1 << 31);
        let probed_ms = bound(interval_ms.saturating_mul(probes.saturating_add(1)))?;
        // The silence of a link that is away is not the peer's.
        let away_ms = bound(self.link_down_ms)?.saturating_add(interval_ms);
        Some(probed_ms.max(away_ms))
    }
}
