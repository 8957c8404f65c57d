//! Sockets for the driver: octets in and out, readiness, release.
//!
//! tokio tells of a change once; the driver wants to hear of a state for as long as it lasts. So each socket that the driver
//! has an interest in is either in the worker's queue, or its waker is set in tokio: [`TokioPort::receive`] and the others
//! leave it so.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    io::ErrorKind,
    marker::PhantomData,
    mem::MaybeUninit,
    net::{Shutdown, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use socket2::SockRef;
use tenure::{
    EndReason, Limits, Observer, Session,
    port::{Buffer, HeadParser, Interest, Key, Lane, Panicked, Peer, Port, Received, Slot, Transmitted, Wire},
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
};

use crate::handle::{Mark, Of, WorkerShared};

/// Octets that are dropped at once while a peer's rest is read away.
const SCRATCH_OCTETS: usize = 65_536;

/// A connection's socket, and how tokio wakes the worker for it.
pub(crate) struct Socket {
    /// Shared with [`Failing`] alone.
    stream: Rc<TcpStream>,
    peer: SocketAddr,
    mark: Arc<Mark>,
    waker: Waker,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, peer: SocketAddr, shared: &Arc<WorkerShared>) -> Self {
        let mark = Mark::new(shared.clone(), Of::Socket);
        Socket { stream: Rc::new(stream), peer, waker: mark.clone().into(), mark }
    }

    /// Looks at it soon: now, where it can be received from already.
    fn watch_receive(&self) {
        self.mark.set_watched();
        if self.stream.poll_read_ready(&mut Context::from_waker(&self.waker)).is_ready() {
            self.waker.wake_by_ref();
        }
    }

    fn watch_send(&self) {
        self.mark.set_watched();
        if self.stream.poll_write_ready(&mut Context::from_waker(&self.waker)).is_ready() {
            self.waker.wake_by_ref();
        }
    }

    fn receive(&mut self, into: &mut [u8]) -> Received {
        self.mark.set_watched();
        let mut octets = ReadBuf::new(into);
        let context = &mut Context::from_waker(&self.waker);
        // It is shared only while nothing is to be received.
        let Some(stream) = Rc::get_mut(&mut self.stream) else { return Received::Blocked };
        match Pin::new(stream).poll_read(context, &mut octets) {
            Poll::Ready(Ok(())) if octets.filled().is_empty() => Received::Closed,
            Poll::Ready(Ok(())) => {
                self.watch_receive();
                Received::Octets(octets.filled().len())
            }
            Poll::Pending => Received::Blocked,
            Poll::Ready(Err(error)) if error.kind() == ErrorKind::Interrupted => {
                self.waker.wake_by_ref();
                Received::Blocked
            }
            Poll::Ready(Err(_)) => Received::Reset,
        }
    }
}

/// Ready when a socket that nothing is asked of has failed.
type Failing = Pin<Box<dyn Future<Output = ()>>>;

/// What the driver asks of tokio. `M` makes lanes' futures `F`.
pub(crate) struct TokioPort<'a, S, F, M, O> {
    pub(crate) make: M,
    pub(crate) observer: &'a O,
    pub(crate) shared: Arc<WorkerShared>,
    pub(crate) buffers: Buffers,
    /// Incomplete heads, which hold no lane.
    pub(crate) heads: HashMap<u32, (Box<[u8]>, HeadParser)>,
    /// Connections whose handler waits for something else than its peer.
    pub(crate) failing: HashMap<u32, Failing>,
    pub(crate) scratch: Vec<u8>,
    pub(crate) types: PhantomData<fn(S) -> F>,
}

/// Octets of a lane's buffers, and the bounds that go with them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffers {
    pub(crate) input_octets: usize,
    pub(crate) body_octets: usize,
    pub(crate) output_octets: usize,
    pub(crate) limits: Limits,
}

impl<S, F, M, O> TokioPort<'_, S, F, M, O> {
    /// Whether a socket that nothing is asked of has failed. Otherwise its mark is set when it does.
    #[cold]
    pub(crate) fn has_failed(&mut self, mark: &Arc<Mark>) -> bool {
        let Some(failing) = self.failing.get_mut(&mark.key().index) else { return false };
        let waker = Waker::from(mark.clone());
        failing.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
    }
}

impl<S, F, M, O> Port for TokioPort<'_, S, F, M, O>
where
    S: Session,
    F: Future<Output = Infallible>,
    M: Fn(Rc<Wire<S>>) -> F,
    O: Observer,
{
    type Session = S;
    type Socket = Socket;
    type Wire = Rc<Wire<S>>;
    type Future = F;
    type Pinned = Box<F>;
    type Slots = Vec<Slot<S, Socket>>;
    type Lanes = Vec<Lane<Self>>;
    type Observer = O;

    #[inline]
    fn observer(&self) -> &O {
        self.observer
    }

    #[inline]
    fn peer(&self, socket: &Socket) -> Peer {
        Peer::Known(socket.peer)
    }

    #[inline]
    fn receive(&mut self, socket: &mut Socket, into: &mut [u8]) -> Received {
        socket.receive(into)
    }

    fn discard(&mut self, socket: &mut Socket) -> Received {
        if self.scratch.is_empty() {
            self.scratch = vec![0; SCRATCH_OCTETS];
        }
        socket.receive(&mut self.scratch)
    }

    fn has_unread(&mut self, socket: &mut Socket) -> bool {
        let peeked = SockRef::from(&*socket.stream).peek(&mut [MaybeUninit::uninit()]);
        // A close or a failure counts too: that connection ends by itself.
        !peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    #[inline]
    fn send(&mut self, socket: &mut Socket, octets: &[u8]) -> Transmitted {
        match socket.stream.try_write(octets) {
            Ok(octets) => Transmitted::Octets(octets),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                socket.watch_send();
                Transmitted::Blocked
            }
            Err(_) => Transmitted::Reset,
        }
    }

    fn shut(&mut self, socket: &mut Socket) {
        // It fails where the peer has reset already, which the next receive tells.
        let _ = SockRef::from(&*socket.stream).shutdown(Shutdown::Write);
    }

    fn release(&mut self, socket: Socket, abort: bool) {
        self.failing.remove(&socket.mark.key().index);
        if abort {
            let _ = socket.stream.set_zero_linger();
        }
        drop(socket);
    }

    fn register(&mut self, key: Key, socket: &mut Socket) -> bool {
        socket.mark.belong(key);
        socket.mark.set_interest(Interest::RECEIVE);
        socket.watch_receive();
        true
    }

    fn report(&mut self, key: Key, socket: &mut Socket, interest: Interest) {
        socket.mark.set_interest(interest);
        if interest.receives() || interest.sends() {
            self.failing.remove(&key.index);
        }
        if interest.receives() {
            socket.watch_receive();
        } else if interest.sends() {
            socket.watch_send();
        } else {
            let stream = socket.stream.clone();
            let failing = async move {
                let _ = stream.ready(tokio::io::Interest::ERROR).await;
            };
            self.failing.insert(key.index, Box::pin(failing));
            // It is polled when the mark is looked at.
            socket.waker.wake_by_ref();
        }
    }

    fn lane(&mut self, number: u32) -> Option<Lane<Self>> {
        let Buffers { input_octets, body_octets, output_octets, limits } = self.buffers;
        let buffer = Buffer::with_octets;
        let wire = Rc::new(Wire::new(buffer(input_octets), buffer(body_octets), buffer(output_octets), limits));
        let future = Box::pin((self.make)(wire.clone()));
        Some(Lane::new(wire, future, Mark::new(self.shared.clone(), Of::Lane(number)).into()))
    }

    fn renew(&mut self, wire: &Rc<Wire<S>>) -> F {
        (self.make)(wire.clone())
    }

    fn restart(&mut self, wire: &Rc<Wire<S>>, mut future: Pin<&mut F>) {
        let renewed = self.renew(wire);
        // The new one is in place also where dropping the old one panics.
        if catch_unwind(AssertUnwindSafe(|| future.set(renewed))).is_err() {
            log::error!("a handler panicked when it was dropped");
        }
    }

    #[inline]
    fn poll(&mut self, future: Pin<&mut F>, context: &mut Context<'_>) -> Result<(), Panicked> {
        // What the future had borrowed is dropped with it, and the driver sets it anew.
        catch_unwind(AssertUnwindSafe(|| {
            let _ = future.poll(context);
        }))
        .map_err(|_| Panicked)
    }

    fn end(&mut self, session: S, reason: EndReason) {
        if catch_unwind(AssertUnwindSafe(|| session.end(reason))).is_err() {
            log::error!("a session panicked when it was ended");
        }
    }

    fn put_away(&mut self, index: u32, octets: &[u8], parser: HeadParser) -> bool {
        self.heads.insert(index, (octets.into(), parser));
        true
    }

    fn take_back(&mut self, index: u32, into: &mut [u8]) -> Option<(usize, HeadParser)> {
        let (octets, parser) = self.heads.remove(&index)?;
        into.get_mut(..octets.len())?.copy_from_slice(&octets);
        Some((octets.len(), parser))
    }
}
