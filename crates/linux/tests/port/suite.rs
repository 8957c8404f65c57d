pub(crate) use tenure_linux as port;

/// What is allocated for a connection that comes and goes without a session.
pub(crate) const ALLOCATED_FOR_A_CONNECTION: u64 = 0;
