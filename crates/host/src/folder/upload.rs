//! How a folder takes files that clients send, on Unix.

use std::{
    fs::File,
    io::{self, ErrorKind, Write as _},
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, Mode, OFlags, linkat, openat, statat, unlinkat},
    io::Errno,
};
use tenure::{Error, StatusCode, files::Storage, sink::Sink};

use super::{
    Folder, MISSING, NO_THREAD,
    open::{Root, is_missing},
    pool::Pool,
};

/// A file that a client sends, until it is whole. It has a name that is not served; dropped, it is removed.
#[derive(Debug)]
pub struct Upload {
    draft: Option<Draft>,
    pool: Arc<Pool>,
}

/// A file under another name than its own.
#[derive(Debug)]
struct Draft {
    file: File,
    /// The folder that it is in.
    parent: OwnedFd,
    /// The name that it has meanwhile.
    meanwhile: String,
    name: String,
}

impl Draft {
    /// Begins a file.
    fn new(root: &Root<'_>, path: &str) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        let parent = root.folder_below(folder)?;
        // The body need not come for a name that is taken.
        match statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => return Err(ErrorKind::AlreadyExists.into()),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let meanwhile = format!(".upload-{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
            match openat(&parent, &meanwhile, flags, Mode::from_raw_mode(0o666)) {
                Ok(file) => return Ok(Draft { file: file.into(), parent, meanwhile, name: name.to_owned() }),
                // Of a process of the same number: one that was killed, or one of another container.
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gives it its name, unless that is taken.
    fn publish(&self) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            match renameat_with(&self.parent, &self.meanwhile, &self.parent, &self.name, RenameFlags::NOREPLACE) {
                // A file system that does not know this.
                Err(Errno::INVAL | Errno::NOSYS) => {}
                renamed => return Ok(renamed?),
            }
        }
        linkat(&self.parent, &self.meanwhile, &self.parent, &self.name, AtFlags::empty())?;
        self.remove();
        Ok(())
    }

    fn remove(&self) {
        if let Err(error) = unlinkat(&self.parent, &self.meanwhile, AtFlags::empty()) {
            log::warn!("the unfinished upload {} stays: {error}", self.meanwhile);
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(draft) = self.draft.take() {
            // It is done, although nobody waits for it.
            drop(self.pool.run(move || draft.remove()));
        }
    }
}

/// What is answered to an error of the system.
fn refused(path: &str, error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::AlreadyExists => Error::conflict("there is a file of that name: remove it first"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            const INSUFFICIENT_STORAGE: StatusCode = StatusCode::new(507).unwrap();
            Error::new(INSUFFICIENT_STORAGE, "there is no room for this file")
        }
        _ if is_missing(error) => Error::not_found("there is no such folder"),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::IsADirectory => {
            log::warn!("{path}: {error}");
            Error::new(StatusCode::FORBIDDEN, "this cannot be changed")
        }
        _ => {
            log::warn!("{path}: {error}");
            Error::unavailable("this cannot be written now")
        }
    }
}

const GIVEN_UP: Error = Error::internal("an upload has been given up");

impl Sink for Upload {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(draft) = self.draft.take() else { return Err(GIVEN_UP) };
        // Dropped meanwhile, the thread gives it back to be removed.
        let mut held = Upload { draft: Some(draft), pool: self.pool.clone() };
        let bytes = bytes.to_vec();
        let written = self.pool.run(move || {
            let written = held.draft.as_mut().map_or(Ok(()), |draft| draft.file.write_all(&bytes));
            (written.map_err(|error| refused("an upload", &error)), held)
        });
        let (written, mut held) = written.await.ok_or(NO_THREAD)?;
        self.draft = held.draft.take();
        written
    }

    /// Gives the file its name.
    async fn finish(&mut self) -> Result<(), Error> {
        let Some(draft) = self.draft.take() else { return Err(GIVEN_UP) };
        let finished = self.pool.run(move || {
            draft.publish().map_err(|error| {
                draft.remove();
                refused(&draft.name, &error)
            })
        });
        finished.await.ok_or(NO_THREAD)?
    }

    /// Removes it, before the client learns that it is not there.
    async fn abort(&mut self) {
        if let Some(draft) = self.draft.take() {
            self.pool.run(move || draft.remove()).await;
        }
    }
}

/// Files that are new get the permissions that the process gives them (umask). Folders are not made. Removing a link removes the link.
impl Storage for Folder {
    type Upload<'s> = Upload;

    async fn create(&self, path: &str) -> Result<Upload, Error> {
        let path = super::served(path).filter(|path| !path.ends_with('/') && !path.is_empty()).ok_or(MISSING)?;
        let (root, pool) = (self.root.clone(), self.pool.clone());
        // What is made is removed also where nobody waits for it any more.
        let made = self.pool.run(move || {
            let made = Root::open(&root).and_then(|root| Draft::new(&root, &path));
            made.map(|draft| Upload { draft: Some(draft), pool }).map_err(|error| refused(&path, &error))
        });
        made.await.ok_or(NO_THREAD)?
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        let path = super::served(path).filter(|path| !path.ends_with('/') && !path.is_empty()).ok_or(MISSING)?;
        let root = self.root.clone();
        let removed = self.pool.run(move || {
            let (folder, name) = path.rsplit_once('/').unwrap_or((".", &path));
            let remove = |root: Root<'_>| {
                let parent = root.folder_below(folder)?;
                if statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|kind| is_folder(&kind)) {
                    return Err(ErrorKind::IsADirectory.into());
                }
                Ok(unlinkat(&parent, name, AtFlags::empty())?)
            };
            Root::open(&root)
                .and_then(remove)
                .map_err(|error| if is_missing(&error) { MISSING } else { refused(&path, &error) })
        });
        removed.await.ok_or(NO_THREAD)?
    }
}

fn is_folder(kind: &rustix::fs::Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(kind.st_mode) == rustix::fs::FileType::Directory
}
