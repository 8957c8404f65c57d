//! A file manager: a page that lists a folder, takes files and removes them, as ESP-IDF's example `file_serving` does.
//!
//! `cargo run --example manager -- FOLDER`, then open <http://127.0.0.1:8080/>, or
//! - `curl -i -T Cargo.toml http://127.0.0.1:8080/files/Cargo.toml`: 201; once more: 409, because it is there;
//! - `head -c 2000000 /dev/zero | curl -i -T - http://127.0.0.1:8080/files/zeros`: 413, and nothing of it stays;
//! - `curl -i -X DELETE http://127.0.0.1:8080/files/Cargo.toml`: 204.
//!
//! Whoever reaches it may change the folder: a program of yours asks first who it is, as the example `login` does.

use serde::Serialize;
use tenure::{
    Error, Html, Json, Request, Router, files,
    files::{remove, upload},
    get,
};
use tenure_linux::{Folder, Server, Settings};

/// Bytes of a file at the most.
const FILE_BYTES_MAX: u64 = 1 << 20;

#[derive(Serialize)]
struct Listed {
    name: String,
    bytes: u64,
    modified: u64,
}

async fn list(folder: &Folder) -> Result<Json<Vec<Listed>>, Error> {
    let mut entries = folder.list("").await?;
    entries.retain(|entry| !entry.is_folder);
    let listed =
        entries.into_iter().map(|entry| Listed { name: entry.name, bytes: entry.bytes, modified: entry.modified });
    Ok(Json(listed.collect()))
}

fn main() -> Result<(), tenure_linux::Error> {
    let path = std::env::args().nth(1).unwrap_or_else(|| {
        eprintln!("which folder? cargo run --example manager -- FOLDER");
        std::process::exit(2);
    });
    let folder = Folder::new(path)?;
    let app = Router::new()
        .route("/", get(async |_: &mut Request<'_, ()>| Html(include_str!("../manager.html"))))
        .route("/list", get(async |_: &mut Request<'_, ()>| list(&folder).await))
        .route(
            "/files/{*path}",
            files(&folder)
                .put(async |request: &mut Request<'_, ()>| upload(request, &folder, FILE_BYTES_MAX).await)
                .delete(async |request: &mut Request<'_, ()>| remove(request, &folder).await),
        );
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    println!("a file manager at http://{}/", server.local_addr());
    server.run(&app, &())
}
