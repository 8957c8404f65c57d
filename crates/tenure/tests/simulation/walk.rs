//! A walk: steps taken one by one, and what must hold behind each.

use std::{collections::VecDeque, fmt::Write as _, rc::Rc, sync::Arc};

use tenure::{
    ConnectionId, EndReason, Event, Frame, Topic,
    port::{Driver, Interest, Key, Kind, Pushed, framed},
};

use crate::{
    app::{ROOM, TICKS, app, published},
    opened,
    port::{Pipe, SimulatedPort, WORKER, Woken},
    steps::{Ask, Say, Setting, Step},
    world::{World, with},
};

/// What a client has asked its connection to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Http,
    Socket,
    Stream,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Client {
    pipe: Rc<Pipe>,
    mode: Mode,
    /// Where each message that is answered ends in its bytes, unless the connection ends before.
    says: Vec<usize>,
    /// What has not left it.
    unsent: VecDeque<u8>,
    /// Bytes that have.
    sent: usize,
    asked: u32,
    /// Where each request ends in its bytes.
    ends: Vec<usize>,
    refused: bool,
    overlong: bool,
    asked_to_close: bool,
    /// Requests of it that were complete when the server was stopped.
    complete_at_stop: usize,
    handed_over: bool,
    /// So little of it is received at once that a stop does not wait for all.
    drips: bool,
    /// The first request that ends its connection.
    closing: Option<usize>,
}

pub struct Walk {
    setting: Setting,
    driver: Driver<SimulatedPort>,
    woken: Woken,
    clients: Vec<Client>,
    backlog: VecDeque<usize>,
    stopped_ms: Option<u64>,
}

impl Walk {
    pub fn new(setting: Setting) -> Self {
        with(|world| {
            *world = World {
                now_ms: setting.start_ms.into(),
                deadlines: Some(setting.settings.deadlines),
                eviction: setting.settings.eviction,
                place_elsewhere: setting.place_elsewhere,
                message_bytes_max: setting.settings.limits.message_bytes_max,
                ..World::default()
            };
        });
        let woken = Woken::default();
        let mut port = SimulatedPort::new(app(), Arc::clone(&woken), setting.sizes, setting.settings.limits);
        port.puts_heads_away = setting.puts_heads_away;
        port.place_elsewhere = setting.place_elsewhere;
        let mut driver = Driver::new(port, Vec::new(), Vec::new(), setting.settings);
        driver.set_now(setting.start_ms);
        driver.set_deliveries_max(setting.deliveries_max);
        Walk { setting, driver, woken, clients: Vec::new(), backlog: VecDeque::new(), stopped_ms: None }
    }

    fn client(&mut self, number: u8) -> Option<&mut Client> {
        let count = self.clients.len();
        if count == 0 { None } else { Some(&mut self.clients[count - 1 - usize::from(number) % count.min(8)]) }
    }

    fn id(&mut self, number: u8) -> Option<ConnectionId> {
        self.client(number)?.pipe.id()
    }

    fn is_open(id: ConnectionId) -> bool {
        with(|world| world.connections.get(&id).is_some_and(|facts| facts.ended.is_none()))
    }

    pub fn take(&mut self, step: Step) {
        match step {
            Step::Connect => self.connect(),
            Step::Accept => self.accept(),
            Step::Ask(client, ask) => self.ask(client, ask),
            Step::Say(client, say) => self.say(client, say),
            Step::Push(client, bytes) => self.push(client, bytes),
            Step::PushWrong(client) => self.push_wrong(client),
            Step::Publish(bytes) => {
                let text = published(bytes as usize);
                self.driver.publish(ROOM.key(), &framed(&Frame::text(&text)).unwrap());
                self.driver.publish(TICKS.key(), &framed(&Event::data(&text)).unwrap());
            }
            Step::Flow(client, bytes) => {
                if let Some(client) = self.client(client) {
                    client.flow(bytes);
                }
            }
            Step::Window(client, bytes) => self.pipe(client, |pipe| pipe.window.set(bytes)),
            Step::Segment(client, bytes) => {
                if let Some(client) = self.client(client) {
                    client.pipe.segment.set(bytes);
                    client.drips |= bytes < 50;
                }
            }
            Step::Close(client) => {
                if let Some(client) = self.client(client) {
                    client.unsent.clear();
                    client.pipe.closed.set(true);
                    client.tell();
                }
            }
            Step::Reset(client) => self.pipe(client, |pipe| {
                pipe.reset.set(true);
                pipe.has_been_reset();
            }),
            Step::Fail(client) => self.pipe(client, |pipe| pipe.fails.set(true)),
            Step::BlockReceives(client, times) => self.pipe(client, |pipe| pipe.blocked_receives.set(times)),
            Step::BlockSends(client, times) => self.pipe(client, |pipe| pipe.blocked_sends.set(times)),
            Step::PutsHeadsAway(puts) => self.driver.port.puts_heads_away = puts,
            Step::RefuseNextSocket => self.driver.port.refuses_next = true,
            Step::ObserverRefuses(refuses) => with(|world| world.refuses = refuses),
            Step::ObserverPanics => with(|world| world.observer_panics += 1),
            Step::EndPanics => with(|world| world.end_panics += 1),
            Step::Ready(client) => {
                if let Some(pipe) = self.client(client).map(|client| client.pipe.clone()) {
                    self.ready(&pipe);
                }
            }
            Step::ReadyAll => self.ready_all(),
            Step::ReadyForNothing(client) => {
                if let Some(key) = self.client(client).and_then(|client| client.pipe.key.get()) {
                    self.driver.ready(key, false);
                }
            }
            Step::ReadyLate(client) => {
                if let Some(Key { index, generation }) = self.client(client).and_then(|client| client.pipe.key.get()) {
                    self.driver.ready(Key { index, generation: generation.wrapping_sub(1) }, true);
                    self.driver.ready(Key { index: index + 100, generation }, true);
                }
            }
            Step::Wake => self.wake(),
            Step::WakeForNothing(lane) => self.driver.woken(lane.into()),
            Step::Gate(client) => {
                if let Some(client) = self.client(client) {
                    let number = client.pipe.number;
                    open_gate(number);
                }
            }
            Step::Run => self.run(),
            Step::Advance(ms) => self.advance(ms),
            Step::Late(ms) => {
                self.pass(ms);
                self.driver.expire();
            }
            Step::Pin(client, pinned) => self.pin(client, pinned),
            Step::CloseOne(client) => self.close_one(client, false),
            Step::CloseNow(client) => self.close_one(client, true),
            Step::LinkDown(client) => self.link_down(client),
            Step::HandOver(client) => self.hand_over(client),
            Step::Stop => self.stop(),
        }
        self.check();
    }

    fn pipe(&mut self, client: u8, act: impl FnOnce(&Pipe)) {
        if let Some(client) = self.client(client) {
            act(&client.pipe);
        }
    }

    fn connect(&mut self) {
        let number = self.clients.len() as u32;
        let pipe = Rc::new(Pipe { number, ..Pipe::default() });
        pipe.window.set(usize::MAX);
        pipe.segment.set(usize::MAX);
        self.backlog.push_back(self.clients.len());
        self.clients.push(Client {
            pipe,
            mode: Mode::Http,
            says: Vec::new(),
            unsent: VecDeque::new(),
            sent: 0,
            asked: 0,
            ends: Vec::new(),
            refused: false,
            overlong: false,
            asked_to_close: false,
            complete_at_stop: 0,
            handed_over: false,
            drips: false,
            closing: None,
        });
    }

    fn accept(&mut self) {
        while let Some(&number) = self.backlog.front() {
            let has_room = self.driver.has_room();
            if !has_room {
                return;
            }
            self.backlog.pop_front();
            let client = &self.clients[number];
            let (pipe, before) = (client.pipe.clone(), self.driver.count());
            let may_be_refused = self.driver.port.refuses_next
                || self.stopped_ms.is_some()
                || with(|world| world.refuses || world.observer_panics > 0);
            let listed: Vec<_> = self.driver.list().collect();
            if let Ok(key) = self.driver.connected(pipe.clone(), None) {
                assert_eq!(pipe.key.get(), Some(key), "another key than was registered");
                client.tell();
                let is_full = before == self.setting.settings.connections_max;
                let evicted = with(|world| world.evicted);
                // Those that linger are not listed, and give way first.
                if is_full && listed.len() == before as usize {
                    let (evicted, _) = evicted.expect("someone was evicted");
                    let victim = listed.iter().find(|listed| listed.id == evicted).expect("who was evicted was there");
                    assert!(!victim.busy && !victim.pinned, "{victim:?} was evicted");
                } else {
                    assert_eq!(evicted, None, "evicted although there was a place, or somebody lingered");
                }
                assert_eq!(self.driver.count(), before + u32::from(!is_full));
                if self.driver.is_full() {
                    with(World::full);
                }
            } else {
                assert!(may_be_refused, "a newcomer was refused although there was room");
                assert_eq!(self.driver.count(), before);
                pipe.interest.set(None);
                pipe.key.set(None);
                pipe.released.set(true);
            }
            with(|world| world.evicted = None);
        }
    }

    fn ask(&mut self, client: u8, ask: Ask) {
        let limits = self.setting.settings.limits;
        let Some(client) = self.client(client) else { return };
        if client.pipe.closed.get() || client.mode != Mode::Http {
            return;
        }
        match ask {
            Ask::Upgrade(_) => client.mode = Mode::Socket,
            Ask::Listen => client.mode = Mode::Stream,
            _ => {}
        }
        let bytes = ask.bytes(client.pipe.number, client.asked);
        if matches!(ask, Ask::AskedToClose(_) | Ask::Junk | Ask::Get("/close")) {
            client.closing.get_or_insert(client.ends.len());
        }
        client.asked += 1;
        client.unsent.extend(&bytes);
        client.ends.push(client.sent + client.unsent.len());
        // What may be refused, and so end the connection.
        client.refused |= ask == Ask::Junk || limits.head_bytes_max < 200 || limits.body_bytes_max < 3_000;
        client.overlong |= matches!(ask, Ask::Post(..) | Ask::Chunked(..) | Ask::Expect(..));
        client.asked_to_close |= matches!(ask, Ask::AskedToClose(_));
        client.tell();
    }

    fn say(&mut self, client: u8, say: Say) {
        let Some(client) = self.client(client) else { return };
        if client.pipe.closed.get() || client.mode == Mode::Http {
            return;
        }
        let bytes = say.bytes(client.pipe.number, client.asked);
        client.asked += 1;
        client.unsent.extend(&bytes);
        // Where nothing was opened it is no HTTP.
        client.refused = true;
        let Some(id) = client.pipe.id() else {
            // Told once it is accepted.
            client.unsent.truncate(client.unsent.len() - bytes.len());
            return;
        };
        if client.mode == Mode::Socket
            && let Say::Word(word, ..) = say
            && !matches!(word, "giveup" | "panic" | "latepanic" | "fail")
        {
            client.says.push(client.sent + client.unsent.len());
        }
        with(|world| {
            if let Some(facts) = world.connections.get_mut(&id) {
                facts.says_close |= matches!(say, Say::Close(_));
                facts.bad_frame |= say == Say::Junk;
                facts.closed_by_message |= matches!(say, Say::Word("close", ..));
                facts.failed |= matches!(say, Say::Word("giveup" | "panic" | "latepanic" | "fail", ..));
            }
        });
        client.tell();
    }

    /// Pushes to a connection, and keeps in mind what was taken.
    fn push(&mut self, client: u8, bytes: u32) {
        let Some(client) = self.client(client) else { return };
        let Some(id) = client.pipe.id() else { return };
        let (pipe, mode) = (client.pipe.clone(), client.mode);
        let text = published(bytes as usize);
        let number = with(|world| world.published);
        let pushed = if mode == Mode::Stream {
            self.driver.push(id, Kind::Events, &framed(&Event::data(&text)).unwrap())
        } else {
            self.driver.push(id, Kind::Messages, &framed(&Frame::text(&text)).unwrap())
        };
        match pushed {
            Pushed::Taken => pipe.taken.borrow_mut().push(number),
            Pushed::Behind | Pushed::Gone => {}
        }
        assert!(mode != Mode::Http || pushed == Pushed::Gone, "{pushed:?}: pushed to one that is not open");
    }

    /// What is of the other kind, and of another connection.
    fn push_wrong(&mut self, client: u8) {
        let Some(client) = self.client(client) else { return };
        let Some(id) = client.pipe.id() else { return };
        let kind = if client.mode == Mode::Stream { Kind::Messages } else { Kind::Events };
        assert_eq!(self.driver.push(id, kind, b"wrong"), Pushed::Gone);
        let other = ConnectionId::new(WORKER + 1, id.index(), id.generation());
        assert_eq!(self.driver.push(other, Kind::Messages, b"wrong"), Pushed::Gone);
    }

    fn ready(&mut self, pipe: &Pipe) {
        if !pipe.is_ready() {
            return;
        }
        let Some(key) = pipe.key.get() else { return };
        if pipe.interest.get().is_some_and(Interest::closes) && pipe.closed.get() {
            self.driver.peer_closed(key);
        }
        self.driver.ready(key, pipe.reset.get());
    }

    fn ready_all(&mut self) {
        let pipes: Vec<_> =
            self.clients.iter().map(|client| client.pipe.clone()).filter(|pipe| pipe.is_ready()).collect();
        for pipe in pipes {
            self.ready(&pipe);
        }
    }

    fn wake(&mut self) {
        let woken = std::mem::take(&mut *self.woken.lock().unwrap());
        for lane in woken {
            self.driver.woken(lane);
        }
    }

    /// The port does all that there is to do now.
    fn run(&mut self) {
        for _ in 0..100_000 {
            self.accept();
            let is_quiet =
                self.woken.lock().unwrap().is_empty() && !self.clients.iter().any(|client| client.pipe.is_ready());
            let delivers = self.driver.turn_ended();
            if is_quiet && !delivers {
                return;
            }
            self.wake();
            self.ready_all();
            if delivers {
                self.driver.expire();
            }
        }
        panic!("the server is in a busy loop");
    }

    fn pass(&mut self, ms: u32) {
        let now_ms = with(|world| {
            world.now_ms += u64::from(ms);
            world.now_ms
        });
        self.driver.set_now(now_ms as u32);
    }

    fn expire(&mut self) {
        for _ in 0..1_000 {
            self.driver.expire();
            self.run();
            if self.driver.due_within() != Some(0) {
                return;
            }
        }
        panic!("what is due stays due");
    }

    fn advance(&mut self, ms: u32) {
        self.run();
        let (mut rest_ms, mut steps) = (ms, 0);
        while rest_ms > 0 {
            steps += 1;
            // Open connections are asked again and again: not to the end of time.
            let next_ms = if steps > 300 { rest_ms } else { self.driver.due_within().unwrap_or(rest_ms) };
            let step_ms = next_ms.clamp(1, rest_ms);
            rest_ms -= step_ms;
            self.pass(step_ms);
            self.expire();
        }
    }

    fn pin(&mut self, client: u8, pinned: bool) {
        let Some(id) = self.id(client) else { return };
        let listed = self.driver.list().find(|listed| listed.id == id);
        let found = self.driver.pin(id, pinned);
        let Some(listed) = listed else { return };
        assert!(found, "{listed:?} was not found");
        assert_eq!(self.driver.list().find(|listed| listed.id == id).map(|listed| listed.pinned), Some(pinned));
        if listed.pinned && !pinned && !listed.busy {
            with(|world| {
                let now_ms = world.now_ms;
                world.connections.entry(id).and_modify(|facts| facts.used_ms = now_ms);
            });
        }
    }

    fn close_one(&mut self, client: u8, now: bool) {
        let Some(id) = self.id(client) else { return };
        let listed = self.driver.list().find(|listed| listed.id == id);
        with(|world| {
            world.connections.entry(id).and_modify(|facts| facts.close_ordered = true);
        });
        let found = if now { self.driver.close_connection_now(id) } else { self.driver.close_connection(id) };
        let Some(listed) = listed else { return };
        assert!(found, "{listed:?} was not found");
        if now || !listed.busy {
            let ended = with(|world| world.connections.get(&id).and_then(|facts| facts.ended));
            assert_eq!(ended, Some(EndReason::Closed), "{listed:?} was closed");
        }
    }

    fn link_down(&mut self, client: u8) {
        let Some(key) = self.client(client).and_then(|client| client.pipe.key.get()) else { return };
        let id = ConnectionId::new(WORKER, key.index, key.generation);
        with(|world| {
            world.connections.entry(id).and_modify(|facts| facts.link_down = true);
        });
        self.driver.link_down(key);
        assert!(!Self::is_open(id), "{id} outlives its network");
    }

    fn hand_over(&mut self, client: u8) {
        let Some(id) = self.id(client) else { return };
        let session = with(|world| {
            let facts = world.connections.get_mut(&id)?;
            facts.handed_over = true;
            facts.session
        });
        let handed_over = self.driver.hand_over(id);
        with(|world| {
            world.connections.entry(id).and_modify(|facts| facts.handed_over = false);
        });
        let Some((pipe, token)) = handed_over else { return };
        assert_eq!(session.is_some(), token.is_some(), "a session was handed over with {id}");
        if let Some(mut token) = token {
            token.assert_of(id);
            token.taken();
        }
        assert!(!Self::is_open(id), "{id} was handed over and is still here");
        pipe.interest.set(None);
        pipe.released.set(true);
        if let Some(client) = self.client(client) {
            client.handed_over = true;
        }
    }

    fn stop(&mut self) {
        if self.stopped_ms.is_some() {
            return;
        }
        self.stopped_ms = Some(with(|world| {
            world.stopped = true;
            world.now_ms
        }));
        for client in &mut self.clients {
            client.complete_at_stop = client.complete();
        }
        self.driver.stop();
    }

    /// What must hold between two steps.
    fn check(&mut self) {
        self.driver.check();
        let flush_ms = self.setting.settings.deadlines.flush_ms;
        let (open, live, sessions, violations, now_ms) = with(|world| {
            let open = world.connections.values().filter(|facts| facts.ended.is_none());
            let (open, sessions) =
                open.fold((0, 0), |(open, sessions), facts| (open + 1, sessions + u64::from(facts.session.is_some())));
            (open, world.live_sessions, sessions, std::mem::take(&mut world.violations), world.now_ms)
        });
        assert!(violations.is_empty(), "{}", violations.join("\n"));
        assert_eq!(self.driver.list().count(), open, "connections that are listed, and that were told");
        // Those that a handler has taken live on in it.
        assert!(live >= sessions, "{sessions} sessions of connections, {live} live");
        let held = self.clients.iter().filter(|client| client.pipe.interest.get().is_some()).count();
        assert_eq!(self.driver.count() as usize, held, "sockets that the driver has");
        for listed in self.driver.list() {
            assert!(Self::is_open(listed.id), "{listed:?} has ended");
        }
        assert!(self.driver.port.heads() <= open, "heads are left of connections that have ended");
        if let Some(stopped_ms) = self.stopped_ms
            && flush_ms < 1 << 31
            && now_ms - stopped_ms >= flush_ms.into()
            && self.driver.due_within() != Some(0)
        {
            assert_eq!(self.driver.count(), 0, "connections outlive the stop");
        }
    }

    /// Lets everything come to its end.
    pub fn finish(mut self) {
        for client in &mut self.clients {
            let pipe = &client.pipe;
            pipe.window.set(usize::MAX);
            pipe.segment.set(usize::MAX);
            pipe.blocked_receives.set(0);
            pipe.blocked_sends.set(0);
            pipe.fails.set(false);
            client.flow(u32::MAX);
        }
        with(|world| (world.observer_panics, world.end_panics) = (0, 0));
        self.settle();
        self.check();
        for client in &self.clients {
            client.check_answers(None);
        }
        if self.setting.stops {
            self.stop();
            self.settle();
            self.check();
            let open: Vec<_> = self.driver.list().collect();
            // Those whose requests are cut off are waited for.
            let cut = |id| {
                self.clients.iter().any(|client| client.pipe.id() == Some(id) && client.complete() < client.asked())
            };
            assert!(open.iter().all(|listed| cut(listed.id)), "left of a stop: {open:?}");
            let in_time = self.stopped_ms.map(|from_ms| (from_ms, self.setting.settings.deadlines.flush_ms));
            for client in &self.clients {
                client.check_answers(in_time);
            }
        }
        with(|world| world.stopped = true);
        let Walk { driver, clients, .. } = self;
        drop(driver);
        with(|world| {
            assert!(world.violations.is_empty(), "{}", world.violations.join("\n"));
            let open: Vec<_> = world.connections.iter().filter(|(_, facts)| facts.ended.is_none()).collect();
            assert!(open.is_empty(), "connections outlive the driver: {open:?}");
            assert_eq!(world.live_sessions, 0, "sessions outlive the driver");
        });
        for client in clients {
            assert!(client.pipe.released.get() || client.pipe.key.get().is_none(), "a socket outlives the driver");
        }
    }

    /// Opens gates until nobody waits for one.
    fn settle(&mut self) {
        for _ in 0..1_000 {
            self.run();
            let waiting: Vec<u32> = with(|world| {
                let waits = |(number, (_, waiting)): (&u32, &(bool, Vec<_>))| (!waiting.is_empty()).then_some(*number);
                world.gates.iter().filter_map(waits).collect()
            });
            if waiting.is_empty() {
                return;
            }
            waiting.into_iter().for_each(open_gate);
        }
        panic!("handlers wait and wait");
    }
}

fn open_gate(number: u32) {
    let wakers = with(|world| {
        let (open, waiting) = world.gates.entry(number).or_default();
        *open = true;
        std::mem::take(waiting)
    });
    wakers.into_iter().for_each(std::task::Waker::wake);
}

impl Client {
    fn flow(&mut self, bytes: u32) {
        let bytes = self.unsent.len().min(bytes as usize);
        self.sent += bytes;
        self.pipe.to_server.borrow_mut().extend(self.unsent.drain(..bytes));
    }

    /// Tells the world what may end this connection.
    fn tell(&self) {
        let Some(id) = self.pipe.id() else { return };
        with(|world| {
            if let Some(facts) = world.connections.get_mut(&id) {
                facts.closed |= self.pipe.closed.get();
                facts.reset |= self.pipe.reset.get();
                facts.asked_to_close |= self.asked_to_close;
                facts.overlong |= self.overlong;
                facts.refused |= self.refused;
                // Handlers break responses off, and panics do.
                facts.broke = true;
            }
        });
    }

    /// Requests that have left the client whole.
    fn complete(&self) -> usize {
        self.ends.iter().filter(|end| **end <= self.sent).count()
    }

    fn asked(&self) -> usize {
        self.ends.len()
    }

    /// Each request that came whole has been answered, in order, unless the connection has ended before.
    fn check_answers(&self, stopped: Option<(u64, u32)>) {
        let received = self.pipe.received.borrow();
        let ended =
            self.pipe.id().and_then(|id| with(|world| world.connections.get(&id).and_then(|facts| facts.ended)));
        let text = self.check_open(&received, ended);
        let mut last = None;
        for tag in text.split('[').skip(1).filter_map(|rest| rest.split_once(']')).map(|(tag, _)| tag) {
            let (client, number) = tag.split_once('.').expect("a request's number");
            let number: u32 = number.parse().expect("a request's number");
            assert_eq!(client.parse(), Ok(self.pipe.number), "an answer of another client's: {text}");
            assert!(last < Some(number), "answers in another order: {text}");
            last = Some(number);
        }
        let Some(id) = self.pipe.id() else { return };
        if self.handed_over {
            return;
        }
        let answers = text.split("HTTP/1.1 ").skip(1).filter(|answer| !answer.starts_with("100"));
        // Bodies of refusals speak of HTTP/1.1, too.
        let answers = answers.filter(|answer| answer.starts_with(|first: char| first.is_ascii_digit())).count();
        let facts = with(|world| world.connections.get(&id).cloned()).unwrap_or_default();
        let (ended, ended_ms) = (facts.ended, facts.ended_ms);
        let mut what = String::new();
        let _ = write!(what, "{} of {} requests came whole, ended {ended:?}: {text}", self.complete(), self.asked());
        match ended {
            None | Some(EndReason::PeerClosed) => {
                assert!(answers >= self.complete(), "{answers} answers, {what}");
            }
            Some(EndReason::Shutdown)
                if stopped
                    .is_some_and(|(from_ms, flush_ms)| flush_ms >= 1 << 31 || ended_ms - from_ms < flush_ms.into()) =>
            {
                // What comes behind a request that ends its connection is not answered, nor behind a body that is not read.
                let last = self.closing.map_or(usize::MAX, |number| number + 1);
                let may_close = facts.close_ordered
                    || (self.refused || self.overlong) && text.contains("\r\nConnection: close\r\n");
                let least = if may_close || self.drips { 0 } else { self.complete_at_stop.min(last) };
                assert!(answers >= least, "{answers} answers, {what}");
            }
            Some(EndReason::MadeRoom) => {
                let last = text.rsplit("HTTP/1.1 ").next().unwrap_or_default();
                assert!(last.contains("\r\nConnection: close\r\n"), "the last answer does not say so, {what}");
            }
            _ => {}
        }
        // What follows an upgrade that is refused is refused once more.
        let most = self.asked() + usize::from(self.mode != Mode::Http);
        assert!(answers <= most, "{answers} answers, {what}");
    }

    /// What has been received over a connection that is open is whole: each message that was taken, in order, and each answer.
    /// Returns what was received before, and the numbers of answers.
    fn check_open(&self, received: &[u8], ended: Option<EndReason>) -> String {
        let Some((head, open)) = opened::split(received) else { return String::from_utf8_lossy(received).into_owned() };
        let mut text = String::from_utf8_lossy(head).into_owned();
        let opened::Received { answers, published, rest } = opened::read(open, self.mode == Mode::Stream);
        for number in &answers {
            let _ = write!(text, "[{number}]");
        }
        assert!(published.is_sorted_by(|one, other| one < other), "published in another order: {published:?}");
        let taken = self.pipe.taken.borrow();
        if self.handed_over || !matches!(ended, None | Some(EndReason::PeerClosed)) {
            return text;
        }
        // What answers a panic may be dropped: its client is told, the connection closes.
        let complete = self.says.iter().filter(|end| **end <= self.sent).count();
        assert!(
            answers.len() >= complete,
            "{} answers of {complete} messages that came whole: {answers:?}",
            answers.len()
        );
        if ended.is_none() {
            assert!(rest.is_empty(), "a message stands there in part: {rest:?}");
            let lost: Vec<_> = taken.iter().filter(|number| !published.contains(number)).collect();
            assert!(lost.is_empty(), "taken, and not sent: {lost:?}");
        }
        text
    }
}
