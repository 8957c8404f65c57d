//! A JSON text as serde's data model: RFC 8259.
//!
//! It is read where it lies, and its escapes are decoded in place: a decoded text is never longer than it was. So text is borrowed
//! always, and there is no buffer. No input makes it panic; its depth is bounded.

use core::mem::take;

use serde_core::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use crate::exchange::values::{
    mismatch::{Mismatch, Place},
    scalar::{self, Integer, for_integers, scalars},
};

#[cfg(test)]
mod tests;

/// Lists and objects within each other, at the most.
pub(crate) const DEPTH_MAX: u32 = 64;

const EMPTY: &str = "a JSON value is wanted, and nothing came";
const ENDS: &str = "the JSON ends too early";
const NO_VALUE: &str = "no JSON value begins here";
const BEHIND: &str = "nothing may stand behind the value";
const TOO_DEEP: &str = "lists and objects may stand 64 deep";
const NO_COLON: &str = "a : must stand between a name and its value";
const NO_NAME: &str = "a name in quotes is wanted here";
const NO_LIST_END: &str = "a , or ] is wanted here";
const NO_OBJECT_END: &str = "a , or } is wanted here";
const NUMBER: &str = "this is no JSON number: send one such as -4.2e1, without a + or a 0 in front";
const CONTROL: &str = "a control byte in a text must be escaped";
const ESCAPE: &str = "this is no escape of JSON";
const SURROGATE: &str = "a surrogate stands alone";
const UTF8: &str = "this is not UTF-8";

/// Reads all of `bytes` as a value; `error` is made of what is wrong, and where.
pub(super) fn read_or<'de, T: Deserialize<'de>, E>(
    bytes: &'de mut [u8],
    error: impl FnOnce(&Place, &Mismatch) -> E,
) -> Result<T, E> {
    let mut reader = Reader::new(bytes);
    let read = T::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    read.map_err(|fault| error(&reader.place, &fault))
}

/// What is left of a text, and where a fault was found.
struct Reader<'de> {
    /// Behind the last name or text: what was borrowed stands before it.
    bytes: &'de mut [u8],
    /// The next of these.
    at: usize,
    /// How many stand before these.
    before: usize,
    depth: u32,
    place: Place,
}

/// A number as it stands.
struct Number {
    /// Its first byte, among those that are left, and the one behind its last.
    from: usize,
    to: usize,
    /// It is whole, unless it has a fraction or an exponent, or more than 64 bits.
    integer: Option<Integer>,
}

type Read<T> = Result<T, Mismatch>;

impl<'de> Reader<'de> {
    fn new(bytes: &'de mut [u8]) -> Self {
        Reader { bytes, at: 0, before: 0, depth: 0, place: Place::default() }
    }

    /// Where the next byte stands in the whole text.
    fn offset(&self) -> usize {
        self.before + self.at
    }

    /// A fault of the text at the next byte.
    #[cold]
    fn broken(&mut self, reason: &'static str) -> Mismatch {
        let reason = if self.at < self.bytes.len() { reason } else { ENDS };
        self.broken_at(reason, self.offset())
    }

    #[cold]
    fn broken_at(&mut self, reason: &'static str, offset: usize) -> Mismatch {
        let fault = Mismatch::Broken(reason);
        self.place.found(&fault, Some(offset));
        fault
    }

    /// Notes a fault of the value that begins there.
    fn placed<T>(&mut self, offset: usize, read: Read<T>) -> Read<T> {
        if let Err(fault) = &read {
            self.place.found(fault, Some(offset));
        }
        read
    }

    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next byte that is no white space, which stays.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.byte() {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Takes that byte, where it is the next one that is no white space.
    fn take(&mut self, wanted: u8) -> bool {
        let is_next = self.peek() == Some(wanted);
        self.at += usize::from(is_next);
        is_next
    }

    /// Only white space may be left.
    fn end(&mut self) -> Read<()> {
        if self.peek().is_some() { Err(self.broken(BEHIND)) } else { Ok(()) }
    }

    /// Takes that word, whose first byte is the next one.
    fn word(&mut self, word: &[u8]) -> Read<()> {
        for byte in word {
            if self.byte() != Some(*byte) {
                return Err(self.broken(NO_VALUE));
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Another value than the wanted one begins at the next byte.
    #[cold]
    fn wanted(&mut self, wanted: impl core::fmt::Display) -> Mismatch {
        let kind = match self.peek() {
            Some(b'"') => "text",
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b't' | b'f') => "true or false",
            Some(b'n') => "null",
            Some(b'-' | b'0'..=b'9') => "a number",
            None if self.before == 0 && self.depth == 0 => return self.broken_at(EMPTY, 0),
            _ => return self.broken(NO_VALUE),
        };
        let fault = Mismatch::told(format_args!("{wanted} is wanted, not {kind}"));
        self.place.found(&fault, Some(self.offset()));
        fault
    }

    /// A text, whose quote is the next byte, decoded.
    fn text(&mut self) -> Read<&'de str> {
        self.at += 1;
        let (from, mut is_escaped) = (self.at, false);
        loop {
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => {
                    // What is escaped is looked at below; a quote ends nothing.
                    is_escaped = true;
                    self.at += 2;
                }
                Some(0..=0x1f) => return Err(self.broken(CONTROL)),
                Some(_) => self.at += 1,
                None => return Err(self.broken(ENDS)),
            }
        }
        let (passed, behind) = take(&mut self.bytes).split_at_mut(self.at + 1);
        let before = self.before + from;
        self.before += self.at + 1;
        self.bytes = behind;
        let text = passed.get_mut(from..self.at).unwrap_or_default();
        self.at = 0;
        if let Err(error) = str::from_utf8(text) {
            return Err(self.broken_at(UTF8, before + error.valid_up_to()));
        }
        let mut length = text.len();
        if is_escaped {
            length = match unescape(text) {
                Ok(length) => length,
                Err((reason, at)) => return Err(self.broken_at(reason, before + at)),
            };
        }
        let text: &'de [u8] = text;
        str::from_utf8(&text[..length]).map_err(|_| self.broken_at(UTF8, before))
    }

    /// The number that begins at the next byte.
    fn number(&mut self) -> Read<Number> {
        let from = self.at;
        let negative = self.byte() == Some(b'-');
        self.at += usize::from(negative);
        let digits = self.at;
        let leads_zero = self.byte() == Some(b'0');
        let mut magnitude = Some(0u64);
        while let Some(byte @ b'0'..=b'9') = self.byte() {
            let digit = u64::from(byte - b'0');
            magnitude = magnitude.and_then(|magnitude| magnitude.checked_mul(10)?.checked_add(digit));
            self.at += 1;
        }
        if self.at == digits || leads_zero && self.at > digits + 1 {
            self.at = digits;
            return Err(self.broken(NUMBER));
        }
        let mut is_whole = true;
        if self.byte() == Some(b'.') {
            is_whole = false;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            is_whole = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        let integer = magnitude.filter(|_| is_whole).map(|magnitude| Integer { negative, magnitude });
        Ok(Number { from, to: self.at, integer })
    }

    /// One digit at least.
    fn digits(&mut self) -> Read<()> {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        if self.at == from { Err(self.broken(NUMBER)) } else { Ok(()) }
    }

    /// A whole number within these bounds.
    fn integer(&mut self, least: i64, greatest: u64) -> Read<Integer> {
        let Some(b'-' | b'0'..=b'9') = self.peek() else {
            return Err(self.wanted(format_args!("a whole number from {least} to {greatest}")));
        };
        let offset = self.offset();
        let number = self.number()?;
        let read = match number.integer {
            Some(integer) if integer.is_within(least, greatest) => return Ok(integer),
            _ => scalar::out_of_range(self.text_of(&number), least, greatest),
        };
        self.placed(offset, Err(read))
    }

    /// The text of a number that was read last.
    fn text_of(&self, number: &Number) -> &str {
        // Digits, signs, a dot and an e.
        self.bytes.get(number.from..number.to).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
    }

    /// A number with a fraction; what is too great for it is none.
    fn float<F: core::str::FromStr>(&mut self, is_finite: impl FnOnce(&F) -> bool) -> Read<F> {
        let Some(b'-' | b'0'..=b'9') = self.peek() else {
            return Err(self.wanted("a number"));
        };
        let offset = self.offset();
        let number = self.number()?;
        let float = self.text_of(&number).parse().ok().filter(is_finite);
        self.placed(offset, float.ok_or(Mismatch::Broken("the number is too great")))
    }

    /// Goes into a list or an object.
    fn enter(&mut self) -> Read<()> {
        if self.depth == DEPTH_MAX {
            return Err(self.broken(TOO_DEEP));
        }
        (self.at, self.depth) = (self.at + 1, self.depth + 1);
        Ok(())
    }

    /// Comes out of it: what the visitor has left of it is too much.
    fn leave(&mut self, end: u8, what: &'static str) -> Read<()> {
        self.depth -= 1;
        if self.take(end) {
            return Ok(());
        }
        Err(self.broken(what))
    }

    fn list<V: Visitor<'de>>(&mut self, visitor: V) -> Read<V::Value> {
        if self.peek() != Some(b'[') {
            return Err(self.wanted("a list"));
        }
        let offset = self.offset();
        self.enter()?;
        let mut elements = Elements { reader: self, index: 0 };
        let read = visitor.visit_seq(&mut elements);
        let Elements { index, .. } = elements;
        let value = self.placed(offset, read)?;
        // A list of a known length does not look for its end.
        if self.peek() == Some(b',') {
            let fault = Mismatch::told(format_args!("the list is longer than the {index} that are wanted"));
            return self.placed(offset, Err(fault));
        }
        self.leave(b']', NO_LIST_END)?;
        Ok(value)
    }

    fn object<V: Visitor<'de>>(&mut self, visitor: V) -> Read<V::Value> {
        if self.peek() != Some(b'{') {
            return Err(self.wanted("an object"));
        }
        let offset = self.offset();
        self.enter()?;
        let read = visitor.visit_map(Fields { reader: self, name: None });
        let value = self.placed(offset, read)?;
        self.leave(b'}', NO_OBJECT_END)?;
        Ok(value)
    }

    /// The name of a field and its colon, whose quote must be the next byte.
    fn name(&mut self) -> Read<&'de str> {
        if self.peek() != Some(b'"') {
            return Err(self.broken(NO_NAME));
        }
        let name = self.text()?;
        if self.take(b':') { Ok(name) } else { Err(self.broken(NO_COLON)) }
    }

    /// Passes over a value, whatever it is. Its own depth takes no stack.
    fn skip(&mut self) -> Read<()> {
        let outer = self.depth;
        // One bit for each list or object that is open: whether it is an object.
        let mut objects = 0u64;
        loop {
            let mut opened = false;
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    self.enter()?;
                    objects = objects << 1 | u64::from(open == b'{');
                    opened = true;
                }
                Some(b'"') => _ = self.text()?,
                Some(b't') => self.word(b"true")?,
                Some(b'f') => self.word(b"false")?,
                Some(b'n') => self.word(b"null")?,
                Some(b'-' | b'0'..=b'9') => _ = self.number()?,
                _ => return Err(self.wanted("a value")),
            }
            // To where the next value begins.
            loop {
                if self.depth == outer {
                    return Ok(());
                }
                let is_object = objects & 1 == 1;
                if self.take(if is_object { b'}' } else { b']' }) {
                    self.depth -= 1;
                    objects >>= 1;
                    opened = false;
                    continue;
                }
                if !opened && !self.take(b',') {
                    return Err(self.broken(if is_object { NO_OBJECT_END } else { NO_LIST_END }));
                }
                if is_object {
                    self.name()?;
                }
                break;
            }
        }
    }
}

/// Decodes the escapes of a text in place. Returns its length, or what is wrong and where.
fn unescape(text: &mut [u8]) -> Result<usize, (&'static str, usize)> {
    let (mut from, mut to) = (0, 0);
    while let Some(&byte) = text.get(from) {
        let mut decoded = [byte; 4];
        let (taken, length) = if byte == b'\\' {
            let (character, taken) = escaped(&text[from..]).map_err(|reason| (reason, from))?;
            (taken, character.encode_utf8(&mut decoded).len())
        } else {
            (1, 1)
        };
        text[to..to + length].copy_from_slice(&decoded[..length]);
        (from, to) = (from + taken, to + length);
    }
    Ok(to)
}

/// The character of the escape that a text begins with, and the escape's length.
fn escaped(text: &[u8]) -> Result<(char, usize), &'static str> {
    let character = match text.get(1) {
        Some(&byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => {
            let unit = unit(text).ok_or(ESCAPE)?;
            if !(0xd800..0xe000).contains(&unit) {
                return char::from_u32(unit).map(|character| (character, 6)).ok_or(SURROGATE);
            }
            // The first half of a pair comes first.
            let second = text.get(6..).and_then(self::unit).filter(|second| (0xdc00..0xe000).contains(second));
            let (Some(second), true) = (second, unit < 0xdc00) else { return Err(SURROGATE) };
            let code = 0x1_0000 + ((unit - 0xd800) << 10) + (second - 0xdc00);
            return char::from_u32(code).map(|character| (character, 12)).ok_or(SURROGATE);
        }
        _ => return Err(ESCAPE),
    };
    Ok((character, 2))
}

/// The number of a `\uXXXX`.
fn unit(text: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = text.first_chunk::<6>()? else { return None };
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty: $least:expr;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
            let offset = self.next_offset();
            #[allow(clippy::cast_lossless, clippy::cast_sign_loss, reason = "what is within the bounds comes back as it was")]
            let read = self.integer($least, <$type>::MAX as u64)?.value() as $type;
            self.placed(offset, visitor.$visit(read))
        })*
    };
}

impl Reader<'_> {
    /// Where the next value begins.
    fn next_offset(&mut self) -> usize {
        self.peek();
        self.offset()
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let offset = self.next_offset();
        let read = match self.peek() {
            Some(b'"') => return self.deserialize_str(visitor),
            Some(b'{') => return self.object(visitor),
            Some(b'[') => return self.list(visitor),
            Some(b't' | b'f') => return self.deserialize_bool(visitor),
            Some(b'n') => return self.deserialize_unit(visitor),
            Some(b'-' | b'0'..=b'9') => match self.number()? {
                Number { integer: Some(integer), .. } if !integer.negative => visitor.visit_u64(integer.magnitude),
                Number { integer: Some(integer), .. }
                    if integer.magnitude != 0 && integer.is_within(i64::MIN, u64::MAX) =>
                {
                    visitor.visit_i64(integer.value())
                }
                number => {
                    self.at = number.from;
                    visitor.visit_f64(self.float(|float: &f64| float.is_finite())?)
                }
            },
            _ => Err(self.wanted("a value")),
        };
        self.placed(offset, read)
    }

    for_integers! { integers }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let offset = self.next_offset();
        let float = self.float(|float: &f32| float.is_finite())?;
        self.placed(offset, visitor.visit_f32(float))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let offset = self.next_offset();
        let float = self.float(|float: &f64| float.is_finite())?;
        self.placed(offset, visitor.visit_f64(float))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let offset = self.next_offset();
        let value = match self.peek() {
            Some(b't') => self.word(b"true").map(|()| true),
            Some(b'f') => self.word(b"false").map(|()| false),
            _ => Err(self.wanted("true or false")),
        };
        self.placed(offset, visitor.visit_bool(value?))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        if self.peek() != Some(b'"') {
            return Err(self.wanted("text"));
        }
        let offset = self.offset();
        let text = self.text()?;
        self.placed(offset, visitor.visit_borrowed_str(text))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.peek() {
            Some(b'"') => {
                let offset = self.offset();
                let text = self.text()?;
                self.placed(offset, visitor.visit_borrowed_bytes(text.as_bytes()))
            }
            Some(b'[') => self.list(visitor),
            _ => Err(self.wanted("text, or a list of bytes,")),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let offset = self.next_offset();
        let read = if self.peek() == Some(b'n') {
            self.word(b"null")?;
            visitor.visit_none()
        } else {
            visitor.visit_some(&mut *self)
        };
        self.placed(offset, read)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let offset = self.next_offset();
        if self.peek() != Some(b'n') {
            return Err(self.wanted("null"));
        }
        self.word(b"null")?;
        self.placed(offset, visitor.visit_unit())
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Read<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Read<V::Value> {
        let offset = self.next_offset();
        let read = visitor.visit_newtype_struct(&mut *self);
        self.placed(offset, read)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Read<V::Value> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, visitor: V) -> Read<V::Value> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.object(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        self.object(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        let offset = self.next_offset();
        match self.peek() {
            Some(b'"') => {
                let name = self.text()?;
                self.placed(offset, visitor.visit_enum(de::value::BorrowedStrDeserializer::new(name)))
            }
            Some(b'{') => {
                self.enter()?;
                let read = visitor.visit_enum(Variant { reader: &mut *self });
                let value = self.placed(offset, read)?;
                self.leave(b'}', "an object of one name alone is wanted here")?;
                Ok(value)
            }
            _ => Err(self.wanted("a name, or an object of one name,")),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.skip()?;
        visitor.visit_unit()
    }
}

/// The elements of a list.
struct Elements<'a, 'de> {
    reader: &'a mut Reader<'de>,
    /// Of the next one.
    index: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Read<Option<T::Value>> {
        if self.reader.peek() == Some(b']') {
            return Ok(None);
        }
        if self.index > 0 && !self.reader.take(b',') {
            return Err(self.reader.broken(NO_LIST_END));
        }
        match seed.deserialize(&mut *self.reader) {
            Ok(value) => {
                self.index += 1;
                Ok(Some(value))
            }
            Err(fault) => {
                self.reader.place.trail.within_element(self.index);
                Err(fault)
            }
        }
    }
}

/// The fields of an object.
struct Fields<'a, 'de> {
    reader: &'a mut Reader<'de>,
    /// Of the field at hand.
    name: Option<&'de str>,
}

impl<'de> MapAccess<'de> for Fields<'_, 'de> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        if self.reader.peek() == Some(b'}') {
            return Ok(None);
        }
        if self.name.is_some() && !self.reader.take(b',') {
            return Err(self.reader.broken(NO_OBJECT_END));
        }
        let offset = self.reader.next_offset();
        let name = self.reader.name()?;
        self.name = Some(name);
        let read = seed.deserialize(Name(name));
        if read.is_err() {
            self.reader.place.trail.within_field(name);
        }
        self.reader.placed(offset, read).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Read<T::Value> {
        let read = seed.deserialize(&mut *self.reader);
        if read.is_err() {
            self.reader.place.trail.within_field(self.name.unwrap_or_default());
        }
        read
    }
}

/// An enum's variant with content: an object of one field.
struct Variant<'a, 'de> {
    reader: &'a mut Reader<'de>,
}

impl<'a, 'de> EnumAccess<'de> for Variant<'a, 'de> {
    type Error = Mismatch;
    type Variant = Content<'a, 'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Read<(V::Value, Content<'a, 'de>)> {
        let offset = self.reader.next_offset();
        let name = self.reader.name()?;
        let read = seed.deserialize(Name(name));
        let variant = self.reader.placed(offset, read)?;
        Ok((variant, Content { reader: self.reader, name }))
    }
}

struct Content<'a, 'de> {
    reader: &'a mut Reader<'de>,
    name: &'de str,
}

impl<'de> Content<'_, 'de> {
    fn within<T>(self, read: impl FnOnce(&mut Reader<'de>) -> Read<T>) -> Read<T> {
        let read = read(self.reader);
        if read.is_err() {
            self.reader.place.trail.within_field(self.name);
        }
        read
    }
}

impl<'de> VariantAccess<'de> for Content<'_, 'de> {
    type Error = Mismatch;

    fn unit_variant(self) -> Read<()> {
        self.within(|reader| <()>::deserialize(reader))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Read<T::Value> {
        self.within(|reader| seed.deserialize(reader))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Read<V::Value> {
        self.within(|reader| reader.list(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Read<V::Value> {
        self.within(|reader| reader.object(visitor))
    }
}

/// The name of a field, or of an enum's variant.
struct Name<'de>(&'de str);

impl Name<'_> {
    fn with_text<T>(self, read: impl FnOnce(&str) -> Read<T>) -> Read<T> {
        read(self.0)
    }
}

impl<'de> Deserializer<'de> for Name<'de> {
    type Error = Mismatch;

    scalars! { 'de }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_some(self)
    }

    serde_core::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
