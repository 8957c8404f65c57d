//! What a port is to its server.

use std::future::Future;

use crate::{Error, Listening, Service, Settings};

/// What a port is to its server.
pub trait Platform: 'static {
    /// Whether workers can go on without sleep ([`Settings::spin`]).
    const SPINS: bool;

    /// Descriptors that each worker takes beside its connections.
    fn descriptors_per_worker(settings: &Settings) -> u64;

    /// Serves as the worker of that number until the server is stopped.
    ///
    /// # Errors
    /// What the operating system refuses.
    fn run<A: Service>(server: &Listening, number: usize, service: A) -> Result<(), Error>;

    /// Calls `hear` whenever Ctrl-C is pressed, from a thread of its own.
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
    /// Where it is dropped every session is ended.
    fn serve<A: Service>(server: &Listening, number: usize, service: A) -> impl Future<Output = Result<(), Error>>;
}
