//! A port whose sockets do what sockets may do: take nothing for a while, take a part, tell of bytes that cannot be received yet,
//! and fail at any time.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    convert::Infallible,
    future::Future,
    net::Ipv4Addr,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex},
    task::{Context, Wake},
};

use tenure::{
    ConnectionId, EndReason, Handler, Limits, PeerAddress, Session,
    port::{
        Audience, HeapTopics, Interest, Key, Lane, Panicked, Partial, Peer, Port, Received, Slot, Transmitted, Wire,
        contain, lane,
    },
};

use crate::world::{Token, Watcher, with};

/// One connection, seen from both sides.
#[derive(Default)]
pub struct Pipe {
    pub number: u32,
    pub to_server: RefCell<VecDeque<u8>>,
    /// Numbers of what was pushed to it and taken.
    pub taken: RefCell<Vec<u64>>,
    /// All that the client has received.
    pub received: RefCell<Vec<u8>>,
    /// Bytes that the client takes before it makes room again.
    pub window: Cell<usize>,
    pub segment: Cell<usize>,
    pub closed: Cell<bool>,
    pub reset: Cell<bool>,
    /// Receives and sends that are refused although there are bytes, or room.
    pub blocked_receives: Cell<u32>,
    pub blocked_sends: Cell<u32>,
    /// The next send, or receive, fails.
    pub fails: Cell<bool>,
    pub key: Cell<Option<Key>>,
    pub interest: Cell<Option<Interest>>,
    pub shut: Cell<bool>,
    pub released: Cell<bool>,
}

impl Pipe {
    pub fn id(&self) -> Option<ConnectionId> {
        self.key.get().map(|key| ConnectionId::new(WORKER, key.index, key.generation))
    }

    /// Whether a level-triggered poll would tell of it.
    pub fn is_ready(&self) -> bool {
        let Some(interest) = self.interest.get() else { return false };
        let receives = !self.to_server.borrow().is_empty() || self.closed.get();
        self.reset.get()
            || interest.receives() && receives
            || interest.sends() && self.window.get() > 0
            || interest.closes() && self.closed.get()
    }

    /// The network fails, now that it is used.
    fn fail(&self) -> bool {
        if self.fails.take() {
            self.reset.set(true);
            self.has_been_reset();
        }
        self.reset.get()
    }

    pub fn has_been_reset(&self) {
        if let Some(id) = self.id() {
            with(|world| {
                if let Some(facts) = world.connections.get_mut(&id) {
                    facts.reset = true;
                }
            });
        }
    }

    /// The driver may use a socket that it has, and no other.
    fn assert_held(&self) {
        assert!(!self.released.get(), "a socket is used that has been released");
    }
}

pub const WORKER: u32 = 3;

#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub input: usize,
    pub body: usize,
    pub output: usize,
}

pub type LaneFuture = Pin<Box<dyn Future<Output = Infallible>>>;
pub type Woken = Arc<Mutex<Vec<u32>>>;

pub struct SimulatedPort {
    renew: Box<dyn Fn(&Rc<Wire<Token>>) -> LaneFuture>,
    woken: Woken,
    heads: HashMap<u32, (Vec<u8>, Partial)>,
    sizes: Sizes,
    limits: Limits,
    pub puts_heads_away: bool,
    pub place_elsewhere: bool,
    /// The next socket cannot be served.
    pub refuses_next: bool,
}

impl SimulatedPort {
    pub fn new<A: Handler<Token> + 'static>(app: A, woken: Woken, sizes: Sizes, limits: Limits) -> Self {
        let app = Rc::new(app);
        let renew = Box::new(move |wire: &Rc<Wire<Token>>| -> LaneFuture {
            Box::pin(lane(wire.clone(), app.clone(), Rc::new(Watcher)))
        });
        let heads = HashMap::new();
        let (puts_heads_away, place_elsewhere, refuses_next) = (true, false, false);
        SimulatedPort { renew, woken, heads, sizes, limits, puts_heads_away, place_elsewhere, refuses_next }
    }

    /// Heads that have been put away.
    pub fn heads(&self) -> usize {
        self.heads.len()
    }
}

struct LaneWaker {
    number: u32,
    woken: Woken,
}

impl Wake for LaneWaker {
    fn wake(self: Arc<Self>) {
        self.woken.lock().unwrap().push(self.number);
    }
}

impl Port for SimulatedPort {
    type Session = Token;
    type Socket = Rc<Pipe>;
    type Wire = Rc<Wire<Token>>;
    type Future = LaneFuture;
    type Pinned = Box<LaneFuture>;
    type Slots = Vec<Slot<Token, Rc<Pipe>>>;
    type Lanes = Vec<Option<Lane<Self>>>;
    type Topics = HeapTopics;
    type Observer = Watcher;

    const SHRINK: bool = true;

    fn observer(&self) -> &Watcher {
        &Watcher
    }

    fn is_full(&self) -> bool {
        !self.place_elsewhere
    }

    fn topics(&mut self) -> HeapTopics {
        HeapTopics::heard_by(Audience::default())
    }

    fn peer(&self, socket: &Rc<Pipe>) -> Peer {
        socket.assert_held();
        Peer::known(Some(PeerAddress::Ip((Ipv4Addr::LOCALHOST, socket.number as u16).into())))
    }

    fn register(&mut self, key: Key, socket: &mut Rc<Pipe>) -> bool {
        if std::mem::take(&mut self.refuses_next) {
            return false;
        }
        socket.key.set(Some(key));
        socket.interest.set(Some(Interest::RECEIVE));
        true
    }

    fn receive(&mut self, socket: &mut Rc<Pipe>, into: &mut [u8]) -> Received {
        socket.assert_held();
        if socket.fail() {
            return Received::Reset;
        }
        let mut bytes = socket.to_server.borrow_mut();
        if into.is_empty() || !bytes.is_empty() && socket.blocked_receives.get() > 0 {
            socket.blocked_receives.set(socket.blocked_receives.get().saturating_sub(1));
            return Received::Blocked;
        }
        let count = into.len().min(socket.segment.get()).min(bytes.len());
        for (to, from) in into.iter_mut().zip(bytes.drain(..count)) {
            *to = from;
        }
        if let Some(id) = socket.id()
            && count > 0
        {
            with(|world| {
                let now_ms = world.now_ms;
                if let Some(facts) = world.connections.get_mut(&id) {
                    facts.received_ms = Some(now_ms);
                }
            });
        }
        match count {
            0 if socket.closed.get() => Received::Closed,
            0 => Received::Blocked,
            _ => Received::Bytes(count),
        }
    }

    fn discard(&mut self, socket: &mut Rc<Pipe>) -> Received {
        self.receive(socket, &mut [0; 64])
    }

    fn has_unread(&mut self, socket: &mut Rc<Pipe>) -> bool {
        socket.assert_held();
        !socket.to_server.borrow().is_empty() || socket.closed.get() || socket.reset.get()
    }

    fn send(&mut self, socket: &mut Rc<Pipe>, bytes: &[u8]) -> Transmitted {
        socket.assert_held();
        assert!(!bytes.is_empty() && !socket.shut.get(), "a send of nothing, or behind the end");
        if socket.fail() {
            return Transmitted::Reset;
        }
        let room = socket.window.get().min(socket.segment.get());
        if room == 0 || socket.blocked_sends.get() > 0 {
            socket.blocked_sends.set(socket.blocked_sends.get().saturating_sub(1));
            return Transmitted::Blocked;
        }
        let count = bytes.len().min(room);
        socket.window.set(socket.window.get() - count);
        socket.received.borrow_mut().extend_from_slice(&bytes[..count]);
        Transmitted::Bytes(count)
    }

    fn shut(&mut self, socket: &mut Rc<Pipe>) {
        socket.assert_held();
        assert!(!socket.shut.replace(true), "a socket is shut twice");
    }

    fn release(&mut self, socket: Rc<Pipe>, _: bool) {
        socket.assert_held();
        socket.released.set(true);
        socket.interest.set(None);
        let ended =
            socket.id().and_then(|id| with(|world| world.connections.get(&id).map(|facts| facts.ended.is_some())));
        assert_ne!(ended, Some(false), "a socket is released before its connection has been told as ended");
    }

    fn report(&mut self, key: Key, socket: &mut Rc<Pipe>, interest: Interest) {
        socket.assert_held();
        assert_eq!(socket.key.get(), Some(key), "a socket is reported under another key");
        assert_ne!(
            socket.interest.replace(Some(interest)),
            Some(interest),
            "what is asked for already is asked for again"
        );
    }

    fn lane(&mut self, number: u32) -> Option<Lane<Self>> {
        let Sizes { input, body, output } = self.sizes;
        let wire = Rc::new(Wire::with_bytes(input, body, output, self.limits));
        let future = Box::pin((self.renew)(&wire));
        Some(Lane::new(wire, future, Arc::new(LaneWaker { number, woken: self.woken.clone() }).into()))
    }

    fn renew(&mut self, wire: &Rc<Wire<Token>>) -> LaneFuture {
        (self.renew)(wire)
    }

    fn restart(&mut self, wire: &Rc<Wire<Token>>, mut future: Pin<&mut LaneFuture>) {
        let anew = (self.renew)(wire);
        let _ = contain(|| future.set(anew));
    }

    fn poll(&mut self, future: Pin<&mut LaneFuture>, context: &mut Context<'_>) -> Result<(), Panicked> {
        contain(|| {
            let _ = future.poll(context);
        })
        .ok_or(Panicked)
    }

    fn end(&mut self, session: Token, reason: EndReason) {
        let _ = contain(|| session.end(reason));
    }

    fn tell<R>(&mut self, tell: impl FnOnce(&Watcher) -> R) -> Option<R> {
        contain(|| tell(&Watcher))
    }

    fn put_away(&mut self, index: u32, bytes: &[u8], partial: Partial) -> bool {
        if self.puts_heads_away {
            let before = self.heads.insert(index, (bytes.to_vec(), partial));
            assert!(before.is_none(), "a head is put away on top of another");
        }
        self.puts_heads_away
    }

    fn take_back(&mut self, index: u32, into: &mut [u8]) -> Option<(usize, Partial)> {
        let (bytes, partial) = self.heads.remove(&index)?;
        into.get_mut(..bytes.len())?.copy_from_slice(&bytes);
        Some((bytes.len(), partial))
    }
}
