//! What other threads send a worker: orders, and marks of the lanes and sockets that need a look.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    task::{Wake, Waker},
};

use tenure::{
    Command, CommandError, ConnectionId, PushError,
    port::{Key, Pushed, TopicKey},
};

use crate::{
    answer::Asked,
    listing::Question,
    sync::{AtomicBool, Mutex, lock},
    visit::{Refused, Visitor},
};

/// The least bound on waiting commands, however few connections there may be.
const COMMANDS_MIN: usize = 64;

/// Bytes for connections that stay open: a whole message or event.
#[derive(Debug)]
pub(crate) struct Push {
    pub(crate) to: To,
    pub(crate) bytes: Arc<[u8]>,
    /// The worker itself has published it, and delivers it in the order that all workers agree on.
    pub(crate) is_own: bool,
}

/// Whom they are for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum To {
    One(ConnectionId),
    Topic(TopicKey),
}

/// What a worker is asked to do.
#[derive(Debug)]
pub(crate) enum Order {
    One(Command),
    Push(Push),
    Deliver {
        id: ConnectionId,
        bytes: Arc<[u8]>,
        asked: Asked<Pushed>,
    },
    Visit(Box<dyn Visitor>),
    List(Question),
    /// What is published to a topic is kept from now on, so many events; none any more.
    Keep(TopicKey, u16),
    /// A stream joins a topic that keeps its last events.
    Resume(Key, TopicKey, Box<[u8]>),
    Stop,
    StopNow,
}

impl Order {
    /// Whether there may be too many of it: what a worker gives itself is bounded by what it does in a turn.
    fn is_bounded(&self) -> bool {
        !matches!(self, Order::Push(Push { is_own: true, .. }) | Order::Keep(..) | Order::Resume(..))
    }
}

/// Why an order was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    Full,
    Stopped,
}

impl From<NotTaken> for PushError {
    fn from(why: NotTaken) -> Self {
        match why {
            NotTaken::Full => PushError::Full,
            NotTaken::Stopped => PushError::Stopped,
        }
    }
}

impl From<NotTaken> for Refused {
    fn from(why: NotTaken) -> Self {
        match why {
            NotTaken::Full => Refused::Full,
            NotTaken::Stopped => Refused::Stopped,
        }
    }
}

/// What a mark stands for. A port without wakers of its own uses only those of lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// A lane, by its number: for [`Worker::lane_woken`](crate::Worker::lane_woken).
    Lane(u32),
    /// A socket, by a number of the port's.
    Socket(u32),
    /// The worker itself: its listeners, or its timer.
    Worker,
}

/// Tells a worker to look at one thing: a lane, a socket or itself. Any thread may set it; it stands in the worker's inbox at most
/// once.
#[derive(Debug)]
pub struct Mark {
    inbox: Arc<Inbox>,
    of: Marked,
    queued: AtomicBool,
}

impl Mark {
    /// A mark that is not set.
    pub fn new(inbox: Arc<Inbox>, of: Marked) -> Arc<Self> {
        Arc::new(Mark { inbox, of, queued: AtomicBool::new(false) })
    }

    /// Whether it stands in the inbox.
    pub fn is_set(&self) -> bool {
        self.queued.load(Ordering::Relaxed)
    }

    /// Clears a mark that came out of the inbox. To be called before the look, so that a wake during the look sets it again and
    /// none is lost.
    pub fn take_back(&self) {
        // Acquires what was written before each wake, even one that found the mark set.
        self.queued.swap(false, Ordering::AcqRel);
    }

    /// Sets it and wakes the worker, unless it is set already.
    pub fn set(&self) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.inbox.mark(self.of);
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
#[derive(Debug)]
pub struct Inbox {
    state: Mutex<State>,
    /// The most waiting commands: one per connection, so that all can be closed in one turn.
    commands_max: usize,
}

#[derive(Debug, Default)]
struct State {
    news: News,
    /// The worker has ended.
    closed: bool,
    /// Whether it was asked to stop, and to stop at once: never reset.
    stops: [bool; 2],
    /// Wakes the worker, unless it will look here anyway.
    waker: Option<Waker>,
}

/// What has come since a worker last looked.
#[derive(Debug, Default)]
pub struct News {
    /// What needs a look. [Take each back](Mark::take_back) before looking.
    pub marks: Vec<Marked>,
    pub(crate) orders: VecDeque<Order>,
    /// Decide again whether to accept: another worker leaves newcomers to this one, or has changed what this one may accept.
    pub(crate) reconsider: bool,
}

impl News {
    fn is_empty(&self) -> bool {
        self.marks.is_empty() && self.orders.is_empty() && !self.reconsider
    }

    /// Swaps its empty lists for the full ones of `from`.
    fn take(&mut self, from: &mut News) {
        std::mem::swap(&mut self.marks, &mut from.marks);
        if !from.orders.is_empty() {
            std::mem::swap(&mut self.orders, &mut from.orders);
        }
        self.reconsider = std::mem::take(&mut from.reconsider);
    }
}

impl State {
    fn set_waker(&mut self, waker: &Waker) {
        match &mut self.waker {
            Some(before) => before.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }
}

impl Inbox {
    /// An inbox of a server that may have so many connections.
    pub(crate) fn new(connections_max: u32) -> Self {
        Inbox { state: Mutex::default(), commands_max: COMMANDS_MIN.max(connections_max as usize) }
    }

    /// Changes the state under the lock, then wakes the worker if it sleeps, outside the lock, because a waker may do anything.
    fn put<R>(&self, put: impl FnOnce(&mut State) -> R) -> R {
        let mut state = lock(&self.state);
        let result = put(&mut state);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    fn mark(&self, of: Marked) {
        self.put(|state| {
            if !state.closed {
                state.news.marks.push(of);
            }
        });
    }

    /// The most commands that wait.
    pub(crate) fn commands_max(&self) -> usize {
        self.commands_max
    }

    /// Queues an order, as long as there is room. One that is not taken is given back, so that it is dropped outside the lock:
    /// that may wake.
    pub(crate) fn order(&self, order: Order) -> Result<(), (NotTaken, Order)> {
        self.put(|state| {
            if state.closed {
                return Err((NotTaken::Stopped, order));
            }
            if order.is_bounded() && state.news.orders.len() >= self.commands_max {
                return Err((NotTaken::Full, order));
            }
            state.news.orders.push_back(order);
            Ok(())
        })
    }

    pub(crate) fn command(&self, command: Command) -> Result<(), CommandError> {
        self.order(Order::One(command)).map_err(|(why, _)| match why {
            NotTaken::Full => CommandError::Full(command),
            NotTaken::Stopped => CommandError::Stopped(command),
        })
    }

    pub(crate) fn push(&self, push: Push) -> Result<(), PushError> {
        self.order(Order::Push(push)).map_err(|(why, _)| why.into())
    }

    /// Asks for a list. These need no bound: each belongs to the caller who waits for it.
    pub(crate) fn list(&self, question: Question) {
        // A question that is not taken is dropped outside the lock, because its drop may wake.
        let mut question = Some(question);
        self.put(|state| {
            if !state.closed {
                state.news.orders.extend(question.take().map(Order::List));
            }
        });
    }

    /// Asks the worker to stop. However often this is called, one order of each kind is queued.
    pub(crate) fn stop(&self, now: bool) {
        self.put(|state| {
            if !state.closed && !std::mem::replace(&mut state.stops[usize::from(now)], true) {
                state.news.orders.push_back(if now { Order::StopNow } else { Order::Stop });
            }
        });
    }

    /// Asks the worker to decide again whether it accepts.
    pub(crate) fn reconsider(&self) {
        self.put(|state| state.news.reconsider = true);
    }

    /// Takes the next order, between turns.
    pub(crate) fn next_order(&self) -> Option<Order> {
        lock(&self.state).news.orders.pop_front()
    }

    /// Refuses all orders from now on, and drops those that wait.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let orders = std::mem::take(&mut state.news.orders);
        drop(state);
        drop(orders);
    }

    /// Whether it refuses all orders.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// Takes what has come, and sets `waker` to be woken once by what comes next: for a worker that looks here when woken.
    pub fn take(&self, news: &mut News, waker: &Waker) {
        let mut state = lock(&self.state);
        news.take(&mut state.news);
        state.set_waker(waker);
    }

    /// Takes what has come. If there is nothing, sets `waker` and returns `false`: for a worker that looks here until there is
    /// nothing.
    pub fn take_or_wait(&self, news: &mut News, waker: &Waker) -> bool {
        let mut state = lock(&self.state);
        if state.news.is_empty() {
            state.set_waker(waker);
            return false;
        }
        news.take(&mut state.news);
        true
    }
}

#[cfg(all(test, loom))]
mod orders;
#[cfg(all(test, not(loom)))]
mod tests;
