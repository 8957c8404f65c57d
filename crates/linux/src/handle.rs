//! What reaches a worker from elsewhere: commands, and lanes that were woken.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    net::SocketAddr,
    os::fd::OwnedFd,
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
};

use rustix::event::{EventfdFlags, eventfd};
use tenure::{ConnectionId, port::Listed};

use crate::Error;

/// What a worker is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    Close(ConnectionId),
    Pin(ConnectionId, bool),
    List(Listing),
    Stop,
    StopNow,
}

impl Command {
    /// Nobody serves it: who waits for its answer must not wait for ever.
    fn drop_unserved(self) {
        if let Command::List(listing) = self {
            listing.add(std::iter::empty());
        }
    }
}

/// A lane's own mark that it is on its worker's list of woken ones.
#[derive(Debug)]
pub(crate) struct LaneWake {
    number: u32,
    queued: Arc<AtomicBool>,
}

impl LaneWake {
    pub(crate) fn new(number: u32) -> Self {
        LaneWake { number, queued: Arc::default() }
    }
}

/// The part of a worker that other threads touch.
#[derive(Debug)]
pub(crate) struct WorkerShared {
    pub(crate) event: OwnedFd,
    /// `None` once nobody serves them any more.
    commands: Mutex<Option<VecDeque<Command>>>,
    woken: Mutex<Vec<(u32, Arc<AtomicBool>)>>,
    /// Another worker has left newcomers to this one, or changed what it may accept.
    look_again: AtomicBool,
}

/// A lock whose holder cannot have left it half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WorkerShared {
    pub(crate) fn new() -> Result<Self, Error> {
        let event = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)
            .map_err(|error| Error::System("an eventfd cannot be made", error.into()))?;
        let commands = Mutex::new(Some(VecDeque::new()));
        Ok(WorkerShared { event, commands, woken: Mutex::default(), look_again: AtomicBool::new(false) })
    }

    fn ring(&self) {
        // It fails only when the count is at its end: then the worker has been rung for already.
        let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
    }

    pub(crate) fn command(&self, command: Command) {
        match &mut *lock(&self.commands) {
            Some(commands) => commands.push_back(command),
            None => return command.drop_unserved(),
        }
        self.ring();
    }

    /// Serves no command any more, neither those that are here nor those that come.
    pub(crate) fn close(&self) {
        let commands = lock(&self.commands).take();
        commands.into_iter().flatten().for_each(Command::drop_unserved);
    }

    pub(crate) fn wake_lane(&self, wake: &LaneWake) {
        if !wake.queued.swap(true, Ordering::AcqRel) {
            lock(&self.woken).push((wake.number, wake.queued.clone()));
            self.ring();
        }
    }

    /// Asks the worker to look at what it may accept. However often, it is rung for once.
    fn look_again(&self) {
        if !self.look_again.swap(true, Ordering::AcqRel) {
            self.ring();
        }
    }

    /// Whether that was asked since the last call.
    pub(crate) fn takes_look(&self) -> bool {
        self.look_again.swap(false, Ordering::AcqRel)
    }

    /// Takes what has come. The marks are taken back first: a wake from then on is a new one, so that none is lost.
    pub(crate) fn take(&self, woken: &mut Vec<u32>) -> VecDeque<Command> {
        let _ = rustix::io::read(&self.event, &mut [0; 8]);
        for (number, queued) in lock(&self.woken).drain(..) {
            queued.store(false, Ordering::Release);
            woken.push(number);
        }
        lock(&self.commands).as_mut().map(std::mem::take).unwrap_or_default()
    }
}

/// What the workers of one server share: none of it is touched on a request's way.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Connections that there are.
    pub(crate) open: AtomicU32,
    pub(crate) max_open_sockets: u32,
    pub(crate) workers: Vec<Arc<WorkerShared>>,
}

impl Shared {
    /// Asks all workers but one to look at what they may accept.
    pub(crate) fn look_again(&self, but: usize) {
        for (_, worker) in self.workers.iter().enumerate().filter(|(number, _)| *number != but) {
            worker.look_again();
        }
    }
}

/// Reaches a running server from any thread. Cheap to clone; it may outlive the server, of which it then does nothing.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) addresses: Arc<[SocketAddr]>,
}

impl Handle {
    /// Where the server listens; the real port where 0 was asked for. The first of [`local_addresses`](Handle::local_addresses).
    pub fn local_addr(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Everywhere the server listens, in the order of the settings.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    fn worker(&self, id: ConnectionId) -> Option<&WorkerShared> {
        self.shared.workers.get(id.worker() as usize).map(|worker| &**worker)
    }

    /// Closes a connection: at once where it is idle, after the response that is at work. Nothing happens where it is gone.
    pub fn close(&self, id: ConnectionId) {
        if let Some(worker) = self.worker(id) {
            worker.command(Command::Close(id));
        }
    }

    /// Keeps a connection from being evicted, or no longer so. Nothing happens where it is gone.
    pub fn pin(&self, id: ConnectionId, pinned: bool) {
        if let Some(worker) = self.worker(id) {
            worker.command(Command::Pin(id, pinned));
        }
    }

    /// Lists the connections that there are: await it in a handler, or [`Listing::wait`] elsewhere.
    pub fn list(&self) -> Listing {
        let missing = self.shared.workers.len();
        let state = ListingState { listed: Vec::new(), missing, waker: None };
        let listing = Listing { state: Arc::new((Mutex::new(state), Condvar::new())) };
        for worker in &self.shared.workers {
            worker.command(Command::List(listing.clone()));
        }
        listing
    }

    /// Stops the server: nothing new is accepted, idle connections end, exchanges in flight finish within
    /// [`Deadlines::flush_ms`](tenure::Deadlines::flush_ms).
    pub fn stop(&self) {
        self.all(|| Command::Stop);
    }

    /// Stops the server at once: every connection is ended.
    pub fn stop_now(&self) {
        self.all(|| Command::StopNow);
    }

    fn all(&self, command: impl Fn() -> Command) {
        for worker in &self.shared.workers {
            worker.command(command());
        }
    }
}

/// A list of connections on its way from the workers.
#[derive(Clone)]
pub struct Listing {
    state: Arc<(Mutex<ListingState>, Condvar)>,
}

struct ListingState {
    listed: Vec<Listed>,
    missing: usize,
    waker: Option<Waker>,
}

impl Listing {
    /// Waits for the list. Not in a handler, whose worker it would keep from answering: there, await it.
    pub fn wait(self) -> Vec<Listed> {
        let (state, told) = &*self.state;
        let mut state = told.wait_while(lock(state), |state| state.missing > 0).unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.listed)
    }

    pub(crate) fn add(&self, listed: impl Iterator<Item = Listed>) {
        let (state, told) = &*self.state;
        let mut state = lock(state);
        state.listed.extend(listed);
        state.missing = state.missing.saturating_sub(1);
        if state.missing == 0 {
            told.notify_all();
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        }
    }
}

/// Safe to cancel.
impl Future for Listing {
    type Output = Vec<Listed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vec<Listed>> {
        let mut state = lock(&self.state.0);
        if state.missing == 0 {
            return Poll::Ready(std::mem::take(&mut state.listed));
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listing")
    }
}
