//! How many requests a peer may send.

use core::net::IpAddr;

use tenure_proto::{response::decimal, status::StatusCode};

use crate::{
    Error, FieldWriter, PerPeer, Request, Responder, exchange::failure::Failed, exchange::reply::Sent,
    route::handler::Handler, route::layers::passes_all,
};

/// How many requests each peer may send: a layer, see [`Router::rate`](crate::Router::rate), or what a handler
/// [asks](Rate::ask) itself. It remembers `PEERS` peers, in memory of a fixed size: see [`PerPeer`] for what a peer is, and which
/// one is forgotten. A peer that is forgotten begins anew, so have more places than clients at once.
///
/// It is a token bucket: so many requests at once, then so many per second. A refused request does not count.
#[derive(Debug)]
#[must_use = "it is a layer: `router.rate(Rate::<64>::per_s(10))`"]
pub struct Rate<const PEERS: usize> {
    spent: PerPeer<Spent, PEERS>,
    requests: u32,
    period_ms: u32,
    at_once: u32,
}

/// What a peer has spent and not got back, in requests times the period: each millisecond gives back as much as there are requests per
/// period.
#[derive(Clone, Copy, Debug)]
struct Spent {
    spent: u64,
    at_ms: u32,
}

/// How far the times that workers have read may be apart; longer ago is long ago.
const AHEAD_MS_MAX: u32 = 60_000;
/// The most that a `Retry-After` says.
const RETRY_S_MAX: u64 = 86_400;

impl<const PEERS: usize> Rate<PEERS> {
    /// This many requests per second, and as many [at once](Rate::at_once).
    ///
    /// # Panics
    /// When it is 0. In a constant that does not compile.
    pub const fn per_s(requests: u32) -> Self {
        Self::new(requests, 1_000)
    }

    /// This many requests per minute, and as many [at once](Rate::at_once).
    ///
    /// # Panics
    /// As [`per_s`](Rate::per_s).
    pub const fn per_min(requests: u32) -> Self {
        Self::new(requests, 60_000)
    }

    const fn new(requests: u32, period_ms: u32) -> Self {
        assert!(requests > 0, "a rate of 0 would let nobody in: leave the route away");
        Rate { spent: PerPeer::new(Spent { spent: 0, at_ms: 0 }), requests, period_ms, at_once: requests }
    }

    /// How many requests may come at once, after a time without any.
    ///
    /// # Panics
    /// As [`per_s`](Rate::per_s).
    pub const fn at_once(mut self, requests: u32) -> Self {
        assert!(requests > 0, "a rate that lets no request through at once lets none through");
        self.at_once = requests;
        self
    }

    /// Counts a request of a peer, for a middleware that knows better than the socket who that is: behind a proxy that names its
    /// client, say. `now_ms` is [`Request::now_ms`].
    ///
    /// # Errors
    /// The peer has sent too many. It may come again after that many milliseconds; this request has not been counted.
    pub fn ask(&self, peer: IpAddr, now_ms: u32) -> Result<(), u64> {
        let cost = u64::from(self.period_ms);
        let spent_max = cost * u64::from(self.at_once);
        self.spent.with(peer, |peer| {
            let since_ms = now_ms.wrapping_sub(peer.at_ms);
            // Another worker's time may be a little ahead of this one's.
            if since_ms <= u32::MAX - AHEAD_MS_MAX || peer.spent == 0 {
                peer.spent = peer.spent.saturating_sub(u64::from(since_ms) * u64::from(self.requests));
                peer.at_ms = now_ms;
            }
            let spent = peer.spent + cost;
            if spent > spent_max {
                return Err((spent - spent_max).div_ceil(u64::from(self.requests)));
            }
            peer.spent = spent;
            Ok(())
        })
    }
}

/// A [`Rate`], or a reference to one that several layers share.
#[doc(hidden)]
pub trait Rated {
    /// As [`Rate::ask`].
    fn asked(&self, peer: IpAddr, now_ms: u32) -> Result<(), u64>;
}

impl<const PEERS: usize> Rated for Rate<PEERS> {
    fn asked(&self, peer: IpAddr, now_ms: u32) -> Result<(), u64> {
        self.ask(peer, now_ms)
    }
}

impl<R: Rated> Rated for &R {
    fn asked(&self, peer: IpAddr, now_ms: u32) -> Result<(), u64> {
        (**self).asked(peer, now_ms)
    }
}

/// A handler to which each peer sends so many requests at the most.
#[derive(Debug)]
pub struct WithRate<R, H> {
    rate: R,
    handler: H,
}

impl<R, H> WithRate<R, H> {
    pub(crate) fn new(rate: R, handler: H) -> Self {
        WithRate { rate, handler }
    }

    /// Refuses a request that is one too many.
    #[cold]
    async fn refuse<S>(&self, request: &mut Request<'_, S>, wait_ms: u64) -> Result<Sent, Error>
    where
        H: Handler<S>,
    {
        let (mut digits, wait_s) = ([0; 20], wait_ms.div_ceil(1_000).min(RETRY_S_MAX));
        let text = decimal(wait_s, &mut digits);
        let put = &mut |fields: &mut FieldWriter<'_>| {
            // The layers inside have not seen the request.
            if H::HAS_FIELDS {
                self.handler.preset(fields)?;
                fields.next_layer();
            }
            fields.field("Retry-After", &*text);
            Ok(())
        };
        request.inner.shared().keep_fields(put).await?;
        Err(Error::new(StatusCode::TOO_MANY_REQUESTS, "too many requests: come again later"))
    }
}

impl<S, R: Rated, H: Handler<S>> Handler<S> for WithRate<R, H> {
    type Page = H::Page;

    const HAS_PAGES: bool = H::HAS_PAGES;

    const HAS_FIELDS: bool = H::HAS_FIELDS;

    passes_all!(H, self => self.handler);

    async fn handle<'r>(&self, request: &mut Request<'r, S>, responder: Responder<'r>) -> Result<Sent, Error> {
        if let Some(peer) = request.inner.shared().peer.get().counted()
            && let Err(wait_ms) = self.rate.asked(peer, request.now_ms())
        {
            return self.refuse(request, wait_ms).await;
        }
        self.handler.handle(request, responder).await
    }

    fn preset(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        self.handler.preset(fields)
    }

    fn error(&self, failed: &Failed<'_>) -> Option<H::Page> {
        self.handler.error(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(core::net::Ipv4Addr::LOCALHOST);

    /// So many at once, then one per part of the period, whatever time it is, and not a millisecond early.
    #[test]
    fn at_below_and_above() {
        for begin_ms in [0, 5, u32::MAX - 1_000, 1 << 31] {
            let at = |ms: u32| begin_ms.wrapping_add(ms);
            let rate = Rate::<4>::per_s(3).at_once(2);
            assert_eq!([0, 0, 0].map(|ms| rate.ask(PEER, at(ms))), [Ok(()), Ok(()), Err(334)], "{begin_ms}");
            assert_eq!([333, 334, 334].map(|ms| rate.ask(PEER, at(ms))), [Err(1), Ok(()), Err(333)], "{begin_ms}");
            // A third of a second is no whole number of milliseconds: what is left over counts.
            assert_eq!([666, 667, 1_000].map(|ms| rate.ask(PEER, at(ms))), [Err(1), Ok(()), Ok(())], "{begin_ms}");
            // Not more than that at once, however long nothing came.
            assert_eq!([90_000; 3].map(|ms| rate.ask(PEER, at(ms))), [Ok(()), Ok(()), Err(334)], "{begin_ms}");
        }
    }

    #[test]
    fn rates_of_a_minute() {
        let rate = Rate::<1>::per_min(2);
        assert_eq!([0, 0, 0].map(|ms| rate.ask(PEER, ms)), [Ok(()), Ok(()), Err(30_000)]);
        assert_eq!([29_999, 30_000].map(|ms| rate.ask(PEER, ms)), [Err(1), Ok(())]);
    }

    /// Workers read the clock each for itself.
    #[test]
    fn a_time_before_the_last_one_gives_nothing_back() {
        let rate = Rate::<1>::per_s(1);
        assert_eq!([1_000, 999, 0].map(|ms| rate.ask(PEER, ms)), [Ok(()), Err(1_000), Err(1_000)]);
        assert_eq!(rate.ask(PEER, 2_000), Ok(()));
    }

    /// The clock wraps after 49 days.
    #[test]
    fn who_comes_again_after_weeks_has_everything_back() {
        for days in [1, 24, 25, 49] {
            let rate = Rate::<1>::per_s(1);
            assert_eq!([7, 7].map(|ms| rate.ask(PEER, ms)), [Ok(()), Err(1_000)]);
            assert_eq!(rate.ask(PEER, 7 + days * 86_400_000), Ok(()), "{days}");
        }
    }

    #[test]
    fn the_greatest_rates_do_not_overflow() {
        let rate = Rate::<1>::per_min(u32::MAX).at_once(u32::MAX);
        assert!((0..3).all(|_| rate.ask(PEER, 0).is_ok()));
        assert_eq!(rate.ask(PEER, (1 << 31) - 1), Ok(()));
    }
}
