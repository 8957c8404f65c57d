//! Which other sites' pages may use what is served: the CORS protocol of the Fetch standard, section 3.3.

use tenure_proto::{bytes::is_tchar, method::Method, response::decimal, status::StatusCode};

use crate::{
    Error, FieldWriter, Request, Responder, exchange::failure::Failed, exchange::reply::Sent, route::handler::Handler,
    route::layers::passes_all,
};

/// Which other sites' pages may use some routes: the CORS protocol (Fetch standard, section 3.3), as a layer around them, see
/// [`Router::cors`](crate::Router::cors).
///
/// A browser lets a page of one origin read what another one serves only if that says so. Before a request that a form could not make
/// (another method, a field such as `Authorization`, JSON as a body) it asks by a *preflight*, an OPTIONS request. The layer answers
/// that: 204, with the methods that the route has. Every response to an origin that may gets `Access-Control-Allow-Origin`, errors too, so
/// that the page can read why.
///
/// CORS keeps nobody out: whoever is no browser reads everything, and requests that a form could make are served. Who may do what, a
/// handler or a middleware decides.
///
/// # Examples
/// A service of JSON for one page, with its cookies:
/// ```
/// use std::collections::BTreeMap;
///
/// use tenure::{Cors, Error, Failed, Json, Request, Router, get, kit::Server};
///
/// async fn read(_: &mut Request<'_, ()>) -> Json<BTreeMap<&'static str, bool>> {
///     Json(BTreeMap::from([("led", true)]))
/// }
///
/// async fn write(request: &mut Request<'_, ()>) -> Result<(), Error> {
///     request.body().whole().await?;
///     Ok(())
/// }
///
/// fn problem(failed: &Failed<'_>) -> Json<BTreeMap<&'static str, String>> {
///     Json(BTreeMap::from([("error", failed.to_string())]))
/// }
///
/// // Invalid origins do not compile.
/// const CORS: Cors = Cors::origins(&["https://app.example"]).credentials().fields(&["Content-Type"]).max_age(3_600);
///
/// let app = Router::new().route("/led", get(read).put(write)).errors(problem).cors(CORS);
/// let mut server = Server::new(app);
/// let client = server.connect();
/// let mut answer = |line: &str, fields: &str| {
///     client.send(format!("{line} HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\n{fields}\r\n"));
///     server.run();
///     client.received_text()
/// };
/// let preflight = answer("OPTIONS /led", "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: content-type\r\n");
/// assert!(preflight.starts_with("HTTP/1.1 204 No Content\r\n"));
/// assert!(preflight.contains("\r\nAccess-Control-Allow-Origin: https://app.example\r\n"));
/// assert!(preflight.contains("\r\nAccess-Control-Allow-Methods: GET, PUT, HEAD, OPTIONS\r\n"));
/// for (line, status) in [("GET /led", "200"), ("GET /none", "404"), ("DELETE /led", "405")] {
///     let answer = answer(line, "");
///     let last = answer.rsplit_once("HTTP/1.1 ").unwrap().1;
///     assert!(last.starts_with(status) && last.contains("\r\nAccess-Control-Allow-Origin: https://app.example\r\n"));
/// }
/// ```
///
/// Credentials for everybody do not compile:
/// ```compile_fail,E0599
/// use tenure::Cors;
///
/// const CORS: Cors<tenure::AnyOrigin> = Cors::any().credentials();
/// ```
#[derive(Clone, Debug)]
#[must_use = "it is a layer: `router.cors(cors)`"]
pub struct Cors<O = &'static [&'static str]> {
    origins: O,
    credentials: bool,
    methods: Option<&'static [Method]>,
    fields: RequestFields,
    exposed: &'static [&'static str],
    max_age_s: Option<u32>,
}

/// Every origin may: see [`Cors::any`].
#[derive(Clone, Copy, Debug)]
pub struct AnyOrigin;

/// The origins may that a function says: see [`Cors::origins_if`].
#[derive(Clone, Copy, Debug)]
pub struct OriginIf<F>(F);

/// Which fields a request may have.
#[derive(Clone, Copy, Debug)]
enum RequestFields {
    Listed(&'static [&'static str]),
    /// Those that are asked for.
    Any,
}

/// Which origins may.
#[doc(hidden)]
pub trait Origins {
    /// All of them: the answer is the same for each.
    const ANY: bool = false;

    /// Whether that one may.
    fn may(&self, origin: &str) -> bool;
}

impl Origins for AnyOrigin {
    const ANY: bool = true;

    fn may(&self, _: &str) -> bool {
        true
    }
}

impl Origins for &[&str] {
    fn may(&self, origin: &str) -> bool {
        self.contains(&origin)
    }
}

impl<F: Fn(&str) -> bool> Origins for OriginIf<F> {
    fn may(&self, origin: &str) -> bool {
        (self.0)(origin)
    }
}

impl Cors {
    /// The pages of these origins may. An origin is what browsers send: scheme, host and, where it is not the scheme's own, port, as in
    /// `https://app.example` or `http://localhost:5173`.
    ///
    /// # Panics
    /// When one is not written that way: with a path or a slash at its end, capitals, the scheme's own port, `*` or `null`. In a `const`
    /// that is an error of compilation.
    pub const fn origins(origins: &'static [&'static str]) -> Self {
        let mut at = 0;
        while at < origins.len() {
            assert!(
                is_origin(origins[at].as_bytes()),
                "an origin is a scheme, ://, a host in lower case and a port that is not the scheme's own, without a path: https://app.example"
            );
            at += 1;
        }
        Cors::of(origins)
    }
}

impl Cors<AnyOrigin> {
    /// The pages of all origins may, without credentials: no cookies, no `Authorization` that the browser adds. For what is public.
    pub const fn any() -> Self {
        Cors::of(AnyOrigin)
    }
}

impl<F: Fn(&str) -> bool> Cors<OriginIf<F>> {
    /// The pages of those origins may for which `may` says so: of all subdomains, or of a list that the program reads when it starts.
    /// Compare the whole origin: `origin.ends_with("example.com")` lets `https://badexample.com` in.
    pub const fn origins_if(may: F) -> Self {
        Cors::of(OriginIf(may))
    }
}

impl Cors {
    /// Cookies and HTTP authentication, too: the page may use what this browser's user may.
    pub const fn credentials(mut self) -> Self {
        self.credentials = true;
        self
    }
}

impl<F: Fn(&str) -> bool> Cors<OriginIf<F>> {
    /// Cookies and HTTP authentication, too: the page may use what this browser's user may.
    pub fn credentials(mut self) -> Self {
        self.credentials = true;
        self
    }
}

impl<O> Cors<O> {
    const fn of(origins: O) -> Self {
        let fields = RequestFields::Listed(&[]);
        Cors { origins, credentials: false, methods: None, fields, exposed: &[], max_age_s: None }
    }

    /// The methods that pages may use, instead of all that the route has. GET, HEAD and POST need no leave.
    pub const fn methods(mut self, methods: &'static [Method]) -> Self {
        self.methods = Some(methods);
        self
    }

    /// The fields that requests may have, beside those that need no leave: `Content-Type` (for JSON), `Authorization`.
    ///
    /// # Panics
    /// When one is not a field's name. In a `const` that is an error of compilation.
    pub const fn fields(mut self, names: &'static [&'static str]) -> Self {
        check_names(names);
        self.fields = RequestFields::Listed(names);
        self
    }

    /// Requests may have all fields.
    pub const fn any_field(mut self) -> Self {
        self.fields = RequestFields::Any;
        self
    }

    /// The fields of responses that pages may read, beside those that they always may, such as `Content-Type`.
    ///
    /// # Panics
    /// When one is not a field's name. In a `const` that is an error of compilation.
    pub const fn exposed(mut self, names: &'static [&'static str]) -> Self {
        check_names(names);
        self.exposed = names;
        self
    }

    /// For how many seconds a browser need not ask again; 5 where it is not said. Browsers have bounds of their own, such as 7,200.
    pub const fn max_age(mut self, seconds: u32) -> Self {
        self.max_age_s = Some(seconds);
        self
    }
}

const fn check_names(names: &[&str]) {
    let mut at = 0;
    while at < names.len() {
        let name = names[at].as_bytes();
        assert!(!name.is_empty(), "a field's name is empty");
        let mut byte = 0;
        while byte < name.len() {
            assert!(is_tchar(name[byte]), "a field's name is a token, as Content-Type: write the names one by one");
            byte += 1;
        }
        at += 1;
    }
}

/// Whether browsers write an origin that way: HTML standard, section 7.1.1 (serialization of an origin).
const fn is_origin(origin: &[u8]) -> bool {
    let mut scheme = 0;
    while scheme < origin.len() && (origin[scheme].is_ascii_lowercase() || origin[scheme].is_ascii_digit()) {
        scheme += 1;
    }
    let Some((before, host)) = origin.split_at_checked(scheme + 3) else { return false };
    let (name, separator) = before.split_at(scheme);
    if name.is_empty() || host.is_empty() || !matches!(separator, b"://") {
        return false;
    }
    let mut at = 0;
    while at < host.len() {
        if !matches!(host[at], b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b':' | b'[' | b']') {
            return false;
        }
        at += 1;
    }
    let is_own_port = match name {
        b"http" => matches!(host, [.., b':', b'8', b'0']),
        b"https" => matches!(host, [.., b':', b'4', b'4', b'3']),
        _ => false,
    };
    !is_own_port && host[host.len() - 1] != b':'
}

/// What a preflight is to be answered.
struct Preflight<'m> {
    /// Tells the methods that the route has.
    methods: &'m dyn Fn(&mut dyn FnMut(&str)),
}

impl<O: Origins> Cors<O> {
    fn put<S>(
        &self,
        request: Option<&Request<'_, S>>,
        preflight: Option<&Preflight<'_>>,
        fields: &mut FieldWriter<'_>,
    ) {
        if !O::ANY {
            fields.field("Vary", "Origin");
        }
        let origin = request.and_then(|request| request.field("origin"));
        let Some(allowed) = (if O::ANY { Some("*") } else { origin.filter(|origin| self.origins.may(origin)) }) else {
            return;
        };
        fields.field("Access-Control-Allow-Origin", allowed);
        if self.credentials {
            fields.field("Access-Control-Allow-Credentials", "true");
        }
        let Some(preflight) = preflight else {
            put_list(fields, "Access-Control-Expose-Headers", self.exposed);
            return;
        };
        fields.list("Access-Control-Allow-Methods", &mut |tell| match self.methods {
            Some(methods) => {
                for method in methods {
                    tell(method.as_str());
                }
            }
            None => (preflight.methods)(tell),
        });
        match self.fields {
            RequestFields::Listed(names) => put_list(fields, "Access-Control-Allow-Headers", names),
            RequestFields::Any => {
                fields.field("Vary", "Access-Control-Request-Headers");
                let asked = request.and_then(|request| request.field("access-control-request-headers"));
                if let Some(asked) = asked.filter(|asked| !asked.is_empty()) {
                    fields.field("Access-Control-Allow-Headers", asked);
                }
            }
        }
        if let Some(seconds) = self.max_age_s {
            fields.field("Access-Control-Max-Age", decimal(seconds.into(), &mut [0; 20]));
        }
    }
}

fn put_list(fields: &mut FieldWriter<'_>, name: &str, items: &[&str]) {
    if !items.is_empty() {
        fields.list(name, &mut |tell| {
            for item in items {
                tell(item);
            }
        });
    }
}

/// A handler with the CORS protocol around it.
#[derive(Debug)]
pub struct WithCors<O, H> {
    cors: Cors<O>,
    handler: H,
}

impl<O, H> WithCors<O, H> {
    pub(crate) fn new(cors: Cors<O>, handler: H) -> Self {
        WithCors { cors, handler }
    }
}

impl<S, C: Origins, H: Handler<S>> Handler<S> for WithCors<C, H> {
    type Page = H::Page;

    const HAS_PAGES: bool = H::HAS_PAGES;

    const HAS_FIELDS: bool = true;

    passes_all!(H, self => self.handler);

    async fn handle<'r>(&self, request: &mut Request<'r, S>, responder: Responder<'r>) -> Result<Sent, Error> {
        let path = request.inner.routed();
        let methods = |tell: &mut dyn FnMut(&str)| self.handler.methods(path, tell);
        let mut preflight = None;
        if is_preflight(request) {
            let mut is_route = false;
            methods(&mut |_| is_route = true);
            preflight = is_route.then_some(Preflight { methods: &methods });
        }
        let shared = request.inner.shared();
        let mut put = |fields: &mut FieldWriter<'_>| {
            self.cors.put(Some(&*request), preflight.as_ref(), fields);
            Ok(())
        };
        shared.keep_fields(&mut put).await?;
        if preflight.is_some() {
            return responder.send(StatusCode::NO_CONTENT).await;
        }
        self.handler.handle(request, responder).await
    }

    fn preset(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        self.handler.preset(fields)?;
        fields.next_layer();
        self.cors.put(None::<&Request<'_, S>>, None, fields);
        Ok(())
    }

    fn error(&self, failed: &Failed<'_>) -> Option<H::Page> {
        self.handler.error(failed)
    }
}

/// Whether a browser asks what a page may: Fetch standard, section 3.3.2.
fn is_preflight<S>(request: &Request<'_, S>) -> bool {
    request.method() == Method::Options
        && request.field("origin").is_some()
        && request.field("access-control-request-method").is_some()
}

#[cfg(test)]
mod tests {
    use super::is_origin;

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        for (origin, wanted) in [
            ("https://a", true),
            ("https://app.example", true),
            ("http://localhost:5173", true),
            ("http://127.0.0.1:80800", true),
            ("http://[::1]:8080", true),
            ("http://a:443", true),
            ("https://a:80", true),
            ("capacitor://localhost", true),
            ("https://a:443", false),
            ("http://a:80", false),
            ("https://a:", false),
            ("https://a/", false),
            ("https://a/b", false),
            ("https://A", false),
            ("HTTPS://a", false),
            ("https://*.a", false),
            ("https://u@a", false),
            ("https://a b", false),
            ("https://", false),
            ("https:/", false),
            ("://a", false),
            ("a", false),
            ("*", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(is_origin(origin.as_bytes()), wanted, "{origin}");
        }
    }
}
