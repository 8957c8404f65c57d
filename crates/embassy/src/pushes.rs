//! What tasks and interrupts push to connections that stay open.

use core::task::{Context, Poll};

use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex, channel::Channel};
use heapless::Vec;
use portable_atomic::{AtomicBool, Ordering};
use tenure::{
    ConnectionId, Error, Frame, PushError, Topic,
    port::{TopicKey, frame_into},
};

/// Whom something is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum To {
    One(ConnectionId),
    Topic(TopicKey),
}

struct Push<const BYTES: usize> {
    to: To,
    bytes: Vec<u8, BYTES>,
}

/// What tasks and interrupts push to the connections of a server that stay open: `N` at once, each of `BYTES` bytes at the most, its
/// framing included (2 bytes of a message, the names of an event's lines).
///
/// The server takes them out in its next turn. A program without one pays nothing for it.
///
/// ```
/// use tenure::{Event, EventTopic, PushError};
/// use tenure_embassy::Pushes;
///
/// const TEMPERATURE: EventTopic = EventTopic::new(0);
/// static PUSHES: Pushes<4, 64> = Pushes::new();
///
/// /// Called by a task, or in an interrupt.
/// fn measured(text: &str) -> Result<(), PushError> {
///     PUSHES.publish(TEMPERATURE, Event::data(text))
/// }
/// # // No server runs.
/// # assert_eq!(measured("21.5"), Err(PushError::Stopped));
/// ```
/// The server is told of it before it runs: [`Server::push_from`](crate::Server::push_from).
pub struct Pushes<const N: usize = 4, const BYTES: usize = 128> {
    queue: Channel<CriticalSectionRawMutex, Push<BYTES>, N>,
    runs: AtomicBool,
}

impl<const N: usize, const BYTES: usize> Pushes<N, BYTES> {
    /// An empty queue, all zero, so that a `static` of it takes no flash.
    pub const fn new() -> Self {
        Pushes { queue: Channel::new(), runs: AtomicBool::new(false) }
    }

    /// Sends a message to a WebSocket. Where the connection is gone, or is no WebSocket, nothing happens.
    ///
    /// # Errors
    /// [`Full`](PushError::Full): as many wait as there is room for; [`Stopped`](PushError::Stopped): no server takes them;
    /// [`Content`](PushError::Content): the message is longer than `BYTES`, less 2.
    pub fn send(&self, id: ConnectionId, frame: Frame<'_>) -> Result<(), PushError> {
        self.push(To::One(id), |into| frame_into(&frame, into))
    }

    /// Sends a message, or an event, to all who have joined a topic.
    ///
    /// # Errors
    /// As [`send`](Pushes::send); also where an event cannot be written.
    pub fn publish<T: Topic>(&self, topic: T, content: T::Content<'_>) -> Result<(), PushError> {
        self.push(To::Topic(topic.key()), |into| frame_into(&content, into))
    }

    fn push(&self, to: To, write: impl FnOnce(&mut [u8]) -> Result<usize, Error>) -> Result<(), PushError> {
        let mut bytes = Vec::new();
        // As large as it can be: this cannot fail.
        let _ = bytes.resize(BYTES, 0);
        let length = write(&mut bytes)?;
        bytes.truncate(length);
        if !self.runs.load(Ordering::Acquire) {
            return Err(PushError::Stopped);
        }
        self.queue.try_send(Push { to, bytes }).map_err(|_| PushError::Full)
    }
}

impl<const N: usize, const BYTES: usize> Default for Pushes<N, BYTES> {
    fn default() -> Self {
        Pushes::new()
    }
}

impl<const N: usize, const BYTES: usize> core::fmt::Debug for Pushes<N, BYTES> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Pushes({} of {N} wait)", self.queue.len())
    }
}

/// A queue of pushes, whatever its size.
pub(crate) trait Source: Sync {
    /// Hands the next one over. `false`: there is none, and the task is woken when there is.
    fn poll_next(&self, context: &mut Context<'_>, take: &mut dyn FnMut(To, &[u8])) -> bool;

    /// Whether a server takes them from now on. Those that wait are dropped.
    fn set_runs(&self, runs: bool);
}

impl<const N: usize, const BYTES: usize> Source for Pushes<N, BYTES> {
    fn poll_next(&self, context: &mut Context<'_>, take: &mut dyn FnMut(To, &[u8])) -> bool {
        let Poll::Ready(push) = self.queue.poll_receive(context) else { return false };
        take(push.to, &push.bytes);
        true
    }

    fn set_runs(&self, runs: bool) {
        self.runs.store(runs, Ordering::Release);
        self.queue.clear();
    }
}
