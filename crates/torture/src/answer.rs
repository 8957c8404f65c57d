//! What comes back: responses, one behind the other, and whether they are the right ones.

/// A response's status and body.
pub(crate) type Answer = (u16, Vec<u8>);

/// Whether so many answers are here whole.
pub(crate) fn complete(received: &[u8], answers: usize) -> bool {
    let mut rest = received;
    (0..answers).all(|_| match answer(rest) {
        Some((_, bytes)) => {
            rest = &rest[bytes..];
            true
        }
        None => false,
    })
}

/// How many requests have been answered, each rightly. `is_whole`: no part of a request came behind them, and nothing else.
pub(crate) fn check(received: &[u8], wanted: &[Answer], is_whole: bool) -> Result<usize, String> {
    let text = |bytes: &[u8]| bytes[..bytes.len().min(300)].escape_ascii().to_string();
    let mut rest = received;
    for (number, wanted) in wanted.iter().enumerate() {
        let Some((found, bytes)) = answer(rest) else { return Ok(number) };
        if found != *wanted {
            // The body breaks off, a deadline was missed or the server stops: what comes behind it has another sum.
            if matches!(found.0, 408 | 503) || found.0 == 400 && !is_whole {
                return Ok(number);
            }
            return Err(format!(
                "answer {number} is {} {}, not {} {}",
                found.0,
                text(&found.1),
                wanted.0,
                text(&wanted.1)
            ));
        }
        rest = &rest[bytes..];
    }
    if is_whole && !rest.is_empty() {
        return Err(format!("behind the last answer: {}", text(rest)));
    }
    Ok(wanted.len())
}

/// The response at the front, if it is here whole, and its bytes.
fn answer(bytes: &[u8]) -> Option<(Answer, usize)> {
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")?;
    let text = str::from_utf8(&bytes[..head]).ok()?;
    let status = text.split(' ').nth(1)?.parse().ok()?;
    let mut at = head + 4;
    if let Some(length) = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")) {
        let end = at + number(length, 10)?;
        return Some(((status, bytes.get(at..end)?.to_vec()), end));
    }
    let mut body = Vec::new();
    loop {
        let line = bytes.get(at..)?.windows(2).position(|end| end == b"\r\n")?;
        let size = number(str::from_utf8(&bytes[at..at + line]).ok()?, 16)?;
        at += line + 2;
        body.extend_from_slice(bytes.get(at..at + size)?);
        at += size + 2;
        if size == 0 {
            return (at <= bytes.len()).then_some(((status, body), at));
        }
    }
}

/// A number of digits alone, without the sign that the standard library allows.
fn number(digits: &str, radix: u32) -> Option<usize> {
    digits.chars().all(|digit| digit.is_digit(radix)).then(|| usize::from_str_radix(digits, radix).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1\
        HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n";

    fn wanted() -> [Answer; 2] {
        [(200, b"1".to_vec()), (200, b"abc0123456789".to_vec())]
    }

    #[test]
    fn answers_count_once_they_are_whole() {
        let first = TWO.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 5;
        for end in 0..=TWO.len() {
            let count = usize::from(end >= first) + usize::from(end == TWO.len());
            assert_eq!(check(&TWO[..end], &wanted(), true), Ok(count), "{end}");
            assert_eq!((complete(&TWO[..end], 1), complete(&TWO[..end], 2)), (count >= 1, count == 2), "{end}");
        }
    }

    #[test]
    fn lengths_are_digits() {
        for (digits, radix, wanted) in
            [("5", 10, Some(5)), ("+5", 10, None), ("a", 16, Some(10)), ("+a", 16, None), ("", 16, None)]
        {
            assert_eq!(number(digits, radix), wanted, "{digits}");
        }
    }

    #[test]
    fn a_wrong_answer_is_a_fault() {
        let [first, second] = wanted();
        assert!(check(TWO, &[first.clone(), (200, b"abc0123456780".to_vec())], true).is_err());
        assert!(check(TWO, &[(500, b"1".to_vec()), second], true).is_err());
        // One that nobody has asked for.
        assert!(check(TWO, std::slice::from_ref(&first), true).is_err());
        assert_eq!(check(TWO, &[first], false), Ok(1));
    }

    #[test]
    fn what_breaks_off_may_be_refused_and_nothing_else() {
        for (status, is_whole, is_fault) in [
            ("400", true, true),
            ("400", false, false),
            ("404", false, true),
            ("408", true, false),
            ("503", true, false),
        ] {
            let received = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
            assert_eq!(check(received.as_bytes(), &wanted(), is_whole).is_err(), is_fault, "{status} {is_whole}");
        }
    }
}
