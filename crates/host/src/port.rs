//! What the driver asks of a port, for all hosts.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    task::Context,
};

use tenure::{
    EndReason, Session,
    port::{
        HeapTopics, Interest, Key, Kind, Lane, Panicked, Partial, Peer, Port, Received, Slot, TopicKey, Transmitted,
        Wire, contain,
    },
};

use tenure::PushError;

use crate::{
    Net, Service, Settings,
    handle::Shared,
    inbox::{Inbox, Mark, Marked, Push, To},
};

/// Bytes discarded at once.
const SCRATCH_BYTES: usize = 65_536;

/// A port with a heap and unwinding: everything that the driver asks of a port, except the network.
pub struct HostPort<'a, N, A> {
    /// Sockets.
    pub net: N,
    service: A,
    inbox: Arc<Inbox>,
    /// What all workers know of each other.
    shared: Arc<Shared>,
    settings: &'a Settings,
    clock: fn(u32) -> u32,
    /// The lanes' marks, by lane number.
    pub(crate) lane_marks: Vec<Option<Arc<Mark>>>,
    /// Incomplete heads and messages, put away so that they hold no lane.
    heads: HashMap<u32, (Box<[u8]>, Partial)>,
    scratch: Vec<u8>,
    /// What the worker has published itself and finds in its inbox.
    pub(crate) own_waiting: u32,
}

impl<'a, N, A> HostPort<'a, N, A> {
    pub(crate) fn new(
        (net, service): (N, A),
        inbox: Arc<Inbox>,
        shared: Arc<Shared>,
        settings: &'a Settings,
        clock: fn(u32) -> u32,
    ) -> Self {
        let (lane_marks, heads, scratch) = (Vec::new(), HashMap::new(), Vec::new());
        HostPort { net, service, inbox, shared, settings, clock, lane_marks, heads, scratch, own_waiting: 0 }
    }
}

impl<N: Net, A: Service> Port for HostPort<'_, N, A> {
    type Session = A::Session;
    type Socket = N::Socket;
    type Wire = Rc<Wire<A::Session>>;
    type Future = A::Future;
    type Pinned = Box<A::Future>;
    type Slots = Vec<Slot<A::Session, N::Socket>>;
    type Lanes = Vec<Option<Lane<Self>>>;
    type Topics = HeapTopics;
    type Observer = A::Observer;

    const SHRINK: bool = true;

    fn observer(&self) -> &A::Observer {
        self.service.observer()
    }

    /// With a place left elsewhere another worker takes newcomers.
    fn is_full(&self) -> bool {
        self.shared.open.load(Ordering::Relaxed) >= self.shared.connections_max
    }

    fn peer(&self, socket: &N::Socket) -> Peer {
        self.net.peer(socket)
    }

    fn clock(&self) -> fn(u32) -> u32 {
        self.clock
    }

    fn receive(&mut self, socket: &mut N::Socket, into: &mut [u8]) -> Received {
        self.net.receive(socket, into)
    }

    fn discard(&mut self, socket: &mut N::Socket) -> Received {
        if self.scratch.is_empty() {
            self.scratch = vec![0; SCRATCH_BYTES];
        }
        self.net.receive(socket, &mut self.scratch)
    }

    fn has_unread(&mut self, socket: &mut N::Socket) -> bool {
        self.net.has_unread(socket)
    }

    fn send(&mut self, socket: &mut N::Socket, bytes: &[u8]) -> Transmitted {
        self.net.send(socket, bytes)
    }

    fn topics(&mut self) -> HeapTopics {
        let audience = self.shared.audience.clone();
        if self.shared.agrees() { HeapTopics::agreeing(audience) } else { HeapTopics::heard_by(audience) }
    }

    fn published(&mut self, topic: TopicKey, bytes: &[u8]) -> bool {
        const FULL: &str = "a worker has too much to do: it was not told of something published";
        if let Some(told) = self.shared.publish_kept(topic, || bytes.into(), Some(&self.inbox)) {
            self.own_waiting += u32::from(told != Ok(false));
            if told == Err(PushError::Full) {
                log::warn!("{FULL}");
            }
            return false;
        }
        // Behind what this worker has published, and is still to deliver.
        let waits = topic.kind() == Kind::Events && self.own_waiting > 0;
        let mut shared: Option<Arc<[u8]>> = None;
        for inbox in &self.shared.inboxes {
            let is_own = Arc::ptr_eq(inbox, &self.inbox);
            if is_own && !waits {
                continue;
            }
            self.own_waiting += u32::from(is_own);
            let bytes = shared.get_or_insert_with(|| bytes.into()).clone();
            if inbox.push(Push { to: To::Topic(topic), bytes, is_own }) == Err(PushError::Full) {
                log::warn!("{FULL}");
            }
        }
        !waits
    }

    fn resumes(&mut self, key: Key, topic: TopicKey, events: u16, resume: &[u8]) -> bool {
        if self.shared.agrees() {
            self.shared.resume(&self.inbox, key, topic, (events, resume));
        }
        !self.shared.agrees()
    }

    fn shut(&mut self, socket: &mut N::Socket) {
        self.net.shut(socket);
    }

    fn release(&mut self, socket: N::Socket, abort: bool) {
        self.net.release(socket, abort);
    }

    fn register(&mut self, key: Key, socket: &mut N::Socket) -> bool {
        self.net.register(key, socket)
    }

    fn report(&mut self, key: Key, socket: &mut N::Socket, interest: Interest) {
        self.net.report(key, socket, interest);
    }

    fn lane(&mut self, number: u32) -> Option<Lane<Self>> {
        let Settings { input_bytes, body_bytes, output_bytes, limits, .. } = *self.settings;
        let wire = Rc::new(Wire::with_bytes(input_bytes, body_bytes, output_bytes, limits));
        let future = Box::pin(self.service.lane(wire.clone()));
        let mark = Mark::new(self.inbox.clone(), Marked::Lane(number));
        if self.lane_marks.len() <= number as usize {
            self.lane_marks.resize(number as usize + 1, None);
        }
        self.lane_marks[number as usize] = Some(mark.clone());
        Some(Lane::new(wire, future, mark.into()))
    }

    fn retire(&mut self, number: u32, lane: Lane<Self>) {
        drop(lane);
        // A mark may still stand in the inbox: then the next lane of that number is polled once more, which is harmless.
        self.lane_marks[number as usize] = None;
        while self.lane_marks.last().is_some_and(Option::is_none) {
            self.lane_marks.pop();
        }
        self.lane_marks.shrink_to(2 * self.lane_marks.len());
    }

    fn renew(&mut self, wire: &Self::Wire) -> A::Future {
        self.service.lane(wire.clone())
    }

    fn restart(&mut self, wire: &Self::Wire, mut future: Pin<&mut A::Future>) {
        let renewed = self.renew(wire);
        // The new future is in place even if dropping the old one panics.
        if contain(|| future.set(renewed)).is_none() {
            log::error!("a handler panicked when it was dropped");
        }
    }

    fn poll(&mut self, future: Pin<&mut A::Future>, context: &mut Context<'_>) -> Result<(), Panicked> {
        // After a panic the driver replaces the future, which drops what it had borrowed.
        contain(|| {
            let _ = future.poll(context);
        })
        .ok_or(Panicked)
    }

    fn end(&mut self, session: A::Session, reason: EndReason) {
        if contain(|| session.end(reason)).is_none() {
            log::error!("a session panicked when it was ended");
        }
    }

    fn tell<R>(&mut self, tell: impl FnOnce(&A::Observer) -> R) -> Option<R> {
        let told = contain(|| tell(self.service.observer()));
        if told.is_none() {
            log::error!("an observer panicked");
        }
        told
    }

    fn put_away(&mut self, index: u32, bytes: &[u8], partial: Partial) -> bool {
        self.heads.insert(index, (bytes.into(), partial));
        true
    }

    fn take_back(&mut self, index: u32, into: &mut [u8]) -> Option<(usize, Partial)> {
        let (bytes, partial) = self.heads.remove(&index)?;
        into.get_mut(..bytes.len())?.copy_from_slice(&bytes);
        Some((bytes.len(), partial))
    }
}
