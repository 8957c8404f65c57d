//! A chat over WebSockets: a line that one says goes to all, on whatever worker they are.
//!
//! `cargo run --example chat`, then open <http://127.0.0.1:8080/> in two tabs, or `tenure chat ws://127.0.0.1:8080/chat?name=Ada`
//! in a terminal. `cargo test --example chat` talks to itself.

use tenure::{
    EndReason, Error, Frame, Handler, Html, Message, MessageTopic, Request, Router, Session, Upgrade, get, websocket,
};
use tenure_linux::{Server, Settings};

const ROOM: MessageTopic = MessageTopic::new(0);

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Chat</title>
<form><input placeholder="say something" autofocus></form><ul></ul>
<script>
const [form, input, lines] = ["form", "input", "ul"].map(name => document.querySelector(name));
const socket = new WebSocket("/chat?name=" + encodeURIComponent(prompt("Your name?") || "somebody"));
const show = text => lines.prepend(Object.assign(document.createElement("li"), { textContent: text }));
socket.onmessage = message => show(message.data);
socket.onclose = end => show(`closed: ${end.code} ${end.reason}`);
form.onsubmit = event => { event.preventDefault(); socket.send(input.value); input.value = ""; };
</script>"#;

/// Lives as long as the connection.
struct Guest {
    name: String,
}

impl Session for Guest {
    fn end(self, reason: EndReason) {
        println!("{} has left: {reason}", self.name);
    }
}

/// Decides who may enter, before the handshake: an error is answered as to any request.
async fn enter(request: &mut Request<'_, Guest>) -> Result<Upgrade, Error> {
    let name = request.query_value("name").ok_or(Error::bad_request("say who you are: /chat?name="))?;
    let name = name.decode(&mut [0; 60])?.to_owned();
    request.session_or_insert_with(|| Guest { name });
    Ok(Upgrade::websocket().topic(ROOM))
}

async fn said(message: &mut Message<'_, Guest>) -> Result<(), Error> {
    let guest = message.session().ok_or(Error::internal("whoever has entered has a name"))?;
    let line = format!("{}: {}", guest.name, message.text()?);
    message.publish(ROOM, Frame::text(&line))
}

fn app() -> impl Handler<Guest> + Send + Sync {
    Router::new().route("/", get(async |_: &mut Request<'_, Guest>| Html(PAGE))).route("/chat", websocket(enter, said))
}

fn main() -> Result<(), tenure_linux::Error> {
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    println!("chatting at http://{}/", server.local_addr());
    server.run(&app(), &())
}

#[test]
fn a_line_goes_to_all() {
    let mut server = tenure::kit::Server::new(app());
    let (ada, bob) = (server.websocket("/chat?name=Ada"), server.websocket("/chat?name=Bob%20%26+Co"));
    ada.say("hello");
    bob.say("good day");
    server.run();
    for guest in [ada, bob] {
        assert_eq!(guest.texts(), ["Ada: hello", "Bob & Co: good day"]);
    }
}
