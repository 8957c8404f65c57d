//! What has been received: heads and what came with them, and what of a body came later.

use tenure_proto::{
    chunked::ChunkedDecoder,
    head::{HeadMemo, HeadParser},
    refusal::Refusal,
};

use crate::engine::buffer::Buffer;

/// Bytes of requests: heads, and what came with them.
#[repr(C)]
pub(crate) struct Input {
    pub(crate) buffer: Buffer,
    /// First byte of the request at hand.
    pub(crate) start: usize,
    /// Behind the last byte received.
    pub(crate) end: usize,
    pub(crate) parser: HeadParser,
    pub(crate) memo: HeadMemo,
}

impl Input {
    pub(crate) fn new(buffer: Buffer) -> Self {
        Input { buffer, start: 0, end: 0, parser: HeadParser::new(), memo: HeadMemo::new() }
    }

    pub(crate) fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether nothing is unread: then the next request begins at the front.
    #[inline]
    pub(crate) fn is_used_up(&mut self) -> bool {
        let is_used_up = self.start == self.end;
        if is_used_up {
            (self.start, self.end) = (0, 0);
        }
        is_used_up
    }

    /// Moves what is unread to the front, so that a whole head has room.
    pub(crate) fn compact(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }

    pub(crate) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
        self.parser = HeadParser::new();
    }
}

/// Bytes of a request's body. They begin behind the head in the input; what comes later is received here.
pub(crate) struct BodyInput {
    pub(crate) buffer: Buffer,
    /// The next unread byte: in the bytes from the request's start on, or in `buffer`.
    pub(crate) at: usize,
    /// True while `state` is as at a request's start; whoever changes it clears this.
    pub(crate) fresh: bool,
    pub(crate) state: BodyState,
}

/// How far a body has been read: of one request, replaced as a whole where the next one begins.
#[derive(Clone, Copy)]
pub(crate) struct BodyState {
    /// Whether the input's bytes have been used up and positions now count in the body's own buffer.
    pub(crate) spilled: bool,
    /// Behind the last byte received in the buffer.
    pub(crate) end: usize,
    /// Bytes at the front of the buffer that are a body being collected.
    pub(crate) collected: usize,
    pub(crate) chunked: Option<ChunkedDecoder>,
    /// Bytes handed out.
    pub(crate) taken: u64,
    /// Bytes that may still be handed out.
    pub(crate) budget: u64,
    /// More than that has come, or was announced: nothing more is handed out.
    pub(crate) exceeded: bool,
    /// Bytes of data that have been passed over all the same.
    pub(crate) passed_over: u32,
    /// Why nothing more of it can be had.
    pub(crate) fault: Option<Fault>,
}

impl BodyState {
    pub(crate) const fn new(bytes_max: u64) -> Self {
        BodyState {
            spilled: false,
            end: 0,
            collected: 0,
            chunked: None,
            taken: 0,
            budget: bytes_max,
            exceeded: false,
            passed_over: 0,
            fault: None,
        }
    }
}

impl BodyInput {
    pub(crate) fn new(buffer: Buffer, bytes_max: u64) -> Self {
        BodyInput { buffer, at: 0, fresh: true, state: BodyState::new(bytes_max) }
    }

    /// Begins the body of another request, `at` bytes behind its start.
    #[inline]
    pub(crate) fn begin(&mut self, at: usize, bytes_max: u64) {
        self.at = at;
        if !self.fresh {
            self.renew(bytes_max);
        }
    }

    #[cold]
    #[inline(never)]
    fn renew(&mut self, bytes_max: u64) {
        self.fresh = true;
        self.state = BodyState::new(bytes_max);
    }

    /// Lets go what has been read of the buffer, so that more can be received behind what has been collected.
    pub(crate) fn make_room(&mut self) {
        let collected = self.state.collected;
        self.at = collected;
        (self.state.spilled, self.state.end) = (true, collected);
    }
}

/// Why nothing more can be had of a body. A byte, which a result holds in a register; what it says as an error comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is above its bound.
    TooLarge,
    /// The peer closed before its end.
    Closed,
    /// It has not come in time.
    Late,
    /// Somebody else is reading it.
    Lent,
    /// Its framing is broken.
    Refused(Refusal),
}
