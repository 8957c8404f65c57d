//! A form with files: saved into a folder as they come, with their progress, and a SHA-256 that is checked before the answer.
//!
//! `cargo run --example upload -- FOLDER`, then open <http://127.0.0.1:8080/>, or
//! - `curl -F file=@Cargo.toml http://127.0.0.1:8080/files`: its bytes and SHA-256; once more: 409, because it is there;
//! - `curl -F sha256=$(sha256sum Cargo.lock | cut -c-64) -F file=@Cargo.lock http://127.0.0.1:8080/files`: checked; with another digest: 422,
//!   and nothing of it stays;
//! - `head -c 50000000 /dev/zero | curl -T - http://127.0.0.1:8080/files/zeros`: the same in chunks, without a form and without a length;
//! - `head -c 200000000 /dev/zero | curl -i -T - http://127.0.0.1:8080/files/more`: 413, once it is too much.
//!
//! Cut an upload off (Ctrl-C): its file is gone. Whoever reaches it may put files there: a program of yours asks first who it is.

use tenure::{
    Error, Event, EventTopic, Events, Html, Request, Router, StatusCode, events, files,
    files::{Storage, create, file_name},
    get, post,
    sink::{Sha256, Sink},
};
use tenure_linux::{Folder, Handle, Server, Settings};

/// Bytes of an upload at the most.
const UPLOAD_BYTES_MAX: u64 = 100_000_000;
/// What has been written of the files that are coming.
const PROGRESS: EventTopic = EventTopic::new(0);

struct Site {
    folder: Folder,
    handle: Handle,
}

impl Site {
    /// Tells all pages how far a file is, as often as it says something new.
    fn progress(&self, name: &str) -> impl FnMut(u64, Option<u64>) {
        let mut told = 0;
        move |received, announced| {
            let percent = received * 100 / announced.unwrap_or(UPLOAD_BYTES_MAX).max(1);
            if percent > told {
                told = percent;
                // Where too many wait to be told, the next one tells more.
                let _ = self.handle.publish(PROGRESS, Event::data(&format!("{percent} {name}")));
            }
        }
    }

    /// Saves a form's files. A field `sha256` says what the next file is to have.
    async fn save(&self, request: &mut Request<'_, ()>) -> Result<(StatusCode, String), Error> {
        let (mut saved, mut wanted) = (String::new(), None);
        let mut form = request.body().limit(UPLOAD_BYTES_MAX).multipart()?.parts_max(20);
        while let Some(mut part) = form.next().await? {
            match (part.name(), part.filename()) {
                ("sha256", None) => wanted = Some(part.text_into(&mut [0; 64]).await?.parse::<Sha256>()?),
                ("file", Some("")) => {} // none was chosen
                ("file", Some(filename)) => {
                    let name = file_name(filename)?.to_owned();
                    let file = self.folder.create(&name).await?.sha256().check(wanted.take());
                    let mut file = file.progress(self.progress(&name));
                    let bytes = part.save_to(&mut file).await?;
                    saved += &told(&name, bytes, file.into_inner().digest());
                }
                _ => {
                    return Err(Error::bad_request(
                        "send files as `file`, and `sha256` in front of each that is to be checked",
                    ));
                }
            }
        }
        Ok((StatusCode::CREATED, saved))
    }

    /// Saves a body. Its Content-Digest says what it is to have.
    async fn put(&self, request: &mut Request<'_, ()>) -> Result<(StatusCode, String), Error> {
        let announced = Sha256::announced(request)?;
        let name = request.path();
        let mut file = create(request, &self.folder).await?.sha256().check(announced).progress(self.progress(name));
        let bytes = request.body().limit(UPLOAD_BYTES_MAX).save_to(&mut file).await?;
        Ok((StatusCode::CREATED, told(name, bytes, file.into_inner().digest())))
    }
}

fn told(name: &str, bytes: u64, digest: Option<Sha256>) -> String {
    let digest = digest.map(|digest| digest.to_string()).unwrap_or_default();
    format!("{name}: {bytes} bytes, SHA-256 {digest}\n")
}

fn main() -> Result<(), tenure_linux::Error> {
    let path = std::env::args().nth(1).unwrap_or_else(|| {
        eprintln!("which folder? cargo run --example upload -- FOLDER");
        std::process::exit(2);
    });
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    let site = &Site { folder: Folder::new(path)?, handle: server.handle() };
    let app = Router::new()
        .route("/", get(async |_: &mut Request<'_, ()>| Html(include_str!("../upload.html"))))
        .route("/progress", events(async |_: &mut Request<'_, ()>| Events::new().topic(PROGRESS)))
        .route("/files", post(async |request: &mut Request<'_, ()>| site.save(request).await))
        .route(
            "/files/{*path}",
            files(&site.folder).put(async |request: &mut Request<'_, ()>| site.put(request).await),
        );
    println!("taking uploads at http://{}/", server.local_addr());
    server.run(&app, &())
}
