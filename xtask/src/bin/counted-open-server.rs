//! The application whose messages are counted: echoes, and publications. A program of its own, so that what the compiler makes of
//! the other one does not depend on it. Not for people: `cargo xtask instructions` starts it.

use std::num::NonZeroUsize;

use tenure::{EndReason, Error, Frame, Message, MessageTopic, Request, Router, Session, Upgrade, post, websocket};
use tenure_linux::{Server, Settings};

const ROOM: MessageTopic = MessageTopic::new(0);

/// What one client has added up over its connection.
struct Sum(i64);

impl Session for Sum {
    fn end(self, _: EndReason) {}
}

async fn add(request: &mut Request<'_, Sum>) -> Result<i64, Error> {
    let number: i64 = request.body().parse().await?;
    let Sum(sum) = request.session_or_insert_with(|| Sum(0));
    *sum = sum.checked_add(number).ok_or(Error::unprocessable("the sum would overflow"))?;
    Ok(*sum)
}

fn main() -> Result<(), tenure_linux::Error> {
    let echo = websocket(
        async |_: &mut Request<'_, Sum>| Ok(Upgrade::websocket()),
        async |message: &mut Message<'_, Sum>| message.send(Frame::binary(message.bytes())).await,
    );
    let room = websocket(
        async |_: &mut Request<'_, Sum>| Ok(Upgrade::websocket().topic(ROOM)),
        async |message: &mut Message<'_, Sum>| message.publish(ROOM, Frame::binary(message.bytes())),
    );
    let app = Router::new().route("/adder", post(add)).route("/echo", echo).route("/room", room);
    let settings = Settings { threads: NonZeroUsize::new(1), ..Settings::at(([127, 0, 0, 1], 0).into()) };
    let server = Server::bind(settings)?.stop_on_signals()?;
    println!("Starting server on port: '{}'", server.local_addr().port());
    server.run(&app, &())
}
