//! How many pings and pongs a peer may send: a rate, over all that its connection does.

use tenure_proto::websocket::Violation;

/// Pings and pongs of a client per second at the most: a ping costs an answer.
const CONTROLS_MAX: u8 = 60;

/// How many pings and pongs a connection has sent in which second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Controls {
    second: u32,
    pub(crate) count: u8,
}

impl Controls {
    /// One more has come.
    pub(crate) fn come(&mut self, now_ms: u32) -> Result<(), Violation> {
        let second = now_ms / 1_000;
        if self.second != second {
            *self = Controls { second, count: 0 };
        }
        if self.count == CONTROLS_MAX {
            return Err(Violation::TooManyControls);
        }
        self.count += 1;
        Ok(())
    }
}

#[cfg(feature = "alloc")]
type Counts = alloc::collections::BTreeMap<u32, u8>;
/// Connections whose numbers are 32 apart share a count: no board has as many.
#[cfg(not(feature = "alloc"))]
type Counts = [u8; 32];

/// The counts of connections that rest, of the second in which the last of them did.
#[derive(Default)]
pub(crate) struct RestingControls {
    second: u32,
    counts: Counts,
}

impl RestingControls {
    /// Whether nobody has a count.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    #[cfg(not(feature = "alloc"))]
    pub(crate) fn is_empty(&self) -> bool {
        self.counts == Counts::default()
    }

    fn count(&mut self, index: u32) -> &mut u8 {
        #[cfg(feature = "alloc")]
        return self.counts.entry(index).or_default();
        #[cfg(not(feature = "alloc"))]
        &mut self.counts[index as usize % 32]
    }

    /// A connection rests that has sent some.
    pub(crate) fn keep(&mut self, index: u32, controls: Controls) {
        if self.second != controls.second {
            *self = RestingControls { second: controls.second, ..RestingControls::default() };
        }
        *self.count(index) = controls.count;
    }

    /// What a connection has sent in this second that rests no longer.
    pub(crate) fn take(&mut self, index: u32, now_ms: u32) -> Controls {
        if self.second != now_ms / 1_000 {
            *self = RestingControls::default();
        }
        let count = core::mem::take(self.count(index));
        self.forget(index);
        Controls { second: self.second, count }
    }

    /// It has ended.
    pub(crate) fn forget(&mut self, index: u32) {
        #[cfg(feature = "alloc")]
        self.counts.remove(&index);
        #[cfg(not(feature = "alloc"))]
        core::mem::take(self.count(index));
    }
}
