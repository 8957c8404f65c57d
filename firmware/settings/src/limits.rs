//! Limits of a request that depend on each other.

use core::fmt;

/// A request's target is allowed more bytes than the head that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetBeyondHead {
    head_bytes_max: u32,
}

impl fmt::Display for TargetBeyondHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "TENURE_BOARD_CONFIG_TARGET_BYTES_MAX is more than a head may have: write at most {}, or more into \
             TENURE_BOARD_CONFIG_HEAD_BYTES_MAX",
            self.head_bytes_max
        )
    }
}

impl core::error::Error for TargetBeyondHead {}

/// Looks at the limits of a request's head and of its target.
///
/// # Errors
/// When the target's is more than the head's: it could never be reached.
pub fn limits(head_bytes_max: u32, target_bytes_max: u32) -> Result<(), TargetBeyondHead> {
    if target_bytes_max > head_bytes_max { Err(TargetBeyondHead { head_bytes_max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::limits;

    #[test]
    fn a_target_is_part_of_a_head() {
        assert_eq!(limits(1_024, 1_023), Ok(()));
        assert_eq!(limits(1_024, 1_024), Ok(()));
        let error = limits(1_024, 1_025).expect_err("more than a head");
        assert!(error.to_string().contains("at most 1024, or more into TENURE_BOARD_CONFIG_HEAD_BYTES_MAX"), "{error}");
    }
}
