//! UTF-8 that comes in pieces: RFC 6455 section 8.1, RFC 3629.

/// A character that has begun but not ended: its bytes so far, three at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Utf8 {
    bytes: [u8; 3],
    length: u8,
}

/// The text is not UTF-8, from a byte on that is among those given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotUtf8;

impl Utf8 {
    /// Between two characters.
    pub(super) const NONE: Utf8 = Utf8 { bytes: [0; 3], length: 0 };

    /// Whether no character is incomplete.
    #[inline]
    pub(super) const fn is_whole(self) -> bool {
        self.length == 0
    }

    /// Takes the next bytes of the text. The first byte that cannot stand where it does is refused at once, not at its
    /// character's end.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Result<(), NotUtf8> {
        while self.length > 0 {
            let Some((&byte, rest)) = bytes.split_first() else { return Ok(()) };
            let ([a, b, c], length) = (self.bytes, usize::from(self.length));
            let mut character = [a, b, c, 0];
            if let Some(next) = character.get_mut(length) {
                *next = byte;
            }
            *self = Utf8::NONE;
            self.take_whole(character.get(..=length).unwrap_or_default())?;
            bytes = rest;
        }
        self.take_whole(bytes)
    }

    /// The same where no character is incomplete.
    fn take_whole(&mut self, bytes: &[u8]) -> Result<(), NotUtf8> {
        let Err(error) = core::str::from_utf8(bytes) else { return Ok(()) };
        if error.error_len().is_some() {
            return Err(NotUtf8);
        }
        // What is left could go on to be a character.
        for &byte in bytes.get(error.valid_up_to()..).unwrap_or_default() {
            let next = self.bytes.get_mut(usize::from(self.length)).ok_or(NotUtf8)?;
            *next = byte;
            self.length += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;

    /// How many bytes are taken one by one before one is refused, and whether the text may end there.
    fn taken(bytes: &[u8]) -> (usize, bool) {
        let mut utf8 = Utf8::NONE;
        for (index, byte) in bytes.iter().enumerate() {
            if utf8.take(&[*byte]).is_err() {
                return (index, false);
            }
        }
        (bytes.len(), utf8.is_whole())
    }

    #[test]
    fn the_state_takes_four_bytes() {
        assert_eq!(size_of::<Utf8>(), 4);
    }

    #[test]
    fn the_first_wrong_byte_is_refused() {
        for (bytes, wanted) in [
            (&b""[..], (0, true)),
            (b"a\x7f", (2, true)),
            ("\u{80}\u{7ff}".as_bytes(), (4, true)),
            ("\u{800}\u{d7ff}\u{e000}\u{ffff}".as_bytes(), (12, true)),
            ("\u{10000}\u{10ffff}".as_bytes(), (8, true)),
            // Incomplete.
            (b"\xc2", (1, false)),
            (b"\xe2\x82", (2, false)),
            (b"\xf0\x9f\x98", (3, false)),
            // No character begins so.
            (b"\x80", (0, false)),
            (b"\xc0\x80", (0, false)),
            (b"\xc1\xbf", (0, false)),
            (b"\xf5\x80\x80\x80", (0, false)),
            (b"\xff", (0, false)),
            // Too long for what they say, surrogates, beyond the last character: the second byte tells.
            (b"\xe0\x9f\xbf", (1, false)),
            (b"\xe0\xa0\x80", (3, true)),
            (b"\xed\xa0\x80", (1, false)),
            (b"\xed\x9f\xbf", (3, true)),
            (b"\xf0\x8f\xbf\xbf", (1, false)),
            (b"\xf0\x90\x80\x80", (4, true)),
            (b"\xf4\x90\x80\x80", (1, false)),
            (b"\xf4\x8f\xbf\xbf", (4, true)),
            // A character is cut short by the next.
            (b"\xe2\x82a", (2, false)),
            (b"\xf0\x9f\x98\xc2", (3, false)),
        ] {
            assert_eq!(taken(bytes), wanted, "{}", bytes.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn pieces_are_judged_as_the_whole(
            bytes in prop::collection::vec(prop_oneof![3 => 0x80..=0xbf_u8, 2 => 0xc0..=0xff_u8, 1 => any::<u8>()], 0..12),
            at in 0..12_usize
        ) {
            let whole = core::str::from_utf8(&bytes);
            let (front, back) = bytes.split_at(at.min(bytes.len()));
            let mut utf8 = Utf8::NONE;
            let told = utf8.take(front).and_then(|()| utf8.take(back));
            match whole {
                Ok(_) => prop_assert!(told.is_ok() && utf8.is_whole()),
                Err(error) if error.error_len().is_none() => prop_assert!(told.is_ok() && !utf8.is_whole()),
                Err(_) => prop_assert_eq!(told, Err(NotUtf8)),
            }
        }
    }
}
