//! Values that serde reads from a request: of a query or a form, which are pairs of names and values, and of one text.
//!
//! Nothing is allocated but for a decoded text that is to be a `String`. No input makes these panic.

pub(crate) mod mismatch;
pub(crate) mod scalar;

use serde_core::de::{
    self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor, value::BorrowedStrDeserializer,
};
use tenure_proto::target::{Encoded, PARSED_BYTES_MAX, first_decoded};

use crate::{
    Error,
    exchange::{
        reasons::Reasons,
        values::{
            mismatch::{Mismatch, Place},
            scalar::scalars,
        },
    },
};

/// Bytes of a decoded text at the most, without a heap.
#[cfg(any(not(feature = "alloc"), tenure_narrow))]
const DECODED_BYTES_MAX: usize = 256;

type Read<T> = Result<T, Mismatch>;

/// Reads one text as a value; `name` is told where it is none.
pub(crate) fn read_text<'de, T: Deserialize<'de>>(
    text: Encoded<'de>,
    name: &str,
    reasons: &Reasons,
) -> Result<T, Error> {
    T::deserialize(Value { text, name: text, behind: Pairs::NONE }).map_err(|fault| {
        let mut place = Place::default();
        place.found(&fault, None);
        place.trail.within_field(name);
        place.error_of_request(&fault, reasons)
    })
}

/// Reads pairs as a value.
pub(crate) fn read_pairs<'de, T: Deserialize<'de>>(pairs: Pairs<'de>, reasons: &Reasons) -> Result<T, Error> {
    let mut place = Place::default();
    T::deserialize(Reader { pairs, place: &mut place }).map_err(|fault| {
        place.found(&fault, None);
        place.error_of_request(&fault, reasons)
    })
}

/// Names and values, one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Pairs<'de> {
    rest: &'de [u8],
    /// Percent-encoded; otherwise as [`decode_form`] leaves them.
    is_encoded: bool,
}

/// What stands between decoded pairs, and between their names and values: neither is part of UTF-8.
const PAIRS_END: u8 = 0xff;
const NAMES_END: u8 = 0xfe;

impl<'de> Pairs<'de> {
    const NONE: Self = Pairs { rest: &[], is_encoded: false };

    /// Those of a query.
    pub(crate) fn of_query(query: &'de str) -> Self {
        Pairs { rest: query.as_bytes(), is_encoded: true }
    }

    /// Those of a form, which is decoded where it lies.
    pub(crate) fn of_form(form: &'de mut [u8]) -> Result<Self, Error> {
        let length = decode_form(form)?;
        Ok(Pairs { rest: form.get(..length).unwrap_or_default(), is_encoded: false })
    }

    fn part(self, bytes: &'de [u8]) -> Encoded<'de> {
        if self.is_encoded {
            Encoded::query(str::from_utf8(bytes).unwrap_or_default())
        } else {
            Encoded::of_target(bytes, false)
        }
    }

    /// Takes the next pair: its name and its value. What is empty is passed over.
    fn next(&mut self) -> Option<(Encoded<'de>, Encoded<'de>)> {
        let (pairs_end, names_end) = if self.is_encoded { (b'&', b'=') } else { (PAIRS_END, NAMES_END) };
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let (pair, rest) = split(self.rest, pairs_end);
            self.rest = rest;
            if !pair.is_empty() {
                let (name, value) = split(pair, names_end);
                return Some((self.part(name), self.part(value)));
            }
        }
    }

    /// The next pair of that name.
    fn find(&mut self, is_wanted: impl Fn(Encoded<'de>) -> bool) -> Option<Value<'de>> {
        loop {
            let (name, text) = self.next()?;
            if is_wanted(name) {
                return Some(Value { text, name, behind: *self });
            }
        }
    }
}

/// What stands before and behind the first such byte.
fn split(text: &[u8], byte: u8) -> (&[u8], &[u8]) {
    let at = text.iter().position(|&found| found == byte).unwrap_or(text.len());
    (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default())
}

/// Decodes a form (the form encoding of the URL standard) where it lies, which only makes it shorter. Returns its length.
fn decode_form(form: &mut [u8]) -> Result<usize, Error> {
    // `part` is the name or value at hand, `sent` where it stands as it was sent.
    let (mut from, mut to, mut part, mut sent, mut is_value) = (0, 0, 0, 0, false);
    loop {
        let (taken, decoded) = match form.get(from..) {
            None | Some([]) => (0, PAIRS_END),
            Some([b'&', ..]) => (1, PAIRS_END),
            Some([b'=', ..]) if !is_value => (1, NAMES_END),
            Some([b'+', ..]) => (1, b' '),
            Some(rest) => {
                let (byte, taken) = first_decoded(rest);
                (taken, byte)
            }
        };
        let is_mark =
            taken == 0 || matches!(form.get(from), Some(b'&')) || !is_value && matches!(form.get(from), Some(b'='));
        if is_mark {
            if str::from_utf8(form.get(part..to).unwrap_or_default()).is_err() {
                return Err(Error::bad_request("a form is UTF-8, and percent-encoded").at_byte(sent as u32));
            }
            if taken == 0 {
                return Ok(to);
            }
            (part, sent, is_value) = (to + 1, from + 1, decoded == NAMES_END);
        }
        form[to] = decoded;
        (from, to) = (from + taken, to + 1);
    }
}

/// The value of a pair, or another text.
#[derive(Clone, Copy)]
struct Value<'de> {
    text: Encoded<'de>,
    /// Of the pair.
    name: Encoded<'de>,
    /// The pairs behind it, of which some may have the same name.
    behind: Pairs<'de>,
}

/// Whether both names are the same, however they are encoded.
fn is_same(one: Encoded<'_>, other: Encoded<'_>) -> bool {
    one.bytes().eq(other.bytes())
}

impl Value<'_> {
    /// The next value of the same name.
    fn again(self) -> Option<Self> {
        let mut behind = self.behind;
        behind.find(|name| is_same(name, self.name))
    }

    /// It is wanted as one value: the name may not stand again.
    fn is_one(self) -> Read<()> {
        if self.again().is_some() { Err(Mismatch::Twice(None)) } else { Ok(()) }
    }

    /// As a short text, decoded.
    fn with_text<T>(self, read: impl FnOnce(&str) -> Read<T>) -> Read<T> {
        self.is_one()?;
        let mut buffer = [0; PARSED_BYTES_MAX];
        read(self.text.decode(&mut buffer).map_err(|error| Mismatch::Broken(error.reason()))?)
    }
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Mismatch;

    scalars! { 'de }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.is_one()?;
        if let Some(text) = self.text.as_plain() {
            return visitor.visit_borrowed_str(text);
        }
        #[cfg(all(feature = "alloc", not(tenure_narrow)))]
        let mut buffer = alloc::vec![0; self.text.as_encoded().len()];
        #[cfg(any(not(feature = "alloc"), tenure_narrow))]
        let mut buffer = [0; DECODED_BYTES_MAX];
        let text = self.text.decode(&mut buffer).map_err(|error| Mismatch::Broken(error.reason()))?;
        visitor.visit_str(text).map_err(Mismatch::of_decoded)
    }

    // An empty field of a form is one that was not filled in.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        if self.text.as_encoded().is_empty() && self.again().is_none() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let mut values = Values(Some(self));
        let value = visitor.visit_seq(&mut values)?;
        // A list of a known length does not look for more.
        if values.0.is_some() { Err(Mismatch::Broken("stands more often than is wanted")) } else { Ok(value) }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Read<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, visitor: V) -> Read<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_unit()
    }

    serde_core::forward_to_deserialize_any! {
        i128 u128 char string bytes byte_buf unit_struct map struct identifier
    }
}

/// The values of one name.
struct Values<'de>(Option<Value<'de>>);

impl<'de> SeqAccess<'de> for Values<'de> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Read<Option<T::Value>> {
        let Some(value) = self.0 else { return Ok(None) };
        self.0 = value.again();
        seed.deserialize(Value { behind: Pairs::NONE, ..value }).map(Some)
    }
}

/// All pairs, as a struct or a map.
struct Reader<'a, 'de> {
    pairs: Pairs<'de>,
    place: &'a mut Place,
}

impl<'de> Deserializer<'de> for Reader<'_, 'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        visitor.visit_map(Fields {
            all: self.pairs,
            names,
            next: 0,
            others: self.pairs,
            value: None,
            place: self.place,
        })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Read<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_unit()
    }

    serde_core::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

/// The fields of a struct, in its order, each where its name stands first. Then all other pairs. So it takes no longer for pairs whose names
/// are repeated.
struct Fields<'a, 'de> {
    all: Pairs<'de>,
    names: &'static [&'static str],
    /// Of the names.
    next: usize,
    others: Pairs<'de>,
    /// Of the field at hand.
    value: Option<Value<'de>>,
    place: &'a mut Place,
}

impl<'de> MapAccess<'de> for Fields<'_, 'de> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        while let Some(&wanted) = self.names.get(self.next) {
            self.next += 1;
            let mut all = self.all;
            self.value = all.find(|name| name == *wanted);
            if self.value.is_some() {
                return seed.deserialize(BorrowedStrDeserializer::new(wanted)).map(Some);
            }
        }
        let names = self.names;
        let Some(value) = self.others.find(|name| !names.iter().any(|wanted| name == **wanted)) else {
            return Ok(None);
        };
        // Of these each pair is told, also where names are repeated.
        self.value = Some(Value { behind: Pairs::NONE, ..value });
        let read = seed.deserialize(Value { text: value.name, name: value.name, behind: Pairs::NONE });
        self.within(read).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Read<T::Value> {
        let Some(value) = self.value else { return Err(Mismatch::Broken("a value was read twice")) };
        let read = seed.deserialize(value);
        self.within(read)
    }
}

impl Fields<'_, '_> {
    /// Notes that a fault is of the field at hand.
    fn within<T>(&mut self, read: Read<T>) -> Read<T> {
        if let (Err(fault), Some(value)) = (&read, self.value) {
            self.place.found(fault, None);
            self.place.trail.within_field(value.name);
        }
        read
    }
}
