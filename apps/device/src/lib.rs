//! The service of a device, with its page: the same application on a board without a heap and on a host.
//!
//! | target | method | what it does |
//! |---|---|---|
//! | `/api/config` | GET | answers the settings as JSON |
//! | | PUT | takes new settings, as JSON, and answers them |
//! | `/api/pins` | GET | lists the pins; `?from=1&limit=2` a part of them |
//! | `/api/pins/{pin}` | POST | switches a pin, `?on=true&level=50`, and answers it |
//! | all others | GET | the page and its files, from flash |
//!
//! `/api` is for those who send the word of access ([`WORD`]), whose pages may be those of [`ORIGIN`]. Every error is JSON.
//!
//! [`exchanges`] says what it answers to what, for a test on each port.
#![no_std]
#![forbid(unsafe_code)]

pub mod exchanges;

use core::{cell::RefCell, fmt::Write as _};

use critical_section::Mutex;
use serde::{Deserialize, Serialize};
use tenure::{Cors, Error, Failed, Handler, Json, Next, Request, Router, Secured, Sent, StatusCode, files, get, post};

// What the build script has written: static SITE, a tenure::files::Table.
include!(concat!(env!("OUT_DIR"), "/site.rs"));

/// What `Authorization` must be for `/api`.
pub const WORD: &str = "Bearer open";

/// The site whose pages may use `/api`, besides the device's own.
pub const ORIGIN: &str = "https://panel.example";

const CORS: Cors = Cors::origins(&[ORIGIN]).fields(&["Authorization", "Content-Type"]).max_age(600);

/// Settings.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The device's name.
    pub name: heapless::String<32>,
    /// Its network.
    pub wifi: Wifi,
    /// Seconds between two measurements.
    pub interval_s: u32,
}

/// A network, and the port of a service there.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Wifi {
    /// The network's name.
    pub ssid: heapless::String<32>,
    /// Where the device reports to.
    pub port: u16,
}

/// A pin that can be switched.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Its number.
    pub pin: u8,
    /// Whether it is on.
    pub on: bool,
    /// How strong, in percent.
    pub level: u8,
}

/// The device's state, which all connections share.
#[derive(Debug)]
pub struct Device(Mutex<RefCell<State>>);

#[derive(Debug)]
struct State {
    /// None until somebody has set them.
    config: Option<Config>,
    pins: [Pin; 4],
}

impl Device {
    /// A device with the settings that it comes with, all pins off.
    pub const fn new() -> Self {
        const fn off(pin: u8) -> Pin {
            Pin { pin, on: false, level: 0 }
        }
        Device(Mutex::new(RefCell::new(State { config: None, pins: [off(4), off(5), off(18), off(19)] })))
    }

    /// The settings.
    pub fn config(&self) -> Config {
        self.with(|state| state.config.clone()).unwrap_or_else(|| Config {
            name: text("lamp"),
            wifi: Wifi { ssid: text("home"), port: 1883 },
            interval_s: 5,
        })
    }

    fn set(&self, config: Config) {
        self.with(|state| state.config = Some(config));
    }

    fn switch(&self, number: u8, Switch { on, level }: Switch) -> Result<Pin, Error> {
        if level.is_some_and(|level| level > 100) {
            return Err(Error::unprocessable("a level is 0 to 100"));
        }
        self.with(|state| {
            let pin = state.pins.iter_mut().find(|pin| pin.pin == number);
            let pin = pin.ok_or(Error::not_found("there is no such pin: see GET /api/pins"))?;
            *pin = Pin { on, level: level.unwrap_or(if on { 100 } else { 0 }), ..*pin };
            Ok(*pin)
        })
    }

    fn pins(&self, Part { from, limit }: Part) -> Json<heapless::Vec<Pin, 4>> {
        let pins = self.with(|state| state.pins);
        Json(pins.into_iter().skip(from).take(limit.unwrap_or(usize::MAX)).collect())
    }

    /// On a board interrupts wait meanwhile, on a host other threads: it is short.
    fn with<R>(&self, then: impl FnOnce(&mut State) -> R) -> R {
        critical_section::with(|section| then(&mut self.0.borrow_ref_mut(section)))
    }
}

impl Default for Device {
    fn default() -> Self {
        Device::new()
    }
}

/// A text that fits.
fn text<const N: usize>(text: &str) -> heapless::String<N> {
    text.try_into().unwrap_or_default()
}

#[derive(Deserialize)]
struct Switch {
    on: bool,
    level: Option<u8>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    from: usize,
    limit: Option<usize>,
}

/// An error as JSON. What is longer is cut off.
#[derive(Serialize)]
struct Problem {
    status: u16,
    error: heapless::String<128>,
}

fn problem(failed: &Failed<'_>) -> Json<Problem> {
    let mut error = heapless::String::new();
    let _ = write!(error, "{failed}");
    Json(Problem { status: failed.status().code(), error })
}

/// RFC 9110 section 15.5.2: whoever is refused is told how to log in.
fn who(failed: &Failed<'_>) -> (Option<[(&'static str, &'static str); 1]>, Json<Problem>) {
    let is_unknown = failed.status() == StatusCode::UNAUTHORIZED;
    (is_unknown.then_some([("WWW-Authenticate", "Bearer")]), problem(failed))
}

async fn guard<'r, H: Handler<()>>(request: &mut Request<'r, ()>, next: Next<'_, 'r, H>) -> Result<Sent, Error> {
    match request.field("authorization") {
        Some(WORD) => next.run(request).await,
        _ => Err(Error::unauthorized("send the word of access")),
    }
}

/// The application.
///
/// # Examples
/// ```
/// static DEVICE: tenure_device::Device = tenure_device::Device::new();
///
/// let app = tenure_device::app(&DEVICE);
/// # let _ = app;
/// ```
pub fn app(device: &Device) -> impl Handler<()> + Sync {
    let read = async |_: &mut Request<'_, ()>| Json(device.config());
    let write = async |request: &mut Request<'_, ()>| {
        let new: Config = request.body().json().await?;
        device.set(new.clone());
        Ok::<_, Error>(Json(new))
    };
    let list = async |request: &mut Request<'_, ()>| Ok::<_, Error>(device.pins(request.query_as()?));
    let switch = async |request: &mut Request<'_, ()>| {
        Ok::<_, Error>(Json(device.switch(request.parameter_as("pin")?, request.query_as()?)?))
    };
    let api = Router::new()
        .route("/config", get(read).put(write))
        .route("/pins", get(list))
        .route("/pins/{pin}", post(switch))
        .wrap(guard)
        .errors(who)
        .cors(CORS);
    Router::new().nest("/api", api).route("/{*rest}", files(&SITE)).errors(problem).fields(Secured::new())
}
