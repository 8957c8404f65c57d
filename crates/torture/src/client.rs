//! Clients: what they ask, how they send it, how they leave, and what they must have been answered.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use rustix::net::sockopt::set_socket_linger;

use crate::{
    answer::{self, Answer},
    app::PATTERN,
    numbers::Numbers,
    open,
};

/// How long a client waits that must be answered: only a hang takes so long. Less than others wait for the client, because
/// it knows more.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);
/// How long any other waits.
pub(crate) const IMPATIENCE: Duration = Duration::from_millis(100);

/// How a client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaves {
    /// After all its answers.
    Served,
    /// It closes its own side at once, and reads to the end.
    HalfClosed,
    /// By a reset, whatever is on its way.
    Reset,
    /// With answers unread.
    Unread,
}

/// What a client does.
#[derive(Debug, PartialEq, Eq)]
struct Script {
    bytes: Vec<u8>,
    /// What the requests must be answered, in their order.
    wanted: Vec<Answer>,
    /// What is sent is requests, the last one whole.
    is_whole: bool,
    leaves: Leaves,
}

impl Script {
    fn new(calm: bool, numbers: &mut Numbers) -> Script {
        // What no buffer takes would be in the way of a client that sends before it reads.
        let most = if calm { 10_000 } else { 200_000 };
        let (mut bytes, wanted) = requests(most, numbers);
        let mut leaves = [Leaves::Served, Leaves::HalfClosed, Leaves::Reset, Leaves::Unread][numbers.below(4)];
        let is_cut = numbers.once_in(6);
        let is_bad = !is_cut && numbers.once_in(8);
        if is_cut {
            bytes.truncate(numbers.below(bytes.len()));
        } else if is_bad {
            bytes.extend_from_slice(b"GET  / HTTP/1.1\r\n\r\n");
        }
        if leaves == Leaves::Served && is_cut {
            leaves = Leaves::HalfClosed;
        }
        Script { bytes, wanted, is_whole: !is_cut && !is_bad, leaves }
    }
}

/// Connects, asks and leaves. `calm`: nobody disturbs, so every answer must come.
pub(crate) fn connection(address: SocketAddr, calm: bool, numbers: &mut Numbers) -> Result<(), String> {
    // Some open what stays open.
    let opens = numbers.once_in(5);
    let script = Script::new(calm, numbers);
    // Who sends half a request and waits is answered when a deadline is over.
    let must_have_all = calm && script.is_whole && matches!(script.leaves, Leaves::Served | Leaves::HalfClosed);
    // A server that has stopped refuses.
    let stream = match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(stream) => stream,
        Err(error) if calm => return Err(format!("no connection: {error}")),
        Err(_) => return Ok(()),
    };
    let patience = Some(if must_have_all || opens && calm { PATIENCE } else { IMPATIENCE });
    let prepared =
        stream.set_nodelay(true).and(stream.set_read_timeout(patience)).and(stream.set_write_timeout(patience));
    prepared.map_err(|error| format!("no options: {error}"))?;
    if opens {
        let open = if numbers.once_in(3) { open::listener } else { open::socket };
        return open(&stream, calm, numbers);
    }
    let received = talk(&stream, &script, numbers);
    if script.leaves == Leaves::Reset {
        let _ = set_socket_linger(&stream, Some(Duration::ZERO));
    }
    let Script { bytes, wanted, is_whole, leaves } = &script;
    let all = wanted.len();
    let fault = match answer::check(&received, wanted, *is_whole) {
        Ok(answered) if answered < all && must_have_all => format!("{answered} answers of {all}"),
        Ok(_) => return Ok(()),
        Err(fault) => fault,
    };
    Err(format!("{fault}\n{leaves:?}, sent: {}\nreceived: {}", bytes.escape_ascii(), received.escape_ascii()))
}

/// Requests one behind the other, of bodies of no more than `most` bytes, and what each must be answered.
fn requests(most: usize, numbers: &mut Numbers) -> (Vec<u8>, Vec<Answer>) {
    let (mut bytes, mut wanted) = (Vec::new(), Vec::new());
    for sum in 1..=1 + numbers.below(6) {
        let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
        let (request, answer) = match numbers.below(12) {
            0 => (get("/panic"), (500, b"Internal Server Error\n".to_vec())),
            1 => (get("/wait"), (200, sum.to_string().into_bytes())),
            2 => {
                let patterns = numbers.below(most / PATTERN.len());
                (get(&format!("/stream/{}", patterns * PATTERN.len())), (200, PATTERN.repeat(patterns)))
            }
            3 => {
                let body = vec![b'x'; numbers.below(most / 4)];
                let head = format!("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
                ([head.as_bytes(), &body].concat(), (200, body.len().to_string().into_bytes()))
            }
            4 => {
                let head = "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
                let chunks = numbers.below(50);
                let body = "5;a=b\r\nabcde\r\n".repeat(chunks) + "0\r\n\r\n";
                ([head, &body].concat().into_bytes(), (200, (5 * chunks).to_string().into_bytes()))
            }
            _ => (get("/add"), (200, sum.to_string().into_bytes())),
        };
        bytes.extend(request);
        wanted.push(answer);
    }
    (bytes, wanted)
}

/// Sends in pieces, now and then with a pause; returns what has been received until it left.
fn talk(mut stream: &TcpStream, script: &Script, numbers: &mut Numbers) -> Vec<u8> {
    let Script { bytes, wanted, leaves, .. } = script;
    let piece_max = [1, 100, 5_000, bytes.len() + 1][numbers.below(4)].min(bytes.len() + 1).max(bytes.len() / 50 + 1);
    let (mut received, mut buffer, mut at) = (Vec::new(), vec![0; 65_536], 0);
    while at < bytes.len() {
        let end = bytes.len().min(at + 1 + numbers.below(piece_max));
        if stream.write_all(&bytes[at..end]).is_err() {
            // The server has closed: what it has said is read.
            break;
        }
        at = end;
        if numbers.once_in(20) {
            thread::sleep(Duration::from_millis(1));
        }
        if *leaves == Leaves::Reset && numbers.once_in(10) {
            return received;
        }
    }
    if *leaves == Leaves::HalfClosed {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut reads = if matches!(leaves, Leaves::Unread | Leaves::Reset) { numbers.below(2) } else { usize::MAX };
    while reads > 0 && !(*leaves == Leaves::Served && answer::complete(&received, wanted.len())) {
        let room = 1 + numbers.below(buffer.len());
        match stream.read(&mut buffer[..room]) {
            Ok(0) | Err(_) => break,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
        }
        reads -= 1;
    }
    received
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_its_script() {
        for calm in [false, true] {
            let script = |seed| Script::new(calm, &mut Numbers::new(seed));
            assert_eq!(script(1), script(1));
            assert_ne!(script(1), script(2));
        }
    }

    /// Who waits for what does not come would wait for ever.
    #[test]
    fn who_waits_for_all_answers_asks_for_them() {
        for seed in 0..1_000 {
            let script = Script::new(true, &mut Numbers::new(seed));
            assert!(!script.wanted.is_empty());
            if script.leaves == Leaves::Served {
                assert!(script.bytes.ends_with(b"\r\n\r\n") || script.bytes.ends_with(b"x"), "{seed}");
            }
        }
    }
}
