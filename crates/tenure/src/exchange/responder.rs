//! The right to answer a request, once.

use core::{
    future::{pending, poll_fn},
    task::{Context, Poll},
};

use tenure_proto::{
    bytes::WORDS,
    framing::Framing,
    response::{CHUNK_SIZE_BYTES_MAX, Delimiter, LAST_CHUNK, chunk_size},
    status::StatusCode,
};

use crate::{
    EndReason, Error,
    engine::{
        output::BYTES,
        state::{Change, Drain},
        wire::Shared,
    },
    exchange::body::Reader,
    exchange::reply::{IntoResponse, Outcome, Reply, Sent},
};

/// The right to answer one request. It is used up by the answer, so that none is answered twice; and only an answer makes
/// the [`Sent`] that a handler must return, so that none is forgotten. The guide has a [chapter](crate::guide::answers) on answers.
///
/// # Examples
/// An answer that borrows from the request:
/// ```
/// use tenure::{Error, Method, Request, Responder, Router, Sent, respond};
///
/// async fn target<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
///     responder.send(request.target()).await
/// }
///
/// let app = Router::new().route("/{*rest}", respond(Method::Get, target));
/// # let _ = app;
/// ```
///
/// Answering twice does not compile:
/// ```compile_fail,E0382
/// use tenure::{Error, Request, Responder, Sent};
///
/// async fn twice<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
///     responder.send("one").await?;
///     responder.send("two").await
/// }
/// ```
///
/// Nor does forgetting to answer:
/// ```compile_fail,E0308
/// use tenure::{Error, Method, Request, Responder, Router, Sent, respond};
///
/// async fn never<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
///     drop(responder);
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Responder<'r> {
    // One word: it is handed through every layer of handlers.
    pub(crate) opened: &'r Opened<'r>,
}

/// The exchange that a responder answers.
#[derive(Debug)]
pub(crate) struct Opened<'r> {
    pub(crate) shared: &'r Shared,
    /// From the request's first byte to the last one that was received with its head.
    pub(crate) bytes: &'r [u8],
}

impl Opened<'_> {
    /// Answers at once where all of the body has been read and the response fits: what nearly every response does, without
    /// more state. Gives the response back where not: it may have been begun.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn send_now<R: IntoResponse>(&self, mut response: R) -> Result<Result<Sent, Error>, R> {
        let shared = self.shared;
        // Where code counts for more than time, an [`Answer`] is the one way for all responses.
        if !WORDS || !shared.request.get().is_read() {
            return Err(response);
        }
        match response.respond(&mut Reply::new(&mut shared.output.borrow_mut())) {
            Outcome::Sent(sent) => Ok(Ok(sent)),
            Outcome::Failed(error) => Ok(Err(error)),
            Outcome::Full => Err(response),
        }
    }
}

impl core::fmt::Debug for Shared {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Shared(connection {})", self.id.get())
    }
}

impl<'r> Responder<'r> {
    /// Answers with `response`, which may borrow from the request.
    ///
    /// # Errors
    /// The [`Error`] that the response is, or a field that it must not set; it is to be returned.
    ///
    /// # Cancellation safety
    /// Dropped before its end, the request is answered with 500, or the connection is reset where the response has begun.
    #[doc(alias("httpd_resp_send", "httpd_resp_sendstr"))]
    pub async fn send(self, response: impl IntoResponse) -> Result<Sent, Error> {
        self.opened.shared.make_no_room();
        let mut response = match self.opened.send_now(response) {
            Ok(result) => return result,
            Err(response) => response,
        };
        let mut reader = Reader::new(self.opened.shared, self.opened.bytes);
        let mut answer = Answer::new(&mut reader);
        poll_fn(|context| answer.poll(context, &mut response)).await
    }

    /// Begins a response whose length is not known: in chunks, or up to the close of the connection for an HTTP/1.0
    /// client. `fields` are names and values; without a Content-Type it is `application/octet-stream`. For HEAD, and of a status that
    /// has no content (204, 205, 304), the response ends at its head, and the handler is dropped here. Where more than
    /// [`Limits::drain_bytes_max`](crate::Limits::drain_bytes_max) of a chunked body turns out to be unread behind the response, the
    /// connection closes without having said so. The repository's example `stream` shows one.
    ///
    /// # Errors
    /// A field that must not be set.
    ///
    /// # Cancellation safety
    /// As [`send`](Responder::send).
    #[doc(alias = "httpd_resp_send_chunk")]
    pub async fn stream(self, status: StatusCode, fields: &[(&str, &str)]) -> Result<Stream<'r>, Error> {
        let bytes_max = u64::from(self.opened.shared.limits.drain_bytes_max);
        self.begin(status, &|reply| add(reply, fields), None, bytes_max).await
    }

    /// As [`stream`](Responder::stream), for a handler that goes on reading the request's body while it answers. However much of the
    /// body is still to come, the response does not say that the connection closes. If the handler then leaves more than
    /// [`Limits::drain_bytes_max`](crate::Limits::drain_bytes_max) unread, it closes all the same.
    ///
    /// # Errors
    /// A field that must not be set.
    ///
    /// # Cancellation safety
    /// As [`send`](Responder::send).
    pub async fn duplex(self, status: StatusCode, fields: &[(&str, &str)]) -> Result<Stream<'r>, Error> {
        self.begin(status, &|reply| add(reply, fields), None, u64::MAX).await
    }

    /// Begins a response of a body of exactly that many bytes.
    ///
    /// # Errors
    /// A field that must not be set.
    ///
    /// # Cancellation safety
    /// As [`send`](Responder::send).
    pub async fn stream_of(self, status: StatusCode, fields: &[(&str, &str)], bytes: u64) -> Result<Stream<'r>, Error> {
        let bytes_max = u64::from(self.opened.shared.limits.drain_bytes_max);
        self.begin(status, &|reply| add(reply, fields), Some(bytes), bytes_max).await
    }

    /// The same with fields that `fields` adds, each time it is asked.
    pub(crate) async fn stream_with(
        self,
        status: StatusCode,
        fields: &dyn Fn(&mut Reply<'_>),
        bytes: u64,
    ) -> Result<Stream<'r>, Error> {
        let bytes_max = u64::from(self.opened.shared.limits.drain_bytes_max);
        self.begin(status, fields, Some(bytes), bytes_max).await
    }

    /// `bytes_max`: bytes of the request's body that may be unread without the connection being closed.
    async fn begin(
        self,
        status: StatusCode,
        fields: &dyn Fn(&mut Reply<'_>),
        remaining: Option<u64>,
        bytes_max: u64,
    ) -> Result<Stream<'r>, Error> {
        let shared = self.opened.shared;
        shared.make_no_room();
        let is_reset = status == StatusCode::RESET_CONTENT;
        let has_no_content = is_reset || status.has_no_body();
        let delimiter = match remaining {
            // RFC 9110 section 15.3.6: its body is empty, but framed as any other.
            _ if is_reset => Delimiter::Length(0),
            Some(bytes) => Delimiter::Length(bytes),
            None if shared.output.borrow().exchange.is_http10() => Delimiter::Close,
            None => Delimiter::Chunked,
        };
        loop {
            {
                let mut output = shared.output.borrow_mut();
                shared.judge_rest(&mut output.exchange, bytes_max);
                let content_type = output.content_type.unwrap_or(BYTES);
                let mut reply = Reply::new(&mut output);
                reply.status(status);
                fields(&mut reply);
                if reply.end_head(delimiter, content_type)? {
                    if output.exchange.head_only || has_no_content {
                        // The response is complete: the lane drops the handler.
                        output.exchange.done = true;
                        break;
                    }
                    let chunked = delimiter == Delimiter::Chunked;
                    return Ok(Stream { shared, remaining, chunked, status });
                }
            }
            shared.room(usize::MAX).await;
        }
        shared.request.change(|request| request.ends_at_head = true);
        pending().await
    }
}

/// Adds fields by name and value.
fn add(reply: &mut Reply<'_>, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        reply.field(name, value);
    }
}

/// A response that is asked until all of it is written.
pub(crate) struct Answer<'a, 'r> {
    reader: &'a mut Reader<'r>,
    step: Step,
}

/// What is next for an [`Answer`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// What is left of the request's body is to be looked at.
    Settle,
    /// That is dropped.
    Drain,
    Write,
    /// The output was full.
    Room,
}

impl<'a, 'r> Answer<'a, 'r> {
    pub(crate) fn new(reader: &'a mut Reader<'r>) -> Self {
        Answer { reader, step: Step::Settle }
    }

    /// Settles what is left of the request's body, and asks the response until all of it is written: the same one each time.
    /// One copy of the code for all responses.
    #[inline(never)]
    pub(crate) fn poll(&mut self, context: &Context<'_>, response: &mut dyn IntoResponse) -> Poll<Result<Sent, Error>> {
        let shared = self.reader.shared;
        if self.step == Step::Settle {
            // What was read is not needed any more.
            self.reader.release();
            self.step = if shared.request.get().is_read() { Step::Write } else { self.settle() };
        }
        if self.step == Step::Drain {
            if self.reader.poll_drained(context).is_pending() {
                return Poll::Pending;
            }
            shared.request.change(|request| request.drain = Drain::None);
            self.step = Step::Write;
        }
        loop {
            if self.step == Step::Room && !shared.has_room(context, usize::MAX) {
                return Poll::Pending;
            }
            match Reply::new(&mut shared.output.borrow_mut()).ask(response) {
                Outcome::Sent(sent) => return Poll::Ready(Ok(sent)),
                Outcome::Failed(error) => return Poll::Ready(Err(error)),
                Outcome::Full => self.step = Step::Room,
            }
        }
    }

    /// Decides by what is left of the request's body whether the connection can go on after the response, before that
    /// says so. The length of a chunked rest is not known, so it is read first, up to the bound; not where the connection closes
    /// anyway.
    #[cold]
    fn settle(&mut self) -> Step {
        let shared = self.reader.shared;
        let request = shared.request.get();
        let persistent = shared.output.borrow().exchange.persistent;
        if request.unread != Framing::Chunked || request.expects_continue || !persistent {
            shared.judge_rest(&mut shared.output.borrow_mut().exchange, u64::from(shared.limits.drain_bytes_max));
        } else if self.reader.drain() {
            shared.request.change(|request| request.drain = Drain::Runs);
            return Step::Drain;
        }
        // Where a handler still holds a piece of the body it is read behind the response.
        Step::Write
    }

    /// Reads what is left of the request's body behind the response, where the connection goes on.
    pub(crate) fn poll_rest(&mut self, context: &Context<'_>) -> Poll<()> {
        let shared = self.reader.shared;
        if self.step != Step::Drain {
            if shared.request.get().is_read() || !shared.output.borrow().exchange.persistent {
                return Poll::Ready(());
            }
            self.step = Step::Drain;
            self.reader.drain();
        }
        self.reader.poll_drained(context)
    }
}

/// A response on its way, bytes given piece by piece.
///
/// Bytes go out when the handler waits for something, or when the output is full. A stream that is dropped before
/// [`finish`](Stream::finish), or that was given fewer bytes than announced, resets the connection: the peer must see
/// that something is missing.
///
/// # Examples
/// ```
/// use tenure::{Error, Method, Request, Responder, Router, Sent, StatusCode, kit::Server, respond};
///
/// async fn count<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
///     let mut stream = responder.stream(StatusCode::OK, &[("Content-Type", "text/plain")]).await?;
///     for number in ["one", "two"] {
///         stream.write(number.as_bytes()).await?;
///     }
///     stream.finish().await
/// }
///
/// let mut server = Server::new(Router::new().route("/count", respond(Method::Get, count)));
/// let client = server.connect();
/// client.send("GET /count HTTP/1.1\r\nHost: a\r\n\r\n");
/// server.run();
/// assert!(client.received_text().ends_with("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"));
/// ```
///
/// A stream that is not finished makes no [`Sent`]:
/// ```compile_fail,E0308
/// use tenure::{Error, Request, Responder, Sent, StatusCode};
///
/// async fn unfinished<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
///     let mut stream = responder.stream(StatusCode::OK, &[]).await?;
///     Ok(stream.write(b"some").await?)
/// }
/// ```
#[derive(Debug)]
pub struct Stream<'r> {
    shared: &'r Shared,
    /// Bytes still to come, where the head has told how many there are.
    remaining: Option<u64>,
    chunked: bool,
    status: StatusCode,
}

impl Stream<'_> {
    /// Sends bytes, waiting for the peer to take earlier ones where there is no room.
    ///
    /// # Errors
    /// More bytes than announced: 500, and the connection is reset.
    ///
    /// # Cancellation safety
    /// Not safe: some of the bytes may have been sent. Where the length was announced, only those count as written.
    #[doc(alias("httpd_resp_send_chunk", "httpd_resp_sendstr_chunk"))]
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        if self.remaining.is_some_and(|remaining| remaining < bytes.len() as u64) {
            return Err(Error::internal("a stream was given more bytes than announced"));
        }
        if bytes.is_empty() {
            // Whoever writes without an end must let others have their turn, also where nothing is sent.
            yield_once().await;
        }
        while !bytes.is_empty() {
            let framing = if self.chunked { CHUNK_SIZE_BYTES_MAX + 2 } else { 0 };
            self.shared.room((bytes.len() + framing).min(64)).await;
            let mut output = self.shared.output.borrow_mut();
            let piece = bytes.len().min(output.room().saturating_sub(framing));
            let (now, later) = bytes.split_at(piece);
            if self.chunked && piece > 0 {
                output.put(chunk_size(piece, &mut [0; CHUNK_SIZE_BYTES_MAX]));
                output.put(now);
                output.put(b"\r\n");
            } else {
                output.put(now);
            }
            // Piece by piece: a write that is dropped midway has sent what is counted here, and no more.
            self.count(piece);
            bytes = later;
        }
        Ok(())
    }

    /// Takes bytes off what has been announced.
    fn count(&mut self, bytes: usize) {
        if let Some(remaining) = &mut self.remaining {
            *remaining -= bytes as u64;
        }
    }

    /// Waits until the port has handed everything so far to the network.
    ///
    /// # Cancellation safety
    /// Safe.
    pub async fn flush(&mut self) {
        self.shared.room(usize::MAX).await;
    }

    /// Ends the response.
    ///
    /// # Errors
    /// Fewer bytes than announced: 500, and the connection is reset.
    ///
    /// # Cancellation safety
    /// Dropped before its end, the connection is reset.
    pub async fn finish(self) -> Result<Sent, Error> {
        if self.remaining.is_some_and(|remaining| remaining > 0) {
            return Err(Error::internal("a stream was given fewer bytes than announced"));
        }
        if self.chunked {
            self.shared.room(LAST_CHUNK.len()).await;
            self.shared.output.borrow_mut().put(LAST_CHUNK);
        }
        self.shared.output.borrow_mut().exchange.done = true;
        Ok(Sent { status: self.status })
    }
}

/// Pending once, and woken at once.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if core::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Shared {
    /// Pending until the output has room for that many bytes, or is empty.
    pub(crate) async fn room(&self, bytes: usize) {
        poll_fn(|context| if self.has_room(context, bytes) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Whether the output has room for that many bytes, or is empty. Where not, the port sees that it is waited for.
    fn has_room(&self, context: &Context<'_>, bytes: usize) -> bool {
        let has = self.output.borrow_mut().make_room(bytes);
        if !has {
            self.waiters.register(context);
            self.turn.change(|turn| turn.wants_room = true);
        }
        has
    }

    /// The response at hand is the connection's last.
    pub(crate) fn cannot_go_on(&self, reason: EndReason) {
        self.connection.change(|connection| connection.reason = reason);
        self.request.change(|request| request.last = true);
        // A response that is just being written cannot say so any more.
        if let Ok(mut output) = self.output.try_borrow_mut() {
            output.exchange.persistent = false;
        }
    }

    /// A handler changes its connection's pin, or makes or takes its session: that decides where the connection is kept while it
    /// is idle, and whether it makes room.
    #[cold]
    #[inline(never)]
    pub(crate) fn moves(&self) {
        self.connection.change(|connection| connection.moves = true);
        self.make_no_room();
    }

    /// A connection that was only to make room goes on after all, if nothing of the response is written yet.
    #[inline]
    pub(crate) fn make_no_room(&self) {
        if matches!(self.connection.get().reason, EndReason::MadeRoom) {
            self.go_on();
        }
    }

    #[cold]
    #[inline(never)]
    fn go_on(&self) {
        let connection = self.connection.get();
        if let Some(ending) = connection.ending
            && !connection.unread
            && !self.has_behind()
        {
            // Meanwhile the server stops: it is the last for that reason.
            return self.cannot_go_on(ending.into());
        }
        if let Ok(mut output) = self.output.try_borrow_mut()
            && !output.exchange.begun
        {
            output.exchange.persistent = true;
            self.connection.change(|connection| connection.reason = EndReason::PeerAsked);
            self.request.change(|request| request.last = false);
        }
    }

    /// What is left of the body decides whether the connection can go on: `bytes_max` of it at the most.
    #[inline(never)]
    fn judge_rest(&self, exchange: &mut crate::engine::output::Exchange, bytes_max: u64) {
        let request = self.request.get();
        if request.is_read() {
            return;
        }
        let failed = self.body.try_borrow().is_ok_and(|body| body.state.fault.is_some());
        let too_much = matches!(request.unread, Framing::Length(bytes) if bytes > bytes_max);
        if exchange.persistent && (failed || request.expects_continue || too_much) {
            exchange.persistent = false;
            if !failed {
                self.connection.change(|connection| connection.reason = EndReason::Unread);
            }
        }
    }
}
