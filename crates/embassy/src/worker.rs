//! The worker: the one task that serves, one turn per wake-up.

use core::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

#[cfg(any(feature = "ipv4", feature = "ipv6"))]
use embassy_net::IpAddress;
use embassy_net::{Stack, tcp::State};
use embassy_time::{Duration, Timer};
use tenure::{
    Observer, PeerAddress, Session,
    port::{Driver, DriverSettings, Kind, Port, Wire, peer_number},
};

use crate::{
    Settings,
    accept::Role,
    clock,
    handle::{Bell, Order, Stop},
    net::EmbassyPort,
    pushes::{Source, To},
    used,
};

/// The most rounds over marked sockets and lanes in one turn before other tasks run.
const ROUNDS_MAX: u32 = 8;
/// The most pushes of one turn.
const PUSHES_MAX: u32 = 16;
/// How often to check link and addresses while there are connections. The stack keeps only one waker for such changes, and that is
/// the application's.
const CHECK_MS: u32 = 1_000;
/// Longer waits are split into steps of this length.
const FAR_MS: u32 = 60_000;

pub(crate) struct Worker<'w, 'a, S, F, M, O, const CONNECTIONS: usize, const LANES: usize, const SOCKETS: usize>
where
    S: Session,
    F: Future<Output = Infallible> + 'a,
    M: Fn(&'w Wire<S>) -> F,
    O: Observer,
{
    driver: Driver<EmbassyPort<'w, 'a, S, F, M, O, CONNECTIONS, LANES, SOCKETS>>,
    stack: Stack<'a>,
    bell: &'static Bell,
    pushes: Option<&'static dyn Source>,
    /// The task's waker, as registered.
    waker: Option<Waker>,
    timer: Option<(u32, Timer)>,
    now_ms: u32,
    checked_ms: u32,
    /// When the link was last up, and how long it may be down.
    link_ms: u32,
    link_down_ms: u32,
    stopped: Stop,
    /// The most connections of one peer; there are no more sockets than a byte counts.
    per_peer_max: u8,
}

/// Closes the bell however the run ends, so that nobody waits for an answer.
impl<'w, 'a, S, F, M, O, const CONNECTIONS: usize, const LANES: usize, const SOCKETS: usize> Drop
    for Worker<'w, 'a, S, F, M, O, CONNECTIONS, LANES, SOCKETS>
where
    S: Session,
    F: Future<Output = Infallible> + 'a,
    M: Fn(&'w Wire<S>) -> F,
    O: Observer,
{
    fn drop(&mut self) {
        self.bell.close();
        if let Some(pushes) = self.pushes {
            pushes.set_runs(false);
        }
    }
}

impl<'w, 'a, S, F, M, O, const CONNECTIONS: usize, const LANES: usize, const SOCKETS: usize>
    Worker<'w, 'a, S, F, M, O, CONNECTIONS, LANES, SOCKETS>
where
    S: Session,
    F: Future<Output = Infallible> + 'a,
    M: Fn(&'w Wire<S>) -> F,
    O: Observer,
{
    /// `number`: the run's. It is part of each connection's id, so that ids of an earlier run match none of this one.
    pub(crate) fn new(
        port: EmbassyPort<'w, 'a, S, F, M, O, CONNECTIONS, LANES, SOCKETS>,
        settings: &Settings,
        number: u8,
        stack: Stack<'a>,
        (bell, pushes): (&'static Bell, Option<&'static dyn Source>),
    ) -> Self {
        if let Some(pushes) = pushes {
            pushes.set_runs(true);
        }
        let driver_settings = DriverSettings {
            connections_max: CONNECTIONS as u32,
            lanes_max: LANES as u32,
            open_max: (CONNECTIONS as u32).saturating_sub(1).max(1),
            eviction: settings.eviction,
            deadlines: settings.deadlines,
            limits: settings.limits,
            worker: u32::from(number),
        };
        let driver = Driver::new(port, heapless::Vec::new(), heapless::Vec::new(), driver_settings);
        let now_ms = clock::now_ms();
        Worker {
            driver,
            stack,
            bell,
            pushes,
            waker: None,
            timer: None,
            now_ms,
            checked_ms: now_ms,
            link_ms: now_ms,
            link_down_ms: settings.link_down_ms,
            stopped: Stop::Not,
            per_peer_max: settings.connections_per_peer_max.map_or(u8::MAX, |max| max.min(u8::MAX.into()) as u8),
        }
    }

    /// Does all there is to do, and has the task woken when there is more. Ready when the server has stopped.
    pub(crate) fn turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.bell.listen(context.waker());
            self.waker = Some(context.waker().clone());
            // The old timer would wake the old task.
            self.timer = None;
        }
        self.now_ms = clock::now_ms();
        self.driver.set_now(self.now_ms);
        self.driver.port.places.now_ms = self.now_ms;
        if used::HANDLE.is_on() && self.bell.is_asked() {
            self.obey();
        }
        for _ in 0..ROUNDS_MAX {
            if !self.bell.take() {
                break;
            }
            self.answer_bell();
            // After serving: a connection whose request arrived in this turn must not be evicted as idle.
            self.admit();
        }
        if used::PUSHES.is_on() {
            self.push(context);
        }
        self.driver.expire();
        self.driver.port.settle();
        self.check_network();
        // Expired deadlines may have made room.
        self.admit();
        let tend_ms = self.driver.port.places.tend();
        if used::SYN_GATE.is_on() {
            self.driver.port.places.tell_gate(self.bell);
        }
        if used::HANDLE.is_on()
            && self.stopped != Stop::Not
            && self.driver.count() == 0
            && self.driver.port.places.is_quiet()
        {
            return Poll::Ready(());
        }
        if self.driver.has_undelivered() || self.bell.is_rung() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.sleep(tend_ms, context);
        Poll::Pending
    }

    /// Pushes what tasks have for connections that stay open: as many as other tasks leave time for.
    #[inline(never)]
    fn push(&mut self, context: &mut Context<'_>) {
        let Some(pushes) = self.pushes else { return };
        let driver = &mut self.driver;
        for _ in 0..PUSHES_MAX {
            let is_some = pushes.poll_next(context, &mut |to, bytes| match to {
                To::One(id) => {
                    let _ = driver.push(id, Kind::Messages, bytes);
                }
                To::Topic(topic) => driver.publish(topic, bytes),
            });
            if !is_some {
                return;
            }
        }
        context.waker().wake_by_ref();
    }

    /// Obeys the orders.
    #[inline(never)]
    fn obey(&mut self) {
        while let Some(order) = self.bell.order() {
            match order {
                Order::One(command) => self.driver.obey(command),
                Order::List { from, question } => {
                    let listed = self.driver.list().find(|listed| listed.id.index() >= from);
                    self.bell.tell(question, listed);
                }
            }
        }
        let stop = self.bell.stop();
        if stop > self.stopped {
            self.stopped = stop;
            self.driver.port.places.stop();
            if stop == Stop::Now { self.driver.end_all() } else { self.driver.stop() }
        }
    }

    /// Looks at every marked socket and lane, and at no other.
    fn answer_bell(&mut self) {
        for word in 0..SOCKETS.div_ceil(32) {
            let mut bits = self.bell.take_sockets(word);
            while bits != 0 {
                self.look(word * 32 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
        let mut bits = self.bell.take_lanes();
        while bits != 0 {
            self.driver.woken(bits.trailing_zeros());
            bits &= bits - 1;
        }
        self.driver.port.settle();
    }

    fn look(&mut self, number: usize) {
        let Some(place) = self.driver.port.places.all.get(number) else { return };
        let Role::Served(key) = place.role else { return self.driver.port.places.look(number) };
        let state = place.socket.state();
        let gone = state == State::Closed;
        if gone && self.is_lost(number) {
            return self.driver.link_down(key);
        }
        if place.interest.closes() && !gone && !matches!(state, State::Established) {
            self.driver.peer_closed(key);
        }
        let Some(place) = self.driver.port.places.all.get(number) else { return };
        if gone || place.is_ready(state) {
            // Bytes have come, so the link is up.
            self.link_ms = self.now_ms;
            self.driver.ready(key, gone);
            self.driver.port.settle();
        }
        // Readiness is a level: report again what is left.
        let places = &mut self.driver.port.places;
        if let Role::Served(_) = places.all[number].role
            && !places.watch(number, places.all[number].interest)
        {
            places.mark(number);
        }
    }

    /// Accepts as many newcomers as there is room for; the others wait in their sockets.
    #[inline]
    fn admit(&mut self) {
        if self.driver.port.places.newcomers() > 0 {
            self.admit_newcomers();
        }
    }

    #[inline(never)]
    fn admit_newcomers(&mut self) {
        if used::PER_PEER.is_on() {
            self.turn_away(self.per_peer_max.into());
        }
        while self.driver.port.places.newcomers() > 0 && self.driver.has_room() {
            let Some(number) = self.driver.port.places.oldest(Role::Newcomer) else { return };
            let peer = self.driver.port.places.all[number].peer();
            if self.driver.connected(number as u8, peer).is_err() {
                self.driver.port.places.give_up(number, false);
            }
        }
    }

    /// Closes newcomers whose peer has more than so many connections, also where no place is free: one peer must not take all sockets.
    #[inline(never)]
    fn turn_away(&mut self, max: usize) {
        for number in 0..SOCKETS {
            let places = &mut self.driver.port.places;
            let Some(peer) = places.all[number].peer().filter(|_| places.all[number].role == Role::Newcomer) else {
                continue;
            };
            let is_peers = |other: Option<PeerAddress>| {
                other.and_then(PeerAddress::ip).map(peer_number) == peer.ip().map(peer_number)
            };
            let count = places
                .all
                .iter()
                .filter(|place| matches!(place.role, Role::Newcomer | Role::Served(_)) && is_peers(place.peer()));
            if count.count() > max {
                places.give_up(number, false);
                let _ = self.driver.port.tell(|observer| observer.turned_away(peer));
            }
        }
    }

    /// Ends connections to an address that this side no longer has, and all of them once the link has been down for too long.
    fn check_network(&mut self) {
        if self.now_ms.wrapping_sub(self.checked_ms) < CHECK_MS {
            return;
        }
        self.checked_ms = self.now_ms;
        let is_up = self.stack.is_link_up();
        if is_up {
            self.link_ms = self.now_ms;
        }
        // 2^31 ms or more means never.
        let bound = self.link_down_ms < 1 << 31;
        let down = !is_up && bound && self.now_ms.wrapping_sub(self.link_ms) >= self.link_down_ms;
        for number in 0..SOCKETS {
            if let Role::Served(key) = self.driver.port.places.all[number].role
                && (down || self.is_lost(number))
            {
                self.driver.link_down(key);
            }
        }
    }

    /// Whether this side no longer has a connection's address. The stack would reset that connection at its next send.
    fn is_lost(&self, number: usize) -> bool {
        match self.driver.port.places.all[number].local {
            #[cfg(feature = "ipv4")]
            Some(IpAddress::Ipv4(local)) => {
                self.stack.config_v4().is_none_or(|config| config.address.address() != local)
            }
            // A link-local address stays: it derives from the hardware address.
            #[cfg(feature = "ipv6")]
            Some(IpAddress::Ipv6(local)) if !local.is_unicast_link_local() => {
                self.stack.config_v6().is_none_or(|config| config.address.address() != local)
            }
            _ => false,
        }
    }

    /// Has the task woken when the next deadline is due.
    fn sleep(&mut self, tend_ms: Option<u32>, context: &mut Context<'_>) {
        let mut ms = FAR_MS;
        if self.driver.count() > 0 {
            ms = CHECK_MS;
        }
        for due_ms in [self.driver.due_within(), tend_ms].into_iter().flatten() {
            ms = ms.min(due_ms);
        }
        let due_ms = self.now_ms.wrapping_add(ms);
        // A timer that is early enough stays: at worst it costs one wake-up.
        let keeps = |timer_ms: u32| timer_ms.wrapping_sub(self.now_ms) <= ms;
        let (_, timer) = match &mut self.timer {
            Some((timer_ms, _)) if keeps(*timer_ms) && *timer_ms != self.now_ms => return,
            timer => timer.insert((due_ms, Timer::after(Duration::from_millis(u64::from(ms.max(1)))))),
        };
        if Pin::new(timer).poll(context).is_ready() {
            context.waker().wake_by_ref();
        }
    }
}
