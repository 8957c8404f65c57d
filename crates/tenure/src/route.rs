//! Who answers: handlers, their methods, and the routes that lead to them.

#[cfg(feature = "alloc")]
pub(crate) mod boxed;
pub(crate) mod cors;
pub(crate) mod deadlines;
pub(crate) mod either;
pub(crate) mod fields;
pub(crate) mod handler;
mod hears;
pub(crate) mod layers;
pub(crate) mod list;
pub(crate) mod methods;
pub(crate) mod parameters;
mod pattern;
pub(crate) mod rate;
pub(crate) mod router;
pub(crate) mod switch;
pub(crate) mod unrouted;
