//! How often a peer may try to log in.

use core::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use tenure::{Error, FieldWriter, IntoFields, PeerAddress, PerPeer, Request, StatusCode};
use tenure_proto::response::decimal;

use crate::schemes::refuse;

/// How often a peer may try to log in: so many times within a window, then it waits. A table of `N` peers, without a heap.
///
/// Take a try *before* a password is looked at, so that a peer with many connections has no more tries than one with one, and
/// [`forget`](Tries::forget) the peer when the password is right. [`PerPeer`] says what a peer is. Those over Unix sockets, and those
/// whose port tells no address, are one peer together. All clients of a proxy are one as well: let the proxy count there.
///
/// Where the table is full, the peer that has not tried for the longest time leaves it. So whoever has more than `N` addresses can try more
/// often: this slows guessing down, and a good password does the rest. A [`Rate`](tenure::Rate) bounds all requests, successful ones as well.
///
/// # Examples
/// On a host all workers share it (feature `std` of `tenure`), so it may be a `static`:
/// ```
/// use tenure::{Error, Request, Router, get, kit::Server};
/// use tenure_login::{Basic, Tries};
///
/// const STAFF: Basic = Basic::new("staff");
/// static TRIES: Tries<256> = Tries::new(5, 60); // five per minute
///
/// async fn treasure(request: &mut Request<'_, ()>) -> Result<&'static str, Error> {
///     let given = STAFF.credentials(request).await?;
///     TRIES.take(request).await?;
///     if !given.are("Aladdin", "open sesame") {
///         return Err(STAFF.refuse(request).await);
///     }
///     TRIES.forget(request);
///     Ok("gold")
/// }
///
/// let mut server = Server::new(Router::new().route("/treasure", get(treasure)));
/// let client = server.connect();
/// for (password, status) in [(0, 401), (1, 401), (2, 401), (3, 401), (4, 401), (5, 429)] {
///     let word = ["QTow", "QTox", "QToy", "QToz", "QTo0", "QTo1"][password]; // A:0 to A:5
///     client.send(format!("GET /treasure HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {word}\r\n\r\n"));
///     server.run();
///     assert!(client.received_text().starts_with(&format!("HTTP/1.1 {status} ")));
/// }
/// ```
/// On a board it is for one task: the program makes it before the router, and lends it to the handlers:
/// ```
/// use tenure::{Error, Request, Router, get, with};
/// use tenure_login::Tries;
///
/// async fn treasure(tries: &Tries<8>, request: &mut Request<'_, ()>) -> Result<&'static str, Error> {
///     tries.take(request).await?;
///     Ok("gold")
/// }
///
/// let tries = Tries::new(5, 60);
/// let app = Router::new().route("/treasure", get(with(&tries, treasure)));
/// # let _ = app;
/// ```
#[derive(Debug)]
pub struct Tries<const N: usize> {
    peers: PerPeer<Tried, N>,
    limit: u32,
    window_ms: u32,
}

/// How often a peer has tried, and since when.
#[derive(Clone, Copy, Debug)]
struct Tried {
    since_ms: u32,
    tries: u32,
}

const FRESH: Tried = Tried { since_ms: 0, tries: 0 };

/// How far the times that workers have read may be apart.
const AHEAD_MS_MAX: u32 = 60_000;

/// Whoever has no address of IP. RFC 6666 keeps this one for what goes nowhere.
const OTHERS: IpAddr = IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0));

fn address(peer: Option<PeerAddress>) -> IpAddr {
    peer.and_then(PeerAddress::ip).unwrap_or(OTHERS)
}

/// A peer has tried too often. As [fields](IntoFields) of a response it is `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyTries {
    /// Seconds until it may try again, rounded up.
    pub retry_after_s: u32,
}

impl<const N: usize> Tries<N> {
    /// At most `tries_max` tries within `window_s` seconds, from the first one on. Without places (`N` of 0) it does not compile.
    ///
    /// # Panics
    /// When there is no try, or no second, or more than a day. In a `const` or `static` that is an error of compilation.
    pub const fn new(tries_max: u32, window_s: u32) -> Self {
        assert!(tries_max > 0, "a peer has at least one try");
        assert!(0 < window_s && window_s <= 86_400, "tries are counted for 1 to 86,400 seconds");
        Tries { peers: PerPeer::new(FRESH), limit: tries_max, window_ms: window_s * 1_000 }
    }

    /// Takes one of the tries of the request's peer.
    ///
    /// # Errors
    /// 429 with `Retry-After`: it has none left. This counts as no try.
    ///
    /// # Cancellation safety
    /// Safe. The try is taken when it is first polled.
    pub async fn take<S>(&self, request: &mut Request<'_, S>) -> Result<(), Error> {
        match self.take_of(request.peer(), request.now_ms()) {
            Ok(()) => Ok(()),
            Err(too_many) => {
                let error = Error::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too many tries to log in: Retry-After says when to come again",
                );
                Err(refuse(request, too_many, error).await)
            }
        }
    }

    /// Gives the request's peer all of its tries again: it has logged in. Who has an account can get tries at others' that way, a right
    /// password between wrong ones: where people do not trust each other, let them wait instead.
    pub fn forget<S>(&self, request: &Request<'_, S>) {
        self.forget_of(request.peer());
    }

    /// Takes one of a peer's tries, at that time ([`Request::now_ms`], not that of its arrival: its body may
    /// have taken long): for a caller that knows better than the socket who the peer is.
    ///
    /// # Errors
    /// It has none left. This counts as no try.
    pub fn take_of(&self, peer: Option<PeerAddress>, now_ms: u32) -> Result<(), TooManyTries> {
        self.peers.with(address(peer), |tried| {
            let waited_ms = match now_ms.wrapping_sub(tried.since_ms) {
                // Another worker's time may be a little ahead of this one's.
                waited_ms if waited_ms > u32::MAX - AHEAD_MS_MAX => 0,
                waited_ms => waited_ms,
            };
            if tried.tries == 0 || waited_ms >= self.window_ms {
                *tried = Tried { since_ms: now_ms, tries: 1 };
            } else if tried.tries < self.limit {
                tried.tries += 1;
            } else {
                return Err(TooManyTries { retry_after_s: (self.window_ms - waited_ms).div_ceil(1_000) });
            }
            Ok(())
        })
    }

    /// Gives a peer all of its tries again.
    pub fn forget_of(&self, peer: Option<PeerAddress>) {
        self.peers.with(address(peer), |tried| *tried = FRESH);
    }
}

impl IntoFields for TooManyTries {
    fn put(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        fields.field("Retry-After", decimal(self.retry_after_s.into(), &mut [0; 20]));
        Ok(())
    }
}

impl fmt::Display for TooManyTries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "too many tries to log in: come again in {} s", self.retry_after_s)
    }
}

impl core::error::Error for TooManyTries {}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use super::*;

    fn peer(address: &str) -> Option<PeerAddress> {
        address.parse::<SocketAddr>().ok().map(PeerAddress::from)
    }

    const fn wait(retry_after_s: u32) -> Result<(), TooManyTries> {
        Err(TooManyTries { retry_after_s })
    }

    #[test]
    fn a_peer_has_some_tries_in_a_while() {
        // The clock wraps meanwhile.
        for start in [0, u32::MAX - 30_000] {
            let tries = Tries::<2>::new(2, 60);
            let a = peer("10.0.0.1:5");
            let take = |after_ms: u32| tries.take_of(a, start.wrapping_add(after_ms));
            assert_eq!(take(0), Ok(()));
            assert_eq!(take(10_000), Ok(()));
            assert_eq!(take(10_000), wait(50));
            assert_eq!(take(58_999), wait(2));
            assert_eq!(take(59_000), wait(1));
            assert_eq!(take(59_999), wait(1));
            assert_eq!(take(60_000), Ok(()));
            // Of a worker whose clock was read a little earlier.
            assert_eq!(take(59_990), Ok(()));
            assert_eq!(take(59_990), wait(60));
            assert_eq!(take(60_001), wait(60));
            tries.forget_of(a);
            assert_eq!(tries.take_of(a, start.wrapping_add(60_002)), Ok(()));
        }
    }

    #[test]
    fn a_peer_is_an_address_or_a_network_or_none() {
        for (one, other, same) in [
            (peer("10.0.0.1:5"), peer("10.0.0.1:6"), true),
            (peer("10.0.0.1:5"), peer("10.0.0.2:5"), false),
            (peer("[2001:db8::1]:5"), peer("[2001:db8::2:1]:5"), true),
            (peer("[2001:db8::1]:5"), peer("[2001:db8:0:1::1]:5"), false),
            (Some(PeerAddress::Unix), None, true),
            (None, peer("[::1]:5"), false),
            (None, peer("0.0.0.0:5"), false),
        ] {
            let tries = Tries::<2>::new(1, 1);
            assert_eq!(tries.take_of(one, 0), Ok(()));
            assert_eq!(tries.take_of(other, 0).is_err(), same, "{one:?} {other:?}");
        }
    }

    #[test]
    fn whoever_has_not_tried_for_the_longest_time_leaves() {
        let [a, b, c] = [peer("10.0.0.1:5"), peer("10.0.0.2:5"), peer("10.0.0.3:5")];
        let tries = Tries::<2>::new(2, 60);
        for (peer, now_ms) in [(a, 0), (b, 1), (b, 2), (a, 3)] {
            assert_eq!(tries.take_of(peer, now_ms), Ok(()));
        }
        assert_eq!(tries.take_of(c, 5), Ok(()), "in the place of b");
        assert_eq!(tries.take_of(a, 6), wait(60));
        assert_eq!(tries.take_of(b, 7), Ok(()));
    }
}
