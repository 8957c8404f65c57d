//! A sign of life, for a watchdog.

use core::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
};

use embassy_time::{Duration, Timer};

/// How often there is a sign of life at least.
const EVERY: Duration = Duration::from_secs(1);

/// Runs a server ([`Server::run`](crate::Server::run)), or a task that it is part of, and calls `beat` after each of its turns: once
/// per second at least, also while nothing happens.
///
/// A handler that never yields keeps every task of its executor from running, and the server from ending it. `beat` is not
/// called then: where it feeds a hardware watchdog, the board restarts. A handler that waits, however long, and a client that
/// is slow cost no beat. A turn may take as long as the slowest handler computes at a stretch: the watchdog must allow for it.
///
/// ```no_run
/// # use embassy_net::Stack;
/// # use tenure::{Request, Router, get};
/// # use tenure_embassy::{Server, beating};
/// # struct Watchdog;
/// # impl Watchdog { fn feed(&mut self) {} }
/// async fn serve(stack: Stack<'static>, server: &mut Server<(), 7, 2, 9, 1460>, mut watchdog: Watchdog) {
///     let app = Router::new().route("/", get(async |_: &mut Request<'_, ()>| "hello"));
///     beating(server.run(stack, &app, &()), || watchdog.feed()).await;
/// }
/// ```
///
/// # Cancellation safety
/// That of `run`.
pub async fn beating<T>(run: impl Future<Output = T>, mut beat: impl FnMut()) -> T {
    let mut run = pin!(run);
    let mut timer = Timer::after(EVERY);
    poll_fn(|context| {
        let polled = run.as_mut().poll(context);
        beat();
        if polled.is_pending() && Pin::new(&mut timer).poll(context).is_ready() {
            timer = Timer::after(EVERY);
            // Asked once, so that it wakes.
            if Pin::new(&mut timer).poll(context).is_ready() {
                context.waker().wake_by_ref();
            }
        }
        polled
    })
    .await
}
