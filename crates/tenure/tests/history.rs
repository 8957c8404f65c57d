//! Topics that keep their last events, and clients of server-sent events that come again.
#![cfg(feature = "kit")]

use std::fmt::Write as _;

use tenure::{
    EndReason, Error, Event, EventTopic, Events, Request, Router, events,
    kit::{Client, Server, Settings},
    post,
};

const NEWS: EventTopic = EventTopic::new(0).keep(3);
const PLAIN: EventTopic = EventTopic::new(1);
const MANY: EventTopic = EventTopic::new(2).keep(1_000);

async fn news(request: &mut Request<'_, ()>) -> Result<Events, Error> {
    let events = Events::new().topic(NEWS).topic(PLAIN);
    match request.query() {
        Some("first") => events.if_missed(Event::data("missed"))?.first(Event::data("first")),
        _ => events.first(Event { retry_ms: Some(9), ..Event::NONE })?.if_missed(Event::data("missed")),
    }
}

async fn many(_: &mut Request<'_, ()>) -> Events {
    Events::new().topic(MANY)
}

/// Publishes the event of that number.
async fn tell(request: &mut Request<'_, ()>) -> Result<(), Error> {
    let number: u32 = request.body().parse().await?;
    request.publish(NEWS, Event::data("n").id(&number.to_string()))
}

fn server() -> Server<()> {
    let last = async |request: &mut Request<'_, ()>| request.last_event_id().unwrap_or("none").to_string();
    let app = Router::new()
        .route("/news", events(news))
        .route("/many", events(many))
        .route("/tell", post(tell))
        .route("/last", tenure::get(last));
    Server::with(app, Settings { lanes_max: 2, ..Settings::default() })
}

fn publish(server: &mut Server<()>, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        server.publish(NEWS, Event::data("n").id(&number.to_string()));
    }
}

fn told(numbers: impl IntoIterator<Item = u32>) -> String {
    let mut text = String::new();
    for number in numbers {
        write!(text, "id: {number}\ndata: n\n\n").unwrap();
    }
    text
}

/// A client that comes again, and what it gets at once.
fn again(server: &mut Server<()>, target: &str, id: Option<&str>) -> (Client, String) {
    let client = server.connect();
    let field = id.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
    client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{field}\r\n"));
    server.run();
    let received = client.received_text();
    let (head, events) = received.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    (client, events.to_string())
}

/// At, before and beyond what is kept; what is new comes behind that, once.
#[test]
fn who_comes_again_gets_what_came_meanwhile() {
    // How many are published, the last that the client got, whether it has missed some, the first that it gets.
    for (count, last, has_missed, from) in [
        (2, "0", true, 1),
        (2, "1", false, 2),
        (2, "2", false, 3),
        (3, "0", true, 1),
        (3, "1", false, 2),
        (4, "1", true, 2),
        (4, "2", false, 3),
        (5, "1", true, 3),
        (5, "2", true, 3),
        (5, "3", false, 4),
        (5, "4", false, 5),
        (5, "5", false, 6),
        (5, "55", true, 3),
    ] {
        let mut server = server();
        let (reader, _) = again(&mut server, "/news", None);
        publish(&mut server, 1..=count);
        assert_eq!(reader.received_text(), told(1..=count));
        let (client, events) = again(&mut server, "/news", Some(last));
        let missed = if has_missed { "data: missed\n\n" } else { "" };
        assert_eq!(events, format!("retry: 9\n\n{missed}{}", told(from..=count)), "{last} of {count}");
        publish(&mut server, [count + 1]);
        assert_eq!((client.received_text(), reader.received_text()), (told([count + 1]), told([count + 1])));
    }
}

/// Who does not say what it got last gets what is new; so does who listens to what keeps nothing.
#[test]
fn who_comes_for_the_first_time() {
    let mut server = server();
    let (_reader, events) = again(&mut server, "/news?first", None);
    assert_eq!(events, "data: first\n\n");
    publish(&mut server, 1..3);
    server.publish(PLAIN, Event::data("plain").id("7"));
    for (id, wanted) in
        [(None, ""), (Some(""), ""), (Some("7"), "data: missed\n\nid: 1\ndata: n\n\nid: 2\ndata: n\n\n")]
    {
        let (client, events) = again(&mut server, "/news?first", id);
        assert_eq!(events, format!("data: first\n\n{wanted}"), "{id:?}");
        server.publish(PLAIN, Event::data("plain"));
        assert_eq!(client.received_text(), "data: plain\n\n");
    }
    for (field, wanted) in [("", "none"), ("Last-Event-ID:\r\n", "none"), ("last-event-id: \u{e4} 1\r\n", "\u{e4} 1")] {
        let client = server.connect();
        client.send(format!("GET /last HTTP/1.1\r\nHost: a\r\n{field}\r\n"));
        server.run();
        assert!(client.received_text().ends_with(&format!("\r\n\r\n{wanted}")), "{field}");
    }
}

/// Wherever a stream is cut, its client has each event once in the end.
#[test]
fn cut_anywhere() {
    let all = told(1..=3);
    for cut in 0..=all.len() {
        let mut server = server();
        let (client, _) = again(&mut server, "/news", None);
        client.set_window(cut);
        publish(&mut server, 1..=3);
        let received = client.received_text();
        assert_eq!(received, all[..cut]);
        client.reset();
        server.run();
        // As a browser does: an event that has not come whole has not come.
        let whole = received.rfind("\n\n").map_or("", |end| &received[..end + 2]);
        let last = whole.rmatch_indices("id: ").next().map_or("0", |(at, _)| &whole[at + 4..=at + 4]);
        let (client, events) = again(&mut server, "/news", Some(last));
        let events = events.replace("retry: 9\n\n", "");
        assert_eq!(whole.to_string() + &events.replace("data: missed\n\n", ""), all, "cut after {cut} bytes");
        assert_eq!(events.starts_with("data: missed"), last == "0", "cut after {cut} bytes");
        publish(&mut server, [4]);
        assert_eq!(client.received_text(), told([4]));
    }
}

/// A stream whose client is too slow ends behind what waits for it, so that the client comes again, and has missed nothing.
#[test]
fn who_is_too_slow_comes_again() {
    let mut server = server();
    let event = |number: u32| {
        let mut text = format!("id: {number}\ndata: ");
        text.extend(std::iter::repeat_n('x', 1_024 - 2 - text.len()));
        text + "\n\n"
    };
    let (client, _) = again(&mut server, "/many", None);
    client.set_window(0);
    for number in 0..80 {
        let text = event(number);
        let data = text.split("data: ").nth(1).unwrap().trim_end();
        server.publish(MANY, Event::data(data).id(&number.to_string()));
    }
    client.set_window(usize::MAX);
    server.run();
    let received = client.received_text();
    // 64 KiB wait.
    assert_eq!(received, (0..64).map(event).collect::<String>() + ":\n\n");
    assert!(client.is_closed() && !client.is_reset());
    let reason = EndReason::Deadline(tenure::Deadline::Response);
    assert_eq!(server.ended(), [(client.id().unwrap(), reason)]);
    let (_, events) = again(&mut server, "/many", Some("63"));
    assert_eq!(events, (64..80).map(event).collect::<String>());
    // 32 KiB are kept.
    let (_, events) = again(&mut server, "/many", Some("48"));
    assert_eq!(events, (49..80).map(event).collect::<String>());
    let (_, events) = again(&mut server, "/many", Some("47"));
    assert_eq!(events, (48..80).map(event).collect::<String>());
}

/// Nothing is kept before somebody has joined, nor once nobody can come again who has heard what is kept.
#[test]
fn what_nobody_can_ask_for_is_not_kept() {
    let mut server = server();
    let teller = server.connect();
    let tell = |server: &mut Server<()>, number: u32| {
        let body = number.to_string();
        let length = body.len();
        teller.send(format!("POST /tell HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"));
        server.run();
        assert!(teller.received_text().starts_with("HTTP/1.1 200 "));
        server.published()
    };
    assert_eq!(tell(&mut server, 1), 0);
    let (reader, _) = again(&mut server, "/news", None);
    assert_eq!(tell(&mut server, 2), 1);
    reader.close();
    server.run();
    for (number, published) in [(3, 2), (4, 3), (5, 4)] {
        assert_eq!(tell(&mut server, number), published);
    }
    // Whoever has heard the second one has missed some by now: but it may still come for the others.
    let (reader, events) = again(&mut server, "/news", Some("2"));
    assert_eq!(events, format!("retry: 9\n\ndata: missed\n\n{}", told(3..6)));
    reader.close();
    server.run();
    for (number, published) in [(6, 5), (7, 6), (8, 7), (9, 8), (10, 8), (11, 8)] {
        assert_eq!(tell(&mut server, number), published, "{number}");
    }
    let (reader, events) = again(&mut server, "/news", Some("5"));
    assert_eq!(events, "retry: 9\n\ndata: missed\n\n");
    assert_eq!(tell(&mut server, 12), 9);
    assert_eq!(reader.received_text(), told([12]));
}

#[test]
#[should_panic(expected = "one topic that keeps its events")]
fn two_topics_that_keep() {
    let _ = Events::new().topic(NEWS).topic(PLAIN).topic(MANY);
}

#[test]
fn texts_at_below_and_above_their_bound() {
    let text = "x".repeat(200);
    let event = |bytes: usize| Event::data(&text[..bytes - 8]);
    for (first, if_missed, fits) in [(64, 63, true), (64, 64, true), (64, 65, false), (8, 120, true), (9, 120, false)] {
        let one = Events::new().first(event(first)).and_then(|events| events.if_missed(event(if_missed)));
        let other = Events::new().if_missed(event(if_missed)).and_then(|events| events.first(event(first)));
        assert_eq!((one.is_ok(), other.is_ok()), (fits, fits), "{first} and {if_missed}");
    }
    let again = Events::new().first(event(100)).unwrap().first(event(20)).unwrap().if_missed(event(100)).unwrap();
    assert!(again.if_missed(event(108)).is_ok());
}
