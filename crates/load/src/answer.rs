//! Answers in what was received: as much of RFC 9112 as a number in a 200 needs.

use crate::{failure::Why, length::content_length};

/// Bytes of a response, head and body, at the most.
pub(crate) const BYTES_MAX: usize = 16_384;
/// Fields of a response head at the most.
const FIELDS_MAX: usize = 64;

/// Reads answers and remembers the last head: a head that equals it byte by byte says the same.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    head: Vec<u8>,
    length: usize,
}

impl Reader {
    /// The number at the beginning of `bytes` and the bytes of its response; `None`: more must come.
    #[inline]
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<Option<(i64, usize)>, Why> {
        let mut from = 0;
        if self.head.is_empty() || !bytes.starts_with(&self.head) {
            match self.read_head(bytes)? {
                Some(interim) => from = interim,
                None if bytes.len() > BYTES_MAX => {
                    return Err(Why::Foreign("the head of an answer has no end".into()));
                }
                None => return Ok(None),
            }
        }
        let body = from + self.head.len();
        let Some(body) = bytes.get(body..body + self.length) else { return Ok(None) };
        Ok(Some((number(body)?, from + self.head.len() + self.length)))
    }

    /// Reads a head and remembers it. Returns the bytes of interim responses before it (RFC 9110 section 15.2).
    #[cold]
    fn read_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Why> {
        let mut from = 0;
        loop {
            let bytes = &bytes[from..];
            let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
            let mut response = httparse::Response::new(&mut fields);
            let end = match response.parse(bytes) {
                Ok(httparse::Status::Complete(end)) => end,
                Ok(httparse::Status::Partial) => return Ok(None),
                Err(error) => return Err(Why::Foreign(format!("it does not speak HTTP ({error})"))),
            };
            let status = response.code.unwrap_or(0);
            if (100..200).contains(&status) {
                from += end;
                continue;
            }
            if status != 200 {
                return Err(Why::Status(status));
            }
            let fields = response.headers.iter().map(|field| (field.name, field.value));
            let length = content_length(fields).map_err(|why| Why::Foreign(why.into()))?;
            self.length = length.ok_or_else(|| Why::Foreign("its answer has no Content-Length".into()))?;
            if self.length > BYTES_MAX - end.min(BYTES_MAX) {
                return Err(Why::Foreign("its answer is far longer than a number".into()));
            }
            self.head.clear();
            self.head.extend_from_slice(&bytes[..end]);
            return Ok(Some(from));
        }
    }
}

/// The number that a body is.
fn number(body: &[u8]) -> Result<i64, Why> {
    if let [digit @ b'0'..=b'9'] = body {
        return Ok(i64::from(digit - b'0'));
    }
    let text = str::from_utf8(body).ok().and_then(|text| text.trim().parse().ok());
    text.ok_or_else(|| {
        let start = String::from_utf8_lossy(&body[..body.len().min(80)]);
        Why::Foreign(format!("it answers no number: {}", start.escape_debug()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(number: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nA: b\r\ncontent-length: {}\r\n\r\n{number}", number.len())
    }

    #[test]
    fn answers_at_every_split() {
        let all = answer("5") + &answer("7") + &answer("-12") + "HTTP/1.1 100 Continue\r\n\r\n" + &answer("7");
        for split in 0..=all.len() {
            let (mut reader, mut numbers, mut at) = (Reader::default(), Vec::new(), 0);
            for end in [split, all.len()] {
                while let Some((number, bytes)) = reader.read(&all.as_bytes()[at..end]).unwrap() {
                    numbers.push(number);
                    at += bytes;
                }
            }
            assert_eq!((numbers, at), (vec![5, 7, -12, 7], all.len()), "{split}");
        }
    }

    #[test]
    fn what_is_no_number_in_a_200() {
        for (said, wanted) in [
            ("SSH-2.0-OpenSSH_9.2\r\n", "it does not speak HTTP"),
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", "it answers 503"),
            ("HTTP/1.1 200 OK\r\n\r\n1", "no Content-Length"),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n1", "its Content-Length is not a number"),
            ("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n1", "its Content-Length is not a number"),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n1", "its Content-Length is not a number"),
            ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n1", "its Content-Length is not a number"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n1", "two values of Content-Length"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n1", "far longer than a number"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe\x1bll", "it answers no number: he\\u{1b}ll"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "it answers no number: "),
        ] {
            let why = Reader::default().read(said.as_bytes()).unwrap_err();
            assert!(why.to_string().contains(wanted), "{said:?}: {why}");
        }
    }

    #[test]
    fn a_length_is_digits_with_space_around() {
        for value in ["1", " 1 ", "\t01\t", "1\r\ncontent-length: 01"] {
            let said = format!("HTTP/1.1 200 OK\r\nContent-Length:{value}\r\n\r\n7");
            let read = Reader::default().read(said.as_bytes());
            assert_eq!(read.unwrap(), Some((7, said.len())), "{value:?}");
        }
    }

    #[test]
    fn a_head_has_an_end() {
        let head = |bytes: usize| {
            let start = "HTTP/1.1 200 OK\r\nA: ";
            format!("{start}{}", "x".repeat(bytes - start.len()))
        };
        assert!(matches!(Reader::default().read(head(BYTES_MAX).as_bytes()), Ok(None)));
        assert!(matches!(Reader::default().read(head(BYTES_MAX + 1).as_bytes()), Err(Why::Foreign(_))));
    }
}
