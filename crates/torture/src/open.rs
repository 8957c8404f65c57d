//! Clients of what stays open: what they say must come back, in whole frames, whatever others push between them.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use rustix::net::sockopt::set_socket_linger;

use crate::{
    app::TICK,
    client::{IMPATIENCE, PATIENCE},
    numbers::Numbers,
};

/// How a client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaves {
    /// With a close frame, once all has come back.
    Closes,
    /// It closes its own side behind what it says, and reads to the end.
    HalfClosed,
    Reset,
    Unread,
}

/// Opens a WebSocket, says something and leaves. `calm`: all of it must come back.
pub(crate) fn socket(mut stream: &TcpStream, calm: bool, numbers: &mut Numbers) -> Result<(), String> {
    let leaves = [Leaves::Closes, Leaves::HalfClosed, Leaves::Reset, Leaves::Unread][numbers.below(4)];
    let must_have_all = calm && matches!(leaves, Leaves::Closes | Leaves::HalfClosed);
    let patience = if must_have_all { PATIENCE } else { IMPATIENCE };
    stream.set_read_timeout(Some(patience)).map_err(|error| format!("no options: {error}"))?;
    let (mut bytes, mut said) = (
        b"GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            .to_vec(),
        Vec::new(),
    );
    for _ in 0..numbers.below(8) {
        let message = match numbers.below(6) {
            0 => b"wait".to_vec(),
            1 => b"publish".to_vec(),
            _ => vec![b'a' + numbers.below(26) as u8; numbers.below(2_000)],
        };
        bytes.extend(frame(0x82, &message));
        said.extend(message);
        if numbers.once_in(4) {
            bytes.extend(frame(0x89, b"ping"));
        }
    }
    let is_cut = !calm && numbers.once_in(4);
    if is_cut {
        bytes.truncate(numbers.below(bytes.len()));
    }
    let piece_max = [1, 100, bytes.len() + 1][numbers.below(3)].max(bytes.len() / 50 + 1);
    let mut at = 0;
    while at < bytes.len() {
        let end = bytes.len().min(at + 1 + numbers.below(piece_max));
        if stream.write_all(&bytes[at..end]).is_err() {
            break;
        }
        at = end;
        if leaves == Leaves::Reset && numbers.once_in(10) {
            break;
        }
    }
    if leaves == Leaves::HalfClosed {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut reads = if matches!(leaves, Leaves::Unread | Leaves::Reset) { numbers.below(3) } else { usize::MAX };
    let (mut received, mut has_closed) = (Vec::new(), false);
    while reads > 0 && receive(stream, &mut received, numbers) {
        reads -= 1;
        let Ok(heard) = heard(&received) else { break };
        if heard.status.is_some_and(|status| status != 101) {
            break;
        }
        let is_all = heard.came.len() == said.len();
        // Behind a frame that was cut a close would be that frame's rest.
        if leaves == Leaves::Closes && is_all && !is_cut && !std::mem::replace(&mut has_closed, true) {
            let _ = stream.write_all(&frame(0x88, &1_000_u16.to_be_bytes()));
        }
    }
    if leaves == Leaves::Reset {
        let _ = set_socket_linger(stream, Some(Duration::ZERO));
    }
    let fault = match heard(&received) {
        Ok(heard) if !said.starts_with(&heard.came) => "other bytes came back".to_owned(),
        // As many are open as may be.
        Ok(heard) if must_have_all && heard.status != Some(503) && heard.came.len() < said.len() => {
            format!("{} bytes of {} came back", heard.came.len(), said.len())
        }
        Ok(heard) if leaves == Leaves::Closes && must_have_all && heard.status == Some(101) && !heard.is_closed => {
            "a close was not answered".to_owned()
        }
        Ok(_) => return Ok(()),
        Err(fault) => fault,
    };
    Err(format!("{fault}\n{leaves:?}, sent: {}\nreceived: {}", bytes.escape_ascii(), received.escape_ascii()))
}

/// Listens to events for a while. `calm`: some must come.
pub(crate) fn listener(mut stream: &TcpStream, calm: bool, numbers: &mut Numbers) -> Result<(), String> {
    let wanted = 1 + numbers.below(4);
    let _ = stream.write_all(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    let (mut received, event) = (Vec::new(), format!("data: {TICK}\n\n"));
    loop {
        let text = String::from_utf8_lossy(&received);
        let came = match text.split_once("\r\n\r\n") {
            Some((head, events)) if head.starts_with("HTTP/1.1 200 ") => {
                // A quiet stream is sent comments.
                let events = events.replace(":\n\n", "");
                let whole = events.len() / event.len();
                let wants = event.repeat(whole + 1);
                if !wants.starts_with(events.trim_end_matches(':')) {
                    return Err(format!("no events: {}", received.escape_ascii()));
                }
                whole
            }
            Some((head, _)) if !calm || head.starts_with("HTTP/1.1 503 ") => return Ok(()),
            Some(_) => return Err(format!("no stream: {}", received.escape_ascii())),
            None => 0,
        };
        if came >= wanted {
            if numbers.once_in(2) {
                let _ = set_socket_linger(stream, Some(Duration::ZERO));
            }
            return Ok(());
        }
        if !receive(stream, &mut received, numbers) {
            let fault = format!("{came} events of {wanted}: {}", received.escape_ascii());
            return if calm { Err(fault) } else { Ok(()) };
        }
    }
}

/// Receives some bytes. `false`: there are no more.
fn receive(mut stream: &TcpStream, received: &mut Vec<u8>, numbers: &mut Numbers) -> bool {
    let mut buffer = vec![0; 1 + numbers.below(10_000)];
    match stream.read(&mut buffer) {
        Ok(0) | Err(_) => false,
        Ok(count) => {
            received.extend_from_slice(&buffer[..count]);
            true
        }
    }
}

/// What has come over a WebSocket.
struct Heard {
    /// Of the answer that opens it, if that has come.
    status: Option<u16>,
    /// What was said and came back.
    came: Vec<u8>,
    is_closed: bool,
}

/// Reads it, and sees whether it is what a server may send.
fn heard(received: &[u8]) -> Result<Heard, String> {
    let mut heard = Heard { status: None, came: Vec::new(), is_closed: false };
    let Some(head) = received.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(heard) };
    heard.status = str::from_utf8(&received[..head]).ok().and_then(|text| text.split(' ').nth(1)?.parse().ok());
    let mut rest = &received[head + 4..];
    while heard.status == Some(101)
        && let Some((first, payload, behind)) = split(rest)
    {
        match first {
            _ if heard.is_closed => return Err(format!("behind the close: {}", rest.escape_ascii())),
            0x82 => heard.came.extend_from_slice(payload),
            // What others push and publish.
            0x81 if payload == TICK.as_bytes() => {}
            0x88 => heard.is_closed = true,
            0x89 => {}
            0x8a if payload == b"ping" => {}
            _ => return Err(format!("no frame of this server: {}", rest.escape_ascii())),
        }
        rest = behind;
    }
    Ok(heard)
}

/// The frame at the front, if it is here whole, and what is behind it.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[first, length], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match length {
        126 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        length => (usize::from(length), rest),
    };
    let (payload, rest) = rest.split_at_checked(length)?;
    Some((first, payload, rest))
}

/// A client's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [7, 99, 201, 13];
    let mut frame = match payload.len() {
        length @ 0..126 => vec![first, 0x80 | length as u8],
        length => [&[first, 0xfe][..], &(length as u16).to_be_bytes()].concat(),
    };
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_and_others_are_faults() {
        let opened = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";
        for (frames, came) in [
            (&b""[..], Ok((&b""[..], false))),
            (b"\x82\x02ab\x81\x04tick\x82\x01c\x8a\x04ping\x89\x00", Ok((b"abc", false))),
            (b"\x82\x02ab\x82\x02c", Ok((b"ab", false))),
            (b"\x82\x02ab\x88\x02\x03\xe8", Ok((b"ab", true))),
            (b"\x88\x02\x03\xe8\x82\x00", Err(())),
            (b"\x81\x04tack", Err(())),
            (b"\x8a\x00", Err(())),
            (b"x\x00", Err(())),
        ] {
            let heard = heard(&[opened, frames].concat()).map_err(|_| ());
            let heard = heard.as_ref().map(|heard| (&*heard.came, heard.is_closed));
            assert_eq!(heard, came.as_ref().map(|came| *came), "{}", frames.escape_ascii());
        }
        assert_eq!(heard(b"HTTP/1.1 503 X\r\n\r\nlater").map(|heard| heard.status), Ok(Some(503)));
    }
}
