//! Requests that are sound, or nearly: random bytes rarely are.

use arbitrary::Arbitrary;

/// What handlers are told to do, letter by letter: see [`super::app`].
const STEPS: &[u8] = b"rwm123456789lcysxtzepqnLSDKWE";
/// What bodies have: what would be a request if it were taken for one.
const BODY: &[u8] = b"GET /v/r?i=999 HTTP/1.1\r\nHost: a\r\n\r\n";

/// The requests of a connection.
#[derive(Arbitrary, Debug)]
pub(super) struct Requests {
    requests: Vec<Sent>,
    damage: Option<Damage>,
}

#[derive(Arbitrary, Debug)]
struct Sent {
    method: Method,
    responds: bool,
    steps: Vec<u8>,
    is_10: bool,
    connection: Connection,
    /// 0: waits to be asked for its body.
    expects: u8,
    content: Content,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Method {
    Get,
    Post,
    Head,
    Options,
    Delete,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Connection {
    Unsaid,
    KeepAlive,
    Close,
}

#[derive(Arbitrary, Debug)]
enum Content {
    Nothing,
    Length(u8),
    Chunked(Vec<u8>, bool),
}

/// One byte that is another one.
#[derive(Arbitrary, Debug)]
struct Damage {
    at: u16,
    byte: u8,
}

impl Requests {
    pub(super) fn count(&self) -> usize {
        self.requests.len()
    }

    /// Whether nothing but the bounds can be in the way of an answer.
    pub(super) fn are_sound(&self) -> bool {
        self.damage.is_none()
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, request) in self.requests.iter().enumerate() {
            request.write(number, &mut bytes);
        }
        if let Some(Damage { at, byte }) = self.damage
            && !bytes.is_empty()
        {
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
        }
        bytes
    }
}

impl Sent {
    fn write(&self, number: usize, bytes: &mut Vec<u8>) {
        let mut put = |text: &str| bytes.extend_from_slice(text.as_bytes());
        put(match self.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Head => "HEAD",
            Method::Options => "OPTIONS",
            Method::Delete => "DELETE",
        });
        put(if self.responds { " /r/" } else { " /v/" });
        for step in self.steps.iter().take(8) {
            put(char::from(STEPS[usize::from(*step) % STEPS.len()]).encode_utf8(&mut [0; 4]));
        }
        put(&format!("?i={number} HTTP/1.{}\r\nHost: a\r\n", u8::from(!self.is_10)));
        put(match self.connection {
            Connection::Unsaid => "",
            Connection::KeepAlive => "Connection: keep-alive\r\n",
            Connection::Close => "Connection: close\r\n",
        });
        if self.expects == 0 {
            put("Expect: 100-continue\r\n");
        }
        let mut data = BODY.iter().copied().cycle();
        match &self.content {
            Content::Chunked(sizes, has_more) if !self.is_10 => {
                put("Transfer-Encoding: chunked\r\n\r\n");
                for size in sizes.iter().take(8).filter(|size| **size > 0) {
                    put(&format!("{size:x}{}\r\n", if *has_more { ";a=\"b\"" } else { "" }));
                    let chunk: Vec<u8> = data.by_ref().take(usize::from(*size)).collect();
                    put(str::from_utf8(&chunk).expect("ASCII"));
                    put("\r\n");
                }
                put(if *has_more { "0\r\nT: a\r\n\r\n" } else { "0\r\n\r\n" });
            }
            Content::Length(length) => {
                put(&format!("Content-Length: {length}\r\n\r\n"));
                bytes.extend(data.take(usize::from(*length)));
            }
            Content::Nothing | Content::Chunked(..) => put("\r\n"),
        }
    }
}
