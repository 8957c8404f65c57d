//! How long an answer's body is.

/// The length of an answer's body, by the names and values of its fields; `None` where none tells it. It may be told twice, as long as
/// both are the same (RFC 9112 section 6.3).
///
/// # Errors
/// Why it cannot be told: a value that is no number, or two that differ.
pub fn content_length<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<Option<usize>, &'static str> {
    let mut length = None;
    for (_, value) in fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        let told = digits(value).ok_or("its Content-Length is not a number")?;
        if length.is_some_and(|before| before != told) {
            return Err("it has two values of Content-Length");
        }
        length = Some(told);
    }
    Ok(length)
}

/// A number of digits alone (RFC 9110 section 8.6), without the sign that the standard library allows.
fn digits(value: &[u8]) -> Option<usize> {
    let digits = str::from_utf8(value.trim_ascii()).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}
