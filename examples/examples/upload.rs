//! A body of any size, read in the pieces in which it comes: none of it is kept, and what is too large is refused early.
//!
//! What a request's head says stays valid while the body is awaited: no copy of the target is needed.
//!
//! `cargo run --example upload`, then
//! - `curl -T Cargo.toml http://127.0.0.1:8080/files/a/Cargo.toml`: its bytes, lines and checksum;
//! - `head -c 50000000 /dev/zero | curl -T - http://127.0.0.1:8080/files/zeros`: the same in chunks, without a length;
//! - `head -c 200000000 /dev/zero | curl -i -T - http://127.0.0.1:8080/files/more`: 413, once it is too much;
//! - `head -c 300 /dev/zero | curl -i --data-binary @- http://127.0.0.1:8080/note`: 413 before any of it is read.

use tenure::{Error, Request, Router, post, put};
use tenure_linux::{Server, Settings};

/// Bytes of an upload at the most.
const UPLOAD_BYTES_MAX: u64 = 100_000_000;

/// Adler-32, RFC 1950 section 9.
struct Checksum(u32, u32);

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 + u32::from(byte)) % 65_521;
            self.1 = (self.1 + self.0) % 65_521;
        }
    }
}

async fn upload(request: &mut Request<'_, ()>) -> Result<String, Error> {
    let target = request.target(); // borrowed from the request's bytes, not from `request`
    let (mut bytes, mut lines, mut checksum) = (0, 0, Checksum(1, 0));
    while let Some(piece) = request.body().limit(UPLOAD_BYTES_MAX).read().await? {
        bytes += piece.len();
        lines += piece.split(|&byte| byte == b'\n').count() - 1;
        checksum.add(piece);
    }
    Ok(format!("{target}: {bytes} bytes, {lines} lines, Adler-32 {:04x}{:04x}\n", checksum.1, checksum.0))
}

/// A short one in one piece: `whole` needs no buffer of ours.
async fn note(request: &mut Request<'_, ()>) -> Result<String, Error> {
    let bytes = request.body().limit(256).whole().await?;
    let text = str::from_utf8(bytes).map_err(|_| Error::bad_request("a note is UTF-8 text"))?;
    Ok(format!("noted: {}\n", text.trim()))
}

fn main() -> Result<(), tenure_linux::Error> {
    let app = Router::new().route("/files/{*name}", put(upload)).route("/note", post(note));
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    println!("taking uploads at http://{}/files/", server.local_addr());
    server.run(&app, &())
}
