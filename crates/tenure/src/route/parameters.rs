//! What a target has for the parameters of its route.

use tenure_proto::bytes::WORDS;

/// Parameters of a pattern at the most, and of a request with those of the routers that its route is nested in: beyond,
/// the outermost are forgotten.
pub(crate) const PARAMETERS_MAX: usize = 6;

/// What a request's target has for the parameters of the patterns that it matched, the outermost first.
#[derive(Debug, Default)]
pub struct Parameters<'t> {
    values: heapless::Vec<Parameter<'t>, PARAMETERS_MAX, u8>,
}

/// What a target has for one parameter.
#[derive(Clone, Copy, Debug)]
struct Parameter<'t> {
    name: &'static [u8],
    value: &'t [u8],
}

impl<'t> Parameters<'t> {
    /// None.
    pub(crate) const fn new() -> Self {
        Parameters { values: heapless::Vec::new() }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// What the target has for the innermost parameter of that name.
    pub(crate) fn value(&self, name: &str) -> Option<&'t [u8]> {
        let is = |parameter: &&Parameter| parameter.name.len() == name.len() && same(parameter.name, name.as_bytes());
        Some(self.values.iter().rev().find(is)?.value)
    }

    /// What the target has for the innermost parameter.
    pub(crate) fn last(&self) -> Option<&'t [u8]> {
        Some(self.values.last()?.value)
    }

    /// Lets a pattern of `count` parameters add what it finds; if it does not match, nothing has been added or forgotten.
    #[inline(always)]
    pub(crate) fn add_if<R>(&mut self, count: usize, matches: impl FnOnce(&mut Self) -> Option<R>) -> Option<R> {
        let known = self.values.len();
        let (mut apart, is_full) = (Parameters::new(), known + count > PARAMETERS_MAX);
        let matched = matches(if is_full { &mut apart } else { &mut *self });
        if matched.is_none() {
            self.values.truncate(known);
        } else if is_full {
            for parameter in &apart.values {
                self.add(parameter.name, parameter.value);
            }
        }
        matched
    }

    /// Adds one, and forgets the outermost where there is no more space.
    #[inline(always)]
    pub(crate) fn add(&mut self, name: &'static [u8], value: &'t [u8]) {
        if let Err(parameter) = self.values.push(Parameter { name, value }) {
            self.add_to_full(parameter);
        }
    }

    #[cold]
    fn add_to_full(&mut self, parameter: Parameter<'t>) {
        self.values.copy_within(1.., 0);
        if let Some(last) = self.values.last_mut() {
            *last = parameter;
        }
    }
}

/// Whether two texts of the same length are the same: for short ones, of which most differ soon.
#[inline(always)]
pub(crate) fn same(bytes: &[u8], text: &[u8]) -> bool {
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
