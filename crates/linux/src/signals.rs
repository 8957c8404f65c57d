//! SIGTERM and SIGINT, for the first worker's epoll.

use std::{io::Read, os::unix::net::UnixStream};

use signal_hook::{
    SigId,
    consts::{SIGINT, SIGTERM},
    low_level,
};

use crate::Error;

/// Hears signals until it is dropped: each writes a byte that a worker's epoll reports. No thread is needed.
#[derive(Debug)]
pub(crate) struct Signals {
    pub(crate) heard: UnixStream,
    registered: Vec<SigId>,
}

impl Drop for Signals {
    fn drop(&mut self) {
        for &id in &self.registered {
            low_level::unregister(id);
        }
    }
}

impl Signals {
    pub(crate) fn new() -> Result<Self, Error> {
        let system = |error| Error::System("signals cannot be listened for", error);
        let (heard, told) = UnixStream::pair().map_err(system)?;
        heard.set_nonblocking(true).map_err(system)?;
        told.set_nonblocking(true).map_err(system)?;
        let mut signals = Signals { heard, registered: Vec::new() };
        for signal in [SIGTERM, SIGINT] {
            let told = told.try_clone().map_err(system)?;
            signals.registered.push(low_level::pipe::register(signal, told).map_err(system)?);
        }
        Ok(signals)
    }

    /// How many have come since the last call.
    pub(crate) fn take(&self) -> usize {
        (&self.heard).read(&mut [0; 64]).unwrap_or(0)
    }
}
