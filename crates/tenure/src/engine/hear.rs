//! A lane at work for a connection that is open: it hears messages, one after the other.

use core::{
    future::{Future, poll_fn},
    pin::pin,
};

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
#[doc(hidden)]
pub enum Left {
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
    let mut input = shared.input.borrow_mut();
    let left = loop {
        let connection = shared.connection.get();
        let mut route = connection.route;
        if !connection.hears {
            drop(input);
            if let Some(left) = shared.obey_open(app).await {
                return left;
            }
            input = shared.input.borrow_mut();
            route = shared.connection.get().route;
            if route == EVENTS {
                input.clear();
            }
        }
        if input.is_silent() {
            drop(input);
            // Where it hears, the driver takes the lane back as from a plain connection.
            shared.state.set(if connection.hears { State::Between } else { State::Silent });
            Pause(false).await;
            input = shared.input.borrow_mut();
            continue;
        }
        let (heard, behind) = match input.hear(shared) {
            Ok(heard) => heard,
            Err(violation) => break Last::Violated(violation),
        };
        match heard {
            Heard::Message { bytes, is_text, is_first, is_last } => {
                shared.state.set(State::Exchange);
                let length = bytes.len();
                let mut has_waited = false;
                let mut message = Message::new(wire, bytes, (is_text, is_first, is_last));
                let result = {
                    let mut hearing = pin!(app.hear(u32::from(route) - 1, &mut message));
                    poll_fn(|context| {
                        let polled = hearing.as_mut().poll(context);
                        // A message that is answered at once needs none of this.
                        if polled.is_pending() && !core::mem::replace(&mut has_waited, true) {
                            shared.begin_message();
                        }
                        polled
                    })
                    .await
                };
                drop(message);
                input.start = behind;
                if shared.open.has_said.get() {
                    // The driver does what was said to others before anything that follows.
                    drop(input);
                    Pause(false).await;
                    input = shared.input.borrow_mut();
                }
                if result.is_err() || shared.open.closing.get().is_some() || shared.open.in_frame.get() {
                    break Last::Heard(result);
                }
                let arrived_ms = connection.arrived_ms;
                observer.message_heard(shared.id.get(), length, shared.turn.get().now_ms.wrapping_sub(arrived_ms));
                if has_waited || connection.missed != 0 {
                    shared.end_message();
                }
            }
            Heard::Ping(payload) => {
                if !shared.open.in_frame.get() && !shared.put_pong(payload) {
                    shared.wait_for_control().await;
                    shared.put_pong(payload);
                }
                input.start = behind;
            }
            Heard::Close(code) => break Last::Closed(code),
            Heard::Nothing => {
                input.start = behind;
                input.compact_message();
                drop(input);
                shared.state.set(State::Silent);
                Pause(false).await;
                input = shared.input.borrow_mut();
            }
        }
    };
    drop(input);
    shared.part(left).await
}

/// What a lane has heard last.
enum Last {
    Violated(Violation),
    Heard(Result<(), Error>),
    Closed(Option<CloseCode>),
}

impl Shared {
    /// Does what comes before messages: an order, the connection's end, the search for its route. `None`: messages may be heard.
    #[cold]
    #[inline(never)]
    async fn obey_open<S>(&self, app: &impl Handler<S>) -> Option<Left> {
        let connection = self.connection.get();
        match connection.order {
            Some(Order::Hear) => {}
            Some(order) => return Some(self.stop_hearing(order).await),
            None => return Some(Left::Elsewhere),
        }
        if let Some(ending) = connection.ending {
            let code = if ending == Ending::Shutdown { CloseCode::GOING_AWAY } else { CloseCode::NORMAL };
            return Some(self.say_closed(code, "", ending.into()).await);
        }
        if connection.route == UNKNOWN {
            let Some(number) = app.number(self.open.address.get()) else { return Some(self.unknown_route()) };
            self.connection.change(|connection| connection.route = number as u8 + 1);
        }
        None
    }

    /// Ends the connection for what was heard last.
    async fn part(&self, last: Last) -> Left {
        match last {
            Last::Violated(violation) => self.violated(violation).await,
            Last::Heard(result) => self.heard_last(result).await,
            Last::Closed(code) => {
                let reason = EndReason::WebSocket { code: code.map_or(1005, CloseCode::code), by_peer: true };
                self.say_closed(code.unwrap_or(CloseCode::NORMAL), "", reason).await
            }
        }
    }

    /// Begins a message that waits for something, as a request is begun.
    #[cold]
    fn begin_message(&self) {
        self.state.set(State::Exchange);
        let waited_ms = self.connection.get().waited_ms;
        self.request.set(RequestState::new(Framing::Empty, 0, false, waited_ms));
        let mut output = self.output.borrow_mut();
        let exchange = &mut output.exchange;
        (exchange.begun, exchange.done, exchange.bytes) = (false, false, 0);
    }

    /// Ends it.
    #[cold]
    fn end_message(&self) {
        let now_ms = self.turn.get().now_ms;
        self.connection.change(|connection| {
            (connection.arrived_ms, connection.waited_ms, connection.missed) = (now_ms, 0, 0);
        });
    }

    /// Answers a ping. `false`: there is no room.
    fn put_pong(&self, payload: &[u8]) -> bool {
        frame::pong(payload).is_none_or(|pong| self.output.borrow_mut().put(pong.as_bytes()))
    }

    /// Tells that it closes. `false`: there is no room.
    fn put_close(&self, code: CloseCode, text: &str) -> bool {
        self.output.borrow_mut().put(Close { code: Some(code), reason: text }.frame().as_bytes())
    }

    /// Waits until there is room for a control frame. The frame is made afterwards, so that no lane's future holds one.
    async fn wait_for_control(&self) {
        self.begin_message();
        self.room(frame::CONTROL_FRAME_BYTES_MAX).await;
    }

    /// Tells the peer that its connection is closed. What cannot be closed any more is reset.
    async fn say_closed(&self, code: CloseCode, text: &str, reason: EndReason) -> Left {
        self.connection.change(|connection| connection.reason = reason);
        if self.connection.get().route == EVENTS {
            return Left::Close;
        }
        if self.open.in_frame.get() {
            return self.reset_within_frame();
        }
        if !self.put_close(code, text) {
            self.wait_for_control().await;
            self.put_close(code, text);
        }
        Left::Close
    }

    fn reset_within_frame(&self) -> Left {
        // Nothing of the output is a whole answer that must be sent first.
        let mut output = self.output.borrow_mut();
        (output.exchange.done, output.exchange.bytes) = (false, u64::MAX);
        Left::Reset
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
        if self.open.in_frame.get() && result.is_ok() {
            log::error!("connection {}: a message was given up halfway", self.id.get());
            self.connection.change(|connection| connection.reason = EndReason::Aborted);
            return self.reset_within_frame();
        }
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
