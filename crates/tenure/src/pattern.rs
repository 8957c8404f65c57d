//! Which targets a route is for.

use tenure_proto::target::{Encoded, is_dot_segment};

/// Parameters of a pattern at the most, and of a request with those of the routers that its route is nested in: beyond,
/// the outermost are forgotten.
pub(crate) const PARAMETERS_MAX: usize = 6;
/// Parameters of a pattern that is matched without looking at its text's segments.
const PARTS_MAX: usize = 4;

/// What a request's target has for the parameters of the patterns that it matched, the outermost first.
#[derive(Debug, Default)]
pub struct Parameters {
    values: heapless::Vec<Parameter, PARAMETERS_MAX, u8>,
    /// Where in the target what is matched begins.
    from: u32,
}

impl Parameters {
    /// None.
    pub(crate) const fn new() -> Self {
        Parameters { values: heapless::Vec::new(), from: 0 }
    }

    /// The same for what is matched from there on.
    #[inline(always)]
    pub(crate) fn from(&mut self, octets: u32) -> &mut Self {
        self.from = octets;
        self
    }

    /// What `target` has for the innermost parameter of that name.
    #[inline]
    pub(crate) fn value<'a>(&self, name: &str, target: &'a [u8]) -> Option<&'a [u8]> {
        let is = |parameter: &&Parameter| parameter.name.len() == name.len() && same(parameter.name, name.as_bytes());
        let parameter = self.values.iter().rev().find(is)?;
        // Where there is no path, its `/` was matched that does not stand there.
        Some(target.get(parameter.start as usize..parameter.end as usize).unwrap_or_default())
    }

    /// Adds one, and forgets the outermost where there is no more space.
    #[inline(always)]
    fn add(&mut self, name: &'static [u8], start: usize, end: usize) {
        let parameter = Parameter { name, start: self.from + start as u32, end: self.from + end as u32 };
        if let Err(parameter) = self.values.push(parameter) {
            self.values.remove(0);
            let _ = self.values.push(parameter);
        }
    }
}

/// What a target has for one parameter.
#[derive(Clone, Copy, Debug)]
struct Parameter {
    name: &'static [u8],
    start: u32,
    end: u32,
}

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
        let mut count = 0;
        while let Some(segment) = rest.next() {
            assert!(!is_dot_segment(segment), "the route {text:?} has a dot segment, which no request can have");
            if let Some(name) = parameter(segment) {
                let (name, rest_of_path) = name.strip_prefix('*').map_or((name, false), |name| (name, true));
                count += 1;
                let plain = !name.is_empty() && !name.contains(['{', '}', '*']);
                assert!(plain, "the route {text:?} has a parameter without a plain name");
                assert!(!rest_of_path || rest.peek().is_none(), "in the route {text:?} something follows {{*{name}}}");
            } else {
                let braces = segment.contains(['{', '}']);
                assert!(!braces, "in the route {text:?} a parameter must be a whole segment, such as /{{name}}");
            }
        }
        assert!(count <= PARAMETERS_MAX, "the route {text:?} has more than {PARAMETERS_MAX} parameters");
        let (parts, count) = parts(text).unwrap_or(([Part::default(); PARTS_MAX], SLOW));
        Pattern { text, parts, count }
    }

    pub(crate) fn text(self) -> &'static str {
        self.text
    }

    /// Whether `target`, from a path's `/` on, is this pattern up to its query; `found` has what it has for the parameters
    /// then. Segments are compared decoded; `encoded`: something in it is percent-encoded.
    #[inline(always)]
    pub(crate) fn matches(&self, target: &[u8], encoded: bool, found: &mut Parameters) -> bool {
        if self.count != 0 || encoded {
            return self.matches_with_parameters(target, encoded, found);
        }
        match target.split_at_checked(self.text.len()) {
            Some((path, [] | [b'?', ..])) => same(path, self.text.as_bytes()),
            _ => false,
        }
    }

    #[inline(never)]
    fn matches_with_parameters(&self, target: &[u8], encoded: bool, found: &mut Parameters) -> bool {
        let known = found.values.len();
        let matched = match self.walk(target, encoded, found) {
            Walked::Behind(at) => matches!(target.get(at), None | Some(b'?')),
            Walked::Elsewhere => false,
            Walked::Unclear => {
                found.values.truncate(known);
                self.consumed(target, false, found).is_some()
            }
        };
        if !matched {
            found.values.truncate(known);
        }
        matched
    }

    /// Octets of `target` that this pattern takes as a prefix of whole segments; otherwise as
    /// [`matches`](Pattern::matches).
    pub(crate) fn prefix(&self, target: &[u8], encoded: bool, found: &mut Parameters) -> Option<usize> {
        let known = found.values.len();
        // A prefix's last `/` stands for nothing, which the long way knows.
        let walked = match self.walk(target, encoded || self.text.ends_with('/'), found) {
            Walked::Behind(at) => matches!(target.get(at), None | Some(b'?' | b'/')).then_some(at),
            Walked::Elsewhere => None,
            Walked::Unclear => {
                found.values.truncate(known);
                self.consumed(target, true, found)
            }
        };
        if walked.is_none() {
            found.values.truncate(known);
        }
        walked
    }

    /// Goes along a target in which nothing is encoded.
    #[inline(always)]
    fn walk(&self, target: &[u8], encoded: bool, found: &mut Parameters) -> Walked {
        if self.count == SLOW || encoded {
            return Walked::Unclear;
        }
        // Both from where they have been compared on.
        let (mut text, mut rest) = (self.text.as_bytes(), target);
        for part in self.parts.iter().take(usize::from(self.count)) {
            let literal = usize::from(part.literal);
            let (Some((literal, behind)), Some((octets, value))) =
                (text.split_at_checked(literal), rest.split_at_checked(literal))
            else {
                return Walked::Elsewhere;
            };
            if !same(octets, literal) {
                return Walked::Elsewhere;
            }
            let length = value.iter().position(|octet| matches!(octet, b'/' | b'?')).unwrap_or(value.len());
            match value.first() {
                _ if length == 0 => return Walked::Elsewhere,
                // It may be a segment that must not match.
                Some(b'.') => return Walked::Unclear,
                _ => {}
            }
            let start = target.len() - value.len();
            rest = &value[length..];
            let Some(([b'{', name @ .., b'}'], behind)) = behind.split_at_checked(usize::from(part.parameter)) else {
                return Walked::Elsewhere;
            };
            text = behind;
            found.add(name, start, start + length);
        }
        let at = target.len() - rest.len();
        // Most end with a parameter.
        match rest.get(..text.len()) {
            _ if text.is_empty() => Walked::Behind(at),
            Some(octets) if same(octets, text) => Walked::Behind(at + text.len()),
            _ => Walked::Elsewhere,
        }
    }

    #[inline(never)]
    fn consumed(&self, target: &[u8], prefix: bool, found: &mut Parameters) -> Option<usize> {
        let path = str::from_utf8(path_of(target)).ok()?;
        let mut at = 0;
        // A prefix's last `/` stands for nothing.
        let text = if prefix { self.text.strip_suffix('/').unwrap_or(self.text) } else { self.text };
        for segment in text.split('/').skip(1) {
            let rest = path.get(at..)?.strip_prefix('/')?;
            if let Some(name) = parameter(segment) {
                if let Some(name) = name.strip_prefix('*') {
                    found.add(name.as_bytes(), at + 1, path.len());
                    return (!rest.split('/').any(is_dot_segment)).then_some(path.len());
                }
                let value = first_segment(rest);
                if value.is_empty() || is_dot_segment(value) {
                    return None;
                }
                found.add(name.as_bytes(), at + 1, at + 1 + value.len());
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
}

/// How far a pattern reaches into a target.
enum Walked {
    /// To there, all of it.
    Behind(usize),
    /// It is another target's.
    Elsewhere,
    /// It must be looked at segment by segment.
    Unclear,
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
    extern crate std;

    use super::{PARAMETERS_MAX, Parameters, Pattern};

    fn matches(pattern: &str, target: &str, encoded: bool) -> bool {
        // Tests live as long as their patterns.
        let pattern = Pattern::new(std::boxed::Box::leak(pattern.into()));
        pattern.matches(target.as_bytes(), encoded, &mut Parameters::new())
    }

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
                assert_eq!(matches(pattern, target, encoded), wanted, "{pattern} {target}");
            }
        }
    }

    #[test]
    fn parameters() {
        for (pattern, target, name, wanted) in [
            ("/a/{x}/b/{*y}", "/a/1%202/b/c/d?e=/f", "x", Some("1%202")),
            ("/a/{x}/b/{*y}", "/a/1%202/b/c/d?e=/f", "y", Some("c/d")),
            ("/a/{x}/b/{*y}", "/a/1%202/b/c/d?e=/f", "z", None),
            ("/{x}", "/1", "x", Some("1")),
            ("/{x}/", "/1/", "x", Some("1")),
            ("/a/{x}", "/a/1?x=2", "x", Some("1")),
            ("/a/{x}", "/a/.1", "x", Some(".1")),
            ("/{y}/{x}/b/{xx}", "/2/1/b/3", "x", Some("1")),
            ("/{a}/{b}/{c}/{x}", "/2/3/4/1", "x", Some("1")),
            ("/{a}/{b}/{c}/{d}/{x}", "/2/3/4/5/1", "x", Some("1")),
            ("/{a}/{b}/{c}/{d}/{e}/{x}", "/2/3/4/5/6/1", "x", Some("1")),
            ("/{a}/{b}/{c}/{d}/{e}/{x}", "/2/3/4/5/6/1", "a", Some("2")),
        ] {
            let short = (!target.contains('%')).then_some(false);
            for encoded in short.into_iter().chain([true]) {
                let mut found = Parameters::new();
                assert!(Pattern::new(pattern).matches(target.as_bytes(), encoded, &mut found), "{pattern} {target}");
                let value = found.value(name, target.as_bytes());
                assert_eq!(value, wanted.map(str::as_bytes), "{pattern} {target} {name}");
            }
        }
    }

    /// Those of the innermost patterns are kept, and what does not match leaves none.
    #[test]
    fn no_more_parameters_than_there_is_room_for() {
        let mut found = Parameters::new();
        for number in 1..4 {
            assert!(!Pattern::new("/{x}/{y}/z").matches(b"/1/2/3", false, &mut found));
            assert!(!Pattern::new("/{x}/{y}/z").matches(b"/1/2/3", true, &mut found));
            assert!(Pattern::new("/{a}/{b}/{c}/z").matches(b"/1/2/3/z", false, &mut found));
            assert_eq!(found.values.len(), PARAMETERS_MAX.min(3 * number));
        }
        assert_eq!(found.value("a", b"/1/2/3/z"), Some(&b"1"[..]));
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
                let [mut short, mut long] = [Parameters::new(), Parameters::new()];
                let is = pattern.matches(target, false, &mut short);
                assert_eq!(is, pattern.matches(target, true, &mut long), "{pattern:?} {target:?}");
                for name in ["x", "y"] {
                    assert_eq!(short.value(name, target), long.value(name, target), "{pattern:?} {target:?} {name}");
                }
                matched += u32::from(is);
                let mut prefix = |encoded| pattern.prefix(target, encoded, &mut short);
                assert_eq!(prefix(false), prefix(true), "{pattern:?} {target:?}");
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
                let found = Pattern::new(pattern).prefix(target.as_bytes(), encoded, &mut Parameters::new());
                assert_eq!(found, wanted, "{pattern} {target}");
            }
        }
    }

    #[test]
    fn bad_patterns_are_refused() {
        for text in [
            "",
            "adder",
            "/{",
            "/{}",
            "/a{b}",
            "/{*a}/b",
            "/{{a}}",
            "/a/../b",
            "/{a*}",
            "/a%20b",
            "/a?b",
            "/a#b",
            "/{a}/{b}/{c}/{d}/{e}/{f}/{g}",
        ] {
            assert!(std::panic::catch_unwind(|| Pattern::new(text)).is_err(), "{text:?}");
        }
    }
}
