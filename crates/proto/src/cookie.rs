//! What a Cookie field holds: RFC 6265 section 4.2.

/// The pairs of a Cookie field's value, in order, quotes around a value taken away; what is not a pair is passed over.
///
/// Blanks around names and values are no part of them. A pair needs `=` and a name; its value may be empty. Names are
/// case-sensitive and may come twice: RFC 6265 section 4.2.2 advises servers not to rely on their order.
///
/// # Examples
/// ```
/// use tenure_proto::cookie::cookies;
///
/// let mut cookies = cookies("sid=31d4; lang=\"en\"");
/// assert_eq!(cookies.next(), Some(("sid", "31d4")));
/// assert_eq!(cookies.next(), Some(("lang", "en")));
/// assert_eq!(cookies.next(), None);
/// ```
pub fn cookies(value: &str) -> impl Iterator<Item = (&str, &str)> {
    value.split(';').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim_matches([' ', '\t']), value.trim_matches([' ', '\t']));
        // RFC 6265 section 4.1.1 has quotes in the grammar of a value; one quote alone is part of the text.
        let unquoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        (!name.is_empty()).then_some((name, unquoted))
    })
}

#[cfg(test)]
mod tests {
    use super::cookies;

    #[test]
    fn pairs_are_told_and_the_rest_is_passed_over() {
        for (value, wanted) in [
            ("", &[][..]),
            ("sid=31d4", &[("sid", "31d4")]),
            ("sid=31d4; lang=en-US", &[("sid", "31d4"), ("lang", "en-US")]),
            // Section 4.2.1 asks for one space behind each `;`; section 5.4 has clients send it. Neither is needed.
            ("a=1;b=2;\tc=3 ;", &[("a", "1"), ("b", "2"), ("c", "3")]),
            (" a = 1 ", &[("a", "1")]),
            ("a=", &[("a", "")]),
            ("a=b=c", &[("a", "b=c")]),
            ("a=1; a=2; A=3", &[("a", "1"), ("a", "2"), ("A", "3")]),
            ("a=\"b c\"", &[("a", "b c")]),
            ("a=\"\"", &[("a", "")]),
            ("a=\"", &[("a", "\"")]),
            ("a=\"b", &[("a", "\"b")]),
            ("a=b\"", &[("a", "b\"")]),
            // A quote does not hide a `;`: section 5.2 splits at the first one.
            ("a=\"b;c=d\"", &[("a", "\"b"), ("c", "d\"")]),
            ("a", &[]),
            ("=a", &[]),
            (" =a; b=c", &[("b", "c")]),
            (";;;", &[]),
            ("a=%20é", &[("a", "%20é")]),
        ] {
            assert!(cookies(value).eq(wanted.iter().copied()), "{value}");
        }
    }
}
