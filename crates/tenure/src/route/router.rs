//! Which handler a target has.

use core::{
    fmt,
    future::{Future, poll_fn},
    marker::PhantomData,
    task::Poll,
};

use tenure_proto::status::StatusCode;

use crate::{
    Error, Request, Responder,
    exchange::reply::{IntoResponse, Sent},
    route::either::Either,
    route::handler::Handler,
    route::layers::{Next, OnError, Wrapped},
    route::list::{Append, End, Link},
    route::pattern::{Parameters, Pattern, Sought, routed_path},
};

/// Routes, in the order in which they were added: the first that matches answers.
///
/// A route's pattern is matched against the target's path, percent-decoded, segment by segment: `/adder` is that path
/// alone, `/sums/{name}` has any one segment there, `/files/{*rest}` everything that follows. A segment `.` or `..`,
/// encoded or not, matches no parameter, nor does one that has such a part once its slashes are decoded. What nothing
/// matches is answered 404; the session stays.
pub struct Router<S, H = End> {
    routes: H,
    session: PhantomData<fn(&S)>,
}

/// The target of a route.
#[derive(Debug)]
pub struct Target<H> {
    pattern: Pattern,
    handler: H,
}

/// A router of its own below a prefix.
#[derive(Debug)]
pub struct Nested<H> {
    prefix: Pattern,
    router: H,
}

/// One route.
#[allow(async_fn_in_trait)]
#[doc(hidden)]
pub trait Entry<S> {
    /// The text of its pattern.
    fn text(&self) -> &'static str;

    /// Whether it is for what is sought; `found` has its parameters then.
    fn matches<'t>(&self, sought: &Sought<'t>, found: &mut Parameters<'t>) -> bool;

    /// Answers.
    async fn handle<'r>(&self, request: &mut Request<'r, S>, responder: Responder<'r>) -> Result<Sent, Error>;

    /// Tells its methods.
    fn methods(&self, path: &[u8], tell: &mut dyn FnMut(&str));
}

impl<S, H: Handler<S>> Entry<S> for Target<H> {
    fn text(&self) -> &'static str {
        self.pattern.text()
    }

    #[inline(always)]
    fn matches<'t>(&self, sought: &Sought<'t>, found: &mut Parameters<'t>) -> bool {
        self.handler.is_on() && self.pattern.matches(sought, found)
    }

    // Not an `async fn`: a layer less for every request.
    #[inline]
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
}

impl<S, H: Handler<S>> Entry<S> for Nested<H> {
    fn text(&self) -> &'static str {
        self.prefix.text()
    }

    fn matches<'t>(&self, sought: &Sought<'t>, found: &mut Parameters<'t>) -> bool {
        self.router.is_on() && self.prefix.prefix(sought, found).is_some()
    }

    fn handle<'r>(
        &self,
        request: &mut Request<'r, S>,
        responder: Responder<'r>,
    ) -> impl Future<Output = Result<Sent, Error>> {
        // What it has for parameters is known already.
        let bytes = self.prefix.prefix(&request.inner.sought(), &mut Parameters::new()).unwrap_or_default();
        request.inner.enter(bytes);
        self.router.handle(request, responder)
    }

    fn methods(&self, path: &[u8], tell: &mut dyn FnMut(&str)) {
        let behind = self
            .prefix
            .prefix(&Sought::path(path), &mut Parameters::new())
            .and_then(|bytes| path.get(bytes..))
            .unwrap_or_default();
        self.router.methods(routed_path(behind), tell);
    }
}

/// Routes, numbered from 0 in the order in which they were added.
#[allow(async_fn_in_trait)]
#[doc(hidden)]
pub trait Routes<S>: Append {
    /// The number of the first route that is for what is sought; how many there are where none is. `found` as in
    /// [`Entry::matches`].
    fn find<'t>(&self, sought: &Sought<'t>, found: &mut Parameters<'t>) -> u32;

    /// Lets the route of that number answer.
    async fn handle<'r>(
        &self,
        number: u32,
        request: &mut Request<'r, S>,
        responder: Responder<'r>,
    ) -> Result<Sent, Error>;

    /// Tells the methods of the route of that number.
    fn methods(&self, number: u32, path: &[u8], tell: &mut dyn FnMut(&str));

    /// Whether that pattern is taken.
    fn has(&self, pattern: &str) -> bool;
}

impl<S> Routes<S> for End {
    #[inline]
    fn find<'t>(&self, _: &Sought<'t>, _: &mut Parameters<'t>) -> u32 {
        0
    }

    #[inline]
    fn handle<'r>(
        &self,
        _: u32,
        _: &mut Request<'r, S>,
        _: Responder<'r>,
    ) -> impl Future<Output = Result<Sent, Error>> {
        poll_fn(|_| Poll::Ready(Err(not_found())))
    }

    fn methods(&self, _: u32, _: &[u8], _: &mut dyn FnMut(&str)) {}

    fn has(&self, _: &str) -> bool {
        false
    }
}

#[cold]
fn not_found() -> Error {
    Error::not_found("there is no such target here")
}

impl<S, E: Entry<S>, N: Routes<S>> Routes<S> for Link<E, N> {
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn find<'t>(&self, sought: &Sought<'t>, found: &mut Parameters<'t>) -> u32 {
        if self.value.matches(sought, found) { 0 } else { self.next.find(sought, found) + 1 }
    }

    #[inline]
    fn handle<'r>(
        &self,
        number: u32,
        request: &mut Request<'r, S>,
        responder: Responder<'r>,
    ) -> impl Future<Output = Result<Sent, Error>> {
        match number.checked_sub(1) {
            None => Either::First { future: self.value.handle(request, responder) },
            Some(number) => Either::Second { future: self.next.handle(number, request, responder) },
        }
    }

    fn methods(&self, number: u32, path: &[u8], tell: &mut dyn FnMut(&str)) {
        match number.checked_sub(1) {
            None => self.value.methods(path, tell),
            Some(number) => self.next.methods(number, path, tell),
        }
    }

    fn has(&self, pattern: &str) -> bool {
        self.value.text() == pattern || self.next.has(pattern)
    }
}

impl<S> Router<S> {
    /// A router without routes.
    pub fn new() -> Self {
        Router { routes: End, session: PhantomData }
    }
}

impl<S> Default for Router<S> {
    fn default() -> Self {
        Router::new()
    }
}

impl<S, N> Router<S, N> {
    /// Adds a route.
    ///
    /// # Panics
    /// When `pattern` is not one, or is taken already.
    pub fn route<H: Handler<S>>(self, pattern: &'static str, handler: H) -> Router<S, N::With<Target<H>>>
    where
        N: Routes<S>,
    {
        assert!(!self.routes.has(pattern), "the route {pattern:?} is taken");
        let target = Target { pattern: Pattern::new(pattern), handler };
        Router { routes: self.routes.with(target), session: PhantomData }
    }

    /// Adds a router, or any other handler, for all targets below a prefix. It matches what follows the prefix, `/` where
    /// nothing does.
    ///
    /// # Panics
    /// When `prefix` is not a pattern, or is taken already.
    pub fn nest<H: Handler<S>>(self, prefix: &'static str, router: H) -> Router<S, N::With<Nested<H>>>
    where
        N: Routes<S>,
    {
        assert!(!self.routes.has(prefix), "the route {prefix:?} is taken");
        let nested = Nested { prefix: Pattern::new(prefix), router };
        Router { routes: self.routes.with(nested), session: PhantomData }
    }

    /// Sets the application's own response for an error status, whoever has caused it: a handler, the router or, before
    /// there is a request, the protocol. It counts on the outermost router, for all of its routes.
    ///
    /// The response has the error's status unless it sets another. An Allow field stands in it already where it is 405.
    ///
    /// # Examples
    /// ```
    /// use tenure::{Error, Request, Router, StatusCode, get, kit::Server};
    ///
    /// async fn hello(_: &mut Request<'_, ()>) -> &'static str {
    ///     "hello"
    /// }
    ///
    /// let app = Router::new()
    ///     .route("/", get(hello))
    ///     .error(StatusCode::NOT_FOUND, |error: &Error| ([("Content-Type", "text/plain")], error.reason()));
    /// let mut server = Server::new(app);
    /// let client = server.connect();
    /// client.send("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
    /// server.run();
    /// assert!(client.received_text().ends_with("\r\n\r\nthere is no such target here"));
    /// ```
    pub fn error<F, R>(self, status: StatusCode, response: F) -> OnError<F, Self>
    where
        N: Routes<S>,
        F: Fn(&Error) -> R,
        R: IntoResponse,
    {
        OnError::new(status, response, self)
    }

    /// Wraps a middleware around all routes: an async function that gets the request and what is [`Next`].
    ///
    /// # Examples
    /// ```
    /// use tenure::{Error, Handler, Next, Request, Router, Sent, StatusCode, get, kit::Server};
    ///
    /// async fn hello(_: &mut Request<'_, ()>) -> &'static str {
    ///     "hello"
    /// }
    ///
    /// /// Only those who know the word are let through.
    /// async fn guard<'r, H: Handler<()>>(
    ///     request: &mut Request<'r, ()>,
    ///     next: Next<'_, 'r, H>,
    /// ) -> Result<Sent, Error> {
    ///     if request.field("x-word") != Some("open") {
    ///         return Err(Error::new(StatusCode::FORBIDDEN, "send the word"));
    ///     }
    ///     next.run(request).await
    /// }
    ///
    /// let mut server = Server::new(Router::new().route("/", get(hello)).wrap(guard));
    /// let client = server.connect();
    /// client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    /// server.run();
    /// assert!(client.received_text().starts_with("HTTP/1.1 403 Forbidden\r\n"));
    /// ```
    pub fn wrap<F>(self, middleware: F) -> Wrapped<F, Self>
    where
        N: Routes<S>,
        F: for<'a, 'n, 'r> AsyncFn(&'a mut Request<'r, S>, Next<'n, 'r, Self>) -> Result<Sent, Error>,
    {
        Wrapped::new(middleware, self)
    }
}

impl<S, N: Routes<S>> Handler<S> for Router<S, N> {
    // Not an `async fn`: a layer less for every request.
    #[inline]
    fn handle<'r>(
        &self,
        request: &mut Request<'r, S>,
        responder: Responder<'r>,
    ) -> impl Future<Output = Result<Sent, Error>> {
        let number = request.inner.find(|sought, found| self.routes.find(sought, found));
        self.routes.handle(number, request, responder)
    }

    fn methods(&self, path: &[u8], tell: &mut dyn FnMut(&str)) {
        self.routes.methods(self.routes.find(&Sought::path(path), &mut Parameters::new()), path, tell);
    }
}

impl<S, H> fmt::Debug for Router<S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Router")
    }
}
