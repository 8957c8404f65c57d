pub(crate) use tenure_tokio as port;

/// What is allocated for a connection that comes and goes without a session: tokio's registration of the socket, and its list
/// of registrations to be dropped.
pub(crate) const ALLOCATED_FOR_A_CONNECTION: u64 = 2;
