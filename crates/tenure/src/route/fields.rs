//! Fields that every response of some routes carries.

use tenure_proto::response::{FieldError, HeadState, HeadWriter, decimal};

use crate::{
    Error, FieldWriter, IntoFields, Request, Responder, engine::wire::Shared, exchange::failure::Failed,
    exchange::fields::PutFields, exchange::reply::Sent, route::handler::Handler, route::layers::passes_all,
};

/// A handler whose responses carry fields.
#[derive(Debug)]
pub struct WithFields<F, H> {
    fields: F,
    handler: H,
}

impl<F, H> WithFields<F, H> {
    pub(crate) fn new(fields: F, handler: H) -> Self {
        WithFields { fields, handler }
    }
}

/// Where a layer's fields come from.
#[doc(hidden)]
pub trait Source<S> {
    /// Puts those for a request; where there is none, those that do not depend on it.
    fn put(&self, request: Option<&Request<'_, S>>, fields: &mut FieldWriter<'_>) -> Result<(), Error>;
}

/// Fields that are the same for all requests.
#[derive(Debug)]
pub struct Same<F>(pub(crate) F);

/// Fields that a function makes of the request.
#[derive(Debug)]
pub struct Made<F>(pub(crate) F);

impl<F: IntoFields> Same<F> {
    /// These.
    ///
    /// # Panics
    /// When one of them must not be set.
    pub(crate) fn checked(fields: F) -> Self {
        let mut state = HeadState::NEW;
        let put = fields.put(&mut FieldWriter::new(HeadWriter::new(&mut [], &mut state)));
        let refused = put.err().map(|error| error.reason()).or(state.error().map(FieldError::reason));
        assert!(refused.is_none(), "a layer has a field that must not be set: {}", refused.unwrap_or_default());
        Same(fields)
    }
}

impl<S, F: IntoFields> Source<S> for Same<F> {
    fn put(&self, _: Option<&Request<'_, S>>, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        self.0.put(fields)
    }
}

impl<S, F, R> Source<S> for Made<F>
where
    F: Fn(&Request<'_, S>) -> R,
    R: IntoFields,
{
    fn put(&self, request: Option<&Request<'_, S>>, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        request.map_or(Ok(()), |request| (self.0)(request).put(fields))
    }
}

impl<S, F: Source<S>, H: Handler<S>> Handler<S> for WithFields<F, H> {
    type Page = H::Page;

    const HAS_PAGES: bool = H::HAS_PAGES;

    const HAS_FIELDS: bool = true;

    passes_all!(H, self => self.handler);

    async fn handle<'r>(&self, request: &mut Request<'r, S>, responder: Responder<'r>) -> Result<Sent, Error> {
        let shared = request.inner.shared();
        shared.keep_fields(&mut |fields| self.fields.put(Some(&*request), fields)).await?;
        self.handler.handle(request, responder).await
    }

    fn preset(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        self.handler.preset(fields)?;
        fields.next_layer();
        self.fields.put(None, fields)
    }

    fn error(&self, failed: &Failed<'_>) -> Option<H::Page> {
        self.handler.error(failed)
    }
}

impl Shared {
    /// Keeps fields for the response at hand, whatever that will be. Waits for room where the output is not empty.
    pub(crate) async fn keep_fields(&self, put: PutFields<'_>) -> Result<(), Error> {
        while !self.output.borrow_mut().keep_fields(put)? {
            self.room(usize::MAX).await;
        }
        Ok(())
    }
}

/// Fields that let browsers do less with what is served, for pages and services alike: a list for
/// [`Router::fields`](crate::Router::fields).
///
/// `X-Content-Type-Options: nosniff`, `X-Frame-Options: DENY` and `Referrer-Policy: no-referrer`; what else there is must be said.
///
/// # Examples
/// ```
/// use tenure::{Html, Request, Router, Secured, get, kit::Server};
///
/// async fn page(_: &mut Request<'_, ()>) -> Html<&'static str> {
///     Html("<!doctype html><title>hello</title>")
/// }
///
/// const SECURED: Secured = Secured::new().content_policy("default-src 'self'");
///
/// let mut server = Server::new(Router::new().route("/", get(page)).fields(SECURED));
/// let client = server.connect();
/// client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
/// server.run();
/// let received = client.received_text();
/// assert_eq!(received.matches("\r\nContent-Security-Policy: default-src 'self'\r\n").count(), 2);
/// assert_eq!(received.matches("\r\nX-Frame-Options: DENY\r\n").count(), 2);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "it is a list of fields: `router.fields(Secured::new())`"]
pub struct Secured {
    frames: &'static str,
    referrer_policy: &'static str,
    content_policy: &'static str,
    transport_s: Option<u32>,
}

impl Secured {
    /// The three fields that nearly everything can have.
    pub const fn new() -> Self {
        Secured { frames: "DENY", referrer_policy: "no-referrer", content_policy: "", transport_s: None }
    }

    /// Pages of this site may frame its pages (`SAMEORIGIN`); else none may.
    pub const fn framed_by_own(mut self) -> Self {
        self.frames = "SAMEORIGIN";
        self
    }

    /// Says what is told to other sites of where a link was, instead of `no-referrer`.
    pub const fn referrer_policy(mut self, policy: &'static str) -> Self {
        self.referrer_policy = policy;
        self
    }

    /// Adds a `Content-Security-Policy`: where scripts, styles and the rest of a page may come from.
    pub const fn content_policy(mut self, policy: &'static str) -> Self {
        self.content_policy = policy;
        self
    }

    /// Adds `Strict-Transport-Security`: for that many seconds browsers come by TLS alone. It counts only where it comes by TLS.
    pub const fn strict_transport(mut self, seconds: u32) -> Self {
        self.transport_s = Some(seconds);
        self
    }
}

impl Default for Secured {
    fn default() -> Self {
        Secured::new()
    }
}

impl IntoFields for Secured {
    fn put(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        fields.field("X-Content-Type-Options", "nosniff").field("X-Frame-Options", self.frames);
        fields.field("Referrer-Policy", self.referrer_policy);
        if !self.content_policy.is_empty() {
            fields.field("Content-Security-Policy", self.content_policy);
        }
        if let Some(seconds) = self.transport_s {
            let mut digits = [0; 20];
            fields.field_of("Strict-Transport-Security", &[b"max-age=", decimal(seconds.into(), &mut digits)]);
        }
        Ok(())
    }
}
