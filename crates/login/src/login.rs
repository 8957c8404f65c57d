//! Who is logged in on a connection: the socket is the login.

use tenure::{Error, FieldWriter, Handler, IntoFields, NEVER, Next, Request, Sent};

use crate::digest::Count;

/// Bytes of a user's name at the most.
pub const USER_BYTES_MAX: usize = 64;

/// The name of a user.
pub type UserName = heapless::String<USER_BYTES_MAX, u8>;

/// Seconds that a login can be valid at the most, if it is not valid for as long as its connection: 24 days. The port's clock has
/// milliseconds in 32 bits.
pub const VALID_S_MAX: u32 = (u32::MAX / 2) / 1_000;

/// Who is logged in on a connection, since when and for how long: a part of the application's session, which the session
/// lends by [`HasLogin`]. At first nobody is.
///
/// It ends when the connection does, at the latest: there is no token to steal, guess or forget. It is for programs that keep their
/// socket. A browser has several sockets to one server and closes them as it likes: it needs a [`SignedCookie`](crate::SignedCookie).
/// Behind a proxy that sends many clients' requests over one connection (one of HTTP, not of TCP) this login would be all those
/// clients': do not use it there.
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// Empty: nobody.
    user: UserName,
    since_ms: u32,
    valid_ms: u32,
    count: Count,
}

impl Login {
    /// Logs somebody in from `now_ms` on ([`Request::arrived_ms`]), for `valid_s` seconds; with [`NEVER`], for as long as the connection.
    ///
    /// # Errors
    /// 422 where the name is empty or has more than [`USER_BYTES_MAX`] bytes, 500 where `valid_s` is 0 or more than [`VALID_S_MAX`]. Nothing has changed then.
    pub fn enter(&mut self, user: &str, now_ms: u32, valid_s: u32) -> Result<(), Error> {
        if user.is_empty() || user.len() > USER_BYTES_MAX {
            return Err(Error::unprocessable("a user's name has 1 to 64 bytes"));
        }
        let valid_ms = match valid_s {
            NEVER => NEVER,
            1..=VALID_S_MAX => valid_s * 1_000,
            _ => {
                return Err(Error::internal(
                    "a login is valid for 1 to 2,147,483 seconds, or as long as its connection",
                ));
            }
        };
        self.user = user.try_into().map_err(|_| Error::internal("a user's name has 1 to 64 bytes"))?;
        (self.since_ms, self.valid_ms) = (now_ms, valid_ms);
        Ok(())
    }

    /// Logs out. Returns whether somebody was logged in.
    pub fn leave(&mut self) -> bool {
        let was = !self.user.is_empty();
        self.user.clear();
        was
    }

    /// Who is logged in at that time ([`Request::arrived_ms`]).
    ///
    /// The clock wraps after 49 days. On a connection that lives that long, a login that has expired counts as valid again, for as long as
    /// it was. Where that may happen, [`leave`](Login::leave) or close the connection once the login has expired.
    pub fn user(&self, now_ms: u32) -> Option<&str> {
        let is_valid = self.valid_ms == NEVER || now_ms.wrapping_sub(self.since_ms) < self.valid_ms;
        (is_valid && !self.user.is_empty()).then_some(&self.user)
    }

    /// When that was, by the port's clock.
    pub fn since_ms(&self) -> u32 {
        self.since_ms
    }

    pub(crate) fn count_mut(&mut self) -> &mut Count {
        &mut self.count
    }
}

/// A session that has a [`Login`] in it.
///
/// # Examples
/// ```
/// use tenure::{EndReason, Session};
/// use tenure_login::{HasLogin, Login};
///
/// #[derive(Default)]
/// struct Visit {
///     login: Login,
///     seen: u32,
/// }
///
/// impl HasLogin for Visit {
///     fn login(&self) -> &Login {
///         &self.login
///     }
///
///     fn login_mut(&mut self) -> &mut Login {
///         &mut self.login
///     }
/// }
///
/// impl Session for Visit {
///     fn end(self, reason: EndReason) {
///         log::info!("{} targets were seen: {reason}", self.seen);
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no session that has a login in it",
    label = "has no `Login`",
    note = "put a `tenure_login::Login` into the session and implement `HasLogin` for it, which lends that"
)]
pub trait HasLogin: Default {
    /// The login.
    fn login(&self) -> &Login;

    /// The login, to change.
    fn login_mut(&mut self) -> &mut Login;
}

/// The session that has just a login in it, for applications that have nothing else there.
impl HasLogin for Login {
    fn login(&self) -> &Login {
        self
    }

    fn login_mut(&mut self) -> &mut Login {
        self
    }
}

impl tenure::Session for Login {
    fn end(self, _: tenure::EndReason) {}
}

/// Logs somebody in on the request's connection, for `valid_s` seconds; with [`NEVER`], for as long as the connection. Makes the
/// session where there is none. The caller has checked that they are who they say.
///
/// # Errors
/// As [`Login::enter`].
///
/// # Examples
/// ```
/// use tenure::{Error, NEVER, Request, Router, get, kit::Server, post};
/// use tenure_login::{Login, is_same, log_in, log_out, require, user};
///
/// async fn enter(request: &mut Request<'_, Login>) -> Result<&'static str, Error> {
///     let word = request.body().limit(64).whole().await?;
///     if !is_same(word, "open sesame") {
///         return Err(Error::forbidden("that is not the word"));
///     }
///     log_in(request, "Aladdin", NEVER)?;
///     Ok("welcome")
/// }
///
/// async fn leave(request: &mut Request<'_, Login>) -> &'static str {
///     log_out(request);
///     "bye"
/// }
///
/// async fn treasure(request: &mut Request<'_, Login>) -> Result<String, Error> {
///     Ok(format!("{}'s gold", user(request)?))
/// }
///
/// let cave = Router::new().route("/treasure", get(treasure)).wrap(require);
/// let app = Router::new().route("/enter", post(enter)).route("/leave", post(leave)).nest("/cave", cave);
/// let mut server = Server::new(app);
/// let (ali, thief) = (server.connect(), server.connect());
/// let mut answer = |client: &tenure::kit::Client, line: &str, body: &str| {
///     client.send(format!("{line} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
///     server.run();
///     client.received_text()
/// };
/// assert!(answer(&ali, "GET /cave/treasure", "").starts_with("HTTP/1.1 401 "));
/// assert!(answer(&ali, "POST /enter", "open sesame").ends_with("welcome"));
/// assert!(answer(&ali, "GET /cave/treasure", "").ends_with("Aladdin's gold"));
/// assert!(answer(&thief, "GET /cave/treasure", "").starts_with("HTTP/1.1 401 "));
/// assert!(answer(&ali, "POST /leave", "").ends_with("bye"));
/// assert!(answer(&ali, "GET /cave/treasure", "").starts_with("HTTP/1.1 401 "));
/// ```
pub fn log_in<S: HasLogin>(request: &mut Request<'_, S>, user: &str, valid_s: u32) -> Result<(), Error> {
    let now_ms = request.arrived_ms();
    let mut login = request.session().map_or_else(Login::default, |session| session.login().clone());
    // Before a session is made.
    login.enter(user, now_ms, valid_s)?;
    *request.session_or_insert_with(S::default).login_mut() = login;
    Ok(())
}

/// Logs out whoever is logged in on the request's connection, and returns whether somebody was. The session stays, with what else is in it.
pub fn log_out<S: HasLogin>(request: &mut Request<'_, S>) -> bool {
    request.session_mut().is_some_and(|session| session.login_mut().leave())
}

/// Who is logged in on the request's connection. Behind [`require`] somebody is.
///
/// # Errors
/// 401: nobody is.
pub fn user<'a, S: HasLogin>(request: &'a Request<'_, S>) -> Result<&'a str, Error> {
    let now_ms = request.arrived_ms();
    let login = request.session().map(HasLogin::login);
    login.and_then(|login| login.user(now_ms)).ok_or(Error::unauthorized("log in first"))
}

/// A middleware that lets only requests through on whose connection somebody is logged in: `router.wrap(require)`. Others are answered
/// 401. Show the form there, as the page of that status: [`Router::error`](tenure::Router::error).
///
/// The 401 has the challenge that RFC 9110 section 15.5.2 demands, `Session`: of a scheme that no browser has a dialog for.
///
/// # Errors
/// 401: nobody is logged in; or the handler's.
///
/// # Cancellation safety
/// That of the handler.
pub async fn require<'r, S: HasLogin, H: Handler<S>>(
    request: &mut Request<'r, S>,
    next: Next<'_, 'r, H>,
) -> Result<Sent, Error> {
    if let Err(error) = user(request).map(|_| ()) {
        return Err(crate::schemes::refuse(request, Challenge, error).await);
    }
    next.run(request).await
}

/// No more than that there is one.
struct Challenge;

impl IntoFields for Challenge {
    fn put(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        fields.field("WWW-Authenticate", "Session");
        Ok(())
    }
}
