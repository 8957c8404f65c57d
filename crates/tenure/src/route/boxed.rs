//! A handler whose type is not told: one type for all, for the price of a box per request.

use alloc::boxed::Box;
use core::{fmt, future::Future, pin::Pin};

use crate::{
    Error, FieldWriter, Request, Responder,
    exchange::failure::Failed,
    exchange::reply::{IntoResponse, Sent},
    route::handler::Handler,
};

/// A handler behind one type, whatever it is made of: see [`Router::boxed`](crate::Router::boxed).
pub struct Boxed<'h, S>(Box<dyn Dynamic<'h, S> + Send + Sync + 'h>);

type Answering<'a> = Pin<Box<dyn Future<Output = Result<Sent, Error>> + 'a>>;

/// As [`Handler`], for any type.
trait Dynamic<'h, S> {
    fn handle<'a, 'r>(&'a self, request: &'a mut Request<'r, S>, responder: Responder<'r>) -> Answering<'a>;

    fn methods(&self, path: &[u8], tell: &mut dyn FnMut(&str));

    fn error(&self, failed: &Failed<'_>) -> Option<Box<dyn IntoResponse + 'h>>;

    fn preset(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error>;

    fn is_on(&self) -> bool;

    fn is_there(&self) -> bool;
}

impl<'h, S: 'h, H: Handler<S> + 'h> Dynamic<'h, S> for H {
    fn handle<'a, 'r>(&'a self, request: &'a mut Request<'r, S>, responder: Responder<'r>) -> Answering<'a> {
        Box::pin(Handler::handle(self, request, responder))
    }

    fn methods(&self, path: &[u8], tell: &mut dyn FnMut(&str)) {
        Handler::methods(self, path, tell);
    }

    fn error(&self, failed: &Failed<'_>) -> Option<Box<dyn IntoResponse + 'h>> {
        let page = Handler::error(self, failed)?;
        Some(Box::new(page))
    }

    fn preset(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        Handler::preset(self, fields)
    }

    fn is_on(&self) -> bool {
        Handler::is_on(self)
    }

    fn is_there(&self) -> bool {
        Handler::is_there(self)
    }
}

impl<'h, S: 'h> Boxed<'h, S> {
    pub(crate) fn new<H: Handler<S> + Send + Sync + 'h>(handler: H) -> Self {
        const {
            assert!(
                H::OPENS == 0,
                "routes that stay open (websocket, events) cannot be boxed: put them beside what is"
            );
        };
        Boxed(Box::new(handler))
    }
}

impl<'h, S> Handler<S> for Boxed<'h, S> {
    type Page = Box<dyn IntoResponse + 'h>;

    async fn handle<'r>(&self, request: &mut Request<'r, S>, responder: Responder<'r>) -> Result<Sent, Error> {
        self.0.handle(request, responder).await
    }

    fn methods(&self, path: &[u8], tell: &mut dyn FnMut(&str)) {
        self.0.methods(path, tell);
    }

    fn error(&self, failed: &Failed<'_>) -> Option<Self::Page> {
        self.0.error(failed)
    }

    const HAS_FIELDS: bool = true;

    fn preset(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        self.0.preset(fields)
    }

    fn is_on(&self) -> bool {
        self.0.is_on()
    }

    fn is_there(&self) -> bool {
        self.0.is_there()
    }
}

impl<S> fmt::Debug for Boxed<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Boxed")
    }
}

impl<T: IntoResponse + ?Sized> IntoResponse for Box<T> {
    fn respond(&mut self, reply: &mut crate::Reply<'_>) -> crate::Outcome {
        (**self).respond(reply)
    }
}
