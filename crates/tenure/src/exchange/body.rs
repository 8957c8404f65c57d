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
    engine::wire::{BodyInput, Shared},
    exchange::text::FromText,
};

const TOO_LARGE: Error = Error::too_large("the body is too large");

/// Why nothing more can be had of a body. A byte, which a result holds in a register; what it says as an error comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is above its bound.
    TooLarge,
    /// The peer closed before its end.
    Closed,
    /// It has not come in time.
    Late,
    /// Its framing is broken.
    Refused(Refusal),
}

impl From<Fault> for Error {
    #[cold]
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooLarge => TOO_LARGE,
            Fault::Closed | Fault::Late => Error::bad_request("the peer closed within the body"),
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
enum Way {
    /// The next bytes that are here.
    Piece,
    /// Until all of it is here in one piece.
    Whole,
    /// To its end, for the sake of the connection alone.
    Drain,
}

impl<'r> Reader<'r> {
    pub(crate) fn new(shared: &'r Shared, bytes: &'r [u8]) -> Self {
        Reader { shared, bytes, lease: None, piece: None }
    }

    /// From now on nothing is wanted of the body but its end. `false`: somebody else has the lease.
    #[cold]
    #[inline(never)]
    pub(crate) fn drain(&mut self) -> bool {
        let shared = self.shared;
        if self.lease.is_none() {
            self.lease = shared.body.try_borrow_mut().ok();
        }
        let Some(body) = &mut self.lease else { return false };
        (body.fresh, body.exceeded, body.filled) = (false, false, 0);
        body.left = shared.limits.drain_bytes_max.into();
        true
    }

    /// What was read last.
    fn piece(&self) -> Option<&[u8]> {
        let Piece { spilled, from, to } = self.piece?;
        let bytes = if spilled { &self.lease.as_ref()?.buffer } else { self.bytes };
        bytes.get(from..to)
    }

    /// Gives the lease back and waits for the port to receive more.
    fn wait(&mut self) -> Poll<Result<(), Fault>> {
        let shared = self.shared;
        let overdue = shared.rest_overdue.take();
        if overdue || shared.ended.get() {
            return self.lost(if overdue { Fault::Late } else { Fault::Closed });
        }
        if shared.expects_continue.get() {
            let mut output = shared.output.borrow_mut();
            // An interim response has no place behind the final one's head (RFC 9110 section 15.2).
            if !output.exchange.begun && !output.put(CONTINUE) {
                shared.wants_room.set(true);
                return Poll::Pending;
            }
            shared.expects_continue.set(false);
        }
        self.lease = None;
        shared.wants_body.set(true);
        Poll::Pending
    }

    /// Nothing more can be had, and the next request cannot be found.
    #[cold]
    fn lost(&mut self, fault: Fault) -> Poll<Result<(), Fault>> {
        self.shared.cannot_go_on(match fault {
            Fault::TooLarge => EndReason::Unread,
            Fault::Closed => EndReason::PeerClosed,
            Fault::Late => EndReason::Deadline(Deadline::Body),
            Fault::Refused(refusal) => EndReason::Protocol(refusal),
        });
        if let Some(body) = &mut self.lease {
            body.lost = Some(fault);
        }
        Poll::Ready(Err(fault))
    }

    /// Reads on, a [`piece`](Reader::piece) of `bytes_max` bytes at the most.
    #[inline(never)]
    fn poll(&mut self, way: Way, bytes_max: usize) -> Poll<Result<(), Fault>> {
        let shared = self.shared;
        let body = self.lease.get_or_insert_with(|| shared.body.borrow_mut());
        let body = &mut **body;
        body.fresh = false;
        loop {
            let rest = shared.rest.get();
            let filled = body.filled;
            if rest == 0 {
                // Put together in the buffer, or nothing.
                self.piece = (way == Way::Whole).then_some(Piece { spilled: true, from: 0, to: filled });
                body.filled = 0;
                return Poll::Ready(Ok(()));
            }
            if let Some(fault) = body.lost {
                return Poll::Ready(Err(fault));
            }
            if body.exceeded {
                break;
            }
            let room = if way == Way::Whole { body.buffer.len() - filled } else { usize::MAX };
            let bound = usize::try_from(body.left).unwrap_or(usize::MAX).min(room);
            if rest != u64::MAX && rest > bound as u64 {
                break;
            }
            if filled > 0 && way == Way::Piece {
                // Put together for the whole, which was given up: they come first, what is told of them behind the others.
                let bytes = filled.min(bytes_max);
                body.buffer[..filled].rotate_left(bytes);
                body.filled -= bytes;
                self.piece = Some(Piece { spilled: true, from: filled - bytes, to: filled });
                return Poll::Ready(Ok(()));
            }
            let from = body.at;
            let here = if body.spilled { body.buffer.get(from..body.end) } else { self.bytes.get(from..) };
            let here = here.unwrap_or_default();
            if here.is_empty() {
                if body.missing() > bound.min(room.saturating_sub(1)) as u64 {
                    body.exceeded = true;
                    break;
                }
                (body.spilled, body.at, body.end) = (true, filled, filled);
                return self.wait();
            }
            let here = &here[..here.len().min(bytes_max)];
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
                    shared.rest.set(0);
                    (skip, 0)
                }
                Err(refusal) => return self.lost(Fault::Refused(refusal)),
            };
            let from = from + skip;
            let to = from + length;
            body.at = to;
            if length == 0 {
                continue;
            }
            body.taken += length as u64;
            if body.chunked.is_none() {
                shared.rest.set(rest - length as u64);
            } else if length > bound || length >= room {
                // Behind chunks there is always framing, for which a byte of the buffer must be free: what fits does not
                // depend on how it came. The decoder has gone past these bytes: without them nothing more is handed out.
                body.exceeded = true;
                break;
            }
            body.left -= length as u64;
            if way == Way::Drain {
                continue;
            }
            if way == Way::Whole && (filled > 0 || shared.rest.get() != 0) {
                if body.spilled {
                    // Without framing in between they are where they belong.
                    body.buffer.copy_within(from..to, filled);
                } else if let (Some(room), Some(bytes)) =
                    (body.buffer.get_mut(filled..filled + length), self.bytes.get(from..to))
                {
                    room.copy_from_slice(bytes);
                }
                body.filled += length;
                continue;
            }
            self.piece = Some(Piece { spilled: body.spilled, from, to });
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(Fault::TooLarge))
    }

    /// The whole body where it came with its head: nothing is moved and no lease is needed beyond this call.
    #[inline]
    fn here(&mut self) -> Option<&'r [u8]> {
        let shared = self.shared;
        if self.lease.is_some() {
            return None;
        }
        let mut body = shared.body.try_borrow_mut().ok()?;
        let rest = usize::try_from(shared.rest.get()).ok()?;
        let here = self.bytes.len().checked_sub(body.at)?;
        // A bound of the handler's own is no reason to copy.
        if !body.fresh && (body.spilled || body.chunked.is_some() || body.taken != 0) {
            return None;
        }
        if rest > here || rest as u64 > body.left {
            return None;
        }
        // What fits must not depend on how it came.
        if rest > body.buffer.len() {
            return None;
        }
        let from = body.at;
        body.at = from + rest;
        shared.rest.set(0);
        self.bytes.get(from..body.at)
    }

    /// Reads and drops what is left of the body, up to the bound of [`drain`](Reader::drain), and gives the lease back. Where
    /// the next request cannot be found, the connection does not go on.
    pub(crate) fn poll_drained(&mut self) -> Poll<()> {
        let Poll::Ready(drained) = self.poll(Way::Drain, usize::MAX) else { return Poll::Pending };
        self.lease = None;
        // Where it was lost this has been said.
        if drained == Err(Fault::TooLarge) {
            self.shared.cannot_go_on(EndReason::Unread);
        }
        Poll::Ready(())
    }

    /// Gives the lease back.
    #[inline]
    pub(crate) fn release(&mut self) {
        self.lease = None;
    }

    fn with_body(&mut self, change: impl FnOnce(&mut BodyInput)) {
        let mut lease;
        let body = match &mut self.lease {
            Some(body) => body,
            None => match self.shared.body.try_borrow_mut() {
                Ok(body) => {
                    lease = body;
                    &mut lease
                }
                Err(_) => return,
            },
        };
        body.fresh = false;
        change(body);
    }

    /// The next piece, `None` at the body's end.
    async fn read(&mut self, bytes_max: usize) -> Result<Option<&[u8]>, Error> {
        poll_fn(|_| self.poll(Way::Piece, bytes_max)).await?;
        Ok(self.piece())
    }
}

/// The body of a request, lent by [`Request::body`](crate::Request::body).
///
/// What of it a handler does not read is read and dropped after the response, up to
/// [`Limits::drain_bytes_max`](crate::Limits::drain_bytes_max); beyond, the connection closes and the response says so.
pub struct Body<'a, 'r> {
    reader: &'a mut Reader<'r>,
}

impl<'a, 'r> Body<'a, 'r> {
    #[inline]
    pub(crate) fn new(reader: &'a mut Reader<'r>) -> Self {
        Body { reader }
    }

    /// Bounds this body: more than that many bytes are answered 413. Instead of
    /// [`Limits::body_bytes_max`](crate::Limits::body_bytes_max). No effect once more have come.
    #[must_use]
    pub fn limit(self, bytes_max: u64) -> Self {
        self.reader.with_body(|body| {
            // Above its bound bytes have been passed over: what follows them must not be taken for the whole.
            if !body.exceeded {
                body.left = bytes_max.saturating_sub(body.taken);
            }
        });
        self
    }

    /// The bytes that the head announced and that are still unread; `None` for a chunked body.
    pub fn announced(&self) -> Option<u64> {
        let rest = self.reader.shared.rest.get();
        (rest != u64::MAX).then_some(rest)
    }

    /// The next bytes, waiting for some where none are here; `None` at the body's end.
    ///
    /// # Errors
    /// 400: the framing is broken, or the peer closed before the end. 413: the body is above its bound.
    ///
    /// # Cancellation safety
    /// Safe: bytes are either returned or still unread.
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

    /// The whole body in one piece, without copying where it came with its head. It must fit the lane's body buffer; of
    /// that, a chunked body must leave one byte free. What has been read already is no part of it.
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
        while let Some(bytes) = reader.read(usize::MAX).await? {
            let room = buffer.get_mut(filled..).and_then(|room| room.get_mut(..bytes.len()));
            room.ok_or(TOO_LARGE)?.copy_from_slice(bytes);
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
    fn bytes(&mut self) -> Poll<Result<&'a [u8], Fault>> {
        let Some(reader) = self.reader.take() else { return Poll::Pending };
        if let Some(bytes) = reader.here() {
            return Poll::Ready(Ok(bytes));
        }
        match reader.poll(Way::Whole, usize::MAX) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(reader.piece().unwrap_or_default())),
            Poll::Ready(Err(fault)) => Poll::Ready(Err(fault)),
            Poll::Pending => {
                self.reader = Some(reader);
                Poll::Pending
            }
        }
    }
}

impl<'a> Future for Whole<'a, '_> {
    type Output = Result<&'a [u8], Error>;

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.bytes().map_err(Error::from)
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
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        // No combinators: each would copy the result once more.
        match self.whole.bytes() {
            Poll::Ready(Ok(bytes)) => Poll::Ready(T::from_text(bytes)),
            Poll::Ready(Err(fault)) => Poll::Ready(Err(fault.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}
