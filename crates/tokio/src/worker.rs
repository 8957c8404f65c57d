//! A worker: one task, its own connections, one turn a wake-up.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tenure_host::{Accepted, Listening, Mark, Marked, News, Platform, Service, Settings, TaskPlatform, configure};
use tokio::{
    net::TcpListener,
    runtime::{Builder, LocalOptions, LocalRuntime},
    task::{coop, yield_now},
    time::{Instant, Sleep, sleep, sleep_until},
};

use crate::{
    Error,
    net::{Lost, Socket, Watches},
};

/// The most marks handled in one turn before other tasks run; each stands for a connection with an event.
const MARKS_MAX: usize = 64;
/// Longer waits are split into steps of this length, so that half a turn of the 32-bit clock is never missed.
const FAR_MS: u32 = 86_400_000;

/// How long a worker still accepts after the order to stop. tokio reports newcomers and bytes before timers: once this has passed, it
/// has reported all who came before the stop.
const HEARING: Duration = Duration::from_millis(1);

/// tokio, as the server's platform.
#[derive(Debug)]
pub struct Tokio;

impl Platform for Tokio {
    const SPINS: bool = false;

    fn descriptors_per_worker(settings: &Settings) -> u64 {
        // Its runtime's, and a duplicate of each listener.
        (4 + settings.addresses.len() + settings.listeners.len()) as u64
    }

    fn run<A: Service>(server: &Listening, number: usize, service: A) -> Result<(), Error> {
        runtime()?.block_on(Self::serve(server, number, service))
    }

    #[cfg(not(unix))]
    fn hear_interrupts(mut hear: impl FnMut() + Send + 'static) -> Result<(), Error> {
        let heard = async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                hear();
            }
        };
        let hear = || runtime().map(|runtime| runtime.block_on(heard));
        let builder = std::thread::Builder::new().name("tenure-signals".to_owned());
        builder.spawn(hear).map_err(|error| Error::System("signals cannot be listened for", error))?;
        Ok(())
    }
}

impl TaskPlatform for Tokio {
    async fn serve<A: Service>(server: &Listening, number: usize, service: A) -> Result<(), Error> {
        let mut worker = Worker::new(server, number, service)?;
        // One task has all sockets, and tokio's budget per task would cut its turns short. `MARKS_MAX` bounds them instead.
        coop::unconstrained(poll_fn(|context| worker.turn(context))).await;
        Ok(())
    }
}

/// A worker's runtime.
fn runtime() -> Result<LocalRuntime, Error> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    runtime.map_err(|error| Error::System("a runtime cannot be made", error))
}

/// Milliseconds, wrapping. The clock is tokio's, so a test that pauses it stops this one too.
fn now_ms() -> u32 {
    since_origin(Duration::from_millis(0))
}

/// The same, rounded up.
fn exact_ms(_: u32) -> u32 {
    since_origin(Duration::from_nanos(999_999))
}

/// Milliseconds from the first reading in this process to `ahead` of now, rounded down.
fn since_origin(ahead: Duration) -> u32 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let (now, origin) = (Instant::now() + ahead, *ORIGIN.get_or_init(Instant::now));
    let ms = |since: Duration| (since.as_secs() as u32).wrapping_mul(1000).wrapping_add(since.subsec_millis());
    match now.checked_duration_since(origin) {
        Some(since) => ms(since),
        // A runtime whose clock is paused may have stopped before that.
        None => ms(origin - now + Duration::from_nanos(999_999)).wrapping_neg(),
    }
}

struct Worker<'a, A: Service> {
    host: tenure_host::Worker<'a, Watches, A>,
    listeners: Vec<TcpListener>,
    /// Newcomers may wait: the listeners' waker is not set.
    may_wait: bool,
    timer: Pin<Box<Sleep>>,
    /// When the timer wakes the worker.
    timer_ms: Option<u32>,
    /// Set when a newcomer has connected or the timer is due.
    mark: Arc<Mark>,
    waker: Waker,
    news: News,
    /// The marks of this turn, and how many of them are done.
    marks: Vec<Marked>,
    looked_at: usize,
    /// Runs from the order to stop until the stop: see [`HEARING`].
    hearing: Option<Pin<Box<Sleep>>>,
}

impl<'a, A: Service> Worker<'a, A> {
    fn new(server: &'a Listening, number: usize, service: A) -> Result<Self, Error> {
        let system = |error| Error::System("a listening socket cannot be watched", error);
        let listeners = server.listeners().iter().map(|listener| TcpListener::from_std(listener.try_clone()?));
        let listeners: Result<Vec<_>, _> = listeners.collect();
        let inbox = server.inbox(number);
        let mark = Mark::new(inbox.clone(), Marked::Worker);
        // Newcomers may wait already.
        mark.set();
        Ok(Worker {
            host: tenure_host::Worker::new(server, number, Watches::new(inbox.clone()), service, now_ms(), exact_ms),
            listeners: listeners.map_err(system)?,
            may_wait: true,
            timer: Box::pin(sleep_until(Instant::now())),
            timer_ms: None,
            waker: mark.clone().into(),
            mark,
            news: News::default(),
            marks: Vec::new(),
            looked_at: 0,
            hearing: None,
        })
    }

    /// Does a bounded part of what there is to do, and has the task woken when there is more. Ready when the server has stopped.
    fn turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.host.set_now(now_ms());
        let mut room = MARKS_MAX;
        while room > 0 {
            let held = self.host.serve_held() || self.host.driver.has_undelivered();
            let called = self.host.is_last_call();
            if !self.has_news(context.waker()) && !held && !called {
                self.set_timer();
                return Poll::Pending;
            }
            // Work without a mark counts as one, so that it is bounded too.
            let looked_at = self.answer(room).clamp(1, room);
            room = if held { 0 } else { room - looked_at };
            self.host.driver.expire();
            // After serving: a connection whose request arrived in this turn must not be evicted as idle.
            if (self.host.reconsiders() || self.may_wait) && self.accept_or_not() {
                room = 0;
            }
            if self.host.is_last_call() {
                let hearing = self.hearing.get_or_insert_with(|| Box::pin(sleep(HEARING)));
                if hearing.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
            }
            if self.host.has_stopped() {
                return Poll::Ready(());
            }
        }
        // One poll of it schedules this task behind all others, after tokio has looked at its sockets and timers.
        let _ = pin!(yield_now()).poll(context);
        Poll::Pending
    }

    /// Whether there are marks or orders. Otherwise sets the waker.
    fn has_news(&mut self, waker: &Waker) -> bool {
        if self.looked_at < self.marks.len() {
            return true;
        }
        self.marks.clear();
        self.looked_at = 0;
        let has_news = self.host.inbox().take_or_wait(&mut self.news, waker);
        std::mem::swap(&mut self.marks, &mut self.news.marks);
        has_news
    }

    /// Handles at most `marks_max` marks, and all orders. Returns how many marks.
    fn answer(&mut self, marks_max: usize) -> usize {
        let from = self.looked_at;
        let until = self.marks.len().min(from + marks_max);
        self.looked_at = until;
        for at in from..until {
            match self.marks[at] {
                Marked::Socket(number) => self.serve(number),
                Marked::Lane(number) => self.host.lane_woken(number),
                Marked::Worker => {
                    self.mark.take_back();
                    (self.may_wait, self.timer_ms) = (true, None);
                }
            }
        }
        self.host.obey(&mut self.news);
        until - from
    }

    fn serve(&mut self, number: u32) {
        let Some((key, interest)) = self.host.net().taken(number) else { return };
        match self.host.net().lost(number) {
            Some(Lost::Failed) => return self.host.driver.ready(key, true),
            Some(Lost::Closed) => self.host.driver.peer_closed(key),
            None => {}
        }
        if interest.receives() || interest.sends() {
            self.host.driver.ready(key, false);
            self.host.net().served(number);
        }
    }

    /// Accepts newcomers if this worker accepts now. Returns whether it has accepted as many as one turn allows.
    #[cold]
    fn accept_or_not(&mut self) -> bool {
        let more = self.host.accepts() && self.accept();
        if self.host.is_stopping() {
            self.listeners.clear();
            self.may_wait = false;
        }
        more
    }

    fn accept(&mut self) -> bool {
        let settings = self.host.settings();
        let looks = self.may_wait || self.host.has_newcomer();
        let accepted = self.host.accept(self.listeners.iter().filter(|_| looks), |listener| {
            match listener.poll_accept(&mut Context::from_waker(&self.waker)) {
                Poll::Ready(accepted) => {
                    let (socket, peer) = accepted?;
                    configure(&socket, settings);
                    Ok(Some((Socket::new(socket, peer), Some(peer.into()))))
                }
                Poll::Pending => Ok(None),
            }
        });
        self.may_wait &= accepted == Accepted::Declined;
        let more = accepted == Accepted::Batch;
        if more {
            // The next turn goes on with them.
            self.mark.set();
        }
        more
    }

    /// Sets the timer to the next deadline.
    fn set_timer(&mut self) {
        let (now_ms, ms) = (self.host.now_ms(), self.host.due_within().unwrap_or(FAR_MS).clamp(1, FAR_MS));
        // A timer that is early enough stays: at worst it costs one wake-up.
        if self.timer_ms.is_none_or(|timer_ms| timer_ms.wrapping_sub(now_ms) > ms) {
            self.set_timer_in(ms);
        }
    }

    #[cold]
    fn set_timer_in(&mut self, ms: u32) {
        self.timer_ms = Some(self.host.now_ms().wrapping_add(ms));
        self.timer.as_mut().reset(Instant::now() + Duration::from_millis(u64::from(ms)));
        if self.timer.as_mut().poll(&mut Context::from_waker(&self.waker)).is_ready() {
            self.mark.set();
        }
    }
}
