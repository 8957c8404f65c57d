//! How long the handlers of some routes may take.

use core::{future::Future, num::NonZeroU32, time::Duration};

use crate::{
    Error, FieldWriter, Request, Responder, Router,
    engine::state::{Change, RouteDeadlines, tell_special_routes},
    exchange::failure::Failed,
    exchange::reply::Sent,
    route::cors::WithCors,
    route::fields::WithFields,
    route::handler::Handler,
    route::layers::{OnError, OnErrors, Wrapped, for_layers, passes_all},
    route::rate::WithRate,
};

/// A handler with deadlines of its own.
#[derive(Debug)]
pub struct WithDeadlines<H> {
    deadlines: RouteDeadlines,
    handler: H,
}

impl<H> WithDeadlines<H> {
    fn new(deadlines: RouteDeadlines, handler: H) -> Self {
        WithDeadlines { deadlines, handler }
    }
}

/// One at least: nothing is due sooner.
pub(crate) fn milliseconds(duration: Duration) -> NonZeroU32 {
    tell_special_routes();
    let ms = u32::try_from(duration.as_millis()).unwrap_or(crate::NEVER);
    NonZeroU32::new(ms).unwrap_or(NonZeroU32::MIN)
}

impl<S, H: Handler<S>> Handler<S> for WithDeadlines<H> {
    type Page = H::Page;

    const HAS_PAGES: bool = H::HAS_PAGES;

    const HAS_FIELDS: bool = H::HAS_FIELDS;

    passes_all!(H, self => self.handler);

    // Not an `async fn`: a layer less for every request.
    fn handle<'r>(
        &self,
        request: &mut Request<'r, S>,
        responder: Responder<'r>,
    ) -> impl Future<Output = Result<Sent, Error>> {
        let shared = request.inner.shared();
        shared.request.change(|request| request.route_deadlines = self.deadlines.or(request.route_deadlines));
        self.handler.handle(request, responder)
    }

    fn preset(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        self.handler.preset(fields)
    }

    fn error(&self, failed: &Failed<'_>) -> Option<H::Page> {
        self.handler.error(failed)
    }
}

/// The methods that set deadlines for all of `$layer`.
macro_rules! deadlines {
    ($([$($generics:ident),*] $layer:ty;)*) => {
        $(impl<$($generics),*> $layer {
            /// Sets how long the handlers of all routes here may take to their response head, instead of
            /// [`Deadlines::handler_ms`](crate::Deadlines::handler_ms). Waiting for the request's body does not count. Then the handler is
            /// dropped and the client gets 503; session and connection stay. A handler that has begun its response is not dropped:
            /// [`response_ms`](crate::Deadlines::response_ms) bounds that.
            ///
            /// The innermost of several counts, longer or shorter: that of a target's [`Methods`](crate::Methods::handler_deadline)
            /// before that of its router, and that before the one of the router around it. It is counted in
            /// milliseconds; 2<sup>31</sup> of them (24 days) or more mean no deadline.
            ///
            /// # Examples
            /// ```
            /// use std::time::Duration;
            /// use tenure::{Request, Router, get, kit::Server};
            ///
            /// async fn never(_: &mut Request<'_, ()>) {
            ///     std::future::pending().await
            /// }
            ///
            /// let slow = get(never).handler_deadline(Duration::from_secs(20));
            /// let app = Router::new()
            ///     .route("/", get(never))
            ///     .route("/slow", slow)
            ///     .handler_deadline(Duration::from_secs(2));
            /// let mut server = Server::new(app);
            /// let [quick, slow] = [server.connect(), server.connect()];
            /// quick.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            /// slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
            /// server.advance(2_000); // milliseconds of the test's own clock
            /// assert!(quick.received_text().starts_with("HTTP/1.1 503 ") && !quick.is_closed());
            /// assert_eq!(slow.received_text(), "");
            /// server.advance(18_000);
            /// assert!(slow.received_text().starts_with("HTTP/1.1 503 "));
            /// ```
            #[must_use]
            pub fn handler_deadline(self, deadline: Duration) -> WithDeadlines<Self> {
                let handler_ms = Some(milliseconds(deadline));
                WithDeadlines::new(RouteDeadlines { handler_ms, ..RouteDeadlines::NONE }, self)
            }

            /// Sets how long the handlers of all routes here may wait for a body, beyond what its rate grants, instead of
            /// [`Deadlines::body_ms`](crate::Deadlines::body_ms). Then the client gets 408, and the connection closes. Of several the innermost
            /// counts, as with [`handler_deadline`](Self::handler_deadline).
            #[must_use]
            pub fn body_deadline(self, deadline: Duration) -> WithDeadlines<Self> {
                let body_ms = Some(milliseconds(deadline));
                WithDeadlines::new(RouteDeadlines { body_ms, ..RouteDeadlines::NONE }, self)
            }
        })*
    };
}

for_layers! { deadlines! { [S, N] Router<S, N>; } }
