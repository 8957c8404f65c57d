//! What cannot be said in safe Rust: a socket's address by its number, and the coarse clock.
#![expect(unsafe_code, reason = "the only file of this crate that has some")]

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketAddrAny, getpeername};
use tenure::{PeerAddress, port::Peer};

/// How a lane asks for its peer's address, which most requests never do.
pub(crate) fn peer(socket: &OwnedFd) -> Peer {
    Peer::asked(peer_of, i64::from(socket.as_raw_fd()))
}

/// What the kernel tells of a peer.
pub(crate) fn peer_address(address: SocketAddrAny) -> Option<PeerAddress> {
    match address.address_family() {
        AddressFamily::UNIX => Some(PeerAddress::Unix),
        _ => address.try_into().ok().map(PeerAddress::Ip),
    }
}

/// Milliseconds of the coarse monotonic clock, wrapping. It lags by a few milliseconds: a deadline is never early.
pub(crate) fn now_ms() -> u32 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a timespec that is valid for writes for the whole call, and clock_gettime(2) does nothing else with
    // it. Where the call fails, `now` stays as it is.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut now) };
    (now.tv_sec.cast_unsigned() as u32).wrapping_mul(1000).wrapping_add(now.tv_nsec.cast_unsigned() as u32 / 1_000_000)
}

fn peer_of(number: i64) -> Option<PeerAddress> {
    let number = i32::try_from(number).ok().filter(|&number| number >= 0)?;
    // SAFETY: the number comes from `peer`, and a `Peer` can be asked by `tenure` alone: for a request of that very socket's
    // connection, or while the driver holds the socket. The driver sets a lane's future anew, which ends its request, before
    // it gives up the socket, and drops its lanes before its sockets. So the descriptor is open for as long as this borrow
    // lives, which is this function.
    let socket = unsafe { BorrowedFd::borrow_raw(number) };
    peer_address(getpeername(socket).ok().flatten()?)
}
