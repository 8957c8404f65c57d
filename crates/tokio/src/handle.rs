//! What reaches a worker from elsewhere: commands, and marks of what something has happened to.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use tenure::{ConnectionId, port::Listed};

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

/// What a mark is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// A socket, by the number of its watch.
    Socket(u32),
    Lane(u32),
    Listeners,
    Timer,
}

/// Wakes the worker for a socket, a lane or another thing, so that it looks at that and at nothing else. Set from any thread, it
/// stands in the worker's queue once.
#[derive(Debug)]
pub(crate) struct Mark {
    shared: Arc<WorkerShared>,
    of: Of,
    queued: AtomicBool,
}

impl Mark {
    pub(crate) fn new(shared: Arc<WorkerShared>, of: Of) -> Arc<Self> {
        Arc::new(Mark { shared, of, queued: AtomicBool::new(false) })
    }

    /// Whether it stands in the queue.
    pub(crate) fn is_set(&self) -> bool {
        self.queued.load(Ordering::Relaxed)
    }

    /// A mark that was taken from the queue is taken back before it is looked at: from then on a wake is a new one, so that
    /// none is lost.
    #[inline]
    pub(crate) fn taken(&self) {
        // What was written before a wake is seen after it, also where that found the mark set.
        self.queued.swap(false, Ordering::AcqRel);
    }

    #[inline]
    pub(crate) fn set(&self) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.shared.queue(self.of);
        }
    }
}

impl Wake for Mark {
    fn wake(self: Arc<Self>) {
        self.set();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.set();
    }
}

/// The part of a worker that other threads touch.
#[derive(Debug, Default)]
pub(crate) struct WorkerShared(Mutex<Bell>);

#[derive(Debug, Default)]
struct Bell {
    marks: Vec<Of>,
    commands: VecDeque<Command>,
    /// Another worker has left newcomers to this one, or changed what it may accept.
    look_again: bool,
    /// Nobody serves this worker's connections any more.
    closed: bool,
    /// The worker's task, while it sleeps.
    task: Option<Waker>,
}

/// What has come since the last turn.
#[derive(Debug, Default)]
pub(crate) struct Rung {
    pub(crate) marks: Vec<Of>,
    pub(crate) commands: VecDeque<Command>,
    pub(crate) look_again: bool,
}

/// A lock whose holder cannot have left it half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WorkerShared {
    /// Lets something be done to the bell, and wakes the task if it sleeps: outside of the lock, as a waker may do anything.
    #[inline]
    fn ring(&self, act: impl FnOnce(&mut Bell)) {
        let mut bell = lock(&self.0);
        act(&mut bell);
        let task = bell.task.take();
        drop(bell);
        if let Some(task) = task {
            task.wake();
        }
    }

    #[inline]
    fn queue(&self, of: Of) {
        self.ring(|bell| {
            if !bell.closed {
                bell.marks.push(of);
            }
        });
    }

    pub(crate) fn command(&self, command: Command) {
        let mut unserved = None;
        self.ring(|bell| if bell.closed { unserved = Some(command) } else { bell.commands.push_back(command) });
        if let Some(command) = unserved {
            command.drop_unserved();
        }
    }

    /// Takes the next command out of turn.
    pub(crate) fn next_command(&self) -> Option<Command> {
        lock(&self.0).commands.pop_front()
    }

    /// Serves nothing any more, neither what is here nor what comes.
    pub(crate) fn close(&self) {
        let mut bell = lock(&self.0);
        bell.closed = true;
        let commands = std::mem::take(&mut bell.commands);
        drop(bell);
        commands.into_iter().for_each(Command::drop_unserved);
    }

    /// Asks the worker to look at what it may accept.
    fn look_again(&self) {
        self.ring(|bell| bell.look_again = true);
    }

    /// Takes what has come. Where nothing has, the task is woken when something does, and `false` returned.
    #[inline]
    pub(crate) fn take(&self, rung: &mut Rung, task: &Waker) -> bool {
        let mut bell = lock(&self.0);
        if bell.marks.is_empty() && bell.commands.is_empty() && !bell.look_again {
            match &mut bell.task {
                Some(before) => before.clone_from(task),
                none => *none = Some(task.clone()),
            }
            return false;
        }
        std::mem::swap(&mut bell.marks, &mut rung.marks);
        if !bell.commands.is_empty() {
            std::mem::swap(&mut bell.commands, &mut rung.commands);
        }
        rung.look_again = std::mem::take(&mut bell.look_again);
        true
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
