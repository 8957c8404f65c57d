//! Forms in parts: read in each way, however they come; refusals, which keep the session and the connection; bounds.
#![cfg(feature = "kit")]

mod support;

use std::fmt::Write as _;

use support::{Answers, every_way, feed, post_chunked, request, small};
use tenure::{
    EndReason, Error, Handler, PART_HEAD_BYTES_MAX, PART_NAME_BYTES_MAX, PARTS_MAX, Request, Router, Session,
    kit::{Server, Settings},
    post,
};

const TYPE: &str = "Content-Type: multipart/form-data; boundary=b\r\n";

/// How many forms have been taken over a connection.
struct Taken(u32);

impl Session for Taken {
    fn end(self, _: EndReason) {}
}

/// A part, as it is sent.
fn part(says: &str, content: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; {says}\r\n\r\n{content}\r\n")
}

fn form(parts: &[(&str, &str)]) -> String {
    parts.iter().map(|(says, content)| part(says, content)).collect::<String>() + "--b--\r\n"
}

fn send(target: &str, form: &str) -> String {
    request("POST", target, TYPE, form)
}

/// Tells all of a form.
async fn tell(request: &mut Request<'_, Taken>) -> Result<String, Error> {
    request.session_or_insert_with(|| Taken(0));
    let mut told = String::new();
    let mut form = request.body().multipart()?;
    while let Some(mut part) = form.next().await? {
        let _ = write!(told, "{}|{:?}|{:?}|", part.name(), part.filename(), part.content_type());
        while let Some(piece) = part.read().await? {
            assert!(!piece.is_empty());
            told += str::from_utf8(piece).unwrap();
        }
        assert_eq!(part.read().await?, None, "the end stays the end");
        told += "\n";
    }
    assert!(form.next().await?.is_none(), "the end stays the end");
    assert_eq!(request.body().read().await?, None, "all of the body has come");
    let taken = request.session_or_insert_with(|| Taken(0));
    taken.0 += 1;
    told += &taken.0.to_string();
    Ok(told)
}

/// Each part in the way that its name says; what has another name is left unread.
async fn take(request: &mut Request<'_, Taken>) -> Result<String, Error> {
    let mut told = String::new();
    let mut form = request.body().multipart()?.parts_max(4).part_bytes_max(20);
    while let Some(part) = form.next().await? {
        let taken = match part.name() {
            "text" => { part }.text(5).await?,
            "text-into" => { part }.text_into(&mut [0; 5]).await?.to_owned(),
            "copy" => format!("{:?}", { part }.copy_into(&mut [0; 5]).await?),
            "vec" => format!("{:?}", { part }.to_vec(5).await?),
            "number" => { part }.parse::<u8>().await?.to_string(),
            "limit" => part.limit(30).text(100).await?,
            "rest" => {
                let mut part = part;
                let mut first = part.read().await?.map(<[u8]>::to_vec).unwrap_or_default();
                first.extend(part.to_vec(100).await?);
                String::from_utf8(first).unwrap()
            }
            _ => String::new(),
        };
        let _ = write!(told, "{taken};");
    }
    Ok(told)
}

/// Leaves after the first part.
async fn first(request: &mut Request<'_, Taken>) -> Result<String, Error> {
    let mut form = request.body().multipart()?;
    let first = form.next().await?;
    Ok(format!("{first:?}"))
}

fn app() -> impl Handler<Taken> {
    Router::new().route("/tell", post(tell)).route("/take", post(take)).route("/first", post(first))
}

#[track_caller]
fn asked(bytes: &str) -> (u16, String, Answers) {
    let answers = feed(app(), Settings::default(), [bytes.as_bytes()]);
    let response = answers.response();
    (response.status, response.text().trim_end().to_owned(), answers)
}

#[test]
fn a_form_is_told_alike_however_it_comes() {
    let content = "1\r\n--\r\n--b2".replace("--b2", "--a") + "\r";
    let form =
        form(&[("name=\"a\"", &content), ("name=f; filename=\"x y\"", ""), ("name=a", "--c"), ("name=z", "\r\n\r\n")]);
    let told = format!("a|None|None|{content}\nf|Some(\"x y\")|None|\na|None|None|--c\nz|None|None|\r\n\r\n\n");
    for framed in
        [send("/tell", &form), post_chunked("/tell", &form, &[1, 7]).replace("Transfer", &format!("{TYPE}Transfer"))]
    {
        // The session and the connection stay, and so do the requests behind it.
        let answers = every_way(app, small(64), framed.clone() + &send("/tell", "--b--\r\n"));
        let responses = answers.responses();
        assert_eq!(responses.iter().map(|response| response.status).collect::<Vec<_>>(), [200, 200]);
        assert_eq!((responses[0].text(), responses[1].text()), (&*(told.clone() + "1"), "2"));
        assert!(!answers.closed);
    }
}

#[test]
fn types_are_told() {
    let head =
        "--b\r\nContent-Type: image/png\r\nContent-Disposition: form-data; name=\"a%22\"; filename*=UTF-8''b\r\n\r\n";
    let (status, text, _) = asked(&send("/tell", &format!("{head}\r\n--b--")));
    assert_eq!((status, &*text), (200, "a\"|None|Some(\"image/png\")|\n1"));
}

#[test]
fn parts_are_read_in_each_way() {
    for (says, content, wanted) in [
        ("name=text", "12345", Ok("12345;")),
        ("name=text", "", Ok(";")),
        ("name=text", "123456", Err((413, "the form's part \"text\" is too large (at most 5 bytes)"))),
        ("name=text", "\u{fc}", Ok("\u{fc};")),
        ("name=text-into", "12345", Ok("12345;")),
        ("name=text-into", "123456", Err((413, "the form's part \"text-into\" is too large (at most 5 bytes)"))),
        ("name=copy", "\r\n--c", Ok("[13, 10, 45, 45, 99];")),
        ("name=copy", "\r\n--c-", Err((413, "the form's part \"copy\" is too large (at most 5 bytes)"))),
        ("name=vec", "1234\r", Ok("[49, 50, 51, 52, 13];")),
        ("name=vec", "123456", Err((413, "the form's part \"vec\" is too large (at most 5 bytes)"))),
        ("name=number", " 255 ", Ok("255;")),
        ("name=number", "256", Err((400, "the form's part \"number\": "))),
        ("name=number", "", Err((400, "the form's part \"number\": "))),
        ("name=rest", "12345678901234567890", Ok("12345678901234567890;")),
        // The form's bound of a part, and one's own instead.
        ("name=else", "12345678901234567890", Ok(";")),
        ("name=else", "123456789012345678901", Err((413, "the form's part \"else\" is too large (at most 20 bytes)"))),
        ("name=limit", "123456789012345678901234567890", Ok("123456789012345678901234567890;")),
        (
            "name=limit",
            "1234567890123456789012345678901",
            Err((413, "the form's part \"limit\" is too large (at most 30 bytes)")),
        ),
    ] {
        let (status, text, answers) = asked(&send("/take", &form(&[(says, content)])));
        match wanted {
            Ok(wanted) => assert_eq!((status, &*text), (200, wanted), "{says}: {content}"),
            Err((wanted, why)) => {
                assert!(status == wanted && text.starts_with(why), "{says}: {content}: {status} {text}");
            }
        }
        assert!(!answers.closed, "{says}: {content}");
    }
    // Bytes that are no text.
    let bytes = [request("POST", "/take", TYPE, &form(&[("name=text", "??")])).as_bytes(), b""].concat();
    let at = bytes.windows(2).position(|two| two == b"??").unwrap();
    let broken = [&bytes[..at], b"\xff\xfe", &bytes[at + 2..]].concat();
    let response = feed(app(), Settings::default(), [&broken[..]]).response();
    assert_eq!((response.status, response.text()), (400, "the form's part \"text\" is not UTF-8\n"));
}

/// A bound of one part is none of the next.
#[test]
fn bounds_are_of_each_part() {
    let form = form(&[
        ("name=limit", "1234567890123456789012345"),
        ("name=text", "12345"),
        ("name=rest", "12345678901234567890"),
    ]);
    let (status, text, _) = asked(&send("/take", &form));
    assert_eq!((status, &*text), (200, "1234567890123456789012345;12345;12345678901234567890;"));
}

#[test]
fn what_is_no_form_is_415_and_a_bad_boundary_400() {
    let form = form(&[("name=a", "1")]);
    for (fields, status, why) in [
        (TYPE, 200, "a|None"),
        ("", 415, "send a form, as multipart/form-data"),
        ("Content-Type: application/x-www-form-urlencoded\r\n", 415, "send a form, as multipart/form-data"),
        ("Content-Type: multipart/mixed; boundary=b\r\n", 415, "send a form, as multipart/form-data"),
        ("Content-Type: multipart/form-data\r\n", 400, "the Content-Type of this form has no boundary"),
        ("Content-Type: multipart/form-data; boundary=\"\r\n", 400, "the Content-Type of this form has no boundary"),
        (
            "Content-Type: multipart/form-data; boundary=c\r\n",
            400,
            "the form has not the boundary that its Content-Type names (byte 57)",
        ),
    ] {
        let (found, text, answers) = asked(&request("POST", "/tell", fields, &form));
        assert!(found == status && text.starts_with(why), "{fields}: {found} {text}");
        assert!(!answers.closed && answers.ended.is_empty(), "{fields}");
    }
}

/// Each is answered, and the connection goes on with its session.
#[test]
fn broken_forms_are_refused_and_the_session_stays() {
    let named = |name: usize| part(&format!("name=\"{}\"", "x".repeat(name)), "1") + "--b--";
    // The line of the disposition with its end, and the empty line.
    let headed = |bytes: usize| {
        let head = "Content-Disposition: form-data; name=a\r\nX: ";
        format!("--b\r\n{head}{}\r\n\r\n1\r\n--b--", "x".repeat(bytes - head.len() - 4))
    };
    let many = |parts: u32| (0..parts).map(|_| part("name=a", "1")).collect::<String>() + "--b--";
    let cases = [
        (String::new(), 400, "the form has not the boundary that its Content-Type names (byte 0)"),
        ("--b".to_owned(), 400, "the form ends without its last boundary (byte 3)"),
        (part("name=a", "1"), 400, "the form ends without its last boundary (byte 50)"),
        (part("name=a", "1") + "--bx", 400, "behind a form's boundary its line must end, or -- stand (byte 53)"),
        (form(&[("name=a; name=b", "1")]), 400, "a form's part says something twice (byte 45)"),
        (form(&[("filename=a", "1")]), 400, "a form's part has no name (byte 26)"),
        (form(&[("name=\"a", "1")]), 400, "the Content-Disposition of a form's part is broken (byte 44)"),
        ("--b\r\n\r\n1\r\n--b--".to_owned(), 400, "a form's part has no Content-Disposition (byte 5)"),
        ("--b\r\n:\r\n\r\n1\r\n--b--".to_owned(), 400, "the head of a form's part is not made of fields (byte 5)"),
        (named(PART_NAME_BYTES_MAX), 200, ""),
        (named(PART_NAME_BYTES_MAX + 1), 413, "a name in a form is too long (at most 255 bytes)"),
        (headed(PART_HEAD_BYTES_MAX), 200, ""),
        (
            headed(PART_HEAD_BYTES_MAX + 1),
            413,
            &*format!("the head of a form's part is too long (at most {PART_HEAD_BYTES_MAX} bytes)"),
        ),
        (many(PARTS_MAX), 200, ""),
        (many(PARTS_MAX + 1), 413, "a form has too many parts: 32 are allowed"),
    ];
    for (form, status, why) in cases {
        for target in ["/tell", "/tell-chunked"] {
            let chunked = post_chunked("/tell", &form, &[5]).replace("Transfer", &format!("{TYPE}Transfer"));
            let bytes = if target == "/tell" {
                format!("POST /tell HTTP/1.1\r\nHost: a\r\n{TYPE}Content-Length: {}\r\n\r\n{form}", form.len())
            } else {
                chunked
            };
            let bytes = send("/tell", "--b--") + &bytes + &send("/tell", "--b--");
            let answers = feed(app(), Settings::default(), [bytes.as_bytes()]);
            let responses = answers.responses();
            assert_eq!(responses.len(), 3, "{form}");
            assert_eq!(responses[1].status, status, "{form}: {}", responses[1].text());
            assert!(responses[1].text().starts_with(why), "{form}: {}", responses[1].text());
            // The session has counted the forms that were taken.
            assert_eq!(responses[2].text(), if status == 200 { "3" } else { "2" }, "{form}");
            assert!(!answers.closed && answers.ended.is_empty(), "{form}");
        }
    }
}

/// The whole form is bounded as a body is: in its length where it says one, as it comes otherwise.
#[test]
fn the_whole_is_bounded() {
    let form = form(&[("name=a", "12345")]);
    let limited = |bytes_max: u64| {
        let handler = async move |request: &mut Request<'_, ()>| {
            let mut form = request.body().limit(bytes_max).multipart()?;
            let mut parts = 0;
            while form.next().await?.is_some() {
                parts += 1;
            }
            Ok::<_, Error>(parts.to_string())
        };
        let bytes = send("/", &form) + &post_chunked("/", &form, &[9]).replace("Transfer", &format!("{TYPE}Transfer"));
        let answers = feed(Router::new().route("/", post(handler)), Settings::default(), [bytes.as_bytes()]);
        assert!(!answers.closed);
        answers.responses()
    };
    let bytes = form.len() as u64;
    assert!(limited(bytes).iter().all(|response| response.text() == "1"));
    for response in limited(bytes - 1) {
        let why = format!("the body is larger than this target takes (at most {} bytes)\n", bytes - 1);
        assert_eq!((response.status, response.text()), (413, &*why));
    }
}

/// What a handler leaves unread of a form is dropped, as of any body.
#[test]
fn a_form_may_be_left() {
    let form = form(&[("name=a; filename=b", "12345"), ("name=b", "1")]);
    let answers = every_way(app, small(64), send("/first", &form) + &send("/tell", "--b--"));
    let responses = answers.responses();
    let told = "Some(PartHead { name: \"a\", filename: Some(\"b\"), content_type: None })";
    assert_eq!((responses[0].text(), responses[1].text()), (told, "1"));
    assert!(!answers.closed);
}

/// The same future, dropped and made again between any two bytes, misses none.
#[test]
fn next_and_read_are_safe_to_cancel() {
    use std::{future::poll_fn, pin::pin, task::Poll};

    /// Polls it once and drops it: `None`, it was not ready.
    async fn once<T>(future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// Waits for what the dropped future has waited for.
    async fn rest() {
        let mut polled = false;
        poll_fn(|_| {
            if std::mem::replace(&mut polled, true) {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }

    async fn told(request: &mut Request<'_, ()>) -> Result<String, Error> {
        let (mut told, mut form, mut dropped) = (String::new(), request.body().multipart()?, 0);
        loop {
            let Some(found) = once(form.next()).await else {
                dropped += 1;
                rest().await;
                continue;
            };
            let Some(mut part) = found? else { break };
            told += part.name();
            loop {
                match once(part.read()).await {
                    Some(Ok(Some(piece))) => told += str::from_utf8(piece).unwrap(),
                    Some(Ok(None)) => break,
                    Some(Err(error)) => return Err(error),
                    None => {
                        dropped += 1;
                        rest().await;
                    }
                }
            }
        }
        assert!(dropped > 0);
        Ok(told)
    }

    let form = form(&[("name=a", "1\r\n--\r\n"), ("name=b", "23"), ("name=c", "")]);
    let mut server = Server::with(Router::new().route("/", post(told)), small(64));
    let client = server.connect();
    for byte in send("/", &form).as_bytes().chunks(1) {
        client.send(byte);
        server.run();
    }
    assert!(client.received_text().ends_with("\r\n\r\na1\r\n--\r\nb23c"));
}

#[test]
fn a_form_that_breaks_off_is_told() {
    let bytes = send("/tell", &form(&[("name=a", "12345")]));
    for cut in [bytes.len() - 30, bytes.len() - 10, bytes.len() - 1] {
        let mut server = Server::new(app());
        let client = server.connect();
        client.send(&bytes[..cut]);
        server.run();
        client.close();
        server.run();
        let text = client.received_text();
        assert!(text.starts_with("HTTP/1.1 400 ") && text.contains("the peer closed before the whole body"), "{text}");
    }
}
