//! JSON: responses that are written without a buffer, bodies that are read in place, and what is refused of them.

mod support;

use std::{cell::Cell, collections::BTreeMap};

use serde::{Deserialize, Serialize, Serializer};
use support::{Answers, every_way, feed, get, post_chunked, request, responses_to, small, text};
use tenure::{EndReason, Error, Handler, Json, Request, Router, Session, StatusCode, any, kit::Settings};

/// How often a connection was heard.
struct Heard(u32);

impl Session for Heard {
    fn end(self, _: EndReason) {}
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Wifi {
    ssid: String,
    port: u16,
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Config {
    wifi: Wifi,
    pins: Vec<u8>,
    note: Option<String>,
}

/// Says what it has read.
async fn echo(request: &mut Request<'_, Heard>) -> Result<Json<Config>, Error> {
    request.session_or_insert_with(|| Heard(0)).0 += 1;
    Ok(Json(request.body().json().await?))
}

/// Borrows what it has read, also where it was escaped.
async fn borrowed(request: &mut Request<'_, Heard>) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct Said<'a> {
        said: &'a str,
    }

    let Said { said } = request.body().json().await?;
    Ok(said.to_owned())
}

async fn requests(request: &mut Request<'_, Heard>) -> u32 {
    request.session().map_or(0, |heard| heard.0)
}

fn app() -> impl Handler<Heard> {
    Router::new().route("/echo", any(echo)).route("/borrowed", any(borrowed)).route("/requests", any(requests))
}

fn put(body: &str) -> String {
    request("PUT", "/echo", "Content-Type: application/json\r\n", body)
}

const CONFIG: &str = r#"{"wifi":{"ssid":"K\u00fcche \"1\"","port":65535},"pins":[1,2,255],"note":null}"#;
const SAID: &str = r#"{"wifi":{"ssid":"Küche \"1\"","port":65535},"pins":[1,2,255],"note":null}"#;

#[test]
fn a_body_is_read_however_it_arrives() {
    let chunked = |sizes: &[usize]| {
        post_chunked("/echo", CONFIG, sizes).replace("Host: a", "Host: a\r\nContent-Type: application/json")
    };
    for bytes in [put(CONFIG), chunked(&[1]), chunked(&[7, 20]), chunked(&[1_000])] {
        let answers = every_way(app, Settings::default(), (bytes + &put(CONFIG)).as_bytes());
        let responses = answers.responses();
        assert_eq!(answers.statuses(), [200, 200]);
        for response in responses {
            assert_eq!(response.field("content-type"), Some("application/json"));
            assert_eq!(response.text(), SAID);
        }
    }
}

#[test]
fn a_text_may_be_borrowed_and_the_head_stays_as_it_is() {
    let said = r#"{ "other": [1, {"a": "\u0041"}], "said": "a\tb\\\u00e4\ud83d\ude00" }"#;
    let bytes = request("PUT", "/borrowed", "Content-Type: application/json\r\n", said);
    let answers = every_way(app, Settings::default(), bytes.repeat(2).as_bytes());
    for response in answers.responses() {
        assert_eq!(response.text(), "a\tb\\\u{e4}\u{1f600}");
    }
}

#[test]
fn the_type_must_be_json() {
    for (fields, status) in [
        ("Content-Type: application/json\r\n", 200),
        ("Content-Type: Application/JSON ; charset=utf-8\r\n", 200),
        ("Content-Type: application/problem+json\r\n", 200),
        ("Content-Type: application/vnd.a+JSON;v=1\r\n", 200),
        ("", 415),
        ("Content-Type:\r\n", 415),
        ("Content-Type: application/jsonx\r\n", 415),
        ("Content-Type: application/+jso\r\n", 415),
        ("Content-Type: image/svg+json\r\n", 415),
        ("Content-Type: text/plain\r\n", 415),
        ("Content-Type: text/json\r\n", 415),
        ("Content-Type: application/x-www-form-urlencoded\r\n", 415),
        ("Content-Type: \u{e4}pplication/+json\r\n", 415),
    ] {
        let bytes = request("PUT", "/echo", fields, CONFIG) + &get("/requests");
        let answers = feed(app(), Settings::default(), [bytes.as_bytes()]);
        assert_eq!(answers.statuses(), [status, 200], "{fields:?}");
        // Each was heard, and its session stays.
        assert_eq!(answers.responses()[1].text(), "1");
    }
}

#[test]
fn what_is_too_large_names_the_bound() {
    let settings = small(CONFIG.len());
    for (body, status) in [(CONFIG.to_owned(), 200), (format!("{CONFIG} "), 413)] {
        let answers = feed(app(), settings, [put(&body).as_bytes(), get("/requests").as_bytes()]);
        assert_eq!(answers.statuses(), [status, 200], "{}", body.len());
        if status == 413 {
            let said = format!("the body is larger than this target takes (at most {} bytes)\n", CONFIG.len());
            assert_eq!(answers.responses()[0].text(), said);
        }
        assert_eq!(answers.responses()[1].text(), "1");
    }
}

/// Refusals of all kinds, each on a connection whose session stays.
#[test]
fn every_refusal_keeps_the_session() {
    let deep = "[".repeat(10_000);
    for body in [
        "",
        " ",
        "{",
        "null",
        "[]",
        r#"{"wifi":5}"#,
        r#"{"wifi":{"ssid":"a","port":65536},"pins":[],"note":null}"#,
        r#"{"wifi":{"ssid":"a","port":1},"pins":[],"pins":[]}"#,
        r#"{"wifi":{"ssid":"\ud800","port":1},"pins":[],"note":null}"#,
        r#"{"wifi":{"ssid":"a","port":1},"pins":[],"note":null}x"#,
        r#"{"wifi":{"ssid":"a","port":1},"pins":[],"note":nul"#,
        &deep,
    ] {
        let bytes = put(body) + &get("/requests");
        let answers = feed(app(), Settings::default(), [bytes.as_bytes()]);
        assert_eq!(answers.statuses(), [400, 200], "{body:.80}");
        assert_eq!(answers.responses()[1].text(), "1");
        assert!(!answers.closed);
    }
    let mut bytes = put(r#"{"wifi":{"ssid":"??"}}"#).replace("??", "\u{80}").into_bytes();
    let at = bytes.iter().position(|byte| *byte == 0xc2).unwrap();
    bytes[at] = 0xff;
    assert_eq!(feed(app(), Settings::default(), [&bytes[..]]).statuses(), [400]);
}

#[test]
fn a_refusal_names_the_field_and_what_is_wanted() {
    for (body, told) in [
        ("", "a JSON value is wanted, and nothing came (byte 0)\n"),
        (r#"{"wifi":{"ssid":"a","port":70000}}"#, "\"wifi.port\": 70000 is above 65535 (byte 27)\n"),
        (r#"{"wifi":{"ssid":"a","prt":1}}"#, "\"wifi.port\" is missing (byte 8)\n"),
        (r#"{"wifi":{"ssid":"a","port":1"#, "\"wifi\": the JSON ends too early (byte 28)\n"),
    ] {
        let answers = feed(app(), Settings::default(), [put(body).as_bytes()]);
        assert_eq!((answers.statuses()[0], answers.response().text()), (400, told), "{body}");
    }
    let answers = feed(app(), Settings::default(), [request("PUT", "/echo", "", CONFIG).as_bytes()]);
    assert_eq!(answers.response().text(), "send JSON, as application/json: the Content-Type says another\n");
}

/// Counts the bytes of text that a value has been asked for.
struct Counted<'a>(&'a str);

thread_local! {
    static WRITTEN: Cell<usize> = const { Cell::new(0) };
}

impl Serialize for Counted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WRITTEN.set(WRITTEN.get() + self.0.len());
        serializer.serialize_str(self.0)
    }
}

fn answers_of<T: Serialize + 'static>(
    make: impl Fn() -> T + Copy + 'static,
    settings: Settings,
    bytes: &str,
) -> Answers {
    let app = Router::new().route("/", any(async move |_: &mut Request<'_, ()>| Json(make())));
    feed(app, settings, [bytes.as_bytes()])
}

#[test]
fn a_response_of_any_length_goes_through_an_output_of_any_size() {
    for length in [0, 1, 50, 60, 70, 90, 100, 200, 255, 256, 257, 1_000, 3_000] {
        for output_bytes in [256, 300, 16_384] {
            let value = move || vec![text(length), "\"\n\u{1f600}".repeat(length)];
            let settings = Settings { output_bytes, ..Settings::default() };
            let answers = answers_of(value, settings, &get("/").repeat(3));
            let wanted = serde_json::to_string(&value()).unwrap();
            for response in answers.responses() {
                assert_eq!(response.text(), wanted, "{length} {output_bytes}");
                assert_eq!(response.field("content-type"), Some("application/json"));
            }
            assert_eq!(answers.statuses(), [200; 3]);
        }
    }
}

/// Fields of a layer are kept in the output until the head is written: what is written ahead of it must leave them alone.
#[test]
fn a_response_goes_out_with_the_fields_of_a_layer() {
    for length in (0..300).step_by(7).chain([1_000]) {
        for field in [1, 60, 120] {
            let json = async move |_: &mut Request<'_, ()>| Json(text(length));
            let app = Router::new().route("/", any(json)).fields([("X-Layer", text(field))]);
            let settings = Settings { output_bytes: 400, ..Settings::default() };
            let answers = feed(app, settings, [get("/").repeat(3).as_bytes()]);
            for response in answers.responses() {
                assert_eq!(response.field("x-layer"), Some(&*text(field)), "{length} {field}");
                assert_eq!(response.text(), format!("\"{}\"", text(length)), "{length} {field}");
            }
            assert_eq!(answers.statuses(), [200; 3]);
        }
    }
}

/// What fits is written once, what does not, twice with a heap, otherwise once per part.
#[test]
fn a_value_is_written_as_seldom_as_can_be() {
    const PARTS: usize = 100;
    let written = |length: usize, output_bytes: usize| {
        WRITTEN.set(0);
        let value = move || vec![Counted(Box::leak(text(length / PARTS).into_boxed_str())); PARTS];
        let settings = Settings { output_bytes, ..Settings::default() };
        assert_eq!(answers_of(value, settings, &get("/")).statuses(), [200]);
        WRITTEN.get()
    };
    assert_eq!(written(10_000, 16_384), 10_000);
    let (large, parts) = (written(100_000, 10_000), 11);
    if cfg!(tenure_narrow) {
        // Counted once, then up to each part.
        assert!(large > 100_000 * parts / 2 && large < 100_000 * (parts + 5) / 2, "{large}");
    } else {
        assert_eq!(large, 200_000);
    }
}

impl Clone for Counted<'_> {
    fn clone(&self) -> Self {
        Counted(self.0)
    }
}

#[test]
fn what_json_has_no_words_for_is_500_before_anything_is_announced() {
    #[derive(Serialize)]
    enum Value {
        Float(f64),
        Single(f32),
        Map(BTreeMap<Vec<u8>, u8>),
        Failing(#[serde(serialize_with = "fail")] u8),
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    fn fail<S: Serializer>(_: &u8, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it failed"))
    }

    for make in [
        || Value::Float(f64::NAN),
        || Value::Float(f64::INFINITY),
        || Value::Single(f32::NEG_INFINITY),
        || Value::Map(BTreeMap::from([(vec![1], 1)])),
        || Value::Failing(1),
    ] {
        let answers = answers_of(move || (text(1_000), make()), small(256), &get("/").repeat(2));
        assert_eq!(answers.statuses(), [500, 500]);
        assert!(!answers.closed, "{answers:?}");
    }
    let answers = answers_of(|| Value::Float(1.5), small(256), &get("/"));
    assert_eq!(answers.response().text(), "{\"Float\":1.5}");
}

#[test]
fn a_head_tells_the_length_and_no_body() {
    for length in [10, 1_000] {
        let answers = answers_of(move || text(length), small(256), &request("HEAD", "/", "", "").repeat(2));
        for response in responses_to("HH", &answers.bytes) {
            assert_eq!(response.field("content-length"), Some(&*(length + 2).to_string()));
        }
    }
    let created = async |_: &mut Request<'_, ()>| (StatusCode::CREATED, [("Location", "/1")], Json(text(500)));
    let app = Router::new().route("/", any(created));
    let answers = feed(app, small(256), [get("/").as_bytes()]);
    assert_eq!((answers.statuses()[0], answers.response().field("location")), (201, Some("/1")));
    for (status, bytes) in [(StatusCode::NO_CONTENT, None), (StatusCode::RESET_CONTENT, Some("0"))] {
        let app = Router::new().route("/", any(async move |_: &mut Request<'_, ()>| (status, Json(text(500)))));
        let answers = feed(app, small(256), [get("/").repeat(2).as_bytes()]);
        assert_eq!(answers.responses()[1].field("content-length"), bytes);
        assert_eq!(answers.statuses(), [status.code(); 2]);
    }
}

/// A value that says something else each time breaks its word: the peer must see that.
#[test]
fn a_value_that_changes_resets_the_connection() {
    struct Changing(Cell<usize>, isize);

    impl Serialize for Changing {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let length = self.0.get();
            self.0.set(length.saturating_add_signed(self.1));
            text(length).serialize(serializer)
        }
    }

    for change in [-1, 1, 0] {
        let answers = answers_of(move || Changing(Cell::new(220), change), small(256), &get("/"));
        if change == 0 {
            assert_eq!(answers.response().body.len(), 222);
        } else {
            assert!(answers.reset && answers.ended == [EndReason::Aborted], "{change} {answers:?}");
        }
    }
}

#[test]
fn values_are_written_as_another_writer_does() {
    #[derive(Serialize)]
    enum Kind {
        Unit,
        New(i8),
        Tuple(u8, bool),
        Struct { a: char, b: () },
    }

    #[derive(Serialize)]
    struct All {
        kinds: Vec<Kind>,
        numbers: (i64, u64, i128, u128, f32),
        #[serde(skip_serializing_if = "Option::is_none")]
        none: Option<u8>,
        names: BTreeMap<i8, &'static str>,
        switches: BTreeMap<bool, char>,
        address: std::net::Ipv4Addr,
        empty: (Vec<u8>, BTreeMap<u8, u8>, &'static str),
    }

    let all = All {
        kinds: vec![Kind::Unit, Kind::New(-128), Kind::Tuple(255, true), Kind::Struct { a: '\u{1}', b: () }],
        numbers: (i64::MIN, u64::MAX, i128::MIN, u128::MAX, 0.1),
        none: None,
        names: BTreeMap::from([(-1, "\"\\/\u{8}\u{c}\n\r\t\u{1f}\u{7f}\u{fc}"), (1, "")]),
        switches: BTreeMap::from([(false, 'n'), (true, '"')]),
        address: [10, 0, 0, 1].into(),
        empty: (vec![], BTreeMap::new(), ""),
    };
    let mut buffer = [0; 1_000];
    let written = tenure::json::write(&all, &mut buffer).unwrap();
    assert_eq!(written, serde_json::to_string(&all).unwrap());
    let length = written.len();
    assert!(tenure::json::write(&all, &mut vec![0; length]).is_ok());
    assert!(tenure::json::write(&all, &mut vec![0; length - 1]).is_err());
    for number in [0.0, -0.0, 1.0, 1e15, 1e16, 1.5e-5, 1e-7, f64::MAX, f64::MIN_POSITIVE, 5e-324, 0.1 + 0.2] {
        let text = tenure::json::write(&number, &mut buffer).unwrap();
        assert_eq!(serde_json::from_str::<f64>(text).unwrap().to_bits(), number.to_bits(), "{text}");
    }
}

#[test]
fn a_body_on_the_heap_may_be_larger_than_the_buffer() {
    async fn large(request: &mut Request<'_, Heard>) -> Result<Json<usize>, Error> {
        let mut bytes = request.body().to_vec(10_000).await?;
        let texts: Vec<&str> = tenure::json::read(&mut bytes)?;
        Ok(Json(texts.len()))
    }

    let text_of = |bytes: usize| format!("[\"{}\",\"\\u0041\"]", text(bytes - 13));
    for (bytes, status) in [(9_999, 200), (10_000, 200), (10_001, 413)] {
        let app = Router::new().route("/", any(large));
        let sent = request("PUT", "/", "", &text_of(bytes));
        let answers = feed(app, small(100), sent.as_bytes().chunks(200));
        assert_eq!(answers.statuses(), [status], "{bytes}");
        if status == 413 {
            assert!(answers.responses()[0].text().ends_with("(at most 10000 bytes)\n"));
        }
    }
}

#[test]
fn a_body_of_text_is_utf8() {
    async fn shout(request: &mut Request<'_, Heard>) -> Result<String, Error> {
        Ok(request.body().text().await?.to_uppercase())
    }

    let app = || Router::new().route("/", any(shout));
    let answers = every_way(app, Settings::default(), request("PUT", "/", "", "\u{fc}ber").as_bytes());
    assert_eq!(answers.response().text(), "\u{dc}BER");
    let mut bytes = request("PUT", "/", "", "ab?c").into_bytes();
    *bytes.iter_mut().rev().nth(1).unwrap() = 0xfc;
    let answers = feed(app(), Settings::default(), [&bytes[..]]);
    assert_eq!((answers.statuses()[0], answers.response().text()), (400, "the body is not UTF-8 (byte 2)\n"));
}
