//! What a request asks for: RFC 9110 section 9.

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

/// The known methods with their tokens, in the order of the enumeration.
const KNOWN: [(Method, &str); 8] = [
    (Method::Get, "GET"),
    (Method::Head, "HEAD"),
    (Method::Post, "POST"),
    (Method::Put, "PUT"),
    (Method::Delete, "DELETE"),
    (Method::Options, "OPTIONS"),
    (Method::Trace, "TRACE"),
    (Method::Patch, "PATCH"),
];

impl Method {
    /// The method's token, `None` for [`Other`](Method::Other).
    pub fn token(self) -> Option<&'static str> {
        KNOWN.get(self as usize).map(|(_, token)| *token)
    }

    /// The method that a token names. Methods are case-sensitive (RFC 9110 section 9.1).
    pub fn from_token(token: &[u8]) -> Method {
        let known = KNOWN.iter().find(|(_, known)| known.as_bytes() == token);
        known.map_or(Method::Other, |(method, _)| *method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_those_of_their_methods() {
        for (method, token) in KNOWN {
            assert_eq!((method.token(), Method::from_token(token.as_bytes())), (Some(token), method));
        }
        assert_eq!((Method::Other.token(), Method::from_token(b"get")), (None, Method::Other));
    }
}
