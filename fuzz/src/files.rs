//! Files: what is answered to conditions, ranges and codings, beside a plain reading of these fields.
//!
//! An input is the fields of a request, each a number of the name's and a value, one per line.

use std::cell::RefCell;

use tenure::{
    Request, Router,
    files::{Coding, Entity, EntityResponse, accepted},
    get,
    kit::{Client, Server},
};
use tenure_proto::{
    accept::AcceptEncoding,
    conditional::{EntityTag, has_tag},
    date::{imf_fixdate, parse},
    range::Range,
};

/// What is served.
const BYTES: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";

/// The second of its last change, and that of the requests.
const MODIFIED: u64 = 784_111_777;
const NOW: u64 = 1_795_910_400;

/// Fields, by numbers.
const NAMES: [&str; 7] =
    ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range", "Accept-Encoding"];

/// Calls of a server's driver before it is made anew.
const CALLS_MAX: u64 = 10_000;

/// Reads an input as each of the fields' values, then asks a server.
pub fn run(input: &[u8]) {
    tags(input);
    ranges(input);
    codings(input);
    if let Some(second) = parse(input, NOW) {
        assert_eq!(parse(&imf_fixdate(second), 0), Some(second));
    }
    let mut fields = String::new();
    for line in input.split(|&byte| byte == b'\n') {
        let Some((number, value)) = line.split_first() else { continue };
        let Ok(value) = str::from_utf8(value) else { return };
        if value.contains(|letter: char| letter.is_control()) {
            return;
        }
        fields += NAMES[usize::from(*number) % NAMES.len()];
        fields += ": ";
        fields += value;
        fields += "\r\n";
    }
    ask(&fields);
}

/// A tag is what can be written again; a list has the tags that are written into it.
fn tags(input: &[u8]) {
    if let Some(tag) = EntityTag::parse(input) {
        let written = [if tag.weak { b"W/\"".as_slice() } else { b"\"" }, tag.opaque, b"\""].concat();
        assert_eq!(written, input);
        let list = [b"\"other\", ", input, b", W/\"last\""].concat();
        assert!(has_tag(&list, |found| found == tag));
    }
    // Each tag that is told of stands there.
    has_tag(input, |tag| {
        let quoted = [b"\"", tag.opaque, b"\""].concat();
        assert!(input.windows(quoted.len()).any(|bytes| bytes == quoted));
        false
    });
}

fn ranges(input: &[u8]) {
    for length in [0, 1, 26, u64::MAX] {
        if let Range::Part { first, last } = Range::parse(input, length) {
            assert!(first <= last && last < length);
            let written = format!("bytes={first}-{last}");
            assert_eq!(Range::parse(written.as_bytes(), length), Range::Part { first, last });
        }
    }
}

/// What is chosen is accepted, and nothing that is there has a greater weight.
fn codings(input: &[u8]) {
    let mut accepted = AcceptEncoding::new();
    accepted.add(input);
    let all = [Coding::Identity, Coding::Gzip, Coding::Brotli];
    for there in 0..8_u8 {
        let has = |coding: Coding| there & 1 << coding as u8 != 0;
        let most =
            all.into_iter().filter(|coding| has(*coding)).map(|coding| accepted.weight(coding)).max().unwrap_or(0);
        match accepted.choose(has) {
            Some(coding) => assert!(has(coding) && accepted.weight(coding) == most && most > 0 && most <= 1_000),
            None => assert_eq!(most, 0),
        }
    }
}

thread_local! {
    static SERVER: RefCell<(Server<()>, Client)> = RefCell::new(server());
}

fn server() -> (Server<()>, Client) {
    async fn file(request: &mut Request<'_, ()>) -> EntityResponse<'static> {
        let coding = accepted(request).choose(|coding| coding != Coding::Brotli).unwrap_or(Coding::Identity);
        let entity = Entity::new("text/plain", 26).etag("\"a\"").modified(MODIFIED, NOW).coding(coding);
        entity.respond(request, BYTES)
    }
    let mut server = Server::new(Router::new().route("/", get(file)));
    let client = server.connect();
    (server, client)
}

/// A response is one of those that there are, and has what its status demands.
fn ask(fields: &str) {
    SERVER.with_borrow_mut(|(server, client)| {
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        server.run();
        let answer = client.received_text();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let is_closed = client.is_closed();
        if is_closed || server.calls() > CALLS_MAX {
            (*server, *client) = self::server();
        }
        let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let whole = str::from_utf8(BYTES).unwrap_or_default();
        match head.get(9..12) {
            Some("200") => assert!(body == whole && value("Content-Range").is_none(), "{fields}{answer}"),
            Some("206") => {
                let range = value("Content-Range").and_then(|range| range.strip_prefix("bytes ")?.strip_suffix("/26"));
                let (first, last) = range.and_then(|range| range.split_once('-')).expect("a range");
                let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
                assert_eq!(body, &whole[first..=last], "{fields}");
            }
            Some("304") => assert!(body.is_empty() && value("ETag") == Some("\"a\""), "{fields}{answer}"),
            Some("412") => assert!(fields.contains("If-Match") || fields.contains("If-Unmodified-Since"), "{fields}"),
            Some("416") => assert_eq!(value("Content-Range"), Some("bytes */26"), "{fields}"),
            // The head is too large, or a value is none.
            Some("431" | "400") => {}
            status => panic!("{fields} is answered {status:?}"),
        }
    });
}
