//! The opening handshake: RFC 6455 section 4.2. Each refusal beside its nearest acceptance.

use tenure_proto::{
    head::{HeadLimits, HeadParser},
    websocket::{Handshake, HandshakeRefusal, Origins},
};

/// The request of RFC 6455 section 1.3.
const CHAT: &str = "GET /chat HTTP/1.1
Host: server.example.com
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Origin: http://example.com
Sec-WebSocket-Protocol: chat, superchat
Sec-WebSocket-Version: 13

";
const ACCEPT: &[u8; 28] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// What is made of a head, its lines ended as they must be.
fn with_handshake<T>(text: &str, ask: impl FnOnce(&Handshake<'_>) -> T) -> Result<T, HandshakeRefusal> {
    let limits = HeadLimits { head_bytes_max: 1024, target_bytes_max: 64, tolerate_lone_lf: false };
    let bytes = text.replace('\n', "\r\n");
    let head = HeadParser::new().parse(bytes.as_bytes(), &limits);
    let head =
        head.unwrap_or_else(|refusal| panic!("{refusal:?}: {text}")).unwrap_or_else(|| panic!("partial: {text}"));
    Handshake::read(&head, bytes.as_bytes()).map(|handshake| ask(&handshake))
}

/// The request of the section, one text of it changed.
fn changed(from: &str, to: &str) -> String {
    assert!(CHAT.contains(from), "{from}");
    CHAT.replacen(from, to, 1)
}

#[test]
fn the_request_of_the_standard_is_answered_as_there() {
    let answer = with_handshake(CHAT, |handshake| (handshake.accept(), handshake.subprotocol(&["chat"])));
    assert_eq!(answer, Ok((*ACCEPT, Some("chat"))));
}

#[test]
fn each_refusal_stands_beside_its_nearest_acceptance() {
    use HandshakeRefusal::{BadKey, BadVersion, Body, ConnectionMissing, NotGet, NotHttp11, UpgradeMissing};
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n";
    for (from, taken, refused, refusal) in [
        ("GET ", "GET ", "POST ", NotGet),
        ("GET ", "GET ", "HEAD ", NotGet),
        ("HTTP/1.1", "HTTP/1.2", "HTTP/1.0", NotHttp11),
        ("Origin", "Content-Length: 0\nOrigin", "Content-Length: 1\nOrigin", Body),
        ("Origin", "TE: chunked\nOrigin", "Transfer-Encoding: chunked\nOrigin", Body),
        ("Upgrade: websocket\n", "uPGRADE: WebSocket\n", "Upgrade: websockets\n", UpgradeMissing),
        ("Upgrade: websocket\n", "Upgrade: h2c, ,websocket\n", "Upgrade: h2c websocket\n", UpgradeMissing),
        ("Upgrade: websocket\n", "Upgrade: h2c\nUpgrade: websocket\n", "Upgrade: h2c\n", UpgradeMissing),
        ("Upgrade: websocket\n", "Upgrade: websocket, h2c\n", "", UpgradeMissing),
        ("Upgrade: websocket\n", "Upgrade:websocket\t\n", "Upgrade: websocket/13\n", UpgradeMissing),
        ("Connection: Upgrade\n", "Connection: keep-alive, uPGRADE\n", "Connection: keep-alive\n", ConnectionMissing),
        ("Connection: Upgrade\n", "Connection: a\nConnection: upgrade\n", "Connection: upgraded\n", ConnectionMissing),
        ("Connection: Upgrade\n", "Connection: ,Upgrade,\n", "", ConnectionMissing),
        ("Version: 13", "Version: \t13 ", "Version: 8", BadVersion),
        ("Version: 13", "Version: 13", "Version: 013", BadVersion),
        ("Version: 13", "Version: 13", "Version: 13, 8", BadVersion),
        ("Version: 13", "Version: 13", "Version: 13\nSec-WebSocket-Version: 13", BadVersion),
        ("Sec-WebSocket-Version: 13\n", "sec-websocket-version: 13\n", "", BadVersion),
        ("ZQ==", "ZR==", "ZQ=", BadKey),
        ("ZQ==", "++==", "Z_==", BadKey),
        ("ZQ==", "//==", "ZQA=", BadKey),
        ("ZQ==", "ZQ== ", "ZQ==a", BadKey),
        ("ZQ==", "ZQ==", "", BadKey),
        (key, key, "", BadKey),
        (key, key, &key.repeat(2), BadKey),
    ] {
        let good = changed(from, taken);
        assert_eq!(with_handshake(&good, |_| ()), Ok(()), "{good}");
        let bad = changed(from, refused);
        assert_eq!(with_handshake(&bad, |_| ()), Err(refusal), "{bad}");
    }
}

#[test]
fn refusals_say_what_to_do() {
    for (refusal, status, reason) in [
        (HandshakeRefusal::NotGet, 400, "GET"),
        (HandshakeRefusal::NotHttp11, 400, "HTTP/1.1"),
        (HandshakeRefusal::Body, 400, "body"),
        (HandshakeRefusal::UpgradeMissing, 426, "Upgrade: websocket"),
        (HandshakeRefusal::ConnectionMissing, 400, "Connection: Upgrade"),
        (HandshakeRefusal::BadVersion, 426, "Sec-WebSocket-Version: 13"),
        (HandshakeRefusal::BadKey, 400, "Sec-WebSocket-Key"),
        (HandshakeRefusal::OriginNotAllowed, 403, "origin"),
    ] {
        assert_eq!(refusal.status().code(), status, "{refusal:?}");
        assert!(refusal.reason().contains(reason), "{refusal:?}: {}", refusal.reason());
        // RFC 9110 section 15.5.22: 426 must have Upgrade; RFC 6455 section 4.4: the version that is spoken.
        let names: Vec<_> = refusal.fields().iter().map(|(name, _)| *name).collect();
        let wanted: &[&str] = if status == 426 { &["Connection", "Upgrade", "Sec-WebSocket-Version"] } else { &[] };
        assert_eq!(names, wanted, "{refusal:?}");
    }
    assert_eq!(HandshakeRefusal::ALL.len(), 8);
}

#[test]
fn the_first_of_the_servers_subprotocols_that_is_offered_is_chosen() {
    for (offered, known, wanted) in [
        ("chat, superchat", &["chat"][..], Some("chat")),
        ("chat, superchat", &["superchat", "chat"], Some("superchat")),
        ("chat, superchat", &["v2", "superchat"], Some("superchat")),
        ("chat,\tsuperchat ,", &["superchat"], Some("superchat")),
        ("chat\nSec-WebSocket-Protocol: superchat", &["superchat"], Some("superchat")),
        // Case matters, and a part is not the whole.
        ("chat, superchat", &["Chat"], None),
        ("chat, superchat", &["super"], None),
        ("chat superchat", &["chat"], None),
        ("chat, superchat", &["v2"], None),
        ("chat, superchat", &[], None),
        ("", &[""], None),
    ] {
        let text = changed("chat, superchat", offered);
        assert_eq!(with_handshake(&text, |handshake| handshake.subprotocol(known)), Ok(wanted), "{text}{known:?}");
    }
    let none = changed("Sec-WebSocket-Protocol: chat, superchat\n", "");
    assert_eq!(with_handshake(&none, |handshake| handshake.subprotocol(&["chat"])), Ok(None));
    let offered = with_handshake(CHAT, |handshake| handshake.subprotocols().map(<[u8]>::to_vec).collect::<Vec<_>>());
    assert_eq!(offered, Ok(vec![b"chat".to_vec(), b"superchat".to_vec()]));
}

#[test]
fn extensions_are_not_looked_at() {
    let text = changed("Origin", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\nOrigin");
    assert_eq!(with_handshake(&text, |handshake| handshake.accept() == *ACCEPT), Ok(true));
}

#[test]
fn pages_of_other_origins_are_refused() {
    const LISTED: Origins<'_> = Origins::SameOr(&["https://a.example", "null", "app://local"]);
    const SAME: Origins<'_> = Origins::SameOr(&[]);
    for (host, origin, allowed, wanted) in [
        ("a", "Origin: http://a", SAME, true),
        ("a", "Origin: https://a", SAME, true),
        ("a", "Origin: HTTP://A", SAME, true),
        ("a", "Origin: http://b", SAME, false),
        ("a", "Origin: http://a.b", SAME, false),
        ("a.b", "Origin: http://b", SAME, false),
        ("a", "Origin: ftp://a", SAME, false),
        ("a", "Origin: a", SAME, false),
        ("a", "Origin: http://", SAME, false),
        ("", "Origin: http://", SAME, false),
        ("a", "Origin: null", SAME, false),
        ("a", "Origin:", SAME, false),
        ("a", "Origin: http://a http://b", SAME, false),
        ("a", "Origin: http://a\nOrigin: http://a", SAME, false),
        ("a", "Accept: b", SAME, true),
        // Ports.
        ("a:8080", "Origin: http://a:8080", SAME, true),
        ("a:8080", "Origin: http://a", SAME, false),
        ("a", "Origin: http://a:8080", SAME, false),
        ("a:80", "Origin: http://a", SAME, true),
        ("a", "Origin: http://a:80", SAME, true),
        ("a:443", "Origin: https://a", SAME, true),
        ("a:443", "Origin: http://a", SAME, false),
        ("a", "Origin: https://a:80", SAME, false),
        ("[::1]:8080", "Origin: http://[::1]:8080", SAME, true),
        ("[::1]", "Origin: http://[::80]", SAME, false),
        // A list.
        ("a", "Origin: https://a.example", LISTED, true),
        ("a", "Origin: HTTPS://A.example", LISTED, true),
        ("a", "Origin: http://a.example", LISTED, false),
        ("a", "Origin: https://a.example.org", LISTED, false),
        ("a", "Origin: null", LISTED, true),
        ("a", "Origin: app://local", LISTED, true),
        ("a", "Origin: http://a", LISTED, true),
        ("a", "Origin: http://b", Origins::Any, true),
        ("a", "Origin: null", Origins::Any, true),
    ] {
        let text = changed("Host: server.example.com", &format!("Host: {host}"));
        let text = text.replace("Origin: http://example.com", origin);
        let told = with_handshake(&text, |handshake| handshake.check_origin(&allowed));
        let wanted = if wanted { Ok(()) } else { Err(HandshakeRefusal::OriginNotAllowed) };
        assert_eq!(told, Ok(wanted), "{host:?} {origin:?} {allowed:?}");
    }
}

/// RFC 9112 section 3.2.2: what a target says of the host wins over Host.
#[test]
fn the_host_of_an_absolute_target_is_the_one_that_counts() {
    for (target, origin, wanted) in [
        ("http://a/chat", "http://a", true),
        ("http://a:81?b/c", "http://a:81", true),
        ("http://a", "http://a", true),
        ("http://b/a", "http://a", false),
        ("http://a/chat", "http://server.example.com", false),
        ("/chat", "http://server.example.com", true),
    ] {
        let text = changed("/chat", target).replace("http://example.com", origin);
        let told = with_handshake(&text, |handshake| handshake.check_origin(&Origins::SameOr(&[])).is_ok());
        assert_eq!(told, Ok(wanted), "{target} {origin}");
    }
}
