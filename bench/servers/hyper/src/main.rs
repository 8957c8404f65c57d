//! The adder on hyper: one thread, a future a connection, which owns the sum.

use std::{cell::Cell, convert::Infallible, io::Write as _, rc::Rc};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve())
}

async fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::task::spawn_local(async move {
            let sum = Rc::new(Cell::new(0));
            let service = service_fn(move |request| answer(request, Rc::clone(&sum)));
            // A connection that fails ends; the sum goes with it.
            let _ = http1::Builder::new().pipeline_flush(true).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, sum: Rc<Cell<i64>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let status = |status: StatusCode| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        Ok(response)
    };
    if request.uri().path() != "/adder" {
        return status(StatusCode::NOT_FOUND);
    }
    let method = request.method().clone();
    if method != Method::GET {
        let number = request.into_body().collect().await.ok().and_then(|body| {
            let body = body.to_bytes();
            str::from_utf8(&body).ok()?.parse::<i64>().ok()
        });
        let Some(number) = number else { return status(StatusCode::BAD_REQUEST) };
        match method {
            Method::POST => sum.set(sum.get().wrapping_add(number)),
            Method::PUT => sum.set(number),
            _ => return status(StatusCode::METHOD_NOT_ALLOWED),
        }
    }
    Ok(Response::new(Full::from(sum.get().to_string())))
}
