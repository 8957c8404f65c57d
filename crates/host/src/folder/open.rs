//! How a file of a folder is found, opened and read: on threads that may wait.

use std::{
    fs::{File, Metadata},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
};

use tenure::files::{AcceptEncoding, Coding, media};

use super::{Entry, since_1970};

/// The page of a folder.
const INDEX: &str = "index.html";

/// What a request asks for.
pub(crate) struct Wanted {
    pub(crate) root: Arc<Path>,
    /// Below the root; checked.
    pub(crate) path: String,
    /// The path of the target ends with a slash.
    pub(crate) has_slash: bool,
    /// What is served where there is nothing.
    pub(crate) fallback: Option<String>,
    pub(crate) accepted: AcceptEncoding,
}

/// What there is.
#[derive(Debug)]
pub(crate) enum Found {
    File(Opened),
    /// A folder that has a page, asked for without its slash.
    Folder,
}

/// A file, open.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    /// The path below the root of the file as it is not packed.
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// Seconds and nanoseconds since 1970.
    pub(crate) changed: (u64, u32),
    /// That is when its content was last changed.
    pub(crate) is_dated: bool,
    pub(crate) coding: Coding,
    /// There are several variants.
    pub(crate) varies: bool,
}

/// Times of change before the second day of 1980, where FAT begins, are made up.
const DATES_BEGIN: u64 = 315_619_200;

impl Wanted {
    /// Finds it.
    ///
    /// # Errors
    /// `None`: there is nothing that is served.
    pub(crate) fn find(&self) -> Result<Found, Option<io::Error>> {
        self.find_below(&Root::open(&self.root)?)
    }

    /// The same without waiting for a disk. `None`: only who waits can tell.
    #[cfg(target_os = "linux")]
    pub(crate) fn find_now(&self) -> Option<Result<Found, Option<io::Error>>> {
        let found = self.find_below(&Root::open_now(&self.root)?);
        // What has gone wrong, and is logged, may have been that alone.
        (!matches!(found, Err(Some(_)))).then_some(found)
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn find_now(&self) -> Option<Result<Found, Option<io::Error>>> {
        None
    }

    fn find_below(&self, root: &Root<'_>) -> Result<Found, Option<io::Error>> {
        if self.path.is_empty() || self.path.ends_with('/') {
            let name = format!("{}{INDEX}", self.path);
            if let Some(file) = root.file(&name)? {
                return if self.has_slash { self.opened(root, name, file) } else { Ok(Found::Folder) };
            }
        } else {
            match root.open_below(&self.path)? {
                Some((file, kind)) if kind.is_file() => {
                    let name = self.path.clone();
                    return self.opened(root, name, (file, kind));
                }
                Some((_, kind)) if kind.is_dir() && root.file(&format!("{}/{INDEX}", self.path))?.is_some() => {
                    return Ok(Found::Folder);
                }
                _ => {}
            }
        }
        let Some(name) = self.fallback.clone() else { return Err(None) };
        let file = root.file(&name)?.ok_or(None)?;
        self.opened(root, name, file)
    }

    /// A file that is there, or the best of its packed variants.
    fn opened(&self, root: &Root, name: String, (file, kind): (File, Metadata)) -> Result<Found, Option<io::Error>> {
        let variant = |coding: Coding, extension| -> Result<_, Option<io::Error>> {
            let is_tried = media::is_compressible(media::content_type(&name));
            let file = if is_tried { root.file(&format!("{name}.{extension}"))? } else { None };
            Ok(file.map(|(file, kind)| (coding, file, kind)))
        };
        let (gzip, brotli) = (variant(Coding::Gzip, "gz")?, variant(Coding::Brotli, "br")?);
        let varies = gzip.is_some() || brotli.is_some();
        let best = self.accepted.choose(|coding| match coding {
            Coding::Identity => true,
            Coding::Gzip => gzip.is_some(),
            Coding::Brotli => brotli.is_some(),
        });
        let best = [gzip, brotli].into_iter().flatten().find(|(coding, ..)| Some(*coding) == best);
        let (coding, file, kind) = best.unwrap_or((Coding::Identity, file, kind));
        let modified = since_1970(kind.modified()?);
        let is_dated = modified.0 >= DATES_BEGIN;
        let changed = if is_dated { modified } else { put_there(&kind).unwrap_or(modified) };
        Ok(Found::File(Opened { file, name, bytes: kind.len(), changed, is_dated, coding, varies }))
    }
}

/// When a file's entry was last changed, which nobody can set.
#[cfg(unix)]
fn put_there(kind: &Metadata) -> Option<(u64, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((u64::try_from(kind.ctime()).ok()?, u32::try_from(kind.ctime_nsec()).ok()?))
}

#[cfg(not(unix))]
fn put_there(kind: &Metadata) -> Option<(u64, u32)> {
    kind.created().ok().map(since_1970)
}

/// An error that says that there is nothing, not that something went wrong.
pub(super) fn is_missing(error: &io::Error) -> bool {
    let is_link_out = || {
        #[cfg(unix)]
        {
            use rustix::io::Errno;
            // Out of the folder; too many links; a socket.
            let errors = [Errno::XDEV, Errno::LOOP, Errno::NXIO, Errno::NODEV];
            error.raw_os_error().is_some_and(|number| errors.iter().any(|error| error.raw_os_error() == number))
        }
        #[cfg(not(unix))]
        false
    };
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename | ErrorKind::InvalidInput
    ) || is_link_out()
}

/// How often a file is opened anew because something has been renamed meanwhile.
#[cfg(any(target_os = "linux", target_os = "android"))]
const TRIES: u32 = 32;

/// The folder, open where the system lets files be opened below it.
pub(super) struct Root<'p> {
    path: &'p Path,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    folder: rustix::fd::OwnedFd,
    /// Nothing may wait for a disk: what the kernel does not know by heart is `WouldBlock`.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    is_now: bool,
}

/// File systems that open a file at once whose name the kernel knows (statfs(2)): those of this machine. Of others, FUSE or NFS for one,
/// opening asks somebody else.
#[cfg(target_os = "linux")]
const LOCAL: [i64; 12] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    0xf2f5_2010, // F2FS
    0xca45_1a4e, // bcachefs
    0x2fc1_2fc1, // ZFS
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    0x794c_7630, // overlayfs
    0x7371_7368, // SquashFS
    0xe0f5_e1e2, // EROFS
    0x4d44,      // FAT
];

/// Whether files there may be opened by who must not wait.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_local(_: &Path) -> bool {
    false
}

/// Whether files there may be opened by who must not wait.
#[cfg(target_os = "linux")]
pub(super) fn is_local(path: &Path) -> bool {
    // As wide as the system has it.
    rustix::fs::statfs(path).is_ok_and(|kind| LOCAL.iter().any(|&local| kind.f_type == local as _))
}

impl<'p> Root<'p> {
    pub(super) fn open(path: &'p Path) -> io::Result<Self> {
        Ok(Root {
            path,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            folder: {
                use rustix::fs::{Mode, OFlags, open};
                open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?
            },
            #[cfg(any(target_os = "linux", target_os = "android"))]
            is_now: false,
        })
    }

    /// The same for who must not wait. `None`: the kernel does not know it by heart, or is older than 5.12.
    #[cfg(target_os = "linux")]
    fn open_now(path: &'p Path) -> Option<Self> {
        use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED).ok()?;
        Some(Root { path, folder, is_now: true })
    }

    /// The regular file at that path.
    fn file(&self, path: &str) -> io::Result<Option<(File, Metadata)>> {
        Ok(self.open_below(path)?.filter(|(_, kind)| kind.is_file()))
    }

    /// What there is at that path, which leads nowhere out of the folder. `None`: nothing that could be served.
    fn open_below(&self, path: &str) -> io::Result<Option<(File, Metadata)>> {
        match self.try_open(path).and_then(|file| Ok((file.metadata()?, file))) {
            Ok((kind, file)) => Ok(Some((file, kind))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn try_open(&self, path: &str) -> io::Result<File> {
        use rustix::fs::OFlags;
        // Without NONBLOCK a FIFO would wait for a writer.
        let opened = self.open_beneath(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        opened.map_or_else(|| self.open_resolved(path), |file| Ok(File::from(file)))
    }

    /// Lets the kernel keep the path below the folder. `None`: it cannot.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn open_beneath(&self, path: &str, flags: rustix::fs::OFlags) -> io::Result<Option<rustix::fd::OwnedFd>> {
        use rustix::{
            fs::{Mode, OFlags, ResolveFlags, openat2},
            io::Errno,
        };
        let flags = flags | OFlags::CLOEXEC;
        let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        if self.is_now {
            // What is mounted below may be another kind of file system.
            resolve |= ResolveFlags::CACHED | ResolveFlags::NO_XDEV;
            return openat2(&self.folder, path, flags, Mode::empty(), resolve).map(Some).map_err(|error| match error {
                Errno::XDEV | Errno::NOSYS | Errno::PERM => ErrorKind::WouldBlock.into(),
                error => error.into(),
            });
        }
        for _ in 0..TRIES {
            match openat2(&self.folder, path, flags, Mode::empty(), resolve) {
                Ok(file) => return Ok(Some(file)),
                // A rename elsewhere has disturbed the look for `..` of a link.
                Err(Errno::AGAIN | Errno::INTR) => {}
                // An old kernel, or a sandbox that does not know the call.
                Err(Errno::NOSYS | Errno::PERM) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Err(ErrorKind::NotFound.into())
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn try_open(&self, path: &str) -> io::Result<File> {
        self.open_resolved(path)
    }

    /// A folder below this one, or this one, `.`, to work in.
    #[cfg(unix)]
    pub(super) fn folder_below(&self, path: &str) -> io::Result<rustix::fd::OwnedFd> {
        use rustix::fs::{Mode, OFlags, open};
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(folder) = self.open_beneath(path, OFlags::PATH | OFlags::DIRECTORY)? {
            return Ok(folder);
        }
        Ok(open(self.resolved(path)?, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// Resolves all links first, and looks where they lead.
    fn resolved(&self, path: &str) -> io::Result<PathBuf> {
        let missing = || io::Error::from(ErrorKind::NotFound);
        let root = self.path.canonicalize()?;
        let resolved = root.join(path).canonicalize()?;
        let below = resolved.strip_prefix(&root).map_err(|_| missing())?;
        // A short name of Windows stands for one that may begin with a dot.
        let is_hidden = |part: std::path::Component<'_>| part.as_os_str().as_encoded_bytes().starts_with(b".");
        if cfg!(windows) && below.components().any(is_hidden) {
            return Err(missing());
        }
        Ok(resolved)
    }

    /// Opens what a path leads to, once that is known to be below the folder.
    fn open_resolved(&self, path: &str) -> io::Result<File> {
        let resolved = self.resolved(path)?;
        let kind = resolved.metadata()?;
        if !kind.is_file() && (!kind.is_dir() || cfg!(windows)) {
            return Err(ErrorKind::NotFound.into());
        }
        File::open(resolved)
    }
}

/// What a folder has that is served, and what folders.
pub(super) fn list(root: &Path, path: &str) -> io::Result<Vec<Entry>> {
    let folder = Root::open(root)?.resolved(path)?;
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // What a link leads to; one that leads nowhere is not there, and neither is what has gone meanwhile.
        let Ok(kind) = std::fs::metadata(entry.path()) else { continue };
        if name.starts_with('.') || !kind.is_file() && !kind.is_dir() {
            continue;
        }
        let bytes = if kind.is_file() { kind.len() } else { 0 };
        entries.push(Entry { name, bytes, modified: since_1970(kind.modified()?).0, is_folder: kind.is_dir() });
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

/// Reads what is in memory already, without waiting. `None`: it is not, or the system cannot tell.
#[cfg(target_os = "linux")]
pub(crate) fn read_now(file: &File, buffer: &mut [u8], at: u64) -> Option<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};
    preadv2(file, &mut [io::IoSliceMut::new(buffer)], at, ReadWriteFlags::NOWAIT).ok().filter(|read| *read > 0)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn read_now(_: &File, _: &mut [u8], _: u64) -> Option<usize> {
    None
}

/// Reads from there, at least one byte where there are any.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    loop {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(file, buffer, at);
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(file, buffer, at);
        match read {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, io::Read as _, os::unix::fs::symlink};

    use super::*;

    /// Where the system does not keep a path below its folder, what it leads to is looked at first.
    #[test]
    fn a_resolved_path_stays_below_the_folder() {
        let base = std::env::temp_dir().join(format!("tenure-open-{}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        fs::create_dir_all(base.join("real/a/b")).unwrap();
        fs::write(base.join("secret"), b"secret").unwrap();
        fs::write(base.join("real/a/file"), b"file").unwrap();
        for (to, name) in [
            ("a/file", "inside"),
            ("../secret", "out"),
            ("..", "above"),
            ("/etc/passwd", "absolute"),
            ("loop", "loop"),
            ("nowhere", "dangling"),
            ("a", "folder"),
            ("/dev/null", "device"),
        ] {
            symlink(to, base.join("real").join(name)).unwrap();
        }
        symlink("real", base.join("root")).unwrap();
        // A folder beside it whose name begins with the same letters.
        fs::create_dir(base.join("really")).unwrap();
        fs::write(base.join("really/file"), b"secret").unwrap();
        symlink("../really/file", base.join("real/beside")).unwrap();
        let path = base.join("root");
        let root = Root::open(&path).unwrap();
        let missing = |path| root.open_resolved(path).is_err_and(|error| is_missing(&error));
        for path in
            ["out", "above/secret", "absolute", "loop", "dangling", "beside", "none", "a/file/x", "device", "a/none"]
        {
            assert!(missing(path) && root.open_below(path).unwrap().is_none(), "{path}");
        }
        for path in ["inside", "a/file", "folder/file"] {
            let mut text = String::new();
            root.open_resolved(path).unwrap().read_to_string(&mut text).unwrap();
            assert!(text == "file" && root.file(path).unwrap().is_some(), "{path}");
        }
        for path in ["out", "above", "absolute", "loop", "dangling", "a/file", "none", "inside"] {
            assert!(root.folder_below(path).is_err(), "{path}");
        }
        for path in [".", "a", "a/b", "folder"] {
            assert!(root.folder_below(path).is_ok(), "{path}");
        }
        for path in ["a", "a/b", "folder"] {
            assert!(root.open_resolved(path).unwrap().metadata().unwrap().is_dir());
            assert!(root.open_below(path).unwrap().is_some() && root.file(path).unwrap().is_none(), "{path}");
        }
        fs::remove_dir_all(&base).unwrap();
    }

    /// What is found at once is what is found by who may wait; and on the file systems of this machine it is found.
    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_in_memory_is_found_at_once() {
        let base = std::env::temp_dir().join(format!("tenure-now-{}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        fs::create_dir_all(base.join("site/docs")).unwrap();
        fs::write(base.join("secret"), b"secret").unwrap();
        for file in ["index.html", "app.js", "app.js.gz", "docs/index.html"] {
            fs::write(base.join("site").join(file), file).unwrap();
        }
        symlink("../secret", base.join("site/out")).unwrap();
        symlink("app.js", base.join("site/inside")).unwrap();
        let knows = Root::open_now(&base).is_some() && is_local(&base);
        for (path, has_slash) in [
            ("", true),
            ("index.html", false),
            ("app.js", false),
            ("inside", false),
            ("docs", false),
            ("docs/", true),
            ("none", false),
            ("none/none", false),
            ("app.js/none", false),
            ("out", false),
        ] {
            let wanted = Wanted {
                root: base.join("site").into(),
                path: path.to_owned(),
                has_slash,
                fallback: None,
                accepted: AcceptEncoding::new(),
            };
            let told = |found: Result<Found, Option<io::Error>>| match found {
                Ok(Found::File(file)) => format!("{} {} {}", file.name, file.bytes, file.varies),
                Ok(Found::Folder) => "a folder".to_owned(),
                Err(None) => "nothing".to_owned(),
                Err(Some(error)) => panic!("{path}: {error}"),
            };
            let waited = told(wanted.find());
            let now = wanted.find_now().map(told);
            assert!(now.as_ref().is_none_or(|now| *now == waited), "{path}: {now:?}, {waited}");
            // Behind a file, and out of the folder, the kernel leaves the refusal to who may wait.
            assert!(now.is_some() || !knows || ["app.js/none", "out"].contains(&path), "{path}");
        }
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn reading_stops_at_the_end() {
        let path = std::env::temp_dir().join(format!("tenure-read-{}", std::process::id()));
        fs::write(&path, b"abcdef").unwrap();
        let file = File::open(&path).unwrap();
        let mut buffer = [0; 4];
        for (at, wanted) in [(0, &b"abcd"[..]), (3, b"def"), (5, b"f"), (6, b""), (u64::from(u32::MAX), b"")] {
            let read = read_at(&file, &mut buffer, at).unwrap();
            assert_eq!(&buffer[..read], wanted, "{at}");
            // What is read at once is the same, or nothing.
            if let Some(read) = read_now(&file, &mut buffer, at) {
                assert!(read > 0 && wanted.starts_with(&buffer[..read]), "{at}");
            }
        }
        fs::remove_file(&path).unwrap();
    }
}
