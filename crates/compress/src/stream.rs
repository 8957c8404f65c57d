//! A response that is written piece by piece.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use tenure::{Error, Request, Responder, Sent, StatusCode, Stream};

use crate::{ACCEPT_ENCODING, LEVEL, accepts_gzip};

/// Bytes that are compressed at once, before what they have become is sent.
const PIECE_BYTES: usize = 16_384;

/// A response on its way, as a [`Stream`]: compressed where the client accepts that, whatever its type is.
///
/// What is [written](CompressedStream::write) may stay in the encoder, up to some 100 KiB of text, until the next
/// [`flush`](CompressedStream::flush) or [`finish`](CompressedStream::finish). So a client that is to see a line at once needs a flush
/// behind it, which costs some five bytes each time, and the compression that would have found the same words in the next line. One that is dropped
/// before it is finished resets the connection.
///
/// # Examples
/// ```
/// use tenure::{Error, Method, Request, Responder, Router, Sent, StatusCode, kit::Server, respond};
/// use tenure_compress::CompressedStream;
///
/// async fn lines<'r>(request: &mut Request<'r, ()>, responder: Responder<'r>) -> Result<Sent, Error> {
///     let fields = [("Content-Type", "text/plain")];
///     let mut stream = CompressedStream::begin(request, responder, StatusCode::OK, &fields).await?;
///     for number in 0..1_000 {
///         stream.write(format!("line {number}\n").as_bytes()).await?;
///     }
///     stream.finish().await
/// }
///
/// let mut server = Server::new(Router::new().route("/lines", respond(Method::Get, lines)));
/// let client = server.connect();
/// client.send("GET /lines HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
/// server.run();
/// let answer = client.received();
/// assert!(answer.len() < 5_000 && answer.ends_with(b"\r\n0\r\n\r\n"));
/// ```
#[derive(Debug)]
pub struct CompressedStream<'r> {
    stream: Stream<'r>,
    /// `None`: the client does not accept it.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl<'r> CompressedStream<'r> {
    /// Begins a response whose length is not known, as [`Responder::stream`] does, with `Vary` and, where it is compressed,
    /// `Content-Encoding`. Give it no `Content-Encoding`, and a weak entity tag at the most.
    ///
    /// # Errors
    /// A field that must not be set.
    ///
    /// # Cancellation safety
    /// As [`Responder::send`].
    pub async fn begin<S>(
        request: &Request<'_, S>,
        responder: Responder<'r>,
        status: StatusCode,
        fields: &[(&str, &str)],
    ) -> Result<Self, Error> {
        let accepts = accepts_gzip(request);
        let encoding: &[_] = if accepts { &[("Content-Encoding", "gzip")] } else { &[] };
        let fields = [fields, encoding, &[("Vary", ACCEPT_ENCODING)]].concat();
        let stream = responder.stream(status, &fields).await?;
        Ok(CompressedStream { stream, encoder: accepts.then(|| GzEncoder::new(Vec::new(), LEVEL)) })
    }

    /// Writes bytes, waiting for the peer to take earlier ones where there is no room. They may stay in the encoder for now.
    ///
    /// # Errors
    /// As [`Stream::write`].
    ///
    /// # Cancellation safety
    /// Not safe: some of the bytes may have been sent.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(encoder) = &mut self.encoder else { return self.stream.write(bytes).await };
        for piece in bytes.chunks(PIECE_BYTES) {
            encoder.write_all(piece).map_err(failed)?;
            send(&mut self.stream, encoder).await?;
        }
        if bytes.is_empty() {
            // Lets others have their turn.
            self.stream.write(bytes).await?;
        }
        Ok(())
    }

    /// Waits until all that has been written has gone to the network, so that the client can decode it.
    ///
    /// # Errors
    /// As [`Stream::write`].
    ///
    /// # Cancellation safety
    /// Not safe: some of the bytes may have been sent, and others are lost.
    pub async fn flush(&mut self) -> Result<(), Error> {
        if let Some(encoder) = &mut self.encoder {
            encoder.flush().map_err(failed)?;
            send(&mut self.stream, encoder).await?;
        }
        self.stream.flush().await;
        Ok(())
    }

    /// Ends the response.
    ///
    /// # Errors
    /// As [`Stream::finish`].
    ///
    /// # Cancellation safety
    /// Dropped before its end, the connection is reset.
    pub async fn finish(mut self) -> Result<Sent, Error> {
        if let Some(mut encoder) = self.encoder.take() {
            encoder.try_finish().map_err(failed)?;
            send(&mut self.stream, &mut encoder).await?;
        }
        self.stream.finish().await
    }
}

/// Sends what the encoder has made.
async fn send(stream: &mut Stream<'_>, encoder: &mut GzEncoder<Vec<u8>>) -> Result<(), Error> {
    let made = encoder.get_mut();
    if !made.is_empty() {
        stream.write(made).await?;
        made.clear();
    }
    Ok(())
}

fn failed(_: io::Error) -> Error {
    Error::internal("a response could not be compressed")
}
