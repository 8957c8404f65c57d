//! Whether a request opens a WebSocket, and what it is answered with: RFC 6455 section 4.2.

use super::accept::{self, ACCEPT_BYTES, KEY_BYTES};
use crate::{
    bytes,
    framing::Framing,
    head::{Fields, Head, TargetForm, Version},
    method::Method,
    status::StatusCode,
    texts::{Texts, texts},
};

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $reason:literal;)*) => {
        /// Why a request does not open a WebSocket. The connection may serve others.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum HandshakeRefusal { $($(#[$doc])* $name,)* }

        impl HandshakeRefusal {
            /// Every refusal there is.
            pub const ALL: &'static [HandshakeRefusal] = &[$(HandshakeRefusal::$name,)*];

            /// The status code that says it.
            pub const fn status(self) -> StatusCode {
                match self { $(HandshakeRefusal::$name => StatusCode::$status,)* }
            }

            /// What was wrong and what to do, for a person.
            #[inline(never)]
            pub fn reason(self) -> &'static str {
                REASONS.nth(self as usize)
            }
        }

        /// The reasons, in the order of the enumeration.
        static REASONS: Texts = texts!($($reason),*);
    };
}

refusals! {
    /// The method is not GET (RFC 6455 section 4.1).
    NotGet = BAD_REQUEST, "a WebSocket is opened with GET";
    /// The version is HTTP/1.0 (RFC 6455 section 4.1).
    NotHttp11 = BAD_REQUEST, "a WebSocket is opened with HTTP/1.1";
    /// The request has a body: frames would begin where it ends, which not every party may see alike.
    Body = BAD_REQUEST, "the request that opens a WebSocket must have no body";
    /// Upgrade does not name `websocket` (RFC 6455 section 4.2.1): a request like any other.
    UpgradeMissing = UPGRADE_REQUIRED, "this address speaks WebSocket: send Upgrade: websocket";
    /// Connection does not name `Upgrade` (RFC 6455 section 4.2.1), as behind a proxy that does not know of it.
    ConnectionMissing = BAD_REQUEST, "send Connection: Upgrade, through each proxy";
    /// Sec-WebSocket-Version is not 13, or not there once (RFC 6455 section 4.2.2).
    BadVersion = UPGRADE_REQUIRED, "send Sec-WebSocket-Version: 13, once";
    /// Sec-WebSocket-Key is not 16 bytes in base64, or not there once (RFC 6455 section 4.2.1).
    BadKey = BAD_REQUEST, "send Sec-WebSocket-Key, once: 16 bytes in base64";
    /// The page that opens it is of another origin (RFC 6455 section 10.2).
    OriginNotAllowed = FORBIDDEN, "pages of this origin may not open a WebSocket here";
}

impl HandshakeRefusal {
    /// The fields that its answer must have: what could be spoken instead (RFC 9110 sections 7.8 and 15.5.22, RFC 6455
    /// section 4.4).
    pub const fn fields(self) -> &'static [(&'static str, &'static str)] {
        match self.status() {
            StatusCode::UPGRADE_REQUIRED => {
                &[("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
            }
            _ => &[],
        }
    }
}

/// How the answer begins that opens a WebSocket, up to the value of Sec-WebSocket-Accept: RFC 6455 section 4.2.2.
pub const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ";

/// Pages of which origins may open a WebSocket: RFC 6455 section 10.2. A client that sends no Origin is no browser, and
/// may always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origins<'a> {
    /// Of any. Whatever page a user visits may then speak in the user's name, cookies included.
    Any,
    /// Of the same host and port as the request's, with `http` or `https`, or one of these: `https://example.org`, for
    /// one.
    SameOr(&'a [&'a str]),
}

/// A request that opens a WebSocket. Extensions that it offers are not looked at, which declines them (RFC 6455 section
/// 9.1); one that is taken (RFC 7692) would be chosen here, as [`subprotocol`](Handshake::subprotocol) is.
#[derive(Clone, Debug)]
pub struct Handshake<'a> {
    key: &'a [u8; KEY_BYTES],
    /// What the target says of the host, which wins over Host.
    authority: Option<&'a [u8]>,
    fields: Fields<'a>,
}

impl<'a> Handshake<'a> {
    /// Reads a whole head; `bytes` are those that were parsed. None makes it panic.
    ///
    /// # Errors
    /// A [`HandshakeRefusal`]: the first that applies, in their order.
    ///
    /// # Examples
    /// ```
    /// use tenure_proto::{head::{HeadLimits, HeadParser}, websocket::Handshake};
    ///
    /// let limits = HeadLimits { head_bytes_max: 1024, target_bytes_max: 64, tolerate_lone_lf: false };
    /// let bytes = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
    ///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    /// let head = HeadParser::new().parse(bytes, &limits).unwrap().unwrap();
    /// let handshake = Handshake::read(&head, bytes).unwrap();
    /// assert_eq!(&handshake.accept(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    /// ```
    pub fn read(head: &Head, bytes: &'a [u8]) -> Result<Self, HandshakeRefusal> {
        let fields = Fields::new(head.fields.of(bytes));
        if head.method != Method::Get {
            return Err(HandshakeRefusal::NotGet);
        }
        if head.version != Version::Http11 {
            return Err(HandshakeRefusal::NotHttp11);
        }
        if head.framing != Framing::Empty {
            return Err(HandshakeRefusal::Body);
        }
        if !members(fields.clone(), "upgrade").any(|member| bytes::is_folded(member, "websocket")) {
            return Err(HandshakeRefusal::UpgradeMissing);
        }
        if !members(fields.clone(), "connection").any(|member| bytes::is_folded(member, "upgrade")) {
            return Err(HandshakeRefusal::ConnectionMissing);
        }
        if once(fields.clone(), "sec-websocket-version") != Some(b"13") {
            return Err(HandshakeRefusal::BadVersion);
        }
        let key = once(fields.clone(), "sec-websocket-key").and_then(|key| <&[u8; KEY_BYTES]>::try_from(key).ok());
        let key = key.filter(|key| accept::is_key(key)).ok_or(HandshakeRefusal::BadKey)?;
        let authority = (head.form == TargetForm::Absolute).then(|| authority(head.target.of(bytes)));
        Ok(Handshake { key, authority, fields })
    }

    /// The value of Sec-WebSocket-Accept: RFC 6455 section 4.2.2.
    pub fn accept(&self) -> [u8; ACCEPT_BYTES] {
        accept::accept(self.key)
    }

    /// The first of the server's subprotocols that the client offers, to be answered as Sec-WebSocket-Protocol; `None`:
    /// it offers none of them, and the field is left out (RFC 6455 section 4.2.2). Case matters.
    pub fn subprotocol<'s>(&self, known: &[&'s str]) -> Option<&'s str> {
        let is_offered = |known: &&str| self.subprotocols().any(|offered| offered == known.as_bytes());
        known.iter().copied().find(is_offered)
    }

    /// The subprotocols that the client offers, the one that it likes best first: RFC 6455 section 11.3.4.
    pub fn subprotocols(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        members(self.fields.clone(), "sec-websocket-protocol")
    }

    /// Whether the page that opens it may.
    ///
    /// # Errors
    /// [`HandshakeRefusal::OriginNotAllowed`], also where there is more than one Origin.
    pub fn check_origin(&self, allowed: &Origins<'_>) -> Result<(), HandshakeRefusal> {
        let Origins::SameOr(others) = allowed else { return Ok(()) };
        let mut origins = values(self.fields.clone(), "origin");
        let Some(origin) = origins.next() else { return Ok(()) };
        let is_other = |other: &&str| origin.eq_ignore_ascii_case(other.as_bytes());
        let is_allowed = self.is_same(origin) || others.iter().any(is_other);
        if is_allowed && origins.next().is_none() { Ok(()) } else { Err(HandshakeRefusal::OriginNotAllowed) }
    }

    /// Whether an origin is of the request's own host and port. Which of both schemes a client used is not known behind
    /// a proxy.
    fn is_same(&self, origin: &[u8]) -> bool {
        let host = self.authority.or_else(|| self.fields.first("host")).unwrap_or_default();
        let scheme = |scheme: &str| {
            let (front, rest) = origin.split_at_checked(scheme.len())?;
            front.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)
        };
        let (other, port) = match (scheme("http://"), scheme("https://")) {
            (Some(other), _) => (other, &b":80"[..]),
            (_, Some(other)) => (other, &b":443"[..]),
            _ => return false,
        };
        // The port that goes without saying may be said.
        let [host, other] = [host, other].map(|host| host.strip_suffix(port).unwrap_or(host));
        !host.is_empty() && host.eq_ignore_ascii_case(other)
    }
}

/// The authority of a target in absolute form: RFC 3986 section 3.2.
fn authority(target: &[u8]) -> &[u8] {
    let start = "http://".len();
    let end = bytes::find(target, start, [b'/', b'?']);
    target.get(start..end).unwrap_or_default()
}

/// The values of all fields of that name.
pub(super) fn values<'a>(
    fields: impl Iterator<Item = (&'a str, &'a [u8])>,
    name: &'static str,
) -> impl Iterator<Item = &'a [u8]> {
    fields.filter_map(move |(other, value)| bytes::is_folded(other.as_bytes(), name).then_some(value))
}

/// The members of all lists of that name: RFC 9110 section 5.6.1. Empty ones do not count.
pub(super) fn members<'a>(
    fields: impl Iterator<Item = (&'a str, &'a [u8])>,
    name: &'static str,
) -> impl Iterator<Item = &'a [u8]> {
    let lists = values(fields, name);
    lists.flat_map(|list| list.split(|byte| *byte == b',')).map(bytes::trim).filter(|member| !member.is_empty())
}

/// The value of the field of that name, if there is one only.
pub(super) fn once<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>, name: &'static str) -> Option<&'a [u8]> {
    let mut values = values(fields, name);
    let value = values.next();
    if values.next().is_some() { None } else { value }
}
