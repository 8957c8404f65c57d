//! The WebSocket echo on fastwebsockets, as its own example has it: one thread, hyper for the upgrade. In the room each member has a
//! task that sends what it is given.

use std::{
    convert::Infallible,
    future::ready,
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use fastwebsockets::{FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError, upgrade};
use http_body_util::Empty;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::unconstrained,
};

type Failure = Box<dyn std::error::Error>;

/// What leads to each member's task.
type Room = Arc<Mutex<Vec<UnboundedSender<(OpCode, Bytes)>>>>;

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
            tokio::spawn(async move {
                let open = service_fn(move |request| ready(open(request, room.clone())));
                // A connection that fails is the client's affair.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), open).with_upgrades().await;
            });
        }
    })
}

fn open(mut request: Request<Incoming>, room: Room) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, socket) = upgrade::upgrade(&mut request)?;
    let is_room = request.uri().path() == "/room";
    tokio::spawn(async move {
        let _ = if is_room { unconstrained(tell(socket, room)).await } else { unconstrained(echo(socket)).await };
    });
    Ok(response)
}

async fn echo(socket: upgrade::UpgradeFut) -> Result<(), WebSocketError> {
    let mut socket = FragmentCollector::new(socket.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}

async fn tell(socket: upgrade::UpgradeFut, room: Room) -> Result<(), WebSocketError> {
    let (reader, mut writer) = socket.await?.split(tokio::io::split);
    let (sender, mut told) = unbounded_channel::<(OpCode, Bytes)>();
    room.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
    tokio::spawn(unconstrained(async move {
        while let Some((opcode, bytes)) = told.recv().await {
            if writer.write_frame(Frame::new(true, opcode, None, Payload::Borrowed(&bytes))).await.is_err() {
                return;
            }
        }
    }));
    let mut reader = FragmentCollectorRead::new(reader);
    loop {
        // Nobody pings here.
        let frame = reader.read_frame::<_, Infallible>(&mut |_| async { Ok(()) }).await?;
        if frame.opcode == OpCode::Close {
            return Ok(());
        }
        let (opcode, bytes) = (frame.opcode, Bytes::copy_from_slice(&frame.payload));
        room.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|member| member.send((opcode, bytes.clone())).is_ok());
    }
}
