//! Who serves a connection, and when.

pub(crate) mod buffer;
pub(crate) mod driver;
pub(crate) mod lane;
pub(crate) mod output;
pub(crate) mod table;
pub(crate) mod wire;
