//! The adder on ntex: one worker. It has no data of a connection, so that sums stand in a table by connection, from which
//! a task takes them when their connection ends.

use std::{cell::RefCell, collections::HashMap, io::Write as _, net::TcpListener};

use ntex::{
    http::{HttpServiceConfig, KeepAlive},
    io::IoRef,
    web::{self, App, HttpRequest, HttpResponse, HttpServer},
};

thread_local! {
    static SUMS: RefCell<HashMap<IoRef, i64>> = RefCell::default();
}

#[ntex::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    HttpServer::new(async || {
        App::new().service(
            web::resource("/adder").route(web::get().to(read)).route(web::post().to(add)).route(web::put().to(set)),
        )
    })
    .workers(1)
    .config(ntex::SharedCfg::new("adder").add(HttpServiceConfig::new().set_keepalive(KeepAlive::Os)))
    .listen(listener)?
    .run()
    .await
}

async fn read(request: HttpRequest) -> HttpResponse {
    let sum = request.io().and_then(|io| SUMS.with_borrow(|sums| sums.get(io).copied()));
    HttpResponse::Ok().body(sum.unwrap_or(0).to_string())
}

async fn add(request: HttpRequest, body: String) -> HttpResponse {
    answer(&request, &body, i64::wrapping_add)
}

async fn set(request: HttpRequest, body: String) -> HttpResponse {
    answer(&request, &body, |_, number| number)
}

fn answer(request: &HttpRequest, body: &str, with: impl FnOnce(i64, i64) -> i64) -> HttpResponse {
    let (Some(io), Ok(number)) = (request.io(), body.parse()) else { return HttpResponse::BadRequest().finish() };
    let sum = SUMS.with_borrow_mut(|sums| {
        let sum = sums.entry(io.clone()).or_insert_with(|| {
            let io = io.clone();
            ntex::rt::spawn(async move {
                io.on_disconnect().await;
                SUMS.with_borrow_mut(|sums| sums.remove(&io));
            });
            0
        });
        *sum = with(*sum, number);
        *sum
    });
    HttpResponse::Ok().body(sum.to_string())
}
