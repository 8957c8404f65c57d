//! Which targets a route is for.

use tenure_proto::bytes::WORDS;

use crate::route::{
    parameters::{PARAMETERS_MAX, Parameters},
    unrouted::{Unrouted, first_word},
};

/// Bytes of a pattern at the most.
const PATTERN_BYTES_MAX: usize = 255;

/// A route's pattern: literal segments, `{name}` for one segment, `{*rest}` for all that follow.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: &'static str,
    /// Its parameters, in order.
    places: Places,
    /// Targets below it match, too.
    is_prefix: bool,
    /// What its first word tells, where words pay.
    first: [First; WORDS as usize],
}

/// The first bytes of a pattern before any parameter, up to eight.
#[derive(Clone, Copy, Debug)]
struct First {
    word: u64,
    /// Which of the word's bits they are.
    bits: u64,
    bytes: u8,
    /// The pattern has no others but a `{name}` behind them, or none.
    is_all: bool,
}

impl First {
    fn new(text: &[u8], places: &[Place]) -> Self {
        let literal = places.first().map_or(text.len(), |place| place.at.into());
        let bytes = literal.min(8);
        let is_all = match places {
            [] => bytes == text.len(),
            [place] => bytes == literal && usize::from(place.end) == text.len() && !place.is_rest,
            _ => false,
        };
        let bits = u64::MAX.checked_shr(64 - 8 * bytes as u32).unwrap_or(0);
        First { word: first_word(text.get(..bytes).unwrap_or_default()), bits, bytes: bytes as u8, is_all }
    }
}

type Places = heapless::Vec<Place, PARAMETERS_MAX, u8>;

/// Where in a pattern's text a parameter stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Its opening brace.
    at: u8,
    /// Its name.
    name_at: u8,
    /// Behind its closing brace.
    end: u8,
    /// The parameter is for all segments that follow.
    is_rest: bool,
}

impl Place {
    /// The name in the braces.
    fn name(self, text: &'static [u8]) -> Option<&'static [u8]> {
        text.get(self.name_at.into()..usize::from(self.end) - 1)
    }
}

impl Pattern {
    /// # Panics
    /// When the text is not a pattern.
    pub(crate) fn new(text: &'static str) -> Self {
        Pattern::parsed(text, false)
    }

    /// The pattern of all targets that begin with the text's segments. Its last `/` stands for nothing.
    ///
    /// # Panics
    /// When the text is not a pattern.
    pub(crate) fn prefix(text: &'static str) -> Self {
        Pattern::parsed(text, true)
    }

    /// Its text; that of a prefix without its last `/`.
    pub(crate) fn text(&self) -> &'static str {
        self.text
    }

    fn parsed(text: &'static str, is_prefix: bool) -> Self {
        let mut places = Places::new();
        if let Err(fault) = find_places(text.as_bytes(), &mut places) {
            panic!("the route {text:?} {fault}");
        }
        let text = text.strip_suffix('/').filter(|_| is_prefix).unwrap_or(text);
        let first = core::array::from_fn(|_| First::new(text.as_bytes(), &places));
        Pattern { text, places, is_prefix, first }
    }

    /// How many bytes of a target this pattern takes, if it matches; `found` has what the target has for its parameters
    /// then, and is as it was otherwise. Segments are compared decoded. A query is not looked at.
    #[inline(always)]
    pub(crate) fn taken<'t>(&self, target: &mut Unrouted<'t>, found: &mut Parameters<'t>) -> Option<usize> {
        if let Some(first) = self.first.first().filter(|_| !target.is_encoded()) {
            if !target.begins(first.word, first.bits) {
                return None;
            }
            if first.is_all {
                return self.short(target, first.bytes.into(), found);
            }
        }
        self.compared(target, found)
    }

    /// The same for what most are: what stands before `at` has been compared, and only a value is left, if anything.
    #[inline(always)]
    fn short<'t>(&self, target: &mut Unrouted<'t>, mut at: usize, found: &mut Parameters<'t>) -> Option<usize> {
        let Some(place) = self.places.first() else { return target.ends(at, self.is_prefix).then_some(at) };
        let Some(value) = target.short_segment(at) else { return self.compared(target, found) };
        at += value.len();
        if !target.ends(at, self.is_prefix) {
            return None;
        }
        found.add(place.name(self.text.as_bytes())?, value);
        Some(at)
    }

    /// The same for any pattern and any target, from the first byte on that has not been compared.
    #[inline(never)]
    fn compared<'t>(&self, target: &mut Unrouted<'t>, found: &mut Parameters<'t>) -> Option<usize> {
        found.add_if(self.places.len(), |found| self.end(target, found))
    }

    /// Goes along both.
    fn end<'t>(&self, target: &mut Unrouted<'t>, found: &mut Parameters<'t>) -> Option<usize> {
        let text = self.text.as_bytes();
        let compared = self.first.first().filter(|_| !target.is_encoded());
        let mut at = compared.map_or(0, |first| first.bytes.into());
        let mut from = at;
        for place in &self.places {
            at = target.literal(at, text.get(from..place.at.into())?)?;
            let value = if place.is_rest { target.rest(at) } else { target.segment(at) }?;
            found.add(place.name(text)?, value);
            (at, from) = (at + value.len(), place.end.into());
        }
        at = target.literal(at, text.get(from..)?)?;
        target.ends(at, self.is_prefix).then_some(at)
    }
}

/// Finds where the parameters of a pattern stand, or why a text is none.
fn find_places(text: &[u8], places: &mut Places) -> Result<(), &'static str> {
    let [b'/', path @ ..] = text else { return Err("must start with /") };
    if text.len() > PATTERN_BYTES_MAX {
        const { assert!(PATTERN_BYTES_MAX == 255, "say so below") };
        return Err("has more than 255 bytes");
    }
    let mut at = 1;
    for segment in path.split(is_slash) {
        if places.last().is_some_and(|place| place.is_rest) {
            return Err("has something behind its {*name}");
        }
        if let Some(is_rest) = parameter(segment)? {
            let end = at + segment.len();
            const { assert!(PARAMETERS_MAX == 6, "say so below") };
            let name_at = at + 1 + usize::from(is_rest);
            places
                .push(Place { at: at as u8, name_at: name_at as u8, end: end as u8, is_rest })
                .map_err(|_| "has more than 6 parameters")?;
        }
        at += segment.len() + 1;
    }
    Ok(())
}

/// Whether a segment of a pattern is a parameter and, if so, one for all segments that follow; or why it can be neither.
fn parameter(segment: &[u8]) -> Result<Option<bool>, &'static str> {
    if has(segment, b"%") {
        return Err("must be written decoded: it is compared with decoded targets");
    }
    if has(segment, b"?#") {
        return Err("has a query or fragment, which is no part of a path");
    }
    if matches!(segment, b"." | b"..") {
        return Err("has a dot segment, which no request can have");
    }
    let (name, is_rest) = match segment {
        [b'{', b'*', name @ .., b'}'] => (name, true),
        [b'{', name @ .., b'}'] => (name, false),
        _ if has(segment, b"{}") => return Err("has a parameter that is no whole segment, such as /{name}"),
        _ => return Ok(None),
    };
    if name.is_empty() || has(name, b"{}*") {
        return Err("has a parameter without a plain name");
    }
    Ok(Some(is_rest))
}

/// Whether one of some bytes stands in a text.
#[inline(never)]
fn has(text: &[u8], bytes: &[u8]) -> bool {
    text.iter().any(|byte| bytes.contains(byte))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what slices are split by")]
fn is_slash(byte: &u8) -> bool {
    *byte == b'/'
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{PARAMETERS_MAX, PATTERN_BYTES_MAX, Parameters, Pattern, Unrouted};
    use std::{boxed::Box, format, string::String, vec::Vec};

    fn unrouted(target: &str, encoded: bool) -> Unrouted<'_> {
        Unrouted::new(target.as_bytes(), target.len(), encoded)
    }

    fn matches(pattern: &str, target: &str, encoded: bool) -> bool {
        // Tests live as long as their patterns.
        let pattern = Pattern::new(Box::leak(pattern.into()));
        pattern.taken(&mut unrouted(target, encoded), &mut Parameters::new()).is_some()
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
                let taken = Pattern::new(pattern).taken(&mut unrouted(target, encoded), &mut found);
                assert_eq!(taken, target.find('?').or(Some(target.len())), "{pattern} {target}");
                let value = found.value(name);
                assert_eq!(value, wanted.map(str::as_bytes), "{pattern} {target} {name}");
            }
        }
    }

    /// Those of the innermost patterns are kept.
    #[test]
    fn no_more_parameters_than_there_is_room_for() {
        let mut found = Parameters::new();
        for number in 1..4 {
            let taken = Pattern::new("/{a}/{b}/{c}/z").taken(&mut unrouted("/1/2/3/z", false), &mut found);
            assert_eq!(taken, Some(8));
            assert_eq!(found.len(), PARAMETERS_MAX.min(3 * number));
        }
        assert_eq!(found.value("a"), Some(&b"1"[..]));
    }

    /// Whatever is known already, and wherever the target differs.
    #[test]
    fn what_does_not_match_adds_and_forgets_nothing() {
        const NAMES: [&str; PARAMETERS_MAX] = ["a", "b", "c", "d", "e", "f"];
        for known in 0..=PARAMETERS_MAX {
            for (pattern, target) in [
                ("/{a}/{x}/z", "/1/2/3"),
                ("/{a}/{x}/z", "/1/2"),
                ("/{a}/{x}/z", "/1/"),
                ("/{a}/{x}/z", "/1/../z"),
                ("/{a}/{x}/z", "/1/2/z/"),
                ("/{a}/{x}/{y}/{z}/{v}/{w}/z", "/1/2/3/4/5/6/7"),
                ("/{a}/{*x}", "/1/.."),
                ("/{a}/{*x}", "/1//2"),
            ] {
                for (encoded, is_prefix) in [(false, false), (true, false), (false, true), (true, true)] {
                    let pattern = if is_prefix { Pattern::prefix(pattern) } else { Pattern::new(pattern) };
                    let mut found = Parameters::new();
                    for name in &NAMES[..known] {
                        found.add(name.as_bytes(), name.as_bytes());
                    }
                    let taken = pattern.taken(&mut unrouted(target, encoded), &mut found);
                    assert_eq!(taken.is_some(), is_prefix && target.ends_with("/z/"), "{pattern:?} {target}");
                    if taken.is_none() {
                        assert_eq!(found.len(), known, "{pattern:?} {target}");
                        for (number, name) in NAMES.iter().enumerate() {
                            let value = (number < known).then_some(name.as_bytes());
                            assert_eq!(found.value(name), value, "{pattern:?} {target}");
                        }
                    }
                }
            }
        }
    }

    /// What is asked for is told the same by every way that the target's length, bytes and escapes choose.
    #[test]
    fn every_way_agrees() {
        const BEHIND: &str = " HTTP/1.1\r\n";
        let texts = [
            "/",
            "/a",
            "/a/",
            "/a HTTP",
            "/ab/ab/ab",
            "/ab/ab/ab/a",
            "/{x}",
            "/{x}/",
            "/{x}/b",
            "/a/{x}/b/{y}",
            "/{x}/{y}",
            "/abaabaaba/{x}",
            "/{*x}",
            "/a/{*x}",
        ];
        let patterns = texts.map(Pattern::new).into_iter().chain(texts.map(Pattern::prefix));
        let pieces = ["/", "a", "b", ".", "?", "..", ":", "\\"];
        // Every target of up to four pieces.
        let targets: Vec<String> = (0..pieces.len().pow(4))
            .map(|number| (0..4).fold("/".into(), |target, at| target + pieces[number >> (3 * at) & 7]))
            .collect();
        let mut matched = 0;
        for pattern in patterns {
            for target in &targets {
                let end = target.len();
                let bytes = &[target.as_str(), BEHIND].concat().into_bytes()[..];
                let mut long = Parameters::new();
                let taken = pattern.taken(&mut Unrouted::path(&bytes[..end]), &mut long);
                matched += u32::from(taken.is_some());
                // With what stands behind it in a request, and without.
                for bytes in [bytes, &bytes[..end]] {
                    let mut short = Parameters::new();
                    assert_eq!(
                        pattern.taken(&mut Unrouted::new(bytes, end, false), &mut short),
                        taken,
                        "{pattern:?} {target:?}"
                    );
                    for name in ["x", "y"] {
                        assert_eq!(short.value(name), long.value(name), "{pattern:?} {target:?} {name}");
                    }
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
                let found = Pattern::prefix(pattern).taken(&mut unrouted(target, encoded), &mut Parameters::new());
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
    #[test]
    fn a_pattern_has_255_bytes_at_the_most() {
        let text = |bytes| -> &'static str { Box::leak(format!("/{{x}}/{}/{{y}}", "a".repeat(bytes - 9)).into()) };
        let (most, more) = (text(PATTERN_BYTES_MAX), text(PATTERN_BYTES_MAX + 1));
        let target = most.replace(['{', '}'], "");
        let mut found = Parameters::new();
        assert_eq!(Pattern::new(most).taken(&mut unrouted(&target, false), &mut found), Some(target.len()));
        assert_eq!((found.value("x"), found.value("y")), (Some(&b"x"[..]), Some(&b"y"[..])));
        assert!(std::panic::catch_unwind(|| Pattern::new(more)).is_err());
    }
}
