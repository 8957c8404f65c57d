//! What is published to more connections than one turn delivers to.

use super::*;
use crate::{
    Error, Event as Sse, EventTopic, Events, Frame, Message, MessageTopic, Request, Router, Topic, Upgrade, events,
    get, post, websocket,
};

const TICKS: EventTopic = EventTopic::new(0);
const NEWS: EventTopic = EventTopic::new(1).keep(10);
const ROOM: MessageTopic = MessageTopic::new(0);

const MANY: Settings =
    Settings { connections_max: 2_000, open_max: 1_900, lanes_max: 4, input_bytes: 1_024, ..small() };

const fn small() -> Settings {
    Settings {
        connections_max: 0,
        lanes_max: 0,
        open_max: 0,
        eviction: Eviction::Never,
        deadlines: Deadlines::HOST,
        limits: Limits::HOST,
        input_bytes: 0,
        body_bytes: 256,
        output_bytes: 1_024,
        puts_heads_away: true,
        dated: false,
    }
}

async fn ticks(_: &mut Request<'_, ()>) -> Events {
    Events::new().topic(TICKS)
}

async fn tick(request: &mut Request<'_, ()>) -> Result<(), Error> {
    let text: u32 = request.body().parse().await?;
    request.publish(TICKS, Sse::data(&text.to_string()))
}

async fn enter(_: &mut Request<'_, ()>) -> Result<Upgrade, Error> {
    Ok(Upgrade::websocket().topic(ROOM))
}

async fn said(message: &mut Message<'_, ()>) -> Result<(), Error> {
    match message.text()? {
        "leave" => message.leave(ROOM),
        "join" => message.join(ROOM),
        text => match text.strip_prefix("all ") {
            Some(text) => message.publish(ROOM, Frame::text(text)),
            None => message.send(Frame::text(text)).await,
        },
    }
}

fn app() -> impl Handler<()> + 'static {
    Router::new()
        .route("/ticks", events(ticks))
        .route("/news", events(async |_: &mut Request<'_, ()>| Events::new().topic(NEWS)))
        .route("/tick", post(tick))
        .route("/chat", websocket(enter, said))
}

fn readers(server: &mut Server<()>, count: usize) -> Vec<Client> {
    (0..count).map(|_| server.event_stream("/ticks")).collect()
}

fn bytes(number: u32) -> Arc<[u8]> {
    framed(&Sse::data(&number.to_string())).unwrap()
}

fn told(numbers: impl IntoIterator<Item = u32>) -> String {
    numbers.into_iter().map(|number| ["data: ", &number.to_string(), "\n\n"].concat()).collect()
}

use alloc::format;
use alloc::string::ToString;

fn ask(client: &Client, number: u32) {
    let body = number.to_string();
    client.send(format!("POST /tick HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
}

/// At most 256 in a turn, and the next turn comes at once.
#[test]
fn turns_are_bounded() {
    for (count, turns) in [
        (0, &[][..]),
        (1, &[1][..]),
        (255, &[255]),
        (256, &[256]),
        (257, &[256, 1]),
        (512, &[256, 256]),
        (513, &[256, 256, 1]),
    ] {
        let mut server = Server::with(app(), MANY);
        let readers = readers(&mut server, count);
        server.publish(TICKS, Sse::data("1"));
        assert_eq!(server.deliveries, turns, "{count}");
        assert!(readers.iter().all(|reader| reader.received_text() == told([1])), "{count}");
        server.driver.check();
    }
}

/// What is published together shares the turn.
#[test]
fn publications_share_a_turn() {
    let mut server = Server::with(app(), MANY);
    let readers = readers(&mut server, 100);
    (0..6).for_each(|number| server.driver.publish_shared(TICKS.key(), &bytes(number)));
    server.driver.check();
    server.run();
    assert_eq!(server.deliveries, [256, 256, 88]);
    for reader in &readers {
        assert_eq!(reader.received_text(), told(0..6), "in order");
    }
}

/// Others are answered before all have been reached.
#[test]
fn others_have_their_turns() {
    let last: Rc<RefCell<Option<Client>>> = Rc::default();
    let seen = last.clone();
    let look = async move |_: &mut Request<'_, ()>| {
        let last = seen.borrow();
        last.as_ref().is_some_and(|last| last.pipe.to_client.borrow().is_empty()).to_string()
    };
    let app = Router::new().route("/look", get(look)).route("/{*rest}", app());
    let mut server = Server::with(app, MANY);
    let readers = readers(&mut server, 600);
    *last.borrow_mut() = readers.last().cloned();
    let (teller, other) = (server.connect(), server.connect());
    ask(&teller, 7);
    other.send("GET /look HTTP/1.1\r\nHost: a\r\n\r\n");
    server.run();
    assert!(other.received_text().ends_with("\r\n\r\ntrue"), "the last reader had nothing by then");
    assert!(teller.received_text().starts_with("HTTP/1.1 200 "));
    assert_eq!(server.deliveries, [256, 256, 88]);
    assert!(readers.iter().all(|reader| reader.received_text() == told([7])));
}

/// Who joins between two turns gets what is published from then on: not what was before, and nothing twice.
#[test]
fn who_joins_between_turns() {
    let mut server = Server::with(app(), MANY);
    let mut readers = readers(&mut server, 300);
    // A place in front of those who have been reached, and one behind all.
    readers.remove(3).reset();
    server.run();
    let [first, last] = [server.connect(), server.connect()];
    server.driver.publish_shared(TICKS.key(), &bytes(1));
    for late in [&first, &last] {
        late.send("GET /ticks HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    // Ready before anything else is delivered.
    for late in [&first, &last] {
        server.driver.ready(late.pipe.key.get().unwrap(), false);
    }
    server.driver.publish_shared(TICKS.key(), &bytes(2));
    server.driver.check();
    server.run();
    for reader in &readers {
        assert_eq!(reader.received_text(), told(1..3));
    }
    for late in [&first, &last] {
        assert!(late.received_text().ends_with("\r\n\r\ndata: 2\n\n"));
    }
    server.publish(TICKS, Sse::data("3"));
    assert!(readers.iter().chain([&first, &last]).all(|reader| reader.received_text() == told([3])));
}

/// Who comes again between two turns gets what others are still to get, once, and before what is new.
#[test]
fn who_comes_again_between_turns() {
    let mut server = Server::with(app(), MANY);
    let readers: Vec<_> = (0..300).map(|_| server.event_stream("/news")).collect();
    let late = server.connect();
    let event = |number: u32| framed(&Sse::data("n").id(&number.to_string())).unwrap();
    server.driver.publish_shared(NEWS.key(), &event(1));
    server.driver.publish_shared(NEWS.key(), &event(2));
    late.send("GET /news HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 1\r\n\r\n");
    server.driver.ready(late.pipe.key.get().unwrap(), false);
    server.driver.publish_shared(NEWS.key(), &event(3));
    server.run();
    let told = |numbers: core::ops::Range<u32>| -> String {
        numbers.map(|number| ["id: ", &number.to_string(), "\ndata: n\n\n"].concat()).collect()
    };
    assert!(readers.iter().all(|reader| reader.received_text() == told(1..4)));
    assert!(late.received_text().ends_with(&format!("\r\n\r\n{}", told(2..4))));
}

/// A connection has all that was published before what it is told next: by the same sender, or by itself.
#[test]
fn what_follows_comes_behind() {
    let mut server = Server::with(app(), MANY);
    let chats: Vec<_> = (0..300).map(|_| server.websocket("/chat")).collect();
    let last = chats.last().unwrap();
    for text in ["all one", "two", "all three", "leave", "all not to me", "join", "all four", "five"] {
        last.say(text);
    }
    server.run();
    assert_eq!(last.texts(), ["one", "two", "three", "four", "five"]);
    assert_eq!(chats[298].texts(), ["one", "three", "not to me", "four"]);
    // From outside: to all, then to one, then its end.
    let room = |text: &str| framed(&Frame::text(text)).unwrap();
    server.driver.publish_shared(ROOM.key(), &room("all"));
    let id = last.id();
    assert_eq!(server.driver.push(id, crate::port::Kind::Messages, &room("you")), Pushed::Taken);
    server.driver.publish_shared(ROOM.key(), &room("again"));
    assert!(server.driver.close_connection(id));
    server.run();
    let closed = [Heard::Text("all".into()), Heard::Text("you".into()), Heard::Text("again".into())];
    let heard = last.heard();
    assert_eq!(heard[..3], closed);
    assert_eq!(heard[3..], [Heard::Close(1000, String::new())]);
    assert_eq!(chats[0].texts()[4..], ["all", "again"]);
    assert_eq!(chats[298].texts(), ["all", "again"]);
}

/// A stop comes behind what was published before; those who are gone by then hold nothing up.
#[test]
fn a_stop_comes_behind() {
    let mut server = Server::with(app(), MANY);
    let readers = readers(&mut server, 300);
    server.driver.publish_shared(TICKS.key(), &bytes(1));
    readers[299].reset();
    let id = readers[298].id().unwrap();
    server.driver.close_connection_now(id);
    server.driver.stop();
    server.run();
    assert!(readers[..298].iter().all(|reader| reader.received_text() == told([1]) && reader.is_closed()));
    assert_eq!(server.list(), []);
}

/// At most 64 wait: beyond, whoever publishes does the work for the oldest.
#[test]
fn few_publications_wait() {
    for (count, deliveries) in [(64, 256), (65, 300), (66, 600), (67, 900)] {
        let mut server = Server::with(app(), MANY);
        let readers = readers(&mut server, 300);
        (0..count).for_each(|number| server.driver.publish_shared(TICKS.key(), &bytes(number)));
        let at_once = server.driver.delivered();
        server.run();
        for reader in &readers {
            assert_eq!(reader.received_text(), told(0..count), "{count}");
        }
        assert_eq!(at_once, deliveries, "{count}");
    }
}
