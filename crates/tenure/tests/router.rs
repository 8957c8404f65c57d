//! Which handler answers, and what is said where none does.

mod support;

use std::{
    fmt::Write as _,
    path::{Component, Path},
};
use support::{every_way, feed, get, post, request, responses, small};
use tenure::{
    Encoded, EndReason, Error, Handler, Limits, Method, Next, Request, Router, Sent, Session, StatusCode, Switch, any,
    delete, extension,
    kit::{Server, Settings},
    on, options, patch, put, with,
};

/// What a handler says: its name, and what it finds of the parameters a to f.
fn says(name: &'static str) -> impl AsyncFn(&mut Request<'_, ()>) -> String + 'static {
    async move |request: &mut Request<'_, ()>| {
        let mut said = name.to_owned();
        for parameter in ["a", "b", "c", "d", "e", "f", "rest"] {
            if let Some(value) = request.parameter(parameter) {
                let mut space = [0; 64];
                let _ = write!(said, " {parameter}={}", value.decode(&mut space).unwrap_or("?"));
            }
        }
        said
    }
}

fn one<H: Handler<()> + 'static>(app: H, bytes: &str) -> (u16, String) {
    let response = feed(app, Settings::default(), [bytes.as_bytes()]).response();
    (response.status, response.text().to_owned())
}

#[track_caller]
fn found<H: Handler<()> + 'static>(app: impl Fn() -> H, target: &str) -> String {
    let (status, text) = one(app(), &get(target));
    if status == 404 { "404".to_owned() } else { text }
}

#[test]
fn the_first_route_that_matches_answers() {
    let app = || {
        Router::new()
            .route("/", tenure::get(says("root")))
            .route("/x/first", tenure::get(says("first")))
            .route("/x/{a}", tenure::get(says("one")))
            .route("/x/second", tenure::get(says("never")))
            .route("/x/{a}/y", tenure::get(says("y")))
            .route("/x/{*rest}", tenure::get(says("rest")))
            .route("/a b", tenure::get(says("space")))
            .route("/p/{a}/{b}", tenure::get(says("two")))
            .route("/q/", tenure::get(says("slash")))
    };
    for (target, wanted) in [
        ("/", "root"),
        ("/?x", "root"),
        ("//", "404"),
        ("/x", "404"),
        ("/x/", "rest rest="),
        ("/x/first", "first"),
        ("/x/%66irst", "first"),
        ("/x/firs%74?a=b", "first"),
        ("/X/first", "404"),
        ("/x/second", "one a=second"),
        ("/x/a%2Fb", "one a=a/b"),
        ("/x/a+b", "one a=a+b"),
        ("/x/1/y", "y a=1"),
        ("/x/1/z", "rest rest=1/z"),
        ("/x/1/", "rest rest=1/"),
        ("/x//", "404"),
        ("/x/a//", "rest rest=a//"),
        ("/x/.", "404"),
        ("/x/..", "404"),
        ("/x/%2e%2E", "404"),
        ("/x/a/../b", "404"),
        ("/x/a/.%2e/b", "404"),
        ("/x/..%2Fa", "404"),
        ("/x/a%2f..%5Cb/c", "404"),
        ("/x/...", "one a=..."),
        ("/x/%2Fa", "404"),
        ("/x/C:", "one a=C:"),
        ("/x/a:1", "one a=a:1"),
        ("/x/a:1234567/y", "y a=a:1234567"),
        ("/x/%43%3a", "one a=C:"),
        ("/x/a:..", "one a=a:.."),
        ("/x/a:%2F..", "404"),
        ("/x/C:/", "404"),
        ("/x/CD:/", "rest rest=CD:/"),
        ("/x/a/C:", "404"),
        ("/x/CD:", "one a=CD:"),
        ("/x/1:", "one a=1:"),
        ("/x/%zz", "400"),
        ("/x/../x/first", "404"),
        ("/a%20b", "space"),
        ("/a+b", "404"),
        ("/p/1/2", "two a=1 b=2"),
        ("/p//2", "404"),
        ("/p/1/2/", "404"),
        ("/q", "404"),
        ("/q/", "slash"),
        ("/q/x", "404"),
        ("http://h/x/first", "first"),
        ("http://h/x/7?x", "one a=7"),
        ("http://h", "root"),
        ("http://h?x", "root"),
    ] {
        if wanted == "400" {
            assert_eq!(one(app(), &get(target)).0, 400, "{target}");
        } else {
            assert_eq!(found(app, target), wanted, "{target}");
        }
    }
}

#[test]
fn the_rest_of_nothing_is_empty() {
    let app = || Router::new().route("/{*rest}", any(says("rest")));
    for target in ["/", "/?x=/y", "http://h", "http://h?x=/y"] {
        assert_eq!(found(app, target), "rest rest=", "{target}");
    }
    let nested = || Router::new().nest("/n", Router::new().route("/{*rest}", any(says("rest"))));
    for target in ["/n", "/n/", "/n?x=/y"] {
        assert_eq!(found(nested, target), "rest rest=", "{target}");
    }
}

#[test]
fn routers_nest() {
    let app = || {
        let inner = Router::new().route("/", tenure::get(says("inner"))).route("/{b}", tenure::get(says("b")));
        let other = Router::new().route("/{a}", tenure::get(says("other")));
        Router::new()
            .route("/api/special", tenure::get(says("special")))
            .nest("/api/", inner)
            .nest("/of/{a}/and", other)
            .nest("/handler", tenure::get(says("any target")))
            .route("/api/late", tenure::get(says("never")))
    };
    for (target, wanted) in [
        ("/api", "inner"),
        ("/api/", "inner"),
        ("/api?x=/y", "inner"),
        ("/api/1", "b b=1"),
        ("/api/1?x", "b b=1"),
        ("/api/special", "special"),
        ("/api/late", "b b=late"),
        ("/%61pi/%31", "b b=1"),
        ("/apis", "404"),
        ("/api/1/2", "404"),
        ("/api/..", "404"),
        // The innermost parameter of a name is the one that is meant.
        ("/of/1/and/2", "other a=2"),
        ("/of/1/and", "404"),
        ("/of//and/2", "404"),
        ("/handler", "any target"),
        ("/handler/a/b", "any target"),
        ("http://h/api/1", "b b=1"),
    ] {
        assert_eq!(found(app, target), wanted, "{target}");
    }
}

#[test]
fn the_six_innermost_parameters_are_kept() {
    let app = || {
        let seventh = Router::new().route("/{rest}", tenure::get(says("deeper")));
        let sixth = Router::new().route("/{f}", tenure::get(says("deep"))).nest("/{g}", seventh);
        let fifth = Router::new().nest("/{e}", sixth);
        let fourth = Router::new().nest("/{d}", fifth);
        let third = Router::new().nest("/{c}", fourth).route("/{*rest}", tenure::get(says("third")));
        let second = Router::new().nest("/{b}", third);
        Router::new().nest("/{a}", second)
    };
    assert_eq!(found(app, "/1/2/3/4/5/6"), "deep a=1 b=2 c=3 d=4 e=5 f=6");
    assert_eq!(found(app, "/1/2/3/4/5/6?a=b"), "deep a=1 b=2 c=3 d=4 e=5 f=6");
    assert_eq!(found(app, "/1/2/3/4/5/6/7"), "deeper b=2 c=3 d=4 e=5 rest=7");
    assert_eq!(found(app, "/1/2"), "third a=1 b=2 rest=");
    // What answers need not be a route.
    let app = || {
        let handler = tenure::get(says("handler"));
        let inner = Router::new().nest("/{c}", Router::new().nest("/{d}", Router::new().nest("/{a}", handler)));
        Router::new().nest("/{a}", Router::new().nest("/{b}", inner))
    };
    assert_eq!(found(app, "/1/2/3/4/5"), "handler a=5 b=2 c=3 d=4");
}

/// What a route has learnt of the target is true for the next one, too.
#[test]
fn routes_look_at_the_same_target_one_after_the_other() {
    let app = || {
        Router::new()
            .route("/x/{*rest}", tenure::get(says("x")))
            .route("/x/{a}/{*rest}", tenure::get(says("xa")))
            .route("/{a}/1", tenure::get(says("1")))
            .route("/{b}/2", tenure::get(says("2")))
            .route("/{c}/{d}/3", tenure::get(says("3")))
            .route("/{*rest}", tenure::get(says("rest")))
    };
    for (target, wanted) in [
        // It leads out of the folder where it begins here, and not where it begins before.
        ("/x//b", "rest rest=x//b"),
        ("/x//b%3F?c", "rest rest=x//b?"),
        ("/x/../b", "404"),
        ("/x/b/../c", "404"),
        ("/x/b//c", "x rest=b//c"),
        ("/aaaaaaaaaa/2", "2 b=aaaaaaaaaa"),
        ("/aaaaaaaaaa%41/2", "2 b=aaaaaaaaaaA"),
        ("/aaaaaaaaaa%2F../2", "404"),
        ("/aaaaaaaaaa/bbbbbbbbbb/3", "3 c=aaaaaaaaaa d=bbbbbbbbbb"),
        ("/aaaaaaaaaa/bbbbb%62bbbb/3", "3 c=aaaaaaaaaa d=bbbbbbbbbb"),
        ("/aaaaaaaaaa/%2Fbbbbb/4", "rest rest=aaaaaaaaaa//bbbbb/4"),
    ] {
        assert_eq!(found(app, target), wanted, "{target}");
    }
}

/// Neither does it forget those of the routers around it.
#[test]
fn a_route_that_does_not_match_leaves_no_parameter() {
    let app = || {
        let inner = Router::new()
            .route("/{rest}/no", tenure::get(says("no")))
            .nest("/{rest}/{rest}/no", tenure::get(says("no")))
            .route("/{rest}/y", tenure::get(says("y")))
            .route("/yes", tenure::get(says("yes")))
            .route("/{*rest}", tenure::get(says("rest")));
        let middle = Router::new().nest("/{d}/no", tenure::get(says("no"))).nest("/{d}/{e}/{f}", inner);
        Router::new().nest("/{rest}/{rest}/no", tenure::get(says("no"))).nest("/{a}/{b}/{c}", middle)
    };
    for (target, wanted) in [
        ("/1/2/3/4/5/6/yes", "yes a=1 b=2 c=3 d=4 e=5 f=6"),
        ("/1/2/3/4/5/6/%79es", "yes a=1 b=2 c=3 d=4 e=5 f=6"),
        ("/1/2/3/4/5/6/7/y", "y b=2 c=3 d=4 e=5 f=6 rest=7"),
        ("/1/2/3/4/5/6/7/8/9", "rest b=2 c=3 d=4 e=5 f=6 rest=7/8/9"),
        ("/1/2/3/4/5/6/7/8/no", "no c=3 d=4 e=5 f=6 rest=8"),
        ("/1/2/3/4/5/6//..", "404"),
    ] {
        assert_eq!(found(app, target), wanted, "{target}");
    }
}

/// Whether `PathBuf::join` on Windows and a system that drops blanks at a path's end keep what the text is joined to.
fn stays_on_windows(text: &str) -> bool {
    let leads_out = |part: &str| match part.as_bytes() {
        [letter, b':', ..] if letter.is_ascii_alphabetic() => true,
        // More than Windows does where something stands behind the blank.
        _ => matches!(part.split(' ').next(), Some("." | "..")),
    };
    !text.starts_with(['/', '\\']) && !text.split(['/', '\\']).any(leads_out)
}

fn stays_on_unix(text: &str) -> bool {
    let (folder, text) = (Path::new("/srv/www"), text.replace('\\', "/"));
    let joined = folder.join(text);
    joined.starts_with(folder) && !joined.components().any(|part| part == Component::ParentDir)
}

#[test]
fn a_rest_leaves_no_folder_and_a_segment_none_but_by_its_drive() {
    async fn tell(request: &mut Request<'_, ()>) -> Result<Vec<u8>, Error> {
        let mut space = [0; 64];
        let value = request.parameter("value").ok_or(Error::internal("the route has it"))?.decode(&mut space)?;
        Ok(value.as_bytes().to_vec())
    }
    let app = Router::new().route("/one/{value}", tenure::get(tell)).route("/all/{*value}", tenure::get(tell));
    let mut server = Server::new(app);
    let client = server.connect();
    let mut ask = |target: &str| {
        client.send(get(target));
        server.run();
        let response = responses(&client.received()).remove(0);
        (response.status, response.text().to_owned())
    };
    // What joins and what does not stand beside each other.
    let encodings = |text: &str| {
        let escaped =
            |lower| text.bytes().map(move |byte| if lower { format!("%{byte:02x}") } else { format!("%{byte:02X}") });
        [text.to_owned(), escaped(true).collect(), escaped(false).collect()]
    };
    let pieces: Vec<_> = ["/", "\\", ".", "..", "a", "C:", " ", "\0", "etc"].into_iter().flat_map(encodings).collect();
    let (mut inside, mut outside) = (0, 0);
    for number in 0..pieces.len().pow(3) {
        let value: String = (0..3).map(|place| &*pieces[number / pieces.len().pow(place) % pieces.len()]).collect();
        // What no head may have.
        if value.contains([' ', '\\', '\0']) {
            continue;
        }
        let mut space = [0; 64];
        let text = Encoded::path(&value).decode(&mut space).unwrap();
        // Where nothing has to stay on its drive, a colon is a byte as any other.
        let is_value = stays_on_windows(&text.replace(':', "-")) && stays_on_unix(text) && !text.contains('\0');
        let stays = is_value && stays_on_windows(text);
        assert_eq!(ask(&format!("/all/{value}")), if stays { (200, text.to_owned()) } else { not_found() }, "{value}");
        if !value.contains('/') {
            assert_eq!(
                ask(&format!("/one/{value}")),
                if is_value { (200, text.to_owned()) } else { not_found() },
                "{value}"
            );
        }
        if stays { inside += 1 } else { outside += 1 }
    }
    assert!(inside > 1000 && outside > 1000, "{inside} {outside}");
    for value in ["", "a/", "a//b", "...", "..a", "a..", "%252e%252e", "12:30", "ab:", "a%5Cb"] {
        assert_eq!(ask(&format!("/all/{value}")).0, 200, "{value}");
    }
}

fn not_found() -> (u16, String) {
    (404, "there is no such target here\n".to_owned())
}

#[test]
fn each_method_has_its_handler() {
    let app = || {
        let methods = tenure::get(says("get"))
            .post(says("post"))
            .put(says("put"))
            .delete(says("delete"))
            .patch(says("patch"))
            .options(says("options"))
            .on(Method::Trace, says("trace"))
            .extension("PURGE", says("purge"));
        Router::new().route("/", methods)
    };
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PURGE"] {
        assert_eq!(one(app(), &request(method, "/", "", "")), (200, method.to_lowercase()), "{method}");
    }
    for method in ["get", "PURGED", "PURG", "FOO"] {
        assert_eq!(one(app(), &request(method, "/", "", "")).0, 501, "{method}");
    }
    let each = || {
        Router::new()
            .route("/post", tenure::post(says("post")))
            .route("/put", put(says("put")))
            .route("/delete", delete(says("delete")))
            .route("/patch", patch(says("patch")))
            .route("/options", options(says("options")))
            .route("/purge", extension("PURGE", says("purge")))
            .route("/trace", on(Method::Trace, says("trace")))
    };
    for method in ["post", "put", "delete", "patch", "options", "purge", "trace"] {
        let bytes = request(&method.to_uppercase(), &format!("/{method}"), "", "");
        assert_eq!(one(each(), &bytes), (200, method.to_owned()));
    }
}

#[test]
fn each_of_many_methods_has_its_handler() {
    let app = || {
        let methods = tenure::get(says("GET")).post(says("POST")).put(says("PUT")).delete(says("DELETE"));
        let methods = methods.patch(says("PATCH")).options(says("OPTIONS")).extension("PURGE", says("PURGE"));
        Router::new().route("/", methods.any(says("any")))
    };
    for (method, wanted) in [
        ("GET", "GET"),
        ("POST", "POST"),
        ("PUT", "PUT"),
        ("DELETE", "DELETE"),
        ("PATCH", "PATCH"),
        ("OPTIONS", "OPTIONS"),
        ("PURGE", "PURGE"),
        ("TRACE", "any"),
        ("FOO", "any"),
    ] {
        assert_eq!(one(app(), &request(method, "/", "", "")), (200, wanted.to_owned()), "{method}");
    }
}

#[test]
fn what_is_added_for_one_method_goes_before_what_is_for_all() {
    for app in [0, 1] {
        let app = || {
            let all =
                Router::new().route("/first", any(says("every")).get(says("get")).extension("PURGE", says("purge")));
            let last = tenure::get(says("get")).extension("PURGE", says("purge")).any(says("every"));
            (all.route("/last", last), ["/first", "/last"][app])
        };
        for (method, wanted) in [
            ("GET", "get"),
            ("POST", "every"),
            ("TRACE", "every"),
            ("OPTIONS", "every"),
            ("PURGE", "purge"),
            ("FOO", "every"),
        ] {
            let (app, target) = app();
            assert_eq!(one(app, &request(method, target, "", "")), (200, wanted.to_owned()), "{method} {target}");
        }
        // HEAD is GET's, where there is one, and not that of all methods.
        let (app, target) = app();
        let bytes = feed(app, Settings::default(), [request("HEAD", target, "", "").as_bytes()]).bytes;
        assert_eq!(support::responses_to("H", &bytes)[0].field("content-length"), Some("3"), "{target}");
    }
}

#[test]
fn what_is_not_allowed_is_405_with_the_methods_that_are() {
    let app = || {
        let inner = Router::new().route("/deep", put(says("put")));
        Router::new()
            .route("/get", tenure::get(says("get")))
            .route("/post", tenure::post(says("post")))
            .route("/two", tenure::get(says("get")).post(says("post")).delete(says("delete")))
            .route("/head", on(Method::Head, says("head")).get(says("get")))
            .route("/options", options(says("options")).extension("PURGE", says("purge")))
            .nest("/nest/{a}", inner)
            .route("/", delete(says("delete")))
            .route("/param/{a}", patch(says("patch")))
    };
    for (method, target, allow) in [
        ("POST", "/get", "GET, HEAD, OPTIONS"),
        ("POST", "/get?x=y", "GET, HEAD, OPTIONS"),
        ("GET", "/post", "POST, OPTIONS"),
        ("HEAD", "/post", "POST, OPTIONS"),
        ("PUT", "/two", "GET, POST, DELETE, HEAD, OPTIONS"),
        ("TRACE", "/two", "GET, POST, DELETE, HEAD, OPTIONS"),
        ("POST", "/head", "HEAD, GET, OPTIONS"),
        ("GET", "/options", "OPTIONS, PURGE"),
        ("GET", "/nest/1/deep", "PUT, OPTIONS"),
        ("GET", "/nest/1/deep?x=/y", "PUT, OPTIONS"),
        ("GET", "http://h/nest/1/deep", "PUT, OPTIONS"),
        ("PUT", "http://h", "DELETE, OPTIONS"),
        ("PUT", "http://h?x=/y", "DELETE, OPTIONS"),
        ("GET", "/param/%31", "PATCH, OPTIONS"),
    ] {
        let bytes = request(method, target, "", "") + &get("/get");
        let answers = every_way(app, Settings::default(), &bytes);
        assert!(!answers.closed, "{method} {target}");
        let bytes = String::from_utf8(answers.bytes.clone()).unwrap();
        let heads = if method == "HEAD" { "HG" } else { "GG" };
        let responses = support::responses_to(heads, &answers.bytes);
        assert_eq!((responses[0].status, responses[1].status), (405, 200), "{method} {target}: {bytes}");
        assert_eq!(responses[0].field("allow"), Some(allow), "{method} {target}");
        // OPTIONS says the same.
        if method != "GET" || target != "/options" {
            let response = feed(app(), Settings::default(), [request("OPTIONS", target, "", "").as_bytes()]).response();
            assert_eq!((response.status, response.field("allow")), (204, Some(allow)), "{target}");
        }
    }
}

#[test]
fn methods_are_told_once_where_all_are_allowed() {
    let seven = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
    for (app, wanted) in
        [(0, seven), (1, seven), (2, "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PURGE, PUT"), (3, seven)]
    {
        let refuse = async |_: &mut Request<'_, ()>| Error::new(StatusCode::METHOD_NOT_ALLOWED, "not today");
        let router = Router::new();
        let target = "/";
        let bytes = request("DELETE", target, "", "");
        let response = match app {
            0 => feed(router.route("/", any(refuse)), Settings::default(), [bytes.as_bytes()]),
            1 => feed(router.route("/", any(refuse).get(says("get"))), Settings::default(), [bytes.as_bytes()]),
            2 => {
                let methods = tenure::get(says("get")).extension("PURGE", says("purge")).any(refuse);
                feed(router.route("/", methods), Settings::default(), [bytes.as_bytes()])
            }
            _ => feed(router.route("/", options(says("o")).any(refuse)), Settings::default(), [bytes.as_bytes()]),
        }
        .response();
        let mut allow: Vec<_> = response.field("allow").unwrap().split(", ").collect();
        allow.sort_unstable();
        assert_eq!(allow.join(", "), wanted, "{app}");
    }
}

// RFC 9110 section 9.3.7.
#[test]
fn options_about_the_server_in_general() {
    let app = || Router::new().route("/", tenure::get(says("root")));
    let bytes = request("OPTIONS", "*", "", "") + &get("/");
    assert_eq!(every_way(app, Settings::default(), bytes).statuses(), [204, 200]);
    assert_eq!(one(app(), &request("GET", "*", "", "")).0, 400);
}

#[test]
fn an_unknown_target_is_404_and_an_unknown_method_501() {
    let app = || Router::new().route("/", tenure::get(says("root")));
    for (bytes, status) in [
        (get("/nothing"), 404),
        (post("/nothing", "x"), 404),
        (request("FOO", "/nothing", "", ""), 404),
        (request("FOO", "/", "", ""), 501),
        (request("PUT", "/", "", ""), 405),
    ] {
        let answers = every_way(app, Settings::default(), bytes.clone() + &get("/"));
        assert_eq!(answers.statuses(), [status, 200], "{bytes}");
        assert!(!answers.closed);
    }
}

struct Counter(u32);

impl Session for Counter {
    fn end(self, _: EndReason) {}
}

// As `esp_http_server`'s own test: PUT /ctrl takes /hello away and gives it back while the server runs.
#[test]
fn a_route_is_switched_off_and_on_while_the_server_runs() {
    static HELLO: Switch = Switch::on();
    async fn hello(request: &mut Request<'_, Counter>) -> u32 {
        let counter = request.session_or_insert_with(|| Counter(0));
        counter.0 += 1;
        counter.0
    }
    async fn behind(_: &mut Request<'_, Counter>) -> &'static str {
        "behind"
    }
    async fn control(request: &mut Request<'_, Counter>) -> Result<(), Error> {
        HELLO.set(request.body().parse::<u8>().await? == 1);
        Ok(())
    }
    let inner = Router::new().nest("/hello", tenure::get(hello).when(&HELLO)).route("/{*behind}", tenure::get(behind));
    let app = Router::new()
        .nest("/nest", inner)
        .route("/hello", tenure::get(hello).when(&HELLO))
        .route("/{*other}", tenure::post(hello).when(&HELLO))
        .route("/ctrl", put(control));
    let mut server = Server::new(app);
    let (client, controller) = (server.connect(), server.connect());
    let mut ask = |bytes: String, controls: bool| {
        let client = if controls { &controller } else { &client };
        client.send(bytes);
        server.run();
        assert!(!client.is_closed());
        let response = responses(&client.received()).remove(0);
        (response.status, response.text().to_owned())
    };
    let control = |number| post("/ctrl", number).replace("POST", "PUT");
    assert_eq!(ask(get("/hello"), false), (200, "1".to_owned()));
    // A route in front of it that is on takes the target.
    assert_eq!(ask(control("0"), true).0, 405);
    HELLO.set(false);
    for _ in 0..2 {
        assert_eq!(ask(get("/hello"), false).0, 404);
        assert_eq!(ask(get("/nest/hello"), false), (200, "behind".to_owned()), "as if it had never been added");
        assert_eq!(ask(post("/hello", "x"), false).0, 404);
    }
    assert_eq!(ask(control("1"), true), (200, String::new()));
    assert_eq!(ask(get("/hello"), false), (200, "2".to_owned()));
    assert_eq!(ask(get("/nest/hello"), false), (200, "3".to_owned()));
    assert!(HELLO.is_on());
}

#[test]
fn what_cannot_be_meant_panics_when_the_router_is_made() {
    type Build = fn();
    let cases: [(&str, Build); 16] = [
        ("a route twice", || drop(Router::new().route("/a", any(says(""))).route("/a", any(says(""))))),
        ("a prefix twice", || drop(Router::new().nest("/a", any(says(""))).nest("/a", any(says(""))))),
        ("a prefix and a route", || drop(Router::new().nest("/a", any(says(""))).route("/a", any(says(""))))),
        ("a method twice", || drop(tenure::get(says("")).get(says("")))),
        ("a method twice, another between", || drop(tenure::get(says("")).post(says("")).get(says("")))),
        ("a method twice behind all", || drop(any(says("")).get(says("")).get(says("")))),
        ("a method twice around all", || drop(tenure::get(says("")).any(says("")).get(says("")))),
        ("all twice", || drop(any(says("")).get(says("")).any(says("")))),
        ("an extension twice", || drop(extension("PURGE", says("")).extension("PURGE", says("")))),
        ("an extension that is a method", || drop(extension("GET", says("")))),
        ("an extension that is no token", || drop(extension("A B", says("")))),
        ("CONNECT", || drop(extension("CONNECT", says("")))),
        ("a pattern without a slash", || drop(Router::new().route("a", any(says(""))))),
        ("an encoded pattern", || drop(Router::new().route("/a%20b", any(says(""))))),
        ("a pattern with a query", || drop(Router::new().route("/a?b", any(says(""))))),
        ("a part of a segment", || drop(Router::new().route("/a{b}", any(says(""))))),
    ];
    for (case, build) in cases {
        assert!(std::panic::catch_unwind(build).is_err(), "{case}");
    }
    drop(any(says("")).get(says("")).on(Method::Head, says("")).post(says("")));
    drop(Router::new().route("/a", any(says(""))).route("/a/", any(says(""))).nest("/b", any(says(""))));
}

#[test]
fn the_application_answers_errors_whoever_caused_them() {
    let own =
        |error: &Error| ([("Content-Type", "application/json"), ("X-Own", "1")], format!("{{\"{}\"}}", error.reason()));
    let app = move || {
        let fails = async |_: &mut Request<'_, ()>| Error::internal("secret");
        let inner = Router::new().route("/deep", put(says("put")));
        Router::new()
            .route("/", tenure::get(says("root")))
            .route("/fails", any(fails))
            .route("/made", any(async |_: &mut Request<'_, ()>| (StatusCode::NOT_FOUND, "made")))
            .nest("/nest", inner)
            .error(StatusCode::NOT_FOUND, own)
            .error(StatusCode::METHOD_NOT_ALLOWED, own)
            .error(StatusCode::BAD_REQUEST, own)
            .error(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, |_| (StatusCode::IM_A_TEAPOT, "418"))
            .error(StatusCode::INTERNAL_SERVER_ERROR, |_| "ours")
    };
    let limits = Limits { head_bytes_max: 200, ..Limits::HOST };
    for (bytes, status, text, closes) in [
        (get("/nothing"), 404, "{\"there is no such target here\"}", false),
        (get("/nest/nothing"), 404, "{\"there is no such target here\"}", false),
        (request("PUT", "/", "", ""), 405, "see Allow", false),
        (get("/nest/deep"), 405, "see Allow", false),
        (get("/fails"), 500, "ours", false),
        // What is not an error is the handler's own.
        (get("/made"), 404, "made", false),
        (get("/").replace("Host", "Host "), 400, "{\"no space may stand", true),
        (request("GET", "/", &format!("X: {}\r\n", support::text(200)), ""), 418, "418", true),
        // Beside them: no response of the application's.
        (request("FOO", "/", "", ""), 501, "this method is not known here\n", false),
        (get("/").replace("1.1", "2.0"), 505, "only HTTP/1.0 and HTTP/1.1", true),
    ] {
        let answers = every_way(app, Settings { limits, ..Settings::default() }, &bytes);
        let response = answers.response();
        assert_eq!(response.status, status, "{bytes}");
        assert!(response.text().contains(text), "{bytes}: {response:?}");
        assert_eq!((response.says_close(), answers.closed), (closes, closes), "{bytes}");
        let own = text.starts_with('{') || status == 405;
        assert_eq!(response.field("x-own"), own.then_some("1"), "{bytes}");
        let allow = if bytes.starts_with("PUT") { "GET, HEAD, OPTIONS" } else { "PUT, OPTIONS" };
        assert_eq!(response.field("allow"), (status == 405).then_some(allow), "{bytes}");
    }
}

trait Teapot {
    const IM_A_TEAPOT: StatusCode;
}

impl Teapot for StatusCode {
    const IM_A_TEAPOT: StatusCode = match StatusCode::new(418) {
        Some(status) => status,
        None => panic!(),
    };
}

#[test]
fn a_missed_deadline_is_answered_by_the_application_too() {
    let app = || {
        Router::new()
            .route("/", any(async |request: &mut Request<'_, ()>| request.body().whole().await.map(<[u8]>::to_vec)))
            .error(StatusCode::REQUEST_TIMEOUT, |_| "too slow")
    };
    for bytes in ["GE".to_owned(), request("POST", "/", "Content-Length: 3\r\n", "") + "a"] {
        let mut server = Server::new(app());
        let client = server.connect();
        client.send(&bytes);
        server.advance(60_000);
        let response = responses(&client.received()).remove(0);
        assert_eq!((response.status, response.text()), (408, "too slow"), "{bytes}");
        assert!(response.says_close() && client.is_closed(), "{bytes}");
    }
}

async fn guard<'r, H: Handler<()>>(request: &mut Request<'r, ()>, next: Next<'_, 'r, H>) -> Result<Sent, Error> {
    match request.query() {
        Some("replace") => next.run(request).await.map_err(|_| Error::conflict("replaced")),
        Some("own") => next.respond().send((StatusCode::ACCEPTED, request.path())).await,
        Some("refuse") => Err(Error::new(StatusCode::FORBIDDEN, "keep out")),
        Some("status") => {
            let sent = next.run(request).await?;
            assert_eq!(sent.status(), StatusCode::CREATED);
            request.close();
            Ok(sent)
        }
        _ => next.run(request).await,
    }
}

#[test]
fn a_middleware_sees_the_request_before_and_the_response_after() {
    let app = || {
        let created = async |_: &mut Request<'_, ()>| StatusCode::CREATED;
        let inner = Router::new().route("/deep", put(says("put"))).wrap(guard);
        Router::new()
            .route("/", tenure::get(created))
            .route("/fails", tenure::get(async |_: &mut Request<'_, ()>| Error::internal("secret")))
            .nest("/nest", inner)
            .wrap(guard)
    };
    for (bytes, status, text) in [
        (get("/"), 201, ""),
        (get("/fails"), 500, "Internal Server Error\n"),
        (get("/fails?replace"), 409, "replaced\n"),
        (get("/?replace"), 201, ""),
        (get("/nothing?replace"), 409, "replaced\n"),
        (get("/fails?own"), 202, "/fails"),
        (get("/nothing?refuse"), 403, "keep out\n"),
        (request("PUT", "/nest/deep", "", ""), 200, "put"),
        (request("PUT", "/nest/deep?own", "", ""), 202, "/nest/deep"),
    ] {
        let answers = every_way(app, Settings::default(), bytes.clone() + &get("/"));
        let responses = answers.responses();
        assert_eq!((responses[0].status, responses[0].text()), (status, text), "{bytes}");
        assert_eq!(responses[1].status, 201, "{bytes}");
    }
    // Allow and the application's error responses pass through.
    for target in ["/nest/deep", "/nest/deep?x"] {
        let response = feed(app(), Settings::default(), [get(target).as_bytes()]).response();
        assert_eq!((response.status, response.field("allow")), (405, Some("PUT, OPTIONS")));
    }
    let answers = feed(app(), Settings::default(), [get("/?status").as_bytes()]);
    assert_eq!((answers.response().status, answers.ended), (201, vec![EndReason::Handler]));
}

#[test]
fn error_responses_and_middleware_stand_in_any_order() {
    let app =
        || Router::new().route("/", tenure::get(says("root"))).error(StatusCode::NOT_FOUND, |_| "own").wrap(guard);
    assert_eq!(one(app(), &get("/nothing")), (404, "own".to_owned()));
    assert_eq!(one(app(), &get("/nothing?own")), (202, "/nothing".to_owned()));
}

/// What a router says of an error: its name.
fn page(name: &'static str) -> impl Fn(&Error) -> &'static str {
    move |_| name
}

#[test]
fn an_error_is_answered_by_the_innermost_router_that_has_a_response_for_it() {
    let app = || {
        let fails = async |_: &mut Request<'_, ()>| Error::conflict("not now");
        let plain = Router::new().route("/x", tenure::get(says("x")));
        let api = Router::new()
            .route("/", tenure::get(says("api")))
            .route("/fails", tenure::get(fails))
            .nest("/deep", plain)
            .nest(
                "/deeper",
                Router::new().route("/fails", tenure::get(fails)).error(StatusCode::CONFLICT, page("deeper")),
            )
            .error(StatusCode::NOT_FOUND, page("api"))
            .error(StatusCode::METHOD_NOT_ALLOWED, page("api"))
            .error(StatusCode::NOT_FOUND, page("never"))
            .wrap(guard);
        let root = Router::new().route("/root", tenure::get(says("root"))).error(StatusCode::BAD_REQUEST, page("root"));
        Router::new()
            .route("/fails", tenure::get(fails))
            .nest("/api", api)
            .nest("/of/{a}", Router::new().error(StatusCode::NOT_FOUND, page("of")))
            .nest("/whole", Router::new().error(StatusCode::NOT_FOUND, page("whole")))
            .nest("/", root.error(StatusCode::NOT_IMPLEMENTED, page("root")))
            .error(StatusCode::NOT_FOUND, page("outermost"))
            .error(StatusCode::METHOD_NOT_ALLOWED, page("outermost"))
            .error(StatusCode::BAD_REQUEST, page("outermost"))
            .error(StatusCode::FORBIDDEN, page("outermost"))
            .error(StatusCode::CONFLICT, page("outermost"))
    };
    for (bytes, status, text) in [
        (get("/api/none"), 404, "api"),
        (get("/%61pi/none?x=/y"), 404, "api"),
        (get("http://h/api/none"), 404, "api"),
        (post("/api", ""), 405, "api"),
        (get("/api"), 200, "api"),
        (get("/api/deep/none"), 404, "api"),
        (post("/api/deep/x", ""), 405, "api"),
        (get("/api/fails"), 409, "outermost"),
        (get("/api/deeper/fails"), 409, "deeper"),
        (get("/api/deeper/none"), 404, "api"),
        // Also what a middleware around the nested router says.
        (get("/api/none?refuse"), 403, "outermost"),
        (get("/api/none?replace"), 409, "outermost"),
        (get("/of/1/none"), 404, "of"),
        (get("/of/1"), 404, "of"),
        (get("/of"), 404, "outermost"),
        (get("/whole"), 404, "whole"),
        (get("/wholes"), 404, "outermost"),
        (get("/fails"), 409, "outermost"),
        (post("/root", ""), 405, "outermost"),
        (request("FOO", "/root", "", ""), 501, "root"),
        (get("http://h"), 404, "outermost"),
        // Before there is a request only the outermost counts.
        (get("/root").replace("Host", "Host "), 400, "outermost"),
        (request("GET", "*", "", ""), 400, "outermost"),
    ] {
        assert_eq!(one(app(), &bytes), (status, text.to_owned()), "{bytes}");
    }
    let response = feed(app(), Settings::default(), [post("/api/deep/x", "").as_bytes()]).response();
    assert_eq!(response.field("allow"), Some("GET, HEAD, OPTIONS"));
}

#[test]
fn a_handler_may_be_shared_and_lent() {
    let app: &'static _ = Box::leak(Box::new(Router::new().route("/", tenure::get(says("root")))));
    assert_eq!(one(app, &get("/")), (200, "root".to_owned()));
    let response = feed(app, small(16), [post("/", "x").as_bytes()]).response();
    assert_eq!((response.status, response.field("allow")), (405, Some("GET, HEAD, OPTIONS")));
}

/// The last middleware is asked first, and error pages stand around it.
#[test]
fn middleware_around_middleware() {
    async fn teapot<'r, H: Handler<()>>(request: &mut Request<'r, ()>, next: Next<'_, 'r, H>) -> Result<Sent, Error> {
        if request.field("a").is_some() {
            return Err(Error::new(StatusCode::CONFLICT, "inner"));
        }
        next.run(request).await
    }
    async fn guard<'r, H: Handler<()>>(request: &mut Request<'r, ()>, next: Next<'_, 'r, H>) -> Result<Sent, Error> {
        if request.field("b").is_some() {
            return Err(Error::new(StatusCode::FORBIDDEN, "outer"));
        }
        next.run(request).await
    }
    let app = || {
        Router::new()
            .route("/", any(says("routed")))
            .wrap(teapot)
            .wrap(guard)
            .error(StatusCode::CONFLICT, |error: &Error| error.reason())
            .error(StatusCode::FORBIDDEN, |error: &Error| error.reason())
    };
    for (fields, wanted) in [
        ("", (200, "routed")),
        ("A: 1\r\n", (409, "inner")),
        ("B: 1\r\n", (403, "outer")),
        ("A: 1\r\nB: 1\r\n", (403, "outer")),
    ] {
        let (status, text) = one(app(), &request("GET", "/", fields, ""));
        assert_eq!((status, &*text), wanted, "{fields}");
    }
}

/// A value that handlers share.
struct Shared {
    name: String,
    asked: std::cell::Cell<u32>,
}

#[test]
fn a_value_is_lent_to_handlers_beside_the_request() {
    async fn show(shared: &Shared, request: &mut Request<'_, ()>) -> String {
        shared.asked.set(shared.asked.get() + 1);
        format!("{} {} {}", shared.name, shared.asked.get(), request.target())
    }
    async fn read(shared: &Shared, request: &mut Request<'_, ()>) -> Result<String, Error> {
        let body: u32 = request.body().parse().await?;
        Ok(format!("{} {body}", shared.name))
    }
    let app = || {
        let shared: &Shared = Box::leak(Box::new(Shared { name: "lamp".to_owned(), asked: std::cell::Cell::new(0) }));
        let both = tenure::get(with(shared, show)).post(with(shared, read));
        Router::new()
            .route("/", both)
            .route("/str", tenure::get(with("text", async |text: &str, _: &mut Request<'_, ()>| text.len())))
    };
    let answers = every_way(app, Settings::default(), get("/") + &get("/?x") + &post("/", "7") + &get("/str"));
    let found: Vec<_> = answers.responses().iter().map(|response| response.text().to_owned()).collect();
    assert_eq!(found, ["lamp 1 /", "lamp 2 /?x", "lamp 7", "4"]);
    assert_eq!(one(app(), &post("/", "x")).0, 400);
}

#[test]
fn a_route_is_there_on_a_condition() {
    let app = |first: bool| {
        move || {
            let inner = Router::new().route("/", tenure::get(says("inner"))).error(StatusCode::NOT_FOUND, page("own"));
            Router::new()
                .route_if(first, "/a", tenure::get(says("first")))
                .route_if(!first, "/a", tenure::get(says("second")).post(says("second")))
                .route("/a/{a}", tenure::get(says("deep")))
                .nest("/b", first.then_some(inner))
                .route("/{a}", tenure::get(says("rest")))
        }
    };
    for (target, with, without) in [
        ("/a", "first", "second"),
        ("/a/1", "deep a=1", "deep a=1"),
        ("/b", "inner", "rest a=b"),
        ("/b/", "inner", "404"),
        ("/c", "rest a=c", "rest a=c"),
    ] {
        assert_eq!(
            (found(app(true), target), found(app(false), target)),
            (with.to_owned(), without.to_owned()),
            "{target}"
        );
    }
    assert_eq!(one(app(true)(), &get("/b/none")), (404, "own".to_owned()));
    assert_eq!(one(app(false)(), &get("/b/none")), not_found());
    for (first, allow) in [(true, "GET, HEAD, OPTIONS"), (false, "GET, POST, HEAD, OPTIONS")] {
        let response = feed(app(first)(), Settings::default(), [request("PUT", "/a", "", "").as_bytes()]).response();
        assert_eq!((response.status, response.field("allow")), (405, Some(allow)));
    }
    // A pattern is taken once only, and invalid in any case.
    let cases: [(&str, fn()); 3] = [
        ("twice", || drop(Router::new().route_if(true, "/a", any(says(""))).route_if(true, "/a", any(says(""))))),
        ("before a plain one", || drop(Router::new().route_if(true, "/a", any(says(""))).route("/a", any(says(""))))),
        ("invalid", || drop(Router::new().route_if(false, "a", any(says(""))))),
    ];
    for (case, build) in cases {
        assert!(std::panic::catch_unwind(build).is_err(), "{case}");
    }
    drop(Router::new().route_if(false, "/a", any(says(""))).route("/a", any(says(""))));
}

#[test]
fn a_fallback_answers_where_no_route_does() {
    let app = || {
        let own = Router::new().route("/x", tenure::get(says("x"))).fallback(tenure::get(says("own")));
        let none = Router::new().route("/x", tenure::get(says("x")));
        Router::new()
            .route("/a", tenure::get(says("a")))
            .nest("/own", own)
            .nest("/none", none)
            .fallback(tenure::get(async |request: &mut Request<'_, ()>| format!("fallback {}", request.target())))
    };
    for (target, wanted) in [
        ("/a", "a"),
        ("/", "fallback /"),
        ("/a/", "fallback /a/"),
        ("//", "fallback //"),
        ("/a/../b?c", "fallback /a/../b?c"),
        ("http://h", "fallback http://h"),
        ("/own/x", "x"),
        ("/own", "own"),
        ("/own/y/z", "own"),
        // Its own router has none.
        ("/none/y", "404"),
    ] {
        assert_eq!(found(app, target), wanted, "{target}");
    }
    // A target that is there has its own methods.
    for (target, status) in [("/a", 405), ("/b", 405)] {
        let response = every_way(app, Settings::default(), post(target, "x")).response();
        assert_eq!((response.status, response.field("allow")), (status, Some("GET, HEAD, OPTIONS")), "{target}");
    }
    // Any handler can be one: a router, or pages for errors around it.
    let paged = || {
        let handler =
            any(async |_: &mut Request<'_, ()>| Error::not_found("nothing")).error(StatusCode::NOT_FOUND, page("own"));
        Router::new().route("/a", tenure::get(says("a"))).fallback(handler).error(StatusCode::NOT_FOUND, page("outer"))
    };
    assert_eq!(one(paged(), &get("/b")), (404, "own".to_owned()));
    let cases: [(&str, fn()); 3] = [
        ("two", || drop(Router::new().fallback(any(says(""))).fallback(any(says(""))))),
        ("a route behind it", || drop(Router::new().fallback(any(says(""))).route("/a", any(says(""))))),
        ("a router behind it", || drop(Router::new().fallback(any(says(""))).nest("/a", any(says(""))))),
    ];
    for (case, build) in cases {
        assert!(std::panic::catch_unwind(build).is_err(), "{case}");
    }
}

#[test]
fn routers_of_one_type() {
    let value: &'static str = Box::leak("lent".to_owned().into_boxed_str());
    let boxed = |number: u32| -> tenure::Boxed<'static, ()> {
        let routes = Router::new().route("/{a}", tenure::get(says("plain")));
        match number {
            0 => routes.boxed(),
            1 => routes.error(StatusCode::NOT_FOUND, page("own")).fields([("X-A", "1")]).boxed(),
            2 => routes
                .route("/lent/x", put(with(value, async |value: &str, _: &mut Request<'_, ()>| value.to_owned())))
                .wrap(guard)
                .boxed(),
            _ => any(says("methods")).boxed(),
        }
    };
    let app = || {
        Router::new()
            .nest("/0", boxed(0))
            .nest("/1", boxed(1))
            .nest("/2", boxed(2))
            .route("/3", boxed(3))
            .errors(|failed: &tenure::Failed<'_>| format!("outer {}", failed.target()))
    };
    for (bytes, status, text) in [
        (get("/0/x"), 200, "plain a=x"),
        (get("/0/x/y"), 404, "outer /0/x/y"),
        (get("/1/x"), 200, "plain a=x"),
        (get("/1/x/y"), 404, "own"),
        (post("/1/x", ""), 405, "outer /1/x"),
        (request("PUT", "/2/lent/x", "", ""), 200, "lent"),
        (get("/2/lent/x?refuse"), 403, "outer /2/lent/x?refuse"),
        (get("/2/lent/x"), 405, "outer /2/lent/x"),
        (post("/3", "a body"), 200, "methods"),
        (get("/4"), 404, "outer /4"),
    ] {
        for settings in [Settings::default(), small(16)] {
            let response = every_way(app, settings, &bytes).response();
            assert_eq!((response.status, response.text()), (status, text), "{bytes}");
            assert_eq!(response.field("x-a").is_some(), bytes.contains(" /1/"), "{bytes}");
            let allow = if text.contains("lent") { "PUT, OPTIONS" } else { "GET, HEAD, OPTIONS" };
            assert_eq!(response.field("allow"), (status == 405).then_some(allow), "{bytes}");
        }
    }
    // Before there is a request, its own layers count where it is the outermost.
    let refused = every_way(|| boxed(1), Settings::default(), get("/x").replace("Host", "Host ")).response();
    assert_eq!((refused.status, refused.field("x-a")), (400, Some("1")));
}
