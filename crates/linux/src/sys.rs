//! What cannot be said in safe Rust: a socket's address by its number, and the clocks.
#![expect(unsafe_code, reason = "the only file of this crate that has some")]

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketAddrAny, getpeername};
use tenure::{PeerAddress, port::Peer};

/// Asks for the peer's address only when a request wants it, which most never do.
pub(crate) fn peer(socket: &OwnedFd) -> Peer {
    Peer::asked(peer_of, i64::from(socket.as_raw_fd()))
}

/// The peer's address as the kernel gave it.
pub(crate) fn peer_address(address: SocketAddrAny) -> Option<PeerAddress> {
    match address.address_family() {
        AddressFamily::UNIX => Some(PeerAddress::Unix),
        _ => address.try_into().ok().map(PeerAddress::Ip),
    }
}

/// Milliseconds of the coarse monotonic clock, wrapping. It lags by a few milliseconds: a deadline is never early.
pub(crate) fn now_ms() -> u32 {
    let now = read(libc::CLOCK_MONOTONIC_COARSE);
    (now.tv_sec.cast_unsigned() as u32).wrapping_mul(1000).wrapping_add(now.tv_nsec.cast_unsigned() as u32 / 1_000_000)
}

/// The same of the clock that does not lag, rounded up: where a handler begins to sleep.
pub(crate) fn exact_ms(_: u32) -> u32 {
    let now = read(libc::CLOCK_MONOTONIC);
    let ms = (now.tv_nsec.cast_unsigned() as u32).div_ceil(1_000_000);
    (now.tv_sec.cast_unsigned() as u32).wrapping_mul(1000).wrapping_add(ms)
}

#[inline(always)]
fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a timespec that is valid for writes during the whole call, and clock_gettime(2) only writes it. If the
    // call fails, `now` stays as it is.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    now
}

fn peer_of(number: i64) -> Option<PeerAddress> {
    let number = i32::try_from(number).ok().filter(|&number| number >= 0)?;
    // SAFETY: the number comes from `peer`, and only `tenure` can ask a `Peer`: for a request on that very socket, or while the
    // driver holds the socket. The driver replaces a lane's future, which ends its request, before it releases the socket, and it
    // drops its lanes before its sockets. So the descriptor is open for the lifetime of this borrow, which ends in this function.
    let socket = unsafe { BorrowedFd::borrow_raw(number) };
    peer_address(getpeername(socket).ok().flatten()?)
}
