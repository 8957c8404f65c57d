//! Texts that stand one behind the other, in less memory than a reference to each would take.

pub(crate) struct Texts {
    pub(crate) all: &'static str,
    /// The length of each.
    pub(crate) lengths: &'static [u8],
}

impl Texts {
    /// The text of that index; empty where there is none.
    #[inline(never)]
    pub(crate) fn nth(&self, index: usize) -> &'static str {
        let mut start = 0;
        for (number, &length) in self.lengths.iter().enumerate() {
            let end = start + usize::from(length);
            if number == index {
                return self.all.get(start..end).unwrap_or_default();
            }
            start = end;
        }
        ""
    }
}

/// The texts as [`Texts`].
macro_rules! texts {
    ($($text:literal),*) => {
        crate::texts::Texts { all: concat!($($text),*), lengths: &[$($text.len() as u8),*] }
    };
}
pub(crate) use texts;
