//! What reaches a running server from elsewhere: marks of sockets and lanes with an event, commands, and the order to stop.

use core::task::Waker;

use embassy_sync::{
    blocking_mutex::raw::CriticalSectionRawMutex, channel::Channel, mutex::Mutex, waitqueue::AtomicWaker,
};
use portable_atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use tenure::{Command, CommandError, ConnectionId, port::Listed};

use crate::used;

/// The most sockets: each has a bit.
pub(crate) const SOCKETS_MAX: usize = 32 * WORDS;
/// The most lanes: each has a bit.
pub(crate) const LANES_MAX: usize = 32;
const WORDS: usize = 4;

/// How a server is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    Not,
    /// Exchanges in flight are finished.
    Gently,
    Now,
}

/// What a server is asked to do.
#[derive(Debug)]
pub(crate) enum Order {
    One(Command),
    /// Answer the question of that number with the first connection from index `from` on.
    List {
        from: u32,
        question: u32,
    },
}

/// An answer to whoever lists connections.
#[derive(Debug)]
enum Answer {
    /// To the question of that number: a connection, or `None` at the end.
    To(u32, Option<Listed>),
    /// To all questions: the server does not run.
    Stopped,
}

/// The most commands that wait for the server.
const COMMANDS_MAX: usize = 8;

/// What needs a look, and the task that looks.
pub(crate) struct Bell {
    task: AtomicWaker,
    runs: AtomicBool,
    commands: Channel<CriticalSectionRawMutex, Order, COMMANDS_MAX>,
    /// The answer to a question of `list`. One caller at a time holds `lister`, which counts questions, because an answer to a
    /// cancelled one may still come.
    listed: Channel<CriticalSectionRawMutex, Answer, 1>,
    lister: Mutex<CriticalSectionRawMutex, u32>,
    /// Whether any bit of the words below may be set.
    rung: AtomicBool,
    sockets: [AtomicU32; WORDS],
    lanes: AtomicU32,
    /// Whether a command or the order to stop may be waiting.
    asked: AtomicBool,
    stop: AtomicU8,
    /// Sockets that listened when the server last counted, less the SYNs that the gate has let through since.
    listening: AtomicU32,
}

impl Bell {
    pub(crate) const fn new() -> Self {
        Bell {
            task: AtomicWaker::new(),
            runs: AtomicBool::new(false),
            commands: Channel::new(),
            listed: Channel::new(),
            lister: Mutex::new(0),
            rung: AtomicBool::new(false),
            sockets: [const { AtomicU32::new(0) }; WORDS],
            lanes: AtomicU32::new(0),
            asked: AtomicBool::new(false),
            stop: AtomicU8::new(0),
            listening: AtomicU32::new(0),
        }
    }

    /// Sets the task to wake.
    pub(crate) fn listen(&self, waker: &Waker) {
        self.task.register(waker);
    }

    /// Takes the marks of 32 sockets.
    pub(crate) fn take_sockets(&self, word: usize) -> u32 {
        self.sockets.get(word).map_or(0, take)
    }

    /// Takes the marks of the lanes.
    pub(crate) fn take_lanes(&self) -> u32 {
        take(&self.lanes)
    }

    /// Whether any mark may be set.
    pub(crate) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    /// Whether any mark may be set, and clears that: the caller takes all marks.
    pub(crate) fn take(&self) -> bool {
        // A mark that is set from here on rings again.
        self.is_rung() && self.rung.swap(false, Ordering::AcqRel)
    }

    /// Whether orders may wait, and clears that: the caller takes all of them.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire) && self.asked.swap(false, Ordering::AcqRel)
    }

    /// Wakes the task for an order.
    fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.task.wake();
    }

    pub(crate) fn stop(&self) -> Stop {
        match self.stop.load(Ordering::Acquire) {
            0 => Stop::Not,
            1 => Stop::Gently,
            _ => Stop::Now,
        }
    }

    /// Whether a SYN may pass: a socket listens for it, or the server does not run, so that the stack's reset is right.
    pub(crate) fn admit(&self) -> bool {
        if !self.runs.load(Ordering::Acquire) || self.stop() != Stop::Not {
            return true;
        }
        let one_less = |listening: u32| listening.checked_sub(1);
        let listens = self.listening.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less).is_ok();
        if listens {
            // The server counts again, because perhaps no socket takes this SYN: it may be a repetition, or damaged.
            self.task.wake();
        }
        listens
    }

    pub(crate) fn listening(&self) -> u32 {
        self.listening.load(Ordering::Acquire)
    }

    /// Sets how many sockets listen.
    pub(crate) fn set_listening(&self, count: u32) {
        self.listening.store(count, Ordering::Release);
    }

    /// The next order.
    pub(crate) fn order(&self) -> Option<Order> {
        self.commands.try_receive().ok()
    }

    /// Answers the command to list.
    pub(crate) fn tell(&self, question: u32, listed: Option<Listed>) {
        self.answer(Answer::To(question, listed));
    }

    fn answer(&self, answer: Answer) {
        self.listed.clear();
        // There is room now.
        let _ = self.listed.try_send(answer);
    }

    /// Begins a run, which nobody has asked to stop yet. Marks from an earlier run are harmless: they cause a look at nothing.
    pub(crate) fn open(&self) {
        if used::HANDLE.is_on() || used::SYN_GATE.is_on() {
            self.runs.store(true, Ordering::Release);
            self.stop.store(0, Ordering::Release);
        }
    }

    /// Ends a run: drops waiting commands, and tells those who wait for an answer.
    pub(crate) fn close(&self) {
        self.runs.store(false, Ordering::Release);
        self.commands.clear();
        self.answer(Answer::Stopped);
    }
}

/// Usually the word is 0, and then this costs no read-modify-write.
fn take(word: &AtomicU32) -> u32 {
    if word.load(Ordering::Acquire) == 0 { 0 } else { word.swap(0, Ordering::AcqRel) }
}

/// What a mark stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    Socket(u8),
    Lane(u8),
}

/// One socket or lane, as wakers see it. All zero until it belongs to a bell, so that a static takes no flash.
pub(crate) struct Mark {
    bell: Option<&'static Bell>,
    of: Of,
}

impl Mark {
    /// A mark of nothing yet.
    pub(crate) const fn new() -> Self {
        Mark { bell: None, of: Of::Socket(0) }
    }

    pub(crate) fn belong(&mut self, bell: &'static Bell, of: Of) {
        *self = Mark { bell: Some(bell), of };
    }

    /// Sets it and wakes the task.
    pub(crate) fn set(&self) {
        if let Some(bell) = self.bell {
            let (word, bit) = match self.of {
                Of::Socket(number) => (&bell.sockets[usize::from(number) / 32], number % 32),
                Of::Lane(number) => (&bell.lanes, number % 32),
            };
            word.fetch_or(1 << bit, Ordering::AcqRel);
            bell.rung.store(true, Ordering::Release);
            bell.task.wake();
        }
    }
}

/// Reaches a server while it runs, from anywhere.
#[doc(alias = "httpd_handle_t")]
#[derive(Clone, Copy)]
pub struct Handle(&'static Bell);

impl core::fmt::Debug for Handle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Handle({:?})", self.0.stop())
    }
}

impl Handle {
    pub(crate) fn of(bell: &'static Bell) -> Self {
        used::HANDLE.set(true);
        Handle(bell)
    }

    /// Closes a connection: at once if it is idle, otherwise after the response in progress, or by a reset if that takes longer
    /// than [`Deadlines::flush_ms`](tenure::Deadlines::flush_ms). Does nothing if the connection is gone.
    ///
    /// # Errors
    /// As [`command`](Handle::command).
    #[doc(alias = "httpd_sess_trigger_close")]
    pub fn close(&self, id: ConnectionId) -> Result<(), CommandError> {
        self.command(Command::Close(id))
    }

    /// Ends a connection at once, by a reset if a request is being answered. Does nothing if the connection is gone.
    ///
    /// # Errors
    /// As [`command`](Handle::command).
    pub fn close_now(&self, id: ConnectionId) -> Result<(), CommandError> {
        self.command(Command::CloseNow(id))
    }

    /// Protects a connection from eviction, or no longer does. Does nothing if the connection is gone.
    ///
    /// # Errors
    /// As [`command`](Handle::command).
    #[doc(alias = "httpd_sess_update_lru_counter")]
    pub fn pin(&self, id: ConnectionId, pinned: bool) -> Result<(), CommandError> {
        self.command(Command::Pin(id, pinned))
    }

    /// Gives the server a command, which it obeys in its next turn, behind those before it.
    ///
    /// # Errors
    /// [`Full`](CommandError::Full): eight wait for it; [`Stopped`](CommandError::Stopped): it does not run. Either gives the
    /// command back.
    pub fn command(&self, command: Command) -> Result<(), CommandError> {
        if !self.0.runs.load(Ordering::Acquire) {
            return Err(CommandError::Stopped(command));
        }
        let sent = self.0.commands.try_send(Order::One(command));
        self.0.ask();
        sent.map_err(|_| CommandError::Full(command))
    }

    /// Calls `each` for every open connection, in no particular order. Connections that come or go meanwhile may be missing. A
    /// handler may await it too.
    ///
    /// # Cancellation safety
    /// Safe: `each` is not called for the remaining connections.
    #[doc(alias = "httpd_get_client_list")]
    pub async fn list(&self, mut each: impl FnMut(Listed)) {
        let bell = self.0;
        let mut question = bell.lister.lock().await;
        let mut from = 0;
        loop {
            bell.listed.clear();
            if !bell.runs.load(Ordering::Acquire) {
                return;
            }
            *question = question.wrapping_add(1);
            bell.commands.send(Order::List { from, question: *question }).await;
            bell.ask();
            let listed = loop {
                match bell.listed.receive().await {
                    Answer::To(number, Some(listed)) if number == *question => break listed,
                    Answer::To(number, None) if number == *question => return,
                    Answer::To(..) => {}
                    Answer::Stopped => return,
                }
            };
            from = listed.id.index() + 1;
            each(listed);
        }
    }

    /// Stops the server: idle connections end, requests that have arrived are answered, until
    /// [`flush_ms`](tenure::Deadlines::flush_ms) at the latest.
    /// Does nothing where it does not run.
    #[doc(alias = "httpd_stop")]
    pub fn stop(&self) {
        self.0.stop.fetch_max(Stop::Gently as u8, Ordering::AcqRel);
        self.0.ask();
    }

    /// Stops the server at once.
    pub fn stop_now(&self) {
        self.0.stop.fetch_max(Stop::Now as u8, Ordering::AcqRel);
        self.0.ask();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::{
        future::Future,
        pin::pin,
        task::{Context, Poll},
    };

    use super::*;

    /// The question that was asked last.
    fn asked(bell: &Bell) -> (u32, u32) {
        match bell.order() {
            Some(Order::List { from, question }) => (from, question),
            other => panic!("{other:?} is no question"),
        }
    }

    /// A list is cancelled while the server, at a lower priority, has its question but has not answered it yet.
    #[test]
    fn an_answer_to_a_cancelled_list() {
        let bell: &'static Bell = std::boxed::Box::leak(std::boxed::Box::new(Bell::new()));
        let handle = Handle::of(bell);
        bell.open();
        let context = &mut Context::from_waker(Waker::noop());
        let earlier = {
            let mut cancelled = pin!(handle.list(|_| panic!("nobody is told")));
            assert_eq!(cancelled.as_mut().poll(context), Poll::Pending);
            asked(bell)
        };
        let mut list = pin!(handle.list(|_| panic!("there is no connection")));
        assert_eq!(list.as_mut().poll(context), Poll::Pending);
        bell.tell(earlier.1, None);
        assert_eq!(list.as_mut().poll(context), Poll::Pending, "not its answer");
        let later = asked(bell);
        assert_eq!((earlier.0, later.0), (0, 0));
        bell.tell(later.1, None);
        assert_eq!(list.as_mut().poll(context), Poll::Ready(()), "its answer");
        // A stop answers all.
        let mut list = pin!(handle.list(|_| panic!("there is no connection")));
        assert_eq!(list.as_mut().poll(context), Poll::Pending);
        bell.close();
        assert_eq!(list.as_mut().poll(context), Poll::Ready(()), "stopped");
    }
}
