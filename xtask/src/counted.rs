//! The application whose instructions are counted: a sum behind three routes, two with parameters.

use std::num::NonZeroUsize;

use tenure::{EndReason, Error, Handler, Request, Router, Session, post};
use tenure_linux::{Server, Settings};

use crate::Failure;

/// A target of each route, in the order in which they stand.
pub(crate) const TARGETS: [&str; 3] = ["/adder", "/sums/total", "/users/ada/sums/total"];

/// What one client has added up over its connection.
struct Sum(i64);

impl Session for Sum {
    fn end(self, _: EndReason) {}
}

fn add(request: &mut Request<'_, Sum>, number: i64) -> Result<i64, Error> {
    let Sum(sum) = request.session_or_insert_with(|| Sum(0));
    *sum = sum.checked_add(number).ok_or(Error::unprocessable("the sum would overflow"))?;
    Ok(*sum)
}

fn read(request: &mut Request<'_, Sum>) -> i64 {
    request.session_or_insert_with(|| Sum(0)).0
}

/// What the target's path names: one that is not there is none.
fn named(request: &Request<'_, Sum>, parameter: &str, name: &str) -> Result<(), Error> {
    match request.parameter(parameter) {
        Some(found) if found == *name => Ok(()),
        _ => Err(Error::not_found("there is no sum of that name")),
    }
}

fn app() -> impl Handler<Sum> + Sync {
    let adder = post(async |request: &mut Request<'_, Sum>| {
        let number = request.body().parse().await?;
        add(request, number)
    })
    .get(async |request: &mut Request<'_, Sum>| read(request));
    let one = post(async |request: &mut Request<'_, Sum>| {
        named(request, "name", "total")?;
        let number = request.body().parse().await?;
        add(request, number)
    })
    .get(async |request: &mut Request<'_, Sum>| {
        named(request, "name", "total")?;
        Ok::<i64, Error>(read(request))
    });
    let two = post(async |request: &mut Request<'_, Sum>| {
        named(request, "user", "ada")?;
        named(request, "name", "total")?;
        let number = request.body().parse().await?;
        add(request, number)
    })
    .get(async |request: &mut Request<'_, Sum>| {
        named(request, "user", "ada")?;
        named(request, "name", "total")?;
        Ok::<i64, Error>(read(request))
    });
    Router::new().route("/adder", adder).route("/sums/{name}", one).route("/users/{user}/sums/{name}", two)
}

/// Serves on one thread until a signal comes.
pub(crate) fn serve() -> Result<(), Failure> {
    let settings = Settings { threads: NonZeroUsize::new(1), ..Settings::at(([127, 0, 0, 1], 0).into()) };
    let server = Server::bind(settings)?.stop_on_signals()?;
    println!("Starting server on port: '{}'", server.local_addr().port());
    Ok(server.run(&app(), &())?)
}
