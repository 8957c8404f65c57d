//! Which targets a route is for.

use tenure_proto::{
    bytes::WORDS,
    target::{first_decoded, is_dot_segment},
};

/// Parameters of a pattern at the most, and of a request with those of the routers that its route is nested in: beyond,
/// the outermost are forgotten.
pub(crate) const PARAMETERS_MAX: usize = 6;
/// Parameters of a pattern that is matched without looking at its text's segments.
const PARTS_MAX: usize = 4;

/// What a router looks at: a target from a path's `/` on.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'t> {
    /// The target's bytes and, in a request, those behind it, so that a whole word can be read where it ends.
    bytes: &'t [u8],
    /// Bytes of the target, path and query.
    end: usize,
    /// The first word of `bytes`, where words pay.
    first: [u64; WORDS as usize],
    /// Something in it is percent-encoded.
    encoded: bool,
}

impl<'t> Sought<'t> {
    /// The first `end` of these bytes.
    #[inline(always)]
    pub(crate) fn new(bytes: &'t [u8], end: usize, encoded: bool) -> Self {
        Sought { bytes, end, first: core::array::from_fn(|_| first_word(bytes)), encoded }
    }

    /// A path, of which nothing is known.
    pub(crate) fn path(path: &'t [u8]) -> Self {
        Sought::new(path, path.len(), true)
    }

    /// Path and query.
    fn target(self) -> &'t [u8] {
        self.bytes.get(..self.end).unwrap_or_default()
    }
}

/// What a request's target has for the parameters of the patterns that it matched, the outermost first.
#[derive(Debug, Default)]
pub struct Parameters<'t> {
    values: heapless::Vec<Parameter<'t>, PARAMETERS_MAX, u8>,
}

impl<'t> Parameters<'t> {
    /// None.
    pub(crate) const fn new() -> Self {
        Parameters { values: heapless::Vec::new() }
    }

    /// What the target has for the innermost parameter of that name.
    #[inline]
    pub(crate) fn value(&self, name: &str) -> Option<&'t [u8]> {
        let is = |parameter: &&Parameter| parameter.name.len() == name.len() && same(parameter.name, name.as_bytes());
        Some(self.values.iter().rev().find(is)?.value)
    }

    /// Adds one, and forgets the outermost where there is no more space.
    #[inline(always)]
    fn add(&mut self, name: &'static [u8], value: &'t [u8]) {
        if let Err(parameter) = self.values.push(Parameter { name, value }) {
            self.add_to_full(parameter);
        }
    }

    #[cold]
    #[inline(never)]
    fn add_to_full(&mut self, parameter: Parameter<'t>) {
        self.values.copy_within(1.., 0);
        if let Some(last) = self.values.last_mut() {
            *last = parameter;
        }
    }
}

/// What a target has for one parameter.
#[derive(Clone, Copy, Debug)]
struct Parameter<'t> {
    name: &'static [u8],
    value: &'t [u8],
}

/// A route's pattern: literal segments, `{name}` for one segment, `{*rest}` for all that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: &'static str,
    /// Where its parameters stand, in order.
    parts: [Part; PARTS_MAX],
    /// How many there are; [`SLOW`]: they do not say it all.
    count: u8,
    /// The first bytes before any parameter as a word, and which of the word's bits they are.
    first: [u64; 2 * WORDS as usize],
}

/// No count of parts.
const SLOW: u8 = u8::MAX;

/// Where in a pattern's text a parameter stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Part {
    /// The first byte of its name, behind the brace.
    name_at: u8,
    /// Behind its closing brace.
    end: u8,
}

impl Pattern {
    /// # Panics
    /// When the text is not a pattern.
    pub(crate) fn new(text: &'static str) -> Self {
        if let Some(fault) = fault(text.as_bytes()) {
            panic!("the route {text:?} {fault}");
        }
        let (parts, count) = parts(text).unwrap_or(([Part::default(); PARTS_MAX], SLOW));
        let first = core::array::from_fn(|number| {
            let literal = &text.as_bytes()[..text.find('{').unwrap_or(text.len()).min(8)];
            match number {
                0 => first_word(literal),
                _ => u64::MAX >> (64 - 8 * literal.len()),
            }
        });
        Pattern { text, parts, count, first }
    }

    pub(crate) fn text(self) -> &'static str {
        self.text
    }

    /// Whether what is sought is this pattern up to its query; `found` has what it has for the parameters then. Segments are
    /// compared decoded.
    #[inline(always)]
    pub(crate) fn matches<'t>(&self, sought: &Sought<'t>, found: &mut Parameters<'t>) -> bool {
        if !self.begins(sought) {
            return false;
        }
        if self.count != 0 || sought.encoded {
            // Where code counts for more than time, one way is enough.
            let way = if WORDS { Self::matches_with_parameters } else { Self::consumed_whole };
            return way(self, sought, found).is_some();
        }
        let length = self.text.len();
        let ends = sought.end == length || sought.end > length && sought.bytes.get(length) == Some(&b'?');
        ends && (WORDS && length <= 8 || self.is_text(sought))
    }

    /// Whether what is sought may be this pattern, by its first word.
    #[inline(always)]
    fn begins(&self, sought: &Sought<'_>) -> bool {
        match (self.first.as_slice(), sought.first.as_slice()) {
            ([first, bits], [word]) => (word ^ first) & bits == 0 || sought.encoded,
            _ => true,
        }
    }

    /// Whether what is sought begins with this pattern's text.
    #[inline(never)]
    fn is_text(&self, sought: &Sought<'_>) -> bool {
        sought.bytes.starts_with(self.text.as_bytes())
    }

    #[inline(never)]
    fn matches_with_parameters<'t>(&self, sought: &Sought<'t>, found: &mut Parameters<'t>) -> Option<usize> {
        self.walk(false, sought, found)
    }

    fn consumed_whole<'t>(&self, sought: &Sought<'t>, found: &mut Parameters<'t>) -> Option<usize> {
        self.consumed(sought, false, found)
    }

    /// Bytes of what is sought that this pattern takes as a prefix of whole segments; otherwise as
    /// [`matches`](Pattern::matches).
    pub(crate) fn prefix<'t>(&self, sought: &Sought<'t>, found: &mut Parameters<'t>) -> Option<usize> {
        // A prefix's last `/` stands for nothing, which the long way knows.
        if !WORDS || sought.encoded || self.text.ends_with('/') {
            return self.consumed(sought, true, found);
        }
        match self.count {
            _ if !self.begins(sought) => None,
            0 => self.tail(0, 0, true, sought),
            _ => self.walk(true, sought, found),
        }
    }

    /// Goes along a target whose first word is the pattern's. Returns how far the whole pattern reaches.
    #[inline(always)]
    fn walk<'t>(&self, prefix: bool, sought: &Sought<'t>, found: &mut Parameters<'t>) -> Option<usize> {
        // What most are: a short value behind a short literal. Whatever else is left to another, so nothing is kept for later.
        let (text, bytes, [part, ..]) = (self.text.as_bytes(), sought.bytes, self.parts);
        let (name_at, end) = (usize::from(part.name_at), usize::from(part.end));
        let at = name_at.wrapping_sub(1);
        let word = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>).filter(|_| WORDS && at <= 16 && !sought.encoded);
        let Some(word) = word else { return self.walk_from(0, 0, prefix, sought, found) };
        // What stands in the first word has been compared.
        if at > 8 && bytes.get(at - 8..at) != text.get(at - 8..at) {
            return None;
        }
        let bytes = u64::from_le_bytes(*word);
        let length = before_stop(bytes).min(sought.end.checked_sub(at)?);
        if matches!(length, 0 | 8..) || bytes as u8 == b'.' {
            return self.walk_from(0, 0, prefix, sought, found);
        }
        let parameter = Parameter { name: text.get(name_at..end - 1)?, value: &word[..length] };
        if found.values.push(parameter).is_err() {
            return self.walk_from(0, 0, prefix, sought, found);
        }
        let at = at + length;
        if self.count == 1 && end == text.len() && at == sought.end {
            return Some(at);
        }
        self.walk_from(1, at, prefix, sought, found)
    }

    /// The same from the parameter of that number on, up to which it has been compared: `at` in the target.
    #[inline(never)]
    fn walk_from<'t>(
        &self,
        number: usize,
        mut at: usize,
        prefix: bool,
        sought: &Sought<'t>,
        found: &mut Parameters<'t>,
    ) -> Option<usize> {
        if sought.encoded || self.count == SLOW {
            return self.consumed(sought, prefix, found);
        }
        let known = found.values.len() - number;
        let walked = self.parts.get(..usize::from(self.count)).and_then(|parts| {
            let mut from = number.checked_sub(1).and_then(|before| parts.get(before)).map_or(0, |part| part.end.into());
            for part in parts.get(number..)? {
                let (name_at, end) = (usize::from(part.name_at), usize::from(part.end));
                // Without the brace.
                let literal = name_at - 1 - from;
                if !same_at(sought.bytes, at, self.text.as_bytes(), from, literal) {
                    return None;
                }
                at += literal;
                let (left, rest) = (sought.end.checked_sub(at)?, sought.bytes.get(at..)?);
                let value = rest.get(..segment(rest, left))?;
                if value.is_empty() || value[0] == b'.' && is_dot_segment(value) {
                    return None;
                }
                found.add(self.text.as_bytes().get(name_at..end - 1)?, value);
                (at, from) = (at + value.len(), end);
            }
            self.tail(at, from, prefix, sought)
        });
        if walked.is_none() {
            found.values.truncate(known);
        }
        walked
    }

    /// Goes along what stands behind all parameters, in the text from there on.
    #[inline(always)]
    fn tail(&self, at: usize, from: usize, prefix: bool, sought: &Sought<'_>) -> Option<usize> {
        let length = self.text.len() - from;
        // Most end with a parameter.
        if length != 0 && !same_at(sought.bytes, at, self.text.as_bytes(), from, length) {
            return None;
        }
        let end = at + length;
        let next = || sought.bytes.get(end).is_some_and(|&byte| byte == b'?' || prefix && byte == b'/');
        (end == sought.end || end < sought.end && next()).then_some(end)
    }

    /// The same for any target and any pattern, segment by segment.
    #[cold]
    #[inline(never)]
    fn consumed<'t>(&self, sought: &Sought<'t>, prefix: bool, found: &mut Parameters<'t>) -> Option<usize> {
        let known = found.values.len();
        let consumed = self.segments(sought, prefix, found);
        if consumed.is_none() {
            found.values.truncate(known);
        }
        consumed
    }

    /// Byte by byte: a slash that is encoded is no slash of a pattern, and a pattern has no `%`.
    fn segments<'t>(&self, sought: &Sought<'t>, prefix: bool, found: &mut Parameters<'t>) -> Option<usize> {
        let path = path_of(sought.target());
        let mut wanted = self.text.as_bytes();
        if prefix {
            // A prefix's last `/` stands for nothing.
            wanted = wanted.strip_suffix(b"/").unwrap_or(wanted);
        }
        let mut rest = path;
        while let [byte, behind @ ..] = wanted {
            let taken;
            if *byte == b'{' {
                let mut name = until(b'}', behind);
                wanted = behind.get(name.len() + 1..)?;
                let mut value = rest;
                if let [b'*', behind @ ..] = name {
                    name = behind;
                } else {
                    value = until(b'/', rest);
                    if value.is_empty() {
                        return None;
                    }
                }
                if is_dot_segment(value) {
                    return None;
                }
                found.add(name, value);
                taken = value.len();
            } else {
                let decoded;
                (decoded, taken) = first_decoded(rest);
                if decoded != *byte || taken != 1 && (taken == 0 || decoded == b'/') {
                    return None;
                }
                wanted = behind;
            }
            rest = rest.get(taken..)?;
        }
        let ends = rest.is_empty() || prefix && rest.starts_with(b"/");
        ends.then_some(path.len() - rest.len())
    }
}

/// The bytes up to the first of that kind.
#[cfg_attr(target_pointer_width = "32", inline(never))]
fn until(stop: u8, bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == stop).next().unwrap_or_default()
}

/// Whether one of some bytes stands in a text.
#[inline(never)]
fn has(text: &[u8], bytes: &[u8]) -> bool {
    text.iter().any(|byte| bytes.contains(byte))
}

/// Why a text is no pattern.
fn fault(text: &[u8]) -> Option<&'static str> {
    let [b'/', path @ ..] = text else { return Some("must start with /") };
    let (mut count, mut ended) = (0, false);
    for segment in path.split(is_slash) {
        if ended {
            return Some("has something behind its {*name}");
        }
        if has(segment, b"%") {
            return Some("must be written decoded: it is compared with decoded targets");
        }
        if has(segment, b"?#") {
            return Some("has a query or fragment, which is no part of a path");
        }
        if is_dot_segment(segment) {
            return Some("has a dot segment, which no request can have");
        }
        let name = match parameter(segment) {
            Some([b'*', name @ ..]) => {
                ended = true;
                name
            }
            Some(name) => name,
            None if has(segment, b"{}") => return Some("has a parameter that is no whole segment, such as /{name}"),
            None => continue,
        };
        if name.is_empty() || has(name, b"{}*") {
            return Some("has a parameter without a plain name");
        }
        count += 1;
        if count > PARAMETERS_MAX {
            const { assert!(PARAMETERS_MAX == 6, "say so below") };
            return Some("has more than 6 parameters");
        }
    }
    None
}

/// The parts of a pattern; `None` where a parameter takes many segments, or there is too much of something.
fn parts(text: &str) -> Option<([Part; PARTS_MAX], u8)> {
    if !WORDS {
        return (!text.as_bytes().contains(&b'{')).then_some(([Part::default(); PARTS_MAX], 0));
    }
    let (mut parts, mut count, mut at) = ([Part::default(); PARTS_MAX], 0, 0);
    while let Some((literal, behind)) = text.get(at..)?.split_once('{') {
        let (name, _) = behind.split_once('}').filter(|_| !behind.starts_with('*'))?;
        let name_at = at + literal.len() + 1;
        at = name_at + name.len() + 1;
        *parts.get_mut(count)? = Part { name_at: u8::try_from(name_at).ok()?, end: u8::try_from(at).ok()? };
        count += 1;
    }
    Some((parts, count as u8))
}

/// The first eight bytes, the first one lowest; what there is not, zero.
#[inline(always)]
fn first_word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or_else(
        || bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
        |word| u64::from_le_bytes(*word),
    )
}

/// Bytes of a word of ASCII before its first slash or question mark, eight where it has none.
#[inline(always)]
fn before_stop(word: u64) -> usize {
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    // The two differ by one bit. What is marked first is one of them.
    let rest = (word | each(b'/' ^ b'?')) ^ each(b'/' | b'?');
    let stops = rest.wrapping_sub(each(1)) & each(0x80);
    (stops.trailing_zeros() / 8) as usize
}

/// Bytes of the segment at the front of what is `left` of a target.
fn segment(bytes: &[u8], left: usize) -> usize {
    let mut length = 0;
    while WORDS && let Some(word) = bytes.get(length..).and_then(<[u8]>::first_chunk) {
        let before = before_stop(u64::from_le_bytes(*word));
        length += before;
        if before < 8 || length >= left {
            return left.min(length);
        }
    }
    while length < left && bytes.get(length).is_some_and(|byte| !matches!(byte, b'/' | b'?')) {
        length += 1;
    }
    length
}

/// Whether both have the same bytes from there on, as many as that.
#[inline(always)]
fn same_at(bytes: &[u8], at: usize, text: &[u8], from: usize, length: usize) -> bool {
    match (bytes.get(at..at + length), text.get(from..from + length)) {
        (Some(bytes), Some(text)) => same(bytes, text),
        _ => false,
    }
}

/// Whether two texts of the same length are the same: for short ones, of which most differ soon.
#[inline(always)]
fn same(bytes: &[u8], text: &[u8]) -> bool {
    /// Compares the first and the last bytes, which together are all.
    fn ends<const BYTES: usize>(bytes: &[u8], text: &[u8]) -> bool {
        bytes.first_chunk::<BYTES>() == text.first_chunk() && bytes.last_chunk::<BYTES>() == text.last_chunk()
    }
    match text.len() {
        _ if !WORDS => bytes == text,
        0..=3 => bytes.iter().zip(text).all(|(byte, other)| byte == other),
        4..=8 => ends::<4>(bytes, text),
        9..=16 => ends::<8>(bytes, text),
        _ => bytes == text,
    }
}

/// The name inside a parameter's braces.
fn parameter(segment: &[u8]) -> Option<&[u8]> {
    segment.strip_prefix(b"{")?.strip_suffix(b"}")
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what slices are split by")]
fn is_slash(byte: &u8) -> bool {
    *byte == b'/'
}

/// The path of a target that starts with one.
fn path_of(target: &[u8]) -> &[u8] {
    until(b'?', target)
}

/// The path of what is routed: an absolute target may have none, and a nested router's prefix may be all of it.
pub(crate) fn routed_path(target: &[u8]) -> &[u8] {
    let path = path_of(target);
    if path.is_empty() { b"/" } else { path }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{PARAMETERS_MAX, Parameters, Pattern, Sought};

    fn sought(target: &str, encoded: bool) -> Sought<'_> {
        Sought::new(target.as_bytes(), target.len(), encoded)
    }

    fn matches(pattern: &str, target: &str, encoded: bool) -> bool {
        // Tests live as long as their patterns.
        let pattern = Pattern::new(std::boxed::Box::leak(pattern.into()));
        pattern.matches(&sought(target, encoded), &mut Parameters::new())
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
                assert!(Pattern::new(pattern).matches(&sought(target, encoded), &mut found), "{pattern} {target}");
                let value = found.value(name);
                assert_eq!(value, wanted.map(str::as_bytes), "{pattern} {target} {name}");
            }
        }
    }

    /// Those of the innermost patterns are kept, and what does not match leaves none.
    #[test]
    fn no_more_parameters_than_there_is_room_for() {
        let mut found = Parameters::new();
        for number in 1..4 {
            assert!(!Pattern::new("/{x}/{y}/z").matches(&sought("/1/2/3", false), &mut found));
            assert!(!Pattern::new("/{x}/{y}/z").matches(&sought("/1/2/3", true), &mut found));
            assert!(Pattern::new("/{a}/{b}/{c}/z").matches(&sought("/1/2/3/z", false), &mut found));
            assert_eq!(found.values.len(), PARAMETERS_MAX.min(3 * number));
        }
        assert_eq!(found.value("a"), Some(&b"1"[..]));
    }

    /// The short way and the long way decide the same.
    #[test]
    fn both_ways_agree() {
        const BEHIND: &str = " HTTP/1.1\r\n";
        let patterns = [
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
        let pieces = ["/", "a", "b", ".", "?", ".."];
        let mut matched = 0;
        for pattern in patterns.map(Pattern::new) {
            // Every target of up to five pieces.
            for number in 0..pieces.len().pow(5) {
                let (mut rest, mut target) = (number, heapless::String::<32>::new());
                let _ = target.push('/');
                for _ in 0..5 {
                    let _ = target.push_str(pieces[rest % pieces.len()]);
                    rest /= pieces.len();
                }
                let end = target.len();
                let _ = target.push_str(BEHIND);
                let bytes = target.as_bytes();
                // With what stands behind it in a request, and without.
                let sought = [bytes, &bytes[..end]].map(|bytes| Sought::new(bytes, end, false));
                let slow = Sought::path(&bytes[..end]);
                let mut long = Parameters::new();
                let is = pattern.matches(&slow, &mut long);
                matched += u32::from(is);
                for sought in sought {
                    let mut short = Parameters::new();
                    assert_eq!(is, pattern.matches(&sought, &mut short), "{pattern:?} {target:?}");
                    for name in ["x", "y"] {
                        assert_eq!(short.value(name), long.value(name), "{pattern:?} {target:?} {name}");
                    }
                    let mut prefix = |sought| pattern.prefix(sought, &mut short);
                    assert_eq!(prefix(&sought), prefix(&slow), "{pattern:?} {target:?}");
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
                let found = Pattern::new(pattern).prefix(&sought(target, encoded), &mut Parameters::new());
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
