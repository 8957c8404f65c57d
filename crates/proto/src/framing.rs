//! Where a request body ends: RFC 9112 section 6.

/// How the bytes after a request head are delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No body follows.
    Empty,
    /// Exactly this many bytes follow, at least one.
    Length(u64),
    /// Chunks follow, up to and including the zero-length one and its trailer section.
    Chunked,
}
