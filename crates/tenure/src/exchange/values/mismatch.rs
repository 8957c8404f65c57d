//! Why what a client has sent is not the value that is wanted, and where: for a person who has to mend it.

use core::fmt::{self, Display, Write};

use serde_core::de::{self, Expected, Unexpected};

use crate::{Error, exchange::reasons::Reasons};

/// Bytes of what a visitor says, and of the name of a place, at the most. The rest is cut off.
const TOLD_BYTES_MAX: usize = 112;
const TRAIL_BYTES_MAX: usize = 64;
/// What is wrong with a value, for a person. With the byte it fits the line of an error.
pub(crate) type Reason = Text<172>;
/// Stands where text was cut off.
const CUT: char = '\u{2026}';

/// What is wrong with a value. Serde's visitors make it, too: they do not know where it stands, so the reader adds that.
#[derive(Debug)]
pub(crate) enum Mismatch {
    /// The text has a fault that has nothing to do with what is wanted.
    Broken(&'static str),
    /// A field of that name is missing.
    Missing(&'static str),
    /// A field stands twice: that of the name, or the one at hand.
    Twice(Option<&'static str>),
    /// There is no such field. These there are.
    UnknownField(&'static [&'static str]),
    /// It is none of these.
    UnknownVariant(&'static [&'static str]),
    /// A text that was sent encoded is to be borrowed, and cannot be.
    Encoded,
    /// Anything else.
    Told(Text<TOLD_BYTES_MAX>),
}

impl Mismatch {
    /// Another fault, in words.
    #[cold]
    pub(crate) fn told(what: fmt::Arguments<'_>) -> Self {
        Mismatch::Told(Text::of(what))
    }

    /// What a visitor says of a text that had to be decoded elsewhere. That it cannot be borrowed is no fault of who sent it.
    #[cold]
    pub(crate) fn of_decoded(self) -> Self {
        match self {
            Mismatch::Told(text) if text.as_str().starts_with("a borrowed string") => Mismatch::Encoded,
            fault => fault,
        }
    }
}

impl Mismatch {
    /// The error without what is made at run time.
    fn error(&self) -> Error {
        match self {
            // The program cannot hold what clients may send: it is logged.
            Mismatch::Encoded => {
                Error::internal("a text came percent-encoded, which a &str cannot hold: take a String")
            }
            Mismatch::Broken(reason) => Error::bad_request(reason),
            Mismatch::Missing(_) => Error::bad_request("a field is missing"),
            Mismatch::Twice(_) => Error::bad_request("a field stands twice"),
            Mismatch::UnknownField(_) => Error::bad_request("a field is unknown"),
            Mismatch::UnknownVariant(_) | Mismatch::Told(_) => {
                Error::bad_request("a value is not of the kind that is wanted here")
            }
        }
    }
}

impl core::error::Error for Mismatch {}

impl Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::Broken(reason) => f.write_str(reason),
            Mismatch::Missing(_) => f.write_str("is missing"),
            Mismatch::Twice(_) => f.write_str("stands twice"),
            Mismatch::UnknownField([]) => f.write_str("is unknown"),
            Mismatch::UnknownField(names) => write!(f, "is unknown: there are {}", List(names)),
            Mismatch::UnknownVariant([]) => f.write_str("is unknown"),
            Mismatch::UnknownVariant(names) => write!(f, "one of {} is wanted", List(names)),
            Mismatch::Encoded => f.write_str("came percent-encoded, which a &str cannot hold: take a String"),
            Mismatch::Told(text) => f.write_str(text.as_str()),
        }
    }
}

/// Names, in quotes.
struct List(&'static [&'static str]);

impl Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            write!(f, "{}\"{name}\"", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl de::Error for Mismatch {
    fn custom<T: Display>(message: T) -> Self {
        Mismatch::told(format_args!("{message}"))
    }

    fn invalid_type(_: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Mismatch::told(format_args!("{wanted} is wanted"))
    }

    fn invalid_value(value: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Mismatch::told(format_args!("{wanted} is wanted, not {value}"))
    }

    fn invalid_length(length: usize, wanted: &dyn Expected) -> Self {
        Mismatch::told(format_args!("its length of {length} does not fit: {wanted} is wanted"))
    }

    fn unknown_variant(_: &str, names: &'static [&'static str]) -> Self {
        Mismatch::UnknownVariant(names)
    }

    fn unknown_field(_: &str, names: &'static [&'static str]) -> Self {
        Mismatch::UnknownField(names)
    }

    fn missing_field(name: &'static str) -> Self {
        Mismatch::Missing(name)
    }

    fn duplicate_field(name: &'static str) -> Self {
        Mismatch::Twice(Some(name))
    }
}

/// The way from the whole to the value that is wrong, as in `wifi.pins[2]`; put together from its end.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    text: Text<TRAIL_BYTES_MAX>,
    is_cut: bool,
}

impl Trail {
    /// What has been found so far is a field of that name.
    #[cold]
    pub(crate) fn within_field(&mut self, name: impl Display) {
        let inner = self.text.as_str();
        let dot = if inner.is_empty() || inner.starts_with('[') { "" } else { "." };
        self.within(format_args!("{name}{dot}"));
    }

    /// What has been found so far is that element of a list.
    #[cfg(feature = "json")]
    #[cold]
    pub(crate) fn within_element(&mut self, index: usize) {
        let dot = if self.text.as_str().is_empty() || self.text.as_str().starts_with('[') { "" } else { "." };
        self.within(format_args!("[{index}]{dot}"));
    }

    /// The innermost names say the most: those in front are left out where there are too many.
    fn within(&mut self, outer: fmt::Arguments<'_>) {
        if self.is_cut {
            return;
        }
        let mut whole = Text::of(outer);
        let _ = whole.write_str(self.text.as_str());
        if whole.is_cut && !self.text.as_str().is_empty() {
            whole = Text::of(format_args!("{CUT}{}", self.text.as_str()));
        }
        self.is_cut = whole.is_cut || whole.as_str().starts_with(CUT);
        self.text = whole;
    }
}

/// Where a value that is wrong stands.
#[derive(Debug, Default)]
pub(crate) struct Place {
    pub(crate) trail: Trail,
    /// Which byte.
    pub(crate) byte: Option<u32>,
    /// It is known: what stands around it is not looked at.
    pub(crate) is_found: bool,
}

impl Place {
    /// The fault of what begins at that byte, unless it is of something within.
    #[cold]
    pub(crate) fn found(&mut self, fault: &Mismatch, byte: Option<usize>) {
        if self.is_found {
            return;
        }
        self.is_found = true;
        self.byte = byte.and_then(|byte| u32::try_from(byte).ok());
        if let Mismatch::Missing(name) | Mismatch::Twice(Some(name)) = fault {
            self.trail.within_field(name);
        }
    }

    /// The error of a value that was not in a request.
    #[cfg(feature = "json")]
    #[cold]
    pub(crate) fn error(&self, fault: &Mismatch) -> Error {
        self.at_byte(fault.error().because(self.text(fault).as_str()))
    }

    /// The error to answer, whose reason `reasons` keeps.
    #[cold]
    pub(crate) fn error_of_request(&self, fault: &Mismatch, reasons: &Reasons) -> Error {
        self.at_byte(reasons.error(fault.error(), &self.text(fault), self.byte))
    }

    fn at_byte(&self, error: Error) -> Error {
        match self.byte {
            Some(byte) => error.at_byte(byte),
            None => error,
        }
    }

    /// What is wrong, and of which field.
    pub(crate) fn text(&self, fault: &Mismatch) -> Reason {
        let mut text = Text::default();
        let trail = self.trail.text.as_str();
        let _ = match fault {
            _ if trail.is_empty() => write!(text, "{fault}"),
            Mismatch::Broken(_) | Mismatch::UnknownVariant(_) | Mismatch::Told(_) => {
                write!(text, "\"{trail}\": {fault}")
            }
            _ => write!(text, "\"{trail}\" {fault}"),
        };
        text
    }
}

/// Text of that many bytes at the most: what does not fit is cut off, and controls are replaced.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text<const BYTES: usize> {
    text: heapless::String<BYTES, u8>,
    is_cut: bool,
}

impl<const BYTES: usize> Text<BYTES> {
    fn of(what: fmt::Arguments<'_>) -> Self {
        let mut text = Text::default();
        let _ = text.write_fmt(what);
        text
    }

    pub(crate) fn as_str(&self) -> &str {
        self.text.as_str()
    }
}

impl<const BYTES: usize> Write for Text<BYTES> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let character = if character.is_control() { '\u{fffd}' } else { character };
            if self.is_cut || self.text.len() + character.len_utf8() + CUT.len_utf8() > BYTES {
                if !self.is_cut {
                    let _ = self.text.push(CUT);
                }
                self.is_cut = true;
                return Err(fmt::Error);
            }
            let _ = self.text.push(character);
        }
        Ok(())
    }
}
