//! The SHA-256 of an upload: computed as it comes, and checked before it is answered (RFC 9530).

use core::{fmt, str::FromStr};

use sha2::{Digest, Sha256 as Hash};

use super::Sink;
use crate::{Error, Request};

/// A SHA-256 digest (FIPS 180-4). It is displayed as 64 hexadecimal digits, and parsed from them. With the feature `digest`.
///
/// # Examples
/// ```
/// use tenure::sink::Sha256;
///
/// let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// let digest: Sha256 = text.parse()?;
/// assert_eq!((digest.as_bytes()[0], digest.to_string().as_str()), (0xba, text));
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sha256([u8; Sha256::BYTES]);

impl Sha256 {
    /// Bytes of a digest.
    pub const BYTES: usize = 32;

    /// The digest of these bytes.
    pub const fn new(bytes: [u8; Sha256::BYTES]) -> Self {
        Sha256(bytes)
    }

    /// The bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; Sha256::BYTES] {
        &self.0
    }

    /// What a request says of its body, in Content-Digest or Repr-Digest (RFC 9530 sections 2 and 3), which mean the same where the body
    /// is all of a representation. `None` where neither has a `sha-256`; other algorithms are not looked at. A form's digest is that
    /// of the form, not of a file in it.
    ///
    /// # Errors
    /// 400: a digest is broken, or two differ.
    ///
    /// # Examples
    /// ```
    /// use tenure::{Error, Request, Router, kit::Server, put, sink::{Sha256, Sink}};
    ///
    /// async fn put_it(request: &mut Request<'_, ()>) -> Result<String, Error> {
    ///     let announced = Sha256::announced(request)?;
    ///     let mut sink = Vec::new().sha256().check(announced);
    ///     let bytes = request.body().save_to(&mut sink).await?;
    ///     Ok(format!("{bytes} bytes are right"))
    /// }
    ///
    /// let mut server = Server::new(Router::new().route("/", put(put_it)));
    /// let client = server.connect();
    /// let head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\
    ///     Content-Digest: sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:\r\n\r\n";
    /// client.send(format!("{head}abc"));
    /// server.run();
    /// assert!(client.received_text().ends_with("\r\n\r\n3 bytes are right"));
    /// client.send(format!("{head}abd"));
    /// server.run();
    /// assert!(client.received_text().starts_with("HTTP/1.1 422 "));
    /// ```
    pub fn announced<S>(request: &Request<'_, S>) -> Result<Option<Sha256>, Error> {
        let mut found = None;
        for (name, value) in request.fields() {
            if !name.eq_ignore_ascii_case("content-digest") && !name.eq_ignore_ascii_case("repr-digest") {
                continue;
            }
            for member in value.split(|&byte| byte == b',') {
                let member = member.trim_ascii();
                let Some(encoded) = member.strip_prefix(b"sha-256=") else {
                    if !is_member(member) {
                        return Err(BROKEN);
                    }
                    continue;
                };
                let digest = decode(encoded).ok_or(BROKEN)?;
                if found.replace(digest).is_some_and(|before| before != digest) {
                    return Err(Error::bad_request("two SHA-256 digests of the body differ"));
                }
            }
        }
        Ok(found)
    }
}

const BROKEN: Error =
    Error::bad_request("a digest of the body is broken: send sha-256=:BASE64: in Content-Digest, without blanks");

/// Whether a member of a dictionary has another key, or none at all where the field is empty: RFC 9651 section 3.2.
fn is_member(member: &[u8]) -> bool {
    let key = member.split(|&byte| byte == b'=').next().unwrap_or_default();
    let is_key = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(byte);
    member.is_empty() || !key.is_empty() && key != b"sha-256" && key.iter().all(is_key)
}

/// A byte sequence of a digest's length: RFC 9651 section 3.3.5. Parameters may follow.
fn decode(text: &[u8]) -> Option<Sha256> {
    // 43 digits have six bits each: two more than the digest.
    const DIGITS: usize = 43;
    let (digits, end) = text.strip_prefix(b":")?.split_at_checked(DIGITS)?;
    if !matches!(end, [b'=', b':'] | [b'=', b':', b';', ..]) {
        return None;
    }
    let (mut bytes, mut at, mut bits, mut known) = ([0; Sha256::BYTES], 0, 0_u32, 0);
    for &digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, known) = (bits << 6 | u32::from(value), known + 6);
        if known >= 8 {
            known -= 8;
            *bytes.get_mut(at)? = (bits >> known) as u8;
            at += 1;
        }
    }
    Some(Sha256(bytes))
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Sha256 {
    type Err = Error;

    /// # Errors
    /// 400: the text is not 64 hexadecimal digits, of either case.
    fn from_str(text: &str) -> Result<Self, Error> {
        const WRONG: Error = Error::bad_request("a SHA-256 is 64 hexadecimal digits");
        let mut bytes = [0; Sha256::BYTES];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return Err(WRONG);
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let digit = |digit: u8| tenure_proto::bytes::hex(digit).ok_or(WRONG);
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Ok(Sha256(bytes))
    }
}

/// A sink with the SHA-256 of what is written to it: [`Sink::sha256`]. With the feature `digest`.
pub struct Hashed<K> {
    sink: K,
    hash: Hash,
    wanted: Option<Sha256>,
    digest: Option<Sha256>,
}

impl<K> Hashed<K> {
    pub(super) fn new(sink: K) -> Self {
        Hashed { sink, hash: Hash::new(), wanted: None, digest: None }
    }

    /// What is written must have that digest: otherwise [`finish`](Sink::finish) fails with 422 and finishes nothing, and
    /// [`save_to`](crate::Body::save_to) aborts the sink. Nothing is checked where it is `None`, as
    /// [`Sha256::announced`] may be.
    #[must_use]
    pub fn check(mut self, wanted: impl Into<Option<Sha256>>) -> Self {
        self.wanted = wanted.into();
        self
    }

    /// The digest of all that was written, once the sink has been finished.
    pub fn digest(&self) -> Option<Sha256> {
        self.digest
    }

    /// The sink alone.
    pub fn into_inner(self) -> K {
        self.sink
    }
}

impl<K: Sink> Sink for Hashed<K> {
    async fn begin(&mut self, announced: Option<u64>) -> Result<(), Error> {
        self.hash.reset();
        self.digest = None;
        self.sink.begin(announced).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.hash.update(bytes);
        self.sink.write(bytes).await
    }

    async fn finish(&mut self) -> Result<(), Error> {
        let digest = Sha256(self.hash.clone().finalize().into());
        if let Some(wanted) = self.wanted
            && wanted != digest
        {
            return Err(Error::unprocessable("what came has another SHA-256 than was announced: send it again")
                .because(format_args!("what came has the SHA-256 {digest}, not {wanted}: send it again")));
        }
        self.sink.finish().await?;
        self.digest = Some(digest);
        Ok(())
    }

    async fn abort(&mut self) {
        self.sink.abort().await;
    }
}

impl<K: fmt::Debug> fmt::Debug for Hashed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hashed").field("sink", &self.sink).field("wanted", &self.wanted).finish_non_exhaustive()
    }
}
