//! An application whose targets say what its handlers do, step by step.
//!
//! | letter | step |
//! |---|---|
//! | `r` `w` `m` | reads the body in pieces; as a whole; as a whole whatever comes of it |
//! | `1` … `9` | reads so many bytes of it |
//! | `l` | bounds it to 30 bytes |
//! | `y` `q` | lets others have their turn; waits for the peer's close |
//! | `s` `x` `t` `z` | makes, ends, takes, replaces the session |
//! | `c` `n` | closes, pins the connection |
//! | `e` `p` | fails, panics |
//! | `L` | will say 300 bytes more |
//! | `S` `D` `K` | of `/r/`: begins a stream, a duplex one, one of 100 bytes |
//! | `W` `E` | writes 50 bytes to it, echoes the body into it |

use std::{cell::Cell, convert::Infallible, future::poll_fn, panic::resume_unwind, rc::Rc, task::Poll};

use tenure::{EndReason, Error, Handler, Request, Responder, Router, Sent, StatusCode, Stream, any};

/// How many sessions have been made, and have ended.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    made: Cell<u32>,
    ended: Cell<u32>,
}

impl Sessions {
    pub(super) fn told(&self) -> (u32, u32) {
        (self.made.get(), self.ended.get())
    }
}

/// A session that is counted.
#[derive(Debug)]
pub(super) struct Session {
    sessions: Rc<Sessions>,
    requests: u32,
}

impl tenure::Session for Session {
    fn end(self, _: EndReason) {
        self.sessions.ended.set(self.sessions.ended.get() + 1);
    }
}

/// What a handler has found out so far.
#[derive(Debug, Default)]
struct Told {
    bytes: usize,
    /// Of the bytes in their order.
    sum: u32,
    more: usize,
}

impl Told {
    fn read(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.sum = bytes.iter().fold(self.sum, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
    }

    fn text(&self, request: &Request<'_, Session>) -> String {
        let number = request.query_value("i").map_or("0", |number| number.as_encoded());
        let session = request.session().map_or(0, |session| session.requests);
        format!("#{number}.{}.{}.{session}{}", self.bytes, self.sum, "x".repeat(self.more))
    }
}

/// The application. Its sessions are counted in `sessions`.
pub(super) fn app(sessions: &Rc<Sessions>) -> impl Handler<Session> + use<> {
    let (of_values, of_responders) = (sessions.clone(), sessions.clone());
    let value = async move |request: &mut Request<'_, Session>| {
        let mut told = Told::default();
        for step in steps(request) {
            take(&of_values, request, step, &mut told).await?;
        }
        Ok::<_, Error>(told.text(request))
    };
    let responder = Responds(of_responders);
    Router::new().route("/v/{*steps}", any(value)).route("/r/{*steps}", responder)
}

fn steps(request: &Request<'_, Session>) -> Vec<u8> {
    request.parameter("steps").map_or(Vec::new(), |steps| steps.as_encoded().as_bytes().to_vec())
}

async fn take(
    sessions: &Rc<Sessions>,
    request: &mut Request<'_, Session>,
    step: u8,
    told: &mut Told,
) -> Result<(), Error> {
    let make = || {
        sessions.made.set(sessions.made.get() + 1);
        Session { sessions: sessions.clone(), requests: 0 }
    };
    match step {
        b'r' => {
            while let Some(piece) = request.body().read().await? {
                told.read(piece);
            }
        }
        b'w' => told.read(request.body().whole().await?),
        b'm' => drop(request.body().whole().await),
        b'1'..=b'9' => {
            let end = told.bytes + usize::from(step - b'0');
            while told.bytes < end {
                let Some(piece) = request.body().read_up_to(end - told.bytes).await? else { break };
                told.read(piece);
            }
        }
        b'l' => drop(request.body().limit(30)),
        b'y' => {
            let mut is_over = false;
            poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut is_over, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        b'q' => request.peer_closed().await,
        b's' => request.session_or_insert_with(make).requests += 1,
        b'x' => drop(request.end_session()),
        b't' => {
            if let Some(session) = request.take_session() {
                tenure::Session::end(session, EndReason::Removed);
            }
        }
        b'z' => drop(request.replace_session(make())),
        b'c' => request.close(),
        b'n' => request.pin(true),
        b'e' => return Err(Error::conflict("told to fail")),
        // Without a word on standard error.
        b'p' => resume_unwind(Box::new("told to panic")),
        b'L' => told.more += 300,
        _ => {}
    }
    Ok(())
}

/// A handler that answers through its responder.
struct Responds(Rc<Sessions>);

impl Handler<Session> for Responds {
    type Page = Infallible;

    async fn handle<'r>(&self, request: &mut Request<'r, Session>, responder: Responder<'r>) -> Result<Sent, Error> {
        let mut told = Told::default();
        let (mut responder, mut stream) = (Some(responder), None::<Stream<'r>>);
        for step in steps(request) {
            match (step, &mut stream) {
                (b'W', Some(stream)) => stream.write(&[b'y'; 50]).await?,
                (b'E', Some(stream)) => {
                    while let Some(piece) = request.body().read().await? {
                        // As letters: an echo must not look like a response.
                        let letters: Vec<u8> = piece.iter().map(|byte| b'a' + byte % 26).collect();
                        stream.write(&letters).await?;
                    }
                }
                (b'S' | b'D' | b'K', None) => {
                    let Some(responder) = responder.take() else { continue };
                    stream = Some(match step {
                        b'S' => responder.stream(StatusCode::OK, &[]).await?,
                        b'D' => responder.duplex(StatusCode::CREATED, &[]).await?,
                        _ => responder.stream_of(StatusCode::ACCEPTED, &[], 100).await?,
                    });
                }
                _ => take(&self.0, request, step, &mut told).await?,
            }
        }
        match (stream, responder) {
            (Some(stream), _) => stream.finish().await,
            (None, Some(responder)) => responder.send(told.text(request)).await,
            (None, None) => Err(Error::internal("a stream is begun once")),
        }
    }
}
