//! What is sent over a WebSocket.

use tenure_proto::{
    events::{Event, EventError},
    websocket::{Opcode, frame},
};

use crate::{Error, open::topic::sealed::Content};

/// A message that this side sends over a WebSocket. It is sent as one frame.
///
/// ```
/// use tenure::Frame;
///
/// let (text, bytes) = (Frame::text("hello"), Frame::binary(&[1, 2, 3]));
/// assert_eq!(text.as_bytes(), b"hello");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'f> {
    pub(crate) opcode: Opcode,
    pub(crate) bytes: &'f [u8],
}

impl<'f> Frame<'f> {
    /// A message of text.
    #[inline]
    pub const fn text(text: &'f str) -> Self {
        Frame { opcode: Opcode::Text, bytes: text.as_bytes() }
    }

    /// A message of bytes.
    #[inline]
    pub const fn binary(bytes: &'f [u8]) -> Self {
        Frame { opcode: Opcode::Binary, bytes }
    }

    /// What it carries.
    pub const fn as_bytes(&self) -> &'f [u8] {
        self.bytes
    }
}

impl Content for Frame<'_> {
    fn bytes(&self) -> Result<usize, Error> {
        Ok(frame::head(self.opcode, true, self.bytes.len() as u64).as_bytes().len() + self.bytes.len())
    }

    fn write(&self, into: &mut [u8]) {
        let head = frame::head(self.opcode, true, self.bytes.len() as u64);
        let (front, content) = into.split_at_mut(head.as_bytes().len());
        front.copy_from_slice(head.as_bytes());
        content.copy_from_slice(self.bytes);
    }
}

impl Content for Event<'_> {
    fn bytes(&self) -> Result<usize, Error> {
        Ok(Event::bytes(self)?)
    }

    fn write(&self, into: &mut [u8]) {
        // It has been measured: it fits, and may be written.
        let _ = Event::write(self, into);
    }
}

impl From<EventError> for Error {
    fn from(error: EventError) -> Self {
        Error::internal(error.reason())
    }
}
