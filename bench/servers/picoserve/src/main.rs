//! The adder on picoserve and tokio: one thread, a future a connection, which owns the sum as the router's state.

use std::{cell::Cell, io::Write as _, rc::Rc};

use picoserve::{
    Config, KeepAlive, Server, Timeouts,
    extract::State,
    response::{IntoResponse, StatusCode},
    routing::get,
    time::Duration,
};
use tokio::net::TcpListener;

type Failure = Box<dyn std::error::Error>;
type Sum = Rc<Cell<i64>>;

/// As large as its own example has it.
const BUFFER: usize = 2048;
const PATIENCE: Duration = Duration::from_secs(3_600);

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve())
}

async fn serve() -> Result<(), Failure> {
    static CONFIG: Config = Config {
        timeouts: Timeouts {
            start_read_request: PATIENCE,
            persistent_start_read_request: PATIENCE,
            read_request: PATIENCE,
            write: PATIENCE,
        },
        connection: KeepAlive::KeepAlive,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::task::spawn_local(async move {
            let app = picoserve::Router::new().route("/adder", get(read).post(add).put(set));
            let app = app.with_state::<()>(Sum::default());
            // A connection that fails ends; the sum goes with it.
            let _ = Server::new_tokio(&app, &CONFIG, &mut [0; BUFFER]).serve(stream).await;
        });
    }
}

async fn read(State(sum): State<Sum>) -> impl IntoResponse {
    sum.get().to_string()
}

async fn add(State(sum): State<Sum>, body: String) -> Result<String, (StatusCode, &'static str)> {
    let number: i64 = body.parse().map_err(|_| (StatusCode::BAD_REQUEST, "not a number"))?;
    sum.set(sum.get().wrapping_add(number));
    Ok(sum.get().to_string())
}

async fn set(State(sum): State<Sum>, body: String) -> Result<String, (StatusCode, &'static str)> {
    sum.set(body.parse().map_err(|_| (StatusCode::BAD_REQUEST, "not a number"))?);
    Ok(sum.get().to_string())
}
