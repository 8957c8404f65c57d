//! Where files are put that clients send: RFC 9110 sections 9.3.4 and 9.3.5.

use tenure_proto::status::StatusCode;

use super::leaves_folder;
use crate::{Encoded, Error, Request, sink::Sink};

/// Bytes of an uploaded file's path at the most.
pub const PATH_BYTES_MAX: usize = 128;

/// Where files are put that clients send: a `Folder` of the host, or a file system in flash.
///
/// Paths are below the storage, without a slash at either end, and none of their parts is empty or begins with a dot.
#[allow(async_fn_in_trait)]
pub trait Storage {
    /// A file that is being written. Nobody sees it before it is [finished](Sink::finish); dropped before, it is removed.
    type Upload<'s>: Sink
    where
        Self: 's;

    /// Begins a new file.
    ///
    /// # Errors
    /// 409: there is one of that name. 404: there is no such folder. [`Sink::finish`] says 409, too, where there is one meanwhile.
    ///
    /// # Cancellation safety
    /// Dropped, there is no file.
    async fn create(&self, path: &str) -> Result<Self::Upload<'_>, Error>;

    /// Removes a file.
    ///
    /// # Errors
    /// 404: there is no such file.
    ///
    /// # Cancellation safety
    /// Dropped, the file is there or not.
    async fn remove(&self, path: &str) -> Result<(), Error>;
}

/// Takes a request's body as a new file, whose path is the innermost parameter of the route: for PUT. What is there already is not
/// written over. Nothing is kept of the body but the piece that is just being written, and nothing of an upload that does not come
/// to its end.
///
/// A page that is uploaded can do in a browser whatever other pages of this host may do. So ask who it is before you call this.
///
/// # Errors
/// 201 is what it returns; as [`create`], 413: the body has more than `bytes_max` bytes; and what the storage says.
///
/// # Cancellation safety
/// Dropped, there is no file.
///
/// # Examples
/// ```
/// use tenure::{Error, Request, StatusCode, files::{Storage, upload}};
///
/// const BYTES_MAX: u64 = 1 << 20;
///
/// async fn put(request: &mut Request<'_, ()>, storage: &impl Storage) -> Result<StatusCode, Error> {
///     upload(request, storage, BYTES_MAX).await
/// }
/// ```
pub async fn upload<S, T: Storage>(
    request: &mut Request<'_, S>,
    storage: &T,
    bytes_max: u64,
) -> Result<StatusCode, Error> {
    // Where this is known, there need be no file.
    if request.body().announced().is_some_and(|bytes| bytes > bytes_max) {
        return Err(Error::too_large("this file is too large").at_most(bytes_max));
    }
    let mut file = create(request, storage).await?;
    request.body().limit(bytes_max).save_to(&mut file).await?;
    Ok(StatusCode::CREATED)
}

/// Begins the file that a request is to put: what [`upload`] writes the body to, for handlers that put something around it.
///
/// # Errors
/// 409: there is such a file, 404: no such folder; 400: a path that is none, or a part of a file (RFC 9110 section 14.5); 412: a condition
/// that a new file cannot meet; and what the storage says.
///
/// # Cancellation safety
/// Dropped, there is no file.
///
/// # Examples
/// ```
/// use tenure::{Error, Request, StatusCode, files::{Storage, create}, sink::{Sha256, Sink}};
///
/// async fn put(request: &mut Request<'_, ()>, storage: &impl Storage) -> Result<StatusCode, Error> {
///     let announced = Sha256::announced(request)?;
///     let mut file = create(request, storage).await?.sha256().check(announced);
///     request.body().limit(1 << 20).save_to(&mut file).await?;
///     Ok(StatusCode::CREATED)
/// }
/// ```
pub async fn create<'s, S, T: Storage>(request: &Request<'_, S>, storage: &'s T) -> Result<T::Upload<'s>, Error> {
    let buffer = &mut [0; PATH_BYTES_MAX];
    let path = name(request, buffer)?;
    if request.field("content-range").is_some() {
        return Err(Error::bad_request("send all of the file, without a Content-Range"));
    }
    if has_conditions(request) {
        return Err(Error::new(StatusCode::PRECONDITION_FAILED, "a file that is new has neither a tag nor a date"));
    }
    storage.create(path).await
}

/// Removes the file whose path is the innermost parameter of the route: for DELETE.
///
/// # Errors
/// 204 is what it returns; 404: there is no such file; 400: a path that is none; 412: a condition, which nobody looks at here, so that
/// nothing is removed that the client has not seen; and what the storage says.
///
/// # Cancellation safety
/// Dropped, the file is there or not.
pub async fn remove<S, T: Storage>(request: &mut Request<'_, S>, storage: &T) -> Result<StatusCode, Error> {
    let buffer = &mut [0; PATH_BYTES_MAX];
    let path = name(request, buffer)?;
    if has_conditions(request) {
        return Err(Error::new(StatusCode::PRECONDITION_FAILED, "files are removed without conditions"));
    }
    storage.remove(path).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether a request is to be obeyed only for a file that is known.
fn has_conditions<S>(request: &Request<'_, S>) -> bool {
    request.field("if-match").is_some() || request.field("if-unmodified-since").is_some()
}

/// The path of a file that a request may change.
fn name<'b, 'r: 'b, S>(request: &Request<'r, S>, buffer: &'b mut [u8; PATH_BYTES_MAX]) -> Result<&'b str, Error> {
    let path: Encoded<'r> =
        request.rest().ok_or(Error::internal("a route of files ends with a parameter, such as /{*rest}"))?;
    // What is not encoded is not copied, and so not bounded.
    let is_long = path.bytes().count() > PATH_BYTES_MAX;
    let is_outside = leaves_folder(path);
    let path = path.decode(buffer);
    if is_long {
        return Err(Error::bad_request("the path of a file is too long").at_most(PATH_BYTES_MAX as u64));
    }
    let path = path?;
    if is_outside || !path.split(['/', '\\']).all(is_name) {
        return Err(Error::bad_request("this cannot be the path of a file"));
    }
    Ok(path)
}

/// Whether that may be a part of a file's path.
fn is_name(part: &str) -> bool {
    !part.is_empty() && !part.starts_with('.') && !part.contains(char::is_control)
}

/// The name under which a file may be kept that a form has under that [`filename`](crate::Part::filename): what stands behind its last
/// slash or backslash (RFC 7578 section 4.2).
///
/// # Errors
/// 400: nothing stands there, it begins with a dot, has a control character, a colon (on Windows those of a drive or a stream), or more
/// than [`PATH_BYTES_MAX`] bytes.
///
/// # Examples
/// ```
/// use tenure::files::file_name;
///
/// assert_eq!(file_name("C:\\photos\\a b.png")?, "a b.png");
/// assert!(file_name("../..").is_err() && file_name("").is_err());
/// # Ok::<(), tenure::Error>(())
/// ```
pub fn file_name(filename: &str) -> Result<&str, Error> {
    let name = filename.rsplit(['/', '\\']).next().unwrap_or_default();
    if name.len() > PATH_BYTES_MAX {
        return Err(Error::bad_request("the name of a file is too long").at_most(PATH_BYTES_MAX as u64));
    }
    if !is_name(name) || name.contains(':') {
        return Err(Error::bad_request("this cannot be the name of a file"));
    }
    Ok(name)
}
