//! Why a server does not start.

use std::{fmt, io, net::SocketAddr, path::PathBuf};

/// Why a server does not start, or ended. Its `Debug` is its text: that is what a person reads when `main` returns it.
#[non_exhaustive]
pub enum Error {
    /// An invalid setting, or two that contradict each other: which, and what to do.
    Settings(&'static str),
    /// Something listens at that address already.
    AddressInUse(SocketAddr),
    /// That address cannot be listened at.
    Bind(SocketAddr, io::Error),
    /// That folder cannot be served.
    Folder(PathBuf, io::Error),
    /// The operating system refused what a server needs: what, and why.
    System(&'static str, io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Settings(reason) => f.write_str(reason),
            Error::AddressInUse(address) => {
                write!(f, "{address} is in use: another program listens there; stop it, or choose another port")
            }
            Error::Bind(address, error) => write!(f, "cannot listen at {address}: {error}"),
            Error::Folder(path, error) => {
                write!(f, "cannot serve the folder {}: {error}", path.display())?;
                match std::env::current_dir() {
                    Ok(here) if path.is_relative() => write!(f, "; its path is relative to {}", here.display()),
                    _ => Ok(()),
                }
            }
            Error::System(what, error) => write!(f, "{what}: {error}"),
        }
    }
}

/// Rust prints this when `main` returns an error: the person who reads it needs the text, not the variant.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Bind(_, error) | Error::Folder(_, error) | Error::System(_, error) => Some(error),
            Error::Settings(_) | Error::AddressInUse(_) => None,
        }
    }
}
