//! Which handler a target has for which method.

use core::{
    convert::Infallible,
    future::{Future, poll_fn},
    task::Poll,
    time::Duration,
};

use tenure_proto::{method::Method, status::StatusCode};

use crate::{
    Error, Message, Request, Responder, Switch, Upgrade,
    engine::{
        state::{Change, RouteDeadlines, has_special_routes, tell_special_routes},
        wire::Shared,
    },
    exchange::reply::{IntoResponse, Sent},
    open::{
        events::{EventRoute, IntoEvents},
        websocket::WebSocket,
    },
    route::deadlines::milliseconds,
    route::either::Either,
    route::handler::{Function, Handler, Responding},
    route::hears::{Hears, passes_on},
    route::list::{Append, End, Link},
};

/// What a handler is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Verb {
    /// One method.
    Known(Method),
    /// An extension method.
    Extension(&'static str),
    /// Every method that has no handler of its own.
    Any,
}

/// The handlers of one target, method by method, made by [`get`], [`post`] and the like.
///
/// HEAD is answered by the handler of GET, without its body, and OPTIONS with the methods that there are, unless they
/// have handlers of their own. Another method is answered 405 with an Allow field; a token that names no method known
/// here, 501.
#[doc(alias = "httpd_uri_t")]
#[derive(Debug)]
pub struct Methods<C> {
    chain: C,
    switch: Option<&'static Switch>,
    /// None of what follows is set.
    plain: bool,
    deadlines: RouteDeadlines,
    waits_long: bool,
}

/// One method and its handler.
#[derive(Debug)]
pub struct On<H> {
    verb: Verb,
    /// What selects it: one comparable byte, whatever its verb is.
    selector: Selector,
    handler: H,
}

/// The handlers of a target's methods.
#[allow(async_fn_in_trait)]
#[doc(hidden)]
pub trait Chain<S>: Declared + Hears<S> {
    /// Lets the selected handler answer.
    async fn handle<'r>(
        &self,
        selector: Selector,
        request: &mut Request<'r, S>,
        responder: Responder<'r>,
    ) -> Result<Sent, Error>;
}

/// Which methods a chain has, its handlers numbered from 0.
#[doc(hidden)]
pub trait Declared {
    /// How many handlers there are.
    const COUNT: u32;

    /// Whether it has a handler for exactly that.
    fn answers(&self, selector: Selector) -> bool;

    /// What the handler of that number is for; `None` behind the last.
    fn verb(&self, number: u32) -> Option<&Verb>;
}

impl Declared for End {
    const COUNT: u32 = 0;

    fn answers(&self, _: Selector) -> bool {
        false
    }

    fn verb(&self, _: u32) -> Option<&Verb> {
        None
    }
}

impl<H, C: Declared> Declared for Link<On<H>, C> {
    const COUNT: u32 = C::COUNT + 1;

    fn answers(&self, selector: Selector) -> bool {
        self.value.selector == selector || self.next.answers(selector)
    }

    fn verb(&self, number: u32) -> Option<&Verb> {
        match number.checked_sub(1) {
            None => Some(&self.value.verb),
            Some(number) => self.next.verb(number),
        }
    }
}

/// What a chain's handlers are for, by their numbers: one copy of the code for all chains.
type Verbs<'c> = &'c dyn Fn(u32) -> Option<&'c Verb>;

/// Whether there is a handler for exactly that.
fn has(verbs: Verbs<'_>, wanted: Verb) -> bool {
    (0..).map_while(verbs).any(|verb| *verb == wanted)
}

/// Selects a handler of an extension method or of all methods; `selector` itself where there is none.
/// What was added for one method goes before what was added for all, in whatever order.
#[cold]
fn find_else(verbs: Verbs<'_>, selector: Selector, token: &[u8]) -> Selector {
    let mut found = selector;
    for (number, verb) in (0..).map_while(|number| Some((number, verbs(number)?))) {
        match verb {
            Verb::Extension(extension) if selector == Selector::OTHER && extension.as_bytes() == token => {
                return Selector::number(number);
            }
            Verb::Any if selector != Selector::LATER => found = Selector::number(number),
            _ => {}
        }
    }
    found
}

impl<S> Chain<S> for End {
    fn handle<'r>(
        &self,
        selector: Selector,
        _: &mut Request<'r, S>,
        _: Responder<'r>,
    ) -> impl Future<Output = Result<Sent, Error>> {
        poll_fn(move |_| Poll::Ready(Err(selector.unanswered())))
    }
}

/// What selects a handler of a chain: the method of a request, or the number of the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Selector(u8);

/// Handlers of a target at the most: more than there are known methods, and so few that a byte tells them from these.
const HANDLERS_MAX: u32 = 0x40;

impl Selector {
    /// Any method, but it cannot be begun now.
    const LATER: Selector = Selector(u8::MAX);
    const OTHER: Selector = Selector::of(Method::Other);

    /// That method.
    const fn of(method: Method) -> Self {
        Selector(method as u8)
    }

    /// The handler of that number, which is for no known method.
    const fn number(number: u32) -> Self {
        Selector(HANDLERS_MAX as u8 + number as u8)
    }

    /// What to say where no handler has answered.
    #[cold]
    fn unanswered(self) -> Error {
        const OPTIONS: Selector = Selector::of(Method::Options);
        match self {
            Selector::LATER => Error::unavailable("too many long responses: try again later"),
            // Not an error at all, but it is answered where errors are: with an Allow field.
            OPTIONS => Error::new(StatusCode::NO_CONTENT, ""),
            Selector::OTHER => Error::new(StatusCode::NOT_IMPLEMENTED, "this method is not known here"),
            _ => Error::new(StatusCode::METHOD_NOT_ALLOWED, "this target has no such method: see Allow"),
        }
    }
}

/// The methods that are told of where one handler is for all.
static ALL: [Method; 7] =
    [Method::Get, Method::Head, Method::Post, Method::Put, Method::Delete, Method::Patch, Method::Options];

impl<S, H: Handler<S>> Hears<S> for On<H> {
    passes_on!(H, self => self.handler);
}

impl<S, H: Handler<S>, C: Chain<S>> Chain<S> for Link<On<H>, C> {
    fn handle<'r>(
        &self,
        selector: Selector,
        request: &mut Request<'r, S>,
        responder: Responder<'r>,
    ) -> impl Future<Output = Result<Sent, Error>> {
        if self.value.selector == selector {
            Either::First { future: self.value.handler.handle(request, responder) }
        } else {
            Either::Second { future: self.next.handle(selector, request, responder) }
        }
    }
}

impl<C> Methods<C> {
    fn with<H>(self, verb: Verb, handler: H) -> Methods<C::With<On<H>>>
    where
        C: Declared + Append,
    {
        const { assert!(C::COUNT < HANDLERS_MAX, "a target can have 64 handlers at the most") };
        let twice = has(&|number| self.chain.verb(number), verb);
        assert!(!twice, "a target has two handlers for {verb:?}");
        let selector = if let Verb::Known(method) = verb { Selector::of(method) } else { Selector::number(C::COUNT) };
        Methods {
            chain: self.chain.with(On { verb, selector, handler }),
            switch: self.switch,
            plain: self.plain,
            deadlines: self.deadlines,
            waits_long: self.waits_long,
        }
    }

    /// Adds a handler for a method. [`Method::Other`] stands for every method that has none of its own.
    ///
    /// # Panics
    /// When the method has a handler already.
    pub fn on<S, F, R>(self, method: Method, handler: F) -> Methods<C::With<On<Function<S, F, R>>>>
    where
        C: Declared + Append,
        F: AsyncFn(&mut Request<'_, S>) -> R,
        R: IntoResponse,
    {
        self.with(verb(method), Function::new(handler))
    }

    /// Adds a handler that answers through the responder: for streams, and for answers that borrow from the request.
    ///
    /// # Panics
    /// When the method has a handler already.
    pub fn respond<S, F>(self, method: Method, handler: F) -> Methods<C::With<On<Responding<S, F>>>>
    where
        C: Declared + Append,
        F: for<'a, 'r> AsyncFn(&'a mut Request<'r, S>, Responder<'r>) -> Result<Sent, Error>,
    {
        self.with(verb(method), Responding::new(handler))
    }

    /// Adds a handler for an extension method.
    ///
    /// # Panics
    /// When the method has a handler already, or is not an extension.
    pub fn extension<S, F, R>(self, token: &'static str, handler: F) -> Methods<C::With<On<Function<S, F, R>>>>
    where
        C: Declared + Append,
        F: AsyncFn(&mut Request<'_, S>) -> R,
        R: IntoResponse,
    {
        self.with(extension_verb(token), Function::new(handler))
    }

    /// Lets the target be there only while the switch is on; 404 otherwise, the session stays.
    #[doc(alias = "httpd_unregister_uri_handler")]
    #[must_use]
    pub fn when(mut self, switch: &'static Switch) -> Self {
        self.switch = Some(switch);
        self
    }

    /// Sets how long the handlers here may take to their response head, instead of
    /// [`Deadlines::handler_ms`](crate::Deadlines::handler_ms) and of what the routers around them set: see
    /// [`Router::handler_deadline`](crate::Router::handler_deadline).
    #[must_use]
    pub fn handler_deadline(mut self, deadline: Duration) -> Self {
        self.plain = false;
        self.deadlines.handler_ms = Some(milliseconds(deadline));
        self
    }

    /// Sets how long the handlers here may wait for a body, beyond what its rate grants, instead of
    /// [`Deadlines::body_ms`](crate::Deadlines::body_ms) and of what the routers around them set: see
    /// [`Router::body_deadline`](crate::Router::body_deadline).
    #[must_use]
    pub fn body_deadline(mut self, deadline: Duration) -> Self {
        self.plain = false;
        self.deadlines.body_ms = Some(milliseconds(deadline));
        self
    }

    /// Says that responses here take long, as streams do. Such a handler does not begin on the last free lane of its worker: that
    /// one stays for short requests, and the client gets 503. With `lanes_max: 4` three of them wait at once per worker, and the
    /// fourth gets 503. Only a worker with more than one lane, but fewer than connections, has such a reserve: a single lane cannot be
    /// spared, and with a lane for each connection none must be. The repository's example `stream` uses it.
    #[must_use]
    pub fn waits_long(mut self) -> Self {
        self.plain = false;
        self.waits_long = true;
        tell_special_routes();
        self
    }
}

fn verb(method: Method) -> Verb {
    if method == Method::Other { Verb::Any } else { Verb::Known(method) }
}

fn extension_verb(token: &'static str) -> Verb {
    let extension = Method::from_token(token.as_bytes()) == Method::Other && token != "CONNECT" && !token.is_empty();
    let valid = token.bytes().all(tenure_proto::bytes::is_tchar);
    assert!(extension && valid, "{token:?} is not an extension method");
    Verb::Extension(token)
}

impl<S, C: Chain<S>> Handler<S> for Methods<C> {
    type Page = Infallible;

    const HAS_PAGES: bool = false;

    passes_on!(C, self => self.chain);

    // Not an `async fn`: a layer less for every request.
    fn handle<'r>(
        &self,
        request: &mut Request<'r, S>,
        responder: Responder<'r>,
    ) -> impl Future<Output = Result<Sent, Error>> {
        let mut selector = Selector::of(request.method());
        if selector == Selector::of(Method::Head) && !self.chain.answers(selector) {
            selector = Selector::of(Method::Get);
        }
        if has_special_routes() && !self.plain && !self.prepare(request.inner.shared()) {
            selector = Selector::LATER;
        }
        if !self.chain.answers(selector) {
            selector = find_else(&|number| self.chain.verb(number), selector, request.inner.token());
        }
        self.chain.handle(selector, request, responder)
    }

    fn methods(&self, _: &[u8], tell: &mut dyn FnMut(&str)) {
        tell_all(&|number| self.chain.verb(number), tell);
    }

    fn is_on(&self) -> bool {
        self.switch.is_none_or(Switch::is_on)
    }
}

impl<C> Methods<C> {
    /// Sets what a request here goes by; returns whether it may begin now.
    #[cold]
    fn prepare(&self, shared: &Shared) -> bool {
        shared.request.change(|request| request.route_deadlines = self.deadlines.or(request.route_deadlines));
        !self.waits_long || !shared.turn.get().crowd.has_all_lanes()
    }
}

fn tell_all(verbs: Verbs<'_>, tell: &mut dyn FnMut(&str)) {
    let bit = |method| 1u32 << method as u32;
    let (mut told, mut all) = (0, false);
    for verb in (0..).map_while(verbs) {
        match *verb {
            Verb::Known(method) => {
                told |= bit(method);
                tell(method.as_str());
            }
            Verb::Extension(token) => tell(token),
            Verb::Any => all = true,
        }
    }
    let with_get = if told & bit(Method::Get) == 0 { 0 } else { bit(Method::Head) };
    let implied = if all { u32::MAX } else { bit(Method::Options) | with_get };
    for &method in &ALL {
        if implied & !told & bit(method) != 0 {
            tell(method.as_str());
        }
    }
}

const NONE: Methods<End> =
    Methods { chain: End, switch: None, plain: true, deadlines: RouteDeadlines::NONE, waits_long: false };

/// A target with one handler so far, of one method.
pub type First<H> = Methods<Link<On<H>, End>>;

/// A target with a handler for that method. [`Method::Other`] stands for every method.
pub fn on<S, F, R>(method: Method, handler: F) -> First<Function<S, F, R>>
where
    F: AsyncFn(&mut Request<'_, S>) -> R,
    R: IntoResponse,
{
    NONE.on(method, handler)
}

/// A target with a handler for that method that answers through the responder.
pub fn respond<S, F>(method: Method, handler: F) -> First<Responding<S, F>>
where
    F: for<'a, 'r> AsyncFn(&'a mut Request<'r, S>, Responder<'r>) -> Result<Sent, Error>,
{
    NONE.respond(method, handler)
}

/// A target that opens WebSockets (RFC 6455): `enter` hears the request and agrees, or refuses with an error; then `said` hears each
/// message, with the session of the connection at hand. Between two messages the connection is a slot in a table and its session,
/// nothing else.
///
/// # Examples
/// ```
/// use tenure::{EndReason, Error, Frame, Message, Request, Router, Session, Upgrade, websocket};
///
/// struct Chat {
///     heard: u32,
/// }
///
/// impl Session for Chat {
///     fn end(self, _: EndReason) {}
/// }
///
/// async fn enter(request: &mut Request<'_, Chat>) -> Result<Upgrade, Error> {
///     request.session_or_insert_with(|| Chat { heard: 0 });
///     Ok(Upgrade::websocket())
/// }
///
/// async fn said(message: &mut Message<'_, Chat>) -> Result<(), Error> {
///     let text = message.text()?;
///     if let Some(chat) = message.session_mut() {
///         chat.heard += 1;
///     }
///     message.send(Frame::text(text)).await
/// }
///
/// let app = Router::new().route("/chat", websocket(enter, said));
/// # let _ = app;
/// ```
/// The repository's example `chat` has a page, too; its example `remote` acknowledges each command.
pub fn websocket<S, F, G>(enter: F, said: G) -> First<WebSocket<S, F, G>>
where
    F: AsyncFn(&mut Request<'_, S>) -> Result<Upgrade, Error>,
    G: AsyncFn(&mut Message<'_, S>) -> Result<(), Error>,
{
    NONE.with(Verb::Known(Method::Get), WebSocket::new(enter, said))
}

/// A target that opens streams of server-sent events: `enter` hears the request and says what the stream joins. Whoever
/// [publishes](Request::publish) to a topic reaches them. A stream is a slot in a table and its session, nothing else.
///
/// # Examples
/// See [`Events`](crate::Events) and [`Request::publish`], and the repository's example `events`, which has a page, too.
pub fn events<S, F, R>(enter: F) -> First<EventRoute<S, F, R>>
where
    F: AsyncFn(&mut Request<'_, S>) -> R,
    R: IntoEvents,
{
    NONE.with(Verb::Known(Method::Get), EventRoute::new(enter))
}

/// A target whose GET and HEAD are answered with files: those of a [`Table`](crate::files::Table), or of a `Folder` of the host. Its
/// pattern ends with a parameter that is the file's path, such as `/{*rest}`; what that is called does not matter. Routes that were
/// added before it go first. A program that has no handlers of its own says that its sessions are nothing: `Router::<()>::new()`.
///
/// # Examples
/// ```
/// use tenure::{Router, files, files::{File, Table}, kit::Server};
///
/// // What a build script writes: see the crate `tenure-files`.
/// static SITE: Table = Table::new(&[
///     File::new("index.html", "text/html; charset=utf-8").identity("\"5d41402a\"", b"<h1>hello</h1>"),
///     File::new("page.css", "text/css; charset=utf-8").identity("\"7b52009b\"", b"h1 { color: teal }"),
/// ]);
///
/// let mut server = Server::new(Router::<()>::new().route("/{*rest}", files(&SITE)));
/// let client = server.connect();
/// client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
/// server.run();
/// assert!(client.received_text().ends_with("\r\n\r\n<h1>hello</h1>"));
/// client.send("GET /page.css HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"7b52009b\"\r\n\r\n");
/// server.run();
/// assert!(client.received_text().starts_with("HTTP/1.1 304 "));
/// client.send("GET /page.css HTTP/1.1\r\nHost: a\r\nRange: bytes=5-9\r\n\r\n");
/// server.run();
/// assert!(client.received_text().ends_with("\r\n\r\ncolor"));
/// ```
pub fn files<H>(source: H) -> First<H> {
    NONE.with(Verb::Known(Method::Get), source)
}

/// A target with a handler for an extension method.
///
/// # Panics
/// When the token is not an extension method.
pub fn extension<S, F, R>(token: &'static str, handler: F) -> First<Function<S, F, R>>
where
    F: AsyncFn(&mut Request<'_, S>) -> R,
    R: IntoResponse,
{
    NONE.extension(token, handler)
}

macro_rules! by_name {
    ($($name:ident = $method:ident, $text:literal;)*) => {
        $(
            #[doc = concat!("A target with a handler for ", $text, ".")]
            pub fn $name<S, F, R>(handler: F) -> First<Function<S, F, R>>
            where
                F: AsyncFn(&mut Request<'_, S>) -> R,
                R: IntoResponse,
            {
                NONE.on(Method::$method, handler)
            }
        )*

        impl<C: Declared + Append> Methods<C> {
            $(
                #[doc = concat!("Adds a handler for ", $text, ".\n\n# Panics\nWhen it has one already.")]
                pub fn $name<S, F, R>(self, handler: F) -> Methods<C::With<On<Function<S, F, R>>>>
                where
                    F: AsyncFn(&mut Request<'_, S>) -> R,
                    R: IntoResponse,
                {
                    self.on(Method::$method, handler)
                }
            )*
        }
    };
}

by_name! {
    get = Get, "GET, and for HEAD";
    post = Post, "POST";
    put = Put, "PUT";
    delete = Delete, "DELETE";
    patch = Patch, "PATCH";
    options = Options, "OPTIONS";
    any = Other, "every method that has none of its own";
}
