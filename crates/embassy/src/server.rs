//! A server: its memory, and its runs on a network stack.

use core::{
    future::poll_fn,
    marker::PhantomData,
    mem::MaybeUninit,
    net::{Ipv4Addr, SocketAddr},
    pin::{Pin, pin},
};

use embassy_net::{Stack, StackResources, tcp::TcpSocket};
use tenure::{
    Eviction, Handler, Observer, Session,
    port::{Buffer, Wire, lane},
};

use crate::{
    Handle, Listening, Settings,
    accept::Places,
    clock,
    handle::{Bell, LANES_MAX, Mark, Of, SOCKETS_MAX},
    net::EmbassyPort,
    pushes::{Pushes, Source},
    sys, used,
    worker::Worker,
};

/// Bytes of a server, all of them: `CONNECTIONS` with a session `S` each at once, `LANES` requests being answered at once
/// with three buffers of `BUFFER` bytes each (a request's head, its body, responses), and `SOCKETS` of the stack with two
/// rings of `RING` bytes each.
///
/// Where `LANES` is more than 1, but less than `CONNECTIONS`, routes that [wait long](tenure::Methods::waits_long) leave the last
/// lane to other requests.
///
/// There must be more sockets than connections: those beyond them take newcomers and let old connections close, and two are
/// what a board needs. All of it is zero before [`Server::new`], so that a `static` of it takes no flash.
///
/// What a server takes in all is a constant of the program, so a budget is an assertion:
/// ```
/// # use tenure::{Handler, Request, Router, get};
/// # use tenure_embassy::Memory;
/// fn app() -> impl Handler<()> {
///     Router::new().route("/", get(async |_: &mut Request<'_, ()>| "hello"))
/// }
///
/// type Board = Memory<(), 7, 2, 9>;
/// const BYTES: usize = Board::bytes::<(), _>(&app);
/// const _: () = assert!(BYTES <= 48 * 1024);
/// # assert!(BYTES > Board::BYTES);
/// ```
/// and one that is exceeded does not build:
/// ```compile_fail,E0080
/// # use tenure::{Handler, Request, Router, get};
/// # use tenure_embassy::Memory;
/// # fn app() -> impl Handler<()> {
/// #     Router::new().route("/", get(async |_: &mut Request<'_, ()>| "hello"))
/// # }
/// # type Board = Memory<(), 7, 2, 9>;
/// const BYTES: usize = Board::bytes::<(), _>(&app);
/// const _: () = assert!(BYTES <= 32 * 1024);
/// ```
/// Nor does a server none of whose sockets would listen:
/// ```compile_fail,E0080
/// # use tenure_embassy::Memory;
/// const _: Memory<(), 7, 2, 7> = Memory::new();
/// ```
#[doc(alias("max_open_sockets", "backlog_conn", "stack_size"))]
pub struct Memory<
    S,
    const CONNECTIONS: usize = 7,
    const LANES: usize = 2,
    const SOCKETS: usize = 9,
    const RING: usize = 1_460,
    const BUFFER: usize = 1_024,
> {
    rings: [[[u8; RING]; 2]; SOCKETS],
    buffers: [[[u8; BUFFER]; 3]; LANES],
    socket_marks: [Mark; SOCKETS],
    lane_marks: [Mark; LANES],
    bell: Bell,
    /// Not zero, so [`Server::new`] writes them.
    wires: [MaybeUninit<Wire<S>>; LANES],
}

impl<S, const CONNECTIONS: usize, const LANES: usize, const SOCKETS: usize, const RING: usize, const BUFFER: usize>
    Memory<S, CONNECTIONS, LANES, SOCKETS, RING, BUFFER>
{
    /// Bytes of the memory itself: rings, buffers, marks, and what lanes share with the server.
    pub const BYTES: usize = size_of::<Self>();

    /// Bytes of everything that a server takes: this memory, the [`Server`], the future of its run with those of its lanes
    /// over the application that `app` makes, and what the stack keeps for so many sockets (`StackResources`).
    ///
    /// `O` is the observer. `app` is a function of no or one argument; it is not called.
    pub const fn bytes<O: Observer, Arguments>(app: &impl Makes<S, Arguments>) -> usize
    where
        S: Session + 'static,
    {
        const fn of_run<
            S: Session + 'static,
            O: Observer,
            Arguments,
            F: Makes<S, Arguments>,
            const C: usize,
            const L: usize,
            const K: usize,
            const R: usize,
        >(
            _: &F,
        ) -> usize {
            bytes_returned(&Server::<S, C, L, K, R>::run::<F::App, O>)
        }
        size_of::<Self>()
            + size_of::<Server<S, CONNECTIONS, LANES, SOCKETS, RING>>()
            + of_run::<S, O, Arguments, _, CONNECTIONS, LANES, SOCKETS, RING>(app)
            + size_of::<StackResources<SOCKETS>>()
    }

    /// The memory of one server.
    ///
    /// Fails to compile unless there are more sockets than connections and at least one lane, and at most 128 sockets and 32 lanes.
    pub const fn new() -> Self {
        const {
            assert!(SOCKETS > CONNECTIONS, "a server needs more sockets than connections: one at least must listen");
            assert!(CONNECTIONS > 0 && LANES > 0, "a server needs a connection and a lane");
            assert!(SOCKETS <= SOCKETS_MAX && LANES <= LANES_MAX, "a server has 128 sockets and 32 lanes at the most");
            assert!(BUFFER >= 256, "a buffer needs 256 bytes: no response head would fit");
            assert!(RING > 0, "a ring needs bytes");
        }
        Memory {
            rings: [[[0; RING]; 2]; SOCKETS],
            buffers: [[[0; BUFFER]; 3]; LANES],
            socket_marks: [const { Mark::new() }; SOCKETS],
            lane_marks: [const { Mark::new() }; LANES],
            wires: [const { MaybeUninit::uninit() }; LANES],
            bell: Bell::new(),
        }
    }
}

impl<S, const CONNECTIONS: usize, const LANES: usize, const SOCKETS: usize, const RING: usize, const BUFFER: usize>
    Default for Memory<S, CONNECTIONS, LANES, SOCKETS, RING, BUFFER>
{
    fn default() -> Self {
        Memory::new()
    }
}

impl<S, const CONNECTIONS: usize, const LANES: usize, const SOCKETS: usize, const RING: usize, const BUFFER: usize>
    core::fmt::Debug for Memory<S, CONNECTIONS, LANES, SOCKETS, RING, BUFFER>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Memory({CONNECTIONS} connections, {LANES} lanes, {SOCKETS} sockets, {} bytes)", Self::BYTES)
    }
}

/// A function that makes an application for sessions `S`.
pub trait Makes<S, Arguments> {
    /// The application.
    type App: Handler<S>;
}

impl<S, A: Handler<S>, F: Fn() -> A> Makes<S, ()> for F {
    type App = A;
}

impl<S, A: Handler<S>, X, F: Fn(X) -> A> Makes<S, (X,)> for F {
    type App = A;
}

/// Bytes of what a server's run returns: its future.
const fn bytes_returned<'a, T: 'a, A: 'a, O: 'a, R>(_: &impl Fn(&'a mut T, Stack<'a>, &'a A, &'a O) -> R) -> usize {
    size_of::<R>()
}

/// A server, which can run, stop and run again.
pub struct Server<S: 'static, const CONNECTIONS: usize, const LANES: usize, const SOCKETS: usize, const RING: usize> {
    settings: Settings,
    rings: &'static mut [[[u8; RING]; 2]; SOCKETS],
    wires: &'static [Wire<S>; LANES],
    socket_marks: &'static [Mark; SOCKETS],
    lane_marks: &'static [Mark; LANES],
    bell: &'static Bell,
    pushes: Option<&'static dyn Source>,
    /// How many runs there have been. It wraps.
    runs: u8,
}

impl<S, const CONNECTIONS: usize, const LANES: usize, const SOCKETS: usize, const RING: usize> core::fmt::Debug
    for Server<S, CONNECTIONS, LANES, SOCKETS, RING>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Server({:?})", self.settings)
    }
}

impl<S: Session + 'static, const CONNECTIONS: usize, const LANES: usize, const SOCKETS: usize, const RING: usize>
    Server<S, CONNECTIONS, LANES, SOCKETS, RING>
{
    /// A server that does not run yet, in that memory.
    pub fn new<const BUFFER: usize>(
        memory: &'static mut Memory<S, CONNECTIONS, LANES, SOCKETS, RING, BUFFER>,
        settings: Settings,
    ) -> Self {
        if settings.eviction != Eviction::Never {
            used::EVICTION.set(true);
        }
        if settings.connections_per_peer_max.is_some() {
            used::PER_PEER.set(true);
        }
        if settings.keep_alive {
            used::KEEP_ALIVE.set(true);
        }
        let Memory { rings, buffers, socket_marks, lane_marks, wires, bell } = memory;
        let bell: &'static Bell = bell;
        for (number, mark) in (0..).zip(socket_marks.iter_mut()) {
            mark.belong(bell, Of::Socket(number));
        }
        for (number, mark) in (0..).zip(lane_marks.iter_mut()) {
            mark.belong(bell, Of::Lane(number));
        }
        let mut buffers = buffers.as_flattened_mut().iter_mut();
        let mut buffer = || Buffer::from(&mut buffers.next().expect("three buffers for each lane")[..]);
        let wires = sys::fill(wires, || Wire::new(buffer(), buffer(), buffer(), settings.limits));
        Server { settings, rings, wires, socket_marks, lane_marks, bell, pushes: None, runs: 0 }
    }

    /// Lets tasks and interrupts push to connections that stay open, by that queue.
    #[must_use]
    pub fn push_from<const N: usize, const BYTES: usize>(mut self, pushes: &'static Pushes<N, BYTES>) -> Self {
        used::PUSHES.set(true);
        self.pushes = Some(pushes);
        self
    }

    /// Reaches the server while it runs.
    pub fn handle(&self) -> Handle {
        Handle::of(self.bell)
    }

    /// What a [`SynGate`](crate::SynGate) around the stack's device needs.
    pub fn listening(&self) -> Listening {
        Listening::of(self.bell, self.settings.port)
    }

    /// Serves until [`Handle::stop`], whether the stack has a link and an address or not. Connections live on while the
    /// link is away, for [`Settings::link_down_ms`] at the most. When the stack loses the address that they came by, which
    /// ends them in it, they end with [`LinkDown`](tenure::EndReason::LinkDown). A stack with DHCP loses it with the link:
    /// see [`SteadyLink`](crate::SteadyLink).
    ///
    /// The first number of a connection's id is the run's: an id of one of the last 255 runs means nobody in this one.
    ///
    /// # Cancellation safety
    /// Dropped, it ends every session with [`Shutdown`](tenure::EndReason::Shutdown) and gives the sockets back at once,
    /// without a word to the peers. It can be run again then, as after a stop.
    ///
    /// # Panics
    /// When the stack has no room for as many sockets.
    #[doc(alias = "httpd_start")]
    pub async fn run<A: Handler<S>, O: Observer>(&mut self, stack: Stack<'_>, app: &A, observer: &O) {
        self.bell.open();
        observer.started(SocketAddr::from((Ipv4Addr::UNSPECIFIED, self.settings.port)));
        let Server { settings, rings, wires, socket_marks, lane_marks, bell, pushes, runs } = self;
        let number = core::mem::replace(runs, runs.wrapping_add(1));
        let lanes = Lanes {
            // A closure, because only here is the future's unnamed type known.
            futures: pin!(core::array::from_fn(|number| lane(&wires[number], app, observer))),
            make: |wire| lane(wire, app, observer),
            wires: PhantomData,
        };
        let mut rings = rings.iter_mut();
        let sockets = |_| {
            let [received, sent] = rings.next().expect("as many rings as sockets");
            TcpSocket::new(stack, received, sent)
        };
        let spares = (SOCKETS - CONNECTIONS) as u32;
        let port: EmbassyPort<'_, '_, _, _, _, _, CONNECTIONS, LANES, SOCKETS> = EmbassyPort {
            places: Places::new(sockets, socket_marks, settings, spares, clock::now_ms()),
            ring_bytes: RING,
            futures: sys::parts(lanes.futures),
            make: lanes.make,
            observer,
            wires,
            lane_marks,
            received: None,
            types: PhantomData,
        };
        let mut worker = Worker::new(port, settings, number, stack, (*bell, *pushes));
        poll_fn(|context| worker.turn(context)).await;
        drop(worker);
        observer.stopped();
    }
}

/// The lanes' futures in place, and the function that makes new ones of the same type.
struct Lanes<'w, 'a, S: 'w, F, M: Fn(&'w Wire<S>) -> F, const LANES: usize> {
    futures: Pin<&'a mut [F; LANES]>,
    make: M,
    wires: PhantomData<&'w Wire<S>>,
}
