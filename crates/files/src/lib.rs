//! Embeds a folder of files into a program for [`tenure`](https://docs.rs/tenure), from its build script.
//!
//! `build.rs`:
//! ```no_run
//! fn main() -> Result<(), tenure_files::Error> {
//!     tenure_files::embed("site")
//! }
//! ```
//! The program then has all files of the folder `site` beside its `Cargo.toml` as a table in its own memory, on a board in flash:
//! ```ignore
//! use tenure::{Router, files};
//!
//! include!(concat!(env!("OUT_DIR"), "/site.rs")); // static SITE: tenure::files::Table
//!
//! let app = Router::<()>::new().route("/{*rest}", files(&SITE)); // or with sessions of your own
//! ```
//!
//! # What a file gets
//! - Its Content-Type, by its extension ([`tenure_proto::media`]).
//! - A strong entity tag: a part of the SHA-256 of its bytes, and of its coding.
//! - Variants packed by gzip and Brotli: each only where it is a tenth smaller, and by 100 bytes at the least, than what is there
//!   without it. What is packed already (images, fonts, archives) is not tried.
//! - Cache-Control: `no-cache`, so clients ask each time, and get 304 with no content where nothing has changed. What has a digest in
//!   its name, as `app.3f2a9c1b.js`, is `immutable` for a year: nobody asks for it again ([`tenure_proto::media::has_digest`]).
//!
//! Files whose names begin with a dot are left out, and so are folders like that.
//!
//! # How long it takes
//! Packing in a build script that is not optimised is slow: for a site of megabytes, put this into the `Cargo.toml` of the workspace.
//! What has been packed once is packed again only when it changes.
//! ```toml
//! [profile.dev.build-override]
//! opt-level = 3
//! ```
#![forbid(unsafe_code)]

mod error;
mod pack;
mod walk;
mod write;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

pub use error::Error;

/// Embeds that folder, relative to the package's `Cargo.toml`: see [`Embed`] for what else can be chosen.
///
/// # Errors
/// See [`Embed::write`].
pub fn embed(folder: impl AsRef<Path>) -> Result<(), Error> {
    Embed::new(folder).write()
}

/// A folder that is to be embedded, and how.
///
/// # Examples
/// A page that is one application, on a board, whose browsers all unpack gzip:
/// ```no_run
/// use tenure_files::Embed;
///
/// fn main() -> Result<(), tenure_files::Error> {
///     Embed::new("page/dist").name("PAGE").fallback("index.html").immutable("assets/").only_gzip().write()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Embed {
    folder: PathBuf,
    name: Option<String>,
    fallback: Option<String>,
    immutable: Vec<String>,
    identity: bool,
    brotli: bool,
}

impl Embed {
    /// That folder, relative to the package's `Cargo.toml`.
    pub fn new(folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref().to_owned();
        Embed { folder, name: None, fallback: None, immutable: Vec::new(), identity: true, brotli: true }
    }

    /// The name of the static, `SITE`, and in small letters of the file, `site.rs`; otherwise the folder's.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Answers with that file where there is none, at a path whose last segment has no dot: for applications of one page, which have
    /// routes of their own.
    #[must_use]
    pub fn fallback(mut self, path: &str) -> Self {
        self.fallback = Some(path.to_owned());
        self
    }

    /// Says that what begins with that path, `assets/`, never changes under its name: for bundlers whose digests have no form that
    /// is known here.
    #[must_use]
    pub fn immutable(mut self, path: &str) -> Self {
        self.immutable.push(path.to_owned());
        self
    }

    /// Embeds of each file that gzip makes smaller the packed bytes alone: for boards with little flash. A client that does not
    /// unpack gzip is answered 406 then; all browsers do.
    #[must_use]
    pub fn only_gzip(mut self) -> Self {
        (self.identity, self.brotli) = (false, false);
        self
    }

    /// Embeds no variants packed by Brotli. Browsers ask for these only over TLS.
    #[must_use]
    pub fn no_brotli(mut self) -> Self {
        self.brotli = false;
        self
    }

    /// Writes the file that the program includes, and tells cargo when this is to be done again.
    ///
    /// # Errors
    /// What cannot be read or written, and which file it is; a folder without files; an invalid name; a fallback that is not there.
    pub fn write(&self) -> Result<(), Error> {
        let variable = |name| env::var_os(name).map(PathBuf::from).ok_or(Error::NoBuildScript(name));
        self.write_below(&variable("CARGO_MANIFEST_DIR")?, &variable("OUT_DIR")?)?;
        Ok(())
    }

    /// The same of a package and into a folder that are given: for other build systems. Returns the file's path.
    ///
    /// # Errors
    /// As [`write`](Embed::write).
    pub fn write_below(&self, package: &Path, out: &Path) -> Result<PathBuf, Error> {
        let folder = package.join(&self.folder);
        let name = self.static_name()?;
        let (files, folders) = walk::files(&folder)?;
        for folder in &folders {
            println!("cargo:rerun-if-changed={}", folder.display());
        }
        for file in &files {
            println!("cargo:rerun-if-changed={}", file.source.display());
        }
        if let Some(fallback) = &self.fallback
            && !files.iter().any(|file| file.path == *fallback)
        {
            return Err(Error::NoFallback { folder, fallback: fallback.clone() });
        }
        // Absolute, because the file is included from elsewhere.
        let packed = std::path::absolute(out.join(format!("{}-packed", name.to_lowercase())));
        let packed = packed.map_err(|error| Error::Write(out.to_owned(), error))?;
        fs::create_dir_all(&packed).map_err(|error| Error::Write(packed.clone(), error))?;
        let mut entries = Vec::new();
        for file in &files {
            entries.push(pack::entry(self, file, &packed)?);
        }
        let path = out.join(format!("{}.rs", name.to_lowercase()));
        let text = write::table(self, &name, &folder, &entries);
        fs::write(&path, text).map_err(|error| Error::Write(path.clone(), error))?;
        Ok(path)
    }

    /// The name of the static.
    fn static_name(&self) -> Result<String, Error> {
        let name = self.name.clone().unwrap_or_else(|| {
            let name = self.folder.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
            name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_")
        });
        let is_name = |name: &str| {
            name.starts_with(|letter: char| letter.is_ascii_uppercase())
                && name.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_')
        };
        if is_name(&name) { Ok(name) } else { Err(Error::Name(name)) }
    }
}
