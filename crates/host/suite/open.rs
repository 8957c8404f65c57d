//! What stays open, on real sockets: WebSockets and streams of events, and what reaches them from other threads and workers.

use std::{sync::Barrier, thread};

use tenure::{
    CloseCode, EndReason, Error, Event, EventTopic, Events, Frame, Handler, Message, MessageTopic, PushError, Request,
    Router, Upgrade, events, get, post as to_post, websocket,
};

use crate::common::port::Settings;
use crate::common::{
    Adder, Client, Gate, Process, Running, Tally, forever, frame, log_to_parent, post, session, settings, upgrade,
    with_threads,
};

const ROOM: MessageTopic = MessageTopic::new(1);
const TICKS: EventTopic = EventTopic::new(1);
const NEWS: EventTopic = EventTopic::new(2).keep(1_000);
/// Events of one request.
const BURST: u32 = 20;

async fn said(message: &mut Message<'_, Adder>, gate: &Gate) -> Result<(), Error> {
    if !message.is_text() {
        return message.send(Frame::binary(message.bytes())).await;
    }
    match message.text()? {
        "id" => {
            let id = message.id().to_string();
            message.send(Frame::text(&id)).await
        }
        "wait" => {
            gate.pass().await;
            message.send(Frame::text("waited")).await
        }
        "bye" => {
            message.close(CloseCode::NORMAL);
            Ok(())
        }
        text if text.starts_with("all ") => message.publish(ROOM, Frame::text(text)),
        text => message.send(Frame::text(text)).await,
    }
}

/// A WebSocket that joins a room, events, and what publishes both.
fn app(tally: &'static Tally, gate: &'static Gate) -> impl Handler<Adder> + Send + Sync + 'static {
    let enter = async move |request: &mut Request<'_, Adder>| {
        session(request, tally);
        Ok(Upgrade::websocket().topic(ROOM))
    };
    let ticks = async move |request: &mut Request<'_, Adder>| {
        session(request, tally);
        Events::new().topic(TICKS)
    };
    let tick = async |request: &mut Request<'_, Adder>| {
        let text = String::from_utf8_lossy(request.body().whole().await?).into_owned();
        request.publish(ROOM, Frame::text(&text))?;
        request.publish(TICKS, Event::data(&text))
    };
    Router::new()
        .route("/chat", websocket(enter, async move |message: &mut Message<'_, Adder>| said(message, gate).await))
        .route("/ticks", events(ticks))
        .route("/tick", to_post(tick))
        .route(
            "/burst",
            to_post(async |request: &mut Request<'_, Adder>| {
                (0..BURST).try_for_each(|number| request.publish(TICKS, Event::data(&number.to_string())))
            }),
        )
        .route("/both", events(async |_: &mut Request<'_, Adder>| Events::new().topic(NEWS).topic(TICKS)))
        .route("/news", events(async |_: &mut Request<'_, Adder>| Events::new().topic(NEWS)))
        .route(
            "/tell",
            to_post(async |request: &mut Request<'_, Adder>| {
                let id = String::from_utf8_lossy(request.body().whole().await?).into_owned();
                request.publish(NEWS, Event::data("n").id(&id))?;
                request.publish(TICKS, Event::data(&id))
            }),
        )
        .route("/id", get(async |request: &mut Request<'_, Adder>| request.id().to_string()))
}

fn start(settings: Settings) -> (Running, &'static Tally, &'static Gate) {
    let (tally, gate) = (forever(Tally::default()), forever(Gate::default()));
    (Running::start(settings, app(tally, gate), tally), tally, gate)
}

/// A client that has opened a WebSocket.
fn chat(server: &Running) -> Client {
    let mut client = server.client();
    let answer = client.upgrade("/chat");
    assert_eq!(answer.status, 101, "{answer:?}");
    assert_eq!(answer.field("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    client
}

/// A client that listens to events.
fn listener(server: &Running) -> Client {
    let mut client = server.client();
    let answer = client.get("/ticks");
    assert_eq!((answer.status, answer.field("content-type")), (200, Some("text/event-stream")), "{answer:?}");
    client
}

/// The worker of a client that may still ask.
fn worker_of(client: &mut Client) -> usize {
    client.get("/id").text().split('.').next().unwrap().parse().unwrap()
}

/// Two clients of each of two workers.
fn of_both_workers(server: &Running) -> Vec<Client> {
    let mut clients: [Vec<Client>; 2] = Default::default();
    while clients.iter().any(|clients| clients.len() < 2) {
        let mut client = server.client();
        clients[worker_of(&mut client)].push(client);
    }
    clients.into_iter().flat_map(|clients| clients.into_iter().take(2)).collect()
}

#[test]
fn a_websocket_echoes() {
    for threads in [1, 2] {
        let (server, tally, _) = start(with_threads(threads));
        let mut client = chat(&server);
        for text in ["hello", "", &"x".repeat(10_000)] {
            client.say(text);
            assert_eq!(client.heard(), text);
        }
        client.send(frame(0x82, &[0, 255, 7]));
        assert_eq!(client.frame(), (0x82, vec![0, 255, 7]));
        // In pieces, with a ping between them.
        for part in [frame(0x01, b"in "), frame(0x89, b"there?"), frame(0x80, b"pieces")] {
            for byte in part {
                client.send([byte]);
            }
        }
        assert_eq!(client.frame(), (0x8a, b"there?".to_vec()));
        assert_eq!(client.heard(), "in pieces");
        client.send(frame(0x88, &4_000u16.to_be_bytes()));
        assert_eq!(client.expect_close(), 4_000);
        let counts = tally.wait(|counts| counts.disconnected.len() == 1);
        assert_eq!(counts.ended, [EndReason::WebSocket { code: 4_000, by_peer: true }]);
        drop(client);
        server.stop();
    }
}

#[test]
fn a_handle_reaches_one_and_all() {
    for threads in [1, 2] {
        let (server, ..) = start(with_threads(threads));
        let (mut one, mut two, mut page) = (chat(&server), chat(&server), listener(&server));
        one.say("id");
        let id = one.heard().parse().expect("an id");
        let handle = server.handle.clone();
        let pusher = thread::spawn(move || {
            for number in 0..50 {
                let text = number.to_string();
                // A worker that has not kept up yet is told again.
                while handle.send(id, Frame::text(&text)) == Err(PushError::Full) {
                    thread::yield_now();
                }
            }
            handle.publish(ROOM, Frame::text("room")).unwrap();
            handle.publish(TICKS, Event::data("tick").event("clock")).unwrap();
        });
        for number in 0..50 {
            assert_eq!(one.heard(), number.to_string(), "in order");
        }
        assert_eq!((one.heard(), two.heard()), ("room".into(), "room".into()));
        assert_eq!(page.event(), "event: clock\ndata: tick");
        pusher.join().unwrap();
        // Nobody is there: no error.
        two.send(frame(0x88, b""));
        two.expect_close();
        server.handle.send(id, Frame::text("last")).unwrap();
        assert_eq!(one.heard(), "last");
        drop((one, two, page));
        server.stop();
    }
}

/// What one turn does not deliver comes with the next ones, which no port sleeps before: in builds for tests they look.
#[test]
fn one_turn_does_not_deliver_all() {
    for threads in [1, 2] {
        let (server, ..) = start(with_threads(threads));
        let mut pages: Vec<_> = (0..40).map(|_| listener(&server)).collect();
        let mut teller = server.client();
        teller.send(post("/burst", ""));
        assert_eq!(teller.answer().status, 200);
        for page in &mut pages {
            for number in 0..BURST {
                assert_eq!(page.event(), format!("data: {number}"), "in order");
            }
        }
        drop(pages);
        server.stop();
    }
}

/// What a handler publishes reaches the connections of other workers, whoever says it.
#[test]
fn workers_tell_each_other() {
    let (server, ..) = start(with_threads(2));
    let mut chats = of_both_workers(&server);
    let mut pages = of_both_workers(&server);
    let mut others = of_both_workers(&server);
    for client in &mut chats {
        assert_eq!(client.upgrade("/chat").status, 101);
    }
    for client in &mut pages {
        assert_eq!(client.get("/ticks").status, 200);
    }
    for speaker in 0..chats.len() {
        let text = format!("all {speaker}");
        chats[speaker].say(&text);
        for client in &mut chats {
            assert_eq!(client.heard(), text);
        }
    }
    for (number, client) in others.iter_mut().enumerate() {
        let text = format!("from {number}");
        client.send(post("/tick", &text));
        assert_eq!(client.answer().status, 200);
        for page in &mut pages {
            assert_eq!(page.event(), format!("data: {text}"));
        }
        for chat in &mut chats {
            assert_eq!(chat.heard(), text);
        }
    }
    drop((pages, chats, others));
    server.stop();
}

/// Whoever has seen that it is open gets what is published from then on, whichever worker has it.
#[test]
fn who_sees_that_it_is_open_has_joined() {
    let (server, ..) = start(with_threads(2));
    let mut others = of_both_workers(&server);
    for round in 0..20 {
        for client in &mut others {
            // Nobody else has joined meanwhile.
            let mut page = listener(&server);
            client.send(post("/tick", "heard"));
            assert_eq!(page.event(), "data: heard", "round {round}");
            assert_eq!(client.answer().status, 200);
        }
    }
    server.stop();
}

/// Handlers of both workers and a handle publish at the same time; clients come again wherever a place is, and have each event once, in
/// one order.
#[test]
fn who_comes_again_has_missed_nothing_by_any_worker() {
    const EACH: usize = 60;
    let (server, ..) = start(with_threads(2));
    let mut witness = server.client();
    assert_eq!(witness.get("/news").status, 200);
    let mut both = of_both_workers(&server);
    for client in &mut both {
        assert_eq!(client.get("/both").status, 200);
    }
    let tellers: Vec<_> = of_both_workers(&server)
        .into_iter()
        .enumerate()
        .map(|(teller, mut client)| {
            thread::spawn(move || {
                for number in 0..EACH {
                    client.send(post("/tell", &format!("{teller}-{number}")));
                    assert_eq!(client.answer().status, 200);
                }
            })
        })
        .collect();
    let handle = server.handle.clone();
    let other = thread::spawn(move || {
        for number in 0..EACH {
            while handle.publish(NEWS, Event::data("n").id(&format!("handle-{number}"))) == Err(PushError::Full) {
                thread::yield_now();
            }
        }
    });
    let all = 5 * EACH;
    let id = |event: &str| event.lines().next().unwrap().strip_prefix("id: ").expect("an id").to_string();
    let readers: Vec<_> = (0..3)
        .map(|reader| {
            let mut client = server.client();
            let mut got: Vec<String> = Vec::new();
            // All is kept since the witness came.
            client.send("GET /news HTTP/1.1\r\nHost: test\r\nLast-Event-ID: none\r\n\r\n");
            assert_eq!(client.answer().status, 200);
            while got.len() < all {
                got.push(id(&client.event()));
                if got.len().is_multiple_of(5 + reader) && got.len() < all {
                    let last = got.last().unwrap();
                    client = server.client();
                    client.send(format!("GET /news HTTP/1.1\r\nHost: test\r\nLast-Event-ID: {last}\r\n\r\n"));
                    assert_eq!(client.answer().status, 200);
                }
            }
            got
        })
        .collect();
    let seen: Vec<_> = (0..all).map(|_| id(&witness.event())).collect();
    for got in &readers {
        assert_eq!(*got, seen);
    }
    for who in ["0", "1", "2", "3", "handle"] {
        let of: Vec<_> = seen.iter().filter(|id| id.starts_with(&format!("{who}-"))).collect();
        assert!(of.iter().enumerate().all(|(number, id)| **id == format!("{who}-{number}")), "in order: {of:?}");
    }
    // What keeps nothing comes behind what its sender has published before.
    for client in &mut both {
        let mut news = Vec::new();
        for _ in 0..all + 4 * EACH {
            let event = client.event();
            match event.strip_prefix("data: ") {
                Some(told) => assert!(news.contains(&told.to_string()), "{told} comes before its news"),
                None => news.push(id(&event)),
            }
        }
        assert_eq!(news, seen);
    }
    for teller in tellers {
        teller.join().unwrap();
    }
    other.join().unwrap();
    server.stop();
}

/// A stop says so to all, also to those in the midst of a message or at work, and waits for no peer that stays.
#[test]
fn a_graceful_stop_says_so() {
    let (server, tally, gate) = start(with_threads(2));
    let mut chats: Vec<_> = (0..6).map(|_| chat(&server)).collect();
    let mut page = listener(&server);
    // Each has said something, and so waits for the next message.
    for client in &mut chats {
        client.say("here");
        assert_eq!(client.heard(), "here");
    }
    chats[0].send(&frame(0x81, b"half a message")[..9]);
    chats[1].say("wait");
    gate.wait(1);
    server.handle.stop();
    let waiting = chats.remove(1);
    for client in &mut chats {
        assert_eq!(client.expect_close(), 1_001);
    }
    page.expect_end();
    drop(chats);
    drop(page);
    gate.open();
    let mut waiting = waiting;
    assert_eq!(waiting.heard(), "waited");
    assert_eq!(waiting.expect_close(), 1_001);
    drop(waiting);
    server.join();
    let counts = tally.counts();
    assert_eq!((counts.ended.len(), counts.opened), (7, 7));
    assert!(counts.ended.iter().all(|reason| *reason == EndReason::Shutdown), "{counts:?}");
}

/// With clients that read nothing and close nothing, a stop ends in time: nobody is waited for beyond its bound.
#[test]
fn a_stop_ends_whoever_stays() {
    let mut settings = with_threads(2);
    (settings.deadlines.flush_ms, settings.deadlines.linger_ms) = (100, 100);
    let (server, tally, gate) = start(settings);
    let mut chats: Vec<_> = (0..4).map(|_| chat(&server)).collect();
    let _page = listener(&server);
    chats[0].say("wait");
    gate.wait(1);
    server.stop();
    let counts = tally.counts();
    assert_eq!((counts.ended.len(), counts.opened), (5, 5));
}

#[test]
fn pushes_to_a_server_that_has_ended_are_refused() {
    let (server, ..) = start(with_threads(2));
    let mut client = chat(&server);
    client.say("id");
    let id = client.heard().parse().expect("an id");
    let handle = server.handle.clone();
    handle.send(id, Frame::text("before")).unwrap();
    assert_eq!(client.heard(), "before");
    drop(client);
    server.stop();
    assert_eq!(handle.send(id, Frame::text("behind")), Err(PushError::Stopped));
    assert_eq!(handle.publish(ROOM, Frame::text("behind")), Err(PushError::Stopped));
    assert_eq!(handle.publish(TICKS, Event::data("behind")), Err(PushError::Stopped));
    // What can never be sent is told apart.
    assert!(matches!(handle.publish(TICKS, Event::data("x").event("two\nlines")), Err(PushError::Content(_))));
}

/// A worker that does not get to its orders takes as many as it may have connections, 64 at the least.
#[test]
fn pushes_have_a_bound() {
    let (tally, barriers) = (forever(Tally::default()), forever([Barrier::new(2), Barrier::new(2)]));
    let block = get(async move |_: &mut Request<'_, Adder>| {
        for barrier in barriers {
            barrier.wait();
        }
        "blocked"
    });
    let app = Router::new().route("/block", block).route("/{*rest}", app(tally, forever(Gate::default())));
    let server = Running::start(Settings { connections_max: 10, ..settings() }, app, tally);
    let (mut client, mut blocker) = (chat(&server), server.client());
    client.say("id");
    let id = client.heard().parse().expect("an id");
    blocker.send("GET /block HTTP/1.1\r\nHost: test\r\n\r\n");
    barriers[0].wait();
    for number in 0..64 {
        let text = number.to_string();
        let pushed = if number % 2 == 0 {
            server.handle.send(id, Frame::text(&text))
        } else {
            server.handle.publish(ROOM, Frame::text(&text))
        };
        assert_eq!(pushed, Ok(()), "{number}");
    }
    assert_eq!(server.handle.send(id, Frame::text("65")), Err(PushError::Full));
    assert_eq!(server.handle.publish(ROOM, Frame::text("65")), Err(PushError::Full));
    barriers[1].wait();
    for number in 0..64 {
        assert_eq!(client.heard(), number.to_string());
    }
    assert_eq!(blocker.answer().text(), "blocked");
    server.handle.send(id, Frame::text("again")).unwrap();
    assert_eq!(client.heard(), "again");
    drop((client, blocker));
    server.stop();
}

/// Each worker has its share; whoever leaves makes room for another.
#[test]
fn the_bound_is_divided_among_workers() {
    let (server, ..) = start(Settings { open_max: Some(3), ..with_threads(2) });
    let mut clients = of_both_workers(&server);
    clients.extend(of_both_workers(&server));
    let mut opened = [0; 2];
    for client in &mut clients {
        let worker = worker_of(client);
        let answer = if opened[worker] == 0 { client.get("/ticks") } else { client.upgrade("/chat") };
        match answer.status {
            200 | 101 => opened[worker] += 1,
            status => {
                assert_eq!(status, 503);
                assert_eq!(answer.text(), "too many connections are open: try again later\n");
                // It is as good as before.
                assert_eq!(worker_of(client), worker);
            }
        }
    }
    assert_eq!(opened, [2, 1], "the first worker takes what does not divide evenly");
    server.stop();
}

const ROUNDS: usize = 40;

/// Whoever opens is reset, half-closed or closed in every state: each ends exactly once.
fn storm(settings: Settings) {
    let (server, tally, gate) = start(settings);
    let mut connected = 0;
    let mut stays = listener(&server);
    for round in 0..ROUNDS {
        let mut clients = Vec::new();
        for state in 0..8 {
            let mut client = server.client();
            connected += 1;
            match state {
                // In the midst of the handshake, or straight behind it.
                0 => client.send(&upgrade("/chat").as_bytes()[..20 + round]),
                1 => client.send(upgrade("/chat")),
                2 => client.send([upgrade("/chat").into_bytes(), frame(0x81, b"all once")].concat()),
                3 => assert_eq!(client.get("/ticks").status, 200),
                _ => assert_eq!(client.upgrade("/chat").status, 101),
            }
            match state {
                4 => client.send(&frame(0x81, b"half a message")[..3 + round % 15]),
                5 => client.say("wait"),
                6 => client.say("all at once"),
                _ => {}
            }
            clients.push(client);
        }
        for (state, mut client) in clients.into_iter().enumerate() {
            match (state + round) % 5 {
                0 => client.reset(),
                1 => client.shut(),
                2 => drop(client),
                // Half-closed behind a close, or reset behind it.
                3 if state > 3 => {
                    client.send(frame(0x88, b""));
                    client.shut();
                }
                _ => {
                    client.send(frame(0xf1, b"no frame"));
                    client.reset();
                }
            }
        }
        post_once(&server, "tick");
        connected += 1;
        assert_eq!(stays.event(), "data: tick");
        gate.open();
    }
    drop(stays);
    let ended = connected + 1;
    let counts = tally.wait(|counts| counts.disconnected.len() >= ended && counts.ended.len() >= counts.opened);
    assert_eq!((counts.connected, counts.disconnected.len()), (ended, ended));
    assert_eq!(server.handle.list().wait(), [], "the table is empty");
    // As many as before may open.
    let mut again = chat(&server);
    again.say("still");
    assert_eq!(again.heard(), "still");
    drop(again);
    server.stop();
    let counts = tally.counts();
    assert_eq!(counts.ended.len(), counts.opened, "nothing ends twice");
    let mut ids: Vec<_> = counts.disconnected.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), ended + 1);
}

fn post_once(server: &Running, text: &str) {
    let mut client = server.client();
    client.send(post("/tick", text));
    assert_eq!(client.answer().status, 200);
}

/// What the process of the test below does: its descriptors are its own.
#[test]
#[ignore = "run by `a_storm_leaves_nothing`, in a process of its own"]
fn storm_alone() {
    log_to_parent();
    let descriptors = || std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    // What is made once is made first.
    storm(settings());
    let before = descriptors();
    storm(settings());
    storm(with_threads(2));
    assert_eq!(descriptors(), before, "descriptors");
    println!("the storm is over");
}

#[test]
fn a_storm_leaves_nothing() {
    let mut process = Process::start("open::storm_alone");
    process.hear("the storm is over");
    process.end();
}
