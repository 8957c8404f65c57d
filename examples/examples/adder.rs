//! A session that lives on its connection: what a client adds up is gone when its socket closes.
//!
//! `cargo run --example adder`, then
//! - `curl -w '\n' -d 5 http://127.0.0.1:8080/adder http://127.0.0.1:8080/adder`: 5 and 10 over one connection;
//! - `curl -w '\n' -d five http://127.0.0.1:8080/adder`: 400, and why.

use tenure::{EndReason, Error, Request, Router, Session, get};
use tenure_linux::{Server, Settings};

/// What one client has added up over its connection.
struct Adder {
    sum: i64,
}

impl Session for Adder {
    fn end(self, reason: EndReason) {
        println!("the sum was {}: {reason}", self.sum);
    }
}

async fn read(request: &mut Request<'_, Adder>) -> i64 {
    request.session().map_or(0, |adder| adder.sum)
}

async fn add(request: &mut Request<'_, Adder>) -> Result<i64, Error> {
    let number: i64 = request.body().parse().await?; // not a number: 400, the sum stays
    let adder = request.session_or_insert_with(|| Adder { sum: 0 });
    adder.sum = adder.sum.checked_add(number).ok_or(Error::unprocessable("the sum would overflow"))?;
    Ok(adder.sum)
}

fn main() -> Result<(), tenure_linux::Error> {
    let app = Router::new().route("/adder", get(read).post(add));
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    println!("adding at http://{}/adder", server.local_addr());
    server.run(&app, &())
}
