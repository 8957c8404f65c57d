//! The boundary that a Content-Type names: RFC 2046 section 5.1.1, RFC 7578 section 4.1.

use core::ops::Range;

use crate::bytes::{is_blank, is_folded, token, trim};

/// Bytes of a boundary at the most: RFC 2046 section 5.1.1.
pub const BOUNDARY_BYTES_MAX: usize = 70;

/// Why a Content-Type names no boundary of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundaryError {
    /// It is another type than `multipart/form-data`.
    NotForm,
    /// The boundary is missing, stands twice, or has bytes that may not stand there, or too many.
    BadBoundary,
}

/// The boundary of a form whose Content-Type has that value. Other parameters are not looked at. A boundary with bytes for which it
/// should stand in quotes is taken without them, too.
///
/// # Errors
/// [`BoundaryError`].
///
/// # Examples
/// ```
/// use tenure_proto::multipart::{BoundaryError, boundary};
///
/// assert_eq!(boundary(b"multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxk"), Ok(&b"----WebKitFormBoundary7MA4YWxk"[..]));
/// assert_eq!(boundary(b"multipart/mixed; boundary=a"), Err(BoundaryError::NotForm));
/// ```
pub fn boundary(content_type: &[u8]) -> Result<&[u8], BoundaryError> {
    let end = content_type.iter().position(|&byte| byte == b';').unwrap_or(content_type.len());
    let (media_type, parameters) = content_type.split_at_checked(end).unwrap_or_default();
    if !is_folded(trim(media_type), "multipart/form-data") {
        return Err(BoundaryError::NotForm);
    }
    let (mut boundary, mut at) = (None, 0);
    while let Some(found) = parameter(parameters, at).map_err(|_| BoundaryError::BadBoundary)? {
        if is_folded(parameters.get(found.name).unwrap_or_default(), "boundary") {
            let value = parameters.get(found.value).unwrap_or_default();
            let is_boundary = (1..=BOUNDARY_BYTES_MAX).contains(&value.len())
                && value.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte))
                && !value.ends_with(b" ");
            if !is_boundary || boundary.replace(value).is_some() {
                return Err(BoundaryError::BadBoundary);
            }
        }
        at = found.end;
    }
    boundary.ok_or(BoundaryError::BadBoundary)
}

/// A parameter.
pub(super) struct Parameter {
    pub(super) name: Range<usize>,
    /// Without its quotes, but with what they need.
    pub(super) value: Range<usize>,
    pub(super) is_quoted: bool,
    /// Where the next one may follow.
    pub(super) end: usize,
}

/// The next parameter from `at` on: RFC 9110 section 5.6.6. In quotes a backslash stands for itself, as browsers send it, but in front of a
/// quote or another backslash. Without quotes, anything but a blank or `;` may stand.
///
/// # Errors
/// Which byte is wrong.
pub(super) fn parameter(text: &[u8], mut at: usize) -> Result<Option<Parameter>, usize> {
    let blanks =
        |from: usize| from + text.get(from..).unwrap_or_default().iter().take_while(|&&byte| is_blank(byte)).count();
    loop {
        at = blanks(at);
        match text.get(at) {
            None => return Ok(None),
            Some(b';') => at = blanks(at + 1),
            Some(_) => return Err(at),
        }
        if !matches!(text.get(at), None | Some(b';')) {
            break;
        }
    }
    let name = at..token(text, at);
    if name.is_empty() || text.get(name.end) != Some(&b'=') {
        return Err(name.end);
    }
    let is_quoted = text.get(name.end + 1) == Some(&b'"');
    let start = name.end + 1 + usize::from(is_quoted);
    let mut end = start;
    loop {
        match (text.get(end..).unwrap_or_default(), is_quoted) {
            ([], true) => return Err(end),
            ([b'"', ..], true) | ([] | [b';' | b' ' | b'\t', ..], false) => break,
            ([b'"', ..], false) => return Err(end),
            ([b'\\', b'"' | b'\\', ..], true) => end += 2,
            _ => end += 1,
        }
    }
    if start == end && !is_quoted {
        return Err(end);
    }
    Ok(Some(Parameter { name, value: start..end, is_quoted, end: end + usize::from(is_quoted) }))
}
