//! Two stacks on a cable, tasks that are polled only when they are woken, and time that passes only when nobody is.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::Future,
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
};

use embassy_net::{Config, Ipv4Address, Ipv4Cidr, Stack, StackResources, StaticConfigV4, tcp::TcpSocket};
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_time::{Duration, MockDriver};
use tenure::{ConnectionId, EndReason, Error, Handler, Observer, Request, Router, Session, get};
use tenure_embassy::{Memory, Server, Settings};

pub(crate) const SERVER: Ipv4Address = Ipv4Address::new(10, 0, 0, 1);
pub(crate) const CLIENT: Ipv4Address = Ipv4Address::new(10, 0, 0, 2);
pub(crate) const PORT: u16 = 80;
/// A test that takes longer than this, in virtual time, hangs.
const PATIENCE_MS: u32 = 3_600_000;

/// One end of the cable.
#[derive(Default)]
struct End {
    frames: VecDeque<Vec<u8>>,
    waker: Option<Waker>,
}

/// A network device at one end of the cable.
struct Plug {
    own: Rc<RefCell<End>>,
    other: Rc<RefCell<End>>,
    address: u8,
    /// What comes is lost.
    cut: &'static Cell<bool>,
}

struct Frame(Vec<u8>);
struct Room(Rc<RefCell<End>>);

impl RxToken for Frame {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, read: F) -> R {
        read(&mut self.0)
    }
}

impl TxToken for Room {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, octets: usize, write: F) -> R {
        let mut frame = vec![0; octets];
        let result = write(&mut frame);
        let mut end = self.0.borrow_mut();
        end.frames.push_back(frame);
        if let Some(waker) = end.waker.take() {
            waker.wake();
        }
        result
    }
}

impl Driver for Plug {
    type RxToken<'a> = Frame;
    type TxToken<'a> = Room;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Frame, Room)> {
        let mut own = self.own.borrow_mut();
        own.waker = Some(context.waker().clone());
        if self.cut.get() {
            own.frames.clear();
        }
        Some((Frame(own.frames.pop_front()?), Room(self.other.clone())))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Room> {
        Some(Room(self.other.clone()))
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = 1_514;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet([2, 0, 0, 0, 0, self.address])
    }
}

pub(crate) fn config(address: Ipv4Address) -> Config {
    Config::ipv4_static(StaticConfigV4 {
        address: Ipv4Cidr::new(address, 24),
        gateway: None,
        dns_servers: heapless::Vec::new(),
    })
}

/// A task's waker: its mark.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs tasks until the first has ended. Each is polled only when it has been woken: one that is forgotten hangs.
fn run(tasks: &mut [Pin<&mut dyn Future<Output = ()>>]) {
    let marks: Vec<_> = tasks.iter().map(|_| Arc::new(Woken(AtomicBool::new(true)))).collect();
    let mut done = vec![false; tasks.len()];
    for _ in 0..PATIENCE_MS {
        while marks.iter().any(|mark| mark.0.load(Ordering::Relaxed)) {
            for (number, task) in tasks.iter_mut().enumerate() {
                let mark = &marks[number];
                if !mark.0.swap(false, Ordering::Relaxed) || done[number] {
                    continue;
                }
                done[number] = task.as_mut().poll(&mut Context::from_waker(&mark.clone().into())).is_ready();
                if done[0] {
                    return;
                }
            }
        }
        MockDriver::get().advance(Duration::from_millis(1));
    }
    panic!("the test hangs");
}

/// What the server has told of connections' ends.
#[derive(Default)]
pub(crate) struct Ends {
    pub(crate) all: RefCell<Vec<EndReason>>,
    pub(crate) sessions: Cell<u32>,
}

impl Observer for Ends {
    fn disconnected(&self, _: ConnectionId, reason: EndReason, session: bool) {
        self.all.borrow_mut().push(reason);
        self.sessions.set(self.sessions.get() + u32::from(session));
    }
}

impl Ends {
    pub(crate) fn take(&self) -> Vec<EndReason> {
        self.all.take()
    }
}

pub(crate) struct Sum(i64);

impl Session for Sum {
    fn end(self, _: EndReason) {}
}

async fn add(request: &mut Request<'_, Sum>) -> Result<i64, Error> {
    let number: i64 = request.body().parse().await?;
    let sum = request.session_or_insert_with(|| Sum(0));
    sum.0 += number;
    Ok(sum.0)
}

/// Waits for virtual time: it is woken through its lane.
async fn wait(_: &mut Request<'_, Sum>) -> &'static str {
    embassy_time::Timer::after(Duration::from_millis(500)).await;
    "waited"
}

/// More than a socket's ring takes at once.
pub(crate) const LONG: &str = match str::from_utf8(&[b'x'; 20_000]) {
    Ok(text) => text,
    Err(_) => "",
};

pub(crate) fn app() -> impl Handler<Sum> {
    Router::new()
        .route("/add", get(add).post(add))
        .route("/wait", get(wait))
        .route("/long", get(async |_: &mut Request<'_, Sum>| LONG))
}

pub(crate) const SESSIONS: usize = 3;
pub(crate) const LANES: usize = 2;
pub(crate) const SOCKETS: usize = 5;
pub(crate) type Board = Server<Sum, SESSIONS, LANES, SOCKETS, 600>;

/// What a test has at hand.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) client: Stack<'static>,
    pub(crate) server: Stack<'static>,
    pub(crate) handle: tenure_embassy::Handle,
    pub(crate) ends: &'a Ends,
    cut: &'a Cell<bool>,
}

/// How a server is run.
#[derive(Clone, Copy)]
pub(crate) struct Runs {
    pub(crate) settings: Settings,
    /// How often, one run after the other.
    pub(crate) count: u32,
    /// When one more run, before those, is dropped.
    pub(crate) dropped_after_ms: Option<u64>,
}

impl Runs {
    /// Once.
    pub(crate) fn of(settings: Settings) -> Self {
        Runs { settings, count: 1, dropped_after_ms: None }
    }
}

impl World<'_> {
    /// What the server sends is lost, or no longer so.
    pub(crate) fn cut(&self, lost: bool) {
        self.cut.set(lost);
    }
}

/// Runs a test beside a server of three sessions and two lanes.
pub(crate) fn with_server<F: Future<Output = ()>>(runs: Runs, test: impl FnOnce(World<'static>) -> F) {
    // Time is one for the whole process.
    static TIME: Mutex<()> = Mutex::new(());
    let _time = TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (one, two) = (Rc::<RefCell<End>>::default(), Rc::<RefCell<End>>::default());
    let cut: &'static Cell<bool> = Box::leak(Box::default());
    let whole: &'static Cell<bool> = Box::leak(Box::default());
    let plug = |own: &Rc<RefCell<End>>, other: &Rc<RefCell<End>>, address, cut| Plug {
        own: own.clone(),
        other: other.clone(),
        address,
        cut,
    };
    let resources = || Box::leak(Box::new(StackResources::<16>::new()));
    let (server_stack, mut server_runner) =
        embassy_net::new(plug(&one, &two, 1, whole), config(SERVER), resources(), 1);
    let (client_stack, mut client_runner) = embassy_net::new(plug(&two, &one, 2, cut), config(CLIENT), resources(), 2);
    let memory = Box::leak(Box::new(Memory::<SESSIONS, LANES, SOCKETS, 600, 512>::new()));
    let mut server: Board = Server::new(memory, runs.settings);
    let ends: &'static Ends = Box::leak(Box::default());
    let app = app();
    let world = World { client: client_stack, server: server_stack, handle: server.handle(), ends, cut };
    let test = pin!(test(world));
    let serve = pin!(async {
        if let Some(ms) = runs.dropped_after_ms {
            let run = server.run(server_stack, &app, ends);
            let _ = embassy_time::with_timeout(Duration::from_millis(ms), run).await;
        }
        for _ in 0..runs.count {
            server.run(server_stack, &app, ends).await;
        }
    });
    let server_network = pin!(async {
        server_runner.run().await;
    });
    let client_network = pin!(async {
        client_runner.run().await;
    });
    run(&mut [test, serve, server_network, client_network]);
}

pub(crate) struct Client {
    pub(crate) socket: TcpSocket<'static>,
}

impl Client {
    /// A socket that is not connected yet.
    pub(crate) fn new(world: World<'_>) -> Self {
        let ring = || Box::leak(vec![0; 4_096].into_boxed_slice());
        Client { socket: TcpSocket::new(world.client, ring(), ring()) }
    }

    pub(crate) async fn connect(world: World<'_>) -> Self {
        let mut client = Client::new(world);
        client.socket.set_nagle_enabled(false);
        client.socket.connect((SERVER, PORT)).await.expect("a server that listens");
        client
    }

    /// Sends its SYN and waits a little.
    pub(crate) async fn begin(world: World<'_>) -> Self {
        let mut client = Client::new(world);
        let connected =
            embassy_time::with_timeout(Duration::from_millis(10), client.socket.connect((SERVER, PORT))).await;
        assert!(connected.is_err());
        client
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) {
        let mut octets = octets;
        while !octets.is_empty() {
            let sent = self.socket.write(octets).await.expect("a connection");
            octets = &octets[sent..];
        }
    }

    /// Reads one response: its status and body. `None`: the connection has ended.
    pub(crate) async fn answer(&mut self) -> Option<(u16, String)> {
        let mut octets = Vec::new();
        loop {
            let mut buffer = [0; 1];
            match self.socket.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => octets.push(buffer[0]),
            }
            let text = String::from_utf8_lossy(&octets);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            if body.len() == length.map_or(0, |length| length.parse().expect("a length")) {
                return Some((head[9..12].parse().expect("a status"), body.to_owned()));
            }
        }
    }

    /// Adds a number and returns the sum; 0 where the connection has ended.
    pub(crate) async fn add(&mut self, number: i64) -> i64 {
        let body = number.to_string();
        let head = format!("POST /add HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
        if self.socket.write((head + &body).as_bytes()).await.is_err() {
            return 0;
        }
        self.answer().await.map_or(0, |(status, body)| if status == 200 { body.parse().expect("a sum") } else { -1 })
    }

    /// Waits for the server's close, with nothing before it.
    pub(crate) async fn is_ended(&mut self) -> bool {
        !matches!(self.socket.read(&mut [0; 1]).await, Ok(1..))
    }
}
