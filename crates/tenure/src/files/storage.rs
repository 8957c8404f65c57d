//! Where files are put that clients send: RFC 9110 sections 9.3.4 and 9.3.5.

use tenure_proto::status::StatusCode;

use super::leaves_folder;
use crate::{Encoded, Error, Request};

/// Bytes of an uploaded file's path at the most.
pub const PATH_BYTES_MAX: usize = 128;

/// Where files are put that clients send: a `Folder` of the host, or a file system in flash.
///
/// Paths are below the storage, without a slash at either end, and none of their parts is empty or begins with a dot.
#[allow(async_fn_in_trait)]
pub trait Storage {
    /// A file that is being written. Nobody sees it before it is finished; dropped before, it is removed.
    type Upload;

    /// Begins a new file.
    ///
    /// # Errors
    /// 409: there is one of that name. 404: there is no such folder.
    ///
    /// # Cancellation safety
    /// Dropped, there is no file.
    async fn create(&self, path: &str) -> Result<Self::Upload, Error>;

    /// Writes bytes behind those before.
    ///
    /// # Errors
    /// They cannot be written, for lack of room (507) for one.
    ///
    /// # Cancellation safety
    /// Dropped, the file is to be dropped, too.
    async fn write(&self, upload: &mut Self::Upload, bytes: &[u8]) -> Result<(), Error>;

    /// Puts the file under its name.
    ///
    /// # Errors
    /// 409: meanwhile there is one of that name.
    ///
    /// # Cancellation safety
    /// Dropped, the file is there or not.
    async fn finish(&self, upload: Self::Upload) -> Result<(), Error>;

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
/// 201 is what it returns; 409: there is such a file, 404: no such folder; 413: the body has more than `bytes_max` bytes; 400: a path that is
/// none, or a part of a file (section 14.5); 412: a condition that a new file cannot meet; and what the storage says.
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
    let buffer = &mut [0; PATH_BYTES_MAX];
    let path = name(request, buffer)?;
    if request.field("content-range").is_some() {
        return Err(Error::bad_request("send all of the file, without a Content-Range"));
    }
    if has_conditions(request) {
        return Err(Error::new(StatusCode::PRECONDITION_FAILED, "a file that is new has neither a tag nor a date"));
    }
    if request.body().announced().is_some_and(|bytes| bytes > bytes_max) {
        return Err(Error::too_large("this file is too large").at_most(bytes_max));
    }
    let mut upload = storage.create(path).await?;
    while let Some(piece) = request.body().limit(bytes_max).read().await? {
        storage.write(&mut upload, piece).await?;
    }
    storage.finish(upload).await?;
    Ok(StatusCode::CREATED)
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
    let is_name = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(char::is_control);
    let path = path?;
    if is_outside || !path.split(['/', '\\']).all(is_name) {
        return Err(Error::bad_request("this cannot be the path of a file"));
    }
    Ok(path)
}
