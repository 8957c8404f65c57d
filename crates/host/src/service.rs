//! What is served.

use std::{convert::Infallible, future::Future, marker::PhantomData, rc::Rc};

use tenure::{
    Handler, Observer, Session,
    port::{Wire, lane},
};

use crate::admission::{Admitting, Peers};

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
pub(crate) fn watched<'a, S, A, O>(
    app: &'a A,
    observer: &'a O,
    peers: Option<&'a Peers>,
) -> impl Service<Session = S, Observer = Admitting<'a, O>>
where
    S: Session,
    A: Handler<S>,
    O: Observer,
{
    // A closure, because only here is the future's unnamed type known.
    Watched {
        make: move |wire: Rc<Wire<S>>| lane(wire, app, observer),
        observer: Admitting { observer, peers },
        types: PhantomData,
    }
}

struct Watched<'a, S, F, M, O> {
    make: M,
    observer: Admitting<'a, O>,
    types: PhantomData<fn(S) -> F>,
}

impl<'a, S, F, M, O> Service for Watched<'a, S, F, M, O>
where
    S: Session,
    F: Future<Output = Infallible>,
    M: Fn(Rc<Wire<S>>) -> F,
    O: Observer,
{
    type Session = S;
    type Future = F;
    type Observer = Admitting<'a, O>;

    fn lane(&self, wire: Rc<Wire<S>>) -> F {
        (self.make)(wire)
    }

    fn observer(&self) -> &Admitting<'a, O> {
        &self.observer
    }
}
