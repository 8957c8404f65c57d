//! How an exchange ends that is not plainly done: an error as a response, and what is left of the body.

use core::{
    fmt,
    task::{Context, Poll},
};

use tenure_proto::{head::TargetForm, response::check_field, status::StatusCode, target};

use crate::{
    EndReason, Error, Handler, Observer,
    engine::{input::Fault, output::Exchange, state::Change, wire::Shared},
    exchange::body::Reader,
    exchange::error::Told,
    exchange::reasons::{Lent, Words},
    exchange::reply::{IntoResponse, Outcome, Reply},
    exchange::responder::Answer,
    route::unrouted::routed_path,
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
        target: &'a [u8],
        error: Option<Error>,
    ) -> Self {
        let reasons = reader.shared;
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
                conclusion.failure = Some(Failure {
                    told: Told::new(error),
                    lent: Lent::new(&reasons.reasons),
                    app,
                    target,
                    page: Page::Unasked,
                    is_bare: false,
                });
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

/// A request that is answered with an error, as a page for errors sees it: see [`Router::errors`](crate::Router::errors).
#[derive(Clone, Copy, Debug)]
pub struct Failed<'a> {
    told: &'a Told,
    /// What it says, where the lane keeps that.
    words: Words<'a>,
    /// As it was sent; empty where there is no request.
    target: &'a [u8],
    /// What of its path is left to the router at hand.
    path: &'a [u8],
}

impl<'a> Failed<'a> {
    fn new(told: &'a Told, words: Words<'a>, target: &'a [u8]) -> Self {
        Failed { told, words, target, path: path_of(target) }
    }

    /// The error, with the reason of an internal one, too, which a client must not see.
    pub fn error(&self) -> &'a Error {
        &self.told.error
    }

    /// The error's status.
    pub fn status(&self) -> StatusCode {
        self.told.error.status()
    }

    /// What a client may see of the error: what [`because`](Error::because) was given, else its reason, else the status's phrase; of an
    /// internal one (500) only that something failed.
    /// It may have text in it that a client has sent: a page of HTML escapes it. Displayed, the value tells more: which byte was wrong, or how
    /// many are allowed.
    pub fn message(&self) -> &'a str {
        let status = self.status();
        if status == StatusCode::INTERNAL_SERVER_ERROR { status.phrase() } else { self.words.of(self.told) }
    }

    /// The whole request-target as it was sent. Empty where none is known: the request could not be read, or its handler has panicked or
    /// taken too long.
    pub fn target(&self) -> &'a str {
        str::from_utf8(self.target).unwrap_or_default()
    }

    /// What of the target's path is left to the router at hand; empty where no target is known, and `*` for the server in general.
    pub(crate) fn path(&self) -> &'a [u8] {
        self.path
    }

    /// The same for a router that is nested in the one at hand.
    pub(crate) fn below(&self, path: &'a [u8]) -> Self {
        Failed { path, ..*self }
    }
}

/// What a client may see: the [`message`](Failed::message), and which byte was wrong, or how many are allowed.
impl fmt::Display for Failed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = f.write_str(self.message());
        if self.status() != StatusCode::INTERNAL_SERVER_ERROR {
            self.told.tell_detail(&mut |part| {
                written = written.and_then(|()| f.write_str(str::from_utf8(part).unwrap_or_default()));
            });
        }
        written
    }
}

/// The path from where the outermost router looks at it.
#[cold]
fn path_of(target: &[u8]) -> &[u8] {
    let form = match target {
        [] | b"*" => return target,
        [b'/', ..] => TargetForm::Origin,
        _ => TargetForm::Absolute,
    };
    routed_path(target::path(target, form))
}

/// An error as a response: the application's own for its status, or a line of text.
struct Failure<'a, S, A: Handler<S>> {
    told: Told,
    lent: Lent<'a>,
    app: &'a A,
    target: &'a [u8],
    page: Page<A::Page>,
    /// The fields of layers have no room beside it.
    is_bare: bool,
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
        // No layer has seen what was refused before there was a request.
        if A::HAS_FIELDS && !self.is_bare && !reply.exchange().begun && !reply.exchange().has_fields() {
            match reply.keep_fields(&mut |fields| self.app.preset(fields)) {
                Ok(true) => {}
                Ok(false) => return Outcome::Full,
                Err(error) => self.go_bare(&error),
            }
        }
        match self.write(reply) {
            Outcome::Failed(error) if reply.drop_fields() => {
                self.go_bare(&error);
                self.write(reply)
            }
            outcome => outcome,
        }
    }
}

impl<S, A: Handler<S>> Failure<'_, S, A> {
    /// Goes on without the fields of layers.
    #[cold]
    fn go_bare(&mut self, error: &Error) {
        log::error!("an error {} goes out without the fields of its layers: {error}", self.told.error.status());
        self.is_bare = true;
    }

    fn write(&mut self, reply: &mut Reply<'_>) -> Outcome {
        let status = self.told.error.status();
        if A::HAS_PAGES && matches!(self.page, Page::Unasked) {
            let ask = |words: Words<'_>| self.app.error(&Failed::new(&self.told, words, self.target));
            self.page = self.lent.with(ask).map_or(Page::None, Page::Made);
        }
        loop {
            reply.restart(status);
            if matches!(status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NO_CONTENT) && self.target != b"*" {
                reply.allow(&mut |tell| self.app.methods(path_of(self.target), tell));
            }
            for (name, value) in self.told.fields() {
                match check_field(name, value.as_bytes()) {
                    Ok(()) => drop(reply.field(name, value)),
                    Err(wrong) => {
                        log::error!("the field {name:?} of an error {status} is left out: {}", wrong.reason());
                    }
                }
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
        // As its `Display`, without a formatter.
        let mut line = ErrorLine(heapless::Vec::new());
        if is_internal {
            line.put(status.phrase().as_bytes());
        } else {
            self.lent.with(|words| line.put(words.of(&self.told).as_bytes()));
            self.told.tell_detail(&mut |part| line.put(part));
        }
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
