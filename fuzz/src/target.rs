//! Targets: decoding and folders beside plain readings of them, and routes beside a plain reading of their patterns.
//!
//! An input is a target.

use std::cell::RefCell;

use tenure::{
    Encoded, Request, Router, get,
    kit::{Client, Server},
};
use tenure_proto::{
    head::TargetForm,
    target::{DecodeError, Target, leaves_folder_at, pairs, segments},
};

/// Bytes of a target that the kit's server takes; longer inputs are not routed.
const ROUTED_BYTES_MAX: usize = 1_000;

/// Calls of a server's driver before it is made anew.
const CALLS_MAX: u64 = 10_000;

/// The patterns of the routes, in their order.
const PATTERNS: [&str; 14] = [
    "/",
    "/a",
    "/a/",
    "/a b/ä",
    "/adder/sums",
    "/c:/{x}",
    "/a/{x}",
    "/longer/than/a/word/{x}",
    "/{x}/b",
    "/{x}/{y}/c",
    "/f/{*rest}",
    "/g/{x}/{*rest}",
    "/{x}//{y}",
    "/{a}/{b}/{c}/{d}/{e}/{f}",
];

/// The pattern of the routes below a prefix of their own, as a whole.
const NESTED: &str = "/n/{x}/in/{*rest}";

/// Takes the input apart in every way.
pub fn run(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    for form in [TargetForm::Origin, TargetForm::Absolute, TargetForm::Asterisk] {
        let target = Target::new(text, form);
        assert!(form == TargetForm::Absolute || target.authority.is_none());
        decode(target.path, false);
        for (name, value) in pairs(target.query.unwrap_or_default()) {
            decode(name.as_encoded(), true);
            decode(value.as_encoded(), true);
        }
        let parts: Vec<_> = segments(target.path).map(|segment| segment.as_encoded().to_owned()).collect();
        assert_eq!(parts.join("/"), target.path.strip_prefix('/').unwrap_or(target.path));
    }
    decode(text, true);
    for drives in [false, true] {
        assert_eq!(leaves_folder_at(input, drives).is_some(), leaves(input, drives), "{text:?}");
    }
    // What a head cannot have is refused there.
    if input.starts_with(b"/") && input.len() <= ROUTED_BYTES_MAX && !input.iter().any(|byte| *byte <= b' ') {
        route(text);
    }
}

/// Decoded text is what a plain reading of it says, in a buffer of any size.
fn decode(raw: &str, is_query: bool) {
    let encoded = if is_query { Encoded::query(raw) } else { Encoded::path(raw) };
    let plain = decoded(raw.as_bytes(), is_query);
    let bytes: Result<Vec<u8>, DecodeError> = encoded.bytes().collect();
    assert_eq!(bytes.clone().ok(), plain, "{raw:?}");
    let Ok(bytes) = bytes else {
        assert_eq!(encoded.decode(&mut vec![0; raw.len()]), Err(DecodeError::Escape), "{raw:?}");
        return;
    };
    assert!(encoded.is(&bytes) && !encoded.is(&[&bytes[..], b"x"].concat()), "{raw:?}");
    let wanted = str::from_utf8(&bytes).map_err(|_| DecodeError::Utf8);
    assert_eq!(encoded.decode(&mut vec![0; bytes.len()]), wanted, "{raw:?}");
    if let (Ok(text), Some(room)) = (wanted, bytes.len().checked_sub(1)) {
        let mut buffer = vec![0; room];
        let outcome = encoded.decode(&mut buffer);
        assert!(outcome == Err(DecodeError::Space) || outcome == Ok(text) && text == raw, "{raw:?}");
    }
}

/// A plain reading of percent-encoded text; `None` where a path has a broken escape.
pub(crate) fn decoded(raw: &[u8], is_query: bool) -> Option<Vec<u8>> {
    let digit = |at: usize| raw.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut bytes, mut at) = (Vec::new(), 0);
    while let Some(&byte) = raw.get(at) {
        at += 1;
        match (byte, digit(at), digit(at + 1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((16 * high + low) as u8);
                at += 2;
            }
            (b'%', ..) if !is_query => return None,
            (b'+', ..) if is_query => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    Some(bytes)
}

/// A plain reading of what leads out of a folder: a broken escape stands for itself.
fn leaves(path: &[u8], drives: bool) -> bool {
    let mut bytes = Vec::new();
    let mut rest = path;
    while let Some((&byte, behind)) = rest.split_first() {
        let escape = rest.get(..3).and_then(|escape| decoded(escape, false)).filter(|escape| escape.len() == 1);
        bytes.push(escape.as_ref().map_or(byte, |escape| escape[0]));
        rest = if escape.is_some() { &rest[3..] } else { behind };
    }
    let is_slash = |byte: &u8| matches!(byte, b'/' | b'\\');
    let leads_out = |part: &[u8]| {
        let dots = part.iter().take_while(|byte| **byte == b'.').count();
        let drive = matches!(part, [letter, b':', ..] if letter.is_ascii_alphabetic());
        matches!(dots, 1 | 2) && matches!(part.get(dots), None | Some(b' ')) || drives && drive
    };
    bytes.first().is_some_and(is_slash) || bytes.contains(&0) || bytes.split(is_slash).any(leads_out)
}

/// What a pattern's parameters have of a path, by a plain reading of both.
fn matched<'p>(pattern: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let (mut values, mut rest) = (Vec::new(), Some(path.strip_prefix('/')?));
    for segment in pattern[1..].split('/') {
        let here = rest?;
        if segment.starts_with("{*") {
            values.push(here);
            return (!leaves(here.as_bytes(), true)).then_some(values);
        }
        let value;
        (value, rest) = here.split_once('/').map_or((here, None), |(value, rest)| (value, Some(rest)));
        if segment.starts_with('{') {
            if value.is_empty() || leaves(value.as_bytes(), false) {
                return None;
            }
            values.push(value);
        } else if decoded(value.as_bytes(), false)? != segment.as_bytes() {
            return None;
        }
    }
    rest.is_none().then_some(values)
}

/// Which route answered, and what its parameters were as they were sent.
fn told(pattern: &str, request: &Request<'_, ()>) -> String {
    let names = pattern.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let value = |name: &str| request.parameter(name.trim_start_matches('*')).map_or("none", |value| value.as_encoded());
    std::iter::once(pattern).chain(names.map(value)).collect::<Vec<_>>().join("\n")
}

macro_rules! routes {
    ($router:expr, $($number:literal)*) => {
        $router$(.route(PATTERNS[$number], get(async |request: &mut Request<'_, ()>| told(PATTERNS[$number], request))))*
    };
}

thread_local! {
    static SERVER: RefCell<(Server<()>, Client)> = RefCell::new(server());
}

fn server() -> (Server<()>, Client) {
    let inner = Router::new().route("/in/{*rest}", get(async |request: &mut Request<'_, ()>| told(NESTED, request)));
    let app = routes!(Router::new(), 0 1 2 3 4 5 6 7 8 9 10 11 12 13).nest("/n/{x}", inner);
    let mut server = Server::new(app);
    let client = server.connect();
    (server, client)
}

/// A server's router answers as a plain reading of its patterns would.
fn route(text: &str) {
    SERVER.with_borrow_mut(|(server, client)| {
        client.send(format!("GET {text} HTTP/1.1\r\nHost: a\r\n\r\n"));
        server.run();
        let answer = client.received_text();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        // The kit remembers all that happens: it is made anew now and then.
        if client.is_closed() || server.calls() > CALLS_MAX {
            (*server, *client) = self::server();
        }
        let path = text.split('?').next().unwrap_or_default();
        let mut patterns = PATTERNS.iter().chain([&NESTED]);
        let found = patterns.find_map(|pattern| Some((*pattern, matched(pattern, path)?)));
        match (head.get(9..12), found) {
            (Some("200"), Some((pattern, values))) => {
                let wanted = std::iter::once(pattern).chain(values).collect::<Vec<_>>().join("\n");
                assert_eq!(body, wanted, "{text:?}");
            }
            (Some("404"), None) | (Some("400"), _) => {}
            (status, found) => panic!("{text:?} is answered {status:?}, not by {found:?}: {body}"),
        }
    });
}
