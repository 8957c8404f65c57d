//! A login by cookie, which the server signs and does not store.

use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use tenure::{Error, Request, SameSite, SetCookie};

use crate::{
    Key,
    key::{TAG_BYTES, is_same_tag},
};

/// Bytes of the time at which a cookie expires.
const TIME_BYTES: usize = 8;
/// Bytes of a cookie before it is encoded, at the most.
const BYTES_MAX: usize = TIME_BYTES + SignedCookie::VALUE_BYTES_MAX + TAG_BYTES;
const TEXT_BYTES_MAX: usize = (BYTES_MAX * 4).div_ceil(3);
/// Cookies of that name that a request may have: a browser sends those of several paths.
const SAME_NAME_MAX: usize = 4;

/// What a signed cookie is set to: base64url of the time at which it expires, the value, and their signature.
pub type CookieText = heapless::String<TEXT_BYTES_MAX>;

/// A cookie that this server has made, and that nobody else can make or change: a value, a time at which it expires, and the HMAC-SHA-256 of
/// both and of the cookie's name. It is for browsers, which have several sockets to one server, and for logins that outlive a
/// connection or a restart.
///
/// Scripts do not see it (`HttpOnly`), requests that another site causes do not carry it (`SameSite=Lax`: except for a link that a person
/// follows), and it is for the whole site. Behind TLS call [`secure`](SignedCookie::secure); without TLS anyone who listens has the
/// cookie, and is logged in.
///
/// Everybody who has it can read the value: it is signed, not encrypted. A logout removes it from the browser; a copy stays valid until it
/// expires, because the server keeps nothing. Make it valid for a short time and [renew](SignedCookie::renewed) it; or let its value be
/// a key of a table of your own, from which you remove it.
///
/// Times are seconds since 1970 and come from the caller: from the system's clock, on a board from SNTP, in a test from the test. A board that
/// does not know the time yet refuses (503) instead of saying 0: then each cookie that was ever signed would count.
///
/// # Examples
/// ```
/// use tenure::{Error, Redirect, Request, Router, SetCookie, get, kit::Server, post, with};
/// use tenure_login::{CookieText, Key, SignedCookie};
///
/// fn now_s() -> u64 {
///     1_700_000_000 // std::time::SystemTime::now()…
/// }
///
/// async fn enter(cookie: &SignedCookie, _: &mut Request<'_, ()>) -> Result<(SetCookie<CookieText>, &'static str), Error> {
///     Ok((cookie.set("ada", now_s())?, "welcome")) // the password was right
/// }
///
/// async fn who(cookie: &SignedCookie, request: &mut Request<'_, ()>) -> Result<String, Error> {
///     let login = cookie.of(request, now_s())?;
///     Ok(format!("you are {}", login.value()))
/// }
///
/// async fn leave(cookie: &SignedCookie, _: &mut Request<'_, ()>) -> (SetCookie<&'static str>, Redirect<&'static str>) {
///     (cookie.gone(), Redirect::see_other("/"))
/// }
///
/// # let random = [7; 32];
/// let cookie = SignedCookie::new("login", Key::of(random)).valid_s(8 * 3_600);
/// # let cookie: &'static SignedCookie = Box::leak(Box::new(cookie));
/// # /*
/// let cookie = &cookie;
/// # */
/// let app = Router::new().route("/enter", post(with(cookie, enter))).route("/", get(with(cookie, who))).route("/leave", post(with(cookie, leave)));
/// let mut server = Server::new(app);
/// let client = server.connect();
/// client.send("POST /enter HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
/// server.run();
/// let answer = client.received_text();
/// let (_, text) = answer.split_once("\r\nSet-Cookie: login=").unwrap();
/// let (text, attributes) = text.split_once("; ").unwrap();
/// assert!(attributes.starts_with("Path=/; Max-Age=28800; HttpOnly; SameSite=Lax\r\n"));
///
/// let other_socket = server.connect();
/// other_socket.send(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: login={text}\r\n\r\n"));
/// server.run();
/// assert!(other_socket.received_text().ends_with("you are ada"));
/// ```
#[derive(Clone, Debug)]
pub struct SignedCookie {
    name: &'static str,
    key: Key,
    before: Option<Key>,
    valid_s: u32,
    path: &'static str,
    same_site: SameSite,
    secure: bool,
}

/// A request has no cookie of this server's that counts. As an [`Error`] it is a 401; the session stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieError {
    /// It has none of that name.
    Missing,
    /// It is too long, or not base64url of a time, a value and a signature.
    Malformed,
    /// The signature is wrong: it was made or changed by somebody else, for another name, or by a key that is no longer known.
    Forged,
    /// This server has made it, and it has expired.
    Expired,
}

/// What a cookie says that this server has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    value: heapless::String<{ SignedCookie::VALUE_BYTES_MAX }>,
    expires_s: u64,
}

impl Signed {
    /// The value.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// When it expires: seconds since 1970. At that second it does not count any more.
    pub fn expires_s(&self) -> u64 {
        self.expires_s
    }
}

impl SignedCookie {
    /// Bytes of a value at the most.
    pub const VALUE_BYTES_MAX: usize = 128;

    /// A cookie of that name, signed by that key. It is valid for an hour unless [`valid_s`](SignedCookie::valid_s) says otherwise.
    pub const fn new(name: &'static str, key: Key) -> Self {
        SignedCookie { name, key, before: None, valid_s: 3_600, path: "/", same_site: SameSite::Lax, secure: false }
    }

    /// Also takes cookies that the previous key has signed, so the key can be changed without logging anybody out. Leave it out once all of
    /// its cookies have expired.
    #[must_use]
    pub const fn key_before(mut self, key: Key) -> Self {
        self.before = Some(key);
        self
    }

    /// For how many seconds it is valid.
    ///
    /// # Panics
    /// When it is 0. In a `const` that is an error of compilation.
    #[must_use]
    pub const fn valid_s(mut self, seconds: u32) -> Self {
        assert!(seconds > 0, "a cookie is valid for at least a second");
        self.valid_s = seconds;
        self
    }

    /// Only for targets below that path.
    #[must_use]
    pub const fn path(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    /// Whether requests that another site has caused carry it.
    #[must_use]
    pub const fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Only over TLS. Begin its name with `__Host-` then: no other host can set it.
    #[must_use]
    pub const fn secure(mut self) -> Self {
        self.secure = true;
        self
    }

    /// The cookie of that value, from now on.
    ///
    /// # Errors
    /// 500: the value has more than [`VALUE_BYTES_MAX`](SignedCookie::VALUE_BYTES_MAX) bytes.
    pub fn set(&self, value: &str, now_s: u64) -> Result<SetCookie<CookieText>, Error> {
        let text = self.signed(value, now_s.saturating_add(self.valid_s.into()));
        let text = text.ok_or(Error::internal("the value of a signed cookie has at most 128 bytes"))?;
        Ok(self.cookie(text).max_age(self.valid_s))
    }

    /// What the request's cookie says: of several of that name the first that counts.
    ///
    /// # Errors
    /// There is none that counts. Where there are several, why the last of the first four does not.
    pub fn of<S>(&self, request: &Request<'_, S>, now_s: u64) -> Result<Signed, CookieError> {
        let mut why = CookieError::Missing;
        for (_, text) in request.cookies().filter(|(name, _)| *name == self.name).take(SAME_NAME_MAX) {
            match self.read(text, now_s) {
                Ok(signed) => return Ok(signed),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    /// What a cookie of that text says. Never panics.
    ///
    /// # Errors
    /// It does not count.
    pub fn read(&self, text: &str, now_s: u64) -> Result<Signed, CookieError> {
        let mut bytes = [0; BYTES_MAX];
        if text.len() > TEXT_BYTES_MAX {
            return Err(CookieError::Malformed);
        }
        let bytes = Base64UrlUnpadded::decode(text, &mut bytes).map_err(|_| CookieError::Malformed)?;
        let (signed, tag) = bytes.split_last_chunk::<TAG_BYTES>().ok_or(CookieError::Malformed)?;
        let (time, value) = signed.split_first_chunk::<TIME_BYTES>().ok_or(CookieError::Malformed)?;
        let is_by = |key: &Key| is_same_tag(tag, &self.tag(key, time, value));
        if !(is_by(&self.key) | self.before.as_ref().is_some_and(is_by)) {
            return Err(CookieError::Forged);
        }
        let expires_s = u64::from_be_bytes(*time);
        if expires_s <= now_s {
            return Err(CookieError::Expired);
        }
        let value = str::from_utf8(value).ok().and_then(|value| value.try_into().ok());
        value.map(|value| Signed { value, expires_s }).ok_or(CookieError::Malformed)
    }

    /// The same cookie for as long as a new one, where at most half of its time is left: to be added to the response, so that whoever
    /// comes back stays logged in.
    ///
    /// # Examples
    /// ```
    /// use tenure::{Error, Handler, Next, Request, Sent};
    /// use tenure_login::SignedCookie;
    ///
    /// # fn now_s() -> u64 { 0 }
    /// /// Lets those through who have the cookie: `router.wrap(async |request, next| guard(&cookie, request, next).await)`.
    /// async fn guard<'r, H: Handler<()>>(
    ///     cookie: &SignedCookie,
    ///     request: &mut Request<'r, ()>,
    ///     next: Next<'_, 'r, H>,
    /// ) -> Result<Sent, Error> {
    ///     let login = cookie.of(request, now_s())?;
    ///     request.response_fields(cookie.renewed(&login, now_s())).await?;
    ///     next.run(request).await
    /// }
    /// ```
    pub fn renewed(&self, signed: &Signed, now_s: u64) -> Option<SetCookie<CookieText>> {
        let left_s = signed.expires_s.saturating_sub(now_s);
        if left_s > u64::from(self.valid_s / 2) { None } else { self.set(&signed.value, now_s).ok() }
    }

    /// Makes the browser forget it.
    pub const fn gone(&self) -> SetCookie<&'static str> {
        self.cookie_of(SetCookie::gone(self.name))
    }

    fn cookie(&self, text: CookieText) -> SetCookie<CookieText> {
        let cookie = SetCookie::new(self.name, text).path(self.path).same_site(self.same_site);
        if self.secure { cookie.secure() } else { cookie }
    }

    const fn cookie_of(&self, cookie: SetCookie<&'static str>) -> SetCookie<&'static str> {
        let cookie = cookie.path(self.path).same_site(self.same_site);
        if self.secure { cookie.secure() } else { cookie }
    }

    fn signed(&self, value: &str, expires_s: u64) -> Option<CookieText> {
        let time = expires_s.to_be_bytes();
        let tag = self.tag(&self.key, &time, value.as_bytes());
        let mut bytes = heapless::Vec::<u8, BYTES_MAX>::new();
        for part in [&time[..], value.as_bytes(), &tag] {
            bytes.extend_from_slice(part).ok()?;
        }
        let mut text = [0; TEXT_BYTES_MAX];
        Base64UrlUnpadded::encode(&bytes, &mut text).ok()?.try_into().ok()
    }

    fn tag(&self, key: &Key, time: &[u8], value: &[u8]) -> [u8; TAG_BYTES] {
        // The name's length keeps it apart from what follows, whose last part alone has no fixed length.
        key.sign(&[b"cookie", &(self.name.len() as u64).to_be_bytes(), self.name.as_bytes(), time, value])
    }
}

impl CookieError {
    /// What is wrong.
    pub const fn reason(&self) -> &'static str {
        match self {
            CookieError::Missing => "log in first",
            CookieError::Malformed | CookieError::Forged => "the cookie is not of this server's making: log in again",
            CookieError::Expired => "the login has expired: log in again",
        }
    }
}

impl fmt::Display for CookieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for CookieError {}

impl From<CookieError> for Error {
    fn from(error: CookieError) -> Self {
        Error::unauthorized(error.reason())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::{
        format,
        string::{String, ToString},
    };

    use super::*;

    const NOW_S: u64 = 1_700_000_000;

    fn key(byte: u8) -> Key {
        Key::of([byte; 32])
    }

    fn text(cookie: &SignedCookie, value: &str) -> String {
        cookie.signed(value, NOW_S + 10).unwrap().to_string()
    }

    #[test]
    fn what_was_signed_is_read_until_it_expires() {
        let cookie = SignedCookie::new("a", key(1));
        for value in ["", "ada", "größe; \"1\"", &"x".repeat(128)] {
            let text = text(&cookie, value);
            for (now_s, wanted) in [
                (0, Ok(value)),
                (NOW_S + 9, Ok(value)),
                (NOW_S + 10, Err(CookieError::Expired)),
                (u64::MAX, Err(CookieError::Expired)),
            ] {
                let read = cookie.read(&text, now_s);
                assert_eq!(read.as_ref().map(Signed::value).map_err(|error| *error), wanted, "{value} {now_s}");
            }
        }
        assert!(cookie.set(&"x".repeat(128), NOW_S).is_ok());
        assert!(cookie.set(&"x".repeat(129), NOW_S).is_err());
        assert_eq!(cookie.signed(&"x".repeat(128), 0).unwrap().len(), TEXT_BYTES_MAX);
    }

    /// Each byte is changed to each other one of the alphabet, cut off, or doubled.
    #[test]
    fn what_was_changed_is_refused() {
        let cookie = SignedCookie::new("a", key(1));
        let text = text(&cookie, "ada");
        for at in 0..text.len() {
            assert!(cookie.read(&text[..at], 0).is_err(), "{at}");
            assert!(cookie.read(&format!("{}{}", &text[..at], &text[at + 1..]), 0).is_err(), "{at}");
            assert!(cookie.read(&format!("{}{}", &text[..=at], &text[at..]), 0).is_err(), "{at}");
            for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/".chars() {
                let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                assert!(changed == text || cookie.read(&changed, 0).is_err(), "{changed}");
            }
        }
        for wrong in ["", "A", "é", &"A".repeat(54), &"A".repeat(224), &"A".repeat(225), &"A".repeat(10_000)] {
            assert!(cookie.read(wrong, 0).is_err(), "{wrong}");
        }
        assert_eq!(cookie.read(&"A".repeat(53), 0), Err(CookieError::Malformed));
        assert_eq!(cookie.read(&"A".repeat(54), 0), Err(CookieError::Forged));
        assert_eq!(cookie.read(&"A".repeat(224), 0), Err(CookieError::Forged));
        assert_eq!(cookie.read(&"A".repeat(225), 0), Err(CookieError::Malformed));
    }

    #[test]
    fn it_is_of_one_name_and_of_keys_that_are_known() {
        let old = SignedCookie::new("a", key(1));
        let text = text(&old, "ada");
        for (cookie, wanted) in [
            (SignedCookie::new("a", key(1)), None),
            (SignedCookie::new("b", key(1)), Some(CookieError::Forged)),
            (SignedCookie::new("a", key(2)), Some(CookieError::Forged)),
            (SignedCookie::new("a", key(2)).key_before(key(1)), None),
            (SignedCookie::new("a", key(1)).key_before(key(2)), None),
            (SignedCookie::new("a", key(3)).key_before(key(2)), Some(CookieError::Forged)),
        ] {
            assert_eq!(cookie.read(&text, 0).err(), wanted, "{cookie:?}");
        }
        // New ones are of the new key.
        let new = SignedCookie::new("a", key(2)).key_before(key(1));
        assert_eq!(old.read(&self::text(&new, "ada"), 0), Err(CookieError::Forged));
    }

    #[test]
    fn it_is_renewed_once_half_of_its_time_is_over() {
        let cookie = SignedCookie::new("a", key(1)).valid_s(10);
        let signed = cookie.read(&text(&cookie, "ada"), NOW_S).unwrap();
        for (after_s, wanted) in [(0, false), (4, false), (5, true), (9, true)] {
            let renewed = cookie.renewed(&signed, NOW_S + after_s);
            assert_eq!(renewed, wanted.then(|| cookie.set("ada", NOW_S + after_s).unwrap()), "{after_s}");
        }
    }
}
