//! A folder of files, and a route beside it.
//!
//! `cargo run --example site`, then open <http://127.0.0.1:8080/>: the page tells what the server says of its files. Or
//! - `curl -i http://127.0.0.1:8080/style.css`: type, tag, date; again with `-H 'If-None-Match: TAG'`: 304, and no content;
//! - `curl -i -r 0-99 http://127.0.0.1:8080/app.js`: the first 100 bytes;
//! - `curl -i http://127.0.0.1:8080/docs`: a redirect to the folder;
//! - `curl -i --path-as-is http://127.0.0.1:8080/../Cargo.toml`: 404, as for everything outside of the folder;
//! - `gzip -k examples/site/app.js`, then `curl -i --compressed http://127.0.0.1:8080/app.js`: what is packed beside a file is sent to
//!   those who unpack it.
//!
//! `cargo run --example site -- FOLDER` serves another one.

use tenure::{Request, Router, files, get};
use tenure_linux::{Folder, Server, Settings};

async fn time(request: &mut Request<'_, ()>) -> u32 {
    request.arrived_ms()
}

fn main() -> Result<(), tenure_linux::Error> {
    let site = concat!(env!("CARGO_MANIFEST_DIR"), "/site");
    let folder = Folder::new(std::env::args().nth(1).as_deref().unwrap_or(site))?;
    // The first route that matches answers, so what is no file stands in front. A download may take long: the last free lane stays for
    // short requests.
    let app = Router::new().route("/time", get(time)).route("/{*rest}", files(folder).waits_long());
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    println!("serving files at http://{}/", server.local_addr());
    server.run(&app, &())
}
