//! What is served.

use std::{convert::Infallible, future::Future, marker::PhantomData, rc::Rc};

use tenure::{
    Handler, Observer, Session,
    port::{Wire, lane},
};

/// What is served: it makes the lanes' futures, and has the observer.
pub trait Service {
    /// The application's session.
    type Session: Session;
    /// A lane's future.
    type Future: Future<Output = Infallible>;
    /// Who watches.
    type Observer: Observer;

    /// A lane's future over that wire.
    fn lane(&self, wire: Rc<Wire<Self::Session>>) -> Self::Future;
    /// Who watches.
    fn observer(&self) -> &Self::Observer;
}

/// An application, watched by an observer.
pub(crate) fn watched<S, A, O>(app: &A, observer: &O) -> impl Service<Session = S, Observer = O>
where
    S: Session,
    A: Handler<S>,
    O: Observer,
{
    // A closure, because only here is the future's unnamed type known.
    Watched { make: move |wire: Rc<Wire<S>>| lane(wire, app, observer), observer, types: PhantomData }
}

struct Watched<'a, S, F, M, O> {
    make: M,
    observer: &'a O,
    types: PhantomData<fn(S) -> F>,
}

impl<S, F, M, O> Service for Watched<'_, S, F, M, O>
where
    S: Session,
    F: Future<Output = Infallible>,
    M: Fn(Rc<Wire<S>>) -> F,
    O: Observer,
{
    type Session = S;
    type Future = F;
    type Observer = O;

    fn lane(&self, wire: Rc<Wire<S>>) -> F {
        (self.make)(wire)
    }

    fn observer(&self) -> &O {
        self.observer
    }
}
