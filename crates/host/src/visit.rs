//! Closures that other tasks run on a connection's session, on its own worker, between two requests.

use std::{
    any::Any,
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use tenure::{ConnectionId, port::contain};

use crate::answer::{Answer, Asked};

/// A closure on its way to a session: awaited, or [waited for](Visit::wait), it gives what the closure has returned.
///
/// # Errors
/// A [`SessionError`]: the closure has not run, and is given back; or it panicked.
///
/// # Panics
/// When it is awaited again after that.
///
/// # Cancellation safety
/// The closure is on its way from [`Handle::with_session`](crate::Handle::with_session) on, awaited or not.
#[must_use = "it gives what the closure returns, or gives it back"]
pub struct Visit<R, F>(Answer<Result<R, SessionError<F>>>);

/// Why a closure has given nothing. Where it has not run it is given back, for another try.
pub enum SessionError<F> {
    /// The connection's worker has as much before it as there is room for, or as many closures wait for sessions that are lent.
    Full(F),
    /// The server does not run any more.
    Stopped(F),
    /// There is no such connection any more.
    Gone(F),
    /// The connection has no session.
    NoSession(F),
    /// The session is not of the closure's type, or [`Session::as_any`](tenure::Session::as_any) lends it to nobody.
    OtherType(F),
    /// The closure panicked. The session stays, with its changes so far, and so does the connection.
    Panicked,
}

impl<F> SessionError<F> {
    /// The closure, unless it panicked.
    pub fn closure(self) -> Option<F> {
        match self {
            SessionError::Full(closure)
            | SessionError::Stopped(closure)
            | SessionError::Gone(closure)
            | SessionError::NoSession(closure)
            | SessionError::OtherType(closure) => Some(closure),
            SessionError::Panicked => None,
        }
    }

    fn text(&self) -> [&'static str; 2] {
        match self {
            SessionError::Full(_) => ["Full", "the worker has too much before it: try again later"],
            SessionError::Stopped(_) => ["Stopped", "the server does not run any more"],
            SessionError::Gone(_) => ["Gone", "the connection is gone"],
            SessionError::NoSession(_) => ["NoSession", "the connection has no session"],
            SessionError::OtherType(_) => [
                "OtherType",
                "the session has another type than the closure asks for, or its `as_any` is not `Some(self)`",
            ],
            SessionError::Panicked => ["Panicked", "the closure panicked"],
        }
    }
}

/// Says which, whatever the closure is.
impl<F> fmt::Debug for SessionError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text()[0])
    }
}

impl<F> fmt::Display for SessionError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text()[1])
    }
}

impl<F> std::error::Error for SessionError<F> {}

impl<R, F> Visit<R, F> {
    /// Waits for it, and blocks the thread. In a handler, await it instead: waiting would block the worker that must run it.
    ///
    /// # Errors
    /// As awaiting it.
    ///
    /// # Panics
    /// When it has been awaited to its end.
    pub fn wait(self) -> Result<R, SessionError<F>> {
        self.0.wait().expect(GIVEN)
    }
}

const GIVEN: &str = "what a closure gives is given once";

impl<R, F> Future for Visit<R, F> {
    type Output = Result<R, SessionError<F>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(context).map(|result| result.expect(GIVEN))
    }
}

impl<R, F> fmt::Debug for Visit<R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Visit({:?})", self.0)
    }
}

/// Why a closure is not run, said to its [`SessionError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Stopped,
    Gone,
    NoSession,
    OtherType,
}

/// A closure, whatever its types. One that is dropped is given back: its worker has ended.
pub(crate) trait Visitor: Send {
    /// Whose session it wants.
    fn id(&self) -> ConnectionId;
    /// Runs it on that session; `None`: the session is lent to nobody.
    fn run(&mut self, session: Option<&mut dyn Any>);
    /// Gives it back.
    fn refuse(&mut self, why: Refused);
}

impl fmt::Debug for dyn Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Visitor(of {})", self.id())
    }
}

/// The type of what awaits a closure's end, and of the closure on its way.
pub(crate) fn visit<S, R, F>(id: ConnectionId, closure: F) -> (Visit<R, F>, Box<dyn Visitor>)
where
    S: 'static,
    F: FnOnce(&mut S) -> R + Send + 'static,
    R: Send + 'static,
{
    let (answer, asked) = Asked::new();
    let visitor = Visiting { id, closure: Some((closure, asked)), types: PhantomData::<fn(&mut S) -> R> };
    (Visit(answer), Box::new(visitor))
}

struct Visiting<S, R, F> {
    id: ConnectionId,
    /// `None` once it has been run or given back.
    #[expect(clippy::type_complexity, reason = "it stands here alone")]
    closure: Option<(F, Asked<Result<R, SessionError<F>>>)>,
    types: PhantomData<fn(&mut S) -> R>,
}

impl<S, R, F> Visiting<S, R, F> {
    fn give_back(&mut self, why: Refused) {
        let Some((closure, asked)) = self.closure.take() else { return };
        asked.answer(Err(match why {
            Refused::Full => SessionError::Full(closure),
            Refused::Stopped => SessionError::Stopped(closure),
            Refused::Gone => SessionError::Gone(closure),
            Refused::NoSession => SessionError::NoSession(closure),
            Refused::OtherType => SessionError::OtherType(closure),
        }));
    }
}

impl<S, R, F> Visitor for Visiting<S, R, F>
where
    S: 'static,
    F: FnOnce(&mut S) -> R + Send,
    R: Send,
{
    fn id(&self) -> ConnectionId {
        self.id
    }

    fn run(&mut self, session: Option<&mut dyn Any>) {
        let Some(session) = session.and_then(|session| session.downcast_mut()) else {
            return self.give_back(Refused::OtherType);
        };
        let Some((closure, asked)) = self.closure.take() else { return };
        let returned = contain(|| closure(session));
        if returned.is_none() {
            log::error!("a closure that was run on the session of connection {} panicked", self.id);
        }
        asked.answer(returned.ok_or(SessionError::Panicked));
    }

    fn refuse(&mut self, why: Refused) {
        self.give_back(why);
    }
}

impl<S, R, F> Drop for Visiting<S, R, F> {
    fn drop(&mut self) {
        self.give_back(Refused::Stopped);
    }
}
