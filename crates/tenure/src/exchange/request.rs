//! One request, and the loan of its session.

use core::{
    cell::RefMut,
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use tenure_proto::{
    cookie::cookies,
    head::{Fields, Head, TargetForm, Version},
    method::Method,
    target::{self, Encoded, Target},
};

use crate::{
    Body, ConnectionId, EndReason, Error, IntoFields, PeerAddress, RequestLine, Session, Topic,
    engine::{
        interest::await_close,
        state::Change,
        wire::{Shared, Wire},
    },
    exchange::body::Reader,
    route::{
        parameters::Parameters,
        unrouted::{Unrouted, routed_path},
    },
};

/// One request, and the loan of its connection's session.
///
/// What it tells of the head (`&'r str`) stays valid for as long as the request is being answered, whatever else is
/// borrowed meanwhile: a handler may keep the target and wait for the body. The guide has a [chapter](crate::guide::requests) on
/// requests.
///
/// # Examples
/// ```
/// use tenure::{Error, Request, Router, get, kit::Server};
///
/// /// `/sums/{name}?from=`
/// async fn sum(request: &mut Request<'_, ()>) -> Result<i64, Error> {
///     let name = request.parameter("name").ok_or(Error::not_found("a sum has a name"))?;
///     let from: i64 = request.query_value("from").map_or(Ok(0), |from| from.parse())?;
///     Ok(if name == *"ten" { from + 10 } else { from })
/// }
///
/// let mut server = Server::new(Router::new().route("/sums/{name}", get(sum)));
/// let client = server.connect();
/// client.send("GET /sums/ten?from=%32 HTTP/1.1\r\nHost: a\r\n\r\n");
/// server.run();
/// assert!(client.received_text().ends_with("\r\n\r\n12"));
/// ```
#[doc(alias = "httpd_req_t")]
pub struct Request<'r, S> {
    session: RefMut<'r, Option<S>>,
    pub(crate) inner: Inner<'r>,
}

/// The part of a request that does not depend on the session's type: one copy of the code.
pub(crate) struct Inner<'r> {
    pub(crate) reader: Reader<'r>,
    head: &'r Head,
    /// Where among the request's bytes stands what the router at hand looks at.
    routed_at: u32,
    /// What the route and the routers that it is nested in have found.
    parameters: Parameters<'r>,
}

impl<'r, S> Request<'r, S> {
    #[inline]
    pub(crate) fn new(wire: &'r Wire<S>, bytes: &'r [u8], head: &'r Head) -> Self {
        let mut routed_at = head.target.start;
        if head.form == TargetForm::Absolute {
            routed_at += target::path_offset(head.target.of(bytes), head.form) as u32;
        }
        Request {
            session: wire.session.borrow_mut(),
            inner: Inner { reader: Reader::new(&wire.shared, bytes), head, routed_at, parameters: Parameters::new() },
        }
    }

    fn shared(&self) -> &'r Shared {
        self.inner.reader.shared
    }

    /// The method; an extension method is [`Method::Other`], see [`method_token`](Request::method_token).
    pub fn method(&self) -> Method {
        self.inner.head.method
    }

    /// The method as it was sent.
    pub fn method_token(&self) -> &'r str {
        str::from_utf8(self.inner.head.token.of(self.inner.reader.bytes)).unwrap_or_default()
    }

    /// The version that the request is answered as.
    pub fn version(&self) -> Version {
        self.inner.head.version
    }

    /// The whole request-target as it was sent.
    #[doc(alias = "uri")]
    #[inline]
    pub fn target(&self) -> &'r str {
        self.inner.target()
    }

    /// The target's path, percent-encoded as it was sent.
    pub fn path(&self) -> &'r str {
        Target::new(self.target(), self.inner.head.form).path
    }

    /// The segments of the path. They may be `..` or, decoded, `/etc`: take a path to a file from a [`parameter`](Request::parameter)
    /// `{*rest}` instead, which cannot leave its folder.
    pub fn segments(&self) -> impl Iterator<Item = Encoded<'r>> {
        target::segments(self.path())
    }

    /// The target's query, percent-encoded as it was sent, without its question mark.
    #[doc(alias("httpd_req_get_url_query_str", "httpd_req_get_url_query_len"))]
    pub fn query(&self) -> Option<&'r str> {
        Target::new(self.target(), self.inner.head.form).query
    }

    /// The query's names and values.
    pub fn query_pairs(&self) -> impl Iterator<Item = (Encoded<'r>, Encoded<'r>)> {
        target::pairs(self.query().unwrap_or_default())
    }

    /// The value of the query's first pair of that name.
    #[doc(alias = "httpd_query_key_value")]
    pub fn query_value(&self, name: &str) -> Option<Encoded<'r>> {
        self.query_pairs().find(|(found, _)| *found == *name).map(|(_, value)| value)
    }

    /// The value of the parameter `{name}` or `{*name}` of the route, or of the routers that it is nested in (the six
    /// innermost parameters). Decoded and joined to a folder's path it stays below the folder, that of a `{name}` on Unix alone:
    /// see [`Router`](crate::Router).
    pub fn parameter(&self, name: &str) -> Option<Encoded<'r>> {
        Some(Encoded::of_target(self.inner.parameters.value(name)?, self.inner.head.encoded))
    }

    /// The value of the innermost parameter, whatever its name: what a route's `{*rest}` has.
    pub fn rest(&self) -> Option<Encoded<'r>> {
        Some(Encoded::of_target(self.inner.parameters.last()?, self.inner.head.encoded))
    }

    /// The authority that the request is for: the absolute target's, else the Host field's.
    pub fn authority(&self) -> Option<&'r str> {
        Target::new(self.target(), self.inner.head.form).authority.or_else(|| self.field("host"))
    }

    /// The value of the first field of that name, without surrounding blanks; `None` also where it is not UTF-8 (see
    /// [`fields`](Request::fields)). Names are case-insensitive.
    #[doc(alias("httpd_req_get_hdr_value_str", "httpd_req_get_hdr_value_len"))]
    pub fn field(&self, name: &str) -> Option<&'r str> {
        str::from_utf8(self.fields().first(name)?).ok()
    }

    /// What a client of server-sent events that comes again names as the last event that it got (the HTML standard of the WHATWG,
    /// section 9.2.4). A stream that joins a topic which [keeps](crate::EventTopic::keep) its events goes on behind it by itself.
    pub fn last_event_id(&self) -> Option<&'r str> {
        self.field("last-event-id").filter(|id| !id.is_empty())
    }

    /// All fields in order, their values without surrounding blanks.
    #[doc(alias = "httpd_get_raw_req_data")]
    pub fn fields(&self) -> Fields<'r> {
        Fields::new(self.inner.head.fields.of(self.inner.reader.bytes))
    }

    /// The value of the first cookie of that name (RFC 6265).
    #[doc(alias = "httpd_req_get_cookie_val")]
    pub fn cookie(&self, name: &str) -> Option<&'r str> {
        self.cookies().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The names and values of all cookies.
    pub fn cookies(&self) -> impl Iterator<Item = (&'r str, &'r str)> {
        let fields = self.fields().filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
        fields.filter_map(|(_, value)| str::from_utf8(value).ok()).flat_map(cookies)
    }

    /// The connection.
    #[doc(alias = "httpd_req_to_sockfd")]
    pub fn id(&self) -> ConnectionId {
        self.shared().id.get()
    }

    /// The peer's address; `None` where the port has none, or the peer is gone. On Linux this is a system call.
    pub fn peer(&self) -> Option<PeerAddress> {
        self.shared().peer.get().address()
    }

    /// Milliseconds of the port's clock at the request's arrival. The clock starts anywhere and wraps.
    pub fn arrived_ms(&self) -> u32 {
        self.shared().connection.get().arrived_ms
    }

    /// Milliseconds of the same clock now: of the turn in which the handler goes on. A body, or anything else that a handler has waited
    /// for, may have come long after the head.
    pub fn now_ms(&self) -> u32 {
        self.shared().turn.get().now_ms
    }

    /// The body.
    #[inline]
    pub fn body(&mut self) -> Body<'_, 'r> {
        Body::new(&mut self.inner.reader, self.inner.head)
    }

    /// The connection's session.
    #[doc(alias("httpd_sess_get_ctx", "sess_ctx"))]
    pub fn session(&self) -> Option<&S> {
        self.session.as_ref()
    }

    /// The connection's session, to change.
    pub fn session_mut(&mut self) -> Option<&mut S> {
        self.session.as_mut()
    }

    /// The connection's session, made by `make` where there is none yet.
    #[doc(alias = "httpd_sess_set_ctx")]
    #[inline]
    pub fn session_or_insert_with(&mut self, make: impl FnOnce() -> S) -> &mut S {
        if self.session.is_none() {
            self.shared().moves();
        }
        self.session.get_or_insert_with(make)
    }

    /// Takes the session away from the connection. It is the caller's: [`Session::end`] is not called for it.
    #[doc(alias = "ignore_sess_ctx_changes")]
    pub fn take_session(&mut self) -> Option<S> {
        self.shared().moves();
        self.session.take()
    }

    /// Closes the connection once the response has been sent; the response says so, unless its head has been written already.
    #[doc(alias = "httpd_sess_trigger_close")]
    pub fn close(&mut self) {
        self.shared().cannot_go_on(EndReason::Handler);
    }

    /// Lets the response to this request carry fields, whoever makes it: this handler, a page for errors, the server where the handler
    /// panics. So an error has fields on boards, too, where [`Error::field`] does not exist. As with [`Router::fields`](crate::Router::fields), one
    /// that the response sets itself goes first, and `Vary`, `Link` and `Set-Cookie` of different cookies add up. Call it before the response begins; of what has
    /// begun it changes nothing.
    ///
    /// # Errors
    /// A field that must not be set, or that has no room in an empty output buffer.
    ///
    /// # Cancellation safety
    /// Safe: all of the fields are kept, or none.
    ///
    /// # Examples
    /// ```
    /// use tenure::{Error, Request, Router, get, kit::Server};
    ///
    /// async fn secret(request: &mut Request<'_, ()>) -> Result<&'static str, Error> {
    ///     if request.field("authorization") != Some("Bearer open") {
    ///         request.response_fields([("WWW-Authenticate", "Bearer")]).await?;
    ///         return Err(Error::unauthorized("send a token"));
    ///     }
    ///     Ok("the secret")
    /// }
    ///
    /// let mut server = Server::new(Router::new().route("/", get(secret)));
    /// let client = server.connect();
    /// client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    /// server.run();
    /// let answer = client.received_text();
    /// assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("\r\nWWW-Authenticate: Bearer\r\n"));
    /// ```
    pub async fn response_fields(&mut self, fields: impl IntoFields) -> Result<(), Error> {
        let shared = self.shared();
        if shared.output.borrow().exchange.begun {
            return Ok(());
        }
        shared.keep_fields(&mut |writer| fields.put(writer)).await
    }

    /// Sends an event, or a message, to all who have joined a topic, on every worker: on this one once the handler waits for
    /// something or has ended.
    ///
    /// # Errors
    /// What is published cannot be written, or has no room: without a heap a handler publishes 192 bytes at once at the most.
    ///
    /// # Examples
    /// ```
    /// use tenure::{Error, Event, EventTopic, Events, Request, Router, events, kit::Server, post};
    ///
    /// const NEWS: EventTopic = EventTopic::new(0);
    ///
    /// async fn tell(request: &mut Request<'_, ()>) -> Result<(), Error> {
    ///     request.publish(NEWS, Event::data("hello"))
    /// }
    ///
    /// async fn news(_: &mut Request<'_, ()>) -> Events {
    ///     Events::new().topic(NEWS)
    /// }
    ///
    /// let mut server = Server::new(Router::new().route("/news", events(news)).route("/tell", post(tell)));
    /// let [reader, teller] = [server.connect(), server.connect()];
    /// reader.send("GET /news HTTP/1.1\r\nHost: a\r\n\r\n");
    /// server.run();
    /// teller.send("POST /tell HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    /// server.run();
    /// assert!(reader.received_text().ends_with("\r\n\r\ndata: hello\n\n"));
    /// ```
    pub fn publish<T: Topic>(&mut self, topic: T, content: T::Content<'_>) -> Result<(), Error> {
        self.shared().publish(topic.key(), &content)
    }

    /// Whether anybody may get what is published to a topic. Where nobody has joined it, [`publish`](Request::publish) does nothing but
    /// look whether it could be written: ask first where making it costs something. Now and then it is `true` although nobody is there
    /// any more.
    ///
    /// # Examples
    /// ```
    /// use tenure::{Error, Event, EventTopic, Request};
    ///
    /// const STATUS: EventTopic = EventTopic::new(0);
    ///
    /// fn told(request: &mut Request<'_, ()>) -> Result<(), Error> {
    ///     if request.is_heard(STATUS) {
    ///         request.publish(STATUS, Event::data(&format!("{} is here", request.id())))?;
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = told;
    /// ```
    pub fn is_heard(&self, topic: impl Topic) -> bool {
        self.shared().is_heard(topic.key())
    }

    /// Awaits that future while the connection is open: until its peer closes ([`peer_closed`](Request::peer_closed)), or this side
    /// closes or stops ([`ending`](Request::ending)). For handlers that wait for long, or stream without an end
    /// ([guide](crate::guide::waiting)), as in the repository's example `waiting`. A result that is ready at once is taken in any case.
    ///
    /// # Errors
    /// 503 (Service Unavailable), as the answer of a handler that has not begun one: the future has been dropped.
    ///
    /// # Cancellation safety
    /// As the future.
    ///
    /// # Examples
    /// ```
    /// use tenure::{Error, Method, Request, Responder, Router, Sent, StatusCode, get, kit::Server, respond};
    ///
    /// async fn happens() -> &'static str {
    ///     std::future::pending().await
    /// }
    ///
    /// /// Answers once something has happened.
    /// async fn next(request: &mut Request<'_, ()>) -> Result<&'static str, Error> {
    ///     request.while_open(happens()).await
    /// }
    ///
    /// /// Tells of everything that happens.
    /// async fn all<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
    ///     let mut stream = responder.stream(StatusCode::OK, &[]).await?;
    ///     while let Ok(what) = request.while_open(happens()).await {
    ///         stream.write(what.as_bytes()).await?;
    ///     }
    ///     stream.finish().await
    /// }
    ///
    /// let mut server = Server::new(Router::new().route("/next", get(next)).route("/all", respond(Method::Get, all)));
    /// let (client, stays) = (server.connect(), server.connect());
    /// client.send("GET /all HTTP/1.1\r\nHost: a\r\n\r\n");
    /// stays.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    /// server.run();
    /// client.close();
    /// server.run();
    /// assert_eq!(server.list().len(), 1);
    /// server.stop();
    /// assert!(stays.received_text().starts_with("HTTP/1.1 503 ") && server.list().is_empty());
    /// ```
    #[doc(alias = "httpd_req_async_handler_begin")]
    pub fn while_open<F: Future>(&self, future: F) -> impl Future<Output = Result<F::Output, Error>> + use<'r, S, F> {
        let (peer_closed, ending) = (self.peer_closed(), self.ending());
        async move {
            let (mut future, mut peer_closed, mut ending) = (pin!(future), pin!(peer_closed), pin!(ending));
            poll_fn(|context| {
                if let Poll::Ready(output) = future.as_mut().poll(context) {
                    return Poll::Ready(Ok(output));
                }
                let is_open =
                    peer_closed.as_mut().poll(context).is_pending() && ending.as_mut().poll(context).is_pending();
                if is_open { Poll::Pending } else { Poll::Ready(Err(Error::unavailable("the connection ends"))) }
            })
            .await
        }
    }

    /// Waits for that long, on the server's own clock: without a runtime's timer, so the same handler runs on every port. Time is
    /// virtual in the test kit. The wait begins when it is first polled. It is counted in milliseconds, rounded up, and never ends early.
    ///
    /// A reset of the connection drops it with its handler. Where the peer's close or a stop of the server is to end it, too, await it
    /// [`while_open`](Request::while_open). The time counts towards [`handler_ms`](crate::Deadlines::handler_ms), as any wait before the
    /// response.
    ///
    /// # Cancellation safety
    /// Safe: nothing is left of it.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use tenure::{Error, Request, Router, get, kit::Server};
    ///
    /// async fn late(request: &mut Request<'_, ()>) -> Result<&'static str, Error> {
    ///     request.while_open(request.sleep(Duration::from_millis(100))).await?;
    ///     Ok("at last")
    /// }
    ///
    /// let mut server = Server::new(Router::new().route("/", get(late)));
    /// let client = server.connect();
    /// client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    /// server.advance(99);
    /// assert_eq!(client.received_text(), "");
    /// server.advance(1);
    /// assert!(client.received_text().ends_with("at last"));
    /// ```
    #[doc(alias("vTaskDelay", "Timer", "timeout"))]
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + use<'r, S> {
        self.shared().sleep(duration)
    }

    /// Waits until the peer has closed its side of the connection: for handlers that wait for something else, or stream without
    /// an end, to leave off where nobody is there any more ([`while_open`](Request::while_open) does). A close cancels nothing by
    /// itself, because a client may close its side and still read; a reset drops the handler at once.
    ///
    /// # Cancellation safety
    /// Safe.
    pub fn peer_closed(&self) -> impl Future<Output = ()> + use<'r, S> {
        let shared = self.shared();
        poll_fn(move |context| {
            let connection = shared.connection.get();
            if connection.ended || connection.peer_closed {
                return Poll::Ready(());
            }
            shared.waiters.register(context);
            await_close();
            shared.turn.change(|turn| turn.wants.add_close());
            Poll::Pending
        })
    }

    /// Waits until the connection is to end behind its responses: the server stops, or the connection is to be closed from
    /// elsewhere. Lets a handler finish a long response early; what is not finished
    /// within [`flush_ms`](crate::Deadlines::flush_ms) is reset.
    ///
    /// # Cancellation safety
    /// Safe.
    pub fn ending(&self) -> impl Future<Output = ()> + use<'r, S> {
        let shared = self.shared();
        poll_fn(move |context| {
            if shared.connection.get().ending.is_some() {
                return Poll::Ready(());
            }
            shared.waiters.register(context);
            Poll::Pending
        })
    }

    /// Whether the connection is to end behind its responses, as [`ending`](Request::ending) waits for: for handlers that wait
    /// for nothing but room.
    pub fn is_ending(&self) -> bool {
        self.shared().connection.get().ending.is_some()
    }

    /// Keeps the connection from being evicted, or closed because the server is full; `false`: no longer. The idle deadline stays.
    #[doc(alias = "httpd_sess_update_lru_counter")]
    pub fn pin(&mut self, pinned: bool) {
        self.shared().moves();
        self.shared().connection.change(|connection| connection.pin = Some(pinned));
    }
}

impl<S: Session> Request<'_, S> {
    /// Ends the session with [`EndReason::Removed`]; the connection goes on. Returns whether there was one.
    ///
    /// # Panics
    /// When [`Session::end`] does. The session has ended all the same.
    pub fn end_session(&mut self) -> bool {
        match self.take_session() {
            Some(session) => {
                session.end(EndReason::Removed);
                true
            }
            None => false,
        }
    }

    /// Puts `session` in the place of the one there is, which ends with [`EndReason::Replaced`].
    ///
    /// # Panics
    /// When [`Session::end`] of the one before does. The new one is in its place all the same.
    #[doc(alias = "httpd_sess_set_ctx")]
    pub fn replace_session(&mut self, session: S) -> &mut S {
        let before = self.take_session();
        // First: should the end of the other one panic, this one is the connection's.
        let session = self.session.insert(session);
        if let Some(before) = before {
            before.end(EndReason::Replaced);
        }
        session
    }
}

impl<'r> Inner<'r> {
    /// Visible ASCII, as the head's parser has seen: the application is not asked for others.
    fn target(&self) -> &'r str {
        str::from_utf8(self.head.target.of(self.reader.bytes)).unwrap_or_default()
    }

    /// The target from where the router at hand looks at it.
    #[inline(always)]
    pub(crate) fn unrouted(&self) -> Unrouted<'r> {
        let bytes = self.reader.bytes.get(self.routed_at as usize..);
        match (bytes, self.head.target.end.checked_sub(self.routed_at)) {
            (Some(bytes @ [b'/', ..]), Some(end)) => Unrouted::new(bytes, end as usize, self.head.encoded),
            // An absolute target may have no path, and a nested router's prefix may be all of it.
            _ => Unrouted::new(b"/", 1, self.head.encoded),
        }
    }

    /// The path from where the router at hand looks at it.
    pub(crate) fn routed(&self) -> &'r [u8] {
        let range = self.routed_at as usize..self.head.target.end as usize;
        routed_path(self.reader.bytes.get(range).unwrap_or_default())
    }

    /// The target as it was sent.
    pub(crate) fn whole_target(&self) -> &'r [u8] {
        self.head.target.of(self.reader.bytes)
    }

    pub(crate) fn line_of_request(&self) -> RequestLine<'r> {
        RequestLine::new(self.token(), self.head.target.of(self.reader.bytes))
    }

    pub(crate) fn head(&self) -> &'r Head {
        self.head
    }

    pub(crate) fn token(&self) -> &'r [u8] {
        self.head.token.of(self.reader.bytes)
    }

    pub(crate) fn shared(&self) -> &'r Shared {
        self.reader.shared
    }

    /// Lets a router find the route for what it looks at.
    #[inline(always)]
    pub(crate) fn find(&mut self, find: impl FnOnce(&mut Unrouted<'r>, &mut Parameters<'r>) -> u32) -> u32 {
        find(&mut self.unrouted(), &mut self.parameters)
    }

    /// Goes into a nested router whose prefix takes `bytes` of what is routed.
    pub(crate) fn enter(&mut self, bytes: usize) {
        self.routed_at += bytes as u32;
    }
}

impl<S> fmt::Debug for Request<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {} of connection {})", self.method_token(), self.target(), self.id())
    }
}
