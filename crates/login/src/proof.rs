//! The parameters of Digest: RFC 7616 section 3.4, by the grammar of RFC 9110 section 11.4.

use tenure_proto::bytes::{self, is_tchar};

use crate::{AuthorizationError, UserName, key::TAG_BYTES};

/// Bytes of a client's nonce at the most.
const CLIENT_NONCE_BYTES_MAX: usize = 128;

/// What a client has sent by Digest (RFC 7616 section 3.4): the proof that it knows a password, for one request.
///
/// [`Digest::user`](crate::Digest::user) checks it.
#[derive(Clone, Debug)]
pub struct Proof<'r> {
    user: UserName,
    pub(crate) realm: Quoted<'r>,
    pub(crate) nonce: &'r str,
    pub(crate) target: Quoted<'r>,
    pub(crate) response: [u8; TAG_BYTES],
    /// The count, and its digits.
    pub(crate) count: u32,
    pub(crate) count_digits: &'r str,
    pub(crate) client_nonce: &'r str,
}

/// What stands between quotes, escapes and all; or a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quoted<'r>(&'r str);

impl<'r> Quoted<'r> {
    /// Its bytes, unescaped.
    fn bytes(self) -> impl Iterator<Item = u8> + use<'r> {
        let mut bytes = self.0.bytes();
        core::iter::from_fn(move || match bytes.next()? {
            b'\\' => bytes.next(),
            byte => Some(byte),
        })
    }

    /// Whether that text was meant.
    pub(crate) fn is(self, text: &str) -> bool {
        self.bytes().eq(text.bytes())
    }

    /// Whether it is that text as it stands: what a client sends that escapes nothing.
    pub(crate) fn is_raw(self, text: &str) -> bool {
        self.0 == text
    }

    /// The text, where nothing in it is escaped.
    fn plain(self) -> Option<&'r str> {
        (!self.0.contains('\\')).then_some(self.0)
    }
}

/// The parameters that count, with whether RFC 7616 section 3.4 has them as a quoted string.
const NAMES: [&str; 11] =
    ["username", "username*", "realm", "nonce", "uri", "response", "qop", "nc", "cnonce", "algorithm", "userhash"];

impl<'r> Proof<'r> {
    /// Who the client says it is.
    pub fn user(&self) -> &str {
        &self.user
    }

    pub(crate) fn into_user(self) -> UserName {
        self.user
    }

    /// Reads what stands behind the scheme. Which parameters are quoted and which are tokens is not looked at (RFC 7616 section 3.4 lets
    /// few be either): clients differ.
    pub(crate) fn parse(given: &'r str) -> Result<Self, AuthorizationError> {
        let mut found: [Option<Quoted<'r>>; NAMES.len()] = [None; NAMES.len()];
        let mut parameters = Parameters(given);
        while let Some((name, value)) = parameters.next()? {
            // Others are passed over: RFC 7616 section 3.4.
            let Some(at) = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name)) else { continue };
            if found[at].replace(value).is_some() {
                return Err(AuthorizationError::ParameterTwice(NAMES[at]));
            }
        }
        let [user, extended, realm, nonce, target, response, protection, count, client_nonce, algorithm, hashed] =
            found;
        if !algorithm.is_some_and(|algorithm| algorithm.0.eq_ignore_ascii_case("SHA-256")) {
            return Err(AuthorizationError::Algorithm);
        }
        if hashed.is_some_and(|hashed| !hashed.0.eq_ignore_ascii_case("false")) {
            return Err(AuthorizationError::HashedName);
        }
        let missing = AuthorizationError::ParameterMissing;
        let invalid = AuthorizationError::ParameterInvalid;
        if !protection.ok_or(missing("qop"))?.0.eq_ignore_ascii_case("auth") {
            return Err(AuthorizationError::Protection);
        }
        let user = match (user, extended) {
            (Some(user), None) => name_of(user.bytes()).ok_or(invalid("username"))?,
            (None, Some(extended)) => extended_name(extended).ok_or(invalid("username*"))?,
            (Some(_), Some(_)) => return Err(AuthorizationError::ParameterTwice("username")),
            (None, None) => return Err(missing("username")),
        };
        let count_digits = count.ok_or(missing("nc"))?.0;
        let client_nonce = client_nonce.ok_or(missing("cnonce"))?.plain();
        let client_nonce = client_nonce.filter(|nonce| (1..=CLIENT_NONCE_BYTES_MAX).contains(&nonce.len()));
        Ok(Proof {
            user,
            realm: realm.ok_or(missing("realm"))?,
            nonce: nonce.ok_or(missing("nonce"))?.0,
            target: target.ok_or(missing("uri"))?,
            response: hash_of(response.ok_or(missing("response"))?.0).ok_or(invalid("response"))?,
            count: count_of(count_digits).ok_or(invalid("nc"))?,
            count_digits,
            client_nonce: client_nonce.ok_or(invalid("cnonce"))?,
        })
    }
}

/// A name of 1 to 64 bytes of UTF-8, without control characters.
fn name_of(bytes: impl Iterator<Item = u8>) -> Option<UserName> {
    let mut name = heapless::Vec::<u8, { crate::USER_BYTES_MAX }>::new();
    for byte in bytes {
        name.push(byte).ok()?;
    }
    let name = str::from_utf8(&name).ok()?;
    if name.is_empty() || name.chars().any(char::is_control) { None } else { name.try_into().ok() }
}

/// RFC 8187 section 3.2: `UTF-8''` and the text, percent-encoded. A language may stand between the quotes.
fn extended_name(value: Quoted<'_>) -> Option<UserName> {
    let (charset, rest) = value.0.split_once('\'')?;
    let (_, text) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("UTF-8") {
        return None;
    }
    let mut bytes = text.bytes();
    let mut broken = false;
    let name = name_of(core::iter::from_fn(|| match bytes.next()? {
        b'%' => {
            let mut digit = || bytes.next().and_then(bytes::hex);
            let byte = digit().zip(digit()).map(|(high, low)| high << 4 | low);
            broken |= byte.is_none();
            byte
        }
        byte => {
            broken |= !(byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte));
            Some(byte)
        }
    }));
    name.filter(|_| !broken)
}

/// RFC 7616 section 3.4: `nc-value`, 8 hexadecimal digits. The first request has 1.
fn count_of(digits: &str) -> Option<u32> {
    let is_count = digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|&count| is_count && count > 0)
}

fn hash_of(digits: &str) -> Option<[u8; TAG_BYTES]> {
    let mut hash = [0; TAG_BYTES];
    if digits.len() != 2 * TAG_BYTES {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = bytes::hex(pair[0])? << 4 | bytes::hex(pair[1])?;
    }
    Some(hash)
}

/// A list of `name=value`, RFC 9110 sections 5.6.1 and 11.2: empty elements, and blanks around `=`, are let through.
struct Parameters<'r>(&'r str);

impl<'r> Parameters<'r> {
    fn next(&mut self) -> Result<Option<(&'r str, Quoted<'r>)>, AuthorizationError> {
        let blanks: &[char] = &[' ', '\t'];
        let text = self.0.trim_start_matches([' ', '\t', ',']);
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = AuthorizationError::NoParameters;
        let (name, text) = token(text).ok_or(wrong)?;
        let text = text.trim_start_matches(blanks).strip_prefix('=').ok_or(wrong)?.trim_start_matches(blanks);
        let (value, text) = match text.strip_prefix('"') {
            Some(text) => quoted(text).ok_or(wrong)?,
            None => token(text).ok_or(wrong)?,
        };
        let text = text.trim_start_matches(blanks);
        if !text.is_empty() && !text.starts_with(',') {
            return Err(wrong);
        }
        self.0 = text;
        Ok(Some((name, Quoted(value))))
    }
}

/// The token at the front, and what stands behind it.
fn token(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !is_tchar(byte)).unwrap_or(text.len());
    if end == 0 { None } else { text.split_at_checked(end) }
}

/// What stands before the quote that ends a quoted string (RFC 9110 section 5.6.4), and what stands behind it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            0..=8 | 0xa..=0x1f | 0x7f => return None,
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Some((text.get(..at)?, text.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}
