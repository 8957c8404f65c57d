//! How many files may be open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::failure::Why;

/// Open files beside the connections: standard ones, epoll, whatever the program has.
const BESIDE: u64 = 32;

/// Lets this process open so many files and a few more, raising its own limit as far as it is allowed. What it starts
/// inherits that.
///
/// # Errors
/// [`Why::TooManyFiles`] where the hard limit is below.
pub fn raise_descriptors(connections: u64) -> Result<(), Why> {
    let needed = connections.saturating_add(BESIDE);
    let limit = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    if enough(limit.current) {
        return Ok(());
    }
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    if !enough(limit.maximum) || setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).is_err() {
        return Err(Why::TooManyFiles { needed, allowed });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hard_limit_is_the_bound() {
        let Some(hard) = getrlimit(Resource::Nofile).maximum else { return };
        assert!(raise_descriptors(hard - BESIDE).is_ok());
        let refused = raise_descriptors(hard - BESIDE + 1);
        let Err(Why::TooManyFiles { needed, allowed }) = refused else { panic!("{refused:?}") };
        assert_eq!((needed, allowed), (hard + 1, hard));
        let said = Why::TooManyFiles { needed, allowed }.to_string();
        assert!(said.contains(&format!("ulimit -n {needed}")), "{said}");
    }
}
