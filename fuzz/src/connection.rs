//! Whole connections: the same bytes whole, in pieces, and with a peer that reads slowly must be answered alike, end alike, and
//! leave no session behind.
//!
//! An input is how its server is set (eight bytes), then what the client sends: bytes as they are, or with an even first byte what
//! requests are made of.

mod answers;
mod app;
mod requests;

use std::rc::Rc;

use arbitrary::{Arbitrary as _, Unstructured};
use tenure::{
    EndReason, Limits, Refusal,
    kit::{Client, Event, Server, Settings},
};

use crate::cuts::ends;
use answers::{Response, responses};
use requests::Requests;

/// Bytes of a client at the most: beyond, an input only takes longer.
const BYTES_MAX: usize = 4_000;
/// Longer than any deadline.
const LONG_MS: u32 = 7_200_000;

/// Serves the input's connection in every way.
pub fn run(input: &[u8]) {
    let Some((&setting, rest)) = input.split_first_chunk() else { return };
    let requests = (setting[0] & 1 == 0).then(|| Requests::arbitrary(&mut Unstructured::new(rest)).ok()).flatten();
    let mut bytes = requests.as_ref().map_or_else(|| rest.to_vec(), Requests::bytes);
    bytes.truncate(BYTES_MAX);
    let settings = settings(setting);
    let seed = u64::from(u16::from_le_bytes([setting[1], setting[2]]));
    let shown = || format!("{:?}\n{settings:?}\n{}", requests.as_ref(), bytes.escape_ascii());

    let whole = served(settings, &bytes, [bytes.len()], None);
    let pieces = served(settings, &bytes, ends(bytes.len(), seed), None);
    // Whether a client waits to be asked for a body shows in when its bytes come (RFC 9110 section 10.1.1), and whether its
    // connection can go on depends on that.
    let waits = bytes.to_ascii_lowercase().windows(12).any(|bytes| bytes == b"100-continue");
    assert!(waits || whole.agrees(&pieces), "whole:\n{whole:#?}\nin pieces ({seed}):\n{pieces:#?}\n{}", shown());
    let room = 1 + usize::from(setting[3]);
    let slow = served(settings, &bytes, ends(bytes.len(), !seed), Some(room));
    assert!(waits || whole.agrees(&slow), "whole:\n{whole:#?}\n{room} bytes at once ({seed}):\n{slow:#?}\n{}", shown());
    for seen in [whole, pieces, slow] {
        seen.check(requests.as_ref().filter(|_| bytes.len() < BYTES_MAX), &shown);
    }
}

/// Small and large buffers and bounds, in any combination.
fn settings(setting: [u8; 8]) -> Settings {
    let pick = |at: usize, of: [usize; 4]| of[usize::from(setting[at] & 3)];
    let limits = Limits {
        head_bytes_max: pick(4, [100, 200, 1_024, 16_384]) as u32,
        target_bytes_max: pick(5, [40, 100, 512, 8_192]) as u32,
        body_bytes_max: pick(6, [0, 20, 150, 1 << 20]) as u64,
        drain_bytes_max: pick(7, [0, 10, 100, 65_536]) as u32,
        tolerate_lone_lf: setting[4] & 4 != 0,
        ..Limits::HOST
    };
    Settings {
        limits,
        lanes_max: 1,
        open_max: 0,
        input_bytes: [256, 300, 1_024, 4_096][usize::from(setting[4] >> 3 & 3)],
        body_bytes: [16, 64, 256, 4_096][usize::from(setting[5] >> 3 & 3)],
        output_bytes: [256, 512, 1_024, 4_096][usize::from(setting[6] >> 3 & 3)],
        puts_heads_away: setting[7] & 4 != 0,
        ..Settings::default()
    }
}

/// What was seen of one connection.
#[derive(Debug)]
struct Seen {
    responses: Vec<Response>,
    sent: Vec<u16>,
    refused: Vec<Refusal>,
    ended: Vec<(EndReason, bool)>,
    closed: bool,
    reset: bool,
    /// Sessions that the application made, and that ended.
    sessions: (u32, u32),
}

/// Sends the pieces that end at `ends`, closes, and lets time pass until nothing is left. With a `room`, the client reads only
/// so many bytes at once.
fn served(settings: Settings, bytes: &[u8], ends: impl IntoIterator<Item = usize>, room: Option<usize>) -> Seen {
    let sessions = Rc::default();
    let mut server = Server::with(app::app(&sessions), settings);
    let client = server.connect();
    if let Some(room) = room {
        client.set_window(room);
        client.set_segment(room);
    }
    let (mut received, mut at) = (Vec::new(), 0);
    for end in ends {
        client.send(&bytes[at..end]);
        at = end;
        server.run();
        received.extend(client.received());
    }
    read_on(&mut server, &client, &mut received);
    client.close();
    read_on(&mut server, &client, &mut received);
    server.advance(LONG_MS);
    read_on(&mut server, &client, &mut received);
    let mut seen = Seen {
        responses: responses(&received),
        sent: Vec::new(),
        refused: Vec::new(),
        ended: Vec::new(),
        closed: client.is_closed(),
        reset: client.is_reset(),
        sessions: sessions.told(),
    };
    for event in server.events() {
        match event {
            Event::Sent(_, status, _) => seen.sent.push(status.code()),
            Event::Refused(_, refusal) => seen.refused.push(refusal),
            Event::Disconnected(_, reason, session) => seen.ended.push((reason, session)),
            _ => {}
        }
    }
    seen
}

/// Reads until nothing more comes.
fn read_on(server: &mut Server<app::Session>, client: &Client, received: &mut Vec<u8>) {
    loop {
        server.run();
        let before = received.len();
        received.extend(client.received());
        if received.len() == before {
            return;
        }
    }
}

impl Seen {
    /// Whether the peer could not tell one from the other. Of a response that breaks off, any part may have come.
    fn agrees(&self, other: &Seen) -> bool {
        let is_alike = self.sent == other.sent
            && self.refused == other.refused
            && self.ended == other.ended
            && (self.closed, self.reset) == (other.closed, other.reset)
            && self.sessions == other.sessions;
        let are_alike =
            |one: &[Response], other: &[Response]| one == other || self.reset && answers::begin_alike(one, other);
        is_alike && are_alike(&self.responses, &other.responses)
    }

    /// What holds of every connection.
    fn check(&self, requests: Option<&Requests>, shown: &dyn Fn() -> String) {
        assert_eq!(self.ended.len(), 1, "a connection ends once: {self:#?}\n{}", shown());
        assert_eq!(self.sessions.0, self.sessions.1, "each session ends: {self:#?}\n{}", shown());
        let Some(requests) = requests.filter(|requests| requests.are_sound()) else { return };
        // Answers in the order of their requests, none of what only a body has.
        let numbers: Vec<_> = self.responses.iter().filter_map(Response::number).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?} {self:#?}\n{}", shown());
        assert!(numbers.iter().all(|number| *number < requests.count()), "{numbers:?} {self:#?}\n{}", shown());
        let goes_on = self.ended[0].0 == EndReason::PeerClosed && self.refused.is_empty();
        assert!(!goes_on || self.sent.len() == requests.count(), "all are answered: {self:#?}\n{}", shown());
    }
}
