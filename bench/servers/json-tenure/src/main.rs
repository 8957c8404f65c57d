//! JSON both ways on tenure: one thread. As on the others, the value owns its text.

use std::{
    io::{self, Write as _},
    net::Ipv4Addr,
    num::NonZeroUsize,
};

use serde::{Deserialize, Serialize};
use tenure::{Error, Json, Request, Router, post};
use tenure_linux::{Server, Settings};

type Failure = Box<dyn std::error::Error>;

#[derive(Serialize, Deserialize)]
struct Value {
    a: u32,
    b: String,
    c: bool,
}

fn main() -> Result<(), Failure> {
    let settings = Settings { threads: NonZeroUsize::new(1), ..Settings::at((Ipv4Addr::LOCALHOST, 0).into()) };
    let server = Server::bind(settings)?;
    println!("listening on {}", server.local_addr());
    io::stdout().flush()?;
    Ok(server.run(&Router::new().route("/json", post(change)), &())?)
}

async fn change(request: &mut Request<'_, ()>) -> Result<Json<Value>, Error> {
    let Value { a, b, c } = request.body().json().await?;
    Ok(Json(Value { a: a.wrapping_add(1), b, c: !c }))
}
