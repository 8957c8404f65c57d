//! Which files a folder has.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Error;

/// A file of a folder.
#[derive(Debug)]
pub(crate) struct Found {
    /// Below the folder, parted by `/`.
    pub(crate) path: String,
    /// Where it is.
    pub(crate) source: PathBuf,
}

/// All files of a folder in the order of their paths, byte by byte, and all folders.
pub(crate) fn files(folder: &Path) -> Result<(Vec<Found>, Vec<PathBuf>), Error> {
    let folder = folder.canonicalize().map_err(|_| Error::NoFolder(folder.to_owned()))?;
    if !folder.is_dir() {
        return Err(Error::NoFolder(folder));
    }
    let (mut files, mut folders) = (Vec::new(), vec![(folder.clone(), String::new())]);
    let mut at = 0;
    while let Some((here, prefix)) = folders.get(at).cloned() {
        at += 1;
        for entry in fs::read_dir(&here).map_err(|error| Error::Read(here.clone(), error))? {
            let source = entry.map_err(|error| Error::Read(here.clone(), error))?.path();
            let name = source.file_name().unwrap_or_default();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let Some(name) =
                name.to_str().filter(|name| !name.contains(|letter: char| letter.is_control() || letter == '\\'))
            else {
                return Err(Error::Path(source));
            };
            let path = format!("{prefix}{name}");
            let kind = fs::symlink_metadata(&source).map_err(|error| Error::Read(source.clone(), error))?;
            if kind.is_dir() {
                folders.push((source, path + "/"));
            } else if fs::metadata(&source).map_err(|error| Error::Read(source.clone(), error))?.is_file() {
                files.push(Found { path, source });
            } else {
                // A link to a folder may lead into itself.
                return Err(Error::Kind(source));
            }
        }
    }
    if files.is_empty() {
        return Err(Error::Empty(folder));
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok((files, folders.into_iter().map(|(folder, _)| folder).collect()))
}
