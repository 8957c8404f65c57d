//! What the application, the port and the observer of a walk tell of themselves, and what that must be.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    panic::resume_unwind,
    task::Waker,
};

use tenure::{
    Admission, ConnectionId, Deadline, Deadlines, EndReason, Eviction, Observer, PeerAddress, Refusal, RequestLine,
    Session, StatusCode,
};

/// What has happened to a connection that may end it.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Facts {
    pub connected_ms: u64,
    /// When its last response was complete, or what else counts as a use.
    pub used_ms: u64,
    /// When the port last gave bytes of it to the driver.
    pub received_ms: Option<u64>,
    pub closed: bool,
    pub reset: bool,
    pub asked_to_close: bool,
    pub closed_by_handler: bool,
    pub close_ordered: bool,
    pub link_down: bool,
    pub handed_over: bool,
    /// A response of it broke off, or may have: a panic, a length that was not kept.
    pub broke: bool,
    /// It has been sent what is no HTTP, or more of a body than is read.
    pub refused: bool,
    pub overlong: bool,
    /// It has been open: 101 was answered, or a stream of events.
    pub opened: bool,
    /// It has sent a close frame, or a frame that is none.
    pub says_close: bool,
    pub bad_frame: bool,
    /// A handler of its messages was told to close, or to fail.
    pub closed_by_message: bool,
    pub failed: bool,
    pub session: Option<u64>,
    /// All places were taken while it was there.
    pub was_full: bool,
    pub ended: Option<EndReason>,
    pub ended_ms: u64,
}

#[derive(Default)]
pub struct World {
    /// The time, which does not wrap as the driver's does.
    pub now_ms: u64,
    pub deadlines: Option<Deadlines>,
    pub eviction: Eviction,
    /// Whether the server has a place elsewhere, however full this worker is.
    pub place_elsewhere: bool,
    pub stopped: bool,
    pub connections: HashMap<ConnectionId, Facts>,
    /// Connections that are about to give way.
    pub evicted: Option<(ConnectionId, ConnectionId)>,
    pub sessions: u64,
    pub live_sessions: u64,
    /// Sessions whose connection has not been told as ended yet.
    pub ended_session: Option<(ConnectionId, EndReason)>,
    /// Handlers of a client that wait, and whether one may go on.
    pub gates: HashMap<u32, (bool, Vec<Waker>)>,
    /// Pieces of messages that are not heard to their end.
    pub messages: HashMap<ConnectionId, Vec<u8>>,
    /// How much has been published.
    pub published: u64,
    pub message_bytes_max: u64,
    pub refuses: bool,
    /// Panics that are still to come, of the observer and of sessions' ends.
    pub observer_panics: u32,
    pub end_panics: u32,
    pub violations: Vec<String>,
}

thread_local! {
    pub static WORLD: RefCell<World> = RefCell::default();
    /// A session ends because a handler says so.
    static REMOVING: Cell<bool> = const { Cell::new(false) };
}

pub fn with<R>(act: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(act)
}

/// A panic of the application's, of which nothing is printed.
pub fn panic_on_purpose() -> ! {
    resume_unwind(Box::new("on purpose"))
}

impl World {
    pub fn violated(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    /// All places are taken.
    pub fn full(&mut self) {
        self.connections.values_mut().for_each(|facts| facts.was_full = true);
    }

    fn since(&self, then_ms: u64) -> u64 {
        self.now_ms - then_ms
    }

    fn allows(&self, id: ConnectionId, facts: &Facts, reason: EndReason) -> bool {
        let deadlines = self.deadlines.unwrap();
        let missed = |since_ms: u64, ms: u32| ms < 1 << 31 && self.since(since_ms) >= ms.into();
        if facts.opened && matches!(reason, EndReason::Idle | EndReason::Evicted { .. } | EndReason::HandedOver) {
            return false;
        }
        match reason {
            EndReason::WebSocket { .. } if !facts.opened => false,
            EndReason::WebSocket { code, by_peer: true } => facts.says_close && matches!(code, 1_000 | 4_001 | 1_005),
            EndReason::WebSocket { code, by_peer: false } => match code {
                1_002 => facts.bad_frame,
                1_009 => self.message_bytes_max < 4_000,
                1_011 => facts.failed || missed(facts.connected_ms, deadlines.handler_ms),
                1_013 => self.published > 0,
                4_000 => facts.closed_by_message,
                _ => false,
            },
            EndReason::Deadline(Deadline::Pong) => missed(facts.connected_ms, deadlines.pong_ms),
            EndReason::PeerClosed => facts.closed,
            EndReason::PeerReset => facts.reset,
            EndReason::PeerAsked => facts.asked_to_close,
            EndReason::Idle => missed(facts.used_ms, deadlines.idle_ms),
            EndReason::Deadline(Deadline::FirstByte) => {
                facts.received_ms.is_none() && missed(facts.connected_ms, deadlines.first_byte_ms)
            }
            EndReason::Deadline(Deadline::Head) => missed(facts.connected_ms, deadlines.head_ms),
            EndReason::Deadline(Deadline::Body) => missed(facts.connected_ms, deadlines.body_ms),
            EndReason::Deadline(Deadline::Handler) => missed(facts.connected_ms, deadlines.handler_ms),
            EndReason::Deadline(Deadline::Response) => missed(facts.connected_ms, deadlines.response_ms),
            EndReason::Evicted { idle_ms, .. } => {
                self.eviction != Eviction::Never
                    && self.evicted.is_some_and(|(evicted, _)| evicted == id)
                    && u64::from(idle_ms) <= self.since(facts.connected_ms)
            }
            EndReason::MadeRoom => self.eviction != Eviction::Never && !self.place_elsewhere && facts.was_full,
            EndReason::Handler => facts.closed_by_handler,
            EndReason::Closed => facts.close_ordered,
            EndReason::Protocol(refusal) => match refusal {
                Refusal::HeadTimeout => missed(facts.connected_ms, deadlines.head_ms),
                Refusal::BodyTimeout => missed(facts.connected_ms, deadlines.body_ms),
                _ => facts.refused,
            },
            EndReason::Unread => facts.overlong,
            EndReason::Aborted => facts.broke,
            EndReason::LinkDown => facts.link_down,
            EndReason::Shutdown => self.stopped,
            EndReason::HandedOver => facts.handed_over,
            _ => false,
        }
    }

    fn may_panic(&mut self) -> bool {
        let panics = self.observer_panics > 0;
        self.observer_panics = self.observer_panics.saturating_sub(1);
        panics
    }
}

/// A session that knows whose it is, and is missed where nobody ends it.
pub struct Token {
    number: u64,
    owner: ConnectionId,
    ended: bool,
}

impl Token {
    /// A session of that connection, which must have none.
    pub fn new(owner: ConnectionId) -> Self {
        with(|world| {
            world.sessions += 1;
            world.live_sessions += 1;
            let number = world.sessions;
            match world.connections.get_mut(&owner) {
                Some(facts) => facts.session = Some(number),
                None => world.violated(format!("a session for {owner}, which is not connected")),
            }
            Token { number, owner, ended: false }
        })
    }

    /// Must be lent to requests of its own connection alone.
    pub fn assert_of(&self, id: ConnectionId) {
        with(|world| {
            let number = world.connections.get(&id).and_then(|facts| facts.session);
            if self.owner != id || number != Some(self.number) {
                world.violated(format!("session {} of {} is lent to {id}", self.number, self.owner));
            }
        });
    }

    /// A handler has taken it.
    pub fn taken(&mut self) {
        self.ended = true;
        with(|world| {
            if let Some(facts) = world.connections.get_mut(&self.owner) {
                facts.session = None;
            }
        });
    }
}

/// Whatever ends within `act` ends because a handler says so.
pub fn removing<R>(act: impl FnOnce() -> R) -> R {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            REMOVING.set(false);
        }
    }
    let _reset = Reset;
    REMOVING.set(true);
    act()
}

impl Session for Token {
    fn end(mut self, reason: EndReason) {
        self.ended = true;
        let panics = with(|world| {
            let by_handler = matches!(reason, EndReason::Removed | EndReason::Replaced);
            if by_handler != REMOVING.get() {
                world.violated(format!("session {} of {} ends with {reason:?}", self.number, self.owner));
            }
            let facts = world.connections.entry(self.owner).or_default();
            // In the midst of being replaced the next one is told already.
            if reason != EndReason::Replaced && facts.session.take() != Some(self.number) {
                world.violated(format!("session {} of {} is not its session", self.number, self.owner));
            }
            if !by_handler && world.ended_session.replace((self.owner, reason)).is_some() {
                world.violated(format!("nobody was told of the end before that of {}", self.owner));
            }
            let panics = world.end_panics > 0;
            world.end_panics = world.end_panics.saturating_sub(1);
            panics
        });
        if panics {
            panic_on_purpose();
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        with(|world| {
            world.live_sessions -= 1;
            if !self.ended {
                world.violated(format!("session {} of {} was dropped, not ended", self.number, self.owner));
            }
        });
    }
}

/// A panic of an observer that is told of an exchange is that exchange's.
fn told_in_an_exchange(id: ConnectionId, what: &str) {
    let panics = with(|world| {
        world.must_be_open(id, what);
        let panics = world.may_panic();
        if let Some(facts) = world.connections.get_mut(&id) {
            facts.broke |= panics;
            facts.failed |= panics;
        }
        panics
    });
    if panics {
        panic_on_purpose();
    }
}

/// Watches, and sees whether what it is told can be.
pub struct Watcher;

impl Observer for Watcher {
    fn connected(&self, id: ConnectionId, _: Option<PeerAddress>) -> Admission {
        let (panics, refuses) = with(|world| {
            let (panics, refuses) = (world.may_panic(), world.refuses);
            if !panics && !refuses {
                let facts = Facts { connected_ms: world.now_ms, used_ms: world.now_ms, ..Facts::default() };
                if world.connections.insert(id, facts).is_some() {
                    world.violated(format!("{id} is told as connected twice"));
                }
            }
            (panics, refuses)
        });
        if panics {
            panic_on_purpose();
        }
        if refuses { Admission::Refuse } else { Admission::Accept }
    }

    fn head_received(&self, id: ConnectionId, _: RequestLine<'_>) {
        told_in_an_exchange(id, "a head is received");
    }

    fn response_sent(&self, id: ConnectionId, status: StatusCode, _: u64, _: u32) {
        with(|world| {
            let now_ms = world.now_ms;
            if let Some(facts) = world.connections.get_mut(&id) {
                facts.used_ms = now_ms;
                facts.opened |= status == StatusCode::SWITCHING_PROTOCOLS;
            }
        });
        told_in_an_exchange(id, "a response is sent");
    }

    fn message_heard(&self, id: ConnectionId, _: usize, _: u32) {
        told_in_an_exchange(id, "a message is heard");
    }

    fn refused(&self, id: ConnectionId, _: Refusal) {
        told_in_an_exchange(id, "a request is refused");
    }

    fn evicted(&self, id: ConnectionId, by: ConnectionId) {
        let panics = with(|world| {
            world.must_be_open(id, "it is evicted");
            world.must_be_open(by, "it evicts");
            world.evicted = Some((id, by));
            world.may_panic()
        });
        if panics {
            panic_on_purpose();
        }
    }

    fn disconnected(&self, id: ConnectionId, reason: EndReason, had_session: bool) {
        let panics = with(|world| {
            world.must_be_open(id, "it ends");
            let Some(facts) = world.connections.get(&id).cloned() else { return false };
            if !world.allows(id, &facts, reason) {
                world.violated(format!("{id} ends with {reason:?}: {facts:?} at {}", world.now_ms));
            }
            if let EndReason::Evicted { by, .. } = reason
                && world.evicted != Some((id, by))
            {
                world.violated(format!("{id} is evicted, of which nobody was told"));
            }
            let gives_way = matches!(reason, EndReason::Evicted { .. }) && world.eviction == Eviction::WithoutSession;
            if had_session && (gives_way || reason == EndReason::MadeRoom) {
                world.violated(format!("{id} loses its session: {reason:?}"));
            }
            // One that is handed over lives on.
            let told = if reason == EndReason::HandedOver {
                facts.session.map(|_| (id, reason))
            } else {
                world.ended_session.take()
            };
            let expected = if had_session { Some((id, reason)) } else { None };
            if told != expected || (facts.session.is_some() && reason != EndReason::HandedOver) {
                world.violated(format!("{id} ends with {reason:?}, its session with {told:?}: {facts:?}"));
            }
            let now_ms = world.now_ms;
            if let Some(facts) = world.connections.get_mut(&id) {
                (facts.ended, facts.ended_ms) = (Some(reason), now_ms);
            }
            world.may_panic()
        });
        if panics {
            panic_on_purpose();
        }
    }
}

impl World {
    fn must_be_open(&mut self, id: ConnectionId, what: &str) {
        match self.connections.get(&id) {
            Some(facts) if facts.ended.is_none() => {}
            other => {
                let other = format!("{id} is told of ({what}), but is {other:?}");
                self.violated(other);
            }
        }
    }
}
