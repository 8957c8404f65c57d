//! How long to wait before the next attempt.

/// The pause before the next attempt: it doubles with each failure, up to a bound, and is short again after a success.
///
/// # Examples
/// ```
/// use tenure_board_settings::Pause;
///
/// let mut pause = Pause::new();
/// assert_eq!((pause.next_s(), pause.next_s()), (1, 2));
/// pause.succeeded();
/// assert_eq!(pause.next_s(), 1);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pause {
    s: u64,
}

impl Pause {
    /// The first pause, in seconds.
    pub const FIRST_S: u64 = 1;
    /// The longest, in seconds: a person who has switched an access point on again does not want to wait for more.
    pub const LONGEST_S: u64 = 30;

    /// Nothing has failed yet.
    pub const fn new() -> Self {
        Pause { s: Self::FIRST_S }
    }

    /// An attempt has failed: how many seconds to wait now.
    pub fn next_s(&mut self) -> u64 {
        let now = self.s;
        self.s = (now * 2).min(Self::LONGEST_S);
        now
    }

    /// An attempt has succeeded.
    pub fn succeeded(&mut self) {
        *self = Pause::new();
    }
}

impl Default for Pause {
    fn default() -> Self {
        Pause::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Pause;

    #[test]
    fn grows_up_to_its_bound_and_is_short_after_a_success() {
        let mut pause = Pause::new();
        for s in [1, 2, 4, 8, 16, 30, 30] {
            assert_eq!(pause.next_s(), s);
        }
        pause.succeeded();
        assert_eq!((pause.next_s(), pause.next_s()), (1, 2));
    }
}
