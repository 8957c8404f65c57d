//! The frames of a guest's network, as QEMU has captured them (pcap, <https://www.ietf.org/archive/id/draft-gharris-opsawg-pcap-01.html>).

use core::fmt;

const FILE_HEAD: usize = 24;
const FRAME_HEAD: usize = 16;
const ETHERNET_HEAD: usize = 14;
const IPV4: [u8; 2] = [0x08, 0x00];
const TCP: u8 = 6;
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
/// The guest is in 10.0.2.0/24; its gateway, which is QEMU, is number 2 there.
const NETWORK: [u8; 3] = [10, 0, 2];
const GATEWAY: u8 = 2;

/// A TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    is_of_guest: bool,
    /// The port at QEMU's side: it tells connections apart.
    pub(crate) port: u16,
    sequence: u32,
    acknowledged: u32,
    flags: u8,
}

impl Segment {
    /// Whether a connection begins with it.
    pub(crate) fn begins(self) -> bool {
        !self.is_of_guest && self.flags & SYN != 0
    }

    /// Whether the guest ends a connection with it, or refuses one.
    pub(crate) fn is_reset_of_guest(self) -> bool {
        self.is_of_guest && self.flags & RST != 0
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_of_guest { "guest:" } else { "QEMU: " })?;
        for (flag, name) in [(SYN, " SYN"), (FIN, " FIN"), (RST, " RST")] {
            f.write_str(if self.flags & flag == 0 { "" } else { name })?;
        }
        write!(f, " {} acknowledges {}, port {}", self.sequence, self.acknowledged, self.port)
    }
}

/// The TCP segments in a capture; what QEMU has not yet written whole ends it.
pub(crate) fn segments(mut capture: &[u8]) -> impl Iterator<Item = Segment> {
    capture = capture.get(FILE_HEAD..).unwrap_or_default();
    core::iter::from_fn(move || {
        loop {
            let (head, rest) = capture.split_at_checked(FRAME_HEAD)?;
            let bytes = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
            let (frame, rest) = rest.split_at_checked(bytes as usize)?;
            capture = rest;
            if let Some(segment) = segment(frame) {
                return Some(segment);
            }
        }
    })
}

fn segment(frame: &[u8]) -> Option<Segment> {
    let (ethernet, packet) = frame.split_at_checked(ETHERNET_HEAD)?;
    if !ethernet.ends_with(&IPV4) || *packet.get(9)? != TCP {
        return None;
    }
    let source = packet.get(12..16)?;
    let segment = packet.get(usize::from(packet[0] & 0x0f) * 4..)?;
    let number = |at: usize| Some(u32::from_be_bytes(segment.get(at..at + 4)?.try_into().ok()?));
    let is_of_guest = source.starts_with(&NETWORK) && source[3] != GATEWAY;
    let ports = number(0)?;
    Some(Segment {
        is_of_guest,
        port: (if is_of_guest { ports } else { ports >> 16 }) as u16,
        sequence: number(4)?,
        acknowledged: number(8)?,
        flags: *segment.get(13)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A captured frame: its protocol, who sent it, its sequence number and TCP flags.
    fn frame(protocol: u8, host: u8, sequence: u8, flags: u8) -> Vec<u8> {
        let mut frame = [&[0; 12][..], &IPV4].concat();
        frame.extend([0x45, 0, 0, 40, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 2, host, 10, 0, 2, 2]);
        frame.extend([0, 80, 0, 99, 0, 0, 0, sequence, 0, 0, 0, 7, 0x50, flags, 0, 0, 0, 0, 0, 0]);
        let mut captured = vec![0; 8];
        captured.extend((frame.len() as u32).to_le_bytes().repeat(2));
        captured.extend(frame);
        captured
    }

    #[test]
    fn resets_of_the_guest_and_of_others() {
        let mut capture = vec![0; FILE_HEAD];
        let frames = [(TCP, 15, 0, 0x14), (TCP, 15, 5, 0x12), (TCP, 2, 0, 0x02), (TCP, 2, 0, 0x14), (17, 15, 0, 0x14)];
        for (protocol, host, sequence, flags) in frames {
            capture.extend(frame(protocol, host, sequence, flags));
        }
        let told: Vec<_> =
            segments(&capture).map(|segment| (segment.port, segment.begins(), segment.is_reset_of_guest())).collect();
        assert_eq!(told, [(99, false, true), (99, false, false), (80, true, false), (80, false, false)]);
        assert_eq!(
            segments(&capture).map(|segment| segment.to_string()).collect::<Vec<_>>(),
            [
                "guest: RST 0 acknowledges 7, port 99",
                "guest: SYN 5 acknowledges 7, port 99",
                "QEMU:  SYN 0 acknowledges 7, port 80",
                "QEMU:  RST 0 acknowledges 7, port 80",
            ]
        );
        // The last frame is not whole yet, or cannot be one.
        for bytes in [0, 23, 24, 39, 40, capture.len() - 1] {
            assert!(segments(&capture[..bytes]).count() <= 4, "{bytes} bytes");
        }
        assert_eq!(segments(&capture[..FILE_HEAD + 16 + 54]).count(), 1);
        assert_eq!(segments(&capture[..FILE_HEAD + 16 + 53]).count(), 0);
    }
}
