//! The service of a device: settings as JSON, pins, a word of access, and errors that are JSON, too.
//!
//! `cargo run --example device`, then
//! - `curl http://127.0.0.1:8080/api/config`: 401;
//! - `curl --oauth2-bearer open http://127.0.0.1:8080/api/config`: the settings;
//! - `curl --oauth2-bearer open --json '{"name":"lamp","wifi":{"ssid":"home","port":70000}}' -X PUT http://127.0.0.1:8080/api/config`:
//!   400, which says that the port is above 65535, and at which byte;
//! - `curl --oauth2-bearer open -X POST 'http://127.0.0.1:8080/api/pins/4?on=true'`: the pin.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use tenure::{Error, Failed, Handler, Json, Next, Request, Router, Sent, get, post};
use tenure_linux::{Server, Settings};

#[derive(Serialize, Deserialize, Clone)]
struct Config {
    name: String,
    wifi: Wifi,
}

#[derive(Serialize, Deserialize, Clone)]
struct Wifi {
    ssid: String,
    port: u16,
}

#[derive(Serialize, Deserialize)]
struct Switch {
    on: bool,
    /// How bright, in percent.
    level: Option<u8>,
}

#[derive(Serialize)]
struct Problem {
    status: u16,
    error: String,
}

async fn pin(request: &mut Request<'_, ()>) -> Result<Json<(u8, Switch)>, Error> {
    let pin = request.parameter_as("pin")?;
    let switch: Switch = request.query_as()?;
    if switch.level.is_some_and(|level| level > 100) {
        return Err(Error::unprocessable("a level is 0 to 100"));
    }
    Ok(Json((pin, switch)))
}

async fn guard<'r, H: Handler<()>>(request: &mut Request<'r, ()>, next: Next<'_, 'r, H>) -> Result<Sent, Error> {
    match request.field("authorization") {
        Some("Bearer open") => next.run(request).await,
        _ => Err(Error::unauthorized("send the word of access").field("WWW-Authenticate", "Bearer")),
    }
}

fn problem(failed: &Failed<'_>) -> Json<Problem> {
    Json(Problem { status: failed.status().code(), error: failed.to_string() })
}

fn app(config: &Mutex<Config>) -> impl Handler<()> + '_ {
    let read = async |_: &mut Request<'_, ()>| Json(config.lock().unwrap().clone());
    let write = async |request: &mut Request<'_, ()>| {
        let new: Config = request.body().json().await?;
        *config.lock().unwrap() = new.clone();
        Ok::<_, Error>(Json(new))
    };
    let api = Router::new().route("/config", get(read).put(write)).route("/pins/{pin}", post(pin)).wrap(guard);
    Router::new().nest("/api", api).errors(problem)
}

fn config() -> Mutex<Config> {
    Mutex::new(Config { name: "lamp".into(), wifi: Wifi { ssid: "home".into(), port: 80 } })
}

fn main() -> Result<(), tenure_linux::Error> {
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    println!("the device is at http://{}/api/config", server.local_addr());
    server.run(&app(&config()), &())
}

#[cfg(test)]
mod tests {
    use super::{app, config};
    use tenure::kit::Server;

    #[test]
    fn all_answers_are_json() {
        let config = Box::leak(Box::new(config()));
        let mut server = Server::new(app(config));
        let client = server.connect();
        let mut answer = |method: &str, target: &str, body: &str| {
            client.send(format!(
                "{method} {target} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer open\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            ));
            server.run();
            let answer = client.received_text();
            assert!(answer.contains("\r\nContent-Type: application/json\r\n"), "{answer}");
            answer[9..12].to_owned() + answer.split_once("\r\n\r\n").unwrap().1
        };
        let of = |port: u32| format!(r#"{{"name":"fan","wifi":{{"ssid":"home","port":{port}}}}}"#);
        assert_eq!(answer("PUT", "/api/config", &of(65_535)), "200".to_owned() + &of(65_535));
        assert_eq!(
            answer("PUT", "/api/config", &of(65_536)),
            r#"400{"status":400,"error":"\"wifi.port\": 65536 is above 65535 (byte 43)"}"#
        );
        assert_eq!(answer("GET", "/api/config", ""), "200".to_owned() + &of(65_535));
        assert_eq!(answer("POST", "/api/pins/4?on=1&level=100", ""), r#"200[4,{"on":true,"level":100}]"#);
        assert_eq!(answer("POST", "/api/pins/4?on=1&level=101", "")[..3], *"422");
        assert_eq!(answer("POST", "/api/pins/256?on=1", "")[..3], *"400");
        assert_eq!(answer("POST", "/api/pins/4", ""), r#"400{"status":400,"error":"\"on\" is missing"}"#);
        assert_eq!(answer("GET", "/api", "")[..3], *"404");
    }
}
