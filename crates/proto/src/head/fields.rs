//! The fields of a head, read again by whoever wants them: RFC 9110 section 5.

use crate::bytes;

/// The field lines of a head that [`HeadParser::parse`](super::HeadParser::parse) accepted, in order; name and value
/// without surrounding blanks.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields in `bytes`, which must be the [`Head::fields`](super::Head::fields) of a head. Of other bytes, those up
    /// to the first that can't be of a field line; none makes it panic.
    pub fn new(bytes: &'a [u8]) -> Self {
        Fields { rest: bytes }
    }

    /// The value of the first of these fields that has that name; names are case-insensitive.
    pub fn first(&self, name: &str) -> Option<&'a [u8]> {
        let mut fields = self.clone();
        while let Some((other, value)) = fields.line() {
            if other.eq_ignore_ascii_case(name.as_bytes()) {
                return Some(bytes::trim(value));
            }
        }
        None
    }

    /// The next line's name and what stands between its colon and its end.
    fn line(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let (name, rest) = self.rest.split_at_checked(bytes::token(self.rest, 0))?;
        let rest = rest.strip_prefix(b":")?;
        let (value, rest) = rest.split_at_checked(bytes::field_value(rest, 0))?;
        self.rest = rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n")?;
        Some((name, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    /// Name and value.
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.line()?;
        Some((core::str::from_utf8(name).ok()?, bytes::trim(value)))
    }
}
