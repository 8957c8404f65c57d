//! An application that adds numbers, a sum for each connection: the same one on a board and on a host.
//!
//! | target | method | what it does |
//! |---|---|---|
//! | `/adder` | POST | adds the number in the body to the connection's sum and answers the sum |
//! | | PUT | sets the sum and answers it |
//! | | GET | answers the sum, 0 on a new connection |
//! | `/login` | GET | gives the connection a session of value 1 if it has none, and answers the value |
//! | `/logout` | GET | takes the session away and answers 1 |
//! | `/id` | GET | answers the connection's id |
//! | `/` | GET | a page for a person to add, set and read, which shows the connection's id |
//!
//! [`live_app`] is the same with a page that sees every sum change, and a chat.
//!
//! Each request to `/adder` and to `/login` counts as a visit, whatever becomes of it. A number is decimal digits with a
//! sign or without, white space around it, within `i64`; anything else is answered 400 and a sum that would overflow
//! 422, both with the reason, and leave the sum as it was.
//!
//! What happens is logged with the texts of the ESP-IDF example `persistent_sockets`, under its tag [`TARGET`].
#![no_std]
#![forbid(unsafe_code)]

mod live;

use core::fmt::Write as _;

use log::info;
use portable_atomic::{AtomicU32, Ordering};
use tenure::{EndReason, Error, Handler, Html, Request, Router, Session, get, post};

use crate::live::Watch;
pub use crate::live::{Ends, LINE_BYTES_MAX, LIVE_PAGE, Live, ROOM, SUMS, live_app};

/// The tag of the log lines.
pub const TARGET: &str = "example";

/// The type of sums, values and ids, as with `esp_http_server`: for [`Limits::content_type`](tenure::Limits::content_type).
pub const CONTENT_TYPE: Option<&str> = Some("text/html");

/// The page at `/`: it needs nothing from elsewhere.
pub const PAGE: &str = include_str!("page.html");

/// Characters of a connection's id at the most: worker, index and generation with dots between.
const ID_CHARACTERS_MAX: usize = "255.16777215.4294967295".len();

/// What one client has added up over its connection.
#[derive(Debug)]
pub struct Adder {
    sum: i64,
    maker: Maker,
}

/// Who has made a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Maker {
    Adder,
    /// It has no free function in the original, so its end is not logged.
    Login,
}

impl Session for Adder {
    fn end(self, _: EndReason) {
        if self.maker == Maker::Adder {
            info!(target: TARGET, "/adder Free Context function called");
        }
    }
}

impl Adder {
    /// The session of a connection, made by `/adder` where there is none yet.
    #[inline]
    fn of<'a>(request: &'a mut Request<'_, Adder>, made: &str) -> &'a mut Adder {
        request.session_or_insert_with(|| {
            info!(target: TARGET, "{made}");
            Adder { sum: 0, maker: Maker::Adder }
        })
    }
}

/// How many visits there have been, over all connections. It wraps.
#[derive(Debug, Default)]
pub struct Visitors(AtomicU32);

impl Visitors {
    /// No visits so far.
    pub const fn new() -> Self {
        Visitors(AtomicU32::new(0))
    }

    /// The visits so far.
    pub fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    fn visit(&self, target: &str) {
        let count = self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        info!(target: TARGET, "{target} visitor count = {count}");
    }
}

/// Logs that a server starts on that port. For a port to call before [`app`].
pub fn log_starting(port: u16) {
    info!(target: TARGET, "Starting server on port: '{port}'");
}

/// The application. It logs that it registers its targets.
///
/// # Examples
/// ```
/// static VISITORS: tenure_adder::Visitors = tenure_adder::Visitors::new();
///
/// let app = tenure_adder::app(&VISITORS);
/// # let _ = app;
/// ```
pub fn app(visitors: &Visitors) -> impl Handler<Adder> + Sync {
    log_registering();
    // What is asked for most comes first: it is the cheapest to reach.
    Router::new()
        .route("/adder", adder_route(visitors, ()))
        .route("/login", login_route(visitors, ()))
        .route("/logout", logout_route(()))
        .route("/id", get(async |request: &mut Request<'_, Adder>| id(request)))
        .route("/", get(async |_: &mut Request<'_, Adder>| Html(PAGE)))
}

fn log_registering() {
    info!(target: TARGET, "Registering URI handlers");
}

fn adder_route<W: Watch>(visitors: &Visitors, watch: W) -> impl Handler<Adder> + Sync {
    post(async move |request: &mut Request<'_, Adder>| {
        visitors.visit("/adder");
        let number = request.body().parse().await?;
        let sum = add(request, number)?;
        watch.changed(request, sum);
        Ok::<i64, Error>(sum)
    })
    .get(async move |request: &mut Request<'_, Adder>| {
        visitors.visit("/adder");
        let is_new = request.session().is_none();
        let sum = read(request);
        if is_new {
            watch.changed(request, sum);
        }
        sum
    })
    .put(async move |request: &mut Request<'_, Adder>| {
        visitors.visit("/adder");
        let number = request.body().parse().await?;
        let sum = set(request, number);
        watch.changed(request, sum);
        Ok::<i64, Error>(sum)
    })
}

fn login_route<W: Watch>(visitors: &Visitors, watch: W) -> impl Handler<Adder> + Sync {
    get(async move |request: &mut Request<'_, Adder>| {
        let is_new = request.session().is_none();
        let value = login(request, visitors);
        if is_new {
            watch.changed(request, value);
        }
        value
    })
}

fn logout_route<W: Watch>(watch: W) -> impl Handler<Adder> + Sync {
    get(async move |request: &mut Request<'_, Adder>| {
        info!(target: TARGET, "Logging out");
        if request.end_session() {
            watch.removed(request);
        }
        1_u8
    })
}

fn add(request: &mut Request<'_, Adder>, number: i64) -> Result<i64, Error> {
    info!(target: TARGET, "/adder handler read {number}");
    let adder = Adder::of(request, "/adder allocating new session");
    adder.sum = adder.sum.checked_add(number).ok_or(OVERFLOW)?;
    Ok(adder.sum)
}

const OVERFLOW: Error =
    Error::unprocessable("the sum would leave the range of a 64-bit number: it stays as it was, see GET /adder");

fn set(request: &mut Request<'_, Adder>, number: i64) -> i64 {
    info!(target: TARGET, "/adder PUT handler read {number}");
    Adder::of(request, "/adder PUT allocating new session").sum = number;
    number
}

fn read(request: &mut Request<'_, Adder>) -> i64 {
    let sum = Adder::of(request, "/adder GET allocating new session").sum;
    info!(target: TARGET, "/adder GET handler send {sum}");
    sum
}

fn login(request: &mut Request<'_, Adder>, visitors: &Visitors) -> i64 {
    visitors.visit("/login");
    let session = request.session_or_insert_with(|| {
        info!(target: TARGET, "/login GET allocating new session");
        Adder { sum: 1, maker: Maker::Login }
    });
    info!(target: TARGET, "/login GET handler send {}", session.sum);
    session.sum
}

fn id(request: &Request<'_, Adder>) -> Result<heapless::String<ID_CHARACTERS_MAX>, Error> {
    let mut text = heapless::String::new();
    write!(text, "{}", request.id()).map_err(|_| Error::internal("a connection's id is longer than thought"))?;
    Ok(text)
}

// Who made a session costs nothing: it stands where `Option<Adder>` says whether there is one.
const _: () = assert!(size_of::<Option<Adder>>() <= 16);
