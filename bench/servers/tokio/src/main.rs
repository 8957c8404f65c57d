//! The adder on tenure in tokio: one thread, one task, in a runtime that knows nothing of it.

use std::io::Write as _;

use tenure_adder::Visitors;
use tenure_tokio::Settings;
use tokio::{net::TcpListener, runtime::Builder};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    Builder::new_current_thread().enable_all().build()?.block_on(serve())
}

async fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let visitors = Visitors::new();
    let settings = Settings { connections_max: 20_000, ..Settings::default() };
    Ok(tenure_tokio::serve(listener, tenure_adder::app(&visitors), settings).await?)
}
