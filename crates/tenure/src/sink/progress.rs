//! How far an upload has come.

use core::fmt;

use super::Sink;
use crate::Error;

/// A sink that tells how much it has got: [`Sink::progress`].
pub struct Progress<K, F> {
    sink: K,
    tell: F,
    received: u64,
    announced: Option<u64>,
}

impl<K, F> Progress<K, F> {
    pub(super) fn new(sink: K, tell: F) -> Self {
        Progress { sink, tell, received: 0, announced: None }
    }

    /// The sink alone.
    pub fn into_inner(self) -> K {
        self.sink
    }
}

impl<K: Sink, F: FnMut(u64, Option<u64>)> Sink for Progress<K, F> {
    async fn begin(&mut self, announced: Option<u64>) -> Result<(), Error> {
        (self.received, self.announced) = (0, announced);
        self.sink.begin(announced).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sink.write(bytes).await?;
        self.received += bytes.len() as u64;
        (self.tell)(self.received, self.announced);
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Error> {
        self.sink.finish().await
    }

    async fn abort(&mut self) {
        self.sink.abort().await;
    }
}

impl<K: fmt::Debug, F> fmt::Debug for Progress<K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").field("sink", &self.sink).field("received", &self.received).finish_non_exhaustive()
    }
}
