//! What stands around a handler: middleware, and error responses of the application's own.

use core::future::Future;

use tenure_proto::status::StatusCode;

use crate::{
    Error, Request, Responder,
    exchange::reply::{IntoResponse, Sent},
    route::either::OneOf,
    route::handler::Handler,
    route::hears::passes_on,
};

/// What a middleware wraps: the handler behind it and the right to answer.
#[derive(Debug)]
pub struct Next<'n, 'r, H> {
    handler: &'n H,
    responder: Responder<'r>,
}

impl<'r, H> Next<'_, 'r, H> {
    /// Lets the wrapped handler answer.
    ///
    /// # Errors
    /// Its error: to be passed on, or another one in its place.
    ///
    /// # Cancellation safety
    /// That of the handler.
    pub async fn run<S>(self, request: &mut Request<'r, S>) -> Result<Sent, Error>
    where
        H: Handler<S>,
    {
        self.handler.handle(request, self.responder).await
    }

    /// Answers in the handler's place.
    pub fn respond(self) -> Responder<'r> {
        self.responder
    }
}

/// A handler with a middleware around it.
#[derive(Debug)]
pub struct Wrapped<F, H> {
    middleware: F,
    handler: H,
}

impl<F, H> Wrapped<F, H> {
    pub(crate) fn new(middleware: F, handler: H) -> Self {
        Wrapped { middleware, handler }
    }
}

impl<F, H> Wrapped<F, H> {
    /// Wraps another middleware around this one, as [`Router::wrap`](crate::Router::wrap): the last is asked first.
    pub fn wrap<S, M>(self, middleware: M) -> Wrapped<M, Self>
    where
        M: for<'a, 'n, 'r> AsyncFn(&'a mut Request<'r, S>, Next<'n, 'r, Self>) -> Result<Sent, Error>,
    {
        Wrapped::new(middleware, self)
    }

    /// Sets the application's own response for an error status, as [`Router::error`](crate::Router::error).
    pub fn error<G, R>(self, status: StatusCode, response: G) -> OnError<G, Self>
    where
        G: Fn(&Error) -> R,
        R: IntoResponse,
    {
        OnError::new(status, response, self)
    }
}

impl<S, F, H> Handler<S> for Wrapped<F, H>
where
    H: Handler<S>,
    F: for<'a, 'n, 'r> AsyncFn(&'a mut Request<'r, S>, Next<'n, 'r, H>) -> Result<Sent, Error>,
{
    type Page = H::Page;

    const HAS_PAGES: bool = H::HAS_PAGES;

    passes_on!(H, self => self.handler);

    async fn handle<'r>(&self, request: &mut Request<'r, S>, responder: Responder<'r>) -> Result<Sent, Error> {
        (self.middleware)(request, Next { handler: &self.handler, responder }).await
    }

    fn methods(&self, path: &[u8], tell: &mut dyn FnMut(&str)) {
        self.handler.methods(path, tell);
    }

    fn error(&self, error: &Error, path: &[u8]) -> Option<H::Page> {
        self.handler.error(error, path)
    }

    fn is_on(&self) -> bool {
        self.handler.is_on()
    }
}

/// A handler with a response of the application's own for one error status.
#[derive(Debug)]
pub struct OnError<F, H> {
    status: StatusCode,
    response: F,
    handler: H,
}

impl<F, H> OnError<F, H> {
    pub(crate) fn new(status: StatusCode, response: F, handler: H) -> Self {
        OnError { status, response, handler }
    }

    /// Sets the response for another status, as [`Router::error`].
    pub fn error<G, R>(self, status: StatusCode, response: G) -> OnError<G, Self>
    where
        G: Fn(&Error) -> R,
        R: IntoResponse,
    {
        OnError { status, response, handler: self }
    }

    /// Wraps a middleware around it, as [`Router::wrap`].
    pub fn wrap<S, M>(self, middleware: M) -> Wrapped<M, Self>
    where
        M: for<'a, 'n, 'r> AsyncFn(&'a mut Request<'r, S>, Next<'n, 'r, Self>) -> Result<Sent, Error>,
    {
        Wrapped::new(middleware, self)
    }
}

impl<S, F, R, H> Handler<S> for OnError<F, H>
where
    H: Handler<S>,
    F: Fn(&Error) -> R,
    R: IntoResponse,
{
    type Page = OneOf<H::Page, R>;

    passes_on!(H, self => self.handler);

    // Not an `async fn`: a layer less for every request.
    fn handle<'r>(
        &self,
        request: &mut Request<'r, S>,
        responder: Responder<'r>,
    ) -> impl Future<Output = Result<Sent, Error>> {
        self.handler.handle(request, responder)
    }

    fn methods(&self, path: &[u8], tell: &mut dyn FnMut(&str)) {
        self.handler.methods(path, tell);
    }

    fn error(&self, error: &Error, path: &[u8]) -> Option<Self::Page> {
        if let Some(page) = self.handler.error(error, path) {
            return Some(OneOf::First(page));
        }
        (error.status() == self.status).then(|| OneOf::Second((self.response)(error)))
    }

    fn is_on(&self) -> bool {
        self.handler.is_on()
    }
}
