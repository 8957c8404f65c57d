//! The adder on actix-web: one worker, the sum is the connection's data.

use std::{cell::Cell, io::Write as _, rc::Rc};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    http::KeepAlive,
    rt::{System, net::TcpStream},
    web,
};

type Sum = Rc<Cell<i64>>;

fn main() -> std::io::Result<()> {
    System::new().block_on(async {
        let server = HttpServer::new(|| {
            App::new().service(
                web::resource("/adder").route(web::get().to(read)).route(web::post().to(add)).route(web::put().to(set)),
            )
        })
        .on_connect(|stream, data| {
            if let Some(stream) = stream.downcast_ref::<TcpStream>() {
                // Where it fails the connection does, too, and says so.
                let _ = stream.set_nodelay(true);
            }
            data.insert(Sum::default());
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

async fn read(request: HttpRequest) -> HttpResponse {
    answer(&request, |sum| Some(sum.get()))
}

async fn add(request: HttpRequest, body: String) -> HttpResponse {
    answer(&request, |sum| {
        sum.set(sum.get().wrapping_add(body.parse().ok()?));
        Some(sum.get())
    })
}

async fn set(request: HttpRequest, body: String) -> HttpResponse {
    answer(&request, |sum| {
        sum.set(body.parse().ok()?);
        Some(sum.get())
    })
}

fn answer(request: &HttpRequest, with: impl FnOnce(&Cell<i64>) -> Option<i64>) -> HttpResponse {
    match request.conn_data::<Sum>().and_then(|sum| with(sum)) {
        Some(sum) => HttpResponse::Ok().body(sum.to_string()),
        None => HttpResponse::BadRequest().finish(),
    }
}
