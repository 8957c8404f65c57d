//! The mask of a client's frames: RFC 6455 section 5.3.

/// What is left to apply of a frame's masking key: which of its four bytes comes next is part of it, so a payload may
/// come in any pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    /// The byte that comes next is the lowest one.
    key: u32,
}

const HIGHEST: u64 = u64::from_le_bytes([0x80; 8]);

impl Mask {
    /// The mask of that key, before the first byte of the payload.
    #[inline]
    pub const fn new(key: [u8; 4]) -> Self {
        Mask { key: u32::from_le_bytes(key) }
    }

    /// Takes the mask off the next bytes of the payload (or puts it on, which is the same), and returns whether what
    /// comes out is ASCII throughout.
    #[inline]
    pub fn apply(&mut self, bytes: &mut [u8]) -> bool {
        let key = u64::from(self.key);
        let wide = key << 32 | key;
        let mut seen = 0;
        let length = bytes.len();
        let (words, rest) = bytes.as_chunks_mut::<8>();
        for word in words {
            let plain = u64::from_le_bytes(*word) ^ wide;
            seen |= plain;
            *word = plain.to_le_bytes();
        }
        for (byte, key) in rest.iter_mut().zip(wide.to_le_bytes()) {
            *byte ^= key;
            seen |= u64::from(*byte);
        }
        self.key = self.key.rotate_right(8 * (length as u32 & 3));
        seen & HIGHEST == 0
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::{vec, vec::Vec};

    /// RFC 6455 section 5.3, byte by byte.
    fn plain(key: [u8; 4], bytes: &[u8]) -> Vec<u8> {
        bytes.iter().enumerate().map(|(index, byte)| byte ^ key[index % 4]).collect()
    }

    #[test]
    fn one_byte_that_is_not_ascii_is_seen_wherever_it_stands() {
        for length in 0..20 {
            let mut bytes = vec![0_u8; length];
            assert!(Mask::new([0x41; 4]).apply(&mut bytes), "{length}");
            for at in 0..length {
                let mut bytes = vec![0; length];
                bytes[at] = 0x80;
                assert!(!Mask::new([0x41; 4]).apply(&mut bytes), "{at} of {length}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_pieces_are_unmasked_as_the_whole(
            key: [u8; 4], bytes in prop::collection::vec(any::<u8>(), 0..64), cuts in prop::collection::vec(0..20_usize, 0..8)
        ) {
            let wanted = plain(key, &bytes);
            let (mut masked, mut mask) = (bytes.clone(), Mask::new(key));
            let mut rest = &mut masked[..];
            let mut is_ascii = true;
            for cut in cuts {
                let (front, behind) = rest.split_at_mut(cut.min(rest.len()));
                is_ascii &= mask.apply(front);
                rest = behind;
            }
            is_ascii &= mask.apply(rest);
            prop_assert_eq!(is_ascii, wanted.is_ascii());
            prop_assert_eq!(masked, wanted);
        }
    }
}
