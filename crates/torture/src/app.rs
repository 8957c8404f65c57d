//! The application under torture: it adds, streams, uploads, waits for another thread, and panics.

use std::{
    fmt,
    future::poll_fn,
    ops::AddAssign,
    panic::resume_unwind,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
};

use tenure::{
    Admission, ConnectionId, EndReason, Error, EventTopic, Events, Frame, Handler, Message, MessageTopic, Method,
    Observer, PeerAddress, Request, Responder, Router, Sent, Session, StatusCode, Upgrade, events, get, post, respond,
    websocket,
};

/// What has been, counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    made: AtomicUsize,
    ended: AtomicUsize,
    connected: AtomicUsize,
    disconnected: AtomicUsize,
    responses: AtomicUsize,
    /// Handlers that wait for another thread.
    waiting: Mutex<Vec<(Arc<AtomicBool>, Waker)>>,
}

impl Tally {
    /// Lets those go on that wait.
    pub(crate) fn wake(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for (is_over, waker) in waiting {
            is_over.store(true, Ordering::Release);
            waker.wake();
        }
    }

    /// The counts so far.
    pub(crate) fn counts(&self) -> Counts {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        Counts {
            made: count(&self.made),
            ended: count(&self.ended),
            connected: count(&self.connected),
            disconnected: count(&self.disconnected),
            responses: count(&self.responses),
        }
    }
}

/// What a tally counted, or several.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    made: usize,
    ended: usize,
    connected: usize,
    disconnected: usize,
    responses: usize,
}

impl Counts {
    /// Whether everything has ended that began.
    pub(crate) fn check(self) -> Result<(), String> {
        if self.made == self.ended && self.connected == self.disconnected { Ok(()) } else { Err(self.to_string()) }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.made += other.made;
        self.ended += other.ended;
        self.connected += other.connected;
        self.disconnected += other.disconnected;
        self.responses += other.responses;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { made, ended, connected, disconnected, responses } = self;
        write!(
            f,
            "{connected} connections, {disconnected} ended; {responses} responses; {made} sessions made, {ended} ended"
        )
    }
}

impl Observer for Tally {
    fn connected(&self, _: ConnectionId, _: Option<PeerAddress>) -> Admission {
        count(&self.connected);
        Admission::Accept
    }

    fn response_sent(&self, _: ConnectionId, _: StatusCode, _: u64, _: u32) {
        count(&self.responses);
    }

    fn disconnected(&self, _: ConnectionId, _: EndReason, _: bool) {
        count(&self.disconnected);
    }
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// What one connection has added up.
#[derive(Debug)]
pub(crate) struct Sum {
    sum: u64,
    tally: Arc<Tally>,
}

impl Session for Sum {
    fn end(self, _: EndReason) {
        count(&self.tally.ended);
    }
}

fn session<'a>(request: &'a mut Request<'_, Sum>, tally: &Arc<Tally>) -> &'a mut Sum {
    request.session_or_insert_with(|| {
        count(&tally.made);
        Sum { sum: 0, tally: tally.clone() }
    })
}

/// What streams repeat.
pub(crate) const PATTERN: &[u8; 10] = b"0123456789";

/// What others push and publish, and where.
pub(crate) const TICK: &str = "tick";
pub(crate) const ROOM: MessageTopic = MessageTopic::new(0);
pub(crate) const TICKS: EventTopic = EventTopic::new(0);

/// The application. A client's sum is that of its requests, whichever they are, each of which adds 1.
pub(crate) fn app(tally: &Arc<Tally>) -> impl Handler<Sum> + Send + Sync + 'static {
    let [adding, panicking, waiting, uploading, streaming, entering, hearing, listening] =
        std::array::from_fn(|_| tally.clone());
    let add = move |request: &mut Request<'_, Sum>, tally: &Arc<Tally>| {
        let session = session(request, tally);
        session.sum += 1;
        session.sum
    };
    Router::new()
        .route("/add", get(async move |request: &mut Request<'_, Sum>| add(request, &adding)))
        .route(
            "/panic",
            get(async move |request: &mut Request<'_, Sum>| {
                add(request, &panicking);
                resume_unwind(Box::new("a handler's panic, on purpose"));
                #[expect(unreachable_code, reason = "a handler's type")]
                StatusCode::OK
            }),
        )
        .route(
            "/wait",
            get(async move |request: &mut Request<'_, Sum>| {
                wait(&waiting).await;
                add(request, &waiting)
            }),
        )
        .route(
            "/upload",
            post(async move |request: &mut Request<'_, Sum>| {
                add(request, &uploading);
                let mut bytes = 0;
                while let Some(piece) = request.body().read().await? {
                    bytes += piece.len() as u64;
                }
                Ok::<u64, Error>(bytes)
            }),
        )
        .route(
            "/stream/{bytes}",
            respond(Method::Get, async move |request: &mut Request<'_, Sum>, responder: Responder<'_>| {
                session(request, &streaming).sum += 1;
                let bytes = request.parameter("bytes").ok_or(Error::internal("the route has it"))?.parse()?;
                stream(responder, bytes).await
            }),
        )
        .route(
            "/socket",
            websocket(
                async move |request: &mut Request<'_, Sum>| {
                    session(request, &entering);
                    Ok(Upgrade::websocket().topic(ROOM))
                },
                async move |message: &mut Message<'_, Sum>| said(message, &hearing).await,
            ),
        )
        .route(
            "/events",
            events(async move |request: &mut Request<'_, Sum>| {
                session(request, &listening);
                Events::new().topic(TICKS)
            }),
        )
}

/// Sends a message back, or a piece of one.
async fn said(message: &mut Message<'_, Sum>, tally: &Tally) -> Result<(), Error> {
    let bytes = message.bytes();
    match bytes {
        b"wait" => wait(tally).await,
        b"publish" => message.publish(ROOM, Frame::text(TICK))?,
        _ => {}
    }
    message.send(Frame::binary(bytes)).await
}

/// Streams whole patterns, no more than so many bytes.
async fn stream(responder: Responder<'_>, bytes: usize) -> Result<Sent, Error> {
    let mut stream = responder.stream(StatusCode::OK, &[]).await?;
    for _ in 0..bytes / PATTERN.len() {
        stream.write(PATTERN).await?;
    }
    stream.finish().await
}

/// Waits until another thread wakes it.
async fn wait(tally: &Tally) {
    let mut waits: Option<Arc<AtomicBool>> = None;
    poll_fn(|context| {
        let is_new = waits.is_none();
        let is_over = waits.get_or_insert_default();
        if is_over.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        if is_new {
            let mut waiting = tally.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push((is_over.clone(), context.waker().clone()));
        }
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_ended_is_a_fault() {
        let whole = Counts { made: 2, ended: 2, connected: 3, disconnected: 3, responses: 4 };
        assert_eq!(whole.check(), Ok(()));
        for lacking in [
            Counts { ended: 1, ..whole },
            Counts { ended: 3, ..whole },
            Counts { disconnected: 2, ..whole },
            Counts { disconnected: 4, ..whole },
        ] {
            assert!(lacking.check().is_err(), "{lacking}");
        }
    }
}
