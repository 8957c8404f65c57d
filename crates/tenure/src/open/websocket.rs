//! Routes that open WebSockets.

use core::{convert::Infallible, fmt, future::Future, marker::PhantomData};

use tenure_proto::{
    status::StatusCode,
    websocket::{Handshake, HandshakeRefusal, Origins, handshake::SWITCHING},
};

use crate::{
    Error, Handler, IntoResponse, Message, MessageTopic, Observer, Outcome, Reply, Request, Responder, Sent, Topic,
    engine::{
        hear::{Left, hear},
        state::{Change, Order, UNKNOWN},
        wire::{Shared, Wire},
    },
    open::{OPENS, journal::Act},
};

/// Topics that an [`Upgrade`] joins at the most.
const TOPICS_MAX: usize = 4;
/// Bytes of the answer that opens a WebSocket, but for the subprotocol.
const ANSWER_BYTES: usize = 192;

/// How a WebSocket opens: what a route's `enter` agrees to.
///
/// ```
/// use tenure::{Error, MessageTopic, Request, Upgrade};
///
/// const ROOM: MessageTopic = MessageTopic::new(0);
///
/// async fn enter(request: &mut Request<'_, ()>) -> Result<Upgrade, Error> {
///     if request.query_value("name").is_none() {
///         return Err(Error::bad_request("say who you are: /chat?name="));
///     }
///     Ok(Upgrade::websocket().protocols(&["chat.v1"]).topic(ROOM))
/// }
/// # let _ = enter;
/// ```
#[derive(Clone, Debug)]
#[must_use = "the function that makes it returns it"]
pub struct Upgrade {
    protocols: &'static [&'static str],
    origins: Origins<'static>,
    topics: heapless::Vec<MessageTopic, TOPICS_MAX>,
    pub(crate) closes_behind: bool,
}

impl Upgrade {
    /// A WebSocket without a subprotocol, for clients that are no browsers and for pages of this server's own host and port.
    pub fn websocket() -> Self {
        let (protocols, origins) = (&[][..], Origins::SameOr(&[]));
        Upgrade { protocols, origins, topics: heapless::Vec::new(), closes_behind: false }
    }

    /// The subprotocols that are spoken, the best one first. The first that the client offers is chosen; none, where it offers none
    /// of them.
    pub fn protocols(mut self, protocols: &'static [&'static str]) -> Self {
        self.protocols = protocols;
        self
    }

    /// Lets pages of these origins open it, too: `https://example.org`, for one.
    pub fn origins(mut self, origins: &'static [&'static str]) -> Self {
        self.origins = Origins::SameOr(origins);
        self
    }

    /// Lets any page open it. Whatever page a user visits may then speak in the user's name.
    pub fn any_origin(mut self) -> Self {
        self.origins = Origins::Any;
        self
    }

    /// Joins a topic: the connection gets what is published to it.
    ///
    /// # Panics
    /// When it is the fifth. A handler of messages joins as many as it likes.
    pub fn topic(mut self, topic: MessageTopic) -> Self {
        assert!(self.topics.push(topic).is_ok(), "a WebSocket joins four topics at the most when it opens");
        self
    }

    /// Closes the connection with 1013 (try again later) where its peer takes messages too slowly. Otherwise those that have no room
    /// are left out, and [`Message::missed`] tells how many.
    pub fn close_when_behind(mut self) -> Self {
        self.closes_behind = true;
        self
    }
}

/// A route that opens a WebSocket, made by [`websocket`](crate::websocket).
pub struct WebSocket<S, F, G> {
    /// Takes a place in memory, by which the route is known: two routes never stand at the same one.
    place: u8,
    enter: F,
    said: G,
    session: PhantomData<fn(&S)>,
}

impl<S, F, G> WebSocket<S, F, G> {
    pub(crate) fn new(enter: F, said: G) -> Self {
        OPENS.set(true);
        WebSocket { place: 0, enter, said, session: PhantomData }
    }

    fn address(&self) -> usize {
        core::ptr::from_ref(&self.place).addr()
    }
}

impl<S, F, G> fmt::Debug for WebSocket<S, F, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebSocket")
    }
}

/// The answer to a request that does not open a WebSocket.
struct Refused(HandshakeRefusal);

impl IntoResponse for Refused {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        reply.status(self.0.status());
        for (name, value) in self.0.fields() {
            reply.server_field(name, value);
        }
        reply.error_line(self.0.reason().as_bytes())
    }
}

impl<S, F, G> Handler<S> for WebSocket<S, F, G>
where
    F: AsyncFn(&mut Request<'_, S>) -> Result<Upgrade, Error>,
    G: AsyncFn(&mut Message<'_, S>) -> Result<(), Error>,
{
    type Page = Infallible;

    const HAS_PAGES: bool = false;

    const OPENS: u32 = 1;

    fn number(&self, address: usize) -> Option<u32> {
        (address == self.address()).then_some(0)
    }

    #[inline]
    fn hear(&self, _: u32, message: &mut Message<'_, S>) -> impl Future<Output = Result<(), Error>> {
        (self.said)(message)
    }

    fn listen<'a, A: Handler<S>, O: Observer>(
        app: &'a A,
        wire: &'a Wire<S>,
        observer: &'a O,
    ) -> Option<impl Future<Output = Left>> {
        Some(hear(wire, app, observer))
    }

    async fn handle<'r>(&self, request: &mut Request<'r, S>, responder: Responder<'r>) -> Result<Sent, Error> {
        let shared = responder.opened.shared;
        let handshake = match Handshake::read(request.inner.head(), request.inner.reader.bytes) {
            Ok(handshake) => handshake,
            Err(refusal) => return responder.send(Refused(refusal)).await,
        };
        let upgrade = (self.enter)(request).await?;
        if let Err(refusal) = handshake.check_origin(&upgrade.origins) {
            return responder.send(Refused(refusal)).await;
        }
        let protocol = handshake.subprotocol(upgrade.protocols);
        shared.room(ANSWER_BYTES + protocol.map_or(0, str::len)).await;
        // From here on nothing is waited for: what may open is open.
        shared.may_open()?;
        for topic in &upgrade.topics {
            shared.note(Act::Join, topic.key())?;
        }
        let mut output = shared.output.borrow_mut();
        let accept = handshake.accept();
        // The handshake has the fields that RFC 6455 says, and no others.
        output.exchange.drop_fields();
        let mut fits = output.put(SWITCHING) && output.put(&accept);
        if let Some(protocol) = protocol {
            fits &= output.put(b"\r\nSec-WebSocket-Protocol: ") && output.put(protocol.as_bytes());
        }
        if !(fits && output.put(b"\r\n\r\n")) {
            return Err(Error::internal("the name of the subprotocol is longer than the output"));
        }
        drop(output);
        shared.open.address.set(self.address());
        Ok(shared.opened(StatusCode::SWITCHING_PROTOCOLS, UNKNOWN, upgrade.closes_behind))
    }
}

impl Shared {
    /// Whether one more connection may stay open.
    pub(crate) fn may_open(&self) -> Result<(), Error> {
        if self.open.is_full.get() {
            return Err(Error::unavailable("too many connections are open: try again later"));
        }
        // It is to stay, not to make room.
        self.make_no_room();
        if self.request.get().last || self.connection.get().ending.is_some() {
            return Err(Error::unavailable("this connection ends: connect again"));
        }
        Ok(())
    }

    /// The answer is in the output: from now on the connection is open.
    pub(crate) fn opened(&self, status: StatusCode, route: u8, closes_behind: bool) -> Sent {
        let mut output = self.output.borrow_mut();
        let exchange = &mut output.exchange;
        (exchange.begun, exchange.done, exchange.persistent, exchange.status) = (true, true, true, status);
        self.connection.change(|connection| {
            (connection.route, connection.order) = (route, Some(Order::Hear));
            connection.closes_behind = closes_behind;
        });
        // The driver counts it at once.
        self.open.has_said.set(true);
        Sent { status }
    }
}
