//! Proofs of a password that does not travel: HTTP Digest, RFC 7616.

use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use tenure::{ConnectionId, Error, FieldWriter, IntoFields, Request, Version};

use crate::{
    Authorization, HasLogin, Key, Proof, UserName,
    key::{TAG_BYTES, hex, is_same_tag, sha256},
    schemes::{checked_realm, refuse},
};

/// Bytes of a nonce's time, and of its signature: 128 bits of it.
const TIME_BYTES: usize = 4;
const SIGNATURE_BYTES: usize = 16;
const NONCE_BYTES: usize = TIME_BYTES + SIGNATURE_BYTES;
const NONCE_TEXT_BYTES: usize = (NONCE_BYTES * 4).div_ceil(3);

/// Digest (RFC 7616): each request proves that its client knows a password, and the password does not travel. `SHA-256` and `qop=auth`.
///
/// - A **nonce** is valid on one connection, and for a while: five minutes, unless [`valid_s`](Digest::valid_s) says otherwise. A correct proof for
///   another connection's nonce, or for one that is too old, is answered with a new nonce and `stale=true`, so that the client tries again
///   without asking a person. A client that closes its connection after each response cannot get in, nor one behind a proxy that takes
///   another connection for each request.
/// - The **count** `nc` must grow from request to request, so that no request works twice. The session keeps it, in its
///   [`Login`](crate::Login). A client may leave numbers out. A nonce that is older than the one used last counts as too old.
/// - **`uri`** must be the request's target, as it was sent.
/// - **MD5** is not taken, nor is `-sess`: a client that knows no SHA-256 cannot get in. Firefox (93), Chromium (117), curl (7.57, with
///   OpenSSL) and Python's `requests` know it. Of the body nothing is proved (`auth-int` is not taken): who can change what travels can change
///   that. TLS is better; this is for networks without.
/// - **Names** travel as they are: `userhash` is not offered.
///
/// A correct proof does not log its connection in: each request proves itself. Call [`log_in`](crate::log_in) if one proof is to be enough.
///
/// The key is made at random at each start. Connections' ids begin anew then, and old nonces must not count.
///
/// # Examples
/// ```
/// use tenure::{EndReason, Error, Request, Router, Session, get, kit::Server};
/// use tenure_login::{Digest, HasLogin, Key, Login, PasswordHash};
///
/// #[derive(Default)]
/// struct Visit {
///     login: Login,
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
///     fn end(self, _: EndReason) {}
/// }
///
/// # let random = [7; 32];
/// let digest = Digest::new("lab", Key::of(random));
/// let mufasa = PasswordHash::new("Mufasa", "lab", "Circle of Life");
/// let secret = async move |request: &mut Request<'_, Visit>| {
///     let user = digest.user(request, |user| (user == "Mufasa").then_some(mufasa)).await?;
///     Ok::<_, Error>(format!("hello, {user}"))
/// };
/// let mut server = Server::new(Router::new().route("/secret", get(secret)));
/// let client = server.connect();
/// client.send("GET /secret HTTP/1.1\r\nHost: a\r\n\r\n");
/// server.run();
/// let challenge = "\r\nWWW-Authenticate: Digest realm=\"lab\", qop=\"auth\", algorithm=SHA-256, charset=UTF-8, nonce=\"";
/// assert!(client.received_text().contains(challenge)); // curl --digest --user 'Mufasa:Circle of Life' goes on from here
/// ```
#[derive(Clone, Debug)]
pub struct Digest {
    realm: &'static str,
    key: Key,
    valid_ms: u32,
}

/// What a server keeps of a password for Digest: the SHA-256 of name, realm and password (`H(A1)`, RFC 7616 section 3.4.2).
///
/// Whoever has it can log in by Digest in that realm, so it is a secret; but it is no password. Another realm needs another hash. Its
/// `Debug` shows nothing of it.
///
/// # Examples
/// ```
/// use tenure_login::PasswordHash;
///
/// let hash = PasswordHash::new("Mufasa", "http-auth@example.org", "Circle of Life");
/// let stored = *hash.as_bytes(); // `printf %s 'Mufasa:http-auth@example.org:Circle of Life' | sha256sum`
/// assert_eq!(stored[..4], [0x79, 0x87, 0xc6, 0x4c]);
/// let hash = PasswordHash::from_bytes(stored);
/// # let _ = hash;
/// ```
#[derive(Clone, Copy)]
pub struct PasswordHash([u8; TAG_BYTES]);

impl PasswordHash {
    /// Of that name, realm and password.
    pub fn new(user: &str, realm: &str, password: &str) -> Self {
        PasswordHash(sha256(&[user.as_bytes(), b":", realm.as_bytes(), b":", password.as_bytes()]))
    }

    /// One that was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        PasswordHash(bytes)
    }

    /// To be stored.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// Which nonce a connection's client has used last, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    issued_ms: u32,
    /// 0: none yet.
    count: u32,
}

impl Count {
    /// Whether that proof is later than all before.
    fn grows(&mut self, issued_ms: u32, count: u32) -> bool {
        let is_same = issued_ms == self.issued_ms;
        // The clock wraps.
        let is_later = issued_ms.wrapping_sub(self.issued_ms) <= u32::MAX / 2;
        let grows = self.count == 0 || if is_same { count > self.count } else { is_later };
        if grows {
            *self = Count { issued_ms, count };
        }
        grows
    }
}

impl Digest {
    /// Seconds that a nonce can be valid at the most: a day.
    pub const VALID_S_MAX: u32 = 86_400;

    /// For that realm, with nonces that the key signs.
    ///
    /// # Panics
    /// When the realm is empty, not ASCII, or has quotation marks or backslashes.
    pub const fn new(realm: &'static str, key: Key) -> Self {
        Digest { realm: checked_realm(realm), key, valid_ms: 300_000 }
    }

    /// For how many seconds a nonce is valid.
    ///
    /// # Panics
    /// When it is 0, or more than [`VALID_S_MAX`](Digest::VALID_S_MAX).
    #[must_use]
    pub const fn valid_s(mut self, seconds: u32) -> Self {
        assert!(0 < seconds && seconds <= Digest::VALID_S_MAX, "a nonce is valid for 1 to 86,400 seconds");
        self.valid_ms = seconds * 1_000;
        self
    }

    /// The name of the request's sender, once proved. `find` returns the hash of that name's password, or `None`; a name that does not
    /// exist takes as long as a wrong password, but for the time that `find` takes.
    ///
    /// The session is made where there is none, once a proof is right.
    ///
    /// # Errors
    /// 401 with a challenge where there is no proof, a wrong one, or one of a nonce that is not this connection's, too old, or used already
    /// (`stale=true`); 400 where the field cannot be read or is of another target. The session stays.
    ///
    /// # Cancellation safety
    /// Safe. The count stays counted.
    pub async fn user<S: HasLogin>(
        &self,
        request: &mut Request<'_, S>,
        find: impl FnOnce(&str) -> Option<PasswordHash>,
    ) -> Result<UserName, Error> {
        let Some(Authorization::Digest(proof)) = Authorization::of(request)? else {
            return Err(self.refuse(request, false, "prove that you know a password").await);
        };
        if !proof.target.is(request.target()) && !proof.target.is_raw(request.target()) {
            return Err(Error::bad_request("uri of Digest is not the request's target"));
        }
        let hash = find(proof.user());
        // As long for a name that does not exist.
        let wanted = proof_of(request, &proof, &hash.unwrap_or(PasswordHash([0; TAG_BYTES])));
        if !(is_same_tag(&proof.response, &wanted) & hash.is_some() & proof.realm.is(self.realm)) {
            return Err(self.refuse(request, false, "the name or the password is wrong").await);
        }
        let now_ms = request.arrived_ms();
        let issued_ms = self.issued_ms(proof.nonce, request.id());
        let Some(issued_ms) = issued_ms.filter(|issued| now_ms.wrapping_sub(*issued) < self.valid_ms) else {
            return Err(self.refuse(request, true, "the nonce is another connection's, or too old").await);
        };
        let login = request.session_or_insert_with(S::default).login_mut();
        if !login.count_mut().grows(issued_ms, proof.count) {
            return Err(self.refuse(request, true, "the nonce was used with that count already").await);
        }
        Ok(proof.into_user())
    }

    #[cold]
    async fn refuse<S>(&self, request: &mut Request<'_, S>, mut is_stale: bool, mut why: &'static str) -> Error {
        if is_stale && !stays(request) {
            // It would come with a stale one again, and so on for ever.
            (is_stale, why) =
                (false, "Digest needs a connection that stays open: send the proof where the challenge came from");
        }
        let nonce = self.nonce(request.arrived_ms(), request.id());
        refuse(request, Challenge { realm: self.realm, nonce, is_stale }, Error::unauthorized(why)).await
    }

    /// The nonce that a connection is given at that time.
    fn nonce(&self, issued_ms: u32, id: ConnectionId) -> [u8; NONCE_TEXT_BYTES] {
        let (mut bytes, mut text) = ([0; NONCE_BYTES], [0; NONCE_TEXT_BYTES]);
        let parts: [&[u8]; 5] = [
            b"nonce",
            &issued_ms.to_be_bytes(),
            &id.worker().to_be_bytes(),
            &id.index().to_be_bytes(),
            &id.generation().to_be_bytes(),
        ];
        bytes[..TIME_BYTES].copy_from_slice(parts[1]);
        bytes[TIME_BYTES..].copy_from_slice(&self.key.sign(&parts)[..SIGNATURE_BYTES]);
        let encoded = Base64UrlUnpadded::encode(&bytes, &mut text);
        debug_assert_eq!(encoded.map(str::len), Ok(NONCE_TEXT_BYTES));
        text
    }

    /// When that connection was given that nonce; `None`: never.
    fn issued_ms(&self, nonce: &str, id: ConnectionId) -> Option<u32> {
        let mut bytes = [0; NONCE_BYTES];
        let bytes = Base64UrlUnpadded::decode(nonce, &mut bytes).ok()?;
        let issued_ms = u32::from_be_bytes(*bytes.first_chunk()?);
        // A nonce is no secret of its client's: how long this takes tells nobody anything new.
        is_same_nonce(&self.nonce(issued_ms, id), nonce).then_some(issued_ms)
    }
}

fn is_same_nonce(nonce: &[u8; NONCE_TEXT_BYTES], given: &str) -> bool {
    use subtle::ConstantTimeEq;
    nonce.ct_eq(given.as_bytes()).into()
}

/// Whether the client lets its connection stay: RFC 9112 section 9.3.
fn stays<S>(request: &Request<'_, S>) -> bool {
    let fields = request.fields().filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
    let has = |wanted: &[u8]| {
        let mut options = fields.clone().flat_map(|(_, value)| value.split(|byte| *byte == b','));
        options.any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted))
    };
    !has(b"close") && (request.version() != Version::Http10 || has(b"keep-alive"))
}

/// RFC 7616 section 3.4.1, of `qop=auth`: what `response` must be.
fn proof_of<S>(request: &Request<'_, S>, proof: &Proof<'_>, hash: &PasswordHash) -> [u8; TAG_BYTES] {
    response(hash, proof, request.method_token(), request.target())
}

fn response(hash: &PasswordHash, proof: &Proof<'_>, method: &str, target: &str) -> [u8; TAG_BYTES] {
    let first: [u8; 2 * TAG_BYTES] = hex(&hash.0);
    let second: [u8; 2 * TAG_BYTES] = hex(&sha256(&[method.as_bytes(), b":", target.as_bytes()]));
    let (nonce, count, client_nonce) = (proof.nonce, proof.count_digits, proof.client_nonce);
    let of =
        [&first, b":" as &[u8], nonce.as_bytes(), b":", count.as_bytes(), b":", client_nonce.as_bytes(), b":auth:"];
    let mut parts: [&[u8]; 9] = [&second; 9];
    parts[..8].copy_from_slice(&of);
    sha256(&parts)
}

struct Challenge {
    realm: &'static str,
    nonce: [u8; NONCE_TEXT_BYTES],
    is_stale: bool,
}

impl IntoFields for Challenge {
    fn put(&self, fields: &mut FieldWriter<'_>) -> Result<(), Error> {
        fields.field_of(
            "WWW-Authenticate",
            &[
                b"Digest realm=\"",
                self.realm.as_bytes(),
                b"\", qop=\"auth\", algorithm=SHA-256, charset=UTF-8, nonce=\"",
                &self.nonce,
                if self.is_stale { b"\", stale=true" } else { b"\"" },
            ],
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 section 3.9.1, the second client response.
    #[test]
    fn the_standards_own_example() {
        let Ok(Authorization::Digest(proof)) = Authorization::parse(
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", algorithm=SHA-256, \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
             cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, \
             response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
        ) else {
            panic!("it is a proof");
        };
        assert_eq!((proof.user(), proof.count), ("Mufasa", 1));
        let hash = PasswordHash::new("Mufasa", "http-auth@example.org", "Circle of Life");
        assert_eq!(response(&hash, &proof, "GET", "/dir/index.html"), proof.response);
        let wrong = PasswordHash::new("Mufasa", "http-auth@example.org", "circle of life");
        assert_ne!(response(&wrong, &proof, "GET", "/dir/index.html"), proof.response);
        assert_ne!(response(&hash, &proof, "POST", "/dir/index.html"), proof.response);
    }

    #[test]
    fn a_count_grows() {
        let late = u32::MAX - 5;
        for (before, issued_ms, count, wanted) in [
            (Count::default(), 0, 1, true),
            (Count::default(), late, 7, true),
            (Count { issued_ms: 5, count: 1 }, 5, 1, false),
            (Count { issued_ms: 5, count: 1 }, 5, 2, true),
            (Count { issued_ms: 5, count: 1 }, 5, 9, true),
            (Count { issued_ms: 5, count: 9 }, 5, 8, false),
            (Count { issued_ms: 5, count: 9 }, 6, 1, true),
            (Count { issued_ms: 5, count: 9 }, 4, 10, false),
            (Count { issued_ms: late, count: 9 }, 3, 1, true),
            (Count { issued_ms: 3, count: 9 }, late, 10, false),
            (Count { issued_ms: 5, count: u32::MAX }, 5, u32::MAX, false),
        ] {
            let mut after = before;
            assert_eq!(after.grows(issued_ms, count), wanted, "{before:?} {issued_ms} {count}");
            assert_eq!(after, if wanted { Count { issued_ms, count } } else { before });
        }
    }

    #[test]
    fn a_nonce_is_of_one_connection() {
        let digest = Digest::new("a", Key::of([1; 32]));
        let other = Digest::new("a", Key::of([2; 32]));
        let id = ConnectionId::new(1, 2, 3);
        let nonce = digest.nonce(77, id);
        let nonce = str::from_utf8(&nonce).unwrap();
        assert_eq!(digest.issued_ms(nonce, id), Some(77));
        assert_eq!(other.issued_ms(nonce, id), None);
        for id in [ConnectionId::new(0, 2, 3), ConnectionId::new(1, 3, 3), ConnectionId::new(1, 2, 4)] {
            assert_eq!(digest.issued_ms(nonce, id), None, "{id}");
        }
        for wrong in ["", "a", &nonce[1..], "____", &"A".repeat(NONCE_TEXT_BYTES), &"A".repeat(200)] {
            assert_eq!(digest.issued_ms(wrong, id), None, "{wrong}");
        }
    }
}
