//! A worker: its connections, its orders, and whom it accepts.

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use tenure::{
    PeerAddress, Session,
    port::{AtRest, Driver, DriverSettings, Kind, contain, imf_fixdate},
};

use crate::{
    HostPort, Listening, Net, Service, Settings,
    acceptance::{Acceptance, is_of_newcomer},
    inbox::{Inbox, News, Order, Push, To},
    visit::{Refused, Visitor},
};

/// The most newcomers accepted from one listener, and sockets with held bytes served, before others have their turns.
const BATCH_MAX: u32 = 64;

#[cfg(feature = "kit")]
thread_local! {
    static TURNS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// How many turns the workers of this thread have begun. One that sleeps begins none.
#[cfg(feature = "kit")]
pub fn turns() -> u64 {
    TURNS.get()
}

/// A newcomer's socket, and where it comes from, as a listener gives them.
pub type Newcomer<T> = (T, Option<PeerAddress>);

/// What became of a listener's newcomers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// All have been taken.
    All,
    /// As many as one turn allows: there may be more.
    Batch,
    /// No place is free, it is other workers' turn, descriptors or memory have run out, or the server stops.
    Declined,
}

/// One worker of a server, in one thread or task. Dropping it ends every session.
pub struct Worker<'a, N: Net, A: Service> {
    /// The driver of its connections.
    pub driver: Driver<HostPort<'a, N, A>>,
    server: &'a Listening,
    inbox: Arc<Inbox>,
    acceptance: Acceptance,
    /// A newcomer whose place was taken while it was accepted.
    kept: Option<Newcomer<N::Socket>>,
    /// Closures that wait for sessions which are lent.
    visitors: VecDeque<Box<dyn Visitor>>,
    now_ms: u32,
    date_until_ms: u32,
    /// When the date or a visitor needs a look.
    tend_ms: u32,
    phase: Phase,
    /// Decide again whether to accept.
    reconsider: bool,
}

/// How far a worker's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// The server is to stop once those who have connected are accepted.
    LastCall,
    Stopping,
}

/// Takes this worker's connections out of the shared count.
impl<N: Net, A: Service> Drop for Worker<'_, N, A> {
    fn drop(&mut self) {
        self.acceptance.count(0);
    }
}

impl<'a, N: Net, A: Service> Worker<'a, N, A> {
    /// The worker of that number. `now_ms`: the time, in milliseconds that wrap. `clock` reads that anew, rounded up
    /// ([`Port::clock`](tenure::port::Port::clock)).
    pub fn new(server: &'a Listening, number: usize, net: N, service: A, now_ms: u32, clock: fn(u32) -> u32) -> Self {
        let settings = &server.settings;
        let inbox = server.inbox(number).clone();
        let workers = server.workers() as u32;
        // The first workers take what does not divide evenly.
        let share = |all: u32| all / workers + u32::from((number as u32) < all % workers);
        let connections_max = share(settings.connections_max);
        let driver_settings = DriverSettings {
            connections_max,
            lanes_max: settings.lanes_max.unwrap_or(connections_max),
            open_max: settings.open_max.map_or(connections_max - connections_max / 4, share),
            eviction: settings.eviction,
            deadlines: settings.deadlines,
            limits: settings.limits,
            worker: number as u32,
        };
        // Reserve all slots at once: untouched memory costs nothing, and slots never move.
        let slots = Vec::with_capacity(connections_max as usize);
        let port = HostPort::new((net, service), inbox.clone(), server.handle.shared.clone(), settings, clock);
        let mut worker = Worker {
            driver: Driver::new(port, slots, Vec::new(), driver_settings),
            server,
            inbox,
            acceptance: Acceptance::new(server.handle.shared.clone(), number),
            kept: None,
            visitors: VecDeque::new(),
            now_ms,
            date_until_ms: now_ms,
            tend_ms: now_ms,
            phase: Phase::Serving,
            reconsider: true,
        };
        worker.set_now(now_ms);
        worker
    }

    /// The sockets.
    pub fn net(&mut self) -> &mut N {
        &mut self.driver.port.net
    }

    /// The inbox through which other threads reach it.
    pub fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// What the server is set to.
    pub fn settings(&self) -> &'a Settings {
        &self.server.settings
    }

    /// The time that was set last.
    pub fn now_ms(&self) -> u32 {
        self.now_ms
    }

    /// Sets the time, in milliseconds that wrap: first in each turn.
    pub fn set_now(&mut self, now_ms: u32) {
        #[cfg(feature = "kit")]
        TURNS.set(TURNS.get() + 1);
        self.now_ms = now_ms;
        self.driver.set_now(now_ms);
        if now_ms.wrapping_sub(self.tend_ms) < 1 << 31 {
            self.tend();
        }
    }

    /// Looks at what few turns need to look at.
    #[cold]
    fn tend(&mut self) {
        if self.now_ms.wrapping_sub(self.date_until_ms) < 1 << 31 {
            self.set_date();
        }
        self.tend_ms = self.date_until_ms;
        self.visit_again();
    }

    /// Sets the date for responses, which changes once a second.
    fn set_date(&mut self) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.driver.set_date(Some(imf_fixdate(since.as_secs())));
        self.date_until_ms = self.now_ms.wrapping_add(1000 - since.subsec_millis());
    }

    /// Polls a lane whose [mark](crate::Marked::Lane) was set.
    pub fn lane_woken(&mut self, lane: u32) {
        if let Some(Some(mark)) = self.driver.port.lane_marks.get(lane as usize) {
            mark.take_back();
            self.driver.woken(lane);
        }
    }

    /// Obeys the inbox's orders; its marks are for the port.
    pub fn obey(&mut self, news: &mut News) {
        self.reconsider |= std::mem::take(&mut news.reconsider);
        while let Some(order) = news.orders.pop_front() {
            self.obey_order(order);
        }
    }

    fn obey_order(&mut self, order: Order) {
        match order {
            Order::One(command) => self.driver.obey(command),
            Order::Push(Push { to: To::Topic(topic), bytes, is_own }) => {
                self.driver.port.own_waiting -= u32::from(is_own);
                self.driver.publish_shared(topic, &bytes);
            }
            Order::Keep(topic, 0) => self.driver.keep_none(topic),
            Order::Keep(topic, events) => self.driver.keep(topic, events),
            Order::Resume(key, topic, resume) => self.driver.resume(key, topic, &resume),
            Order::Push(Push { to: To::One(id), bytes, .. }) => {
                let _ = self.driver.push(id, Kind::Messages, &bytes);
            }
            Order::Deliver { id, bytes, asked } => asked.answer(self.driver.push(id, Kind::Messages, &bytes)),
            Order::Visit(visitor) => self.visit(visitor),
            Order::List(question) => question.answer(self.driver.list()),
            Order::Stop => {
                if self.phase == Phase::Serving {
                    self.phase = Phase::LastCall;
                }
                self.reconsider = true;
            }
            Order::StopNow => {
                self.stop_accepting();
                self.driver.end_all();
            }
        }
    }

    /// Lets somebody else's closure run on a session, or wait for it behind those before.
    #[cold]
    fn visit(&mut self, visitor: Box<dyn Visitor>) {
        self.visit_again();
        self.visit_or_wait(visitor);
    }

    /// Lets those run that have waited for their sessions, in their order: a handler may have given them back.
    #[cold]
    fn visit_again(&mut self) {
        for _ in 0..self.visitors.len() {
            if let Some(visitor) = self.visitors.pop_front() {
                self.visit_or_wait(visitor);
            }
        }
    }

    fn visit_or_wait(&mut self, mut visitor: Box<dyn Visitor>) {
        let at_rest = self.driver.session(visitor.id());
        if matches!(at_rest, AtRest::Lent) && self.visitors.len() < self.inbox.commands_max() {
            // Turns that spin do not ask how long to sleep.
            self.tend_ms = self.now_ms;
            return self.visitors.push_back(visitor);
        }
        // Whatever the application does in it stays in it.
        let visited = contain(move || match at_rest {
            AtRest::Session(session) => visitor.run(session.as_any()),
            AtRest::Lent => visitor.refuse(Refused::Full),
            AtRest::None => visitor.refuse(Refused::NoSession),
            AtRest::Gone => visitor.refuse(Refused::Gone),
        });
        if visited.is_none() {
            log::error!("what a closure on a session has left panicked when it was dropped");
        }
    }

    /// Stops accepting: the kernel refuses newcomers instead of leaving them waiting.
    fn stop_accepting(&mut self) {
        self.phase = Phase::Stopping;
        self.reconsider = true;
        self.server.shut_listeners();
        if let Some((socket, _)) = self.kept.take() {
            self.net().release(socket, false);
        }
    }

    /// Whether the server stops.
    pub fn is_stopping(&self) -> bool {
        self.phase == Phase::Stopping
    }

    /// Whether the server is to stop once those who have connected are accepted: the next
    /// [`has_stopped`](Worker::has_stopped) ends that.
    pub fn is_last_call(&self) -> bool {
        self.phase == Phase::LastCall
    }

    /// Whether the server stops and all connections have ended: the worker's end. Ask after a turn's accepting, because those
    /// who connected before the stop are served too.
    pub fn has_stopped(&mut self) -> bool {
        self.phase != Phase::Serving && self.ends()
    }

    #[cold]
    fn ends(&mut self) -> bool {
        if self.is_last_call() {
            self.stop_accepting();
            self.driver.stop();
        }
        self.driver.count() == 0
    }

    /// Serves sockets whose bytes the net holds: no readiness reports those. `true`: there may be more, so do not sleep.
    pub fn serve_held(&mut self) -> bool {
        for _ in 0..BATCH_MAX {
            let Some(key) = self.net().next_held() else { return false };
            self.driver.ready(key, false);
        }
        true
    }

    /// Milliseconds until the next deadline, or until the next look for newcomers: 0 only where what was published has more connections to
    /// reach, so do not sleep. Otherwise at least 1, because a coarse clock may stand still for a few milliseconds.
    pub fn due_within(&mut self) -> Option<u32> {
        if !self.visitors.is_empty() {
            self.visit_again();
        }
        let due_ms = self.driver.sleeps_within();
        match self.acceptance.due_within(self.now_ms) {
            Some(accept_ms) => {
                let accept_ms = accept_ms.max(1);
                Some(due_ms.map_or(accept_ms, |ms| ms.min(accept_ms)))
            }
            None => due_ms,
        }
    }

    /// Whether anything may have changed what [`accepts`](Worker::accepts) says.
    pub fn reconsiders(&self) -> bool {
        self.reconsider || self.driver.count() != self.acceptance.counted()
    }

    /// Has [`reconsiders`](Worker::reconsiders) say so in the next turn.
    pub fn reconsider(&mut self) {
        self.reconsider = true;
    }

    /// Asks all other workers to look for newcomers.
    #[cold]
    pub fn reconsider_elsewhere(&self) {
        self.acceptance.reconsider_elsewhere();
    }

    /// Whether it accepts now. Otherwise newcomers are left to other workers, or wait in the backlog.
    pub fn accepts(&mut self) -> bool {
        self.reconsider = false;
        self.acceptance.count(self.driver.count());
        let accepts = !self.is_stopping()
            && !self.acceptance.rests(self.now_ms)
            && (self.is_own_turn() || !self.acceptance.defers(self.driver.is_full(), self.now_ms))
            && self.driver.has_room();
        self.acceptance.set(accepts);
        accepts
    }

    /// Whether the next newcomer must not be left to other workers.
    fn is_own_turn(&self) -> bool {
        self.is_last_call() || self.kept.is_some()
    }

    /// Whether to accept even though no listener reports anything: a newcomer is kept here, the server is about to stop, or the
    /// others have not accepted those left to them.
    pub fn has_newcomer(&self) -> bool {
        self.is_own_turn() || self.acceptance.is_overdue(self.now_ms)
    }

    /// Accepts newcomers from all listeners in turn, by `next`, which gives `None` when nobody waits. Call it after serving ready
    /// sockets: a connection whose request has just arrived must not count as idle and be evicted.
    #[cold]
    pub fn accept<L>(
        &mut self,
        listeners: impl IntoIterator<Item = L>,
        mut next: impl FnMut(&L) -> io::Result<Option<Newcomer<N::Socket>>>,
    ) -> Accepted {
        let mut accepted = Accepted::All;
        for listener in listeners {
            match self.accept_of(|| next(&listener)) {
                Accepted::All => {}
                Accepted::Batch => accepted = Accepted::Batch,
                Accepted::Declined => {
                    self.reconsider = true;
                    return Accepted::Declined;
                }
            }
        }
        if accepted == Accepted::All {
            self.acceptance.end_deferral();
        }
        accepted
    }

    /// Accepts newcomers from one listener.
    fn accept_of(&mut self, mut next: impl FnMut() -> io::Result<Option<Newcomer<N::Socket>>>) -> Accepted {
        let batch_max = if self.is_last_call() { self.server.settings.backlog.max(BATCH_MAX) } else { BATCH_MAX };
        for _ in 0..batch_max {
            if !self.accepts() || !self.is_own_turn() && self.acceptance.defer(self.driver.is_full(), self.now_ms) {
                return Accepted::Declined;
            }
            let newcomer = match self.kept.take() {
                Some(kept) => Ok(Some(kept)),
                None => next_of(&mut next),
            };
            let (socket, peer) = match newcomer {
                Ok(Some(newcomer)) => newcomer,
                Ok(None) => return Accepted::All,
                Err(error) => {
                    self.acceptance.rest(self.now_ms, &error);
                    return Accepted::Declined;
                }
            };
            self.acceptance.accepted();
            // Orders given before it connected come first.
            while let Some(order) = self.inbox.next_order() {
                self.obey_order(order);
            }
            if self.is_stopping() {
                self.net().release(socket, false);
                return Accepted::Declined;
            }
            // The connection that would have been evicted has received a request meanwhile, or has ended.
            if !self.driver.has_room() {
                self.kept = Some((socket, peer));
                return Accepted::Declined;
            }
            if let Err(refused) = self.driver.connected(socket, peer) {
                self.net().release(refused, false);
            }
        }
        Accepted::Batch
    }
}

/// The next newcomer that is still there.
fn next_of<T>(next: &mut impl FnMut() -> io::Result<Option<T>>) -> io::Result<Option<T>> {
    loop {
        match next() {
            Err(error) if is_of_newcomer(&error) => {}
            other => return other,
        }
    }
}
