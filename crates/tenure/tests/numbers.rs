//! Bad input: a number is one, or 400 and the sum stays.

mod support;

use support::{every_way, feed, get, post, post_chunked, small};
use tenure::{EndReason, Error, Handler, Request, Router, Session, kit::Settings};

struct Adder {
    sum: i64,
}

impl Session for Adder {
    fn end(self, _: EndReason) {}
}

async fn add(request: &mut Request<'_, Adder>) -> Result<i64, Error> {
    let number: i64 = request.body().parse().await?;
    let adder = request.session_or_insert_with(|| Adder { sum: 0 });
    adder.sum = adder.sum.checked_add(number).ok_or(Error::unprocessable("the sum would overflow"))?;
    Ok(adder.sum)
}

async fn set(request: &mut Request<'_, Adder>) -> Result<i64, Error> {
    let sum = request.body().parse().await?;
    request.session_or_insert_with(|| Adder { sum: 0 }).sum = sum;
    Ok(sum)
}

async fn read(request: &mut Request<'_, Adder>) -> i64 {
    request.session().map_or(0, |adder| adder.sum)
}

fn app() -> impl Handler<Adder> {
    Router::new().route("/adder", tenure::get(read).post(add).put(set))
}

/// What comes of a body when the sum is 42, and the sum then; in every framing and in every way of sending it.
#[track_caller]
fn added(body: &str) -> (u16, String, String) {
    let before = post("/adder", "42");
    let mut outcomes = Vec::new();
    for bytes in [
        post("/adder", body),
        post_chunked("/adder", body, &[1]),
        post_chunked("/adder", body, &[2, 3]),
        post_chunked("/adder", body, &[usize::MAX]),
    ] {
        let bytes = before.clone() + &bytes + &get("/adder");
        let answers = every_way(app, small(128), &bytes);
        let in_ten = feed(app(), small(128), bytes.as_bytes().chunks(bytes.len().div_ceil(10)));
        assert_eq!(in_ten, answers, "in ten: {bytes:?}");
        assert!(!answers.closed, "the session stays: {bytes:?}");
        let [first, second, third] = &answers.responses()[..] else { panic!("{bytes:?}") };
        assert_eq!((first.text(), third.status), ("42", 200), "{bytes:?}");
        outcomes.push((second.status, second.text().to_owned(), third.text().to_owned()));
    }
    assert!(outcomes.windows(2).all(|two| two[0] == two[1]), "{body:?}: {outcomes:?}");
    outcomes.remove(0)
}

#[test]
fn accepted_numbers() {
    for (body, sum) in [
        ("0", 42),
        ("1", 43),
        ("+1", 43),
        ("-1", 41),
        ("-0", 42),
        ("007", 49),
        ("00000000000000000000000000000000000001", 43),
        (" 1", 43),
        ("1 ", 43),
        ("\t\r\n 1\r\n", 43),
        ("1\n", 43),
        ("-9223372036854775808", i64::MIN + 42),
        ("9223372036854775765", i64::MAX),
    ] {
        let text = sum.to_string();
        assert_eq!(added(body), (200, text.clone(), text), "{body:?}");
    }
}

#[test]
fn refused_numbers_leave_the_sum_alone_and_say_what_was_wrong() {
    for (body, words) in [
        ("", "nothing came"),
        (" ", "nothing came"),
        ("\r\n", "nothing came"),
        ("x", "not a whole number"),
        ("1 2", "not a whole number"),
        ("1x", "not a whole number"),
        ("x1", "not a whole number"),
        ("0x1", "not a whole number"),
        ("1.0", "not a whole number"),
        ("1e3", "not a whole number"),
        ("1_000", "not a whole number"),
        ("1,000", "not a whole number"),
        ("--1", "not a whole number"),
        ("+-1", "not a whole number"),
        ("- 1", "not a whole number"),
        ("-", "without digits"),
        ("+", "without digits"),
        ("9223372036854775808", "out of range"),
        ("-9223372036854775809", "out of range"),
        ("99999999999999999999999999999", "out of range"),
        ("\u{661}", "not a whole number"),
        ("1\0", "not a whole number"),
        ("\u{a0}1", "not a whole number"),
    ] {
        let (status, text, sum) = added(body);
        assert_eq!((status, sum.as_str()), (400, "42"), "{body:?}: {text}");
        assert!(text.contains(words), "{body:?}: {text}");
    }
}

#[test]
fn the_wrong_byte_is_told() {
    for (body, byte) in [("1 2", 1), ("  12x", 4), ("-x", 1), (" -", 1)] {
        let text = added(body).1;
        assert!(text.ends_with(&format!("(byte {byte})\n")), "{body:?}: {text}");
    }
}

#[test]
fn a_sum_that_would_overflow_is_422_and_stays() {
    for (body, status, sum) in [
        ("9223372036854775765", 200, "9223372036854775807"),
        ("9223372036854775766", 422, "42"),
        ("9223372036854775807", 422, "42"),
    ] {
        let (found, text, after) = added(body);
        assert_eq!((found, after.as_str()), (status, sum), "{body}: {text}");
    }
    let bytes = ["-9223372036854775808", "-1", "-0"].map(|body| post("/adder", body)).concat();
    let answers = every_way(app, Settings::default(), bytes);
    assert_eq!(answers.statuses(), [200, 422, 200]);
    assert_eq!(answers.responses()[2].text(), "-9223372036854775808");
}

#[test]
fn a_number_that_is_not_taken_makes_no_session() {
    let bytes = post("/adder", "x") + &get("/adder") + &post("/adder", "7").replace("POST", "PUT") + &get("/adder");
    let answers = every_way(app, Settings::default(), bytes);
    let said: Vec<_> =
        answers.responses().iter().map(|response| (response.status, response.text().to_owned())).collect();
    assert_eq!(said[1..].iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["0", "7", "7"]);
    assert_eq!(said[0].0, 400);
}

#[test]
fn other_kinds_of_values_are_read_too() {
    async fn read<T: tenure::FromText + std::fmt::Debug>(request: &mut Request<'_, ()>) -> Result<String, Error> {
        Ok(format!("{:?}", request.body().parse::<T>().await?))
    }
    let app = || {
        Router::new()
            .route("/u8", tenure::post(read::<u8>))
            .route("/i8", tenure::post(read::<i8>))
            .route("/u64", tenure::post(read::<u64>))
            .route("/bool", tenure::post(read::<bool>))
            .route("/char", tenure::post(read::<char>))
            .route("/f64", tenure::post(read::<f64>))
    };
    for (target, body, wanted) in [
        ("/u8", "255", Some("255")),
        ("/u8", "256", None),
        ("/u8", "-1", None),
        ("/i8", "-128", Some("-128")),
        ("/i8", "-129", None),
        ("/u64", "18446744073709551615", Some("18446744073709551615")),
        ("/u64", "18446744073709551616", None),
        ("/bool", " true\n", Some("true")),
        ("/bool", "True", None),
        ("/char", "\u{e9}", Some("'\u{e9}'")),
        ("/char", "ab", None),
        ("/f64", "-4.5e1", Some("-45.0")),
        ("/f64", "4,5", None),
    ] {
        let response = every_way(app, small(64), post(target, body)).response();
        match wanted {
            Some(text) => assert_eq!((response.status, response.text()), (200, text), "{target} {body:?}"),
            None => assert_eq!(response.status, 400, "{target} {body:?}"),
        }
    }
}
