//! Which content codings a client takes, and which of those at hand it is given: RFC 9110 sections 8.4.1 and 12.5.3.

use crate::bytes::trim;

/// A content coding: how the bytes of a representation are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
}

impl Coding {
    /// Its name in a Content-Encoding field; `None` for [`Identity`](Coding::Identity), which that field never names.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Coding::Identity => None,
            Coding::Gzip => Some("gzip"),
            Coding::Brotli => Some("br"),
        }
    }
}

/// What a request's Accept-Encoding fields say of the codings known here.
///
/// # Examples
/// ```
/// use tenure_proto::accept::{AcceptEncoding, Coding};
///
/// let mut accepted = AcceptEncoding::new();
/// accepted.add(b"gzip;q=0.5, br");
/// assert_eq!(accepted.choose(|_| true), Some(Coding::Brotli));
/// assert_eq!(accepted.choose(|coding| coding != Coding::Brotli), Some(Coding::Gzip));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptEncoding {
    /// Weights in thousandths, of what was named.
    gzip: Option<u16>,
    brotli: Option<u16>,
    identity: Option<u16>,
    /// What was not named, `*`.
    other: Option<u16>,
}

impl AcceptEncoding {
    /// Of a request without such a field. Section 12.5.3 lets a server pack its response then; this says no, because clients that
    /// cannot unpack do not say so.
    pub const fn new() -> Self {
        AcceptEncoding { gzip: None, brotli: None, identity: None, other: None }
    }

    /// Adds a line of the field. What is named twice counts as it was named first, a coding with a malformed weight as refused.
    pub fn add(&mut self, line: &[u8]) {
        for member in line.split(|&byte| byte == b',') {
            let mut parts = member.split(|&byte| byte == b';').map(trim);
            let name = parts.next().unwrap_or_default();
            let of = match name {
                b"*" => &mut self.other,
                // Section 8.4.1.3: `x-gzip` is the same.
                _ if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") => &mut self.gzip,
                _ if name.eq_ignore_ascii_case(b"br") => &mut self.brotli,
                _ if name.eq_ignore_ascii_case(b"identity") => &mut self.identity,
                _ => continue,
            };
            of.get_or_insert(match (parts.next(), parts.next()) {
                (None, _) => WHOLE,
                (Some(weight), None) => self::weight(weight).unwrap_or(0),
                (Some(_), Some(_)) => 0,
            });
        }
    }

    /// The weight of a coding in thousandths; 0: the client refuses it. `identity` that is not named comes last: it has the least.
    pub fn weight(&self, coding: Coding) -> u16 {
        match coding {
            Coding::Gzip => self.gzip.or(self.other).unwrap_or(0),
            Coding::Brotli => self.brotli.or(self.other).unwrap_or(0),
            Coding::Identity => self.identity.or(self.other).unwrap_or(1),
        }
    }

    /// The best coding of those for which `has` holds: that of the most weight, and among equals Brotli before gzip before none.
    /// `None`: the client refuses all of them.
    pub fn choose(&self, has: impl Fn(Coding) -> bool) -> Option<Coding> {
        let (mut best, mut most) = (None, 0);
        for coding in [Coding::Brotli, Coding::Gzip, Coding::Identity] {
            let weight = self.weight(coding);
            if weight > most && has(coding) {
                (best, most) = (Some(coding), weight);
            }
        }
        best
    }
}

/// The weight of what is named without one.
const WHOLE: u16 = 1_000;

/// A weight, `q=0.5`, in thousandths: section 12.4.2. `None`: it is malformed.
fn weight(parameter: &[u8]) -> Option<u16> {
    let [b'q' | b'Q', b'=', value @ ..] = parameter else { return None };
    let (&whole, rest) = value.split_first()?;
    let digits = match rest {
        [] => rest,
        [b'.', digits @ ..] if digits.len() <= 3 => digits,
        _ => return None,
    };
    let mut thousandths = u16::from(whole.checked_sub(b'0').filter(|whole| *whole <= 1)?) * WHOLE;
    let mut place = 100;
    for digit in digits {
        thousandths += u16::from(digit.checked_sub(b'0').filter(|digit| *digit <= 9)?) * place;
        place /= 10;
    }
    (thousandths <= WHOLE).then_some(thousandths)
}
