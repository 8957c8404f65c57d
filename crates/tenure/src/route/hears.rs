//! What hears the messages of open connections, and how lists of routes and what wraps a handler pass it on.

use core::{
    future::{Future, ready},
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    Error, Handler, Message, Observer,
    engine::{hear::Left, wire::Wire},
    route::either::Either,
    route::list::{End, Link},
};

/// What hears messages where nothing does. No value of it is ever made, so the compiler leaves out whatever would wait for one.
pub(crate) enum Never {}

impl Future for Never {
    type Output = Left;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Left> {
        match *self {}
    }
}

/// What a list of routes, or of a target's methods, hears: as the items of those names of [`Handler`].
#[allow(async_fn_in_trait)]
#[doc(hidden)]
pub trait Hears<S> {
    /// How many routes in it stay open.
    const OPENS: u32;

    /// The number of its WebSocket route at that address in memory.
    fn number(&self, address: usize) -> Option<u32>;

    /// Lets the WebSocket route of that number hear a message.
    async fn hear(&self, number: u32, message: &mut Message<'_, S>) -> Result<(), Error>;

    /// Hears the messages of the whole application.
    fn listen<'a, A: Handler<S>, O: Observer>(
        app: &'a A,
        wire: &'a Wire<S>,
        observer: &'a O,
    ) -> Option<impl Future<Output = Left>>;
}

impl<S> Hears<S> for End {
    const OPENS: u32 = 0;

    fn number(&self, _: usize) -> Option<u32> {
        None
    }

    fn hear(&self, _: u32, _: &mut Message<'_, S>) -> impl Future<Output = Result<(), Error>> {
        ready(Ok(()))
    }

    fn listen<'a, A: Handler<S>, O: Observer>(
        _: &'a A,
        _: &'a Wire<S>,
        _: &'a O,
    ) -> Option<impl Future<Output = Left>> {
        None::<Never>
    }
}

/// Those of the value come first, then those behind it.
impl<S, T: Hears<S>, N: Hears<S>> Hears<S> for Link<T, N> {
    const OPENS: u32 = T::OPENS + N::OPENS;

    fn number(&self, address: usize) -> Option<u32> {
        let own = self.value.number(address).filter(|number| *number < T::OPENS);
        own.or_else(|| Some(self.next.number(address)? + T::OPENS))
    }

    #[inline]
    fn hear(&self, number: u32, message: &mut Message<'_, S>) -> impl Future<Output = Result<(), Error>> {
        match number.checked_sub(T::OPENS) {
            None => Either::First { future: self.value.hear(number, message) },
            Some(number) => Either::Second { future: self.next.hear(number, message) },
        }
    }

    fn listen<'a, A: Handler<S>, O: Observer>(
        app: &'a A,
        wire: &'a Wire<S>,
        observer: &'a O,
    ) -> Option<impl Future<Output = Left>> {
        if T::OPENS > 0 {
            Some(Either::First { future: T::listen(app, wire, observer)? })
        } else {
            Some(Either::Second { future: N::listen(app, wire, observer)? })
        }
    }
}

/// The items of [`Hears`], or of [`Handler`], of what holds an `$inner` of type `$held` and passes all of them on to it.
macro_rules! passes_on {
    ($held:ident, $self:ident => $inner:expr) => {
        const OPENS: u32 = $held::OPENS;

        fn number(&$self, address: usize) -> Option<u32> {
            $inner.number(address)
        }

        #[inline]
        fn hear(
            &$self,
            number: u32,
            message: &mut $crate::Message<'_, S>,
        ) -> impl core::future::Future<Output = Result<(), $crate::Error>> {
            $inner.hear(number, message)
        }

        fn listen<'a, A: $crate::Handler<S>, O: $crate::Observer>(
            app: &'a A,
            wire: &'a $crate::engine::wire::Wire<S>,
            observer: &'a O,
        ) -> Option<impl core::future::Future<Output = $crate::engine::hear::Left>> {
            $held::listen(app, wire, observer)
        }
    };
}
pub(crate) use passes_on;
