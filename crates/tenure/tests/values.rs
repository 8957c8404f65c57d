//! Values that serde reads from a query, a parameter and a form.

mod support;

use std::{collections::BTreeMap, fmt::Debug};

use serde::{Deserialize, de::DeserializeOwned};
use support::{Answers, every_way, feed, get, request};
use tenure::{Error, Request, Router, any, kit::Settings};

#[derive(Deserialize, Debug, PartialEq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Level {
    Low,
    High,
}

#[derive(Deserialize, Debug)]
#[allow(dead_code, reason = "printed")]
struct Wanted {
    from: i8,
    #[serde(default)]
    name: String,
    limit: Option<u16>,
    level: Option<Level>,
    #[serde(default)]
    on: bool,
    share: Option<f32>,
    sign: Option<char>,
    #[serde(default)]
    tag: Vec<String>,
    tags: Option<Vec<String>>,
    #[serde(default)]
    pin: heapless::Vec<u8, 2>,
    #[serde(default, alias = "word")]
    short: heapless::String<4>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "printed")]
struct Strict {
    a: u8,
    #[serde(default)]
    list: Vec<u8>,
}

/// The same answered by a query and by a form.
#[track_caller]
fn read<T: DeserializeOwned + Debug + 'static>(pairs: &str) -> (u16, String) {
    let query = async |request: &mut Request<'_, ()>| Ok::<_, Error>(format!("{:?}", request.query_as::<T>()?));
    let form = async |request: &mut Request<'_, ()>| Ok::<_, Error>(format!("{:?}", request.body().form::<T>().await?));
    let app = Router::new().route("/query", any(query)).route("/form", any(form));
    let bytes = get(&format!("/query?{pairs}")) + &send_form("/form", pairs);
    let answers = feed(app, Settings::default(), [bytes.as_bytes()]);
    let [query, form] = &answers.responses()[..] else { panic!("{answers:?}") };
    assert_eq!(query.status, form.status, "{pairs}");
    assert!(query.status != 200 || query.body == form.body, "{pairs}");
    assert!(!answers.closed);
    (query.status, query.text().to_owned())
}

fn send_form(target: &str, body: &str) -> String {
    request("POST", target, "Content-Type: application/x-www-form-urlencoded\r\n", body)
}

type Map = BTreeMap<String, String>;

#[test]
fn fields_are_what_their_types_say() {
    for (pairs, wanted) in [
        ("from=1", "from: 1"),
        ("from=-128", "from: -128"),
        ("from=%2B127", "from: 127"),
        ("%66rom=%31", "from: 1"),
        ("&&from=1&&", "from: 1"),
        ("from=1&name=a=b%26+%C3%BC%", "name: \"a=b& \u{fc}%\""),
        ("from=1&name", "name: \"\""),
        ("from=1", "limit: None"),
        ("from=1&limit=", "limit: None"),
        ("from=1&limit=65535", "limit: Some(65535)"),
        ("from=1&level=high", "level: Some(High)"),
        ("from=1&level=l%6fw", "level: Some(Low)"),
        ("from=1&on=on", "on: true"),
        ("from=1&on=1", "on: true"),
        ("from=1&on=false", "on: false"),
        ("from=1&on=o%66f", "on: false"),
        ("from=1&share=.5", "share: Some(0.5)"),
        ("from=1&sign=%E2%82%AC", "sign: Some('\u{20ac}')"),
        ("from=1", "tags: None"),
        ("from=1&tags=", "tags: None"),
        ("from=1&tags=&tags=a", "tags: Some([\"\", \"a\"])"),
        ("from=1", "tag: []"),
        ("from=1&tag=", "tag: [\"\"]"),
        ("from=1&tag=a", "tag: [\"a\"]"),
        ("tag=a&from=1&t%61g=+&tagt=c&tag=%25", "tag: [\"a\", \" \", \"%\"]"),
        ("from=1&pin=1&pin=2", "pin: [1, 2]"),
        ("from=1&short=1234", "short: \"1234\""),
        ("from=1&word=%31234", "short: \"1234\""),
        ("from=1&other=5&other=6", "from: 1"),
    ] {
        let (status, text) = read::<Wanted>(pairs);
        assert!(status == 200 && text.contains(wanted), "{pairs}: {status} {text}, not {wanted}");
    }
    assert_eq!(read::<Strict>("list=1&a=5&list=2"), (200, "Strict { a: 5, list: [1, 2] }".into()));
    assert_eq!(read::<Map>("b=%62&%61=1&c&a=2"), (200, r#"{"a": "2", "b": "b", "c": ""}"#.into()));
    assert_eq!(read::<Map>(""), (200, "{}".into()));
    assert_eq!(read::<BTreeMap<u8, bool>>("1=on&%32=off"), (200, "{1: true, 2: false}".into()));
    assert_eq!(read::<Option<Strict>>("a=1"), (200, "Some(Strict { a: 1, list: [] })".into()));
    assert_eq!(read::<()>("a=1"), (200, "()".into()));
}

#[test]
fn what_is_none_is_refused() {
    for pairs in [
        "",
        "from=",
        "from=x",
        "from=128",
        "from=-129",
        "from=1.0",
        "from=1&from=2",
        "from=1&fro%6d=2",
        "from=1&limit=&limit=1",
        "from=1&limit=-1",
        "from=1&limit=65536",
        "from=1&limit=18446744073709551616",
        "from=1&level=none",
        "from=1&level=",
        "from=1&on=yes",
        "from=1&on=",
        "from=1&share=x",
        "from=1&share=inf",
        "from=1&sign=ab",
        "from=1&name=%FF",
        "from=1&name=a&name=b",
        "from=1&pin=1&pin=2&pin=3",
        "from=1&pin=256",
        "from=1&short=12345",
        "from=1&short=a&word=b",
    ] {
        let expected = if pairs.contains("level=") && pairs.ends_with('=') { 200 } else { 400 };
        assert_eq!(read::<Wanted>(pairs).0, expected, "{pairs}");
    }
    for pairs in ["a=1&b=1", "a=1&=", "a=1&%", "list=1", "a=1&list=x"] {
        assert_eq!(read::<Strict>(pairs).0, 400, "{pairs}");
    }
    assert_eq!(read::<Vec<u8>>("a=1").0, 400);
    assert_eq!(read::<u8>("a=1").0, 400);
    assert_eq!(read::<BTreeMap<String, BTreeMap<String, u8>>>("a=1").0, 400);
}

#[test]
fn a_refusal_names_the_field_and_what_is_wanted_of_it() {
    for (pairs, told) in [
        ("", "\"from\" is missing"),
        ("from=", "\"from\": a whole number from -128 to 127 is wanted"),
        ("from=128", "\"from\": 128 is above 127"),
        ("from=1&fr%6fm=2", "\"from\" stands twice"),
        ("from=1&level=none", "\"level\": one of \"low\", \"high\" is wanted"),
        ("from=1&on=yes", "\"on\": true or false is wanted"),
        ("from=1&share=x", "\"share\": a number such as 4.2 is wanted"),
        ("from=1&short=12345", "\"short\": its length of 5 does not fit: a string no more than 4 bytes long is wanted"),
        ("from=1&pin=1&pin=300", "\"pin\": 300 is above 255"),
    ] {
        assert_eq!(read::<Wanted>(pairs), (400, format!("{told}\n")), "{pairs}");
    }
    let told = "\"b\u{fc}\" is unknown: there are \"a\", \"list\"\n";
    assert_eq!(read::<Strict>("a=1&b%C3%BC=2"), (400, told.into()));
}

#[test]
fn a_page_sees_what_is_wrong_and_other_errors_say_their_own() {
    /// Reads what is wrong, then fails for another reason, or at another byte.
    async fn other(request: &mut Request<'_, ()>) -> Result<(), Error> {
        assert!(request.query_as::<Strict>().is_err());
        Err(Error::bad_request("another reason"))
    }

    async fn strict(request: &mut Request<'_, ()>) -> Result<(), Error> {
        request.query_as::<Strict>().map(drop)
    }

    let app = Router::new().route("/other", any(other)).route("/strict", any(strict));
    let app = app.errors(|failed: &tenure::Failed<'_>| format!("<{}>", failed.message()));
    let bytes = get("/strict?a=256") + &get("/other?a=257") + &get("/strict") + &get("/none");
    let answers = feed(app, Settings::default(), [bytes.as_bytes()]);
    let texts: Vec<_> = answers.responses().iter().map(|response| response.text().to_owned()).collect();
    assert_eq!(
        texts,
        [r#"<"a": 256 is above 255>"#, "<another reason>", r#"<"a" is missing>"#, "<there is no such target here>"]
    );
}

/// However many pairs there are, and however often a name stands, nothing takes long.
#[test]
fn names_that_stand_often_cost_no_more() {
    let pairs = "tag=a&".repeat(2_000) + "from=1";
    let form = async |request: &mut Request<'_, ()>| {
        Ok::<_, Error>(request.body().form::<Wanted>().await?.tag.len().to_string())
    };
    let answers = feed(Router::new().route("/", any(form)), Settings::default(), [send_form("/", &pairs).as_bytes()]);
    assert_eq!(answers.response().text(), "2000");
}

fn borrowing() -> impl tenure::Handler<()> {
    #[derive(Deserialize)]
    struct Name<'a> {
        name: &'a str,
    }

    async fn query(request: &mut Request<'_, ()>) -> Result<String, Error> {
        let Name { name } = request.query_as()?;
        Ok(name.to_owned())
    }

    async fn form(request: &mut Request<'_, ()>) -> Result<String, Error> {
        let Name { name } = request.body().form().await?;
        Ok(name.to_owned())
    }

    Router::new().route("/query", any(query)).route("/form", any(form))
}

#[test]
fn a_borrowed_text_is_one_that_was_sent_without_escapes_or_is_decoded_in_place() {
    let answered = |bytes: &str| -> (u16, String) {
        let answers: Answers = every_way(borrowing, Settings::default(), bytes.as_bytes());
        (answers.response().status, answers.response().text().to_owned())
    };
    assert_eq!(answered(&get("/query?name=a-b")), (200, "a-b".into()));
    assert_eq!(answered(&get("/query?name=a%20b")).0, 500);
    assert_eq!(answered(&get("/query?name=a+b")).0, 500);
    assert_eq!(answered(&send_form("/form", "x=%2B&name=a+%C3%BC%26")), (200, "a \u{fc}&".into()));
    assert_eq!(answered(&send_form("/form", "name=\u{fc}")), (200, "\u{fc}".into()));
}

#[test]
fn a_form_says_that_it_is_one() {
    for (fields, status) in [
        ("Content-Type: application/x-www-form-urlencoded\r\n", 200),
        ("Content-Type: Application/X-WWW-Form-URLencoded;charset=UTF-8\r\n", 200),
        ("", 415),
        ("Content-Type: multipart/form-data\r\n", 415),
        ("Content-Type: application/x-www-form-urlencode\r\n", 415),
    ] {
        let answers = feed(borrowing(), Settings::default(), [request("POST", "/form", fields, "name=a").as_bytes()]);
        assert_eq!(answers.statuses(), [status], "{fields}");
    }
    for (body, byte) in [("name=%FF", 5), ("a=\u{e4}&%FF=1&b", 5)] {
        let answers = feed(borrowing(), Settings::default(), [send_form("/form", body).as_bytes()]);
        let said = format!("a form is UTF-8, and percent-encoded (byte {byte})\n");
        assert_eq!((answers.statuses()[0], answers.response().text()), (400, &*said));
    }
}

#[test]
fn a_parameter_is_what_its_type_says() {
    async fn pin(request: &mut Request<'_, ()>) -> Result<String, Error> {
        let (pin, level): (u8, Level) = (request.parameter_as("pin")?, request.parameter_as("level")?);
        let (name, rest): (&str, String) = (request.parameter_as("name")?, request.parameter_as("rest")?);
        Ok(format!("{pin} {level:?} {name} {rest}"))
    }

    async fn unknown(request: &mut Request<'_, ()>) -> Result<u8, Error> {
        request.parameter_as("pin")
    }

    let app = || Router::new().route("/{pin}/{level}/{name}/{*rest}", any(pin)).route("/", any(unknown));
    for (target, status, text) in [
        ("/7/low/a+b/c/d+e", 200, "7 Low a+b c/d+e"),
        ("/%37/lo%77/a/%C3%BC", 200, "7 Low a \u{fc}"),
        ("/256/low/a/b", 400, "\"pin\": 256 is above 255\n"),
        ("/7/none/a/b", 400, "\"level\": one of \"low\", \"high\" is wanted\n"),
        ("/7/low/a/%FF", 400, ""),
        ("/7/low/%41/b", 500, ""),
        ("/", 500, ""),
    ] {
        let answers = feed(app(), Settings::default(), [get(target).as_bytes()]);
        assert_eq!(answers.statuses(), [status], "{target}");
        assert!(text.is_empty() || answers.response().text() == text, "{target}: {answers:?}");
    }
}
