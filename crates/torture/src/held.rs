//! What this process holds.

use std::fmt;

use crate::memory;

/// Descriptors and memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    descriptors: usize,
    bytes: usize,
}

impl Held {
    pub(crate) fn now() -> Result<Held, String> {
        let descriptors = std::fs::read_dir("/proc/self/fd").map_err(|error| format!("no /proc: {error}"))?.count();
        Ok(Held { descriptors, bytes: memory::held_bytes() })
    }

    /// Whether as much is held as before, to the byte.
    pub(crate) fn check(self, before: Held) -> Result<(), String> {
        if self.descriptors != before.descriptors || self.bytes != before.bytes {
            return Err(format!("{self} are held, {before} before"));
        }
        Ok(())
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} descriptors and {} bytes", self.descriptors, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_or_a_byte_is_a_fault() {
        let before = Held { descriptors: 5, bytes: 1_000 };
        for (descriptors, bytes, is_fault) in
            [(5, 1_000, false), (5, 1_001, true), (5, 999, true), (6, 1_000, true), (4, 1_000, true)]
        {
            let checked = Held { descriptors, bytes }.check(before);
            assert_eq!(checked.is_err(), is_fault, "{descriptors} {bytes}");
        }
    }

    #[test]
    fn what_is_held_is_counted() {
        let before = Held::now().unwrap();
        let kept = (Vec::<u8>::with_capacity(100_000_000), std::fs::File::open("/proc/self/stat").unwrap());
        let now = Held::now().unwrap();
        // Other tests hold something, too.
        assert!(now.bytes > before.bytes + 50_000_000 && now.check(before).is_err());
        drop(kept);
    }
}
