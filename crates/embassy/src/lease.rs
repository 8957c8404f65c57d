//! Confirms an address from DHCP after the link has come back (RFC 2131 section 3.2).

use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use embassy_net_driver::RxToken;
use embassy_time::{Duration, Instant, Timer};

const ETHERNET_HEAD_BYTES: usize = 14;
const IP_HEAD_BYTES: usize = 20;
const UDP_HEAD_BYTES: usize = 8;
/// Where options begin, after the magic cookie (RFC 2131 section 3).
const OPTIONS_AT: usize = 240;
/// The least length that relays forward (RFC 1542 section 2.1).
const MESSAGE_BYTES: usize = 300;
const FRAME_BYTES: usize = ETHERNET_HEAD_BYTES + IP_HEAD_BYTES + UDP_HEAD_BYTES + MESSAGE_BYTES;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;
const NAK: u8 = 6;

/// The questions, each with the seconds that an answer may take. A server that does not know the address ignores requests (RFC 2131
/// section 4.3.2), but answers a discovery with the address that it would give.
const QUESTIONS: [(u8, u64); 4] = [(REQUEST, 1), (REQUEST, 2), (DISCOVER, 4), (DISCOVER, 8)];

/// A stack's DHCP address, as its device learns it from the frames.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    address: Option<[u8; 4]>,
    /// The number of the next question, when it is due, and the transaction.
    asking: Option<(usize, Timer, [u8; 4])>,
    /// The network offers another address, or refuses this one.
    lost: bool,
}

impl Lease {
    /// The link is back: the address is to be confirmed.
    pub(crate) fn ask(&mut self, hardware: [u8; 6]) {
        if self.address.is_some() {
            let [_, _, rest @ ..] = hardware;
            let transaction = (Instant::now().as_ticks() as u32).wrapping_add(u32::from_be_bytes(rest));
            self.asking = Some((0, Timer::at(Instant::now()), transaction.to_be_bytes()));
        }
    }

    /// The link is away: no answer comes.
    pub(crate) fn leave_off(&mut self) {
        self.asking = None;
    }

    /// Whether the address is lost. True once.
    pub(crate) fn is_lost(&mut self) -> bool {
        let lost = core::mem::take(&mut self.lost);
        if lost {
            *self = Lease::default();
        }
        lost
    }

    /// The question that is due; [`asked`](Lease::asked) when it has been sent.
    pub(crate) fn question(&mut self, context: &mut Context<'_>, hardware: [u8; 6]) -> Option<[u8; FRAME_BYTES]> {
        let (number, due, transaction) = self.asking.as_mut()?;
        if Future::poll(Pin::new(due), context) == Poll::Pending {
            return None;
        }
        let Some((kind, _)) = QUESTIONS.get(*number) else {
            // No server objects: the client may keep the address for the rest of its lease (RFC 2131 section 3.2).
            self.asking = None;
            return None;
        };
        Some(question(*kind, *transaction, hardware, self.address?))
    }

    /// The question that was due has been sent.
    pub(crate) fn asked(&mut self, context: &mut Context<'_>) {
        if let Some((number, due, _)) = &mut self.asking {
            let s = QUESTIONS.get(*number).map_or(0, |(_, s)| *s);
            (*number, *due) = (*number + 1, Timer::after(Duration::from_secs(s)));
            let _ = Future::poll(Pin::new(due), context);
        }
    }

    /// Looks at a received frame.
    fn hear(&mut self, frame: &[u8], hardware: [u8; 6]) {
        let Some(Answer { kind, transaction, address }) = Answer::of(frame, hardware) else { return };
        match (&self.asking, kind) {
            (Some((_, _, own)), ACK | OFFER | NAK) if *own == transaction => {
                self.lost = kind == NAK || self.address != Some(address);
                self.asking = None;
            }
            // The stack's own.
            (_, ACK) => self.address = Some(address),
            (_, NAK) => (self.address, self.asking) = (None, None),
            _ => {}
        }
    }
}

/// A frame that a `Lease` hears, too.
#[derive(Debug)]
pub struct Heard<'l, R> {
    pub(crate) frame: R,
    pub(crate) lease: &'l mut Lease,
    pub(crate) hardware: [u8; 6],
}

impl<R: RxToken> RxToken for Heard<'_, R> {
    fn consume<T, F: FnOnce(&mut [u8]) -> T>(self, read: F) -> T {
        let Heard { frame, lease, hardware } = self;
        frame.consume(|bytes| {
            lease.hear(bytes, hardware);
            read(bytes)
        })
    }
}

/// What a DHCP server answers.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    kind: u8,
    transaction: [u8; 4],
    address: [u8; 4],
}

impl Answer {
    /// The answer in an Ethernet frame, if it is for that hardware address; never panics.
    fn of(frame: &[u8], hardware: [u8; 6]) -> Option<Self> {
        let (ethernet, packet) = frame.split_first_chunk::<ETHERNET_HEAD_BYTES>()?;
        let head = packet.first_chunk::<IP_HEAD_BYTES>()?;
        // IPv4, UDP.
        if [ethernet[12], ethernet[13]] != [8, 0] || head[0] >> 4 != 4 || head[9] != 17 {
            return None;
        }
        let (udp, message) = packet.get(4 * usize::from(head[0] & 0x0f)..)?.split_first_chunk::<UDP_HEAD_BYTES>()?;
        let ports = [u16::from_be_bytes([udp[0], udp[1]]), u16::from_be_bytes([udp[2], udp[3]])];
        let (fixed, options) = message.split_first_chunk::<OPTIONS_AT>()?;
        if ports != [SERVER_PORT, CLIENT_PORT] || fixed[28..34] != hardware || fixed[236..] != COOKIE {
            return None;
        }
        let mut options = options;
        let kind = loop {
            match options {
                [53, 1, kind, ..] => break *kind,
                [0, rest @ ..] => options = rest,
                [255, ..] => return None,
                [_, bytes, rest @ ..] => options = rest.get(usize::from(*bytes)..)?,
                _ => return None,
            }
        };
        Some(Answer { kind, transaction: *fixed[4..].first_chunk()?, address: *fixed[16..].first_chunk()? })
    }
}

/// A broadcast that asks whether an address is still ours, or which one would be given.
fn question(kind: u8, transaction: [u8; 4], hardware: [u8; 6], address: [u8; 4]) -> [u8; FRAME_BYTES] {
    let mut frame = [0; FRAME_BYTES];
    let mut rest = &mut frame[..];
    let mut put = |bytes: &[u8]| {
        let (front, behind) = core::mem::take(&mut rest).split_at_mut(bytes.len());
        front.copy_from_slice(bytes);
        rest = behind;
    };
    let ip_bytes = ((FRAME_BYTES - ETHERNET_HEAD_BYTES) as u16).to_be_bytes();
    let udp_bytes = ((UDP_HEAD_BYTES + MESSAGE_BYTES) as u16).to_be_bytes();
    put(&[255; 6]);
    put(&hardware);
    put(&[8, 0]);
    // From 0.0.0.0 to all, 64 hops, UDP; the checksum follows below.
    put(&[0x45, 0, ip_bytes[0], ip_bytes[1], 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255]);
    // Without a checksum (RFC 768).
    put(&[0, CLIENT_PORT as u8, 0, SERVER_PORT as u8, udp_bytes[0], udp_bytes[1], 0, 0]);
    // Ask for a broadcast answer: until confirmed, the address may be somebody else's.
    put(&[1, 1, 6, 0]);
    put(&transaction);
    put(&[0, 0, 0x80, 0]);
    put(&[0; 16]);
    put(&hardware);
    put(&[0; 202]);
    put(&COOKIE);
    put(&[53, 1, kind, 61, 7, 1]);
    put(&hardware);
    put(&[50, 4]);
    put(&address);
    put(&[255]);
    let head = &mut frame[ETHERNET_HEAD_BYTES..][..IP_HEAD_BYTES];
    let sum: u32 = head.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
    head[10..12].copy_from_slice(&checksum.to_be_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARDWARE: [u8; 6] = [2, 0, 0, 0, 0, 1];

    /// A server's answer, made of a question.
    fn answer(kind: u8, address: [u8; 4]) -> [u8; FRAME_BYTES] {
        let mut frame = question(kind, [1, 2, 3, 4], HARDWARE, [0; 4]);
        let message = ETHERNET_HEAD_BYTES + IP_HEAD_BYTES + UDP_HEAD_BYTES;
        frame[message - 8..message - 4].copy_from_slice(&[0, 67, 0, 68]);
        frame[message + 16..message + 20].copy_from_slice(&address);
        frame
    }

    #[test]
    fn answers_and_what_is_none() {
        let whole = answer(ACK, [10, 0, 0, 3]);
        let wanted = Answer { kind: ACK, transaction: [1, 2, 3, 4], address: [10, 0, 0, 3] };
        assert_eq!(Answer::of(&whole, HARDWARE), Some(wanted));
        assert_eq!(Answer::of(&whole, [2, 0, 0, 0, 0, 2]), None, "another's");
        assert_eq!(Answer::of(&question(REQUEST, [1; 4], HARDWARE, [10, 0, 0, 3]), HARDWARE), None, "a question");
        let kind_ends = ETHERNET_HEAD_BYTES + IP_HEAD_BYTES + UDP_HEAD_BYTES + OPTIONS_AT + 3;
        for bytes in 0..whole.len() {
            assert_eq!(
                Answer::of(&whole[..bytes], HARDWARE).is_some(),
                bytes >= kind_ends,
                "cut off after {bytes} bytes"
            );
        }
    }

    /// The sum of a head with its checksum is all ones (RFC 1071).
    #[test]
    fn a_questions_checksum() {
        let frame = question(REQUEST, [9; 4], HARDWARE, [192, 168, 1, 50]);
        let head = &frame[ETHERNET_HEAD_BYTES..][..IP_HEAD_BYTES];
        let sum: u32 = head.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }
}
