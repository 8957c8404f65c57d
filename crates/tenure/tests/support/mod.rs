//! What the request-level tests share: bytes fed in every way, and responses taken apart.
#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part")]

pub(crate) mod when_woken;

use std::fmt::Write as _;

use tenure::{
    EndReason, Handler, Session,
    kit::{Client, Event, Server, Settings},
};

/// What a server has done with the bytes of one client.
#[derive(PartialEq, Eq)]
pub struct Answers {
    pub bytes: Vec<u8>,
    pub closed: bool,
    pub reset: bool,
    pub ended: Vec<EndReason>,
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Answers { bytes, closed, reset, ended } = self;
        write!(f, "closed {closed}, reset {reset}, ended {ended:?}: {}", bytes.escape_ascii())
    }
}

impl Answers {
    /// The responses, none of them to a HEAD.
    #[track_caller]
    pub fn responses(&self) -> Vec<Response> {
        responses(&self.bytes)
    }

    /// The one response that there is.
    #[track_caller]
    pub fn response(&self) -> Response {
        let mut responses = self.responses();
        assert_eq!(responses.len(), 1, "{}", self.bytes.escape_ascii());
        responses.remove(0)
    }

    /// The statuses of the responses.
    #[track_caller]
    pub fn statuses(&self) -> Vec<u16> {
        self.responses().iter().map(|response| response.status).collect()
    }
}

/// One response, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub phrase: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The value of the one field of that name.
    #[track_caller]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} comes twice: {self:?}");
        value
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("a body of text")
    }

    pub fn says_close(&self) -> bool {
        self.field("connection") == Some("close")
    }
}

/// Takes responses apart, none of them to a HEAD. All bytes must be used up.
#[track_caller]
pub fn responses(bytes: &[u8]) -> Vec<Response> {
    responses_to("", bytes)
}

/// Takes responses apart; an `H` in `heads` stands for each that answers a HEAD, any other letter for each that does not.
#[track_caller]
pub fn responses_to(heads: &str, bytes: &[u8]) -> Vec<Response> {
    let (mut rest, mut responses, mut heads) = (bytes, Vec::new(), heads.chars());
    while !rest.is_empty() {
        let (response, bytes) = response(rest, &mut heads);
        responses.push(response);
        rest = &rest[bytes..];
    }
    responses
}

#[track_caller]
fn response(bytes: &[u8], heads: &mut std::str::Chars<'_>) -> (Response, usize) {
    let shown = bytes[..bytes.len().min(400)].escape_ascii();
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| panic!("no head: {shown}"));
    let text = str::from_utf8(&bytes[..head]).expect("a head of text");
    let mut lines = text.split("\r\n");
    let status_line = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("{shown}"));
    let (code, phrase) = status_line.split_once(' ').unwrap_or_else(|| panic!("{shown}"));
    let fields: Vec<_> = lines
        .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("{line:?} in {shown}")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let status: u16 = code.parse().unwrap();
    let mut response = Response { status, phrase: phrase.to_owned(), fields, body: Vec::new() };
    let mut at = head + 4;
    let is_head = status >= 200 && heads.next() == Some('H');
    let length = response.field("content-length").map(|length| length.parse::<usize>().unwrap());
    let chunked = response.field("transfer-encoding") == Some("chunked");
    assert!(!(chunked && length.is_some()), "contradictory framing: {shown}");
    if is_head {
        return (response, at);
    }
    if matches!(status, 100..200 | 204 | 304) {
        assert!(length.is_none() && !chunked, "framing of a status without a body: {shown}");
    } else if let Some(length) = length {
        let body = bytes.get(at..at + length).unwrap_or_else(|| panic!("the body is cut off: {shown}"));
        response.body = body.to_vec();
        at += length;
    } else if chunked {
        loop {
            let line = bytes[at..].windows(2).position(|two| two == b"\r\n").unwrap_or_else(|| panic!("{shown}"));
            let size = usize::from_str_radix(str::from_utf8(&bytes[at..at + line]).unwrap(), 16).unwrap();
            at += line + 2;
            response.body.extend_from_slice(&bytes[at..at + size]);
            assert_eq!(&bytes[at + size..at + size + 2], b"\r\n", "{shown}");
            at += size + 2;
            if size == 0 {
                break;
            }
        }
    } else {
        assert!(response.says_close(), "a body without an end: {shown}");
        response.body = bytes[at..].to_vec();
        at = bytes.len();
    }
    (response, at)
}

/// Sends pieces, letting the server do what it can after each.
pub fn feed<'a, S: Session + 'static, A: Handler<S> + 'static>(
    app: A,
    settings: Settings,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Answers {
    let mut server = Server::with(app, settings);
    let client = server.connect();
    for piece in pieces {
        client.send(piece);
        server.run();
    }
    answers(&server, &client)
}

/// What one client has got so far.
pub fn answers<S: Session + 'static>(server: &Server<S>, client: &Client) -> Answers {
    let ended = server.ended().into_iter().filter(|(id, _)| Some(*id) == client.id()).map(|(_, reason)| reason);
    Answers { bytes: client.received(), closed: client.is_closed(), reset: client.is_reset(), ended: ended.collect() }
}

/// Feeds bytes whole, byte by byte, and at every split; all answers must be equal.
#[track_caller]
pub fn every_way<S: Session + 'static, A: Handler<S> + 'static>(
    app: impl Fn() -> A,
    settings: Settings,
    bytes: impl AsRef<[u8]>,
) -> Answers {
    let bytes = bytes.as_ref();
    let shown = || bytes[..bytes.len().min(300)].escape_ascii();
    let whole = feed(app(), settings, [bytes]);
    assert_eq!(feed(app(), settings, bytes.chunks(1)), whole, "byte by byte: {}", shown());
    // A long case is split around its two ends and now and then between.
    let step = |split: usize| bytes.len() <= 400 || split < 200 || bytes.len() - split < 50 || split.is_multiple_of(97);
    for split in (1..bytes.len()).filter(|&split| step(split)) {
        let (first, second) = bytes.split_at(split);
        assert_eq!(feed(app(), settings, [first, second]), whole, "split at {split}: {}", shown());
    }
    whole
}

/// A request with Host, these field lines, and a body with its length.
pub fn request(method: &str, target: &str, fields: &str, body: &str) -> String {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}{length}\r\n{body}")
}

/// A request without a body.
pub fn get(target: &str) -> String {
    request("GET", target, "", "")
}

/// A POST.
pub fn post(target: &str, body: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A POST in chunks of these sizes, over and over.
pub fn post_chunked(target: &str, body: &str, sizes: &[usize]) -> String {
    let mut text = format!("POST {target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let (mut rest, mut sizes) = (body, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = *sizes.next().unwrap();
        let at = (size..rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        let (chunk, behind) = rest.split_at(at);
        let _ = write!(text, "{:x}\r\n{chunk}\r\n", chunk.len());
        rest = behind;
    }
    text + "0\r\n\r\n"
}

/// The kit's settings with small buffers: 256 bytes each way and that many for bodies.
pub fn small(body_bytes: usize) -> Settings {
    Settings { input_bytes: 256, body_bytes, output_bytes: 256, ..Settings::default() }
}

/// Text of that many bytes, no part of which is like another for long.
pub fn text(bytes: usize) -> String {
    (0..bytes).map(|at| char::from(b'a' + ((at * 7 + at / 26) % 26) as u8)).collect()
}

/// Statuses and bytes of the responses that the observer was told of.
pub fn sent(events: &[Event]) -> Vec<(u16, u64)> {
    let sent = |event: &Event| match *event {
        Event::Sent(_, status, bytes) => Some((status.code(), bytes)),
        _ => None,
    };
    events.iter().filter_map(sent).collect()
}
