//! One request and its answer.

pub(crate) mod body;
pub(crate) mod error;
pub(crate) mod failure;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod responder;
pub(crate) mod text;
