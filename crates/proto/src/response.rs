//! How a response head is written.
