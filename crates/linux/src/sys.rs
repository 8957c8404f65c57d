//! What cannot be said in safe Rust: a socket's address by its number, and the coarse clock.
#![expect(unsafe_code, reason = "the only file of this crate that has some")]

use std::{
    net::SocketAddr,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
};

use rustix::net::getpeername;
use tenure::port::Peer;

/// How a lane asks for its peer's address, which most requests never do.
pub(crate) fn peer(socket: &OwnedFd) -> Peer {
    Peer::Ask(peer_of, i64::from(socket.as_raw_fd()))
}

/// The coarse monotonic clock: seconds and nanoseconds.
#[inline]
pub(crate) fn coarse_clock() -> (i64, i64) {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a timespec that is valid for writes for the whole call, and clock_gettime(2) does nothing else with
    // it. Where the call fails, `now` stays as it is.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut now) };
    (now.tv_sec, now.tv_nsec)
}

fn peer_of(number: i64) -> Option<SocketAddr> {
    let number = i32::try_from(number).ok().filter(|&number| number >= 0)?;
    // SAFETY: the number comes from `peer` and is asked for by a request of that very socket's connection, or by the driver
    // while it holds the socket. The driver sets a lane's future anew, which ends its request, before it lets go of the
    // socket, so the descriptor is open for as long as this borrow lives, which is this function.
    let socket = unsafe { BorrowedFd::borrow_raw(number) };
    getpeername(socket).ok().flatten()?.try_into().ok()
}
