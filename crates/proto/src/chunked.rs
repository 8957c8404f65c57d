//! Where the chunks of a body lie: RFC 9112 section 7.1.

use crate::refusal::Refusal;

/// Octets of a chunk's extensions at the most, those of one size line counted together.
pub const CHUNK_EXTENSION_OCTETS_MAX: u16 = 256;
/// Octets of a trailer section at the most.
pub const TRAILER_OCTETS_MAX: u16 = 1024;

/// Reads the chunked coding, octet ranges out. Trailer fields are checked and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkedDecoder {
    // filled in with the decoder
    _todo: u32,
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
        ChunkedDecoder { _todo: 0 }
    }

    /// Reads on at the front of `octets`, which must start right behind what earlier calls told of: `skip + length` of a
    /// [`Chunk::Data`], everything of a [`Chunk::Partial`]. After [`Chunk::End`] it answers `End { skip: 0 }`.
    ///
    /// # Errors
    /// A [`Refusal`] is final: the framing is lost and the connection must close.
    pub fn decode(&mut self, octets: &[u8]) -> Result<Chunk, Refusal> {
        let _ = octets;
        unimplemented!()
    }

    /// Whether the body has ended.
    pub const fn is_ended(&self) -> bool {
        unimplemented!()
    }
}
