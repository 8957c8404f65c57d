//! A worker: one task, its own connections, one turn a wake-up.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::{Future, poll_fn},
    marker::PhantomData,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tenure::{
    Handler, Observer, Session,
    port::{Driver, DriverSettings, Interest, Wire, lane},
};
use tokio::{
    net::TcpListener,
    task::coop,
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    Error,
    accept::{Accepted, Acceptor, BATCH_MAX, configure},
    clock::{self, Clock},
    handle::{Command, Mark, Of, Rung, WorkerShared},
    net::{Buffers, Socket, TokioPort, Watches},
    server::Bound,
};

/// Times that what is marked is looked at in one turn before other tasks have theirs.
const ROUNDS_MAX: u32 = 8;
/// What is further away than this is waited for in several steps: the clock of 32 bits must not be half round unseen.
const FAR_MS: u32 = 86_400_000;

/// Serves as the worker of that number until the server is stopped.
pub(crate) async fn run<S, A, O>(server: &Bound<'_>, number: usize, app: &A, observer: &O) -> Result<(), Error>
where
    S: Session,
    A: Handler<S>,
    O: Observer,
{
    let _closing = Closing(server, number);
    // The future's type is known here and nowhere else: it has no name.
    let mut worker = Worker::new(server, number, |wire: Rc<Wire<S>>| lane(wire, app, observer), observer)?;
    // One task for all sockets: tokio's budget for one of them would end its turns in their midst. `ROUNDS_MAX` bounds them.
    coop::unconstrained(poll_fn(|context| worker.turn(context))).await;
    Ok(())
}

/// Lets go of those who wait for a worker's answer when it ends, however it does. Where it panics, the others must not go on
/// beside a part of the connections that nobody serves.
struct Closing<'a>(&'a Bound<'a>, usize);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.handle.stop_now();
        }
        self.0.shared().workers[self.1].close();
    }
}

struct Worker<'a, S: Session, F: Future<Output = Infallible>, M: Fn(Rc<Wire<S>>) -> F, O: Observer> {
    server: &'a Bound<'a>,
    driver: Driver<TokioPort<'a, S, F, M, O>>,
    acceptor: Acceptor,
    shared: Arc<WorkerShared>,
    rung: Rung,
    clock: Clock,
    now_ms: u32,
    date_until_ms: u32,
    /// When it wakes the worker.
    timer_ms: Option<u32>,
    timer: Pin<Box<Sleep>>,
    timer_mark: Arc<Mark>,
    timer_waker: Waker,
    stopping: bool,
    /// Something has changed what may be accepted.
    look_again: bool,
}

/// The connections of a server whose future is dropped do not count any more.
impl<S, F, M, O> Drop for Worker<'_, S, F, M, O>
where
    S: Session,
    F: Future<Output = Infallible>,
    M: Fn(Rc<Wire<S>>) -> F,
    O: Observer,
{
    fn drop(&mut self) {
        self.acceptor.count(0);
    }
}

impl<'a, S, F, M, O> Worker<'a, S, F, M, O>
where
    S: Session,
    F: Future<Output = Infallible>,
    M: Fn(Rc<Wire<S>>) -> F,
    O: Observer,
{
    fn new(server: &'a Bound<'a>, number: usize, make: M, observer: &'a O) -> Result<Self, Error> {
        let system = |error| Error::System("a listening socket cannot be watched", error);
        let settings = server.settings;
        let shared = server.shared().workers[number].clone();
        let listeners = server.listeners.iter().map(|listener| TcpListener::from_std(listener.try_clone()?));
        let listeners: Result<Vec<_>, _> = listeners.collect();
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
        let port = TokioPort {
            make,
            observer,
            buffers,
            heads: HashMap::new(),
            watches: Watches::new(shared.clone()),
            lane_marks: Vec::new(),
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
        let mark = |of| Mark::new(shared.clone(), of);
        let timer_mark = mark(Of::Timer);
        let mut worker = Worker {
            server,
            driver: Driver::new(port, slots, Vec::new(), driver_settings),
            acceptor: Acceptor::new(listeners.map_err(system)?, server.shared().clone(), number, mark(Of::Listeners)),
            rung: Rung::default(),
            clock: Clock::start(),
            now_ms: 0,
            date_until_ms: 0,
            timer_ms: None,
            timer: Box::pin(sleep_until(Instant::now())),
            timer_waker: timer_mark.clone().into(),
            timer_mark,
            stopping: false,
            look_again: true,
            shared,
        };
        worker.tell_date();
        // Somebody may have connected already.
        worker.acceptor.wake();
        Ok(worker)
    }

    /// Does all there is to do, and lets the task be woken when there is more. Ready when the server has stopped.
    fn turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.now_ms = self.clock.now_ms();
        self.driver.set_now(self.now_ms);
        if self.now_ms.wrapping_sub(self.date_until_ms) < 1 << 31 {
            self.tell_date();
        }
        for _ in 0..ROUNDS_MAX {
            if !self.shared.take(&mut self.rung, context.waker()) {
                self.set_timer();
                return Poll::Pending;
            }
            self.answer_ring();
            self.driver.expire();
            // Behind those that are served, so that none whose request has come with this turn is evicted as idle.
            self.accept_or_not();
            if self.stopping && self.driver.count() == 0 {
                self.acceptor.count(0);
                return Poll::Ready(());
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Looks at what is marked, and at nothing else.
    #[inline]
    fn answer_ring(&mut self) {
        let mut marks = std::mem::take(&mut self.rung.marks);
        for of in marks.drain(..) {
            match of {
                Of::Socket(number) => self.look(number),
                Of::Lane(number) => {
                    self.driver.port.lane_marks[number as usize].taken();
                    self.driver.woken(number);
                }
                Of::Listeners => {
                    self.acceptor.mark.taken();
                    self.acceptor.may_wait = true;
                }
                // The time has come, or been and gone.
                Of::Timer => {
                    self.timer_mark.taken();
                    self.timer_ms = None;
                }
            }
        }
        self.rung.marks = marks;
        self.look_again |= std::mem::take(&mut self.rung.look_again);
        while let Some(command) = self.rung.commands.pop_front() {
            self.obey(command);
        }
    }

    /// Does what has been asked for since the ring.
    #[cold]
    fn obey_all(&mut self) {
        while let Some(command) = self.shared.next_command() {
            self.obey(command);
        }
    }

    #[inline]
    fn look(&mut self, number: u32) {
        let Some((key, interest)) = self.driver.port.watches.taken(number) else { return };
        if interest != Interest::NONE {
            self.driver.ready(key, false);
            self.driver.port.watches.looked_at(number);
        } else if self.driver.port.watches.has_failed(number) {
            self.driver.ready(key, true);
        }
    }

    fn obey(&mut self, command: Command) {
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

    /// Lets the worker be woken when the next deadline is due, or a rest from accepting is over.
    #[inline]
    fn set_timer(&mut self) {
        let mut ms = self.driver.due_within().unwrap_or(FAR_MS).min(FAR_MS);
        if let Some(rest_ms) = self.acceptor.rests_for_ms(self.now_ms) {
            ms = ms.min(rest_ms);
        }
        // One that is early enough stays: it costs a wake-up at the most.
        if self.timer_ms.is_some_and(|timer_ms| timer_ms.wrapping_sub(self.now_ms) <= ms.max(1)) {
            return;
        }
        self.set_timer_in(ms.max(1));
    }

    #[cold]
    fn set_timer_in(&mut self, ms: u32) {
        self.timer_ms = Some(self.now_ms.wrapping_add(ms));
        self.timer.as_mut().reset(Instant::now() + Duration::from_millis(u64::from(ms)));
        if self.timer.as_mut().poll(&mut Context::from_waker(&self.timer_waker)).is_ready() {
            self.timer_mark.set();
        }
    }

    #[cold]
    fn tell_date(&mut self) {
        let (date, for_ms) = clock::date();
        self.driver.set_date(Some(date));
        self.date_until_ms = self.now_ms.wrapping_add(for_ms);
    }

    /// Accepts newcomers, or leaves them to other workers and to the backlog.
    #[inline]
    fn accept_or_not(&mut self) {
        let count = self.driver.count();
        if count == self.acceptor.counted() && !self.look_again && !self.acceptor.may_wait {
            return;
        }
        self.accept(count);
    }

    #[cold]
    fn accept(&mut self, count: u32) {
        self.acceptor.count(count);
        self.look_again = false;
        if self.acceptor.rests_for_ms(self.now_ms).is_some() {
            return;
        }
        for listener in 0..self.acceptor.listeners() {
            let mut batch = 0;
            loop {
                let count = self.driver.count();
                self.acceptor.count(count);
                if self.stopping || self.acceptor.defers(count, self.driver.is_full()) || !self.driver.has_room() {
                    return;
                }
                if !self.acceptor.may_wait {
                    break;
                }
                if batch == BATCH_MAX {
                    // The others' turn; then on with it.
                    self.acceptor.wake();
                    return;
                }
                batch += 1;
                match self.acceptor.accept(listener, self.now_ms) {
                    Accepted::Socket(socket, peer) => {
                        // What was asked for before it connected comes first.
                        self.obey_all();
                        if self.stopping {
                            return;
                        }
                        // The one that would have given way has got a request meanwhile, or its peer's close.
                        if !self.driver.has_room() {
                            return self.acceptor.keep(socket, peer);
                        }
                        configure(&socket, self.server.settings);
                        if let Err(refused) = self.driver.connected(Socket::new(socket, peer), Some(peer.into())) {
                            self.driver.port.close(refused);
                        }
                    }
                    Accepted::None => break,
                    Accepted::Rest => return,
                }
            }
        }
        self.acceptor.may_wait = false;
        self.acceptor.count(self.driver.count());
    }

    /// Accepts nothing any more: those who come now are refused by the kernel, not left waiting.
    fn stop(&mut self) {
        self.stopping = true;
        self.server.shut_listeners();
        self.acceptor.stop();
    }
}
