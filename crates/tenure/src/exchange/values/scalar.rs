//! One text as a value: numbers, `bool`, text, an enum's name.

use crate::exchange::values::mismatch::Mismatch;

/// A whole number, whichever type it is wanted as.
#[derive(Clone, Copy)]
pub(crate) struct Integer {
    pub(crate) negative: bool,
    pub(crate) magnitude: u64,
}

impl Integer {
    /// The number that a text is: a sign and digits.
    fn of(text: &str) -> Option<Self> {
        let (negative, digits) = match text.as_bytes() {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] => (false, digits),
            digits => (false, digits),
        };
        Some(Integer { negative, magnitude: tenure_proto::bytes::number(digits)? })
    }

    /// Whether it is from `least` to `greatest`.
    pub(crate) fn is_within(self, least: i64, greatest: u64) -> bool {
        if self.negative { self.magnitude <= least.unsigned_abs() } else { self.magnitude <= greatest }
    }

    /// As two's complement.
    pub(crate) fn value(self) -> i64 {
        let magnitude = self.magnitude.cast_signed();
        if self.negative { magnitude.wrapping_neg() } else { magnitude }
    }
}

/// What a number within these bounds is wanted for, but is not: that text.
#[cold]
pub(crate) fn out_of_range(text: &str, least: i64, greatest: u64) -> Mismatch {
    let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Mismatch::told(format_args!("a whole number from {least} to {greatest} is wanted"));
    }
    // A number of a thousand digits says no more than its size.
    let text = if text.len() > 24 { "the number" } else { text };
    if sign == "-" {
        Mismatch::told(format_args!("{text} is below {least}"))
    } else {
        Mismatch::told(format_args!("{text} is above {greatest}"))
    }
}

/// The number that a text is.
pub(crate) fn integer(text: &str, least: i64, greatest: u64) -> Result<Integer, Mismatch> {
    match Integer::of(text) {
        Some(integer) if integer.is_within(least, greatest) => Ok(integer),
        _ => Err(out_of_range(text, least, greatest)),
    }
}

pub(crate) fn float<F: core::str::FromStr>(text: &str, is_finite: impl FnOnce(&F) -> bool) -> Result<F, Mismatch> {
    text.parse().ok().filter(is_finite).ok_or(Mismatch::Broken("a number such as 4.2 is wanted"))
}

/// `on` is what a browser sends of a ticked box.
pub(crate) fn boolean(text: &str) -> Result<bool, Mismatch> {
    match text {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        _ => Err(Mismatch::Broken("true or false is wanted")),
    }
}

/// `$then! { $before … }` with a method, its visitor's, the type and its least value for each kind of integer.
macro_rules! for_integers {
    ($then:ident $($before:tt)*) => {
        $then! { $($before)*
            deserialize_i8 visit_i8 i8: i8::MIN.into();
            deserialize_i16 visit_i16 i16: i16::MIN.into();
            deserialize_i32 visit_i32 i32: i32::MIN.into();
            deserialize_i64 visit_i64 i64: i64::MIN;
            deserialize_u8 visit_u8 u8: 0;
            deserialize_u16 visit_u16 u16: 0;
            deserialize_u32 visit_u32 u32: 0;
            deserialize_u64 visit_u64 u64: 0;
        }
    };
}
pub(crate) use for_integers;

/// The methods of a deserializer whose value is one text: `$with(self, |text| …)` has it.
macro_rules! scalars {
    ($de:lifetime) => {
        $crate::exchange::values::scalar::for_integers! { scalars $de }
    };
    ($de:lifetime $($method:ident $visit:ident $type:ty: $least:expr;)*) => {
        $(fn $method<V: Visitor<$de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            #[allow(clippy::cast_lossless, clippy::cast_sign_loss, reason = "what is within the bounds comes back as it was")]
            let read = self.with_text(|text| scalar::integer(text, $least, <$type>::MAX as u64))?.value() as $type;
            visitor.$visit(read)
        })*

        fn deserialize_f32<V: Visitor<$de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            visitor.visit_f32(self.with_text(|text| scalar::float(text, |float: &f32| float.is_finite()))?)
        }

        fn deserialize_f64<V: Visitor<$de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            visitor.visit_f64(self.with_text(|text| scalar::float(text, |float: &f64| float.is_finite()))?)
        }

        fn deserialize_bool<V: Visitor<$de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            visitor.visit_bool(self.with_text(scalar::boolean)?)
        }

        fn deserialize_enum<V: Visitor<$de>>(
            self,
            _: &'static str,
            _: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Mismatch> {
            self.with_text(|text| visitor.visit_enum(de::value::StrDeserializer::new(text)))
        }

        fn deserialize_newtype_struct<V: Visitor<$de>>(
            self,
            _: &'static str,
            visitor: V,
        ) -> Result<V::Value, Mismatch> {
            visitor.visit_newtype_struct(self)
        }
    };
}
pub(crate) use scalars;
