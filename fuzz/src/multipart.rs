//! Forms: whole and in pieces, beside a plain reading of their delimiters, and what is put into one comes out again.
//!
//! An input is a seed (two bytes), then the form, whose boundary is `b`, or with an odd seed the content of a part. What stands behind the first
//! zero byte of that is a Content-Type.

use tenure_proto::multipart::{BOUNDARY_BYTES_MAX, Bounds, FormReader, Found, Refused, boundary};

use crate::cuts::ends;

const HEAD_BYTES: usize = 96;
const UNBOUNDED: Bounds = Bounds { parts_max: u32::MAX, name_bytes_max: HEAD_BYTES, part_bytes_max: u64::MAX };

/// A part's name, filename and content.
type Part = (String, Option<String>, Vec<u8>);
/// The parts, and how they ended.
type Told = (Vec<Part>, Result<(), Refused>);

/// Reads the input as a form.
pub fn run(input: &[u8]) {
    let Some((&[seed, other], bytes)) = input.split_first_chunk() else { return };
    let (is_content, seed) = (seed & 1 != 0, u64::from(seed) << 8 | u64::from(other));
    if is_content {
        let (content, content_type) = bytes.split_at(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
        if let Ok(found) = boundary(content_type) {
            assert!((1..=BOUNDARY_BYTES_MAX).contains(&found.len()) && found.is_ascii());
        }
        let is_free = !content.windows(5).any(|five| five == b"\r\n--b") && !content.starts_with(b"--b");
        if is_free {
            let part = [&b"--b\r\nContent-Disposition: form-data; name=n\r\n\r\n"[..], content, b"\r\n"].concat();
            let form = [&part[..], &part, b"--b--"].concat();
            let wanted = ("n".to_owned(), None, content.to_vec());
            assert_eq!(agreed(&form, seed, UNBOUNDED), (vec![wanted.clone(), wanted], Ok(())));
        }
        return;
    }
    let (parts, end) = agreed(bytes, seed, UNBOUNDED);
    if end.is_ok() {
        let contents: Vec<_> = parts.into_iter().map(|(_, _, content)| content).collect();
        assert_eq!(plain(bytes), Some(contents), "{}", bytes.escape_ascii());
    }
    let bounds = Bounds { parts_max: other.into(), name_bytes_max: other.into(), part_bytes_max: other.into() };
    let (parts, _) = agreed(bytes, seed, bounds);
    assert!(parts.len() <= usize::from(other));
    for (name, filename, content) in parts {
        let longest = name.len().max(filename.map_or(0, |name| name.len())).max(content.len());
        assert!(longest <= other.into(), "{}", bytes.escape_ascii());
    }
}

/// What becomes of the form, however it is cut.
fn agreed(bytes: &[u8], seed: u64, bounds: Bounds) -> Told {
    let whole = told(bytes, [bytes.len()], bounds);
    for ends in [ends(bytes.len(), seed), ends(bytes.len(), !seed)] {
        assert_eq!(told(bytes, ends, bounds), whole, "{}", bytes.escape_ascii());
    }
    whole
}

fn told(bytes: &[u8], ends: impl IntoIterator<Item = usize>, bounds: Bounds) -> Told {
    let mut reader = FormReader::<HEAD_BYTES>::new(b"b", bounds);
    let (mut parts, mut at): (Vec<Part>, _) = (Vec::new(), 0);
    for end in ends {
        loop {
            let piece = &bytes[at..end];
            let read = match reader.read(piece) {
                Ok(read) => read,
                Err(refused) => {
                    assert!(refused.byte <= bytes.len() as u64 && reader.read(bytes) == Err(refused));
                    return (parts, Err(refused));
                }
            };
            at += read.used;
            match read.found {
                Found::Partial => {
                    assert_eq!(at, end);
                    break;
                }
                Found::Part => {
                    let part = reader.part();
                    parts.push((part.name().to_owned(), part.filename().map(str::to_owned), Vec::new()));
                }
                Found::Content { skip, length } => {
                    assert!(length > 0 && skip + length <= read.used);
                    parts.last_mut().unwrap().2.extend_from_slice(&piece[skip..skip + length]);
                }
                Found::Earlier(content) => {
                    assert!(!content.is_empty());
                    parts.last_mut().unwrap().2.extend_from_slice(content);
                }
                Found::PartEnd => assert_eq!(parts.last().unwrap().2.len() as u64, reader.part_bytes()),
            }
        }
    }
    (parts, reader.finish())
}

/// The contents of a form's parts, found all at once; `None` where it is none.
fn plain(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let form = [b"\r\n", bytes].concat();
    let find = |from: usize, wanted: &[u8]| {
        Some(from + form.get(from..)?.windows(wanted.len()).position(|window| window == wanted)?)
    };
    let (mut contents, mut at) = (Vec::new(), find(0, b"\r\n--b")? + 5);
    while !form[at..].starts_with(b"--") {
        let line_end = find(at, b"\r\n")?;
        // The line end of a head's last line, and that of its empty line: which may be that of the delimiter.
        let empty = find(line_end, b"\r\n\r\n")? + 2;
        let delimiter = find(empty, b"\r\n--b")?;
        contents.push(form[empty + 2..delimiter.max(empty + 2)].to_vec());
        at = delimiter + 5;
    }
    Some(contents)
}
