//! A client's side: the answer to its handshake (RFC 6455 section 4.1), and its frames.

use super::{WIDE, events, frame, visible};
use tenure_proto::websocket::{
    Close, CloseCode, Mask, Opcode,
    client::{self, AnswerFault, Key},
    frame::CONTROL_BYTES_MAX,
};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The answer of RFC 6455 section 1.3, without its subprotocol.
const ANSWER: &str = "101
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
";

/// What is made of an answer: its status, then its fields.
fn checked<'s>(text: &str, offered: &[&'s str]) -> Result<Option<&'s str>, AnswerFault> {
    let (status, fields) = text.split_once('\n').unwrap();
    let fields = fields.lines().map(|line| line.split_once(':').unwrap());
    let fields = fields.map(|(name, value)| (name, value.trim().as_bytes()));
    Key::new(*b"the sample nonce").check(status.parse().unwrap(), fields, offered)
}

#[test]
fn the_answer_of_the_standard_fits_its_key() {
    let key = Key::new(*b"the sample nonce");
    assert_eq!(key.as_str(), "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(&key.accept(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let answer = format!("{ANSWER}Sec-WebSocket-Protocol: chat\n");
    assert_eq!(checked(&answer, &["superchat", "chat"]), Ok(Some("chat")));
    assert_eq!(checked(ANSWER, &["chat"]), Ok(None));
}

#[test]
fn each_fault_stands_beside_its_nearest_acceptance() {
    use AnswerFault::{
        BadAccept, ConnectionMissing, NotSwitching, UnknownExtension, UnknownSubprotocol, UpgradeMissing,
    };
    let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n";
    for (from, taken, refused, fault) in [
        ("101", "101", "200", NotSwitching),
        ("101", "101", "100", NotSwitching),
        ("Upgrade: websocket\n", "uPGRADE: WebSocket\n", "Upgrade: websockets\n", UpgradeMissing),
        ("Upgrade: websocket\n", "Upgrade: websocket\n", "Upgrade: websocket\nUpgrade: h2c\n", UpgradeMissing),
        ("Upgrade: websocket\n", "Upgrade:websocket\n", "", UpgradeMissing),
        ("Connection: Upgrade\n", "Connection: keep-alive, uPGRADE\n", "Connection: keep-alive\n", ConnectionMissing),
        ("Connection: Upgrade\n", "Connection: a\nConnection: upgrade\n", "", ConnectionMissing),
        ("xOo=", "xOo=", "xOo", BadAccept),
        ("xOo=", "xOo= ", "xoo=", BadAccept),
        (accept, "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n", "", BadAccept),
        (accept, accept, &accept.repeat(2), BadAccept),
        (
            accept,
            &format!("{accept}Sec-WebSocket-Extensions:\n"),
            &format!("{accept}Sec-WebSocket-Extensions: permessage-deflate\n"),
            UnknownExtension,
        ),
        (
            accept,
            &format!("{accept}Sec-WebSocket-Protocol: chat\n"),
            &format!("{accept}Sec-WebSocket-Protocol: Chat\n"),
            UnknownSubprotocol,
        ),
        (
            accept,
            &format!("{accept}Sec-WebSocket-Protocol: chat,\n"),
            &format!("{accept}Sec-WebSocket-Protocol: chat, chat\n"),
            UnknownSubprotocol,
        ),
    ] {
        assert!(ANSWER.contains(from), "{from}");
        let good = ANSWER.replacen(from, taken, 1);
        assert!(checked(&good, &["chat"]).is_ok(), "{good}");
        let bad = ANSWER.replacen(from, refused, 1);
        assert_eq!(checked(&bad, &["chat"]), Err(fault), "{bad}");
    }
    for fault in AnswerFault::ALL {
        assert!(!fault.reason().is_empty(), "{fault:?}");
    }
    assert!(AnswerFault::UnknownSubprotocol.reason().starts_with("Sec-WebSocket-Protocol "));
}

#[test]
fn frames_are_read_as_they_were_meant() {
    for length in [0, 1, 4, 5, 125, 126, 65_535, 65_536] {
        let mut payload: Vec<u8> = (0..length).map(|index: u32| index as u8).collect();
        let wanted = format!("binary \"{}\"", visible(&payload));
        let mut bytes = client::head(Opcode::Binary, true, length.into(), KEY).as_bytes().to_vec();
        Mask::new(KEY).apply(&mut payload);
        bytes.extend(&payload);
        assert_eq!(events([&bytes[..]], &WIDE), [wanted], "{length}");
    }
    assert_eq!(client::head(Opcode::Text, false, 3, KEY).as_bytes(), [&[0x01, 0x83][..], &KEY].concat());
    let longest = client::head(Opcode::Text, true, u64::MAX, KEY);
    assert_eq!(longest.as_bytes()[..3], [0x81, 0xff, 0x7f]);
}

#[test]
fn control_frames_have_125_bytes_at_most() {
    for length in [0, 1, 3, 4, 5, 125, 126] {
        let payload = &[b'p'; 126][..length];
        for (first, made) in [(0x89, client::ping(payload, KEY)), (0x8a, client::pong(payload, KEY))] {
            assert_eq!(made.is_some(), length <= CONTROL_BYTES_MAX, "{length}");
            if let Some(made) = made {
                assert_eq!(made.as_bytes(), frame(first, payload, KEY), "{length}");
            }
        }
    }
}

#[test]
fn a_close_frame_says_what_a_servers_says() {
    let long = "a".repeat(200);
    for (code, reason) in [(None, ""), (Some(1000), ""), (Some(3000), "bye"), (Some(1001), &*long)] {
        let close = Close { code: code.and_then(CloseCode::new), reason };
        let made = client::close(&close, KEY);
        assert_eq!(made.as_bytes(), frame(0x88, &close.frame().as_bytes()[2..], KEY), "{close:?}");
    }
}
