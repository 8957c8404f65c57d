//! Why a folder is not embedded.

use std::{fmt, io, path::PathBuf};

/// Why a folder is not embedded. Its `Debug` is its text: that is what a person reads when `main` returns it.
#[non_exhaustive]
pub enum Error {
    /// Cargo's variable of that name is not set.
    NoBuildScript(&'static str),
    /// The folder is not there, or is none.
    NoFolder(PathBuf),
    /// The folder has no files.
    Empty(PathBuf),
    /// A static cannot have that name.
    Name(String),
    /// The fallback is not in the folder.
    NoFallback {
        /// The folder.
        folder: PathBuf,
        /// Which file is missing.
        fallback: String,
    },
    /// The path of a file is not UTF-8, or has a backslash or a control character.
    Path(PathBuf),
    /// A link to a folder, or something that is neither a file nor a folder.
    Kind(PathBuf),
    /// It cannot be read.
    Read(PathBuf, io::Error),
    /// It cannot be written.
    Write(PathBuf, io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoBuildScript(variable) => {
                write!(f, "{variable} is not set: this is for build scripts; elsewhere, use Embed::write_below")
            }
            Error::NoFolder(path) => {
                write!(f, "{} is no folder: give its path relative to the package's Cargo.toml", path.display())
            }
            Error::Empty(path) => {
                write!(
                    f,
                    "{} has no files to embed: has what makes them been run? Dotfiles are left out",
                    path.display()
                )
            }
            Error::Name(name) => {
                write!(f, "{name:?} cannot name a static: use Embed::name, with capital letters, digits and _")
            }
            Error::NoFallback { folder, fallback } => {
                write!(f, "the fallback {fallback:?} is no file in {}: give its path below that", folder.display())
            }
            Error::Path(path) => {
                write!(
                    f,
                    "{}: no target leads to such a name: it must be UTF-8, without \\ and controls",
                    path.display()
                )
            }
            Error::Kind(path) => {
                write!(f, "{} is neither a file nor a folder: links may lead to files alone", path.display())
            }
            Error::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Error::Write(path, error) => write!(f, "cannot write {}: {error}", path.display()),
        }
    }
}

/// Cargo prints this when a build script's `main` returns an error: the person who reads it needs the text, not the variant.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Read(_, error) | Error::Write(_, error) => Some(error),
            _ => None,
        }
    }
}
