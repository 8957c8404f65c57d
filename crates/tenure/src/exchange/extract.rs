//! What a request says as values of the application's types.

use serde_core::Deserialize;
use tenure_proto::{status::StatusCode, target::Encoded};

use crate::{
    Body, Error, Request,
    exchange::values::{Pairs, read_pairs, read_text},
};

impl<'r, S> Request<'r, S> {
    /// The query's pairs as a struct, or as a map. With the feature `serde`.
    ///
    /// A field whose name is repeated may be a list. An `Option` is `None` where its name is missing, or its value empty; a list has to
    /// be `#[serde(default)]` if it may be missing. A `bool` is `true`, `on` or `1`, or `false`, `off` or `0`. A `&str` borrows what was
    /// sent without escapes; take a `String` (`heapless::String<N>`, without a heap) for any text.
    ///
    /// # Errors
    /// 400, which names the field and says what is wanted. 500 where a `&str` is wanted and an encoded text came.
    ///
    /// # Examples
    /// ```
    /// use serde::Deserialize;
    /// use tenure::{Error, Request, Router, get, kit::Server};
    ///
    /// #[derive(Deserialize)]
    /// struct Page {
    ///     #[serde(default)]
    ///     from: u32,
    ///     limit: Option<u8>,
    ///     #[serde(default)]
    ///     tag: Vec<String>,
    /// }
    ///
    /// async fn list(request: &mut Request<'_, ()>) -> Result<String, Error> {
    ///     let Page { from, limit, tag } = request.query_as()?;
    ///     Ok(format!("{from} {limit:?} {tag:?}"))
    /// }
    ///
    /// let mut server = Server::new(Router::new().route("/", get(list)));
    /// let client = server.connect();
    /// client.send("GET /?from=8&tag=a&tag=b+%C3%BC HTTP/1.1\r\nHost: a\r\n\r\n");
    /// server.run();
    /// assert!(client.received_text().ends_with("\r\n\r\n8 None [\"a\", \"b \u{fc}\"]"));
    /// ```
    pub fn query_as<T: Deserialize<'r>>(&self) -> Result<T, Error> {
        read_pairs(Pairs::of_query(self.query().unwrap_or_default()), &self.inner.shared().reasons)
    }

    /// The value of a [`parameter`](Request::parameter) as a number, `bool`, text, or an enum whose variants have no content. With the
    /// feature `serde`.
    ///
    /// # Errors
    /// 400: it is none. 500: the route has no such parameter, or a `&str` is wanted and an encoded text came.
    ///
    /// # Examples
    /// ```
    /// use serde::Deserialize;
    /// use tenure::{Error, Request, Router, get, kit::Server};
    ///
    /// #[derive(Deserialize, Debug)]
    /// #[serde(rename_all = "lowercase")]
    /// enum Level {
    ///     Low,
    ///     High,
    /// }
    ///
    /// async fn pin(request: &mut Request<'_, ()>) -> Result<String, Error> {
    ///     let (pin, level): (u8, Level) = (request.parameter_as("pin")?, request.parameter_as("level")?);
    ///     Ok(format!("{pin} {level:?}"))
    /// }
    ///
    /// let mut server = Server::new(Router::new().route("/pins/{pin}/{level}", get(pin)));
    /// let client = server.connect();
    /// client.send("GET /pins/4/high HTTP/1.1\r\nHost: a\r\n\r\nGET /pins/256/high HTTP/1.1\r\nHost: a\r\n\r\n");
    /// server.run();
    /// let text = client.received_text();
    /// assert!(text.contains("\r\n\r\n4 High") && text.contains("400 Bad Request"));
    /// ```
    pub fn parameter_as<T: Deserialize<'r>>(&self, name: &str) -> Result<T, Error> {
        let value: Encoded<'r> =
            self.parameter(name).ok_or(Error::internal("the route has no parameter of that name"))?;
        read_text(value, name, &self.inner.shared().reasons)
    }
}

impl<'a> Body<'a, '_> {
    /// The whole body as the form that it is (`application/x-www-form-urlencoded`), read as
    /// [`query_as`](Request::query_as) reads a query. It is decoded in place, so a `&str` borrows any text. It must fit the server's
    /// body buffer. With the feature `serde`.
    ///
    /// # Errors
    /// As [`whole`](Body::whole). 415 (Unsupported Media Type): it is sent as something else, or without a Content-Type. 400, which
    /// names the field and says what is wanted.
    ///
    /// # Cancellation safety
    /// Safe: the next call goes on where this one was.
    ///
    /// # Examples
    /// ```
    /// use serde::Deserialize;
    /// use tenure::{Error, Request, Router, kit::Server, post};
    ///
    /// #[derive(Deserialize)]
    /// struct Join<'a> {
    ///     ssid: &'a str,
    ///     #[serde(default)]
    ///     hidden: bool,
    /// }
    ///
    /// async fn join(request: &mut Request<'_, ()>) -> Result<String, Error> {
    ///     let Join { ssid, hidden } = request.body().form().await?;
    ///     Ok(format!("{ssid} {hidden}"))
    /// }
    ///
    /// let mut server = Server::new(Router::new().route("/join", post(join)));
    /// let client = server.connect();
    /// client.send("POST /join HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    /// client.send("Content-Length: 22\r\n\r\nssid=K%C3%BC&hidden=on");
    /// server.run();
    /// assert!(client.received_text().ends_with("\r\n\r\nK\u{fc} true"));
    /// ```
    pub async fn form<T: Deserialize<'a>>(self) -> Result<T, Error> {
        if !self.is_of_type(|media_type| media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
            return Err(unsupported(
                "send a form, as application/x-www-form-urlencoded: the Content-Type says another",
            ));
        }
        let reasons = &self.reader.shared.reasons;
        read_pairs(Pairs::of_form(self.reader.whole_to_change().await?)?, reasons)
    }

    /// The whole body as the JSON that it is. It is decoded in place, so a `&str` borrows any text, and needs no buffer of yours. It must
    /// fit the server's body buffer; a larger one is read with [`to_vec`](Body::to_vec) or [`copy_into`](Body::copy_into), and
    /// [`json::read`](crate::json::read). The Content-Type must be `application/json`, or end with `+json`: another site's page can
    /// make a browser send any other type without being asked, also none. With the feature `json`.
    ///
    /// # Errors
    /// As [`whole`](Body::whole). 415 (Unsupported Media Type): it is sent as something else, or without a Content-Type. 400, which
    /// names the field and says what is wanted: `"wifi.port": 70000 is above 65535`.
    ///
    /// # Cancellation safety
    /// Safe: the next call goes on where this one was.
    ///
    /// # Examples
    /// ```
    /// use serde::Deserialize;
    /// use tenure::{Error, Request, Router, kit::Server, put};
    ///
    /// #[derive(Deserialize)]
    /// struct Wifi<'a> {
    ///     ssid: &'a str,
    ///     port: u16,
    /// }
    ///
    /// async fn set(request: &mut Request<'_, ()>) -> Result<String, Error> {
    ///     let Wifi { ssid, port } = request.body().json().await?;
    ///     Ok(format!("{ssid} {port}"))
    /// }
    ///
    /// let mut server = Server::new(Router::new().route("/wifi", put(set)));
    /// let client = server.connect();
    /// client.send("PUT /wifi HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n");
    /// client.send("Content-Length: 33\r\n\r\n{\"ssid\": \"K\\u00fcche\", \"port\": 1}");
    /// server.run();
    /// assert!(client.received_text().ends_with("\r\n\r\nK\u{fc}che 1"));
    /// ```
    #[cfg(feature = "json")]
    pub async fn json<T: Deserialize<'a>>(self) -> Result<T, Error> {
        if !self.is_of_type(is_json) {
            return Err(unsupported("send JSON, as application/json: the Content-Type says another"));
        }
        let reasons = &self.reader.shared.reasons;
        crate::json::read_of_request(self.reader.whole_to_change().await?, reasons)
    }

    /// Whether the Content-Type is there and of that kind, whatever its parameters.
    fn is_of_type(&self, is_wanted: fn(&str) -> bool) -> bool {
        let media_type = self.field("content-type").and_then(|value| str::from_utf8(value).ok());
        media_type.is_some_and(|value| is_wanted(value.split(';').next().unwrap_or_default().trim_ascii()))
    }
}

#[cold]
fn unsupported(reason: &'static str) -> Error {
    Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason)
}

/// RFC 6839 section 3.1: types that end so are JSON, too.
#[cfg(feature = "json")]
fn is_json(media_type: &str) -> bool {
    let is = |part: Option<&str>, wanted: &str| part.is_some_and(|part| part.eq_ignore_ascii_case(wanted));
    let suffix = media_type.len().checked_sub("+json".len()).and_then(|at| media_type.get(at..));
    is(Some(media_type), "application/json")
        || is(media_type.get(.."application/".len()), "application/") && is(suffix, "+json")
}
