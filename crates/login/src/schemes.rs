//! Routes for those who send a password or a token with each request: RFC 7617 and RFC 6750.

use tenure::{Error, FieldWriter, IntoFields, Request, StatusCode};

use crate::{Authorization, Credentials};

const CHALLENGE: &str = "WWW-Authenticate";

/// Whether that text can stand between quotes without escapes.
const fn is_realm(realm: &str) -> bool {
    let bytes = realm.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !matches!(bytes[at], b' '..=b'~') || matches!(bytes[at], b'"' | b'\\') {
            return false;
        }
        at += 1;
    }
    !bytes.is_empty()
}

pub(crate) const fn checked_realm(realm: &'static str) -> &'static str {
    assert!(is_realm(realm), "a realm is ASCII text, not empty, without quotation marks and backslashes");
    realm
}

/// The error of a response that carries these fields.
pub(crate) async fn refuse<S>(request: &mut Request<'_, S>, fields: impl IntoFields, error: Error) -> Error {
    request.response_fields(fields).await.err().unwrap_or(error)
}

/// Basic (RFC 7617): each request has a name and a password, which whoever listens can read. Put TLS in front, or use
/// [`Digest`](crate::Digest) in a network of your own.
///
/// As [fields](IntoFields) of a response it is its challenge, `WWW-Authenticate`, by which browsers ask for name and password.
///
/// # Examples
/// ```
/// use tenure::{Error, Handler, Next, Request, Router, Sent, get, kit::Server};
/// use tenure_login::Basic;
///
/// const STAFF: Basic = Basic::new("staff");
///
/// async fn staff<'r, H: Handler<()>>(request: &mut Request<'r, ()>, next: Next<'_, 'r, H>) -> Result<Sent, Error> {
///     STAFF.login(request, |given| given.are("Aladdin", "open sesame").then_some(())).await?;
///     next.run(request).await
/// }
///
/// async fn treasure(_: &mut Request<'_, ()>) -> &'static str {
///     "gold"
/// }
///
/// let mut server = Server::new(Router::new().route("/treasure", get(treasure)).wrap(staff));
/// let client = server.connect();
/// let mut answer = |fields: &str| {
///     client.send(format!("GET /treasure HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
///     server.run();
///     client.received_text()
/// };
/// let refused = answer("");
/// assert!(refused.starts_with("HTTP/1.1 401 ") && refused.contains("\r\nWWW-Authenticate: Basic realm=\"staff\", charset=\"UTF-8\"\r\n"));
/// assert!(answer("Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n").ends_with("\r\n\r\ngold"));
/// ```
///
/// An invalid realm does not compile:
/// ```compile_fail,E0080
/// # use tenure_login::Basic;
/// const STAFF: Basic = Basic::new("\"staff\"");
/// # let _ = STAFF;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Basic {
    realm: &'static str,
}

impl Basic {
    /// For that realm, which browsers show to a person.
    ///
    /// # Panics
    /// When it is empty, not ASCII, or has quotation marks or backslashes. In a `const` that is an error of compilation.
    pub const fn new(realm: &'static str) -> Self {
        Basic { realm: checked_realm(realm) }
    }

    /// The name and password of the request, to be checked by the caller, who answers with [`refuse`](Basic::refuse) where they are wrong. It is
    /// for a check that takes long or waits, such as a slow hash on a thread of its own.
    ///
    /// # Errors
    /// 401 with the challenge where there is none; 400 where the field cannot be read.
    ///
    /// # Cancellation safety
    /// Safe.
    pub async fn credentials<S>(&self, request: &mut Request<'_, S>) -> Result<Credentials, Error> {
        match Authorization::of(request)? {
            Some(Authorization::Basic(credentials)) => Ok(credentials),
            _ => Err(refuse(request, self, Error::unauthorized("send a name and a password")).await),
        }
    }

    /// What `find` makes of name and password: the account that they are of, or `None`.
    ///
    /// # Errors
    /// 401 with the challenge where there are none, or `find` has found none; 400 where the field cannot be read.
    ///
    /// # Cancellation safety
    /// Safe.
    pub async fn login<S, T>(
        &self,
        request: &mut Request<'_, S>,
        find: impl FnOnce(&Credentials) -> Option<T>,
    ) -> Result<T, Error> {
        let credentials = self.credentials(request).await?;
        match find(&credentials) {
            Some(account) => Ok(account),
            None => Err(self.refuse(request).await),
        }
    }

    /// The answer to a wrong name or password: 401 with the challenge, by which a browser asks again.
    ///
    /// # Cancellation safety
    /// Safe.
    pub async fn refuse<S>(&self, request: &mut Request<'_, S>) -> Error {
        refuse(request, self, Error::unauthorized("the name or the password is wrong")).await
    }
}

impl IntoFields for Basic {
    fn put(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        // RFC 7617 section 2.1: clients encode what they send as UTF-8.
        fields.field_of(CHALLENGE, &[b"Basic realm=\"", self.realm.as_bytes(), b"\", charset=\"UTF-8\""]);
        Ok(())
    }
}

/// Bearer (RFC 6750): each request has a token, which whoever listens can read, and then has it: put TLS in front.
///
/// As [fields](IntoFields) of a response it is its challenge, `WWW-Authenticate`.
///
/// # Examples
/// ```
/// use tenure::{Error, Request, Router, get, kit::Server};
/// use tenure_login::{Bearer, is_same};
///
/// const API: Bearer = Bearer::new("api");
///
/// async fn state(request: &mut Request<'_, ()>) -> Result<&'static str, Error> {
///     let token = API.token(request).await?;
///     if !is_same(token, "6d9f") {
///         return Err(API.refuse(request).await);
///     }
///     Ok("on")
/// }
///
/// let mut server = Server::new(Router::new().route("/state", get(state)));
/// let client = server.connect();
/// let mut answer = |fields: &str| {
///     client.send(format!("GET /state HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
///     server.run();
///     client.received_text()
/// };
/// assert!(answer("").contains("\r\nWWW-Authenticate: Bearer realm=\"api\"\r\n"));
/// assert!(answer("Authorization: Bearer 6d9e\r\n").contains("\r\nWWW-Authenticate: Bearer realm=\"api\", error=\"invalid_token\"\r\n"));
/// assert!(answer("Authorization: Bearer 6d9f\r\n").ends_with("\r\n\r\non"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Bearer {
    realm: &'static str,
}

impl Bearer {
    /// For that realm.
    ///
    /// # Panics
    /// When it is empty, not ASCII, or has quotation marks or backslashes. In a `const` that is an error of compilation.
    pub const fn new(realm: &'static str) -> Self {
        Bearer { realm: checked_realm(realm) }
    }

    /// The token of the request, to be checked by the caller, who answers with [`refuse`](Bearer::refuse) where it is wrong.
    ///
    /// # Errors
    /// 401 with the challenge where there is none; 400 with the challenge and `invalid_request` where the field cannot be read (RFC 6750 section 3.1).
    ///
    /// # Cancellation safety
    /// Safe.
    pub async fn token<'r, S>(&self, request: &mut Request<'r, S>) -> Result<&'r str, Error> {
        match Authorization::of(request) {
            Ok(Some(Authorization::Bearer(token))) => Ok(token),
            Ok(_) => Err(refuse(request, self, Error::unauthorized("send a token")).await),
            Err(wrong) => Err(refuse(request, self.because(b"\", error=\"invalid_request\""), wrong.into()).await),
        }
    }

    /// The answer to a token that is wrong or too old: 401 with the challenge and `invalid_token`.
    ///
    /// # Cancellation safety
    /// Safe.
    pub async fn refuse<S>(&self, request: &mut Request<'_, S>) -> Error {
        let error = Error::unauthorized("the token is wrong, or too old");
        refuse(request, self.because(b"\", error=\"invalid_token\""), error).await
    }

    /// The answer to a token that does not grant this: 403 with the challenge and `insufficient_scope`.
    ///
    /// # Cancellation safety
    /// Safe.
    pub async fn forbid<S>(&self, request: &mut Request<'_, S>) -> Error {
        let error = Error::new(StatusCode::FORBIDDEN, "this token may not do that");
        refuse(request, self.because(b"\", error=\"insufficient_scope\""), error).await
    }

    fn because(self, why: &'static [u8]) -> BearerChallenge {
        BearerChallenge { realm: self.realm, why }
    }
}

impl IntoFields for Bearer {
    fn put(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        self.because(b"\"").put(fields)
    }
}

/// A challenge that says why, RFC 6750 section 3: behind the realm, its quote included.
struct BearerChallenge {
    realm: &'static str,
    why: &'static [u8],
}

impl IntoFields for BearerChallenge {
    fn put(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        fields.field_of(CHALLENGE, &[b"Bearer realm=\"", self.realm.as_bytes(), self.why]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::is_realm;

    #[test]
    fn a_realm_stands_between_quotes() {
        for (realm, wanted) in [
            ("a", true),
            ("the staff's (1)", true),
            ("~", true),
            ("", false),
            ("a\"", false),
            ("\\", false),
            ("a\nb", false),
            ("\u{7f}", false),
            ("é", false),
        ] {
            assert_eq!(is_realm(realm), wanted, "{realm:?}");
        }
    }
}
