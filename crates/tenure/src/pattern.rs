//! Which targets a route is for.

use tenure_proto::target::{Encoded, is_dot_segment};

/// A route's pattern: literal segments, `{name}` for one segment, `{*rest}` for all that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: &'static str,
    literal: bool,
}

impl Pattern {
    /// # Panics
    /// When the text is not a pattern.
    pub(crate) fn new(text: &'static str) -> Self {
        assert!(text.starts_with('/'), "the route {text:?} must start with /");
        assert!(!text.contains('%'), "the route {text:?} must be written decoded: it is compared with decoded targets");
        assert!(!text.contains(['?', '#']), "the route {text:?} has a query or fragment, which is no part of a path");
        let literal = !text.contains(['{', '}']);
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
        Pattern { text, literal }
    }

    /// Whether it has no parameters.
    #[inline]
    pub(crate) fn is_literal(self) -> bool {
        self.literal
    }

    pub(crate) fn text(self) -> &'static str {
        self.text
    }

    /// Whether `target`, from a path's `/` on, is this pattern up to its query. Segments are compared decoded.
    #[inline]
    pub(crate) fn matches(self, target: &[u8]) -> bool {
        // Where the path would end is looked at first: most routes are not the one.
        if self.literal
            && matches!(target.get(self.text.len()), None | Some(b'?'))
            && target.starts_with(self.text.as_bytes())
        {
            return true;
        }
        if self.literal && !target.contains(&b'%') {
            return false;
        }
        self.consumed(target, false).is_some()
    }

    /// Octets of `target` that this pattern takes as a prefix of whole segments.
    pub(crate) fn prefix(self, target: &[u8]) -> Option<usize> {
        self.consumed(target, true)
    }

    #[inline(never)]
    fn consumed(self, target: &[u8], prefix: bool) -> Option<usize> {
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
    pub(crate) fn parameter<'a>(self, target: &'a str, name: &str) -> Option<Encoded<'a>> {
        if self.literal {
            return None;
        }
        let path = target.split('?').next()?;
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
            assert_eq!(Pattern::new(pattern).matches(target.as_bytes()), wanted, "{pattern} {target}");
        }
    }

    #[test]
    fn parameters() {
        let pattern = Pattern::new("/a/{x}/b/{*y}");
        let target = "/a/1%202/b/c/d?e=/f";
        assert!(pattern.matches(target.as_bytes()));
        assert_eq!(pattern.parameter(target, "x").unwrap().raw(), "1%202");
        assert_eq!(pattern.parameter(target, "y").unwrap().raw(), "c/d");
        assert!(pattern.parameter(target, "z").is_none());
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
            assert_eq!(Pattern::new(pattern).prefix(target.as_bytes()), wanted, "{pattern} {target}");
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
