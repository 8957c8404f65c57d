//! What the head of a part says: RFC 7578 section 4.2 to 4.8.

use core::ops::Range;

use super::{boundary::parameter, fault::Fault};
use crate::bytes::{is_blank, is_folded, token};

/// What the head of a part says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartHead<'a> {
    name: &'a str,
    filename: Option<&'a str>,
    content_type: Option<&'a str>,
}

impl<'a> PartHead<'a> {
    pub(super) fn new(head: &'a [u8], said: &Said) -> Self {
        // It has been looked at: this is text.
        let text = |range: &Range<usize>| head.get(range.clone()).and_then(|text| str::from_utf8(text).ok());
        let text_of = |range: &Option<Range<usize>>| range.as_ref().and_then(text);
        PartHead {
            name: text_of(&said.name).unwrap_or_default(),
            filename: text_of(&said.filename),
            content_type: text_of(&said.content_type),
        }
    }

    /// The name of the form's field, decoded. It may hold any character, line ends, too, and need not be the only one of that name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The name that the file has at the client, decoded; `None` where the part is no file. It is the client's word, and may be `..`, a
    /// path, or empty.
    pub fn filename(&self) -> Option<&'a str> {
        self.filename
    }

    /// The type of the content as it was sent. Without one it is text (section 4.4).
    pub fn content_type(&self) -> Option<&'a str> {
        self.content_type
    }
}

/// Where in the head stands what it says.
#[derive(Clone, Debug)]
pub(super) struct Said {
    name: Option<Range<usize>>,
    filename: Option<Range<usize>>,
    content_type: Option<Range<usize>>,
}

impl Said {
    pub(super) const NOTHING: Said = Said { name: None, filename: None, content_type: None };
}

/// Reads a head that is whole: lines that end with CR LF, the last one empty. Names are decoded where they lie.
///
/// # Errors
/// Why, and which byte of the head.
pub(super) fn read(head: &mut [u8], name_bytes_max: usize) -> Result<Said, (Fault, usize)> {
    let (mut said, mut is_encoding_said, mut at) = (Said::NOTHING, false, 0);
    loop {
        let length = head.get(at..).unwrap_or_default().iter().position(|&byte| byte == b'\r').unwrap_or(0);
        let (line_at, end) = (at, at + length);
        if length == 0 {
            break;
        }
        at = end + 2;
        let name = line_at..token(head, line_at);
        if name.is_empty() || head.get(name.end) != Some(&b':') {
            return Err((Fault::BadField, name.end));
        }
        let value = trimmed(head, name.end + 1..end);
        let is = |wanted| is_folded(head.get(name.clone()).unwrap_or_default(), wanted);
        if is("content-disposition") {
            if said.name.is_some() {
                return Err((Fault::Twice, line_at));
            }
            read_disposition(head, value, name_bytes_max, &mut said)?;
        } else if is("content-type") {
            check_text(head, &value)?;
            if said.content_type.replace(value).is_some() {
                return Err((Fault::Twice, line_at));
            }
        } else if is("content-transfer-encoding") {
            let encoding = head.get(value.clone()).unwrap_or_default();
            if !["7bit", "8bit", "binary"].iter().any(|known| is_folded(encoding, known)) {
                return Err((Fault::Encoded, value.start));
            }
            if core::mem::replace(&mut is_encoding_said, true) {
                return Err((Fault::Twice, line_at));
            }
        }
    }
    if said.name.is_none() {
        return Err((Fault::NoDisposition, 0));
    }
    Ok(said)
}

fn read_disposition(
    head: &mut [u8],
    value: Range<usize>,
    name_bytes_max: usize,
    said: &mut Said,
) -> Result<(), (Fault, usize)> {
    let kind = value.start..token(head, value.start);
    if !is_folded(head.get(kind.clone()).unwrap_or_default(), "form-data") {
        return Err((Fault::BadDisposition, kind.start));
    }
    let mut at = kind.end;
    loop {
        let text = head.get(..value.end).unwrap_or_default();
        let Some(found) = parameter(text, at).map_err(|at| (Fault::BadDisposition, at))? else { break };
        at = found.end;
        let name = text.get(found.name.clone()).unwrap_or_default();
        let (is_name, is_filename) = (is_folded(name, "name"), is_folded(name, "filename"));
        if !is_name && !is_filename {
            continue;
        }
        let start = found.value.start;
        let decoded = if found.is_quoted { decode(head, found.value) } else { found.value };
        check_text(head, &decoded)?;
        if decoded.len() > name_bytes_max {
            return Err((Fault::NameTooLong, start));
        }
        let place = if is_name { &mut said.name } else { &mut said.filename };
        if place.replace(decoded).is_some() {
            return Err((Fault::Twice, found.name.start));
        }
    }
    if said.name.is_none() { Err((Fault::NoName, value.start)) } else { Ok(()) }
}

/// Without the blanks at both ends.
fn trimmed(head: &[u8], value: Range<usize>) -> Range<usize> {
    let is_blank_at = |at: usize| head.get(at).is_some_and(|&byte| is_blank(byte));
    let Range { mut start, mut end } = value;
    while start < end && is_blank_at(start) {
        start += 1;
    }
    while start < end && is_blank_at(end - 1) {
        end -= 1;
    }
    start..end
}

fn check_text(head: &[u8], range: &Range<usize>) -> Result<(), (Fault, usize)> {
    let text = str::from_utf8(head.get(range.clone()).unwrap_or_default());
    text.map(|_| ()).map_err(|_| (Fault::NotText, range.start))
}

/// Decodes what stands in quotes: a backslash in front of a quote or a backslash (RFC 2183), and the three escapes of the HTML standard,
/// whose `%` is not escaped itself. It becomes no longer.
fn decode(head: &mut [u8], value: Range<usize>) -> Range<usize> {
    let (mut from, mut to) = (value.start, value.start);
    while from < value.end {
        let (byte, taken) = match head.get(from..value.end).unwrap_or_default() {
            [b'\\', byte @ (b'"' | b'\\'), ..] => (*byte, 2),
            [b'%', b'2', b'2', ..] => (b'"', 3),
            [b'%', b'0', b'D' | b'd', ..] => (b'\r', 3),
            [b'%', b'0', b'A' | b'a', ..] => (b'\n', 3),
            [byte, ..] => (*byte, 1),
            [] => break,
        };
        if let Some(place) = head.get_mut(to) {
            *place = byte;
        }
        (from, to) = (from + taken, to + 1);
    }
    value.start..to
}
