//! What a request asks of a representation's validators: RFC 9110 sections 8.8 and 13.
//!
//! Values are those of fields, without surrounding blanks. A list that comes in several field lines is asked line by line.

use crate::{bytes::trim, date};

/// An entity tag: RFC 9110 section 8.8.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag<'a> {
    /// Representations with the same weak tag are good for the same, not the same byte by byte.
    pub weak: bool,
    /// What stands between the quotes.
    pub opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// The tag that `value` is, as a whole.
    ///
    /// # Examples
    /// ```
    /// use tenure_proto::conditional::EntityTag;
    ///
    /// assert_eq!(EntityTag::parse(b"W/\"a\""), Some(EntityTag { weak: true, opaque: b"a" }));
    /// assert_eq!(EntityTag::parse(b"a"), None);
    /// ```
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        EntityTag::first(value).filter(|(_, rest)| rest.is_empty()).map(|(tag, _)| tag)
    }

    /// The tag at the front of `value`, and what stands behind it.
    fn first(value: &'a [u8]) -> Option<(Self, &'a [u8])> {
        // Section 8.8.3: the W is case-sensitive.
        let (weak, quoted) = value.strip_prefix(b"W/").map_or((false, value), |quoted| (true, quoted));
        let quoted = quoted.strip_prefix(b"\"")?;
        let end = quoted.iter().position(|&byte| !is_tag_byte(byte))?;
        let (opaque, rest) = quoted.split_at(end);
        Some((EntityTag { weak, opaque }, rest.strip_prefix(b"\"")?))
    }

    /// Strong comparison, section 8.8.3.2: neither is weak, and they are the same.
    pub fn is_strongly(&self, other: &EntityTag<'_>) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Weak comparison, section 8.8.3.2: they are the same but for being weak.
    pub fn is_weakly(&self, other: &EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }
}

/// `etagc` of section 8.8.3.
const fn is_tag_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x7e | 0x80..)
}

/// Whether a line of an If-Match or If-None-Match field has a tag for which `is` holds: sections 13.1.1 and 13.1.2. `*` has every
/// tag. Tags behind something that is none are not looked at.
///
/// # Examples
/// ```
/// use tenure_proto::conditional::has_tag;
///
/// assert!(has_tag(b"\"a\", W/\"b\"", |tag| tag.opaque == b"b"));
/// assert!(has_tag(b"*", |_| false));
/// ```
pub fn has_tag(list: &[u8], mut is: impl FnMut(EntityTag<'_>) -> bool) -> bool {
    let mut rest = trim(list);
    if rest == b"*" {
        return true;
    }
    loop {
        // Section 5.6.1.2: a recipient takes empty elements, too.
        while let [b',' | b' ' | b'\t', behind @ ..] = rest {
            rest = behind;
        }
        let Some((tag, behind)) = EntityTag::first(rest) else { return false };
        rest = trim(behind);
        if !rest.is_empty() && !rest.starts_with(b",") {
            return false;
        }
        if is(tag) {
            return true;
        }
    }
}

/// What an If-Range field names: section 13.1.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfRange<'a> {
    /// The representation with that tag, compared strongly.
    Tag(EntityTag<'a>),
    /// The representation that was last modified at that second since 1970, exactly.
    Date(u64),
    /// None: the value is neither.
    Neither,
}

impl<'a> IfRange<'a> {
    /// What `value` names; `now`, in seconds since 1970, decides the century of an obsolete date.
    pub fn parse(value: &'a [u8], now: u64) -> Self {
        match (EntityTag::parse(value), date::parse(value, now)) {
            (Some(tag), _) => IfRange::Tag(tag),
            (None, Some(second)) => IfRange::Date(second),
            (None, None) => IfRange::Neither,
        }
    }
}
