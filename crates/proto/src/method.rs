//! What a request asks for: RFC 9110 section 9.

use crate::{
    bytes,
    texts::{Texts, texts},
};

/// A request method. The token of an [`Other`](Method::Other) is that of the head, [`Head::token`](crate::head::Head::token).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Method {
    /// RFC 9110 section 9.3.1.
    Get,
    /// RFC 9110 section 9.3.2.
    Head,
    /// RFC 9110 section 9.3.3.
    Post,
    /// RFC 9110 section 9.3.4.
    Put,
    /// RFC 9110 section 9.3.5.
    Delete,
    /// RFC 9110 section 9.3.7.
    Options,
    /// RFC 9110 section 9.3.8.
    Trace,
    /// RFC 5789.
    Patch,
    /// Any other token (RFC 9110 section 5.6.2), CONNECT excepted: that is refused before it becomes a method.
    Other,
}

macro_rules! known {
    ($($method:ident $token:literal),*) => {
        /// The known methods, in the order of the enumeration.
        static KNOWN: [Method; [$($token),*].len()] = [$(Method::$method),*];
        /// Their tokens.
        static TOKENS: Texts = texts!($($token),*);
    };
}

known!(
    Get "GET", Head "HEAD", Post "POST", Put "PUT", Delete "DELETE", Options "OPTIONS", Trace "TRACE", Patch "PATCH"
);

impl Method {
    /// The method's token, `None` for [`Other`](Method::Other).
    pub fn token(self) -> Option<&'static str> {
        (self != Method::Other).then(|| self.as_str())
    }

    /// The same, empty for [`Other`](Method::Other).
    pub fn as_str(self) -> &'static str {
        TOKENS.nth(self as usize)
    }

    /// The method that a token names. Methods are case-sensitive (RFC 9110 section 9.1).
    pub fn from_token(token: &[u8]) -> Method {
        let known = KNOWN.iter().find(|&&known| bytes::equal(TOKENS.nth(known as usize).as_bytes(), token));
        known.copied().unwrap_or(Method::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_those_of_their_methods() {
        for method in KNOWN {
            assert_eq!(Method::from_token(method.token().unwrap().as_bytes()), method);
        }
        assert_eq!((Method::Get.token(), Method::from_token(b"PATCH")), (Some("GET"), Method::Patch));
        assert_eq!((Method::Other.token(), Method::from_token(b"get")), (None, Method::Other));
    }
}
