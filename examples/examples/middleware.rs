//! What stands around handlers: a log of how long each took, a guard in front of some, a page of one's own for errors, and fields that
//! every response carries.
//!
//! `cargo run --example middleware`, then
//! - `curl -i http://127.0.0.1:8080/`: answered, and a line on the server's terminal;
//! - `curl -i http://127.0.0.1:8080/nothing`: a page for 404;
//! - `curl -i http://127.0.0.1:8080/staff/door`: 403, as the guard stops it;
//! - `curl -i -H 'X-Word: open' http://127.0.0.1:8080/staff/door`: it lets those pass who know the word.

use std::time::Instant;

use tenure::{Error, Failed, Handler, Html, Next, Request, Router, Secured, Sent, get};
use tenure_linux::{Server, Settings};

/// Logs what was answered and how long that took.
async fn timed<'r, H: Handler<()>>(request: &mut Request<'r, ()>, next: Next<'_, 'r, H>) -> Result<Sent, Error> {
    let started = Instant::now();
    let answered = next.run(request).await;
    let status = match &answered {
        Ok(sent) => sent.status(),
        Err(error) => error.status(), // it becomes a response further out
    };
    println!("{} {}: {} in {:?}", request.method_token(), request.target(), status.code(), started.elapsed());
    answered
}

/// Lets those pass who know the word.
async fn guard<'r, H: Handler<()>>(request: &mut Request<'r, ()>, next: Next<'_, 'r, H>) -> Result<Sent, Error> {
    match request.field("x-word") {
        Some("open") => next.run(request).await,
        Some(_) => Err(Error::forbidden("that is not the word")),
        None => Err(Error::forbidden("send the word in an X-Word field")),
    }
}

/// A page for every error: the status is set already. An error may say what a client has sent, so it is escaped.
fn page(failed: &Failed<'_>) -> Html<String> {
    let (phrase, message) = (failed.status().phrase(), failed.to_string().replace('&', "&amp;").replace('<', "&lt;"));
    Html(format!("<!doctype html><title>{phrase}</title><h1>{phrase}</h1><p>{message}</p>\n"))
}

async fn hello(_: &mut Request<'_, ()>) -> &'static str {
    "hello\n"
}

async fn door(_: &mut Request<'_, ()>) -> &'static str {
    "the door is open\n"
}

fn main() -> Result<(), tenure_linux::Error> {
    // A middleware is around the routes of its own router: the guard around the staff's, the log around all.
    let staff = Router::new().route("/door", get(door)).wrap(guard);
    let app =
        Router::new().route("/", get(hello)).nest("/staff", staff).errors(page).fields(Secured::new()).wrap(timed);
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    println!("guarding http://{}/staff/door", server.local_addr());
    server.run(&app, &())
}
