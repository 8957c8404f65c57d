//! Which handler a request finds: parameters, routers in routers, methods of all kinds, and a route that comes and goes.
//!
//! `cargo run --example routes`, then, each with `http://127.0.0.1:8080` in front of the target,
//! - `curl …/sums/ten?from=5` and `curl …/sums/t%65n`: a parameter and a query, decoded;
//! - `curl …/shelves/7/books/moby%20dick/2`: the parameters of a nested router and of what is around it;
//! - `curl -X DELETE …/any`: one handler for all methods; `curl -X PURGE …/sums/ten`: a method of one's own;
//! - `curl -i -X DELETE …/sums/ten`: 405 with an Allow field; `curl -i -X OPTIONS …/sums/ten`: that field alone;
//! - `curl -X PUT -d 0 …/ctrl`, then `curl -i …/hello`: 404 until `curl -X PUT -d 1 …/ctrl`; the connections stay.

use tenure::{Error, Request, Router, Switch, any, get, put};
use tenure_linux::{Server, Settings};

/// Whether `/hello` is there.
static HELLO: Switch = Switch::on();

async fn hello(_: &mut Request<'_, ()>) -> &'static str {
    "Hello World!\n"
}

async fn control(request: &mut Request<'_, ()>) -> Result<&'static str, Error> {
    let on = match request.body().parse::<u8>().await? {
        0 => false,
        1 => true,
        _ => return Err(Error::bad_request("send 0 or 1")),
    };
    HELLO.set(on);
    Ok(if on { "/hello is there\n" } else { "/hello is away\n" })
}

async fn sum(request: &mut Request<'_, ()>) -> Result<String, Error> {
    let name = request.parameter("name").ok_or(Error::not_found("a sum has a name"))?;
    let from: i64 = request.query_value("from").map_or(Ok(0), |from| from.parse())?;
    let value = if name == *"ten" { 10 } else { 0 };
    Ok(format!("{}\n", from.saturating_add(value)))
}

async fn purge(request: &mut Request<'_, ()>) -> String {
    format!("{} of {} is done\n", request.method_token(), request.path())
}

async fn book(request: &mut Request<'_, ()>) -> Result<String, Error> {
    let (Some(shelf), Some(title)) = (request.parameter("shelf"), request.parameter("title")) else {
        return Err(Error::not_found("there is no such book"));
    };
    let shelf: u16 = shelf.parse()?; // not a number: 400
    let mut buffer = [0; 256];
    let title = title.decode(&mut buffer)?; // it would be displayed as it was sent
    Ok(format!("shelf {shelf}, book {title}\n"))
}

async fn echo(request: &mut Request<'_, ()>) -> String {
    format!("{} {}\n", request.method_token(), request.target())
}

fn main() -> Result<(), tenure_linux::Error> {
    let books = Router::new().route("/books/{*title}", get(book));
    let app = Router::new()
        .route("/hello", get(hello).when(&HELLO))
        .route("/ctrl", put(control))
        .route("/sums/{name}", get(sum).extension("PURGE", purge))
        .route("/any", any(echo))
        .nest("/shelves/{shelf}", books);
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    println!("routing at http://{}/", server.local_addr());
    server.run(&app, &())
}
