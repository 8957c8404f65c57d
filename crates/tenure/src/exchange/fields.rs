//! Fields that go with a response: lists of names and values, cookies, what caches may do.

use tenure_proto::{
    bytes::is_tchar,
    response::{HeadWriter, decimal},
};

use crate::Error;

/// What puts the fields of a layer.
pub(crate) type PutFields<'a> = &'a mut dyn FnMut(&mut FieldWriter<'_>) -> Result<(), Error>;

/// Where [`IntoFields`] writes.
#[derive(Debug)]
pub struct FieldWriter<'a> {
    head: HeadWriter<'a>,
}

impl<'a> FieldWriter<'a> {
    pub(crate) fn new(head: HeadWriter<'a>) -> Self {
        FieldWriter { head }
    }

    /// Adds a field. What must not be set (see [`Reply::field`](crate::Reply::field)) fails the response.
    pub fn field(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        self.head.field(name, value.as_ref());
        self
    }

    /// Adds a field whose value is put together of these parts.
    pub fn field_of(&mut self, name: &str, parts: &[&[u8]]) -> &mut Self {
        self.head.field_of(name, parts);
        self
    }

    /// Adds a field that is a list of what `tokens` tells.
    pub(crate) fn list(&mut self, name: &str, tokens: &mut dyn FnMut(&mut dyn FnMut(&str))) {
        self.head.list(name, tokens);
    }

    /// Begins the fields of another layer.
    pub(crate) fn next_layer(&mut self) {
        self.head.empty_line();
    }
}

/// Fields that a response carries.
///
/// Implemented for arrays, slices and vectors of names and values (with a heap or without), `Option`, pairs of such, [`SetCookie`],
/// [`CacheControl`] and [`Secured`](crate::Secured). A handler returns them in front of its body, as `(fields, body)` or
/// `(status, fields, body)`; [`Router::fields`](crate::Router::fields) adds them to everything.
///
/// # Examples
/// ```
/// use tenure::{CacheControl, Request, Router, SetCookie, get, kit::Server};
///
/// async fn login(_: &mut Request<'_, ()>) -> (CacheControl, (SetCookie<String>, &'static str)) {
///     (CacheControl::no_store(), (SetCookie::new("sid", "a1b2".to_owned()), "welcome"))
/// }
///
/// /// Only some have that field.
/// async fn count(request: &mut Request<'_, ()>) -> (Option<[(&'static str, String); 1]>, &'static str) {
///     (request.query().map(|query| [("X-Query", query.len().to_string())]), "counted")
/// }
///
/// let mut server = Server::new(Router::new().route("/login", get(login)).route("/count", get(count)));
/// let client = server.connect();
/// let mut answer = |target: &str| {
///     client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
///     server.run();
///     client.received_text()
/// };
/// let login = answer("/login");
/// assert!(login.contains("\r\nCache-Control: no-store\r\n"));
/// assert!(login.contains("\r\nSet-Cookie: sid=a1b2; Path=/; HttpOnly; SameSite=Lax\r\n"));
/// assert!(answer("/count?ab").contains("\r\nX-Query: 2\r\n"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of fields",
    label = "no fields",
    note = "fields are an array, a slice or a vector of pairs of name and value, an `Option` of these, `SetCookie` or `CacheControl`"
)]
pub trait IntoFields {
    /// Adds them.
    ///
    /// # Errors
    /// One of them cannot be made, as a cookie's value with a semicolon; it is answered instead.
    fn put(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error>;
}

impl<N: AsRef<str>, V: AsRef<[u8]>> IntoFields for [(N, V)] {
    fn put(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        for (name, value) in self {
            fields.field(name.as_ref(), value);
        }
        Ok(())
    }
}

macro_rules! lists {
    ($($(#[$meta:meta])* [$($generics:tt)*] $type:ty;)*) => {
        $($(#[$meta])* impl<N: AsRef<str>, V: AsRef<[u8]>, $($generics)*> IntoFields for $type {
            fn put(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
                self.as_slice().put(fields)
            }
        })*
    };
}

lists! {
    [const F: usize] [(N, V); F];
    [const F: usize, L: heapless::LenType] heapless::Vec<(N, V), F, L>;
    #[cfg(feature = "alloc")]
    [] alloc::vec::Vec<(N, V)>;
}

impl<F: IntoFields + ?Sized> IntoFields for &F {
    fn put(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        (**self).put(fields)
    }
}

impl<F: IntoFields> IntoFields for Option<F> {
    fn put(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        self.as_ref().map_or(Ok(()), |own| own.put(fields))
    }
}

impl<A: IntoFields, B: IntoFields> IntoFields for (A, B) {
    fn put(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        self.0.put(fields)?;
        self.1.put(fields)
    }
}

/// A cookie to be set (RFC 6265 section 4.1), as a field of a response: see [`IntoFields`].
///
/// Unless told otherwise it is for the whole site (`Path=/`), scripts do not see it (`HttpOnly`), other sites' requests do not carry it
/// but where a person follows a link (`SameSite=Lax`), and it goes when the browser does. A server behind TLS adds
/// [`secure`](SetCookie::secure).
///
/// Where name or value cannot be a cookie's the response is 500, and the log says why: a value has no blank, comma, semicolon,
/// quotation mark or backslash, and nothing but ASCII.
///
/// # Examples
/// ```
/// use tenure::{Request, Router, SameSite, SetCookie, kit::Server, post};
///
/// async fn login(_: &mut Request<'_, ()>) -> (SetCookie<String>, ()) {
///     let token = "6d9f".to_owned();
///     (SetCookie::new("__Host-sid", token).secure().same_site(SameSite::Strict).max_age(3_600), ())
/// }
///
/// async fn logout(_: &mut Request<'_, ()>) -> (SetCookie<&'static str>, ()) {
///     (SetCookie::gone("__Host-sid").secure(), ())
/// }
///
/// let mut server = Server::new(Router::new().route("/login", post(login)).route("/logout", post(logout)));
/// let client = server.connect();
/// client.send("POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
/// server.run();
/// let wanted = "\r\nSet-Cookie: __Host-sid=6d9f; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Strict\r\n";
/// assert!(client.received_text().contains(wanted));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a handler returns it in front of its body: `(cookie, body)`"]
pub struct SetCookie<V> {
    name: &'static str,
    value: V,
    path: &'static str,
    domain: &'static str,
    max_age_s: Option<u32>,
    same_site: SameSite,
    http_only: bool,
    secure: bool,
}

/// Whether a browser sends a cookie with requests that another site has caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// Where a person follows a link.
    Lax,
    /// Always: only a [`secure`](SetCookie::secure) cookie may.
    None,
}

impl SetCookie<&'static str> {
    /// Has the browser forget the cookie of that name. Path and domain must be those that it was set with.
    pub const fn gone(name: &'static str) -> Self {
        SetCookie::new(name, "").max_age(0)
    }
}

impl<V> SetCookie<V> {
    /// A cookie of that name and value.
    pub const fn new(name: &'static str, value: V) -> Self {
        SetCookie {
            name,
            value,
            path: "/",
            domain: "",
            max_age_s: None,
            same_site: SameSite::Lax,
            http_only: true,
            secure: false,
        }
    }

    /// Only for targets below that path.
    pub const fn path(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    /// For that domain and those below it, instead of this host alone.
    pub const fn domain(mut self, domain: &'static str) -> Self {
        self.domain = domain;
        self
    }

    /// It goes after that many seconds; 0: at once. Else it goes with the browser.
    pub const fn max_age(mut self, seconds: u32) -> Self {
        self.max_age_s = Some(seconds);
        self
    }

    /// Whether requests that another site has caused carry it.
    pub const fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Only over TLS (or to the browser's own machine).
    pub const fn secure(mut self) -> Self {
        self.secure = true;
        self
    }

    /// Scripts of the page see it.
    pub const fn for_scripts(mut self) -> Self {
        self.http_only = false;
        self
    }
}

/// RFC 6265 section 4.1.1: `cookie-octet`.
fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

/// Of the value of `Path` or `Domain`: no control byte and no semicolon.
fn is_attribute(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && byte != b';')
}

impl<V: AsRef<str>> IntoFields for SetCookie<V> {
    fn put(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        let SetCookie { name, path, domain, secure, .. } = *self;
        let value = self.value.as_ref();
        if name.is_empty() || !name.bytes().all(is_tchar) {
            return Err(Error::internal("a cookie's name is not a token"));
        }
        if !value.bytes().all(is_cookie_octet) {
            return Err(Error::internal("a cookie's value has a byte that it must not have: encode it"));
        }
        if !is_attribute(path) || !path.starts_with('/') || !is_attribute(domain) {
            return Err(Error::internal(
                "a cookie's path begins with a slash, and neither it nor its domain has a semicolon",
            ));
        }
        // RFC 6265bis section 4.1.3.
        let is_host = name.starts_with("__Host-");
        if (is_host || name.starts_with("__Secure-") || self.same_site == SameSite::None) && !secure {
            return Err(Error::internal(
                "a cookie that begins with __Host- or __Secure-, or is SameSite=None, must be secure",
            ));
        }
        if is_host && (path != "/" || !domain.is_empty()) {
            return Err(Error::internal("a cookie that begins with __Host- is for the whole of this host alone"));
        }
        let mut digits = [0; 20];
        let max_age: [&[u8]; 2] = match self.max_age_s {
            Some(seconds) => [b"; Max-Age=", decimal(seconds.into(), &mut digits)],
            None => [b"", b""],
        };
        let same_site: &[u8] = match self.same_site {
            SameSite::Strict => b"; SameSite=Strict",
            SameSite::Lax => b"; SameSite=Lax",
            SameSite::None => b"; SameSite=None",
        };
        fields.field_of(
            "Set-Cookie",
            &[
                name.as_bytes(),
                b"=",
                value.as_bytes(),
                b"; Path=",
                path.as_bytes(),
                if domain.is_empty() { b"" } else { b"; Domain=" },
                domain.as_bytes(),
                max_age[0],
                max_age[1],
                if self.http_only { b"; HttpOnly" } else { b"" },
                if secure { b"; Secure" } else { b"" },
                same_site,
            ],
        );
        Ok(())
    }
}

/// What caches may do with a response (RFC 9111 section 5.2.2), as a field of it: see [`IntoFields`].
///
/// # Examples
/// ```
/// use tenure::{CacheControl, Request, Router, get, kit::Server};
///
/// // Its name changes with its content.
/// const FOREVER: CacheControl = CacheControl::max_age(31_536_000).immutable();
///
/// async fn script(_: &mut Request<'_, ()>) -> (CacheControl, &'static str) {
///     (FOREVER, "let a = 1;")
/// }
///
/// let mut server = Server::new(Router::new().route("/a.9f3c.js", get(script)));
/// let client = server.connect();
/// client.send("GET /a.9f3c.js HTTP/1.1\r\nHost: a\r\n\r\n");
/// server.run();
/// assert!(client.received_text().contains("\r\nCache-Control: max-age=31536000, immutable\r\n"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a handler returns it in front of its body: `(CacheControl::no_store(), body)`"]
pub struct CacheControl {
    first: &'static str,
    max_age_s: Option<u32>,
    visibility: &'static str,
    then: &'static str,
}

impl CacheControl {
    const fn of(first: &'static str, max_age_s: Option<u32>) -> Self {
        CacheControl { first, max_age_s, visibility: "", then: "" }
    }

    /// Nobody keeps it.
    pub const fn no_store() -> Self {
        CacheControl::of("no-store", None)
    }

    /// It is kept, and asked for again each time: with an `ETag` that costs little.
    pub const fn no_cache() -> Self {
        CacheControl::of("no-cache", None)
    }

    /// It is fresh for that many seconds.
    pub const fn max_age(seconds: u32) -> Self {
        CacheControl::of("max-age=", Some(seconds))
    }

    /// Caches that many share keep it, too, even where the request had an `Authorization`.
    pub const fn public(mut self) -> Self {
        self.visibility = ", public";
        self
    }

    /// Only the client's own cache keeps it.
    pub const fn private(mut self) -> Self {
        self.visibility = ", private";
        self
    }

    /// It does not change while it is fresh: no reload asks for it.
    pub const fn immutable(mut self) -> Self {
        self.then = ", immutable";
        self
    }

    /// Once it is not fresh any more, nobody uses it without asking.
    pub const fn must_revalidate(mut self) -> Self {
        self.then = ", must-revalidate";
        self
    }
}

impl IntoFields for CacheControl {
    fn put(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        let mut digits = [0; 20];
        let seconds: &[u8] = self.max_age_s.map_or(b"", |seconds| decimal(seconds.into(), &mut digits));
        let parts = [self.first.as_bytes(), seconds, self.visibility.as_bytes(), self.then.as_bytes()];
        fields.field_of("Cache-Control", &parts);
        Ok(())
    }
}
