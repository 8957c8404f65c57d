//! Responses, taken apart so that how they were cut into chunks does not show.

/// One response, as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    head: String,
    body: String,
}

impl Response {
    /// The number of the request that it answers, which handlers put in front of what they say.
    pub(super) fn number(&self) -> Option<usize> {
        self.body.strip_prefix('#')?.split('.').next()?.parse().ok()
    }
}

/// The final responses in `bytes`. An interim one may come or not: a client that has sent some of its body already is not
/// asked for it.
pub(super) fn responses(bytes: &[u8]) -> Vec<Response> {
    let text = str::from_utf8(bytes).expect("all that the application says is ASCII");
    let (mut rest, mut responses) = (text, Vec::new());
    while !rest.is_empty() {
        assert!(begins(rest), "no response: {rest:?} in {text:?}");
        let Some((head, mut behind)) = rest.split_once("\r\n\r\n") else {
            responses.push(Response { head: rest.to_owned(), body: String::new() });
            break;
        };
        if head.starts_with("HTTP/1.1 100 ") {
            rest = behind;
            continue;
        }
        let field = |name: &str| head.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let mut body = String::new();
        // No body begins so: one that answers HEAD has none.
        if begins(behind) {
        } else if field("Transfer-Encoding") == Some("chunked") {
            while !begins(behind) {
                // A size that breaks off is of nothing.
                let (size, data) = behind.split_once("\r\n").unwrap_or(("0", ""));
                let size =
                    usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("no chunk: {behind:?} in {text:?}"));
                let (data, next) = data.split_at(size.min(data.len()));
                body.push_str(data);
                let end = next.strip_prefix("\r\n");
                assert!(end.is_some() || "\r\n".starts_with(next), "no chunk's end: {next:?} in {text:?}");
                behind = end.unwrap_or_default();
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = field("Content-Length") {
            let length: usize = length.parse().expect("a length");
            let data;
            (data, behind) = behind.split_at(length.min(behind.len()));
            body.push_str(data);
        } else if !matches!(&head[9..12], "204" | "304") {
            body.push_str(std::mem::take(&mut behind));
        }
        responses.push(Response { head: head.to_owned(), body });
        rest = behind;
    }
    responses
}

/// Whether text begins as a response does, however early it breaks off.
fn begins(text: &str) -> bool {
    text.starts_with("HTTP/1.1 ") || "HTTP/1.1 ".starts_with(text)
}

/// Whether two connections say the same as far as both go, where the last response of either breaks off.
pub(super) fn begin_alike(one: &[Response], other: &[Response]) -> bool {
    let text = |responses: &[Response]| {
        responses.iter().map(|response| format!("{}\r\n\r\n{}", response.head, response.body)).collect::<Vec<_>>()
    };
    let (one, other) = (text(one), text(other));
    let both = one.len().min(other.len());
    one.iter().zip(&other).enumerate().all(|(at, (one, other))| {
        let is_last = at + 1 == both;
        let breaks_off = |short: &str, long: &str| is_last && long.starts_with(short.trim_end_matches("\r\n"));
        one == other || breaks_off(one, other) || breaks_off(other, one)
    })
}
