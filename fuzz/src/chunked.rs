//! Chunked bodies: whole and in pieces, beside a plain reading of the grammar, and what is encoded comes out again.
//!
//! An input is a seed (two bytes), then the body, or with an odd seed the data to encode.

use tenure_proto::{
    chunked::{Chunk, ChunkedDecoder},
    refusal::Refusal,
};

use crate::cuts::{Numbers, ends};

/// The data up to the body's end or its fault, and where it ends: behind the body, or nowhere yet.
type Decoded = (Vec<u8>, Result<Option<usize>, Refusal>);

/// Reads the input as a body.
pub fn run(input: &[u8]) {
    let Some((&[seed, other], bytes)) = input.split_first_chunk() else { return };
    let (is_data, seed) = (seed & 1 != 0, u64::from(seed) << 8 | u64::from(other));
    if is_data {
        let body = encoded(bytes, seed);
        let decoded = agreed(&body, seed);
        assert_eq!(decoded, (bytes.to_vec(), Ok(Some(body.len()))), "{}", body.escape_ascii());
        // What stands behind it is not looked at.
        let more = [&body[..], bytes].concat();
        assert_eq!(agreed(&more, seed), decoded, "{}", more.escape_ascii());
    } else {
        let decoded = agreed(bytes, seed);
        if let Some(plain) = plain(bytes) {
            assert_eq!((decoded.0, decoded.1), (plain.0, Ok(Some(plain.1))), "{}", bytes.escape_ascii());
        }
    }
}

/// What becomes of the body, however it is cut.
fn agreed(bytes: &[u8], seed: u64) -> Decoded {
    let whole = decoded(bytes, [bytes.len()]);
    for ends in [ends(bytes.len(), seed), ends(bytes.len(), !seed)] {
        assert_eq!(decoded(bytes, ends), whole, "{}", bytes.escape_ascii());
    }
    whole
}

fn decoded(bytes: &[u8], ends: impl IntoIterator<Item = usize>) -> Decoded {
    let (mut decoder, mut data, mut at) = (ChunkedDecoder::new(), Vec::new(), 0);
    for end in ends {
        loop {
            let before = decoder.remaining();
            let piece = &bytes[at..end];
            match decoder.decode(piece) {
                Ok(Chunk::Data { skip, length }) => {
                    assert!(length > 0 && skip + length <= piece.len());
                    assert!(skip > 0 || before >= length as u64);
                    data.extend_from_slice(&piece[skip..skip + length]);
                    at += skip + length;
                }
                Ok(Chunk::Partial) => {
                    at = end;
                    break;
                }
                Ok(Chunk::End { skip }) => {
                    assert!(decoder.is_ended());
                    assert_eq!(decoder.decode(bytes), Ok(Chunk::End { skip: 0 }));
                    return (data, Ok(Some(at + skip)));
                }
                Err(refusal) => {
                    assert_eq!(decoder.decode(bytes), Err(refusal));
                    return (data, Err(refusal));
                }
            }
        }
    }
    (data, Ok(None))
}

/// The data in chunks of any sizes, with extensions and trailers.
fn encoded(data: &[u8], seed: u64) -> Vec<u8> {
    const EXTENSIONS: [&str; 6] = ["", "", ";a", " ; b = \"c;\\\"d\"", ";e=f\t", ";;g"];
    let mut numbers = Numbers::new(seed);
    let mut body = Vec::new();
    let mut at = 0;
    for end in ends(data.len(), seed) {
        let extension = EXTENSIONS[numbers.below(5)].trim_end();
        let zeros = "0".repeat(numbers.below(8));
        let size = if seed & 2 == 0 { format!("{:x}", end - at) } else { format!("{:X}", end - at) };
        body.extend_from_slice(format!("{zeros}{size}{extension}\r\n").as_bytes());
        body.extend_from_slice(&data[at..end]);
        body.extend_from_slice(b"\r\n");
        at = end;
    }
    let trailers = "T: a\r\n".repeat(numbers.below(3));
    body.extend_from_slice(format!("{}0\r\n{trailers}\r\n", "0".repeat(numbers.below(3))).as_bytes());
    body
}

/// The data of a body without extensions and trailers, read line by line, and its bytes; `None` where it is another one.
fn plain(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut data, mut at) = (Vec::new(), 0);
    loop {
        let line = bytes[at..].windows(2).position(|two| two == b"\r\n")?;
        let digits = str::from_utf8(&bytes[at..at + line]).ok()?;
        if digits.is_empty() || digits.len() > 16 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let size = usize::from_str_radix(digits, 16).ok()?;
        at += line + 2;
        let chunk = bytes.get(at..at.checked_add(size)?)?;
        data.extend_from_slice(chunk);
        at += size;
        if bytes.get(at..at + 2)? != b"\r\n" {
            return None;
        }
        at += 2;
        if size == 0 {
            return Some((data, at));
        }
    }
}
