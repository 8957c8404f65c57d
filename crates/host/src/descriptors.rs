//! The limit of open files.

use std::io;

use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use crate::{Error, Settings};

/// Descriptors left for standard streams and the application.
const OTHERS: u64 = 64;

/// Raises the soft limit of descriptors to the hard one, and lowers `connections_max` to what that allows besides the listening
/// sockets and `per_worker` descriptors for each worker.
pub(crate) fn reserve(settings: &mut Settings, per_worker: u64) -> Result<(), Error> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    let Some(descriptors) = getrlimit(Resource::Nofile).current else { return Ok(()) };
    let listeners = (settings.addresses.len() + settings.listeners.len()) as u64;
    let threads = u64::from(settings.threads());
    let room = descriptors.checked_sub(OTHERS + listeners + threads * per_worker).filter(|&room| room >= threads);
    let Some(room) = room else {
        let error = io::Error::from(Errno::MFILE);
        return Err(Error::System("the limit of open files is too low for a server: raise it with `ulimit -n`", error));
    };
    let room = u32::try_from(room).unwrap_or(u32::MAX);
    if settings.connections_max > room {
        log::warn!(
            "connections_max is lowered from {} to {room}: the limit of open files is {descriptors}; raise it with `ulimit -n`",
            settings.connections_max
        );
        settings.connections_max = room;
    }
    Ok(())
}
