//! A response that is whole.

use std::io::Write;

use flate2::write::GzEncoder;
use tenure::{IntoResponse, Outcome, Rendered, Reply, Request, StatusCode};
use tenure_proto::media::is_compressible;

use crate::{ACCEPT_ENCODING, LEVEL, accepts_gzip};

/// Bytes of a body that is compressed: less saves nothing, more keeps others waiting.
const BYTES_MIN: usize = 256;
const BYTES_MAX: usize = 1 << 20;
/// Bytes of a head, beside those of the body.
const HEAD_BYTES_MAX: usize = 16_384;

/// Fields with which a response stays as it is: it is encoded or in parts already, or tells a digest of its bytes.
const FIXED: [&str; 6] =
    ["content-encoding", "content-range", "content-digest", "repr-digest", "digest", "content-md5"];

const NO_TRANSFORM: &[u8] = b"no-transform";

/// Compresses what a handler returns, where the client accepts that. [The crate](crate) says what is compressed.
///
/// # Examples
/// ```
/// use tenure::{Error, Request, Router, get, with};
/// use tenure_compress::compressed;
///
/// async fn list(names: &[String], _: &mut Request<'_, ()>) -> Result<String, Error> {
///     Ok(names.join("\n"))
/// }
///
/// let names = vec!["ada".to_owned(), "grace".to_owned()];
/// let app = Router::new().route("/names", get(compressed(with(&names[..], list))));
/// # let _ = app;
/// ```
pub fn compressed<S, F, R>(handler: F) -> impl AsyncFn(&mut Request<'_, S>) -> Compressed<R> + use<S, F, R>
where
    F: AsyncFn(&mut Request<'_, S>) -> R,
    R: IntoResponse,
{
    async move |request: &mut Request<'_, S>| {
        let accepts = accepts_gzip(request);
        Compressed { response: handler(request).await, accepts, made: Made::Nothing }
    }
}

/// A response that is compressed where the client accepts that: see [`compressed`].
#[derive(Clone, Debug)]
#[must_use = "it is a response: return it from a handler, or send it"]
pub struct Compressed<R> {
    response: R,
    accepts: bool,
    made: Made,
}

/// What has become of it.
#[derive(Clone, Debug)]
enum Made {
    /// It has not been asked.
    Nothing,
    /// Compressed, or not.
    Whole(Rendered),
    /// It is too long, and goes out by itself.
    TooLong,
}

impl<R: IntoResponse> Compressed<R> {
    /// The response to that request, for a handler that compresses only some.
    ///
    /// # Examples
    /// ```
    /// use tenure::{Error, Method, Request, Responder, Router, Sent, respond};
    /// use tenure_compress::Compressed;
    ///
    /// async fn echo<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
    ///     responder.send(Compressed::new(request, request.target())).await
    /// }
    ///
    /// let app = Router::new().route("/{*rest}", respond(Method::Get, echo));
    /// # let _ = app;
    /// ```
    pub fn new<S>(request: &Request<'_, S>, response: R) -> Self {
        Compressed { response, accepts: accepts_gzip(request), made: Made::Nothing }
    }
}

impl<R: IntoResponse> IntoResponse for Compressed<R> {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        if matches!(self.made, Made::Nothing) {
            // Once: the output may have no room for all of it, and then this is called again.
            self.made = match reply.render(&mut self.response, BYTES_MAX + HEAD_BYTES_MAX) {
                Ok(Some(rendered)) => Made::Whole(made(rendered, self.accepts)),
                Ok(None) => Made::TooLong,
                Err(error) => return Outcome::Failed(error),
            };
        }
        match &mut self.made {
            Made::Whole(made) => made.respond(reply),
            // It stays as it is, whatever the client accepts.
            Made::Nothing | Made::TooLong => self.response.respond(reply),
        }
    }
}

/// What becomes of a response.
fn made(mut rendered: Rendered, accepts: bool) -> Rendered {
    if !may_be_compressed(&rendered) {
        return rendered;
    }
    if accepts && let Some(body) = gzip(&rendered.body).filter(|body| body.len() < rendered.body.len()) {
        rendered.body = body;
        rendered.fields.push(("Content-Encoding".into(), b"gzip".into()));
        for (_, tag) in rendered.fields.iter_mut().filter(|(name, _)| name.eq_ignore_ascii_case("etag")) {
            if tag.starts_with(b"\"") {
                tag.splice(..0, *b"W/");
            }
        }
    }
    let varies = |value: &[u8]| value == b"*" || value.eq_ignore_ascii_case(ACCEPT_ENCODING.as_bytes());
    if !rendered.fields.iter().any(|(name, value)| name.eq_ignore_ascii_case("vary") && varies(value)) {
        rendered.fields.push(("Vary".into(), ACCEPT_ENCODING.into()));
    }
    rendered
}

/// Whether a client that accepts it may get a response compressed: the same for all clients.
fn may_be_compressed(response: &Rendered) -> bool {
    let text = |name| response.field(name).and_then(|value| str::from_utf8(value).ok());
    let content_type = text("content-type").unwrap_or_default().to_ascii_lowercase();
    let says_no =
        |value: &[u8]| value.to_ascii_lowercase().windows(NO_TRANSFORM.len()).any(|part| part == NO_TRANSFORM);
    let mut caching = response.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cache-control"));
    (BYTES_MIN..=BYTES_MAX).contains(&response.body.len())
        && response.status != StatusCode::PARTIAL_CONTENT
        && is_compressible(&content_type)
        && !content_type.starts_with("text/event-stream")
        && !caching.any(|(_, value)| says_no(value))
        && FIXED.iter().all(|name| response.field(name).is_none())
}

/// `None`: it has failed, as memory alone could make it.
fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), LEVEL);
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}
