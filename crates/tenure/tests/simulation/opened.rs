//! What a client has received over a connection that is open.

/// What was received over it, read.
pub struct Received<'r> {
    /// The numbers of answers, in order.
    pub answers: Vec<String>,
    /// The numbers of what others have pushed or published, in order.
    pub published: Vec<u64>,
    /// What is not whole.
    pub rest: &'r [u8],
}

/// Where a connection is opened: what stands up to the end of that head, and what follows.
pub fn split(received: &[u8]) -> Option<(&[u8], &[u8])> {
    let find = |from: usize, what: &[u8]| {
        received[from..].windows(what.len()).position(|window| window == what).map(|at| from + at)
    };
    let begin = find(0, b"HTTP/1.1 101 ").or_else(|| {
        // Of a GET: that of a HEAD has no Connection field.
        let at = find(0, b"\r\nContent-Type: text/event-stream\r\n")?;
        let end = find(at, b"\r\n\r\n")?;
        received[..end].windows(17).rposition(|window| window == b"HTTP/1.1 200 OK\r\n")
    })?;
    let end = find(begin, b"\r\n\r\n")? + 4;
    let is_head = !received[begin..].starts_with(b"HTTP/1.1 101") && received[end..].starts_with(b"HTTP/1.1");
    if is_head { None } else { Some(received.split_at(end)) }
}

pub fn read(bytes: &[u8], is_stream: bool) -> Received<'_> {
    let mut received = Received { answers: Vec::new(), published: Vec::new(), rest: bytes };
    if is_stream {
        received.read_events();
    } else {
        received.read_frames();
    }
    received
}

impl Received<'_> {
    fn read_events(&mut self) {
        while let Some(end) = self.rest.windows(2).position(|window| window == b"\n\n") {
            let event = str::from_utf8(&self.rest[..end]).expect("events are UTF-8");
            self.rest = &self.rest[end + 2..];
            match event.strip_prefix("data: ") {
                Some("first") => {}
                Some(data) => self.read_published(data),
                None => assert!(matches!(event, "retry: 2000" | ":"), "{event:?} is no event of this application"),
            }
        }
    }

    fn read_frames(&mut self) {
        let mut is_closed = false;
        while let Some((first, payload, rest)) = frame(self.rest) {
            assert!(!is_closed, "a frame behind the close");
            self.rest = rest;
            match first {
                0x81 => self.read_text(str::from_utf8(payload).expect("texts are UTF-8")),
                0x88 => is_closed = true,
                0x89 => assert!(payload.is_empty(), "a ping of this server carries nothing"),
                0x8a => assert!(matches!(payload, b"ping" | b"between"), "a pong of no ping: {payload:?}"),
                other => panic!("a frame begins with {other:#x}"),
            }
        }
    }

    fn read_text(&mut self, text: &str) {
        let Some(answer) = text.strip_prefix('[') else { return self.read_published(text) };
        let (number, rest) = answer.split_once(']').expect("an answer has its number");
        assert!(rest.bytes().all(|byte| byte == b'y'), "foreign bytes in an answer");
        self.answers.push(number.to_owned());
    }

    fn read_published(&mut self, text: &str) {
        let (number, rest) = text.strip_prefix('<').and_then(|text| text.split_once('>')).expect("it is published");
        assert!(rest.bytes().all(|byte| byte == b'z'), "foreign bytes in what is published");
        self.published.push(number.parse().expect("a number"));
    }
}

/// The frame at the front, and what is behind it.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        126 => rest.split_first_chunk().map(|(length, rest)| (u64::from(u16::from_be_bytes(*length)), rest))?,
        127 => rest.split_first_chunk().map(|(length, rest)| (u64::from_be_bytes(*length), rest))?,
        128.. => panic!("a server's frame is masked"),
        length => (length.into(), rest),
    };
    let (payload, rest) = rest.split_at_checked(length as usize)?;
    Some((first, payload, rest))
}
