//! Why a request is not taken: each reason knows its status (RFC 9110 section 15, RFC 9112 sections 2 to 7).

use crate::{
    status::StatusCode,
    texts::{Texts, texts},
};

macro_rules! refusals {
    ($(#[$first_doc:meta])* $first:ident = $first_status:ident, $first_reason:literal;
     $($(#[$doc:meta])* $name:ident = $status:ident, $reason:literal;)*) => {
        /// Why a request is not taken. The connection must close after the answer, but where a head says so
        /// ([`Head::refusal`](crate::head::Head::refusal)).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        // From 1 on: where there is none, that is 0, and a parser at its start is zero throughout.
        pub enum Refusal { $(#[$first_doc])* $first = 1, $($(#[$doc])* $name,)* }

        impl Refusal {
            /// Every refusal there is.
            pub const ALL: &'static [Refusal] = &[Refusal::$first, $(Refusal::$name,)*];

            /// The status code that says it.
            pub const fn status(self) -> StatusCode {
                StatusCode::error(STATUSES[self as usize - 1])
            }

            /// What was wrong and what to do, for a person.
            #[inline(never)]
            pub fn reason(self) -> &'static str {
                REASONS.nth(self as usize - 1)
            }
        }

        /// What their statuses are above 400, in the order of the enumeration.
        static STATUSES: [u8; Refusal::ALL.len()] =
            [(StatusCode::$first_status.code() - 400) as u8, $((StatusCode::$status.code() - 400) as u8,)*];
        /// The reasons, in the same order.
        static REASONS: Texts = texts!($first_reason, $($reason),*);
    };
}

refusals! {
    /// The request line does not start with a method token and one space (RFC 9112 section 3.1).
    BadMethod = BAD_REQUEST, "a method and one space must come first";
    /// A method that fills the bound of a head (RFC 9112 section 3).
    MethodTooLong = NOT_IMPLEMENTED, "no method is that long";
    /// The target has a byte that a target cannot have, or a path a `%` that begins no escape (RFC 3986 section 2).
    BadTarget = BAD_REQUEST, "a target cannot have this byte: percent-encode it";
    /// The target is of none of the forms (RFC 9112 section 3.2).
    BadTargetForm = BAD_REQUEST, "a target must begin with / or http://host";
    /// The target is empty or has a control byte: where it ends is not certain (RFC 9112 section 3.2).
    BlankInTarget = BAD_REQUEST, "percent-encode blanks and controls of a target";
    /// An `https` target on a connection that is not secured (RFC 9110 section 7.4).
    SchemeNotServed = MISDIRECTED_REQUEST, "https is not served here";
    /// The request line does not end with a version (RFC 9112 section 2.3).
    BadVersion = BAD_REQUEST, "the request line must end with one space and HTTP/1.1";
    /// The major version is not 1 (RFC 9110 section 15.6.6).
    UnsupportedVersion = HTTP_VERSION_NOT_SUPPORTED, "only HTTP/1.0 and HTTP/1.1 are served";
    /// A CR without its LF, or a lone LF that is not tolerated (RFC 9112 section 2.2).
    BadLineEnd = BAD_REQUEST, "lines of the head must end with CR LF";
    /// A field name is empty or has a byte that is not of a token (RFC 9112 section 5).
    BadFieldName = BAD_REQUEST, "a field must start with a name and a colon";
    /// White space between a field name and its colon (RFC 9112 section 5.1).
    SpaceBeforeColon = BAD_REQUEST, "no space may stand before a field's colon";
    /// A field value has a control byte (RFC 9110 section 5.5).
    BadFieldValue = BAD_REQUEST, "no control byte may stand in a field";
    /// A field line that starts with white space (RFC 9112 section 5.2).
    ObsoleteFolding = BAD_REQUEST, "a field must stand on one line";
    /// An HTTP/1.1 request without Host (RFC 9112 section 3.2).
    HostMissing = BAD_REQUEST, "HTTP/1.1 needs a Host field: send one";
    /// More than one Host field (RFC 9112 section 3.2).
    HostRepeated = BAD_REQUEST, "only one Host field may be sent";
    /// A Host field that is not an authority (RFC 9112 section 3.2).
    BadHost = BAD_REQUEST, "Host must be a name or address with an optional port";
    /// A Content-Length that is not digits, or beyond 64 bits (RFC 9112 section 6.3).
    BadContentLength = BAD_REQUEST, "Content-Length must be a decimal number";
    /// Content-Length values that differ (RFC 9112 section 6.3).
    ContentLengthsDiffer = BAD_REQUEST, "the Content-Length values differ: send one";
    /// Content-Length and Transfer-Encoding together (RFC 9112 section 6.3).
    LengthAndEncoding = BAD_REQUEST, "send Content-Length or Transfer-Encoding, not both";
    /// Transfer-Encoding in an HTTP/1.0 request (RFC 9112 section 6.1).
    EncodingInHttp10 = BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding: send Content-Length";
    /// A Transfer-Encoding of which chunked is not the last, or is named twice (RFC 9112 section 6.3).
    ChunkedNotLast = BAD_REQUEST, "chunked must be last, and once";
    /// A transfer coding other than chunked (RFC 9112 section 6.1).
    UnsupportedCoding = NOT_IMPLEMENTED, "the only coding here is chunked";
    /// CONNECT (RFC 9110 section 9.3.6).
    Connect = NOT_IMPLEMENTED, "CONNECT is for proxies, which this is not";
    /// An expectation other than `100-continue` (RFC 9110 section 10.1.1).
    UnmetExpectation = EXPECTATION_FAILED, "only 100-continue can be expected here";
    /// A head above its bound (RFC 6585 section 5).
    HeadTooLarge = REQUEST_HEADER_FIELDS_TOO_LARGE, "the head is too large";
    /// A target above its bound (RFC 9110 section 15.5.15).
    TargetTooLong = URI_TOO_LONG, "the target is too long";
    /// A chunk size that is not hexadecimal digits (RFC 9112 section 7.1).
    BadChunkSize = BAD_REQUEST, "a chunk must start with its size in hex";
    /// A chunk size beyond 64 bits, or above
    /// [`CHUNK_SIZE_DIGITS_MAX`](crate::chunked::CHUNK_SIZE_DIGITS_MAX) (RFC 9112 section 7.1).
    ChunkSizeTooLong = BAD_REQUEST, "a chunk size has 32 digits and 64 bits at most";
    /// A chunk extension with a byte that cannot stand there (RFC 9112 section 7.1.1).
    BadChunkExtension = BAD_REQUEST, "a chunk extension is bad";
    /// A chunk's extensions above [`CHUNK_EXTENSION_BYTES_MAX`](crate::chunked::CHUNK_EXTENSION_BYTES_MAX) (RFC 9112
    /// section 7.1.1).
    ChunkExtensionTooLong = BAD_REQUEST, "chunk extensions have 256 bytes at most";
    /// A chunk whose size line or data does not end with CR LF (RFC 9112 section 7.1).
    BadChunkEnd = BAD_REQUEST, "a chunk's size and data must end with CR LF";
    /// A trailer section that is not of field lines (RFC 9112 section 7.1.2).
    BadTrailer = BAD_REQUEST, "a trailer must be of field lines";
    /// A trailer section above [`TRAILER_BYTES_MAX`](crate::chunked::TRAILER_BYTES_MAX) (RFC 9112 section 7.1.2).
    TrailerTooLong = BAD_REQUEST, "trailers have 1024 bytes at most";
    /// The head did not come in time (RFC 9110 section 15.5.9).
    HeadTimeout = REQUEST_TIMEOUT, "the head did not come in time";
    /// The body did not come in time (RFC 9110 section 15.5.9).
    BodyTimeout = REQUEST_TIMEOUT, "the body did not come in time";
}
