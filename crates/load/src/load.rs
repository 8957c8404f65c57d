//! The loop: epoll, level-triggered, one receive and one send a wake-up.

use std::{
    collections::VecDeque,
    io,
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
    },
};

use crate::{
    connection::Connection,
    descriptors::raise_descriptors,
    failure::{Failure, Why},
    protocol::{Http, Protocol},
    report::Report,
    script::Script,
    websocket::{Opening, WebSocket, opened},
};

/// How often progress is told and what is late is looked for.
const TICK: Duration = Duration::from_millis(100);
const EVENTS: usize = 512;
const RECEIVED_BYTES: usize = 65_536;
/// Connections of a group. Over a path of 70 ms a group is made in 4.5 s, within the 5 s that a board, and far within the 10 s that
/// a host gives a connection for its first byte. They also fit the backlog of a server, so that no SYN is dropped, which would
/// cost a second.
const GROUP: usize = 64;

/// Which connections to make, and how these ask.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Where the server is.
    pub address: SocketAddr,
    /// How many connections.
    pub connections: u32,
    /// How many requests a connection sends before it waits for their answers; 0 counts as 1.
    pub pipeline: u32,
    /// How long to wait for a connection, and for the answers to a batch; `None`: for ever.
    pub timeout: Option<Duration>,
}

impl Plan {
    fn connect(&self) -> io::Result<TcpStream> {
        match self.timeout {
            Some(timeout) => TcpStream::connect_timeout(&self.address, timeout),
            None => TcpStream::connect(self.address),
        }
    }
}

/// When a run is over. Every batch that was sent is answered by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Each connection has asked so many requests more.
    Each(u64),
    /// No batch is begun after this time.
    Time(Duration),
}

/// Connections to a server. They stay open between runs.
pub struct Load<S, P: Protocol = Http> {
    script: S,
    pipeline: u32,
    timeout: Option<Duration>,
    pause: Duration,
    /// Connections that pause, and until when: the longest-waiting first, as all pause equally long.
    pausing: VecDeque<(Instant, usize)>,
    epoll: OwnedFd,
    connections: Vec<Connection<P>>,
    protocol: P,
    batch: Vec<u8>,
    received: Vec<u8>,
    /// The first answers of connections that were made in groups.
    first: Option<Report>,
}

impl<S: Script> Load<S> {
    /// Connects, one connection after the other; nothing is asked yet.
    ///
    /// # Errors
    /// The first connection that cannot be made, or that this process may not open so many files: it is asked for these before
    /// anything is connected.
    pub fn connect(plan: &Plan, script: S) -> Result<Self, Failure> {
        let mut load = Load::new(plan, script)?;
        load.connect_to(plan, plan.connections as usize)?;
        Ok(load)
    }

    /// Connects in groups of 64, each of which has asked once and been answered before the next connects: however many there are,
    /// none is silent for longer than a server's deadline for its first byte. The next [run](Load::run) counts these answers and
    /// the time that they took, too.
    ///
    /// # Errors
    /// As [`connect`](Load::connect) and [`run`](Load::run).
    pub fn connect_in_groups(plan: &Plan, script: S) -> Result<Self, Failure> {
        let mut load = Load::new(plan, script)?;
        let connections = plan.connections as usize;
        while load.connections.len() < connections {
            let made = load.connections.len();
            load.connect_to(plan, connections.min(made + GROUP))?;
            load.first = Some(load.run_from(made, Until::Each(1), |_| ())?);
        }
        Ok(load)
    }

    /// Connects until there are so many connections.
    fn connect_to(&mut self, plan: &Plan, connections: usize) -> Result<(), Failure> {
        for number in self.connections.len()..connections {
            let connection = plan.connect().and_then(|stream| self.add(stream, Vec::new()));
            connection.map_err(|error| self.failure(number, Why::Unreachable(plan.address, error)))?;
        }
        Ok(())
    }
}

impl<S: Script> Load<S, WebSocket> {
    /// Opens WebSockets, in groups of 64; nothing is sent over them yet.
    ///
    /// # Errors
    /// The first connection that cannot be made or is answered anything else than a WebSocket, or that this process may not open so
    /// many files: it is asked for these before anything is connected.
    pub fn open(plan: &Plan, opening: &Opening, script: S) -> Result<Self, Failure> {
        let mut load = Load::new(plan, script)?;
        let connections = plan.connections as usize;
        while load.connections.len() < connections {
            let made = load.connections.len();
            let mut streams = Vec::with_capacity(GROUP);
            for number in made..connections.min(made + GROUP) {
                let stream = plan.connect().and_then(|stream| {
                    stream.set_nodelay(true)?;
                    stream.set_write_timeout(plan.timeout)?;
                    Ok(stream)
                });
                let stream = stream.map_err(|error| load.failure(number, Why::Unreachable(plan.address, error)))?;
                opening.ask(&stream, number).map_err(|why| load.failure(number, why))?;
                streams.push(stream);
            }
            for (stream, number) in streams.into_iter().zip(made..) {
                let received = opened(&stream, number, plan.timeout).map_err(|why| load.failure(number, why))?;
                let added = load.add(stream, received);
                added.map_err(|error| load.failure(number, Why::Failed(error)))?;
            }
        }
        Ok(load)
    }
}

impl<S: Script, P: Protocol> Load<S, P> {
    /// Takes a connection in that has received these bytes.
    fn add(&mut self, stream: TcpStream, received: Vec<u8>) -> io::Result<()> {
        let connection = Connection::new(stream, received)?;
        let number = EventData::new_u64(self.connections.len() as u64);
        epoll::add(&self.epoll, &connection.stream, number, EventFlags::IN)?;
        self.connections.push(connection);
        Ok(())
    }

    fn new(plan: &Plan, script: S) -> Result<Self, Failure> {
        let failure = |why| Failure { connection: 0, answers: 0, why };
        raise_descriptors(plan.connections.into()).map_err(failure)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(io::Error::from);
        let epoll = epoll.map_err(Why::Failed).map_err(failure)?;
        Ok(Load {
            script,
            pipeline: plan.pipeline.max(1),
            timeout: plan.timeout,
            pause: Duration::ZERO,
            pausing: VecDeque::new(),
            epoll,
            connections: Vec::with_capacity(plan.connections as usize),
            protocol: P::default(),
            batch: Vec::new(),
            received: vec![0; RECEIVED_BYTES],
            first: None,
        })
    }

    /// Lets each connection wait so long after its answers before it asks again; [`Duration::ZERO`], as it is at first: not
    /// at all. With pauses this thread never sleeps, so that they are exact and the times have none of its own wake-ups in
    /// them: it takes a whole core.
    pub fn pause(&mut self, pause: Duration) {
        self.pause = pause;
    }

    /// Lets all connections ask until the run is over. `tick` is told now and then how many answers have come.
    ///
    /// # Errors
    /// The first connection that fails. Wrong numbers are no failure but counted in the report.
    pub fn run(&mut self, until: Until, tick: impl FnMut(u64)) -> Result<Report, Failure> {
        self.run_from(0, until, tick)
    }

    /// The same for the connections of that number and above.
    fn run_from(&mut self, first: usize, until: Until, mut tick: impl FnMut(u64)) -> Result<Report, Failure> {
        let mut report = self.first.take().unwrap_or_else(Report::new);
        let begin = Instant::now();
        let end = match until {
            Until::Time(time) => begin.checked_add(time),
            Until::Each(_) => None,
        };
        let mut active = 0;
        for number in first..self.connections.len() {
            let connection = &mut self.connections[number];
            connection.last = match until {
                Until::Each(requests) => connection.asked.saturating_add(requests),
                Until::Time(_) => u64::MAX,
            };
            if connection.last > connection.asked {
                active += 1;
                self.ask(number)?;
            }
        }
        self.pausing.clear();
        self.answers(active, (begin, end), &mut report, &mut tick)?;
        tick(report.answers);
        Ok(report)
    }

    /// Lets the first connection send, and all receive what it sends: a broadcast. A round is over when every connection has received
    /// every message of the first one's batch; the next one begins then. Each receipt counts as an answer. With
    /// [`Until::Each`], that many rounds.
    ///
    /// # Errors
    /// As [`run`](Load::run).
    pub fn run_rounds(&mut self, until: Until, mut tick: impl FnMut(u64)) -> Result<Report, Failure> {
        let mut report = self.first.take().unwrap_or_else(Report::new);
        let (begin, mut rounds) = (Instant::now(), 0);
        let active = self.connections.len();
        while active > 0
            && match until {
                Until::Each(wanted) => rounds < wanted,
                Until::Time(time) => begin.elapsed() < time,
            }
        {
            for connection in &mut self.connections {
                connection.expect(self.pipeline);
            }
            let first = &mut self.connections[0];
            first.asked -= u64::from(self.pipeline);
            self.ask(0)?;
            self.answers(active, (Instant::now(), None), &mut report, &mut tick)?;
            rounds += 1;
        }
        tick(report.answers);
        Ok(report)
    }

    /// Receives until so many connections have had all their answers, and lets them ask until the end.
    fn answers(
        &mut self,
        mut active: usize,
        (begin, end): (Instant, Option<Instant>),
        report: &mut Report,
        tick: &mut impl FnMut(u64),
    ) -> Result<(), Failure> {
        let wait = self.timeout.map_or(TICK, |timeout| timeout.min(TICK));
        let sleep = if self.pause.is_zero() { wait } else { Duration::ZERO };
        let sleep = Timespec::try_from(sleep).expect("a tenth of a second can be said");
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        let (mut last_answer, mut next_tick) = (begin, begin + wait);
        while active > 0 {
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&sleep)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(self.failure(0, Why::Failed(error.into()))),
            }
            // What the wait has brought is worth more than one reading of the clock, but the end need not be exact.
            let now = Instant::now();
            let over = end.is_some_and(|end| now >= end);
            for event in &events {
                let number = event.data.u64() as usize;
                active -= usize::from(self.event(number, now, over, report)?);
            }
            while let Some(&(until, number)) = self.pausing.front()
                && (now >= until || over)
            {
                self.pausing.pop_front();
                if over {
                    active -= 1;
                } else {
                    self.ask(number)?;
                }
            }
            if !events.is_empty() {
                last_answer = now;
            }
            if now >= next_tick {
                next_tick = now + wait;
                tick(report.answers);
                self.check_late(now)?;
            }
        }
        report.elapsed += last_answer.saturating_duration_since(begin);
        Ok(())
    }

    /// Serves one connection; returns whether its part of the run is over now.
    #[inline]
    fn event(&mut self, number: usize, now: Instant, over: bool, report: &mut Report) -> Result<bool, Failure> {
        let connection = &mut self.connections[number];
        let waited = connection.waits();
        let received = connection.receive(number as u32, &self.script, &mut self.protocol, &mut self.received, report);
        received.map_err(|why| self.failure(number, why))?;
        let connection = &mut self.connections[number];
        if connection.has_unsent() {
            connection.flush().and_then(|()| self.wait_for(number)).map_err(|why| self.failure(number, why))?;
        }
        let connection = &self.connections[number];
        if connection.closed {
            // It would be reported for ever.
            let deleted = epoll::delete(&self.epoll, &connection.stream).map_err(|error| Why::Failed(error.into()));
            deleted.map_err(|why| self.failure(number, why))?;
            return Ok(false);
        }
        if connection.waits() || !waited {
            return Ok(false);
        }
        if over || connection.asked == connection.last {
            return Ok(true);
        }
        if self.pause.is_zero() {
            self.ask(number)?;
        } else {
            self.pausing.push_back((now + self.pause, number));
        }
        Ok(false)
    }

    /// Lets a connection ask its next batch.
    #[inline]
    fn ask(&mut self, number: usize) -> Result<(), Failure> {
        let connection = &mut self.connections[number];
        let asked = connection.ask(&self.script, self.pipeline, &mut self.batch);
        let unsent = connection.has_unsent();
        asked
            .and_then(|()| if unsent { self.wait_for(number) } else { Ok(()) })
            .map_err(|why| self.failure(number, why))
    }

    /// Has epoll report what the connection waits for.
    #[cold]
    fn wait_for(&self, number: usize) -> Result<(), Why> {
        let connection = &self.connections[number];
        let flags = if connection.has_unsent() { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        let modified = epoll::modify(&self.epoll, &connection.stream, EventData::new_u64(number as u64), flags);
        modified.map_err(|error| Why::Failed(error.into()))
    }

    fn check_late(&self, now: Instant) -> Result<(), Failure> {
        let Some(timeout) = self.timeout else { return Ok(()) };
        let late = |connection: &Connection<P>| connection.waits() && now - connection.sent_at > timeout;
        match self.connections.iter().position(late) {
            Some(number) => Err(self.failure(number, Why::Late(timeout))),
            None => Ok(()),
        }
    }

    #[cold]
    fn failure(&self, number: usize, why: Why) -> Failure {
        let answers = self.connections.get(number).map_or(0, |connection| connection.answered);
        Failure { connection: number as u32, answers, why }
    }
}
