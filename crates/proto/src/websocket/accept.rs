//! What a handshake's key is answered with: RFC 6455 section 4.2.2, SHA-1 (FIPS 180-4) and base64 (RFC 4648 section 4).
//!
//! It proves that the server speaks the protocol and secures nothing, so that SHA-1 is broken does not matter here.

/// Bytes of a key: 16 bytes in base64.
pub(super) const KEY_BYTES: usize = 24;
/// Bytes of the answer: 20 bytes in base64.
pub(super) const ACCEPT_BYTES: usize = 28;

const GUID: &[u8; 36] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The value of Sec-WebSocket-Accept for a key.
pub(super) fn accept(key: &[u8; KEY_BYTES]) -> [u8; ACCEPT_BYTES] {
    // Key and GUID have 60 bytes: with what ends them they are two blocks, of which the second has their length in bits
    // only.
    let mut block = [0; 64];
    let text = key.iter().chain(GUID).chain(&[0x80]);
    for (to, from) in block.iter_mut().zip(text) {
        *to = *from;
    }
    let mut state = START;
    compress(&mut state, &block);
    block = [0; 64];
    [block[62], block[63]] = ((KEY_BYTES + GUID.len()) as u16 * 8).to_be_bytes();
    compress(&mut state, &block);
    let mut bytes = [0; ACCEPT_BYTES / 4 * 3];
    for (to, part) in bytes.chunks_exact_mut(4).zip(state) {
        to.copy_from_slice(&part.to_be_bytes());
    }
    let mut text = [0; ACCEPT_BYTES];
    base64(&bytes, &mut text);
    text[ACCEPT_BYTES - 1] = b'=';
    text
}

/// The key of 16 bytes.
pub(super) fn key(random: [u8; 16]) -> [u8; KEY_BYTES] {
    let mut bytes = [0; KEY_BYTES / 4 * 3];
    bytes[..random.len()].copy_from_slice(&random);
    let mut text = [0; KEY_BYTES];
    base64(&bytes, &mut text);
    text[KEY_BYTES - 2..].fill(b'=');
    text
}

/// Whether these are the digits of 16 bytes in base64. The four bits that are left over may be anything, as elsewhere.
pub(super) fn is_key(text: &[u8; KEY_BYTES]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.strip_suffix(b"==").is_some_and(|digits| digits.iter().all(is_digit))
}

const START: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// Takes one block in: FIPS 180-4 section 6.1.3, which needs 16 words of the schedule at a time.
#[allow(clippy::many_single_char_names, reason = "the standard's names")]
fn compress(state: &mut [u32; 5], block: &[u8; 64]) {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    for round in 0..80_usize {
        let (mix, constant) = match round {
            0..20 => (b & c | !b & d, 0x5a82_7999),
            20..40 => (b ^ c ^ d, 0x6ed9_eba1),
            40..60 => (b & c | b & d | c & d, 0x8f1b_bcdc_u32),
            _ => (b ^ c ^ d, 0xca62_c1d6),
        };
        let word = words[round & 15];
        let next = a.rotate_left(5).wrapping_add(mix).wrapping_add(e).wrapping_add(constant).wrapping_add(word);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        let [third, eighth, fourteenth] = [round + 13, round + 8, round + 2].map(|at| words[at & 15]);
        words[round & 15] = (third ^ eighth ^ fourteenth ^ word).rotate_left(1);
    }
    for (sum, part) in state.iter_mut().zip([a, b, c, d, e]) {
        *sum = sum.wrapping_add(part);
    }
}

/// Whole groups of three bytes in base64. Those that only fill the last group up make digits that stand for `=`.
fn base64(bytes: &[u8], text: &mut [u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (to, &[first, second, third]) in text.as_chunks_mut::<4>().0.iter_mut().zip(bytes.as_chunks().0) {
        let bits = u32::from_be_bytes([0, first, second, third]);
        *to = [18, 12, 6, 0].map(|shift| DIGITS[(bits >> shift & 63) as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest of a message that takes one block.
    fn digest(message: &[u8]) -> [u32; 5] {
        let mut block = [0; 64];
        block[..message.len()].copy_from_slice(message);
        block[message.len()] = 0x80;
        block[56..].copy_from_slice(&(message.len() as u64 * 8).to_be_bytes());
        let mut state = START;
        compress(&mut state, &block);
        state
    }

    #[test]
    fn digests_of_known_messages() {
        for (message, wanted) in [
            (&b""[..], [0xda39_a3ee, 0x5e6b_4b0d, 0x3255_bfef, 0x9560_1890, 0xafd8_0709]),
            (b"abc", [0xa999_3e36, 0x4706_816a, 0xba3e_2571, 0x7850_c26c, 0x9cd0_d89d]),
        ] {
            assert_eq!(digest(message), wanted, "{}", message.escape_ascii());
        }
    }

    #[test]
    fn keys_are_answered() {
        // RFC 6455 section 1.3, then what Python's hashlib and base64 make of other keys.
        for (key, wanted) in [
            (b"dGhlIHNhbXBsZSBub25jZQ==", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            (b"AAAAAAAAAAAAAAAAAAAAAA==", b"ICX+Yqv66kxgM0FcWaLWlFLwTAI="),
            (b"/////////////////////w==", b"XXpj4jYzLM2yUE0C7TIgMwTQh2g="),
            (b"AAECAwQFBgcICQoLDA0ODw==", b"Bz3qJYTGdOe8gUSpLosEdiLKDrk="),
        ] {
            assert_eq!(&accept(key), wanted, "{}", key.escape_ascii());
        }
    }

    #[test]
    fn keys_are_16_bytes_in_base64() {
        // RFC 6455 section 4.1, then what Python's base64 makes of other bytes.
        let counted = core::array::from_fn(|index| index as u8 + 1);
        for (random, wanted) in [
            (counted, b"AQIDBAUGBwgJCgsMDQ4PEA=="),
            (*b"the sample nonce", b"dGhlIHNhbXBsZSBub25jZQ=="),
            ([0; 16], b"AAAAAAAAAAAAAAAAAAAAAA=="),
            ([255; 16], b"/////////////////////w=="),
        ] {
            assert_eq!(&key(random), wanted, "{random:?}");
            assert!(is_key(wanted), "{random:?}");
        }
    }

    #[test]
    fn a_key_is_of_16_bytes() {
        for (key, wanted) in [
            (b"dGhlIHNhbXBsZSBub25jZQ==", true),
            (b"++++++++++//////////zz==", true),
            (b"dGhlIHNhbXBsZSBub25jZQA=", false),
            (b"dGhlIHNhbXBsZSBub25jZQAA", false),
            (b"dGhlIHNhbXBsZSBub25jZ===", false),
            (b"dGhl-HNhbXBsZSBub25jZQ==", false),
            (b"dGhl HNhbXBsZSBub25jZQ==", false),
        ] {
            assert_eq!(is_key(key), wanted, "{}", key.escape_ascii());
        }
    }
}
