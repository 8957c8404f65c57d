//! Unix's signals that ask a server to stop.

use std::{
    fs,
    io::Read,
    os::unix::net::UnixStream,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use signal_hook::{
    SigId,
    consts::{SIGINT, SIGTERM},
    flag::register_conditional_default,
    low_level::{pipe, unregister},
};

use crate::Error;

const SIGNALS: [i32; 2] = [SIGTERM, SIGINT];

/// No server hears signals any more: they have their previous effect.
static AS_BEFORE: AtomicBool = AtomicBool::new(false);
/// How many servers hear signals.
static HEARING: Mutex<Hearing> = Mutex::new(Hearing { servers: 0, is_prepared: false });

struct Hearing {
    servers: usize,
    is_prepared: bool,
}

/// Hears SIGTERM and SIGINT in a thread until it is dropped, so that a stuck worker does not keep them from the others.
#[derive(Debug)]
pub(crate) struct Signals(Vec<SigId>);

impl Signals {
    pub(crate) fn new(mut obey: impl FnMut() + Send + 'static) -> Result<Self, Error> {
        let system = |error| Error::System("signals cannot be listened for", error);
        // A signal handler may only write a byte, and must never block.
        let (mut heard, told) = UnixStream::pair().map_err(system)?;
        told.set_nonblocking(true).map_err(system)?;
        {
            let mut hearing = HEARING.lock().unwrap_or_else(PoisonError::into_inner);
            if !hearing.is_prepared {
                // A handler, once set, cannot be removed, and calls the previous one first. So it emulates the default action.
                for signal in SIGNALS.into_iter().filter(|&signal| is_default(signal)) {
                    register_conditional_default(signal, &AS_BEFORE).map_err(system)?;
                }
                hearing.is_prepared = true;
            }
            hearing.servers += 1;
            AS_BEFORE.store(false, Ordering::SeqCst);
        }
        let mut signals = Signals(Vec::new());
        for signal in SIGNALS {
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

/// Unregistering drops the other end of the thread's pair, which ends the thread.
impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.0.drain(..) {
            unregister(id);
        }
        let mut hearing = HEARING.lock().unwrap_or_else(PoisonError::into_inner);
        hearing.servers -= 1;
        AS_BEFORE.store(hearing.servers == 0, Ordering::SeqCst);
    }
}

/// Whether a signal is neither ignored nor handled (proc(5), `SigIgn` and `SigCgt`); true on systems that do not tell.
fn is_default(signal: i32) -> bool {
    fs::read_to_string("/proc/self/status").map_or(true, |status| is_default_by(&status, signal))
}

fn is_default_by(status: &str, signal: i32) -> bool {
    !["SigIgn:", "SigCgt:"].iter().any(|name| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_of_signals() {
        for (ignored, caught, int, term) in
            [("0", "0", true, true), ("2", "0", false, true), ("0", "4000", true, false), ("4002", "1", false, false)]
        {
            let status = format!("Name:\ttenure\nSigBlk:\tffff\nSigIgn:\t{ignored:0>16}\nSigCgt:\t{caught:0>16}\n");
            assert_eq!([SIGINT, SIGTERM].map(|signal| is_default_by(&status, signal)), [int, term], "{status}");
        }
        assert!(is_default_by("", SIGINT));
    }
}
