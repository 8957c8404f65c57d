//! The sockets: which of them listen, are served, or still close. The stack has no backlog: a newcomer needs a listening socket. So
//! every free socket listens, and if none is left, one that is still closing is aborted to listen.

use core::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use embassy_net::{
    IpAddress,
    tcp::{Error, State, TcpSocket},
};
use embassy_time::Duration;
use tenure::{
    PeerAddress,
    port::{Interest, Key},
};

use crate::{
    Settings,
    handle::{Bell, Mark},
    sys, used,
};

/// What a socket is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing: the server stops.
    Free,
    Listening,
    /// A peer has begun to connect.
    HalfOpen,
    /// Connected, waiting for a place among those that are served.
    Newcomer,
    Served(Key),
    /// Released, but bytes are not flushed or the peer has not closed yet.
    Closing,
    /// Closed by both sides. The stack may still have to acknowledge the peer's close.
    Closed,
}

/// One socket and its role.
pub(crate) struct Place<'a> {
    pub(crate) socket: TcpSocket<'a>,
    pub(crate) role: Role,
    /// What the driver wants reported.
    pub(crate) interest: Interest,
    /// Since when it has its role.
    since_ms: u32,
    /// A served connection's address on this side.
    pub(crate) local: Option<IpAddress>,
    /// Bytes of an incomplete head left in its ring: it is ready only when there are more.
    waiting_bytes: usize,
}

impl Place<'_> {
    /// Lets the stack probe a silent peer of each of the socket's connections, and give up one that stays silent.
    fn probe(&mut self, settings: &Settings) {
        let time = |ms: u32| Duration::from_millis(u64::from(ms));
        self.socket.set_keep_alive(Some(time(settings.keep_alive_ms())));
        self.socket.set_timeout(settings.silence_ms().map(time));
    }

    /// Whether more bytes may still come than are in the ring.
    pub(crate) fn may_receive(&self) -> bool {
        may_receive(self.socket.state())
    }

    /// Whether it can do what the driver waits for. `state`: the socket's.
    pub(crate) fn is_ready(&self, state: State) -> bool {
        self.interest.receives() && (!may_receive(state) || self.socket.recv_queue() > self.waiting_bytes)
            || self.interest.sends()
                && (!matches!(state, State::Established | State::CloseWait) || self.socket.can_send())
    }

    /// The peer's address, while the stack knows it.
    #[inline(never)]
    pub(crate) fn peer(&self) -> Option<PeerAddress> {
        self.socket.remote_endpoint().map(|endpoint| PeerAddress::Ip(endpoint.into()))
    }

    /// Whether only the peer's close is missing.
    fn waits_for_close(&self) -> bool {
        matches!(self.socket.state(), State::FinWait1 | State::FinWait2) && self.socket.send_queue() == 0
    }
}

/// The least time for a socket to connect or to close: both need the peer's answer.
const PATIENCE_MS_MIN: u32 = 1_000;
/// The most: with wrapping times, anything later counts as past.
const PATIENCE_MS_MAX: u32 = (1 << 31) - 1;

/// How long a socket that both sides have closed waits before it listens again. The stack delays acknowledgements by 10 ms, also the
/// one of the peer's close. A socket that listens no longer sends it, and the peer's next try would be reset.
const CLOSED_MS: u32 = 20;

/// How long a socket waits for its peer's close, if nothing else is missing, before it gives way while too few sockets listen. While
/// none listens, it gives way at once. A half-open one gives way after this time, and only while none listens: a client sends its
/// SYN again after a second, and then finds a free socket.
const STALE_MS: u32 = 500;

/// The first and the longest interval between looks for more of an incomplete head; it doubles each time. The stack reports bytes
/// only to a socket whose ring is empty.
const LOOK_MS: u32 = 1;
const LOOK_MS_MAX: u32 = 64;

fn may_receive(state: State) -> bool {
    matches!(state, State::Established | State::FinWait1 | State::FinWait2)
}

/// Whether `then` is not after `now`; times wrap.
fn is_due(then_ms: u32, now_ms: u32) -> bool {
    now_ms.wrapping_sub(then_ms) < 1 << 31
}

/// All sockets of a server.
pub(crate) struct Places<'a, const SOCKETS: usize> {
    pub(crate) all: [Place<'a>; SOCKETS],
    marks: &'static [Mark; SOCKETS],
    port: u16,
    /// How long one may take to connect or to close.
    patience_ms: u32,
    pub(crate) now_ms: u32,
    listening: u32,
    /// How many sockets listened when the gate was told last; `None` if that has changed since.
    told: Option<u32>,
    newcomers: u32,
    /// Half-open, closing and closed sockets: those whose time is bounded.
    passing: u32,
    due_ms: u32,
    /// Sockets with an incomplete head, the interval between looks at them, and the next look's time.
    waiting_heads: u32,
    look_ms: u32,
    look_due_ms: u32,
    /// How many sockets should listen.
    spares: u32,
    /// No newcomers any more.
    stopping: bool,
}

impl<'a, const SOCKETS: usize> Places<'a, SOCKETS> {
    /// Lets every socket listen.
    pub(crate) fn new(
        sockets: impl FnMut(usize) -> TcpSocket<'a>,
        marks: &'static [Mark; SOCKETS],
        settings: &Settings,
        spares: u32,
        now_ms: u32,
    ) -> Self {
        let mut sockets = sockets;
        let all = core::array::from_fn(|number| Place {
            socket: sockets(number),
            role: Role::Free,
            interest: Interest::NONE,
            since_ms: now_ms,
            local: None,
            waiting_bytes: 0,
        });
        let mut places = Places {
            all,
            marks,
            port: settings.port,
            patience_ms: settings.deadlines.flush_ms.clamp(PATIENCE_MS_MIN, PATIENCE_MS_MAX),
            now_ms,
            listening: 0,
            told: None,
            newcomers: 0,
            passing: 0,
            due_ms: 0,
            waiting_heads: 0,
            look_ms: LOOK_MS,
            look_due_ms: now_ms,
            spares,
            stopping: false,
        };
        for number in 0..SOCKETS {
            if used::KEEP_ALIVE.is_on() && settings.keep_alive {
                places.all[number].probe(settings);
            }
            places.listen(number);
        }
        places
    }

    pub(crate) fn newcomers(&self) -> u32 {
        self.newcomers
    }

    /// Whether nothing is left of any connection.
    pub(crate) fn is_quiet(&self) -> bool {
        self.passing == 0
    }

    /// Tells the gate how many sockets listen, if that has changed or the gate has let a SYN through.
    #[inline(never)]
    pub(crate) fn tell_gate(&mut self, bell: &Bell) {
        if self.told == Some(bell.listening()) {
            return;
        }
        // Count by state too: a SYN may have come to a socket that has not been looked at since.
        let listens = |place: &&Place<'_>| place.role == Role::Listening && place.socket.state() == State::Listen;
        let count = self.all.iter().filter(listens).count() as u32;
        self.told = Some(count);
        bell.set_listening(count);
    }

    /// Marks the socket for a look.
    pub(crate) fn mark(&self, number: usize) {
        self.marks[number].set();
    }

    pub(crate) fn waker(&self, number: usize) -> Waker {
        sys::waker(&self.marks[number])
    }

    /// The one count that a role is counted in.
    fn count(&mut self, role: Role) -> Option<&mut u32> {
        match role {
            Role::Listening => Some(&mut self.listening),
            Role::Newcomer => Some(&mut self.newcomers),
            Role::HalfOpen | Role::Closing | Role::Closed => Some(&mut self.passing),
            Role::Free | Role::Served(_) => None,
        }
    }

    /// The longest time in a role; `None`: unbounded.
    fn bound_ms(&self, role: Role) -> Option<u32> {
        match role {
            Role::HalfOpen | Role::Closing => Some(self.patience_ms),
            Role::Closed => Some(CLOSED_MS),
            Role::Free | Role::Listening | Role::Newcomer | Role::Served(_) => None,
        }
    }

    pub(crate) fn assign(&mut self, number: usize, role: Role) {
        let place = &mut self.all[number];
        let before = core::mem::replace(&mut place.role, role);
        place.since_ms = self.now_ms;
        if before == Role::Listening || role == Role::Listening {
            self.told = None;
        }
        if let Some(count) = self.count(before) {
            *count -= 1;
        }
        if let Some(count) = self.count(role) {
            *count += 1;
        }
        if let Some(bound_ms) = self.bound_ms(role) {
            let due_ms = self.now_ms.wrapping_add(bound_ms);
            if self.passing == 1 || is_due(due_ms, self.due_ms) {
                self.due_ms = due_ms;
            }
        }
    }

    /// Hands a newcomer to the driver.
    pub(crate) fn serve(&mut self, number: usize, key: Key) {
        self.assign(number, Role::Served(key));
        let place = &mut self.all[number];
        place.local = place.socket.local_endpoint().map(|endpoint| endpoint.addr);
    }

    /// Leaves `bytes` of an incomplete head in a socket's ring.
    pub(crate) fn leave(&mut self, number: usize, bytes: usize) {
        self.taken_up(number);
        self.all[number].waiting_bytes = bytes;
        self.waiting_heads += 1;
        // Usually the rest of a head is on its way already.
        self.look_ms = LOOK_MS;
        self.look_due_ms = self.now_ms.wrapping_add(LOOK_MS);
    }

    /// Ends that: the bytes count as unread again.
    pub(crate) fn taken_up(&mut self, number: usize) {
        if core::mem::take(&mut self.all[number].waiting_bytes) > 0 {
            self.waiting_heads -= 1;
        }
    }

    /// When it is time, marks sockets with more of their incomplete heads. Returns the milliseconds until the next call.
    fn look_at_left(&mut self) -> Option<u32> {
        if self.waiting_heads == 0 {
            return None;
        }
        if is_due(self.look_due_ms, self.now_ms) {
            for number in 0..SOCKETS {
                let place = &self.all[number];
                if place.waiting_bytes > 0 && place.is_ready(place.socket.state()) {
                    self.mark(number);
                }
            }
            self.look_ms = (2 * self.look_ms).min(LOOK_MS_MAX);
            self.look_due_ms = self.now_ms.wrapping_add(self.look_ms);
        }
        Some(self.look_due_ms.wrapping_sub(self.now_ms))
    }

    /// Copies bytes from the ring, as many as are contiguous and fit, and removes up to `taken` of them. Returns how many it
    /// copied or removed, whichever is more. Pending: the socket's mark will be set when there are some. An error: none will come.
    #[inline(never)]
    pub(crate) fn read(&mut self, number: usize, into: &mut [u8], taken: usize) -> Poll<Result<usize, Error>> {
        let waker = self.waker(number);
        let read = self.all[number].socket.read_with(|bytes| {
            let copied = bytes.len().min(into.len());
            if copied > 0 {
                into[..copied].copy_from_slice(&bytes[..copied]);
            }
            let taken = bytes.len().min(taken);
            (taken, copied.max(taken))
        });
        pin!(read).poll(&mut Context::from_waker(&waker))
    }

    /// Lets a closed socket listen.
    fn listen(&mut self, number: usize) {
        if self.stopping {
            return self.assign(number, Role::Free);
        }
        let waker = self.waker(number);
        let place = &mut self.all[number];
        // The first poll makes it listen; only the wait for a peer is pending.
        let accepted = pin!(place.socket.accept(self.port)).poll(&mut Context::from_waker(&waker));
        if let Poll::Ready(Err(error)) = accepted {
            log::error!("a socket cannot listen at port {}: {error:?}", self.port);
            return self.assign(number, Role::Free);
        }
        // Send a response at once.
        place.socket.set_nagle_enabled(false);
        self.assign(number, Role::Listening);
    }

    /// Stops accepting.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        for number in 0..SOCKETS {
            match self.all[number].role {
                Role::Listening => {
                    self.all[number].socket.close();
                    self.assign(number, Role::Free);
                }
                Role::HalfOpen | Role::Newcomer => self.give_up(number, true),
                _ => {}
            }
        }
    }

    /// Closes a socket: bytes and the close are flushed before it listens again.
    pub(crate) fn give_up(&mut self, number: usize, abort: bool) {
        self.taken_up(number);
        let place = &mut self.all[number];
        place.interest = Interest::NONE;
        if abort {
            place.socket.abort();
        } else {
            place.socket.close();
        }
        self.assign(number, Role::Closing);
        self.mark(number);
    }

    /// Handles an event of a socket that is not served.
    pub(crate) fn look(&mut self, number: usize) {
        let state = self.all[number].socket.state();
        match self.all[number].role {
            Role::Free | Role::Served(_) | Role::Closed => {}
            Role::Listening | Role::HalfOpen => match state {
                State::Closed => self.listen(number),
                State::Listen | State::SynSent | State::SynReceived => {
                    let role = if state == State::Listen { Role::Listening } else { Role::HalfOpen };
                    if role != self.all[number].role {
                        self.assign(number, role);
                    }
                    self.watch_state(number);
                }
                _ => {
                    self.assign(number, Role::Newcomer);
                    self.look(number);
                }
            },
            Role::Newcomer => {
                let place = &mut self.all[number];
                if state == State::Closed || !may_receive(state) && place.socket.recv_queue() == 0 {
                    return self.give_up(number, false);
                }
                self.watch(number, Interest::NONE);
            }
            Role::Closing => match state {
                // Its reset has been sent, or it had none to send.
                State::Closed if self.all[number].peer().is_none() => self.listen(number),
                State::TimeWait => self.assign(number, Role::Closed),
                _ => self.watch_state(number),
            },
        }
    }

    /// Aborts sockets that take too long to connect or to close, and more of them while too few listen. Returns the milliseconds
    /// until the next call.
    pub(crate) fn tend(&mut self) -> Option<u32> {
        let look_ms = self.look_at_left();
        if self.passing == 0 {
            return look_ms;
        }
        let lacks = self.listening < self.spares && !self.stopping;
        if lacks || is_due(self.due_ms, self.now_ms) {
            self.due_ms = self.now_ms.wrapping_add(self.patience_ms);
            // Counts those that listen, and those that will once their reset is sent.
            let mut soon = self.listening;
            for number in 0..SOCKETS {
                soon += u32::from(self.tend_one(number));
            }
            if !self.stopping {
                while soon < self.spares && self.give_way(soon == 0) {
                    soon += 1;
                }
            }
        }
        let due_ms = self.due_ms.wrapping_sub(self.now_ms);
        Some(look_ms.map_or(due_ms, |look_ms| look_ms.min(due_ms)))
    }

    /// Aborts a socket that takes too long to connect or to close. Returns whether it will soon listen again.
    fn tend_one(&mut self, number: usize) -> bool {
        let place = &self.all[number];
        let Some(bound_ms) = self.bound_ms(place.role) else { return false };
        let due_ms = place.since_ms.wrapping_add(bound_ms);
        let is_closed = place.socket.state() == State::Closed;
        if !is_due(due_ms, self.now_ms) {
            if is_due(due_ms, self.due_ms) {
                self.due_ms = due_ms;
            }
            return is_closed;
        }
        // An aborted socket whose reset is still unsent after all this time has no network to send it to.
        if is_closed || place.role == Role::Closed {
            self.listen(number);
        } else {
            self.give_up(number, true);
        }
        true
    }

    /// Aborts the socket that has waited longest for its peer's close, if it has waited for [`STALE_MS`] and all its bytes are
    /// acknowledged. `at_once`: without waiting, and before that tries a socket that both sides have closed, then one that has been
    /// half open for [`STALE_MS`].
    fn give_way(&mut self, at_once: bool) -> bool {
        if at_once {
            if let Some(number) = self.oldest(Role::Closed) {
                self.listen(number);
                return true;
            }
            if let Some(number) = self.oldest(Role::HalfOpen)
                && self.is_stale(number)
            {
                // It listens before a reset goes out: a client that has missed the answer to its SYN sends the SYN again.
                self.all[number].socket.abort();
                self.listen(number);
                return true;
            }
        }
        let Some(number) = self.oldest(Role::Closing) else { return false };
        if at_once || self.is_stale(number) {
            self.give_up(number, true);
            return true;
        }
        false
    }

    /// Whether a socket may give way. Otherwise the next look is when it may.
    fn is_stale(&mut self, number: usize) -> bool {
        let stale_ms = self.all[number].since_ms.wrapping_add(STALE_MS);
        if is_due(stale_ms, self.now_ms) {
            return true;
        }
        if is_due(stale_ms, self.due_ms) {
            self.due_ms = stale_ms;
        }
        false
    }

    /// The socket that has had this role longest. Of closing ones only those count whose peer has everything but has not closed.
    pub(crate) fn oldest(&self, role: Role) -> Option<usize> {
        let (mut oldest, mut longest_ms) = (None, 0);
        for (number, place) in self.all.iter().enumerate() {
            let for_ms = self.now_ms.wrapping_sub(place.since_ms);
            if place.role == role && for_ms >= longest_ms && (role != Role::Closing || place.waits_for_close()) {
                (oldest, longest_ms) = (Some(number), for_ms);
            }
        }
        oldest
    }

    /// Has the socket's mark set when it becomes ready for `interest`, or fails. `false`: it is ready already.
    pub(crate) fn watch(&mut self, number: usize, interest: Interest) -> bool {
        if interest.receives() && self.all[number].waiting_bytes == 0 {
            let is_pending = self.read(number, &mut [], 0).is_pending();
            if !is_pending || !interest.sends() {
                return is_pending;
            }
        }
        let waker = self.waker(number);
        let place = &mut self.all[number];
        // A write of no bytes is always pending, so its waker hears of every change, failures included.
        let _ = pin!(place.socket.write(&[])).poll(&mut Context::from_waker(&waker));
        !place.is_ready(place.socket.state())
    }

    /// Has the mark set when a socket that cannot send changes its state.
    fn watch_state(&mut self, number: usize) {
        let waker = self.waker(number);
        let _ = pin!(self.all[number].socket.wait_write_ready()).poll(&mut Context::from_waker(&waker));
    }
}
