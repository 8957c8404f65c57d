//! The test kit: a server and its clients on bytes and virtual time. No socket, no clock, no thread, nothing sleeps.
//!
//! It is a port like any other, so that an application's tests run what its users run. The guide has a
//! [chapter](crate::guide::testing) on testing; the repository's example `testing` is an application with its tests.
//!
//! ```
//! use tenure::{EndReason, Request, Router, get, kit::Server};
//!
//! async fn hello(request: &mut Request<'_, ()>) -> &'static str {
//!     "hello"
//! }
//!
//! let mut server = Server::new(Router::new().route("/", get(hello)));
//! let client = server.connect();
//! client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
//! server.run();
//! assert!(client.received_text().ends_with("\r\n\r\nhello"));
//!
//! server.advance(3_600_000);
//! assert_eq!(server.ended(), [(client.id().unwrap(), EndReason::Idle)]);
//! ```

mod open;
#[cfg(test)]
mod turns;

use alloc::{boxed::Box, collections::VecDeque, rc::Rc, string::String, sync::Arc, task::Wake, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    convert::Infallible,
    future::Future,
    net::Ipv4Addr,
    pin::Pin,
    task::Context,
};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    Admission, ConnectionId, Deadlines, EndReason, Eviction, Handler, Limits, Observer, PeerAddress, Refusal,
    RequestLine, Session, StatusCode,
    port::{
        AtRest, Audience, Driver, DriverSettings, HeapTopics, Interest, Key, Lane, Listed, Panicked, Partial, Peer,
        Port, Pushed, Received, Slot, TopicKey, Transmitted, Wire, contain, framed, lane,
    },
};

pub use open::{Heard, WebSocket, client_frame};

/// Calls of the driver in one [`Server::run`] that nothing sensible needs: a busy loop.
const CALLS_MAX: u32 = 100_000;

/// How a server of the kit is built.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Connections at the most.
    pub connections_max: u32,
    /// Lanes at the most.
    pub lanes_max: u32,
    /// Connections that stay open at the most.
    pub open_max: u32,
    /// Which idle connection gives way to a new one when all places are taken.
    pub eviction: Eviction,
    /// Bounds in time.
    pub deadlines: Deadlines,
    /// Bounds in bytes.
    pub limits: Limits,
    /// Bytes of each lane's input buffer.
    pub input_bytes: usize,
    /// Bytes of each lane's body buffer.
    pub body_bytes: usize,
    /// Bytes of each lane's output buffer.
    pub output_bytes: usize,
    /// Whether an incomplete head waits without a lane, as on a host.
    pub puts_heads_away: bool,
    /// Whether responses tell the date, 1994-11-06 08:49:37.
    pub dated: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            connections_max: 1_000,
            lanes_max: 1_000,
            open_max: 750,
            eviction: Eviction::default(),
            deadlines: Deadlines::HOST,
            limits: Limits::HOST,
            input_bytes: 16_384,
            body_bytes: 16_384,
            output_bytes: 16_384,
            puts_heads_away: true,
            dated: false,
        }
    }
}

/// What a server of the kit has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection was opened.
    Connected(ConnectionId),
    /// A response was completed: status and bytes.
    Sent(ConnectionId, StatusCode, u64),
    /// A handler has heard a message, or a piece of one: its bytes.
    Heard(ConnectionId, usize),
    /// A request was refused.
    Refused(ConnectionId, Refusal),
    /// A connection gives way to another.
    Evicted(ConnectionId, ConnectionId),
    /// A connection ended; whether it had a session.
    Disconnected(ConnectionId, EndReason, bool),
}

#[derive(Default)]
struct Recorder {
    events: RefCell<Vec<Event>>,
    refuses: Cell<bool>,
    /// The application's own, which is told everything.
    own: Option<Box<dyn Observer>>,
}

impl Recorder {
    fn push(&self, event: Event) {
        self.events.borrow_mut().push(event);
    }

    fn tell(&self, tell: impl FnOnce(&dyn Observer)) {
        if let Some(own) = &self.own {
            tell(&**own);
        }
    }
}

impl Observer for Recorder {
    fn connected(&self, id: ConnectionId, peer: Option<PeerAddress>) -> Admission {
        if self.refuses.get() {
            return Admission::Refuse;
        }
        let admission = self.own.as_ref().map_or(Admission::Accept, |own| own.connected(id, peer));
        if admission == Admission::Accept {
            self.push(Event::Connected(id));
        }
        admission
    }

    fn head_received(&self, id: ConnectionId, line: RequestLine<'_>) {
        self.tell(|own| own.head_received(id, line));
    }

    fn response_sent(&self, id: ConnectionId, status: StatusCode, bytes: u64, duration_ms: u32) {
        self.push(Event::Sent(id, status, bytes));
        self.tell(|own| own.response_sent(id, status, bytes, duration_ms));
    }

    fn message_heard(&self, id: ConnectionId, bytes: usize, duration_ms: u32) {
        self.push(Event::Heard(id, bytes));
        self.tell(|own| own.message_heard(id, bytes, duration_ms));
    }

    fn refused(&self, id: ConnectionId, refusal: Refusal) {
        self.push(Event::Refused(id, refusal));
        self.tell(|own| own.refused(id, refusal));
    }

    fn evicted(&self, id: ConnectionId, by: ConnectionId) {
        self.push(Event::Evicted(id, by));
        self.tell(|own| own.evicted(id, by));
    }

    fn disconnected(&self, id: ConnectionId, reason: EndReason, session: bool) {
        self.push(Event::Disconnected(id, reason, session));
        self.tell(|own| own.disconnected(id, reason, session));
    }
}

/// Two directions of bytes.
#[derive(Debug)]
struct Pipe {
    to_server: RefCell<VecDeque<u8>>,
    to_client: RefCell<Vec<u8>>,
    /// Bytes that the client takes before it has read some.
    window: Cell<usize>,
    /// Bytes at the most that the server receives or sends at once.
    segment: Cell<usize>,
    client_closed: Cell<bool>,
    client_reset: Cell<bool>,
    server_closed: Cell<bool>,
    server_reset: Cell<bool>,
    /// It is ready once, whether or not there is anything to receive.
    #[cfg(test)]
    stirred: Cell<bool>,
    /// What there is to receive cannot be received yet.
    #[cfg(test)]
    withheld: Cell<bool>,
    key: Cell<Option<Key>>,
    interest: Cell<Interest>,
    peer: PeerAddress,
}

/// A client of the kit's server: the other end of one connection.
#[derive(Clone, Debug)]
pub struct Client {
    pipe: Rc<Pipe>,
}

impl Client {
    /// Sends bytes. The server sees them in its next [`Server::run`].
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        self.pipe.to_server.borrow_mut().extend(bytes.as_ref());
    }

    /// How many bytes of those that were sent the server has not received: they wait where it takes no more for now.
    pub fn unreceived(&self) -> usize {
        self.pipe.to_server.borrow().len()
    }

    /// Closes the sending side.
    pub fn close(&self) {
        self.pipe.client_closed.set(true);
    }

    /// Resets the connection.
    pub fn reset(&self) {
        self.pipe.client_reset.set(true);
    }

    /// Lets the server send so many bytes, after which it waits until some have been read here.
    pub fn set_window(&self, bytes: usize) {
        self.pipe.window.set(bytes);
    }

    /// Lets the server receive and send so many bytes at once.
    pub fn set_segment(&self, bytes: usize) {
        self.pipe.segment.set(bytes);
    }

    /// Lets the server take it for ready in its next run, as a port may that cannot know.
    #[cfg(test)]
    pub(crate) fn stir(&self) {
        self.pipe.stirred.set(true);
    }

    /// Withholds what there is to receive from the server, which may see that it is there, as a port may that is told of it later.
    #[cfg(test)]
    pub(crate) fn withhold(&self, withheld: bool) {
        self.pipe.withheld.set(withheld);
    }

    /// Takes what has been received since the last call.
    pub fn received(&self) -> Vec<u8> {
        core::mem::take(&mut *self.pipe.to_client.borrow_mut())
    }

    /// Lets what was taken be received again.
    fn put_back(&self, bytes: &[u8]) {
        self.pipe.to_client.borrow_mut().splice(0..0, bytes.iter().copied());
    }

    /// Takes what has been received since the last call, as text.
    pub fn received_text(&self) -> String {
        String::from_utf8_lossy(&self.received()).into_owned()
    }

    /// Whether the server has closed its side, or all of the connection.
    pub fn is_closed(&self) -> bool {
        self.pipe.server_closed.get()
    }

    /// Whether the server has reset the connection.
    pub fn is_reset(&self) -> bool {
        self.pipe.server_reset.get()
    }

    /// The connection, once it has been accepted.
    pub fn id(&self) -> Option<ConnectionId> {
        self.pipe.key.get().map(|key| ConnectionId::new(0, key.index, key.generation))
    }
}

type LaneFuture = Pin<Box<dyn Future<Output = Infallible>>>;

/// The kit's side of the driver.
struct KitPort<S> {
    renew: Box<dyn Fn(&Rc<Wire<S>>) -> LaneFuture>,
    recorder: Rc<Recorder>,
    woken: Arc<Mutex<Vec<u32>>>,
    heads: HashMap<u32, (Vec<u8>, Partial)>,
    settings: Settings,
    /// What handlers have published, as far as anybody could hear it.
    published: u64,
}

struct LaneWaker {
    number: u32,
    woken: Arc<Mutex<Vec<u32>>>,
}

impl Wake for LaneWaker {
    fn wake(self: Arc<Self>) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).push(self.number);
    }
}

impl<S: Session + 'static> Port for KitPort<S> {
    type Session = S;
    type Socket = Rc<Pipe>;
    type Wire = Rc<Wire<S>>;
    type Future = LaneFuture;
    type Pinned = Box<LaneFuture>;
    type Slots = Vec<Slot<S, Rc<Pipe>>>;
    type Lanes = Vec<Option<Lane<Self>>>;
    type Topics = HeapTopics;
    type Observer = Recorder;

    const SHRINK: bool = true;

    fn observer(&self) -> &Recorder {
        &self.recorder
    }

    fn peer(&self, socket: &Rc<Pipe>) -> Peer {
        Peer::known(Some(socket.peer))
    }

    fn receive(&mut self, socket: &mut Rc<Pipe>, into: &mut [u8]) -> Received {
        if socket.client_reset.get() {
            return Received::Reset;
        }
        #[cfg(test)]
        if socket.withheld.get() {
            return Received::Blocked;
        }
        let mut bytes = socket.to_server.borrow_mut();
        let count = into.len().min(socket.segment.get()).min(bytes.len());
        for (to, from) in into.iter_mut().zip(bytes.drain(..count)) {
            *to = from;
        }
        match count {
            0 if socket.client_closed.get() => Received::Closed,
            0 => Received::Blocked,
            _ => Received::Bytes(count),
        }
    }

    fn discard(&mut self, socket: &mut Rc<Pipe>) -> Received {
        self.receive(socket, &mut [0; 4096])
    }

    fn has_unread(&mut self, socket: &mut Rc<Pipe>) -> bool {
        !socket.to_server.borrow().is_empty() || socket.client_closed.get() || socket.client_reset.get()
    }

    fn send(&mut self, socket: &mut Rc<Pipe>, bytes: &[u8]) -> Transmitted {
        if socket.client_reset.get() {
            return Transmitted::Reset;
        }
        let room = socket.room().min(socket.segment.get());
        if room == 0 {
            return Transmitted::Blocked;
        }
        let count = bytes.len().min(room);
        socket.to_client.borrow_mut().extend_from_slice(&bytes[..count]);
        Transmitted::Bytes(count)
    }

    fn topics(&mut self) -> HeapTopics {
        HeapTopics::heard_by(Audience::default())
    }

    fn published(&mut self, _: TopicKey, _: &[u8]) -> bool {
        self.published += 1;
        true
    }

    fn shut(&mut self, socket: &mut Rc<Pipe>) {
        socket.server_closed.set(true);
    }

    fn release(&mut self, socket: Rc<Pipe>, abort: bool) {
        socket.server_closed.set(true);
        // As TCP does: bytes that nobody has received turn a close into a reset.
        socket.server_reset.set(abort || !socket.to_server.borrow().is_empty());
        socket.interest.set(Interest::NONE);
    }

    fn report(&mut self, _: Key, socket: &mut Rc<Pipe>, interest: Interest) {
        socket.interest.set(interest);
    }

    fn lane(&mut self, number: u32) -> Option<Lane<Self>> {
        let Settings { input_bytes, body_bytes, output_bytes, limits, .. } = self.settings;
        let wire = Rc::new(Wire::with_bytes(input_bytes, body_bytes, output_bytes, limits));
        let future = Box::pin((self.renew)(&wire));
        let waker = Arc::new(LaneWaker { number, woken: self.woken.clone() });
        Some(Lane::new(wire, future, waker.into()))
    }

    fn renew(&mut self, wire: &Rc<Wire<S>>) -> LaneFuture {
        (self.renew)(wire)
    }

    fn restart(&mut self, wire: &Rc<Wire<S>>, mut future: Pin<&mut LaneFuture>) {
        let anew = (self.renew)(wire);
        // An assignment whose drop panics is made all the same.
        let _ = contain(|| future.set(anew));
    }

    fn poll(&mut self, future: Pin<&mut LaneFuture>, context: &mut Context<'_>) -> Result<(), Panicked> {
        contain(|| {
            let _ = future.poll(context);
        })
        .ok_or(Panicked)
    }

    fn end(&mut self, session: S, reason: EndReason) {
        let _ = contain(|| session.end(reason));
    }

    fn tell<R>(&mut self, tell: impl FnOnce(&Recorder) -> R) -> Option<R> {
        contain(|| tell(&self.recorder))
    }

    fn put_away(&mut self, index: u32, bytes: &[u8], partial: Partial) -> bool {
        if self.settings.puts_heads_away {
            self.heads.insert(index, (bytes.to_vec(), partial));
        }
        self.settings.puts_heads_away
    }

    fn take_back(&mut self, index: u32, into: &mut [u8]) -> Option<(usize, Partial)> {
        let (bytes, partial) = self.heads.remove(&index)?;
        into.get_mut(..bytes.len())?.copy_from_slice(&bytes);
        Some((bytes.len(), partial))
    }
}

impl Pipe {
    fn room(&self) -> usize {
        self.window.get().saturating_sub(self.to_client.borrow().len())
    }

    /// Whether a level-triggered poll would report it.
    fn is_ready(&self) -> bool {
        #[cfg(test)]
        if self.stirred.take() {
            return true;
        }
        let interest = self.interest.get();
        let receives = !self.to_server.borrow().is_empty() || self.client_closed.get();
        #[cfg(test)]
        let receives = receives && !self.withheld.get();
        self.client_reset.get()
            || interest.receives() && receives
            || interest.sends() && self.room() > 0
            || interest.closes() && self.client_closed.get()
    }
}

/// A server on bytes and virtual time.
///
/// The clock starts shortly before it wraps, so that every test of some length sees that too. Dropped, it ends all sessions.
pub struct Server<S: Session + 'static> {
    driver: Driver<KitPort<S>>,
    recorder: Rc<Recorder>,
    woken: Arc<Mutex<Vec<u32>>>,
    pipes: Vec<Rc<Pipe>>,
    backlog: VecDeque<Rc<Pipe>>,
    now_ms: u32,
    connected: u16,
    calls: u64,
    /// How many connections something published has reached, turn by turn.
    #[cfg(test)]
    deliveries: Vec<u32>,
}

impl<S: Session + 'static> Server<S> {
    /// A server for that application, set as a host's.
    pub fn new<A: Handler<S> + 'static>(app: A) -> Self {
        Server::with(app, Settings::default())
    }

    /// A server for that application.
    pub fn with<A: Handler<S> + 'static>(app: A, settings: Settings) -> Self {
        Server::recorded(app, settings, Recorder::default())
    }

    /// A server for that application which `observer` watches, besides [`events`](Server::events).
    pub fn watched<A: Handler<S> + 'static>(app: A, settings: Settings, observer: impl Observer + 'static) -> Self {
        Server::recorded(app, settings, Recorder { own: Some(Box::new(observer)), ..Recorder::default() })
    }

    fn recorded<A: Handler<S> + 'static>(app: A, settings: Settings, recorder: Recorder) -> Self {
        let recorder = Rc::new(recorder);
        let woken = Arc::default();
        let app = Rc::new(app);
        let watching = recorder.clone();
        let renew = Box::new(move |wire: &Rc<Wire<S>>| -> LaneFuture {
            Box::pin(lane(wire.clone(), app.clone(), watching.clone()))
        });
        let port = KitPort {
            renew,
            recorder: recorder.clone(),
            woken: Arc::clone(&woken),
            heads: HashMap::new(),
            settings,
            published: 0,
        };
        let mut driver = Driver::new(
            port,
            Vec::new(),
            Vec::new(),
            DriverSettings {
                connections_max: settings.connections_max,
                lanes_max: settings.lanes_max,
                open_max: settings.open_max,
                eviction: settings.eviction,
                deadlines: settings.deadlines,
                limits: settings.limits,
                worker: 0,
            },
        );
        let now_ms = u32::MAX - 5_000;
        driver.set_now(now_ms);
        if settings.dated {
            driver.set_date(Some(crate::port::imf_fixdate(784_111_777)));
        }
        let (pipes, backlog) = (Vec::new(), VecDeque::new());
        Server {
            driver,
            recorder,
            woken,
            pipes,
            backlog,
            now_ms,
            connected: 0,
            calls: 0,
            #[cfg(test)]
            deliveries: Vec::new(),
        }
    }

    /// Connects a client. It is accepted in the next [`run`](Server::run) in which there is room.
    pub fn connect(&mut self) -> Client {
        self.connected = self.connected.wrapping_add(1);
        self.connect_from(PeerAddress::Ip((Ipv4Addr::LOCALHOST, self.connected).into()))
    }

    /// The same of a client at that address; those of [`connect`](Server::connect) are at 127.0.0.1, each with a port of its own.
    pub fn connect_from(&mut self, peer: PeerAddress) -> Client {
        let pipe = Rc::new(Pipe {
            to_server: RefCell::default(),
            to_client: RefCell::default(),
            window: Cell::new(usize::MAX),
            segment: Cell::new(usize::MAX),
            client_closed: Cell::new(false),
            client_reset: Cell::new(false),
            server_closed: Cell::new(false),
            server_reset: Cell::new(false),
            #[cfg(test)]
            stirred: Cell::new(false),
            #[cfg(test)]
            withheld: Cell::new(false),
            key: Cell::new(None),
            interest: Cell::new(Interest::RECEIVE),
            peer,
        });
        self.backlog.push_back(pipe.clone());
        self.run();
        Client { pipe }
    }

    /// Lets the server do everything that it can do now.
    ///
    /// # Panics
    /// When that has no end: a busy loop.
    pub fn run(&mut self) {
        let before = self.calls;
        loop {
            let ready: Vec<_> = self.pipes.iter().filter(|pipe| pipe.is_ready()).cloned().collect();
            let woken = core::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner));
            let accepted = self.accept();
            #[cfg(test)]
            self.deliveries.extend(Some(self.driver.delivered()).filter(|deliveries| *deliveries > 0));
            let delivers = self.driver.turn_ended();
            if ready.is_empty() && woken.is_empty() && !accepted && !delivers {
                return;
            }
            for number in woken {
                self.calls += 1;
                self.driver.woken(number);
            }
            for pipe in ready {
                self.calls += 1;
                if let Some(key) = pipe.key.get() {
                    if pipe.interest.get().closes() && pipe.client_closed.get() {
                        self.driver.peer_closed(key);
                    }
                    self.driver.ready(key, pipe.client_reset.get());
                }
            }
            if delivers {
                self.calls += 1;
                self.driver.expire();
            }
            // Those that the driver has let go are not looked at any more.
            self.pipes
                .retain(|pipe| Rc::strong_count(pipe) > 1 && !(pipe.client_reset.get() && pipe.server_closed.get()));
            assert!(self.calls - before < u64::from(CALLS_MAX), "the server is in a busy loop");
        }
    }

    fn accept(&mut self) -> bool {
        let mut accepted = false;
        while !self.backlog.is_empty() && self.driver.has_room() {
            let Some(pipe) = self.backlog.pop_front() else { break };
            match self.driver.connected(pipe.clone(), Some(pipe.peer)) {
                Ok(key) => {
                    pipe.key.set(Some(key));
                    self.pipes.push(pipe);
                    accepted = true;
                }
                Err(pipe) => pipe.server_closed.set(true),
            }
        }
        accepted
    }

    /// Lets time pass, and everything happen that falls due meanwhile.
    ///
    /// # Panics
    /// When that has no end: a busy loop.
    pub fn advance(&mut self, ms: u32) {
        self.run();
        let mut rest_ms = ms;
        while rest_ms > 0 {
            let step_ms = self.driver.due_within().unwrap_or(rest_ms).clamp(1, rest_ms);
            rest_ms -= step_ms;
            self.now_ms = self.now_ms.wrapping_add(step_ms);
            self.driver.set_now(self.now_ms);
            self.driver.expire();
            self.run();
            for _ in 0..CALLS_MAX {
                if self.driver.due_within() != Some(0) {
                    break;
                }
                self.driver.expire();
                self.run();
            }
            assert!(self.driver.due_within() != Some(0), "what is due stays due: a busy loop");
        }
    }

    /// Everything that has happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.recorder.events.borrow().clone()
    }

    /// The connections that have ended, in order, and why.
    pub fn ended(&self) -> Vec<(ConnectionId, EndReason)> {
        let ended = |event| match event {
            Event::Disconnected(id, reason, _) => Some((id, reason)),
            _ => None,
        };
        self.events().into_iter().filter_map(ended).collect()
    }

    /// Lets the server refuse new connections, as an [`Observer`] may.
    pub fn refuse_connections(&mut self, refuse: bool) {
        self.recorder.refuses.set(refuse);
    }

    /// The connections that there are.
    pub fn list(&self) -> Vec<Listed> {
        self.driver.list().collect()
    }

    /// Closes a connection from outside. Returns whether it is there.
    pub fn close(&mut self, id: ConnectionId) -> bool {
        let found = self.driver.close_connection(id);
        self.run();
        found
    }

    /// Ends a connection at once from outside. Returns whether it is there.
    pub fn close_now(&mut self, id: ConnectionId) -> bool {
        let found = self.driver.close_connection_now(id);
        self.run();
        found
    }

    /// Sends a message to a WebSocket from outside.
    pub fn send(&mut self, id: ConnectionId, frame: crate::Frame<'_>) -> Pushed {
        let bytes = framed(&frame).unwrap_or_default();
        let pushed = self.driver.push(id, crate::port::Kind::Messages, &bytes);
        self.run();
        pushed
    }

    /// Sends a message, or an event, to all who have joined a topic, from outside.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn publish<T: crate::Topic>(&mut self, topic: T, content: T::Content<'_>) {
        let bytes = framed(&content).expect("it can be written");
        self.driver.publish(topic.key(), &bytes);
        self.run();
    }

    /// How much handlers have published that others could hear: what nobody could is not counted.
    pub fn published(&self) -> u64 {
        self.driver.port.published
    }

    /// Pins a connection from outside, or no longer so. Returns whether it is there.
    pub fn pin(&mut self, id: ConnectionId, pinned: bool) -> bool {
        self.driver.pin(id, pinned)
    }

    /// Runs a closure on a connection's session from outside. `None`: it has not run, because there is no such connection, or it has no
    /// session, or a request is being answered on it.
    pub fn with_session<R>(&mut self, id: ConnectionId, closure: impl FnOnce(&mut S) -> R) -> Option<R> {
        match self.driver.session(id) {
            AtRest::Session(session) => Some(closure(session)),
            AtRest::None | AtRest::Lent | AtRest::Gone => None,
        }
    }

    /// Takes an idle connection and its session out of the server: what its client sends and awaits from now on is not
    /// the server's any more. `None` where there is no such connection, or no session on it.
    pub fn hand_over(&mut self, id: ConnectionId) -> Option<S> {
        let (pipe, session) = self.driver.hand_over(id)?;
        self.pipes.retain(|other| !Rc::ptr_eq(other, &pipe));
        session
    }

    /// Stops the server: idle connections end, requests that have arrived are answered until their deadline.
    pub fn stop(&mut self) {
        self.driver.stop();
        self.run();
    }

    /// Deadlines that the driver has looked at one by one.
    #[cfg(test)]
    pub(crate) fn looks(&self) -> u32 {
        self.driver.looks()
    }

    /// Calls of the driver so far: what a port would have been woken for.
    pub fn calls(&self) -> u64 {
        self.calls
    }
}

impl<S: Session + 'static> core::fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Server({:?})", self.driver)
    }
}
