//! A lane: one long-lived future that serves whatever connection the port has attached to its wire.

use core::{
    cell::RefMut,
    convert::Infallible,
    future::{pending, poll_fn},
    ops::Deref,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use tenure_proto::{
    chunked::ChunkedDecoder,
    framing::Framing,
    head::{Head, HeadLimits, TargetForm, Version},
    method::Method,
    refusal::Refusal,
    status::StatusCode,
};

use crate::{
    Deadline, EndReason, Error, Handler, Observer, Request, Responder,
    engine::{
        hear::Left,
        input::{Fault, Input},
        output::Exchange,
        state::{CLOSED, Change, Crowd, Drain, Ending, Order, ROUTES_MAX, RequestState, State},
        wire::{Shared, Wire},
    },
    exchange::body::Reader,
    exchange::failure::Conclusion,
    exchange::reply::{NOT_ANSWERED, Sent},
    exchange::responder::Opened,
    open::opens,
};

/// Pending once (made with `false`), so that the driver sees the state.
pub(crate) struct Pause(pub(crate) bool);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        Poll::Pending
    }
}

/// Serves requests one after the other. It only knows message boundaries: at one with nothing unread the port may swap
/// connection and session on the wire. Never ends; to end a handler, the port replaces this future.
///
/// # Cancellation safety
/// Dropped at any time, it leaves bytes, session and the state of the exchange on the wire for its replacement.
#[expect(clippy::await_holding_refcell_ref, reason = "the lease on the input: a port that cannot take it waits")]
pub async fn lane<S, A: Handler<S>, O: Observer>(
    wire: impl Deref<Target = Wire<S>>,
    app: impl Deref<Target = A>,
    observer: impl Deref<Target = O>,
) -> Infallible {
    const { assert!(A::OPENS <= ROUTES_MAX, "252 routes stay open at the most") };
    // Longer than other functions: a head that a function returned would borrow the input in every arm, also where it is waited for.
    let (wire, app, observer) = (&*wire, &*app, &*observer);
    let shared = &wire.shared;
    let mut input = shared.input.borrow_mut();
    let is_reset = 'serving: loop {
        let opened;
        let is_reset = 'done: {
            let read = if let Some(order) = shared.take_order() {
                if A::OPENS > 0 && shared.is_open() {
                    let Some(listening) = A::listen(app, wire, observer) else { break 'serving true };
                    drop(input);
                    let left = listening.await;
                    input = shared.input.borrow_mut();
                    if left == Left::Elsewhere {
                        continue 'serving;
                    }
                    break 'serving left == Left::Reset;
                }
                Err(order)
            } else if input.is_used_up() {
                shared.state.set(State::Between);
                Ok(None)
            } else {
                let Input { buffer, start, end, parser, memo, .. } = &mut *input;
                // The range is always valid; an empty one would only mean an incomplete head.
                let bytes = buffer.get(*start..*end).unwrap_or_default();
                // Most heads equal the one before, so the memo is tried first.
                let read = match parser.recall(bytes, &shared.head_limits, memo) {
                    Some(known) => Ok(Some(known)),
                    None => parser.learn(bytes, &shared.head_limits, memo),
                };
                match read {
                    Ok(Some(head)) if shared.is_crowded() => {
                        Ok(Some((shared.keep_head(head, buffer, start, end), head)))
                    }
                    Ok(head) => Ok(head.map(|head| (bytes, head))),
                    Err(refusal) => Err(shared.refuse(refusal)),
                }
            };
            let (bytes, target, error) = match read {
                Ok(Some((bytes, head))) => {
                    opened = Opened { shared, bytes };
                    let mut request = Request::new(wire, bytes, head);
                    shared.open(head, bytes.len(), || request.session().is_some());
                    observer.head_received(shared.id.get(), request.inner.line_of_request());
                    let result = if head.form != TargetForm::Asterisk && head.refusal.is_none() {
                        let handling = pin!(app.handle(&mut request, Responder { opened: &opened }));
                        until_answered(shared, handling).await
                    } else {
                        Err(shared.answer_instead(observer, head, bytes))
                    };
                    match shared.unfinished(result) {
                        Unfinished::Nothing => break 'done false,
                        Unfinished::Body => (bytes, &b""[..], None),
                        Unfinished::Answer(error) => (bytes, request.inner.whole_target(), Some(error)),
                    }
                }
                Ok(None) => {
                    shared.wait_for_head(input).await;
                    input = shared.input.borrow_mut();
                    continue 'serving;
                }
                Err(Order::Reset) => break 'done true,
                Err(order) => (input.unread(), &b""[..], Some(shared.take_up(observer, order))),
            };
            let mut reader = Reader::new(shared, bytes);
            let mut conclusion = Conclusion::new(shared, app, &mut reader, target, error);
            poll_fn(|context| conclusion.poll(context, shared, observer)).await
        };
        if is_reset || !shared.end_exchange(observer, &mut input) {
            break 'serving is_reset;
        }
    };
    shared.leave(input, is_reset);
    // This future's work ends here: it is replaced before the wire is used again.
    pending().await
}

/// Runs a handler. A response to HEAD, or of a status without content, ends at its head, and the handler is dropped there.
fn until_answered<'a>(
    shared: &'a Shared,
    mut handling: Pin<&'a mut impl Future<Output = Result<Sent, Error>>>,
) -> impl Future<Output = Result<(), Error>> + 'a {
    poll_fn(move |context| match handling.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(result.map(|_| ())),
        Poll::Pending if shared.request.get().ends_at_head => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    })
}

/// What is left of an exchange when its handler has ended.
enum Unfinished {
    Nothing,
    /// Some of its body is unread.
    Body,
    /// Answer with that error.
    Answer(Error),
}

impl Shared {
    /// Obey the order that the driver left for this future.
    #[inline]
    fn take_order(&self) -> Option<Order> {
        let order = self.connection.get().order?;
        // That of an open connection stays.
        if !self.is_open() {
            self.connection.change(|connection| connection.order = None);
        }
        Some(order)
    }

    /// Whether the connection is open. Where no route of the program stays open, the compiler sees that it never is.
    pub(crate) fn is_open(&self) -> bool {
        opens() && self.connection.get().route != CLOSED
    }

    /// Whether to copy a head to save memory: other lanes are at work too.
    #[inline(always)]
    fn is_crowded(&self) -> bool {
        cfg!(feature = "alloc") && self.turn.get().crowd.has_lanes()
    }

    /// Makes room for the rest of an incomplete head, gives the input back and yields to the port.
    #[inline]
    fn wait_for_head(&self, mut input: RefMut<'_, Input>) -> Pause {
        if input.start != input.end {
            self.state.set(State::Head);
            input.compact();
        }
        Pause(false)
    }

    /// Gives the input back for good, to close or reset the connection.
    fn leave(&self, input: RefMut<'_, Input>, is_reset: bool) {
        drop(input);
        self.state.set(if is_reset { State::Abort } else { State::Close });
    }

    /// Refuses a head.
    #[cold]
    fn refuse(&self, refusal: Refusal) -> Order {
        // The previous exchange is over.
        self.state.set(State::Head);
        Order::Refuse(refusal)
    }

    /// What is left of an exchange, by its handler's result.
    #[inline]
    fn unfinished(&self, result: Result<(), Error>) -> Unfinished {
        match result {
            Ok(()) if !self.is_answered() => Unfinished::Answer(Error::internal(NOT_ANSWERED)),
            Ok(()) if self.request.get().is_read() => Unfinished::Nothing,
            Ok(()) => Unfinished::Body,
            Err(error) => Unfinished::Answer(error),
        }
    }

    /// Turns an order (a refusal, or what the driver left for a restarted lane) into the error to answer.
    #[cold]
    #[inline(never)]
    fn take_up(&self, observer: &impl Observer, order: Order) -> Error {
        self.request.change(|request| request.drain = Drain::None);
        let refusal = match order {
            Order::Hear if opens() => return Error::internal("a handler that wraps others must pass `OPENS` on"),
            Order::Failed | Order::Hear => return Error::internal("a handler panicked"),
            Order::Overdue | Order::Reset => {
                return Error::unavailable("the answer took too long: try again later");
            }
            Order::Refuse(refusal) => refusal,
        };
        observer.refused(self.id.get(), refusal);
        let mut output = self.output.borrow_mut();
        let mut body = self.body.borrow_mut();
        if self.state.get() == State::Exchange {
            output.exchange.persistent = false;
            // Do not wait for the rest any more.
            (body.fresh, body.state.fault) = (false, Some(Fault::Late));
        } else {
            // Begins the connection's last exchange, although there is no request.
            output.exchange = Exchange::new(false, false, false);
            body.begin(0, self.limits.body_bytes_max);
            self.state.set(State::Exchange);
            self.request.set(RequestState::new(Framing::Empty, 0, false, 0));
            self.connection.change(|connection| {
                connection.reason = match refusal {
                    Refusal::HeadTimeout => EndReason::Deadline(Deadline::Head),
                    refusal => EndReason::Protocol(refusal),
                };
            });
        }
        let mut error = Error::from(refusal);
        if let Refusal::HeadTooLarge | Refusal::TargetTooLong = refusal {
            let HeadLimits { head_bytes_max, target_bytes_max, .. } = self.head_limits;
            error =
                error.at_most(if refusal == Refusal::HeadTooLarge { head_bytes_max } else { target_bytes_max }.into());
        }
        error
    }

    /// Answers without the application: a head that comes with a refusal, and OPTIONS of the server as a whole, with an empty
    /// response (RFC 9110 section 9.3.7).
    #[cold]
    #[inline(never)]
    fn answer_instead(&self, observer: &impl Observer, head: &Head, bytes: &[u8]) -> Error {
        let Some(refusal) = head.refusal else { return Error::new(StatusCode::NO_CONTENT, "") };
        observer.refused(self.id.get(), refusal);
        Error::refused(refusal, head.refused_byte(bytes))
    }

    /// Begins the exchange of a head. `received`: its bytes and those that came with it.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn open(&self, head: &Head, received: usize, has_session: impl FnOnce() -> bool) {
        self.state.set(State::Exchange);
        let connection = self.connection.get();
        // Default reason, where the version or the peer asks for a close; whoever else ends the connection overwrites it.
        self.connection.change(|connection| connection.reason = EndReason::PeerAsked);
        self.output.borrow_mut().exchange =
            Exchange::new(head.method == Method::Head, head.version == Version::Http10, head.persistent);
        let mut body = self.body.borrow_mut();
        body.begin(head.bytes as usize, self.limits.body_bytes_max);
        if head.framing == Framing::Chunked {
            (body.fresh, body.state.chunked) = (false, Some(ChunkedDecoder::new()));
        }
        // A client that has sent some of its body does not wait for 100 (RFC 9110 section 10.1.1).
        let expects_continue = head.expects_continue && body.at == received;
        self.request.set(RequestState::new(head.framing, received as u32, expects_continue, connection.waited_ms));
        drop(body);
        if self.turn.get().crowd != Crowd::NONE {
            self.open_crowded(has_session());
        }
        if let Some(ending) = connection.ending {
            self.open_behind(ending);
        }
    }

    /// Begins an exchange where others need memory or places: without a session it is the connection's last one, unless a handler
    /// makes a session, or another request has come already.
    #[cold]
    #[inline(never)]
    fn open_crowded(&self, has_session: bool) {
        let crowd = self.turn.get().crowd;
        if crowd.has_lanes() {
            self.open_apart();
        }
        let may_go_on = self.output.borrow().exchange.persistent && self.connection.get().ending.is_none();
        if crowd.has_places() && !has_session && may_go_on && !self.has_behind() {
            self.cannot_go_on(EndReason::MadeRoom);
        }
    }

    /// Begins an exchange on a connection that is to end: its last, unless more requests had come before a stop.
    #[cold]
    #[inline(never)]
    fn open_behind(&self, ending: Ending) {
        self.connection.change(|connection| connection.reason = ending.into());
        if !self.connection.get().unread && !self.has_behind() {
            self.cannot_go_on(ending.into());
        }
    }

    /// Whether the response is complete. A handler's [`Sent`](crate::Sent) alone does not prove it: it may be another response's.
    fn is_answered(&self) -> bool {
        self.output.borrow().exchange.done
    }

    /// Reports a complete response to the observer. Returns whether the connection goes on.
    fn response_sent(&self, observer: &impl Observer) -> bool {
        let exchange = self.output.borrow().exchange;
        let duration_ms = self.turn.get().now_ms.wrapping_sub(self.connection.get().arrived_ms);
        observer.response_sent(self.id.get(), exchange.status, exchange.bytes, duration_ms);
        exchange.persistent && !self.request.get().last
    }

    /// Ends an exchange: the input moves past its request. Returns whether the connection goes on.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn end_exchange(&self, observer: &impl Observer, input: &mut Input) -> bool {
        if !self.response_sent(observer) {
            return false;
        }
        // Only read; `borrow_mut` is cheaper here and cannot fail.
        let body = self.body.borrow_mut();
        if body.state.spilled {
            self.rejoin(input);
            let behind = body.buffer.get(body.at..body.state.end).unwrap_or_default();
            (input.start, input.end) = (0, behind.len().min(input.buffer.len()));
            input.buffer[..input.end].copy_from_slice(&behind[..input.end]);
        } else {
            input.start = (input.start + body.at).min(input.end);
        }
        // Bytes of the next request count as arriving now.
        let now_ms = self.turn.get().now_ms;
        self.connection.change(|connection| (connection.arrived_ms, connection.waited_ms) = (now_ms, 0));
        true
    }
}
