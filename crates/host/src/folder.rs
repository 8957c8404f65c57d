//! A folder of files that a host serves.

mod open;
mod pool;
#[cfg(unix)]
mod upload;

use std::{
    convert::Infallible,
    fs::File,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use tenure::{
    Encoded, Error, Handler, Method, Request, Responder, Sent, StatusCode,
    files::{Begun, Coding, Entity, IMMUTABLE, REVALIDATED, SETTLED_S, ToFolder, accepted, media, path},
};

#[cfg(unix)]
pub use upload::Upload;

use open::{Found, Opened, Wanted};
use pool::Pool;

/// Bytes that are read of a file at once, and kept by a request while it is answered.
const READ_BYTES: usize = 64 << 10;

/// Threads that wait for a folder's disk, unless [`Folder::threads`] says otherwise.
const THREADS: usize = 4;

/// A folder whose files are served: [`files`](tenure::files()) makes a route of it. What a file is, which conditions and ranges are
/// answered, and the `index.html` of folders are as with a [`Table`](tenure::files::Table).
///
/// # Which files
/// Those below the folder, as they are when they are asked for; a new file is there at once. Not those whose path has a part that
/// begins with a dot, nor what is no regular file. Links are followed as long as they lead nowhere out of the folder: on Linux the kernel
/// sees to that while it opens the file (`RESOLVE_BENEATH` of openat2(2)); on other systems, and where openat2 is not permitted, the
/// resolved path is looked at first, so that who can change the folder meanwhile could lead out of it. The folder itself may be a link, and
/// may be exchanged while the server runs.
///
/// # Packed variants
/// Beside `app.js` there may be `app.js.br` and `app.js.gz`, which are sent to those who unpack them. Whoever changes a file has to
/// pack it again. Files that are packed by themselves, such as images, have none.
///
/// # Entity tags
/// A tag is made of the time of the last change, to the nanosecond, and the length. File systems keep that time coarsely, some to two
/// seconds, and cannot tell a second change within it from the first: so the tag of a file that was changed within the last two seconds
/// is weak, and nobody continues an interrupted download of it. Later, the same tag is strong. Where all times of change are set to the beginning of the epoch, as by package
/// managers that build reproducibly, the time at which the file was put there counts instead. A file that is written to in place may be
/// sent in part old and in part new: put a new file in its place.
///
/// # Files that clients send
/// On Unix a folder is a [`Storage`](tenure::files::Storage): [`upload`](tenure::files::upload) puts new files there, and
/// [`remove`](tenure::files::remove) removes them. What is there is not written over; but who may put `app.js.gz` there has it sent for
/// `app.js`, as above. An upload has a name that is not served (`.upload-…`) until it is whole. A folder that
/// is dropped, behind a server's end, waits until those are removed that came to none. Where the process is killed, or ends with the folder
/// in a `static`, such a file may stay; it is in the way of no other.
///
/// # What waits for the disk
/// Threads of the folder's own, started when they are needed, four at the most: they open and read, 64 KiB at a time, and the worker that
/// serves the client goes on with others. On Linux a worker opens and reads by itself what is in memory already (`RESOLVE_CACHED`, where the
/// file system is one of this machine, and `RWF_NOWAIT`). A request keeps one such piece, and reads the next when its client has taken this
/// one. A download holds a lane for as long as it takes: where they may take long, say
/// [`waits_long`](tenure::Methods::waits_long).
///
/// # Examples
/// ```no_run
/// use tenure::{Router, files};
/// # use tenure_host::{Error, Folder};
///
/// # fn main() -> Result<(), Error> {
/// let app = Router::<()>::new().route("/{*rest}", files(Folder::new("site")?));
/// # let _ = app;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Folder {
    root: Arc<Path>,
    fallback: Option<String>,
    immutable: Vec<String>,
    pool: Arc<Pool>,
    /// Its files may be opened by who must not wait, where the kernel knows their names by heart.
    is_local: bool,
}

impl Folder {
    /// That folder, relative to the working directory as it is now.
    ///
    /// # Errors
    /// [`Error::Folder`](crate::Error::Folder): it is not there, or is none.
    pub fn new(path: impl AsRef<Path>) -> Result<Self, crate::Error> {
        let failed = |error| crate::Error::Folder(path.as_ref().to_owned(), error);
        let root = std::path::absolute(&path).map_err(failed)?;
        std::fs::read_dir(&root).map_err(failed)?;
        let is_local = open::is_local(&root);
        let pool = Arc::new(Pool::new(THREADS));
        Ok(Folder { root: root.into(), fallback: None, immutable: Vec::new(), pool, is_local })
    }

    /// Answers with that file where there is none, at a path whose last segment has no dot: for applications of one page, which have
    /// routes of their own. What has a dot, as `/app.js`, is 404 as before.
    #[must_use]
    pub fn fallback(mut self, path: &str) -> Self {
        self.fallback = Some(path.to_owned());
        self
    }

    /// Says that what begins with that path, `assets/`, never changes under its name: clients keep it for a year and do not ask again.
    /// What has a digest in its name is kept so without that ([`media::has_digest`]).
    #[must_use]
    pub fn immutable(mut self, path: &str) -> Self {
        self.immutable.push(path.to_owned());
        self
    }

    /// How many threads may wait for the disk at once.
    ///
    /// # Panics
    /// When there are none.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        assert!(threads > 0, "a folder needs a thread that reads");
        self.pool = Arc::new(Pool::new(threads));
        self
    }

    /// What the folder at that path has, the folder itself at the empty one: what is served, and folders, by their names.
    ///
    /// # Errors
    /// 404: there is no such folder. 503: it cannot be read now.
    ///
    /// # Cancellation safety
    /// Safe.
    pub async fn list(&self, path: &str) -> Result<Vec<Entry>, Error> {
        let path = served(path).ok_or(MISSING)?;
        let root = self.root.clone();
        let listed = self.pool.run(move || open::list(&root, if path.is_empty() { "." } else { &path })).await;
        listed.ok_or(NO_THREAD)?.map_err(|error| {
            if open::is_missing(&error) {
                return MISSING;
            }
            log::warn!("a folder: {error}");
            Error::unavailable("this folder cannot be read now")
        })
    }

    fn cache_control(&self, name: &str) -> &'static str {
        let is_immutable = media::has_digest(name) || self.immutable.iter().any(|path| name.starts_with(path));
        if is_immutable { IMMUTABLE } else { REVALIDATED }
    }
}

/// Waits for what its threads are doing, so that unfinished uploads are gone when the program ends.
impl Drop for Folder {
    fn drop(&mut self) {
        self.pool.rest();
    }
}

/// What a [`Folder`] has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its name in the folder.
    pub name: String,
    /// Its bytes; 0 of a folder.
    pub bytes: u64,
    /// The second of its last change since 1970.
    pub modified: u64,
    /// It is a folder itself.
    pub is_folder: bool,
}

/// What is not served, as if it were not there.
const MISSING: Error = Error::not_found("there is no such file");

/// What is answered where a job was not done.
const NO_THREAD: Error = Error::unavailable("no thread can read files now");

/// The path below the folder that is asked for; `None`: none that is served.
fn relative(path: Encoded<'_>) -> Option<String> {
    // The router has seen to that; a handler that stands elsewhere may not have.
    if tenure::files::leaves_folder(path) {
        return None;
    }
    let bytes: Vec<u8> = path.bytes().collect::<Result<_, _>>().ok()?;
    served(str::from_utf8(&bytes).ok()?)
}

/// A path below the folder, if what is there is served.
fn served(path: &str) -> Option<String> {
    let is_served = path.split(['/', '\\']).all(|part| !part.starts_with('.'));
    // Windows: streams behind a colon, and what it takes from a name's end.
    let is_plain =
        !cfg!(windows) || !path.contains(':') && !path.split(['/', '\\']).any(|part| part.ends_with(['.', ' ']));
    // On Unix a backslash is a part of a name; `leaves_folder` has taken it for a slash.
    (is_served && is_plain && !path.starts_with('/') && !path.contains("//")).then(|| path.to_owned())
}

/// Seconds and nanoseconds since 1970; 0 before it.
fn since_1970(time: SystemTime) -> (u64, u32) {
    time.duration_since(UNIX_EPOCH).map_or((0, 0), |time| (time.as_secs(), time.subsec_nanos()))
}

/// Its entity tag, and the second of its last change where that says something.
fn validators(opened: &Opened, now: u64) -> (String, Option<u64>) {
    let (second, nanosecond) = opened.changed;
    let weak = if now.saturating_sub(second) < SETTLED_S { "W/" } else { "" };
    let coding = match opened.coding {
        Coding::Identity => "",
        Coding::Gzip => "-gz",
        Coding::Brotli => "-br",
    };
    let etag = format!("{weak}\"{second:x}.{nanosecond:x}-{:x}{coding}\"", opened.bytes);
    // RFC 9110 section 8.8.2.1: a date that is still to come is not told.
    (etag, Some(second).filter(|&second| opened.is_dated && second <= now))
}

impl Folder {
    /// Opens what a request asks for.
    async fn open<S>(&self, request: &Request<'_, S>) -> Result<Found, Error> {
        let path = relative(path(request)?).ok_or(MISSING)?;
        let accepted = accepted(request);
        let wanted = Wanted {
            root: self.root.clone(),
            has_slash: request.path().ends_with('/'),
            fallback: self.fallback.clone().filter(|_| !path.rsplit('/').next().unwrap_or_default().contains('.')),
            path,
            accepted,
        };
        let now = if self.is_local { wanted.find_now() } else { None };
        let found = match now {
            Some(found) => found,
            None => self.pool.run(move || wanted.find()).await.ok_or(NO_THREAD)?,
        };
        found.map_err(|error| match error {
            None => MISSING,
            Some(error) => {
                log::warn!("{} {}: {error}", request.method_token(), request.target());
                match error.kind() {
                    std::io::ErrorKind::PermissionDenied => {
                        Error::new(StatusCode::FORBIDDEN, "this file cannot be read")
                    }
                    _ => Error::unavailable("this file cannot be read now"),
                }
            }
        })
    }
}

/// How many bytes were read of a file, the file, and the bytes.
type Piece = (std::io::Result<usize>, File, Vec<u8>);

impl Folder {
    /// Reads a piece of a file from `at` on.
    async fn read(&self, file: File, mut buffer: Vec<u8>, at: u64) -> Result<Piece, Error> {
        if let Some(read) = open::read_now(&file, &mut buffer, at) {
            return Ok((Ok(read), file, buffer));
        }
        let piece = self.pool.run(move || (open::read_at(&file, &mut buffer, at), file, buffer));
        piece.await.ok_or(NO_THREAD)
    }
}

impl<S> Handler<S> for Folder {
    type Page = Infallible;

    const HAS_PAGES: bool = false;

    async fn handle<'r>(&self, request: &mut Request<'r, S>, responder: Responder<'r>) -> Result<Sent, Error> {
        let opened = match self.open(request).await? {
            Found::File(opened) => opened,
            Found::Folder => return responder.send(ToFolder::of(request)).await,
        };
        let now = since_1970(SystemTime::now()).0;
        let (etag, modified) = validators(&opened, now);
        let mut entity = Entity::new(media::content_type(&opened.name), opened.bytes)
            .etag(&etag)
            .cache_control(self.cache_control(&opened.name));
        if let Some(modified) = modified {
            entity = entity.modified(modified, now);
        }
        if opened.varies {
            entity = entity.coding(opened.coding);
        }
        let (mut stream, mut bytes) = match entity.begin(request, responder).await? {
            Begun::Sent(sent) => return Ok(sent),
            Begun::Stream { stream, bytes } => (stream, bytes),
        };
        let (mut file, mut buffer) = (opened.file, Vec::new());
        while !bytes.is_empty() {
            let rest = usize::try_from(bytes.end - bytes.start).unwrap_or(READ_BYTES);
            buffer.resize(rest.min(READ_BYTES), 0);
            let read;
            (read, file, buffer) = self.read(file, buffer, bytes.start).await?;
            let read = read.map_err(|error| {
                log::warn!("{}: {error}", request.target());
                Error::internal("a file could not be read to its end")
            })?;
            if read == 0 {
                return Err(Error::internal("a file became shorter while it was sent"));
            }
            stream.write(&buffer[..read]).await?;
            bytes.start += read as u64;
        }
        stream.finish().await
    }

    fn methods(&self, _: &[u8], tell: &mut dyn FnMut(&str)) {
        for method in [Method::Get, Method::Head, Method::Options] {
            tell(method.as_str());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_are_served_and_those_beside_them() {
        for (path, wanted) in [
            ("", Some("")),
            ("a", Some("a")),
            ("a/", Some("a/")),
            ("a/b.txt", Some("a/b.txt")),
            ("a%20b", Some("a b")),
            ("%c3%a4", Some("\u{e4}")),
            ("a%2Fb", Some("a/b")),
            ("a..b/c..", Some("a..b/c..")),
            ("...", None),
            (".", None),
            ("..", None),
            ("a/..", None),
            ("a/../b", None),
            ("%2e%2e/a", None),
            ("a/%2E%2e", None),
            ("a%2f..%2fb", None),
            ("..%5ca", None),
            ("a\\..\\b", None),
            ("/a", None),
            ("%2fa", None),
            ("\\a", None),
            ("a//b", None),
            ("a%2f%2fb", None),
            ("C:/a", None),
            ("a/c:b", None),
            (".a", None),
            ("a/.b", None),
            ("a/.b/c", None),
            ("%2ea", None),
            ("a%5c.b", None),
            ("a%00", None),
            ("%ff", None),
            ("%", None),
            ("%2", None),
            // Decoded once.
            ("%252e%252e/a", Some("%2e%2e/a")),
        ] {
            assert_eq!(relative(Encoded::path(path)).as_deref(), wanted, "{path}");
        }
    }
}
