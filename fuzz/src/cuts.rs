//! Where bytes are cut into pieces.

/// Numbers that follow from a seed alone (xorshift).
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The numbers of that seed.
    pub fn new(seed: u64) -> Self {
        Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next one below `bound`; 0 where that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) as usize).checked_rem(bound).unwrap_or(0)
    }
}

/// Ends of pieces of so many bytes, all of them, ascending: many small pieces, or few of any size.
pub fn ends(bytes: usize, seed: u64) -> impl Iterator<Item = usize> {
    let mut numbers = Numbers::new(seed);
    let piece_max = [1, 4, 32, bytes][numbers.below(4)];
    let mut at = 0;
    std::iter::from_fn(move || {
        (at < bytes).then(|| {
            at += 1 + numbers.below(piece_max.min(bytes - at));
            at
        })
    })
}
