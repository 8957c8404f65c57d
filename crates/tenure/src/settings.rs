//! Everything is bounded: each bound with its name, its unit and its two defaults. The guide tells what a client sees at each.
//!
//! | bound | unit | host | board | beyond it |
//! |---|---|---|---|---|
//! | `head_bytes_max` | bytes | 16,384 | 1,024 | 431, closed |
//! | `target_bytes_max` | bytes | 8,192 | 512 | 414, closed |
//! | `body_bytes_max` | bytes | 1 MiB | 1,024 | 413 |
//! | `message_bytes_max` | bytes | 1 MiB | 65,536 | closed with 1009 |
//! | `drain_bytes_max` | bytes | 65,536 | 4,096 | closed after the response |
//! | `linger_bytes_max` | bytes | 16 MiB | 65,536 | reset |
//! | `first_byte_ms` | ms | 10,000 | 5,000 | closed silently |
//! | `idle_ms` | ms | 3,600,000 | 600,000 | closed silently |
//! | `head_ms` | ms | 10,000 | 5,000 | 408, closed |
//! | `body_ms` + bytes / `body_bytes_per_s` | ms, bytes per second | 10,000, 500 | 5,000, 100 | 408, closed |
//! | `handler_ms` | ms | 30,000 | 10,000 | 503; closed where no lane came free |
//! | `response_ms` + bytes / `response_bytes_per_s` | ms, bytes per second | 30,000, 500 | 10,000, 100 | reset |
//! | `ping_ms` | ms | 30,000 | 30,000 | a ping, or a comment in a stream of events |
//! | `pong_ms` | ms | 10,000 | 10,000 | reset |
//! | `linger_ms` | ms | 5,000 | 2,000 | reset |
//! | `flush_ms` | ms | 10,000 | 5,000 | sessions end, connections reset |

/// A deadline that is never due, as is any of 2<sup>31</sup> ms (24 days) or more.
pub const NEVER: u32 = u32::MAX;

/// Which idle connection gives way to a newcomer when all places are taken. A pinned one never does, nor one that has sent
/// nothing yet.
///
/// Unless it is [`Never`](Eviction::Never), a request that comes on a connection without a session while the server is full is the
/// connection's last: the response says `Connection: close` (RFC 9112 section 9.6), and the reason is
/// [`MadeRoom`](crate::EndReason::MadeRoom). The connection stays if the handler makes a session or pins it, if it answers through a
/// [`Responder`](crate::Responder), or if more bytes have come behind the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Eviction {
    /// None: newcomers wait until a connection ends.
    Never,
    /// The least recently used one of those without a session, so nobody loses anything.
    #[default]
    WithoutSession,
    /// The least recently used one, which loses its session.
    #[doc(alias = "lru_purge_enable")]
    LeastRecentlyUsed,
}

impl Eviction {
    /// Whether a connection may give way while it is idle.
    pub(crate) fn takes(self, has_session: bool) -> bool {
        match self {
            Eviction::Never => false,
            Eviction::WithoutSession => !has_session,
            Eviction::LeastRecentlyUsed => true,
        }
    }
}

/// Bounds in bytes. Each is the greatest that is accepted. What a client sees beyond it: the guide's
/// [chapter on bounds](crate::guide::bounds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request head; the input buffer bounds it too. Beyond: 431.
    #[doc(alias("max_req_hdr_len", "HTTPD_MAX_REQ_HDR_LEN"))]
    pub head_bytes_max: u32,
    /// Bytes of a request-target. Beyond: 414.
    #[doc(alias("max_uri_len", "HTTPD_MAX_URI_LEN"))]
    pub target_bytes_max: u32,
    /// Bytes of a request body unless a handler bounds it itself ([`Body::limit`](crate::Body::limit)). Beyond: 413.
    pub body_bytes_max: u64,
    /// Bytes of a WebSocket's message, all its fragments counted. Beyond: closed with 1009.
    pub message_bytes_max: u64,
    /// Unread body bytes that the server discards to keep the connection. Beyond: it closes after the response.
    pub drain_bytes_max: u32,
    /// Bytes that the server discards after the last response, so that the peer can read all of it. Beyond: a reset.
    pub linger_bytes_max: u32,
    /// Whether a lone LF ends a line of a request head (RFC 9112 section 2.2).
    pub tolerate_lone_lf: bool,
    /// The Content-Type of responses that set none, for example `text/html` as in `esp_http_server`; empty: no such field is sent.
    /// `None`: it follows from the value, `text/plain; charset=utf-8` for text and numbers, `application/octet-stream` for bytes.
    pub content_type: Option<&'static str>,
}

impl Limits {
    /// For hosts.
    pub const HOST: Limits = Limits {
        head_bytes_max: 16_384,
        target_bytes_max: 8_192,
        body_bytes_max: 1 << 20,
        message_bytes_max: 1 << 20,
        drain_bytes_max: 65_536,
        linger_bytes_max: 16 << 20,
        tolerate_lone_lf: false,
        content_type: None,
    };
    /// For boards; head and target as with `esp_http_server`.
    pub const BOARD: Limits = Limits {
        head_bytes_max: 1_024,
        target_bytes_max: 512,
        body_bytes_max: 1_024,
        message_bytes_max: 65_536,
        drain_bytes_max: 4_096,
        linger_bytes_max: 65_536,
        tolerate_lone_lf: false,
        content_type: None,
    };
}

/// Bounds in milliseconds, [`NEVER`] for none. A deadline is never early, and at most 50 ms late on an idle machine. What a client
/// sees when it misses one: the guide's [chapter on bounds](crate::guide::bounds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From a connection's start to its first byte. Then it is closed silently.
    pub first_byte_ms: u32,
    /// From the end of a request to the next one. Then the connection is closed silently.
    pub idle_ms: u32,
    /// From a request's first byte to the end of its head. Then 408.
    #[doc(alias = "recv_wait_timeout")]
    pub head_ms: u32,
    /// How long a handler may wait for a body, beyond what `body_bytes_per_s` grants. Then 408.
    #[doc(alias = "recv_wait_timeout")]
    pub body_ms: u32,
    /// Each received byte of a body grants one second divided by this. 0: no byte grants any time, `body_ms` is all there is.
    pub body_bytes_per_s: u32,
    /// From a request's arrival to its response head, not counting the wait for its body. Then 503.
    pub handler_ms: u32,
    /// How long responses may wait for their peer to take more, beyond what `response_bytes_per_s` grants. Then the connection is
    /// reset. Time counts only while there is something to take. Requests that follow each other without a pause share it.
    #[doc(alias = "send_wait_timeout")]
    pub response_ms: u32,
    /// Each byte that the peer takes gives back one second divided by this, up to all of `response_ms`. So a peer that takes this
    /// many bytes per second never misses the deadline. 0: no byte gives back any time.
    pub response_bytes_per_s: u32,
    /// How long the peer of an open connection may be silent. Then a WebSocket is sent a ping, and a stream of events a comment, so
    /// that whatever stands between sees that it is in use.
    pub ping_ms: u32,
    /// How long after a ping something must come. Then the connection is reset.
    pub pong_ms: u32,
    /// How long the server discards bytes after the last response, so that the peer can read all of it. Then a reset. Where all places are
    /// taken, a newcomer takes that of the connection that has lingered for the longest time.
    pub linger_ms: u32,
    /// How long exchanges in flight may go on when the server stops.
    pub flush_ms: u32,
}

impl Deadlines {
    /// For hosts.
    pub const HOST: Deadlines = Deadlines {
        first_byte_ms: 10_000,
        idle_ms: 3_600_000,
        head_ms: 10_000,
        body_ms: 10_000,
        body_bytes_per_s: 500,
        handler_ms: 30_000,
        response_ms: 30_000,
        response_bytes_per_s: 500,
        ping_ms: 30_000,
        pong_ms: 10_000,
        linger_ms: 5_000,
        flush_ms: 10_000,
    };
    /// For boards.
    pub const BOARD: Deadlines = Deadlines {
        first_byte_ms: 5_000,
        idle_ms: 600_000,
        head_ms: 5_000,
        body_ms: 5_000,
        body_bytes_per_s: 100,
        handler_ms: 10_000,
        response_ms: 10_000,
        response_bytes_per_s: 100,
        ping_ms: 30_000,
        pong_ms: 10_000,
        linger_ms: 2_000,
        flush_ms: 5_000,
    };
}

/// The milliseconds that bytes grant at that rate; none where it is 0.
pub(crate) fn granted_ms(bytes: u64, bytes_per_s: u32) -> u32 {
    if bytes == 0 {
        // As ever so often; to divide 64 bits takes long where registers are narrow.
        return 0;
    }
    let granted_ms = bytes.saturating_mul(1000).checked_div(u64::from(bytes_per_s)).unwrap_or(0);
    u32::try_from(granted_ms).unwrap_or(NEVER)
}
