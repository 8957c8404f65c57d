//! Digest through whole connections: RFC 7616, nonces that are a connection's, counts in its session.

mod common;

use common::Visit;
use sha2::{Digest as _, Sha256};
use tenure::{
    Error, Request, Router, any,
    kit::{Client, Server},
};
use tenure_login::{Digest, Key, PasswordHash};

fn server() -> Server<Visit> {
    let digest = Digest::new("lab", Key::of([7; 32])).valid_s(60);
    let find = |user: &str| (user != "nobody").then(|| PasswordHash::new(user, "lab", "Circle of Life"));
    let own = async move |request: &mut Request<'_, Visit>| {
        let user = digest.user(request, find).await?;
        let visit = request.session_mut().ok_or(Error::internal("there is one"))?;
        visit.seen += 1;
        Ok::<_, Error>(format!("{user} {}", visit.seen))
    };
    let peek = async |request: &mut Request<'_, Visit>| request.session().map_or(0, |visit| visit.seen);
    Server::new(Router::new().route("/peek", any(peek)).route("/{*rest}", any(own)))
}

fn hex(parts: &[&str]) -> String {
    let hash = Sha256::digest(parts.join(":"));
    hash.iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

/// A request by Digest.
#[derive(Clone)]
struct Proof<'a> {
    method: &'a str,
    target: &'a str,
    uri: &'a str,
    user: &'a str,
    realm: &'a str,
    password: &'a str,
    nonce: &'a str,
    count: u32,
}

impl<'a> Proof<'a> {
    fn new(nonce: &'a str, count: u32) -> Self {
        let (user, realm, password) = ("Mufasa", "lab", "Circle of Life");
        Proof { method: "GET", target: "/a?b=c", uri: "/a?b=c", user, realm, password, nonce, count }
    }

    fn text(&self) -> String {
        let Proof { method, target, uri, user, realm, password, nonce, count } = self;
        let count = format!("{count:08x}");
        let (first, second) = (hex(&[user, realm, password]), hex(&[method, uri]));
        let response = hex(&[&first, nonce, &count, "c0", "auth", &second]);
        format!(
            "{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nAuthorization: Digest username=\"{user}\", realm=\"{realm}\", \
             uri=\"{uri}\", algorithm=SHA-256, nonce=\"{nonce}\", nc={count}, cnonce=\"c0\", qop=auth, response=\"{response}\"\r\n\r\n"
        )
    }
}

fn answer(server: &mut Server<Visit>, client: &Client, request: &str) -> String {
    client.send(request);
    server.run();
    let answer = client.received_text();
    assert!(!client.is_closed() && answer.starts_with("HTTP/1.1 "), "{request}{answer}");
    answer
}

/// The nonce of a challenge, and whether it says that the one before is stale.
fn challenge(answer: &str) -> (String, bool) {
    let begin = "\r\nWWW-Authenticate: Digest realm=\"lab\", qop=\"auth\", algorithm=SHA-256, charset=UTF-8, nonce=\"";
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let (_, rest) = answer.split_once(begin).unwrap_or_else(|| panic!("no challenge: {answer}"));
    let (nonce, rest) = rest.split_once('"').unwrap();
    let is_stale = rest.starts_with(", stale=true\r\n");
    assert!(is_stale || rest.starts_with("\r\n"), "{answer}");
    (nonce.to_owned(), is_stale)
}

fn first_nonce(server: &mut Server<Visit>, client: &Client) -> String {
    let (nonce, is_stale) = challenge(&answer(server, client, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert!(!is_stale);
    nonce
}

#[test]
fn a_right_proof_is_let_through_and_counted() {
    let mut server = server();
    let client = server.connect();
    let nonce = first_nonce(&mut server, &client);
    assert_eq!(answer(&mut server, &client, "GET /peek HTTP/1.1\r\nHost: a\r\n\r\n").rsplit("\r\n").next(), Some("0"));
    assert!(server.with_session(client.id().unwrap(), |_| ()).is_none(), "a challenge makes no session");
    for (count, seen) in [(1, 1), (2, 2), (7, 3), (u32::MAX, 4)] {
        let answer = answer(&mut server, &client, &Proof::new(&nonce, count).text());
        assert!(answer.ends_with(&format!("\r\n\r\nMufasa {seen}")), "{count}: {answer}");
    }
    // Another method and another target have other proofs.
    let (nonce, _) = challenge(&answer(&mut server, &client, &Proof::new(&nonce, u32::MAX).text()));
    server.advance(1);
    let other = Proof { method: "POST", target: "/x", uri: "/x", ..Proof::new(&nonce, 1) };
    let told = answer(&mut server, &client, &other.text());
    assert!(told.starts_with("HTTP/1.1 401 "), "the same millisecond's nonce has been counted up: {told}");
    let (nonce, _) = challenge(&told);
    let other = Proof { nonce: &nonce, ..other };
    assert!(answer(&mut server, &client, &other.text()).ends_with("\r\n\r\nMufasa 5"));
}

#[test]
fn a_count_works_once() {
    let mut server = server();
    let client = server.connect();
    let nonce = first_nonce(&mut server, &client);
    assert!(answer(&mut server, &client, &Proof::new(&nonce, 5).text()).ends_with("Mufasa 1"));
    for count in [5, 4, 1] {
        let (_, is_stale) = challenge(&answer(&mut server, &client, &Proof::new(&nonce, count).text()));
        assert!(is_stale, "{count}");
    }
    assert!(answer(&mut server, &client, &Proof::new(&nonce, 6).text()).ends_with("Mufasa 2"));
}

#[test]
fn another_sockets_nonce_is_stale() {
    let mut server = server();
    let (one, other) = (server.connect(), server.connect());
    let nonce = first_nonce(&mut server, &one);
    let (own, is_stale) = challenge(&answer(&mut server, &other, &Proof::new(&nonce, 1).text()));
    assert!(is_stale && own != nonce);
    assert!(answer(&mut server, &other, &Proof::new(&own, 1).text()).ends_with("Mufasa 1"));
    // On its own connection it counts as ever.
    assert!(answer(&mut server, &one, &Proof::new(&nonce, 1).text()).ends_with("Mufasa 1"));
    // The next connection in the same place is another one.
    one.close();
    server.run();
    let next = server.connect();
    let (_, is_stale) = challenge(&answer(&mut server, &next, &Proof::new(&nonce, 2).text()));
    assert!(is_stale);
}

#[test]
fn a_nonce_is_valid_for_a_while() {
    for (after_ms, wanted) in [(59_998, true), (59_999, true), (60_000, false), (60_001, false)] {
        let mut server = server();
        let client = server.connect();
        let nonce = first_nonce(&mut server, &client);
        // The idle deadline must not end the connection.
        for _ in 0..after_ms / 10_000 {
            server.advance(10_000);
            answer(&mut server, &client, "GET /peek HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        server.advance(after_ms % 10_000);
        let told = answer(&mut server, &client, &Proof::new(&nonce, 1).text());
        if wanted {
            assert!(told.ends_with("Mufasa 1"), "{after_ms}: {told}");
            continue;
        }
        let (new, is_stale) = challenge(&told);
        assert!(is_stale && new != nonce, "{after_ms}");
        assert!(answer(&mut server, &client, &Proof::new(&new, 1).text()).ends_with("Mufasa 1"), "{after_ms}");
        // An older one does not count beside it.
        let (_, is_stale) = challenge(&answer(&mut server, &client, &Proof::new(&nonce, 9).text()));
        assert!(is_stale);
    }
}

#[test]
fn what_is_wrong_is_no_stale_nonce() {
    let mut server = server();
    let client = server.connect();
    let nonce = first_nonce(&mut server, &client);
    let right = Proof::new(&nonce, 1);
    for wrong in [
        Proof { password: "circle of life", ..right.clone() },
        Proof { user: "nobody", ..right.clone() },
        Proof { realm: "another", ..right.clone() },
        Proof { password: "", nonce: "", ..right.clone() },
        Proof { password: "", nonce: "AAAA", ..right.clone() },
    ] {
        let (_, is_stale) = challenge(&answer(&mut server, &client, &wrong.text()));
        assert!(!is_stale, "{}", wrong.text());
    }
    for nonce in ["", "AAAA", &nonce[..26], &format!("{nonce}A"), &"A".repeat(27)] {
        let (_, is_stale) = challenge(&answer(&mut server, &client, &Proof { nonce, ..right.clone() }.text()));
        assert!(is_stale, "the password is right: {nonce}");
    }
    let elsewhere = answer(&mut server, &client, &Proof { uri: "/a", ..right.clone() }.text());
    assert!(
        elsewhere.starts_with("HTTP/1.1 400 ") && elsewhere.ends_with("uri of Digest is not the request's target\n")
    );
    let text = right.text();
    for (from, to, why) in [
        ("algorithm=SHA-256, ", "", "MD5"),
        ("nc=00000001, ", "", "nc of Digest is missing"),
        ("qop=auth,", "qop=auth, qop=auth,", "qop of Digest stands twice"),
        ("Authorization", "Authorization: Basic Og==\r\nAuthorization", "send it once"),
    ] {
        let told = answer(&mut server, &client, &text.replace(from, to));
        assert!(told.starts_with("HTTP/1.1 400 ") && told.contains(why), "{told}");
    }
    for other in ["Basic Og==", "Bearer a", "Negotiate a"] {
        let told =
            answer(&mut server, &client, &format!("GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: {other}\r\n\r\n"));
        assert!(!challenge(&told).1);
    }
    // None of that has used the count up.
    assert!(answer(&mut server, &client, &text).ends_with("Mufasa 1"));
}

#[test]
fn names_with_escapes_and_in_utf_8() {
    let mut server = server();
    let client = server.connect();
    let nonce = first_nonce(&mut server, &client);
    let of = |user: &'static str| Proof { user, ..Proof::new(&nonce, 1) }.text();
    let escaped = of("a\"b").replace("username=\"a\"b\"", r#"username="a\"b""#);
    assert!(answer(&mut server, &client, &escaped).ends_with("a\"b 1"));
    let extended = of("Jäsøn Doe").replace("username=\"Jäsøn Doe\"", "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe");
    let (_, is_stale) = challenge(&answer(&mut server, &client, &extended));
    assert!(is_stale, "it is the same count");
    let second = Proof { user: "Jäsøn Doe", ..Proof::new(&nonce, 2) }.text();
    let second = second.replace("username=\"Jäsøn Doe\"", "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe");
    assert!(answer(&mut server, &client, &second).ends_with("Jäsøn Doe 2"));
}

/// Who closes the connection behind the challenge would come with a stale nonce for ever.
#[test]
fn a_connection_that_closes_is_not_asked_again() {
    for (version, field, is_stale) in [
        ("1.1", "", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: a\r\nConnection: b , CLOSE\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let mut server = server();
        let (one, other) = (server.connect(), server.connect());
        let nonce = first_nonce(&mut server, &one);
        let text = Proof::new(&nonce, 1).text().replace("HTTP/1.1\r\n", &format!("HTTP/{version}\r\n{field}"));
        other.send(text);
        server.run();
        let told = other.received_text();
        assert_eq!(challenge(&told).1, is_stale, "{version} {field}{told}");
        assert_eq!(told.contains("a connection that stays open"), !is_stale, "{told}");
    }
}
