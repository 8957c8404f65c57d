//! What clients say of who they are: Authorization fields beside a plain reading of them, and cookies, of which none is let through that
//! was not signed.
//!
//! An input is the value of a field; or a cookie, and what one is to hold.

use std::cell::RefCell;

use tenure::{
    Error, Request, Router, get,
    kit::{Client, Server},
};
use tenure_login::{
    Authorization, AuthorizationError, CookieError, Credentials, Digest, Key, Login, PasswordHash, SignedCookie,
};

/// Calls of a server's driver before it is made anew.
const CALLS_MAX: u64 = 10_000;

static COOKIE: SignedCookie = SignedCookie::new("login", Key::of([7; 32])).key_before(Key::of([8; 32]));

/// Reads the input as each of them.
pub fn run(input: &[u8]) {
    if let Ok(text) = str::from_utf8(input) {
        authorization(text);
        cookie(text);
    }
    if input.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..)) {
        answered(input);
    }
}

fn authorization(text: &str) {
    let read = Authorization::parse(text);
    let (scheme, given) = text.split_once(' ').unwrap_or((text, ""));
    let given = given.trim_matches(' ');
    match &read {
        Ok(Authorization::Basic(credentials)) => {
            let wanted = format!("{}:{}", credentials.user(), credentials.password());
            assert_eq!(base64(given), Some(wanted.into_bytes()), "{text:?}");
            assert!(!credentials.user().contains(':') && credentials.are(credentials.user(), credentials.password()));
        }
        Ok(Authorization::Bearer(token)) => assert!(*token == given && !token.contains([' ', '"', ',']), "{text:?}"),
        Ok(Authorization::Digest(proof)) => {
            assert!((1..=64).contains(&proof.user().len()), "{text:?}");
            // Another parameter changes nothing; one that stands twice is refused.
            let more = format!("{text} , x=\"\\\"\"");
            let same =
                matches!(Authorization::parse(&more), Ok(Authorization::Digest(again)) if again.user() == proof.user());
            assert!(same, "{more:?}");
            let twice = format!("{text},NC=00000001");
            assert_eq!(
                Authorization::parse(&twice).unwrap_err(),
                AuthorizationError::ParameterTwice("nc"),
                "{twice:?}"
            );
        }
        Ok(Authorization::Other(name)) => assert_eq!(*name, scheme),
        Err(_) if scheme.eq_ignore_ascii_case("basic") => {
            let decoded = base64(given).and_then(|bytes| String::from_utf8(bytes).ok());
            let is_right = decoded.is_some_and(|text| {
                text.len() <= Credentials::BYTES_MAX && text.contains(':') && !text.chars().any(char::is_control)
            });
            assert!(!is_right || given.is_empty(), "{text:?} is refused: {read:?}");
        }
        Err(_) => {}
    }
}

/// What base64 with padding says, RFC 4648 section 4.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    (bits == 0).then_some(bytes)
}

fn cookie(text: &str) {
    // Nobody guesses a signature.
    let read = COOKIE.read(text, 0);
    assert!(matches!(read, Err(CookieError::Malformed | CookieError::Forged)), "{text:?}: {read:?}");
    let set = COOKIE.set(text, 1_000);
    assert_eq!(set.is_ok(), text.len() <= SignedCookie::VALUE_BYTES_MAX, "{text:?}");
}

async fn prove(digest: &Digest, request: &mut Request<'_, Login>) -> Result<String, Error> {
    let find = |user: &str| (user == "ada").then(|| PasswordHash::new("ada", "lab", "lovelace"));
    Ok(digest.user(request, find).await?.as_str().to_owned())
}

fn server() -> (Server<Login>, Client) {
    let digest = Digest::new("lab", Key::of([7; 32]));
    let own = async move |request: &mut Request<'_, Login>| prove(&digest, request).await;
    let signed = async |request: &mut Request<'_, Login>| match COOKIE.of(request, 0) {
        Ok(signed) => Ok(signed.value().to_owned()),
        Err(error) => Err(Error::from(error)),
    };
    let mut server = Server::new(Router::new().route("/digest", get(own)).route("/cookie", get(signed)));
    let client = server.connect();
    (server, client)
}

thread_local! {
    static SERVER: RefCell<(Server<Login>, Client)> = RefCell::new(server());
}

/// What nobody has signed or proved is refused, and its connection goes on.
fn answered(input: &[u8]) {
    SERVER.with_borrow_mut(|(server, client)| {
        for (target, name, wanted) in
            [("/digest", "Authorization", &["400", "401"][..]), ("/cookie", "Cookie: login=a; login", &["401"])]
        {
            let separator = if name.contains(':') { "=" } else { ":" };
            let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{name}{separator}");
            client.send([head.as_bytes(), input, b"\r\n\r\n"].concat());
            server.run();
            let answer = client.received_text();
            assert!(wanted.contains(&&answer[9..12]), "{target} {}: {answer}", input.escape_ascii());
            assert!(!client.is_closed(), "{}", input.escape_ascii());
        }
        if server.calls() > CALLS_MAX {
            (*server, *client) = self::server();
        }
    });
}
