//! Numbers that follow from a seed alone (xorshift).

#[derive(Clone, Debug)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Numbers(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// The next one below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 32) as usize % bound
    }

    /// Whether something happens that does once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// Numbers for somebody else: however many they draw, those drawn here stay the same.
    pub(crate) fn branch(&mut self) -> Numbers {
        Numbers::new(self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_its_numbers_whatever_a_branch_draws() {
        let drawn = |seed, branch_draws: usize| -> Vec<usize> {
            let mut numbers = Numbers::new(seed);
            let mut branch = numbers.branch();
            (0..branch_draws).for_each(|_| assert!(branch.below(10) < 10));
            (0..20).map(|_| numbers.below(1_000)).collect()
        };
        assert_eq!(drawn(7, 0), drawn(7, 5));
        assert_ne!(drawn(7, 0), drawn(8, 0));
    }
}
