//! Routes of server-sent events (the HTML standard of the WHATWG, section 9.2).

use core::{convert::Infallible, fmt, future::Future, marker::PhantomData};

use tenure_proto::{
    events::{CONTENT_TYPE, Event},
    response::Delimiter,
    status::StatusCode,
};

use crate::{
    Error, EventTopic, Handler, Message, Observer, Request, Responder, Sent, Topic,
    engine::{
        hear::{Left, hear},
        state::EVENTS,
        wire::Wire,
    },
    exchange::reply::Reply,
    open::{OPENS, journal::Act, topic::sealed::Content},
};

/// Topics that a stream joins at the most.
const TOPICS_MAX: usize = 4;

/// How a stream of events opens: what a function of [`events`](crate::events) returns.
///
/// ```
/// use tenure::{EventTopic, Events, Request, Router, events};
///
/// const TICKS: EventTopic = EventTopic::new(0);
///
/// async fn ticks(_: &mut Request<'_, ()>) -> Events {
///     Events::new().topic(TICKS).retry_ms(2_000)
/// }
///
/// let app = Router::new().route("/ticks", events(ticks));
/// # let _ = app;
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "the function that makes it returns it"]
pub struct Events {
    topics: heapless::Vec<EventTopic, TOPICS_MAX>,
    retry_ms: Option<u32>,
    first: Option<heapless::Vec<u8, FIRST_BYTES_MAX>>,
}

/// Bytes of the first event at the most.
const FIRST_BYTES_MAX: usize = 128;

impl Events {
    /// A stream that has joined nothing.
    pub fn new() -> Self {
        Events::default()
    }

    /// Joins a topic: the stream gets what is published to it.
    ///
    /// # Panics
    /// When it is the fifth.
    pub fn topic(mut self, topic: EventTopic) -> Self {
        assert!(self.topics.push(topic).is_ok(), "a stream of events joins four topics at the most");
        self
    }

    /// Tells the client to come again so many milliseconds after it was cut off.
    pub fn retry_ms(mut self, retry_ms: u32) -> Self {
        self.retry_ms = Some(retry_ms);
        self
    }

    /// Begins with an event: how things stand now.
    ///
    /// # Errors
    /// The event cannot be written, or takes more than 128 bytes.
    pub fn first(mut self, event: Event<'_>) -> Result<Self, Error> {
        let mut bytes = heapless::Vec::new();
        let length = Content::bytes(&event)?;
        if bytes.resize(length, 0).is_err() {
            return Err(Error::internal("the first event of a stream takes 128 bytes at the most"));
        }
        Content::write(&event, &mut bytes);
        self.first = Some(bytes);
        Ok(self)
    }
}

/// What a function of [`events`](crate::events) may return: [`Events`], or a `Result` of it.
pub trait IntoEvents {
    /// The stream.
    ///
    /// # Errors
    /// What is answered instead.
    fn into_events(self) -> Result<Events, Error>;
}

impl IntoEvents for Events {
    fn into_events(self) -> Result<Events, Error> {
        Ok(self)
    }
}

impl IntoEvents for Result<Events, Error> {
    fn into_events(self) -> Result<Events, Error> {
        self
    }
}

/// A route that opens a stream of events, made by [`events`](crate::events).
pub struct EventRoute<S, F, R> {
    enter: F,
    types: PhantomData<fn(&S) -> R>,
}

impl<S, F, R> EventRoute<S, F, R> {
    pub(crate) fn new(enter: F) -> Self {
        OPENS.set(true);
        EventRoute { enter, types: PhantomData }
    }
}

impl<S, F, R> fmt::Debug for EventRoute<S, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventRoute")
    }
}

impl<S, F, R> Handler<S> for EventRoute<S, F, R>
where
    F: AsyncFn(&mut Request<'_, S>) -> R,
    R: IntoEvents,
{
    type Page = Infallible;

    const HAS_PAGES: bool = false;

    // It hears nothing, but its lane must know of what stays open.
    const OPENS: u32 = 1;

    fn number(&self, _: usize) -> Option<u32> {
        None
    }

    fn hear(&self, _: u32, _: &mut Message<'_, S>) -> impl Future<Output = Result<(), Error>> {
        core::future::ready(Ok(()))
    }

    fn listen<'a, A: Handler<S>, O: Observer>(
        app: &'a A,
        wire: &'a Wire<S>,
        observer: &'a O,
    ) -> impl Future<Output = Left> {
        hear(wire, app, observer)
    }

    async fn handle<'r>(&self, request: &mut Request<'r, S>, responder: Responder<'r>) -> Result<Sent, Error> {
        let shared = responder.opened.shared;
        let events = (self.enter)(request).await.into_events()?;
        let is_head = shared.output.borrow().exchange.head_only;
        loop {
            if !is_head {
                shared.may_open()?;
            }
            {
                let mut output = shared.output.borrow_mut();
                let mut reply = Reply::new(&mut output);
                reply.field("Cache-Control", "no-store").field("Content-Type", CONTENT_TYPE);
                let delimiter = if is_head { Delimiter::None } else { Delimiter::Close };
                if reply.end_head(delimiter, "")? {
                    break;
                }
            }
            shared.room(usize::MAX).await;
        }
        if is_head {
            shared.output.borrow_mut().exchange.done = true;
            return Ok(Sent { status: StatusCode::OK });
        }
        let sent = shared.opened(StatusCode::OK, EVENTS, false);
        let retry = Event { retry_ms: events.retry_ms.map(u64::from), ..Event::NONE };
        let mut bytes = [0; 32];
        let length = if events.retry_ms.is_some() { retry.write(&mut bytes)? } else { 0 };
        for part in [&bytes[..length], events.first.as_deref().unwrap_or_default()] {
            if !part.is_empty() {
                shared.room(part.len()).await;
                shared.output.borrow_mut().put(part);
            }
        }
        for topic in &events.topics {
            shared.note(Act::Join, topic.key())?;
        }
        Ok(sent)
    }
}
