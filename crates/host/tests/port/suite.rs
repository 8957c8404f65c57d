#[path = "poll.rs"]
pub(crate) mod port;
