//! A worker: one thread, one epoll, its own connections.

use std::{
    net::TcpListener,
    os::fd::OwnedFd,
    sync::Arc,
    task::{Wake, Waker},
    time::{Duration, Instant},
};

use rustix::{
    buffer::spare_capacity,
    event::{
        EventfdFlags, Timespec,
        epoll::{self, CreateFlags, EventFlags},
        eventfd,
    },
    io::Errno,
    net::{SocketFlags, acceptfrom_with},
};
use tenure_host::{Listening, Marked, News, Platform, Service, Settings, configure};

use crate::{
    Error,
    net::{Epoll, key_or_other, other_data},
    sys::{exact_ms, now_ms, peer_address},
};

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 512;
/// Longer waits are split into steps of this length, a constant that needs no calculation.
const FAR_MS: u32 = 60_000;
const FAR: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
/// An idle worker wakes up this often, so that it never misses half a turn of the 32-bit clock.
const ASLEEP: Timespec = Timespec { tv_sec: 86_400, tv_nsec: 0 };

/// The inbox's number in epoll's events.
const INBOX: u32 = 0;
/// The first listener's number in epoll's events; the others follow.
const LISTENERS: u32 = 1;

/// Linux, as the server's platform.
#[derive(Debug)]
pub struct Linux;

impl Platform for Linux {
    const SPINS: bool = true;

    fn descriptors_per_worker(_: &Settings) -> u64 {
        // Epoll and eventfd.
        2
    }

    fn run<A: Service>(server: &Listening, number: usize, service: A) -> Result<(), Error> {
        Worker::new(server, number, service)?.run()
    }
}

/// Wakes a worker that sleeps in epoll.
struct Eventfd(OwnedFd);

impl Wake for Eventfd {
    fn wake(self: Arc<Self>) {
        // Fails only if the counter is full: then the worker is being woken already.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}

struct Worker<'a, A: Service> {
    host: tenure_host::Worker<'a, Epoll, A>,
    listeners: &'a [TcpListener],
    /// Whether epoll reports newcomers.
    armed: bool,
    event: Arc<Eventfd>,
    waker: Waker,
    news: News,
    /// How long it polls after an event before it sleeps; `None`: not at all.
    spins_for: Option<Duration>,
    /// Until when it polls; `None`: it has slept since the last event.
    spins_until: Option<Instant>,
}

impl<'a, A: Service> Worker<'a, A> {
    fn new(server: &'a Listening, number: usize, service: A) -> Result<Self, Error> {
        let system = |error: Errno| Error::System("an epoll cannot be made", error.into());
        let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(system)?;
        let event = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)
            .map_err(|error| Error::System("an eventfd cannot be made", error.into()))?;
        epoll::add(&epoll, &event, other_data(INBOX), EventFlags::IN).map_err(system)?;
        let event = Arc::new(Eventfd(event));
        let waker = Waker::from(event.clone());
        // The first turn looks at what came before.
        waker.wake_by_ref();
        Ok(Worker {
            host: tenure_host::Worker::new(server, number, Epoll(epoll), service, now_ms(), exact_ms),
            listeners: server.listeners(),
            armed: false,
            event,
            waker,
            news: News::default(),
            spins_for: server.settings().spins_for(),
            spins_until: None,
        })
    }

    /// Serves until the server is stopped.
    fn run(mut self) -> Result<(), Error> {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            self.arm_or_not();
            if self.host.has_stopped() {
                return Ok(());
            }
            let timeout = if self.host.serve_held() || self.spins(&events) { AT_ONCE } else { self.timeout() };
            debug_assert!(timeout == AT_ONCE || !self.host.driver.has_undelivered(), "sleeps, and has more to deliver");
            events.clear();
            match epoll::wait(&self.host.net().0, spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(Error::System("epoll cannot be waited for", error.into())),
            }
            self.host.set_now(now_ms());
            if events.len() > 1 {
                self.tell_of_newcomers(&events);
            }
            let (mut newcomers, mut called) = (false, false);
            for event in &events {
                let (data, flags) = (event.data, { event.flags });
                match key_or_other(data) {
                    Ok(key) => {
                        if flags.contains(EventFlags::RDHUP) {
                            self.host.driver.peer_closed(key);
                        }
                        self.host.driver.ready(key, flags.intersects(EventFlags::ERR | EventFlags::HUP));
                    }
                    Err(INBOX) => called = true,
                    Err(_) => newcomers = true,
                }
            }
            if newcomers || called {
                self.serve_others(newcomers, called);
            } else {
                self.host.driver.expire();
            }
        }
    }

    /// What a turn does beside its connections: deadlines, what the inbox holds if it `called`, and newcomers.
    #[cold]
    fn serve_others(&mut self, mut newcomers: bool, called: bool) {
        if newcomers && self.host.driver.due_within() == Some(0) {
            self.host.reconsider_elsewhere();
        }
        self.host.driver.expire();
        if called {
            newcomers |= self.answer();
        }
        // Last: a connection whose request arrived in this turn must not count as idle and be evicted.
        if newcomers {
            self.accept();
        }
    }

    /// Asks the other workers to look if newcomers came together with other events: the kernel may have told only this worker of
    /// them, and a handler may block it before it accepts.
    fn tell_of_newcomers(&self, events: &[epoll::Event]) {
        let is_newcomer = |event: &epoll::Event| matches!(key_or_other(event.data), Err(number) if number != INBOX);
        if self.armed && events.iter().any(is_newcomer) {
            self.host.reconsider_elsewhere();
        }
    }

    /// Whether to poll instead of sleeping: for a bounded time after the last event. Each turn is a normal one, so deadlines and
    /// the inbox are served meanwhile.
    fn spins(&mut self, events: &[epoll::Event]) -> bool {
        self.spins_for.is_some_and(|spins_for| self.spins_behind(events, spins_for))
    }

    #[cold]
    fn spins_behind(&mut self, events: &[epoll::Event], spins_for: Duration) -> bool {
        let now = Instant::now();
        if !events.is_empty() {
            self.spins_until = Some(now + spins_for);
        }
        self.spins_until = self.spins_until.filter(|&until| now < until);
        self.spins_until.is_some()
    }

    /// The longest wait.
    fn timeout(&mut self) -> Timespec {
        let Some(ms) = self.host.due_within() else { return ASLEEP };
        if ms > FAR_MS {
            return FAR;
        }
        Timespec { tv_sec: i64::from(ms / 1000), tv_nsec: (ms % 1000 * 1_000_000).cast_signed().into() }
    }

    /// Handles the inbox. Returns whether another worker may have left newcomers to this one.
    fn answer(&mut self) -> bool {
        let _ = rustix::io::read(&self.event.0, &mut [0; 8]);
        self.host.inbox().take(&mut self.news, &self.waker);
        for mark in self.news.marks.drain(..) {
            if let Marked::Lane(lane) = mark {
                self.host.lane_woken(lane);
            }
        }
        self.host.obey(&mut self.news);
        // The kernel may have told only the other worker of them. If this one is not armed, arming it reports them.
        self.host.reconsiders() && self.armed
    }

    /// Makes epoll report newcomers, or leaves them to other workers and to the backlog.
    fn arm_or_not(&mut self) {
        if self.host.reconsiders() {
            self.reconsider();
        }
    }

    #[cold]
    fn reconsider(&mut self) {
        if self.host.has_newcomer() {
            self.accept();
        }
        let armed = self.host.accepts();
        if !armed {
            self.host.reconsider();
        }
        if armed == std::mem::replace(&mut self.armed, armed) {
            return;
        }
        for (listener, number) in self.listeners.iter().zip(LISTENERS..) {
            let epoll = &self.host.net().0;
            // An exclusive interest cannot be modified, only added and deleted.
            let _ = if armed {
                epoll::add(epoll, listener, other_data(number), EventFlags::IN | EventFlags::EXCLUSIVE)
            } else {
                epoll::delete(epoll, listener)
            };
        }
    }

    #[cold]
    fn accept(&mut self) {
        let settings = self.host.settings();
        self.host.accept(self.listeners, |listener| {
            match acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok((socket, peer)) => {
                    configure(&socket, settings);
                    Ok(Some((socket, peer.and_then(peer_address))))
                }
                Err(Errno::AGAIN) => Ok(None),
                Err(error) => Err(error.into()),
            }
        });
    }
}
