//! What a response has announced holds, whatever the application does: it is kept, or the connection is reset.

mod support;

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::pin,
    task::Poll,
};
use support::{Answers, every_way, feed, get, responses, small, text};
use tenure::{
    EndReason, Error, Failed, Handler, IntoResponse, Method, Next, Outcome, Reply, Request, Responder, Router, Sent,
    StatusCode, any,
    kit::{Server, Settings},
    respond,
};

async fn hello(_: &mut Request<'_, ()>) -> &'static str {
    "Hello World!"
}

async fn conflict(_: &mut Request<'_, ()>) -> Error {
    Error::conflict("why")
}

/// What comes of a response, a greeting asked for behind it: by value, through the responder, and as an error's page.
fn answers_in_each_way<R: IntoResponse + 'static>(
    settings: Settings,
    make: impl Fn() -> R + Copy + 'static,
) -> [Answers; 3] {
    let value = async move |_: &mut Request<'_, ()>| make();
    let send = async move |_: &mut Request<'_, ()>, responder: Responder<'_>| responder.send(make()).await;
    let bytes = get("/") + &get("/hello");
    let routes = || Router::new().route("/hello", any(hello));
    [
        feed(routes().route("/", any(value)), settings, [bytes.as_bytes()]),
        feed(routes().route("/", respond(Method::Get, send)), settings, [bytes.as_bytes()]),
        feed(
            routes().route("/", any(conflict)).error(StatusCode::CONFLICT, move |_| make()),
            settings,
            [bytes.as_bytes()],
        ),
    ]
}

#[track_caller]
fn assert_reset(answers: &Answers) {
    assert!(answers.reset && answers.ended == [EndReason::Aborted], "{answers:?}");
    assert!(!answers.bytes.escape_ascii().to_string().contains("Hello"), "{answers:?}");
}

/// The greeting has come, behind one response of that status.
#[track_caller]
fn assert_goes_on(answers: &Answers, status: u16) {
    assert!(!answers.closed, "{answers:?}");
    assert_eq!(answers.statuses(), [status, 200], "{answers:?}");
}

/// What a peer has not taken yet of the responses before one that cannot be finished, it still gets; of that one, nothing more.
#[test]
fn whole_responses_are_sent_before_a_reset() {
    async fn broken<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
        let mut stream = responder.stream(StatusCode::OK, &[]).await?;
        stream.write(b"begun").await?;
        Err(Error::internal("it cannot go on"))
    }
    async fn panics(_: &mut Request<'_, ()>) -> Error {
        panic!("on purpose")
    }
    for (target, whole) in [("/broken", 0), ("/broken", 1), ("/broken", 3), ("/panic", 0), ("/panic", 1), ("/panic", 3)]
    {
        for takes in [1, 7, 1_000] {
            let app = Router::new()
                .route("/", any(hello))
                .route("/broken", respond(Method::Get, broken))
                .route("/panic", any(panics))
                .error(StatusCode::INTERNAL_SERVER_ERROR, |_| -> &'static str { panic!("on purpose, too") });
            let mut server = Server::new(app);
            let client = server.connect();
            client.set_window(0);
            client.send(get("/").repeat(whole) + &get(target));
            server.run();
            assert_eq!((client.is_reset(), server.ended().is_empty()), (whole == 0, whole > 0), "{target} {whole}");
            let mut received = Vec::new();
            client.set_window(takes);
            for _ in 0..10_000 {
                server.run();
                received.extend(client.received());
            }
            let case = format!("{target} {whole} {takes}: {}", received.escape_ascii());
            assert!(
                client.is_reset() && server.ended().iter().map(|(_, reason)| *reason).eq([EndReason::Aborted]),
                "{case}"
            );
            assert_eq!(received.escape_ascii().to_string().matches("Hello World!").count(), whole, "{case}");
        }
    }
}

/// It does not wait for longer than a response may take.
#[test]
fn a_peer_that_takes_nothing_is_reset_in_time() {
    let app =
        Router::new().route("/", any(hello)).route("/changing", any(async |_: &mut Request<'_, ()>| Changing(5, 4)));
    let mut server = Server::new(app);
    let client = server.connect();
    client.set_window(0);
    client.send(get("/") + &get("/changing"));
    let response_ms = Settings::default().deadlines.response_ms;
    server.advance(response_ms - 1);
    assert!(!client.is_reset());
    server.advance(1);
    assert!(client.is_reset());
}

/// A body of the first length, then of the second.
struct Changing(usize, usize);

impl IntoResponse for Changing {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        let bytes = std::mem::replace(&mut self.0, self.1);
        reply.status(StatusCode::CONFLICT).body(text(bytes))
    }
}

#[test]
fn a_body_of_another_length_than_announced_resets() {
    for then in [0, 10, 2_999, 3_000, 3_001, 20_000] {
        for answers in answers_in_each_way(small(16), move || Changing(3_000, then)) {
            if then == 3_000 {
                assert_goes_on(&answers, 409);
            } else {
                assert_reset(&answers);
            }
        }
    }
    // What has never been announced may change: the first fits.
    for answers in answers_in_each_way(small(16), || Changing(20, 30)) {
        assert_goes_on(&answers, 409);
    }
}

/// Says that it is another one each time that it is asked.
struct Failing(bool);

impl IntoResponse for Failing {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        if std::mem::replace(&mut self.0, true) {
            return Outcome::Failed(Error::unprocessable("the template is gone"));
        }
        reply.body(text(3_000))
    }
}

#[test]
fn a_response_that_fails_midway_resets() {
    for answers in answers_in_each_way(small(16), || Failing(false)) {
        assert_reset(&answers);
    }
    let [value, send, page] = answers_in_each_way(small(16), || Failing(true));
    assert_goes_on(&value, 422);
    assert_goes_on(&send, 422);
    assert_goes_on(&page, 409);
    assert_eq!(page.responses()[0].text(), "why\n");
}

/// Writes a second body behind the first, and returns the outcome of one of them.
struct Twice {
    bodies: [usize; 2],
    first: bool,
}

impl IntoResponse for Twice {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        let outcomes = self.bodies.map(|bytes| match bytes {
            0 => reply.empty(),
            bytes => reply.body(text(bytes)),
        });
        let [first, second] = outcomes;
        if self.first { first } else { second }
    }
}

#[test]
fn a_second_body_resets() {
    for bodies in [[0, 0], [0, 2], [2, 2], [2, 3], [3, 2], [200, 200], [1_000, 2], [2, 1_000], [1_000, 999]] {
        for first in [false, true] {
            for settings in [Settings::default(), small(16)] {
                for answers in answers_in_each_way(settings, move || Twice { bodies, first }) {
                    assert_reset(&answers);
                }
            }
        }
    }
}

/// A 404 whose page says each time how many there have been, at a length of its own.
fn counting(pages: &'static Cell<usize>) -> impl Handler<()> {
    Router::new().route("/", any(hello)).error(StatusCode::NOT_FOUND, |_: &Error| {
        let page = pages.get();
        pages.set(page + 1);
        format!("{page}: {}", "!".repeat(150 - page % 50))
    })
}

#[test]
fn an_errors_page_is_made_once() {
    let pages: &'static Cell<usize> = Box::leak(Box::default());
    let settings = Settings { output_bytes: 700, ..Settings::default() };
    let bytes = get("/nothing").repeat(20);
    let answers = feed(counting(pages), settings, [bytes.as_bytes()]);
    assert_eq!((answers.statuses(), pages.get()), (vec![404; 20], 20));
    for (page, response) in answers.responses().iter().enumerate() {
        assert_eq!(response.text(), format!("{page}: {}", "!".repeat(150 - page % 50)));
    }
    // Other errors ask for none.
    let answers = feed(counting(pages), settings, [get("/").as_bytes()]);
    assert_eq!((answers.statuses(), pages.get()), (vec![200], 20));
}

/// A wrapper by hand.
struct Passing<H>(H);

impl<S, H: Handler<S>> Handler<S> for Passing<H> {
    type Page = H::Page;

    async fn handle<'r>(&self, request: &mut Request<'r, S>, responder: Responder<'r>) -> Result<Sent, Error> {
        self.0.handle(request, responder).await
    }

    fn methods(&self, path: &[u8], tell: &mut dyn FnMut(&str)) {
        self.0.methods(path, tell);
    }

    fn error(&self, failed: &Failed<'_>) -> Option<H::Page> {
        self.0.error(failed)
    }
}

#[test]
fn a_wrapper_by_hand_passes_pages_on() {
    let pages: &'static Cell<usize> = Box::leak(Box::default());
    let answers = feed(Passing(counting(pages)), small(16), [(get("/nothing") + &get("/")).as_bytes()]);
    assert_eq!((answers.statuses(), pages.get()), (vec![404, 200], 1));
}

/// Asks for room at that call, counted from 0, and says all at the others.
struct Asking(u32);

impl IntoResponse for Asking {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        let Some(calls) = self.0.checked_sub(1) else { return Outcome::Full };
        self.0 = calls;
        reply.status(StatusCode::CONFLICT).body(text(3_000))
    }
}

#[test]
fn room_asked_of_an_empty_output_is_an_error() {
    let [value, send, page] = answers_in_each_way(Settings::default(), || Asking(0));
    assert_goes_on(&value, 500);
    assert_goes_on(&send, 500);
    assert_goes_on(&page, 409);
    assert_eq!(page.responses()[0].text(), "why\n");
    // Once the head is out nothing can be said instead.
    for answers in answers_in_each_way(small(16), || Asking(1)) {
        assert_reset(&answers);
    }
    for answers in answers_in_each_way(Settings::default(), || Asking(1)) {
        assert_goes_on(&answers, 409);
    }
}

/// Asks for room until it is asked again.
struct Patient(bool);

impl IntoResponse for Patient {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        if std::mem::replace(&mut self.0, true) { reply.body("patient") } else { Outcome::Full }
    }
}

#[test]
fn room_asked_of_an_output_with_bytes_is_given() {
    let patient = async |_: &mut Request<'_, ()>| Patient(false);
    let app = Router::new().route("/hello", any(hello)).route("/", any(patient));
    let bytes = get("/hello") + &get("/") + &get("/hello");
    let answers = feed(app, Settings::default(), [bytes.as_bytes()]);
    let found = responses(&answers.bytes);
    assert_eq!(
        found.iter().map(support::Response::text).collect::<Vec<_>>(),
        ["Hello World!", "patient", "Hello World!"]
    );
}

thread_local! {
    /// A proof that was not returned.
    static KEPT: RefCell<Option<Sent>> = const { RefCell::new(None) };
}

/// Answers, and keeps the proof.
async fn keep<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
    let sent = responder.send("kept").await?;
    KEPT.set(Some(sent));
    Err(Error::conflict("this is answered already"))
}

fn kept() -> Result<Sent, Error> {
    KEPT.take().ok_or(Error::conflict("nothing is kept"))
}

async fn reuse<'r>(_: &mut Request<'r, ()>, _: Responder<'r>) -> Result<Sent, Error> {
    kept()
}

/// Begins a stream and drops it.
async fn begin_and_reuse<'r>(_: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
    responder.stream(StatusCode::OK, &[]).await?.write(b"some").await?;
    kept()
}

/// Lets the handler answer, and returns the other proof.
async fn answer_and_reuse<'r, H: Handler<()>>(
    request: &mut Request<'r, ()>,
    next: Next<'_, 'r, H>,
) -> Result<Sent, Error> {
    let own = next.run(request).await;
    if request.path() == "/exchanged" { kept() } else { own }
}

/// Does not let the handler answer.
async fn instead<'r, H: Handler<()>>(request: &mut Request<'r, ()>, next: Next<'_, 'r, H>) -> Result<Sent, Error> {
    if request.path() == "/instead" { kept() } else { next.run(request).await }
}

/// Gives the proof of another response for its own.
struct Forged;

impl IntoResponse for Forged {
    fn respond(&mut self, _: &mut Reply<'_>) -> Outcome {
        match kept() {
            Ok(sent) => Outcome::Sent(sent),
            Err(error) => Outcome::Failed(error),
        }
    }
}

fn keeping() -> impl Handler<()> {
    Router::new()
        .route("/keep", respond(Method::Get, keep))
        .route("/reuse", respond(Method::Get, reuse))
        .route("/begin", respond(Method::Get, begin_and_reuse))
        .route("/forged", any(async |_: &mut Request<'_, ()>| Forged))
        .route("/hello", any(hello))
        .route("/exchanged", any(hello))
        .route("/instead", any(hello))
        .wrap(answer_and_reuse)
        .wrap(instead)
        .error(StatusCode::NOT_FOUND, |_: &Error| Forged)
}

#[test]
fn the_proof_of_another_response_answers_nothing() {
    for (target, status) in
        [("/reuse", 500), ("/instead", 500), ("/forged", 500), ("/nothing", 404), ("/hello", 200), ("/exchanged", 200)]
    {
        let bytes = get("/keep") + &get(target) + &get("/hello");
        let answers = every_way(keeping, Settings::default(), &bytes);
        assert_eq!((answers.statuses(), answers.closed), (vec![200, status, 200], false), "{target}: {answers:?}");
    }
    let bytes = get("/keep") + &get("/begin") + &get("/hello");
    assert_reset(&feed(keeping(), Settings::default(), [bytes.as_bytes()]));
}

/// Announces 3,000 bytes, drops a write of them midway and writes that many behind it.
fn dropping(behind: usize) -> impl Handler<()> {
    let handler = async move |_: &mut Request<'_, ()>, responder: Responder<'_>| {
        let mut stream = responder.stream_of(StatusCode::OK, &[], 3_000).await?;
        let whole = text(3_000);
        {
            let mut write = pin!(stream.write(whole.as_bytes()));
            poll_fn(|context| {
                assert!(write.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
        }
        stream.write(text(behind).as_bytes()).await?;
        stream.finish().await
    };
    Router::new().route("/", respond(Method::Get, handler)).route("/hello", any(hello))
}

#[test]
fn a_write_dropped_midway_counts_what_it_has_sent() {
    let bytes = get("/") + &get("/hello");
    let settings = small(16);
    // It has filled the output, of which the head has taken a part.
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 3000\r\n\r\n".len();
    let behind = 3_000 - (settings.output_bytes - head);
    for (behind, whole) in [(0, false), (behind - 1, false), (behind, true), (behind + 1, false)] {
        let answers = feed(dropping(behind), settings, [bytes.as_bytes()]);
        if whole {
            assert_goes_on(&answers, 200);
        } else {
            assert_reset(&answers);
        }
    }
}
