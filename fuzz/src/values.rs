//! Queries and forms as values, beside a plain reading of their pairs.
//!
//! An input is a query, or a form.

use std::{cell::RefCell, collections::BTreeMap};

use serde::Deserialize;
use tenure::{
    Error, Request, Router, get,
    kit::{Client, Server},
    post,
};

use crate::target::decoded;

/// Bytes of an input that the kit's server takes as a target.
const QUERY_BYTES_MAX: usize = 1_000;
/// Calls of a server's driver before it is made anew.
const CALLS_MAX: u64 = 10_000;

#[derive(Deserialize, Debug, PartialEq)]
struct Wanted {
    a: Option<String>,
    n: Option<i8>,
    #[serde(default)]
    t: Vec<String>,
    #[serde(default)]
    b: bool,
}

/// Sends the input as a form, and as a query where it may be one.
pub fn run(input: &[u8]) {
    let pairs = pairs(input);
    let wanted = pairs.as_deref().and_then(wanted);
    let map: Option<BTreeMap<_, _>> = pairs.as_ref().map(|pairs| pairs.iter().cloned().collect());
    let form = |target: &str| {
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
            input.len()
        );
        [head.as_bytes(), input].concat()
    };
    check(&form("/wanted"), wanted.as_ref().map(|wanted| format!("{wanted:?}")), input);
    check(&form("/map"), map.as_ref().map(|map| format!("{map:?}")), input);
    check(&form("/borrowed"), map.as_ref().map(|map| format!("{map:?}")), input);
    let is_query = input.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'#'));
    // What a query has beyond what is wanted is not looked at, so it need not be text there.
    if is_query && input.len() <= QUERY_BYTES_MAX && pairs.is_some() {
        let query = |target: &str| [b"GET ", target.as_bytes(), b"?", input, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        check(&query("/wanted"), wanted.map(|wanted| format!("{wanted:?}")), input);
        check(&query("/map"), map.map(|map| format!("{map:?}")), input);
    }
}

/// The pairs, decoded; `None` where they are not UTF-8.
fn pairs(input: &[u8]) -> Option<Vec<(String, String)>> {
    let text = |bytes: &[u8]| String::from_utf8(decoded(bytes, true)?).ok();
    let pairs = input.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        Some((text(&pair[..at])?, text(pair.get(at + 1..).unwrap_or_default())?))
    });
    pairs.collect()
}

/// What these pairs say of what is wanted.
fn wanted(pairs: &[(String, String)]) -> Option<Wanted> {
    let all = |wanted: &str| -> Vec<String> {
        pairs.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.clone()).collect()
    };
    let one = |name: &str| match &all(name)[..] {
        [] => Some(None),
        [value] => Some(Some(value.clone())),
        _ => None,
    };
    let filled = |name: &str| Some(one(name)?.filter(|value| !value.is_empty()));
    let n = match filled("n")? {
        None => None,
        Some(text) => {
            let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.trim_start_matches('0');
            let number: i64 = if number.is_empty() { 0 } else { number.parse().unwrap_or(i64::MAX) };
            // Of more bytes than are decoded for a number there is none.
            let is_short = text.len() <= 64;
            let number = if text.starts_with('-') { -number } else { number };
            Some(number.try_into().ok().filter(|_| is_number && is_short)?)
        }
    };
    let b = match one("b")?.as_deref() {
        None | Some("false" | "off" | "0") => false,
        Some("true" | "on" | "1") => true,
        _ => return None,
    };
    Some(Wanted { a: filled("a")?, n, t: all("t"), b })
}

async fn wanted_form(request: &mut Request<'_, ()>) -> Result<String, Error> {
    Ok(format!("{:?}", request.body().form::<Wanted>().await?))
}

async fn wanted_query(request: &mut Request<'_, ()>) -> Result<String, Error> {
    Ok(format!("{:?}", request.query_as::<Wanted>()?))
}

async fn map_form(request: &mut Request<'_, ()>) -> Result<String, Error> {
    Ok(format!("{:?}", request.body().form::<BTreeMap<String, String>>().await?))
}

async fn map_query(request: &mut Request<'_, ()>) -> Result<String, Error> {
    Ok(format!("{:?}", request.query_as::<BTreeMap<String, String>>()?))
}

async fn borrowed(request: &mut Request<'_, ()>) -> Result<String, Error> {
    let map: BTreeMap<&str, &str> = request.body().form().await?;
    Ok(format!("{map:?}"))
}

fn server() -> (Server<()>, Client) {
    let app = Router::new()
        .route("/wanted", get(wanted_query).post(wanted_form))
        .route("/map", get(map_query).post(map_form))
        .route("/borrowed", post(borrowed));
    let mut server = Server::new(app);
    let client = server.connect();
    (server, client)
}

thread_local! {
    static SERVER: RefCell<(Server<()>, Client)> = RefCell::new(server());
}

/// What was sent is answered with that text, or refused where there is none; the connection goes on.
fn check(bytes: &[u8], wanted: Option<String>, input: &[u8]) {
    SERVER.with_borrow_mut(|(server, client)| {
        client.send(bytes);
        server.run();
        let answer = client.received_text();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        match (&head[9..12], wanted) {
            ("200", Some(wanted)) => assert_eq!(body, wanted, "{}", input.escape_ascii()),
            // Without a heap a query's text has a bound.
            ("400", None) => {}
            ("400", Some(_)) if cfg!(tenure_narrow) && body.contains("too long") => {}
            (status, wanted) => panic!("{} is answered {status}, not {wanted:?}: {body}", input.escape_ascii()),
        }
        assert!(!client.is_closed(), "{}", input.escape_ascii());
        if server.calls() > CALLS_MAX {
            (*server, *client) = self::server();
        }
    });
}
