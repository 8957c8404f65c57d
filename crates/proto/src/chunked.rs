//! Where the chunks of a body lie: RFC 9112 section 7.1.

use crate::{octets, refusal::Refusal};

/// Digits of a chunk size at the most, leading zeros counted: 16 say any size of 64 bits, the rest is leniency.
pub const CHUNK_SIZE_DIGITS_MAX: u16 = 32;
/// Octets of a chunk's extensions at the most, those of one size line counted together.
pub const CHUNK_EXTENSION_OCTETS_MAX: u16 = 256;
/// Octets of a trailer section at the most, line ends counted, the empty line behind it not.
pub const TRAILER_OCTETS_MAX: u16 = 1024;

/// Reads the chunked coding, octet ranges out. Extensions and trailer fields are checked and dropped.
///
/// Plain data of 16 octets. No input makes it panic, it looks at no octet of framing twice and at none of the data.
///
/// # Examples
/// ```
/// use tenure_proto::chunked::{Chunk, ChunkedDecoder};
///
/// let mut decoder = ChunkedDecoder::new();
/// let octets = b"2\r\n40\r\n0\r\n\r\nGET";
/// assert_eq!(decoder.decode(octets), Ok(Chunk::Data { skip: 3, length: 2 }));
/// assert_eq!(decoder.decode(&octets[5..]), Ok(Chunk::End { skip: 7 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkedDecoder {
    /// What is left of the chunk's data. 64 bits on every machine: the peer's size must not wrap where `usize` has 32.
    remaining: u64,
    /// Octets so far of what is bounded here: a size, its extensions, or a trailer section.
    counted: u16,
    state: State,
}

/// What a [`ChunkedDecoder`] found at the front of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// `skip` octets of framing, then `length` octets of data (at least one), all of which are there. A chunk whose
    /// data is there only in part is told part by part.
    Data {
        /// Octets of framing in front of the data.
        skip: usize,
        /// Octets of data.
        length: usize,
    },
    /// All of the input was framing and more must come.
    Partial,
    /// The body ended `skip` octets into the input; what follows is the next request.
    End {
        /// Octets up to and including the last line end.
        skip: usize,
    },
}

impl ChunkedDecoder {
    /// A decoder before the first chunk.
    pub const fn new() -> Self {
        ChunkedDecoder { remaining: 0, counted: 0, state: State::SizeStart }
    }

    /// Reads on at the front of `octets`, which must start right behind what earlier calls told of: `skip + length` of a
    /// [`Chunk::Data`], everything of a [`Chunk::Partial`]. After [`Chunk::End`] it answers `End { skip: 0 }`.
    ///
    /// # Errors
    /// A [`Refusal`] is final: the framing is lost and the connection must close. Further calls answer the same.
    pub fn decode(&mut self, octets: &[u8]) -> Result<Chunk, Refusal> {
        let mut skip = 0;
        loop {
            match self.state {
                State::Ended => return Ok(Chunk::End { skip }),
                State::Refused(refusal) => return Err(refusal),
                State::Data if skip < octets.len() => {
                    let length = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(octets.len() - skip);
                    self.remaining -= length as u64;
                    if self.remaining == 0 {
                        self.state = State::DataCr;
                    }
                    return Ok(Chunk::Data { skip, length });
                }
                _ => match octets.get(skip) {
                    Some(&octet) => self.step(octet),
                    None => return Ok(Chunk::Partial),
                },
            }
            skip += 1;
        }
    }

    /// Octets of data that are still to come of the chunk whose data is next or at hand.
    pub const fn missing(&self) -> u64 {
        if matches!(self.state, State::Data) { self.remaining } else { 0 }
    }

    /// Whether the body has ended.
    pub const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Takes one octet of framing: the grammar decides, then what is bounded is counted.
    fn step(&mut self, octet: u8) {
        let (before, after) = (self.state, self.state.after(octet));
        self.state = match after {
            State::Size => {
                if before != State::Size {
                    (self.remaining, self.counted) = (0, 0);
                }
                let digit = octets::hex(octet).unwrap_or_default();
                // A digit shifted out at the top would make a large chunk a small one.
                if self.remaining >> 60 != 0 {
                    State::Refused(Refusal::BadChunkSize)
                } else {
                    self.remaining = (self.remaining << 4) | u64::from(digit);
                    self.bounded(after, CHUNK_SIZE_DIGITS_MAX, Refusal::BadChunkSize)
                }
            }
            State::SizeBlank
            | State::NameStart
            | State::Name
            | State::NameBlank
            | State::ValueStart
            | State::Value
            | State::Quoted
            | State::QuotedPair
            | State::ValueEnd
            | State::ValueBlank => {
                if before == State::Size {
                    self.counted = 0;
                }
                self.bounded(after, CHUNK_EXTENSION_OCTETS_MAX, Refusal::BadChunkExtension)
            }
            State::Data if self.remaining == 0 => {
                self.counted = 0;
                State::TrailerStart
            }
            State::TrailerStart | State::TrailerName | State::TrailerValue | State::TrailerLf => {
                self.bounded(after, TRAILER_OCTETS_MAX, Refusal::BadTrailer)
            }
            _ => after,
        };
    }

    /// Counts one octet: `state`, or the refusal where there are more than `max`.
    fn bounded(&mut self, state: State, max: u16, refusal: Refusal) -> State {
        if self.counted == max {
            return State::Refused(refusal);
        }
        self.counted += 1;
        state
    }
}

impl Default for ChunkedDecoder {
    fn default() -> Self {
        ChunkedDecoder::new()
    }
}

/// Between which two octets the decoder stands.
///
/// ```text
/// a chunk        SizeStart -> Size -> extensions -> SizeLf -> Data -> DataCr -> DataLf -> SizeStart
/// an extension   SizeBlank -> NameStart -> Name -> NameBlank -> ValueStart -> Value -> ValueBlank -> NameStart
///                                                               ValueStart -> Quoted -> ValueEnd -> ValueBlank
/// the last one   SizeLf -> TrailerStart -> EndLf -> Ended
/// a trailer      TrailerStart -> TrailerName -> TrailerValue -> TrailerLf -> TrailerStart
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Behind the last octet of the data.
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
    /// Behind an octet that cannot stand there.
    Refused(Refusal),
}

impl State {
    /// The grammar of RFC 9112 sections 7.1, 7.1.1 and 7.1.2: where an octet of framing leads.
    const fn after(self, octet: u8) -> State {
        use State::{
            Data, DataCr, DataLf, EndLf, Ended, Name, NameBlank, NameStart, Quoted, QuotedPair, Refused, Size,
            SizeBlank, SizeLf, SizeStart, TrailerLf, TrailerName, TrailerStart, TrailerValue, Value, ValueBlank,
            ValueEnd, ValueStart,
        };
        match (self, octet) {
            (SizeStart | Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => Size,
            // Section 7.1.1: blanks may stand around `;` and `=` (a recipient "MUST parse" them), not before a line end.
            (Size | SizeBlank, b' ' | b'\t') => SizeBlank,
            (Size | SizeBlank | Name | NameBlank | Value | ValueEnd | ValueBlank, b';') | (NameStart, b' ' | b'\t') => {
                NameStart
            }
            (Name | NameBlank, b' ' | b'\t') => NameBlank,
            (Name | NameBlank, b'=') | (ValueStart, b' ' | b'\t') => ValueStart,
            (ValueStart, b'"') => Quoted,
            (Value | ValueEnd | ValueBlank, b' ' | b'\t') => ValueBlank,
            (Quoted, b'\\') => QuotedPair,
            (Quoted, b'"') => ValueEnd,
            (NameStart | Name, _) if octets::is_tchar(octet) => Name,
            (ValueStart | Value, _) if octets::is_tchar(octet) => Value,
            (Quoted | QuotedPair, _) if octets::is_field_octet(octet) => Quoted,
            (Size | Name | Value | ValueEnd, b'\r') => SizeLf,

            (SizeLf, b'\n') => Data,
            (DataCr, b'\r') => DataLf,
            (DataLf, b'\n') => SizeStart,

            // A trailer field that is folded (RFC 9112 section 5.2) starts with a blank and is refused here.
            (TrailerStart, b'\r') => EndLf,
            (TrailerName, b':') => TrailerValue,
            (TrailerStart | TrailerName, _) if octets::is_tchar(octet) => TrailerName,
            (TrailerValue, b'\r') => TrailerLf,
            (TrailerValue, _) if octets::is_field_octet(octet) => TrailerValue,
            (TrailerLf, b'\n') => TrailerStart,
            (EndLf, b'\n') => Ended,

            (Size | Name | Value | ValueEnd, b'\n') | (SizeLf | DataCr | DataLf, _) => Refused(Refusal::BadChunkEnd),
            (SizeStart | Size | SizeBlank, _) => Refused(Refusal::BadChunkSize),
            (TrailerStart | TrailerName | TrailerValue | TrailerLf | EndLf, _) => Refused(Refusal::BadTrailer),
            (NameStart | Name | NameBlank | ValueStart | Value | Quoted | QuotedPair | ValueEnd | ValueBlank, _) => {
                Refused(Refusal::BadChunkExtension)
            }
            (Data | Ended | Refused(_), _) => self,
        }
    }
}
