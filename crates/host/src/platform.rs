//! What a port is to its server.

use std::future::Future;

use crate::{Error, Listening, Service, Settings};

/// What a port is to its server.
pub trait Platform: 'static {
    /// Whether workers can poll instead of sleeping ([`Settings::spin_us`]).
    const SPINS: bool;

    /// Descriptors per worker, besides its connections.
    fn descriptors_per_worker(settings: &Settings) -> u64;

    /// Serves as the worker of that number until the server is stopped.
    ///
    /// # Errors
    /// What the operating system refuses.
    fn run<A: Service>(server: &Listening, number: usize, service: A) -> Result<(), Error>;

    /// Calls `hear` from a thread of its own whenever Ctrl-C is pressed.
    ///
    /// # Errors
    /// What the operating system refuses.
    #[cfg(not(unix))]
    fn hear_interrupts(hear: impl FnMut() + Send + 'static) -> Result<(), Error>;
}

/// A port whose workers may be tasks of the application's own runtime.
pub trait TaskPlatform: Platform {
    /// Serves as the worker of that number until the server is stopped.
    ///
    /// # Cancellation safety
    /// If it is dropped, every session ends.
    fn serve<A: Service>(server: &Listening, number: usize, service: A) -> impl Future<Output = Result<(), Error>>;
}
