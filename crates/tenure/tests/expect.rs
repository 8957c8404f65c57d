//! `Expect: 100-continue`: RFC 9110 section 10.1.1.

mod support;

use support::{answers, get, post_chunked, request, responses, small, text};
use tenure::{
    EndReason, Error, Handler, Limits, Method, Refusal, Request, Responder, Router, Sent, StatusCode, any,
    kit::{Client, Server, Settings},
    respond,
};

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

async fn echo(request: &mut Request<'_, ()>) -> Result<Vec<u8>, Error> {
    Ok(request.body().limit(100).whole().await?.to_vec())
}

async fn read(request: &mut Request<'_, ()>) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(piece) = request.body().read().await? {
        body.extend_from_slice(piece);
    }
    Ok(body)
}

async fn refuse(_: &mut Request<'_, ()>) -> StatusCode {
    StatusCode::UNAUTHORIZED
}

fn app() -> impl Handler<()> {
    Router::new().route("/echo", any(echo)).route("/read", any(read)).route("/refuse", any(refuse))
}

fn server() -> (Server<()>, Client) {
    let mut server = Server::with(app(), small(128));
    let client = server.connect();
    (server, client)
}

fn expecting(target: &str, length: usize) -> String {
    request("POST", target, &format!("Expect: 100-continue\r\nContent-Length: {length}\r\n"), "")
}

#[test]
fn it_is_sent_once_when_the_body_is_asked_for() {
    for target in ["/echo", "/read"] {
        for fields in ["Expect: 100-continue\r\n", "expect: 100-CONTINUE\r\n", "Expect: 100-continue,\r\n"] {
            let (mut server, client) = server();
            let head = request("POST", target, &format!("{fields}Content-Length: 5\r\n"), "");
            for byte in head.as_bytes().chunks(1) {
                assert_eq!(client.received_text(), "", "not before the head has ended");
                client.send(byte);
                server.run();
            }
            assert_eq!(client.received_text(), CONTINUE, "{target} {fields:?}");
            client.send("ab");
            server.run();
            assert_eq!(client.received_text(), "", "once");
            client.send("cde".to_owned() + &get("/refuse"));
            server.run();
            let answers = answers(&server, &client);
            assert_eq!(answers.responses()[0].text(), "abcde", "{target} {fields:?}");
            assert_eq!(answers.statuses(), [200, 401], "the connection goes on");
            assert!(!answers.responses()[0].says_close());
        }
    }
}

#[test]
fn it_is_not_sent_where_it_is_not_waited_for() {
    let chunked = "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n";
    for (why, first, second) in [
        ("not expected", request("POST", "/echo", "Content-Length: 2\r\n", ""), "ab"),
        ("no body", request("POST", "/echo", "Expect: 100-continue\r\n", ""), ""),
        ("a body of nothing", request("POST", "/echo", "Expect: 100-continue\r\nContent-Length: 0\r\n", ""), ""),
        ("all of it is here", expecting("/echo", 2) + "ab", ""),
        ("some of it is here", expecting("/echo", 2) + "a", "b"),
        (
            "some of it is here, chunked",
            request("POST", "/echo", chunked, "").replace("\r\n\r\n", "\r\n\r\n2"),
            "\r\nab\r\n0\r\n\r\n",
        ),
        ("HTTP/1.0", expecting("/echo", 2).replace("HTTP/1.1", "HTTP/1.0"), "ab"),
    ] {
        let (mut server, client) = server();
        client.send(first);
        server.run();
        client.send(second);
        server.run();
        let answers = answers(&server, &client);
        assert_eq!(answers.response().status, 200, "{why}");
    }
}

#[test]
fn it_is_sent_before_chunks_too() {
    let (mut server, client) = server();
    let bytes = post_chunked("/read", &text(50), &[7]).replace("Host: a\r\n", "Host: a\r\nExpect: 100-continue\r\n");
    let (head, body) = bytes.split_at(bytes.find("\r\n\r\n").unwrap() + 4);
    client.send(head);
    server.run();
    assert_eq!(client.received_text(), CONTINUE);
    client.send(body.to_owned() + &get("/refuse"));
    server.run();
    assert_eq!(answers(&server, &client).statuses(), [200, 401]);
}

// RFC 9110 section 10.1.1: who answers without the body must say whether it will be read; here it is not.
#[test]
fn a_final_answer_without_asking_closes_and_says_so() {
    for (target, length, status) in [("/refuse", 5, 401), ("/nothing", 5, 404), ("/echo", 101, 413)] {
        for body in [&b""[..], b"abcde"] {
            let (mut server, client) = server();
            client.send(expecting(target, length));
            server.run();
            client.send(body);
            client.send(get("/refuse"));
            server.run();
            let answers = answers(&server, &client);
            let response = answers.response();
            assert_eq!(response.status, status, "{target}");
            assert!(response.says_close() && answers.closed, "{target}");
            assert_eq!(answers.ended, [EndReason::Unread], "{target}");
        }
    }
    let chunked = "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n";
    let (mut server, client) = server();
    client.send(request("POST", "/refuse", chunked, ""));
    server.run();
    let answers = answers(&server, &client);
    assert!(answers.response().says_close());
    assert_eq!(answers.ended, [EndReason::Unread]);
}

// Beside it: a body that was asked for, or has begun to come, is drained as any other.
#[test]
fn a_body_that_has_begun_to_come_is_drained() {
    let (mut server, client) = server();
    client.send(expecting("/refuse", 50) + "a");
    server.run();
    client.send(text(49) + &get("/refuse"));
    server.run();
    let answers = answers(&server, &client);
    assert_eq!(answers.statuses(), [401, 401]);
    assert!(!answers.closed);
}

#[test]
fn a_body_that_was_asked_for_and_left_is_drained_up_to_the_bound() {
    async fn one(request: &mut Request<'_, ()>) -> Result<Vec<u8>, Error> {
        Ok(request.body().read().await?.unwrap_or_default().to_vec())
    }
    for (bytes, stays) in [(50, true), (51, false)] {
        let limits = Limits { drain_bytes_max: 49, ..Limits::HOST };
        let mut server = Server::with(Router::new().route("/one", any(one)), Settings { limits, ..small(128) });
        let client = server.connect();
        client.send(expecting("/one", bytes));
        server.run();
        assert_eq!(client.received_text(), CONTINUE);
        client.send("a");
        server.run();
        client.send(text(bytes - 1));
        client.send(get("/one"));
        server.run();
        let answers = answers(&server, &client);
        assert_eq!(answers.responses()[0].says_close(), !stays, "{bytes}");
        assert_eq!(answers.responses().len(), if stays { 2 } else { 1 }, "{bytes}");
    }
}

#[test]
fn other_expectations_are_417() {
    for value in ["200-ok", "100-continue, 200-ok", "100-continued"] {
        let (mut server, client) = server();
        client.send(request("POST", "/echo", &format!("Expect: {value}\r\n"), "ab"));
        server.run();
        let answers = answers(&server, &client);
        assert_eq!(answers.response().status, 417, "{value}");
        assert!(answers.response().says_close(), "{value}");
        assert_eq!(answers.ended, [EndReason::Protocol(Refusal::UnmetExpectation)], "{value}");
    }
}

// RFC 9110 section 15.2: an interim response comes before the final one, or not at all.
#[test]
fn it_is_not_sent_once_the_response_has_begun() {
    async fn begins<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
        let mut stream = responder.stream(StatusCode::OK, &[]).await?;
        while let Some(piece) = request.body().read().await? {
            stream.write(piece).await?;
        }
        stream.finish().await
    }
    let mut server = Server::with(Router::new().route("/begins", respond(Method::Post, begins)), small(128));
    let client = server.connect();
    client.send(expecting("/begins", 3));
    server.run();
    client.send("abc");
    server.run();
    let answers = answers(&server, &client);
    assert_eq!(answers.response().text(), "abc");
    assert!(answers.response().says_close(), "it was begun without having asked");
}

#[test]
fn responses_before_it_in_the_output_stay_in_order() {
    let (mut server, client) = server();
    client.set_window(0);
    client.send(get("/refuse").repeat(40) + &expecting("/echo", 3));
    server.run();
    client.set_window(usize::MAX);
    server.run();
    client.send("abc");
    server.run();
    let found = responses(&client.received());
    assert_eq!(found.len(), 42);
    assert!(found[..40].iter().all(|response| response.status == 401));
    assert_eq!((found[40].status, found[41].text()), (100, "abc"));
}
