//! What has changed since it was last looked at.

/// A value that is told once: when it is new.
#[derive(Clone, Copy, Debug, Default)]
pub struct News<T> {
    last: Option<T>,
}

impl<T: Copy + PartialEq> News<T> {
    /// Nothing has been told yet.
    pub const fn new() -> Self {
        News { last: None }
    }

    /// The value as it is now, where that is something else than the last time. A value that went away and came back is new.
    pub fn look(&mut self, now: Option<T>) -> Option<T> {
        if now == self.last {
            return None;
        }
        self.last = now;
        now
    }
}

#[cfg(test)]
mod tests {
    use super::News;

    #[test]
    fn a_value_is_told_once_and_again_after_it_has_changed_or_was_away() {
        let mut news = News::new();
        for (now, told) in [
            (None, None),
            (Some(1), Some(1)),
            (Some(1), None),
            (Some(2), Some(2)),
            (None, None),
            (None, None),
            (Some(2), Some(2)),
        ] {
            assert_eq!(news.look(now), told, "{now:?}");
        }
    }
}
