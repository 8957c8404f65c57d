//! A server in a thread of its own, sessions that are counted, and a small client.
#![allow(dead_code, unused_imports, reason = "each test uses its own part of it")]

mod child;
mod client;
mod gate;
mod tally;

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use tenure::{EndReason, Error, Handler, Observer, Request, Responder, Router, Sent, Session, get};

// The suite is built for both ports of hosts: each says in its own folder which one it is.
include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/port/suite.rs"));
use port::{Handle, Server, Settings};

pub(crate) use child::{Process, line, log_to_parent};
pub(crate) use client::{Client, frame, post, upgrade};
pub(crate) use gate::Gate;
pub(crate) use tally::Tally;

/// How long a test waits for something that must happen: only a hang takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What one client has added up over its connection.
pub(crate) struct Adder {
    pub(crate) sum: i64,
    tally: &'static Tally,
}

impl Session for Adder {
    fn end(self, reason: EndReason) {
        self.tally.ended(reason);
    }
}

/// A value for the rest of the process, for handlers and their tests to share.
pub(crate) fn forever<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// The connection's session, counted when it is made.
pub(crate) fn session<'a>(request: &'a mut Request<'_, Adder>, tally: &'static Tally) -> &'a mut Adder {
    request.session_or_insert_with(|| {
        tally.opened();
        Adder { sum: 0, tally }
    })
}

async fn add(request: &mut Request<'_, Adder>, tally: &'static Tally) -> Result<i64, Error> {
    let number: i64 = request.body().parse().await?;
    let adder = session(request, tally);
    adder.sum = adder.sum.checked_add(number).ok_or(Error::unprocessable("the sum would overflow"))?;
    Ok(adder.sum)
}

async fn read(request: &mut Request<'_, Adder>) -> i64 {
    request.session().map_or(0, |adder| adder.sum)
}

async fn small(request: &mut Request<'_, Adder>) -> Result<&'static str, Error> {
    request.body().limit(16).whole().await?;
    Ok("small enough")
}

/// The most turns of a worker that has nothing to do but to keep a few deadlines. Each may take several, because a clock may stand
/// still for a few milliseconds; one that does not sleep has as many within a fraction of a millisecond.
pub(crate) const TURNS_AT_REST: u64 = 100;

/// What a stream at `/bytes/{count}` repeats.
pub(crate) const PATTERN: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+\n";

async fn bytes<'r>(request: &mut Request<'r, Adder>, responder: Responder<'r>) -> Result<Sent, Error> {
    let count: usize = request.parameter("count").ok_or(Error::internal("the route has it"))?.parse()?;
    let mut stream = responder.stream(tenure::StatusCode::OK, &[]).await?;
    for _ in 0..count / PATTERN.len() {
        stream.write(PATTERN).await?;
    }
    stream.write(&PATTERN[..count % PATTERN.len()]).await?;
    stream.finish().await
}

/// An adder at `/adder`, and a few targets that say something of their connection.
pub(crate) fn app(tally: &'static Tally) -> impl Handler<Adder> + Send + Sync + 'static {
    Router::new()
        .route("/adder", get(read).post(async move |request: &mut Request<'_, Adder>| add(request, tally).await))
        .route("/id", get(async |request: &mut Request<'_, Adder>| request.id().to_string()))
        .route("/peer", get(async |request: &mut Request<'_, Adder>| request.peer().map(|peer| peer.to_string())))
        .route("/turns", get(async |_: &mut Request<'_, Adder>| tenure_host::turns()))
        .route("/small", tenure::post(small))
        .route("/bytes/{count}", tenure::respond(tenure::Method::Get, bytes))
}

/// The adder, and a target that waits at a gate.
pub(crate) fn waiting(tally: &'static Tally, gate: &'static Gate) -> impl Handler<Adder> + Send + Sync + 'static {
    let wait = get(async move |request: &mut Request<'_, Adder>| {
        session(request, tally);
        gate.pass().await;
        "waited"
    });
    Router::new().route("/wait", wait).route("/{*rest}", app(tally))
}

/// The defaults, on a free port of the loopback and one thread.
pub(crate) fn settings() -> Settings {
    with_threads(1)
}

/// The defaults, on a free port of the loopback.
pub(crate) fn with_threads(threads: usize) -> Settings {
    Settings { threads: NonZeroUsize::new(threads), ..Settings::at(local()) }
}

/// Any free port of the loopback.
pub(crate) fn local() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// A server that runs. Stopped when it is dropped.
pub(crate) struct Running {
    pub(crate) handle: Handle,
    pub(crate) address: SocketAddr,
    ended: Receiver<Result<(), port::Error>>,
}

impl Running {
    /// Starts a server in a thread of its own.
    pub(crate) fn start<S, A, O>(settings: Settings, app: A, observer: O) -> Self
    where
        S: Session,
        A: Handler<S> + Send + Sync + 'static,
        O: Observer + Send + Sync + 'static,
    {
        let server = Server::bind(settings).expect("the settings are good");
        Running::of(server, app, observer)
    }

    /// Lets a server run in a thread of its own.
    pub(crate) fn of<S, A, O>(server: Server, app: A, observer: O) -> Self
    where
        S: Session,
        A: Handler<S> + Send + Sync + 'static,
        O: Observer + Send + Sync + 'static,
    {
        let (handle, address) = (server.handle(), server.local_addr());
        let (tell, ended) = channel();
        thread::spawn(move || {
            let _ = tell.send(server.run(&app, &observer));
        });
        Running { handle, address, ended }
    }

    /// An adder that is counted.
    pub(crate) fn adder(settings: Settings) -> (Self, &'static Tally) {
        let tally = forever(Tally::default());
        (Running::start(settings, app(tally), tally), tally)
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Waits until `run` has returned.
    pub(crate) fn join(self) {
        self.ended.recv_timeout(PATIENCE).expect("the server ends").expect("it ends well");
    }

    /// Stops it and waits until `run` has returned.
    pub(crate) fn stop(self) {
        self.handle.stop();
        self.join();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop_now();
    }
}
