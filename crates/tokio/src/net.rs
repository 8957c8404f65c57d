//! Sockets for the driver: bytes in and out, readiness, release.
//!
//! tokio reports an edge, once; the driver needs levels. So each socket that the driver has an interest in is either marked in the
//! worker's inbox or has its waker set in tokio. [`Watches::receive`] and the other methods keep this true.

use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    io::{ErrorKind, Read},
    mem::MaybeUninit,
    net::{Shutdown, SocketAddr},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use socket2::SockRef;
use tenure::port::{Interest, Key, Peer, Received, Transmitted};
use tenure_host::{Inbox, Mark, Marked, Net};
use tokio::{io::ReadBuf, net::TcpStream, time::sleep};

/// Whether the system reports bytes that come after a receive that left room, without a refused receive in between: epoll and
/// kqueue do, and tokio itself relies on it there.
const TELLS_OF_MORE: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "ios",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
));

/// No watch.
const NONE: u32 = u32::MAX;

/// A connection's socket.
pub(crate) struct Socket {
    stream: Stream,
    peer: SocketAddr,
    /// The number of its watch; [`NONE`] before it is registered.
    watch: u32,
}

enum Stream {
    Own(TcpStream),
    /// With [`Losing`], while the driver asks for no bytes, or for the peer's close.
    Shared(Rc<TcpStream>),
    /// A placeholder while it changes between the two.
    Moving,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, peer: SocketAddr) -> Self {
        Socket { stream: Stream::Own(stream), peer, watch: NONE }
    }

    fn stream(&self) -> Option<&TcpStream> {
        match &self.stream {
            Stream::Own(stream) => Some(stream),
            Stream::Shared(stream) => Some(stream),
            Stream::Moving => None,
        }
    }

    fn share(&mut self) -> Option<Rc<TcpStream>> {
        let shared = match std::mem::replace(&mut self.stream, Stream::Moving) {
            Stream::Own(stream) => Rc::new(stream),
            Stream::Shared(stream) => stream,
            Stream::Moving => return None,
        };
        self.stream = Stream::Shared(shared.clone());
        Some(shared)
    }

    /// Takes it back after its [`Losing`] is gone.
    fn unshare(&mut self) {
        self.stream = match std::mem::replace(&mut self.stream, Stream::Moving) {
            Stream::Shared(stream) => Rc::try_unwrap(stream).map_or_else(Stream::Shared, Stream::Own),
            stream => stream,
        };
    }
}

/// Wakes the worker for a socket. Reused for another connection's socket once its own has ended.
struct Watch {
    mark: Arc<Mark>,
    /// The mark as a waker for tokio.
    waker: Waker,
    key: Key,
    /// What the driver wants to know of the socket.
    interest: Interest,
    /// tokio will report the socket's next change, or the mark is set.
    watched: bool,
    /// Its connection has ended.
    retired: bool,
}

impl Watch {
    /// Sets the waker; sets the mark at once if the socket can be received from already.
    fn receive(&mut self, stream: &TcpStream) {
        self.watched = true;
        if stream.poll_read_ready(&mut Context::from_waker(&self.waker)).is_ready() {
            self.mark.set();
        }
    }

    fn send(&mut self, stream: &TcpStream) {
        self.watched = true;
        if stream.poll_write_ready(&mut Context::from_waker(&self.waker)).is_ready() {
            self.mark.set();
        }
    }
}

/// How a socket ended of which the driver asks no bytes.
#[derive(Clone, Copy)]
pub(crate) enum Lost {
    Failed,
    /// The peer has closed its side.
    Closed,
}

/// Ready when such a socket has failed or its peer has closed.
type Losing = Pin<Box<dyn Future<Output = Lost>>>;

/// tokio's interest in a peer's close. Where it knows urgent data, which it asks no TCP stream for, its interest in these tells of the
/// close alone; elsewhere it tells of bytes, too.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOSE: tokio::io::Interest = tokio::io::Interest::PRIORITY;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOSE: tokio::io::Interest = tokio::io::Interest::READABLE;

/// How often to look for a peer's close behind bytes that nobody reads, where tokio reports only those bytes.
const LOOK: Duration = Duration::from_secs(1);

/// Pending until a socket has failed, or its peer has closed if there is an interest in that.
async fn losing(stream: Rc<TcpStream>, close: Option<tokio::io::Interest>) -> Lost {
    let interest = close.map_or(tokio::io::Interest::ERROR, |close| close | tokio::io::Interest::ERROR);
    loop {
        match stream.ready(interest).await {
            Ok(ready) if ready.is_read_closed() && !ready.is_error() => return Lost::Closed,
            Ok(ready) if ready.is_readable() && !ready.is_error() => {}
            _ => return Lost::Failed,
        }
        // A peek that finds no bytes clears tokio's readiness, so that the next change is reported.
        let mut byte = [0];
        let mut peeked = ReadBuf::new(&mut byte);
        match poll_fn(|context| Poll::Ready(stream.poll_peek(context, &mut peeked))).await {
            Poll::Ready(Ok(0)) => return Lost::Closed,
            Poll::Ready(Ok(_)) => sleep(LOOK).await,
            Poll::Ready(Err(_)) => return Lost::Failed,
            Poll::Pending => {}
        }
    }
}

/// Every socket's watch, by its number.
pub(crate) struct Watches {
    inbox: Arc<Inbox>,
    all: Vec<Watch>,
    free: Vec<u32>,
    /// Connections whose handler waits for something other than its peer's bytes, by watch.
    losing: HashMap<u32, Losing>,
}

impl Watches {
    pub(crate) fn new(inbox: Arc<Inbox>) -> Self {
        Watches { inbox, all: Vec::new(), free: Vec::new(), losing: HashMap::new() }
    }

    /// Takes a mark back. Returns the connection to look at, and the driver's interest in it.
    pub(crate) fn taken(&mut self, number: u32) -> Option<(Key, Interest)> {
        let watch = self.all.get_mut(number as usize)?;
        watch.mark.take_back();
        watch.watched = false;
        if watch.retired {
            watch.retired = false;
            self.free.push(number);
            return None;
        }
        Some((watch.key, watch.interest))
    }

    /// Reports a socket again that the driver did not touch: readiness is a level.
    pub(crate) fn served(&mut self, number: u32) {
        if let Some(watch) = self.all.get_mut(number as usize)
            && !watch.watched
            && (watch.interest.receives() || watch.interest.sends())
        {
            watch.mark.set();
        }
    }

    /// Whether a socket of which no bytes are asked has ended. Otherwise its mark will be set when it does.
    pub(crate) fn lost(&mut self, number: u32) -> Option<Lost> {
        if self.losing.is_empty() {
            return None;
        }
        let waker = &self.all[number as usize].waker;
        let Poll::Ready(lost) = self.losing.get_mut(&number)?.as_mut().poll(&mut Context::from_waker(waker)) else {
            return None;
        };
        self.losing.remove(&number);
        Some(lost)
    }
}

impl Net for Watches {
    type Socket = Socket;

    fn register(&mut self, key: Key, socket: &mut Socket) -> bool {
        socket.watch = self.free.pop().unwrap_or_else(|| {
            let number = self.all.len() as u32;
            let mark = Mark::new(self.inbox.clone(), Marked::Socket(number));
            let waker = mark.clone().into();
            self.all.push(Watch { mark, waker, key, interest: Interest::NONE, watched: false, retired: false });
            number
        });
        let watch = &mut self.all[socket.watch as usize];
        (watch.key, watch.interest) = (key, Interest::RECEIVE);
        let Some(stream) = socket.stream() else { return false };
        watch.receive(stream);
        true
    }

    fn report(&mut self, _: Key, socket: &mut Socket, interest: Interest) {
        let loses = interest == Interest::NONE || interest.closes();
        if loses {
            let Some(stream) = socket.share() else { return };
            self.losing.insert(socket.watch, Box::pin(losing(stream, interest.closes().then_some(CLOSE))));
        } else {
            self.losing.remove(&socket.watch);
            socket.unshare();
        }
        let Some(watch) = self.all.get_mut(socket.watch as usize) else { return };
        watch.interest = interest;
        let Some(stream) = socket.stream() else { return };
        if interest.receives() {
            watch.receive(stream);
        }
        if interest.sends() {
            watch.send(stream);
        }
        if loses {
            // So that the future is polled.
            watch.mark.set();
        }
    }

    fn receive(&mut self, socket: &mut Socket, into: &mut [u8]) -> Received {
        let Some(watch) = self.all.get_mut(socket.watch as usize) else { return Received::Blocked };
        watch.watched = true;
        let Some(stream) = socket.stream() else { return Received::Blocked };
        let mut received = Received::Blocked;
        // tokio takes `WouldBlock` for the end of readiness. The result proper is in `received`.
        let _ = stream.try_io(tokio::io::Interest::READABLE, || {
            let room = into.len();
            received = match (&*SockRef::from(stream)).read(into) {
                Ok(0) => Received::Closed,
                Ok(bytes) => Received::Bytes(bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Received::Blocked,
                Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
                Err(_) => Received::Reset,
            };
            match received {
                Received::Blocked => Err(ErrorKind::WouldBlock.into()),
                // Room was left, so there were no more bytes, and the system will report the next ones.
                Received::Bytes(bytes) if TELLS_OF_MORE && bytes < room => Err(ErrorKind::WouldBlock.into()),
                _ => Ok(()),
            }
        });
        if matches!(received, Received::Bytes(_) | Received::Blocked) {
            watch.receive(stream);
        }
        received
    }

    fn has_unread(&mut self, socket: &mut Socket) -> bool {
        let Some(stream) = socket.stream() else { return false };
        let peeked = SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]);
        // A close or a failure counts as unread: that connection ends by itself.
        !peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    fn send(&mut self, socket: &mut Socket, bytes: &[u8]) -> Transmitted {
        let Some(stream) = socket.stream() else { return Transmitted::Reset };
        match stream.try_write(bytes) {
            Ok(bytes) => Transmitted::Bytes(bytes),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                self.all[socket.watch as usize].send(stream);
                Transmitted::Blocked
            }
            Err(_) => Transmitted::Reset,
        }
    }

    fn shut(&mut self, socket: &mut Socket) {
        if let Some(stream) = socket.stream() {
            // Fails if the peer has reset already; the next receive reports that.
            let _ = SockRef::from(stream).shutdown(Shutdown::Write);
        }
    }

    fn release(&mut self, socket: Socket, abort: bool) {
        if let Some(stream) = socket.stream().filter(|_| abort) {
            let _ = stream.set_zero_linger();
        }
        let number = socket.watch;
        // Dropped before its socket, which it shares.
        self.losing.remove(&number);
        drop(socket);
        let Some(watch) = self.all.get_mut(number as usize) else { return };
        watch.interest = Interest::NONE;
        // A mark that is still set would cause a needless look at the watch's next connection.
        watch.retired = watch.mark.is_set();
        if !watch.retired {
            self.free.push(number);
        }
    }

    fn peer(&self, socket: &Socket) -> Peer {
        Peer::known(Some(socket.peer.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::TcpListener, pin::pin};

    use tokio::io::Interest;

    use super::*;

    /// Whichever way the system tells of it. Time is virtual.
    #[tokio::test(start_paused = true)]
    async fn a_peers_end_is_noticed_behind_bytes_that_nobody_reads() {
        for close in [CLOSE, Interest::READABLE] {
            for (before, fails) in [("", false), ("unread", false), ("", true), ("unread", true)] {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                let (stream, _) = listener.accept().unwrap();
                stream.set_nonblocking(true).unwrap();
                let stream = Rc::new(TcpStream::from_std(stream).unwrap());
                peer.write_all(before.as_bytes()).unwrap();
                if !before.is_empty() {
                    stream.readable().await.unwrap();
                }
                let mut losing = pin!(losing(stream.clone(), Some(close)));
                let early = poll_fn(|context| Poll::Ready(losing.as_mut().poll(context).is_ready())).await;
                assert!(!early, "{close:?}, {before:?}");
                let peer = if fails {
                    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
                    drop(peer);
                    None
                } else {
                    peer.shutdown(Shutdown::Write).unwrap();
                    Some(peer)
                };
                assert_eq!(matches!(losing.await, Lost::Failed), fails, "{close:?}, {before:?}");
                if peer.is_some() {
                    assert_eq!(stream.try_read(&mut [0; 100]).unwrap(), before.len(), "they are still there");
                }
            }
        }
    }
}
