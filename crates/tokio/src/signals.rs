//! SIGTERM and SIGINT. Where there are no such signals, Ctrl-C.

use std::io;

use tenure_host::Signalled;
use tokio::runtime::LocalRuntime;

use crate::{Error, Handle};

/// Hears signals from when it was made on; they are kept until a runtime, any one, tells of them.
#[derive(Debug)]
pub(crate) struct Signals {
    heard: Heard,
}

impl Signals {
    pub(crate) fn new(runtime: &LocalRuntime) -> Result<Self, Error> {
        let heard = runtime.block_on(async { Heard::new() });
        Ok(Signals { heard: heard.map_err(|error| Error::System("signals cannot be listened for", error))? })
    }

    /// Acts on the signals that come.
    pub(crate) async fn act(mut self, handle: Handle) {
        let mut signalled = Signalled::default();
        loop {
            self.heard.next().await;
            signalled.add(1, &handle);
        }
    }
}

#[cfg(unix)]
#[derive(Debug)]
struct Heard([tokio::signal::unix::Signal; 2]);

#[cfg(unix)]
impl Heard {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Heard([signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?]))
    }

    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let mut heard = std::task::Poll::Pending;
            for signal in &mut self.0 {
                if signal.poll_recv(context).is_ready() {
                    heard = std::task::Poll::Ready(());
                }
            }
            heard
        })
        .await;
    }
}

#[cfg(not(unix))]
#[derive(Debug)]
struct Heard;

#[cfg(not(unix))]
impl Heard {
    fn new() -> io::Result<Self> {
        Ok(Heard)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
