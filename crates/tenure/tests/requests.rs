//! What a request tells of its head, and for how long that stays valid.

mod support;

use std::fmt::Write as _;
use support::{every_way, feed, get, request, responses, text};
use tenure::{
    Error, Method, Request, Router, Version, any,
    kit::{Server, Settings},
    post,
};

/// Runs `probe` on one request and gives what it says, the request fed in every way.
#[track_caller]
fn probed(bytes: &str, probe: fn(&Request<'_, ()>) -> String) -> String {
    let app = move || {
        let tell = async move |request: &mut Request<'_, ()>| probe(request);
        Router::new().nest("/", any(tell))
    };
    let response = every_way(app, Settings::default(), bytes).response();
    assert_eq!(response.status, 200, "{bytes:?}: {response:?}");
    response.text().to_owned()
}

fn head(line: &str, fields: &str) -> String {
    format!("{line}\r\n{fields}\r\n")
}

#[test]
fn method_version_target_path_and_query() {
    for (line, fields, wanted) in [
        ("GET / HTTP/1.1", "Host: a\r\n", "GET Get Http11 / / None"),
        ("POST /a?b=c HTTP/1.1", "Host: a\r\n", "POST Post Http11 /a?b=c /a Some(\"b=c\")"),
        ("PUT /a? HTTP/1.0", "", "PUT Put Http10 /a? /a Some(\"\")"),
        ("DELETE /a%20b/?c?d HTTP/1.2", "Host: a\r\n", "DELETE Delete Http11 /a%20b/?c?d /a%20b/ Some(\"c?d\")"),
        ("PATCH //a HTTP/1.1", "Host: a\r\n", "PATCH Patch Http11 //a //a None"),
        ("TRACE /a HTTP/1.1", "Host: a\r\n", "TRACE Trace Http11 /a /a None"),
        ("PURGE /a HTTP/1.1", "Host: a\r\n", "PURGE Other Http11 /a /a None"),
        ("get /a HTTP/1.1", "Host: a\r\n", "get Other Http11 /a /a None"),
        ("GET http://b:1/x?y HTTP/1.1", "Host: b\r\n", "GET Get Http11 http://b:1/x?y /x Some(\"y\")"),
        ("GET http://b?y=/z HTTP/1.1", "Host: b\r\n", "GET Get Http11 http://b?y=/z / Some(\"y=/z\")"),
        ("GET http://b HTTP/1.1", "Host: b\r\n", "GET Get Http11 http://b / None"),
    ] {
        let found = probed(&head(line, fields), |request| {
            format!(
                "{} {:?} {:?} {} {} {:?}",
                request.method_token(),
                request.method(),
                request.version(),
                request.target(),
                request.path(),
                request.query()
            )
        });
        assert_eq!(found, wanted, "{line}");
    }
}

#[test]
fn queries_are_split_into_pairs_and_decoded() {
    for (target, wanted) in [
        ("/", ""),
        ("/?", ""),
        ("/?a", "a= "),
        ("/?a=1&b=2", "a=1 b=2 "),
        ("/?a=1&&b=2&", "a=1 b=2 "),
        ("/?a=b=c", "a=b=c "),
        ("/?a+b=c+d", "a b=c d "),
        ("/?%61=%2B%26%3D%20", "a=+&=  "),
        ("/?sum=%C3%A9", "sum=\u{e9} "),
        ("/?a=%ff", "a=the decoded text is not UTF-8 "),
    ] {
        let found = probed(&get(target), |request| {
            let mut said = String::new();
            for (name, value) in request.query_pairs() {
                let mut space = ([0; 64], [0; 64]);
                let value = value.decode(&mut space.1).map_or_else(|error| error.to_string(), str::to_owned);
                let _ = write!(said, "{}={value} ", name.decode(&mut space.0).unwrap());
            }
            said
        });
        assert_eq!(found, wanted, "{target}");
    }
}

#[test]
fn a_query_value_is_found_by_its_decoded_name() {
    for (target, wanted) in [
        ("/?n=5", "Some(Ok(5))"),
        ("/?m=1&n=-7&n=8", "Some(Ok(-7))"),
        ("/?%6E=+5", "Some(Err(Value))"),
        ("/?n=%35", "Some(Ok(5))"),
        ("/?nn=5", "None"),
        ("/?N=5", "None"),
        ("/n=5", "None"),
    ] {
        let found =
            probed(&get(target), |request| format!("{:?}", request.query_value("n").map(|value| value.parse::<i64>())));
        assert_eq!(found, wanted, "{target}");
    }
}

#[test]
fn fields_are_found_in_any_case_without_surrounding_blanks() {
    for (line, wanted) in [
        ("Header2: value\r\n", "Some(\"value\")"),
        ("hEADER2:value\r\n", "Some(\"value\")"),
        ("Header2: \t padded \t \r\n", "Some(\"padded\")"),
        ("Header2: a  b\r\n", "Some(\"a  b\")"),
        ("Header2:\r\n", "Some(\"\")"),
        ("Header2:  \t\r\n", "Some(\"\")"),
        ("Header2: one\r\nheader2: two\r\n", "Some(\"one\")"),
        ("Header2: caf\u{e9}\r\n", "Some(\"caf\u{e9}\")"),
        ("Header22: value\r\nHeader: value\r\n", "None"),
    ] {
        let found = probed(&request("GET", "/", line, ""), |request| format!("{:?}", request.field("Header2")));
        assert_eq!(found, wanted, "{line:?}");
    }
    let all = probed(&request("GET", "/", "X: 1\r\ny:2 \r\nX: 3\r\n", ""), |request| {
        request.fields().fold(String::new(), |said, (name, value)| said + &format!("{name}={} ", value.escape_ascii()))
    });
    assert_eq!(all, "Host=a X=1 y=2 X=3 ");
}

#[test]
fn a_field_that_is_not_text_is_told_as_bytes_only() {
    let app = || {
        let tell = async |request: &mut Request<'_, ()>| {
            assert_eq!(request.field("x"), None);
            request.fields().first("x").map(<[u8]>::to_vec)
        };
        Router::new().route("/", any(tell))
    };
    let answers = every_way(app, Settings::default(), b"GET / HTTP/1.1\r\nHost: a\r\nX: \xff\xfe\r\n\r\n");
    assert_eq!(answers.response().body, b"\xff\xfe");
}

#[test]
fn cookies() {
    for (lines, wanted) in [
        ("", "None: "),
        ("Cookie: sid=1\r\n", "Some(\"1\"): sid=1;"),
        ("cookie: a=b; sid=\"1 2\"; sid=3\r\n", "Some(\"1 2\"): a=b;sid=1 2;sid=3;"),
        ("Cookie: a=b\r\nCookie: sid=4\r\n", "Some(\"4\"): a=b;sid=4;"),
        ("Cookie: SID=5\r\n", "None: SID=5;"),
    ] {
        let found = probed(&request("GET", "/", lines, ""), |request| {
            let mut said = format!("{:?}: ", request.cookie("sid"));
            for (name, value) in request.cookies() {
                let _ = write!(said, "{name}={value};");
            }
            said
        });
        assert_eq!(found, wanted, "{lines:?}");
    }
}

// RFC 9112 section 3.2.2: the authority of an absolute form goes before Host.
#[test]
fn the_authority_of_an_absolute_target_wins_over_host() {
    for (bytes, wanted) in [
        ("GET / HTTP/1.1\r\nHost: a:80\r\n\r\n", "Some(\"a:80\")"),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", "Some(\"\")"),
        ("GET / HTTP/1.0\r\n\r\n", "None"),
        ("GET http://b:81/ HTTP/1.1\r\nHost: a\r\n\r\n", "Some(\"b:81\")"),
        ("GET http://b HTTP/1.0\r\n\r\n", "Some(\"b\")"),
    ] {
        assert_eq!(probed(bytes, |request| format!("{:?}", request.authority())), wanted, "{bytes:?}");
    }
}

#[test]
fn segments_of_the_path() {
    for (target, wanted) in [("/", "[]"), ("/a/b%2Fc/", "[a][b%2Fc][]"), ("/a?b/c", "[a]")] {
        let found = probed(&get(target), |request| {
            request.segments().fold(String::new(), |said, segment| format!("{said}[{}]", segment.as_encoded()))
        });
        assert_eq!(found, wanted, "{target}");
    }
}

#[test]
fn peer_and_id_are_those_of_the_connection() {
    let tell = async |request: &mut Request<'_, ()>| format!("{} {}", request.peer().unwrap(), request.id());
    let mut server = Server::new(Router::new().route("/", any(tell)));
    let clients = [server.connect(), server.connect()];
    for (client, port) in clients.iter().zip(1..) {
        for _ in 0..2 {
            client.send(get("/"));
            server.run();
            let said = responses(&client.received()).remove(0);
            assert_eq!(said.text(), format!("127.0.0.1:{port} {}", client.id().unwrap()));
        }
    }
    assert_ne!(clients[0].id(), clients[1].id());
}

#[test]
fn a_request_can_be_shown() {
    let bytes = request("PURGE", "/a?b", "", "");
    let shown = probed(&bytes, |request| format!("{request:?}"));
    assert_eq!(shown, "Request(PURGE /a?b of connection 0.0.0)");
    assert!(Method::Other.token().is_none());
    assert!(Version::Http10 < Version::Http11);
}

/// Keeps what it has learnt of the head while it waits for the body.
async fn keeps(request: &mut Request<'_, ()>) -> Result<String, Error> {
    let target = request.target();
    let kept = request.field("X-Kept");
    let mut body = Vec::new();
    while let Some(piece) = request.body().read().await? {
        body.extend_from_slice(piece);
    }
    Ok(format!("{target} {} {}", kept.unwrap_or_default(), String::from_utf8_lossy(&body)))
}

#[test]
fn what_the_head_said_stays_valid_while_the_body_comes() {
    let app = || Router::new().route("/keep/{n}", post(keeps));
    for body in ["", "x", &text(300)] {
        let bytes = request("POST", "/keep/1?a=b", "X-Kept: yes\r\n", body);
        let answers = every_way(app, support::small(16), &bytes);
        assert_eq!(answers.response().text(), format!("/keep/1?a=b yes {body}"));
    }
}

#[test]
fn many_handlers_wait_for_bodies_at_once_and_others_are_served() {
    const CLIENTS: usize = 20;
    let app =
        Router::new().route("/keep/{n}", post(keeps)).route("/short", any(async |_: &mut Request<'_, ()>| "short"));
    let mut server = Server::with(app, Settings { lanes_max: CLIENTS as u32 + 1, ..support::small(32) });
    let clients: Vec<_> = (0..CLIENTS).map(|_| server.connect()).collect();
    let bodies: Vec<_> = (0..CLIENTS).map(|n| text(100 + n)).collect();
    for (n, client) in clients.iter().enumerate() {
        client.send(request(
            "POST",
            &format!("/keep/{n}"),
            &format!("X-Kept: k{n}\r\nContent-Length: {}\r\n", 100 + n),
            "",
        ));
        server.run();
    }
    let short = server.connect();
    for at in (0..100 + CLIENTS).step_by(7) {
        for (client, body) in clients.iter().zip(&bodies) {
            client.send(body.get(at..(at + 7).min(body.len())).unwrap_or_default());
        }
        short.send(get("/short"));
        server.run();
        assert_eq!(responses(&short.received()).remove(0).text(), "short", "at {at}");
    }
    for (n, client) in clients.iter().enumerate() {
        let response = responses(&client.received()).remove(0);
        assert_eq!(response.text(), format!("/keep/{n} k{n} {}", bodies[n]));
    }
}

/// The bytes of the next request do not change what the request at hand says.
#[test]
fn pipelined_requests_each_say_their_own() {
    let app = || Router::new().route("/keep/{n}", post(keeps));
    let one = |n: usize| request("POST", &format!("/keep/{n}"), &format!("X-Kept: k{n}\r\n"), &text(n));
    let bytes: String = (0..30).map(one).collect();
    let answers = feed(app(), support::small(8), bytes.as_bytes().chunks(13));
    let said: Vec<_> = answers.responses().iter().map(|response| response.text().to_owned()).collect();
    let wanted: Vec<_> = (0..30).map(|n| format!("/keep/{n} k{n} {}", text(n))).collect();
    assert_eq!(said, wanted);
}
