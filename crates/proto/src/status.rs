//! How a response begins: RFC 9110 section 15, RFC 6585.

use crate::texts::{Texts, texts};

macro_rules! codes {
    ($($code:literal $name:ident $phrase:literal;)*) => {
        impl StatusCode {
            $(
                #[doc = concat!("`", $code, " ", $phrase, "`.")]
                pub const $name: StatusCode = StatusCode($code);
            )*
        }

        static CODES: [u16; [$($code),*].len()] = [$($code),*];
        /// The phrases, in the order of the codes.
        static PHRASES: Texts = texts!($($phrase),*);
    };
}

/// A final status code, 200 to 599. Interim codes are the library's to send.
#[doc(alias = "httpd_err_code_t")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusCode(u16);

impl StatusCode {
    /// The status code of that number; `None` outside 200 to 599.
    pub const fn new(code: u16) -> Option<StatusCode> {
        if code >= 200 && code <= 599 { Some(StatusCode(code)) } else { None }
    }

    /// The one that is so far above 400.
    pub(crate) const fn error(above: u8) -> StatusCode {
        StatusCode(400 + above as u16)
    }

    /// The number.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// The reason phrase of the code's registration, empty for a code that has none here.
    #[inline(never)]
    pub fn phrase(self) -> &'static str {
        PHRASES.nth(CODES.iter().position(|&code| code == self.0).unwrap_or(CODES.len()))
    }

    /// Whether a response of this status never has a body: RFC 9112 section 6.3.
    pub const fn has_no_body(self) -> bool {
        matches!(self.0, 204 | 304)
    }

    /// Whether it is one of 400 to 599.
    pub const fn is_error(self) -> bool {
        self.0 >= 400
    }
}

impl core::fmt::Display for StatusCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.0)
    }
}

codes! {
    101 SWITCHING_PROTOCOLS "Switching Protocols";
    200 OK "OK";
    201 CREATED "Created";
    202 ACCEPTED "Accepted";
    203 NON_AUTHORITATIVE_INFORMATION "Non-Authoritative Information";
    204 NO_CONTENT "No Content";
    205 RESET_CONTENT "Reset Content";
    206 PARTIAL_CONTENT "Partial Content";
    300 MULTIPLE_CHOICES "Multiple Choices";
    301 MOVED_PERMANENTLY "Moved Permanently";
    302 FOUND "Found";
    303 SEE_OTHER "See Other";
    304 NOT_MODIFIED "Not Modified";
    307 TEMPORARY_REDIRECT "Temporary Redirect";
    308 PERMANENT_REDIRECT "Permanent Redirect";
    400 BAD_REQUEST "Bad Request";
    401 UNAUTHORIZED "Unauthorized";
    403 FORBIDDEN "Forbidden";
    404 NOT_FOUND "Not Found";
    405 METHOD_NOT_ALLOWED "Method Not Allowed";
    406 NOT_ACCEPTABLE "Not Acceptable";
    408 REQUEST_TIMEOUT "Request Timeout";
    409 CONFLICT "Conflict";
    410 GONE "Gone";
    411 LENGTH_REQUIRED "Length Required";
    412 PRECONDITION_FAILED "Precondition Failed";
    413 CONTENT_TOO_LARGE "Content Too Large";
    414 URI_TOO_LONG "URI Too Long";
    415 UNSUPPORTED_MEDIA_TYPE "Unsupported Media Type";
    416 RANGE_NOT_SATISFIABLE "Range Not Satisfiable";
    417 EXPECTATION_FAILED "Expectation Failed";
    421 MISDIRECTED_REQUEST "Misdirected Request";
    422 UNPROCESSABLE_CONTENT "Unprocessable Content";
    426 UPGRADE_REQUIRED "Upgrade Required";
    428 PRECONDITION_REQUIRED "Precondition Required";
    429 TOO_MANY_REQUESTS "Too Many Requests";
    431 REQUEST_HEADER_FIELDS_TOO_LARGE "Request Header Fields Too Large";
    500 INTERNAL_SERVER_ERROR "Internal Server Error";
    501 NOT_IMPLEMENTED "Not Implemented";
    502 BAD_GATEWAY "Bad Gateway";
    503 SERVICE_UNAVAILABLE "Service Unavailable";
    504 GATEWAY_TIMEOUT "Gateway Timeout";
    505 HTTP_VERSION_NOT_SUPPORTED "HTTP Version Not Supported";
}

#[cfg(test)]
mod tests {
    use super::StatusCode;

    #[test]
    fn a_code_is_between_200_and_599() {
        for (code, wanted) in [(0, false), (199, false), (200, true), (599, true), (600, false), (u16::MAX, false)] {
            assert_eq!(StatusCode::new(code).is_some(), wanted, "{code}");
        }
    }

    #[test]
    fn a_code_has_its_own_phrase_or_none() {
        assert_eq!(StatusCode::OK.phrase(), "OK");
        assert_eq!(StatusCode::HTTP_VERSION_NOT_SUPPORTED.phrase(), "HTTP Version Not Supported");
        assert_eq!(StatusCode::new(299).unwrap().phrase(), "");
    }
}
