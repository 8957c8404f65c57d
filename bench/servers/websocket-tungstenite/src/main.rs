//! The WebSocket echo on tokio-tungstenite: one thread, a read buffer of 1 KiB, for with its own of 128 KiB each read costs what
//! clearing that costs. In the room each member has a task that sends what it is given.

use std::{
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedSender, unbounded_channel},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        self, Message,
        handshake::server::{Request, Response},
        protocol::WebSocketConfig,
    },
};

type Failure = Box<dyn std::error::Error>;

/// What leads to each member's task.
type Room = Arc<Mutex<Vec<UnboundedSender<Message>>>>;

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on {}", listener.local_addr()?);
        std::io::stdout().flush()?;
        let room = Room::default();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let room = room.clone();
            // A connection that fails is the client's affair.
            tokio::spawn(async move { drop(serve(stream, room).await) });
        }
    })
}

async fn serve(stream: TcpStream, room: Room) -> Result<(), tungstenite::Error> {
    let mut is_room = false;
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let look = |request: &Request, response: Response| {
        is_room = request.uri().path() == "/room";
        Ok(response)
    };
    let config = WebSocketConfig::default().read_buffer_size(1_024);
    let socket = accept_hdr_async_with_config(stream, look, Some(config)).await?;
    if is_room { tell(socket, room).await } else { echo(socket).await }
}

async fn echo(mut socket: WebSocketStream<TcpStream>) -> Result<(), tungstenite::Error> {
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn tell(socket: WebSocketStream<TcpStream>, room: Room) -> Result<(), tungstenite::Error> {
    let (mut writer, mut reader) = socket.split();
    let (sender, mut told) = unbounded_channel();
    room.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
    tokio::spawn(async move {
        while let Some(message) = told.recv().await {
            if writer.send(message).await.is_err() {
                return;
            }
        }
    });
    while let Some(message) = reader.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            room.lock().unwrap_or_else(PoisonError::into_inner).retain(|member| member.send(message.clone()).is_ok());
        }
    }
    Ok(())
}
