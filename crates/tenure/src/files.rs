//! Files: what is served under a target as bytes of a known length, with conditional requests, ranges and packed variants.
//!
//! - [`files`](crate::files()) makes a route of a [`Table`], which a build script embeds (the crate `tenure-files`), or of a `Folder` of
//!   the host (`tenure-linux` and `tenure-tokio`).
//! - [`upload`] and [`remove`] let clients change what a [`Storage`] has: a `Folder`, or a file system in flash.
//! - An [`Entity`] is what a handler of your own serves in the same way: bytes in memory, or a stream of a known length.
//!
//! The guide has a [chapter](crate::guide::files) on them.

mod entity;
mod redirect;
mod storage;
mod table;

pub use entity::{Begun, Entity, EntityResponse, SETTLED_S};
pub use redirect::ToFolder;
pub use storage::{PATH_BYTES_MAX, Storage, create, file_name, remove, upload};
pub use table::{File, Table};
pub use tenure_proto::{
    accept::{AcceptEncoding, Coding},
    media,
};

use tenure_proto::target::leaves_folder_at;

use crate::{Encoded, Error, Method, Request, StatusCode};

/// Where the client has to look again each time whether what it has kept is still good.
pub const REVALIDATED: &str = "no-cache";
/// Of what never changes under its name, as that has a digest in it: RFC 8246.
pub const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// What a request's Accept-Encoding fields say.
pub fn accepted<S>(request: &Request<'_, S>) -> AcceptEncoding {
    let mut accepted = AcceptEncoding::new();
    for (name, value) in request.fields() {
        if name.eq_ignore_ascii_case("accept-encoding") {
            accepted.add(value);
        }
    }
    accepted
}

/// Whether a path, decoded and joined to a folder's path, would lead out of the folder, on Unix or Windows: RFC 3986 section 3.3 leaves
/// to servers what `..` and its like mean. The value of a route's `{*rest}` never does.
pub fn leaves_folder(path: Encoded<'_>) -> bool {
    leaves_folder_at(path.as_encoded().as_bytes(), true).is_some()
}

/// The path of the file that a request asks for, below whatever the route is for: its innermost parameter. For sources of files of your
/// own.
///
/// # Errors
/// 405 to another method than GET and HEAD, 204 to OPTIONS; 500 where the route has no parameter for the file's path.
pub fn path<'r, S>(request: &Request<'r, S>) -> Result<Encoded<'r>, Error> {
    match request.method() {
        Method::Get | Method::Head => {}
        Method::Options => return Err(Error::new(StatusCode::NO_CONTENT, "")),
        _ => return Err(Error::new(StatusCode::METHOD_NOT_ALLOWED, "this target has no such method: see Allow")),
    }
    request.rest().ok_or(Error::internal("a route of files ends with a parameter, such as /{*rest}"))
}
