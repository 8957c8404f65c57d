//! How an exchange ends that is not plainly done: an error as a response, and what is left of the body.

use core::task::{Context, Poll};

use tenure_proto::status::StatusCode;

use crate::{
    EndReason, Error, Handler, Observer,
    engine::{input::Fault, output::Exchange, state::Change, wire::Shared},
    exchange::body::Reader,
    exchange::reply::{IntoResponse, Outcome, Reply},
    exchange::responder::Answer,
};

/// Finishes an exchange that is not plainly done: an error to be answered, a body not read to its end.
pub(crate) struct Conclusion<'a, 'r, S, A: Handler<S>> {
    answer: Answer<'a, 'r>,
    /// What is answered instead of what the handler has not.
    failure: Option<Failure<'a, S, A>>,
    /// A response has been begun that cannot be finished.
    is_reset: bool,
}

impl<'a, 'r, S, A: Handler<S>> Conclusion<'a, 'r, S, A> {
    pub(crate) fn new(
        shared: &Shared,
        app: &'a A,
        reader: &'a mut Reader<'r>,
        path: &'a [u8],
        error: Option<Error>,
    ) -> Self {
        let mut conclusion = Conclusion { answer: Answer::new(reader), failure: None, is_reset: false };
        if let Some(error) = error {
            if error.status() == StatusCode::INTERNAL_SERVER_ERROR {
                log::error!("connection {}: {error}", shared.id.get());
            }
            let Exchange { begun, done, .. } = shared.output.borrow().exchange;
            conclusion.is_reset = begun && !done;
            if conclusion.is_reset && !matches!(shared.connection.get().reason, EndReason::Deadline(_)) {
                shared.connection.change(|connection| connection.reason = EndReason::Aborted);
            }
            if !begun && !done {
                conclusion.failure = Some(Failure { error, app, path, page: Page::Unasked });
            }
        }
        conclusion
    }

    /// Ready when it is finished. Returns whether the connection is to be reset.
    pub(crate) fn poll(&mut self, context: &Context<'_>, shared: &Shared, observer: &impl Observer) -> Poll<bool> {
        if let Some(failure) = &mut self.failure {
            match self.answer.poll(context, failure) {
                Poll::Ready(Ok(_)) => self.failure = None,
                Poll::Ready(Err(_)) => {
                    shared.connection.change(|connection| connection.reason = EndReason::Aborted);
                    return Poll::Ready(true);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        if !self.is_reset && self.answer.poll_rest(context).is_pending() {
            return Poll::Pending;
        }
        shared.tell_refused(observer);
        Poll::Ready(self.is_reset)
    }
}

/// An error as a response: the application's own for its status, or a line of text.
struct Failure<'a, S, A: Handler<S>> {
    error: Error,
    app: &'a A,
    path: &'a [u8],
    page: Page<A::Page>,
}

/// The application's own response for an error. It is made once: nothing that has been announced may change.
enum Page<P> {
    Unasked,
    Made(P),
    /// There is none, or it could not be written.
    None,
}

/// Text of which what does not fit is cut off.
struct ErrorLine(heapless::Vec<u8, 192>);

impl ErrorLine {
    #[inline(never)]
    fn put(&mut self, text: &[u8]) {
        // One byte is kept for the line's end.
        let room = self.0.capacity() - 1 - self.0.len();
        let mut bytes = text.len().min(room);
        // No character is cut in two: what is left out begins with one.
        while bytes > 0 && text.get(bytes).is_some_and(|byte| byte & 0xc0 == 0x80) {
            bytes -= 1;
        }
        let _ = self.0.extend_from_slice(text.get(..bytes).unwrap_or_default());
    }
}

impl<S, A: Handler<S>> IntoResponse for Failure<'_, S, A> {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        let status = self.error.status();
        if let Page::Unasked = self.page {
            self.page = self.app.error(&self.error, self.path).map_or(Page::None, Page::Made);
        }
        loop {
            reply.restart(status);
            if matches!(status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NO_CONTENT) && self.path != b"*" {
                reply.allow(&mut |tell| self.app.methods(self.path, tell));
            }
            let Page::Made(page) = &mut self.page else { break };
            match reply.ask(page) {
                Outcome::Failed(error) => {
                    log::error!("the response for an error {status} failed: {error}");
                    if reply.exchange().begun {
                        return Outcome::Failed(error);
                    }
                }
                outcome => return outcome,
            }
            self.page = Page::None;
        }
        if status.has_no_body() {
            return reply.empty();
        }
        // What failed on this side is logged; the client learns that it did.
        let is_internal = status == StatusCode::INTERNAL_SERVER_ERROR;
        let error = if is_internal { Error::internal("") } else { self.error };
        // As its `Display`, without a formatter.
        let mut line = ErrorLine(heapless::Vec::new());
        line.put(error.text().as_bytes());
        error.tell_detail(&mut |part| line.put(part));
        let _ = line.0.push(b'\n');
        reply.error_line(&line.0)
    }
}

impl Shared {
    /// Tells the observer of a body whose framing was broken.
    fn tell_refused(&self, observer: &impl Observer) {
        if let Ok(body) = self.body.try_borrow()
            && let Some(Fault::Refused(refusal)) = body.state.fault
        {
            observer.refused(self.id.get(), refusal);
        }
    }
}
