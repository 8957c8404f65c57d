//! Two stacks on a cable, tasks that are polled only when they are woken, and time that passes only when nobody is.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Wake, Waker},
};

use embassy_net::{
    Config, ConfigV6, IpEndpoint, Ipv4Address, Ipv4Cidr, Ipv6Address, Ipv6Cidr, Stack, StackResources, StaticConfigV4,
    StaticConfigV6,
    tcp::TcpSocket,
    udp::{PacketMetadata, UdpSocket},
};
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_time::{Duration, MockDriver};
use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        DhcpMessageType, DhcpPacket, DhcpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr,
        Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv4Packet, Ipv4Repr, Ipv6Packet, Ipv6Repr, NdiscPrefixInfoFlags,
        NdiscPrefixInformation, NdiscRepr, NdiscRouterFlags, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
    },
};
use tenure::{
    Admission, ConnectionId, EndReason, Error, EventTopic, Events, Handler, Message, MessageTopic, Method, Observer,
    PeerAddress, Request, Responder, Router, Sent, Session, StatusCode, Upgrade, events, get, respond, websocket,
};
use tenure_embassy::{Memory, Pushes, Server, Settings, SteadyLink, SynGate, beating, paced};

pub(crate) const SERVER: Ipv4Address = Ipv4Address::new(10, 0, 0, 1);
pub(crate) const CLIENT: Ipv4Address = Ipv4Address::new(10, 0, 0, 2);
pub(crate) const PORT: u16 = 80;
/// Sockets that each of the two stacks has room for; the client's own for DHCP is one.
pub(crate) const STACK_SOCKETS: usize = 48;
/// For how long DHCP gives an address.
pub(crate) const LEASE_S: u32 = 60;
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
    /// There is a link.
    link: &'static Link,
    /// TCP segments that go to the other end.
    sent: &'static RefCell<Vec<Segment>>,
}

/// A TCP segment over IPv4: bytes that it carries, and whether it resets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) bytes: usize,
    pub(crate) resets: bool,
}

impl Segment {
    /// What is in an Ethernet frame.
    fn of(frame: &[u8]) -> Option<Self> {
        let packet = EthernetFrame::new_checked(frame).ok()?;
        let packet = Ipv4Packet::new_checked(packet.payload()).ok()?;
        let segment =
            (packet.next_header() == IpProtocol::Tcp).then(|| TcpPacket::new_checked(packet.payload()))?.ok()?;
        Some(Segment { bytes: segment.payload().len(), resets: segment.rst() })
    }
}

/// Whether a device has a link, and who wants to know.
pub(crate) struct Link {
    up: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Link {
    fn new() -> &'static Link {
        Box::leak(Box::new(Link { up: Cell::new(true), waker: RefCell::default() }))
    }

    fn set(&self, up: bool) {
        self.up.set(up);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

struct Frame(Vec<u8>);
struct Room(Rc<RefCell<End>>, &'static RefCell<Vec<Segment>>);

/// Lets a frame arrive.
fn arrive(end: &RefCell<End>, frame: Vec<u8>) {
    let mut end = end.borrow_mut();
    end.frames.push_back(frame);
    if let Some(waker) = end.waker.take() {
        waker.wake();
    }
}

impl RxToken for Frame {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, read: F) -> R {
        read(&mut self.0)
    }
}

impl TxToken for Room {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, bytes: usize, write: F) -> R {
        let mut frame = vec![0; bytes];
        let result = write(&mut frame);
        self.1.borrow_mut().extend(Segment::of(&frame));
        arrive(&self.0, frame);
        result
    }
}

impl Driver for Plug {
    type RxToken<'a> = Frame;
    type TxToken<'a> = Room;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Frame, Room)> {
        let mut own = self.own.borrow_mut();
        own.waker = Some(context.waker().clone());
        if self.cut.get() || !self.link.up.get() {
            own.frames.clear();
        }
        Some((Frame(own.frames.pop_front()?), Room(self.other.clone(), self.sent)))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Room> {
        Some(Room(self.other.clone(), self.sent))
    }

    fn link_state(&mut self, context: &mut Context<'_>) -> LinkState {
        *self.link.waker.borrow_mut() = Some(context.waker().clone());
        if self.link.up.get() { LinkState::Up } else { LinkState::Down }
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

/// A static address of IPv4, and one of IPv6 with the same last byte.
pub(crate) fn config(address: Ipv4Address) -> Config {
    let mut config = Config::ipv4_static(StaticConfigV4 {
        address: Ipv4Cidr::new(address, 24),
        gateway: None,
        dns_servers: heapless::Vec::new(),
    });
    config.ipv6 = v6(address.octets()[3]);
    config
}

/// An address of IPv6 with that last byte.
pub(crate) fn v6(last: u8) -> ConfigV6 {
    ConfigV6::Static(StaticConfigV6 {
        address: Ipv6Cidr::new(Ipv6Address::new(0xfd00, 0, 0, 0, 0, 0, 0, last.into()), 64),
        gateway: None,
        dns_servers: heapless::Vec::new(),
    })
}

/// What is polled with another waker each time, of which only the last one wakes.
async fn with_changing_wakers(future: impl Future<Output = ()>) {
    struct Once(Waker, AtomicU32, Arc<AtomicU32>);
    impl Wake for Once {
        fn wake(self: Arc<Self>) {
            if self.1.load(Ordering::Relaxed) == self.2.load(Ordering::Relaxed) {
                self.0.wake_by_ref();
            }
        }
    }
    let mut future = pin!(future);
    let polls = Arc::<AtomicU32>::default();
    poll_fn(|context| {
        let number = polls.fetch_add(1, Ordering::Relaxed) + 1;
        let waker = Waker::from(Arc::new(Once(context.waker().clone(), number.into(), polls.clone())));
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await;
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
    /// Newcomers are refused.
    pub(crate) refuses: Cell<bool>,
    pub(crate) turned_away: Cell<u32>,
}

impl Observer for Ends {
    fn connected(&self, _: ConnectionId, _: Option<PeerAddress>) -> Admission {
        if self.refuses.get() { Admission::Refuse } else { Admission::Accept }
    }

    fn turned_away(&self, _: PeerAddress) {
        self.turned_away.set(self.turned_away.get() + 1);
    }

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

/// Waits for its client alone.
async fn closed(request: &mut Request<'_, Sum>) -> &'static str {
    request.peer_closed().await;
    "closed"
}

/// Waits for what never happens, for as long as anybody does.
async fn quiet(request: &mut Request<'_, Sum>) -> Result<(), Error> {
    request.while_open(pending()).await
}

/// Reads its body and sends [`LONG`] at once.
async fn both<'r>(request: &mut Request<'r, Sum>, responder: Responder<'r>) -> Result<Sent, Error> {
    let mut stream = responder.duplex(StatusCode::OK, &[]).await?;
    let reads = async {
        while request.body().limit(1 << 20).read().await?.is_some() {}
        Ok::<_, Error>(())
    };
    let (read, written) = embassy_futures::join::join(reads, stream.write(LONG.as_bytes())).await;
    read.and(written)?;
    stream.finish().await
}

/// More than a socket's ring takes at once.
pub(crate) const LONG: &str = match str::from_utf8(&[b'x'; 20_000]) {
    Ok(text) => text,
    Err(_) => "",
};

pub(crate) const ROOM: MessageTopic = MessageTopic::new(2);
pub(crate) const NEWS: EventTopic = EventTopic::new(15);

async fn enter(_: &mut Request<'_, Sum>) -> Result<Upgrade, Error> {
    Ok(Upgrade::websocket().topic(ROOM))
}

/// Echoes, and tells all.
async fn said(message: &mut Message<'_, Sum>) -> Result<(), Error> {
    let text = message.text()?;
    if text == "all" {
        return message.publish(ROOM, tenure::Frame::text(text));
    }
    message.send(tenure::Frame::text(text)).await
}

pub(crate) fn app() -> impl Handler<Sum> {
    Router::new()
        .route("/add", get(add).post(add))
        .route(
            "/port",
            get(async |request: &mut Request<'_, Sum>| {
                request.peer().and_then(PeerAddress::socket_addr).map_or(0, |peer| peer.port())
            }),
        )
        .route("/wait", get(wait))
        .route("/both", respond(Method::Post, both))
        .route("/closed", get(closed))
        .route("/quiet", get(quiet))
        .route("/long-wait", get(wait).waits_long())
        .route("/long", get(async |_: &mut Request<'_, Sum>| LONG))
        .route("/chat", websocket(enter, said))
        .route("/events", events(async |_: &mut Request<'_, Sum>| Events::new().topic(NEWS)))
}

pub(crate) const SESSIONS: usize = 3;
pub(crate) const LANES: usize = 2;
pub(crate) const SOCKETS: usize = 5;

/// What a test has at hand.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) client: Stack<'static>,
    pub(crate) server: Stack<'static>,
    pub(crate) handle: tenure_embassy::Handle,
    pub(crate) pushes: &'static Pushes<2, 64>,
    pub(crate) ends: &'a Ends,
    cut: &'a Cell<bool>,
    link: &'static Link,
    sent: &'static RefCell<Vec<Segment>>,
    server_end: &'static Rc<RefCell<End>>,
    /// The address that is given by DHCP: 10.0.0 and that.
    pub(crate) offered: &'static Cell<Option<u8>>,
    /// Whoever gives it says nothing of addresses that it does not know, instead of refusing them.
    pub(crate) ignorant: &'static Cell<bool>,
    /// Questions for an address that were answered.
    pub(crate) answered: &'static Cell<u32>,
}

/// How a server is run.
#[derive(Clone)]
pub(crate) struct Runs {
    pub(crate) settings: Settings,
    /// How often, one run after the other.
    pub(crate) count: u32,
    /// When one more run, before those, is dropped.
    pub(crate) dropped_after_ms: Option<u64>,
    /// With another waker at each poll.
    pub(crate) rewoken: bool,
    /// How the stack gets its addresses, and how long its link may be away unseen.
    pub(crate) config: Config,
    pub(crate) patience_ms: u64,
    /// Behind a gate that drops SYNs while no socket listens.
    pub(crate) gated: bool,
    /// What its signs of life are counted in.
    pub(crate) beats: Option<Rc<Cell<u32>>>,
}

impl Runs {
    /// Once.
    pub(crate) fn of(settings: Settings) -> Self {
        let config = config(SERVER);
        Runs {
            settings,
            count: 1,
            dropped_after_ms: None,
            rewoken: false,
            config,
            patience_ms: 0,
            gated: false,
            beats: None,
        }
    }
}

impl World<'_> {
    /// What the server sends is lost, or no longer so.
    pub(crate) fn cut(&self, lost: bool) {
        self.cut.set(lost);
    }

    /// A device with the server's link and no cable.
    pub(crate) fn device(&self) -> impl Driver {
        let (cut, sent) = (Box::leak(Box::default()), Box::leak(Box::default()));
        Plug { own: Rc::default(), other: Rc::default(), address: 9, cut, link: self.link, sent }
    }

    /// What the server has sent since it was asked last.
    pub(crate) fn sent(&self) -> Vec<Segment> {
        self.sent.take()
    }

    /// Lets a router tell the server that it may make an address of that prefix, for so many seconds.
    pub(crate) fn advertise(&self, prefix: u16, valid_s: u64) {
        arrive(self.server_end, advertisement(Ipv6Address::new(prefix, 0, 0, 0, 0, 0, 0, 0), valid_s));
    }

    /// Lets 10.0.0 and `host` send the server a SYN from that port; what it is answered reaches nobody.
    pub(crate) fn begin_as(&self, host: u8, port: u16) {
        arrive(self.server_end, syn(host, port));
    }

    /// Takes the server's link away, or gives it back.
    pub(crate) fn link(&self, up: bool) {
        self.link.set(up);
    }
}

/// Runs a test beside a server of three sessions and two lanes.
pub(crate) fn with_server<F: Future<Output = ()>>(runs: Runs, test: impl FnOnce(World<'static>) -> F) {
    with_board::<SESSIONS, LANES, SOCKETS, 600, 512, F>(runs, test);
}

/// The same beside a server of another size.
pub(crate) fn with_board<
    const SESSIONS: usize,
    const LANES: usize,
    const SOCKETS: usize,
    const RING: usize,
    const BUFFER: usize,
    F: Future<Output = ()>,
>(
    runs: Runs,
    test: impl FnOnce(World<'static>) -> F,
) {
    // Time is one for the whole process.
    static TIME: Mutex<()> = Mutex::new(());
    let _time = TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (one, two) = (Rc::<RefCell<End>>::default(), Rc::<RefCell<End>>::default());
    let cut: &'static Cell<bool> = Box::leak(Box::default());
    let whole: &'static Cell<bool> = Box::leak(Box::default());
    let link = Link::new();
    let sent: &'static RefCell<Vec<Segment>> = Box::leak(Box::default());
    let offered: &'static Cell<Option<u8>> = Box::leak(Box::new(Cell::new(Some(1))));
    let ignorant: &'static Cell<bool> = Box::leak(Box::default());
    let answered: &'static Cell<u32> = Box::leak(Box::default());
    let server_end: &'static Rc<RefCell<End>> = Box::leak(Box::new(one.clone()));
    let plug = |own: &Rc<RefCell<End>>, other: &Rc<RefCell<End>>, address, cut, link, sent| Plug {
        own: own.clone(),
        other: other.clone(),
        address,
        cut,
        link,
        sent,
    };
    let server_device =
        SteadyLink::new(plug(&one, &two, 1, whole, link, sent), Duration::from_millis(runs.patience_ms));
    let device = plug(&two, &one, 2, cut, Link::new(), Box::leak(Box::default()));
    let (client_stack, mut client_runner) = embassy_net::new(device, config(CLIENT), resources(), 2);
    let pushes: &'static Pushes<2, 64> = Box::leak(Box::default());
    let memory = Box::leak(Box::new(Memory::<Sum, SESSIONS, LANES, SOCKETS, RING, BUFFER>::new()));
    let mut server: Server<Sum, SESSIONS, LANES, SOCKETS, RING> = Server::new(memory, runs.settings).push_from(pushes);
    let (server_stack, server_network) = if runs.gated {
        network(SynGate::new(server_device, server.listening()), runs.config)
    } else {
        network(server_device, runs.config)
    };
    let ends: &'static Ends = Box::leak(Box::default());
    let app = app();
    let handle = server.handle();
    let world = World {
        client: client_stack,
        server: server_stack,
        handle,
        pushes,
        ends,
        cut,
        link,
        sent,
        server_end,
        offered,
        ignorant,
        answered,
    };
    let test = pin!(test(world));
    let beats = runs.beats;
    let serve = async {
        if let Some(ms) = runs.dropped_after_ms {
            let run = server.run(server_stack, &app, ends);
            let _ = embassy_time::with_timeout(Duration::from_millis(ms), run).await;
        }
        for _ in 0..runs.count {
            let run = server.run(server_stack, &app, ends);
            if runs.rewoken { with_changing_wakers(run).await } else { run.await }
        }
    };
    let serve = pin!(async {
        match beats {
            Some(beats) => beating(serve, || beats.set(beats.get() + 1)).await,
            None => serve.await,
        }
    });
    let give_addresses = pin!(give_addresses(client_stack, offered, ignorant, answered));
    let server_network = pin!(server_network);
    let client_network = pin!(async {
        client_runner.run().await;
    });
    run(&mut [test, serve, server_network, client_network, give_addresses]);
}

fn resources() -> &'static mut StackResources<STACK_SOCKETS> {
    Box::leak(Box::new(StackResources::new()))
}

/// A stack on a device, and what runs it.
fn network(device: impl Driver + 'static, config: Config) -> (Stack<'static>, Pin<Box<dyn Future<Output = ()>>>) {
    let (stack, mut runner) = embassy_net::new(device, config, resources(), 1);
    let run = async move {
        paced(runner.run()).await;
    };
    (stack, Box::pin(run))
}

/// A router's advertisement of a prefix (RFC 4861 section 4.2), from the client's link-local address to all nodes.
fn advertisement(prefix: Ipv6Address, valid_s: u64) -> Vec<u8> {
    let (from, to) = (link_local(2), Ipv6Address::new(0xff02, 0, 0, 0, 0, 0, 0, 1));
    let valid_lifetime = smoltcp::time::Duration::from_secs(valid_s);
    let advertisement = Icmpv6Repr::Ndisc(NdiscRepr::RouterAdvert {
        hop_limit: 64,
        flags: NdiscRouterFlags::empty(),
        router_lifetime: smoltcp::time::Duration::from_secs(1_800),
        reachable_time: smoltcp::time::Duration::ZERO,
        retrans_time: smoltcp::time::Duration::ZERO,
        lladdr: None,
        mtu: None,
        prefix_info: Some(NdiscPrefixInformation {
            prefix_len: 64,
            flags: NdiscPrefixInfoFlags::ON_LINK | NdiscPrefixInfoFlags::ADDRCONF,
            valid_lifetime,
            preferred_lifetime: valid_lifetime,
            prefix,
        }),
    });
    let packet = Ipv6Repr {
        src_addr: from,
        dst_addr: to,
        next_header: IpProtocol::Icmpv6,
        payload_len: advertisement.buffer_len(),
        hop_limit: 255,
    };
    let head = EthernetRepr {
        src_addr: EthernetAddress([2, 0, 0, 0, 0, 2]),
        dst_addr: EthernetAddress([0x33, 0x33, 0, 0, 0, 1]),
        ethertype: EthernetProtocol::Ipv6,
    };
    let mut bytes = vec![0; head.buffer_len() + packet.buffer_len() + packet.payload_len];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    head.emit(&mut frame);
    let mut inner = Ipv6Packet::new_unchecked(frame.payload_mut());
    packet.emit(&mut inner);
    let mut message = Icmpv6Packet::new_unchecked(inner.payload_mut());
    advertisement.emit(&from, &to, &mut message, &ChecksumCapabilities::default());
    bytes
}

/// A SYN to the server.
fn syn(host: u8, port: u16) -> Vec<u8> {
    let (from, to) = (Ipv4Address::new(10, 0, 0, host), SERVER);
    let segment = TcpRepr {
        src_port: port,
        dst_port: PORT,
        control: TcpControl::Syn,
        seq_number: TcpSeqNumber(1),
        ack_number: None,
        window_len: 1_000,
        window_scale: None,
        max_seg_size: Some(1_460),
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    let packet = Ipv4Repr {
        src_addr: from,
        dst_addr: to,
        next_header: IpProtocol::Tcp,
        payload_len: segment.buffer_len(),
        hop_limit: 64,
    };
    let head = EthernetRepr {
        src_addr: EthernetAddress([2, 0, 0, 0, 0, host]),
        dst_addr: EthernetAddress([2, 0, 0, 0, 0, 1]),
        ethertype: EthernetProtocol::Ipv4,
    };
    let mut bytes = vec![0; head.buffer_len() + packet.buffer_len() + packet.payload_len];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    head.emit(&mut frame);
    let mut inner = Ipv4Packet::new_unchecked(frame.payload_mut());
    packet.emit(&mut inner, &ChecksumCapabilities::default());
    let mut message = TcpPacket::new_unchecked(inner.payload_mut());
    segment.emit(&mut message, &from.into(), &to.into(), &ChecksumCapabilities::default());
    bytes
}

/// The link-local address that the server's device makes (1), or the client's (2).
pub(crate) fn link_local(last: u16) -> Ipv6Address {
    made_of(0xfe80, last)
}

/// The address that is made of a prefix and of the server's hardware address (1), or the client's (2).
pub(crate) fn made_of(prefix: u16, last: u16) -> Ipv6Address {
    Ipv6Address::new(prefix, 0, 0, 0, 0, 0xff, 0xfe00, last)
}

/// Gives the address that is offered to whoever asks by DHCP (RFC 2131); refuses another one that is asked for.
async fn give_addresses(
    stack: Stack<'static>,
    offered: &Cell<Option<u8>>,
    ignorant: &Cell<bool>,
    answered: &Cell<u32>,
) {
    let ring = || Box::leak(vec![0; 2_048].into_boxed_slice());
    let records = || Box::leak(Box::new([PacketMetadata::EMPTY; 4]));
    let mut socket = UdpSocket::new(stack, records(), ring(), records(), ring());
    socket.bind(67).expect("nobody else's port");
    loop {
        let mut request = [0; 1_024];
        let (bytes, _) = socket.recv_from(&mut request).await.expect("room for a request");
        let packet = DhcpPacket::new_checked(&request[..bytes]).expect("a request");
        let request = DhcpRepr::parse(&packet).expect("a request");
        let Some(last) = offered.get() else { continue };
        let address = Ipv4Address::new(10, 0, 0, last);
        let wants_another = request.requested_ip.is_some_and(|wanted| wanted != address)
            || !request.client_ip.is_unspecified() && request.client_ip != address;
        let message_type = match request.message_type {
            DhcpMessageType::Discover => DhcpMessageType::Offer,
            DhcpMessageType::Request if wants_another => DhcpMessageType::Nak,
            _ => DhcpMessageType::Ack,
        };
        if message_type == DhcpMessageType::Nak && ignorant.get() {
            continue;
        }
        answered.set(answered.get() + 1);
        let answer = DhcpRepr {
            message_type,
            your_ip: address,
            server_ip: CLIENT,
            client_ip: Ipv4Address::UNSPECIFIED,
            router: None,
            subnet_mask: Some(Ipv4Address::new(255, 255, 255, 0)),
            server_identifier: Some(CLIENT),
            lease_duration: Some(LEASE_S),
            requested_ip: None,
            client_identifier: None,
            parameter_request_list: None,
            max_size: None,
            ..request
        };
        let mut bytes = vec![0; answer.buffer_len()];
        answer.emit(&mut DhcpPacket::new_unchecked(&mut bytes[..])).expect("room for the answer");
        let _ = socket.send_to(&bytes, (Ipv4Address::BROADCAST, 68)).await;
    }
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
        Client::connect_to(world, (SERVER, PORT)).await
    }

    pub(crate) async fn connect_to(world: World<'_>, endpoint: impl Into<IpEndpoint>) -> Self {
        let mut client = Client::new(world);
        client.socket.set_nagle_enabled(false);
        client.socket.connect(endpoint).await.expect("a server that listens");
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

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let sent = self.socket.write(bytes).await.expect("a connection");
            bytes = &bytes[sent..];
        }
    }

    /// Reads one response: its status and body. `None`: the connection has ended.
    pub(crate) async fn answer(&mut self) -> Option<(u16, String)> {
        let mut bytes = Vec::new();
        loop {
            let mut buffer = [0; 1];
            match self.socket.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => bytes.push(buffer[0]),
            }
            let text = String::from_utf8_lossy(&bytes);
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

    /// Connects, and opens what stays open at that target.
    pub(crate) async fn open(world: World<'_>, target: &str) -> Self {
        let mut client = Client::connect(world).await;
        let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n\r\n").as_bytes()).await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(client.take(1).await);
        }
        let head = String::from_utf8_lossy(&head);
        assert!(head.starts_with("HTTP/1.1 101 ") || head.starts_with("HTTP/1.1 200 "), "{head}");
        client
    }

    /// Sends a message, with a mask of zeros.
    pub(crate) async fn say(&mut self, text: &str) {
        let head = [0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
        self.send(&[&head, text.as_bytes()].concat()).await;
    }

    /// Receives exactly so many bytes.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<u8> {
        let (mut bytes, mut at) = (vec![0; count], 0);
        while at < count {
            at += self.socket.read(&mut bytes[at..]).await.expect("a connection");
        }
        bytes
    }

    /// Waits for the server's close, with nothing before it.
    pub(crate) async fn is_ended(&mut self) -> bool {
        !matches!(self.socket.read(&mut [0; 1]).await, Ok(1..))
    }
}
