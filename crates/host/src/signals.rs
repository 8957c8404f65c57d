//! Unix's signals that ask a server to stop.

use std::{io::Read, os::unix::net::UnixStream, thread};

use signal_hook::{
    SigId,
    consts::{SIGINT, SIGTERM},
    low_level::{pipe, unregister},
};

use crate::Error;

/// Hears SIGTERM and SIGINT until it is dropped, in a thread: no worker that is stuck or gone keeps the others from it.
#[derive(Debug)]
pub(crate) struct Signals(Vec<SigId>);

impl Signals {
    pub(crate) fn new(mut obey: impl FnMut() + Send + 'static) -> Result<Self, Error> {
        let system = |error| Error::System("signals cannot be listened for", error);
        // All that a signal's handler may do is to write a byte, and it must never block.
        let (mut heard, told) = UnixStream::pair().map_err(system)?;
        told.set_nonblocking(true).map_err(system)?;
        let mut signals = Signals(Vec::new());
        for signal in [SIGTERM, SIGINT] {
            let told = told.try_clone().map_err(system)?;
            signals.0.push(pipe::register(signal, told).map_err(system)?);
        }
        let hear = move || {
            while heard.read_exact(&mut [0]).is_ok() {
                obey();
            }
        };
        thread::Builder::new().name("tenure-signals".to_owned()).spawn(hear).map_err(system)?;
        Ok(signals)
    }
}

/// The thread ends with the handlers, which have the other end of its pair.
impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.0.drain(..) {
            unregister(id);
        }
    }
}
