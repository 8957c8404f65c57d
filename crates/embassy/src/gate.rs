//! A network device that drops SYNs while no socket listens, so that clients send them again. The stack would reset them.

use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken};

use crate::{handle::Bell, used};

/// What a [`SynGate`] needs of a server: its port, and how many of its sockets listen.
#[derive(Clone, Copy)]
pub struct Listening {
    bell: &'static Bell,
    port: u16,
}

impl Listening {
    pub(crate) fn of(bell: &'static Bell, port: u16) -> Self {
        used::SYN_GATE.set(true);
        Listening { bell, port }
    }

    /// Whether to pass that frame to the stack.
    fn admits(self, frame: &[u8]) -> bool {
        !opens_connection(frame, self.port) || self.bell.admit()
    }
}

impl core::fmt::Debug for Listening {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Listening({})", self.port)
    }
}

/// A device that drops a SYN to a server's port while none of its sockets listens: the client sends it again, mostly after a
/// second, and connects as soon as a socket is free.
///
/// The stack has no backlog and answers such a SYN with a reset, which to clients means that no server runs. While the server does
/// not run, or stops, every frame passes. All other frames always pass; a SYN is recognised over IPv4 and IPv6 in Ethernet frames.
///
/// ```no_run
/// # use embassy_net_driver::Driver;
/// # use tenure_embassy::{Memory, Server, Settings, SynGate};
/// # fn start(device: impl Driver, memory: &'static mut Memory<(), 7, 2, 9>) {
/// let server: Server<(), 7, 2, 9, 1_460> = Server::new(memory, Settings::at(80));
/// let device = SynGate::new(device, server.listening());
/// // embassy_net::new(device, …), and the server runs on that stack.
/// # }
/// ```
#[derive(Debug)]
pub struct SynGate<D> {
    driver: D,
    listening: Listening,
}

impl<D> SynGate<D> {
    /// The device, and the server that runs on its stack; see [`Server::listening`](crate::Server::listening).
    pub fn new(driver: D, listening: Listening) -> Self {
        SynGate { driver, listening }
    }
}

impl<D: Driver> Driver for SynGate<D> {
    type RxToken<'a>
        = Screened<D::RxToken<'a>>
    where
        Self: 'a;
    type TxToken<'a>
        = D::TxToken<'a>
    where
        Self: 'a;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let (frame, room) = self.driver.receive(context)?;
        Some((Screened { frame, listening: self.listening }, room))
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Self::TxToken<'_>> {
        self.driver.transmit(context)
    }

    fn link_state(&mut self, context: &mut Context<'_>) -> LinkState {
        self.driver.link_state(context)
    }

    fn capabilities(&self) -> Capabilities {
        self.driver.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.driver.hardware_address()
    }
}

/// A frame that reaches the stack only if the gate admits it.
#[derive(Debug)]
pub struct Screened<R> {
    frame: R,
    listening: Listening,
}

impl<R: RxToken> RxToken for Screened<R> {
    fn consume<T, F: FnOnce(&mut [u8]) -> T>(self, read: F) -> T {
        let Screened { frame, listening } = self;
        // The stack ignores an empty frame.
        frame.consume(|bytes| if listening.admits(bytes) { read(bytes) } else { read(&mut []) })
    }
}

const ETHERNET_HEAD_BYTES: usize = 14;
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const TCP: u8 = 6;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// Whether an Ethernet frame carries the first segment of a connection to that port: SYN without ACK (RFC 9293 section 3.5).
/// Whatever is malformed does not.
///
/// Never panics.
fn opens_connection(frame: &[u8], port: u16) -> bool {
    let Some(&[_, _, to_high, to_low, .., flags, _, _, _, _, _, _]) = tcp(frame).and_then(<[u8]>::first_chunk::<20>)
    else {
        return false;
    };
    u16::from_be_bytes([to_high, to_low]) == port && flags & (SYN | ACK | RST) == SYN
}

/// The TCP segment in an Ethernet frame: behind an IPv4 head with its options, where the packet is no later fragment (RFC 791
/// section 3.1), or right behind an IPv6 head (RFC 8200 section 3).
fn tcp(frame: &[u8]) -> Option<&[u8]> {
    let (ethernet, packet) = frame.split_first_chunk::<ETHERNET_HEAD_BYTES>()?;
    match [ethernet[12], ethernet[13]] {
        IPV4 => {
            let head = packet.first_chunk::<20>()?;
            let (version, words) = (head[0] >> 4, usize::from(head[0] & 0x0f));
            let offset = u16::from_be_bytes([head[6], head[7]]) & 0x1fff;
            if version == 4 && words >= 5 && head[9] == TCP && offset == 0 { packet.get(4 * words..) } else { None }
        }
        IPV6 => {
            let (head, segment) = packet.split_first_chunk::<40>()?;
            (head[0] >> 4 == 6 && head[6] == TCP).then_some(segment)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: u16 = 80;

    /// A frame around a segment to that port, with those flags, and the length of its heads.
    fn frame(ethertype: [u8; 2], ip_head: &[u8], port: u16, flags: u8) -> ([u8; 100], usize) {
        let mut frame = [0; 100];
        frame[12..14].copy_from_slice(&ethertype);
        let at = ETHERNET_HEAD_BYTES + ip_head.len();
        frame[ETHERNET_HEAD_BYTES..at].copy_from_slice(ip_head);
        frame[at + 2..at + 4].copy_from_slice(&port.to_be_bytes());
        frame[at + 13] = flags;
        (frame, at + 20)
    }

    /// An IPv4 head of so many bytes, which its first byte may tell otherwise.
    fn four<const BYTES: usize>(first: u8, fragment: u16, protocol: u8) -> [u8; BYTES] {
        let mut head = [0; BYTES];
        (head[0], head[9]) = (first, protocol);
        head[6..8].copy_from_slice(&fragment.to_be_bytes());
        head
    }

    fn six(first: u8, next: u8) -> [u8; 40] {
        let mut head = [0; 40];
        (head[0], head[6]) = (first, next);
        head
    }

    #[test]
    fn only_what_opens_a_connection_to_the_port() {
        let plain = four::<20>(0x45, 0, TCP);
        let cases: &[(&str, [u8; 2], &[u8], u16, u8, bool)] = &[
            ("SYN", IPV4, &plain, PORT, SYN, true),
            ("SYN that asks for ECN", IPV4, &plain, PORT, SYN | 0xc0, true),
            ("don't fragment", IPV4, &four::<20>(0x45, 0x4000, TCP), PORT, SYN, true),
            ("first fragment", IPV4, &four::<20>(0x45, 0x2000, TCP), PORT, SYN, true),
            ("later fragment", IPV4, &four::<20>(0x45, 1, TCP), PORT, SYN, false),
            ("options", IPV4, &four::<24>(0x46, 0, TCP), PORT, SYN, true),
            ("all options", IPV4, &four::<60>(0x4f, 0, TCP), PORT, SYN, true),
            ("head too short", IPV4, &four::<20>(0x44, 0, TCP), PORT, SYN, false),
            ("another version", IPV4, &four::<20>(0x65, 0, TCP), PORT, SYN, false),
            ("UDP", IPV4, &four::<20>(0x45, 0, 17), PORT, SYN, false),
            ("SYN and ACK", IPV4, &plain, PORT, SYN | ACK, false),
            ("SYN and RST", IPV4, &plain, PORT, SYN | RST, false),
            ("ACK", IPV4, &plain, PORT, ACK, false),
            ("another port", IPV4, &plain, PORT + 1, SYN, false),
            ("no IP", [0x08, 0x06], &plain, PORT, SYN, false),
            ("SYN, IPv6", IPV6, &six(0x60, TCP), PORT, SYN, true),
            ("SYN and ACK, IPv6", IPV6, &six(0x60, TCP), PORT, SYN | ACK, false),
            ("another port, IPv6", IPV6, &six(0x60, TCP), PORT + 1, SYN, false),
            ("UDP, IPv6", IPV6, &six(0x60, 17), PORT, SYN, false),
            ("another version, IPv6", IPV6, &six(0x40, TCP), PORT, SYN, false),
        ];
        for (name, ethertype, ip_head, port, flags, opens) in cases {
            let (frame, whole) = frame(*ethertype, ip_head, *port, *flags);
            assert_eq!(opens_connection(&frame[..whole], PORT), *opens, "{name}");
            for bytes in 0..whole {
                assert!(!opens_connection(&frame[..bytes], PORT), "{name}, cut off after {bytes} bytes");
            }
        }
    }
}
