//! Which targets a route is for.

use tenure_proto::target::{Encoded, is_dot_segment};

/// Parameters of a pattern that is matched without looking at its text's segments.
const PARTS_MAX: usize = 4;

/// A route's pattern: literal segments, `{name}` for one segment, `{*rest}` for all that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: &'static str,
    /// What stands up to the end of each parameter, in order.
    parts: [Part; PARTS_MAX],
    /// How many there are; [`SLOW`]: they do not say it all.
    count: u8,
}

/// No count of parts.
const SLOW: u8 = u8::MAX;

/// A literal run of a pattern's text and the parameter behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Part {
    /// Octets of the run.
    literal: u8,
    /// Octets of the parameter with its braces.
    parameter: u8,
}

impl Pattern {
    /// # Panics
    /// When the text is not a pattern.
    pub(crate) fn new(text: &'static str) -> Self {
        assert!(text.starts_with('/'), "the route {text:?} must start with /");
        assert!(!text.contains('%'), "the route {text:?} must be written decoded: it is compared with decoded targets");
        assert!(!text.contains(['?', '#']), "the route {text:?} has a query or fragment, which is no part of a path");
        let mut rest = text[1..].split('/').peekable();
        while let Some(segment) = rest.next() {
            assert!(!is_dot_segment(segment), "the route {text:?} has a dot segment, which no request can have");
            if let Some(name) = parameter(segment) {
                let (name, rest_of_path) = name.strip_prefix('*').map_or((name, false), |name| (name, true));
                let plain = !name.is_empty() && !name.contains(['{', '}', '*']);
                assert!(plain, "the route {text:?} has a parameter without a plain name");
                assert!(!rest_of_path || rest.peek().is_none(), "in the route {text:?} something follows {{*{name}}}");
            } else {
                let braces = segment.contains(['{', '}']);
                assert!(!braces, "in the route {text:?} a parameter must be a whole segment, such as /{{name}}");
            }
        }
        let (parts, count) = parts(text).unwrap_or(([Part::default(); PARTS_MAX], SLOW));
        Pattern { text, parts, count }
    }

    /// Whether it has no parameters.
    #[inline]
    pub(crate) fn is_literal(self) -> bool {
        self.count == 0
    }

    pub(crate) fn text(self) -> &'static str {
        self.text
    }

    /// Whether `target`, from a path's `/` on, is this pattern up to its query. Segments are compared decoded; `encoded`:
    /// something in it is percent-encoded.
    #[inline(always)]
    pub(crate) fn matches(&self, target: &[u8], encoded: bool) -> bool {
        if self.count != 0 || encoded {
            return self.matches_with_parameters(target, encoded);
        }
        match target.split_at_checked(self.text.len()) {
            Some((path, [] | [b'?', ..])) => same(path, self.text.as_bytes()),
            _ => false,
        }
    }

    #[inline(never)]
    fn matches_with_parameters(&self, target: &[u8], encoded: bool) -> bool {
        if self.count == SLOW || encoded {
            return self.consumed(target, false).is_some();
        }
        match self.walk(target) {
            Walked::Behind(at) => matches!(target.get(at), None | Some(b'?')),
            Walked::Elsewhere => false,
            Walked::Dots => self.consumed(target, false).is_some(),
        }
    }

    /// Octets of `target` that this pattern takes as a prefix of whole segments.
    pub(crate) fn prefix(&self, target: &[u8], encoded: bool) -> Option<usize> {
        if self.count != SLOW && !encoded && !self.text.ends_with('/') {
            match self.walk(target) {
                Walked::Behind(at) => return matches!(target.get(at), None | Some(b'?' | b'/')).then_some(at),
                Walked::Elsewhere => return None,
                Walked::Dots => {}
            }
        }
        self.consumed(target, true)
    }

    /// Goes along a target in which nothing is encoded.
    #[inline(always)]
    fn walk(&self, target: &[u8]) -> Walked {
        let (text, mut from, mut at) = (self.text.as_bytes(), 0, 0);
        for part in self.parts.iter().take(usize::from(self.count)) {
            let (to, value) = (from + usize::from(part.literal), at + usize::from(part.literal));
            let (Some(literal), Some(octets)) = (text.get(from..to), target.get(at..value)) else {
                return Walked::Elsewhere;
            };
            if !same(octets, literal) {
                return Walked::Elsewhere;
            }
            at = value_end(target, value);
            match target.get(value) {
                _ if at == value => return Walked::Elsewhere,
                // It may be a segment that must not match.
                Some(b'.') => return Walked::Dots,
                _ => {}
            }
            from = to + usize::from(part.parameter);
        }
        let literal = text.get(from..).unwrap_or_default();
        match target.get(at..at + literal.len()) {
            Some(octets) if same(octets, literal) => Walked::Behind(at + literal.len()),
            _ => Walked::Elsewhere,
        }
    }

    #[inline(never)]
    fn consumed(&self, target: &[u8], prefix: bool) -> Option<usize> {
        let path = str::from_utf8(path_of(target)).ok()?;
        let mut at = 0;
        // A prefix's last `/` stands for nothing.
        let text = if prefix { self.text.strip_suffix('/').unwrap_or(self.text) } else { self.text };
        for segment in text.split('/').skip(1) {
            let rest = path.get(at..)?.strip_prefix('/')?;
            if let Some(name) = parameter(segment) {
                if name.starts_with('*') {
                    return (!rest.split('/').any(is_dot_segment)).then_some(path.len());
                }
                let value = first_segment(rest);
                if value.is_empty() || is_dot_segment(value) {
                    return None;
                }
                at += 1 + value.len();
            } else {
                let value = first_segment(rest);
                if Encoded::path(value) != *segment {
                    return None;
                }
                at += 1 + value.len();
            }
        }
        (prefix || at == path.len()).then_some(at)
    }

    /// The value of a parameter in a target that this pattern has matched.
    pub(crate) fn parameter<'a>(&self, target: &'a [u8], encoded: bool, name: &str) -> Option<Encoded<'a>> {
        if self.count == SLOW || encoded {
            return self.parameter_slow(target, name);
        }
        let (text, mut from, mut at) = (self.text.as_bytes(), 0, 0);
        for part in self.parts.iter().take(usize::from(self.count)) {
            let to = from + usize::from(part.literal) + usize::from(part.parameter);
            let value = at + usize::from(part.literal);
            at = value_end(target, value);
            // Without its braces.
            let found = text.get(from + usize::from(part.literal) + 1..to - 1)?;
            if found.len() == name.len() && same(found, name.as_bytes()) {
                return Some(Encoded::path_octets(target.get(value..at)?));
            }
            from = to;
        }
        None
    }

    /// The same whatever there is in the pattern and in the target.
    #[inline(never)]
    fn parameter_slow<'a>(&self, target: &'a [u8], name: &str) -> Option<Encoded<'a>> {
        let path = str::from_utf8(path_of(target)).ok()?;
        let mut rest = if path.is_empty() { "/" } else { path };
        for segment in self.text[1..].split('/') {
            rest = rest.strip_prefix('/')?;
            let value = first_segment(rest);
            match parameter(segment) {
                Some(found) if found == name => return Some(Encoded::path(value)),
                Some(found) if found.strip_prefix('*') == Some(name) => return Some(Encoded::path(rest)),
                _ => rest = &rest[value.len()..],
            }
        }
        None
    }
}

/// How far a pattern reaches into a target.
enum Walked {
    /// To there, all of it.
    Behind(usize),
    /// It is another target's.
    Elsewhere,
    /// A value begins with a dot.
    Dots,
}

/// The parts of a pattern; `None` where a parameter takes many segments, or there is too much of something.
fn parts(text: &str) -> Option<([Part; PARTS_MAX], u8)> {
    let (mut parts, mut count) = ([Part::default(); PARTS_MAX], 0);
    let mut rest = text;
    while let Some((literal, behind)) = rest.split_once('{') {
        let (name, behind) = behind.split_once('}')?;
        let parameter = u8::try_from(name.len() + 2).ok().filter(|_| !name.starts_with('*'))?;
        *parts.get_mut(count)? = Part { literal: u8::try_from(literal.len()).ok()?, parameter };
        (rest, count) = (behind, count + 1);
    }
    Some((parts, count as u8))
}

/// Whether two texts of the same length are the same: for short ones, of which most differ soon.
#[inline(always)]
fn same(octets: &[u8], text: &[u8]) -> bool {
    /// Compares the first and the last octets, which together are all.
    fn ends<const OCTETS: usize>(octets: &[u8], text: &[u8]) -> bool {
        octets.first_chunk::<OCTETS>() == text.first_chunk() && octets.last_chunk::<OCTETS>() == text.last_chunk()
    }
    match text.len() {
        _ if cfg!(not(target_pointer_width = "64")) => octets == text,
        0..=3 => octets.iter().zip(text).all(|(octet, other)| octet == other),
        4..=8 => ends::<4>(octets, text),
        9..=16 => ends::<8>(octets, text),
        _ => octets == text,
    }
}

/// Where the segment that begins at `from` ends.
#[inline(always)]
fn value_end(target: &[u8], mut from: usize) -> usize {
    while let Some(octet) = target.get(from)
        && !matches!(octet, b'/' | b'?')
    {
        from += 1;
    }
    from
}

/// The name inside a parameter's braces.
fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn first_segment(rest: &str) -> &str {
    rest.split('/').next().unwrap_or_default()
}

/// The path of a target that starts with one.
fn path_of(target: &[u8]) -> &[u8] {
    target.split(|&octet| octet == b'?').next().unwrap_or_default()
}

/// The path of what is routed: an absolute target may have none, and a nested router's prefix may be all of it.
pub(crate) fn routed_path(target: &[u8]) -> &[u8] {
    let path = path_of(target);
    if path.is_empty() { b"/" } else { path }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn what_matches_and_what_does_not() {
        for (pattern, target, wanted) in [
            ("/adder", "/adder", true),
            ("/adder", "/adder?", true),
            ("/adder", "/adder?a=/b", true),
            ("/adder", "/adder/", false),
            ("/adder", "/adde", false),
            ("/adder", "/adders", false),
            ("/adder", "/%61dder", true),
            ("/adder", "/%61dderr", false),
            ("/a/b", "/a%2Fb", false),
            ("/", "/", true),
            ("/", "/?x", true),
            ("/", "/x", false),
            ("/a/{n}", "/a/1", true),
            ("/a/{n}", "/a/1?x=/2", true),
            ("/a/{n}", "/a/", false),
            ("/a/{n}", "/a", false),
            ("/a/{n}", "/a/1/2", false),
            ("/a/{n}", "/a/..", false),
            ("/a/{n}", "/a/%2e%2E", false),
            ("/a/{n}", "/a/...", true),
            ("/a/{n}/c", "/a/b%2Fb/c", true),
            ("/a/{n}/c", "/a/b/d", false),
            ("/f/{*rest}", "/f/", true),
            ("/f/{*rest}", "/f", false),
            ("/f/{*rest}", "/f/a/b/c?d", true),
            ("/f/{*rest}", "/f/a/../c", false),
            ("/f/{*rest}", "/f/a/%2e%2e/c", false),
        ] {
            // Saying that something may be encoded only takes the long way.
            for encoded in [target.contains('%'), true] {
                assert_eq!(Pattern::new(pattern).matches(target.as_bytes(), encoded), wanted, "{pattern} {target}");
            }
        }
    }

    #[test]
    fn parameters() {
        let pattern = Pattern::new("/a/{x}/b/{*y}");
        let target = "/a/1%202/b/c/d?e=/f";
        assert!(pattern.matches(target.as_bytes(), true));
        let value = |name| pattern.parameter(target.as_bytes(), true, name).map(|value| value.raw());
        assert_eq!([value("x"), value("y"), value("z")], [Some("1%202"), Some("c/d"), None]);
        for (pattern, target) in [
            ("/{x}", "/1"),
            ("/{x}/", "/1/"),
            ("/a/{x}", "/a/1?x=2"),
            ("/{y}/{x}/b/{xx}", "/2/1/b/3"),
            ("/{a}/{b}/{c}/{x}", "/2/3/4/1"),
            ("/{a}/{b}/{c}/{d}/{x}", "/2/3/4/5/1"),
        ] {
            let pattern = Pattern::new(pattern);
            for encoded in [false, true] {
                assert!(pattern.matches(target.as_bytes(), encoded));
                let value = |name| pattern.parameter(target.as_bytes(), encoded, name).map(|value| value.raw());
                assert_eq!(value("x"), Some("1"), "{pattern:?} {target}");
                assert_eq!(value("z"), None, "{pattern:?} {target}");
            }
        }
    }

    /// The short way and the long way decide the same.
    #[test]
    fn both_ways_agree() {
        let patterns = ["/", "/a", "/a/", "/{x}", "/{x}/", "/{x}/b", "/a/{x}/b/{y}", "/{x}/{y}", "/{*x}", "/a/{*x}"];
        let pieces = ["/", "a", "b", ".", "?", ".."];
        let mut matched = 0;
        for pattern in patterns.map(Pattern::new) {
            // Every target of up to five pieces.
            for number in 0..pieces.len().pow(5) {
                let (mut rest, mut target) = (number, heapless::String::<16>::new());
                let _ = target.push('/');
                for _ in 0..5 {
                    let _ = target.push_str(pieces[rest % pieces.len()]);
                    rest /= pieces.len();
                }
                let target = target.as_bytes();
                assert_eq!(pattern.matches(target, false), pattern.matches(target, true), "{pattern:?} {target:?}");
                assert_eq!(pattern.prefix(target, false), pattern.prefix(target, true), "{pattern:?} {target:?}");
                if pattern.matches(target, false) {
                    for name in ["x", "y"] {
                        let raw = |encoded| pattern.parameter(target, encoded, name).map(|value| value.raw());
                        assert_eq!(raw(false), raw(true), "{pattern:?} {target:?} {name}");
                    }
                    matched += 1;
                }
            }
        }
        assert!(matched > 1000, "only {matched} targets matched");
    }

    #[test]
    fn prefixes() {
        for (pattern, target, wanted) in [
            ("/api", "/api/x", Some(4)),
            ("/api/", "/api/x", Some(4)),
            ("/api", "/api", Some(4)),
            ("/api", "/apix", None),
            ("/", "/x", Some(0)),
            ("/a//b", "/a//b/c", Some(5)),
            ("/a//b", "/a//c", None),
            ("/{v}/api", "/1/api/x?y", Some(6)),
        ] {
            for encoded in [false, true] {
                assert_eq!(Pattern::new(pattern).prefix(target.as_bytes(), encoded), wanted, "{pattern} {target}");
            }
        }
    }

    #[test]
    fn bad_patterns_are_refused() {
        extern crate std;
        for text in
            ["", "adder", "/{", "/{}", "/a{b}", "/{*a}/b", "/{{a}}", "/a/../b", "/{a*}", "/a%20b", "/a?b", "/a#b"]
        {
            assert!(std::panic::catch_unwind(|| Pattern::new(text)).is_err(), "{text:?}");
        }
    }
}
