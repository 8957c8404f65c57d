//! A server whose handlers wait: an adder with few lanes and a target that answers when another asks it to.

use std::{
    future::poll_fn,
    num::NonZeroUsize,
    sync::Mutex,
    task::{Poll, Waker},
};

use tenure::{Error, Request, Router, get};
use tenure_adder::{Adder, Visitors, app};
use tenure_linux::{Server, Settings};

use crate::Failure;

/// Lanes of the server; one of them is kept for what does not wait.
pub(crate) const LANES: u32 = 64;

/// Those who wait, until it is open.
#[derive(Default)]
struct Gate {
    open: bool,
    waiting: Vec<Waker>,
}

/// Serves until a signal comes: `/wait` waits for `/open`, `/waiting` tells how many do.
pub(crate) fn serve() -> Result<(), Failure> {
    static GATE: Mutex<Gate> = Mutex::new(Gate { open: false, waiting: Vec::new() });
    static VISITORS: Visitors = Visitors::new();
    fn gate() -> std::sync::MutexGuard<'static, Gate> {
        GATE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
    async fn wait(request: &mut Request<'_, Adder>) -> Result<&'static str, Error> {
        let opened = poll_fn(|context| {
            let mut gate = gate();
            if gate.open {
                return Poll::Ready(());
            }
            gate.waiting.push(context.waker().clone());
            Poll::Pending
        });
        request.while_open(opened).await?;
        Ok("waited")
    }
    async fn open(_: &mut Request<'_, Adder>) -> &'static str {
        let mut gate = gate();
        gate.open = true;
        gate.waiting.drain(..).for_each(Waker::wake);
        "open"
    }
    async fn waiting(_: &mut Request<'_, Adder>) -> u64 {
        gate().waiting.len() as u64
    }
    let routes = Router::new()
        .route("/wait", get(wait).waits_long())
        .route("/open", get(open))
        .route("/waiting", get(waiting))
        .route("/{*rest}", app(&VISITORS));
    let settings =
        Settings { threads: NonZeroUsize::new(1), lanes_max: Some(LANES), ..Settings::at(([127, 0, 0, 1], 0).into()) };
    let server = Server::bind(settings)?.stop_on_signals()?;
    println!("Starting server on port: '{}'", server.local_addr().port());
    Ok(server.run(&routes, &())?)
}
