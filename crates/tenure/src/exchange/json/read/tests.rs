//! What is read, beside what `serde_json` reads, and what is said of what is not.

extern crate std;

use super::*;
use serde::Deserialize;
use serde_json::Value;
use std::{
    borrow::ToOwned,
    boxed::Box,
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

fn read_text<T: de::DeserializeOwned>(text: impl AsRef<[u8]>) -> Result<T, String> {
    read_or(&mut text.as_ref().to_vec(), |place, fault| {
        let byte = place.byte.map_or(String::new(), |byte| format!(" (byte {byte})"));
        place.text(fault).as_str().to_owned() + &byte
    })
}

#[derive(Deserialize, Debug, PartialEq)]
struct Wifi {
    ssid: heapless::String<8>,
    port: u16,
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Off,
    Heat(u8),
    Range { from: i8, to: i8 },
    Pair(u8, u8),
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
struct Config {
    wifi: Wifi,
    #[serde(default)]
    pins: Vec<u8>,
    mode: Option<Mode>,
}

#[derive(Deserialize, Debug)]
#[allow(dead_code, reason = "never read")]
struct Nested(Option<Box<Nested>>);

/// Texts that both read, or refuse.
const TEXTS: &[&str] = &[
    "",
    " ",
    "null",
    "true",
    "false",
    "tru",
    "truex",
    "nul",
    "0",
    "-0",
    "-",
    "+1",
    "01",
    "-01",
    "00",
    "1",
    "-1",
    "1.",
    ".5",
    "1.5",
    "-1.5e3",
    "1e",
    "1e+",
    "1E-2",
    "1e5",
    "127",
    "128",
    "-128",
    "-129",
    "255",
    "256",
    "65536",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "1e309",
    "-1e309",
    "1e-400",
    "123456789012345678901234567890",
    "0x1",
    "NaN",
    "Infinity",
    "1 2",
    "1,",
    "\"\"",
    "\"a\"",
    "\"",
    "\"\\\"\"",
    "\"\\",
    "\"\\\"",
    "\"a\\nb\"",
    "\"\\q\"",
    "\"\\/\\\\\\b\\f\\n\\r\\t\"",
    "\"\\u0041\"",
    "\"\\u00e4\"",
    "\"\\uD83D\\uDE00\"",
    "\"\\ud83d\"",
    "\"\\ude00\"",
    "\"\\ud83d\\u0041\"",
    "\"\\ud83d\\ud83d\"",
    "\"\\ud83dx\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\u+123\"",
    "\"\\u0000\"",
    "\"\t\"",
    "\"\n\"",
    "\"\u{7f}\"",
    "\"\u{fc}\u{1f600}\"",
    "'a'",
    "a",
    "[]",
    "[ ]",
    "[1]",
    "[1,2]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1",
    "[",
    "]",
    "[1]]",
    "[[1],[2,[3]]]",
    "{}",
    "{ }",
    "{\"a\":1}",
    "{\"a\":1,}",
    "{,\"a\":1}",
    "{\"a\" 1}",
    "{\"a\":}",
    "{\"a\"}",
    "{a:1}",
    "{1:1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":{\"b\":[1,{\"c\":null}]}}",
    "{\"a\":1",
    "{\"a\":",
    "{",
    "}",
    "{\"a\":1}}",
    "\t\r\n [ 1 , 2 ] \n",
    "\u{feff}1",
    "\u{a0}1",
    "{\"\\u0061\":1}",
    "// c\n1",
    "[1]x",
    "\"a\"\"b\"",
    "{\"from\":1,\"to\":2}",
    "{\"heat\":5}",
    "{\"heat\":256}",
    "\"off\"",
    "\"on\"",
    "{\"off\":null}",
    "{\"off\":1}",
    "{\"range\":{\"from\":1,\"to\":2}}",
    "{\"pair\":[1,2]}",
    "{\"pair\":[1]}",
    "{\"pair\":[1,2,3]}",
    "{\"heat\":1,\"off\":null}",
    "\"heat\"",
    "{\"range\":{\"from\":1}}",
    "{\"ssid\":\"a\",\"port\":1}",
    "{\"ssid\":\"123456789\",\"port\":1}",
    "{\"port\":1}",
    "{\"ssid\":\"a\",\"port\":1,\"x\":[{\"y\":\"\\n\"}]}",
    "{\"ssid\":\"a\",\"port\":1,\"x\":[}",
    "{\"ssid\":\"a\",\"ssid\":\"a\",\"port\":1}",
    "{\"wifi\":{\"ssid\":\"a\",\"port\":1},\"pins\":[1,2],\"mode\":null}",
    "{\"wifi\":{\"ssid\":\"a\",\"port\":1},\"pin\":[1,2]}",
    "{\"1\":true,\"-2\":false}",
    "{\"1\":true,\"x\":false}",
    "{\"\":1}",
];

/// The same of each type, whether as a value or refused.
#[track_caller]
fn agree<T: de::DeserializeOwned + PartialEq + core::fmt::Debug>(text: &[u8]) {
    let (ours, theirs) = (read_text::<T>(text), serde_json::from_slice::<T>(text));
    if str::from_utf8(text).is_err() {
        // The other reader does not look at what it passes over.
        assert!(ours.is_err(), "{}", text.escape_ascii());
        return;
    }
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{}", text.escape_ascii()),
        (Err(_), Err(_)) => {}
        _ => panic!("{} as {}: {ours:?}, {theirs:?}", text.escape_ascii(), core::any::type_name::<T>()),
    }
}

fn agree_in_all_types(text: &[u8]) {
    agree::<Value>(text);
    // What is passed over is checked as what is wanted is; the other reader is not as strict there.
    let ignored = read_text::<de::IgnoredAny>(text).is_ok();
    assert!(ignored || read_text::<Value>(text).is_err(), "{}", text.escape_ascii());
    assert!(!ignored || serde_json::from_slice::<de::IgnoredAny>(text).is_ok(), "{}", text.escape_ascii());
    // Integers are not made of a `-0`, says the one.
    if text.trim_ascii() != b"-0" {
        agree::<(i8,)>(&[b"[", text, b"]"].concat());
        agree::<u8>(text);
        agree::<i8>(text);
        agree::<u16>(text);
        agree::<i64>(text);
        agree::<u64>(text);
    }
    agree::<f64>(text);
    agree::<bool>(text);
    agree::<char>(text);
    agree::<String>(text);
    agree::<()>(text);
    agree::<Option<String>>(text);
    agree::<Vec<u8>>(text);
    agree::<[u8; 2]>(text);
    agree::<BTreeMap<String, Value>>(text);
    agree::<Mode>(text);
    agree::<Option<Mode>>(text);
    agree::<Vec<Mode>>(&[b"[", text, b"]"].concat());
    agree::<Wifi>(text);
    agree::<Config>(text);
}

impl PartialEq for Nested {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[test]
fn each_text_is_what_another_reader_says() {
    for text in TEXTS {
        agree_in_all_types(text.as_bytes());
        // Cut anywhere, and with any byte gone wrong.
        for at in 0..text.len() {
            agree_in_all_types(&text.as_bytes()[..at]);
            for byte in [b'"', b'}', 0xff] {
                let mut broken = text.as_bytes().to_vec();
                broken[at] = byte;
                agree_in_all_types(&broken);
            }
        }
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    const WIFI: &str = r#""wifi":{"ssid":"a","port":1}"#;
    let of_mode = |mode: &str| format!("{{{WIFI},\"mode\":{mode}}}");
    for (text, told) in [
        (String::new(), "a JSON value is wanted, and nothing came (byte 0)"),
        ("  ".into(), "a JSON value is wanted, and nothing came (byte 0)"),
        ("[1]".into(), "an object is wanted, not a list (byte 0)"),
        ("ssid=a".into(), "no JSON value begins here (byte 0)"),
        (r#"{"wifi":{"ssid":"a","port":70000}}"#.into(), r#""wifi.port": 70000 is above 65535 (byte 27)"#),
        (r#"{"wifi":{"ssid":"a","port":-1}}"#.into(), r#""wifi.port": -1 is below 0 (byte 27)"#),
        (
            r#"{"wifi":{"ssid":"a","port":1.5}}"#.into(),
            r#""wifi.port": a whole number from 0 to 65535 is wanted (byte 27)"#,
        ),
        (
            r#"{"wifi":{"ssid":"a","port":"1"}}"#.into(),
            r#""wifi.port": a whole number from 0 to 65535 is wanted, not text (byte 27)"#,
        ),
        (
            format!(r#"{{"wifi":{{"ssid":"a","port":{}}}}}"#, "9".repeat(30)),
            r#""wifi.port": the number is above 65535 (byte 27)"#,
        ),
        (r#"{"wifi":{"ssid":5,"port":1}}"#.into(), r#""wifi.ssid": text is wanted, not a number (byte 16)"#),
        (
            r#"{"wifi":{"ssid":"123456789","port":1}}"#.into(),
            r#""wifi.ssid": its length of 9 does not fit: a string no more than 8 bytes long is wanted (byte 16)"#,
        ),
        (r#"{"wifi":{"ssid":"a"}}"#.into(), r#""wifi.port" is missing (byte 8)"#),
        ("{}".into(), r#""wifi" is missing (byte 0)"#),
        (r#"{"wifi":{"ssid":"a","ssid":"a","port":1}}"#.into(), r#""wifi.ssid" stands twice (byte 8)"#),
        (format!(r#"{{{WIFI},"pin":[1]}}"#), r#""pin" is unknown: there are "wifi", "pins", "mode" (byte 30)"#),
        (format!(r#"{{{WIFI},"pins":[1,2,256]}}"#), r#""pins[2]": 256 is above 255 (byte 42)"#),
        (of_mode(r#""on""#), r#""mode": one of "off", "heat", "range", "pair" is wanted (byte 37)"#),
        (of_mode(r#"{"heat":256}"#), r#""mode.heat": 256 is above 255 (byte 45)"#),
        (of_mode(r#"{"range":{"from":1}}"#), r#""mode.range.to" is missing (byte 46)"#),
        (of_mode(r#"{"pair":[1,2,3]}"#), r#""mode.pair": the list is longer than the 2 that are wanted (byte 45)"#),
        (
            of_mode(r#"{"pair":[1]}"#),
            r#""mode.pair": its length of 1 does not fit: tuple variant Mode::Pair with 2 elements is wanted (byte 45)"#,
        ),
        (of_mode("5"), r#""mode": a name, or an object of one name, is wanted, not a number (byte 37)"#),
        (r#"{"wifi":{"ssid":"a","port":1"#.into(), r#""wifi": the JSON ends too early (byte 28)"#),
        (r#"{"wifi":{"ssid":"a" "port":1}}"#.into(), r#""wifi": a , or } is wanted here (byte 20)"#),
        (r#"{"wifi":{"ssid":"\ud800","port":1}}"#.into(), r#""wifi.ssid": a surrogate stands alone (byte 17)"#),
        (format!("{{{WIFI}}} x"), "nothing may stand behind the value (byte 31)"),
    ] {
        let read = read_text::<Config>(&text).map(|_| String::new());
        assert_eq!(read, Err(told.to_string()), "{text}");
    }
    assert_eq!(read_text::<String>(b"\"ab\xffc\""), Err("this is not UTF-8 (byte 3)".into()),);
    assert_eq!(read_text::<String>("\"a\tb\""), Err("a control byte in a text must be escaped (byte 2)".into()));
}

#[test]
fn a_text_is_borrowed_also_where_it_is_escaped() {
    let mut bytes = *br#"{"a\u0062":"\u00fcber\n"}"#;
    let map: BTreeMap<&str, &str> = read_or(&mut bytes, Place::text).unwrap();
    assert_eq!(map, BTreeMap::from([("ab", "\u{fc}ber\n")]));
}

#[test]
fn names_may_be_numbers_bool_or_of_an_enum() {
    #[derive(Deserialize, Debug, PartialEq, Eq, PartialOrd, Ord)]
    enum Pin {
        Red,
    }
    assert_eq!(read_text(r#"{"1":1,"-2":2}"#), Ok(BTreeMap::from([(1i8, 1), (-2, 2)])));
    assert_eq!(read_text(r#"{"true":1}"#), Ok(BTreeMap::from([(true, 1)])));
    assert_eq!(read_text(r#"{"Red":1}"#), Ok(BTreeMap::from([(Pin::Red, 1)])));
    assert_eq!(read_text::<BTreeMap<i8, u8>>(r#"{"1":1, "128":2}"#), Err(r#""128": 128 is above 127 (byte 8)"#.into()),);
}

#[test]
fn lists_and_objects_may_stand_64_deep() {
    let nested = |depth: usize, open: &str, close: &str| open.repeat(depth) + "null" + &close.repeat(depth);
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        assert!(read_text::<Value>(nested(64, open, close)).is_ok());
        assert!(read_text::<de::IgnoredAny>(nested(64, open, close)).is_ok());
        for depth in [65, 66, 100_000] {
            let read = read_text::<Value>(nested(depth, open, close)).unwrap_err();
            assert!(read.contains("lists and objects may stand 64 deep"), "{read}");
            assert!(read_text::<de::IgnoredAny>(nested(depth, open, close)).is_err());
            assert!(read_text::<Value>(open.repeat(depth)).is_err());
        }
    }
    let inner = |depth: usize| format!("[{}]", nested(depth, "[", "]"));
    assert!(read_text::<Vec<de::IgnoredAny>>(inner(63)).is_ok());
    assert!(read_text::<Vec<de::IgnoredAny>>(inner(64)).is_err());
    // What comes out of a list may go into another one.
    assert!(read_text::<Vec<Value>>("[".to_owned() + &"[],".repeat(1000) + "[]]").is_ok());
}

#[test]
fn what_is_told_is_bounded_and_has_no_controls() {
    let name = "n\\u0000\\n".repeat(100);
    let text = format!("{{\"{name}\":{{\"{name}\":1}}}}");
    let told = read_text::<BTreeMap<String, BTreeMap<String, String>>>(&text).unwrap_err();
    assert!(told.len() < 220 && !told.chars().any(char::is_control) && told.contains('\u{2026}'), "{told}");
    assert!(told.contains("text is wanted, not a number"), "{told}");
}
