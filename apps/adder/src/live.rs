//! What is live: a page that sees every change of every sum, and a chat.

use core::fmt::{self, Write as _};

use log::error;
use portable_atomic::{AtomicBool, Ordering};
use tenure::{
    ConnectionId, EndReason, Error, Event, EventTopic, Events, Frame, Handler, Html, Message, MessageTopic, Observer,
    Request, Router, Upgrade, events, get, websocket,
};

use crate::{Adder, ID_CHARACTERS_MAX, Visitors, adder_route, id, log_registering, login_route, logout_route};

/// The page at `/` of the live application: it needs nothing from elsewhere.
pub const LIVE_PAGE: &str = include_str!("live.html");

/// Changes of sums are published to it: `sum`, with a connection's id and its sum, and `end`, with the id and why the session has
/// ended.
pub const SUMS: EventTopic = EventTopic::new(0);

/// Lines of the chat are published to it.
pub const ROOM: MessageTopic = MessageTopic::new(0);

/// Bytes of a line of the chat at the most. With an id, and what is noted beside it, it fits what a handler on a board may publish.
pub const LINE_BYTES_MAX: usize = 140;

/// Milliseconds after which a browser that was cut off asks for the stream again.
const RETRY_MS: u32 = 2_000;

/// The longest reason of an end that is told whole; what is longer is cut off.
const REASON_BYTES_MAX: usize = 96;

/// What the live application knows besides sessions: the count of visits, and whether sums have ever been watched.
#[derive(Debug, Default)]
pub struct Live {
    visitors: Visitors,
    is_watched: AtomicBool,
}

impl Live {
    /// No visits so far, and nobody who watches.
    pub const fn new() -> Self {
        Live { visitors: Visitors::new(), is_watched: AtomicBool::new(false) }
    }

    /// Whether anybody has ever asked for `/events`. Before, no end is published.
    #[inline]
    fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Relaxed)
    }
}

/// [`app`](crate::app), live. It logs that it registers its targets.
///
/// | target | what it does |
/// |---|---|
/// | `/` | a page for a person, which sees every change of every sum and has the chat |
/// | `/events` | a stream of server-sent events: every change of every sum from now on ([`SUMS`]) |
/// | `/chat` | a WebSocket: a line of text goes to all, behind the sender's id and a colon ([`ROOM`]) |
///
/// A line has at most [`LINE_BYTES_MAX`] bytes, and no control characters. Otherwise its sender is told, and nobody else. An empty
/// line is answered with who the sender is. No such answer begins as a line does.
///
/// Give the server [`Ends`] as its observer, so that the end of a session is seen, too.
///
/// # Examples
/// ```
/// static LIVE: tenure_adder::Live = tenure_adder::Live::new();
///
/// let app = tenure_adder::live_app(&LIVE);
/// # let _ = app;
/// ```
pub fn live_app(live: &Live) -> impl Handler<Adder> + Sync {
    log_registering();
    Router::new()
        .route("/adder", adder_route(&live.visitors, live))
        .route("/login", login_route(&live.visitors, live))
        .route("/logout", logout_route(live))
        .route("/id", get(async |request: &mut Request<'_, Adder>| id(request)))
        .route("/", get(async |_: &mut Request<'_, Adder>| Html(LIVE_PAGE)))
        .route(
            "/events",
            events(async move |_: &mut Request<'_, Adder>| {
                live.is_watched.store(true, Ordering::Relaxed);
                Events::new().topic(SUMS).retry_ms(RETRY_MS)
            }),
        )
        .route("/chat", websocket(enter, said))
}

/// What is told of sums that change: nothing, or what [`Live`] does.
pub(crate) trait Watch: Copy + Sync {
    /// The connection has this sum now.
    fn changed(self, request: &mut Request<'_, Adder>, sum: i64);

    /// Its session was taken away.
    fn removed(self, request: &mut Request<'_, Adder>);
}

impl Watch for () {
    #[inline(always)]
    fn changed(self, _: &mut Request<'_, Adder>, _: i64) {}

    #[inline(always)]
    fn removed(self, _: &mut Request<'_, Adder>) {}
}

impl Watch for &Live {
    #[inline]
    fn changed(self, request: &mut Request<'_, Adder>, sum: i64) {
        if request.is_heard(SUMS) {
            publish(request, "sum", &sum);
        }
    }

    #[inline]
    fn removed(self, request: &mut Request<'_, Adder>) {
        if request.is_heard(SUMS) {
            publish(request, "end", &EndReason::Removed);
        }
    }
}

#[cold]
fn publish(request: &mut Request<'_, Adder>, name: &str, what: &dyn fmt::Display) {
    let data = data(request.id(), what);
    if let Err(error) = request.publish(SUMS, Event::data(&data).event(name)) {
        // The sum has changed all the same: that is what its client is answered.
        error!("a change is not told: {error}");
    }
}

/// An id, a blank, and what has become of it.
fn data(id: ConnectionId, what: &dyn fmt::Display) -> heapless::String<{ ID_CHARACTERS_MAX + 1 + REASON_BYTES_MAX }> {
    let mut text = heapless::String::new();
    // What has no room is left out.
    let _ = write!(text, "{id} {what}");
    text
}

/// An observer that publishes the end of each session with `publish`, for the live application. That gets the event for [`SUMS`], and
/// does what a handle's `publish` does.
#[derive(Clone, Copy, Debug)]
pub struct Ends<'l, P> {
    live: &'l Live,
    publish: P,
}

impl<'l, P: Fn(Event<'_>)> Ends<'l, P> {
    /// An observer of that application's server.
    pub fn new(live: &'l Live, publish: P) -> Self {
        Ends { live, publish }
    }
}

impl<P: Fn(Event<'_>)> Observer for Ends<'_, P> {
    fn disconnected(&self, id: ConnectionId, reason: EndReason, session: bool) {
        if session && self.live.is_watched() {
            (self.publish)(Event::data(&data(id, &reason)).event("end"));
        }
    }
}

async fn enter(_: &mut Request<'_, Adder>) -> Result<Upgrade, Error> {
    Ok(Upgrade::websocket().topic(ROOM))
}

const TOO_LONG: &str = "Not sent: a line has 140 bytes at the most. Say it in several.";
const NOT_PRINTABLE: &str = "Not sent: a line has no line breaks, tabs or other control characters. Say it without.";

// The answer tells the bound.
const _: () = assert!(LINE_BYTES_MAX == 140);

async fn said(message: &mut Message<'_, Adder>) -> Result<(), Error> {
    let missed = message.missed();
    if missed > 0 {
        let mut text = heapless::String::<64>::new();
        let _ = write!(text, "You have missed {missed} lines: your connection was slow.");
        message.send(Frame::text(&text)).await?;
    }
    if message.is_text() && (!message.is_whole() || message.bytes().len() > LINE_BYTES_MAX) {
        // A very long one comes in pieces, and is answered once.
        return if message.is_last() { message.send(Frame::text(TOO_LONG)).await } else { Ok(()) };
    }
    let line = message.text()?.trim();
    let mut text = heapless::String::<{ ID_CHARACTERS_MAX + 2 + LINE_BYTES_MAX }>::new();
    if line.is_empty() {
        let _ = write!(text, "You are {}. A line goes to all who are here.", message.id());
        return message.send(Frame::text(&text)).await;
    }
    if line.contains(char::is_control) {
        return message.send(Frame::text(NOT_PRINTABLE)).await;
    }
    // It has room, for it was measured.
    let _ = write!(text, "{}: {line}", message.id());
    message.publish(ROOM, Frame::text(&text))
}
