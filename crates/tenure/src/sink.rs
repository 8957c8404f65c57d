//! Where the bytes go that clients send.

#[cfg(feature = "digest")]
mod digest;
mod progress;

#[cfg(feature = "digest")]
pub use digest::{Hashed, Sha256};
pub use progress::Progress;

use crate::{Body, Error};

/// Where the bytes of an upload go: a file, flash, a parser. [`Body::save_to`] and [`Part::save_to`](crate::Part::save_to) write to it,
/// each piece as it comes, so none of an upload is kept but the piece at hand.
///
/// # Back-pressure
/// While a sink writes, nothing is read: the client sends no faster than the sink takes.
///
/// # What stays incomplete
/// A sink that is dropped before [`finish`](Sink::finish) has returned `Ok` leaves nothing behind: its upload was reset, or its handler
/// dropped. Where the upload fails and the handler goes on, [`abort`](Sink::abort) is called first, for what must be waited for.
///
/// # Examples
/// A sink of one's own:
/// ```
/// use tenure::{Error, Request, Router, kit::Server, put, sink::Sink};
///
/// /// Counts lines.
/// #[derive(Default)]
/// struct Lines(u64);
///
/// impl Sink for Lines {
///     async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
///         self.0 += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
///         Ok(())
///     }
///
///     async fn finish(&mut self) -> Result<(), Error> {
///         Ok(())
///     }
/// }
///
/// async fn count(request: &mut Request<'_, ()>) -> Result<String, Error> {
///     let mut lines = Lines::default();
///     let bytes = request.body().limit(1_000_000).save_to(&mut lines).await?;
///     Ok(format!("{} lines in {bytes} bytes", lines.0))
/// }
///
/// let mut server = Server::new(Router::new().route("/", put(count)));
/// let client = server.connect();
/// client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\none\ntwo\n");
/// server.run();
/// assert!(client.received_text().ends_with("\r\n\r\n2 lines in 8 bytes"));
/// ```
#[allow(async_fn_in_trait)]
pub trait Sink {
    /// An upload begins. At most `announced` bytes will come: exactly so many of a body of known length, fewer of a form's part.
    /// `None`: the client does not say. Does nothing by default.
    ///
    /// # Errors
    /// For example: there is no room for them.
    ///
    /// # Cancellation safety
    /// Dropped, the sink is dropped, too.
    async fn begin(&mut self, announced: Option<u64>) -> Result<(), Error> {
        let _ = announced;
        Ok(())
    }

    /// Writes bytes behind those before.
    ///
    /// # Errors
    /// They cannot be written, for example for lack of room (507).
    ///
    /// # Cancellation safety
    /// Dropped, the sink is dropped, too.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Error>;

    /// All bytes have been written.
    ///
    /// # Errors
    /// What was written cannot be kept.
    ///
    /// # Cancellation safety
    /// Dropped, what was written is kept or not.
    async fn finish(&mut self) -> Result<(), Error>;

    /// Gives up what was written; nothing follows. Does nothing by default: dropping the sink is enough where nothing must be
    /// awaited.
    ///
    /// # Cancellation safety
    /// Dropped, the sink is dropped, too.
    async fn abort(&mut self) {}

    /// This sink, with a closure that is called after each piece: with the bytes written so far, and with how many come at most.
    ///
    /// # Examples
    /// ```
    /// use tenure::{Error, Request, sink::Sink};
    ///
    /// async fn put(request: &mut Request<'_, ()>, file: impl Sink) -> Result<String, Error> {
    ///     let mut file = file.progress(|received, announced| log::info!("{received} bytes of {announced:?}"));
    ///     Ok(format!("{} bytes", request.body().save_to(&mut file).await?))
    /// }
    /// ```
    fn progress<F: FnMut(u64, Option<u64>)>(self, tell: F) -> Progress<Self, F>
    where
        Self: Sized,
    {
        Progress::new(self, tell)
    }

    /// This sink, with the SHA-256 of what is written, which may be [checked](Hashed::check). With the feature `digest`.
    #[cfg(feature = "digest")]
    fn sha256(self) -> Hashed<Self>
    where
        Self: Sized,
    {
        Hashed::new(self)
    }
}

impl<K: Sink> Sink for &mut K {
    async fn begin(&mut self, announced: Option<u64>) -> Result<(), Error> {
        K::begin(self, announced).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        K::write(self, bytes).await
    }

    async fn finish(&mut self) -> Result<(), Error> {
        K::finish(self).await
    }

    async fn abort(&mut self) {
        K::abort(self).await;
    }
}

/// Bytes on the heap: bounded by what the body may have. 503 where there is no memory.
#[cfg(feature = "alloc")]
impl Sink for alloc::vec::Vec<u8> {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.try_reserve(bytes.len()).map_err(|_| Error::unavailable("there is no memory for what was sent"))?;
        self.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn abort(&mut self) {
        self.clear();
    }
}

/// What is read in pieces.
pub(crate) trait Source {
    /// Bytes that come at the most.
    fn announced(&self) -> Option<u64>;

    /// The next bytes.
    async fn read(&mut self) -> Result<Option<&[u8]>, Error>;
}

/// Writes all of it to a sink.
pub(crate) async fn save(source: &mut impl Source, sink: &mut impl Sink) -> Result<u64, Error> {
    let saved = write_all(source, sink).await;
    if saved.is_err() {
        sink.abort().await;
    }
    saved
}

async fn write_all(source: &mut impl Source, sink: &mut impl Sink) -> Result<u64, Error> {
    let mut bytes = 0;
    sink.begin(source.announced()).await?;
    while let Some(piece) = source.read().await? {
        sink.write(piece).await?;
        bytes += piece.len() as u64;
    }
    sink.finish().await?;
    Ok(bytes)
}

impl Body<'_, '_> {
    /// Writes the whole body to a sink, in the pieces in which it comes, and finishes it. Returns how many bytes it had. The guide has
    /// an [example](crate::guide::uploads).
    ///
    /// # Errors
    /// As [`read`](Body::read), and what the sink says. The sink has been [aborted](Sink::abort) then.
    ///
    /// # Cancellation safety
    /// Not safe: what was written is lost to the next read. The sink is as it was left, not finished.
    pub async fn save_to(self, sink: &mut impl Sink) -> Result<u64, Error> {
        save(&mut Pieces(self), sink).await
    }
}

/// A body, read in pieces.
struct Pieces<'a, 'r>(Body<'a, 'r>);

impl Source for Pieces<'_, '_> {
    fn announced(&self) -> Option<u64> {
        self.0.announced()
    }

    async fn read(&mut self) -> Result<Option<&[u8]>, Error> {
        self.0.reader.read(usize::MAX).await
    }
}
