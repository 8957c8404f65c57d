//! Why a form is not taken.

use core::fmt;

use crate::status::StatusCode;

/// Why a form is not taken, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub fault: Fault,
    /// Which byte of the form, counted from 0.
    pub byte: u64,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (byte {})", self.fault.reason(), self.byte)
    }
}

impl core::error::Error for Refused {}

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $reason:literal;)*) => {
        /// Why a form is not taken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Fault {
            $($(#[$doc])* $name,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: &'static [Fault] = &[$(Fault::$name),*];

            /// What is wrong, for a person.
            pub const fn reason(self) -> &'static str {
                match self {
                    $(Fault::$name => $reason,)*
                }
            }

            /// The status of a response that says so.
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Fault::$name => StatusCode::$status,)*
                }
            }
        }
    };
}

faults! {
    /// The body has no delimiter.
    NoBoundary = BAD_REQUEST, "the form has not the boundary that its Content-Type names";
    /// The body ends inside the form.
    Cut = BAD_REQUEST, "the form ends without its last boundary";
    /// A boundary is followed by something else than blanks and CR LF, or `--`.
    BadDelimiter = BAD_REQUEST, "behind a form's boundary its line must end, or -- stand";
    /// A line of a part's head is no field, or does not end with CR LF.
    BadField = BAD_REQUEST, "the head of a form's part is not made of fields";
    /// A part has no Content-Disposition.
    NoDisposition = BAD_REQUEST, "a form's part has no Content-Disposition";
    /// A Content-Disposition is not `form-data`, or a parameter of it is broken.
    BadDisposition = BAD_REQUEST, "the Content-Disposition of a form's part is broken";
    /// A Content-Disposition has no name.
    NoName = BAD_REQUEST, "a form's part has no name";
    /// A field or a parameter that may stand once stands twice.
    Twice = BAD_REQUEST, "a form's part says something twice";
    /// A name, a filename or a type is not UTF-8.
    NotText = BAD_REQUEST, "a name in a form is not UTF-8";
    /// A part's content is encoded: RFC 7578 section 4.7.
    Encoded = BAD_REQUEST, "send the parts of a form without a Content-Transfer-Encoding";
    /// A name or a filename is above its bound.
    NameTooLong = CONTENT_TOO_LARGE, "a name in a form is too long";
    /// The head of a part is above its bound.
    HeadTooLong = CONTENT_TOO_LARGE, "the head of a form's part is too long";
    /// There are more parts than the bound.
    TooManyParts = CONTENT_TOO_LARGE, "a form has too many parts";
    /// The content of a part is above its bound.
    PartTooLarge = CONTENT_TOO_LARGE, "a form's part is too large";
}
