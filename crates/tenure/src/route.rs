//! Who answers: handlers, their methods, and the routes that lead to them.

mod either;
pub(crate) mod handler;
mod hears;
pub(crate) mod layers;
mod list;
pub(crate) mod methods;
pub(crate) mod parameters;
mod pattern;
pub(crate) mod router;
pub(crate) mod switch;
pub(crate) mod unrouted;
