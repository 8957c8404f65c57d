//! The WebSocket echo on tenure: one thread. An input buffer holds the longest message that is sent, so that each is heard whole.

use std::{
    io::{self, Write as _},
    net::Ipv4Addr,
    num::NonZeroUsize,
};

use tenure::{Error, Frame, Message, MessageTopic, Request, Router, Upgrade, websocket};
use tenure_linux::{Server, Settings};

type Failure = Box<dyn std::error::Error>;

const ROOM: MessageTopic = MessageTopic::new(0);
const CONNECTIONS: u32 = 12_000;

fn main() -> Result<(), Failure> {
    let settings = Settings {
        threads: NonZeroUsize::new(1),
        connections_max: CONNECTIONS,
        open_max: Some(CONNECTIONS),
        input_bytes: 20_000,
        ..Settings::at((Ipv4Addr::LOCALHOST, 0).into())
    };
    let server = Server::bind(settings)?;
    println!("listening on {}", server.local_addr());
    io::stdout().flush()?;
    let app = Router::new().route("/echo", websocket(enter, echo)).route("/room", websocket(join, tell));
    Ok(server.run(&app, &())?)
}

async fn enter(_: &mut Request<'_, ()>) -> Result<Upgrade, Error> {
    Ok(Upgrade::websocket())
}

async fn join(_: &mut Request<'_, ()>) -> Result<Upgrade, Error> {
    Ok(Upgrade::websocket().topic(ROOM))
}

async fn echo(message: &mut Message<'_, ()>) -> Result<(), Error> {
    let frame = frame(message)?;
    message.send(frame).await
}

async fn tell(message: &mut Message<'_, ()>) -> Result<(), Error> {
    let frame = frame(message)?;
    message.publish(ROOM, frame)
}

fn frame<'m>(message: &Message<'m, ()>) -> Result<Frame<'m>, Error> {
    Ok(if message.is_text() { Frame::text(message.text()?) } else { Frame::binary(message.bytes()) })
}
