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
    open::{OPENS, history::Resume, journal::Act, topic::sealed::Content},
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
    /// The first event, and behind it what is told whoever has missed some.
    texts: heapless::Vec<u8, TEXTS_BYTES_MAX>,
    first_bytes: u8,
}

/// Bytes of both at the most.
const TEXTS_BYTES_MAX: usize = 128;

impl Events {
    /// A stream that has joined nothing.
    pub fn new() -> Self {
        Events::default()
    }

    /// Joins a topic: the stream gets what is published to it.
    ///
    /// # Panics
    /// When it is the fifth, or the second that [keeps](EventTopic::keep) its events: a client names one event as its last.
    pub fn topic(mut self, topic: EventTopic) -> Self {
        let keeps = topic.keeps() > 0 && self.topics.iter().any(|other| other.keeps() > 0);
        assert!(!keeps, "a stream of events joins one topic that keeps its events at the most");
        assert!(self.topics.push(topic).is_ok(), "a stream of events joins four topics at the most");
        self
    }

    /// Tells the client to come again so many milliseconds after it was cut off.
    pub fn retry_ms(mut self, retry_ms: u32) -> Self {
        self.retry_ms = Some(retry_ms);
        self
    }

    /// Begins with an event: how things stand now. To one who [comes again](Request::last_event_id) and has missed nothing it may say
    /// nothing new.
    ///
    /// # Errors
    /// The event cannot be written, or takes more than 128 bytes, with that of [`if_missed`](Events::if_missed).
    pub fn first(mut self, event: Event<'_>) -> Result<Self, Error> {
        let before = core::mem::take(&mut self.texts);
        let if_missed = before.get(usize::from(self.first_bytes)..).unwrap_or_default();
        self.add_text(event)?;
        self.first_bytes = self.texts.len() as u8;
        self.texts.extend_from_slice(if_missed).map_err(|_| too_long())?;
        Ok(self)
    }

    /// Tells a client that comes again, before anything else of a topic, that it has missed events which are
    /// [kept](EventTopic::keep) no longer: its page asks for everything anew, for one. What is still kept follows.
    ///
    /// # Errors
    /// The event cannot be written, or takes more than 128 bytes, with that of [`first`](Events::first).
    ///
    /// # Examples
    /// ```
    /// use tenure::{Error, Event, EventTopic, Events, Request};
    ///
    /// const SUMS: EventTopic = EventTopic::new(0).keep(100);
    ///
    /// async fn sums(_: &mut Request<'_, ()>) -> Result<Events, Error> {
    ///     Events::new().topic(SUMS).if_missed(Event::data("").event("reload"))
    /// }
    /// # let _ = sums;
    /// ```
    pub fn if_missed(mut self, event: Event<'_>) -> Result<Self, Error> {
        self.texts.truncate(self.first_bytes.into());
        self.add_text(event)?;
        Ok(self)
    }

    fn add_text(&mut self, event: Event<'_>) -> Result<(), Error> {
        let (before, length) = (self.texts.len(), Content::bytes(&event)?);
        self.texts.resize(before + length, 0).map_err(|_| too_long())?;
        Content::write(&event, &mut self.texts[before..]);
        Ok(())
    }
}

fn too_long() -> Error {
    Error::internal("the first event of a stream, and that for who has missed some, take 128 bytes at the most")
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
    ) -> Option<impl Future<Output = Left>> {
        Some(hear(wire, app, observer))
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
        let keeps = events.topics.iter().any(|topic| topic.keeps() > 0);
        // Who is too slow comes again, and misses nothing.
        let sent = shared.opened(StatusCode::OK, EVENTS, keeps && cfg!(feature = "alloc"));
        let (first, if_missed) = events.texts.split_at(events.first_bytes.into());
        let id = request.last_event_id();
        // Without a heap nothing is kept.
        let has_missed = cfg!(not(feature = "alloc")) && keeps && id.is_some();
        let retry = Event { retry_ms: events.retry_ms.map(u64::from), ..Event::NONE };
        let mut bytes = [0; 32];
        let length = if events.retry_ms.is_some() { retry.write(&mut bytes)? } else { 0 };
        for part in [&bytes[..length], first, if has_missed { if_missed } else { &[] }] {
            if !part.is_empty() {
                shared.room(part.len()).await;
                shared.output.borrow_mut().put(part);
            }
        }
        for topic in &events.topics {
            if cfg!(feature = "alloc") && topic.keeps() > 0 {
                shared.resume(topic.key(), &Resume { events: topic.keeps(), id, if_missed })?;
            } else {
                shared.note(Act::Join, topic.key())?;
            }
        }
        Ok(sent)
    }
}
