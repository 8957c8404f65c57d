//! Streams of server-sent events.
#![cfg(feature = "kit")]

use tenure::{
    EndReason, Error, Event, EventTopic, Events, Frame, MessageTopic, Request, Router, events,
    kit::{Server, Settings},
    port::Pushed,
    post,
};

const TICKS: EventTopic = EventTopic::new(3);

async fn ticks(request: &mut Request<'_, ()>) -> Result<Events, Error> {
    if request.query_value("now").is_some() {
        return Events::new().topic(TICKS).first(Event::data("now"));
    }
    if request.query_value("nothing").is_some() {
        return Err(Error::not_found("there is no such clock"));
    }
    Ok(Events::new().topic(TICKS).retry_ms(2_000))
}

async fn tick(request: &mut Request<'_, ()>) -> Result<(), Error> {
    request.publish(TICKS, Event::data("tick\ntock").event("tick").id("7"))
}

async fn wrong(request: &mut Request<'_, ()>) -> Result<(), Error> {
    request.publish(TICKS, Event::data("x").id("a\nb"))
}

fn server() -> Server<()> {
    let app = Router::new().route("/ticks", events(ticks)).route("/tick", post(tick)).route("/wrong", post(wrong));
    Server::with(app, Settings { lanes_max: 1, ..Settings::default() })
}

/// A full server closes connections without a session, but not those that stay open.
#[test]
fn a_full_server_opens() {
    let app = Router::new().route("/ticks", events(ticks));
    let mut server: Server<()> = Server::with(app, Settings { connections_max: 1, open_max: 1, ..Settings::default() });
    let reader = server.event_stream("/ticks");
    server.advance(10);
    server.publish(TICKS, Event::data("x"));
    assert_eq!(reader.received_text(), "retry: 2000\n\ndata: x\n\n");
    assert!(server.connect().id().is_none() && !reader.is_closed());
}

#[test]
fn a_handler_reaches_all_who_listen() {
    let mut server = server();
    let readers: Vec<_> = (0..5).map(|_| server.event_stream("/ticks")).collect();
    for reader in &readers {
        assert_eq!(reader.received_text(), "retry: 2000\n\n");
    }
    let client = server.connect();
    client.send("POST /tick HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".repeat(2));
    server.run();
    assert_eq!(client.received_text().matches("HTTP/1.1 200 OK").count(), 2);
    for reader in &readers {
        assert_eq!(reader.received_text(), "event: tick\nid: 7\ndata: tick\ndata: tock\n\n".repeat(2));
    }
    // What cannot be written is the handler's error, and nobody gets a part of it.
    client.send("POST /wrong HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    server.run();
    assert!(client.received_text().starts_with("HTTP/1.1 500 "));
    assert_eq!(readers[0].received_text(), "");
    // A message is not for those who listen to events, whatever its topic's number.
    server.publish(MessageTopic::new(3), Frame::text("x"));
    assert_eq!(server.send(readers[0].id().unwrap(), Frame::text("x")), Pushed::Gone);
    assert_eq!(readers[0].received_text(), "");
}

/// What nobody hears is not even written; what cannot be written is an error all the same.
#[test]
fn what_nobody_hears_costs_nothing() {
    let mut server = server();
    let client = server.connect();
    let ask = |server: &mut Server<()>, target: &str| {
        client.send(format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
        server.run();
        client.received_text()[9..12].to_string()
    };
    assert_eq!((ask(&mut server, "/tick"), ask(&mut server, "/wrong")), ("200".into(), "500".into()));
    assert_eq!((server.published(), server.calls()), (0, 2), "one call for each request");
    let readers = [(); 3].map(|()| server.event_stream("/ticks"));
    for (left, reader) in readers.iter().enumerate() {
        assert_eq!(ask(&mut server, "/tick"), "200");
        assert_eq!(server.published(), left as u64 + 1);
        assert!(reader.received_text().ends_with("data: tock\n\n"));
        reader.close();
        server.run();
    }
    assert_eq!((ask(&mut server, "/tick"), ask(&mut server, "/wrong")), ("200".into(), "500".into()));
    assert_eq!(server.published(), 3, "all have left");
    // Who comes later hears again.
    let reader = server.event_stream("/ticks");
    ask(&mut server, "/tick");
    assert_eq!(server.published(), 4);
    assert!(reader.received_text().ends_with("data: tock\n\n"));
}

/// A handler can ask before it makes what nobody hears.
#[test]
fn a_handler_knows_whether_it_is_heard() {
    let ask = async |request: &mut Request<'_, ()>| {
        // Topics of the same number, and those whose numbers are alike to whoever counts.
        let others = request.is_heard(EventTopic::new(4)) || request.is_heard(MessageTopic::new(3));
        format!("{} {others}", request.is_heard(TICKS))
    };
    let app = Router::new().route("/ticks", events(ticks)).route("/ask", post(ask));
    let mut server: Server<()> = Server::new(app);
    let client = server.connect();
    let is_heard = |server: &mut Server<()>| {
        client.send("POST /ask HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        server.run();
        client.received_text().rsplit("\r\n").next().unwrap().to_string()
    };
    assert_eq!(is_heard(&mut server), "false false");
    let readers = [server.event_stream("/ticks"), server.event_stream("/ticks")];
    assert_eq!(is_heard(&mut server), "true false");
    readers[0].close();
    server.run();
    assert_eq!(is_heard(&mut server), "true false");
    readers[1].reset();
    server.run();
    assert_eq!(is_heard(&mut server), "false false");
}

#[test]
fn a_stream_begins_with_how_things_stand() {
    let mut server = server();
    let reader = server.connect();
    reader.send("GET /ticks?now=1 HTTP/1.1\r\nHost: a\r\n\r\n");
    server.run();
    assert_eq!(
        reader.received_text(),
        "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n\
         data: now\n\n"
    );
    let client = server.connect();
    client.send("GET /ticks?nothing=1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /ticks HTTP/1.1\r\nHost: a\r\n\r\n");
    server.run();
    let answers = client.received_text();
    assert!(answers.starts_with("HTTP/1.1 404 ") && answers.contains("\r\n\r\nthere is no such clock"), "{answers}");
    assert!(answers.ends_with("Content-Type: text/event-stream\r\n\r\n"), "the head alone: {answers}");
    assert!(!client.is_closed() && server.list().iter().all(|listed| !listed.busy));
    let long = Events::new().first(Event::data(&"x".repeat(120)));
    assert!(long.is_ok());
    assert!(Events::new().first(Event::data(&"x".repeat(121))).is_err());
}

/// The client's close ends the stream at once; what else it sends is not heard.
#[test]
fn a_stream_ends_with_its_client() {
    let mut server = server();
    let (one, two) = (server.event_stream("/ticks"), server.event_stream("/ticks"));
    two.send("GET /ticks HTTP/1.1\r\nHost: a\r\n\r\n");
    server.run();
    assert_eq!(two.received_text(), "retry: 2000\n\n");
    one.close();
    server.run();
    assert_eq!(server.ended(), [(one.id().unwrap(), EndReason::PeerClosed)]);
    server.stop();
    assert!(two.is_closed() && !two.is_reset());
    assert_eq!(server.ended().last(), Some(&(two.id().unwrap(), EndReason::Shutdown)));
}

#[test]
fn a_quiet_stream_is_kept_alive() {
    let mut server = server();
    let reader = server.event_stream("/ticks");
    reader.received();
    server.advance(29_999);
    assert_eq!(reader.received_text(), "");
    server.advance(1);
    assert_eq!(reader.received_text(), ":\n\n");
    server.advance(60_000);
    assert_eq!(reader.received_text(), ":\n\n:\n\n");
    assert_eq!(server.ended(), []);
}

/// Who does not read holds up nobody, and is reset in time.
#[test]
fn who_does_not_read_is_left_behind() {
    let mut server = server();
    let (slow, reader) = (server.event_stream("/ticks"), server.event_stream("/ticks"));
    slow.received();
    reader.received();
    slow.set_window(5);
    for number in 0..3 {
        server.publish(TICKS, Event::data(&number.to_string()));
    }
    assert_eq!(reader.received_text(), "data: 0\n\ndata: 1\n\ndata: 2\n\n");
    slow.set_window(usize::MAX);
    server.run();
    assert_eq!(slow.received_text(), "data: 0\n\ndata: 1\n\ndata: 2\n\n");
    slow.set_window(0);
    server.publish(TICKS, Event::data("x"));
    server.advance(30_000);
    assert!(slow.is_reset() && !reader.is_closed());
}
