//! Files: conditions and ranges (RFC 9110 sections 13 and 14), variants, tables.
#![cfg(feature = "kit")]

#[path = "support/file_cases.rs"]
mod file_cases;

use file_cases::{MODIFIED, PLAIN, Tags, cases, field_of, page};
use tenure::{
    Error, Handler, Method, Request, Responder, Router, Sent, files,
    files::{Begun, Coding, Entity, File, Table, ToFolder, accepted},
    get,
    kit::{Client, Server, Settings},
    respond,
};

/// Now, of all dates.
const NOW: u64 = 1_795_910_400;

/// Bytes that stand for a packed page.
const PACKED: &[u8] = b"\x1f\x8bpacked";

/// The entity of a path and its bytes.
fn entity(request: &Request<'_, ()>) -> Result<(Entity<'static>, &'static [u8]), Error> {
    let path = request.rest().ok_or(Error::not_found("a path"))?;
    let page: &'static str = Box::leak(page().into_boxed_str());
    let (entity, bytes): (_, &[u8]) = if path == "plain.txt" {
        (Entity::new("text/plain", 26).etag("\"plain\""), PLAIN.as_bytes())
    } else if path == "empty.txt" {
        (Entity::new("text/plain", 0).etag("\"empty\""), b"")
    } else if path == "page.html" {
        let coding = accepted(request).choose(|coding| coding != Coding::Brotli).unwrap_or(Coding::Identity);
        if coding == Coding::Gzip {
            (Entity::new("text/html", PACKED.len() as u64).etag("\"packed\"").coding(coding), PACKED)
        } else {
            (Entity::new("text/html", 2_000).etag("\"page\"").coding(coding), page.as_bytes())
        }
    } else {
        return Err(Error::not_found("no such file"));
    };
    Ok((entity.modified(MODIFIED, NOW), bytes))
}

async fn stream<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
    let (entity, bytes) = entity(request)?;
    match entity.begin(request, responder).await? {
        Begun::Sent(sent) => Ok(sent),
        Begun::Stream { mut stream, bytes: range } => {
            for at in range {
                stream.write(&bytes[at as usize..=at as usize]).await?;
            }
            stream.finish().await
        }
    }
}

fn ask(server: &mut Server<()>, client: &Client, request: &str) -> Vec<u8> {
    client.send(request);
    server.run();
    assert!(!client.is_closed(), "{request}");
    client.received()
}

fn conforms(app: impl Handler<()> + 'static) {
    let mut server = Server::new(app);
    let client = server.connect();
    let tags = Tags::learn(|request| ask(&mut server, &client, request));
    let cases = cases();
    assert!(cases.len() >= 70, "{}", cases.len());
    let wrong: String = cases
        .iter()
        .filter_map(|case| case.check(&tags, &ask(&mut server, &client, &case.bytes(&tags))).err())
        .collect();
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn an_entity_in_memory_conforms() {
    let memory = get(async |request: &mut Request<'_, ()>| {
        entity(request).map(|(entity, bytes)| entity.respond(request, bytes))
    });
    conforms(Router::new().route("/{*rest}", memory));
}

#[test]
fn an_entity_as_a_stream_conforms() {
    conforms(Router::new().route("/{*rest}", respond(Method::Get, stream)));
}

/// A response is the same in an output of any size that holds its head.
#[test]
fn a_small_output_changes_nothing() {
    for output_bytes in [512, 600, 4_096] {
        let memory = get(async |request: &mut Request<'_, ()>| {
            entity(request).map(|(entity, bytes)| entity.respond(request, bytes))
        });
        let settings = Settings { output_bytes, ..Settings::default() };
        let mut server = Server::with(Router::new().route("/{*rest}", memory), settings);
        let client = server.connect();
        client.set_segment(7);
        let answer = ask(&mut server, &client, "GET /page.html HTTP/1.1\r\nHost: a\r\nRange: bytes=3-1997\r\n\r\n");
        let text = String::from_utf8(answer).unwrap();
        assert!(text.ends_with(&page()[3..=1_997]) && text.contains("bytes 3-1997/2000\r\n"), "{text}");
    }
}

/// A date is a strong validator only once it is two seconds old: section 8.8.2.2.
#[test]
fn a_fresh_date_makes_no_range_conditional() {
    for (age, status) in [(0, 200), (1, 200), (2, 206), (3, 206)] {
        let app = get(async move |request: &mut Request<'_, ()>| {
            let entity = Entity::new("text/plain", 26).modified(MODIFIED, MODIFIED + age);
            entity.respond(request, PLAIN.as_bytes())
        });
        let mut server = Server::new(Router::new().route("/", app));
        let client = server.connect();
        let request =
            "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
        let answer = ask(&mut server, &client, request);
        assert!(answer.starts_with(format!("HTTP/1.1 {status} ").as_bytes()), "{age}");
    }
}

/// Without a tag or a date, conditions by them do not hold or are ignored.
#[test]
fn an_entity_without_validators() {
    let mut server = Server::new(Router::new().route(
        "/",
        get(async |request: &mut Request<'_, ()>| Entity::new("text/plain", 26).respond(request, PLAIN.as_bytes())),
    ));
    let client = server.connect();
    for (fields, status) in [
        ("", 200),
        ("If-Match: \"a\"\r\n", 412),
        ("If-Match: *\r\n", 200),
        ("If-None-Match: \"a\"\r\n", 200),
        ("If-None-Match: *\r\n", 304),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 200),
        ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 200),
        ("Range: bytes=0-0\r\n", 206),
        ("Range: bytes=0-0\r\nIf-Range: \"a\"\r\n", 200),
        ("Range: bytes=0-0\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 200),
        ("Range: bytes=0-0\r\nIf-Range: \"a\"\r\nIf-Range: \"a\"\r\n", 200),
    ] {
        let answer = ask(&mut server, &client, &format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        assert!(answer.starts_with(format!("HTTP/1.1 {status} ").as_bytes()), "{fields}");
    }
}

#[test]
fn a_weak_tag_makes_no_range_conditional() {
    let mut server = Server::new(Router::new().route(
        "/",
        get(async |request: &mut Request<'_, ()>| {
            Entity::new("text/plain", 26).etag("W/\"a\"").respond(request, PLAIN.as_bytes())
        }),
    ));
    let client = server.connect();
    for (fields, status) in [
        ("If-None-Match: W/\"a\"\r\n", 304),
        ("If-None-Match: \"a\"\r\n", 304),
        ("If-Match: W/\"a\"\r\n", 412),
        ("Range: bytes=0-0\r\nIf-Range: W/\"a\"\r\n", 200),
        ("Range: bytes=0-0\r\n", 206),
    ] {
        let answer = ask(&mut server, &client, &format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        assert!(answer.starts_with(format!("HTTP/1.1 {status} ").as_bytes()), "{fields}");
    }
}

#[test]
fn a_tag_without_quotes_is_refused() {
    for tag in ["", "a", "\"", "\"a", "a\"", "W/a", "W/\"", "w/\"a\""] {
        let panicked = std::panic::catch_unwind(|| Entity::new("", 0).etag(tag)).is_err();
        assert!(panicked, "{tag}");
    }
    for tag in ["\"\"", "\"a\"", "W/\"\"", "W/\"a\""] {
        let _ = Entity::new("", 0).etag(tag);
    }
}

static SITE: Table = Table::new(&[
    File::new("a b/ä.txt", "text/plain; charset=utf-8").identity("\"0\"", b"umlaut"),
    File::new("app.3f2a9c1b.js", "text/javascript; charset=utf-8")
        .identity("\"1\"", b"plain script")
        .gzip("\"1-gz\"", b"packed")
        .brotli("\"1-br\"", b"brotli")
        .cache_control(tenure::files::IMMUTABLE),
    File::new("docs/a.html", "text/html; charset=utf-8").identity("\"2\"", b"a"),
    File::new("docs/index.html", "text/html; charset=utf-8").identity("\"4\"", b"documents"),
    File::new("docs/x1:y/index.html", "text/html; charset=utf-8").identity("\"3\"", b"colon"),
    File::new("index.html", "text/html; charset=utf-8").identity("\"5\"", b"front"),
    File::new("only.js", "text/javascript; charset=utf-8").gzip("\"6-gz\"", b"packed alone"),
]);

/// Target, what is asked further, status, and what the response has.
type Row = (&'static str, &'static str, u16, &'static [&'static str]);

fn told(app: impl Handler<()> + 'static, rows: &[Row]) {
    let mut server = Server::new(app);
    let client = server.connect();
    for (target, fields, status, wanted) in rows {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let text = String::from_utf8(ask(&mut server, &client, &request)).unwrap();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{text}");
        for wanted in *wanted {
            assert!(text.contains(wanted), "{request}{text}\nlacks {wanted}");
        }
    }
}

#[test]
fn a_table_is_looked_up() {
    told(
        Router::new().route("/{*rest}", files(&SITE)),
        &[
            (
                "/",
                "",
                200,
                &["\r\n\r\nfront", "Cache-Control: no-cache\r\n", "Content-Type: text/html; charset=utf-8\r\n"],
            ),
            ("/?a=b", "", 200, &["\r\n\r\nfront"]),
            ("http://a", "", 200, &["\r\n\r\nfront"]),
            ("/index.html", "", 200, &["\r\n\r\nfront"]),
            ("/docs/", "", 200, &["\r\n\r\ndocuments"]),
            ("/docs/index.html", "", 200, &["\r\n\r\ndocuments"]),
            ("/docs/a.html", "", 200, &["\r\n\r\na"]),
            ("/docs/%61.html", "", 200, &["\r\n\r\na"]),
            ("/a%20b/%c3%A4.txt", "", 200, &["\r\n\r\numlaut"]),
            ("/docs%2Fa.html", "", 200, &["\r\n\r\na"]),
            ("/docs", "", 301, &["\r\nLocation: ./docs/\r\n", "Content-Length: 0\r\n"]),
            ("/docs?a=b&c", "", 301, &["\r\nLocation: ./docs/?a=b&c\r\n"]),
            ("/d%6fcs", "", 301, &["\r\nLocation: ./d%6fcs/\r\n"]),
            // A slash of the path that is encoded is none that a browser resolves links by.
            ("/docs%2F", "", 301, &["\r\nLocation: ./docs%2F/\r\n"]),
            ("/docs/x1:y", "", 301, &["\r\nLocation: ./x1:y/\r\n"]),
            ("/docs/x1:y/", "", 200, &["\r\n\r\ncolon"]),
            ("/docs/a.html/", "", 404, &[]),
            ("/doc", "", 404, &[]),
            ("/docs/a.htm", "", 404, &[]),
            ("/docs/a.htmlx", "", 404, &[]),
            ("/DOCS/", "", 404, &[]),
            ("/a%20b", "", 404, &[]),
            ("/docs//", "", 404, &[]),
            ("//docs", "", 404, &[]),
            ("//a/docs", "", 404, &[]),
            ("/docs/../index.html", "", 404, &[]),
            ("/docs/%2e%2e/index.html", "", 404, &[]),
            ("/docs%5cindex.html", "", 404, &[]),
            ("/zzz", "", 404, &[]),
            ("/!", "", 404, &[]),
        ],
    );
}

#[test]
fn a_table_has_variants() {
    const SCRIPT: &str = "/app.3f2a9c1b.js";
    told(
        Router::new().route("/{*rest}", files(&SITE)),
        &[
            (
                SCRIPT,
                "",
                200,
                &["\r\n\r\nplain script", "ETag: \"1\"\r\n", "Vary: Accept-Encoding\r\n", "immutable\r\n"],
            ),
            (
                SCRIPT,
                "Accept-Encoding: gzip\r\n",
                200,
                &["\r\n\r\npacked", "ETag: \"1-gz\"\r\n", "Content-Encoding: gzip\r\n"],
            ),
            (
                SCRIPT,
                "Accept-Encoding: gzip, br\r\n",
                200,
                &["\r\n\r\nbrotli", "ETag: \"1-br\"\r\n", "Content-Encoding: br\r\n"],
            ),
            (SCRIPT, "Accept-Encoding: br;q=0.5, gzip\r\n", 200, &["\r\n\r\npacked"]),
            (
                SCRIPT,
                "Accept-Encoding: gzip\r\nIf-None-Match: \"1-gz\"\r\n",
                304,
                &["ETag: \"1-gz\"\r\n", "immutable\r\n"],
            ),
            (SCRIPT, "Accept-Encoding: gzip\r\nIf-None-Match: \"1\"\r\n", 200, &["\r\n\r\npacked"]),
            (
                SCRIPT,
                "Accept-Encoding: gzip\r\nRange: bytes=1-2\r\n",
                206,
                &["\r\n\r\nac", "Content-Encoding: gzip\r\n"],
            ),
            ("/only.js", "Accept-Encoding: gzip\r\n", 200, &["\r\n\r\npacked alone", "Vary: Accept-Encoding\r\n"]),
            ("/only.js", "", 406, &["Accept-Encoding: gzip"]),
            ("/only.js", "Accept-Encoding: br\r\n", 406, &[]),
            ("/only.js", "Accept-Encoding: gzip;q=0\r\n", 406, &[]),
        ],
    );
    let mut server = Server::new(Router::new().route("/{*rest}", files(&SITE)));
    let client = server.connect();
    let answer = ask(&mut server, &client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(field_of(&String::from_utf8(answer).unwrap(), "Vary"), None, "a file without variants");
}

#[test]
fn a_table_with_a_fallback() {
    static PAGE: Table = Table::new(&[
        File::new("app.js", "text/javascript").identity("\"1\"", b"script"),
        File::new("index.html", "text/html").identity("\"2\"", b"page"),
    ])
    .fallback("index.html");
    told(
        Router::new().route("/{*rest}", files(&PAGE)),
        &[
            ("/", "", 200, &["\r\n\r\npage"]),
            ("/app.js", "", 200, &["\r\n\r\nscript"]),
            ("/settings", "", 200, &["\r\n\r\npage"]),
            ("/settings/", "", 200, &["\r\n\r\npage"]),
            ("/v1.2/settings", "", 200, &["\r\n\r\npage"]),
            ("/settings", "If-None-Match: \"2\"\r\n", 304, &[]),
            ("/gone.js", "", 404, &[]),
            ("/settings/gone.js", "", 404, &[]),
            ("/gone%2ejs", "", 404, &[]),
        ],
    );
}

#[test]
fn tables_below_prefixes_and_beside_other_routes() {
    static OTHER: Table = Table::new(&[File::new("x.txt", "text/plain").identity("\"1\"", b"other")]);
    static EMPTY: Table = Table::new(&[]);
    let inner = Router::new().route("/{*path}", files(&SITE));
    let app = Router::new()
        .route("/time", get(async |_: &mut Request<'_, ()>| "now"))
        .nest("/site", inner)
        .route("/none/{*rest}", files(&EMPTY))
        .route("/direct/{*rest}", &OTHER)
        .route("/bare", files(&OTHER))
        .route("/{name}", files(&OTHER).post(async |_: &mut Request<'_, ()>| "posted"));
    told(
        app,
        &[
            ("/time", "", 200, &["\r\n\r\nnow"]),
            ("/x.txt", "", 200, &["\r\n\r\nother"]),
            ("/site/", "", 200, &["\r\n\r\nfront"]),
            // The prefix alone: links of the page would be relative to what is above it.
            ("/site", "", 301, &["Location: ./site/\r\n"]),
            ("/site/docs", "", 301, &["Location: ./docs/\r\n"]),
            ("/none/", "", 404, &[]),
            ("/none/a", "", 404, &[]),
            ("/direct/x.txt", "", 200, &["\r\n\r\nother"]),
            ("/bare", "", 500, &[]),
        ],
    );
}

#[test]
fn other_methods_are_refused() {
    let mut server = Server::new(Router::new().route("/{*rest}", files(&SITE)).route("/direct/{*rest}", &SITE));
    let client = server.connect();
    for (request, status, wanted) in [
        ("POST /index.html", 405, "\r\nAllow: GET, HEAD, OPTIONS\r\n"),
        ("DELETE /none", 405, "\r\nAllow: GET, HEAD, OPTIONS\r\n"),
        ("OPTIONS /index.html", 204, "\r\nAllow: GET, HEAD, OPTIONS\r\n"),
    ] {
        let answer = ask(&mut server, &client, &format!("{request} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
        let text = String::from_utf8(answer).unwrap();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")) && text.contains(wanted), "{text}");
    }
    let head = ask(&mut server, &client, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.ends_with(b"\r\n\r\n") && String::from_utf8(head).unwrap().contains("\r\nContent-Length: 5\r\n"));
}

/// As a handler of its own, a table refuses what it does not answer.
#[test]
fn a_table_as_a_handler_refuses_other_methods() {
    let mut server = Server::new(Router::new().route("/{*rest}", &SITE));
    let client = server.connect();
    for (method, status) in [("GET", 200), ("POST", 405), ("OPTIONS", 204)] {
        let request = format!("{method} /index.html HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        let text = String::from_utf8(ask(&mut server, &client, &request)).unwrap();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
        assert!(method == "GET" || text.contains("\r\nAllow: GET, HEAD, OPTIONS\r\n"), "{text}");
    }
}

#[test]
fn tables_in_disorder_and_fallbacks_of_nothing_are_refused() {
    const fn file(path: &'static str) -> File {
        File::new(path, "").identity("\"\"", b"")
    }
    let refused = |files: &'static [File]| std::panic::catch_unwind(|| Table::new(files)).is_err();
    assert!(!refused(const { &[] }) && !refused(const { &[file("a")] }) && !refused(const { &[file("a"), file("b")] }));
    assert!(
        !refused(const { &[file("a"), file("aa")] }) && !refused(const { &[file("a.b"), file("a/b"), file("ab")] })
    );
    assert!(refused(const { &[file("b"), file("a")] }) && refused(const { &[file("a"), file("a")] }));
    assert!(refused(const { &[file("aa"), file("a")] }) && refused(const { &[file("a/b"), file("a.b")] }));
    let falls_back =
        |path| std::panic::catch_unwind(|| Table::new(const { &[file("a"), file("b")] }).fallback(path)).is_ok();
    assert!(falls_back("a") && falls_back("b") && !falls_back("c") && !falls_back(""));
}

/// For handlers of their own.
#[test]
fn a_redirect_keeps_to_its_host() {
    async fn redirect<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
        responder.send(ToFolder::of(request)).await
    }
    told(
        Router::new().nest("/", respond(Method::Get, redirect)),
        &[
            ("/a", "", 301, &["\r\nLocation: ./a/\r\n"]),
            ("//evil.example", "", 301, &["\r\nLocation: ./evil.example/\r\n"]),
            ("//evil.example/", "", 301, &["\r\nLocation: .//\r\n"]),
            ("/javascript:x", "", 301, &["\r\nLocation: ./javascript:x/\r\n"]),
            ("/a?", "", 301, &["\r\nLocation: ./a/?\r\n"]),
        ],
    );
}
