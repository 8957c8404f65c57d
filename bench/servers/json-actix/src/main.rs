//! JSON both ways on actix-web: one worker.

use std::io::Write as _;

use actix_web::{
    App, HttpServer,
    http::KeepAlive,
    rt::{System, net::TcpStream},
    web,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Value {
    a: u32,
    b: String,
    c: bool,
}

fn main() -> std::io::Result<()> {
    System::new().block_on(async {
        let server = HttpServer::new(|| App::new().service(web::resource("/json").route(web::post().to(change))))
            .on_connect(|stream, _| {
                if let Some(stream) = stream.downcast_ref::<TcpStream>() {
                    // Where it fails the connection does, too, and says so.
                    let _ = stream.set_nodelay(true);
                }
            })
            .keep_alive(KeepAlive::Os)
            .workers(1)
            .bind("127.0.0.1:0")?;
        for address in server.addrs() {
            println!("listening on {address}");
        }
        std::io::stdout().flush()?;
        server.run().await
    })
}

async fn change(value: web::Json<Value>) -> web::Json<Value> {
    let Value { a, b, c } = value.into_inner();
    web::Json(Value { a: a.wrapping_add(1), b, c: !c })
}
