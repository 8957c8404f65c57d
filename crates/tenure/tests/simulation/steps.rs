//! The steps that a walk may take, and how its server may be set.

use tenure::{Deadlines, Eviction, Limits, NEVER, kit::client_frame, port::DriverSettings};

use crate::{
    port::{Sizes, WORKER},
    random::Random,
};

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Get(&'static str),
    Head(&'static str),
    /// A body of so many bytes.
    Post(&'static str, u32),
    /// The same, in chunks of at most so many.
    Chunked(&'static str, u32, u32),
    /// The same, for which 100 is expected.
    Expect(&'static str, u32),
    AskedToClose(&'static str),
    /// What is no HTTP.
    Junk,
    /// To open a WebSocket: what follows are frames.
    Upgrade(&'static str),
    /// To listen to events: whatever follows is dropped.
    Listen,
}

/// What a client sends over a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// That word and so many bytes, in frames of so many, with a ping between two of them.
    Word(&'static str, u32, u32, bool),
    Ping,
    Pong,
    Close(Option<u16>),
    /// No frame at all.
    Junk,
}

const WORDS: [&str; 16] = [
    "echo",
    "echo",
    "big",
    "wait",
    "publish",
    "publishbig",
    "publishwait",
    "giveup",
    "join",
    "leave",
    "pin",
    "session",
    "panic",
    "latepanic",
    "fail",
    "close",
];

impl Say {
    fn random(random: &mut Random) -> Self {
        match random.below(24) {
            0 | 1 => Say::Ping,
            2 => Say::Pong,
            3 if random.bool() => Say::Close(random.of(&[None, Some(1_000), Some(4_001)])),
            4 if random.once_in(4) => Say::Junk,
            _ => {
                let word = if random.bool() { "echo" } else { random.of(&WORDS) };
                let (bytes, cut) = (random.of(&[0, 0, 5, 100, 200, 3_000]), random.of(&[7, 100, u32::MAX, u32::MAX]));
                Say::Word(word, bytes, cut, random.bool())
            }
        }
    }

    pub fn bytes(self, client: u32, number: u32) -> Vec<u8> {
        match self {
            Say::Word(word, bytes, cut, pings) => {
                let all = format!("{word}[{client}.{number}]{}", "x".repeat(bytes as usize));
                let pieces: Vec<_> = all.as_bytes().chunks(cut as usize).collect();
                let mut frames = Vec::new();
                for (at, piece) in pieces.iter().enumerate() {
                    let opcode = u8::from(at == 0);
                    let is_last = at + 1 == pieces.len();
                    frames.extend(client_frame(if is_last { 0x80 | opcode } else { opcode }, piece));
                    if pings && at % 16 == 1 {
                        frames.extend(client_frame(0x89, b"between"));
                    }
                }
                frames
            }
            Say::Ping => client_frame(0x89, b"ping"),
            Say::Pong => client_frame(0x8a, b""),
            Say::Close(code) => client_frame(
                0x88,
                &code.map(u16::to_be_bytes).unwrap_or_default()[..if code.is_some() { 2 } else { 0 }],
            ),
            Say::Junk => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        }
    }
}

const GETS: [&str; 20] = [
    "/hello",
    "/open",
    "/wait",
    "/long",
    "/peer",
    "/ending",
    "/open-only",
    "/sleep",
    "/stream",
    "/break",
    "/panic",
    "/latepanic",
    "/remove",
    "/replace",
    "/take",
    "/pin",
    "/unpin",
    "/close",
    "/nowhere",
    "/socket",
];
const POSTS: [&str; 11] =
    ["/body", "/own", "/whole", "/waitbody", "/hello", "/open", "/wait", "/panic", "/stream", "/publish", "/events"];
const SOCKETS: [&str; 4] = ["/socket", "/socket", "/latesocket", "/nested/strict"];

impl Ask {
    fn random(random: &mut Random) -> Self {
        let get = if random.bool() { random.of(&["/hello", "/open"]) } else { random.of(&GETS) };
        let (post, bytes) = (random.of(&POSTS), random.of(&[0, 1, 5, 60, 200, 3_000]));
        match random.below(16) {
            0 => Ask::Head(get),
            1..=3 => Ask::Post(post, bytes),
            4 | 5 => Ask::Chunked(post, bytes, random.of(&[1, 7, 100])),
            6 => Ask::Expect(post, bytes),
            7 if random.bool() => Ask::AskedToClose(get),
            8 if random.once_in(4) => Ask::Junk,
            9..=11 => Ask::Upgrade(random.of(&SOCKETS)),
            12 => Ask::Listen,
            13 if random.bool() => Ask::Post("/publish", 0),
            _ => Ask::Get(get),
        }
    }

    pub fn bytes(self, client: u32, number: u32) -> Vec<u8> {
        let head = |method: &str, path: &str, fields: &str| {
            format!("{method} {path}?{client}.{number} HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes()
        };
        let body = |bytes: u32| vec![b'x'; bytes as usize];
        match self {
            Ask::Get(path) => head("GET", path, ""),
            Ask::Head(path) => head("HEAD", path, ""),
            Ask::AskedToClose(path) => head("GET", path, "Connection: close\r\n"),
            Ask::Post(path, bytes) => {
                [head("POST", path, &format!("Content-Length: {bytes}\r\n")), body(bytes)].concat()
            }
            Ask::Expect(path, bytes) => {
                let fields = format!("Expect: 100-continue\r\nContent-Length: {bytes}\r\n");
                [head("POST", path, &fields), body(bytes)].concat()
            }
            Ask::Chunked(path, bytes, chunk) => {
                let mut all = head("POST", path, "Transfer-Encoding: chunked\r\n");
                let mut rest = bytes;
                while rest > 0 {
                    let size = rest.min(chunk);
                    rest -= size;
                    all.extend(format!("{size:x}\r\n").bytes());
                    all.extend(body(size));
                    all.extend(b"\r\n");
                }
                all.extend(b"0\r\n\r\n");
                all
            }
            Ask::Junk => b"GET  / HTTP/1.1\r\n\r\n".to_vec(),
            Ask::Upgrade(path) => head(
                "GET",
                path,
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 Sec-WebSocket-Version: 13\r\n",
            ),
            Ask::Listen => head("GET", "/events", ""),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Step {
    Connect,
    Accept,
    /// A client has something to say, of which nothing has left it yet.
    Ask(u8, Ask),
    /// The same, once it has asked for a WebSocket.
    Say(u8, Say),
    /// Something is pushed to one, or published: so many bytes.
    Push(u8, u32),
    PushWrong(u8),
    Publish(u32),
    /// So many bytes of that leave it.
    Flow(u8, u32),
    Window(u8, usize),
    Segment(u8, usize),
    Close(u8),
    Reset(u8),
    /// The next send or receive fails.
    Fail(u8),
    BlockReceives(u8, u32),
    BlockSends(u8, u32),
    PutsHeadsAway(bool),
    RefuseNextSocket,
    ObserverRefuses(bool),
    ObserverPanics,
    EndPanics,
    /// The port tells of one socket that is ready, of all, or of one of which there is nothing to tell.
    Ready(u8),
    ReadyAll,
    ReadyForNothing(u8),
    /// A key of which there is no connection any more.
    ReadyLate(u8),
    Wake,
    WakeForNothing(u8),
    Gate(u8),
    Run,
    /// Time passes, and the port is there in time.
    Advance(u32),
    /// Time passes, and the port is late.
    Late(u32),
    Pin(u8, bool),
    CloseOne(u8),
    CloseNow(u8),
    LinkDown(u8),
    HandOver(u8),
    Stop,
}

const PUSHED: [u32; 8] = [0, 1, 20, 130, 700, 3_000, 40_000, 70_000];
const TIMES_MS: [u32; 10] = [1, 2, 9, 10, 11, 49, 100, 1_000, 12_000, 1 << 30];

impl Step {
    pub fn random(random: &mut Random) -> Self {
        let client = random.below(8) as u8;
        match random.below(208) {
            0..14 => Step::Connect,
            14..18 => Step::Accept,
            18..46 => Step::Ask(client, Ask::random(random)),
            46..76 => Step::Flow(client, random.of(&[1, 2, 10, 40, 100, u32::MAX, u32::MAX, u32::MAX])),
            76..80 => Step::Window(client, random.of(&[0, 1, 20, 100, usize::MAX])),
            80 => Step::Segment(client, random.of(&[1, 3, 50, usize::MAX])),
            81..83 => Step::Close(client),
            83 => Step::Reset(client),
            84 => Step::Fail(client),
            85..87 => Step::BlockReceives(client, 1 + random.below(2)),
            87..89 => Step::BlockSends(client, 1 + random.below(2)),
            89 => Step::PutsHeadsAway(random.bool()),
            90 => Step::RefuseNextSocket,
            91 => Step::ObserverRefuses(random.once_in(3)),
            92 => Step::ObserverPanics,
            93 => Step::EndPanics,
            94..104 => Step::Ready(client),
            104..110 => Step::ReadyAll,
            110..112 => Step::ReadyForNothing(client),
            112 => Step::ReadyLate(client),
            113..117 => Step::Wake,
            117 => Step::WakeForNothing(random.below(4) as u8),
            118..124 => Step::Gate(client),
            124..138 => Step::Run,
            138..144 => Step::Advance(random.of(&TIMES_MS)),
            144 => Step::Late(random.of(&TIMES_MS)),
            145..149 => Step::Pin(client, random.bool()),
            149 | 150 => Step::CloseOne(client),
            151 | 152 => Step::CloseNow(client),
            153 => Step::LinkDown(client),
            154 => Step::HandOver(client),
            155 if random.once_in(3) => Step::Stop,
            156..186 => Step::Say(client, Say::random(random)),
            186..194 => Step::Push(client, random.of(&PUSHED)),
            194 => Step::PushWrong(client),
            195..200 => Step::Publish(random.of(&PUSHED)),
            _ => Step::Run,
        }
    }
}

/// How a walk's server is set.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub settings: DriverSettings,
    pub sizes: Sizes,
    pub start_ms: u32,
    pub puts_heads_away: bool,
    /// Whether the server has a place elsewhere, however full this worker is.
    pub place_elsewhere: bool,
    /// How the walk ends: by a stop, or by a driver that is dropped.
    pub stops: bool,
    /// To how many connections one turn delivers what is published.
    pub deliveries_max: u32,
}

impl Setting {
    pub fn random(random: &mut Random) -> Self {
        let mut ms = |often: u32| random.of(&[NEVER, 1, 10, 50, often, often, often, 1 << 30, (1 << 31) - 1]);
        let deadlines = Deadlines {
            first_byte_ms: ms(1_000),
            idle_ms: ms(10_000),
            head_ms: ms(1_000),
            body_ms: ms(1_000),
            handler_ms: ms(10_000),
            response_ms: ms(1_000),
            ping_ms: ms(1_000),
            pong_ms: ms(1_000),
            linger_ms: ms(100),
            flush_ms: ms(1_000),
            body_bytes_per_s: random.of(&[0, 1, 500, 100_000]),
            response_bytes_per_s: random.of(&[0, 1, 500, 100_000]),
        };
        let limits = Limits {
            head_bytes_max: random.of(&[80, 200, 1_024]),
            target_bytes_max: 40,
            body_bytes_max: random.of(&[10, 1_000, 1 << 20]),
            drain_bytes_max: random.of(&[0, 100, 4_096]),
            linger_bytes_max: random.of(&[0, 50, 65_536]),
            message_bytes_max: random.of(&[1_000, 1 << 20, 1 << 20]),
            ..Limits::HOST
        };
        let connections_max = 1 + random.below(6);
        let settings = DriverSettings {
            connections_max,
            open_max: random.below(connections_max + 1),
            lanes_max: 1 + random.below(connections_max.min(3)),
            eviction: random.of(&[Eviction::Never, Eviction::WithoutSession, Eviction::LeastRecentlyUsed]),
            deadlines,
            limits,
            worker: WORKER,
        };
        let sizes = Sizes {
            input: random.of(&[256, 300, 1_024]),
            body: random.of(&[16, 128, 1_024]),
            output: random.of(&[256, 512, 2_048]),
        };
        let start_ms = random.of(&[0, 1, u32::MAX, u32::MAX - 30, u32::MAX - 2_000, (1 << 31) - 40, 1 << 31]);
        let place_elsewhere = random.once_in(4);
        let (puts_heads_away, stops) = (random.bool(), random.bool());
        let deliveries_max = random.of(&[1, 1, 2, 3, 256]);
        Setting { settings, sizes, start_ms, puts_heads_away, place_elsewhere, stops, deliveries_max }
    }
}
