//! The frames of a guest's network, as QEMU has captured them (pcap, <https://www.ietf.org/archive/id/draft-gharris-opsawg-pcap-01.html>).

const FILE_HEAD: usize = 24;
const FRAME_HEAD: usize = 16;
const ETHERNET_HEAD: usize = 14;
const IPV4: [u8; 2] = [0x08, 0x00];
const TCP: u8 = 6;
const RST: u8 = 0x04;
/// The guest is in 10.0.2.0/24; its gateway, which is QEMU, is number 2 there.
const NETWORK: [u8; 3] = [10, 0, 2];
const GATEWAY: u8 = 2;

/// A TCP segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) is_of_guest: bool,
    pub(crate) resets: bool,
}

/// The TCP segments in a capture; what QEMU has not yet written whole ends it.
pub(crate) fn segments(mut capture: &[u8]) -> impl Iterator<Item = Segment> {
    capture = capture.get(FILE_HEAD..).unwrap_or_default();
    core::iter::from_fn(move || {
        loop {
            let (head, rest) = capture.split_at_checked(FRAME_HEAD)?;
            let octets = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
            let (frame, rest) = rest.split_at_checked(octets as usize)?;
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
    let head = usize::from(packet[0] & 0x0f) * 4;
    let flags = packet.get(head + 13)?;
    let is_of_guest = source.starts_with(&NETWORK) && source[3] != GATEWAY;
    Some(Segment { is_of_guest, resets: flags & RST != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A captured frame: its protocol, who sent it, its TCP flags.
    fn frame(protocol: u8, host: u8, flags: u8) -> Vec<u8> {
        let mut frame = [&[0; 12][..], &IPV4].concat();
        frame.extend([0x45, 0, 0, 40, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 2, host, 10, 0, 2, 2]);
        frame.extend([&[0; 13][..], &[flags], &[0; 6]].concat());
        let mut captured = vec![0; 8];
        captured.extend((frame.len() as u32).to_le_bytes().repeat(2));
        captured.extend(frame);
        captured
    }

    #[test]
    fn resets_of_the_guest_and_of_others() {
        let mut capture = vec![0; FILE_HEAD];
        for (protocol, host, flags) in [(TCP, 15, 0x14), (TCP, 15, 0x10), (TCP, 2, 0x14), (17, 15, 0x14)] {
            capture.extend(frame(protocol, host, flags));
        }
        let told = [(true, true), (true, false), (false, true)];
        let wanted = told.map(|(is_of_guest, resets)| Segment { is_of_guest, resets });
        assert_eq!(segments(&capture).collect::<Vec<_>>(), wanted);
        // The last frame is not whole yet, or cannot be one.
        for octets in [0, 23, 24, 39, 40, capture.len() - 1] {
            assert!(segments(&capture[..octets]).count() <= 3, "{octets} octets");
        }
        assert_eq!(segments(&capture[..FILE_HEAD + 16 + 54]).count(), 1);
        assert_eq!(segments(&capture[..FILE_HEAD + 16 + 53]).count(), 0);
    }
}
