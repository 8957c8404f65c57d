//! The least that a server can do: each segment is answered with the same bytes, none is looked at.
#![no_std]
#![no_main]

use embassy_net::{Stack, tcp::TcpSocket};
use static_cell::ConstStaticCell;
use tenure_compare::{PORT, RING, SOCKETS, resources};

const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n1000";

#[embassy_executor::task(pool_size = SOCKETS)]
async fn serve(stack: Stack<'static>, rings: &'static mut [[u8; RING]; 2]) -> ! {
    let [received, sent] = rings;
    let mut socket = TcpSocket::new(stack, received, sent);
    socket.set_nagle_enabled(false);
    loop {
        if socket.accept(PORT).await.is_ok() {
            while let Ok(1..) = socket.read_with(|bytes| (bytes.len(), bytes.len())).await {
                // Behind the ring's end there may be the segment's rest: a second reply to it would let the client run ahead.
                if socket.recv_queue() > 0 {
                    continue;
                }
                if socket.write(REPLY).await.is_err() {
                    break;
                }
            }
        }
        socket.close();
        let _ = socket.flush().await;
        socket.abort();
        let _ = socket.flush().await;
    }
}

#[riscv_rt::entry]
fn main() -> ! {
    static RINGS: ConstStaticCell<[[[u8; RING]; 2]; SOCKETS]> = ConstStaticCell::new([[[0; RING]; 2]; SOCKETS]);
    tenure_qemu::run(resources(), |spawner, stack| {
        for rings in RINGS.take() {
            spawner.spawn(serve(stack, rings).expect("a task for each socket"));
        }
    })
}
