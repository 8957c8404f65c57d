//! An application of handlers that do everything that handlers can do. Each answers with the number of the request that it
//! answers, in brackets.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use tenure::{
    CloseCode, Error, Event, EventTopic, Events, Frame, Handler, Message, MessageTopic, Method, Request, Responder,
    Router, Sent, StatusCode, Upgrade, any, events, get, post, respond, websocket,
};

use crate::world::{Token, panic_on_purpose, removing, with};

pub const ROOM: MessageTopic = MessageTopic::new(0);
pub const TICKS: EventTopic = EventTopic::new(0);

type Asked<'a, 'r> = &'a mut Request<'r, Token>;

pub fn app() -> impl Handler<Token> + 'static {
    Router::new()
        .route("/hello", any(hello))
        .route("/open", any(open))
        .route("/body", post(body))
        .route("/own", post(own))
        .route("/whole", post(whole))
        .route("/wait", any(wait))
        .route("/waitbody", post(wait_and_body))
        .route("/long", get(wait).waits_long())
        .route("/peer", get(peer))
        .route("/ending", get(ending))
        .route("/open-only", get(while_open))
        .route("/sleep", any(sleep))
        .route("/stream", respond(Method::Get, stream).respond(Method::Post, stream))
        .route("/break", respond(Method::Get, breaks))
        .route("/panic", any(panics))
        .route("/latepanic", respond(Method::Get, panics_late))
        .route("/remove", get(remove))
        .route("/replace", get(replace))
        .route("/take", get(take))
        .route("/pin", get(pin_it))
        .route("/unpin", get(unpin))
        .route("/close", get(close))
        .route("/publish", post(publish))
        .route("/events", events(listen))
        .route("/socket", websocket(enter, said))
        .route("/latesocket", websocket(enter_late, said))
        .nest("/nested", Router::new().route("/strict", websocket(enter_strict, said)))
}

fn tag(request: &Request<'_, Token>) -> String {
    if let Some(session) = request.session() {
        session.assert_of(request.id());
    }
    format!("[{}]", request.query().unwrap_or_default())
}

/// The client that asks.
fn client(request: &Request<'_, Token>) -> u32 {
    request.query().map_or(0, client_of)
}

/// The client of a request's number.
fn client_of(number: &str) -> u32 {
    number.split_once('.').and_then(|(client, _)| client.parse().ok()).unwrap_or(0)
}

async fn gate(client: u32) {
    poll_fn(|context| {
        with(|world| {
            let (open, waiting) = world.gates.entry(client).or_default();
            if std::mem::take(open) {
                return Poll::Ready(());
            }
            waiting.push(context.waker().clone());
            Poll::Pending
        })
    })
    .await;
}

/// A future under a waker of its own, which is polled where that was woken and never otherwise.
struct Own<F> {
    future: Pin<Box<F>>,
    flag: Arc<Flag>,
}

struct Flag {
    woken: AtomicBool,
    parent: std::sync::Mutex<Waker>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
        self.parent.lock().unwrap().wake_by_ref();
    }
}

impl<F: Future> Own<F> {
    fn new(future: F) -> Self {
        let flag = Flag { woken: AtomicBool::new(true), parent: std::sync::Mutex::new(Waker::noop().clone()) };
        Own { future: Box::pin(future), flag: Arc::new(flag) }
    }
}

impl<F: Future> Future for Own<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.flag.parent.lock().unwrap().clone_from(context.waker());
        if !self.flag.woken.swap(false, Ordering::Relaxed) {
            return Poll::Pending;
        }
        let waker = Waker::from(self.flag.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

/// The first of two that is ready.
async fn first(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|context| {
        if one.as_mut().poll(context).is_ready() || other.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
}

async fn hello(request: Asked<'_, '_>) -> String {
    tag(request)
}

async fn open(request: Asked<'_, '_>) -> String {
    let id = request.id();
    request.session_or_insert_with(|| Token::new(id));
    tag(request)
}

async fn body(request: Asked<'_, '_>) -> Result<String, Error> {
    while let Some(piece) = request.body().limit(u64::MAX).read().await? {
        assert!(piece.iter().all(|byte| *byte == b'x'), "foreign bytes in a body");
    }
    Ok(tag(request))
}

async fn own(request: Asked<'_, '_>) -> Result<String, Error> {
    while let Some(piece) = Own::new(request.body().limit(u64::MAX).read()).await? {
        assert!(piece.iter().all(|byte| *byte == b'x'), "foreign bytes in a body");
    }
    Own::new(gate(client(request))).await;
    Ok(tag(request))
}

async fn whole(request: Asked<'_, '_>) -> Result<String, Error> {
    let id = request.id();
    request.session_or_insert_with(|| Token::new(id));
    let length = request.body().limit(u64::MAX).whole().await?.len();
    Ok(format!("{}{length}", tag(request)))
}

async fn wait(request: Asked<'_, '_>) -> String {
    let id = request.id();
    request.session_or_insert_with(|| Token::new(id));
    gate(client(request)).await;
    tag(request)
}

async fn wait_and_body(request: Asked<'_, '_>) -> Result<String, Error> {
    gate(client(request)).await;
    body(request).await
}

async fn peer(request: Asked<'_, '_>) -> String {
    let gate = gate(client(request));
    first(Own::new(request.peer_closed()), gate).await;
    tag(request)
}

async fn ending(request: Asked<'_, '_>) -> String {
    let gate = gate(client(request));
    first(Own::new(request.ending()), gate).await;
    tag(request)
}

async fn while_open(request: Asked<'_, '_>) -> Result<String, Error> {
    let gate = gate(client(request));
    request.while_open(gate).await?;
    Ok(tag(request))
}

/// Until its gate opens, or for a while: under a waker of its own, beside a longer one.
async fn sleep(request: Asked<'_, '_>) -> String {
    let gate = gate(client(request));
    let short = Own::new(request.sleep(Duration::from_millis(37)));
    let long = request.sleep(Duration::from_millis(700));
    first(first(short, gate), long).await;
    tag(request)
}

async fn stream<'r>(request: &mut Request<'r, Token>, responder: Responder<'r>) -> Result<Sent, Error> {
    let id = request.id();
    request.session_or_insert_with(|| Token::new(id));
    let tag = tag(request);
    let mut stream = responder.stream(StatusCode::OK, &[]).await?;
    for size in [10, 300, 1] {
        stream.write(&vec![b'y'; size]).await?;
    }
    gate(client(request)).await;
    stream.write(tag.as_bytes()).await?;
    stream.finish().await
}

/// Announces more than it sends.
async fn breaks<'r>(request: &mut Request<'r, Token>, responder: Responder<'r>) -> Result<Sent, Error> {
    let _ = tag(request);
    let mut stream = responder.stream_of(StatusCode::OK, &[], 10).await?;
    stream.write(b"yyy").await?;
    stream.finish().await
}

async fn panics(request: Asked<'_, '_>) {
    let _ = tag(request);
    panic_on_purpose()
}

async fn panics_late<'r>(request: &mut Request<'r, Token>, responder: Responder<'r>) -> Result<Sent, Error> {
    let mut stream = responder.stream(StatusCode::OK, &[]).await?;
    stream.write(b"yyy").await?;
    gate(client(request)).await;
    panic_on_purpose()
}

async fn remove(request: Asked<'_, '_>) -> String {
    removing(|| request.end_session());
    tag(request)
}

async fn replace(request: Asked<'_, '_>) -> String {
    let id = request.id();
    removing(|| {
        request.replace_session(Token::new(id));
    });
    tag(request)
}

/// Takes the session away and keeps it for a while.
async fn take(request: Asked<'_, '_>) -> String {
    let mut taken = request.take_session();
    if let Some(token) = &mut taken {
        token.taken();
    }
    gate(client(request)).await;
    drop(taken);
    tag(request)
}

async fn pin_it(request: Asked<'_, '_>) -> String {
    request.pin(true);
    tag(request)
}

async fn unpin(request: Asked<'_, '_>) -> String {
    request.pin(false);
    tag(request)
}

async fn close(request: Asked<'_, '_>) -> String {
    let id = request.id();
    with(|world| {
        if let Some(facts) = world.connections.get_mut(&id) {
            facts.closed_by_handler = true;
        }
    });
    request.close();
    tag(request)
}

/// What is published: the next number, and so many bytes.
pub fn published(bytes: usize) -> String {
    let number = with(|world| {
        world.published += 1;
        world.published
    });
    format!("<{number}>{}", "z".repeat(bytes))
}

fn event(data: &str) -> Event<'_> {
    Event::data(data)
}

async fn publish(request: Asked<'_, '_>) -> Result<String, Error> {
    request.publish(ROOM, Frame::text(&published(20)))?;
    request.publish(TICKS, event(&published(20)))?;
    Ok(tag(request))
}

async fn listen(request: Asked<'_, '_>) -> Result<Events, Error> {
    let id = request.id();
    request.session_or_insert_with(|| Token::new(id));
    Events::new().topic(TICKS).retry_ms(2_000).first(event("first"))
}

async fn enter(request: Asked<'_, '_>) -> Result<Upgrade, Error> {
    let id = request.id();
    request.session_or_insert_with(|| Token::new(id)).assert_of(id);
    Ok(Upgrade::websocket().topic(ROOM))
}

async fn enter_late(request: Asked<'_, '_>) -> Result<Upgrade, Error> {
    gate(client(request)).await;
    Ok(Upgrade::websocket())
}

async fn enter_strict(_: Asked<'_, '_>) -> Result<Upgrade, Error> {
    Ok(Upgrade::websocket().topic(ROOM).close_when_behind())
}

/// Messages are a word, the number in brackets, and `x` up to their end. Long ones come in pieces.
async fn said(message: &mut Message<'_, Token>) -> Result<(), Error> {
    let id = message.id();
    if let Some(session) = message.session() {
        session.assert_of(id);
    }
    let bytes = message.bytes();
    if message.is_first() {
        let begun = with(|world| world.messages.insert(id, Vec::new()));
        assert_eq!(begun, None, "a message begins within another");
    }
    let all = with(|world| {
        let all = world.messages.get_mut(&id).expect("a message goes on that has not begun");
        all.extend_from_slice(bytes);
        if message.is_last() { world.messages.remove(&id) } else { None }
    });
    let Some(all) = all else { return Ok(()) };
    let all = String::from_utf8(all).expect("what clients send is UTF-8");
    let (word, rest) = all.split_once('[').expect("a word, and a number in brackets");
    let (number, rest) = rest.split_once(']').expect("a word, and a number in brackets");
    assert!(rest.bytes().all(|byte| byte == b'x'), "foreign bytes in a message");
    obey(message, word, number).await
}

async fn obey(message: &mut Message<'_, Token>, word: &str, number: &str) -> Result<(), Error> {
    let id = message.id();
    let echo = format!("[{number}]");
    let big = format!("{echo}{}", "y".repeat(3_000));
    match word {
        "big" => return message.send(Frame::text(&big)).await,
        "wait" => gate(client_of(number)).await,
        "publish" => message.publish(ROOM, Frame::text(&published(20)))?,
        "publishbig" => {
            message.publish(ROOM, Frame::text(&published(1)))?;
            message.publish(TICKS, event(&published(1)))?;
            message.publish(ROOM, Frame::text(&published(2_500)))?;
            return message.send(Frame::text(&big)).await;
        }
        "publishwait" => {
            message.publish(ROOM, Frame::text(&published(700)))?;
            gate(client_of(number)).await;
            message.publish(ROOM, Frame::text(&published(1)))?;
        }
        "giveup" => {
            let mut sending = pin!(message.send(Frame::text(&big)));
            first(
                async {
                    let _ = sending.as_mut().await;
                },
                gate(client_of(number)),
            )
            .await;
            return Ok(());
        }
        "join" => message.join(ROOM)?,
        "leave" => message.leave(ROOM)?,
        "pin" => message.pin(true),
        "session" => message.session_or_insert_with(|| Token::new(id)).assert_of(id),
        "panic" => panic_on_purpose(),
        "latepanic" => {
            message.publish(ROOM, Frame::text(&published(1)))?;
            gate(client_of(number)).await;
            panic_on_purpose()
        }
        "fail" => return Err(Error::internal("on purpose")),
        "close" => message.close(CloseCode::new(4_000).expect("a code of applications")),
        _ => {}
    }
    message.send(Frame::text(&echo)).await
}
