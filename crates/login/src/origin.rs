//! Requests that another site's page has caused: cross-site request forgery.

use tenure::{Error, Handler, Method, Next, Request, Sent};

/// Refuses what a page of another origin makes a browser do here: requests of other methods than GET, HEAD and OPTIONS, as Go 1.25's
/// `CrossOriginProtection` does. Without a token, a cookie or a state.
///
/// A browser sends what it knows (a cookie, a password for Basic, a socket that is logged in) with requests that other sites cause, too. It
/// says where they come from:
///
/// | the request has | and is |
/// |---|---|
/// | the method GET, HEAD or OPTIONS | let through: what they do must change nothing |
/// | `Sec-Fetch-Site: same-origin` or `none` | let through |
/// | another `Sec-Fetch-Site` | refused, unless its `Origin` is allowed |
/// | no `Sec-Fetch-Site`, and an `Origin` of the host that it is for | let through |
/// | another `Origin` | refused, unless that is allowed |
/// | neither | let through: of no browser (all send one of them since 2020) |
///
/// To a server without TLS browsers send no `Sec-Fetch-Site`, but they send `Origin`. `Origin: null` and two of either field are refused.
///
/// It keeps out only browsers, and does nothing against a page of this site that runs what others have written. An attacker's name that
/// resolves to this server's address (DNS rebinding) makes its pages this server's origin: check [`Request::authority`] where that matters.
/// WebSockets begin with a GET; [`Upgrade`](tenure::Upgrade) checks their origin itself.
///
/// # Examples
/// [`same_origin`] is the middleware without exceptions; with some:
/// ```
/// use tenure::{Error, Handler, Next, Request, Router, Sent, kit::Server, post};
/// use tenure_login::CrossOrigin;
///
/// const ORIGINS: CrossOrigin = CrossOrigin::allow(&["https://app.example"]);
///
/// async fn guard<'r, H: Handler<()>>(request: &mut Request<'r, ()>, next: Next<'_, 'r, H>) -> Result<Sent, Error> {
///     ORIGINS.check(request)?;
///     next.run(request).await
/// }
///
/// let switch = async |_: &mut Request<'_, ()>| "switched";
/// let mut server = Server::new(Router::new().route("/switch", post(switch)).wrap(guard));
/// let client = server.connect();
/// for (origin, status) in [("http://lamp.local", 200), ("https://app.example", 200), ("https://evil.example", 403), ("null", 403)] {
///     client.send(format!("POST /switch HTTP/1.1\r\nHost: lamp.local\r\nOrigin: {origin}\r\nContent-Length: 0\r\n\r\n"));
///     server.run();
///     assert!(client.received_text().starts_with(&format!("HTTP/1.1 {status} ")));
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CrossOrigin {
    allowed: &'static [&'static str],
}

const REFUSED: Error = Error::forbidden("a page of another site has sent this: its origin is not allowed here");

impl CrossOrigin {
    /// Only pages of this origin may.
    pub const fn new() -> Self {
        CrossOrigin { allowed: &[] }
    }

    /// Pages of these origins may, too, written as browsers do: `https://app.example`, `http://localhost:5173`.
    ///
    /// # Panics
    /// When one is not written that way: without a scheme, with a path or a slash at its end, with capitals, with the port that its scheme
    /// means anyway. In a `const` that is an error of compilation.
    pub const fn allow(origins: &'static [&'static str]) -> Self {
        let mut at = 0;
        while at < origins.len() {
            assert!(
                is_origin(origins[at].as_bytes()),
                "an origin is a scheme, :// and a host in lower case, without a path or the scheme's own port: https://app.example"
            );
            at += 1;
        }
        CrossOrigin { allowed: origins }
    }

    /// Whether the request may go on, as far as its origin decides.
    ///
    /// # Errors
    /// 403: a page of another origin has caused it.
    pub fn check<S>(&self, request: &Request<'_, S>) -> Result<(), Error> {
        if matches!(request.method(), Method::Get | Method::Head | Method::Options) {
            return Ok(());
        }
        let origin = only(request, "origin")?;
        let is_same = match only(request, "sec-fetch-site")? {
            Some(site) => matches!(site, "same-origin" | "none"),
            None => match (origin, request.authority()) {
                (None, _) => true,
                (Some(origin), Some(host)) => host_of(origin).is_some_and(|of| of.eq_ignore_ascii_case(host)),
                (Some(_), None) => false,
            },
        };
        let is_allowed = is_same || origin.is_some_and(|origin| self.allowed.contains(&origin));
        if is_allowed { Ok(()) } else { Err(REFUSED) }
    }
}

/// A middleware that lets only pages of this origin change something, and whoever is no browser: `router.wrap(same_origin)`. See
/// [`CrossOrigin`].
///
/// # Errors
/// 403: a page of another origin has caused the request; or the handler's.
///
/// # Cancellation safety
/// That of the handler.
pub async fn same_origin<'r, S, H: Handler<S>>(
    request: &mut Request<'r, S>,
    next: Next<'_, 'r, H>,
) -> Result<Sent, Error> {
    CrossOrigin::new().check(request)?;
    next.run(request).await
}

/// The value of a field that stands once at the most.
fn only<'r, S>(request: &Request<'r, S>, name: &str) -> Result<Option<&'r str>, Error> {
    let mut values = request.fields().filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => str::from_utf8(value).map(Some).map_err(|_| REFUSED),
        (Some(_), Some(_)) => Err(REFUSED),
    }
}

/// The host, with its port, of an origin of the web.
fn host_of(origin: &str) -> Option<&str> {
    origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))
}

/// Whether browsers write an origin that way, as far as a slip would make it never match.
const fn is_origin(origin: &[u8]) -> bool {
    let mut at = 0;
    let mut host = 0;
    while at < origin.len() {
        match origin[at] {
            b':' if host == 0 && at > 0 => {
                let [_, b'/', b'/', _, ..] = origin.split_at(at).1 else { return false };
                host = at + 3;
                at += 2;
            }
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' => {}
            b'_' | b':' | b'[' | b']' if host > 0 => {}
            _ => return false,
        }
        at += 1;
    }
    // Browsers leave the scheme's own port out.
    host > 0 && !(stands_around(origin, b"http://", b":80") || stands_around(origin, b"https://", b":443"))
}

const fn stands_around(text: &[u8], begin: &[u8], end: &[u8]) -> bool {
    let mut at = 0;
    while at < begin.len() + end.len() {
        let (place, wanted) = if at < begin.len() {
            (at, begin[at])
        } else {
            (text.len() + at - begin.len() - end.len(), end[at - begin.len()])
        };
        if text.len() < begin.len() + end.len() || text[place] != wanted {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::is_origin;

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        for (origin, wanted) in [
            ("https://a", true),
            ("http://localhost:5173", true),
            ("http://[::1]:8080", true),
            ("capacitor://localhost", true),
            ("https://a:80", true),
            ("https://a:443", false),
            ("https://a:4430", true),
            ("http://a:443", true),
            ("http://[::1]:80", false),
            ("http://a:8080", true),
            ("http://:80", false),
            ("capacitor://a:80", true),
            ("https://", false),
            ("https:/a", false),
            ("https://a/", false),
            ("https://A", false),
            ("https://a b", false),
            ("://a", false),
            ("a", false),
            ("*", false),
            ("", false),
        ] {
            assert_eq!(is_origin(origin.as_bytes()), wanted, "{origin}");
        }
    }
}
