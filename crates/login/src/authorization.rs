//! Who a client says it is: the Authorization field, RFC 9110 section 11.6.2.

use core::fmt;

use base64ct::{Base64, Encoding as _};
use tenure::{Error, Request};
use tenure_proto::bytes::is_tchar;

use crate::{is_same, proof::Proof};

/// Who a client says it is: the value of its Authorization field (RFC 9110 section 11.6.2).
///
/// [`Basic`](crate::Basic), [`Bearer`](crate::Bearer) and [`Digest`](crate::Digest) read it for their routes and answer with what a client
/// must send. Read it yourself where one route takes several.
///
/// # Examples
/// A route for people and for programs:
/// ```
/// use tenure::{Error, Handler, Next, Request, Router, Sent, get, kit::Server};
/// use tenure_login::{Authorization, Basic, Bearer, is_same};
///
/// const PEOPLE: Basic = Basic::new("log");
/// const PROGRAMS: Bearer = Bearer::new("log");
///
/// async fn guard<'r, H: Handler<()>>(request: &mut Request<'r, ()>, next: Next<'_, 'r, H>) -> Result<Sent, Error> {
///     let may = match Authorization::of(request)? {
///         Some(Authorization::Basic(given)) => given.are("ada", "lovelace"),
///         Some(Authorization::Bearer(token)) => is_same(token, "6d9f"),
///         _ => false,
///     };
///     if may {
///         return next.run(request).await;
///     }
///     request.response_fields((PEOPLE, PROGRAMS)).await?;
///     Err(Error::unauthorized("log in, or send a token"))
/// }
///
/// async fn log(_: &mut Request<'_, ()>) -> &'static str {
///     "all is well"
/// }
///
/// let mut server = Server::new(Router::new().route("/log", get(log)).wrap(guard));
/// let client = server.connect();
/// let mut answer = |fields: &str| {
///     client.send(format!("GET /log HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
///     server.run();
///     client.received_text()
/// };
/// let challenge = answer("");
/// assert!(challenge.contains("\r\nWWW-Authenticate: Basic realm=\"log\", charset=\"UTF-8\"\r\n"));
/// assert!(challenge.contains("\r\nWWW-Authenticate: Bearer realm=\"log\"\r\n"));
/// assert!(answer("Authorization: Bearer 6d9f\r\n").ends_with("all is well"));
/// assert!(answer("Authorization: Basic YWRhOmxvdmVsYWNl\r\n").ends_with("all is well"));
/// ```
#[derive(Clone, Debug)]
pub enum Authorization<'r> {
    /// A name and a password (RFC 7617).
    Basic(Credentials),
    /// A token (RFC 6750).
    Bearer(&'r str),
    /// The proof of a password (RFC 7616): [`Digest::user`](crate::Digest::user) checks it.
    Digest(Proof<'r>),
    /// Another scheme, by its name, as it was sent.
    Other(&'r str),
}

/// An Authorization field cannot be read. As an [`Error`] it is a 400; the session stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthorizationError {
    /// There are two fields.
    Twice,
    /// The field is not UTF-8.
    NotText,
    /// It does not begin with the name of a scheme.
    NoScheme,
    /// Nothing stands behind the scheme's name.
    Nothing,
    /// What stands behind `Basic` is not base64.
    NotBase64,
    /// Name and password are too long for [`Credentials`].
    TooLong,
    /// Name and password are not UTF-8.
    CredentialsNotText,
    /// There is no colon between name and password.
    NoColon,
    /// Name or password have a control character.
    Control,
    /// What stands behind `Bearer` is no token.
    NotToken,
    /// What stands behind `Digest` is no list of parameters.
    NoParameters,
    /// This parameter of Digest stands twice.
    ParameterTwice(&'static str),
    /// This parameter of Digest is missing.
    ParameterMissing(&'static str),
    /// This parameter of Digest has a value that it must not have.
    ParameterInvalid(&'static str),
    /// Digest by another algorithm than SHA-256. A client that names none means MD5.
    Algorithm,
    /// Digest of another quality of protection than `auth`.
    Protection,
    /// Digest with a hash in the name's place, which was not offered.
    HashedName,
}

impl AuthorizationError {
    /// What is wrong, and what is taken.
    pub const fn reason(&self) -> &'static str {
        match self {
            AuthorizationError::Twice => "Authorization stands twice: send it once",
            AuthorizationError::NotText => "Authorization is not UTF-8",
            AuthorizationError::NoScheme => "Authorization begins with a scheme, as Basic, and a blank",
            AuthorizationError::Nothing => "nothing stands behind the scheme of Authorization",
            AuthorizationError::NotBase64 => {
                "Basic takes base64 with its padding: of the name, a colon and the password"
            }
            AuthorizationError::TooLong => "name and password are too long: at most 255 bytes with the colon between",
            AuthorizationError::CredentialsNotText => "name and password are not UTF-8",
            AuthorizationError::NoColon => "a colon stands between name and password",
            AuthorizationError::Control => "a name or a password has a control character",
            AuthorizationError::NotToken => "a Bearer token has letters, digits and -._~+/ and may end with =",
            AuthorizationError::NoParameters => "Digest takes name=value or name=\"value\", with commas between",
            AuthorizationError::ParameterTwice(_) => "a parameter of Digest stands twice",
            AuthorizationError::ParameterMissing(_) => {
                "a parameter of Digest is missing: username, realm, nonce, uri, response, qop, nc and cnonce must stand"
            }
            AuthorizationError::ParameterInvalid(_) => {
                "a parameter of Digest is invalid: response has 64 hexadecimal digits, nc has 8 and is not 0, the others are short text"
            }
            AuthorizationError::Algorithm => {
                "Digest takes algorithm=SHA-256 alone: MD5, which no algorithm means, is broken"
            }
            AuthorizationError::Protection => "Digest takes qop=auth alone",
            AuthorizationError::HashedName => "Digest takes names as they are: userhash was not offered",
        }
    }
}

impl fmt::Display for AuthorizationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuthorizationError::ParameterTwice(name) => write!(f, "{name} of Digest stands twice"),
            AuthorizationError::ParameterMissing(name) => write!(f, "{name} of Digest is missing"),
            AuthorizationError::ParameterInvalid(name) => {
                write!(f, "{name} of Digest is invalid: ")?;
                f.write_str(match *name {
                    "response" => "it has 64 hexadecimal digits",
                    "nc" => "it has 8 hexadecimal digits and is not 0",
                    "username" => "it has 1 to 64 bytes of UTF-8 without control characters",
                    "username*" => "it is UTF-8'' and percent-encoded text of 1 to 64 bytes",
                    "cnonce" => "it has 1 to 128 bytes without escapes",
                    _ => "it is not what was offered",
                })
            }
            _ => f.write_str(self.reason()),
        }
    }
}

impl core::error::Error for AuthorizationError {}

impl From<AuthorizationError> for Error {
    #[cold]
    fn from(error: AuthorizationError) -> Self {
        let plain = Error::bad_request(error.reason());
        match error {
            AuthorizationError::ParameterTwice(_)
            | AuthorizationError::ParameterMissing(_)
            | AuthorizationError::ParameterInvalid(_) => plain.because(error),
            _ => plain,
        }
    }
}

impl<'r> Authorization<'r> {
    /// Who the request's client says it is; `None`: it does not say.
    ///
    /// # Errors
    /// What it says cannot be read, or stands twice.
    pub fn of<S>(request: &Request<'r, S>) -> Result<Option<Self>, AuthorizationError> {
        let mut fields = request.fields().filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let Some((_, value)) = fields.next() else { return Ok(None) };
        if fields.next().is_some() {
            return Err(AuthorizationError::Twice);
        }
        let value = str::from_utf8(value).map_err(|_| AuthorizationError::NotText)?;
        Authorization::parse(value).map(Some)
    }

    /// Reads the value of an Authorization field. Never panics.
    ///
    /// # Errors
    /// It is not what RFC 9110 section 11.4, RFC 7617, RFC 6750 or RFC 7616 allow.
    ///
    /// # Examples
    /// ```
    /// use tenure_login::{Authorization, AuthorizationError};
    ///
    /// let given = Authorization::parse("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    /// assert!(matches!(given, Ok(Authorization::Basic(given)) if given.user() == "Aladdin" && given.password() == "open sesame"));
    /// assert_eq!(Authorization::parse("Basic QWxh").unwrap_err(), AuthorizationError::NoColon);
    /// ```
    pub fn parse(value: &'r str) -> Result<Self, AuthorizationError> {
        let (scheme, given) = value.split_once(' ').unwrap_or((value, ""));
        if scheme.is_empty() || !scheme.bytes().all(is_tchar) {
            return Err(AuthorizationError::NoScheme);
        }
        let given = given.trim_matches(' ');
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        if !(is("basic") || is("bearer") || is("digest")) {
            return Ok(Authorization::Other(scheme));
        }
        if given.is_empty() {
            return Err(AuthorizationError::Nothing);
        }
        if is("basic") {
            Credentials::parse(given).map(Authorization::Basic)
        } else if is("digest") {
            Proof::parse(given).map(Authorization::Digest)
        } else if is_token(given) {
            Ok(Authorization::Bearer(given))
        } else {
            Err(AuthorizationError::NotToken)
        }
    }
}

/// RFC 6750 section 2.1: `b64token`.
fn is_token(text: &str) -> bool {
    let token = text.trim_end_matches('=');
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !token.is_empty() && token.bytes().all(is_of_token)
}

/// A name and a password, as a client has sent them by Basic (RFC 7617). Its `Debug` shows no password.
#[derive(Clone)]
pub struct Credentials {
    text: heapless::String<{ Credentials::BYTES_MAX }>,
    colon: usize,
}

impl Credentials {
    /// Bytes of name, colon and password at the most.
    pub const BYTES_MAX: usize = 255;

    /// Of base64, RFC 7617 section 2.
    fn parse(encoded: &str) -> Result<Self, AuthorizationError> {
        // Whatever decodes to the bound fits, padding included.
        let mut bytes = [0; Credentials::BYTES_MAX];
        if encoded.len() > bytes.len().div_ceil(3) * 4 {
            return Err(AuthorizationError::TooLong);
        }
        let bytes = Base64::decode(encoded, &mut bytes).map_err(|_| AuthorizationError::NotBase64)?;
        let text = str::from_utf8(bytes).map_err(|_| AuthorizationError::CredentialsNotText)?;
        let colon = text.find(':').ok_or(AuthorizationError::NoColon)?;
        if text.chars().any(char::is_control) {
            return Err(AuthorizationError::Control);
        }
        let text = text.try_into().map_err(|_| AuthorizationError::TooLong)?;
        Ok(Credentials { text, colon })
    }

    /// The name. It has no colon; it may be empty.
    pub fn user(&self) -> &str {
        self.text.get(..self.colon).unwrap_or_default()
    }

    /// The password, which may be empty. Compare it by [`are`](Credentials::are) or [`is_same`], or give it to a
    /// slow hash such as Argon2: `==` takes longer the more of it is right.
    pub fn password(&self) -> &str {
        self.text.get(self.colon + 1..).unwrap_or_default()
    }

    /// Whether they are these, in a time that tells nothing of them.
    pub fn are(&self, user: &str, password: &str) -> bool {
        is_same(self.user(), user) & is_same(self.password(), password)
    }

    /// The name of the account that they are of, among these, each a name and a password. All are compared, in a time that does not tell
    /// whether one has that name.
    ///
    /// # Examples
    /// ```
    /// use tenure_login::{Authorization, AuthorizationError};
    ///
    /// let accounts = [("ada", "lovelace"), ("Aladdin", "open sesame")];
    /// if let Authorization::Basic(given) = Authorization::parse("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")? {
    ///     assert_eq!(given.among(&accounts), Some("Aladdin"));
    /// }
    /// # Ok::<(), AuthorizationError>(())
    /// ```
    pub fn among<'a>(&self, accounts: &[(&'a str, &str)]) -> Option<&'a str> {
        let mut found = None;
        for (user, password) in accounts {
            if self.are(user, password) {
                found = Some(*user);
            }
        }
        found
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?}, ..)", self.user())
    }
}
