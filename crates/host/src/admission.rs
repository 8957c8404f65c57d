//! How many connections each peer may have.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::SocketAddr,
};

use tenure::{
    Admission, ConnectionId, EndReason, Observer, PeerAddress, Refusal, RequestLine, StatusCode, port::peer_number,
};

use crate::sync::{Mutex, lock};

/// The connections of each peer, counted by all workers. Who comes and who goes waits for the others that do, requests do not.
#[derive(Debug)]
pub(crate) struct Peers {
    max: u32,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    connections: HashMap<u64, u32>,
    peers: HashMap<ConnectionId, u64>,
}

impl Peers {
    pub(crate) fn new(max: u32) -> Self {
        Peers { max, counted: Mutex::default() }
    }

    /// Counts a connection. `false`: the peer has as many as it may have.
    fn count(&self, id: ConnectionId, peer: u64) -> bool {
        let mut counted = lock(&self.counted);
        let connections = counted.connections.entry(peer).or_default();
        if *connections >= self.max {
            return false;
        }
        *connections += 1;
        counted.peers.insert(id, peer);
        true
    }

    /// A connection that may have been counted is gone.
    fn gone(&self, id: ConnectionId) {
        let mut counted = lock(&self.counted);
        let Some(peer) = counted.peers.remove(&id) else { return };
        if let Entry::Occupied(mut connections) = counted.connections.entry(peer) {
            *connections.get_mut() -= 1;
            if *connections.get() == 0 {
                connections.remove();
            }
        }
    }
}

/// Bounds the connections of each peer, and tells another observer of everything.
pub(crate) struct Admitting<'a, O> {
    pub(crate) observer: &'a O,
    /// `None`: there is no bound.
    pub(crate) peers: Option<&'a Peers>,
}

impl<O: Observer> Observer for Admitting<'_, O> {
    fn started(&self, address: SocketAddr) {
        self.observer.started(address);
    }

    fn connected(&self, id: ConnectionId, peer: Option<PeerAddress>) -> Admission {
        let counted = self.peers.zip(peer).and_then(|(peers, peer)| Some((peers, peer, peer.ip()?)));
        let Some((peers, peer, address)) = counted else { return self.observer.connected(id, peer) };
        if !peers.count(id, peer_number(address)) {
            self.observer.turned_away(peer);
            return Admission::Refuse;
        }
        // Should it be refused, or the observer panic, nobody tells of its end.
        let uncounted = Uncounted(peers, id);
        let admission = self.observer.connected(id, Some(peer));
        if admission == Admission::Accept {
            std::mem::forget(uncounted);
        }
        admission
    }

    fn turned_away(&self, peer: PeerAddress) {
        self.observer.turned_away(peer);
    }

    fn head_received(&self, id: ConnectionId, line: RequestLine<'_>) {
        self.observer.head_received(id, line);
    }

    fn response_sent(&self, id: ConnectionId, status: StatusCode, bytes: u64, duration_ms: u32) {
        self.observer.response_sent(id, status, bytes, duration_ms);
    }

    fn message_heard(&self, id: ConnectionId, bytes: usize, duration_ms: u32) {
        self.observer.message_heard(id, bytes, duration_ms);
    }

    fn refused(&self, id: ConnectionId, refusal: Refusal) {
        self.observer.refused(id, refusal);
    }

    fn evicted(&self, id: ConnectionId, by: ConnectionId) {
        self.observer.evicted(id, by);
    }

    fn disconnected(&self, id: ConnectionId, reason: EndReason, session: bool) {
        if let Some(peers) = self.peers {
            peers.gone(id);
        }
        self.observer.disconnected(id, reason, session);
    }

    fn stopped(&self) {
        self.observer.stopped();
    }
}

/// A connection that is not counted any more once this is dropped.
struct Uncounted<'a>(&'a Peers, ConnectionId);

impl Drop for Uncounted<'_> {
    fn drop(&mut self) {
        self.0.gone(self.1);
    }
}
