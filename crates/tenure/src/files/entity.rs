//! What is served as bytes of a known length, and what a request's conditions leave of it: RFC 9110 sections 13 and 14.

use core::ops::Range;

use tenure_proto::{
    accept::Coding,
    conditional::{EntityTag, IfRange, has_tag},
    date,
    head::Fields,
    range::{self, CONTENT_RANGE_BYTES_MAX, content_range},
    status::StatusCode,
};

use crate::{
    Error, Method, Request, Responder, Sent, Stream, Switch,
    exchange::reply::{IntoResponse, Outcome, Reply},
};

/// Whether this program has entities with dates. Without, the compiler leaves all code for them out.
static DATED: Switch = Switch::off();

/// Seconds without a change after which a date tells one state of a file from the next: file systems keep time that coarsely.
pub const SETTLED_S: u64 = 2;

/// What is served under a target: bytes of a known length, and what a response says of them. It answers GET and HEAD with conditions
/// (If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, If-Range) and with one range of bytes, by RFC 9110: 200, 206, 304,
/// 412 or 416. Several ranges are answered with all of it.
///
/// # Examples
/// Bytes in memory:
/// ```
/// use tenure::{Request, Router, files::{Entity, EntityResponse}, get, kit::Server};
///
/// async fn log(request: &mut Request<'_, ()>) -> EntityResponse<'static> {
///     let log = b"one\ntwo\nthree\n";
///     Entity::new("text/plain; charset=utf-8", log.len() as u64).etag("\"14\"").respond(request, log)
/// }
///
/// let mut server = Server::new(Router::new().route("/log", get(log)));
/// let client = server.connect();
/// client.send("GET /log HTTP/1.1\r\nHost: a\r\nRange: bytes=-6\r\n\r\n");
/// server.run();
/// let answer = client.received_text();
/// assert!(answer.starts_with("HTTP/1.1 206 ") && answer.contains("\r\nContent-Range: bytes 8-13/14\r\n"));
/// assert!(answer.ends_with("\r\n\r\nthree\n"));
/// client.send("GET /log HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"14\"\r\n\r\n");
/// server.run();
/// assert!(client.received_text().starts_with("HTTP/1.1 304 "));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Entity<'e> {
    content_type: &'e str,
    bytes: u64,
    etag: Option<&'e str>,
    /// The second of its last change, and that of the request.
    modified: Option<(u64, u64)>,
    cache_control: Option<&'e str>,
    coding: Coding,
    varies: bool,
}

/// What is to be sent of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    Whole,
    /// From the first byte to the last, both included.
    Part(u64, u64),
    /// The client has it.
    NotModified,
    /// A condition does not hold.
    Failed,
    /// It has no such bytes.
    Unsatisfiable,
}

impl<'e> Entity<'e> {
    /// So many bytes of that type.
    pub const fn new(content_type: &'e str, bytes: u64) -> Self {
        Entity {
            content_type,
            bytes,
            etag: None,
            modified: None,
            cache_control: None,
            coding: Coding::Identity,
            varies: false,
        }
    }

    /// Its entity tag as the field has it (RFC 9110 section 8.8.3): in double quotes, with `W/` in front where it is weak. A
    /// strong tag changes with every byte; with a weak one no range can be made conditional.
    ///
    /// # Panics
    /// When it has no double quotes around it.
    #[must_use]
    pub const fn etag(mut self, etag: &'e str) -> Self {
        assert!(is_quoted(etag), "an entity tag stands in double quotes, behind W/ where it is weak");
        self.etag = Some(etag);
        self
    }

    /// The second of its last change since 1970, and the second that it is now. Dates are weaker than tags: a change within
    /// the same second is not seen, so a range can be made conditional by a date only once that is 2 seconds old.
    #[must_use]
    pub fn modified(mut self, unix_seconds: u64, now: u64) -> Self {
        DATED.set(true);
        self.modified = Some((unix_seconds, now));
        self
    }

    /// What clients and caches may do with it: a Cache-Control field (RFC 9111 section 5.2).
    #[must_use]
    pub const fn cache_control(mut self, value: &'e str) -> Self {
        self.cache_control = Some(value);
        self
    }

    /// How its bytes are packed. A response to a request with other Accept-Encoding fields would be another one.
    #[must_use]
    pub const fn coding(mut self, coding: Coding) -> Self {
        self.coding = coding;
        self.varies = true;
        self
    }

    /// Answers a request with it, from memory. The answer keeps nothing of the request.
    ///
    /// # Panics
    /// When `bytes` are not as many as [`new`](Entity::new) was told.
    pub fn respond<S>(self, request: &Request<'_, S>, bytes: &'e [u8]) -> EntityResponse<'e> {
        assert!(self.bytes == bytes.len() as u64, "an entity has as many bytes as it was said to have");
        EntityResponse { selection: self.judge(request.fields(), request.method()), entity: self, bytes }
    }

    /// Begins to answer a request with it as a stream. HEAD ends in here: the handler is dropped.
    ///
    /// # Errors
    /// 412, where a condition does not hold.
    ///
    /// # Cancellation safety
    /// As [`Responder::send`].
    ///
    /// # Examples
    /// ```
    /// use tenure::{Error, Method, Request, Responder, Router, Sent, files::{Begun, Entity}, kit::Server, respond};
    ///
    /// async fn zeros<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
    ///     let entity = Entity::new("application/octet-stream", 1_000_000).etag("\"zeros\"");
    ///     match entity.begin(request, responder).await? {
    ///         Begun::Sent(sent) => Ok(sent),
    ///         Begun::Stream { mut stream, bytes } => {
    ///             for _ in bytes {
    ///                 stream.write(b"0").await?;
    ///             }
    ///             stream.finish().await
    ///         }
    ///     }
    /// }
    ///
    /// let mut server = Server::new(Router::new().route("/zeros", respond(Method::Get, zeros)));
    /// let client = server.connect();
    /// client.send("GET /zeros HTTP/1.1\r\nHost: a\r\nRange: bytes=999997-\r\n\r\n");
    /// server.run();
    /// assert!(client.received_text().ends_with("\r\nContent-Range: bytes 999997-999999/1000000\r\nContent-Length: 3\r\n\r\n000"));
    /// ```
    pub async fn begin<'r, S>(&self, request: &Request<'r, S>, responder: Responder<'r>) -> Result<Begun<'r>, Error> {
        let (status, part) = match self.judge(request.fields(), request.method()) {
            Selection::Whole => (StatusCode::OK, None),
            Selection::Part(first, last) => (StatusCode::PARTIAL_CONTENT, Some((first, last))),
            selection => {
                let response = EntityResponse { entity: *self, selection, bytes: &[] };
                return Ok(Begun::Sent(responder.send(response).await?));
            }
        };
        let bytes = part.map_or(0..self.bytes, |(first, last)| first..last + 1);
        let length = bytes.end - bytes.start;
        let stream = responder.stream_with(status, &|reply| self.describe(reply, part), length).await?;
        Ok(Begun::Stream { stream, bytes })
    }

    /// What is to be sent, by sections 13.2.2 and 14.2.
    pub(crate) fn judge(&self, fields: Fields<'_>, method: Method) -> Selection {
        let etag = self.etag.and_then(|etag| EntityTag::parse(etag.as_bytes()));
        let (modified, now) = self.modified.filter(|_| DATED.is_on()).unzip();
        let (mut if_match, mut if_none_match) = (None, None);
        let [mut unmodified, mut since, mut range, mut if_range] = [Single::Missing; 4];
        for (name, value) in fields {
            let is = |wanted| name.eq_ignore_ascii_case(wanted);
            if is("if-match") {
                if_match = Some(
                    if_match == Some(true) || has_tag(value, |tag| etag.is_some_and(|etag| tag.is_strongly(&etag))),
                );
            } else if is("if-none-match") {
                let has = has_tag(value, |tag| etag.is_some_and(|etag| tag.is_weakly(&etag)));
                if_none_match = Some(if_none_match == Some(true) || has);
            } else if is("if-unmodified-since") {
                unmodified.add(value);
            } else if is("if-modified-since") {
                since.add(value);
            } else if is("range") {
                range.add(value);
            } else if is("if-range") {
                if_range.add(value);
            }
        }
        let holds = if_match.unwrap_or_else(|| unmodified.date(now).is_none_or(|date| modified <= Some(date)));
        if !holds {
            return Selection::Failed;
        }
        // Section 13.1.3: a date counts only where no tag does.
        if if_none_match.unwrap_or_else(|| since.date(now).is_some_and(|date| modified <= Some(date))) {
            return Selection::NotModified;
        }
        // Section 14.2: no other method has ranges.
        let Single::Value(range) = range else { return Selection::Whole };
        if method != Method::Get {
            return Selection::Whole;
        }
        let is_this = match if_range {
            Single::Missing => true,
            Single::Several => false,
            Single::Value(value) => match IfRange::parse(value, now.unwrap_or(0)) {
                IfRange::Tag(tag) => etag.is_some_and(|etag| tag.is_strongly(&etag)),
                IfRange::Date(date) => {
                    modified == Some(date) && now.is_some_and(|now| now.saturating_sub(date) >= SETTLED_S)
                }
                IfRange::Neither => false,
            },
        };
        match range::Range::parse(range, self.bytes) {
            range::Range::Part { first, last } if is_this => Selection::Part(first, last),
            range::Range::Unsatisfiable if is_this => Selection::Unsatisfiable,
            _ => Selection::Whole,
        }
    }

    /// The fields that a 304 has as well: section 15.4.5.
    fn identify(&self, reply: &mut Reply<'_>) {
        if let Some(etag) = self.etag {
            reply.field("ETag", etag);
        }
        if let Some((modified, _)) = self.modified.filter(|_| DATED.is_on()) {
            reply.field("Last-Modified", date::imf_fixdate(modified));
        }
        if let Some(cache_control) = self.cache_control {
            reply.field("Cache-Control", cache_control);
        }
        if self.varies {
            reply.field("Vary", "Accept-Encoding");
        }
    }

    /// The fields of all of it, or of a part.
    fn describe(&self, reply: &mut Reply<'_>, part: Option<(u64, u64)>) {
        reply.field("Content-Type", self.content_type);
        if let Some(coding) = self.coding.name() {
            reply.field("Content-Encoding", coding);
        }
        self.identify(reply);
        reply.field("Accept-Ranges", "bytes");
        if part.is_some() {
            reply.field("Content-Range", content_range(part, self.bytes, &mut [0; CONTENT_RANGE_BYTES_MAX]));
        }
    }
}

/// Whether there are double quotes around it, behind `W/` where it is weak.
const fn is_quoted(etag: &str) -> bool {
    matches!(etag.as_bytes(), [b'"', .., b'"'] | [b'W', b'/', b'"', .., b'"'])
}

/// The value of a field that may stand once.
#[derive(Clone, Copy)]
enum Single<'a> {
    Missing,
    Value(&'a [u8]),
    /// It stands more than once: that is no value.
    Several,
}

impl<'a> Single<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = if matches!(self, Single::Missing) { Single::Value(value) } else { Single::Several };
    }

    /// The date that it is; `None` also where there is nothing to compare it with.
    fn date(self, now: Option<u64>) -> Option<u64> {
        match self {
            Single::Value(value) => date::parse(value, now?),
            Single::Missing | Single::Several => None,
        }
    }
}

/// What an [`Entity`] in memory answers to a request.
#[derive(Clone, Copy, Debug)]
pub struct EntityResponse<'e> {
    entity: Entity<'e>,
    selection: Selection,
    bytes: &'e [u8],
}

impl IntoResponse for EntityResponse<'_> {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        let (part, bytes) = match self.selection {
            Selection::Failed => {
                let failed = Error::new(StatusCode::PRECONDITION_FAILED, "a condition of the request does not hold");
                return Outcome::Failed(failed);
            }
            Selection::NotModified => {
                self.entity.identify(reply.status(StatusCode::NOT_MODIFIED));
                return reply.empty();
            }
            Selection::Unsatisfiable => {
                reply.status(StatusCode::RANGE_NOT_SATISFIABLE);
                reply.field("Content-Range", content_range(None, self.entity.bytes, &mut [0; CONTENT_RANGE_BYTES_MAX]));
                return reply.error_line(b"there are no such bytes: see Content-Range\n");
            }
            Selection::Whole => (None, self.bytes),
            Selection::Part(first, last) => {
                reply.status(StatusCode::PARTIAL_CONTENT);
                (Some((first, last)), self.bytes.get(first as usize..=last as usize).unwrap_or_default())
            }
        };
        self.entity.describe(reply, part);
        reply.typed_body(bytes)
    }
}

/// How a response has begun.
#[derive(Debug)]
pub enum Begun<'r> {
    /// It is complete: the client has what it asks for (304), or asks for bytes that there are not (416).
    Sent(Sent),
    /// These bytes of the entity are to be written.
    Stream {
        /// Takes as many bytes.
        stream: Stream<'r>,
        /// Which ones: all of them, or a range.
        bytes: Range<u64>,
    },
}
