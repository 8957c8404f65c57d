//! Who is it? Each way to log in: by a socket, a cookie, Basic, Bearer and Digest, with bounded tries and a guard against other sites.
//!
//! `cargo run --example login`, then open <http://127.0.0.1:8080/> and log in as `ada` with the word `lovelace`, or
//! - `curl -d 'name=ada&word=lovelace' http://127.0.0.1:8080/socket/enter --next http://127.0.0.1:8080/socket/own`: one socket, a login;
//! - `curl --user ada:lovelace http://127.0.0.1:8080/basic`;
//! - `curl --oauth2-bearer 6d9f http://127.0.0.1:8080/bearer`;
//! - `curl --digest --user ada:lovelace http://127.0.0.1:8080/digest`;
//! - `curl -H 'Origin: http://evil.example' -d 'name=ada&word=lovelace' http://127.0.0.1:8080/enter`: 403;
//! - any of these with a wrong word, six times within a minute: 429.

use std::{
    fs::File,
    io::{self, Read},
    time::SystemTime,
};

use serde::Deserialize;
use tenure::{Error, Handler, Html, NEVER, Redirect, Request, Router, SetCookie, StatusCode, get, post, with};
use tenure_linux::{Server, Settings};
use tenure_login::{
    Basic, Bearer, CookieText, Digest, Key, Login, PasswordHash, SignedCookie, Tries, is_same, log_in, log_out,
    require, same_origin, user,
};

const STAFF: Basic = Basic::new("staff");
const API: Bearer = Bearer::new("api");

/// What all handlers share.
struct Logins {
    cookie: SignedCookie,
    digest: Digest,
    /// Of ada's password. A program of yours keeps this, and not the password.
    ada: PasswordHash,
    tries: Tries<256>,
}

impl Logins {
    fn new(random: [u8; 32]) -> Self {
        // A key of cookies that is stored lets them outlive a restart; that of Digest is made anew.
        Logins {
            cookie: SignedCookie::new("login", Key::of(random)).valid_s(8 * 3_600),
            digest: Digest::new("lab", Key::of(random)),
            ada: PasswordHash::new("ada", "lab", "lovelace"),
            tries: Tries::new(5, 60),
        }
    }
}

fn now_s() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    word: String,
}

/// The name of who fills the form in rightly.
async fn entry(logins: &Logins, request: &mut Request<'_, Login>) -> Result<String, Error> {
    let Entry { name, word } = request.body().form().await?;
    logins.tries.take(request).await?;
    if !(is_same(&name, "ada") & is_same(&word, "lovelace")) {
        return Err(Error::forbidden("the name or the word is wrong"));
    }
    logins.tries.forget(request);
    Ok(name)
}

type Cookie = (SetCookie<CookieText>, Redirect<&'static str>);

async fn enter(logins: &Logins, request: &mut Request<'_, Login>) -> Result<Cookie, Error> {
    let name = entry(logins, request).await?;
    Ok((logins.cookie.set(&name, now_s())?, Redirect::see_other("/")))
}

async fn leave(logins: &Logins, _: &mut Request<'_, Login>) -> (SetCookie<&'static str>, Redirect<&'static str>) {
    (logins.cookie.gone(), Redirect::see_other("/"))
}

async fn page(logins: &Logins, request: &mut Request<'_, Login>) -> Result<Html<String>, Error> {
    let now_s = now_s();
    let login = logins.cookie.of(request, now_s)?;
    request.response_fields(logins.cookie.renewed(&login, now_s)).await?;
    // The name is one that this server has signed, so there is nothing in it to escape.
    let name = login.value();
    Ok(Html(format!(
        "<!doctype html><title>login</title><p>hello, {name}<form method=post action=/leave><button>leave</button></form>"
    )))
}

/// The page of each 401 of the site: the form stands where it is missing.
fn form(_: &Error) -> (StatusCode, Html<&'static str>) {
    let form = "<!doctype html><title>login</title><form method=post action=/enter><input name=name placeholder=name autofocus>\
                <input name=word type=password placeholder=word><button>enter</button></form>";
    (StatusCode::UNAUTHORIZED, Html(form))
}

async fn enter_socket(logins: &Logins, request: &mut Request<'_, Login>) -> Result<&'static str, Error> {
    let name = entry(logins, request).await?;
    log_in(request, &name, NEVER)?;
    Ok("welcome\n")
}

async fn leave_socket(request: &mut Request<'_, Login>) -> &'static str {
    if log_out(request) { "bye\n" } else { "who are you?\n" }
}

async fn own(request: &mut Request<'_, Login>) -> Result<String, Error> {
    Ok(format!("this is {}'s socket\n", user(request)?))
}

async fn basic(logins: &Logins, request: &mut Request<'_, Login>) -> Result<String, Error> {
    let given = STAFF.credentials(request).await?;
    logins.tries.take(request).await?;
    let Some(name) = given.among(&[("ada", "lovelace")]) else { return Err(STAFF.refuse(request).await) };
    logins.tries.forget(request);
    Ok(format!("hello, {name}, by Basic\n"))
}

async fn bearer(logins: &Logins, request: &mut Request<'_, Login>) -> Result<&'static str, Error> {
    let token = API.token(request).await?;
    logins.tries.take(request).await?;
    if !is_same(token, "6d9f") {
        return Err(API.refuse(request).await);
    }
    logins.tries.forget(request);
    Ok("hello, program, by Bearer\n")
}

async fn digest(logins: &Logins, request: &mut Request<'_, Login>) -> Result<String, Error> {
    // A first request has no proof yet: that is no try.
    if request.field("authorization").is_some() {
        logins.tries.take(request).await?;
    }
    let name = logins.digest.user(request, |name| (name == "ada").then_some(logins.ada)).await?;
    logins.tries.forget(request);
    Ok(format!("hello, {name}, by Digest\n"))
}

fn app(logins: &Logins) -> impl Handler<Login> + '_ {
    let socket = Router::new()
        .route("/enter", post(with(logins, enter_socket)))
        .route("/leave", post(leave_socket))
        .nest("/own", Router::new().route("/", get(own)).wrap(require));
    Router::new()
        .route("/", get(with(logins, page)).error(StatusCode::UNAUTHORIZED, form))
        .route("/enter", post(with(logins, enter)))
        .route("/leave", post(with(logins, leave)))
        .nest("/socket", socket)
        .route("/basic", get(with(logins, basic)))
        .route("/bearer", get(with(logins, bearer)))
        .route("/digest", get(with(logins, digest)))
        .wrap(same_origin)
}

/// Random numbers of the system.
fn random() -> io::Result<[u8; 32]> {
    let mut random = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let logins = Logins::new(random()?);
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    println!("log in at http://{}/", server.local_addr());
    server.run(&app(&logins), &())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Login, Logins, app};
    use tenure::kit::{Client, Server};

    fn server() -> Server<Login> {
        Server::new(app(Box::leak(Box::new(Logins::new([7; 32])))))
    }

    fn answer(server: &mut Server<Login>, client: &Client, line: &str, fields: &str, body: &str) -> String {
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        client
            .send(format!("{line} HTTP/1.1\r\nHost: a\r\n{kind}{fields}Content-Length: {}\r\n\r\n{body}", body.len()));
        server.run();
        client.received_text()
    }

    #[test]
    fn a_browser_logs_in_by_the_form_and_stays_so_on_each_socket() {
        let mut server = server();
        let (one, other) = (server.connect(), server.connect());
        let form = answer(&mut server, &one, "GET /", "", "");
        assert!(form.starts_with("HTTP/1.1 401 ") && form.contains("<form method=post action=/enter>"), "{form}");
        let entered = answer(&mut server, &one, "POST /enter", "", "name=ada&word=lovelace");
        assert!(entered.starts_with("HTTP/1.1 303 "), "{entered}");
        let cookie = entered.split("\r\nSet-Cookie: ").nth(1).unwrap().split(';').next().unwrap();
        let cookie = format!("Cookie: {cookie}\r\n");
        for client in [&one, &other] {
            assert!(answer(&mut server, client, "GET /", &cookie, "").contains("hello, ada"));
        }
        let left = answer(&mut server, &other, "POST /leave", &cookie, "");
        assert!(left.contains("\r\nSet-Cookie: login=; Path=/; Max-Age=0;"), "{left}");
        assert!(answer(&mut server, &one, "GET /", "", "").contains("action=/enter"));
    }

    #[test]
    fn a_socket_is_a_login() {
        let mut server = server();
        let (one, other) = (server.connect(), server.connect());
        assert!(answer(&mut server, &one, "POST /socket/enter", "", "name=ada&word=lovelace").ends_with("welcome\n"));
        assert!(answer(&mut server, &one, "GET /socket/own/", "", "").ends_with("this is ada's socket\n"));
        assert!(answer(&mut server, &other, "GET /socket/own/", "", "").starts_with("HTTP/1.1 401 "));
        assert!(answer(&mut server, &one, "POST /socket/leave", "", "").ends_with("bye\n"));
        assert!(answer(&mut server, &one, "GET /socket/own/", "", "").starts_with("HTTP/1.1 401 "));
    }

    #[test]
    fn whoever_guesses_waits() {
        let mut server = server();
        let client = server.connect();
        for status in [403, 403, 403, 403, 403, 429, 429] {
            let told = answer(&mut server, &client, "POST /enter", "", "name=ada&word=byron");
            assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{told}");
        }
        assert!(
            answer(&mut server, &client, "GET /bearer", "Authorization: Bearer 6d9f\r\n", "")
                .starts_with("HTTP/1.1 429 ")
        );
        server.advance(30_000);
        server.advance(30_000);
        let client = server.connect();
        let told = answer(&mut server, &client, "GET /bearer", "Authorization: Bearer 6d9f\r\n", "");
        assert!(told.ends_with("by Bearer\n"), "{told}");
    }

    #[test]
    fn other_sites_are_refused() {
        let mut server = server();
        let client = server.connect();
        for (origin, status) in [("http://a", 303), ("http://evil.example", 403)] {
            let origin = format!("Origin: {origin}\r\n");
            let told = answer(&mut server, &client, "POST /enter", &origin, "name=ada&word=lovelace");
            assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{told}");
        }
    }
}
