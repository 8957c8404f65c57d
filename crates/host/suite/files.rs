//! A folder that is served.

use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime},
};

use tenure::{Error, Request, Router, files, get};

use crate::{
    common::{Client, Running, port::Folder, settings},
    file_cases::{MODIFIED, PLAIN, Tags, cases, page},
};

/// A folder for one test, removed behind it.
struct Site(PathBuf);

impl Site {
    fn new(files: &[(&str, &[u8])]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("tenure-suite-{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let site = Site(std::env::temp_dir().join(name));
        fs::create_dir_all(site.0.join("site")).unwrap();
        for (path, bytes) in files {
            site.put(path, bytes);
        }
        site
    }

    /// Puts a file there that was last changed on 1994-11-06.
    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.0.join("site").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        self.date(&path, SystemTime::UNIX_EPOCH + Duration::from_secs(MODIFIED));
    }

    fn date(&self, path: impl AsRef<std::path::Path>, time: SystemTime) {
        let file = fs::File::options().write(true).open(self.0.join("site").join(path)).unwrap();
        file.set_modified(time).unwrap();
    }

    fn folder(&self) -> Folder {
        Folder::new(self.0.join("site")).expect("the folder is there")
    }

    fn serve(&self) -> Running {
        serve(self.folder())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn serve(folder: Folder) -> Running {
    Running::start::<(), _, _>(settings(), Router::new().route("/{*rest}", files(folder)), ())
}

fn status(client: &mut Client, target: &str) -> u16 {
    client.get(target).status
}

#[test]
fn a_folder_conforms() {
    let site = Site::new(&[
        ("plain.txt", PLAIN.as_bytes()),
        ("empty.txt", b""),
        ("page.html", page().as_bytes()),
        ("page.html.gz", b"\x1f\x8bpacked"),
    ]);
    let server = site.serve();
    let mut client = server.client();
    let tags = Tags::learn(|request| client.raw(request));
    let wrong: String =
        cases().iter().filter_map(|case| case.check(&tags, &client.raw(&case.bytes(&tags))).err()).collect();
    assert!(wrong.is_empty(), "{wrong}");
    server.stop();
}

#[test]
fn pages_of_folders_and_what_is_missing() {
    let site = Site::new(&[
        ("index.html", b"front"),
        ("docs/index.html", b"documents"),
        ("docs/a b.txt", b"text"),
        ("bare/a.txt", b"text"),
        (".hidden", b"hidden"),
        (".git/config", b"hidden"),
        ("docs/.hidden/a.txt", b"hidden"),
    ]);
    fs::write(site.0.join("secret"), b"secret").unwrap();
    let server = site.serve();
    let mut client = server.client();
    for (target, wanted) in [
        ("/", "front"),
        ("/index.html", "front"),
        ("/docs/", "documents"),
        ("/docs/index.html", "documents"),
        ("/docs/a%20b.txt", "text"),
        ("/docs%2Fa%20b.txt", "text"),
        ("/bare/a.txt", "text"),
    ] {
        let answer = client.get(target);
        assert_eq!((answer.status, answer.text()), (200, wanted), "{target}");
    }
    assert_eq!(client.get("/docs/a%20b.txt").field("content-type"), Some("text/plain; charset=utf-8"));
    for (target, location) in [("/docs", "./docs/"), ("/docs?a=b", "./docs/?a=b"), ("/docs%2F", "./docs%2F/")] {
        let answer = client.get(target);
        assert_eq!((answer.status, answer.field("location")), (301, Some(location)), "{target}");
    }
    for target in [
        "/bare",
        "/bare/",
        "/none",
        "/none/",
        "/docs/none",
        "/index.html/",
        "/index.html/a",
        "/docs//",
        "//",
        "//docs/",
        "/.hidden",
        "/%2ehidden",
        "/.git/config",
        "/docs/.hidden/a.txt",
        "/.",
        "/..",
        "/../secret",
        "/docs/../../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/docs/..%2f..%2fsecret",
        "/..%5csecret",
        "/docs/%2e%2e%5c..%5csecret",
        "/%2e%2e%2fsecret",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/index.html%00",
        "/%00",
        "/%ff",
        "/%c0%ae%c0%ae/secret",
        "/%252e%252e/secret",
        "/....//secret",
    ] {
        assert_eq!(status(&mut client, target), 404, "{target}");
    }
    assert_eq!(status(&mut client, &format!("/{}", "a".repeat(1_000))), 404, "a name that no file has");
    // What comes is there at once, and what goes is gone.
    site.put("new.txt", b"new");
    assert_eq!(client.get("/new.txt").text(), "new");
    fs::remove_file(site.0.join("site/new.txt")).unwrap();
    assert_eq!(status(&mut client, "/new.txt"), 404);
    server.stop();
}

#[test]
fn a_fallback_is_for_what_has_no_dot() {
    let site = Site::new(&[("index.html", b"front"), ("app.js", b"script")]);
    let server = serve(site.folder().fallback("index.html").immutable("app"));
    let mut client = server.client();
    for (target, wanted) in
        [("/settings", "front"), ("/settings/", "front"), ("/v1.2/a", "front"), ("/app.js", "script")]
    {
        assert_eq!(client.get(target).text(), wanted, "{target}");
    }
    assert_eq!([status(&mut client, "/gone.js"), status(&mut client, "/a/gone.js")], [404, 404]);
    assert_eq!(client.get("/app.js").field("cache-control"), Some(tenure::files::IMMUTABLE));
    assert_eq!(client.get("/").field("cache-control"), Some("no-cache"));
    server.stop();
}

#[cfg(unix)]
#[test]
fn links_lead_nowhere_out_of_the_folder() {
    let site = Site::new(&[("a/real.txt", b"real"), ("a/index.html", b"front")]);
    fs::write(site.0.join("secret"), b"secret").unwrap();
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, site.0.join("site").join(name)).unwrap();
    link("a/real.txt", "linked.txt");
    link("../a/real.txt", "a/up.txt");
    link("a", "folder");
    link("../secret", "out.txt");
    link("..", "above");
    link("/etc/hostname", "absolute.txt");
    link("/etc", "etc");
    link("loop", "loop");
    link("nowhere", "dangling");
    link("/proc/self/root", "a/magic");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        site.0.join("site/fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(site.0.join("site/socket")).unwrap();
    let server = site.serve();
    let mut client = server.client();
    for target in ["/linked.txt", "/a/up.txt", "/folder/real.txt"] {
        assert_eq!(client.get(target).text(), "real", "{target}");
    }
    assert_eq!(client.get("/folder/").text(), "front");
    for target in [
        "/out.txt",
        "/above/secret",
        "/above/site/a/real.txt",
        "/absolute.txt",
        "/etc/hostname",
        "/etc/passwd",
        "/loop",
        "/loop/a",
        "/dangling",
        "/a/magic/etc/passwd",
        "/fifo",
        "/socket",
    ] {
        assert_eq!(status(&mut client, target), 404, "{target}");
    }
    server.stop();
}

#[test]
fn a_folder_is_listed() {
    let site = Site::new(&[("b.txt", b"four"), ("a/c.txt", b"text"), (".hidden", b"hidden"), ("A.txt", b"")]);
    let folder: &'static Folder = Box::leak(Box::new(site.folder()));
    let list = async |request: &mut Request<'_, ()>| {
        let path = request.rest().map(|path| path.as_encoded()).unwrap_or_default();
        let listed = folder.list(path).await?;
        let tell = |entry: &tenure_host::Entry| {
            format!("{} {} {} {}", entry.name, entry.bytes, entry.modified, entry.is_folder)
        };
        Ok::<_, Error>(listed.iter().map(tell).collect::<Vec<_>>().join("\n"))
    };
    let server = Running::start::<(), _, _>(settings(), Router::new().route("/{*rest}", get(list)), ());
    let mut client = server.client();
    let root = client.get("/").text().to_owned();
    let lines: Vec<_> = root.lines().collect();
    assert!(
        lines.len() == 3 && lines[0] == "A.txt 0 784111777 false" && lines[2] == "b.txt 4 784111777 false",
        "{root}"
    );
    assert!(lines[1].starts_with("a 0 ") && lines[1].ends_with(" true"), "{root}");
    assert_eq!(client.get("/a").text(), "c.txt 4 784111777 false");
    assert_eq!(client.get("/a/").text(), "c.txt 4 784111777 false");
    for target in ["/none", "/.hidden", "/b.txt"] {
        assert_eq!(status(&mut client, target), 404, "{target}");
    }
    server.stop();
}

#[test]
fn the_folder_itself_may_be_exchanged() {
    let site = Site::new(&[("a.txt", b"old")]);
    let server = site.serve();
    let mut client = server.client();
    assert_eq!(client.get("/a.txt").text(), "old");
    fs::rename(site.0.join("site"), site.0.join("before")).unwrap();
    assert_eq!(status(&mut client, "/a.txt"), 503, "without the folder nothing can be said of its files");
    site.put("a.txt", b"new");
    assert_eq!(client.get("/a.txt").text(), "new");
    server.stop();
}

#[test]
fn packed_variants_are_beside_their_files() {
    let site = Site::new(&[
        ("app.js", b"script"),
        ("app.js.gz", b"gzip"),
        ("app.js.br", b"brotli"),
        ("plain.js", b"plain"),
        ("image.png", b"image"),
        ("image.png.gz", b"packed image"),
        ("only.js.gz", b"only"),
        ("folder.js", b"beside a folder"),
        ("folder.js.gz/index.html", b"a folder"),
    ]);
    let server = site.serve();
    let mut client = server.client();
    for (target, accepted, coding, body, varies) in [
        ("/app.js", "gzip, br", Some("br"), "brotli", true),
        ("/app.js", "gzip", Some("gzip"), "gzip", true),
        ("/app.js", "identity", None, "script", true),
        ("/plain.js", "gzip, br", None, "plain", false),
        ("/image.png", "gzip", None, "image", false),
        ("/folder.js", "gzip", None, "beside a folder", false),
        ("/app.js.gz", "gzip", None, "gzip", false),
    ] {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\nAccept-Encoding: {accepted}\r\n\r\n"));
        let answer = client.answer();
        assert_eq!((answer.field("content-encoding"), answer.text()), (coding, body), "{target} {accepted}");
        assert_eq!(answer.field("vary"), varies.then_some("Accept-Encoding"), "{target} {accepted}");
    }
    assert_eq!(client.get("/app.js.gz").field("content-type"), Some("application/gzip"));
    client.send("GET /only.js HTTP/1.1\r\nHost: test\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_eq!(client.answer().status, 404, "there is no file that this would be a variant of");
    server.stop();
}

/// Two states of a file that a file system cannot tell apart have no strong tag.
#[test]
fn tags_are_weak_while_a_file_is_fresh() {
    let site = Site::new(&[("old.txt", PLAIN.as_bytes()), ("fresh.txt", PLAIN.as_bytes()), ("made_up.txt", b"1")]);
    let day = Duration::from_secs(86_400);
    site.date("fresh.txt", SystemTime::now() + day);
    let server = site.serve();
    let mut client = server.client();
    let tag = |client: &mut Client, target: &str| client.get(target).field("etag").unwrap().to_owned();
    assert!(tag(&mut client, "/old.txt").starts_with('"') && tag(&mut client, "/fresh.txt").starts_with("W/\""));
    let fresh = client.get("/fresh.txt");
    assert_eq!(fresh.field("last-modified"), None, "it is still to come");
    client.send(format!(
        "GET /fresh.txt HTTP/1.1\r\nHost: test\r\nRange: bytes=0-0\r\nIf-Range: {}\r\n\r\n",
        fresh.field("etag").unwrap()
    ));
    assert_eq!(client.answer().status, 200);
    site.date("fresh.txt", SystemTime::now() - day);
    assert!(tag(&mut client, "/fresh.txt").starts_with('"'));
    // A time that all files have says nothing.
    site.date("made_up.txt", SystemTime::UNIX_EPOCH + Duration::from_secs(1));
    let made_up = client.get("/made_up.txt");
    assert_eq!(made_up.field("last-modified"), None);
    let before = made_up.field("etag").unwrap().to_owned();
    fs::remove_file(site.0.join("site/made_up.txt")).unwrap();
    site.put("made_up.txt", b"2");
    site.date("made_up.txt", SystemTime::UNIX_EPOCH + Duration::from_secs(1));
    assert_ne!(tag(&mut client, "/made_up.txt").trim_start_matches("W/"), before.trim_start_matches("W/"));
    // The same length and another time, the same time and another length.
    let old = tag(&mut client, "/old.txt");
    site.date("old.txt", SystemTime::UNIX_EPOCH + Duration::new(MODIFIED, 1));
    assert_ne!(tag(&mut client, "/old.txt"), old);
    site.put("old.txt", b"shorter");
    assert_ne!(tag(&mut client, "/old.txt"), old);
    server.stop();
}

#[test]
fn a_large_file_goes_to_slow_clients_whole() {
    let bytes: Vec<u8> = (0..8_000_003_u32).map(|number| (number ^ number >> 11) as u8).collect();
    let site = Site::new(&[("large.bin", &bytes), ("small.txt", b"small")]);
    let server = serve(site.folder().threads(1));
    let mut slow: Vec<_> = (0..8).map(|_| server.client()).collect();
    for client in &mut slow {
        client.send("GET /large.bin HTTP/1.1\r\nHost: test\r\n\r\nGET /small.txt HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    // Nobody has taken anything of theirs yet.
    let mut other = server.client();
    for _ in 0..20 {
        assert_eq!(other.get("/small.txt").text(), "small");
    }
    for client in &mut slow {
        let answer = client.answer();
        assert!(answer.status == 200 && answer.body == bytes);
        assert_eq!(client.answer().text(), "small");
    }
    other.send("GET /large.bin HTTP/1.1\r\nHost: test\r\nRange: bytes=65535-7900000\r\n\r\n");
    let answer = other.answer();
    assert!(answer.status == 206 && answer.body == bytes[65_535..=7_900_000]);
    server.stop();
}

/// What was announced cannot come: the client must see that.
#[test]
fn a_file_that_becomes_shorter_resets() {
    let site = Site::new(&[("large.bin", &vec![b'x'; 64 << 20])]);
    let server = site.serve();
    let mut client = server.client();
    client.send("GET /large.bin HTTP/1.1\r\nHost: test\r\n\r\n");
    client.wait_for_bytes();
    fs::File::options().write(true).open(site.0.join("site/large.bin")).unwrap().set_len(1 << 20).unwrap();
    client.expect_gone();
    let mut other = server.client();
    assert_eq!(other.get("/large.bin").body.len(), 1 << 20);
    server.stop();
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_forbidden() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new(&[("locked.txt", b"locked")]);
    let path = site.0.join("site/locked.txt");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read everything.
    let wanted = if fs::read(&path).is_ok() { 200 } else { 403 };
    let server = site.serve();
    assert_eq!(status(&mut server.client(), "/locked.txt"), wanted);
    server.stop();
}

#[test]
fn a_folder_that_is_none_is_refused() {
    let site = Site::new(&[("a.txt", b"")]);
    for path in [site.0.join("none"), site.0.join("site/a.txt")] {
        let error = Folder::new(&path).expect_err("no folder").to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
    let error = Folder::new("no such folder").expect_err("no folder").to_string();
    assert!(error.contains("\"no such folder\"") || error.contains("no such folder: "), "{error}");
    assert!(error.contains("relative to /") || cfg!(windows), "{error}");
    assert!(std::panic::catch_unwind(|| site.folder().threads(0)).is_err());
}

#[cfg(unix)]
mod uploads {
    use std::sync::Arc;

    use tenure::{
        files::{Storage, file_name, remove, upload},
        post, put,
    };

    use super::*;

    const BYTES_MAX: u64 = 1 << 20;

    fn serve(site: &Site) -> Running {
        let folder: &'static Folder = Box::leak(Box::new(site.folder().threads(2)));
        let app = Router::new().route(
            "/{*rest}",
            files(folder)
                .put(async |request: &mut Request<'_, ()>| upload(request, folder, BYTES_MAX).await)
                .delete(async |request: &mut Request<'_, ()>| remove(request, folder).await),
        );
        Running::start::<(), _, _>(settings(), app, ())
    }

    fn ask(client: &mut Client, method: &str, target: &str, body: &str) -> u16 {
        let length = body.len();
        client.send(format!("{method} {target} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{body}"));
        client.answer().status
    }

    /// All names in the folder, those that are not served, too.
    fn names(site: &Site) -> Vec<String> {
        let entries = fs::read_dir(site.0.join("site")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Waits for what another thread does.
    fn until(holds: impl Fn() -> bool) {
        let begun = std::time::Instant::now();
        while !holds() {
            assert!(begun.elapsed() < crate::common::PATIENCE, "it does not happen");
            std::thread::yield_now();
        }
    }

    #[test]
    fn files_come_and_go() {
        let site = Site::new(&[("docs/index.html", b"documents"), ("old.txt", b"old")]);
        let server = serve(&site);
        let mut client = server.client();
        assert_eq!(ask(&mut client, "PUT", "/new.txt", "new"), 201);
        assert_eq!(client.get("/new.txt").text(), "new");
        assert_eq!(ask(&mut client, "PUT", "/docs/a%20b.txt", &"x".repeat(100_000)), 201);
        assert_eq!(client.get("/docs/a%20b.txt").body.len(), 100_000);
        for (method, target, status) in [
            ("PUT", "/old.txt", 409),
            ("PUT", "/docs", 409),
            ("PUT", "/none/a.txt", 404),
            ("PUT", "/old.txt/a.txt", 404),
            ("PUT", "/.hidden", 400),
            ("PUT", "/docs/", 400),
            ("PUT", "/../a.txt", 404),
            ("DELETE", "/none.txt", 404),
            ("DELETE", "/none/a.txt", 404),
            ("DELETE", "/docs", 403),
            ("DELETE", "/docs/", 400),
            ("DELETE", "/docs/a%20b.txt", 204),
            ("DELETE", "/new.txt", 204),
            ("DELETE", "/new.txt", 404),
            ("GET", "/new.txt", 404),
            ("POST", "/old.txt", 405),
        ] {
            assert_eq!(ask(&mut client, method, target, ""), status, "{method} {target}");
        }
        assert_eq!(client.get("/old.txt").text(), "old");
        assert_eq!(names(&site), ["docs", "old.txt"]);
        server.stop();
    }

    #[test]
    fn links_out_of_the_folder_are_not_written_through() {
        let site = Site::new(&[("real/a.txt", b"real")]);
        fs::create_dir(site.0.join("else")).unwrap();
        fs::write(site.0.join("else/secret"), b"secret").unwrap();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, site.0.join("site").join(name)).unwrap();
        link("../else", "out");
        link("../else/new", "dangling");
        link("../else/secret", "file");
        link("real", "inside");
        let server = serve(&site);
        let mut client = server.client();
        for (method, target, status) in [
            ("PUT", "/out/new", 404),
            ("DELETE", "/out/secret", 404),
            ("PUT", "/dangling", 409),
            ("PUT", "/file", 409),
            ("PUT", "/inside/b.txt", 201),
            ("DELETE", "/inside/a.txt", 204),
            // The link goes, not what it leads to.
            ("DELETE", "/file", 204),
        ] {
            assert_eq!(ask(&mut client, method, target, ""), status, "{method} {target}");
        }
        assert_eq!(fs::read(site.0.join("else/secret")).unwrap(), b"secret");
        assert!(!site.0.join("else/new").exists() && site.0.join("site/real/b.txt").exists());
        server.stop();
    }

    #[test]
    fn an_upload_that_does_not_end_leaves_nothing() {
        let site = Site::new(&[("old.txt", b"old")]);
        let server = serve(&site);
        let mut half = server.client();
        half.send("PUT /half.txt HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\nhalf");
        // It is there under another name, and what is put meanwhile goes first.
        until(|| names(&site).iter().any(|name| name.starts_with(".upload-")));
        let mut client = server.client();
        assert_eq!(status(&mut client, "/half.txt"), 404);
        assert_eq!(ask(&mut client, "PUT", "/half.txt", "first"), 201);
        half.send("x".repeat(99_996));
        assert_eq!(half.answer().status, 409);
        assert_eq!(client.get("/half.txt").text(), "first");
        let mut gone = server.client();
        gone.send("PUT /gone.txt HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\nhalf");
        until(|| names(&site).iter().any(|name| name.starts_with(".upload-")));
        gone.reset();
        until(|| names(&site) == ["half.txt", "old.txt"]);
        let large = BYTES_MAX + 1;
        client.send(format!("PUT /large.txt HTTP/1.1\r\nHost: test\r\nContent-Length: {large}\r\n\r\n"));
        assert_eq!(client.answer().status, 413);
        assert_eq!(names(&site), ["half.txt", "old.txt"]);
        server.stop();
    }

    /// What a process left that was killed, or another one writes, whose number is the same: that of the first in a container, for one.
    #[test]
    fn unfinished_uploads_of_others_are_in_nobodys_way() {
        let site = Site::new(&[]);
        let left: Vec<_> = (0..200).map(|number| format!(".upload-{}-{number}", process::id())).collect();
        for name in &left {
            site.put(name, b"left");
        }
        let server = serve(&site);
        let mut client = server.client();
        assert_eq!(ask(&mut client, "PUT", "/new.txt", "new"), 201);
        assert_eq!(ask(&mut client, "PUT", "/new.txt", "new"), 409);
        assert_eq!(client.get("/new.txt").text(), "new");
        // They are left as they are.
        assert!(left.iter().all(|name| fs::read(site.0.join("site").join(name)).unwrap() == b"left"));
        assert_eq!(names(&site).len(), left.len() + 1);
        server.stop();
    }

    /// A server ends in the middle of an upload: nothing of it is there behind its folder.
    #[test]
    fn a_folder_that_is_dropped_has_removed_what_is_unfinished() {
        let site = Site::new(&[]);
        for _ in 0..20 {
            let folder = Arc::new(site.folder());
            let kept = folder.clone();
            let handler = put(async move |request: &mut Request<'_, ()>| upload(request, &*kept, BYTES_MAX).await);
            let server = Running::start::<(), _, _>(settings(), Router::new().route("/{*rest}", handler), ());
            let mut client = server.client();
            client.send("PUT /a.txt HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\nhalf");
            until(|| !names(&site).is_empty());
            server.handle.stop_now();
            server.join();
            until(|| Arc::strong_count(&folder) == 1);
            drop(folder);
            assert_eq!(names(&site), [""; 0]);
        }
    }

    async fn take(request: &mut Request<'_, ()>, folder: &Folder) -> Result<String, Error> {
        let mut taken = String::new();
        let mut form = request.body().limit(BYTES_MAX).multipart()?;
        while let Some(mut part) = form.next().await? {
            let name = file_name(part.filename().unwrap_or_default())?.to_owned();
            let bytes = part.save_to(&mut folder.create(&name).await?).await?;
            let _ = write!(taken, "{name} {bytes};");
        }
        Ok(taken)
    }

    /// The head of a form of that many bytes, and a part's head.
    fn form_head(bytes: usize) -> String {
        format!(
            "POST / HTTP/1.1\r\nHost: test\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: {bytes}\r\n\r\n"
        )
    }

    fn part(filename: &str, content: &str) -> String {
        format!("--b\r\nContent-Disposition: form-data; name=f; filename=\"{filename}\"\r\n\r\n{content}\r\n")
    }

    #[test]
    fn files_of_forms_are_kept_whole_or_not_at_all() {
        let site = Site::new(&[("old.txt", b"old")]);
        let folder: &'static Folder = Box::leak(Box::new(site.folder().threads(2)));
        let handler = post(async |request: &mut Request<'_, ()>| take(request, folder).await);
        let server = Running::start::<(), _, _>(settings(), Router::new().route("/", handler), ());
        let mut client = server.client();
        let send = |client: &mut Client, form: &str| {
            client.send(form_head(form.len()) + form);
            client.answer()
        };
        let content = "line\r\n--".repeat(10_000);
        let form = part("C:\\a.txt", &content) + &part("b.txt", "") + "--b--\r\n";
        let answer = send(&mut client, &form);
        assert_eq!((answer.status, answer.text()), (200, "a.txt 80000;b.txt 0;"));
        assert_eq!(fs::read(site.0.join("site/a.txt")).unwrap(), content.as_bytes());
        for (form, status) in [
            (part("old.txt", "new") + "--b--\r\n", 409),
            (part("../old", "new") + "--b--\r\n", 200),
            (part("..", "new") + "--b--\r\n", 400),
            (part(".hidden", "new") + "--b--\r\n", 400),
            // The file does not end, or the form is broken: nothing stays, and it is gone before the answer.
            (part("cut.txt", "new")[..60].to_owned(), 400),
            (part("cut.txt", "new").trim_end().to_owned(), 400),
        ] {
            assert_eq!(send(&mut client, &form).status, status, "{form}");
            let names = names(&site);
            assert!(!names.iter().any(|name| name.starts_with(".upload-") || name == "cut.txt"), "{form}: {names:?}");
        }
        assert_eq!(names(&site), ["a.txt", "b.txt", "old", "old.txt"]);
        // A client that goes in the middle of a file.
        let mut gone = server.client();
        gone.send(form_head(100_000) + &part("gone.txt", &"x".repeat(50_000)));
        until(|| names(&site).iter().any(|name| name.starts_with(".upload-")));
        gone.reset();
        until(|| names(&site) == ["a.txt", "b.txt", "old", "old.txt"]);
        server.stop();
    }
}
