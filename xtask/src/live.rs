//! The live adder in QEMU: streams of events, and a chat over WebSockets, tested from outside or shown to a person.

use std::{io::stdin, net::SocketAddr, time::Duration};

use tenure_adder::{LINE_BYTES_MAX, LIVE_PAGE};

use crate::{
    Failure,
    client::{BODY, Client, HEAD},
    guest::{self, BOOT, Guest},
};

/// Pages at once: with one adder beside them, of twelve connections.
const PAGES: usize = 3;
/// Pages that come and go.
const VISITS: usize = 50;

/// Boots it, and says where it is to be seen until somebody presses Enter.
pub(crate) fn show() -> Result<(), Failure> {
    let image = guest::build("qemu", "live", &[])?;
    let guest = Guest::boot_for(Duration::MAX, &image, &[])?;
    guest.wait_for("Registering URI handlers", BOOT)?;
    println!("Open http://{}/ in a browser. Enter ends the guest.", guest.address);
    stdin().read_line(&mut String::new())?;
    guest.shut_down()
}

/// Who looks at the page: a stream and a chat.
struct Page {
    events: Open,
    chat: Open,
}

/// A connection that is open, and what of it has been received.
struct Open {
    client: Client,
    received: Vec<u8>,
}

impl Open {
    /// Opens one by that request; its answer must begin so.
    fn at(address: SocketAddr, request: &str, answer: &str) -> Result<Self, Failure> {
        let mut open = Open { client: Client::connect(address)?, received: Vec::new() };
        open.client.send(format!("{request}\r\n\r\n").as_bytes())?;
        let head = open.until(b"\r\n\r\n")?;
        if head.starts_with(answer) { Ok(open) } else { Err(format!("{request:?} is answered {head:?}").into()) }
    }

    /// What comes up to and including `end`, as text.
    fn until(&mut self, end: &[u8]) -> Result<String, Failure> {
        Ok(String::from_utf8(self.received_until(end)?)?)
    }

    fn received_until(&mut self, end: &[u8]) -> Result<Vec<u8>, Failure> {
        loop {
            if let Some(at) = self.received.windows(end.len()).position(|found| found == end) {
                return Ok(self.received.drain(..at + end.len()).collect());
            }
            self.receive()?;
        }
    }

    fn receive(&mut self) -> Result<(), Failure> {
        self.received.extend(self.client.some()?);
        Ok(())
    }

    /// Sends a message of text that is shorter than 65,536 bytes. The mask is 0, which changes nothing.
    fn say(&mut self, text: &str) -> Result<(), Failure> {
        let length = u16::try_from(text.len())?;
        let mut frame = vec![0x81];
        match u8::try_from(length) {
            Ok(short @ ..126) => frame.push(0x80 | short),
            _ => frame.extend([&[0xfe], &length.to_be_bytes()[..]].concat()),
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        Ok(self.client.send(&frame)?)
    }

    /// The next message, which must be that text.
    fn expect(&mut self, text: &str) -> Result<(), Failure> {
        let mut wanted = vec![0x81];
        match u8::try_from(text.len())? {
            short @ ..126 => wanted.push(short),
            length => wanted.extend([126, 0, length]),
        }
        wanted.extend(text.as_bytes());
        while self.received.len() < wanted.len() && wanted.starts_with(&self.received) {
            self.receive()?;
        }
        if !self.received.starts_with(&wanted) {
            return Err(format!("not {text:?} but {}", self.received.escape_ascii()).into());
        }
        self.received.drain(..wanted.len());
        Ok(())
    }
}

impl Page {
    fn open(address: SocketAddr) -> Result<Self, Failure> {
        let mut events = Open::at(address, "GET /events HTTP/1.1\r\nHost: a", "HTTP/1.1 200 OK\r\n")?;
        events.until(b"retry: 2000\n\n")?;
        let upgrade = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13";
        Ok(Page { events, chat: Open::at(address, upgrade, "HTTP/1.1 101 Switching Protocols\r\n")? })
    }
}

/// The id of a connection, by `/id`.
fn id_of(client: &mut Client) -> Result<String, Failure> {
    client.send(b"GET /id HTTP/1.1\r\nHost: a\r\n\r\n")?;
    Ok(String::from_utf8(client.answer()?.1)?)
}

pub(crate) fn test(guest: &Guest) -> Result<(), Failure> {
    let mut adder = Client::connect(guest.address)?;
    adder.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?;
    if adder.answer()? != (200, LIVE_PAGE.as_bytes().to_vec()) {
        return Err("the page is not whole".into());
    }
    let id = id_of(&mut adder)?;
    let mut pages = (0..PAGES).map(|_| Page::open(guest.address)).collect::<Result<Vec<_>, _>>()?;
    let mut sum = 0;
    let mut add_and_see = |adder: &mut Client, pages: &mut [Page]| -> Result<(), Failure> {
        adder.send(&[HEAD, BODY].concat())?;
        adder.expect(200)?;
        sum += 1;
        pages.iter_mut().try_for_each(|page| {
            let event = page.events.until(b"\n\n")?;
            let wanted = format!("event: sum\ndata: {id} {sum}\n\n");
            if event == wanted { Ok(()) } else { Err(format!("not {wanted:?} but {event:?}").into()) }
        })
    };
    (0..100).try_for_each(|_| add_and_see(&mut adder, &mut pages))?;
    talk(&mut pages)?;
    // Pages that come and go leave nothing behind, and take nothing from those who stay.
    for _ in 0..VISITS {
        drop(Page::open(guest.address)?);
    }
    add_and_see(&mut adder, &mut pages)?;
    talk(&mut pages)
}

/// Each says a line of the greatest length, which all hear, and one that is too long, of which itself is told.
fn talk(pages: &mut [Page]) -> Result<(), Failure> {
    for speaker in 0..pages.len() {
        let line = "x".repeat(LINE_BYTES_MAX);
        let chat = &mut pages[speaker].chat;
        chat.say("")?;
        chat.received_until(b"You are ")?;
        let id = chat.until(b". A line goes to all who are here.")?;
        let (id, _) = id.split_once(". ").ok_or("no id")?;
        chat.say(&line)?;
        pages.iter_mut().try_for_each(|page| page.chat.expect(&format!("{id}: {line}")))?;
        // More than a lane's input holds comes in pieces.
        for length in [LINE_BYTES_MAX + 1, 3_000] {
            let chat = &mut pages[speaker].chat;
            chat.say(&"x".repeat(length))?;
            chat.expect("Not sent: a line has 140 bytes at the most. Say it in several.")?;
        }
    }
    Ok(())
}
