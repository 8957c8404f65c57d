//! What a lane and its port share: bytes both ways, the session, and what the lane waits for.
//!
//! Input, body, output and session stand in cells of their own, because they are lent apart: a request keeps the input
//! (its head stays where it is, also across awaits) while the port receives into the body and sends from the output. A
//! lease that the port cannot take is back-pressure. Nothing is borrowed by the port while it polls the lane.

use core::{
    cell::{Cell, RefCell},
    fmt,
    net::SocketAddr,
};

use tenure_proto::{
    chunked::ChunkedDecoder,
    head::{Head, HeadLimits, HeadMemo, HeadParser},
    refusal::Refusal,
};

use crate::{
    ConnectionId, EndReason, Limits, NEVER, engine::buffer::Buffer, engine::output::Output, exchange::body::Fault,
};

/// Where a lane stands between two polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// At a message boundary, nothing unread: the connection may be detached.
    Between,
    /// A head is incomplete.
    Head,
    /// A request is being answered.
    Exchange,
    /// What is in the output is the last that is sent.
    Close,
    /// The connection is to be reset.
    Abort,
}

/// What a lane must do instead of serving a request: its future has been set anew in the midst of one, or a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Answer the refusal and close.
    Refuse(Refusal),
    /// The handler panicked: answer 500 and go on.
    Failed,
    /// The handler missed its deadline: answer 503 and go on.
    Overdue,
}

/// Why a connection is to end behind what is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Shutdown,
    Closed,
}

impl From<Ending> for EndReason {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Shutdown => EndReason::Shutdown,
            Ending::Closed => EndReason::Closed,
        }
    }
}

/// Where the peer's address comes from: some ports ask for it only when it is wanted.
#[derive(Clone, Copy, Debug)]
pub enum Peer {
    /// There is none.
    Unknown,
    /// It is known.
    Known(SocketAddr),
    /// The port looks it up by its number for the socket.
    Ask(fn(i64) -> Option<SocketAddr>, i64),
}

impl Peer {
    /// The address. Where the port must ask for it this is a system call; `None`, too, where the peer is gone already.
    pub fn address(self) -> Option<SocketAddr> {
        match self {
            Peer::Unknown => None,
            Peer::Known(address) => Some(address),
            Peer::Ask(ask, socket) => ask(socket),
        }
    }
}

/// Bytes of requests: heads, and what came with them.
#[repr(C)]
pub(crate) struct Input {
    pub(crate) buffer: Buffer,
    /// First byte of the request at hand.
    pub(crate) start: usize,
    /// Behind the last byte received.
    pub(crate) end: usize,
    pub(crate) parser: HeadParser,
    memo: HeadMemo,
}

impl Input {
    #[inline]
    pub(crate) fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// What is unread and what its head says, where that is the head before, byte by byte.
    #[inline]
    pub(crate) fn recall(&self, limits: &HeadLimits) -> Option<(&[u8], &Head)> {
        let bytes = self.buffer.get(self.start..self.end)?;
        Some((bytes, self.parser.recall(bytes, limits, &self.memo)?))
    }

    /// Reads on a head that is not the one before; where it is complete, what is unread and what the head says.
    #[inline]
    pub(crate) fn parse(&mut self, limits: &HeadLimits) -> Result<Option<(&[u8], &Head)>, Refusal> {
        // There always are such bytes: without them nothing would be complete.
        let Some(bytes) = self.buffer.get(self.start..self.end) else { return Ok(None) };
        let head = self.parser.learn(bytes, limits, &mut self.memo)?;
        Ok(head.map(|head| (bytes, head)))
    }

    /// Moves what is unread to the front, so that a whole head has room.
    pub(crate) fn compact(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }

    pub(crate) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
        self.parser = HeadParser::new();
    }
}

/// Bytes of a request's body. They begin behind the head in the input; what comes later is received here.
pub(crate) struct BodyInput {
    pub(crate) buffer: Buffer,
    /// The next unread byte: in the bytes from the request's start on, or in `buffer`.
    pub(crate) at: usize,
    /// What follows is as it is at a request's start: whoever may change it sets this back.
    pub(crate) fresh: bool,
    /// Whether the input's bytes have been used up and `at` and `end` now count in `buffer`.
    pub(crate) spilled: bool,
    /// Behind the last byte received in `buffer`.
    pub(crate) end: usize,
    /// Bytes at the front of `buffer` that are a body being put together.
    pub(crate) filled: usize,
    pub(crate) chunked: Option<ChunkedDecoder>,
    /// Bytes handed out.
    pub(crate) taken: u64,
    /// Bytes that may still be handed out.
    pub(crate) left: u64,
    /// More than that has come, or was announced: nothing more is handed out.
    pub(crate) exceeded: bool,
    /// Why nothing more of it can be had.
    pub(crate) lost: Option<Fault>,
}

impl BodyInput {
    /// As it is at a request's start.
    #[cold]
    pub(crate) fn renew(&mut self, bytes_max: u64) {
        self.fresh = true;
        (self.spilled, self.exceeded) = (false, false);
        (self.end, self.filled, self.taken) = (0, 0, 0);
        (self.left, self.lost, self.chunked) = (bytes_max, None, None);
    }

    /// Bytes that a chunk has announced and that are still to come.
    pub(crate) fn missing(&self) -> u64 {
        self.chunked.as_ref().map_or(0, ChunkedDecoder::missing)
    }
}

/// The part of a wire that does not depend on the session's type: one copy of the code.
// In this order, because what is small and often used is reached by the shortest instructions where it stands in front.
#[repr(C)]
pub(crate) struct Shared {
    /// Bytes of the body not yet handed out; `u64::MAX` while chunks may follow.
    pub(crate) rest: Cell<u64>,
    pub(crate) now_ms: Cell<u32>,
    pub(crate) arrived_ms: Cell<u32>,
    /// What this request has waited for its body, and for all else.
    pub(crate) body_waited_ms: Cell<u32>,
    pub(crate) handler_waited_ms: Cell<u32>,
    /// What this request's route says of deadlines.
    pub(crate) route_handler_ms: Cell<Option<u32>>,
    pub(crate) route_body_ms: Cell<Option<u32>>,
    pub(crate) id: Cell<ConnectionId>,
    pub(crate) state: Cell<State>,
    /// The lane waits for bytes of a body.
    pub(crate) wants_body: Cell<bool>,
    /// The lane waits for room in the output.
    pub(crate) wants_room: Cell<bool>,
    /// A client waits for `100 (Continue)`.
    pub(crate) expects_continue: Cell<bool>,
    /// The peer has closed its side: no more bytes will come.
    pub(crate) ended: Cell<bool>,
    /// This exchange has had its panic: another one ends the connection.
    pub(crate) failed: Cell<bool>,
    /// The rest of a body is being read for the sake of the connection alone: a response waits behind it.
    pub(crate) settling: Cell<bool>,
    /// That rest has not come in time: the response goes without it.
    pub(crate) rest_overdue: Cell<bool>,
    /// Another lane is free, so that a handler that takes long may start.
    pub(crate) may_wait_long: Cell<bool>,
    pub(crate) pin: Cell<Option<bool>>,
    pub(crate) order: Cell<Option<Order>>,
    pub(crate) body: RefCell<BodyInput>,
    pub(crate) output: RefCell<Output>,
    pub(crate) input: RefCell<Input>,
    /// Why the connection ends, when it does.
    pub(crate) reason: Cell<EndReason>,
    /// The connection ends after what is at work: the response says so.
    pub(crate) ending: Cell<Option<Ending>>,
    pub(crate) peer: Cell<Peer>,
    pub(crate) limits: Limits,
    pub(crate) head_limits: HeadLimits,
    /// Bytes of the whole input buffer.
    input_bytes: usize,
}

/// The connection between one lane and its port.
#[repr(C)]
pub struct Wire<S> {
    pub(crate) shared: Shared,
    pub(crate) session: RefCell<Option<S>>,
}

impl<S> Wire<S> {
    /// A wire over three buffers: `input` holds a request's head and what came with it, `body` what of a body comes
    /// later (no more of it than `input` has is used), `output` responses.
    ///
    /// # Panics
    /// When `input` or `output` has less than 256 bytes: no response head would fit; or `body` has none.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub fn new(input: Buffer, body: Buffer, output: Buffer, limits: Limits) -> Self {
        assert!(input.len() >= 256 && output.len() >= 256, "an input and an output buffer need 256 bytes each");
        assert!(!body.is_empty(), "a body buffer needs a byte, or what comes of a body later could not be dropped");
        let input_bytes = input.len();
        let head_limits = HeadLimits {
            head_bytes_max: limits.head_bytes_max.min(u32::try_from(input.len()).unwrap_or(u32::MAX)),
            target_bytes_max: limits.target_bytes_max,
            tolerate_lone_lf: limits.tolerate_lone_lf,
        };
        Wire {
            shared: Shared {
                input: RefCell::new(Input {
                    buffer: input,
                    start: 0,
                    end: 0,
                    parser: HeadParser::new(),
                    memo: HeadMemo::new(),
                }),
                body: RefCell::new(BodyInput {
                    buffer: body,
                    at: 0,
                    fresh: true,
                    spilled: false,
                    end: 0,
                    filled: 0,
                    chunked: None,
                    taken: 0,
                    left: limits.body_bytes_max,
                    exceeded: false,
                    lost: None,
                }),
                output: RefCell::new(Output::new(output, limits.content_type)),
                state: Cell::new(State::Between),
                wants_body: Cell::new(false),
                wants_room: Cell::new(false),
                rest: Cell::new(0),
                expects_continue: Cell::new(false),
                ended: Cell::new(false),
                ending: Cell::new(None),
                order: Cell::new(None),
                failed: Cell::new(false),
                settling: Cell::new(false),
                rest_overdue: Cell::new(false),
                reason: Cell::new(EndReason::PeerClosed),
                id: Cell::new(ConnectionId::NONE),
                peer: Cell::new(Peer::Unknown),
                now_ms: Cell::new(0),
                arrived_ms: Cell::new(0),
                body_waited_ms: Cell::new(0),
                handler_waited_ms: Cell::new(0),
                route_handler_ms: Cell::new(None),
                route_body_ms: Cell::new(None),
                may_wait_long: Cell::new(true),
                pin: Cell::new(None),
                limits,
                head_limits,
                input_bytes,
            },
            session: RefCell::new(None),
        }
    }
}

impl<S> fmt::Debug for Wire<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire(connection {}, {:?})", self.shared.id.get(), self.shared.state.get())
    }
}

/// What there was to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// That many bytes, at least one.
    Bytes(usize),
    /// None now.
    Blocked,
    /// The peer has closed its side.
    Closed,
    /// The connection is gone.
    Reset,
}

impl Shared {
    /// Ready for the next connection, the session taken out and nothing leased.
    pub(crate) fn reset(&self) {
        self.settling.set(false);
        self.rest_overdue.set(false);
        self.input.borrow_mut().clear();
        self.output.borrow_mut().clear();
        self.state.set(State::Between);
        self.rest.set(0);
        self.ended.set(false);
        self.ending.set(None);
        self.body_waited_ms.set(0);
        self.handler_waited_ms.set(0);
        self.order.set(None);
        self.failed.set(false);
        self.pin.set(None);
    }

    /// Lets the port receive where the lane wants bytes now. `None`: nowhere.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn receive(&self, receive: impl FnOnce(&mut [u8]) -> Received) -> Option<Received> {
        let (mut input, mut body);
        let (space, end) = if self.state.get() == State::Exchange {
            if !self.wants_body.get() {
                return None;
            }
            body = self.body.try_borrow_mut().ok()?;
            let body = &mut *body;
            let bytes_max = if body.chunked.is_some() {
                // What stands behind the last chunk is the next request: it must fit the input.
                self.input_bytes
            } else {
                // Nothing behind a body of known length is received with it: the next request begins in the input.
                let missing = self.rest.get().saturating_sub((body.end - body.at) as u64);
                usize::try_from(missing).unwrap_or(usize::MAX)
            };
            let space = body.buffer.get_mut(body.end..).unwrap_or_default();
            let bytes = bytes_max.min(space.len());
            (&mut space[..bytes], &mut body.end)
        } else {
            input = self.input.try_borrow_mut().ok()?;
            let input = &mut *input;
            (input.buffer.get_mut(input.end..).unwrap_or_default(), &mut input.end)
        };
        if space.is_empty() {
            return None;
        }
        let received = receive(space);
        match received {
            Received::Bytes(bytes) => *end += bytes,
            Received::Closed => self.ended.set(true),
            Received::Blocked | Received::Reset => {}
        }
        Some(received)
    }

    /// When the port must have acted at the latest for this request's handler.
    pub(crate) fn handler_ms(&self, default_ms: u32) -> u32 {
        self.route_handler_ms.get().unwrap_or(default_ms)
    }

    /// What the body may take by now, bytes that have come counted in.
    pub(crate) fn body_ms(&self, default_ms: u32, bytes_per_s: u32) -> u32 {
        let base_ms = self.route_body_ms.get().unwrap_or(default_ms);
        if bytes_per_s == 0 || base_ms == NEVER {
            return NEVER;
        }
        let received = self.body.try_borrow().map_or(0, |body| body.taken + (body.end.saturating_sub(body.at)) as u64);
        let granted = received.min(u64::MAX / 1000) * 1000 / u64::from(bytes_per_s);
        u32::try_from(granted).unwrap_or(NEVER).saturating_add(base_ms)
    }
}
