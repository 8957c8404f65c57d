//! Secrets, and what is compared so that its time tells nothing.

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// Bytes of an HMAC, and of a hash, by SHA-256.
pub(crate) const TAG_BYTES: usize = 32;

/// A secret that signs cookies and the nonces of Digest, by HMAC-SHA-256 (RFC 2104).
///
/// It is random, of 32 to 64 bytes, and nobody else has it: take it from the system's random numbers, or from the board's, and not from
/// a passphrase. One that cookies are to outlive a restart with is stored; one for [`Digest`](crate::Digest) is made anew at each start.
/// Its `Debug` shows nothing of it.
///
/// # Examples
/// ```
/// use tenure_login::{Key, KeyError};
///
/// let random = [7; 32]; // as an example
/// let key = Key::new(&random)?;
/// assert_eq!(Key::new(b"secret").unwrap_err(), KeyError::TooShort);
/// # let _ = key;
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Clone)]
pub struct Key {
    bytes: [u8; Key::BYTES_MAX],
    length: usize,
}

/// A secret is no [`Key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// It has fewer than [`Key::BYTES_MIN`] bytes.
    TooShort,
    /// It has more than [`Key::BYTES_MAX`] bytes.
    TooLong,
}

impl Key {
    /// Bytes of a secret at the least: as many as its signatures have (RFC 2104 section 3).
    pub const BYTES_MIN: usize = 32;
    /// And at the most: a block of SHA-256.
    pub const BYTES_MAX: usize = 64;

    /// The key of that secret.
    ///
    /// # Errors
    /// It has fewer bytes than 32, or more than 64.
    pub const fn new(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < Key::BYTES_MIN {
            return Err(KeyError::TooShort);
        }
        if secret.len() > Key::BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        let mut bytes = [0; Key::BYTES_MAX];
        bytes.split_at_mut(secret.len()).0.copy_from_slice(secret);
        Ok(Key { bytes, length: secret.len() })
    }

    /// The key of 32 random bytes, as they come from `getrandom::fill` on a host, or from the random numbers of a board.
    pub const fn of(secret: [u8; Key::BYTES_MIN]) -> Self {
        match Key::new(&secret) {
            Ok(key) => key,
            Err(_) => panic!("32 bytes are enough"),
        }
    }

    /// The signature of these parts, one behind the other. What has several of no fixed length tells their lengths.
    pub(crate) fn sign(&self, parts: &[&[u8]]) -> [u8; TAG_BYTES] {
        let secret = self.bytes.get(..self.length).unwrap_or_default();
        let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(secret) else {
            unreachable!("HMAC takes keys of any length")
        };
        for part in parts {
            hmac.update(part);
        }
        hmac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyError::TooShort => "the secret has fewer than 32 bytes: make one of 32 random bytes",
            KeyError::TooLong => "the secret has more than 64 bytes: make one of 32 random bytes",
        })
    }
}

impl core::error::Error for KeyError {}

/// The SHA-256 of these parts, one behind the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; TAG_BYTES] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// Whether two secrets are the same, in a time that tells nothing but the length of the one that was given: both are hashed by SHA-256, and
/// all bytes of the hashes are compared.
///
/// # Examples
/// ```
/// use tenure_login::is_same;
///
/// assert!(is_same("6d9f", "6d9f"));
/// assert!(!is_same("6d9", "6d9f"));
/// ```
#[must_use]
pub fn is_same(given: impl AsRef<[u8]>, wanted: impl AsRef<[u8]>) -> bool {
    is_same_tag(&sha256(&[given.as_ref()]), &sha256(&[wanted.as_ref()]))
}

/// Whether two signatures or hashes are the same, in a time that does not depend on them.
pub(crate) fn is_same_tag(given: &[u8; TAG_BYTES], wanted: &[u8; TAG_BYTES]) -> bool {
    given.ct_eq(wanted).into()
}

/// Writes bytes as hexadecimal digits in lower case.
pub(crate) fn hex<const N: usize>(bytes: &[u8; TAG_BYTES]) -> [u8; N] {
    const { assert!(N == 2 * TAG_BYTES) };
    let mut digits = [0; N];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        for (digit, value) in pair.iter_mut().zip([byte >> 4, byte & 0xf]) {
            *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
        }
    }
    digits
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_secret_has_32_to_64_bytes() {
        assert_eq!(Key::of([1; 32]).sign(&[]), Key::new(&[1; 32]).unwrap().sign(&[]));
        for (bytes, wanted) in [
            (0, Some(KeyError::TooShort)),
            (31, Some(KeyError::TooShort)),
            (32, None),
            (33, None),
            (64, None),
            (65, Some(KeyError::TooLong)),
        ] {
            assert_eq!(Key::new(&[1; 65][..bytes]).err(), wanted, "{bytes}");
        }
        assert!(KeyError::TooShort.to_string().contains("32 random bytes"));
        assert!(!std::format!("{:?}", Key::new(&[7; 32])).contains('7'));
    }

    /// RFC 4231 has keys of 20, 4, 25 and 131 bytes; this one, of 64, is of its section 4.4, which is padded with zeros to a block.
    #[test]
    fn a_signature_is_hmac_sha_256() {
        let mut secret = [0; 64];
        secret[..20].copy_from_slice(&[0xaa; 20]);
        let tag = Key::new(&secret).unwrap().sign(&[&[0xdd; 20], &[0xdd; 30]]);
        let digits: [u8; 64] = hex(&tag);
        let wanted = b"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe";
        assert_eq!(digits, *wanted);
    }

    #[test]
    fn only_the_same_is_the_same() {
        for (given, wanted, same) in
            [("", "", true), ("a", "a", true), ("a", "", false), ("", "a", false), ("a", "b", false), ("a", "A", false)]
        {
            assert_eq!(is_same(given, wanted), same, "{given:?} {wanted:?}");
        }
    }
}
