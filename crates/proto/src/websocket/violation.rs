//! How a peer breaks the protocol: each violation knows the close code that says it (RFC 6455 section 7.4.1).

use super::CloseCode;
use crate::texts::{Texts, texts};

macro_rules! violations {
    ($(#[$first_doc:meta])* $first:ident = $first_code:ident, $first_reason:literal;
     $($(#[$doc:meta])* $name:ident = $code:ident, $reason:literal;)*) => {
        /// How the peer breaks the protocol, or a bound. It is final: who reads sends a close frame with this code,
        /// and ends the connection (RFC 6455 section 7.1.7).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        // From 1 on: where there is none, that is 0.
        pub enum Violation { $(#[$first_doc])* $first = 1, $($(#[$doc])* $name,)* }

        impl Violation {
            /// Every violation there is.
            pub const ALL: &'static [Violation] = &[Violation::$first, $(Violation::$name,)*];

            /// The close code that says it.
            pub const fn close_code(self) -> CloseCode {
                CODES[self as usize - 1]
            }

            /// What was wrong and what is allowed, for a person; short enough for a close frame.
            #[inline(never)]
            pub fn reason(self) -> &'static str {
                REASONS.nth(self as usize - 1)
            }
        }

        /// The codes, in the order of the enumeration.
        static CODES: [CloseCode; Violation::ALL.len()] = [CloseCode::$first_code, $(CloseCode::$code),*];
        /// The reasons, in the same order.
        static REASONS: Texts = texts!($first_reason, $($reason),*);
    };
}

violations! {
    /// A reserved bit is set though no extension gives it a meaning (RFC 6455 section 5.2).
    ReservedBit = PROTOCOL_ERROR, "no extension is in use: reserved bits must be 0";
    /// An opcode that no section defines (RFC 6455 section 5.2).
    UnknownOpcode = PROTOCOL_ERROR, "opcodes are 0 to 2 and 8 to 10";
    /// A control frame without FIN (RFC 6455 section 5.5).
    FragmentedControl = PROTOCOL_ERROR, "control frames must not be fragmented";
    /// A frame of a client's that is not masked (RFC 6455 section 5.1).
    NotMasked = PROTOCOL_ERROR, "frames of a client must be masked";
    /// A frame of a server's that is masked (RFC 6455 section 5.1).
    Masked = PROTOCOL_ERROR, "frames of a server must not be masked";
    /// A control frame with more than 125 bytes of payload (RFC 6455 section 5.5).
    ControlTooLong = PROTOCOL_ERROR, "control frames have 125 bytes at most";
    /// A length that a shorter form could say (RFC 6455 section 5.2).
    LengthNotMinimal = PROTOCOL_ERROR, "lengths must take their shortest form";
    /// A length of 64 bits with its highest bit set (RFC 6455 section 5.2).
    LengthTooLong = PROTOCOL_ERROR, "lengths have 63 bits at most";
    /// A continuation frame where no message has begun (RFC 6455 section 5.4).
    NothingToContinue = PROTOCOL_ERROR, "there is no message to continue";
    /// A new message inside another one (RFC 6455 section 5.4).
    MessageNotEnded = PROTOCOL_ERROR, "the message before this one has not ended";
    /// A close frame with one byte of payload: half a code (RFC 6455 section 5.5.1).
    HalfCloseCode = PROTOCOL_ERROR, "a close code has two bytes";
    /// A close code that must not be sent (RFC 6455 section 7.4).
    BadCloseCode = PROTOCOL_ERROR, "close codes are 1000 to 1003, 1007 to 1014, 3000 to 4999";
    /// A text message that is not UTF-8 (RFC 6455 section 8.1).
    NotText = NOT_TEXT, "text must be UTF-8";
    /// The reason of a close frame that is not UTF-8 (RFC 6455 section 5.5.1).
    ReasonNotText = NOT_TEXT, "a close reason must be UTF-8";
    /// A message above [`message_bytes_max`](super::MessageLimits::message_bytes_max) (RFC 6455 section 10.4).
    MessageTooLong = TOO_LONG, "the message is too long";
    /// A message of more fragments than [`fragments_max`](super::MessageLimits::fragments_max) (RFC 6455 section 10.4).
    TooManyFragments = POLICY, "the message has too many fragments";
    /// More control frames than [`controls_max`](super::MessageLimits::controls_max) within a period (RFC 6455 section
    /// 10.4).
    TooManyControls = POLICY, "too many control frames";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::close;

    #[test]
    fn every_reason_fits_a_close_frame() {
        for &violation in Violation::ALL {
            let reason = violation.reason();
            assert!(!reason.is_empty() && reason.len() <= close::REASON_BYTES_MAX, "{violation:?}: {reason}");
        }
        assert_eq!(Violation::ReservedBit.reason(), "no extension is in use: reserved bits must be 0");
        assert_eq!(Violation::TooManyControls.reason(), "too many control frames");
    }

    #[test]
    fn each_kind_has_its_code() {
        for (violation, code) in [
            (Violation::ReservedBit, 1002),
            (Violation::BadCloseCode, 1002),
            (Violation::NotText, 1007),
            (Violation::ReasonNotText, 1007),
            (Violation::MessageTooLong, 1009),
            (Violation::TooManyFragments, 1008),
            (Violation::TooManyControls, 1008),
        ] {
            assert_eq!(violation.close_code().code(), code, "{violation:?}");
        }
    }
}
