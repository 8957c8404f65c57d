//! The bytes of a lane: static memory on a board, from the heap on a host.

use core::{fmt, ops};

/// A buffer that a lane owns.
pub struct Buffer(Repr);

// Both variants keep pointer and length in the same places, so access needs no branch.
enum Repr {
    Borrowed(&'static mut [u8]),
    #[cfg(feature = "alloc")]
    Owned(alloc::boxed::Box<[u8]>),
}

impl From<&'static mut [u8]> for Buffer {
    fn from(bytes: &'static mut [u8]) -> Self {
        Buffer(Repr::Borrowed(bytes))
    }
}

#[cfg(feature = "alloc")]
impl Buffer {
    /// A buffer of that many bytes from the heap.
    pub fn with_bytes(bytes: usize) -> Self {
        Buffer(Repr::Owned(alloc::vec![0; bytes].into_boxed_slice()))
    }
}

/// An empty buffer.
#[cfg(feature = "alloc")]
impl Default for Buffer {
    fn default() -> Self {
        Buffer(Repr::Borrowed(&mut []))
    }
}

impl ops::Deref for Buffer {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Borrowed(bytes) => bytes,
            #[cfg(feature = "alloc")]
            Repr::Owned(bytes) => bytes,
        }
    }
}

impl ops::DerefMut for Buffer {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Repr::Borrowed(bytes) => bytes,
            #[cfg(feature = "alloc")]
            Repr::Owned(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.len())
    }
}
