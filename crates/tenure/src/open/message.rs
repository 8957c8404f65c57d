//! Messages of a WebSocket: how they are read, and what a handler has of one.

use core::{cell::RefMut, fmt, future::Future, time::Duration};

use tenure_proto::websocket::{
    CloseCode, Data, Found, MessageLimits, MessageReader, Opcode, Violation, frame, small_message,
};

use crate::{
    ConnectionId, Error, Frame, MessageTopic, PeerAddress, Topic,
    engine::{
        input::Input,
        state::Change,
        wire::{Shared, Wire},
    },
    open::{
        history::Resume,
        journal::{Act, Journal},
        topic::{TopicKey, sealed::Content},
    },
};

/// Bytes that stay free behind a message that is being put together: for a control frame, and the head of the next frame.
const SPARE_BYTES: usize = frame::CONTROL_BYTES_MAX + 2 * frame::HEAD_BYTES_MAX;
/// Bytes of a client's shortest frame head.
const SMALL_HEAD_BYTES: usize = 6;
/// Frames of a message at the most.
const FRAGMENTS_MAX: u16 = 1_024;

/// How far a message has come. What of it has come stands at the front of the input.
#[derive(Clone, Copy, Debug)]
pub struct MessageInput {
    reader: MessageReader,
    /// Bytes at the front that are put together.
    pub(crate) kept: u32,
    is_text: bool,
    /// A handler has heard pieces of it.
    is_told: bool,
    /// The reader does not stand between two messages.
    is_begun: bool,
}

impl MessageInput {
    pub(crate) const NEW: MessageInput =
        MessageInput { reader: MessageReader::new(), kept: 0, is_text: false, is_told: false, is_begun: false };

    /// Whether it stands between two messages: what is unread is all that there is to keep.
    pub(crate) fn is_between(&self) -> bool {
        !self.is_begun
    }
}

/// What stands at the front of a WebSocket's input.
#[derive(Debug)]
pub(crate) enum Heard<'i> {
    /// A message, or a piece of one that is too long to be heard at once.
    Message { bytes: &'i [u8], is_text: bool, is_first: bool, is_last: bool },
    /// A ping, with what the pong must carry.
    Ping(&'i [u8]),
    /// The peer closes.
    Close(Option<CloseCode>),
    /// More must come first.
    Nothing,
}

impl Input {
    /// Looks for the next message. Returns where the input begins behind it.
    #[inline]
    pub(crate) fn hear(&mut self, shared: &Shared) -> Result<(Heard<'_>, usize), Violation> {
        let message_bytes_max = shared.limits.message_bytes_max;
        let unread = self.buffer.get_mut(self.start..self.end).unwrap_or_default();
        if self.message.is_between()
            && let Some((is_text, length)) = small_message(unread, message_bytes_max)
        {
            let (from, behind) = (self.start + SMALL_HEAD_BYTES, self.start + SMALL_HEAD_BYTES + length);
            let bytes = self.buffer.get(from..behind).unwrap_or_default();
            return Ok((Heard::Message { bytes, is_text, is_first: true, is_last: true }, behind));
        }
        self.hear_else(shared)
    }

    /// Looks for anything.
    #[inline(never)]
    fn hear_else(&mut self, shared: &Shared) -> Result<(Heard<'_>, usize), Violation> {
        let Input { buffer, start, end, message, .. } = self;
        let mut limits = MessageLimits {
            message_bytes_max: shared.limits.message_bytes_max,
            fragments_max: FRAGMENTS_MAX,
            // The lane counts them: each call begins a period of the reader's.
            controls_max: u16::MAX,
            whole_bytes_max: 0,
        };
        loop {
            let kept = message.kept as usize;
            // As long as nothing is put together, a frame that fits waits as it is: its bytes are all of its state.
            limits.whole_bytes_max = if kept == 0 { buffer.len().saturating_sub(SPARE_BYTES) } else { 0 };
            let Some(bytes) = buffer.get_mut(*start..*end) else { return Ok((Heard::Nothing, *start)) };
            message.reader.period_passed();
            let found = message.reader.read(bytes, &limits)?;
            message.is_begun = !message.reader.is_between();
            let behind = *start + found.used();
            let (content, is_last, is_text) = match found {
                Found::Data { data, is_last, .. } => (data.as_bytes().len(), is_last, !matches!(data, Data::Binary(_))),
                Found::Ping { payload, .. } => {
                    shared.control_came()?;
                    let from = behind - payload.len();
                    return Ok((Heard::Ping(buffer.get(from..behind).unwrap_or_default()), behind));
                }
                Found::Pong { .. } => {
                    shared.control_came()?;
                    *start = behind;
                    continue;
                }
                Found::Close { close, .. } => return Ok((Heard::Close(close.code), behind)),
                Found::Partial { .. } => return Ok((Heard::Nothing, behind)),
            };
            let from = behind - content;
            if is_last && kept == 0 {
                let is_first = !core::mem::take(&mut message.is_told);
                let bytes = buffer.get(from..behind).unwrap_or_default();
                return Ok((Heard::Message { bytes, is_text, is_first, is_last }, behind));
            }
            buffer.copy_within(from..behind, kept);
            (message.is_text, message.kept) = (is_text, (kept + content) as u32);
            *start = behind;
            let kept = kept + content;
            if is_last || buffer.len() - kept <= SPARE_BYTES {
                let is_first = !core::mem::replace(&mut message.is_told, !is_last);
                message.kept = 0;
                let bytes = buffer.get(..kept).unwrap_or_default();
                return Ok((Heard::Message { bytes, is_text, is_first, is_last }, behind));
            }
        }
    }

    /// Moves what is unread behind what is put together, so that more has room.
    pub(crate) fn compact_message(&mut self) {
        let kept = self.message.kept as usize;
        if self.start > kept {
            self.buffer.copy_within(self.start..self.end, kept);
            (self.start, self.end) = (kept, kept + self.end - self.start);
        }
    }
}

/// One message of a WebSocket, and the loan of its connection's session. Or a piece of one that is too long to be heard at once.
///
/// The guide has a [chapter](crate::guide::open) on connections that stay open.
pub struct Message<'m, S> {
    session: RefMut<'m, Option<S>>,
    shared: &'m Shared,
    bytes: &'m [u8],
    is_text: bool,
    is_first: bool,
    is_last: bool,
}

impl<'m, S> Message<'m, S> {
    #[inline]
    pub(crate) fn new(wire: &'m Wire<S>, bytes: &'m [u8], (is_text, is_first, is_last): (bool, bool, bool)) -> Self {
        Message { session: wire.session.borrow_mut(), shared: &wire.shared, bytes, is_text, is_first, is_last }
    }

    /// The text of a whole message.
    ///
    /// # Errors
    /// The message is of bytes, or so long that it is heard in pieces. A handler that passes the error on closes the connection, with
    /// 1003 (unsupported data) or 1009 (too big).
    #[inline]
    pub fn text(&self) -> Result<&'m str, Error> {
        if self.is_text
            && self.is_whole()
            && let Ok(text) = str::from_utf8(self.bytes)
        {
            return Ok(text);
        }
        Err(self.no_text())
    }

    #[cold]
    fn no_text(&self) -> Error {
        let (code, error) = if self.is_whole() {
            (CloseCode::UNSUPPORTED_DATA, Error::bad_request("a message of text was expected"))
        } else {
            (CloseCode::TOO_LONG, Error::too_large("the message is too long to be heard at once"))
        };
        self.shared.open.closing.set(Some(code));
        error
    }

    /// What it carries, text or not: all of a whole message, or of this piece. A piece of text may begin and end inside a
    /// character.
    #[inline]
    pub fn bytes(&self) -> &'m [u8] {
        self.bytes
    }

    /// Whether it is text: all of it, with all pieces, is UTF-8 then, as far as it has come.
    pub fn is_text(&self) -> bool {
        self.is_text
    }

    /// Whether the message begins here.
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    /// Whether the message ends here.
    pub fn is_last(&self) -> bool {
        self.is_last
    }

    /// Whether this is all of the message.
    pub fn is_whole(&self) -> bool {
        self.is_first && self.is_last
    }

    /// How many messages to this connection were left out since the last one was heard here, because its peer did not take them: 65,535 at
    /// the most are counted.
    pub fn missed(&self) -> u16 {
        self.shared.connection.get().missed
    }

    /// The connection.
    pub fn id(&self) -> ConnectionId {
        self.shared.id.get()
    }

    /// The peer's address; `None` where the port has none, or the peer is gone.
    pub fn peer(&self) -> Option<PeerAddress> {
        self.shared.peer.get().address()
    }

    /// The connection's session.
    pub fn session(&self) -> Option<&S> {
        self.session.as_ref()
    }

    /// The connection's session, to change.
    #[inline]
    pub fn session_mut(&mut self) -> Option<&mut S> {
        self.session.as_mut()
    }

    /// The connection's session, made by `make` where there is none yet.
    pub fn session_or_insert_with(&mut self, make: impl FnOnce() -> S) -> &mut S {
        self.session.get_or_insert_with(make)
    }

    /// Sends a message back. It goes out when the handler waits for something or has ended, together with others.
    ///
    /// # Errors
    /// A message before this one was given up halfway: nothing can follow it.
    ///
    /// # Cancellation safety
    /// A message that fits the output is sent, or not at all. A longer one that is dropped halfway resets the connection, for the peer
    /// could not know what follows it.
    #[inline]
    pub async fn send(&mut self, frame: Frame<'_>) -> Result<(), Error> {
        if self.shared.put_frame(frame) {
            return Ok(());
        }
        self.shared.send_frame(frame).await
    }

    /// Waits for that long, as [`Request::sleep`](crate::Request::sleep) does. Meanwhile messages that follow wait, and what others push
    /// to the connection goes out. The time counts towards [`handler_ms`](crate::Deadlines::handler_ms).
    ///
    /// # Cancellation safety
    /// Safe: nothing is left of it.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + use<'m, S> {
        self.shared.sleep(duration)
    }

    /// Sends a message, or an event, to all who have joined a topic, on every worker: on this one once the handler waits for
    /// something or has ended.
    ///
    /// # Errors
    /// What is published cannot be written, or has no room: without a heap a handler publishes 192 bytes at once at the most.
    pub fn publish<T: Topic>(&mut self, topic: T, content: T::Content<'_>) -> Result<(), Error> {
        self.shared.publish(topic.key(), &content)
    }

    /// Whether anybody may get what is published to a topic, as [`Request::is_heard`](crate::Request::is_heard) says.
    pub fn is_heard(&self, topic: impl Topic) -> bool {
        self.shared.is_heard(topic.key())
    }

    /// Joins a topic: the connection gets what is published to it from now on.
    ///
    /// # Errors
    /// There is no room to note it: without a heap.
    pub fn join(&mut self, topic: MessageTopic) -> Result<(), Error> {
        self.shared.note(Act::Join, topic.key())
    }

    /// Leaves a topic.
    ///
    /// # Errors
    /// As [`join`](Message::join).
    pub fn leave(&mut self, topic: MessageTopic) -> Result<(), Error> {
        self.shared.note(Act::Leave, topic.key())
    }

    /// Closes the connection with that code once the handler has ended.
    pub fn close(&mut self, code: CloseCode) {
        self.shared.open.closing.set(Some(code));
    }

    /// Protects the connection from eviction once it is not open any more, or no longer does. While it is open it is never evicted.
    pub fn pin(&mut self, pinned: bool) {
        self.shared.moves();
        self.shared.connection.change(|connection| connection.pin = Some(pinned));
    }
}

impl<S> fmt::Debug for Message<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} bytes on connection {})", self.bytes.len(), self.id())
    }
}

impl Shared {
    /// Counts a ping or pong.
    #[cold]
    fn control_came(&self) -> Result<(), Violation> {
        let mut controls = self.open.controls.get();
        let counted = controls.come(self.turn.get().now_ms);
        self.open.controls.set(controls);
        // It rests where the driver keeps the count.
        self.connection.change(|connection| connection.hears = false);
        counted
    }

    /// Whether what is published to a topic may reach anybody. What a handler has joined by then may.
    #[inline]
    pub(crate) fn is_heard(&self, topic: TopicKey) -> bool {
        self.open.heard.hears(topic) || !self.open.journal.borrow().is_empty()
    }

    /// Notes what a handler publishes, where anybody may hear it.
    pub(crate) fn publish(&self, topic: TopicKey, content: &impl Content) -> Result<(), Error> {
        let bytes = content.bytes()?;
        if !self.is_heard(topic) {
            // It fails where it would fail otherwise.
            return Journal::check(bytes).map(|_| ());
        }
        self.say(Act::Publish, topic, Some((content, bytes)))
    }

    fn say(&self, act: Act, topic: TopicKey, content: Option<(&impl Content, usize)>) -> Result<(), Error> {
        self.open.has_said.set(true);
        self.open.journal.borrow_mut().write(act, topic, content)
    }

    /// Notes that the connection joins a topic that keeps its last events.
    pub(crate) fn resume(&self, topic: TopicKey, resume: &Resume<'_>) -> Result<(), Error> {
        self.say(Act::Resume, topic, Some((resume, resume.bytes()?)))
    }

    /// Notes that the connection joins a topic, or leaves it.
    pub(crate) fn note(&self, act: Act, topic: TopicKey) -> Result<(), Error> {
        self.say(act, topic, None::<(&Frame<'_>, usize)>)
    }

    /// Puts a whole message into the output. `false`: it has no room.
    #[inline(always)]
    pub(crate) fn put_frame(&self, frame: Frame<'_>) -> bool {
        let mut output = self.output.borrow_mut();
        if self.open.in_frame.get() {
            return false;
        }
        output.put_framed(frame.opcode, frame.bytes)
    }

    /// Sends a message that has no room, piece by piece if need be.
    pub(crate) async fn send_frame(&self, frame: Frame<'_>) -> Result<(), Error> {
        if self.open.in_frame.get() {
            return Err(Error::internal("the message before was given up halfway"));
        }
        self.room(frame.bytes.len() + frame::HEAD_BYTES_MAX).await;
        if self.put_frame(frame) {
            return Ok(());
        }
        self.open.in_frame.set(true);
        self.output.borrow_mut().put(frame::head(frame.opcode, true, frame.bytes.len() as u64).as_bytes());
        let mut rest = frame.bytes;
        while !rest.is_empty() {
            {
                let mut output = self.output.borrow_mut();
                let (now, later) = rest.split_at(rest.len().min(output.room()));
                output.put(now);
                rest = later;
            }
            self.room(rest.len()).await;
        }
        self.open.in_frame.set(false);
        Ok(())
    }

    /// Puts what somebody else sends behind what is in the output. `false`: it has no room now.
    pub(crate) fn put_pushed(&self, bytes: &[u8]) -> bool {
        !self.open.in_frame.get()
            && self.output.try_borrow_mut().is_ok_and(|mut output| output.make_room(bytes.len()) && output.put(bytes))
    }
}

impl crate::engine::output::Output {
    /// A whole message. `false`: it has no room.
    #[inline]
    pub(crate) fn put_framed(&mut self, opcode: Opcode, bytes: &[u8]) -> bool {
        if bytes.len() < 126 {
            let Some(room) = self.free().get_mut(..bytes.len() + 2) else { return false };
            if let [first, second, content @ ..] = room {
                (*first, *second) = (0x80 | opcode as u8, bytes.len() as u8);
                content.copy_from_slice(bytes);
            }
            self.end += bytes.len() + 2;
            self.exchange.bytes += bytes.len() as u64 + 2;
            return true;
        }
        let head = frame::head(opcode, true, bytes.len() as u64);
        self.room() >= head.as_bytes().len() + bytes.len() && self.put(head.as_bytes()) && self.put(bytes)
    }
}
