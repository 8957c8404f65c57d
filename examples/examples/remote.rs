//! A device's remote control over a WebSocket: each command has a number, and the device acknowledges it once it is done.
//!
//! A command is `7 forward`, its answer `7 done`, or `7 refused` and why. The state goes to all who watch. The motor stops when its
//! driver's connection ends, however that comes: a lost link, a closed page, a server that stops.
//!
//! `cargo run --example remote`, then open <http://127.0.0.1:8080/>, or `tenure chat ws://127.0.0.1:8080/motor` in a terminal and
//! say `1 forward`. `cargo test --example remote` drives without a socket.

use std::sync::Mutex;

use tenure::{
    ConnectionId, EndReason, Error, Frame, Handler, Html, Message, MessageTopic, Request, Router, Session, Upgrade,
    get, websocket,
};
use tenure_linux::{Server, Settings};

const STATE: MessageTopic = MessageTopic::new(0);

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Motor</title>
<button>forward</button> <button>back</button> <button>stop</button> <output>?</output>
<script>
const socket = new WebSocket("/motor");
const output = document.querySelector("output");
const waiting = new Map();
let number = 0;
for (const button of document.querySelectorAll("button")) {
    button.onclick = () => {
        button.disabled = true; // until it is acknowledged
        waiting.set(++number, button);
        socket.send(`${number} ${button.textContent}`);
    };
}
socket.onmessage = message => {
    const [, number, answer] = message.data.match(/^(\S+) (.*)$/);
    if (number === "state") return output.textContent = answer;
    waiting.get(+number).disabled = false;
    if (answer !== "done") output.textContent = answer;
};
socket.onclose = () => output.textContent = "no connection";
</script>"#;

/// The motor: which way it runs, and who drives it.
struct Motor {
    state: &'static str,
    driver: Option<ConnectionId>,
}

static MOTOR: Mutex<Motor> = Mutex::new(Motor { state: "stop", driver: None });

impl Motor {
    fn obey(&mut self, driver: ConnectionId, command: &str) -> Result<(), &'static str> {
        if self.driver.is_some_and(|other| other != driver) {
            return Err("somebody else drives");
        }
        self.state = match command {
            "forward" => "forward",
            "back" => "back",
            "stop" => "stop",
            _ => return Err("the motor knows forward, back and stop"),
        };
        self.driver = (self.state != "stop").then_some(driver);
        Ok(())
    }
}

/// A connection that may drive.
struct Remote(ConnectionId);

impl Session for Remote {
    fn end(self, reason: EndReason) {
        let mut motor = MOTOR.lock().expect("nobody panics with it");
        if motor.driver == Some(self.0) {
            (motor.state, motor.driver) = ("stop", None);
            println!("the motor stops: {reason}");
        }
    }
}

async fn enter(request: &mut Request<'_, Remote>) -> Result<Upgrade, Error> {
    let id = request.id();
    request.session_or_insert_with(|| Remote(id));
    Ok(Upgrade::websocket().topic(STATE))
}

async fn command(message: &mut Message<'_, Remote>) -> Result<(), Error> {
    let (number, command) = message.text()?.split_once(' ').unwrap_or(("?", ""));
    let (result, state) = {
        let mut motor = MOTOR.lock().expect("nobody panics with it");
        (motor.obey(message.id(), command), format!("state {}", motor.state))
    };
    let answer = match result {
        Ok(()) => format!("{number} done"),
        Err(why) => format!("{number} refused: {why}"),
    };
    message.send(Frame::text(&answer)).await?;
    message.publish(STATE, Frame::text(&state))
}

fn app() -> impl Handler<Remote> + Send + Sync {
    Router::new()
        .route("/", get(async |_: &mut Request<'_, Remote>| Html(PAGE)))
        .route("/motor", websocket(enter, command))
}

fn main() -> Result<(), tenure_linux::Error> {
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    println!("driving at http://{}/", server.local_addr());
    server.run(&app(), &())
}

#[test]
fn each_command_is_acknowledged_and_the_motor_never_runs_alone() {
    let mut server = tenure::kit::Server::new(app());
    let (driver, other) = (server.websocket("/motor"), server.websocket("/motor"));
    driver.say("1 forward");
    server.run();
    assert_eq!(driver.texts(), ["1 done", "state forward"]);
    driver.say("2 fly");
    server.run();
    assert_eq!(driver.texts(), ["2 refused: the motor knows forward, back and stop", "state forward"]);
    other.say("1 stop");
    server.run();
    assert_eq!(other.texts(), ["state forward", "state forward", "1 refused: somebody else drives", "state forward"]);
    driver.client().reset();
    server.run();
    assert_eq!(MOTOR.lock().unwrap().state, "stop");
    other.say("2 back");
    server.run();
    assert_eq!(other.texts(), ["2 done", "state back"]);
}
