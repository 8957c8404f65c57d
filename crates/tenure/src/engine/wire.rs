//! What a lane and its port share: bytes both ways, the session, and what the lane waits for.
//!
//! Input, body, output and session have cells of their own, because they are borrowed separately: a request keeps the input (its
//! head stays in place across awaits) while the port receives into the body and sends from the output. If the port cannot borrow
//! one, that is back-pressure. The port borrows nothing while it polls the lane.

use core::{
    cell::{Cell, RefCell},
    fmt,
    num::NonZeroU32,
};

use tenure_proto::{framing::Framing, head::HeadLimits, websocket::CloseCode};

#[cfg(feature = "alloc")]
use crate::engine::spares::Apart;
use crate::{
    ConnectionId, Limits,
    engine::{
        buffer::Buffer,
        input::{BodyInput, Input},
        output::Output,
        state::{Change, ConnectionState, Crowd, Drain, RequestState, RouteDeadlines, State, Turn, has_special_routes},
        waiters::Waiters,
    },
    exchange::reasons::Reasons,
    open::{audience::Heard, controls::Controls, journal::Journal, opens},
    peer::Peer,
    settings::granted_ms,
};

/// The part of a wire that does not depend on the session's type: one copy of the code.
// Small, hot fields first: the shortest instructions reach them there.
#[repr(C)]
pub(crate) struct Shared {
    /// Replaced when a request begins.
    pub(crate) request: Cell<RequestState>,
    /// Replaced before each poll of the lane.
    pub(crate) turn: Cell<Turn>,
    pub(crate) state: Cell<State>,
    /// The connection that the lane serves, or served last: usually it serves the same one again.
    pub(crate) id: Cell<ConnectionId>,
    /// Replaced when the lane gets a connection.
    pub(crate) connection: Cell<ConnectionState>,
    pub(crate) body: RefCell<BodyInput>,
    pub(crate) output: RefCell<Output>,
    pub(crate) input: RefCell<Input>,
    pub(crate) peer: Cell<Peer>,
    /// When to poll a lane that [sleeps](Turn::sleeps).
    pub(crate) wakes_ms: Cell<u32>,
    /// Reads the port's clock; `None` until a handler has slept on this lane.
    pub(crate) clock: Cell<Option<fn(u32) -> u32>>,
    pub(crate) waiters: Waiters,
    pub(crate) open: Open,
    /// Why a value was refused.
    pub(crate) reasons: Reasons,
    pub(crate) limits: Limits,
    pub(crate) head_limits: HeadLimits,
    /// Bytes of the whole input buffer.
    pub(crate) input_bytes: usize,
    /// What a lane that waits gives back, and gets again.
    #[cfg(feature = "alloc")]
    pub(crate) apart: Apart,
}

/// What a lane and its driver share about connections that stay open.
#[derive(Default)]
pub(crate) struct Open {
    /// What handlers have said to others.
    pub(crate) journal: RefCell<Journal>,
    /// Something stands in it.
    pub(crate) has_said: Cell<bool>,
    /// Which topics anybody may have joined.
    pub(crate) heard: Heard,
    /// As many connections as may be are open.
    pub(crate) is_full: Cell<bool>,
    /// A message is in the output in part.
    pub(crate) in_frame: Cell<bool>,
    /// Close the connection behind the message at hand.
    pub(crate) closing: Cell<Option<CloseCode>>,
    /// Pings and pongs of the peer.
    pub(crate) controls: Cell<Controls>,
    /// Where in memory the route is that has opened the connection.
    pub(crate) address: Cell<usize>,
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
        let bytes = [input.len(), body.len(), output.len()];
        Wire::of(bytes, [input, body, output], limits)
    }

    /// The same over buffers of that many bytes from the heap. They are there while a lane is polled: for a port whose lanes
    /// [`SHRINK`](crate::port::Port::SHRINK).
    ///
    /// # Panics
    /// As [`new`](Wire::new).
    #[cfg(feature = "alloc")]
    pub fn with_bytes(input: usize, body: usize, output: usize, limits: Limits) -> Self {
        Wire::of([input, body, output], Default::default(), limits)
    }

    #[cfg_attr(target_pointer_width = "32", inline(always))]
    fn of(bytes: [usize; 3], [input, body, output]: [Buffer; 3], limits: Limits) -> Self {
        let [input_bytes, body_bytes, output_bytes] = bytes;
        assert!(input_bytes >= 256 && output_bytes >= 256, "an input and an output buffer need 256 bytes each");
        assert!(body_bytes > 0, "a body buffer needs a byte, or what comes of a body later could not be dropped");
        #[cfg(feature = "alloc")]
        let apart = if input.is_empty() { Apart::new(body_bytes, output_bytes) } else { Apart::new(0, 0) };
        let head_limits = HeadLimits {
            head_bytes_max: limits.head_bytes_max.min(u32::try_from(input_bytes).unwrap_or(u32::MAX)),
            target_bytes_max: limits.target_bytes_max,
            tolerate_lone_lf: limits.tolerate_lone_lf,
        };
        Wire {
            shared: Shared {
                request: Cell::new(RequestState::new(Framing::Empty, 0, false, 0)),
                turn: Cell::new(Turn::new(0, Crowd::NONE)),
                state: Cell::new(State::Between),
                id: Cell::new(ConnectionId::NONE),
                connection: Cell::new(ConnectionState::new(0)),
                body: RefCell::new(BodyInput::new(body, limits.body_bytes_max)),
                output: RefCell::new(Output::new(output, limits.content_type)),
                input: RefCell::new(Input::new(input)),
                peer: Cell::new(Peer::known(None)),
                wakes_ms: Cell::new(0),
                clock: Cell::new(None),
                waiters: Waiters::new(),
                open: Open::default(),
                reasons: Reasons::default(),
                limits,
                head_limits,
                input_bytes,
                #[cfg(feature = "alloc")]
                apart,
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

/// The result of a receive.
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

impl Open {
    fn clear(&self) {
        self.journal.borrow_mut().clear();
        self.has_said.set(false);
        self.in_frame.set(false);
        self.closing.set(None);
        self.controls.take();
    }
}

impl Shared {
    /// Empties the buffers. The session has been taken out, and nothing is borrowed.
    pub(crate) fn clear(&self) {
        let mut input = self.input.borrow_mut();
        self.rejoin(&mut input);
        input.clear();
        drop(input);
        let mut output = self.output.borrow_mut();
        output.clear();
        self.state.set(State::Between);
        if opens() {
            // A connection that was open before comes without an exchange of its own.
            output.exchange.bytes = 0;
            self.open.clear();
        }
    }

    /// Has the port receive into the buffer in which the lane wants bytes. `None`: it wants none.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn receive(&self, receive: impl FnOnce(&mut [u8]) -> Received) -> Option<Received> {
        let (mut input, mut body);
        let (space, end) = if self.state.get() == State::Exchange {
            if !self.turn.get().wants_body {
                return None;
            }
            body = self.body.try_borrow_mut().ok()?;
            let body = &mut *body;
            let bytes_max = match self.request.get().unread {
                // Receive no more than a body of known length: the next request must begin in the input.
                Framing::Length(bytes) => {
                    let remaining = bytes.saturating_sub((body.state.end - body.at) as u64);
                    usize::try_from(remaining).unwrap_or(usize::MAX)
                }
                // The bytes after the last chunk are the next request: they must fit the input.
                Framing::Chunked => self.input_bytes,
                Framing::Empty => 0,
            };
            let space = body.buffer.get_mut(body.state.end..).unwrap_or_default();
            let bytes = bytes_max.min(space.len());
            (&mut space[..bytes], &mut body.state.end)
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
            Received::Closed => self.connection.change(|connection| connection.ended = true),
            Received::Blocked | Received::Reset => {}
        }
        Some(received)
    }

    /// Whether bytes have come after the current request. Bytes of an unread chunked body may be its own, but count; so does a body that
    /// a handler has borrowed.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn has_behind(&self) -> bool {
        let request = self.request.get();
        let Ok(body) = self.body.try_borrow() else { return true };
        let end = if body.state.spilled { body.state.end } else { request.received as usize };
        let bytes = end.saturating_sub(body.at) as u64;
        match request.unread {
            Framing::Length(remaining) => bytes > remaining,
            Framing::Chunked | Framing::Empty => bytes > 0,
        }
    }

    fn route_deadlines(&self) -> RouteDeadlines {
        if has_special_routes() { self.request.get().route_deadlines } else { RouteDeadlines::NONE }
    }

    /// How long this request's handler may take.
    pub(crate) fn handler_ms(&self, default_ms: u32) -> u32 {
        self.route_deadlines().handler_ms.map_or(default_ms, NonZeroU32::get)
    }

    /// How long the body may take, with the time that received bytes have granted.
    pub(crate) fn body_ms(&self, default_ms: u32, bytes_per_s: u32) -> u32 {
        let request = self.request.get();
        let base_ms = self.route_deadlines().body_ms.map_or(default_ms, NonZeroU32::get);
        // An answer that is ready waits only `body_ms`, not as long as a slow body may take.
        if request.drain == Drain::Runs {
            return base_ms;
        }
        let received =
            self.body.try_borrow().map_or(0, |body| body.state.taken + (body.state.end.saturating_sub(body.at)) as u64);
        granted_ms(received, bytes_per_s).saturating_add(base_ms)
    }
}
