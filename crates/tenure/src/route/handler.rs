//! What answers requests: one trait for functions, routers and what is wrapped around them.

use core::{
    convert::Infallible,
    future::{Future, poll_fn, ready},
    marker::PhantomData,
    task::Poll,
};

use crate::{
    Error, FieldWriter, Message, Observer, Request, Responder,
    engine::{hear::Left, wire::Wire},
    exchange::failure::Failed,
    exchange::reply::{IntoResponse, Sent},
    exchange::responder::Answer,
    route::either::Either,
    route::hears::{Never, passes_on},
};

/// Answers requests on connections whose sessions are `S`.
///
/// A [`Router`](crate::Router) is one, and so is a set of [`Methods`](crate::Methods); the functions [`get`](crate::get)
/// and its like make one of an `async fn`. What wraps a handler is a handler again: see
/// [`Router::wrap`](crate::Router::wrap), or implement the trait and pass [`methods`](Handler::methods) and
/// [`error`](Handler::error), with its [`Page`](Handler::Page), on.
///
/// Handlers are shared by reference between the threads of a port; their futures stay on one thread and need not be
/// `Send`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not answer requests with sessions `{S}`",
    label = "not a handler for sessions `{S}`",
    note = "wrap a function with `get(…)`, `post(…)` or `on(method, …)`; its argument must be `&mut Request<'_, {S}>`"
)]
#[allow(async_fn_in_trait)]
pub trait Handler<S> {
    /// What [`error`](Handler::error) makes: of what wraps a handler, that handler's; [`Infallible`](core::convert::Infallible)
    /// where there never is one.
    type Page: IntoResponse;

    /// Answers the request.
    ///
    /// # Errors
    /// An [`Error`] to be answered instead; where the response has begun already the connection is reset. An OPTIONS
    /// request that no handler is for comes back as one of status 204, which is answered with an Allow field.
    ///
    /// # Cancellation safety
    /// Dropped at any await when the peer resets the connection or a deadline is missed; what it has changed of the
    /// session stays.
    async fn handle<'r>(&self, request: &mut Request<'r, S>, responder: Responder<'r>) -> Result<Sent, Error>;

    /// How many routes in it stay open. What wraps a handler passes this, [`number`](Handler::number), [`hear`](Handler::hear) and
    /// `listen` on; if it does not, requests that would open a connection through it are refused by a reset, and the log says so.
    const OPENS: u32 = 0;

    /// The number of its WebSocket route at that address in memory.
    fn number(&self, address: usize) -> Option<u32> {
        let _ = address;
        None
    }

    /// Lets the WebSocket route of that number hear a message.
    ///
    /// # Errors
    /// The connection is closed with 1011, or with the code of [`Message::close`].
    ///
    /// # Cancellation safety
    /// As [`handle`](Handler::handle).
    async fn hear(&self, number: u32, message: &mut Message<'_, S>) -> Result<(), Error> {
        let _ = (number, message);
        Err(Error::internal("a handler that wraps others passes `hear` on"))
    }

    /// Hears the messages of connections that are open, for the whole application `app`; `None`: nothing in it ever does. What wraps a
    /// handler returns that handler's. So what only answers requests takes neither code nor memory for messages.
    #[doc(hidden)]
    fn listen<'a, A: Handler<S>, O: Observer>(
        app: &'a A,
        wire: &'a Wire<S>,
        observer: &'a O,
    ) -> Option<impl Future<Output = Left>> {
        let _ = (app, wire, observer);
        None::<Never>
    }

    /// Tells the methods that the target at `path` has, for Allow fields.
    fn methods(&self, path: &[u8], tell: &mut dyn FnMut(&str)) {
        let _ = (path, tell);
    }

    /// The application's own response for an error; `None`: it has none. Asked once for each error, and kept until it is sent.
    fn error(&self, failed: &Failed<'_>) -> Option<Self::Page> {
        let _ = failed;
        None
    }

    /// It may have responses of its own for errors: where none has, a program pays for no search.
    #[doc(hidden)]
    const HAS_PAGES: bool = true;

    /// Its responses may carry fields of layers: where none do, a program pays for nothing of them.
    #[doc(hidden)]
    const HAS_FIELDS: bool = false;

    /// Puts the fields of layers around it that do not depend on a request, the innermost layer's first: for what is refused before there
    /// is a request.
    ///
    /// # Errors
    /// As [`IntoFields::put`](crate::IntoFields::put).
    #[doc(hidden)]
    fn preset(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        let _ = fields;
        Ok(())
    }

    /// Whether it is there now; a route of a handler that is switched off is as if it had never been added.
    #[doc(hidden)]
    fn is_on(&self) -> bool {
        true
    }

    /// Whether it ever is.
    #[doc(hidden)]
    fn is_there(&self) -> bool {
        true
    }
}

impl<S, H: Handler<S>> Handler<S> for &H {
    type Page = H::Page;

    async fn handle<'r>(&self, request: &mut Request<'r, S>, responder: Responder<'r>) -> Result<Sent, Error> {
        (**self).handle(request, responder).await
    }

    fn methods(&self, path: &[u8], tell: &mut dyn FnMut(&str)) {
        (**self).methods(path, tell);
    }

    fn error(&self, failed: &Failed<'_>) -> Option<H::Page> {
        (**self).error(failed)
    }

    const HAS_PAGES: bool = H::HAS_PAGES;

    passes_on!(H, self => (**self));

    const HAS_FIELDS: bool = H::HAS_FIELDS;

    fn preset(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        (**self).preset(fields)
    }

    fn is_on(&self) -> bool {
        (**self).is_on()
    }
}

/// A function of a request that returns its response.
#[derive(Debug)]
pub struct Function<S, F, R> {
    function: F,
    types: PhantomData<fn(&S) -> R>,
}

impl<S, F, R> Function<S, F, R> {
    pub(crate) fn new(function: F) -> Self {
        Function { function, types: PhantomData }
    }
}

impl<S, F, R> Handler<S> for Function<S, F, R>
where
    F: AsyncFn(&mut Request<'_, S>) -> R,
    R: IntoResponse,
{
    type Page = Infallible;

    const HAS_PAGES: bool = false;

    #[expect(
        clippy::manual_async_fn,
        reason = "it would keep its arguments twice, as they were given and as they are used"
    )]
    fn handle<'r>(
        &self,
        request: &mut Request<'r, S>,
        responder: Responder<'r>,
    ) -> impl Future<Output = Result<Sent, Error>> {
        async move {
            // What nearly every response does, without a future of its own. Nothing here has a name, and so a place, that
            // would have to be kept while another future is at work.
            let mut response = match responder.opened.send_now((self.function)(request).await) {
                Ok(result) => return result,
                Err(response) => response,
            };
            let mut answer = Answer::new(&mut request.inner.reader);
            poll_fn(|context| answer.poll(context, &mut response)).await
        }
    }
}

/// Hands a value to a handler beside the request: what many handlers share, as a pool of connections or the state of a device, by
/// reference. So a handler stays a named function, and needs no `static`.
///
/// The value must live as long as the application, so it is made before the router; a port with several threads shares it between them,
/// so it must be `Sync`.
///
/// # Examples
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use tenure::{Error, Request, Router, get, kit::Server, with};
///
/// struct Lamp {
///     brightness: AtomicU32,
/// }
///
/// async fn show(lamp: &Lamp, _: &mut Request<'_, ()>) -> u32 {
///     lamp.brightness.load(Ordering::Relaxed)
/// }
///
/// async fn set(lamp: &Lamp, request: &mut Request<'_, ()>) -> Result<(), Error> {
///     lamp.brightness.store(request.body().parse().await?, Ordering::Relaxed);
///     Ok(())
/// }
///
/// # // The kit's server owns what it serves.
/// # let lamp: &'static Lamp = Box::leak(Box::new(Lamp { brightness: AtomicU32::new(1) }));
/// # /*
/// let lamp = &Lamp { brightness: AtomicU32::new(1) };
/// # */
/// let app = Router::new().route("/lamp", get(with(lamp, show)).put(with(lamp, set)));
/// let mut server = Server::new(app);
/// let client = server.connect();
/// client.send("PUT /lamp HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n7GET /lamp HTTP/1.1\r\nHost: a\r\n\r\n");
/// server.run();
/// assert!(client.received_text().ends_with("\r\n\r\n7"));
/// ```
pub fn with<'t, S, T, F, R>(value: &'t T, handler: F) -> impl AsyncFn(&mut Request<'_, S>) -> R + use<'t, S, T, F, R>
where
    T: ?Sized,
    F: AsyncFn(&'t T, &mut Request<'_, S>) -> R,
{
    async move |request: &mut Request<'_, S>| handler(value, request).await
}

/// A handler that may be there: see [`Router::route_if`](crate::Router::route_if). Where it is not, a route to it does not match.
impl<S, H: Handler<S>> Handler<S> for Option<H> {
    type Page = H::Page;

    const HAS_PAGES: bool = H::HAS_PAGES;

    const HAS_FIELDS: bool = H::HAS_FIELDS;

    const OPENS: u32 = H::OPENS;

    fn handle<'r>(
        &self,
        request: &mut Request<'r, S>,
        responder: Responder<'r>,
    ) -> impl Future<Output = Result<Sent, Error>> {
        match self {
            Some(handler) => Either::First { future: handler.handle(request, responder) },
            None => Either::Second { future: poll_fn(|_| Poll::Ready(Err(not_found()))) },
        }
    }

    fn number(&self, address: usize) -> Option<u32> {
        self.as_ref()?.number(address)
    }

    fn hear(&self, number: u32, message: &mut Message<'_, S>) -> impl Future<Output = Result<(), Error>> {
        match self {
            Some(handler) => Either::First { future: handler.hear(number, message) },
            None => Either::Second { future: ready(Ok(())) },
        }
    }

    fn listen<'a, A: Handler<S>, O: Observer>(
        app: &'a A,
        wire: &'a Wire<S>,
        observer: &'a O,
    ) -> Option<impl Future<Output = Left>> {
        H::listen(app, wire, observer)
    }

    fn methods(&self, path: &[u8], tell: &mut dyn FnMut(&str)) {
        if let Some(handler) = self {
            handler.methods(path, tell);
        }
    }

    fn error(&self, failed: &Failed<'_>) -> Option<H::Page> {
        self.as_ref()?.error(failed)
    }

    fn preset(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        self.as_ref().map_or(Ok(()), |handler| handler.preset(fields))
    }

    fn is_on(&self) -> bool {
        self.as_ref().is_some_and(H::is_on)
    }

    fn is_there(&self) -> bool {
        self.is_some()
    }
}

/// What no route is for.
#[cold]
pub(crate) fn not_found() -> Error {
    Error::not_found("there is no such target here")
}

/// A function that answers through the responder.
#[derive(Debug)]
pub struct Responding<S, F> {
    function: F,
    session: PhantomData<fn(&S)>,
}

impl<S, F> Responding<S, F> {
    pub(crate) fn new(function: F) -> Self {
        Responding { function, session: PhantomData }
    }
}

impl<S, F> Handler<S> for Responding<S, F>
where
    F: for<'a, 'r> AsyncFn(&'a mut Request<'r, S>, Responder<'r>) -> Result<Sent, Error>,
{
    type Page = Infallible;

    const HAS_PAGES: bool = false;

    async fn handle<'r>(&self, request: &mut Request<'r, S>, responder: Responder<'r>) -> Result<Sent, Error> {
        (self.function)(request, responder).await
    }
}
