//! JSON: what is read beside what `serde_json` reads, and what is answered with it.
//!
//! An input is a seed (two bytes), then a JSON text.

use std::{cell::RefCell, fmt::Debug};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tenure::{
    Error, Json, Request, Router,
    kit::{Client, Server, Settings},
    put,
};

use crate::cuts::ends;

/// Calls of a server's driver before it is made anew.
const CALLS_MAX: u64 = 10_000;

/// A bit of everything.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Mixed {
    a: Option<i8>,
    #[serde(default)]
    b: Vec<Kind>,
    c: Option<Box<Mixed>>,
    d: (u64, f32),
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Kind {
    U,
    N(char),
    T(bool, String),
    S { x: f64 },
}

/// Reads the input in every way.
pub fn run(input: &[u8]) {
    let Some((&[seed, other], text)) = input.split_first_chunk() else { return };
    let value = agree::<Value>(text);
    agree::<Mixed>(text);
    agree::<Vec<Kind>>(text);
    agree::<f32>(text);
    agree::<i64>(text);
    agree::<String>(text);
    // What is passed over is checked as what is wanted, but for the size of a number.
    let ignored = tenure::json::read::<serde::de::IgnoredAny>(&mut text.to_vec());
    assert!(ignored.is_ok() || value.is_none(), "{}: {ignored:?}", text.escape_ascii());
    answered(text, value, u64::from(seed) << 8 | u64::from(other));
}

/// Both read the same, or nothing. Returns that.
fn agree<T: Serialize + DeserializeOwned + PartialEq + Debug>(text: &[u8]) -> Option<T> {
    let ours = tenure::json::read::<T>(&mut text.to_vec());
    let theirs = serde_json::from_slice::<T>(text);
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours, theirs, "{}", text.escape_ascii());
            written(&ours);
            Some(ours)
        }
        (Err(why), Ok(theirs)) => {
            let why = why.to_string();
            // What it passes over the other reader does not look at as closely; and a struct is no list here.
            let is_stricter = ["64 deep", "UTF-8", "surrogate", "escape", "an object is wanted, not a list"];
            assert!(is_stricter.iter().any(|part| why.contains(part)), "{}: {why}, {theirs:?}", text.escape_ascii());
            None
        }
        (Ok(ours), Err(why)) => {
            // A `-0` is a whole number here.
            let is_zero = text.windows(2).any(|pair| pair == b"-0");
            assert!(is_zero, "{}: {ours:?}, {why}", text.escape_ascii());
            None
        }
        (Err(_), Err(_)) => None,
    }
}

/// What is written is read as the same, and has no byte too many.
fn written<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let mut buffer = vec![0; 10_000];
    let length = tenure::json::write(value, &mut buffer).expect("what was read has finite numbers").len();
    let text = &buffer[..length];
    assert_eq!(serde_json::from_slice::<T>(text).ok().as_ref(), Some(value), "{}", text.escape_ascii());
    assert_eq!(tenure::json::read::<T>(&mut text.to_vec()).ok().as_ref(), Some(value), "{}", text.escape_ascii());
    assert!(tenure::json::write(value, &mut vec![0; length]).is_ok());
    assert!(length == 0 || tenure::json::write(value, &mut vec![0; length - 1]).is_err());
}

async fn echo(request: &mut Request<'_, ()>) -> Result<Json<Value>, Error> {
    Ok(Json(request.body().json().await?))
}

fn server() -> (Server<()>, Client) {
    let settings = Settings { input_bytes: 400, body_bytes: 700, output_bytes: 300, ..Settings::default() };
    let mut server = Server::with(Router::new().route("/", put(echo)), settings);
    let client = server.connect();
    (server, client)
}

thread_local! {
    static SERVER: RefCell<(Server<()>, Client)> = RefCell::new(server());
}

/// A connection answers with what it was sent, however that came, and goes on.
fn answered(text: &[u8], value: Option<Value>, seed: u64) {
    SERVER.with_borrow_mut(|(server, client)| {
        let head = format!(
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        let bytes = [head.as_bytes(), text].concat();
        let mut at = 0;
        for end in ends(bytes.len(), seed) {
            client.send(&bytes[at..end]);
            server.run();
            at = end;
        }
        let answer = client.received();
        let at = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
        match (&answer[9..12], value) {
            (b"200", Some(value)) => {
                assert_eq!(serde_json::from_slice::<Value>(&answer[at..]).ok(), Some(value), "{}", text.escape_ascii());
            }
            (b"400", None) | (b"413", _) => {}
            (status, value) => panic!("{} is answered {}: {value:?}", text.escape_ascii(), status.escape_ascii()),
        }
        assert!(!client.is_closed(), "{}", text.escape_ascii());
        // The kit remembers all that happens: it is made anew now and then.
        if server.calls() > CALLS_MAX {
            (*server, *client) = self::server();
        }
    });
}
