//! One request and its answer.

pub(crate) mod body;
pub(crate) mod error;
#[cfg(feature = "serde")]
mod extract;
pub(crate) mod failure;
pub(crate) mod fields;
#[cfg(feature = "json")]
pub mod json;
pub(crate) mod multipart;
pub(crate) mod reasons;
#[cfg(feature = "alloc")]
pub(crate) mod rendered;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod responder;
pub(crate) mod text;
#[cfg(feature = "serde")]
pub(crate) mod values;
