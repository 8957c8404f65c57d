//! A server's settings. Names of `esp_http_server` are aliases in the documentation's search.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
    time::Duration,
};

use tenure::{ConnectionId, Deadlines, Eviction, Limits};

use crate::Error;

/// The longest `spin_us`.
const SPIN_US_MAX: u32 = 1_000_000;

/// The longest time of a keep-alive that Linux takes (tcp(7)).
const KEEP_ALIVE_S_MAX: u32 = 32_767;

/// A server's settings. The repository's example `settings` sets each of them.
#[doc(alias("httpd_config_t", "HTTPD_DEFAULT_CONFIG"))]
#[derive(Debug)]
pub struct Settings {
    /// Where it listens; port 0: any free one ([`Handle::local_addresses`](crate::Handle::local_addresses) tells). An IPv6
    /// address is for IPv6 alone.
    #[doc(alias = "port")]
    pub addresses: Vec<SocketAddr>,
    /// Sockets that listen already, beside `addresses`.
    pub listeners: Vec<TcpListener>,
    /// Workers, each with its thread and its connections; `None`: one per core.
    #[doc(alias = "core_id")]
    pub threads: Option<NonZeroUsize>,
    /// The most connections at once, divided among the workers.
    #[doc(alias = "max_open_sockets")]
    pub connections_max: u32,
    /// The most connections of one peer, counted over all workers; `None`: as many as there may be. One more is closed at once, before
    /// anything is read, and [`Observer::turned_away`](tenure::Observer::turned_away) is told. What a peer is says
    /// [`PerPeer`](tenure::PerPeer): behind a proxy, or a router that translates addresses, many clients are one. Those of a Unix socket are none.
    /// Nor are those that linger behind their last response ([`Deadlines::linger_ms`](tenure::Deadlines::linger_ms)): they give way to
    /// newcomers.
    pub connections_per_peer_max: Option<u32>,
    /// Connections that the kernel queues until they are accepted.
    #[doc(alias = "backlog_conn")]
    pub backlog: u32,
    /// Which idle connection gives way to one above `connections_max`, which otherwise waits. A worker whose share is taken leaves
    /// newcomers to the others for 20 ms while one of those has a place. Unless it is [`Eviction::Never`], a connection without a
    /// session is closed after its response if all places are taken.
    #[doc(alias = "lru_purge_enable")]
    pub eviction: Eviction,
    /// The most requests being answered at once, per worker; `None`: as many as it has connections. Where it is more than 1,
    /// but less than a worker's connections, routes that [wait long](tenure::Methods::waits_long) leave a worker's last place to
    /// other requests. Each request takes `input_bytes + body_bytes + output_bytes` while it is at work. While it waits for its
    /// body it takes about 3 KiB and what has come of the body, and a minute later nothing.
    pub lanes_max: Option<u32>,
    /// The most connections that stay open, WebSockets and streams of events together; beyond: 503. They are never evicted, so that a
    /// bound of their own leaves places to others. `None`: three quarters of all. Divided among the workers.
    pub open_max: Option<u32>,
    /// The most bytes received at once, and the most of a request head.
    pub input_bytes: usize,
    /// The most bytes of a body that a handler can have in one piece.
    pub body_bytes: usize,
    /// The most bytes of responses that wait to be sent.
    pub output_bytes: usize,
    /// Whether the kernel probes idle connections. On OpenBSD it does so at times of its own, whatever the next three say.
    #[doc(alias = "keep_alive_enable")]
    pub keep_alive: bool,
    /// From the last byte to the first probe, in seconds, 1 to 32,767.
    #[doc(alias = "keep_alive_idle")]
    pub keep_alive_idle_s: u32,
    /// From one probe to the next, in seconds, 1 to 32,767.
    #[doc(alias = "keep_alive_interval")]
    pub keep_alive_interval_s: u32,
    /// Probes without an answer after which the connection counts as reset.
    #[doc(alias = "keep_alive_count")]
    pub keep_alive_probes: u32,
    /// How long, in seconds, the kernel tries to deliver what was sent when a socket is released. `None`: in the background, as
    /// long as it likes. A time blocks the worker, and with it its other connections, until the peer has taken everything or
    /// the time is over; 0 resets every connection instead.
    #[doc(alias("so_linger", "enable_so_linger", "linger_timeout"))]
    pub delivery_s: Option<u32>,
    /// For `tenure-linux` only: how long after its last event a worker polls before it sleeps, in microseconds, at most a second.
    /// 0: not at all. To wake a thread takes the kernel microseconds, most of a small request's time. Polling
    /// saves them when requests follow each other within this time, and keeps a core busy as long as they come. A worker without
    /// requests sleeps. On a machine with one core this is off, because peers need the core. A process bound to one core of several
    /// does spin: the other cores are its peers'.
    pub spin_us: u32,
    /// Bounds in time.
    pub deadlines: Deadlines,
    /// Bounds in bytes.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            addresses: Vec::new(),
            listeners: Vec::new(),
            threads: None,
            connections_max: 10_000,
            connections_per_peer_max: None,
            backlog: 1_024,
            eviction: Eviction::default(),
            lanes_max: None,
            open_max: None,
            input_bytes: 16_384,
            body_bytes: 16_384,
            output_bytes: 16_384,
            keep_alive: false,
            keep_alive_idle_s: 5,
            keep_alive_interval_s: 5,
            keep_alive_probes: 3,
            delivery_s: None,
            spin_us: 0,
            deadlines: Deadlines::HOST,
            limits: Limits::HOST,
        }
    }
}

impl Settings {
    /// The defaults, listening there.
    pub fn at(address: SocketAddr) -> Self {
        Settings { addresses: vec![address], ..Settings::default() }
    }

    pub(crate) fn threads(&self) -> u32 {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = self.threads.map_or_else(cores, NonZeroUsize::get);
        // More workers than connections would have nothing to do.
        u32::try_from(threads).unwrap_or(u32::MAX).min(ConnectionId::WORKER_COUNT_MAX).min(self.connections_max)
    }

    /// How long workers poll before they sleep on this machine; `None`: not at all.
    pub fn spins_for(&self) -> Option<Duration> {
        Some(self.spin_us).filter(|us| *us > 0 && has_several_cores()).map(|us| Duration::from_micros(us.into()))
    }

    /// # Errors
    /// The first invalid setting.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let kept = |seconds: u32| seconds > 0 && seconds <= KEEP_ALIVE_S_MAX;
        for (wrong, reason) in [
            (
                self.addresses.is_empty() && self.listeners.is_empty(),
                "there is nowhere to listen: give `addresses` or `listeners`",
            ),
            (self.connections_max == 0, "`connections_max` is 0: nobody could connect; set at least 1"),
            (
                self.threads.is_some_and(|threads| threads.get() > self.connections_max as usize),
                "`threads` is above `connections_max`: a worker would have no connection; lower one or raise the other",
            ),
            (
                self.threads.is_some_and(|threads| threads.get() > ConnectionId::WORKER_COUNT_MAX as usize),
                "`threads` is above 256, the most that there can be: lower it",
            ),
            (
                self.lanes_max == Some(0),
                "`lanes_max` is 0: no request could be answered; give 1 at least, or `None` for as many as there are connections",
            ),
            (
                self.input_bytes < 256 || self.output_bytes < 256,
                "`input_bytes` and `output_bytes` must be at least 256: a head must fit",
            ),
            (self.body_bytes == 0, "`body_bytes` is 0: no body could be received; set at least 1"),
            (
                self.limits.head_bytes_max as usize > self.input_bytes,
                "`limits.head_bytes_max` is above `input_bytes`: such a head would not fit; lower one or raise the other",
            ),
            (
                self.limits.target_bytes_max > self.limits.head_bytes_max,
                "`limits.target_bytes_max` is above `limits.head_bytes_max`, which includes the target: lower one or raise the other",
            ),
            (
                self.connections_per_peer_max == Some(0),
                "`connections_per_peer_max` is 0: nobody could connect; give 1 at least, or `None` for no bound",
            ),
            (self.backlog == 0, "`backlog` is 0: no connection could wait to be accepted; set at least 1"),
            (
                self.keep_alive
                    && !(kept(self.keep_alive_idle_s)
                        && kept(self.keep_alive_interval_s)
                        && self.keep_alive_probes > 0),
                "with `keep_alive`, `keep_alive_idle_s` and `keep_alive_interval_s` must be 1 to 32,767 s and `keep_alive_probes` at least 1",
            ),
            (
                self.spin_us > SPIN_US_MAX,
                "`spin_us` is above 1,000,000, a second: it is for the microseconds within which a next request may follow; lower it",
            ),
            (
                [
                    self.deadlines.first_byte_ms,
                    self.deadlines.idle_ms,
                    self.deadlines.head_ms,
                    self.deadlines.body_ms,
                    self.deadlines.handler_ms,
                    self.deadlines.response_ms,
                ]
                .contains(&0),
                "a deadline of 0 ms would end everything at once (only `linger_ms` and `flush_ms` may be 0): use `NEVER` for none",
            ),
        ] {
            if wrong {
                return Err(Error::Settings(reason));
            }
        }
        Ok(())
    }
}

/// Whether the machine has more than one core, even if this process is bound to one of them (Linux,
/// `sysfs-devices-system-cpu`: a list of ranges such as `0-3,6`).
fn has_several_cores() -> bool {
    fs::read_to_string("/sys/devices/system/cpu/online").map_or_else(
        |_| std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1),
        |online| online.contains(['-', ',']),
    )
}
