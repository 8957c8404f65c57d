//! What a server asks of tokio.

use tenure_host::{Bound, Platform, Service, Settings, TaskPlatform};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use crate::{Error, worker};

/// tokio, to a server.
#[derive(Debug)]
pub struct Tokio;

impl Platform for Tokio {
    const SPINS: bool = false;

    fn descriptors_per_worker(settings: &Settings) -> u64 {
        // Those of its runtime, and all listeners once more.
        (4 + settings.addresses.len() + settings.listeners.len()) as u64
    }

    fn run<A: Service>(server: &Bound, number: usize, service: A) -> Result<(), Error> {
        runtime()?.block_on(worker::run(server, number, service))
    }

    #[cfg(not(unix))]
    fn hear_interrupts(mut hear: impl FnMut() + Send + 'static) -> Result<(), Error> {
        let heard = async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                hear();
            }
        };
        let hear = || runtime().map(|runtime| runtime.block_on(heard));
        let builder = std::thread::Builder::new().name("tenure-signals".to_owned());
        builder.spawn(hear).map_err(|error| Error::System("signals cannot be listened for", error))?;
        Ok(())
    }
}

impl TaskPlatform for Tokio {
    async fn serve<A: Service>(server: &Bound, number: usize, service: A) -> Result<(), Error> {
        worker::run(server, number, service).await
    }
}

/// A worker's runtime.
fn runtime() -> Result<LocalRuntime, Error> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    runtime.map_err(|error| Error::System("a runtime cannot be made", error))
}
