//! A lane at work for a connection that is open: it hears messages, one after the other.

use tenure_proto::{
    framing::Framing,
    websocket::{Close, CloseCode, Violation, frame},
};

use crate::{
    Deadline, EndReason, Error, Handler, Observer,
    engine::{
        lane::Pause,
        state::{Change, EVENTS, Ending, Order, RequestState, State, UNKNOWN},
        wire::{Shared, Wire},
    },
    open::message::{Heard, Message},
};

/// How a lane has left what was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// It serves another connection now, one that is not open.
    Elsewhere,
    /// The last bytes are in the output.
    Close,
    /// The connection is to be reset.
    Reset,
}

/// Hears what comes over an open connection, until the connection ends or the lane serves another one.
#[expect(clippy::await_holding_refcell_ref, reason = "the lease on the input, as a request has it")]
pub(crate) async fn hear<S, A: Handler<S>>(wire: &Wire<S>, app: &A, observer: &impl Observer) -> Left {
    let shared = &wire.shared;
    loop {
        let connection = shared.connection.get();
        match connection.order {
            Some(Order::Hear) => {}
            Some(order) => return shared.stop_hearing(order).await,
            None => return Left::Elsewhere,
        }
        if let Some(ending) = connection.ending {
            let code = if ending == Ending::Shutdown { CloseCode::GOING_AWAY } else { CloseCode::NORMAL };
            return shared.say_closed(code, "", ending.into()).await;
        }
        let mut route = connection.route;
        if route == UNKNOWN {
            let Some(number) = app.number(shared.open.address.get()) else { return shared.unknown_route() };
            route = number as u8 + 1;
            shared.connection.change(|connection| connection.route = route);
        }
        let mut input = shared.input.borrow_mut();
        if route == EVENTS {
            input.clear();
        }
        if input.is_silent() {
            drop(input);
            shared.state.set(State::Silent);
            Pause(false).await;
            continue;
        }
        let (heard, behind) = match input.hear(shared.limits.message_bytes_max) {
            Ok(heard) => heard,
            Err(violation) => {
                drop(input);
                return shared.violated(violation).await;
            }
        };
        match heard {
            Heard::Message { bytes, is_text, is_first, is_last } => {
                shared.begin_message();
                let length = bytes.len();
                let mut message = Message::new(wire, bytes, (is_text, is_first, is_last));
                let result = app.hear(u32::from(route) - 1, &mut message).await;
                drop(message);
                input.start = behind;
                drop(input);
                if result.is_err() || shared.open.closing.get().is_some() {
                    return shared.heard_last(result).await;
                }
                shared.end_message(observer, length);
            }
            Heard::Ping(payload) => {
                let pong = frame::pong(payload);
                input.start = behind;
                drop(input);
                if let Some(pong) = pong
                    && !shared.open.in_frame.get()
                {
                    shared.put_or_wait(pong.as_bytes()).await;
                }
            }
            Heard::Close(code) => {
                drop(input);
                let reason = EndReason::WebSocket { code: code.map_or(1005, CloseCode::code), by_peer: true };
                return shared.say_closed(code.unwrap_or(CloseCode::NORMAL), "", reason).await;
            }
            Heard::Nothing => {
                input.start = behind;
                input.compact_message();
                drop(input);
                shared.state.set(State::Silent);
                Pause(false).await;
            }
        }
    }
}

impl Shared {
    /// Begins a message, as a request is begun.
    #[inline]
    fn begin_message(&self) {
        self.state.set(State::Exchange);
        let waited_ms = self.connection.get().waited_ms;
        self.request.set(RequestState::new(Framing::Empty, 0, false, waited_ms));
        let mut output = self.output.borrow_mut();
        let exchange = &mut output.exchange;
        (exchange.begun, exchange.done, exchange.bytes) = (false, false, 0);
    }

    /// Ends it.
    #[inline]
    fn end_message(&self, observer: &impl Observer, bytes: usize) {
        let connection = self.connection.get();
        let now_ms = self.turn.get().now_ms;
        observer.message_heard(self.id.get(), bytes, now_ms.wrapping_sub(connection.arrived_ms));
        self.connection.change(|connection| {
            (connection.arrived_ms, connection.waited_ms, connection.missed) = (now_ms, 0, 0);
        });
    }

    /// Puts bytes into the output once they have room as a whole.
    async fn put_or_wait(&self, bytes: &[u8]) {
        if self.output.borrow_mut().put(bytes) {
            return;
        }
        self.begin_message();
        self.room(bytes.len()).await;
        self.output.borrow_mut().put(bytes);
    }

    /// Tells the peer that its connection is closed. What cannot be closed any more is reset.
    async fn say_closed(&self, code: CloseCode, text: &str, reason: EndReason) -> Left {
        self.connection.change(|connection| connection.reason = reason);
        if self.connection.get().route == EVENTS {
            return Left::Close;
        }
        if self.open.in_frame.get() {
            return Left::Reset;
        }
        let frame = Close { code: Some(code), reason: text }.frame();
        self.put_or_wait(frame.as_bytes()).await;
        Left::Close
    }

    async fn violated(&self, violation: Violation) -> Left {
        log::debug!("connection {}: {}", self.id.get(), violation.reason());
        let code = violation.close_code();
        let reason = EndReason::WebSocket { code: code.code(), by_peer: false };
        self.say_closed(code, violation.reason(), reason).await
    }

    /// A handler has closed the connection, or has failed.
    async fn heard_last(&self, result: Result<(), Error>) -> Left {
        let closing = self.open.closing.take();
        let mut text = "";
        if let Err(error) = result {
            if closing.is_none() {
                log::error!("connection {}: {error}", self.id.get());
            } else {
                text = error.reason();
            }
        }
        let code = closing.unwrap_or(CloseCode::INTERNAL_ERROR);
        self.say_closed(code, text, EndReason::WebSocket { code: code.code(), by_peer: false }).await
    }

    /// A handler has panicked or has taken too long, or a message has not come in time.
    async fn stop_hearing(&self, order: Order) -> Left {
        let code = CloseCode::INTERNAL_ERROR;
        let failed = EndReason::WebSocket { code: code.code(), by_peer: false };
        let (code, text, reason) = match order {
            Order::Reset => return Left::Reset,
            Order::Refuse(_) => {
                let reason = EndReason::Deadline(Deadline::Body);
                (CloseCode::POLICY, "the message did not come in time", reason)
            }
            Order::Overdue => {
                log::error!("connection {}: the handler of a message took too long", self.id.get());
                (code, "the answer took too long", failed)
            }
            Order::Failed | Order::Hear => (code, "", failed),
        };
        self.say_closed(code, text, reason).await
    }

    #[cold]
    fn unknown_route(&self) -> Left {
        log::error!(
            "a handler that wraps others passes `OPENS` and `number` on: no WebSocket can be opened through this one"
        );
        self.connection.change(|connection| connection.reason = EndReason::Aborted);
        Left::Reset
    }
}
