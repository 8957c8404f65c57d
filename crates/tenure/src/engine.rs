//! Who serves a connection, and when.

pub(crate) mod buffer;
#[cfg(feature = "std")]
pub(crate) mod contain;
pub(crate) mod driver;
pub(crate) mod heap;
pub(crate) mod hear;
pub(crate) mod input;
pub(crate) mod interest;
pub(crate) mod lane;
pub(crate) mod output;
pub(crate) mod sleep;
pub(crate) mod spares;
pub(crate) mod state;
pub(crate) mod table;
pub(crate) mod waiters;
pub(crate) mod wire;
