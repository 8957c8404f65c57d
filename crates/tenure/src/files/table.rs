//! Files in memory, as a build script embeds them.

use core::{cmp::Ordering, convert::Infallible};

use tenure_proto::{accept::Coding, status::StatusCode, target::Encoded};

use crate::{
    Error, Handler, Method, Request, Responder,
    exchange::reply::{IntoResponse, Outcome, Reply, Sent},
    files::{Entity, EntityResponse, ToFolder, accepted, path},
};

/// One file of a [`Table`]: its bytes as they are, or packed, or several of these.
#[derive(Clone, Copy, Debug)]
pub struct File {
    path: &'static str,
    content_type: &'static str,
    cache_control: &'static str,
    identity: Option<Variant>,
    gzip: Option<Variant>,
    brotli: Option<Variant>,
}

/// A file's bytes in one coding.
#[derive(Clone, Copy, Debug)]
struct Variant {
    etag: &'static str,
    bytes: &'static [u8],
}

impl Variant {
    /// # Panics
    /// As [`Entity::etag`].
    const fn new(etag: &'static str, bytes: &'static [u8]) -> Self {
        let _ = Entity::new("", 0).etag(etag);
        Variant { etag, bytes }
    }
}

impl File {
    /// A file at that path below the table, `css/page.css`, of that type. Clients ask each time whether it has changed. It has no
    /// bytes yet.
    pub const fn new(path: &'static str, content_type: &'static str) -> Self {
        let cache_control = super::REVALIDATED;
        File { path, content_type, cache_control, identity: None, gzip: None, brotli: None }
    }

    /// Its bytes, with a strong entity tag in double quotes.
    ///
    /// # Panics
    /// When the tag has no double quotes around it.
    #[must_use]
    pub const fn identity(mut self, etag: &'static str, bytes: &'static [u8]) -> Self {
        self.identity = Some(Variant::new(etag, bytes));
        self
    }

    /// The same packed by gzip, with a tag of its own.
    ///
    /// # Panics
    /// When the tag has no double quotes around it.
    #[must_use]
    pub const fn gzip(mut self, etag: &'static str, bytes: &'static [u8]) -> Self {
        self.gzip = Some(Variant::new(etag, bytes));
        self
    }

    /// The same packed by Brotli, with a tag of its own.
    ///
    /// # Panics
    /// When the tag has no double quotes around it.
    #[must_use]
    pub const fn brotli(mut self, etag: &'static str, bytes: &'static [u8]) -> Self {
        self.brotli = Some(Variant::new(etag, bytes));
        self
    }

    /// What clients and caches may do with it, instead of asking each time (`no-cache`).
    #[must_use]
    pub const fn cache_control(mut self, value: &'static str) -> Self {
        self.cache_control = value;
        self
    }

    /// Its path below the table.
    pub const fn path(&self) -> &'static str {
        self.path
    }

    fn variant(&self, coding: Coding) -> Option<&Variant> {
        match coding {
            Coding::Identity => self.identity.as_ref(),
            Coding::Gzip => self.gzip.as_ref(),
            Coding::Brotli => self.brotli.as_ref(),
        }
    }

    /// What a request for it is answered.
    fn answer<S>(&self, request: &Request<'_, S>) -> Result<EntityResponse<'static>, Error> {
        let accepted = accepted(request);
        let best = accepted.choose(|coding| self.variant(coding).is_some());
        // RFC 9110 section 12.5.3: a client that refuses what there is gets the bytes as they are, not a refusal.
        let coding = best.unwrap_or(Coding::Identity);
        let refused = Error::new(StatusCode::NOT_ACCEPTABLE, "this file is packed: send Accept-Encoding: gzip");
        let variant = self.variant(coding).ok_or(refused)?;
        let mut entity = Entity::new(self.content_type, variant.bytes.len() as u64)
            .etag(variant.etag)
            .cache_control(self.cache_control);
        if self.gzip.is_some() || self.brotli.is_some() {
            entity = entity.coding(coding);
        }
        Ok(entity.respond(request, variant.bytes))
    }
}

/// Files that are part of the program, in flash: nothing is copied but into the output, and no file takes RAM. Made by the build
/// script of a program with the crate `tenure-files`; [`files`](crate::files()) makes a route of it.
///
/// A path that ends with a slash, and the empty one, are answered with the `index.html` there; a folder's without the slash is
/// redirected to the one with it.
#[derive(Debug)]
pub struct Table {
    files: &'static [File],
    fallback: Option<&'static str>,
}

/// The page of a folder.
const INDEX: &str = "index.html";

impl Table {
    /// These files, in the order of their paths.
    ///
    /// # Panics
    /// When a path is not behind the one before it, byte by byte. A table in a `static` does not compile then.
    pub const fn new(files: &'static [File]) -> Self {
        let mut at = 1;
        while at < files.len() {
            assert!(
                is_before(files[at - 1].path, files[at].path),
                "the files of a table are in the order of their paths"
            );
            at += 1;
        }
        Table { files, fallback: None }
    }

    /// Answers with that file where there is none at a path whose last segment has no dot: for applications of one page, which
    /// have routes of their own. What has a dot, as `/app.js`, is 404 as before.
    ///
    /// # Panics
    /// When the table has no such file. A table in a `static` does not compile then.
    #[must_use]
    pub const fn fallback(mut self, path: &'static str) -> Self {
        let mut at = 0;
        while at < self.files.len() && !is_same(self.files[at].path, path) {
            at += 1;
        }
        assert!(at < self.files.len(), "the fallback is a file of the table");
        self.fallback = Some(path);
        self
    }

    /// The files.
    pub const fn files(&self) -> &'static [File] {
        self.files
    }

    /// The file at that path and what stands behind it.
    fn find(&self, path: Encoded<'_>, behind: &[&str]) -> Option<&'static File> {
        let compare = |file: &File| {
            let asked = path.bytes().map(|byte| byte.unwrap_or(0));
            let behind = behind.iter().flat_map(|part| part.bytes());
            file.path.bytes().cmp(asked.chain(behind))
        };
        Some(&self.files[self.files.binary_search_by(compare).ok()?])
    }

    /// What a request is answered.
    fn answer<'r, S>(&self, request: &Request<'r, S>) -> Result<Found<'r>, Error> {
        let path = path(request)?;
        let last = path.bytes().filter_map(Result::ok).last();
        let file = if matches!(last, None | Some(b'/')) {
            let index = self.find(path, &[INDEX]);
            if index.is_some() && !request.path().ends_with('/') {
                return Ok(Found::Folder(ToFolder::of(request)));
            }
            index
        } else if let Some(file) = self.find(path, &[]) {
            Some(file)
        } else if self.find(path, &["/", INDEX]).is_some() {
            return Ok(Found::Folder(ToFolder::of(request)));
        } else {
            None
        };
        let has_dot =
            || path.bytes().filter_map(Result::ok).fold(false, |dot, byte| byte == b'.' || dot && byte != b'/');
        let file = file.or_else(|| self.find(Encoded::path(self.fallback.filter(|_| !has_dot())?), &[]));
        Ok(Found::File(file.ok_or(Error::not_found("there is no such file"))?.answer(request)?))
    }
}

const fn is_same(one: &str, other: &str) -> bool {
    matches!(compare(one.as_bytes(), other.as_bytes()), Ordering::Equal)
}

const fn is_before(one: &str, other: &str) -> bool {
    matches!(compare(one.as_bytes(), other.as_bytes()), Ordering::Less)
}

/// `Ord::cmp`, when the program is built.
const fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let mut at = 0;
    loop {
        match (at < one.len(), at < other.len()) {
            (false, false) => return Ordering::Equal,
            (false, true) => return Ordering::Less,
            (true, false) => return Ordering::Greater,
            (true, true) if one[at] < other[at] => return Ordering::Less,
            (true, true) if one[at] > other[at] => return Ordering::Greater,
            (true, true) => at += 1,
        }
    }
}

/// What there is at a path.
enum Found<'r> {
    File(EntityResponse<'static>),
    Folder(ToFolder<'r>),
}

impl IntoResponse for Found<'_> {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        match self {
            Found::File(response) => response.respond(reply),
            Found::Folder(redirect) => redirect.respond(reply),
        }
    }
}

impl<S> Handler<S> for Table {
    type Page = Infallible;

    const HAS_PAGES: bool = false;

    async fn handle<'r>(&self, request: &mut Request<'r, S>, responder: Responder<'r>) -> Result<Sent, Error> {
        responder.send(self.answer(request)).await
    }

    fn methods(&self, _: &[u8], tell: &mut dyn FnMut(&str)) {
        for method in [Method::Get, Method::Head, Method::Options] {
            tell(method.as_str());
        }
    }
}
