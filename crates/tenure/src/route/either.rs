//! One of two. Futures: a layer of handlers returns one in the place of an `async` block, which would have a state, a copy of
//! what it captures and code of its own. Responses: the page of one handler or another.

use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::exchange::reply::{IntoResponse, Outcome, Reply};

pin_project! {
    /// One of two futures of the same output.
    #[project = Projected]
    pub(crate) enum Either<A, B> {
        First { #[pin] future: A },
        Second { #[pin] future: B },
    }
}

impl<A: Future, B: Future<Output = A::Output>> Future for Either<A, B> {
    type Output = A::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<A::Output> {
        match self.project() {
            Projected::First { future } => future.poll(context),
            Projected::Second { future } => future.poll(context),
        }
    }
}

/// One of two responses.
#[derive(Debug)]
pub enum OneOf<A, B> {
    /// This one.
    First(A),
    /// The other one.
    Second(B),
}

impl<A: IntoResponse, B: IntoResponse> IntoResponse for OneOf<A, B> {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        match self {
            OneOf::First(response) => response.respond(reply),
            OneOf::Second(response) => response.respond(reply),
        }
    }
}
