//! Where the chunks of a body lie: RFC 9112 section 7.1.

use crate::{
    bytes::{self, BLANK, FIELD, HEX, TOKEN},
    refusal::Refusal,
};

/// Digits of a chunk size at the most, leading zeros counted: 16 say any size of 64 bits, the rest is leniency.
pub const CHUNK_SIZE_DIGITS_MAX: u16 = 32;
/// Bytes of a chunk's extensions at the most, those of one size line counted together.
pub const CHUNK_EXTENSION_BYTES_MAX: u16 = 256;
/// Bytes of a trailer section at the most, line ends counted, the empty line behind it not.
pub const TRAILER_BYTES_MAX: u16 = 1024;

/// Reads the chunked coding, byte ranges out. Extensions and trailer fields are checked and dropped.
///
/// Plain data of 16 bytes. No input makes it panic, it looks at no byte of framing twice and at none of the data.
///
/// # Examples
/// ```
/// use tenure_proto::chunked::{Chunk, ChunkedDecoder};
///
/// let mut decoder = ChunkedDecoder::new();
/// let bytes = b"2\r\n40\r\n0\r\n\r\nGET";
/// assert_eq!(decoder.decode(bytes), Ok(Chunk::Data { skip: 3, length: 2 }));
/// assert_eq!(decoder.decode(&bytes[5..]), Ok(Chunk::End { skip: 7 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkedDecoder {
    /// What is left of the chunk's data. 64 bits on every machine: the peer's size must not wrap where `usize` has 32.
    remaining: u64,
    /// Bytes so far of what is bounded here: a size, its extensions, or a trailer section.
    counted: u16,
    state: State,
    refused: Option<Refusal>,
}

/// What a [`ChunkedDecoder`] found at the front of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// `skip` bytes of framing, then `length` bytes of data (at least one), all of which are there. A chunk whose
    /// data is there only in part is told part by part.
    Data {
        /// Bytes of framing in front of the data.
        skip: usize,
        /// Bytes of data.
        length: usize,
    },
    /// All of the input was framing and more must come.
    Partial,
    /// The body ended `skip` bytes into the input; what follows is the next request.
    End {
        /// Bytes up to and including the last line end.
        skip: usize,
    },
}

impl ChunkedDecoder {
    /// A decoder before the first chunk.
    pub const fn new() -> Self {
        ChunkedDecoder { remaining: 0, counted: 0, state: State::SizeStart, refused: None }
    }

    /// Reads on at the front of `bytes`, which must start right behind what earlier calls told of: `skip + length` of a
    /// [`Chunk::Data`], everything of a [`Chunk::Partial`]. After [`Chunk::End`] it answers `End { skip: 0 }`.
    ///
    /// # Errors
    /// A [`Refusal`] is final: the framing is lost and the connection must close. Further calls answer the same.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Chunk, Refusal> {
        if let Some(refusal) = self.refused {
            return Err(refusal);
        }
        let mut skip = 0;
        while self.state != State::Ended {
            let Some(&byte) = bytes.get(skip) else { return Ok(Chunk::Partial) };
            if self.state == State::Data {
                let length = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(bytes.len() - skip);
                self.remaining -= length as u64;
                if self.remaining == 0 {
                    self.state = State::DataCr;
                }
                return Ok(Chunk::Data { skip, length });
            }
            if let Err(refusal) = self.step(byte) {
                self.refused = Some(refusal);
                return Err(refusal);
            }
            skip += 1;
        }
        Ok(Chunk::End { skip })
    }

    /// Bytes of data that are still to come of the chunk whose data is next or at hand.
    pub const fn remaining(&self) -> u64 {
        if matches!(self.state, State::Data) { self.remaining } else { 0 }
    }

    /// Whether the body has ended.
    pub const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Takes one byte of framing: the grammar decides, then what is bounded is counted.
    fn step(&mut self, byte: u8) -> Result<(), Refusal> {
        let before = self.state;
        let after = before.after(byte).ok_or_else(|| before.refusal(byte))?;
        self.state = after;
        let Part { max, too_long, .. } = after.part();
        // The first digit, and the first byte of the extensions, begin anew.
        if before == State::SizeStart || before == State::Size && after != State::Size {
            self.counted = 0;
        }
        if max < u16::MAX {
            if self.counted == max {
                return Err(too_long);
            }
            self.counted += 1;
        } else if after == State::Data && self.remaining == 0 {
            self.state = State::TrailerStart;
            self.counted = 0;
        }
        if after == State::Size {
            if before == State::SizeStart {
                self.remaining = 0;
            }
            // A digit shifted out at the top would make a large chunk a small one.
            if self.remaining >> 60 != 0 {
                return Err(Refusal::ChunkSizeTooLong);
            }
            self.remaining = (self.remaining << 4) | u64::from(bytes::hex_value(byte));
        }
        Ok(())
    }
}

impl Default for ChunkedDecoder {
    fn default() -> Self {
        ChunkedDecoder::new()
    }
}

/// Between which two bytes the decoder stands.
///
/// ```text
/// a chunk        SizeStart -> Size -> extensions -> SizeLf -> Data -> DataCr -> DataLf -> SizeStart
/// an extension   SizeBlank -> NameStart -> Name -> NameBlank -> ValueStart -> Value -> ValueBlank -> NameStart
///                                                               ValueStart -> Quoted -> ValueEnd -> ValueBlank
/// the last one   SizeLf -> TrailerStart -> EndLf -> Ended
/// a trailer      TrailerStart -> TrailerName -> TrailerValue -> TrailerLf -> TrailerStart
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum State {
    /// Before the first digit of a size.
    SizeStart,
    /// Behind a digit of a size.
    Size,
    /// Behind a blank that follows the size.
    SizeBlank,
    /// Before the name of an extension.
    NameStart,
    /// In the name of an extension.
    Name,
    /// Behind a blank that follows a name.
    NameBlank,
    /// Before the value of an extension.
    ValueStart,
    /// In a value that is a token.
    Value,
    /// In a value that is a quoted string.
    Quoted,
    /// Behind the backslash of a quoted pair.
    QuotedPair,
    /// Behind the closing quote of a value.
    ValueEnd,
    /// Behind a blank that follows a value.
    ValueBlank,
    /// Behind the CR of a size line.
    SizeLf,
    /// In the data of a chunk.
    Data,
    /// Behind the last byte of the data.
    DataCr,
    /// Behind the CR that follows the data.
    DataLf,
    /// At the front of a line of the trailer section.
    TrailerStart,
    /// In the name of a trailer field.
    TrailerName,
    /// In the value of a trailer field.
    TrailerValue,
    /// Behind the CR of a trailer field.
    TrailerLf,
    /// Behind the CR of the empty line.
    EndLf,
    /// Behind the body.
    Ended,
}

/// A part of the framing, bounded as a whole.
struct Part {
    /// How many bytes it may have; the greatest number where it has no bound.
    max: u16,
    /// Why more of them are refused.
    too_long: Refusal,
    /// Why others are refused.
    bad: Refusal,
}

/// The bytes of a [`Rule`] that are a class and not one byte: that class. All bytes that rules name are greater.
const CLASS_MAX: u8 = BLANK;

/// In which state, of which bytes, and where they lead.
type Rule = (State, u8, State);

/// The grammar of RFC 9112 sections 7.1, 7.1.1 and 7.1.2, state by state in their order. What no rule takes is refused.
static RULES: [Rule; 44] = {
    use State::{
        Data, DataCr, DataLf, EndLf, Ended, Name, NameBlank, NameStart, Quoted, QuotedPair, Size, SizeBlank, SizeLf,
        SizeStart, TrailerLf, TrailerName, TrailerStart, TrailerValue, Value, ValueBlank, ValueEnd, ValueStart,
    };
    [
        (SizeStart, HEX, Size),
        (Size, HEX, Size),
        // Section 7.1.1: blanks may stand around `;` and `=` (a recipient "MUST parse" them), not before a line end.
        (Size, BLANK, SizeBlank),
        (Size, b';', NameStart),
        (Size, b'\r', SizeLf),
        (SizeBlank, BLANK, SizeBlank),
        (SizeBlank, b';', NameStart),
        (NameStart, BLANK, NameStart),
        (NameStart, TOKEN, Name),
        (Name, TOKEN, Name),
        (Name, BLANK, NameBlank),
        (Name, b'=', ValueStart),
        (Name, b';', NameStart),
        (Name, b'\r', SizeLf),
        (NameBlank, BLANK, NameBlank),
        (NameBlank, b'=', ValueStart),
        (NameBlank, b';', NameStart),
        (ValueStart, BLANK, ValueStart),
        (ValueStart, b'"', Quoted),
        (ValueStart, TOKEN, Value),
        (Value, TOKEN, Value),
        (Value, BLANK, ValueBlank),
        (Value, b';', NameStart),
        (Value, b'\r', SizeLf),
        (Quoted, b'\\', QuotedPair),
        (Quoted, b'"', ValueEnd),
        (Quoted, FIELD, Quoted),
        (QuotedPair, FIELD, Quoted),
        (ValueEnd, BLANK, ValueBlank),
        (ValueEnd, b';', NameStart),
        (ValueEnd, b'\r', SizeLf),
        (ValueBlank, BLANK, ValueBlank),
        (ValueBlank, b';', NameStart),
        (SizeLf, b'\n', Data),
        (DataCr, b'\r', DataLf),
        (DataLf, b'\n', SizeStart),
        // A trailer field that is folded (RFC 9112 section 5.2) starts with a blank and is refused here.
        (TrailerStart, b'\r', EndLf),
        (TrailerStart, TOKEN, TrailerName),
        (TrailerName, TOKEN, TrailerName),
        (TrailerName, b':', TrailerValue),
        (TrailerValue, FIELD, TrailerValue),
        (TrailerValue, b'\r', TrailerLf),
        (TrailerLf, b'\n', TrailerStart),
        (EndLf, b'\n', Ended),
    ]
};

/// Where the rules of each state begin.
static FIRST: [u8; State::Ended as usize] = {
    let mut first = [0; State::Ended as usize];
    let mut rule = RULES.len();
    while rule > 0 {
        rule -= 1;
        first[RULES[rule].0 as usize] = rule as u8;
    }
    first
};

impl State {
    /// Where a byte of framing leads; `None`: it cannot stand there.
    fn after(self, byte: u8) -> Option<State> {
        let mut at = usize::from(*FIRST.get(self as usize)?);
        while let Some(&(from, of, to)) = RULES.get(at)
            && from == self
        {
            let fits = if of <= CLASS_MAX { bytes::is(byte, of) } else { byte == of };
            if fits {
                return Some(to);
            }
            at += 1;
        }
        None
    }

    /// The part of the framing that has this state.
    fn part(self) -> Part {
        // The states of each part follow one another.
        let (max, too_long, bad) = if self <= State::Size {
            (CHUNK_SIZE_DIGITS_MAX, Refusal::ChunkSizeTooLong, Refusal::BadChunkSize)
        } else if self <= State::ValueBlank {
            (CHUNK_EXTENSION_BYTES_MAX, Refusal::ChunkExtensionTooLong, Refusal::BadChunkExtension)
        } else if self <= State::DataLf {
            (u16::MAX, Refusal::BadChunkEnd, Refusal::BadChunkEnd)
        } else if self <= State::TrailerLf {
            (TRAILER_BYTES_MAX, Refusal::TrailerTooLong, Refusal::BadTrailer)
        } else {
            (u16::MAX, Refusal::BadTrailer, Refusal::BadTrailer)
        };
        Part { max, too_long, bad }
    }

    /// Why a byte that no rule takes is refused.
    fn refusal(self, byte: u8) -> Refusal {
        let may_end = matches!(self, State::Size | State::Name | State::Value | State::ValueEnd);
        if may_end && byte == b'\n' {
            Refusal::BadChunkEnd
        } else if self == State::SizeBlank {
            Refusal::BadChunkSize
        } else {
            self.part().bad
        }
    }
}
