//! Files that clients send and remove.
#![cfg(feature = "kit")]

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use tenure::{
    Error, Request, Router, StatusCode,
    files::{PATH_BYTES_MAX, Storage, remove, upload},
    kit::{Client, Server},
    put,
    sink::Sink,
};

const BYTES_MAX: u64 = 20;

#[derive(Default)]
struct Memory {
    files: Rc<RefCell<BTreeMap<String, Vec<u8>>>>,
    /// Uploads that have begun and neither ended nor been dropped.
    begun: Rc<RefCell<i32>>,
}

struct Written {
    path: String,
    bytes: Vec<u8>,
    files: Rc<RefCell<BTreeMap<String, Vec<u8>>>>,
    begun: Rc<RefCell<i32>>,
}

impl Drop for Written {
    fn drop(&mut self) {
        *self.begun.borrow_mut() -= 1;
    }
}

impl Sink for Written {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if bytes.contains(&b'!') {
            return Err(Error::new(StatusCode::new(507).unwrap(), "there is no room"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Error> {
        self.files.borrow_mut().insert(self.path.clone(), self.bytes.clone());
        Ok(())
    }
}

impl Storage for Memory {
    type Upload<'s> = Written;

    async fn create(&self, path: &str) -> Result<Written, Error> {
        if self.files.borrow().contains_key(path) {
            return Err(Error::conflict("there is such a file"));
        }
        *self.begun.borrow_mut() += 1;
        let (files, begun) = (self.files.clone(), self.begun.clone());
        Ok(Written { path: path.to_owned(), bytes: Vec::new(), files, begun })
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        self.files.borrow_mut().remove(path).map(|_| ()).ok_or(Error::not_found("there is no such file"))
    }
}

struct Site {
    server: Server<()>,
    client: Client,
    files: Rc<RefCell<BTreeMap<String, Vec<u8>>>>,
    begun: Rc<RefCell<i32>>,
}

impl Site {
    fn new() -> Self {
        let memory: &'static Memory = Box::leak(Box::default());
        let app = Router::new().route(
            "/{*rest}",
            put(async |request: &mut Request<'_, ()>| upload(request, memory, BYTES_MAX).await)
                .delete(async |request: &mut Request<'_, ()>| remove(request, memory).await),
        );
        let mut server = Server::new(app);
        let client = server.connect();
        Site { server, client, files: memory.files.clone(), begun: memory.begun.clone() }
    }

    fn ask(&mut self, method: &str, target: &str, fields: &str, body: &str) -> u16 {
        let length =
            if fields.contains("chunked") { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        self.client.send(format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}{length}\r\n{body}"));
        self.server.run();
        let answer = self.client.received_text();
        answer
            .get(9..12)
            .and_then(|status| status.parse().ok())
            .unwrap_or_else(|| panic!("{method} {target}: {answer}"))
    }

    fn names(&self) -> Vec<String> {
        self.files.borrow().keys().cloned().collect()
    }
}

#[test]
fn files_are_put_once_and_removed_once() {
    let mut site = Site::new();
    assert_eq!(site.ask("PUT", "/a/b%20c.txt", "", "content"), 201);
    assert_eq!(site.files.borrow()["a/b c.txt"], b"content");
    assert_eq!(site.ask("PUT", "/a/b%20c.txt", "", "other"), 409);
    assert_eq!(site.files.borrow()["a/b c.txt"], b"content");
    assert_eq!(site.ask("DELETE", "/a/b%20c.txt", "", ""), 204);
    assert_eq!(site.ask("DELETE", "/a/b%20c.txt", "", ""), 404);
    assert_eq!(site.ask("PUT", "/a/b%20c.txt", "", ""), 201);
    assert_eq!(site.ask("PUT", "/chunks", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), 201);
    assert_eq!(site.files.borrow()["chunks"], b"abcde");
    assert_eq!(*site.begun.borrow(), 0);
}

#[test]
fn what_is_too_large_is_refused_at_its_bound() {
    let mut site = Site::new();
    assert_eq!(site.ask("PUT", "/most", "", &"x".repeat(20)), 201);
    assert_eq!(site.ask("PUT", "/more", "", &"x".repeat(21)), 413);
    let chunked = "Transfer-Encoding: chunked\r\n";
    assert_eq!(site.ask("PUT", "/chunked-most", chunked, "14\r\n01234567890123456789\r\n0\r\n\r\n"), 201);
    assert_eq!(site.ask("PUT", "/chunked-more", chunked, "15\r\n012345678901234567890\r\n0\r\n\r\n"), 413);
    assert_eq!(site.names(), ["chunked-most", "most"]);
    assert_eq!(*site.begun.borrow(), 0);
}

#[test]
fn what_does_not_end_leaves_nothing() {
    let mut site = Site::new();
    assert_eq!(site.ask("PUT", "/full", "", "no room!"), 507);
    site.client = site.server.connect();
    site.client.send("PUT /half HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    site.server.run();
    assert_eq!(*site.begun.borrow(), 1);
    site.client.reset();
    site.server.run();
    assert!(*site.begun.borrow() == 0 && site.names().is_empty());
}

#[test]
fn paths_that_are_none_are_refused() {
    let mut site = Site::new();
    for target in
        ["/", "/a/", "/a//b", "/.hidden", "/a/.hidden", "/%2ehidden", "/a%5c.hidden", "/a%0ab", "/%ff", "/a%2f"]
    {
        assert_eq!(site.ask("PUT", target, "", "x"), 400, "{target}");
        assert_eq!(site.ask("DELETE", target, "", ""), 400, "{target}");
    }
    // These match no route.
    for target in ["/../a", "/%2e%2e/a", "/a/..%2fb", "//a", "/C:/a", "/a%00"] {
        assert_eq!(site.ask("PUT", target, "", "x"), 404, "{target}");
    }
    for (bytes, status) in [(PATH_BYTES_MAX - 1, 201), (PATH_BYTES_MAX, 201), (PATH_BYTES_MAX + 1, 400)] {
        assert_eq!(site.ask("PUT", &format!("/{}", "a".repeat(bytes)), "", "x"), status, "{bytes}");
        assert_eq!(site.ask("PUT", &format!("/{}%62", "a".repeat(bytes - 1)), "", "x"), status, "{bytes}, encoded");
    }
}

#[test]
fn conditions_and_parts_are_refused() {
    let mut site = Site::new();
    for (fields, status) in [
        ("If-Match: *\r\n", 412),
        ("If-Match: \"a\"\r\n", 412),
        ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 412),
        ("Content-Range: bytes 0-0/10\r\n", 400),
        ("If-None-Match: *\r\n", 201),
    ] {
        assert_eq!(site.ask("PUT", "/a", fields, "x"), status, "{fields}");
    }
    assert_eq!(site.ask("DELETE", "/a", "If-Match: \"a\"\r\n", ""), 412);
    assert_eq!(site.ask("DELETE", "/a", "", ""), 204);
}
