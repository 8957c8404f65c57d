//! A port over poll(2): the least that a fourth port would be. It proves that `tenure-host` asks for nothing that epoll or tokio
//! alone can give, with any `Net` around its sockets.
#![allow(dead_code, unused_imports, reason = "each test uses its own part of it")]

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::SocketAddr,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    rc::Rc,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Wake, Waker},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown, sockopt},
};
use tenure::{
    PeerAddress,
    port::{Interest, Key, Peer, Received, Transmitted},
};
use tenure_host::{Accepted, Listening, Marked, Net, News, Platform, Service, Worker, configure};

pub(crate) use tenure_host::{Delivery, DeliveryError, Error, Folder, Handle, Running, SessionError, Settings};

pub(crate) type Server = tenure_host::Server<Polling>;

/// A connection's socket: poll(2) is told of it in each turn, so the net has it, too.
pub(crate) struct Socket {
    fd: Rc<OwnedFd>,
    peer: Option<PeerAddress>,
    index: Option<u32>,
}

/// The sockets of one worker, by the indices of their connections.
#[derive(Default)]
pub(crate) struct Sockets(BTreeMap<u32, (Rc<OwnedFd>, Key, Interest)>);

impl Net for Sockets {
    type Socket = Socket;

    fn register(&mut self, key: Key, socket: &mut Socket) -> bool {
        socket.index = Some(key.index);
        self.0.insert(key.index, (socket.fd.clone(), key, Interest::RECEIVE));
        true
    }

    fn report(&mut self, key: Key, socket: &mut Socket, interest: Interest) {
        self.0.insert(key.index, (socket.fd.clone(), key, interest));
    }

    fn receive(&mut self, socket: &mut Socket, into: &mut [u8]) -> Received {
        match recv(&socket.fd, into, RecvFlags::empty()) {
            Ok((_, 0)) => Received::Closed,
            Ok((_, bytes)) => Received::Bytes(bytes),
            Err(Errno::AGAIN | Errno::INTR) => Received::Blocked,
            Err(_) => Received::Reset,
        }
    }

    fn has_unread(&mut self, socket: &mut Socket) -> bool {
        !matches!(recv(&socket.fd, &mut [0; 1], RecvFlags::PEEK), Err(Errno::AGAIN))
    }

    fn send(&mut self, socket: &mut Socket, bytes: &[u8]) -> Transmitted {
        match send(&socket.fd, bytes, SendFlags::NOSIGNAL) {
            Ok(bytes) => Transmitted::Bytes(bytes),
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => Transmitted::Blocked,
            Err(_) => Transmitted::Reset,
        }
    }

    fn shut(&mut self, socket: &mut Socket) {
        let _ = shutdown(&socket.fd, Shutdown::Write);
    }

    fn release(&mut self, socket: Socket, abort: bool) {
        if abort {
            let _ = sockopt::set_socket_linger(&socket.fd, Some(Duration::ZERO));
        }
        // A newcomer that takes the place of another one has its index already.
        if let Some(index) = socket.index
            && self.0.get(&index).is_some_and(|(fd, ..)| Rc::ptr_eq(fd, &socket.fd))
        {
            self.0.remove(&index);
        }
    }

    fn peer(&self, socket: &Socket) -> Peer {
        Peer::known(socket.peer)
    }
}

/// Wakes a worker that sleeps in poll(2).
struct Pipe(UnixStream);

impl Wake for Pipe {
    fn wake(self: Arc<Self>) {
        let _ = (&self.0).write(&[1]);
    }
}

/// Unix sockets that the server at an address is to take for newcomers.
static HANDED: Mutex<Vec<(SocketAddr, UnixStream)>> = Mutex::new(Vec::new());

/// Gives a server that does not run yet one end of a pair, and returns the other.
pub(crate) fn pair(server: SocketAddr) -> UnixStream {
    let (ours, theirs) = UnixStream::pair().unwrap();
    HANDED.lock().unwrap().push((server, theirs));
    ours
}

fn take_handed(server: SocketAddr) -> Option<UnixStream> {
    let mut handed = HANDED.lock().unwrap_or_else(PoisonError::into_inner);
    let at = handed.iter().position(|(address, _)| *address == server)?;
    Some(handed.remove(at).1)
}

/// The platform whose sockets are as they are.
#[derive(Debug)]
pub(crate) struct Polling;

impl Platform for Polling {
    const SPINS: bool = false;

    fn descriptors_per_worker(_: &Settings) -> u64 {
        2
    }

    fn run<A: Service>(server: &Listening, number: usize, service: A) -> Result<(), Error> {
        run(server, number, service, Sockets::default(), |net| net, |socket| socket)
    }
}

/// Where the clock begins.
static BEGAN: OnceLock<Instant> = OnceLock::new();

/// Serves over a net that stands around [`Sockets`].
pub(crate) fn run<N: Net, A: Service>(
    server: &Listening,
    number: usize,
    service: A,
    net: N,
    sockets: impl Fn(&mut N) -> &mut Sockets,
    wrap: impl Fn(Socket) -> N::Socket,
) -> Result<(), Error> {
    let system = |error: io::Error| Error::System("poll", error);
    let now_ms = || BEGAN.get_or_init(Instant::now).elapsed().as_millis() as u32;
    let exact_ms = |_| BEGAN.get_or_init(Instant::now).elapsed().as_nanos().div_ceil(1_000_000) as u32;
    let (mut woken, wakes) = UnixStream::pair().map_err(system)?;
    woken.set_nonblocking(true).map_err(system)?;
    wakes.set_nonblocking(true).map_err(system)?;
    let waker = Waker::from(Arc::new(Pipe(wakes)));
    // What has come before is looked at in the first turn.
    waker.wake_by_ref();
    let local = server.listeners()[0].local_addr().map_err(system)?;
    let (settings, mut news) = (server.settings(), News::default());
    let mut newcomers = true;
    let mut host = Worker::new(server, number, net, service, now_ms(), exact_ms);
    loop {
        // Newcomers first, as poll(2) tells of them for as long as they wait.
        let looks = std::mem::take(&mut newcomers) || host.has_newcomer();
        let accepts = host.accepts();
        let accepts = accepts
            && (!looks
                || host.accept(server.listeners(), |listener| {
                    let (fd, peer) = match take_handed(local) {
                        Some(stream) => (stream.into(), PeerAddress::Unix),
                        None => match listener.accept() {
                            Ok((stream, peer)) => (OwnedFd::from(stream), peer.into()),
                            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                            Err(error) => return Err(error),
                        },
                    };
                    rustix::io::ioctl_fionbio(&fd, true)?;
                    configure(&fd, settings);
                    Ok(Some((wrap(Socket { fd: Rc::new(fd), peer: Some(peer), index: None }), Some(peer))))
                }) != Accepted::Declined);
        if host.has_stopped() {
            return Ok(());
        }
        let held = host.serve_held();
        let timeout = host.due_within().map(|ms| if held { 0 } else { ms });
        assert!(timeout == Some(0) || !host.driver.has_undelivered(), "sleeps, and has more to deliver");
        let timeout = timeout
            .or(held.then_some(0))
            .map(|ms| Timespec { tv_sec: i64::from(ms / 1000), tv_nsec: i64::from(ms % 1000) * 1_000_000 });
        let mut polled = vec![PollFd::new(&woken, PollFlags::IN)];
        let listening = if accepts { PollFlags::IN } else { PollFlags::empty() };
        polled.extend(server.listeners().iter().map(|listener| PollFd::new(listener, listening)));
        let others = polled.len();
        let watched = &sockets(host.net()).0;
        polled.extend(watched.values().map(|(fd, _, interest)| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, interest.receives());
            flags.set(PollFlags::OUT, interest.sends());
            flags.set(PollFlags::RDHUP, interest.closes());
            PollFd::from_borrowed_fd(fd.as_fd(), flags)
        }));
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(system(error.into())),
        }
        let called = !polled[0].revents().is_empty();
        newcomers = polled[1..others].iter().any(|listener| !listener.revents().is_empty());
        let ready: Vec<(Key, PollFlags)> = polled[others..]
            .iter()
            .zip(watched.values())
            .filter(|(polled, _)| !polled.revents().is_empty())
            .map(|(polled, (_, key, _))| (*key, polled.revents()))
            .collect();
        host.set_now(now_ms());
        for (key, flags) in ready {
            if flags.contains(PollFlags::RDHUP) {
                host.driver.peer_closed(key);
            }
            host.driver.ready(key, flags.intersects(PollFlags::ERR | PollFlags::HUP));
        }
        if called {
            let _ = woken.read(&mut [0; 64]);
            server.inbox(number).take(&mut news, &waker);
            for mark in news.marks.drain(..) {
                if let Marked::Lane(lane) = mark {
                    host.lane_woken(lane);
                }
            }
            host.obey(&mut news);
        }
        host.driver.expire();
    }
}
