//! One of two futures. A layer of handlers returns it in the place of an `async` block, which would have a state, a copy of
//! what it captures and code of its own.

use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

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
