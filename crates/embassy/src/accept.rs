//! The sockets: which of them listen, are served, or still close. The stack keeps no backlog: a newcomer is taken only
//! where a socket listens, so all that are free do, and one that is still closing gives way when none is left.

use core::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use embassy_net::{
    IpAddress,
    tcp::{Error, State, TcpSocket},
};
use tenure::{
    PeerAddress,
    port::{Interest, Key},
};

use crate::{
    handle::{Bell, Mark},
    sys,
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
    /// Given up, but not flushed, or the peer has not closed yet.
    Closing,
    /// Closed by both sides. The stack may still have to acknowledge the peer's close.
    Closed,
}

/// One socket and its role.
pub(crate) struct Place<'a> {
    pub(crate) socket: TcpSocket<'a>,
    pub(crate) role: Role,
    /// What the driver wants to know of it.
    pub(crate) interest: Interest,
    /// Since when it has its role.
    since_ms: u32,
    /// This side's address of a connection that is served.
    pub(crate) local: Option<IpAddress>,
    /// Bytes of an incomplete head in its ring: nothing is done before there are more.
    waiting_bytes: usize,
}

impl Place<'_> {
    /// Whether bytes may still come, beyond those that are in the ring.
    pub(crate) fn may_receive(&self) -> bool {
        may_receive(self.socket.state())
    }

    /// Whether it has what is asked for. `state`: the socket's.
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

    /// Whether nothing but the peer's close is missing.
    fn waits_for_close(&self) -> bool {
        matches!(self.socket.state(), State::FinWait1 | State::FinWait2) && self.socket.send_queue() == 0
    }
}

/// What a socket may take to connect or to close, at least: both need the peer's answer.
pub(crate) const PATIENCE_MS_MIN: u32 = 1_000;
/// The same at the most: what is later cannot be told from the past.
pub(crate) const PATIENCE_MS_MAX: u32 = (1 << 31) - 1;

/// How long a socket that both sides have closed waits before it listens: the stack delays an acknowledgement by 10 ms, that
/// of a close behind bytes, too, and a socket that listens has forgotten it. The peer would be answered by a reset.
const CLOSED_MS: u32 = 20;

/// How long a socket waits for its peer's close, all else being done, before it gives way where too few listen. Where none
/// does, it gives way at once. A half-open one gives way after this time, and only where none listens: a client sends its SYN
/// again after a second, and then a socket is free.
const STALE_MS: u32 = 500;

/// How soon it is looked whether there is more of an incomplete head, and how late, twice as late each time. The stack tells
/// of bytes only where none are left.
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
    /// How many sockets a gate was told of last; `None` where that has changed since.
    told: Option<u32>,
    newcomers: u32,
    /// Half open, closing and closed ones: those whose time is bounded.
    passing: u32,
    due_ms: u32,
    /// Sockets with an incomplete head, how long after the last look they are looked at, and when.
    waiting_heads: u32,
    look_ms: u32,
    look_due_ms: u32,
    /// How many sockets should listen.
    spares: u32,
    /// No more newcomers.
    stopping: bool,
}

impl<'a, const SOCKETS: usize> Places<'a, SOCKETS> {
    /// Lets every socket listen.
    pub(crate) fn new(
        sockets: impl FnMut(usize) -> TcpSocket<'a>,
        marks: &'static [Mark; SOCKETS],
        port: u16,
        spares: u32,
        patience_ms: u32,
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
            port,
            patience_ms,
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

    /// Tells the gate how many sockets listen, where that has changed or the gate has let a SYN through.
    #[inline(never)]
    pub(crate) fn tell_gate(&mut self, bell: &Bell) {
        if self.told == Some(bell.listening()) {
            return;
        }
        // By their states: one to which a SYN has just come may not have been looked at.
        let listens = |place: &&Place<'_>| place.role == Role::Listening && place.socket.state() == State::Listen;
        let count = self.all.iter().filter(listens).count() as u32;
        self.told = Some(count);
        bell.set_listening(count);
    }

    /// The socket is to be looked at.
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

    /// How long a socket may have a role, where that is bounded.
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

    /// Lets the driver have a newcomer.
    pub(crate) fn serve(&mut self, number: usize, key: Key) {
        self.assign(number, Role::Served(key));
        let place = &mut self.all[number];
        place.local = place.socket.local_endpoint().map(|endpoint| endpoint.addr);
    }

    /// Leaves so many bytes of an incomplete head in a socket's ring.
    pub(crate) fn leave(&mut self, number: usize, bytes: usize) {
        self.taken_up(number);
        self.all[number].waiting_bytes = bytes;
        self.waiting_heads += 1;
        // The rest of a head is mostly on its way already.
        self.look_ms = LOOK_MS;
        self.look_due_ms = self.now_ms.wrapping_add(LOOK_MS);
    }

    /// No bytes of a socket are left for later any more.
    pub(crate) fn taken_up(&mut self, number: usize) {
        if core::mem::take(&mut self.all[number].waiting_bytes) > 0 {
            self.waiting_heads -= 1;
        }
    }

    /// Looks, when it is time, whether there is more of incomplete heads. Returns in how many milliseconds it is to be called
    /// again.
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

    /// Copies bytes that are there, as many as lie in one piece and fit, and takes up to `taken` of them out of the ring.
    /// Returns how many it was, copied or taken. Pending: the socket's mark is set when there are some. An error: none will
    /// come.
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
        // It enters its state at once; only the wait for a peer is pending.
        let accepted = pin!(place.socket.accept(self.port)).poll(&mut Context::from_waker(&waker));
        if let Poll::Ready(Err(error)) = accepted {
            log::error!("a socket cannot listen at port {}: {error:?}", self.port);
            return self.assign(number, Role::Free);
        }
        // A response is sent as soon as it is there.
        place.socket.set_nagle_enabled(false);
        self.assign(number, Role::Listening);
    }

    /// Nobody is accepted any more.
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

    /// Does what a socket that is not served needs now.
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
                // A reset has been sent, or there was none to send.
                State::Closed if self.all[number].peer().is_none() => self.listen(number),
                State::TimeWait => self.assign(number, Role::Closed),
                _ => self.watch_state(number),
            },
        }
    }

    /// Aborts what has been passing for too long, and lets others give way where too few sockets listen. Returns in how many
    /// milliseconds it is to be called again.
    pub(crate) fn tend(&mut self) -> Option<u32> {
        let look_ms = self.look_at_left();
        if self.passing == 0 {
            return look_ms;
        }
        let lacks = self.listening < self.spares && !self.stopping;
        if lacks || is_due(self.due_ms, self.now_ms) {
            self.due_ms = self.now_ms.wrapping_add(self.patience_ms);
            // Those whose reset is still to be sent will listen soon.
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

    /// Aborts a socket that has been passing for too long. Returns whether it is about to listen again.
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
        // One that has been aborted and still has its reset to send has no network to send it to.
        if is_closed || place.role == Role::Closed {
            self.listen(number);
        } else {
            self.give_up(number, true);
        }
        true
    }

    /// Aborts the one that has waited longest for its peer's close, all that was sent having been acknowledged, if that is long
    /// enough. `at_once`: however long it is, or lets one listen that both sides have closed, or that has been half open for
    /// long.
    fn give_way(&mut self, at_once: bool) -> bool {
        if at_once {
            if let Some(number) = self.oldest(Role::Closed) {
                self.listen(number);
                return true;
            }
            if let Some(number) = self.oldest(Role::HalfOpen)
                && self.is_stale(number)
            {
                // It listens before a reset is sent: a client that has not heard the answer to its SYN sends the SYN again.
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

    /// Whether a socket has passed for long enough to give way. Otherwise it is looked at again when it has.
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

    /// The one that has had its role longest; of closing ones, of those only whose peer has everything but has not closed.
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

    /// Lets the socket's mark be set when that happens; a failure sets it in any case. `false`: it is so already.
    pub(crate) fn watch(&mut self, number: usize, interest: Interest) -> bool {
        if interest.receives() && self.all[number].waiting_bytes == 0 {
            return self.read(number, &mut [], 0).is_pending();
        }
        let waker = self.waker(number);
        let place = &mut self.all[number];
        // It is the write of no bytes that is never ready: it tells of every change, and so of a failure too.
        let _ = pin!(place.socket.write(&[])).poll(&mut Context::from_waker(&waker));
        !place.is_ready(place.socket.state())
    }

    /// Lets the mark be set when a socket that cannot send changes its state.
    fn watch_state(&mut self, number: usize) {
        let waker = self.waker(number);
        let _ = pin!(self.all[number].socket.wait_write_ready()).poll(&mut Context::from_waker(&waker));
    }
}
