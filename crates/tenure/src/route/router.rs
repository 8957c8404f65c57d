//! Which handler a target has.

use core::{
    convert::Infallible,
    fmt,
    future::{Future, poll_fn},
    marker::PhantomData,
    task::Poll,
};

use tenure_proto::status::StatusCode;

use crate::{
    Cors, Error, IntoFields, Request, Responder,
    exchange::failure::Failed,
    exchange::reply::{IntoResponse, Sent},
    route::cors::{Origins, WithCors},
    route::either::{Either, OneOf},
    route::fields::{Made, Same, WithFields},
    route::handler::{Handler, not_found},
    route::hears::{Hears, passes_on},
    route::layers::{Next, OnError, OnErrors, Wrapped, passes_requests},
    route::list::{Append, End, Link},
    route::parameters::Parameters,
    route::pattern::Pattern,
    route::rate::{Rated, WithRate},
    route::unrouted::{Unrouted, routed_path},
};

/// Routes, in the order in which they were added: the first that matches answers. The repository's example `routes` shows every kind.
///
/// A route's pattern is matched against the target's path, percent-decoded, segment by segment: `/adder` is that path
/// alone, `/sums/{name}` has any one segment there, `/files/{*rest}` everything that follows. A target that no route matches
/// is answered 404, or by the [`fallback`](Router::fallback); the session stays. A pattern has at most 255 bytes and six parameters.
///
/// `/a` and `/a/` are two targets, and none is redirected to the other: a slash at the end is a segment without anything in it. Where both
/// are to be answered, both are routes. Only what is nested at `/a` is asked for either, as `/`.
///
/// The decoded value of a `{*rest}` can be joined to a folder's path (`PathBuf::join`, on Unix and on Windows): the result
/// lies below the folder, or is the folder itself if the rest is empty. So it does not match, in any encoding, what begins with a
/// slash, contains a NUL, or has a part that is `.` or `..` or begins with a drive letter (`C:`). A backslash counts as a slash.
/// The same holds for a `{name}`, except for drive letters: it may be `a:1`, so on Windows it is not for files. To match every
/// target, even `//a`, nest a handler at `/`.
#[doc(alias = "httpd_uri_match_wildcard")]
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
    text: &'static str,
    prefix: Pattern,
    router: H,
}

/// What answers where no route does.
#[derive(Debug)]
pub struct Fallback<H> {
    handler: H,
}

/// One route.
#[allow(async_fn_in_trait)]
#[doc(hidden)]
pub trait Entry<S>: Hears<S> {
    /// Whether a route with that pattern behind it would never be reached.
    fn takes(&self, pattern: &str) -> bool;

    /// Whether it is for that target; `found` has its parameters then, and is as it was otherwise.
    fn matches<'t>(&self, target: &mut Unrouted<'t>, found: &mut Parameters<'t>) -> bool;

    /// Answers.
    async fn handle<'r>(&self, request: &mut Request<'r, S>, responder: Responder<'r>) -> Result<Sent, Error>;

    /// Tells its methods.
    fn methods(&self, path: &[u8], tell: &mut dyn FnMut(&str));

    /// It may have responses of its own for errors.
    const HAS_PAGES: bool;

    /// Its own response for an error.
    type Page: IntoResponse;

    /// Makes it.
    fn error(&self, failed: &Failed<'_>) -> Option<Self::Page>;
}

/// What an entry of one handler leaves to it.
macro_rules! answers {
    () => {
        passes_requests!(self => self.handler);

        fn methods(&self, path: &[u8], tell: &mut dyn FnMut(&str)) {
            self.handler.methods(path, tell);
        }

        const HAS_PAGES: bool = H::HAS_PAGES;

        type Page = H::Page;

        fn error(&self, failed: &Failed<'_>) -> Option<H::Page> {
            self.handler.error(failed)
        }
    };
}

impl<S, H: Handler<S>> Hears<S> for Target<H> {
    passes_on!(H, self => self.handler);
}

impl<S, H: Handler<S>> Entry<S> for Target<H> {
    fn takes(&self, pattern: &str) -> bool {
        self.handler.is_there() && self.pattern.text() == pattern
    }

    #[inline(always)]
    fn matches<'t>(&self, target: &mut Unrouted<'t>, found: &mut Parameters<'t>) -> bool {
        self.handler.is_on() && self.pattern.taken(target, found).is_some()
    }

    answers!();
}

impl<H> Nested<H> {
    /// What of a path below the prefix is left to the router.
    fn behind<'p>(&self, path: &'p [u8]) -> &'p [u8] {
        let taken = self.prefix.taken(&mut Unrouted::path(path), &mut Parameters::new()).unwrap_or_default();
        routed_path(path.get(taken..).unwrap_or_default())
    }
}

impl<S, H: Handler<S>> Hears<S> for Nested<H> {
    passes_on!(H, self => self.router);
}

impl<S, H: Handler<S>> Entry<S> for Nested<H> {
    fn takes(&self, pattern: &str) -> bool {
        self.router.is_there() && self.text == pattern
    }

    fn matches<'t>(&self, target: &mut Unrouted<'t>, found: &mut Parameters<'t>) -> bool {
        self.router.is_on() && self.prefix.taken(target, found).is_some()
    }

    fn handle<'r>(
        &self,
        request: &mut Request<'r, S>,
        responder: Responder<'r>,
    ) -> impl Future<Output = Result<Sent, Error>> {
        // What it has for parameters is known already.
        let taken = self.prefix.taken(&mut request.inner.unrouted(), &mut Parameters::new()).unwrap_or_default();
        request.inner.enter(taken);
        self.router.handle(request, responder)
    }

    fn methods(&self, path: &[u8], tell: &mut dyn FnMut(&str)) {
        self.router.methods(self.behind(path), tell);
    }

    const HAS_PAGES: bool = H::HAS_PAGES;

    type Page = H::Page;

    fn error(&self, failed: &Failed<'_>) -> Option<H::Page> {
        self.router.error(&failed.below(self.behind(failed.path())))
    }
}

impl<S, H: Handler<S>> Hears<S> for Fallback<H> {
    passes_on!(H, self => self.handler);
}

impl<S, H: Handler<S>> Entry<S> for Fallback<H> {
    fn takes(&self, _: &str) -> bool {
        true
    }

    fn matches<'t>(&self, _: &mut Unrouted<'t>, _: &mut Parameters<'t>) -> bool {
        self.handler.is_on()
    }

    answers!();
}

/// Routes, numbered from 0 in the order in which they were added.
#[allow(async_fn_in_trait)]
#[doc(hidden)]
pub trait Routes<S>: Append + Hears<S> {
    /// The number of the first route that is for that target; how many there are where none is. `found` as in
    /// [`Entry::matches`].
    fn find<'t>(&self, target: &mut Unrouted<'t>, found: &mut Parameters<'t>) -> u32;

    /// Lets the route of that number answer.
    async fn handle<'r>(
        &self,
        number: u32,
        request: &mut Request<'r, S>,
        responder: Responder<'r>,
    ) -> Result<Sent, Error>;

    /// Tells the methods of the route of that number.
    fn methods(&self, number: u32, path: &[u8], tell: &mut dyn FnMut(&str));

    /// One of them may have responses of its own for errors.
    const HAS_PAGES: bool;

    /// Its response for an error.
    type Page: IntoResponse;

    /// Makes that of the route of that number.
    fn error(&self, number: u32, failed: &Failed<'_>) -> Option<Self::Page>;

    /// Whether that pattern is taken.
    fn has(&self, pattern: &str) -> bool;
}

impl<S> Routes<S> for End {
    fn find<'t>(&self, _: &mut Unrouted<'t>, _: &mut Parameters<'t>) -> u32 {
        0
    }

    fn handle<'r>(
        &self,
        _: u32,
        _: &mut Request<'r, S>,
        _: Responder<'r>,
    ) -> impl Future<Output = Result<Sent, Error>> {
        poll_fn(|_| Poll::Ready(Err(not_found())))
    }

    fn methods(&self, _: u32, _: &[u8], _: &mut dyn FnMut(&str)) {}

    const HAS_PAGES: bool = false;

    type Page = Infallible;

    fn error(&self, _: u32, _: &Failed<'_>) -> Option<Infallible> {
        None
    }

    fn has(&self, _: &str) -> bool {
        false
    }
}

impl<S, E: Entry<S>, N: Routes<S>> Routes<S> for Link<E, N> {
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn find<'t>(&self, target: &mut Unrouted<'t>, found: &mut Parameters<'t>) -> u32 {
        if self.value.matches(target, found) { 0 } else { self.next.find(target, found) + 1 }
    }

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

    const HAS_PAGES: bool = E::HAS_PAGES || N::HAS_PAGES;

    type Page = OneOf<E::Page, N::Page>;

    fn error(&self, number: u32, failed: &Failed<'_>) -> Option<Self::Page> {
        match number.checked_sub(1) {
            None => self.value.error(failed).map(OneOf::First),
            Some(number) => self.next.error(number, failed).map(OneOf::Second),
        }
    }

    fn has(&self, pattern: &str) -> bool {
        self.value.takes(pattern) || self.next.has(pattern)
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
    /// When `pattern` is invalid (see [`Router`]), or is taken already.
    #[doc(alias = "httpd_register_uri_handler")]
    pub fn route<H: Handler<S>>(self, pattern: &'static str, handler: H) -> Router<S, N::With<Target<H>>>
    where
        N: Routes<S>,
    {
        let is_free = !handler.is_there() || !self.routes.has(pattern);
        assert!(is_free, "the route {pattern:?} is taken, or stands behind a fallback");
        let target = Target { pattern: Pattern::new(pattern), handler };
        Router { routes: self.routes.with(target), session: PhantomData }
    }

    /// Adds a router, or any other handler, for all targets below a prefix. It matches what follows the prefix, `/` where
    /// nothing does.
    ///
    /// # Panics
    /// When `prefix` is invalid, or is taken already.
    pub fn nest<H: Handler<S>>(self, prefix: &'static str, router: H) -> Router<S, N::With<Nested<H>>>
    where
        N: Routes<S>,
    {
        let is_free = !router.is_there() || !self.routes.has(prefix);
        assert!(is_free, "the route {prefix:?} is taken, or stands behind a fallback");
        let nested = Nested { text: prefix, prefix: Pattern::prefix(prefix), router };
        Router { routes: self.routes.with(nested), session: PhantomData }
    }

    /// Adds a route where `condition` is true when the program builds its router: else it is as if it had never been added. The router is of
    /// one type either way. A route that comes and goes while the server runs has a [`Switch`](crate::Switch).
    ///
    /// # Panics
    /// As [`route`](Router::route).
    ///
    /// # Examples
    /// ```
    /// use tenure::{Request, Router, get, kit::Server};
    ///
    /// async fn hello(_: &mut Request<'_, ()>) -> &'static str {
    ///     "hello"
    /// }
    ///
    /// async fn debug(_: &mut Request<'_, ()>) -> &'static str {
    ///     "everything"
    /// }
    ///
    /// let is_debug = false; // from the command line, say
    /// let app = Router::new().route("/", get(hello)).route_if(is_debug, "/debug", get(debug));
    /// let mut server = Server::new(app);
    /// let client = server.connect();
    /// client.send("GET /debug HTTP/1.1\r\nHost: a\r\n\r\n");
    /// server.run();
    /// assert!(client.received_text().starts_with("HTTP/1.1 404 "));
    /// ```
    pub fn route_if<H: Handler<S>>(
        self,
        condition: bool,
        pattern: &'static str,
        handler: H,
    ) -> Router<S, N::With<Target<Option<H>>>>
    where
        N: Routes<S>,
    {
        self.route(pattern, condition.then_some(handler))
    }

    /// Lets a handler answer the targets that no route is for, instead of 404: the methods that it has, as those of a route. Of a nested
    /// router those below its prefix. Nothing can be added behind it.
    ///
    /// For a page that is to be answered with 404, [`error`](Router::error) is the simpler way.
    ///
    /// # Panics
    /// When there is one already.
    ///
    /// # Examples
    /// ```
    /// use tenure::{Html, Request, Router, get, kit::Server};
    ///
    /// async fn version(_: &mut Request<'_, ()>) -> &'static str {
    ///     "1.0"
    /// }
    ///
    /// /// A page whose script does the rest, whatever its target is.
    /// async fn page(_: &mut Request<'_, ()>) -> Html<&'static str> {
    ///     Html("<!doctype html><title>app</title>")
    /// }
    ///
    /// let app = Router::new().route("/api/version", get(version)).fallback(get(page));
    /// let mut server = Server::new(app);
    /// let client = server.connect();
    /// client.send("GET /users/7 HTTP/1.1\r\nHost: a\r\n\r\n");
    /// server.run();
    /// assert!(client.received_text().ends_with("<title>app</title>"));
    /// ```
    pub fn fallback<H: Handler<S>>(self, handler: H) -> Router<S, N::With<Fallback<H>>>
    where
        N: Routes<S>,
    {
        assert!(!self.routes.has(""), "a router has two fallbacks");
        Router { routes: self.routes.with(Fallback { handler }), session: PhantomData }
    }

    /// Sets the application's own response for an error status, whoever has caused it: a handler, the router or, before
    /// there is a request, the protocol.
    ///
    /// A nested router's response applies to all requests below its prefix. If it has none for the status, the router around it
    /// decides. The outermost router answers refusals before there is a request, handlers that panic, and handlers that miss their
    /// deadline. Of two for one status on a router the first counts.
    ///
    /// `response` is called once per error, and its value is kept until it is sent. It has the error's status unless it sets another.
    /// A 405 has its Allow field already. The repository's example `middleware` has such pages.
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
    ///     .error(StatusCode::NOT_FOUND, |error: &Error| error.reason());
    /// let mut server = Server::new(app);
    /// let client = server.connect();
    /// client.send("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
    /// server.run();
    /// assert!(client.received_text().ends_with("\r\n\r\nthere is no such target here"));
    /// ```
    #[doc(alias = "httpd_register_err_handler")]
    pub fn error<F, R>(self, status: StatusCode, response: F) -> OnError<F, Self>
    where
        N: Routes<S>,
        F: Fn(&Error) -> R,
        R: IntoResponse,
    {
        OnError::new(status, response, self)
    }

    /// Sets the application's own response for all errors that have no response by [`error`](Router::error): so a service of JSON answers
    /// JSON to everything, whoever has caused the error. `response` sees the error, and the request's target ([`Failed`]). What is said
    /// of routers and of `response` there holds here, too.
    ///
    /// The reason of an internal error (500) is for the log. [`Failed::message`] does not tell it.
    ///
    /// # Examples
    /// ```
    /// use serde::Serialize;
    /// use tenure::{Error, Failed, Json, Request, Router, get, kit::Server};
    ///
    /// async fn pin(_: &mut Request<'_, ()>) -> Result<(), Error> {
    ///     Err(Error::conflict("the pin is taken"))
    /// }
    ///
    /// #[derive(Serialize)]
    /// struct Problem {
    ///     status: u16,
    ///     target: String,
    ///     error: String,
    /// }
    ///
    /// fn problem(failed: &Failed<'_>) -> Json<Problem> {
    ///     let (target, error) = (failed.target().to_owned(), failed.to_string());
    ///     Json(Problem { status: failed.status().code(), target, error })
    /// }
    ///
    /// let app = Router::new().route("/pin", get(pin)).errors(problem);
    /// let mut server = Server::new(app);
    /// let client = server.connect();
    /// let mut answer = |request: &str| {
    ///     client.send(request);
    ///     server.run();
    ///     client.received_text()
    /// };
    /// assert!(answer("GET /pin HTTP/1.1\r\nHost: a\r\n\r\n")
    ///     .ends_with(r#"{"status":409,"target":"/pin","error":"the pin is taken"}"#));
    /// assert!(answer("GET /?x HTTP/1.1\r\nHost: a\r\n\r\n")
    ///     .ends_with(r#"{"status":404,"target":"/?x","error":"there is no such target here"}"#));
    /// ```
    pub fn errors<F, R>(self, response: F) -> OnErrors<F, Self>
    where
        N: Routes<S>,
        F: Fn(&Failed<'_>) -> R,
        R: IntoResponse,
    {
        OnErrors::new(response, self)
    }

    /// Lets every response carry these fields, whoever it is from: a handler, a page for errors, the router (404, 405), the protocol
    /// (408, 413, 431). Of routers that are nested, each has its own.
    ///
    /// A field that a response sets itself goes first, and so does that of a layer further in; `Vary`, `Link` and
    /// `Set-Cookie` of different cookies add up.
    /// What is refused before there is a request carries the fields of the layers around the outermost router. They take room in the
    /// output buffer from the request's head on; an error for whose head there is no room with them goes out without. The handshake of a
    /// WebSocket has none.
    ///
    /// # Panics
    /// When one of them must not be set: see [`Reply::field`](crate::Reply::field).
    ///
    /// # Examples
    /// ```
    /// use tenure::{Request, Router, get, kit::Server};
    ///
    /// async fn hello(_: &mut Request<'_, ()>) -> &'static str {
    ///     "hello"
    /// }
    ///
    /// let app = Router::new().route("/", get(hello)).fields([("Server", "tenure"), ("X-Frame-Options", "DENY")]);
    /// let mut server = Server::new(app);
    /// let client = server.connect();
    /// client.send("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
    /// server.run();
    /// let received = client.received_text();
    /// assert!(received.starts_with("HTTP/1.1 404 ") && received.contains("\r\nX-Frame-Options: DENY\r\n"));
    /// ```
    pub fn fields<F>(self, fields: F) -> WithFields<Same<F>, Self>
    where
        N: Routes<S>,
        F: IntoFields,
    {
        WithFields::new(Same::checked(fields), self)
    }

    /// Lets every response carry the fields that `make` makes of the request's head, as [`fields`](Router::fields). What is refused
    /// before there is a request has none of them. One that must not be set is 500, and the log says why.
    ///
    /// # Examples
    /// The client's own name for its request comes back:
    /// ```
    /// use tenure::{Request, Router, get, kit::Server};
    ///
    /// async fn hello(_: &mut Request<'_, ()>) -> &'static str {
    ///     "hello"
    /// }
    ///
    /// fn id(request: &Request<'_, ()>) -> Option<[(&'static str, String); 1]> {
    ///     request.field("x-request-id").map(|id| [("X-Request-Id", id.to_owned())])
    /// }
    ///
    /// let mut server = Server::new(Router::new().route("/", get(hello)).fields_of(id));
    /// let client = server.connect();
    /// client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: 7\r\n\r\n");
    /// server.run();
    /// assert!(client.received_text().contains("\r\nX-Request-Id: 7\r\n"));
    /// ```
    pub fn fields_of<F, L>(self, make: F) -> WithFields<Made<F>, Self>
    where
        N: Routes<S>,
        F: Fn(&Request<'_, S>) -> L,
        L: IntoFields,
    {
        WithFields::new(Made(make), self)
    }

    /// Puts the router behind one type, whatever its routes are: for a program that chooses one of several, or keeps a list of them. Each
    /// request is answered by a future in a box. On hosts only (feature `alloc`). A type for [`with`](crate::with) and the like may borrow
    /// what lives for `'h`.
    ///
    /// Routes that stay open ([`websocket`](crate::websocket), [`events`](crate::events)) cannot be behind it; that does not compile.
    ///
    /// # Examples
    /// ```
    /// use tenure::{Boxed, Request, Router, get, kit::Server};
    ///
    /// async fn hello(_: &mut Request<'_, ()>) -> &'static str {
    ///     "hello"
    /// }
    ///
    /// async fn everything(_: &mut Request<'_, ()>) -> u32 {
    ///     42
    /// }
    ///
    /// fn routes(is_debug: bool) -> Boxed<'static, ()> {
    ///     let routes = Router::new().route("/", get(hello));
    ///     if is_debug { routes.route("/debug", get(everything)).boxed() } else { routes.boxed() }
    /// }
    ///
    /// let mut server = Server::new(Router::new().nest("/", routes(true)));
    /// let client = server.connect();
    /// client.send("GET /debug HTTP/1.1\r\nHost: a\r\n\r\n");
    /// server.run();
    /// assert!(client.received_text().ends_with("\r\n\r\n42"));
    /// ```
    #[cfg(feature = "alloc")]
    pub fn boxed<'h>(self) -> crate::Boxed<'h, S>
    where
        Self: Handler<S> + Send + Sync + 'h,
        S: 'h,
    {
        crate::Boxed::new(self)
    }

    /// Says which other sites' pages may use these routes: see [`Cors`].
    pub fn cors<O>(self, cors: Cors<O>) -> WithCors<O, Self>
    where
        N: Routes<S>,
        O: Origins,
    {
        WithCors::new(cors, self)
    }

    /// Lets each peer send these routes so many requests: one more is answered 429 with `Retry-After`, before a handler or a body is
    /// looked at; session and connection stay. Those of layers further in count for themselves. Of whom the port knows no IP address, as of
    /// the clients of a Unix socket, nothing is counted; all who are gone meanwhile are one. On Linux the address takes a system call per request.
    ///
    /// Several layers may share one [`Rate`](crate::Rate): give each a reference.
    ///
    /// # Examples
    /// ```
    /// use tenure::{Rate, Request, Router, get, kit::Server};
    ///
    /// async fn search(_: &mut Request<'_, ()>) -> &'static str {
    ///     "found"
    /// }
    ///
    /// /// Two at once, one more each second; 256 peers are remembered.
    /// static RATE: Rate<256> = Rate::per_s(1).at_once(2);
    ///
    /// let mut server = Server::new(Router::new().route("/search", get(search)).rate(&RATE));
    /// let client = server.connect();
    /// client.send("GET /search HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3));
    /// server.run();
    /// let received = client.received_text();
    /// assert_eq!(received.matches("\r\n\r\nfound").count(), 2);
    /// assert!(received.contains("HTTP/1.1 429 Too Many Requests\r\n") && received.contains("\r\nRetry-After: 1\r\n"));
    /// server.advance(1_000); // milliseconds of the test's own clock
    /// client.send("GET /search HTTP/1.1\r\nHost: a\r\n\r\n");
    /// server.run();
    /// assert!(client.received_text().ends_with("\r\n\r\nfound"));
    /// ```
    pub fn rate<R>(self, rate: R) -> WithRate<R, Self>
    where
        N: Routes<S>,
        R: Rated,
    {
        WithRate::new(rate, self)
    }

    /// Wraps a middleware around all routes: an async function of the request and of what is [`Next`]. The repository's example
    /// `middleware` has two.
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
    passes_on!(N, self => self.routes);

    type Page = N::Page;

    // Not an `async fn`: a layer less for every request.
    fn handle<'r>(
        &self,
        request: &mut Request<'r, S>,
        responder: Responder<'r>,
    ) -> impl Future<Output = Result<Sent, Error>> {
        let number = request.inner.find(|target, found| self.routes.find(target, found));
        self.routes.handle(number, request, responder)
    }

    fn methods(&self, path: &[u8], tell: &mut dyn FnMut(&str)) {
        self.routes.methods(self.routes.find(&mut Unrouted::path(path), &mut Parameters::new()), path, tell);
    }

    const HAS_PAGES: bool = N::HAS_PAGES;

    fn error(&self, failed: &Failed<'_>) -> Option<N::Page> {
        if !N::HAS_PAGES || !failed.path().starts_with(b"/") {
            return None;
        }
        let number = self.routes.find(&mut Unrouted::path(failed.path()), &mut Parameters::new());
        self.routes.error(number, failed)
    }
}

impl<S, H> fmt::Debug for Router<S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Router")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Parameters, Router, Routes, Unrouted};
    use crate::{Handler, Request, get};
    use std::{format, string::String};

    async fn hello(_: &mut Request<'_, ()>) {}

    /// Bytes that are looked at until no route of this router has been found to match.
    fn looks<N: Routes<()>>(router: &Router<(), N>, target: &str) -> usize
    where
        Router<(), N>: Handler<()>,
    {
        let mut unrouted = Unrouted::new(target.as_bytes(), target.len(), target.contains('%'));
        let number = router.routes.find(&mut unrouted, &mut Parameters::new());
        assert!(number > 6, "{target} matches");
        unrouted.looks
    }

    macro_rules! router {
        ($($pattern:expr;)*) => { Router::new()$(.route($pattern, get(hello)))* };
    }

    macro_rules! tenants {
        ($($number:literal)*) => { router!($(concat!("/{tenant}/r", $number);)*) };
    }

    /// A target's length counts once, however many routes look at it; what counts per route is its pattern's.
    #[test]
    fn what_a_target_costs_does_not_grow_with_the_routes() {
        let few = tenants!(0 1 2 3 4 5 6 7);
        let many = tenants!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
        for target in [
            format!("/{}/zz", "a".repeat(8000)),
            format!("/{}%41/zz", "a".repeat(8000)),
            format!("/a{}/zz", "%2F".repeat(2660)),
            format!("/{}/zz", "%2F".repeat(2660)),
            format!("/{}%2F../zz", "a".repeat(8000)),
            format!("/a/zz/{}", "%2F".repeat(2660)),
            format!("/a%41/zz?{}", "%2F".repeat(2660)),
        ] {
            let (few, many) = (looks(&few, &target), looks(&many, &target));
            assert!(few <= target.len() + 8 * 16, "{few} for {target:.20}");
            assert!(many <= few + (32 - 8) * 16, "{many} after {few} for {target:.20}");
        }
    }

    /// Rests of a path that lead out of a folder somewhere, and which others of its rests do so, is found out once.
    #[test]
    fn what_a_rest_costs_does_not_grow_with_the_routes() {
        let rests = router! {
            "/a/a/a/{*rest}"; "/a/a/a/a/{*rest}"; "/{*rest}"; "/a/{*rest}"; "/a/a/{*rest}"; "/{a}/{*rest}"; "/a/{a}/{*rest}";
        };
        let long = "/a".repeat(4000);
        for target in [long.clone() + "/..", long.clone() + "/%2e%2E?x", long + "/%00"] {
            let looks = looks(&rests, &target);
            assert!(looks <= 2 * target.len() + 7 * 16, "{looks} for {:?}", target.len());
        }
    }

    /// However many segments are longer than any literal, and whatever short ones have been looked at before.
    #[test]
    fn what_many_segments_cost_does_not_grow_with_the_routes() {
        let long = |number: usize| "b".repeat(1000 + number);
        let target: String =
            (0..6).flat_map(|_| ["/%61".into()]).chain((0..8).map(|number| format!("/{}", long(number)))).collect();
        let router = router! {
            "/{a}/{b}/{c}/{d}/{e}/{f}/x"; "/a/a/a/a/a/a/{a}/{b}/{c}/{d}/{e}/{f}/x"; "/a/a/a/a/a/a/{a}/{b}/{c}/{d}/{e}/{f}/y";
            "/a/a/a/a/a/a/{a}/{b}/{c}/{d}/{e}/{f}/z"; "/{f}/a/a/a/a/a/{a}/{b}/{c}/{d}/{e}/x"; "/a/a/a/a/a/a/{a}/x";
            "/a/a/a/a/a/a/{a}/{b}/{c}/{d}/{e}/x";
        };
        let looks = looks(&router, &target);
        let patterns = 7 * 64;
        assert!(looks <= target.len() + patterns, "{looks} for {}", target.len());
    }
}
