//! How answers are told apart in what a connection receives.

use crate::{answer::Reader, failure::Why};

/// HTTP/1.1, whose answers are numbers in a 200.
#[derive(Debug, Default)]
pub struct Http(Reader);

/// How a [`Load`](crate::Load) reads its answers: [`Http`] or [`WebSocket`](crate::WebSocket).
pub trait Protocol: Default + sealed::Protocol {}

impl Protocol for Http {}

/// What stands at the front of what was received.
pub enum Read {
    /// More must come.
    Partial,
    /// So many bytes that are no answer yet.
    Part { bytes: usize },
    /// An answer, and its bytes or its last ones.
    Answer { number: i64, bytes: usize },
    /// So many bytes that must be answered with these.
    Reply { bytes: usize, reply: Vec<u8> },
}

pub(crate) mod sealed {
    use super::{Read, Why};

    pub trait Protocol {
        /// What is known of a connection.
        type State: Default;

        /// Reads on at the front of `bytes`, which begin behind those that were told.
        fn read(&mut self, state: &mut Self::State, bytes: &mut [u8]) -> Result<Read, Why>;
    }
}

impl sealed::Protocol for Http {
    /// All connections share what is known: the head of the answer before.
    type State = ();

    #[inline]
    fn read(&mut self, (): &mut (), bytes: &mut [u8]) -> Result<Read, Why> {
        let read = self.0.read(bytes)?;
        Ok(read.map_or(Read::Partial, |(number, bytes)| Read::Answer { number, bytes }))
    }
}
