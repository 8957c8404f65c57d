//! Routes that are switched off and on while the server runs.

// Plain loads and stores are native everywhere.
use core::sync::atomic::{AtomicBool, Ordering};

/// Whether a route is there. Shared by reference, usually a `static`; see [`Methods::when`](crate::Methods::when), and the
/// repository's example `routes`.
#[doc(alias("httpd_unregister_uri_handler", "httpd_unregister_uri"))]
#[derive(Debug)]
pub struct Switch(AtomicBool);

impl Switch {
    /// A switch that is on.
    pub const fn on() -> Self {
        Switch(AtomicBool::new(true))
    }

    /// A switch that is off.
    pub const fn off() -> Self {
        Switch(AtomicBool::new(false))
    }

    /// Switches. Requests whose head comes later see it; those at work go on.
    pub fn set(&self, on: bool) {
        self.0.store(on, Ordering::Release);
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
