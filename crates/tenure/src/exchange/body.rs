//! A request's body: whole, parsed, or in pieces, each with a bound.

use core::{
    cell::RefMut,
    future::{Future, poll_fn},
    marker::PhantomData,
    mem::take,
    pin::Pin,
    task::{Context, Poll},
};

use tenure_proto::{
    chunked::{Chunk, ChunkedDecoder},
    framing::Framing,
    head::Head,
    refusal::Refusal,
    response::CONTINUE,
};

use crate::{
    Deadline, EndReason, Error,
    engine::{
        input::{BodyInput, BodyState, Fault},
        state::{Change, Drain},
        wire::Shared,
    },
    exchange::text::FromText,
};

const TOO_LARGE: Error = Error::too_large("the body is larger than this target takes");

#[cfg(feature = "alloc")]
const NO_MEMORY: Error = Error::unavailable("there is no memory for the body");

impl From<Fault> for Error {
    #[cold]
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooLarge => TOO_LARGE,
            Fault::Closed | Fault::Late => Error::bad_request("the peer closed before the whole body had come"),
            Fault::Lent => Error::internal("the body is read in two places at once"),
            Fault::Refused(refusal) => refusal.into(),
        }
    }
}

/// The bytes of a request's body, and the lease on what has been received of them.
pub(crate) struct Reader<'r> {
    pub(crate) shared: &'r Shared,
    /// From the request's first byte to the last one that was received with its head.
    pub(crate) bytes: &'r [u8],
    /// Given back to the port while the handler waits for more.
    lease: Option<RefMut<'r, BodyInput>>,
    /// What was read last; none at the body's end.
    piece: Option<Piece>,
}

/// Where a piece of a body lies.
#[derive(Clone, Copy)]
struct Piece {
    /// In the body's own buffer; otherwise with the head.
    spilled: bool,
    from: usize,
    to: usize,
}

/// How a body is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The next bytes that have come.
    Piece,
    /// Until all of it is there in one piece.
    Whole,
    /// To its end, for the sake of the connection alone.
    Drain,
}

/// What comes next of a body among the bytes that have come.
enum Next {
    /// That many bytes, which have been passed.
    Data(usize),
    /// More must come.
    Missing,
    End,
}

/// What is unread behind that many bytes of data.
fn behind(unread: Framing, bytes: u64) -> Framing {
    match unread {
        Framing::Length(length) if length > bytes => Framing::Length(length - bytes),
        Framing::Length(_) => Framing::Empty,
        unread => unread,
    }
}

/// What has come of a body and is unread, in its own buffer or with the head.
fn received<'a>(buffer: &'a [u8], with_head: &'a [u8], state: &BodyState, at: usize) -> &'a [u8] {
    let received = if state.spilled { buffer.get(at..state.end) } else { with_head.get(at..) };
    received.unwrap_or_default()
}

impl BodyInput {
    /// Goes on to the next data, `bytes_max` bytes of it at the most, and past them.
    #[inline]
    fn next(&mut self, unread: Framing, with_head: &[u8], bytes_max: usize) -> Result<Next, Refusal> {
        let Framing::Length(bytes) = unread else { return self.next_of_chunks(with_head, bytes_max) };
        match received(&self.buffer, with_head, &self.state, self.at).len().min(bytes_max) {
            0 => Ok(Next::Missing),
            received => Ok(self.pass(0, usize::try_from(bytes).unwrap_or(usize::MAX).min(received))),
        }
    }

    /// The same of a chunked body, whose framing it passes over.
    #[inline(never)]
    fn next_of_chunks(&mut self, with_head: &[u8], bytes_max: usize) -> Result<Next, Refusal> {
        loop {
            let received = received(&self.buffer, with_head, &self.state, self.at);
            let received = &received[..received.len().min(bytes_max)];
            let Some(decoder) = &mut self.state.chunked else { return Ok(Next::End) };
            if received.is_empty() {
                return Ok(Next::Missing);
            }
            match decoder.decode(received)? {
                Chunk::Data { skip, length } => return Ok(self.pass(skip, length)),
                Chunk::Partial => self.at += received.len(),
                Chunk::End { skip } => {
                    self.at += skip;
                    return Ok(Next::End);
                }
            }
        }
    }

    /// Passes over `skip` bytes of framing and `length` bytes of data.
    fn pass(&mut self, skip: usize, length: usize) -> Next {
        self.at += skip + length;
        self.state.taken += length as u64;
        Next::Data(length)
    }

    /// The data that have been passed last, of that length.
    fn last(&self, length: usize) -> Piece {
        Piece { spilled: self.state.spilled, from: self.at - length, to: self.at }
    }

    /// Bytes that the chunk at hand still announces.
    fn announced(&self) -> u64 {
        self.state.chunked.as_ref().map_or(0, ChunkedDecoder::remaining)
    }

    /// Bytes that may still be handed out in one way.
    fn bound(&self, mode: Mode) -> u64 {
        if mode == Mode::Whole { self.state.budget.min(self.room() as u64) } else { self.state.budget }
    }

    /// Bytes of the buffer behind what has been collected. A body of known length that has fitted once needs no more.
    fn room(&self) -> usize {
        self.buffer.len() - self.state.collected
    }

    /// Bytes that have been collected and not been handed out.
    fn held(&self) -> usize {
        self.state.collected - self.state.handed_out
    }

    /// Whether the chunk at hand, of which `length` bytes have been passed, is above what may be handed out. It is judged by
    /// the size that it announces, so it does not matter how it was cut.
    fn exceeds(&self, mode: Mode, length: usize) -> bool {
        if self.state.chunked.is_none() {
            return false;
        }
        let bytes = self.announced() + length as u64;
        // Behind chunks there is always framing, for which a byte of the buffer must stay free.
        bytes > self.state.budget
            || mode == Mode::Whole && bytes > 0 && bytes >= (self.buffer.len() - self.held()) as u64
    }

    /// Of a chunk that exceeds that, `length` bytes have been passed. The decoder may have gone past bytes of it: without them
    /// nothing more is handed out.
    #[cold]
    fn exceed(&mut self, length: usize) -> Fault {
        (self.state.exceeded, self.state.passed_over) = (true, u32::try_from(length).unwrap_or(u32::MAX));
        self.state.taken -= length as u64;
        Fault::TooLarge
    }

    /// Adds a piece to what has been collected.
    fn collect(&mut self, piece: Piece, with_head: &[u8]) {
        let (collected, length) = (self.state.collected, piece.to - piece.from);
        if piece.spilled {
            // Without framing in between they are where they belong.
            self.buffer.copy_within(piece.from..piece.to, collected);
        } else if let (Some(room), Some(bytes)) =
            (self.buffer.get_mut(collected..collected + length), with_head.get(piece.from..piece.to))
        {
            room.copy_from_slice(bytes);
        }
        self.state.collected += length;
    }

    /// What a cancelled `whole` has collected, `bytes_max` bytes of it at the most.
    #[cold]
    fn collected(&mut self, bytes_max: usize) -> Piece {
        let from = self.state.handed_out;
        let to = from + self.held().min(bytes_max);
        self.state.handed_out = to;
        if self.held() == 0 {
            (self.state.collected, self.state.handed_out) = (0, 0);
        }
        Piece { spilled: true, from, to }
    }
}

impl<'r> Reader<'r> {
    pub(crate) fn new(shared: &'r Shared, bytes: &'r [u8]) -> Self {
        Reader { shared, bytes, lease: None, piece: None }
    }

    /// Takes the lease. `false`: somebody else has it.
    fn borrow(&mut self) -> bool {
        if self.lease.is_none() {
            self.lease = self.shared.body.try_borrow_mut().ok();
        }
        self.lease.is_some()
    }

    /// From now on nothing is wanted of the body but its end. `false`: somebody else has the lease.
    #[cold]
    #[inline(never)]
    pub(crate) fn drain(&mut self) -> bool {
        if !self.borrow() {
            return false;
        }
        let bytes_max = self.shared.limits.drain_bytes_max;
        self.with_body(|body| {
            // How much of what is too large came at once must not matter: what was passed over counts, too.
            let budget = bytes_max.checked_sub(body.state.passed_over);
            (body.state.exceeded, body.state.collected, body.state.handed_out) = (budget.is_none(), 0, 0);
            body.state.budget = budget.unwrap_or(0).into();
        });
        true
    }

    /// What was read last.
    pub(crate) fn piece(&self) -> Option<&[u8]> {
        let Piece { spilled, from, to } = self.piece?;
        let bytes = if spilled { &self.lease.as_ref()?.buffer } else { self.bytes };
        bytes.get(from..to)
    }

    /// Gives the lease back and waits for the port to receive more.
    fn wait(&mut self, context: &Context<'_>) -> Poll<Result<(), Fault>> {
        let shared = self.shared;
        let overdue = shared.request.get().drain == Drain::Overdue;
        if overdue || shared.connection.get().ended {
            return self.fail(if overdue { Fault::Late } else { Fault::Closed });
        }
        shared.waiters.register(context);
        if shared.request.get().expects_continue {
            let interim = shared.output.try_borrow_mut().is_ok_and(|mut output| {
                // An interim response has no place behind the final one's head (RFC 9110 section 15.2).
                output.exchange.begun || output.put_interim(CONTINUE)
            });
            if !interim {
                shared.turn.change(|turn| turn.wants_room = true);
                return Poll::Pending;
            }
            shared.request.change(|request| request.expects_continue = false);
        }
        self.lease = None;
        shared.turn.change(|turn| turn.wants_body = true);
        Poll::Pending
    }

    /// Nothing more can be had, and the next request cannot be found.
    #[cold]
    fn fail(&mut self, fault: Fault) -> Poll<Result<(), Fault>> {
        self.shared.cannot_go_on(match fault {
            Fault::TooLarge | Fault::Lent => EndReason::Unread,
            Fault::Closed => EndReason::PeerClosed,
            Fault::Late => EndReason::Deadline(Deadline::Body),
            Fault::Refused(refusal) => EndReason::Protocol(refusal),
        });
        if let Some(body) = &mut self.lease {
            body.state.fault = Some(fault);
        }
        Poll::Ready(Err(fault))
    }

    /// Reads on, a [`piece`](Reader::piece) of `bytes_max` bytes at the most.
    #[inline(never)]
    fn poll(&mut self, context: &Context<'_>, mode: Mode, bytes_max: usize) -> Poll<Result<(), Fault>> {
        let shared = self.shared;
        if !self.borrow() {
            return Poll::Ready(Err(Fault::Lent));
        }
        let Some(body) = self.lease.as_deref_mut() else { return Poll::Ready(Err(Fault::Lent)) };
        body.fresh = false;
        loop {
            let unread = shared.request.get().unread;
            if matches!(unread, Framing::Empty) {
                // All of it has been collected in the buffer, or handed out.
                let (from, to) = (take(&mut body.state.handed_out), take(&mut body.state.collected));
                self.piece = (mode == Mode::Whole).then_some(Piece { spilled: true, from, to });
                return Poll::Ready(Ok(()));
            }
            if let Some(fault) = body.state.fault {
                return Poll::Ready(Err(fault));
            }
            if body.state.exceeded || matches!(unread, Framing::Length(bytes) if bytes > body.bound(mode)) {
                return Poll::Ready(Err(Fault::TooLarge));
            }
            if body.state.collected > 0 && mode == Mode::Piece {
                self.piece = Some(body.collected(bytes_max));
                return Poll::Ready(Ok(()));
            }
            let (piece, length) = match body.next(unread, self.bytes, bytes_max) {
                Ok(Next::Data(length)) => (body.last(length), length),
                Ok(Next::Missing) if body.exceeds(mode, 0) => return Poll::Ready(Err(body.exceed(0))),
                Ok(Next::Missing) => {
                    body.make_room();
                    return self.wait(context);
                }
                Ok(Next::End) => {
                    shared.request.change(|request| request.unread = Framing::Empty);
                    continue;
                }
                Err(refusal) => return self.fail(Fault::Refused(refusal)),
            };
            if body.exceeds(mode, length) {
                return Poll::Ready(Err(body.exceed(length)));
            }
            let unread = behind(unread, length as u64);
            shared.request.change(|request| request.unread = unread);
            body.state.budget -= length as u64;
            let is_all = body.state.collected == 0 && matches!(unread, Framing::Empty);
            match mode {
                Mode::Drain => {}
                Mode::Whole if !is_all => body.collect(piece, self.bytes),
                Mode::Piece | Mode::Whole => {
                    self.piece = Some(piece);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    /// The whole body where it came with its head: nothing is moved and no lease is needed beyond this call.
    #[inline]
    fn whole_with_head(&mut self) -> Option<&'r [u8]> {
        let shared = self.shared;
        if self.lease.is_some() {
            return None;
        }
        let mut body = shared.body.try_borrow_mut().ok()?;
        // A bound of the handler's own is no reason to copy.
        if !body.fresh && (body.state.spilled || body.state.chunked.is_some() || body.state.taken != 0) {
            return None;
        }
        let length = match shared.request.get().unread {
            Framing::Empty => 0,
            Framing::Length(bytes) => usize::try_from(bytes).ok()?,
            Framing::Chunked => return None,
        };
        let received = self.bytes.len().checked_sub(body.at)?;
        // What fits must not depend on how it came.
        if length > received || length as u64 > body.state.budget || length > body.buffer.len() {
            return None;
        }
        let from = body.at;
        body.at = from + length;
        shared.request.change(|request| request.unread = Framing::Empty);
        self.bytes.get(from..body.at)
    }

    /// The whole body, in its own buffer, to be decoded there.
    #[cfg(feature = "serde")]
    pub(crate) async fn whole_to_change(&mut self) -> Result<&mut [u8], Error> {
        let received = self.whole_with_head();
        if received.is_none() {
            let read = poll_fn(|context| self.poll(context, Mode::Whole, usize::MAX)).await;
            read.map_err(|fault| self.error(fault, Mode::Whole))?;
        }
        if !self.borrow() {
            return Err(Fault::Lent.into());
        }
        let with_head = match self.piece {
            _ if received.is_some() => received,
            Some(Piece { spilled: false, from, to }) => self.bytes.get(from..to),
            _ => None,
        };
        let Some(body) = &mut self.lease else { return Err(Fault::Lent.into()) };
        // What has come with the head stays as it is: targets and fields stand there, and the next request. The buffer is empty then.
        let range = match (with_head, self.piece) {
            (Some(bytes), _) => {
                let room = body.buffer.get_mut(..bytes.len()).ok_or(TOO_LARGE)?;
                room.copy_from_slice(bytes);
                0..bytes.len()
            }
            (None, Some(Piece { from, to, .. })) => from..to,
            (None, None) => 0..0,
        };
        Ok(body.buffer.get_mut(range).unwrap_or_default())
    }

    /// Reads and drops what is left of the body, up to the bound of [`drain`](Reader::drain), and gives the lease back. Where
    /// the next request cannot be found, the connection does not go on.
    pub(crate) fn poll_drained(&mut self, context: &Context<'_>) -> Poll<()> {
        let Poll::Ready(drained) = self.poll(context, Mode::Drain, usize::MAX) else { return Poll::Pending };
        self.lease = None;
        // Where it failed for good this has been said.
        if drained == Err(Fault::TooLarge) {
            self.shared.cannot_go_on(EndReason::Unread);
        }
        Poll::Ready(())
    }

    /// Gives the lease back.
    pub(crate) fn release(&mut self) {
        self.lease = None;
    }

    /// Bytes that a cancelled `whole` has collected and nobody has read.
    pub(crate) fn held(&self) -> u64 {
        let held = self.lease.as_ref().map(|body| body.held());
        held.or_else(|| Some(self.shared.body.try_borrow().ok()?.held())).unwrap_or(0) as u64
    }

    fn with_body(&mut self, change: impl FnOnce(&mut BodyInput)) {
        let is_held = self.lease.is_some();
        if !self.borrow() {
            return;
        }
        if let Some(body) = &mut self.lease {
            body.fresh = false;
            change(body);
        }
        if !is_held {
            self.release();
        }
    }

    /// The next piece, `None` at the body's end.
    pub(crate) async fn read(&mut self, bytes_max: usize) -> Result<Option<&[u8]>, Error> {
        match poll_fn(|context| self.poll(context, Mode::Piece, bytes_max)).await {
            Ok(()) => Ok(self.piece()),
            Err(fault) => Err(self.error(fault, Mode::Piece)),
        }
    }

    /// A fault as an error, which tells the bound where there is one.
    #[cold]
    fn error(&mut self, fault: Fault, mode: Mode) -> Error {
        let mut bytes_max = None;
        if fault == Fault::TooLarge {
            self.with_body(|body| {
                let bound = body.state.taken + body.state.budget;
                let room = body.buffer.len() - usize::from(body.state.chunked.is_some());
                let read = body.state.taken - body.held() as u64;
                bytes_max = Some(if mode == Mode::Whole { bound.min(read + room as u64) } else { bound });
            });
        }
        let error = Error::from(fault);
        bytes_max.map_or(error, |bytes| error.at_most(bytes))
    }
}

/// The body of a request, lent by [`Request::body`](crate::Request::body).
///
/// The server discards what the handler leaves unread, after the response and up to
/// [`Limits::drain_bytes_max`](crate::Limits::drain_bytes_max). Beyond that the connection closes, and the response says so.
#[doc(alias = "httpd_req_recv")]
pub struct Body<'a, 'r> {
    pub(crate) reader: &'a mut Reader<'r>,
    /// What says how it is encoded.
    head: &'r Head,
}

impl<'a, 'r> Body<'a, 'r> {
    #[inline]
    pub(crate) fn new(reader: &'a mut Reader<'r>, head: &'r Head) -> Self {
        Body { reader, head }
    }

    /// The value of the first field of that name.
    pub(crate) fn field(&self, name: &str) -> Option<&'r [u8]> {
        tenure_proto::head::Fields::new(self.head.fields.of(self.reader.bytes)).first(name)
    }

    /// Bounds this body: more than that many bytes are answered 413. Instead of
    /// [`Limits::body_bytes_max`](crate::Limits::body_bytes_max). No effect once more have come.
    #[must_use]
    pub fn limit(self, bytes_max: u64) -> Self {
        self.reader.with_body(|body| {
            // Above its bound bytes have been passed over: what follows them must not be taken for the whole.
            if !body.state.exceeded {
                body.state.budget = bytes_max.saturating_sub(body.state.taken);
            }
        });
        self
    }

    /// The bytes that the head announced and that are still unread, those included that a cancelled [`whole`](Body::whole) has collected;
    /// `None` for a chunked body that is still to end.
    #[doc(alias = "content_len")]
    pub fn announced(&self) -> Option<u64> {
        let held = self.reader.held();
        match self.reader.shared.request.get().unread {
            Framing::Empty => Some(held),
            Framing::Length(bytes) => Some(held + bytes),
            Framing::Chunked => None,
        }
    }

    /// The next bytes, waiting for some if none are here; `None` at the body's end.
    /// [`save_to`](Body::save_to) writes all of them to a sink.
    ///
    /// # Errors
    /// 400: the framing is broken, or the peer closed before the end. 413: the body is above its bound.
    ///
    /// # Cancellation safety
    /// Safe: bytes are either returned or still unread.
    #[doc(alias = "httpd_req_recv")]
    pub async fn read(self) -> Result<Option<&'a [u8]>, Error> {
        let reader = self.reader;
        reader.read(usize::MAX).await
    }

    /// As [`read`](Body::read), but `bytes_max` bytes at the most, at least one: the others stay unread.
    ///
    /// # Errors
    /// As [`read`](Body::read).
    ///
    /// # Cancellation safety
    /// Safe: bytes are either returned or still unread.
    pub async fn read_up_to(self, bytes_max: usize) -> Result<Option<&'a [u8]>, Error> {
        let reader = self.reader;
        reader.read(bytes_max.max(1)).await
    }

    /// The whole body in one piece, without copying where it came with its head. It must fit the server's
    /// body buffer, of which a chunked body must leave one byte free. What has been read before is not part of it.
    ///
    /// # Errors
    /// As [`read`](Body::read).
    ///
    /// # Cancellation safety
    /// Safe: the next call goes on where this one was.
    pub fn whole(self) -> Whole<'a, 'r> {
        Whole { reader: Some(self.reader) }
    }

    /// The whole body as a value: white space around it is taken away.
    ///
    /// # Errors
    /// As [`read`](Body::read), and 400 where the text is not such a value.
    ///
    /// # Cancellation safety
    /// Safe: the next call goes on where this one was.
    #[inline]
    pub fn parse<T: FromText>(self) -> Parse<'a, 'r, T> {
        Parse { whole: self.whole(), value: PhantomData }
    }

    /// The whole body as text: UTF-8. It must fit the server's body buffer.
    ///
    /// # Errors
    /// As [`read`](Body::read), and 400 where it is not UTF-8, which tells the byte.
    ///
    /// # Cancellation safety
    /// Safe: the next call goes on where this one was.
    pub async fn text(self) -> Result<&'a str, Error> {
        str::from_utf8(self.whole().await?).map_err(|error| {
            let byte = u32::try_from(error.valid_up_to()).unwrap_or(u32::MAX);
            Error::bad_request("the body is not UTF-8").at_byte(byte)
        })
    }

    /// The whole body, on the heap. It may have `bytes_max` bytes at the most, whatever
    /// [`Limits::body_bytes_max`](crate::Limits::body_bytes_max) is, and need not fit the server's body buffer.
    ///
    /// # Errors
    /// As [`read`](Body::read), and 503 where there is no memory for it.
    ///
    /// # Cancellation safety
    /// Not safe: what was read before is lost to the next read.
    #[cfg(feature = "alloc")]
    pub async fn to_vec(self, bytes_max: usize) -> Result<alloc::vec::Vec<u8>, Error> {
        // What a head announces is no reason to take memory before it has come.
        const RESERVED_BYTES_MAX: u64 = 1 << 16;
        let body = self.limit(bytes_max as u64);
        let announced = body.announced().unwrap_or(0).min(RESERVED_BYTES_MAX).min(bytes_max as u64);
        let mut bytes = alloc::vec::Vec::new();
        bytes.try_reserve_exact(announced as usize).map_err(|_| NO_MEMORY)?;
        while let Some(piece) = body.reader.read(usize::MAX).await? {
            bytes.try_reserve(piece.len()).map_err(|_| NO_MEMORY)?;
            bytes.extend_from_slice(piece);
        }
        Ok(bytes)
    }

    /// The whole body, copied into `buffer`; returns the part that it fills.
    ///
    /// # Errors
    /// As [`read`](Body::read); a body larger than `buffer` is 413.
    ///
    /// # Cancellation safety
    /// Not safe: what was copied before is lost to the next read.
    pub async fn copy_into(self, buffer: &mut [u8]) -> Result<&mut [u8], Error> {
        let reader = self.reader;
        let (mut filled, bytes_max) = (0, buffer.len() as u64);
        // One byte more than there is room for shows that there are too many: how many more came with it must not matter.
        while let Some(bytes) = reader.read((buffer.len() - filled).saturating_add(1)).await? {
            let room = buffer.get_mut(filled..).and_then(|room| room.get_mut(..bytes.len()));
            room.ok_or(TOO_LARGE.at_most(bytes_max))?.copy_from_slice(bytes);
            filled += bytes.len();
        }
        Ok(&mut buffer[..filled])
    }
}

impl core::fmt::Debug for Body<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Body({:?} bytes unread)", self.announced())
    }
}

/// The future of [`Body::whole`].
#[must_use = "futures do nothing unless awaited"]
pub struct Whole<'a, 'r> {
    reader: Option<&'a mut Reader<'r>>,
}

impl<'a> Whole<'a, '_> {
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn bytes(&mut self, context: &Context<'_>) -> Poll<Result<&'a [u8], Fault>> {
        let Some(reader) = self.reader.take() else { return Poll::Pending };
        if let Some(bytes) = reader.whole_with_head() {
            return Poll::Ready(Ok(bytes));
        }
        match reader.poll(context, Mode::Whole, usize::MAX) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(reader.piece().unwrap_or_default())),
            unread => {
                self.reader = Some(reader);
                unread.map(|read| read.map(|()| &[][..]))
            }
        }
    }

    #[cold]
    fn error(&mut self, fault: Fault) -> Error {
        self.reader.as_mut().map_or_else(|| fault.into(), |reader| reader.error(fault, Mode::Whole))
    }
}

impl<'a> Future for Whole<'a, '_> {
    type Output = Result<&'a [u8], Error>;

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.bytes(context) {
            Poll::Ready(Ok(bytes)) => Poll::Ready(Ok(bytes)),
            Poll::Ready(Err(fault)) => Poll::Ready(Err(self.error(fault))),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// The future of [`Body::parse`].
#[must_use = "futures do nothing unless awaited"]
pub struct Parse<'a, 'r, T> {
    whole: Whole<'a, 'r>,
    value: PhantomData<fn() -> T>,
}

impl<T: FromText> Future for Parse<'_, '_, T> {
    type Output = Result<T, Error>;

    // Where a handler has it within itself, the value stays in a register.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // No combinators: each would copy the result once more.
        match self.whole.bytes(context) {
            Poll::Ready(Ok(bytes)) => Poll::Ready(T::from_text(bytes)),
            Poll::Ready(Err(fault)) => Poll::Ready(Err(self.whole.error(fault))),
            Poll::Pending => Poll::Pending,
        }
    }
}
