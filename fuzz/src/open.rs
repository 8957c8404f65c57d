//! A WebSocket of a server: the same frames whole, in pieces, and with a peer that reads slowly while others push must be heard
//! alike, be answered alike, and leave no session behind.
//!
//! An input is how its server is set (four bytes), then a client's frames, or with an odd first byte a message that is cut into
//! frames.

use std::{cell::Cell, rc::Rc};

use tenure::{
    EndReason, Error, Frame, Handler, Limits, Message, Request, Router, Session, Upgrade,
    kit::{Heard, Server, Settings},
    port::Pushed,
    websocket,
};

use crate::{cuts::ends, websocket::sent};

/// Bytes of a client at the most: beyond, an input only takes longer.
const BYTES_MAX: usize = 4_000;
/// Longer than any deadline.
const LONG_MS: u32 = 7_200_000;
/// What begins each push.
const PUSHED: u8 = b'p';

/// Serves the input's connection in every way.
pub fn run(input: &[u8]) {
    let Some((&setting, bytes)) = input.split_first_chunk::<4>() else { return };
    let seed = u64::from(u16::from_le_bytes([setting[1], setting[2]]));
    let bytes = &bytes[..bytes.len().min(BYTES_MAX)];
    let is_text = str::from_utf8(bytes).is_ok();
    let frames = if setting[0] & 1 == 0 { bytes.to_vec() } else { sent(bytes, is_text, seed).0 };
    let settings = settings(setting);
    let shown = || format!("{settings:?}\n{}", frames.escape_ascii());
    let whole = served(settings, &frames, [frames.len()], None);
    for seen in [
        served(settings, &frames, ends(frames.len(), seed), None),
        served(settings, &frames, ends(frames.len(), !seed), Some(1 + usize::from(setting[3]))),
    ] {
        assert!(whole.agrees(&seen), "whole:\n{whole:#?}\nin pieces ({seed}):\n{seen:#?}\n{}", shown());
    }
    if setting[0] & 1 != 0 && bytes.len() as u64 <= settings.limits.message_bytes_max {
        let told = [&[if is_text { b't' } else { b'b' }], bytes].concat();
        assert!(whole.heard.contains(&Heard::Binary(told)), "the message:\n{whole:#?}\n{}", shown());
    }
}

/// Small and large buffers and bounds, in any combination.
fn settings(setting: [u8; 4]) -> Settings {
    let [sizes, ..] = setting;
    Settings {
        limits: Limits { message_bytes_max: if sizes & 2 == 0 { 1 << 20 } else { 300 }, ..Limits::HOST },
        lanes_max: 1,
        input_bytes: [256, 300, 1_024, 16_384][usize::from(sizes >> 2 & 3)],
        output_bytes: [256, 512, 1_024, 16_384][usize::from(sizes >> 4 & 3)],
        puts_heads_away: sizes & 64 != 0,
        ..Settings::default()
    }
}

/// What came of a message so far, and who counts that it ends.
struct Said {
    bytes: Vec<u8>,
    live: Rc<Cell<u32>>,
}

impl Session for Said {
    fn end(self, _: EndReason) {
        self.live.set(self.live.get() - 1);
    }
}

/// Sends each message back, however it came.
fn app(live: &Rc<Cell<u32>>) -> impl Handler<Said> + 'static {
    let live = live.clone();
    let enter = async move |request: &mut Request<'_, Said>| {
        live.set(live.get() + 1);
        request.session_or_insert_with(|| Said { bytes: Vec::new(), live: live.clone() });
        Ok::<_, Error>(Upgrade::websocket())
    };
    let said = async |message: &mut Message<'_, Said>| {
        let (bytes, is_text) = (message.bytes(), message.is_text());
        let (is_first, is_last) = (message.is_first(), message.is_last());
        let said = message.session_mut().ok_or(Error::internal("no session"))?;
        if is_first {
            assert!(said.bytes.is_empty(), "a message begins within another");
            said.bytes.push(if is_text { b't' } else { b'b' });
        }
        said.bytes.extend_from_slice(bytes);
        if is_last {
            let all = std::mem::take(&mut said.bytes);
            message.send(Frame::binary(&all)).await?;
        }
        Ok(())
    };
    Router::new().route("/", websocket(enter, said))
}

/// What was seen of one connection.
#[derive(Debug)]
struct Seen {
    heard: Vec<Heard>,
    ended: EndReason,
}

impl Seen {
    /// Whether both were heard alike. A wrong byte of a text may be seen before its frame is whole, and pings are counted for as
    /// long as a connection does not rest: where that ends one of them, the other may go on.
    fn agrees(&self, other: &Seen) -> bool {
        if self.heard == other.heard && self.ended == other.ended {
            return true;
        }
        [(self, other), (other, self)].into_iter().any(|(one, other)| {
            let EndReason::WebSocket { code: code @ (1007 | 1008), by_peer: false } = one.ended else { return false };
            let before = one.heard.split_last().map_or(&[][..], |(_, before)| before);
            other.heard.starts_with(before) && (code == 1008 || other.ended == EndReason::PeerClosed)
        })
    }
}

/// Sends the pieces that end at `ends`, closes, and lets time pass until nothing is left. With a `room`, the client reads only so
/// many bytes at once, and others push to it between them.
fn served(settings: Settings, bytes: &[u8], ends: impl IntoIterator<Item = usize>, room: Option<usize>) -> Seen {
    let live = Rc::default();
    let mut server = Server::with(app(&live), settings);
    let socket = server.websocket("/");
    let client = socket.client();
    let (mut heard, mut pushed, mut at) = (Vec::new(), Vec::new(), 0);
    for end in ends {
        if let Some(room) = room {
            client.set_window(room);
        }
        client.send(&bytes[at..end]);
        at = end;
        server.run();
        if room.is_some() {
            let push = [PUSHED, pushed.len() as u8];
            if server.send(socket.id(), Frame::binary(&push)) == Pushed::Taken {
                pushed.push(Heard::Binary(push.to_vec()));
            }
        }
        heard.extend(socket.heard());
    }
    client.set_window(usize::MAX);
    server.run();
    let is_open = server.ended().is_empty();
    heard.extend(socket.heard());
    client.close();
    server.run();
    heard.extend(socket.heard());
    server.advance(LONG_MS);
    let (came, heard): (Vec<_>, Vec<_>) =
        heard.into_iter().partition(|heard| matches!(heard, Heard::Binary(bytes) if bytes.first() == Some(&PUSHED)));
    // Behind a close nothing is sent.
    assert!(if is_open { came == pushed } else { pushed.starts_with(&came) }, "pushed: {pushed:?}, came: {came:?}");
    assert_eq!((live.get(), server.list().len()), (0, 0), "left");
    let ended = server.ended();
    assert_eq!(ended.len(), 1, "{ended:?}");
    Seen { heard, ended: ended[0].1 }
}
