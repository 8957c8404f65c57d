//! A worker: one thread, one epoll, its own connections.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    marker::PhantomData,
    os::fd::OwnedFd,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, EventData, EventFlags},
    },
    io::Errno,
};
use tenure::{
    Handler, Observer, Session,
    port::{Driver, DriverSettings, Wire, lane},
};

use crate::{
    Error, Server,
    accept::{Accepted, Acceptor, BATCH_MAX, configure, is_aside},
    clock,
    handle::{Command, WorkerShared},
    net::{Buffers, LinuxPort, key},
};

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 512;
/// What is further away than this is waited for in several steps, whose length needs no calculation.
const FAR_MS: u32 = 60_000;
const FAR: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
/// A worker that has nothing to do wakes up this often: the clock of 32 bits must not be half round unseen.
const ASLEEP: Timespec = Timespec { tv_sec: 86_400, tv_nsec: 0 };
/// What the worker's eventfd is known by in epoll.
const RUNG: u64 = u64::MAX;

/// What the signals' end is known by in epoll of the first worker.
const SIGNALLED: u64 = u64::MAX - 1;

/// Serves as the worker of that number until the server is stopped.
pub(crate) fn run<S, A, O>(server: &Server, number: usize, app: &A, observer: &O) -> Result<(), Error>
where
    S: Session,
    A: Handler<S>,
    O: Observer,
{
    let _closing = Closing(server, number);
    // The future's type is known here and nowhere else: it has no name.
    Worker::new(server, number, |wire: Rc<Wire<S>>| lane(wire, app, observer), observer)?.run()
}

/// Lets go of those who wait for a worker's answer when it ends, however it does. Where it panics, the others must not go on
/// beside a part of the connections that nobody serves.
struct Closing<'a>(&'a Server, usize);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.handle().stop_now();
        }
        self.0.shared().workers[self.1].close();
    }
}

struct Worker<'a, S: Session, F: Future<Output = Infallible>, M: Fn(Rc<Wire<S>>) -> F, O: Observer> {
    server: &'a Server,
    driver: Driver<LinuxPort<'a, S, F, M, O>>,
    acceptor: Acceptor<'a>,
    shared: Arc<WorkerShared>,
    now_ms: u32,
    date_until_ms: u32,
    stopping: bool,
    signals_count: usize,
    /// How long it goes on without sleep; `None`: not at all.
    spins_for: Option<Duration>,
    /// Until when it does; `None`: it has slept since the last event.
    spins_until: Option<Instant>,
    /// Something has changed what may be accepted.
    look_again: bool,
}

impl<'a, S, F, M, O> Worker<'a, S, F, M, O>
where
    S: Session,
    F: Future<Output = Infallible>,
    M: Fn(Rc<Wire<S>>) -> F,
    O: Observer,
{
    fn new(server: &'a Server, number: usize, make: M, observer: &'a O) -> Result<Self, Error> {
        let system = |error: Errno| Error::System("an epoll cannot be made", error.into());
        let settings = server.settings();
        let shared = server.shared().workers[number].clone();
        let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(system)?;
        epoll::add(&epoll, &shared.event, EventData::new_u64(RUNG), EventFlags::IN).map_err(system)?;
        if let Some(signals) = server.signals().filter(|_| number == 0) {
            epoll::add(&epoll, &signals.heard, EventData::new_u64(SIGNALLED), EventFlags::IN).map_err(system)?;
        }
        let workers = server.shared().workers.len() as u32;
        // The first workers take what does not divide evenly.
        let share = |all: u32| all / workers + u32::from((number as u32) < all % workers);
        let connections_max = share(settings.max_open_sockets);
        let buffers = Buffers {
            input_bytes: settings.input_bytes,
            body_bytes: settings.body_bytes,
            output_bytes: settings.output_bytes,
            limits: settings.limits,
        };
        let port = LinuxPort {
            epoll,
            make,
            observer,
            shared: shared.clone(),
            buffers,
            heads: HashMap::new(),
            scratch: Vec::new(),
            types: PhantomData,
        };
        let driver_settings = DriverSettings {
            connections_max,
            lanes_max: settings.lanes_max.map_or(connections_max, share),
            evict: settings.lru_purge_enable,
            deadlines: settings.deadlines,
            limits: settings.limits,
            worker: number as u32,
        };
        // Room for all slots at once: memory that is not touched costs nothing, and none is ever moved.
        let slots = Vec::with_capacity(connections_max as usize);
        Ok(Worker {
            server,
            driver: Driver::new(port, slots, Vec::new(), driver_settings),
            acceptor: Acceptor::new(server.listeners(), server.shared().clone(), number),
            shared,
            now_ms: clock::now_ms(),
            date_until_ms: 0,
            stopping: false,
            signals_count: 0,
            spins_for: settings.spins_for(),
            spins_until: None,
            look_again: true,
        })
    }

    fn run(mut self) -> Result<(), Error> {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        let mut woken = Vec::new();
        self.tell_date();
        loop {
            self.accept_or_not();
            if self.stopping && self.driver.count() == 0 {
                return Ok(());
            }
            events.clear();
            let timeout = if self.spins() { AT_ONCE } else { self.timeout() };
            match epoll::wait(&self.driver.port.epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(Error::System("epoll cannot be waited for", error.into())),
            }
            self.now_ms = clock::now_ms();
            self.driver.set_now(self.now_ms);
            if self.now_ms.wrapping_sub(self.date_until_ms) < 1 << 31 {
                self.tell_date();
            }
            let (mut newcomers, mut rung, mut signalled) = (false, false, false);
            for event in &events {
                let (data, flags) = (event.data.u64(), { event.flags });
                if is_aside(data) {
                    match data {
                        RUNG => rung = true,
                        SIGNALLED => signalled = true,
                        _ => newcomers = true,
                    }
                } else {
                    self.driver.ready(key(data), flags.intersects(EventFlags::ERR | EventFlags::HUP));
                }
            }
            self.driver.expire();
            if signalled && let Some(signals) = self.server.signals() {
                self.signals_count = signals.act(self.signals_count, &self.server.handle());
            }
            if rung {
                newcomers |= self.answer_ring(&mut woken);
            }
            // Last, so that no connection whose request has come with this turn is taken for idle and evicted.
            if newcomers {
                self.accept();
            }
            if let Some(spins_for) = self.spins_for
                && !events.is_empty()
            {
                self.spins_until = Some(Instant::now() + spins_for);
            }
        }
    }

    /// Whether to ask for events without sleep: for a bounded time after the last ones. Each turn is one as any other, so
    /// that deadlines and what other threads ask for hold meanwhile.
    #[inline]
    fn spins(&mut self) -> bool {
        self.spins_until = self.spins_until.filter(|&until| Instant::now() < until);
        self.spins_until.is_some()
    }

    /// How long to wait: until the next deadline, or the end of a rest from accepting.
    #[inline]
    fn timeout(&mut self) -> Timespec {
        let mut ms = self.driver.due_within();
        if !self.acceptor.is_armed()
            && let Some(rest_ms) = self.acceptor.rests_for_ms(self.now_ms)
        {
            ms = Some(ms.map_or(rest_ms, |ms| ms.min(rest_ms)));
        }
        // At least one: the coarse clock may stand still for a few milliseconds.
        let Some(ms) = ms.map(|ms| ms.max(1)) else { return ASLEEP };
        if ms > FAR_MS {
            return FAR;
        }
        Timespec { tv_sec: i64::from(ms / 1000), tv_nsec: i64::from(ms % 1000) * 1_000_000 }
    }

    #[cold]
    fn tell_date(&mut self) {
        let (date, for_ms) = clock::date();
        self.driver.set_date(Some(date));
        self.date_until_ms = self.now_ms.wrapping_add(for_ms);
    }

    /// Listens for newcomers, or leaves them to other workers and to the backlog.
    #[inline]
    fn accept_or_not(&mut self) {
        let count = self.driver.count();
        if count == self.acceptor.counted() && !self.look_again && self.acceptor.is_armed() {
            return;
        }
        self.look_at_newcomers(count);
    }

    #[cold]
    fn look_at_newcomers(&mut self, count: u32) {
        self.acceptor.count(count);
        self.look_again = false;
        let may = !self.stopping
            && self.acceptor.rests_for_ms(self.now_ms).is_none()
            && !self.acceptor.defers(count, self.driver.is_full())
            && self.driver.has_room();
        self.acceptor.arm(&self.driver.port.epoll, may);
    }

    #[cold]
    fn accept(&mut self) {
        let listeners: &'a [OwnedFd] = self.acceptor.listeners();
        for listener in listeners {
            for _ in 0..BATCH_MAX {
                let count = self.driver.count();
                self.acceptor.count(count);
                if self.stopping || self.acceptor.defers(count, self.driver.is_full()) || !self.driver.has_room() {
                    self.look_again = true;
                    return;
                }
                match self.acceptor.accept(listener, self.now_ms) {
                    Accepted::Socket(socket, peer) => {
                        configure(&socket, self.server.settings());
                        // Where it is refused, dropping it closes it.
                        drop(self.driver.connected(socket, peer));
                    }
                    Accepted::None => break,
                    Accepted::Rest => {
                        self.look_again = true;
                        return;
                    }
                }
            }
        }
    }

    /// Accepts nothing any more: those who come now are refused by the kernel, not left waiting.
    fn stop(&mut self) {
        self.stopping = true;
        self.look_again = true;
        for listener in self.server.own_listeners() {
            let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Read);
        }
    }

    /// Does what it was rung for. Returns whether another worker may have left newcomers to this one.
    #[cold]
    fn answer_ring(&mut self, woken: &mut Vec<u32>) -> bool {
        let commands = self.shared.take(woken);
        for lane in woken.drain(..) {
            self.driver.woken(lane);
        }
        for command in commands {
            match command {
                Command::Close(id) => {
                    self.driver.close_connection(id);
                }
                Command::Pin(id, pinned) => {
                    self.driver.pin(id, pinned);
                }
                Command::List(listing) => listing.add(self.driver.list()),
                Command::Stop => {
                    self.stop();
                    self.driver.stop();
                }
                Command::StopNow => {
                    self.stop();
                    self.driver.end_all();
                }
            }
        }
        // The kernel may have told the other one alone of them. Where this one is not armed, arming it shows them.
        let told = self.shared.takes_look();
        self.look_again |= told;
        told && self.acceptor.is_armed()
    }
}
