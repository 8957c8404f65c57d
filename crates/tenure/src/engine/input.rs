//! Received bytes: heads and what came with them, and the bytes of a body that came later.

use core::mem::take;

use tenure_proto::{
    chunked::ChunkedDecoder,
    head::{HeadMemo, HeadParser},
    refusal::Refusal,
};

use crate::{
    engine::{buffer::Buffer, driver::Partial},
    open::{message::MessageInput, opens},
};

/// Bytes of requests: heads, and what came with them.
#[repr(C)]
pub(crate) struct Input {
    pub(crate) buffer: Buffer,
    /// First byte of the request at hand.
    pub(crate) start: usize,
    /// One past the last byte received.
    pub(crate) end: usize,
    pub(crate) parser: HeadParser,
    pub(crate) memo: HeadMemo,
    /// What has come of a WebSocket's message.
    pub(crate) message: MessageInput,
}

impl Input {
    pub(crate) fn new(buffer: Buffer) -> Self {
        Input { buffer, start: 0, end: 0, parser: HeadParser::new(), memo: HeadMemo::new(), message: MessageInput::NEW }
    }

    pub(crate) fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether nothing is unread. Then the next request begins at the front.
    #[inline]
    pub(crate) fn is_used_up(&mut self) -> bool {
        let is_used_up = self.start == self.end;
        if is_used_up {
            (self.start, self.end) = (0, 0);
        }
        is_used_up
    }

    /// Takes back what was put away: its bytes are at the front.
    pub(crate) fn take_back(&mut self, bytes: usize, partial: Partial) {
        (self.start, self.end) = (0, bytes.min(self.buffer.len()));
        match partial {
            Partial::Head(parser) => self.parser = parser,
            Partial::Message(message) => {
                self.message = message.unwrap_or(MessageInput::NEW);
                self.start = self.message.kept as usize;
            }
        }
    }

    /// Whether nothing at all is there of a message. Then the next one begins at the front.
    #[inline]
    pub(crate) fn is_silent(&mut self) -> bool {
        self.start == self.end && self.message.is_between() && self.is_used_up()
    }

    /// What has come of a message that is not whole, and how far it has come; that is `None` where these bytes are all of it.
    pub(crate) fn partial(&self) -> Option<(&[u8], Option<MessageInput>)> {
        if self.message.is_between() {
            return if self.start < self.end { Some((self.unread(), None)) } else { None };
        }
        Some((self.buffer.get(..self.end).unwrap_or_default(), Some(self.message)))
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
        if opens() {
            self.message = MessageInput::NEW;
        }
    }
}

/// Bytes of a request's body. The first follow the head in the input; later ones are received here.
pub(crate) struct BodyInput {
    pub(crate) buffer: Buffer,
    /// The next unread byte: in the bytes from the request's start on, or in `buffer`.
    pub(crate) at: usize,
    /// True while `state` is as at a request's start; whoever changes it clears this.
    pub(crate) fresh: bool,
    pub(crate) state: BodyState,
}

/// How far a request's body has been read. Replaced as a whole when the next request begins.
#[derive(Clone, Copy)]
pub(crate) struct BodyState {
    /// Whether the input's bytes are used up, so that positions now count in the body's own buffer.
    pub(crate) spilled: bool,
    /// One past the last byte received in the buffer.
    pub(crate) end: usize,
    /// Bytes at the front of the buffer that belong to a body being collected.
    pub(crate) collected: usize,
    /// How many of these have been handed out since.
    pub(crate) handed_out: usize,
    pub(crate) chunked: Option<ChunkedDecoder>,
    /// Bytes handed out.
    pub(crate) taken: u64,
    /// Bytes that may still be handed out.
    pub(crate) budget: u64,
    /// More than the budget has come, or was announced: nothing more is handed out.
    pub(crate) exceeded: bool,
    /// Bytes discarded beyond that.
    pub(crate) passed_over: u32,
    /// Why no more of it can be read.
    pub(crate) fault: Option<Fault>,
}

impl BodyState {
    pub(crate) const fn new(bytes_max: u64) -> Self {
        BodyState {
            spilled: false,
            end: 0,
            collected: 0,
            handed_out: 0,
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

    /// Begins the next request's body, `at` bytes after the request's start.
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

    /// Frees the bytes that have been read, so that more can be received after the collected ones.
    pub(crate) fn make_room(&mut self) {
        if self.state.handed_out > 0 {
            self.forget_handed_out();
        }
        let collected = self.state.collected;
        self.at = collected;
        (self.state.spilled, self.state.end) = (true, collected);
    }

    /// Has the collected bytes that are still to be handed out begin at the front, where there is no room behind them: so none moves
    /// for each small read. That takes chunks of a body that is larger than the buffer.
    #[cold]
    fn forget_handed_out(&mut self) {
        if self.state.collected == self.buffer.len() {
            self.buffer.copy_within(self.state.handed_out.., 0);
            self.state.collected -= take(&mut self.state.handed_out);
        }
    }
}

/// Why no more of a body can be read. One byte, so that a result fits a register; its error's text is made at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is above its bound.
    TooLarge,
    /// The peer closed before its end.
    Closed,
    /// It has not come in time.
    Late,
    /// Another reader has borrowed it.
    Lent,
    /// Its framing is broken.
    Refused(Refusal),
}
