//! A value for each peer, for as many peers as there are places.

#[cfg(not(feature = "std"))]
use core::cell::RefCell;
use core::{fmt, net::IpAddr};
#[cfg(feature = "std")]
use std::sync::{Mutex, PoisonError};

/// A value of type `T` for each of `N` peers, in memory of a fixed size: to count what a client does, by its address. Where the table
/// is full, a new peer takes the place of the one that has not been looked at for the longest time.
///
/// A peer is an IPv4 address, or the first 64 bits of an IPv6 address: one host may take any address behind those (RFC 4291 section
/// 2.5.4). An IPv4 address that is mapped to IPv6 counts as itself. Behind a proxy all clients have one address, that of the proxy.
///
/// Each look walks over up to `N` numbers, so a host may have thousands, and a board a dozen. A peer takes 12 bytes and those of `T`.
/// On hosts (feature `std`) threads share the table, one at a time. On boards it is for one task, so it is no `static`: let the
/// application own it, or lend it by [`with`](crate::with).
///
/// # Examples
/// ```
/// use std::net::IpAddr;
/// use tenure::PerPeer;
///
/// /// How often each peer was here: 16 are remembered.
/// static VISITS: PerPeer<u32, 16> = PerPeer::new(0);
///
/// fn visit(peer: &str) -> u32 {
///     let peer: IpAddr = peer.parse().unwrap();
///     VISITS.with(peer, |visits| {
///         *visits += 1;
///         *visits
///     })
/// }
///
/// assert_eq!((visit("192.0.2.1"), visit("192.0.2.1"), visit("192.0.2.2")), (1, 2, 1));
/// assert_eq!((visit("2001:db8::1"), visit("2001:db8::2")), (1, 2)); // the same 64 bits
/// ```
pub struct PerPeer<T, const N: usize> {
    table: Table<Places<T, N>>,
}

#[cfg(feature = "std")]
type Table<T> = Mutex<T>;
#[cfg(not(feature = "std"))]
type Table<T> = RefCell<T>;

struct Places<T, const N: usize> {
    peers: [u64; N],
    /// When each was looked at last, by the number of looks.
    looked_at: [u32; N],
    values: [T; N],
    /// How many places are taken, the first ones.
    taken: usize,
    looks: u32,
    /// What a new peer has.
    fresh: T,
}

impl<T: Copy, const N: usize> PerPeer<T, N> {
    /// A table without peers; each that is new begins with `fresh`. Without places (`N` of 0) it does not compile.
    pub const fn new(fresh: T) -> Self {
        const { assert!(N > 0, "a table of peers has one place at least") };
        PerPeer {
            table: Table::new(Places {
                peers: [0; N],
                looked_at: [0; N],
                values: [fresh; N],
                taken: 0,
                looks: 0,
                fresh,
            }),
        }
    }

    /// Lends a peer's value. Keep it short: on hosts others wait meanwhile.
    ///
    /// # Panics
    /// When `look` does: what it has changed stays. When `look` uses the same table: on hosts it may wait for ever instead.
    pub fn with<R>(&self, peer: IpAddr, look: impl FnOnce(&mut T) -> R) -> R {
        #[cfg(feature = "std")]
        let mut places = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(not(feature = "std"))]
        let mut places = self.table.borrow_mut();
        look(places.value(number(peer)))
    }
}

impl<T: Copy, const N: usize> Places<T, N> {
    fn value(&mut self, peer: u64) -> &mut T {
        self.looks = self.looks.wrapping_add(1);
        let looks = self.looks;
        let known = self.peers[..self.taken].iter().position(|&known| known == peer);
        let place = known.unwrap_or_else(|| {
            let place = if self.taken < N { self.taken } else { self.oldest() };
            self.taken = self.taken.max(place + 1);
            (self.peers[place], self.values[place]) = (peer, self.fresh);
            place
        });
        self.looked_at[place] = looks;
        &mut self.values[place]
    }

    /// The place that nobody has looked at for the longest time.
    fn oldest(&self) -> usize {
        (0..N).max_by_key(|&place| self.looks.wrapping_sub(self.looked_at[place])).unwrap_or_default()
    }
}

impl<T, const N: usize> fmt::Debug for PerPeer<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PerPeer({N} places)")
    }
}

/// A peer as one number, as [`PerPeer`] tells them apart: the first 64 bits of an IPv6 address, or an IPv4 address where no IPv6 address is
/// (RFC 4291 section 4 keeps `0000::/8`).
pub fn number(peer: IpAddr) -> u64 {
    match peer.to_canonical() {
        IpAddr::V4(address) => 1 << 32 | u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::net::Ipv4Addr;
    use std::{panic, vec::Vec};

    use super::*;

    fn peer(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(0xc000_0200 + number).into()
    }

    fn visit<const N: usize>(table: &PerPeer<u32, N>, number: u32) -> u32 {
        table.with(peer(number), |visits| {
            *visits += 1;
            *visits
        })
    }

    #[test]
    fn what_is_one_peer() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for (one, other, is_same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "::ffff:192.0.2.2", false),
            ("192.0.2.1", "::1", false),
            ("0.0.0.0", "::", false),
            ("2001:db8::1", "2001:db8::ffff:1:2:3", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::1", "::2", true),
        ] {
            assert_eq!(number(address(one)) == number(address(other)), is_same, "{one} and {other}");
        }
    }

    /// At, below and above its places; whoever was looked at last stays.
    #[test]
    fn the_one_not_looked_at_for_longest_leaves() {
        let table = PerPeer::<u32, 4>::new(0);
        let firsts: Vec<u32> = (0..4).map(|number| visit(&table, number)).collect();
        assert_eq!(firsts, [1; 4]);
        let again: Vec<u32> = [3, 0, 2, 1].map(|number| visit(&table, number)).to_vec();
        assert_eq!(again, [2; 4]);
        assert_eq!(visit(&table, 4), 1, "in the place of 3");
        assert_eq!([0, 2, 1, 4].map(|number| visit(&table, number)), [3, 3, 3, 2]);
        assert_eq!(visit(&table, 3), 1, "in the place of 0");
        assert_eq!(visit(&table, 0), 1);
    }

    #[test]
    fn one_place_is_a_table() {
        let table = PerPeer::<u32, 1>::new(7);
        assert_eq!([0, 0, 1, 0].map(|number| visit(&table, number)), [8, 9, 8, 8]);
    }

    /// The count of looks may wrap.
    #[test]
    fn looks_are_counted_for_ever() {
        let table = PerPeer::<u32, 2>::new(0);
        table.table.lock().unwrap().looks = u32::MAX - 2;
        assert_eq!([0, 1, 0, 2, 0, 1].map(|number| visit(&table, number)), [1, 1, 2, 1, 3, 1]);
    }

    #[test]
    fn what_panicked_is_lent_again() {
        let table = PerPeer::<u32, 2>::new(0);
        let panics = || table.with(peer(1), |visits| -> () { panic!("on purpose: {visits}") });
        assert!(panic::catch_unwind(panic::AssertUnwindSafe(panics)).is_err());
        assert_eq!(visit(&table, 1), 1);
    }
}
