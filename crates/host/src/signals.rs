//! What signals ask of a server.

use crate::Handle;

/// The signals so far that ask a server to stop: the first stops it, the second ends it at once.
#[derive(Debug, Default)]
pub struct Signalled(usize);

impl Signalled {
    /// So many more have come.
    pub fn add(&mut self, more: usize, handle: &Handle) {
        if self.0 == 0 && more > 0 {
            log::info!("stopping, as a signal asks: exchanges at work finish; a second signal ends them");
            handle.stop();
        }
        self.0 += more;
        if more > 0 && self.0 > 1 {
            log::warn!("ending at once, as a second signal asks");
            handle.stop_now();
        }
    }
}
