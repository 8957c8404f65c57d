//! A response, read from a connection: as much of HTTP/1.1 as an answer of the adder needs, all of it bounded.

use std::{
    fmt,
    io::{self, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use tenure_load::content_length;

/// Bytes of a response head, and of a body, at the most.
const BYTES_MAX: usize = 16_384;

/// Fields of a response head at the most.
const FIELDS_MAX: usize = 64;

/// Characters of what a server said that are shown at the most.
const SHOWN_MAX: usize = 200;

/// A response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Whether the server closes the connection after it.
    pub(crate) closes: bool,
}

/// Why there is no response.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Another server answers here.
    Foreign(String),
    /// The server has closed the connection.
    Closed,
    /// No answer came within that time.
    Late(Duration),
    /// The connection failed.
    Failed(io::Error),
}

/// One connection, and what has been received on it.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    timeout: Option<Duration>,
}

impl Connection {
    /// Talks over `stream`, waiting no longer than `timeout` for each answer.
    pub(crate) fn new(stream: TcpStream, timeout: Option<Duration>) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(timeout)?;
        Ok(Connection { stream, received: Vec::new(), timeout })
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<Answer, Trouble> {
        let due = self.timeout.map(|timeout| Instant::now() + timeout);
        // A server that closes may have answered why: read that first.
        let sent = self.stream.write_all(request).map_err(|error| self.trouble(error));
        match (self.answer(due), sent) {
            (Err(Trouble::Closed | Trouble::Failed(_)), Err(trouble)) => Err(trouble),
            (answer, _) => answer,
        }
    }

    /// Sends a request and waits for the head of its answer. What has come behind it is [kept](Connection::into_parts).
    pub(crate) fn open(&mut self, request: &[u8]) -> Result<Head, Trouble> {
        let due = self.timeout.map(|timeout| Instant::now() + timeout);
        let sent = self.stream.write_all(request).map_err(|error| self.trouble(error));
        match (self.head(due), sent) {
            (Err(Trouble::Closed | Trouble::Failed(_)), Err(trouble)) => Err(trouble),
            (head, _) => head,
        }
    }

    /// The body of an answer that is no success, as far as it can be had.
    pub(crate) fn text(&mut self, head: &Head) -> Vec<u8> {
        let due = self.timeout.map(|timeout| Instant::now() + timeout);
        let head = Head { status: head.status, length: head.length, ..Head::default() };
        self.body(&head, due).map_or_else(|_| std::mem::take(&mut self.received), |answer| answer.body)
    }

    /// The socket, and what has been received behind the last head.
    pub(crate) fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.received)
    }

    fn answer(&mut self, due: Option<Instant>) -> Result<Answer, Trouble> {
        let head = self.head(due)?;
        self.body(&head, due)
    }

    fn head(&mut self, due: Option<Instant>) -> Result<Head, Trouble> {
        loop {
            if let Some((head, bytes)) = Head::parse(&self.received)? {
                self.received.drain(..bytes);
                // An interim response (RFC 9110 section 15.2): the answer is still to come. 101 is none: other bytes follow.
                if head.status == 101 || !(100..200).contains(&head.status) {
                    return Ok(head);
                }
            } else if self.received.len() > BYTES_MAX {
                return Err(foreign("the head of its answer has no end"));
            } else {
                self.receive(due)?;
            }
        }
    }

    fn body(&mut self, head: &Head, due: Option<Instant>) -> Result<Answer, Trouble> {
        let length = match head.length {
            Some(length) if length > BYTES_MAX => return Err(foreign("its answer is far longer than a number")),
            Some(length) => length,
            // What has come so far is enough to show that it is another server.
            None if head.status != 200 => self.received.len().min(BYTES_MAX),
            None => return Err(foreign("its answer has no Content-Length")),
        };
        while self.received.len() < length {
            self.receive(due)?;
        }
        Ok(Answer { status: head.status, body: self.received.drain(..length).collect(), closes: head.closes })
    }

    fn receive(&mut self, due: Option<Instant>) -> Result<(), Trouble> {
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(Trouble::Late(self.timeout.unwrap_or_default()));
        }
        self.stream.set_read_timeout(left).map_err(Trouble::Failed)?;
        let mut bytes = [0; 2_048];
        match self.stream.read(&mut bytes) {
            Ok(0) => Err(Trouble::Closed),
            Ok(count) => {
                self.received.extend_from_slice(&bytes[..count]);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(self.trouble(error)),
        }
    }

    fn trouble(&self, error: io::Error) -> Trouble {
        match error.kind() {
            // A blocking socket reports either when its timeout is over.
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Trouble::Late(self.timeout.unwrap_or_default()),
            _ => Trouble::Failed(error),
        }
    }
}

/// What matters of a response head.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) length: Option<usize>,
    pub(crate) closes: bool,
    /// Names and values, without surrounding blanks.
    pub(crate) fields: Vec<(String, Vec<u8>)>,
}

impl Head {
    /// The fields, as `tenure_proto::websocket::client` takes them.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        self.fields.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The value of the first field of that name.
    pub(crate) fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The head and its bytes; `None`: more must come.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Trouble> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut response = httparse::Response::new(&mut fields);
        let bytes = match response.parse(bytes) {
            Ok(httparse::Status::Complete(bytes)) => bytes,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(foreign(&format!("it does not speak HTTP ({error}): {}", Shown(bytes)))),
        };
        let (status, closes) = (response.code.unwrap_or(0), response.version == Some(0));
        let mut head = Head { status, closes, ..Head::default() };
        for field in response.headers.iter() {
            head.fields.push((field.name.to_owned(), field.value.trim_ascii().to_vec()));
            if field.name.eq_ignore_ascii_case("connection") {
                let options = field.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                head.closes |= options.into_iter().any(|option| option.eq_ignore_ascii_case(b"close"));
            }
        }
        let fields = response.headers.iter().map(|field| (field.name, field.value));
        head.length = content_length(fields).map_err(foreign)?;
        Ok(Some((head, bytes)))
    }
}

fn foreign(why: &str) -> Trouble {
    Trouble::Foreign(why.to_owned())
}

/// A server's text as one line of bounded length, without control characters.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.0);
        let text = text.trim();
        let line = text.lines().next().unwrap_or_default();
        for character in line.chars().take(SHOWN_MAX) {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        f.write_str(if line.chars().nth(SHOWN_MAX).is_some() || line.len() < text.len() { " …" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_digits_with_space_around() {
        for (value, wanted) in [
            ("5", Some(5)),
            (" 5 ", Some(5)),
            ("05", Some(5)),
            ("+5", None),
            ("-5", None),
            ("", None),
            ("5\r\nContent-Length: 5", Some(5)),
            ("5\r\nContent-Length: 6", None),
            ("6\r\nContent-Length: 5", None),
        ] {
            let said = format!("HTTP/1.1 200 OK\r\nContent-Length:{value}\r\n\r\n");
            let parsed = Head::parse(said.as_bytes()).ok().flatten();
            assert_eq!(parsed.and_then(|(head, _)| head.length), wanted, "{value:?}");
        }
    }

    #[test]
    fn what_is_shown_is_one_line_that_moves_no_cursor() {
        let long = "x".repeat(300);
        let cut = format!("{} …", "x".repeat(200));
        for (said, wanted) in
            [("", ""), ("\n no \r\n", "no"), ("a\nb", "a …"), ("\x1b[2J", "\\u{1b}[2J"), (&*long, &*cut)]
        {
            assert_eq!(Shown(said.as_bytes()).to_string(), wanted, "{said:?}");
        }
    }
}
