//! What stands around a handler: middleware, and error responses of the application's own.

use tenure_proto::status::StatusCode;

use crate::{
    Cors, Error, IntoFields, Request, Responder,
    exchange::failure::Failed,
    exchange::reply::{IntoResponse, Sent},
    route::cors::{Origins, WithCors},
    route::deadlines::WithDeadlines,
    route::either::OneOf,
    route::fields::{Made, Same, WithFields},
    route::handler::Handler,
    route::methods::Methods,
    route::rate::{Rated, WithRate},
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

/// Lets `$inner` answer. Not an `async fn`: a layer less for every request.
macro_rules! passes_requests {
    ($self:ident => $inner:expr) => {
        fn handle<'r>(
            &$self,
            request: &mut $crate::Request<'r, S>,
            responder: $crate::Responder<'r>,
        ) -> impl core::future::Future<Output = Result<$crate::Sent, $crate::Error>> {
            $inner.handle(request, responder)
        }
    };
}
pub(crate) use passes_requests;

/// What a handler that wraps another one, `$inner` of type `$held`, passes on in any case.
macro_rules! passes_all {
    ($held:ident, $self:ident => $inner:expr) => {
        $crate::route::hears::passes_on!($held, $self => $inner);

        fn methods(&$self, path: &[u8], tell: &mut dyn FnMut(&str)) {
            $inner.methods(path, tell);
        }

        fn is_on(&$self) -> bool {
            $inner.is_on()
        }

        fn is_there(&$self) -> bool {
            $inner.is_there()
        }
    };
}
pub(crate) use passes_all;

/// And what it passes on where it has no fields of its own.
macro_rules! passes_fields {
    ($held:ident, $self:ident => $inner:expr) => {
        const HAS_FIELDS: bool = $held::HAS_FIELDS;

        fn preset(&$self, fields: &mut $crate::FieldWriter<'_>) -> Result<(), $crate::Error> {
            $inner.preset(fields)
        }
    };
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

impl<S, F, H> Handler<S> for Wrapped<F, H>
where
    H: Handler<S>,
    F: for<'a, 'n, 'r> AsyncFn(&'a mut Request<'r, S>, Next<'n, 'r, H>) -> Result<Sent, Error>,
{
    type Page = H::Page;

    const HAS_PAGES: bool = H::HAS_PAGES;

    passes_all!(H, self => self.handler);

    passes_fields!(H, self => self.handler);

    async fn handle<'r>(&self, request: &mut Request<'r, S>, responder: Responder<'r>) -> Result<Sent, Error> {
        (self.middleware)(request, Next { handler: &self.handler, responder }).await
    }

    fn error(&self, failed: &Failed<'_>) -> Option<H::Page> {
        self.handler.error(failed)
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
}

impl<S, F, R, H> Handler<S> for OnError<F, H>
where
    H: Handler<S>,
    F: Fn(&Error) -> R,
    R: IntoResponse,
{
    type Page = OneOf<H::Page, R>;

    passes_all!(H, self => self.handler);

    passes_fields!(H, self => self.handler);

    passes_requests!(self => self.handler);

    fn error(&self, failed: &Failed<'_>) -> Option<Self::Page> {
        if let Some(page) = self.handler.error(failed) {
            return Some(OneOf::First(page));
        }
        (failed.status() == self.status).then(|| OneOf::Second((self.response)(failed.error())))
    }
}

/// A handler with a response of the application's own for all errors.
#[derive(Debug)]
pub struct OnErrors<F, H> {
    response: F,
    handler: H,
}

impl<F, H> OnErrors<F, H> {
    pub(crate) fn new(response: F, handler: H) -> Self {
        OnErrors { response, handler }
    }
}

impl<S, F, R, H> Handler<S> for OnErrors<F, H>
where
    H: Handler<S>,
    F: Fn(&Failed<'_>) -> R,
    R: IntoResponse,
{
    type Page = OneOf<H::Page, R>;

    passes_all!(H, self => self.handler);

    passes_fields!(H, self => self.handler);

    passes_requests!(self => self.handler);

    fn error(&self, failed: &Failed<'_>) -> Option<Self::Page> {
        if let Some(page) = self.handler.error(failed) {
            return Some(OneOf::First(page));
        }
        // The methods of a target come back as an error that is none.
        failed.status().is_error().then(|| OneOf::Second((self.response)(failed)))
    }
}

/// The methods that put a layer around `$layer`: as those of [`Router`](crate::Router).
macro_rules! layers {
    ($([$($generics:ident),*] $layer:ty;)*) => {
        $(impl<$($generics),*> $layer {
            /// Wraps a middleware around it, as [`Router::wrap`](crate::Router::wrap): the last is asked first.
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

            /// Sets the application's own response for all errors, as [`Router::errors`](crate::Router::errors).
            pub fn errors<G, R>(self, response: G) -> OnErrors<G, Self>
            where
                G: Fn(&Failed<'_>) -> R,
                R: IntoResponse,
            {
                OnErrors::new(response, self)
            }

            /// Lets all of its responses carry fields, as [`Router::fields`](crate::Router::fields).
            ///
            /// # Panics
            /// When one of them must not be set.
            pub fn fields<L: IntoFields>(self, fields: L) -> WithFields<Same<L>, Self> {
                WithFields::new(Same::checked(fields), self)
            }

            /// Lets all of its responses carry fields that a function makes of the request, as
            /// [`Router::fields_of`](crate::Router::fields_of).
            pub fn fields_of<S, G, L>(self, make: G) -> WithFields<Made<G>, Self>
            where
                G: Fn(&Request<'_, S>) -> L,
                L: IntoFields,
            {
                WithFields::new(Made(make), self)
            }

            /// Puts it behind one type, as [`Router::boxed`](crate::Router::boxed).
            #[cfg(feature = "alloc")]
            pub fn boxed<'h, S: 'h>(self) -> crate::Boxed<'h, S>
            where
                Self: Handler<S> + Send + Sync + 'h,
            {
                crate::Boxed::new(self)
            }

            /// Lets each peer send it so many requests, as [`Router::rate`](crate::Router::rate).
            pub fn rate<R: Rated>(self, rate: R) -> WithRate<R, Self> {
                WithRate::new(rate, self)
            }

            /// Says which other sites' pages may use it, as [`Router::cors`](crate::Router::cors).
            pub fn cors<G: Origins>(self, cors: Cors<G>) -> WithCors<G, Self> {
                WithCors::new(cors, self)
            }
        })*
    };
}

/// Calls a macro for every layer there is, and for what else it names: a new layer is added here.
macro_rules! for_layers {
    ($for_each:ident! { $($more:tt)* }) => {
        $for_each! {
            [F, H] Wrapped<F, H>;
            [F, H] OnError<F, H>;
            [F, H] OnErrors<F, H>;
            [F, H] WithFields<F, H>;
            [O, H] WithCors<O, H>;
            [B, H] WithRate<B, H>;
            [H] WithDeadlines<H>;
            $($more)*
        }
    };
}
pub(crate) use for_layers;

for_layers! { layers! { [C] Methods<C>; } }
