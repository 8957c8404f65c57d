//! A request's body: whole, parsed, or in pieces, each with a bound.

use core::{
    cell::RefMut,
    future::{Future, poll_fn},
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use tenure_proto::{chunked::Chunk, refusal::Refusal, response::CONTINUE};

use crate::{
    Deadline, EndReason, Error,
    text::FromText,
    wire::{BROKEN_OFF, BodyInput, Line},
};

const TOO_LARGE: Error = Error::too_large("the body is larger than this target takes");

/// The octets of a request's body, and the lease on what has been received of them.
pub(crate) struct Reader<'r> {
    pub(crate) line: &'r Line,
    /// From the request's first octet to the last one that was received with its head.
    pub(crate) octets: &'r [u8],
    /// Given back to the port while the handler waits for more.
    lease: Option<RefMut<'r, BodyInput>>,
}

/// Where a piece of a body lies.
enum Piece {
    /// With the head, from there to there.
    Input(usize, usize),
    /// In the body's own buffer.
    Spilled(usize, usize),
}

impl<'r> Reader<'r> {
    pub(crate) fn new(line: &'r Line, octets: &'r [u8]) -> Self {
        Reader { line, octets, lease: None }
    }

    /// Of what no handler reads any more.
    #[inline(never)]
    pub(crate) fn draining(line: &'r Line, octets: &'r [u8]) -> Self {
        let mut reader = Reader::new(line, octets);
        reader.with_body(|body| {
            body.exceeded = false;
            body.limit = body.taken.saturating_add(u64::from(line.limits.drain_octets_max));
        });
        reader
    }

    fn piece<'a>(&'a self, piece: &Piece) -> &'a [u8] {
        match *piece {
            Piece::Input(from, to) => self.octets.get(from..to),
            Piece::Spilled(from, to) => self.lease.as_ref().and_then(|body| body.buffer.get(from..to)),
        }
        .unwrap_or_default()
    }

    /// Gives the lease back and waits for the port to receive more.
    fn wait(&mut self) -> Poll<Result<Option<Piece>, Error>> {
        let line = self.line;
        let overdue = line.rest_overdue.take();
        if overdue || line.ended.get() {
            let reason = if overdue { EndReason::Deadline(Deadline::Body) } else { EndReason::PeerClosed };
            if let Some(body) = &mut self.lease {
                body.lost = Some(reason);
            }
            line.reason.set(reason);
            line.output.borrow_mut().exchange.persistent = false;
            return Poll::Ready(Err(BROKEN_OFF));
        }
        if line.expects_continue.get() {
            let mut output = line.output.borrow_mut();
            // An interim response has no place behind the final one's head (RFC 9110 section 15.2).
            if !output.exchange.begun && !output.put(CONTINUE) {
                line.wants_room.set(true);
                return Poll::Pending;
            }
            line.expects_continue.set(false);
        }
        self.lease = None;
        line.wants_body.set(true);
        Poll::Pending
    }

    fn lost(&mut self, refusal: Refusal) -> Poll<Result<Option<Piece>, Error>> {
        let reason = EndReason::Protocol(refusal);
        if let Some(body) = &mut self.lease {
            body.lost = Some(reason);
        }
        self.line.reason.set(reason);
        self.line.output.borrow_mut().exchange.persistent = false;
        Poll::Ready(Err(refusal.into()))
    }

    /// The next piece that is here, of `octets_max` octets at the most; `None` at the end. `whole`: for a body that is put
    /// together in its buffer, behind what it has there already.
    // Where code counts for more than time, one way is enough.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn poll_next(&mut self, octets_max: usize, whole: bool) -> Poll<Result<Option<Piece>, Error>> {
        let line = self.line;
        let body = self.lease.get_or_insert_with(|| line.body.borrow_mut());
        let body = &mut **body;
        body.fresh = false;
        loop {
            let rest = line.rest.get();
            if rest == 0 {
                return Poll::Ready(Ok(None));
            }
            if let Some(error) = body.broken() {
                return Poll::Ready(Err(error));
            }
            let filled = body.filled;
            let room = if whole { body.buffer.len() - filled } else { usize::MAX };
            let bound = body.limit.saturating_sub(body.taken);
            if body.exceeded || body.taken > body.limit || rest != u64::MAX && rest > bound.min(room as u64) {
                return Poll::Ready(Err(TOO_LARGE));
            }
            if filled > 0 && !whole {
                // Put together for `whole`, which was given up: they come first, what is told of them behind the others.
                let octets = filled.min(octets_max);
                body.buffer[..filled].rotate_left(octets);
                body.filled -= octets;
                return Poll::Ready(Ok(Some(Piece::Spilled(filled - octets, filled))));
            }
            let from = body.at;
            let here = if body.spilled { body.buffer.get(from..body.end) } else { self.octets.get(from..) };
            let here = here.unwrap_or_default();
            if here.is_empty() {
                if body.missing() > bound.min(room.saturating_sub(1) as u64) {
                    body.exceeded = true;
                    return Poll::Ready(Err(TOO_LARGE));
                }
                (body.spilled, body.at, body.end) = (true, filled, filled);
                return self.wait();
            }
            let here = &here[..here.len().min(octets_max)];
            // A body of known length is all data.
            let chunk = match &mut body.chunked {
                Some(decoder) => decoder.decode(here),
                None => {
                    Ok(Chunk::Data { skip: 0, length: usize::try_from(rest).unwrap_or(usize::MAX).min(here.len()) })
                }
            };
            let (skip, length) = match chunk {
                Ok(Chunk::Data { skip, length }) => (skip, length),
                Ok(Chunk::Partial) => (here.len(), 0),
                Ok(Chunk::End { skip }) => {
                    line.rest.set(0);
                    (skip, 0)
                }
                Err(refusal) => return self.lost(refusal),
            };
            let from = from + skip;
            let to = from + length;
            body.at = to;
            if length == 0 {
                continue;
            }
            body.taken += length as u64;
            if body.chunked.is_none() {
                line.rest.set(rest - length as u64);
            } else if body.taken > body.limit || length >= room {
                // Behind chunks there is always framing, for which an octet of the buffer must be free: what fits does not
                // depend on how it came. The decoder has gone past these octets: without them nothing more is handed out.
                body.exceeded = true;
                return Poll::Ready(Err(TOO_LARGE));
            }
            return Poll::Ready(Ok(Some(if body.spilled { Piece::Spilled(from, to) } else { Piece::Input(from, to) })));
        }
    }

    /// The next piece that is here.
    fn poll_piece(&mut self, octets_max: usize) -> Poll<Result<Option<Piece>, Error>> {
        self.poll_next(octets_max, false)
    }

    /// The whole body where it came with its head: nothing is moved and no lease is needed beyond this call.
    #[inline]
    fn here(&mut self) -> Option<Piece> {
        let line = self.line;
        if self.lease.is_some() {
            return None;
        }
        let mut body = line.body.try_borrow_mut().ok()?;
        let rest = line.rest.get();
        let here = self.octets.len().checked_sub(body.at)?;
        // A bound of the handler's own is no reason to copy.
        if !body.fresh && (body.spilled || body.chunked.is_some() || body.taken != 0) {
            return None;
        }
        if rest > here as u64 || rest > body.limit {
            return None;
        }
        // What fits must not depend on how it came.
        if rest > body.buffer.len() as u64 {
            return None;
        }
        let from = body.at;
        let to = from + rest as usize;
        body.at = to;
        line.rest.set(0);
        Some(Piece::Input(from, to))
    }

    /// The whole body in one piece, put together in the body's buffer.
    #[inline(never)]
    fn poll_whole(&mut self) -> Poll<Result<Piece, Error>> {
        loop {
            let next = match self.poll_next(usize::MAX, true) {
                Poll::Ready(Ok(next)) => next,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            };
            // Whatever is not pending has the lease.
            let Some(body) = &mut self.lease else { return Poll::Pending };
            let filled = body.filled;
            let octets = match next {
                None => {
                    body.filled = 0;
                    return Poll::Ready(Ok(Piece::Spilled(0, filled)));
                }
                Some(Piece::Spilled(from, to)) => {
                    // Without framing in between they are where they belong.
                    if from != filled {
                        body.buffer.copy_within(from..to, filled);
                    }
                    to - from
                }
                Some(Piece::Input(from, to)) => {
                    if let (Some(room), Some(octets)) =
                        (body.buffer.get_mut(filled..filled + to - from), self.octets.get(from..to))
                    {
                        room.copy_from_slice(octets);
                    }
                    to - from
                }
            };
            body.filled = filled + octets;
        }
    }

    /// Reads and drops what is left of the body, up to the bound of a [`draining`](Reader::draining) reader. `Err`: the next
    /// request cannot be found.
    pub(crate) fn poll_drained(&mut self) -> Poll<Result<(), EndReason>> {
        loop {
            match self.poll_piece(usize::MAX) {
                Poll::Ready(Ok(Some(_))) => {}
                Poll::Ready(Ok(None)) => return Poll::Ready(Ok(())),
                Poll::Ready(Err(_)) => {
                    let lost = self.lease.as_ref().and_then(|body| body.lost);
                    return Poll::Ready(Err(lost.unwrap_or(EndReason::Unread)));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Gives the lease back: what was read is not needed any more.
    #[inline]
    pub(crate) fn release(&mut self) {
        self.lease = None;
    }

    fn with_body(&mut self, change: impl FnOnce(&mut BodyInput)) {
        let change = |body: &mut BodyInput| {
            body.fresh = false;
            change(body);
        };
        match &mut self.lease {
            Some(body) => change(body),
            None => {
                if let Ok(mut body) = self.line.body.try_borrow_mut() {
                    change(&mut body);
                }
            }
        }
    }
}

/// The body of a request, lent by [`Request::body`](crate::Request::body).
///
/// What of it a handler does not read is read and dropped after the response, up to
/// [`Limits::drain_octets_max`](crate::Limits::drain_octets_max); beyond, the connection closes and the response says so.
pub struct Body<'a, 'r> {
    reader: &'a mut Reader<'r>,
}

impl<'a, 'r> Body<'a, 'r> {
    #[inline]
    pub(crate) fn new(reader: &'a mut Reader<'r>) -> Self {
        Body { reader }
    }

    /// Bounds this body: more than that many octets are answered 413. Instead of
    /// [`Limits::body_octets_max`](crate::Limits::body_octets_max). No effect once more have come.
    #[must_use]
    pub fn limit(self, octets_max: u64) -> Self {
        self.reader.with_body(|body| {
            // Above its bound octets have been passed over: what follows them must not be taken for the whole.
            if !body.exceeded {
                body.limit = octets_max;
            }
        });
        self
    }

    /// The octets that the head announced and that are still unread; `None` for a chunked body.
    pub fn announced(&self) -> Option<u64> {
        let rest = self.reader.line.rest.get();
        (rest != u64::MAX).then_some(rest)
    }

    /// The next octets, waiting for some where none are here; `None` at the body's end.
    ///
    /// # Errors
    /// 400: the framing is broken, or the peer closed before the end. 413: the body is above its bound.
    ///
    /// # Cancellation safety
    /// Safe: octets are either returned or still unread.
    pub async fn read(self) -> Result<Option<&'a [u8]>, Error> {
        let reader = self.reader;
        let piece = poll_fn(|_| reader.poll_piece(usize::MAX)).await?;
        Ok(piece.map(|piece| reader.piece(&piece)))
    }

    /// As [`read`](Body::read), but `octets_max` octets at the most, at least one: the others stay unread.
    ///
    /// # Errors
    /// As [`read`](Body::read).
    ///
    /// # Cancellation safety
    /// Safe: octets are either returned or still unread.
    pub async fn read_up_to(self, octets_max: usize) -> Result<Option<&'a [u8]>, Error> {
        let reader = self.reader;
        let piece = poll_fn(|_| reader.poll_piece(octets_max.max(1))).await?;
        Ok(piece.map(|piece| reader.piece(&piece)))
    }

    /// The whole body in one piece, without copying where it came with its head. It must fit the lane's body buffer; of
    /// that, a chunked body must leave one octet free. What has been read already is no part of it.
    ///
    /// # Errors
    /// As [`read`](Body::read).
    ///
    /// # Cancellation safety
    /// Safe: asked again it goes on.
    #[inline]
    pub fn whole(self) -> Whole<'a, 'r> {
        Whole { reader: Some(self.reader) }
    }

    /// The whole body as a value: white space around it is taken away.
    ///
    /// # Errors
    /// As [`read`](Body::read), and 400 where the text is not such a value.
    ///
    /// # Cancellation safety
    /// Safe: asked again it goes on.
    #[inline]
    pub fn parse<T: FromText>(self) -> Parse<'a, 'r, T> {
        Parse { whole: self.whole(), value: PhantomData }
    }

    /// The whole body, copied into `buffer`; returns the part that it fills.
    ///
    /// # Errors
    /// As [`read`](Body::read); a body larger than `buffer` is 413.
    ///
    /// # Cancellation safety
    /// Not: what was copied already is read.
    pub async fn copy_into(self, buffer: &mut [u8]) -> Result<&mut [u8], Error> {
        let reader = self.reader;
        let mut filled = 0;
        while let Some(piece) = poll_fn(|_| reader.poll_piece(usize::MAX)).await? {
            let octets = reader.piece(&piece);
            let room = buffer.get_mut(filled..).and_then(|room| room.get_mut(..octets.len()));
            room.ok_or(TOO_LARGE)?.copy_from_slice(octets);
            filled += octets.len();
        }
        Ok(&mut buffer[..filled])
    }
}

impl core::fmt::Debug for Body<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Body({:?} octets unread)", self.announced())
    }
}

/// The future of [`Body::whole`].
#[must_use = "futures do nothing unless awaited"]
pub struct Whole<'a, 'r> {
    reader: Option<&'a mut Reader<'r>>,
}

impl<'a> Future for Whole<'a, '_> {
    type Output = Result<&'a [u8], Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(reader) = self.reader.take() else { return Poll::Pending };
        let piece = match reader.here() {
            Some(piece) => piece,
            None => match reader.poll_whole() {
                Poll::Ready(Ok(piece)) => piece,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.reader = Some(reader);
                    return Poll::Pending;
                }
            },
        };
        Poll::Ready(Ok(reader.piece(&piece)))
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
        match Pin::new(&mut self.whole).poll(context) {
            Poll::Ready(Ok(octets)) => Poll::Ready(T::from_text(octets)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}
