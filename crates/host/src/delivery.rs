//! A message on its way to one connection, and what became of it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tenure::{PushError, port::Pushed};

use crate::answer::Answer;

/// A message on its way to one WebSocket: awaited, or [waited for](Delivery::wait), it tells what became of it.
///
/// `Ok`: the connection's worker has given it to the socket, or it is in the connection's backlog, behind what was sent before. Whether
/// the peer has read it only the peer can tell: where the connection ends before that, it is lost.
///
/// # Errors
/// A [`DeliveryError`]: nothing of the message is sent, now or later.
///
/// # Cancellation safety
/// The message is on its way from [`Handle::deliver`](crate::Handle::deliver) on, awaited or not. What has been told is told again.
#[derive(Debug)]
#[must_use = "it tells what became of the message; `Handle::send` does not ask"]
pub struct Delivery(State);

#[derive(Debug)]
enum State {
    Told(Result<(), DeliveryError>),
    Awaited(Answer<Pushed>),
}

/// Why a message has not been sent, and will not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryError {
    /// The connection's worker was not told, or has ended since.
    Push(PushError),
    /// There is no such connection any more, or it is no open WebSocket.
    Gone,
    /// Its peer takes less than it is sent: the message was left out, and counted
    /// ([`Message::missed`](tenure::Message::missed)).
    Behind,
}

impl Delivery {
    pub(crate) fn told(result: Result<(), DeliveryError>) -> Self {
        Delivery(State::Told(result))
    }

    pub(crate) fn awaited(answer: Answer<Pushed>) -> Self {
        Delivery(State::Awaited(answer))
    }

    /// Waits for it, and blocks the thread. In a handler, await it instead: waiting would block the worker that must answer.
    ///
    /// # Errors
    /// As awaiting it.
    pub fn wait(self) -> Result<(), DeliveryError> {
        match self.0 {
            State::Told(result) => result,
            State::Awaited(answer) => result_of(answer.wait()),
        }
    }
}

impl Future for Delivery {
    type Output = Result<(), DeliveryError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match &self.0 {
            State::Told(result) => result.clone(),
            State::Awaited(answer) => match answer.poll(context) {
                Poll::Ready(pushed) => result_of(pushed),
                Poll::Pending => return Poll::Pending,
            },
        };
        self.0 = State::Told(result.clone());
        Poll::Ready(result)
    }
}

fn result_of(pushed: Option<Pushed>) -> Result<(), DeliveryError> {
    match pushed {
        Some(Pushed::Taken) => Ok(()),
        Some(Pushed::Behind) => Err(DeliveryError::Behind),
        Some(Pushed::Gone) => Err(DeliveryError::Gone),
        None => Err(DeliveryError::Push(PushError::Stopped)),
    }
}

impl From<PushError> for DeliveryError {
    fn from(error: PushError) -> Self {
        DeliveryError::Push(error)
    }
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeliveryError::Push(error) => fmt::Display::fmt(error, f),
            DeliveryError::Gone => f.write_str("the connection is gone, or is no open WebSocket"),
            DeliveryError::Behind => f.write_str("the peer takes less than it is sent: the message was left out"),
        }
    }
}

impl std::error::Error for DeliveryError {}
