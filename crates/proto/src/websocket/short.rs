//! A few bytes in an array.

/// Up to `N` bytes, at most 255 of which are in use.
#[derive(Clone, Copy, Debug)]
pub struct ShortBytes<const N: usize> {
    bytes: [u8; N],
    length: u8,
}

impl<const N: usize> ShortBytes<N> {
    /// None yet.
    pub(super) const fn new() -> Self {
        ShortBytes { bytes: [0; N], length: 0 }
    }

    /// These, of which the first `length` are in use.
    #[inline]
    pub(super) const fn of(bytes: [u8; N], length: u8) -> Self {
        ShortBytes { bytes, length }
    }

    /// Adds bytes; what has no room is left out.
    pub(super) fn push(&mut self, more: &[u8]) {
        let room = self.bytes.get_mut(usize::from(self.length)..).unwrap_or_default();
        let count = room.len().min(more.len()).min(usize::from(u8::MAX - self.length));
        for (to, from) in room.iter_mut().zip(more).take(count) {
            *to = *from;
        }
        self.length += count as u8;
    }

    /// The bytes in use.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl<const N: usize> AsRef<[u8]> for ShortBytes<N> {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl<const N: usize> PartialEq for ShortBytes<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl<const N: usize> Eq for ShortBytes<N> {}
