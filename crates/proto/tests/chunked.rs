//! The chunked coding: RFC 9112 section 7.1.

use proptest::prelude::*;
use tenure_proto::{
    chunked::{CHUNK_EXTENSION_BYTES_MAX, CHUNK_SIZE_DIGITS_MAX, Chunk, ChunkedDecoder, TRAILER_BYTES_MAX},
    refusal::Refusal,
};

/// What became of a body, all of it.
#[derive(Debug, PartialEq, Eq)]
struct Decoded {
    data: Vec<u8>,
    /// Bytes up to the body's end, `None` where it has not ended.
    bytes: Option<usize>,
    refusal: Option<Refusal>,
}

/// Feeds the pieces one after the other, each until it has been used up.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = ChunkedDecoder::new();
    let mut found = Decoded { data: Vec::new(), bytes: None, refusal: None };
    let mut offset = 0;
    for piece in pieces {
        let mut rest = piece;
        loop {
            match decoder.decode(rest) {
                Ok(Chunk::Data { skip, length }) => {
                    assert_ne!(length, 0, "data has at least one byte");
                    found.data.extend_from_slice(&rest[skip..skip + length]);
                    rest = &rest[skip + length..];
                    offset += skip + length;
                }
                Ok(Chunk::Partial) => {
                    assert!(!decoder.is_ended());
                    offset += rest.len();
                    break;
                }
                Ok(Chunk::End { skip }) => {
                    assert!(decoder.is_ended());
                    assert_eq!(decoder.decode(b"7\r\n"), Ok(Chunk::End { skip: 0 }), "the end stays the end");
                    found.bytes = Some(offset + skip);
                    return found;
                }
                Err(refusal) => {
                    assert_eq!(decoder.decode(b"0\r\n\r\n"), Err(refusal), "a refusal is final");
                    found.refusal = Some(refusal);
                    return found;
                }
            }
        }
    }
    found
}

/// Decodes whole, byte by byte and at every split; all must agree.
fn decode_split(bytes: &[u8]) -> Decoded {
    let whole = decode([bytes]);
    assert_eq!(decode(bytes.chunks(1)), whole, "byte by byte: {:?}", bytes.escape_ascii().to_string());
    for at in 0..=bytes.len() {
        let (front, back) = bytes.split_at(at);
        assert_eq!(decode([front, back]), whole, "split at {at}: {:?}", bytes.escape_ascii().to_string());
    }
    whole
}

fn accepted(bytes: &[u8], data: &[u8]) {
    let wanted = Decoded { data: data.to_vec(), bytes: Some(bytes.len()), refusal: None };
    assert_eq!(decode_split(bytes), wanted, "{:?}", bytes.escape_ascii().to_string());
}

fn refused(bytes: &[u8], refusal: Refusal) {
    let decoded = decode_split(bytes);
    assert_eq!(decoded.refusal, Some(refusal), "{:?}", bytes.escape_ascii().to_string());
    // The last byte is the one that cannot stand there: what is in front of it is refused for nothing.
    let front = decode([&bytes[..bytes.len() - 1]]);
    assert_eq!(front.refusal, None, "{:?} is refused too soon", bytes.escape_ascii().to_string());
}

#[test]
fn the_decoder_is_small_and_plain() {
    fn plain<T: Copy + Send + Sync>() {}
    plain::<ChunkedDecoder>();
    assert!(size_of::<ChunkedDecoder>() <= 24);
    assert_eq!(ChunkedDecoder::default(), ChunkedDecoder::new());
}

#[test]
fn bodies_are_taken() {
    for (bytes, data) in [
        (&b"0\r\n\r\n"[..], &b""[..]),
        (b"000\r\n\r\n", b""),
        (b"1\r\na\r\n0\r\n\r\n", b"a"),
        (b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc"),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"0a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        // Data may look like framing.
        (b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n"),
        // A size of zero digits ends the body, with or without extensions.
        (b"0;a\r\n\r\n", b""),
        (b"00000000000000000\r\n\r\n", b""),
        (b"1;a\r\nb\r\n0\r\n\r\n", b"b"),
        (b"1;a;b=c;d=\"e\"\r\nb\r\n0\r\n\r\n", b"b"),
        (b"1 ;a\r\nb\r\n0\r\n\r\n", b"b"),
        (b"1 \t ; a = b ; c = \"d\" ;e\r\nb\r\n0\r\n\r\n", b"b"),
        (b"1;a=\"\"\r\nb\r\n0\r\n\r\n", b"b"),
        (b"1;a=\";=\\\" \\\\\t\xff\"\r\nb\r\n0\r\n\r\n", b"b"),
        (b"0\r\na: b\r\n\r\n", b""),
        (b"0\r\na:\r\nB-c:d \t e\xff\r\n\r\n", b""),
    ] {
        accepted(bytes, data);
    }
}

#[test]
fn each_refusal_stands_beside_its_nearest_acceptance() {
    use Refusal::{BadChunkEnd, BadChunkExtension, BadChunkSize, BadTrailer};
    for (taken, bad, refusal) in [
        (&b"1\r\na\r\n0\r\n\r\n"[..], &b"\r"[..], BadChunkSize),
        (b"1\r\na\r\n0\r\n\r\n", b"\n", BadChunkSize),
        (b"1\r\na\r\n0\r\n\r\n", b" ", BadChunkSize),
        (b"1\r\na\r\n0\r\n\r\n", b"+", BadChunkSize),
        (b"1\r\na\r\n0\r\n\r\n", b"-", BadChunkSize),
        (b"1\r\na\r\n0\r\n\r\n", b"0x", BadChunkSize),
        (b"f\r\n0123456789abcde\r\n0\r\n\r\n", b"g", BadChunkSize),
        (b"1\r\na\r\n0\r\n\r\n", b"1_", BadChunkSize),
        (b"1\r\na\r\n0\r\n\r\n", b"1,", BadChunkSize),
        (b"1\r\na\r\n0\r\n\r\n", b"1\n", BadChunkEnd),
        (b"1\r\na\r\n0\r\n\r\n", b"1\ra", BadChunkEnd),
        (b"1\r\na\r\n0\r\n\r\n", b"1\r\r", BadChunkEnd),
        (b"1\r\na\r\n0\r\n\r\n", b"1\r\na\n", BadChunkEnd),
        (b"1\r\na\r\n0\r\n\r\n", b"1\r\nab", BadChunkEnd),
        (b"1\r\na\r\n0\r\n\r\n", b"1\r\na\r0", BadChunkEnd),
        (b"1\r\na\r\n0\r\n\r\n", b"1\r\na0", BadChunkEnd),
        (b"1 ;a\r\na\r\n0\r\n\r\n", b"1 \r", BadChunkSize),
        (b"1 ;a\r\na\r\n0\r\n\r\n", b"1\t\n", BadChunkSize),
        (b"1 ;a\r\na\r\n0\r\n\r\n", b"1 1", BadChunkSize),
        (b"1;a\r\na\r\n0\r\n\r\n", b"1;\r", BadChunkExtension),
        (b"1;a\r\na\r\n0\r\n\r\n", b"1;=", BadChunkExtension),
        (b"1;a\r\na\r\n0\r\n\r\n", b"1;a \r", BadChunkExtension),
        (b"1;a\r\na\r\n0\r\n\r\n", b"1;a\n", BadChunkEnd),
        (b"1;a\r\na\r\n0\r\n\r\n", b"1;a\rb", BadChunkEnd),
        (b"1;a\r\na\r\n0\r\n\r\n", b"1;a\0", BadChunkExtension),
        (b"1;a\r\na\r\n0\r\n\r\n", b"1;a\x7f", BadChunkExtension),
        (b"1;a\r\na\r\n0\r\n\r\n", b"1;a\xff", BadChunkExtension),
        (b"1;a;b\r\na\r\n0\r\n\r\n", b"1;a b", BadChunkExtension),
        (b"1;a=b\r\na\r\n0\r\n\r\n", b"1;a=\r", BadChunkExtension),
        (b"1;a=b\r\na\r\n0\r\n\r\n", b"1;a=;", BadChunkExtension),
        (b"1;a=b\r\na\r\n0\r\n\r\n", b"1;a=b=", BadChunkExtension),
        (b"1;a=b\r\na\r\n0\r\n\r\n", b"1;a=b\n", BadChunkEnd),
        (b"1;a=\"b\"\r\na\r\n0\r\n\r\n", b"1;a=\"b\r", BadChunkExtension),
        (b"1;a=\"b\"\r\na\r\n0\r\n\r\n", b"1;a=\"b\n", BadChunkExtension),
        (b"1;a=\"b\"\r\na\r\n0\r\n\r\n", b"1;a=\"b\\\r", BadChunkExtension),
        (b"1;a=\"b\"\r\na\r\n0\r\n\r\n", b"1;a=\"b\\\n", BadChunkExtension),
        (b"1;a=\"b\"\r\na\r\n0\r\n\r\n", b"1;a=\"b\"c", BadChunkExtension),
        (b"1;a=\"b\"\r\na\r\n0\r\n\r\n", b"1;a=\"b\"\n", BadChunkEnd),
        (b"0\r\n\r\n", b"0\n", BadChunkEnd),
        (b"0\r\n\r\n", b"0\r\n\n", BadTrailer),
        (b"0\r\n\r\n", b"0\r\n\ra", BadTrailer),
        (b"0\r\na:b\r\n\r\n", b"0\r\n:", BadTrailer),
        (b"0\r\na:b\r\n\r\n", b"0\r\na\r", BadTrailer),
        (b"0\r\na:b\r\n\r\n", b"0\r\na ", BadTrailer),
        (b"0\r\na:b\r\n\r\n", b"0\r\na:b\n", BadTrailer),
        (b"0\r\na:b\r\n\r\n", b"0\r\na:b\rc", BadTrailer),
        (b"0\r\na:b\r\n\r\n", b"0\r\na:b\0", BadTrailer),
        (b"0\r\na:b\r\n\r\n", b"0\r\na:b\x7f", BadTrailer),
        (b"0\r\na:b\r\nc:d\r\n\r\n", b"0\r\na:b\r\n ", BadTrailer),
        (b"0\r\na:b\r\nc:d\r\n\r\n", b"0\r\na:b\r\n\t", BadTrailer),
        (b"0\r\na:b\r\nc:d\r\n\r\n", b"0\r\na:b\r\nc\xff", BadTrailer),
    ] {
        assert_eq!(decode_split(taken).bytes, Some(taken.len()), "{:?}", taken.escape_ascii().to_string());
        refused(bad, refusal);
    }
}

#[test]
fn a_size_holds_64_bits_and_not_one_more() {
    for (size, first) in [
        // Each of these would wrap in 32 bits, to 0, 1 and 4,294,967,295 in turn.
        ("100000000", 0x1_0000_0000_u64),
        ("100000001", 0x1_0000_0001),
        ("1FFFFFFFF", 0x1_ffff_ffff),
        ("7fffffffffffffff", u64::MAX / 2),
        ("ffffffffffffffff", u64::MAX),
        ("0000000000000000ffffffffffffffff", u64::MAX),
    ] {
        assert_eq!(u64::from_str_radix(size, 16), Ok(first));
        let bytes = format!("{size}\r\nabc");
        let decoded = decode_split(bytes.as_bytes());
        assert_eq!(decoded, Decoded { data: b"abc".to_vec(), bytes: None, refusal: None }, "{size}");
    }
    for size in ["10000000000000000", "fffffffffffffffff", "1ffffffffffffffff", "0000000000000010000000000000001"] {
        refused(&size.as_bytes()[..size.find(['1', 'f']).unwrap() + 17], Refusal::ChunkSizeTooLong);
    }
}

#[test]
fn leading_zeros_are_bounded() {
    let max = usize::from(CHUNK_SIZE_DIGITS_MAX);
    for digits in [max - 1, max] {
        accepted(format!("{}\r\n\r\n", "0".repeat(digits)).as_bytes(), b"");
        accepted(format!("{}1\r\na\r\n0\r\n\r\n", "0".repeat(digits - 1)).as_bytes(), b"a");
    }
    refused("0".repeat(max + 1).as_bytes(), Refusal::ChunkSizeTooLong);
    refused(format!("{}1", "0".repeat(max)).as_bytes(), Refusal::ChunkSizeTooLong);
    // What is no digit is another fault, at the bound too.
    refused(format!("{}g", "0".repeat(max)).as_bytes(), Refusal::BadChunkSize);
}

#[test]
fn extensions_are_bounded_a_line() {
    let max = usize::from(CHUNK_EXTENSION_BYTES_MAX);
    let line = |extension: &str| format!("1{extension}\r\na\r\n0{extension}\r\n\r\n");
    for bytes in [max - 1, max] {
        // The bound holds for one line: the next one starts anew.
        accepted(line(&format!(";{}", "a".repeat(bytes - 1))).as_bytes(), b"a");
        accepted(line(&format!(";a=\"{}\"", "b".repeat(bytes - 5))).as_bytes(), b"a");
        accepted(line(&format!("{};a", " ".repeat(bytes - 2))).as_bytes(), b"a");
    }
    accepted(line(&";a".repeat(max / 2)).as_bytes(), b"a");
    refused(format!("1;{}", "a".repeat(max)).as_bytes(), Refusal::ChunkExtensionTooLong);
    refused(format!("1;a=\"{}", "b".repeat(max - 3)).as_bytes(), Refusal::ChunkExtensionTooLong);
    refused(format!("1{}", " ".repeat(max + 1)).as_bytes(), Refusal::ChunkExtensionTooLong);
    refused(format!("1{};", ";a".repeat(max / 2)).as_bytes(), Refusal::ChunkExtensionTooLong);
}

#[test]
fn the_trailer_section_is_bounded() {
    let max = usize::from(TRAILER_BYTES_MAX);
    for bytes in [max - 1, max] {
        accepted(format!("0\r\na:{}\r\n\r\n", "b".repeat(bytes - 4)).as_bytes(), b"");
    }
    // The bound holds for all lines together.
    let lines = "a:bc\r\n".repeat(max / 6);
    accepted(format!("0\r\n{lines}\r\n").as_bytes(), b"");
    refused(format!("0\r\n{lines}{}", "a".repeat(max % 6 + 1)).as_bytes(), Refusal::TrailerTooLong);
    refused(format!("0\r\na:{}\r", "b".repeat(max - 2)).as_bytes(), Refusal::TrailerTooLong);
    refused(format!("0\r\na:{}\r\n", "b".repeat(max - 3)).as_bytes(), Refusal::TrailerTooLong);
    refused(format!("0\r\n{}", "a".repeat(max + 1)).as_bytes(), Refusal::TrailerTooLong);
}

#[test]
fn what_is_bounded_says_its_bound() {
    for (refusal, bound) in [
        (Refusal::ChunkSizeTooLong, CHUNK_SIZE_DIGITS_MAX),
        (Refusal::ChunkExtensionTooLong, CHUNK_EXTENSION_BYTES_MAX),
        (Refusal::TrailerTooLong, TRAILER_BYTES_MAX),
    ] {
        assert!(refusal.reason().contains(&format!(" {bound} ")), "{refusal:?}: {}", refusal.reason());
    }
}

#[test]
fn what_follows_the_body_is_left() {
    let bytes = b"1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
    let decoded = decode_split(bytes);
    assert_eq!(decoded.bytes, Some(11));
    assert_eq!(decoded.data, b"a");
}

#[test]
fn data_is_told_part_by_part() {
    let mut decoder = ChunkedDecoder::new();
    assert_eq!(decoder.decode(b""), Ok(Chunk::Partial));
    assert_eq!(decoder.decode(b"4\r\n"), Ok(Chunk::Partial));
    assert_eq!(decoder.decode(b""), Ok(Chunk::Partial));
    assert_eq!(decoder.decode(b"ab"), Ok(Chunk::Data { skip: 0, length: 2 }));
    assert_eq!(decoder.decode(b""), Ok(Chunk::Partial));
    assert_eq!(decoder.decode(b"cd\r\n1\r\ne"), Ok(Chunk::Data { skip: 0, length: 2 }));
    assert_eq!(decoder.decode(b"\r\n1\r\ne"), Ok(Chunk::Data { skip: 5, length: 1 }));
    assert_eq!(decoder.decode(b"\r\n0\r\n\r"), Ok(Chunk::Partial));
    assert_eq!(decoder.decode(b"\n"), Ok(Chunk::End { skip: 1 }));
}

/// Bytes that are framing more often than chance has it.
fn near_framing() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"0\r\n".to_vec()),
        Just(b"1\r\na\r\n".to_vec()),
        Just(b"3\r\nabc\r\n".to_vec()),
        Just(b";a=\"b\"".to_vec()),
        Just(b"a: b\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..3),
        proptest::sample::select(b"0123456789abcdefABCDEF \t;=\"\\\r\n:".to_vec()).prop_map(|byte| vec![byte]),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_bytes_panic_and_every_split_agrees(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        decode_split(&bytes);
    }

    #[test]
    fn no_bytes_near_framing_panic_and_every_split_agrees(bytes in near_framing()) {
        decode_split(&bytes);
    }

    #[test]
    fn what_is_encoded_comes_back(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6)) {
        let mut bytes = Vec::new();
        for chunk in &chunks {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        accepted(&bytes, &chunks.concat());
    }
}

/// What is still to come is that of the chunk at hand, none where framing is next.
#[test]
fn what_remains_of_a_chunk() {
    let mut decoder = ChunkedDecoder::new();
    assert_eq!((decoder.decode(b"1"), decoder.remaining()), (Ok(Chunk::Partial), 0));
    assert_eq!((decoder.decode(b"0\r\n"), decoder.remaining()), (Ok(Chunk::Partial), 16));
    assert_eq!((decoder.decode(b"abc"), decoder.remaining()), (Ok(Chunk::Data { skip: 0, length: 3 }), 13));
    let rest = Chunk::Data { skip: 0, length: 13 };
    assert_eq!((decoder.decode(b"defghijklmnop\r\n"), decoder.remaining()), (Ok(rest), 0));
}
