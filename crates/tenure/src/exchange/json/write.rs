//! A value as a JSON text: RFC 8259, without white space.
//!
//! It is written into what room there is, from a byte on, and counted: so a response needs no buffer.

use core::fmt::{self, Display, Write};

use serde_core::ser::{self, Impossible, Serialize, Serializer};

/// Where a text is written: what stands before `from` is passed over, what does not fit is only counted.
pub(crate) struct Sink<'o> {
    room: &'o mut [u8],
    /// Bytes of the room that are written.
    written: usize,
    /// Bytes that are still passed over.
    skipped: usize,
    /// Bytes of the whole text so far.
    bytes: usize,
    /// Nothing more is to be counted once the room is full.
    stops: bool,
    /// It is, and there was more.
    is_full: bool,
}

/// Why a value is no JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwritten {
    /// The room is full.
    Full,
    Float,
    Key,
    /// The value's own `Serialize` has failed.
    Failed,
}

impl Unwritten {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Unwritten::Full => "the JSON has no room",
            Unwritten::Float => "JSON has no number that is infinite or none: write an Option",
            Unwritten::Key => "the names of a JSON object are texts, numbers, bool or names of an enum",
            Unwritten::Failed => "a value could not be written as JSON",
        }
    }
}

impl Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for Unwritten {}

impl ser::Error for Unwritten {
    fn custom<T: Display>(message: T) -> Self {
        log::warn!("a value could not be written as JSON: {message}");
        Unwritten::Failed
    }
}

type Wrote<T = ()> = Result<T, Unwritten>;

impl<'o> Sink<'o> {
    /// Writes into `room`, and counts what has none.
    pub(crate) fn counting(room: &'o mut [u8]) -> Self {
        Sink { room, written: 0, skipped: 0, bytes: 0, stops: false, is_full: false }
    }

    /// Writes into `room` what stands behind the first `skipped` bytes, until that is full.
    pub(crate) fn skipping(room: &'o mut [u8], skipped: usize) -> Self {
        Sink { room, written: 0, skipped, bytes: 0, stops: true, is_full: false }
    }

    /// Bytes of the whole text, as far as it was written.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of the room that were filled.
    pub(crate) fn written(&self) -> usize {
        self.written
    }

    /// Whether there was more than room.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    pub(crate) fn write<T: Serialize + ?Sized>(&mut self, value: &T) -> Wrote {
        value.serialize(Writer(self))
    }

    fn put(&mut self, text: &[u8]) -> Wrote {
        self.bytes += text.len();
        let skipped = self.skipped.min(text.len());
        self.skipped -= skipped;
        let text = text.get(skipped..).unwrap_or_default();
        let room = self.room.get_mut(self.written..).unwrap_or_default();
        let length = text.len().min(room.len());
        room[..length].copy_from_slice(&text[..length]);
        self.written += length;
        self.is_full |= length < text.len();
        if self.is_full && self.stops { Err(Unwritten::Full) } else { Ok(()) }
    }

    /// A text in quotes.
    fn text(&mut self, text: &str) -> Wrote {
        self.put(b"\"")?;
        self.escaped(text)?;
        self.put(b"\"")
    }

    /// Part of a text, within its quotes.
    fn escaped(&mut self, text: &str) -> Wrote {
        let mut rest = text.as_bytes();
        while let Some(at) = rest.iter().position(|byte| matches!(byte, 0..=0x1f | b'"' | b'\\')) {
            let (plain, behind) = rest.split_at(at);
            self.put(plain)?;
            let Some((&byte, behind)) = behind.split_first() else { break };
            rest = behind;
            let short = match byte {
                b'"' | b'\\' => byte,
                0x8 => b'b',
                0xc => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                _ => {
                    let digit = |digit: u8| b"0123456789abcdef"[usize::from(digit & 0xf)];
                    self.put(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)])?;
                    continue;
                }
            };
            self.put(&[b'\\', short])?;
        }
        self.put(rest)
    }

    fn integer(&mut self, negative: bool, magnitude: u64) -> Wrote {
        if negative {
            self.put(b"-")?;
        }
        self.put(tenure_proto::response::decimal(magnitude, &mut [0; 20]))
    }

    /// What a value displays as, without quotes.
    fn display(&mut self, value: &(impl Display + ?Sized), is_text: bool) -> Wrote {
        let mut display = Displayed { sink: self, is_text, failed: None };
        match write!(display, "{value}") {
            Ok(()) => Ok(()),
            Err(_) => Err(display.failed.unwrap_or(Unwritten::Failed)),
        }
    }
}

struct Displayed<'a, 'o> {
    sink: &'a mut Sink<'o>,
    is_text: bool,
    failed: Option<Unwritten>,
}

impl Write for Displayed<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let put = if self.is_text { self.sink.escaped(text) } else { self.sink.put(text.as_bytes()) };
        put.map_err(|why| {
            self.failed = Some(why);
            fmt::Error
        })
    }
}

/// One value.
struct Writer<'a, 'o>(&'a mut Sink<'o>);

/// The elements of a list, or the fields of an object.
struct Members<'a, 'o> {
    sink: &'a mut Sink<'o>,
    is_first: bool,
    /// What closes it.
    end: &'static [u8],
}

impl<'a, 'o> Members<'a, 'o> {
    fn begin(sink: &'a mut Sink<'o>, begin: &[u8], end: &'static [u8]) -> Wrote<Self> {
        sink.put(begin)?;
        Ok(Members { sink, is_first: true, end })
    }

    /// Within an object of one field, as an enum's variant is.
    fn of_variant(sink: &'a mut Sink<'o>, variant: &str, begin: &[u8], end: &'static [u8]) -> Wrote<Self> {
        sink.put(b"{")?;
        sink.text(variant)?;
        sink.put(b":")?;
        Members::begin(sink, begin, end)
    }

    fn comma(&mut self) -> Wrote {
        if core::mem::replace(&mut self.is_first, false) { Ok(()) } else { self.sink.put(b",") }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Wrote {
        self.comma()?;
        self.sink.write(value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Wrote {
        self.comma()?;
        self.sink.text(name)?;
        self.sink.put(b":")?;
        self.sink.write(value)
    }

    fn close(self) -> Wrote {
        self.sink.put(self.end)
    }
}

macro_rules! integers {
    ($($method:ident $type:ty;)*) => {
        $(fn $method(self, value: $type) -> Wrote {
            #[allow(unused_comparisons, clippy::cast_lossless, clippy::cast_sign_loss, reason = "one way for all integers")]
            self.0.integer(value < 0, if value < 0 { (value as u64).wrapping_neg() } else { value as u64 })
        })*
    };
}

impl<'a, 'o> Serializer for Writer<'a, 'o> {
    type Ok = ();
    type Error = Unwritten;
    type SerializeSeq = Members<'a, 'o>;
    type SerializeTuple = Members<'a, 'o>;
    type SerializeTupleStruct = Members<'a, 'o>;
    type SerializeTupleVariant = Members<'a, 'o>;
    type SerializeMap = Members<'a, 'o>;
    type SerializeStruct = Members<'a, 'o>;
    type SerializeStructVariant = Members<'a, 'o>;

    integers! {
        serialize_i8 i8;
        serialize_i16 i16;
        serialize_i32 i32;
        serialize_i64 i64;
        serialize_u8 u8;
        serialize_u16 u16;
        serialize_u32 u32;
        serialize_u64 u64;
    }

    fn serialize_i128(self, value: i128) -> Wrote {
        self.0.display(&value, false)
    }

    fn serialize_u128(self, value: u128) -> Wrote {
        self.0.display(&value, false)
    }

    fn serialize_bool(self, value: bool) -> Wrote {
        self.0.put(if value { b"true" } else { b"false" })
    }

    // Its `Debug` is the shortest text that is read back as the same number, with an exponent where digits alone would be long.
    fn serialize_f32(self, value: f32) -> Wrote {
        if value.is_finite() { self.0.display(&format_args!("{value:?}"), false) } else { Err(Unwritten::Float) }
    }

    fn serialize_f64(self, value: f64) -> Wrote {
        if value.is_finite() { self.0.display(&format_args!("{value:?}"), false) } else { Err(Unwritten::Float) }
    }

    fn serialize_char(self, value: char) -> Wrote {
        self.0.text(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Wrote {
        self.0.text(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Wrote {
        let mut list = Members::begin(self.0, b"[", b"]")?;
        value.iter().try_for_each(|byte| list.element(byte))?;
        list.close()
    }

    fn serialize_none(self) -> Wrote {
        self.0.put(b"null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Wrote {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Wrote {
        self.0.put(b"null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Wrote {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Wrote {
        self.0.text(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Wrote {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Wrote {
        let mut object = Members::begin(self.0, b"{", b"}")?;
        object.field(variant, value)?;
        object.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Wrote<Self::SerializeSeq> {
        Members::begin(self.0, b"[", b"]")
    }

    fn serialize_tuple(self, _: usize) -> Wrote<Self::SerializeTuple> {
        Members::begin(self.0, b"[", b"]")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Wrote<Self::SerializeTupleStruct> {
        Members::begin(self.0, b"[", b"]")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Wrote<Self::SerializeTupleVariant> {
        Members::of_variant(self.0, variant, b"[", b"]}")
    }

    fn serialize_map(self, _: Option<usize>) -> Wrote<Self::SerializeMap> {
        Members::begin(self.0, b"{", b"}")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Wrote<Self::SerializeStruct> {
        Members::begin(self.0, b"{", b"}")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Wrote<Self::SerializeStructVariant> {
        Members::of_variant(self.0, variant, b"{", b"}}")
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Wrote {
        self.0.put(b"\"")?;
        self.0.display(value, true)?;
        self.0.put(b"\"")
    }
}

macro_rules! members {
    ($($trait:ident $method:ident;)*) => {
        $(impl ser::$trait for Members<'_, '_> {
            type Ok = ();
            type Error = Unwritten;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Wrote {
                self.element(value)
            }

            fn end(self) -> Wrote {
                self.close()
            }
        })*
    };
    (fields: $($trait:ident;)*) => {
        $(impl ser::$trait for Members<'_, '_> {
            type Ok = ();
            type Error = Unwritten;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Wrote {
                self.field(name, value)
            }

            fn end(self) -> Wrote {
                self.close()
            }
        })*
    };
}

members! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}
members! { fields: SerializeStruct; SerializeStructVariant; }

impl ser::SerializeMap for Members<'_, '_> {
    type Ok = ();
    type Error = Unwritten;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, name: &T) -> Wrote {
        self.comma()?;
        name.serialize(Name(self.sink))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Wrote {
        self.sink.put(b":")?;
        self.sink.write(value)
    }

    fn end(self) -> Wrote {
        self.close()
    }
}

/// The name of an object's field.
struct Name<'a, 'o>(&'a mut Sink<'o>);

impl Name<'_, '_> {
    /// What is no text by itself, in quotes.
    fn quoted(self, write: impl FnOnce(Writer<'_, '_>) -> Wrote) -> Wrote {
        self.0.put(b"\"")?;
        write(Writer(self.0))?;
        self.0.put(b"\"")
    }
}

macro_rules! quoted {
    ($($method:ident $type:ty;)*) => {
        $(fn $method(self, value: $type) -> Wrote {
            self.quoted(|writer| writer.$method(value))
        })*
    };
}

macro_rules! no_names {
    ($($method:ident($($argument:ty),*);)*) => {
        $(fn $method(self, $(_: $argument),*) -> Wrote {
            Err(Unwritten::Key)
        })*
    };
}

impl Serializer for Name<'_, '_> {
    type Ok = ();
    type Error = Unwritten;
    type SerializeSeq = Impossible<(), Unwritten>;
    type SerializeTuple = Impossible<(), Unwritten>;
    type SerializeTupleStruct = Impossible<(), Unwritten>;
    type SerializeTupleVariant = Impossible<(), Unwritten>;
    type SerializeMap = Impossible<(), Unwritten>;
    type SerializeStruct = Impossible<(), Unwritten>;
    type SerializeStructVariant = Impossible<(), Unwritten>;

    quoted! {
        serialize_i8 i8;
        serialize_i16 i16;
        serialize_i32 i32;
        serialize_i64 i64;
        serialize_i128 i128;
        serialize_u8 u8;
        serialize_u16 u16;
        serialize_u32 u32;
        serialize_u64 u64;
        serialize_u128 u128;
        serialize_bool bool;
    }

    fn serialize_char(self, value: char) -> Wrote {
        Writer(self.0).serialize_char(value)
    }

    fn serialize_str(self, value: &str) -> Wrote {
        Writer(self.0).serialize_str(value)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Wrote {
        Writer(self.0).serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Wrote {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Wrote {
        value.serialize(self)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Wrote {
        Writer(self.0).collect_str(value)
    }

    no_names! {
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Wrote {
        Err(Unwritten::Key)
    }

    fn serialize_seq(self, _: Option<usize>) -> Wrote<Self::SerializeSeq> {
        Err(Unwritten::Key)
    }

    fn serialize_tuple(self, _: usize) -> Wrote<Self::SerializeTuple> {
        Err(Unwritten::Key)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Wrote<Self::SerializeTupleStruct> {
        Err(Unwritten::Key)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Wrote<Self::SerializeTupleVariant> {
        Err(Unwritten::Key)
    }

    fn serialize_map(self, _: Option<usize>) -> Wrote<Self::SerializeMap> {
        Err(Unwritten::Key)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Wrote<Self::SerializeStruct> {
        Err(Unwritten::Key)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Wrote<Self::SerializeStructVariant> {
        Err(Unwritten::Key)
    }
}
