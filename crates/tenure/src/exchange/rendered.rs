//! A response in memory, before it is sent.

use alloc::{string::String, vec::Vec};

use tenure_proto::status::StatusCode;

use crate::{
    Error,
    engine::{buffer::Buffer, output::Output},
    exchange::reply::{IntoResponse, Outcome, Reply},
};

/// A whole response in memory, before any of it is sent: for what changes the bodies of others' responses, as compression does, or looks
/// at them. [`Reply::render`] makes one. It is a response again, with the server's own fields then.
///
/// # Examples
/// Every page says how long it is:
/// ```
/// use tenure::{Html, IntoResponse, Outcome, Reply, Request, Router, get, kit::Server};
///
/// struct Measured<R>(R);
///
/// impl<R: IntoResponse> IntoResponse for Measured<R> {
///     fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
///         match reply.render(&mut self.0, 100_000) {
///             Ok(Some(mut rendered)) => {
///                 let end = format!("<!-- {} bytes -->", rendered.body.len());
///                 rendered.body.extend_from_slice(end.as_bytes());
///                 rendered.respond(reply)
///             }
///             Ok(None) => self.0.respond(reply), // it is longer
///             Err(error) => Outcome::Failed(error),
///         }
///     }
/// }
///
/// async fn page(_: &mut Request<'_, ()>) -> Measured<Html<&'static str>> {
///     Measured(Html("<p>hello"))
/// }
///
/// let mut server = Server::new(Router::new().route("/", get(page)));
/// let client = server.connect();
/// client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
/// server.run();
/// assert!(client.received_text().ends_with("\r\n\r\n<p>hello<!-- 8 bytes -->"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The status.
    pub status: StatusCode,
    /// Names and values of the fields, without those that frame the message or manage the connection, nor those of layers.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body, of a HEAD, too.
    pub body: Vec<u8>,
}

/// Bytes that are rendered at once, and of a head at the most.
const BUFFER_BYTES: usize = 16_384;

impl Rendered {
    /// The value of the first field of that name. Names are case-insensitive.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// What a whole message says.
    fn of(status: StatusCode, mut message: Vec<u8>) -> Self {
        let end = message.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(message.len());
        let body = message.split_off((end + 4).min(message.len()));
        let lines = message[..end].split(|&byte| byte == b'\n').skip(1);
        let fields = lines.filter_map(|line| {
            let colon = line.iter().position(|&byte| byte == b':')?;
            let name = str::from_utf8(&line[..colon]).ok()?;
            let is_own = ["content-length", "date", "connection"].iter().any(|own| name.eq_ignore_ascii_case(own));
            (!is_own).then(|| (name.into(), line[colon + 1..].trim_ascii().into()))
        });
        Rendered { status, fields: fields.collect(), body }
    }
}

impl IntoResponse for Rendered {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        reply.status(self.status);
        for (name, value) in &self.fields {
            reply.field(name, value);
        }
        if self.body.is_empty() && self.field("content-type").is_none() {
            return reply.empty();
        }
        reply.body(&self.body)
    }
}

impl Reply<'_> {
    /// Renders a response into memory, as it would be answered here: nothing is sent. `None`: it is longer than `bytes_max`, head and body
    /// together; then the response can still be answered itself.
    ///
    /// # Errors
    /// What the response has failed with.
    pub fn render(&self, response: &mut dyn IntoResponse, bytes_max: usize) -> Result<Option<Rendered>, Error> {
        let mut output = Output::new(Buffer::with_bytes(BUFFER_BYTES), self.default_type());
        let mut message = Vec::new();
        loop {
            let outcome = Reply::new(&mut output).ask(response);
            let pending = output.pending().unwrap_or_default();
            if message.len() + pending.len() > bytes_max {
                return Ok(None);
            }
            message.extend_from_slice(pending);
            output.clear();
            match outcome {
                Outcome::Sent(sent) => return Ok(Some(Rendered::of(sent.status(), message))),
                Outcome::Failed(error) => return Err(error),
                Outcome::Full => {}
            }
        }
    }
}
