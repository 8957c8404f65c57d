//! JSON (RFC 8259): bodies that are read, and responses. The guide has a [chapter](crate::guide::values) on it.
//!
//! Both are this crate's own, over serde's traits: the same on a board without a heap and on a host, with the same errors.
//!
//! *Read* is a text where it lies. Its escapes are decoded in place, so a `&str` can borrow any text, and no buffer is needed. Lists and
//! objects may stand 64 deep. A number that its type cannot hold is refused, so is a text that is not UTF-8 or has half of a surrogate
//! pair, and so are the names of a struct's fields that stand twice.
//!
//! *Written* are the names of an object's fields as text also where they are numbers, `bool`, `char` or names of an enum. An infinite
//! number, and what else JSON has no words for, is an error.

mod read;
mod write;

use serde_core::{Deserialize, Serialize};

use crate::{
    Error,
    exchange::{
        reasons::Reasons,
        reply::{IntoResponse, Outcome, Reply},
        values::mismatch::Place,
    },
};

use write::{Sink, Unwritten};

const JSON: &str = "application/json";

/// Reads all of `bytes` as a value, which may borrow from them: they are decoded in place, and mean nothing more afterwards.
///
/// A request's body has a shorter way: [`Body::json`](crate::Body::json).
///
/// # Errors
/// 400: what is wrong, and where; see the [module](self).
///
/// # Examples
/// ```
/// let mut bytes = *br#"["a\u00e4", 5]"#;
/// let (text, number): (&str, u8) = tenure::json::read(&mut bytes)?;
/// assert_eq!((text, number), ("a\u{e4}", 5));
/// # Ok::<(), tenure::Error>(())
/// ```
pub fn read<'de, T: Deserialize<'de>>(bytes: &'de mut [u8]) -> Result<T, Error> {
    read::read_or(bytes, Place::error)
}

/// Reads a request's body.
pub(crate) fn read_of_request<'de, T: Deserialize<'de>>(bytes: &'de mut [u8], reasons: &Reasons) -> Result<T, Error> {
    read::read_or(bytes, |place, fault| place.error_of_request(fault, reasons))
}

/// Writes a value as JSON text into `buffer`, and returns the part that it fills: for a message or an event, say.
///
/// # Errors
/// 500: JSON has no words for it, or it does not fit.
///
/// # Examples
/// ```
/// let mut buffer = [0; 32];
/// assert_eq!(tenure::json::write(&("on", [1, 2]), &mut buffer)?, r#"["on",[1,2]]"#);
/// # Ok::<(), tenure::Error>(())
/// ```
pub fn write<'b>(value: &(impl Serialize + ?Sized), buffer: &'b mut [u8]) -> Result<&'b str, Error> {
    let mut sink = Sink::skipping(buffer, 0);
    sink.write(value).map_err(refused)?;
    let bytes = sink.written();
    // All that is written is text.
    Ok(str::from_utf8(&buffer[..bytes]).unwrap_or_default())
}

#[cold]
fn refused(why: Unwritten) -> Error {
    Error::internal(why.reason())
}

/// A value as a response of type `application/json`, without a buffer of yours.
///
/// It is written once, right into the output, where it fits. A longer one is written once into memory of its own, which is kept until
/// the response is sent. Without a heap, it is written anew for each part that goes out, up to that part: a response of *n* bytes over an
/// output of *p* bytes writes n²/2p bytes in all. So let the output of a board be as large as the usual response, or answer with a
/// stream.
///
/// A value that JSON has no words for (an infinite number, say) is answered 500.
///
/// # Examples
/// ```
/// use serde::Serialize;
/// use tenure::{Json, Request, Router, get, kit::Server};
///
/// #[derive(Serialize)]
/// struct Lamp {
///     on: bool,
///     dimmed: f32,
/// }
///
/// async fn lamp(_: &mut Request<'_, ()>) -> Json<Lamp> {
///     Json(Lamp { on: true, dimmed: 0.5 })
/// }
///
/// let mut server = Server::new(Router::new().route("/lamp", get(lamp)));
/// let client = server.connect();
/// client.send("GET /lamp HTTP/1.1\r\nHost: a\r\n\r\n");
/// server.run();
/// assert!(client.received_text().ends_with("\r\n\r\n{\"on\":true,\"dimmed\":0.5}"));
/// ```
#[derive(Clone, Debug)]
pub struct Json<T> {
    value: T,
    written: Written,
}

/// Makes a response of a value: see the type [`Json`](struct@Json).
#[allow(non_snake_case, reason = "reads as the constructor that it is")]
pub const fn Json<T>(value: T) -> Json<T> {
    Json { value, written: Written::Not }
}

/// How far a response is.
#[derive(Clone, Debug)]
enum Written {
    Not,
    /// It is counted.
    Bytes(usize),
    /// It is written, to be sent in parts.
    #[cfg(all(feature = "alloc", not(tenure_narrow)))]
    Whole(alloc::vec::Vec<u8>),
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        let value = &self.value;
        match respond(reply, &mut self.written, &mut |sink| sink.write(value)) {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(error),
        }
    }
}

/// One copy of the code for all values.
fn respond(
    reply: &mut Reply<'_>,
    written: &mut Written,
    write: &mut dyn FnMut(&mut Sink<'_>) -> Result<(), Unwritten>,
) -> Result<Outcome, Error> {
    #[cfg(all(feature = "alloc", not(tenure_narrow)))]
    if let Written::Whole(whole) = written {
        return Ok(reply.body_in_parts(whole, JSON));
    }
    if !reply.exchange().begun {
        let mut sink = Sink::counting(reply.ahead());
        write(&mut sink).map_err(refused)?;
        let (bytes, is_ahead) = (sink.bytes(), !sink.is_full());
        #[cfg(all(feature = "alloc", not(tenure_narrow)))]
        if !is_ahead && bytes > reply.bytes_max() && !reply.exchange().head_only {
            // Without the memory it is written as boards do.
            let mut whole = alloc::vec::Vec::new();
            if whole.try_reserve_exact(bytes).is_ok() {
                whole.extend(core::iter::repeat_n(0, bytes));
                let mut sink = Sink::counting(&mut whole);
                write(&mut sink).map_err(refused)?;
                let bytes = sink.written();
                whole.truncate(bytes);
                let outcome = reply.body_in_parts(&whole, JSON);
                *written = Written::Whole(whole);
                return Ok(outcome);
            }
        }
        if !reply.begin_ahead(bytes, JSON, is_ahead)? {
            return Ok(Outcome::Full);
        }
        *written = Written::Bytes(bytes);
    }
    // Where it has not begun it, something else has been answered.
    let bytes = if let Written::Bytes(bytes) = written { *bytes } else { usize::MAX };
    Ok(reply.go_on(bytes, &mut |room, from| {
        let mut sink = Sink::skipping(room, from);
        let is_end = write(&mut sink).is_ok();
        (sink.written(), is_end)
    }))
}
